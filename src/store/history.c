/* SPDX-License-Identifier: BSD-2-Clause */
/* Parses the setting of --history: a size or an age. */
#include <errno.h>
#include <stddef.h>

#include "pflash/parse.h"
#include "pflash/store.h"

static const struct {
	char unit;
	uint64_t seconds;
} ages[] = {
	{ 'h', 3600 },
	{ 'd', 24 * 3600 },
	{ 'w', 7 * 24 * 3600 },
};

/* A hundred years: the age in nanoseconds fits into 64 bits. */
#define MOST_SECONDS (UINT64_C(100) * 365 * 24 * 3600)

static bool
parse_age(const char *text, uint64_t *seconds)
{
	uint64_t number;

	if (!parse_digits(&text, PARSE_DECIMAL, MOST_SECONDS, &number) ||
	    number == 0 || !text[0] || text[1])
		return false;
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		*seconds = number * ages[i].seconds;
		if (ages[i].unit == *text)
			return *seconds <= MOST_SECONDS;
	}
	return false;
}

int
store_history_parse(struct store_history *history, const char *text,
		    struct error *err)
{
	const char *end = text;

	*history = (struct store_history){ 0 };
	if (parse_size(&end, PARSE_DECIMAL, STORE_HISTORY_MOST,
		       &history->bytes) &&
	    !*end)
		return 0;
	history->bytes = STORE_HISTORY_MOST;
	if (parse_age(text, &history->seconds))
		return 0;
	return error_set(err, EINVAL,
			 "'%s' is not a size up to %uM or an age such as 30d",
			 text, STORE_HISTORY_MOST >> 20);
}
