/* SPDX-License-Identifier: BSD-2-Clause */
#include "support_chip.h"

#include <check.h>
#include <string.h>

bool one_partition;
struct owner owner;
struct cfi chip;

static int
owner_program(void *opaque, uint32_t off, const uint8_t *bytes, uint32_t len)
{
	struct owner *o = opaque;

	o->programs++;
	o->busy = (uint8_t)cfi_read(&chip, 0, 1);
	ck_assert_uint_le(off + len, SIZE);
	if (o->fail_program)
		return o->fail_program;
	memcpy(o->array + off, bytes, len);
	return 0;
}

static int
owner_erase(void *opaque, uint32_t off, uint32_t len)
{
	struct owner *o = opaque;

	o->erases++;
	o->busy = (uint8_t)cfi_read(&chip, 0, 1);
	o->erased = len;
	ck_assert_uint_eq(off % len, 0);
	ck_assert_uint_le(off + len, SIZE);
	if (o->fail_erase)
		return o->fail_erase;
	memset(o->array + off, 0xff, len);
	return 0;
}

static int
owner_commit(void *opaque)
{
	struct owner *o = opaque;

	o->commits++;
	return o->fail_commit;
}

static int
owner_protect(void *opaque, const uint8_t *registers, uint32_t len)
{
	struct owner *o = opaque;

	o->protects++;
	o->busy = (uint8_t)cfi_read(&chip, 0, 1);
	ck_assert_uint_eq(len,
			  chip.config.geometry.interleave * CFI_PROTECT_SIZE);
	ck_assert_ptr_eq(registers, chip.protect);
	return o->fail_protect;
}

static const struct cfi_ops ops = {
	.program = owner_program,
	.erase = owner_erase,
	.commit = owner_commit,
	.protect = owner_protect,
};

struct geometry
plain_geometry(unsigned int width, unsigned int interleave)
{
	return (struct geometry){
		.size = SIZE,
		.width = (uint8_t)width,
		.interleave = (uint8_t)interleave,
		.region_count = 1,
		.regions = { { BLOCK, SIZE / BLOCK } },
	};
}

void
power_on_bank(enum cfi_personality personality, const struct geometry *geometry)
{
	const struct cfi_config config = {
		.array = owner.array,
		.geometry = *geometry,
		.personality = personality,
		.ops = &ops,
		.owner = &owner,
	};

	memset(&owner, 0, sizeof(owner));
	memset(owner.array, 0xff, SIZE);
	ck_assert_int_eq(cfi_init(&chip, &config), 0);
	if (one_partition) {
		chip.partition_shift = 31;
		chip.partitions = 1;
	}
	cfi_render(&chip, 0, owner.view, SIZE);
}

void
power_on(enum cfi_personality personality)
{
	struct geometry geometry = plain_geometry(1, 1);

	power_on_bank(personality, &geometry);
}

void
write_chip(uint64_t off, unsigned int size, uint64_t value)
{
	show(cfi_write(&chip, off, size, value));
	ck_assert(cfi_verify(&chip));
}

void
show(bool changed)
{
	uint8_t view[SIZE];

	cfi_render(&chip, 0, view, SIZE);
	if (changed) {
		owner.shows++;
		memcpy(owner.view, view, SIZE);
	} else {
		ck_assert_mem_eq(owner.view, view, SIZE);
	}
}

void
w(uint64_t off, uint32_t value)
{
	write_chip(off, chip.config.geometry.width, value);
}

void
w_all(uint64_t off, const uint32_t *values, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		w(off, values[i]);
}

uint32_t
r(uint64_t off)
{
	return (uint32_t)cfi_read(&chip, off, chip.config.geometry.width);
}
