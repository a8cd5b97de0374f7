/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl convert --undo. */
#ifndef PFLASHCTL_UNDO_H
#define PFLASHCTL_UNDO_H

#include "pflashctl.h"

/* The command line that undoes a conversion of these files. */
void undo_print_command(const struct ctl_options *options,
			const struct files *files);

/* Undoes the last conversion.  Returns the exit code. */
int undo_conversion(const struct ctl_options *options, struct files *files);

/*
 * Gives VARS back the journal that an interrupted conversion has left in the
 * kept files.  1: it did; 0: that was not necessary; or -errno with a sentence.
 */
int undo_interrupted(const struct ctl_options *options, struct files *files,
		     struct error *err);

/*
 * 0, or -errno with a sentence: a guest that waits for this store would find a
 * flash of another size.
 */
int convert_check_waiting(const struct store *store, struct error *err);

#endif
