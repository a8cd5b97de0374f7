/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the file of options that is made for a guest of libvirt: pflashd reads
 * in it what the XML says, whatever the names of the files are, and a guest
 * that would lose its variables in silence is refused.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/daemon/config.h"
#include "support_ovmf.h"
#include "wish.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char directory[64], path[128];
static char conf[64]; /* a file in memory: many are made */
static char *text;
static struct guestxml xml;
static struct error err;

/* The options that pflashd reads in the file. */
static char seen[8192];

static void
setup(void)
{
	strcpy(directory, "/tmp/test_wish.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/f", directory);
	(void)snprintf(conf, sizeof(conf), "/proc/self/fd/%d",
		       memfd_create("conf", 0));
	memset(&xml, 0, sizeof(xml));
	text = NULL;
	seen[0] = err.text[0] = '\0';
}

static void
teardown(void)
{
	char command[128];

	free(text);
	(void)snprintf(command, sizeof(command), "rm -rf %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static void
write_file(const char *name, const void *contents, size_t size)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(contents, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

static int
no_name(void *opaque, char **name, struct error *why)
{
	(void)opaque;
	(void)name;
	return error_set(why, EINVAL, "%%n was found");
}

static int
note(void *opaque, const char *option, const char *value, struct error *why)
{
	size_t used = strlen(seen);

	(void)opaque;
	(void)why;
	(void)snprintf(seen + used, sizeof(seen) - used, "%s=%s;", option,
		       value);
	return 0;
}

/* Makes the file, and reads it as pflashd does. */
static void
make(void)
{
	char *values;
	int ret;

	free(text);
	ret = wish_make(&xml, &text, &err);
	ck_assert_msg(ret == 0, "%s", err.text);
	ck_assert_ptr_nonnull(text);
	write_file(conf, text, strlen(text));
	seen[0] = '\0';
	ret = config_read(conf, no_name, note, NULL, &values, &err);
	ck_assert_msg(ret == 0, "%s in: %s", err.text, text);
	free(values);
}

static void
demand_refused(const char *why)
{
	free(text);
	ck_assert_int_eq(wish_make(&xml, &text, &err), -EINVAL);
	ck_assert_ptr_null(text);
	ck_assert_msg(strstr(err.text, why) != NULL, "'%s' is not in: %s", why,
		      err.text);
}

static void
pvh(void)
{
	xml.type = GUESTXML_PVH;
	xml.has_loader = xml.has_nvram = true;
	xml.loader = xml.kernel = "/fw/OVMF_XEN.fd";
	xml.vars = "/v/web.fd";
	xml.template = "/fw/VARS.fd";
}

static void
hvm(void)
{
	xml.type = GUESTXML_HVM;
	xml.has_loader = xml.has_nvram = true;
	xml.loader = "/fw/OVMF.fd";
	xml.loader_type = "pflash";
	xml.vars = "/v/web.fd";
	xml.template = "/fw/VARS.fd";
}

START_TEST(no_flash_is_no_file)
{
	xml.type = GUESTXML_HVM;
	ck_assert_int_eq(wish_make(&xml, &text, &err), 0);
	ck_assert_ptr_null(text);
	xml.has_loader = true;
	xml.loader = xml.kernel = "/fw";
	ck_assert_int_eq(wish_make(&xml, &text, &err), 0);
	ck_assert_ptr_null(text);
}
END_TEST

START_TEST(options_of_a_guest)
{
	pvh();
	make();
	ck_assert_str_eq(seen, "vars=/v/web.fd;template=/fw/VARS.fd;"
			       "code=/fw/OVMF_XEN.fd;");
	/* pflashd finds other firmware in the guest's memory. */
	xml.kernel = "/other";
	make();
	ck_assert_str_eq(seen, "vars=/v/web.fd;template=/fw/VARS.fd;");
	hvm();
	make();
	ck_assert_str_eq(seen, "vars=/v/web.fd;template=/fw/VARS.fd;");
}
END_TEST

static const struct {
	const char *options, *seen;
} added[] = {
	{ "history = 30d", "vars=/v;template=/t;code=/f;history=30d;" },
	{ "  history = 30d\n\t# vars = /x\n\n sync=op ",
	  "vars=/v;template=/t;code=/f;history=30d;sync=op;" },
	{ "vars = /own", "template=/t;code=/f;vars=/own;" },
	{ " vars\t= \"/o=n\"\r\nhistory = 1M",
	  "template=/t;code=/f;vars=/o=n;history=1M;" },
	{ "layout = 4m", "vars=/v;code=/f;layout=4m;" },
	{ "template = /own", "vars=/v;code=/f;template=/own;" },
	{ "code = auto", "vars=/v;template=/t;code=auto;" },
	{ "varsx = 1", "vars=/v;template=/t;code=/f;varsx=1;" },
	{ "v = 1", "vars=/v;template=/t;code=/f;v=1;" },
	{ "#", "vars=/v;template=/t;code=/f;" },
};

START_TEST(administrator_adds_options)
{
	pvh();
	xml.vars = "/v";
	xml.template = "/t";
	xml.loader = xml.kernel = "/f";
	xml.options = (char *)(uintptr_t)added[_i].options;
	make();
	ck_assert_str_eq(seen, added[_i].seen);
}
END_TEST

/* The only way that passes libvirt's schema for a PVH guest. */
START_TEST(options_alone)
{
	xml.type = GUESTXML_PVH;
	xml.kernel = "/fw";
	xml.options = "vars = /v/web.fd\nlayout = 2m";
	make();
	ck_assert_str_eq(seen, "vars=/v/web.fd;layout=2m;");
	xml.options = "layout = 2m";
	demand_refused("no file is named");
}
END_TEST

static const char *const names[] = {
	"/a b",      "/a\"b",    "/a'b",           "/a\\b",  "/a\\",
	"/a\\\"",    "/#",       "/a #b",          "/a ",    " /a",
	"/a\\n",     "\"/a\"",   "'/a'",           "/a=b",   "/%",
	"/%%",       "/% n",     "/b\303\274cher", "/a\xff", "/$(reboot)",
	"/`reboot`", "/;reboot", "/a\\\\\"#",      "/*",     "/a$HOME",
};

START_TEST(every_name_of_a_file_arrives)
{
	char wanted[256];

	hvm();
	xml.vars = xml.template = (char *)(uintptr_t)names[_i];
	make();
	(void)snprintf(wanted, sizeof(wanted), "vars=%s;template=%s;",
		       names[_i], names[_i]);
	ck_assert_str_eq(seen, wanted);
}
END_TEST

/* Characters that mean something in the file are frequent here. */
START_TEST(random_names_arrive)
{
	static const char some[] = "\"\"''\\\\##  ==%abn/;$`\xc3\xbc";
	char name[32], wanted[64];

	hvm();
	xml.vars = name;
	srand(1);
	for (int round = 0; round < 2000; round++) {
		size_t len = 1 + (size_t)rand() % 12;

		for (size_t i = 0; i < len; i++)
			name[i] = some[(size_t)rand() % (sizeof(some) - 1)];
		name[len] = '\0';
		if (strstr(name, "%n"))
			continue;
		xml.template = "/t";
		make();
		(void)snprintf(wanted, sizeof(wanted), "vars=%s;template=/t;",
			       name);
		ck_assert_str_eq(seen, wanted);
	}
}
END_TEST

static const char *const impossible[] = {
	"/a\nsandbox = none", "/a\n",  "\n/a", "/a\r", "/a\tb",
	"/\x1b[2J",           "/\x7f",
};

START_TEST(control_character_is_refused)
{
	hvm();
	xml.vars = (char *)(uintptr_t)impossible[_i];
	demand_refused("control character");
	hvm();
	xml.template = (char *)(uintptr_t)impossible[_i];
	demand_refused("the flash's template has a control character");
	pvh();
	xml.loader = xml.kernel = (char *)(uintptr_t)impossible[_i];
	demand_refused("the flash's code has a control character");
}
END_TEST

START_TEST(mark_is_refused)
{
	hvm();
	xml.vars = "/v/%n.fd";
	demand_refused("'/v/%n.fd' has %n");
}
END_TEST

/* Neither a template nor a layout is named: the firmware's is taken. */
START_TEST(layout_is_that_of_the_firmware)
{
	const struct ovmf_shape shape = {
		.size = 4 * MIB,
		.layout = "4m",
		.sec_size = 212992,
		.elf = true,
		.elf_size = 4 * MIB,
	};
	uint8_t *image = ovmf_make(&shape);

	pvh();
	xml.template = NULL;
	write_file(path, image, shape.size);
	free(image);
	xml.loader = xml.kernel = path;
	make();
	ck_assert_ptr_nonnull(strstr(seen, "layout=4m;"));
	xml.loader = "/missing";
	make();
	ck_assert_ptr_nonnull(strstr(seen, "layout=4m;"));
}
END_TEST

START_TEST(origin_is_needed_for_a_new_file)
{
	hvm();
	xml.template = NULL;
	demand_refused("/v/web.fd does not exist, and nothing says how");
	write_file(path, "x", 1);
	xml.vars = directory;
	make();
	ck_assert_ptr_null(strstr(seen, "layout"));
	xml.vars = "/v/web.fd";
	xml.options = "template = /own";
	make();
	ck_assert_str_eq(seen, "vars=/v/web.fd;template=/own;");
	xml.options = NULL;
	xml.efi = true;
	xml.loader = NULL;
	xml.vars = "/v/web.fd";
	demand_refused("does not exist");
}
END_TEST

START_TEST(incomplete_guest_is_refused)
{
	hvm();
	xml.vars = NULL;
	demand_refused("<nvram> names a template, but no file");
	xml.template = NULL;
	demand_refused("no file is named");
	hvm();
	xml.vars_format = "qcow2";
	demand_refused("the format 'qcow2'");
	xml.vars_format = "raw";
	make();
	hvm();
	xml.loader_type = NULL;
	demand_refused("type='pflash'");
	xml.loader_type = "rom";
	demand_refused("type='pflash'");
	hvm();
	xml.type = GUESTXML_OTHER;
	demand_refused("hvm or xenpvh");
	pvh();
	xml.kernel = NULL;
	demand_refused("<loader> and in <kernel>");
}
END_TEST

static void
demand_check(int ret, const char *why)
{
	ck_assert_int_eq(wish_check(&xml, &err), ret);
	if (ret < 0)
		ck_assert_msg(strstr(err.text, why) != NULL, "%s", err.text);
}

/* Also without a flash. */
START_TEST(guest_that_libvirt_cannot_start_is_refused)
{
	xml.type = GUESTXML_PVH;
	xml.kernel = "/k";
	demand_check(0, NULL);
	xml.efi = xml.has_loader = true;
	demand_check(0, NULL);
	xml.kernel = NULL;
	demand_check(-EINVAL, "a PVH guest starts from <kernel>");
	xml.has_loader = false;
	demand_check(-EINVAL, "firmware='efi' selects no firmware");
	xml.efi = false;
	demand_check(-EINVAL, "a PVH guest starts from <kernel>");
	xml.has_bootloader = true;
	demand_check(0, NULL);
	xml.secure = true;
	demand_check(-EINVAL, "libvirt refuses secure='yes'");
	xml.type = GUESTXML_HVM;
	demand_check(-EINVAL, "libvirt refuses secure='yes'");
	xml.secure = false;
	xml.efi = xml.has_loader = true;
	demand_check(0, NULL);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("wish");
	TCase *tc = tcase_create("wish");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, no_flash_is_no_file);
	tcase_add_test(tc, options_of_a_guest);
	tcase_add_loop_test(tc, administrator_adds_options, 0, COUNT(added));
	tcase_add_test(tc, options_alone);
	tcase_add_loop_test(tc, every_name_of_a_file_arrives, 0, COUNT(names));
	tcase_add_test(tc, random_names_arrive);
	tcase_add_loop_test(tc, control_character_is_refused, 0,
			    COUNT(impossible));
	tcase_add_test(tc, mark_is_refused);
	tcase_add_test(tc, layout_is_that_of_the_firmware);
	tcase_add_test(tc, origin_is_needed_for_a_new_file);
	tcase_add_test(tc, incomplete_guest_is_refused);
	tcase_add_test(tc, guest_that_libvirt_cannot_start_is_refused);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
