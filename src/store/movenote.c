/* SPDX-License-Identifier: BSD-2-Clause */
#include "movenote.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"

#include "pflash/le.h"
#include "pflash/text.h"

#define MAGIC "PFLASHM1"

/* Offsets in the file.  The CRC and the journal follow the path. */
#define KIND 8
#define PATH_LENGTH 12
#define JOURNAL_LENGTH 16
#define PATH 24

#define PATHS_MOST (2 * PATH_MAX) /* VARS, and a journal that is apart */

/* Takes the paths out of the field: VARS, or VARS, a NUL byte and journal. */
static void
decode_paths(struct movenote *note, const uint8_t *bytes, size_t len)
{
	const uint8_t *nul = memchr(bytes, '\0', len);

	note->path = (const char *)bytes;
	note->path_len = nul ? (size_t)(nul - bytes) : len;
	note->apart = nul ? (const char *)nul + 1 : NULL;
	note->apart_len = nul ? len - note->path_len - 1 : 0;
}

bool
movenote_decode(struct movenote *note, const uint8_t *bytes, size_t len)
{
	size_t paths_len, end;

	if (len < PATH + 4 || memcmp(bytes, MAGIC, 8) != 0)
		return false;
	paths_len = get_le32(bytes + PATH_LENGTH);
	if (!paths_len || paths_len > PATHS_MOST || paths_len > len - PATH - 4)
		return false;
	end = PATH + paths_len;
	if (get_le32(bytes + end) != crc32c(0, bytes, end) ||
	    get_le64(bytes + JOURNAL_LENGTH) > len - end - 4)
		return false;
	*note = (struct movenote){
		.kind = get_le32(bytes + KIND),
		.journal = bytes + end + 4,
		.journal_len = (size_t)get_le64(bytes + JOURNAL_LENGTH),
	};
	decode_paths(note, bytes + PATH, paths_len);
	return note->kind >= MOVENOTE_DEPARTED && note->kind <= MOVENOTE_BACK;
}

int
movenote_encode(const struct movenote *note, uint8_t **bytes, size_t *len,
		struct error *err)
{
	size_t more = note->apart ? 1 + note->apart_len : 0;
	size_t end = PATH + note->path_len + more;
	uint8_t *p = malloc(end + 4 + note->journal_len);

	*bytes = p;
	*len = end + 4 + note->journal_len;
	if (!p)
		return error_set(err, ENOMEM, "out of memory");
	memcpy(p, MAGIC, 8);
	put_le32(p + KIND, note->kind);
	put_le32(p + PATH_LENGTH, (uint32_t)(note->path_len + more));
	put_le64(p + JOURNAL_LENGTH, note->journal_len);
	memcpy(p + PATH, note->path, note->path_len);
	if (note->apart) {
		p[PATH + note->path_len] = '\0';
		memcpy(p + end - note->apart_len, note->apart, note->apart_len);
	}
	put_le32(p + end, crc32c(0, p, end));
	if (note->journal_len)
		memcpy(p + end + 4, note->journal, note->journal_len);
	return 0;
}

/*
 * The path of the journal if it is neither VARS.journal nor on the device;
 * otherwise NULL.
 */
static const char *
apart_of(const struct files *files)
{
	const char *vars = files->name[FILES_VARS];
	const char *journal = files->name[FILES_JOURNAL];
	size_t len = strlen(vars);

	if (files->place[FILES_JOURNAL].room)
		return NULL;
	return strncmp(journal, vars, len) == 0 &&
			       strcmp(journal + len, ".journal") == 0 ?
		       NULL :
		       journal;
}

struct movenote
movenote_about(enum movenote_kind kind, const struct files *other)
{
	const char *vars = other->name[FILES_VARS], *apart = apart_of(other);

	return (struct movenote){
		.kind = kind,
		.path = vars,
		.path_len = strlen(vars),
		.apart = apart,
		.apart_len = apart ? strlen(apart) : 0,
	};
}

static bool
equal(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && (!a_len || memcmp(a, b, a_len) == 0);
}

bool
movenote_is(const struct movenote *note, enum movenote_kind kind,
	    const struct files *other)
{
	const struct movenote same = movenote_about(kind, other);

	return note->kind == kind &&
	       equal(note->path, note->path_len, same.path, same.path_len) &&
	       equal(note->apart, note->apart_len, same.apart, same.apart_len);
}

/* ` OPTION WORD`, or "" without a path; NULL: no memory. */
static char *
argument(const char *option, const char *path)
{
	char *word, *result;

	if (!path)
		return strdup("");
	word = text_word(path);
	if (!word || asprintf(&result, " %s%s", option, word) < 0)
		result = NULL;
	free(word);
	return result;
}

char *
movenote_command(const struct files *from, const struct files *to)
{
	char *words[] = {
		argument("--journal ", apart_of(from)),
		argument("--new-journal ", apart_of(to)),
		argument("", from->name[FILES_VARS]),
		argument("", to->name[FILES_VARS]),
	};
	char *command = NULL;

	if (words[0] && words[1] && words[2] && words[3] &&
	    asprintf(&command, "pflashctl move%s%s%s%s", words[0], words[1],
		     words[2], words[3]) < 0)
		command = NULL;
	for (size_t i = 0; i < 4; i++)
		free(words[i]);
	return command;
}

char *
movenote_forget(const struct files *at)
{
	char *journal = argument("--journal ", apart_of(at));
	char *vars = argument("", at->name[FILES_VARS]), *command = NULL;

	if (journal && vars &&
	    asprintf(&command, "pflashctl forget%s%s", journal, vars) < 0)
		command = NULL;
	free(journal);
	free(vars);
	return command;
}

/* The names of the other place, which the caller frees; false: no memory. */
static bool
names_of(const struct movenote *note, struct files *other, char *names[2])
{
	names[0] = strndup(note->path, note->path_len);
	if (!note->apart && asprintf(&names[1], "%.*s.journal",
				     (int)note->path_len, note->path) < 0)
		names[1] = NULL;
	if (note->apart)
		names[1] = strndup(note->apart, note->apart_len);
	other->name[FILES_VARS] = names[0];
	other->name[FILES_JOURNAL] = names[1];
	return names[0] && names[1];
}

const char *
movenote_shorten(const char *command, size_t rest)
{
	size_t room = sizeof(((struct error *)0)->text) - 150;

	return command && strlen(command) + rest < room ?
		       command :
		       "pflashctl move ..., with the same arguments again";
}

bool
movenote_is_transfer(const struct movenote *note)
{
	return note->kind >= MOVENOTE_SENT;
}

bool
movenote_has_magic(const uint8_t *bytes, size_t len)
{
	return len >= 8 && !memcmp(bytes, MAGIC, 8);
}

/*
 * Of each kind of transfer: the event, the flash to use, the case for
 * `pflashctl forget`, and its effect.
 */
static const char *const transfers[][4] = {
	{ "was sent to another place", "use that one",
	  "it has not arrived there", "takes it back" },
	{ "has gone to another host with its guest", "use that one",
	  "the guest has not arrived there", "takes it back" },
	{ "has come with a guest that has not run here",
	  "use the one of the host that it came from", "that one is lost",
	  "makes this the flash" },
	{ "has left with its guest, and has come back to this place",
	  "its guest takes it", "the guest is lost", "makes this the flash" },
};

static int
refuse_transfer(const struct movenote *note, const struct files *at,
		struct error *err)
{
	const char *const *text = transfers[note->kind - MOVENOTE_SENT];
	char *command = movenote_forget(at);

	error_set(err, EREMCHG,
		  "%s: this flash %s (transfer %.*s): %s; if %s, `%s` %s",
		  at->name[FILES_JOURNAL], text[0], (int)note->path_len,
		  note->path, text[1], text[2],
		  command ? command : "pflashctl forget", text[3]);
	free(command);
	return -EREMCHG;
}

int
movenote_refuse(const uint8_t *bytes, size_t len, const struct files *at,
		struct error *err)
{
	const char *journal = at->name[FILES_JOURNAL], *text;
	char *names[2], *command = NULL;
	struct movenote note;
	struct files other = { .ops = NULL };
	bool departed;

	if (!movenote_decode(&note, bytes, len))
		return 0;
	if (movenote_is_transfer(&note))
		return refuse_transfer(&note, at, err);
	departed = note.kind == MOVENOTE_DEPARTED;
	if (names_of(&note, &other, names))
		command = departed ? movenote_command(at, &other) :
				     movenote_command(&other, at);
	text = movenote_shorten(command, strlen(journal) + note.path_len);
	if (departed)
		error_set(err, EREMCHG,
			  "%s: this flash was moved to %.*s: use that one "
			  "when `%s` has completed the move",
			  journal, (int)note.path_len, note.path, text);
	else
		error_set(err, EREMCHG,
			  "%s: the move of a flash to this place was "
			  "interrupted: use %.*s, or complete the move by `%s`",
			  journal, (int)note.path_len, note.path, text);
	free(command);
	free(names[0]);
	free(names[1]);
	return -EREMCHG;
}
