/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signed updates of authenticated variables: an EFI_VARIABLE_AUTHENTICATION_2,
 * that is a time stamp and a signature, and behind it the new value.  Files of
 * this form have names such as DBXUpdate.bin and db.auth.  They have neither
 * the name of the variable nor the attributes, which are signed, too.
 *
 * The functions allocate nothing and accept any bytes.  They do not verify the
 * signature.  Sizes are bytes.
 *
 * Sources: UEFI specification 2.10, section 8.2.2 (EFI_VARIABLE_
 * AUTHENTICATION_2); edk2 SecurityPkg/Library/AuthVariableLib/AuthService.c,
 * VerifyTimeBasedPayload().  Line numbers are those of edk2 2022.11.
 */
#ifndef PFLASH_AUTHVAR_H
#define PFLASH_AUTHVAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/varstore.h"

/* The pointers point into the caller's bytes. */
struct authvar {
	struct variable_time time;
	const uint8_t *time_bytes; /* EFI_TIME, 16 bytes, as it was signed */
	const uint8_t *signature;  /* PKCS#7 SignedData in DER */
	size_t signature_size;
	const uint8_t *value; /* 0 bytes: the variable is to be deleted */
	size_t value_size;
};

/* True if the bytes begin with such a header. */
bool authvar_recognize(const uint8_t *bytes, size_t size);

/* -EINVAL with a sentence that names the field. */
int authvar_parse(struct authvar *update, const uint8_t *bytes, size_t size,
		  struct error *err);

/* Less than 0, 0 or more than 0, like memcmp(). */
int variable_time_compare(const struct variable_time *a,
			  const struct variable_time *b);

/*
 * Writes the bytes that were signed, if the update is for this variable and
 * these attributes (with VARIABLE_APPEND if it is to be appended), to `to`,
 * which has authvar_signed_size() bytes.
 */
size_t authvar_signed_size(const struct authvar *update, uint32_t name_size);
void authvar_signed(const struct authvar *update, const uint8_t *guid,
		    const uint8_t *name, uint32_t name_size,
		    uint32_t attributes, uint8_t *to);

#endif
