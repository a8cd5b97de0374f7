/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl move, clone and forget. */
#include <stdio.h>

#include "pflash/known.h"
#include "pflashctl.h"

/* The store at the second path of the command line. */
static struct store_config
target(const struct ctl_options *options)
{
	return (struct store_config){
		.path = options->files[1],
		.journal = options->new_journal,
	};
}

static int
open_files(const char *vars, const char *journal, struct files **files)
{
	struct error err;
	int ret = files_local(files, vars, journal, NULL, &err);

	return ret < 0 ? ctl_refused(ret, &err) : CTL_OK;
}

/*
 * The flash was moved; a record that cannot be written only makes pflashd less
 * careful with the old path.
 */
static void
record_move(const struct files *from, const struct files *to)
{
	struct error err;

	if (known_move(NULL, from->name[FILES_VARS], to->name[FILES_VARS],
		       &err) < 0)
		(void)ctl_fail(CTL_OK,
			       "the flash was moved, but this is not "
			       "recorded, so pflashd may create a new %s: %s",
			       from->name[FILES_VARS], err.text);
}

static int
move(const struct ctl_options *options, struct files *from, struct files *to)
{
	struct store_config old = ctl_config(options), new = target(options);
	struct error err;
	int ret;

	old.files = from;
	new.files = to;
	ret = store_move(&old, &new, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	record_move(from, to);
	return CTL_OK;
}

int
ctl_move(const struct ctl_options *options)
{
	struct files *from = NULL, *to = NULL;
	int code = open_files(options->files[0], options->journal, &from);

	if (code == CTL_OK)
		code = open_files(options->files[1], options->new_journal, &to);
	if (code == CTL_OK)
		code = move(options, from, to);
	if (from)
		from->ops->close(from);
	if (to)
		to->ops->close(to);
	return code;
}

int
ctl_clone(const struct ctl_options *options)
{
	const struct store_config old = ctl_config(options);
	const struct store_config new = target(options);
	struct error err;
	int ret = store_clone(&old, &new, &err);

	return ret < 0 ? ctl_refused(ret, &err) : CTL_OK;
}

int
ctl_forget(const struct ctl_options *options)
{
	struct files *files;
	struct error err;
	bool found = false;
	int code = open_files(options->files[0], NULL, &files), ret;

	if (code != CTL_OK)
		return code;
	ret = known_forget(NULL, files->name[FILES_VARS], &found, &err);
	files->ops->close(files);
	if (ret < 0)
		return ctl_refused(ret, &err);
	puts(found ? "forgotten" : "there is no record of this file");
	return CTL_OK;
}
