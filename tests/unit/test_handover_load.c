/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests handover_load() with streams of this program, of other versions and of
 * version 0.1, and with damaged and truncated ones. The bytes end at a page
 * that cannot be read.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pflash/handover.h"
#include "pflash/le.h"

#define ROOM (64u * 4096u)
#define LIFE "boot 1, domain 7, /vm/2"
#define BURST 300u
#define UNKNOWN 77u

static struct error err;
static uint8_t *memory_end; /* behind ROOM bytes */
static struct handover *written, *to, *fresh;

static void *
pages(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	return memory;
}

static void
fill_state(struct handover_state *state, uint8_t n)
{
	state->request = 700 + n;
	state->progress = 10 + n;
	state->changes = 20 + n;
	state->burst.sequence = UINT64_C(0x1234567890) + n;
	state->burst.length = BURST;
	state->burst.operation = 40 + n;
	state->burst.next = 50 + n;
	memset(state->chip, n, 600);
}

static void
fill(struct handover *record)
{
	record->server = 3;
	record->base = UINT64_C(0xffc00000);
	record->size = 0x84000;
	record->mode = HANDOVER_DIRECT | HANDOVER_PAUSED;
	record->window_ready = 1;
	strcpy(record->incarnation, LIFE);
	strcpy(record->vars, "/var/lib/pflash/guest.fd");
	record->turn = 41;
	record->request = 701;
	record->vcpu = 2;
	record->takeovers = 5;
	fill_state(&record->state[0], 100);
	fill_state(&record->state[1], 200);
	memset(record->burst, 0xb5, 48 + BURST);
	record->attached = HANDOVER_ATTACHED;
}

static void
setup(void)
{
	uint8_t *memory = pages(ROOM + 4096);

	memory_end = memory + ROOM;
	ck_assert_int_eq(mprotect(memory_end, 4096, PROT_NONE), 0);
	handover_make(&written, pages(HANDOVER_SIZE));
	handover_make(&fresh, pages(HANDOVER_SIZE));
	handover_make(&to, pages(HANDOVER_SIZE));
	fill(written);
}

static void
teardown(void)
{
	munmap(memory_end - ROOM, ROOM + 4096);
	munmap(written, HANDOVER_SIZE);
	munmap(fresh, HANDOVER_SIZE);
	munmap(to, HANDOVER_SIZE);
}

/* Loads into a new record, as a new process does. */
static int
load_placed(const uint8_t *bytes, size_t size, const char *incarnation)
{
	int ret;

	memset(to, 0, HANDOVER_SIZE);
	handover_make(&to, to);
	err.text[0] = '\0';
	ret = handover_load(to, bytes, size, incarnation, &err);
	if (ret != 1)
		ck_assert_mem_eq(to, fresh, HANDOVER_SIZE);
	if (ret < 0) {
		ck_assert_int_eq(ret, -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, "handover record"));
	}
	return ret;
}

static int
load(const void *bytes, size_t size)
{
	memcpy(memory_end - size, bytes, size);
	return load_placed(memory_end - size, size, LIFE);
}

/* Returns true if `count` bytes have the value and the rest are zero. */
static bool
is_filled(const uint8_t *bytes, size_t size, uint8_t value, size_t count)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != (i < count ? value : 0))
			return false;
	return true;
}

static void
state_is(const struct handover_state *state, uint8_t n)
{
	ck_assert_uint_eq(state->request, 700u + n);
	ck_assert_uint_eq(state->progress, 10u + n);
	ck_assert_uint_eq(state->changes, 20u + n);
	ck_assert_uint_eq(state->burst.sequence, UINT64_C(0x1234567890) + n);
	ck_assert_uint_eq(state->burst.length, BURST);
	ck_assert_uint_eq(state->burst.operation, 40u + n);
	ck_assert_uint_eq(state->burst.next, 50u + n);
	ck_assert(is_filled(state->chip, sizeof(state->chip), n, 600));
}

static void
all_is_loaded(void)
{
	ck_assert_uint_eq(to->attached, HANDOVER_ATTACHED);
	ck_assert_uint_eq(to->server, 3);
	ck_assert_uint_eq(to->base, 0xffc00000);
	ck_assert_uint_eq(to->size, 0x84000);
	ck_assert_uint_eq(to->mode, HANDOVER_DIRECT | HANDOVER_PAUSED);
	ck_assert_uint_eq(to->window_ready, 1);
	ck_assert_str_eq(to->incarnation, LIFE);
	ck_assert_str_eq(to->vars, "/var/lib/pflash/guest.fd");
	ck_assert_uint_eq(to->request, 701);
	ck_assert_uint_eq(to->vcpu, 2);
	state_is(&to->state[0], 200);
	state_is(&to->state[1], 200);
	ck_assert(is_filled(to->burst, sizeof(to->burst), 0xb5, 48 + BURST));
}

START_TEST(attached_flash_is_loaded)
{
	ck_assert_int_eq(load(written, HANDOVER_SIZE), 1);
	all_is_loaded();
	ck_assert_uint_eq(to->takeovers, 5);
	ck_assert_uint_eq(to->length, fresh->length);
	/* A loaded record must itself be loadable. */
	written->attached = HANDOVER_SAVED;
	written->turn = 42;
	ck_assert_int_eq(load(written, written->length), 1);
	ck_assert_uint_eq(to->attached, HANDOVER_SAVED);
	state_is(&to->state[1], 100);
	memcpy(written, to, HANDOVER_SIZE);
	ck_assert_int_eq(load(written, HANDOVER_SIZE), 1);
	ck_assert_mem_eq(to, written, HANDOVER_SIZE);
}
END_TEST

START_TEST(nothing_is_attached)
{
	static const uint8_t zeros[HANDOVER_SIZE];

	ck_assert_int_eq(load(fresh, HANDOVER_SIZE), 0);
	ck_assert_int_eq(load(zeros, 0), 0);
	ck_assert_int_eq(load(zeros, 8), 0);
	ck_assert_int_eq(load(zeros, sizeof(zeros)), 0);
	ck_assert_int_eq(handover_load(to, NULL, 0, LIFE, &err), 0);
	written->attached = 0;
	written->mode = 99;
	ck_assert_int_eq(load(written, HANDOVER_SIZE), 0);
}
END_TEST

START_TEST(another_incarnation)
{
	const uint8_t *bytes = (const uint8_t *)written;
	char longer[STORE_TAG_SIZE];

	ck_assert_int_eq(load_placed(bytes, HANDOVER_SIZE, "boot 2"), 0);
	ck_assert_int_eq(load_placed(bytes, HANDOVER_SIZE, ""), 0);
	ck_assert_int_eq(load_placed(bytes, HANDOVER_SIZE, LIFE "2"), 0);
	memset(written->incarnation, 0, sizeof(written->incarnation));
	ck_assert_int_eq(load_placed(bytes, HANDOVER_SIZE, ""), 0);
	/* A string without terminator. */
	memset(written->incarnation, 'x', sizeof(written->incarnation));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(load_placed(bytes, HANDOVER_SIZE, longer), 0);
}
END_TEST

/* --- streams as in docs/format.md --- */

struct part {
	uint32_t type, length;
	const uint8_t *value;
};

#define PARTS 11 /* the sections of this program, without the end */

static struct part parts[PARTS + 3];
static unsigned int part_count;
static uint8_t stream[ROOM];

static void
take_apart(void)
{
	const uint8_t *bytes = (const uint8_t *)written;
	size_t at = 16;

	part_count = 0;
	ck_assert_mem_eq(bytes, "PFLASHHO\1\0\0\0", 12);
	while (get_le32(bytes + at)) {
		struct part *part = &parts[part_count++];

		ck_assert_uint_le(part_count, PARTS);
		*part = (struct part){ get_le32(bytes + at),
				       get_le32(bytes + at + 4),
				       bytes + at + 8 };
		at += 8 + (part->length + 7) / 8 * 8;
	}
	ck_assert_uint_eq(part_count, PARTS);
	ck_assert_uint_eq(get_le32(bytes + at + 4), 0);
	ck_assert_uint_eq(get_le32(bytes + 12), at + 8);
}

static size_t
put_part(size_t at, const struct part *part)
{
	put_le32(stream + at, part->type);
	put_le32(stream + at + 4, part->length);
	if (part->length)
		memcpy(stream + at + 8, part->value, part->length);
	return at + 8 + (part->length + 7) / 8 * 8;
}

/* Returns the length of the stream. */
static size_t
put_together(void)
{
	static const struct part end;
	size_t at = 16;

	memset(stream, 0, sizeof(stream));
	memcpy(stream, "PFLASHHO\1", 9);
	for (unsigned int i = 0; i < part_count; i++)
		at = put_part(at, &parts[i]);
	at = put_part(at, &end);
	put_le32(stream + 12, (uint32_t)at);
	return at;
}

static int
load_parts(void)
{
	return load(stream, put_together());
}

static void
insert(unsigned int at, struct part part)
{
	memmove(&parts[at + 1], &parts[at],
		(part_count++ - at) * sizeof(parts[0]));
	parts[at] = part;
}

static struct part *
part_of(uint32_t type)
{
	for (unsigned int i = 0; i < part_count; i++)
		if (parts[i].type == type)
			return &parts[i];
	ck_abort_msg("no section %u", type);
}

START_TEST(the_sections_are_the_documented_ones)
{
	static const uint32_t documented[PARTS][2] = {
		{ 1, 32 },         { 2, 96 },          { 3, 1024 },
		{ 4, 24 },         { 5, 40 },          { 6, 10240 },
		{ 7, 40 },         { 8, 10240 },       { 9, 69696 },
		{ 0x8000000a, 8 }, { 0x8000000b, 32 },
	};

	take_apart();
	for (unsigned int i = 0; i < PARTS; i++) {
		ck_assert_uint_eq(parts[i].type, documented[i][0]);
		ck_assert_uint_eq(parts[i].length, documented[i][1]);
	}
	ck_assert_uint_eq(put_together(), written->length);
	ck_assert_mem_eq(stream, written, written->length);
}
END_TEST

START_TEST(sections_in_any_order)
{
	take_apart();
	for (unsigned int i = 0; i < PARTS / 2; i++) {
		struct part first = parts[i];

		parts[i] = parts[PARTS - 1 - i];
		parts[PARTS - 1 - i] = first;
	}
	ck_assert_int_eq(load_parts(), 1);
	all_is_loaded();
}
END_TEST

/* _i: the section before which the unknown one is. */
START_TEST(unknown_sections)
{
	static const uint8_t value[100] = { 1, 2, 3 };

	take_apart();
	insert((unsigned int)_i,
	       (struct part){ HANDOVER_OPTIONAL | UNKNOWN, 99, value });
	insert((unsigned int)_i,
	       (struct part){ HANDOVER_OPTIONAL | UNKNOWN, 0, value });
	ck_assert_int_eq(load_parts(), 1);
	all_is_loaded();
	parts[_i].type = UNKNOWN;
	ck_assert_int_eq(load_parts(), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "section 0x4d"));
	ck_assert_ptr_nonnull(strstr(err.text, "newer version"));
	ck_assert_int_eq(load_placed(stream, put_together(), "another"), 0);
}
END_TEST

/* _i: the section. */
START_TEST(missing_or_twice)
{
	struct part part;

	take_apart();
	part = parts[_i];
	insert((unsigned int)_i, part);
	ck_assert_int_eq(load_parts(), -EINVAL);
	take_apart();
	memmove(&parts[_i], &parts[_i + 1],
		(--part_count - (unsigned int)_i) * sizeof(parts[0]));
	if (part.type & HANDOVER_OPTIONAL) {
		ck_assert_int_eq(load_parts(), 1);
		all_is_loaded();
		ck_assert_uint_eq(part.type == (HANDOVER_OPTIONAL |
						HANDOVER_COUNTS) ?
					  to->takeovers :
					  to->trail.end[1].sequence,
				  0);
	} else {
		ck_assert_int_eq(load_parts(), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.text, "missing"));
	}
}
END_TEST

/* _i: the section, which a newer program may extend. */
START_TEST(longer_values)
{
	static uint8_t longer[ROOM];
	struct part *part;

	take_apart();
	part = &parts[_i];
	memset(longer, 0xee, sizeof(longer));
	memcpy(longer, part->value, part->length);
	part->value = longer;
	for (unsigned int i = 0; i < 20; i++) {
		part->length++;
		ck_assert_int_eq(load_parts(), 1);
		all_is_loaded();
	}
}
END_TEST

/* An older program may write shorter values. */
START_TEST(shorter_values)
{
	take_apart();
	part_of(HANDOVER_INCARNATION)->length = (uint32_t)strlen(LIFE);
	part_of(HANDOVER_VARS)->length = (uint32_t)strlen(written->vars);
	part_of(HANDOVER_CHIP_0)->length = 0;
	part_of(HANDOVER_CHIP_1)->length = 600;
	part_of(HANDOVER_BURST)->length = 48 + BURST;
	ck_assert_int_eq(load_parts(), 1);
	all_is_loaded();
	part_of(HANDOVER_BURST)->length--;
	ck_assert_int_eq(load_parts(), -EINVAL);
	part_of(HANDOVER_BURST)->length = 0;
	ck_assert_int_eq(load_parts(), -EINVAL);
	written->state[1].burst.length = 0;
	ck_assert_int_eq(load_parts(), 1);
}
END_TEST

/* Values whose length is the same in all versions. */
START_TEST(too_short_values)
{
	static const uint32_t fixed[] = {
		HANDOVER_FLASH,
		HANDOVER_REQUEST,
		HANDOVER_STATE_0,
		HANDOVER_STATE_1,
		HANDOVER_OPTIONAL | HANDOVER_COUNTS,
	};

	take_apart();
	for (unsigned int i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		struct part *part = part_of(fixed[i]);

		part->length--;
		ck_assert_int_eq(load_parts(), -EINVAL);
		part->length++;
	}
	ck_assert_int_eq(load_parts(), 1);
}
END_TEST

START_TEST(a_path_that_is_too_long_is_truncated)
{
	static uint8_t name[3000];
	struct part *part;

	memset(name, 'n', sizeof(name));
	take_apart();
	part = part_of(HANDOVER_VARS);
	*part = (struct part){ HANDOVER_VARS, sizeof(name), name };
	ck_assert_int_eq(load_parts(), 1);
	ck_assert_uint_eq(strlen(to->vars), sizeof(to->vars) - 1);
}
END_TEST

START_TEST(unknown_values)
{
	written->attached = 3;
	ck_assert_int_eq(load(written, HANDOVER_SIZE), -EINVAL);
	written->attached = HANDOVER_ATTACHED;
	written->mode = 8;
	ck_assert_int_eq(load(written, HANDOVER_SIZE), -EINVAL);
	written->mode = 7;
	written->window_ready = 2;
	ck_assert_int_eq(load(written, HANDOVER_SIZE), -EINVAL);
	written->window_ready = 0;
	written->state[1].burst.length = HANDOVER_BURST_LIMIT + 1;
	ck_assert_int_eq(load(written, HANDOVER_SIZE), -EINVAL);
	written->state[1].burst.length = UINT32_MAX;
	ck_assert_int_eq(load(written, HANDOVER_SIZE), -EINVAL);
	/*
	 * Only the current one of the two states must be valid: the other one
	 * may be half written.
	 */
	written->state[0].burst.length = UINT32_MAX;
	written->state[1].burst.length = HANDOVER_BURST_LIMIT;
	ck_assert_int_eq(load(written, HANDOVER_SIZE), 1);
}
END_TEST

START_TEST(other_versions)
{
	written->version = 2;
	ck_assert_int_eq(load(written, HANDOVER_SIZE), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "version 2, expected 1"));
	written->version = 1;
	written->magic[7]++;
	ck_assert_int_eq(load(written, HANDOVER_SIZE), -EINVAL);
}
END_TEST

/* --- damage --- */

START_TEST(cut_off_anywhere)
{
	size_t whole = written->length;

	for (size_t size = 1; size < whole; size++)
		ck_assert_int_eq(load(written, size), -EINVAL);
	/* The length in the header is as short as the data. */
	for (size_t size = 16; size < whole; size++) {
		written->length = (uint32_t)size;
		ck_assert_int_eq(load(written, size), -EINVAL);
	}
	/* Bytes after the end do not belong to the stream. */
	written->length = (uint32_t)whole + 8;
	ck_assert_int_eq(load(written, whole + 8), -EINVAL);
	written->length = (uint32_t)whole;
	ck_assert_int_eq(load(written, whole + 8), 1);
}
END_TEST

START_TEST(lengths_that_wrap)
{
	static const uint32_t lengths[] = { UINT32_MAX, UINT32_MAX - 7,
					    UINT32_MAX - 8, 0x80000000, 87424 };

	for (unsigned int i = 0; i < sizeof(lengths) / sizeof(lengths[0]);
	     i++) {
		written->flash_section.length = lengths[i];
		ck_assert_int_eq(load(written, written->length), -EINVAL);
	}
}
END_TEST

/* A loaded record must load again with the same result. */
static bool
is_sound(int ret)
{
	static _Alignas(4096) uint8_t memory[HANDOVER_SIZE];
	struct handover *again;

	if (ret != 1)
		return true;
	memset(memory, 0, sizeof(memory));
	handover_make(&again, memory);
	return handover_load(again, to, HANDOVER_SIZE, LIFE, &err) == 1 &&
	       memcmp(again->state, to->state, sizeof(to->state)) == 0;
}

/* Each damaged byte is refused, or changes a value at most. */
START_TEST(each_byte_damaged)
{
	uint8_t *bytes = (uint8_t *)written;
	unsigned int counts[3] = { 0 };

	srandom(1);
	for (size_t i = 0; i < written->length; i++) {
		uint8_t was = bytes[i];
		int ret;

		bytes[i] ^= (uint8_t)(random() % 255 + 1);
		ret = load(written, fresh->length);
		counts[ret < 0 ? 2 : ret]++;
		ck_assert(i % 16 || is_sound(ret));
		bytes[i] = was;
	}
	ck_assert_uint_gt(counts[0], 10);
	ck_assert_uint_gt(counts[1], 80000);
	ck_assert_uint_gt(counts[2], 80);
}
END_TEST

START_TEST(sections_damaged_at_random)
{
	srandom(2);
	for (unsigned int round = 0; round < 20000; round++) {
		size_t size;

		take_apart();
		part_of(HANDOVER_CHIP_0)->length = 80;
		part_of(HANDOVER_BURST)->length = 48 + BURST;
		part_of(HANDOVER_VARS)->length = 30;
		size = put_together();
		for (int i = 0; i < 4; i++)
			stream[(size_t)random() % size] = (uint8_t)random();
		(void)load(stream, size);
	}
}
END_TEST

/* --- version 0.1 --- */

/* `struct live` of that version. */
struct live_state_01 {
	uint64_t request;
	uint32_t progress;
	uint32_t changes;
	uint64_t sequence;
	uint32_t length, operation, next, nothing;
	uint8_t chip[8192];
};

static struct live_01 {
	char magic[8];
	uint32_t attached;
	uint32_t server;
	char incarnation[96];
	char vars[1024];
	uint64_t base;
	uint32_t size;
	uint32_t owns;
	uint32_t taken;
	uint32_t vcpu;
	uint64_t request;
	uint64_t turn;
	uint64_t takeovers;
	struct live_state_01 state[2];
	uint8_t burst[69696];
} live;

static void
fill_state_01(struct live_state_01 *state, uint8_t n)
{
	*state = (struct live_state_01){
		.request = 700 + n,
		.progress = 10 + n,
		.changes = 20 + n,
		.sequence = UINT64_C(0x1234567890) + n,
		.length = BURST,
		.operation = 40 + n,
		.next = 50 + n,
	};
	memset(state->chip, n, 600);
}

static void
fill_01(void)
{
	memset(&live, 0, sizeof(live));
	memcpy(live.magic, "PFLASHL1", 8);
	live.attached = 1;
	live.server = 3;
	strcpy(live.incarnation, LIFE);
	strcpy(live.vars, "/var/lib/pflash/guest.fd");
	live.base = UINT64_C(0xffc00000);
	live.size = 0x84000;
	live.owns = 5;
	live.taken = 1;
	live.vcpu = 2;
	live.request = 701;
	live.turn = 41;
	live.takeovers = 5;
	fill_state_01(&live.state[0], 100);
	fill_state_01(&live.state[1], 200);
	memset(live.burst, 0xb5, 48 + BURST);
}

START_TEST(a_record_of_version_0_1)
{
	fill_01();
	ck_assert_uint_eq(sizeof(live), 87344);
	ck_assert_int_eq(load(&live, sizeof(live)), 1);
	all_is_loaded();
	ck_assert_uint_eq(to->takeovers, 5);
	for (size_t size = 1; size < sizeof(live); size += 1 + size / 100)
		ck_assert_int_eq(load(&live, size), -EINVAL);
	live.state[1].length = HANDOVER_BURST_LIMIT + 1;
	ck_assert_int_eq(load(&live, sizeof(live)), -EINVAL);
	live.owns = 8;
	ck_assert_int_eq(load(&live, sizeof(live)), -EINVAL);
	live.incarnation[0]++;
	ck_assert_int_eq(load(&live, sizeof(live)), 0);
	live.attached = 0;
	ck_assert_int_eq(load(&live, sizeof(live)), 0);
}
END_TEST

START_TEST(flash_with_another_file)
{
	static struct handover other;

	fill(&other);
	ck_assert_int_eq(handover_check_vars(&other, other.vars, &err), 0);
	ck_assert_int_eq(handover_check_vars(&other, "/var/lib/pflash/guest",
					     &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, other.vars));
	/* Longer names are compared as far as the record has them. */
	memset(other.vars, 'v', sizeof(other.vars) - 1);
	ck_assert_int_eq(handover_check_vars(&other, other.vars, &err), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("handover_load");
	TCase *tc = tcase_create("handover_load");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, attached_flash_is_loaded);
	tcase_add_test(tc, nothing_is_attached);
	tcase_add_test(tc, flash_with_another_file);
	tcase_add_test(tc, another_incarnation);
	tcase_add_test(tc, the_sections_are_the_documented_ones);
	tcase_add_test(tc, sections_in_any_order);
	tcase_add_loop_test(tc, unknown_sections, 0, PARTS + 1);
	tcase_add_loop_test(tc, missing_or_twice, 0, PARTS);
	tcase_add_loop_test(tc, longer_values, 0, PARTS);
	tcase_add_test(tc, shorter_values);
	tcase_add_test(tc, too_short_values);
	tcase_add_test(tc, a_path_that_is_too_long_is_truncated);
	tcase_add_test(tc, unknown_values);
	tcase_add_test(tc, other_versions);
	tcase_add_test(tc, cut_off_anywhere);
	tcase_add_test(tc, lengths_that_wrap);
	tcase_add_test(tc, each_byte_damaged);
	tcase_add_test(tc, sections_damaged_at_random);
	tcase_add_test(tc, a_record_of_version_0_1);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
