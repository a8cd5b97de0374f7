/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the worker's event loop with a guest in a thread of its own: while the
 * guest is quiet, the VARS file alone becomes the image, and afterwards no
 * timer is left.  No test depends on the duration of anything: the guest waits
 * for the file.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support_store.h"

#include "pflash/load.h"
#include "pflash/sim.h"
#include "worker/client.h"
#include "worker/loop.h"
#include "worker/tracer.h"

#define BASE UINT64_C(0xffe00000)
#define SIZE 131072u
#define BLOCK 4096u

static struct error err;
static struct sim *sim;
static struct report report;
static struct options options;
static const struct worker_start start = { .report = &report };
static struct flash flash;
static struct loop loop;
static int orders[2];

static void
open_device(enum store_sync sync)
{
	const struct sim_config sc = { .spare_frames = SIZE / BLOCK };
	const struct store_config store = {
		.path = scratch_path("VARS"),
		.sync = sync,
	};
	const struct device_config device = {
		.base = BASE,
		.geometry = { .size = SIZE,
			      .width = 1,
			      .interleave = 1,
			      .region_count = 1,
			      .regions = { { BLOCK, SIZE / BLOCK } } },
		.mode = WINDOW_DIRECT,
	};
	struct error note;

	ck_assert_int_eq(sim_create(&sim, &sc), 0);
	flash.transport = sim_transport(sim);
	ck_assert_int_eq(store_open(&flash.store, &store, NULL, &err), 0);
	ck_assert_int_eq(ioreq_server_open(&flash.server, flash.transport,
					   &err),
			 0);
	ck_assert_int_eq(device_open(&flash.device, flash.server,
				     flash.transport, &device, &note, &err),
			 0);
	ck_assert_int_eq(device_connect(flash.device, flash.store, &err), 0);
	ck_assert_int_eq(ioreq_server_start(flash.server, &err), 0);
}

static void
setup(void)
{
	const struct limit_config off = { .burst = LIMIT_BURST };
	uint8_t *blank = malloc(SIZE);

	memset(blank, 0xff, SIZE);
	scratch_make();
	blob_write(scratch_path("VARS"), blank, SIZE);
	free(blank);
	memset(&report, 0, sizeof(report));
	options = (struct options){ .settle = QUIET_SETTLE_LEAST };
	flash = (struct flash){ .start = &start, .options = &options };
	limit_init(&flash.limit, &off, 0, limit_clock());
	ck_assert_int_eq(pipe(orders), 0);
	loop_init(&loop);
}

static void
teardown(void)
{
	loop_stop(&loop);
	ck_assert_msg(!sim_crashed(sim), "%s", sim_crashed(sim));
	ck_assert(device_verify(flash.device));
	ck_assert_int_eq(device_close(flash.device, DEVICE_DISCARD_STATE, &err),
			 0);
	ioreq_server_close(flash.server);
	ck_assert_int_eq(store_close(flash.store), 0);
	sim_destroy(sim);
	close(orders[0]);
	close(orders[1]);
	scratch_remove();
}

static bool
vars_has(uint32_t off, const char *bytes)
{
	uint8_t *data = NULL;
	size_t size = 0;
	struct error why;
	bool same = load_file(scratch_path("VARS"), SIZE, &data, &size, &why) ==
			    0 &&
		    size == SIZE &&
		    memcmp(data + off, bytes, strlen(bytes)) == 0;

	free(data);
	return same;
}

/* Waits until the file has the bytes; libcheck ends a test that waits long. */
static void
end_when_vars_has(const char *bytes)
{
	const uint8_t stop = CHANNEL_STOP;
	ssize_t n;

	while (!vars_has(0x1000, bytes))
		usleep(20000);
	/* The loop has finished the timer's work before it reads the order. */
	n = write(orders[1], &stop, 1);
	ck_assert_int_eq(n, 1);
}

static void
w(uint32_t off, uint8_t value)
{
	sim_guest_write(sim, 0, BASE + off, &value, 1);
}

static void *
guest_ends_its_burst(void *unused)
{
	w(0x1000, 0x10);
	w(0x1000, 'a');
	w(0x1000, 0xff);
	end_when_vars_has("a");
	return unused;
}

static void *
guest_leaves_its_burst_open(void *unused)
{
	w(0x1000, 0x10);
	w(0x1000, 'b');
	end_when_vars_has("b");
	return unused;
}

static void
poll_server(void *opaque)
{
	ioreq_server_poll(opaque);
}

static void *
guest_does_nothing(void *unused)
{
	end_when_vars_has("c");
	return unused;
}

static void
run_with(void *(*guest)(void *))
{
	pthread_t thread;

	loop_start(&loop, &flash, orders[0]);
	ck_assert_int_eq(pthread_create(&thread, NULL, guest, NULL), 0);
	ck_assert_int_eq(loop_run(&loop), LOOP_ENDS);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	/* No timer is left that would wake an idle process. */
	ck_assert(!ev_is_active(&loop.quiet_timer));
	ck_assert(!ev_is_active(&loop.throttle_timer));
	ck_assert(!device_behind(flash.device));
	ck_assert(!device_pending(flash.device));
	ck_assert_uint_eq(report.checkpoints, 1);
	ck_assert_uint_eq(report.bursts, 1);
}

static const enum store_sync modes[] = {
	STORE_SYNC_VARIABLE,
	STORE_SYNC_BURST,
	STORE_SYNC_OP,
	STORE_SYNC_NONE,
};

START_TEST(quiet_guest_gets_a_checkpoint)
{
	open_device(modes[_i]);
	run_with(guest_ends_its_burst);
}
END_TEST

START_TEST(open_burst_is_committed_first)
{
	open_device(STORE_SYNC_VARIABLE);
	run_with(guest_leaves_its_burst_open);
}
END_TEST

/* An earlier worker has left a burst open, and the guest does not go on. */
START_TEST(burst_of_an_earlier_worker)
{
	open_device(STORE_SYNC_BURST);
	sim_set_server(sim, poll_server, flash.server);
	w(0x1000, 0x10);
	w(0x1000, 'c');
	sim_set_server(sim, NULL, NULL);
	/* No event is left that would wake the loop. */
	ioreq_server_poll(flash.server);
	ck_assert(device_pending(flash.device));
	run_with(guest_does_nothing);
}
END_TEST

/* --- the trace --- */

static int channel[2]; /* [0] is the supervisor's */
static int stream[2];  /* of the trace, [0] is the reader's */

static void
send_order(uint8_t order)
{
	ck_assert_int_eq(write(orders[1], &order, 1), 1);
}

/* As the supervisor: replies the trace, or that there is none. */
static void
reply_with(int fd)
{
	struct channel_reply reply = { .result = fd < 0 ? -ENOENT : 0 };
	struct channel_request request;

	ck_assert_int_eq(channel_receive(channel[0], &request, sizeof(request),
					 NULL),
			 1);
	ck_assert_uint_eq(request.verb, CHANNEL_OPEN);
	ck_assert_uint_eq(request.role, CHANNEL_TRACE);
	ck_assert_uint_eq(request.flag, 1);
	ck_assert_int_eq(channel_send(channel[0], &reply, sizeof(reply), fd),
			 0);
	if (fd >= 0)
		close(fd);
}

/* Reads the trace to its end; returns its accesses. */
static unsigned int
read_trace(char *last, size_t room)
{
	FILE *file = fdopen(stream[0], "re");
	unsigned int accesses = 0;

	while (fgets(last, (int)room, file)) {
		accesses += last[0] == 'w';
		ck_assert_int_ne(strncmp(last, TRACE_LOST, strlen(TRACE_LOST)),
				 0);
	}
	(void)fclose(file);
	return accesses;
}

/* More than the socket takes at once: the loop waits for the reader. */
#define TRACED 8000u

static void *
guest_is_traced(void *unused)
{
	char last[4096] = "";

	send_order(CHANNEL_NEW_TRACE);
	reply_with(stream[1]);
	for (unsigned int i = 0; i < TRACED; i++)
		w(i % SIZE, 0x70);
	send_order(CHANNEL_NEW_TRACE);
	reply_with(-1);
	ck_assert_uint_eq(read_trace(last, sizeof(last)), TRACED);
	ck_assert_str_eq(last, TRACE_END "stopped\n");
	w(0, 0xff);
	send_order(CHANNEL_STOP);
	return unused;
}

START_TEST(trace_is_ordered)
{
	const int size = 4096;
	pthread_t thread;

	open_device(STORE_SYNC_NONE);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
				    stream),
			 0);
	(void)fcntl(stream[0], F_SETFL, 0);
	(void)setsockopt(stream[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	client_init(channel[1]);
	loop_start(&loop, &flash, orders[0]);
	ck_assert_int_eq(pthread_create(&thread, NULL, guest_is_traced, NULL),
			 0);
	ck_assert_int_eq(loop_run(&loop), LOOP_ENDS);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_ptr_null(flash.trace);
	ck_assert(!ev_is_active(&loop.trace));
	ck_assert_uint_eq(report.traced, TRACED);
	ck_assert_uint_eq(report.trace_lost, 0);
	ck_assert_uint_eq(report.writes, TRACED + 1);
	close(channel[0]);
	close(channel[1]);
}
END_TEST

/* A trace that ends by itself is closed; the guest goes on. */
static void *
guest_is_traced_to_a_full_disk(void *unused)
{
	send_order(CHANNEL_NEW_TRACE);
	reply_with(open("/dev/full", O_WRONLY));
	for (unsigned int i = 0; i < 10; i++)
		w(i, 0x70);
	w(0, 0xff);
	send_order(CHANNEL_STOP);
	return unused;
}

START_TEST(trace_on_a_full_disk)
{
	pthread_t thread;

	open_device(STORE_SYNC_NONE);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel), 0);
	client_init(channel[1]);
	loop_start(&loop, &flash, orders[0]);
	ck_assert_int_eq(pthread_create(&thread, NULL,
					guest_is_traced_to_a_full_disk, NULL),
			 0);
	ck_assert_int_eq(loop_run(&loop), LOOP_ENDS);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_ptr_null(flash.trace);
	ck_assert_uint_eq(report.writes, 11);
	close(channel[0]);
	close(channel[1]);
}
END_TEST

static Suite *
loop_suite(void)
{
	Suite *suite = suite_create("loop");
	TCase *tc = tcase_create("loop");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, quiet_guest_gets_a_checkpoint, 0, 4);
	tcase_add_test(tc, open_burst_is_committed_first);
	tcase_add_test(tc, burst_of_an_earlier_worker);
	tcase_add_test(tc, trace_is_ordered);
	tcase_add_test(tc, trace_on_a_full_disk);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(loop_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
