/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests the effective view. A view that is kept up to date must equal one that
 * was read from scratch, and a naive one that is made here by varstore_next():
 * after each byte of recorded boots, after each write of a simulated firmware
 * with its reclaims, and after random writes, headers, working block and spare
 * area included. Counts of the work show that an update does not grow with the
 * number of variables, and that no store takes quadratic time.
 */
#include <check.h>
#include <endian.h>
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
	uint8_t *copy; /* the image of the last update; NULL: not checked */
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
	free(w->copy);
}

/* From here on the changes are checked, too. */
static void
watch_with_changes(struct watch *w)
{
	w->copy = malloc(w->size);
	ck_assert_ptr_nonnull(w->copy);
	memcpy(w->copy, w->image, w->size);
}

struct reported {
	struct varstore old, new;
	unsigned int count[3];
	size_t last; /* the offset of the change before */
};

static bool
found(const struct varstore *store, const struct variable *like,
      struct variable *v)
{
	return varstore_find(store, like->guid, like->name, like->name_size,
			     v) == 0;
}

/* Each variable must be the one that varstore_find() finds. */
static int
check_change(void *opaque, enum effective_change change,
	     const struct variable *old, const struct variable *new)
{
	struct reported *r = opaque;
	const struct variable *v = old ? old : new;
	struct variable was, is;

	ck_assert_int_eq(found(&r->old, v, &was), old != NULL);
	ck_assert_int_eq(found(&r->new, v, &is), new != NULL);
	if (old) {
		ck_assert_uint_eq(was.offset, old->offset);
		ck_assert_ptr_eq(was.data, old->data);
	}
	if (new) {
		ck_assert_uint_eq(is.offset, new->offset);
		ck_assert_ptr_eq(is.data, new->data);
	}
	if (old && new)
		ck_assert(naive_hash(old) != naive_hash(new));
	if (change == EFFECTIVE_ADDED && !r->count[EFFECTIVE_ADDED])
		r->last = 0;
	ck_assert_uint_lt(r->last, v->offset);
	r->last = v->offset;
	r->count[change]++;
	ck_assert_int_eq(change, !old ? EFFECTIVE_ADDED :
				 new  ? EFFECTIVE_CHANGED :
					EFFECTIVE_REMOVED);
	return 0;
}

/* Counts the differences in the other direction than the module. */
static void
naive_count(const struct reported *r, unsigned int count[3])
{
	struct variable v = { 0 }, other;

	while (varstore_next(&r->new, &v) > 0) {
		if (!v.live)
			continue;
		if (!found(&r->old, &v, &other))
			count[EFFECTIVE_ADDED]++;
		else if (naive_hash(&v) != naive_hash(&other))
			count[EFFECTIVE_CHANGED]++;
	}
	v = (struct variable){ 0 };
	while (varstore_next(&r->old, &v) > 0)
		count[EFFECTIVE_REMOVED] += v.live &&
					    !found(&r->new, &v, &other);
}

static void
watch_changes(struct watch *w)
{
	struct reported r = { .last = 0 };
	unsigned int count[3] = { 0 };

	if (varstore_open(&r.old, w->copy, w->size, NULL) == 0 &&
	    varstore_open(&r.new, w->image, w->size, NULL) == 0)
		naive_count(&r, count);
	ck_assert_int_eq(effective_changes(w->view, w->copy, w->image,
					   check_change, &r),
			 0);
	ck_assert_mem_eq(r.count, count, sizeof(count));
	memcpy(w->copy, w->image, w->size);
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
	if (w->copy)
		watch_changes(w);
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
	watch_with_changes(&r.bursts);
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

/* --- a simulated firmware --- */

#define STRIDE 97 /* every byte is an update, one in so many is compared */

struct traffic {
	struct vars vars;
	struct firmware firmware;
	struct effective *bytes;
	struct watch bursts;
	unsigned int byte_changes, unknown, writes;
	bool dirty;
};

static void
traffic_written(void *opaque, uint32_t off, uint32_t len)
{
	struct traffic *t = opaque;
	bool known = effective_known(t->bytes), changed;

	effective_touch(t->bytes, off, len);
	effective_touch(t->bursts.view, off, len);
	changed = effective_update(t->bytes, t->vars.image);
	if (known && effective_known(t->bytes))
		t->byte_changes += changed;
	else
		t->unknown++;
	if (++t->writes % STRIDE == 0) {
		effective_parse(t->bursts.parsed, t->vars.image);
		ck_assert(effective_verify(t->bytes, t->vars.image));
		ck_assert_int_eq(effective_known(t->bytes),
				 effective_known(t->bursts.parsed));
	}
	t->dirty = true;
}

static void
traffic_committed(void *opaque)
{
	struct traffic *t = opaque;

	ck_assert(t->dirty);
	watch_update(&t->bursts);
	ck_assert(effective_known(t->bursts.view));
	t->dirty = false;
}

static void
traffic_start(struct traffic *t, const char *layout)
{
	*t = (struct traffic){ .vars = vars_make(layout) };
	t->bursts = watch_make(t->vars.image, t->vars.size);
	watch_with_changes(&t->bursts);
	t->bytes = effective_new((uint32_t)t->vars.size);
	ck_assert_ptr_nonnull(t->bytes);
	t->firmware = (struct firmware){
		.vars = &t->vars,
		.written = traffic_written,
		.committed = traffic_committed,
		.opaque = t,
	};
}

static void
traffic_end(struct traffic *t)
{
	watch_free(&t->bursts);
	effective_free(t->bytes);
	vars_free(&t->vars);
}

/* An FTW header that is written byte by byte has impossible sizes. */
#define UNKNOWN_IN_RECLAIM 32

/*
 * Variables are added, changed and deleted until the store was reclaimed twice.
 * Each call changes the view once; the reclaims change nothing.
 */
START_TEST(each_variable_set_is_one_change)
{
	unsigned int sets = 0, done = 0;
	uint8_t data[1500];
	struct traffic t;
	char name[8];

	traffic_start(&t, "2m");
	srand(1);
	while (t.firmware.reclaims < 2) {
		uint32_t size = (uint32_t)rand() % sizeof(data);

		if (size < 100)
			size = 0;
		memset(data, rand(), size);
		snprintf(name, sizeof(name), "V%d", rand() % 20);
		done += firmware_set(&t.firmware, vendor_other, name, data,
				     size);
		sets++;
		ck_assert_uint_eq(t.bursts.changes, done);
		ck_assert_uint_le(t.unknown,
				  1 + t.firmware.reclaims * UNKNOWN_IN_RECLAIM);
		ck_assert_uint_eq(t.byte_changes, done);
	}
	ck_assert_uint_gt(done, 60);
	ck_assert_uint_le(done, sets);
	ck_assert_uint_eq(t.bursts.unknown, 0);
	traffic_end(&t);
}
END_TEST

/* --- random writes --- */

static uint8_t
any_byte(void)
{
	static const uint8_t usual[] = { 0xff, 0x7f, 0x3f, 0x3e, 0x3d, 0x3c,
					 0,    1,    0xfe, 0xfd, 0x55, 0xaa };

	return rand() % 2 ? usual[(size_t)rand() % sizeof(usual)] :
			    (uint8_t)rand();
}

/* Fills the first part of a store with variables of few names. */
static void
add_random(struct vars *vars, unsigned int count)
{
	static const uint8_t states[] = { 0x3f, 0x3e, 0x3d, 0x3c,
					  0x7f, 0xff, 0x3f, 0x15 };
	char name[] = "A", data[64];

	while (count--) {
		size_t size = (size_t)rand() % sizeof(data);

		memset(data, 'a' + rand() % 3, size);
		data[size ? size - 1 : 0] = '\0';
		name[0] = (char)('A' + rand() % 8);
		vars_add(vars, states[(size_t)rand() % sizeof(states)],
			 rand() % 2 ? vendor_global : vendor_other, name, data);
	}
}

enum { RANDOM_STORES = 7 };

static struct vars
random_store(int kind)
{
	struct vars vars = kind == 5 ? vars_make_other(24, 0x8000) :
				       vars_make("2m");

	if (kind == 4)
		vars_make_plain(&vars);
	if (kind != 0)
		add_random(&vars, kind == 6 ? 400 : 30);
	if (kind == 2 || kind == 3) {
		vars_fill_spare(&vars);
		vars_ftw_write(&vars, 0, 0xfc, 1, 0);
		vars_ftw_record(&vars, 40, kind == 2 ? 0xfd : 0xff, 0);
	}
	if (kind == 3) /* the store and its copy differ */
		add_random(&vars, 10);
	return vars;
}

/* A place that matters: a header, a variable, the working block. */
static uint32_t
random_place(const struct watch *w, const struct vars *vars)
{
	const struct fv_layout *layout = vars->layout;
	uint32_t base = layout && rand() % 4 == 0 ? layout->ftw_spare : 0;

	switch (rand() % 8) {
	case 0: return base + (uint32_t)rand() % 0x64;
	case 1: return base + 0x64 + (uint32_t)rand() % 0x4000;
	case 2: return (uint32_t)rand() % (uint32_t)vars->size;
	case 3:
		if (layout)
			return layout->ftw_work + (uint32_t)rand() % 0x80;
		return 0x64;
	case 4: return (uint32_t)vars->at - (uint32_t)rand() % 0x60;
	default:
		if (!w->now->count)
			return 0x64 + (uint32_t)rand() % 60;
		return (uint32_t)
			       w->now->offsets[(size_t)rand() % w->now->count] +
		       (uint32_t)rand() % (rand() % 2 ? 4 : 70);
	}
}

static void
random_write(struct watch *w, struct vars *vars, const struct vars *original)
{
	uint32_t off = random_place(w, vars) % (uint32_t)vars->size, len = 1;
	uint8_t *p = vars->image;

	switch (rand() % 16) {
	case 0: /* an erase */
		off &= ~(FV_BLOCK_SIZE - 1);
		len = FV_BLOCK_SIZE;
		memset(p + off, 0xff, len);
		break;
	case 1:
	case 2: /* several bytes */
		len = 1 + (uint32_t)rand() % 40;
		if (len > vars->size - off)
			len = (uint32_t)vars->size - off;
		for (uint32_t i = 0; i < len; i++)
			p[off + i] = any_byte();
		break;
	case 3:
	case 4:
	case 5: /* as it was */
		off &= ~(FV_BLOCK_SIZE - 1);
		len = FV_BLOCK_SIZE;
		memcpy(p + off, original->image + off, len);
		break;
	case 6: p[off] &= any_byte(); break;
	case 7: p[off] = any_byte(); break;
	default: p[off] &= (uint8_t) ~(1 << rand() % 8); break;
	}
	effective_touch(w->view, off, len);
}

/* Restores the image: without that most updates would see a broken store. */
static void
restore(struct watch *w, struct vars *vars, const struct vars *original)
{
	memcpy(vars->image, original->image, vars->size);
	effective_touch(w->view, 0, (uint32_t)vars->size);
	watch_update(w);
}

START_TEST(random_writes)
{
	struct vars vars, original;
	struct watch w;

	srand((unsigned int)_i + 1);
	original = random_store(_i % RANDOM_STORES);
	vars = vars_copy(&original);
	w = watch_make(vars.image, vars.size);
	watch_with_changes(&w);
	for (int i = 0; i < (_i % RANDOM_STORES == 6 ? 300 : 1500); i++) {
		int writes = 1 + rand() % (rand() % 16 ? 3 : 100);

		while (writes--)
			random_write(&w, &vars, &original);
		watch_update(&w);
		if (rand() % 12 == 0)
			restore(&w, &vars, &original);
	}
	/* All kinds of updates must have occurred. */
	ck_assert_uint_gt(w.changes, 50);
	ck_assert_uint_gt(w.updates - w.changes, 50);
	ck_assert_uint_gt(w.unknown, 5);
	ck_assert_uint_gt(w.updates - w.unknown, 50);
	watch_free(&w);
	vars_free(&vars);
	vars_free(&original);
}
END_TEST

/* --- a view that is not known --- */

static bool
touch_all(struct effective *view, const struct vars *vars)
{
	effective_touch(view, 0, (uint32_t)vars->size);
	return effective_update(view, vars->image);
}

/* Touches one byte that is no part of the view. */
static bool
touch_event_log(struct effective *view, const struct vars *vars)
{
	effective_touch(view, vars->layout->event_log, 1);
	return effective_update(view, vars->image);
}

/* Makes a view of the image, which is not known for the time being. */
static void
is_unknown(const struct vars *good, const struct vars *bad)
{
	struct effective *view = effective_new((uint32_t)good->size);

	ck_assert_ptr_nonnull(view);
	effective_parse(view, good->image);
	ck_assert(effective_known(view));
	ck_assert(!touch_event_log(view, good));
	ck_assert(touch_all(view, bad));
	ck_assert(!effective_known(view));
	ck_assert(touch_event_log(view, bad));
	ck_assert(!effective_update(view, bad->image));
	ck_assert(touch_all(view, good));
	ck_assert(effective_known(view));
	ck_assert(!touch_all(view, good));
	effective_free(view);
}

START_TEST(first_update_reads_all)
{
	struct vars vars = vars_make("2m");
	struct effective *view = effective_new((uint32_t)vars.size);
	struct effective *other = effective_like(view);

	ck_assert(view != NULL && other != NULL);
	vars_add(&vars, 0x3f, vendor_other, "A", "a");
	ck_assert(!effective_known(view));
	ck_assert(effective_update(view, vars.image));
	ck_assert(effective_known(view));
	ck_assert(!effective_update(view, vars.image));
	effective_parse(other, vars.image);
	ck_assert(effective_digest(view) == effective_digest(other));
	effective_free(view);
	effective_free(other);
	effective_free(NULL);
	vars_free(&vars);
}
END_TEST

START_TEST(damaged_stores_are_unknown)
{
	struct vars good = vars_make(_i ? "4m" : "2m"), bad;
	size_t at;

	vars_add(&good, 0x3f, vendor_other, "A", "a");
	at = vars_add(&good, 0x3f, vendor_other, "B", "b");

	bad = vars_copy(&good); /* no volume */
	bad.image[40] = 'x';
	is_unknown(&good, &bad);
	vars_free(&bad);

	bad = vars_copy(&good); /* no variable store */
	bad.image[72] ^= 1;
	is_unknown(&good, &bad);
	vars_free(&bad);

	bad = vars_copy(&good); /* a variable that ends behind the store */
	put_le32(bad.image + at + 40, 0x10000000);
	is_unknown(&good, &bad);
	vars_free(&bad);

	bad = vars_copy(&good); /* a pending write of an erased spare area */
	vars_ftw_write(&bad, 0, 0xfc, 1, 0);
	vars_ftw_record(&bad, 40, 0xfd, 0);
	is_unknown(&good, &bad);
	vars_free(&bad);
	vars_free(&good);
}
END_TEST

/* The firmware executes such writes before it reads the variables. */
START_TEST(other_pending_writes_are_unknown)
{
	struct vars good = vars_make(_i ? "4m" : "2m"), bad;
	const struct fv_layout *layout = good.layout;

	vars_add(&good, 0x3f, vendor_other, "A", "a");
	vars_fill_spare(&good);

	bad = vars_copy(&good); /* for one block of the store */
	vars_ftw_write(&bad, 0, 0xfc, 1, 0);
	vars_ftw_record(&bad, 40, 0xfd, 1);
	is_unknown(&good, &bad);
	vars_free(&bad);

	bad = vars_copy(&good); /* the same after a complete write */
	vars_ftw_write(&bad, 0, 0xf8, 1, 0);
	vars_ftw_record(&bad, 40, 0xf9, 0);
	vars_ftw_write(&bad, 80, 0xfc, 1, 0);
	vars_ftw_record(&bad, 120, 0xfd, 1);
	is_unknown(&good, &bad);
	vars_free(&bad);

	bad = vars_copy(&good); /* a header with impossible sizes */
	vars_ftw_write(&bad, 0, 0xfc, 100, 100);
	vars_ftw_record(&bad, 40, 0xf9, 0);
	is_unknown(&good, &bad);
	vars_free(&bad);

	bad = vars_copy(&good); /* in a copy of the working block */
	vars_ftw_write(&bad, 0, 0xfc, 1, 0);
	vars_ftw_record(&bad, 40, 0xfd, 1);
	memcpy(bad.image + layout->ftw_spare, bad.image + layout->ftw_work,
	       FV_BLOCK_SIZE);
	memset(bad.image + layout->ftw_work, 0xff, FV_BLOCK_SIZE);
	is_unknown(&good, &bad);
	vars_free(&bad);
	vars_free(&good);
}
END_TEST

/* Writes that are begun, pending or complete, and no danger. */
START_TEST(usual_writes_are_known)
{
	struct vars vars = vars_make("2m"), other;
	const struct fv_layout *layout = vars.layout;
	struct effective *view = effective_new((uint32_t)vars.size);

	ck_assert_ptr_nonnull(view);
	vars_add(&vars, 0x3f, vendor_other, "A", "a");
	effective_parse(view, vars.image);

	other = vars_copy(&vars); /* the store is replaced by an equal one */
	vars_fill_spare(&other);
	vars_ftw_write(&other, 0, 0xfc, 1, 0);
	vars_ftw_record(&other, 40, 0xfd, 0);
	memset(other.image, 0xff, layout->variable_size);
	ck_assert(!touch_all(view, &other) && effective_known(view));
	/* ... and becomes current again. */
	memcpy(other.image, vars.image, layout->variable_size);
	vars_ftw_record(&other, 40, 0xf9, 0);
	ck_assert(!touch_all(view, &other) && effective_known(view));
	vars_free(&other);

	other = vars_copy(&vars); /* begun, not yet in the spare area */
	vars_ftw_write(&other, 0, 0xfc, 1, 0);
	vars_ftw_record(&other, 40, 0xff, 1);
	ck_assert(!touch_all(view, &other) && effective_known(view));
	vars_free(&other);

	other = vars_copy(&vars); /* no working block at all */
	memset(other.image + layout->ftw_work, 0xff, FV_BLOCK_SIZE);
	ck_assert(!touch_all(view, &other) && effective_known(view));
	/* ... a copy of it in the spare area, byte by byte */
	for (uint32_t i = 0; i < FV_BLOCK_SIZE; i++) {
		uint32_t to = layout->ftw_spare + i;

		other.image[to] = vars.image[layout->ftw_work + i];
		effective_touch(view, to, 1);
		ck_assert(!effective_update(view, other.image));
		ck_assert(effective_known(view));
	}
	/* ... with a pending write */
	vars_ftw_write(&vars, 0, 0xfc, 1, 0);
	vars_ftw_record(&vars, 40, 0xfd, 1);
	memcpy(other.image + layout->ftw_spare, vars.image + layout->ftw_work,
	       FV_BLOCK_SIZE);
	effective_touch(view, layout->ftw_spare + 32, 80);
	ck_assert(effective_update(view, other.image));
	ck_assert(!effective_known(view));
	vars_free(&other);
	effective_free(view);
	vars_free(&vars);
}
END_TEST

/* Images that are too small or too large for a store with known variables. */
START_TEST(unusual_sizes)
{
	static const uint32_t sizes[] = {
		0, 1, 31, 99, 4096, 1u << 24, (1u << 24) + 4096
	};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct effective *view = effective_new(sizes[i]);
		uint8_t *image = malloc(sizes[i] + 1u);

		ck_assert(view != NULL && image != NULL);
		memset(image, 0xff, sizes[i]);
		effective_parse(view, image);
		ck_assert(!effective_known(view));
		effective_touch(view, 0, 1);
		ck_assert_int_eq(effective_update(view, image), sizes[i] != 0);
		effective_touch(view, sizes[i], 1);
		effective_touch(view, UINT32_MAX, UINT32_MAX);
		effective_touch(view, 0, 0);
		ck_assert(!effective_update(view, image));
		effective_free(view);
		free(image);
	}
}
END_TEST

/* A store of 16 MiB: with as many variables as there is room for, and more. */
START_TEST(too_many_variables_are_unknown)
{
	const uint32_t room = 0x100000 / 32 + 1;
	struct vars vars = vars_make_other(4096, 0xfff000);
	struct effective *view = effective_new((uint32_t)vars.size);
	size_t last = 0;

	ck_assert_ptr_nonnull(view);
	vars_make_plain(&vars);
	for (uint32_t i = 0; i < room; i++)
		last = vars_add_raw(&vars, 0x3f, vendor_other, &i, 4, "", 0);
	effective_parse(view, vars.image);
	ck_assert(effective_known(view));
	ck_assert(effective_verify(view, vars.image));
	vars_add_raw(&vars, 0x3f, vendor_other, &room, 4, "", 0);
	effective_touch(view, (uint32_t)last + 36, 36);
	ck_assert(effective_update(view, vars.image));
	ck_assert(!effective_known(view));
	effective_touch(view, (uint32_t)vars.size - 1, 1);
	ck_assert(effective_update(view, vars.image));
	/* The last but one ends the chain. */
	vars.image[last] = 0;
	effective_touch(view, (uint32_t)last, 1);
	ck_assert(effective_update(view, vars.image));
	ck_assert(effective_known(view));
	ck_assert(effective_verify(view, vars.image));
	effective_free(view);
	vars_free(&vars);
}
END_TEST

/* --- the parts of the view --- */

/* Each byte of both headers is a part of the view. */
START_TEST(headers_are_compared)
{
	static const unsigned int padding[] = { 3, 23, 24, 31 };
	struct vars vars = vars_make("2m");
	struct effective *view = effective_new((uint32_t)vars.size);
	size_t at = vars_add(&vars, 0x3f, vendor_other, "A", "a");

	ck_assert_ptr_nonnull(view);
	effective_parse(view, vars.image);
	for (uint32_t i = 0; i < 0x64; i++) {
		vars.image[i] ^= 1;
		effective_touch(view, i, 1);
		ck_assert(effective_update(view, vars.image));
		vars.image[i] ^= 1;
		effective_touch(view, i, 1);
		ck_assert(effective_update(view, vars.image));
		ck_assert(effective_verify(view, vars.image));
	}
	/* The bytes of a variable that no reader looks at. */
	for (size_t i = 0; i < sizeof(padding) / sizeof(padding[0]); i++) {
		vars.image[at + padding[i]] ^= 2;
		ck_assert(!touch_all(view, &vars));
	}
	effective_free(view);
	vars_free(&vars);
}
END_TEST

static char reported[512];
static int stop_at;

static int
report(void *opaque, enum effective_change change, const struct variable *old,
       const struct variable *new)
{
	size_t len = strlen(reported);
	char name[32];

	ck_assert_ptr_eq(opaque, reported);
	ck_assert_int_eq(old != NULL, change != EFFECTIVE_ADDED);
	ck_assert_int_eq(new != NULL, change != EFFECTIVE_REMOVED);
	(void)variable_name(old ? old : new, name, sizeof(name));
	snprintf(reported + len, sizeof(reported) - len, "%c%s ", "-!+"[change],
		 name);
	return --stop_at == 0 ? 42 : 0;
}

static int
diff(const struct vars *old, const struct vars *new, int stop)
{
	struct effective *view = effective_new((uint32_t)old->size);
	int ret;

	ck_assert_ptr_nonnull(view);
	ck_assert_uint_eq(old->size, new->size);
	effective_parse(view, old->image);
	(void)touch_all(view, new);
	reported[0] = '\0';
	stop_at = stop;
	ret = effective_changes(view, old->image, new->image, report, reported);
	effective_free(view);
	return ret;
}

START_TEST(differences_are_reported)
{
	struct vars old = vars_make("2m"), new = vars_make("2m");

	vars_add(&old, 0x3f, vendor_global, "Same", "1");
	vars_add(&old, 0x3f, vendor_global, "Gone", "1");
	vars_add(&old, 0x3d, vendor_global, "Deleted", "1");
	vars_add(&old, 0x3f, vendor_global, "Changed", "1");
	vars_add(&old, 0x3f, vendor_global, "Longer", "1");
	vars_add(&old, 0x3e, vendor_global, "Moved", "1");
	vars_add(&old, 0x3f, vendor_other, "Same", "1");
	vars_add(&new, 0x3f, vendor_other, "Added", "1");
	vars_add(&new, 0x3f, vendor_global, "Longer", "12");
	vars_add(&new, 0x3f, vendor_global, "Moved", "1");
	vars_add(&new, 0x3c, vendor_global, "Gone", "1");
	vars_add(&new, 0x3f, vendor_global, "Same", "1");
	vars_add(&new, 0x3f, vendor_global, "Changed", "2");
	vars_add(&new, 0x3f, vendor_global, "Deleted", "1");
	ck_assert_int_eq(diff(&old, &new, 0), 0);
	ck_assert_str_eq(reported,
			 "-Gone !Changed !Longer -Same +Added +Deleted ");
	ck_assert_int_eq(diff(&new, &old, 0), 0);
	ck_assert_str_eq(reported,
			 "-Added !Longer !Changed -Deleted +Gone +Same ");
	ck_assert_int_eq(diff(&old, &old, 0), 0);
	ck_assert_str_eq(reported, "");
	ck_assert_int_eq(diff(&old, &new, 2), 42);
	ck_assert_str_eq(reported, "-Gone !Changed ");
	ck_assert_int_eq(diff(&old, &new, 5), 42);
	ck_assert_str_eq(reported, "-Gone !Changed !Longer -Same +Added ");
	vars_free(&old);
	vars_free(&new);
}
END_TEST

/* Each field of a header except name and state. */
START_TEST(fields_are_compared)
{
	static const unsigned int fields[] = {
		4, 8, 16, 18, 19, 20, 21, 22, 32
	};
	struct vars old = vars_make("2m"), new;
	size_t off = vars_add(&old, 0x3f, vendor_global, "X", "1");

	new = vars_copy(&old);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		new.image[off + fields[i]] ^= 2;
		ck_assert_int_eq(diff(&old, &new, 0), 0);
		ck_assert_str_eq(reported, "!X ");
		new.image[off + fields[i]] ^= 2;
	}
	vars_free(&old);
	vars_free(&new);
}
END_TEST

/* Only the size of the variable that does not fit is written. */
START_TEST(break_is_mended)
{
	struct vars vars = vars_make("2m");
	struct watch w = watch_make(vars.image, vars.size);
	uint32_t at;

	vars_add(&vars, 0x3f, vendor_global, "A", "1");
	at = (uint32_t)vars_add(&vars, 0x3f, vendor_global, "B", "1");
	put_le32(vars.image + at + 40, 0x10000000);
	effective_touch(w.view, 0, (uint32_t)vars.size);
	watch_update(&w);
	ck_assert(!effective_known(w.view));
	put_le32(vars.image + at + 40, 1);
	effective_touch(w.view, at + 40, 4);
	watch_update(&w);
	ck_assert(effective_known(w.view));
	watch_free(&w);
	vars_free(&vars);
}
END_TEST

START_TEST(differences_up_to_the_break)
{
	struct vars whole = vars_make("2m"), broken;
	size_t off;

	vars_add(&whole, 0x3f, vendor_global, "A", "1");
	off = vars_add(&whole, 0x3f, vendor_global, "B", "1");
	broken = vars_copy(&whole);
	put_le32(broken.image + off + 40, 0x10000000);
	ck_assert_int_eq(diff(&broken, &whole, 0), 0);
	ck_assert_str_eq(reported, "+B ");
	ck_assert_int_eq(diff(&whole, &broken, 0), 0);
	ck_assert_str_eq(reported, "-B ");
	broken.image[40] = 'x'; /* no store */
	ck_assert_int_eq(diff(&whole, &broken, 0), 0);
	ck_assert_int_eq(diff(&broken, &whole, 0), 0);
	ck_assert_str_eq(reported, "");
	vars_free(&whole);
	vars_free(&broken);
}
END_TEST

/* --- the work --- */

static struct effective_work
work_since(const struct effective *view, struct effective_work before)
{
	struct effective_work now = effective_work(view);

	return (struct effective_work){
		.headers = now.headers - before.headers,
		.bytes = now.bytes - before.bytes,
		.choices = now.choices - before.choices,
		.probes = now.probes - before.probes,
	};
}

struct counting {
	struct vars vars;
	struct effective *view;
};

static void
written(void *opaque, uint32_t off, uint32_t len)
{
	struct counting *c = opaque;

	effective_touch(c->view, off, len);
}

static void
committed(void *opaque)
{
	struct counting *c = opaque;

	(void)effective_update(c->view, c->vars.image);
}

/* A store of the 4m layout with `count` variables of one byte. */
static struct counting
counting_make(unsigned int count)
{
	struct counting c = { .vars = vars_make("4m") };
	char name[] = "?";

	for (unsigned int i = 0; i < count; i++) {
		uint16_t text[2] = { htole16((uint16_t)(0x4e00 + i)), 0 };

		vars_add_raw(&c.vars, 0x3f, vendor_other, text, 4, name, 1);
	}
	c.view = effective_new((uint32_t)c.vars.size);
	ck_assert_ptr_nonnull(c.view);
	effective_parse(c.view, c.vars.image);
	ck_assert(effective_known(c.view));
	return c;
}

static void
counting_free(struct counting *c)
{
	effective_free(c->view);
	vars_free(&c->vars);
}

/* The work of setting a new variable, changing it, and deleting it. */
static struct effective_work
work_of_set(unsigned int count)
{
	struct counting c = counting_make(count);
	struct firmware f = {
		.vars = &c.vars,
		.written = written,
		.committed = committed,
		.opaque = &c,
	};
	struct effective_work before = effective_work(c.view);

	firmware_set(&f, vendor_other, "New", "value 1", 7);
	firmware_set(&f, vendor_other, "New", "value 2", 7);
	firmware_set(&f, vendor_other, "New", "", 0);
	ck_assert(effective_verify(c.view, c.vars.image));
	before = work_since(c.view, before);
	counting_free(&c);
	return before;
}

START_TEST(work_of_an_update_does_not_grow)
{
	struct effective_work few = work_of_set(50), many = work_of_set(3800);

	ck_assert_uint_eq(few.headers, many.headers);
	ck_assert_uint_eq(few.bytes, many.bytes);
	ck_assert_uint_eq(few.choices, many.choices);
	ck_assert_uint_lt(many.headers, 20);
	/* Two values and two names with GUIDs, and 40 bytes for each value. */
	ck_assert_uint_eq(many.bytes, 2 * (16 + 8 + 7 + 40));
	ck_assert_uint_le(many.choices, 8);
}
END_TEST

/* Names are found at once, however many there are. */
START_TEST(table_of_names_is_fast)
{
	struct counting c = counting_make(3853);
	uint64_t probes = effective_work(c.view).probes;

	ck_assert_uint_gt(probes, 0);
	ck_assert_uint_lt(probes, 2 * 3853);
	counting_free(&c);
}
END_TEST

/* More names than there is room for, one after the other. */
START_TEST(names_are_forgotten)
{
	struct vars vars = vars_make("2m");
	struct effective *view = effective_new((uint32_t)vars.size);
	size_t at = vars_add(&vars, 0x3f, vendor_other, "Name", "a");

	ck_assert_ptr_nonnull(view);
	effective_parse(view, vars.image);
	for (uint32_t i = 1; i < 50000; i++) {
		put_le32(vars.image + at + 44, i);
		effective_touch(view, (uint32_t)at + 44, 4);
		ck_assert(effective_update(view, vars.image));
		if (i % 1000 == 0)
			ck_assert(effective_verify(view, vars.image));
	}
	ck_assert_uint_lt(effective_work(view).probes, 4 * 50000);
	effective_free(view);
	vars_free(&vars);
}
END_TEST

/* The update of `len` bytes at `off` that are no part of the view. */
static void
costs_nothing(struct counting *c, uint32_t off, uint32_t len)
{
	struct effective_work work = effective_work(c->view);

	memset(c->vars.image + off, 0x5a, len);
	effective_touch(c->view, off, len);
	ck_assert(!effective_update(c->view, c->vars.image));
	work = work_since(c->view, work);
	ck_assert_uint_eq(work.headers + work.bytes + work.choices, 0);
	ck_assert(effective_verify(c->view, c->vars.image));
}

START_TEST(other_bytes_cost_nothing)
{
	struct counting c = counting_make(100);
	const struct fv_layout *layout = c.vars.layout;

	/* Free bytes; the firmware looks at the first ones for a variable. */
	costs_nothing(&c, (uint32_t)c.vars.at + 60, 1000);
	costs_nothing(&c, (uint32_t)c.vars.at + 2, 1);
	costs_nothing(&c, layout->event_log, FV_BLOCK_SIZE);
	costs_nothing(&c, layout->ftw_spare, layout->size - layout->ftw_spare);
	costs_nothing(&c, layout->ftw_work + 32 + 1, 20);
	counting_free(&c);
}
END_TEST

/* A byte of data costs its variable, a state byte no hash. */
START_TEST(work_of_single_bytes)
{
	struct counting c = counting_make(1000);
	uint32_t at = 0x64 + 500 * 68;
	struct effective_work work = effective_work(c.view);

	c.vars.image[at + 64] ^= 1; /* the data */
	effective_touch(c.view, at + 64, 1);
	ck_assert(effective_update(c.view, c.vars.image));
	work = work_since(c.view, work);
	ck_assert_uint_eq(work.headers, 1);
	ck_assert_uint_eq(work.bytes, 16 + 4 + 1 + 40);
	ck_assert_uint_le(work.choices, 1);

	/* Several ranges in one variable: it is hashed once. */
	work = effective_work(c.view);
	for (uint32_t i = 60; i < 68; i += 2)
		effective_touch(c.view, at + i, 1);
	ck_assert(!effective_update(c.view, c.vars.image));
	work = work_since(c.view, work);
	ck_assert_uint_eq(work.headers, 1);
	ck_assert_uint_eq(work.bytes, 16 + 4 + 1 + 40);

	work = effective_work(c.view);
	c.vars.image[at + 2] = 0x3e;
	effective_touch(c.view, at + 2, 1);
	ck_assert(!effective_update(c.view, c.vars.image));
	c.vars.image[at + 2] = 0x3c;
	effective_touch(c.view, at + 2, 1);
	ck_assert(effective_update(c.view, c.vars.image));
	work = work_since(c.view, work);
	ck_assert_uint_eq(work.headers, 2);
	ck_assert_uint_eq(work.bytes, 0);
	ck_assert_uint_eq(work.choices, 1);
	counting_free(&c);
}
END_TEST

/*
 * As many variables of one name as fit into the store, all written in one
 * burst, in pieces and as a whole: no more work than a parse.
 */
START_TEST(no_store_takes_quadratic_time)
{
	struct vars vars = vars_make("4m");
	struct effective *view = effective_new((uint32_t)vars.size);
	struct effective_work parse = { 0 }, work;
	uint64_t count = 0;
	size_t last = 0;

	ck_assert_ptr_nonnull(view);
	vars_make_plain(&vars);
	for (; vars.at + 32 <= vars.layout->variable_size; count++)
		last = vars_add_raw(&vars, _i ? 0x3e : 0x3f, vendor_other, "",
				    0, "", 0);
	ck_assert_uint_eq(count, 8188);
	effective_parse(view, vars.image);
	work = effective_work(view);
	ck_assert(effective_known(view));
	ck_assert_uint_eq(work.headers, count);
	ck_assert_uint_eq(work.choices, count);
	parse = work;
	/* More pieces than are noted one by one. */
	for (uint32_t off = 0; off < vars.layout->variable_size; off += 1000)
		effective_touch(view, (off * 7919) % 0x40000, 500);
	effective_touch(view, 0, (uint32_t)vars.size);
	ck_assert(!effective_update(view, vars.image));
	work = work_since(view, work);
	ck_assert_uint_le(work.headers, parse.headers);
	ck_assert_uint_le(work.choices, parse.choices);
	ck_assert_uint_le(work.bytes, parse.bytes);
	/* All states change. */
	for (uint32_t off = 0x64; off <= last; off += 32) {
		vars.image[off + 2] = 0x3c;
		effective_touch(view, off + 2, 1);
	}
	work = effective_work(view);
	ck_assert(effective_update(view, vars.image));
	work = work_since(view, work);
	ck_assert_uint_le(work.headers, 2 * parse.headers);
	ck_assert_uint_le(work.choices, parse.choices);
	ck_assert(effective_verify(view, vars.image));
	effective_free(view);
	vars_free(&vars);
}
END_TEST

/* --- memory --- */

START_TEST(allocations_that_fail)
{
	struct effective *view;

	no_random = true;
	ck_assert_ptr_null(effective_new(0x20000));
	no_random = false;
	if (!memory_can_fail())
		return;
	for (unsigned int n = 1;; n++) {
		memory_fault = (struct memory_fault){ .nth = n };
		view = effective_new(0x20000);
		memory_fault.nth = 0;
		ck_assert_int_eq(view == NULL, memory_fault.hits);
		if (!memory_fault.hits)
			break;
		effective_free(view);
	}
	memory_fault = (struct memory_fault){ .nth = 1 };
	ck_assert_ptr_null(effective_like(view));
	memory_fault.nth = 0;
	effective_free(view);
}
END_TEST

/* Each allocation after effective_new() would fail. */
START_TEST(updates_allocate_nothing)
{
	struct counting c = counting_make(300);
	bool changed = true, same;
	unsigned int calls;

	memory_fault = (struct memory_fault){ .nth = UINT32_MAX };
	for (uint32_t i = 0; i < 300; i++) {
		c.vars.image[0x64 + i * 68 + 2] = 0x3c;
		effective_touch(c.view, 0x64 + i * 68 + 2, 1);
		changed &= effective_update(c.view, c.vars.image);
	}
	memset(c.vars.image + 0x64, 0xff, 0x10000);
	effective_touch(c.view, 0x64, 0x10000);
	same = !effective_update(c.view, c.vars.image);
	effective_parse(c.view, c.vars.image);
	calls = memory_fault.calls; /* the assertions allocate, too */
	ck_assert_uint_eq(calls, 0);
	ck_assert(changed && same);
	memory_fault.nth = 0;
	counting_free(&c);
}
END_TEST

static Suite *
effective_suite(void)
{
	Suite *suite = suite_create("effective");
	TCase *tc = tcase_create("effective");

	tcase_add_test(tc, siphash_of_the_paper);
	tcase_add_test(tc, recorded_boots);
	tcase_add_test(tc, each_variable_set_is_one_change);
	tcase_add_loop_test(tc, random_writes, 0, 4 * RANDOM_STORES);
	tcase_add_test(tc, first_update_reads_all);
	tcase_add_loop_test(tc, damaged_stores_are_unknown, 0, 2);
	tcase_add_loop_test(tc, other_pending_writes_are_unknown, 0, 2);
	tcase_add_test(tc, usual_writes_are_known);
	tcase_add_test(tc, unusual_sizes);
	tcase_add_test(tc, too_many_variables_are_unknown);
	tcase_add_test(tc, headers_are_compared);
	tcase_add_test(tc, differences_are_reported);
	tcase_add_test(tc, fields_are_compared);
	tcase_add_test(tc, break_is_mended);
	tcase_add_test(tc, differences_up_to_the_break);
	tcase_add_test(tc, work_of_an_update_does_not_grow);
	tcase_add_test(tc, table_of_names_is_fast);
	tcase_add_test(tc, names_are_forgotten);
	tcase_add_test(tc, other_bytes_cost_nothing);
	tcase_add_test(tc, work_of_single_bytes);
	tcase_add_loop_test(tc, no_store_takes_quadratic_time, 0, 2);
	tcase_add_test(tc, allocations_that_fail);
	tcase_add_test(tc, updates_allocate_nothing);
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
