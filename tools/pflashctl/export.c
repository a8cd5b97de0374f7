/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl export. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pflash/save.h"
#include "pflash/store.h"
#include "pflashctl.h"

static int
write_out(const char *path, const uint8_t *image, size_t size,
	  struct error *err)
{
	int ret;

	if (strcmp(path, "-") != 0)
		return save_file(path, image, size, 0600, err);
	ret = save_to(STDOUT_FILENO, image, size);
	return ret < 0 ? error_errno(err, -ret, "standard output") : 0;
}

/* True if two names, or two links, are of the same file. */
static bool
same_file(const char *out, const char *other)
{
	struct stat a, b;

	return stat(out, &a) == 0 && stat(other, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* True if OUT is the VARS file or its journal. */
static bool
is_source(const char *out, const char *vars, const char *given)
{
	char *real = realpath(vars, NULL), *journal = NULL;
	bool same = same_file(out, vars) || (given && same_file(out, given));

	if (real && asprintf(&journal, "%s.journal", real) >= 0)
		same = same || same_file(out, journal);
	free(journal);
	free(real);
	return same;
}

/* With --at, the journal alone is enough, also if it is damaged. */
static int
take_image(const struct ctl_options *options, uint8_t **image, size_t *size)
{
	const struct store_config config = ctl_config(options);
	struct reader *reader;
	struct error err;
	int ret = options->has_at ? reader_open_rescue(&reader, &config, &err) :
				    reader_open_files(&reader, &config, &err);

	if (ret < 0)
		return ctl_refused(ret, &err);
	*size = reader_size(reader);
	ret = ctl_image(reader, options->has_at, options->at, image, &err);
	reader_close(reader);
	return ret < 0 ? ctl_refused(ret, &err) : CTL_OK;
}

int
ctl_export(const struct ctl_options *options)
{
	const char *out = options->files[1];
	uint8_t *image = NULL;
	size_t size = 0;
	struct error err;
	int code;

	if (is_source(out, options->files[0], options->journal))
		return ctl_fail(CTL_USAGE,
				"%s: is the file to export, or its journal: "
				"give another file",
				out);
	code = take_image(options, &image, &size);
	if (code == CTL_OK && write_out(out, image, size, &err) < 0)
		code = ctl_fail(CTL_FAILED, "%s", err.text);
	free(image);
	return code;
}
