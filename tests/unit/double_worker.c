/* SPDX-License-Identifier: BSD-2-Clause */
#include "double_worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "pflash/handover.h"
#include "raw_message.h"

uint8_t violation[64];
size_t violation_size;
unsigned int violation_descriptors;
double scribble_level, scribble_when;

/* The open descriptors as bits, without the one of opendir(). */
static int
open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int bits = 0;

	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		int fd = atoi(d->d_name);

		if (d->d_name[0] != '.' && fd != dirfd(dir))
			bits |= fd < 30 ? 1 << fd : 1 << 30;
	}
	closedir(dir);
	return bits;
}

int
worker_run(const struct worker_start *start)
{
	unsigned int number = stage->workers;
	unsigned int last = stage->acts_count - 1;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	stage->descriptors = open_descriptors();
	stage->old_record_size = start->before ? start->before_size : 0;
	stage->old_record = start->before ? *(const uint8_t *)start->before : 0;
	stage->new_record = start->record ? *(const uint8_t *)start->record :
					    0xff;
	stage->level = start->report->level;
	stage->workers = number + 1;
	return stage->acts[number < last ? number : last](start);
}

/* --- requests --- */

static int
send_request(const struct worker_start *start, struct channel_request request)
{
	struct channel_reply reply;

	if (channel_send(start->requests, &request, sizeof(request), -1) < 0 ||
	    channel_receive(start->requests, &reply, sizeof(reply), NULL) <= 0)
		_exit(EXIT_RUNTIME);
	return reply.result;
}

static int
send_verb(const struct worker_start *start, enum channel_verb verb)
{
	return send_request(start,
			    (struct channel_request){ .verb = (uint8_t)verb });
}

static void
become_ready(const struct worker_start *start)
{
	(void)send_verb(start, CHANNEL_READY);
	stage->ready++;
}

static void
install(const struct worker_start *start)
{
	(void)send_request(start, (struct channel_request){
					  .verb = CHANNEL_INSTALL,
					  .role = CHANNEL_HANDOVER });
}

static void
attach(const struct worker_start *start)
{
	install(start);
	become_ready(start);
}

/* --- orders --- */

static uint8_t
next_order(const struct worker_start *start)
{
	uint8_t order;

	if (read(start->orders, &order, 1) != 1)
		_exit(EXIT_RUNTIME);
	stage->order[stage->orders % ORDERS] = order;
	stage->orders++;
	return order;
}

static int
serve(const struct worker_start *start)
{
	for (;;) {
		uint8_t order = next_order(start);

		if (order == CHANNEL_STOP)
			return EXIT_OK;
		if (order == CHANNEL_UPGRADE)
			return WORKER_UPGRADE;
	}
}

static int
hang(void)
{
	while (pause() < 0)
		;
	return EXIT_OK;
}

int
act_serve(const struct worker_start *start)
{
	attach(start);
	return serve(start);
}

/* The files have come with the guest, and are closed until it runs. */
int
act_serve_arrived(const struct worker_start *start)
{
	start->report->released = 1;
	return act_serve(start);
}

int
act_serve_silent(const struct worker_start *start)
{
	attach(start);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	return serve(start);
}

int
act_serve_late(const struct worker_start *start)
{
	attach(start);
	while (!stage->proceed)
		nap(0.002);
	return serve(start);
}

int
act_ready_late(const struct worker_start *start)
{
	while (!stage->proceed)
		nap(0.002);
	attach(start);
	return serve(start);
}

int
act_serve_unrecorded(const struct worker_start *start)
{
	become_ready(start);
	return serve(start);
}

int
act_upgrade_slowly(const struct worker_start *start)
{
	int code;

	attach(start);
	code = serve(start);
	nap(0.3);
	return code;
}

int
act_answer_modes(const struct worker_start *start)
{
	attach(start);
	for (;;) {
		uint8_t order = next_order(start);

		if (order == CHANNEL_STOP)
			return EXIT_OK;
		(void)send_request(start,
				   (struct channel_request){
					   .verb = CHANNEL_MODE,
					   .count = (uint32_t)stage->result });
	}
}

int
act_claim_level(const struct worker_start *start)
{
	attach(start);
	start->report->level = 1000;
	start->report->level_when = limit_clock();
	stage->replies++;
	return serve(start);
}

/* --- before it is ready --- */

int
act_send_nothing(const struct worker_start *start)
{
	(void)start;
	return hang();
}

int
act_fail(const struct worker_start *start)
{
	(void)start;
	return stage->result;
}

int
act_die_early(const struct worker_start *start)
{
	(void)start;
	(void)raise(SIGKILL);
	return 0;
}

/* --- exits after it is ready --- */

int
act_exit_0(const struct worker_start *start)
{
	attach(start);
	return EXIT_OK;
}

int
act_exit_3(const struct worker_start *start)
{
	attach(start);
	return EXIT_FILE;
}

int
act_exit_100(const struct worker_start *start)
{
	attach(start);
	return WORKER_UPGRADE;
}

int
act_exit_255(const struct worker_start *start)
{
	attach(start);
	return 255;
}

static int
die_of(const struct worker_start *start, int signum)
{
	attach(start);
	(void)signal(signum, SIG_DFL);
	(void)raise(signum);
	return EXIT_OK;
}

int
act_abort(const struct worker_start *start)
{
	return die_of(start, SIGABRT);
}

int
act_kill(const struct worker_start *start)
{
	return die_of(start, SIGKILL);
}

int
act_segv(const struct worker_start *start)
{
	return die_of(start, SIGSEGV);
}

static void
fill(const struct worker_start *start)
{
	memset(start->record, (int)stage->workers, HANDOVER_SIZE);
}

int
act_fill_and_die(const struct worker_start *start)
{
	fill(start);
	return die_of(start, SIGKILL);
}

int
act_fill_and_wait(const struct worker_start *start)
{
	fill(start);
	return act_serve(start);
}

int
act_fill_uninstalled(const struct worker_start *start)
{
	fill(start);
	become_ready(start);
	(void)raise(SIGKILL);
	return EXIT_OK;
}

int
act_fill_late(const struct worker_start *start)
{
	attach(start);
	fill(start);
	(void)raise(SIGKILL);
	return EXIT_OK;
}

int
act_pause_and_die(const struct worker_start *start)
{
	attach(start);
	(void)send_verb(start, CHANNEL_PAUSE);
	(void)raise(SIGKILL);
	return EXIT_OK;
}

/* --- runs until it is killed --- */

int
act_hang(const struct worker_start *start)
{
	attach(start);
	return hang();
}

int
act_crash_at_stop(const struct worker_start *start)
{
	attach(start);
	(void)serve(start);
	abort();
}

int
act_pause_and_hang(const struct worker_start *start)
{
	attach(start);
	(void)send_verb(start, CHANNEL_PAUSE);
	stage->replies++;
	return hang();
}

int
act_flood(const struct worker_start *start)
{
	const struct channel_request request = { .verb = CHANNEL_GET_TYPE };

	attach(start);
	while (send(start->requests, &request, sizeof(request), 0) > 0)
		;
	return hang();
}

static void
pour(const char *text, size_t len, unsigned int times)
{
	while (times--)
		(void)!write(STDERR_FILENO, text, len);
	stage->proceed = true;
}

/* The grandchild inherits the channel; it exits when the log pipe is closed. */
int
act_leave_grandchild(const struct worker_start *start)
{
	attach(start);
	if (fork() > 0)
		(void)raise(SIGKILL);
	while (write(STDERR_FILENO, "<3>flood\n", 9) == 9)
		;
	return EXIT_OK;
}

int
act_flood_log(const struct worker_start *start)
{
	attach(start);
	pour("<3>flood\n", 9, 100000);
	return hang();
}

int
act_pour_log(const struct worker_start *start)
{
	char text[1024];

	attach(start);
	memset(text, 'x', sizeof(text));
	pour(text, sizeof(text), 1024);
	return hang();
}

int
act_forge_log(const struct worker_start *start)
{
	static const char text[] =
		"first\npflashd: victim (1), /victim: gone\n"
		"\033[2J\033]0;title\007\r\b\t\x9b"
		"31m\xff\xc2\x85red\n<0>emergency\n<8>eight\n<12>twelve\n"
		"<3\n<\n\n%s%n%1000000d\nzero\0hidden\n<6>last\n";

	attach(start);
	pour(text, sizeof(text) - 1, 1);
	return hang();
}

int
act_scribble(const struct worker_start *start)
{
	struct report *report = start->report;

	attach(start);
	memset(report, 0xff, sizeof(*report));
	memcpy(report->failure, "\"},{\\\033[31m\n", 11);
	memcpy(report->mode, "\"},{\\\033[31m\n", 11);
	report->level = scribble_level;
	report->level_when = scribble_when;
	stage->replies++;
	return serve(start);
}

int
act_close_channel(const struct worker_start *start)
{
	attach(start);
	close(start->requests);
	return hang();
}

/* --- violates the policy --- */

static void
send_violation(const struct worker_start *start)
{
	struct channel_reply reply = { .result = -1 };

	(void)send_raw(start->requests, violation, violation_size,
		       violation_descriptors);
	if (recv(start->requests, &reply, sizeof(reply), 0) > 0) {
		stage->result = reply.result;
		stage->replies++;
	}
}

int
act_violate(const struct worker_start *start)
{
	attach(start);
	send_violation(start);
	return serve(start);
}

int
act_violate_early(const struct worker_start *start)
{
	send_violation(start);
	attach(start);
	return serve(start);
}
