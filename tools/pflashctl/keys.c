/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of the commands of pflashctl keys. */
#include "keys.h"

#include <limits.h>

const struct group_command keys_commands[] = {
	{ "list", keys_list, 1, 1, keys_list_options,
	  "[--all] [--json] [--at SEQ] VARS|ID|NAME",
	  "list the certificates and hashes of PK, KEK, db, dbx and dbt",
	  "  --all     list each hash, too\n"
	  "  --json    print JSON, with each hash\n"
	  "  --at SEQ  show them as they were at this point in time\n" },
	{ "enroll", keys_enroll, 1, UINT_MAX, keys_enroll_options,
	  "[--pk|--kek|--db|--dbx|--dbt FILE]... [--owner GUID] "
	  "[--from TEMPLATE] [--generate-pk [--private-key FILE]] "
	  "[--next-start] [--dry-run] [--json] VARS...",
	  "add certificates and hashes; keep those that are there",
	  "  --pk, --kek, --db, --dbx, --dbt FILE\n"
	  "            a certificate in PEM or DER, signature lists (.esl), or "
	  "a signed\n"
	  "            update (.auth); may be given several times\n"
	  "  --owner GUID\n"
	  "            the owner of certificates in PEM or DER\n"
	  "  --from TEMPLATE\n"
	  "            all keys of this template or VARS file\n"
	  "  --generate-pk\n"
	  "            make a PK; nobody has its private key, unless\n"
	  "  --private-key FILE\n"
	  "            writes it to this new file\n"
	  "  --next-start, --dry-run, --json\n"
	  "            as for `pflashctl vars`\n" },
	{ "rm", keys_rm, 1, UINT_MAX, keys_rm_options,
	  "--fingerprint HEX [--of DATABASE] | --all-of DATABASE "
	  "[--next-start] [--dry-run] [--json] VARS...",
	  "remove a certificate or hash, or all of a database",
	  "  --fingerprint HEX\n"
	  "            the first digits of the fingerprint that `list` shows, "
	  "as many\n"
	  "            as fit one signature only\n"
	  "  --of DATABASE\n"
	  "            pk, kek, db, dbx or dbt: search there only\n"
	  "  --all-of DATABASE\n"
	  "            remove all; without PK the guest is in setup mode\n" },
	{ "update", keys_update, 2, UINT_MAX, keys_update_options,
	  "[--next-start] [--dry-run] [--json] VARS... UPDATE",
	  "apply a signed update, such as DBXUpdate.bin, under the firmware's "
	  "rules",
	  "A certificate of KEK or PK of the store must have signed it.\n" },
	{ "refresh", keys_refresh, 1, UINT_MAX, keys_refresh_options,
	  "--from TEMPLATE [--next-start] [--dry-run] [--json] VARS...",
	  "add the newer certificates and hashes of a template",
	  "A certificate is added where the one that it replaces, or another "
	  "one of its\nowner, is there.  Nothing is removed, and PK stays.\n" },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};
