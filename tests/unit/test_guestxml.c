/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests that the XML of a guest in libvirt is read as libvirt means it, and
 * that documents nobody but an attacker writes are refused.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guestxml.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct guestxml xml;
static struct error err;

static void
teardown(void)
{
	guestxml_free(&xml);
}

static int
parse(const char *text)
{
	guestxml_free(&xml);
	err.text[0] = '\0';
	return guestxml_parse(text, strlen(text), &xml, &err);
}

/* The document of a domain with these elements. */
static int
parse_domain(const char *elements)
{
	char *text;
	int ret;

	ck_assert_int_gt(asprintf(&text,
				  "<domain type='xen'><uuid>" UUID
				  "</uuid>%s</domain>",
				  elements),
			 0);
	ret = parse(text);
	free(text);
	return ret;
}

static void
demand(const char *elements)
{
	int ret = parse_domain(elements);

	ck_assert_msg(ret == 0, "%s: %s", elements, err.text);
}

static void
demand_refused(const char *elements, const char *why)
{
	ck_assert_int_eq(parse_domain(elements), -EINVAL);
	ck_assert_msg(strstr(err.text, why) != NULL, "%s: '%s' is not in: %s",
		      elements, why, err.text);
}

/* As `virsh dumpxml` prints it. */
START_TEST(guest_is_read)
{
	ck_assert_int_eq(
		parse("<?xml version='1.0'?>\n"
		      "<domain type='xen' id='7'>\n"
		      "  <name>web</name>\n"
		      "  <uuid>01234567-89AB-cdef-0123-456789abcdef</uuid>\n"
		      "  <metadata>\n"
		      "    <pflash:flash xmlns:pflash='" GUESTXML_NAMESPACE
		      "'>history = 30d\non-error = pause</pflash:flash>\n"
		      "    <o:flash xmlns:o='urn:other'>x</o:flash>\n"
		      "    <flash>y</flash>\n"
		      "  </metadata>\n"
		      "  <os>\n"
		      "    <type arch='x86_64' machine='xenpvh'>xenpvh</type>\n"
		      "    <loader readonly='yes' type='pflash'>/fw</loader>\n"
		      "    <nvram template='/t.fd'>/v &amp; w.fd</nvram>\n"
		      "    <kernel>/k</kernel>\n"
		      "  </os>\n"
		      "  <devices>\n"
		      "    <interface type='bridge'>\n"
		      "      <script path='vif-pflash'/>\n"
		      "    </interface>\n"
		      "  </devices>\n"
		      "</domain>\n"),
		0);
	ck_assert_str_eq(xml.uuid, UUID);
	ck_assert_str_eq(xml.id, "7");
	ck_assert_int_eq(xml.type, GUESTXML_PVH);
	ck_assert(!xml.efi && !xml.secure && xml.has_script);
	ck_assert(xml.has_loader && xml.has_nvram);
	ck_assert_str_eq(xml.loader, "/fw");
	ck_assert_str_eq(xml.loader_type, "pflash");
	ck_assert_str_eq(xml.kernel, "/k");
	ck_assert_str_eq(xml.vars, "/v & w.fd");
	ck_assert_str_eq(xml.template, "/t.fd");
	ck_assert_str_eq(xml.options, "history = 30d\non-error = pause");
	ck_assert_ptr_null(xml.vars_format);
}
END_TEST

START_TEST(little_is_needed)
{
	demand("");
	ck_assert_int_eq(xml.type, GUESTXML_OTHER);
	ck_assert(!xml.has_nvram && !xml.has_loader && !xml.has_script);
	ck_assert_ptr_null(xml.vars);
	ck_assert_ptr_null(xml.options);
	ck_assert_ptr_null(xml.id);
	demand("<os/><metadata/><devices><interface/></devices>");
	ck_assert_int_eq(parse("<domain/>"), 0);
	ck_assert_str_eq(xml.uuid, "");
}
END_TEST

static const struct {
	const char *text;
	enum guestxml_type type;
} types[] = {
	{ "hvm", GUESTXML_HVM },   { "xenpvh", GUESTXML_PVH },
	{ "pvh", GUESTXML_PVH },   { "linux", GUESTXML_OTHER },
	{ "xen", GUESTXML_OTHER }, { "exe", GUESTXML_OTHER },
	{ "", GUESTXML_OTHER },    { "hvmx", GUESTXML_OTHER },
	{ "HVM", GUESTXML_OTHER },
};

START_TEST(types_are_known)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "<os><type>%s</type></os>",
		       types[_i].text);
	demand(text);
	ck_assert_int_eq(xml.type, types[_i].type);
}
END_TEST

static const struct {
	const char *nvram, *vars; /* vars NULL: none */
} files[] = {
	{ "<nvram>/a.fd</nvram>", "/a.fd" },
	{ "<nvram type='file'>\n <source file='/a.fd'/>\n</nvram>", "/a.fd" },
	{ "<nvram type='block'><source dev='/dev/x'/></nvram>", "/dev/x" },
	{ "<nvram type='file'><source file='/a' index='1'><seclabel "
	  "model='dac'/></source></nvram>",
	  "/a" },
	{ "<nvram/>", NULL },
	{ "<nvram></nvram>", NULL },
	{ "<nvram>  \n\t</nvram>", NULL },
	{ "<nvram template='/t'/>", NULL },
	{ "<nvram>/a<!-- not a part -->.fd</nvram>", "/a.fd" },
	{ "<nvram><![CDATA[/a<b>&.fd]]></nvram>", "/a<b>&.fd" },
	{ "<nvram>/&lt;&#x22;&#39;&gt;.fd</nvram>", "/<\"'>.fd" },
	{ "<nvram> /blanks belong to it </nvram>", " /blanks belong to it " },
	{ "<!-- <nvram>/b</nvram> --><nvram>/a</nvram>", "/a" },
	{ "<nvram>/b\303\274cher</nvram>", "/b\303\274cher" },
	{ "<x:nvram xmlns:x='urn:x'>/b</x:nvram><nvram>/a</nvram>", "/a" },
};

START_TEST(file_is_found)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "<os>%s</os>", files[_i].nvram);
	demand(text);
	ck_assert(xml.has_nvram);
	if (files[_i].vars)
		ck_assert_str_eq(xml.vars, files[_i].vars);
	else
		ck_assert_ptr_null(xml.vars);
}
END_TEST

START_TEST(flags_of_the_firmware)
{
	demand("<os firmware='efi'/>");
	ck_assert(xml.efi && !xml.secure && !xml.has_loader);
	demand("<os firmware='bios'><loader secure='yes'/></os>");
	ck_assert(!xml.efi && xml.secure && xml.has_loader);
	ck_assert_ptr_null(xml.loader);
	demand("<os><loader secure='no'/><firmware><feature enabled='no' "
	       "name='secure-boot'/></firmware></os>");
	ck_assert(!xml.secure);
	demand("<os><firmware><feature enabled='yes' name='enrolled-keys'/>"
	       "<feature enabled='yes' name='secure-boot'/></firmware></os>");
	ck_assert(xml.secure);
	demand("<os><nvram format='qcow2'>/a</nvram></os>");
	ck_assert_str_eq(xml.vars_format, "qcow2");
}
END_TEST

static const struct {
	const char *path;
	bool ours;
} scripts[] = {
	{ "vif-pflash", true },
	{ "/etc/xen/scripts/vif-pflash", true },
	{ "/etc/xen/scripts/vif-pflash-route", true },
	{ "vif-bridge", false },
	{ "vif-pflashy", false },
	{ "/etc/vif-pflash/other", false },
	{ "", false },
};

START_TEST(script_is_recognized)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		       "<devices><interface type='network'/><interface "
		       "type='bridge'><script path='%s'/></interface><disk>"
		       "<script path='vif-pflash'/></disk></devices>",
		       scripts[_i].path);
	demand(text);
	ck_assert_int_eq(xml.has_script, scripts[_i].ours);
}
END_TEST

/* Of two, libvirt and this program could use different ones. */
static const struct {
	const char *elements, *why;
} twice[] = {
	{ "<os/><os/>", "<domain> has more than one <os>" },
	{ "<os><type>hvm</type><type>hvm</type></os>", "one <type>" },
	{ "<os><nvram>/a</nvram><nvram>/b</nvram></os>", "one <nvram>" },
	{ "<os><loader/><loader/></os>", "one <loader>" },
	{ "<os><kernel>a</kernel><kernel>b</kernel></os>", "one <kernel>" },
	{ "<os><nvram><source file='/a'/><source file='/b'/></nvram></os>",
	  "one <source>" },
	{ "<metadata/><metadata/>", "one <metadata>" },
	{ "<devices/><devices/>", "one <devices>" },
	{ "<uuid>" UUID "</uuid>", "one <uuid>" },
	{ "<metadata><a:flash xmlns:a='" GUESTXML_NAMESPACE
	  "'/><b:flash xmlns:b='" GUESTXML_NAMESPACE "'/></metadata>",
	  "one <flash>" },
	{ "<devices><interface><script/><script/></interface></devices>",
	  "one <script>" },
};

START_TEST(second_element_is_refused)
{
	demand_refused(twice[_i].elements, twice[_i].why);
}
END_TEST

START_TEST(unusable_flash_is_refused)
{
	demand_refused("<os><nvram type='network'><source protocol='iscsi' "
		       "name='x'/></nvram></os>",
		       "neither a file nor a block device");
	demand_refused("<os><nvram><source/></nvram></os>", "neither a file");
	demand_refused("<metadata><a:flash xmlns:a='" GUESTXML_NAMESPACE
		       "'>history = 1M<sync>op</sync></a:flash></metadata>",
		       "has an element");
}
END_TEST

static const char *const bad_uuids[] = {
	"x",
	"../../../../etc/passwd/aaaaaaaaaaaaaa",
	"01234567-89ab-cdef-0123-456789abcde",
	"01234567-89ab-cdef-0123-456789abcdef0",
	"01234567089ab-cdef-0123-456789abcdef",
	" 01234567-89ab-cdef-0123-456789abcdef",
	"01234567-89ab-cdef-0123-456789abcdeg",
};

START_TEST(bad_uuid_is_refused)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "<domain><uuid>%s</uuid></domain>",
		       bad_uuids[_i]);
	ck_assert_int_eq(parse(text), -EINVAL);
	ck_assert_str_eq(err.text, "the text of <uuid> is no UUID");
	ck_assert_str_eq(xml.uuid, "");
}
END_TEST

static const struct {
	const char *text, *why;
} broken[] = {
	{ "", "cannot be read" },
	{ " \n", "cannot be read" },
	{ "domain", "cannot be read: line 1" },
	{ "<domain>", "cannot be read" },
	{ "<domain></domain><domain/>", "cannot be read" },
	{ "<domain><os></domain></os>", "cannot be read" },
	{ "<domain><name>a\x01</name></domain>", "cannot be read" },
	{ "<domain><name>\xff</name></domain>", "cannot be read" },
	{ "<network/>", "not that of a domain" },
	{ "<x:domain xmlns:x='urn:x'/>", "not that of a domain" },
	{ "<domain xmlns='urn:x'/>", "not that of a domain" },
	{ "<!DOCTYPE domain><domain/>", "<!DOCTYPE>" },
	{ "<!DOCTYPE domain SYSTEM 'file:///etc/passwd'><domain/>",
	  "<!DOCTYPE>" },
	{ "<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
	  "<domain><os><nvram>&x;</nvram></os></domain>",
	  "<!DOCTYPE>" },
	{ "<!DOCTYPE d [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]>"
	  "<domain><os><nvram>&b;</nvram></os></domain>",
	  "<!DOCTYPE>" },
	{ "<domain><os><nvram>&unknown;</nvram></os></domain>",
	  "cannot be read" },
};

START_TEST(broken_document_is_refused)
{
	ck_assert_int_eq(parse(broken[_i].text), -EINVAL);
	ck_assert_msg(strstr(err.text, broken[_i].why) != NULL, "%s", err.text);
	ck_assert_ptr_null(strchr(err.text, '\n'));
}
END_TEST

/* Ten levels of ten entities each: ten thousand million characters. */
START_TEST(entities_do_not_explode)
{
	char text[4096] = "<!DOCTYPE d [<!ENTITY e0 'ha'>";
	char *end = text + strlen(text);

	for (int i = 1; i <= 10; i++) {
		end += sprintf(end, "<!ENTITY e%d '", i);
		for (int k = 0; k < 10; k++)
			end += sprintf(end, "&e%d;", i - 1);
		end = stpcpy(end, "'>");
	}
	strcpy(end, "]><domain><os><nvram>&e10;</nvram></os></domain>");
	ck_assert_int_eq(parse(text), -EINVAL);
}
END_TEST

/* Repeats a text between a head and a tail. */
static int
parse_repeated(const char *head, const char *text, size_t count,
	       const char *tail)
{
	size_t len = strlen(text);
	char *all = malloc(strlen(head) + count * len + strlen(tail) + 1);
	char *end = stpcpy(all, head);
	int ret;

	while (count-- > 0)
		end = mempcpy(end, text, len);
	strcpy(end, tail);
	ret = parse(all);
	free(all);
	return ret;
}

START_TEST(size_is_limited)
{
	ck_assert_int_eq(parse_repeated("<domain><x>", "0123456789abcdef",
					(1u << 20) / 16, "</x></domain>"),
			 0);
	ck_assert_int_eq(parse_repeated("<domain><x>", "0123456789abcdef",
					GUESTXML_MOST / 16, "</x></domain>"),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "more than 4194304 bytes"));
}
END_TEST

START_TEST(depth_is_limited)
{
	ck_assert_int_eq(parse_repeated("<domain>", "<a>", 100000, ""),
			 -EINVAL);
	ck_assert_int_eq(parse_repeated("<domain>", "<a/>", 100000,
					"</domain>"),
			 0);
	ck_assert_int_eq(parse_repeated("<domain><devices>",
					"<interface><script path='vif-bridge'/>"
					"</interface>",
					10000, "</devices></domain>"),
			 0);
	ck_assert(!xml.has_script);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("guestxml");
	TCase *tc = tcase_create("guestxml");

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, guest_is_read);
	tcase_add_test(tc, little_is_needed);
	tcase_add_loop_test(tc, types_are_known, 0, COUNT(types));
	tcase_add_loop_test(tc, file_is_found, 0, COUNT(files));
	tcase_add_test(tc, flags_of_the_firmware);
	tcase_add_loop_test(tc, script_is_recognized, 0, COUNT(scripts));
	tcase_add_loop_test(tc, second_element_is_refused, 0, COUNT(twice));
	tcase_add_test(tc, unusable_flash_is_refused);
	tcase_add_loop_test(tc, bad_uuid_is_refused, 0, COUNT(bad_uuids));
	tcase_add_loop_test(tc, broken_document_is_refused, 0, COUNT(broken));
	tcase_add_test(tc, entities_do_not_explode);
	tcase_add_test(tc, size_is_limited);
	tcase_add_test(tc, depth_is_limited);
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
