/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The effective view: reading an image, and following the writes.
 *
 * The guest chooses names, offsets and the number of variables, so an update
 * takes at most the time of a parse, whatever was written, and a parse is
 * linear: one walk of the chain, one hash of each variable, and one choice for
 * each name.  For the table of names to be fast with hostile names, too, and
 * for a hash to stand for a name or a value, nobody may be able to find
 * collisions.  So the hash has a key that the guest cannot know.
 */
#include "effective.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "ftw.h"
#include "header.h"
#include "variable.h"

static struct effective *
view_new(uint32_t size)
{
	struct effective *view = calloc(1, sizeof(*view));
	uint32_t room = (size < FV_MAX_SIZE ? size : FV_MAX_SIZE) / PLAIN_SIZE;
	bool done;

	if (!view)
		return NULL;
	view->size = size;
	view->room = room + 1;
	view->layout = fv_layout_by_size(size);
	effective_touch(view, 0, size);
	/* An update may concern as many old names as new ones. */
	done = names_init(&view->names, 2 * view->room);
	view->entries = malloc(view->room * sizeof(*view->entries));
	view->changes = malloc(2 * view->room * sizeof(*view->changes));
	if (done && view->entries && view->changes)
		return view;
	effective_free(view);
	return NULL;
}

struct effective *
effective_new(uint32_t size)
{
	struct effective *view = view_new(size);

	if (view && getrandom(view->key, sizeof(view->key), 0) !=
			    (ssize_t)sizeof(view->key)) {
		effective_free(view);
		return NULL;
	}
	return view;
}

struct effective *
effective_like(const struct effective *view)
{
	struct effective *other = view_new(view->size);

	if (other)
		memcpy(other->key, view->key, sizeof(view->key));
	return other;
}

void
effective_free(struct effective *view)
{
	if (!view)
		return;
	names_free(&view->names);
	free(view->entries);
	free(view->changes);
	free(view);
}

bool
effective_known(const struct effective *view)
{
	const struct source *source = &view->source;

	return source->opened && !source->full && !source->broken &&
	       !view->has_foreign_write;
}

uint64_t
effective_digest(const struct effective *view)
{
	return view->header + view->sum;
}

uint64_t
effective_generation(const struct effective *view)
{
	return view->generation;
}

/* Steps from the tail to the end of the chain. */
static void
walk(struct effective *view)
{
	struct source *source = &view->source;
	struct variable v = { .next = source->tail };
	int ret;

	while ((ret = variable_step(&source->store, &v)) > 0) {
		if (view->count == view->room) {
			source->full = true;
			return;
		}
		view->work.headers++;
		view_append(view, &v);
		source->tail = v.next;
	}
	source->broken = ret < 0;
}

/* Reads the chain again from a variable on, or from its start. */
static void
walk_from(struct effective *view, uint32_t index)
{
	struct source *source = &view->source;

	source->tail = index < view->count ? view->entries[index].offset :
					     source->store.start;
	view_truncate(view, index);
	walk(view);
}

static bool
open_store(const struct effective *view, const uint8_t *image,
	   struct source *source)
{
	struct error ignored;

	*source = (struct source){ .opened = false };
	if (view->size <= VIEW_MAX_SIZE)
		source->opened = varstore_open(&source->store, image,
					       view->size, &ignored) == 0;
	return source->opened;
}

/* Reads all of the store. */
static void
read_store(struct effective *view, const struct source *source)
{
	view->generation++;
	view_truncate(view, 0);
	view->source = *source;
	view->header = 0;
	if (!source->opened)
		return;
	view->header = view_hash_header(view, source->store.image);
	walk_from(view, 0);
}

/*
 * A write of the store is no danger: the view reads its copy.  Any other
 * pending write could change the store before the firmware reads it.
 */
static void
read_work_block(struct effective *view, const uint8_t *image)
{
	const struct fv_layout *layout = view->layout;
	struct ftw_queue queue;

	if (!layout)
		return;
	view->generation++;
	view->has_work_block = ftw_read_image(layout, image, &queue);
	view->has_foreign_write = ftw_writes_other(layout, image);
}

static void
end_update(struct effective *view)
{
	view_settle(view);
	view->range_count = 0;
	view->source.store.image = NULL;
}

void
effective_parse(struct effective *view, const uint8_t *image)
{
	struct source source;

	names_clear(&view->names);
	view->count = 0;
	view->change_count = 0;
	view->sum = 0;
	read_work_block(view, image);
	(void)open_store(view, image, &source);
	read_store(view, &source);
	end_update(view);
	view->change_count = 0;
}

/* --- updates --- */

static void
extend(struct range *range, uint32_t start, uint32_t end)
{
	if (start < range->start)
		range->start = start;
	if (end > range->end)
		range->end = end;
}

/* Firmware writes bytes in ascending order: they all extend one range. */
void
effective_touch(struct effective *view, uint32_t off, uint32_t len)
{
	struct range *last = NULL;
	uint32_t end;

	if (off >= view->size || !len)
		return;
	end = len < view->size - off ? off + len : view->size;
	if (view->range_count)
		last = &view->ranges[view->range_count - 1];
	if (last && off >= last->start && off <= last->end)
		extend(last, off, end);
	else if (view->range_count < VIEW_RANGES)
		view->ranges[view->range_count++] = (struct range){ off, end };
	else
		extend(last, off, end);
}

/* Sorts the ranges, and merges those that overlap. */
static void
sort_ranges(struct effective *view)
{
	struct range *ranges = view->ranges, range;
	uint32_t count = 0, at;

	for (uint32_t i = 1; i < view->range_count; i++) {
		range = ranges[i];
		for (at = i; at && ranges[at - 1].start > range.start; at--)
			ranges[at] = ranges[at - 1];
		ranges[at] = range;
	}
	for (uint32_t i = 0; i < view->range_count; i++) {
		if (!count || ranges[i].start > ranges[count - 1].end)
			ranges[count++] = ranges[i];
		else if (ranges[i].end > ranges[count - 1].end)
			ranges[count - 1].end = ranges[i].end;
	}
	view->range_count = count;
}

static bool
is_touched(const struct effective *view, size_t start, size_t end)
{
	for (uint32_t i = 0; i < view->range_count; i++)
		if (view->ranges[i].start < end && view->ranges[i].end > start)
			return true;
	return false;
}

/* True if the working block, or its copy where it counts, was written. */
static bool
is_work_block_touched(const struct effective *view)
{
	const struct fv_layout *layout = view->layout;
	size_t end;

	if (!layout)
		return false;
	end = layout->ftw_spare;
	if (!view->has_work_block)
		end += layout->ftw_spare - layout->ftw_work;
	return is_touched(view, layout->ftw_work, end);
}

static bool
is_same_store(const struct source *a, const struct source *b)
{
	return a->opened && b->opened && a->store.start == b->store.start &&
	       a->store.end == b->store.end &&
	       a->store.authenticated == b->store.authenticated;
}

/* The last variable that begins at `off` or before it; 0 if there is none. */
static uint32_t
find_entry(const struct effective *view, uint32_t off)
{
	uint32_t low = 0, high = view->count, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (view->entries[middle].offset <= off)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/*
 * Reads the header of a variable that was written.  False if its size has
 * changed, so that other variables follow it.
 */
static bool
read_entry(struct effective *view, uint32_t index, bool rewritten)
{
	const struct source *source = &view->source;
	struct variable v;

	view->work.headers++;
	if (!view_decode(source, source->store.image,
			 view->entries[index].offset, &v) ||
	    v.next != view_entry_end(view, index))
		return false;
	view_replace(view, index, &v, rewritten);
	return true;
}

/*
 * Reads the variables in a written range.  *read is the first variable that was
 * not read because of an earlier range.  False if the chain was read to its
 * end.
 */
static bool
read_range(struct effective *view, const struct range *range, uint32_t *read)
{
	uint32_t i = find_entry(view, range->start), off;
	bool rewritten;

	if (i < *read)
		i = *read;
	for (; i < view->count && view->entries[i].offset < range->end; i++) {
		off = view->entries[i].offset;
		rewritten = range->end > off + VARIABLE_ATTRIBUTES;
		if (!read_entry(view, i, rewritten)) {
			walk_from(view, i);
			return false;
		}
		if (rewritten)
			*read = i + 1;
	}
	return true;
}

/* Reads the variables that were written. */
static void
read_ranges(struct effective *view)
{
	const struct source *source = &view->source;
	size_t header = variable_header_size(&source->store);
	uint32_t read = 0;

	for (uint32_t i = 0; i < view->range_count; i++) {
		const struct range *range = &view->ranges[i];

		if (range->end > source->store.start &&
		    range->start < source->tail &&
		    !read_range(view, range, &read))
			return;
	}
	if (is_touched(view, source->tail, source->tail + header))
		walk(view);
}

/* True if the headers were written, in place or in the spare area's copy. */
static bool
is_header_touched(const struct effective *view)
{
	size_t base = view_base(view), start = view->source.store.start;

	return is_touched(view, base, start) ||
	       is_touched(view, 0, start - base);
}

/* Reads all that the touched bytes can have changed. */
static void
follow(struct effective *view, const uint8_t *image)
{
	bool work = is_work_block_touched(view);
	bool header = view->source.opened && is_header_touched(view);
	struct source source;

	if (work)
		read_work_block(view, image);
	if (work || header || !view->source.opened || view->source.full) {
		(void)open_store(view, image, &source);
		if (view->source.full ||
		    !is_same_store(&view->source, &source)) {
			read_store(view, &source);
			return;
		}
	}
	view->source.store.image = image;
	if (header) {
		view->generation++;
		view->header = view_hash_header(view, image);
	}
	read_ranges(view);
}

bool
effective_update(struct effective *view, const uint8_t *image)
{
	uint64_t digest = effective_digest(view);
	bool known = effective_known(view);

	view->change_count = 0;
	view->before = view->source;
	if (!view->range_count)
		return false;
	sort_ranges(view);
	follow(view, image);
	end_update(view);
	return !known || !effective_known(view) ||
	       digest != effective_digest(view);
}
