/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The variables in a VARS image, as edk2's driver sees them.  Works on the
 * bytes of an image, which must stay where they are while a struct varstore or
 * a struct variable points to them; nothing is allocated and nothing trusted.
 *
 * Sources: edk2 MdeModulePkg/Include/Guid/VariableFormat.h (the format),
 * Universal/Variable/RuntimeDxe/VariableParsing.c (the walk, and which of two
 * of a name counts); UEFI specification 2.10, sections 8.2 (variables) and 8.3
 * (EFI_TIME), appendix A (GUIDs).  Lines are those of edk2 2022.11.
 */
#ifndef PFLASH_VARSTORE_H
#define PFLASH_VARSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

/* Variable state: bits are cleared, never set (VariableFormat.h:97-100). */
enum {
	VARIABLE_UNWRITTEN = 0xff,     /* header is there, or a part of it */
	VARIABLE_HEADER_VALID = 0x7f,  /* and now complete */
	VARIABLE_ADDED = 0x3f,         /* and name and data too */
	VARIABLE_IN_TRANSITION = 0x3e, /* another one is about to follow it */
	VARIABLE_DELETED = 0x3d,       /* without one that followed */
	VARIABLE_SUPERSEDED = 0x3c,    /* after one that followed */
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

struct varstore {
	const uint8_t *image;
	size_t start; /* offset of the first variable in the image */
	size_t end;   /* and of the end of the store */
	bool authenticated;
	/*
	 * A pending fault-tolerant write will replace the store by the copy
	 * in the spare area, so that is the one looked into (FtwMisc.c:1398).
	 */
	bool in_spare;
};

/* EFI_TIME, without what variables leave 0. */
struct variable_time {
	uint16_t year;
	uint8_t month, day, hour, minute, second;
};

struct variable {
	size_t offset; /* in the image, of its header */
	size_t next;   /* of the one behind it */
	uint8_t state;
	bool live; /* GetVariable() returns this one */
	uint32_t attributes;
	const uint8_t *guid; /* the vendor's, 16 bytes */
	const uint8_t *name; /* UTF-16LE, with its NUL */
	uint32_t name_size;  /* bytes */
	const uint8_t *data;
	uint32_t data_size; /* bytes */
	/* All 0 in a store that is not authenticated. */
	uint64_t monotonic_count;
	struct variable_time time;
	uint32_t key_index;
};

/*
 * Looks for the store in an image.  -EINVAL if there is none that can be
 * walked.  It asks for less than fv_check(), for damaged images are the ones
 * to be looked into: what fv_check() passes can be opened.
 */
int varstore_open(struct varstore *store, const uint8_t *image, size_t size,
		  struct error *err);

/*
 * Steps to the next variable, of any state; to the first one if *variable is
 * all 0.  1 if there is one; 0 at the end of the chain, where variable->next
 * says how far it came; -EINVAL if the next one does not fit into the store,
 * with its start in variable->next.  `live` takes a look at all others.
 */
int varstore_next(const struct varstore *store, struct variable *variable);

/*
 * The live variable of that vendor and name (name_size bytes of UTF-16LE with
 * the NUL).  -ENOENT if there is none.
 */
int varstore_find(const struct varstore *store, const uint8_t *guid,
		  const uint8_t *name, uint32_t name_size,
		  struct variable *variable);

/* True if the name is a string: an even number of bytes, one NUL, the last. */
bool variable_name_valid(const struct variable *variable);

/*
 * The name in UTF-8, cut to fit into `size` bytes with its NUL (`size` > 0).
 * What is no character, and what a terminal would obey, becomes U+FFFD.
 * Returns the bytes that all of it needs, without the NUL.
 */
size_t variable_name(const struct variable *variable, char *text, size_t size);

enum varstore_change {
	VARSTORE_REMOVED,
	VARSTORE_CHANGED, /* data, attributes, time, count or key */
	VARSTORE_ADDED,
};

/* A return value other than 0 ends varstore_diff().  NULL: not there. */
typedef int (*varstore_diff_fn)(void *opaque, enum varstore_change change,
				const struct variable *old,
				const struct variable *new);

/*
 * What happened to the live variables between two stores, by vendor and name:
 * first what was removed or changed, in the order of the old store, then what
 * was added, in that of the new one.  Returns 0, what the function returned,
 * or -EINVAL if the chain of one of them is broken, after all up to there.
 */
int varstore_diff(const struct varstore *old, const struct varstore *new,
		  varstore_diff_fn fn, void *opaque);

/* --- GUIDs, as they lie in memory: 16 bytes, the first fields swapped --- */

#define GUID_SIZE 16u
#define GUID_TEXT_SIZE 37u

/* "8be4df61-93ca-11d2-aa0d-00e098032b8c" */
void guid_format(const uint8_t *guid, char text[GUID_TEXT_SIZE]);

/* What defines it calls it, or NULL: "EfiGlobalVariable". */
const char *guid_name(const uint8_t *guid);

#endif
