/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conversion of a VARS image to another layout.  The new variable store is
 * built like the one that edk2's Reclaim() leaves (Variable.c:491), but keeps
 * the order of the old store, also for a variable IN_TRANSITION.
 */
#include "pflash/convert.h"

#include <errno.h>
#include <string.h>

#include "ftw.h"
#include "guid.h"
#include "header.h"
#include "variable.h"

/* The attributes for which the driver applies PcdMaxAuthVariableSize. */
#define AUTHENTICATED (VARIABLE_AUTHENTICATED | VARIABLE_TIME_AUTHENTICATED)

struct conversion {
	const struct varstore *from;
	const struct fv_layout *layout; /* of the new image */
	uint8_t *out;
	size_t at, end; /* of the next variable and of the store, in `out` */
	fv_misfit_fn *misfit;
	void *opaque;
	int count;
	bool fits;
};

uint32_t
fv_largest_variable(const struct fv_layout *layout, uint32_t attributes)
{
	return attributes & AUTHENTICATED ? layout->max_variable :
					    layout->max_plain;
}

/*
 * Refuses an image in which the firmware executes a write before it reads its
 * variables, unless the result is the store that varstore_open() finds.
 */
static int
check_rest(const struct fv_layout *layout, const uint8_t *image,
	   struct error *err)
{
	switch (ftw_at_boot(layout, image)) {
	case FTW_LEAVES: break;
	case FTW_WRITES:
		if (ftw_replaces_store(layout, image))
			break;
		return error_set(err, EBUSY,
				 "a fault-tolerant write is unfinished; the "
				 "firmware completes it at the guest's next "
				 "start");
	case FTW_UNKNOWN:
		return error_set(err, EINVAL,
				 "the working block of its fault-tolerant "
				 "writes has contents that OVMF never writes");
	}
	return 0;
}

static int
open_source(struct varstore *store, const uint8_t *image, size_t size,
	    struct error *err)
{
	const struct fv_layout *layout = fv_layout_by_size(size);
	struct fv_report report = { .count = 0 };
	int ret;

	if (!layout)
		return error_set(err, EINVAL,
				 "has %zu bytes, which is not the size of a "
				 "known layout",
				 size);
	if (!fv_check(image, size, &report))
		return error_set(err, EINVAL,
				 "its variable store has errors, which "
				 "`pflashctl check` lists");
	ret = check_rest(layout, image, err);
	return ret < 0 ? ret : varstore_open(store, image, size, err);
}

/* The bytes of header, name and data, without the padding behind them. */
static size_t
length(const struct varstore *store, const struct variable *v)
{
	return variable_header_size(store) + v->name_size + v->data_size;
}

/* Reports a variable that does not fit; true: it fits. */
static bool
check_fit(struct conversion *to, const struct variable *v, size_t len)
{
	uint32_t most = fv_largest_variable(to->layout, v->attributes);
	struct fv_misfit misfit = {
		.variable = *v,
		.size = (uint32_t)len,
		.limit = most,
		.too_large = len > most,
	};

	if (!misfit.too_large && variable_align(len) <= to->end - to->at)
		return true;
	if (!misfit.too_large)
		misfit.limit = (uint32_t)(to->end - to->at);
	to->fits = false;
	if (to->misfit)
		to->misfit(to->opaque, &misfit);
	return false;
}

static void
append(struct conversion *to, const struct variable *v)
{
	size_t len = length(to->from, v);

	if (!check_fit(to, v, len))
		return;
	memcpy(to->out + to->at, to->from->image + v->offset, len);
	to->out[to->at + VARIABLE_STATE] = VARIABLE_ADDED;
	to->at += (size_t)variable_align(len);
	to->count++;
}

/* Makes the new store an empty one, with the old one's kind of headers. */
static void
format(struct conversion *to)
{
	const struct fv_layout *layout = to->layout;

	fv_format(layout, to->out);
	if (!to->from->authenticated)
		memcpy(to->out + FVH_MIN_LENGTH + STORE_SIGNATURE, guid_plain,
		       GUID_SIZE);
	to->at = FVH_MIN_LENGTH + STORE_HEADER_SIZE;
	to->end = layout->variable_size;
}

/* Steps to the next live variable. */
static bool
next_live(const struct varstore *store, struct variable *v)
{
	int ret;

	do
		ret = varstore_next(store, v);
	while (ret > 0 && !v->live);
	return ret > 0;
}

/* Compares all bytes of two variables except the state. */
static bool
is_same(const struct varstore *a, const struct variable *x,
	const struct varstore *b, const struct variable *y)
{
	const uint8_t *p = a->image + x->offset, *q = b->image + y->offset;
	size_t len = length(a, x);

	return length(b, y) == len && !memcmp(p, q, VARIABLE_STATE) &&
	       !memcmp(p + VARIABLE_RESERVED, q + VARIABLE_RESERVED,
		       len - VARIABLE_RESERVED);
}

/* True if the firmware finds the same variables in the same order. */
static bool
has_same_variables(const struct conversion *to)
{
	struct variable x = { 0 }, y = { 0 };
	struct varstore store;

	if (varstore_open(&store, to->out, to->layout->size, NULL) < 0 ||
	    store.authenticated != to->from->authenticated)
		return false;
	while (next_live(to->from, &x))
		if (!next_live(&store, &y) ||
		    !is_same(to->from, &x, &store, &y))
			return false;
	return !next_live(&store, &y) && y.next == to->at;
}

int
fv_convert(const uint8_t *image, size_t size, const struct fv_layout *to,
	   uint8_t *out, fv_misfit_fn *misfit, void *opaque, struct error *err)
{
	struct varstore store;
	struct conversion conversion = {
		.from = &store,
		.layout = to,
		.out = out,
		.misfit = misfit,
		.opaque = opaque,
		.fits = true,
	};
	struct fv_report report = { .count = 0 };
	struct variable v = { 0 };
	int ret = open_source(&store, image, size, err);

	if (ret < 0)
		return ret;
	format(&conversion);
	while (next_live(&store, &v))
		append(&conversion, &v);
	if (!conversion.fits)
		return error_set(err, ENOSPC,
				 "variables do not fit into the layout %s",
				 to->name);
	if (!has_same_variables(&conversion) ||
	    !fv_check(out, to->size, &report))
		return error_set(err, EINVAL,
				 "the guest would find other variables");
	return conversion.count;
}

/* True if the variable of this ASCII name is live. */
static bool
exists(const struct varstore *store, const uint8_t *guid, const char *ascii)
{
	struct variable found;
	uint8_t name[16] = { 0 };
	size_t len = strlen(ascii);

	for (size_t i = 0; i < len; i++)
		name[2 * i] = (uint8_t)ascii[i];
	return varstore_find(store, guid, name, 2 * (uint32_t)len + 2,
			     &found) == 0;
}

bool
fv_limits_dbx(const uint8_t *image, size_t size, uint32_t *limit)
{
	const struct fv_layout *layout = fv_layout_by_size(size);
	struct varstore store;

	if (!layout || varstore_open(&store, image, size, NULL) < 0)
		return false;
	*limit = layout->max_variable;
	return layout->max_variable < FV_DBX_TODAY &&
	       (exists(&store, guid_global, "PK") ||
		exists(&store, guid_security_database, "dbx"));
}
