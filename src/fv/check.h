/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of fv_check().  Each adds its findings to the report. */
#ifndef FV_CHECK_H
#define FV_CHECK_H

#include "pflash/fv.h"

struct check {
	const uint8_t *image;
	size_t size;
	struct fv_report *report;
};

/* Adds a finding to the report; the arguments are members of fv_finding. */
void check_add(struct check *c, enum fv_code code, uint64_t off, uint64_t found,
	       uint64_t wanted);

/* Checks the volume header at `off`; false if it has an error. */
bool check_volume(struct check *c, size_t off);

/* Checks the store in the volume at `off`, whose header has no error. */
void check_store(struct check *c, size_t off);

/* The value of report->compactable when all other members are set. */
bool check_is_compactable(const struct fv_report *report, const uint8_t *image);

/*
 * Checks the working block.  In a volume of unknown layout, searches for it
 * from `store_end` on.
 */
void check_ftw(struct check *c, size_t store_end);

#endif
