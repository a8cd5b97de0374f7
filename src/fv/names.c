/* SPDX-License-Identifier: BSD-2-Clause */
#include "names.h"

#include <stdlib.h>

/* A large malloc() returns fresh pages, which use memory only when touched. */
bool
names_init(struct names *table, uint32_t room)
{
	table->names = malloc(room * sizeof(*table->names));
	table->buckets = malloc(room * sizeof(*table->buckets));
	if (!table->names || !table->buckets)
		return false;
	names_clear(table);
	return true;
}

void
names_free(struct names *table)
{
	free(table->names);
	free(table->buckets);
}

void
names_clear(struct names *table)
{
	table->buckets[0] = NONE;
	table->bucket_count = 1;
	table->half = 1;
	table->count = 0;
	table->used = 0;
	table->free = NONE;
}

/* The buckets from bucket_count to 2 half are not split off yet. */
static uint32_t *
bucket_of(const struct names *table, uint64_t hash)
{
	uint32_t bucket = (uint32_t)hash & (2 * table->half - 1);

	if (bucket >= table->bucket_count)
		bucket -= table->half;
	return &table->buckets[bucket];
}

static void
put(struct names *table, uint32_t *bucket, uint32_t index)
{
	table->names[index].chain = *bucket;
	*bucket = index;
}

/* Adds one bucket, and moves the names to it that belong there. */
static void
split(struct names *table)
{
	uint32_t *from = &table->buckets[table->bucket_count - table->half];
	uint32_t index = *from, next;

	*from = NONE;
	table->buckets[table->bucket_count++] = NONE;
	for (; index != NONE; index = next) {
		next = table->names[index].chain;
		put(table, bucket_of(table, table->names[index].hash), index);
	}
	if (table->bucket_count == 2 * table->half)
		table->half *= 2;
}

static uint32_t
take(struct names *table)
{
	uint32_t index = table->free;

	if (index == NONE)
		return table->used++;
	table->free = table->names[index].chain;
	return index;
}

uint32_t
names_get(struct names *table, uint64_t hash)
{
	uint32_t *bucket = bucket_of(table, hash);
	uint32_t index = *bucket;

	for (; index != NONE; index = table->names[index].chain) {
		table->probes++;
		if (table->names[index].hash == hash)
			return index;
	}
	index = take(table);
	table->names[index] = (struct name){
		.hash = hash,
		.first = NONE,
		.winner = NONE,
	};
	put(table, bucket, index);
	if (++table->count > table->bucket_count)
		split(table);
	return index;
}

void
names_remove(struct names *table, uint32_t index)
{
	struct name *name = &table->names[index];
	uint32_t *link = bucket_of(table, name->hash);

	while (*link != index)
		link = &table->names[*link].chain;
	*link = name->chain;
	name->chain = table->free;
	table->free = index;
	table->count--;
}
