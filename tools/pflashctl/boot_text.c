/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "pflash/le.h"
#include "pflash/text.h"
#include "pflash/utf16.h"
#include "pflash/varstore.h"

int
boot_utf16(const char *text, uint8_t **bytes, size_t *size, struct error *err)
{
	size_t left = strlen(text), len;
	uint32_t code;

	if (left == 0)
		return error_set(err, EINVAL, "an empty text");
	*bytes = malloc(2 * left + 2);
	if (!*bytes)
		return error_set(err, ENOMEM, "out of memory");
	*size = 0;
	for (const char *p = text; left; p += len, left -= len) {
		len = text_decode(p, left, &code);
		if (len == 0 || text_is_control(code)) {
			free(*bytes);
			*bytes = NULL;
			return error_set(err, EINVAL,
					 "'%s' is not UTF-8 without control "
					 "characters",
					 text);
		}
		*size += utf16_put(*bytes + *size, code);
	}
	put_le16(*bytes + *size, 0);
	*size += 2;
	return 0;
}

char *
boot_utf8(const uint8_t *utf16, size_t size)
{
	const struct variable text = {
		.name = utf16,
		.name_size = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size,
	};
	size_t room = 2 * size + 1; /* three bytes for two, at most */
	char *utf8 = malloc(room);

	if (utf8)
		(void)variable_name(&text, utf8, room);
	return utf8;
}

int
boot_from_hex(const char *text, size_t len, uint8_t **bytes, size_t *size,
	      struct error *err)
{
	int ret = hex_read(text, len, false, bytes, size, err);

	return ret == -EINVAL ?
		       error_set(err, EINVAL,
				 "'%.*s' is not pairs of hexadecimal digits",
				 (int)(len > 80 ? 80 : len), text) :
		       ret;
}

char *
boot_hex(const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * size + 1);

	if (!text)
		return NULL;
	for (size_t i = 0; i < size; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * size] = '\0';
	return text;
}
