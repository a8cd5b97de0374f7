/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VARS files that the arguments of a command name: a file, all VARS files
 * of a directory, or the file of a running guest given by id or name.
 */
#ifndef PFLASHCTL_TARGETS_H
#define PFLASHCTL_TARGETS_H

#include <stddef.h>

struct targets {
	char **paths; /* malloc()ed, sorted within each directory */
	size_t count;
};

/*
 * An argument with a slash, or one that exists, is a path.  In a directory,
 * takes the regular files that begin with a volume of variables, or have a
 * journal beside them; symbolic links too, but no directory below.  CTL_OK, or
 * another exit code after a message: an argument names nothing, or a directory
 * has no VARS file.  targets_free() is due after either.
 */
int targets_find(struct targets *targets, char **arguments, unsigned int count);
void targets_free(struct targets *targets);

#endif
