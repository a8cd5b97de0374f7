/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contents of the files of a flash, for commands that take a flash to
 * another place.  Private to src/store.
 *
 * Errors: 0, or -errno with a sentence that begins with the path.
 */
#ifndef STORE_PARCEL_H
#define STORE_PARCEL_H

#include "vars.h"

struct content {
	uint8_t *bytes; /* malloc()ed; NULL: there is no such file */
	size_t len;
};

/* Reads a whole file of this role; no such file: bytes stays NULL. */
int parcel_read_role(const struct vars *vars, enum files_role role,
		     struct content *content, struct error *err);

/*
 * Writes the file of a role durably; without `replace` there must be none.
 * After a failure, *renamed is true if the new file has the name, perhaps not
 * durably.
 */
int parcel_put_role(const struct vars *vars, enum files_role role, bool replace,
		    const struct content *content, bool *renamed,
		    struct error *err);

/* Removes the file of a role, durably; 0 also if there is none. */
int parcel_remove_role(const struct vars *vars, enum files_role role,
		       struct error *err);

/* Writes a new VARS file, in place of another, durably. */
int parcel_put_vars(const struct vars *vars, const struct content *image,
		    struct error *err);

/*
 * Writes the image at the beginning of a complete device, durably, which must
 * be prepared for an image of this size.
 */
int parcel_put_device(const struct file *device, const struct content *image,
		      struct error *err);

/*
 * Checks that store_open() would accept this image of vars->size bytes with
 * this journal, which may be missing.  Otherwise its repair is due first.
 */
int parcel_check(const struct vars *vars, const struct content *image,
		 const struct content *journal, struct error *err);

#endif
