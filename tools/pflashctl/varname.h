/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of variables on command lines and in tables.
 *
 * A guest chooses names, and a name may have any units of UTF-16.  The text of
 * a name is UTF-8 in which `\\` is a backslash and `\uXXXX` the unit of this
 * value, four hexadecimal digits; all units can be written so, and those of
 * control characters, invisible characters and unpaired surrogates always are.
 * name_read() accepts each text that name_text() makes, and returns the same
 * units.
 */
#ifndef PFLASHCTL_VARNAME_H
#define PFLASHCTL_VARNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/varstore.h"

/* A name in the form of the store. */
struct name {
	uint8_t *units; /* UTF-16LE, with its NUL; freed by name_free() */
	uint32_t size;  /* bytes, with the NUL */
};

/*
 * Reads the text of a name.  -EINVAL: the text is empty, is not UTF-8, or has
 * an escape that is none.  -ENOMEM.
 */
int name_read(struct name *name, const char *text, struct error *err);

/* The same for UTF-8 in which a backslash is a character like all others. */
int name_read_plain(struct name *name, const char *text, size_t len,
		    struct error *err);
void name_free(struct name *name);

/*
 * The text of a variable's name, of which an odd byte at the end is left out,
 * in malloc()ed memory.  NULL: no memory.  `word`: a space and a colon are
 * escapes, too, so that the text is one word of a table, and names a variable
 * without its vendor.
 */
char *name_text(const struct variable *variable, bool word);

/* True if the name has an unpaired surrogate, so that no UTF-8 has it. */
bool name_is_unpaired(const struct variable *variable);

/* The name of the vendor if it is known, else its GUID, in `guid`. */
const char *name_vendor(const struct variable *variable,
			char guid[GUID_TEXT_SIZE]);

/* A variable that a command line names: VENDOR:NAME or NAME. */
struct wanted {
	const char *text; /* the caller's */
	bool has_vendor;
	uint8_t guid[GUID_SIZE];
	struct name name;
};

/*
 * VENDOR is a GUID or the name of a known vendor, and ends at the first colon.
 * -EINVAL with a sentence.  The caller frees *wanted by wanted_free().
 */
int wanted_read(struct wanted *wanted, const char *text, struct error *err);
void wanted_free(struct wanted *wanted);

/*
 * Finds the variable, and its vendor if the command line has none: that of the
 * only live variable of this name, or else that of the name in the UEFI
 * specification or in edk2.  Returns 0, with the variable if `found` is live.
 * -EINVAL: several vendors have such a variable, or none is known.
 */
int wanted_find(const struct wanted *wanted, const struct varstore *store,
		uint8_t guid[GUID_SIZE], struct variable *found,
		struct error *err);

/* The sentence about a variable that is not there; returns -ENOENT. */
int wanted_missing(const struct wanted *wanted, struct error *err);

#endif
