/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests --sync variable: which bursts of OVMF the store syncs before it answers
 * them, and what becomes of the others.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support_device.h"
#include "support_store.h"
#include "support_vars.h"

#include "pflash/device.h"
#include "pflash/load.h"
#include "pflash/sim.h"
#include "pflash/varstore.h"

/* Offset of the state in a variable's header. */
#define STATE 2u

static struct error err;
static struct vars vars;
static struct store *store;

static struct store *
open_as(enum store_sync sync, uint32_t limit)
{
	const struct store_config config = {
		.path = scratch_path("VARS"),
		.sync = sync,
		.journal_limit = limit,
		.sys = &sys_faulty,
	};
	struct store *opened = NULL;
	int rc = store_open(&opened, &config, NULL, &err);

	ck_assert_msg(rc == 0, "%s", err.text);
	return opened;
}

static void
make(const void *image, size_t size)
{
	ck_assert_int_eq(create_vars(NULL, scratch_path("VARS"), image, size,
				     &err),
			 0);
}

/* Opens an empty variable store. */
static void
setup(void)
{
	scratch_make();
	memset(&fault, 0, sizeof(fault));
	vars = vars_make("2m");
	make(vars.image, vars.size);
	store = open_as(STORE_SYNC_VARIABLE, 0);
}

static void
teardown(void)
{
	memset(&fault, 0, sizeof(fault));
	if (store)
		ck_assert_int_eq(store_close(store), 0);
	store = NULL;
	vars_free(&vars);
	scratch_remove();
}

/* Replaces the store by one of another image and mode. */
static void
open_other(const void *image, size_t size, enum store_sync sync)
{
	ck_assert_int_eq(store_close(store), 0);
	scratch_remove();
	scratch_make();
	make(image, size);
	store = open_as(sync, 0);
}

/* Programs bytes as one burst; returns the number of syncs that it caused. */
static unsigned int
burst(size_t off, const void *bytes, size_t len)
{
	unsigned int before = fault.syncs;

	ck_assert_int_eq(store_program(store, (uint32_t)off, bytes,
				       (uint32_t)len),
			 0);
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert(store_verify(store));
	return fault.syncs - before;
}

static unsigned int
set_state(size_t variable, uint8_t state)
{
	return burst(variable + STATE, &state, 1);
}

/*
 * Writes a variable as edk2 does (Variable.c:2180-2239), up to the burst that
 * makes it effective; returns its offset.  None of these bursts is synced.
 */
static size_t
prepare(const char *name, const char *data)
{
	size_t off = vars_add(&vars, VARIABLE_UNWRITTEN, vendor_other, name,
			      data);
	const uint8_t *p = vars.image + off;
	size_t header = 60;

	ck_assert_uint_eq(burst(off, p, header), 0);
	ck_assert_uint_eq(set_state(off, VARIABLE_HEADER_VALID), 0);
	ck_assert_uint_eq(burst(off + header, p + header,
				vars.at - off - header),
			  0);
	return off;
}

/* Writes a new variable; only the last of its bursts is synced. */
static size_t
add(const char *name, const char *data)
{
	size_t off = prepare(name, data);

	ck_assert_uint_eq(set_state(off, VARIABLE_ADDED), 1);
	return off;
}

START_TEST(new_variable_costs_one_sync)
{
	uint64_t syncs = store_stats(store)->syncs;

	(void)add("A", "value");
	ck_assert_uint_eq(store_unsynced(store), 0);
	ck_assert_uint_eq(store_stats(store)->syncs, syncs + 1);
	ck_assert_uint_eq(store_stats(store)->bursts, 4);
}
END_TEST

/* The new value is effective when the old one is no longer ADDED. */
START_TEST(new_value_costs_one_sync)
{
	size_t old = add("A", "1"), new;

	ck_assert_uint_eq(set_state(old, VARIABLE_IN_TRANSITION), 0);
	new = prepare("A", "2");
	ck_assert_uint_eq(set_state(new, VARIABLE_ADDED), 1);
	ck_assert_uint_eq(set_state(old, VARIABLE_SUPERSEDED), 0);
}
END_TEST

START_TEST(deleted_variable_costs_one_sync)
{
	size_t old = add("A", "1");

	ck_assert_uint_eq(set_state(old, VARIABLE_IN_TRANSITION), 0);
	ck_assert_uint_eq(set_state(old, VARIABLE_SUPERSEDED), 1);
}
END_TEST

/* The header of the volume is what the next boot reads first. */
START_TEST(headers_are_synced)
{
	uint8_t zero = 0;

	ck_assert_uint_eq(burst(44, &zero, 1), 1);
}
END_TEST

START_TEST(spare_area_is_not_synced)
{
	uint32_t off = vars.layout->ftw_spare;

	ck_assert_int_eq(store_erase(store, off, 8192), 0);
	ck_assert_uint_eq(burst(off, vars.image, 4096), 0);
	ck_assert_uint_ne(store_unsynced(store), 0);
}
END_TEST

/* A pending write makes the spare area the store that the next boot reads. */
START_TEST(pending_write_is_synced_if_its_store_differs)
{
	const struct fv_layout *layout = vars.layout;
	size_t old = add("A", "1"), work = layout->ftw_work + 0x20;
	struct vars spare = vars_copy(&vars);

	for (unsigned int differs = 0; differs < 2; differs++) {
		size_t at = work + 80 * differs;

		spare.image[old + STATE] = differs ? VARIABLE_DELETED :
						     VARIABLE_ADDED;
		vars_fill_spare(&spare);
		ck_assert_int_eq(store_erase(store, layout->ftw_spare,
					     layout->size - layout->ftw_spare),
				 0);
		ck_assert_uint_eq(burst(layout->ftw_spare,
					spare.image + layout->ftw_spare,
					layout->variable_size),
				  0);
		vars_ftw_write(&spare, 80 * differs, 0xfe, 1, 0);
		vars_ftw_record(&spare, 80 * differs + 40, 0xff, 0);
		ck_assert_uint_eq(burst(at, spare.image + at, 80), 0);
		/* The spare area is complete: the write is pending. */
		ck_assert_uint_eq(burst(at + 40, "\xfd", 1), differs);
		ck_assert_uint_eq(burst(at + 40, "\xf9", 1), differs);
		ck_assert_uint_eq(burst(at, "\xf8", 1), 0);
	}
	vars_free(&spare);
}
END_TEST

/* The journal keeps the order: one sync makes all bursts before it durable. */
START_TEST(later_sync_covers_earlier_bursts)
{
	size_t off = prepare("A", "1");
	uint64_t first = store_unsynced(store);

	ck_assert_uint_ne(first, 0);
	(void)burst(vars.layout->event_log, "x", 1);
	ck_assert_uint_eq(store_unsynced(store), first);
	ck_assert_uint_eq(set_state(off, VARIABLE_ADDED), 1);
	ck_assert_uint_eq(store_unsynced(store), 0);
	(void)burst(vars.layout->event_log, "y", 1);
	ck_assert_uint_eq(store_unsynced(store), first + 5);
}
END_TEST

START_TEST(sync_leaves_the_open_burst_open)
{
	unsigned int syncs;

	ck_assert_uint_eq(burst(vars.layout->event_log, "x", 1), 0);
	ck_assert_int_eq(store_program(store, 0x8000, "open", 4), 0);
	syncs = fault.syncs;
	ck_assert_int_eq(store_sync(store), 0);
	ck_assert_uint_eq(fault.syncs, syncs + 1);
	ck_assert_uint_eq(store_unsynced(store), 0);
	ck_assert(store_pending(store));
	ck_assert_int_eq(store_sync(store), 0);
	ck_assert_uint_eq(fault.syncs, syncs + 1);
}
END_TEST

START_TEST(checkpoint_covers_all)
{
	(void)burst(vars.layout->event_log, "x", 1);
	ck_assert_int_eq(store_checkpoint(store), 0);
	ck_assert_uint_eq(store_unsynced(store), 0);
	ck_assert(store_verify(store));
	/* Also the checkpoint of a journal that has reached its limit. */
	ck_assert_int_eq(store_close(store), 0);
	store = open_as(STORE_SYNC_VARIABLE, 1);
	ck_assert_uint_gt(burst(vars.layout->event_log, "y", 1), 1);
	ck_assert_uint_eq(store_unsynced(store), 0);
}
END_TEST

START_TEST(release_covers_all)
{
	(void)burst(vars.layout->event_log, "x", 1);
	ck_assert_int_eq(store_release(store, &err), 0);
	ck_assert_uint_eq(store_unsynced(store), 0);
	ck_assert_int_eq(store_retake(store, true, &err), 0);
	(void)add("A", "after the release");
}
END_TEST

/* Every mode but `variable` is as before, and no burst of it waits. */
START_TEST(other_modes_have_nothing_unsynced)
{
	static const struct {
		enum store_sync sync;
		unsigned int syncs;
	} modes[] = {
		{ STORE_SYNC_BURST, 1 },
		{ STORE_SYNC_OP, 1 },
		{ STORE_SYNC_NONE, 0 },
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		open_other(vars.image, vars.size, modes[i].sync);
		ck_assert_uint_eq(burst(vars.layout->event_log, "x", 1),
				  modes[i].syncs);
		ck_assert_uint_eq(store_unsynced(store), 0);
		ck_assert_int_eq(store_sync_mode(store), modes[i].sync);
	}
}
END_TEST

/* An image without a variable store: every burst is synced. */
START_TEST(unknown_store_is_synced_always)
{
	uint8_t *blank = malloc(vars.size);

	memset(blank, 0xff, vars.size);
	open_other(blank, vars.size, STORE_SYNC_VARIABLE);
	ck_assert_int_eq(store_sync_mode(store), STORE_SYNC_BURST);
	for (uint32_t off = 0; off < vars.size; off += 0x5000)
		ck_assert_uint_eq(burst(off, "x", 1), 1);
	ck_assert_uint_eq(store_unsynced(store), 0);
	free(blank);
}
END_TEST

/* The store is damaged, then formatted again, as one burst each. */
START_TEST(store_that_is_not_known_for_a_time)
{
	ck_assert_int_eq(store_sync_mode(store), STORE_SYNC_VARIABLE);
	ck_assert_int_eq(store_erase(store, 0, 4096), 0);
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_int_eq(store_sync_mode(store), STORE_SYNC_BURST);
	ck_assert_uint_eq(store_unsynced(store), 0);
	ck_assert_uint_eq(burst(vars.layout->event_log, "x", 1), 1);
	ck_assert_uint_eq(burst(0, vars.image, 4096), 1);
	ck_assert_int_eq(store_sync_mode(store), STORE_SYNC_VARIABLE);
	ck_assert_uint_eq(burst(vars.layout->event_log, "y", 1), 0);
}
END_TEST

/* A sync that fails later is a failure like any other. */
START_TEST(late_failure_is_final)
{
	uint8_t *image = malloc(vars.size);

	ck_assert_uint_eq(burst(vars.layout->event_log, "x", 1), 0);
	memcpy(image, store_image(store), vars.size);
	ck_assert_int_eq(store_program(store, 0x8000, "open", 4), 0);
	fault = (struct fault){ .only = CALL_SYNC, .nth = 1, .error = EIO };
	ck_assert_int_eq(store_sync(store), -EIO);
	ck_assert_int_eq(store_failed(store), -EIO);
	ck_assert_ptr_nonnull(strstr(store_failure(store), "fdatasync"));
	ck_assert(!store_pending(store));
	ck_assert_uint_eq(store_unsynced(store), 0);
	ck_assert_mem_eq(store_image(store), image, vars.size);
	ck_assert(store_verify(store));
	ck_assert_int_eq(store_sync(store), 0);
	ck_assert_uint_eq(fault.calls, 1);
	ck_assert_int_eq(store_program(store, 0, "x", 1), -EIO);
	ck_assert_int_eq(store_close(store), -EIO);
	store = NULL;
	free(image);
}
END_TEST

/* A burst that must be synced and cannot be is undone. */
START_TEST(failure_of_a_due_sync)
{
	size_t off = prepare("A", "1");
	uint8_t added = VARIABLE_ADDED;

	fault = (struct fault){ .only = CALL_SYNC, .nth = 1, .error = EIO };
	ck_assert_int_eq(store_program(store, (uint32_t)off + STATE, &added, 1),
			 0);
	ck_assert_int_eq(store_commit(store), -EIO);
	ck_assert_uint_eq(store_image(store)[off + STATE],
			  VARIABLE_HEADER_VALID);
	ck_assert_int_eq(store_sync_mode(store), STORE_SYNC_VARIABLE);
	ck_assert_int_eq(store_close(store), -EIO);
	store = NULL;
}
END_TEST

/*
 * The process dies: the page cache has what was not synced, and the next one
 * makes it durable before it goes on.
 */
START_TEST(kill_loses_nothing)
{
	uint8_t *image = malloc(vars.size);

	(void)prepare("A", "1");
	memcpy(image, store_image(store), vars.size);
	fault = (struct fault){ .nth = 1, .persistent = true, .error = EIO };
	(void)store_close(store);
	memset(&fault, 0, sizeof(fault));
	store = open_as(STORE_SYNC_VARIABLE, 0);
	ck_assert_uint_gt(fault.syncs, 0);
	ck_assert_uint_eq(store_unsynced(store), 0);
	ck_assert_mem_eq(store_image(store), image, vars.size);
	ck_assert_uint_eq(set_state(0x64, VARIABLE_ADDED), 1);
	free(image);
}
END_TEST

/* The view is that of the image without the burst that is resumed. */
START_TEST(resumed_burst_is_compared_with_what_was_committed)
{
	static uint8_t memory[STORE_BURST_ROOM(65536)];
	const struct store_config config = {
		.path = scratch_path("VARS"),
		.sync = STORE_SYNC_VARIABLE,
		.burst = memory,
		.burst_limit = 65536,
		.sys = &sys_faulty,
	};
	size_t off = prepare("A", "1");
	uint8_t added = VARIABLE_ADDED;
	struct store_open_burst open;
	unsigned int syncs;

	ck_assert_int_eq(store_close(store), 0);
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_int_eq(store_program(store, (uint32_t)off + STATE, &added, 1),
			 0);
	store_note_burst(store, &open);
	fault = (struct fault){ .nth = 1, .persistent = true, .error = EIO };
	(void)store_close(store);
	memset(&fault, 0, sizeof(fault));
	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_int_eq(store_resume_burst(store, &open), 0);
	ck_assert(store_pending(store));
	syncs = fault.syncs;
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_uint_eq(fault.syncs, syncs + 1);
}
END_TEST

/* --- checkpoints while the guest is quiet --- */

static void
expect_vars(const uint8_t *image)
{
	uint8_t *bytes = NULL;
	size_t size = 0;

	ck_assert_int_eq(load_file(scratch_path("VARS"), STORE_MAX_SIZE, &bytes,
				   &size, &err),
			 0);
	ck_assert_uint_eq(size, vars.size);
	ck_assert_mem_eq(bytes, image, size);
	free(bytes);
}

static const enum store_sync all_modes[] = {
	STORE_SYNC_VARIABLE,
	STORE_SYNC_BURST,
	STORE_SYNC_OP,
	STORE_SYNC_NONE,
};

/* In each mode VARS alone is the image, and is durable. */
START_TEST(settled_vars_is_the_image)
{
	uint64_t checkpoints;

	open_other(vars.image, vars.size, all_modes[_i]);
	checkpoints = store_stats(store)->checkpoints;
	ck_assert(!store_behind(store));
	(void)burst(vars.layout->event_log, "x", 1);
	ck_assert(store_behind(store));
	expect_vars(vars.image);
	ck_assert_int_eq(store_settle(store), 0);
	ck_assert(!store_behind(store));
	ck_assert_uint_eq(store_unsynced(store), 0);
	ck_assert(store_verify(store));
	expect_vars(store_image(store));
	ck_assert_int_eq(store_settle(store), 0);
	ck_assert_uint_eq(store_stats(store)->checkpoints, checkpoints + 1);
}
END_TEST

/* The open burst is not committed, and a checkpoint would write parts of it. */
START_TEST(open_burst_is_not_settled)
{
	(void)burst(vars.layout->event_log, "x", 1);
	ck_assert_int_eq(store_program(store, vars.layout->event_log + 1, "y",
				       1),
			 0);
	ck_assert(!store_behind(store));
	ck_assert_int_eq(store_settle(store), 0);
	ck_assert(store_pending(store));
	expect_vars(vars.image);
	ck_assert_int_eq(store_commit(store), 0);
	ck_assert_int_eq(store_settle(store), 0);
	expect_vars(store_image(store));
}
END_TEST

START_TEST(released_or_failed_store_is_not_settled)
{
	(void)burst(vars.layout->event_log, "x", 1);
	ck_assert_int_eq(store_release(store, &err), 0);
	ck_assert(!store_behind(store));
	ck_assert_int_eq(store_settle(store), 0);
	ck_assert_int_eq(store_retake(store, true, &err), 0);
	ck_assert(!store_behind(store));
	(void)burst(vars.layout->event_log, "y", 1);
	fault = (struct fault){ .only = CALL_SYNC, .nth = 1, .error = EIO };
	ck_assert_int_eq(store_settle(store), -EIO);
	ck_assert(!store_behind(store));
	ck_assert_int_eq(store_settle(store), 0);
	ck_assert_uint_eq(fault.calls, 1);
	ck_assert_int_eq(store_close(store), -EIO);
	store = NULL;
}
END_TEST

/* Each call of the checkpoint fails; the next start has every burst. */
START_TEST(every_call_of_a_settle_fails)
{
	for (unsigned int nth = 1;; nth++) {
		uint8_t *image = malloc(vars.size);
		unsigned int calls;
		int rc;

		open_other(vars.image, vars.size, STORE_SYNC_VARIABLE);
		(void)burst(vars.layout->event_log, "x", 1);
		memcpy(image, store_image(store), vars.size);
		fault = (struct fault){ .nth = nth, .error = EIO };
		rc = store_settle(store);
		calls = fault.calls;
		ck_assert(store_verify(store));
		ck_assert_int_eq(store_failed(store), rc);
		(void)store_close(store);
		memset(&fault, 0, sizeof(fault));
		store = open_as(STORE_SYNC_VARIABLE, 0);
		ck_assert_mem_eq(store_image(store), image, vars.size);
		free(image);
		if (rc == 0) {
			/* checkpoint, sync, VARS, sync, done */
			ck_assert_uint_eq(calls, 5);
			ck_assert_uint_eq(nth, 6);
			break;
		}
		ck_assert_int_eq(rc, -EIO);
	}
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
attach(void)
{
	const uint32_t size = (uint32_t)vars.size;
	const struct sim_config config = { .spare_frames = size / FRAME_SIZE };
	const struct device_config dc = support_device(BASE, size,
						       WINDOW_DIRECT);
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
	ck_assert_int_eq(store_close(store), -EIO);
	store = NULL;
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

/* Writes a burst that is not synced; the next sync fails. */
static uint32_t
write_unsynced(void)
{
	uint32_t off = vars.layout->event_log;

	w(off, 0x10);
	w(off, 0x11);
	w(off, 0xff);
	ck_assert_uint_ne(device_unsynced(device), 0);
	fault = (struct fault){ .only = CALL_SYNC, .nth = 1, .error = EIO };
	return off;
}

/* The burst that was open is lost: its status says so. */
START_TEST(late_failure_is_shown_in_an_open_burst)
{
	uint32_t off;

	attach();
	off = write_unsynced();
	w(off + 1, 0x10);
	w(off + 1, 0x22);
	ck_assert_uint_eq(r(off + 1), 0x80);
	device_sync(device);
	ck_assert_uint_eq(r(off + 1), 0x98);
	w(0, 0xff);
	ck_assert_uint_eq(r(off), 0x11);
	ck_assert_uint_eq(r(off + 1), 0xff);
	detach();
}
END_TEST

/* Without an open burst the array stays, and the next program fails. */
START_TEST(late_failure_is_shown_by_the_next_program)
{
	uint32_t off;

	attach();
	off = write_unsynced();
	device_sync(device);
	ck_assert_uint_eq(device_unsynced(device), 0);
	ck_assert_uint_eq(r(off), 0x11);
	w(off + 1, 0x10);
	w(off + 1, 0x22);
	ck_assert_uint_eq(r(off + 1), 0x98);
	w(0, 0xff);
	ck_assert_uint_eq(r(off + 1), 0xff);
	detach();
}
END_TEST

/* A checkpoint fails while the guest is quiet: the next program fails. */
START_TEST(failed_settle_is_shown_by_the_next_program)
{
	uint32_t off;

	attach();
	off = write_unsynced();
	ck_assert(device_behind(device));
	device_settle(device);
	ck_assert(!device_behind(device));
	ck_assert_uint_eq(r(off), 0x11);
	w(off + 1, 0x10);
	w(off + 1, 0x22);
	ck_assert_uint_eq(r(off + 1), 0x98);
	w(0, 0xff);
	detach();
}
END_TEST

/* The guest is in the middle of a command: the chip goes on with it. */
START_TEST(settle_leaves_the_chip_as_it_is)
{
	uint32_t off = vars.layout->event_log;

	attach();
	w(off, 0x10);
	w(off, 0x11);
	w(off, 0xff);
	w(off + 1, 0x10);
	device_settle(device);
	expect_vars(store_image(store));
	ck_assert(device_verify(device));
	w(off + 1, 0x22);
	ck_assert_uint_eq(r(off + 1), 0x80);
	device_settle(device);
	ck_assert(store_pending(store));
	ck_assert_uint_eq(r(off + 1), 0x80);
	w(off + 1, 0xff);
	ck_assert_uint_eq(r(off + 1), 0x22);
	device_settle(device);
	expect_vars(store_image(store));
	fault = (struct fault){ .nth = 1, .persistent = true, .error = EIO };
	w(off + 2, 0x10);
	w(off + 2, 0x33);
	w(off + 2, 0xff);
	detach();
}
END_TEST

static Suite *
sync_suite(void)
{
	Suite *suite = suite_create("sync");
	TCase *tc = tcase_create("sync");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, new_variable_costs_one_sync);
	tcase_add_test(tc, new_value_costs_one_sync);
	tcase_add_test(tc, deleted_variable_costs_one_sync);
	tcase_add_test(tc, headers_are_synced);
	tcase_add_test(tc, spare_area_is_not_synced);
	tcase_add_test(tc, pending_write_is_synced_if_its_store_differs);
	tcase_add_test(tc, later_sync_covers_earlier_bursts);
	tcase_add_test(tc, sync_leaves_the_open_burst_open);
	tcase_add_test(tc, checkpoint_covers_all);
	tcase_add_test(tc, release_covers_all);
	tcase_add_test(tc, other_modes_have_nothing_unsynced);
	tcase_add_test(tc, unknown_store_is_synced_always);
	tcase_add_test(tc, store_that_is_not_known_for_a_time);
	tcase_add_test(tc, late_failure_is_final);
	tcase_add_test(tc, failure_of_a_due_sync);
	tcase_add_test(tc, kill_loses_nothing);
	tcase_add_test(tc, resumed_burst_is_compared_with_what_was_committed);
	tcase_add_test(tc, late_failure_is_shown_in_an_open_burst);
	tcase_add_test(tc, late_failure_is_shown_by_the_next_program);
	tcase_add_loop_test(tc, settled_vars_is_the_image, 0, 4);
	tcase_add_test(tc, open_burst_is_not_settled);
	tcase_add_test(tc, released_or_failed_store_is_not_settled);
	tcase_add_test(tc, every_call_of_a_settle_fails);
	tcase_add_test(tc, failed_settle_is_shown_by_the_next_program);
	tcase_add_test(tc, settle_leaves_the_chip_as_it_is);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(sync_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
