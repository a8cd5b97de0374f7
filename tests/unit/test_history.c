/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the history in the journal: for every sequence number that it still
 * has, it must return the image of that time, even if older history was
 * dropped. Dropping history must never lose anything else. Also tests new
 * journal files, and store_accept().
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pflash/le.h"
#include "pflash/reader.h"

#include "support_store.h"

#define BLOCK 4096u
#define SIZE (2 * BLOCK)
#define SECOND UINT64_C(1000000000)

/* Sizes of header and record (docs/format.md), of a checkpoint, of a burst. */
#define HEADER 64u
#define RECORD 52u
#define CHECKPOINT (2 * (RECORD + 4))
#define STEP_BYTES 8000u
#define STEP (RECORD + 8 + STEP_BYTES + CHECKPOINT)

/* The history may exceed its limit by so much before a new file is made. */
#define SLACK (256u << 10)

/*
 * Every image so far: `images[i]` holds from sequence number `numbers[i]` on.
 */
#define MOST_IMAGES 3000u
static uint64_t numbers[MOST_IMAGES], times[MOST_IMAGES];
static uint8_t *images[MOST_IMAGES];
static unsigned int image_count;

static const struct store_history none;
static const struct store_history much = { .bytes = STORE_HISTORY_MOST };
static struct error err;

static void
note_image(uint64_t number, const uint8_t *image)
{
	ck_assert_uint_lt(image_count, MOST_IMAGES);
	if (image_count)
		ck_assert_uint_gt(number, numbers[image_count - 1]);
	numbers[image_count] = number;
	times[image_count] = fake_clock;
	images[image_count] = blob_copy(image, SIZE).data;
	image_count++;
}

/* Returns the index of the image of this sequence number. */
static unsigned int
find_image(uint64_t number)
{
	unsigned int i = image_count;

	while (i > 0 && numbers[i - 1] > number)
		i--;
	ck_assert_uint_gt(i, 0);
	return i - 1;
}

static void
setup(void)
{
	uint8_t blank[SIZE];

	scratch_make();
	memset(blank, 0xff, SIZE);
	blob_write(scratch_path("VARS"), blank, SIZE);
	note_image(0, blank);
	fake_clock = UINT64_C(1600000000) * SECOND;
}

static void
teardown(void)
{
	while (image_count)
		free(images[--image_count]);
	scratch_remove();
}

static struct store *
open_store(const struct store_history *history, const struct sys *sys)
{
	const struct store_config config = {
		.path = scratch_path("VARS"),
		.history = history,
		.sys = sys,
	};
	struct store *store = NULL;
	int rc = store_open(&store, &config, NULL, &err);

	ck_assert_msg(rc == 0, "open: %s", err.text);
	return store;
}

static struct reader *
open_reader(void)
{
	struct reader *reader = NULL;
	int rc = reader_open(&reader, &sys_unsynced, scratch_path("VARS"),
			     &err);

	ck_assert_msg(rc == 0, "reader: %s", err.text);
	return reader;
}

/* Returns the number of points; stores the first and the last one. */
static unsigned int
points(struct reader_point *first, struct reader_point *last)
{
	struct reader *reader = open_reader();
	struct reader_point point;
	unsigned int count = 0;
	size_t cursor = 0;

	while (reader_next(reader, &cursor, &point)) {
		if (!count++ && first)
			*first = point;
		if (last)
			*last = point;
	}
	reader_close(reader);
	return count;
}

/* Commits, and records the new image. */
static void
commit(struct store *store)
{
	struct reader_point last = { .sequence = 0 };

	ck_assert_int_eq(store_commit(store), 0);
	if (points(NULL, &last) && last.sequence > numbers[image_count - 1])
		note_image(last.sequence, store_image(store));
}

static void
step(struct store *store, unsigned int n)
{
	uint8_t data[STEP_BYTES];

	memset(data, (int)n, sizeof(data));
	data[0] = (uint8_t)(n >> 8);
	ck_assert_int_eq(store_program(store, n % 190, data, STEP_BYTES), 0);
	commit(store);
	ck_assert_int_eq(store_checkpoint(store), 0);
	ck_assert(store_verify(store));
}

static void
check_past(const struct reader *reader, uint64_t number)
{
	uint8_t image[SIZE];
	int rc = reader_past(reader, number, image, &err);

	ck_assert_msg(rc == 0, "number %llu: %s", (unsigned long long)number,
		      err.text);
	ck_assert_mem_eq(image, images[find_image(number)], SIZE);
}

static void
check_no_past(const struct reader *reader, uint64_t number)
{
	uint8_t image[SIZE];

	ck_assert_int_eq(reader_past(reader, number, image, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text,
				     reader_has_journal(reader) ?
					     "the history has no point number" :
					     "has no history"));
}

/*
 * Checks that from the oldest number on no burst is missing and every number
 * has its image, and that there is no history before or after. Returns the
 * number of points.
 */
static unsigned int
check_history(void)
{
	struct reader *reader = open_reader();
	struct reader_point point = { .sequence = 0 };
	unsigned int count = 0, expected = 0;
	uint64_t number = 0;
	size_t cursor = 0;

	while (reader_next(reader, &cursor, &point)) {
		ck_assert_uint_gt(point.sequence, number);
		ck_assert_int_eq(point.oldest, count == 0);
		if (count++) {
			ck_assert_uint_eq(numbers[++expected], point.sequence);
			ck_assert_uint_eq(times[expected], point.time);
		} else {
			expected = find_image(point.sequence);
		}
		for (number = number ? number + 1 : point.sequence;
		     number < point.sequence; number++)
			check_past(reader, number);
		check_past(reader, number);
		if (count == 1)
			check_no_past(reader, number - 1);
	}
	if (count) {
		ck_assert_uint_eq(expected, image_count - 1);
		ck_assert_mem_eq(reader_image(reader), images[expected], SIZE);
	}
	check_no_past(reader, 0);
	check_no_past(reader, UINT64_MAX);
	reader_close(reader);
	return count;
}

START_TEST(no_journal_has_no_history)
{
	ck_assert_uint_eq(check_history(), 0);
}
END_TEST

/* Checks each field of the points of a short history. */
START_TEST(points_have_their_fields)
{
	struct store *store = open_store(NULL, NULL);
	struct reader_point point;
	struct reader *reader;
	size_t cursor = 0;
	uint64_t begin = fake_clock;

	fake_clock += 5 * SECOND;
	ck_assert(!store_program(store, 10, "twelve bytes", 12));
	ck_assert(!store_erase(store, BLOCK, BLOCK));
	ck_assert(!store_program(store, 50, "three", 3));
	commit(store);
	fake_clock += SECOND;
	ck_assert(!store_checkpoint(store));
	fake_clock += 4 * SECOND;
	ck_assert(!store_erase(store, 0, 1));
	commit(store);
	ck_assert(!store_erase(store, 1, 1));
	commit(store);

	reader = open_reader();
	ck_assert(reader_next(reader, &cursor, &point));
	ck_assert(point.oldest && point.sequence == 1 && point.time == begin);
	ck_assert_uint_eq(point.written, 0);
	ck_assert(reader_next(reader, &cursor, &point));
	ck_assert(!point.oldest && point.sequence == 3);
	ck_assert_uint_eq(point.time, begin + 5 * SECOND);
	ck_assert_uint_eq(point.written, begin);
	ck_assert(point.programmed == 15 && point.erased == BLOCK);
	ck_assert(reader_next(reader, &cursor, &point));
	ck_assert(point.sequence == 6 && point.time == fake_clock);
	ck_assert(point.programmed == 0 && point.erased == 1);
	ck_assert_uint_eq(point.written, begin + 6 * SECOND);
	ck_assert(reader_next(reader, &cursor, &point));
	ck_assert(point.sequence == 7 && point.written == 0);
	ck_assert(!reader_next(reader, &cursor, &point));
	check_no_past(reader, 8);
	reader_close(reader);
	ck_assert_uint_eq(check_history(), 4);
	ck_assert(!store_close(store));
	ck_assert_uint_eq(check_history(), 4);
}
END_TEST

/*
 * Each journal file has a new salt, and continues the sequence numbers of the
 * previous one, also after the store was closed and opened.
 */
START_TEST(new_files_have_new_salts_and_go_on_counting)
{
	uint64_t salts[60], sequence = 0;
	struct store *store = open_store(&none, &sys_unsynced);
	struct blob journal;

	for (unsigned int n = 0; n < 60; n++) {
		journal = blob_read(scratch_path("VARS.journal"));
		ck_assert_uint_eq(journal.len, HEADER + RECORD + 4);
		salts[n] = get_le64(journal.data + 24);
		for (unsigned int i = 0; i < n; i++)
			ck_assert_uint_ne(salts[i], salts[n]);
		ck_assert_uint_eq(get_le64(journal.data + 32), sequence);
		sequence = get_le64(journal.data + HEADER + 16) + 3;
		blob_free(&journal);
		ck_assert(!store_erase(store, n, 1));
		if (n % 7 == 6) {
			ck_assert(!store_close(store));
			store = open_store(&none, &sys_unsynced);
		} else {
			ck_assert(!store_checkpoint(store));
		}
	}
	ck_assert(!store_close(store));
	ck_assert_uint_eq(check_history(), 0);
}
END_TEST

/* Opening and closing a store without changes keeps the journal file. */
START_TEST(no_change_keeps_the_journal_file)
{
	const struct store_history *both[] = { &none, &much };
	struct blob before, after;

	for (int i = 0; i < 2; i++) {
		(void)unlink(scratch_path("VARS.journal"));
		ck_assert(!store_close(open_store(both[i], NULL)));
		before = blob_read(scratch_path("VARS.journal"));
		ck_assert(!store_close(open_store(both[i], NULL)));
		after = blob_read(scratch_path("VARS.journal"));
		ck_assert(blob_equal(&after, before.data, before.len));
		blob_free(&before);
		blob_free(&after);
	}
}
END_TEST

START_TEST(history_begins_and_ends_with_the_setting)
{
	struct store *store = open_store(&none, NULL);
	struct reader_point first = { .sequence = 0 };

	ck_assert(!store_program(store, 0, "not kept", 8));
	ck_assert(!store_close(store));
	ck_assert_uint_eq(check_history(), 0);
	store = open_store(&much, NULL);
	ck_assert_uint_eq(check_history(), 0);
	ck_assert(!store_program(store, 0, "the first", 9));
	ck_assert(!store_checkpoint(store));
	ck_assert_uint_eq(points(&first, NULL), 1);
	ck_assert(first.oldest);
	note_image(first.sequence, store_image(store));
	step(store, 1);
	step(store, 2);
	ck_assert_uint_eq(check_history(), 3);
	ck_assert(!store_close(store));
	store = open_store(&none, NULL);
	ck_assert_uint_eq(check_history(), 3);
	ck_assert(!store_erase(store, 0, SIZE));
	ck_assert(!store_close(store));
	ck_assert_uint_eq(points(NULL, NULL), 0);
}
END_TEST

/* The largest history within the limit is kept, in whole bursts. */
START_TEST(old_history_goes_when_it_is_too_long)
{
	struct store_history small = { .bytes = 2 * STEP + CHECKPOINT + 2000 };
	struct store *store = open_store(&small, &sys_unsynced);
	unsigned int n = 0, kept;

	/* The first record after the snapshot is a done record. */
	while (RECORD + 4 + n * STEP <= SLACK + 2 * STEP + CHECKPOINT) {
		ck_assert_uint_eq(check_history(), n + 1);
		step(store, n++);
	}
	ck_assert_uint_gt(n, 30);
	/* Two bursts, and the snapshot before them. */
	ck_assert_uint_eq(check_history(), 3);
	for (kept = 3; n < 200; n++) {
		step(store, n);
		kept = check_history() > kept ? kept + 1 : 3;
		ck_assert_uint_eq(check_history(), kept);
	}
	ck_assert(!store_close(store));
	ck_assert_uint_eq(check_history(), kept);
}
END_TEST

/* One byte below and above the limit. */
START_TEST(limit_is_exact)
{
	struct store_history small = { .bytes = 3 * STEP - (uint64_t)_i };
	struct store *store = open_store(&small, &sys_unsynced);
	unsigned int count, last = 0;

	for (unsigned int n = 0; n < 60; n++) {
		step(store, n);
		count = check_history();
		if (count < last)
			break;
		last = count;
	}
	ck_assert_uint_eq(count, _i ? 3 : 4);
	ck_assert(!store_close(store));
}
END_TEST

/* The limit may exclude all history: the last image remains. */
START_TEST(tiny_limit_leaves_the_image)
{
	struct store_history tiny = { .bytes = 1 };
	struct store *store = open_store(&tiny, &sys_unsynced);
	unsigned int least = UINT32_MAX;

	for (unsigned int n = 0; n < 100; n++) {
		unsigned int count;

		step(store, n);
		count = check_history();
		least = count < least ? count : least;
		ck_assert_uint_le(count, SLACK / STEP + 3);
	}
	ck_assert_uint_eq(least, 1);
	ck_assert(!store_close(store));
}
END_TEST

START_TEST(old_history_goes_when_it_is_too_old)
{
	struct store_history month = { .bytes = STORE_HISTORY_MOST,
				       .seconds = 100 };
	struct store *store = open_store(&month, &sys_unsynced);
	unsigned int count = 1, last = 0, n;

	for (n = 0; n < 100 && count > last; n++) {
		fake_clock += 10 * SECOND;
		step(store, n);
		last = count;
		count = check_history();
	}
	ck_assert_uint_gt(n, SLACK / STEP + 10);
	/* The bursts of the last 100 seconds, and the snapshot. */
	ck_assert_uint_eq(count, 12);
	ck_assert(!store_close(store));
}
END_TEST

static struct stat
stat_journal(void)
{
	struct stat st;

	ck_assert_int_eq(stat(scratch_path("VARS.journal"), &st), 0);
	return st;
}

/* The burst and its checkpoint while the guest is quiet: see STEP. */
static void
settled_step(struct store *store, unsigned int n)
{
	uint8_t data[STEP_BYTES];

	memset(data, (int)n, sizeof(data));
	data[0] = (uint8_t)(n >> 8);
	ck_assert_int_eq(store_program(store, n % 190, data, STEP_BYTES), 0);
	commit(store);
	ck_assert_int_eq(store_settle(store), 0);
	ck_assert(store_verify(store));
}

/*
 * Checkpoints while the guest is quiet: whatever --history says, a new journal
 * file is written at most once for each 256 KiB, and the journal stays short.
 */
START_TEST(checkpoints_of_a_quiet_guest_rewrite_the_journal_seldom)
{
	static const struct store_history tiny = { .bytes = 1 };
	static const struct store_history young = { STORE_HISTORY_MOST, 1 };
	static const struct store_history normal = { STORE_HISTORY_BYTES, 0 };
	const struct store_history *kinds[] = { &none, &tiny, &young, &normal };
	const struct store_history *history = kinds[_i];
	uint64_t limit = history->seconds ? SLACK : history->bytes;
	struct store *store = open_store(history, &sys_unsynced);
	unsigned int files = 0, n;
	struct stat last = stat_journal(), now;

	for (n = 0; n < 300; n++) {
		fake_clock += 10 * SECOND;
		settled_step(store, n);
		now = stat_journal();
		files += now.st_size < last.st_size;
		ck_assert_uint_le((uint64_t)now.st_size,
				  HEADER + RECORD + SIZE + 64 + limit + SLACK +
					  2 * STEP);
		last = now;
		(void)check_history();
	}
	ck_assert_uint_ge(files, (n * STEP - limit) / (SLACK + 3 * STEP));
	ck_assert_uint_le(files, n * STEP / SLACK);
	ck_assert(!store_close(store));
	(void)check_history();
}
END_TEST

/* The history has each burst, also when every one had its own checkpoint. */
START_TEST(history_has_every_burst_of_a_quiet_guest)
{
	struct store *store = open_store(&much, &sys_unsynced);
	ino_t inode = stat_journal().st_ino;

	for (unsigned int n = 0; n < 100; n++) {
		settled_step(store, n);
		ck_assert_uint_eq(check_history(), n + 2);
	}
	ck_assert(!store_close(store));
	ck_assert_uint_eq(check_history(), 101);
	ck_assert_uint_eq(stat_journal().st_ino, inode);
}
END_TEST

/* A setting of 0 leaves no history that a program would read. */
START_TEST(no_history_of_a_quiet_guest)
{
	struct store *store = open_store(&none, &sys_unsynced);

	settled_step(store, 1);
	settled_step(store, 2);
	ck_assert_uint_eq(check_history(), 0);
	ck_assert(!store_close(store));
	ck_assert_int_eq(stat_journal().st_size, HEADER + RECORD + 4);
}
END_TEST

/*
 * After the clock went back, a burst is dropped only if it is old and no
 * younger burst precedes it.
 */
START_TEST(clock_that_goes_backwards)
{
	struct store_history short_time = { .bytes = STORE_HISTORY_MOST,
					    .seconds = 100 };
	struct store *store = open_store(&short_time, &sys_unsynced);
	uint64_t begin = fake_clock;

	for (unsigned int n = 0; n < 40; n++) {
		fake_clock = n == 20 ? begin + 5000 * SECOND : begin;
		step(store, n);
	}
	ck_assert_uint_eq(check_history(), 41);
	for (unsigned int n = 40; n < 80; n++) {
		fake_clock = begin - n * SECOND;
		step(store, n);
	}
	ck_assert_uint_eq(check_history(), 81);
	/*
	 * The 20 bursts before the young one could be dropped, but are too few.
	 */
	fake_clock = begin + 5050 * SECOND;
	step(store, 80);
	ck_assert_uint_eq(check_history(), 82);
	/* The young burst is old now: all but the last one are dropped. */
	fake_clock = begin + 5150 * SECOND;
	step(store, 81);
	ck_assert_uint_eq(check_history(), 3);
	/* With a clock in 1970 no burst is old. */
	for (unsigned int n = 82; n < 150; n++) {
		fake_clock = n;
		step(store, n);
	}
	ck_assert_uint_eq(check_history(), 3 + 150 - 82);
	ck_assert(!store_close(store));
}
END_TEST

/* A young burst keeps the bursts after it, not those before it. */
START_TEST(young_burst_keeps_what_follows)
{
	struct store_history short_time = { .bytes = STORE_HISTORY_MOST,
					    .seconds = 100 };
	struct store *store = open_store(&short_time, &sys_unsynced);
	uint64_t begin = fake_clock;

	for (unsigned int n = 0; n < 90; n++) {
		fake_clock = n == 50 ? begin + 5000 * SECOND : begin;
		step(store, n);
	}
	fake_clock = begin + 5050 * SECOND;
	step(store, 90);
	ck_assert_uint_eq(check_history(), 1 + 90 - 50 + 1);
	ck_assert(!store_close(store));
}
END_TEST

static void
change_at_random(struct store *store)
{
	uint8_t data[SIZE];

	for (long i = random() % 5; i >= 0; i--) {
		uint32_t len = (uint32_t)random() % (random() % 4 ? 300 : SIZE);
		uint32_t off = (uint32_t)random() % (SIZE - len);

		memset(data, (int)random(), len);
		if (random() % 3)
			ck_assert(!store_program(store, off, data, len));
		else
			ck_assert(!store_erase(store, off, len));
	}
	commit(store);
}

/* Something else writes VARS, and store_accept() accepts it. */
static void
change_vars_at_random(const struct store_config *config)
{
	struct blob vars = blob_read(config->path);
	struct reader_point last;
	struct store *store;
	bool changed;

	for (long i = random() % 5; i >= 0; i--)
		vars.data[(uint32_t)random() % SIZE] ^= 0x81;
	blob_write(config->path, vars.data, SIZE);
	if (memcmp(vars.data, images[image_count - 1], SIZE) != 0)
		ck_assert_int_eq(store_open(&store, config, NULL, &err),
				 -EUCLEAN);
	ck_assert_int_eq(store_accept(config, &changed, &err), 0);
	if (changed && points(NULL, &last))
		note_image(last.sequence, vars.data);
	blob_free(&vars);
}

static unsigned int
seed_of_the_day(void)
{
	const char *text = getenv("PFLASH_HISTORY_SEED");
	unsigned int seed = text ? (unsigned int)strtoul(text, NULL, 10) :
				   (unsigned int)time(NULL) ^
					    (unsigned int)getpid() << 16;

	printf("history: PFLASH_HISTORY_SEED=%u\n", seed);
	(void)fflush(stdout);
	return seed;
}

/*
 * Bursts, checkpoints, reopening with other limits, a clock that jumps, and
 * changes by something else, at random.
 */
START_TEST(random_lives)
{
	static const struct store_history limits[] = {
		{ .bytes = 1 << 20 },
		{ .bytes = 20000 },
		{ .bytes = 100000, .seconds = 3600 },
		{ .bytes = STORE_HISTORY_MOST, .seconds = 20000 },
		{ .bytes = 1 },
	};
	struct store_config config = {
		.path = scratch_path("VARS"),
		.journal_limit = 30000,
		.history = &limits[0],
		.sys = &sys_unsynced,
	};
	struct store *store;
	unsigned int most = 0, drops = 0, last = 0, count;

	srandom(seed_of_the_day() + (unsigned int)_i);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	for (unsigned int n = 0; n < 700; n++) {
		change_at_random(store);
		fake_clock += SECOND * (uint64_t)(random() % 600);
		if (random() % 40 == 0)
			fake_clock -= SECOND * (uint64_t)(random() % 20000);
		if (random() % 5 == 0)
			ck_assert(!store_checkpoint(store));
		if (random() % 5 == 0)
			ck_assert(!store_settle(store));
		if (random() % 30 == 0) {
			ck_assert(!store_close(store));
			config.history = &limits[random() % 5];
			if (random() % 3 == 0)
				change_vars_at_random(&config);
			ck_assert_int_eq(store_open(&store, &config, NULL,
						    &err),
					 0);
			ck_assert_mem_eq(store_image(store),
					 images[image_count - 1], SIZE);
		}
		if (n % 10)
			continue;
		count = check_history();
		most = count > most ? count : most;
		drops += count < last;
		last = count;
	}
	ck_assert_uint_gt(most, 20);
	ck_assert_uint_gt(drops, 1);
	ck_assert(!store_close(store));
	check_history();
}
END_TEST

/* A leftover file with the name of the new journal must be replaced. */
START_TEST(left_over_new_file_is_replaced)
{
	struct store *store = open_store(&none, NULL);
	const char *new = scratch_path("VARS.journal.new");
	struct blob victim;

	blob_write(new, "half a journal", 14);
	ck_assert(!store_erase(store, 0, 1));
	ck_assert(!store_checkpoint(store));
	ck_assert_uint_eq(scratch_entries(), 2);
	blob_write(scratch_path("victim"), "precious", 8);
	ck_assert_int_eq(symlink("victim", new), 0);
	ck_assert(!store_erase(store, 0, 1));
	ck_assert(!store_close(store));
	ck_assert_uint_eq(scratch_entries(), 3);
	victim = blob_read(scratch_path("victim"));
	ck_assert(blob_equal(&victim, "precious", 8));
	blob_free(&victim);
	/* Recovery and readers must ignore it. */
	blob_write(new, "half a journal", 14);
	check_history();
	ck_assert(!store_close(open_store(&none, NULL)));
}
END_TEST

/*
 * The calls of a checkpoint that makes a new file, in order: two records are
 * each appended and synced, a block of VARS is written and synced, a record is
 * appended; the new file is unlinked, opened, written, synced and renamed; the
 * directory is opened and synced. `fatal`: the new file already has the name.
 */
static const struct {
	enum fault_call call;
	unsigned int nth;
	bool fatal;
} new_file_calls[] = {
	{ CALL_UNLINK, 1, false },        { CALL_OPEN, 1, false },
	{ CALL_WRITE, 5, false },         { CALL_SYNC, 4, false },
	{ CALL_RENAME, 1, false },        { CALL_OPEN, 2, true },
	{ CALL_SYNC_DIRECTORY, 1, true },
};

#define NEW_FILE_CALLS                                                         \
	((int)(sizeof(new_file_calls) / sizeof(new_file_calls[0])))

START_TEST(new_file_that_can_not_be_made)
{
	const int errors[] = { ENOSPC, EIO, EROFS };
	struct store *store = open_store(&none, &sys_faulty);
	uint8_t image[SIZE];
	struct blob journal;
	bool fatal = new_file_calls[_i].fatal;

	for (int i = 0; i < 3; i++) {
		ck_assert(!store_program(store, (uint32_t)i, "change", 6));
		memcpy(image, store_image(store), SIZE);
		fault = (struct fault){
			.only = new_file_calls[_i].call,
			.nth = new_file_calls[_i].nth,
			.error = errors[i],
		};
		ck_assert_int_eq(store_checkpoint(store),
				 fatal ? -errors[i] : 0);
		ck_assert_uint_eq(fault.hits, 1);
		ck_assert_int_eq(store_failed(store), fatal ? -errors[i] : 0);
		ck_assert_int_eq(!store_failure(store)[0], !fatal);
		ck_assert(store_verify(store));
		fault = (struct fault){ .nth = 0 };
		ck_assert_mem_eq(store_image(store), image, SIZE);
		ck_assert_uint_eq(scratch_entries(), 2);
		journal = blob_read(scratch_path("VARS.journal"));
		/* The new file, or the old one with more records. */
		ck_assert_uint_eq(journal.len,
				  HEADER + RECORD + 4 +
					  (fatal ? 0 :
						   RECORD + 14 + CHECKPOINT));
		blob_free(&journal);
		if (fatal) {
			ck_assert_int_eq(store_close(store), -errors[i]);
			store = open_store(&none, &sys_faulty);
			ck_assert_mem_eq(store_image(store), image, SIZE);
			continue;
		}
		/*
		 * The old file stays in use, and the next checkpoint tries
		 * again.
		 */
		ck_assert(!store_program(store, 100, "more", 4));
		ck_assert(!store_checkpoint(store));
		journal = blob_read(scratch_path("VARS.journal"));
		ck_assert_uint_eq(journal.len, HEADER + RECORD + 4);
		blob_free(&journal);
	}
	ck_assert(!store_close(store));
}
END_TEST

/* The name of the new file is blocked: the old file stays in use. */
START_TEST(new_file_in_whose_place_a_directory_is)
{
	struct store *store = open_store(&none, NULL);
	struct blob before, after;

	ck_assert_int_eq(mkdir(scratch_path("VARS.journal.new"), 0700), 0);
	before = blob_read(scratch_path("VARS.journal"));
	for (unsigned int n = 0; n < 3; n++) {
		ck_assert(!store_erase(store, n, 1));
		ck_assert(!store_checkpoint(store));
	}
	after = blob_read(scratch_path("VARS.journal"));
	ck_assert_uint_eq(after.len,
			  before.len + 3 * (RECORD + 8 + CHECKPOINT));
	ck_assert(!store_close(store));
	ck_assert(!store_close(open_store(&none, NULL)));
	blob_free(&before);
	blob_free(&after);
}
END_TEST

/* A checkpoint finds the old journal unreadable or damaged: it stays in use. */
START_TEST(old_journal_that_can_not_be_read)
{
	struct sys sys = sys_unsynced;
	struct store *store;
	struct blob journal;

	sys.fstat = sys_faulty.fstat;
	store = open_store(&none, &sys);
	ck_assert(!store_erase(store, 0, 1));
	fault = (struct fault){ .nth = 1, .error = EIO };
	ck_assert(!store_checkpoint(store));
	ck_assert_uint_eq(fault.hits, 1);
	ck_assert(store_verify(store));
	journal = blob_read(scratch_path("VARS.journal"));
	ck_assert_uint_gt(journal.len, HEADER + RECORD + 4);
	blob_free(&journal);
	ck_assert(!store_erase(store, 0, 1));
	ck_assert(!store_close(store));
	journal = blob_read(scratch_path("VARS.journal"));
	ck_assert_uint_eq(journal.len, HEADER + RECORD + 4);
	blob_free(&journal);
}
END_TEST

static int
accept_vars(const struct store_history *history, bool *changed)
{
	const struct store_config config = {
		.path = scratch_path("VARS"),
		.history = history,
	};

	return store_accept(&config, changed, &err);
}

static void
change_vars(uint32_t off)
{
	struct blob vars = blob_read(scratch_path("VARS"));

	vars.data[off] ^= 1;
	blob_write(scratch_path("VARS"), vars.data, vars.len);
	blob_free(&vars);
}

START_TEST(accepting_an_unchanged_file_changes_nothing)
{
	struct store *store;
	struct blob before, after;
	bool changed = true;

	ck_assert_int_eq(accept_vars(NULL, &changed), 0);
	ck_assert(!changed);
	ck_assert_uint_eq(scratch_entries(), 1);
	store = open_store(NULL, NULL);
	ck_assert_int_eq(accept_vars(NULL, &changed), -EBUSY);
	step(store, 1);
	ck_assert(!store_close(store));
	before = blob_read(scratch_path("VARS.journal"));
	ck_assert_int_eq(accept_vars(NULL, &changed), 0);
	ck_assert(!changed);
	after = blob_read(scratch_path("VARS.journal"));
	ck_assert(blob_equal(&after, before.data, before.len));
	blob_free(&before);
	blob_free(&after);
	ck_assert_int_eq(unlink(scratch_path("VARS")), 0);
	ck_assert_int_eq(accept_vars(NULL, &changed), -ENOENT);
}
END_TEST

START_TEST(accepting_a_change_makes_it_a_burst)
{
	struct store *store = open_store(NULL, NULL);
	struct reader_point last;
	struct blob vars;
	bool changed;

	for (unsigned int n = 1; n < 4; n++)
		step(store, n);
	ck_assert(!store_close(store));
	change_vars(123);
	vars = blob_read(scratch_path("VARS"));
	ck_assert_int_eq(accept_vars(NULL, &changed), 0);
	ck_assert(changed);
	ck_assert_uint_eq(points(NULL, &last), 5);
	ck_assert(last.programmed == 1 && !last.erased && !last.oldest);
	ck_assert_uint_eq(last.time, fake_clock);
	note_image(last.sequence, vars.data);
	ck_assert_uint_eq(check_history(), 5);
	store = open_store(NULL, NULL);
	ck_assert_mem_eq(store_image(store), vars.data, SIZE);
	step(store, 9);
	ck_assert_uint_eq(check_history(), 6);
	ck_assert(!store_close(store));
	blob_free(&vars);
}
END_TEST

/* Bursts that VARS never had, with or without an unfinished checkpoint. */
START_TEST(accepting_keeps_unwritten_bursts_in_the_history)
{
	struct store *store = open_store(NULL, &sys_faulty);
	struct reader_point last;
	struct blob vars;
	bool changed;

	step(store, 1);
	ck_assert(!store_program(store, 0, "answered", 8));
	commit(store);
	ck_assert(!store_program(store, 20, "answered", 8));
	commit(store);
	/* The append fails, or only (third call) the write of VARS. */
	fault = (struct fault){ .nth = _i ? 3 : 1, .error = EIO };
	ck_assert_int_eq(store_close(store), -EIO);
	change_vars(SIZE - 1);
	vars = blob_read(scratch_path("VARS"));
	ck_assert_int_eq(accept_vars(NULL, &changed), 0);
	ck_assert(changed);
	ck_assert_uint_eq(points(NULL, &last), 5);
	note_image(last.sequence, vars.data);
	ck_assert_uint_eq(check_history(), 5);
	store = open_store(NULL, NULL);
	ck_assert_mem_eq(store_image(store), vars.data, SIZE);
	ck_assert(!store_close(store));
	blob_free(&vars);
}
END_TEST

START_TEST(accepting_without_history)
{
	const struct store_history *histories[][2] = { { &none, &none },
						       { &none, &much },
						       { &much, &none } };
	struct blob vars;
	struct store *store;
	bool changed;

	store = open_store(histories[_i][0], NULL);
	ck_assert(!store_erase(store, 0, 5));
	ck_assert(!store_close(store));
	change_vars(77);
	vars = blob_read(scratch_path("VARS"));
	ck_assert_int_eq(accept_vars(histories[_i][1], &changed), 0);
	ck_assert(changed);
	ck_assert_uint_eq(points(NULL, NULL), histories[_i][1]->bytes > 0);
	store = open_store(histories[_i][1], NULL);
	ck_assert_mem_eq(store_image(store), vars.data, SIZE);
	ck_assert(!store_close(store));
	blob_free(&vars);
}
END_TEST

/* A VARS file of another size, or a damaged journal, is refused. */
START_TEST(accepting_has_limits)
{
	static uint8_t large[SIZE + BLOCK];
	struct blob journal;
	bool changed;

	ck_assert(!store_close(open_store(NULL, NULL)));
	journal = blob_read(scratch_path("VARS.journal"));
	blob_write(scratch_path("VARS"), large, sizeof(large));
	ck_assert_int_eq(accept_vars(NULL, &changed), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(err.text, "size differs"));
	blob_write(scratch_path("VARS"), large, SIZE);
	journal.data[HEADER + 3] ^= 1;
	blob_write(scratch_path("VARS.journal"), journal.data, journal.len);
	ck_assert_int_eq(accept_vars(NULL, &changed), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(err.text, "damaged at offset 64"));
	ck_assert(!changed);
	blob_free(&journal);
}
END_TEST

/* VARS was accepted or not; the history must be correct in both cases. */
static void
check_accepted(const struct store_config *config, int rc,
	       const struct blob *vars)
{
	struct blob now = blob_read(scratch_path("VARS"));
	struct store *store;
	bool changed;

	ck_assert(blob_equal(&now, vars->data, vars->len));
	blob_free(&now);
	if (rc) {
		ck_assert_int_eq(store_accept(config, &changed, &err), 0);
	}
	store = open_store(NULL, &sys_unsynced);
	ck_assert_mem_eq(store_image(store), vars->data, SIZE);
	ck_assert(!store_close(store));
	ck_assert_uint_eq(check_history(), image_count);
}

START_TEST(failed_accept_changes_nothing)
{
	struct store *store = open_store(NULL, NULL);
	struct store_config config = { .path = scratch_path("VARS") };
	unsigned int n = 0, failures = 0, hits;
	struct blob journal, vars;
	struct reader_point last;
	bool changed;
	int rc;

	step(store, 1);
	ck_assert(!store_close(store));
	change_vars(99);
	journal = blob_read(scratch_path("VARS.journal"));
	vars = blob_read(scratch_path("VARS"));
	do {
		blob_write(scratch_path("VARS.journal"), journal.data,
			   journal.len);
		config.sys = _i ? &sys_unsynced : &sys_faulty;
		fault = (struct fault){ .nth = ++n, .error = ENOSPC };
		memory_fault = (struct memory_fault){ .nth = _i ? n : 0 };
		rc = store_accept(&config, &changed, &err);
		memory_fault.nth = 0;
		hits = _i ? memory_fault.hits : fault.hits;
		fault = (struct fault){ .nth = 0 };
		failures += rc != 0;
		ck_assert(!rc || rc == (_i ? -ENOMEM : -ENOSPC));
		config.sys = &sys_unsynced;
		if (n == 1) {
			ck_assert_int_ne(rc, 0);
			ck_assert(!store_accept(&config, &changed, &err));
			ck_assert_uint_eq(points(NULL, &last), 3);
			note_image(last.sequence, vars.data);
			rc = 0;
		}
		check_accepted(&config, rc, &vars);
	} while (hits);
	ck_assert_uint_gt(failures, 7);
	blob_free(&journal);
	blob_free(&vars);
}
END_TEST

/* Walks from point to point, without a replay from the snapshot each time. */
START_TEST(walk_goes_through_all_images)
{
	struct store *store = open_store(NULL, NULL);
	struct reader_point point;
	struct reader *reader = open_reader();
	uint8_t image[SIZE];
	size_t cursor = 0;
	unsigned int count = 0;

	ck_assert(reader_has_journal(reader));
	ck_assert_uint_eq(reader_pending(reader), 0);
	reader_close(reader);
	for (unsigned int n = 1; n < 5; n++)
		step(store, n);
	ck_assert(!store_erase(store, 7, BLOCK));
	commit(store);
	ck_assert(!store_program(store, 5, "last", 4));
	commit(store);
	reader = open_reader();
	memset(image, 0x33, SIZE);
	while (reader_walk(reader, &cursor, &point, image, NULL, NULL)) {
		ck_assert_mem_eq(image, images[find_image(point.sequence)],
				 SIZE);
		count++;
	}
	ck_assert_uint_eq(count, image_count);
	ck_assert_uint_eq(reader_pending(reader), 2);
	ck_assert_uint_eq(reader_torn_bytes(reader), 0);
	reader_close(reader);
	ck_assert(!store_close(store));
}
END_TEST

START_TEST(reader_reports_torn_bytes)
{
	struct reader *reader = open_reader();
	struct blob journal;

	ck_assert(!reader_has_journal(reader));
	ck_assert_uint_eq(reader_pending(reader) + reader_torn_bytes(reader),
			  0);
	reader_close(reader);
	ck_assert(!store_close(open_store(NULL, NULL)));
	journal = blob_read(scratch_path("VARS.journal"));
	journal.data = realloc(journal.data, journal.len + 33);
	ck_assert_ptr_nonnull(journal.data);
	memset(journal.data + journal.len, 0, 33);
	blob_write(scratch_path("VARS.journal"), journal.data,
		   journal.len + 33);
	reader = open_reader();
	ck_assert_uint_eq(reader_torn_bytes(reader), 33);
	reader_close(reader);
	blob_free(&journal);
}
END_TEST

/*
 * Opens files that reader_open() refuses; returns the number of points.
 * `image` is the best image that the files have.
 */
static unsigned int
check_rescue(const uint8_t *image, enum reader_source source, const char *text)
{
	const struct store_config config = { .path = scratch_path("VARS") };
	struct reader_point point;
	struct reader *reader;
	unsigned int count = 0;
	size_t cursor = 0;

	ck_assert_int_eq(reader_open_files(&reader, &config, &err), -EUCLEAN);
	err.text[0] = '\0';
	ck_assert_int_eq(reader_open_rescue(&reader, &config, &err), 1);
	ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
	ck_assert_int_eq(reader_source(reader), source);
	ck_assert_mem_eq(reader_image(reader), image, SIZE);
	while (reader_next(reader, &cursor, &point)) {
		check_past(reader, point.sequence);
		count++;
	}
	reader_close(reader);
	return count;
}

START_TEST(rescue_reads_intact_records)
{
	const struct store_config config = { .path = scratch_path("VARS") };
	struct store *store = open_store(NULL, NULL);
	struct blob journal, vars;
	struct reader *reader;

	for (unsigned int n = 1; n < 4; n++)
		step(store, n);
	ck_assert(!store_close(store));
	ck_assert_int_eq(reader_open_rescue(&reader, &config, &err), 0);
	reader_close(reader);
	journal = blob_read(scratch_path("VARS.journal"));
	vars = blob_read(scratch_path("VARS"));
	/* Damages the second of three bursts, the first, and the header. */
	journal.data[journal.len - STEP - 1000] ^= 1;
	blob_write(scratch_path("VARS.journal"), journal.data, journal.len);
	ck_assert_uint_eq(check_rescue(vars.data, READER_VARS_FITS,
				       "expected record"),
			  2);
	journal.data[journal.len - 2 * STEP - 1000] ^= 1;
	blob_write(scratch_path("VARS.journal"), journal.data, journal.len);
	ck_assert_uint_eq(check_rescue(vars.data, READER_VARS_FITS,
				       "expected record"),
			  1);
	journal.data[0] ^= 1;
	blob_write(scratch_path("VARS.journal"), journal.data, journal.len);
	ck_assert_uint_eq(check_rescue(vars.data, READER_VARS,
				       "expected a journal h"),
			  0);
	journal.data[0] ^= 1;
	journal.data[journal.len - STEP - 1000] ^= 1;
	journal.data[journal.len - 2 * STEP - 1000] ^= 1;
	blob_write(scratch_path("VARS.journal"), journal.data, journal.len);
	vars.data[0] ^= 1;
	blob_write(scratch_path("VARS"), vars.data, SIZE);
	ck_assert_uint_eq(check_rescue(images[image_count - 1], READER_POINT,
				       "content differs"),
			  4);
	blob_free(&journal);
	blob_free(&vars);
}
END_TEST

/* Each call and each allocation fails: fewer points, or an error. */
START_TEST(rescue_fails_cleanly)
{
	struct store_config config = { .path = scratch_path("VARS") };
	unsigned int n = 0, failures = 0, hits;
	struct reader *reader = NULL;
	int rc;

	ck_assert(!store_close(open_store(NULL, NULL)));
	change_vars(1);
	config.sys = _i ? &sys_unsynced : &sys_faulty;
	do {
		fault = (struct fault){ .nth = ++n, .error = EIO };
		memory_fault = (struct memory_fault){ .nth = _i ? n : 0 };
		rc = reader_open_rescue(&reader, &config, &err);
		memory_fault.nth = 0;
		hits = _i ? memory_fault.hits : fault.hits;
		if (rc == 1) {
			ck_assert_mem_eq(reader_image(reader), images[0], SIZE);
			reader_close(reader);
			continue;
		}
		ck_assert_int_lt(rc, 0);
		ck_assert_uint_gt(hits, 0);
		failures++;
	} while (hits);
	ck_assert_int_eq(rc, 1);
	ck_assert_uint_gt(failures, 5);
}
END_TEST

START_TEST(settings_are_parsed)
{
	static const struct {
		const char *text;
		struct store_history history;
	} good[] = {
		{ "0", { 0, 0 } },
		{ "1", { 1, 0 } },
		{ "010", { 10, 0 } },
		{ "0K", { 0, 0 } },
		{ "512K", { 512 << 10, 0 } },
		{ "1M", { 1 << 20, 0 } },
		{ "64M", { 64 << 20, 0 } },
		{ "67108864", { 64 << 20, 0 } },
		{ "1h", { STORE_HISTORY_MOST, 3600 } },
		{ "30d", { STORE_HISTORY_MOST, 30 * 24 * 3600 } },
		{ "8w", { STORE_HISTORY_MOST, 8 * 7 * 24 * 3600 } },
		{ "876000h", { STORE_HISTORY_MOST, 3153600000 } },
	};
	static const char *const bad[] = {
		"",
		"K",
		"-1",
		" 1",
		"+1",
		"1KB",
		"1x",
		"0h",
		"65M",
		"1 K",
		"67108865",
		"876001h",
		"0x1",
		"1.5M",
		"0d",
		"65537K",
		"1m",
		"1G",
		"18446744073709551616",
		"99999999999999999999w",
		"18446744073709551615",
		"36501d",
		"h",
	};
	struct store_history history;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(store_history_parse(&history, good[i].text,
						  &err) == 0,
			      "%s", err.text);
		ck_assert_uint_eq(history.bytes, good[i].history.bytes);
		ck_assert_uint_eq(history.seconds, good[i].history.seconds);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(store_history_parse(&history, bad[i], &err) ==
				      -EINVAL,
			      "'%s' is accepted", bad[i]);
		ck_assert_ptr_nonnull(strstr(err.text, "is not a size"));
	}
}
END_TEST

static Suite *
history_suite(void)
{
	Suite *suite = suite_create("history");
	TCase *tc = tcase_create("history");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, no_journal_has_no_history);
	tcase_add_test(tc, points_have_their_fields);
	tcase_add_test(tc, new_files_have_new_salts_and_go_on_counting);
	tcase_add_test(tc, no_change_keeps_the_journal_file);
	tcase_add_test(tc, history_begins_and_ends_with_the_setting);
	tcase_add_test(tc, old_history_goes_when_it_is_too_long);
	tcase_add_loop_test(tc, limit_is_exact, 0, 2);
	tcase_add_test(tc, tiny_limit_leaves_the_image);
	tcase_add_test(tc, old_history_goes_when_it_is_too_old);
	tcase_add_loop_test(
		tc, checkpoints_of_a_quiet_guest_rewrite_the_journal_seldom, 0,
		4);
	tcase_add_test(tc, history_has_every_burst_of_a_quiet_guest);
	tcase_add_test(tc, no_history_of_a_quiet_guest);
	tcase_add_test(tc, clock_that_goes_backwards);
	tcase_add_test(tc, young_burst_keeps_what_follows);
	tcase_add_loop_test(tc, random_lives, 0, 4);
	tcase_add_test(tc, left_over_new_file_is_replaced);
	tcase_add_loop_test(tc, new_file_that_can_not_be_made, 0,
			    NEW_FILE_CALLS);
	tcase_add_test(tc, new_file_in_whose_place_a_directory_is);
	tcase_add_test(tc, old_journal_that_can_not_be_read);
	tcase_add_test(tc, accepting_an_unchanged_file_changes_nothing);
	tcase_add_test(tc, accepting_a_change_makes_it_a_burst);
	tcase_add_loop_test(tc, accepting_keeps_unwritten_bursts_in_the_history,
			    0, 2);
	tcase_add_loop_test(tc, accepting_without_history, 0, 3);
	tcase_add_test(tc, accepting_has_limits);
	tcase_add_loop_test(tc, failed_accept_changes_nothing, 0,
			    memory_can_fail() ? 2 : 1);
	tcase_add_test(tc, walk_goes_through_all_images);
	tcase_add_test(tc, reader_reports_torn_bytes);
	tcase_add_test(tc, rescue_reads_intact_records);
	tcase_add_loop_test(tc, rescue_fails_cleanly, 0,
			    memory_can_fail() ? 2 : 1);
	tcase_add_test(tc, settings_are_parsed);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(history_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
