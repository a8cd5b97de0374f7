/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests traces on the simulated hypervisor: a trace, applied to the image at
 * its start, gives the same reads and the same image; and no reader, limit or
 * full disk changes what the guest sees.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support_store.h"

#include "pflash/sim.h"
#include "pflash/trace.h"

#define SIZE 131072u
#define BLOCK 4096u
#define BASE (UINT64_C(0x100000000) - SIZE)
#define READS 4096

/* A guest with its flash. */
struct flash {
	struct sim *sim;
	struct ioreq_server *server;
	struct device *device;
	struct store *store;
};

static struct error err;
static struct flash flash;
static struct trace *trace;
static enum cfi_personality personality;
static uint64_t seen[READS]; /* what the guest has read */
static unsigned int reads;

static void
poll_server(void *opaque)
{
	ioreq_server_poll(opaque);
}

static void
open_flash(struct flash *f, const char *vars)
{
	const struct sim_config sc = { .ram_frames = 4,
				       .spare_frames = SIZE / BLOCK };
	const struct store_config store = { .path = scratch_path(vars),
					    .sync = STORE_SYNC_NONE,
					    .sys = &sys_unsynced };
	struct device_config device = { .base = BASE,
					.mode = WINDOW_TRAP,
					.personality = personality };
	struct error note;

	ck_assert_int_eq(geometry_parse(&device.geometry, SIZE, 1, 0, "4096",
					&err),
			 0);
	ck_assert_int_eq(sim_create(&f->sim, &sc), 0);
	ck_assert_int_eq(store_open(&f->store, &store, NULL, &err), 0);
	ck_assert_int_eq(ioreq_server_open(&f->server, sim_transport(f->sim),
					   &err),
			 0);
	ck_assert_int_eq(device_open(&f->device, f->server,
				     sim_transport(f->sim), &device, &note,
				     &err),
			 0);
	ck_assert_int_eq(device_connect(f->device, f->store, &err), 0);
	ck_assert_int_eq(ioreq_server_start(f->server, &err), 0);
	sim_set_server(f->sim, poll_server, f->server);
}

static void
close_flash(struct flash *f)
{
	ck_assert_msg(!sim_crashed(f->sim), "%s", sim_crashed(f->sim));
	ck_assert(device_verify(f->device));
	ck_assert_int_eq(device_close(f->device, DEVICE_DISCARD_STATE, &err),
			 0);
	ioreq_server_close(f->server);
	ck_assert_int_eq(store_close(f->store), 0);
	sim_destroy(f->sim);
}

static void
make_vars(const char *name, const uint8_t *image)
{
	uint8_t *blank = malloc(SIZE);

	memset(blank, 0xff, SIZE);
	blob_write(scratch_path(name), image ? image : blank, SIZE);
	free(blank);
}

static void
setup(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	scratch_make();
	make_vars("VARS", NULL);
	personality = CFI_OVMF;
	open_flash(&flash, "VARS");
	reads = 0;
}

static void
teardown(void)
{
	close_flash(&flash);
	scratch_remove();
}

static void
w(uint64_t off, uint64_t value, unsigned int size)
{
	sim_guest_write(flash.sim, 0, BASE + off, &value, size);
}

static uint64_t
r(uint64_t off, unsigned int size)
{
	uint64_t value = 0;

	sim_guest_read(flash.sim, 0, BASE + off, &value, size);
	if (trace && reads < READS)
		seen[reads++] = value;
	return value;
}

static void
program(uint32_t off, uint8_t value)
{
	w(off, 0x10, 1);
	w(off, value, 1);
}

static void
begin_with(struct trace_config config)
{
	ck_assert_int_eq(trace_open(&trace, flash.device, &config), 0);
}

static void
begin(int fd)
{
	begin_with((struct trace_config){ .fd = fd, .sync = "none" });
}

static void
end(void)
{
	trace_close(trace, "the test ends");
	trace = NULL;
}

static int
new_file(const char *name)
{
	int fd = open(scratch_path(name), O_RDWR | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* The trace as a text. */
static char *
text_of_file(const char *name)
{
	struct blob blob = blob_read(scratch_path(name));
	char *text = malloc(blob.len + 1);

	memcpy(text, blob.data, blob.len);
	text[blob.len] = '\0';
	blob_free(&blob);
	return text;
}

/* --- a second flash that replays --- */

static void
restore(struct flash *f, const char *hex)
{
	static uint8_t record[CFI_STATE_MAX];
	size_t len = strcspn(hex, "\n") / 2;

	ck_assert_uint_le(len, sizeof(record));
	for (size_t i = 0; i < len; i++) {
		unsigned int byte;

		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
		record[i] = (uint8_t)byte;
	}
	ck_assert_int_eq(device_restore(f->device, record, len), 0);
}

/* Returns the number of accesses; all reads must give the recorded values. */
static unsigned int
replay(struct flash *f, char *text)
{
	unsigned int count = 0, read = 0;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		uint64_t off = 0, value = 0, got = 0;
		unsigned int size = 0;

		if (line[0] == 'c')
			restore(f, line + 2);
		if (line[0] != 'w' && line[0] != 'r')
			continue;
		ck_assert_int_eq(sscanf(line + 1, "%" SCNx64 " %x %" SCNx64,
					&off, &size, &value),
				 3);
		count++;
		if (line[0] == 'w') {
			sim_guest_write(f->sim, 0, BASE + off, &value, size);
			continue;
		}
		sim_guest_read(f->sim, 0, BASE + off, &got, size);
		ck_assert_msg(got == value, "%s: now %" PRIx64, line, got);
		ck_assert_uint_lt(read, reads);
		ck_assert_uint_eq(seen[read++], value);
	}
	ck_assert_uint_eq(read, reads);
	return count;
}

/* The image at the start is in START, the trace in TRACE. */
static unsigned int
replay_and_compare(void)
{
	struct flash other = { 0 };
	char *text = text_of_file("TRACE");
	unsigned int count;

	open_flash(&other, "START");
	count = replay(&other, text);
	ck_assert_int_eq(memcmp(store_image(other.store),
				store_image(flash.store), SIZE),
			 0);
	close_flash(&other);
	free(text);
	return count;
}

static uint64_t state = 1;

static uint32_t
random32(void)
{
	state = state * UINT64_C(6364136223846793005) + 1;
	return (uint32_t)(state >> 33);
}

/*
 * Commands, data and reads of each size, within one page: Xen would split the
 * others.
 */
static void
access_at_random(void)
{
	static const uint8_t commands[] = { 0x10, 0x20, 0x40, 0x50, 0x60, 0x70,
					    0x90, 0x98, 0xd0, 0xe8, 0xff, 0x01,
					    0xb0, 0xc0, 0x2f, 0x07 };
	unsigned int size = 1u << random32() % 4;
	uint32_t off = random32() % 3 ? random32() % 64 :
					random32() % (SIZE - 8);
	uint64_t value;

	if (off % BLOCK > BLOCK - size)
		off -= size;
	value = random32() % 3 ? commands[random32() % 16] : random32();

	if (random32() % 4 == 0)
		(void)r(off, size);
	else
		w(off, value, random32() % 2 ? 1 : size);
}

static const enum cfi_personality personalities[] = { CFI_OVMF, CFI_STRICT,
						      CFI_QEMU };

/* Begins after `_i` / 3 * 7 accesses: in any state of the chip. */
START_TEST(replay_gives_the_same)
{
	struct stat st;

	close_flash(&flash);
	personality = personalities[_i % 3];
	make_vars("VARS", NULL);
	unlink(scratch_path("VARS.journal"));
	open_flash(&flash, "VARS");
	state = (uint64_t)_i + 1;
	for (int i = 0; i < _i / 3 * 7; i++)
		access_at_random();
	make_vars("START", store_image(flash.store));
	begin(new_file("TRACE"));
	ck_assert(!device_pending(flash.device));
	for (int i = 0; i < 2000; i++)
		access_at_random();
	ck_assert_uint_eq(trace_stats(trace).lost, 0);
	ck_assert_uint_eq(trace_stats(trace).accesses, 2000);
	end();
	ck_assert_uint_eq(replay_and_compare(), 2000);
	ck_assert_int_eq(stat(scratch_path("TRACE"), &st), 0);
	ck_assert_int_gt(st.st_size, 2000 * 7);
}
END_TEST

/* One request of the guest with many accesses, in both directions. */
START_TEST(repeated_accesses)
{
	make_vars("START", store_image(flash.store));
	begin(new_file("TRACE"));
	memset(sim_frame(flash.sim, 1), 0x10, BLOCK);
	sim_guest_movs(flash.sim, 0, BASE + 8, 0x1000, 1, 3, false);
	sim_guest_movs(flash.sim, 0, BASE + 100, 0x1100, 1, 5, true);
	w(0, 0xff, 1);
	ck_assert_uint_eq(trace_stats(trace).accesses, 9);
	end();
	ck_assert_uint_eq(replay_and_compare(), 9);
}
END_TEST

START_TEST(header_says_what_the_replay_needs)
{
	char wanted[64], *text;
	struct store_open_burst burst;

	program(5, 0x12);
	begin(new_file("TRACE"));
	end();
	text = text_of_file("TRACE");
	ck_assert_int_eq(strncmp(text, TRACE_MAGIC "\n", 18), 0);
	store_note_burst(flash.store, &burst);
	(void)snprintf(wanted, sizeof(wanted),
		       "\n" TRACE_SEQUENCE "%" PRIu64 "\n", burst.sequence);
	ck_assert_ptr_nonnull(strstr(text, wanted));
	(void)snprintf(wanted, sizeof(wanted), "\n" TRACE_CHECKSUM "%08x\n",
		       store_checksum(flash.store));
	ck_assert_ptr_nonnull(strstr(text, wanted));
	ck_assert_ptr_nonnull(strstr(text, "# version: " PFLASH_VERSION "\n"));
	ck_assert_ptr_nonnull(strstr(text, "# base: 0xfffe0000, size: 131072 "
					   "bytes\n"));
	ck_assert_ptr_nonnull(strstr(text, "--personality ovmf --width 1 "
					   "--interleave 1 --block-size "
					   "4096x32\n"));
	/* The status view of the program command is a state to restore. */
	ck_assert_ptr_nonnull(strstr(text, "\nc 50464c41"));
	ck_assert_ptr_nonnull(strstr(text, TRACE_END "the test ends\n"));
	free(text);
}
END_TEST

START_TEST(chip_after_power_on_has_no_state)
{
	char *text;

	begin(new_file("TRACE"));
	end();
	text = text_of_file("TRACE");
	ck_assert_ptr_null(strstr(text, "\nc "));
	free(text);
}
END_TEST

START_TEST(next_worker_continues)
{
	int fd = new_file("TRACE");
	char *text;

	begin(dup(fd));
	w(0, 0x70, 1);
	end();
	begin_with((struct trace_config){
		.fd = fd, .size = 1, .continued = true, .hole = _i });
	w(0, 0xff, 1);
	end();
	text = text_of_file("TRACE");
	ck_assert_ptr_nonnull(strstr(text, "# continued by another worker\n"));
	ck_assert(!strstr(text, "\n" TRACE_LOST) == !_i);
	ck_assert_ptr_eq(strstr(text + 1, TRACE_MAGIC), NULL);
	free(text);
}
END_TEST

/* --- bounds and failures --- */

/* The guest's flash is the same, with and without the trace. */
static void
guest_goes_on(void)
{
	program(3, 0x5a);
	w(3, 0xff, 1);
	ck_assert_uint_eq(r(3, 1), 0x5a);
}

START_TEST(limit_of_the_size)
{
	struct stat st;
	char *text;
	uint64_t before;

	begin_with((struct trace_config){ .fd = new_file("TRACE"),
					  .limit = 4096 });
	for (int i = 0; i < 4096; i++)
		w((uint32_t)i, 0x70, 1);
	ck_assert_ptr_nonnull(trace_ended(trace));
	before = trace_stats(trace).accesses;
	guest_goes_on();
	ck_assert_uint_eq(trace_stats(trace).accesses, before);
	ck_assert_uint_eq(trace_stats(trace).lost, 0);
	end();
	ck_assert_int_eq(stat(scratch_path("TRACE"), &st), 0);
	ck_assert_int_le(st.st_size, 4096);
	ck_assert_int_gt(st.st_size, 4096 - 512);
	text = text_of_file("TRACE");
	ck_assert_str_eq(strrchr(text, '#'),
			 TRACE_END "the limit of its size is reached\n");
	free(text);
}
END_TEST

/* The bytes that the file has already count. */
START_TEST(limit_of_a_continued_trace)
{
	begin_with((struct trace_config){ .fd = new_file("TRACE"),
					  .limit = 4096,
					  .size = 4096,
					  .continued = true });
	w(0, 0x70, 1);
	ck_assert_ptr_nonnull(trace_ended(trace));
	ck_assert_uint_eq(trace_stats(trace).accesses, 0);
	end();
}
END_TEST

START_TEST(full_disk)
{
	int fd = open("/dev/full", O_WRONLY);

	ck_assert_int_ge(fd, 0);
	begin(fd);
	guest_goes_on();
	ck_assert_str_eq(trace_ended(trace), strerror(ENOSPC));
	ck_assert_uint_eq(trace_stats(trace).bytes, 0);
	ck_assert(trace_flush(trace));
	end();
	guest_goes_on();
}
END_TEST

static int ends[2]; /* [0] of the reader */

static void
make_ends(void)
{
	const int size = 4096;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
				    ends),
			 0);
	ck_assert_int_eq(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size,
				    sizeof(size)),
			 0);
}

START_TEST(reader_is_gone)
{
	make_ends();
	begin(ends[1]);
	close(ends[0]);
	guest_goes_on();
	ck_assert_str_eq(trace_ended(trace), strerror(EPIPE));
	end();
}
END_TEST

static char received[8 << 20];
static size_t received_size;

/* Reads all that the trace has sent so far; true: the end was reached. */
static bool
receive(void)
{
	ssize_t n;

	while ((n = recv(ends[0], received + received_size,
			 sizeof(received) - 1 - received_size, 0)) > 0)
		received_size += (size_t)n;
	received[received_size] = '\0';
	return n == 0;
}

static void
count_lines(uint64_t *accesses, uint64_t *lost, unsigned int *holes)
{
	*accesses = *lost = *holes = 0;
	for (const char *line = strtok(received, "\n"); line;
	     line = strtok(NULL, "\n")) {
		*accesses += line[0] == 'w' || line[0] == 'r';
		if (strncmp(line, TRACE_LOST, strlen(TRACE_LOST)) == 0) {
			*lost += strtoull(line + strlen(TRACE_LOST), NULL, 10);
			++*holes;
		}
	}
}

/* The guest does not wait; each hole is in the trace, with its length. */
START_TEST(slow_reader)
{
	uint64_t accesses, lost;
	unsigned int holes;
	struct trace_stats stats;

	make_ends();
	received_size = 0;
	begin(ends[1]);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 60000; i++)
			w((uint32_t)i, 0x70, 1);
		ck_assert_uint_gt(trace_stats(trace).lost, 0);
		ck_assert(!trace_flush(trace));
		while (!trace_flush(trace))
			(void)receive();
	}
	w(0, 0xff, 1);
	stats = trace_stats(trace);
	ck_assert_uint_eq(stats.accesses + stats.lost, 180001);
	ck_assert_ptr_null(trace_ended(trace));
	end();
	ck_assert(receive());
	close(ends[0]);
	ck_assert_ptr_nonnull(strstr(received, TRACE_END));
	ck_assert_uint_eq(received_size, strlen(received));
	count_lines(&accesses, &lost, &holes);
	ck_assert_uint_eq(accesses, stats.accesses);
	ck_assert_uint_eq(lost, stats.lost);
	ck_assert_uint_eq(holes, 3);
}
END_TEST

/* The buffer takes all that the socket does not take at once. */
START_TEST(reader_that_is_a_little_slow)
{
	uint64_t accesses, lost;
	unsigned int holes;

	make_ends();
	received_size = 0;
	begin(ends[1]);
	for (int i = 0; i < 12000; i++)
		w((uint32_t)i, 0x70, 1);
	trace_end(trace, "stopped");
	ck_assert(!trace_flush(trace));
	w(0, 0xff, 1); /* is not in the trace any more */
	while (!trace_flush(trace))
		(void)receive();
	end();
	ck_assert(receive());
	close(ends[0]);
	ck_assert_str_eq(received + received_size -
				 strlen(TRACE_END "stopped\n"),
			 TRACE_END "stopped\n");
	count_lines(&accesses, &lost, &holes);
	ck_assert_uint_eq(accesses, 12000);
	ck_assert_uint_eq(holes, 0);
}
END_TEST

START_TEST(nothing_after_the_end)
{
	struct stat before, after;

	begin(new_file("TRACE"));
	guest_goes_on();
	end();
	ck_assert_int_eq(stat(scratch_path("TRACE"), &before), 0);
	guest_goes_on();
	ck_assert_int_eq(stat(scratch_path("TRACE"), &after), 0);
	ck_assert_int_eq(before.st_size, after.st_size);
}
END_TEST

/* --- device_restore() --- */

START_TEST(state_of_another_chip)
{
	uint8_t record[64];

	memset(record, 0, sizeof(record));
	w(0, 0x70, 1);
	ck_assert_int_eq(device_restore(flash.device, record, sizeof(record)),
			 -EINVAL);
	ck_assert_uint_eq(r(0, 1), 0x80);
}
END_TEST

static Suite *
trace_suite(void)
{
	Suite *suite = suite_create("trace");
	TCase *tc = tcase_create("trace");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, replay_gives_the_same, 0, 30);
	tcase_add_test(tc, repeated_accesses);
	tcase_add_test(tc, header_says_what_the_replay_needs);
	tcase_add_test(tc, chip_after_power_on_has_no_state);
	tcase_add_loop_test(tc, next_worker_continues, 0, 2);
	tcase_add_test(tc, limit_of_the_size);
	tcase_add_test(tc, limit_of_a_continued_trace);
	tcase_add_test(tc, full_disk);
	tcase_add_test(tc, reader_is_gone);
	tcase_add_test(tc, slow_reader);
	tcase_add_test(tc, reader_that_is_a_little_slow);
	tcase_add_test(tc, nothing_after_the_end);
	tcase_add_test(tc, state_of_another_chip);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(trace_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
