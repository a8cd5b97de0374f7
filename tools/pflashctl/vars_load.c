/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl vars load */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pflashctl.h"
#include "varjson.h"
#include "varname.h"
#include "vars.h"

#include "pflash/le.h"

#define LONGEST_JSON (UINT32_C(16) << 20) /* bytes */

/* The attributes of variables that only a signature changes. */
#define SIGNED                                                                 \
	(VARIABLE_AUTHENTICATED | VARIABLE_TIME_AUTHENTICATED |                \
	 VARIABLE_ENHANCED_AUTHENTICATED)

struct load {
	struct edit_options edit;
	bool replace;
	const char *input;
	struct varjson json;
	/* While one file is planned. */
	struct changes *changes;
	struct error *err;
	size_t kept;
	/* The path of the file whose notes are printed already. */
	const char *noted;
};

static int
set_option(void *opaque, int id, const char *arg, struct error *err)
{
	struct load *load = opaque;
	int ret = edit_option(&load->edit, id, arg, err);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (id == VARS_REPLACE)
		load->replace = true;
	else
		load->input = arg;
	return 0;
}

/* --- the variables of the document ---------------------------------------- */

static bool
is_vendor(const uint8_t *guid, const char *name)
{
	const char *known = guid_name(guid);

	return known && strcmp(known, name) == 0;
}

/*
 * MTC counts the resets of a machine and must never count back (UEFI
 * specification 2.10, section 8.5.2.1).  A smaller number is not written.
 */
static bool
counts_back(const struct edit_value *value, const struct variable *old)
{
	return is_vendor(value->guid, "MtcVendor") && old->live &&
	       value->data_size == 4 && old->data_size == 4 &&
	       get_le32(value->data) < get_le32(old->data);
}

static bool
is_equal(const struct edit_value *value, const struct variable *old)
{
	return old->live && value->attributes == old->attributes &&
	       value->data_size == old->data_size &&
	       memcmp(value->data, old->data, old->data_size) == 0 &&
	       memcmp(&value->time, &old->time, sizeof(value->time)) == 0;
}

static int
plan_variable(struct load *load, const struct edit_target *target,
	      const struct varjson_variable *variable)
{
	const struct edit_value *value = &variable->value;
	struct variable old;

	(void)varstore_find(target->store, value->guid, value->name,
			    value->name_size, &old);
	/* The guest may change it before its next start. */
	if (is_equal(value, &old) && !load->edit.next_start)
		return 0;
	if (!(value->attributes & VARIABLE_NON_VOLATILE) ||
	    counts_back(value, &old))
		return 0;
	return changes_set(load->changes, value, load->err);
}

/* --- the variables that the document lacks -------------------------------- */

/*
 * True for a variable that --replace does not remove: the counter, and those by
 * which the firmware or shim decides which code may run.
 */
static bool
is_kept(const struct variable *variable)
{
	static const char *const vendors[] = {
		"MtcVendor",
		"EfiImageSecurityDatabase",
		"EfiSecureBootEnableDisable",
		"EfiCustomModeEnable",
		"EfiVendorKeysNv",
		"EfiCertDb",
		"ShimLock",
	};

	for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++)
		if (is_vendor(variable->guid, vendors[i]))
			return true;
	return variable->attributes & SIGNED;
}

static int
remove_missing(void *opaque, const struct variable *variable)
{
	struct load *load = opaque;

	if (!variable->live ||
	    varjson_find(&load->json, variable->guid, variable->name,
			 variable->name_size))
		return 0;
	if (is_kept(variable)) {
		load->kept++;
		return 0;
	}
	return changes_remove(load->changes, variable->guid, variable->name,
			      variable->name_size, load->err);
}

/* A file is planned twice: without its lock, and with it. */
static void
print_kept(struct load *load, const struct edit_target *target)
{
	if (!load->kept || load->noted == target->path)
		return;
	(void)ctl_fail(CTL_OK,
		       "%s: kept %zu variables that the JSON lacks and that "
		       "decide which code may run (see pflashctl-vars(1))",
		       target->path, load->kept);
	load->noted = target->path;
}

static int
plan(void *opaque, const struct edit_target *target, struct changes *changes,
     struct error *err)
{
	struct load *load = opaque;
	int ret = 0;

	load->changes = changes;
	load->err = err;
	load->kept = 0;
	for (size_t i = 0; ret == 0 && i < load->json.count; i++)
		ret = plan_variable(load, target, &load->json.all[i]);
	if (ret == 0 && load->replace) {
		(void)error_set(err, EINVAL,
				"the chain of variables is broken (see "
				"pflashctl check)");
		ret = varstore_each(target->store, remove_missing, load);
		print_kept(load, target);
	}
	return ret;
}

/* ------------------------------------------------------------------------- */

/* Notes about variables of the document that do not get as they are there. */
static void
print_notes(const struct load *load)
{
	size_t volatiles = 0, digests = 0;

	for (size_t i = 0; i < load->json.count; i++) {
		const struct varjson_variable *v = &load->json.all[i];

		volatiles += !(v->value.attributes & VARIABLE_NON_VOLATILE);
		digests += v->has_digest;
	}
	if (volatiles)
		(void)ctl_fail(
			CTL_OK,
			"left out %zu volatile variables, which no flash "
			"has",
			volatiles);
	if (digests)
		(void)ctl_fail(CTL_OK,
			       "%zu variables have a digest of QEMU, for which "
			       "OVMF has another one: it will refuse signed "
			       "writes of these variables",
			       digests);
}

static int
read_json(struct load *load)
{
	const char *name = load->input ? load->input : "standard input";
	uint8_t *text;
	struct error err;
	size_t size;
	int ret = vars_read_file(load->input, LONGEST_JSON, &text, &size, &err);

	if (ret < 0)
		return ctl_refused(ret, &err);
	ret = varjson_read(&load->json, (const char *)text, size, &err);
	free(text);
	if (ret < 0)
		return ctl_fail(ctl_code(ret), "%s: %s", name, err.text);
	return CTL_OK;
}

int
vars_load(const struct group_command *command, int argc, char **argv)
{
	struct load load = { .replace = false };
	int first = group_parse(command, argc, argv, set_option, &load), code;

	if (first < 0)
		return CTL_USAGE;
	code = read_json(&load);
	if (code == CTL_OK) {
		print_notes(&load);
		code = edit_files(&load.edit, argv + first,
				  (unsigned int)(argc - first), false, plan,
				  &load);
	}
	varjson_free(&load.json);
	return code;
}
