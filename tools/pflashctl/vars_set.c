/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl vars set, vars append */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "pflashctl.h"
#include "varname.h"
#include "vars.h"

struct set {
	struct edit_options edit;
	bool append;
	struct vars_value source;
	bool has_attributes, has_time;
	uint32_t attributes;
	struct variable_time time;
	struct wanted wanted;
	uint8_t *data;
	size_t size;
};

static int
set_option(void *opaque, int id, const char *arg, struct error *err)
{
	struct set *set = opaque;
	int ret = edit_option(&set->edit, id, arg, err);

	if (ret == 0)
		ret = vars_value_option(&set->source, id, arg, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (id == VARS_ATTR) {
		set->has_attributes = true;
		return attributes_read(arg, &set->attributes, err);
	}
	set->has_time = true;
	return time_read(arg, &set->time, err);
}

/* --- the plan for one file ------------------------------------------------ */

/* The bytes that the existing variable has, then those of the command. */
static int
join(const struct set *set, const struct variable *old,
     struct edit_value *value, uint8_t **joined, struct error *err)
{
	uint64_t size = (uint64_t)old->data_size + set->size;

	*joined = malloc(size);
	if (!*joined)
		return error_set(err, ENOMEM, "out of memory");
	memcpy(*joined, old->data, old->data_size);
	memcpy(*joined + old->data_size, set->data, set->size);
	value->data = *joined;
	value->data_size = (uint32_t)size;
	return 0;
}

static int
choose_attributes(const struct set *set, const struct variable *old,
		  struct edit_value *value, struct error *err)
{
	value->attributes = set->has_attributes ? set->attributes :
			    old->live           ? old->attributes :
						  ATTRIBUTES_DEFAULT;
	value->time = set->has_time ? set->time : old->time;
	if (!(value->attributes & VARIABLE_TIME_AUTHENTICATED)) {
		if (set->has_time)
			return error_set(err, EINVAL,
					 "--time: only for a variable with the "
					 "attribute at");
		value->time = (struct variable_time){ 0 };
	}
	if (set->append && old->live && value->attributes != old->attributes)
		return error_set(err, EINVAL,
				 "--attr: the variable to append to has other "
				 "attributes");
	return 0;
}

static int
plan(void *opaque, const struct edit_target *target, struct changes *changes,
     struct error *err)
{
	struct set *set = opaque;
	uint8_t guid[GUID_SIZE], *joined = NULL;
	struct edit_value value = {
		.guid = guid,
		.name = set->wanted.name.units,
		.name_size = set->wanted.name.size,
		.data = set->data,
		.data_size = (uint32_t)set->size,
	};
	struct variable old;
	int ret = wanted_find(&set->wanted, target->store, guid, &old, err);

	if (ret == 0)
		ret = choose_attributes(set, &old, &value, err);
	if (ret == 0 && set->append && old.live)
		ret = join(set, &old, &value, &joined, err);
	if (ret == 0)
		ret = changes_set(changes, &value, err);
	free(joined);
	return ret;
}

/* ------------------------------------------------------------------------- */

/* The value is read once, for all files. */
static int
run(struct set *set, char **files, unsigned int count)
{
	struct error err;
	int ret = vars_value_read(&set->source, &set->data, &set->size, &err);

	if (ret < 0)
		return ctl_fail(ret == -EINVAL ? CTL_USAGE : ctl_code(ret),
				"%s", err.text);
	return edit_files(&set->edit, files, count, set->append, plan, set);
}

static int
parse_and_run(const struct group_command *command, int argc, char **argv,
	      bool append)
{
	struct set set = { .append = append };
	int first = group_parse(command, argc, argv, set_option, &set), code;
	struct error err;

	if (first < 0)
		return CTL_USAGE;
	if (wanted_read(&set.wanted, argv[argc - 1], &err) < 0)
		return ctl_fail(CTL_USAGE, "%s: %s", command->name, err.text);
	code = run(&set, argv + first, (unsigned int)(argc - 1 - first));
	wanted_free(&set.wanted);
	free(set.data);
	return code;
}

int
vars_set(const struct group_command *command, int argc, char **argv)
{
	return parse_and_run(command, argc, argv, false);
}

int
vars_append(const struct group_command *command, int argc, char **argv)
{
	return parse_and_run(command, argc, argv, true);
}
