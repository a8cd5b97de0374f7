/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole new journal, in memory: header, what history is to be kept, and the
 * done record that says VARS has the image.
 */
#ifndef STORE_COMPOSE_H
#define STORE_COMPOSE_H

#include "recover.h"

#include "pflash/store.h"

struct composition {
	const struct recovery *old;          /* NULL: there was no journal */
	const struct store_history *history; /* what to keep */
	const uint8_t *image;                /* the image, which VARS has */
	bool adopt; /* which is not the last one of the old journal */
	uint32_t size;
};

/*
 * *bytes is malloc()ed and the caller's; `scan` describes it.  -ENOMEM, or
 * -EUCLEAN if the old journal has operations that do not fit.
 */
int compose_journal(const struct composition *in, uint8_t **bytes,
		    struct scan *scan, struct error *err);

/* Is there so much to drop that a new journal is worth its writing? */
bool compose_is_due(const struct composition *in);

#endif
