/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Examines a file of options, pflash.conf(5), as pflashd would read it, but
 * goes on behind a mistake.
 */
#ifndef PFLASH_CONF_H
#define PFLASH_CONF_H

#include <stdbool.h>

#include "pflash/error.h"

/* The files that it names; strings of malloc(3), NULL: not named. */
struct conf {
	char *vars, *journal, *template, *code;
	const char *layout; /* a constant; NULL: not named */
	/* A value has the guest's name, which conf_read() was not given. */
	bool for_each_guest;
};

/*
 * Called for each mistake in the order of their lines; line 0: of the whole
 * file.  NULL: they are only counted.
 */
typedef void conf_mistake(void *opaque, unsigned int line,
			  const char *sentence);

/*
 * Reads the file of the guest `name`; NULL: of guests that have no file of
 * their own, and the text "%n" then stays in the values.  Returns the number of
 * mistakes, or -errno with a sentence: the file cannot be read.  conf_free() is
 * due in any case.
 */
int conf_read(const char *path, const char *name, struct conf *conf,
	      conf_mistake *mistake, void *opaque, struct error *err);
void conf_free(struct conf *conf);

#endif
