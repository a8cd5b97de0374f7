/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests fv_check(): Debian's files and new images pass; each kind of damage is
 * reported by its own code, or listed in a table as harmless with the reason;
 * and no input causes a read outside (each image is an allocation of exactly
 * its size).
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support_store.h"
#include "support_vars.h"

#include "pflash/fv.h"
#include "pflash/le.h"
#include "pflash/varstore.h"

static struct fv_report report;

/* splitmix64 */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool
check(const struct vars *vars)
{
	return fv_check(vars->image, vars->size, &report);
}

static const struct fv_finding *
found(enum fv_code code)
{
	for (unsigned int i = 0; i < report.count; i++)
		if (report.findings[i].code == code)
			return &report.findings[i];
	return NULL;
}

static void
expect_only(enum fv_code code, uint64_t off)
{
	struct error text;

	for (unsigned int i = 0; i < report.count; i++) {
		if (report.findings[i].code == code)
			continue;
		fv_finding_text(&report.findings[i], &text);
		ck_abort_msg("expected %s, found %s: %s", fv_code_name(code),
			     fv_code_name(report.findings[i].code), text.text);
	}
	if (report.count != 1)
		ck_abort_msg("%s: found %u times", fv_code_name(code),
			     report.count);
	ck_assert_uint_eq(report.findings[0].offset, off);
}

static void
expect_nothing(void)
{
	struct error text;

	if (report.count) {
		fv_finding_text(&report.findings[0], &text);
		ck_abort_msg("%s: %s", fv_code_name(report.findings[0].code),
			     text.text);
	}
	ck_assert_uint_eq(report.errors + report.warnings + report.notes, 0);
}

/* The layouts, for loop tests. */
static const char *const layouts[] = { "2m", "4m" };

/* --- valid images --- */

struct counts {
	uint32_t live, deleted, used, live_bytes;
};

/* Debian 12's; the counts were made by other means. */
static const struct {
	const char *path;
	struct counts counts;
} kept[] = {
	{ "tests/data/debian12-OVMF_VARS.fd.gz", { 0, 0, 0, 0 } },
	{ "tests/data/debian12-OVMF_VARS.ms.fd.gz",
	  { 31, 26, 0x5934, 0x485c } },
};
#define KEPT (sizeof(kept) / sizeof(kept[0]))

/* Those of this machine; the keys in them differ between releases. */
static const struct {
	const char *path;
	bool has_keys;
} installed[] = {
	{ "/usr/share/OVMF/OVMF_VARS_4M.fd", false },
	{ "/usr/share/OVMF/OVMF_VARS_4M.ms.fd", true },
	{ "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd", true },
};
#define INSTALLED (sizeof(installed) / sizeof(installed[0]))

/* Counts the variables of a store with headers of 60 bytes. */
static struct counts
count_variables(const uint8_t *store)
{
	struct counts counts = { 0, 0, 0, 0 };
	const uint8_t *p = store;

	while (get_le16(p) == 0x55aa) {
		uint32_t len = 60 + get_le32(p + 36) + get_le32(p + 40);
		bool live = p[2] == 0x3f;

		len = (len + 3) & ~3u;
		counts.live += live;
		counts.deleted += !live;
		counts.live_bytes += live ? len : 0;
		p += len;
	}
	counts.used = (uint32_t)(p - store);
	return counts;
}

static void
expect_file(const struct blob *blob, const char *layout,
	    const struct counts *wanted)
{
	ck_assert(fv_check(blob->data, blob->len, &report));
	expect_nothing();
	ck_assert_ptr_eq(report.layout, fv_layout_by_name(layout));
	ck_assert(report.authenticated);
	ck_assert(!report.in_spare);
	ck_assert_uint_eq(report.live, wanted->live);
	ck_assert_uint_eq(report.deleted, wanted->deleted);
	ck_assert_uint_eq(report.superseded + report.torn + report.unknown, 0);
	ck_assert_uint_eq(report.used, wanted->used);
	ck_assert_uint_eq(report.live_bytes, wanted->live_bytes);
	ck_assert_uint_eq(report.used + report.free,
			  report.layout->variable_size - 0x64);
}

START_TEST(kept_files_pass)
{
	struct blob blob = blob_gunzip(kept[_i].path);
	struct counts counts = count_variables(blob.data + 0x64);

	expect_file(&blob, "2m", &kept[_i].counts);
	ck_assert_mem_eq(&counts, &kept[_i].counts, sizeof(counts));
	blob_free(&blob);
}
END_TEST

START_TEST(installed_files_pass)
{
	struct counts counts;
	struct blob blob;

	if (access(installed[_i].path, R_OK)) {
		printf("SKIP: %s is not here\n", installed[_i].path);
		return;
	}
	blob = blob_read(installed[_i].path);
	ck_assert_uint_eq(blob.len, fv_layout_by_name("4m")->size);
	counts = count_variables(blob.data + 0x64);
	ck_assert_int_eq(counts.live > 0, installed[_i].has_keys);
	expect_file(&blob, "4m", &counts);
	blob_free(&blob);
}
END_TEST

START_TEST(fresh_images_pass)
{
	struct vars vars = vars_make(layouts[_i]);

	ck_assert(check(&vars));
	expect_nothing();
	ck_assert_ptr_eq(report.layout, vars.layout);
	ck_assert_uint_eq(report.live, 0);
	vars_make_plain(&vars);
	vars_add(&vars, VARIABLE_ADDED, vendor_global, "Lang", "eng");
	ck_assert(check(&vars));
	expect_only(FV_STORE_PLAIN, 72);
	ck_assert(!report.authenticated);
	ck_assert_uint_eq(report.live, 1);
	ck_assert_uint_eq(report.used, (32 + 10 + 3 + 3) & ~3);
	vars_free(&vars);
}
END_TEST

/* A longer header, with a block map of two entries, is valid. */
START_TEST(other_headers_pass)
{
	struct vars vars = vars_make("2m");
	uint32_t size = 0xe000 - 80;

	memmove(vars.image + 80, vars.image + 72, 28);
	put_le16(vars.image + 48, 80);
	put_le32(vars.image + 56, 30);
	put_le32(vars.image + 64, 2);
	put_le32(vars.image + 68, FV_BLOCK_SIZE);
	memset(vars.image + 72, 0, 8);
	put_le32(vars.image + 80 + 16, size);
	vars_fix_sum(&vars, 0);
	ck_assert(check(&vars));
	expect_nothing();
	ck_assert_uint_eq(report.free, size - 28);
	vars_free(&vars);
}
END_TEST

START_TEST(unknown_layout_is_a_note)
{
	/* The size of ArmVirtPkg's volume. */
	struct vars vars = vars_make_other(192, 0x40000);

	ck_assert(check(&vars));
	expect_only(FV_UNKNOWN_LAYOUT, 32);
	ck_assert_ptr_null(report.layout);
	ck_assert_uint_eq(report.free, 0x40000 - 0x64);
	memset(vars.image + 0x40000, 0xff, 32);
	ck_assert(check(&vars));
	ck_assert_ptr_nonnull(found(FV_FTW_MISSING));
	ck_assert_uint_eq(report.warnings, 1);
	vars_free(&vars);

	/* A working block of two blocks, and one of an impossible size. */
	vars = vars_make_other(8, 0x4000);
	put_le64(vars.image + 0x4000 + 24, 0x2000 - 32);
	ck_assert(check(&vars));
	ck_assert_ptr_nonnull(found(FV_FTW_CRC));
	ck_assert_uint_eq(report.count, 2);
	put_le64(vars.image + 0x4000 + 24, 0x5000);
	ck_assert(check(&vars));
	ck_assert_ptr_nonnull(found(FV_FTW_QUEUE_SIZE));
	/* The store must end inside the volume and have room for its header. */
	put_le32(vars.image + 72 + 16, 0x8000 - 72 + 1);
	ck_assert(!check(&vars));
	ck_assert_ptr_nonnull(found(FV_STORE_SIZE));
	put_le32(vars.image + 72 + 16, 27);
	ck_assert(!check(&vars));
	ck_assert_ptr_nonnull(found(FV_STORE_SIZE));
	put_le32(vars.image + 72 + 16, 28);
	(void)check(&vars);
	ck_assert_ptr_null(found(FV_STORE_SIZE));
	vars_free(&vars);
}
END_TEST

/* --- the file as a whole --- */

START_TEST(contents_without_a_store)
{
	struct vars vars = vars_make(layouts[_i]);

	ck_assert(!fv_check(NULL, 0, &report));
	expect_only(FV_EMPTY, 0);
	memset(vars.image, 0xff, vars.size);
	ck_assert(!check(&vars));
	expect_only(FV_ERASED, 0);
	memset(vars.image, 0x00, vars.size);
	ck_assert(!check(&vars));
	expect_only(FV_ZEROED, 0);
	vars.image[vars.size - 1] = 1;
	ck_assert(!check(&vars));
	expect_only(FV_NO_PROBE, 0);
	vars.image[0] = 0x50;
	vars.image[4095] = 0x70;
	ck_assert(!check(&vars));
	expect_only(FV_NO_PROBE, 0);
	vars.image[4095] = 0x71;
	ck_assert(!check(&vars));
	expect_only(FV_SIGNATURE, 0);
	vars_free(&vars);
}
END_TEST

START_TEST(truncations_are_found)
{
	struct vars vars = vars_make(layouts[_i]);

	for (size_t size = 0; size < vars.size; size += 512) {
		uint8_t *cut = malloc(size ? size : 1);

		ck_assert_ptr_nonnull(cut);
		memcpy(cut, vars.image, size);
		ck_assert(!fv_check(cut, size, &report));
		if (!size)
			expect_only(FV_EMPTY, 0);
		else if (size < FV_BLOCK_SIZE)
			expect_only(FV_TOO_SHORT, 0);
		else
			expect_only(FV_TRUNCATED, 32);
		free(cut);
	}
	vars_free(&vars);
}
END_TEST

static void
expect_size(const struct vars *vars, size_t size, enum fv_code code)
{
	uint8_t *longer = malloc(size);

	ck_assert_ptr_nonnull(longer);
	memset(longer, 0x5a, size);
	memcpy(longer, vars->image, vars->size);
	ck_assert(!fv_check(longer, size, &report));
	expect_only(code, 32);
	ck_assert_uint_eq(report.findings[0].found, size);
	ck_assert_uint_eq(report.findings[0].wanted, vars->size);
	free(longer);
}

START_TEST(longer_files_are_found)
{
	struct vars vars = vars_make(layouts[_i]);

	expect_size(&vars, vars.size + 1, FV_TRAILING);
	expect_size(&vars, vars.size + FV_BLOCK_SIZE, FV_TRAILING);
	expect_size(&vars, 0x100000, FV_WHOLE_IMAGE);
	expect_size(&vars, 0x200000, FV_WHOLE_IMAGE);
	expect_size(&vars, 0x400000, FV_WHOLE_IMAGE);
	expect_size(&vars, 0x400001, FV_TRAILING);
	vars_free(&vars);
}
END_TEST

START_TEST(large_files_are_not_parsed)
{
	struct vars vars = vars_make_other(257, 0x4000);

	ck_assert(!check(&vars));
	expect_only(FV_TOO_LARGE, 0);
	vars.image[40] = 0;
	ck_assert(!check(&vars));
	expect_only(FV_TOO_LARGE, 0);
	vars_free(&vars);
	vars = vars_make_other(256, 0x4000);
	ck_assert(check(&vars));
	vars_free(&vars);
}
END_TEST

/* --- the volume header --- */

static const struct {
	unsigned int from, to;
	enum fv_code code; /* FV_CODES: no finding, harmless because of `why` */
	const char *why;
} header_bytes[] = {
	{ 0, 15, FV_CODES, "ZeroVector: read only by OVMF's probe" },
	{ 16, 31, FV_FILE_SYSTEM, NULL },
	{ 32, 39, FV_TRUNCATED, NULL }, /* or FV_TRAILING */
	{ 40, 43, FV_SIGNATURE, NULL },
	{ 44, 47, FV_OTHER_ATTRIBUTES, NULL }, /* or FV_READ_ONLY */
	{ 48, 49, FV_HEADER_LENGTH, NULL },    /* or store or map differ */
	{ 50, 51, FV_HEADER_CHECKSUM, NULL },
	{ 52, 53, FV_CODES, "ExtHeaderOffset: names the FVB's device path" },
	{ 54, 54, FV_CODES, "Reserved" },
	{ 55, 55, FV_REVISION, NULL },
	{ 56, 59, FV_BLOCK_MAP, NULL }, /* or FV_LONG_BLOCK_MAP */
	{ 60, 63, FV_OTHER_BLOCK_SIZE, NULL },
	{ 64, 67, FV_BLOCK_MAP, NULL }, /* the map has no terminator */
	{ 68, 71, FV_CODES, "length of 0 blocks, the end of the map" },
};
#define HEADER_BYTES (sizeof(header_bytes) / sizeof(header_bytes[0]))

/* Some fields have two possible findings, depending on the value. */
static void
expect_damage(unsigned int i, enum fv_code code)
{
	if (found(code))
		return;
	if (code == FV_TRUNCATED)
		ck_assert_ptr_nonnull(found(FV_TRAILING));
	else if (code == FV_BLOCK_MAP)
		ck_assert_ptr_nonnull(found(FV_LONG_BLOCK_MAP));
	else if (code == FV_OTHER_ATTRIBUTES)
		ck_assert_ptr_nonnull(found(FV_READ_ONLY));
	else if (code == FV_HEADER_LENGTH)
		ck_assert(found(FV_BLOCK_MAP) || found(FV_LONG_BLOCK_MAP) ||
			  found(FV_OTHER_BLOCK_SIZE) ||
			  found(FV_STORE_SIGNATURE) || found(FV_STORE_ERASED));
	else
		ck_abort_msg("byte %u: no %s", i, fv_code_name(code));
}

/*
 * Tries every other value of every byte. Unless the checksum is corrected, the
 * checksum must fail; with a correct checksum the field must be reported, or
 * the table must list it as harmless.
 */
START_TEST(every_header_byte)
{
	struct vars vars = vars_make(layouts[_i]);
	unsigned int next = 0;

	for (unsigned int r = 0; r < HEADER_BYTES; r++) {
		ck_assert_uint_eq(header_bytes[r].from, next);
		next = header_bytes[r].to + 1;
		for (unsigned int i = header_bytes[r].from; i < next; i++) {
			uint8_t byte = vars.image[i];
			uint16_t sum = get_le16(vars.image + 50);
			enum fv_code code = header_bytes[r].code;

			for (unsigned int x = 1; x < 256; x++) {
				vars.image[i] = (uint8_t)(byte ^ x);
				ck_assert(!check(&vars));
				if (code == FV_HEADER_CHECKSUM)
					expect_only(code, 50);
				vars_fix_sum(&vars, 0);
				(void)check(&vars);
				if (code == FV_CODES)
					expect_nothing();
				else if (code != FV_HEADER_CHECKSUM)
					expect_damage(i, code);
				vars.image[i] = byte;
				put_le16(vars.image + 50, sum);
			}
		}
	}
	ck_assert_uint_eq(next, 72);
	ck_assert(check(&vars));
	expect_nothing();
	vars_free(&vars);
}
END_TEST

START_TEST(header_lengths)
{
	static const uint16_t bad[] = { 0, 2, 70, 73, 4070, 0x7ffe, 0xffff };
	struct vars vars = vars_make("2m");

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_le16(vars.image + 48, bad[i]);
		ck_assert(!check(&vars));
		ck_assert_ptr_nonnull(found(FV_HEADER_LENGTH));
		ck_assert_uint_eq(found(FV_HEADER_LENGTH)->found, bad[i]);
	}
	/* A block map that fills the header has no terminator. */
	put_le16(vars.image + 48, 72);
	put_le32(vars.image + 56, 31);
	put_le32(vars.image + 64, 1);
	put_le32(vars.image + 68, FV_BLOCK_SIZE);
	vars_fix_sum(&vars, 0);
	ck_assert(!check(&vars));
	expect_only(FV_BLOCK_MAP, 56);
	vars_free(&vars);
}
END_TEST

START_TEST(wrong_checksum_is_reported_with_the_right_one)
{
	struct vars vars = vars_make("4m");

	vars.image[0]++;
	ck_assert(!check(&vars));
	expect_only(FV_HEADER_CHECKSUM, 50);
	ck_assert_uint_eq(report.findings[0].found, 0xb8af);
	ck_assert_uint_eq(report.findings[0].wanted, 0xb8ae);
	put_le16(vars.image + 50, 0xb8ae);
	ck_assert(check(&vars));
	vars_free(&vars);
}
END_TEST

/* --- the store header --- */

START_TEST(every_store_header_byte)
{
	struct vars vars = vars_make(layouts[_i]);

	for (unsigned int i = 0; i < 28; i++) {
		uint8_t *p = vars.image + 72 + i, byte = *p;

		for (unsigned int x = 1; x < 256; x++) {
			*p = (uint8_t)(byte ^ x);
			/* Nothing reads Reserved and Reserved1. */
			ck_assert_int_eq(check(&vars), i >= 22);
			if (i < 16)
				expect_only(FV_STORE_SIGNATURE, 72);
			else if (i < 20)
				expect_only(FV_STORE_SIZE, 72 + 16);
			else if (i == 20)
				expect_only(FV_STORE_FORMAT, 72 + 20);
			else if (i == 21)
				expect_only(FV_STORE_STATE, 72 + 21);
			else
				expect_nothing();
		}
		*p = byte;
	}
	memset(vars.image + 72, 0xff, 28);
	ck_assert(!check(&vars));
	ck_assert_ptr_nonnull(found(FV_STORE_ERASED));
	vars_free(&vars);
}
END_TEST

/* --- variables --- */

/*
 * The effect of changing a byte of a variable's header. fv_check() checks the
 * chain and the fields that identify a variable, not its meaning.
 */
static const struct {
	unsigned int from, to;
	const char *why; /* why a change may be harmless; NULL: never */
} variable_bytes[] = {
	{ 0, 1, NULL },
	{ 2, 2, "3e, 3d, 3c, 7f, ff are states too; others are found" },
	{ 3, 3, "Reserved" },
	{ 4, 7, "Attributes: only the non-volatile bit must be set" },
	{ 8, 35, "MonotonicCount, TimeStamp, PubKeyIndex: any value" },
	{ 36, 39, NULL },
	{ 40, 43, "DataSize: up to 3 bytes of padding make no difference" },
	{ 44, 59, "VendorGuid: any value" },
};
#define VARIABLE_BYTES (sizeof(variable_bytes) / sizeof(variable_bytes[0]))

static void
change_variable_byte(struct vars *vars, size_t off, unsigned int i,
		     const char *why)
{
	uint8_t *p = vars->image + off + i, byte = *p;

	for (unsigned int x = 1; x < 256; x++) {
		*p = (uint8_t)(byte ^ x);
		(void)check(vars);
		if (i == 2 && (*p == 0x3e || *p == 0x3d || *p == 0x3c))
			expect_nothing();
		else if (i == 2 && *p == 0x7f)
			expect_only(FV_VARIABLE_TORN, off);
		else if (i == 2 && *p == 0xff)
			/* An unwritten header has no sizes. */
			ck_assert_ptr_nonnull(found(FV_CHAIN_BROKEN));
		else if (i == 2)
			expect_only(FV_VARIABLE_STATE, off);
		else if (i == 4 && !(*p & 1))
			expect_only(FV_VARIABLE_ATTRIBUTES, off);
		else if (i == 40 && *p >= 7 && *p <= 10)
			expect_nothing(); /* 60 + 10 + 7 to 10, up to 80 */
		else if (i >= 40 && i <= 43)
			ck_assert_uint_gt(report.errors + report.warnings, 0);
		else if (!why)
			ck_assert_uint_gt(report.errors + report.warnings, 0);
		else
			expect_nothing();
	}
	*p = byte;
}

START_TEST(every_variable_header_byte)
{
	struct vars vars = vars_make("2m");
	unsigned int next = 0;
	size_t off;

	vars_add(&vars, VARIABLE_ADDED, vendor_global, "Before", "1");
	off = vars_add(&vars, VARIABLE_ADDED, vendor_global, "Name",
		       "8 bytes.");
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "Behind", "2");
	ck_assert(check(&vars));
	expect_nothing();
	ck_assert_uint_eq(report.live, 3);
	for (unsigned int r = 0; r < VARIABLE_BYTES; r++) {
		ck_assert_uint_eq(variable_bytes[r].from, next);
		next = variable_bytes[r].to + 1;
		for (unsigned int i = variable_bytes[r].from; i < next; i++)
			change_variable_byte(&vars, off, i,
					     variable_bytes[r].why);
	}
	ck_assert_uint_eq(next, 60);
	vars_free(&vars);
}
END_TEST

START_TEST(states_are_counted)
{
	struct vars vars = vars_make("2m");
	size_t torn;

	vars_add(&vars, VARIABLE_ADDED, vendor_global, "A", "live");
	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_global, "B", "live");
	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_global, "A", "old");
	vars_add(&vars, VARIABLE_DELETED, vendor_global, "C", "gone");
	vars_add(&vars, VARIABLE_SUPERSEDED, vendor_global, "A", "older");
	torn = vars_add(&vars, VARIABLE_HEADER_VALID, vendor_global, "D", "");
	ck_assert(check(&vars));
	expect_only(FV_VARIABLE_TORN, torn);
	ck_assert_uint_eq(report.findings[0].found, 0x7f);
	ck_assert_uint_eq(report.live, 2);
	ck_assert_uint_eq(report.superseded, 1);
	ck_assert_uint_eq(report.deleted, 2);
	ck_assert_uint_eq(report.torn, 1);
	ck_assert_uint_eq(report.unknown, 0);
	ck_assert_uint_eq(report.live_bytes, 2 * 68);
	ck_assert_uint_eq(report.used, 68 + 68 + 68 + 68 + 72 + 64);
	vars_free(&vars);
}
END_TEST

/* The header was written and its state was not; variables may follow. */
START_TEST(unwritten_header_has_no_sizes)
{
	struct vars vars = vars_make("2m");
	size_t off = vars_add(&vars, VARIABLE_UNWRITTEN, vendor_global, "E",
			      "never written");

	memset(vars.image + off + 60, 0xff, vars.at - off - 60);
	ck_assert(check(&vars));
	expect_only(FV_VARIABLE_TORN, off);
	ck_assert_uint_eq(report.used, 60);
	vars.at = off + 60;
	vars_add(&vars, VARIABLE_ADDED, vendor_global, "F", "behind");
	ck_assert(check(&vars));
	expect_only(FV_VARIABLE_TORN, off);
	ck_assert_uint_eq(report.live, 1);
	vars_free(&vars);
}
END_TEST

START_TEST(names_are_checked)
{
	static const uint8_t open[] = { 'N', 0, 'o', 0 };
	static const uint8_t two[] = { 'N', 0, 0, 0, 'o', 0, 0, 0 };
	static const uint8_t odd[] = { 'N', 0, 'o', 0, 0 };
	static const uint8_t empty[] = { 0, 0 };
	struct vars vars = vars_make("2m");
	size_t off;

	off = vars_add_raw(&vars, VARIABLE_ADDED, vendor_other, open,
			   sizeof(open), "x", 1);
	ck_assert(check(&vars));
	expect_only(FV_VARIABLE_NAME, off);
	vars_add_raw(&vars, VARIABLE_ADDED, vendor_other, two, sizeof(two), "x",
		     1);
	vars_add_raw(&vars, VARIABLE_ADDED, vendor_other, odd, sizeof(odd), "x",
		     1);
	vars_add_raw(&vars, VARIABLE_ADDED, vendor_other, empty, sizeof(empty),
		     "x", 1);
	/* Deleted variables are not checked. */
	vars_add_raw(&vars, VARIABLE_DELETED, vendor_other, odd, sizeof(odd),
		     "x", 1);
	ck_assert(check(&vars));
	ck_assert_uint_eq(report.warnings, 4);
	ck_assert_uint_eq(report.count, 4);
	off = vars_add_raw(&vars, VARIABLE_ADDED, vendor_other, NULL, 0, "x",
			   1);
	ck_assert(!check(&vars));
	ck_assert_uint_eq(report.errors, 1);
	ck_assert_uint_eq(found(FV_VARIABLE_NO_NAME)->offset, off);
	vars_free(&vars);
}
END_TEST

START_TEST(duplicates_are_found)
{
	struct vars vars = vars_make("2m");
	size_t off;

	vars_add(&vars, VARIABLE_ADDED, vendor_other, "Twice", "1");
	vars_add(&vars, VARIABLE_ADDED, vendor_global, "Twice", "not it");
	off = vars_add(&vars, VARIABLE_ADDED, vendor_other, "Twice", "2");
	ck_assert(check(&vars));
	expect_only(FV_VARIABLE_DUPLICATE, off);
	ck_assert_uint_eq(report.live, 2);
	ck_assert_uint_eq(report.superseded, 1);
	vars_free(&vars);
}
END_TEST

/* FindVariableEx() returns the last of them, Reclaim() copies the first. */
START_TEST(two_interrupted_replacements_are_found)
{
	struct vars vars = vars_make("2m");
	size_t off;

	off = vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_other, "T", "1");
	ck_assert(check(&vars));
	expect_nothing();
	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_other, "T", "2");
	ck_assert(check(&vars));
	expect_only(FV_VARIABLE_TRANSITION, off);
	ck_assert(!report.compactable);
	vars_add(&vars, VARIABLE_ADDED, vendor_other, "T", "3");
	ck_assert(check(&vars));
	expect_nothing();
	ck_assert(report.compactable);
	vars_free(&vars);
}
END_TEST

/* A wrong size that covers the next variables leaves an unbroken chain. */
START_TEST(hidden_variables)
{
	struct vars vars = vars_make("2m");
	size_t off = vars_add(&vars, VARIABLE_ADDED, vendor_other, "A", "1");

	vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "2");
	vars_add(&vars, VARIABLE_DELETED, vendor_other, "C", "3");
	put_le32(vars.image + off + 40, (uint32_t)(vars.at - off - 60 - 4));
	ck_assert(check(&vars));
	expect_only(FV_VARIABLE_HIDES, off);
	ck_assert_uint_eq(report.findings[0].found, 1);
	ck_assert_uint_eq(report.live, 1);
	vars_free(&vars);
}
END_TEST

START_TEST(sizes_beyond_the_end)
{
	static const uint32_t sizes[] = { 0xdf60, 0x20000, 0x7fffffff,
					  0xfffffffe };
	struct vars vars = vars_make("2m");
	size_t off = vars_add(&vars, VARIABLE_ADDED, vendor_other, "A", "1");

	for (size_t i = 0; i < 4; i++) {
		for (unsigned int field = 36; field <= 40; field += 4) {
			uint32_t old = get_le32(vars.image + off + field);

			put_le32(vars.image + off + field, sizes[i]);
			ck_assert(!check(&vars));
			expect_only(FV_VARIABLE_SIZE, off);
			ck_assert_uint_gt(report.findings[0].found,
					  report.findings[0].wanted);
			put_le32(vars.image + off + field, old);
		}
	}
	/* All ones means "no size" (VariableParsing.c:125). */
	put_le32(vars.image + off + 40, UINT32_MAX);
	ck_assert(!check(&vars));
	ck_assert_ptr_nonnull(found(FV_VARIABLE_NO_NAME));
	vars_free(&vars);
}
END_TEST

/* A variable that ends with the store, and one that begins just before it. */
START_TEST(last_bytes_of_the_store)
{
	struct vars vars = vars_make("2m");
	static uint8_t data[0xe000];
	uint32_t room = 0xe000 - 0x64 - 60 - 4;

	memset(data, 0x11, sizeof(data));
	vars_add_raw(&vars, VARIABLE_ADDED, vendor_other, "A\0\0", 4, data,
		     room);
	ck_assert(check(&vars));
	ck_assert_uint_eq(vars.at, 0xe000);
	expect_only(FV_FULL, 0x64);
	ck_assert_uint_eq(report.free, 0);
	put_le32(vars.image + 0x64 + 40, room - 4);
	put_le32(vars.image + 0xe000 - 4, 0x3f55aa);
	ck_assert(!check(&vars));
	expect_only(FV_VARIABLE_HEADER, 0xe000 - 4);
	put_le32(vars.image + 0x64 + 40, room + 1);
	ck_assert(!check(&vars));
	expect_only(FV_VARIABLE_SIZE, 0x64);
	vars_free(&vars);
}
END_TEST

START_TEST(chain_ends_early)
{
	struct vars vars = vars_make("2m");
	size_t off;

	vars_add(&vars, VARIABLE_ADDED, vendor_other, "A", "1");
	off = vars_add(&vars, VARIABLE_ADDED, vendor_other, "B", "2");
	vars_add(&vars, VARIABLE_DELETED, vendor_other, "C", "3");
	vars_add(&vars, VARIABLE_IN_TRANSITION, vendor_other, "D", "4");
	vars.image[off] = 0;
	ck_assert(!check(&vars));
	expect_only(FV_CHAIN_BROKEN, off);
	ck_assert_uint_eq(report.findings[0].found, 1);
	ck_assert_uint_eq(report.live, 1);
	/* No variable follows: only the start of a header was written. */
	memset(vars.image + off, 0xff, vars.at - off);
	vars.image[off] = 0xaa;
	ck_assert(check(&vars));
	expect_only(FV_FREE_DIRTY, off);
	vars_free(&vars);
}
END_TEST

START_TEST(free_space_is_checked)
{
	struct vars vars = vars_make(layouts[_i]);
	uint32_t total = vars.layout->variable_size - 0x64;
	uint32_t max = vars.layout->max_variable;
	uint8_t *data = calloc(1, total);
	uint32_t size = total - max - 64;

	ck_assert_ptr_nonnull(data);
	vars_add_raw(&vars, VARIABLE_DELETED, vendor_other, "A\0\0", 4, data,
		     size);
	ck_assert(check(&vars));
	expect_nothing();
	put_le32(vars.image + 0x64 + 40, size + 4);
	memset(vars.image + vars.at, 0, 4);
	ck_assert(check(&vars));
	expect_only(FV_RECLAIM_DUE, 0x64);
	ck_assert_uint_eq(report.findings[0].found, max - 4);
	ck_assert_uint_eq(report.findings[0].wanted, max);
	/* The advice is `pflashctl compact` only where that succeeds. */
	ck_assert(report.compactable);
	vars.image[0x66] = 0x15;
	ck_assert(check(&vars));
	ck_assert(!report.compactable);
	ck_assert_ptr_nonnull(found(FV_RECLAIM_AT_BOOT));
	ck_assert_ptr_null(found(FV_RECLAIM_DUE));
	vars.image[0x66] = VARIABLE_ADDED;
	ck_assert(check(&vars));
	expect_only(FV_FULL, 0x64);
	free(data);
	vars_free(&vars);
}
END_TEST

/* --- the working block --- */

START_TEST(every_working_block_byte)
{
	struct vars vars = vars_make(layouts[_i]);
	uint32_t work = vars.layout->ftw_work;

	for (unsigned int i = 0; i < 32; i++) {
		uint8_t *p = vars.image + work + i, byte = *p;

		for (unsigned int x = 1; x < 256; x++) {
			*p = (uint8_t)(byte ^ x);
			ck_assert(check(&vars));
			ck_assert_uint_eq(report.warnings, 1);
			if (i < 16)
				expect_only(FV_FTW_SIGNATURE, work);
			else if (i < 20)
				expect_only(FV_FTW_CRC, work + 16);
			else if (i < 24)
				expect_only(FV_FTW_STATE, work + 20);
			else
				expect_only(FV_FTW_QUEUE_SIZE, work + 24);
		}
		*p = byte;
	}
	/* OVMF uses a copy of the working block in the spare area. */
	memcpy(vars.image + vars.layout->ftw_spare, vars.image + work, 32);
	memset(vars.image + work, 0xff, 32);
	ck_assert(check(&vars));
	expect_only(FV_FTW_IN_SPARE, vars.layout->ftw_spare);
	memset(vars.image + vars.layout->ftw_spare, 0xff, 32);
	ck_assert(check(&vars));
	expect_only(FV_FTW_BLANK, work);
	vars_free(&vars);
}
END_TEST

/* Flags of FTW writes and records, active low. */
enum {
	NONE = 0xff,
	ALLOCATED = 0xfc, /* HeaderAllocated, WritesAllocated */
	COMPLETE = 0xf8,
	SPARE_DONE = 0xfd,
	ALL_DONE = 0xf9,
};

START_TEST(queue_of_writes)
{
	struct vars vars = vars_make(layouts[_i]);
	size_t work = vars.layout->ftw_work, end = 0;

	/* Complete writes are skipped, with their private data. */
	vars_ftw_record(&vars, 40, ALL_DONE, 0);
	end = vars_ftw_write(&vars, 0, COMPLETE, 1, 0);
	end = vars_ftw_write(&vars, end, COMPLETE, 2, 24);
	ck_assert_uint_eq(end, 80 + 40 + 2 * 64);
	memset(vars.image + work + 32 + 80 + 40, 0, 128);
	ck_assert(check(&vars));
	expect_nothing();
	/* Garbage behind them. */
	vars.image[work + 32 + end + 50] = 0;
	ck_assert(check(&vars));
	expect_only(FV_FTW_DIRTY, work + 32 + end);
	vars.image[work + 32 + end + 50] = 0xff;

	vars_ftw_write(&vars, end, ALLOCATED, 1, 0);
	vars_ftw_record(&vars, end + 40, NONE, 0);
	ck_assert(check(&vars));
	expect_only(FV_FTW_BEGUN, work + 32 + end);
	vars.image[work + 32 + end + 90] = 0;
	ck_assert(check(&vars));
	ck_assert_ptr_nonnull(found(FV_FTW_BEGUN));
	ck_assert_ptr_nonnull(found(FV_FTW_DIRTY));
	vars.image[work + 32 + end + 90] = 0xff;
	vars_ftw_record(&vars, end + 40, ALL_DONE, 0);
	ck_assert(check(&vars));
	expect_only(FV_FTW_FINISHED, work + 32 + end);
	/* Pending, but not for the store. */
	vars_ftw_record(&vars, end + 40, SPARE_DONE, 3);
	ck_assert(check(&vars));
	expect_only(FV_FTW_PENDING, work + 32 + end);
	ck_assert(!report.in_spare);
	/* The drivers accept any flags, if the byte is not erased. */
	vars.image[work + 32 + end] = 0x5d;
	ck_assert(check(&vars));
	expect_only(FV_FTW_PENDING, work + 32 + end);
	/* The second of two records. */
	vars_ftw_write(&vars, end, ALLOCATED, 2, 0);
	vars_ftw_record(&vars, end + 40, ALL_DONE, 3);
	vars_ftw_record(&vars, end + 80, NONE, 3);
	ck_assert(check(&vars));
	expect_only(FV_FTW_BEGUN, work + 32 + end);
	vars_free(&vars);
}
END_TEST

START_TEST(full_queue)
{
	struct vars vars = vars_make("2m");
	size_t end = 0;

	for (int i = 0; i < 50; i++) {
		memset(vars.image + 0xf020 + end, 0, 80);
		end = vars_ftw_write(&vars, end, COMPLETE, 1, 0);
	}
	ck_assert(check(&vars));
	expect_only(FV_FTW_FULL, 0xf000);
	/* A complete write that claims to be larger than the block. */
	vars_ftw_write(&vars, 0, COMPLETE, 1, 0xfe0 - 80 + 1);
	ck_assert(check(&vars));
	expect_only(FV_FTW_FULL, 0xf000);
	vars_free(&vars);
}
END_TEST

#define FTW_STATE_BYTE 20

START_TEST(write_that_does_not_fit)
{
	static const uint64_t counts[][2] = {
		{ 0, 0 },
		{ 101, 0 },
		{ 1, 0xfe0 - 80 + 1 },
		{ UINT64_MAX / 40, 0 },
		{ UINT64_C(1) << 60, UINT64_MAX - 39 },
		{ 1, UINT64_MAX },
	};
	struct vars vars = vars_make("2m");

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		vars_ftw_write(&vars, 0, ALLOCATED, counts[i][0], counts[i][1]);
		ck_assert(!check(&vars));
		expect_only(FV_FTW_QUEUE, 0xf020);
		ck_assert_uint_eq(report.findings[0].found, 0xf000);
		ck_assert_uint_eq(report.findings[0].wanted, 0x1000);
		/* The driver reads the writes before the header. */
		vars.image[0xf000 + FTW_STATE_BYTE] ^= 1;
		ck_assert(!check(&vars));
		ck_assert_uint_eq(report.errors, 1);
		ck_assert_uint_eq(report.warnings, 1);
		ck_assert_uint_eq(found(FV_FTW_QUEUE)->offset, 0xf020);
		vars.image[0xf000 + FTW_STATE_BYTE] ^= 1;
		/* It copies the block from the spare area, and reads again. */
		memcpy(vars.image + 0x10000, vars.image + 0xf000, 0x1000);
		memset(vars.image + 0xf000, 0xff, 0x1000);
		ck_assert(!check(&vars));
		ck_assert_uint_eq(found(FV_FTW_QUEUE)->offset, 0x10020);
		ck_assert_uint_eq(found(FV_FTW_QUEUE)->found, 0x10000);
		memcpy(vars.image + 0xf000, vars.image + 0x10000, 0x1000);
		memset(vars.image + 0x10000, 0xff, 0x1000);
	}
	vars_ftw_write(&vars, 0, ALLOCATED, 1, 0xfe0 - 80);
	ck_assert(check(&vars));
	/* Only begun: the sizes are not written yet. */
	vars_ftw_write(&vars, 0, ALLOCATED, UINT64_MAX, UINT64_MAX);
	ck_assert(check(&vars));
	expect_only(FV_FTW_BEGUN, 0xf020);
	vars_free(&vars);
}
END_TEST

/* The store is half erased; OVMF will restore it from the spare area. */
START_TEST(pending_write_of_the_store)
{
	struct vars vars = vars_make(layouts[_i]);
	size_t spare = vars.layout->ftw_spare;
	size_t work = vars.layout->ftw_work;

	vars_add(&vars, VARIABLE_ADDED, vendor_global, "Kept", "x");
	vars_fill_spare(&vars);
	vars_ftw_write(&vars, 0, ALLOCATED, 1, 0);
	vars_ftw_record(&vars, 40, SPARE_DONE, 0);
	memset(vars.image + 0x64, 0xff, 0x2000);
	memset(vars.image + 0x3000, 0x55, 100);
	ck_assert(check(&vars));
	expect_only(FV_FTW_PENDING, work + 32);
	ck_assert(report.in_spare);
	ck_assert_uint_eq(report.live, 1);

	/* A note about both volume headers is reported once. */
	put_le32(vars.image + 44, 0xe36);
	put_le32(vars.image + spare + 44, 0xe36);
	vars_fix_sum(&vars, 0);
	vars_fix_sum(&vars, spare);
	ck_assert(check(&vars));
	ck_assert_uint_eq(report.notes, 2);
	ck_assert_uint_eq(found(FV_OTHER_ATTRIBUTES)->offset, 44);
	put_le32(vars.image + 44, 0x4feff);
	put_le32(vars.image + spare + 44, 0x4feff);
	vars_fix_sum(&vars, 0);
	vars_fix_sum(&vars, spare);

	/* If the first block is damaged OVMF cannot, but a repair can. */
	memset(vars.image, 0xff, 0x1000);
	ck_assert(!check(&vars));
	ck_assert_uint_eq(report.errors, 1);
	ck_assert_ptr_nonnull(found(FV_SIGNATURE));
	ck_assert_uint_eq(found(FV_SPARE_HAS_STORE)->offset, spare);
	ck_assert_uint_eq(found(FV_SPARE_HAS_STORE)->found,
			  vars.layout->variable_size);
	memcpy(vars.image, vars.image + spare, vars.layout->variable_size);
	ck_assert(check(&vars));
	expect_only(FV_FTW_PENDING, work + 32);

	/* The copy in the spare area is checked like the store itself. */
	vars.image[spare + 10]++;
	ck_assert(!check(&vars));
	expect_only(FV_HEADER_CHECKSUM, spare + 50);
	memset(vars.image, 0xff, 0x1000);
	ck_assert(!check(&vars));
	ck_assert_ptr_null(found(FV_SPARE_HAS_STORE));
	vars_free(&vars);
}
END_TEST

/* A record that covers only a part of the store does not replace the store. */
START_TEST(pending_write_of_less)
{
	struct vars vars = vars_make("2m");
	uint8_t *record = vars.image + 0xf000 + 32 + 40;

	vars_ftw_write(&vars, 0, ALLOCATED, 1, 0);
	vars_ftw_record(&vars, 40, SPARE_DONE, 0);
	put_le64(record + 24, 0xe000 - 72 - 1);
	ck_assert(check(&vars));
	expect_only(FV_FTW_PENDING, 0xf020);
	ck_assert(!report.in_spare);
	put_le64(record + 24, 0x10001 - 72);
	ck_assert(!check(&vars));
	ck_assert_uint_eq(found(FV_FTW_TARGET)->found, 0x10001);
	ck_assert_uint_eq(found(FV_FTW_TARGET)->wanted, 0x10000);
	ck_assert(!report.in_spare);
	put_le64(record + 24, 0xe000 - 72);
	put_le64(record + 32, 0);
	ck_assert(check(&vars));
	ck_assert(!report.in_spare);
	vars_free(&vars);
}
END_TEST

/* OVMF would copy from or to addresses outside the volume. */
START_TEST(pending_write_beyond_the_volume)
{
	static const struct {
		uint64_t lba, offset, length;
		bool fine;
	} cases[] = {
		{ 0, 0, 0x10000, true },
		{ 0, 1, 0x10000, false },
		{ 16, 0, 0x10000, true },
		{ 17, 0, 0xf000, true },
		{ 17, 0, 0xf001, false },
		{ 31, 0xfff, 1, true },
		{ 32, 0, 1, false },
		{ 33, 0, 1, false },
		{ UINT64_MAX, 0, 1, false },
		{ UINT64_C(1) << 52, 0, 1, false },
		{ 0, UINT64_MAX, 2, false },
		{ 0, UINT64_MAX, UINT64_MAX, false },
	};
	struct vars vars = vars_make("2m");
	uint8_t *record = vars.image + 0xf000 + 32 + 40;

	vars_fill_spare(&vars);
	vars_ftw_write(&vars, 0, ALLOCATED, 1, 0);
	vars_ftw_record(&vars, 40, SPARE_DONE, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_le64(record + 8, cases[i].lba);
		put_le64(record + 16, cases[i].offset);
		put_le64(record + 24, cases[i].length);
		ck_assert_int_eq(check(&vars), cases[i].fine);
		ck_assert_int_eq(!found(FV_FTW_TARGET), cases[i].fine);
	}
	vars_free(&vars);
	/* Without a layout the size of the spare area is unknown. */
	vars = vars_make_other(16, 0x4000);
	vars.layout = &(const struct fv_layout){ .ftw_work = 0x4000,
						 .ftw_spare = 0x5000,
						 .variable_size = 0x4000 };
	vars_ftw_write(&vars, 0, ALLOCATED, 1, 0);
	vars_ftw_record(&vars, 40, SPARE_DONE, 12);
	ck_assert(check(&vars));
	ck_assert_ptr_nonnull(found(FV_FTW_PENDING));
	vars_ftw_record(&vars, 40, SPARE_DONE, 13);
	ck_assert(!check(&vars));
	ck_assert_ptr_nonnull(found(FV_FTW_TARGET));
	vars_free(&vars);
}
END_TEST

/* --- the report --- */

START_TEST(findings_are_bounded)
{
	struct vars vars = vars_make("2m");
	size_t off;

	for (unsigned int i = 0; i < 2 * FV_MAX_FINDINGS; i++)
		vars_add(&vars, 0x12, vendor_other, "Odd", "x");
	ck_assert(check(&vars));
	ck_assert_uint_eq(report.warnings, 2 * FV_MAX_FINDINGS);
	ck_assert_uint_eq(report.unknown, 2 * FV_MAX_FINDINGS);
	ck_assert_uint_eq(report.count, FV_MAX_FINDINGS);
	/* Errors are reported even if other findings must be left out. */
	for (unsigned int i = 0; i < 2 * FV_MAX_FINDINGS; i++) {
		off = vars_add_raw(&vars, VARIABLE_ADDED, vendor_other, NULL, 0,
				   &i, sizeof(i));
		vars.image[off + 44] = (uint8_t)i;
		ck_assert(!check(&vars));
		ck_assert_uint_eq(report.errors, i + 1);
		ck_assert_uint_eq(report.count, FV_MAX_FINDINGS);
		ck_assert_ptr_nonnull(found(FV_VARIABLE_NO_NAME));
	}
	for (unsigned int i = 0; i < FV_MAX_FINDINGS; i++)
		ck_assert_int_eq(report.findings[i].severity, FV_ERROR);
	vars_free(&vars);
}
END_TEST

START_TEST(codes_have_names_and_sentences)
{
	struct error text;

	for (unsigned int i = 0; i < FV_CODES; i++) {
		struct fv_finding finding = {
			.code = (enum fv_code)i,
			.offset = 0xabcdef0123456789,
			.found = UINT64_MAX,
			.wanted = UINT64_MAX,
		};
		const char *name = fv_code_name(finding.code);

		ck_assert_uint_gt(strlen(name), 2);
		for (unsigned int j = 0; j < i; j++)
			ck_assert_str_ne(name, fv_code_name((enum fv_code)j));
		fv_finding_text(&finding, &text);
		ck_assert_uint_gt(strlen(text.text), 30);
		ck_assert_uint_lt(strlen(text.text), sizeof(text.text) - 1);
		ck_assert_ptr_null(strchr(text.text, '$'));
		ck_assert_int_ne(text.text[strlen(text.text) - 1], '.');
	}
	ck_assert_str_eq(fv_code_name(FV_CODES), "unknown");
	ck_assert_str_eq(fv_code_name((enum fv_code) - 1), "unknown");
	fv_finding_text(&(struct fv_finding){ .code = FV_CODES }, &text);
	ck_assert_str_eq(text.text, "this program does not know this finding");
	ck_assert_str_eq(fv_severity_name(FV_NOTE), "note");
	ck_assert_str_eq(fv_severity_name(FV_WARNING), "warning");
	ck_assert_str_eq(fv_severity_name(FV_ERROR), "error");
	ck_assert_str_eq(fv_severity_name((enum fv_severity)3), "unknown");
}
END_TEST

START_TEST(sentences_have_the_numbers)
{
	struct vars vars = vars_make("2m");
	struct error text;

	vars.image[0]++;
	ck_assert(!check(&vars));
	fv_finding_text(&report.findings[0], &text);
	ck_assert_str_eq(text.text,
			 "the volume header is damaged (checksum 0xf919 at "
			 "offset 0x32, expected 0xf918): OVMF would erase all "
			 "variables, and then hang at every boot; restore a "
			 "backup, return to an earlier image with `pflashctl "
			 "rollback`, or start empty with `pflashctl create "
			 "--reset`");
	ck_assert_str_eq(fv_code_name(report.findings[0].code),
			 "header-checksum");
	vars_free(&vars);
}
END_TEST

/* --- arbitrary input --- */

/*
 * An image that passes fv_check() can be read to the end of its chain, with as
 * many variables as were reported; and each finding can be printed.
 */
static void
check_consistency(const uint8_t *image, size_t size)
{
	bool fine = fv_check(image, size, &report);
	struct variable v = { 0 };
	struct varstore store;
	struct error text;
	uint32_t live = 0;
	int ret;

	ck_assert_int_eq(fine, report.errors == 0);
	ck_assert_uint_le(report.count, FV_MAX_FINDINGS);
	for (unsigned int i = 0; i < report.count; i++)
		fv_finding_text(&report.findings[i], &text);
	if (varstore_open(&store, image, size, NULL) < 0) {
		ck_assert(!fine);
		return;
	}
	while ((ret = varstore_next(&store, &v)) > 0)
		live += v.live;
	ck_assert(!fine || ret == 0);
	ck_assert(!fine || report.live == live);
	ck_assert(!fine || report.used == v.next - store.start);
}

/* A small store with variables and damage, and corrected checksums. */
static void
garble(struct vars *vars, uint64_t *seed)
{
	unsigned int count = (unsigned int)(next_random(seed) % 6);

	for (unsigned int i = 0; i < count; i++) {
		uint64_t r = next_random(seed);
		size_t range = r & 0x100 ? vars->size : 0x200;

		if (r & 0x200)
			range = 100;
		vars->image[(r >> 16) % range] = (uint8_t)r;
	}
	if (get_le16(vars->image + 48) == 72 && next_random(seed) % 4)
		vars_fix_sum(vars, 0);
}

START_TEST(garbled_images)
{
	uint64_t seed = 1;
	unsigned int fine = 0;
	struct vars model = vars_make_other(4, 0x2000);

	vars_add(&model, VARIABLE_ADDED, vendor_global, "A", "1");
	vars_add(&model, VARIABLE_IN_TRANSITION, vendor_global, "B", "22");
	vars_add(&model, VARIABLE_ADDED, vendor_other, "C", "333");
	vars_add(&model, VARIABLE_ADDED, vendor_global, "B", "4444");
	for (int i = 0; i < 80000; i++) {
		struct vars vars = vars_copy(&model);

		garble(&vars, &seed);
		check_consistency(vars.image, vars.size);
		fine += report.errors == 0;
		vars_free(&vars);
	}
	/* Enough images must pass and enough must fail. */
	ck_assert_uint_gt(fine, 8000);
	ck_assert_uint_lt(fine, 72000);
	vars_free(&model);
}
END_TEST

START_TEST(random_images)
{
	uint64_t seed = 2;

	for (int i = 0; i < 20000; i++) {
		size_t size = next_random(&seed) % 0x2000;
		uint8_t *image = malloc(size + 1);

		ck_assert_ptr_nonnull(image);
		for (size_t at = 0; at < size; at += 8) {
			uint64_t r = next_random(&seed);

			memcpy(image + at, &r, size - at < 8 ? size - at : 8);
		}
		if (size > 0x100 && i % 2)
			memcpy(image + 40, "_FVH", 4);
		image = realloc(image, size ? size : 1);
		ck_assert_ptr_nonnull(image);
		check_consistency(image, size);
		free(image);
	}
}
END_TEST

START_TEST(garbled_layouts)
{
	struct vars model = vars_make("2m");
	uint64_t seed = 3;

	vars_add(&model, VARIABLE_ADDED, vendor_global, "A", "1");
	vars_fill_spare(&model);
	vars_ftw_write(&model, 0, ALLOCATED, 1, 0);
	vars_ftw_record(&model, 40, SPARE_DONE, 0);
	for (int i = 0; i < 1000; i++) {
		struct vars vars = vars_copy(&model);
		uint64_t r = next_random(&seed);

		garble(&vars, &seed);
		vars.image[0xf000 + (r >> 16) % 120] = (uint8_t)r;
		check_consistency(vars.image, vars.size);
		vars_free(&vars);
	}
	vars_free(&model);
}
END_TEST

static Suite *
fvcheck_suite(void)
{
	Suite *suite = suite_create("fvcheck");
	TCase *tc = tcase_create("fvcheck");

	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, kept_files_pass, 0, KEPT);
	tcase_add_loop_test(tc, installed_files_pass, 0, INSTALLED);
	tcase_add_loop_test(tc, fresh_images_pass, 0, 2);
	tcase_add_test(tc, other_headers_pass);
	tcase_add_test(tc, unknown_layout_is_a_note);
	tcase_add_loop_test(tc, contents_without_a_store, 0, 2);
	tcase_add_loop_test(tc, truncations_are_found, 0, 2);
	tcase_add_loop_test(tc, longer_files_are_found, 0, 2);
	tcase_add_test(tc, large_files_are_not_parsed);
	tcase_add_loop_test(tc, every_header_byte, 0, 2);
	tcase_add_test(tc, header_lengths);
	tcase_add_test(tc, wrong_checksum_is_reported_with_the_right_one);
	tcase_add_loop_test(tc, every_store_header_byte, 0, 2);
	tcase_add_test(tc, every_variable_header_byte);
	tcase_add_test(tc, states_are_counted);
	tcase_add_test(tc, unwritten_header_has_no_sizes);
	tcase_add_test(tc, names_are_checked);
	tcase_add_test(tc, duplicates_are_found);
	tcase_add_test(tc, two_interrupted_replacements_are_found);
	tcase_add_test(tc, hidden_variables);
	tcase_add_test(tc, sizes_beyond_the_end);
	tcase_add_test(tc, last_bytes_of_the_store);
	tcase_add_test(tc, chain_ends_early);
	tcase_add_loop_test(tc, free_space_is_checked, 0, 2);
	tcase_add_loop_test(tc, every_working_block_byte, 0, 2);
	tcase_add_loop_test(tc, queue_of_writes, 0, 2);
	tcase_add_test(tc, full_queue);
	tcase_add_test(tc, write_that_does_not_fit);
	tcase_add_loop_test(tc, pending_write_of_the_store, 0, 2);
	tcase_add_test(tc, pending_write_of_less);
	tcase_add_test(tc, pending_write_beyond_the_volume);
	tcase_add_test(tc, findings_are_bounded);
	tcase_add_test(tc, codes_have_names_and_sentences);
	tcase_add_test(tc, sentences_have_the_numbers);
	tcase_add_test(tc, garbled_images);
	tcase_add_test(tc, random_images);
	tcase_add_test(tc, garbled_layouts);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(fvcheck_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
