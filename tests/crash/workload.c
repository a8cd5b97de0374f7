/* SPDX-License-Identifier: BSD-2-Clause */
#include "workload.h"

#include <stdlib.h>

#include "random.h"
#include "repairs.h"
#include "variables.h"

#define BLOCK 4096u
#define KIB 1024u

#define FIRST_BOOT "ovmf-2022.11-4m-firstboot.trace.gz"
#define SECOND_BOOT "ovmf-2022.11-4m-secondboot.trace.gz"
#define OVMF_SIZE (132 * BLOCK) /* layout 4m */
#define STORE_SIZE (32 * BLOCK) /* layout 2m */

static void
begin(struct script *script, uint64_t *random)
{
	script_add(script, STEP_CREATE)->seed = draw(random);
	script_add(script, STEP_OPEN)->seed = draw(random);
}

static void
again(struct script *script)
{
	script_add(script, STEP_CLOSE);
	script_add(script, STEP_OPEN);
}

static void
add_bursts(struct script *script, const struct workload *workload,
	   uint64_t *random, uint32_t count)
{
	for (; count > 0; count--) {
		script_add_burst(script, random, workload->setting.size, 1400);
		if (!below(random, 6))
			script_add(script, STEP_CHECKPOINT);
		if (!below(random, 6))
			script_add(script, STEP_SAVE_STATE)->seed =
				draw(random);
	}
}

static void
build_small(struct script *script, const struct workload *workload,
	    uint64_t seed)
{
	uint64_t random = mix(seed, 1);

	begin(script, &random);
	add_bursts(script, workload, &random, 7);
	again(script);
	add_bursts(script, workload, &random, 3);
	script_add(script, STEP_CLOSE);
}

/* The guest is suspended and resumed a few times, with a burst open. */
static void
build_suspend(struct script *script, const struct workload *workload,
	      uint64_t seed)
{
	uint64_t random = mix(seed, 11);

	begin(script, &random);
	for (int i = 0; i < 3; i++) {
		add_bursts(script, workload, &random, 1);
		script_add_burst(script, &random, workload->setting.size, 900);
		script->steps--; /* drop the commit: the burst stays open */
		script_add(script, STEP_RETAKE);
	}
	script_add(script, STEP_CLOSE);
}

/* A new journal replaces a removed one, whose blocks it may get. */
static void
build_new_journal(struct script *script, const struct workload *workload,
		  uint64_t seed)
{
	uint64_t random = mix(seed, 2);

	begin(script, &random);
	add_bursts(script, workload, &random, 10);
	script_add(script, STEP_CLOSE);
	script_add(script, STEP_REMOVE_JOURNAL);
	script_add(script, STEP_OPEN);
	add_bursts(script, workload, &random, 6);
	script_add(script, STEP_CLOSE);
}

/* Writes so much that old history is dropped again and again. */
static void
build_history(struct script *script, const struct workload *workload,
	      uint64_t seed)
{
	uint32_t size = workload->setting.size;
	uint64_t random = mix(seed, 3);

	begin(script, &random);
	for (int i = 0; i < 24; i++) {
		struct step *step = script_add(script, STEP_PROGRAM);

		step->seed = draw(&random);
		step->len = size / 2 + below(&random, size / 2);
		step->off = below(&random, size - step->len + 1);
		script_add(script, STEP_COMMIT);
	}
	again(script);
	add_bursts(script, workload, &random, 3);
	script_add(script, STEP_CLOSE);
}

/*
 * Does what FtwDxe and VariableSmm do for a reclaim: erases and writes the
 * spare area, then the variable area, each as one burst of many blocks.
 */
static void
build_reclaim(struct script *script, const struct workload *workload,
	      uint64_t seed)
{
	uint32_t half = workload->setting.size / 2;
	uint64_t random = mix(seed, 4);

	begin(script, &random);
	for (uint32_t n = 0; n < 4; n++) {
		uint32_t base = n % 2 ? 0 : half;

		script_add_burst(script, &random, workload->setting.size, 700);
		for (uint32_t off = 0; off < half; off += BLOCK) {
			struct step *step = script_add(script, STEP_ERASE);

			step->off = base + off;
			step->len = BLOCK;
		}
		for (uint32_t off = 0; off < half; off += 4 * BLOCK) {
			struct step *step = script_add(script, STEP_PROGRAM);

			step->seed = draw(&random);
			step->off = base + off;
			step->len = below(&random, 2 * BLOCK) + 1;
		}
		script_add(script, STEP_COMMIT);
	}
	again(script);
	script_add_burst(script, &random, workload->setting.size, 700);
	script_add(script, STEP_CLOSE);
}

/*
 * Overwrites VARS with an image made from the seed, or (0) with its own image.
 */
static void
copy_over(struct script *script, uint64_t seed, bool sync)
{
	script_add(script, STEP_BACK_UP)->seed = seed;
	script_add(script, STEP_COPY)->len = sync;
}

/*
 * Another tool writes VARS, in one case after the store's process was killed.
 */
static void
build_accept(struct script *script, const struct workload *workload,
	     uint64_t seed)
{
	uint32_t bursts = workload->faults ? 1 : 3;
	uint64_t random = mix(seed, 6);

	begin(script, &random);
	add_bursts(script, workload, &random, bursts);
	script_add(script, STEP_CLOSE);
	copy_over(script, draw(&random), below(&random, 2));
	script_add(script, STEP_ACCEPT);
	script_add(script, STEP_OPEN);
	add_bursts(script, workload, &random, bursts);
	script_add(script, STEP_KILL)->seed = draw(&random);
	copy_over(script, draw(&random), below(&random, 2));
	script_add(script, STEP_ACCEPT);
	script_add(script, STEP_ACCEPT);
	script_add(script, STEP_OPEN);
	add_bursts(script, workload, &random, 1);
	script_add(script, STEP_CLOSE);
}

/* Replaces the image as pflashctl create --reset and rollback do. */
static void
build_replace(struct script *script, const struct workload *workload,
	      uint64_t seed)
{
	uint64_t random = mix(seed, 7);

	begin(script, &random);
	add_bursts(script, workload, &random, 2);
	for (int i = 0; i < 3; i++) {
		script_add(script, STEP_REPLACE)->seed = draw(&random);
		script_add(script, STEP_COMMIT);
		again(script);
	}
	add_bursts(script, workload, &random, 1);
	script_add(script, STEP_REPLACE)->seed = draw(&random);
	script_add(script, STEP_CLOSE);
}

/* Creates a file with the name of a removed one, whose journal still exists. */
static void
build_create(struct script *script, const struct workload *workload,
	     uint64_t seed)
{
	uint64_t random = mix(seed, 8);

	begin(script, &random);
	add_bursts(script, workload, &random, 3);
	for (int i = 0; i < 2; i++) {
		script_add(script, STEP_CLOSE);
		script_add(script, STEP_REMOVE_VARS);
		begin(script, &random);
		add_bursts(script, workload, &random, 2);
	}
	script_add(script, STEP_CLOSE);
}

/* cp(1) overwrites VARS without a sync, once beside the file's journal. */
static void
build_copied(struct script *script, const struct workload *workload,
	     uint64_t seed)
{
	uint32_t bursts = workload->faults ? 1 : 2;
	uint64_t random = mix(seed, 9);

	begin(script, &random);
	add_bursts(script, workload, &random, bursts);
	script_add(script, STEP_CLOSE);
	copy_over(script, 0, false);
	script_add(script, STEP_OPEN);
	add_bursts(script, workload, &random, bursts);
	script_add(script, STEP_CLOSE);
	script_add(script, STEP_REMOVE_JOURNAL);
	copy_over(script, draw(&random), false);
	script_add(script, STEP_OPEN);
	add_bursts(script, workload, &random, bursts);
	script_add(script, STEP_CLOSE);
}

/* After one in `one_in` commits, as after a quiet time of the guest. */
static void
add_after_commits(struct script *script, enum step_kind kind, uint32_t one_in,
		  uint64_t *random)
{
	size_t steps = script->steps;
	struct script whole = { .steps = 0 };

	for (size_t i = 0; i < steps; i++) {
		*script_add(&whole, STEP_COMMIT) = script->step[i];
		if (script->step[i].kind == STEP_COMMIT &&
		    !below(random, one_in))
			script_add(&whole, kind);
	}
	free(script->step);
	*script = whole;
}

static void
build_trace(struct script *script, const struct workload *workload,
	    uint64_t seed)
{
	const struct setting *setting = &workload->setting;
	uint8_t *image = malloc(setting->size);
	uint64_t random = mix(seed, 5);
	bool good;

	if (!image)
		abort();
	setting_image(setting, image, 0);
	begin(script, &random);
	good = trace_steps(script, workload->trace, image, setting->size) &&
	       (!workload->next ||
		trace_steps(script, workload->next, image, setting->size));
	free(image);
	if (!good) {
		script->steps = 0;
		return;
	}
	if (setting->sync == STORE_SYNC_VARIABLE)
		add_after_commits(script, STEP_SYNC, 20, &random);
	again(script);
	script_add(script, STEP_CLOSE);
}

static void
build_variables(struct script *script, const struct workload *workload,
		uint64_t seed)
{
	uint64_t random = mix(seed, 12);

	begin(script, &random);
	variables_add(script, workload->setting.size, &random,
		      workload->faults ? 3 : 9);
	again(script);
	script_add_burst(script, &random, workload->setting.size, 700);
	script_add(script, STEP_CLOSE);
}

static void
save_state(struct script *script, uint64_t *random)
{
	script_add(script, STEP_SAVE_STATE)->seed = draw(random) | 1;
}

/* Without a journal, with all files, and after the process was killed. */
static void
build_move(struct script *script, const struct workload *workload,
	   uint64_t seed)
{
	uint64_t random = mix(seed, 13);

	begin(script, &random);
	add_bursts(script, workload, &random, 1);
	script_add(script, STEP_CLOSE);
	script_add(script, STEP_REMOVE_JOURNAL);
	script_add(script, STEP_MOVE);
	script_add(script, STEP_OPEN);
	add_bursts(script, workload, &random, 2);
	save_state(script, &random);
	script_add(script, STEP_CLOSE);
	script_add(script, STEP_MOVE);
	script_add(script, STEP_OPEN);
	add_bursts(script, workload, &random, 1);
	script_add(script, STEP_KILL)->seed = draw(&random);
	script_add(script, STEP_MOVE);
	script_add(script, STEP_OPEN);
	add_bursts(script, workload, &random, 1);
	script_add(script, STEP_CLOSE);
}

/* One move, of all files; calls of it fail. */
static void
build_one_move(struct script *script, const struct workload *workload,
	       uint64_t seed)
{
	uint64_t random = mix(seed, 14);

	begin(script, &random);
	add_bursts(script, workload, &random, 1);
	save_state(script, &random);
	script_add(script, STEP_CLOSE);
	script_add(script, STEP_MOVE);
	script_add(script, STEP_OPEN);
	add_bursts(script, workload, &random, 1);
	script_add(script, STEP_CLOSE);
}

/*
 * The flash does not arrive; the migration is aborted; it goes there without a
 * journal; and comes back to the files that it has left.  Then it arrives where
 * it was lent: the guest is resumed, and restored.
 */
static void
build_travel(struct script *script, const struct workload *workload,
	     uint64_t seed)
{
	uint64_t random = mix(seed, 29);

	begin(script, &random);
	for (uint32_t n = 0; n < 7; n++) {
		if (n == 4)
			continue;
		add_bursts(script, workload, &random, 1);
		save_state(script, &random);
		script_add(script, STEP_CLOSE);
		if (n == 2)
			script_add(script, STEP_REMOVE_JOURNAL);
		script_add(script, STEP_TRAVEL)->seed = n;
		script_add(script, STEP_OPEN);
	}
	add_bursts(script, workload, &random, 1);
	script_add(script, STEP_CLOSE);
}

/* The flash is in use and has an open burst, or its process was killed. */
static void
build_clone(struct script *script, const struct workload *workload,
	    uint64_t seed)
{
	uint64_t random = mix(seed, 15);

	begin(script, &random);
	add_bursts(script, workload, &random, 2);
	save_state(script, &random);
	if (seed % 2) {
		script_add_burst(script, &random, workload->setting.size, 900);
		script->steps--; /* drop the commit: the burst stays open */
		script_add(script, STEP_CLONE);
		script_add(script, STEP_COMMIT);
		script_add(script, STEP_CLOSE);
	} else {
		script_add(script, STEP_KILL)->seed = draw(&random);
		script_add(script, STEP_CLONE);
	}
	script_add(script, STEP_CLONE);
	script_add(script, STEP_OPEN);
	add_bursts(script, workload, &random, 2);
	script_add(script, STEP_CLOSE);
	script_add(script, STEP_USE_CLONE)->seed = draw(&random);
	script_add(script, STEP_OPEN);
	add_bursts(script, workload, &random, 1);
	script_add(script, STEP_CLOSE);
}

/* VARS is damaged in each way, and restored or replaced. */
static void
build_rescue(struct script *script, const struct workload *workload,
	     uint64_t seed)
{
	uint32_t stride = workload->faults ? 3 : 1;
	uint64_t random = mix(seed, 16);

	begin(script, &random);
	for (uint32_t how = 0; how < DAMAGES; how += stride) {
		struct step *step;

		add_bursts(script, workload, &random, 1);
		step = script_add(script, how % 2 ? STEP_KILL : STEP_CLOSE);
		step->seed = draw(&random);
		step = script_add(script, STEP_DAMAGE);
		step->len = how;
		step->seed = draw(&random);
		step = script_add(script, (how + seed) % 2 ? STEP_ROLLBACK :
							     STEP_RESET);
		step->seed = draw(&random);
		script_add(script, STEP_OPEN);
	}
	add_bursts(script, workload, &random, 1);
	/* VARS may have the newest image in the page cache only. */
	script_add(script, STEP_KILL)->seed = draw(&random);
	script_add(script, STEP_ROLLBACK);
	script_add(script, STEP_OPEN);
	script_add(script, STEP_CLOSE);
}

static void
build_resize(struct script *script, const struct workload *workload,
	     uint64_t seed)
{
	uint64_t random = mix(seed, 17);

	begin(script, &random);
	for (int i = workload->faults; i < 2; i++) {
		add_bursts(script, workload, &random, 2);
		save_state(script, &random);
		script_add(script, STEP_CLOSE);
		script_add(script, STEP_RESIZE)->seed = draw(&random);
		script_add(script, STEP_OPEN);
	}
	add_bursts(script, workload, &random, 1);
	script_add(script, STEP_CLOSE);
}

/* Changes are queued while the guest runs, and applied at its next start. */
static void
build_queue(struct script *script, const struct workload *workload,
	    uint64_t seed)
{
	uint64_t random = mix(seed, 20);

	begin(script, &random);
	if (!workload->faults)
		variables_add(script, workload->setting.size, &random, 3);
	for (int i = workload->faults; i < 2; i++) {
		for (uint32_t n = 1 + below(&random, 3); n > 0; n--)
			script_add(script, STEP_QUEUE)->seed = draw(&random);
		script_add(script, STEP_CLOSE);
		script_add(script, STEP_START);
		script_add(script, STEP_OPEN);
		script_add(script, STEP_SAVE_STATE)->seed = draw(&random);
	}
	script_add(script, STEP_CLOSE);
}

static void
set_one(struct script *script, uint64_t *random)
{
	script_add(script, STEP_SET)->seed = draw(random);
	script_add(script, STEP_COMMIT);
}

/*
 * The guest attacks its keys between changes of other variables; the host
 * changes them, and another program does.
 */
static void
build_pinned(struct script *script, const struct workload *workload,
	     uint64_t seed)
{
	static const enum step_kind ends[] = { STEP_COMMIT, STEP_CHECKPOINT,
					       STEP_RETAKE, STEP_COMMIT };
	uint64_t random = mix(seed, 21);

	begin(script, &random);
	for (unsigned int i = workload->faults ? 2 : 0; i < 4; i++) {
		set_one(script, &random);
		script_add(script, STEP_ATTACK)->seed = draw(&random);
		script->step[script->steps - 1].len = 1;
		script_add(script, STEP_ATTACK)->seed = draw(&random);
		script_add(script, ends[i]);
		set_one(script, &random);
		if (i == 3)
			script_add(script, STEP_ATTACK)->seed = draw(&random);
		script_add(script, STEP_CLOSE);
		if (i % 2)
			script_add(script, STEP_CHANGE_PINNED)->seed =
				draw(&random);
		else
			script_add(script, STEP_EDIT_PINNED);
		script_add(script, STEP_OPEN);
	}
	set_one(script, &random);
	script_add(script, STEP_KILL)->seed = draw(&random);
	script_add(script, STEP_OPEN);
	script_add(script, STEP_CLOSE);
}

/* The guest is quiet now and then, once with a burst open. */
static void
build_settle(struct script *script, const struct workload *workload,
	     uint64_t seed)
{
	uint32_t rounds = workload->faults ? 1 : 3;
	uint64_t random = mix(seed, 18);

	begin(script, &random);
	for (uint32_t i = 0; i < rounds; i++) {
		add_bursts(script, workload, &random, 1 + below(&random, 2));
		script_add_burst(script, &random, workload->setting.size, 900);
		script->steps--; /* drop the commit: the burst stays open */
		script_add(script, STEP_SETTLE);
		script_add(script, STEP_COMMIT);
		script_add(script, STEP_SETTLE);
		script_add_burst(script, &random, workload->setting.size, 900);
	}
	script_add(script, STEP_KILL)->seed = draw(&random);
	script_add(script, STEP_OPEN);
	add_bursts(script, workload, &random, 1);
	script_add(script, STEP_SETTLE);
	script_add(script, STEP_CLOSE);
}

static void
build_settle_variable(struct script *script, const struct workload *workload,
		      uint64_t seed)
{
	uint64_t random = mix(seed, 19);

	begin(script, &random);
	variables_add(script, workload->setting.size, &random, 9);
	add_after_commits(script, STEP_SETTLE, 3, &random);
	script_add(script, STEP_CLOSE);
}

/* As build_history(): the checkpoints of a quiet guest drop history, too. */
static void
build_settle_history(struct script *script, const struct workload *workload,
		     uint64_t seed)
{
	uint64_t random = mix(seed, 20);

	build_history(script, workload, seed);
	add_after_commits(script, STEP_SETTLE, 1, &random);
}

#define PLAN_QUICK                                                             \
	{                                                                      \
		6, 5, 5, 60, 300, 0                                            \
	}
#define PLAN_FULL                                                              \
	{                                                                      \
		8, 10, 12, 30, 100, 0                                          \
	}
#define KEEP_ALL                                                               \
	{                                                                      \
		STORE_HISTORY_BYTES, 0                                         \
	}
#define KEEP_NONE                                                              \
	{                                                                      \
		0, 0                                                           \
	}

#define KEEP_SOME                                                              \
	{                                                                      \
		64 * KIB, 0                                                    \
	}

#define SMALL(name, sync, size, limit, history, whole)                         \
	{                                                                      \
		name, build_small,                                             \
			{ NULL,    (size), sync,         limit, 8 * KIB,       \
			  history, whole,  FIRST_RANDOM, false },              \
			PLAN_QUICK, PLAN_FULL, 1, false, NULL, NULL            \
	}

#define OTHERS(name, build, sync, limit, history, whole)                       \
	{                                                                      \
		name, build, { NULL,  3 * BLOCK,      sync,                    \
			       limit, STORE_MAX_SIZE, history,                 \
			       whole, FIRST_RANDOM,   false },                 \
			{ 4, 4, 4, 60, 0, 0 }, PLAN_FULL, 2, false, NULL, NULL \
	}

#define FAULTS(name, build, sync, limit, history, whole)                       \
	{                                                                      \
		name, build,                                                   \
			{ NULL,    2 * BLOCK, sync,         limit, 8 * KIB,    \
			  history, whole,     FIRST_RANDOM, false },           \
			{ 2, 2, 1, 0, 0, 13 }, { 3, 2, 2, 400, 0, 2 }, 1,      \
			true, NULL, NULL                                       \
	}

#define TRACE(name, sync, first, limit, history, plan, stride, seeds, file)    \
	{                                                                      \
		name, build_trace, { NULL,    OVMF_SIZE, sync,  limit, 0,      \
				     history, false,     first, false },       \
			plan, { 4, 6, 6, 400, 0, stride }, seeds, false, file, \
			NULL                                                   \
	}

#define TRACE_QUICK                                                            \
	{                                                                      \
		2, 1, 1, 0, 0, 7                                               \
	}
#define TRACE_FEW                                                              \
	{                                                                      \
		2, 1, 1, 0, 0, 197                                             \
	}

/* Of operations on closed files, and of the checkpoint of a quiet guest. */
#define CLOSED(name, build, sync, seeds)                                       \
	{                                                                      \
		name, build, { NULL, 2 * BLOCK,      sync,                     \
			       0,    STORE_MAX_SIZE, KEEP_ALL,                 \
			       true, FIRST_RANDOM,   false },                  \
			{ 3, 2, 2, 80, 0, 0 }, PLAN_FULL, seeds, false, NULL,  \
			NULL                                                   \
	}

/* Of a flash with keys, which are pinned. */
#define PINNED(name, sync, limit, stride)                                      \
	{                                                                      \
		name, build_pinned,                                            \
			{ NULL,     STORE_SIZE, sync,       limit, 8 * KIB,    \
			  KEEP_ALL, false,      FIRST_KEYS, false },           \
			{ 3, 3, 3, 60, 0, stride }, PLAN_FULL, 1, false, NULL, \
			NULL                                                   \
	}

/* The call that fails is cut at once, and at few others. */
#define FAULTS_CLOSED(name, build, sync)                                       \
	{                                                                      \
		name, build,                                                   \
			{ NULL,     2 * BLOCK, sync,         0,    8 * KIB,    \
			  KEEP_ALL, true,      FIRST_RANDOM, false },          \
			{ 2, 1, 1, 0, 0, 89 }, { 3, 2, 2, 400, 0, 2 }, 1,      \
			true, NULL, NULL                                       \
	}

/*
 * On a complete device; `history` decides whether its journal has room for
 * history.
 */
#define DEVICE(name, build, sync, size, limit, burst, history, first, stride)  \
	{                                                                      \
		name, build, { NULL,    size,  sync,  limit, burst,            \
			       history, false, first, true },                  \
			{ 4, 3, 3, 60, 300, stride }, { 6, 8, 8, 100, 0, 0 },  \
			1, false, NULL, NULL                                   \
	}
#define DEVICE_FAULTS(name, build, sync, size, limit, history, first, stride)  \
	{                                                                      \
		name, build, { NULL,    size,  sync,  limit, 8 * KIB,          \
			       history, false, first, true },                  \
			{ 2, 1, 1, 0, 0, stride }, { 3, 2, 2, 400, 0, 2 }, 1,  \
			true, NULL, NULL                                       \
	}

/* clang-format off */
const struct workload workloads[] = {
	SMALL("small-burst", STORE_SYNC_BURST, 3 * BLOCK, 0, KEEP_ALL, true),
	SMALL("small-burst-often", STORE_SYNC_BURST, 3 * BLOCK, 700, KEEP_ALL,
	      true),
	SMALL("small-burst-forget", STORE_SYNC_BURST, 2 * BLOCK, 900, KEEP_NONE,
	      false),
	SMALL("small-op", STORE_SYNC_OP, 2 * BLOCK, 0, KEEP_ALL, true),
	SMALL("small-op-forget", STORE_SYNC_OP, 2 * BLOCK, 1, KEEP_NONE, false),
	SMALL("small-none", STORE_SYNC_NONE, 3 * BLOCK, 0, KEEP_ALL, true),
	SMALL("small-none-often", STORE_SYNC_NONE, 2 * BLOCK, 2000, KEEP_ALL,
	      true),
	SMALL("small-none-forget", STORE_SYNC_NONE, 2 * BLOCK, 900, KEEP_NONE,
	      false),
	{ "new-journal-burst", build_new_journal,
	  { NULL, 2 * BLOCK, STORE_SYNC_BURST, 0, 8 * KIB, KEEP_ALL, true,
	    FIRST_RANDOM, false },
	  { 4, 4, 4, 60, 0, 0 }, PLAN_FULL, 2, false, NULL, NULL },
	{ "pass-burst", build_suspend,
	  { NULL, 2 * BLOCK, STORE_SYNC_BURST, 0, 8 * KIB, KEEP_ALL, true,
	    FIRST_RANDOM, false },
	  { 4, 4, 4, 60, 0, 0 }, PLAN_FULL, 1, false, NULL, NULL },
	{ "pass-none", build_suspend,
	  { NULL, 2 * BLOCK, STORE_SYNC_NONE, 3000, 8 * KIB, KEEP_ALL, true,
	    FIRST_RANDOM, false },
	  { 4, 4, 4, 60, 0, 0 }, PLAN_FULL, 1, false, NULL, NULL },
	{ "new-journal-none", build_new_journal,
	  { NULL, 2 * BLOCK, STORE_SYNC_NONE, 3000, 8 * KIB, KEEP_ALL, true,
	    FIRST_RANDOM, false },
	  { 4, 4, 4, 60, 0, 0 }, PLAN_FULL, 1, false, NULL, NULL },
	OTHERS("accept-burst", build_accept, STORE_SYNC_BURST, 0, KEEP_ALL,
	       true),
	OTHERS("accept-none", build_accept, STORE_SYNC_NONE, 2000, KEEP_ALL,
	       true),
	OTHERS("accept-forget", build_accept, STORE_SYNC_BURST, 900, KEEP_NONE,
	       false),
	OTHERS("replace-burst", build_replace, STORE_SYNC_BURST, 0, KEEP_ALL,
	       true),
	OTHERS("replace-none", build_replace, STORE_SYNC_NONE, 0, KEEP_ALL,
	       true),
	OTHERS("create-again", build_create, STORE_SYNC_BURST, 0, KEEP_ALL,
	       true),
	OTHERS("copied-burst", build_copied, STORE_SYNC_BURST, 0, KEEP_ALL,
	       true),
	OTHERS("copied-none", build_copied, STORE_SYNC_NONE, 0, KEEP_ALL, true),
	FAULTS("faults-burst", build_small, STORE_SYNC_BURST, 0, KEEP_ALL,
	       true),
	FAULTS("faults-burst-forget", build_small, STORE_SYNC_BURST, 900,
	       KEEP_NONE, false),
	FAULTS("faults-op", build_small, STORE_SYNC_OP, 900, KEEP_ALL, false),
	FAULTS("faults-none", build_small, STORE_SYNC_NONE, 2000, KEEP_NONE,
	       false),
	FAULTS("faults-pass", build_suspend, STORE_SYNC_BURST, 900, KEEP_ALL,
	       true),
	FAULTS("faults-accept", build_accept, STORE_SYNC_BURST, 0, KEEP_ALL,
	       true),
	FAULTS("faults-copied", build_copied, STORE_SYNC_BURST, 0, KEEP_ALL,
	       true),
	{ "history-burst", build_history,
	  { NULL, 16 * BLOCK, STORE_SYNC_BURST, 100 * KIB, 0, KEEP_SOME, false,
	    FIRST_RANDOM, false },
	  { 3, 2, 2, 0, 0, 0 }, { 6, 8, 12, 300, 0, 0 }, 1, false, NULL, NULL },
	{ "history-none", build_history,
	  { NULL, 16 * BLOCK, STORE_SYNC_NONE, 150 * KIB, 0, KEEP_SOME, false,
	    FIRST_RANDOM, false },
	  { 3, 2, 2, 0, 0, 3 }, { 6, 8, 12, 300, 0, 0 }, 1, false, NULL, NULL },
	{ "reclaim-burst", build_reclaim,
	  { NULL, OVMF_SIZE, STORE_SYNC_BURST, 0, 0, KEEP_ALL, false,
	    FIRST_BLANK, false },
	  { 3, 3, 4, 0, 0, 0 }, { 7, 20, 20, 2000, 0, 0 }, 1, false, NULL,
	  NULL },
	{ "reclaim-none", build_reclaim,
	  { NULL, OVMF_SIZE, STORE_SYNC_NONE, 300 * KIB, 0, KEEP_ALL, false,
	    FIRST_BLANK, false },
	  { 3, 3, 4, 0, 0, 0 }, { 7, 20, 20, 2000, 0, 0 }, 1, false, NULL,
	  NULL },
	TRACE("boot-burst", STORE_SYNC_BURST, FIRST_BLANK, 0, KEEP_ALL,
	      TRACE_QUICK, 0, 1, FIRST_BOOT),
	TRACE("boot-burst-often", STORE_SYNC_BURST, FIRST_BLANK, 2 * KIB,
	      KEEP_NONE, TRACE_QUICK, 0, 1, FIRST_BOOT),
	TRACE("boot-none", STORE_SYNC_NONE, FIRST_BLANK, 4 * KIB, KEEP_ALL,
	      TRACE_QUICK, 0, 1, FIRST_BOOT),
	TRACE("boot-op", STORE_SYNC_OP, FIRST_BLANK, 64 * KIB, KEEP_SOME,
	      TRACE_FEW, 31, 0, FIRST_BOOT),
	{ "variable", build_variables,
	  { NULL, STORE_SIZE, STORE_SYNC_VARIABLE, 0, 0, KEEP_ALL, true,
	    FIRST_STORE, false },
	  { 5, 4, 4, 100, 0, 0 }, PLAN_FULL, 1, false, NULL, NULL },
	{ "variable-often", build_variables,
	  { NULL, STORE_SIZE, STORE_SYNC_VARIABLE, 900, 0, KEEP_NONE, false,
	    FIRST_STORE, false },
	  { 4, 3, 3, 100, 0, 0 }, PLAN_FULL, 1, false, NULL, NULL },
	/* The image is not a variable store: every burst is synced. */
	SMALL("small-variable", STORE_SYNC_VARIABLE, 2 * BLOCK, 0, KEEP_ALL,
	      true),
	{ "faults-variable", build_variables,
	  { NULL, STORE_SIZE, STORE_SYNC_VARIABLE, 900, 0, KEEP_ALL, false,
	    FIRST_STORE, false },
	  { 2, 2, 1, 0, 0, 61 }, { 3, 2, 2, 400, 0, 5 }, 1, true, NULL, NULL },
	TRACE("boot-variable", STORE_SYNC_VARIABLE, FIRST_STORE, 0, KEEP_ALL,
	      TRACE_QUICK, 0, 1, FIRST_BOOT),
	{ "boots-variable", build_trace,
	  { NULL, OVMF_SIZE, STORE_SYNC_VARIABLE, 16 * KIB, 0, KEEP_ALL, false,
	    FIRST_STORE, false },
	  { 2, 1, 1, 0, 0, 31 }, { 4, 6, 6, 400, 0, 0 }, 1, false, FIRST_BOOT,
	  SECOND_BOOT },
	CLOSED("move-burst", build_move, STORE_SYNC_BURST, 2),
	CLOSED("move-none", build_move, STORE_SYNC_NONE, 1),
	CLOSED("travel-burst", build_travel, STORE_SYNC_BURST, 1),
	CLOSED("travel-none", build_travel, STORE_SYNC_NONE, 1),
	CLOSED("clone", build_clone, STORE_SYNC_BURST, 2),
	CLOSED("rescue-burst", build_rescue, STORE_SYNC_BURST, 2),
	CLOSED("rescue-none", build_rescue, STORE_SYNC_NONE, 1),
	CLOSED("resize", build_resize, STORE_SYNC_BURST, 1),
	{ "queue", build_queue,
	  { NULL, STORE_SIZE, STORE_SYNC_VARIABLE, 0, 0, KEEP_ALL, true,
	    FIRST_STORE, false },
	  { 4, 3, 3, 100, 0, 2 }, PLAN_FULL, 1, false, NULL, NULL },
	PINNED("pinned-burst", STORE_SYNC_BURST, 0, 0),
	PINNED("pinned-op", STORE_SYNC_OP, 900, 3),
	PINNED("pinned-variable", STORE_SYNC_VARIABLE, 0, 2),
	CLOSED("settle-burst", build_settle, STORE_SYNC_BURST, 2),
	CLOSED("settle-none", build_settle, STORE_SYNC_NONE, 2),
	{ "settle-variable", build_settle_variable,
	  { NULL, STORE_SIZE, STORE_SYNC_VARIABLE, 0, 0, KEEP_ALL, true,
	    FIRST_STORE, false },
	  { 4, 3, 3, 100, 0, 5 }, PLAN_FULL, 1, false, NULL, NULL },
	{ "settle-history", build_settle_history,
	  { NULL, 16 * BLOCK, STORE_SYNC_BURST, 0, 0, KEEP_SOME, false,
	    FIRST_RANDOM, false },
	  { 3, 2, 2, 0, 0, 3 }, { 6, 8, 12, 300, 0, 0 }, 1, false, NULL, NULL },
	FAULTS_CLOSED("faults-move", build_one_move, STORE_SYNC_BURST),
	FAULTS_CLOSED("faults-clone", build_clone, STORE_SYNC_BURST),
	FAULTS_CLOSED("faults-rescue", build_rescue, STORE_SYNC_BURST),
	FAULTS_CLOSED("faults-resize", build_resize, STORE_SYNC_BURST),
	{ "faults-queue", build_queue,
	  { NULL, STORE_SIZE, STORE_SYNC_BURST, 0, 0, KEEP_ALL, false,
	    FIRST_STORE, false },
	  { 2, 2, 1, 0, 0, 811 }, { 3, 2, 2, 400, 0, 31 }, 1, true, NULL,
	  NULL },
	{ "faults-pinned", build_pinned,
	  { NULL, STORE_SIZE, STORE_SYNC_BURST, 0, 8 * KIB, KEEP_ALL, false,
	    FIRST_KEYS, false },
	  { 2, 2, 1, 0, 0, 211 }, { 3, 2, 2, 400, 0, 31 }, 0, true, NULL,
	  NULL },
	FAULTS_CLOSED("faults-settle", build_settle, STORE_SYNC_NONE),
	DEVICE("device-burst", build_small, STORE_SYNC_BURST, 3 * BLOCK, 900,
	       8 * KIB, KEEP_ALL, FIRST_RANDOM, 0),
	DEVICE("device-burst-forget", build_small, STORE_SYNC_BURST, 2 * BLOCK,
	       900, 8 * KIB, KEEP_NONE, FIRST_RANDOM, 0),
	DEVICE("device-none-forget", build_small, STORE_SYNC_NONE, 2 * BLOCK,
	       900, 8 * KIB, KEEP_NONE, FIRST_RANDOM, 0),
	DEVICE("device-op-forget", build_small, STORE_SYNC_OP, 2 * BLOCK, 1,
	       8 * KIB, KEEP_NONE, FIRST_RANDOM, 3),
	DEVICE("device-pass", build_suspend, STORE_SYNC_BURST, 2 * BLOCK, 0,
	       8 * KIB, KEEP_NONE, FIRST_RANDOM, 0),
	DEVICE("device-history", build_history, STORE_SYNC_BURST, 16 * BLOCK,
	       100 * KIB, 64 * KIB, KEEP_SOME, FIRST_RANDOM, 3),
	DEVICE("device-clone", build_clone, STORE_SYNC_BURST, 2 * BLOCK, 0,
	       8 * KIB, KEEP_NONE, FIRST_RANDOM, 3),
	DEVICE("device-rescue", build_rescue, STORE_SYNC_BURST, 2 * BLOCK, 0,
	       8 * KIB, KEEP_ALL, FIRST_RANDOM, 3),
	DEVICE("device-settle", build_settle, STORE_SYNC_NONE, 2 * BLOCK, 0,
	       8 * KIB, KEEP_NONE, FIRST_RANDOM, 0),
	DEVICE("device-variable", build_variables, STORE_SYNC_VARIABLE,
	       STORE_SIZE, 900, 8 * KIB, KEEP_NONE, FIRST_STORE, 5),
	DEVICE("device-queue", build_queue, STORE_SYNC_VARIABLE, STORE_SIZE, 0,
	       8 * KIB, KEEP_NONE, FIRST_STORE, 3),
	DEVICE("device-pinned", build_pinned, STORE_SYNC_BURST, STORE_SIZE, 0,
	       8 * KIB, KEEP_NONE, FIRST_KEYS, 5),
	DEVICE_FAULTS("faults-device", build_small, STORE_SYNC_BURST, 2 * BLOCK,
		      900, KEEP_NONE, FIRST_RANDOM, 29),
	DEVICE_FAULTS("faults-device-none", build_small, STORE_SYNC_NONE,
		      2 * BLOCK, 900, KEEP_NONE, FIRST_RANDOM, 29),
	DEVICE_FAULTS("faults-device-queue", build_queue, STORE_SYNC_BURST,
		      STORE_SIZE, 0, KEEP_NONE, FIRST_STORE, 811),
	TRACE("second-boot", STORE_SYNC_BURST, FIRST_BLANK, 4 * KIB, KEEP_ALL,
	      TRACE_QUICK, 0, 1, SECOND_BOOT),
};
/* clang-format on */

const size_t workload_count = sizeof(workloads) / sizeof(workloads[0]);
