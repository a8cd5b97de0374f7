/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pflashctl keys update: applies a signed update as the firmware does in user
 * mode (AuthService.c, VerifyTimeBasedPayloadAndUpdate()).
 */
#include <errno.h>
#include <stdlib.h>

#include "keys.h"
#include "pflash/load.h"
#include "pflashctl.h"

const struct cmdline_option keys_update_options[] = {
	{ "json", EDIT_JSON, false },
	{ "next-start", EDIT_NEXT_START, false },
	{ "dry-run", EDIT_DRY_RUN, false },
	{ "journal", EDIT_JOURNAL, true },
	{ NULL, 0, false },
};

static int
set_option(void *opaque, int id, const char *value, struct error *err)
{
	int ret = edit_option(opaque, id, value, err);

	return ret < 0 ? ret : 0;
}

/* AuthService.c:1897: only an appended value may be as old. */
static int
check_age(const struct keys_plan *plan, const struct keys_signed_update *update,
	  struct error *err)
{
	enum keys_database database = update->target.database;
	char old[KEYS_TIME_SIZE], new[KEYS_TIME_SIZE];

	if (update->target.append || !plan->existed[database] ||
	    variable_time_compare(&update->authvar.time,
				  &plan->time[database]) > 0)
		return 0;
	keys_time(&update->authvar.time, new);
	keys_time(&plan->time[database], old);
	return error_set(err, EINVAL,
			 "the update of %s is of %s, not later than the value "
			 "of the store, which is of %s",
			 keys_databases[database].text, new, old);
}

static int
append(struct keys_plan *plan, const struct keys_signed_update *update,
       struct error *err)
{
	enum keys_database database = update->target.database;
	const struct siglists lists = { (uint8_t *)update->authvar.value,
					update->authvar.value_size };
	int ret = keys_plan_append(plan, database, &lists,
				   SIGLISTS_EQUAL_FIRMWARE, err);

	if (ret < 0)
		return ret;
	/* Variable.c:2047: the time only grows; so does that of no change. */
	if (variable_time_compare(&plan->time[database],
				  &update->authvar.time) < 0) {
		plan->time[database] = update->authvar.time;
		plan->touched[database] = plan->lists[database].size > 0;
	}
	return 0;
}

static int
replace(struct keys_plan *plan, const struct keys_signed_update *update,
	struct error *err)
{
	enum keys_database database = update->target.database;

	plan->time[database] = update->authvar.time;
	plan->touched[database] = true;
	return siglists_copy(&plan->lists[database], update->authvar.value,
			     update->authvar.value_size, err);
}

static int
apply(struct keys_plan *plan, const struct keys_signed_update *update,
      struct error *err)
{
	int ret;

	if (!plan->existed[KEYS_PK])
		return error_set(err, EINVAL,
				 "it has no PK (setup mode), so that no "
				 "signature can be verified; `pflashctl keys "
				 "enroll` takes the file without that");
	ret = keys_verify(&update->authvar, &update->target,
			  plan->target->store, err);
	if (ret == 0)
		ret = check_age(plan, update, err);
	if (ret < 0)
		return ret;
	return update->target.append ? append(plan, update, err) :
				       replace(plan, update, err);
}

int
keys_plan_update(void *opaque, const struct edit_target *target,
		 struct changes *changes, struct error *err)
{
	struct keys_plan plan;
	int ret = keys_plan_begin(&plan, target, err);

	if (ret == 0)
		ret = apply(&plan, opaque, err);
	if (ret == 0)
		ret = keys_plan_finish(&plan, changes, err);
	keys_plan_end(&plan);
	return ret;
}

/* --- the command --- */

/* Checks form, target and value, which do not depend on the store. */
static int
read_update(struct keys_signed_update *update, const uint8_t *bytes,
	    size_t size, struct error *err)
{
	int ret = authvar_parse(&update->authvar, bytes, size, err);

	if (ret == 0)
		ret = keys_identify(&update->authvar, &update->target, err);
	if (ret == 0)
		ret = keys_check_value(update->target.database,
				       update->authvar.value,
				       update->authvar.value_size, err);
	return ret;
}

int
keys_update(const struct group_command *command, int argc, char **argv)
{
	struct edit_options edit = { .journal = NULL };
	int first = group_parse(command, argc, argv, set_option, &edit);
	struct keys_signed_update update;
	const char *path = argv[argc - 1];
	uint8_t *bytes;
	struct error err;
	size_t size;
	int ret, code;

	if (first < 0)
		return CTL_USAGE;
	ret = load_file(path, KEYS_FILE_MOST, &bytes, &size, &err);
	if (ret < 0)
		return ctl_refused(ret, &err);
	ret = read_update(&update, bytes, size, &err);
	if (ret < 0)
		code = ctl_fail(CTL_FILE, "%s: %s", path, err.text);
	else
		code = edit_files(&edit, argv + first,
				  (unsigned int)(argc - first - 1), true,
				  keys_plan_update, &update);
	free(bytes);
	return code;
}
