/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal file and its writer, private to src/store.  docs/format.md is the
 * specification of the file; here is a summary.  All integers are
 * little-endian.  There is no padding between records.
 *
 *	header (64 bytes)			record (48 + length + 4 bytes)
 *	 0  8 "PFLASHJ1"			 0  4 "PFJR"
 *	 8  4 version, 2			 4  4 type, enum record_type
 *	12  4 header length, 64			 8  8 salt of the header
 *	16  8 size of the image			16  8 sequence number
 *	24  8 salt, random			24  8 durable
 *	32  8 first: sequence before record 1	32  8 CLOCK_REALTIME, ns
 *	40 20 zero				40  4 length of the payload
 *	60  4 CRC32C of 0..59			44  4 CRC32C of 0..43
 *						48  n payload
 *						    4 chain
 *
 * The chain is the CRC32C of the record header (without its CRC) and the
 * payload.  It continues the chain of the previous record, or for the first
 * record the CRC of the journal header.  `durable` is the highest sequence
 * number that was on stable storage when the record was written.  The payload
 * of a burst is a list of operations:
 *
 *	 0  4 offset in the image
 *	 4  4 length; bit 31 set: erase (to 0xff), clear: program
 *	 8  n the bytes of a program
 *
 * A snapshot is a list of operations that makes the whole image; only the first
 * record may be a snapshot.  The payload of a checkpoint or done record is the
 * CRC32C of the image after all records before it, 4 bytes.  A checkpoint
 * record is durable before the first byte of VARS is written; a done record
 * states that VARS is durable.
 *
 * A new journal file is written completely under another name, with at least
 * one done record, and then renamed.  From then on it only grows.
 *
 * Errors: functions return 0, or -errno with a sentence that begins with the
 * path of the journal.  After a failed write or sync the caller must not use
 * the journal again (fsync(2)).
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include <stdbool.h>

#include "io.h"

struct store_config;

#define JOURNAL_MAGIC "PFLASHJ1"
#define JOURNAL_VERSION 2u
#define JOURNAL_HEADER_SIZE 64u

#define RECORD_MAGIC "PFJR"
#define RECORD_HEADER_SIZE 48u
#define RECORD_CHAIN_SIZE 4u

#define OPERATION_HEADER_SIZE 8u
#define OPERATION_ERASE (UINT32_C(1) << 31)

enum record_type {
	RECORD_BURST = 1,
	RECORD_CHECKPOINT = 2,
	RECORD_SNAPSHOT = 3,
	RECORD_DONE = 4,
};

struct scan;
struct store_trail;
struct vars;

struct journal {
	struct file file;
	struct files *files; /* borrowed */
	uint64_t salt;
	uint64_t sequence;      /* of the last record */
	uint64_t durable;       /* sequence of the last durable record */
	uint64_t length;        /* of the file, in bytes */
	uint64_t history_start; /* offset of the first burst of the history */
	uint64_t done;          /* offset behind the last done record */
	uint32_t chain;         /* of the last record */
	struct store_trail *trail; /* of store_config; NULL: none */
	unsigned int noted;        /* trail->end[noted] is the last record */
};

/* The fields of a record header. */
struct record_header {
	enum record_type type;
	uint64_t salt;
	uint64_t sequence;
	uint64_t durable;
	uint64_t time;   /* CLOCK_REALTIME, ns since 1970 */
	uint32_t length; /* of the payload, in bytes */
};

/* Write a header at `p`: JOURNAL_HEADER_SIZE or RECORD_HEADER_SIZE bytes. */
void journal_encode_header(uint8_t *p, uint64_t image_size, uint64_t salt,
			   uint64_t first);
void journal_encode_record(uint8_t *p, const struct record_header *header);

/*
 * Computes the chain of a record with `length` bytes of payload; `chain` is the
 * chain of the previous record.  The chain omits the CRC of the record header:
 * a CRC over bytes and their own CRC does not depend on the bytes.
 */
uint32_t journal_chain(uint32_t chain, const uint8_t *record, uint32_t length);

/* The current time in the format of a record; 0 if the clock fails. */
uint64_t journal_time(void);

/*
 * Opens the journal; with `write`, for which the caller has the lock on VARS,
 * also locks it, and removes unfinished files before.  -ENOENT: there is none,
 * and journal_replace() can make one.  -EBUSY: another process has the lock or
 * has replaced the journal.
 */
int journal_open(struct journal *journal, const struct sys *sys,
		 struct files *files, bool write, struct error *err);

void journal_close(struct journal *journal);

/*
 * Reads the whole file.  The caller frees *bytes with free().  -EREMCHG: the
 * file is the note of a move (movenote.h).
 */
int journal_read(const struct journal *journal, uint8_t **bytes, size_t *len,
		 struct error *err);

/*
 * Like journal_read(), but a note of a kind in the configuration's `takes`
 * becomes *noted, its enum movenote_kind, and *bytes the journal that it has
 * replaced; NULL: there was none.  Otherwise *noted is 0.
 */
int journal_read_noted(const struct journal *journal,
		       const struct store_config *config, uint32_t *noted,
		       uint8_t **bytes, size_t *len, struct error *err);

/*
 * Prepares an existing journal for appending: truncates it behind the last
 * valid record of `bytes`, writes the valid bytes again and syncs.  The reason:
 * if the sync of an earlier process failed, these bytes may be in the page
 * cache only, and not on the disk.
 */
int journal_resume(struct journal *journal, const uint8_t *bytes,
		   const struct scan *scan, struct error *err);

/*
 * Writes a new journal file, and renames it over the old one, if there is one.
 * `scan` describes `bytes`.  After a failure, *replaced is true if the new file
 * has the name, perhaps not durably, or if the old one cannot be used any more.
 * If it is false, the old journal is intact and stays in use.  `vars` is the
 * VARS file whose lock protects the journal (docs/format.md, "Two hosts");
 * without that lock no journal is replaced.  NULL: VARS is new itself.
 */
int journal_replace(struct journal *journal, const struct vars *vars,
		    const uint8_t *bytes, const struct scan *scan,
		    bool *replaced, struct error *err);

/*
 * Appends a record with one write.  `record` has `length` bytes of payload at
 * RECORD_HEADER_SIZE; the function fills in the header before it and the chain
 * behind it.
 */
int journal_append(struct journal *journal, enum record_type type,
		   uint8_t *record, uint32_t length, struct error *err);

/*
 * Notes in the trail that the last record is the end of the journal; nothing of
 * a journal that is only read.
 */
void journal_note(struct journal *journal);

/* Makes all records durable. */
int journal_sync(struct journal *journal, struct error *err);

#endif
