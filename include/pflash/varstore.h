/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The variables in a VARS image, as edk2's variable driver reads them.  The
 * functions accept any bytes, and all but varstore_each() allocate nothing.  A
 * struct varstore and a struct variable point into the caller's image, which
 * must outlive them.  Sizes and offsets are bytes; offsets count from the start
 * of the image.
 *
 * Sources: edk2 MdeModulePkg/Include/Guid/VariableFormat.h (the format),
 * Universal/Variable/RuntimeDxe/VariableParsing.c (the walk, and the choice
 * between variables of one name); UEFI specification 2.10, sections 8.2
 * (variables) and 8.3 (EFI_TIME), appendix A (GUIDs).  Line numbers are those
 * of edk2 2022.11.
 */
#ifndef PFLASH_VARSTORE_H
#define PFLASH_VARSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

/* Variable states; the driver only clears bits (VariableFormat.h:97-100). */
enum {
	VARIABLE_UNWRITTEN = 0xff,     /* the header may be incomplete */
	VARIABLE_HEADER_VALID = 0x7f,  /* the header is complete */
	VARIABLE_ADDED = 0x3f,         /* name and data are complete too */
	VARIABLE_IN_TRANSITION = 0x3e, /* the driver is writing a new value */
	VARIABLE_DELETED = 0x3d,       /* deleted */
	VARIABLE_SUPERSEDED = 0x3c,    /* deleted after IN_TRANSITION */
};

/* Attributes (UEFI specification 2.10, section 8.2.1). */
enum {
	VARIABLE_NON_VOLATILE = 1u << 0,
	VARIABLE_BOOT_ACCESS = 1u << 1,
	VARIABLE_RUNTIME_ACCESS = 1u << 2,
	VARIABLE_HARDWARE_ERROR = 1u << 3,
	VARIABLE_AUTHENTICATED = 1u << 4, /* deprecated */
	VARIABLE_TIME_AUTHENTICATED = 1u << 5,
	VARIABLE_APPEND = 1u << 6, /* never stored */
	VARIABLE_ENHANCED_AUTHENTICATED = 1u << 7,
};

/* An open variable store.  varstore_open() sets all members. */
struct varstore {
	const uint8_t *image; /* the caller's */
	size_t start;         /* offset of the first variable */
	size_t end;           /* offset of the end of the store */
	bool authenticated;   /* variables have the longer header */
	/*
	 * The copy in the spare area is open, because a pending fault-tolerant
	 * write will replace the store with it (FtwMisc.c:1398).
	 */
	bool in_spare;
};

/* EFI_TIME, without the members that are 0 in a variable. */
struct variable_time {
	uint16_t year;
	uint8_t month, day, hour, minute, second;
};

/* One variable; the pointers point into the image. */
struct variable {
	size_t offset; /* of its header */
	size_t next;   /* offset of the next variable's header */
	uint8_t state;
	bool live; /* GetVariable() returns this variable */
	uint32_t attributes;
	const uint8_t *guid; /* vendor GUID, GUID_SIZE bytes */
	const uint8_t *name; /* UTF-16LE, with its NUL */
	uint32_t name_size;  /* bytes, with the NUL */
	const uint8_t *data;
	uint32_t data_size; /* bytes */
	/* All 0 in a store that is not authenticated. */
	uint64_t monotonic_count;
	struct variable_time time;
	uint32_t key_index;
};

/*
 * Finds the variable store in an image.  -EINVAL if no store can be read.  The
 * requirements are weaker than those of fv_check(), so that damaged images can
 * be inspected: every image that passes fv_check() can be opened.
 */
int varstore_open(struct varstore *store, const uint8_t *image, size_t size,
		  struct error *err);

/*
 * Steps to the next variable, whatever its state; to the first one if all of
 * *variable is 0.  Returns 1 at a variable, 0 at the end of the chain (its
 * offset is in variable->next), or -EINVAL if the next variable does not fit
 * into the store (its offset is in variable->next).  Finding the value of
 * `live` takes a walk through the store.
 */
int varstore_next(const struct varstore *store, struct variable *variable);

/*
 * Calls fn() for each variable, whatever its state, as varstore_next() finds
 * them, but in a time that grows with the size of the store.  This function
 * allocates memory; without it, it takes a walk for each variable.  Returns 0,
 * -EINVAL if the next variable does not fit into the store, or the value other
 * than 0 with which fn() ended it.
 */
int varstore_each(const struct varstore *store,
		  int (*fn)(void *opaque, const struct variable *variable),
		  void *opaque);

/*
 * Finds the live variable with this vendor GUID and name, which has name_size
 * bytes of UTF-16LE with the NUL.  -ENOENT if no such variable is live.
 */
int varstore_find(const struct varstore *store, const uint8_t *guid,
		  const uint8_t *name, uint32_t name_size,
		  struct variable *variable);

/*
 * True if the name is a string: an even number of bytes, at least one
 * character, and a NUL at the end and nowhere else.
 */
bool variable_name_valid(const struct variable *variable);

/*
 * Writes the name as UTF-8 to `text`, cut between characters to fit into `size`
 * bytes with the NUL; `size` must not be 0.  Unpaired surrogates and control
 * characters become U+FFFD, so the result is safe to print on a terminal.
 * Returns the length of the uncut name in bytes, without the NUL.
 */
size_t variable_name(const struct variable *variable, char *text, size_t size);

/* --- GUIDs in memory: 16 bytes, the first three fields little-endian --- */

#define GUID_SIZE 16u
#define GUID_TEXT_SIZE 37u /* with the NUL */

/* Writes a GUID as "8be4df61-93ca-11d2-aa0d-00e098032b8c". */
void guid_format(const uint8_t *guid, char text[GUID_TEXT_SIZE]);

/*
 * The name of a known vendor GUID, such as "EfiGlobalVariable"; NULL if it is
 * not known.
 */
const char *guid_name(const uint8_t *guid);

/*
 * Reads a GUID as guid_format() writes it, with digits of either case, or the
 * name of a known vendor GUID.  False: the text is neither.
 */
bool guid_parse(const char *text, size_t len, uint8_t guid[GUID_SIZE]);

/* Vendors: of PK, KEK and boot entries, and of db, dbx and dbt. */
extern const uint8_t guid_global[GUID_SIZE];
extern const uint8_t guid_security_database[GUID_SIZE];
/* Of the variable that is called so, and of shim's. */
extern const uint8_t guid_secure_boot_enable[GUID_SIZE];
extern const uint8_t guid_custom_mode[GUID_SIZE];
extern const uint8_t guid_vendor_keys[GUID_SIZE];
extern const uint8_t guid_cert_db[GUID_SIZE];
extern const uint8_t guid_shim_lock[GUID_SIZE];

#endif
