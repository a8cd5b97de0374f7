/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store: a VARS file, its journal, and the current image in memory.
 * docs/format.md specifies the files.
 *
 * The image is the content of the flash.  store_program() and store_erase()
 * change the image and add the change to the open burst.  store_commit()
 * appends the open burst to the journal as one record and, depending on the
 * sync mode, makes it durable (on stable storage).  After a crash, a burst has
 * taken effect either completely or not at all.  A checkpoint writes the
 * changed blocks to the VARS file: when the journal exceeds a size limit, when
 * the guest is quiet (store_settle()), and when the store is closed.  Bursts
 * stay in the journal as history.
 *
 * Failures: the first failed write or sync of the journal or the VARS file
 * makes the store read-only until it is closed.  The store undoes the open
 * burst in the image, so the image has the committed bursts and no others.
 * Every later change returns the -errno of the first failure.  The store never
 * retries: after a failed fsync(2) the kernel may have dropped the dirty pages.
 *
 * Units: offsets and lengths are in bytes, offsets from the start of the image.
 * Errors: a function with a `struct error *` writes one sentence to it when it
 * returns -errno.  For the other functions see store_failure().
 * Threads: a store must not be used by two threads at once.
 */
#ifndef PFLASH_STORE_H
#define PFLASH_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"
#include "pflash/files.h"
#include "pflash/sys.h"

/*
 * The largest image: the largest power of two that fits between the x86 local
 * APIC page (0xfee00000) and 4 GiB.
 */
#define STORE_MAX_SIZE (16u << 20)

enum store_sync {
	STORE_SYNC_BURST, /* store_commit() returns when the burst is durable */
	STORE_SYNC_OP,    /* every program and erase is a burst of its own */
	STORE_SYNC_NONE,  /* store_commit() writes but does not sync */
	/*
	 * store_commit() returns when the burst is durable, if it changes what
	 * the next boot of the firmware will see (pflash/effective.h).  Every
	 * other burst is written, becomes durable with the next one that must
	 * be, and may wait: store_unsynced(), store_sync().  While the variable
	 * store of the image is not understood: as STORE_SYNC_BURST.
	 */
	STORE_SYNC_VARIABLE,
};

/* How much history the journal keeps: bursts that VARS already has. */
struct store_history {
	/*
	 * Size of the kept records; 0: none.  The journal may exceed this limit
	 * by 256 KiB, because dropping records means writing a new file.
	 */
	uint64_t bytes;
	uint64_t seconds; /* the greatest age of a record; 0: any age */
};

#define STORE_HISTORY_BYTES (1u << 20)

/*
 * Parses the argument of --history: "0", a size ("512K", "1M"), or an age
 * ("12h", "30d", "8w").  With an age, `bytes` becomes STORE_HISTORY_MOST.
 * -EINVAL with a sentence.
 */
int store_history_parse(struct store_history *history, const char *text,
			struct error *err);

#define STORE_HISTORY_MOST (64u << 20)

struct pins;

/* The result of the recovery, for the log. */
struct store_recovery {
	uint64_t bursts;        /* replayed from the journal */
	uint64_t dropped_bytes; /* bytes of the torn tail, now removed */
};

/*
 * Where the journal ends: the record that was appended last, and the one that
 * is being appended.  The chain (docs/format.md) identifies all records up to
 * that one.  Sequence number 0: no record.
 */
struct store_trail {
	struct {
		uint64_t sequence;
		uint32_t chain;
		uint32_t reserved;
	} end[2];
};

struct store_config {
	/*
	 * The files, borrowed until store_close().  NULL: the store makes its
	 * own with files_local() from `path` and `journal`.
	 */
	struct files *files;
	const char *path;    /* the VARS file; borrowed during store_open() */
	const char *journal; /* NULL: path.journal; a device needs a path */
	uint32_t size;       /* of the flash; 0: the size of the file */
	/*
	 * The store writes nothing, shares the lock with other readers, and
	 * every change fails with -EROFS.
	 */
	bool read_only;
	/*
	 * Accept a VARS file that was modified outside pflashd, as
	 * store_accept() does, but only if VARS had all bursts of the journal.
	 * Also accept a VARS file whose size has changed; its history is lost.
	 */
	bool accept;
	/*
	 * Open a flash that waits for its guest: one that has arrived with it
	 * (store_receive()), or that was lent (store_send()).  The files stay
	 * as they are and the store is released, as by store_release();
	 * store_retake() makes it the flash of this host.
	 */
	bool takes_arrived, takes_lent;
	enum store_sync sync;
	uint32_t journal_limit; /* bytes; above: checkpoint.  0: default */
	const struct store_history *history; /* NULL: STORE_HISTORY_BYTES */
	uint32_t burst_limit; /* bytes; above: commit.  0: default */
	/*
	 * Memory for the open burst, STORE_BURST_ROOM(burst_limit) bytes,
	 * borrowed until store_close().  If this memory outlives the process,
	 * the next process can continue the burst: store_resume_burst().
	 * NULL: the store allocates its own memory.
	 */
	void *burst;
	/*
	 * Memory in which the store notes the end of the journal, borrowed
	 * until store_close().  If it has the end of an earlier process,
	 * store_open() fails with -ESTALE if another process has committed a
	 * burst since, or if the earlier process's last ones are lost: a guest
	 * cannot continue with the flash.  NULL: nothing is noted.
	 */
	struct store_trail *trail;
	/*
	 * store_rewrite() adds the result of its recovery to this; may be NULL.
	 */
	struct store_recovery *recovered;
	/*
	 * Called once, when the store becomes read-only because of a failure,
	 * before the failed function returns.  store_open() does not call it.
	 * May be NULL.
	 */
	void (*on_failure)(void *opaque);
	/*
	 * Variables that no burst may change, borrowed until store_close();
	 * pins_start() has seen the image.  NULL: none.
	 */
	struct pins *pins;
	/*
	 * Called when a burst was undone because of them, with the sentence,
	 * before the function returns -EPERM.  May be NULL.
	 */
	void (*on_refusal)(void *opaque, const char *why);
	void *opaque; /* the argument of both functions */
	/*
	 * System calls on descriptors and, where `files` is NULL, on names.
	 * NULL: sys_kernel.
	 */
	const struct sys *sys;
};

/*
 * The memory for an open burst of at most `limit` bytes.  No single change may
 * then be longer than STORE_CHANGE_MOST bytes.
 */
#define STORE_CHANGE_MOST 4096u
#define STORE_BURST_ROOM(limit) ((limit) + STORE_CHANGE_MOST + 64u)

/* The defaults of journal_limit and burst_limit. */
#define STORE_JOURNAL_LIMIT (1u << 20)
#define STORE_BURST_LIMIT (1u << 20)

struct store;

/*
 * Opens an existing VARS file, locks it (an exclusive open file description
 * lock), replays its journal, makes the result durable, and makes a checkpoint
 * of the replayed bursts.  Creates the journal if there is none.  `found` may
 * be NULL.  The caller closes *out with store_close().
 * -EBUSY: another process has the lock; the sentence has its pid if possible.
 * -EUCLEAN: the journal is damaged before its tail, or does not belong to this
 * VARS file; neither file is changed.
 * -EINVAL: the size is not a multiple of 4 KiB, is 0, is above STORE_MAX_SIZE
 * or is not config->size.
 * -EMLINK: the file has hard links, and the journal's path was not given.
 * -EREMCHG: the flash was moved away, or its move to this place was
 * interrupted; the sentence names the flash to use.
 * Otherwise the -errno of a system call.
 */
int store_open(struct store **out, const struct store_config *config,
	       struct store_recovery *found, struct error *err);

/*
 * Accepts a VARS file that was modified outside pflashd: the difference from
 * the last image becomes a burst of the history.  Bursts that VARS did not have
 * yet stay in the history, but not in the image.  *changed is false if there
 * was no difference.  Errors as for store_open(); -EUCLEAN also if the journal
 * is damaged, which this function does not repair.
 */
int store_accept(const struct store_config *config, bool *changed,
		 struct error *err);

/* The names of the files that store_rescue() kept; NULL: not necessary. */
struct store_kept {
	char *vars;
	char *journal;
};

/*
 * Puts the image, `size` bytes, into VARS, whatever VARS and the journal hold;
 * VARS may be missing if there is a journal.  The history of the journal stays,
 * as far as it can be read and its images have this size, and the image becomes
 * its newest point.  A VARS file with other contents is kept under another
 * name, and so is a copy of a journal of which anything is lost.  Uses files,
 * path, journal, history and sys of the configuration.  store_kept_free() is
 * due in any case.  Errors as for store_open(); a call that failed can be
 * repeated.
 */
int store_rescue(const struct store_config *config, const uint8_t *image,
		 uint32_t size, struct store_kept *kept, struct error *err);
void store_kept_free(struct store_kept *kept);

/*
 * Checks whether store_open() would succeed, by the VARS file alone: 0, or the
 * -errno and the sentence of store_open().  Changes nothing and leaves the file
 * unlocked.
 */
int store_check_free(const struct store_config *config, struct error *err);

/*
 * Creates a VARS file with the contents `image`, config->size bytes.  The
 * creation is atomic and durable: after a crash the file exists with all of
 * the image, or does not exist.  -EEXIST: the file exists.  -EUCLEAN: the
 * journal, the state or the queue of an earlier VARS file exists.
 */
int store_create(const struct store_config *config, const void *image,
		 struct error *err);

/*
 * Prepares the block device or regular file config->path, which exists, to have
 * a whole flash: the image, config->size bytes, at its start, and behind it all
 * other files, of which there are none yet (docs/format.md, section "A complete
 * device").  After a crash it is complete, or no complete device.  -EEXIST: it
 * is not blank, and `replace` is false; -ENOSPC: it is too small, the sentence
 * says what it needs; -EBUSY: another process has a lock.
 */
int store_create_device(const struct store_config *config, const void *image,
			bool replace, struct error *err);

/* The files on a complete device, in bytes. */
struct store_areas {
	uint64_t used[FILES_ROLES]; /* 0: there is no such file */
	uint64_t room[FILES_ROLES];
};

/*
 * Finds out how much each file takes of its room, without a lock: 1; 0: VARS is
 * no complete device.  -EUCLEAN: it is damaged.
 */
int store_measure(const struct store_config *config, struct store_areas *areas,
		  struct error *err);

/*
 * Checks whether store_create() would find the names free: 0, or its -errno and
 * sentence.  Changes nothing.
 */
int store_check_new(const struct store_config *config, struct error *err);

/*
 * Moves a flash: VARS, journal and saved state, with the history, owner and
 * mode, from the names of `from` to those of `to`, which must be free.  Of
 * struct store_config, `files`, `path`, `journal`, `size` and `sys` are used.
 * A crash at any moment leaves the whole flash at one of the two places, or at
 * both; then store_open() refuses at least one of them with a sentence that
 * names the other, and the same call again completes the move
 * (docs/format.md).
 * -EEXIST, -EUCLEAN: the target has a file.  -EBUSY: a process uses the flash.
 * -EREMCHG: `from` was moved to another place.  -EINVAL: a block device, or
 * both places have a file in common.  Other errors as for store_open().
 */
int store_move(const struct store_config *from, const struct store_config *to,
	       struct error *err);

/*
 * Undoes a move from here that was interrupted after `from` has ceased to be
 * the flash, or a transfer, for a target that is lost: puts back the journal.
 * The target must not be used any more.  *undone is false if there was no such
 * move; then 0.
 */
int store_move_undo(const struct store_config *config, bool *undone,
		    struct error *err);

/*
 * Creates a VARS file at `to` with the current image of `from`, its owner and
 * its mode, but without its history and its saved state.  Another process may
 * use `from` at the same time.  Creation as by store_create(), errors as for
 * store_create() and store_export().
 */
int store_clone(const struct store_config *from, const struct store_config *to,
		struct error *err);

/* The number of a transfer: random bytes, and as text with its NUL byte. */
#define STORE_TRANSFER_ID 16
#define STORE_TRANSFER_TEXT (2 * STORE_TRANSFER_ID + 1)

/* Bytes of the beginning of a stream that store_transfer_length() needs. */
#define STORE_TRANSFER_HEADER 64

/* Takes the bytes of a stream.  write() returns 0; or -errno and sets *err. */
struct store_sink {
	int (*write)(void *opaque, const void *bytes, size_t len,
		     struct error *err);
	void *opaque;
};

/* With or without the guest. */
enum store_travel {
	STORE_ALONE,
	/*
	 * The guest is suspended and migrates, and either host may be the one
	 * where it goes on.  store_send() lends the flash: a store that was
	 * released takes it back by store_retake().  A flash that is received
	 * so has arrived, and is none before store_retake() of a store with
	 * takes_arrived.
	 */
	STORE_WITH_GUEST,
};

/*
 * Writes the whole flash, with history, saved state, queue and pins, to `sink`,
 * for store_receive() on another host.  When the stream is whole, the flash
 * here is none any more: store_open() refuses it with a sentence that has the
 * number of the transfer, `id`, until store_move_undo() takes it back.  After
 * an error of the last write() the flash has left, too, because the receiver
 * may have the whole stream; the caller sees this by a second call: -EREMCHG.
 * -EBUSY: a process uses the flash.  -EREMCHG: it was moved or sent.  Other
 * errors as for store_open().
 */
int store_send(const struct store_config *config, enum store_travel travel,
	       const struct store_sink *sink, char id[STORE_TRANSFER_TEXT],
	       struct error *err);

/* The length of the stream that begins so; 0: it is no stream, or too long. */
uint64_t store_transfer_length(const void *header);

/*
 * Creates a flash from the stream, of `len` bytes, which it may change.  The
 * place must be free, or have a flash that was sent from there, or one that has
 * arrived.  After a crash there is no flash, or all of it, or one that the same
 * call, or the command in the sentence of store_open(), completes.
 * -EUCLEAN: the stream is not whole or its flash needs a repair, or the place
 * is not free.  -EEXIST: a flash is there.
 */
int store_receive(const struct store_config *to, enum store_travel travel,
		  void *stream, size_t len, char id[STORE_TRANSFER_TEXT],
		  struct error *err);

/*
 * Finds out whether store_receive() with the guest would find its place free:
 * 1; 0: a flash is there.  -EREMCHG: a flash is being moved there.
 */
int store_awaits(const struct store_config *to, struct error *err);

/*
 * Removes a flash: VARS, journal, saved state, queue and pins, durably.  Their
 * contents may be damaged.  After a crash the same call removes the rest.
 * -ENOENT: there is none of these files.  -EBUSY: a process uses the flash.
 * -EREMCHG: it is being moved; a flash that was sent is removed.  -EINVAL: a
 * block device.  -EMLINK: VARS has other names.
 */
int store_remove(const struct store_config *config, struct error *err);

/*
 * Reads the current image from VARS and its journal.  Takes no lock and changes
 * neither file; a daemon may write both at the same time.  Errors as for
 * reader_open() (pflash/reader.h).  The caller frees *image with free().
 */
int store_export(const struct sys *sys, const char *path, uint8_t **image,
		 size_t *size, struct error *err);

/*
 * The image, store_size() bytes.  It belongs to the store; its address does not
 * change until store_close().
 */
const uint8_t *store_image(const struct store *store);
uint32_t store_size(const struct store *store);

/* CRC32C of the image; of any image. */
uint32_t store_checksum(const struct store *store);
uint32_t store_checksum_of(const uint8_t *image, size_t size);

/* The name of the VARS file for messages: its path, without symbolic links. */
const char *store_path(const struct store *store);

/*
 * Set the range [off, off + len) of the image to `bytes`, or to 0xff, and add
 * the change to the open burst.  The caller has applied the rules of NOR flash
 * to `bytes`.  A burst that exceeds burst_limit is committed.
 * -EINVAL: the range is outside of the image; -EBUSY: the files are released;
 * otherwise 0, or the -errno that made the store read-only.
 */
int store_program(struct store *store, uint32_t off, const void *bytes,
		  uint32_t len);
int store_erase(struct store *store, uint32_t off, uint32_t len);

/*
 * Replaces the whole image by `image`, in the open burst; store_commit()
 * commits it.  The store's burst_limit must be STORE_MAX_SIZE.  Errors as for
 * store_program().
 */
int store_replace(struct store *store, const uint8_t *image);

/*
 * Fills `image`, store_size() bytes, with new contents.  Returns 1: write them;
 * 0: change nothing; -errno with a sentence.
 */
typedef int store_edit(void *opaque, const struct store *store, uint8_t *image,
		       struct error *err);

/*
 * Opens the store, replaces its image by the image from edit(), as one burst of
 * the history, and closes the store.  Ignores `burst`, `burst_limit` and
 * `on_failure` of `config`.  Returns 0, or the -errno of store_open(), of
 * edit() or of the change.  -EIO: the journal has the change, but the VARS file
 * could not be updated.
 */
int store_rewrite(const struct store_config *config, store_edit *edit,
		  void *opaque, struct error *err);

/* The change of a VARS file to another size. */
struct store_resize {
	uint32_t size;      /* of the new image */
	const char *suffix; /* of the names of the files that are kept: ".2m" */
	store_edit *edit;   /* as for store_rewrite(), with `size` bytes */
	void *opaque;       /* the argument of edit() */
	/* The journal of the new file, borrowed; NULL: it has none. */
	const uint8_t *journal;
	size_t journal_len;
};

/*
 * Opens the store, and replaces VARS by a file of another size, which has the
 * image from edit(), the owner and mode of the old file, and the journal of
 * `resize`.  The former VARS and its journal are kept: as VARS.SUFFIX and
 * VARS.SUFFIX.journal, or with a number behind the suffix if one of these names
 * is in use.  *kept is the path of the kept VARS, which the caller frees; NULL
 * if nothing was replaced.  The saved state stays.
 *
 * A crash at any moment leaves the old or the new VARS, complete and durable.
 * The old one may then have lost its journal, and with it its history, to the
 * kept files.  If the new file has a journal, the crash can leave this journal
 * beside the old VARS, which store_open() refuses; the same call completes the
 * change.  It also completes one to which only the journal is missing.  edit()
 * then gets NULL for the store, and *kept is NULL, as these files were kept by
 * the call that was interrupted.
 *
 * `config->files` must be NULL or from files_local().  Errors as for
 * store_rewrite(); -EINVAL: VARS is not a regular file; -EMLINK: it has hard
 * links, even if the journal's path was given; -EIO: VARS is the new file, but
 * its name may not be durable.
 */
int store_resize(const struct store_config *config,
		 const struct store_resize *resize, char **kept,
		 struct error *err);

/* The store has no pins any more; the caller may free those of its config. */
void store_unpin(struct store *store);

/*
 * Commits the open burst.  0 also if there is none; -EPERM: it would change a
 * pinned variable, was undone, and the store goes on; or the -errno that made
 * the store read-only.  store_program() and store_erase() return -EPERM, too,
 * if they commit.
 */
int store_commit(struct store *store);

/*
 * With STORE_SYNC_VARIABLE: the sequence number of the first burst that was
 * committed and is not durable.  0: there is none, or the mode is another one.
 */
uint64_t store_unsynced(const struct store *store);

/*
 * Makes the bursts from store_unsynced() on durable, and leaves the open burst
 * open.  0 also if there are none; or the -errno that made the store read-only.
 */
int store_sync(struct store *store);

/*
 * The mode in effect now: STORE_SYNC_BURST instead of STORE_SYNC_VARIABLE while
 * the variable store of the image is not understood.
 */
enum store_sync store_sync_mode(const struct store *store);

/*
 * The position of the open burst in its memory (struct store_config, `burst`)
 * and in the journal: another process continues the burst from it.  Every
 * offset and length counts bytes of the burst's payload (docs/format.md).
 */
struct store_open_burst {
	uint64_t sequence;  /* of the last record before the burst */
	uint32_t length;    /* of the payload */
	uint32_t operation; /* offset of the last operation in the payload */
	uint32_t next;      /* image offset at which it grows, or UINT32_MAX */
	uint32_t chain;     /* of the record `sequence`; 0: unknown */
};

void store_note_burst(const struct store *store,
		      struct store_open_burst *burst);

/*
 * Continues the burst of another process.  To be called after store_open() and
 * before any change.  Does nothing and returns 0 if the burst was committed, or
 * if it was noted for another journal.  -EINVAL: the memory does not hold a
 * burst of this store; otherwise the -errno of reading the journal.  After an
 * error the image is unchanged and no burst is open.
 */
int store_resume_burst(struct store *store,
		       const struct store_open_burst *burst);

/* Counts since store_open(). */
struct store_stats {
	uint64_t bursts;      /* committed */
	uint64_t checkpoints; /* of the journal into VARS */
	uint64_t written;     /* bytes, in whole blocks of 4 KiB */
	uint64_t syncs;       /* fdatasync(2) of journal, VARS and state */
	uint64_t refused;     /* bursts undone because of pinned variables */
};

/* The counters belong to the store and stay current. */
const struct store_stats *store_stats(const struct store *store);

/* True if there is an open burst that store_commit() would write. */
bool store_pending(const struct store *store);

/* 0, or the -errno that made the store read-only. */
int store_failed(const struct store *store);

/*
 * The sentence for that failure: the file and the reason; "" without a
 * failure.  It belongs to the store.
 */
const char *store_failure(const struct store *store);

/*
 * The saved state: the contents of FILE.state.  The store does not interpret
 * the record or the tag; src/ioreq/saved.c does.
 */
#define STORE_TAG_SIZE 96 /* bytes, with the '\0' */
#define STORE_STATE_MAX 10240

struct store_state {
	char tag[STORE_TAG_SIZE]; /* text: the guest that owns the record */
	size_t len;               /* of the record; 0: no saved state */
	uint8_t record[STORE_STATE_MAX];
};

/*
 * Replaces the saved state atomically; it is durable on return.  With len 0
 * removes the file.  Also works after the store has failed.  -EBUSY: the files
 * are released; otherwise the -errno of a system call.
 */
int store_save_state(struct store *store, const struct store_state *state,
		     struct error *err);

/*
 * Reads the saved state; len is 0 if there is none.  -EUCLEAN: FILE.state is
 * damaged.
 */
int store_load_state(const struct store *store, struct store_state *state,
		     struct error *err);

/*
 * Commits the open burst and makes a checkpoint: VARS then has the image.
 * 0, or the -errno that made the store read-only.
 */
int store_checkpoint(struct store *store);

/*
 * True if the journal has a burst that VARS does not have, and store_settle()
 * would change that.  False while a burst is open, after a failure, and while
 * the files are released.
 */
bool store_behind(const struct store *store);

/*
 * Makes a checkpoint while the guest is quiet, so that VARS alone has all
 * bursts; does nothing unless store_behind().  It is called often, so it writes
 * a new journal, without old history, at most once for each 256 KiB; the rest
 * is dropped by the next store_checkpoint() or store_close().  0, or the -errno
 * that made the store read-only.
 */
int store_settle(struct store *store);

/*
 * Releases the files while the guest is suspended, because the guest may
 * resume under another pflashd: makes a checkpoint and closes both files,
 * which unlocks them.  Until store_retake() the store does not access the
 * files, changes fail with -EBUSY, and the image stays.  The files are released
 * even if the function returns an error: the -errno that made the store
 * read-only, or of reading FILE.state.
 */
int store_release(struct store *store, struct error *err);
bool store_released(const struct store *store);

/*
 * Opens the released files again, as store_open() does.  To be called before
 * the guest's next access.
 * -EBUSY: another process has the lock.  The store stays released and the
 * caller may try again; with `last` the store becomes read-only instead.
 * -ESTALE: the image or the saved state has changed.  The store becomes
 * read-only, and no file was changed.
 * Otherwise the -errno of store_open(); the store becomes read-only.
 */
int store_retake(struct store *store, bool last, struct error *err);

/*
 * Makes a checkpoint, unlocks the files and frees the store, even if it returns
 * the -errno of the checkpoint.
 */
int store_close(struct store *store);

/* Checks the invariants of the store, for tests; false: one is violated. */
bool store_verify(const struct store *store);

#endif
