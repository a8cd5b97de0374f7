/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker that its guest controls has the descriptor of a complete device, and
 * tries every way to change queue, pins and superblock there.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pflash/pins.h"
#include "pflash/queue.h"
#include "supervisor/broker.h"
#include "support_store.h"
#include "worker/client.h"
#include "worker/sandbox.h"

#define IMAGE 0x20000u
#define DEVICE (20u << 20)
#define DOMAIN 7u

static char path[256];
static uint8_t *before, *after;
static uint64_t limit;
static int device = -1;

static void
setup(void)
{
	struct store_config config = { .path = path, .size = IMAGE };
	uint8_t *image = malloc(IMAGE);
	struct files *files;
	struct error err;

	scratch_make();
	(void)snprintf(path, sizeof(path), "%s", scratch_path("DEV"));
	memset(image, 0xff, IMAGE);
	device = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(ftruncate(device, DEVICE), 0);
	ck_assert_int_eq(store_create_device(&config, image, false, &err), 0);
	ck_assert_int_eq(files_find(&files, path, NULL, NULL, &err), 0);
	limit = files_confine(files);
	ck_assert_uint_gt(limit, IMAGE);
	files->ops->close(files);
	before = malloc(DEVICE);
	after = malloc(DEVICE);
	ck_assert_int_eq(pread(device, before, DEVICE, 0), DEVICE);
	free(image);
}

static void
teardown(void)
{
	close(device);
	free(before);
	free(after);
	scratch_remove();
}

static int
enter(bool limited)
{
	const struct sandbox sandbox = {
		.level = SANDBOX_FULL,
		.domain = DOMAIN,
		.root = scratch_path("empty"),
		.file_size = 64u << 20,
		.memory = 256u << 20,
	};
	struct error err;
	int ret = sandbox_enter(&sandbox, &err);

	if (ret == 0 && limited)
		ret = sandbox_limit_writes(SANDBOX_FULL, limit,
					   FILES_WRITE_MOST, &err);
	if (ret < 0)
		(void)fprintf(stderr, "sandbox: %s\n", err.text);
	return ret;
}

/* --- attempts --- */

static char junk[4096];
static int pipe_ends[2];

static void
write_behind(void)
{
	(void)!pwrite(device, junk, 1, (off_t)limit);
}

static void
write_queue(void)
{
	(void)!pwrite(device, junk, sizeof(junk),
		      (off_t)(limit + FILES_WRITE_MOST));
}

static void
write_superblock(void)
{
	(void)!pwrite(device, junk, sizeof(junk), DEVICE - 4096);
}

/* From before the limit over the gap. */
static void
write_long(void)
{
	char *bytes = calloc(1, 2 * FILES_WRITE_MOST);

	(void)!pwrite(device, bytes, 2 * FILES_WRITE_MOST, (off_t)limit - 1);
	free(bytes);
}

/* The longest write that is allowed ends in the gap. */
static void
write_longest(void)
{
	char *bytes = calloc(1, FILES_WRITE_MOST);

	(void)!pwrite(device, bytes, FILES_WRITE_MOST, (off_t)limit - 1);
	free(bytes);
}

static void
seek_and_write(void)
{
	if (lseek(device, DEVICE - 4096, SEEK_SET) >= 0)
		(void)!write(device, junk, sizeof(junk));
}

static void
seek_back_and_write(void)
{
	if (lseek(device, -4096, SEEK_END) >= 0)
		(void)!write(device, junk, sizeof(junk));
}

static void
seek_from_here_and_write(void)
{
	if (lseek(device, -4096, SEEK_CUR) >= 0)
		(void)!write(device, junk, sizeof(junk));
}

static void
write_at_end(void)
{
	(void)!write(device, junk, sizeof(junk));
}

static void
write_vector(void)
{
	const struct iovec vector = { junk, sizeof(junk) };

	(void)!pwritev(device, &vector, 1, DEVICE - 4096);
}

static void
write_vector_2(void)
{
	const struct iovec vector = { junk, sizeof(junk) };

	(void)!pwritev2(device, &vector, 1, DEVICE - 4096, 0);
}

static void
write_vector_here(void)
{
	const struct iovec vector = { junk, sizeof(junk) };

	(void)!writev(device, &vector, 1);
}

static void
scribble(size_t len, int flags, off_t off, size_t at)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, device, off);

	if (p != MAP_FAILED)
		p[at] = 1;
}

static void
map_superblock(void)
{
	scribble(4096, MAP_SHARED, DEVICE - 4096, 0);
}

static void
map_whole(void)
{
	scribble(DEVICE, MAP_SHARED, 0, DEVICE - 1);
}

static void
map_validated(void)
{
	scribble(DEVICE, MAP_SHARED_VALIDATE, 0, DEVICE - 1);
}

static void
map_for_reading_first(void)
{
	char *p = mmap(NULL, DEVICE, PROT_READ, MAP_SHARED, device, 0);

	if (p != MAP_FAILED && mprotect(p, DEVICE, PROT_READ | PROT_WRITE) == 0)
		p[DEVICE - 1] = 1;
}

static void
grow_map(void)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, device,
		       0);

	if (p != MAP_FAILED)
		p = mremap(p, 4096, DEVICE, MREMAP_MAYMOVE);
	if (p != MAP_FAILED)
		p[DEVICE - 1] = 1;
}

static void
move_map(void)
{
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, device,
		       0);

	if (p != MAP_FAILED && syscall(SYS_remap_file_pages, p, 4096, 0,
				       DEVICE / 4096 - 1, 0) == 0)
		p[0] = 1;
}

static void
cut(void)
{
	(void)!ftruncate(device, (off_t)limit);
}

static void
punch(void)
{
	(void)!fallocate(device, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 DEVICE - 4096, 4096);
}

static void
discard(void)
{
	const uint64_t range[] = { DEVICE - 4096, 4096 };

	(void)!ioctl(device, BLKDISCARD, range);
}

static void
zero_out(void)
{
	const uint64_t range[] = { DEVICE - 4096, 4096 };

	(void)!ioctl(device, BLKZEROOUT, range);
}

static void
copy_range(void)
{
	loff_t from = 0, to = DEVICE - 4096;

	(void)!copy_file_range(device, &from, device, &to, 4096, 0);
}

static void
send_file(void)
{
	(void)!sendfile(device, device, NULL, 4096);
}

static void
splice_in(void)
{
	loff_t to = DEVICE - 4096;

	(void)!splice(pipe_ends[0], NULL, device, &to, 4096, 0);
}

static void
use_ring(void)
{
	char params[256] = { 0 };

	(void)!syscall(SYS_io_uring_setup, 1, params);
}

static void
submit_aio(void)
{
	unsigned long context = 0;

	(void)!syscall(SYS_io_setup, 1, &context);
}

static void
duplicate(void)
{
	(void)dup2(device, 20);
}

static void
duplicate_by_fcntl(void)
{
	(void)fcntl(device, F_DUPFD, 20);
}

static void
reopen(void)
{
	(void)open("/proc/self/fd/3", O_RDWR | O_CLOEXEC);
}

static void
append_flag(void)
{
	(void)fcntl(device, F_SETFL, O_APPEND);
}

/* `survives`: the attempt may return, without an effect. */
static const struct {
	const char *name;
	void (*attempt)(void);
	bool survives;
} attempts[] = {
	{ "pwrite at the limit", write_behind, false },
	{ "pwrite of the queue", write_queue, false },
	{ "pwrite of the superblock", write_superblock, false },
	{ "long pwrite", write_long, false },
	{ "longest pwrite", write_longest, true },
	{ "lseek and write", seek_and_write, false },
	{ "lseek from the end and write", seek_back_and_write, false },
	{ "lseek from here and write", seek_from_here_and_write, false },
	{ "write at the end", write_at_end, true },
	{ "pwritev", write_vector, false },
	{ "pwritev2", write_vector_2, false },
	{ "writev", write_vector_here, false },
	{ "mmap of the superblock", map_superblock, false },
	{ "mmap of all", map_whole, false },
	{ "mmap, MAP_SHARED_VALIDATE", map_validated, false },
	{ "mmap and mprotect", map_for_reading_first, false },
	{ "mremap", grow_map, true },
	{ "remap_file_pages", move_map, false },
	{ "ftruncate", cut, false },
	{ "fallocate", punch, false },
	{ "BLKDISCARD", discard, false },
	{ "BLKZEROOUT", zero_out, false },
	{ "copy_file_range", copy_range, false },
	{ "sendfile", send_file, false },
	{ "splice", splice_in, false },
	{ "io_uring", use_ring, false },
	{ "aio", submit_aio, false },
	{ "dup2", duplicate, false },
	{ "F_DUPFD", duplicate_by_fcntl, false },
	{ "F_SETFL", append_flag, false },
	{ "open of /proc/self/fd", reopen, true },
};

#define ATTEMPTS (int)(sizeof(attempts) / sizeof(*attempts))

/* The wait status of a child that tries it. */
static int
attempted(int number, bool limited)
{
	int status = 0;
	pid_t child;

	ck_assert_int_eq(lseek(device, 0, SEEK_END), DEVICE);
	ck_assert_int_eq(pipe(pipe_ends), 0);
	ck_assert_int_eq(write(pipe_ends[1], junk, sizeof(junk)), sizeof(junk));
	child = fork();
	if (child == 0) {
		(void)signal(SIGSYS, SIG_DFL);
		if (enter(limited) < 0)
			_exit(2);
		attempts[number].attempt();
		_exit(0);
	}
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	ck_assert_int_eq(pread(device, after, DEVICE, 0), DEVICE);
	return status;
}

/* True if queue, pins and superblock have their bytes. */
static bool
is_intact(void)
{
	uint64_t from = limit + FILES_WRITE_MOST;

	return memcmp(before + from, after + from, DEVICE - from) == 0;
}

START_TEST(attempt_changes_nothing)
{
	int status = attempted(_i, true);
	bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;

	ck_assert_msg(died || (attempts[_i].survives && status == 0),
		      "%s: status %#x", attempts[_i].name,
		      (unsigned int)status);
	ck_assert_msg(is_intact(), "%s", attempts[_i].name);
}
END_TEST

/* Without the limit some of them succeed, or the test would prove nothing. */
START_TEST(attempt_succeeds_without_the_limit)
{
	static const int some[] = { 2, 3, 5, 6, 7, 12, 13, 14, 15, 16 };

	ck_assert_int_eq(attempted(some[_i], false), 0);
	ck_assert_msg(!is_intact(), "%s", attempts[some[_i]].name);
}
END_TEST

/* --- the descriptors of the broker --- */

static void
serve(int channel, struct files *files)
{
	struct broker broker = { .files = files };
	struct error why = { .text = "" };
	int ret = 1;

	broker_begin(&broker);
	while (ret > 0)
		ret = broker_serve(&broker, channel, &why);
	close(channel);
	ck_assert_msg(ret == 0, "%s", why.text);
	files->ops->close(files);
}

/* Runs `worker` in a sandboxed child with the files of the broker. */
static int
served(int (*worker)(struct files *files))
{
	int ends[2], status = 0;
	struct files *files;
	struct error err;
	pid_t child;

	ck_assert_int_eq(files_local(&files, path, NULL, NULL, &err), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				    ends),
			 0);
	child = fork();
	if (child == 0) {
		(void)signal(SIGSYS, SIG_DFL);
		close(ends[0]);
		client_init(ends[1]);
		_exit(enter(false) < 0 ? 99 : worker(client_files(files)));
	}
	close(ends[1]);
	serve(ends[0], files);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(pread(device, after, DEVICE, 0), DEVICE);
	return status;
}

static int
limit_writes(struct files **files)
{
	struct error err;

	return files_complete(files, NULL, &err) < 0 ||
	       files_confine(*files) != limit ||
	       sandbox_limit_writes(SANDBOX_FULL, limit, FILES_WRITE_MOST,
				    &err) < 0;
}

static int
write_with_new_descriptor(struct files *files)
{
	int fd;

	if (limit_writes(&files))
		return 1;
	fd = files->ops->open(files, FILES_VARS, true);
	for (int i = 0; fd >= 0 && i < 5000; i++)
		(void)!write(fd, junk, sizeof(junk));
	return fd < 0;
}

START_TEST(descriptors_are_at_their_end)
{
	ck_assert_int_eq(served(write_with_new_descriptor), 0);
	ck_assert_int_eq(memcmp(before, after, DEVICE), 0);
}
END_TEST

static int
write_bursts(struct store *store)
{
	const uint8_t byte = 0x55;

	for (uint32_t i = 0; i < 600; i++)
		if (store_program(store, i, &byte, 1) < 0 ||
		    store_commit(store) < 0)
			return 1;
	return 0;
}

/* A burst that is longer than one write may be, and a suspend. */
static int
use_store(struct files *files)
{
	const struct store_history none = { .bytes = 0 };
	struct store_config config = { .size = IMAGE,
				       .journal_limit = 8192,
				       .history = &none };
	struct store_state state = { .tag = "test", .record = "x", .len = 1 };
	struct store *store;
	struct error err;

	if (limit_writes(&files))
		return 1;
	config.files = files;
	if (store_open(&store, &config, NULL, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	if (write_bursts(store) || store_stats(store)->checkpoints == 0)
		return 3;
	if (store_save_state(store, &state, &err) < 0)
		return 4;
	if (store_release(store, &err) < 0 ||
	    store_retake(store, true, &err) < 0 || write_bursts(store))
		return 5;
	return store_close(store) < 0 ? 6 : 0;
}

/* The header of an unfinished change of queue and pins: a crash leaves it. */
static void
leave_second_header(uint64_t first)
{
	uint8_t block[4096];
	uint64_t off = first;

	while (off < DEVICE - 4096 && memcmp(before + off, "PFLASHA1", 8) != 0)
		off += 4096;
	memcpy(block, before + off, sizeof(block));
	for (off += 4096; off < DEVICE - 4096; off += 4096)
		if (memcmp(before + off, "PFLASHA1", 8) == 0)
			break;
	off -= (off - first) / 2;
	ck_assert_int_eq(pwrite(device, block, sizeof(block), (off_t)off),
			 sizeof(block));
	ck_assert_int_eq(pread(device, before, DEVICE, 0), DEVICE);
}

START_TEST(store_works_and_leaves_the_rest)
{
	leave_second_header(limit + FILES_WRITE_MOST);
	ck_assert_int_eq(served(use_store), 0);
	ck_assert_msg(is_intact(), "queue, pins or superblock have changed");
	ck_assert_int_ne(memcmp(before, after, limit), 0);
}
END_TEST

static int
write_others(struct files *files)
{
	bool named;

	if (limit_writes(&files))
		return 1;
	for (int role = FILES_NEXT; role <= FILES_PINS; role++)
		if (files->ops->create(files, role) != -EPERM ||
		    files->ops->install(files, role, true, &named) != -EPERM ||
		    files->ops->remove(files, role, false) != -EPERM)
			return 2;
	return 0;
}

START_TEST(queue_and_pins_are_not_written)
{
	ck_assert_int_eq(served(write_others), 0);
	ck_assert_int_eq(memcmp(before, after, DEVICE), 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("confined");
	TCase *tc = tcase_create("confined");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, attempt_changes_nothing, 0, ATTEMPTS);
	tcase_add_loop_test(tc, attempt_succeeds_without_the_limit, 0, 10);
	tcase_add_test(tc, descriptors_are_at_their_end);
	tcase_add_test(tc, store_works_and_leaves_the_rest);
	tcase_add_test(tc, queue_and_pins_are_not_written);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
