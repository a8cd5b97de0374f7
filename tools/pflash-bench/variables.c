/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses of edk2's drivers for variables, made for an image: SetVariable(),
 * and a reclaim of the variable store.  Sources, edk2 2022.11:
 * QemuFlashWrite() and QemuFlashEraseBlock() in
 * OvmfPkg/QemuFlashFvbServicesRuntimeDxe/QemuFlash.c; UpdateVariable() in
 * MdeModulePkg/Universal/Variable/RuntimeDxe/Variable.c; FtwWrite() and
 * FtwWriteRecord() in MdeModulePkg/Universal/FaultTolerantWriteDxe.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "pflash/cfi.h"
#include "pflash/fv.h"
#include "pflash/le.h"
#include "pflash/varstore.h"

#define NAME_SIZE 14u   /* "Bench1" in UTF-16 with its NUL */
#define HEADER_SIZE 60u /* AUTHENTICATED_VARIABLE_HEADER */
#define VARIABLE_START 0x55aau

/* --- the driver of the flash ---------------------------------------------- */

/* QemuFlashWrite(): programs each byte, and then shows the array. */
static int
put(struct trace *trace, uint8_t *image, uint32_t off, const void *bytes,
    uint32_t len)
{
	int ret = 0;

	memcpy(image + off, bytes, len);
	for (uint32_t i = 0; ret == 0 && i < len; i++) {
		ret = trace_add(trace, (struct access){ true, 1, off + i,
							CFI_CMD_PROGRAM_ALT });
		if (ret == 0)
			ret = trace_add(trace,
					(struct access){ true, 1, off + i,
							 image[off + i] });
	}
	if (ret == 0)
		ret = trace_add(trace, (struct access){ true, 1, off + len - 1,
							CFI_CMD_READ_ARRAY });
	return ret;
}

static int
put_byte(struct trace *trace, uint8_t *image, uint32_t off, uint8_t byte)
{
	return put(trace, image, off, &byte, 1);
}

/* FtwEraseBlock(), of consecutive blocks. */
static int
erase(struct trace *trace, uint8_t *image, uint32_t off, uint32_t len)
{
	int ret = 0;

	memset(image + off, 0xff, len);
	for (uint32_t i = 0; ret == 0 && i < len; i += FV_BLOCK_SIZE) {
		ret = trace_add(trace, (struct access){ true, 1, off + i,
							CFI_CMD_ERASE });
		if (ret == 0)
			ret = trace_add(trace,
					(struct access){ true, 1, off + i,
							 CFI_CMD_CONFIRM });
	}
	return ret;
}

/* Erases blocks and writes them. */
static int
rewrite(struct trace *trace, uint8_t *image, uint32_t off, uint32_t erased,
	const uint8_t *bytes, uint32_t len)
{
	int ret = erase(trace, image, off, erased);

	for (uint32_t i = 0; ret == 0 && i < len; i += FV_BLOCK_SIZE)
		ret = put(trace, image, off + i, bytes + i, FV_BLOCK_SIZE);
	return ret;
}

/* --- SetVariable() -------------------------------------------------------- */

struct place {
	uint32_t free; /* offset for the next variable */
	uint32_t old;  /* offset of the live variable of this name, or 0 */
	uint32_t end;  /* of the store */
};

static void
make_name(uint8_t name[NAME_SIZE], unsigned int number)
{
	static const char text[] = "Bench";

	memset(name, 0, NAME_SIZE);
	for (unsigned int i = 0; i < sizeof(text) - 1; i++)
		name[i * 2] = (uint8_t)text[i];
	name[NAME_SIZE - 4] = (uint8_t)('0' + number % 10);
}

static int
find_place(struct place *place, const uint8_t *image, uint32_t size,
	   const uint8_t *guid, const uint8_t *name)
{
	struct variable variable = { 0 };
	struct varstore store;
	struct error err;
	int ret = varstore_open(&store, image, size, &err);

	*place = (struct place){ 0 };
	if (ret < 0)
		return ret;
	if (varstore_find(&store, guid, name, NAME_SIZE, &variable) == 0)
		place->old = (uint32_t)variable.offset;
	variable = (struct variable){ 0 };
	while ((ret = varstore_next(&store, &variable)) > 0)
		continue;
	place->free = (uint32_t)variable.next;
	place->end = (uint32_t)store.end;
	return ret;
}

/* The header as UpdateVariable() writes it first: state 0xff. */
static void
make_header(uint8_t header[HEADER_SIZE], const uint8_t *guid, uint32_t name,
	    uint32_t data)
{
	memset(header, 0, HEADER_SIZE);
	put_le16(header, VARIABLE_START);
	header[2] = VARIABLE_UNWRITTEN;
	put_le32(header + 4, VARIABLE_NON_VOLATILE | VARIABLE_BOOT_ACCESS |
				     VARIABLE_RUNTIME_ACCESS);
	put_le32(header + 36, name);
	put_le32(header + 40, data);
	memcpy(header + 44, guid, GUID_SIZE);
}

/* Bursts as in UpdateVariable(): header, state, name and data, state. */
static int
put_variable(struct trace *trace, uint8_t *image, uint32_t off,
	     const uint8_t *guid, const uint8_t *name)
{
	static uint8_t value;
	uint8_t header[HEADER_SIZE], body[NAME_SIZE + SETVARIABLE_DATA];
	int ret;

	make_header(header, guid, NAME_SIZE, SETVARIABLE_DATA);
	memcpy(body, name, NAME_SIZE);
	memset(body + NAME_SIZE, ++value, SETVARIABLE_DATA);
	ret = put(trace, image, off, header, HEADER_SIZE);
	if (ret == 0)
		ret = put_byte(trace, image, off + 2, VARIABLE_HEADER_VALID);
	if (ret == 0)
		ret = put(trace, image, off + HEADER_SIZE, body, sizeof(body));
	if (ret == 0)
		ret = put_byte(trace, image, off + 2, VARIABLE_ADDED);
	return ret;
}

static const uint8_t guid[GUID_SIZE] = { 0x70, 0x66, 0x6c, 0x61, 0x73, 0x68 };

/* The name is one character from U+4000 on. */
void
variable_make_small(uint8_t bytes[SMALL_VARIABLE], unsigned int number)
{
	memset(bytes, 0xff, SMALL_VARIABLE);
	make_header(bytes, guid, 4, 1);
	bytes[2] = VARIABLE_ADDED;
	put_le16(bytes + HEADER_SIZE, (uint16_t)(0x4000 + number));
	put_le16(bytes + HEADER_SIZE + 2, 0);
}

int
trace_set_variable(struct trace *trace, uint8_t *image, uint32_t size,
		   unsigned int number)
{
	uint8_t name[NAME_SIZE];
	struct place place;
	int ret;

	make_name(name, number);
	ret = find_place(&place, image, size, guid, name);
	if (ret < 0)
		return ret;
	if (place.end - place.free < HEADER_SIZE + NAME_SIZE + SETVARIABLE_DATA)
		return -ENOSPC;
	if (place.old)
		ret = put_byte(trace, image, place.old + 2,
			       VARIABLE_IN_TRANSITION);
	if (ret == 0)
		ret = put_variable(trace, image, place.free, guid, name);
	if (ret == 0 && place.old)
		ret = put_byte(trace, image, place.old + 2,
			       VARIABLE_SUPERSEDED);
	return ret;
}

/* --- a reclaim ------------------------------------------------------------ */

#define FTW_HEADER 32u /* of the working block */
#define FTW_WRITE 40u  /* EFI_FAULT_TOLERANT_WRITE_HEADER, ..._RECORD */

/* FtwAllocate() and the record of FtwWrite(); `off` is that of the header. */
static int
put_record(struct trace *trace, uint8_t *image, const struct fv_layout *layout,
	   uint32_t off)
{
	uint8_t header[FTW_WRITE] = { 0xfe }, record[FTW_WRITE] = { 0xff };
	int ret;

	header[24] = 1; /* writes */
	put_le64(record + 16, 0x48);
	put_le64(record + 24, layout->variable_size - 0x48);
	put_le64(record + 32, -(uint64_t)layout->ftw_spare);
	ret = put(trace, image, off, header, FTW_WRITE);
	if (ret == 0)
		ret = put_byte(trace, image, off, 0xfc);
	if (ret == 0)
		ret = put(trace, image, off + FTW_WRITE, record, FTW_WRITE);
	return ret;
}

/* FtwWrite(): the spare area, the store, and the earlier spare area again. */
static int
put_store(struct trace *trace, uint8_t *image, const struct fv_layout *layout,
	  const uint8_t *after)
{
	const uint32_t off = layout->ftw_work + FTW_HEADER;
	const uint32_t length = layout->variable_size;
	const uint32_t spare = layout->size - layout->ftw_spare;
	uint8_t *earlier = malloc(spare);
	int ret = earlier ? put_record(trace, image, layout, off) : -ENOMEM;

	if (ret == 0) {
		memcpy(earlier, image + layout->ftw_spare, spare);
		ret = rewrite(trace, image, layout->ftw_spare, spare, after,
			      length);
	}
	if (ret == 0)
		ret = put_byte(trace, image, off + FTW_WRITE, 0xfd);
	if (ret == 0)
		ret = rewrite(trace, image, 0, length, after, length);
	if (ret == 0)
		ret = put_byte(trace, image, off + FTW_WRITE, 0xf9);
	if (ret == 0)
		ret = put_byte(trace, image, off, 0xf8);
	if (ret == 0)
		ret = rewrite(trace, image, layout->ftw_spare, spare, earlier,
			      spare);
	free(earlier);
	return ret;
}

int
trace_reclaim(struct trace *trace, uint8_t *image, uint32_t size,
	      struct error *err)
{
	const struct fv_layout *layout = fv_layout_by_size(size);
	uint8_t *after = malloc(size);
	int ret = -ENOMEM;

	if (!layout)
		ret = error_set(err, EINVAL,
				"OVMF has no flash of %u bytes (see --size)",
				size);
	else if (after)
		ret = fv_compact(image, size, after, err);
	if (layout && ret >= 0) {
		ret = put_store(trace, image, layout, after);
		if (ret < 0)
			error_errno(err, -ret, "a reclaim");
	}
	free(after);
	return ret;
}
