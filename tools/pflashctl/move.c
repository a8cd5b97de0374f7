/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl move, clone, remove and forget. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pflash/known.h"
#include "pflash/path.h"
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

	if (known_move(NULL, from, to, &err) < 0)
		(void)ctl_fail(CTL_OK,
			       "the flash was moved, but this is not "
			       "recorded, so pflashd may create a new %s: %s",
			       from->name[FILES_VARS], err.text);
}

/* An earlier move, or the same one before it was interrupted, was complete. */
static void
explain_gone(const struct files *from, struct error *err)
{
	char *place = known_place(NULL, from);

	if (place)
		error_set(err, ENOENT,
			  "%s: No such file or directory: it was moved to %s",
			  from->name[FILES_VARS], place);
	free(place);
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
	if (ret == -ENOENT && store_check_new(&old, NULL) == 0)
		explain_gone(from, &err);
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

/*
 * Removes the files and then the record: without the files the record would
 * refuse the next guest of this name.  After an interrupted call only the
 * record may be left.
 */
static int
remove_flash(const struct ctl_options *options, struct files *files)
{
	struct store_config config = ctl_config(options);
	struct error err, why;
	bool found = false;
	int gone, ret;

	config.files = files;
	gone = store_remove(&config, &err);
	if (gone < 0 && gone != -ENOENT)
		return ctl_refused(gone, &err);
	ret = known_forget(NULL, files, &found, &why);
	if (ret < 0)
		return ctl_refused(ret, &why);
	return gone < 0 && !found ? ctl_refused(gone, &err) : CTL_OK;
}

int
ctl_remove(const struct ctl_options *options)
{
	struct files *files;
	int code = open_files(options->files[0], options->journal, &files);

	if (code != CTL_OK)
		return code;
	code = remove_flash(options, files);
	files->ops->close(files);
	return code;
}

/* Forgets a move that was interrupted, and then the record. */
static int
forget(const struct ctl_options *options, struct files *files)
{
	struct store_config config = ctl_config(options);
	bool undone, found = false;
	struct error err;
	int ret;

	config.files = files;
	ret = store_move_undo(&config, &undone, &err);
	if (!ret && undone)
		puts("the move is undone: do not use the other place");
	if (!ret)
		ret = known_forget(NULL, files, &found, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	if (!undone || found)
		puts(found ? "forgotten" : "there is no record of this file");
	return CTL_OK;
}

/* Forgets a path whose directory is gone; no link in it can be resolved. */
static int
forget_path(const char *path)
{
	const struct files files = { .name = { [FILES_VARS] = path } };
	bool found;
	struct error err;
	int ret = known_forget(NULL, &files, &found, &err);

	if (ret < 0)
		return ctl_refused(ret, &err);
	puts(found ? "forgotten" : "there is no record of this file");
	return CTL_OK;
}

int
ctl_forget(const struct ctl_options *options)
{
	const char *vars = options->files[0];
	struct files *files;
	int code;

	if (*vars == '/' && path_check_directory(vars) == -ENOENT)
		return forget_path(vars);
	code = open_files(vars, options->journal, &files);
	if (code != CTL_OK)
		return code;
	code = forget(options, files);
	files->ops->close(files);
	return code;
}
