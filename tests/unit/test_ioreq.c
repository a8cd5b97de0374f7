/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the ioreq server on the simulated hypervisor, with plain bytes as
 * regions.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/sched.h>

#include "pflash/ioreq.h"
#include "pflash/sim.h"

#include "../../src/ioreq/server.h"

#define BASE UINT64_C(0xffe00000)
#define SIZE 0x2000u
#define PORT 0x510
#define PORTS 4u
#define RAM_FRAMES 8u

struct bytes {
	uint8_t at[SIZE];
	unsigned int reads, writes;
};

static struct sim *sim;
static struct transport *t;
static struct ioreq_server *server;
static struct bytes memory, ports;

static uint64_t
bytes_read(void *opaque, uint64_t off, unsigned int size)
{
	struct bytes *b = opaque;
	uint64_t value = 0;

	b->reads++;
	ck_assert_uint_le(off + size, b == &ports ? PORTS : SIZE);
	memcpy(&value, b->at + off, size);
	return value;
}

static void
bytes_write(void *opaque, uint64_t off, unsigned int size, uint64_t value)
{
	struct bytes *b = opaque;

	b->writes++;
	ck_assert_uint_le(off + size, b == &ports ? PORTS : SIZE);
	memcpy(b->at + off, &value, size);
}

static const struct ioreq_region_ops bytes_ops = {
	.read = bytes_read,
	.write = bytes_write,
};

static void
run(void *opaque)
{
	ioreq_server_poll(opaque);
}

static void
start(unsigned int vcpus)
{
	const struct sim_config config = { .vcpus = vcpus,
					   .ram_frames = RAM_FRAMES };
	const struct ioreq_region regions[] = {
		{ IOREQ_SPACE_MEMORY, BASE, SIZE, &bytes_ops, &memory },
		{ IOREQ_SPACE_PORT, PORT, PORTS, &bytes_ops, &ports },
	};
	struct error err;

	memset(&memory, 0, sizeof(memory));
	memset(&ports, 0, sizeof(ports));
	ck_assert_int_eq(sim_create(&sim, &config), 0);
	t = sim_transport(sim);
	ck_assert_int_eq(ioreq_server_open(&server, t, &err), 0);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(ioreq_server_add(server, &regions[i], &err),
				 0);
	ck_assert_int_eq(ioreq_server_start(server, &err), 0);
}

static void
setup(void)
{
	start(1);
	sim_set_server(sim, run, server);
}

static void
teardown(void)
{
	ck_assert_msg(!sim_crashed(sim), "%s", sim_crashed(sim));
	ioreq_server_close(server);
	sim_destroy(sim);
}

/* Each byte depends on its address. */
static void
fill(uint8_t *at, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(i * 7 + i / 256 * 13 + seed);
}

static uint8_t *
ram(void)
{
	return sim_frame(sim, 0); /* the simulation's RAM is contiguous */
}

START_TEST(every_size_and_alignment)
{
	for (unsigned int size = 1; size <= 8; size <<= 1)
		for (unsigned int off = 0; off < 16; off++) {
			uint64_t value = 0x8877665544332211, got = 0;

			sim_guest_write(sim, 0, BASE + off, &value, size);
			sim_guest_read(sim, 0, BASE + off, &got, size);
			ck_assert_mem_eq(&got, &value, size);
			ck_assert_mem_eq(memory.at + off, &value, size);
		}
	ck_assert_uint_eq(memory.reads, 4 * 16);
	ck_assert_uint_eq(memory.writes, 4 * 16);
}
END_TEST

START_TEST(wide_and_page_crossing_accesses)
{
	uint8_t in[64], out[64];

	fill(in, sizeof(in), 3);
	for (unsigned int size = 1; size <= 64; size++) {
		uint64_t addr = BASE + 4096 - size / 2;

		memset(out, 0, sizeof(out));
		sim_guest_write(sim, 0, addr, in, size);
		sim_guest_read(sim, 0, addr, out, size);
		ck_assert_mem_eq(out, in, size);
	}
}
END_TEST

/* Both directions and both flags, every size, within and across RAM frames. */
START_TEST(rep_movs_moves_through_guest_memory)
{
	static const unsigned int counts[] = { 1, 2, 3, 100, 511, 512, 513 };
	uint8_t *expected = malloc(RAM_FRAMES * FRAME_SIZE);

	for (unsigned int size = 1; size <= 8; size <<= 1)
		for (unsigned int c = 0; c < 7; c++)
			for (unsigned int back = 0; back < 2; back++) {
				unsigned int span = (counts[c] - 1) * size;
				unsigned int skip = back ? span : 0;
				uint64_t to = 0x1003, from = BASE + 5;
				size_t len = span + size;

				fill(memory.at, SIZE, size + c);
				memcpy(expected, ram(),
				       RAM_FRAMES * FRAME_SIZE);
				memcpy(expected + to, memory.at + 5, len);
				sim_guest_movs(sim, 0, to + skip, from + skip,
					       size, counts[c], back);
				ck_assert_mem_eq(ram(), expected,
						 RAM_FRAMES * FRAME_SIZE);
				fill(ram() + to, len, 99);
				sim_guest_movs(sim, 0, from + skip, to + skip,
					       size, counts[c], back);
				ck_assert_mem_eq(memory.at + 5, ram() + to,
						 len);
			}
	ck_assert_uint_gt(ioreq_server_stats(server)->pointers, 0);
	free(expected);
}
END_TEST

START_TEST(rep_stos_repeats_one_value)
{
	uint64_t value = 0x0807060504030201;

	sim_guest_stos(sim, 0, BASE + 8, value, 8, 100, false);
	sim_guest_stos(sim, 0, BASE + 0x1000, value, 2, 4, true);
	for (unsigned int i = 0; i < 100; i++)
		ck_assert_mem_eq(memory.at + 8 + i * 8, &value, 8);
	for (unsigned int i = 0; i < 4; i++)
		ck_assert_mem_eq(memory.at + 0x1000 - i * 2, &value, 2);
	ck_assert_uint_lt(ioreq_server_stats(server)->requests, 10);
}
END_TEST

START_TEST(port_accesses)
{
	sim_guest_out(sim, 0, PORT + 1, 2, 0xbeef);
	ck_assert_uint_eq(sim_guest_in(sim, 0, PORT + 1, 2) & 0xffff, 0xbeef);
	ck_assert_uint_eq(sim_guest_in(sim, 0, PORT + 3, 2), UINT32_MAX);
	ck_assert_uint_eq(memory.writes, 0);
}
END_TEST

static struct ioreq
request(uint8_t type, unsigned int dir, uint64_t addr, unsigned int size,
	unsigned int count)
{
	return (struct ioreq){
		.type = type,
		.dir = dir & 1,
		.addr = addr,
		.size = size,
		.count = count,
		.data = 0x5a5a5a5a5a5a5a5a,
	};
}

START_TEST(port_stays_while_memory_moves)
{
	struct ioreq q = request(IOREQ_TYPE_PIO, IOREQ_WRITE, PORT, 1, 3);

	q.data_is_ptr = 1;
	q.data = 0x100;
	memcpy(ram() + 0x100, "abc", 3);
	ck_assert_int_eq(sim_request(sim, 0, &q), 0);
	ck_assert_uint_eq(ports.writes, 3);
	ck_assert_uint_eq(ports.at[0], 'c');
	ck_assert_uint_eq(ports.at[1], 0);
}
END_TEST

START_TEST(invalidate_is_acknowledged)
{
	struct ioreq q = request(IOREQ_TYPE_INVALIDATE, IOREQ_WRITE, 0, 4, 0);

	ck_assert_int_eq(sim_request(sim, 0, &q), 0);
	ck_assert_uint_eq(ioreq_server_stats(server)->invalidates, 1);
}
END_TEST

START_TEST(unknown_requests_are_answered)
{
	static const uint8_t types[] = { IOREQ_TYPE_PCI_CONFIG,
					 IOREQ_TYPE_TIMEOFFSET, 3, 255 };

	for (unsigned int i = 0; i < 4; i++) {
		struct ioreq q = request(types[i], IOREQ_READ, BASE, 4, 1);

		ck_assert_int_eq(sim_request(sim, 0, &q), 0);
		ck_assert_uint_eq(q.data, UINT64_MAX);
	}
	ck_assert_uint_eq(memory.reads, 0);
}
END_TEST

START_TEST(senseless_requests_are_answered)
{
	static const struct {
		unsigned int size, count;
	} odd[] = {
		{ 0, 1 }, { 3, 1 },          { 16, 1 },   { UINT32_MAX, 1 },
		{ 1, 0 }, { 4, UINT32_MAX }, { 8, 4097 },
	};

	for (unsigned int i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		for (unsigned int dir = 0; dir < 2; dir++) {
			struct ioreq q = request(IOREQ_TYPE_COPY, dir, BASE,
						 odd[i].size, odd[i].count);

			ck_assert_int_eq(sim_request(sim, 0, &q), 0);
		}
	ck_assert_uint_eq(memory.reads + memory.writes, 0);
}
END_TEST

START_TEST(ends_outside_the_region)
{
	static const uint8_t ones[8] = {
		255, 255, 255, 255, 255, 255, 255, 255
	};

	fill(memory.at, SIZE, 1);
	for (int shift = -8; shift <= 8; shift++) {
		struct ioreq q = request(IOREQ_TYPE_COPY, IOREQ_READ,
					 BASE + SIZE + (uint64_t)(int64_t)shift,
					 8, 1);
		int inside = shift < 0 ? -shift : 0;

		ck_assert_int_eq(sim_request(sim, 0, &q), 0);
		if (inside)
			ck_assert_mem_eq(&q.data, memory.at + SIZE - inside,
					 (size_t)inside);
		ck_assert_mem_eq((uint8_t *)&q.data + inside, ones,
				 (size_t)(8 - inside));
		q.addr = BASE - 4;
		q.dir = IOREQ_WRITE;
		memcpy((uint8_t *)&q.data + 4, memory.at, 4);
		ck_assert_int_eq(sim_request(sim, 0, &q), 0);
		ck_assert_uint_eq(memory.at[4], 1 + 4 * 7);
	}
	ck_assert_uint_gt(ioreq_server_stats(server)->unclaimed, 0);
}
END_TEST

START_TEST(address_space_wraps)
{
	struct ioreq q = request(IOREQ_TYPE_COPY, IOREQ_READ, UINT64_MAX - 3, 8,
				 1);

	ck_assert_int_eq(sim_request(sim, 0, &q), 0);
	ck_assert_uint_eq(q.data, UINT64_MAX);
	q = request(IOREQ_TYPE_COPY, IOREQ_WRITE, BASE, 8, 4096);
	q.df = 1;
	ck_assert_int_eq(sim_request(sim, 0, &q), 0);
	ck_assert_uint_eq(memory.writes, 1);
}
END_TEST

START_TEST(pointers_into_nothing)
{
	struct ioreq q = request(IOREQ_TYPE_COPY, IOREQ_WRITE, BASE, 4, 2);

	q.data_is_ptr = 1;
	q.data = RAM_FRAMES * FRAME_SIZE -
		 4; /* the second element has no RAM */
	memcpy(ram() + q.data, "RAM!", 4);
	ck_assert_int_eq(sim_request(sim, 0, &q), 0);
	ck_assert_mem_eq(memory.at, "RAM!\xff\xff\xff\xff", 8);
	q.dir = IOREQ_READ;
	q.data = UINT64_MAX - 1;
	ck_assert_int_eq(sim_request(sim, 0, &q), 0);
}
END_TEST

/* For any contents of a slot, only data and state may change. */
START_TEST(slot_is_left_as_it_was)
{
	struct ioreq *slot = &t->page->vcpu_ioreq[0];
	struct ioreq q = request(IOREQ_TYPE_COPY, IOREQ_READ, BASE, 4, 1), was;

	q._pad0 = 0x1234;
	q._pad1 = 1;
	fill(memory.at, SIZE, 9);
	ck_assert_int_eq(sim_request(sim, 0, &q), 0);
	was = *slot;
	was.data = q.data;
	was.state = q.state;
	ck_assert_mem_eq(&was, &q, sizeof(q));
	/* A slot in any other state must not change. */
	for (unsigned int state = 0; state < 16; state++) {
		if (state == STATE_IOREQ_READY)
			continue;
		slot->state = state & 15;
		ck_assert_uint_eq(ioreq_server_poll(server), 0);
		ck_assert_uint_eq(slot->state, state);
	}
	slot->state = STATE_IOREQ_NONE;
}
END_TEST

START_TEST(close_answers_what_is_pending)
{
	struct ioreq *slot = &t->page->vcpu_ioreq[0];

	slot->type = IOREQ_TYPE_COPY;
	slot->dir = IOREQ_READ;
	slot->addr = BASE;
	slot->size = slot->count = 1;
	slot->state = STATE_IOREQ_READY;
	memory.at[0] = 0x77;
	/* The page is unmapped with the server, so check the region instead. */
	ioreq_server_close(server);
	ck_assert_uint_eq(memory.reads, 1);
	ck_assert_int_eq(t->ops->alive(t), false);
	sim_destroy(sim);
	start(1);
	sim_set_server(sim, run, server);
}
END_TEST

START_TEST(all_slots_are_looked_at_on_one_wake)
{
	teardown();
	start(128);
	for (unsigned int i = 0; i < 128; i++) {
		struct ioreq *slot = &t->page->vcpu_ioreq[i];

		slot->type = IOREQ_TYPE_COPY;
		slot->dir = IOREQ_WRITE;
		slot->addr = BASE + i;
		slot->data = i;
		slot->size = slot->count = 1;
		slot->state = STATE_IOREQ_READY;
	}
	ck_assert_uint_eq(ioreq_server_poll(server), 128);
	for (unsigned int i = 0; i < 128; i++) {
		ck_assert_uint_eq(memory.at[i], i);
		ck_assert_uint_eq(t->page->vcpu_ioreq[i].state,
				  STATE_IORESP_READY);
		t->page->vcpu_ioreq[i].state = STATE_IOREQ_NONE;
	}
}
END_TEST

/*
 * A server thread that sleeps on the event descriptor, and four vCPU threads.
 */
static bool stop;
static unsigned int wakes; /* number of wakeups with a request */

static void *
server_thread(void *opaque)
{
	struct pollfd fd = { .fd = t->ops->event_fd(t), .events = POLLIN };

	(void)opaque;
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		poll(&fd, 1, 10);
		wakes += ioreq_server_poll(server) > 0;
	}
	return NULL;
}

static void *
vcpu_thread(void *opaque)
{
	unsigned int vcpu = *(unsigned int *)opaque;

	for (unsigned int i = 0; i < 2000; i++) {
		uint64_t addr = BASE + vcpu * 1024 + i % 128 * 8;
		uint64_t in = (uint64_t)vcpu << 32 | i, out = 0;

		sim_guest_write(sim, vcpu, addr, &in, 8);
		sim_guest_read(sim, vcpu, addr, &out, 8);
		if (in != out)
			return "a vCPU read what it had not written";
	}
	return NULL;
}

static void
serve_vcpus(uint64_t budget)
{
	unsigned int ids[4] = { 0, 1, 2, 3 };
	pthread_t threads[4], serving;
	void *why;

	teardown();
	start(4);
	ioreq_server_set_poll_budget(server, budget);
	wakes = 0;
	__atomic_store_n(&stop, false, __ATOMIC_RELEASE);
	pthread_create(&serving, NULL, server_thread, NULL);
	for (unsigned int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, vcpu_thread, &ids[i]);
	for (unsigned int i = 0; i < 4; i++) {
		pthread_join(threads[i], &why);
		ck_assert_msg(!why, "%s", (const char *)why);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(serving, NULL);
	ck_assert_uint_eq(ioreq_server_stats(server)->requests, 4 * 4000);
}

START_TEST(vcpus_at_once)
{
	serve_vcpus(0);
	ck_assert_uint_gt(wakes, 1000);
}
END_TEST

/* The server must not sleep while the next request is near. */
START_TEST(next_request_is_watched_for)
{
	serve_vcpus(100000000);
	ck_assert_uint_lt(wakes, 400);
}
END_TEST

/* A guest on the same CPU cannot send its next request during the poll. */
START_TEST(watching_in_vain_becomes_rare)
{
	unsigned int times = 0;

	ioreq_server_set_poll_budget(server, 50000000);
	for (unsigned int i = 0; i < 40; i++) {
		uint64_t value = i;
		int before = server->poll_score;

		sim_guest_write(sim, 0, BASE, &value, 8);
		times += server->poll_score < before;
	}
	ck_assert_uint_ge(times, 1);
	ck_assert_uint_le(times, 3);
}
END_TEST

/*
 * While polling, the server must respect the throttle: a closed one ends the
 * poll.
 */
static unsigned int accesses_left;

static bool
throttle_for_some(void *opaque)
{
	(void)opaque;
	return accesses_left && accesses_left--;
}

START_TEST(throttle_ends_polling)
{
	const struct ioreq_throttle throttle = {
		.may_go_on = throttle_for_some
	};
	unsigned int id = 0, before = 0;
	pthread_t thread;
	void *why;

	teardown();
	start(1);
	ioreq_server_set_poll_budget(server, 60000000000);
	server->poll_score = 1;
	accesses_left = 100;
	ioreq_server_set_throttle(server, &throttle);
	pthread_create(&thread, NULL, vcpu_thread, &id);
	while (before < 4000) {
		before += ioreq_server_poll(server);
		if (!ioreq_server_throttled(server))
			continue;
		accesses_left = 100;
		/* After the last request it would poll for a minute. */
		if (before >= 3900)
			ioreq_server_set_poll_budget(server, 0);
	}
	pthread_join(thread, &why);
	ck_assert_msg(!why, "%s", (const char *)why);
	ioreq_server_set_throttle(server, NULL);
}
END_TEST

START_TEST(errors_are_reported)
{
	const struct ioreq_region twice = { IOREQ_SPACE_MEMORY, BASE + SIZE - 1,
					    2, &bytes_ops, &memory };
	struct ioreq_server *second;
	struct error err;

	ck_assert_int_eq(ioreq_server_add(server, &twice, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "0xffe01fff"));
	ck_assert_int_eq(ioreq_server_open(&second, t, &err), -ENOSPC);
	sim_kill(sim);
	ck_assert(!t->ops->alive(t));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ioreq");
	TCase *tc = tcase_create("server");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_size_and_alignment);
	tcase_add_test(tc, wide_and_page_crossing_accesses);
	tcase_add_test(tc, rep_movs_moves_through_guest_memory);
	tcase_add_test(tc, rep_stos_repeats_one_value);
	tcase_add_test(tc, port_accesses);
	tcase_add_test(tc, port_stays_while_memory_moves);
	tcase_add_test(tc, invalidate_is_acknowledged);
	tcase_add_test(tc, unknown_requests_are_answered);
	tcase_add_test(tc, senseless_requests_are_answered);
	tcase_add_test(tc, ends_outside_the_region);
	tcase_add_test(tc, address_space_wraps);
	tcase_add_test(tc, pointers_into_nothing);
	tcase_add_test(tc, slot_is_left_as_it_was);
	tcase_add_test(tc, close_answers_what_is_pending);
	tcase_add_test(tc, all_slots_are_looked_at_on_one_wake);
	tcase_add_test(tc, vcpus_at_once);
	tcase_add_test(tc, next_request_is_watched_for);
	tcase_add_test(tc, watching_in_vain_becomes_rare);
	tcase_add_test(tc, throttle_ends_polling);
	tcase_add_test(tc, errors_are_reported);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
