/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl keys list: the databases of Secure Boot, for people and as JSON. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keys.h"
#include "pflashctl.h"
#include "show.h"

enum { OPTION_ALL = 1 };

struct listing {
	struct edit_options edit;
	bool all;
};

const struct cmdline_option keys_list_options[] = {
	{ "all", OPTION_ALL, false }, { "json", EDIT_JSON, false },
	{ "at", EDIT_AT, true },      { "journal", EDIT_JOURNAL, true },
	{ NULL, 0, false },
};

static int
set_option(void *opaque, int id, const char *value, struct error *err)
{
	struct listing *listing = opaque;
	int ret = edit_option(&listing->edit, id, value, err);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	listing->all = true;
	return 0;
}

/* AuthVariableLib.c:199: without SecureBootEnable it is on in user mode. */
static bool
secure_boot(const struct varstore *store)
{
	int enable = keys_byte(store, &keys_secure_boot_enable);

	return keys_user_mode(store) && (enable == 1 || enable == -1);
}

/* --- for people --- */

static void
print_byte(FILE *to, const struct varstore *store,
	   const struct keys_variable *which, const char *words[2])
{
	int value = keys_byte(store, which);

	if (value < 0)
		fprintf(to, "  %-17s none\n", which->text);
	else
		fprintf(to, "  %-17s %d%s%s\n", which->text, value,
			value < 2 ? ", " : "", value < 2 ? words[value] : "");
}

static void
print_mode(FILE *to, const char *path, const struct varstore *store)
{
	static const char *enable[] = { "off", "on" };
	static const char *custom[] = { "standard mode", "custom mode" };
	static const char *vendor[] = { "the keys were changed by the owner",
					"the keys of the vendor" };
	int entries = keys_certdb_entries(store);
	struct variable variable;

	(void)show_text(to, (struct text){ path, strlen(path) });
	fprintf(to, ": Secure Boot %s, %s\n", secure_boot(store) ? "on" : "off",
		keys_user_mode(store) ? "user mode" : "setup mode (no PK)");
	print_byte(to, store, &keys_secure_boot_enable, enable);
	print_byte(to, store, &keys_custom_mode, custom);
	print_byte(to, store, &keys_vendor_keys, vendor);
	if (entries >= 0)
		fprintf(to, "  %-17s %d entries\n", "certdb", entries);
	else if (keys_find(store, &keys_certdb, &variable))
		fprintf(to, "  %-17s damaged\n", "certdb");
	else
		fprintf(to, "  %-17s none\n", "certdb");
}

static void
print_owner(FILE *to, const uint8_t *owner)
{
	const char *name = keys_owner_name(owner);
	char guid[GUID_TEXT_SIZE];

	guid_format(owner, guid);
	if (name)
		fprintf(to, "    owner        %s (%s)\n", name, guid);
	else
		fprintf(to, "    owner        %s\n", guid);
}

static void
print_certificate(FILE *to, const struct signature *signature,
		  const struct cert *cert, int64_t now)
{
	struct fingerprint fingerprint = keys_fingerprint(signature);
	const char *known = keys_known_name(&fingerprint);
	char from[KEYS_DATE_SIZE], until[KEYS_DATE_SIZE];
	char hex[2 * sizeof(fingerprint.bytes) + 1];

	keys_date(cert->not_before, from);
	keys_date(cert->not_after, until);
	keys_hex(fingerprint.bytes, fingerprint.size, hex);
	fprintf(to, "  certificate \"%s\"%s\n", cert->name,
		now > cert->not_after  ? " EXPIRED" :
		now < cert->not_before ? " NOT YET VALID" :
					 "");
	fprintf(to, "    subject      %s\n", cert->subject);
	fprintf(to, "    issuer       %s\n",
		strcmp(cert->subject, cert->issuer) ? cert->issuer : "itself");
	fprintf(to, "    valid        %s to %s\n", from, until);
	fprintf(to, "    fingerprint  %s\n", hex);
	if (known)
		fprintf(to, "    known as     %s\n", known);
	print_owner(to, signature->owner);
}

/* A certificate that is none, or a key, by the hash of its bytes. */
static void
print_other(FILE *to, const struct signature *signature, const char *what)
{
	struct fingerprint fingerprint = keys_fingerprint(signature);
	char hex[2 * sizeof(fingerprint.bytes) + 1];

	keys_hex(fingerprint.bytes, fingerprint.size, hex);
	fprintf(to, "  %s\n    fingerprint  %s\n", what, hex);
	print_owner(to, signature->owner);
}

/* Signatures of one type, one behind the other, that are not printed. */
struct counting {
	const uint8_t *list; /* of the last one; NULL: none yet */
	size_t count;
};

static void
print_count(FILE *to, const struct counting *counting)
{
	const struct siglist_type *type;
	char guid[GUID_TEXT_SIZE];

	if (counting->count == 0)
		return;
	type = siglist_type(counting->list);
	guid_format(counting->list, guid);
	fprintf(to, "  %zu of type %s%s\n", counting->count,
		type ? type->name : guid,
		type ? " (--all lists them)" : ", which is not known");
}

static void
print_signature(FILE *to, const struct signature *signature, bool all,
		int64_t now, struct counting *counting)
{
	const struct siglist_type *type = siglist_type(signature->list);
	struct cert cert;

	if (!counting->list ||
	    memcmp(counting->list, signature->list, GUID_SIZE) != 0) {
		print_count(to, counting);
		*counting = (struct counting){ .list = signature->list };
	}
	if (!signature_is_x509(signature)) {
		if (all && type)
			print_other(to, signature, type->name);
		else
			counting->count++;
	} else if (cert_read(&cert, signature->data, signature->size, NULL) <
		   0) {
		print_other(to, signature, "X.509 certificate, unreadable");
	} else {
		print_certificate(to, signature, &cert, now);
		cert_free(&cert);
	}
}

static void
print_database(FILE *to, const struct variable *variable, const char *name,
	       bool all, int64_t now)
{
	struct counting counting = { .list = NULL };
	char time[KEYS_TIME_SIZE];
	struct signature signature;
	struct siglist_walk walk;
	struct error err;
	int ret;

	keys_time(&variable->time, time);
	fprintf(to, "\n%s  %s\n", name, time);
	siglist_begin(&walk, variable->data, variable->data_size);
	while ((ret = siglist_next(&walk, &signature, &err)) > 0)
		print_signature(to, &signature, all, now, &counting);
	print_count(to, &counting);
	if (ret < 0)
		fprintf(to, "  damaged: %s\n", err.text);
}

void
keys_print(FILE *to, const char *path, const struct varstore *store, bool all,
	   int64_t now)
{
	struct variable variable;

	print_mode(to, path, store);
	for (int i = 0; i < KEYS_DATABASES; i++)
		if (keys_find(store, &keys_databases[i], &variable))
			print_database(to, &variable, keys_databases[i].text,
				       all, now);
}

/* --- JSON --- */

static void
add(struct json_object *object, const char *name, struct json_object *value)
{
	(void)json_object_object_add(object, name, value);
}

static void
add_text(struct json_object *object, const char *name, const char *text)
{
	add(object, name, text ? json_object_new_string(text) : NULL);
}

static void
add_byte(struct json_object *object, const struct varstore *store,
	 const struct keys_variable *which)
{
	int value = keys_byte(store, which);

	add(object, which->text, value < 0 ? NULL : json_object_new_int(value));
}

static void
add_certificate(struct json_object *object, const struct cert *cert,
		int64_t now)
{
	char text[KEYS_DATE_SIZE];

	add_text(object, "subject", cert->subject);
	add_text(object, "issuer", cert->issuer);
	keys_date(cert->not_before, text);
	add_text(object, "not_before", text);
	keys_date(cert->not_after, text);
	add_text(object, "not_after", text);
	add(object, "expired", json_object_new_boolean(now > cert->not_after));
}

static struct json_object *
signature_json(const struct signature *signature, int64_t now)
{
	const struct siglist_type *type = siglist_type(signature->list);
	struct fingerprint fingerprint = keys_fingerprint(signature);
	struct json_object *object = json_object_new_object();
	char hex[2 * sizeof(fingerprint.bytes) + 1];
	char guid[GUID_TEXT_SIZE];
	struct cert cert;

	guid_format(signature->list, guid);
	add_text(object, "type", type ? type->word : guid);
	guid_format(signature->owner, guid);
	add_text(object, "owner", guid);
	add_text(object, "owner_name", keys_owner_name(signature->owner));
	keys_hex(fingerprint.bytes, fingerprint.size, hex);
	add_text(object, "fingerprint", hex);
	if (signature_is_x509(signature) &&
	    cert_read(&cert, signature->data, signature->size, NULL) == 0) {
		add_certificate(object, &cert, now);
		add_text(object, "known", keys_known_name(&fingerprint));
		cert_free(&cert);
	}
	return object;
}

static struct json_object *
database_json(const struct variable *variable, int64_t now)
{
	struct json_object *object = json_object_new_object();
	struct json_object *list = json_object_new_array();
	char time[KEYS_TIME_SIZE];
	struct signature signature;
	struct siglist_walk walk;
	struct error err;
	int ret;

	keys_time(&variable->time, time);
	add_text(object, "time", time);
	add(object, "attributes",
	    json_object_new_int64((int64_t)variable->attributes));
	siglist_begin(&walk, variable->data, variable->data_size);
	while ((ret = siglist_next(&walk, &signature, &err)) > 0)
		(void)json_object_array_add(list,
					    signature_json(&signature, now));
	add(object, "signatures", list);
	if (ret < 0)
		add_text(object, "damaged", err.text);
	return object;
}

struct json_object *
keys_json(const char *path, const struct varstore *store, int64_t now)
{
	struct json_object *object = json_object_new_object();
	struct json_object *databases = json_object_new_object();
	int entries = keys_certdb_entries(store);
	struct variable variable;

	add_text(object, "file", path);
	add_text(object, "mode", keys_user_mode(store) ? "user" : "setup");
	add(object, "secure_boot", json_object_new_boolean(secure_boot(store)));
	add_byte(object, store, &keys_secure_boot_enable);
	add_byte(object, store, &keys_custom_mode);
	add_byte(object, store, &keys_vendor_keys);
	add(object, "certdb_entries",
	    entries < 0 ? NULL : json_object_new_int(entries));
	for (int i = 0; i < KEYS_DATABASES; i++)
		if (keys_find(store, &keys_databases[i], &variable))
			add(databases, keys_databases[i].text,
			    database_json(&variable, now));
	add(object, "databases", databases);
	return object;
}

/* --- the command --- */

int
keys_list(const struct group_command *command, int argc, char **argv)
{
	struct listing listing = { .all = false };
	int first = group_parse(command, argc, argv, set_option, &listing);
	int64_t now = (int64_t)time(NULL);
	struct edit_reading reading;
	struct json_object *json;
	int code;

	if (first < 0)
		return CTL_USAGE;
	code = edit_read(&listing.edit, argv[first], &reading);
	if (code != CTL_OK)
		return code;
	if (listing.edit.json) {
		json = keys_json(reading.path, &reading.store, now);
		show_json(stdout,
			  json_object_to_json_string_ext(
				  json,
				  JSON_C_TO_STRING_PRETTY |
					  JSON_C_TO_STRING_NOSLASHESCAPE));
		putchar('\n');
		json_object_put(json);
	} else {
		keys_print(stdout, reading.path, &reading.store, listing.all,
			   now);
	}
	edit_read_end(&reading);
	return CTL_OK;
}
