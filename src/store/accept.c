/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accepts a VARS file that was modified outside pflashd: writes a new journal
 * that matches the file.  The file itself is not written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accept.h"
#include "compose.h"
#include "journal.h"
#include "superblock.h"
#include "vars.h"

#include "pflash/store.h"

struct both {
	struct vars vars;
	struct journal journal;
	uint8_t *image, *replayed, *bytes;
	struct scan scan;
};

static int
read_files(struct both *both, const struct store_config *config,
	   struct error *err)
{
	size_t len;
	int rc = vars_open(&both->vars, config, VARS_WRITE, err);

	if (!rc)
		rc = journal_open(&both->journal, both->vars.file.sys,
				  both->vars.files, true, err);
	if (rc)
		return rc;
	both->image = vars_alloc(both->vars.size);
	both->replayed = vars_alloc(both->vars.size);
	if (!both->image || !both->replayed)
		return error_set(err, ENOMEM, "out of memory");
	rc = vars_read(&both->vars, both->image, err);
	if (!rc)
		rc = journal_read(&both->journal, &both->bytes, &len, err);
	return rc ? rc :
		    scan_journal(&both->scan, both->bytes, len,
				 both->journal.file.path, err);
}

static int
adopt(struct both *both, const struct recovery *old,
      const struct store_config *config, struct error *err)
{
	struct store_history history = { .bytes = STORE_HISTORY_BYTES };
	const struct composition in = {
		.old = old,
		.history = &history,
		.image = both->image,
		.size = both->vars.size,
		.adopt = true,
	};
	struct scan scan;
	uint8_t *bytes;
	bool renamed;
	int rc = vars_settle(&both->vars, both->image, err);

	if (config->history)
		history = *config->history;
	superblock_fit_history(both->vars.files, both->vars.size,
			       superblock_burst_most(both->vars.size),
			       STORE_JOURNAL_LIMIT, &history);
	if (!rc)
		rc = compose_journal(&in, &bytes, &scan, err);
	if (rc)
		return rc;
	rc = journal_replace(&both->journal, &both->vars, bytes, &scan,
			     &renamed, err);
	free(bytes);
	return rc;
}

static int
accept_files(struct both *both, const struct store_config *config,
	     bool any_size, bool *changed, struct error *err)
{
	const struct recovery old = {
		.scan = &both->scan,
		.journal = both->bytes,
		.vars_path = both->vars.file.path,
		.journal_path = both->journal.file.path,
	};
	int rc;

	memcpy(both->replayed, both->image, both->vars.size);
	rc = recover_image(&old, both->replayed, both->vars.size, NULL, err);
	if (rc != -EUCLEAN ||
	    (both->scan.image_size != both->vars.size && !any_size))
		return rc;
	*changed = true;
	/* Images of another size cannot be in this file's history. */
	return adopt(both,
		     both->scan.image_size == both->vars.size ? &old : NULL,
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
	struct both both = { .journal.file.fd = -1 };
	int rc;

	*changed = false;
	rc = read_files(&both, config, err);
	if (!rc)
		rc = accept_files(&both, config, any_size, changed, err);
	else if (rc == -ENOENT && both.vars.files)
		rc = 0; /* without a journal, any VARS file is accepted */
	journal_close(&both.journal);
	vars_close(&both.vars);
	free(both.image);
	free(both.replayed);
	free(both.bytes);
	return rc;
}
