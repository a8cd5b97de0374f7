/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EFI device paths: their check, their text, and how they are made.
 *
 * libefivar makes nodes and prints nodes of a fixed size.  It gets no byte of a
 * guest before the node has exactly the size of its type: its functions read
 * the members of a node without a look at its length.  Nodes with text or of a
 * size that varies are printed here, because libefivar 37 reads behind them.
 *
 * The text is that of the UEFI specification 2.10, section 10.6, or of
 * libefivar where the two differ.
 */
#ifndef PFLASHCTL_BOOT_PATH_H
#define PFLASHCTL_BOOT_PATH_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

/*
 * Checks that the nodes fill exactly `size` bytes, and that the last one ends a
 * path.  A list of several paths is accepted.  -EINVAL with a sentence.
 */
int boot_path_check(const uint8_t *path, size_t size, struct error *err);

/*
 * The text of a path that boot_path_check() accepts: UTF-8 in malloc()ed
 * memory, for show_text().  A node of an unknown type or a wrong size is
 * Path(TYPE,SUBTYPE,HEX), cut with "...".  NULL: no memory.
 */
char *boot_path_text(const uint8_t *path, size_t size);

/* A path that is being made. */
#define BOOT_PATH_ROOM 4096u
struct boot_path {
	uint8_t bytes[BOOT_PATH_ROOM];
	size_t size;
};

/* HARDDRIVE_DEVICE_PATH (UEFI specification 2.10, section 10.3.5.1). */
struct boot_partition {
	uint32_t number;
	uint64_t start, size;  /* sectors of the disk */
	uint8_t signature[16]; /* GUID, or the four bytes of the MBR */
	uint8_t format;        /* EFIDP_HD_FORMAT_* of libefivar */
	uint8_t kind;          /* EFIDP_HD_SIGNATURE_* */
};

/*
 * Each appends to the path, which begins as zeros and is complete after
 * boot_path_end().  -EINVAL or -ENOSPC with a sentence.
 */
int boot_path_add_partition(struct boot_path *path,
			    const struct boot_partition *partition,
			    struct error *err);
int boot_path_add_file(struct boot_path *path, const char *file,
		       struct error *err);
int boot_path_end(struct boot_path *path, struct error *err);

/*
 * Reads one whole path: text as boot_path_text() writes it, or hexadecimal
 * digits.  -EINVAL with a sentence that names the part that was not understood.
 */
int boot_path_parse(const char *text, struct boot_path *path,
		    struct error *err);

#endif
