/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl vars pending, and cancel: the changes for the next start. */
#ifndef PFLASHCTL_PENDING_H
#define PFLASHCTL_PENDING_H

#include "group.h"

extern const struct cmdline_option pending_options[], cancel_options[];

int vars_pending(const struct group_command *command, int argc, char **argv);
int vars_cancel(const struct group_command *command, int argc, char **argv);

#endif
