/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests pinned variables: the argument, the record, the start, and the
 * judgement of honest and of hostile images.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "support_vars.h"

#include "pflash/le.h"
#include "pflash/pins.h"

#define ADDED 0x3f
#define TRANSITION 0x3e
#define DELETED 0x3d
#define HEADER_ONLY 0x7f
#define NV_BS 3u
#define SHA256 0x26 /* the first byte of the type */

/* gEfiImageSecurityDatabaseGuid, gEfiCustomModeEnableGuid */
static const uint8_t vendor_database[16] = {
	0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45,
	0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f,
};
static const uint8_t vendor_custom[16] = {
	0x0c, 0xec, 0x76, 0xc0, 0x28, 0x70, 0x99, 0x43,
	0xa0, 0x72, 0x71, 0xee, 0x5c, 0x44, 0x8b, 0x9f,
};

static struct error err;
static struct pins *pins;
static struct vars good, bad;
static size_t pk, dbx;

/* A signature list of one SHA-256, whose bytes are all `fill`. */
static const uint8_t *
list(uint8_t fill)
{
	static const uint8_t type[16] = {
		SHA256, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40,
		0xac,   0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28,
	};
	static uint8_t bytes[76];

	memset(bytes, fill, sizeof(bytes));
	memcpy(bytes, type, sizeof(type));
	put_le32(bytes + 16, sizeof(bytes));
	put_le32(bytes + 20, 0);
	put_le32(bytes + 24, 48);
	return bytes;
}

static size_t
add_dbx(struct vars *vars, uint8_t state, unsigned int lists, uint32_t cut)
{
	uint8_t data[4 * 76];

	for (unsigned int i = 0; i < lists; i++)
		memcpy(data + 76 * i, list((uint8_t)(i + 1)), 76);
	return vars_add_raw(vars, state, vendor_database, "d\0b\0x\0\0", 8,
			    data, 76 * lists - cut);
}

static void
make_good(void)
{
	good = vars_make("2m");
	vars_add(&good, ADDED, vendor_other, "Another", "value");
	pk = vars_add(&good, ADDED, vendor_global, "PK", "owner");
	vars_add(&good, ADDED, vendor_global, "KEK", "owner");
	vars_add(&good, ADDED, vendor_database, "db", "owner");
	dbx = add_dbx(&good, ADDED, 2, 0);
	bad = vars_copy(&good);
}

static void
start(const char *argument)
{
	ck_assert_int_eq(pins_parse(&pins, argument, &err), 0);
	ck_assert_int_eq(pins_start(pins, good.image, good.size, &err), 0);
	ck_assert(pins_active(pins));
}

static void
setup(void)
{
	make_good();
	start("auto");
}

static void
teardown(void)
{
	pins_free(pins);
	pins = NULL;
	vars_free(&good);
	vars_free(&bad);
}

static bool
judge(void)
{
	err.text[0] = '\0';
	return pins_judge(pins, bad.image, bad.size, &err);
}

/* Judges `bad`, and makes it `good` again. */
static void
is_refused(const char *what)
{
	ck_assert_msg(!judge(), "%s: was allowed", what);
	ck_assert_msg(err.text[0], "%s: no sentence", what);
	vars_free(&bad);
	bad = vars_copy(&good);
	ck_assert_msg(judge(), "%s: the good image: %s", what, err.text);
}

static void
is_allowed(const char *what)
{
	ck_assert_msg(judge(), "%s: %s", what, err.text);
	vars_free(&bad);
	bad = vars_copy(&good);
}

static void
state(size_t at, uint8_t value)
{
	bad.image[at + 2] = value;
}

/* The states of an update, in the order of Variable.c:2180-2324. */
START_TEST(an_update_of_another_variable_is_allowed)
{
	size_t old = vars_add(&bad, ADDED, vendor_global, "Lang", "eng"), new;

	ck_assert(judge());
	state(old, TRANSITION);
	ck_assert(judge());
	new = vars_add(&bad, HEADER_ONLY, vendor_global, "Lang", "ger");
	ck_assert(judge());
	state(new, ADDED);
	ck_assert(judge());
	state(old, 0x3c);
	ck_assert(judge());
}
END_TEST

START_TEST(a_pinned_variable_cannot_be_updated)
{
	size_t new;

	state(pk, TRANSITION);
	new = vars_add(&bad, HEADER_ONLY, vendor_global, "PK", "guest");
	ck_assert(judge());
	state(new, ADDED);
	ck_assert(!judge());
	state(new, HEADER_ONLY);
	state(pk, 0x3c);
	is_refused("the end of the old value");
}
END_TEST

START_TEST(hostile_images_are_refused)
{
	size_t at;

	state(pk, DELETED);
	is_refused("PK deleted");
	bad.image[pk + 60 + 6] ^= 1;
	is_refused("a byte of PK");
	bad.image[pk + 4] ^= 4;
	is_refused("an attribute of PK");
	bad.image[pk + 16] ^= 4;
	is_refused("the time stamp of PK");
	vars_add(&bad, ADDED, vendor_global, "PK", "guest");
	is_refused("a second PK");
	vars_add(&bad, TRANSITION, vendor_global, "PK", "guest");
	is_refused("a second PK that a reclaim could choose");
	vars_add_raw(&bad, ADDED, vendor_global, "P", 2, "guest", 5);
	is_refused("a name that is the beginning of PK");
	vars_add_raw(&bad, ADDED, vendor_global, "", 0, "guest", 5);
	is_refused("a name of no bytes");
	vars_add_raw(&bad, ADDED, vendor_global, "P\0K\0\0\0x", 8, "guest", 5);
	is_refused("a name with bytes behind its NUL");
	vars_add(&bad, ADDED, vendor_global, "SetupMode", "\1");
	is_refused("a volatile variable in flash");
	at = vars_add(&bad, ADDED, vendor_global, "Lang", "ger");
	put_le32(bad.image + at + 40, 0x10000000);
	is_refused("a broken chain");
	bad.image[pk] = 0;
	is_refused("a chain that ends before PK");
	memset(bad.image, 0xff, bad.size);
	is_refused("an erased flash");
	memset(bad.image, 0xff, FV_BLOCK_SIZE);
	is_refused("an erased block");
}
END_TEST

START_TEST(every_byte_of_the_headers_is_protected)
{
	for (size_t i = 0; i < 100; i++) {
		bad.image[i] ^= 1;
		is_refused("a byte of a header");
	}
}
END_TEST

START_TEST(similar_names_are_others)
{
	vars_add(&bad, ADDED, vendor_global, "pk", "guest");
	vars_add(&bad, ADDED, vendor_global, "PKX", "guest");
	vars_add(&bad, ADDED, vendor_other, "PK", "guest");
	vars_add(&bad, ADDED, vendor_database, "PK", "guest");
	vars_add(&bad, ADDED, vendor_global, "Boot0000", "guest");
	vars_add_raw(&bad, ADDED, vendor_other, "P", 2, "guest", 5);
	is_allowed("similar names");
}
END_TEST

/* Puts a write of the store in the spare area. */
static void
pend(uint64_t lba)
{
	vars_ftw_write(&bad, 0, 0xfc, 1, 0);
	vars_ftw_record(&bad, 40, 0xfd, lba);
}

START_TEST(pending_writes_are_judged_by_their_result)
{
	vars_fill_spare(&bad);
	pend(0);
	is_allowed("a write of the same variables");
	state(pk, DELETED);
	vars_fill_spare(&bad);
	memcpy(bad.image, good.image, bad.layout->variable_size);
	ck_assert_msg(judge(), "not pending: %s", err.text);
	pend(0);
	is_refused("a write without PK");
	vars_fill_spare(&bad);
	bad.image[bad.layout->ftw_spare + 40] ^= 1;
	pend(0);
	is_refused("a write with another header");
	vars_fill_spare(&bad);
	pend(1);
	is_refused("a write of a block");
}
END_TEST

/* The header of a write whose sizes are being programmed, byte by byte. */
START_TEST(a_write_may_begin_byte_by_byte)
{
	uint8_t *write = bad.image + bad.layout->ftw_work + 32;
	uint8_t record[40];

	vars_ftw_write(&bad, 0, 0xfe, 1, 0);
	memset(write + 40, 0xff, 40);
	memset(write + 24, 0xff, 16);
	for (unsigned int i = 24; i < 40; i++) {
		ck_assert_msg(judge(), "byte %u: %s", i, err.text);
		write[i] = i == 24;
	}
	ck_assert_msg(judge(), "%s", err.text);
	/* The driver would look for a record at another place. */
	put_le64(write + 24, 0);
	ck_assert(!judge());
	/* The first record is complete, and the driver looks for the next. */
	put_le64(write + 24, UINT64_MAX - 1);
	memset(record, 0, sizeof(record));
	record[0] = 0xf9;
	memcpy(write + 40, record, sizeof(record));
	ck_assert(!judge());
}
END_TEST

/* The sum of the volume header's words, which is 0 in a valid one. */
static uint16_t
sum_header(const uint8_t *header)
{
	uint16_t sum = 0;

	for (unsigned int i = 0; i < 72; i += 2)
		sum = (uint16_t)(sum + get_le16(header + i));
	return sum;
}

/* The driver erases its store and writes it again, from the copy. */
START_TEST(a_reclaim_may_write_the_headers_again)
{
	const size_t size = 100;

	vars_fill_spare(&bad);
	pend(0);
	ck_assert(judge());
	memset(bad.image, 0xff, 4096);
	for (size_t i = 0; i < size; i++) {
		ck_assert_msg(judge(), "%zu bytes: %s", i, err.text);
		if (i < 72)
			ck_assert_uint_ne(sum_header(bad.image), 0);
		bad.image[i] = good.image[i];
		ck_assert(judge());
		if (good.image[i] == 0xff)
			continue;
		bad.image[i] = good.image[i] & 1 ? 0xfe : 0xfd;
		ck_assert_msg(!judge(), "another byte %zu", i);
		bad.image[i] = good.image[i];
	}
	for (size_t i = 0; i + 1 < size; i++) {
		bad.image[i] = 0xff;
		ck_assert(good.image[i] == 0xff || !judge());
		bad.image[i] = good.image[i];
	}
}
END_TEST

/* A reclaim for a refused value, which the driver takes for complete. */
START_TEST(a_refused_reclaim_holds_the_store)
{
	uint8_t *record = bad.image + bad.layout->ftw_work + 32 + 40;
	struct vars after;

	ck_assert_uint_eq(pins_held(pins), 0);
	state(pk, DELETED);
	vars_fill_spare(&bad);
	state(pk, ADDED);
	pend(0);
	ck_assert(!judge());
	ck_assert_uint_eq(pins_held(pins), bad.layout->variable_size);
	/* The spare area is not complete, and the destination is. */
	record[0] = 0xfb;
	record[-40] = 0xf8;
	ck_assert_msg(judge(), "%s", err.text);
	vars_fill_spare(&bad);
	after = vars_copy(&bad);
	vars_ftw_write(&bad, 80, 0xfc, 1, 0);
	vars_ftw_record(&bad, 120, 0xfd, 0);
	ck_assert(!judge());
	ck_assert_ptr_nonnull(strstr(err.text, "until its next boot"));
	/* A worker that takes over. */
	pins_free(pins);
	ck_assert_int_eq(pins_parse(&pins, "auto", &err), 0);
	ck_assert_int_eq(pins_continue(pins, after.image, after.size, &err), 0);
	ck_assert_uint_eq(pins_held(pins), bad.layout->variable_size);
	/* The next start makes that write a complete one. */
	ck_assert_int_eq(pins_start(pins, after.image, after.size, &err), 1);
	ck_assert_uint_eq(pins_held(pins), 0);
	ck_assert_int_eq(pins_continue(pins, after.image, after.size, &err), 0);
	ck_assert_uint_eq(pins_held(pins), 0);
	vars_free(&after);
}
END_TEST

START_TEST(dbx_grows)
{
	size_t new;

	state(dbx, TRANSITION);
	new = add_dbx(&bad, HEADER_ONLY, 3, 0);
	ck_assert(judge());
	state(new, ADDED);
	ck_assert_msg(judge(), "%s", err.text);
	state(dbx, 0x3c);
	ck_assert_msg(judge(), "%s", err.text);
	/* From now on the new one is pinned. */
	state(new, DELETED);
	add_dbx(&bad, ADDED, 2, 0);
	ck_assert(!judge());
}
END_TEST

START_TEST(dbx_does_not_change_otherwise)
{
	static const struct {
		unsigned int lists;
		uint32_t cut;
		uint8_t fill;
	} cases[] = { { 1, 0, SHA256 },
		      { 3, 1, SHA256 },
		      { 3, 48, SHA256 },
		      { 3, 0, 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t at;

		state(dbx, 0x3c);
		at = add_dbx(&bad, ADDED, cases[i].lists, cases[i].cut);
		bad.image[at + 60 + 8] = cases[i].fill;
		is_refused("another dbx");
	}
	state(dbx, 0x3c);
	vars_add_raw(&bad, ADDED, vendor_database, "d\0b\0x\0\0", 8, "", 0);
	is_refused("an empty dbx");
}
END_TEST

/* A dbx of these lists, each of one SHA-256 with this fill. */
static size_t
replace_dbx(const char *fills, uint8_t owner)
{
	uint8_t data[8 * 76];
	size_t count = strlen(fills);

	for (size_t i = 0; i < count; i++) {
		memcpy(data + 76 * i, list((uint8_t)fills[i]), 76);
		data[76 * i + 28] ^= owner;
	}
	state(dbx, 0x3c);
	return vars_add_raw(&bad, ADDED, vendor_database, "d\0b\0x\0\0", 8,
			    data, (uint32_t)(76 * count));
}

/* A whole new value, whose signatures are others and all of the old ones. */
START_TEST(dbx_is_replaced_by_a_larger_one)
{
	size_t at;

	replace_dbx("\2\1", 0);
	is_allowed("another order");
	replace_dbx("\1", 0);
	is_refused("one of two");
	replace_dbx("\1\3", 0);
	is_refused("another one");
	replace_dbx("\2\2\3", 0);
	is_refused("one twice");
	replace_dbx("\1\2\3", 1);
	is_refused("other owners");
	at = replace_dbx("\3\2\1", 0);
	bad.image[at + 60 + 8 + 76] ^= 1;
	is_refused("an unknown type");
	at = replace_dbx("\3\2\1", 0);
	put_le32(bad.image + at + 60 + 8 + 16, 77);
	is_refused("a damaged list");
	at = replace_dbx("\3\2\1", 0);
	bad.image[at + 4] &= (uint8_t)~4;
	is_refused("other attributes");
}
END_TEST

/* One list with both signatures, and one more. */
START_TEST(dbx_is_grouped)
{
	uint8_t data[28 + 3 * 48];

	for (unsigned int i = 0; i < 3; i++)
		memcpy(data + 28 + 48 * i, list((uint8_t)(3 - i)) + 28, 48);
	memcpy(data, list(1), 28);
	put_le32(data + 16, sizeof(data));
	state(dbx, 0x3c);
	vars_add_raw(&bad, ADDED, vendor_database, "d\0b\0x\0\0", 8, data,
		     sizeof(data));
	ck_assert_msg(judge(), "%s", err.text);
	vars_free(&bad);
	bad = vars_copy(&good);
	ck_assert_msg(!judge(), "the old one again");
}
END_TEST

/* A value of the same length, which has one signature more, is taken over. */
START_TEST(dbx_keeps_what_replaces_a_double)
{
	dbx = replace_dbx("\1\2\2", 0);
	ck_assert_msg(judge(), "%s", err.text);
	dbx = replace_dbx("\1\2\3", 0);
	ck_assert_msg(judge(), "%s", err.text);
	dbx = replace_dbx("\1\2\2", 0);
	ck_assert(!judge());
}
END_TEST

START_TEST(the_firmware_makes_what_is_missing)
{
	size_t at = vars_add_raw(&bad, ADDED, vendor_custom,
				 "C\0u\0s\0t\0o\0m\0M\0o\0d\0e\0\0", 22, "\1",
				 1);

	put_le32(bad.image + at + 4, NV_BS);
	is_refused("custom mode");
	at = vars_add_raw(&bad, ADDED, vendor_custom,
			  "C\0u\0s\0t\0o\0m\0M\0o\0d\0e\0\0", 22, "\0", 1);
	is_refused("standard mode with other attributes");
	at = vars_add_raw(&bad, ADDED, vendor_custom,
			  "C\0u\0s\0t\0o\0m\0M\0o\0d\0e\0\0", 22, "\0", 1);
	put_le32(bad.image + at + 4, NV_BS);
	ck_assert_msg(judge(), "%s", err.text);
	bad.image[at + 60 + 22] = 1;
	ck_assert(!judge());
	bad.image[at + 60 + 22] = 0;
	state(at, DELETED);
	ck_assert(!judge());
}
END_TEST

START_TEST(a_guest_without_a_pk_enrolls_its_own)
{
	state(pk, DELETED);
	pins_free(pins);
	ck_assert_int_eq(pins_parse(&pins, "keys,mok", &err), 0);
	ck_assert_int_eq(pins_start(pins, bad.image, bad.size, &err), 0);
	ck_assert(!pins_active(pins));
	memset(bad.image, 0xff, FV_BLOCK_SIZE);
	ck_assert(judge());
}
END_TEST

/* The record after a start, and new pins that have it. */
static void
restart(const char *argument)
{
	struct changes *record = changes_new();

	ck_assert_int_eq(pins_save(pins, record, &err), 0);
	ck_assert_uint_gt(changes_count(record), 10);
	pins_free(pins);
	ck_assert_int_eq(pins_parse(&pins, argument, &err), 0);
	ck_assert_int_eq(pins_load(pins, record, &err), 0);
	changes_free(record);
}

static void
live_is(const char *name, uint32_t size, const char *data)
{
	struct varstore store;
	struct variable v;

	ck_assert_int_eq(varstore_open(&store, bad.image, bad.size, &err), 0);
	if (!data) {
		ck_assert_int_eq(varstore_find(&store, vendor_global,
					       (const uint8_t *)name, size, &v),
				 -ENOENT);
		return;
	}
	ck_assert_int_eq(varstore_find(&store, vendor_global,
				       (const uint8_t *)name, size, &v),
			 0);
	ck_assert_uint_eq(v.data_size, strlen(data));
	ck_assert_mem_eq(v.data, data, v.data_size);
}

START_TEST(the_start_restores_the_values_of_the_record)
{
	state(pk, DELETED);
	vars_add(&bad, ADDED, vendor_global, "PK", "guest");
	vars_add(&bad, ADDED, vendor_global, "SetupMode", "\1");
	restart("auto");
	ck_assert_msg(pins_start(pins, bad.image, bad.size, &err) == 1, "%s",
		      err.text);
	live_is("P\0K\0\0", 6, "owner");
	live_is("S\0e\0t\0u\0p\0M\0o\0d\0e\0\0", 20, NULL);
	ck_assert_msg(judge(), "%s", err.text);

	/* Also where nothing is left of the keys. */
	fv_format(bad.layout, bad.image);
	restart("auto");
	ck_assert_int_eq(pins_start(pins, bad.image, bad.size, &err), 1);
	live_is("P\0K\0\0", 6, "owner");
	ck_assert(judge());
}
END_TEST

START_TEST(the_start_drops_an_older_value)
{
	vars_add(&bad, TRANSITION, vendor_global, "PK", "older");
	restart("keys");
	ck_assert_msg(pins_start(pins, bad.image, bad.size, &err) == 1, "%s",
		      err.text);
	live_is("P\0K\0\0", 6, "owner");
	ck_assert(judge());
}
END_TEST

START_TEST(the_start_takes_a_dbx_over_that_has_grown)
{
	state(dbx, 0x3c);
	add_dbx(&bad, ADDED, 3, 0);
	restart("keys");
	ck_assert_int_eq(pins_start(pins, bad.image, bad.size, &err), 0);
	ck_assert(judge());
	vars_free(&good);
	good = vars_copy(&bad);
	state(dbx, ADDED);
	is_refused("the dbx of the record");
}
END_TEST

START_TEST(a_record_pins_only_what_the_argument_says)
{
	restart("boot");
	ck_assert_int_eq(pins_start(pins, bad.image, bad.size, &err), 0);
	state(pk, DELETED);
	is_allowed("PK deleted");
	restart("keys");
	ck_assert_int_eq(pins_start(pins, bad.image, bad.size, &err), 0);
	state(pk, DELETED);
	is_refused("PK deleted");
}
END_TEST

START_TEST(damaged_images_pin_nothing)
{
	restart("auto");
	memset(bad.image, 0xff, bad.size);
	ck_assert_int_lt(pins_start(pins, bad.image, bad.size, &err), 0);
	ck_assert(!pins_active(pins));
}
END_TEST

START_TEST(boot_entries_are_pinned)
{
	size_t entry, order;

	teardown();
	make_good();
	entry = vars_add(&good, ADDED, vendor_global, "Boot0001", "debian");
	order = vars_add(&good, ADDED, vendor_global, "BootOrder", "\1");
	vars_free(&bad);
	bad = vars_copy(&good);
	start("boot");
	state(entry, DELETED);
	is_refused("an entry deleted");
	state(order, DELETED);
	is_refused("the order deleted");
	vars_add(&bad, ADDED, vendor_global, "Boot00aF", "guest");
	is_refused("another entry");
	vars_add(&bad, ADDED, vendor_global, "BootNext", "\0");
	vars_add(&bad, ADDED, vendor_global, "Boot000", "guest");
	vars_add(&bad, ADDED, vendor_global, "Boot000G", "guest");
	state(pk, DELETED);
	is_allowed("other variables");

	/* The next start removes what was added. */
	vars_add(&bad, ADDED, vendor_global, "Boot0002", "guest");
	state(entry, DELETED);
	{
		struct changes *record = changes_new();

		ck_assert_int_eq(pins_save(pins, record, &err), 0);
		pins_free(pins);
		ck_assert_int_eq(pins_parse(&pins, "boot", &err), 0);
		ck_assert_int_eq(pins_load(pins, record, &err), 0);
		changes_free(record);
	}
	ck_assert_int_eq(pins_start(pins, bad.image, bad.size, &err), 1);
	live_is("B\0o\0o\0t\0000\0000\0000\0001\0\0", 18, "debian");
	live_is("B\0o\0o\0t\0000\0000\0000\0002\0\0", 18, NULL);
	ck_assert(judge());
}
END_TEST

START_TEST(one_variable_is_pinned_by_its_name)
{
	pins_free(pins);
	ck_assert_int_eq(pins_parse(&pins,
				    "01020304-0506-0708-090a-0b0c0d0e0f10:A,"
				    "04030201-0605-0807-090a-0b0c0d0e0f10:"
				    "Another",
				    &err),
			 0);
	ck_assert_int_eq(pins_start(pins, good.image, good.size, &err), 0);
	bad.image[100 + 2] = DELETED;
	is_refused("it deleted");
	state(pk, DELETED);
	is_allowed("PK deleted");
}
END_TEST

START_TEST(arguments_are_checked)
{
	static const char *const wrong[] = {
		"",
		"on",
		"keys,",
		",",
		"keys,off",
		"keys ",
		"Name",
		":PK",
		"1234:Name",
		"8be4df61-93ca-11d2-aa0d-00e098032b8c",
		"8be4df61-93ca-11d2-aa0d-00e098032b8c:",
		"8be4df61-93ca-11d2-aa0d-00e098032b8c:\xc3\xa4",
	};
	struct pins *none = pins;

	ck_assert_int_eq(pins_parse(&none, "off", &err), 0);
	ck_assert_ptr_null(none);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(pins_parse(&none, wrong[i], &err) == -EINVAL,
			      "'%s'", wrong[i]);
		ck_assert_ptr_null(none);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pins");
	TCase *tcase = tcase_create("pins");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_update_of_another_variable_is_allowed);
	tcase_add_test(tcase, a_pinned_variable_cannot_be_updated);
	tcase_add_test(tcase, hostile_images_are_refused);
	tcase_add_test(tcase, every_byte_of_the_headers_is_protected);
	tcase_add_test(tcase, similar_names_are_others);
	tcase_add_test(tcase, pending_writes_are_judged_by_their_result);
	tcase_add_test(tcase, a_write_may_begin_byte_by_byte);
	tcase_add_test(tcase, a_reclaim_may_write_the_headers_again);
	tcase_add_test(tcase, a_refused_reclaim_holds_the_store);
	tcase_add_test(tcase, dbx_grows);
	tcase_add_test(tcase, dbx_does_not_change_otherwise);
	tcase_add_test(tcase, dbx_is_replaced_by_a_larger_one);
	tcase_add_test(tcase, dbx_is_grouped);
	tcase_add_test(tcase, dbx_keeps_what_replaces_a_double);
	tcase_add_test(tcase, the_firmware_makes_what_is_missing);
	tcase_add_test(tcase, a_guest_without_a_pk_enrolls_its_own);
	tcase_add_test(tcase, the_start_restores_the_values_of_the_record);
	tcase_add_test(tcase, the_start_drops_an_older_value);
	tcase_add_test(tcase, the_start_takes_a_dbx_over_that_has_grown);
	tcase_add_test(tcase, a_record_pins_only_what_the_argument_says);
	tcase_add_test(tcase, damaged_images_pin_nothing);
	tcase_add_test(tcase, boot_entries_are_pinned);
	tcase_add_test(tcase, one_variable_is_pinned_by_its_name);
	tcase_add_test(tcase, arguments_are_checked);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
