/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command that repairs a VARS file and its journal, by their state.  The
 * table in docs/recovery.md has all states; tests/cli/rescue.sh runs what is
 * printed here.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pflash/fv.h"
#include "pflash/identify.h"
#include "pflashctl.h"

static void
print_names(const struct ctl_options *options)
{
	if (options->journal) {
		fputs(" --journal ", stdout);
		ctl_print_word(options->journal);
	}
	putchar(' ');
	ctl_print_word(options->files[0]);
}

/* Ends a command with the names of the files. */
static void
print_files(const struct ctl_options *options)
{
	print_names(options);
	putchar('`');
}

static void
print_reset(const struct ctl_options *options, const char *start)
{
	printf("%s`pflashctl create --reset --template BACKUP", start);
	print_files(options);
	puts(": these files do not have the variables, a backup may have them");
}

/*
 * The file is a VARS image with padding or code behind it: it is its own
 * template.
 */
bool
ctl_advise_template(const struct ctl_options *options)
{
	const char *path = options->files[0];
	struct fv_report report = { .count = 0 };
	uint8_t *image = NULL;
	struct error note, err;
	size_t size;
	bool good = !ctl_is_device(path) &&
		    identify_template(path, &image, &size, &note, &err) > 0 &&
		    fv_check(image, size, &report);

	free(image);
	if (!good)
		return false;
	fputs("repair: `pflashctl create --reset --template ", stdout);
	ctl_print_word(path);
	print_files(options);
	puts(": the variables are in the file, which is kept");
	return true;
}

/* The journal alone has an image, but the block device has no room for it. */
static bool
print_small_device(const struct ctl_options *options,
		   const struct reader *reader)
{
	const char *path = options->files[0];
	off_t room;
	int fd = ctl_is_device(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return false;
	room = lseek(fd, 0, SEEK_END);
	(void)close(fd);
	if (room < 0 || room >= (off_t)reader_size(reader))
		return false;
	printf("repair: `pflashctl export --at %" PRIu64,
	       reader_newest(reader));
	print_names(options);
	printf(" NEW`: the device has %lld bytes and the flash %" PRIu32
	       ": make a VARS file or a larger device of NEW\n",
	       (long long)room, reader_size(reader));
	return true;
}

static void
print_accept(const struct ctl_options *options, const char *start,
	     const char *why)
{
	printf("%s`pflashctl accept", start);
	print_files(options);
	printf(": %s\n", why);
}

static void
print_rollback(const struct ctl_options *options, const struct reader *reader,
	       const char *start)
{
	printf("%s`pflashctl rollback --to %" PRIu64, start,
	       reader_newest(reader));
	print_files(options);
	puts(": the newest image in the journal; the VARS file is kept");
}

static const char *
other_size(const struct reader *reader)
{
	uint32_t size;

	return reader_vars(reader, &size) && size != reader_size(reader) ?
		       "the VARS file is sound and the journal is of a flash "
		       "of another size" :
		       NULL;
}

/* The journal alone has an image. */
static void
advise_point(const struct ctl_options *options, const struct reader *reader,
	     bool sound)
{
	const char *why = other_size(reader);

	if (print_small_device(options, reader))
		return;
	if (!why && reader_vars_may_be_newer(reader))
		why = "the VARS file is sound, the journal has lost its end";
	if (sound && why) {
		print_accept(options, "repair: ", why);
		print_rollback(options, reader,
			       "or, if the VARS file is the wrong one: ");
		return;
	}
	print_rollback(options, reader, "repair: ");
	if (sound)
		print_accept(options,
			     "or, if the VARS file was changed on "
			     "purpose: ",
			     "its variable store is sound");
}

/*
 * A complete device has no room for what a repair would keep: the way out is a
 * copy, which is complete as well.
 */
static void
advise_device(const struct ctl_options *options, const struct reader *reader,
	      bool sound)
{
	uint32_t size;

	if (sound && reader_journal_is_whole(reader) &&
	    reader_vars(reader, &size) && size == reader_size(reader))
		print_accept(options,
			     "repair, if the image was changed on purpose: ",
			     "its variable store is sound");
	fputs("repair: copy the device to a file COPY with dd, then "
	      "`pflashctl export --at ",
	      stdout);
	if (reader_newest(reader))
		printf("%" PRIu64, reader_newest(reader));
	else
		fputs("N", stdout);
	fputs(" COPY IMAGE`, or take an image from a backup, and "
	      "`pflashctl create --device --reset --template IMAGE",
	      stdout);
	print_files(options);
	puts(": the history stays in COPY");
}

void
ctl_advise(const struct ctl_options *options, const struct reader *reader)
{
	struct fv_report report = { .count = 0 };
	const uint8_t *vars = NULL;
	uint32_t size = 0;
	bool sound;

	if (reader)
		vars = reader_vars(reader, &size);
	sound = vars && fv_check(vars, size, &report);
	if (reader && reader_is_complete(reader)) {
		advise_device(options, reader, sound);
		return;
	}
	if (reader && reader_source(reader) == READER_VARS_FITS)
		print_accept(options, "repair: ",
			     "the VARS file and the end of the journal agree; "
			     "only older points are lost");
	else if (reader && reader_source(reader) == READER_POINT)
		advise_point(options, reader, sound);
	else if (sound)
		print_accept(options, "repair: ",
			     "the VARS file is sound, and the journal alone "
			     "has no image");
	else if (!ctl_advise_template(options))
		print_reset(options, "repair: ");
}
