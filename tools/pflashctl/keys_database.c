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

/* gEfiGlobalVariableGuid 8be4df61-93ca-11d2-aa0d-00e098032b8c */
static const uint8_t global[GUID_SIZE] = {
	0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
	0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
};

/* gEfiImageSecurityDatabaseGuid d719b2cb-3d3a-4596-a3bc-dad00e67656f */
static const uint8_t security[GUID_SIZE] = {
	0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45,
	0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f,
};

/* gEfiSecureBootEnableDisableGuid f0a30bc7-af08-4556-99c4-001009c93a44 */
static const uint8_t enable[GUID_SIZE] = {
	0xc7, 0x0b, 0xa3, 0xf0, 0x08, 0xaf, 0x56, 0x45,
	0x99, 0xc4, 0x00, 0x10, 0x09, 0xc9, 0x3a, 0x44,
};

/* gEfiCustomModeEnableGuid c076ec0c-7028-4399-a072-71ee5c448b9f */
static const uint8_t custom[GUID_SIZE] = {
	0x0c, 0xec, 0x76, 0xc0, 0x28, 0x70, 0x99, 0x43,
	0xa0, 0x72, 0x71, 0xee, 0x5c, 0x44, 0x8b, 0x9f,
};

/* gEfiVendorKeysNvGuid 9073e4e0-60ec-4b6e-9903-4c223c260f3c */
static const uint8_t vendor[GUID_SIZE] = {
	0xe0, 0xe4, 0x73, 0x90, 0xec, 0x60, 0x6e, 0x4b,
	0x99, 0x03, 0x4c, 0x22, 0x3c, 0x26, 0x0f, 0x3c,
};

/* gEfiCertDbGuid d9bee56e-75dc-49d9-b4d7-b534210f637a */
static const uint8_t certdb[GUID_SIZE] = {
	0x6e, 0xe5, 0xbe, 0xd9, 0xdc, 0x75, 0xd9, 0x49,
	0xb4, 0xd7, 0xb5, 0x34, 0x21, 0x0f, 0x63, 0x7a,
};

/* A name in UTF-16LE: u"PK" of C11 has this form on a little-endian host. */
#define NAME(text) (const uint8_t *)(u##text), sizeof(u##text)

const struct keys_variable keys_databases[KEYS_DATABASES] = {
	[KEYS_PK] = { "PK", "pk", global, NAME("PK") },
	[KEYS_KEK] = { "KEK", "kek", global, NAME("KEK") },
	[KEYS_DB] = { "db", "db", security, NAME("db") },
	[KEYS_DBX] = { "dbx", "dbx", security, NAME("dbx") },
	[KEYS_DBT] = { "dbt", "dbt", security, NAME("dbt") },
};

const struct keys_variable keys_secure_boot_enable = {
	"SecureBootEnable", NULL, enable, NAME("SecureBootEnable")
};
const struct keys_variable keys_custom_mode = { "CustomMode", NULL, custom,
						NAME("CustomMode") };
const struct keys_variable keys_vendor_keys = { "VendorKeysNv", NULL, vendor,
						NAME("VendorKeysNv") };
const struct keys_variable keys_certdb = { "certdb", NULL, certdb,
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
