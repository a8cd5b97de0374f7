/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the store on a device that is complete: its preparation, bursts and
 * history, the journal in its room, the queue, and readers. The devices are
 * regular files with holes.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/store/journal.h"
#include "../../src/store/lock.h"
#include "../../src/store/scan.h"
#include "../../src/store/superblock.h"
#include "support_store.h"

#include "pflash/le.h"
#include "pflash/queue.h"
#include "pflash/reader.h"

#define BLOCK 4096u
#define SIZE 0x20000u
#define DEVICE (20u << 20)
#define BURST (48u + 8 + 1 + 4) /* the record of one byte */

static uint8_t image[2 * SIZE];
static const char *path;
static struct error err;

static void
make_device(const char *name, off_t size)
{
	int fd;

	path = scratch_path(name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	close(fd);
}

static int
prepare(uint32_t size, bool replace)
{
	const struct store_config config = { .path = path, .size = size };

	return store_create_device(&config, image, replace, &err);
}

static void
setup(void)
{
	scratch_make();
	memset(&fault, 0, sizeof(fault));
	memset(image, 0x5a, sizeof(image));
	make_device("DEV", DEVICE);
	ck_assert_int_eq(prepare(SIZE, false), 0);
}

static void
teardown(void)
{
	scratch_remove();
}

static struct store *
open_with(struct store_config config)
{
	struct store *store;
	int rc;

	config.path = path;
	rc = store_open(&store, &config, NULL, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	return store;
}

static void
write_file(const char *to, uint64_t off, const void *bytes, size_t len)
{
	int fd = open(to, O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, bytes, len, (off_t)off), (ssize_t)len);
	close(fd);
}

static struct superblock
superblock_of(const char *device)
{
	struct superblock super;
	int fd = open(device, O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(superblock_read(&super, &sys_kernel, fd), 1);
	close(fd);
	return super;
}

static void
commit_byte(struct store *store, uint32_t off, uint8_t byte)
{
	ck_assert_int_eq(store_program(store, off, &byte, 1), 0);
	ck_assert_int_eq(store_commit(store), 0);
}

/* --- preparation --- */

START_TEST(image_is_at_the_start)
{
	struct store *store = open_with((struct store_config){ 0 });
	struct blob blob;

	ck_assert_uint_eq(store_size(store), SIZE);
	ck_assert_int_eq(memcmp(store_image(store), image, SIZE), 0);
	commit_byte(store, 77, 1);
	ck_assert_int_eq(store_close(store), 0);
	blob = blob_read(path);
	image[77] = 1;
	ck_assert_int_eq(memcmp(blob.data, image, SIZE), 0);
	ck_assert_uint_eq(blob.len, DEVICE);
	blob_free(&blob);
	/* No file beside it. */
	ck_assert_uint_eq(scratch_entries(), 1);
}
END_TEST

START_TEST(nothing_is_overwritten_by_mistake)
{
	const struct superblock before = superblock_of(path);

	ck_assert_int_eq(prepare(SIZE, false), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "--reset"));
	ck_assert_int_eq(prepare(SIZE, true), 0);
	ck_assert(superblock_of(path).id != before.id);
	make_device("NEW", DEVICE);
	write_file(path, 100, "x", 1);
	ck_assert_int_eq(prepare(SIZE, false), -EEXIST);
	ck_assert_int_eq(prepare(2 * SIZE, true), 0);
	ck_assert_uint_eq(superblock_of(path).image, 2 * SIZE);
}
END_TEST

START_TEST(small_device_is_refused_with_its_size)
{
	char needed[32];

	snprintf(needed, sizeof(needed), "needs %llu",
		 (unsigned long long)superblock_least(SIZE));
	make_device("SMALL", (off_t)superblock_least(SIZE) - 1);
	ck_assert_int_eq(prepare(SIZE, false), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(err.text, needed));
	ck_assert_int_eq(prepare(SIZE + 1, false), -EINVAL);
	path = scratch_path("missing");
	ck_assert_int_eq(prepare(SIZE, false), -ENOENT);
}
END_TEST

/*
 * A device that is half prepared is not complete, and can be prepared again.
 * If it was complete before, it has its former flash or is not complete.
 */
START_TEST(every_call_of_a_preparation_fails)
{
	const struct store_config config = {
		.path = path,
		.size = SIZE,
		.sys = &sys_faulty,
	};
	struct store *store;
	unsigned int n = 0, hits;

	do {
		int rc;

		make_device("DEV", DEVICE);
		image[0] = 1;
		if (_i) {
			ck_assert_int_eq(prepare(SIZE, false), 0);
			store = open_with((struct store_config){ 0 });
			ck_assert_int_eq(store_close(store), 0);
		}
		image[0] = 2;
		fault = (struct fault){ .nth = ++n,
					.persistent = true,
					.error = EIO };
		rc = store_create_device(&config, image, true, &err);
		hits = fault.hits;
		fault.nth = 0;
		if (store_open(&store, &(struct store_config){ .path = path },
			       NULL, &err) == 0) {
			ck_assert(store_image(store)[0] == 2 || (_i && rc));
			ck_assert_int_eq(store_close(store), 0);
		} else {
			ck_assert_int_lt(rc, 0);
			ck_assert_msg(!strstr(err.text, "(journal)") &&
					      !strstr(err.text, "differs"),
				      "call %u: %s", n, err.text);
			ck_assert_int_eq(prepare(SIZE, true), 0);
		}
	} while (hits);
	ck_assert_uint_gt(n, 15);
}
END_TEST

START_TEST(device_in_use_is_not_prepared)
{
	struct store *store = open_with((struct store_config){ 0 });

	ck_assert_int_eq(prepare(SIZE, true), -EBUSY);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* --- what is no complete device --- */

START_TEST(journal_elsewhere_is_refused)
{
	const struct store_config config = {
		.path = path,
		.journal = scratch_path("J"),
	};
	struct store *store;

	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "leave out --journal"));
	ck_assert_uint_eq(scratch_entries(), 1);
}
END_TEST

START_TEST(damaged_superblock_is_refused)
{
	static const uint8_t noise[24];
	struct store *store;

	write_file(path, DEVICE - BLOCK + 16, noise, 24);
	ck_assert_int_eq(store_close(open_with((struct store_config){ 0 })), 0);
	write_file(path, DEVICE - BLOCK / 2 + 16, noise, 24);
	ck_assert_int_eq(store_open(&store,
				    &(struct store_config){ .path = path },
				    NULL, &err),
			 -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(err.text, "superblock"));
}
END_TEST

/* Makes fstat(2) show a block device of the size of the file. */
static int
block_fstat(int fd, struct stat *st)
{
	int rc = fstat(fd, st);

	if (S_ISREG(st->st_mode))
		st->st_mode = S_IFBLK | 0600;
	return rc;
}

START_TEST(device_that_has_grown_says_so)
{
	struct sys sys = sys_kernel;
	const struct store_config config = { .path = path, .sys = &sys };
	struct store *store;
	struct error plain;

	sys.fstat = block_fstat;
	store = open_with(config);
	ck_assert_int_eq(store_close(store), 0);
	ck_assert_int_eq(truncate(path, DEVICE + (4 << 20)), 0);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text,
				     "20971520 bytes, and has grown"));
	ck_assert_int_eq(truncate(path, DEVICE), 0);
	ck_assert_int_eq(store_close(open_with(config)), 0);
	make_device("PLAIN", DEVICE);
	ck_assert_int_eq(store_open(&store,
				    &(struct store_config){ .path = path,
							    .sys = &sys },
				    NULL, &plain),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(plain.text, "pflashctl create --device"));
	ck_assert_ptr_nonnull(strstr(plain.text, "--journal"));
}
END_TEST

/*
 * A guest fills the largest flash with what looks like superblocks and headers
 * of slots.
 */
START_TEST(guest_cannot_make_a_complete_device)
{
	const struct superblock super = superblock_of(path);
	uint8_t *forged = malloc(STORE_MAX_SIZE), block[BLOCK];
	struct superblock fake = {
		.image = BLOCK,
		.device = STORE_MAX_SIZE,
		.id = super.id,
	};
	struct store *store;
	struct reader *reader;

	for (unsigned int i = 0; i < SUPERBLOCK_AREAS; i++)
		fake.area[i] = (struct area){ (2 + 4 * i) * BLOCK, 2 * BLOCK };
	superblock_encode(block, &fake);
	for (uint32_t off = 0; off < STORE_MAX_SIZE; off += BLOCK)
		memcpy(forged + off, block, BLOCK);
	blob_write(scratch_path("VARS"), forged, STORE_MAX_SIZE);
	ck_assert_int_eq(reader_open(&reader, NULL, scratch_path("VARS"), &err),
			 0);
	ck_assert_uint_eq(reader_size(reader), STORE_MAX_SIZE);
	reader_close(reader);
	/* The same on a complete device. */
	store = open_with((struct store_config){ 0 });
	ck_assert_int_eq(store_replace(store, forged), 0);
	ck_assert_int_eq(store_close(store), 0);
	store = open_with((struct store_config){ 0 });
	ck_assert_uint_eq(store_size(store), SIZE);
	ck_assert_int_eq(memcmp(store_image(store), forged, SIZE), 0);
	ck_assert_int_eq(store_close(store), 0);
	free(forged);
}
END_TEST

/* --- the journal --- */

/* A copy of the device as a crash leaves it now, opened. */
static void
check_crash(const uint8_t *expected, uint64_t bursts)
{
	const char *copy = scratch_path("COPY"), *device = path;
	struct store_recovery found;
	struct store *store;
	struct blob blob = blob_read(path);
	int rc;

	blob_write(copy, blob.data, blob.len);
	blob_free(&blob);
	rc = store_open(&store,
			&(struct store_config){ .path = copy,
						.sys = &sys_unsynced },
			&found, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_eq(memcmp(store_image(store), expected, SIZE), 0);
	ck_assert_uint_eq(found.dropped_bytes, 0);
	if (bursts != UINT64_MAX)
		ck_assert_uint_eq(found.bursts, bursts);
	ck_assert_int_eq(store_close(store), 0);
	path = device;
}

START_TEST(answered_bursts_outlive_a_crash)
{
	struct store *store = open_with((struct store_config){ 0 });

	for (uint32_t i = 0; i < 20; i++) {
		commit_byte(store, i, (uint8_t)i);
		if (i % 5 == 4)
			check_crash(store_image(store), i + 1);
	}
	ck_assert_int_eq(store_close(store), 0);
	store = open_with((struct store_config){ 0 });
	check_crash(store_image(store), 0);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

static uint64_t random_state = 1;

static uint32_t
random_below(uint32_t n)
{
	random_state = random_state * 6364136223846793005u +
		       1442695040888963407;
	return (uint32_t)(random_state >> 33) % n;
}

/* Journals that end, begin anew in the other slot, and leave old records. */
START_TEST(journal_stays_in_its_room)
{
	static const struct store_history histories[] = {
		{ .bytes = 0 },
		{ .bytes = STORE_HISTORY_BYTES },
		{ .bytes = UINT64_MAX },
		{ .bytes = STORE_HISTORY_MOST, .seconds = 1 },
	};
	static uint8_t bytes[SIZE];
	const struct store_history *history = &histories[_i % 4];
	const struct store_config config = {
		.history = history,
		.sync = _i < 4 ? STORE_SYNC_BURST : STORE_SYNC_NONE,
		.journal_limit = _i < 4 ? 0 : 64u << 20,
		.sys = &sys_unsynced,
	};
	struct store *store;
	uint64_t written = 0, checks = 0;

	make_device("LEAST", (off_t)superblock_least(SIZE));
	ck_assert_int_eq(prepare(SIZE, false), 0);
	store = open_with(config);
	random_state = (uint64_t)_i + 1;
	while (written < 60u << 20) {
		uint32_t len = random_below(4) ? random_below(4096) :
						 random_below(SIZE + 1);
		uint32_t off = random_below(SIZE - len + 1);

		for (uint32_t i = 0; i < len; i += 97)
			bytes[i] = (uint8_t)random_below(256);
		ck_assert_int_eq(store_program(store, off, bytes, len), 0);
		written += len;
		if (random_below(3))
			ck_assert_int_eq(store_commit(store), 0);
		if (!random_below(20))
			ck_assert_int_eq(store_settle(store), 0);
		if (!random_below(200)) {
			ck_assert_int_eq(store_close(store), 0);
			store = open_with(config);
		}
		if (written >> 23 > checks && !store_pending(store)) {
			checks = written >> 23;
			check_crash(store_image(store), UINT64_MAX);
		}
	}
	ck_assert_uint_gt(checks, 4);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* The whole image at once, in the largest flash, as pflashctl does. */
static int
edit(void *opaque, const struct store *store, uint8_t *to, struct error *unused)
{
	uint8_t *byte = opaque;

	(void)unused;
	memset(to, (*byte)++, store_size(store));
	return 1;
}

START_TEST(largest_bursts_fit)
{
	static const struct store_history all = { .bytes = UINT64_MAX };
	static const uint32_t sizes[] = { 4096, 0x84000, STORE_MAX_SIZE };
	uint8_t *large = calloc(1, STORE_MAX_SIZE), byte = 1;
	const uint32_t size = sizes[_i];
	struct store_config config = { .path = path, .size = size };
	struct store *store;

	make_device("LARGE", (off_t)superblock_least(size));
	config.path = path;
	ck_assert_int_eq(store_create_device(&config, large, false, &err), 0);
	config = (struct store_config){ .path = path, .history = &all };
	config.sys = &sys_unsynced;
	for (int i = 0; i < 6; i++) {
		int rc = store_rewrite(&config, edit, &byte, &err);

		ck_assert_msg(rc == 0, "%s", err.text);
	}
	store = open_with(config);
	ck_assert_uint_eq(store_image(store)[size - 1], byte - 1);
	ck_assert_int_eq(store_close(store), 0);
	free(large);
}
END_TEST

/* A burst that the caller does not end is ended in time. */
START_TEST(endless_burst_fits)
{
	static uint8_t bytes[SIZE];
	struct store *store;

	make_device("LEAST", (off_t)superblock_least(SIZE));
	ck_assert_int_eq(prepare(SIZE, false), 0);
	store = open_with((struct store_config){ .burst_limit = STORE_MAX_SIZE,
						 .sys = &sys_unsynced });
	for (int i = 0; i < 100; i++) {
		memset(bytes, i, SIZE);
		ck_assert_int_eq(store_program(store, 0, bytes, SIZE), 0);
	}
	ck_assert_uint_gt(store_stats(store)->bursts, 1);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* Commits until the store fails, at most `most` times; the number. */
static unsigned int
commit_blocks(struct store *store, unsigned int most)
{
	static uint8_t bytes[BLOCK];
	unsigned int n = 0;

	while (n < most) {
		memset(bytes, (int)n, BLOCK);
		if (store_program(store, 0, bytes, BLOCK) ||
		    store_commit(store))
			break;
		n++;
	}
	return n;
}

/*
 * While no new journal can be made, the old one grows; in time before its end
 * each commit tries again.
 */
START_TEST(journal_that_cannot_be_replaced_for_a_time)
{
	const struct store_config config = { .sys = &sys_unsynced };
	struct store *store = open_with(config);
	unsigned int most;

	no_random = true;
	most = commit_blocks(store, UINT_MAX);
	ck_assert_int_eq(store_failed(store), -ENOSPC);
	no_random = false;
	(void)store_close(store);
	ck_assert_uint_gt(most, 500);
	ck_assert_int_eq(prepare(SIZE, true), 0);
	store = open_with(config);
	no_random = true;
	ck_assert_uint_eq(commit_blocks(store, most - 20), most - 20);
	no_random = false;
	ck_assert_uint_eq(commit_blocks(store, most), most);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* The offset of the journal that is in force, and its length. */
static uint64_t
find_journal(uint64_t *length)
{
	const struct superblock super = superblock_of(path);
	const struct area *area = superblock_area(&super, FILES_JOURNAL);
	struct blob blob = blob_read(path);
	struct slot_header header;
	unsigned int slot = 0;

	slot_decode(&header, &super, FILES_JOURNAL,
		    blob.data + slot_offset(area, 0));
	if (header.kind != SLOT_FILE)
		slot = 1;
	*length = scan_length(blob.data + slot_offset(area, slot) + BLOCK,
			      area->size - BLOCK);
	blob_free(&blob);
	return slot_offset(area, slot) + BLOCK;
}

/* Longer than the records of a checkpoint. */
#define TORN 9u

/*
 * A crash tears a record before others, none of which was synced: all are
 * dropped once, and told once.
 */
START_TEST(torn_record_is_dropped_once)
{
	const struct store_config config = { .path = path };
	struct store *store = open_with((struct store_config){
		.sync = STORE_SYNC_NONE });
	struct store_recovery found;
	uint8_t expected[SIZE];
	uint64_t at, length;
	struct blob blob;

	commit_byte(store, 1, 1);
	memcpy(expected, store_image(store), SIZE);
	for (uint32_t i = 2; i < 2 + TORN; i++)
		commit_byte(store, i, (uint8_t)i);
	blob = blob_read(path);
	ck_assert_int_eq(store_close(store), 0);
	blob_write(path, blob.data, blob.len);
	at = find_journal(&length);
	blob.data[at + length - (TORN - 1) * BURST - 5] ^= 1;
	blob_write(path, blob.data, blob.len);
	blob_free(&blob);
	ck_assert_int_eq(store_open(&store, &config, &found, &err), 0);
	ck_assert_uint_eq(found.dropped_bytes, TORN * BURST);
	ck_assert_int_eq(memcmp(store_image(store), expected, SIZE), 0);
	ck_assert_int_eq(store_close(store), 0);
	ck_assert_int_eq(store_open(&store, &config, &found, &err), 0);
	ck_assert_uint_eq(found.dropped_bytes, 0);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* Any flipped bit in the last burst is told; in an earlier one, refused. */
START_TEST(every_flipped_bit_is_found)
{
	struct store *store = open_with((struct store_config){ 0 });
	const struct store_config config = { .path = path, .read_only = true };
	uint64_t at, length;
	struct blob blob;

	commit_byte(store, 1, 1);
	commit_byte(store, 2, 2);
	blob = blob_read(path);
	ck_assert_int_eq(store_close(store), 0);
	blob_write(path, blob.data, blob.len);
	at = find_journal(&length);
	for (uint64_t i = length - 2 * BURST; i < length; i++) {
		uint8_t byte = (uint8_t)(blob.data[at + i] ^ 1u << i % 8);
		struct store_recovery found;
		int rc;

		write_file(path, at + i, &byte, 1);
		rc = store_open(&store, &config, &found, &err);
		if (i >= length - BURST)
			ck_assert_msg(rc == 0 && found.dropped_bytes,
				      "last record, byte %d",
				      (int)(i - length + BURST));
		else
			ck_assert_int_eq(rc, -EUCLEAN);
		if (!rc)
			ck_assert_int_eq(store_close(store), 0);
		write_file(path, at + i, &blob.data[at + i], 1);
	}
	blob_free(&blob);
}
END_TEST

/* --- readers --- */

START_TEST(reader_sees_the_history)
{
	struct store *store = open_with((struct store_config){ 0 });
	struct reader *reader;
	struct reader_point point;
	uint8_t past[SIZE];
	unsigned int points = 0;
	size_t cursor = 0;

	for (uint32_t i = 0; i < 10; i++)
		commit_byte(store, i, 0);
	/* Without the lock, while the store is open. */
	ck_assert_int_eq(reader_open(&reader, NULL, path, &err), 0);
	ck_assert_uint_eq(reader_pending(reader), 10);
	while (reader_next(reader, &cursor, &point))
		points++;
	ck_assert_uint_eq(points, 11);
	ck_assert_int_eq(reader_past(reader, point.sequence - 5, past, &err),
			 0);
	ck_assert_int_eq(past[4], 0);
	ck_assert_int_eq(past[5], 0x5a);
	reader_close(reader);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

static struct store *busy;
static unsigned int reads, busy_at;
static bool was_busy;
static bool after_vars; /* count from the read of the image on */

/*
 * Replaces the journal in both slots; the new one has some bursts, and behind
 * a read it is longer than the old one in its slot.
 */
static void
be_busy(void)
{
	for (uint8_t i = 0; i < 2; i++) {
		commit_byte(busy, 0, (uint8_t)(reads + i));
		ck_assert_int_eq(store_checkpoint(busy), 0);
	}
	for (uint8_t i = 0; i < (was_busy ? 20 : 12); i++)
		commit_byte(busy, BLOCK + i, (uint8_t)reads);
}

/* Reads little by little; the guest writes between two reads. */
static ssize_t
busy_pread(int fd, void *buf, size_t len, off_t off)
{
	if (after_vars && off == 0 && len == SIZE)
		reads = 0;
	if (++reads == busy_at && !was_busy) {
		was_busy = true;
		be_busy();
	}
	return pread(fd, buf, len > BLOCK && off && reads < 200 ? 150 : len,
		     off);
}

/* The reader sees one moment: before or behind what the guest writes. */
START_TEST(reader_between_replacements)
{
	static const struct store_history none = { .bytes = 0 };
	static uint8_t before[SIZE];
	struct sys sys = sys_kernel;
	struct reader *reader;
	unsigned int late = 0;

	busy = open_with((struct store_config){ .history = &none,
						.sys = &sys_unsynced });
	sys.pread = busy_pread;
	after_vars = _i;
	for (busy_at = 1; busy_at < 100; busy_at++) {
		const uint8_t *seen;

		reads = 100;
		be_busy();
		was_busy = false;
		reads = after_vars ? 1000 : 0;
		memcpy(before, store_image(busy), SIZE);
		ck_assert_int_eq(reader_open(&reader, &sys, path, &err), 0);
		seen = reader_image(reader);
		late += memcmp(seen, before, SIZE) != 0;
		ck_assert_msg(!memcmp(seen, before, SIZE) ||
				      !memcmp(seen, store_image(busy), SIZE),
			      "busy at read %u", busy_at);
		reader_close(reader);
	}
	ck_assert_uint_gt(late, 10);
	ck_assert_int_eq(store_close(busy), 0);
}
END_TEST

/* --- state and queue --- */

START_TEST(state_is_kept)
{
	static struct store_state state, loaded;
	struct store *store = open_with((struct store_config){ 0 });

	ck_assert_int_eq(store_load_state(store, &loaded, &err), 0);
	ck_assert_uint_eq(loaded.len, 0);
	for (size_t len = 1; len <= STORE_STATE_MAX; len = len * 3 + 1) {
		state.len = len;
		memset(state.record, (int)len, len);
		strcpy(state.tag, "guest");
		ck_assert_int_eq(store_save_state(store, &state, &err), 0);
		ck_assert_int_eq(store_load_state(store, &loaded, &err), 0);
		ck_assert_uint_eq(loaded.len, len);
		ck_assert_int_eq(memcmp(&loaded, &state, sizeof(state)), 0);
	}
	state.len = STORE_STATE_MAX;
	ck_assert_int_eq(store_save_state(store, &state, &err), 0);
	state.len = 0;
	ck_assert_int_eq(store_save_state(store, &state, &err), 0);
	ck_assert_int_eq(store_load_state(store, &loaded, &err), 0);
	ck_assert_uint_eq(loaded.len, 0);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

static int
append_list(void)
{
	static const uint8_t guid[16], name[] = { 'X', 0, 0, 0 };
	struct changes *changes = changes_new();
	struct queue_item item = { .text = "x", .changes = changes };
	struct files *files;
	int rc = files_find(&files, path, NULL, NULL, &err);

	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(changes_remove(changes, guid, name, sizeof(name),
					&err),
			 0);
	rc = queue_append(files, NULL, &item, &err);
	files->ops->close(files);
	changes_free(changes);
	return rc;
}

/* It begins later, and has none of the descriptors that are opened later. */
static pid_t
fork_adder(unsigned int times, unsigned int delay)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	usleep(delay);
	while (times && append_list() == 0)
		times--;
	_exit(times ? 1 : 0);
}

static void
join(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* While a store has the lock on VARS. */
START_TEST(processes_queue_at_the_same_time)
{
	struct store *store = open_with((struct store_config){ 0 });
	pid_t pids[] = { fork_adder(15, 0), fork_adder(15, 0),
			 fork_adder(15, 0) };
	size_t dropped, count = 0;
	struct files *files;

	ck_assert_int_eq(files_find(&files, path, NULL, NULL, &err), 0);
	for (unsigned int i = 0; i < 20; i++) {
		int rc = queue_cancel(files, NULL, QUEUE_ALL, &dropped, &err);

		ck_assert_msg(rc == 0, "%s", err.text);
		count += dropped;
		usleep(2000);
	}
	for (unsigned int i = 0; i < 3; i++)
		join(pids[i]);
	ck_assert_int_eq(queue_cancel(files, NULL, QUEUE_ALL, &dropped, &err),
			 0);
	ck_assert_uint_eq(count + dropped, 45);
	files->ops->close(files);
	commit_byte(store, 5, 5);
	ck_assert_int_eq(store_close(store), 0);
}
END_TEST

/* The bytes of a queue with one list. */
static void
encode_one(uint8_t **bytes, size_t *len)
{
	static const uint8_t guid[16], name[] = { 'Y', 0, 0, 0 };
	struct changes *changes = changes_new();
	struct queue_item item = { .text = "y", .changes = changes };
	struct queue *queue = queue_new();

	ck_assert_int_eq(changes_remove(changes, guid, name, sizeof(name),
					&err),
			 0);
	ck_assert_int_eq(queue_add(queue, &item, &err), 0);
	ck_assert_int_eq(queue_encode(queue, bytes, len, &err), 0);
	queue_free(queue);
	changes_free(changes);
}

static size_t
count_lists(struct files *files)
{
	struct queue *queue;
	size_t count;

	ck_assert_int_eq(queue_read(&queue, files, NULL, &err), 0);
	count = queue_count(queue);
	queue_free(queue);
	return count;
}

/*
 * Another process adds a list while this one makes a queue: in place of one
 * that the other waits for, and where there was none.
 */
START_TEST(list_is_added_to_the_new_queue)
{
	struct file old = { .sys = &sys_kernel, .fd = -1 }, new = old;
	struct queue *queue;
	struct files *files;
	uint8_t *bytes;
	bool named;
	size_t len;
	pid_t pid;

	ck_assert_int_eq(files_find(&files, path, NULL, NULL, &err), 0);
	encode_one(&bytes, &len);
	if (_i)
		ck_assert_int_eq(append_list(), 0);
	pid = fork_adder(1, 200000);
	if (_i) {
		ck_assert_int_eq(file_open(&old, files, FILES_NEXT, true, &err),
				 0);
		ck_assert_int_eq(lock_file(&old, files, F_WRLCK, &err), 0);
	}
	ck_assert_int_eq(file_write_new(&new, files, FILES_NEXT, bytes, len,
					&err),
			 0);
	usleep(400000);
	ck_assert_int_eq(files->ops->install(files, FILES_NEXT, _i, &named), 0);
	ck_assert_uint_eq(count_lists(files), 1);
	file_close(&new);
	file_close(&old);
	join(pid);
	ck_assert_int_eq(queue_read(&queue, files, NULL, &err), 0);
	ck_assert_uint_eq(queue_count(queue), 2);
	ck_assert_str_eq(queue_at(queue, 0)->text, "y");
	ck_assert_str_eq(queue_at(queue, 1)->text, "x");
	queue_free(queue);
	files->ops->close(files);
	free(bytes);
}
END_TEST

/* A list is refused when its place is full, and the queue stays. */
START_TEST(queue_has_its_room)
{
	static const uint8_t guid[16], name[] = { 'Z', 0, 0, 0 };
	static uint8_t data[200 << 10];
	const struct edit_value value = {
		.guid = guid,
		.name = name,
		.name_size = sizeof(name),
		.attributes = 7,
		.data = data,
		.data_size = sizeof(data),
	};
	struct changes *changes = changes_new();
	struct queue_item item = { .text = "z", .changes = changes };
	struct files *files;

	ck_assert_int_eq(changes_set(changes, &value, &err), 0);
	ck_assert_int_eq(files_find(&files, path, NULL, NULL, &err), 0);
	ck_assert_int_eq(queue_append(files, NULL, &item, &err), 0);
	ck_assert_int_eq(queue_append(files, NULL, &item, &err), -ENOSPC);
	ck_assert_uint_eq(count_lists(files), 1);
	ck_assert_int_eq(append_list(), 0);
	ck_assert_uint_eq(count_lists(files), 2);
	files->ops->close(files);
	changes_free(changes);
}
END_TEST

static Suite *
complete_suite(void)
{
	Suite *suite = suite_create("complete");
	TCase *tc = tcase_create("complete");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, image_is_at_the_start);
	tcase_add_test(tc, nothing_is_overwritten_by_mistake);
	tcase_add_test(tc, small_device_is_refused_with_its_size);
	tcase_add_loop_test(tc, every_call_of_a_preparation_fails, 0, 2);
	tcase_add_test(tc, device_in_use_is_not_prepared);
	tcase_add_test(tc, journal_elsewhere_is_refused);
	tcase_add_test(tc, damaged_superblock_is_refused);
	tcase_add_test(tc, device_that_has_grown_says_so);
	tcase_add_test(tc, guest_cannot_make_a_complete_device);
	tcase_add_test(tc, answered_bursts_outlive_a_crash);
	tcase_add_loop_test(tc, journal_stays_in_its_room, 0, 8);
	tcase_add_loop_test(tc, largest_bursts_fit, 0, 3);
	tcase_add_test(tc, endless_burst_fits);
	tcase_add_test(tc, journal_that_cannot_be_replaced_for_a_time);
	tcase_add_test(tc, torn_record_is_dropped_once);
	tcase_add_test(tc, every_flipped_bit_is_found);
	tcase_add_test(tc, reader_sees_the_history);
	tcase_add_loop_test(tc, reader_between_replacements, 0, 2);
	tcase_add_test(tc, state_is_kept);
	tcase_add_test(tc, processes_queue_at_the_same_time);
	tcase_add_loop_test(tc, list_is_added_to_the_new_queue, 0, 2);
	tcase_add_test(tc, queue_has_its_room);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(complete_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
