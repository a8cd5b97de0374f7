/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer target: pinned variables against a hostile guest.  The first byte
 * of the input says from which store it starts; each following byte begins a
 * step, programs and erases of the guest, or the end of a burst, which is
 * judged as the store does it.
 *
 * Beside memory errors it aborts if the firmware would find another value of a
 * pinned variable than that of the host in an image that was allowed:
 * - at the next boot, after the pending fault-tolerant write;
 * - at the boot after that, when the driver has reclaimed the store.
 * The firmware's search, its reclaim and its writes are a model of their own
 * here, from edk2 2022.11 (VariableParsing.c, Variable.c:Reclaim(),
 * FaultTolerantWrite.c), and no code of src/fv.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"

#include "pflash/effective.h"
#include "pflash/fv.h"
#include "pflash/le.h"
#include "pflash/pins.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE 0x20000u
#define STORE_END 0xe000u
#define WORK 0xf000u
#define SPARE 0x10000u
#define FIRST 0x64u
#define HEADER 60u
#define PLACES 0x400u /* bytes of the store that most writes concern */
#define MOST 1200u    /* variables in a store, with their headers at least */

static const uint8_t global[16] = "\x61\xdf\xe4\x8b\xca\x93\xd2\x11"
				  "\xaa\x0d\x00\xe0\x98\x03\x2b\x8c";
static const uint8_t database[16] = "\xcb\xb2\x19\xd7\x3a\x3d\x96\x45"
				    "\xa3\xbc\xda\xd0\x0e\x67\x65\x6f";

/* The names that the firmware looks for. */
static const struct {
	const uint8_t *guid;
	const char *name; /* UTF-16LE */
	uint32_t size;
} wanted[] = {
	{ global, "P\0K\0\0\0", 6 },
	{ global, "K\0E\0K\0\0\0", 8 },
	{ database, "d\0b\0\0\0", 6 },
};
#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

static uint8_t image[SIZE], committed[SIZE], original[SIZE], booted[SIZE];
static struct effective *view;
static struct pins *pins;

/* --- the model of the firmware --- */

struct seen {
	const uint8_t *guid, *name, *data;
	uint32_t attributes, name_size, data_size;
	uint8_t state;
};

/* NameSizeOfVariable(), DataSizeOfVariable(): 0 for a header not written. */
static uint32_t
size_field(const uint8_t *p, unsigned int at)
{
	if (p[2] == 0xff || get_le32(p + 36) == UINT32_MAX ||
	    get_le32(p + 40) == UINT32_MAX || get_le32(p + 4) == UINT32_MAX)
		return 0;
	return get_le32(p + at);
}

/* Reads a store as GetNextVariablePtr() steps; returns the number. */
static unsigned int
read_all(const uint8_t *flash, struct seen *all)
{
	unsigned int count = 0;
	uint64_t off = FIRST;

	while (off + HEADER <= STORE_END && count < MOST &&
	       get_le16(flash + off) == 0x55aa) {
		const uint8_t *p = flash + off;
		struct seen *s = &all[count];

		s->state = p[2];
		s->attributes = get_le32(p + 4);
		s->guid = p + 44;
		s->name = p + HEADER;
		s->name_size = size_field(p, 36);
		s->data_size = size_field(p, 40);
		if (off + HEADER + s->name_size + (uint64_t)s->data_size >
		    STORE_END)
			return count; /* leaves the store: no value at all */
		s->data = s->name + s->name_size;
		off = (off + HEADER + s->name_size + s->data_size + 3) &
		      ~UINT64_C(3);
		count++;
	}
	return count;
}

/* FindVariableEx(): compares as many bytes as the variable claims to have. */
static const struct seen *
find(const struct seen *all, unsigned int count, size_t which)
{
	const struct seen *deleted = NULL;
	static uint8_t name[0x10000]; /* zeros behind each name */

	memset(name, 0, 16);
	memcpy(name, wanted[which].name, wanted[which].size);
	for (unsigned int i = 0; i < count; i++) {
		const struct seen *s = &all[i];

		if ((s->state != 0x3f && s->state != 0x3e) ||
		    memcmp(s->guid, wanted[which].guid, 16) != 0 ||
		    memcmp(name, s->name, s->name_size) != 0)
			continue;
		if (s->state == 0x3f)
			return s;
		deleted = s;
	}
	return deleted;
}

/* Reclaim(): all ADDED ones, then those in transition that have no other. */
static unsigned int
reclaim(const struct seen *all, unsigned int count, struct seen *kept)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < count; i++)
		if (all[i].state == 0x3f)
			kept[n++] = all[i];
	for (unsigned int i = 0; i < count; i++) {
		bool found = false;

		if (all[i].state != 0x3e)
			continue;
		for (unsigned int k = 0; k < n && !found; k++)
			found = memcmp(kept[k].guid, all[i].guid, 16) == 0 &&
				kept[k].name_size == all[i].name_size &&
				memcmp(kept[k].name, all[i].name,
				       all[i].name_size) == 0;
		if (found)
			continue;
		kept[n] = all[i];
		kept[n++].state = 0x3f;
	}
	return n;
}

/* FtwRestart() of the last write, if the spare area is complete. */
static void
restart(uint8_t *flash, const uint8_t *block)
{
	uint64_t at = 32, next;

	for (; at + 80 <= SPARE - WORK && !(block[at] & 4); at = next) {
		uint64_t count = get_le64(block + at + 24);
		uint64_t extra = get_le64(block + at + 32);

		if (count > 100 || extra > SPARE)
			return;
		next = at + 40 + count * (40 + extra);
	}
	if (at + 80 <= SPARE - WORK && !(block[at] & 3)) {
		const uint8_t *record = block + at + 40;
		uint64_t lba = get_le64(record + 8);
		uint64_t length = get_le64(record + 16) + get_le64(record + 24);
		uint64_t to = lba * FV_BLOCK_SIZE;

		if ((record[0] & 6) == 4 && lba < SPARE / FV_BLOCK_SIZE &&
		    length <= SPARE - to) {
			length = (length + FV_BLOCK_SIZE - 1) &
				 ~(uint64_t)(FV_BLOCK_SIZE - 1);
			memmove(flash + to, flash + SPARE, length);
		}
	}
}

/* InitFtwProtocol(): the block, or its copy at the end of the spare area. */
static void
boot(void)
{
	uint8_t block[SPARE - WORK];

	memcpy(booted, image, SIZE);
	memcpy(block, image + WORK, sizeof(block));
	if (memcmp(block, original + WORK, 32) == 0)
		restart(booted, block);
}

static void
check_found(const struct seen *all, unsigned int count, const char *when)
{
	static struct seen host[MOST];
	unsigned int hosts = read_all(original, host);

	for (size_t i = 0; i < WANTED; i++) {
		const struct seen *is = find(all, count, i);
		const struct seen *must = find(host, hosts, i);

		demand(is && is->attributes == must->attributes &&
			       is->data_size == must->data_size &&
			       memcmp(is->data, must->data,
				      must->data_size) == 0,
		       when);
	}
}

static void
check_model(void)
{
	static struct seen all[MOST], kept[MOST];
	unsigned int count;

	boot();
	demand(memcmp(booted, original, FIRST) == 0, "another header");
	count = read_all(booted, all);
	check_found(all, count, "the next boot finds another value");
	count = reclaim(all, count, kept);
	check_found(kept, count, "a reclaim leaves another value");
}

/* --- the guest --- */

static uint32_t
put_variable(uint8_t *p, uint8_t state, const uint8_t *guid, const void *name,
	     uint32_t name_size, uint8_t fill, uint8_t len)
{
	memset(p, 0, HEADER);
	put_le16(p, 0x55aa);
	p[2] = state;
	put_le32(p + 4, 0x27);
	put_le32(p + 36, name_size);
	put_le32(p + 40, len);
	memcpy(p + 44, guid, 16);
	memcpy(p + HEADER, name, name_size);
	memset(p + HEADER + name_size, fill, len);
	return (HEADER + name_size + len + 3u) & ~3u;
}

static void
make_image(uint8_t how)
{
	uint8_t *p = image + FIRST;

	fv_format(fv_layout_by_name("2m"), image);
	if (how & 1)
		p += put_variable(p, 0x3f, global, "A\0\0\0", 4, 1, 5);
	for (size_t i = 0; i < WANTED; i++)
		p += put_variable(p, 0x3f, wanted[i].guid, wanted[i].name,
				  wanted[i].size, (uint8_t)(i + 16), 8);
	if (how & 2)
		p += put_variable(p, 0x3e, global, "B\0\0\0", 4, 2, 6);
	memcpy(original, image, SIZE);
	memcpy(committed, image, SIZE);
}

static void
program(uint32_t off, uint8_t byte)
{
	image[off] &= byte;
	effective_touch(view, off, 1);
}

static void
program_all(uint32_t off, const uint8_t *bytes, uint32_t len)
{
	for (uint32_t i = 0; i < len && off + i < SIZE; i++)
		image[off + i] &= bytes[i];
	effective_touch(view, off, len);
}

static void
erase(uint32_t off)
{
	off &= ~(FV_BLOCK_SIZE - 1);
	memset(image + off, 0xff, FV_BLOCK_SIZE);
	effective_touch(view, off, FV_BLOCK_SIZE);
}

/* The end of the chain, in place or in the spare area. */
static uint32_t
end_of_chain(uint32_t base)
{
	uint64_t off = FIRST;

	while (off + HEADER < STORE_END &&
	       get_le16(image + base + off) == 0x55aa)
		off = (off + HEADER + size_field(image + base + off, 36) +
		       (uint64_t)size_field(image + base + off, 40) + 3) &
		      ~UINT64_C(3);
	return base + (uint32_t)(off < STORE_END ? off : FIRST);
}

/* A variable behind the others, named as a pinned one, or nearly so. */
static void
add_variable(struct input *in, uint32_t base)
{
	static const uint8_t states[] = { 0x3f, 0x3e, 0x7f, 0xff, 0x3d, 0x3c };
	uint8_t bytes[HEADER + 16 + 256], what = (uint8_t)take(in, 1);
	size_t i = what % WANTED;
	uint32_t size = wanted[i].size, len;

	if (what & 0x40)
		size -= 2u * (what >> 4 & 1) + 1;
	if (what & 0x80)
		size = 0;
	len = put_variable(bytes, states[(what >> 2) % 6], wanted[i].guid,
			   wanted[i].name, size, (uint8_t)take(in, 1),
			   (uint8_t)take(in, 1) % 16);
	program_all(end_of_chain(base), bytes, len);
}

/* A write of the fault-tolerant driver, with the spare area as it is. */
static void
add_write(struct input *in)
{
	uint8_t bytes[80] = { 0 }, what = (uint8_t)take(in, 1);
	uint64_t lba = what & 0x10 ? what & 3 : 0;

	bytes[0] = what & 1 ? 0xf8 : 0xfc;
	bytes[24] = 1;
	bytes[40] = what & 2 ? 0xf9 : 0xfd;
	put_le64(bytes + 48, lba);
	put_le64(bytes + 56, what & 0x20 ? 0 : 72);
	put_le64(bytes + 64, what & 0x40 ? 4096 : STORE_END - 72);
	put_le64(bytes + 72, lba * FV_BLOCK_SIZE - (uint64_t)SPARE);
	program_all(WORK + 32 + 80u * (what >> 2 & 3), bytes, 80);
}

static void
copy_to_spare(void)
{
	for (uint32_t off = 0; off < STORE_END; off += FV_BLOCK_SIZE) {
		erase(SPARE + off);
		program_all(SPARE + off, image + off, FV_BLOCK_SIZE);
	}
}

/* A state of one of the first variables, or any byte. */
static void
program_some(struct input *in, uint32_t base)
{
	static const uint8_t states[] = { 0x3f, 0x3e, 0x3d, 0x3c };
	uint32_t off = FIRST;
	uint8_t what = (uint8_t)take(in, 1);

	for (uint8_t i = 0; i < (what & 7); i++) {
		const uint8_t *p = image + base + off;
		uint64_t next = off + HEADER + size_field(p, 36) +
				(uint64_t)size_field(p, 40) + 3;

		if (get_le16(p) != 0x55aa || next + HEADER > STORE_END)
			break;
		off = (uint32_t)next & ~3u;
	}
	if (what & 0x80)
		program(base + off + (what >> 3 & 15) * 4 + take(in, 1) % 4,
			(uint8_t)take(in, 1));
	else
		program(base + off + 2, states[what >> 3 & 3]);
}

static void
program_any(struct input *in)
{
	static const uint32_t bases[] = { 0, FIRST, WORK, WORK + 32, SPARE,
					  SPARE + FIRST, STORE_END, SIZE / 2 };
	uint32_t base = bases[take(in, 1) % 8];

	program((base + (uint32_t)take(in, 2) % PLACES) % SIZE,
		(uint8_t)take(in, 1));
}

/* As store.c: judge_burst() and refuse_burst(). */
static void
commit(void)
{
	uint64_t generation = effective_generation(view);
	struct error why;

	(void)effective_update(view, image);
	if ((generation == effective_generation(view) &&
	     effective_known(view)) ||
	    pins_judge(pins, image, SIZE, &why)) {
		memcpy(committed, image, SIZE);
		check_model();
		return;
	}
	demand(why.text[0], "a refusal without a sentence");
	memcpy(image, committed, SIZE);
	effective_touch(view, 0, SIZE);
	(void)effective_update(view, image);
	demand(pins_judge(pins, image, SIZE, &why),
	       "the image before the refusal is refused");
}

static void
step(struct input *in, uint8_t what)
{
	uint32_t base = what & 0x40 ? SPARE : 0;

	switch (what % 8) {
	case 0: add_variable(in, base); break;
	case 1: program_some(in, base); break;
	case 2: program_any(in); break;
	case 3: erase((uint32_t)take(in, 1) * FV_BLOCK_SIZE % SIZE); break;
	case 4: copy_to_spare(); break;
	case 5: add_write(in); break;
	default: commit(); return;
	}
	if (what & 0x20)
		commit();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct error err;

	view = effective_new(SIZE);
	demand(view != NULL, "no memory");
	make_image((uint8_t)take(&in, 1));
	effective_parse(view, image);
	demand(pins_parse(&pins, "auto", &err) == 0, "pins_parse()");
	demand(pins_start(pins, image, SIZE, &err) == 0 && pins_active(pins),
	       "pins_start()");
	check_model();
	while (in.left > 0)
		step(&in, (uint8_t)take(&in, 1));
	commit();
	pins_free(pins);
	effective_free(view);
	return 0;
}
