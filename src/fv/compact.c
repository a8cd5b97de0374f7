/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compacts a variable store as Reclaim() of edk2's variable driver does
 * (MdeModulePkg/Universal/Variable/RuntimeDxe/Variable.c:491).  First come all
 * variables in the state ADDED, in their order, then each variable
 * IN_TRANSITION that has no ADDED variable of its name.  The driver writes the
 * result through the spare area; here the spare area and the working block do
 * not change, also if the driver would first give up a write or write a new
 * working block: it still does that at its next start.
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "compact.h"
#include "ftw.h"
#include "header.h"
#include "live.h"
#include "variable.h"

#include "pflash/fv.h"

/* The new store: variables without gaps. */
struct compaction {
	const struct varstore *from;   /* the old store */
	const struct variable *except; /* the name left out, or NULL */
	uint8_t *image;                /* the new image */
	size_t end;                    /* of the variables copied so far */
};

static void
append(struct compaction *to, const struct variable *v)
{
	size_t len = v->next - v->offset;

	memcpy(to->image + to->end, to->from->image + v->offset, len);
	to->image[to->end + VARIABLE_STATE] = VARIABLE_ADDED;
	to->end += len;
}

/* True if a variable of this name has been copied already. */
static bool
is_copied(const struct compaction *to, const struct variable *v)
{
	const struct varstore store = {
		.image = to->image,
		.start = to->from->start,
		.end = to->end,
		.authenticated = to->from->authenticated,
	};
	struct variable found;

	return varstore_find(&store, v->guid, v->name, v->name_size, &found) ==
	       0;
}

static bool
is_wanted(const struct compaction *to, const struct variable *v)
{
	if (to->except && variable_same_name(v, to->except))
		return false;
	return v->state == VARIABLE_ADDED || !is_copied(to, v);
}

static int
copy_all(struct compaction *to, uint8_t state)
{
	struct variable v = { 0 };
	int ret;

	while ((ret = variable_step(to->from, &v)) > 0)
		if (v.state == state && is_wanted(to, &v))
			append(to, &v);
	return ret;
}

size_t
compact_variables(const struct varstore *from, const struct variable *except,
		  uint8_t *image)
{
	struct compaction to = {
		.from = from,
		.except = except,
		.image = image,
		.end = from->start,
	};

	memset(image + from->start, 0xff, from->end - from->start);
	if (copy_all(&to, VARIABLE_ADDED) < 0 ||
	    copy_all(&to, VARIABLE_IN_TRANSITION) < 0)
		return 0;
	return to.end;
}

bool
compact_is_safe(const struct fv_report *report)
{
	const uint64_t forbidden = UINT64_C(1) << FV_VARIABLE_HIDES |
				   UINT64_C(1) << FV_VARIABLE_DUPLICATE |
				   UINT64_C(1) << FV_VARIABLE_TRANSITION |
				   UINT64_C(1) << FV_VARIABLE_STATE;

	return report->errors == 0 && !report->in_spare &&
	       !(report->codes & forbidden);
}

bool
check_is_compactable(const struct fv_report *report, const uint8_t *image)
{
	return compact_is_safe(report) && report->layout &&
	       ftw_at_boot(report->layout, image) == FTW_LEAVES;
}

/*
 * The driver gives up a write that was only begun, and writes a new working
 * block in place of an erased or invalid one, before it reclaims.  But a write
 * with its data in the spare area replaces what compaction would change.
 */
static int
check_working_block(const struct fv_report *report, const uint8_t *image,
		    struct error *err)
{
	if (report->errors || !report->layout)
		return 0;
	switch (ftw_at_boot(report->layout, image)) {
	case FTW_LEAVES: break;
	case FTW_WRITES:
		return error_set(err, EBUSY,
				 "a fault-tolerant write was interrupted, and "
				 "OVMF completes it from the spare area at the "
				 "next boot");
	case FTW_UNKNOWN:
		return error_set(err, EINVAL,
				 "the working block of its fault-tolerant "
				 "writes has contents that OVMF never writes");
	}
	return 0;
}

/* Compares all bytes of two variables except the state. */
static bool
is_same(const struct varstore *a, const struct variable *x,
	const struct varstore *b, const struct variable *y)
{
	const uint8_t *p = a->image + x->offset, *q = b->image + y->offset;
	size_t len = x->next - x->offset;

	return y->next - y->offset == len && !memcmp(p, q, VARIABLE_STATE) &&
	       !memcmp(p + VARIABLE_RESERVED, q + VARIABLE_RESERVED,
		       len - VARIABLE_RESERVED);
}

/* True if the live variable of this name in the new store is the same. */
static bool
has_copy(struct live *after, const struct varstore *store,
	 const struct variable *v)
{
	struct variable copy = { .next = live_find(after, v) };

	return copy.next && variable_step(after->store, &copy) > 0 &&
	       is_same(store, v, after->store, &copy);
}

/*
 * True if the guest finds the same variables with the same values.  They differ
 * if a name has two variables IN_TRANSITION and none ADDED, which no driver
 * writes: FindVariableEx() returns the last of them, Reclaim() copies the
 * first.
 */
static bool
has_same_variables(const struct varstore *store, const uint8_t *out,
		   size_t size)
{
	struct varstore compacted;
	struct variable v = { 0 };
	struct live before, after;
	bool same = true;

	if (varstore_open(&compacted, out, size, NULL) < 0)
		return false;
	live_init(&before, store);
	live_init(&after, &compacted);
	while (same && live_next(&before, &v) > 0)
		same = !v.live || has_copy(&after, store, &v);
	live_free(&before);
	live_free(&after);
	return same;
}

int
fv_compact(const uint8_t *image, size_t size, uint8_t *out, struct error *err)
{
	struct fv_report report = { .count = 0 };
	struct varstore store;
	size_t end;
	int ret;

	fv_check(image, size, &report);
	ret = check_working_block(&report, image, err);
	if (ret < 0)
		return ret;
	if (!report.compactable)
		return error_set(
			err, EINVAL,
			"its variable store has findings that forbid it, "
			"which `pflashctl check` lists");
	if (varstore_open(&store, image, size, err) < 0)
		return -EINVAL;
	memcpy(out, image, size);
	end = compact_variables(&store, NULL, out);
	if (!end || !has_same_variables(&store, out, size))
		return error_set(err, EINVAL,
				 "the guest would find other variables");
	return (int)(store.start + report.used - end);
}

/*
 * The firmware compacts the store itself when less room is free than its
 * largest variable needs (Variable.c:3242, 2117).  If half of the store is
 * free, several boots and an update of keys or firmware do not reach that
 * limit.
 */
bool
fv_compact_is_due(const struct fv_report *report)
{
	uint32_t size = report->used + report->free;

	return report->compactable && report->free < size / 2 &&
	       report->used - report->live_bytes >= size / 8;
}
