/* SPDX-License-Identifier: BSD-2-Clause */
/* The domain, as both processes know it: plain facts, read once. */
#ifndef PFLASHD_GUEST_H
#define PFLASHD_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/store.h"

#define GUEST_NAME_SIZE 128 /* with the '\0' */
#define GUEST_UUID_SIZE 48

struct guest {
	uint32_t id;
	char name[GUEST_NAME_SIZE]; /* guest_check_name() has accepted it */
	bool pvh; /* nobody else answers its firmware's reset ports */
	/* Its first vCPU has run: restored, migrated, or without its server. */
	bool has_run;
	/*
	 * It has run and is called NAME--incoming, as xl migrate-receive calls
	 * it: it must be the guest that was saved.
	 */
	bool incoming;
	/* Text that no other domain has, on any host: one life of a guest. */
	char life[STORE_TAG_SIZE];
	/* The same also when the guest was saved and restored. */
	char uuid[GUEST_UUID_SIZE];
};

/*
 * May a path be made of this name?  A tenant may have chosen it, so a name is
 * refused that is empty, begins with '.', has '/' or a control character (C0,
 * DEL, C1), is not UTF-8, or is longer than GUEST_NAME_SIZE - 1 bytes.  -EINVAL
 * with a sentence that shows the name, each byte of a control character as
 * \x0a.
 */
int guest_check_name(const char *name, struct error *err);

/* Sets guest->incoming, by the name and by has_run. */
void guest_find_incoming(struct guest *guest);

/*
 * The name that the guest has for good, and by which its files are found: that
 * of an incoming guest is the part before the suffix.
 */
void guest_lasting_name(const struct guest *guest, char name[GUEST_NAME_SIZE]);

#endif
