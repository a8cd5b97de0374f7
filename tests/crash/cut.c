/* SPDX-License-Identifier: BSD-2-Clause */
#include "cut.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

enum fate { LOST, WRITTEN, GARBAGE };
enum fill { FILL_ZERO, FILL_RANDOM, FILL_STALE, FILLS };
enum sizes { SIZES_NATURAL, SIZES_FULL, SIZES_SHORT, SIZES };

/*
 * How a random choice treats the pending ops of one inode or of the directory.
 */
enum manner { ALL_OF_IT, NONE_OF_IT, A_PREFIX, HALF, MOST, MANNERS };

struct build {
	const struct cut *cut;
	struct choice choice;
	struct disk *out;
	uint64_t random;
	uint32_t unit;
	enum fill fill;
	enum sizes sizes;
	bool garbage;
};

static bool
is_data(const struct op *op)
{
	return op->kind == OP_WRITE || op->kind == OP_TRUNCATE;
}

static bool
is_name(const struct op *op)
{
	return op->kind == OP_LINK || op->kind == OP_UNLINK ||
	       op->kind == OP_RENAME;
}

static const struct op *
pending_op(const struct cut *cut, size_t i)
{
	return &cut->log->op[cut->pending[i]];
}

static void
note_pending(struct cut *cut)
{
	const struct op *op = &cut->log->op[cut->at];

	cut->underway = false;
	if (cut->at == cut->log->ops || (!is_data(op) && !is_name(op)))
		return;
	if (cut->count == cut->room) {
		cut->room = cut->room * 2 + 64;
		cut->pending = realloc(cut->pending,
				       cut->room * sizeof(cut->pending[0]));
		if (!cut->pending)
			abort();
	}
	cut->pending[cut->count++] = cut->at;
	cut->underway = true;
}

void
cut_begin(struct cut *cut, const struct disk *base, const struct log *log)
{
	cut->log = log;
	cut->count = cut->at = 0;
	disk_copy(&cut->durable, base);
	note_pending(cut);
}

void
cut_free(struct cut *cut)
{
	for (int i = 0; i < MAX_INODES; i++)
		bytes_free(&cut->durable.inode[i]);
	bytes_free(&cut->durable.stale);
	free(cut->pending);
}

static void
apply_data(struct cut *cut, const struct op *op)
{
	struct disk *disk = &cut->durable;

	while (disk->inodes <= op->inode)
		disk->inode[disk->inodes++].len = 0;
	if (op->kind == OP_TRUNCATE)
		disk_truncate(disk, op->inode, op->off);
	else
		bytes_write(&disk->inode[op->inode], op->off,
			    cut->log->data.data + op->data, op->len);
}

static void
apply_name(struct disk *disk, const struct op *op)
{
	if (op->kind == OP_LINK)
		disk_link(disk, op->name, op->inode);
	else if (op->kind == OP_UNLINK)
		disk_unlink(disk, op->name);
	else
		disk_rename(disk, op->name, op->to);
}

/*
 * A sync applies its ops to the durable disk and removes them from the pending.
 */
static void
sync_pending(struct cut *cut, const struct op *sync)
{
	size_t kept = 0;

	for (size_t i = 0; i < cut->count; i++) {
		const struct op *op = pending_op(cut, i);

		if (sync->kind == OP_SYNC_DIRECTORY ?
			    !is_name(op) ||
				    disk_directory(op->name) != sync->inode :
			    !is_data(op) || op->inode != sync->inode) {
			cut->pending[kept++] = cut->pending[i];
			continue;
		}
		if (sync->kind == OP_SYNC_DIRECTORY)
			apply_name(&cut->durable, op);
		else if (sync->kind == OP_SYNC || mix(cut->at, i) % 2)
			apply_data(cut, op);
	}
	cut->count = kept;
}

bool
cut_next(struct cut *cut)
{
	const struct op *op = &cut->log->op[cut->at];

	if (cut->at == cut->log->ops)
		return false;
	if (op->kind == OP_SYNC || op->kind == OP_LOSE ||
	    op->kind == OP_SYNC_DIRECTORY)
		sync_pending(cut, op);
	cut->at++;
	note_pending(cut);
	return true;
}

static uint32_t
sectors_of(const struct op *op)
{
	if (op->kind != OP_WRITE || !op->len)
		return 1;
	return (uint32_t)((op->off + op->len - 1) / SECTOR - op->off / SECTOR +
			  1);
}

uint32_t
cut_sectors(const struct cut *cut, size_t pending)
{
	return sectors_of(pending_op(cut, pending));
}

uint32_t
cut_units(const struct cut *cut)
{
	uint32_t units = 0;

	for (size_t i = 0; i < cut->count; i++)
		units += sectors_of(pending_op(cut, i));
	return units;
}

static enum fate
random_fate(struct build *build, enum manner manner, size_t i, size_t prefix)
{
	uint32_t dice = below(&build->random, 16);

	if (build->garbage && dice < 2)
		return GARBAGE;
	switch (manner) {
	case ALL_OF_IT: return WRITTEN;
	case NONE_OF_IT: return LOST;
	case A_PREFIX: return i < prefix ? WRITTEN : LOST;
	case HALF: return dice % 2 ? WRITTEN : LOST;
	default: return dice < 15 ? WRITTEN : LOST;
	}
}

/* The fate of one unit (sector, truncation, name change) of pending op `i`. */
static enum fate
decide(struct build *build, size_t i, uint32_t sector, enum manner manner,
       size_t prefix)
{
	struct choice choice = build->choice;
	uint32_t unit = build->unit++;

	switch (choice.kind) {
	case CHOICE_ALL: return WRITTEN;
	case CHOICE_NONE: return LOST;
	case CHOICE_PREFIX:
		return i < choice.a || (i == choice.a && sector < choice.b) ?
			       WRITTEN :
			       LOST;
	case CHOICE_GROWN: return LOST;
	case CHOICE_MASK:
		return unit < 32 && choice.a >> unit & 1 ? WRITTEN : LOST;
	default: return random_fate(build, manner, i, prefix);
	}
}

/* Names that have lost a change: their later changes must be lost too. */
struct blocked {
	const char *name[2 * MAX_ENTRIES * 8];
	size_t count;
};

static bool
is_blocked(const struct blocked *blocked, const char *name)
{
	for (size_t i = 0; i < blocked->count; i++)
		if (*name && !strcmp(blocked->name[i], name))
			return true;
	return false;
}

static enum manner
random_manner(struct build *build, size_t *prefix)
{
	*prefix = below(&build->random, (uint32_t)build->cut->count + 1);
	return (enum manner)below(&build->random, MANNERS);
}

/* Applies any subset, but keeps the order of the changes of each name. */
static void
build_names(struct build *build)
{
	const struct cut *cut = build->cut;
	struct blocked blocked = { .count = 0 };
	size_t prefix;
	enum manner manner = random_manner(build, &prefix);

	for (size_t i = 0; i < cut->count; i++) {
		const struct op *op = pending_op(cut, i);
		enum fate fate;

		if (!is_name(op)) {
			build->unit += sectors_of(op);
			continue;
		}
		fate = decide(build, i, 0, manner, prefix);
		if (build->choice.kind == CHOICE_GROWN)
			fate = WRITTEN;
		if (fate == WRITTEN && !is_blocked(&blocked, op->name) &&
		    !is_blocked(&blocked, op->to)) {
			apply_name(build->out, op);
			continue;
		}
		if (blocked.count + 2 >
		    sizeof(blocked.name) / sizeof(blocked.name[0]))
			return;
		blocked.name[blocked.count++] = op->name;
		blocked.name[blocked.count++] = op->to;
	}
}

/*
 * Gives bytes [off, end), which were never written, some contents: an allocated
 * but unwritten block can hold anything.
 */
static void
fill_bytes(struct build *build, struct bytes *bytes, size_t off, size_t end)
{
	const struct bytes *stale = &build->cut->durable.stale;
	size_t i = off;

	if (bytes->len < end)
		bytes_resize(bytes, end);
	if (build->fill == FILL_STALE && off < stale->len) {
		size_t n = (end < stale->len ? end : stale->len) - off;

		memcpy(bytes->data + off, stale->data + off, n);
		i += n;
	}
	for (; i < end && build->fill == FILL_RANDOM; i++)
		bytes->data[i] = (uint8_t)draw(&build->random);
}

static void
write_garbage(struct build *build, struct bytes *bytes, size_t off,
	      const uint8_t *data, size_t len)
{
	size_t had = bytes->len;

	if (had < off + len)
		bytes_resize(bytes, off + len);
	/*
	 * Draw one number per byte, needed or not: the data contain salts and
	 * times, and must not shift the random sequence.
	 */
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)draw(&build->random);

		if (off + i >= had || bytes->data[off + i] != data[i] ||
		    build->cut->hard)
			bytes->data[off + i] = byte;
	}
}

static void
build_write(struct build *build, size_t i, struct bytes *bytes,
	    enum manner manner, size_t prefix)
{
	const struct op *op = pending_op(build->cut, i);
	const uint8_t *data = build->cut->log->data.data + op->data;
	uint32_t sectors = sectors_of(op);
	size_t off = op->off, end = op->off + op->len, next;

	for (uint32_t s = 0; s < sectors; s++, off = next) {
		enum fate fate = decide(build, i, s, manner, prefix);

		next = (off / SECTOR + 1) * SECTOR;
		if (next > end)
			next = end;
		if (fate == LOST)
			continue;
		if (off > bytes->len)
			fill_bytes(build, bytes, bytes->len, off);
		if (fate == WRITTEN)
			bytes_write(bytes, off, data + (off - op->off),
				    next - off);
		else
			write_garbage(build, bytes, off, data + (off - op->off),
				      next - off);
	}
}

/* The file system may write the new size before or after the data. */
static void
build_size(struct build *build, struct bytes *bytes, size_t durable,
	   size_t full, bool truncated)
{
	enum sizes sizes = build->sizes;

	if (sizes == SIZES_FULL && full > bytes->len)
		fill_bytes(build, bytes, bytes->len, full);
	if (sizes == SIZES_SHORT && bytes->len > durable && !truncated)
		bytes->len = durable + below(&build->random,
					     (uint32_t)(bytes->len - durable));
}

static void
build_inode(struct build *build, int inode, struct bytes *bytes)
{
	const struct cut *cut = build->cut;
	size_t durable, full, prefix;
	enum manner manner = random_manner(build, &prefix);
	bool truncated = false;

	if (inode < cut->durable.inodes)
		bytes_copy(bytes, &cut->durable.inode[inode]);
	else
		bytes->len = 0;
	full = durable = bytes->len;
	build->unit = 0;
	for (size_t i = 0; i < cut->count; i++) {
		const struct op *op = pending_op(cut, i);

		if (!is_data(op) || op->inode != inode) {
			build->unit += sectors_of(op);
		} else if (op->kind == OP_WRITE) {
			build_write(build, i, bytes, manner, prefix);
			if (op->off + op->len > full)
				full = op->off + op->len;
		} else if (decide(build, i, 0, manner, prefix) == WRITTEN) {
			bytes_resize(bytes, op->off);
			full = op->off;
			truncated = true;
		}
	}
	build_size(build, bytes, durable, full, truncated);
}

/* Builds only inodes that have a name, and renumbers them 0, 1, ... */
static void
build_inodes(struct build *build)
{
	struct entry *entry = build->out->entry;
	int was[MAX_ENTRIES], same;

	for (int i = 0; i < build->out->entries; i++) {
		was[i] = entry[i].inode;
		for (same = 0; was[same] != was[i]; same++)
			;
		if (same == i)
			build_inode(build, was[i], &build->out->inode[i]);
		else
			build->out->inode[i].len = 0;
		entry[i].inode = same;
	}
	build->out->inodes = build->out->entries;
}

static void
prepare(struct build *build)
{
	struct choice choice = build->choice;

	if (choice.kind == CHOICE_GROWN) {
		build->fill = (enum fill)(choice.a % FILLS);
		build->sizes = SIZES_FULL;
	} else if (choice.kind == CHOICE_RANDOM) {
		build->fill = (enum fill)below(&build->random, FILLS);
		build->sizes = (enum sizes)below(&build->random, SIZES + 2);
		build->garbage = below(&build->random, 2);
	}
}

void
cut_build(const struct cut *cut, struct choice choice, struct disk *out)
{
	struct build build = {
		.cut = cut,
		.choice = choice,
		.out = out,
		.random = mix(cut->at, choice.a),
	};

	prepare(&build);
	out->inodes = cut->durable.inodes;
	out->entries = cut->durable.entries;
	out->stale.len = 0;
	memcpy(out->entry, cut->durable.entry, sizeof(out->entry));
	for (int i = 0; i < out->inodes; i++)
		out->inode[i].len = 0;
	build_names(&build);
	build_inodes(&build);
	bytes_copy(&out->stale, &cut->durable.stale);
}
