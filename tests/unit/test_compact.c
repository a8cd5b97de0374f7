/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests fv_compact(): which variables the compacted store has, where, and which
 * images it refuses. tests/peer/edk2 checks that edk2's driver produces the
 * same store.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support_vars.h"

#include "pflash/le.h"
#include "pflash/varstore.h"

static struct error err;
static uint8_t *out;

static int
compact(const struct vars *vars)
{
	free(out);
	out = malloc(vars->size);
	ck_assert_ptr_nonnull(out);
	return fv_compact(vars->image, vars->size, out, &err);
}

/* The result must be valid, and have exactly these variables in this order. */
static void
has(const struct vars *vars, const char *names)
{
	struct variable v = { 0 };
	struct varstore store;
	struct fv_report report;
	char all[512] = "", name[64];

	ck_assert(fv_check(out, vars->size, &report));
	ck_assert_uint_eq(report.superseded + report.deleted + report.torn, 0);
	ck_assert_uint_eq(report.used, report.live_bytes);
	ck_assert_int_eq(varstore_open(&store, out, vars->size, &err), 0);
	while (varstore_next(&store, &v) > 0) {
		ck_assert_int_eq(v.state, VARIABLE_ADDED);
		variable_name(&v, name, sizeof(name));
		strcat(strcat(all, name), "=");
		strncat(all, (const char *)v.data, v.data_size);
		strcat(all, " ");
	}
	ck_assert_str_eq(all, names);
	while (v.next < store.end && out[v.next] == 0xff)
		v.next++;
	ck_assert_uint_eq(v.next, store.end);
	/* Everything else must be unchanged. */
	ck_assert_mem_eq(out, vars->image, store.start);
	ck_assert_mem_eq(out + store.end, vars->image + store.end,
			 vars->size - store.end);
}

START_TEST(only_live_variables_remain_in_order)
{
	struct vars vars = vars_make(_i ? "4m" : "2m");
	int gained;

	vars_add(&vars, VARIABLE_SUPERSEDED, vendor_other, "B", "old");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "C", "c");
	vars_add(&vars, VARIABLE_DELETED, vendor_other, "D", "gone");
	vars_add(&vars, VARIABLE_ADDED, vendor_global, "B", "global");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "new");
	vars_add(&vars, VARIABLE_HEADER_VALID, vendor_other, "E", "torn");
	gained = compact(&vars);
	has(&vars, "C=c B=global B=new ");
	ck_assert_int_eq(gained, 3 * (60 + 4 + 4));
	ck_assert_int_eq(fv_compact(out, vars.size, vars.image, &err), 0);
	ck_assert_mem_eq(out, vars.image, vars.size);
	vars_free(&vars);
}
END_TEST

/* State 0x3e (in transition): dropped only if the new copy exists. */
START_TEST(variable_in_transition_stays_without_a_successor)
{
	struct vars vars = vars_make("2m");

	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_other, "A", "old");
	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_other, "B", "kept");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "C", "c");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "A", "new");
	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_global, "A", "other");
	compact(&vars);
	has(&vars, "C=c A=new B=kept A=other ");
	vars_free(&vars);
}
END_TEST

START_TEST(shorter_headers)
{
	struct vars vars = vars_make("2m");

	vars_make_plain(&vars);
	vars_add(&vars, VARIABLE_SUPERSEDED, vendor_other, "A", "old");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "A", "new");
	ck_assert_int_eq(compact(&vars), 32 + 4 + 4);
	has(&vars, "A=new ");
	vars_free(&vars);
}
END_TEST

START_TEST(empty_store)
{
	struct vars vars = vars_make("4m");

	ck_assert_int_eq(compact(&vars), 0);
	ck_assert_mem_eq(out, vars.image, vars.size);
	vars_free(&vars);
}
END_TEST

/*
 * fv_compact() refuses damaged images: they are for the firmware or for repair.
 */
/*
 * The driver does the same at its next start (Variable.c:3438), for example
 * after a guest was destroyed when it had written one byte of a variable.
 */
START_TEST(bytes_behind_the_last_variable_are_erased)
{
	struct vars vars = vars_make("2m");

	vars_add(&vars, VARIABLE_DELETED, vendor_other, "A", "gone");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "b");
	vars.image[vars.at] = 0xaa;
	vars.image[vars.at + 100] = 0;
	ck_assert_int_eq(compact(&vars), 60 + 4 + 4);
	has(&vars, "B=b ");
	vars_free(&vars);
}
END_TEST

/* Findings that do not fit into the report are no obstacle. */
START_TEST(many_findings)
{
	struct vars vars = vars_make("2m");
	const unsigned int count = FV_MAX_FINDINGS + 10;

	for (unsigned int i = 0; i < count; i++)
		vars_add(&vars, VARIABLE_HEADER_VALID, vendor_other, "A", "x");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "b");
	ck_assert_int_eq(compact(&vars), (int)(count * (60 + 4 + 4)));
	has(&vars, "B=b ");
	/* The last finding forbids it. */
	vars_add(&vars, 0x15, vendor_other, "C", "c");
	ck_assert_int_eq(compact(&vars), -EINVAL);
	vars_free(&vars);
}
END_TEST

START_TEST(damaged_stores_are_refused)
{
	struct vars vars = vars_make("2m"), other;
	size_t at;

	vars_add(&vars, VARIABLE_DELETED, vendor_other, "A", "gone");
	at = vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "b");
	ck_assert_int_gt(compact(&vars), 0);

	other = vars_copy(&vars); /* an invalid state */
	other.image[at + 2] = 0x15;
	ck_assert_int_eq(compact(&other), -EINVAL);
	vars_free(&other);

	other = vars_copy(&vars); /* two variables of one name */
	vars_add(&other, VARIABLE_ADDED, vendor_other, "B", "twice");
	ck_assert_int_eq(compact(&other), -EINVAL);
	vars_free(&other);

	other = vars_copy(&vars); /* two in transition */
	vars_add(&other, VARIABLE_IN_TRANSITION, vendor_other, "T", "first");
	vars_add(&other, VARIABLE_IN_TRANSITION, vendor_other, "T", "last");
	ck_assert_int_eq(compact(&other), -EINVAL);
	vars_free(&other);

	other = vars_copy(&vars); /* OVMF would format it */
	other.image[40] = 'x';
	ck_assert_int_eq(compact(&other), -EINVAL);
	vars_free(&other);

	other = vars_make_other(32, 0x8000); /* of an unknown layout */
	ck_assert_int_eq(compact(&other), -EINVAL);
	vars_free(&other);
	vars_free(&vars);
}
END_TEST

/* --- the states of the working block --- */

/* Flags of FTW writes and records, active low. */
enum {
	NONE = 0xff,
	HEADER = 0xfe,    /* HeaderAllocated */
	ALLOCATED = 0xfc, /* and WritesAllocated */
	COMPLETE = 0xf8,
	ABANDONED = 0xfa, /* HeaderAllocated, Complete */
	SPARE_DONE = 0xfd,
	ALL_DONE = 0xf9,
};

static uint8_t *
working_block(struct vars *vars)
{
	return vars->image + vars->layout->ftw_work;
}

static size_t
working_size(const struct vars *vars)
{
	return vars->layout->ftw_spare - vars->layout->ftw_work;
}

/* Puts a write of one record at `off`; returns its end. */
static size_t
put_write(struct vars *vars, size_t off, uint8_t flags, uint8_t record)
{
	size_t end = vars_ftw_write(vars, off, flags, 1, 0);

	vars_ftw_record(vars, off + 40, record, 0);
	return end;
}

static void
begun(struct vars *vars)
{
	put_write(vars, 0, ALLOCATED, NONE);
}

static void
header_only(struct vars *vars)
{
	put_write(vars, 0, HEADER, NONE);
	memset(working_block(vars) + 32 + 40, 0xff, 40);
}

static void
begun_behind_complete_ones(struct vars *vars)
{
	size_t end = put_write(vars, 0, COMPLETE, ALL_DONE);

	end = put_write(vars, end, ABANDONED, NONE);
	put_write(vars, end, ALLOCATED, NONE);
}

/* The first `len` bytes of a header, as after a stop in FtwAllocate(). */
static void
put_torn(struct vars *vars, uint8_t flags, size_t len)
{
	uint8_t *write = working_block(vars) + 32;

	memset(write, 0xff, 80);
	memset(write + 4, 0x5a, len > 4 ? len - 4 : 0);
	write[0] = flags;
}

static void
torn(struct vars *vars)
{
	put_torn(vars, HEADER, 10);
}

static void
torn_after_one_byte(struct vars *vars)
{
	put_torn(vars, HEADER, 1);
}

static void
torn_and_abandoned(struct vars *vars)
{
	put_torn(vars, ABANDONED, 24);
}

/*
 * OVMF puts its next write behind the only byte of the abandoned one, whose
 * sizes then are those of a write beyond the block: OVMF forgets both.
 */
static void
pending_behind_torn(struct vars *vars)
{
	put_torn(vars, ABANDONED, 1);
	put_write(vars, 1, ALLOCATED, SPARE_DONE);
}

static void
finished(struct vars *vars)
{
	put_write(vars, 0, ALLOCATED, ALL_DONE);
}

static void
second_record_begun(struct vars *vars)
{
	vars_ftw_write(vars, 0, ALLOCATED, 2, 8);
	vars_ftw_record(vars, 40, ALL_DONE, 0);
	vars_ftw_record(vars, 88, NONE, 0);
}

static void
full(struct vars *vars)
{
	for (size_t off = 0; off + 32 + 80 <= working_size(vars);)
		off = put_write(vars, off, COMPLETE, ALL_DONE);
}

static void
garbage_behind(struct vars *vars)
{
	put_write(vars, 0, ALLOCATED, NONE);
	working_block(vars)[32 + 80 + 60] = 0;
}

static void
garbage_only(struct vars *vars)
{
	working_block(vars)[32 + 5] = 0;
}

static void
two_begun(struct vars *vars)
{
	size_t end = put_write(vars, 0, ALLOCATED, NONE);

	put_write(vars, end, ALLOCATED, NONE);
}

static void
erased(struct vars *vars)
{
	memset(working_block(vars), 0xff, working_size(vars));
}

static void
no_header(struct vars *vars)
{
	put_write(vars, 0, COMPLETE, ALL_DONE);
	memset(working_block(vars), 0xff, 32);
}

static void
wrong_signature(struct vars *vars)
{
	working_block(vars)[3] ^= 0x10;
}

static void
wrong_crc(struct vars *vars)
{
	working_block(vars)[17] ^= 1;
}

static void
wrong_queue_size(struct vars *vars)
{
	working_block(vars)[24] ^= 0x20;
}

/* The state of a block that the driver is about to erase. */
static void
marked_invalid(struct vars *vars)
{
	put_write(vars, 0, COMPLETE, ALL_DONE);
	working_block(vars)[20] = 0xfc;
}

static void
invalid_and_full(struct vars *vars)
{
	full(vars);
	working_block(vars)[17] ^= 1;
}

/* Without a valid header nothing completes the write. */
static void
invalid_and_pending(struct vars *vars)
{
	vars_fill_spare(vars);
	put_write(vars, 0, ALLOCATED, SPARE_DONE);
	working_block(vars)[17] ^= 1;
}

static void
move_to_spare(struct vars *vars)
{
	memcpy(vars->image + vars->layout->ftw_spare, working_block(vars),
	       working_size(vars));
	memset(working_block(vars), 0xff, working_size(vars));
}

static void
copy_in_spare(struct vars *vars)
{
	move_to_spare(vars);
}

static void
copy_in_spare_with_begun(struct vars *vars)
{
	begun(vars);
	move_to_spare(vars);
}

/* OVMF abandons the write of the copy, whose data are gone. */
static void
copy_in_spare_with_pending(struct vars *vars)
{
	put_write(vars, 0, ALLOCATED, SPARE_DONE);
	move_to_spare(vars);
}

static void
copy_in_spare_that_is_full(struct vars *vars)
{
	full(vars);
	move_to_spare(vars);
}

/* --- those that must be refused --- */

static void
pending(struct vars *vars)
{
	vars_fill_spare(vars);
	put_write(vars, 0, ALLOCATED, SPARE_DONE);
}

static void
pending_elsewhere(struct vars *vars)
{
	vars_ftw_write(vars, 0, ALLOCATED, 1, 0);
	vars_ftw_record(vars, 40, SPARE_DONE, 3);
}

static void
second_record_pending(struct vars *vars)
{
	vars_fill_spare(vars);
	vars_ftw_write(vars, 0, ALLOCATED, 2, 0);
	vars_ftw_record(vars, 40, ALL_DONE, 0);
	vars_ftw_record(vars, 80, SPARE_DONE, 0);
}

static void
pending_behind_begun(struct vars *vars)
{
	size_t end = put_write(vars, 0, ALLOCATED, NONE);

	put_write(vars, end, ALLOCATED, SPARE_DONE);
}

static void
pending_behind_one_in_spare(struct vars *vars)
{
	size_t end = put_write(vars, 0, ALLOCATED, SPARE_DONE);

	put_write(vars, end, ALLOCATED, SPARE_DONE);
	move_to_spare(vars);
}

/* The driver would read the record of the last write behind its buffer. */
static void
full_with_half_a_write(struct vars *vars)
{
	full(vars);
	working_block(vars)[32 + (working_size(vars) - 32) / 80 * 80] =
		ALLOCATED;
}

/* A complete write whose sizes lead back to its own start. */
static void
endless(struct vars *vars)
{
	vars_ftw_write(vars, 0, COMPLETE, 1, -(uint64_t)80);
	working_block(vars)[0] ^= 1; /* no error, if the block is invalid */
}

static void
unknown_copy_in_spare(struct vars *vars)
{
	vars_ftw_write(vars, 0, ALLOCATED, 0, 0);
	move_to_spare(vars);
}

static void
unallocated_in_spare(struct vars *vars)
{
	put_write(vars, 0, 0xfd, SPARE_DONE);
	move_to_spare(vars);
}

static const struct {
	void (*make)(struct vars *vars);
	int result; /* 0: compacted */
} states[] = {
	{ begun, 0 },
	{ header_only, 0 },
	{ begun_behind_complete_ones, 0 },
	{ torn, 0 },
	{ torn_after_one_byte, 0 },
	{ torn_and_abandoned, 0 },
	{ pending_behind_torn, 0 },
	{ finished, 0 },
	{ second_record_begun, 0 },
	{ full, 0 },
	{ garbage_behind, 0 },
	{ garbage_only, 0 },
	{ two_begun, 0 },
	{ erased, 0 },
	{ no_header, 0 },
	{ wrong_signature, 0 },
	{ wrong_crc, 0 },
	{ wrong_queue_size, 0 },
	{ marked_invalid, 0 },
	{ invalid_and_full, 0 },
	{ invalid_and_pending, 0 },
	{ copy_in_spare, 0 },
	{ copy_in_spare_with_begun, 0 },
	{ copy_in_spare_with_pending, 0 },
	{ copy_in_spare_that_is_full, 0 },
	{ pending, -EBUSY },
	{ pending_elsewhere, -EBUSY },
	{ second_record_pending, -EBUSY },
	{ pending_behind_begun, -EBUSY },
	{ pending_behind_one_in_spare, -EBUSY },
	{ full_with_half_a_write, -EINVAL },
	{ endless, -EINVAL },
	{ unknown_copy_in_spare, -EINVAL },
	{ unallocated_in_spare, -EINVAL },
};

#define STATES ((int)(sizeof(states) / sizeof(states[0])))

/*
 * fv_compact() refuses only what OVMF's next boot would still change in the
 * store, and blocks that no OVMF writes.
 */
START_TEST(working_block_in_any_state)
{
	struct vars vars = vars_make(_i % 2 ? "4m" : "2m");

	vars_add(&vars, VARIABLE_DELETED, vendor_other, "A", "gone");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "b");
	states[_i / 2].make(&vars);
	if (states[_i / 2].result) {
		ck_assert_int_eq(compact(&vars), states[_i / 2].result);
	} else {
		ck_assert_int_eq(compact(&vars), 60 + 4 + 4);
		has(&vars, "B=b ");
	}
	vars_free(&vars);
}
END_TEST

/* Fills the queue, or its copy in the spare area, with likely bytes. */
static void
random_queue(struct vars *vars)
{
	static const uint8_t bytes[] = { 0xff, 0xfe, 0xfc, 0xfa, 0xf9, 0xf8,
					 0xfd, 0,    0,    0,    1,    40 };
	uint8_t *queue = working_block(vars) + 32;

	for (size_t i = 0; i + 32 < working_size(vars); i++)
		queue[i] = rand() % 3 && i % 40 ?
				   0xff :
				   bytes[(size_t)rand() % sizeof(bytes)];
	if (rand() % 2)
		memset(queue + rand() % 400, 0xff,
		       working_size(vars) - 32 - 400);
	if (rand() % 3 == 0)
		working_block(vars)[rand() % 32] ^= (uint8_t)(1 << rand() % 8);
	if (rand() % 3 == 0)
		move_to_spare(vars);
}

/* Any queue is read within its block, and never changed. */
START_TEST(random_working_blocks)
{
	struct vars vars = vars_make("2m"), other;
	unsigned int compacted = 0, refused = 0;

	srand(1);
	vars_add(&vars, VARIABLE_DELETED, vendor_other, "A", "gone");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "b");
	for (int i = 0; i < 200; i++) {
		int ret;

		other = vars_copy(&vars);
		random_queue(&other);
		ret = compact(&other);
		if (ret >= 0) {
			has(&other, "B=b ");
			compacted++;
		} else {
			ck_assert(ret == -EBUSY || ret == -EINVAL);
			refused++;
		}
		vars_free(&other);
	}
	ck_assert_uint_gt(compacted, 20);
	ck_assert_uint_gt(refused, 20);
	vars_free(&vars);
}
END_TEST

static bool
due(const struct vars *vars)
{
	struct fv_report report;

	fv_check(vars->image, vars->size, &report);
	return fv_compact_is_due(&report);
}

/* Due if less than half is free and at least an eighth can be gained. */
START_TEST(compaction_is_due)
{
	struct vars vars = vars_make("2m");
	struct fv_report report;
	uint32_t size;
	char data[1001];

	memset(data, 'x', 1000);
	data[1000] = '\0';
	fv_check(vars.image, vars.size, &report);
	size = report.used + report.free;
	ck_assert(!due(&vars));
	while (report.used <= size / 2) {
		ck_assert(!due(&vars));
		vars_add(&vars, VARIABLE_DELETED, vendor_other, "A", data);
		fv_check(vars.image, vars.size, &report);
	}
	ck_assert(due(&vars));
	ck_assert_int_eq(compact(&vars), (int)report.used);
	vars_free(&vars);

	vars = vars_make("2m"); /* nothing to gain */
	for (unsigned int i = 0; i < 40; i++) {
		char name[] = { (char)('A' + i % 26), (char)('a' + i / 26), 0 };

		vars_add(&vars, VARIABLE_ADDED, vendor_other, name, data);
	}
	fv_check(vars.image, vars.size, &report);
	ck_assert_uint_gt(report.used, size / 2);
	ck_assert(!due(&vars));
	vars.image[40] = 'x';
	ck_assert(!due(&vars));
	vars_free(&vars);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("compact");
	TCase *tc = tcase_create("compact");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, only_live_variables_remain_in_order, 0, 2);
	tcase_add_test(tc, variable_in_transition_stays_without_a_successor);
	tcase_add_test(tc, shorter_headers);
	tcase_add_test(tc, empty_store);
	tcase_add_test(tc, bytes_behind_the_last_variable_are_erased);
	tcase_add_test(tc, many_findings);
	tcase_add_test(tc, damaged_stores_are_refused);
	tcase_add_loop_test(tc, working_block_in_any_state, 0, 2 * STATES);
	tcase_add_test(tc, random_working_blocks);
	tcase_add_test(tc, compaction_is_due);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	free(out);
	return failed != 0;
}
