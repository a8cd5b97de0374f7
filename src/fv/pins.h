/* SPDX-License-Identifier: BSD-2-Clause */
/* The variables of each group of pins, and what a guest may do with them. */
#ifndef FV_PINS_H
#define FV_PINS_H

#include "pflash/pins.h"

/* A change that a guest may make of a pinned variable. */
enum pin_change {
	PIN_FIXED, /* none */
	PIN_GROWS, /* signature lists behind those that are there */
	PIN_MADE,  /* the firmware makes it where there is none, with the
		    * attributes and data of the rule */
	PIN_FIRST, /* where there is none, any value may be written */
};

struct pin_rule {
	unsigned int group;
	const uint8_t *guid;
	const char *name; /* ASCII */
	enum pin_change change;
	uint32_t attributes; /* of PIN_MADE */
	const char *data;    /* of PIN_MADE, data_size bytes */
	uint32_t data_size;
};

extern const struct pin_rule pin_rules[]; /* ends with a NULL name */

/* True for BootOrder's entries: "Boot" and four digits of UEFI 2.10, 3.1.1. */
bool pin_is_boot_entry(const struct variable *v);

/* True if `size` bytes are whole signature lists (UEFI 2.10, 32.4.1). */
bool pin_is_lists(const uint8_t *p, size_t size);

#endif
