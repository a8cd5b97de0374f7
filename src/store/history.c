/* SPDX-License-Identifier: BSD-2-Clause */
/* Parses the option for the limits of the history: "1M", "30d". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/store.h"

static const struct {
	char unit;
	uint64_t seconds; /* of an age; 0: the unit is of a size */
	uint64_t bytes;   /* of a size; 0: the unit is of an age */
} units[] = {
	{ '\0', 0, 1 },   { 'K', 0, 1u << 10 },  { 'M', 0, 1u << 20 },
	{ 'h', 3600, 0 }, { 'd', 24 * 3600, 0 }, { 'w', 7 * 24 * 3600, 0 },
};

/* A hundred years, which fit into 64 bits as nanoseconds. */
#define MOST_SECONDS (UINT64_C(100) * 365 * 24 * 3600)

static int
apply(struct store_history *history, uint64_t number, size_t unit)
{
	if (units[unit].bytes) {
		if (number > STORE_HISTORY_MOST / units[unit].bytes)
			return -ERANGE;
		history->bytes = number * units[unit].bytes;
		return 0;
	}
	if (number == 0 || number > MOST_SECONDS / units[unit].seconds)
		return -ERANGE;
	history->seconds = number * units[unit].seconds;
	history->bytes = STORE_HISTORY_MOST;
	return 0;
}

int
store_history_parse(struct store_history *history, const char *text,
		    struct error *err)
{
	unsigned long long number;
	char *end;

	*history = (struct store_history){ 0 };
	errno = 0;
	number = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !errno && strlen(end) <= 1)
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (units[i].unit == *end &&
			    apply(history, number, i) == 0)
				return 0;
	return error_set(err, EINVAL,
			 "'%s' is not a history limit: expected a size up to "
			 "%uM or an age such as 30d",
			 text, STORE_HISTORY_MOST >> 20);
}
