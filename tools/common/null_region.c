/* SPDX-License-Identifier: BSD-2-Clause */
#include "null_region.h"

static uint64_t
null_read(void *opaque, uint64_t off, unsigned int size)
{
	(void)opaque, (void)off, (void)size;
	return 0;
}

static void
null_write(void *opaque, uint64_t off, unsigned int size, uint64_t value)
{
	(void)opaque, (void)off, (void)size, (void)value;
}

int
null_region_add(struct ioreq_server *server, uint64_t first, uint64_t size,
		struct error *err)
{
	static const struct ioreq_region_ops ops = {
		.read = null_read,
		.write = null_write,
	};
	const struct ioreq_region region = {
		.space = IOREQ_SPACE_MEMORY,
		.first = first,
		.size = size,
		.ops = &ops,
	};

	return ioreq_server_add(server, &region, err);
}
