/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the worker's use of pinned variables: the start restores them and
 * writes the record; a later worker does not accept a store without them.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support_device.h"
#include "support_store.h"
#include "support_vars.h"

#include "pflash/device.h"
#include "pflash/pins.h"
#include "pflash/reader.h"
#include "pflash/sim.h"
#include "worker/pinning.h"

#define STATE 2u
#define DATA (60u + 6u) /* of PK */

static struct error err;
static struct vars vars;
static struct options options;
static struct report report;
static const struct worker_start worker = { .report = &report };
static struct flash flash;
static struct store_config config;
static size_t pk;

static void
setup(void)
{
	scratch_make();
	vars = vars_make("2m");
	pk = vars_add(&vars, VARIABLE_ADDED, vendor_global, "PK", "owner");
	ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"), vars.image,
				     vars.size, &err),
			 0);
	options = (struct options){ .pin = "auto" };
	report = (struct report){ .refused = 0 };
	flash = (struct flash){ .options = &options, .start = &worker };
	ck_assert_int_eq(files_local(&flash.files, scratch_path("VARS"), NULL,
				     NULL, &err),
			 0);
	config = (struct store_config){ .files = flash.files };
}

static void
teardown(void)
{
	pins_free(flash.pins);
	flash.files->ops->close(flash.files);
	vars_free(&vars);
	scratch_remove();
}

static void
read_again(void)
{
	pins_free(flash.pins);
	ck_assert_int_eq(pinning_read(&flash, &err), 0);
}

/* Without pins. */
static void
program(size_t off, uint8_t byte)
{
	struct store *store;

	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_int_eq(store_program(store, (uint32_t)off, &byte, 1), 0);
	ck_assert_int_eq(store_close(store), 0);
}

/* Deletes PK. */
static void
damage(void)
{
	program(pk + STATE, VARIABLE_DELETED);
}

/* Adds PK, without pins. */
static void
enroll(void)
{
	struct vars with = vars_make("2m");
	struct store *store;

	config.burst_limit = STORE_MAX_SIZE;
	vars_add(&with, VARIABLE_ADDED, vendor_global, "PK", "mine");
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_int_eq(store_replace(store, with.image), 0);
	ck_assert_int_eq(store_close(store), 0);
	vars_free(&with);
}

/* A worker that starts the guest. */
static void
start(void)
{
	read_again();
	config.pins = flash.pins;
	ck_assert_int_eq(store_open(&flash.store, &config, NULL, &err), 0);
	ck_assert_int_eq(pinning_start(&flash, &config, &err), 0);
	config.pins = NULL;
	ck_assert_int_eq(store_close(flash.store), 0);
}

/* A worker that does not start the guest; its result. */
static int
go_on(void)
{
	int ret;

	read_again();
	ck_assert_int_eq(store_open(&flash.store, &config, NULL, &err), 0);
	ret = pinning_continue(&flash, &err);
	ck_assert_int_eq(store_close(flash.store), 0);
	return ret;
}

START_TEST(start_writes_the_record_and_restores)
{
	ck_assert_int_ne(access(scratch_path("VARS.pins"), F_OK), 0);
	start();
	ck_assert_int_eq(access(scratch_path("VARS.pins"), F_OK), 0);
	ck_assert_int_eq(go_on(), 0);
	damage();
	start();
	ck_assert_int_eq(go_on(), 0);
}
END_TEST

/* The same store stays open, and no byte is written. */
START_TEST(start_without_a_change_leaves_the_store)
{
	struct store *store;
	struct blob journal, record, after;

	start();
	journal = blob_read(scratch_path("VARS.journal"));
	record = blob_read(scratch_path("VARS.pins"));
	read_again();
	config.pins = flash.pins;
	ck_assert_int_eq(store_open(&flash.store, &config, NULL, &err), 0);
	store = flash.store;
	ck_assert_int_eq(pinning_start(&flash, &config, &err), 0);
	ck_assert_ptr_eq(flash.store, store);
	after = blob_read(scratch_path("VARS.journal"));
	ck_assert(blob_equal(&after, journal.data, journal.len));
	blob_free(&after);
	after = blob_read(scratch_path("VARS.pins"));
	ck_assert(blob_equal(&after, record.data, record.len));
	config.pins = NULL;
	ck_assert_int_eq(store_close(flash.store), 0);
	blob_free(&after);
	blob_free(&journal);
	blob_free(&record);
}
END_TEST

/* Without a PK nothing is pinned, and the store does not judge. */
START_TEST(start_without_a_pk_frees_the_pins)
{
	damage();
	options.sync = config.sync = STORE_SYNC_BURST;
	start();
	ck_assert_ptr_null(flash.pins);
	ck_assert_int_ne(access(scratch_path("VARS.pins"), F_OK), 0);
}
END_TEST

static unsigned int
count_points(void)
{
	struct reader_point point;
	struct reader *reader;
	unsigned int count = 0;
	size_t cursor = 0;

	ck_assert_int_eq(reader_open(&reader, NULL, scratch_path("VARS"), &err),
			 0);
	while (reader_next(reader, &cursor, &point))
		count++;
	reader_close(reader);
	return count;
}

/* The start makes one burst, with every mode of the guest's bursts. */
START_TEST(start_restores_by_one_burst)
{
	unsigned int before;

	options.sync = config.sync = STORE_SYNC_OP;
	start();
	/* The other value is deleted, and the pinned one is added. */
	program(pk + DATA, 0);
	before = count_points();
	start();
	ck_assert_uint_eq(count_points(), before + 1);
	ck_assert_int_eq(go_on(), 0);
}
END_TEST

START_TEST(later_worker_refuses_other_values)
{
	start();
	damage();
	ck_assert_int_eq(go_on(), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "VARS: the pinned variables do "
					       "not have the values of the "
					       "host"));
}
END_TEST

/*
 * A guest in setup mode has enrolled its keys, PK last, when another worker
 * takes over: they are pinned from then on.
 */
START_TEST(takeover_after_an_enrolment_pins)
{
	const struct store_config plain = config;

	damage();
	start();
	ck_assert_ptr_null(flash.pins);
	ck_assert_int_eq(go_on(), 0);
	ck_assert(!pins_active(flash.pins));
	enroll();
	ck_assert_int_eq(go_on(), 0);
	ck_assert(pins_active(flash.pins));
	/* That worker may not write the record; the next start does. */
	ck_assert_int_ne(access(scratch_path("VARS.pins"), F_OK), 0);
	config = plain;
	start();
	ck_assert_int_eq(access(scratch_path("VARS.pins"), F_OK), 0);
}
END_TEST

/* --- refusals --- */

static unsigned int pauses;

/* Instead of the request to the supervisor. */
int __wrap_client_pause_for_admin(void);

int
__wrap_client_pause_for_admin(void)
{
	pauses++;
	return 0;
}

/* Deletes PK in a store with pins. */
static void
attack(void)
{
	const uint8_t deleted = VARIABLE_DELETED;

	ck_assert_int_eq(store_program(flash.store, (uint32_t)pk + STATE,
				       &deleted, 1),
			 0);
	ck_assert_int_eq(store_commit(flash.store), -EPERM);
}

START_TEST(refusals_pause_the_guest)
{
	options.pause_on_pin = _i;
	read_again();
	config.pins = flash.pins;
	config.on_refusal = pinning_refused;
	config.opaque = &flash;
	ck_assert_int_eq(store_open(&flash.store, &config, NULL, &err), 0);
	ck_assert_int_eq(pinning_start(&flash, &config, &err), 0);
	attack();
	ck_assert_uint_eq(pauses, _i ? 1 : 0);
	/* Again: the supervisor knows whether the guest is still paused. */
	attack();
	ck_assert_uint_eq(pauses, _i ? 2 : 0);
	ck_assert_int_eq(store_close(flash.store), 0);
}
END_TEST

#define BASE UINT64_C(0xffe00000)

static void
run_server(void *opaque)
{
	ioreq_server_poll(opaque);
}

/* A flash of a simulated guest, in trap mode. */
static struct sim *
attach(void)
{
	const uint32_t size = (uint32_t)vars.size;
	const struct sim_config sc = { .spare_frames = size / FRAME_SIZE };
	const struct device_config dc = support_device(BASE, size, WINDOW_TRAP);
	struct error note;
	struct sim *sim;

	ck_assert_int_eq(sim_create(&sim, &sc), 0);
	flash.transport = sim_transport(sim);
	ck_assert_int_eq(ioreq_server_open(&flash.server, flash.transport,
					   &err),
			 0);
	sim_set_server(sim, run_server, flash.server);
	ck_assert_int_eq(device_open(&flash.device, flash.server,
				     flash.transport, &dc, &note, &err),
			 0);
	ck_assert_int_eq(device_connect(flash.device, flash.store, &err), 0);
	ck_assert_int_eq(ioreq_server_start(flash.server, &err), 0);
	flash.started = true;
	return sim;
}

/* The device is gone when the store commits the open burst. */
START_TEST(detach_refuses_the_open_burst)
{
	const uint8_t bytes[] = { 0x10, VARIABLE_DELETED };
	struct sim *sim;

	read_again();
	config.pins = flash.pins;
	config.on_refusal = pinning_refused;
	config.opaque = &flash;
	ck_assert_int_eq(store_open(&flash.store, &config, NULL, &err), 0);
	ck_assert_int_eq(pinning_start(&flash, &config, &err), 0);
	sim = attach();
	for (int i = 0; i < 2; i++)
		sim_guest_write(sim, 0, BASE + pk + STATE, &bytes[i], 1);
	ck_assert_uint_eq(report.refused, 0);
	ck_assert_int_eq(flash_detach(&flash), 0);
	ck_assert_uint_eq(report.refused, 1);
	ck_assert_int_eq(go_on(), 0);
	sim_destroy(sim);
}
END_TEST

START_TEST(off_pins_nothing)
{
	options.pin = "off";
	read_again();
	ck_assert_ptr_null(flash.pins);
}
END_TEST

START_TEST(damaged_record_is_refused)
{
	blob_write(scratch_path("VARS.pins"), "damaged", 7);
	ck_assert_int_eq(pinning_read(&flash, &err), -EUCLEAN);
	ck_assert_ptr_nonnull(strstr(err.text, "VARS.pins: "));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pinning");
	TCase *tc = tcase_create("pinning");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, start_writes_the_record_and_restores);
	tcase_add_test(tc, start_without_a_change_leaves_the_store);
	tcase_add_test(tc, start_without_a_pk_frees_the_pins);
	tcase_add_test(tc, start_restores_by_one_burst);
	tcase_add_test(tc, later_worker_refuses_other_values);
	tcase_add_test(tc, takeover_after_an_enrolment_pins);
	tcase_add_loop_test(tc, refusals_pause_the_guest, 0, 2);
	tcase_add_test(tc, detach_refuses_the_open_burst);
	tcase_add_test(tc, off_pins_nothing);
	tcase_add_test(tc, damaged_record_is_refused);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
