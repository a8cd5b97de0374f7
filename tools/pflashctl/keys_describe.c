/* SPDX-License-Identifier: BSD-2-Clause */
/* The values of PK, KEK, db, dbx, dbt and of shim's lists, in words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "keys.h"

/* 605dab50-e046-4300-abb6-3dd810dd8b23 (shim's lib/guid.c) */
static const uint8_t shim[GUID_SIZE] = {
	0x50, 0xab, 0x5d, 0x60, 0x46, 0xe0, 0x00, 0x43,
	0xab, 0xb6, 0x3d, 0xd8, 0x10, 0xdd, 0x8b, 0x23,
};

/* Certificates that are named in one line. */
#define NAMED 4

static bool
is_shims(const struct variable *variable)
{
	static const char *const names[] = { "MokList", "MokListX" };
	char name[32];

	if (memcmp(variable->guid, shim, GUID_SIZE) != 0 ||
	    variable_name(variable, name, sizeof(name)) >= sizeof(name))
		return false;
	for (size_t i = 0; i < 2; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool
has_lists(const struct variable *variable)
{
	for (int i = 0; i < KEYS_DATABASES; i++) {
		const struct keys_variable *which = &keys_databases[i];

		if (!memcmp(variable->guid, which->guid, GUID_SIZE) &&
		    variable->name_size == which->name_size &&
		    !memcmp(variable->name, which->name, which->name_size))
			return true;
	}
	return is_shims(variable);
}

static void
put_count(FILE *to, size_t count, const char *noun, const char *sep)
{
	if (count)
		fprintf(to, "%s%zu %s%s", sep, count, noun,
			count == 1     ? "" :
			noun[0] == 'h' ? "es" :
					 "s");
}

static void
put_names(FILE *to, const struct variable *variable, size_t certificates)
{
	const char *sep = ": ";
	struct signature signature;
	struct siglist_walk walk;

	if (certificates == 0 || certificates > NAMED)
		return;
	siglist_begin(&walk, variable->data, variable->data_size);
	while (siglist_next(&walk, &signature, NULL) > 0) {
		char *name;

		if (!signature_is_x509(&signature))
			continue;
		name = keys_signature_name(&signature);
		fprintf(to, "%s\"%s\"", sep, name ? name : "?");
		free(name);
		sep = ", ";
	}
}

static void
put_value(FILE *to, const struct variable *variable)
{
	size_t certificates = 0, hashes = 0;
	struct signature signature;
	struct siglist_walk walk;
	struct error err;
	int ret;

	siglist_begin(&walk, variable->data, variable->data_size);
	while ((ret = siglist_next(&walk, &signature, &err)) > 0) {
		if (signature_is_x509(&signature))
			certificates++;
		else
			hashes++;
	}
	if (certificates == 0 && hashes == 0 && ret == 0)
		fputs("no signatures", to);
	put_count(to, certificates, "certificate", "");
	put_names(to, variable, certificates);
	put_count(to, hashes, "hash", certificates ? ", " : "");
	if (ret < 0)
		fprintf(to, "%sdamaged: %s", certificates || hashes ? ", " : "",
			err.text);
}

static char *
value(const struct variable *variable)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to;

	if (!has_lists(variable))
		return NULL;
	to = open_memstream(&text, &size);
	if (!to)
		return NULL;
	put_value(to, variable);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

/* --- differences --- */

static struct siglists
lists_of(const struct variable *variable)
{
	return variable ? (struct siglists){ (uint8_t *)variable->data,
					     variable->data_size } :
			  (struct siglists){ .bytes = NULL };
}

/* The signatures of `all` that `other` does not have. */
static void
put_missing(FILE *to, const struct siglists *all, const struct siglists *other,
	    const char *verb)
{
	struct signature signature;
	struct siglist_walk walk;
	size_t hashes = 0;

	siglist_begin(&walk, all->bytes, all->size);
	while (siglist_next(&walk, &signature, NULL) > 0) {
		char *name;

		if (siglists_have(other, &signature, false))
			continue;
		if (!signature_is_x509(&signature)) {
			hashes++;
			continue;
		}
		name = keys_signature_name(&signature);
		fprintf(to, "%scertificate \"%s\" %s", ftell(to) ? "\n" : "",
			name ? name : "?", verb);
		free(name);
	}
	if (hashes) {
		put_count(to, hashes, "hash", ftell(to) > 0 ? "\n" : "");
		fprintf(to, " %s", verb);
	}
}

static char *
change(const struct variable *old, const struct variable *new)
{
	struct siglists before = lists_of(old), after = lists_of(new);
	char *text = NULL;
	size_t size = 0;
	FILE *to;

	if (!has_lists(old ? old : new))
		return NULL;
	to = open_memstream(&text, &size);
	if (!to)
		return NULL;
	put_missing(to, &after, &before, "added");
	put_missing(to, &before, &after, "removed");
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

const struct describer keys_describer = { value, change };
