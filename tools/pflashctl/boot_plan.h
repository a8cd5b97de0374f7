/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plans the changes of `pflashctl boot` for one VARS file: functions of type
 * edit_plan.  A plan has only changes that differ from the store, so that a
 * command that is given twice changes nothing the second time.
 */
#ifndef PFLASHCTL_BOOT_PLAN_H
#define PFLASHCTL_BOOT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot_entry.h"
#include "edit.h"

enum boot_where {
	BOOT_ANYWHERE, /* first, but an entry that is there stays in place */
	BOOT_FIRST,
	BOOT_LAST,
	BOOT_AT_INDEX,
};

struct boot_add {
	const uint8_t *value; /* EFI_LOAD_OPTION */
	size_t size;
	enum boot_where where;
	uint64_t index;
	bool has_number;
	uint16_t number;
};

/* -EEXIST: another entry has the number. */
edit_plan boot_plan_add; /* of a struct boot_add */

/*
 * Words for entries, separated by commas; see boot_state_match().  A word that
 * matches nothing is an error, except for boot_plan_remove.
 */
struct boot_select {
	const char *words;
	bool only;  /* of boot_plan_order: drop the others from BootOrder */
	bool clear; /* of boot_plan_next: remove the variable */
};

edit_plan boot_plan_remove; /* of a struct boot_select, as the next two */
edit_plan boot_plan_order;
edit_plan boot_plan_next;

struct boot_number {
	uint16_t value;
	bool clear; /* remove the variable, or clear the bit */
};

edit_plan boot_plan_timeout; /* of a struct boot_number, as the next one */
edit_plan boot_plan_setup;

edit_plan boot_plan_reset; /* of NULL */

/* Entries and BootOrder of another store replace those of the file. */
edit_plan boot_plan_copy; /* of a const struct varstore */

#endif
