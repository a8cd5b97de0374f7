/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pinned variables: a guest that tries to change them, the start that restores
 * them, another program that changes them, and the host's own changes.  PK has
 * one of the host's values, which have numbers; KEK has one value.
 */
#ifndef CRASH_PINNED_H
#define CRASH_PINNED_H

#include "script.h"

/* Adds PK with value 0, and KEK, to an empty variable store. */
void pinned_add_keys(uint8_t *image, uint32_t size);

/* The configuration of a store with pins; ends with pinned_end(). */
void pinned_configure(struct run *run, struct store_config *config);
void pinned_end(struct run *run);

/* The start of a guest: the store has just been opened. */
bool pinned_start(struct run *run);

/* The guest writes PK or KEK; the burst stays open, or its size ends it. */
bool pinned_attack(struct run *run, uint64_t seed, bool full);
/* After a call that ends the burst: it is undone.  `rc` is its result. */
bool pinned_refused(struct run *run, int rc);

/* The guest sets a variable that is not pinned; the burst stays open. */
bool pinned_set(struct run *run, uint64_t seed);

/* Of a closed file: the host gives PK its next value. */
bool pinned_edit(struct run *run);
/* Another program gives PK any value, and the record stays. */
bool pinned_change(struct run *run, uint64_t seed);

#endif
