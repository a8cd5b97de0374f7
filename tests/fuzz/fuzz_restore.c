/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer target: cfi_restore(). For any bytes it must either refuse them and
 * leave a chip as after power-on, or accept them and leave a chip that passes
 * cfi_verify(), saves the same record and withstands any accesses.
 *
 * Input: a byte for the geometry, a byte for personality (modulo 3) and kind
 * (bit 7).
 * Kind 0: two bytes of length, a record of that length, accesses.
 * Kind 1: a byte n, then n changes (an offset of two bytes and the new byte)
 * of the record of a chip after power-on, then accesses.
 * An access is a byte (size - 1), an offset of two bytes, the value.
 */
#include <string.h>

#include "input.h"

#include "../model/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Allocates the exact length, so that the sanitizer sees the end. */
static uint8_t *
raw_record(struct input *in, size_t *len)
{
	uint8_t *record;

	*len = (size_t)take(in, 2);
	if (*len > in->left)
		*len = in->left;
	record = malloc(*len ? *len : 1);
	demand(record != NULL, "out of memory");
	memcpy(record, in->data, *len);
	in->data += *len;
	in->left -= *len;
	return record;
}

static uint8_t *
patched_record(struct input *in, struct pair *p, size_t *len)
{
	uint8_t *record = pair_save(p, len);
	uint64_t n = take(in, 1);

	demand(record != NULL, p->why);
	for (; n > 0 && in->left > 0; n--) {
		size_t at = (size_t)take(in, 2) % *len;

		record[at] = (uint8_t)take(in, 1);
	}
	return record;
}

static void
survives(struct input *in, struct pair *p)
{
	uint8_t *rendered = malloc(p->setup.geometry->size);

	demand(rendered != NULL, "out of memory");
	while (in->left > 0) {
		unsigned int size = (unsigned int)(take(in, 1) & 7) + 1;
		uint64_t off = take(in, 2);

		pair_write(p, off, size, take(in, size));
		demand(cfi_verify(p->chip), "cfi_verify() after an access");
		demand(!p->failed, p->why);
	}
	cfi_render(p->chip, 0, rendered, p->setup.geometry->size);
	demand(memcmp(rendered, p->window, p->setup.geometry->size) == 0,
	       "the window is stale");
	free(rendered);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pair p;
	struct input in = { data, size };
	struct geometry g = pair_geometry((unsigned int)take(&in, 1) %
					  PAIR_SMALL);
	uint8_t how = (uint8_t)take(&in, 1);
	struct pair_setup setup = {
		.geometry = &g,
		.personality = (enum cfi_personality)((how & 0x7f) % 3),
	};
	uint8_t *record, *again;
	size_t len, again_len;
	int ret;

	setup.partition = pair_partition(&g, setup.personality, how % 5);
	pair_open(&p, &setup);
	record = how & 0x80 ? patched_record(&in, &p, &len) :
			      raw_record(&in, &len);
	ret = cfi_restore(p.chip, record, len);
	demand(ret == 0 || ret == -EINVAL, "what cfi_restore() returns");
	demand(cfi_verify(p.chip), "cfi_verify() after cfi_restore()");
	if (ret == 0) {
		again = pair_save(&p, &again_len);
		demand(again && (memcmp(record, "PFLASHC1", 8) == 0 ||
				 (again_len == len &&
				  memcmp(again, record, len) == 0)),
		       "a restored chip saves another record");
		free(again);
	} else {
		demand(pair_compare(&p), "a refused record left something");
	}
	free(record);
	p.seen = p.chip->changes;
	cfi_render(p.chip, 0, p.window, g.size);
	survives(&in, &p);
	pair_close(&p);
	return 0;
}
