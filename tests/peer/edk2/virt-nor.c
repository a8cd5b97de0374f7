/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests OvmfPkg/VirtNorFlashDxe, the flash driver of edk2's Arm machines, on
 * this chip: two x16 parts on a bus of 32 bits, buffered programs of 128 bytes,
 * block locks. Checks the driver's check and creation of the volume header,
 * random calls of the firmware volume block protocol compared with plain
 * memory, and the errors that the driver reports.
 *
 * This version of the driver has two errors that occur with any flash; the test
 * avoids them:
 * - A write of less than 128 bytes that crosses a multiple of 128 also programs
 *   old buffer contents after that multiple (fixed later by "clarify block
 *   write logic & fix shadowbuffer reads").
 * - After a failed write the driver does not clear the status register. A
 *   strict chip with error bits set refuses a buffered program, and the driver
 *   tries ten million times. An erase does clear the status, so the test erases
 *   after each failed write.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "AutoGen.h"

#include <Guid/VariableFormat.h>
#include <Library/BaseMemoryLib.h>
#include <Library/UefiBootServicesTableLib.h>
#include <Library/VirtNorFlashPlatformLib.h>
#include <Protocol/FirmwareVolumeBlock.h>

#include "check.h"
#include "core.h"
#include "guest.h"

#define BLOCKS (REGION_SIZE / FLASH_BLOCK)
#define REGION_OFF (REGION_BASE - FLASH_BASE)
#define CHUNK 128u
#define HEADERS 0x64u /* of the volume and of the variable store */

/* A command to both parts at once. */
#define BOTH(command) ((command)*0x10001u)

struct setting {
	enum window_mode mode;
	enum cfi_personality personality;
	enum store_sync sync;
	uint32_t interval; /* argument of guest_replace_server() */
};

static struct model model; /* of the whole device */
static EFI_FIRMWARE_VOLUME_BLOCK_PROTOCOL *fvb;

EFI_STATUS EFIAPI NorFlashInitialise(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

EFI_STATUS
VirtNorFlashPlatformInitialization(VOID)
{
	return EFI_SUCCESS;
}

EFI_STATUS
VirtNorFlashPlatformGetDevices(VIRT_NOR_FLASH_DESCRIPTION **devices,
			       UINT32 *count)
{
	static VIRT_NOR_FLASH_DESCRIPTION device = {
		.DeviceBaseAddress = FLASH_BASE,
		.RegionBaseAddress = REGION_BASE,
		.Size = REGION_SIZE,
		.BlockSize = FLASH_BLOCK,
	};

	*devices = &device;
	*count = 1;
	return EFI_SUCCESS;
}

static void
power_on(const struct setting *setting)
{
	guest_power_on(&(struct guest_config){
		.vars = model_write_file(&model, "nor.fd"),
		.base = FLASH_BASE,
		.size = FLASH_SIZE,
		.width = 4,
		.interleave = 2,
		.blocks = "256K",
		.mode = setting->mode,
		.personality = setting->personality,
		.sync = setting->sync,
	});
}

static void
start_driver(void)
{
	EFI_STATUS status = NorFlashInitialise(gImageHandle,
					       &core_system_table);

	hooks_settle();
	check_that(status == EFI_SUCCESS, "the driver did not start");
	fvb = core_protocol(&gEfiFirmwareVolumeBlockProtocolGuid);
	core_protocol(&gEdkiiNvVarStoreFormattedGuid);
}

/* Makes a volume with an empty variable store, from the specifications. */
static void
put(uint32_t off, uint64_t value, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++)
		model.bytes[REGION_OFF + off + i] = (uint8_t)(value >> 8 * i);
}

static void
good_headers(void)
{
	static const uint8_t nv_data[] = { 0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76,
					   0x8b, 0x4c, 0xa9, 0x85, 0x27, 0x47,
					   0x07, 0x5b, 0x4f, 0x50 };
	static const uint8_t store[] = { 0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94,
					 0x9a, 0x43, 0xa1, 0x80, 0x2e, 0x14,
					 0x4e, 0xc3, 0x77, 0x92 };
	uint8_t *header = model.bytes + REGION_OFF;
	uint32_t sum = 0;

	memset(header, 0, HEADERS);
	memcpy(header + 0x10, nv_data, sizeof(nv_data));
	put(0x20, 3 * FLASH_BLOCK, 8);
	memcpy(header + 0x28, "_FVH", 4);
	/*
	 * read and write: capable and enabled; sticky, mapped, erased bits are
	 * 1
	 */
	put(0x2c, 0x00000e36, 4);
	put(0x30, 0x48, 2);
	put(0x37, 2, 1);
	put(0x38, BLOCKS, 4);
	put(0x3c, FLASH_BLOCK, 4);
	for (unsigned int i = 0; i < 0x48; i += 2)
		sum += (uint32_t)(header[i] | header[i + 1] << 8);
	put(0x32, 0x10000 - (sum & 0xffff), 2);
	memcpy(header + 0x48, store, sizeof(store));
	put(0x58, FLASH_BLOCK - 0x48, 4);
	put(0x5c, 0x5a, 1);
	put(0x5d, 0xfe, 1);
}

static void
good_volume(void)
{
	model_open(&model, FLASH_SIZE);
	for (uint32_t i = 0; i < FLASH_SIZE; i++)
		model.bytes[i] = (uint8_t)(i >> 5 ^ i >> 13);
	good_headers();
}

static void
compare_image(const char *when)
{
	model_same(&model, 0, guest_image(), FLASH_SIZE, when);
	check_that(guest_verify(), "%s: the device is not valid", when);
}

/* --- access to the chip by the test itself --- */

static void
command(EFI_LBA lba, unsigned int value)
{
	guest_store(REGION_BASE + (uint32_t)lba * FLASH_BLOCK, 4, BOTH(value));
}

static uint32_t
lock_bits(EFI_LBA lba)
{
	uint32_t block = REGION_BASE + (uint32_t)lba * FLASH_BLOCK;
	uint32_t bits;

	command(lba, CFI_CMD_READ_ID);
	bits = (uint32_t)guest_load(block + 8, 4);
	command(lba, CFI_CMD_READ_ARRAY);
	return bits;
}

/* --- driver operations and their effect on plain memory --- */

/* Returns true for a write before which the driver reads the old contents. */
static bool
is_small(uint32_t off, uint32_t len)
{
	return len + off % CHUNK <= 2 * CHUNK;
}

static uint32_t
bytes_read_before(uint32_t len)
{
	return (len | (CHUNK - 1)) + 1;
}

static bool
is_asked(uint32_t off, uint32_t len)
{
	return !is_small(off, len) ||
	       off % CHUNK + len <= bytes_read_before(len);
}

static EFI_STATUS
wanted_write(EFI_LBA lba, uint32_t off, uint32_t len)
{
	if (off >= FLASH_BLOCK || len == 0 || len > FLASH_BLOCK - off)
		return EFI_BAD_BUFFER_SIZE;
	/* The driver reads more than it writes: here beyond the device. */
	if (is_small(off, len) &&
	    lba * FLASH_BLOCK + (off & ~(CHUNK - 1)) + bytes_read_before(len) >
		    REGION_SIZE)
		return EFI_DEVICE_ERROR;
	return EFI_SUCCESS;
}

static void
write_at(EFI_LBA lba, uint32_t off, uint32_t len, uint8_t *data)
{
	EFI_STATUS wanted = wanted_write(lba, off, len), got;
	UINTN count = len;

	got = fvb->Write(fvb, lba, off, &count, data);
	hooks_settle();
	check_that(got == wanted,
		   "a write of %#x bytes at %#x of block %lu: wanted %#lx, "
		   "got %#lx",
		   len, off, (unsigned long)lba, (unsigned long)wanted,
		   (unsigned long)got);
	if (wanted == EFI_SUCCESS)
		memcpy(model.bytes + REGION_OFF + lba * FLASH_BLOCK + off, data,
		       len);
}

/* Makes data that only clears bits, or any data. */
static void
choose_data(EFI_LBA lba, uint32_t off, uint32_t len, uint8_t *data)
{
	const uint8_t *old = model.bytes + REGION_OFF + lba * FLASH_BLOCK + off;

	check_random_data(data, len);
	if (check_below(8) && len <= FLASH_BLOCK - off)
		for (uint32_t i = 0; i < len; i++)
			data[i] &= old[i];
}

static void
do_write(uint8_t *data)
{
	EFI_LBA lba = check_below(BLOCKS);
	uint32_t off, len;

	do {
		len = check_below(16) ? check_below(300) :
					check_below(FLASH_BLOCK + 10);
		off = check_below(4) ? check_below(FLASH_BLOCK) :
		      check_below(2) ? FLASH_BLOCK - check_below(400) :
				       check_below(0x400) * CHUNK;
	} while (!is_asked(off, len));
	choose_data(lba, off % FLASH_BLOCK, len, data);
	write_at(lba, off, len, data);
}

static EFI_STATUS
erase(EFI_LBA lba, UINTN count)
{
	EFI_STATUS status = fvb->EraseBlocks(fvb, lba, count,
					     EFI_LBA_LIST_TERMINATOR);

	hooks_settle();
	return status;
}

static void
do_erase(void)
{
	EFI_LBA lba = check_below(BLOCKS);
	UINTN count = check_below(3);
	EFI_STATUS wanted = EFI_SUCCESS, got = erase(lba, count);

	if (count == 0 || lba + count > BLOCKS)
		wanted = EFI_INVALID_PARAMETER;
	check_that(got == wanted,
		   "wrong result of an erase of %lu blocks from %lu: %#lx",
		   (unsigned long)count, (unsigned long)lba,
		   (unsigned long)got);
	if (wanted == EFI_SUCCESS)
		model_fill(&model, REGION_OFF + (uint32_t)lba * FLASH_BLOCK,
			   0xff, (uint32_t)count * FLASH_BLOCK);
}

static void
do_read(uint8_t *data)
{
	EFI_LBA lba = check_below(BLOCKS);
	uint32_t len = check_below(8) ? check_below(300) :
					FLASH_BLOCK - check_below(10);
	uint32_t off = len > FLASH_BLOCK - 16 ? 0 : check_below(FLASH_BLOCK);
	UINTN count = len;
	EFI_STATUS wanted = len && len <= FLASH_BLOCK - off ?
				    EFI_SUCCESS :
				    EFI_BAD_BUFFER_SIZE;

	memset(data, 0x33, len);
	check_that(fvb->Read(fvb, lba, off, &count, data) == wanted,
		   "wrong result of a read of %#x bytes at %#x of block %lu",
		   len, off, (unsigned long)lba);
	if (wanted == EFI_SUCCESS)
		model_same(&model,
			   REGION_OFF + (uint32_t)lba * FLASH_BLOCK + off, data,
			   len, "read");
}

static void
do_queries(void)
{
	EFI_LBA lba = check_below(BLOCKS + 3);
	EFI_FVB_ATTRIBUTES_2 attributes = 0;
	EFI_PHYSICAL_ADDRESS address = 0;
	UINTN size = 0, count = 0;
	EFI_STATUS got = fvb->GetBlockSize(fvb, lba, &size, &count);

	check_that(lba < BLOCKS ? got == EFI_SUCCESS && size == FLASH_BLOCK &&
					  count == BLOCKS - lba :
				  got == EFI_INVALID_PARAMETER,
		   "the size of block %lu", (unsigned long)lba);
	fvb->GetAttributes(fvb, &attributes);
	check_that(attributes == 0xe36, "attributes %#x", attributes);
	fvb->GetPhysicalAddress(fvb, &address);
	check_that(address == REGION_BASE, "address %#lx",
		   (unsigned long)address);
}

/* --- scenarios --- */

static void
run_good(const void *arg)
{
	const struct setting *setting = arg;
	uint32_t locked = setting->personality == CFI_STRICT ? BOTH(1u) : 0;

	good_volume();
	power_on(setting);
	start_driver();
	compare_image("a good volume is left as it is");
	for (EFI_LBA lba = 0; lba < BLOCKS; lba++)
		check_that(lock_bits(lba) == locked,
			   "wrong lock bits of block %lu", (unsigned long)lba);
	guest_power_off();
}

struct damage {
	struct setting setting;
	uint32_t off;
	uint32_t len; /* the bytes of the region to set, and their value */
	uint8_t value;
};

static void
run_damaged(const void *arg)
{
	const struct damage *damage = arg;

	good_volume();
	model_fill(&model, REGION_OFF + damage->off, damage->value,
		   damage->len);
	power_on(&damage->setting);
	start_driver();
	model_fill(&model, REGION_OFF, 0xff, 3 * FLASH_BLOCK);
	good_headers();
	compare_image("a damaged volume is made anew");
	guest_power_off();
}

/* The driver unlocks the block that it writes to, and no other. */
static void
run_locks(const void *arg)
{
	uint8_t data[16] = { 0 };

	good_volume();
	power_on(arg);
	start_driver();
	for (EFI_LBA lba = 0; lba < BLOCKS; lba++)
		check_that(lock_bits(lba) == BOTH(1u),
			   "block %lu is not locked at power-on",
			   (unsigned long)lba);
	write_at(3, 0x1000, sizeof(data), data);
	check_that(erase(1, 1) == EFI_SUCCESS,
		   "the driver cannot erase a locked block");
	model_fill(&model, REGION_OFF + FLASH_BLOCK, 0xff, FLASH_BLOCK);
	for (EFI_LBA lba = 0; lba < BLOCKS; lba++)
		check_that(lock_bits(lba) ==
				   (lba == 1 || lba == 3 ? 0 : BOTH(1u)),
			   "wrong lock bits of block %lu", (unsigned long)lba);
	compare_image("after unlocking");
	guest_power_off();
}

/*
 * A write to a locked-down block fails and changes nothing; other blocks work.
 */
static void
run_locked_down(const void *arg)
{
	static uint8_t data[FLASH_BLOCK];
	UINTN count = 64;

	good_volume();
	power_on(arg);
	start_driver();
	command(2, CFI_CMD_LOCK_SETUP);
	command(2, CFI_CMD_LOCK_DOWN);
	command(2, CFI_CMD_READ_ARRAY);
	check_that(lock_bits(2) == BOTH(3u), "block 2 is not locked down");
	check_that(fvb->Write(fvb, 2, 0x100, &count, data) == EFI_DEVICE_ERROR,
		   "wrong result of a small write to a locked-down block");
	compare_image("a small write");
	check_that(erase(2, 1) == EFI_DEVICE_ERROR,
		   "wrong result of an erase of a locked-down block");
	compare_image("an erase");
	count = FLASH_BLOCK;
	check_that(fvb->Write(fvb, 2, 0, &count, data) == EFI_DEVICE_ERROR,
		   "wrong result of a large write to a locked-down block");
	compare_image("a large write");
	write_at(3, 0, 64, data);
	write_at(3, 0, FLASH_BLOCK, data);
	compare_image("the block beside it");
	guest_power_off();
}

/*
 * With a sync per operation, the failing operation itself is reported. With a
 * sync per burst, the READ ARRAY that ends the burst fails; the driver does not
 * read the status after it, and sees the error at the next operation.
 */
static void
run_failing(const void *arg)
{
	const struct setting *setting = arg;
	static uint8_t data[FLASH_BLOCK];
	EFI_STATUS wanted = setting->sync == STORE_SYNC_OP ? EFI_DEVICE_ERROR :
							     EFI_SUCCESS;
	UINTN count = 64;

	good_volume();
	power_on(setting);
	start_driver();
	write_at(4, 0, 100, data);
	compare_image("before the host failed");
	guest_fail_writes(EIO);
	check_that(fvb->Write(fvb, 4, 0x400, &count, data) == wanted,
		   "wrong result of the first failing write");
	compare_image("the first write");
	for (unsigned int i = 0; i < 3; i++) {
		check_that(erase(5, 1) == EFI_DEVICE_ERROR,
			   "the erase did not fail");
		compare_image("an erase");
		check_that(fvb->Write(fvb, 4, 0x400, &count, data) ==
				   EFI_DEVICE_ERROR,
			   "wrong result of a later write");
		compare_image("a later write");
	}
	check_that(erase(5, 1) == EFI_DEVICE_ERROR, "the erase did not fail");
	count = FLASH_BLOCK;
	check_that(fvb->Write(fvb, 4, 0, &count, data) == EFI_DEVICE_ERROR,
		   "wrong result of a large write");
	compare_image("a large write");
	for (unsigned int i = 0; i < 20; i++)
		do_read(data);
	guest_power_off();
}

/* The driver tries ten million times, and then reports an error. */
static void
run_refused(const void *arg)
{
	uint8_t data[64] = { 0 };
	UINTN count = sizeof(data);

	good_volume();
	power_on(arg);
	start_driver();
	command(2, CFI_CMD_LOCK_SETUP);
	command(2, CFI_CMD_LOCK_DOWN);
	command(2, CFI_CMD_READ_ARRAY);
	check_that(fvb->Write(fvb, 2, 0, &count, data) == EFI_DEVICE_ERROR,
		   "wrong result of a write to a locked-down block");
	check_that(fvb->Write(fvb, 3, 0, &count, data) == EFI_DEVICE_ERROR,
		   "wrong result of a write with error bits set");
	compare_image("a refused write");
	check_that(erase(3, 1) == EFI_SUCCESS, "the erase failed");
	model_fill(&model, REGION_OFF + 3 * FLASH_BLOCK, 0xff, FLASH_BLOCK);
	write_at(3, 0, sizeof(data), data);
	compare_image("after an erase");
	guest_power_off();
}

static void
run_random(const void *arg)
{
	static uint8_t data[FLASH_BLOCK + 16];
	const struct setting *setting = arg;
	unsigned int steps = check_options.longer ? 1200 : 80;

	good_volume();
	power_on(setting);
	start_driver();
	guest_replace_server(setting->interval);
	for (unsigned int i = 1; i <= steps; i++) {
		switch (check_below(16)) {
		case 0: do_erase(); break;
		case 1: do_queries(); break;
		case 2:
		case 3:
		case 4: do_read(data); break;
		default: do_write(data); break;
		}
		if (i % 25 == 0)
			compare_image("the image");
	}
	guest_power_off();
}

int
main(int argc, char **argv)
{
	static const struct setting direct = { WINDOW_DIRECT, CFI_STRICT,
					       STORE_SYNC_BURST, 0 };
	static const struct setting trap = { WINDOW_TRAP, CFI_STRICT,
					     STORE_SYNC_BURST, 0 };
	static const struct setting op = { WINDOW_TRAP, CFI_STRICT,
					   STORE_SYNC_OP, 0 };
	static const struct setting ovmf = { WINDOW_TRAP, CFI_OVMF,
					     STORE_SYNC_BURST, 0 };
	static const struct setting replaced = { WINDOW_TRAP, CFI_STRICT,
						 STORE_SYNC_BURST, 2000 };
	static const struct {
		const char *name;
		struct damage damage;
	} damages[] = {
		{ "all ones", { direct, 0, REGION_SIZE, 0xff } },
		{ "all zeroes", { trap, 0, REGION_SIZE, 0 } },
		{ "a bad checksum", { trap, 0x32, 1, 0x77 } },
		{ "another length", { direct, 0x21, 1, 0x11 } },
		{ "no variable store", { trap, 0x48, 16, 0x11 } },
	};

	check_start("VirtNorFlash", argc, argv);
	check_scenario("a valid volume, strict", run_good, &direct);
	check_scenario("a valid volume, ovmf", run_good, &ovmf);
	for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++)
		check_scenario(damages[i].name, run_damaged,
			       &damages[i].damage);
	check_scenario("locks, direct", run_locks, &direct);
	check_scenario("locks, trap", run_locks, &trap);
	check_scenario("a locked-down block", run_locked_down, &trap);
	check_scenario("the host's writes fail, sync op", run_failing, &op);
	check_scenario("the host's writes fail, sync burst", run_failing,
		       &direct);
	check_scenario("random, direct", run_random, &direct);
	check_scenario("random, trap", run_random, &trap);
	check_scenario("random, sync op", run_random, &op);
	check_scenario("the server is replaced", run_random, &replaced);
	check_scenario("random, ovmf", run_random, &ovmf);
	if (check_options.longer)
		check_scenario("the status is never cleared", run_refused,
			       &trap);
	return check_finish();
}
