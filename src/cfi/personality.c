/* SPDX-License-Identifier: BSD-2-Clause */
#include "personality.h"

#define ERRORS (CFI_SR_PROTECTED | CFI_SR_VPP | CFI_SR_PROGRAM | CFI_SR_ERASE)

const struct personality personalities[] = {
	[CFI_OVMF] = {
		.cleared = ERRORS | CFI_SR_READY,
		.keeps_locks = true,
		.view_by_block = true,
		.array_ends_views = true,
	},
	[CFI_STRICT] = {
		.cleared = ERRORS,
		.power_on_locked = true,
		.keeps_locks = true,
		.refuses_buffer = true,
	},
	[CFI_QEMU] = {
		.cleared = 0xff,
		.clear_to_array = true,
		.overwrites = true,
		.array_ends_views = true,
	},
};
