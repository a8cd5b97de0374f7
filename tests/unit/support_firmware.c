/* SPDX-License-Identifier: BSD-2-Clause */
#include "support_firmware.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/le.h"
#include "pflash/varstore.h"

#define HEADER 60u
#define WRITE_SIZE 80u /* an FTW write header and one record */

static void
program(struct firmware *f, size_t off, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++) {
		/* A program only clears bits. */
		ck_assert_uint_eq(f->vars->image[off + i] & p[i], p[i]);
		f->vars->image[off + i] = p[i];
		f->written(f->opaque, (uint32_t)(off + i), 1);
	}
	f->committed(f->opaque);
}

static void
clear(struct firmware *f, size_t off, uint8_t mask)
{
	uint8_t byte = f->vars->image[off] & mask;

	program(f, off, &byte, 1);
}

static void
erase(struct firmware *f, size_t off, size_t len)
{
	for (; len; off += FV_BLOCK_SIZE, len -= FV_BLOCK_SIZE) {
		memset(f->vars->image + off, 0xff, FV_BLOCK_SIZE);
		f->written(f->opaque, (uint32_t)off, FV_BLOCK_SIZE);
	}
}

static void
program_blocks(struct firmware *f, size_t off, const uint8_t *from, size_t len)
{
	for (size_t i = 0; i < len; i += FV_BLOCK_SIZE)
		program(f, off + i, from + i, FV_BLOCK_SIZE);
}

static struct varstore
opened(const struct firmware *f)
{
	struct varstore store;

	ck_assert_int_eq(varstore_open(&store, f->vars->image, f->vars->size,
				       NULL),
			 0);
	ck_assert(!store.in_spare);
	return store;
}

/* The end of the chain. */
static size_t
find_tail(const struct firmware *f)
{
	struct varstore store = opened(f);
	struct variable v = { 0 };
	int ret;

	while ((ret = varstore_next(&store, &v)) > 0) {
	}
	ck_assert_int_eq(ret, 0);
	return v.next;
}

/* --- reclaim --- */

static void
copy_live(const struct varstore *store, uint8_t *to)
{
	struct variable v = { 0 };

	while (varstore_next(store, &v) > 0) {
		if (!v.live)
			continue;
		memcpy(to, v.guid - (HEADER - 16), v.next - v.offset);
		to[2] = VARIABLE_ADDED;
		to += v.next - v.offset;
	}
}

/* FtwAllocate() (FaultTolerantWrite.c:70), and the record of FtwWrite(). */
static size_t
begin_write(struct firmware *f)
{
	const struct fv_layout *layout = f->vars->layout;
	size_t at = layout->ftw_work + 32 + f->queue;
	uint8_t write[WRITE_SIZE];

	ck_assert_uint_le(f->queue + WRITE_SIZE, 0xfe0);
	memset(write, 0, sizeof(write));
	write[0] = 0xfe;
	put_le64(write + 24, 1);
	write[40] = 0xff;
	put_le64(write + 56, 72);
	put_le64(write + 64, layout->variable_size - 72);
	put_le64(write + 72, -(uint64_t)layout->ftw_spare);
	program(f, at, write, 40);
	clear(f, at, 0xfc);
	program(f, at + 40, write + 40, 40);
	f->queue += WRITE_SIZE;
	return at;
}

void
firmware_reclaim(struct firmware *f)
{
	const struct fv_layout *layout = f->vars->layout;
	uint32_t size = layout->variable_size;
	uint32_t spare = layout->size - layout->ftw_spare;
	uint8_t *old = malloc(spare), *new = malloc(size);
	struct varstore store = opened(f);
	size_t at;

	ck_assert(old != NULL && new != NULL);
	memcpy(old, f->vars->image + layout->ftw_spare, spare);
	memcpy(new, f->vars->image, store.start);
	memset(new + store.start, 0xff, size - store.start);
	copy_live(&store, new + store.start);
	at = begin_write(f);
	erase(f, layout->ftw_spare, spare);
	program_blocks(f, layout->ftw_spare, new, size);
	clear(f, at + 40, 0xfd);
	erase(f, 0, size);
	program_blocks(f, 0, new, size);
	clear(f, at + 40, 0xf9);
	clear(f, at, 0xf8);
	erase(f, layout->ftw_spare, spare);
	program_blocks(f, layout->ftw_spare, old, spare);
	f->reclaims++;
	free(old);
	free(new);
}

/* --- variables --- */

/* The name as UTF-16, with its NUL. */
static uint32_t
widen(const char *name, uint8_t *wide)
{
	uint32_t size = 0;

	do {
		wide[size++] = (uint8_t)*name;
		wide[size++] = 0;
	} while (*name++);
	return size;
}

static void
append(struct firmware *f, size_t at, const uint8_t *vendor,
       const uint8_t *name, uint32_t name_size, const void *data, uint32_t size)
{
	uint8_t *all = calloc(1, HEADER + name_size + size);

	ck_assert_ptr_nonnull(all);
	put_le16(all, 0x55aa);
	all[2] = 0xff;
	put_le32(all + 4, 7);
	put_le32(all + 36, name_size);
	put_le32(all + 40, size);
	memcpy(all + 44, vendor, 16);
	memcpy(all + HEADER, name, name_size);
	memcpy(all + HEADER + name_size, data, size);
	program(f, at, all, HEADER);
	clear(f, at + 2, VARIABLE_HEADER_VALID);
	program(f, at + HEADER, all + HEADER, name_size + size);
	clear(f, at + 2, VARIABLE_ADDED);
	free(all);
}

bool
firmware_set(struct firmware *f, const uint8_t *vendor, const char *name,
	     const void *data, uint32_t size)
{
	struct varstore store = opened(f);
	uint8_t wide[256];
	uint32_t name_size = widen(name, wide);
	size_t need = (HEADER + name_size + size + 3) & ~(size_t)3;
	struct variable old;
	bool exists = varstore_find(&store, vendor, wide, name_size, &old) == 0;

	if (exists ? old.data_size == size && !memcmp(old.data, data, size) :
		     !size)
		return false;
	if (!size) {
		clear(f, old.offset + 2, VARIABLE_DELETED);
		return true;
	}
	if (store.end - find_tail(f) < need) {
		firmware_reclaim(f);
		exists = varstore_find(&store, vendor, wide, name_size, &old) ==
			 0;
		ck_assert_uint_ge(store.end - find_tail(f), need);
	}
	if (exists)
		clear(f, old.offset + 2, VARIABLE_IN_TRANSITION);
	append(f, find_tail(f), vendor, wide, name_size, data, size);
	if (exists)
		clear(f, old.offset + 2, VARIABLE_SUPERSEDED);
	return true;
}
