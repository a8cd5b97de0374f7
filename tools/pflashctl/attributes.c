/* SPDX-License-Identifier: BSD-2-Clause */
#include "attributes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "pflash/parse.h"

static const struct {
	char word[3];
	uint32_t bit;
} words[] = {
	{ "NV", VARIABLE_NON_VOLATILE },
	{ "BS", VARIABLE_BOOT_ACCESS },
	{ "RT", VARIABLE_RUNTIME_ACCESS },
	{ "HR", VARIABLE_HARDWARE_ERROR },
	{ "AW", VARIABLE_AUTHENTICATED },
	{ "AT", VARIABLE_TIME_AUTHENTICATED },
	{ "AP", VARIABLE_APPEND },
	{ "EA", VARIABLE_ENHANCED_AUTHENTICATED },
};

#define WORDS (sizeof(words) / sizeof(words[0]))

void
attributes_text(uint32_t attributes, char text[ATTRIBUTES_TEXT_SIZE])
{
	const char *comma = "";
	char *to = text;

	for (size_t i = 0; i < WORDS; i++) {
		if (!(attributes & words[i].bit))
			continue;
		to += sprintf(to, "%s%s", comma, words[i].word);
		attributes &= ~words[i].bit;
		comma = ",";
	}
	if (attributes)
		sprintf(to, "%s%#x", comma, attributes);
	else if (to == text)
		strcpy(text, "-");
}

static uint32_t
find_word(const char *text, size_t len)
{
	for (size_t i = 0; i < WORDS; i++)
		if (len == 2 && strncasecmp(words[i].word, text, 2) == 0)
			return words[i].bit;
	return 0;
}

static int
read_words(const char *text, uint32_t *attributes, struct error *err)
{
	const char *word = text;
	uint32_t bit;
	size_t len;

	*attributes = 0;
	for (;; word += len + 1) {
		len = strcspn(word, ",");
		bit = find_word(word, len);
		if (!bit)
			return error_set(err, EINVAL,
					 "'%s' is neither a number nor a list "
					 "of nv, bs, rt, hr, aw, at and ea",
					 text);
		*attributes |= bit;
		if (!word[len])
			return 0;
	}
}

int
attributes_read(const char *text, uint32_t *attributes, struct error *err)
{
	uint64_t number;
	int ret;

	if (*text < '0' || *text > '9')
		return read_words(text, attributes, err);
	ret = parse_number(text, PARSE_C, 0, UINT32_MAX, &number, err);
	if (ret == 0)
		*attributes = (uint32_t)number;
	return ret;
}

const char *
state_word(const struct variable *variable)
{
	if (variable->live)
		return "live";
	switch (variable->state) {
	case VARIABLE_ADDED: return "duplicate";
	case VARIABLE_IN_TRANSITION: return "superseded";
	case VARIABLE_DELETED:
	case VARIABLE_SUPERSEDED: return "deleted";
	case VARIABLE_UNWRITTEN:
	case VARIABLE_HEADER_VALID: return "torn";
	default: return "unknown";
	}
}

void
time_text(const struct variable_time *time, char text[TIME_TEXT_SIZE])
{
	snprintf(text, TIME_TEXT_SIZE, "%04u-%02u-%02u %02u:%02u:%02u",
		 time->year, time->month, time->day, time->hour, time->minute,
		 time->second);
}

/* EFI_TIME has the years 1900 to 9999 (UEFI specification 2.10, 8.3). */
static bool
is_time(const unsigned int *n)
{
	static const uint8_t days[] = { 31, 29, 31, 30, 31, 30,
					31, 31, 30, 31, 30, 31 };

	return n[0] >= 1900 && n[0] <= 9999 && n[1] >= 1 && n[1] <= 12 &&
	       n[2] >= 1 && n[2] <= days[n[1] - 1] && n[3] <= 23 &&
	       n[4] <= 59 && n[5] <= 59;
}

int
time_read(const char *text, struct variable_time *time, struct error *err)
{
	unsigned int n[6] = { 0 };
	int date = 0, all = 0;

	(void)sscanf(text, "%4u-%2u-%2u%n%*1[T ]%2u:%2u:%2u%n", &n[0], &n[1],
		     &n[2], &date, &n[3], &n[4], &n[5], &all);
	if (!date || text[all ? all : date] || strpbrk(text, "+\t\n") ||
	    !is_time(n))
		return error_set(err, EINVAL,
				 "'%s' is not YYYY-MM-DD or "
				 "YYYY-MM-DDTHH:MM:SS",
				 text);
	*time = (struct variable_time){
		.year = (uint16_t)n[0],
		.month = (uint8_t)n[1],
		.day = (uint8_t)n[2],
		.hour = (uint8_t)n[3],
		.minute = (uint8_t)n[4],
		.second = (uint8_t)n[5],
	};
	return 0;
}
