/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl check: reports each problem of a VARS file, and what to do. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/convert.h"
#include "pflash/fv.h"
#include "pflash/identify.h"
#include "pflashctl.h"
#include "show.h"

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

/* A line on standard output; names of files in it may have any characters. */
static void
print_error(const struct error *err)
{
	fputs("error: ", stdout);
	(void)show_text(stdout, (struct text){ err->text, strlen(err->text) });
	putchar('\n');
}

/* Without a journal nothing tells whether a VARS image is complete. */
static void
print_no_journal(const struct reader *reader)
{
	if (reader_is_complete(reader)) {
		puts("journal: none yet");
		return;
	}
	puts("journal: none\n"
	     "note: no-journal: if a guest has used this file, or the file "
	     "that it is a copy of, its last writes may be missing");
}

static void
print_journal(const struct reader *reader)
{
	printf("journal: %" PRIu64 " bursts are not in the file yet\n",
	       reader_pending(reader));
	if (reader_torn_bytes(reader))
		printf("journal: %" PRIu64 " bytes of a torn record at its end "
		       "will be dropped; except with --sync none, the guest "
		       "was never told that a variable in it is stored\n",
		       reader_torn_bytes(reader));
	print_history(reader);
}

/* How much of a complete device each file takes. */
static void
print_areas(const struct store_config *config)
{
	static const struct {
		enum files_role role;
		const char *name;
	} files[] = {
		{ FILES_JOURNAL, "journal" },
		{ FILES_STATE, "state" },
		{ FILES_NEXT, "changes for the next start" },
		{ FILES_PINS, "pinned variables" },
	};
	struct store_areas areas;
	struct error err;

	if (store_measure(config, &areas, &err) <= 0)
		return;
	printf("device: complete, with a flash of %" PRIu64 " bytes\n",
	       areas.room[FILES_VARS]);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		printf("device: %s: %" PRIu64 " of %" PRIu64 " bytes\n",
		       files[i].name, areas.used[files[i].role],
		       areas.room[files[i].role]);
}

/* The kind of the image, as pflashd would say it. */
static void
print_kind(const struct identity *identity)
{
	struct error text;

	identity_text(identity, IDENTITY_AS_VARS, &text);
	printf("error: %s: %s\n", identity_name(identity), text.text);
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
		       "revoked programs, dbx, has %u; to make room for "
		       "it, use `pflashctl convert --layout 4m`, and a "
		       "firmware of that layout\n",
		       limit, FV_DBX_TODAY);
}

static bool
print_variables(const uint8_t *image, size_t size)
{
	struct fv_report report = { .count = 0 };
	bool good;

	good = fv_check(image, size, &report);
	ctl_print_findings(&report);
	print_dbx(image, size);
	printf("variables: %" PRIu32 " live, %" PRIu32 " deleted, %" PRIu32
	       " bytes used, %" PRIu32 " free\n",
	       report.live, report.deleted + report.superseded, report.used,
	       report.free);
	return good;
}

/*
 * True if the file is a flash that has lost its variables.  No command replaces
 * a file of another kind, such as firmware code: its sentence says what to do.
 */
static bool
needs_repair(const struct reader *reader, const struct identity *identity)
{
	struct fv_report report = { .count = 0 };

	return (!identity_is_foreign(identity) ||
		identity_has_vars(identity)) &&
	       !fv_check(reader_image(reader), reader_size(reader), &report);
}

/* Names the origin of the image that check examines. */
static void
print_source(const struct reader *reader)
{
	switch (reader_source(reader)) {
	case READER_VARS_FITS:
		puts("image: from the VARS file and the readable end of the "
		     "journal");
		break;
	case READER_POINT:
		printf("image: point number %" PRIu64
		       " of the history, from the journal alone\n",
		       reader_newest(reader));
		break;
	case READER_VARS:
		puts("image: the VARS file alone; the journal has no image: it "
		     "is damaged at its start, or without history "
		     "(--history 0)");
		break;
	case READER_NOTHING:
		puts("image: none; a journal has an image only if it is not "
		     "damaged at its start, and has history");
		break;
	default: break;
	}
}

/* False: OVMF would erase or forget variables, or would not take the file. */
static bool
check_image(const struct ctl_options *options, const struct reader *reader,
	    bool known)
{
	bool good = !known &&
		    print_variables(reader_image(reader), reader_size(reader));

	return (!options->code ||
		ctl_print_firmware(options->code, reader_size(reader))) &&
	       good;
}

/* The image is that of the VARS file and its journal, if there is one. */
static int
check_sound(const struct ctl_options *options, const struct reader *reader)
{
	struct identity identity;
	bool known, good;

	identify_image(reader_image(reader), reader_size(reader), &identity);
	known = identity_is_known(&identity);
	if (known)
		print_kind(&identity);
	if (reader_has_journal(reader))
		print_journal(reader);
	else if (identity.kind == IDENTITY_VARS)
		print_no_journal(reader);
	good = check_image(options, reader, known);
	if (!reader_has_journal(reader) && needs_repair(reader, &identity))
		ctl_advise(options, NULL);
	return good ? CTL_OK : CTL_FILE;
}

/* The files do not agree: prints the best image that they have. */
static int
check_rescue(const struct ctl_options *options, const struct reader *reader,
	     const struct error *err)
{
	struct identity identity;
	bool known, same = false;
	struct error kind;

	if (!ctl_is_device(options->files[0]) &&
	    identify_path(options->files[0], true, &kind) > 0) {
		/* Without a journal there is nothing to be rescued. */
		if (!reader_has_journal(reader)) {
			ctl_advise_template(options);
			return ctl_refused(-EINVAL, &kind);
		}
		print_error(&kind);
		same = strcmp(kind.text, err->text) == 0;
	}
	if (!same)
		print_error(err);
	if (reader_has_journal(reader))
		print_journal(reader);
	print_source(reader);
	identify_image(reader_image(reader), reader_size(reader), &identity);
	known = identity_is_known(&identity);
	if (reader_size(reader) > 0) {
		if (known)
			print_kind(&identity);
		(void)check_image(options, reader, known);
	}
	puts("nothing was changed");
	ctl_advise(options, reader);
	return CTL_FILE;
}

/* Without a VARS file: the firmware alone. */
static int
check_firmware(const struct ctl_options *options)
{
	if (!options->code)
		return ctl_fail(CTL_USAGE,
				"usage: pflashctl check [--code FIRMWARE] VARS "
				"| --code FIRMWARE");
	return ctl_print_firmware(options->code, 0) ? CTL_OK : CTL_FILE;
}

int
ctl_check(const struct ctl_options *options)
{
	const struct store_config config = ctl_config(options);
	struct reader *reader;
	struct error err;
	int ret, code;

	if (!options->files[0])
		return check_firmware(options);
	ret = reader_open_rescue(&reader, &config, &err);
	if (ret < 0) {
		if (identify_path(options->files[0], true, &err) > 0)
			ret = -EINVAL;
		return ctl_refused(ret, &err);
	}
	print_areas(&config);
	code = ret > 0 ? check_rescue(options, reader, &err) :
			 check_sound(options, reader);
	reader_close(reader);
	return code;
}
