/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moves and clones a flash.  Two file systems cannot be changed in one step, so
 * a note in the place of a journal (movenote.h) says which of two VARS files is
 * the flash:
 *
 * 1. NEW.journal becomes the note "arriving from OLD".  NEW.state and NEW.pins,
 *    and VARS and journal without their final names, are written and synced.
 * 2. OLD.journal becomes the note "departed to NEW", which also has the old
 *    journal.  From here on NEW is the flash.
 * 3. NEW.next becomes the queue of OLD, VARS gets the name NEW, and then the
 *    journal the name NEW.journal.
 * 4. OLD, OLD.state, OLD.pins, OLD.next and OLD.journal are removed, the note
 *    at last.
 *
 * Each step is durable before the next one.  Up to the end of step 2 OLD is
 * whole and its readers accept it; from the end of step 3 on NEW is.  Between
 * them each refuses and names the other.  The same call again continues after
 * step 2, or starts anew before it.  After step 3 the note "arriving" is gone:
 * that it is gone shows that the move needs only step 4.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"
#include "journal.h"
#include "lock.h"
#include "movenote.h"
#include "parcel.h"
#include "queue.h"
#include "vars.h"

#include "pflash/reader.h"
#include "pflash/store.h"

struct moving {
	struct vars old, new;
	struct journal journal; /* of OLD */
	struct file arrival;    /* the new journal, without its name */
	struct file queue;      /* OLD.next, locked until the end */
	struct content image;   /* of the file OLD; NULL: it is gone */
	struct content records; /* the journal of OLD, or a note */
	struct content state;   /* OLD.state */
	struct content pins;    /* OLD.pins */
	struct content real;    /* within `records`: the journal to move */
	bool departed;          /* step 2 is complete */
	bool arriving;          /* step 1 was begun, step 3 is not complete */
	bool named;             /* NEW has its name */
	bool journalled;        /* NEW has a journal, or this note */
};

static const char *
name_of(const struct vars *vars, enum files_role role)
{
	return vars->files->name[role];
}

/* --- before step 1: both places --- */

/* Both places in one, or a file that would have to be in two flashes. */
static int
check_apart(const struct moving *m, struct error *err)
{
	for (unsigned int a = 0; a < FILES_ROLES; a++)
		for (unsigned int b = 0; b < FILES_ROLES; b++)
			if (strcmp(name_of(&m->old, a), name_of(&m->new, b)) ==
			    0)
				return error_set(err, EINVAL,
						 "%s: belongs to the flash "
						 "here: the new place needs "
						 "other names",
						 name_of(&m->old, a));
	return 0;
}

/*
 * Reads the file OLD, and syncs it first: the program that wrote it may not
 * have done that, and check_named() compares the file with its copy after a
 * power failure.
 */
static int
read_old_vars(struct moving *m, struct error *err)
{
	int rc;

	if (S_ISBLK(m->old.stat.st_mode) || m->old.file.place.room)
		return error_set(err, EINVAL,
				 "%s: a block device is not moved: `pflashctl "
				 "send | pflashctl receive` takes the flash to "
				 "another place, `pflashctl export` writes its "
				 "image to a file",
				 m->old.file.path);
	if (m->old.stat.st_nlink > 1)
		return error_set(err, EMLINK,
				 "%s: has %lu names (hard links), and the "
				 "others would stay here without the journal: "
				 "remove them first",
				 m->old.file.path,
				 (unsigned long)m->old.stat.st_nlink);
	rc = file_sync(&m->old.file, err);
	if (rc)
		return rc;
	m->image.len = m->old.size;
	m->image.bytes = vars_alloc(m->old.size);
	if (!m->image.bytes)
		return error_set(err, ENOMEM, "out of memory");
	return vars_read(&m->old, m->image.bytes, err);
}

/* Opens and locks OLD, which is gone if step 4 was interrupted. */
static int
open_old(struct moving *m, const struct store_config *from, struct error *err)
{
	struct error why;
	int rc = vars_open(&m->old, from, VARS_WRITE, &why);

	if (rc == -ENOENT) {
		rc = vars_init(&m->old, from, err);
		return rc ? rc : 0;
	}
	if (rc) {
		if (err)
			*err = why;
		return rc;
	}
	return read_old_vars(m, err);
}

/* Reads and locks the journal of OLD, and takes it out of a note. */
static int
read_old_journal(struct moving *m, struct error *err)
{
	struct movenote note;
	int rc = journal_open(&m->journal, m->old.file.sys, m->old.files, true,
			      err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = file_read_all(&m->journal.file, &m->records.bytes, &m->records.len,
			   err);
	if (rc)
		return rc;
	m->real = m->records;
	if (!movenote_decode(&note, m->records.bytes, m->records.len))
		return 0;
	if (!movenote_is(&note, MOVENOTE_DEPARTED, m->new.files))
		return movenote_refuse(m->records.bytes, m->records.len,
				       m->old.files, err);
	m->departed = true;
	m->real = (struct content){
		.bytes = note.journal_len ?
				 m->records.bytes +
					 (note.journal - m->records.bytes) :
				 NULL,
		.len = note.journal_len,
	};
	return 0;
}

static int
load_old(struct moving *m, const struct store_config *from, struct error *err)
{
	int rc = open_old(m, from, err);

	if (!rc)
		rc = check_apart(m, err);
	if (!rc)
		rc = read_old_journal(m, err);
	if (!rc && !m->image.bytes && !m->departed)
		rc = error_errno(err, ENOENT, "%s",
				 name_of(&m->old, FILES_VARS));
	if (!rc && m->image.bytes)
		rc = parcel_check(&m->old, &m->image, &m->real, err);
	if (!rc)
		rc = parcel_read_role(&m->old, FILES_STATE, &m->state, err);
	if (!rc)
		rc = parcel_read_role(&m->old, FILES_PINS, &m->pins, err);
	return rc;
}

/* Does NEW exist, and is the note of this move in the place of its journal? */
static int
look_at_new(struct moving *m, struct error *err)
{
	struct content journal = { .bytes = NULL };
	struct file vars = { .sys = m->new.file.sys };
	struct movenote note;
	int rc = file_open(&vars, m->new.files, FILES_VARS, false, err);

	m->named = rc == 0;
	if (!rc)
		file_close(&vars);
	if (rc && rc != -ENOENT)
		return rc;
	rc = parcel_read_role(&m->new, FILES_JOURNAL, &journal, err);
	m->journalled = journal.bytes != NULL;
	m->arriving = journal.bytes &&
		      movenote_decode(&note, journal.bytes, journal.len) &&
		      movenote_is(&note, MOVENOTE_ARRIVING, m->old.files);
	free(journal.bytes);
	return rc;
}

/* The file NEW of an interrupted step 3 is an unused copy of OLD. */
static int
check_named(const struct moving *m, struct error *err)
{
	struct content now = { .bytes = NULL };
	int rc = m->image.bytes ?
			 parcel_read_role(&m->new, FILES_VARS, &now, err) :
			 0;

	if (!rc && now.bytes &&
	    (now.len != m->image.len ||
	     memcmp(now.bytes, m->image.bytes, now.len) != 0))
		rc = error_set(err, EEXIST,
			       "%s: File exists, and is not the one that is "
			       "moved here: rename it",
			       name_of(&m->new, FILES_VARS));
	free(now.bytes);
	return rc;
}

/*
 * After step 2: without the note "arriving" the move was complete except for
 * step 4.  If a file of NEW is missing all the same, nothing may be removed.
 */
static int
check_arrived(const struct moving *m, struct error *err)
{
	const char *old = name_of(&m->old, FILES_VARS);
	char *command;

	if (m->arriving && m->named)
		return check_named(m, err);
	if (m->arriving || (m->named && (m->journalled || !m->real.bytes)))
		return 0;
	command = movenote_forget(m->old.files);
	error_set(err, ENOENT,
		  "%s: does not exist, but the flash was moved there: mount "
		  "its file system; if it is lost, `%s` "
		  "returns to what is left here; if it was moved on or "
		  "deleted, remove %s and %s",
		  name_of(&m->new, m->named ? FILES_JOURNAL : FILES_VARS),
		  command ? command : "pflashctl forget", old,
		  name_of(&m->old, FILES_JOURNAL));
	free(command);
	return -ENOENT;
}

static int
check_new(struct moving *m, struct error *err)
{
	int rc = look_at_new(m, err);

	if (rc)
		return rc;
	if (m->departed)
		return check_arrived(m, err);
	if (!m->arriving)
		return create_check_free(&m->new, err);
	if (m->named)
		return error_errno(err, EEXIST, "%s",
				   name_of(&m->new, FILES_VARS));
	return 0;
}

/* --- step 1 --- */

/*
 * Writes the unfinished file of a role and locks it: the lock stays with the
 * file when it gets its name.
 */
static int
write_new(const struct moving *m, struct file *file, enum files_role role,
	  const struct content *content, struct error *err)
{
	int rc;

	*file = (struct file){ .sys = m->new.file.sys, .fd = -1 };
	rc = file_write_new(file, m->new.files, role, content->bytes,
			    content->len, err);
	return rc ? rc : lock_file(file, m->new.files, F_WRLCK, err);
}

/*
 * Makes the note, with `journal` or NULL, the journal of `at`.  Sets *written
 * if the note is in its place, perhaps not durably.  Without `replace` only one
 * of two moves to the same place gets past this.
 */
static int
write_note(const struct vars *at, enum movenote_kind kind, bool replace,
	   const struct files *other, const struct content *journal,
	   bool *written, struct error *err)
{
	struct movenote note = movenote_about(kind, other);
	struct content content;
	bool renamed = false;
	int rc;

	note.journal = journal ? journal->bytes : NULL;
	note.journal_len = note.journal ? journal->len : 0;
	rc = movenote_encode(&note, &content.bytes, &content.len, err);
	if (!rc)
		rc = parcel_put_role(at, FILES_JOURNAL, replace, &content,
				     &renamed, err);
	*written = *written || renamed;
	free(content.bytes);
	return rc;
}

/* Writes a file that only a process with the lock on VARS changes. */
static int
write_beside(const struct moving *m, enum files_role role,
	     const struct content *content, struct error *err)
{
	struct files *files = m->new.files;
	bool renamed;
	int rc;

	if (content->bytes)
		return parcel_put_role(&m->new, role, true, content, &renamed,
				       err);
	rc = files_local_unlink(files, role);
	return rc ? error_errno(err, -rc, "%s", files->name[role]) : 0;
}

/* Writes what NEW needs except for the two names of step 3. */
static int
write_unnamed(struct moving *m, struct error *err)
{
	int rc = 0;

	if (!m->named && !m->image.bytes)
		return error_errno(err, ENOENT, "%s",
				   name_of(&m->old, FILES_VARS));
	if (!m->named)
		rc = write_new(m, &m->new.file, FILES_VARS, &m->image, err);
	if (!rc && m->real.bytes)
		rc = write_new(m, &m->arrival, FILES_JOURNAL, &m->real, err);
	return rc;
}

static void
remove_unfinished(const struct moving *m)
{
	struct files *files = m->new.files;

	(void)files->ops->remove(files, FILES_VARS, true);
	(void)files->ops->remove(files, FILES_JOURNAL, true);
}

/* The note goes last: it says that the files beside it mean nothing. */
static void
undo_step_1(const struct moving *m)
{
	struct files *files = m->new.files;

	if (m->arriving && files_local_unlink(files, FILES_STATE) == 0 &&
	    files_local_unlink(files, FILES_PINS) == 0)
		(void)files_local_unlink(files, FILES_JOURNAL);
}

static int
begin(struct moving *m, struct error *err)
{
	int rc;

	rc = write_note(&m->new, MOVENOTE_ARRIVING, m->arriving, m->old.files,
			NULL, &m->arriving, err);
	if (!rc)
		rc = write_beside(m, FILES_STATE, &m->state, err);
	if (!rc)
		rc = write_beside(m, FILES_PINS, &m->pins, err);
	if (!rc)
		rc = write_unnamed(m, err);
	if (!rc)
		rc = write_note(&m->old, MOVENOTE_DEPARTED, true, m->new.files,
				&m->real, &m->departed, err);
	return rc;
}

/* --- steps 3 and 4 --- */

/*
 * Moves a copy of the queue.  It has a lock of its own, because commands change
 * it while a process has the lock on VARS; they do not add to it any more since
 * there is the note in OLD.journal.  NEW is no flash yet, so that the copy can
 * be made again after a crash.
 */
static int
move_queue(struct moving *m, struct error *err)
{
	struct files *files = m->new.files;
	struct content content;
	bool renamed;
	int rc;

	m->queue.sys = m->old.file.sys;
	rc = queue_lock(&m->queue, m->old.files, true, err);
	if (rc == -ENOENT) {
		rc = files->ops->remove(files, FILES_NEXT, false);
		return rc ? error_errno(err, -rc, "%s",
					files->name[FILES_NEXT]) :
			    0;
	}
	if (!rc)
		rc = file_read_all(&m->queue, &content.bytes, &content.len,
				   err);
	if (rc)
		return rc;
	rc = parcel_put_role(&m->new, FILES_NEXT, true, &content, &renamed,
			     err);
	free(content.bytes);
	return rc;
}

static int
install(const struct moving *m, enum files_role role, bool replace,
	struct error *err)
{
	struct files *files = m->new.files;
	bool named;
	int rc = files->ops->install(files, role, replace, &named);

	return rc ? error_errno(err, -rc, "%s", files->name[role]) : 0;
}

static int
give_names(const struct moving *m, struct error *err)
{
	int rc = m->named ? 0 : install(m, FILES_VARS, false, err);

	if (rc)
		return rc;
	if (m->real.bytes)
		return install(m, FILES_JOURNAL, true, err);
	rc = files_local_unlink(m->new.files, FILES_JOURNAL);
	return rc ? error_errno(err, -rc, "%s",
				name_of(&m->new, FILES_JOURNAL)) :
		    0;
}

static int
remove_old(const struct moving *m, struct error *err)
{
	static const enum files_role order[] = { FILES_VARS, FILES_STATE,
						 FILES_PINS, FILES_NEXT,
						 FILES_JOURNAL };

	for (size_t i = 0; i < FILES_ROLES; i++) {
		int rc = files_local_unlink(m->old.files, order[i]);

		if (rc)
			return error_errno(err, -rc, "%s",
					   name_of(&m->old, order[i]));
	}
	return 0;
}

/* The names of an earlier call, whose last sync may have failed. */
static int
settle_names(const struct moving *m, struct error *err)
{
	struct files *files = m->new.files;
	int rc = files_local_sync(files, FILES_VARS);

	if (!rc)
		rc = files_local_sync(files, FILES_JOURNAL);
	return rc ? error_errno(err, -rc, "%s", files->name[FILES_VARS]) : 0;
}

static int
complete(struct moving *m, bool prepared, struct error *err)
{
	int rc = 0;

	if (!m->arriving)
		rc = settle_names(m, err);
	else if (!prepared)
		rc = write_unnamed(m, err);
	if (!rc && m->arriving)
		rc = move_queue(m, err);
	if (!rc && m->arriving)
		rc = give_names(m, err);
	return rc ? rc : remove_old(m, err);
}

/* The sentence of a failure behind step 2. */
static int
unfinished(const struct moving *m, int rc, struct error *err)
{
	struct error why;
	char *command;

	if (!rc || !err)
		return rc;
	why = *err;
	command = movenote_command(m->old.files, m->new.files);
	error_set(err, -rc, "%.300s; `%s` completes the move", why.text,
		  movenote_shorten(command, 300));
	free(command);
	return rc;
}

static int
move(struct moving *m, struct error *err)
{
	bool prepared = !m->departed;
	int rc = prepared ? begin(m, err) : 0;

	if (!rc)
		rc = complete(m, prepared, err);
	if (rc)
		remove_unfinished(m);
	if (rc && !m->departed)
		undo_step_1(m);
	return m->departed ? unfinished(m, rc, err) : rc;
}

/* The files at the new place get owner and mode of OLD, or of its journal. */
static int
keep_owner(const struct moving *m, struct error *err)
{
	struct stat st;
	int rc = 0;

	if (m->old.file.fd >= 0)
		st = m->old.stat;
	else
		rc = file_stat(&m->journal.file, &st, err);
	if (!rc)
		files_local_own(m->new.files, &st);
	return rc;
}

int
store_move(const struct store_config *from, const struct store_config *to,
	   struct error *err)
{
	struct moving m = { .old.file.fd = -1,
			    .journal.file.fd = -1,
			    .queue.fd = -1,
			    .arrival.fd = -1 };
	int rc = vars_init(&m.new, to, err);

	if (!rc)
		rc = load_old(&m, from, err);
	if (!rc)
		rc = keep_owner(&m, err);
	if (!rc && files_local_unshare(m.new.files, FILES_JOURNAL) < 0)
		rc = error_set(err, ENOMEM, "out of memory");
	if (!rc)
		rc = check_new(&m, err);
	if (!rc)
		rc = move(&m, err);
	file_close(&m.arrival);
	file_close(&m.queue);
	journal_close(&m.journal);
	vars_close(&m.new);
	vars_close(&m.old);
	free(m.image.bytes);
	free(m.records.bytes);
	free(m.state.bytes);
	free(m.pins.bytes);
	return rc;
}

/* --- back to OLD --- */

static bool
has_departed(const struct moving *m, struct movenote *note)
{
	return m->records.bytes &&
	       movenote_decode(note, m->records.bytes, m->records.len) &&
	       note->kind != MOVENOTE_ARRIVING;
}

/* Locks OLD, of which VARS may be gone already. */
static int
lock_departed(struct moving *m, struct error *err)
{
	struct file *vars = &m->old.file;
	int rc = file_open(vars, m->old.files, FILES_VARS, true, err);

	if (!rc)
		rc = lock_file(vars, m->old.files, F_WRLCK, err);
	if (rc && rc != -ENOENT)
		return rc;
	return journal_open(&m->journal, vars->sys, m->old.files, true, err);
}

/* Replaces the note by the journal that it has. */
static int
take_back(struct moving *m, const struct movenote *note, struct error *err)
{
	bool renamed;

	m->real = (struct content){
		.bytes = m->records.bytes + (note->journal - m->records.bytes),
		.len = note->journal_len,
	};
	if (m->real.len)
		return parcel_put_role(&m->old, FILES_JOURNAL, true, &m->real,
				       &renamed, err);
	return parcel_remove_role(&m->old, FILES_JOURNAL, err);
}

int
store_move_undo(const struct store_config *config, bool *undone,
		struct error *err)
{
	struct moving m = { .journal.file.fd = -1 };
	struct movenote note;
	int rc = vars_init(&m.old, config, err);

	*undone = false;
	if (!rc)
		rc = parcel_read_role(&m.old, FILES_JOURNAL, &m.records, err);
	if (!rc && has_departed(&m, &note)) {
		rc = lock_departed(&m, err);
		if (!rc)
			rc = take_back(&m, &note, err);
		*undone = !rc;
	}
	journal_close(&m.journal);
	vars_close(&m.old);
	free(m.records.bytes);
	return rc;
}

/* --- clone --- */

static int
own_like(const struct store_config *from, struct files *files,
	 struct error *err)
{
	struct vars vars;
	int rc = vars_open(&vars, from, VARS_LOOK, err);

	if (rc)
		return rc;
	files_local_own(files, &vars.stat);
	vars_close(&vars);
	return 0;
}

int
store_clone(const struct store_config *from, const struct store_config *to,
	    struct error *err)
{
	struct store_config config = *to;
	struct reader *reader;
	struct vars new;
	int rc = vars_init(&new, to, err);

	if (!rc)
		rc = own_like(from, new.files, err);
	if (!rc)
		rc = reader_open_files(&reader, from, err);
	if (!rc) {
		config.files = new.files;
		config.size = reader_size(reader);
		rc = store_create(&config, reader_image(reader), err);
		reader_close(reader);
	}
	vars_close(&new);
	return rc;
}
