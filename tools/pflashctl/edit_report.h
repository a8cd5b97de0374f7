/* SPDX-License-Identifier: BSD-2-Clause */
/* The report of an edit of one or several files. */
#ifndef PFLASHCTL_EDIT_REPORT_H
#define PFLASHCTL_EDIT_REPORT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "pflash/changes.h"
#include "pflash/error.h"
#include "pflash/varstore.h"

enum edit_result {
	EDIT_UNCHANGED, /* all variables were as wanted */
	EDIT_CHANGED,
	EDIT_WOULD_CHANGE, /* --dry-run */
	EDIT_QUEUED,       /* --next-start */
	EDIT_FAILED,
	EDIT_RESULTS
};

struct edit_report {
	bool json;
	size_t files; /* in all */
	size_t done;
	size_t counts[EDIT_RESULTS];
	int code; /* exit code of the first failure */
	/* "PATH: sentence" of each failure; printed at the end. */
	char **failures;
	struct json_object *list; /* with `json` */
};

/* CTL_OK, or CTL_FAILED after a message. */
int edit_report_begin(struct edit_report *report, bool json, size_t files);

/*
 * Reports the changes of one file; `store` has the variables before them, and
 * must not have changed.  To be called before edit_report_file().
 */
void edit_report_changes(struct edit_report *report,
			 const struct varstore *store,
			 const struct changes *changes);

/* Reports the result of one file; `code` and `err` are of EDIT_FAILED. */
void edit_report_file(struct edit_report *report, const char *path,
		      enum edit_result result, size_t changes, int code,
		      const struct error *err);

/* Prints the summary and frees the report.  Returns the exit code. */
int edit_report_end(struct edit_report *report);

#endif
