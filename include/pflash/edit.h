/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Edits the variables of a VARS image, as edk2's variable driver changes them:
 * the same states, order, alignment, limits and reclaim.  An image that was
 * edited is one that the firmware could have made itself.
 *
 * An edit works on its own copy of the image.  All functions accept any bytes.
 * Sizes are bytes.  Every error comes with a sentence that names the variable
 * or the part of the image; after an error the image of the edit is as before
 * the call.
 *
 * Sources: edk2 MdeModulePkg/Universal/Variable/RuntimeDxe, Variable.c
 * (UpdateVariable, VariableServiceSetVariable, Reclaim); line numbers are those
 * of edk2 2022.11.
 */
#ifndef PFLASH_EDIT_H
#define PFLASH_EDIT_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/varstore.h"

struct edit;

/* A variable to write; the pointers are borrowed during the call. */
struct edit_value {
	const uint8_t *guid; /* vendor GUID, GUID_SIZE bytes */
	const uint8_t *name; /* UTF-16LE, with its NUL */
	uint32_t name_size;  /* bytes, with the NUL */
	uint32_t attributes; /* stored as they are, so without APPEND */
	/* Stored in an authenticated store; all 0 for other variables. */
	struct variable_time time;
	const uint8_t *data;
	uint32_t data_size; /* not 0 */
};

/*
 * Begins an edit of a copy of `image`.  A fault-tolerant write that is pending
 * is completed first, as the firmware does at its next boot.  -EINVAL: the
 * firmware would not keep the variables of this image, or a reclaim would do
 * more than drop what is deleted; the sentence says which command mends it.
 * -ENOMEM.  The caller ends the edit with edit_end().
 */
int edit_begin(struct edit **out, const uint8_t *image, size_t size,
	       struct error *err);
void edit_end(struct edit *edit);

/* The edited image, of the same size; it belongs to the edit. */
const uint8_t *edit_image(const struct edit *edit);

/* The variable store of the edited image, for varstore_find() and others. */
const struct varstore *edit_store(const struct edit *edit);

/*
 * Writes a variable: replaces the live one of this vendor GUID and name, with
 * its attributes, or adds one.  Does nothing and returns 0 if the live variable
 * is equal already.  Returns 1 if it wrote.  -ENOSPC: there is no room, not
 * even after a reclaim.  -E2BIG: larger than this firmware allows.  -EINVAL:
 * the name is no string, the attributes are none of a variable in flash, or
 * the store cannot hold a time stamp.
 */
int edit_set(struct edit *edit, const struct edit_value *value,
	     struct error *err);

/* Deletes the live variable.  -ENOENT: there is none. */
int edit_remove(struct edit *edit, const uint8_t *guid, const uint8_t *name,
		uint32_t name_size, struct error *err);

#endif
