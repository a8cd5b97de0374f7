/* SPDX-License-Identifier: BSD-2-Clause */
#include "script.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "others.h"
#include "pinned.h"
#include "places.h"
#include "queue.h"
#include "random.h"
#include "repairs.h"
#include "travel.h"

#include "pflash/fv.h"
#include "pflash/reader.h"

#define BLOCK 4096u

bool
run_wrong(struct run *run, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (!run->why[0])
		(void)vsnprintf(run->why, sizeof(run->why), fmt, args);
	va_end(args);
	return false;
}

struct step *
script_add(struct script *script, enum step_kind kind)
{
	if (script->steps == script->room) {
		script->room = script->room * 2 + 16;
		script->step = realloc(script->step,
				       script->room * sizeof(struct step));
		if (!script->step)
			abort();
	}
	script->step[script->steps] = (struct step){ .kind = kind };
	return &script->step[script->steps++];
}

enum step_kind
script_command(const struct script *script)
{
	for (size_t i = script->steps; i-- > 0;)
		switch (script->step[i].kind) {
		case STEP_MOVE:
		case STEP_TRAVEL:
		case STEP_CLONE:
		case STEP_ROLLBACK:
		case STEP_RESET:
		case STEP_RESIZE:
		case STEP_START: return script->step[i].kind;
		default: break;
		}
	return (enum step_kind)0;
}

static void
add_change(struct script *script, uint64_t *random, uint32_t size,
	   uint32_t longest)
{
	struct step *step = script_add(script, STEP_PROGRAM);

	step->seed = draw(random);
	step->len = below(random, 3) ? below(random, 24) + 1 :
				       below(random, longest) + 1;
	if (!below(random, 5)) {
		step->kind = STEP_ERASE;
		step->len = BLOCK * (1 + below(random, 2));
		step->off = below(random, (size - step->len) / BLOCK + 1) *
			    BLOCK;
		return;
	}
	step->off = below(random, size - step->len + 1);
}

void
script_add_burst(struct script *script, uint64_t *random, uint32_t size,
		 uint32_t longest)
{
	struct step *step;

	for (uint32_t n = below(random, 3); n > 0; n--)
		add_change(script, random, size, longest);
	/* A random program ensures that no two bursts end in the same image. */
	step = script_add(script, STEP_PROGRAM);
	step->seed = draw(random);
	step->len = 8 + below(random, 8);
	step->off = below(random, size - step->len + 1);
	script_add(script, STEP_COMMIT);
}

const char *
run_path(const struct run *run)
{
	return run->model->may.move.place ? run->places->second :
					    run->setting->path;
}

void
run_place(struct run *run, unsigned int place)
{
	run->model->may.move.place = place;
	machine.vars = disk_name(run_path(run));
}

void
run_settled(struct run *run, uint32_t number)
{
	run->model->may.settled = number;
	machine.vars_changed = false;
}

uint32_t
run_find_state(const struct run *run, const uint8_t *image)
{
	const struct range *may = &run->model->may;

	for (uint32_t i = may->hi; i >= may->lo && i > 0; i--)
		if (model_is(run->model, i, image))
			return i;
	return 0;
}

bool
run_tolerant(void)
{
	return machine.dead || machine.fault.hits > 0;
}

void
run_fill(uint8_t *to, uint32_t len, uint64_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		to[i] = (uint8_t)(draw(&seed) >> 24);
}

void
setting_image(const struct setting *setting, uint8_t *image, uint64_t seed)
{
	switch (setting->first) {
	case FIRST_RANDOM: run_fill(image, setting->size, seed); break;
	case FIRST_BLANK: memset(image, 0xff, setting->size); break;
	case FIRST_STORE:
		fv_format(fv_layout_by_size(setting->size), image);
		break;
	case FIRST_KEYS:
		fv_format(fv_layout_by_size(setting->size), image);
		pinned_add_keys(image, setting->size);
		break;
	}
}

/*
 * A burst is now on disk, and the guest has its answer. If it must be durable
 * by then, no power cut may lose it.
 */
static void
committed(struct run *run, bool durable)
{
	struct model *model = run->model;
	uint32_t before = model->done;

	if (model->may.hi > model->done)
		model_set(model, model->may.hi);
	model->done = model->may.answered = model->may.hi;
	if (run->setting->sync == STORE_SYNC_VARIABLE && model->done != before)
		durable = durable ||
			  !model_same_view(model, before, model->done);
	if (durable)
		model->may.lo = model->done;
}

/* A call failed that had begun state may.hi, or nothing. */
static bool
check_failure(struct run *run, int rc, const char *what)
{
	struct model *model = run->model;
	const uint8_t *image = store_image(run->store);

	if (model->may.hi > model->done)
		model_set(model, model->may.hi);
	if (machine.dead)
		return true;
	if (!run_tolerant())
		return run_wrong(run, "%s: %s", what,
				 store_failure(run->store));
	if (run->failed && rc != run->failed)
		return run_wrong(run, "%s: %d, but the store failed with %d",
				 what, rc, run->failed);
	run->failed = rc;
	if (rc >= 0 || store_failed(run->store) != rc ||
	    !store_failure(run->store)[0] || !store_verify(run->store))
		return run_wrong(run,
				 "%s: %d, but the store does not report it",
				 what, rc);
	if (!model_is(model, model->done, image) &&
	    !model_is(model, model->may.hi, image))
		return run_wrong(run, "%s: the image was not undone", what);
	return true;
}

static void
make_kept(struct store_state *kept, uint64_t seed)
{
	memset(kept, 0, sizeof(*kept));
	if (!seed)
		return;
	(void)snprintf(kept->tag, sizeof(kept->tag), "%016llx",
		       (unsigned long long)seed);
	kept->len = 1 + seed % 1500;
	run_fill(kept->record, (uint32_t)kept->len, seed);
}

static bool
check_kept(struct run *run)
{
	static struct store_state found, expected;
	struct model *model = run->model;
	struct error err = { "" };
	int rc = store_load_state(run->store, &found, &err);

	if (rc)
		return run_tolerant() ||
		       run_wrong(run, "store_load_state: %s", err.text);
	for (uint32_t i = model->may.saved_hi;; i--) {
		make_kept(&expected, model->saved[i]);
		if (found.len == expected.len &&
		    !memcmp(found.record, expected.record, found.len) &&
		    !strcmp(found.tag, expected.tag)) {
			model_found_saved(model, i);
			return true;
		}
		if (i == model->may.saved_lo)
			return run_wrong(run,
					 "the saved state is none of %u to %u",
					 model->may.saved_lo,
					 model->may.saved_hi);
	}
}

#define MAX_POINTS 20000

struct points {
	struct reader_point point[MAX_POINTS];
	size_t count;
};

static bool
is_past(const struct run *run, const struct reader *reader, uint64_t sequence,
	uint32_t number)
{
	uint8_t *image = malloc(run->setting->size);
	struct error err = { "" };
	bool same = image && !reader_past(reader, sequence, image, &err) &&
		    model_is(run->model, number, image);

	free(image);
	return same;
}

/*
 * The points must be the states that led to `number`. Images are compared for
 * the first and last point, and for a sample of the others.
 */
static bool
history_leads_to(const struct run *run, const struct reader *reader,
		 const struct points *points, uint32_t number)
{
	uint64_t random = mix(run->key, 77);
	bool all = run->alike || points->count <= 6 || !below(&random, 64);

	for (size_t i = points->count; i-- > 0;) {
		const struct reader_point *point = &points->point[i];
		bool end = i == 0 || i + 1 == points->count;

		if (number == 0 || point->oldest != (i == 0) ||
		    (i > 0 && point->sequence <= point[-1].sequence))
			return false;
		if (run->setting->whole_history &&
		    !model_number(run->model, number, point->sequence))
			return false;
		if ((all || end || !below(&random, (uint32_t)points->count)) &&
		    !is_past(run, reader, point->sequence, number))
			return false;
		number = model_state(run->model, number)->before;
	}
	return true;
}

static bool
read_history(struct run *run, const char *path, uint32_t number)
{
	static struct points points;
	struct error err = { "" };
	struct reader *reader;
	size_t cursor = 0;
	bool good;

	if (reader_open(&reader, &sys_machine, path, &err))
		return run_wrong(run, "reader_open: %s", err.text);
	points.count = 0;
	while (points.count < MAX_POINTS &&
	       reader_next(reader, &cursor, &points.point[points.count]))
		points.count++;
	good = model_is(run->model, number, reader_image(reader)) &&
	       history_leads_to(run, reader, &points, number);
	if (good && run->setting->whole_history)
		good = points.count == model_state(run->model, number)->bursts;
	reader_close(reader);
	return good || run_wrong(run,
				 "the history of %zu points does not lead to "
				 "state %u, which was found",
				 points.count, number);
}

/* Faults must not hit the reader's calls. */
bool
run_history(struct run *run, const char *path, uint32_t number)
{
	struct fault fault = machine.fault;
	bool good;

	machine.fault.kind = FAULT_NONE;
	good = read_history(run, path, number);
	machine.fault = fault;
	return good;
}

/* The next boot must see what the guest was told, or what it wrote later. */
static bool
check_view(struct run *run, uint32_t number)
{
	const struct model *model = run->model;
	uint32_t answered = model->may.answered;

	return run->setting->sync != STORE_SYNC_VARIABLE ||
	       number >= answered || model_same_view(model, number, answered) ||
	       run_wrong(run,
			 "the variables of state %u are older than those of "
			 "state %u, which was answered",
			 number, answered);
}

static bool
accept_state(struct run *run, uint32_t number)
{
	struct model *model = run->model;

	run->why[0] = '\0';
	if (!machine.dead && !run_history(run, run_path(run), number))
		return false;
	if (!check_view(run, number))
		return false;
	model_found(model, number);
	model->may.touched = TOUCHED_NOT;
	memcpy(model->image, store_image(run->store), model->size);
	return true;
}

static uint32_t
count_alike(const struct run *run, uint32_t lo)
{
	uint32_t count = 0;

	for (uint32_t i = lo; i <= run->model->may.hi; i++)
		count += model_is(run->model, i, store_image(run->store));
	return count;
}

/*
 * Finds the state that the image has. Two states may have equal images; then
 * the history decides.
 */
static bool
check_image(struct run *run)
{
	struct model *model = run->model;
	const uint8_t *image = store_image(run->store);
	uint32_t lo = model->may.lo ? model->may.lo : 1;

	if (store_size(run->store) != model->size)
		return run_wrong(run, "the image has the wrong size");
	run->alike = count_alike(run, lo) > 1;
	for (uint32_t i = model->may.hi; i >= lo; i--)
		if (model_is(model, i, image) && accept_state(run, i))
			return true;
	return run_wrong(run, "the image is none of the states %u to %u", lo,
			 model->may.hi);
}

/*
 * Reads the files before the store opens them: the reader must see the image
 * that the store will find. NULL: no reader this time.
 */
static struct reader *
read_before_open(struct run *run)
{
	struct error err = { "" };
	struct reader *reader;

	if (run_tolerant() || run->key % 4 ||
	    disk_find(machine.disk, machine.vars) < 0)
		return NULL;
	if (!reader_open(&reader, &sys_machine, run_path(run), &err))
		return reader;
	if (!run->model->may.touched)
		(void)run_wrong(run, "reader_open, before store_open: %s",
				err.text);
	return NULL;
}

static bool
same_as_seen(struct run *run, struct reader *reader)
{
	bool same = !reader || !run->store ||
		    !memcmp(reader_image(reader), store_image(run->store),
			    run->setting->size);

	if (reader)
		reader_close(reader);
	return (same && !run->why[0]) ||
	       run_wrong(run,
			 "a reader saw a different image before store_open");
}

static int
try_to_open(struct run *run, struct error *err)
{
	const struct setting *setting = run->setting;
	struct store_config config = {
		.path = run_path(run),
		.size = setting->size,
		.sync = setting->sync,
		.journal_limit = setting->journal_limit,
		.burst_limit = setting->burst_limit,
		.history = &setting->history,
		.sys = &sys_machine,
	};
	struct reader *seen = machine.fault.kind ? NULL : read_before_open(run);
	unsigned long changes = machine.changes;
	int rc;

	run->complete = false;
	places_mirror(run);
	others_before_open(run);
	repairs_before_open(run);
	if (setting->first == FIRST_KEYS)
		pinned_configure(run, &config);
	rc = store_open(&run->store, &config, NULL, err);
	if (rc)
		run->store = NULL;
	if (same_as_seen(run, seen) && others_explain(run, rc) &&
	    machine.changes != changes)
		(void)run_wrong(run,
				"store_open failed, but changed the files");
	return rc;
}

static bool
open_store(struct run *run, uint64_t seed)
{
	struct error err = { "" };
	bool ready;
	int rc;

	if (!places_settle(run, &ready))
		return false;
	if (!ready)
		return true;
	rc = try_to_open(run, &err);
	for (int i = 0; i < 3 && !run->why[0] && others_explain(run, rc); i++) {
		if (!others_repair(run, rc, seed, i > 0))
			return false;
		rc = try_to_open(run, &err);
	}
	if (run->why[0])
		return false;
	run->failed = 0;
	if (rc)
		return run_tolerant() ||
		       run_wrong(run, "store_open: %s", err.text);
	++*run->opened;
	queue_opened(run);
	if (!store_verify(run->store))
		return run_wrong(run,
				 "store_verify() fails after store_open()");
	if (!check_image(run) || !check_kept(run))
		return false;
	return !run->pins || pinned_start(run);
}

/* Checks the result of a call that changes or commits. */
static bool
after_change(struct run *run, int rc, unsigned long vars_writes,
	     const char *what)
{
	bool synced = run->setting->sync == STORE_SYNC_BURST ||
		      run->setting->sync == STORE_SYNC_OP;

	if (run->attacked && !run->failed)
		return pinned_refused(run, rc);
	if (rc)
		return check_failure(run, rc, what);
	if (run->failed)
		return run_wrong(run, "%s: success, though the store failed",
				 what);
	if (!store_pending(run->store))
		committed(run, synced || machine.vars_writes > vars_writes);
	return true;
}

bool
run_changed(struct run *run, int rc, const char *what)
{
	return after_change(run, rc, machine.vars_writes, what);
}

static bool
change(struct run *run, const struct step *step)
{
	struct model *model = run->model;
	unsigned long vars_writes = machine.vars_writes;
	uint8_t *bytes = malloc(step->len);
	int rc;

	if (step->kind == STEP_ERASE)
		memset(bytes, 0xff, step->len);
	else if (step->data)
		memcpy(bytes, step->data, step->len);
	else
		run_fill(bytes, step->len, step->seed);
	if (!run->failed) {
		memcpy(model->image + step->off, bytes, step->len);
		model->may.hi = model->done + 1;
	}
	if (step->kind == STEP_ERASE)
		rc = store_erase(run->store, step->off, step->len);
	else
		rc = store_program(run->store, step->off, bytes, step->len);
	free(bytes);
	return after_change(run, rc, vars_writes,
			    step->kind == STEP_ERASE ? "store_erase" :
						       "store_program");
}

/* Without an open burst a commit succeeds, even in a failed store. */
static bool
commit(struct run *run)
{
	unsigned long vars_writes = machine.vars_writes;
	bool pending = store_pending(run->store);
	int rc = store_commit(run->store);

	if (run->failed && !pending && !rc)
		return true;
	return after_change(run, rc, vars_writes, "store_commit");
}

/* Leaves the open burst open. */
static bool
sync_bursts(struct run *run)
{
	int rc = store_sync(run->store);

	if (rc)
		return check_failure(run, rc, "store_sync");
	if (!run->failed)
		run->model->may.lo = run->model->done;
	return true;
}

static bool
checkpoint(struct run *run)
{
	int rc = store_checkpoint(run->store);

	if (rc)
		return check_failure(run, rc, "store_checkpoint");
	if (run->attacked && !pinned_refused(run, -EPERM))
		return false;
	committed(run, true);
	run_settled(run, run->model->done);
	return true;
}

/* Does nothing while a burst is open; else a copy of VARS has everything. */
static bool
settle(struct run *run)
{
	bool pending = store_pending(run->store);
	unsigned long changes = machine.changes;
	int rc = store_settle(run->store);

	if (rc)
		return check_failure(run, rc, "store_settle");
	if (pending)
		return machine.changes == changes ||
		       run_wrong(run, "store_settle writes an open burst");
	if (run->failed)
		return true;
	committed(run, true);
	run_settled(run, run->model->done);
	return repairs_check(run);
}

static bool
save_state(struct run *run, uint64_t seed)
{
	static struct store_state kept;
	struct range *may = &run->model->may;
	struct error err = { "" };
	int rc;

	if (may->saved_hi + 2 >= MAX_SAVED)
		return run_wrong(run, "the script saves too many states");
	if (seed % 4 == 0)
		seed = 0;
	make_kept(&kept, seed);
	run->model->saved[++may->saved_hi] = seed;
	rc = store_save_state(run->store, &kept, &err);
	if (rc)
		return run_tolerant() ||
		       run_wrong(run, "store_save_state: %s", err.text);
	may->saved_lo = may->saved_hi;
	return true;
}

static bool
release_and_retake(struct run *run)
{
	struct error err = { "" };
	int rc = store_release(run->store, &err);

	if (machine_leaks())
		return run_wrong(run, "store_release leaves a file open");
	if (rc && store_failed(run->store)) {
		if (!check_failure(run, rc, "store_release"))
			return false;
	} else {
		if (rc && !run_tolerant())
			return run_wrong(run, "store_release: %s", err.text);
		if (!run->failed)
			committed(run, true);
	}
	run->attacked = false;
	rc = store_retake(run->store, false, &err);
	if (rc)
		return check_failure(run, rc, "store_retake");
	return machine.dead || run->failed || check_image(run);
}

static bool
close_store(struct run *run)
{
	struct model *model = run->model;
	int rc;

	if (model->may.hi > model->done)
		model_set(model, model->may.hi);
	rc = store_close(run->store);
	run->store = NULL;
	pinned_end(run);
	if (machine_leaks())
		return run_wrong(run, "store_close leaves a file open");
	if (rc) {
		if (run->failed && rc != run->failed && !machine.dead)
			return run_wrong(run, "store_close: %d, not %d", rc,
					 run->failed);
		return run_tolerant() || run_wrong(run, "store_close: %d", rc);
	}
	if (run->failed)
		return run_wrong(run, "store_close: success after a failure");
	committed(run, true);
	run_settled(run, run->model->done);
	run->complete = true;
	return true;
}

/* Replaces the image, wholly or in a few places, as one burst. */
static bool
replace(struct run *run, uint64_t seed)
{
	struct model *model = run->model;
	unsigned long vars_writes = machine.vars_writes;
	uint8_t *image = malloc(model->size);
	int rc;

	if (!image)
		abort();
	memcpy(image, store_image(run->store), model->size);
	if (below(&seed, 2))
		run_fill(image, model->size, draw(&seed));
	for (uint32_t n = 4 + below(&seed, 4); n > 0; n--)
		run_fill(image + below(&seed, model->size - 600),
			 1 + below(&seed, 600), draw(&seed));
	if (!run->failed) {
		memcpy(model->image, image, model->size);
		model->may.hi = model->done + 1;
	}
	rc = store_replace(run->store, image);
	free(image);
	return after_change(run, rc, vars_writes, "store_replace");
}

/*
 * Kills the process at one of its next calls; the page cache keeps its writes.
 */
static void
kill_store(struct run *run, uint64_t seed)
{
	struct fault fault = machine.fault;

	machine.fault = (struct fault){ .kind = FAULT_KILL,
					.error = EIO,
					.nth = 1 + below(&seed, 12) };
	(void)store_close(run->store);
	run->store = NULL;
	pinned_end(run);
	memset(machine.fd, 0, sizeof(machine.fd));
	machine.dead = false;
	machine.fault = fault;
}

static bool
is_for_closed(enum step_kind kind)
{
	return kind == STEP_CREATE || kind == STEP_OPEN ||
	       kind >= STEP_REMOVE_JOURNAL;
}

static bool
run_closed_step(struct run *run, const struct step *step)
{
	switch (step->kind) {
	case STEP_CREATE: return others_create(run, step->seed);
	case STEP_REMOVE_JOURNAL: return others_remove_journal(run);
	case STEP_REMOVE_VARS: return others_remove_vars(run);
	case STEP_BACK_UP: return others_back_up(run, step->seed);
	case STEP_COPY: return others_copy(run, step->len);
	case STEP_ACCEPT: return others_accept(run);
	case STEP_MOVE: return places_move(run);
	case STEP_TRAVEL: return travel(run, step->seed);
	case STEP_USE_CLONE: return places_use_clone(run, step->seed);
	case STEP_DAMAGE:
		return repairs_damage(run, (enum damage)step->len, step->seed);
	case STEP_ROLLBACK: return repairs_rescue(run, 0, false);
	case STEP_RESET: return repairs_rescue(run, step->seed, true);
	case STEP_RESIZE: return repairs_resize(run, step->seed);
	case STEP_START: return queue_start_step(run);
	case STEP_EDIT_PINNED: return pinned_edit(run);
	case STEP_CHANGE_PINNED: return pinned_change(run, step->seed);
	default: return open_store(run, step->seed);
	}
}

static bool
run_step(struct run *run, const struct step *step)
{
	if (step->kind == STEP_CLONE)
		return places_clone(run);
	if (step->kind == STEP_QUEUE)
		return queue_step(run, step->seed);
	if (is_for_closed(step->kind))
		return run_closed_step(run, step);
	if (!run->store) /* a fault prevented store_open() */
		return true;
	switch (step->kind) {
	case STEP_COMMIT: return commit(run);
	case STEP_SYNC: return sync_bursts(run);
	case STEP_CHECKPOINT: return checkpoint(run);
	case STEP_SAVE_STATE: return save_state(run, step->seed);
	case STEP_RETAKE: return release_and_retake(run);
	case STEP_REPLACE: return replace(run, step->seed);
	case STEP_KILL: kill_store(run, step->seed); return true;
	case STEP_SETTLE: return settle(run);
	case STEP_ATTACK: return pinned_attack(run, step->seed, step->len);
	case STEP_SET: return pinned_set(run, step->seed);
	case STEP_CLOSE: return close_store(run);
	default: return change(run, step);
	}
}

bool
run_script(struct run *run, const struct script *script)
{
	run_place(run, run->model->may.move.place);
	for (size_t i = 0; i < script->steps && !machine.dead; i++) {
		if (!run_step(run, &script->step[i]))
			return false;
		if (machine.vars_changed)
			run_settled(run, 0);
	}
	return true;
}

bool
run_check_medium(struct run *run)
{
	run_place(run, run->model->may.move.place);
	return places_check(run) && queue_check(run) && repairs_check(run);
}

void
run_drop(struct run *run)
{
	machine.dead = true;
	if (run->store)
		(void)store_close(run->store);
	run->store = NULL;
	pinned_end(run);
}

bool
run_heal(struct run *run)
{
	bool good = true;

	if (machine.dead)
		run_drop(run);
	else if (run->store)
		good = close_store(run);
	memset(machine.fd, 0, sizeof(machine.fd));
	machine.fault = (struct fault){ .kind = FAULT_NONE };
	machine.dead = false;
	run->failed = 0;
	return good;
}
