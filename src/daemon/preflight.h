/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What can be told from the files alone, before the hypervisor is asked for
 * anything: is there a flash to attach, and would the firmware take it?
 * Nothing is changed.
 */
#ifndef PFLASHD_PREFLIGHT_H
#define PFLASHD_PREFLIGHT_H

#include <stddef.h>

#include "options.h"
#include "pflash/geometry.h"
#include "pflash/sys.h"

struct preflight {
	uint8_t *initial; /* of a new VARS file; NULL: it is there */
	uint8_t *code;    /* the firmware image, NULL: none */
	size_t code_size;
	size_t sec; /* where its last volume begins, a whole frame */
	uint64_t base;
	struct geometry geometry; /* its size is that of the flash */
	bool compact;             /* the variable store is worth it */
};

/*
 * What is there, without a look at what a guest has written: EXIT_OK, or the
 * exit code that fits, with its sentence.  preflight_free() is due in both
 * cases.
 */
int preflight_check(struct preflight *preflight, const struct options *options,
		    struct error *err);

/* And that. */
int preflight_check_contents(struct preflight *preflight,
			     const struct options *options,
			     const struct sys *sys, struct error *err);

void preflight_free(struct preflight *preflight);

#endif
