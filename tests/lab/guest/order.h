/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides whether the bytes that several vCPUs have read and left can be
 * explained: is there an order of their accesses, one at a time and in each
 * vCPU's own order, in which a chip gives exactly these values?
 *
 * ORDER_NONE means that every order was tried. The chip here is a second
 * implementation of docs/chip.md, with the commands used here. A server that
 * executes one access after another is never found wrong. A server that
 * reorders, forgets, repeats or invents accesses is found wrong, unless a
 * correct server could have given the same values.
 *
 * The search visits at most (accesses + 1)^vCPUs times the states of the chip,
 * each only once. A read changes nothing: if a read can be next and its value
 * is right, the search takes it at once, and only writes branch. The search
 * abandons states from which the known end cannot be reached.
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

/* A place is a byte; each place is in a block of its own. */
struct order_place {
	uint8_t before, after;
	bool kept; /* the rest of the block is unchanged */
	bool ones; /* the rest of the block is all ones */
};

struct order {
	struct order_log log[ORDER_VCPUS];
	struct order_place place[ORDER_PLACES];
	uint8_t status_before; /* in array mode, no command begun */
	uint8_t status_after;
};

enum order_verdict { ORDER_FOUND, ORDER_NONE, ORDER_UNKNOWN };

/*
 * ORDER_END ends the accesses: one vCPU sends these commands, one after
 * another, then reads the status, which is status_after.
 *
 * vCPUs take turns only after `unit` accesses: 1 allows every order, more
 * treats these accesses as uninterrupted. `visited` is raised to the number of
 * states that this search visited. ORDER_UNKNOWN: the search ran out of
 * memory.
 */
#define ORDER_END CMD_READ_ARRAY, CMD_READ_ARRAY, CMD_READ_STATUS
enum order_verdict order_explain(const struct order *order, unsigned int unit,
				 unsigned int *visited);

#endif
