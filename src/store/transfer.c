/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes a flash to another host as a stream of bytes (docs/format.md).
 *
 * The sender writes the whole stream except for its last field, then replaces
 * its journal by the note "sent" (movenote.h), durably, and then writes the
 * last field.  So a stream that is whole has left its place, and a flash
 * without the note has not: no crash leaves two flashes.
 *
 * The receiver writes the files to names of their own, NEW.arrived, and then
 * moves this flash to NEW; or to their places, beside a note, which makes them
 * no flash until the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "journal.h"
#include "movenote.h"
#include "parcel.h"
#include "queue.h"
#include "remove.h"

#include "pflash/le.h"
#include "pflash/store.h"

#define MAGIC "PFLASHT1"

/* Offsets in the stream; the contents and the CRC follow. */
#define ID 8
#define LENGTHS 24
#define HEADER (LENGTHS + 8 * FILES_ROLES)

/* The most bytes of a file other than VARS and the journal. */
#define SMALL_MOST (16u << 20)

#define ARRIVED ".arrived"

/* The longest journal: the history and the space of a compaction. */
#define JOURNAL_MOST (STORE_HISTORY_MOST + 8ull * STORE_MAX_SIZE)

/* The order in the stream. */
static const enum files_role order[FILES_ROLES] = {
	FILES_VARS, FILES_JOURNAL, FILES_STATE, FILES_PINS, FILES_NEXT,
};

struct parcel {
	uint8_t id[STORE_TRANSFER_ID];
	struct content files[FILES_ROLES]; /* by enum files_role */
};

struct sending {
	struct vars vars;
	struct journal journal;
	struct file queue; /* locked until the end */
	struct parcel parcel;
};

static void
write_id(const uint8_t id[STORE_TRANSFER_ID], char text[STORE_TRANSFER_TEXT])
{
	for (size_t i = 0; i < STORE_TRANSFER_ID; i++)
		(void)sprintf(text + 2 * i, "%02x", id[i]);
}

/* --- send --- */

static int
read_vars(struct sending *s, const struct store_config *config,
	  struct error *err)
{
	struct content *image = &s->parcel.files[FILES_VARS];
	int rc = vars_open(&s->vars, config, VARS_WRITE, err);

	if (rc)
		return rc;
	image->len = s->vars.size;
	image->bytes = vars_alloc(s->vars.size);
	if (!image->bytes)
		return error_set(err, ENOMEM, "out of memory");
	return vars_read(&s->vars, image->bytes, err);
}

static int
read_journal(struct sending *s, struct error *err)
{
	struct content *content = &s->parcel.files[FILES_JOURNAL];
	int rc = journal_open(&s->journal, s->vars.file.sys, s->vars.files,
			      true, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	return journal_read(&s->journal, &content->bytes, &content->len, err);
}

static int
read_queue(struct sending *s, struct error *err)
{
	struct content *content = &s->parcel.files[FILES_NEXT];
	int rc;

	s->queue.sys = s->vars.file.sys;
	rc = queue_lock(&s->queue, s->vars.files, true, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	return file_read_all(&s->queue, &content->bytes, &content->len, err);
}

/* Locks and reads the flash; a flash that needs a repair is not sent. */
static int
load(struct sending *s, const struct store_config *config, struct error *err)
{
	struct content *files = s->parcel.files;
	int rc = read_vars(s, config, err);

	if (!rc)
		rc = read_journal(s, err);
	if (!rc)
		rc = parcel_check(&s->vars, &files[FILES_VARS],
				  &files[FILES_JOURNAL], err);
	if (!rc)
		rc = parcel_read_role(&s->vars, FILES_STATE,
				      &files[FILES_STATE], err);
	if (!rc)
		rc = parcel_read_role(&s->vars, FILES_PINS, &files[FILES_PINS],
				      err);
	if (!rc)
		rc = read_queue(s, err);
	if (!rc && getrandom(s->parcel.id, STORE_TRANSFER_ID, 0) < 0)
		rc = error_errno(err, errno, "getrandom");
	return rc;
}

static int
emit(const struct store_sink *sink, const void *bytes, size_t len,
     uint32_t *crc, struct error *err)
{
	*crc = crc32c(*crc, bytes, len);
	return len ? sink->write(sink->opaque, bytes, len, err) : 0;
}

/* Writes all but the last field, whose value is *crc. */
static int
write_contents(const struct parcel *parcel, const struct store_sink *sink,
	       uint32_t *crc, struct error *err)
{
	uint8_t header[HEADER];
	int rc;

	memcpy(header, MAGIC, ID);
	memcpy(header + ID, parcel->id, STORE_TRANSFER_ID);
	for (size_t i = 0; i < FILES_ROLES; i++)
		put_le64(header + LENGTHS + 8 * i, parcel->files[order[i]].len);
	*crc = 0;
	rc = emit(sink, header, sizeof(header), crc, err);
	for (size_t i = 0; !rc && i < FILES_ROLES; i++)
		rc = emit(sink, parcel->files[order[i]].bytes,
			  parcel->files[order[i]].len, crc, err);
	return rc;
}

/* Puts a note into the place of the journal, which it keeps. */
static int
put_note(const struct vars *vars, enum movenote_kind kind, const char *id,
	 const struct content *journal, struct error *err)
{
	const struct movenote note = {
		.kind = kind,
		.path = id,
		.path_len = strlen(id),
		.journal = journal->bytes,
		.journal_len = journal->len,
	};
	struct content content;
	bool renamed;
	int rc = movenote_encode(&note, &content.bytes, &content.len, err);

	if (!rc)
		rc = parcel_put_role(vars, FILES_JOURNAL, true, &content,
				     &renamed, err);
	free(content.bytes);
	return rc;
}

/* Whether the receiver has the last field is not known after an error. */
static int
write_last(const struct sending *s, const struct store_sink *sink, uint32_t crc,
	   struct error *err)
{
	char *command;
	struct error why;
	uint8_t last[4];
	int rc;

	put_le32(last, crc);
	rc = sink->write(sink->opaque, last, sizeof(last), &why);
	if (!rc)
		return 0;
	command = movenote_forget(s->vars.files);
	error_set(err, -rc,
		  "%s; the flash has left all the same: if it has not arrived, "
		  "`%s` takes it back",
		  why.text, command ? command : "pflashctl forget");
	free(command);
	return rc;
}

static int
send_parcel(const struct sending *s, enum movenote_kind kind,
	    const struct store_sink *sink, const char *id, struct error *err)
{
	uint32_t crc;
	int rc = write_contents(&s->parcel, sink, &crc, err);

	if (!rc)
		rc = put_note(&s->vars, kind, id,
			      &s->parcel.files[FILES_JOURNAL], err);
	return rc ? rc : write_last(s, sink, crc, err);
}

int
store_send(const struct store_config *config, enum store_travel travel,
	   const struct store_sink *sink, char id[STORE_TRANSFER_TEXT],
	   struct error *err)
{
	enum movenote_kind kind = travel == STORE_WITH_GUEST ? MOVENOTE_LENT :
							       MOVENOTE_SENT;
	struct sending s = { .vars.file.fd = -1,
			     .journal.file.fd = -1,
			     .queue.fd = -1 };
	int rc = load(&s, config, err);

	write_id(s.parcel.id, id);
	if (!rc)
		rc = send_parcel(&s, kind, sink, id, err);
	file_close(&s.queue);
	journal_close(&s.journal);
	vars_close(&s.vars);
	for (size_t i = 0; i < FILES_ROLES; i++)
		free(s.parcel.files[i].bytes);
	return rc;
}

/* --- receive --- */

static int
bad_stream(struct error *err, const char *why)
{
	return error_set(err, EUCLEAN, "the stream: %s; nothing was changed",
			 why);
}

static uint64_t
most(enum files_role role)
{
	return role == FILES_VARS    ? STORE_MAX_SIZE :
	       role == FILES_JOURNAL ? JOURNAL_MOST :
				       SMALL_MOST;
}

uint64_t
store_transfer_length(const void *header)
{
	const uint8_t *bytes = header;
	uint64_t total = HEADER + 4, len;

	if (memcmp(bytes, MAGIC, ID) != 0)
		return 0;
	for (size_t i = 0; i < FILES_ROLES; i++) {
		len = get_le64(bytes + LENGTHS + 8 * i);
		if (len > most(order[i]))
			return 0;
		total += len;
	}
	return total;
}

/* Splits the stream; the contents point into it. */
static int
split(struct parcel *parcel, uint8_t *stream, size_t len, struct error *err)
{
	uint64_t total = len < HEADER ? 0 : store_transfer_length(stream);
	uint8_t *at = stream + HEADER;

	if (len >= HEADER && !total)
		return bad_stream(err, "it is none of `pflashctl send`");
	if (len < HEADER || len < total)
		return bad_stream(err, "it ends early: the sender or the "
				       "connection has failed");
	if (len > total)
		return bad_stream(err, "it is too long");
	if (get_le32(stream + total - 4) != crc32c(0, stream, total - 4))
		return bad_stream(err, "its checksum is wrong");
	memcpy(parcel->id, stream + ID, STORE_TRANSFER_ID);
	for (size_t i = 0; i < FILES_ROLES; i++) {
		struct content *file = &parcel->files[order[i]];

		file->len = (size_t)get_le64(stream + LENGTHS + 8 * i);
		file->bytes = file->len ? at : NULL;
		at += file->len;
	}
	return 0;
}

static int
check_parcel(const struct parcel *parcel, struct vars *vars, struct error *err)
{
	const struct content *image = &parcel->files[FILES_VARS];

	if (!image->len || image->len % BLOCK_SIZE)
		return bad_stream(err, "its flash has no possible size");
	vars->size = (uint32_t)image->len;
	return parcel_check(vars, image, &parcel->files[FILES_JOURNAL], err);
}

/* Is the place a complete device that no guest has used? */
static bool
is_prepared(const struct vars *vars)
{
	static const enum files_role roles[] = { FILES_JOURNAL, FILES_STATE,
						 FILES_PINS, FILES_NEXT };
	struct file file = { .sys = vars->file.sys };
	struct error none;

	if (!vars->files->place[FILES_JOURNAL].room)
		return false;
	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
		if (file_open(&file, vars->files, roles[i], false, &none) !=
		    -ENOENT) {
			file_close(&file);
			return false;
		}
	return true;
}

/*
 * Is this the note of the transfer, which its sender has left here?  The guest
 * was saved and is restored here, or both hosts share the storage.
 */
static bool
is_sender(const struct movenote *note, const char *id)
{
	return id &&
	       (note->kind == MOVENOTE_LENT || note->kind == MOVENOTE_BACK) &&
	       note->path_len == strlen(id) &&
	       memcmp(note->path, id, note->path_len) == 0;
}

enum place {
	PLACE_EMPTY,
	PLACE_NOTED,  /* its flash is at another place */
	PLACE_SENDER, /* its flash was sent in this transfer */
};

/* `id`: the transfer that is to arrive; NULL: none.  enum place, or -errno. */
static int
check_place(const struct store_config *to, const struct vars *vars,
	    const char *id, struct error *err)
{
	struct content journal = { .bytes = NULL };
	struct movenote note;
	int rc = parcel_read_role(vars, FILES_JOURNAL, &journal, err);
	bool noted = !rc && journal.bytes &&
		     movenote_decode(&note, journal.bytes, journal.len);

	if (noted && is_sender(&note, id))
		rc = PLACE_SENDER;
	else if (noted && movenote_is_transfer(&note))
		rc = PLACE_NOTED;
	else if (noted)
		rc = movenote_refuse(journal.bytes, journal.len, vars->files,
				     err);
	free(journal.bytes);
	if (rc)
		return rc;
	return is_prepared(vars) ? PLACE_EMPTY : store_check_new(to, err);
}

/* VARS is the last: without it nothing has arrived. */
static int
unpack(const struct parcel *parcel, const struct vars *arrived,
       struct error *err)
{
	const struct stat own = {
		.st_mode = S_IRUSR | S_IWUSR,
		.st_uid = geteuid(),
		.st_gid = getegid(),
	};
	bool renamed;

	files_local_own(arrived->files, &own);
	for (size_t i = FILES_ROLES; i-- > 0;) {
		const struct content *file = &parcel->files[order[i]];
		int rc = file->len ? parcel_put_role(arrived, order[i], false,
						     file, &renamed, err) :
				     0;

		if (rc)
			return rc;
	}
	return 0;
}

/*
 * The place has no note of a move, so NEW.arrived is no flash: it is of a call
 * that was stopped before its move, or after it.
 */
static int
arrive(const struct parcel *parcel, const struct store_config *to,
       const struct store_config *at, bool again, struct error *err)
{
	struct vars vars;
	int rc = vars_init(&vars, at, err);

	if (!rc)
		rc = remove_rest(at, err);
	if (!rc || rc == -ENOENT)
		rc = unpack(parcel, &vars, err);
	vars_close(&vars);
	if (!rc && again)
		rc = store_remove(to, err);
	return rc ? rc : store_move(at, to, err);
}

/*
 * Locks VARS, if there is one, while the files are written.  A plain block
 * device has no place for the other files, and is no file to replace.
 */
static int
hold_place(struct vars *held, const struct store_config *to, struct error *err)
{
	const struct store_config config = {
		.files = to->files,
		.path = to->path,
		.journal = to->journal,
		.sys = to->sys,
	};
	int rc = vars_open(held, &config, VARS_WRITE, err);

	if (rc == -ENOENT)
		return 0;
	if (!rc && !held->file.place.room && !S_ISREG(held->stat.st_mode))
		rc = error_set(err, EINVAL,
			       "%s: is a block device without the other files "
			       "of a flash: `pflashctl create --device` "
			       "prepares it for them",
			       held->file.path);
	return rc;
}

/* Writes or removes the files beside VARS and the journal. */
static int
put_rest(const struct parcel *parcel, const struct vars *vars,
	 struct error *err)
{
	static const enum files_role roles[] = { FILES_STATE, FILES_PINS,
						 FILES_NEXT };
	bool renamed;
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(roles) / sizeof(*roles); i++) {
		const struct content *file = &parcel->files[roles[i]];

		if (file->len)
			rc = parcel_put_role(vars, roles[i], true, file,
					     &renamed, err);
		else
			rc = parcel_remove_role(vars, roles[i], err);
	}
	return rc;
}

/* Does the place have this image, as that of the sender? */
static bool
has_image(const struct vars *vars, const struct content *image)
{
	struct content here = { .bytes = NULL };
	struct error ignored;
	bool same = parcel_read_role(vars, FILES_VARS, &here, &ignored) == 0 &&
		    here.bytes && here.len == image->len &&
		    memcmp(here.bytes, image->bytes, here.len) == 0;

	free(here.bytes);
	return same;
}

/*
 * Replaces VARS.  While there is none, the stream alone has the flash, so the
 * VARS of the sender stays.
 */
static int
put_image(const struct vars *vars, const struct file *held,
	  const struct content *image, struct error *err)
{
	if (held->place.room)
		return parcel_put_device(held, image, err);
	if (has_image(vars, image))
		return 0;
	return parcel_put_vars(vars, image, err);
}

/* Replaces the note by the journal. */
static int
end_arrival(const struct parcel *parcel, const struct vars *vars,
	    struct error *err)
{
	const struct content *journal = &parcel->files[FILES_JOURNAL];
	bool renamed;

	return journal->len ? parcel_put_role(vars, FILES_JOURNAL, true,
					      journal, &renamed, err) :
			      parcel_remove_role(vars, FILES_JOURNAL, err);
}

/*
 * Writes the files where they belong, but a note in place of the journal, and
 * the note first: nothing is a flash here before its guest runs, or, for a
 * flash without a guest, before all is written.
 */
static int
arrive_in_place(const struct parcel *parcel, enum store_travel travel,
		const struct store_config *to, const struct vars *vars,
		enum place place, const char *id, struct error *err)
{
	const struct stat own = {
		.st_mode = S_IRUSR | S_IWUSR,
		.st_uid = geteuid(),
		.st_gid = getegid(),
	};
	struct vars held;
	int rc = hold_place(&held, to, err);

	files_local_own(vars->files, &own);
	if (!rc)
		rc = put_note(vars,
			      place == PLACE_SENDER ? MOVENOTE_BACK :
						      MOVENOTE_ARRIVED,
			      id, &parcel->files[FILES_JOURNAL], err);
	if (!rc)
		rc = put_rest(parcel, vars, err);
	if (!rc)
		rc = put_image(vars, &held.file, &parcel->files[FILES_VARS],
			       err);
	if (!rc && travel == STORE_ALONE)
		rc = end_arrival(parcel, vars, err);
	vars_close(&held);
	return rc;
}

/* Files are renamed into their places, all at once. */
static int
arrive_alone(const struct parcel *parcel, const struct store_config *to,
	     const struct vars *vars, bool again, struct error *err)
{
	struct store_config at = { .sys = to->sys };
	char *path;
	int rc;

	if (asprintf(&path, "%s" ARRIVED, vars->files->name[FILES_VARS]) < 0)
		return error_set(err, ENOMEM, "out of memory");
	at.path = path;
	rc = arrive(parcel, to, &at, again, err);
	free(path);
	return rc;
}

static int
receive(const struct parcel *parcel, enum store_travel travel,
	const struct store_config *to, const char *id, struct error *err)
{
	struct vars vars;
	int rc = vars_init(&vars, to, err), place = PLACE_EMPTY;

	if (!rc)
		rc = check_parcel(parcel, &vars, err);
	if (!rc)
		rc = place = check_place(to, &vars, id, err);
	if (rc == PLACE_SENDER && travel == STORE_ALONE)
		rc = error_set(err, EEXIST,
			       "%s: is the flash that was sent: both hosts "
			       "share its storage, and it needs no transfer",
			       vars.files->name[FILES_VARS]);
	else if (rc >= 0 && (travel == STORE_WITH_GUEST ||
			     vars.files->place[FILES_VARS].room))
		rc = arrive_in_place(parcel, travel, to, &vars, place, id, err);
	else if (rc >= 0)
		rc = arrive_alone(parcel, to, &vars, place == PLACE_NOTED, err);
	vars_close(&vars);
	return rc;
}

int
store_receive(const struct store_config *to, enum store_travel travel,
	      void *stream, size_t len, char id[STORE_TRANSFER_TEXT],
	      struct error *err)
{
	struct parcel parcel = { .id = { 0 } };
	int rc = split(&parcel, stream, len, err);

	if (rc)
		return rc;
	write_id(parcel.id, id);
	return receive(&parcel, travel, to, id, err);
}

int
store_awaits(const struct store_config *to, struct error *err)
{
	struct vars vars;
	int rc = vars_init(&vars, to, err);

	if (!rc)
		rc = check_place(to, &vars, NULL, err);
	vars_close(&vars);
	if (rc == -EEXIST || rc == -EUCLEAN)
		return 0;
	return rc < 0 ? rc : 1;
}
