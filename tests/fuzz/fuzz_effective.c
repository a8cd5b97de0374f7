/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer target: the effective view. The first byte of the input says from
 * which store it starts; each following byte begins a step, a write into the
 * image or an update of the view.
 *
 * Beside memory errors it aborts unless after each update
 * - effective_verify() holds;
 * - the view equals one that was read from scratch;
 * - the result of the update is that of a comparison of all variables before
 *   and after, which walks both images with varstore_next();
 * - the changes reported are those of that comparison.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"

#include "pflash/effective.h"
#include "pflash/fv.h"
#include "pflash/le.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE 0x20000u
#define STORE 0xe000u
#define WORK 0xf000u
#define SPARE 0x10000u
#define FIRST 0x64u
#define PLACES 0x400u /* bytes of the store that most writes concern */

/* Bits of the first byte. */
enum {
	PLAIN = 1,   /* variables have short headers */
	FILLED = 2,  /* there are some variables */
	PENDING = 4, /* a write of the store is pending */
};

static uint8_t image[SIZE], before[SIZE], original[SIZE];
static struct effective *view, *parsed;
static uint32_t reports[3];

/* A variable with a name of one letter; returns its size. */
static uint32_t
put_variable(uint8_t *p, bool plain, uint8_t state, uint8_t name, uint8_t len)
{
	uint32_t header = plain ? 32 : 60;

	memset(p, 0, header + 4);
	put_le16(p, 0x55aa);
	p[2] = state;
	p[4] = 7;
	put_le32(p + header - 24, 4);
	put_le32(p + header - 20, len);
	p[header] = (uint8_t)('A' + name % 4);
	memset(p + header + 4, name, len);
	return (header + 4 + len + 3u) & ~3u;
}

static void
make_pending(uint8_t lba)
{
	uint8_t *write = image + WORK + 32;

	memcpy(image + SPARE, image, STORE);
	memset(write, 0, 80);
	write[0] = 0xfc;
	write[24] = 1;
	write[40] = 0xfd;
	put_le64(write + 40 + 8, lba);
	put_le64(write + 40 + 16, 72);
	put_le64(write + 40 + 24, STORE - 72);
	put_le64(write + 40 + 32, lba * FV_BLOCK_SIZE - (uint64_t)SPARE);
}

static void
make_image(uint8_t how)
{
	static const uint8_t states[] = { 0x3f, 0x3e, 0x3c, 0x3f };
	uint8_t *p = image + FIRST;

	fv_format(fv_layout_by_name("2m"), image);
	if (how & PLAIN)
		memcpy(image + 72,
		       "\x16\x36\xcf\xdd\x75\x32\x64\x41"
		       "\x98\xb6\xfe\x85\x70\x7f\xfe\x7d",
		       16);
	for (uint8_t i = 0; (how & FILLED) && i < 8; i++)
		p += put_variable(p, how & PLAIN, states[i % 4], i, i);
	if (how & PENDING)
		make_pending(0);
	memcpy(original, image, SIZE);
}

static uint32_t
take_place(struct input *in)
{
	uint8_t where = (uint8_t)take(in, 1);
	uint32_t off = (uint32_t)take(in, 2);

	switch (where % 6) {
	case 0: return off % FIRST;
	case 1: return FIRST + off % PLACES;
	case 2: return SPARE + off % PLACES;
	case 3: return WORK + off % 0x100;
	case 4: return off % SIZE;
	default: return (where & 0x80 ? SPARE : 0) + FIRST + off % PLACES * 4;
	}
}

static void
touch(uint32_t off, uint32_t len)
{
	effective_touch(view, off, len);
}

/* A write of one byte, a block or a variable. */
static void
write_some(struct input *in, uint8_t how, uint8_t step)
{
	uint32_t off = take_place(in), block = off & ~(FV_BLOCK_SIZE - 1);
	uint8_t byte = (uint8_t)take(in, 1);

	switch (step % 6) {
	case 0: image[off] &= byte; break;
	case 1: image[off] = byte; break;
	case 2: image[off] = original[off]; break;
	case 3:
		memset(image + block, 0xff, FV_BLOCK_SIZE);
		touch(block, FV_BLOCK_SIZE);
		return;
	case 4:
		memcpy(image + block, original + block, FV_BLOCK_SIZE);
		touch(block, FV_BLOCK_SIZE);
		return;
	default:
		if (off > SIZE - 100)
			off = SIZE - 100;
		touch(off, put_variable(image + off, how & PLAIN, 0x3f, byte,
					byte % 32));
		return;
	}
	touch(off, 1);
}

static int
count(void *opaque, enum effective_change change, const struct variable *old,
      const struct variable *new)
{
	(void)opaque;
	demand((old != NULL) == (change != EFFECTIVE_ADDED),
	       "an old variable unless added");
	demand((new != NULL) == (change != EFFECTIVE_REMOVED),
	       "a new variable unless removed");
	reports[change]++;
	return 0;
}

static bool
same_value(const struct variable *a, const struct variable *b)
{
	return a->attributes == b->attributes && a->data_size == b->data_size &&
	       !memcmp(a->data, b->data, a->data_size) &&
	       a->monotonic_count == b->monotonic_count &&
	       a->key_index == b->key_index && a->time.year == b->time.year &&
	       a->time.month == b->time.month && a->time.day == b->time.day &&
	       a->time.hour == b->time.hour &&
	       a->time.minute == b->time.minute &&
	       a->time.second == b->time.second;
}

static size_t
base(const struct varstore *store)
{
	return store->in_spare ? SPARE : 0;
}

static bool
same_headers(const struct varstore *a, const struct varstore *b)
{
	size_t len = a->start - base(a);

	return b->start - base(b) == len &&
	       !memcmp(a->image + base(a), b->image + base(b), len);
}

/* Compares the two images in the naive way. */
static void
compare(uint32_t changes[3], bool *headers)
{
	struct variable v = { 0 }, other;
	struct varstore old, new;

	*headers = true;
	if (varstore_open(&old, before, SIZE, NULL) < 0 ||
	    varstore_open(&new, image, SIZE, NULL) < 0)
		return;
	*headers = !same_headers(&old, &new);
	while (varstore_next(&old, &v) > 0) {
		if (!v.live)
			continue;
		if (varstore_find(&new, v.guid, v.name, v.name_size, &other))
			changes[EFFECTIVE_REMOVED]++;
		else if (!same_value(&v, &other))
			changes[EFFECTIVE_CHANGED]++;
	}
	memset(&v, 0, sizeof(v));
	while (varstore_next(&new, &v) > 0)
		if (v.live &&
		    varstore_find(&old, v.guid, v.name, v.name_size, &other))
			changes[EFFECTIVE_ADDED]++;
}

static void
update(bool touched)
{
	bool known = effective_known(view), changed, headers;
	uint32_t changes[3] = { 0 };

	changed = effective_update(view, image);
	compare(changes, &headers);
	demand(effective_verify(view, image), "the view is valid");
	effective_parse(parsed, image);
	demand(effective_verify(parsed, image),
	       "the view read from scratch is valid");
	demand(effective_known(parsed) == effective_known(view),
	       "both views are known");
	demand(effective_digest(parsed) == effective_digest(view),
	       "both views are equal");
	if (!known || !effective_known(view))
		demand(changed == touched,
		       "an unknown view changes if touched");
	else
		demand(changed == (headers || changes[0] || changes[1] ||
				   changes[2]),
		       "the result is that of the comparison");
	memset(reports, 0, sizeof(reports));
	demand(effective_changes(view, before, image, count, NULL) == 0,
	       "all changes are reported");
	demand(!memcmp(reports, changes, sizeof(changes)),
	       "the changes are those of the variables");
	memcpy(before, image, SIZE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t how = (uint8_t)take(&in, 1), step;
	bool touched = false;

	if (!view) {
		view = effective_new(SIZE);
		demand(view != NULL, "memory");
		parsed = effective_like(view);
		demand(parsed != NULL, "memory");
	}
	make_image(how);
	memcpy(before, image, SIZE);
	effective_parse(view, image);
	while (in.left) {
		step = (uint8_t)take(&in, 1);
		if (step >= 0xf8) {
			make_pending(step & 3);
			touch(0, SIZE);
			touched = true;
		} else if (step % 4) {
			write_some(&in, how, step / 4);
			touched = true;
		} else {
			update(touched);
			touched = false;
		}
	}
	update(touched);
	return 0;
}
