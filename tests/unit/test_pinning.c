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

#include "support_store.h"
#include "support_vars.h"

#include "worker/pinning.h"

#define STATE 2u

static struct error err;
static struct vars vars;
static struct options options;
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
	flash = (struct flash){ .options = &options };
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

/* Deletes PK, without pins. */
static void
damage(void)
{
	const uint8_t deleted = VARIABLE_DELETED;
	struct store *store;

	ck_assert_int_eq(store_open(&store, &config, NULL, &err), 0);
	ck_assert_int_eq(store_program(store, (uint32_t)pk + STATE, &deleted,
				       1),
			 0);
	ck_assert_int_eq(store_close(store), 0);
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
	read_again();
	ck_assert_int_ne(access(scratch_path("VARS.pins"), F_OK), 0);
	ck_assert_int_eq(pinning_start(&flash, &config, &err), 0);
	ck_assert_int_eq(access(scratch_path("VARS.pins"), F_OK), 0);
	ck_assert_int_eq(go_on(), 0);
	damage();
	read_again();
	ck_assert_int_eq(pinning_start(&flash, &config, &err), 0);
	ck_assert_int_eq(go_on(), 0);
}
END_TEST

START_TEST(later_worker_refuses_other_values)
{
	read_again();
	ck_assert_int_eq(pinning_start(&flash, &config, &err), 0);
	damage();
	ck_assert_int_eq(go_on(), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "VARS: the pinned variables do "
					       "not have the values of the "
					       "host"));
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
	tcase_add_test(tc, later_worker_refuses_other_values);
	tcase_add_test(tc, off_pins_nothing);
	tcase_add_test(tc, damaged_record_is_refused);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
