/* SPDX-License-Identifier: BSD-2-Clause */
#include "support_ovmf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/fv.h"
#include "pflash/le.h"

#define ENTRY 0x30u /* before the end: XenResetVector's entry */

static const uint8_t guid_ffs2[16] = { 0x78, 0xe5, 0x8c, 0x8c, 0x3d, 0x8a,
				       0x1c, 0x4f, 0x99, 0x35, 0x89, 0x61,
				       0x85, 0xc3, 0x2d, 0xd3 };

void
ovmf_put_volume(uint8_t *p, uint32_t len)
{
	uint16_t sum = 0;

	memset(p, 0, 72);
	memcpy(p + 16, guid_ffs2, 16);
	put_le64(p + 32, len);
	memcpy(p + 40, "_FVH", 4);
	put_le16(p + 48, 72);
	p[55] = 2;
	for (int i = 0; i < 72; i += 2)
		sum = (uint16_t)(sum + get_le16(p + i));
	put_le16(p + 50, (uint16_t)-sum);
}

/* XenElfHeader.fdf.inc */
void
ovmf_put_elf(uint8_t *p, uint32_t size)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 1, 1, 1, 3 };

	memset(p, 0, 0x88);
	memcpy(p, ident, sizeof(ident));
	put_le32(p + 16, 0x30002);
	put_le32(p + 24, OVMF_LOAD + size - ENTRY);
	put_le32(p + 28, 0x34);
	put_le32(p + 40, 0x200034);
	put_le32(p + 44, 2);
	put_le32(p + 0x34, 1);
	put_le32(p + 0x3c, OVMF_LOAD);
	put_le32(p + 0x40, OVMF_LOAD);
	put_le32(p + 0x44, size);
	put_le32(p + 0x48, size);
	put_le32(p + 0x54, 4);
	put_le32(p + 0x58, 0x74);
	put_le32(p + 0x64, 0x14);
	put_le32(p + 0x74, 4);
	put_le32(p + 0x78, 4);
	put_le32(p + 0x7c, 18);
	memcpy(p + 0x80, "Xen", 4);
	put_le32(p + 0x84, OVMF_LOAD + size - ENTRY);
}

size_t
ovmf_main(const struct ovmf_shape *shape)
{
	bool whole = shape->size % MIB == 0;

	return whole ? fv_layout_by_name(shape->layout)->size : 0;
}

uint8_t *
ovmf_make(const struct ovmf_shape *shape)
{
	const struct fv_layout *layout = fv_layout_by_name(shape->layout);
	uint8_t *image = malloc(shape->size);
	size_t start = ovmf_main(shape);

	ck_assert_ptr_nonnull(image);
	memset(image, 0xff, shape->size);
	if (start)
		fv_format(layout, image);
	if (shape->elf) {
		memset(image, 0xff, layout->variable_size);
		ovmf_put_elf(image, shape->elf_size);
	}
	ovmf_put_volume(image + start,
			(uint32_t)(shape->size - shape->sec_size - start));
	ovmf_put_volume(image + shape->size - shape->sec_size,
			(uint32_t)shape->sec_size);
	return image;
}
