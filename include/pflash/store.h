/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store: a VARS file, its journal, and the image of both in memory.
 *
 * The image is the authority on what the flash holds.  store_program() and
 * store_erase() change it and note the change in the burst that is open;
 * store_commit() appends that burst to the journal and, by the sync mode,
 * makes it durable.  A burst is on stable storage wholly or not at all.  What
 * the journal has is brought to the VARS file (a checkpoint) at a size limit
 * and when the store is closed, and stays in the journal as history.
 * docs/format.md specifies both.
 *
 * The first failure to write or sync the journal or the VARS file makes the
 * store read-only for the rest of its life: the burst that was open is undone
 * in the image, so that the image is what was committed, and every later
 * change returns the errno of that first failure.  Nothing is retried: after a
 * failed fsync(2) the kernel may have dropped the dirty pages.
 *
 * All offsets and lengths are bytes from the start of the image.  No function
 * here is safe against concurrent use of one store.
 */
#ifndef PFLASH_STORE_H
#define PFLASH_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/files.h"
#include "pflash/sys.h"

/* The largest image: what fits between 4 GiB and the x86 local APIC page. */
#define STORE_MAX_SIZE (16u << 20)

enum store_sync {
	STORE_SYNC_BURST, /* store_commit() returns when the burst is durable */
	STORE_SYNC_OP,    /* every program and erase is a burst of its own */
	STORE_SYNC_NONE,  /* bursts are written, not synced */
};

/* Which of the bursts that VARS has already the journal still keeps. */
struct store_history {
	/*
	 * Bytes of records, 0: none are kept.  Up to 256 KiB more may lie there
	 * until dropping them is worth a new file.
	 */
	uint64_t bytes;
	uint64_t seconds; /* and not older than this; 0: of any age */
};

#define STORE_HISTORY_BYTES (1u << 20)

/*
 * "0", a size ("512K", "1M"), or an age ("12h", "30d", "8w"), which has
 * STORE_HISTORY_MOST bytes at most.  -EINVAL with a sentence.
 */
int store_history_parse(struct store_history *history, const char *text,
			struct error *err);

#define STORE_HISTORY_MOST (64u << 20)

struct store_config {
	/* Borrowed for the life of the store; NULL: those of path, journal. */
	struct files *files;
	const char *path;    /* the VARS file; borrowed during store_open() */
	const char *journal; /* NULL: beside it; needed for a block device */
	uint32_t size;       /* of the flash; 0: that of the file or device */
	/*
	 * Nothing is written, others may read too, and every change fails with
	 * -EROFS.
	 */
	bool read_only;
	/*
	 * A VARS file that something else has changed is taken, as by
	 * store_accept(), if no burst is lost by that; also one of another
	 * size, and then the history is lost.
	 */
	bool accept;
	enum store_sync sync;
	uint32_t journal_limit; /* checkpoint above, in bytes; 0: default */
	const struct store_history *history; /* NULL: STORE_HISTORY_BYTES */
	uint32_t burst_limit; /* commit above, in bytes; 0: default */
	/*
	 * STORE_BURST_ROOM(burst_limit) bytes for the open burst, borrowed:
	 * memory that outlives this process.  NULL: the store's own.
	 */
	void *burst;
	/*
	 * Called once when the store becomes read-only (store_failed()), before
	 * the guest gets its answer; not by store_open().  May be NULL.
	 */
	void (*on_failure)(void *opaque);
	void *opaque;
	/* Of descriptors, and of names where `files` is NULL. */
	const struct sys *sys; /* NULL: sys_kernel */
};

/*
 * The room that the open burst takes when it may be that long, and no single
 * change is longer than STORE_CHANGE_MOST.
 */
#define STORE_CHANGE_MOST 4096u
#define STORE_BURST_ROOM(limit) ((limit) + STORE_CHANGE_MOST + 64u)

#define STORE_JOURNAL_LIMIT (1u << 20)
#define STORE_BURST_LIMIT (1u << 20)

/* What recovery found, for the operator's log. */
struct store_recovery {
	uint64_t bursts;        /* replayed from the journal */
	uint64_t dropped_bytes; /* of a torn tail */
};

struct store;

/*
 * Opens an existing VARS file for writing, takes an exclusive open file
 * description lock on it, and replays its journal.  `found` may be NULL.
 * -EBUSY: another process has it ("in use by pid N"); -EUCLEAN: the journal is
 * damaged before its tail or does not belong to this file: nothing is changed;
 * -EINVAL: the size is no whole number of 4 KiB blocks, zero or above
 * STORE_MAX_SIZE; -EMLINK: the file has several names; or the -errno of a
 * system call.
 */
int store_open(struct store **out, const struct store_config *config,
	       struct store_recovery *found, struct error *err);

/*
 * Takes a VARS file that something else has changed as it is: the change
 * becomes a burst of the history, and bursts that had not been brought to the
 * file remain there only.  *changed tells whether there was anything to take.
 * Errors as for store_open(); a damaged journal is not overcome.
 */
int store_accept(const struct store_config *config, bool *changed,
		 struct error *err);

/*
 * Could it be opened now, as far as the VARS file alone tells?  0, or the
 * -errno and the sentence of store_open().  Changes nothing.
 */
int store_check_free(const struct store_config *config, struct error *err);

/*
 * Creates a VARS file that must not yet exist (-EEXIST), atomically and
 * durably: it is there with all of `image`, which has config->size bytes, or
 * not at all.  -EUCLEAN: the journal of an earlier file lies where its journal
 * will be.
 */
int store_create(const struct store_config *config, const void *image,
		 struct error *err);

/*
 * Reads VARS plus journal without a lock and without changing either, also
 * while a daemon writes them.  *image is malloc()ed and the caller's.
 */
int store_export(const struct sys *sys, const char *path, uint8_t **image,
		 size_t *size, struct error *err);

/* The image, the store's own; valid and at one address until store_close(). */
const uint8_t *store_image(const struct store *store);
uint32_t store_size(const struct store *store);

/* CRC32C of the image. */
uint32_t store_checksum(const struct store *store);

/* The VARS file's name in messages: its path, without symbolic links. */
const char *store_path(const struct store *store);

/*
 * Sets [off, off + len) to `bytes`, or to 0xff.  -EINVAL outside the image;
 * otherwise 0, or the -errno with which the store became read-only.
 * An open burst larger than burst_limit is committed here.
 */
int store_program(struct store *store, uint32_t off, const void *bytes,
		  uint32_t len);
int store_erase(struct store *store, uint32_t off, uint32_t len);

/*
 * The whole image becomes this one, by one burst that is not committed yet; the
 * store's burst_limit must be STORE_MAX_SIZE.
 */
int store_replace(struct store *store, const uint8_t *image);

/*
 * Fills `image`, store_size() bytes, with new contents.  1: write them;
 * 0: change nothing; -errno with a sentence.
 */
typedef int store_edit(void *opaque, const struct store *store, uint8_t *image,
		       struct error *err);

/*
 * Opens the store, replaces its image by that of edit(), as one burst of the
 * history, and closes it.  Uses neither burst nor burst_limit of `config`.
 * Returns 0, or the -errno of store_open(), of edit() or of the change.  -EIO:
 * the journal has the change, but the VARS file could not be updated.
 */
int store_rewrite(const struct store_config *config, store_edit *edit,
		  void *opaque, struct error *err);

/* The barrier.  Nothing to do is success.  -errno as above. */
int store_commit(struct store *store);

/*
 * What is to be known of the open burst to go on with it in another process,
 * which has the memory it lies in: see struct store_config.
 */
struct store_open_burst {
	uint64_t sequence; /* of the last record before it */
	uint32_t length;
	uint32_t operation;
	uint32_t next;
	uint32_t chain; /* of that record, which tells journals apart; or 0 */
};

void store_note_burst(const struct store *store,
		      struct store_open_burst *burst);

/*
 * Goes on with it, after store_open(), before any change.  One that was
 * committed, or that was noted for another journal, is left alone.  -EINVAL:
 * this is no burst of this store, which is as before; so it is if its journal
 * cannot be read again, with the -errno of that.
 */
int store_resume_burst(struct store *store,
		       const struct store_open_burst *burst);

/* Since store_open(). */
struct store_stats {
	uint64_t bursts;      /* committed */
	uint64_t checkpoints; /* of the journal into VARS */
	uint64_t written;     /* bytes, in whole blocks of 4 KiB */
};

const struct store_stats *store_stats(const struct store *store);

/* Is there a burst that store_commit() would write? */
bool store_pending(const struct store *store);

/* 0, or the -errno with which the store became read-only. */
int store_failed(const struct store *store);

/* The sentence for that failure ("" if there was none): file and reason. */
const char *store_failure(const struct store *store);

/*
 * What the flash keeps beside its array, in FILE.state: a record of the
 * owner's, and a tag of the owner's that says whose it is.
 */
#define STORE_TAG_SIZE 96 /* with the '\0' */
#define STORE_STATE_MAX 8192

struct store_state {
	char tag[STORE_TAG_SIZE];
	size_t len; /* 0: nothing is kept */
	uint8_t record[STORE_STATE_MAX];
};

/*
 * Replaces what is kept, atomically; it is durable on return.  len 0 removes
 * it.  Works on a failed store too.  The -errno of a system call.
 */
int store_save_state(struct store *store, const struct store_state *state,
		     struct error *err);

/* -EUCLEAN: FILE.state is damaged. */
int store_load_state(const struct store *store, struct store_state *state,
		     struct error *err);

/* Folds the journal into the VARS file and empties it; commits first. */
int store_checkpoint(struct store *store);

/*
 * Lets go of the file, for the guest is suspended and may go on elsewhere:
 * checkpoints, and closes both files, which unlocks them.  Until
 * store_retake() nothing is read or written, changes fail with -EBUSY, and the
 * image stays.  The store has released them whatever it returns.
 */
int store_release(struct store *store, struct error *err);
bool store_released(const struct store *store);

/*
 * Takes the files again, as store_open() does, before the guest's next access.
 * If image or what is kept beside it is another one now (-ESTALE), or the file
 * cannot be opened, the store has failed, and nothing was written.  -EBUSY:
 * another process has it; the store is as before, unless this is the `last`
 * attempt: then it has failed, too.
 */
int store_retake(struct store *store, bool last, struct error *err);

/* Checkpoints, unlocks and frees.  The store is gone whatever it returns. */
int store_close(struct store *store);

/* Checks every invariant of the structure; false says it is broken. */
bool store_verify(const struct store *store);

#endif
