/* SPDX-License-Identifier: BSD-2-Clause */
#include "edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edit_report.h"
#include "enqueue.h"
#include "pflash/identify.h"
#include "pflash/parse.h"
#include "pflash/pins.h"
#include "pflash/reader.h"
#include "pflash/store.h"
#include "pflashctl.h"
#include "targets.h"

int
edit_option(struct edit_options *options, int id, const char *arg,
	    struct error *err)
{
	int ret = 0;

	switch (id) {
	case EDIT_JSON: options->json = true; break;
	case EDIT_NEXT_START: options->next_start = true; break;
	case EDIT_DRY_RUN: options->dry_run = true; break;
	case EDIT_JOURNAL: options->journal = arg; break;
	case EDIT_AT:
		options->has_at = true;
		ret = parse_number(arg, PARSE_DECIMAL, 0, UINT64_MAX,
				   &options->at, err);
		break;
	default: return 0;
	}
	return ret < 0 ? ret : 1;
}

static struct ctl_options
one_file(const struct edit_options *options, const char *path)
{
	return (struct ctl_options){
		.files = { path },
		.journal = options->journal,
	};
}

/* --- reading --- */

static int
check_kind(const uint8_t *image, size_t size, struct error *err)
{
	struct identity identity;

	identify_image(image, size, &identity);
	if (!identity_is_foreign(&identity) && !identity_is_blank(&identity))
		return 0;
	identity_text(&identity, IDENTITY_AS_VARS, err);
	return -EINVAL;
}

static int
open_store(struct varstore *store, const uint8_t *image, size_t size,
	   struct error *err)
{
	int ret = check_kind(image, size, err);

	return ret < 0 ? ret : varstore_open(store, image, size, err);
}

static int
read_image(const struct edit_options *options, struct edit_reading *reading,
	   struct error *err)
{
	const struct ctl_options file = one_file(options, reading->path);
	const struct store_config config = ctl_config(&file);
	struct reader *reader;
	int ret = options->has_at ? reader_open_rescue(&reader, &config, err) :
				    reader_open_files(&reader, &config, err);

	if (ret < 0)
		return ret;
	reading->size = reader_size(reader);
	ret = ctl_image(reader, options->has_at, options->at, &reading->image,
			err);
	reader_close(reader);
	return ret;
}

/* Puts the path before a sentence that does not have it. */
static void
name_file(const char *path, struct error *err)
{
	struct error sentence = *err;

	if (strstr(sentence.text, path) != sentence.text)
		(void)error_set(err, EINVAL, "%s: %s", path, sentence.text);
}

int
edit_read(const struct edit_options *options, const char *file,
	  struct edit_reading *reading)
{
	char *argument = strdup(file);
	struct targets targets;
	struct error err;
	int code, ret;

	*reading = (struct edit_reading){ .image = NULL };
	if (!argument)
		return ctl_fail(CTL_FAILED, "out of memory");
	code = targets_find(&targets, &argument, 1);
	free(argument);
	if (code == CTL_OK && targets.count != 1)
		code = ctl_fail(CTL_USAGE, "%s: name one file of it", file);
	if (code == CTL_OK) {
		reading->path = targets.paths[0];
		targets.count = 0;
	}
	targets_free(&targets);
	if (code != CTL_OK)
		return code;
	ret = read_image(options, reading, &err);
	if (ret == 0)
		ret = open_store(&reading->store, reading->image, reading->size,
				 &err);
	if (ret == 0)
		return CTL_OK;
	name_file(reading->path, &err);
	code = ctl_refused(ret, &err);
	edit_read_end(reading);
	return code;
}

void
edit_read_end(struct edit_reading *reading)
{
	free(reading->image);
	free(reading->path);
	*reading = (struct edit_reading){ .image = NULL };
}

/* --- one file --- */

struct editing {
	const struct edit_options *options;
	bool conditional;
	edit_plan *plan;
	void *opaque;
	struct edit_report *report;
	const char *path;
	struct changes *changes; /* of this file */
	struct files *files;     /* while it is rewritten */
	struct pins_edit pins;
};

/* Plans the changes for this image; they replace those planned before. */
static int
plan(struct editing *editing, const struct varstore *store, uint32_t size,
     struct error *err)
{
	const struct edit_target target = {
		.path = editing->path,
		.store = store,
		.layout = fv_layout_by_size(size),
	};

	changes_free(editing->changes);
	editing->changes = changes_new();
	if (!editing->changes)
		return error_set(err, ENOMEM, "out of memory");
	return editing->plan(editing->opaque, &target, editing->changes, err);
}

/*
 * Plans again, for the image that is locked now, and applies.  The report has
 * the changes that were made.
 */
static int
rewrite(void *opaque, const struct store *store, uint8_t *image,
	struct error *err)
{
	struct editing *editing = opaque;
	uint32_t size = store_size(store);
	struct varstore variables;
	int ret;

	ret = open_store(&variables, store_image(store), size, err);
	if (ret == 0)
		ret = plan(editing, &variables, size, err);
	if (ret < 0)
		return ret;
	memcpy(image, store_image(store), size);
	ret = changes_apply(editing->changes, image, size, err);
	if (ret <= 0)
		return ret;
	editing->pins.files = editing->files;
	ret = pins_edit_change(&editing->pins, editing->changes, err);
	if (ret < 0)
		return ret;
	edit_report_changes(editing->report, &variables, editing->changes);
	return 1;
}

/* Returns an enum edit_result, or -errno. */
static int
make_changes(struct editing *editing, struct error *err)
{
	const struct ctl_options file = one_file(editing->options,
						 editing->path);
	struct store_config config = ctl_config(&file);
	int ret = files_find(&editing->files, config.path, config.journal,
			      NULL, err);

	if (ret < 0)
		return ret;
	config.files = editing->files;
	ret = store_rewrite(&config, rewrite, editing, err);
	pins_edit_end(&editing->pins, ret < 0 && ret != -EIO);
	editing->files->ops->close(editing->files);
	return ret < 0 ? ret : EDIT_CHANGED;
}

/* Keeps the changes, planned for these variables, until the next start. */
static int
queue_changes(struct editing *editing, const struct varstore *store,
	      struct error *err)
{
	const struct ctl_options file = one_file(editing->options,
						 editing->path);
	const struct store_config config = ctl_config(&file);
	int ret = 0;

	if (editing->conditional)
		ret = changes_expect(editing->changes, store, err);
	if (ret == 0)
		ret = enqueue(&config, editing->changes, err);
	if (ret < 0)
		return ret;
	edit_report_changes(editing->report, store, editing->changes);
	return EDIT_QUEUED;
}

/*
 * Decides without the lock if there is anything to do: nothing is written, and
 * no journal is made, for a file that is refused or stays as it is.
 */
static int
edit_image_of(struct editing *editing, struct edit_reading *reading,
	      struct error *err)
{
	struct varstore *store = &reading->store;
	int ret = open_store(store, reading->image, reading->size, err);
	uint8_t *after;

	if (ret == 0)
		ret = plan(editing, store, reading->size, err);
	if (ret < 0)
		return ret;
	after = malloc(reading->size);
	if (!after)
		return error_set(err, ENOMEM, "out of memory");
	memcpy(after, reading->image, reading->size);
	ret = changes_apply(editing->changes, after, reading->size, err);
	free(after);
	if (ret <= 0)
		return ret < 0 ? ret : EDIT_UNCHANGED;
	if (!editing->options->dry_run)
		return editing->options->next_start ?
			       queue_changes(editing, store, err) :
			       make_changes(editing, err);
	edit_report_changes(editing->report, store, editing->changes);
	return EDIT_WOULD_CHANGE;
}

static int
edit_unlocked(struct editing *editing, struct error *err)
{
	const struct ctl_options file = one_file(editing->options,
						 editing->path);
	const struct store_config config = ctl_config(&file);
	struct edit_reading reading = { .path = (char *)editing->path };
	int ret = 0;

	if (!editing->options->dry_run && !editing->options->next_start)
		ret = store_check_free(&config, err);
	if (ret == 0)
		ret = read_image(editing->options, &reading, err);
	if (ret == 0 && editing->options->next_start)
		ret = enqueue_preview(&config, reading.image, reading.size,
				      err);
	if (ret == 0)
		ret = edit_image_of(editing, &reading, err);
	free(reading.image);
	return ret;
}

/* The result of one file; `code` and `err` are of EDIT_FAILED. */
struct outcome {
	enum edit_result result;
	size_t changes;
	int code;
	struct error err;
};

static void
edit_file(struct editing *editing, const char *path, struct outcome *outcome)
{
	int ret;

	*outcome = (struct outcome){ .code = CTL_OK };
	editing->path = path;
	ret = edit_unlocked(editing, &outcome->err);
	if (ret < 0) {
		name_file(path, &outcome->err);
		outcome->code = ctl_code(ret);
		ret = EDIT_FAILED;
	} else if (editing->changes) {
		outcome->changes = changes_count(editing->changes);
	}
	outcome->result = (enum edit_result)ret;
	changes_free(editing->changes);
	editing->changes = NULL;
}

static void
tell(struct edit_report *report, const char *path,
     const struct outcome *outcome)
{
	edit_report_file(report, path, outcome->result, outcome->changes,
			 outcome->code, &outcome->err);
}

/* --- many files ----------------------------------------------------------- */

/*
 * An edit waits for the disk most of the time, and a file system makes the
 * syncs of several processes in one write.  So child number n edits the files
 * n, n + CHILDREN and so on, and the parent reports them in order.
 */
#define CHILDREN 16u

static void
run_child(struct editing *editing, const struct targets *targets, size_t first,
	  int to)
{
	struct outcome outcome;

	for (size_t i = first; i < targets->count; i += CHILDREN) {
		edit_file(editing, targets->paths[i], &outcome);
		if (write(to, &outcome, sizeof(outcome)) !=
		    (ssize_t)sizeof(outcome))
			break;
	}
	_exit(0);
}

/* Returns the pipe of its outcomes, or -1: it was not started. */
static int
start_child(struct editing *editing, const struct targets *targets,
	    size_t first)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		run_child(editing, targets, first, ends[1]);
	}
	close(ends[1]);
	if (pid > 0)
		return ends[0];
	close(ends[0]);
	return -1;
}

static bool
read_outcome(int from, struct outcome *outcome)
{
	char *to = (char *)outcome;
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(*outcome)) {
		n = read(from, to + len, sizeof(*outcome) - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		len += (size_t)n;
	}
	return true;
}

/* The outcome of a file whose child has ended before it told it. */
static void
lost(struct outcome *outcome, const char *path)
{
	*outcome = (struct outcome){ EDIT_FAILED, 0, CTL_FAILED, { "" } };
	(void)error_set(&outcome->err, EIO,
			"%s: the process that edited it has ended", path);
}

static void
edit_many(struct editing *editing, const struct targets *targets)
{
	size_t count = targets->count < CHILDREN ? targets->count : CHILDREN;
	struct outcome outcome;
	int from[CHILDREN];

	(void)fflush(NULL);
	for (size_t i = 0; i < count; i++)
		from[i] = start_child(editing, targets, i);
	for (size_t i = 0; i < targets->count; i++) {
		const char *path = targets->paths[i];

		if (from[i % CHILDREN] < 0)
			edit_file(editing, path, &outcome);
		else if (!read_outcome(from[i % CHILDREN], &outcome))
			lost(&outcome, path);
		tell(editing->report, path, &outcome);
	}
	for (size_t i = 0; i < count; i++)
		if (from[i] >= 0)
			close(from[i]);
	while (wait(NULL) > 0)
		;
}

static void
edit_one(struct editing *editing, const char *path)
{
	struct outcome outcome;

	edit_file(editing, path, &outcome);
	tell(editing->report, path, &outcome);
}

int
edit_files(const struct edit_options *options, char **files, unsigned int count,
	   bool conditional, edit_plan *plan_fn, void *opaque)
{
	struct edit_report report;
	struct editing editing = {
		.options = options,
		.conditional = conditional,
		.plan = plan_fn,
		.opaque = opaque,
		.report = &report,
	};
	struct targets targets;
	int code = targets_find(&targets, files, count);

	if (code == CTL_OK && targets.count > 1 && options->journal)
		code = ctl_fail(CTL_USAGE, "--journal: for one file only");
	if (code == CTL_OK)
		code = edit_report_begin(&report, options->json, targets.count);
	if (code == CTL_OK) {
		if (targets.count == 1)
			edit_one(&editing, targets.paths[0]);
		else
			edit_many(&editing, &targets);
		code = edit_report_end(&report);
	}
	targets_free(&targets);
	return code;
}
