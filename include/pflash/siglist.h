/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signature lists: the values of PK, KEK, db, dbx and dbt.  A value is a
 * sequence of lists; a list has one type, and signatures of one size, each of
 * which is the GUID of its owner and a certificate or a hash.
 *
 * All functions accept any bytes.  Sizes and offsets are bytes.
 *
 * Sources: UEFI specification 2.10, section 32.4.1 (EFI_SIGNATURE_LIST,
 * EFI_SIGNATURE_DATA); edk2 SecurityPkg/Library/AuthVariableLib/AuthService.c,
 * CheckSignatureListFormat() and FilterSignatureList().  Line numbers are those
 * of edk2 2022.11.
 */
#ifndef PFLASH_SIGLIST_H
#define PFLASH_SIGLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

#define SIGLIST_HEADER_SIZE 28u

/* A type of signatures that edk2 knows (AuthService.c:43). */
struct siglist_type {
	const char *name; /* "SHA-256" */
	const char *word; /* for scripts: "sha256" */
	uint8_t guid[16];
	uint32_t size; /* of the data of a signature; 0: any */
};

extern const struct siglist_type siglist_x509;

/* NULL: the type is not known. */
const struct siglist_type *siglist_type(const uint8_t *guid);

/* One signature; the pointers point into the value. */
struct signature {
	const uint8_t *list; /* the header of its list, with the type's GUID */
	const uint8_t *owner;
	const uint8_t *data;
	uint32_t size; /* of the data */
};

/* A walk over all signatures of a value; siglist_begin() sets all members. */
struct siglist_walk {
	const uint8_t *bytes;
	size_t size;
	size_t list; /* offset of the current list */
	size_t end;  /* offset of the end of the current list */
	size_t next; /* offset of the next signature */
};

void siglist_begin(struct siglist_walk *walk, const uint8_t *bytes,
		   size_t size);

/*
 * Steps to the next signature.  Returns 1 at a signature, 0 at the end, or
 * -EINVAL at a list that is damaged, with the sentence.
 */
int siglist_next(struct siglist_walk *walk, struct signature *signature,
		 struct error *err);

bool signature_is_x509(const struct signature *signature);

/*
 * Checks a value as the firmware does before it stores it: known types, and the
 * sizes that they require.  It does not look into certificates.  -EINVAL with a
 * sentence that names the field.  *count, which may be NULL: the signatures.
 */
int siglist_check(const uint8_t *bytes, size_t size, size_t *count,
		  struct error *err);

/* --- values that are changed --- */

/* A value in malloc()ed memory; all 0 is an empty one. */
struct siglists {
	uint8_t *bytes;
	size_t size;
};

void siglists_free(struct siglists *value);

/* Replaces the value by a copy of these bytes.  -ENOMEM with a sentence. */
int siglists_copy(struct siglists *value, const uint8_t *bytes, size_t size,
		  struct error *err);

/*
 * True if a list of the value has this data with this type, and with
 * `same_owner` also this owner.  False from a damaged list on.
 */
bool siglists_have(const struct siglists *value,
		   const struct signature *signature, bool same_owner);

/* Which of two equal signatures of different owners are one. */
enum siglists_equal {
	SIGLISTS_EQUAL_DATA,     /* a certificate is there once */
	SIGLISTS_EQUAL_FIRMWARE, /* FilterSignatureList(): owners differ */
};

/*
 * Appends the signatures of the lists that the value does not have, as the
 * firmware does for EFI_VARIABLE_APPEND_WRITE: the new lists come last, without
 * the signatures that are there.  Returns the number of appended signatures,
 * -EINVAL if value or lists are damaged, or -ENOMEM, with a sentence.
 */
int siglists_append(struct siglists *value, const uint8_t *lists, size_t size,
		    enum siglists_equal equal, struct error *err);

/* Appends a list of one signature, if the value does not have it. */
int siglists_append_one(struct siglists *value, const uint8_t *type,
			const uint8_t *owner, const uint8_t *data, size_t size,
			struct error *err);

/* True: the signature is kept, or removed. */
typedef bool siglists_choose(void *opaque, const struct signature *signature);

/*
 * Removes signatures, and lists without any.  Returns the number of removed
 * signatures, or -EINVAL or -ENOMEM with a sentence.
 */
int siglists_remove(struct siglists *value, siglists_choose *removed,
		    void *opaque, struct error *err);

#endif
