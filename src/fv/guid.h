/* SPDX-License-Identifier: BSD-2-Clause */
/* The GUIDs in the headers of a VARS image. */
#ifndef FV_GUID_H
#define FV_GUID_H

#include <stdint.h>

#include "pflash/varstore.h"

/* The file system GUID of a volume for variables. */
extern const uint8_t guid_nv_data[GUID_SIZE];
/* The signature of a store with authenticated, or with plain, headers. */
extern const uint8_t guid_authenticated[GUID_SIZE];
extern const uint8_t guid_plain[GUID_SIZE];
extern const uint8_t guid_working_block[GUID_SIZE];

#endif
