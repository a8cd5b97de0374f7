/* SPDX-License-Identifier: BSD-2-Clause */
#include "support_vars.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/le.h"

#define FIRST 0x64u
#define QUEUE 0x20u

const uint8_t vendor_global[16] = { 0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93,
				    0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0,
				    0x98, 0x03, 0x2b, 0x8c };
const uint8_t vendor_other[16] = { 1, 2,  3,  4,  5,  6,  7,  8,
				   9, 10, 11, 12, 13, 14, 15, 16 };

static const uint8_t plain_guid[16] = { 0x16, 0x36, 0xcf, 0xdd, 0x75, 0x32,
					0x64, 0x41, 0x98, 0xb6, 0xfe, 0x85,
					0x70, 0x7f, 0xfe, 0x7d };

struct vars
vars_make(const char *layout)
{
	struct vars vars = { .layout = fv_layout_by_name(layout), .at = FIRST };

	ck_assert_ptr_nonnull(vars.layout);
	vars.size = vars.layout->size;
	vars.image = malloc(vars.size);
	ck_assert_ptr_nonnull(vars.image);
	fv_format(vars.layout, vars.image);
	return vars;
}

/* The FTW working block follows the store and takes one block. */
struct vars
vars_make_other(uint32_t blocks, uint32_t store)
{
	struct vars vars = { .size = blocks * FV_BLOCK_SIZE, .at = FIRST };
	struct vars model = vars_make("2m");

	vars.image = malloc(vars.size);
	ck_assert_ptr_nonnull(vars.image);
	memset(vars.image, 0xff, vars.size);
	memcpy(vars.image, model.image, FIRST);
	memcpy(vars.image + store, model.image + model.layout->ftw_work, 32);
	put_le64(vars.image + 32, vars.size);
	put_le32(vars.image + 56, blocks);
	put_le32(vars.image + 72 + 16, store - 72);
	vars_fix_sum(&vars, 0);
	vars_free(&model);
	return vars;
}

struct vars
vars_copy(const struct vars *vars)
{
	struct vars copy = *vars;

	copy.image = malloc(vars->size);
	ck_assert_ptr_nonnull(copy.image);
	memcpy(copy.image, vars->image, vars->size);
	return copy;
}

void
vars_free(struct vars *vars)
{
	free(vars->image);
	vars->image = NULL;
}

void
vars_make_plain(struct vars *vars)
{
	memcpy(vars->image + 72, plain_guid, 16);
	vars->plain = true;
}

size_t
vars_add_raw(struct vars *vars, uint8_t state, const uint8_t *vendor,
	     const void *name, uint32_t name_size, const void *data,
	     uint32_t data_size)
{
	size_t off = vars->at;
	uint8_t *p = vars->image + off;
	size_t header = vars->plain ? 32 : 60;

	ck_assert_uint_le(off + header + name_size + data_size, vars->size);
	memset(p, 0, header);
	put_le16(p, 0x55aa);
	p[2] = state;
	put_le32(p + 4, 7);
	put_le32(p + header - 24, name_size);
	put_le32(p + header - 20, data_size);
	memcpy(p + header - 16, vendor, 16);
	if (name_size)
		memcpy(p + header, name, name_size);
	memcpy(p + header + name_size, data, data_size);
	vars->at = (off + header + name_size + data_size + 3) & ~(size_t)3;
	return off;
}

size_t
vars_add(struct vars *vars, uint8_t state, const uint8_t *vendor,
	 const char *name, const char *data)
{
	uint8_t wide[256];
	uint32_t size = 0;

	ck_assert_uint_lt(strlen(name), sizeof(wide) / 2);
	do {
		wide[size++] = (uint8_t)*name;
		wide[size++] = 0;
	} while (*name++);
	return vars_add_raw(vars, state, vendor, wide, size, data,
			    (uint32_t)strlen(data));
}

void
vars_fix_sum(struct vars *vars, size_t off)
{
	uint8_t *p = vars->image + off;
	uint16_t sum = 0;

	put_le16(p + 50, 0);
	for (int i = 0; i < get_le16(p + 48); i += 2)
		sum = (uint16_t)(sum + get_le16(p + i));
	put_le16(p + 50, (uint16_t)-sum);
}

static uint8_t *
queue(struct vars *vars, size_t off)
{
	return vars->image + vars->layout->ftw_work + QUEUE + off;
}

size_t
vars_ftw_write(struct vars *vars, size_t off, uint8_t flags, uint64_t count,
	       uint64_t private)
{
	uint8_t *p = queue(vars, off);

	memset(p, 0, 40);
	p[0] = flags;
	put_le64(p + 24, count);
	put_le64(p + 32, private);
	return off + 40 + count * (40 + private);
}

void
vars_ftw_record(struct vars *vars, size_t off, uint8_t flags, uint64_t lba)
{
	const struct fv_layout *layout = vars->layout;
	uint8_t *p = queue(vars, off);

	memset(p, 0, 40);
	p[0] = flags;
	put_le64(p + 8, lba);
	put_le64(p + 16, 72);
	put_le64(p + 24, layout->variable_size - 72);
	put_le64(p + 32, lba * FV_BLOCK_SIZE - layout->ftw_spare);
}

void
vars_fill_spare(struct vars *vars)
{
	memcpy(vars->image + vars->layout->ftw_spare, vars->image,
	       vars->layout->variable_size);
}
