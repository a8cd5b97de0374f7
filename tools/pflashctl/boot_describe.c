/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot entries, orders, BootNext and consoles, in words. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot_entry.h"
#include "boot_path.h"
#include "boot_text.h"
#include "describe.h"
#include "pflash/le.h"

/* Variables with an EFI_LOAD_OPTION (section 3.3). */
static const char *const entries[] = { "Boot", "Driver", "SysPrep",
				       "PlatformRecovery", "OsRecovery" };
static const char *const orders[] = { "BootOrder", "DriverOrder",
				      "SysPrepOrder" };
static const char *const paths[] = { "ConIn",    "ConOut",    "ErrOut",
				     "ConInDev", "ConOutDev", "ErrOutDev" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
is_named(const struct variable *variable, const char *name)
{
	uint8_t bytes[BOOT_NAME_SIZE];
	uint32_t size = boot_name(bytes, name);

	return memcmp(variable->guid, guid_global, GUID_SIZE) == 0 &&
	       variable->name_size == size &&
	       memcmp(variable->name, bytes, size) == 0;
}

static bool
is_one_of(const struct variable *variable, const char *const *names,
	  size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_named(variable, names[i]))
			return true;
	return false;
}

/* False: the variable is no entry, or a broken one. */
static bool
read_entry(const struct variable *variable, struct boot_entry *entry)
{
	uint16_t number;

	for (size_t i = 0; i < COUNT(entries); i++)
		if (boot_is_numbered(variable, entries[i], &number))
			return boot_entry_read(entry, variable->data,
					       variable->data_size, NULL) == 0;
	return false;
}

/* The result of a format, or NULL: no memory. */
static char *__attribute__((format(printf, 1, 2))) format(const char *fmt, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	return len < 0 ? NULL : text;
}

static char *
entry_text(const struct boot_entry *entry)
{
	char *description = boot_utf8(entry->description,
				      entry->description_size);
	char *path = boot_path_text(entry->path, entry->path_size);
	char *text = NULL;

	if (description && path)
		text = format("%s: %s%s", description, path,
			      entry->attributes & BOOT_ACTIVE ? "" :
								", inactive");
	free(description);
	free(path);
	return text;
}

static char *
order_text(const struct variable *variable)
{
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return NULL;
	for (uint32_t off = 0; off + 2 <= variable->data_size; off += 2)
		fprintf(to, "%s%04X", off ? "," : "",
			get_le16(variable->data + off));
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

static char *
boot_value(const struct variable *variable)
{
	struct boot_entry entry;

	if (read_entry(variable, &entry))
		return entry_text(&entry);
	if (variable->data_size % 2 == 0 &&
	    is_one_of(variable, orders, COUNT(orders)))
		return order_text(variable);
	if (is_one_of(variable, paths, COUNT(paths)) &&
	    boot_path_check(variable->data, variable->data_size, NULL) == 0)
		return boot_path_text(variable->data, variable->data_size);
	if (variable->data_size == 2 && is_named(variable, "BootNext"))
		return format("%04X", get_le16(variable->data));
	return NULL;
}

/* --- changes --- */

static bool
is_boot(const struct variable *variable)
{
	uint16_t number;

	for (size_t i = 0; i < COUNT(entries); i++)
		if (boot_is_numbered(variable, entries[i], &number))
			return true;
	return is_one_of(variable, orders, COUNT(orders)) ||
	       is_one_of(variable, paths, COUNT(paths)) ||
	       is_named(variable, "BootNext");
}

/* NULL: no memory */
static char *
value_or_size(const struct variable *variable)
{
	char *value = boot_value(variable);

	return value ? value : format("%" PRIu32 " bytes", variable->data_size);
}

static char *
boot_change(const struct variable *old, const struct variable *new)
{
	char *before = NULL, *after = NULL, *text = NULL;

	if (!is_boot(new ? new : old))
		return NULL;
	if (old)
		before = value_or_size(old);
	if (new)
		after = value_or_size(new);
	if (old && new &&before && after)
		text = format("%s instead of %s", after, before);
	else if (new &&after)
		text = format("added %s", after);
	else if (!new &&before)
		text = format("removed %s", before);
	free(before);
	free(after);
	return text;
}

const struct describer boot_describer = { boot_value, boot_change };
