/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the effective view. A view that is kept up to date must equal one that
 * was read from scratch, and a naive one that is made here with varstore_next():
 * after each byte of recorded boots, after each write of a simulated firmware
 * with its reclaims, and after random writes, headers, working block and spare
 * area included. Counts of the work show that an update does not grow with the
 * number of variables, and that no store takes quadratic time.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/fv/siphash.h"
#include "support_firmware.h"
#include "support_store.h"

#include "pflash/effective.h"
#include "pflash/le.h"

/* --- the naive view --- */

#define NAIVE_MOST 9000

struct naive {
	bool opened, broken;
	uint64_t header;
	unsigned int count;
	uint64_t variables[NAIVE_MOST]; /* sorted */
	size_t offsets[NAIVE_MOST];     /* in the order of the store */
};

/* FNV-1a. */
static uint64_t
mix(uint64_t sum, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len--)
		sum = (sum ^ *p++) * UINT64_C(0x100000001b3);
	return sum;
}

static uint64_t
naive_hash(const struct variable *v)
{
	uint64_t fields[] = {
		v->name_size,       v->data_size, v->attributes,
		v->monotonic_count, v->time.year, v->time.month,
		v->time.day,        v->time.hour, v->time.minute,
		v->time.second,     v->key_index,
	};
	uint64_t sum = mix(UINT64_C(0xcbf29ce484222325), v->guid, 16);

	sum = mix(sum, v->name, v->name_size);
	sum = mix(sum, fields, sizeof(fields));
	return mix(sum, v->data, v->data_size);
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void
naive_read(struct naive *naive, const uint8_t *image, size_t size)
{
	struct variable v = { 0 };
	struct varstore store;
	struct error err;
	size_t base;
	int ret;

	naive->count = 0;
	naive->header = 0;
	naive->opened = varstore_open(&store, image, size, &err) == 0;
	if (!naive->opened)
		return;
	base = store.in_spare ? fv_layout_by_size(size)->ftw_spare : 0;
	naive->header = mix(1, image + base, store.start - base);
	while ((ret = varstore_next(&store, &v)) > 0) {
		if (!v.live)
			continue;
		ck_assert_uint_lt(naive->count, NAIVE_MOST);
		naive->offsets[naive->count] = v.offset;
		naive->variables[naive->count++] = naive_hash(&v);
	}
	naive->broken = ret < 0;
	qsort(naive->variables, naive->count, sizeof(uint64_t), compare);
}

static bool
naive_equal(const struct naive *a, const struct naive *b)
{
	return a->header == b->header && a->count == b->count &&
	       !memcmp(a->variables, b->variables, a->count * sizeof(uint64_t));
}

/* --- a view that is compared after each update --- */

struct watch {
	const uint8_t *image;
	size_t size;
	struct effective *view, *parsed;
	struct naive *now, *before;
	unsigned int updates, changes, unknown;
};

static void
watch_variables(const struct watch *w)
{
	uint32_t cursor = 0, count = 0;
	struct variable v;

	while (effective_next(w->view, w->image, &cursor, &v)) {
		ck_assert_uint_lt(count, w->now->count);
		ck_assert_uint_eq(v.offset, w->now->offsets[count++]);
		ck_assert(v.live);
	}
	ck_assert_uint_eq(count, w->now->count);
}

static void
watch_compare(struct watch *w)
{
	effective_parse(w->parsed, w->image);
	naive_read(w->now, w->image, w->size);
	ck_assert(effective_verify(w->view, w->image));
	ck_assert(effective_verify(w->parsed, w->image));
	ck_assert_int_eq(effective_known(w->view), effective_known(w->parsed));
	ck_assert_uint_eq(effective_digest(w->view),
			  effective_digest(w->parsed));
	if (effective_known(w->view))
		ck_assert(w->now->opened && !w->now->broken);
	watch_variables(w);
}

static struct watch
watch_make(const uint8_t *image, size_t size)
{
	struct watch w = {
		.image = image,
		.size = size,
		.view = effective_new((uint32_t)size),
		.now = malloc(sizeof(struct naive)),
		.before = malloc(sizeof(struct naive)),
	};

	ck_assert(w.view && w.now && w.before);
	w.parsed = effective_like(w.view);
	ck_assert_ptr_nonnull(w.parsed);
	effective_parse(w.view, image);
	watch_compare(&w);
	return w;
}

static void
watch_free(struct watch *w)
{
	effective_free(w->view);
	effective_free(w->parsed);
	free(w->now);
	free(w->before);
}

/* Updates the view. True if it has changed. */
static bool
watch_update(struct watch *w)
{
	bool known = effective_known(w->view), changed;
	struct naive *before = w->now;

	w->now = w->before;
	w->before = before;
	changed = effective_update(w->view, w->image);
	watch_compare(w);
	known = known && effective_known(w->view);
	ck_assert_int_eq(changed, !known || !naive_equal(w->now, w->before));
	ck_assert(!effective_update(w->view, w->image));
	w->updates++;
	w->changes += changed;
	w->unknown += !known;
	return changed;
}

/* --- the hash --- */

/* The example of the paper's appendix A, and its test vector for 0 bytes. */
START_TEST(siphash_of_the_paper)
{
	uint8_t bytes[16];
	uint64_t key[2];

	for (uint8_t i = 0; i < 16; i++)
		bytes[i] = i;
	key[0] = get_le64(bytes);
	key[1] = get_le64(bytes + 8);
	ck_assert(siphash(key, bytes, 15) == UINT64_C(0xa129ca6149be45e5));
	ck_assert(siphash(key, bytes, 0) == UINT64_C(0x726fdb47dd0e0e31));
}
END_TEST

/* --- recorded boots --- */

struct replay {
	struct vars vars;
	struct watch bytes, bursts;
	bool dirty;
};

static void
replay_written(struct replay *r, uint32_t off, uint32_t len)
{
	effective_touch(r->bytes.view, off, len);
	effective_touch(r->bursts.view, off, len);
	watch_update(&r->bytes);
	r->dirty = true;
}

/* Makes the accesses of a boot: programs, erases, and READ ARRAY after them. */
static void
replay_boot(struct replay *r, const char *name)
{
	unsigned int off, value;
	char line[256];
	int command = -1;
	FILE *trace;

	snprintf(line, sizeof(line),
		 "gzip -dc tests/data/ovmf-2022.11-4m-%s.trace.gz", name);
	trace = popen(line, "r");
	ck_assert_ptr_nonnull(trace);
	while (fgets(line, sizeof(line), trace)) {
		if (sscanf(line, "w %x 1 %x", &off, &value) != 2)
			continue;
		ck_assert_uint_lt(off, r->vars.size);
		if (command == 0x10) {
			r->vars.image[off] &= (uint8_t)value;
			replay_written(r, off, 1);
			command = -1;
		} else if (command == 0x20 && value == 0xd0) {
			off &= ~(FV_BLOCK_SIZE - 1);
			memset(r->vars.image + off, 0xff, FV_BLOCK_SIZE);
			replay_written(r, off, FV_BLOCK_SIZE);
			command = -1;
		} else {
			command = (int)value;
		}
		if (command == 0xff && r->dirty) {
			watch_update(&r->bursts);
			r->dirty = false;
		}
	}
	ck_assert_int_eq(pclose(trace), 0);
}

START_TEST(recorded_boots)
{
	struct replay r = { .vars = vars_make("4m") };

	r.bytes = watch_make(r.vars.image, r.vars.size);
	r.bursts = watch_make(r.vars.image, r.vars.size);
	replay_boot(&r, "firstboot");
	ck_assert_uint_eq(r.bytes.updates, 15641);
	ck_assert_uint_eq(r.bursts.updates, 251);
	ck_assert_uint_eq(r.bursts.changes, 50);
	ck_assert_uint_eq(r.bytes.changes, 50);
	replay_boot(&r, "secondboot");
	ck_assert_uint_eq(r.bursts.updates - 251, 99);
	ck_assert_uint_eq(r.bursts.changes - 50, 18);
	ck_assert_uint_eq(r.bytes.changes - 50, 18);
	ck_assert_uint_eq(r.bytes.unknown + r.bursts.unknown, 0);
	watch_free(&r.bytes);
	watch_free(&r.bursts);
	vars_free(&r.vars);
}
END_TEST

static Suite *
effective_suite(void)
{
	Suite *suite = suite_create("effective");
	TCase *tc = tcase_create("effective");

	tcase_add_test(tc, siphash_of_the_paper);
	tcase_add_test(tc, recorded_boots);
	suite_add_tcase(suite, tc);
	return suite;
}

int
main(void)
{
	SRunner *runner = srunner_create(effective_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
