/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A note has the place of a journal while pflashctl moves a flash
 * (docs/format.md, section "A flash that moves").  It is no valid journal, so
 * every reader refuses the VARS file beside it.  Private to src/store.
 */
#ifndef STORE_MOVENOTE_H
#define STORE_MOVENOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/files.h"

enum movenote_kind {
	MOVENOTE_DEPARTED = 1, /* the flash is now the one at `path` */
	MOVENOTE_ARRIVING = 2, /* the flash is still the one at `path` */
	/* `path` is the number of the transfer: */
	MOVENOTE_SENT = 3,    /* the flash is elsewhere */
	MOVENOTE_LENT = 4,    /* the same, until its guest resumes here */
	MOVENOTE_ARRIVED = 5, /* it is elsewhere, until its guest runs here */
	MOVENOTE_BACK = 6,    /* lent, and arrived at the same place */
};

struct movenote {
	uint32_t kind;     /* enum movenote_kind */
	const char *path;  /* the VARS file at the other place */
	size_t path_len;   /* bytes; `path` has no '\0' if it was decoded */
	const char *apart; /* the journal there; NULL: it is beside VARS */
	size_t apart_len;
	const uint8_t *journal; /* the journal that the note has replaced */
	size_t journal_len;     /* bytes; 0: there was none */
};

/*
 * Decodes a note; the pointers are into `bytes`, which may be longer.  False:
 * it is no note.
 */
bool movenote_decode(struct movenote *note, const uint8_t *bytes, size_t len);

/* Encodes the note to *bytes, which the caller frees.  -ENOMEM. */
int movenote_encode(const struct movenote *note, uint8_t **bytes, size_t *len,
		    struct error *err);

/* Makes a note of this kind about the flash at `other`, without a journal. */
struct movenote movenote_about(enum movenote_kind kind,
			       const struct files *other);

/* True if the note is of this kind, and names VARS and journal of `other`. */
bool movenote_is(const struct movenote *note, enum movenote_kind kind,
		 const struct files *other);

/*
 * True if the flash is at another place, or was: this one may be replaced by
 * another flash, or removed.  False for a move that can be completed.
 */
bool movenote_is_transfer(const struct movenote *note);

/* True if the bytes are a note, or one that is damaged behind its magic. */
bool movenote_has_magic(const uint8_t *bytes, size_t len);

/*
 * The `pflashctl move` that moves `from` to `to`, as a line for the shell, in
 * malloc()ed memory; NULL: no memory.
 */
char *movenote_command(const struct files *from, const struct files *to);

/* As above, the `pflashctl forget` that undoes a stopped move from `at`. */
char *movenote_forget(const struct files *at);

/*
 * The command, or a shorter hint if it is NULL or would not fit into a sentence
 * whose names have `rest` bytes.
 */
const char *movenote_shorten(const char *command, size_t rest);

/*
 * -EREMCHG and the sentence that says which flash to use, and the command that
 * completes the move, if `bytes` are a note; otherwise 0.  `at` has the names
 * of the flash whose journal has these bytes.
 */
int movenote_refuse(const uint8_t *bytes, size_t len, const struct files *at,
		    struct error *err);

#endif
