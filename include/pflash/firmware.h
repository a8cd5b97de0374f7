/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The structure of a firmware image: its volumes, the address for which it is
 * linked, the ELF header by which Xen starts it in a PVH guest, and the drivers
 * inside.  No name of a file or of a distribution decides anything.
 *
 * All functions accept any bytes, do no I/O and keep no pointer to the image.
 * Sizes and offsets are bytes; offsets count from the start of the image.
 *
 * Sources: edk2 OvmfPkg/OvmfXen.fdf, Include/Fdf/OvmfPkgDefines.fdf.inc,
 * Include/Fdf/XenElfHeader.fdf.inc, CloudHv/CloudHvX64.fdf; UEFI PI
 * specification vol. 3, sections 3.2.1 (volume), 3.2.3 (file), 3.2.4 (section);
 * System V ABI, chapter 4 (ELF); xen/include/public/elfnote.h
 * (XEN_ELFNOTE_PHYS32_ENTRY), by which Xen enters a PVH guest.
 */
#ifndef PFLASH_FIRMWARE_H
#define PFLASH_FIRMWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/fv.h"

/* The largest image that is accepted, bytes. */
#define FIRMWARE_MOST (16u << 20)

/* Can Xen start the image as the kernel of a PVH guest? */
enum firmware_entry {
	FIRMWARE_ENTRY_NONE,    /* no ELF header */
	FIRMWARE_ENTRY_CODE,    /* the code alone: the whole image decides */
	FIRMWARE_ENTRY_NO_NOTE, /* an ELF header that names no entry for Xen */
	FIRMWARE_ENTRY_SHORT,   /* it does not load the image to its end */
	FIRMWARE_ENTRY_OUTSIDE, /* the entry is not in the SEC volume */
	FIRMWARE_ENTRY_GOOD,
};

enum firmware_answer {
	FIRMWARE_UNKNOWN, /* the main volume's contents cannot be read */
	FIRMWARE_NO,
	FIRMWARE_YES,
};

struct firmware {
	size_t size;
	/* The VARS image of this build; NULL: unknown. */
	const struct fv_layout *layout;
	uint64_t vars_base; /* its guest physical address, with a layout */
	uint64_t base;      /* where the image is linked; it ends at 4 GiB */
	bool has_vars;      /* begins with a volume of variables */
	size_t main;        /* the volume with PEI and DXE */
	size_t main_size;   /* 0: not found */
	size_t sec;         /* the volume that ends the image */
	size_t sec_size;
	enum firmware_entry entry;
	/* With an entry other than NONE and CODE. */
	uint64_t loaded;  /* bytes of the image that Xen loads */
	uint64_t entered; /* the entry's offset; ~0: not in the image */
	/* Set by firmware_look_inside(). */
	enum firmware_answer xen;   /* XenPlatformPei: a build of OvmfXen */
	enum firmware_answer flash; /* QemuFlashFvbServicesRuntimeDxe */
	enum firmware_answer secure_boot; /* SecureBootConfigDxe */
};

/*
 * Examines the structure.  -ENOENT with a sentence if no volume ends the image;
 * else 0.  The answers about drivers are FIRMWARE_UNKNOWN.
 */
int firmware_examine(const uint8_t *image, size_t size,
		     struct firmware *firmware, struct error *err);

/*
 * For an image that Xen's domain builder has loaded at the guest physical
 * `address`: finds its size by the first `size` bytes there.  It is the size of
 * the segment that begins with the ELF header.  -ENOENT with a sentence if the
 * bytes are no ELF header, or no such segment is at `address`, or its size is
 * not a multiple of FV_BLOCK_SIZE, at most FIRMWARE_MOST; else 0.
 */
int firmware_loaded(const uint8_t *start, size_t size, uint64_t address,
		    size_t *loaded, struct error *err);

/*
 * Looks for the drivers in the main volume of an examined image; decompresses
 * it if it is compressed with LZMA, up to FIRMWARE_MOST_INSIDE bytes.  The
 * answers stay unknown if the contents cannot be read.
 */
#define FIRMWARE_MOST_INSIDE (64u << 20)
void firmware_look_inside(const uint8_t *image, struct firmware *firmware);

/* Writes one line about the image: what it is, and where its parts are. */
void firmware_text(const struct firmware *firmware, struct error *text);

/*
 * 0 if a PVH guest can have been started from this image.  -EINVAL with a
 * sentence that has the reason and the way out, without the file's name.
 */
int firmware_check_pvh(const struct firmware *firmware, struct error *err);

/*
 * The start of the part that a PVH guest needs at the address for which it is
 * linked: the SEC volume's offset, rounded down to a frame of 4096 bytes.
 */
size_t firmware_served(const struct firmware *firmware);

#endif
