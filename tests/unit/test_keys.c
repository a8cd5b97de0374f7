/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests certificates, files with keys, and pflashctl keys enroll and rm. */
#include <check.h>
#include <errno.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys_fixture.h"
#include "pflash/le.h"

/* --- certificates --- */

START_TEST(certificate)
{
	struct cert cert;

	ck_assert_int_eq(cert_read(&cert, leaf.der, leaf.size, &err), 0);
	ck_assert_str_eq(cert.subject, "CN=Leaf");
	ck_assert_str_eq(cert.issuer, "CN=Exchange");
	ck_assert_str_eq(cert.name, "Leaf");
	ck_assert_int_eq(cert.not_before, 0);
	ck_assert_int_eq(cert.not_after, 1000 * DAY);
	ck_assert(cert.rsa);
	cert_free(&cert);
}
END_TEST

START_TEST(certificate_that_is_none)
{
	struct cert cert;
	uint8_t *copy = malloc(pk.size + 1);

	memcpy(copy, pk.der, pk.size);
	copy[pk.size] = 0;
	for (size_t size = 0; size < pk.size; size++)
		ck_assert_int_eq(cert_read(&cert, copy, size, &err), -EINVAL);
	ck_assert_int_eq(cert_read(&cert, copy, pk.size + 1, &err), -EINVAL);
	ck_assert_int_eq(cert_read(&cert, copy, pk.size, &err), 0);
	cert_free(&cert);
	free(copy);
}
END_TEST

/* Nothing of a certificate reaches a terminal as it is. */
START_TEST(hostile_names)
{
	char longer[300];
	struct party party = make_party(keys[0],
					"a\x1b[2J\n\xe2\x80\xae\xc3\xa9", NULL,
					0, DAY);
	struct cert cert;

	ck_assert_int_eq(cert_read(&cert, party.der, party.size, &err), 0);
	ck_assert_str_eq(cert.name, "a\\x1b[2J\\x0a\\xe2\\x80\\xae\xc3\xa9");
	ck_assert_ptr_null(strchr(cert.subject, '\x1b'));
	ck_assert_ptr_null(strchr(cert.subject, '\n'));
	cert_free(&cert);
	free_party(&party);

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	party = make_party(keys[0], longer, NULL, 0, DAY);
	ck_assert_int_eq(cert_read(&cert, party.der, party.size, &err), 0);
	ck_assert_uint_eq(strlen(cert.name), 203);
	ck_assert_str_eq(cert.name + 200, "...");
	cert_free(&cert);
	free_party(&party);
}
END_TEST

START_TEST(known_certificates)
{
	static const uint8_t uefi_2023[32] = {
		0xf6, 0x12, 0x4e, 0x34, 0x12, 0x5b, 0xee, 0x3f,
		0xe6, 0xd7, 0x9a, 0x57, 0x4e, 0xaa, 0x7b, 0x91,
		0xc0, 0xe7, 0xbd, 0x9d, 0x92, 0x9c, 0x1a, 0x32,
		0x11, 0x78, 0xef, 0xd6, 0x11, 0xda, 0xd9, 0x01,
	};
	struct fingerprint fingerprint = { .size = 32 };
	const uint8_t *predecessor;

	ck_assert_ptr_null(keys_known_name(&fingerprint));
	ck_assert_ptr_null(keys_predecessor(&fingerprint));
	memcpy(fingerprint.bytes, uefi_2023, 32);
	ck_assert_str_eq(keys_known_name(&fingerprint),
			 "Microsoft UEFI CA 2023");
	predecessor = keys_predecessor(&fingerprint);
	ck_assert_ptr_nonnull(predecessor);
	memcpy(fingerprint.bytes, predecessor, 32);
	ck_assert_str_eq(keys_known_name(&fingerprint),
			 "Microsoft UEFI CA 2011, of 2011 to 2026");
	ck_assert_ptr_null(keys_predecessor(&fingerprint));
	ck_assert_str_eq(keys_owner_name(keys_default_owner(pk.der, pk.size)),
			 "pflashctl");
}
END_TEST

/* --- files --- */

static void
refused(enum keys_database database, const void *bytes, size_t size,
	const char *sentence)
{
	ck_assert_int_eq(keys_add(&input, database, bytes, size, me, &err),
			 -EINVAL);
	ck_assert_msg(strstr(err.text, sentence) != NULL, "%s", err.text);
	ck_assert_uint_eq(input.lists[database].size, 0);
}

static size_t
pem_of(const struct party *party, char **text)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long len;

	ck_assert(PEM_write_bio_X509(bio, party->x509));
	len = BIO_get_mem_data(bio, &bytes);
	*text = calloc(1, (size_t)len + 1);
	memcpy(*text, bytes, (size_t)len);
	BIO_free(bio);
	return (size_t)len;
}

START_TEST(der_and_pem_are_one)
{
	char *text;
	size_t size = pem_of(&db, &text);

	ck_assert_int_eq(keys_add(&input, KEYS_DB, (uint8_t *)text, size, me,
				  &err),
			 0);
	free(text);
	ck_assert_uint_eq(input.lists[KEYS_DB].size, 28 + 16 + db.size);
	ck_assert_int_eq(add(&input, KEYS_DB, &db, you), 0);
	ck_assert_uint_eq(input.lists[KEYS_DB].size, 28 + 16 + db.size);
	ck_assert_mem_eq(input.lists[KEYS_DB].bytes + 28, me, 16);
	ck_assert_mem_eq(input.lists[KEYS_DB].bytes + 44, db.der, db.size);
}
END_TEST

START_TEST(pem_with_two)
{
	char *one, *two, *both;
	size_t size;

	(void)pem_of(&db, &one);
	(void)pem_of(&kek, &two);
	ck_assert_int_gt(asprintf(&both, "Some text\n%s\n%s", one, two), 0);
	size = strlen(both);
	ck_assert_int_eq(keys_add(&input, KEYS_DB, (uint8_t *)both, size, me,
				  &err),
			 0);
	ck_assert_uint_eq(input.lists[KEYS_DB].size,
			  2 * (28 + 16) + db.size + kek.size);
	ck_assert_int_eq(keys_add(&input, KEYS_PK, (uint8_t *)both, size, me,
				  &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, "2 signatures, but PK has one");
	free(one);
	free(two);
	free(both);
}
END_TEST

START_TEST(files_that_are_none)
{
	static const char key[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n"
				  "-----END PRIVATE KEY-----\n";

	refused(KEYS_DB, "", 0, "neither a certificate");
	refused(KEYS_DB, "hello", 5, "neither a certificate");
	refused(KEYS_DB, key, sizeof(key) - 1, "no certificate in PEM");
	refused(KEYS_DB, db.der, db.size - 1, "no X.509 certificate");
	refused(KEYS_DB, "-----BEGIN CERTIFICATE-----\nAAAA\n", 33,
		"no certificate in PEM");
}
END_TEST

START_TEST(lists_are_checked)
{
	struct siglists lists = { .bytes = NULL };

	add_hash(&lists, me, 7);
	refused(KEYS_PK, lists.bytes, lists.size, "PK is a certificate");
	put_le32(lists.bytes + 24, 47);
	put_le32(lists.bytes + 16, 28 + 47);
	refused(KEYS_DBX, lists.bytes, 28 + 47,
		"SignatureSize is 47, but SHA-256 requires 48");
	siglists_free(&lists);
	ck_assert_int_eq(siglists_append_one(&lists, siglist_x509.guid, me,
					     db.der, db.size - 1, &err),
			 1);
	refused(KEYS_DB, lists.bytes, lists.size, "no X.509 certificate");
	siglists_free(&lists);
}
END_TEST

/* CheckSignatureListFormat() takes the RSA key of each certificate. */
START_TEST(key_that_is_not_rsa)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct party party = make_party(key, "Curve", NULL, 0, DAY);

	refused(KEYS_DB, party.der, party.size, "\"Curve\": its key is no RSA");
	free_party(&party);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(signed_file_is_enrolled)
{
	struct signing how = { KEYS_DB, false, 2024, &stranger, NULL, false };
	struct siglists value = certificate_list(&db, me);
	struct variable variable;
	size_t size;
	uint8_t *bytes = make_update(&how, &value, &size);

	refused(KEYS_KEK, bytes, size, "a signed update of db, not of KEK");
	ck_assert_int_eq(keys_add(&input, KEYS_DB, bytes, size, NULL, &err), 0);
	ck_assert_int_eq(enroll(&input, false), 1);
	ck_assert_str_eq(names(KEYS_DB), "Programs");
	ck_assert(keys_find(&store, &keys_databases[KEYS_DB], &variable));
	ck_assert_uint_eq(variable.time.year, 2024);
	bytes[size - 1] ^= 1;
	refused(KEYS_DB, bytes, size, "the signature fits none of PK");
	bytes[size - 1] ^= 1;
	bytes[7] = 1;
	refused(KEYS_DB, bytes, size, "Pad1");
	free(bytes);
	siglists_free(&value);
}
END_TEST

START_TEST(signed_file_without_value)
{
	struct signing how = { KEYS_DB, false, 2024, &stranger, NULL, false };
	struct siglists value = { .bytes = NULL };
	size_t size;
	uint8_t *bytes = make_update(&how, &value, &size);

	refused(KEYS_DB, bytes, size, "a signed update that removes db");
	free(bytes);
}
END_TEST

/* --- enroll --- */

START_TEST(enroll_turns_secure_boot_on)
{
	struct variable variable;

	ck_assert(!keys_user_mode(&store));
	ck_assert_int_eq(add(&input, KEYS_DB, &db, me), 0);
	ck_assert_int_eq(enroll(&input, false), 1);
	ck_assert(!keys_user_mode(&store));
	ck_assert_int_eq(enable(), -1);
	enroll_all(me);
	ck_assert(keys_user_mode(&store));
	ck_assert_int_eq(enable(), 1);
	ck_assert_int_eq(keys_byte(&store, &keys_custom_mode), 0);
	ck_assert_str_eq(names(KEYS_PK), "Platform");
	ck_assert_str_eq(names(KEYS_KEK), "Exchange");
	ck_assert_str_eq(names(KEYS_DB), "Programs");
	ck_assert(keys_find(&store, &keys_databases[KEYS_KEK], &variable));
	ck_assert_int_eq(variable_time_compare(&variable.time,
					       &keys_first_time),
			 0);
	ck_assert(keys_find(&store, &keys_secure_boot_enable, &variable));
	ck_assert_uint_eq(variable.attributes,
			  VARIABLE_NON_VOLATILE | VARIABLE_BOOT_ACCESS);
}
END_TEST

START_TEST(enroll_keeps_what_is_there)
{
	enroll_all(me);
	ck_assert_int_eq(add(&input, KEYS_DB, &db, you), 0);
	ck_assert_int_eq(enroll(&input, false), 0);
	ck_assert_int_eq(add(&input, KEYS_DB, &stranger, you), 0);
	add_hash(&input.lists[KEYS_DBX], me, 7);
	ck_assert_int_eq(enroll(&input, false), 1);
	ck_assert_str_eq(names(KEYS_DB), "Programs, Stranger");
	ck_assert_str_eq(names(KEYS_DBX), "SHA-256 07070707...");
}
END_TEST

START_TEST(enroll_of_another_pk)
{
	enroll_all(me);
	ck_assert_int_eq(add(&input, KEYS_PK, &stranger, me), 0);
	ck_assert_int_eq(enroll(&input, false), -EINVAL);
	ck_assert(strstr(err.text, "it has another PK already, \"Platform\""));
	ck_assert_int_eq(add(&input, KEYS_PK, &stranger, me), 0);
	ck_assert_int_eq(enroll(&input, true), 0);
	ck_assert_int_eq(add(&input, KEYS_PK, &pk, you), 0);
	ck_assert_int_eq(enroll(&input, false), 0);
	ck_assert_str_eq(names(KEYS_PK), "Platform");
}
END_TEST

START_TEST(enroll_does_not_turn_it_on_again)
{
	uint8_t off = 0;
	struct changes *changes = changes_new();

	enroll_all(me);
	ck_assert_int_eq(
		changes_set(
			changes,
			&(struct edit_value){
				.guid = keys_secure_boot_enable.guid,
				.name = keys_secure_boot_enable.name,
				.name_size = keys_secure_boot_enable.name_size,
				.attributes = 3,
				.data = &off,
				.data_size = 1 },
			&err),
		0);
	ck_assert_int_eq(changes_apply(changes, vars.image, vars.size, &err),
			 1);
	changes_free(changes);
	open_store();
	ck_assert_int_eq(add(&input, KEYS_DB, &stranger, me), 0);
	ck_assert_int_eq(enroll(&input, false), 1);
	ck_assert_int_eq(enable(), 0);
}
END_TEST

START_TEST(store_without_time_stamps)
{
	vars_free(&vars);
	vars = vars_make("4m");
	vars_make_plain(&vars);
	open_store();
	ck_assert_int_eq(add(&input, KEYS_DB, &db, me), 0);
	ck_assert_int_eq(enroll(&input, false), -EINVAL);
	ck_assert(strstr(err.text, "no time stamps"));
}
END_TEST

START_TEST(damaged_database_is_not_changed)
{
	struct siglists value;

	enroll_all(me);
	value = of_store(KEYS_DB);
	value.bytes[16]++;
	ck_assert_int_eq(add(&input, KEYS_DB, &stranger, me), 0);
	ck_assert_int_eq(enroll(&input, false), -EINVAL);
	ck_assert(strstr(err.text, "db: signature list at offset 0"));
}
END_TEST

START_TEST(generated_pk)
{
	char path[] = "/tmp/test_keys.XXXXXX", file[64];
	struct stat st;
	FILE *from;
	EVP_PKEY *key;

	ck_assert_ptr_nonnull(mkdtemp(path));
	(void)snprintf(file, sizeof(file), "%s/key", path);
	(void)umask(0);
	ck_assert_int_eq(keys_generate(&input, me, file, &err), 0);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	from = fopen(file, "r");
	key = PEM_read_PrivateKey(from, NULL, NULL, NULL);
	fclose(from);
	ck_assert_ptr_nonnull(key);
	ck_assert_uint_gt(input.lists[KEYS_PK].size, 0);
	EVP_PKEY_free(key);
	keys_input_free(&input);
	ck_assert_int_eq(keys_generate(&input, me, file, &err), -EEXIST);
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(rmdir(path), 0);
	keys_input_free(&input);
	ck_assert_int_eq(keys_generate(&input, me, NULL, &err), 0);
	ck_assert_int_eq(enroll(&input, false), 1);
	ck_assert_str_eq(names(KEYS_PK), "pflashctl platform key");
}
END_TEST

/* --- rm --- */

static struct keys_removal
by_prefix(const uint8_t *hash, size_t digits)
{
	struct keys_removal removal = { .digits = digits };

	memcpy(removal.prefix, hash, (digits + 1) / 2);
	if (digits % 2)
		removal.prefix[digits / 2] &= 0xf0;
	return removal;
}

static struct keys_removal
by_party(const struct party *party, size_t digits)
{
	uint8_t hash[32];

	keys_hash(party->der, party->size, hash);
	return by_prefix(hash, digits);
}

START_TEST(rm_by_prefix)
{
	struct keys_removal removal = by_party(&db, _i ? 15 : 64);

	enroll_all(me);
	ck_assert_int_eq(add(&input, KEYS_DB, &stranger, me), 0);
	ck_assert_int_eq(enroll(&input, false), 1);
	ck_assert_int_eq(run(keys_plan_rm, &removal), 1);
	ck_assert_str_eq(names(KEYS_DB), "Stranger");
	ck_assert_int_eq(run(keys_plan_rm, &removal), -ENOENT);
	removal = by_party(&stranger, 64);
	ck_assert_int_eq(run(keys_plan_rm, &removal), 1);
	ck_assert_uint_eq(of_store(KEYS_DB).size, 0);
	ck_assert_int_eq(enable(), 1);
}
END_TEST

START_TEST(rm_of_a_hash)
{
	const uint8_t hashes[] = { 0x70, 0x71, 0x90 };
	struct keys_removal removal = by_prefix(hashes, 1);

	removal.has_database = true;
	removal.database = KEYS_DBX;
	enroll_all(me);
	for (int i = 0; i < 3; i++)
		add_hash(&input.lists[KEYS_DBX], me, hashes[i]);
	ck_assert_int_eq(enroll(&input, false), 1);
	ck_assert_int_eq(run(keys_plan_rm, &removal), -EINVAL);
	ck_assert_msg(strstr(err.text, "fits \"SHA-256 70707070...\" of dbx") !=
			      NULL,
		      "%s", err.text);
	removal = by_prefix(hashes + 1, 2);
	removal.has_database = true;
	removal.database = KEYS_DBX;
	ck_assert_int_eq(run(keys_plan_rm, &removal), 1);
	ck_assert_str_eq(names(KEYS_DBX),
			 "SHA-256 70707070..., SHA-256 90909090...");
}
END_TEST

START_TEST(rm_where_two_databases_have_it)
{
	struct keys_removal removal = by_party(&db, 64);

	enroll_all(me);
	ck_assert_int_eq(add(&input, KEYS_KEK, &db, me), 0);
	ck_assert_int_eq(enroll(&input, false), 1);
	ck_assert_int_eq(run(keys_plan_rm, &removal), -EINVAL);
	ck_assert(strstr(err.text, "of KEK and \"Programs\" of db"));
	removal.has_database = true;
	removal.database = KEYS_KEK;
	ck_assert_int_eq(run(keys_plan_rm, &removal), 1);
	ck_assert_str_eq(names(KEYS_KEK), "Exchange");
	ck_assert_str_eq(names(KEYS_DB), "Programs");
}
END_TEST

START_TEST(rm_of_pk_is_setup_mode)
{
	struct keys_removal removal = { .has_database = true, .all = true };

	enroll_all(me);
	ck_assert_int_eq(run(keys_plan_rm, &removal), 1);
	ck_assert(!keys_user_mode(&store));
	ck_assert_int_eq(enable(), -1);
	ck_assert_str_eq(names(KEYS_DB), "Programs");
	ck_assert_int_eq(run(keys_plan_rm, &removal), 0);
}
END_TEST

static Suite *
keys_suite(void)
{
	const TTest *const certificates[] = { certificate,
					      certificate_that_is_none,
					      hostile_names,
					      known_certificates };
	const TTest *const files[] = {
		der_and_pem_are_one,       pem_with_two,
		files_that_are_none,       lists_are_checked,
		key_that_is_not_rsa,       signed_file_is_enrolled,
		signed_file_without_value,
	};
	const TTest *const enrolment[] = {
		enroll_turns_secure_boot_on,
		enroll_keeps_what_is_there,
		enroll_of_another_pk,
		enroll_does_not_turn_it_on_again,
		store_without_time_stamps,
		damaged_database_is_not_changed,
		generated_pk,
		rm_by_prefix,
		rm_of_a_hash,
		rm_where_two_databases_have_it,
		rm_of_pk_is_setup_mode,
	};
	Suite *suite = suite_create("keys");

	ADD(suite, "certificates", certificates, setup, teardown);
	ADD(suite, "files", files, setup_input, teardown_input);
	ADD(suite, "enrolment", enrolment, setup_input, teardown_input);
	return suite;
}

int
main(void)
{
	return run_suite(keys_suite());
}
