/* SPDX-License-Identifier: BSD-2-Clause */
/* A PK of one's own, for tests and for guests whose keys never change. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys.h"
#include "pflash/save.h"

#define BITS 2048u
#define VALID_DAYS (20 * 365)
#define COMMON_NAME "pflashctl platform key"

static bool
set_serial(X509 *x509)
{
	uint64_t serial;

	return RAND_bytes((unsigned char *)&serial, sizeof(serial)) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509),
				       serial >> 1 | 1);
}

static bool
set_names(X509 *x509)
{
	X509_NAME *name = X509_get_subject_name(x509);

	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					  (const unsigned char *)COMMON_NAME,
					  -1, -1, 0) &&
	       X509_set_issuer_name(x509, name);
}

static X509 *
make_certificate(EVP_PKEY *key)
{
	X509 *x509 = X509_new();

	if (x509 && X509_set_version(x509, X509_VERSION_3) &&
	    set_serial(x509) && set_names(x509) &&
	    X509_gmtime_adj(X509_getm_notBefore(x509), 0) &&
	    X509_time_adj_ex(X509_getm_notAfter(x509), VALID_DAYS, 0, NULL) &&
	    X509_set_pubkey(x509, key) && X509_sign(x509, key, EVP_sha256()))
		return x509;
	X509_free(x509);
	return NULL;
}

/* An existing file is not replaced: it may have the key of a PK in use. */
static int
write_private(const char *path, const void *bytes, size_t size,
	      struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY,
		      0600);
	int ret;

	if (fd < 0)
		return error_errno(err, errno, "%s", path);
	ret = save_to(fd, bytes, size);
	if (close(fd) < 0 && ret == 0)
		ret = -errno;
	if (ret < 0) {
		(void)unlink(path);
		return error_errno(err, -ret, "%s", path);
	}
	return 0;
}

static int
save_private(EVP_PKEY *key, X509 *x509, const char *path, struct error *err)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *bytes;
	long len;
	int ret = -ENOMEM;

	if (bio &&
	    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL,
					  NULL) &&
	    PEM_write_bio_X509(bio, x509)) {
		len = BIO_get_mem_data(bio, &bytes);
		ret = write_private(path, bytes, (size_t)len, err);
	} else {
		(void)error_set(err, ENOMEM, "%s: out of memory", path);
	}
	BIO_free(bio);
	return ret;
}

static int
add_certificate(struct keys_input *input, const uint8_t *owner, X509 *x509,
		struct error *err)
{
	unsigned char *der = NULL;
	int len = i2d_X509(x509, &der), ret;

	if (len <= 0)
		return error_set(err, ENOMEM, "out of memory");
	ret = keys_add(input, KEYS_PK, der, (size_t)len, owner, err);
	OPENSSL_free(der);
	return ret;
}

int
keys_generate(struct keys_input *input, const uint8_t *owner,
	      const char *private_key, struct error *err)
{
	EVP_PKEY *key = EVP_RSA_gen(BITS);
	X509 *x509 = key ? make_certificate(key) : NULL;
	int ret;

	if (!x509)
		ret = error_set(err, EIO, "no RSA key could be made");
	else
		ret = add_certificate(input, owner, x509, err);
	if (ret == 0 && private_key)
		ret = save_private(key, x509, private_key, err);
	X509_free(x509);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return ret;
}
