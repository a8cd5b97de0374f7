/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers of all attached flashes for Prometheus. */
#ifndef PFLASHCTL_METRICS_H
#define PFLASHCTL_METRICS_H

#include <stdio.h>

#include "ask.h"

/* Prints the numbers of the answers in OpenMetrics 1.0. */
void metrics_print_open(FILE *to, const struct guests *guests);

#endif
