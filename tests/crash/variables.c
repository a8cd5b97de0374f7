/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes variables as edk2's drivers do, burst by burst: new ones, new values,
 * deletions (Variable.c:2180-2310), and reclaims of the store as a
 * fault-tolerant write (FtwMisc.c). Only a few of these bursts change what the
 * next boot will see.
 */
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "variables.h"

#include "pflash/fv.h"
#include "pflash/le.h"
#include "pflash/varstore.h"

#define FIRST 0x64u /* offset of the first variable */
#define HEADER 60u
#define STATE 2u
#define NAMES 4u
#define QUEUE 0x20u
#define RECORD 40u

struct writer {
	struct script *script;
	uint64_t *random;
	const struct fv_layout *layout;
	uint8_t *image;
	uint32_t at;           /* the end of the chain */
	uint32_t where[NAMES]; /* of the variable of each name; 0: none */
	uint32_t queue;        /* the next fault-tolerant write */
};

/* The script borrows the bytes until the program ends. */
static const uint8_t *
keep(const uint8_t *bytes, uint32_t len)
{
	static uint8_t pool[4u << 20];
	static uint32_t used;
	uint8_t *p = pool + used;

	if (len > sizeof(pool) - used)
		abort();
	used += len;
	return memcpy(p, bytes, len);
}

static void
program(struct writer *w, uint32_t off, const void *bytes, uint32_t len)
{
	struct step *step = script_add(w->script, STEP_PROGRAM);

	memcpy(w->image + off, bytes, len);
	step->off = off;
	step->len = len;
	step->data = keep(bytes, len);
}

static void
erase(struct writer *w, uint32_t off, uint32_t len)
{
	struct step *step = script_add(w->script, STEP_ERASE);

	memset(w->image + off, 0xff, len);
	step->off = off;
	step->len = len;
}

/* Ends the burst, and perhaps the guest is quiet for a time. */
static void
commit(struct writer *w)
{
	script_add(w->script, STEP_COMMIT);
	if (!below(w->random, 9))
		script_add(w->script, STEP_SYNC);
	if (!below(w->random, 40))
		script_add(w->script, STEP_CHECKPOINT);
}

/* Now and then the burst begins with an operation outside the store. */
static void
set_byte(struct writer *w, uint32_t off, uint8_t byte)
{
	uint64_t log = draw(w->random);

	if (!below(w->random, 3))
		program(w, w->layout->event_log, &log, sizeof(log));
	program(w, off, &byte, 1);
	commit(w);
}

static void
set_state(struct writer *w, uint32_t variable, uint8_t state)
{
	set_byte(w, variable + STATE, state);
}

static void
append(struct writer *w, uint32_t name, const uint8_t *data, uint32_t len)
{
	uint8_t bytes[HEADER + 4 + 64] = { 0 };
	uint32_t at = w->at;

	put_le16(bytes, 0x55aa);
	bytes[STATE] = VARIABLE_UNWRITTEN;
	put_le32(bytes + 4, 7);
	put_le32(bytes + HEADER - 24, 4);
	put_le32(bytes + HEADER - 20, len);
	bytes[HEADER - 1] = 9; /* the vendor's GUID */
	bytes[HEADER] = (uint8_t)('A' + name);
	memcpy(bytes + HEADER + 4, data, len);
	program(w, at, bytes, HEADER);
	commit(w);
	set_state(w, at, VARIABLE_HEADER_VALID);
	program(w, at + HEADER, bytes + HEADER, 4 + len);
	commit(w);
	set_state(w, at, VARIABLE_ADDED);
	w->where[name] = at;
	w->at = (at + HEADER + 4 + len + 3) & ~3u;
}

static void
set_variable(struct writer *w, uint32_t name)
{
	uint32_t old = w->where[name], len = 8 + below(w->random, 40);
	uint8_t data[48];

	run_fill(data, len, draw(w->random));
	if (old)
		set_state(w, old, VARIABLE_IN_TRANSITION);
	append(w, name, data, len);
	if (old)
		set_state(w, old, VARIABLE_SUPERSEDED);
}

static void
delete_variable(struct writer *w, uint32_t name)
{
	uint32_t old = w->where[name];

	if (!old)
		return;
	set_state(w, old, VARIABLE_IN_TRANSITION);
	set_state(w, old, VARIABLE_SUPERSEDED);
	w->where[name] = 0;
}

/* The store without what is deleted; updates the offsets. */
static void
compact(struct writer *w, uint8_t *to)
{
	uint32_t at = FIRST;

	memset(to, 0xff, w->layout->variable_size);
	memcpy(to, w->image, FIRST);
	for (uint32_t i = 0; i < NAMES; i++) {
		const uint8_t *p = w->image + w->where[i];
		uint32_t len;

		if (!w->where[i])
			continue;
		len = HEADER + 4 + get_le32(p + HEADER - 20);
		memcpy(to + at, p, len);
		w->where[i] = at;
		at = (at + len + 3) & ~3u;
	}
	w->at = at;
}

/* Puts the header of a write of the whole store, and its record. */
static uint32_t
begin_write(struct writer *w)
{
	const struct fv_layout *layout = w->layout;
	uint32_t at = layout->ftw_work + QUEUE + w->queue;
	uint8_t header[40], record[RECORD];

	memset(header, 0, sizeof(header));
	memset(record, 0, sizeof(record));
	header[0] = 0xfe; /* HeaderAllocated */
	put_le64(header + 24, 1);
	program(w, at, header, sizeof(header));
	commit(w);
	record[0] = 0xff;
	put_le64(record + 24, layout->variable_size);
	put_le64(record + 32, -(uint64_t)layout->ftw_spare);
	program(w, at + 40, record, sizeof(record));
	commit(w);
	w->queue += 40 + RECORD;
	return at;
}

static void
reclaim(struct writer *w)
{
	const struct fv_layout *layout = w->layout;
	uint32_t size = layout->variable_size;
	uint8_t *new = malloc(size);
	uint32_t at = begin_write(w);

	if (!new)
		abort();
	compact(w, new);
	erase(w, layout->ftw_spare, layout->size - layout->ftw_spare);
	program(w, layout->ftw_spare, new, size);
	commit(w);
	set_byte(w, at + 40, 0xfd); /* SpareComplete */
	for (uint32_t off = 0; off < size; off += 4 * FV_BLOCK_SIZE) {
		uint32_t len = size - off < 4 * FV_BLOCK_SIZE ?
				       size - off :
				       4 * FV_BLOCK_SIZE;

		erase(w, off, len);
		program(w, off, new + off, len);
		commit(w);
	}
	set_byte(w, at + 40, 0xf9); /* DestinationComplete */
	set_byte(w, at, 0xf8);      /* WritesAllocated, Complete */
	free(new);
}

void
variables_add(struct script *script, uint32_t size, uint64_t *random,
	      unsigned int changes)
{
	struct writer w = { .script = script, .random = random, .at = FIRST };

	w.layout = fv_layout_by_size(size);
	w.image = malloc(size);
	if (!w.layout || !w.image)
		abort();
	fv_format(w.layout, w.image);
	for (unsigned int i = 0; i < changes; i++) {
		uint32_t name = below(random, NAMES);

		if (i == changes / 2)
			reclaim(&w);
		else if (below(random, 4))
			set_variable(&w, name);
		else
			delete_variable(&w, name);
	}
	free(w.image);
}
