/* SPDX-License-Identifier: BSD-2-Clause */
#include "parcel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "recover.h"

int
parcel_read_role(const struct vars *vars, enum files_role role,
		 struct content *content, struct error *err)
{
	struct file file = { .sys = vars->file.sys };
	int rc = file_open(&file, vars->files, role, false, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = file_read_all(&file, &content->bytes, &content->len, err);
	file_close(&file);
	return rc;
}

int
parcel_put_role(const struct vars *vars, enum files_role role, bool replace,
		const struct content *content, bool *renamed, struct error *err)
{
	struct file file = { .sys = vars->file.sys };
	int rc = file_write_new(&file, vars->files, role, content->bytes,
				content->len, err);

	*renamed = false;
	if (rc)
		return rc;
	file_close(&file);
	rc = vars->files->ops->install(vars->files, role, replace, renamed);
	if (!*renamed)
		(void)vars->files->ops->remove(vars->files, role, true);
	return rc ? error_errno(err, -rc, "%s", file.path) : 0;
}

int
parcel_remove_role(const struct vars *vars, enum files_role role,
		   struct error *err)
{
	struct files *files = vars->files;
	int rc = files_local_unlink(files, role);

	if (rc == -EOPNOTSUPP)
		rc = files->ops->remove(files, role, false);
	return rc ? error_errno(err, -rc, "%s", files->name[role]) : 0;
}

int
parcel_put_device(const struct file *device, const struct content *image,
		  struct error *err)
{
	uint32_t size;
	int rc = files_image_size(device->fd, device->sys, &size);

	if (!rc && size != image->len)
		rc = error_set(err, EINVAL,
			       "%s: the device is prepared for a flash of %u "
			       "bytes, and this one has %zu",
			       device->path, size, image->len);
	if (!rc)
		rc = file_write(device, image->bytes, image->len, 0, err);
	return rc ? rc : file_sync(device, err);
}

int
parcel_put_vars(const struct vars *vars, const struct content *image,
		struct error *err)
{
	bool renamed;
	int rc = parcel_remove_role(vars, FILES_VARS, err);

	return rc ? rc :
		    parcel_put_role(vars, FILES_VARS, false, image, &renamed,
				    err);
}

int
parcel_check(const struct vars *vars, const struct content *image,
	     const struct content *journal, struct error *err)
{
	const char *const *name = vars->files->name;
	struct scan scan;
	const struct recovery recovery = {
		.scan = &scan,
		.journal = journal->bytes,
		.vars_path = name[FILES_VARS],
		.journal_path = name[FILES_JOURNAL],
	};
	uint8_t *copy;
	int rc;

	if (!journal->bytes)
		return 0;
	rc = scan_journal(&scan, journal->bytes, journal->len,
			  name[FILES_JOURNAL], err);
	if (rc)
		return rc;
	copy = vars_alloc(vars->size);
	if (!copy)
		return error_set(err, ENOMEM, "out of memory");
	memcpy(copy, image->bytes, vars->size);
	rc = recover_image(&recovery, copy, vars->size, NULL, err);
	free(copy);
	return rc;
}
