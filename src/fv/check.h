/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of fv_check(). */
#ifndef FV_CHECK_H
#define FV_CHECK_H

#include "pflash/fv.h"

struct check {
	const uint8_t *image;
	size_t size;
	struct fv_report *report;
};

void check_add(struct check *c, enum fv_code code, uint64_t off, uint64_t found,
	       uint64_t wanted);

/* A volume's header at an offset; false if it was found wrong. */
bool check_volume(struct check *c, size_t off);

/* The store in the volume whose header at `off` was found right. */
void check_store(struct check *c, size_t off);

/* The working block; in a volume of unknown layout behind `store_end`. */
void check_ftw(struct check *c, size_t store_end);

#endif
