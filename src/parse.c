/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
parse_digits(const char **text, enum parse_form form, uint64_t most,
	     uint64_t *value)
{
	char *end;

	/* strtoull() would skip blanks and take a sign. */
	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*value = strtoull(*text, &end, form == PARSE_C ? 0 : 10);
	*text = end;
	return errno == 0 && *value <= most;
}

bool
parse_size(const char **text, enum parse_form form, uint64_t most,
	   uint64_t *size)
{
	static const char units[] = "KMGkmg";
	const char *unit;
	unsigned int shift;

	if (!parse_digits(text, form, most, size))
		return false;
	unit = **text ? strchr(units, **text) : NULL;
	if (!unit || (form == PARSE_DECIMAL && unit >= units + 3))
		return true;
	++*text;
	shift = 10 * (unsigned int)((unit - units) % 3 + 1);
	if (*size > most >> shift)
		return false;
	*size <<= shift;
	return true;
}

int
parse_number(const char *text, enum parse_form form, uint64_t least,
	     uint64_t most, uint64_t *value, struct error *err)
{
	const char *end = text;

	if (parse_digits(&end, form, most, value) && !*end && *value >= least)
		return 0;
	return error_set(err, EINVAL,
			 "'%s' is not a number from %" PRIu64 " to %" PRIu64,
			 text, least, most);
}

int
parse_bytes(const char *text, uint64_t most, uint64_t *size, struct error *err)
{
	const char *p = text;

	if (!parse_size(&p, PARSE_C, most, size) || *p || !*size)
		return error_set(err, EINVAL,
				 "'%s' is not a size in bytes, such as 64K",
				 text);
	return 0;
}

int
parse_choice(const struct parse_choice *choices, const char *text, int *value,
	     struct error *err)
{
	char list[200] = "";
	size_t len = 0;

	for (const struct parse_choice *c = choices; c->name; c++) {
		const char *between = c == choices ? "" :
				      c[1].name    ? ", " :
						     " or ";

		if (strcmp(c->name, text) == 0) {
			*value = c->value;
			return 0;
		}
		if (len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len,
						"%s%s", between, c->name);
	}
	return error_set(err, EINVAL, "'%s' is not %s", text, list);
}

const char *
parse_choice_name(const struct parse_choice *choices, int value)
{
	while (choices->name && choices->value != value)
		choices++;
	return choices->name;
}
