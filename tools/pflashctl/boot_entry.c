/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot_entry.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot_path.h"
#include "boot_text.h"
#include "pflash/le.h"

/* mBmAutoCreateBootOptionGuid 8108ac4e-9f11-4d59-850e-e21a522c59b2 */
static const uint8_t automatic_guid[GUID_SIZE] = {
	0x4e, 0xac, 0x08, 0x81, 0x11, 0x9f, 0x59, 0x4d,
	0x85, 0x0e, 0xe2, 0x1a, 0x52, 0x2c, 0x59, 0xb2,
};

/* --- EFI_LOAD_OPTION --- */

#define FIXED 6u /* attributes and the length of the path */

/* The size with the NUL; 0: there is none. */
static size_t
string_size(const uint8_t *text, size_t size)
{
	for (size_t off = 0; off + 2 <= size; off += 2)
		if (get_le16(text + off) == 0)
			return off + 2;
	return 0;
}

int
boot_entry_read(struct boot_entry *entry, const uint8_t *value, size_t size,
		struct error *err)
{
	size_t left;

	if (size <= FIXED)
		return error_set(err, EINVAL,
				 "%zu bytes are too few for a boot entry",
				 size);
	*entry = (struct boot_entry){
		.attributes = get_le32(value),
		.path_size = get_le16(value + 4),
		.description = value + FIXED,
		.description_size = string_size(value + FIXED, size - FIXED),
	};
	if (entry->description_size == 0)
		return error_set(err, EINVAL, "its description has no end");
	left = size - FIXED - entry->description_size;
	if (entry->path_size > left)
		return error_set(err, EINVAL,
				 "its device path has %zu bytes, but only %zu "
				 "are left",
				 entry->path_size, left);
	entry->path = entry->description + entry->description_size;
	entry->data = entry->path + entry->path_size;
	entry->data_size = left - entry->path_size;
	return boot_path_check(entry->path, entry->path_size, err);
}

int
boot_entry_make(uint8_t **value, size_t *size, const char *label,
		const struct boot_entry *entry, struct error *err)
{
	uint8_t *text, *p;
	size_t len;
	int ret = boot_utf16(label, &text, &len, err);

	if (ret < 0)
		return ret;
	*size = FIXED + len + entry->path_size + entry->data_size;
	*value = p = malloc(*size);
	if (p) {
		put_le32(p, entry->attributes);
		put_le16(p + 4, (uint16_t)entry->path_size);
		memcpy(p + FIXED, text, len);
		memcpy(p + FIXED + len, entry->path, entry->path_size);
		if (entry->data_size)
			memcpy(p + FIXED + len + entry->path_size, entry->data,
			       entry->data_size);
	}
	free(text);
	return p ? 0 : error_set(err, ENOMEM, "out of memory");
}

bool
boot_entry_is_automatic(const struct boot_entry *entry)
{
	return entry->data_size == GUID_SIZE &&
	       memcmp(entry->data, automatic_guid, GUID_SIZE) == 0;
}

/* Printable ASCII in UTF-16LE, perhaps with a NUL at its end. */
static bool
is_text(const uint8_t *data, size_t size)
{
	if (size % 2 != 0 || size < 4)
		return false;
	for (size_t off = 0; off < size; off += 2) {
		uint16_t c = get_le16(data + off);

		if (c == 0 && off > 0 && off + 2 == size)
			return true;
		if (c < ' ' || c >= 0x7f)
			return false;
	}
	return true;
}

char *
boot_entry_data(const struct boot_entry *entry)
{
	if (is_text(entry->data, entry->data_size))
		return boot_utf8(entry->data, entry->data_size);
	return boot_hex(entry->data, entry->data_size);
}

/* --- names --- */

uint32_t
boot_name(uint8_t to[BOOT_NAME_SIZE], const char *name)
{
	uint32_t size = 0;

	do {
		put_le16(to + size, (uint8_t)*name);
		size += 2;
	} while (*name++ && size < BOOT_NAME_SIZE);
	return size;
}

uint32_t
boot_name_of(uint8_t to[BOOT_NAME_SIZE], uint16_t number)
{
	char name[sizeof("Boot0000")];

	snprintf(name, sizeof(name), "Boot%04X", number);
	return boot_name(to, name);
}

static int
digit(uint16_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
boot_is_numbered(const struct variable *variable, const char *prefix,
		 uint16_t *number)
{
	const size_t len = strlen(prefix);
	unsigned int value = 0;

	if (memcmp(variable->guid, guid_global, GUID_SIZE) != 0 ||
	    variable->name_size != 2 * (len + 4 + 1) ||
	    get_le16(variable->name + variable->name_size - 2) != 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (get_le16(variable->name + 2 * i) != (uint8_t)prefix[i])
			return false;
	for (size_t i = len; i < len + 4; i++) {
		int d = digit(get_le16(variable->name + 2 * i));

		if (d < 0)
			return false;
		value = value << 4 | (unsigned int)d;
	}
	*number = (uint16_t)value;
	return true;
}

int
boot_find(const struct varstore *store, const char *name,
	  struct variable *variable)
{
	uint8_t bytes[BOOT_NAME_SIZE];
	uint32_t size = boot_name(bytes, name);

	return varstore_find(store, guid_global, bytes, size, variable);
}

/* --- the variables of a store --- */

static int
add_entry(struct boot_state *state, uint16_t number,
	  const struct variable *variable, struct error *err)
{
	struct boot_variable *more = reallocarray(state->entries,
						  state->count + 1,
						  sizeof(*more));

	if (!more)
		return error_set(err, ENOMEM, "out of memory");
	more[state->count++] = (struct boot_variable){
		.number = number,
		.variable = *variable,
	};
	state->entries = more;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct boot_variable *x = a, *y = b;

	return x->number - y->number;
}

static int
read_order(struct boot_state *state, struct error *err)
{
	struct variable variable;

	if (boot_find(state->store, "BootOrder", &variable) < 0)
		return 0;
	state->order = calloc(variable.data_size / 2 + 1, 2);
	if (!state->order)
		return error_set(err, ENOMEM, "out of memory");
	state->order_count = variable.data_size / 2;
	for (size_t i = 0; i < state->order_count; i++)
		state->order[i] = get_le16(variable.data + 2 * i);
	return 0;
}

int
boot_state_read(struct boot_state *state, const struct varstore *store,
		struct error *err)
{
	struct variable variable = { .offset = 0 };
	uint16_t number;
	int ret;

	*state = (struct boot_state){ .store = store };
	while (varstore_next(store, &variable) > 0) {
		if (!variable.live ||
		    !boot_is_numbered(&variable, "Boot", &number))
			continue;
		ret = add_entry(state, number, &variable, err);
		if (ret < 0)
			return ret;
	}
	if (state->count)
		qsort(state->entries, state->count, sizeof(*state->entries),
		      compare);
	if (boot_find(store, "BootNext", &variable) == 0 &&
	    variable.data_size == 2) {
		state->has_next = true;
		state->next = get_le16(variable.data);
	}
	return read_order(state, err);
}

void
boot_state_free(struct boot_state *state)
{
	free(state->entries);
	free(state->order);
	*state = (struct boot_state){ .store = NULL };
}

const struct boot_variable *
boot_state_entry(const struct boot_state *state, uint16_t number)
{
	const struct boot_variable key = { .number = number };

	return state->count ? bsearch(&key, state->entries, state->count,
				      sizeof(key), compare) :
			      NULL;
}

long
boot_state_place(const struct boot_state *state, uint16_t number)
{
	for (size_t i = 0; i < state->order_count; i++)
		if (state->order[i] == number)
			return (long)i;
	return -1;
}

int
boot_state_free_number(const struct boot_state *state, uint16_t *number,
		       struct error *err)
{
	for (uint32_t i = 0; i <= UINT16_MAX; i++) {
		*number = (uint16_t)i;
		if (!boot_state_entry(state, *number) &&
		    boot_state_place(state, *number) < 0 &&
		    !(state->has_next && state->next == i))
			return 0;
	}
	return error_set(err, ENOSPC, "all numbers of boot entries are in use");
}

/* Four hexadecimal digits, in either case. */
static bool
is_number(const char *word, uint16_t *number)
{
	if (strlen(word) != 4 || strspn(word, "0123456789abcdefABCDEF") != 4)
		return false;
	*number = (uint16_t)strtoul(word, NULL, 16);
	return true;
}

/* 1, 0, or -ENOMEM */
static int
matches(const struct boot_variable *variable, const char *pattern)
{
	struct boot_entry entry;
	char *description;
	int found;

	if (boot_entry_read(&entry, variable->variable.data,
			    variable->variable.data_size, NULL) < 0)
		return 0;
	description = boot_utf8(entry.description, entry.description_size);
	if (!description)
		return -ENOMEM;
	found = fnmatch(pattern, description, 0) == 0;
	free(description);
	return found;
}

long
boot_state_match(const struct boot_state *state, const char *word, bool *found,
		 struct error *err)
{
	const struct boot_variable *entry;
	uint16_t number;
	long count = 0;

	if (is_number(word, &number)) {
		entry = boot_state_entry(state, number);
		if (entry)
			found[entry - state->entries] = true;
		return entry ? 1 : 0;
	}
	for (size_t i = 0; i < state->count; i++) {
		int ret = matches(&state->entries[i], word);

		if (ret < 0)
			return error_set(err, ENOMEM, "out of memory");
		found[i] = found[i] || ret > 0;
		count += ret;
	}
	return count;
}
