/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl keys rm: removes certificates and hashes from the databases. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "pflashctl.h"

enum { OPTION_FINGERPRINT = 1, OPTION_OF, OPTION_ALL_OF };

struct rm {
	struct edit_options edit;
	struct keys_removal removal;
};

const struct cmdline_option keys_rm_options[] = {
	{ "fingerprint", OPTION_FINGERPRINT, true },
	{ "of", OPTION_OF, true },
	{ "all-of", OPTION_ALL_OF, true },
	{ "json", EDIT_JSON, false },
	{ "next-start", EDIT_NEXT_START, false },
	{ "dry-run", EDIT_DRY_RUN, false },
	{ "journal", EDIT_JOURNAL, true },
	{ NULL, 0, false },
};

/* Digits of openssl(1), with colons, are taken too. */
static int
parse_prefix(struct keys_removal *removal, const char *text, struct error *err)
{
	removal->digits = 0;
	for (const char *p = text; *p; p++) {
		unsigned int digit;

		if (*p == ':')
			continue;
		if (!isxdigit((unsigned char)*p) ||
		    removal->digits == 2 * sizeof(removal->prefix))
			break;
		digit = (unsigned int)(isdigit((unsigned char)*p) ?
					       *p - '0' :
					       tolower(*p) - 'a' + 10);
		if (removal->digits % 2 == 0)
			removal->prefix[removal->digits / 2] = (uint8_t)(digit
									 << 4);
		else
			removal->prefix[removal->digits / 2] |= (uint8_t)digit;
		removal->digits++;
		if (!p[1])
			return 0;
	}
	return error_set(err, EINVAL,
			 "'%s' is not the first hexadecimal digits of a "
			 "fingerprint",
			 text);
}

static int
set_option(void *opaque, int id, const char *value, struct error *err)
{
	struct rm *rm = opaque;
	int ret = edit_option(&rm->edit, id, value, err);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (id == OPTION_FINGERPRINT)
		return parse_prefix(&rm->removal, value, err);
	rm->removal.has_database = true;
	rm->removal.all |= id == OPTION_ALL_OF;
	return keys_parse_database(value, &rm->removal.database, err);
}

/* --- one store --- */

static bool
has_prefix(const struct fingerprint *fingerprint,
	   const struct keys_removal *removal)
{
	size_t bytes = removal->digits / 2;

	if (removal->digits > 2 * fingerprint->size ||
	    memcmp(fingerprint->bytes, removal->prefix, bytes) != 0)
		return false;
	return removal->digits % 2 == 0 ||
	       ((fingerprint->bytes[bytes] ^ removal->prefix[bytes]) & 0xf0) ==
		       0;
}

/* The signatures that the digits fit, which must be one. */
struct search {
	const struct keys_removal *removal;
	struct fingerprint fingerprint; /* of the first one */
	enum keys_database database;
	char *name;
	struct error other; /* of a second one, or "" */
};

static bool
in_scope(const struct keys_removal *removal, enum keys_database database)
{
	return !removal->has_database || removal->database == database;
}

static void
found(struct search *search, enum keys_database database,
      const struct signature *signature)
{
	struct fingerprint fingerprint = keys_fingerprint(signature);
	char *name;

	if (!has_prefix(&fingerprint, search->removal))
		return;
	if (!search->name) {
		search->fingerprint = fingerprint;
		search->database = database;
		search->name = keys_signature_name(signature);
		return;
	}
	/* The same one twice, with two owners, is one. */
	if (search->database == database &&
	    search->fingerprint.size == fingerprint.size &&
	    !memcmp(search->fingerprint.bytes, fingerprint.bytes,
		    fingerprint.size))
		return;
	name = keys_signature_name(signature);
	(void)error_set(&search->other, EINVAL, "\"%s\" of %s",
			name ? name : "?", keys_databases[database].text);
	free(name);
}

static int
search_all(struct search *search, const struct keys_plan *plan,
	   struct error *err)
{
	struct signature signature;
	struct siglist_walk walk;

	for (int i = 0; i < KEYS_DATABASES; i++) {
		if (!in_scope(search->removal, (enum keys_database)i))
			continue;
		siglist_begin(&walk, plan->lists[i].bytes, plan->lists[i].size);
		while (siglist_next(&walk, &signature, NULL) > 0)
			found(search, (enum keys_database)i, &signature);
	}
	if (!search->name)
		return error_set(err, ENOENT,
				 "no signature has this fingerprint");
	if (search->other.text[0])
		return error_set(err, EINVAL,
				 "this fingerprint fits \"%s\" of %s and %s: "
				 "give more digits, or --of",
				 search->name,
				 keys_databases[search->database].text,
				 search->other.text);
	return 0;
}

static bool
is_found(void *opaque, const struct signature *signature)
{
	const struct search *search = opaque;
	struct fingerprint fingerprint = keys_fingerprint(signature);

	return fingerprint.size == search->fingerprint.size &&
	       !memcmp(fingerprint.bytes, search->fingerprint.bytes,
		       fingerprint.size);
}

static int
remove_one(struct keys_plan *plan, const struct keys_removal *removal,
	   struct error *err)
{
	struct search search = { .removal = removal };
	int ret = search_all(&search, plan, err);

	if (ret == 0)
		ret = siglists_remove(&plan->lists[search.database], is_found,
				      &search, err);
	if (ret > 0)
		plan->touched[search.database] = true;
	free(search.name);
	return ret < 0 ? ret : 0;
}

int
keys_plan_rm(void *opaque, const struct edit_target *target,
	     struct changes *changes, struct error *err)
{
	const struct keys_removal *removal = opaque;
	struct keys_plan plan;
	int ret = keys_plan_begin(&plan, target, err);

	if (ret == 0 && removal->all) {
		siglists_free(&plan.lists[removal->database]);
		plan.touched[removal->database] =
			plan.existed[removal->database];
	} else if (ret == 0) {
		ret = remove_one(&plan, removal, err);
	}
	if (ret == 0)
		ret = keys_plan_finish(&plan, changes, err);
	keys_plan_end(&plan);
	return ret;
}

/* --- the command --- */

int
keys_rm(const struct group_command *command, int argc, char **argv)
{
	struct rm rm = { .removal = { .digits = 0 } };
	int first = group_parse(command, argc, argv, set_option, &rm);

	if (first < 0)
		return CTL_USAGE;
	if (rm.removal.all == (rm.removal.digits > 0))
		return ctl_fail(CTL_USAGE,
				"rm: give either --fingerprint or --all-of");
	return edit_files(&rm.edit, argv + first, (unsigned int)(argc - first),
			  true, keys_plan_rm, &rm.removal);
}
