/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of `pflashctl boot`. */
#ifndef PFLASHCTL_BOOT_H
#define PFLASHCTL_BOOT_H

#include "group.h"

/* Ends with an entry whose name is NULL. */
extern const struct group_command boot_commands[];

/* boot_add.c and boot_list.c; see group.h */
int boot_add(const struct group_command *command, int argc, char **argv);
int boot_list(const struct group_command *command, int argc, char **argv);

extern const struct cmdline_option boot_add_options[];

#endif
