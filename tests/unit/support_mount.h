/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private mounts, for tests of files at fixed paths. libcheck runs each test in
 * its own process, so that the mounts disappear when the test ends.
 */
#ifndef SUPPORT_MOUNT_H
#define SUPPORT_MOUNT_H

#include <stdbool.h>

/* The reason why this process cannot mount, or NULL. */
const char *mount_refusal(void);

/* Makes later mounts visible to this process only. */
void mount_begin(void);

/* Mounts an empty file system in memory; `options` are those of tmpfs(5). */
void mount_memory(const char *path, const char *options);

/* Makes reads of `path` return `text`. */
void mount_text(const char *path, const char *text);

#endif
