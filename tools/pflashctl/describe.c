/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values in words: small variables with a known meaning; then the kinds of
 * boot_describe.c and keys_describe.c; then text, and bytes.
 */
#include "describe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"
#include "varname.h"

#include "pflash/le.h"
#include "pflash/text.h"

#define SHOWN_BYTES 24    /* of a value of unknown kind */
#define SHOWN_TEXT 72     /* bytes of a text, without its quotes */
#define LONGEST_TEXT 2048 /* longer values are not read as text */

static const struct describer *const describers[] = { &boot_describer,
						      &keys_describer };

#define DESCRIBERS (sizeof(describers) / sizeof(describers[0]))

static char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* NULL: out of memory. */
static char *
format(const char *fmt, ...)
{
	char *text = NULL;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	return len < 0 ? NULL : text;
}

/* --- known small variables ------------------------------------------------ */

static char *
number_text(uint64_t value)
{
	return format("%" PRIu64, value);
}

/* UEFI specification 2.10, section 3.1.4. */
static char *
timeout_text(uint64_t value)
{
	if (value == 0xffff)
		return format("wait for a key");
	return format("%" PRIu64 " s", value);
}

static char *
switch_text(uint64_t value)
{
	if (value > 1)
		return number_text(value);
	return format(value ? "on" : "off");
}

/* edk2 SecurityPkg/Include/Guid/AuthenticatedVariableFormat.h */
static char *
modified_text(uint64_t value)
{
	if (value > 1)
		return number_text(value);
	return format(value ? "keys as delivered" : "keys were modified");
}

/* edk2 MdeModulePkg/Include/Guid/VarErrorFlag.h: a bit is 0 after an error. */
static char *
errors_text(uint64_t value)
{
	if (value == 0xff)
		return format("no write has failed");
	if ((value | 0x11) != 0xff)
		return format("0x%02" PRIx64, value);
	return format("no room for a variable of %s%s%s",
		      value & 0x10 ? "" : "the firmware",
		      value & 0x11 ? "" : " and ",
		      value & 0x01 ? "" : "the system");
}

/* UEFI specification 2.10, section 8.5.4. */
static char *
indications_text(uint64_t value)
{
	static const char *const names[] = {
		"boot to firmware setup",  "timestamp revocation",
		"file capsule delivery",   "FMP capsule",
		"capsule result variable", "OS recovery",
		"platform recovery",       "collect configuration",
	};
	char text[256] = "", *to = text;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(value & UINT64_C(1) << i))
			continue;
		to += sprintf(to, "%s%s", to == text ? "" : ", ", names[i]);
		value &= ~(UINT64_C(1) << i);
	}
	if (value || to == text)
		sprintf(to, "%s%#" PRIx64, to == text ? "" : ", ", value);
	return format("%s", text);
}

static const struct small {
	const char *vendor, *name;
	uint32_t size; /* bytes */
	char *(*text)(uint64_t value);
} smalls[] = {
	{ "EfiGlobalVariable", "Timeout", 2, timeout_text },
	{ "EfiGlobalVariable", "OsIndications", 8, indications_text },
	{ "EfiGlobalVariable", "OsIndicationsSupported", 8, indications_text },
	{ "MtcVendor", "MTC", 4, number_text },
	{ "EfiSecureBootEnableDisable", "SecureBootEnable", 1, switch_text },
	{ "EfiCustomModeEnable", "CustomMode", 1, switch_text },
	{ "EdkiiVarErrorFlag", "VarErrorFlag", 1, errors_text },
	{ "EfiVendorKeysNv", "VendorKeysNv", 1, modified_text },
	{ "EfiMemoryOverwriteControlData", "MemoryOverwriteRequestControl", 1,
	  number_text },
};

static bool
is_small(const struct variable *v, const struct small *small)
{
	const char *vendor = guid_name(v->guid);
	char name[64];

	return v->data_size == small->size && vendor &&
	       strcmp(vendor, small->vendor) == 0 &&
	       variable_name(v, name, sizeof(name)) < sizeof(name) &&
	       strcmp(name, small->name) == 0;
}

static uint64_t
read_number(const struct variable *v)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < v->data_size && i < 8; i++)
		value |= (uint64_t)v->data[i] << 8 * i;
	return value;
}

static const struct small *
find_small(const struct variable *v)
{
	for (size_t i = 0; i < sizeof(smalls) / sizeof(smalls[0]); i++)
		if (is_small(v, &smalls[i]))
			return &smalls[i];
	return NULL;
}

/* NULL: it is none of them, or there is no memory. */
static char *
describe_small(const struct variable *v)
{
	const struct small *small = find_small(v);

	return small ? small->text(read_number(v)) : NULL;
}

/* --- text and numbers ----------------------------------------------------- */

/* In quotes; a longer text is cut between characters. */
static char *
quote(const char *text, size_t len)
{
	size_t shown = 0, used;
	uint32_t c;

	while (shown < len && shown < SHOWN_TEXT) {
		used = text_decode(text + shown, len - shown, &c);
		shown += used ? used : 1;
	}
	return format("\"%.*s\"%s", (int)shown, text, shown < len ? "..." : "");
}

/* True if all of it is UTF-8 that a terminal shows. */
static bool
is_shown(const char *text, size_t len)
{
	uint32_t c;
	size_t used;

	for (; len; text += used, len -= used) {
		used = text_decode(text, len, &c);
		if (!used || show_is_hidden(c))
			return false;
	}
	return true;
}

/*
 * ASCII, perhaps with a NUL, or with a newline, at its end.  Two bytes at
 * least: one byte is rather a number.
 */
static char *
describe_ascii(const struct variable *v)
{
	const char *text = (const char *)v->data;
	size_t len = v->data_size;

	if (len && (text[len - 1] == '\0' || text[len - 1] == '\n'))
		len--;
	if (len < 2)
		return NULL;
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return NULL;
	return quote(text, len);
}

/* UTF-16 with a NUL at its end. */
static char *
describe_utf16(const struct variable *v)
{
	const struct variable as_name = { .name = v->data,
					  .name_size = v->data_size };
	char *text, *shown = NULL;

	if (!variable_name_valid(&as_name) || name_is_unpaired(&as_name))
		return NULL;
	text = malloc(2 * (size_t)v->data_size);
	if (text) {
		(void)variable_name(&as_name, text, 2 * (size_t)v->data_size);
		if (is_shown(text, strlen(text)) &&
		    !strstr(text, "\xef\xbf\xbd"))
			shown = quote(text, strlen(text));
	}
	free(text);
	return shown;
}

static char *
describe_text(const struct variable *v)
{
	char *text;

	if (v->data_size > LONGEST_TEXT)
		return NULL;
	text = describe_ascii(v);
	return text ? text : describe_utf16(v);
}

static char *
describe_bytes(const struct variable *v)
{
	uint32_t size = v->data_size, shown;
	char digits[2 * SHOWN_BYTES + 1] = "";

	if (size == 1 || size == 2 || size == 4 || size == 8)
		return format("0x%0*" PRIx64, 2 * (int)size, read_number(v));
	shown = size <= SHOWN_BYTES ? size : SHOWN_BYTES;
	for (uint32_t i = 0; i < shown; i++)
		sprintf(digits + 2 * i, "%02x", v->data[i]);
	return format("%s%s", digits, shown < size ? "..." : "");
}

/* --- all kinds ------------------------------------------------------------ */

/* The value if its kind is known, else NULL. */
static char *
describe_kind(const struct variable *variable)
{
	char *text = describe_small(variable);

	for (size_t i = 0; !text && i < DESCRIBERS; i++)
		text = describers[i]->value(variable);
	return text;
}

char *
describe_value(const struct variable *variable)
{
	char *text = describe_kind(variable);

	if (!text)
		text = describe_text(variable);
	return text ? text : describe_bytes(variable);
}

/* Text of an unknown vendor may be anything, a secret too. */
static char *
describe_known(const struct variable *variable)
{
	char *text = describe_kind(variable);

	if (!text && guid_name(variable->guid))
		text = describe_text(variable);
	return text;
}

static char *
compare_values(const struct variable *old, const struct variable *new)
{
	char *before = old ? describe_known(old) : NULL;
	char *after = new ? describe_known(new) : NULL;
	char *text = NULL;

	if (old && new) {
		if (before && after && strcmp(before, after) != 0)
			text = format("%s instead of %s", after, before);
	} else {
		text = before ? before : after;
		before = after = NULL;
	}
	free(before);
	free(after);
	return text ? text : strdup("");
}

char *
describe_change(const struct variable *old, const struct variable *new)
{
	char *text = NULL;

	if (find_small(new ? new : old))
		return compare_values(old, new);
	for (size_t i = 0; !text && i < DESCRIBERS; i++)
		text = describers[i]->change(old, new);
	return text ? text : compare_values(old, new);
}
