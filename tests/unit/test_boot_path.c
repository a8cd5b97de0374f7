/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the text of device paths, and how they are made, of pflashctl boot. */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <efivar/efivar.h>

#include "boot_path.h"
#include "boot_text.h"
#include "pflash/le.h"

static struct error err;
static struct boot_path path;

static void
check_text(const uint8_t *bytes, size_t size, const char *wanted)
{
	/* An allocation of exactly this size, for AddressSanitizer. */
	uint8_t *copy = malloc(size);
	char *text;

	memcpy(copy, bytes, size);
	ck_assert_msg(boot_path_check(copy, size, &err) == 0, "%s", err.text);
	text = boot_path_text(copy, size);
	ck_assert_str_eq(text, wanted);
	free(text);
	free(copy);
}

static void
check_digits(const char *digits, const char *wanted)
{
	uint8_t *bytes;
	size_t size;

	ck_assert_int_eq(boot_from_hex(digits, strlen(digits), &bytes, &size,
				       &err),
			 0);
	check_text(bytes, size, wanted);
	free(bytes);
}

#define END "7fff0400"
#define GUID_BYTES "11223344556677889900aabbccddeeff"
#define GUID_WORDS "44332211-6655-8877-9900-aabbccddeeff"

/* Texts, and the bytes that they stand for. */
static const struct {
	const char *text, *digits;
} same[] = {
	{ "PciRoot(0x0)/Pci(0x1f,0x2)/Sata(1,65535,0)",
	  "02010c00d041030a0000000001010600021f03120a000100ffff0000" END },
	{ "Pci(0x1,0x1)/Ata(1,0,0)", "010106000101030108000100"
				     "0000" END },
	{ "HD(2,GPT," GUID_WORDS ",0x800,0x100000)/\\EFI\\a.efi",
	  "04012a00020000000008000000000000000010000000000011223344556677889900"
	  "aabbccddeeff0202"
	  "04041a005c00450046004900"
	  "5c0061002e0065006600690000"
	  "00" END },
	{ "HD(1,MBR,0x12345678,0x3f,0x40)",
	  "04012a00010000003f00000000000000400000000000000078563412000000000000"
	  "0000000000000101" END },
	{ "\\\xe2\x98\x83\xf0\x9f\x90\xa7",
	  "04040e005c0003263dd827dc0000" END },
	{ "File(a, b)", "04040e0061002c00200062000000" END },
	{ "VenHw(" GUID_WORDS ",0102)/Scsi(3,4)", "01041600" GUID_BYTES "0102"
						  "0302080003000400" END },
	{ "VenMedia(" GUID_WORDS ")", "04031400" GUID_BYTES END },
	{ "FvVol(" GUID_WORDS ")/FvFile(" GUID_WORDS ")",
	  "04071400" GUID_BYTES "04061400" GUID_BYTES END },
	{ "NVMe(0x1,01-02-03-04-05-06-07-08)", "0317100001000000"
					       "0102030405060708" END },
	{ "MAC(525400123456,1)/IPv4(10.0.0.1,6,1,10.0.0.2,10.0.0.3,"
	  "255.255.255.0)/Uri(http://a/b)",
	  "030b2500525400123456000000000000000000000000000000000000000000000000"
	  "000001"
	  "030c1b000a0000020a00000100000000060001"
	  "0a000003ffffff00"
	  "03180e00687474703a2f2f612f62" END },
	{ "IPv6(fe80::1,17,2,::,::,64)",
	  "030d3c0000000000000000000000000000000000fe80000000000000000000000000"
	  "000100000000110002"
	  "40"
	  "00000000000000000000000000000000" END },
	{ "Uri()", "03180400" END },
	{ "USB(1,2)/Unit(3)", "030506000102"
			      "0311050003" END },
	{ "Path(3,200,0102)", "03c806000102" END },
	{ "Path(9,1)", "09010400" END },
};

static char *
digits_of(const struct boot_path *of)
{
	return boot_hex(of->bytes, of->size);
}

START_TEST(parse_and_print)
{
	char *digits, *text;

	ck_assert_msg(boot_path_parse(same[_i].text, &path, &err) == 0, "%s",
		      err.text);
	digits = digits_of(&path);
	ck_assert_str_eq(digits, same[_i].digits);
	free(digits);
	ck_assert_int_eq(boot_path_check(path.bytes, path.size, &err), 0);
	text = boot_path_text(path.bytes, path.size);
	ck_assert_msg(strcasecmp(text, same[_i].text) == 0, "%s", text);
	free(text);
	/* Digits are accepted, too. */
	ck_assert_int_eq(boot_path_parse(same[_i].digits, &path, &err), 0);
	digits = digits_of(&path);
	ck_assert_str_eq(digits, same[_i].digits);
	free(digits);
}
END_TEST

/* Text that cannot be made, and what the sentence must name. */
static const struct {
	const char *text, *part;
} refused[] = {
	{ "", "'' is no node" },
	{ "EFI", "'EFI' is no node" },
	{ "Pci(1)", "'Pci(1)' is no node" },
	{ "Pci(1,256)", "'256'" },
	{ "Pci(1,2)/", "'' is no node" },
	{ "PciRoot(0x0)/Nosuch(1)", "'Nosuch(1)' is no node" },
	{ "HD(1,XYZ," GUID_WORDS ",0,0)", "'XYZ' is not GPT or MBR" },
	{ "HD(1,GPT,11,0,0)", "'11' is not a GUID" },
	{ "HD(1,GPT," GUID_WORDS ",0,x)", "'x'" },
	{ "MAC(,1)", "'' is not a MAC address" },
	{ "MAC(0g,1)", "'0g' is not pairs" },
	{ "NVMe(1,01-02)", "'01-02' is not an EUI-64" },
	{ "IPv4(10.0.0.256,6,1,10.0.0.2,10.0.0.3,0.0.0.0)",
	  "'10.0.0.256' is not an IP address" },
	{ "Path(127,255)", "an end node within the path" },
	{ "\\a\nb", "without control characters" },
	{ "\\\xff", "not UTF-8" },
	{ "7fff04", "no whole node at byte 0 of 3" },
	{ "01010600021f", "ends without an end node" },
	{ "01010600021", "'01010600021' is not pairs" },
	{ "Pci(1,2,3,4,5,6,7,8)", "'Pci(1,2,3,4,5,6,7,8)' is no node" },
};

START_TEST(parse_refuses)
{
	ck_assert_int_lt(boot_path_parse(refused[_i].text, &path, &err), 0);
	ck_assert_msg(strstr(err.text, refused[_i].part) != NULL, "%s",
		      err.text);
}
END_TEST

START_TEST(parse_refuses_long_paths)
{
	static char text[3 * BOOT_PATH_ROOM];

	memset(text, 'a', sizeof(text) - 1);
	text[0] = '\\';
	ck_assert_int_eq(boot_path_parse(text, &path, &err), -ENOSPC);
	memset(text, 'a', sizeof(text) - 1);
	ck_assert_int_eq(boot_path_parse(text, &path, &err), -EINVAL);
	for (size_t i = 0; i + 9 < sizeof(text); i += 9)
		memcpy(text + i, "Pci(1,2)/", 9);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(boot_path_parse(text, &path, &err), -ENOSPC);
}
END_TEST

/* Nodes that libefivar would read or write beyond, or print as they are not. */
#define ZEROS "0000000000000000000000000000000000000000" /* 20 bytes */

static const struct {
	const char *digits, *text;
} hostile[] = {
	{ "04040400" END, "Path(4,4)" },          /* a file without a name */
	{ "040405005c" END, "Path(4,4,5c)" },     /* half a character */
	{ "040406000000" END, "Path(4,4,0000)" }, /* an empty name */
	{ "040408002f000000" END, "Path(4,4,2f000000)" },
	{ "04040a0061000a00"
	  "6200" END,
	  "File(a\xef\xbf\xbd"
	  "b)" },
	{ "04040a00ac20ac20"
	  "ac20" END,
	  "File(\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac)" },
	{ "04010400" END, "Path(4,1)" }, /* no partition */
	{ "04012c00" ZEROS ZEROS END, "Path(4,1," ZEROS ZEROS ")" },
	{ "03162000"
	  "0102030405060708"
	  "0102030405060708"
	  "000000000000000000"
	  "000000" END,
	  "Path(3,22,01020304050607080102030405060708000000000000000000000000"
	  ")" },
	{ "02010c00d0411200"
	  "00000000" END,
	  "Acpi(0x001241d0,0x0)" },
	{ "01040800"
	  "01020304" END,
	  "Path(1,4,01020304)" },
	{ "031306006161" END, "Path(3,19,6161)" }, /* iSCSI without a name */
	{ "0318080061290a2f" END, "Path(3,24,61290a2f)" },
	{ "0501080000000000" END, "Path(5,1,00000000)" },
	{ "7fff0400"
	  "01010600020"
	  "1" END,
	  "; Pci(0x1,0x2)" },
	{ "010106000201"
	  "7f010400"
	  "010106000301" END,
	  "Pci(0x1,0x2),Pci(0x1,0x3)" },
	{ "7f020400" END, "Path(127,2)" },
	{ "7fff0500"
	  "ff" END,
	  "Path(127,255,ff)" },
};

START_TEST(hostile_nodes)
{
	check_digits(hostile[_i].digits, hostile[_i].text);
}
END_TEST

/* libefivar reads the node behind it. */
START_TEST(nvdimm_is_no_job_for_the_library)
{
	uint8_t bytes[] = { 2, 1, 12, 0, 0,    0,    0, 0, 1,   0,   0, 0,
			    2, 3, 8,  0, 0xff, 0xff, 0, 0, 127, 255, 4, 0 };
	char *text;

	put_le32(bytes + 4, EFIDP_ACPI_NVDIMM_HID);
	ck_assert_int_eq(boot_path_check(bytes, sizeof(bytes), &err), 0);
	text = boot_path_text(bytes, sizeof(bytes));
	ck_assert_str_eq(text, "Path(2,1,098e120001000000)/AcpiAdr(0xffff)");
	free(text);
}
END_TEST

START_TEST(unknown_nodes_are_cut)
{
	uint8_t bytes[4 + 65 + 4] = { 99, 1, 4 + 65, 0 };
	char *text;

	memcpy(bytes + 69, "\x7f\xff\x04\x00", 4);
	text = boot_path_text(bytes, sizeof(bytes));
	ck_assert_uint_eq(strlen(text), strlen("Path(99,1,...)") + 128);
	ck_assert_ptr_nonnull(strstr(text, "00...)"));
	free(text);
}
END_TEST

START_TEST(broken_paths)
{
	static const struct {
		uint8_t bytes[12];
		size_t size;
	} broken[] = {
		{ { 0 }, 0 },
		{ { 127, 255, 4 }, 3 },
		{ { 127, 255, 3, 0 }, 4 },
		{ { 127, 255, 0, 0 }, 4 },
		{ { 127, 255, 5, 0 }, 4 },
		{ { 1, 1, 4, 0 }, 4 },
		{ { 127, 255, 4, 0, 1 }, 5 },
		{ { 127, 1, 4, 0 }, 4 },
		{ { 1, 1, 255, 255, 127, 255, 4, 0 }, 8 },
	};

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		uint8_t *copy = malloc(broken[i].size + 1);

		memcpy(copy, broken[i].bytes, broken[i].size);
		ck_assert_int_eq(boot_path_check(copy, broken[i].size, &err),
				 -EINVAL);
		free(copy);
	}
}
END_TEST

/* --- random bytes --- */

static uint64_t state;

static uint32_t
draw(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

/* Sizes of known nodes, and sizes beside them. */
static size_t
draw_size(void)
{
	static const uint8_t sizes[] = { 4,  5,  6,  7,  8,  10, 11, 12, 13,
					 14, 16, 18, 19, 20, 22, 24, 27, 32,
					 36, 37, 38, 42, 44, 48, 60, 76 };

	return sizes[draw(sizeof(sizes))] + draw(3) % 2 * draw(3);
}

static size_t
draw_path(uint8_t *bytes)
{
	static const uint8_t types[] = { 1, 2, 3, 4, 5, 127, 0, 200 };
	size_t size = 0;

	for (unsigned int n = draw(4); n > 0; n--) {
		const size_t len = draw_size();
		const bool zeros = draw(4) == 0;

		for (size_t i = 4; i < len; i++)
			bytes[size + i] = (uint8_t)(zeros ? 0 : draw(256));
		bytes[size] = types[draw(8)];
		bytes[size + 1] = (uint8_t)draw(40);
		put_le16(bytes + size + 2, (uint16_t)len);
		size += len;
	}
	memcpy(bytes + size, "\x7f\xff\x04\x00", 4);
	return size + 4;
}

static void
print_random(void)
{
	uint8_t drawn[512], *copy;
	size_t size = draw_path(drawn);
	char *text;

	if (draw(8) == 0)
		drawn[draw((uint32_t)size)] = (uint8_t)draw(256);
	copy = malloc(size);
	memcpy(copy, drawn, size);
	if (boot_path_check(copy, size, &err) == 0) {
		text = boot_path_text(copy, size);
		ck_assert_ptr_nonnull(text);
		/* A text that can be parsed gives a path again. */
		if (boot_path_parse(text, &path, &err) == 0)
			ck_assert_int_eq(boot_path_check(path.bytes, path.size,
							 &err),
					 0);
		free(text);
	}
	free(copy);
}

START_TEST(random_bytes)
{
	state = (uint64_t)_i;
	for (unsigned int i = 0; i < 20000; i++)
		print_random();
}
END_TEST

/* --- libefivar as a peer --- */

START_TEST(same_bytes_as_libefivar)
{
	struct boot_partition partition = {
		.number = 1,
		.start = 0x800,
		.size = 0x100000,
		.signature = { 1, 2, 3 },
		.format = EFIDP_HD_FORMAT_GPT,
		.kind = EFIDP_HD_SIGNATURE_GUID,
	};
	char name[] = "\\EFI\\debian\\shimx64.efi";
	uint8_t peer[256];
	ssize_t size = efidp_make_hd(peer, sizeof(peer), 1, 0x800, 0x100000,
				     partition.signature, partition.format,
				     partition.kind);

	size += efidp_make_file(peer + size, (ssize_t)sizeof(peer) - size,
				name);
	size += efidp_make_generic(peer + size, (ssize_t)sizeof(peer) - size,
				   EFIDP_END_TYPE, EFIDP_END_ENTIRE, 4);
	path.size = 0;
	ck_assert_int_eq(boot_path_add_partition(&path, &partition, &err), 0);
	ck_assert_int_eq(boot_path_add_file(&path, "/EFI/debian/shimx64.efi",
					    &err),
			 0);
	ck_assert_int_eq(boot_path_end(&path, &err), 0);
	ck_assert_uint_eq(path.size, (size_t)size);
	ck_assert_mem_eq(path.bytes, peer, path.size);
}
END_TEST

static Suite *
boot_path_suite(void)
{
	Suite *suite = suite_create("boot_path");
	TCase *tc = tcase_create("boot_path");

	tcase_add_loop_test(tc, parse_and_print, 0,
			    sizeof(same) / sizeof(same[0]));
	tcase_add_loop_test(tc, parse_refuses, 0,
			    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, parse_refuses_long_paths);
	tcase_add_loop_test(tc, hostile_nodes, 0,
			    sizeof(hostile) / sizeof(hostile[0]));
	tcase_add_test(tc, nvdimm_is_no_job_for_the_library);
	tcase_add_test(tc, unknown_nodes_are_cut);
	tcase_add_test(tc, broken_paths);
	tcase_add_loop_test(tc, random_bytes, 0, 8);
	tcase_add_test(tc, same_bytes_as_libefivar);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(boot_path_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
