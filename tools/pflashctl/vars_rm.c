/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl vars rm */
#include <errno.h>
#include <fnmatch.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "pflashctl.h"
#include "varname.h"
#include "vars.h"

struct rm {
	struct edit_options edit;
	char *vendor;     /* a pattern; NULL: any */
	const char *name; /* a pattern */
	/* While one file is planned. */
	struct changes *changes;
	struct error *err;
	size_t found;
};

static int
set_option(void *opaque, int id, const char *arg, struct error *err)
{
	struct rm *rm = opaque;
	int ret = edit_option(&rm->edit, id, arg, err);

	return ret < 0 ? ret : 0;
}

/* A backslash is a character of the name, not of the pattern. */
static bool
matches(const char *pattern, const char *text)
{
	return fnmatch(pattern, text, FNM_NOESCAPE) == 0;
}

static bool
vendor_matches(const struct rm *rm, const struct variable *variable)
{
	const char *known = guid_name(variable->guid);
	char guid[GUID_TEXT_SIZE];

	if (!rm->vendor || (known && matches(rm->vendor, known)))
		return true;
	guid_format(variable->guid, guid);
	return fnmatch(rm->vendor, guid, FNM_NOESCAPE | FNM_CASEFOLD) == 0;
}

static int
note(void *opaque, const struct variable *variable)
{
	struct rm *rm = opaque;
	char *name;
	int ret = 0;

	if (!variable->live || !vendor_matches(rm, variable))
		return 0;
	name = name_text(variable, false);
	if (!name)
		return error_set(rm->err, ENOMEM, "out of memory");
	if (matches(rm->name, name)) {
		rm->found++;
		ret = changes_remove(rm->changes, variable->guid,
				     variable->name, variable->name_size,
				     rm->err);
	}
	free(name);
	return ret;
}

static bool
is_pattern(const char *text)
{
	return strpbrk(text, "*?[") != NULL;
}

/* A variable that is named, and not there, is an error; a pattern may miss. */
static int
plan(void *opaque, const struct edit_target *target, struct changes *changes,
     struct error *err)
{
	struct rm *rm = opaque;
	int ret;

	rm->changes = changes;
	rm->err = err;
	rm->found = 0;
	(void)error_set(err, EINVAL,
			"the chain of variables is broken (see pflashctl "
			"check)");
	ret = varstore_each(target->store, note, rm);
	if (ret < 0 || rm->found || is_pattern(rm->name) ||
	    (rm->vendor && is_pattern(rm->vendor)))
		return ret;
	return error_set(err, ENOENT, "there is no variable '%s%s%s'",
			 rm->vendor ? rm->vendor : "", rm->vendor ? ":" : "",
			 rm->name);
}

int
vars_rm(const struct group_command *command, int argc, char **argv)
{
	struct rm rm = { .vendor = NULL };
	int first = group_parse(command, argc, argv, set_option, &rm), code;
	const char *colon;

	if (first < 0)
		return CTL_USAGE;
	rm.name = argv[argc - 1];
	colon = strchr(rm.name, ':');
	if (colon) {
		rm.vendor = strndup(rm.name, (size_t)(colon - rm.name));
		rm.name = colon + 1;
		if (!rm.vendor)
			return ctl_fail(CTL_FAILED, "out of memory");
	}
	/* So that '?' is a character, not a byte, of UTF-8. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	code = edit_files(&rm.edit, argv + first,
			  (unsigned int)(argc - 1 - first), false, plan, &rm);
	free(rm.vendor);
	return code;
}
