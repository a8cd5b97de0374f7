/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests a store with pinned variables: a burst that would change them is undone
 * by whatever function commits it, and all others are stored.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support_device.h"
#include "support_store.h"
#include "support_vars.h"

#include "pflash/device.h"
#include "pflash/pins.h"
#include "pflash/sim.h"

/* Offset of the state in a variable's header. */
#define STATE 2u
#define LIMIT 4096u

static struct error err;
static struct vars vars;
static struct store *store;
static struct pins *pins;
static size_t pk, other;
static unsigned int refusals;
static char sentence[256];
static uint8_t memory[STORE_BURST_ROOM(LIMIT)];

static void
on_refusal(void *opaque, const char *why)
{
	ck_assert_ptr_eq(opaque, &refusals);
	refusals++;
	(void)snprintf(sentence, sizeof(sentence), "%s", why);
}

static void
open_store(enum store_sync sync)
{
	const struct store_config config = {
		.path = scratch_path("VARS"),
		.sync = sync,
		.burst = memory,
		.burst_limit = LIMIT,
		.pins = pins,
		.on_refusal = on_refusal,
		.opaque = &refusals,
		.sys = &sys_faulty,
	};
	int rc = store_open(&store, &config, NULL, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
}

static void
close_store(void)
{
	ck_assert_int_eq(store_close(store), 0);
	store = NULL;
}

static void
setup(void)
{
	scratch_make();
	memset(&fault, 0, sizeof(fault));
	refusals = 0;
	vars = vars_make("2m");
	other = vars_add(&vars, VARIABLE_ADDED, vendor_other, "Other", "value");
	pk = vars_add(&vars, VARIABLE_ADDED, vendor_global, "PK", "owner");
	vars_add(&vars, VARIABLE_ADDED, vendor_global, "KEK", "owner");
	ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"), vars.image,
				     vars.size, &err),
			 0);
	ck_assert_int_eq(pins_parse(&pins, "auto", &err), 0);
	ck_assert_int_eq(pins_start(pins, vars.image, vars.size, &err), 0);
	ck_assert(pins_active(pins));
	open_store(STORE_SYNC_VARIABLE);
}

static void
teardown(void)
{
	memset(&fault, 0, sizeof(fault));
	if (store)
		(void)store_close(store);
	store = NULL;
	pins_free(pins);
	vars_free(&vars);
	scratch_remove();
}

static int
program(size_t off, const void *bytes, size_t len)
{
	return store_program(store, (uint32_t)off, bytes, (uint32_t)len);
}

/* Deletes PK. */
static int
attack(void)
{
	const uint8_t deleted = VARIABLE_DELETED;

	return program(pk + STATE, &deleted, 1);
}

/* Programs bytes as one burst, which is allowed; the syncs that it caused. */
static unsigned int
burst(size_t off, const void *bytes, size_t len)
{
	unsigned int before = fault.syncs;

	ck_assert_int_eq(program(off, bytes, len), 0);
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert(store_verify(store));
	return fault.syncs - before;
}

/* The store has the image, and nothing is open. */
static void
expect(unsigned int refused, const uint8_t *image)
{
	ck_assert_uint_eq(refusals, refused);
	ck_assert_uint_eq(store_stats(store)->refused, refused);
	ck_assert(!store_pending(store));
	ck_assert_int_eq(store_failed(store), 0);
	ck_assert_mem_eq(store_image(store), image, vars.size);
	ck_assert(store_verify(store));
}

/* The file has the image of setup() after the process has ended. */
static void
expect_vars(void)
{
	struct blob blob = blob_read(scratch_path("VARS"));

	ck_assert(blob_equal(&blob, vars.image, vars.size));
	blob_free(&blob);
}

static const enum store_sync modes[] = {
	STORE_SYNC_VARIABLE,
	STORE_SYNC_BURST,
	STORE_SYNC_OP,
	STORE_SYNC_NONE,
};

/* The journal has nothing of the burst, and the next one follows. */
START_TEST(refused_burst_is_undone)
{
	const char *path = scratch_path("VARS.journal");
	uint8_t *image = malloc(vars.size);
	struct blob before, after;
	int rc;

	close_store();
	open_store(modes[_i]);
	before = blob_read(path);
	rc = attack();
	if (modes[_i] != STORE_SYNC_OP) {
		ck_assert_int_eq(rc, 0);
		rc = store_commit(store);
	}
	ck_assert_int_eq(rc, -EPERM);
	expect(1, vars.image);
	ck_assert_ptr_nonnull(strstr(sentence, "PK: would be removed"));
	after = blob_read(path);
	ck_assert(blob_equal(&after, before.data, before.len));
	ck_assert_int_eq(store_commit(store), 0);
	(void)burst(vars.layout->event_log, "later", 5);
	memcpy(image, store_image(store), vars.size);
	close_store();
	open_store(modes[_i]);
	ck_assert_mem_eq(store_image(store), image, vars.size);
	ck_assert_mem_eq(image + vars.layout->event_log, "later", 5);
	free(image);
	blob_free(&before);
	blob_free(&after);
}
END_TEST

/* --sync variable: what is synced after a refusal is what was before. */
START_TEST(view_is_right_after_a_refusal)
{
	const uint8_t states[] = { VARIABLE_IN_TRANSITION,
				   VARIABLE_SUPERSEDED };

	ck_assert_int_eq(attack(), 0);
	ck_assert_int_eq(store_commit(store), -EPERM);
	ck_assert_int_eq(store_erase(store, 0, 4096), 0);
	ck_assert_int_eq(store_commit(store), -EPERM);
	expect(2, vars.image);
	ck_assert_int_eq(store_sync_mode(store), STORE_SYNC_VARIABLE);
	ck_assert_uint_eq(burst(vars.layout->event_log, "x", 1), 0);
	ck_assert_uint_ne(store_unsynced(store), 0);
	ck_assert_uint_eq(burst(other + STATE, states, 1), 0);
	ck_assert_uint_eq(burst(other + STATE, states + 1, 1), 1);
	ck_assert_uint_eq(store_unsynced(store), 0);
}
END_TEST

/* The change that fills the burst commits it. */
START_TEST(full_burst_is_refused)
{
	uint8_t zeros[2048] = { 0 };
	int rc = attack();
	unsigned int count = 0;

	while (rc == 0 && count++ < 8)
		rc = program(vars.layout->ftw_spare + 2048 * count, zeros,
			     sizeof(zeros));
	ck_assert_int_eq(rc, -EPERM);
	expect(1, vars.image);
	(void)burst(vars.layout->event_log, "x", 1);
}
END_TEST

START_TEST(checkpoint_refuses_the_open_burst)
{
	(void)burst(vars.layout->ftw_spare, "x", 1);
	vars.image[vars.layout->ftw_spare] &= 'x';
	ck_assert_int_eq(attack(), 0);
	ck_assert_int_eq(store_settle(store), 0);
	ck_assert(store_pending(store));
	ck_assert_int_eq(store_checkpoint(store), 0);
	expect(1, vars.image);
	expect_vars();
}
END_TEST

START_TEST(close_refuses_the_open_burst)
{
	ck_assert_int_eq(attack(), 0);
	close_store();
	ck_assert_uint_eq(refusals, 1);
	expect_vars();
}
END_TEST

START_TEST(release_refuses_and_retake_keeps_the_pins)
{
	ck_assert_int_eq(attack(), 0);
	ck_assert_int_eq(store_release(store, &err), 0);
	ck_assert_uint_eq(refusals, 1);
	expect_vars();
	ck_assert_int_eq(store_retake(store, true, &err), 0);
	expect(1, vars.image);
	ck_assert_int_eq(attack(), 0);
	ck_assert_int_eq(store_commit(store), -EPERM);
	expect(2, vars.image);
	(void)burst(vars.layout->event_log, "x", 1);
}
END_TEST

/* The next process judges the burst that it resumes. */
START_TEST(resumed_burst_is_judged)
{
	struct store_open_burst open;

	(void)burst(vars.layout->event_log, "x", 1);
	vars.image[vars.layout->event_log] &= 'x';
	ck_assert_int_eq(attack(), 0);
	store_note_burst(store, &open);
	fault = (struct fault){ .nth = 1, .persistent = true, .error = EIO };
	(void)store_close(store);
	memset(&fault, 0, sizeof(fault));
	refusals = 0;
	open_store(STORE_SYNC_VARIABLE);
	ck_assert_int_eq(store_resume_burst(store, &open), 0);
	ck_assert(store_pending(store));
	ck_assert_int_eq(store_commit(store), -EPERM);
	expect(1, vars.image);
}
END_TEST

/* Programs the spare area with the store's bytes, and begins its write. */
static void
begin_reclaim(struct vars *spare)
{
	const struct fv_layout *layout = vars.layout;
	size_t work = layout->ftw_work + 0x20;

	vars_fill_spare(spare);
	for (size_t at = 0; at < layout->variable_size; at += LIMIT / 2)
		(void)burst(layout->ftw_spare + at,
			    spare->image + layout->ftw_spare + at, LIMIT / 2);
	vars_ftw_write(spare, 0, 0xfe, 1, 0);
	vars_ftw_record(spare, 40, 0xff, 0);
	(void)burst(work, spare->image + work, 80);
	(void)burst(work, "\xfc", 1);
}

/*
 * While the spare area replaces the store, a write of the headers in place
 * changes no effective variable, and is judged all the same.
 */
START_TEST(headers_in_place_are_judged_during_a_pending_write)
{
	size_t work = vars.layout->ftw_work + 0x20;
	struct vars spare = vars_copy(&vars);
	uint8_t zero = 0;

	begin_reclaim(&spare);
	(void)burst(work + 40, "\xfd", 1);
	memcpy(vars.image, store_image(store), vars.size);
	expect(0, vars.image);
	ck_assert_int_eq(program(44, &zero, 1), 0);
	ck_assert_int_eq(store_commit(store), -EPERM);
	expect(1, vars.image);
	vars_free(&spare);
}
END_TEST

/*
 * The driver has reclaimed the store for a value that was refused, and does not
 * know that.  Its copy of the spare area changes nothing, even where no pinned
 * variable is concerned.
 */
START_TEST(refused_reclaim_changes_nothing)
{
	const uint8_t deleted = VARIABLE_DELETED;
	size_t work = vars.layout->ftw_work + 0x20;
	struct vars spare = vars_copy(&vars);

	spare.image[pk + STATE] = VARIABLE_DELETED;
	begin_reclaim(&spare);
	memcpy(vars.image, store_image(store), vars.size);
	ck_assert_int_eq(program(work + 40, "\xfd", 1), 0);
	ck_assert_int_eq(store_commit(store), -EPERM);
	expect(1, vars.image);
	ck_assert_int_eq(store_erase(store, 8192, 4096), 0);
	ck_assert_int_eq(store_commit(store), -EPERM);
	expect(2, vars.image);
	ck_assert_ptr_nonnull(strstr(sentence, "until its next boot"));
	ck_assert_int_eq(program(other + STATE, &deleted, 1), 0);
	ck_assert_int_eq(store_commit(store), -EPERM);
	expect(3, vars.image);
	(void)burst(work + 40, "\xfb", 1);
	(void)burst(work, "\xf8", 1);
	ck_assert_uint_eq(refusals, 3);
	vars_free(&spare);
}
END_TEST

/* --- the device --- */

#define BASE UINT64_C(0xffe00000)

static struct sim *sim;
static struct ioreq_server *server;
static struct device *device;

static void
run(void *opaque)
{
	ioreq_server_poll(opaque);
}

static void
attach(enum window_mode mode)
{
	const uint32_t size = (uint32_t)vars.size;
	const struct sim_config config = { .spare_frames = size / FRAME_SIZE };
	const struct device_config dc = support_device(BASE, size, mode);
	struct error note;
	struct transport *t;

	ck_assert_int_eq(sim_create(&sim, &config), 0);
	t = sim_transport(sim);
	ck_assert_int_eq(ioreq_server_open(&server, t, &err), 0);
	sim_set_server(sim, run, server);
	ck_assert_int_eq(device_open(&device, server, t, &dc, &note, &err), 0);
	ck_assert_int_eq(device_connect(device, store, &err), 0);
	ck_assert_int_eq(ioreq_server_start(server, &err), 0);
}

static void
detach(void)
{
	ck_assert_msg(!sim_crashed(sim), "%s", sim_crashed(sim));
	ck_assert(device_verify(device));
	ck_assert_int_eq(device_close(device, DEVICE_DISCARD_STATE, &err), 0);
	ioreq_server_close(server);
	sim_destroy(sim);
}

static void
w(uint32_t off, uint8_t value)
{
	sim_guest_write(sim, 0, BASE + off, &value, 1);
}

static uint8_t
r(uint32_t off)
{
	uint8_t value = 0;

	sim_guest_read(sim, 0, BASE + off, &value, 1);
	return value;
}

/* The guest reads the old bytes, in every block. */
static void
guest_sees(const uint8_t *image)
{
	for (uint32_t off = 0; off < vars.size; off += 256)
		ck_assert_uint_eq(r(off), image[off]);
	for (uint32_t off = 0; off < 512; off++)
		ck_assert_uint_eq(r(off), image[off]);
}

static const enum window_mode window_modes[] = { WINDOW_DIRECT, WINDOW_TRAP };

START_TEST(guest_reads_the_old_bytes)
{
	uint32_t state = (uint32_t)pk + STATE, log = vars.layout->event_log;

	attach(window_modes[_i]);
	w(state, 0x10);
	w(state, VARIABLE_DELETED);
	w(state, 0xff);
	guest_sees(vars.image);
	expect(1, vars.image);
	w(0, 0x20);
	w(0, 0xd0);
	w(0, 0xff);
	guest_sees(vars.image);
	expect(2, vars.image);
	w(log, 0x10);
	w(log, 0x11);
	w(log, 0xff);
	vars.image[log] = 0x11;
	guest_sees(vars.image);
	expect(2, vars.image);
	detach();
}
END_TEST

/* The device ends a burst when the guest is quiet, and when it detaches. */
START_TEST(device_refuses_without_read_array)
{
	uint32_t state = (uint32_t)pk + STATE;

	attach(window_modes[_i % 2]);
	w(state, 0x10);
	w(state, VARIABLE_DELETED);
	ck_assert_uint_eq(refusals, 0);
	if (_i < 2) {
		device_flush(device);
		expect(1, vars.image);
		w(state, 0xff);
		guest_sees(vars.image);
		detach();
	} else {
		ck_assert_int_eq(device_close(device,
					      _i < 4 ? DEVICE_DISCARD_STATE :
						       DEVICE_SAVE_STATE,
					      &err),
				 0);
		ioreq_server_close(server);
		sim_destroy(sim);
	}
	close_store();
	ck_assert_uint_eq(refusals, 1);
	expect_vars();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pins_store");
	TCase *tc = tcase_create("pins_store");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, refused_burst_is_undone, 0, 4);
	tcase_add_test(tc, view_is_right_after_a_refusal);
	tcase_add_test(tc, full_burst_is_refused);
	tcase_add_test(tc, checkpoint_refuses_the_open_burst);
	tcase_add_test(tc, close_refuses_the_open_burst);
	tcase_add_test(tc, release_refuses_and_retake_keeps_the_pins);
	tcase_add_test(tc, resumed_burst_is_judged);
	tcase_add_test(tc, headers_in_place_are_judged_during_a_pending_write);
	tcase_add_test(tc, refused_reclaim_changes_nothing);
	tcase_add_loop_test(tc, guest_reads_the_old_bytes, 0, 2);
	tcase_add_loop_test(tc, device_refuses_without_read_array, 0, 6);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
