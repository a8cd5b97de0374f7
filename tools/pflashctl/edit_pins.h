/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The record of pinned variables while pflashctl changes them: the host's own
 * changes become the pinned values.
 */
#ifndef PFLASHCTL_EDIT_PINS_H
#define PFLASHCTL_EDIT_PINS_H

#include "pflash/changes.h"
#include "pflash/files.h"
#include "pflash/pins.h"

/* Initialize with zeros. */
struct edit_pins {
	struct files *files;
	struct pins *before; /* the record that was replaced; NULL: none was */
};

/*
 * Writes the record before the variables: if a crash comes between, the next
 * start of the guest gives the variables the values of the record.  The caller
 * has the lock on VARS.  0, or -errno with a sentence; edit_pins_end() is due
 * after either.
 */
int edit_pins_change(struct edit_pins *edit, struct files *files,
		     const struct changes *changes, struct error *err);

/* `failed`: the variables were not changed; writes the former record again. */
void edit_pins_end(struct edit_pins *edit, bool failed);

#endif
