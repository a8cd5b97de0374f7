/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests OvmfPkg/QemuFlashFvbServicesRuntimeDxe, the flash driver of every OVMF,
 * on this chip: the driver's detection of the flash, its check and repair of
 * the volume header, and random calls of the firmware volume block protocol,
 * compared with plain memory.
 *
 * The driver never reads a status, so it never sees an error. After an erase it
 * leaves the chip in status mode until its next write: until then reads of the
 * erased blocks return the status, and with the personality qemu those of every
 * block.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "AutoGen.h"

#include <Library/BaseMemoryLib.h>
#include <Library/UefiBootServicesTableLib.h>
#include <Protocol/DevicePath.h>
#include <Protocol/FirmwareVolumeBlock.h>

#include "FwBlockService.h"

#include "check.h"
#include "core.h"
#include "guest.h"
#include "pflash/fv.h"

#define BLOCKS (FLASH_SIZE / FLASH_BLOCK)
#define HEADER_SIZE 0x48u
#define READY 0x80
#ifdef PEER_BUFFERED
#define NAME "QemuFlashFvb-128K-buffered"
#else
#define NAME (PEER_PLATFORM == 2 ? "QemuFlashFvb-128K" : "QemuFlashFvb-528K")
#endif

struct setting {
	enum window_mode mode;
	enum cfi_personality personality;
	uint32_t interval; /* argument of guest_replace_server() */
};

static struct model model;
static bool shows_status[BLOCKS]; /* since an erase */
static EFI_FIRMWARE_VOLUME_BLOCK_PROTOCOL *fvb;

static void
power_on(const struct setting *setting)
{
	guest_power_on(&(struct guest_config){
		.vars = model_write_file(&model, "vars.fd"),
		.base = FLASH_BASE,
		.size = FLASH_SIZE,
		.width = 1,
		.interleave = 1,
		.blocks = "4K",
		.mode = setting->mode,
		.personality = setting->personality,
	});
}

static EFI_STATUS
start_driver(void)
{
	EFI_STATUS status = FvbInitialize(gImageHandle, &core_system_table);

	hooks_settle();
	if (!EFI_ERROR(status))
		fvb = core_protocol(&gEfiFirmwareVolumeBlockProtocolGuid);
	return status;
}

/* Makes a volume as the firmware's build does. */
static void
good_volume(void)
{
	model_open(&model, FLASH_SIZE);
	fv_format(fv_layout_by_size(FLASH_SIZE), model.bytes);
}

static void
compare_image(const char *when)
{
	model_same(&model, 0, guest_image(), FLASH_SIZE, when);
	check_that(guest_verify(), "%s: the device is not valid", when);
}

/* --- detection and the volume header --- */

static void
run_good(const void *arg)
{
	UINTN size = FLASH_SIZE;
	uint8_t *read = malloc(size);

	good_volume();
	power_on(arg);
	if (start_driver() != EFI_SUCCESS)
		check_give_up("the driver did not start");
	check_that(pcd_variable_base64 == FLASH_BASE && pcd_flash_variables,
		   "the driver did not publish the flash");
	compare_image("after the check of a valid volume");
	fvb->Read(fvb, 0, 0, &size, read);
	model_same(&model, 0, read, FLASH_SIZE, "the whole flash read");
	guest_power_off();
}

struct damage {
	struct setting setting;
	uint32_t off;
	uint32_t len; /* the bytes to set, and their value */
	uint8_t value;
};

/*
 * The driver erases everything and writes only the header. Its header differs
 * from the build's in the attributes.
 */
static void
driver_volume(void)
{
	uint8_t *header = model.bytes;
	uint32_t attributes = 0x40c36;
	uint32_t sum = 0;

	fv_format(fv_layout_by_size(FLASH_SIZE), header);
	model_fill(&model, HEADER_SIZE, 0xff, FLASH_SIZE - HEADER_SIZE);
	for (unsigned int i = 0; i < 4; i++)
		header[0x2c + i] = (uint8_t)(attributes >> 8 * i);
	header[0x32] = header[0x33] = 0;
	for (unsigned int i = 0; i < HEADER_SIZE; i += 2)
		sum += (uint32_t)(header[i] | header[i + 1] << 8);
	header[0x32] = (uint8_t)-sum;
	header[0x33] = (uint8_t)(-sum >> 8);
}

static void
run_damaged(const void *arg)
{
	const struct damage *damage = arg;

	good_volume();
	model_fill(&model, 0x1000, 0x5a, FLASH_SIZE - 0x2000);
	model_fill(&model, damage->off, damage->value, damage->len);
	power_on(&damage->setting);
	check_that(start_driver() == EFI_SUCCESS, "the driver did not start");
	driver_volume();
	compare_image("after the repair of a damaged volume");
	guest_power_off();
}

/* The driver must not detect a flash, and must not change the contents. */
static void
run_undetected(const void *arg)
{
	const struct damage *damage = arg;

	good_volume();
	model_fill(&model, damage->off, damage->value, damage->len);
	power_on(&damage->setting);
	check_that(start_driver() == EFI_WRITE_PROTECTED,
		   "the driver detects a flash");
	compare_image("after a detection that failed");
	guest_power_off();
}

/* --- the protocol --- */

static void
do_write(uint8_t *data, bool overwrites)
{
	uint32_t len = check_below(8) ? check_below(64) : check_below(3 * 4096);
	uint32_t off = check_below(FLASH_SIZE - len);
	UINTN count = len;

	check_random_data(data, len);
	check_that(fvb->Write(fvb, off / FLASH_BLOCK, off % FLASH_BLOCK, &count,
			      data) == EFI_SUCCESS &&
			   count == len,
		   "a write of %#x bytes at %#x", len, off);
	hooks_settle();
	for (uint32_t i = 0; i < len; i++)
		model.bytes[off + i] = overwrites ?
					       data[i] :
					       model.bytes[off + i] & data[i];
	if (len)
		memset(shows_status, 0, sizeof(shows_status));
}

static void
erased(EFI_LBA lba, UINTN count, bool whole_chip)
{
	model_fill(&model, (uint32_t)lba * FLASH_BLOCK, 0xff,
		   (uint32_t)count * FLASH_BLOCK);
	if (whole_chip)
		memset(shows_status, true, sizeof(shows_status));
	else
		memset(shows_status + lba, true, count);
}

static void
do_erase(bool whole_chip)
{
	EFI_LBA first = check_below(BLOCKS), other = check_below(BLOCKS);
	UINTN count = 1 + check_below(3), end = check_below(8) ? BLOCKS : 0;
	EFI_STATUS wanted = EFI_SUCCESS, got;

	if (first + count > BLOCKS || end == 0)
		wanted = EFI_INVALID_PARAMETER;
	got = fvb->EraseBlocks(fvb, other, (UINTN)(end ? 1 : 0), first, count,
			       EFI_LBA_LIST_TERMINATOR);
	hooks_settle();
	check_that(got == wanted,
		   "wrong result of an erase of %lu blocks from %lu: %#lx",
		   (unsigned long)count, (unsigned long)first,
		   (unsigned long)got);
	if (wanted != EFI_SUCCESS)
		return;
	erased(other, 1, whole_chip);
	erased(first, count, whole_chip);
}

/* The byte that the guest reads at this offset. */
static uint8_t
visible(uint32_t off)
{
	return shows_status[off / FLASH_BLOCK] ? READY : model.bytes[off];
}

static void
do_read(uint8_t *data)
{
	uint32_t len = check_below(8) ? check_below(200) : check_below(0x4000);
	uint32_t off = check_below(FLASH_SIZE - len);
	UINTN count = len;
	uint32_t i = 0;

	memset(data, 0x33, len);
	if (fvb->Read(fvb, off / FLASH_BLOCK, off % FLASH_BLOCK, &count,
		      data) != EFI_SUCCESS)
		check_that(false, "a read of %#x bytes at %#x failed", len,
			   off);
	while (i < len && data[i] == visible(off + i))
		i++;
	check_that(i == len, "a read at %#x: at %#x wanted %02x, got %02x", off,
		   off + i, i < len ? visible(off + i) : 0,
		   i < len ? data[i] : 0);
}

static void
do_queries(void)
{
	EFI_FVB_ATTRIBUTES_2 attributes = 0;
	EFI_PHYSICAL_ADDRESS address = 0;
	EFI_LBA lba = check_below(BLOCKS + 4);
	EFI_STATUS wanted = lba < BLOCKS ? EFI_SUCCESS : EFI_INVALID_PARAMETER;
	UINTN size = 0, count = 0, none = 1;
	UINT8 byte;

	fvb->GetAttributes(fvb, &attributes);
	check_that(attributes == 0x4feff, "attributes %#x", attributes);
	fvb->GetPhysicalAddress(fvb, &address);
	check_that(address == FLASH_BASE, "address %#lx",
		   (unsigned long)address);
	check_that(fvb->GetBlockSize(fvb, lba, &size, &count) == wanted &&
			   (EFI_ERROR(wanted) ||
			    (size == FLASH_BLOCK && count == BLOCKS - lba)),
		   "the size of block %lu", (unsigned long)lba);
	check_that(fvb->Read(fvb, FD_SIZE / FLASH_BLOCK + lba, 0, &none,
			     &byte) == EFI_INVALID_PARAMETER,
		   "a read beyond the firmware succeeds");
}

static void
run_random(const void *arg)
{
	const struct setting *setting = arg;
	unsigned int steps = check_options.longer ? 40000 : 2000;
	bool qemu = setting->personality == CFI_QEMU;
	uint8_t *data = malloc(0x4000);

	good_volume();
	power_on(setting);
	if (start_driver() != EFI_SUCCESS)
		check_give_up("the driver did not start");
	guest_replace_server(setting->interval);
	for (unsigned int i = 1; i <= steps; i++) {
		switch (check_below(8)) {
		case 0: do_erase(qemu); break;
		case 1: do_queries(); break;
		case 2:
		case 3: do_read(data); break;
		default: do_write(data, qemu); break;
		}
		if (i % 100 == 0)
			compare_image("the image");
	}
	guest_power_off();
	free(data);
}

/* No write reaches the array, and the driver continues without an error. */
static void
run_failing(const void *arg)
{
	static uint8_t data[0x4000];
	UINTN count = 64;

	good_volume();
	power_on(arg);
	if (start_driver() != EFI_SUCCESS)
		check_give_up("the driver did not start");
	do_write(data, false);
	compare_image("before the host's writes fail");
	guest_fail_writes(EIO);
	for (unsigned int i = 0; i < 3; i++) {
		memset(data, 0, 64);
		check_that(fvb->Write(fvb, 4, i, &count, data) == EFI_SUCCESS,
			   "wrong result of a write that the host fails");
		hooks_settle();
		compare_image("a failed host");
		do_read(data);
	}
	fvb->EraseBlocks(fvb, (EFI_LBA)0, (UINTN)1, EFI_LBA_LIST_TERMINATOR);
	hooks_settle();
	compare_image("an erase with a failed host");
	guest_power_off();
}

int
main(int argc, char **argv)
{
	static const struct setting direct = { WINDOW_DIRECT, CFI_OVMF, 0 };
	static const struct setting trap = { WINDOW_TRAP, CFI_OVMF, 0 };
	static const struct setting replaced = { WINDOW_DIRECT, CFI_OVMF,
						 2000 };
	static const struct setting over = { WINDOW_DIRECT, CFI_QEMU, 0 };
	static const struct {
		const char *name;
		struct damage damage;
	} damages[] = {
		{ "all ones", { direct, 0, FLASH_SIZE, 0xff } },
		{ "no signature", { direct, 0x28, 4, 0 } },
		{ "a bad checksum", { trap, 0x32, 2, 0x77 } },
		{ "another length", { direct, 0x20, 8, 0x11 } },
		{ "another revision", { trap, 0x37, 1, 0x03 } },
		{ "another block size", { trap, 0x3c, 4, 0x00 } },
	};
	static const struct damage zeroes = { direct, 0, FLASH_SIZE, 0 };
	static const struct damage strict = {
		{ WINDOW_TRAP, CFI_STRICT, 0 }, 0x100, 1, 0xff
	};

	check_start(NAME, argc, argv);
	check_scenario("a valid volume, direct", run_good, &direct);
	check_scenario("a valid volume, trap", run_good, &trap);
	for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++)
		check_scenario(damages[i].name, run_damaged,
			       &damages[i].damage);
	check_scenario("all zeroes: no flash is detected", run_undetected,
		       &zeroes);
	check_scenario("a strict chip: no flash is detected", run_undetected,
		       &strict);
	check_scenario("random, direct", run_random, &direct);
	check_scenario("random, trap", run_random, &trap);
	check_scenario("random, the chip overwrites", run_random, &over);
	check_scenario("the server is replaced", run_random, &replaced);
	check_scenario("the host's writes fail, direct", run_failing, &direct);
	check_scenario("the host's writes fail, trap", run_failing, &trap);
	return check_finish();
}
