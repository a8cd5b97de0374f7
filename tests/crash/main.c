/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verifies that no power cut loses or tears a burst whose commit was answered:
 * runs every workload on a simulated disk, cuts the power at every call, and
 * recovers from each state that the medium may then have.
 *
 * crash [--long [--minutes N]] [--seed N] [--only NAME] [--case CASE]
 *       [--dump DIR] [--data DIR] [--stop] [--hard]
 *
 * CASE is NAME,SEED,FAULT,PLACES, as a failure prints it. --dump writes the
 * files on the medium in that case, --stop ends at the first failure. --hard
 * leaves garbage wherever a sector was being written; the store does not
 * survive that.
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pflash/cmdline.h"
#include "pflash/parse.h"
#include "device.h"
#include "random.h"
#include "workload.h"

static struct explorer explorer;
static char directory[200], vars_path[220], beside_path[220];
static char second[220], second_path[240], clone_path[240];
static bool full, hard, stop;
static uint64_t seed = 1;
static const char *only, *dump;
static uint64_t minutes = 50;
static double share; /* seconds for a workload, or 0 */
static double began, began_cpu, reported;
static const struct workload *current;
static uint64_t current_seed;

/* A fault at call number nth of a workload. */
struct injection {
	unsigned int nth, kind, persistent, lose;
	int error;
};

static struct injection injection;

static double
now(clockid_t clock)
{
	struct timespec time;

	(void)clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void
show_progress(struct explorer *e)
{
	double t = now(CLOCK_MONOTONIC);

	if (share > 0 && t - began > share)
		e->expired = true;
	if (t - reported < 5)
		return;
	reported = t;
	fprintf(stderr, "# %s: seed %llu, %lu cuts, %.0f per second\n",
		current->name, (unsigned long long)current_seed, e->cuts,
		(double)e->cuts / (t - began));
}

/*
 * files_local() resolves the path with realpath(3), so the file must exist.
 * places.c makes and removes the files of the other paths.
 */
static void
make_scratch(void)
{
	FILE *stream;

	(void)snprintf(directory, sizeof(directory), "%s/pflash-crash.XXXXXX",
		       access("/dev/shm", W_OK | X_OK) ? "/tmp" : "/dev/shm");
	if (!mkdtemp(directory)) {
		perror(directory);
		exit(2);
	}
	(void)snprintf(vars_path, sizeof(vars_path), "%s/V", directory);
	stream = fopen(vars_path, "w");
	if (!stream || fclose(stream)) {
		perror(vars_path);
		exit(2);
	}
	machine.vars = "V";
	(void)snprintf(second, sizeof(second), "%s/second", directory);
	(void)snprintf(second_path, sizeof(second_path), "%s/W", second);
	(void)snprintf(beside_path, sizeof(beside_path), "%s/W", directory);
	(void)snprintf(clone_path, sizeof(clone_path), "%s/C", second);
	if (mkdir(second, 0700)) {
		perror(second);
		exit(2);
	}
}

static void
remove_scratch(void)
{
	(void)unlink(vars_path);
	(void)unlink(second_path);
	(void)unlink(beside_path);
	(void)unlink(clone_path);
	(void)rmdir(second);
	(void)rmdir(directory);
}

static void
set_fault(void)
{
	machine.fault = (struct fault){
		.kind = (enum fault_kind)injection.kind,
		.error = injection.error,
		.persistent = injection.persistent,
		.nth = injection.nth,
		.lose = injection.lose,
	};
}

/* Runs the workload, on a disk that works or that has the injected fault. */
static bool
do_workload(const struct setting *setting, const struct script *script,
	    uint64_t key, struct fault *fault)
{
	struct level *level = &explorer.level[0];
	struct run run = {
		.setting = setting,
		.places = explorer.places,
		.model = &level->model,
		.key = key,
		.opened = &explorer.opened,
	};
	bool good;

	explorer.depth = 0;
	disk_clear(&level->base);
	disk_clear(&level->live);
	level->model.views = setting->sync == STORE_SYNC_VARIABLE;
	model_begin(&level->model, setting->size);
	if (setting->device) {
		machine_start(&level->base, NULL, &level->model.may);
		device_prepare(setting, script);
		disk_copy(&level->live, &level->base);
	}
	machine_start(&level->live, &level->log, &level->model.may);
	set_fault();
	good = run_script(&run, script);
	*fault = machine.fault;
	good = run_heal(&run) && good;
	if (!good)
		memcpy(explorer.why, run.why, sizeof(run.why));
	/*
	 * After a fault, recover also without a power cut: whatever was written
	 * is still there.
	 */
	if (good && fault->kind != FAULT_NONE && fault->hits)
		good = explore_recovery(&explorer, &level->model, key, true);
	return good;
}

/*
 * Unit tests make each call of an operator's command fail: here, only one kind
 * of fault in four is tried at each call, unless there is time.
 */
static bool
is_tried(unsigned int nth, size_t kind)
{
	return full || !explorer.again || (nth + kind) % 4 == 0;
}

static bool
explore_faults(const struct setting *setting, const struct script *script,
	       uint64_t key)
{
	static const struct injection kinds[] = {
		{ 0, FAULT_ERROR, 0, 0, EIO },
		{ 0, FAULT_ERROR, 0, 1, EIO },
		{ 0, FAULT_ERROR, 1, 0, EIO },
		{ 0, FAULT_ERROR, 1, 1, EIO },
		{ 0, FAULT_ERROR, 0, 0, ENOSPC },
		{ 0, FAULT_ERROR, 1, 0, ENOSPC },
		{ 0, FAULT_ERROR, 0, 0, EDQUOT },
		{ 0, FAULT_ERROR, 1, 1, EDQUOT },
		{ 0, FAULT_ERROR, 0, 0, EINTR },
		{ 0, FAULT_SHORT, 0, 0, 0 },
		{ 0, FAULT_SHORT, 1, 0, 0 },
		{ 0, FAULT_KILL, 0, 0, EIO },
	};
	struct fault fault;
	unsigned int calls;

	if (!do_workload(setting, script, key, &fault))
		return false;
	calls = fault.calls;
	for (unsigned int nth = 1; nth <= calls; nth++) {
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			if (!is_tried(nth, i))
				continue;
			injection = kinds[i];
			injection.nth = nth;
			if (!do_workload(setting, script, key, &fault))
				return false;
			if (fault.hits &&
			    !explore(&explorer, key, fault.hit_at))
				return false;
		}
	}
	injection.nth = 0;
	injection.kind = FAULT_NONE;
	return true;
}

static bool
explore_workload(const struct workload *workload, bool *skipped)
{
	static struct script script;
	struct places places = { .clone = clone_path };
	struct setting setting = workload->setting;
	uint64_t key = mix(current_seed, 9);
	struct fault fault;

	setting.path = vars_path;
	machine.image = setting.device ? setting.size : 0;
	machine.hole = setting.device ? device_hole(&setting) : 0;
	places.beside = current_seed % 2 == 0;
	places.second = places.beside ? beside_path : second_path;
	explorer.setting = &setting;
	explorer.places = &places;
	explorer.plan = full ? workload->full : workload->quick;
	script.steps = 0;
	workload->build(&script, workload, current_seed);
	explorer.again = script_command(&script);
	*skipped = script.steps == 0;
	if (*skipped)
		return true;
	if (workload->faults && !explorer.forced)
		return explore_faults(&setting, &script, key);
	return do_workload(&setting, &script, key, &fault) &&
	       explore(&explorer, key, 0);
}

/* Writes the files as they were on the medium after the last cut. */
static void
dump_files(void)
{
	static struct disk disk;
	unsigned int depth = explorer.depth;
	char path[600];

	if (depth)
		cut_build(&explorer.level[depth - 1].cut,
			  explorer.place[depth - 1].choice, &disk);
	for (int i = 0; depth && i < disk.entries; i++) {
		const struct bytes *bytes = &disk.inode[disk.entry[i].inode];
		FILE *stream;

		(void)snprintf(path, sizeof(path), "%s/%s", dump,
			       disk.entry[i].name);
		stream = fopen(path, "w");
		if (!stream ||
		    fwrite(bytes->data, 1, bytes->len, stream) != bytes->len ||
		    fclose(stream))
			perror(path);
	}
}

static void
report_failure(void)
{
	char places[200] = "";

	place_print(&explorer, places, sizeof(places));
	printf("not ok - %s: %s\n    --case '%s,%llu,%u.%u.%d.%u.%u,%s'\n",
	       current->name, explorer.why, current->name,
	       (unsigned long long)current_seed, injection.nth, injection.kind,
	       injection.error, injection.persistent, injection.lose, places);
}

static bool
run_workload(const struct workload *workload)
{
	unsigned int seeds = full ? UINT_MAX : workload->quick_seeds, i;
	bool good = true, skipped = false;
	double seconds, cpu;

	current = workload;
	began = reported = now(CLOCK_MONOTONIC);
	began_cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	explorer.cuts = explorer.opened = 0;
	explorer.expired = false;
	for (i = 0; good && !skipped && !explorer.expired && i < seeds; i++) {
		injection = (struct injection){ .nth = 0 };
		current_seed = seed + i;
		good = explore_workload(workload, &skipped);
	}
	seconds = now(CLOCK_MONOTONIC) - began;
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - began_cpu;
	if (!good)
		report_failure();
	else if (skipped)
		printf("skip - %s: %s/%s cannot be read\n", workload->name,
		       trace_directory, workload->trace);
	else if (seeds)
		printf("ok - %s: %lu cuts, %lu recoveries, %u seeds%s, "
		       "%.1f s, %.0f cuts per CPU second\n",
		       workload->name, explorer.cuts, explorer.opened, i,
		       explorer.expired ? " (the last one incomplete)" : "",
		       seconds, (double)explorer.cuts / cpu);
	(void)fflush(stdout);
	return good;
}

/* Repeats the single case that `text` names. */
static int
run_case(const char *text)
{
	static struct place places[MAX_DEPTH];
	unsigned long long number;
	char name[64];
	bool good, skipped;
	int n = 0;

	if (sscanf(text, "%63[^,],%llu,%u.%u.%d.%u.%u,%n", name, &number,
		   &injection.nth, &injection.kind, &injection.error,
		   &injection.persistent, &injection.lose, &n) != 7 ||
	    !n)
		return 2;
	explorer.forced = places;
	explorer.forced_depth = place_parse(text + n, places);
	for (size_t i = 0; i < workload_count; i++)
		if (!strcmp(workloads[i].name, name))
			current = &workloads[i];
	if (!current || (text[n] && !explorer.forced_depth))
		return 2;
	current_seed = number;
	good = explore_workload(current, &skipped);
	if (dump)
		dump_files();
	if (good)
		printf("ok - %s\n", text);
	else
		report_failure();
	return !good;
}

static int
run_all(void)
{
	unsigned long cuts = 0, opened = 0;
	double start = now(CLOCK_MONOTONIC);
	unsigned int chosen = 0;
	bool good = true;

	printf("# seed %llu\n", (unsigned long long)seed);
	for (size_t i = 0; full && i < workload_count; i++)
		chosen += !only || strstr(workloads[i].name, only);
	if (chosen)
		share = (double)minutes * 60 / chosen;
	for (size_t i = 0; i < workload_count; i++) {
		if (only && !strstr(workloads[i].name, only))
			continue;
		if (stop && !good)
			break;
		good = run_workload(&workloads[i]) && good;
		cuts += explorer.cuts;
		opened += explorer.opened;
	}
	printf("# %lu cuts, %lu recoveries, %.1f s\n", cuts, opened,
	       now(CLOCK_MONOTONIC) - start);
	return !good;
}

static const struct cmdline_option table[] = {
	{ "long", 'l', false }, { "minutes", 'm', true },
	{ "seed", 's', true },  { "only", 'o', true },
	{ "case", 'c', true },  { "data", 'd', true },
	{ "dump", 'w', true },  { "stop", 'e', false },
	{ "hard", 'h', false }, { "help", '?', false },
	{ NULL, 0, false },
};

static void
print_help(void)
{
	puts("usage: crash [options]\n"
	     "\n"
	     "  --long          all workloads, at length\n"
	     "  --minutes N     of --long: 50\n"
	     "  --seed N        of the random workloads: 1\n"
	     "  --only NAME     this workload\n"
	     "  --case CASE     this case: NAME,SEED,FAULT,PLACES\n"
	     "  --dump DIR      write the files on the medium in that case\n"
	     "  --data DIR      recorded traces\n"
	     "  --stop          end at the first failure\n"
	     "  --hard          garbage where a sector was being written\n"
	     "\n"
	     "Exit codes: 0 no failure, 1 a failure, 2 usage.");
}

static int
set_option(void *opaque, int option, const char *arg, struct error *err)
{
	const char **one = opaque;

	switch (option) {
	case 'l': full = true; return 0;
	case 'm':
		return parse_number(arg, PARSE_DECIMAL, 1, 100000, &minutes,
				    err);
	case 's': return parse_number(arg, PARSE_C, 0, UINT64_MAX, &seed, err);
	case 'o': only = arg; return 0;
	case 'c': *one = arg; return 0;
	case 'd': trace_directory = arg; return 0;
	case 'h': hard = true; return 0;
	case 'w': dump = arg; return 0;
	case '?': print_help(); return 1;
	default: stop = true; return 0;
	}
}

int
main(int argc, char **argv)
{
	const char *one = NULL;
	struct error err;
	int rc;

	rc = cmdline_parse(table, argc, argv, set_option, &one, &err);
	if (rc < 0)
		fprintf(stderr, "crash: %s\n", err.text);
	if (rc <= 0)
		return rc < 0 ? 2 : 0;
	/*
	 * Without this, malloc() would map and unmap a megabyte per recovery,
	 * of which recovery uses little.
	 */
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 28);
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 28);
	make_scratch();
	explorer.progress = show_progress;
	for (int i = 0; i <= MAX_DEPTH; i++)
		explorer.level[i].cut.hard = hard;
	rc = one ? run_case(one) : run_all();
	remove_scratch();
	explorer_free(&explorer);
	if (rc == 2)
		fprintf(stderr, "crash: there is no case %s\n", one);
	return rc;
}
