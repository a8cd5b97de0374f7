/* SPDX-License-Identifier: BSD-2-Clause */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "pflash/fv.h"
#include "pflash/varstore.h"

static inline uint64_t
fold(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9fb21c651e98df25u;
	return hash ^ (hash >> 29);
}

/* `size` must be a multiple of 32: four hash chains run side by side. */
static void
hash_image(const uint8_t *image, uint32_t size, uint64_t *hash)
{
	uint64_t lane[4] = { 1, 2, 3, 4 }, word[4];

	for (uint32_t i = 0; i < size; i += 32) {
		memcpy(word, image + i, 32);
		for (int j = 0; j < 4; j++)
			lane[j] = fold(lane[j], word[j]);
	}
	hash[0] = fold(fold(lane[0], lane[1]), size);
	hash[1] = fold(fold(lane[2], lane[3]), size);
}

static uint64_t
fold_bytes(uint64_t hash, const uint8_t *p, size_t len)
{
	while (len-- > 0)
		hash = fold(hash, *p++);
	return hash;
}

/*
 * The live variables, in any order, and the headers before them.  0 if the
 * firmware would not find a store, or not all of it.
 */
static uint64_t
hash_view(const uint8_t *image, uint32_t size)
{
	const struct fv_layout *layout = fv_layout_by_size(size);
	struct variable v = { 0 };
	struct varstore store;
	struct error err;
	uint64_t view;
	size_t base;
	int ret;

	if (!layout || varstore_open(&store, image, size, &err) < 0)
		return 0;
	base = store.in_spare ? layout->ftw_spare : 0;
	view = fold_bytes(1, image + base, store.start - base);
	while ((ret = varstore_next(&store, &v)) > 0) {
		uint64_t hash = fold(fold(2, v.attributes), v.monotonic_count);

		if (!v.live)
			continue;
		hash = fold_bytes(hash, v.guid, GUID_SIZE);
		hash = fold_bytes(hash, v.name, v.name_size);
		view += fold_bytes(fold(hash, v.name_size), v.data,
				   v.data_size);
	}
	return ret ? 0 : view;
}

bool
model_same_view(const struct model *model, uint32_t a, uint32_t b)
{
	uint64_t view = model_state(model, a)->view;

	return view && view == model_state(model, b)->view;
}

void
model_begin(struct model *model, uint32_t size)
{
	model->parent = NULL;
	model->shared = 0;
	model->count = 0;
	model->done = 0;
	model->may = (struct range){ .lo = 0 };
	memset(model->saved, 0, sizeof(model->saved));
	model->size = size;
	model->image = realloc(model->image, size);
	if (!model->image)
		abort();
	memset(model->image, 0, size);
	model_set(model, 0);
}

void
model_fork(struct model *model, const struct model *parent,
	   const struct range *may)
{
	model->parent = parent;
	model->shared = may->hi;
	model->count = may->hi + 1;
	model->done = may->hi;
	model->may = *may;
	model->views = parent->views;
	memcpy(model->damage, parent->damage,
	       may->damages * sizeof(model->damage[0]));
	memcpy(model->saved, parent->saved,
	       (may->saved_hi + 1) * sizeof(model->saved[0]));
	if (model->size != parent->size || !model->image) {
		model->size = parent->size;
		model->image = realloc(model->image, model->size);
		if (!model->image)
			abort();
	}
}

void
model_free(struct model *model)
{
	free(model->own);
	free(model->image);
}

const struct state *
model_state(const struct model *model, uint32_t number)
{
	while (model->parent && number <= model->shared)
		model = model->parent;
	return &model->own[number - (model->parent ? model->shared + 1 : 0)];
}

bool
model_is(const struct model *model, uint32_t number, const uint8_t *image)
{
	uint64_t hash[2];

	hash_image(image, model->size, hash);
	return number > 0 &&
	       !memcmp(model_state(model, number)->hash, hash, sizeof(hash));
}

static struct state *
add_state(struct model *model, uint32_t number)
{
	uint32_t first = model->parent ? model->shared + 1 : 0;

	if (number < first)
		abort();
	if (number - first >= model->room) {
		model->room = 2 * (number - first) + 64;
		model->own = realloc(model->own,
				     model->room * sizeof(model->own[0]));
		if (!model->own)
			abort();
	}
	if (number >= model->count)
		model->count = number + 1;
	return &model->own[number - first];
}

void
model_set(struct model *model, uint32_t number)
{
	struct state *state = add_state(model, number);

	hash_image(model->image, model->size, state->hash);
	state->view = model->views ? hash_view(model->image, model->size) : 0;
	state->sequence = 0;
	state->before = model->done;
	state->bursts = number ? model_state(model, model->done)->bursts + 1 :
				 0;
}

void
model_found(struct model *model, uint32_t number)
{
	struct range *may = &model->may;

	/*
	 * Later states were begun but are lost. They keep their numbers, and
	 * the state that was found gets a new one.
	 */
	if (number < may->hi) {
		struct state *state = add_state(model, may->hi + 1);

		*state = *model_state(model, number);
		number = may->hi + 1;
	}
	model->done = may->lo = may->hi = may->answered = number;
}

void
model_begin_history(struct model *model)
{
	struct state *state = add_state(model, ++model->may.hi);

	*state = *model_state(model, model->done);
	state->before = 0;
	state->bursts = 1;
	state->sequence = 0;
}

void
model_adopt(struct model *model, bool journal)
{
	struct range *may = &model->may;
	uint32_t hi = may->hi;

	for (uint32_t i = may->lo; journal && i <= hi; i++) {
		model->done = i;
		if (i > 0)
			model_set(model, ++may->hi);
	}
	model->done = 0;
	if (!journal)
		model_set(model, ++may->hi);
	model->done = may->hi;
}

bool
model_number(struct model *model, uint32_t number, uint64_t sequence)
{
	uint32_t first = model->parent ? model->shared + 1 : 0;
	uint64_t known = model_state(model, number)->sequence;

	if (!known && number >= first)
		model->own[number - first].sequence = sequence;
	return !known || known == sequence;
}

void
model_found_saved(struct model *model, uint32_t number)
{
	struct range *may = &model->may;

	if (number < may->saved_hi) {
		if (may->saved_hi + 1 >= MAX_SAVED)
			abort();
		model->saved[may->saved_hi + 1] = model->saved[number];
		number = may->saved_hi + 1;
	}
	may->saved_lo = may->saved_hi = number;
}
