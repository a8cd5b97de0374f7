/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of the search for a guest's kernel in libxl's description: files as
 * libxl writes them, files that it never writes, and hostile contents.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/daemon/worker/kernel.h"
#include "support_store.h"

#define UUID "a1b2c3d4-0000-4000-8000-00000000000f"

static char directory[] = "/tmp/pflash-kernel-XXXXXX";
static char name[256];
static struct error err;
static struct guest guest;

static void
setup(void)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	guest = (struct guest){ .id = 7, .name = "web", .pvh = true };
	strcpy(guest.uuid, "/vm/" UUID);
	(void)snprintf(name, sizeof(name),
		       "%s/userdata-d.7." UUID ".libxl-json", directory);
}

static void
teardown(void)
{
	(void)unlink(name);
	(void)rmdir(directory);
}

static void
put(const char *text, size_t len)
{
	blob_write(name, text, len);
	ck_assert_int_eq(chmod(name, 0600), 0);
}

/* True if the kernel is `wanted`; NULL: -`code`, and a sentence. */
static void
finds(const char *wanted, int code)
{
	char *path = name;

	err.text[0] = '\0';
	ck_assert_int_eq(kernel_find(&guest, directory, &path, &err),
			 wanted ? 0 : -code);
	if (wanted) {
		ck_assert_str_eq(path, wanted);
	} else {
		ck_assert_ptr_null(path);
		ck_assert_str_ne(err.text, "");
	}
	free(path);
}

/* As libxl 4.17 writes it, shortened. */
static const char description[] =
	"{\n"
	"    \"c_info\": {\n"
	"        \"type\": \"pvh\",\n"
	"        \"name\": \"web\",\n"
	"        \"uuid\": \"" UUID "\",\n"
	"        \"run_hotplug_scripts\": \"True\"\n"
	"    },\n"
	"    \"b_info\": {\n"
	"        \"max_vcpus\": 1,\n"
	"        \"avail_vcpus\": [\n"
	"            0\n"
	"        ],\n"
	"        \"target_memkb\": 262144,\n"
	"        \"sched_params\": {\n"
	"\n"
	"        },\n"
	"        \"kernel\": \"/usr/share/edk2/xen/OVMF.fd\",\n"
	"        \"type.pvh\": {\n"
	"        }\n"
	"    },\n"
	"    \"nics\": [\n"
	"    ]\n"
	"}\n";

START_TEST(as_libxl_writes_it)
{
	put(description, strlen(description));
	finds("/usr/share/edk2/xen/OVMF.fd", 0);
	/* Without "/vm/", too. */
	strcpy(guest.uuid, UUID);
	finds("/usr/share/edk2/xen/OVMF.fd", 0);
	guest.id = 8;
	finds(NULL, ENOENT);
}
END_TEST

static const struct {
	const char *text;
	const char *path; /* NULL: refused, */
	int code;         /* by this error */
} contents[] = {
	{ "", NULL, EINVAL },
	{ "kernel", NULL, EINVAL },
	{ "{ \"b_info\": { \"kernel\": \"/boot/k\"", NULL, EINVAL },
	{ "[]", NULL, ENOENT },
	{ "null", NULL, EINVAL },
	{ "\"b_info\"", NULL, ENOENT },
	{ "{}", NULL, ENOENT },
	{ "{ \"b_info\": \"/boot/k\" }", NULL, ENOENT },
	{ "{ \"b_info\": {} }", NULL, ENOENT },
	{ "{ \"b_info\": { \"kernel\": null } }", NULL, ENOENT },
	{ "{ \"b_info\": { \"kernel\": 5 } }", NULL, ENOENT },
	{ "{ \"b_info\": { \"kernel\": [ \"/boot/k\" ] } }", NULL, ENOENT },
	{ "{ \"b_info\": { \"kernel\": \"\" } }", NULL, ENOENT },
	{ "{ \"b_info\": { \"kernel\": \"boot/k\" } }", NULL, EINVAL },
	{ "{ \"b_info\": { \"kernel\": \"/boot/k\\u0000.fd\" } }", NULL,
	  ENOENT },
	{ "{ \"kernel\": \"/boot/k\" }", NULL, ENOENT },
	{ "{ \"c_info\": { \"name\": \"\\\", \\\"b_info\\\": { \\\"kernel\\\": "
	  "\\\"/etc/shadow\\\"\" } }",
	  NULL, ENOENT },
	{ "{ \"c_info\": { \"name\": \"}, \\\"b_info\\\": {\" }, \"b_info\": { "
	  "\"kernel\": \"/boot/k\" } }",
	  "/boot/k", 0 },
	{ "{ \"b_info\": { \"kernel\": \"/a b/\\u00e4\\n.fd\" } }",
	  "/a b/\303\244\n.fd", 0 },
};
#define CONTENTS (sizeof(contents) / sizeof(contents[0]))

START_TEST(other_contents)
{
	put(contents[_i].text, strlen(contents[_i].text));
	finds(contents[_i].path, contents[_i].code);
}
END_TEST

/* A depth that would exhaust the stack. */
START_TEST(deep_contents)
{
	static char text[200000];

	memset(text, '[', sizeof(text));
	put(text, sizeof(text));
	finds(NULL, EINVAL);
}
END_TEST

START_TEST(other_files)
{
	put(description, strlen(description));
	ck_assert_int_eq(chmod(name, 0620), 0);
	finds(NULL, EINVAL);
	ck_assert_int_eq(chmod(name, 0602), 0);
	finds(NULL, EINVAL);
	ck_assert_int_eq(chmod(name, 0600), 0);
	ck_assert_int_eq(truncate(name, (1 << 20) + 1), 0);
	finds(NULL, EINVAL);
	ck_assert_int_eq(unlink(name), 0);
	ck_assert_int_eq(symlink("/dev/null", name), 0);
	finds(NULL, ELOOP);
	ck_assert_int_eq(unlink(name), 0);
	/* Nobody writes it: the search must not wait. */
	ck_assert_int_eq(mkfifo(name, 0600), 0);
	finds(NULL, EINVAL);
	ck_assert_int_eq(unlink(name), 0);
	ck_assert_int_eq(mkdir(name, 0700), 0);
	finds(NULL, EINVAL);
	ck_assert_int_eq(rmdir(name), 0);
	finds(NULL, ENOENT);
	if (geteuid() != 0) {
		puts("SKIP: only root can give a file away");
		return;
	}
	put(description, strlen(description));
	ck_assert_int_eq(chown(name, 1000, 0), 0);
	finds(NULL, EINVAL);
}
END_TEST

/* The file's name is made of numbers and a UUID only. */
static const char *const uuids[] = {
	"",
	"/vm/",
	"/vm/..",
	"/vm/a1b2c3d4-0000-4000-8000-00000000000",
	"/vm/a1b2c3d4-0000-4000-8000-00000000000ff",
	"/vm/a1b2c3d4-0000-4000-8000-0000000000/.",
	"/vm/A1B2C3D4-0000-4000-8000-00000000000F",
	"/vm/a1b2c3d4-0000-4000-8000-0000000000.f",
};

START_TEST(other_uuids)
{
	put(description, strlen(description));
	strcpy(guest.uuid, uuids[_i]);
	finds(NULL, ENOENT);
	ck_assert_str_eq(err.text, "the guest has no UUID");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("kernel");
	TCase *tc = tcase_create("kernel");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, as_libxl_writes_it);
	tcase_add_loop_test(tc, other_contents, 0, CONTENTS);
	tcase_add_test(tc, deep_contents);
	tcase_add_test(tc, other_files);
	tcase_add_loop_test(tc, other_uuids, 0,
			    sizeof(uuids) / sizeof(uuids[0]));
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
