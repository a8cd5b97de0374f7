/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VARS file that something else has changed: the journal is made to agree
 * with it.  The file itself is not written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accept.h"
#include "compose.h"
#include "journal.h"
#include "vars.h"

#include "pflash/store.h"

struct files {
	struct vars vars;
	struct journal journal;
	uint8_t *image, *replayed, *bytes;
	struct scan scan;
};

static int
read_files(struct files *files, const struct store_config *config,
	   struct error *err)
{
	size_t len;
	int rc = vars_open(&files->vars, config, VARS_WRITE, err);

	if (!rc)
		rc = journal_open(&files->journal, files->vars.file.sys,
				  files->vars.journal, O_RDWR, err);
	if (rc)
		return rc;
	files->image = vars_alloc(files->vars.size);
	files->replayed = vars_alloc(files->vars.size);
	if (!files->image || !files->replayed)
		return error_set(err, ENOMEM, "out of memory");
	rc = vars_read(&files->vars, files->image, err);
	if (!rc)
		rc = journal_read(&files->journal, &files->bytes, &len, err);
	return rc ? rc :
		    scan_journal(&files->scan, files->bytes, len,
				 files->journal.path, err);
}

static int
adopt(struct files *files, const struct recovery *old,
      const struct store_config *config, struct error *err)
{
	const struct store_history some = { .bytes = STORE_HISTORY_BYTES };
	const struct composition in = {
		.old = old,
		.history = config->history ? config->history : &some,
		.image = files->image,
		.size = files->vars.size,
		.adopt = true,
	};
	struct scan scan;
	uint8_t *bytes;
	bool renamed;
	int rc = vars_settle(&files->vars, files->image, err);

	if (!rc)
		rc = compose_journal(&in, &bytes, &scan, err);
	if (rc)
		return rc;
	rc = journal_replace(&files->journal, bytes, &scan, &files->vars.stat,
			     &renamed, err);
	free(bytes);
	return rc;
}

static int
accept_files(struct files *files, const struct store_config *config,
	     bool any_size, bool *changed, struct error *err)
{
	const struct recovery old = {
		.scan = &files->scan,
		.journal = files->bytes,
		.vars_path = files->vars.path,
		.journal_path = files->journal.path,
	};
	int rc;

	memcpy(files->replayed, files->image, files->vars.size);
	rc = recover_image(&old, files->replayed, files->vars.size, NULL, err);
	if (rc != -EUCLEAN ||
	    (files->scan.image_size != files->vars.size && !any_size))
		return rc;
	*changed = true;
	/* The history of a flash of another size is none of this one. */
	return adopt(files,
		     files->scan.image_size == files->vars.size ? &old : NULL,
		     config, err);
}

int
store_accept(const struct store_config *config, bool *changed,
	     struct error *err)
{
	return accept_any(config, false, changed, err);
}

int
accept_any(const struct store_config *config, bool any_size, bool *changed,
	   struct error *err)
{
	struct files files = { .journal.file.fd = -1 };
	int rc;

	*changed = false;
	rc = read_files(&files, config, err);
	if (!rc)
		rc = accept_files(&files, config, any_size, changed, err);
	else if (rc == -ENOENT && files.vars.path)
		rc = 0; /* without a journal there is nothing to agree with */
	journal_close(&files.journal);
	if (files.vars.path)
		vars_close(&files.vars);
	free(files.image);
	free(files.replayed);
	free(files.bytes);
	return rc;
}
