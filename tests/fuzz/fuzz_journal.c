/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer target: recovery of a VARS file and its journal. For any contents,
 * recovery must either refuse with a sentence, or produce an image that is
 * stable: a new journal is composed from the files, and recovery of that one
 * must find the same image, and the same past images as far as they were kept.
 *
 * Input: four bytes `how`, then edits of two files that were made as the store
 * makes them: a byte for the kind of edit (modulo 8), three bytes for the
 * offset (modulo the length), one byte or more for the value.
 *
 * how[0]: bits 0-1  blocks of the image - 1
 *         bit 2     correct the checksums after the edits
 *         bit 3     the edits are the whole journal
 *         bit 4     adopt: VARS was changed by something else
 *         bit 5     VARS has the new image, not the old one
 *         bits 6-7  history to keep: default, none, 300 bytes, much
 * how[1]: number of bursts; how[2..3]: seed of their operations
 */
#include <string.h>

#include "input.h"

#include "../../src/store/burst.h"
#include "../../src/store/compose.h"
#include "../../src/store/crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BLOCK 4096u
#define ROOM (128u << 10)
#define POINTS 64 /* points of the past compared in one run */

/* One test case. Exact sizes, so that the sanitizer sees the ends. */
struct pair {
	uint8_t *vars;
	uint32_t size;
	uint8_t *journal;
	size_t len;
};

static void *
room(size_t len)
{
	void *p = malloc(len ? len : 1);

	demand(p != NULL, "out of memory");
	return p;
}

static void *
copy(const void *from, size_t len)
{
	void *p = room(len);

	memcpy(p, from, len);
	return p;
}

/* Appends a record. */
static void
append(struct pair *files, enum record_type type, const uint8_t *payload,
       uint32_t length)
{
	const struct record_header header = {
		.type = type,
		.salt = get_le64(files->journal + 24),
		.length = length,
		.time = files->len,
	};
	uint8_t *p = files->journal + files->len;

	journal_encode_record(p, &header);
	memcpy(p + RECORD_HEADER_SIZE, payload, length);
	files->len += RECORD_HEADER_SIZE + length + RECORD_CHAIN_SIZE;
}

/* Corrects sequence numbers and checksums as far as the lengths are valid. */
static void
make_right(struct pair *files, bool numbers)
{
	uint8_t *p = files->journal, *end = files->journal + files->len;
	uint64_t sequence;
	uint32_t chain;

	if (files->len < JOURNAL_HEADER_SIZE)
		return;
	chain = crc32c(0, p, 60);
	put_le32(p + 60, chain);
	sequence = get_le64(p + 32);
	for (p += JOURNAL_HEADER_SIZE;
	     end - p >= (ptrdiff_t)(RECORD_HEADER_SIZE + RECORD_CHAIN_SIZE);) {
		size_t body = RECORD_HEADER_SIZE + (size_t)get_le32(p + 40);

		if (body + RECORD_CHAIN_SIZE > (size_t)(end - p))
			return;
		if (numbers)
			put_le64(p + 16, ++sequence);
		put_le32(p + 44, crc32c(0, p, 44));
		chain = crc32c(crc32c(chain, p, 44), p + 48, get_le32(p + 40));
		put_le32(p + body, chain);
		p += body + RECORD_CHAIN_SIZE;
	}
}

static void
put_crc(struct pair *files, enum record_type type, const uint8_t *image)
{
	uint8_t payload[4];

	put_le32(payload, crc32c(0, image, files->size));
	append(files, type, payload, sizeof(payload));
}

/* Sometimes across two blocks, at the very end, or one byte beyond. */
static uint32_t
draw_offset(uint32_t seed, uint32_t length, uint32_t size)
{
	uint32_t off = (seed >> 8) % (size - 64);
	uint32_t across = (off | (BLOCK - 1)) - 2;

	if (seed % 32 == 0)
		return size - length + (seed >> 5) % 2;
	return seed % 8 == 1 && across < size - 64 ? across : off;
}

/*
 * Appends a burst drawn from `*seed`, and applies it to `image`. Returns false
 * if an operation leaves the image.
 */
static bool
put_burst(struct pair *files, uint8_t *image, uint32_t *seed)
{
	uint8_t payload[512];
	uint32_t length = 0, pos = 0, i, n;
	struct operation op;
	int rc;

	if (*seed % 13 == 0) {
		put_le32(payload, 0);
		put_le32(payload + 4, files->size | OPERATION_ERASE);
		length = OPERATION_HEADER_SIZE;
	}
	for (n = *seed % 4; n > 0; n--) {
		*seed = *seed * 1664525u + 1013904223u;
		i = *seed >> 26;
		put_le32(payload + length, draw_offset(*seed, i, files->size));
		put_le32(payload + length + 4,
			 *seed & 64 ? i | OPERATION_ERASE : i);
		length += OPERATION_HEADER_SIZE;
		for (; !(*seed & 64) && i > 0; i--)
			payload[length++] = (uint8_t)(*seed >> i % 24);
	}
	while ((rc = burst_next(payload, length, &pos, files->size, &op)) > 0)
		operation_apply(&op, image);
	append(files, RECORD_BURST, payload, length);
	return rc == 0;
}

/*
 * Makes the files that the store would have written. Returns false if a burst
 * leaves the image.
 */
static bool
write_files(struct pair *files, uint8_t how, uint32_t bursts, uint32_t seed)
{
	uint8_t snapshot[OPERATION_HEADER_SIZE];
	uint8_t *image = room(files->size), *old;
	bool good = true;

	memset(image, 0xff, files->size);
	/*
	 * Without a snapshot the image need not be blank: fill it like a real
	 * one.
	 */
	for (uint32_t i = 0; seed % 5 == 0 && i < files->size; i++)
		image[i] = i % 16 < 7 ? 0 : 0xff;
	journal_encode_header(files->journal, files->size, seed, seed % 3);
	files->len = JOURNAL_HEADER_SIZE;
	put_le32(snapshot, 0);
	put_le32(snapshot + 4, files->size | OPERATION_ERASE);
	if (seed % 5)
		append(files, RECORD_SNAPSHOT, snapshot, sizeof(snapshot));
	put_crc(files, RECORD_DONE, image);
	old = copy(image, files->size);
	for (uint32_t i = 0; i < bursts % 16; i++) {
		good = put_burst(files, image, &seed) && good;
		if (seed % 7 == 0) {
			put_crc(files, RECORD_CHECKPOINT, image);
			put_crc(files, RECORD_DONE, image);
			memcpy(old, image, files->size);
		}
	}
	if (bursts & 16)
		put_crc(files, RECORD_CHECKPOINT, image);
	memcpy(files->vars, how & 32 && bursts & 16 ? image : old, files->size);
	make_right(files, true);
	free(old);
	free(image);
	return good;
}

/* Changes a byte in the header of record `number`, if there is one. */
static void
edit_record(struct pair *files, uint32_t number, uint32_t at, uint8_t value)
{
	size_t off = JOURNAL_HEADER_SIZE;

	while (files->len > RECORD_HEADER_SIZE &&
	       off < files->len - RECORD_HEADER_SIZE) {
		uint8_t *p = files->journal + off;

		if (number-- == 0) {
			if (at & 1) /* the type of the record */
				p[4] = value % 6;
			else
				p[at / 2 % RECORD_HEADER_SIZE] = value;
			return;
		}
		off += RECORD_HEADER_SIZE + RECORD_CHAIN_SIZE +
		       (size_t)get_le32(p + 40);
	}
}

static void
edit(struct pair *files, struct input *in)
{
	uint32_t what = (uint32_t)take(in, 1) % 8;
	uint32_t where = (uint32_t)take(in, 3);
	uint8_t value = (uint8_t)take(in, 1);

	if (what == 0) {
		files->vars[where % files->size] = value;
	} else if (files->len == 0) {
		return;
	} else if (what == 1) {
		files->len = where % files->len;
	} else if (what == 2) {
		files->journal[where % files->len] ^= value;
	} else if (what == 3 && files->len + value < ROOM) {
		memset(files->journal + files->len, value, value);
		files->len += value;
	} else if (what == 4 && files->len >= 4) {
		put_le32(files->journal + where % (files->len - 3),
			 (uint32_t)take(in, 4));
	} else if (what == 5 && files->len + value < ROOM) {
		where %= (uint32_t)files->len;
		memmove(files->journal + where + value, files->journal + where,
			files->len - where);
		files->len += value;
	} else if (what == 6) {
		edit_record(files, where % 16, where >> 8, value);
	} else {
		files->journal[where % files->len] = value;
	}
}

/* The input is the journal; VARS is blank. */
static void
raw_files(struct pair *files, struct input *in)
{
	files->len = in->left < ROOM ? in->left : ROOM;
	memcpy(files->journal, in->data, files->len);
	in->left = 0;
	memset(files->vars, 0xff, files->size);
}

static struct recovery
recovery_of(const uint8_t *journal, const struct scan *scan)
{
	return (struct recovery){
		.scan = scan,
		.journal = journal,
		.vars_path = "vars",
		.journal_path = "journal",
	};
}

static bool
said(const struct error *err)
{
	return memchr(err->text, '\0', sizeof(err->text)) && err->text[0];
}

/*
 * Returns true for a list of operations inside the image; in a snapshot it must
 * begin with an erase of the whole image.
 */
static bool
operations_fit(const struct record *record, uint32_t size)
{
	const uint8_t *p = record->payload, *end = p + record->length;
	bool whole = false;

	for (const uint8_t *op = p; op < end;) {
		uint64_t offset, length;
		bool erases;

		if (end - op < 8)
			return false;
		offset = get_le32(op);
		length = get_le32(op + 4) & 0x7fffffffu;
		erases = get_le32(op + 4) >> 31;
		if (offset + length > size)
			return false;
		if (op == p)
			whole = erases && length == size;
		op += 8;
		if (!erases && length > (uint64_t)(end - op))
			return false;
		op += erases ? 0 : length;
	}
	return whole || record->type != RECORD_SNAPSHOT;
}

/* Implements the rules of docs/format.md for a valid journal. */
static bool
has_the_form(const uint8_t *journal, const struct scan *scan, uint32_t size)
{
	size_t off = JOURNAL_HEADER_SIZE;
	uint64_t sequence = scan->first;
	bool checkpoint = false, done = false;
	struct record record;

	while (scan_next(scan, journal, &off, &record)) {
		bool first = ++sequence == scan->first + 1;

		if (record.sequence != sequence || off > scan->end)
			return false;
		switch (record.type) {
		case RECORD_SNAPSHOT:
		case RECORD_BURST:
			if (checkpoint || !operations_fit(&record, size) ||
			    (record.type == RECORD_SNAPSHOT && !first))
				return false;
			break;
		case RECORD_CHECKPOINT:
		case RECORD_DONE:
			checkpoint = record.type == RECORD_CHECKPOINT;
			done = done || !checkpoint;
			if (record.length != 4)
				return false;
			break;
		default: return false;
		}
	}
	return done && off == scan->end && scan->image_size == size;
}

/* Every point that both journals have must have the same image in both. */
static void
compare_pasts(const struct recovery *a, const struct recovery *b, uint32_t size)
{
	uint8_t *one = room(size), *two = room(size);
	struct error err = { "" };
	size_t off = JOURNAL_HEADER_SIZE;
	struct record record;
	int points = 0;

	memset(one, 0, size);
	memset(two, 0x5a, size);
	while (scan_next(b->scan, b->journal, &off, &record) &&
	       points++ < POINTS && b->scan->snapshot && a->scan->snapshot) {
		if (record.sequence > a->scan->sequence)
			break;
		demand(recover_past(a, record.sequence, one, size, &err) == 0 &&
			       recover_past(b, record.sequence, two, size,
					    &err) == 0,
		       "a point of the past is lost");
		demand(memcmp(one, two, size) == 0,
		       "a point of the past has a different image");
	}
	free(one);
	free(two);
}

/* Composes a new journal from the recovered image and the history to keep. */
static void
compose(const struct pair *files, const struct recovery *old, uint8_t *image,
	uint8_t how)
{
	static const struct store_history histories[] = {
		{ STORE_HISTORY_BYTES, 0 },
		{ 0, 0 },
		{ 300, 0 },
		{ STORE_HISTORY_MOST, 3600 },
	};
	struct composition in = {
		.old = old,
		.history = &histories[how >> 6],
		.image = image,
		.adopt = how & 16,
		.size = files->size,
	};
	uint8_t *bytes, *exact, *again = copy(image, files->size);
	struct error err = { "" };
	struct recovery recovery;
	struct scan scan, rescan;
	int rc;

	if (in.adopt)
		image[how % files->size] ^= 1;
	memcpy(again, image, files->size);
	(void)compose_is_due(&in);
	rc = compose_journal(&in, &bytes, &scan, &err);
	demand(rc == 0, "compose_journal() fails for a valid journal");
	exact = copy(bytes, scan.end);
	demand(scan_journal(&rescan, exact, scan.end, "new", &err) == 0,
	       "scan_journal() refuses the new journal");
	demand(memcmp(&scan, &rescan, sizeof(scan)) == 0,
	       "scan_journal() finds other values in the new journal");
	recovery = recovery_of(exact, &rescan);
	demand(rescan.bursts == 0 &&
		       recover_image(&recovery, again, files->size, NULL,
				     &err) == 0 &&
		       memcmp(again, image, files->size) == 0,
	       "the new journal has a different image");
	compare_pasts(old, &recovery, files->size);
	if (rescan.snapshot && (!old->scan->snapshot || in.adopt)) {
		demand(recover_past(&recovery, rescan.sequence, again,
				    files->size, &err) == 0 &&
			       memcmp(again, image, files->size) == 0,
		       "the end of the history has a different image");
	}
	free(exact);
	free(bytes);
	free(again);
}

static void
recover(const struct pair *files, uint8_t how, bool good)
{
	uint8_t *image = copy(files->vars, files->size);
	uint8_t *dirty = room(files->size / BLOCK), *clean = room(files->size);
	struct error err = { "" };
	struct recovery recovery;
	struct scan scan;
	int rc = scan_journal(&scan, files->journal, files->len, "journal",
			      &err);

	demand(rc == 0 || (rc == -EUCLEAN && said(&err)),
	       "scan_journal(): wrong code or no sentence");
	demand(scan.end <= files->len && (rc || scan.done <= scan.end),
	       "the scan ends outside the file");
	recovery = recovery_of(files->journal, &scan);
	memset(dirty, 0, files->size / BLOCK);
	/* Like reader_open_rescue(): also read a damaged journal. */
	(void)recover_past(&recovery, scan.sequence, clean, files->size, &err);
	if (rc == 0)
		rc = recover_image(&recovery, image, files->size, dirty, &err);
	demand(rc == 0 || (rc == -EUCLEAN && said(&err)),
	       "recover_image(): wrong code or no sentence");
	for (uint32_t i = 0; rc == 0 && i < files->size; i += BLOCK)
		demand(dirty[i / BLOCK] ||
			       memcmp(image + i, files->vars + i, BLOCK) == 0,
		       "a changed block is not marked");
	demand(rc == 0 || !good, "recovery refuses files of a store");
	demand(recover_past(&recovery, scan.sequence, clean,
			    (uint32_t)scan.image_size + BLOCK, &err) == -ENOENT,
	       "recover_past() accepts a wrong image size");
	if (rc == 0) {
		demand(has_the_form(files->journal, &scan, files->size),
		       "recovery accepts what docs/format.md forbids");
		compose(files, &recovery, image, how);
	}
	free(clean);
	free(dirty);
	free(image);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t how = (uint8_t)take(&in, 1);
	uint32_t bursts = (uint32_t)take(&in, 1);
	uint32_t seed = (uint32_t)take(&in, 2);
	struct pair files = { .size = ((how & 3u) + 1) * BLOCK };
	uint8_t *journal;
	bool good;

	files.vars = room(files.size);
	files.journal = room(ROOM);
	good = write_files(&files, how, bursts, seed) && !(how & 8) &&
	       in.left == 0;
	if (how & 8)
		raw_files(&files, &in);
	while (in.left > 0)
		edit(&files, &in);
	if (how & 4)
		make_right(&files, bursts & 32);
	journal = copy(files.journal, files.len);
	free(files.journal);
	files.journal = journal;
	recover(&files, how, good);
	free(files.journal);
	free(files.vars);
	return 0;
}
