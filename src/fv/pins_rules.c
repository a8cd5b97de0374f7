/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The members of each group, and why.
 *
 * keys: SecurityPkg/Library/AuthVariableLib/AuthVariableLib.c
 * - PK, KEK, db, dbx, dbt, dbr: the keys themselves.  Signature lists behind
 *   the old ones of dbx only narrow trust; AppendVariable writes them so
 *   (AuthService.c, FilterSignatureList()).
 * - SecureBootEnable 0 switches Secure Boot off; CustomMode 1 lets the next
 *   write of a key pass without a signature.
 * - VendorKeysNv and certdb belong to the same checks; certdb names the signers
 *   of other authenticated variables.
 * - The firmware makes these four where they are missing (183, 224, 250, 301),
 *   always with the same values.
 * - SetupMode, SecureBoot, SignatureSupport, VendorKeys and certdbv are
 *   volatile: the firmware makes them at each boot, and never in flash.
 *   AuditMode and DeployedMode likewise (UEFI 2.10, 32.3).
 *
 * mok: shim's mok.c, sbat.c and include/mok.h.  The RT variables are volatile
 * copies that shim makes.  shim writes SbatLevel at its first boot.
 *
 * boot: UEFI 2.10, 3.3.
 */
#include "pins.h"

#include <string.h>

#include "guid.h"

#include "pflash/le.h"

/* gEfiSecureBootEnableDisableGuid f0a30bc7-af08-4556-99c4-001009c93a44 */
static const uint8_t secure_boot_enable[GUID_SIZE] = {
	0xc7, 0x0b, 0xa3, 0xf0, 0x08, 0xaf, 0x56, 0x45,
	0x99, 0xc4, 0x00, 0x10, 0x09, 0xc9, 0x3a, 0x44,
};

/* gEfiCustomModeEnableGuid c076ec0c-7028-4399-a072-71ee5c448b9f */
static const uint8_t custom_mode[GUID_SIZE] = {
	0x0c, 0xec, 0x76, 0xc0, 0x28, 0x70, 0x99, 0x43,
	0xa0, 0x72, 0x71, 0xee, 0x5c, 0x44, 0x8b, 0x9f,
};

/* gEfiVendorKeysNvGuid 9073e4e0-60ec-4b6e-9903-4c223c260f3c */
static const uint8_t vendor_keys[GUID_SIZE] = {
	0xe0, 0xe4, 0x73, 0x90, 0xec, 0x60, 0x6e, 0x4b,
	0x99, 0x03, 0x4c, 0x22, 0x3c, 0x26, 0x0f, 0x3c,
};

/* gEfiCertDbGuid d9bee56e-75dc-49d9-b4d7-b534210f637a */
static const uint8_t cert_db[GUID_SIZE] = {
	0x6e, 0xe5, 0xbe, 0xd9, 0xdc, 0x75, 0xd9, 0x49,
	0xb4, 0xd7, 0xb5, 0x34, 0x21, 0x0f, 0x63, 0x7a,
};

/* shim's SHIM_LOCK_GUID 605dab50-e046-4300-abb6-3dd810dd8b23 */
static const uint8_t shim_lock[GUID_SIZE] = {
	0x50, 0xab, 0x5d, 0x60, 0x46, 0xe0, 0x00, 0x43,
	0xab, 0xb6, 0x3d, 0xd8, 0x10, 0xdd, 0x8b, 0x23,
};

#define NV_BS (VARIABLE_NON_VOLATILE | VARIABLE_BOOT_ACCESS)
#define NV_BS_AT (NV_BS | VARIABLE_TIME_AUTHENTICATED)
#define NV_BS_RT_AT (NV_BS_AT | VARIABLE_RUNTIME_ACCESS)

const struct pin_rule pin_rules[] = {
	{ PINS_KEYS, guid_global, "PK", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_global, "KEK", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_security_database, "db", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_security_database, "dbx", PIN_GROWS, 0, NULL, 0 },
	{ PINS_KEYS, guid_security_database, "dbt", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_security_database, "dbr", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, secure_boot_enable, "SecureBootEnable", PIN_MADE, NV_BS,
	  "\1", 1 },
	{ PINS_KEYS, custom_mode, "CustomMode", PIN_MADE, NV_BS, "\0", 1 },
	{ PINS_KEYS, vendor_keys, "VendorKeysNv", PIN_MADE, NV_BS_AT, "\1", 1 },
	{ PINS_KEYS, cert_db, "certdb", PIN_MADE, NV_BS_RT_AT, "\4\0\0\0", 4 },
	{ PINS_KEYS, cert_db, "certdbv", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_global, "SetupMode", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_global, "SecureBoot", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_global, "SignatureSupport", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_global, "VendorKeys", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_global, "AuditMode", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_global, "DeployedMode", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "MokList", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "MokListX", PIN_GROWS, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "MokListTrusted", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "MokSBState", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "MokDBState", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "MokPolicy", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "SbatLevel", PIN_FIRST, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "SbatPolicy", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "SSPPolicy", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "MokListRT", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "MokListXRT", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "MokListTrustedRT", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "MokSBStateRT", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "MokIgnoreDB", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "MokPolicyRT", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, shim_lock, "SbatLevelRT", PIN_FIXED, 0, NULL, 0 },
	{ PINS_BOOT, guid_global, "BootOrder", PIN_FIXED, 0, NULL, 0 },
	{ 0, NULL, NULL, PIN_FIXED, 0, NULL, 0 },
};

bool
pin_is_boot_entry(const struct variable *v)
{
	static const uint8_t boot[] = "B\0o\0o\0t\0";

	if (memcmp(v->guid, guid_global, GUID_SIZE) != 0 ||
	    v->name_size != 18 || memcmp(v->name, boot, 8) != 0)
		return false;
	for (unsigned int i = 8; i < 16; i += 2) {
		uint16_t digit = get_le16(v->name + i);

		if (!(digit >= '0' && digit <= '9') &&
		    !(digit >= 'A' && digit <= 'F') &&
		    !(digit >= 'a' && digit <= 'f'))
			return false;
	}
	return true;
}

/* EFI_SIGNATURE_LIST: type, list size, header size, signature size. */
enum {
	LIST_SIZE = 16,
	LIST_HEADER_SIZE = 20,
	LIST_SIGNATURE_SIZE = 24,
	LIST_START = 28, /* of the signature header */
};

bool
pin_is_lists(const uint8_t *p, size_t size)
{
	while (size >= LIST_START) {
		uint32_t list = get_le32(p + LIST_SIZE);
		uint32_t header = get_le32(p + LIST_HEADER_SIZE);
		uint32_t signature = get_le32(p + LIST_SIGNATURE_SIZE);

		if (list > size || list < LIST_START ||
		    signature <= GUID_SIZE || header > list - LIST_START ||
		    (list - LIST_START - header) % signature != 0)
			return false;
		p += list;
		size -= list;
	}
	return size == 0;
}
