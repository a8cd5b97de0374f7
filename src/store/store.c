/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store has one image, with the open burst applied.  burst_undo() restores
 * the committed image.  Without an open burst, the image is what recovery would
 * compute from VARS and the journal.
 */
#include "pflash/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accept.h"
#include "burst.h"
#include "compose.h"
#include "crc32c.h"
#include "journal.h"
#include "movenote.h"
#include "statefile.h"
#include "recover.h"
#include "superblock.h"
#include "vars.h"

#include "pflash/effective.h"
#include "pflash/pins.h"
#include "pflash/probe.h"

struct store {
	struct vars vars;
	struct journal journal;
	struct burst burst;
	uint8_t *image;
	uint8_t *dirty; /* a byte for each block: 1: VARS may not have it */
	uint32_t size;
	uint32_t journal_limit;
	struct store_history history;
	enum store_sync sync;
	struct effective *view; /* of STORE_SYNC_VARIABLE and pins, or NULL */
	struct pins *pins;      /* borrowed; NULL: no variable is pinned */
	uint64_t unsynced;      /* number of the first burst that may wait for a
			    * sync and is not durable; 0: none */
	uint64_t looked; /* journal's length when drop_history() read it */
	bool undropped;  /* drop_history() is due at the end */
	bool read_only;
	struct store_stats stats;
	void (*on_failure)(void *opaque);                  /* or NULL */
	void (*on_refusal)(void *opaque, const char *why); /* or NULL */
	void *opaque;
	bool opening;       /* settle_image() is in progress */
	bool released;      /* the files are closed: store_release() */
	uint32_t takes;     /* while released: the enum movenote_kind of a note
			     * that store_retake() takes back; 0: of none */
	uint32_t state_sum; /* checksum of FILE.state at the release */
	int failed;         /* 0, or the -errno of the first failure */
	struct error failure;
};

const uint8_t *
store_image(const struct store *store)
{
	return store->image;
}

uint32_t
store_size(const struct store *store)
{
	return store->size;
}

uint32_t
store_checksum(const struct store *store)
{
	return crc32c(0, store->image, store->size);
}

uint32_t
store_checksum_of(const uint8_t *image, size_t size)
{
	return crc32c(0, image, size);
}

const char *
store_path(const struct store *store)
{
	return store->vars.files->name[FILES_VARS];
}

bool
store_pending(const struct store *store)
{
	return store->burst.length > 0;
}

bool
store_released(const struct store *store)
{
	return store->released;
}

const struct store_stats *
store_stats(const struct store *store)
{
	return &store->stats;
}

int
store_failed(const struct store *store)
{
	return store->failed;
}

const char *
store_failure(const struct store *store)
{
	return store->failure.text;
}

/* Makes the store read-only and undoes the open burst.  Returns `rc`. */
static int
store_fail(struct store *store, int rc)
{
	burst_undo(&store->burst);
	if (store->view)
		effective_parse(store->view, store->image);
	store->unsynced = 0;
	store->failed = rc;
	if (store->on_failure)
		store->on_failure(store->opaque);
	return rc;
}

/* Makes the whole journal durable. */
static int
sync_journal(struct store *store)
{
	int rc;

	PROBE_SYNC_BEGIN();
	rc = journal_sync(&store->journal, &store->failure);
	PROBE_SYNC(store->journal.sequence, rc);
	if (!rc)
		store->unsynced = 0;
	return rc;
}

/* Notes what the open burst writes. */
static void
touch_burst(struct store *store)
{
	const struct burst *burst = &store->burst;
	struct operation op;
	uint32_t pos = 0;

	while (burst_next(burst->payload, burst->length, &pos, store->size,
			  &op) > 0)
		effective_touch(store->view, op.offset, op.length);
}

/* Does the open burst change what the next boot of the firmware will see? */
static bool
changes_view(struct store *store)
{
	touch_burst(store);
	return effective_update(store->view, store->image);
}

/* Undoes the open burst, which would change a pinned variable. */
static int
refuse_burst(struct store *store, const struct error *why)
{
	touch_burst(store);
	burst_undo(&store->burst);
	(void)effective_update(store->view, store->image);
	store->stats.refused++;
	if (store->on_refusal)
		store->on_refusal(store->opaque, why->text);
	return -EPERM;
}

/* Does the open burst change bytes that are held (pins_held())? */
static bool
is_held(const struct store *store)
{
	const struct burst *burst = &store->burst;
	size_t held = store->pins ? pins_held(store->pins) : 0;
	struct operation op;
	uint32_t pos = 0;

	while (held && burst_next(burst->payload, burst->length, &pos,
				  store->size, &op) > 0)
		if (op.offset < held)
			return true;
	return false;
}

/*
 * Brings the view up to date.  -EPERM: the burst was refused and undone.
 * *changed: the next boot of the firmware will see something else.
 */
static int
judge_burst(struct store *store, bool *changed)
{
	uint64_t generation;
	struct error why;

	*changed = false;
	if (!store->view)
		return 0;
	if (is_held(store)) {
		pins_held_why(&why);
		return refuse_burst(store, &why);
	}
	generation = effective_generation(store->view);
	*changed = changes_view(store);
	if (!store->pins ||
	    (generation == effective_generation(store->view) &&
	     effective_known(store->view)) ||
	    pins_judge(store->pins, store->image, store->size, &why))
		return 0;
	return refuse_burst(store, &why);
}

/* Must the open burst be durable when store_commit() returns? */
static bool
sync_is_due(const struct store *store, bool changed)
{
	if (store->sync == STORE_SYNC_VARIABLE)
		return changed;
	return store->sync != STORE_SYNC_NONE;
}

static int
commit_burst(struct store *store)
{
	struct burst *burst = &store->burst;
	bool changed;
	int rc = judge_burst(store, &changed);

	if (rc)
		return rc;
	PROBE_COMMIT_BEGIN(burst->length);
	rc = journal_append(&store->journal, RECORD_BURST, burst->record,
			    burst->length, &store->failure);
	if (!rc && sync_is_due(store, changed))
		rc = sync_journal(store);
	else if (!rc && store->sync == STORE_SYNC_VARIABLE && !store->unsynced)
		store->unsynced = store->journal.sequence;
	PROBE_COMMIT(store->journal.sequence, burst->length, rc);
	if (rc)
		return store_fail(store, rc);
	burst_end(burst, store->dirty);
	store->stats.bursts++;
	return 0;
}

/* Appends a checkpoint or done record; its payload is the image's CRC. */
static int
append_crc(struct store *store, enum record_type type, uint32_t crc)
{
	uint8_t record[RECORD_HEADER_SIZE + 4 + RECORD_CHAIN_SIZE];

	put_le32(record + RECORD_HEADER_SIZE, crc);
	return journal_append(&store->journal, type, record, 4,
			      &store->failure);
}

static struct recovery
recovery_of(const struct store *store, const uint8_t *bytes,
	    const struct scan *scan)
{
	return (struct recovery){
		.scan = scan,
		.journal = bytes,
		.vars_path = store->vars.file.path,
		.journal_path = store->journal.file.path,
	};
}

/*
 * Makes a new journal file with the history of `old`, or without history if
 * `old` is NULL.  VARS must have the image.  If there is an old journal and the
 * new one fails before its rename, returns 0: the old one stays in use.
 */
static int
new_journal(struct store *store, const struct recovery *old, struct error *err)
{
	const struct composition in = {
		.old = old,
		.history = &store->history,
		.image = store->image,
		.size = store->size,
	};
	struct scan scan;
	uint8_t *bytes;
	bool renamed;
	int rc;

	if (old && !compose_is_due(&in))
		return 0;
	rc = compose_journal(&in, &bytes, &scan, err);
	if (rc)
		return old ? 0 : rc;
	rc = journal_replace(&store->journal, &store->vars, bytes, &scan,
			     &renamed, err);
	free(bytes);
	return old && !renamed ? 0 : rc;
}

/*
 * True if the length of the journal alone shows that the history is within its
 * limit.  compose_is_due() needs the records for that.
 */
static bool
history_fits(const struct store *store)
{
	const struct journal *journal = &store->journal;

	return store->history.bytes > 0 && store->history.seconds == 0 &&
	       journal->history_start > JOURNAL_HEADER_SIZE &&
	       journal->length - journal->history_start <= store->history.bytes;
}

/*
 * True if the current journal must not be replaced yet.  store_resume_burst()
 * reads it to find out whether the burst in borrowed memory is still open.  If
 * this process dies before that, the next process reads it.
 */
static bool
journal_is_needed(const struct store *store)
{
	return store->opening && store->burst.borrowed;
}

/*
 * True if dropping history is worth its cost while the guest is quiet, which
 * may be every few seconds: a new file at most once for each COMPOSE_SLACK
 * bytes, and if the age of the records counts, the journal is read as seldom.
 */
static bool
history_is_long(const struct store *store)
{
	const struct journal *journal = &store->journal;
	bool snapshot = journal->history_start > JOURNAL_HEADER_SIZE;
	uint64_t limit = store->history.bytes + COMPOSE_SLACK;

	if (snapshot != (store->history.bytes > 0))
		return true;
	if (store->history.seconds)
		return journal->length > store->looked + COMPOSE_SLACK;
	return journal->length - journal->history_start > limit;
}

static int
drop_history(struct store *store)
{
	struct scan scan = { 0 };
	struct recovery old;
	uint8_t *bytes;
	size_t len;
	int rc = 0;

	store->undropped = false;
	if (journal_is_needed(store) || history_fits(store))
		return 0;
	if (journal_read(&store->journal, &bytes, &len, &store->failure))
		return 0; /* the long journal stays valid */
	old = recovery_of(store, bytes, &scan);
	if (scan_journal(&scan, bytes, len, store->journal.file.path,
			 &store->failure) == 0)
		rc = new_journal(store, &old, &store->failure);
	free(bytes);
	store->looked = store->journal.length;
	return rc;
}

/*
 * The order matters (docs/format.md, "Writing"): the journal is durable before
 * VARS is written, and VARS is durable before the done record is written.
 */
static int
checkpoint(struct store *store, bool drop)
{
	uint32_t crc = crc32c(0, store->image, store->size);
	int rc;

	PROBE_CHECKPOINT_BEGIN();
	rc = append_crc(store, RECORD_CHECKPOINT, crc);
	if (!rc)
		rc = sync_journal(store);
	if (!rc)
		rc = vars_write(&store->vars, store->image, store->dirty,
				&store->failure);
	if (!rc)
		rc = append_crc(store, RECORD_DONE, crc);
	if (!rc && drop)
		rc = drop_history(store);
	PROBE_CHECKPOINT(store->journal.sequence, rc);
	if (rc)
		return store_fail(store, rc);
	store->failure.text[0] = '\0';
	store->stats.checkpoints++;
	memset(store->dirty, 0, store->size / BLOCK_SIZE);
	return 0;
}

/* The longest record that the next commit can append to the journal. */
static uint64_t
longest_burst(const struct store *store)
{
	const struct burst *burst = &store->burst;

	return RECORD_HEADER_SIZE + (uint64_t)burst->limit +
	       OPERATION_HEADER_SIZE +
	       (burst->borrowed ? STORE_CHANGE_MOST : store->size) +
	       RECORD_CHAIN_SIZE;
}

/*
 * True if the next burst, or the checkpoint after it, might not fit into the
 * journal's place.  fit_journal() leaves enough room, so this happens only
 * while no new journal can be made: each commit tries again.
 */
static bool
room_is_short(const struct store *store)
{
	const struct journal *journal = &store->journal;
	uint64_t room = journal->file.place.room;

	return room &&
	       journal->length + longest_burst(store) + STORE_CHANGE_MOST >
		       room;
}

static bool
checkpoint_is_due(const struct store *store)
{
	const struct journal *journal = &store->journal;

	return journal->length - journal->done > store->journal_limit ||
	       room_is_short(store);
}

int
store_commit(struct store *store)
{
	int rc;

	if (!store_pending(store))
		return 0;
	rc = commit_burst(store);
	if (!rc && checkpoint_is_due(store))
		rc = checkpoint(store, true);
	return rc;
}

void
store_unpin(struct store *store)
{
	store->pins = NULL;
	if (store->sync == STORE_SYNC_VARIABLE)
		return;
	effective_free(store->view);
	store->view = NULL;
}

uint64_t
store_unsynced(const struct store *store)
{
	return store->unsynced;
}

int
store_sync(struct store *store)
{
	int rc = store->unsynced ? sync_journal(store) : 0;

	return rc ? store_fail(store, rc) : 0;
}

enum store_sync
store_sync_mode(const struct store *store)
{
	if (store->sync == STORE_SYNC_VARIABLE && !effective_known(store->view))
		return STORE_SYNC_BURST;
	return store->sync;
}

/* Drops the history that store_settle() has left. */
static int
end_history(struct store *store)
{
	int rc = drop_history(store);

	if (rc)
		return store_fail(store, rc);
	store->failure.text[0] = '\0';
	return 0;
}

int
store_checkpoint(struct store *store)
{
	int rc;

	if (store->failed)
		return store->failed;
	if (store_pending(store)) {
		rc = commit_burst(store);
		if (rc && store->failed)
			return rc; /* else the burst was refused */
	}
	if (store->journal.length > store->journal.done)
		return checkpoint(store, true);
	return store->undropped ? end_history(store) : 0;
}

bool
store_behind(const struct store *store)
{
	return !store->failed && !store->released && !store_pending(store) &&
	       store->journal.length > store->journal.done;
}

int
store_settle(struct store *store)
{
	bool drop = history_is_long(store);
	int rc;

	if (!store_behind(store))
		return 0;
	rc = checkpoint(store, drop);
	if (!drop)
		store->undropped = true;
	return rc;
}

static int
check_change(const struct store *store, uint32_t off, uint32_t len)
{
	if (len > store->size || off > store->size - len)
		return -EINVAL;
	return store->released ? -EBUSY : store->failed;
}

static int
end_change(struct store *store)
{
	if (store->sync == STORE_SYNC_OP || burst_full(&store->burst))
		return store_commit(store);
	return 0;
}

int
store_program(struct store *store, uint32_t off, const void *bytes,
	      uint32_t len)
{
	int rc = check_change(store, off, len);

	if (rc || !len)
		return rc;
	burst_program(&store->burst, off, bytes, len);
	return end_change(store);
}

int
store_erase(struct store *store, uint32_t off, uint32_t len)
{
	int rc = check_change(store, off, len);

	if (rc || !len)
		return rc;
	burst_erase(&store->burst, off, len);
	return end_change(store);
}

int
store_replace(struct store *store, const uint8_t *image)
{
	uint32_t first, end = 0;
	int rc = store->failed;

	while (!rc &&
	       burst_difference(store->image, image, store->size, &first, &end))
		rc = store_program(store, first, image + first, end - first);
	return rc;
}

static void
store_free(struct store *store)
{
	journal_close(&store->journal);
	vars_close(&store->vars);
	burst_free(&store->burst);
	effective_free(store->view);
	free(store->dirty);
	free(store->image);
	free(store);
}

int
store_close(struct store *store)
{
	int rc = 0;

	if (!store->read_only && !store->released)
		rc = store_checkpoint(store);
	store_free(store);
	return rc;
}

/*
 * Keeps the journal in its place, if it has one: only as much history as leaves
 * the room for everything else, and no longer bursts than the place is for.
 */
static void
fit_journal(struct store *store, uint32_t *burst_limit)
{
	uint32_t most = superblock_burst_most(store->size);

	if (!store->vars.files->place[FILES_JOURNAL].room)
		return;
	if (*burst_limit > most)
		*burst_limit = most;
	if (store->journal_limit > STORE_JOURNAL_LIMIT)
		store->journal_limit = STORE_JOURNAL_LIMIT;
	superblock_fit_history(store->vars.files, store->size, *burst_limit,
			       store->journal_limit, &store->history);
}

static int
store_alloc(struct store *store, const struct store_config *config,
	    struct error *err)
{
	uint32_t limit = config->burst_limit ? config->burst_limit :
					       STORE_BURST_LIMIT;
	bool needs_view = store->sync == STORE_SYNC_VARIABLE || config->pins;

	if (limit > STORE_MAX_SIZE)
		limit = STORE_MAX_SIZE;
	store->size = store->vars.size;
	fit_journal(store, &limit);
	store->image = vars_alloc(store->size);
	store->dirty = calloc(store->size / BLOCK_SIZE, 1);
	if (needs_view)
		store->view = effective_new(store->size);
	if (!store->image || !store->dirty || (needs_view && !store->view) ||
	    burst_init(&store->burst, store->image, store->size, limit,
		       config->burst) < 0)
		return error_errno(err, ENOMEM, "%s", store->vars.file.path);
	return 0;
}

/*
 * Reads VARS and the journal and computes the image; changes neither file.
 * *bytes stays NULL if there is no journal.  *noted: journal_read_noted().
 */
static int
load_image(struct store *store, const struct store_config *config,
	   uint32_t *noted, uint8_t **bytes, struct scan *scan,
	   struct error *err)
{
	struct recovery recovery;
	size_t len;
	int rc;

	rc = vars_read(&store->vars, store->image, err);
	if (rc || store->journal.file.fd < 0)
		return rc;
	rc = journal_read_noted(&store->journal, config, noted, bytes, &len,
				err);
	if (!rc && *bytes)
		rc = scan_journal(scan, *bytes, len, store->journal.file.path,
				  err);
	if (rc || !*bytes)
		return rc;
	recovery = recovery_of(store, *bytes, scan);
	return recover_image(&recovery, store->image, store->size, store->dirty,
			     err);
}

/*
 * Makes the loaded image durable (docs/format.md, "Recovery", steps 7 to 9):
 * VARS may be a copy that was never synced.  Both names are already durable,
 * because the files are open (pflash/files.h).
 */
static int
settle_image(struct store *store, const uint8_t *bytes, const struct scan *scan,
	     struct error *err)
{
	int rc = 0;

	if (bytes)
		rc = journal_resume(&store->journal, bytes, scan, err);
	/*
	 * After a torn tail, append a record at once: a later record must not
	 * fit the chain of the dropped ones.
	 */
	if (!rc && bytes && (scan->end > scan->done || scan->dropped)) {
		if (checkpoint(store, true))
			rc = error_set(err, -store->failed, "%s",
				       store->failure.text);
		return rc;
	}
	if (!rc)
		rc = vars_settle(&store->vars, store->image, err);
	if (!rc && !bytes)
		rc = new_journal(store, NULL, err);
	return rc;
}

/* Replaces a note by the journal that it has; settle_image() makes another. */
static int
take_back(struct store *store, const uint8_t *bytes, const struct scan *scan,
	  struct error *err)
{
	bool renamed;

	return bytes ? journal_replace(&store->journal, &store->vars, bytes,
				       scan, &renamed, err) :
		       0;
}

/* Closes and unlocks the files until store_retake(). */
static void
close_files(struct store *store, uint32_t takes)
{
	file_close(&store->journal.file);
	file_close(&store->vars.file);
	store->released = true;
	store->takes = takes;
}

/* Closes the files without a change. */
static int
wait_released(struct store *store, uint32_t noted, struct error *err)
{
	int rc = statefile_checksum(&store->vars, &store->state_sum, err);

	close_files(store, noted);
	return rc;
}

/* Puts a store that was opened read-only into the state of a failed one. */
static void
settle_read_only(struct store *store)
{
	store->failed = -EROFS;
	error_set(&store->failure, EROFS, "%s: read-only",
		  store->vars.file.path);
}

/* Makes the loaded image that of the store; without `then` a note waits. */
static int
settle(struct store *store, const struct store *then, uint32_t noted,
       const uint8_t *bytes, const struct scan *scan, struct error *err)
{
	int rc = 0;

	if (store->read_only) {
		settle_read_only(store);
		return 0;
	}
	if (noted && !then)
		return wait_released(store, noted, err);
	store->opening = true;
	if (noted)
		rc = take_back(store, bytes, scan, err);
	if (!rc)
		rc = settle_image(store, bytes, scan, err);
	store->opening = false;
	return rc;
}

static int
open_files(struct store *store, const struct store_config *config,
	   struct error *err)
{
	int rc;

	rc = vars_open(&store->vars, config,
		       config->read_only ? VARS_READ : VARS_WRITE, err);
	if (rc)
		return rc;
	rc = journal_open(&store->journal, store->vars.file.sys,
			  store->vars.files, !config->read_only, err);
	return rc == -ENOENT ? 0 : rc;
}

/*
 * Compares the store `now`, just loaded, with the released store `then`.
 * -ESTALE: image or saved state has changed.
 */
static int
check_same(const struct store *now, const struct store *then, struct error *err)
{
	uint32_t state_sum;
	int rc = statefile_checksum(&now->vars, &state_sum, err);

	if (rc)
		return rc;
	if (memcmp(now->image, then->image, then->size) != 0 ||
	    state_sum != then->state_sum)
		return error_set(err, ESTALE,
				 "%s: was changed by another process while the "
				 "guest was suspended",
				 then->vars.file.path);
	return 0;
}

static uint32_t
record_chain(const struct record *record)
{
	return get_le32(record->payload + record->length);
}

static bool
is_noted(const struct store_trail *trail, unsigned int i,
	 const struct record *record)
{
	return trail->end[i].sequence == record->sequence &&
	       trail->end[i].chain == record_chain(record);
}

/*
 * True if the journal ends where the trail does.  Records of other types than
 * bursts may follow: of a process that took over and died, or of one that has
 * used the files without a change of the image.
 */
static bool
ends_as_noted(struct journal *journal, const uint8_t *bytes,
	      const struct scan *scan)
{
	const struct store_trail *trail = journal->trail;
	size_t off = JOURNAL_HEADER_SIZE;
	struct record record;
	bool noted = false;

	while (bytes && scan_next(scan, bytes, &off, &record)) {
		bool first = is_noted(trail, 0, &record);

		if (first || is_noted(trail, 1, &record)) {
			journal->noted = !first;
			noted = true;
		} else if (record.type == RECORD_BURST) {
			noted = false;
		}
	}
	return noted;
}

/* -ESTALE: the guest of the trail cannot continue with these files. */
static int
check_trail(struct store *store, const uint8_t *bytes, const struct scan *scan,
	    struct error *err)
{
	const struct store_trail *trail = store->journal.trail;

	if (!trail || (!trail->end[0].sequence && !trail->end[1].sequence) ||
	    ends_as_noted(&store->journal, bytes, scan))
		return 0;
	return error_set(err, ESTALE,
			 "%s: was changed by another process, perhaps of "
			 "another host, since this guest's pflashd ended: the "
			 "guest cannot continue; `xl destroy` it",
			 store->vars.file.path);
}

/*
 * Opens the store, without accepting a modified VARS file.  If `then` is not
 * NULL, it is the released store of the same file: -ESTALE, before any change,
 * if image or saved state has changed.  -EUCLEAN with *replaced: the journal is
 * intact and VARS had all its bursts, but VARS has changed since.
 */
static int
open_once(struct store **out, const struct store_config *config,
	  const struct store *then, struct store_recovery *found,
	  bool *replaced, struct error *err)
{
	struct store *store = calloc(1, sizeof(*store));
	struct scan scan = { .bursts = 0 };
	uint8_t *bytes = NULL;
	uint32_t noted = 0;
	int rc;

	if (!store)
		return error_set(err, ENOMEM, "out of memory");
	store->vars.file.fd = store->journal.file.fd = -1;
	store->sync = config->sync;
	store->read_only = config->read_only;
	store->history.bytes = STORE_HISTORY_BYTES;
	if (config->history)
		store->history = *config->history;
	store->journal_limit = config->journal_limit ? config->journal_limit :
						       STORE_JOURNAL_LIMIT;
	rc = open_files(store, config, err);
	store->vars.file.stats = store->journal.file.stats = &store->stats;
	if (!rc)
		rc = store_alloc(store, config, err);
	if (!rc)
		rc = load_image(store, config, &noted, &bytes, &scan, err);
	store->journal.trail = config->trail;
	if (!rc)
		rc = check_trail(store, bytes, &scan, err);
	if (!rc && then)
		rc = check_same(store, then, err);
	if (!rc)
		rc = settle(store, then, noted, bytes, &scan, err);
	*replaced = rc == -EUCLEAN && bytes && scan.whole &&
		    scan.end == scan.done && !scan.dropped;
	free(bytes);
	if (rc) {
		store_free(store);
		return rc;
	}
	if (!store->released)
		journal_note(&store->journal);
	if (store->view)
		effective_parse(store->view, store->image);
	store->pins = config->pins;
	store->on_failure = config->on_failure;
	store->on_refusal = config->on_refusal;
	store->opaque = config->opaque;
	if (found)
		*found = (struct store_recovery){ scan.bursts, scan.dropped };
	*out = store;
	return 0;
}

int
store_open(struct store **out, const struct store_config *config,
	   struct store_recovery *found, struct error *err)
{
	bool replaced = false, changed;
	int rc = open_once(out, config, NULL, found, &replaced, err);

	if (rc != -EUCLEAN || !replaced || !config->accept || config->read_only)
		return rc;
	rc = accept_any(config, true, &changed, err);
	return rc ? rc : open_once(out, config, NULL, found, &replaced, err);
}

int
store_release(struct store *store, struct error *err)
{
	int rc = 0;

	if (store->released)
		return 0;
	if (!store->failed)
		rc = store_checkpoint(store);
	if (rc)
		*err = store->failure;
	else
		rc = statefile_checksum(&store->vars, &store->state_sum, err);
	close_files(store, MOVENOTE_LENT);
	return rc;
}

/* Moves the open files of `fresh` to `store`, and frees `fresh`. */
static void
adopt_files(struct store *store, struct store *fresh)
{
	struct journal journal = store->journal;

	store->vars.file.fd = fresh->vars.file.fd;
	store->vars.stat = fresh->vars.stat;
	fresh->vars.file.fd = -1;
	store->journal = fresh->journal;
	store->journal.file.stats = &store->stats;
	fresh->journal = journal;
	store->looked = fresh->looked;
	store_free(fresh);
}

static int
reopen(struct store *store, struct error *err)
{
	const struct store_config config = {
		.files = store->vars.files,
		.size = store->size,
		.read_only = store->read_only,
		.takes_arrived = store->takes == MOVENOTE_ARRIVED ||
				 store->takes == MOVENOTE_BACK,
		.takes_lent = store->takes == MOVENOTE_LENT,
		.history = &store->history,
		.trail = store->journal.trail,
		.sys = store->vars.file.sys,
	};
	struct store *fresh;
	bool replaced;
	int rc = open_once(&fresh, &config, store, NULL, &replaced, err);

	if (!rc)
		adopt_files(store, fresh);
	return rc;
}

int
store_retake(struct store *store, bool last, struct error *err)
{
	int rc;

	if (!store->released)
		return 0;
	/* A store that failed before its release stays failed. */
	rc = store->failed && !store->read_only ? 0 : reopen(store, err);
	if (rc == -EBUSY && !last)
		return rc;
	store->released = false;
	if (!rc)
		return 0;
	store->failure = *err;
	return store_fail(store, rc);
}

void
store_note_burst(const struct store *store, struct store_open_burst *burst)
{
	burst->sequence = store->journal.sequence;
	burst->length = store->burst.length;
	burst->operation = store->burst.operation;
	burst->next = store->burst.next;
	burst->chain = store->journal.chain;
}

/*
 * Sets the burst to its noted length.  The process that noted it may have
 * extended the last program after that.
 */
static int
trim_burst(struct burst *burst, const struct store_open_burst *noted)
{
	uint32_t length = noted->length, last = noted->operation;

	if (length > burst->limit || last > length ||
	    length - last < OPERATION_HEADER_SIZE)
		return -EINVAL;
	if (noted->next != BURST_NO_NEXT)
		put_le32(burst->payload + last + 4,
			 length - last - OPERATION_HEADER_SIZE);
	burst->length = length;
	burst->operation = last;
	burst->next = noted->next;
	return 0;
}

/*
 * True if the journal has the record before the burst, and no burst after that
 * record.  Records of other types may follow: a process that took over and died
 * before it continued the burst may have left them.
 */
static bool
still_open(const struct scan *scan, const uint8_t *bytes,
	   const struct store_open_burst *noted)
{
	size_t off = JOURNAL_HEADER_SIZE;
	struct record record;
	bool known = false;

	while (scan_next(scan, bytes, &off, &record)) {
		if (record.sequence == noted->sequence)
			known = !noted->chain ||
				noted->chain == record_chain(&record);
		else if (record.sequence > noted->sequence &&
			 record.type == RECORD_BURST)
			return false;
	}
	return known;
}

/*
 * 1: the burst is still open; 0: it was committed, or was noted for another
 * journal; -errno: the journal cannot be read.
 */
static int
burst_is_open(struct store *store, const struct store_open_burst *noted)
{
	struct scan scan;
	uint8_t *bytes;
	size_t len;
	int rc = journal_read(&store->journal, &bytes, &len, NULL);

	if (rc)
		return rc;
	rc = scan_journal(&scan, bytes, len, store->journal.file.path, NULL);
	if (!rc)
		rc = still_open(&scan, bytes, noted);
	free(bytes);
	return rc;
}

int
store_resume_burst(struct store *store, const struct store_open_burst *noted)
{
	int rc;

	if (store->failed || noted->length == 0)
		return 0;
	rc = burst_is_open(store, noted);
	if (rc <= 0)
		return rc;
	rc = trim_burst(&store->burst, noted);
	if (!rc)
		rc = burst_replay(&store->burst, store->size);
	if (!rc && burst_can_grow(&store->burst))
		return 0;
	burst_undo(&store->burst);
	return -EINVAL;
}

int
store_save_state(struct store *store, const struct store_state *state,
		 struct error *err)
{
	if (store->released)
		return error_set(err, EBUSY,
				 "%s: is released while the guest is suspended",
				 store->vars.file.path);
	if (state->len == 0)
		return statefile_remove(&store->vars, err);
	return statefile_write(&store->vars, state, err);
}

int
store_load_state(const struct store *store, struct store_state *state,
		 struct error *err)
{
	return statefile_read(&store->vars, state, err);
}

int
store_check_free(const struct store_config *config, struct error *err)
{
	struct vars vars;
	int rc = vars_open(&vars, config,
			   config->read_only ? VARS_READ : VARS_WRITE, err);

	if (!rc)
		vars_close(&vars);
	return rc;
}

bool
store_verify(const struct store *store)
{
	const struct journal *journal = &store->journal;

	if (store->failed)
		return store->failed < 0 && !store_pending(store) &&
		       store->failure.text[0];
	return !store->failure.text[0] &&
	       (journal->length >= JOURNAL_HEADER_SIZE || store->released) &&
	       journal->durable <= journal->sequence &&
	       (!store->unsynced || (store->unsynced > journal->durable &&
				     store->unsynced <= journal->sequence)) &&
	       journal->done <= journal->length &&
	       (journal->length > journal->done ||
		!memchr(store->dirty, 1, store->size / BLOCK_SIZE)) &&
	       !burst_full(&store->burst) &&
	       burst_verify(&store->burst, store->size);
}
