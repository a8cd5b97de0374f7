/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/siglist.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/le.h"
#include "pflash/varstore.h"

/* EFI_SIGNATURE_LIST. */
enum {
	LIST_TYPE = 0,
	LIST_SIZE = 16,
	LIST_SIGNATURE_HEADER_SIZE = 20,
	LIST_SIGNATURE_SIZE = 24,
};

/* gEfiCertX509Guid a5c059a1-94e4-4aa7-87b5-ab155c2bf072 */
#define X509                                                                   \
	{                                                                      \
		"X.509", "x509",                                               \
			{ 0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a,      \
			  0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72 },    \
			0                                                      \
	}

const struct siglist_type siglist_x509 = X509;

/* MdePkg/Include/Guid/ImageAuthentication.h */
static const struct siglist_type types[] = {
	X509,
	{ "SHA-256",
	  "sha256",
	  { 0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41,
	    0xf9, 0x36, 0x93, 0x43, 0x28 },
	  32 }, /* c1c41626-504c-4092-aca9-41f936934328 */
	{ "RSA-2048 key",
	  "rsa2048",
	  { 0xe8, 0x66, 0x57, 0x3c, 0x9c, 0x26, 0x34, 0x4e, 0xaa, 0x14, 0xed,
	    0x77, 0x6e, 0x85, 0xb3, 0xb6 },
	  256 }, /* 3c5766e8-269c-4e34-aa14-ed776e85b3b6 */
	{ "RSA-2048 signature of SHA-256",
	  "rsa2048_sha256",
	  { 0x90, 0x61, 0xb3, 0xe2, 0x9b, 0x87, 0x3d, 0x4a, 0xad, 0x8d, 0xf2,
	    0xe7, 0xbb, 0xa3, 0x27, 0x84 },
	  256 }, /* e2b36190-879b-4a3d-ad8d-f2e7bba32784 */
	{ "SHA-1",
	  "sha1",
	  { 0x12, 0xa5, 0x6c, 0x82, 0x10, 0xcf, 0xc9, 0x4a, 0xb1, 0x87, 0xbe,
	    0x01, 0x49, 0x66, 0x31, 0xbd },
	  20 }, /* 826ca512-cf10-4ac9-b187-be01496631bd */
	{ "RSA-2048 signature of SHA-1",
	  "rsa2048_sha1",
	  { 0x4f, 0x44, 0xf8, 0x67, 0x43, 0x87, 0xf1, 0x48, 0xa3, 0x28, 0x1e,
	    0xaa, 0xb8, 0x73, 0x60, 0x80 },
	  256 }, /* 67f8444f-8743-48f1-a328-1eaab8736080 */
	{ "SHA-224",
	  "sha224",
	  { 0x33, 0x52, 0x6e, 0x0b, 0x5c, 0xa6, 0xc9, 0x44, 0x94, 0x07, 0xd9,
	    0xab, 0x83, 0xbf, 0xc8, 0xbd },
	  28 }, /* 0b6e5233-a65c-44c9-9407-d9ab83bfc8bd */
	{ "SHA-384",
	  "sha384",
	  { 0x07, 0x53, 0x3e, 0xff, 0xd0, 0x9f, 0xc9, 0x48, 0x85, 0xf1, 0x8a,
	    0xd5, 0x6c, 0x70, 0x1e, 0x01 },
	  48 }, /* ff3e5307-9fd0-48c9-85f1-8ad56c701e01 */
	{ "SHA-512",
	  "sha512",
	  { 0xae, 0x0f, 0x3e, 0x09, 0xc4, 0xa6, 0x50, 0x4f, 0x9f, 0x1b, 0xd4,
	    0x1e, 0x2b, 0x89, 0xc1, 0x9a },
	  64 }, /* 093e0fae-a6c4-4f50-9f1b-d41e2b89c19a */
	{ "SHA-256 of a certificate",
	  "x509_sha256",
	  { 0x92, 0xa4, 0xd2, 0x3b, 0xc0, 0x96, 0x79, 0x40, 0xb4, 0x20, 0xfc,
	    0xf9, 0x8e, 0xf1, 0x03, 0xed },
	  48 }, /* 3bd2a492-96c0-4079-b420-fcf98ef103ed */
	{ "SHA-384 of a certificate",
	  "x509_sha384",
	  { 0x6e, 0x87, 0x76, 0x70, 0xc2, 0x80, 0xe6, 0x4e, 0xaa, 0xd2, 0x28,
	    0xb3, 0x49, 0xa6, 0x86, 0x5b },
	  64 }, /* 7076876e-80c2-4ee6-aad2-28b349a6865b */
	{ "SHA-512 of a certificate",
	  "x509_sha512",
	  { 0x63, 0xbf, 0x6d, 0x44, 0x02, 0x25, 0xda, 0x4c, 0xbc, 0xfa, 0x24,
	    0x65, 0xd2, 0xb0, 0xfe, 0x9d },
	  80 }, /* 446dbf63-2502-4cda-bcfa-2465d2b0fe9d */
};

const struct siglist_type *
siglist_type(const uint8_t *guid)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!memcmp(types[i].guid, guid, GUID_SIZE))
			return &types[i];
	return NULL;
}

bool
signature_is_x509(const struct signature *signature)
{
	return !memcmp(signature->list, siglist_x509.guid, GUID_SIZE);
}

void
siglist_begin(struct siglist_walk *walk, const uint8_t *bytes, size_t size)
{
	*walk = (struct siglist_walk){ .bytes = bytes, .size = size };
}

/* Checks the header of the list at walk->end and enters the list. */
static int
enter_list(struct siglist_walk *walk, struct error *err)
{
	size_t at = walk->end, left = walk->size - at;
	const uint8_t *list = walk->bytes + at;
	uint32_t size, header, each;

	if (left < SIGLIST_HEADER_SIZE)
		return error_set(err, EINVAL,
				 "signature list at offset %zu: %zu bytes are "
				 "left, its header has 28",
				 at, left);
	size = get_le32(list + LIST_SIZE);
	header = get_le32(list + LIST_SIGNATURE_HEADER_SIZE);
	each = get_le32(list + LIST_SIGNATURE_SIZE);
	if (size < SIGLIST_HEADER_SIZE || size > left)
		return error_set(err, EINVAL,
				 "signature list at offset %zu: "
				 "SignatureListSize is %u, but from 28 to %zu "
				 "is possible",
				 at, size, left);
	if (header > size - SIGLIST_HEADER_SIZE)
		return error_set(err, EINVAL,
				 "signature list at offset %zu: "
				 "SignatureHeaderSize %u exceeds the list",
				 at, header);
	if (each <= GUID_SIZE)
		return error_set(err, EINVAL,
				 "signature list at offset %zu: SignatureSize "
				 "is %u, but it includes a GUID of 16 bytes",
				 at, each);
	if ((size - SIGLIST_HEADER_SIZE - header) % each)
		return error_set(err, EINVAL,
				 "signature list at offset %zu: "
				 "SignatureListSize %u is not a whole number "
				 "of signatures of SignatureSize %u",
				 at, size, each);
	walk->list = at;
	walk->next = at + SIGLIST_HEADER_SIZE + header;
	walk->end = at + size;
	return 0;
}

int
siglist_next(struct siglist_walk *walk, struct signature *signature,
	     struct error *err)
{
	const uint8_t *list;
	uint32_t each;

	while (walk->next == walk->end) {
		if (walk->end == walk->size)
			return 0;
		if (enter_list(walk, err) < 0)
			return -EINVAL;
	}
	list = walk->bytes + walk->list;
	each = get_le32(list + LIST_SIGNATURE_SIZE);
	*signature = (struct signature){
		.list = list,
		.owner = walk->bytes + walk->next,
		.data = walk->bytes + walk->next + GUID_SIZE,
		.size = each - GUID_SIZE,
	};
	walk->next += each;
	return 1;
}

/* Checks the list of this signature as CheckSignatureListFormat() does. */
static int
check_type(const struct signature *signature, size_t at, struct error *err)
{
	const struct siglist_type *type = siglist_type(signature->list);
	uint32_t header = get_le32(signature->list +
				   LIST_SIGNATURE_HEADER_SIZE);
	char guid[GUID_TEXT_SIZE];

	if (!type) {
		guid_format(signature->list, guid);
		return error_set(err, EINVAL,
				 "signature list at offset %zu: SignatureType "
				 "%s is not known",
				 at, guid);
	}
	if (header != 0)
		return error_set(err, EINVAL,
				 "signature list at offset %zu: "
				 "SignatureHeaderSize is %u, not 0",
				 at, header);
	if (type->size && signature->size != type->size)
		return error_set(err, EINVAL,
				 "signature list at offset %zu: SignatureSize "
				 "is %u, but %s requires %u",
				 at, signature->size + GUID_SIZE, type->name,
				 type->size + GUID_SIZE);
	return 0;
}

int
siglist_check(const uint8_t *bytes, size_t size, size_t *count,
	      struct error *err)
{
	struct signature signature;
	struct siglist_walk walk;
	size_t found = 0;
	int ret;

	siglist_begin(&walk, bytes, size);
	while ((ret = siglist_next(&walk, &signature, err)) > 0) {
		if (check_type(&signature, walk.list, err) < 0)
			return -EINVAL;
		found++;
	}
	if (ret == 0 && count)
		*count = found;
	return ret;
}

/* --- values that are changed --- */

void
siglists_free(struct siglists *value)
{
	free(value->bytes);
	*value = (struct siglists){ .bytes = NULL };
}

static int
no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory");
}

int
siglists_copy(struct siglists *value, const uint8_t *bytes, size_t size,
	      struct error *err)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return no_memory(err);
	if (size)
		memcpy(copy, bytes, size);
	siglists_free(value);
	value->bytes = copy;
	value->size = size;
	return 0;
}

static bool
is_equal(const struct signature *a, const struct signature *b, bool same_owner)
{
	return a->size == b->size && !memcmp(a->list, b->list, GUID_SIZE) &&
	       !memcmp(a->data, b->data, a->size) &&
	       (!same_owner || !memcmp(a->owner, b->owner, GUID_SIZE));
}

bool
siglists_have(const struct siglists *value, const struct signature *signature,
	      bool same_owner)
{
	struct signature each;
	struct siglist_walk walk;

	siglist_begin(&walk, value->bytes, value->size);
	while (siglist_next(&walk, &each, NULL) > 0)
		if (is_equal(&each, signature, same_owner))
			return true;
	return false;
}

/* A value under construction, in memory for all that can become a part. */
struct building {
	struct siglists value;
	size_t list;         /* offset of the last list */
	const uint8_t *from; /* the header that was copied there; or NULL */
};

/* Adds a signature, and before it the header of its list, if that is new. */
static void
build(struct building *building, const struct signature *signature)
{
	struct siglists *value = &building->value;
	uint32_t header = get_le32(signature->list +
				   LIST_SIGNATURE_HEADER_SIZE);
	uint32_t each = signature->size + GUID_SIZE;

	if (building->from != signature->list) {
		building->from = signature->list;
		building->list = value->size;
		memcpy(value->bytes + value->size, signature->list,
		       SIGLIST_HEADER_SIZE + header);
		value->size += SIGLIST_HEADER_SIZE + header;
	}
	memcpy(value->bytes + value->size, signature->owner, each);
	value->size += each;
	put_le32(value->bytes + building->list + LIST_SIZE,
		 (uint32_t)(value->size - building->list));
}

static int
check_structure(const uint8_t *bytes, size_t size, struct error *err)
{
	struct signature signature;
	struct siglist_walk walk;
	int ret;

	siglist_begin(&walk, bytes, size);
	while ((ret = siglist_next(&walk, &signature, err)) > 0)
		;
	return ret;
}

static int
append_all(struct building *building, const struct siglists *old,
	   const uint8_t *lists, size_t size, enum siglists_equal equal)
{
	bool same_owner = equal == SIGLISTS_EQUAL_FIRMWARE;
	struct signature signature;
	struct siglist_walk walk;
	int appended = 0;

	/* The firmware compares with the old value only. */
	siglist_begin(&walk, lists, size);
	while (siglist_next(&walk, &signature, NULL) > 0) {
		if (siglists_have(same_owner ? old : &building->value,
				  &signature, same_owner))
			continue;
		build(building, &signature);
		appended++;
	}
	return appended;
}

int
siglists_append(struct siglists *value, const uint8_t *lists, size_t size,
		enum siglists_equal equal, struct error *err)
{
	struct building building = { .from = NULL };
	int ret;

	if (check_structure(value->bytes, value->size, err) < 0 ||
	    check_structure(lists, size, err) < 0)
		return -EINVAL;
	if (size > INT_MAX || value->size > INT_MAX)
		return error_set(err, EINVAL, "signature lists of %zu bytes",
				 size);
	building.value.bytes = malloc(value->size + size + 1);
	if (!building.value.bytes)
		return no_memory(err);
	if (value->size)
		memcpy(building.value.bytes, value->bytes, value->size);
	building.value.size = value->size;
	ret = append_all(&building, value, lists, size, equal);
	siglists_free(value);
	*value = building.value;
	return ret;
}

int
siglists_append_one(struct siglists *value, const uint8_t *type,
		    const uint8_t *owner, const uint8_t *data, size_t size,
		    struct error *err)
{
	size_t total = SIGLIST_HEADER_SIZE + GUID_SIZE + size;
	uint8_t *list;
	int ret;

	if (size == 0 || size > INT_MAX / 2)
		return error_set(err, EINVAL, "a signature of %zu bytes", size);
	list = calloc(1, total);
	if (!list)
		return no_memory(err);
	memcpy(list + LIST_TYPE, type, GUID_SIZE);
	put_le32(list + LIST_SIZE, (uint32_t)total);
	put_le32(list + LIST_SIGNATURE_SIZE, (uint32_t)(GUID_SIZE + size));
	memcpy(list + SIGLIST_HEADER_SIZE, owner, GUID_SIZE);
	memcpy(list + SIGLIST_HEADER_SIZE + GUID_SIZE, data, size);
	ret = siglists_append(value, list, total, SIGLISTS_EQUAL_DATA, err);
	free(list);
	return ret;
}

int
siglists_remove(struct siglists *value, siglists_choose *removed, void *opaque,
		struct error *err)
{
	struct building building = { .from = NULL };
	struct signature signature;
	struct siglist_walk walk;
	int count = 0;

	if (check_structure(value->bytes, value->size, err) < 0)
		return -EINVAL;
	building.value.bytes = malloc(value->size + 1);
	if (!building.value.bytes)
		return no_memory(err);
	siglist_begin(&walk, value->bytes, value->size);
	while (siglist_next(&walk, &signature, NULL) > 0) {
		if (removed(opaque, &signature))
			count++;
		else
			build(&building, &signature);
	}
	siglists_free(value);
	*value = building.value;
	return count;
}
