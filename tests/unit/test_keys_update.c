/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests pflashctl keys update and refresh, list, and values in words. */
#include <check.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "keys_fixture.h"
#include "pflash/le.h"

/* --- update --- */

static int
apply(const struct signing *how, const struct siglists *value)
{
	struct keys_signed_update update;
	size_t size;
	uint8_t *bytes = make_update(how, value, &size);
	int ret = authvar_parse(&update.authvar, bytes, size, &err);

	if (ret == 0)
		ret = keys_identify(&update.authvar, &update.target, &err);
	if (ret == 0) {
		ck_assert_int_eq(update.target.database, how->database);
		ck_assert(update.target.append == how->append);
		ret = run(keys_plan_update, &update);
	}
	free(bytes);
	return ret;
}

START_TEST(update_by_kek)
{
	struct signing how = { KEYS_DBX, true, 2024, &kek, NULL, _i == 1 };
	struct siglists value = { .bytes = NULL };

	enroll_all(me);
	add_hash(&value, me, 7);
	ck_assert_int_eq(apply(&how, &value), 1);
	ck_assert_str_eq(names(KEYS_DBX), "SHA-256 07070707...");
	ck_assert_int_eq(apply(&how, &value), 0);

	/* An older one is appended, and the time stays. */
	siglists_free(&value);
	add_hash(&value, me, 8);
	add_hash(&value, me, 7);
	how.year = 2012;
	ck_assert_int_eq(apply(&how, &value), 1);
	ck_assert_str_eq(names(KEYS_DBX),
			 "SHA-256 07070707..., SHA-256 08080808...");
	ck_assert_uint_eq(year_of(KEYS_DBX), 2024);

	/* A newer one with nothing new is only a time. */
	how.year = 2025;
	ck_assert_int_eq(apply(&how, &value), 1);
	ck_assert_uint_eq(year_of(KEYS_DBX), 2025);
	siglists_free(&value);
}
END_TEST

START_TEST(update_that_replaces)
{
	struct signing how = { KEYS_DB, false, 2024, &kek, NULL, false };
	struct siglists value = certificate_list(&stranger, me);

	enroll_all(me);
	ck_assert_int_eq(apply(&how, &value), 1);
	ck_assert_str_eq(names(KEYS_DB), "Stranger");
	ck_assert_uint_eq(year_of(KEYS_DB), 2024);
	ck_assert_int_eq(apply(&how, &value), -EINVAL);
	ck_assert(strstr(err.text,
			 "the update of db is of 2024-01-01 00:00:00, not "
			 "later than the value"));
	how.year = 2023;
	ck_assert_int_eq(apply(&how, &value), -EINVAL);
	siglists_free(&value);
	how.year = 2025;
	ck_assert_int_eq(apply(&how, &value), 1);
	ck_assert_uint_eq(of_store(KEYS_DB).size, 0);
}
END_TEST

START_TEST(update_by_a_certificate_of_kek)
{
	struct signing how = { KEYS_DBX, true, 2024, &leaf, NULL, false };
	struct siglists value = { .bytes = NULL };

	enroll_all(me);
	add_hash(&value, me, 7);
	ck_assert_int_eq(apply(&how, &value), 1);
	siglists_free(&value);
}
END_TEST

START_TEST(update_by_another)
{
	struct signing how = { KEYS_DBX, true, 2024, &stranger, NULL, false };
	struct siglists value = { .bytes = NULL };

	enroll_all(me);
	add_hash(&value, me, 7);
	ck_assert_int_eq(apply(&how, &value), -EACCES);
	ck_assert_str_eq(err.text,
			 "the update is signed by \"Stranger\" (issuer "
			 "\"CN=Stranger\"), and the KEK of this store has "
			 "neither");
	/* A certificate of db may sign programs, not db. */
	how.by = &db;
	ck_assert_int_eq(apply(&how, &value), -EACCES);
	siglists_free(&value);
	ck_assert_uint_eq(of_store(KEYS_DBX).size, 0);
}
END_TEST

START_TEST(update_of_kek_is_by_pk)
{
	struct signing how = { KEYS_KEK, true, 2024, &kek, NULL, false };
	struct siglists value = certificate_list(&stranger, me);
	struct party issued = make_party(keys[2], "Issued", &pk, 0, DAY);

	enroll_all(me);
	ck_assert_int_eq(apply(&how, &value), -EACCES);
	ck_assert(strstr(err.text, "the PK of this store has neither"));
	how.by = &issued;
	ck_assert_int_eq(apply(&how, &value), -EACCES);
	how.by = &pk;
	ck_assert_int_eq(apply(&how, &value), 1);
	ck_assert_str_eq(names(KEYS_KEK), "Exchange, Stranger");
	siglists_free(&value);
	free_party(&issued);
}
END_TEST

START_TEST(update_that_removes_pk)
{
	struct signing how = { KEYS_PK, false, 2024, &pk, NULL, false };
	struct siglists value = { .bytes = NULL };

	enroll_all(me);
	ck_assert_int_eq(apply(&how, &value), 1);
	ck_assert(!keys_user_mode(&store));
	ck_assert_int_eq(enable(), -1);
	ck_assert_int_eq(apply(&how, &value), -EINVAL);
	ck_assert(strstr(err.text, "no PK (setup mode)"));
}
END_TEST

START_TEST(update_with_a_weak_digest)
{
	struct signing how = { KEYS_DBX, true, 2024, &kek, EVP_sha1(), false };
	struct siglists value = { .bytes = NULL };

	enroll_all(me);
	add_hash(&value, me, 7);
	ck_assert_int_eq(apply(&how, &value), -EINVAL);
	ck_assert(strstr(err.text, "AuthInfo.CertData is no signature"));
	how.digest = EVP_sha384();
	ck_assert_int_eq(apply(&how, &value), 1);
	siglists_free(&value);
}
END_TEST

/* One bit of what is signed, anywhere. */
START_TEST(update_that_was_changed)
{
	struct signing how = { KEYS_DBX, true, 2024, &kek, NULL, false };
	struct siglists value = { .bytes = NULL };
	struct keys_target target = { KEYS_DBX, true };
	struct authvar authvar;
	size_t size;
	uint8_t *bytes;

	enroll_all(me);
	add_hash(&value, me, 7);
	bytes = make_update(&how, &value, &size);
	ck_assert_int_eq(authvar_parse(&authvar, bytes, size, &err), 0);
	ck_assert_int_eq(keys_verify(&authvar, &target, &store, &err), 0);
	for (size_t i = 0; i < value.size; i++) {
		bytes[size - 1 - i] ^= 4;
		ck_assert_int_eq(keys_verify(&authvar, &target, &store, &err),
				 -EACCES);
		bytes[size - 1 - i] ^= 4;
	}
	for (size_t i = 0; i < 7; i++) {
		bytes[i] ^= 4;
		ck_assert_int_eq(keys_verify(&authvar, &target, &store, &err),
				 -EACCES);
		bytes[i] ^= 4;
	}
	target.append = false;
	ck_assert_int_eq(keys_verify(&authvar, &target, &store, &err), -EACCES);
	target = (struct keys_target){ KEYS_DB, true };
	ck_assert_int_eq(keys_verify(&authvar, &target, &store, &err), -EACCES);
	free(bytes);
	siglists_free(&value);
}
END_TEST

/* --- refresh --- */

static struct keys_refreshing refreshing;

static int
refresh(void)
{
	return run(keys_plan_refresh, &refreshing);
}

static void
setup_refresh(void)
{
	setup_input();
	refreshing = (struct keys_refreshing){ .path = NULL };
}

static void
teardown_refresh(void)
{
	keys_input_free(&refreshing.input);
	teardown_input();
}

START_TEST(refresh_adds_for_the_same_owner)
{
	enroll_all(me);
	ck_assert_int_eq(add(&refreshing.input, KEYS_PK, &stranger, me), 0);
	ck_assert_int_eq(add(&refreshing.input, KEYS_KEK, &leaf, me), 0);
	ck_assert_int_eq(add(&refreshing.input, KEYS_DB, &db, you), 0);
	ck_assert_int_eq(add(&refreshing.input, KEYS_DB, &leaf, me), 0);
	ck_assert_int_eq(add(&refreshing.input, KEYS_DB, &stranger, you), 0);
	add_hash(&refreshing.input.lists[KEYS_DBX], you, 7);
	refreshing.input.time[KEYS_DBX].year = 2020;
	ck_assert_int_eq(refresh(), 1);
	ck_assert_str_eq(names(KEYS_PK), "Platform");
	ck_assert_str_eq(names(KEYS_KEK), "Exchange, Leaf");
	ck_assert_str_eq(names(KEYS_DB), "Programs, Leaf");
	ck_assert_str_eq(names(KEYS_DBX), "SHA-256 07070707...");
	ck_assert_uint_eq(year_of(KEYS_DB), 2010);
	ck_assert_uint_eq(year_of(KEYS_DBX), 2020);
	ck_assert_int_eq(refresh(), 0);
	ck_assert_uint_eq(notes, 0);
}
END_TEST

START_TEST(refresh_in_setup_mode)
{
	ck_assert_int_eq(add(&input, KEYS_DB, &db, me), 0);
	ck_assert_int_eq(enroll(&input, false), 1);
	ck_assert_int_eq(add(&refreshing.input, KEYS_DB, &leaf, me), 0);
	ck_assert_int_eq(refresh(), 0);
	ck_assert_uint_eq(notes, 1);
	ck_assert(strstr(said, "guest.fd: it has no PK (setup mode)"));
	vars_free(&vars);
	vars = vars_make("4m");
	vars_make_plain(&vars);
	open_store();
	ck_assert_int_eq(refresh(), 0);
}
END_TEST

START_TEST(refresh_does_not_revoke_the_own)
{
	enroll_all(me);
	ck_assert_int_eq(add(&refreshing.input, KEYS_DBX, &db, you), 0);
	add_hash(&refreshing.input.lists[KEYS_DBX], you, 7);
	ck_assert_int_eq(refresh(), 1);
	ck_assert_str_eq(names(KEYS_DBX), "SHA-256 07070707...");
	ck_assert_uint_eq(notes, 1);
	ck_assert(strstr(said, "revokes a signature that is in db here"));
}
END_TEST

/* 443 hashes, as today, are more than the 2 MiB layout takes. */
START_TEST(refresh_without_room_for_dbx)
{
	vars_free(&vars);
	vars = vars_make("2m");
	open_store();
	enroll_all(me);
	ck_assert_int_eq(add(&refreshing.input, KEYS_DB, &leaf, me), 0);
	for (unsigned int i = 0; i < 443; i++) {
		uint8_t hash[32] = { (uint8_t)i, (uint8_t)(i >> 8) };

		ck_assert_int_eq(
			siglists_append_one(&refreshing.input.lists[KEYS_DBX],
					    sha256, you, hash, 32, &err),
			1);
	}
	ck_assert_int_eq(refresh(), 1);
	ck_assert_str_eq(names(KEYS_DB), "Programs, Leaf");
	ck_assert_uint_eq(of_store(KEYS_DBX).size, 0);
	ck_assert_uint_eq(notes, 1);
	ck_assert(strstr(said, "too large for this layout"));
}
END_TEST

/* --- texts --- */

static struct variable
found(enum keys_database database)
{
	struct variable variable;

	ck_assert(keys_find(&store, &keys_databases[database], &variable));
	return variable;
}

START_TEST(values_in_words)
{
	struct variable before, after;
	uint8_t *old;
	char *text;

	enroll_all(me);
	add_hash(&input.lists[KEYS_DB], me, 7);
	ck_assert_int_eq(enroll(&input, false), 1);
	before = found(KEYS_DB);
	text = keys_describer.value(&before);
	ck_assert_str_eq(text, "1 certificate: \"Programs\", 1 hash");
	free(text);
	text = keys_describer.change(NULL, &before);
	ck_assert_str_eq(text, "certificate \"Programs\" added\n1 hash added");
	free(text);
	text = keys_describer.change(&before, NULL);
	ck_assert_str_eq(text,
			 "certificate \"Programs\" removed\n1 hash removed");
	free(text);

	old = malloc(before.data_size);
	memcpy(old, before.data, before.data_size);
	before.data = old;
	ck_assert_int_eq(add(&input, KEYS_DB, &leaf, me), 0);
	ck_assert_int_eq(enroll(&input, false), 1);
	after = found(KEYS_DB);
	before.name = after.name;
	before.guid = after.guid;
	text = keys_describer.change(&before, &after);
	ck_assert_str_eq(text, "certificate \"Leaf\" added");
	free(text);
	free(old);
	after.data_size -= 1;
	text = keys_describer.value(&after);
	ck_assert_ptr_nonnull(strstr(text, "damaged: signature list"));
	free(text);
}
END_TEST

START_TEST(other_variables_are_not_described)
{
	struct variable variable;

	enroll_all(me);
	ck_assert(keys_find(&store, &keys_secure_boot_enable, &variable));
	ck_assert_ptr_null(keys_describer.value(&variable));
	ck_assert_ptr_null(keys_describer.change(NULL, &variable));
}
END_TEST

static char *
printed(bool all, int64_t now)
{
	char *text;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	keys_print(to, "guest\n.fd", &store, all, now);
	ck_assert_int_eq(fclose(to), 0);
	return text;
}

static void
prints(bool all, int64_t now, const char *wanted, bool is_there)
{
	char *text = printed(all, now);

	ck_assert_msg((strstr(text, wanted) != NULL) == is_there, "%s", text);
	free(text);
}

START_TEST(list_for_people)
{
	prints(false, 0, "guest\\x0a.fd: Secure Boot off, setup mode", true);
	enroll_all(me);
	add_hash(&input.lists[KEYS_DBX], me, 7);
	add_hash(&input.lists[KEYS_DBX], me, 8);
	ck_assert_int_eq(enroll(&input, false), 1);
	prints(false, DAY, "Secure Boot on, user mode", true);
	prints(false, DAY, "certificate \"Exchange\"\n", true);
	prints(false, 1000 * DAY, "EXPIRED", false);
	prints(false, 1000 * DAY + 1, "certificate \"Exchange\" EXPIRED", true);
	prints(false, -1, "certificate \"Exchange\" NOT YET VALID", true);
	prints(false, DAY, "valid        1970-01-01 to 1972-09-27", true);
	prints(false, DAY, "2 of type SHA-256 (--all lists them)", true);
	prints(false, DAY, "08080808", false);
	prints(true, DAY, "fingerprint  0808080808", true);
	prints(false, DAY, "owner        0000656d-0000-0000-0000-000000000000",
	       true);
	prints(false, DAY, "KEK  2010-01-01 00:00:00", true);
}
END_TEST

START_TEST(list_of_a_damaged_store)
{
	struct siglists value;

	enroll_all(me);
	value = of_store(KEYS_KEK);
	memset(value.bytes + 44, 0xff, 4);
	value = of_store(KEYS_DB);
	value.bytes[16]++;
	prints(false, DAY, "X.509 certificate, unreadable", true);
	prints(false, DAY, "damaged: signature list at offset 0", true);
	value.bytes[16]--;
	value.bytes[0]++;
	prints(false, DAY,
	       "1 of type a5c059a2-94e4-4aa7-87b5-ab155c2bf072, which is not "
	       "known",
	       true);
}
END_TEST

START_TEST(list_as_json)
{
	struct json_object *json, *databases, *list, *each, *member;

	enroll_all(me);
	json = keys_json("guest.fd", &store, 1001 * DAY);
	ck_assert(json_object_object_get_ex(json, "databases", &databases));
	ck_assert(json_object_object_get_ex(databases, "KEK", &list));
	ck_assert(json_object_object_get_ex(list, "signatures", &list));
	ck_assert_uint_eq(json_object_array_length(list), 1);
	each = json_object_array_get_idx(list, 0);
	ck_assert(json_object_object_get_ex(each, "subject", &member));
	ck_assert_str_eq(json_object_get_string(member), "CN=Exchange");
	ck_assert(json_object_object_get_ex(each, "expired", &member));
	ck_assert(json_object_get_boolean(member));
	ck_assert(json_object_object_get_ex(json, "SecureBootEnable", &member));
	ck_assert_int_eq(json_object_get_int(member), 1);
	ck_assert(json_object_object_get_ex(json, "VendorKeysNv", &member));
	ck_assert_ptr_null(member);
	json_object_put(json);
}
END_TEST

START_TEST(certdb)
{
	uint8_t value[4 + 28 + 28 + 10] = { 0 };
	const char *name = "certdb";
	uint8_t wide[14] = { 0 };

	ck_assert_int_eq(keys_certdb_entries(&store), -1);
	for (int i = 0; name[i]; i++)
		wide[2 * i] = (uint8_t)name[i];
	put_le32(value + 4 + 16, 28);
	put_le32(value + 32 + 16, 38);
	(void)vars_add_raw(&vars, VARIABLE_ADDED, keys_certdb.guid, wide,
			   sizeof(wide), value, sizeof(value));
	open_store();
	ck_assert_int_eq(keys_certdb_entries(&store), 2);
	for (uint32_t size = 0; size < 100; size++) {
		struct variable variable;

		ck_assert(keys_find(&store, &keys_certdb, &variable));
		put_le32((uint8_t *)variable.data + 32 + 16, size);
		ck_assert_int_eq(keys_certdb_entries(&store),
				 size == 38 ? 2 : -1);
	}
}
END_TEST

static Suite *
keys_update_suite(void)
{
	const TTest *const updates[] = {
		update_by_kek,
		update_that_replaces,
		update_by_a_certificate_of_kek,
		update_by_another,
		update_of_kek_is_by_pk,
		update_that_removes_pk,
		update_with_a_weak_digest,
		update_that_was_changed,
	};
	const TTest *const refreshes[] = {
		refresh_adds_for_the_same_owner,
		refresh_in_setup_mode,
		refresh_does_not_revoke_the_own,
		refresh_without_room_for_dbx,
	};
	const TTest *const texts[] = {
		values_in_words, other_variables_are_not_described,
		list_for_people, list_of_a_damaged_store,
		list_as_json,    certdb,
	};
	Suite *suite = suite_create("keys_update");

	ADD(suite, "updates", updates, setup_input, teardown_input);
	ADD(suite, "refreshes", refreshes, setup_refresh, teardown_refresh);
	ADD(suite, "texts", texts, setup_input, teardown_input);
	return suite;
}

int
main(void)
{
	return run_suite(keys_update_suite());
}
