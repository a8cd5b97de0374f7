/* SPDX-License-Identifier: BSD-2-Clause */
/* The variable that a command line names. */
#include <errno.h>
#include <string.h>

#include "varname.h"

/*
 * The vendors of names that the UEFI specification and edk2 define: those that
 * need no vendor on a command line.  UEFI specification 2.10, sections 3.3
 * (global variables; #### is a number) and 32.6 (signature databases); edk2
 * SecurityPkg AuthenticatedVariableFormat.h; shim's documentation.
 */
static const struct {
	const char *name;
	const char *vendor;
} known[] = {
	{ "Boot####", "EfiGlobalVariable" },
	{ "BootNext", "EfiGlobalVariable" },
	{ "BootOrder", "EfiGlobalVariable" },
	{ "ConIn", "EfiGlobalVariable" },
	{ "ConOut", "EfiGlobalVariable" },
	{ "CustomMode", "EfiCustomModeEnable" },
	{ "Driver####", "EfiGlobalVariable" },
	{ "DriverOrder", "EfiGlobalVariable" },
	{ "ErrOut", "EfiGlobalVariable" },
	{ "KEK", "EfiGlobalVariable" },
	{ "Key####", "EfiGlobalVariable" },
	{ "Lang", "EfiGlobalVariable" },
	{ "MTC", "MtcVendor" },
	{ "MokList", "ShimLock" },
	{ "MokListX", "ShimLock" },
	{ "OsIndications", "EfiGlobalVariable" },
	{ "PK", "EfiGlobalVariable" },
	{ "PlatformLang", "EfiGlobalVariable" },
	{ "PlatformRecovery####", "EfiGlobalVariable" },
	{ "SbatLevel", "ShimLock" },
	{ "SecureBootEnable", "EfiSecureBootEnableDisable" },
	{ "SysPrep####", "EfiGlobalVariable" },
	{ "SysPrepOrder", "EfiGlobalVariable" },
	{ "Timeout", "EfiGlobalVariable" },
	{ "VendorKeysNv", "EfiVendorKeysNv" },
	{ "db", "EfiImageSecurityDatabase" },
	{ "dbr", "EfiImageSecurityDatabase" },
	{ "dbt", "EfiImageSecurityDatabase" },
	{ "dbx", "EfiImageSecurityDatabase" },
};

/* A '#' of the pattern is a hexadecimal digit, in upper case. */
static bool
matches(const char *pattern, const char *text)
{
	for (; *pattern; pattern++, text++) {
		if (*pattern == '#' ?
			    !*text || !strchr("0123456789ABCDEF", *text) :
			    *pattern != *text)
			return false;
	}
	return !*text;
}

/* False: no vendor is known for this name. */
static bool
known_vendor(const struct wanted *wanted, uint8_t guid[GUID_SIZE])
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (matches(known[i].name, wanted->text))
			return guid_parse(known[i].vendor,
					  strlen(known[i].vendor), guid);
	return false;
}

int
wanted_read(struct wanted *wanted, const char *text, struct error *err)
{
	const char *colon = strchr(text, ':'), *name = text;
	struct error why;
	int ret;

	*wanted = (struct wanted){ .text = text };
	if (colon) {
		wanted->has_vendor = true;
		if (!guid_parse(text, (size_t)(colon - text), wanted->guid))
			return error_set(err, EINVAL,
					 "'%s': '%.*s' is neither a GUID nor "
					 "the name of a known vendor (a colon "
					 "in a name is \\u003a)",
					 text, (int)(colon - text), text);
		name = colon + 1;
	}
	ret = name_read(&wanted->name, name, &why);
	if (ret < 0)
		return error_set(err, -ret, "'%s': %s", text, why.text);
	return 0;
}

void
wanted_free(struct wanted *wanted)
{
	name_free(&wanted->name);
}

int
wanted_missing(const struct wanted *wanted, struct error *err)
{
	return error_set(err, ENOENT, "there is no variable '%s'",
			 wanted->text);
}

struct search {
	const struct wanted *wanted;
	struct variable *found;
	unsigned int count;
};

static int
note_name(void *opaque, const struct variable *variable)
{
	struct search *search = opaque;
	const struct name *name = &search->wanted->name;

	if (!variable->live || variable->name_size != name->size ||
	    memcmp(variable->name, name->units, name->size) != 0)
		return 0;
	if (!search->count++)
		*search->found = *variable;
	return 0;
}

static int
find_vendor(const struct wanted *wanted, const struct varstore *store,
	    uint8_t guid[GUID_SIZE], struct variable *found, struct error *err)
{
	struct search search = { .wanted = wanted, .found = found };

	(void)varstore_each(store, note_name, &search);
	if (search.count == 1) {
		memcpy(guid, found->guid, GUID_SIZE);
		return 0;
	}
	memset(found, 0, sizeof(*found));
	if (search.count)
		return error_set(err, EINVAL,
				 "%u vendors have a variable '%s': name one, "
				 "as VENDOR:NAME",
				 search.count, wanted->text);
	if (known_vendor(wanted, guid))
		return 0;
	return error_set(err, EINVAL,
			 "there is no variable '%s', and its vendor is not "
			 "known: name it, as VENDOR:NAME",
			 wanted->text);
}

int
wanted_find(const struct wanted *wanted, const struct varstore *store,
	    uint8_t guid[GUID_SIZE], struct variable *found, struct error *err)
{
	memset(found, 0, sizeof(*found));
	if (!wanted->has_vendor)
		return find_vendor(wanted, store, guid, found, err);
	memcpy(guid, wanted->guid, GUID_SIZE);
	(void)varstore_find(store, guid, wanted->name.units, wanted->name.size,
			    found);
	return 0;
}
