/* SPDX-License-Identifier: BSD-2-Clause */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

#define SOON 24 /* ops after a fault */

static bool explore_level(struct explorer *explorer, unsigned int depth,
			  uint64_t key, size_t first);

void
place_print(const struct explorer *explorer, char *to, size_t size)
{
	size_t n = 0;

	for (unsigned int i = 0; i < explorer->depth && n < size; i++) {
		const struct place *place = &explorer->place[i];

		n += (size_t)snprintf(to + n, size - n, "%s%zu:%c%u.%u%s",
				      i ? "/" : "", place->at,
				      place->choice.kind, place->choice.a,
				      place->choice.b,
				      place->deeper ? "+" : "");
	}
}

unsigned int
place_parse(const char *text, struct place *place)
{
	unsigned int depth = 0;
	char kind;
	int n;

	while (depth < MAX_DEPTH) {
		struct place *p = &place[depth++];

		if (sscanf(text, "%zu:%c%u.%u%n", &p->at, &kind, &p->choice.a,
			   &p->choice.b, &n) != 4)
			return 0;
		p->choice.kind = (enum choice_kind)kind;
		text += n;
		p->deeper = *text == '+';
		text += p->deeper;
		if (*text++ != '/')
			return depth;
	}
	return 0;
}

static void
recovery_steps(struct script *script, const struct explorer *explorer,
	       uint64_t key, bool whole)
{
	const struct setting *setting = explorer->setting;
	uint64_t random = mix(key, 5);

	script->steps = 0;
	script_add(script, STEP_OPEN)->seed = draw(&random);
	if (!whole && below(&random, 4))
		return;
	for (uint32_t n = below(&random, 3); n > 0; n--) {
		if (setting->first != FIRST_KEYS) {
			script_add_burst(script, &random, setting->size, 700);
			continue;
		}
		script_add(script, STEP_SET)->seed = draw(&random);
		script_add(script, STEP_COMMIT);
	}
	if (!below(&random, 4))
		script_add(script, STEP_SAVE_STATE)->seed = draw(&random);
	script_add(script, STEP_CLOSE);
	if (explorer->again)
		script_add(script, explorer->again)->seed = draw(&random);
	script_add(script, STEP_OPEN);
}

bool
explore_recovery(struct explorer *explorer, struct model *model, uint64_t key,
		 bool whole)
{
	static struct script script;
	struct run run = {
		.setting = explorer->setting,
		.places = explorer->places,
		.model = model,
		.key = key,
		.opened = &explorer->opened,
	};
	bool good;

	recovery_steps(&script, explorer, key, whole);
	good = run_check_medium(&run) && run_script(&run, &script);
	run_drop(&run);
	if (!good)
		memcpy(explorer->why, run.why, sizeof(run.why));
	return good;
}

/* Recovers level[depth].base, the disk after the cut. */
static bool
recover(struct explorer *explorer, unsigned int depth, uint64_t key,
	const struct range *may)
{
	struct level *level = &explorer->level[depth];
	bool deeper = explorer->place[depth - 1].deeper;
	struct log *log = deeper ? &level->log : NULL;

	explorer->cuts++;
	if (explorer->progress && explorer->cuts % 1024 == 0)
		explorer->progress(explorer);
	model_fork(&level->model, &explorer->level[depth - 1].model, may);
	if (deeper)
		disk_copy(&level->live, &level->base);
	machine_start(deeper ? &level->live : &level->base, log,
		      &level->model.may);
	if (!explore_recovery(explorer, &level->model, key, deeper))
		return false;
	return !deeper || explore_level(explorer, depth, key, 0);
}

static bool
cut_here(struct explorer *explorer, unsigned int depth, uint64_t key,
	 struct choice choice)
{
	struct level *level = &explorer->level[depth];
	struct place *place = &explorer->place[depth];
	const struct cut *cut = &level->cut;
	uint32_t one_in = depth == 0 ? explorer->plan.nested :
				       explorer->plan.nested2;
	uint64_t dice;

	key = mix(mix(key, cut->at),
		  mix((uint64_t)choice.kind << 32 | choice.a, choice.b));
	dice = mix(key, 3);
	*place = (struct place){ cut->at, choice, false };
	if (explorer->forced)
		place->deeper = explorer->forced[depth].deeper;
	else if (depth + 1 < MAX_DEPTH && one_in)
		place->deeper = dice % one_in == 0;
	explorer->depth = depth + 1;
	cut_build(cut, choice, &explorer->level[depth + 1].base);
	if (recover(explorer, depth + 1, key,
		    cut->at < cut->log->ops ? &cut->log->op[cut->at].may :
					      &level->model.may))
		return true;
	return false;
}

/* Cuts after whole ops, and between the sectors of the op in progress. */
static bool
cut_prefixes(struct explorer *explorer, unsigned int depth, uint64_t key)
{
	const struct cut *cut = &explorer->level[depth].cut;
	uint32_t count = (uint32_t)cut->count, most = explorer->plan.prefixes;
	uint32_t sectors = count ? cut_sectors(cut, count - 1) : 0;
	uint32_t step = count / (most + 1) + 1;
	struct choice choice = { CHOICE_PREFIX, 0, 0 };

	if (depth)
		most = most / 4 + 1;
	for (uint32_t n = 0; n < most && 1 + n * step < count; n++) {
		choice.a = count - 1 - n * step;
		if (!cut_here(explorer, depth, key, choice))
			return false;
	}
	step = sectors / (most + 1) + 1;
	choice.a = count - 1;
	for (uint32_t n = step; n < sectors; n += step) {
		choice.b = n;
		if (!cut_here(explorer, depth, key, choice))
			return false;
	}
	return true;
}

static bool
cut_masks(struct explorer *explorer, unsigned int depth, uint64_t key,
	  uint32_t units)
{
	struct choice choice = { CHOICE_MASK, 0, 0 };

	for (; choice.a < 1u << units; choice.a++)
		if (!cut_here(explorer, depth, key, choice))
			return false;
	return true;
}

static bool
cut_choices(struct explorer *explorer, unsigned int depth, uint64_t key)
{
	const struct cut *cut = &explorer->level[depth].cut;
	const struct plan *plan = &explorer->plan;
	uint32_t units = cut_units(cut), randoms = plan->randoms;
	struct choice choice = { CHOICE_ALL, 0, 0 };

	if (!cut_here(explorer, depth, key, choice))
		return false;
	choice.kind = CHOICE_NONE;
	if (!units)
		return true;
	if (units <= (depth ? plan->mask_units / 2 : plan->mask_units)) {
		if (!cut_masks(explorer, depth, key, units))
			return false;
	} else if (!cut_here(explorer, depth, key, choice) ||
		   !cut_prefixes(explorer, depth, key)) {
		return false;
	}
	choice.kind = CHOICE_GROWN;
	for (choice.a = 0; choice.a < 3; choice.a++)
		if (!cut_here(explorer, depth, key, choice))
			return false;
	choice.kind = CHOICE_RANDOM;
	randoms = depth ? randoms / 4 + 1 : randoms;
	for (uint32_t i = 0; i < randoms; i++) {
		choice.a = (uint32_t)mix(key, mix(cut->at, i));
		if (!cut_here(explorer, depth, key, choice))
			return false;
	}
	return true;
}

/* Decides whether to cut at this op: obeys `first`, `forced` and the stride. */
static bool
is_worth_it(const struct explorer *explorer, const struct cut *cut,
	    unsigned int depth, size_t first)
{
	size_t stride = explorer->plan.stride;

	if (cut->at < first)
		return false;
	if (explorer->forced)
		return depth < explorer->forced_depth &&
		       cut->at == explorer->forced[depth].at;
	return !stride || cut->at % stride == first % stride ||
	       cut->at == cut->log->ops;
}

/*
 * Soon after a fault in an operator's command: a change that the last sync of a
 * directory made durable may rely on an earlier one that is not.
 */
static bool
cut_after_sync(struct explorer *explorer, unsigned int depth, uint64_t key,
	       size_t first)
{
	const struct cut *cut = &explorer->level[depth].cut;
	const struct choice none = { CHOICE_NONE, 0, 0 };

	if (explorer->forced || !explorer->again || !first ||
	    cut->at <= first || cut->at > first + SOON ||
	    cut->log->op[cut->at - 1].kind != OP_SYNC_DIRECTORY)
		return true;
	return cut_here(explorer, depth, key, none);
}

static bool
explore_level(struct explorer *explorer, unsigned int depth, uint64_t key,
	      size_t first)
{
	struct level *level = &explorer->level[depth];
	struct cut *cut = &level->cut;
	bool good = true;

	cut_begin(cut, &level->base, &level->log);
	do {
		if (!is_worth_it(explorer, cut, depth, first)) {
			good = cut_after_sync(explorer, depth, key, first);
			continue;
		}
		if (explorer->forced)
			return cut_here(explorer, depth, key,
					explorer->forced[depth].choice);
		good = cut_choices(explorer, depth, key);
	} while (good && !explorer->expired && cut_next(cut));
	return good;
}

bool
explore(struct explorer *explorer, uint64_t key, size_t first)
{
	explorer->depth = 0;
	return explore_level(explorer, 0, key, first);
}

void
explorer_free(struct explorer *explorer)
{
	for (int i = 0; i <= MAX_DEPTH; i++) {
		struct level *level = &explorer->level[i];

		for (int j = 0; j < MAX_INODES; j++) {
			bytes_free(&level->base.inode[j]);
			bytes_free(&level->live.inode[j]);
		}
		bytes_free(&level->base.stale);
		bytes_free(&level->live.stale);
		bytes_free(&level->log.data);
		free(level->log.op);
		model_free(&level->model);
		cut_free(&level->cut);
	}
}
