/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/varstore.h"

#include <errno.h>
#include <string.h>

#include "ftw.h"
#include "guid.h"
#include "header.h"
#include "variable.h"

#include "pflash/le.h"

/*
 * The offset of the volume with the current variables: the spare area if a
 * pending write will copy it over the store.
 */
static size_t
find_volume(const uint8_t *image, size_t size)
{
	const struct fv_layout *layout = fv_layout_by_size(size);

	if (!layout || !ftw_replaces_store(layout, image))
		return 0;
	return layout->ftw_spare;
}

int
varstore_open(struct varstore *store, const uint8_t *image, size_t size,
	      struct error *err)
{
	size_t base, header;
	uint64_t end;
	const uint8_t *p;

	memset(store, 0, sizeof(*store));
	if (size < FVH_MIN_LENGTH + STORE_HEADER_SIZE)
		return error_set(err, EINVAL,
				 "%zu bytes are too few for a variable store",
				 size);
	base = find_volume(image, size);
	if (!fv_has_signature(image + base))
		return error_set(err, EINVAL,
				 "no firmware volume begins at offset %#zx",
				 base);
	header = get_le16(image + base + FVH_HEADER_LENGTH);
	if (header < FVH_MIN_LENGTH || header > size - base - STORE_HEADER_SIZE)
		return error_set(err, EINVAL,
				 "the volume header claims an impossible "
				 "length of %zu bytes",
				 header);
	p = image + base + header;
	store->authenticated = !memcmp(p, guid_authenticated, GUID_SIZE);
	if (!store->authenticated && memcmp(p, guid_plain, GUID_SIZE))
		return error_set(err, EINVAL,
				 "no variable store begins at offset %#zx",
				 base + header);
	end = variable_align(base + header + get_le32(p + STORE_SIZE));
	if (end > size || end < base + header + STORE_HEADER_SIZE)
		return error_set(err, EINVAL,
				 "the variable store claims an impossible "
				 "size of %u bytes",
				 get_le32(p + STORE_SIZE));
	store->image = image;
	store->start = (size_t)variable_align(base + header +
					      STORE_HEADER_SIZE);
	store->end = (size_t)end;
	store->in_spare = base != 0;
	return 0;
}

size_t
variable_header_size(const struct varstore *store)
{
	return store->authenticated ? AUTH_SIZE : PLAIN_SIZE;
}

/*
 * NameSizeOfVariable() and DataSizeOfVariable() (VariableParsing.c:115-213)
 * return 0 for an incomplete header.
 */
static void
read_sizes(const uint8_t *p, bool authenticated, struct variable *v)
{
	const uint8_t *sizes = p + (authenticated ? AUTH_NAME_SIZE :
						    PLAIN_NAME_SIZE);

	v->state = p[VARIABLE_STATE];
	v->attributes = get_le32(p + VARIABLE_ATTRIBUTES);
	v->name_size = get_le32(sizes);
	v->data_size = get_le32(sizes + 4);
	if (v->state != VARIABLE_UNWRITTEN && v->attributes != UINT32_MAX &&
	    v->name_size != UINT32_MAX && v->data_size != UINT32_MAX)
		return;
	v->name_size = 0;
	v->data_size = 0;
}

static void
read_authentication(const uint8_t *p, struct variable *v)
{
	const uint8_t *time = p + AUTH_TIME;

	v->monotonic_count = get_le64(p + AUTH_COUNT);
	v->time.year = get_le16(time);
	v->time.month = time[2];
	v->time.day = time[3];
	v->time.hour = time[4];
	v->time.minute = time[5];
	v->time.second = time[6];
	v->key_index = get_le32(p + AUTH_KEY_INDEX);
}

int
variable_step(const struct varstore *store, struct variable *v)
{
	size_t off = v->next ? v->next : store->start;
	size_t header = variable_header_size(store);
	const uint8_t *p = store->image + off;
	uint64_t next;

	v->next = off;
	if (off >= store->end || get_le16(p) != VARIABLE_START)
		return 0;
	if (store->end - off < header)
		return -EINVAL;
	read_sizes(p, store->authenticated, v);
	next = variable_align((uint64_t)off + header + v->name_size +
			      v->data_size);
	if (next > store->end)
		return -EINVAL;
	v->offset = off;
	v->next = (size_t)next;
	v->guid = p + header - GUID_SIZE;
	v->name = p + header;
	v->data = v->name + v->name_size;
	if (store->authenticated)
		read_authentication(p, v);
	return 1;
}

bool
variable_same_name(const struct variable *a, const struct variable *b)
{
	return a->name_size == b->name_size &&
	       !memcmp(a->guid, b->guid, GUID_SIZE) &&
	       !memcmp(a->name, b->name, a->name_size);
}

/*
 * FindVariableEx() (VariableParsing.c:463): the first matching variable in the
 * state VARIABLE_ADDED, or else the last one in VARIABLE_IN_TRANSITION.
 */
int
varstore_find(const struct varstore *store, const uint8_t *guid,
	      const uint8_t *name, uint32_t name_size,
	      struct variable *variable)
{
	const struct variable wanted = {
		.guid = guid,
		.name = name,
		.name_size = name_size,
	};
	struct variable v = { 0 };

	memset(variable, 0, sizeof(*variable));
	while (variable_step(store, &v) > 0) {
		if (!variable_can_be_live(v.state) ||
		    !variable_same_name(&v, &wanted))
			continue;
		*variable = v;
		if (v.state == VARIABLE_ADDED)
			break;
	}
	variable->live = variable->offset != 0;
	return variable->live ? 0 : -ENOENT;
}

int
varstore_next(const struct varstore *store, struct variable *variable)
{
	struct variable found;
	int ret = variable_step(store, variable);

	variable->live = false;
	if (ret <= 0 || !variable_can_be_live(variable->state))
		return ret;
	(void)varstore_find(store, variable->guid, variable->name,
			    variable->name_size, &found);
	variable->live = found.offset == variable->offset;
	return ret;
}

bool
variable_name_valid(const struct variable *variable)
{
	uint32_t size = variable->name_size;

	if (size < 4 || size % 2)
		return false;
	for (uint32_t i = 0; i < size; i += 2)
		if ((get_le16(variable->name + i) == 0) != (i == size - 2))
			return false;
	return true;
}
