/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crc32c.h"
#include "lock.h"
#include "movenote.h"
#include "scan.h"
#include "vars.h"

#include "pflash/identify.h"
#include "pflash/le.h"
#include "pflash/store.h"

/*
 * Two VARS files can be given the same --journal; the lock on VARS does not
 * prevent that, the lock on the journal does.  If the journal has lost its name
 * before it is locked, another process has replaced it and owns the new one.
 */
static int
lock_journal(const struct journal *journal, struct error *err)
{
	struct stat st;
	int rc = lock_file(&journal->file, journal->files, F_WRLCK, err);

	if (!rc)
		rc = file_stat(&journal->file, &st, err);
	if (!rc && st.st_nlink == 0)
		rc = error_set(err, EBUSY, "%s: in use by another process",
			       journal->file.path);
	return rc;
}

/*
 * A host that has lost the lock on VARS may still be about to rename one of
 * them: without the file it cannot.  docs/format.md, "Two hosts".
 */
static int
drop_unfinished(struct files *files, struct error *err)
{
	static const enum files_role roles[] = { FILES_JOURNAL, FILES_STATE };

	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
		int rc = files->ops->remove(files, roles[i], true);

		/* A directory in its place is never renamed over a file. */
		if (rc && rc != -EISDIR)
			return error_errno(err, -rc,
					   "%s: remove the unfinished file",
					   files->name[roles[i]]);
	}
	return 0;
}

int
journal_open(struct journal *journal, const struct sys *sys,
	     struct files *files, bool write, struct error *err)
{
	int rc;

	*journal = (struct journal){ .file.sys = sys, .files = files };
	journal->file.fd = -1;
	rc = write ? drop_unfinished(files, err) : 0;
	if (!rc)
		rc = file_open(&journal->file, files, FILES_JOURNAL, write,
			       err);
	if (!rc && write)
		rc = lock_journal(journal, err);
	if (rc)
		journal_close(journal);
	return rc;
}

void
journal_close(struct journal *journal)
{
	file_close(&journal->file);
}

/*
 * A file of another kind is no damaged journal: no repair may replace it.  The
 * start of the magic alone is a journal that was cut there.
 */
static int
check_kind(const struct journal *journal, const uint8_t *bytes, size_t len,
	   struct error *err)
{
	struct identity identity;

	if (!len || movenote_has_magic(bytes, len) ||
	    !memcmp(bytes, JOURNAL_MAGIC, len < 8 ? len : 8))
		return 0;
	identify_image(bytes, len, &identity);
	if (identity.kind != IDENTITY_VARS && !identity_is_foreign(&identity))
		return 0;
	return error_set(err, EINVAL,
			 "%s: is not a journal, but a file of another kind "
			 "(%s): name the journal of this VARS file, or a new "
			 "one",
			 journal->file.path, identity_name(&identity));
}

static bool
takes_note(const struct store_config *config, const struct movenote *note)
{
	bool back = note->kind == MOVENOTE_BACK;

	return ((back || note->kind == MOVENOTE_ARRIVED) &&
		config->takes_arrived) ||
	       ((back || note->kind == MOVENOTE_LENT) && config->takes_lent);
}

/* Replaces the note by its journal, if this flash may be taken. */
static void
take_journal(const struct store_config *config, uint32_t *noted,
	     uint8_t **bytes, size_t *len)
{
	struct movenote note;

	if (!config || !movenote_decode(&note, *bytes, *len) ||
	    !takes_note(config, &note))
		return;
	*noted = note.kind;
	*len = note.journal_len;
	memmove(*bytes, note.journal, note.journal_len);
	if (*len)
		return;
	free(*bytes);
	*bytes = NULL;
}

int
journal_read_noted(const struct journal *journal,
		   const struct store_config *config, uint32_t *noted,
		   uint8_t **bytes, size_t *len, struct error *err)
{
	int rc = file_read_all(&journal->file, bytes, len, err);

	*noted = 0;
	if (!rc && journal->file.place.room)
		*len = scan_length(*bytes, *len);
	if (!rc)
		take_journal(config, noted, bytes, len);
	if (!rc && !*noted)
		rc = movenote_refuse(*bytes, *len, journal->files, err);
	if (!rc && !*noted)
		rc = check_kind(journal, *bytes, *len, err);
	if (rc) {
		free(*bytes);
		*bytes = NULL;
	}
	return rc;
}

int
journal_read(const struct journal *journal, uint8_t **bytes, size_t *len,
	     struct error *err)
{
	uint32_t noted;

	return journal_read_noted(journal, NULL, &noted, bytes, len, err);
}

static void
adopt_scan(struct journal *journal, const struct scan *scan)
{
	journal->salt = scan->salt;
	journal->sequence = scan->sequence;
	journal->chain = scan->chain;
	journal->length = scan->end;
	journal->history_start = scan->history_start;
	journal->done = scan->done;
}

int
journal_resume(struct journal *journal, const uint8_t *bytes,
	       const struct scan *scan, struct error *err)
{
	int rc;

	adopt_scan(journal, scan);
	rc = file_truncate(&journal->file, scan->end, scan->end + scan->dropped,
			   err);
	if (!rc)
		rc = file_write(&journal->file, bytes, scan->end, 0, err);
	return rc ? rc : journal_sync(journal, err);
}

/*
 * Notes an end that the journal will have next.  A process that dies while it
 * stores it has not begun to make that end.
 */
static void
note_next(struct journal *journal, uint64_t sequence, uint32_t chain)
{
	struct store_trail *trail = journal->trail;
	unsigned int next = !journal->noted;

	if (!trail)
		return;
	trail->end[next].sequence = sequence;
	trail->end[next].chain = chain;
	atomic_signal_fence(memory_order_seq_cst);
}

void
journal_note(struct journal *journal)
{
	if (!journal->sequence)
		return;
	note_next(journal, journal->sequence, journal->chain);
	journal->noted = !journal->noted;
}

/* Opens the old journal, `was`, again after a failed rename. */
static int
reopen_old(struct journal *journal, const struct stat *was, struct error *err)
{
	struct stat st;
	int rc = file_open(&journal->file, journal->files, FILES_JOURNAL, true,
			   err);

	if (!rc)
		rc = lock_journal(journal, err);
	if (!rc)
		rc = file_stat(&journal->file, &st, err);
	if (!rc && st.st_ino != was->st_ino)
		rc = error_set(err, EBUSY,
			       "%s: was replaced by another process",
			       journal->file.path);
	if (rc)
		journal_close(journal);
	return rc;
}

/*
 * Renames the new file, and uses it if it has got the name.  The old file is
 * closed before: the client of NFS gives a file that it has open another name
 * first, which would also take away the name of a file of another host.
 */
static int
name_new(struct journal *journal, struct file *new, bool *replaced,
	 struct error *err)
{
	struct files *files = journal->files;
	bool replace = journal->file.fd >= 0;
	bool place = journal->file.place.room > 0;
	struct stat was = { .st_ino = 0 };
	struct error why;
	int rc = replace && !place ? file_stat(&journal->file, &was, err) : 0;

	if (rc)
		return rc;
	if (!place)
		journal_close(journal);
	rc = files->ops->install(files, FILES_JOURNAL, replace, replaced);
	if (rc)
		error_errno(err, -rc, "%s", new->path);
	if (*replaced) {
		journal_close(journal);
		journal->file = *new;
		new->fd = -1;
		return rc;
	}
	(void)files->ops->remove(files, FILES_JOURNAL, true);
	if (!replace || place || !reopen_old(journal, &was, &why))
		return rc;
	*err = why;
	*replaced = true;
	return rc;
}

int
journal_replace(struct journal *journal, const struct vars *vars,
		const uint8_t *bytes, const struct scan *scan, bool *replaced,
		struct error *err)
{
	struct files *files = journal->files;
	struct file new = {
		.sys = journal->file.sys,
		.fd = -1,
		.stats = journal->file.stats,
	};
	int rc = file_write_new(&new, files, FILES_JOURNAL, bytes, scan->end,
				err);

	*replaced = false;
	if (rc)
		return rc;
	rc = lock_file(&new, files, F_WRLCK, err);
	note_next(journal, scan->sequence, scan->chain);
	if (!rc && vars && journal->file.fd >= 0)
		rc = vars_hold(vars, err);
	if (!rc)
		rc = name_new(journal, &new, replaced, err);
	file_close(&new);
	if (rc)
		return rc;
	adopt_scan(journal, scan);
	journal->durable = journal->sequence;
	journal->noted = !journal->noted;
	return 0;
}

void
journal_encode_header(uint8_t *p, uint64_t image_size, uint64_t salt,
		      uint64_t first)
{
	memset(p, 0, JOURNAL_HEADER_SIZE);
	memcpy(p, JOURNAL_MAGIC, 8);
	put_le32(p + 8, JOURNAL_VERSION);
	put_le32(p + 12, JOURNAL_HEADER_SIZE);
	put_le64(p + 16, image_size);
	put_le64(p + 24, salt);
	put_le64(p + 32, first);
	put_le32(p + 60, crc32c(0, p, 60));
}

uint64_t
journal_time(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now))
		return 0;
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void
journal_encode_record(uint8_t *p, const struct record_header *header)
{
	memcpy(p, RECORD_MAGIC, 4);
	put_le32(p + 4, header->type);
	put_le64(p + 8, header->salt);
	put_le64(p + 16, header->sequence);
	put_le64(p + 24, header->durable);
	put_le64(p + 32, header->time);
	put_le32(p + 40, header->length);
	put_le32(p + 44, crc32c(0, p, 44));
}

uint32_t
journal_chain(uint32_t chain, const uint8_t *record, uint32_t length)
{
	chain = crc32c(chain, record, RECORD_HEADER_SIZE - 4);
	return crc32c(chain, record + RECORD_HEADER_SIZE, length);
}

int
journal_append(struct journal *journal, enum record_type type, uint8_t *record,
	       uint32_t length, struct error *err)
{
	const struct record_header header = {
		.type = type,
		.salt = journal->salt,
		.sequence = journal->sequence + 1,
		.durable = journal->durable,
		.time = journal_time(),
		.length = length,
	};
	size_t body = RECORD_HEADER_SIZE + (size_t)length;
	uint32_t chain;
	int rc;

	journal_encode_record(record, &header);
	chain = journal_chain(journal->chain, record, length);
	put_le32(record + body, chain);
	note_next(journal, header.sequence, chain);
	rc = file_write(&journal->file, record, body + RECORD_CHAIN_SIZE,
			journal->length, err);
	if (rc)
		return rc;
	journal->sequence++;
	journal->noted = !journal->noted;
	journal->chain = chain;
	journal->length += body + RECORD_CHAIN_SIZE;
	if (type == RECORD_DONE)
		journal->done = journal->length;
	return 0;
}

int
journal_sync(struct journal *journal, struct error *err)
{
	int rc = file_sync(&journal->file, err);

	if (!rc)
		journal->durable = journal->sequence;
	return rc;
}
