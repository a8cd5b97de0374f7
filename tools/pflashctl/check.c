/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl check: reports each problem of a VARS file, and what to do. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "pflash/convert.h"
#include "pflash/fv.h"
#include "pflashctl.h"

static void
print_history(const struct reader *reader)
{
	struct reader_point first = { 0 }, point = { 0 };
	char from[32], to[32];
	size_t cursor = 0;
	uint64_t count = 0;

	while (reader_next(reader, &cursor, &point))
		if (count++ == 0)
			first = point;
	if (count == 0) {
		puts("history: none");
		return;
	}
	ctl_format_time(first.time, from, sizeof(from));
	ctl_format_time(point.time, to, sizeof(to));
	printf("history: %" PRIu64 " points, number %" PRIu64
	       " (%s) to %" PRIu64 " (%s)\n",
	       count, first.sequence, from, point.sequence, to);
}

static void
print_journal(const struct reader *reader)
{
	if (!reader_has_journal(reader)) {
		puts("journal: none");
		return;
	}
	printf("journal: %" PRIu64 " bursts are not in the file yet\n",
	       reader_pending(reader));
	if (reader_torn_bytes(reader))
		printf("journal: %" PRIu64 " bytes of a torn record at its end "
		       "will be dropped; except with --sync none, the guest "
		       "was never told that a variable in it is stored\n",
		       reader_torn_bytes(reader));
	print_history(reader);
}

/* A note if the layout is too small for the revocations of Secure Boot. */
static void
print_dbx(const uint8_t *image, size_t size)
{
	uint32_t limit;

	if (fv_limits_dbx(image, size, &limit))
		printf("note: dbx-limit: Secure Boot keys are enrolled, but "
		       "the firmware of this layout accepts no variable of "
		       "more than %" PRIu32 " bytes, and the current list of "
		       "revoked programs, dbx, has about %u; to make room for "
		       "it, use `pflashctl convert --layout 4m`, and a "
		       "firmware of that layout\n",
		       limit, FV_DBX_TODAY);
}

static bool
print_variables(const uint8_t *image, size_t size)
{
	struct fv_report report = { .count = 0 };
	bool good = fv_check(image, size, &report);
	struct error text;

	for (unsigned int i = 0; i < report.count; i++) {
		const struct fv_finding *finding = &report.findings[i];

		fv_finding_text(finding, &text);
		printf("%s: %s: %s\n", fv_severity_name(finding->severity),
		       fv_code_name(finding->code), text.text);
	}
	print_dbx(image, size);
	printf("variables: %" PRIu32 " live, %" PRIu32 " deleted, %" PRIu32
	       " bytes used, %" PRIu32 " free\n",
	       report.live, report.deleted + report.superseded, report.used,
	       report.free);
	return good;
}

/* False if the firmware would erase an image of this size. */
static bool
print_code(const char *path, size_t vars_size)
{
	uint8_t *code = NULL;
	size_t size = 0;
	struct error err;
	int ret;

	if (ctl_load(path, &code, &size) != CTL_OK) {
		free(code);
		return false;
	}
	ret = fv_build_takes(code, size, vars_size, &err);
	free(code);
	if (ret < 0)
		printf("%s: %s: %s\n", ret == -ENOENT ? "note" : "error", path,
		       err.text);
	return ret == 0 || ret == -ENOENT;
}

static void
print_repairs(const struct reader *reader)
{
	puts("nothing was changed; possible repairs:\n"
	     "  - restore the VARS file and its journal from the same backup");
	if (reader_journal_is_whole(reader))
		puts("  - accept the modified VARS file: `pflashctl accept`");
	if (reader_has_journal(reader))
		puts("  - list the points in time that can still be read with "
		     "`pflashctl log`, and export one with `pflashctl export "
		     "--at`\n"
		     "  - remove the journal and its history, and use the VARS "
		     "file alone");
}

int
ctl_check(const struct ctl_options *options)
{
	const struct store_config config = ctl_config(options);
	struct reader *reader;
	struct error err;
	bool good;
	int ret = reader_open_rescue(&reader, &config, &err);

	if (ret < 0)
		return ctl_refused(ret, &err);
	if (ret > 0)
		printf("error: %s\n", err.text);
	print_journal(reader);
	good = print_variables(reader_image(reader), reader_size(reader));
	if (options->code && !print_code(options->code, reader_size(reader)))
		good = false;
	if (ret > 0)
		print_repairs(reader);
	reader_close(reader);
	return good && ret == 0 ? CTL_OK : CTL_FILE;
}
