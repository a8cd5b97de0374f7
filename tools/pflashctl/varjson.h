/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Variables as JSON, in the format, version 2, that virt-firmware, QEMU's
 * uefi-vars device and python-uefivars read and write:
 *
 * {"version": 2, "variables": [{"name": "Timeout", "guid": "8be4df61-...",
 *   "attr": 7, "data": "0500", "time": "..."}, ...]}
 *
 * `data` is hexadecimal; so is `time`, the EFI_TIME of an authenticated
 * variable, which python-uefivars calls `timestamp`.  `digest` is that of the
 * certificate of an authenticated variable; it is read, and never written,
 * because edk2 keeps another digest, in its variable certdb.  One member is of
 * this program only: `name-utf16`, the hexadecimal units of a name for which
 * there is no UTF-8.
 *
 * Sources: virt-firmware 24.11, virt/firmware/efi/efijson.py; QEMU 10.0,
 * qapi/uefi.json and hw/uefi/var-service-json.c; python-uefivars,
 * pyuefivars/json.py.
 */
#ifndef PFLASHCTL_VARJSON_H
#define PFLASHCTL_VARJSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "varname.h"

#include "pflash/edit.h"
#include "pflash/error.h"

/* A variable that was read. */
struct varjson_variable {
	struct edit_value value; /* points to the other members */
	uint8_t guid[GUID_SIZE];
	struct name name;
	uint8_t *data;
	bool has_digest;
	size_t index; /* of the array `variables` */
};

struct varjson {
	struct varjson_variable *all; /* in the order of the document */
	size_t count;
	const struct varjson_variable **sorted; /* for varjson_find() */
};

/*
 * Reads a document.  -EINVAL with a sentence that names the member by its path,
 * such as "variables[3].attr", or the line; -ENOMEM.  Two variables of one name
 * and vendor are an error, too.  varjson_free() is due in any case.
 */
int varjson_read(struct varjson *json, const char *text, size_t len,
		 struct error *err);
void varjson_free(struct varjson *json);

/* True if the document has this variable. */
bool varjson_find(const struct varjson *json, const uint8_t *guid,
		  const uint8_t *name, uint32_t name_size);

/*
 * Writes a document: its begin, each variable, its end.  The text is ASCII.
 */
void varjson_begin(FILE *to);
void varjson_write(FILE *to, const struct variable *variable, bool first);
void varjson_end(FILE *to);

#endif
