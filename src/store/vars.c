/* SPDX-License-Identifier: BSD-2-Clause */
#include "vars.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lock.h"

#include "pflash/store.h"

static int
check_size(struct vars *vars, struct error *err)
{
	off_t size = vars->stat.st_size;

	if (size <= 0 || size > (off_t)STORE_MAX_SIZE || size % VARS_BLOCK_SIZE)
		return error_set(err, EINVAL,
				 "%s: size is %lld bytes, expected "
				 "4 KiB blocks, at most %u bytes",
				 vars->path, (long long)size, STORE_MAX_SIZE);
	vars->size = (uint32_t)size;
	return 0;
}

int
vars_open(struct vars *vars, const struct sys *sys, const char *path, int flags,
	  struct error *err)
{
	int rc;

	memset(vars, 0, sizeof(*vars));
	vars->file.sys = sys;
	vars->file.fd = -1;
	vars->path = realpath(path, NULL);
	if (!vars->path)
		return error_errno(err, errno, "%s", path);
	vars->file.path = vars->path;
	rc = file_open(&vars->file, flags, 0, err);
	if (!rc && (flags & O_ACCMODE) == O_RDWR)
		rc = lock_file(&vars->file, err);
	if (!rc)
		rc = file_stat(&vars->file, &vars->stat, err);
	if (!rc)
		rc = check_size(vars, err);
	if (rc)
		vars_close(vars);
	return rc;
}

void
vars_close(struct vars *vars)
{
	file_close(&vars->file);
	free(vars->path);
	vars->path = NULL;
}

uint8_t *
vars_alloc(uint32_t size)
{
	return aligned_alloc(VARS_BLOCK_SIZE, size);
}

int
vars_read(const struct vars *vars, uint8_t *image, struct error *err)
{
	return file_read(&vars->file, image, vars->size, 0, err);
}

void
vars_mark(uint8_t *dirty, uint32_t off, uint32_t len)
{
	uint32_t first = off / VARS_BLOCK_SIZE;

	if (len)
		memset(dirty + first, 1,
		       (off + len - 1) / VARS_BLOCK_SIZE - first + 1);
}

int
vars_write(const struct vars *vars, const uint8_t *image, const uint8_t *dirty,
	   struct error *err)
{
	uint32_t blocks = vars->size / VARS_BLOCK_SIZE, first, end;
	int rc = 0;

	for (first = 0; !rc && first < blocks; first = end) {
		for (end = first; end < blocks && dirty[end]; end++)
			;
		if (end > first)
			rc = file_write(&vars->file,
					image + first * VARS_BLOCK_SIZE,
					(end - first) * VARS_BLOCK_SIZE,
					first * VARS_BLOCK_SIZE, err);
		else
			end++;
	}
	return rc ? rc : file_sync(&vars->file, err);
}
