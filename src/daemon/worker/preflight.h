/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks, before the first call of the hypervisor, that there is a flash to
 * attach and that the firmware would accept it.  Changes nothing.
 */
#ifndef PFLASHD_PREFLIGHT_H
#define PFLASHD_PREFLIGHT_H

#include <stddef.h>

#include "options.h"
#include "pflash/files.h"
#include "pflash/firmware.h"
#include "pflash/geometry.h"
#include "pflash/transport.h"

struct preflight {
	uint8_t *initial; /* image of a new VARS file; NULL: VARS exists */
	size_t initial_size;
	uint8_t *code; /* the firmware image; NULL: none */
	size_t code_size;
	struct firmware firmware; /* its structure */
	bool loaded;              /* it is from the guest's memory */
	struct error no_code;     /* why there is none there; "": not looked */
	uint64_t base;
	struct geometry geometry;
	bool compact; /* the variable store should be compacted */
	/* Set by the caller: struct store_config. */
	bool takes_arrived;
};

/*
 * Reads the administrator's files with root's privileges: the firmware, and the
 * template if there is no VARS file yet.  EXIT_OK, or another exit code with a
 * sentence.  preflight_free() is due in both cases.
 */
int preflight_load(struct preflight *preflight, const struct options *options,
		   struct files *files, struct error *err);

/*
 * Takes the firmware from the memory of a PVH guest that has not run.  The
 * guest works without: preflight->no_code has the reason against it.  Runs in
 * the sandbox, because the owner of the guest has chosen these bytes.
 */
void preflight_take_loaded(struct preflight *preflight, struct transport *t);

/*
 * Finds size and address of the flash, and checks that no other process has the
 * file.  Runs in the sandbox, because the guest wrote the block device.
 */
int preflight_check(struct preflight *preflight, const struct options *options,
		    struct files *files, struct error *err);

/* Checks that the firmware would accept the contents of the files. */
int preflight_check_contents(struct preflight *preflight,
			     const struct options *options, struct files *files,
			     struct error *err);

/*
 * Checks that a PVH guest can have been started from the firmware.  EXIT_OK
 * without a firmware, and with --force.
 */
int preflight_check_pvh(const struct preflight *preflight,
			const struct options *options, struct error *err);

void preflight_free(struct preflight *preflight);

#endif
