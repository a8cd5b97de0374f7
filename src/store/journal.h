/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The journal on disk, and its writer.  docs/format.md is the specification;
 * this is its short form.  All integers are little-endian; there is no
 * padding between records.
 *
 *	header (64 bytes)			record (48 + length + 4 bytes)
 *	 0  8 "PFLASHJ1"			 0  4 "PFJR"
 *	 8  4 version, 2			 4  4 type, enum record_type
 *	12  4 header length, 64			 8  8 salt, that of the header
 *	16  8 size of the image			16  8 sequence number
 *	24  8 salt				24  8 durable
 *	32  8 first: sequence before them all	32  8 CLOCK_REALTIME, ns
 *	40 20 zero				40  4 length of the payload
 *	60  4 CRC32C of 0..59			44  4 CRC32C of 0..43
 *						48  n payload
 *						    4 chain
 *
 * The chain is the CRC32C of record header, but for its own CRC, and payload,
 * continued from the chain of the record before, and for the first record from
 * the header's CRC.
 * `durable` is the highest sequence number that was on stable storage when the
 * record was written.  A burst is a list of operations:
 *
 *	 0  4 offset in the image
 *	 4  4 length; bit 31 set: erase (to 0xff), clear: program
 *	 8  n the bytes of a program
 *
 * A snapshot, which only the first record may be, is the operations that make
 * the whole image from nothing.  The payload of checkpoint and done is 4 bytes,
 * the CRC32C of the image with all records before it: a checkpoint is durable
 * before the first byte of VARS is written, a done record says that VARS is.
 *
 * A journal file is made whole under another name, with at least one done
 * record in it, and renamed; it then only grows.
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include <stdbool.h>

#include "io.h"

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

struct journal {
	struct file file;
	struct files *files; /* borrowed */
	uint64_t salt;
	uint64_t sequence;      /* of the last record */
	uint64_t durable;       /* the last one known to be on stable storage */
	uint64_t length;        /* bytes */
	uint64_t history_start; /* offset of the first burst of the history */
	uint64_t done;          /* behind the last done record */
	uint32_t chain;
};

/* What a record is made of, but for the payload. */
struct record_header {
	enum record_type type;
	uint64_t salt;
	uint64_t sequence;
	uint64_t durable;
	uint64_t time; /* CLOCK_REALTIME, ns */
	uint32_t length;
};

void journal_encode_header(uint8_t *p, uint64_t image_size, uint64_t salt,
			   uint64_t first);
void journal_encode_record(uint8_t *p, const struct record_header *header);

/*
 * The chain of a record with `length` bytes of payload, behind `chain`.  The
 * header's own CRC is left out: whatever is followed by its CRC moves another
 * CRC of the same polynomial by a constant, and the chain would not depend on
 * the header at all.
 */
uint32_t journal_chain(uint32_t chain, const uint8_t *record, uint32_t length);

/* Now, as records have it. */
uint64_t journal_time(void);

/*
 * Opens it, and to write it, locks it; -ENOENT if there is none, which can be
 * made then; -EBUSY if another VARS file's server writes it.
 */
int journal_open(struct journal *journal, const struct sys *sys,
		 struct files *files, bool write, struct error *err);

void journal_close(struct journal *journal);

/* The whole file; *bytes is malloc()ed and the caller's. */
int journal_read(const struct journal *journal, uint8_t **bytes, size_t *len,
		 struct error *err);

/*
 * Continues after the last valid record of `bytes`: drops what follows it and
 * writes the rest anew.  What was read may be in the page cache only, left
 * there by a process whose fsync failed, and from now on counts as durable.
 */
int journal_resume(struct journal *journal, const uint8_t *bytes,
		   const struct scan *scan, struct error *err);

/*
 * Puts a whole new journal in the place of what there is, or is not.  *renamed
 * tells which one lies there after a failure; the old one can go on if it is
 * not set.
 */
int journal_replace(struct journal *journal, const uint8_t *bytes,
		    const struct scan *scan, bool *renamed, struct error *err);

/*
 * Appends a record in one write.  `record` has room for the record header,
 * `length` bytes of payload, and room for the chain.
 */
int journal_append(struct journal *journal, enum record_type type,
		   uint8_t *record, uint32_t length, struct error *err);

/* Makes every record so far durable. */
int journal_sync(struct journal *journal, struct error *err);

#endif
