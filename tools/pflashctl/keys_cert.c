/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * X.509 certificates, by libcrypto, and the texts for signatures.  Whoever has
 * made a certificate has chosen the texts in it: they pass show_text() here.
 */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keys.h"
#include "show.h"

/* A name of a hostile certificate may fill a variable. */
#define NAME_MOST 200u

/* Bytes of a certificate as printable text, in malloc()ed memory. */
static char *
printable(const char *bytes, size_t len)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	(void)show_text(to, (struct text){ bytes,
					   len < NAME_MOST ? len : NAME_MOST });
	if (len > NAME_MOST)
		fputs("...", to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

static char *
whole_name(const X509_NAME *name)
{
	/* RFC 2253, with the characters outside of ASCII as they are. */
	const unsigned long form = XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB;
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes = NULL, *text = NULL;
	long len;

	if (bio && X509_NAME_print_ex(bio, name, 0, form) >= 0) {
		len = BIO_get_mem_data(bio, &bytes);
		text = printable(bytes, len > 0 ? (size_t)len : 0);
	}
	BIO_free(bio);
	return text;
}

static char *
common_name(const X509_NAME *name)
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *bytes = NULL;
	char *text;
	int len;

	if (at < 0)
		return whole_name(name);
	len = ASN1_STRING_to_UTF8(
		&bytes,
		X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (len <= 0) {
		OPENSSL_free(bytes);
		return whole_name(name);
	}
	text = printable((const char *)bytes, (size_t)len);
	OPENSSL_free(bytes);
	return text;
}

static bool
read_date(const ASN1_TIME *date, int64_t *seconds)
{
	struct tm tm;

	if (!date || !ASN1_TIME_to_tm(date, &tm))
		return false;
	*seconds = timegm(&tm);
	return true;
}

static int
read_all(struct cert *cert, X509 *x509, struct error *err)
{
	EVP_PKEY *key = X509_get0_pubkey(x509);

	if (!read_date(X509_get0_notBefore(x509), &cert->not_before) ||
	    !read_date(X509_get0_notAfter(x509), &cert->not_after))
		return error_set(err, EINVAL,
				 "a certificate without a period of validity");
	cert->rsa = key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
	cert->subject = whole_name(X509_get_subject_name(x509));
	cert->issuer = whole_name(X509_get_issuer_name(x509));
	cert->name = common_name(X509_get_subject_name(x509));
	if (!cert->subject || !cert->issuer || !cert->name)
		return error_set(err, ENOMEM, "out of memory");
	return 0;
}

int
cert_read(struct cert *cert, const uint8_t *der, size_t size, struct error *err)
{
	const unsigned char *end = der;
	X509 *x509;
	int ret;

	*cert = (struct cert){ .rsa = false };
	x509 = size > LONG_MAX ? NULL : d2i_X509(NULL, &end, (long)size);
	if (!x509 || end != der + size)
		ret = error_set(err, EINVAL, "no X.509 certificate in DER");
	else
		ret = read_all(cert, x509, err);
	X509_free(x509);
	ERR_clear_error();
	if (ret < 0)
		cert_free(cert);
	return ret;
}

void
cert_free(struct cert *cert)
{
	free(cert->subject);
	free(cert->issuer);
	free(cert->name);
	*cert = (struct cert){ .rsa = false };
}

void
keys_hash(const uint8_t *bytes, size_t size, uint8_t hash[KEYS_HASH_SIZE])
{
	SHA256(bytes, size, hash);
}

struct fingerprint
keys_fingerprint(const struct signature *signature)
{
	const struct siglist_type *type = siglist_type(signature->list);
	struct fingerprint fingerprint = { .size = KEYS_HASH_SIZE };

	if (type && type->size && type->size <= sizeof(fingerprint.bytes) &&
	    type->size == signature->size) {
		fingerprint.size = signature->size;
		memcpy(fingerprint.bytes, signature->data, signature->size);
	} else {
		keys_hash(signature->data, signature->size, fingerprint.bytes);
	}
	return fingerprint;
}

void
keys_hex(const uint8_t *bytes, size_t size, char *text)
{
	for (size_t i = 0; i < size; i++, text += 2)
		(void)sprintf(text, "%02x", bytes[i]);
	*text = '\0';
}

char *
keys_signature_name(const struct signature *signature)
{
	const struct siglist_type *type = siglist_type(signature->list);
	struct fingerprint fingerprint = keys_fingerprint(signature);
	char guid[GUID_TEXT_SIZE], hex[9], *text;
	struct cert cert;

	if (signature_is_x509(signature) &&
	    cert_read(&cert, signature->data, signature->size, NULL) == 0) {
		text = strdup(cert.name);
		cert_free(&cert);
		return text;
	}
	guid_format(signature->list, guid);
	keys_hex(fingerprint.bytes, 4, hex);
	if (asprintf(&text, "%s %s...", type ? type->name : guid, hex) < 0)
		return NULL;
	return text;
}

void
keys_date(int64_t seconds, char text[KEYS_DATE_SIZE])
{
	time_t time = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&time, &tm) ||
	    !strftime(text, KEYS_DATE_SIZE, "%Y-%m-%d", &tm))
		(void)snprintf(text, KEYS_DATE_SIZE, "?");
}

void
keys_time(const struct variable_time *time, char text[KEYS_TIME_SIZE])
{
	(void)snprintf(text, KEYS_TIME_SIZE, "%04u-%02u-%02u %02u:%02u:%02u",
		       time->year, time->month, time->day, time->hour,
		       time->minute, time->second);
}
