/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files below /run/pflashd/conf.  For each guest:
 *
 *   NAME.conf      the options that were made of its XML
 *   NAME.arrives   from the begin of a migration to this host to its start
 *   UUID.hold      while a new domain is or will be held, see hold.h
 */
#ifndef PFLASH_LIBVIRT_FILES_H
#define PFLASH_LIBVIRT_FILES_H

#include <limits.h>
#include <stdbool.h>

#include "pflash/error.h"

#define FILES_CONF "conf"
#define FILES_HOLD "hold"
#define FILES_ARRIVES "arrives"

/* The directory with the administrator's files of options. */
const char *files_config(void);

/* True if the administrator has a file of options for this guest. */
bool files_has_own(const char *name);

/* Writes the path of a guest's file. */
void files_path(const char *stem, const char *suffix, char path[PATH_MAX]);

bool files_exists(const char *stem, const char *suffix);

/* Makes the directory, unless it exists.  0 or -errno with a sentence. */
int files_prepare(struct error *err);

/* Replaces the file as a whole.  0 or -errno with a sentence. */
int files_write(const char *stem, const char *suffix, const char *text,
		struct error *err);

/* True if there was such a file. */
bool files_remove(const char *stem, const char *suffix);

#endif
