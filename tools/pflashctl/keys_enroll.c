/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl keys enroll: adds certificates and hashes to the databases. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "pflash/parse.h"
#include "pflashctl.h"

/* The ids of the databases' options are their numbers and this. */
enum {
	OPTION_DATABASE = 1,
	OPTION_OWNER = 20,
	OPTION_FROM,
	OPTION_GENERATE,
	OPTION_PRIVATE
};

#define SOURCES 64

/* The command line. */
struct enroll {
	struct edit_options edit;
	struct {
		enum keys_database database;
		const char *path;
	} sources[SOURCES];
	size_t count;
	const char *from, *private_key;
	bool generate, has_owner;
	uint8_t owner[GUID_SIZE];
};

const struct cmdline_option keys_enroll_options[] = {
	{ "pk", OPTION_DATABASE + KEYS_PK, true },
	{ "kek", OPTION_DATABASE + KEYS_KEK, true },
	{ "db", OPTION_DATABASE + KEYS_DB, true },
	{ "dbx", OPTION_DATABASE + KEYS_DBX, true },
	{ "dbt", OPTION_DATABASE + KEYS_DBT, true },
	{ "owner", OPTION_OWNER, true },
	{ "from", OPTION_FROM, true },
	{ "generate-pk", OPTION_GENERATE, false },
	{ "private-key", OPTION_PRIVATE, true },
	{ "json", EDIT_JSON, false },
	{ "next-start", EDIT_NEXT_START, false },
	{ "dry-run", EDIT_DRY_RUN, false },
	{ "journal", EDIT_JOURNAL, true },
	{ NULL, 0, false },
};

static int
add_source(struct enroll *enroll, enum keys_database database, const char *path,
	   struct error *err)
{
	if (enroll->count == SOURCES)
		return error_set(err, EINVAL, "'%s': more than %d files", path,
				 SOURCES);
	enroll->sources[enroll->count].database = database;
	enroll->sources[enroll->count].path = path;
	enroll->count++;
	return 0;
}

static int
set_option(void *opaque, int id, const char *value, struct error *err)
{
	struct enroll *enroll = opaque;
	int ret = edit_option(&enroll->edit, id, value, err);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	switch (id) {
	case OPTION_OWNER:
		enroll->has_owner = true;
		if (guid_parse(value, strlen(value), enroll->owner))
			return 0;
		return error_set(err, EINVAL, "'%s' is not a GUID", value);
	case OPTION_FROM: enroll->from = value; return 0;
	case OPTION_GENERATE: enroll->generate = true; return 0;
	case OPTION_PRIVATE: enroll->private_key = value; return 0;
	default:
		return add_source(enroll,
				  (enum keys_database)(id - OPTION_DATABASE),
				  value, err);
	}
}

/* --- one store --- */

static int
refuse_pk(const struct keys_plan *plan, struct error *err)
{
	const struct siglists *pk = &plan->lists[KEYS_PK];
	struct signature signature;
	struct siglist_walk walk;
	char *name = NULL;
	int ret;

	siglist_begin(&walk, pk->bytes, pk->size);
	if (siglist_next(&walk, &signature, NULL) > 0)
		name = keys_signature_name(&signature);
	ret = error_set(err, EINVAL,
			"it has another PK already, \"%s\": `pflashctl keys rm "
			"--all-of pk` removes it",
			name ? name : "?");
	free(name);
	return ret;
}

static int
append_input(struct keys_plan *plan, const struct keys_enrolment *enrolment,
	     enum keys_database database, struct error *err)
{
	const struct siglists *lists = &enrolment->input.lists[database];
	const struct variable_time *time = &enrolment->input.time[database];
	bool existed = plan->existed[database];
	int ret;

	if (lists->size == 0)
		return 0;
	if (database == KEYS_PK && existed && enrolment->keep_pk)
		return 0;
	ret = keys_plan_append(plan, database, lists, SIGLISTS_EQUAL_DATA, err);
	if (ret > 0 && database == KEYS_PK && existed) {
		struct variable pk;

		/* Name the old one, not the new one behind it. */
		if (keys_find(plan->target->store, &keys_databases[KEYS_PK],
			      &pk))
			(void)siglists_copy(&plan->lists[KEYS_PK], pk.data,
					    pk.data_size, err);
		return refuse_pk(plan, err);
	}
	if (ret > 0 && !existed && time->year)
		plan->time[database] = *time;
	return ret < 0 ? ret : 0;
}

int
keys_plan_enroll(void *opaque, const struct edit_target *target,
		 struct changes *changes, struct error *err)
{
	const struct keys_enrolment *enrolment = opaque;
	struct keys_plan plan;
	int ret = keys_plan_begin(&plan, target, err);

	for (int i = 0; i < KEYS_DATABASES && ret == 0; i++)
		ret = append_input(&plan, enrolment, (enum keys_database)i,
				   err);
	if (ret == 0)
		ret = keys_plan_finish(&plan, changes, err);
	keys_plan_end(&plan);
	return ret;
}

/* --- the command --- */

static int
check_options(const struct enroll *enroll)
{
	bool has_pk = false;

	for (size_t i = 0; i < enroll->count; i++)
		has_pk |= enroll->sources[i].database == KEYS_PK;
	if (enroll->count == 0 && !enroll->from && !enroll->generate)
		return ctl_fail(CTL_USAGE,
				"enroll: nothing to enroll: name a file with "
				"--pk, --kek, --db, --dbx or --dbt, --from or "
				"--generate-pk");
	if (enroll->generate && has_pk)
		return ctl_fail(CTL_USAGE,
				"enroll: --generate-pk and --pk exclude each "
				"other");
	if (enroll->private_key && !enroll->generate)
		return ctl_fail(CTL_USAGE,
				"enroll: --private-key is for --generate-pk");
	if (enroll->private_key && enroll->edit.dry_run)
		return ctl_fail(CTL_USAGE,
				"enroll: --private-key and --dry-run exclude "
				"each other");
	return CTL_OK;
}

/* A template's PK stands back behind one of the command line. */
static int
load_template(const struct enroll *enroll, struct keys_input *input,
	      struct error *err)
{
	struct keys_input template = { .lists = { { NULL, 0 } } };
	int ret = keys_load_store(&template, enroll->from, err);

	for (int i = 0; i < KEYS_DATABASES && ret >= 0; i++) {
		if (i == KEYS_PK && input->lists[i].size)
			continue;
		ret = siglists_append(&input->lists[i], template.lists[i].bytes,
				      template.lists[i].size,
				      SIGLISTS_EQUAL_DATA, err);
		if (variable_time_compare(&input->time[i], &template.time[i]) <
		    0)
			input->time[i] = template.time[i];
	}
	keys_input_free(&template);
	return ret < 0 ? ret : 0;
}

static int
load_all(const struct enroll *enroll, struct keys_enrolment *enrolment,
	 struct error *err)
{
	const uint8_t *owner = enroll->has_owner ? enroll->owner : NULL;
	struct keys_input *input = &enrolment->input;
	int ret = 0;

	for (size_t i = 0; i < enroll->count && ret == 0; i++)
		ret = keys_load(input, enroll->sources[i].database,
				enroll->sources[i].path, owner, err);
	if (ret == 0 && enroll->generate)
		ret = keys_generate(input, owner, enroll->private_key, err);
	enrolment->keep_pk = input->lists[KEYS_PK].size == 0;
	if (ret == 0 && enroll->from)
		ret = load_template(enroll, input, err);
	return ret;
}

int
keys_enroll(const struct group_command *command, int argc, char **argv)
{
	struct keys_enrolment enrolment = { .keep_pk = false };
	struct enroll enroll = { .count = 0 };
	int first = group_parse(command, argc, argv, set_option, &enroll);
	struct error err;
	int ret, code;

	if (first < 0)
		return CTL_USAGE;
	code = check_options(&enroll);
	if (code != CTL_OK)
		return code;
	ret = load_all(&enroll, &enrolment, &err);
	if (ret < 0)
		code = ctl_refused(ret, &err);
	else
		code = edit_files(&enroll.edit, argv + first,
				  (unsigned int)(argc - first), true,
				  keys_plan_enroll, &enrolment);
	keys_input_free(&enrolment.input);
	return code;
}
