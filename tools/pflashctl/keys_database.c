/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The variables of Secure Boot: their GUIDs and names are from the UEFI
 * specification 2.10, section 32.6, and from edk2's SecurityPkg.dec.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "keys.h"
#include "pflash/le.h"

/* A name in UTF-16LE: u"PK" of C11 has this form on a little-endian host. */
#define NAME(text) (const uint8_t *)(u##text), sizeof(u##text)

const struct keys_variable keys_databases[KEYS_DATABASES] = {
	[KEYS_PK] = { "PK", "pk", guid_global, NAME("PK") },
	[KEYS_KEK] = { "KEK", "kek", guid_global, NAME("KEK") },
	[KEYS_DB] = { "db", "db", guid_security_database, NAME("db") },
	[KEYS_DBX] = { "dbx", "dbx", guid_security_database, NAME("dbx") },
	[KEYS_DBT] = { "dbt", "dbt", guid_security_database, NAME("dbt") },
};

const struct keys_variable keys_secure_boot_enable = {
	"SecureBootEnable", NULL, guid_secure_boot_enable,
	NAME("SecureBootEnable")
};
const struct keys_variable keys_custom_mode = { "CustomMode", NULL,
						guid_custom_mode,
						NAME("CustomMode") };
const struct keys_variable keys_vendor_keys = { "VendorKeysNv", NULL,
						guid_vendor_keys,
						NAME("VendorKeysNv") };
const struct keys_variable keys_certdb = { "certdb", NULL, guid_cert_db,
					   NAME("certdb") };

bool
keys_find(const struct varstore *store, const struct keys_variable *which,
	  struct variable *variable)
{
	return varstore_find(store, which->guid, which->name, which->name_size,
			     variable) == 0;
}

int
keys_byte(const struct varstore *store, const struct keys_variable *which)
{
	struct variable variable;

	if (!keys_find(store, which, &variable) || variable.data_size == 0)
		return -1;
	return variable.data[0];
}

/*
 * certdb: its size, then for each variable a vendor GUID, the size of the
 * entry, the lengths of name and certificates, name and certificates
 * (AuthServiceInternal.h, AUTH_CERT_DB_DATA).
 */
int
keys_certdb_entries(const struct varstore *store)
{
	const uint32_t header = GUID_SIZE + 3 * sizeof(uint32_t);
	struct variable variable;
	int entries = 0;
	uint32_t size;

	if (!keys_find(store, &keys_certdb, &variable) ||
	    variable.data_size < sizeof(uint32_t))
		return -1;
	for (uint32_t at = sizeof(uint32_t); at < variable.data_size;
	     at += size) {
		if (variable.data_size - at < header)
			return -1;
		size = get_le32(variable.data + at + GUID_SIZE);
		if (size < header || size > variable.data_size - at)
			return -1;
		entries++;
	}
	return entries;
}

int
keys_parse_database(const char *text, enum keys_database *database,
		    struct error *err)
{
	for (int i = 0; i < KEYS_DATABASES; i++) {
		if (strcasecmp(text, keys_databases[i].word) == 0) {
			*database = (enum keys_database)i;
			return 0;
		}
	}
	return error_set(err, EINVAL, "'%s' is not pk, kek, db, dbx or dbt",
			 text);
}

bool
keys_user_mode(const struct varstore *store)
{
	struct variable pk;

	return keys_find(store, &keys_databases[KEYS_PK], &pk);
}
