/* SPDX-License-Identifier: BSD-2-Clause */
#include "statefile.h"

#include <errno.h>
#include <string.h>

#include "crc32c.h"

#include "pflash/le.h"

#define MAGIC "PFLASHS1"

/* Offsets in the file. */
#define TAG 8
#define LENGTH (TAG + STORE_TAG_SIZE)
#define CRC (LENGTH + 4)
#define HEADER_SIZE (CRC + 4)

static uint32_t
checksum(const uint8_t *header, const void *record, size_t len)
{
	return crc32c(crc32c(0, header, CRC), record, len);
}

static size_t
encode(uint8_t *bytes, const struct store_state *state)
{
	memset(bytes, 0, HEADER_SIZE);
	memcpy(bytes, MAGIC, 8);
	memcpy(bytes + TAG, state->tag, STORE_TAG_SIZE - 1);
	put_le32(bytes + LENGTH, (uint32_t)state->len);
	put_le32(bytes + CRC, checksum(bytes, state->record, state->len));
	memcpy(bytes + HEADER_SIZE, state->record, state->len);
	return HEADER_SIZE + state->len;
}

static int
install_new(struct files *files, struct error *err)
{
	bool renamed;
	int rc = files->ops->install(files, FILES_STATE, true, &renamed);

	if (!renamed)
		(void)files->ops->remove(files, FILES_STATE, true);
	return rc ? error_errno(err, -rc, "%s", files->name[FILES_STATE]) : 0;
}

int
statefile_write(const struct vars *vars, const struct store_state *state,
		struct error *err)
{
	struct files *files = vars->files;
	struct file file = {
		.sys = vars->file.sys,
		.stats = vars->file.stats,
	};
	uint8_t bytes[HEADER_SIZE + STORE_STATE_MAX];
	size_t len = encode(bytes, state);
	int rc = file_write_new(&file, files, FILES_STATE, bytes, len, err);

	if (rc)
		return rc;
	file_close(&file);
	rc = vars_hold(vars, err);
	return rc ? rc : install_new(files, err);
}

int
statefile_remove(const struct vars *vars, struct error *err)
{
	struct files *files = vars->files;
	int rc = files->ops->remove(files, FILES_STATE, false);

	return rc ? error_errno(err, -rc, "%s", files->name[FILES_STATE]) : 0;
}

static int
check_content(const char *path, const uint8_t *bytes, size_t size,
	      struct error *err)
{
	if (size < HEADER_SIZE || memcmp(bytes, MAGIC, 8) != 0 ||
	    get_le32(bytes + LENGTH) != size - HEADER_SIZE ||
	    bytes[LENGTH - 1] != '\0' ||
	    get_le32(bytes + CRC) !=
		    checksum(bytes, bytes + HEADER_SIZE, size - HEADER_SIZE))
		return error_set(err, EUCLEAN,
				 "%s: damaged: restore it from a backup, or "
				 "remove it (this also resets the flash's "
				 "protection register)",
				 path);
	return 0;
}

static int
read_content(const struct file *file, struct store_state *state,
	     struct error *err)
{
	uint8_t bytes[HEADER_SIZE + STORE_STATE_MAX];
	struct stat st;
	size_t size;
	int rc = file_stat(file, &st, err);

	if (rc)
		return rc;
	/* If the file is too large, the check of its length fails. */
	size = st.st_size > (off_t)sizeof(bytes) ? sizeof(bytes) :
						   (size_t)st.st_size;
	rc = file_read(file, bytes, size, 0, err);
	if (!rc)
		rc = check_content(file->path, bytes, size, err);
	if (rc)
		return rc;
	memcpy(state->tag, bytes + TAG, STORE_TAG_SIZE);
	state->len = size - HEADER_SIZE;
	memcpy(state->record, bytes + HEADER_SIZE, state->len);
	return 0;
}

int
statefile_read(const struct vars *vars, struct store_state *state,
	       struct error *err)
{
	struct file file = { .sys = vars->file.sys };
	int rc = file_open(&file, vars->files, FILES_STATE, false, err);

	state->len = 0;
	state->tag[0] = '\0';
	if (!rc)
		rc = read_content(&file, state, err);
	else if (rc == -ENOENT)
		rc = 0;
	file_close(&file);
	return rc;
}

int
statefile_checksum(const struct vars *vars, uint32_t *sum, struct error *err)
{
	struct store_state state;
	uint8_t bytes[HEADER_SIZE + STORE_STATE_MAX];
	size_t len;
	int rc = statefile_read(vars, &state, err);

	*sum = 0;
	if (rc)
		return rc;
	len = encode(bytes, &state);
	*sum = crc32c(0, bytes, len);
	return 0;
}
