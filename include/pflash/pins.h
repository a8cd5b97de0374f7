/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pinned variables: the host decides their values, and a guest cannot change
 * what its next boot finds under their names.
 *
 * A commit is judged by the image that results from it, never by the bytes that
 * the guest wrote.  Every variable that the firmware could take for a pinned
 * one must have the pinned value: the live one, and also one that edk2 would
 * find after a reclaim, or because it compares names by the length that the
 * flash claims (VariableParsing.c:505).  edk2 writes its variables so that this
 * holds at every moment, unless it changes a pinned variable.
 *
 * The functions do no I/O and accept any bytes.  Line numbers are those of edk2
 * 2022.11.
 */
#ifndef PFLASH_PINS_H
#define PFLASH_PINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/changes.h"
#include "pflash/error.h"
#include "pflash/files.h"
#include "pflash/store.h"
#include "pflash/sys.h"
#include "pflash/varstore.h"

/* Groups of variables; pins_rules.c has their members. */
enum {
	PINS_KEYS = 1u << 0, /* Secure Boot: PK, KEK, db, dbx and others */
	PINS_MOK = 1u << 1,  /* shim's: MokList, SbatLevel and others */
	PINS_BOOT = 1u << 2, /* BootOrder and Boot#### */
	/* Keys and mok if the store has a PK when the guest starts. */
	PINS_AUTO = 1u << 3,
};

struct pins;

/*
 * Parses the argument of --pin: "off", or a list of "auto", "keys", "mok",
 * "boot" and GUID:NAME, separated by commas.  *out is NULL for "off".  -EINVAL
 * with a sentence, -ENOMEM.  pins_free() accepts NULL.
 */
int pins_parse(struct pins **out, const char *text, struct error *err);
void pins_free(struct pins *pins);

/*
 * The record of the pinned values, which the host keeps: CHANGE_SET for each
 * pinned variable, CHANGE_REMOVE for a name without a variable.
 */
int pins_load(struct pins *pins, const struct changes *record,
	      struct error *err);
int pins_save(const struct pins *pins, struct changes *record,
	      struct error *err);

/* True if the record is to be saved: a value differs from pins_load(). */
bool pins_changed(const struct pins *pins);

/*
 * Takes the values of the image for all names of the record; also the boot
 * entries, if these are recorded.  Errors of varstore_open(), -ENOMEM.
 */
int pins_accept(struct pins *pins, const uint8_t *image, size_t size,
		struct error *err);

/*
 * At the guest's start.  Gives the store in `image` its pinned values: a
 * variable without a value in the record is pinned as it is.  What a guest may
 * do by itself is taken over: dbx that has grown, a variable that the firmware
 * makes.  While there is no PK, in the record or in the store, no member of
 * PINS_KEYS and PINS_MOK is pinned, so that the guest can enroll its first
 * keys.  PINS_AUTO alone, without a record, pins nothing in another image than
 * OVMF's.  Returns 1 if the image has changed, 0 if not.  -EINVAL: the image is
 * none of a known layout that the firmware would keep; errors of
 * changes_apply(); the image is unchanged then, and nothing is pinned.
 */
int pins_start(struct pins *pins, uint8_t *image, size_t size,
	       struct error *err);

/*
 * The same for a guest that has run: nothing can be changed.  Returns 1 if
 * pins_start() would change the image.
 */
int pins_continue(struct pins *pins, const uint8_t *image, size_t size,
		  struct error *err);

/* True if any variable is pinned; false before pins_start(). */
bool pins_active(const struct pins *pins);

/*
 * The host's own changes become the pinned values of variables that are in the
 * record; also a new boot entry, if these are.
 */
int pins_host_changes(struct pins *pins, const struct changes *changes,
		      struct error *err);

/* The number of names that are pinned. */
size_t pins_count(const struct pins *pins);

/*
 * True if the image may be committed.  If not, *why has the sentence.  Takes
 * over what the guest may do by itself.  One walk through the variables.
 */
bool pins_judge(struct pins *pins, const uint8_t *image, size_t size,
		struct error *why);

/*
 * The bytes at the start of the image that must stay as they are, although no
 * pinned variable is concerned; 0: none.
 *
 * The driver reclaims the store for a new value that does not fit (Variable.c,
 * UpdateVariable()), through the spare area.  If this value is refused, so is
 * the flag that makes the spare area valid; but the driver does not read the
 * flash back, erases the store, copies the spare area to it, and writes the
 * next variables where the copy ends.  So the store keeps its contents until
 * the guest's next start.  pins_continue() finds that out from the working
 * block.
 */
size_t pins_held(const struct pins *pins);

/* The sentence for the refusal of a change of these bytes. */
void pins_held_why(struct error *why);

/* --- the record's file: FILES_PINS of `files` --- */

/*
 * Loads the record; without a file nothing is decided.  -EUCLEAN: the file is
 * damaged.  sys NULL: sys_kernel.
 */
int pins_read(struct pins *pins, struct files *files, const struct sys *sys,
	      struct error *err);

/*
 * Replaces the file, durably, by pins_save().  The caller has the lock on VARS.
 */
int pins_write(const struct pins *pins, struct files *files,
	       const struct sys *sys, struct error *err);

/*
 * Gives an open store its pinned values at a guest's start: pins_start() with
 * its image.  Where that changes the image, *store is closed, rewritten by one
 * burst of the history, and opened again, with `config`, which has `files` and
 * these pins.  Then the record is saved, if it has changed.  Returns 1 if the
 * image has changed, 0 if not, or the -errno of one of these functions; *store
 * is NULL if it could not be opened again.
 */
int pins_restore(struct pins *pins, struct store **store,
		 const struct store_config *config, struct error *err);

/* --- changes of variables by the host --- */

/* The rest is 0. */
struct pins_edit {
	struct files *files;   /* borrowed */
	const struct sys *sys; /* NULL: sys_kernel */
	struct pins *before;   /* the record that was replaced; NULL: none */
};

/*
 * Makes the changes part of the record, before the variables get them: if a
 * crash comes between, the next start of the guest gives the variables the
 * values of the record.  The caller has the lock on VARS.  0, or -errno with a
 * sentence; pins_edit_end() is due after either.
 */
int pins_edit_change(struct pins_edit *edit, const struct changes *changes,
		     struct error *err);

/* `failed`: the variables were not changed; writes the former record again. */
void pins_edit_end(struct pins_edit *edit, bool failed);

#endif
