/* SPDX-License-Identifier: BSD-2-Clause */
/* The file system that a path is on, by /proc/self/mountinfo of proc(5). */
#ifndef PFLASHCTL_MOUNTS_H
#define PFLASHCTL_MOUNTS_H

#include <stdbool.h>

#define MOUNT_TYPE 64

struct mount {
	char type[MOUNT_TYPE];
	char options[1024]; /* of the mount and of the file system */
};

/*
 * Finds the mount of an absolute path without symbolic links, in the text of
 * mountinfo, which is changed.  False: there is none.
 */
bool mounts_find(char *text, const char *path, struct mount *mount);

/* True if the options have this one: "nolock" or "local_lock=all". */
bool mounts_has(const struct mount *mount, const char *option);

#endif
