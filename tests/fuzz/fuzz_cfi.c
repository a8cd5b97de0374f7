/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer target: sends accesses and events, both chosen by the input, to the
 * chip and to the model of tests/model, and aborts when they differ.
 *
 * Input: a byte for the geometry, a byte for personality (modulo 3) and
 * show_busy (bit 7), and events:
 *
 *   00..7f OFF16 BYTES   write of (low 3 bits + 1) bytes
 *   80..9f BYTES         write at the offset of the last access
 *   a0..bf CODE          command to all parts there; bit 0: one word further
 *   c0..cf OFF16         read of (low 3 bits + 1) bytes
 *   d0..df OFF64 BYTES   write at any offset
 *   e0..ef               host result: bits 0-1 operation, bits 2-3 error
 *   f0..f7               save and restore
 *   f8..fb               the owner's own commit fails
 *   fc..ff               power off and on
 */
#include "input.h"

#include "../model/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LAST = 20 };

static uint64_t
to_all_parts(const struct geometry *g, uint8_t code)
{
	unsigned int lane = g->width / g->interleave;
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < g->interleave; i++)
		value |= (uint64_t)code << (8 * lane * i);
	return value;
}

static void
happening(struct pair_event *e, uint8_t kind)
{
	e->size = 1;
	e->off = 0;
	if (kind < 0xf0) {
		e->op = PAIR_HOST;
		e->off = kind & 3;
		e->value = (uint64_t)pair_errors[kind >> 2 & 3];
	} else if (kind < 0xf8) {
		e->op = PAIR_RESTORE;
	} else if (kind < 0xfc) {
		e->op = PAIR_REPORT;
		e->value = (uint64_t)pair_errors[1 + (kind & 3) % 3];
	} else {
		e->op = PAIR_POWER;
	}
}

static struct pair_event
next_event(struct input *in, const struct geometry *g, uint64_t *last)
{
	struct pair_event e = { .op = PAIR_WRITE };
	uint8_t kind = (uint8_t)take(in, 1);

	e.size = (uint8_t)((kind & 7) + 1);
	e.off = *last;
	if (kind >= 0xe0) {
		happening(&e, kind);
		return e;
	}
	if (kind < 0x80 || (kind >= 0xc0 && kind < 0xd0))
		e.off = take(in, 2);
	if (kind >= 0xd0)
		e.off = take(in, 8);
	if (kind >= 0xc0 && kind < 0xd0) {
		e.op = PAIR_READ;
	} else if (kind >= 0xa0 && kind < 0xc0) {
		e.off = e.off - e.off % g->width + (kind & 1) * g->width;
		e.size = g->width;
		e.value = to_all_parts(g, (uint8_t)take(in, 1));
	} else {
		e.value = take(in, e.size);
	}
	if (e.off < 0x10000)
		*last = e.off;
	return e;
}

static void
stop(const struct pair *p, const struct pair_event *last, size_t count)
{
	size_t i;

	printf("chip and model differ:\n");
	pair_print_setup(&p->setup);
	for (i = count > LAST ? count - LAST : 0; i < count; i++)
		pair_print(&last[i % LAST]);
	printf("  %s\n", p->why);
	fflush(stdout);
	abort();
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
		.show_busy = how & 0x80,
	};
	struct pair_event last[LAST];
	uint64_t off = 0;
	size_t count = 0;

	setup.partition = pair_partition(&g, setup.personality, how % 5);
	pair_open(&p, &setup);
	while (in.left > 0) {
		struct pair_event e = next_event(&in, &g, &off);
		bool ok;

		last[count++ % LAST] = e;
		ok = pair_apply(&p, &e);
		if (ok && count % 64 == 0)
			ok = pair_compare(&p);
		if (!ok)
			stop(&p, last, count);
	}
	if (!pair_compare(&p))
		stop(&p, last, count);
	pair_close(&p);
	return 0;
}
