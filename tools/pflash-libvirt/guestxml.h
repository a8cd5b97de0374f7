/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the firmware and the flash of a guest from its XML in libvirt.
 *
 * libvirt's documentation of the format: formatdomain.html, "BIOS bootloader"
 * and "General metadata".  The XML comes from libvirtd, but whoever may define
 * guests has written it: any bytes are accepted, and nothing outside of the
 * document is read.
 */
#ifndef PFLASH_LIBVIRT_GUESTXML_H
#define PFLASH_LIBVIRT_GUESTXML_H

#include <stdbool.h>
#include <stddef.h>

#include "pflash/error.h"

/* Of <flash> in <metadata>, whose text has lines of pflash.conf(5). */
#define GUESTXML_NAMESPACE "urn:xen-pflash:libvirt:1"

#define GUESTXML_MOST (4u << 20) /* bytes; libvirt's own limit of a text */

enum guestxml_type {
	GUESTXML_OTHER, /* PV, or not known: it cannot have a flash */
	GUESTXML_HVM,
	GUESTXML_PVH,
};

/* Strings of malloc(3); NULL: the document has no such text. */
struct guestxml {
	char uuid[37]; /* lower case; "": none */
	char *id;      /* of the domain that runs */
	enum guestxml_type type;
	bool efi;    /* <os firmware='efi'> */
	bool secure; /* secure='yes', or the feature secure-boot */
	bool has_loader, has_nvram;
	char *loader;
	char *loader_type;
	char *kernel;
	bool has_bootloader; /* which finds the kernel, as pygrub does */
	char *vars; /* the file or block device of <nvram> */
	char *vars_format;
	char *template;
	char *options;   /* of GUESTXML_NAMESPACE */
	bool has_script; /* vif-pflash, or vif-pflash-NAME, of an interface */
};

/*
 * Reads the document.  0, or -EINVAL with a sentence, or -ENOMEM.
 * guestxml_free() is due in any case.
 */
int guestxml_parse(const char *text, size_t size, struct guestxml *xml,
		   struct error *err);
void guestxml_free(struct guestxml *xml);

#endif
