/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes one JSON object without nested ones (RFC 8259) into a buffer.  The
 * supervisor parses no JSON, and a library for it would cost each pflashd
 * memory.
 */
#ifndef PFLASHD_OBJECT_H
#define PFLASHD_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object {
	char *text; /* the caller's buffer */
	size_t room;
	size_t length;
	bool full; /* it had too little room: the text is of no use */
};

/* Begins the object in a buffer of `room` bytes. */
void object_begin(struct object *object, char *text, size_t room);

/* Adds a member; `name` needs no escape. */
void object_add_text(struct object *object, const char *name, const char *text);
void object_add_number(struct object *object, const char *name,
		       uint64_t number);

/* Ends the object and the text, with a NUL byte.  False: too little room. */
bool object_end(struct object *object);

#endif
