/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts an image into VARS, whatever VARS and the journal hold.
 *
 * The order, for a crash at any call: the new VARS file is complete under
 * another name; the files that are to be replaced are kept; the new VARS gets
 * the name; then the new journal.  Until the new journal has its name, the old
 * one is intact, and the function can be called again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compose.h"
#include "journal.h"
#include "lock.h"
#include "vars.h"

#include "pflash/store.h"

struct rescue {
	struct vars vars; /* the file is not open if it is missing */
	struct file new;  /* the new VARS file */
	struct journal journal;
	struct scan scan;
	uint8_t *bytes; /* of the journal; NULL: there is none */
	size_t len;
	const uint8_t *image;
	uint32_t size;
	off_t length; /* of VARS */
	struct store_kept *kept;
};

static bool
is_device(const struct rescue *rescue)
{
	return rescue->vars.file.fd >= 0 && S_ISBLK(rescue->vars.stat.st_mode);
}

static int
open_vars(struct rescue *rescue, struct error *err)
{
	struct vars *vars = &rescue->vars;
	int rc = file_open(&vars->file, vars->files, FILES_VARS, true, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = lock_file(&vars->file, vars->files, F_WRLCK, err);
	if (!rc)
		rc = vars_check_kind(vars, err);
	if (rc)
		return rc;
	rescue->length = vars_length(vars);
	if (rescue->length < 0)
		return error_errno(err, (int)-rescue->length, "%s",
				   vars->file.path);
	if (is_device(rescue) && rescue->length < (off_t)rescue->size)
		return error_set(err, EINVAL, "%s: has %lld bytes, not %u",
				 vars->file.path, (long long)rescue->length,
				 rescue->size);
	return 0;
}

/* Damage is no error here: `scan` then describes the records before it. */
static int
open_journal(struct rescue *rescue, struct error *err)
{
	struct error damage;
	int rc = journal_open(&rescue->journal, rescue->vars.file.sys,
			      rescue->vars.files, true, err);

	if (rc == -ENOENT && rescue->vars.file.fd >= 0)
		return 0;
	if (!rc)
		rc = journal_read(&rescue->journal, &rescue->bytes,
				  &rescue->len, err);
	if (!rc)
		(void)scan_journal(&rescue->scan, rescue->bytes, rescue->len,
				   rescue->journal.file.path, &damage);
	return rc;
}

/* Keeps a copy of a file that is not renamed. */
static int
keep_copy(struct rescue *rescue, enum files_role role, const uint8_t *bytes,
	  size_t len, char **name, struct error *err)
{
	struct files *files = rescue->vars.files;
	struct file copy = { .sys = rescue->vars.file.sys, .fd = -1 };
	int rc = file_write_new(&copy, files, FILES_JOURNAL, bytes, len, err);

	if (rc)
		return rc;
	file_close(&copy);
	rc = files->ops->keep(files, role, true, name);
	if (!rc)
		return 0;
	(void)files->ops->remove(files, FILES_JOURNAL, true);
	return error_errno(err, -rc, "%s: cannot be kept", files->name[role]);
}

/* True if VARS has the image, and nothing else. */
static bool
has_image(const struct rescue *rescue, struct error *err)
{
	uint8_t *now;
	bool same;

	if (rescue->vars.file.fd < 0 ||
	    (!is_device(rescue) && rescue->length != (off_t)rescue->size))
		return false;
	now = vars_alloc(rescue->size);
	same = now &&
	       !file_read(&rescue->vars.file, now, rescue->size, 0, err) &&
	       !memcmp(now, rescue->image, rescue->size);
	free(now);
	return same;
}

/* Writes the image into the block device, and keeps a copy of the old one. */
static int
write_device(struct rescue *rescue, struct error *err)
{
	uint8_t *old = vars_alloc(rescue->size);
	int rc = old ? file_read(&rescue->vars.file, old, rescue->size, 0,
				 err) :
		       error_set(err, ENOMEM, "out of memory");

	if (!rc)
		rc = keep_copy(rescue, FILES_VARS, old, rescue->size,
			       &rescue->kept->vars, err);
	free(old);
	rescue->vars.size = rescue->size;
	return rc ? rc : vars_settle(&rescue->vars, rescue->image, err);
}

/*
 * Renames the VARS file that is there.  The program that wrote it may not have
 * synced it; what is kept must outlive a power failure.
 */
static int
keep_vars(struct rescue *rescue, struct error *err)
{
	struct files *files = rescue->vars.files;
	int rc = file_sync(&rescue->vars.file, err);

	if (rc)
		return rc;
	rc = files->ops->keep(files, FILES_VARS, false, &rescue->kept->vars);
	return rc ? error_errno(err, -rc, "%s", files->name[FILES_VARS]) : 0;
}

/* Gives the new VARS file the name, after the old one has been renamed. */
static int
install_vars(struct rescue *rescue, struct error *err)
{
	struct files *files = rescue->vars.files;
	bool named;
	int rc = lock_file(&rescue->new, files, F_WRLCK, err);

	if (!rc && rescue->vars.file.fd >= 0)
		rc = keep_vars(rescue, err);
	if (rc)
		return rc;
	rc = files->ops->install(files, FILES_VARS, false, &named);
	return rc ? error_errno(err, -rc, "%s", files->name[FILES_VARS]) : 0;
}

static int
write_vars(struct rescue *rescue, struct error *err)
{
	struct files *files = rescue->vars.files;
	int rc;

	if (has_image(rescue, err)) {
		rescue->vars.size = rescue->size;
		return vars_settle(&rescue->vars, rescue->image, err);
	}
	if (is_device(rescue))
		return write_device(rescue, err);
	rescue->new.sys = rescue->vars.file.sys;
	rc = file_write_new(&rescue->new, files, FILES_VARS, rescue->image,
			    rescue->size, err);
	if (rc)
		return rc;
	rc = install_vars(rescue, err);
	if (rc)
		(void)files->ops->remove(files, FILES_VARS, true);
	return rc;
}

/* With `inherit` keeps the history; -EUCLEAN: none can be read. */
static int
compose(struct rescue *rescue, const struct store_config *config, bool inherit,
	uint8_t **bytes, struct scan *scan, struct error *err)
{
	const struct store_history some = { .bytes = STORE_HISTORY_BYTES };
	const struct recovery old = {
		.scan = &rescue->scan,
		.journal = rescue->bytes,
		.vars_path = rescue->vars.files->name[FILES_VARS],
		.journal_path = rescue->vars.files->name[FILES_JOURNAL],
	};
	const struct composition in = {
		.old = inherit ? &old : NULL,
		.history = config->history ? config->history : &some,
		.image = rescue->image,
		.size = rescue->size,
		.adopt = true,
	};

	if (inherit && (!rescue->bytes || !rescue->scan.snapshot ||
			rescue->scan.image_size != rescue->size))
		return -EUCLEAN;
	return compose_journal(&in, bytes, scan, err);
}

static int
write_files(struct rescue *rescue, const struct store_config *config,
	    struct error *err)
{
	struct scan scan;
	uint8_t *bytes = NULL;
	bool all = rescue->scan.whole && !rescue->scan.dropped, renamed;
	int rc = compose(rescue, config, true, &bytes, &scan, err);

	if (rc == -EUCLEAN) {
		all = false;
		rc = compose(rescue, config, false, &bytes, &scan, err);
	}
	if (!rc && rescue->bytes && !all)
		rc = keep_copy(rescue, FILES_JOURNAL, rescue->bytes,
			       rescue->len, &rescue->kept->journal, err);
	if (!rc)
		rc = write_vars(rescue, err);
	if (!rc)
		rc = journal_replace(&rescue->journal, NULL, bytes, &scan,
				     &renamed, err);
	free(bytes);
	return rc;
}

/* A device has no place for files that are kept. */
static int
refuse_place(const struct vars *vars, struct error *err)
{
	const char *path = vars->files->name[FILES_VARS];

	return error_set(err, ENOTSUP,
			 "%s: a complete device cannot keep what it would "
			 "lose: copy it to a file with dd, which works as it "
			 "does, choose an image with `pflashctl log` and "
			 "`pflashctl export --at` from the file, and prepare "
			 "the device with `pflashctl create --device --reset "
			 "--template IMAGE`",
			 path);
}

static void
rescue_close(struct rescue *rescue)
{
	file_close(&rescue->new);
	journal_close(&rescue->journal);
	vars_close(&rescue->vars);
	free(rescue->bytes);
}

int
store_rescue(const struct store_config *config, const uint8_t *image,
	     uint32_t size, struct store_kept *kept, struct error *err)
{
	struct rescue rescue = {
		.new.fd = -1,
		.journal.file.fd = -1,
		.image = image,
		.size = size,
		.kept = kept,
	};
	int rc;

	*kept = (struct store_kept){ .vars = NULL };
	rc = vars_init(&rescue.vars, config, err);
	if (!rc && (!size || size > STORE_MAX_SIZE || size % BLOCK_SIZE))
		rc = error_set(err, EINVAL, "%s: an image of %u bytes",
			       rescue.vars.files->name[FILES_VARS], size);
	if (!rc && !rescue.vars.files->ops->keep)
		rc = refuse_place(&rescue.vars, err);
	if (!rc)
		rc = open_vars(&rescue, err);
	if (!rc)
		rc = open_journal(&rescue, err);
	if (!rc)
		rc = write_files(&rescue, config, err);
	rescue_close(&rescue);
	return rc;
}

void
store_kept_free(struct store_kept *kept)
{
	free(kept->vars);
	free(kept->journal);
}
