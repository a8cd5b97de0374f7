/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pflashctl keys refresh: adds the certificates and hashes of a newer template.
 *
 * Nobody is trusted who was not trusted before: a certificate is added if the
 * store has the one that it replaces, or, where that is not known, another one
 * of its owner in the same database.  Nothing is removed, and PK stays.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "pflash/convert.h"
#include "pflashctl.h"

enum { OPTION_FROM = 1 };

struct refresh {
	struct edit_options edit;
	const char *from;
};

const struct cmdline_option keys_refresh_options[] = {
	{ "from", OPTION_FROM, true },
	{ "json", EDIT_JSON, false },
	{ "next-start", EDIT_NEXT_START, false },
	{ "dry-run", EDIT_DRY_RUN, false },
	{ "journal", EDIT_JOURNAL, true },
	{ NULL, 0, false },
};

static int
set_option(void *opaque, int id, const char *value, struct error *err)
{
	struct refresh *refresh = opaque;
	int ret = edit_option(&refresh->edit, id, value, err);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	refresh->from = value;
	return 0;
}

/* --- notes --- */

enum {
	NOTE_SETUP_MODE = 1,
	NOTE_DBX_SIZE = 2,
	NOTE_TRUSTED = 4,
};

__attribute__((format(printf, 4, 5))) static void
note(struct keys_refreshing *refreshing, const char *path, unsigned int which,
     const char *fmt, ...)
{
	struct error text;
	va_list args;

	if (refreshing->path != path) {
		refreshing->path = path;
		refreshing->notes = 0;
	}
	if (refreshing->notes & which)
		return;
	refreshing->notes |= which;
	va_start(args, fmt);
	(void)vsnprintf(text.text, sizeof(text.text), fmt, args);
	va_end(args);
	(void)ctl_fail(CTL_OK, "%s: %s", path, text.text);
}

/* --- what is added --- */

struct choice {
	const struct keys_plan *plan;
	const struct siglists *template_db;
	struct keys_refreshing *refreshing;
	enum keys_database database;
};

static bool
has_fingerprint(const struct siglists *value, const uint8_t *hash)
{
	struct signature signature;
	struct siglist_walk walk;

	siglist_begin(&walk, value->bytes, value->size);
	while (siglist_next(&walk, &signature, NULL) > 0) {
		struct fingerprint each = keys_fingerprint(&signature);

		if (signature_is_x509(&signature) &&
		    !memcmp(each.bytes, hash, KEYS_HASH_SIZE))
			return true;
	}
	return false;
}

static bool
has_owner(const struct siglists *value, const uint8_t *owner)
{
	struct signature signature;
	struct siglist_walk walk;

	siglist_begin(&walk, value->bytes, value->size);
	while (siglist_next(&walk, &signature, NULL) > 0)
		if (!memcmp(signature.owner, owner, GUID_SIZE))
			return true;
	return false;
}

static bool
is_trusted(const struct siglists *value, const struct signature *signature)
{
	struct fingerprint fingerprint = keys_fingerprint(signature);
	const uint8_t *predecessor = keys_predecessor(&fingerprint);

	return predecessor ? has_fingerprint(value, predecessor) :
			     has_owner(value, signature->owner);
}

/* A revocation of what only this guest trusts would stop the guest. */
static bool
is_revocable(const struct choice *choice, const struct signature *signature)
{
	if (!siglists_have(&choice->plan->lists[KEYS_DB], signature, false) ||
	    siglists_have(choice->template_db, signature, false))
		return true;
	note(choice->refreshing, choice->plan->target->path, NOTE_TRUSTED,
	     "the template revokes a signature that is in db here: dbx is left "
	     "without it");
	return false;
}

static bool
is_left_out(void *opaque, const struct signature *signature)
{
	const struct choice *choice = opaque;

	if (siglists_have(&choice->plan->lists[choice->database], signature,
			  false))
		return true;
	if (choice->database == KEYS_DBX)
		return !is_revocable(choice, signature);
	return !is_trusted(&choice->plan->lists[choice->database], signature);
}

/* A dbx that does not fit must not stop the certificates. */
static bool
fits(const struct keys_plan *plan, const struct siglists *more)
{
	const struct fv_layout *layout = plan->target->layout;
	const uint32_t header = 60; /* of an authenticated variable */
	size_t size = header + keys_databases[KEYS_DBX].name_size +
		      plan->lists[KEYS_DBX].size + more->size;

	return !layout || size <= fv_largest_variable(layout, KEYS_ATTRIBUTES);
}

static int
refresh_one(struct keys_plan *plan, struct keys_refreshing *refreshing,
	    enum keys_database database, struct error *err)
{
	const struct siglists *template = &refreshing->input.lists[database];
	struct choice choice = { plan, &refreshing->input.lists[KEYS_DB],
				 refreshing, database };
	struct siglists wanted = { .bytes = NULL };
	int ret = siglists_copy(&wanted, template->bytes, template->size, err);

	if (ret == 0)
		ret = siglists_remove(&wanted, is_left_out, &choice, err);
	if (ret >= 0 && database == KEYS_DBX && !fits(plan, &wanted)) {
		note(refreshing, plan->target->path, NOTE_DBX_SIZE,
		     "the dbx of the template is too large for this layout and "
		     "is left out; `pflashctl convert --layout 4m` makes room");
		siglists_free(&wanted);
	}
	if (ret >= 0)
		ret = keys_plan_append(plan, database, &wanted,
				       SIGLISTS_EQUAL_DATA, err);
	if (ret > 0 && !plan->existed[database] &&
	    refreshing->input.time[database].year)
		plan->time[database] = refreshing->input.time[database];
	siglists_free(&wanted);
	return ret < 0 ? ret : 0;
}

static int
refresh_all(struct keys_plan *plan, struct keys_refreshing *refreshing,
	    struct error *err)
{
	static const enum keys_database databases[] = { KEYS_KEK, KEYS_DB,
							KEYS_DBX };
	int ret = 0;

	if (!plan->existed[KEYS_PK]) {
		note(refreshing, plan->target->path, NOTE_SETUP_MODE,
		     "it has no PK (setup mode): nothing to refresh; "
		     "`pflashctl keys enroll --from` enrolls a template");
		return 0;
	}
	for (size_t i = 0; i < 3 && ret == 0; i++)
		if (refreshing->input.lists[databases[i]].size)
			ret = refresh_one(plan, refreshing, databases[i], err);
	return ret;
}

int
keys_plan_refresh(void *opaque, const struct edit_target *target,
		  struct changes *changes, struct error *err)
{
	struct keys_refreshing *refreshing = opaque;
	struct keys_plan plan = { .target = target };
	int ret = 0;

	/* Without room for time stamps it is as in setup mode. */
	if (target->store->authenticated)
		ret = keys_plan_begin(&plan, target, err);
	if (ret == 0)
		ret = refresh_all(&plan, refreshing, err);
	if (ret == 0)
		ret = keys_plan_finish(&plan, changes, err);
	keys_plan_end(&plan);
	return ret;
}

/* --- the command --- */

int
keys_refresh(const struct group_command *command, int argc, char **argv)
{
	struct keys_refreshing refreshing = { .path = NULL };
	struct refresh refresh = { .from = NULL };
	int first = group_parse(command, argc, argv, set_option, &refresh);
	struct error err;
	int ret, code;

	if (first < 0)
		return CTL_USAGE;
	if (!refresh.from)
		return ctl_fail(CTL_USAGE,
				"refresh: --from is missing: the template with "
				"the newer keys");
	ret = keys_load_store(&refreshing.input, refresh.from, &err);
	if (ret < 0)
		code = ctl_refused(ret, &err);
	else
		code = edit_files(&refresh.edit, argv + first,
				  (unsigned int)(argc - first), true,
				  keys_plan_refresh, &refreshing);
	keys_input_free(&refreshing.input);
	return code;
}
