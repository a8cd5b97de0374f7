/* SPDX-License-Identifier: BSD-2-Clause */
/* fv_check(): the variable store and the variables in it. */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "ftw.h"
#include "guid.h"
#include "header.h"
#include "live.h"
#include "variable.h"

#include "pflash/le.h"

/* GetVariableStoreStatus() (VariableParsing.c:51). */
static void
check_store_status(struct check *c, size_t off, const uint8_t *p)
{
	if (fv_is_erased(p, STORE_STATE + 1)) {
		check_add(c, FV_STORE_ERASED, off, 0, 0);
		return;
	}
	if (!memcmp(p, guid_plain, GUID_SIZE))
		check_add(c, FV_STORE_PLAIN, off, 0, 0);
	else if (memcmp(p, guid_authenticated, GUID_SIZE))
		check_add(c, FV_STORE_SIGNATURE, off, 0, 0);
	if (p[STORE_FORMAT] != STORE_FORMATTED)
		check_add(c, FV_STORE_FORMAT, off + STORE_FORMAT,
			  p[STORE_FORMAT], STORE_FORMATTED);
	if (p[STORE_STATE] != STORE_HEALTHY)
		check_add(c, FV_STORE_STATE, off + STORE_STATE, p[STORE_STATE],
			  STORE_HEALTHY);
}

/* `off`: the store's offset; `header`: the length of the volume header. */
static void
check_store_size(struct check *c, size_t off, size_t header)
{
	const struct fv_layout *layout = c->report->layout;
	uint32_t size = get_le32(c->image + off + STORE_SIZE);
	size_t room = c->size - off;

	if (layout)
		room = layout->variable_size - header;
	if (layout ? size != room : size > room || size < STORE_HEADER_SIZE)
		check_add(c, FV_STORE_SIZE, off + STORE_SIZE, size, room);
}

static void
check_live(struct check *c, const struct variable *v)
{
	c->report->live++;
	c->report->live_bytes += (uint32_t)(v->next - v->offset);
	if (!v->name_size)
		check_add(c, FV_VARIABLE_NO_NAME, v->offset, 0, 0);
	else if (!variable_name_valid(v))
		check_add(c, FV_VARIABLE_NAME, v->offset, v->name_size, 0);
	if (!(v->attributes & VARIABLE_NON_VOLATILE))
		check_add(c, FV_VARIABLE_ATTRIBUTES, v->offset, v->attributes,
			  0);
}

/* True if the bytes at `off` look like a variable that is or was live. */
static bool
looks_live(const struct varstore *store, size_t off)
{
	struct variable v = { .next = off };

	return variable_step(store, &v) > 0 &&
	       store->image[off + VARIABLE_RESERVED] == 0 &&
	       variable_can_be_live(v.state) && v.name_size >= 4 &&
	       v.name_size % 2 == 0 && get_le16(v.name) != 0 &&
	       get_le16(v.name + v.name_size - 2) == 0;
}

static uint64_t
count_live(const struct varstore *store, size_t from, size_t to)
{
	uint64_t count = 0;

	for (size_t at = (size_t)variable_align(from); at < to; at += 4)
		count += looks_live(store, at);
	return count;
}

/*
 * True if FindVariableEx() returns another variable of this name, one that is
 * not ADDED either, and Reclaim() copies this one: it is the first of them.
 */
static bool
is_ambiguous(struct live *live, const struct variable *v)
{
	return v->state == VARIABLE_IN_TRANSITION && !v->live &&
	       live->store->image[live_find(live, v) + VARIABLE_STATE] ==
		       VARIABLE_IN_TRANSITION;
}

static void
check_variable(struct check *c, const struct varstore *store,
	       const struct variable *v)
{
	uint64_t hidden = count_live(store, (size_t)(v->data - store->image),
				     v->next);

	if (hidden)
		check_add(c, FV_VARIABLE_HIDES, v->offset, hidden, 0);
	switch (v->state) {
	case VARIABLE_ADDED:
	case VARIABLE_IN_TRANSITION:
		if (v->live) {
			check_live(c, v);
			break;
		}
		c->report->superseded++;
		if (v->state == VARIABLE_ADDED)
			check_add(c, FV_VARIABLE_DUPLICATE, v->offset, 0, 0);
		break;
	case VARIABLE_DELETED:
	case VARIABLE_SUPERSEDED: c->report->deleted++; break;
	case VARIABLE_UNWRITTEN:
	case VARIABLE_HEADER_VALID:
		c->report->torn++;
		check_add(c, FV_VARIABLE_TORN, v->offset, v->state, 0);
		break;
	default:
		c->report->unknown++;
		check_add(c, FV_VARIABLE_STATE, v->offset, v->state, 0);
		break;
	}
}

/* Reports the variable at v->next: its header or its size does not fit. */
static void
check_overrun(struct check *c, const struct varstore *store,
	      const struct variable *v)
{
	size_t left = store->end - v->next;
	size_t header = variable_header_size(store);

	if (left < header)
		check_add(c, FV_VARIABLE_HEADER, v->next, left, header);
	else
		check_add(c, FV_VARIABLE_SIZE, v->next,
			  (uint64_t)v->name_size + v->data_size, left - header);
}

/*
 * If the bytes behind the last variable are not erased, OVMF rewrites the store
 * without them (Variable.c:3438-3444).
 */
static void
check_free(struct check *c, const struct varstore *store, size_t off)
{
	uint64_t lost;

	if (fv_is_erased(store->image + off, store->end - off))
		return;
	lost = count_live(store, off, store->end);
	check_add(c, lost ? FV_CHAIN_BROKEN : FV_FREE_DIRTY, off, lost, 0);
}

/* The condition of ReclaimForOS() (Variable.c:3242). */
static void
check_room(struct check *c, const struct varstore *store)
{
	const struct fv_report *r = c->report;
	size_t room = store->end - store->start;

	if (!r->layout)
		return;
	if (room - r->live_bytes < r->layout->max_variable)
		check_add(c, FV_FULL, store->start, room - r->live_bytes,
			  r->layout->max_variable);
	else if (r->free < r->layout->max_variable)
		check_add(c, FV_RECLAIM_DUE, store->start, r->free,
			  r->layout->max_variable);
}

static void
check_variables(struct check *c, const struct varstore *store)
{
	struct variable v = { 0 };
	struct live live;
	int ret;

	live_init(&live, store);
	while ((ret = live_next(&live, &v)) > 0) {
		check_variable(c, store, &v);
		if (is_ambiguous(&live, &v))
			check_add(c, FV_VARIABLE_TRANSITION, v.offset, 0, 0);
	}
	live_free(&live);
	c->report->used = (uint32_t)(v.next - store->start);
	c->report->free = (uint32_t)(store->end - v.next);
	if (ret < 0) {
		check_overrun(c, store, &v);
		return;
	}
	check_free(c, store, v.next);
	check_room(c, store);
}

void
check_store(struct check *c, size_t off)
{
	size_t header = get_le16(c->image + off + FVH_HEADER_LENGTH);
	uint32_t errors = c->report->errors;
	struct varstore store;
	size_t end = c->size;

	check_store_status(c, off + header, c->image + off + header);
	check_store_size(c, off + header, header);
	if (c->report->errors == errors &&
	    varstore_open(&store, c->image, c->size, NULL) == 0) {
		c->report->authenticated = store.authenticated;
		c->report->in_spare = store.in_spare;
		check_variables(c, &store);
		end = store.end;
	}
	check_ftw(c, end);
}
