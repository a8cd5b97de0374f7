/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checks before the hypervisor is asked for anything: is there a flash to
 * attach, and would the firmware take it?  Nothing is changed.
 */
#ifndef PFLASHD_PREFLIGHT_H
#define PFLASHD_PREFLIGHT_H

#include <stddef.h>

#include "options.h"
#include "pflash/files.h"
#include "pflash/geometry.h"

struct preflight {
	uint8_t *initial; /* of a new VARS file; NULL: it is there */
	size_t initial_size;
	uint8_t *code; /* the firmware image, NULL: none */
	size_t code_size;
	size_t sec; /* where its last volume begins, a whole frame */
	uint64_t base;
	struct geometry geometry; /* its size is that of the flash */
	bool compact;             /* the variable store is worth it */
};

/*
 * Reads the administrator's files, with root's privileges: the firmware, and
 * template or layout if there is no VARS file yet.  EXIT_OK, or the exit code
 * that fits, with its sentence.  preflight_free() is due in both cases.
 */
int preflight_load(struct preflight *preflight, const struct options *options,
		   struct files *files, struct error *err);

/*
 * Size and place of the flash, and whether another process has the file; in
 * the sandbox, for the guest has written what a block device holds.
 */
int preflight_check(struct preflight *preflight, const struct options *options,
		    struct files *files, struct error *err);

/* Would the firmware take what the files hold? */
int preflight_check_contents(struct preflight *preflight,
			     const struct options *options, struct files *files,
			     struct error *err);

void preflight_free(struct preflight *preflight);

#endif
