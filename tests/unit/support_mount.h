/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mounts of a test's own, for what lies at fixed paths.  libcheck runs each
 * test in a process of its own, whose end is the end of them.
 */
#ifndef SUPPORT_MOUNT_H
#define SUPPORT_MOUNT_H

#include <stdbool.h>

/* Why there can be none here, or NULL. */
const char *mount_refusal(void);

/* From now on this process mounts for itself only. */
void mount_begin(void);

/* An empty file system in memory; `options` are those of tmpfs(5). */
void mount_memory(const char *path, const char *options);

/* `path` reads as `text`. */
void mount_text(const char *path, const char *text);

#endif
