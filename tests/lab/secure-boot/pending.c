/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pending FLASH WANTED OUT: OUT is FLASH with a pending fault-tolerant write of
 * the variable store of WANTED: at its next start, edk2 copies it from the
 * spare area to its place. A kernel that attacks its flash can write this.
 *
 * The three files are images of OVMF's layouts. EFI_FAULT_TOLERANT_WRITE_HEADER
 * and EFI_FAULT_TOLERANT_WRITE_RECORD: SystemNvDataGuid.h:70-98 of edk2. A flag
 * is set when its bit is 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/fv.h"
#include "pflash/le.h"

#define QUEUE 32u         /* behind the header of the working block */
#define WRITE 40u         /* the size of a write's header, and of a record */
#define ALLOCATED 0xfcu   /* a header whose record is complete */
#define SPARE_DONE 0xfdu  /* a record: the spare area is complete */
#define VOLUME_HEADER 72u /* of OVMF: the variable store begins behind it */

static _Noreturn void
fail(const char *file, const char *why)
{
	fprintf(stderr, "pending: %s: %s\n", file, why);
	exit(1);
}

static const struct fv_layout *
read_image(const char *name, uint8_t *image)
{
	const struct fv_layout *layout;
	FILE *f = fopen(name, "rb");
	size_t size;

	if (!f)
		fail(name, "cannot be read");
	size = fread(image, 1, FV_MAX_SIZE, f);
	fclose(f);
	layout = fv_layout_by_size(size);
	if (!layout)
		fail(name, "has no layout of OVMF");
	return layout;
}

static void
write_image(const char *name, const uint8_t *image, size_t size)
{
	FILE *f = fopen(name, "wb");

	if (!f || fwrite(image, 1, size, f) != size || fclose(f))
		fail(name, "cannot be written");
}

/* The queue's only write. */
static void
begin(const struct fv_layout *layout, uint8_t *image)
{
	uint8_t *write = image + layout->ftw_work + QUEUE;
	uint8_t *record = write + WRITE;

	memset(write, 0xff, layout->ftw_spare - layout->ftw_work - QUEUE);
	memset(write, 0, 2 * WRITE);
	write[0] = ALLOCATED;
	put_le64(write + 24, 1);
	record[0] = SPARE_DONE;
	put_le64(record + 16, VOLUME_HEADER);
	put_le64(record + 24, layout->variable_size - VOLUME_HEADER);
	put_le64(record + 32, -(uint64_t)layout->ftw_spare);
}

int
main(int argc, char **argv)
{
	static uint8_t flash[FV_MAX_SIZE], wanted[FV_MAX_SIZE];
	const struct fv_layout *layout;

	if (argc != 4)
		fail("usage", "pending FLASH WANTED OUT");
	layout = read_image(argv[1], flash);
	if (read_image(argv[2], wanted) != layout)
		fail(argv[2], "has another layout");
	memset(flash + layout->ftw_spare, 0xff,
	       layout->size - layout->ftw_spare);
	memcpy(flash + layout->ftw_spare, wanted, layout->variable_size);
	begin(layout, flash);
	write_image(argv[3], flash, layout->size);
	return 0;
}
