/* SPDX-License-Identifier: BSD-2-Clause */
/* The changes of the databases of one store. */
#include <errno.h>

#include "keys.h"

/*
 * Every signed update is later than this, so that it is accepted after an
 * enrolment (:2047 of Variable.c compares the times).
 */
const struct variable_time keys_first_time = { .year = 2010,
					       .month = 1,
					       .day = 1 };

int
keys_plan_begin(struct keys_plan *plan, const struct edit_target *target,
		struct error *err)
{
	struct variable variable;

	*plan = (struct keys_plan){ .target = target };
	if (!target->store->authenticated)
		return error_set(err, EINVAL,
				 "the variable store has no time stamps, so it "
				 "is of a firmware without Secure Boot");
	for (int i = 0; i < KEYS_DATABASES; i++) {
		plan->time[i] = keys_first_time;
		plan->existed[i] = keys_find(target->store, &keys_databases[i],
					     &variable);
		if (!plan->existed[i])
			continue;
		plan->time[i] = variable.time;
		if (siglists_copy(&plan->lists[i], variable.data,
				  variable.data_size, err) < 0)
			return -ENOMEM;
	}
	return 0;
}

void
keys_plan_end(struct keys_plan *plan)
{
	for (int i = 0; i < KEYS_DATABASES; i++)
		siglists_free(&plan->lists[i]);
}

int
keys_plan_append(struct keys_plan *plan, enum keys_database database,
		 const struct siglists *lists, enum siglists_equal equal,
		 struct error *err)
{
	int ret = siglists_append(&plan->lists[database], lists->bytes,
				  lists->size, equal, err);

	if (ret < 0) {
		struct error sentence = *err;

		return error_set(err, -ret, "%s: %s",
				 keys_databases[database].text, sentence.text);
	}
	if (ret > 0)
		plan->touched[database] = true;
	return ret;
}

static int
set_byte(struct changes *changes, const struct keys_variable *which,
	 uint8_t value, struct error *err)
{
	return changes_set(changes,
			   &(struct edit_value){
				   .guid = which->guid,
				   .name = which->name,
				   .name_size = which->name_size,
				   .attributes = VARIABLE_NON_VOLATILE |
						 VARIABLE_BOOT_ACCESS,
				   .data = &value,
				   .data_size = 1,
			   },
			   err);
}

static int
remove_one(struct changes *changes, const struct keys_variable *which,
	   struct error *err)
{
	return changes_remove(changes, which->guid, which->name,
			      which->name_size, err);
}

static int
put_database(const struct keys_plan *plan, int i, struct changes *changes,
	     struct error *err)
{
	const struct keys_variable *which = &keys_databases[i];
	const struct siglists *lists = &plan->lists[i];

	if (lists->size == 0)
		return remove_one(changes, which, err);
	return changes_set(changes,
			   &(struct edit_value){
				   .guid = which->guid,
				   .name = which->name,
				   .name_size = which->name_size,
				   .attributes = KEYS_ATTRIBUTES,
				   .time = plan->time[i],
				   .data = lists->bytes,
				   .data_size = (uint32_t)lists->size,
			   },
			   err);
}

int
keys_plan_finish(struct keys_plan *plan, struct changes *changes,
		 struct error *err)
{
	bool has_pk = plan->lists[KEYS_PK].size > 0;
	int ret = 0;

	for (int i = 0; i < KEYS_DATABASES && ret == 0; i++)
		if (plan->touched[i])
			ret = put_database(plan, i, changes, err);
	if (ret < 0 || has_pk == plan->existed[KEYS_PK])
		return ret;
	if (!has_pk)
		return remove_one(changes, &keys_secure_boot_enable, err);
	ret = set_byte(changes, &keys_secure_boot_enable, 1, err);
	return ret < 0 ? ret : set_byte(changes, &keys_custom_mode, 0, err);
}
