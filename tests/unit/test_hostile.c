/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the ioreq server against a hostile guest or a hostile ioreq page, and
 * tests the throttle, which makes requests wait. tests/fuzz/fuzz_ioreq.c found
 * the first of these cases.
 */
#include <check.h>
#include <string.h>

#include "pflash/handover.h"
#include "pflash/ioreq.h"
#include "pflash/sim.h"

#define BASE UINT64_C(0xffe00000)
#define SIZE 0x2000u
#define PORT 0x510u
#define VCPUS 4u
#define RAM_FRAMES 4u

static struct sim *sim;
static struct transport *t;
static const struct transport_ops *xen;
static struct transport_ops ops;
static struct ioreq_server *server;
static uint8_t memory[SIZE];
static unsigned int writes, removals, maps, events;
static unsigned int flood;
static struct handover record;
static const struct handover_writer writer = { .record = &record };

static uint64_t
memory_read(void *opaque, uint64_t off, unsigned int size)
{
	uint64_t value = 0;

	(void)opaque;
	ck_assert_uint_le(off + size, SIZE);
	memcpy(&value, memory + off, size);
	return value;
}

static void
memory_write(void *opaque, uint64_t off, unsigned int size, uint64_t value)
{
	(void)opaque;
	ck_assert_uint_le(off + size, SIZE);
	memcpy(memory + off, &value, size);
	writes++;
}

/* Behaves like the ports that wait for the firmware (device.c). */
static uint64_t
port_read(void *opaque, uint64_t off, unsigned int size)
{
	(void)opaque, (void)off, (void)size;
	removals++;
	ioreq_server_remove(server, IOREQ_SPACE_PORT, PORT);
	return 0xa5;
}

static void
port_write(void *opaque, uint64_t off, unsigned int size, uint64_t value)
{
	(void)value;
	port_read(opaque, off, size);
}

static const struct ioreq_region_ops memory_ops = { memory_read, memory_write };
static const struct ioreq_region_ops port_ops = { port_read, port_write };

static void *
op_map(struct transport *transport, uint64_t gfn, unsigned int count, int prot)
{
	maps++;
	return xen->map(transport, gfn, count, prot);
}

static int
op_pending(struct transport *transport)
{
	events++;
	return flood && flood-- ? 2000 : xen->pending(transport);
}

static void
run(void *opaque)
{
	ioreq_server_poll(opaque);
}

static void
setup(void)
{
	const struct sim_config config = { .vcpus = VCPUS,
					   .ram_frames = RAM_FRAMES };
	const struct ioreq_region regions[] = {
		{ IOREQ_SPACE_MEMORY, BASE, SIZE, &memory_ops, NULL },
		{ IOREQ_SPACE_PORT, PORT, 2, &port_ops, NULL },
	};
	struct error err;

	memset(memory, 0, sizeof(memory));
	writes = removals = maps = events = flood = 0;
	memset(&record, 0, sizeof(record));
	ck_assert_int_eq(sim_create(&sim, &config), 0);
	t = sim_transport(sim);
	xen = t->ops;
	ops = *xen;
	ops.map = op_map;
	ops.pending = op_pending;
	t->ops = &ops;
	ck_assert_int_eq(ioreq_server_open(&server, t, &err), 0);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(ioreq_server_add(server, &regions[i], &err),
				 0);
	ck_assert_int_eq(ioreq_server_start(server, &err), 0);
	sim_set_server(sim, run, server);
}

static void
teardown(void)
{
	ck_assert_msg(!sim_crashed(sim), "%s", sim_crashed(sim));
	ioreq_server_close(server);
	sim_destroy(sim);
}

static struct ioreq *
slot(unsigned int vcpu)
{
	return &t->page->vcpu_ioreq[vcpu];
}

/* Puts a request as Xen does; the test handles the answer. */
static struct ioreq *
put(unsigned int vcpu, struct ioreq request)
{
	request.vp_eport = slot(vcpu)->vp_eport;
	request.state = STATE_IOREQ_READY;
	*slot(vcpu) = request;
	return slot(vcpu);
}

static struct ioreq *
put_write(unsigned int vcpu, uint64_t off, uint64_t value, uint32_t count)
{
	return put(vcpu, (struct ioreq){ .type = IOREQ_TYPE_COPY,
					 .dir = IOREQ_WRITE,
					 .addr = BASE + off,
					 .data = value,
					 .size = 1,
					 .count = count });
}

/* --- findings ------------------------------------------------------------- */

START_TEST(region_that_removes_itself_for_many_vcpus)
{
	for (unsigned int i = 0; i < VCPUS; i++)
		put(i, (struct ioreq){ .type = IOREQ_TYPE_PIO,
				       .dir = IOREQ_READ,
				       .addr = PORT,
				       .size = 1,
				       .count = 1 });
	ck_assert_uint_gt(ioreq_server_poll(server), 0);
	ck_assert_uint_ge(removals, 1);
	for (unsigned int i = 0; i < VCPUS; i++) {
		ck_assert_uint_eq(slot(i)->state, STATE_IORESP_READY);
		slot(i)->state = STATE_IOREQ_NONE;
	}
	/* The other region must be unchanged. */
	put_write(0, 5, 0x77, 1);
	ck_assert_uint_eq(ioreq_server_poll(server), 1);
	ck_assert_uint_eq(memory[5], 0x77);
	ck_assert_uint_eq(sim_guest_in(sim, 1, PORT, 1), 0xffffffff);
	slot(0)->state = STATE_IOREQ_NONE;
}
END_TEST

/* For example rep ins with the flash as its memory: the chip sees writes. */
START_TEST(pointer_into_the_region)
{
	struct ioreq in = { .type = IOREQ_TYPE_PIO,
			    .dir = IOREQ_READ,
			    .data_is_ptr = 1,
			    .addr = 0x64,
			    .data = BASE + 8,
			    .size = 2,
			    .count = 3 };
	struct ioreq out = { .type = IOREQ_TYPE_COPY,
			     .dir = IOREQ_WRITE,
			     .data_is_ptr = 1,
			     .addr = BASE + 0x100,
			     .data = BASE + 6,
			     .size = 8,
			     .count = 1 };

	ck_assert_int_eq(sim_request(sim, 0, &in), 0);
	ck_assert_uint_eq(writes, 3);
	ck_assert_mem_eq(memory + 6, "\0\0\xff\xff\xff\xff\xff\xff\0\0", 10);
	ck_assert_int_eq(sim_request(sim, 0, &out), 0);
	ck_assert_mem_eq(memory + 0x100, "\0\0\xff\xff\xff\xff\xff\xff", 8);
	/* Half of the data is in the flash, half in a hole. */
	memcpy(memory + SIZE - 4, "last", 4);
	out.data = BASE + SIZE - 4;
	out.state = STATE_IOREQ_NONE;
	ck_assert_int_eq(sim_request(sim, 0, &out), 0);
	ck_assert_mem_eq(memory + 0x100, "last\xff\xff\xff\xff", 8);
	in.data = BASE + SIZE - 1;
	in.count = 1;
	ck_assert_int_eq(sim_request(sim, 0, &in), 0);
	ck_assert_uint_eq(memory[SIZE - 1], 0xff);
	ck_assert_uint_eq(maps, 2); /* one for each request, behind the flash */
}
END_TEST

START_TEST(hole_is_asked_for_once)
{
	struct ioreq q = { .type = IOREQ_TYPE_COPY,
			   .dir = IOREQ_WRITE,
			   .data_is_ptr = 1,
			   .addr = BASE,
			   .data = 0xc0000000,
			   .size = 8,
			   .count = 512 };

	ck_assert_int_eq(sim_request(sim, 0, &q), 0);
	ck_assert_uint_eq(maps, 1);
	ck_assert_uint_eq(writes, 512);
	ck_assert_uint_eq(memory[4095], 0xff);
}
END_TEST

/* For example the firmware. */
START_TEST(memory_the_guest_may_not_write)
{
	struct ioreq q = { .type = IOREQ_TYPE_COPY,
			   .dir = IOREQ_READ,
			   .data_is_ptr = 1,
			   .addr = BASE,
			   .data = FRAME_SIZE - 2,
			   .size = 4,
			   .count = 1 };

	memset(memory, 0x5a, 4);
	ck_assert_int_eq(t->ops->set_type(t, HVMMEM_ram_ro, 1, 1), 0);
	ck_assert_int_eq(sim_request(sim, 0, &q), 0);
	ck_assert_mem_eq(sim_frame(sim, 0) + FRAME_SIZE - 2, "\x5a\x5a\0\0", 4);
}
END_TEST

START_TEST(flood_of_events)
{
	flood = 1000000;
	put_write(2, 1, 9, 1);
	ck_assert_uint_eq(ioreq_server_poll(server), 1);
	ck_assert_uint_le(events, 2 * VCPUS);
	ck_assert_uint_eq(memory[1], 9);
	slot(2)->state = STATE_IOREQ_NONE;
}
END_TEST

/* --- the throttle --------------------------------------------------------- */

static int let_pass;

static bool
open_for_some(void *opaque)
{
	(void)opaque;
	return let_pass-- > 0;
}

static const struct ioreq_throttle throttle = { .may_go_on = open_for_some };

static uint32_t
progress(void)
{
	return handover_now(&record)->progress;
}

START_TEST(throttle_keeps_all_waiting)
{
	ioreq_server_set_throttle(server, &throttle);
	let_pass = 0;
	put_write(0, 0, 1, 1);
	put_write(3, 3, 1, 1);
	ck_assert_uint_eq(ioreq_server_poll(server), 0);
	ck_assert(ioreq_server_throttled(server));
	ck_assert_uint_eq(slot(0)->state, STATE_IOREQ_READY);
	let_pass = 1;
	ck_assert_uint_eq(ioreq_server_poll(server), 1);
	ck_assert(ioreq_server_throttled(server));
	ck_assert_uint_eq(slot(0)->state, STATE_IORESP_READY);
	ck_assert_uint_eq(slot(3)->state, STATE_IOREQ_READY);
	let_pass = 1;
	ck_assert_uint_eq(ioreq_server_poll(server), 1);
	ck_assert(!ioreq_server_throttled(server));
	ck_assert_uint_eq(writes, 2);
	slot(0)->state = slot(3)->state = STATE_IOREQ_NONE;
}
END_TEST

/* No other vCPU's access may come between: the record describes one request. */
START_TEST(request_stops_and_goes_on)
{
	ioreq_server_set_handover(server, &writer);
	ioreq_server_set_throttle(server, &throttle);
	put_write(1, 0, 7, 10);
	put_write(0, 100, 8, 1);
	slot(0)->state = STATE_IOREQ_NONE;
	let_pass = 3;
	ck_assert_uint_eq(ioreq_server_poll(server), 0);
	ck_assert_uint_eq(writes, 3);
	ck_assert_uint_eq(progress(), 3);
	ck_assert_uint_eq(record.vcpu, 1 + 1);
	ck_assert_uint_eq(slot(1)->state, STATE_IOREQ_INPROCESS);
	slot(0)->state = STATE_IOREQ_READY;
	/* The server must continue with its own copy. */
	slot(1)->addr = BASE + 0x1000;
	slot(1)->count = 4096;
	let_pass = 4;
	ck_assert_uint_eq(ioreq_server_poll(server), 0);
	ck_assert_uint_eq(writes, 7);
	ck_assert_uint_eq(memory[100], 0);
	ck_assert_uint_eq(record.request, 1);
	let_pass = 100;
	ck_assert_uint_eq(ioreq_server_poll(server), 2);
	ck_assert_uint_eq(writes, 11);
	ck_assert_uint_eq(progress(), 1);
	ck_assert_uint_eq(record.request, 2);
	ck_assert_uint_eq(record.vcpu, 0);
	ck_assert_mem_eq(memory, "\7\7\7\7\7\7\7\7\7\7\0", 11);
	ck_assert_uint_eq(memory[100], 8);
	ck_assert_uint_eq(ioreq_server_stats(server)->requests, 2);
	ck_assert_uint_eq(ioreq_server_stats(server)->writes, 2);
	slot(0)->state = slot(1)->state = STATE_IOREQ_NONE;
}
END_TEST

static int closed_at; /* the call at which the throttle is closed, once */

static bool
open_but_once(void *opaque)
{
	(void)opaque;
	return closed_at-- != 0;
}

/* The throttle is open again when the second request is examined. */
START_TEST(stopped_request_is_not_overtaken)
{
	static const struct ioreq_throttle once = {
		.may_go_on = open_but_once
	};

	ioreq_server_set_handover(server, &writer);
	ioreq_server_set_throttle(server, &once);
	put_write(1, 0, 7, 10);
	put_write(2, 100, 8, 1);
	closed_at = 4;
	ck_assert_uint_eq(ioreq_server_poll(server), 0);
	ck_assert_uint_eq(writes, 4);
	ck_assert(ioreq_server_throttled(server));
	ck_assert_uint_eq(slot(2)->state, STATE_IOREQ_READY);
	ck_assert_uint_eq(ioreq_server_poll(server), 2);
	ck_assert_uint_eq(writes, 11);
	slot(1)->state = slot(2)->state = STATE_IOREQ_NONE;
}
END_TEST

START_TEST(read_that_stops_has_all_its_data)
{
	struct ioreq q = { .type = IOREQ_TYPE_COPY,
			   .dir = IOREQ_READ,
			   .data_is_ptr = 1,
			   .addr = BASE + 64,
			   .data = 0x1010,
			   .size = 4,
			   .count = 16 };

	for (unsigned int i = 0; i < 64; i++)
		memory[64 + i] = (uint8_t)(i + 1);
	ioreq_server_set_throttle(server, &throttle);
	put(2, q);
	for (unsigned int polls = 0; slot(2)->state != STATE_IORESP_READY;
	     polls++) {
		ck_assert_uint_lt(polls, 20);
		let_pass = 1;
		ioreq_server_poll(server);
	}
	ck_assert_mem_eq(sim_frame(sim, 1) + 0x10, memory + 64, 64);
	slot(2)->state = STATE_IOREQ_NONE;
}
END_TEST

/* While the flash is being detached, requests must not wait. */
START_TEST(removal_and_pause_do_not_ask)
{
	ioreq_server_set_throttle(server, &throttle);
	put_write(1, 0, 7, 10);
	let_pass = 3;
	ioreq_server_poll(server);
	put_write(2, 50, 1, 1);
	ioreq_server_remove(server, IOREQ_SPACE_PORT, PORT);
	ck_assert_uint_eq(writes, 11);
	ck_assert_uint_eq(slot(1)->state, STATE_IORESP_READY);
	ck_assert_uint_eq(slot(2)->state, STATE_IORESP_READY);
	slot(1)->state = slot(2)->state = STATE_IOREQ_NONE;
	put_write(3, 50, 2, 1);
	ioreq_server_pause(server); /* the guest never takes the answer */
	ck_assert_uint_eq(slot(3)->state, STATE_IORESP_READY);
	slot(3)->state = STATE_IOREQ_NONE;
}
END_TEST

START_TEST(rest_is_dropped_with_the_guest)
{
	ioreq_server_set_throttle(server, &throttle);
	put_write(1, 0, 7, 10);
	let_pass = 3;
	ioreq_server_poll(server);
	sim_kill(sim);
	ioreq_server_remove(server, IOREQ_SPACE_PORT, PORT);
	ck_assert_uint_eq(writes, 3);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("hostile");
	TCase *found = tcase_create("found"), *held = tcase_create("throttle");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(found, setup, teardown);
	tcase_add_test(found, region_that_removes_itself_for_many_vcpus);
	tcase_add_test(found, pointer_into_the_region);
	tcase_add_test(found, hole_is_asked_for_once);
	tcase_add_test(found, memory_the_guest_may_not_write);
	tcase_add_test(found, flood_of_events);
	suite_add_tcase(suite, found);
	tcase_add_checked_fixture(held, setup, teardown);
	tcase_add_test(held, throttle_keeps_all_waiting);
	tcase_add_test(held, request_stops_and_goes_on);
	tcase_add_test(held, stopped_request_is_not_overtaken);
	tcase_add_test(held, read_that_stops_has_all_its_data);
	tcase_add_test(held, removal_and_pause_do_not_ask);
	tcase_add_test(held, rest_is_dropped_with_the_guest);
	suite_add_tcase(suite, held);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
