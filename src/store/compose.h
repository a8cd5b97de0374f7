/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Composes a new journal file in memory: the header, the part of the history
 * that the configuration keeps, and a done record with the checksum of VARS
 * (docs/format.md).
 */
#ifndef STORE_COMPOSE_H
#define STORE_COMPOSE_H

#include "recover.h"

#include "pflash/store.h"

/* Bytes of old history below which a new file is not worth its cost. */
#define COMPOSE_SLACK (256u << 10)

struct composition {
	const struct recovery *old;          /* the old journal; NULL: none */
	const struct store_history *history; /* limits of the new history */
	const uint8_t *image;                /* the contents of VARS */
	/* `image` may differ from the last image in the old journal. */
	bool adopt;
	uint32_t size; /* of the image, in bytes */
};

/*
 * Composes the journal.  *bytes is allocated with malloc() and belongs to the
 * caller; *scan describes it, scan->end bytes.  -ENOMEM, the -errno of
 * getrandom(2), or -EUCLEAN if the old journal has operations outside the
 * image.
 */
int compose_journal(const struct composition *in, uint8_t **bytes,
		    struct scan *scan, struct error *err);

/*
 * True if the journal exceeds the history's limits by so much that a new file
 * is worth its cost.  in->old must not be NULL.
 */
bool compose_is_due(const struct composition *in);

#endif
