/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "pflash/fv.h"

/*
 * Sources: OvmfPkgDefines.fdf.inc, OvmfXen.dsc.  The 1 MiB build has the layout
 * 2m too, at 0xfff00000.
 */
static const struct fv_layout layouts[] = {
	{
		.name = "2m",
		.size = 0x20000,
		.base = 0xffe00000,
		.variable_size = 0xe000,
		.event_log = 0xe000,
		.ftw_work = 0xf000,
		.ftw_spare = 0x10000,
		.max_variable = 0x2800,
		.max_plain = 0x2000,
	},
	{
		.name = "4m",
		.size = 0x84000,
		.base = 0xffc00000,
		.variable_size = 0x40000,
		.event_log = 0x40000,
		.ftw_work = 0x41000,
		.ftw_spare = 0x42000,
		.max_variable = 0x8400,
		.max_plain = 0x8400,
	},
};

#define LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

const struct fv_layout *
fv_layout_by_name(const char *name)
{
	for (size_t i = 0; i < LAYOUTS; i++)
		if (!strcmp(layouts[i].name, name))
			return &layouts[i];
	return NULL;
}

const struct fv_layout *
fv_layout_by_size(uint64_t size)
{
	for (size_t i = 0; i < LAYOUTS; i++)
		if (layouts[i].size == size)
			return &layouts[i];
	return NULL;
}
