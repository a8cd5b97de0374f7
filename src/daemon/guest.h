/* SPDX-License-Identifier: BSD-2-Clause */
/* The facts of the domain that both processes know, read once. */
#ifndef PFLASHD_GUEST_H
#define PFLASHD_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/guestname.h"
#include "pflash/store.h"

#define GUEST_UUID_SIZE 48

struct guest {
	uint32_t id;
	char name[GUEST_NAME_SIZE]; /* accepted by guest_check_name() */
	bool pvh; /* no other device model serves the reset ports */
	/* The first vCPU has run: restored, migrated, or its pflashd died. */
	bool has_run;
	/*
	 * The guest has run and is named NAME--incoming, as xl migrate-receive
	 * names it: it must be the guest whose state was saved.
	 */
	bool incoming;
	/* Unique to this domain on all hosts: one incarnation of a guest. */
	char incarnation[STORE_TAG_SIZE];
	/* Also survives a save and restore. */
	char uuid[GUEST_UUID_SIZE];
};

/* Sets guest->incoming, by the name and by has_run. */
void guest_find_incoming(struct guest *guest);

/*
 * Copies the guest's permanent name, which finds its files.  For an incoming
 * guest that is the part before the suffix.
 */
void guest_lasting_name(const struct guest *guest, char name[GUEST_NAME_SIZE]);

#endif
