/* SPDX-License-Identifier: BSD-2-Clause */
/* A double of supervisor/domain.c: the stage counts the calls to Xen. */
#ifndef DOUBLE_DOMAIN_H
#define DOUBLE_DOMAIN_H

#include "supervisor/domain.h"

/* An eventfd(2), readable while the domain has an event. */
extern int domain_event_end;

struct domain *domain_double(void);

#endif
