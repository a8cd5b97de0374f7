/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recognizes a file that an administrator names as VARS, template or firmware,
 * and gives one sentence: the kind of the file, and how to get the right one.
 * All programs use these sentences, before any other message about the file.
 *
 * Sizes and offsets are bytes.  The sentences have no full stop.
 * The formats are in src/fv/formats.c; volumes are from the UEFI PI
 * specification, vol. 3.
 */
#ifndef PFLASH_IDENTIFY_H
#define PFLASH_IDENTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "pflash/error.h"
#include "pflash/sys.h"

enum identity_kind {
	IDENTITY_VARS,    /* a volume of variables, as long as the file */
	IDENTITY_UNKNOWN, /* not recognized, or its contents are not readable */
	/* A flash whose contents are not there, or not complete. */
	IDENTITY_EMPTY,    /* 0 bytes */
	IDENTITY_ZEROS,    /* nothing but 0x00 */
	IDENTITY_ONES,     /* nothing but 0xff */
	IDENTITY_CUT,      /* the volume is longer than the file */
	IDENTITY_TRAILING, /* the volume is shorter, unknown bytes behind it */
	/* The rest is another kind of file: identity_is_foreign(). */
	IDENTITY_PADDED_ZEROS, /* nothing but 0x00 behind the volume */
	IDENTITY_PADDED_ONES,  /* nothing but 0xff behind the volume */
	IDENTITY_WHOLE,        /* variables, and code behind them */
	IDENTITY_FIRMWARE,     /* firmware code only */
	IDENTITY_OTHER_BLOCKS, /* variables of Arm, RISC-V or LoongArch */
	IDENTITY_FORMAT,       /* a format of other files, see `format` */
	IDENTITY_KINDS         /* the number of kinds */
};

/* The role that the administrator gives the file. */
enum identity_role {
	IDENTITY_AS_VARS, /* also a template for VARS */
	IDENTITY_AS_FIRMWARE,
};

struct format;

struct identity {
	enum identity_kind kind;
	uint64_t size;   /* of the file */
	uint64_t volume; /* length of the volume at its start; 0: none */
	uint32_t block;  /* of the volume's block map */
	const struct format *format; /* of IDENTITY_FORMAT; else NULL */
};

/* --- contents --- */

/* Reads up to `len` bytes at `off`; returns their number, or -errno. */
typedef int identity_read(void *opaque, uint64_t off, uint8_t *to, size_t len);

/*
 * Recognizes contents of `size` bytes, read through `read`.  Reads at most 256
 * MiB; longer padding is not recognized.
 */
void identify(identity_read *read, void *opaque, uint64_t size,
	      struct identity *identity);
void identify_image(const uint8_t *image, size_t size,
		    struct identity *identity);

/* True if the kind has a sentence: neither VARS nor UNKNOWN. */
bool identity_is_known(const struct identity *identity);

/* True if all bytes are 0x00, or all are 0xff. */
bool identity_is_blank(const struct identity *identity);

/* True if no interrupted write of a VARS file explains these contents. */
bool identity_is_foreign(const struct identity *identity);

/*
 * True if the first `volume` bytes can be taken as a VARS image: the volume has
 * the size of a layout, and padding or code is behind it.
 */
bool identity_has_vars(const struct identity *identity);

/* A stable name for scripts: "qcow2".  Never NULL. */
const char *identity_name(const struct identity *identity);

/*
 * Writes the sentence, without the file's name: what the file is, and how the
 * right one for the role is made of it, or found.
 */
void identity_text(const struct identity *identity, enum identity_role role,
		   struct error *text);

/* --- files --- */

/* "a FIFO", by the file's mode. */
const char *identify_type_name(mode_t mode);

/*
 * 0 for a regular file or a block device; else -EINVAL with a sentence that
 * names the type (-EISDIR for a directory).
 */
int identify_type(mode_t mode, const char *path, struct error *err);

/*
 * Writes the sentence for a failed open(2) and returns -code; also for a part
 * of the path that is missing, see path.h.
 */
int identify_open_error(int code, const char *path, struct error *err);

/* The same, and looks at the file: not for a process in a sandbox. */
int identify_path_error(int code, const char *path, struct error *err);

/*
 * Opens a file for reading, without waiting for the writer of a FIFO.  Accepts
 * what identify_type() accepts, and an anonymous pipe (/dev/fd/N).  Returns a
 * descriptor, or -errno with a sentence.
 */
int identify_open(const char *path, struct stat *st, struct error *err);

/* Recognizes an open file of `size` bytes.  sys NULL: sys_kernel. */
void identify_fd(const struct sys *sys, int fd, uint64_t size,
		 struct identity *identity);

/*
 * Returns 1 if the open file has a known kind, with `foreign` only a foreign
 * one, and replaces *err by "PATH: sentence".  Otherwise 0.
 */
int identify_explain(const struct sys *sys, int fd, const char *path,
		     bool foreign, struct error *err);

/* The same for a path; also explains a file that cannot be opened. */
int identify_path(const char *path, bool foreign, struct error *err);

/* The sentence for a file of no known kind whose size no flash has; -EINVAL. */
int identify_size_error(const char *path, uint64_t size, struct error *err);

/*
 * Loads a template for a VARS file.  From a padded or whole image, takes the
 * variables and returns 1 with a sentence in `note`; otherwise 0.  Refuses
 * every other known kind: -EINVAL, or an error of load_file().  The caller
 * frees *image in any case.
 */
int identify_template(const char *path, uint8_t **image, size_t *size,
		      struct error *note, struct error *err);

/*
 * Loads a firmware image that pflashd can attach: whole frames, with a SEC
 * volume at its end, whose offset is *sec.  -EINVAL, or an error of
 * load_file(), with a sentence.  The caller frees *image in any case.
 */
int identify_firmware(const char *path, uint8_t **image, size_t *size,
		      size_t *sec, struct error *err);

#endif
