/* SPDX-License-Identifier: BSD-2-Clause */
#include "keys_fixture.h"

#include <errno.h>
#include <openssl/pkcs7.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "pflash/le.h"
#include "pflashctl.h"

const uint8_t me[16] = { 'm', 'e' };
const uint8_t you[16] = { 'y', 'o', 'u' };
const uint8_t sha256[16] = { 0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40,
			     0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28 };

char said[1024];
unsigned int notes;

int
ctl_fail(int code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(said, sizeof(said), fmt, args);
	va_end(args);
	notes++;
	return code;
}

int
ctl_code(int ret)
{
	return -ret;
}

int
ctl_refused(int ret, const struct error *why)
{
	return ctl_fail(-ret, "%s", why->text);
}

/* --- keys --- */

struct party pk, kek, db, leaf, stranger;
EVP_PKEY *keys[3];

/* Only an authority may issue certificates. */
static void
make_authority(X509 *x509)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL,
							NID_basic_constraints,
							"critical,CA:TRUE");

	ck_assert_ptr_nonnull(extension);
	ck_assert(X509_add_ext(x509, extension, -1));
	X509_EXTENSION_free(extension);
}

struct party
make_party(EVP_PKEY *key, const char *name, const struct party *issuer,
	   long from, long until)
{
	struct party party = { .key = key, .x509 = X509_new() };
	X509_NAME *subject = X509_get_subject_name(party.x509);
	int len;

	/* ub-common-name of X.520 is 64, which others do not keep to. */
	ASN1_STRING_TABLE_add(NID_commonName, 1, 1000, DIRSTRING_TYPE, 0);

	ck_assert(X509_set_version(party.x509, X509_VERSION_3));
	ck_assert(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
					     (const unsigned char *)name, -1,
					     -1, 0));
	ASN1_INTEGER_set(X509_get_serialNumber(party.x509), 1);
	ASN1_TIME_set(X509_getm_notBefore(party.x509), from);
	ASN1_TIME_set(X509_getm_notAfter(party.x509), until);
	X509_set_issuer_name(party.x509,
			     issuer ? X509_get_subject_name(issuer->x509) :
				      subject);
	X509_set_pubkey(party.x509, key);
	if (!issuer)
		make_authority(party.x509);
	ck_assert(X509_sign(party.x509, issuer ? issuer->key : key,
			    EVP_sha256()));
	len = i2d_X509(party.x509, &party.der);
	ck_assert_int_gt(len, 0);
	party.size = (size_t)len;
	return party;
}

void
free_party(struct party *party)
{
	X509_free(party->x509);
	OPENSSL_free(party->der);
}

static void
make_keys(void)
{
	for (int i = 0; i < 3 && !keys[i]; i++)
		ck_assert_ptr_nonnull(keys[i] = EVP_RSA_gen(2048));
}

/* --- the store --- */

struct vars vars;
struct varstore store;
struct error err;

void
open_store(void)
{
	ck_assert_int_eq(varstore_open(&store, vars.image, vars.size, &err), 0);
}

void
setup(void)
{
	vars = vars_make("4m");
	open_store();
	err.text[0] = said[0] = '\0';
	notes = 0;
	pk = make_party(keys[0], "Platform", NULL, 0, 1000 * DAY);
	kek = make_party(keys[1], "Exchange", NULL, 0, 1000 * DAY);
	db = make_party(keys[2], "Programs", NULL, 0, 1000 * DAY);
	leaf = make_party(keys[2], "Leaf", &kek, 0, 1000 * DAY);
	stranger = make_party(keys[2], "Stranger", NULL, 0, 1000 * DAY);
}

void
teardown(void)
{
	vars_free(&vars);
	free_party(&pk);
	free_party(&kek);
	free_party(&db);
	free_party(&leaf);
	free_party(&stranger);
}

/* Makes the changes of a plan; 1: the image has changed. */
int
run(edit_plan *plan, void *opaque)
{
	const struct edit_target target = {
		.path = "guest.fd",
		.store = &store,
		.layout = vars.layout,
	};
	struct changes *changes = changes_new();
	int ret = plan(opaque, &target, changes, &err);

	/* The real caller plans twice. */
	if (ret == 0)
		ret = plan(opaque, &target, changes, &err);
	if (ret == 0)
		ret = changes_apply(changes, vars.image, vars.size, &err);
	changes_free(changes);
	open_store();
	return ret;
}

struct siglists
of_store(enum keys_database database)
{
	struct variable variable;

	if (!keys_find(&store, &keys_databases[database], &variable))
		return (struct siglists){ .bytes = NULL };
	ck_assert_uint_eq(variable.attributes, KEYS_ATTRIBUTES);
	return (struct siglists){ (uint8_t *)variable.data,
				  variable.data_size };
}

/* The names of a database's signatures: "Exchange, SHA-256 07070707...". */
const char *
names(enum keys_database database)
{
	static char text[4096];
	struct siglists value = of_store(database);
	struct siglist_walk walk;
	struct signature each;

	text[0] = '\0';
	siglist_begin(&walk, value.bytes, value.size);
	while (siglist_next(&walk, &each, &err) > 0) {
		char *name = keys_signature_name(&each);

		if (text[0])
			strcat(text, ", ");
		strncat(text, name, 100);
		free(name);
	}
	return text;
}

int
enable(void)
{
	return keys_byte(&store, &keys_secure_boot_enable);
}

/* --- what is enrolled --- */

int
add(struct keys_input *to, enum keys_database database,
    const struct party *party, const uint8_t *owner)
{
	return keys_add(to, database, party->der, party->size, owner, &err);
}

void
add_hash(struct siglists *to, const uint8_t *owner, uint8_t fill)
{
	uint8_t hash[32];

	memset(hash, fill, sizeof(hash));
	ck_assert_int_ge(siglists_append_one(to, sha256, owner, hash,
					     sizeof(hash), &err),
			 0);
}

int
enroll(struct keys_input *to, bool keep_pk)
{
	struct keys_enrolment enrolment = { *to, keep_pk };
	int ret = run(keys_plan_enroll, &enrolment);

	keys_input_free(to);
	*to = (struct keys_input){ .lists = { { NULL, 0 } } };
	return ret;
}

/* PK, KEK and db of their parties; `owner` is that of KEK and db. */
void
enroll_all(const uint8_t *owner)
{
	struct keys_input to = { .lists = { { NULL, 0 } } };

	ck_assert_int_eq(add(&to, KEYS_PK, &pk, me), 0);
	ck_assert_int_eq(add(&to, KEYS_KEK, &kek, owner), 0);
	ck_assert_int_eq(add(&to, KEYS_DB, &db, owner), 0);
	ck_assert_int_eq(enroll(&to, false), 1);
}

/* --- files --- */

struct keys_input input;

void
setup_input(void)
{
	setup();
	input = (struct keys_input){ .lists = { { NULL, 0 } } };
}

void
teardown_input(void)
{
	keys_input_free(&input);
	teardown();
}
/* --- signed updates --- */

/* The SignedData of `content`, or with its ContentInfo. */
static unsigned char *
sign(const struct signing *how, const uint8_t *content, size_t size, int *len)
{
	BIO *bio = BIO_new_mem_buf(content, (int)size);
	const int flags = PKCS7_BINARY | PKCS7_DETACHED | PKCS7_NOATTR |
			  PKCS7_NOSMIMECAP | PKCS7_PARTIAL;
	PKCS7 *pkcs7 = PKCS7_sign(NULL, NULL, NULL, bio, flags);
	unsigned char *der = NULL;

	ck_assert_ptr_nonnull(PKCS7_sign_add_signer(
		pkcs7, how->by->x509, how->by->key,
		how->digest ? how->digest : EVP_sha256(), flags));
	ck_assert(PKCS7_final(pkcs7, bio, flags));
	*len = how->wrapped ? i2d_PKCS7(pkcs7, &der) :
			      i2d_PKCS7_SIGNED(pkcs7->d.sign, &der);
	ck_assert_int_gt(*len, 0);
	PKCS7_free(pkcs7);
	BIO_free(bio);
	return der;
}

/* The caller frees the update. */
uint8_t *
make_update(const struct signing *how, const struct siglists *value,
	    size_t *size)
{
	static const uint8_t pkcs7[16] = { 0x9d, 0xd2, 0xaf, 0x4a, 0xdf, 0x68,
					   0xee, 0x49, 0x8a, 0xa9, 0x34, 0x7d,
					   0x37, 0x56, 0x65, 0xa7 };
	const struct keys_variable *which = &keys_databases[how->database];
	uint8_t header[40] = { 0 }, *content, *update;
	struct authvar authvar = { .time_bytes = header,
				   .value = value->bytes,
				   .value_size = value->size };
	size_t content_size = authvar_signed_size(&authvar, which->name_size);
	unsigned char *der;
	int len;

	put_le16(header, how->year);
	header[2] = header[3] = 1;
	content = malloc(content_size);
	authvar_signed(&authvar, which->guid, which->name, which->name_size,
		       KEYS_ATTRIBUTES | (how->append ? VARIABLE_APPEND : 0u),
		       content);
	der = sign(how, content, content_size, &len);
	put_le32(header + 16, 24 + (uint32_t)len);
	put_le16(header + 20, 0x0200);
	put_le16(header + 22, 0x0ef1);
	memcpy(header + 24, pkcs7, 16);
	*size = sizeof(header) + (size_t)len + value->size;
	update = malloc(*size);
	memcpy(update, header, sizeof(header));
	memcpy(update + sizeof(header), der, (size_t)len);
	if (value->size)
		memcpy(update + sizeof(header) + len, value->bytes,
		       value->size);
	free(content);
	OPENSSL_free(der);
	return update;
}

struct siglists
certificate_list(const struct party *party, const uint8_t *owner)
{
	struct siglists value = { .bytes = NULL };

	ck_assert_int_eq(siglists_append_one(&value, siglist_x509.guid, owner,
					     party->der, party->size, &err),
			 1);
	return value;
}

uint16_t
year_of(enum keys_database database)
{
	struct variable variable;

	ck_assert(keys_find(&store, &keys_databases[database], &variable));
	return variable.time.year;
}

/* --- suites --- */

void
add_case(Suite *suite, const char *name, const TTest *const *tests,
	 size_t count, void (*begin)(void), void (*end)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_unchecked_fixture(tc, make_keys, NULL);
	tcase_add_checked_fixture(tc, begin, end);
	for (size_t i = 0; i < count; i++)
		tcase_add_loop_test(tc, tests[i], 0, 2);
	suite_add_tcase(suite, tc);
}

int
run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
