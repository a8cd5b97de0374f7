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
 * Begins an edit of a copy of `image`.  First this does what the firmware does
 * at its next boot before it sets a variable: it completes a fault-tolerant
 * write of the variable store that is pending, and cleans up bytes behind the
 * last variable that are not erased.  So the image of the edit can differ from
 * `image` before the first change.
 *
 * -EINVAL: the firmware would not keep the variables of this image, or would
 * drop some when it cleans up; the sentence says what to do.  -EBUSY: another
 * fault-tolerant write is pending.  -ENOMEM.  The caller ends the edit with
 * edit_end(), which accepts NULL; *out is NULL after an error.
 */
int edit_begin(struct edit **out, const uint8_t *image, size_t size,
	       struct error *err);
void edit_end(struct edit *edit);

/*
 * The edited image, of the same size; it belongs to the edit, and stays at this
 * address until edit_end().  A variable in it can move with each edit_set().
 */
const uint8_t *edit_image(const struct edit *edit);

/* The variable store of the edited image, for varstore_find() and others. */
const struct varstore *edit_store(const struct edit *edit);

/*
 * Writes a variable: replaces the live one of this vendor GUID and name, with
 * its attributes, or adds one.  The value may be in the edited image itself.
 * Does nothing and returns 0 if the live variable is equal already: its
 * attributes, time stamp and data, also if no other value of this kind could be
 * written.  Returns 1 if it wrote.
 *
 * -ENOSPC: there is no room, not even after a reclaim; or a reclaim would
 * change other variables, so that it is left to the firmware.
 * -E2BIG: larger than this firmware allows.
 * -EINVAL: the name is no string, there is no data, or OVMF never stores such a
 * variable: one that is not non-volatile with boot service access, a hardware
 * error record (OvmfXen.dsc leaves PcdHwErrStorageSize 0), one with deprecated
 * or unknown attributes, or a time stamp without time-based authentication or
 * in a store that has no place for it.
 *
 * OvmfXen.dsc reserves no part of the store: neither for hardware error records
 * nor for the boot (PcdBoottimeReservedNvVariableSpaceSize) nor from users
 * (PcdMaxUserNvVariableSpaceSize).  The contents are the caller's: OVMF's
 * checks of them (VarCheckUefiLib), signatures, and variables that it derives
 * from others (Lang from PlatformLang) are not part of the store.
 */
int edit_set(struct edit *edit, const struct edit_value *value,
	     struct error *err);

/* Deletes the live variable.  -ENOENT: there is none. */
int edit_remove(struct edit *edit, const uint8_t *guid, const uint8_t *name,
		uint32_t name_size, struct error *err);

#endif
