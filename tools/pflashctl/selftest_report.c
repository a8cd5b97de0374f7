/* SPDX-License-Identifier: BSD-2-Clause */
#include "selftest_report.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *text;
} measures[REPORT_CYCLES] = {
	[REPORT_WRITE] = { "write", "trapped write, pflashd watches" },
	[REPORT_ASLEEP] = { "write-asleep", "trapped write, pflashd sleeps" },
	[REPORT_VIEW] = { "view-change", "change of the view, and back" },
	[REPORT_BURST] = { "burst-of-64", "burst of 64 bytes" },
	[REPORT_ERASE] = { "erase", "erase of a block" },
	[REPORT_RAM_READ] = { "ram-read", "read of 8 bytes of memory" },
	[REPORT_READ] = { "array-read", "read of 8 bytes of the flash" },
	[REPORT_RAM_COPY] = { "ram-copy-128k", "copy of 128 KiB of memory" },
	[REPORT_COPY] = { "flash-copy-128k", "copy of 128 KiB of the flash" },
};

const char *
report_cycles_name(int index)
{
	return measures[index].name;
}

const char *
report_cycles_text(int index)
{
	return measures[index].text;
}

/* If the text begins with the word, moves behind it. */
static bool
skip(const char **text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*text, word, len) != 0)
		return false;
	*text += len;
	return true;
}

/* The text is one decimal number of at most 19 digits. */
static bool
number(const char *text, uint64_t *value)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 19 || text[digits])
		return false;
	for (*value = 0; *text; text++)
		*value = *value * 10 + (uint64_t)(*text - '0');
	return true;
}

static void
take_cycles(struct report *report, const char *text)
{
	for (int i = 0; i < REPORT_CYCLES; i++) {
		struct report_cycles *cycles = &report->cycles[i];
		const char *rest = text;
		uint64_t value;

		if (!skip(&rest, measures[i].name))
			continue;
		if (skip(&rest, "-p90 ") && number(rest, &value))
			cycles->p90 = value;
		else if (skip(&rest, " ") && number(rest, &value))
			cycles->median = value;
	}
}

static void
take(struct report *report, const char *text)
{
	uint64_t value;

	if (strcmp(text, "ready") == 0)
		report->ready = true;
	else if (strcmp(text, "end") == 0)
		report->ended = true;
	else if (strcmp(text, "measured") == 0)
		report->measured = true;
	else if (strcmp(text, "sizes ok") == 0)
		report->sizes_ok = true;
	else if (skip(&text, "rounds ok ") && number(text, &value))
		report->rounds_ok = value == report->round;
	else if (skip(&text, "round ") && number(text, &value))
		report->round = value;
	else if (skip(&text, "cycles "))
		take_cycles(report, text);
	else if ((skip(&text, "failed: ") || skip(&text, "exception ")) &&
		 !report->failure[0])
		(void)snprintf(report->failure, sizeof(report->failure), "%s",
			       text);
}

void
report_line(struct report *report, const char *line, size_t len)
{
	char text[256];
	size_t n = 0;

	/* xenconsoled and the terminal may add carriage returns. */
	for (size_t i = 0; i < len && n + 1 < sizeof(text); i++)
		if (line[i] != '\r' && line[i] != '\0')
			text[n++] = line[i];
	text[n] = '\0';
	if (strncmp(text, "# ", 2) == 0)
		take(report, text + 2);
}

bool
report_has_round(const uint8_t *image, size_t size, uint64_t round)
{
	size_t block = round % 2 ? REPORT_ROUND_ODD : REPORT_ROUND_EVEN;

	if (round == 0)
		return true;
	if (size < block + REPORT_ROUND_BYTES)
		return false;
	for (unsigned int i = 0; i < REPORT_ROUND_BYTES; i++)
		if (image[block + i] != (uint8_t)(round + i))
			return false;
	return true;
}

enum report_verdict
report_judge(const uint8_t *image, size_t size, uint64_t round)
{
	if (!report_has_round(image, size, round))
		return REPORT_LOST;
	if (report_has_round(image, size, round + 1) ||
	    report_has_round(image, size, round ? round - 1 : 0))
		return REPORT_KEPT;
	return REPORT_TORN;
}
