/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The members of each group, and why.
 *
 * keys: SecurityPkg/Library/AuthVariableLib/AuthVariableLib.c
 * - PK, KEK, db, dbx, dbt, dbr: the keys themselves.  More signatures in dbx
 *   only narrow trust; AppendVariable writes them behind the old ones
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

#include "pflash/le.h"

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
	{ PINS_KEYS, guid_secure_boot_enable, "SecureBootEnable", PIN_MADE,
	  NV_BS, "\1", 1 },
	{ PINS_KEYS, guid_custom_mode, "CustomMode", PIN_MADE, NV_BS, "\0", 1 },
	{ PINS_KEYS, guid_vendor_keys, "VendorKeysNv", PIN_MADE, NV_BS_AT, "\1",
	  1 },
	{ PINS_KEYS, guid_cert_db, "certdb", PIN_MADE, NV_BS_RT_AT, "\4\0\0\0",
	  4 },
	{ PINS_KEYS, guid_cert_db, "certdbv", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_global, "SetupMode", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_global, "SecureBoot", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_global, "SignatureSupport", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_global, "VendorKeys", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_global, "AuditMode", PIN_FIXED, 0, NULL, 0 },
	{ PINS_KEYS, guid_global, "DeployedMode", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "MokList", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "MokListX", PIN_GROWS, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "MokListTrusted", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "MokSBState", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "MokDBState", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "MokPolicy", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "SbatLevel", PIN_FIRST, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "SbatPolicy", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "SSPPolicy", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "MokListRT", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "MokListXRT", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "MokListTrustedRT", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "MokSBStateRT", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "MokIgnoreDB", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "MokPolicyRT", PIN_FIXED, 0, NULL, 0 },
	{ PINS_MOK, guid_shim_lock, "SbatLevelRT", PIN_FIXED, 0, NULL, 0 },
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
