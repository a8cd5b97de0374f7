/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the queue of changes for the next start: its format, with any bytes in
 * it, and its file, with other processes that change it, calls that fail, and a
 * move of the flash.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support_store.h"
#include "support_vars.h"

#include "../../src/store/crc32c.h"

#include "pflash/le.h"
#include "pflash/queue.h"
#include "pflash/store.h"

#define TIME UINT64_C(1700000000000000001)

static const uint8_t name_a[] = { 'A', 0, 0, 0 };
static const uint8_t name_b[] = { 'B', 0, 0, 0 };
static struct error err;
static struct files *files;

static void
open_files(void)
{
	int rc = files_local(&files, scratch_path("VARS"), NULL, &sys_faulty,
			     &err);

	ck_assert_msg(rc == 0, "%s", err.text);
}

static void
setup(void)
{
	struct vars vars = vars_make("2m");

	scratch_make();
	memset(&fault, 0, sizeof(fault));
	ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"), vars.image,
				     vars.size, &err),
			 0);
	vars_free(&vars);
	open_files();
}

static void
teardown(void)
{
	files->ops->close(files);
	scratch_remove();
}

/* A list: A = data, with the old data as condition, and B removed. */
static struct changes *
list_of(const char *data, const char *old)
{
	struct changes *changes = changes_new();
	struct change change = {
		.kind = CHANGE_SET,
		.value = {
			.guid = vendor_global,
			.name = name_a,
			.name_size = sizeof(name_a),
			.attributes = 7,
			.time = { 2024, 2, 29, 23, 59, 58 },
			.data = (const uint8_t *)data,
			.data_size = (uint32_t)strlen(data),
		},
		.has_condition = old != NULL,
		.expected = {
			.guid = vendor_global,
			.name = name_a,
			.name_size = sizeof(name_a),
			.attributes = 3,
			.time = { .year = 1999 },
			.data = (const uint8_t *)old,
			.data_size = old ? (uint32_t)strlen(old) : 0,
		},
	};

	ck_assert_ptr_nonnull(changes);
	ck_assert_int_eq(changes_add(changes, &change, &err), 0);
	change.kind = CHANGE_REMOVE;
	change.value = (struct edit_value){
		.guid = vendor_global,
		.name = name_b,
		.name_size = sizeof(name_b),
	};
	change.has_condition = true;
	change.expects_none = true;
	ck_assert_int_eq(changes_add(changes, &change, &err), 0);
	return changes;
}

static int
append(const char *data)
{
	struct changes *changes = list_of(data, NULL);
	const struct queue_item item = {
		.time = TIME,
		.text = data,
		.changes = changes,
	};
	int rc = queue_append(files, &sys_faulty, &item, &err);

	changes_free(changes);
	return rc;
}

static struct queue *
queue_of(const char *const *data, size_t count)
{
	struct queue *queue = queue_new();

	ck_assert_ptr_nonnull(queue);
	for (size_t i = 0; i < count; i++) {
		struct changes *changes = list_of(data[i], "old");
		const struct queue_item item = {
			.time = TIME + i,
			.text = data[i],
			.changes = changes,
		};

		ck_assert_int_eq(queue_add(queue, &item, &err), 0);
		changes_free(changes);
	}
	return queue;
}

static bool
same_value(const struct edit_value *a, const struct edit_value *b)
{
	return a->attributes == b->attributes && a->name_size == b->name_size &&
	       !memcmp(a->name, b->name, a->name_size) &&
	       !memcmp(a->guid, b->guid, GUID_SIZE) &&
	       a->time.year == b->time.year &&
	       a->time.second == b->time.second &&
	       a->time.month == b->time.month && a->time.day == b->time.day &&
	       a->time.hour == b->time.hour &&
	       a->time.minute == b->time.minute &&
	       a->data_size == b->data_size &&
	       !memcmp(a->data, b->data, a->data_size);
}

static bool
same_change(const struct change *a, const struct change *b)
{
	return a->kind == b->kind && same_value(&a->value, &b->value) &&
	       a->has_condition == b->has_condition &&
	       a->expects_none == b->expects_none &&
	       (!a->has_condition || a->expects_none ||
		same_value(&a->expected, &b->expected));
}

static bool
same_queue(const struct queue *a, const struct queue *b)
{
	const struct queue_item *x, *y;
	const struct change *change;

	if (queue_count(a) != queue_count(b))
		return false;
	for (size_t i = 0; (x = queue_at(a, i)); i++) {
		y = queue_at(b, i);
		if (x->time != y->time || strcmp(x->text, y->text) != 0 ||
		    changes_count(x->changes) != changes_count(y->changes))
			return false;
		for (size_t j = 0; (change = changes_at(x->changes, j)); j++)
			if (!same_change(change, changes_at(y->changes, j)))
				return false;
	}
	return true;
}

/* --- the format --- */

static const char *const three[] = { "one", "two", "three" };

START_TEST(contents_come_back)
{
	struct queue *queue = queue_of(three, (size_t)_i), *back;
	uint8_t *bytes;
	size_t len;

	ck_assert_int_eq(queue_encode(queue, &bytes, &len, &err), 0);
	ck_assert_int_eq(queue_decode(&back, bytes, len, &err), 0);
	ck_assert_uint_eq(queue_count(back), (size_t)_i);
	ck_assert(same_queue(queue, back));
	free(bytes);
	queue_free(queue);
	queue_free(back);
}
END_TEST

/* Each byte flipped, and each shorter and a longer length. */
START_TEST(damage_is_refused)
{
	struct queue *queue = queue_of(three, 3), *back;
	uint8_t *bytes, *copy;
	size_t len;

	ck_assert_int_eq(queue_encode(queue, &bytes, &len, &err), 0);
	for (size_t i = 0; i < len; i++) {
		bytes[i] ^= (uint8_t)(1u << i % 8);
		ck_assert_int_eq(queue_decode(&back, bytes, len, &err),
				 -EUCLEAN);
		ck_assert_ptr_null(back);
		bytes[i] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t i = 0; i <= len + 1; i++) {
		copy = calloc(1, i ? i : 1);
		ck_assert_ptr_nonnull(copy);
		memcpy(copy, bytes, i < len ? i : len);
		ck_assert_int_eq(queue_decode(&back, copy, i, &err),
				 i == len ? 0 : -EUCLEAN);
		queue_free(back);
		free(copy);
	}
	free(bytes);
	queue_free(queue);
}
END_TEST

/*
 * Random changes with a correct checksum: a queue that is accepted can be
 * written, and what was written is the same queue.
 */
static void
accept_or_refuse(uint8_t *bytes, size_t len)
{
	struct queue *queue, *back;
	uint8_t *again;
	size_t again_len;
	int rc;

	put_le32(bytes + 16,
		 crc32c(crc32c(0, bytes, 16), bytes + 20, len - 20));
	rc = queue_decode(&queue, bytes, len, &err);
	if (rc) {
		ck_assert_int_eq(rc, -EUCLEAN);
		return;
	}
	ck_assert_int_eq(queue_encode(queue, &again, &again_len, &err), 0);
	ck_assert_int_eq(queue_decode(&back, again, again_len, &err), 0);
	ck_assert(same_queue(queue, back));
	free(again);
	queue_free(queue);
	queue_free(back);
}

START_TEST(any_bytes_with_a_checksum)
{
	struct queue *queue = queue_of(three, 3);
	unsigned int seed = 1;
	uint8_t *bytes, *copy;
	size_t len;

	ck_assert_int_eq(queue_encode(queue, &bytes, &len, &err), 0);
	copy = malloc(len);
	ck_assert_ptr_nonnull(copy);
	for (unsigned int i = 0; i < 200000; i++) {
		memcpy(copy, bytes, len);
		for (unsigned int j = 0; j <= i % 3; j++) {
			size_t at = 20 + (size_t)rand_r(&seed) % (len - 20);

			copy[at] = (uint8_t)(rand_r(&seed) % 3 ?
						     rand_r(&seed) :
						     rand_r(&seed) % 3 - 1);
		}
		accept_or_refuse(copy, len);
	}
	free(copy);
	free(bytes);
	queue_free(queue);
}
END_TEST

START_TEST(queue_is_bounded)
{
	struct queue *queue = queue_new();
	struct changes *changes = list_of("data", NULL);
	char text[QUEUE_TEXT_MOST + 100];
	struct queue_item item = { .text = text, .changes = changes };
	uint8_t name[] = { 0, 1, 0, 0 };

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	for (unsigned int i = 0; i < QUEUE_MOST; i++)
		ck_assert_int_eq(queue_add(queue, &item, &err), 0);
	ck_assert_uint_eq(strlen(queue_at(queue, 0)->text), QUEUE_TEXT_MOST);
	ck_assert_int_eq(queue_add(queue, &item, &err), -E2BIG);
	ck_assert_uint_eq(queue_count(queue), QUEUE_MOST);
	while (queue_count(queue))
		queue_drop(queue, 0);
	for (unsigned int i = 0; i < QUEUE_CHANGES_MOST - 1; i++) {
		name[0] = (uint8_t)i;
		name[1] = (uint8_t)(1 + i / 256);
		changes_remove(changes, vendor_other, name, sizeof(name), &err);
	}
	ck_assert_uint_eq(changes_count(changes), QUEUE_CHANGES_MOST + 1);
	ck_assert_int_eq(queue_add(queue, &item, &err), -E2BIG);
	changes_free(changes);
	item.changes = changes = changes_new();
	ck_assert_int_eq(queue_add(queue, &item, &err), -EINVAL);
	changes_free(changes);
	queue_free(queue);
}
END_TEST

START_TEST(large_queue_is_refused)
{
	struct queue *queue = queue_new();
	char *data = malloc(QUEUE_SIZE_MOST);
	struct changes *changes;
	struct queue_item item = { .text = "" };
	uint8_t *bytes;
	size_t len;

	memset(data, 'x', QUEUE_SIZE_MOST - 1);
	data[QUEUE_SIZE_MOST - 1] = '\0';
	item.changes = changes = list_of(data, NULL);
	ck_assert_int_eq(queue_add(queue, &item, &err), 0);
	ck_assert_int_eq(queue_encode(queue, &bytes, &len, &err), -E2BIG);
	ck_assert_ptr_null(bytes);
	changes_free(changes);
	queue_free(queue);
	free(data);
}
END_TEST

/* --- the file --- */

static bool
exists(const char *name)
{
	struct stat st;

	return lstat(scratch_path(name), &st) == 0;
}

/* The texts of the queue in the file, each with a comma behind it. */
static bool
queue_has(const char *texts)
{
	struct queue *queue;
	char all[256] = "";

	ck_assert_int_eq(queue_read(&queue, files, NULL, &err), 0);
	for (size_t i = 0; i < queue_count(queue); i++)
		strcat(strcat(all, queue_at(queue, i)->text), ",");
	queue_free(queue);
	return strcmp(all, texts) == 0;
}

static void
queue_is(const char *texts)
{
	ck_assert(queue_has(texts));
}

START_TEST(lists_are_added_and_dropped)
{
	size_t dropped;

	queue_is("");
	ck_assert_int_eq(append("one"), 0);
	ck_assert_int_eq(append("two"), 0);
	ck_assert_int_eq(append("three"), 0);
	queue_is("one,two,three,");
	ck_assert_int_eq(queue_cancel(files, NULL, 3, &dropped, &err), -ENOENT);
	ck_assert_int_eq(queue_cancel(files, NULL, 1, &dropped, &err), 0);
	ck_assert_uint_eq(dropped, 1);
	queue_is("one,three,");
	ck_assert_int_eq(queue_cancel(files, NULL, QUEUE_ALL, &dropped, &err),
			 0);
	ck_assert_uint_eq(dropped, 2);
	ck_assert(!exists("VARS.next"));
	ck_assert_int_eq(queue_cancel(files, NULL, QUEUE_ALL, &dropped, &err),
			 0);
	ck_assert_uint_eq(dropped, 0);
	ck_assert_int_eq(queue_cancel(files, NULL, 0, &dropped, &err), -ENOENT);
	ck_assert_int_eq(append("four"), 0);
	ck_assert_int_eq(queue_cancel(files, NULL, 0, &dropped, &err), 0);
	ck_assert(!exists("VARS.next"));
	ck_assert_uint_eq(scratch_entries(), 1);
}
END_TEST

START_TEST(file_has_owner_and_mode_of_vars)
{
	struct stat st;

	ck_assert_int_eq(chmod(scratch_path("VARS"), 0640), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(chown(scratch_path("VARS"), 12, 34), 0);
	ck_assert_int_eq(append("one"), 0);
	ck_assert_int_eq(stat(scratch_path("VARS.next"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ck_assert_uint_eq(st.st_uid, geteuid() == 0 ? 12 : geteuid());
}
END_TEST

START_TEST(damaged_file_stays_until_all_is_dropped)
{
	struct queue *queue;
	size_t dropped = 7;

	blob_write(scratch_path("VARS.next"), "PFLASHY2, and more bytes", 24);
	ck_assert_int_eq(queue_read(&queue, files, NULL, &err), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(err.text, "VARS.next: has a format that "
					       "this version cannot read"));
	ck_assert_int_eq(append("one"), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(err.text, "`pflashctl vars cancel /"));
	ck_assert_int_eq(queue_hold(&queue, files, NULL, &err), -EUCLEAN);
	ck_assert_int_eq(queue_cancel(files, NULL, 0, &dropped, &err),
			 -EUCLEAN);
	ck_assert(exists("VARS.next"));
	ck_assert_int_eq(queue_cancel(files, NULL, QUEUE_ALL, &dropped, &err),
			 0);
	ck_assert_uint_eq(dropped, 0);
	ck_assert(!exists("VARS.next"));
}
END_TEST

START_TEST(huge_file_is_not_read)
{
	struct queue *queue;

	blob_write(scratch_path("VARS.next"), "PFLASHY1", 8);
	ck_assert_int_eq(truncate(scratch_path("VARS.next"), (off_t)1 << 40),
			 0);
	ck_assert_int_eq(queue_read(&queue, files, NULL, &err), -EUCLEAN);
	ck_assert_int_eq(unlink(scratch_path("VARS.next")), 0);
	ck_assert_int_eq(symlink("VARS", scratch_path("VARS.next")), 0);
	ck_assert_int_eq(append("one"), -ELOOP);
}
END_TEST

/* In another process: adds lists all the time. */
static pid_t
fork_adder(const char *text, unsigned int times)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	/* A lock belongs to the parent's descriptor, which must not stay. */
	for (int fd = 3; fd < 64; fd++)
		(void)close(fd);
	open_files();
	while (times--)
		if (append(text) < 0)
			_exit(1);
	_exit(0);
}

static void
join(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* No list of two processes is lost, also if the file is new or goes. */
START_TEST(processes_add_at_the_same_time)
{
	pid_t one = fork_adder("one", 20), two = fork_adder("two", 20);
	size_t dropped, count = 0;

	for (unsigned int i = 0; i < 10; i++) {
		ck_assert_int_eq(queue_cancel(files, NULL, QUEUE_ALL, &dropped,
					      &err),
				 0);
		count += dropped;
		usleep(2000);
	}
	join(one);
	join(two);
	ck_assert_int_eq(queue_cancel(files, NULL, QUEUE_ALL, &dropped, &err),
			 0);
	ck_assert_uint_eq(count + dropped, 40);
	ck_assert_uint_eq(scratch_entries(), 1);
}
END_TEST

/* A list that is added while the queue is held stays for the next time. */
START_TEST(held_queue_does_not_change)
{
	struct queue *queue;
	pid_t pid;

	ck_assert_int_eq(append("one"), 0);
	ck_assert_int_eq(queue_hold(&queue, files, NULL, &err), 0);
	pid = fork_adder("two", 1);
	usleep(300000);
	queue_is("one,");
	ck_assert_int_eq(queue_remove(files, &err), 0);
	queue_free(queue);
	join(pid);
	queue_is("two,");
}
END_TEST

/* The queue before the call and, without a failure, after it. */
struct step {
	const char *before, *after;
	unsigned int adds;
	bool cancel;
};

static const struct step steps[] = {
	{ "", "new,", 0, false },
	{ "one,", "one,new,", 1, false },
	{ "one,", "", 1, true },
	{ "one,one,", "one,", 2, true },
};

static int
do_step(const struct step *step, unsigned int nth)
{
	size_t dropped;

	(void)unlink(scratch_path("VARS.next"));
	for (unsigned int i = 0; i < step->adds; i++)
		ck_assert_int_eq(append("one"), 0);
	fault = (struct fault){ .error = EIO, .nth = nth };
	return step->cancel ?
		       queue_cancel(files, &sys_faulty, 0, &dropped, &err) :
		       append("new");
}

/* Each call fails in turn: the queue is the old or the new one. */
START_TEST(every_call_fails)
{
	const struct step *step = &steps[_i];
	unsigned int nth = 0;
	bool hit;

	do {
		int rc = do_step(step, ++nth);

		hit = fault.hits > 0;
		fault.nth = 0;
		ck_assert(queue_has(step->after) ||
			  (rc < 0 && queue_has(step->before)));
	} while (hit);
	ck_assert_uint_gt(nth, 5);
}
END_TEST

/* --- the place --- */

START_TEST(queue_needs_a_vars_file)
{
	ck_assert_int_eq(rename(scratch_path("VARS"), scratch_path("other")),
			 0);
	ck_assert_int_eq(append("one"), -ENOENT);
	ck_assert(!exists("VARS.next"));
}
END_TEST

static struct store_config
config_of(const char *name)
{
	return (struct store_config){ .path = scratch_path(name) };
}

/* A flash that has moved, or is moving, gets no list at its old place. */
START_TEST(list_moves_with_the_flash)
{
	struct store_config from, to;
	size_t dropped;

	ck_assert_int_eq(append("one"), 0);
	from = config_of("VARS");
	to = config_of("NEW");
	ck_assert_int_eq(store_move(&from, &to, &err), 0);
	ck_assert(!exists("VARS.next") && exists("NEW.next"));
	ck_assert_int_eq(append("two"), -ENOENT);
	files->ops->close(files);
	ck_assert_int_eq(files_local(&files, to.path, NULL, NULL, &err), 0);
	queue_is("one,");
	ck_assert_int_eq(queue_cancel(files, NULL, 0, &dropped, &err), 0);
}
END_TEST

/* A move that was interrupted at each call, and a list at that moment. */
START_TEST(list_during_a_move)
{
	unsigned int nth = 0, added = 0, refused = 0;
	struct store_config from, to;
	struct vars vars = vars_make("2m");
	bool hit;
	int rc;

	do {
		scratch_remove();
		scratch_make();
		ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"),
					     vars.image, vars.size, &err),
				 0);
		files->ops->close(files);
		open_files();
		from = config_of("VARS");
		to = config_of("NEW");
		from.sys = to.sys = &sys_faulty;
		fault = (struct fault){ .error = EIO,
					.nth = ++nth,
					.persistent = true };
		(void)store_move(&from, &to, &err);
		hit = fault.hits > 0;
		fault.nth = 0;
		rc = append("one");
		added += rc == 0;
		refused += rc == -EREMCHG;
		if (rc)
			ck_assert(!exists("VARS.next"));
		if (hit && exists("VARS"))
			ck_assert_int_eq(store_move(&from, &to, &err), 0);
		ck_assert(exists("NEW.next") == (rc == 0));
	} while (hit);
	ck_assert_uint_gt(added, 5);
	ck_assert_uint_gt(refused, 5);
	vars_free(&vars);
}
END_TEST

static Suite *
queue_suite(void)
{
	Suite *suite = suite_create("queue");
	TCase *format = tcase_create("format"), *file = tcase_create("file");

	tcase_add_loop_test(format, contents_come_back, 0, 4);
	tcase_add_test(format, damage_is_refused);
	tcase_add_test(format, any_bytes_with_a_checksum);
	tcase_add_test(format, queue_is_bounded);
	tcase_add_test(format, large_queue_is_refused);
	suite_add_tcase(suite, format);
	tcase_add_checked_fixture(file, setup, teardown);
	tcase_add_test(file, lists_are_added_and_dropped);
	tcase_add_test(file, file_has_owner_and_mode_of_vars);
	tcase_add_test(file, damaged_file_stays_until_all_is_dropped);
	tcase_add_test(file, huge_file_is_not_read);
	tcase_add_test(file, processes_add_at_the_same_time);
	tcase_add_test(file, held_queue_does_not_change);
	tcase_add_loop_test(file, every_call_fails, 0,
			    sizeof(steps) / sizeof(steps[0]));
	tcase_add_test(file, queue_needs_a_vars_file);
	tcase_add_test(file, list_moves_with_the_flash);
	tcase_add_test(file, list_during_a_move);
	suite_add_tcase(suite, file);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(queue_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
