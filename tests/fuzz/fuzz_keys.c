/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer target: signature lists and signed updates, as a file or a guest
 * has them.  The input is a value of db; another part of it is appended.
 *
 * Beside memory errors it aborts unless:
 * - a value that passes the check of the firmware can be read to its end;
 * - a signature lies inside of the value;
 * - an appended value passes the check if both parts do, has all signatures of
 *   both, and does not change if the part is appended once more;
 * - a value without a removed signature has the others, in their order;
 * - the parts of an update lie inside of it, and what was signed has its size.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/authvar.h"
#include "pflash/le.h"
#include "pflash/siglist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

/* The signatures of a value; -1: it is damaged. */
static long
count(const uint8_t *bytes, size_t size)
{
	struct signature signature;
	struct siglist_walk walk;
	struct error err;
	long found = 0;
	int ret;

	siglist_begin(&walk, bytes, size);
	while ((ret = siglist_next(&walk, &signature, &err)) > 0) {
		must(signature.list >= bytes && signature.size > 0);
		must(signature.owner + 16 == signature.data);
		must(signature.data + signature.size <= bytes + size);
		found++;
	}
	return ret < 0 ? -1 : found;
}

static void
check(const uint8_t *bytes, size_t size)
{
	struct error err;
	size_t checked;

	if (siglist_check(bytes, size, &checked, &err) == 0)
		must(count(bytes, size) == (long)checked);
}

static bool
is_valid(const uint8_t *bytes, size_t size)
{
	return siglist_check(bytes, size, NULL, NULL) == 0;
}

static void
must_have_all(const struct siglists *value, const uint8_t *bytes, size_t size)
{
	struct signature signature;
	struct siglist_walk walk;

	siglist_begin(&walk, bytes, size);
	while (siglist_next(&walk, &signature, NULL) > 0)
		must(siglists_have(value, &signature, false));
}

static void
append(const uint8_t *bytes, size_t size, size_t cut, enum siglists_equal equal)
{
	struct siglists value = { .bytes = NULL };
	const uint8_t *more = bytes + cut;
	size_t more_size = size - cut;
	struct error err;
	int ret;

	must(siglists_copy(&value, bytes, cut, &err) == 0);
	ret = siglists_append(&value, more, more_size, equal, &err);
	must((ret < 0) ==
	     (count(bytes, cut) < 0 || count(more, more_size) < 0));
	if (ret >= 0) {
		must(count(value.bytes, value.size) == count(bytes, cut) + ret);
		must_have_all(&value, bytes, cut);
		must_have_all(&value, more, more_size);
		must(siglists_append(&value, more, more_size, equal, &err) ==
		     0);
		if (is_valid(bytes, cut) && is_valid(more, more_size))
			must(is_valid(value.bytes, value.size));
	}
	siglists_free(&value);
}

static bool
is_odd(void *opaque, const struct signature *signature)
{
	(void)opaque;
	return signature->data[0] & 1;
}

static void
remove_some(const uint8_t *bytes, size_t size)
{
	struct siglists value = { .bytes = NULL };
	struct signature signature;
	struct siglist_walk walk;
	struct error err;
	long before = count(bytes, size);
	int ret;

	must(siglists_copy(&value, bytes, size, &err) == 0);
	ret = siglists_remove(&value, is_odd, NULL, &err);
	must((ret < 0) == (before < 0));
	if (ret >= 0) {
		must(count(value.bytes, value.size) == before - ret);
		siglist_begin(&walk, value.bytes, value.size);
		while (siglist_next(&walk, &signature, NULL) > 0)
			must(!is_odd(NULL, &signature));
	}
	siglists_free(&value);
}

static void
read_update(const uint8_t *bytes, size_t size)
{
	static const uint8_t guid[16], name[6] = { 'd', 0, 'b', 0, 0, 0 };
	struct authvar update;
	struct error err;
	uint8_t *signed_bytes;
	size_t len;

	if (authvar_parse(&update, bytes, size, &err) < 0)
		return;
	must(authvar_recognize(bytes, size));
	must(update.signature == bytes + 40 && update.signature_size > 0);
	must(update.value == update.signature + update.signature_size);
	must(update.value + update.value_size == bytes + size);
	len = authvar_signed_size(&update, sizeof(name));
	signed_bytes = malloc(len);
	must(signed_bytes != NULL);
	authvar_signed(&update, guid, name, sizeof(name), 7, signed_bytes);
	free(signed_bytes);
	check(update.value, update.value_size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cut;

	if (size < 2)
		return 0;
	cut = get_le16(data) % (size - 1);
	data += 2;
	size -= 2;
	/* The end of a list is a better cut than another place. */
	if (size > 20 && get_le32(data + 16) <= size)
		cut = get_le32(data + 16);
	check(data, size);
	append(data, size, cut, SIGLISTS_EQUAL_DATA);
	append(data, size, cut, SIGLISTS_EQUAL_FIRMWARE);
	remove_some(data, size);
	read_update(data, size);
	return 0;
}
