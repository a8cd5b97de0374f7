/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of a queue.  A process that replaces it holds the lock on the file
 * that it replaces, and on the new one from before it has the name.  So a list
 * is never lost: a process that waits for the lock finds that its file has no
 * name any more, and opens the file anew.
 *
 * A move of the flash (move.c) writes the note in OLD.journal, and then looks
 * for a queue, which it locks until OLD.next is removed.  queue_append() looks
 * for the note after it has made OLD.next, so one of the two sees the other.
 */
#include <errno.h>
#include <stdlib.h>

#include "lock.h"
#include "movenote.h"
#include "queue.h"

#define NAME_TRIES 100
#define NOTE_MAGIC_SIZE 8

int
queue_lock(struct file *file, struct files *files, bool write,
	   struct error *err)
{
	struct stat st;
	int rc;

	for (int i = 0; i < NAME_TRIES; i++) {
		rc = file_open(file, files, FILES_NEXT, write, err);
		if (rc)
			return rc;
		rc = lock_patiently(file, files, write ? F_WRLCK : F_RDLCK,
				    err);
		if (!rc)
			rc = file_stat(file, &st, err);
		if (!rc && st.st_nlink)
			return 0;
		file_close(file);
		if (rc)
			return rc;
	}
	return error_errno(err, EBUSY, "%s", files->name[FILES_NEXT]);
}

/* Decodes the contents of an open file. */
static int
read_open(struct queue **out, const struct file *file, struct error *err)
{
	struct error why;
	struct stat st;
	uint8_t *bytes;
	size_t len;
	int rc = file_stat(file, &st, err);

	if (rc)
		return rc;
	if (st.st_size > (off_t)QUEUE_SIZE_MOST)
		return error_set(
			err, EUCLEAN,
			"%s: damaged: larger than any queue of changes",
			file->path);
	rc = file_read_all(file, &bytes, &len, err);
	if (rc)
		return rc;
	rc = queue_decode(out, bytes, len, &why);
	free(bytes);
	return rc ? error_set(err, -rc, "%s: %s", file->path, why.text) : 0;
}

static int
no_queue(struct queue **out, struct error *err)
{
	*out = queue_new();
	return *out ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int
explain_damage(int rc, struct files *files, struct error *err)
{
	struct error why;

	if (rc != -EUCLEAN || !err)
		return rc;
	why = *err;
	return error_set(err, -rc,
			 "%.500s: `pflashctl vars cancel %.400s` "
			 "removes it",
			 why.text,
			 files->given ? files->given : files->name[FILES_VARS]);
}

int
queue_read(struct queue **out, struct files *files, const struct sys *sys,
	   struct error *err)
{
	struct file file = { .sys = sys ? sys : &sys_kernel };
	int rc = file_open(&file, files, FILES_NEXT, false, err);

	*out = NULL;
	if (rc == -ENOENT)
		return no_queue(out, err);
	if (!rc)
		rc = read_open(out, &file, err);
	file_close(&file);
	return explain_damage(rc, files, err);
}

size_t
queue_peek(struct files *files)
{
	struct file file = { .sys = &sys_kernel };
	uint8_t header[QUEUE_HEADER_SIZE];
	size_t count = 0;

	if (file_open(&file, files, FILES_NEXT, false, NULL) < 0)
		return 0;
	if (file_read(&file, header, sizeof(header), 0, NULL) == 0)
		count = queue_header_count(header);
	file_close(&file);
	return count;
}

int
queue_open(struct queue **out, struct file *file, struct files *files,
	   bool write, struct error *err)
{
	int rc = queue_lock(file, files, write, err);

	*out = NULL;
	if (rc == -ENOENT)
		return no_queue(out, err);
	return rc ? rc : read_open(out, file, err);
}

int
queue_hold(struct queue **out, struct files *files, const struct sys *sys,
	   struct error *err)
{
	struct file file = { .sys = sys ? sys : &sys_kernel, .fd = -1 };
	int rc = queue_open(out, &file, files, false, err);

	if (rc)
		file_close(&file);
	else
		(*out)->file = file;
	return rc;
}

/* --- changes of the file --- */

/* -EREMCHG: a note of a move has the place of the journal. */
static int
check_note(const struct file *journal, struct files *files, struct error *err)
{
	uint8_t magic[NOTE_MAGIC_SIZE], *bytes;
	size_t len;
	int rc = file_read(journal, magic, sizeof(magic), 0, NULL);

	if (rc || !movenote_has_magic(magic, sizeof(magic)))
		return rc == -EUCLEAN ? 0 : rc;
	rc = file_read_all(journal, &bytes, &len, err);
	if (rc)
		return rc;
	rc = movenote_refuse(bytes, len, files, err);
	free(bytes);
	return rc;
}

/* 0: the flash is here. */
static int
check_place(struct files *files, const struct sys *sys, struct error *err)
{
	struct file file = { .sys = sys };
	int rc = file_open(&file, files, FILES_VARS, false, err);

	if (rc)
		return rc;
	file_close(&file);
	rc = file_open(&file, files, FILES_JOURNAL, false, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = check_note(&file, files, err);
	file_close(&file);
	return rc;
}

/* Gives the new file the name; *file is locked, and open at the end. */
static int
install(struct file *file, struct files *files, bool replace, struct error *err)
{
	bool named = false;
	int rc = lock_file(file, files, F_WRLCK, err);

	if (!rc) {
		rc = files->ops->install(files, FILES_NEXT, replace, &named);
		if (rc)
			error_errno(err, -rc, "%s", file->path);
	}
	if (!named)
		(void)files->ops->remove(files, FILES_NEXT, true);
	return rc;
}

/* *file is the new file, open and locked, unless the function fails. */
static int
write_queue(const struct queue *queue, struct file *file, struct files *files,
	    bool replace, struct error *err)
{
	struct error why;
	uint8_t *bytes;
	size_t len;
	int rc = queue_encode(queue, &bytes, &len, &why);

	if (rc)
		return error_set(err, -rc, "%s: %s", files->name[FILES_NEXT],
				 why.text);
	rc = files_local_unshare(files, FILES_NEXT);
	if (rc)
		error_errno(err, -rc, "%s", files->name[FILES_NEXT]);
	else
		rc = file_write_new(file, files, FILES_NEXT, bytes, len, err);
	free(bytes);
	if (rc)
		return rc;
	rc = install(file, files, replace, err);
	if (rc)
		file_close(file);
	return rc;
}

static int
append_to(struct queue *queue, const struct queue_item *item,
	  struct files *files, const struct sys *sys, bool replace,
	  struct error *err)
{
	struct file new = { .sys = sys, .fd = -1 };
	struct error why;
	int rc = check_place(files, sys, err);

	if (rc)
		return rc;
	rc = queue_add(queue, item, &why);
	if (rc)
		return error_set(err, -rc, "%s: %s", files->name[FILES_NEXT],
				 why.text);
	rc = write_queue(queue, &new, files, replace, err);
	/* A queue that was there before moves together with this list. */
	if (!rc && !replace) {
		rc = check_place(files, sys, err);
		if (rc)
			(void)queue_remove(files, NULL);
	}
	file_close(&new);
	return rc;
}

/* -EEXIST: another process has made the file. */
static int
append_once(struct files *files, const struct sys *sys,
	    const struct queue_item *item, struct error *err)
{
	struct file old = { .sys = sys, .fd = -1 };
	struct queue *queue;
	int rc = queue_open(&queue, &old, files, true, err);

	if (rc)
		rc = explain_damage(rc, files, err);
	else
		rc = append_to(queue, item, files, sys, old.fd >= 0, err);
	queue_free(queue);
	file_close(&old);
	return rc;
}

int
queue_append(struct files *files, const struct sys *sys,
	     const struct queue_item *item, struct error *err)
{
	int rc = -EEXIST;

	for (int i = 0; rc == -EEXIST && i < NAME_TRIES; i++)
		rc = append_once(files, sys ? sys : &sys_kernel, item, err);
	return rc;
}

/* Drops from the queue, and writes the rest in place of the locked file. */
static int
cancel_in(struct queue *queue, size_t index, struct files *files,
	  const struct sys *sys, size_t *dropped, struct error *err)
{
	struct file new = { .sys = sys, .fd = -1 };
	size_t count = queue->count;
	int rc;

	if (index != QUEUE_ALL && index >= count)
		return error_set(err, ENOENT,
				 "%s: no such list waits for the next start",
				 files->name[FILES_NEXT]);
	if (index == QUEUE_ALL || count == 1) {
		*dropped = count;
		return queue_remove(files, err);
	}
	queue_drop(queue, index);
	*dropped = 1;
	rc = write_queue(queue, &new, files, true, err);
	file_close(&new);
	return rc;
}

int
queue_cancel(struct files *files, const struct sys *sys, size_t index,
	     size_t *dropped, struct error *err)
{
	struct file file = { .sys = sys ? sys : &sys_kernel, .fd = -1 };
	struct queue *queue;
	int rc = queue_open(&queue, &file, files, true, err);

	*dropped = 0;
	if (rc == -EUCLEAN && index == QUEUE_ALL)
		rc = queue_remove(files, err);
	else if (rc)
		rc = explain_damage(rc, files, err);
	else if (file.fd >= 0 || index != QUEUE_ALL)
		rc = cancel_in(queue, index, files, file.sys, dropped, err);
	queue_free(queue);
	file_close(&file);
	return rc;
}

int
queue_remove(struct files *files, struct error *err)
{
	int rc = files->ops->remove(files, FILES_NEXT, false);

	return rc ? error_errno(err, -rc, "%s", files->name[FILES_NEXT]) : 0;
}
