/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer target: edits of a VARS image. The first byte of the input chooses
 * the image, see below; the next two are the number of bytes that follow for
 * its contents; each 6 bytes behind them are an edit, see change().
 *
 * Beside memory errors it aborts unless, now and then and at the end,
 * - an edit begins if the store can be compacted, and never on an image with
 *   errors;
 * - the image of an edit passes fv_check() after each change;
 * - exactly the wanted variable has changed, and an error changes no byte;
 * - nothing outside of the variable store changes;
 * - only a store that is really full is full.
 */
#include <string.h>

#include "input.h"

#include "pflash/edit.h"
#include "pflash/effective.h"
#include "pflash/fv.h"
#include "pflash/le.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADERS 100u
#define MAX_EDITS 60
#define EDIT_BYTES 6u

/* Bits of the first byte. */
enum {
	BYTES = 1,   /* the contents are the bytes of the store, not records */
	SMALL = 2,   /* 4 blocks of no known layout, not the 2m layout */
	PENDING = 4, /* a write of the store is pending */
	BLOCK = 8,   /* the contents go into the working block */
	PLAIN = 16,  /* variables have short headers */
	FULL = 32,   /* little room is left */
	DIRTY = 64,  /* a byte behind the variables is not erased */
	ANYWHERE = 128, /* the contents go to the start of the image */
};

/* A copy of a live variable. */
struct entry {
	struct variable v;
	uint8_t *bytes; /* vendor GUID, name, data */
};

static struct entry *model;
static size_t count;

static void *
must_alloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	demand(p != NULL, "memory");
	return p;
}

/* --- the image --- */

static void
fix_sum(uint8_t *image, size_t size)
{
	uint16_t header = get_le16(image + 48), sum = 0;

	put_le16(image + 50, 0);
	for (size_t i = 0; i + 2 <= header && i + 2 <= size; i += 2)
		sum = (uint16_t)(sum + get_le16(image + i));
	put_le16(image + 50, (uint16_t)-sum);
}

/* An image of 4 blocks, the third of which is the working block. */
static void
make_small(uint8_t *image)
{
	memcpy(image + 0x2000, image + 0xf000, 32);
	memset(image + 0x2020, 0xff, 0x1fe0);
	put_le64(image + 32, 0x4000);
	put_le32(image + 56, 4);
	put_le32(image + 72 + 16, 0x2000 - 72);
	fix_sum(image, 0x4000);
}

static void
make_pending(uint8_t *image, const struct fv_layout *layout)
{
	uint8_t *write = image + layout->ftw_work + 32;

	memcpy(image + layout->ftw_spare, image, layout->variable_size);
	memset(write, 0, 80);
	write[0] = 0xfc;
	write[24] = 1;
	write[40] = 0xfd;
	put_le64(write + 40 + 16, 72);
	put_le64(write + 40 + 24, layout->variable_size - 72);
	put_le64(write + 40 + 32, -(uint64_t)layout->ftw_spare);
}

/* A variable with a name of 1 to 3 letters; returns its size with padding. */
static uint32_t
put_variable(uint8_t *p, bool plain, uint8_t state, uint8_t name, uint32_t len)
{
	uint32_t header = plain ? 32 : 60, letters = name / 4u % 3 + 1;

	memset(p, 0, header + 2 * letters + 2);
	put_le16(p, 0x55aa);
	p[2] = state;
	p[4] = 7;
	put_le32(p + header - 24, 2 * letters + 2);
	put_le32(p + header - 20, len);
	p[header - 1] = name & 0x80;
	for (uint32_t i = 0; i < letters; i++)
		p[header + 2 * i] = (uint8_t)('A' + name % 4);
	memset(p + header + 2 * letters + 2, name, len);
	return (header + 2 * letters + 2 + len + 3) & ~3u;
}

/* 3 bytes: state, name, length; some flip a bit of the header. */
static size_t
put_records(uint8_t *image, size_t end, bool plain, const uint8_t *data,
	    size_t size)
{
	static const uint8_t states[] = { 0x3f, 0x3e, 0x3d, 0x3c,
					  0x7f, 0xff, 0x3f, 0x3f };
	size_t at = HEADERS;

	for (; size >= 3 && end - at >= 400; data += 3, size -= 3) {
		uint32_t used = put_variable(image + at, plain,
					     states[data[0] % 8], data[1],
					     data[2]);

		if (data[0] >= 0xf0)
			image[at + data[1] % 60] ^= (uint8_t)(1u
							      << (data[2] & 7));
		at += used;
	}
	return at;
}

static void
fill(uint8_t *image, size_t at, size_t end, bool plain)
{
	while (end - at > 0x1000)
		at += put_variable(image + at, plain, 0x3f,
				   (uint8_t)(0x40 + at / 0x800), 0x700);
}

/* Returns the image, which the caller frees, and sets *size. */
static uint8_t *
make_image(uint8_t how, const uint8_t *data, size_t len, size_t *size)
{
	const struct fv_layout *layout = fv_layout_by_name("2m");
	size_t end = how & SMALL ? 0x2000 : layout->variable_size;
	size_t at = HEADERS, block = how & SMALL ? 0x2000 : layout->ftw_work;
	uint8_t *image = must_alloc(layout->size), *exact;

	fv_format(layout, image);
	*size = layout->size;
	if (how & SMALL) {
		make_small(image);
		*size = 0x4000;
	}
	if (how & PLAIN)
		memcpy(image + 72,
		       "\x16\x36\xcf\xdd\x75\x32\x64\x41"
		       "\x98\xb6\xfe\x85\x70\x7f\xfe\x7d",
		       16);
	if (how & BLOCK)
		memcpy(image + block + 32, data, len < 0xfe0 ? len : 0xfe0);
	else if (how & ANYWHERE)
		memcpy(image, data, len < *size ? len : *size);
	else if (how & BYTES)
		memcpy(image + at, data, len < end - at ? len : end - at);
	else
		at = put_records(image, end, how & PLAIN, data, len);
	if (how & FULL)
		fill(image, at, end, how & PLAIN);
	if (how & DIRTY)
		image[end - 8] = 0x55;
	if ((how & PENDING) && !(how & SMALL))
		make_pending(image, layout);
	exact = must_alloc(*size);
	memcpy(exact, image, *size);
	free(image);
	return exact;
}

/* --- the model --- */

static void
copy_entry(struct entry *entry, const struct variable *v)
{
	entry->v = *v;
	entry->bytes = must_alloc(GUID_SIZE + v->name_size + v->data_size);
	memcpy(entry->bytes, v->guid, GUID_SIZE);
	memcpy(entry->bytes + GUID_SIZE, v->name, v->name_size);
	memcpy(entry->bytes + GUID_SIZE + v->name_size, v->data, v->data_size);
	entry->v.guid = entry->bytes;
	entry->v.name = entry->bytes + GUID_SIZE;
	entry->v.data = entry->v.name + v->name_size;
}

static struct entry *
find_entry(const struct variable *v)
{
	for (size_t i = 0; i < count; i++)
		if (model[i].v.name_size == v->name_size &&
		    !memcmp(model[i].v.guid, v->guid, GUID_SIZE) &&
		    !memcmp(model[i].v.name, v->name, v->name_size))
			return &model[i];
	return NULL;
}

static void
drop_entry(const struct variable *v)
{
	struct entry *entry = find_entry(v);

	if (!entry)
		return;
	free(entry->bytes);
	*entry = model[--count];
}

static void
set_entry(const struct variable *v)
{
	struct entry entry;

	copy_entry(&entry, v); /* whose name can be that of the old entry */
	drop_entry(v);
	model[count++] = entry;
}

static void
make_model(const struct varstore *store)
{
	struct variable v = { 0 };

	count = 0;
	model = must_alloc((store->end / 32 + MAX_EDITS) * sizeof(*model));
	while (varstore_next(store, &v) > 0)
		if (v.live)
			set_entry(&v);
}

static void
free_model(void)
{
	while (count)
		free(model[--count].bytes);
	free(model);
}

static bool
same_value(const struct variable *a, const struct variable *b)
{
	return a->attributes == b->attributes && a->data_size == b->data_size &&
	       !memcmp(a->data, b->data, a->data_size) &&
	       a->monotonic_count == b->monotonic_count &&
	       a->key_index == b->key_index && a->time.year == b->time.year &&
	       a->time.month == b->time.month && a->time.day == b->time.day &&
	       a->time.hour == b->time.hour &&
	       a->time.minute == b->time.minute &&
	       a->time.second == b->time.second;
}

static void
compare(const struct varstore *store)
{
	struct variable v = { 0 };
	size_t live = 0;

	while (varstore_next(store, &v) > 0) {
		const struct entry *entry = v.live ? find_entry(&v) : NULL;

		demand(!v.live || entry, "no unknown variable");
		demand(!v.live || same_value(&entry->v, &v), "the same value");
		live += v.live;
	}
	demand(live == count, "all variables");
}

/* --- edits --- */

/* The bytes of the store that the live variables of other names need. */
static size_t
bytes_of_others(const struct varstore *store, const struct variable *name)
{
	size_t header = store->authenticated ? 60 : 32, sum = 0;

	for (size_t i = 0; i < count; i++)
		if (&model[i] != find_entry(name))
			sum += (header + model[i].v.name_size +
				model[i].v.data_size + 3) &
			       ~(size_t)3;
	return sum;
}

static void
check_full(const struct varstore *store, const struct variable *v,
	   const struct fv_report *report)
{
	const uint64_t unsafe = UINT64_C(1) << FV_VARIABLE_HIDES |
				UINT64_C(1) << FV_VARIABLE_DUPLICATE |
				UINT64_C(1) << FV_VARIABLE_TRANSITION |
				UINT64_C(1) << FV_VARIABLE_STATE;
	size_t need = (store->authenticated ? 60 : 32) + v->name_size +
		      v->data_size;

	demand(report->codes & unsafe || bytes_of_others(store, v) + need >
						 store->end - store->start,
	       "a full store");
}

/*
 * Bytes: what to do; the name, as in put_variable(), or that of a live
 * variable; the length of the data, 2 bytes; attributes; contents and time.
 */
static void
take_change(struct input *in, uint8_t *what, uint8_t *bytes, uint8_t *data,
	    struct variable *v)
{
	uint8_t name, fill;

	*what = (uint8_t)take(in, 1);
	name = (uint8_t)take(in, 1);
	v->data_size = (uint32_t)take(in, 2) % 0x2900;
	v->attributes = (uint32_t)take(in, 1);
	fill = (uint8_t)take(in, 1);
	put_variable(bytes, true, 0x3f, name, 0);
	v->guid = bytes + 16;
	v->name = bytes + 32;
	v->name_size = get_le32(bytes + 8);
	if ((*what & 2) && count) {
		v->guid = model[name % count].v.guid;
		v->name = model[name % count].v.name;
		v->name_size = model[name % count].v.name_size;
	}
	if (*what & 4)
		v->data_size %= 64;
	if (*what & 8)
		v->attributes = *what & 16 ? 0x27 : 7;
	if (v->attributes & 0x20)
		v->time.year = v->time.second = fill;
	memset(data, fill, v->data_size);
	v->data = data;
}

static int
apply(struct edit *edit, bool removes, const struct variable *v)
{
	const struct edit_value value = {
		.guid = v->guid,
		.name = v->name,
		.name_size = v->name_size,
		.attributes = v->attributes,
		.time = v->time,
		.data = v->data,
		.data_size = v->data_size,
	};
	struct error err = { "" };
	int ret = removes ? edit_remove(edit, v->guid, v->name, v->name_size,
					&err) :
			    edit_set(edit, &value, &err);

	demand((ret < 0) == (err.text[0] != '\0'), "a sentence with an error");
	return ret;
}

/* Returns the result of the edit. */
static int
change(struct edit *edit, struct input *in, const struct fv_report *report)
{
	static uint8_t data[0x2900], bytes[64];
	const struct varstore *store = edit_store(edit);
	struct variable v = { 0 };
	bool exists, equal, removes;
	uint8_t what;
	int ret;

	take_change(in, &what, bytes, data, &v);
	removes = what & 1;
	exists = find_entry(&v) != NULL;
	equal = exists && same_value(&find_entry(&v)->v, &v);
	ret = apply(edit, removes, &v);
	if (removes) {
		demand(ret == (exists ? 0 : -ENOENT), "a variable is removed");
		if (ret == 0)
			drop_entry(&v);
		return ret < 0 ? ret : 1;
	}
	demand(ret != 0 || exists, "nothing is done for an equal value only");
	demand(ret != 1 || !equal, "an equal value is not written");
	if (ret == 1)
		set_entry(&v);
	else if (ret == -ENOSPC)
		check_full(store, &v, report);
	else
		demand(ret == 0 || ret == -E2BIG || ret == -EINVAL,
		       "a known error");
	return ret;
}

static void
edit_all(struct edit *edit, struct input *in, size_t size)
{
	const uint8_t *image = edit_image(edit);
	const struct varstore *store = edit_store(edit);
	uint8_t *before = must_alloc(size), *first = must_alloc(size);
	struct fv_report report, after;

	memcpy(first, image, size);
	demand(fv_check(image, size, &report), "a good image at first");
	make_model(store);
	for (int i = 0; i < MAX_EDITS && in->left; i++) {
		bool looks = in->left <= EDIT_BYTES || (*in->data & 0xe0) == 0;
		struct varstore copy;
		bool wrote;

		memcpy(before, image, size);
		wrote = change(edit, in, &report) > 0;
		demand(wrote == (memcmp(before, image, size) != 0),
		       "bytes change with a change only");
		if (!looks)
			continue;
		demand(fv_check(image, size, &after), "a good image");
		demand(varstore_open(&copy, image, size, NULL) == 0 &&
			       copy.start == store->start &&
			       copy.end == store->end && !copy.in_spare,
		       "the same store");
		compare(store);
	}
	demand(!memcmp(image, first, store->start) &&
		       !memcmp(image + store->end, first + store->end,
			       size - store->end),
	       "only the store changes");
	free_model();
	free(before);
	free(first);
}

/* True if the firmware would find other variables in the second image. */
static bool
is_changed(const uint8_t *image, const uint8_t *other, size_t size)
{
	struct effective *view = effective_new((uint32_t)size);
	bool changed;

	demand(view != NULL, "memory");
	effective_parse(view, image);
	effective_touch(view, 0, (uint32_t)size);
	changed = effective_update(view, other);
	effective_free(view);
	return changed;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t how = (uint8_t)take(&in, 1);
	size_t len = (size_t)take(&in, 2) % 0x600;
	struct error err = { "" };
	struct fv_report report;
	struct edit *edit;
	uint8_t *image;
	size_t image_size;
	bool fine;

	if (len > in.left)
		len = in.left;
	image = make_image(how, in.data, len, &image_size);
	in.data += len;
	in.left -= len;
	fine = fv_check(image, image_size, &report);
	if (edit_begin(&edit, image, image_size, &err) < 0) {
		demand(!edit && err.text[0], "a sentence and no edit");
		demand(!report.compactable, "a good image is edited");
	} else {
		demand(fine, "a damaged image is refused");
		demand(!is_changed(image, edit_image(edit), image_size),
		       "the beginning changes no variable");
		edit_all(edit, &in, image_size);
		edit_end(edit);
	}
	free(image);
	return 0;
}
