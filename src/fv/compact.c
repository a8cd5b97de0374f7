/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Reclaim() of edk2's driver makes of a variable store
 * (MdeModulePkg/Universal/Variable/RuntimeDxe/Variable.c:491): the variables
 * that are added, in their order, then those in transition of which none is
 * added. The driver writes it by way of the spare area, which stays as it is
 * here, and so does the working block.
 */
#include <errno.h>
#include <string.h>

#include "ftw.h"
#include "header.h"
#include "variable.h"

#include "pflash/fv.h"

/* A store that is written anew: variables, one behind the other. */
struct compaction {
	const struct varstore *from;
	uint8_t *image;
	size_t end; /* of what is there */
};

static void
put(struct compaction *to, const struct variable *v)
{
	size_t len = v->next - v->offset;

	memcpy(to->image + to->end, to->from->image + v->offset, len);
	to->image[to->end + VARIABLE_STATE] = VARIABLE_ADDED;
	to->end += len;
}

/* What the driver keeps of a variable that another one was to follow. */
static bool
has_successor(const struct compaction *to, const struct variable *v)
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

static int
copy_all(struct compaction *to, uint8_t state)
{
	struct variable v = { 0 };
	int ret;

	while ((ret = variable_step(to->from, &v)) > 0)
		if (v.state == state &&
		    (state == VARIABLE_ADDED || !has_successor(to, &v)))
			put(to, &v);
	return ret;
}

/* Is there a fault-tolerant write that is not done, or no place for one? */
static bool
is_at_rest(const struct fv_layout *layout, const uint8_t *image)
{
	struct ftw_queue queue;

	if (!ftw_valid_at(layout, image, layout->ftw_work))
		return false;
	ftw_read(image + layout->ftw_work, layout->ftw_spare - layout->ftw_work,
		 &queue);
	return queue.progress == FTW_IDLE;
}

/* What would be lost, or taken for something else, is the firmware's matter. */
static bool
may_be_compacted(const struct fv_report *report)
{
	for (unsigned int i = 0; i < report->count; i++)
		switch (report->findings[i].code) {
		case FV_CHAIN_BROKEN:
		case FV_FREE_DIRTY:
		case FV_VARIABLE_HIDES:
		case FV_VARIABLE_DUPLICATE:
		case FV_VARIABLE_STATE: return false;
		default: break;
		}
	return report->errors == 0 && report->layout && !report->in_spare &&
	       report->count < FV_MAX_FINDINGS;
}

/* The firmware finds other variables, or with other values. */
static int
differ(void *opaque, enum varstore_change change, const struct variable *old,
       const struct variable *new)
{
	(void)opaque, (void)change, (void)old, (void)new;
	return 1;
}

/*
 * Two in transition and none added is what no driver leaves: it finds the last
 * one of them, and its reclaim keeps the first.
 */
static bool
is_the_same(const struct varstore *store, const uint8_t *out, size_t size)
{
	struct varstore compacted;

	return varstore_open(&compacted, out, size, NULL) == 0 &&
	       varstore_diff(store, &compacted, differ, NULL) == 0;
}

int
fv_compact(const uint8_t *image, size_t size, uint8_t *out, struct error *err)
{
	struct varstore store;
	struct compaction to = { .from = &store, .image = out };
	struct fv_report report = { .count = 0 };

	fv_check(image, size, &report);
	if (!may_be_compacted(&report))
		return error_set(err, EINVAL,
				 "its variables are not as they should be");
	if (!is_at_rest(report.layout, image))
		return error_set(err, EBUSY,
				 "the firmware has not finished a write");
	if (varstore_open(&store, image, size, err) < 0)
		return -EINVAL;
	memcpy(out, image, size);
	memset(out + store.start, 0xff, store.end - store.start);
	to.end = store.start;
	if (copy_all(&to, VARIABLE_ADDED) < 0 ||
	    copy_all(&to, VARIABLE_IN_TRANSITION) < 0 ||
	    !is_the_same(&store, out, size))
		return error_set(err, EINVAL,
				 "its variables would not be the same");
	return (int)(store.start + report.used - to.end);
}

/*
 * The firmware writes the store anew if there is less room than its largest
 * variable needs (Variable.c:3242, 2117). Half of the store is what a few
 * boots, and an update of keys or firmware, do not use up.
 */
bool
fv_compact_is_due(const struct fv_report *report)
{
	uint32_t size = report->used + report->free;

	return may_be_compacted(report) && report->free < size / 2 &&
	       report->used - report->live_bytes >= size / 8;
}
