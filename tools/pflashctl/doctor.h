/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checks of pflashctl doctor.  Each runs in a child with a time limit, so
 * that it may use files and programs that hang, and writes its findings to a
 * pipe.  doctor.c has the table of the checks.
 *
 * Paths begin with the directory of --root.  Texts may have hostile parts, such
 * as names of guests: they are escaped when they are printed.
 */
#ifndef PFLASHCTL_DOCTOR_H
#define PFLASHCTL_DOCTOR_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include "pflash/conf.h"

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_NOTE,    /* worth knowing, or a setting that may be wanted */
	DOCTOR_PROBLEM, /* no flash, or variables may be lost or read */
	DOCTOR_UNSEEN,  /* it could not be examined */
	DOCTOR_LEVELS
};

struct doctor {
	const char *root; /* prefix of all paths; "": none */
	FILE *to;         /* the pipe */
	bool on_xen;
};

/* Reports a finding. */
void doctor_say(struct doctor *doctor, enum doctor_level level, const char *fmt,
		...) __attribute__((format(printf, 3, 4)));

/*
 * The remedy of the last finding: words, or commands in backquotes, whose paths
 * are of doctor_word().
 */
void doctor_mend(struct doctor *doctor, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Names the file that is examined now, for the case that this hangs. */
void doctor_at(struct doctor *doctor, const char *path);

/*
 * Reports that a path cannot be examined, by the errno value `code`: DOCTOR_
 * UNSEEN if root could, else DOCTOR_PROBLEM.
 */
void doctor_cannot(struct doctor *doctor, int code, const char *path);

/* Writes the path below --root to `to`, which it returns. */
const char *doctor_path(const struct doctor *doctor, char to[PATH_MAX],
			const char *path);

/* Writes the path as a word for the shell to `to`, which it returns. */
#define DOCTOR_WORD (4 * PATH_MAX)
const char *doctor_word(char to[DOCTOR_WORD], const char *path);

/* Reads a small file; the caller frees it.  NULL with errno. */
char *doctor_read(const struct doctor *doctor, const char *path);

/*
 * Calls `each` for every file of options in /etc/xen/pflash, in the order of
 * their names, with its path and the name of its guest (NULL: default.conf).
 */
typedef void doctor_conf(struct doctor *doctor, void *opaque, const char *path,
			 const char *guest);
void doctor_each_conf(struct doctor *doctor, doctor_conf *each, void *opaque);

/*
 * Lists a directory without names that begin with a dot, sorted; the caller
 * frees each name and the list, which ends with NULL.  NULL with errno.
 */
char **doctor_list(const char *path);
void doctor_free_list(char **names);

/* doctor_xen.c */
void doctor_xen(struct doctor *doctor);
void doctor_dom0(struct doctor *doctor);
void doctor_version(struct doctor *doctor);
void doctor_kernel(struct doctor *doctor);
void doctor_hap(struct doctor *doctor);
void doctor_devices(struct doctor *doctor);
void doctor_xenstored(struct doctor *doctor);

/* doctor_privileges.c */
void doctor_users(struct doctor *doctor);
void doctor_namespaces(struct doctor *doctor);
void doctor_capabilities(struct doctor *doctor);
void doctor_seccomp(struct doctor *doctor);
void doctor_apparmor(struct doctor *doctor);

/* doctor_files.c */
void doctor_directories(struct doctor *doctor);
void doctor_program(struct doctor *doctor);
void doctor_scripts(struct doctor *doctor);
void doctor_unit(struct doctor *doctor);
void doctor_firmware(struct doctor *doctor);

/* doctor_vars.c */
void doctor_options(struct doctor *doctor);
void doctor_vars(struct doctor *doctor);
void doctor_known(struct doctor *doctor);

/* doctor_guests.c */
void doctor_flashes(struct doctor *doctor);
void doctor_guests(struct doctor *doctor);

#endif
