/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks for drivers in a firmware's main volume.  OVMF's main volume has one
 * file, of the volumes of PEI and DXE, which are compressed together.
 */
#include <stdlib.h>
#include <string.h>

#include "guid.h"
#include "header.h"
#include "lzma.h"
#include "volume.h"

#include "pflash/firmware.h"
#include "pflash/le.h"

/* EFI_FFS_FILE_HEADER and EFI_FFS_FILE_HEADER2 (PI vol. 3, 3.2.3.1). */
enum {
	FFS_TYPE = 18,
	FFS_ATTRIBUTES = 19,
	FFS_SIZE = 20,
	FFS_HEADER = 24,
	FFS_LONG_SIZE = 24,
	FFS_LONG_HEADER = 32,
	FFS_LARGE = 0x01,   /* an attribute: the longer header */
	FFS_VOLUMES = 0x0b, /* a type: EFI_FV_FILETYPE_FIRMWARE_VOLUME_IMAGE */
};

/* EFI_GUID_DEFINED_SECTION (PI vol. 3, 3.2.5.7). */
enum {
	SECTION_TYPE = 3,
	SECTION_GUID = 4,
	SECTION_DATA_OFFSET = 20,
	SECTION_HEADER = 24,
	SECTION_GUIDED = 0x02,
};

/* EE4E5898-3914-4259-9D6E-DC7BD79403CF, gLzmaCustomDecompressGuid */
static const uint8_t guid_lzma[GUID_SIZE] = { 0x98, 0x58, 0x4e, 0xee,
					      0x14, 0x39, 0x59, 0x42,
					      0x9d, 0x6e, 0xdc, 0x7b,
					      0xd7, 0x94, 0x03, 0xcf };

/* F112A6EE-993A-4F0B-8295-E52029D9B4BA, OvmfPkg/XenPlatformPei */
static const uint8_t guid_xen[GUID_SIZE] = { 0xee, 0xa6, 0x12, 0xf1, 0x3a, 0x99,
					     0x0b, 0x4f, 0x82, 0x95, 0xe5, 0x20,
					     0x29, 0xd9, 0xb4, 0xba };

/*
 * 733CBAC2-B23F-4B92-BC8E-FB01CE5907B7, FvbServicesRuntimeDxe of OvmfPkg/
 * QemuFlashFvbServicesRuntimeDxe
 */
static const uint8_t guid_flash[GUID_SIZE] = { 0xc2, 0xba, 0x3c, 0x73,
					       0x3f, 0xb2, 0x92, 0x4b,
					       0xbc, 0x8e, 0xfb, 0x01,
					       0xce, 0x59, 0x07, 0xb7 };

/* F0E6A44F-7195-41C3-AC64-54F202CD0A21, SecureBootConfigDxe of SecurityPkg */
static const uint8_t guid_secure_boot[GUID_SIZE] = { 0x4f, 0xa4, 0xe6, 0xf0,
						     0x95, 0x71, 0xc3, 0x41,
						     0xac, 0x64, 0x54, 0xf2,
						     0x02, 0xcd, 0x0a, 0x21 };

struct file {
	const uint8_t *header, *contents;
	size_t size; /* of the contents */
};

static uint32_t
get_le24(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

/* The offset of the first file of a volume of `length` bytes. */
static size_t
first_file(const uint8_t *volume, size_t length)
{
	size_t off = get_le16(volume + FVH_HEADER_LENGTH);
	size_t ext = get_le16(volume + FVH_EXT_HEADER_OFFSET);

	/* EFI_FIRMWARE_VOLUME_EXT_HEADER: a GUID and its own size. */
	if (ext && ext <= length && length - ext >= GUID_SIZE + 4)
		off = ext + get_le32(volume + ext + GUID_SIZE);
	return off;
}

/* Reads the file at *off and moves *off to the next one; false: no more. */
static bool
next_file(const uint8_t *volume, size_t length, size_t *off, struct file *file)
{
	const uint8_t *p;
	uint64_t size;
	size_t at = (*off + FV_ALIGNMENT - 1) & ~(size_t)(FV_ALIGNMENT - 1);
	size_t header = FFS_HEADER;

	if (at < *off || at > length || length - at < FFS_LONG_HEADER)
		return false;
	p = volume + at;
	size = get_le24(p + FFS_SIZE);
	if (p[FFS_ATTRIBUTES] & FFS_LARGE) {
		size = get_le64(p + FFS_LONG_SIZE);
		header = FFS_LONG_HEADER;
	}
	if (size < header || size > length - at)
		return false;
	*file = (struct file){ p, p + header, (size_t)size - header };
	*off = at + (size_t)size;
	return true;
}

static void
look_at_files(const uint8_t *volume, size_t length, struct firmware *f)
{
	size_t off = first_file(volume, length);
	struct file file;

	while (next_file(volume, length, &off, &file)) {
		if (!memcmp(file.header, guid_xen, GUID_SIZE))
			f->xen = FIRMWARE_YES;
		if (!memcmp(file.header, guid_flash, GUID_SIZE))
			f->flash = FIRMWARE_YES;
		if (!memcmp(file.header, guid_secure_boot, GUID_SIZE))
			f->secure_boot = FIRMWARE_YES;
	}
}

/* Looks at all volumes in the decompressed contents; returns their number. */
static unsigned int
look_at_volumes(const uint8_t *contents, size_t size, struct firmware *f)
{
	unsigned int count = 0;
	size_t length;

	for (size_t off = 0; off < size; off += length) {
		length = volume_length(contents + off, size - off);
		if (length) {
			look_at_files(contents + off, length, f);
			count++;
		} else {
			/* Sections are aligned to 4 bytes. */
			length = 4;
		}
	}
	return count;
}

/* The answers become "no", unless a driver is found. */
static void
look_at_contents(const uint8_t *contents, size_t size, struct firmware *f)
{
	struct firmware found = *f;

	found.xen = found.flash = found.secure_boot = FIRMWARE_NO;
	if (look_at_volumes(contents, size, &found) > 0)
		*f = found;
}

/* A section of LZMA; its contents replace the unknown answers. */
static void
look_at_section(const struct file *file, struct firmware *f)
{
	const uint8_t *p = file->contents;
	size_t size, data;
	uint64_t inside;
	uint8_t *out;

	if (file->size < SECTION_HEADER || p[SECTION_TYPE] != SECTION_GUIDED ||
	    memcmp(p + SECTION_GUID, guid_lzma, GUID_SIZE) != 0)
		return;
	size = get_le24(p);
	data = get_le16(p + SECTION_DATA_OFFSET);
	if (size > file->size || data > size)
		return;
	inside = lzma_size(p + data, size - data);
	if (inside == 0 || inside > FIRMWARE_MOST_INSIDE)
		return;
	out = malloc((size_t)inside);
	if (out && lzma_decode(p + data, size - data, out, (size_t)inside) == 0)
		look_at_contents(out, (size_t)inside, f);
	free(out);
}

void
firmware_look_inside(const uint8_t *image, struct firmware *f)
{
	const uint8_t *volume = image + f->main;
	struct file file;
	size_t off;

	if (!f->main_size)
		return;
	off = first_file(volume, f->main_size);
	while (next_file(volume, f->main_size, &off, &file))
		if (file.header[FFS_TYPE] == FFS_VOLUMES)
			look_at_section(&file, f);
}
