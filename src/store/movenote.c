/* SPDX-License-Identifier: BSD-2-Clause */
#include "movenote.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"

#include "pflash/le.h"

#define MAGIC "PFLASHM1"

/* Offsets in the file.  The CRC and the journal follow the path. */
#define KIND 8
#define PATH_LENGTH 12
#define JOURNAL_LENGTH 16
#define PATH 24

bool
movenote_decode(struct movenote *note, const uint8_t *bytes, size_t len)
{
	size_t path_len, end;

	if (len < PATH + 4 || memcmp(bytes, MAGIC, 8) != 0)
		return false;
	path_len = get_le32(bytes + PATH_LENGTH);
	if (!path_len || path_len > PATH_MAX || path_len > len - PATH - 4)
		return false;
	end = PATH + path_len;
	if (get_le32(bytes + end) != crc32c(0, bytes, end) ||
	    get_le64(bytes + JOURNAL_LENGTH) != len - end - 4)
		return false;
	*note = (struct movenote){
		.kind = get_le32(bytes + KIND),
		.path = (const char *)bytes + PATH,
		.path_len = path_len,
		.journal = bytes + end + 4,
		.journal_len = len - end - 4,
	};
	return note->kind == MOVENOTE_DEPARTED ||
	       note->kind == MOVENOTE_ARRIVING;
}

int
movenote_encode(const struct movenote *note, uint8_t **bytes, size_t *len,
		struct error *err)
{
	size_t end = PATH + note->path_len;
	uint8_t *p = malloc(end + 4 + note->journal_len);

	*bytes = p;
	*len = end + 4 + note->journal_len;
	if (!p)
		return error_set(err, ENOMEM, "out of memory");
	memcpy(p, MAGIC, 8);
	put_le32(p + KIND, note->kind);
	put_le32(p + PATH_LENGTH, (uint32_t)note->path_len);
	put_le64(p + JOURNAL_LENGTH, note->journal_len);
	memcpy(p + PATH, note->path, note->path_len);
	put_le32(p + end, crc32c(0, p, end));
	if (note->journal_len)
		memcpy(p + end + 4, note->journal, note->journal_len);
	return 0;
}

bool
movenote_is(const struct movenote *note, enum movenote_kind kind,
	    const char *path)
{
	return note->kind == kind && note->path_len == strlen(path) &&
	       memcmp(note->path, path, note->path_len) == 0;
}

bool
movenote_has_magic(const uint8_t *bytes, size_t len)
{
	return len >= 8 && !memcmp(bytes, MAGIC, 8);
}

int
movenote_refuse(const uint8_t *bytes, size_t len, const char *name,
		struct error *err)
{
	struct movenote note;

	if (!movenote_decode(&note, bytes, len))
		return 0;
	if (note.kind == MOVENOTE_DEPARTED)
		return error_set(err, EREMCHG,
				 "%s: this flash was moved to %.*s: use that "
				 "one; the same `pflashctl move` again "
				 "completes the move",
				 name, (int)note.path_len, note.path);
	return error_set(err, EREMCHG,
			 "%s: the move of a flash to this place was "
			 "interrupted: use %.*s, or complete the move by the "
			 "same `pflashctl move` again",
			 name, (int)note.path_len, note.path);
}
