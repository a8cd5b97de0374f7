/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "crc32c.h"
#include "scan.h"

#include "pflash/le.h"

char *
journal_path(const char *vars)
{
	char *path;

	return asprintf(&path, "%s.journal", vars) < 0 ? NULL : path;
}

static int
journal_init(struct journal *journal, const struct sys *sys, const char *vars,
	     struct error *err)
{
	memset(journal, 0, sizeof(*journal));
	journal->file.sys = sys;
	journal->file.fd = -1;
	journal->path = journal_path(vars);
	if (!journal->path)
		return error_errno(err, ENOMEM, "%s", vars);
	journal->file.path = journal->path;
	return 0;
}

int
journal_open(struct journal *journal, const struct sys *sys, const char *vars,
	     int flags, struct error *err)
{
	int rc = journal_init(journal, sys, vars, err);

	if (!rc)
		rc = file_open(&journal->file, flags | O_NOFOLLOW, 0, err);
	if (rc)
		journal_close(journal);
	return rc;
}

static int
journal_create(struct journal *journal, const struct stat *vars,
	       struct error *err)
{
	int rc;

	rc = file_open(&journal->file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
		       S_IRUSR | S_IWUSR, err);
	return rc ? rc : file_own_like(&journal->file, vars, err);
}

int
journal_open_writer(struct journal *journal, const struct sys *sys,
		    const char *vars, const struct stat *vars_stat,
		    struct error *err)
{
	int rc = journal_init(journal, sys, vars, err);

	if (rc)
		return rc;
	rc = file_open(&journal->file, O_RDWR | O_NOFOLLOW, 0, err);
	if (rc == -ENOENT)
		rc = journal_create(journal, vars_stat, err);
	if (rc)
		journal_close(journal);
	return rc;
}

void
journal_close(struct journal *journal)
{
	file_close(&journal->file);
	free(journal->path);
	journal->path = NULL;
}

int
journal_read(const struct journal *journal, uint8_t **bytes, size_t *len,
	     struct error *err)
{
	struct stat st;
	int rc = file_stat(&journal->file, &st, err);

	if (rc)
		return rc;
	*len = (size_t)st.st_size;
	*bytes = malloc(*len + 1);
	if (!*bytes)
		return error_errno(err, ENOMEM, "%s: %zu bytes", journal->path,
				   *len);
	rc = file_read(&journal->file, *bytes, *len, 0, err);
	if (rc) {
		free(*bytes);
		*bytes = NULL;
	}
	return rc;
}

int
journal_resume(struct journal *journal, const uint8_t *bytes,
	       const struct scan *scan, struct error *err)
{
	int rc;

	journal->salt = scan->salt;
	journal->sequence = scan->sequence;
	journal->chain = scan->chain;
	journal->length = scan->end;
	rc = file_truncate(&journal->file, scan->end, err);
	if (!rc)
		rc = file_write(&journal->file, bytes, scan->end, 0, err);
	return rc ? rc : journal_sync(journal, err);
}

static void
encode_header(uint8_t *p, uint64_t image_size, uint64_t salt, uint32_t base)
{
	memset(p, 0, JOURNAL_HEADER_SIZE);
	memcpy(p, JOURNAL_MAGIC, 8);
	put_le32(p + 8, JOURNAL_VERSION);
	put_le32(p + 12, JOURNAL_HEADER_SIZE);
	put_le64(p + 16, image_size);
	put_le64(p + 24, salt);
	put_le32(p + 32, base);
	put_le32(p + 60, crc32c(0, p, 60));
}

int
journal_reset(struct journal *journal, uint64_t image_size, uint32_t base,
	      struct error *err)
{
	uint8_t header[JOURNAL_HEADER_SIZE];
	uint64_t salt;
	int rc;

	if (getrandom(&salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
		return error_errno(err, errno, "%s: getrandom", journal->path);
	encode_header(header, image_size, salt, base);
	rc = file_truncate(&journal->file, 0, err);
	if (!rc)
		rc = file_sync(&journal->file, err);
	if (!rc)
		rc = file_write(&journal->file, header, sizeof(header), 0, err);
	if (!rc)
		rc = file_sync(&journal->file, err);
	if (rc)
		return rc;
	journal->salt = salt;
	journal->sequence = 0;
	journal->durable = 0;
	journal->length = sizeof(header);
	journal->chain = get_le32(header + 60);
	return 0;
}

static uint64_t
realtime_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now))
		return 0;
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
encode_record(const struct journal *journal, enum record_type type, uint8_t *p,
	      uint32_t length)
{
	memcpy(p, RECORD_MAGIC, 4);
	put_le32(p + 4, type);
	put_le64(p + 8, journal->salt);
	put_le64(p + 16, journal->sequence + 1);
	put_le64(p + 24, journal->durable);
	put_le64(p + 32, realtime_ns());
	put_le32(p + 40, length);
	put_le32(p + 44, crc32c(0, p, 44));
}

int
journal_append(struct journal *journal, enum record_type type, uint8_t *record,
	       uint32_t length, struct error *err)
{
	size_t body = RECORD_HEADER_SIZE + (size_t)length;
	uint32_t chain;
	int rc;

	encode_record(journal, type, record, length);
	chain = crc32c(journal->chain, record, body);
	put_le32(record + body, chain);
	rc = file_write(&journal->file, record, body + RECORD_CHAIN_SIZE,
			journal->length, err);
	if (rc)
		return rc;
	journal->sequence++;
	journal->chain = chain;
	journal->length += body + RECORD_CHAIN_SIZE;
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
