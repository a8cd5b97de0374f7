/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list of changes of variables: what one command does to one VARS file.  The
 * list is applied to an image as a whole or not at all, and can be kept in a
 * file until the guest's next start (pflash/queue.h).
 *
 * A list owns copies of all names and values.  Sizes are bytes.
 */
#ifndef PFLASH_CHANGES_H
#define PFLASH_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/edit.h"
#include "pflash/error.h"
#include "pflash/varstore.h"

struct changes;

enum change_kind {
	CHANGE_SET,    /* write the value */
	CHANGE_REMOVE, /* delete the variable, if there is one */
};

struct change {
	enum change_kind kind;
	struct edit_value value; /* of CHANGE_REMOVE: GUID and name only */
	/*
	 * The change was planned for this live variable.  If the image has
	 * another one by the time of changes_apply(), nothing is applied.
	 */
	bool has_condition;
	bool expects_none;          /* there was no such variable */
	struct edit_value expected; /* else: its attributes, time and data */
};

/* The variable that the change writes; of CHANGE_REMOVE, GUID and name only. */
struct variable change_variable(const struct change *change);

/* NULL: out of memory. */
struct changes *changes_new(void);
void changes_free(struct changes *changes);

/*
 * Adds a change; a later change of the same variable replaces an earlier one.
 * -ENOMEM with a sentence.
 */
int changes_set(struct changes *changes, const struct edit_value *value,
		struct error *err);
int changes_remove(struct changes *changes, const uint8_t *guid,
		   const uint8_t *name, uint32_t name_size, struct error *err);

/* The same with any change, and with its condition. */
int changes_add(struct changes *changes, const struct change *change,
		struct error *err);

/*
 * Gives every change the condition that its variable is as in `store`.
 * -ENOMEM with a sentence.
 */
int changes_expect(struct changes *changes, const struct varstore *store,
		   struct error *err);

size_t changes_count(const struct changes *changes);

/* NULL behind the last change.  It is valid until the list changes. */
const struct change *changes_at(const struct changes *changes, size_t index);

/*
 * True if each variable is as the list would make it; conditions do not matter.
 */
bool changes_in_effect(const struct changes *changes,
		       const struct varstore *store);

/*
 * Applies all changes to `image`, in place.  Returns 1 if the image has
 * changed; 0 if all variables were as wanted already.  -ESTALE: a condition is
 * not met; the sentence names the variable.  Other errors as for edit_begin()
 * and edit_set().  After an error the image is unchanged.
 */
int changes_apply(const struct changes *changes, uint8_t *image, size_t size,
		  struct error *err);

#endif
