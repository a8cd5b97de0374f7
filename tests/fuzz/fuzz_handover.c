/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer target: handover_load(). For any bytes it must not read beyond
 * their end, and must leave a record with nothing attached, or one that the
 * next process loads with the same result.
 *
 * Input: a byte for the kind (modulo 3). Kind 0: the bytes of the record. Kinds
 * 1 and 2: changes to a valid record of this version or of version 0.1, each of
 * them an offset of three bytes (modulo the size) and the new byte.
 */
#include <string.h>

#include "input.h"

#include "pflash/handover.h"

#define LIFE "life"
#define V01_SIZE 87344u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Alignas(4096) uint8_t memory[3][HANDOVER_SIZE];

static struct handover *
made(unsigned int i)
{
	struct handover *record;

	memset(memory[i], 0, HANDOVER_SIZE);
	handover_make(&record, memory[i]);
	return record;
}

/* Allocates the exact size, so that the sanitizer sees the end. */
static uint8_t *
allocate(size_t size)
{
	uint8_t *bytes = calloc(size ? size : 1, 1);

	demand(bytes != NULL, "out of memory");
	return bytes;
}

static uint8_t *
whole_record(size_t *size)
{
	struct handover *record = made(0);
	uint8_t *bytes;

	strcpy(record->incarnation, LIFE);
	record->attached = HANDOVER_ATTACHED;
	record->state[0].burst.length = 100;
	*size = record->length;
	bytes = allocate(*size);
	memcpy(bytes, record, *size);
	return bytes;
}

static uint8_t *
record_01(size_t *size)
{
	uint8_t *bytes = allocate(V01_SIZE);

	memcpy(bytes, "PFLASHL1\1", 9);
	memcpy(bytes + 16, LIFE, sizeof(LIFE));
	*size = V01_SIZE;
	return bytes;
}

static void
change(struct input *in, uint8_t *bytes, size_t size)
{
	while (in->left > 0) {
		size_t at = (size_t)take(in, 3) % size;

		bytes[at] = (uint8_t)take(in, 1);
	}
}

static uint8_t *
make_input(struct input *in, size_t *size)
{
	unsigned int kind = (unsigned int)take(in, 1) % 3;
	uint8_t *bytes;

	if (kind == 0) {
		*size = in->left;
		bytes = allocate(*size);
		memcpy(bytes, in->data, *size);
		return bytes;
	}
	bytes = kind == 1 ? whole_record(size) : record_01(size);
	change(in, bytes, *size);
	return bytes;
}

static bool
is_terminated(const char *text, size_t room)
{
	return memchr(text, '\0', room) != NULL;
}

static void
check_loaded(const struct handover *record)
{
	struct handover *again = made(2);
	struct error err;

	demand(record->attached == HANDOVER_ATTACHED ||
		       record->attached == HANDOVER_SAVED,
	       "a loaded record has nothing attached");
	demand(strcmp(record->incarnation, LIFE) == 0,
	       "the record is of another incarnation");
	demand(is_terminated(record->vars, sizeof(record->vars)),
	       "the path is not terminated");
	demand(handover_now(record)->burst.length <= HANDOVER_BURST_LIMIT,
	       "the burst is too long");
	demand(handover_load(again, record, HANDOVER_SIZE, LIFE, &err) == 1,
	       "handover_load() refuses a record that it has loaded");
	again->turn = record->turn;
	demand(memcmp(again, record, HANDOVER_SIZE) == 0,
	       "loading a loaded record changes it");
	(void)handover_progress(record, 0);
	(void)handover_under_way(record);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct handover *record;
	struct error err = { .text = "" };
	uint8_t *bytes = make_input(&in, &size);
	int ret;

	record = made(1);
	ret = handover_load(record, bytes, size, LIFE, &err);
	free(bytes);
	demand(ret == 1 || ret == 0 || ret == -EINVAL,
	       "handover_load() returns a wrong code");
	demand((ret == -EINVAL) == (err.text[0] != '\0'),
	       "there is a sentence without an error, or none with it");
	if (ret == 1)
		check_loaded(record);
	else
		demand(memcmp(record, made(2), HANDOVER_SIZE) == 0,
		       "a refused record leaves something attached");
	return 0;
}
