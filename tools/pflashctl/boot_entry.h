/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot entries and the variables around them, as edk2's boot manager reads
 * them.  All functions accept any bytes.
 *
 * Sources: UEFI specification 2.10, sections 3.1.3 (EFI_LOAD_OPTION) and 3.3
 * (the variables); edk2 MdeModulePkg/Library/UefiBootManagerLib, BmLoadOption.c
 * (BmValidateOption, BmGetFreeOptionNumber).
 */
#ifndef PFLASHCTL_BOOT_ENTRY_H
#define PFLASHCTL_BOOT_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/varstore.h"

/* Their attributes, but for the volatile ones (section 3.3). */
#define BOOT_ATTRIBUTES                                                        \
	(VARIABLE_NON_VOLATILE | VARIABLE_BOOT_ACCESS | VARIABLE_RUNTIME_ACCESS)

/* Attributes of an entry. */
enum {
	BOOT_ACTIVE = 1u << 0,
	BOOT_HIDDEN = 1u << 3,
	BOOT_CATEGORY = 0x1f00, /* 0: an entry that is booted */
	BOOT_APPLICATION = 0x0100,
};

/* OsIndications: the firmware shows its menu at the next start, once. */
#define BOOT_TO_SETUP 1u

/* --- EFI_LOAD_OPTION --- */

/* The pointers point into the value. */
struct boot_entry {
	uint32_t attributes;
	const uint8_t *description; /* UTF-16LE, with its NUL */
	size_t description_size;    /* bytes, with the NUL */
	const uint8_t *path;        /* as boot_path_check() accepts it */
	size_t path_size;
	const uint8_t *data; /* optional data */
	size_t data_size;
};

/* -EINVAL with a sentence: edk2 would not take it for an entry. */
int boot_entry_read(struct boot_entry *entry, const uint8_t *value, size_t size,
		    struct error *err);

/*
 * Makes the value of an entry in malloc()ed memory of *size bytes.  `label` is
 * UTF-8.  -EINVAL or -ENOMEM with a sentence.
 */
int boot_entry_make(uint8_t **value, size_t *size, const char *label,
		    const struct boot_entry *entry, struct error *err);

/* True: edk2 has made the entry, and removes it if its device is gone. */
bool boot_entry_is_automatic(const struct boot_entry *entry);

/*
 * The optional data as text: UTF-8 if they are printable UTF-16, "" if there
 * are none, else hexadecimal digits.  malloc()ed; NULL: no memory.
 */
char *boot_entry_data(const struct boot_entry *entry);

/* --- names --- */

#define BOOT_NAME_SIZE 40u /* bytes of UTF-16LE, with the NUL; at most */

/* Writes the name as UTF-16LE.  Returns its size in bytes, with the NUL. */
uint32_t boot_name(uint8_t to[BOOT_NAME_SIZE], const char *name);

/* "Boot0003" */
uint32_t boot_name_of(uint8_t to[BOOT_NAME_SIZE], uint16_t number);

/* True if the variable is PREFIX and four digits as edk2 writes them. */
bool boot_is_numbered(const struct variable *variable, const char *prefix,
		      uint16_t *number);

/* Finds a variable of this name; -ENOENT. */
int boot_find(const struct varstore *store, const char *name,
	      struct variable *variable);

/* --- the variables of a store --- */

struct boot_variable {
	uint16_t number;
	struct variable variable;
};

struct boot_state {
	const struct varstore *store;
	struct boot_variable *entries; /* by number */
	size_t count;
	uint16_t *order; /* BootOrder, without an odd byte at its end */
	size_t order_count;
	bool has_next; /* BootNext has two bytes; edk2 ignores others */
	uint16_t next;
};

/* -ENOMEM with a sentence.  boot_state_free() is due after either. */
int boot_state_read(struct boot_state *state, const struct varstore *store,
		    struct error *err);
void boot_state_free(struct boot_state *state);

/* The entry of this number; NULL: there is none. */
const struct boot_variable *boot_state_entry(const struct boot_state *state,
					     uint16_t number);

/* The place of a number in BootOrder, or -1. */
long boot_state_place(const struct boot_state *state, uint16_t number);

/*
 * A number that no entry, and neither BootOrder nor BootNext has.  -ENOSPC with
 * a sentence.
 */
int boot_state_free_number(const struct boot_state *state, uint16_t *number,
			   struct error *err);

/*
 * Finds the entries that a word names: four hexadecimal digits, or else a
 * pattern of fnmatch(3) for the description.  Sets found[i] for entries[i].
 * Returns their number, or -ENOMEM with a sentence.
 */
long boot_state_match(const struct boot_state *state, const char *word,
		      bool *found, struct error *err);

#endif
