/* SPDX-License-Identifier: BSD-2-Clause */
/* The GUIDs that headers in a VARS image begin with. */
#ifndef FV_GUID_H
#define FV_GUID_H

#include <stdint.h>

#include "pflash/varstore.h"

extern const uint8_t guid_nv_data[GUID_SIZE];       /* the volume's kind */
extern const uint8_t guid_authenticated[GUID_SIZE]; /* the store's, long */
extern const uint8_t guid_plain[GUID_SIZE];         /* and short headers */
extern const uint8_t guid_working_block[GUID_SIZE];

#endif
