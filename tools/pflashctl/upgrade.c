/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl upgrade: replaces the pflashd of an attached flash. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "find.h"
#include "pflash/control.h"
#include "pflashctl.h"

#define UPGRADE_MS 30000
#define STEP_MS 100

/* Version 0.1 answers so to CONTROL_UPGRADE; it needs SIGUSR2. */
#define UNKNOWN_LINE "this pflashd does not know what it is asked for"

struct upgrade {
	const char *wanted;
	const struct guest *guest; /* with its answer before the upgrade */
	int64_t deadline;
	bool stopped; /* an answer said that the flash is not served */
	bool tried;   /* an answer had another state than "failed" */
};

/* Version 0.1 has no state, and answers only while it serves the flash. */
static bool
is_served(const struct answer *answer)
{
	return !answer_text(answer, STATUS_STATE).bytes ||
	       answer_is(answer, STATUS_STATE, "running");
}

static bool
has_failed(const struct answer *answer)
{
	return answer_is(answer, STATUS_STATE, "failed");
}

static void
observe(struct upgrade *upgrade, const struct answer *answer)
{
	upgrade->stopped |= !is_served(answer);
	upgrade->tried |= !has_failed(answer);
}

static bool
has_other_version(const struct answer *before, const struct answer *now)
{
	struct text x = answer_text(before, STATUS_VERSION);
	struct text y = answer_text(now, STATUS_VERSION);

	return x.bytes && y.bytes &&
	       (x.len != y.len || memcmp(x.bytes, y.bytes, x.len) != 0);
}

/*
 * The number of takeovers is a claim of the worker, which may be hostile; it
 * is used only if the answer lacks the worker's pid, as that of 0.1 does.
 */
static bool
has_other_worker(const struct answer *before, const struct answer *now)
{
	uint64_t x, y;

	if (answer_number(before, STATUS_WORKER, &x) &&
	    answer_number(now, STATUS_WORKER, &y))
		return y != 0 && y != x;
	return answer_number(before, STATUS_TAKEOVERS, &x) &&
	       answer_number(now, STATUS_TAKEOVERS, &y) && y > x;
}

static bool
is_done(const struct upgrade *upgrade, const struct answer *now)
{
	const struct answer *before = &upgrade->guest->answer;

	return is_served(now) &&
	       (upgrade->stopped || has_other_version(before, now) ||
		has_other_worker(before, now));
}

static void
print_version(const struct answer *now)
{
	struct text name = answer_text(now, STATUS_NAME);

	if (name.bytes)
		(void)show_text(stdout, name);
	else
		printf("%" PRIu32, now->domain);
	fputs(": pflashd ", stdout);
	(void)show_text(stdout, answer_text(now, STATUS_VERSION));
	putchar('\n');
}

/* Returns true when the upgrade is over, with the exit code in `code`. */
static bool
judge(struct upgrade *upgrade, const struct answer *now, int *code)
{
	observe(upgrade, now);
	if (has_failed(now) && upgrade->tried) {
		*code = ctl_fail(CTL_FAILED,
				 "%s: the flash failed after the upgrade, and "
				 "the guest waits; see the log of pflashd",
				 upgrade->wanted);
		return true;
	}
	if (!is_done(upgrade, now))
		return false;
	print_version(now);
	*code = CTL_OK;
	return true;
}

/* The socket is absent during the upgrade: no answer is no failure. */
static bool
look(struct upgrade *upgrade, int *code)
{
	int64_t limit = ask_clock() + STATUS_MS;
	struct guests now;
	struct error err;
	bool over = false;

	if (guests_one(&now, upgrade->guest->domain, &err) < 0) {
		*code = ctl_fail(CTL_FAILED, "%s", err.text);
		return true;
	}
	ask(&now, CONTROL_STATUS "\n",
	    limit < upgrade->deadline ? limit : upgrade->deadline);
	if (now.all->state == ASK_ANSWERED)
		over = judge(upgrade, &now.all->answer, code);
	guests_close(&now);
	return over;
}

static int
wait_for_it(struct upgrade *upgrade)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	int code;

	while (ask_clock() < upgrade->deadline) {
		if (look(upgrade, &code))
			return code;
		nanosleep(&step, NULL);
	}
	return ctl_fail(CTL_FAILED,
			"%s: not upgraded within %d seconds; see the log of "
			"pflashd",
			upgrade->wanted, UPGRADE_MS / 1000);
}

/* The pid is that of SO_PEERCRED, never one in an answer. */
static int
signal_peer(const char *wanted, const struct guest *guest)
{
	if (guest->pid <= 1)
		return ctl_fail(CTL_FAILED,
				"%s: its process is in another PID namespace",
				wanted);
	if (kill(guest->pid, SIGUSR2) < 0)
		return ctl_fail(CTL_FAILED, "%s: %s", wanted, strerror(errno));
	return CTL_OK;
}

static int
obey(struct upgrade *upgrade, const struct guest *reply)
{
	if (reply->state == ASK_CLOSED)
		return CTL_OK; /* the new program may be running */
	if (reply->state != ASK_ANSWERED)
		return find_unanswered(reply);
	if (answer_is(&reply->answer, STATUS_ERROR, UNKNOWN_LINE))
		return signal_peer(upgrade->wanted, reply);
	if (answer_text(&reply->answer, STATUS_ERROR).bytes)
		return find_refused(upgrade->wanted, &reply->answer);
	observe(upgrade, &reply->answer);
	return CTL_OK;
}

static int
request(struct upgrade *upgrade)
{
	const struct answer *before = &upgrade->guest->answer;
	struct guests asked;
	struct error err;
	uint64_t count;
	int code;

	observe(upgrade, before);
	if (!answer_text(before, STATUS_STATE).bytes &&
	    !answer_number(before, STATUS_TAKEOVERS, &count))
		return ctl_fail(CTL_FAILED,
				"%s: this pflashd writes no handover record "
				"for another one",
				upgrade->wanted);
	if (guests_one(&asked, upgrade->guest->domain, &err) < 0)
		return ctl_fail(CTL_FAILED, "%s", err.text);
	ask(&asked, CONTROL_UPGRADE "\n", upgrade->deadline);
	code = obey(upgrade, asked.all);
	guests_close(&asked);
	return code;
}

int
ctl_upgrade(const struct ctl_options *options)
{
	struct upgrade upgrade = {
		.wanted = options->files[0],
		.deadline = ask_clock() + UPGRADE_MS,
	};
	struct guests all;
	struct guest *found;
	int code = find_guest(upgrade.wanted, upgrade.deadline, &all, &found);

	upgrade.guest = found;
	if (code == CTL_OK)
		code = request(&upgrade);
	if (code == CTL_OK)
		code = wait_for_it(&upgrade);
	guests_close(&all);
	return code;
}
