/* SPDX-License-Identifier: BSD-2-Clause */
/* The checks, one row each, in their order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"
#include "pflash/reader.h"
#include "selftest.h"

#define KILLS 5
#define QUIET_MS 300 /* for the last lines of a guest that waits */
/*
 * pflashd commits the burst of a guest that has not written for a second: only
 * if the kill came sooner after a round, a part of the next one is an error.
 */
#define SOON_MS 500

/* --- the guest's rounds --- */

static bool
has_advanced(struct selftest *t)
{
	return t->report.round >= t->goal || t->report.failure[0];
}

/* Waits until the guest has made this number of rounds. */
static int
advance(struct selftest *t, unsigned int count, const char *what)
{
	int ret;

	t->goal = t->report.round + count;
	ret = selftest_wait(t, has_advanced, what);
	if (ret == 0 && t->report.failure[0])
		return error_set(&t->why, EIO, "the guest reports: %s",
				 t->report.failure);
	return ret;
}

static int
begin_rounds(struct selftest *t)
{
	int ret = selftest_type(t, "r");

	return ret < 0 ? ret : advance(t, 2, "the guest writes");
}

static int
end_rounds(struct selftest *t)
{
	int ret = selftest_type(t, "");

	if (ret == 0)
		ret = selftest_until_ready(t, "the guest ends its writes");
	if (ret == 0 && !t->report.rounds_ok)
		return error_set(&t->why, EIO,
				 "the guest does not confirm its writes");
	return ret;
}

/* Judges VARS and journal as they are now. */
static int
judge(struct selftest *t, enum report_verdict *verdict)
{
	struct reader *reader;
	int ret = reader_open(&reader, NULL, t->vars, &t->why);

	if (ret < 0)
		return ret;
	*verdict = report_judge(reader_image(reader), reader_size(reader),
				t->report.round);
	if (*verdict == REPORT_LOST)
		ret = error_set(&t->why, EIO,
				"round %llu was reported by the guest and is "
				"not in the files",
				(unsigned long long)t->report.round);
	reader_close(reader);
	return ret;
}

static int
torn(struct selftest *t)
{
	return error_set(&t->why, EIO,
			 "the files have a part of the burst behind round %llu",
			 (unsigned long long)t->report.round);
}

/* --- the checks --- */

static int
create(struct selftest *t)
{
	int ret = selftest_directory(t);

	return ret < 0 ? ret : selftest_create(t);
}

static int
attach(struct selftest *t)
{
	int ret = selftest_attach(t, "auto", &t->attach);

	return ret < 0 ? ret : selftest_get_mode(t, &t->direct);
}

static int
start(struct selftest *t)
{
	int ret = selftest_unpause(t);

	return ret < 0 ? ret : selftest_until_ready(t, "the guest starts");
}

static int
sizes(struct selftest *t)
{
	int ret = selftest_type(t, "s");

	if (ret == 0)
		ret = selftest_until_ready(t, "accesses of every size");
	if (ret == 0 && !t->report.sizes_ok)
		return error_set(&t->why, EIO,
				 "the guest does not confirm its accesses");
	return ret;
}

static int
sizes_by_trap(struct selftest *t)
{
	int ret = t->direct ? selftest_set_mode(t, SELFTEST_TRAP) : 0;

	if (ret == 0)
		ret = sizes(t);
	if (ret == 0 && t->direct)
		ret = selftest_set_mode(t, SELFTEST_DIRECT);
	return ret;
}

static int
switch_modes(struct selftest *t)
{
	int ret = begin_rounds(t);

	for (int i = 0; ret == 0 && i < 2 * SELFTEST_MODES; i++) {
		ret = selftest_set_mode(t, i % 2 ? SELFTEST_DIRECT :
						   SELFTEST_TRAP);
		if (ret == 0)
			ret = advance(t, 2, "the guest writes in another mode");
	}
	return ret < 0 ? ret : end_rounds(t);
}

static int
kill_worker(struct selftest *t)
{
	int ret = begin_rounds(t);

	if (ret == 0)
		ret = selftest_kill_worker(t);
	if (ret == 0)
		ret = advance(t, 3, "the guest goes on");
	return ret < 0 ? ret : end_rounds(t);
}

static int
by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Kills pflashd at any moment of a round, and compares the files. */
static int
kill_once(struct selftest *t, unsigned int i, double *ms)
{
	enum report_verdict verdict;
	int64_t reported;
	bool soon;
	int ret = advance(t, 1 + i % 2, "the guest writes");

	reported = ask_clock();
	selftest_pause(t, (int)(i * 3));
	if (ret == 0)
		ret = selftest_kill_all(t);
	if (ret < 0)
		return ret;
	soon = ask_clock() - reported < SOON_MS;
	selftest_pause(t, QUIET_MS);
	ret = judge(t, &verdict);
	if (ret == 0 && verdict == REPORT_TORN && soon)
		ret = torn(t);
	if (ret == 0)
		ret = selftest_attach(t, t->direct ? "direct" : "trap", ms);
	return ret < 0 ? ret : advance(t, 2, "the guest goes on");
}

static int
kill_all(struct selftest *t)
{
	double ms[KILLS];
	int ret = begin_rounds(t);

	for (unsigned int i = 0; ret == 0 && i < KILLS; i++)
		ret = kill_once(t, i, &ms[i]);
	if (ret < 0)
		return ret;
	qsort(ms, KILLS, sizeof(ms[0]), by_value);
	t->takeover = ms[KILLS / 2];
	return end_rounds(t);
}

static int
upgrade(struct selftest *t)
{
	int ret = begin_rounds(t);

	if (ret == 0)
		ret = selftest_upgrade(t);
	if (ret == 0)
		ret = advance(t, 3, "the guest goes on");
	return ret < 0 ? ret : end_rounds(t);
}

static int
measure(struct selftest *t, enum selftest_mode mode)
{
	int ret = t->direct ? selftest_set_mode(t, mode) : 0;

	if (ret == 0)
		ret = selftest_type(t, "m");
	if (ret == 0)
		ret = selftest_until_ready(t, mode == SELFTEST_DIRECT ?
					      "measurements in direct mode" :
					      "measurements in trap mode");
	if (ret == 0 && !t->report.measured)
		ret = error_set(&t->why, EIO,
				"the guest does not end its measurements");
	for (int i = 0; i < REPORT_CYCLES; i++) {
		t->cycles[mode][i] = t->report.cycles[i];
		t->report.cycles[i] = (struct report_cycles){ 0, 0 };
	}
	return ret;
}

static int
measure_direct(struct selftest *t)
{
	return measure(t, SELFTEST_DIRECT);
}

static int
measure_trap(struct selftest *t)
{
	return measure(t, SELFTEST_TRAP);
}

static bool
has_ended(struct selftest *t)
{
	return t->report.ended;
}

/* The guest shuts down, pflashd ends, and the files are complete. */
static int
end(struct selftest *t)
{
	enum report_verdict verdict;
	int ret = selftest_type(t, "q");

	t->ending = true;
	if (ret == 0)
		ret = selftest_wait(t, has_ended, "the guest's end");
	if (ret == 0)
		ret = selftest_flash_end(t);
	if (ret == 0)
		ret = judge(t, &verdict);
	if (ret == 0 && verdict == REPORT_TORN)
		ret = torn(t);
	return ret;
}

const struct selftest_check selftest_checks[SELFTEST_CHECKS] = {
	{ "create", "a guest", create, false },
	{ "attach", "pflashd attaches a flash", attach, false },
	{ "start", "the guest runs", start, false },
	{ "sizes-direct", "accesses of every size, direct mode", sizes, true },
	{ "sizes-trap", "accesses of every size, trap mode", sizes_by_trap,
	  false },
	{ "mode", "change of the mode while the guest writes", switch_modes,
	  true },
	{ "kill-worker", "the worker is killed, another takes over",
	  kill_worker, false },
	{ "kill-all", "pflashd is killed: no write is lost, takeover",
	  kill_all, false },
	{ "upgrade", "upgrade of pflashd while the guest writes", upgrade,
	  false },
	{ "measure-direct", "measurements, direct mode", measure_direct,
	  true },
	{ "measure-trap", "measurements, trap mode", measure_trap, false },
	{ "end", "the end of the guest", end, false },
};

void
selftest_run_checks(struct selftest *t)
{
	for (int i = 0; i < SELFTEST_CHECKS; i++) {
		const struct selftest_check *check = &selftest_checks[i];

		if (check->needs_direct && !t->direct) {
			t->results[i] = SELFTEST_UNAVAILABLE;
			continue;
		}
		if (check->run(t) < 0) {
			t->results[i] = SELFTEST_FAILED;
			t->failed = i;
			selftest_say(t, "failed: %s: %s", check->text,
				     t->why.text);
			return;
		}
		t->results[i] = SELFTEST_OK;
		selftest_say(t, "ok: %s", check->text);
	}
}
