/* SPDX-License-Identifier: BSD-2-Clause */
/* The value of `vars set` and `vars append`, from its five sources. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "varname.h"
#include "vars.h"

#include "pflash/fv.h"
#include "pflash/parse.h"

int
vars_value_option(struct vars_value *value, int id, const char *arg,
		  struct error *err)
{
	if (id == VARS_SIZE) {
		int ret = parse_number(arg, PARSE_DECIMAL, 1, 8, &value->bytes,
				       err);

		if (ret == 0 && value->bytes & (value->bytes - 1))
			ret = error_set(err, EINVAL, "'%s' is not 1, 2, 4 or 8",
					arg);
		return ret < 0 ? ret : 1;
	}
	if (id < VARS_INPUT || id > VARS_NUMBER)
		return 0;
	if (value->source)
		return error_set(err, EINVAL, "there is another value already");
	value->source = id;
	value->argument = arg;
	return 1;
}

/* --- files ---------------------------------------------------------------- */

/* Reads to the end; -EFBIG beyond `most` bytes. */
static int
read_stream(FILE *from, size_t most, uint8_t **bytes, size_t *size)
{
	size_t room = 4096;
	uint8_t *more;

	*size = 0;
	*bytes = malloc(room);
	while (*bytes) {
		*size += fread(*bytes + *size, 1, room - *size, from);
		if (*size > most)
			return -EFBIG;
		if (ferror(from))
			return errno ? -errno : -EIO;
		if (*size < room) {
			(*bytes)[*size] = '\0';
			return 0;
		}
		more = realloc(*bytes, 2 * room);
		if (!more)
			break;
		*bytes = more;
		room *= 2;
	}
	return -ENOMEM;
}

int
vars_read_file(const char *path, size_t most, uint8_t **bytes, size_t *size,
	       struct error *err)
{
	const char *name = path ? path : "standard input";
	FILE *from = path ? fopen(path, "re") : stdin;
	int ret;

	*bytes = NULL;
	if (!from)
		return error_errno(err, errno, "%s", name);
	errno = 0;
	ret = read_stream(from, most, bytes, size);
	if (path)
		(void)fclose(from);
	if (ret == 0)
		return 0;
	free(*bytes);
	*bytes = NULL;
	if (ret == -EFBIG)
		return error_set(err, EFBIG, "%s: has more than %zu bytes",
				 name, most);
	return error_errno(err, -ret, "%s", name);
}

/* --- the other sources ---------------------------------------------------- */

static int
read_number(const struct vars_value *value, uint8_t **data, size_t *size,
	    struct error *err)
{
	uint64_t most = UINT64_MAX, number;
	int ret;

	if (!value->bytes)
		return error_set(err, EINVAL, "--size is missing");
	if (value->bytes < 8)
		most = (UINT64_C(1) << 8 * value->bytes) - 1;
	ret = parse_number(value->argument, PARSE_C, 0, most, &number, err);
	if (ret < 0)
		return ret;
	*size = value->bytes;
	*data = malloc(*size);
	if (!*data)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < *size; i++)
		(*data)[i] = (uint8_t)(number >> 8 * i);
	return 0;
}

static int
read_text(const char *text, uint8_t **data, size_t *size, struct error *err)
{
	struct name units;
	int ret;

	if (!*text) {
		*size = 2;
		*data = calloc(1, 2);
		return *data ? 0 : error_set(err, ENOMEM, "out of memory");
	}
	ret = name_read_plain(&units, text, strlen(text), err);
	if (ret == -EINVAL)
		return error_set(err, EINVAL, "not UTF-8");
	*data = units.units;
	*size = units.size;
	return ret;
}

static int
read_ascii(const char *text, uint8_t **data, size_t *size, struct error *err)
{
	for (const char *p = text; *p; p++)
		if (*p < 0 || *p == 0x7f)
			return error_set(err, EINVAL,
					 "character %zu is not ASCII",
					 (size_t)(p - text) + 1);
	*size = strlen(text) + 1;
	*data = (uint8_t *)strdup(text);
	return *data ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int
read_argument(const struct vars_value *value, uint8_t **data, size_t *size,
	      struct error *err)
{
	static const char *const names[] = {
		[VARS_HEX] = "--hex",
		[VARS_TEXT] = "--text",
		[VARS_ASCII] = "--ascii",
		[VARS_NUMBER] = "--number",
	};
	const char *text = value->argument;
	struct error why;
	int ret;

	switch (value->source) {
	case VARS_HEX:
		ret = hex_read(text, strlen(text), true, data, size, &why);
		break;
	case VARS_TEXT: ret = read_text(text, data, size, &why); break;
	case VARS_ASCII: ret = read_ascii(text, data, size, &why); break;
	default: ret = read_number(value, data, size, &why); break;
	}
	if (ret < 0)
		return error_set(err, -ret, "%s: %s", names[value->source],
				 why.text);
	return 0;
}

int
vars_value_read(const struct vars_value *value, uint8_t **data, size_t *size,
		struct error *err)
{
	int ret;

	if (value->bytes && value->source != VARS_NUMBER)
		return error_set(err, EINVAL, "--size: only with --number");
	if (value->source && value->source != VARS_INPUT)
		ret = read_argument(value, data, size, err);
	else
		ret = vars_read_file(value->argument, FV_MAX_SIZE, data, size,
				     err);
	if (ret < 0 || *size)
		return ret;
	free(*data);
	*data = NULL;
	return error_set(err, EINVAL,
			 "the value has 0 bytes, which no variable has "
			 "(pflashctl vars rm removes a variable)");
}
