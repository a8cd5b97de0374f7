/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The edits of variables that `vars`, `boot` and `keys` make: in one VARS file
 * or in thousands, now or at the guest's next start.  A command plans its
 * changes for one image; this module opens the files, applies the changes as
 * one burst each, and reports.
 */
#ifndef PFLASHCTL_EDIT_H
#define PFLASHCTL_EDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/changes.h"
#include "pflash/error.h"
#include "pflash/fv.h"
#include "pflash/varstore.h"

/* The options that all commands of the three groups share. */
struct edit_options {
	const char *journal; /* NULL: VARS.journal; for a single file only */
	bool next_start;     /* keep the changes for the guest's next start */
	bool dry_run;        /* report only */
	bool json;
	bool has_at; /* of commands that read */
	uint64_t at;
};

/* The ids of these options in the tables for cmdline_parse(). */
enum {
	EDIT_JSON = 0x100, /* "json" */
	EDIT_AT,           /* "at", with a value */
	EDIT_NEXT_START,   /* "next-start" */
	EDIT_DRY_RUN,      /* "dry-run" */
	EDIT_JOURNAL,      /* "journal", with a value */
};

/* Takes the option: 1; 0: it is none of these; or -EINVAL with a sentence. */
int edit_option(struct edit_options *options, int id, const char *arg,
		struct error *err);

/* One file of a command. */
struct edit_target {
	const char *path;               /* of the VARS file */
	const struct varstore *store;   /* its variables now */
	const struct fv_layout *layout; /* NULL: unknown */
};

/*
 * Plans the changes for one file.  Returns 0, also with no change, or -errno
 * with a sentence that does not name the file.  It may be called twice for a
 * file, and in a process of its own: it changes nothing else.
 */
typedef int edit_plan(void *opaque, const struct edit_target *target,
		      struct changes *changes, struct error *err);

/*
 * Plans and makes the changes in each of the files.  A directory stands for the
 * VARS files in it.  With one file, prints one line for each change; with
 * several, one line for each file and a summary, failures last; as JSON with
 * options->json.  Returns the exit code, of the first failure if there is one.
 * `conditional`: with --next-start, the changes are dropped if a variable that
 * they concern has changed until then.
 */
int edit_files(const struct edit_options *options, char **files,
	       unsigned int count, bool conditional, edit_plan *plan,
	       void *opaque);

/*
 * Reads one file for a command that changes nothing: the image of now or of
 * options->at, of a VARS file or of a running guest given by ID or name.
 * CTL_OK, or another exit code after a message.
 */
struct edit_reading {
	uint8_t *image; /* freed by edit_read_end() */
	uint32_t size;
	char *path; /* of the VARS file */
	struct varstore store;
};

int edit_read(const struct edit_options *options, const char *file,
	      struct edit_reading *reading);
void edit_read_end(struct edit_reading *reading);

#endif
