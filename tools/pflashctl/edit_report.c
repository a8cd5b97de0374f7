/* SPDX-License-Identifier: BSD-2-Clause */
#include "edit_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pflashctl.h"
#include "show.h"

static const struct {
	const char *word, *sentence; /* in JSON, and for people */
} results[EDIT_RESULTS] = {
	[EDIT_UNCHANGED] = { "unchanged", "nothing to change" },
	[EDIT_CHANGED] = { "changed", "changed" },
	[EDIT_WOULD_CHANGE] = { "would-change", "would be changed" },
	[EDIT_QUEUED] = { "queued", "kept for the next start" },
	[EDIT_FAILED] = { "failed", "failed" },
};

int
edit_report_begin(struct edit_report *report, bool json, size_t files)
{
	*report = (struct edit_report){
		.json = json,
		.files = files,
		.failures = calloc(files, sizeof(char *)),
		.list = json ? json_object_new_array() : NULL,
	};
	if (report->failures && (!json || report->list))
		return CTL_OK;
	free(report->failures);
	json_object_put(report->list);
	return ctl_fail(CTL_FAILED, "out of memory");
}

/* --- the changes of one file --- */

static void
report_change(const struct varstore *store, const struct change *change)
{
	const struct edit_value *value = &change->value;
	struct variable old, new = change_variable(change);
	bool found = varstore_find(store, value->guid, value->name,
				   value->name_size, &old) == 0;

	if (change->kind == CHANGE_SET)
		ctl_print_change(found ? EFFECTIVE_CHANGED : EFFECTIVE_ADDED,
				 found ? &old : NULL, &new);
	else if (found)
		ctl_print_change(EFFECTIVE_REMOVED, &old, NULL);
}

void
edit_report_changes(struct edit_report *report, const struct varstore *store,
		    const struct changes *changes)
{
	if (report->json || report->files > 1)
		return;
	for (size_t i = 0; i < changes_count(changes); i++)
		report_change(store, changes_at(changes, i));
}

/* --- files --- */

static void
add_text(struct json_object *object, const char *name, const char *text)
{
	(void)json_object_object_add(object, name,
				     json_object_new_string(text));
}

static void
add_json(struct edit_report *report, const char *path, enum edit_result result,
	 size_t changes, const struct error *err)
{
	struct json_object *object = json_object_new_object();

	if (!object)
		return;
	add_text(object, "file", path);
	add_text(object, "result", results[result].word);
	if (result == EDIT_FAILED)
		add_text(object, "error", err->text);
	else
		(void)json_object_object_add(object, "changes",
					     json_object_new_uint64(changes));
	(void)json_object_array_add(report->list, object);
}

static void
print_file(const char *path, enum edit_result result, size_t changes)
{
	(void)show_text(stdout, (struct text){ path, strlen(path) });
	printf(": %s", results[result].sentence);
	if (result != EDIT_UNCHANGED)
		printf(", %zu variable%s", changes, changes == 1 ? "" : "s");
	putchar('\n');
}

/* The line of a terminal that is written again and again. */
static void
show_progress(const struct edit_report *report)
{
	if (report->files < 2 || !isatty(STDERR_FILENO) ||
	    isatty(STDOUT_FILENO))
		return;
	fprintf(stderr, "\r%zu of %zu files%s", report->done, report->files,
		report->done == report->files ? "\n" : "");
}

void
edit_report_file(struct edit_report *report, const char *path,
		 enum edit_result result, size_t changes, int code,
		 const struct error *err)
{
	if (result == EDIT_FAILED) {
		report->failures[report->counts[result]] = strdup(err->text);
		if (report->code == CTL_OK)
			report->code = code;
	}
	report->counts[result]++;
	report->done++;
	if (report->json)
		add_json(report, path, result, changes, err);
	else if (result != EDIT_FAILED && report->files > 1)
		print_file(path, result, changes);
	else if (result == EDIT_UNCHANGED || result == EDIT_QUEUED)
		print_file(path, result, changes);
	show_progress(report);
}

static void
print_summary(const struct edit_report *report)
{
	printf("%zu files:", report->files);
	for (unsigned int i = 0; i < EDIT_RESULTS; i++)
		if (report->counts[i])
			printf(" %zu %s", report->counts[i], results[i].word);
	putchar('\n');
}

int
edit_report_end(struct edit_report *report)
{
	(void)fflush(stdout);
	for (size_t i = 0; i < report->counts[EDIT_FAILED]; i++) {
		if (!report->json)
			(void)ctl_fail(report->code, "%s",
				       report->failures[i] ?
					       report->failures[i] :
					       "out of memory");
		free(report->failures[i]);
	}
	free(report->failures);
	if (report->json) {
		show_json(stdout,
			  json_object_to_json_string_ext(
				  report->list,
				  JSON_C_TO_STRING_PRETTY |
					  JSON_C_TO_STRING_NOSLASHESCAPE));
		putchar('\n');
	} else if (report->files > 1) {
		print_summary(report);
	}
	json_object_put(report->list);
	return report->code;
}
