/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "pflash/store.h"

static int
read_until(int fd, const char *name, uint8_t *bytes, size_t len, size_t *got,
	   struct error *err)
{
	while (*got < len) {
		ssize_t n = read(fd, bytes + *got, len - *got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "%s", name);
		if (n == 0)
			break;
		*got += (size_t)n;
	}
	return 0;
}

/* Reads the header, and then as much as it says. */
int
stream_read(int fd, const char *name, uint8_t **stream, size_t *len,
	    struct error *err)
{
	uint8_t *bytes = malloc(STORE_TRANSFER_HEADER), *more;
	uint64_t total = STORE_TRANSFER_HEADER;
	int ret;

	*len = 0;
	*stream = bytes;
	if (!bytes)
		return error_set(err, ENOMEM, "out of memory");
	ret = read_until(fd, name, bytes, STORE_TRANSFER_HEADER, len, err);
	if (ret == 0 && *len == STORE_TRANSFER_HEADER)
		total = store_transfer_length(bytes);
	if (ret < 0 || total <= STORE_TRANSFER_HEADER)
		return ret;
	more = realloc(bytes, total + 1);
	if (!more)
		return error_set(err, ENOMEM, "out of memory");
	*stream = more;
	return read_until(fd, name, more, total + 1, len, err);
}
