/* SPDX-License-Identifier: BSD-2-Clause */
/* The chip alone, with an array in memory that is not stored. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "pflash/cfi.h"

struct bare {
	struct cfi chip;
	uint8_t *array;
};

static int
array_program(void *owner, uint32_t off, const uint8_t *bytes, uint32_t len)
{
	struct bare *bare = owner;

	if (len == 1)
		bare->array[off] = *bytes;
	else
		memcpy(bare->array + off, bytes, len);
	return 0;
}

static int
array_erase(void *owner, uint32_t off, uint32_t len)
{
	struct bare *bare = owner;

	memset(bare->array + off, 0xff, len);
	return 0;
}

static int
array_commit(void *owner)
{
	(void)owner;
	return 0;
}

static int
array_protect(void *owner, const uint8_t *registers, uint32_t len)
{
	(void)owner, (void)registers, (void)len;
	return 0;
}

static const struct cfi_ops array_ops = {
	.program = array_program,
	.erase = array_erase,
	.commit = array_commit,
	.protect = array_protect,
};

static void
bare_close(void *flash)
{
	struct bare *bare = flash;

	free(bare->array);
	free(bare);
}

static void *
bare_open(const char *file, uint32_t size)
{
	struct bare *bare = calloc(1, sizeof(*bare));
	struct cfi_config config = { .owner = bare, .ops = &array_ops };

	(void)file;
	if (!bare)
		return NULL;
	bare->array = malloc(size);
	config.array = bare->array;
	if (!bare->array ||
	    geometry_parse(&config.geometry, size, 1, 0, "4096", NULL) < 0 ||
	    cfi_init(&bare->chip, &config) < 0) {
		bare_close(bare);
		return NULL;
	}
	memset(bare->array, 0xff, size);
	return bare;
}

static void
bare_write(void *flash, uint64_t off, unsigned int size, uint64_t value)
{
	struct bare *bare = flash;

	cfi_write(&bare->chip, off, size, value);
}

static uint64_t
bare_read(void *flash, uint64_t off, unsigned int size)
{
	const struct bare *bare = flash;

	return cfi_read(&bare->chip, off, size);
}

const struct bench_flash chip_bare = {
	.name = "the chip alone",
	.kind = BENCH_CHIP,
	.open = bare_open,
	.write = bare_write,
	.read = bare_read,
	.close = bare_close,
};

int
trace_apply(const struct trace *trace, uint8_t *array, uint32_t size)
{
	struct bare *bare = bare_open(NULL, size);

	if (!bare)
		return -ENOMEM;
	memcpy(bare->array, array, size);
	for (size_t i = 0; i < trace->count; i++) {
		const struct access *access = &trace->accesses[i];

		if (access->write)
			bare_write(bare, access->off, access->size,
				   access->value);
	}
	memcpy(array, bare->array, size);
	bare_close(bare);
	return 0;
}
