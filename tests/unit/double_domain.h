/* SPDX-License-Identifier: BSD-2-Clause */
/* supervisor/domain.h without a hypervisor; the stage counts its calls. */
#ifndef DOUBLE_DOMAIN_H
#define DOUBLE_DOMAIN_H

#include "supervisor/domain.h"

extern int domain_event_end; /* an eventfd(2) */

struct domain *domain_double(void);

#endif
