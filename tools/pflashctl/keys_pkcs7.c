/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The signatures of updates, by libcrypto.  The rules are those of edk2
 * 2022.11: CryptoPkg/Library/BaseCryptLib/Pk/CryptPkcs7VerifyCommon.c,
 * Pkcs7Verify(), and SecurityPkg/Library/AuthVariableLib/AuthService.c,
 * VerifyTimeBasedPayload().
 */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"

/* ContentInfo { signedData, [0] ... }, with lengths of four bytes. */
enum { WRAP_SIZE = 6 + 11 + 6 };

static void
put_length(uint8_t *to, uint8_t tag, size_t length)
{
	to[0] = tag;
	to[1] = 0x84;
	for (int i = 0; i < 4; i++)
		to[2 + i] = (uint8_t)(length >> (24 - 8 * i));
}

/* UEFI stores SignedData without the ContentInfo around it. */
static PKCS7 *
read_signed_data(const uint8_t *bytes, size_t size)
{
	static const uint8_t oid[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
				       0xf7, 0x0d, 0x01, 0x07, 0x02 };
	uint8_t *wrapped = malloc(WRAP_SIZE + size);
	const unsigned char *p = wrapped;
	PKCS7 *pkcs7;

	if (!wrapped)
		return NULL;
	put_length(wrapped, 0x30, sizeof(oid) + 6 + size);
	memcpy(wrapped + 6, oid, sizeof(oid));
	put_length(wrapped + 6 + sizeof(oid), 0xa0, size);
	memcpy(wrapped + WRAP_SIZE, bytes, size);
	pkcs7 = d2i_PKCS7(NULL, &p, (long)(WRAP_SIZE + size));
	free(wrapped);
	return pkcs7;
}

/* edk2 takes SHA-256, and since 2024 SHA-384 and SHA-512 (:1930). */
static bool
has_strong_digest(const PKCS7 *pkcs7)
{
	const STACK_OF(X509_ALGOR) * digests;
	const ASN1_OBJECT *oid;
	int nid;

	if (!pkcs7->d.sign || !pkcs7->d.sign->md_algs)
		return false;
	digests = pkcs7->d.sign->md_algs;
	if (sk_X509_ALGOR_num(digests) < 1)
		return false;
	X509_ALGOR_get0(&oid, NULL, NULL, sk_X509_ALGOR_value(digests, 0));
	nid = OBJ_obj2nid(oid);
	return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

/* NULL: no signature of a form that the firmware takes. */
static PKCS7 *
read_pkcs7(const uint8_t *bytes, size_t size)
{
	const unsigned char *p = bytes;
	PKCS7 *pkcs7;

	if (size > INT_MAX - WRAP_SIZE)
		return NULL;
	pkcs7 = d2i_PKCS7(NULL, &p, (long)size);
	if (!pkcs7)
		pkcs7 = read_signed_data(bytes, size);
	if (pkcs7 &&
	    (!PKCS7_type_is_signed(pkcs7) || !has_strong_digest(pkcs7))) {
		PKCS7_free(pkcs7);
		pkcs7 = NULL;
	}
	return pkcs7;
}

/* A store that trusts one certificate, at any time and for any purpose. */
static X509_STORE *
make_store(const uint8_t *der, size_t size)
{
	const unsigned char *p = der;
	X509 *x509 = size > INT_MAX ? NULL : d2i_X509(NULL, &p, (long)size);
	X509_STORE *store = x509 ? X509_STORE_new() : NULL;

	if (store &&
	    (!X509_STORE_add_cert(store, x509) ||
	     !X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN |
						  X509_V_FLAG_NO_CHECK_TIME) ||
	     !X509_STORE_set_purpose(store, X509_PURPOSE_ANY))) {
		X509_STORE_free(store);
		store = NULL;
	}
	X509_free(x509);
	return store;
}

bool
keys_signed_by(const uint8_t *signature, size_t size, const uint8_t *content,
	       size_t content_size, const uint8_t *der, size_t der_size)
{
	PKCS7 *pkcs7 = read_pkcs7(signature, size);
	X509_STORE *store = make_store(der, der_size);
	BIO *data = content_size > INT_MAX ?
			    NULL :
			    BIO_new_mem_buf(content, (int)content_size);
	bool valid = false;

	if (pkcs7 && store && data)
		valid = PKCS7_verify(pkcs7, NULL, store, data, NULL,
				     PKCS7_BINARY) == 1;
	BIO_free(data);
	X509_STORE_free(store);
	PKCS7_free(pkcs7);
	ERR_clear_error();
	return valid;
}

/* The DER of the first signer's certificate, or NULL. */
static unsigned char *
first_signer(PKCS7 *pkcs7, size_t *size)
{
	STACK_OF(X509) *signers = PKCS7_get0_signers(pkcs7, NULL, PKCS7_BINARY);
	unsigned char *bytes = NULL, *copy = NULL;
	int len = -1;

	if (signers && sk_X509_num(signers) > 0)
		len = i2d_X509(sk_X509_value(signers, 0), &bytes);
	sk_X509_free(signers);
	if (len > 0)
		copy = malloc((size_t)len);
	if (copy) {
		memcpy(copy, bytes, (size_t)len);
		*size = (size_t)len;
	}
	OPENSSL_free(bytes);
	return copy;
}

int
keys_signer(const uint8_t *signature, size_t size, uint8_t **der,
	    size_t *der_size, struct error *err)
{
	PKCS7 *pkcs7 = read_pkcs7(signature, size);

	*der = pkcs7 ? first_signer(pkcs7, der_size) : NULL;
	PKCS7_free(pkcs7);
	ERR_clear_error();
	if (!*der)
		return error_set(err, EINVAL,
				 "AuthInfo.CertData is no signature in PKCS#7 "
				 "with SHA-256 and the signer's certificate");
	return 0;
}

/* --- updates --- */

/* The signed bytes for a target, in malloc()ed memory; NULL: none is left. */
static uint8_t *
content_of(const struct authvar *update, const struct keys_target *target,
	   size_t *size)
{
	const struct keys_variable *which = &keys_databases[target->database];
	uint32_t attributes = KEYS_ATTRIBUTES |
			      (target->append ? VARIABLE_APPEND : 0u);
	uint8_t *content;

	*size = authvar_signed_size(update, which->name_size);
	content = malloc(*size);
	if (content)
		authvar_signed(update, which->guid, which->name,
			       which->name_size, attributes, content);
	return content;
}

static bool
is_signed_by(const struct authvar *update, const struct keys_target *target,
	     const uint8_t *der, size_t der_size)
{
	size_t size;
	uint8_t *content = content_of(update, target, &size);
	bool valid = content &&
		     keys_signed_by(update->signature, update->signature_size,
				    content, size, der, der_size);

	free(content);
	return valid;
}

int
keys_identify(const struct authvar *update, struct keys_target *target,
	      struct error *err)
{
	uint8_t *der;
	size_t size;
	int ret = keys_signer(update->signature, update->signature_size, &der,
			      &size, err);

	if (ret < 0)
		return ret;
	ret = -EINVAL;
	for (unsigned int i = 0; i < 2 * KEYS_DATABASES && ret < 0; i++) {
		target->database = (enum keys_database)(i / 2);
		target->append = i % 2 == 1;
		if (is_signed_by(update, target, der, size))
			ret = 0;
	}
	free(der);
	if (ret < 0)
		(void)error_set(err, EINVAL,
				"the signature fits none of PK, KEK, db, dbx "
				"and dbt: it is for another variable, or the "
				"file is damaged");
	return ret;
}

/* Pkcs7GetSigners(): PK itself must have signed, not one that it has issued. */
static bool
pk_signed(const struct authvar *update, const struct keys_target *target,
	  const struct variable *pk)
{
	struct signature signature;
	struct siglist_walk walk;
	bool valid = false;
	uint8_t *der;
	size_t size;

	siglist_begin(&walk, pk->data, pk->data_size);
	if (siglist_next(&walk, &signature, NULL) <= 0 ||
	    keys_signer(update->signature, update->signature_size, &der, &size,
			NULL) < 0)
		return false;
	if (size == signature.size && !memcmp(der, signature.data, size))
		valid = is_signed_by(update, target, der, size);
	free(der);
	return valid;
}

static bool
kek_signed(const struct authvar *update, const struct keys_target *target,
	   const struct variable *kek)
{
	struct signature signature;
	struct siglist_walk walk;

	siglist_begin(&walk, kek->data, kek->data_size);
	while (siglist_next(&walk, &signature, NULL) > 0)
		if (signature_is_x509(&signature) &&
		    is_signed_by(update, target, signature.data,
				 signature.size))
			return true;
	return false;
}

static int
not_signed(const struct authvar *update, bool by_kek, struct error *err)
{
	struct cert cert = { .name = NULL };
	uint8_t *der = NULL;
	size_t size;
	int ret;

	if (keys_signer(update->signature, update->signature_size, &der, &size,
			err) < 0)
		return -EINVAL;
	(void)cert_read(&cert, der, size, NULL);
	free(der);
	ret = error_set(err, EACCES,
			"the update is signed by \"%s\" (issuer \"%s\"), and "
			"%s of this store has neither",
			cert.name ? cert.name : "?",
			cert.issuer ? cert.issuer : "?",
			by_kek ? "the KEK" : "the PK");
	cert_free(&cert);
	return ret;
}

int
keys_verify(const struct authvar *update, const struct keys_target *target,
	    const struct varstore *store, struct error *err)
{
	bool by_kek = target->database >= KEYS_DB;
	struct variable keys;

	if (keys_find(store, &keys_databases[KEYS_PK], &keys) &&
	    pk_signed(update, target, &keys))
		return 0;
	if (by_kek && keys_find(store, &keys_databases[KEYS_KEK], &keys) &&
	    kek_signed(update, target, &keys))
		return 0;
	return not_signed(update, by_kek, err);
}
