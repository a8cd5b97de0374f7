/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether what some vCPUs have read, and what they have left, can be
 * explained: is there an order of their accesses, one at a time and those of
 * each vCPU as it made them, in which a chip gives just these values?
 *
 * The question is decided. ORDER_NONE means that every order was tried; the
 * chip here is a second one, of docs/chip.md, with the commands used here. So
 * no server that does one access after the other is ever found wrong, and one
 * that mixes up, forgets, repeats or invents accesses is, unless what came out
 * is what a right one might have given.
 *
 * The search has no more than (accesses + 1)^vCPUs times the states of the
 * chip to visit, each only once. A read changes nothing; so when it could be
 * next and its value is right, it is taken at once, and only writes branch.
 * What can no longer end as it did is given up.
 */
#ifndef LAB_GUEST_ORDER_H
#define LAB_GUEST_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#define ORDER_VCPUS 4u
#define ORDER_ACCESSES 12u
#define ORDER_PLACES 5u

struct order_access {
	bool is_write;
	uint8_t place;
	uint8_t value;
};

struct order_log {
	struct order_access access[ORDER_ACCESSES];
	unsigned int count;
};

/* A place is a byte; each lies in a block of its own. */
struct order_place {
	uint8_t before, after;
	bool kept; /* the rest of the block is what it was */
	bool ones; /* it is all ones */
};

struct order {
	struct order_log log[ORDER_VCPUS];
	struct order_place place[ORDER_PLACES];
	uint8_t status_before; /* with the array shown, and nothing begun */
	uint8_t status_after;
};

enum order_verdict { ORDER_FOUND, ORDER_NONE, ORDER_UNKNOWN };

/*
 * The end, by which status_after is known, is ORDER_END: these commands, one
 * after the other, by one vCPU, then a read of the status.
 *
 * Only every `unit` accesses does another vCPU have its turn: with 1 at any
 * time, with more as if these were never interrupted. `visited`, what the
 * search has seen, is raised to what this one took. ORDER_UNKNOWN: the search
 * ran out of memory.
 */
#define ORDER_END CMD_READ_ARRAY, CMD_READ_ARRAY, CMD_READ_STATUS
enum order_verdict order_explain(const struct order *order, unsigned int unit,
				 unsigned int *visited);

#endif
