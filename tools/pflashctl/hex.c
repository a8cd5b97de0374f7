/* SPDX-License-Identifier: BSD-2-Clause */
#include "hex.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "pflash/hex.h"

static int
refuse(size_t at, size_t len, struct error *err)
{
	if (at == len)
		return error_set(err, EINVAL,
				 "the hexadecimal digits end within a byte");
	return error_set(err, EINVAL,
			 "character %zu is not a hexadecimal digit", at + 1);
}

static int
read_bytes(const char *text, size_t len, bool spaces, uint8_t *to, size_t *size,
	   struct error *err)
{
	*size = 0;
	for (size_t i = 0; i < len; i++) {
		int high = hex_digit(text[i]), low;

		if (spaces && isspace((unsigned char)text[i]))
			continue;
		if (high < 0)
			return refuse(i, len, err);
		i++;
		low = i < len ? hex_digit(text[i]) : -1;
		if (low < 0)
			return refuse(i, len, err);
		to[(*size)++] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

int
hex_read(const char *text, size_t len, bool spaces, uint8_t **bytes,
	 size_t *size, struct error *err)
{
	int ret;

	*bytes = malloc(len / 2 + 1);
	if (!*bytes)
		return error_set(err, ENOMEM, "out of memory");
	ret = read_bytes(text, len, spaces, *bytes, size, err);
	if (ret < 0) {
		free(*bytes);
		*bytes = NULL;
	}
	return ret;
}
