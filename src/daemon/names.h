/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of one flash, by the names that the store gives them: what a
 * process that can open nothing may have opened for it.
 */
#ifndef PFLASHD_NAMES_H
#define PFLASHD_NAMES_H

#include <stdbool.h>

struct names {
	const char *vars;    /* as on the command line, borrowed */
	const char *journal; /* absolute, or NULL; borrowed */
	char *real;          /* VARS without links; NULL: not there yet */
};

/* NULL with errno, as realpath(3), for VARS only; the names' own. */
const char *names_resolve(struct names *names, const char *path);
void names_free(struct names *names);

/*
 * VARS, its journal, the chip's state, a new one of these; and what VARS is
 * called while it is made.
 */
bool names_have(const struct names *names, const char *path);

/* A directory that one of these lies in. */
bool names_have_directory(const struct names *names, const char *path);

#endif
