/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl boot list */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"
#include "boot_entry.h"
#include "boot_path.h"
#include "boot_text.h"
#include "edit.h"
#include "pflash/le.h"
#include "pflashctl.h"
#include "show.h"

static int
set_option(void *opaque, int id, const char *value, struct error *err)
{
	int ret = edit_option(opaque, id, value, err);

	return ret < 0 ? ret : 0;
}

/* An entry in words; each text is NULL without memory. */
struct words {
	struct error broken; /* "" if the entry is good */
	struct boot_entry entry;
	char *description, *path, *path_hex, *data, *data_hex;
};

static void
describe(struct words *words, const struct boot_variable *variable)
{
	struct boot_entry *entry = &words->entry;

	*words = (struct words){ .description = NULL };
	if (boot_entry_read(entry, variable->variable.data,
			    variable->variable.data_size, &words->broken) < 0) {
		words->data_hex = boot_hex(variable->variable.data,
					   variable->variable.data_size);
		return;
	}
	words->broken.text[0] = '\0';
	words->description = boot_utf8(entry->description,
				       entry->description_size);
	words->path = boot_path_text(entry->path, entry->path_size);
	words->path_hex = boot_hex(entry->path, entry->path_size);
	words->data = boot_entry_data(entry);
	words->data_hex = boot_hex(entry->data, entry->data_size);
}

static void
free_words(struct words *words)
{
	free(words->description);
	free(words->path);
	free(words->path_hex);
	free(words->data);
	free(words->data_hex);
}

/* --- text --- */

#define DATA_MOST 160u /* bytes of the text of optional data */

static void
print_text(const char *text, size_t most)
{
	struct text shown = { text, text ? strlen(text) : 0 };

	if (shown.len > most)
		shown.len = most;
	(void)show_text(stdout, shown);
	if (text && text[shown.len])
		fputs("...", stdout);
}

static void
print_kind(const struct boot_entry *entry)
{
	const uint32_t category = entry->attributes & BOOT_CATEGORY;

	if (!(entry->attributes & BOOT_ACTIVE))
		fputs(" (inactive)", stdout);
	if (entry->attributes & BOOT_HIDDEN)
		fputs(" (hidden)", stdout);
	if (category == BOOT_APPLICATION)
		fputs(" (application: not booted in order)", stdout);
	else if (category)
		printf(" (category 0x%" PRIx32 ": not booted)", category >> 8);
	if (boot_entry_is_automatic(entry))
		fputs(" (made by the firmware)", stdout);
}

static void
print_entry(const struct boot_variable *variable)
{
	struct words words;

	describe(&words, variable);
	printf("Boot%04X  ", variable->number);
	if (words.broken.text[0]) {
		printf("broken: %s\n", words.broken.text);
	} else {
		print_text(words.description, SIZE_MAX);
		print_kind(&words.entry);
		fputs("\n    ", stdout);
		print_text(words.path, SIZE_MAX);
		putchar('\n');
		if (words.entry.data_size &&
		    !boot_entry_is_automatic(&words.entry)) {
			fputs("    data: ", stdout);
			print_text(words.data, DATA_MOST);
			putchar('\n');
		}
	}
	free_words(&words);
}

static void
print_entries(const struct boot_state *state)
{
	bool outside = false;

	for (size_t i = 0; i < state->order_count; i++) {
		const struct boot_variable *entry =
			boot_state_entry(state, state->order[i]);

		if (boot_state_place(state, state->order[i]) < (long)i)
			continue; /* a second time */
		if (entry)
			print_entry(entry);
		else
			printf("Boot%04X  missing: BootOrder names it\n",
			       state->order[i]);
	}
	for (size_t i = 0; i < state->count; i++) {
		if (boot_state_place(state, state->entries[i].number) >= 0)
			continue;
		if (!outside)
			puts("\nOutside BootOrder, not booted by themselves:");
		outside = true;
		print_entry(&state->entries[i]);
	}
}

static void
print_order(const struct boot_state *state)
{
	fputs("BootOrder: ", stdout);
	for (size_t i = 0; i < state->order_count; i++)
		printf("%s%04X", i ? "," : "", state->order[i]);
	puts(state->order_count ? "" : "none");
}

/* True if the variable exists and has so many bytes; else says so. */
static bool
has_number(const struct varstore *store, const char *name, uint32_t size,
	   struct variable *variable)
{
	if (boot_find(store, name, variable) < 0)
		return false;
	if (variable->data_size == size)
		return true;
	printf("%s: broken: has %" PRIu32 " bytes instead of %" PRIu32 "\n",
	       name, variable->data_size, size);
	return false;
}

static void
print_numbers(const struct boot_state *state)
{
	struct variable variable;
	uint64_t bits;

	if (has_number(state->store, "BootNext", 2, &variable))
		printf("BootNext: %04X, once%s\n", state->next,
		       boot_state_entry(state, state->next) ?
			       "" :
			       "; there is no such entry");
	if (has_number(state->store, "Timeout", 2, &variable))
		printf("Timeout: %u s\n", get_le16(variable.data));
	if (!has_number(state->store, "OsIndications", 8, &variable))
		return;
	bits = get_le64(variable.data);
	if (bits)
		printf("OsIndications: 0x%" PRIx64 "%s\n", bits,
		       bits & BOOT_TO_SETUP ?
			       ", the firmware's menu at the next start" :
			       "");
}

static void
print_state(const struct boot_state *state)
{
	print_order(state);
	print_numbers(state);
	putchar('\n');
	print_entries(state);
	puts("\nBootCurrent is volatile: it is not in the flash, only the "
	     "guest has it.");
}

/* --- JSON --- */

static void
add(struct json_object *object, const char *name, struct json_object *value)
{
	(void)json_object_object_add(object, name, value);
}

static void
add_text(struct json_object *object, const char *name, const char *text)
{
	add(object, name, text ? json_object_new_string(text) : NULL);
}

static void
add_flag(struct json_object *object, const char *name, bool flag)
{
	add(object, name, json_object_new_boolean(flag));
}

static struct json_object *
json_number(uint16_t number)
{
	char text[5];

	snprintf(text, sizeof(text), "%04X", number);
	return json_object_new_string(text);
}

static struct json_object *
json_entry(const struct boot_state *state, const struct boot_variable *variable)
{
	struct json_object *object = json_object_new_object();
	struct words words;

	describe(&words, variable);
	add(object, "number", json_number(variable->number));
	add_flag(object, "in-order",
		 boot_state_place(state, variable->number) >= 0);
	if (words.broken.text[0]) {
		add_text(object, "broken", words.broken.text);
	} else {
		add_flag(object, "active",
			 words.entry.attributes & BOOT_ACTIVE);
		add_flag(object, "automatic",
			 boot_entry_is_automatic(&words.entry));
		add(object, "attributes",
		    json_object_new_uint64(words.entry.attributes));
		add_text(object, "description", words.description);
		add_text(object, "path", words.path);
		add_text(object, "path-hex", words.path_hex);
		add_text(object, "data", words.data);
	}
	add_text(object, "data-hex", words.data_hex);
	free_words(&words);
	return object;
}

static void
add_numbers(struct json_object *object, const struct varstore *store)
{
	struct variable variable;

	if (boot_find(store, "Timeout", &variable) == 0 &&
	    variable.data_size == 2)
		add(object, "timeout",
		    json_object_new_int(get_le16(variable.data)));
	if (boot_find(store, "OsIndications", &variable) == 0 &&
	    variable.data_size == 8)
		add(object, "os-indications",
		    json_object_new_uint64(get_le64(variable.data)));
}

static void
print_json(const struct boot_state *state, const char *path)
{
	struct json_object *object = json_object_new_object();
	struct json_object *order = json_object_new_array();
	struct json_object *entries = json_object_new_array();
	const char *text;

	add_text(object, "file", path);
	for (size_t i = 0; i < state->order_count; i++)
		json_object_array_add(order, json_number(state->order[i]));
	for (size_t i = 0; i < state->count; i++)
		json_object_array_add(entries,
				      json_entry(state, &state->entries[i]));
	add(object, "order", order);
	if (state->has_next)
		add(object, "next", json_number(state->next));
	add_numbers(object, state->store);
	add(object, "entries", entries);
	text = json_object_to_json_string_ext(
		object,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	show_json(stdout, text ? text : "null");
	putchar('\n');
	json_object_put(object);
}

int
boot_list(const struct group_command *command, int argc, char **argv)
{
	struct edit_options options = { .journal = NULL };
	struct edit_reading reading;
	struct boot_state state;
	struct error err;
	int code, first;

	first = group_parse(command, argc, argv, set_option, &options);
	if (first < 0)
		return CTL_USAGE;
	code = edit_read(&options, argv[first], &reading);
	if (code != CTL_OK)
		return code;
	if (boot_state_read(&state, &reading.store, &err) < 0)
		code = ctl_fail(CTL_FAILED, "%s", err.text);
	else if (options.json)
		print_json(&state, reading.path);
	else
		print_state(&state);
	boot_state_free(&state);
	edit_read_end(&reading);
	return code;
}
