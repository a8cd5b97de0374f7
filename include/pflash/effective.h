/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The effective view of a VARS image: the variables that the next boot of the
 * firmware will find, and the headers that it will check first.  The view is
 * brought up to date after writes at a cost that depends on the bytes written,
 * and not on the number of variables.
 *
 * The view consists of
 * - the value of each variable that varstore_find() finds: attributes, data,
 *   time stamp, monotonic count and key index, under its vendor GUID and name;
 * - the volume header and the variable store header.
 * All are taken from the spare area if a pending fault-tolerant write will
 * replace the store with it, as varstore_open() does (FtwMisc.c:1398).
 *
 * edk2 writes its variables so that a loss of power at any byte loses nothing.
 * So each SetVariable() changes the view exactly once, with the byte that makes
 * the new variable valid or the old one invalid (Variable.c:2180-2239), and a
 * reclaim never changes it.
 *
 * A view keeps hashes and no pointer to an image.  All functions accept any
 * bytes.  Offsets and lengths are bytes of the image.
 */
#ifndef PFLASH_EFFECTIVE_H
#define PFLASH_EFFECTIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/varstore.h"

struct effective;

/*
 * Makes a view for images of `size` bytes; it is not known before the first
 * parse or update.  NULL: out of memory, or getrandom(2) has failed.  The
 * caller frees it with effective_free(), which accepts NULL.
 *
 * This is the only function that allocates memory, address space for the
 * largest number of variables.  Each variable takes 24 bytes of real memory, or
 * 52 while it can be effective; an update takes 16 more for each name that it
 * concerns.  A view has room for the variables of any image of FV_MAX_SIZE
 * bytes; a larger image with more variables is not known.
 */
struct effective *effective_new(uint32_t size);
void effective_free(struct effective *view);

/*
 * Makes another view for images of the same size, with the same random key, so
 * that the digests of both views can be compared.  NULL: out of memory.
 */
struct effective *effective_like(const struct effective *view);

/* Reads the whole image, and forgets all that was known before. */
void effective_parse(struct effective *view, const uint8_t *image);

/*
 * Notes that the bytes [off, off + len) were written since the last parse or
 * update.  Bytes outside the image are ignored.
 */
void effective_touch(struct effective *view, uint32_t off, uint32_t len);

/*
 * Brings the view up to date with the image.  All bytes that differ from the
 * image of the last parse or update must have been touched.  Returns true if
 * the next boot will find something else than it would have found then.  While
 * the view is not known, before or after, the result is true whenever a byte
 * was touched.
 */
bool effective_update(struct effective *view, const uint8_t *image);

/*
 * True if the image has a variable store that can be read to its end, so that
 * the view is complete.  False, too, if a fault-tolerant write is pending that
 * will write something else than a copy of the store: the firmware executes
 * it before it reads variables.  In an image of unknown layout no such write is
 * looked for.
 */
bool effective_known(const struct effective *view);

/*
 * A digest of the view.  Two digests of a known view, or of views that
 * effective_like() has made from one another, are equal if the views are equal,
 * and differ otherwise, except with a probability of 2^-64.
 */
uint64_t effective_digest(const struct effective *view);

/*
 * A number that increases with every update that changes anything the firmware
 * could act on: a variable that can be effective, whether it is or not, the two
 * headers, or the working block of fault-tolerant writes.
 */
uint64_t effective_generation(const struct effective *view);

/*
 * Steps to the next effective variable, in the order of the store.  Begin with
 * *cursor 0; `image` is that of the last parse or update.  False at the end.
 * If the chain of variables is broken, those before the break are found, though
 * the view is not known.
 */
bool effective_next(const struct effective *view, const uint8_t *image,
		    uint32_t *cursor, struct variable *variable);

enum effective_change {
	EFFECTIVE_REMOVED,
	EFFECTIVE_CHANGED,
	EFFECTIVE_ADDED,
};

/*
 * Called for each variable that an update changed.  `old` is NULL for an added
 * variable, `new` for a removed one.  A return value other than 0 ends
 * effective_changes().
 */
typedef int (*effective_change_fn)(void *opaque, enum effective_change change,
				   const struct variable *old,
				   const struct variable *new);

/*
 * Reports the variables that the last update changed: first removed and changed
 * variables, in the order of the old store, then added ones, in the order of
 * the new store.  `before` is the image of the parse or update before the last
 * one, `after` that of the last one.  Reports nothing if one of the two images
 * has no store that can be opened.  Returns 0, or the value with which `fn`
 * ended it.
 */
int effective_changes(struct effective *view, const uint8_t *before,
		      const uint8_t *after, effective_change_fn fn,
		      void *opaque);

/* The work that a view has done since it was made, for tests. */
struct effective_work {
	uint64_t headers; /* variable headers read */
	uint64_t bytes;   /* bytes hashed, of any header, name or data */
	uint64_t choices; /* variables compared to choose the effective one */
	uint64_t probes;  /* names compared in the table of names */
};

struct effective_work effective_work(const struct effective *view);

/*
 * Checks the invariants, for tests: the view is that of the image, and all its
 * parts agree with each other.  False: an invariant is violated.
 */
bool effective_verify(const struct effective *view, const uint8_t *image);

#endif
