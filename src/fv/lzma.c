/* SPDX-License-Identifier: BSD-2-Clause */
/* A decoder of LZMA that keeps the whole contents as its dictionary. */
#include "lzma.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "pflash/le.h"

#define HALF 1024u /* a probability of 1/2, of 2048 */
#define TOP (1u << 24)

#define STATES 12u
#define POS_STATES 16u
#define LITERAL_CODER 0x300u
/* xz has the same limit of lc + lp: probabilities for 16 literal coders. */
#define LITERAL_BITS_MOST 4u
#define LENGTH_STATES 4u
#define SLOT_BITS 6u
#define FIRST_MODEL_SLOT 4u
#define END_MODEL_SLOT 14u
#define FULL_DISTANCES 128u
#define ALIGN_BITS 4u
#define MATCH_LEAST 2u
#define END_OF_STREAM 0xffffffffu

struct length_coder {
	uint16_t choice, choice2;
	uint16_t low[POS_STATES][8], mid[POS_STATES][8], high[256];
};

/* All members are probabilities: one loop initializes them. */
struct model {
	uint16_t is_match[STATES][POS_STATES];
	uint16_t is_rep[STATES], is_rep0[STATES], is_rep1[STATES];
	uint16_t is_rep2[STATES], is_rep0_long[STATES][POS_STATES];
	uint16_t slot[LENGTH_STATES][1u << SLOT_BITS];
	uint16_t special[1 + FULL_DISTANCES - END_MODEL_SLOT];
	uint16_t align[1u << ALIGN_BITS];
	struct length_coder match_length, rep_length;
	uint16_t literal[LITERAL_CODER << LITERAL_BITS_MOST];
};

struct lzma {
	const uint8_t *in, *end;
	uint8_t *out;
	size_t size, done;
	uint32_t range, code;
	bool damaged; /* also if the stream ends too early */
	uint32_t lc, lp_mask, pb_mask;
	uint32_t state, rep[4];
	struct model *model;
};

uint64_t
lzma_size(const uint8_t *in, size_t len)
{
	uint64_t size;

	if (len <= LZMA_HEADER || in[0] >= 9 * 5 * 5)
		return 0;
	size = get_le64(in + 5);
	return size == UINT64_MAX ? 0 : size;
}

/* --- the range decoder --- */

static void
normalize(struct lzma *l)
{
	if (l->range >= TOP)
		return;
	l->range <<= 8;
	l->code <<= 8;
	if (l->in < l->end)
		l->code |= *l->in++;
	else
		l->damaged = true;
}

static uint32_t
bit(struct lzma *l, uint16_t *probability)
{
	uint32_t bound = (l->range >> 11) * *probability, value;

	if (l->code < bound) {
		*probability += (uint16_t)((2048u - *probability) >> 5);
		l->range = bound;
		value = 0;
	} else {
		*probability -= *probability >> 5;
		l->code -= bound;
		l->range -= bound;
		value = 1;
	}
	normalize(l);
	return value;
}

static uint32_t
direct_bits(struct lzma *l, uint32_t count)
{
	uint32_t value = 0;

	while (count--) {
		l->range >>= 1;
		value <<= 1;
		if (l->code >= l->range) {
			l->code -= l->range;
			value |= 1;
		}
		normalize(l);
	}
	return value;
}

static uint32_t
tree(struct lzma *l, uint16_t *probabilities, uint32_t bits)
{
	uint32_t index = 1;

	for (uint32_t i = 0; i < bits; i++)
		index = index << 1 | bit(l, &probabilities[index]);
	return index - (1u << bits);
}

/* The least significant bit comes first. */
static uint32_t
reverse_tree(struct lzma *l, uint16_t *probabilities, uint32_t bits)
{
	uint32_t index = 1, value = 0;

	for (uint32_t i = 0; i < bits; i++) {
		uint32_t b = bit(l, &probabilities[index]);

		index = index << 1 | b;
		value |= b << i;
	}
	return value;
}

/* --- literals and matches --- */

static uint8_t
byte_at(const struct lzma *l, uint32_t distance)
{
	return distance < l->done ? l->out[l->done - distance - 1] : 0;
}

/* After a match, the byte at its distance chooses the probabilities. */
static void
literal(struct lzma *l)
{
	uint32_t low = ((uint32_t)l->done & l->lp_mask) << l->lc;
	uint32_t high = (uint32_t)byte_at(l, 0) >> (8 - l->lc);
	uint16_t *coder = &l->model->literal[LITERAL_CODER * (low + high)];
	uint32_t symbol = 1, match = byte_at(l, l->rep[0]);
	uint32_t offset = l->state >= 7 ? 0x100 : 0;

	while (symbol < 0x100) {
		uint32_t b;

		match <<= 1;
		b = bit(l, &coder[offset + (match & offset) + symbol]);
		symbol = symbol << 1 | b;
		if (offset && (match >> 8 & 1) != b)
			offset = 0;
	}
	l->out[l->done++] = (uint8_t)symbol;
	if (l->state < 4)
		l->state = 0;
	else
		l->state -= l->state < 10 ? 3 : 6;
}

static uint32_t
length(struct lzma *l, struct length_coder *coder, uint32_t pos)
{
	if (!bit(l, &coder->choice))
		return tree(l, coder->low[pos], 3);
	if (!bit(l, &coder->choice2))
		return 8 + tree(l, coder->mid[pos], 3);
	return 16 + tree(l, coder->high, 8);
}

static uint32_t
distance(struct lzma *l, uint32_t len)
{
	uint32_t states = LENGTH_STATES - 1;
	uint32_t slot = tree(l, l->model->slot[len < states ? len : states],
			     SLOT_BITS);
	uint32_t bits = (slot >> 1) - 1, base;

	if (slot < FIRST_MODEL_SLOT)
		return slot;
	base = (2 | (slot & 1)) << bits;
	if (slot < END_MODEL_SLOT)
		return base +
		       reverse_tree(l, l->model->special + base - slot, bits);
	base += direct_bits(l, bits - ALIGN_BITS) << ALIGN_BITS;
	return base + reverse_tree(l, l->model->align, ALIGN_BITS);
}

/* Moves one of the last distances to the front. */
static void
choose_rep(struct lzma *l, uint32_t index)
{
	uint32_t chosen = l->rep[index];

	for (; index > 0; index--)
		l->rep[index] = l->rep[index - 1];
	l->rep[0] = chosen;
}

static void
copy(struct lzma *l, uint32_t len)
{
	len += MATCH_LEAST;
	if (l->rep[0] >= l->done || len > l->size - l->done) {
		l->damaged = true;
		return;
	}
	while (len--) {
		l->out[l->done] = byte_at(l, l->rep[0]);
		l->done++;
	}
}

/* A match at one of the last distances. */
static void
rep_match(struct lzma *l, uint32_t pos)
{
	struct model *m = l->model;
	uint32_t state = l->state;

	if (bit(l, &m->is_rep0[state])) {
		if (!bit(l, &m->is_rep1[state]))
			choose_rep(l, 1);
		else
			choose_rep(l, 2 + bit(l, &m->is_rep2[state]));
	} else if (!bit(l, &m->is_rep0_long[state][pos])) {
		l->state = state < 7 ? 9 : 11;
		/* One byte: copy() adds MATCH_LEAST. */
		copy(l, 1 - MATCH_LEAST);
		return;
	}
	l->state = state < 7 ? 8 : 11;
	copy(l, length(l, &m->rep_length, pos));
}

static void
match(struct lzma *l, uint32_t pos)
{
	uint32_t len = length(l, &l->model->match_length, pos);

	l->state = l->state < 7 ? 7 : 10;
	/* The last distances move up by one. */
	choose_rep(l, 3);
	l->rep[0] = distance(l, len);
	if (l->rep[0] == END_OF_STREAM)
		l->damaged = true;
	else
		copy(l, len);
}

/* --- the stream --- */

static void
packet(struct lzma *l)
{
	uint32_t pos = (uint32_t)l->done & l->pb_mask;

	if (!bit(l, &l->model->is_match[l->state][pos]))
		literal(l);
	else if (bit(l, &l->model->is_rep[l->state]))
		rep_match(l, pos);
	else
		match(l, pos);
}

/* The five bytes that begin the stream; the first one is 0. */
static int
start(struct lzma *l)
{
	if (l->end - l->in < 5 || l->in[0] != 0)
		return -EINVAL;
	l->range = UINT32_MAX;
	l->code = (uint32_t)l->in[1] << 24 | (uint32_t)l->in[2] << 16 |
		  (uint32_t)l->in[3] << 8 | l->in[4];
	l->in += 5;
	return 0;
}

/* lc, lp and pb in one byte. */
static int
set_properties(struct lzma *l, uint32_t byte)
{
	uint32_t lp = byte / 9 % 5, pb = byte / 9 / 5;

	l->lc = byte % 9;
	if (pb > 4 || l->lc + lp > LITERAL_BITS_MOST)
		return -EINVAL;
	l->lp_mask = (1u << lp) - 1;
	l->pb_mask = (1u << pb) - 1;
	return 0;
}

int
lzma_decode(const uint8_t *in, size_t len, uint8_t *out, size_t size)
{
	struct lzma l = { .out = out, .size = size };

	if (size == 0 || lzma_size(in, len) != size ||
	    set_properties(&l, in[0]) < 0)
		return -EINVAL;
	l.in = in + LZMA_HEADER;
	l.end = in + len;
	if (start(&l) < 0)
		return -EINVAL;
	l.model = malloc(sizeof(*l.model));
	if (!l.model)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(*l.model) / sizeof(uint16_t); i++)
		((uint16_t *)l.model)[i] = HALF;
	while (l.done < size && !l.damaged)
		packet(&l);
	free(l.model);
	return l.damaged ? -EINVAL : 0;
}
