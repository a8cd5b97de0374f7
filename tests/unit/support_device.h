/* SPDX-License-Identifier: BSD-2-Clause */
/* The flash of a simulated guest. */
#ifndef SUPPORT_DEVICE_H
#define SUPPORT_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "pflash/device.h"

/* One chip of `size` bytes, in blocks of 4 KiB. */
static inline struct device_config
support_device(uint64_t base, size_t size, enum window_mode mode)
{
	return (struct device_config){
		.base = base,
		.geometry = {
			.size = (uint32_t)size,
			.width = 1,
			.interleave = 1,
			.region_count = 1,
			.regions = { { 4096, (uint32_t)size / 4096 } },
		},
		.mode = mode,
	};
}

#endif
