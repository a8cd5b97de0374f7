/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a recorded boot as steps. A trace line is `w OFF SIZE VALUE` in hex, a
 * write to a byte-wide flash: 0x10 or 0x40 and a byte program, 0x20 and 0xd0
 * erase a block, 0xff (READ ARRAY) ends a burst. Programming only clears bits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workload.h"

#define BLOCK 4096u

const char *trace_directory = "tests/data";

/* The data of all programs of all traces; the scripts borrow them. */
static uint8_t bytes[8u << 20];

struct recording {
	struct script *script;
	uint8_t *image,
		*bytes; /* of `bytes`: the data of all programs, concatenated */
	size_t used;
	uint32_t size;
	unsigned int command;
	bool open; /* a burst is open */
};

static void
add(struct recording *r, enum step_kind kind, uint32_t off, uint32_t len)
{
	struct step *step = script_add(r->script, kind);

	step->off = off;
	step->len = len;
	step->data = r->bytes + r->used;
	r->open = true;
}

static bool
take_write(struct recording *r, uint32_t off, unsigned int value)
{
	unsigned int command = r->command;

	r->command = 0;
	if (command == 0x10 || command == 0x40) {
		r->image[off] &= (uint8_t)value;
		add(r, STEP_PROGRAM, off, 1);
		if (r->used == sizeof(bytes))
			abort();
		r->bytes[r->used++] = r->image[off];
	} else if (command == 0x20 && value == 0xd0) {
		off -= off % BLOCK;
		memset(r->image + off, 0xff, BLOCK);
		add(r, STEP_ERASE, off, BLOCK);
	} else if (value == 0x10 || value == 0x40 || value == 0x20) {
		r->command = value;
	} else if (value == 0xff) {
		if (r->open)
			script_add(r->script, STEP_COMMIT);
		r->open = false;
	} else {
		return value == 0x50 || value == 0x70 || value == 0x90;
	}
	return true;
}

static bool
take_lines(struct recording *r, FILE *stream)
{
	unsigned int off, size, value;
	bool good = true, any = false;
	char line[80];

	while (good && fgets(line, sizeof(line), stream)) {
		if (line[0] != 'w')
			continue;
		good = sscanf(line, "w %x %x %x", &off, &size, &value) == 3 &&
		       size == 1 && off < r->size && take_write(r, off, value);
		any = true;
	}
	return good && any;
}

bool
trace_steps(struct script *script, const char *name, uint8_t *image,
	    uint32_t size)
{
	static size_t used;
	struct recording r = { .script = script,
			       .image = image,
			       .bytes = bytes,
			       .used = used,
			       .size = size };
	char command[600];
	FILE *stream;
	bool good;

	(void)snprintf(command, sizeof(command), "gzip -dc '%s/%s'",
		       trace_directory, name);
	stream = popen(command, "r");
	if (!stream)
		abort();
	good = take_lines(&r, stream);
	if (r.open)
		script_add(script, STEP_COMMIT);
	used = r.used;
	return pclose(stream) == 0 && good;
}
