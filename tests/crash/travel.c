/* SPDX-License-Identifier: BSD-2-Clause */
#include "travel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"

/* The stream of one transfer. */
static struct bytes stream;

static int
take(void *opaque, const void *bytes, size_t len, struct error *err)
{
	(void)opaque, (void)err;
	bytes_write(&stream, stream.len, bytes, len);
	return 0;
}

static struct store_config
config_of(const struct run *run, unsigned int place)
{
	const struct setting *setting = run->setting;

	return (struct store_config){
		.path = places_path(run, place),
		.size = setting->size,
		.sync = setting->sync,
		.journal_limit = setting->journal_limit,
		.burst_limit = setting->burst_limit,
		.history = &setting->history,
		.sys = &sys_machine,
	};
}

static struct travel *
of(struct run *run)
{
	return &run->model->may.travel;
}

/* True: the call has succeeded, and no cut has stopped it. */
static bool
went_well(struct run *run, int rc, const char *what, const struct error *err)
{
	if (machine.dead)
		return false;
	if (rc)
		return run_wrong(run, "%s: %s", what, err->text);
	return true;
}

/* From now on the flash is at this place, and none at the other one. */
static void
stays(struct run *run, unsigned int place)
{
	*of(run) = (struct travel){ .left = true };
	run_place(run, place);
}

static bool
lend(struct run *run, unsigned int place)
{
	const struct store_config config = config_of(run, place);
	const struct store_sink sink = { .write = take };
	char id[STORE_TRANSFER_TEXT];
	struct error err = { "" };

	stream.len = 0;
	of(run)->stage = TRAVEL_LENDING;
	places_mirror(run);
	if (!went_well(run,
		       store_send(&config, STORE_WITH_GUEST, &sink, id, &err),
		       "store_send", &err))
		return false;
	of(run)->stage = TRAVEL_LENT;
	return true;
}

static bool
receive(struct run *run, unsigned int place)
{
	const struct store_config config = config_of(run, place);
	char id[STORE_TRANSFER_TEXT];
	struct error err = { "" };

	places_mirror(run);
	if (!went_well(run,
		       store_receive(&config, STORE_WITH_GUEST, stream.data,
				     stream.len, id, &err),
		       "store_receive", &err))
		return false;
	of(run)->stage = TRAVEL_RECEIVED;
	of(run)->received = true;
	return true;
}

static bool
open_at(struct run *run, unsigned int place, bool arrives, struct store **store)
{
	struct store_config config = config_of(run, place);
	struct error err = { "" };

	config.takes_arrived = arrives;
	places_mirror(run);
	if (!went_well(run, store_open(store, &config, NULL, &err),
		       "store_open", &err))
		return false;
	return !arrives || store_released(*store) ||
	       run_wrong(run, "what has arrived is used at once");
}

/* The guest goes on at this place. */
static bool
resume(struct run *run, struct store *store, unsigned int place,
       enum travel_stage stage)
{
	struct error err = { "" };

	of(run)->stage = stage;
	places_mirror(run);
	if (!went_well(run, store_retake(store, true, &err), "store_retake",
		       &err))
		return false;
	stays(run, place);
	return true;
}

/* The pflashd of the place that the flash has left ends without a change. */
static bool
end(struct run *run, struct store *store)
{
	unsigned long changes = machine.changes;

	(void)store_close(store);
	return machine.changes == changes ||
	       run_wrong(run, "a store that waits changes the files");
}

static bool
migrate(struct run *run, struct store *source, uint64_t seed)
{
	unsigned int from = run->model->may.move.place;
	struct store *target = NULL;
	bool good = lend(run, from), arrives = seed % 4 != 0;
	bool back = seed / 4 == 1;
	unsigned int to = back ? from : !from;

	of(run)->back = back;
	if (good && arrives)
		good = receive(run, to) && open_at(run, to, true, &target);
	if (good && arrives && seed % 4 != 1)
		good = resume(run, target, to, TRAVEL_TAKING) &&
		       end(run, source);
	else if (good)
		good = (!target || end(run, target)) &&
		       resume(run, source, from, TRAVEL_RETURNING);
	if (good)
		good = store_close(arrives && seed % 4 != 1 ? target :
							      source) == 0 ||
		       machine.dead || run_wrong(run, "store_close fails");
	return good;
}

/* A cut stops the process: its stores are lost with the machine. */
bool
travel(struct run *run, uint64_t seed)
{
	struct store *source = NULL;
	struct error err = { "" };

	if (!open_at(run, run->model->may.move.place, false, &source) ||
	    !went_well(run, store_release(source, &err), "store_release",
		       &err) ||
	    !migrate(run, source, seed))
		return machine.dead;
	return !machine_leaks() ||
	       run_wrong(run, "the migration leaves a file open");
}

bool
travel_is_known(const struct run *run)
{
	const struct travel *travel = &run->model->may.travel;

	return travel->stage != TRAVEL_NOT || travel->left;
}

/* --- after a cut --- */

/* The start of another guest must be refused, and change nothing. */
static bool
check_refusal(struct run *run, unsigned int place, int rc,
	      const struct error *why)
{
	struct store_config config = config_of(run, place);
	unsigned long changes = machine.changes;
	struct error err = { "" };
	struct store *store;

	if (rc == -EREMCHG && !strstr(why->text, "pflashctl forget"))
		return run_wrong(run, "without the way out: %s", why->text);
	places_mirror(run);
	if (store_open(&store, &config, NULL, &err) == 0)
		return run_wrong(run, "store_open opens what a reader refuses");
	if (rc == -EREMCHG &&
	    store_create(&config, run->model->image, &err) == 0)
		return run_wrong(run, "a new flash hides one that has left");
	return machine.changes == changes ||
	       run_wrong(run, "a refused start changes the files");
}

/* May there be a flash at the source, and at the target? */
static bool
check_places(struct run *run, const bool usable[2], unsigned int from)
{
	enum travel_stage stage = of(run)->stage;

	if (usable[0] && usable[1])
		return run_wrong(run, "the flash is usable at both places");
	if (usable[!from] && (stage != TRAVEL_TAKING || of(run)->back))
		return run_wrong(run, "a flash without its guest, stage %d",
				 (int)stage);
	if (usable[from] && stage != TRAVEL_NOT && stage != TRAVEL_LENDING &&
	    stage != TRAVEL_RETURNING &&
	    (stage != TRAVEL_TAKING || !of(run)->back))
		return run_wrong(run, "the flash is back, stage %d",
				 (int)stage);
	if (!usable[from] && stage == TRAVEL_NOT)
		return run_wrong(run, "the flash has gone");
	return true;
}

static bool
look_at_both(struct run *run, bool usable[2])
{
	struct error err[2] = { { "" }, { "" } };
	uint32_t number[2];
	int rc[2];

	for (unsigned int i = 0; i < 2; i++) {
		rc[i] = places_look(run, i, &number[i], &err[i]);
		usable[i] = rc[i] == 0;
		if (usable[i] && !number[i])
			return run_wrong(run, "the place %u has another image",
					 i);
	}
	if (!check_places(run, usable, run->model->may.move.place))
		return false;
	for (unsigned int i = 0; i < 2; i++)
		if (!usable[i] && !check_refusal(run, i, rc[i], &err[i]))
			return false;
	return true;
}

/* The operator decides for one place; only a whole flash may be chosen. */
static bool
decide(struct run *run)
{
	unsigned int from = run->model->may.move.place;
	bool there = of(run)->stage == TRAVEL_TAKING ||
		     (of(run)->stage == TRAVEL_RECEIVED && run->key % 2);
	unsigned int place = there && !of(run)->back ? !from : from;
	struct store_config config = config_of(run, place);
	struct error err = { "" };
	bool undone = false;
	int rc;

	of(run)->stage = there ? TRAVEL_TAKING : TRAVEL_RETURNING;
	places_mirror(run);
	rc = store_move_undo(&config, &undone, &err);
	if (!went_well(run, rc, "store_move_undo", &err))
		return machine.dead;
	if (!undone)
		return run_wrong(run, "nothing to forget");
	stays(run, place);
	return true;
}

bool
travel_settle(struct run *run)
{
	bool usable[2];

	if (!look_at_both(run, usable))
		return false;
	if (!usable[0] && !usable[1])
		return decide(run);
	stays(run, usable[1]);
	return true;
}
