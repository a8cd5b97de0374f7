/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/object.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
put(struct object *object, const char *bytes, size_t count)
{
	if (object->full || count >= object->room - object->length) {
		object->full = true;
		return;
	}
	memcpy(object->text + object->length, bytes, count);
	object->length += count;
}

static void
put_string(struct object *object, const char *text)
{
	char escape[8];

	put(object, "\"", 1);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= ' ' && c != '"' && c != '\\') {
			put(object, text, 1);
			continue;
		}
		(void)snprintf(escape, sizeof(escape), "\\u%04x", c);
		put(object, escape, strlen(escape));
	}
	put(object, "\"", 1);
}

static void
put_name(struct object *object, const char *name)
{
	if (object->length > 1)
		put(object, ",", 1);
	put_string(object, name);
	put(object, ":", 1);
}

void
object_begin(struct object *object, char *text, size_t room)
{
	*object = (struct object){ .text = text, .room = room };
	put(object, "{", 1);
}

void
object_add_text(struct object *object, const char *name, const char *text)
{
	put_name(object, name);
	put_string(object, text);
}

void
object_add_number(struct object *object, const char *name, uint64_t number)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, number);
	put_name(object, name);
	put(object, digits, strlen(digits));
}

bool
object_end(struct object *object)
{
	put(object, "}", 1);
	if (object->room > 0)
		object->text[object->length] = '\0';
	return !object->full;
}
