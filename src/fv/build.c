/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "ftw.h"
#include "guid.h"
#include "header.h"

#include "pflash/fv.h"
#include "pflash/le.h"

#define TOP UINT64_C(0x100000000)

/* FW_SIZE and CODE_SIZE of OvmfPkgDefines.fdf.inc. */
static const struct {
	size_t size;
	bool has_vars;
	const char *layout;
} builds[] = {
	{ 0x100000, true, "2m" },  { 0x200000, true, "2m" },
	{ 0x400000, true, "4m" },  { 0x0e0000, false, "2m" },
	{ 0x1e0000, false, "2m" }, { 0x37c000, false, "4m" },
};

/* The first volume is a build's empty variables. */
static bool
begins_with_vars(const struct fv_layout *layout, const uint8_t *image)
{
	uint16_t header = get_le16(image + FVH_HEADER_LENGTH);

	return !memcmp(image + FVH_SIGNATURE, FVH_SIGNATURE_TEXT, 4) &&
	       !memcmp(image + FVH_FILE_SYSTEM_GUID, guid_nv_data, GUID_SIZE) &&
	       get_le64(image + FVH_FV_LENGTH) == layout->size &&
	       header == FVH_MIN_LENGTH && fv_header_sum(image, header) == 0;
}

static bool
is_build(const uint8_t *image, const struct fv_layout *layout, bool has_vars,
	 struct fv_build *build)
{
	build->layout = layout;
	build->has_vars = has_vars && begins_with_vars(layout, image);
	if (!has_vars || build->has_vars)
		return true;
	return !memcmp(image, "\177ELF", 4) &&
	       ftw_valid_at(layout, image, layout->ftw_work);
}

int
fv_build_find(const uint8_t *image, size_t size, struct fv_build *build,
	      struct error *err)
{
	const struct fv_layout *layout;
	size_t sec;

	memset(build, 0, sizeof(*build));
	for (size_t i = 0; i < sizeof(builds) / sizeof(builds[0]); i++) {
		if (builds[i].size != size)
			continue;
		layout = fv_layout_by_name(builds[i].layout);
		if (fv_find_sec(image, size, &sec, NULL) < 0 ||
		    !is_build(image, layout, builds[i].has_vars, build))
			break;
		build->vars_base = TOP - size;
		if (!builds[i].has_vars)
			build->vars_base -= layout->size;
		return 0;
	}
	memset(build, 0, sizeof(*build));
	return error_set(err, ENOENT,
			 "it can't be told for which variable store this "
			 "firmware was built");
}

int
fv_build_takes(const uint8_t *image, size_t size, uint64_t vars_size,
	       struct error *err)
{
	struct fv_build build;
	int ret = fv_build_find(image, size, &build, err);

	if (ret < 0 || vars_size == build.layout->size)
		return ret;
	return error_set(err, EINVAL,
			 "the firmware was built for %#jx bytes of variables "
			 "(layout %s), and would erase all in a file of %#jx",
			 (uintmax_t)build.layout->size, build.layout->name,
			 (uintmax_t)vars_size);
}
