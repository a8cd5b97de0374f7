/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests that the libxenctrl of the running Xen is loaded by its name, with the
 * double of a later release (double_xenctrl.c), and that its answers become
 * those of domctl.h.
 */
#include <check.h>
#include <errno.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <xen/xen.h>

#include <xen/domctl.h>
#include <xen/sched.h>

#include "../../src/ioreq/domctl.h"

#define VERSION(major, minor) ((major) << 16 | (minor))

static struct domctl *domctl;
static struct error err;

static void
setup(void)
{
	ck_assert_int_eq(domctl_open(&domctl, VERSION(9u, 1u), NULL, &err), 0);
}

static void
teardown(void)
{
	domctl_close(domctl);
}

START_TEST(pauses_are_counted)
{
	ck_assert_int_eq(domctl_pause(domctl, 7), 0);
	ck_assert_int_eq(domctl_pause(domctl, 7), 0);
	ck_assert_int_eq(domctl_unpause(domctl, 7), 0);
	ck_assert_int_eq(domctl_unpause(domctl, 7), 0);
	ck_assert_int_eq(domctl_unpause(domctl, 7), -ESRCH);
	ck_assert_int_eq(domctl_pause(domctl, 8), -EPERM);
	ck_assert_int_eq(domctl_unpause(domctl, 9), -ESRCH);
}
END_TEST

START_TEST(flags_are_those_of_the_domain)
{
	uint32_t flags = 0;

	ck_assert_int_eq(domctl_flags(domctl, 7, &flags), 0);
	ck_assert_uint_eq(flags, XEN_DOMINF_shutdown | SHUTDOWN_suspend << 16);
	ck_assert_int_eq(domctl_flags(domctl, 6, &flags), -ESRCH);
	ck_assert_int_eq(domctl_flags(domctl, 8, &flags), -EPERM);
	ck_assert_int_eq(domctl_flags(domctl, 9, &flags), -ESRCH);
}
END_TEST

START_TEST(processor_time_is_that_of_the_domain)
{
	ck_assert_int_eq(domctl_cpu_time(domctl, 7), 1500000000);
	ck_assert_int_eq(domctl_cpu_time(domctl, 6), -ESRCH);
	ck_assert_int_eq(domctl_cpu_time(domctl, 8), -EPERM);
	ck_assert_int_eq(domctl_cpu_time(domctl, 9), -ESRCH);
}
END_TEST

START_TEST(register_is_read)
{
	uint64_t cr0 = 1;

	ck_assert_int_eq(domctl_cr0(domctl, 8, &cr0), -EPERM);
	ck_assert_uint_eq(cr0, 1);
	ck_assert_int_eq(domctl_cr0(domctl, 7, &cr0), 0);
	ck_assert_uint_eq(cr0, 0x80000011);
}
END_TEST

START_TEST(missing_library_is_named)
{
	struct domctl *none = NULL;

	ck_assert_int_eq(domctl_open(&none, VERSION(9u, 99u), NULL, &err),
			 -ELIBACC);
	ck_assert_ptr_null(none);
	ck_assert_ptr_nonnull(strstr(err.text, "libxenctrl.so.9.99"));
}
END_TEST

/* Like a release that has given up a function. */
START_TEST(incomplete_library_is_refused)
{
	struct domctl *none = NULL;

	ck_assert_int_eq(domctl_open(&none, VERSION(9u, 2u), NULL, &err),
			 -ELIBACC);
	ck_assert_str_eq(err.text,
			 "libxenctrl.so.9.2 has no xc_interface_open");
}
END_TEST

/* The library that is installed has all functions; only the device lacks. */
START_TEST(installed_library_is_complete)
{
	unsigned int major, minor;
	struct domctl *opened = NULL;
	glob_t found;
	int ret;

	if (glob("/usr/lib/x86_64-linux-gnu/libxenctrl.so.*.*", 0, NULL,
		 &found)) {
		printf("SKIP: libxenctrl is not here\n");
		return;
	}
	ck_assert_int_eq(sscanf(strrchr(found.gl_pathv[0], '/'),
				"/libxenctrl.so.%u.%u", &major, &minor),
			 2);
	globfree(&found);
	ret = domctl_open(&opened, VERSION(major, minor), NULL, &err);
	if (ret == 0)
		domctl_close(opened);
	else
		ck_assert_ptr_nonnull(strstr(err.text, "/dev/xen/privcmd"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("domctl");
	TCase *tc = tcase_create("double");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, pauses_are_counted);
	tcase_add_test(tc, flags_are_those_of_the_domain);
	tcase_add_test(tc, processor_time_is_that_of_the_domain);
	tcase_add_test(tc, register_is_read);
	suite_add_tcase(suite, tc);
	tc = tcase_create("libraries");
	tcase_add_test(tc, missing_library_is_named);
	tcase_add_test(tc, incomplete_library_is_refused);
	tcase_add_test(tc, installed_library_is_complete);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
