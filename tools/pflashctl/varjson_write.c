/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <string.h>

#include "varjson.h"

#include "pflash/le.h"
#include "pflash/utf16.h"

static void
write_hex(FILE *to, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		fputc(digits[bytes[i] >> 4], to);
		fputc(digits[bytes[i] & 15], to);
	}
}

/*
 * An escape of JSON is a unit of UTF-16.  `unpaired`: the name has a unit that
 * readers refuse; U+FFFD stands for each such unit.
 */
static void
write_unit(FILE *to, uint32_t unit, bool unpaired)
{
	if (unpaired && utf16_is_surrogate(unit))
		unit = 0xfffd;
	if (unit >= ' ' && unit <= '~' && unit != '"' && unit != '\\')
		fputc((int)unit, to);
	else
		fprintf(to, "\\u%04x", unit);
}

static void
write_name(FILE *to, const struct variable *variable)
{
	bool unpaired = name_is_unpaired(variable);
	uint32_t size = variable->name_size - 2;

	fputs("\"name\": \"", to);
	for (uint32_t off = 0; off < size; off += 2)
		write_unit(to, get_le16(variable->name + off), unpaired);
	fputs("\",\n", to);
	if (!unpaired)
		return;
	fputs("            \"name-utf16\": \"", to);
	write_hex(to, variable->name, size);
	fputs("\",\n", to);
}

/* EFI_TIME (UEFI specification 2.10, section 8.3). */
static void
write_time(FILE *to, const struct variable_time *time)
{
	uint8_t bytes[16] = { [2] = time->month,
			      [3] = time->day,
			      [4] = time->hour,
			      [5] = time->minute,
			      [6] = time->second };

	put_le16(bytes, time->year);
	fputs(",\n            \"time\": \"", to);
	write_hex(to, bytes, sizeof(bytes));
	fputc('"', to);
}

void
varjson_begin(FILE *to)
{
	fputs("{\n    \"version\": 2,\n    \"variables\": [", to);
}

void
varjson_write(FILE *to, const struct variable *variable, bool first)
{
	char guid[GUID_TEXT_SIZE];

	guid_format(variable->guid, guid);
	fputs(first ? "\n        {\n            " :
		      ",\n        {\n            ",
	      to);
	write_name(to, variable);
	fprintf(to,
		"            \"guid\": \"%s\",\n"
		"            \"attr\": %" PRIu32 ",\n"
		"            \"data\": \"",
		guid, variable->attributes);
	write_hex(to, variable->data, variable->data_size);
	fputc('"', to);
	if (variable->time.year ||
	    variable->attributes & VARIABLE_TIME_AUTHENTICATED)
		write_time(to, &variable->time);
	fputs("\n        }", to);
}

void
varjson_end(FILE *to)
{
	fputs("\n    ]\n}\n", to);
}
