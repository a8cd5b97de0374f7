/* SPDX-License-Identifier: BSD-2-Clause */
/* The build that a firmware image comes from. */
#include "build.h"

#include <errno.h>
#include <string.h>

#include "ftw.h"
#include "guid.h"
#include "header.h"

#include "pflash/le.h"

/* A firmware image ends at this guest physical address (4 GiB). */
#define FIRMWARE_END UINT64_C(0x100000000)

/* FW_SIZE and CODE_SIZE of OvmfPkgDefines.fdf.inc. */
static const struct image_size {
	size_t size;
	bool has_vars; /* FW_SIZE: the variables come before the code */
	const char *layout;
} image_sizes[] = {
	{ 0x100000, true, "2m" },  { 0x200000, true, "2m" },
	{ 0x400000, true, "4m" },  { 0x0e0000, false, "2m" },
	{ 0x1e0000, false, "2m" }, { 0x37c000, false, "4m" },
};

static const struct image_size *
find_size(size_t size)
{
	for (size_t i = 0; i < sizeof(image_sizes) / sizeof(image_sizes[0]);
	     i++)
		if (image_sizes[i].size == size)
			return &image_sizes[i];
	return NULL;
}

bool
build_is_firmware_size(size_t size)
{
	const struct image_size *found = find_size(size);

	return found && found->has_vars;
}

static bool
begins_with_vars(const struct fv_layout *layout, const uint8_t *image)
{
	uint16_t header = get_le16(image + FVH_HEADER_LENGTH);

	return fv_has_signature(image) &&
	       !memcmp(image + FVH_FILE_SYSTEM_GUID, guid_nv_data, GUID_SIZE) &&
	       get_le64(image + FVH_FV_LENGTH) == layout->size &&
	       header == FVH_MIN_LENGTH && fv_header_sum(image, header) == 0;
}

/* OvmfXen has an ELF header in place of the volume header (OvmfXen.fdf). */
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
	const struct image_size *found = find_size(size);
	const struct fv_layout *layout = NULL;
	size_t sec;

	memset(build, 0, sizeof(*build));
	if (found)
		layout = fv_layout_by_name(found->layout);
	if (!found || fv_find_sec(image, size, &sec, NULL) < 0 ||
	    !is_build(image, layout, found->has_vars, build)) {
		memset(build, 0, sizeof(*build));
		return error_set(err, ENOENT,
				 "not a known build of OVMF, so the size of "
				 "its VARS file is unknown");
	}
	build->vars_base = FIRMWARE_END - size;
	if (!found->has_vars)
		build->vars_base -= layout->size;
	return 0;
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
			 "(layout %s), and would erase all variables in a VARS "
			 "file of %#jx bytes; use a firmware and a VARS file "
			 "of the same build",
			 (uintmax_t)build.layout->size, build.layout->name,
			 (uintmax_t)vars_size);
}
