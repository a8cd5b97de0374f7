/* SPDX-License-Identifier: BSD-2-Clause */
/* Files with keys, recognized by their contents. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys.h"
#include "pflash/identify.h"
#include "pflash/load.h"
#include "pflashctl.h"

void
keys_input_free(struct keys_input *input)
{
	for (int i = 0; i < KEYS_DATABASES; i++)
		siglists_free(&input->lists[i]);
}

/* --- values --- */

static int
check_certificate(const struct signature *signature, struct error *err)
{
	struct cert cert;
	int ret = cert_read(&cert, signature->data, signature->size, err);

	if (ret < 0)
		return ret;
	if (!cert.rsa)
		ret = error_set(err, EINVAL,
				"certificate \"%s\": its key is no RSA key, "
				"and the firmware takes no other",
				cert.name);
	cert_free(&cert);
	return ret;
}

int
keys_check_value(enum keys_database database, const uint8_t *bytes, size_t size,
		 struct error *err)
{
	struct signature signature;
	struct siglist_walk walk;
	size_t count;
	int ret = siglist_check(bytes, size, &count, err);

	if (ret < 0)
		return ret;
	if (database == KEYS_PK && count > 1)
		return error_set(err, EINVAL, "%zu signatures, but PK has one",
				 count);
	siglist_begin(&walk, bytes, size);
	while (siglist_next(&walk, &signature, NULL) > 0) {
		if (signature_is_x509(&signature))
			ret = check_certificate(&signature, err);
		else if (database == KEYS_PK)
			ret = error_set(err, EINVAL,
					"PK is a certificate, but this is not");
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int
add_lists(struct keys_input *input, enum keys_database database,
	  const uint8_t *lists, size_t size, struct error *err)
{
	struct siglists *value = &input->lists[database];
	int ret = keys_check_value(database, lists, size, err);

	if (ret == 0)
		ret = siglists_append(value, lists, size, SIGLISTS_EQUAL_DATA,
				      err);
	if (ret >= 0 && database == KEYS_PK)
		ret = keys_check_value(database, value->bytes, value->size,
				       err);
	return ret < 0 ? ret : 0;
}

static int
add_certificate(struct keys_input *input, enum keys_database database,
		const uint8_t *der, size_t size, const uint8_t *owner,
		struct error *err)
{
	struct siglists list = { .bytes = NULL };
	int ret;

	if (!owner)
		owner = keys_default_owner(der, size);
	ret = siglists_append_one(&list, siglist_x509.guid, owner, der, size,
				  err);
	if (ret >= 0)
		ret = add_lists(input, database, list.bytes, list.size, err);
	siglists_free(&list);
	return ret;
}

static int
add_x509(struct keys_input *input, enum keys_database database, X509 *x509,
	 const uint8_t *owner, struct error *err)
{
	unsigned char *der = NULL;
	int len = i2d_X509(x509, &der);
	int ret;

	if (len <= 0)
		return error_set(err, ENOMEM, "out of memory");
	ret = add_certificate(input, database, der, (size_t)len, owner, err);
	OPENSSL_free(der);
	return ret;
}

static int
add_pem(struct keys_input *input, enum keys_database database,
	const uint8_t *bytes, size_t size, const uint8_t *owner,
	struct error *err)
{
	BIO *bio = BIO_new_mem_buf(bytes, (int)size);
	unsigned int count = 0;
	int ret = 0;
	X509 *x509;

	while (bio && ret == 0 &&
	       (x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		ret = add_x509(input, database, x509, owner, err);
		X509_free(x509);
		count++;
	}
	BIO_free(bio);
	ERR_clear_error();
	if (ret == 0 && count == 0)
		ret = error_set(err, EINVAL, "no certificate in PEM");
	return ret;
}

/* A later time stamp of several files is that of the variable. */
static void
note_time(struct keys_input *input, enum keys_database database,
	  const struct variable_time *time)
{
	if (variable_time_compare(&input->time[database], time) < 0)
		input->time[database] = *time;
}

static int
add_update(struct keys_input *input, enum keys_database database,
	   const uint8_t *bytes, size_t size, struct error *err)
{
	struct keys_target target;
	struct authvar update;
	int ret = authvar_parse(&update, bytes, size, err);

	if (ret == 0)
		ret = keys_identify(&update, &target, err);
	if (ret < 0)
		return ret;
	if (target.database != database)
		return error_set(err, EINVAL,
				 "a signed update of %s, not of %s",
				 keys_databases[target.database].text,
				 keys_databases[database].text);
	if (update.value_size == 0)
		return error_set(err, EINVAL, "a signed update that removes %s",
				 keys_databases[database].text);
	note_time(input, database, &update.time);
	return add_lists(input, database, update.value, update.value_size, err);
}

/* A certificate in DER is a SEQUENCE; a list of one begins with its type. */
static bool
looks_like_der(const uint8_t *bytes, size_t size)
{
	return size > 2 && bytes[0] == 0x30 && bytes[1] >= 0x80;
}

int
keys_add(struct keys_input *input, enum keys_database database,
	 const uint8_t *bytes, size_t size, const uint8_t *owner,
	 struct error *err)
{
	static const char pem[] = "-----BEGIN ";

	if (authvar_recognize(bytes, size))
		return add_update(input, database, bytes, size, err);
	if (size >= GUID_SIZE && siglist_type(bytes))
		return add_lists(input, database, bytes, size, err);
	if (looks_like_der(bytes, size))
		return add_certificate(input, database, bytes, size, owner,
				       err);
	if (memmem(bytes, size, pem, sizeof(pem) - 1))
		return add_pem(input, database, bytes, size, owner, err);
	return error_set(err, EINVAL,
			 "neither a certificate in PEM or DER, nor signature "
			 "lists, nor a signed update");
}

static int
name_file(const char *path, int ret, struct error *err)
{
	struct error sentence = *err;

	return error_set(err, -ret, "%s: %s", path, sentence.text);
}

int
keys_load(struct keys_input *input, enum keys_database database,
	  const char *path, const uint8_t *owner, struct error *err)
{
	uint8_t *bytes;
	size_t size;
	int ret = load_file(path, KEYS_FILE_MOST, &bytes, &size, err);

	if (ret == 0) {
		ret = keys_add(input, database, bytes, size, owner, err);
		if (ret < 0)
			ret = name_file(path, ret, err);
	}
	free(bytes);
	return ret;
}

/* --- VARS files and templates --- */

static int
add_store(struct keys_input *input, const struct varstore *store,
	  struct error *err)
{
	struct variable variable;
	int ret = 0;

	for (int i = 0; i < KEYS_DATABASES && ret == 0; i++) {
		enum keys_database database = (enum keys_database)i;

		if (!keys_find(store, &keys_databases[i], &variable))
			continue;
		note_time(input, database, &variable.time);
		ret = add_lists(input, database, variable.data,
				variable.data_size, err);
		if (ret < 0) {
			struct error sentence = *err;

			ret = error_set(err, -ret, "%s: %s",
					keys_databases[i].text, sentence.text);
		}
	}
	return ret;
}

static bool
has_any(const struct keys_input *input)
{
	for (int i = 0; i < KEYS_DATABASES; i++)
		if (input->lists[i].size)
			return true;
	return false;
}

static int
add_image(struct keys_input *input, const char *path, const uint8_t *image,
	  size_t size, struct error *err)
{
	struct varstore store;
	int ret = varstore_open(&store, image, size, err);

	if (ret == 0)
		ret = add_store(input, &store, err);
	if (ret == 0 && !has_any(input))
		ret = error_set(err, EINVAL,
				"it has no keys: PK, KEK, db, dbx and dbt do "
				"not exist");
	return ret < 0 ? name_file(path, ret, err) : 0;
}

/* The newest state of a VARS file is in its journal. */
static int
read_vars(const char *path, uint8_t **image, size_t *size, struct error *err)
{
	struct ctl_options options = { .files = { path } };
	struct store_config config = ctl_config(&options);
	struct reader *reader;
	int ret = reader_open_files(&reader, &config, err);

	*image = NULL;
	if (ret < 0)
		return ret;
	*size = reader_size(reader);
	ret = ctl_image(reader, false, 0, image, err);
	reader_close(reader);
	return ret;
}

int
keys_load_store(struct keys_input *input, const char *path, struct error *err)
{
	struct error note;
	char *journal;
	uint8_t *image;
	size_t size;
	bool has_journal;
	int ret;

	if (asprintf(&journal, "%s.journal", path) < 0)
		return error_set(err, ENOMEM, "out of memory");
	has_journal = access(journal, F_OK) == 0;
	free(journal);
	ret = has_journal ? read_vars(path, &image, &size, err) :
			    identify_template(path, &image, &size, &note, err);
	if (ret >= 0)
		ret = add_image(input, path, image, size, err);
	free(image);
	return ret;
}
