/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The formats of files that are no flash.  Each is one row of the table in
 * formats.c: how it is recognized, and how a sentence about it is made.
 *
 * The magic numbers are from the formats' specifications: qcow2.txt, qcow.c,
 * qed and parallels.txt of QEMU, VHDX of Microsoft, VMDK 5.0, VDICore.h, VHD
 * 1.0, LUKS 1.2.3 and 2, RFC 1952 (gzip), xz 1.1.0, lzma.txt, lzip(1), RFC 8878
 * (zstd), APPNOTE.TXT (zip), cpio(5), ELF, PE/COFF, UEFI 2.10 (GPT, capsules,
 * EFI_SIGNATURE_LIST, EFI_VARIABLE_AUTHENTICATION_2), the PCI firmware
 * specification 3.3 (option ROMs), Intel's SPI programming guides, the
 * Devicetree specification 0.4, EBBR 2.1 (U-Boot's variables), xapidb.h of
 * varstored, ECMA-119 (ISO 9660) and the headers of Linux's file systems.
 */
#ifndef FV_FORMATS_H
#define FV_FORMATS_H

#include <stdint.h>

enum format_use {
	FORMAT_IMAGE,      /* qemu-img converts it; `how` is its format name */
	FORMAT_COMPRESSED, /* `how` -dc unpacks it */
	FORMAT_ARCHIVE,    /* the command `how` gives the files in it */
	FORMAT_OTHER,      /* no flash is in it; `how`: NULL, or the advice */
};

struct format {
	const char *name; /* for scripts */
	enum format_use use;
	const char *what; /* "a VMDK image" */
	const char *how;
	uint32_t offset; /* of the magic number; bytes */
	uint8_t len;     /* 0: recognized by code, see identify.c */
	const char *magic;
};

/* The table; a row of length 0 is the last one. */
extern const struct format formats[];

extern const struct format format_vhd, format_bzip2, format_pe, format_json,
	format_text;

#endif
