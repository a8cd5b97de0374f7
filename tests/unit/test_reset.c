/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the reset ports of a PC, on the simulated hypervisor. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <xen/sched.h>

#include "pflash/reset.h"
#include "pflash/sim.h"

#define PORT_CONTROL 0xcf9
#define PORT_KEYBOARD 0x64

static struct sim *sim;
static struct transport *t;
static struct ioreq_server *server;
static struct transport_ops ops;
static unsigned int asked;
static int result;

static void
run(void *opaque)
{
	ioreq_server_poll(opaque);
}

static void
on_asked(void *opaque, int ret)
{
	ck_assert_ptr_eq(opaque, &asked);
	asked++;
	result = ret;
}

static void
setup(void)
{
	const struct sim_config config = { .vcpus = 2, .ram_frames = 1 };
	struct error err;

	asked = 0;
	ck_assert_int_eq(sim_create(&sim, &config), 0);
	t = sim_transport(sim);
	ops = *t->ops;
	t->ops = &ops;
	ck_assert_int_eq(ioreq_server_open(&server, t, &err), 0);
	ck_assert_int_eq(reset_add(server, t, on_asked, &asked, &err), 0);
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

/* Reads return ones, as from an empty bus: so OVMF finds no keyboard. */
START_TEST(ports_read_ones)
{
	ck_assert_uint_eq(sim_guest_in(sim, 0, PORT_CONTROL, 1) & 0xff, 0xff);
	ck_assert_uint_eq(sim_guest_in(sim, 1, PORT_KEYBOARD, 1) & 0xff, 0xff);
	ck_assert_uint_eq(asked, 0);
}
END_TEST

/* A port, a value, and the number of resets of a PC. */
static const struct {
	uint16_t port;
	uint8_t value;
	unsigned int resets;
} writes[] = {
	{ PORT_CONTROL, 0x00, 0 },  { PORT_CONTROL, 0x02, 0 },
	{ PORT_CONTROL, 0xfb, 0 },  { PORT_CONTROL, 0x04, 1 },
	{ PORT_CONTROL, 0x06, 1 },  { PORT_CONTROL, 0x0e, 1 },
	{ PORT_KEYBOARD, 0xfe, 1 }, { PORT_KEYBOARD, 0xff, 0 },
	{ PORT_KEYBOARD, 0xf0, 0 }, { PORT_KEYBOARD, 0x04, 0 },
};

START_TEST(writes_that_reset)
{
	sim_guest_out(sim, 1, writes[_i].port, 1, writes[_i].value);
	ck_assert_uint_eq(asked, writes[_i].resets);
	ck_assert_uint_eq(sim_stats(sim)->shutdowns, writes[_i].resets);
	if (asked) {
		ck_assert_int_eq(result, 0);
		ck_assert_uint_eq(sim_stats(sim)->reason, SHUTDOWN_reboot);
	}
}
END_TEST

/* The guest may write any number of times. */
START_TEST(at_most_one_request_a_second)
{
	for (unsigned int i = 0; i < 1000; i++)
		sim_guest_out(sim, i % 2, i % 3 ? PORT_CONTROL : PORT_KEYBOARD,
			      1, 0xfe);
	ck_assert_uint_ge(asked, 1);
	ck_assert_uint_le(asked,
			  2); /* the second may have elapsed in between */
	asked = 0;
	(void)usleep(1100000);
	sim_guest_out(sim, 0, PORT_CONTROL, 1, 0x0e);
	ck_assert_uint_eq(asked, 1);
}
END_TEST

static int
refuse(struct transport *transport, unsigned int reason)
{
	(void)transport, (void)reason;
	return -EPERM;
}

START_TEST(refusal_is_reported)
{
	ops.shutdown = refuse;
	sim_guest_out(sim, 0, PORT_CONTROL, 1, 0x06);
	ck_assert_uint_eq(asked, 1);
	ck_assert_int_eq(result, -EPERM);
}
END_TEST

static int
claim_no_keyboard(struct transport *transport, enum ioreq_space space,
		  uint64_t first, uint64_t last)
{
	(void)transport, (void)space, (void)last;
	return first == PORT_KEYBOARD ? -EEXIST : 0;
}

START_TEST(port_in_use)
{
	struct error err = { .text = "" };

	ops.claim = claim_no_keyboard;
	ck_assert_int_eq(reset_add(server, t, on_asked, &asked, &err), -EEXIST);
	ck_assert_str_ne(err.text, "");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("reset");
	TCase *tc = tcase_create("reset");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, ports_read_ones);
	tcase_add_loop_test(tc, writes_that_reset, 0,
			    sizeof(writes) / sizeof(*writes));
	tcase_add_test(tc, at_most_one_request_a_second);
	tcase_add_test(tc, refusal_is_reported);
	tcase_add_test(tc, port_in_use);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
