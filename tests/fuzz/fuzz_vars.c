/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer: pflashctl vars reads JSON, and names from files and command lines,
 * and describes values.  The first byte of the input selects one of them.
 *
 * For any input: a document that is accepted is, once written, accepted again
 * as the same variables; a name becomes text that a terminal shows, and the
 * text becomes the same name; a value becomes one line that a terminal shows.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "input.h"
#include "show.h"
#include "varjson.h"
#include "varname.h"

#include "pflash/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *
no_value(const struct variable *variable)
{
	(void)variable;
	return NULL;
}

static char *
no_change(const struct variable *old, const struct variable *new)
{
	(void)old;
	(void)new;
	return NULL;
}

/* The real ones have targets of their own. */
const struct describer boot_describer = { no_value, no_change };
const struct describer keys_describer = { no_value, no_change };

/* A copy of exactly this size, so that no byte behind it is read. */
static uint8_t *
copy(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size ? size : 1);

	demand(bytes != NULL, "malloc");
	if (size)
		memcpy(bytes, data, size);
	return bytes;
}

static bool
is_shown(const char *text)
{
	size_t len = strlen(text), used;
	uint32_t c;

	for (; len; text += used, len -= used) {
		used = text_decode(text, len, &c);
		if (!used || show_is_hidden(c))
			return false;
	}
	return true;
}

/* --- JSON ----------------------------------------------------------------- */

static struct variable
as_variable(const struct varjson_variable *v)
{
	return (struct variable){
		.attributes = v->value.attributes,
		.guid = v->value.guid,
		.name = v->value.name,
		.name_size = v->value.name_size,
		.data = v->value.data,
		.data_size = v->value.data_size,
		.time = v->value.time,
	};
}

static bool
is_equal(const struct edit_value *a, const struct edit_value *b)
{
	return !memcmp(a->guid, b->guid, GUID_SIZE) &&
	       a->name_size == b->name_size &&
	       !memcmp(a->name, b->name, a->name_size) &&
	       a->attributes == b->attributes && a->data_size == b->data_size &&
	       !memcmp(a->data, b->data, a->data_size) &&
	       (!a->time.year || !memcmp(&a->time, &b->time, sizeof(a->time)));
}

static void
write_again(const struct varjson *json, char **text, size_t *size)
{
	FILE *to = open_memstream(text, size);

	demand(to != NULL, "open_memstream");
	varjson_begin(to);
	for (size_t i = 0; i < json->count; i++) {
		struct variable v = as_variable(&json->all[i]);

		varjson_write(to, &v, i == 0);
	}
	varjson_end(to);
	demand(fclose(to) == 0, "fclose");
}

static void
try_json(const uint8_t *data, size_t size)
{
	struct varjson json, again;
	struct error err = { "" };
	char *text = NULL;

	if (varjson_read(&json, (const char *)data, size, &err) == 0) {
		write_again(&json, &text, &size);
		demand(varjson_read(&again, text, size, &err) == 0,
		       "the document is refused once it is written");
		demand(again.count == json.count, "another number");
		for (size_t i = 0; i < json.count; i++)
			demand(is_equal(&json.all[i].value,
					&again.all[i].value),
			       "another variable");
		varjson_free(&again);
		free(text);
	} else {
		demand(err.text[0] != '\0', "a refusal without a sentence");
	}
	varjson_free(&json);
}

/* --- names ---------------------------------------------------------------- */

static void
try_name(const uint8_t *units, uint32_t size)
{
	const struct variable v = { .name = units, .name_size = size };
	struct error err;
	struct name name;

	for (int word = 0; word < 2; word++) {
		char *text = name_text(&v, word);

		demand(text != NULL && is_shown(text), "name_text");
		demand(!word || !strpbrk(text, " :"), "not one word");
		if (variable_name_valid(&v)) {
			demand(name_read(&name, text, &err) == 0, "name_read");
			demand(name.size == size &&
				       !memcmp(name.units, units, size),
			       "another name");
			name_free(&name);
		}
		free(text);
	}
}

static void
try_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct error err;
	struct wanted wanted;

	demand(text != NULL, "malloc");
	memcpy(text, data, size);
	text[size] = '\0';
	if (wanted_read(&wanted, text, &err) == 0) {
		try_name(wanted.name.units, wanted.name.size);
		wanted_free(&wanted);
	}
	free(text);
}

/* --- values --------------------------------------------------------------- */

static void
try_value(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "MtcVendor:MTC",
					     "EfiGlobalVariable:Timeout",
					     "EfiGlobalVariable:OsIndications",
					     "EdkiiVarErrorFlag:VarErrorFlag",
					     "ShimLock:SbatLevel" };
	struct variable old, new;
	struct wanted wanted;
	struct error err;
	char *text;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		demand(wanted_read(&wanted, names[i], &err) == 0, "a name");
		old = (struct variable){ .guid = wanted.guid,
					 .name = wanted.name.units,
					 .name_size = wanted.name.size,
					 .data = data,
					 .data_size = (uint32_t)size };
		new = old;
		new.data_size /= 2;
		text = describe_value(&old);
		demand(text != NULL && is_shown(text), "describe_value");
		free(text);
		text = describe_change(&old, &new);
		demand(text != NULL && is_shown(text), "describe_change");
		free(text);
		wanted_free(&wanted);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes;

	if (size == 0)
		return 0;
	bytes = copy(data + 1, size - 1);
	switch (data[0] % 4) {
	case 0: try_name(bytes, (uint32_t)size - 1); break;
	case 1: try_text(bytes, size - 1); break;
	case 2: try_value(bytes, size - 1); break;
	default: try_json(bytes, size - 1); break;
	}
	free(bytes);
	return 0;
}
