/* SPDX-License-Identifier: BSD-2-Clause */
/* The pflashd of the test. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ask.h"
#include "pflash/control.h"
#include "selftest.h"

#define ANSWER_MS 5000
#define MODE_MS 15000
#define MODE_TRIES 5
#define STOP_MS 15000

/* Reads the end of the log, as text. */
static void
read_end(const struct selftest *t, char *text, size_t room)
{
	int fd = t->log[0] ? open(t->log, O_RDONLY | O_CLOEXEC) : -1;
	off_t at = fd < 0 ? 0 : lseek(fd, 0, SEEK_END) - (off_t)room + 1;
	ssize_t n = 0;

	if (fd >= 0) {
		n = pread(fd, text, room - 1, at > 0 ? at : 0);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
}

const char *
selftest_log_line(struct selftest *t)
{
	static char text[2048];

	read_end(t, text, sizeof(text));
	return selftest_last_line(text);
}

void
selftest_read_log(struct selftest *t)
{
	char *line = t->tail;

	read_end(t, t->tail, sizeof(t->tail));
	if (strlen(t->tail) == sizeof(t->tail) - 1)
		line = strchr(t->tail, '\n');
	if (line && line != t->tail)
		memmove(t->tail, line + 1, strlen(line));
}

/* In the new process. */
static _Noreturn void
execute(struct selftest *t, const char *mode, int ready)
{
	char number[16], domain[16], known[PATH_MAX + 16];
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int log = open(t->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	(void)snprintf(number, sizeof(number), "%d", ready);
	(void)snprintf(domain, sizeof(domain), "%" PRIu32, t->domain);
	(void)snprintf(known, sizeof(known), "%s/known", t->directory);
	(void)setenv("PFLASH_KNOWN_DIR", known, 1);
	unsetenv("NOTIFY_SOCKET");
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGPIPE, SIG_DFL);
	(void)fcntl(ready, F_SETFD, 0);
	if (dup2(null, 0) >= 0 && dup2(log, 1) >= 0 && dup2(log, 2) >= 0)
		execl(t->pflashd, "pflashd", "--domain", domain, "--vars",
		      t->vars, "--layout", "2m", "--mode", mode,
		      "--code", "none", "--foreground", "--ready-fd", number,
		      (char *)NULL);
	dprintf(log, "%s: %s\n", t->pflashd, strerror(errno));
	_exit(127);
}

/* A newline comes when the flash is attached. */
static bool
is_attached(struct selftest *t)
{
	char byte;

	return read(t->ready, &byte, 1) == 1;
}

int
selftest_attach(struct selftest *t, const char *mode, double *ms)
{
	int64_t began = ask_clock();
	int ends[2], ret;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(&t->why, errno, "pipe");
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	t->ready = ends[0];
	t->pid = fork();
	if (t->pid == 0)
		execute(t, mode, ends[1]);
	close(ends[1]);
	if (t->pid < 0) {
		t->pid = 0;
		ret = error_errno(&t->why, errno, "fork");
	} else {
		ret = selftest_wait(t, is_attached, "pflashd attaches");
	}
	close(t->ready);
	t->ready = -1;
	*ms = (double)(ask_clock() - began);
	return ret;
}

static int64_t
until(const struct selftest *t, int ms)
{
	int64_t limit = ask_clock() + ms;

	return limit < t->deadline ? limit : t->deadline;
}

/* Sends a line.  guests_close() is due if it succeeds. */
static int
tell(struct selftest *t, const char *line, int ms, struct guests *reply)
{
	int ret = guests_one(reply, t->domain, &t->why);

	if (ret < 0)
		return ret;
	ask(reply, line, until(t, ms));
	if (reply->all->state == ASK_ANSWERED)
		return 0;
	ret = error_set(&t->why, EIO, "pflashd does not answer: %s",
			reply->all->why.text);
	guests_close(reply);
	return ret;
}

/* The refusal in an answer. */
static int
refused(struct selftest *t, const struct answer *answer)
{
	struct text text = answer_text(answer, STATUS_ERROR);

	if (!text.bytes)
		return 0;
	return error_set(&t->why, EIO, "pflashd refuses: %.*s",
			 text.len < 500 ? (int)text.len : 500, text.bytes);
}

int
selftest_get_mode(struct selftest *t, bool *direct)
{
	struct guests reply;
	int ret = tell(t, CONTROL_STATUS "\n", ANSWER_MS, &reply);

	if (ret < 0)
		return ret;
	*direct = answer_is(&reply.all->answer, STATUS_MODE, "direct");
	guests_close(&reply);
	return 0;
}

static int
set_mode(struct selftest *t, enum selftest_mode mode)
{
	const char *word = mode == SELFTEST_DIRECT ? "direct" : "trap";
	char line[CONTROL_LINE];
	struct guests reply;
	int ret;

	(void)snprintf(line, sizeof(line), CONTROL_MODE "%s\n", word);
	ret = tell(t, line, MODE_MS, &reply);
	if (ret < 0)
		return ret;
	ret = refused(t, &reply.all->answer);
	if (ret == 0 && !answer_is(&reply.all->answer, STATUS_MODE, word))
		ret = error_set(&t->why, EIO, "the mode is not %s", word);
	guests_close(&reply);
	return ret;
}

/* A guest that writes all the time may not be between two requests. */
int
selftest_set_mode(struct selftest *t, enum selftest_mode mode)
{
	int ret = set_mode(t, mode);

	for (int i = 1; i < MODE_TRIES && ret < 0; i++) {
		if (!strstr(t->why.text, "try again"))
			break;
		ret = set_mode(t, mode);
	}
	return ret;
}

/* The worker of a flash that is served, or 0. */
static pid_t
get_worker(struct selftest *t)
{
	struct guests reply;
	uint64_t pid = 0;

	if (tell(t, CONTROL_STATUS "\n", ANSWER_MS, &reply) < 0)
		return 0;
	if (!answer_is(&reply.all->answer, STATUS_STATE, "running") ||
	    !answer_number(&reply.all->answer, STATUS_WORKER, &pid) ||
	    pid > INT_MAX)
		pid = 0;
	guests_close(&reply);
	return (pid_t)pid;
}

/* The state and the parent of a process; false if there is none. */
static bool
look_up(pid_t pid, char *state, pid_t *parent)
{
	char path[32], text[512];
	FILE *file;
	size_t len;
	char *end;
	int number;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	if (file)
		fclose(file);
	text[len] = '\0';
	end = strrchr(text, ')'); /* of its name, which may have any bytes */
	if (!end || sscanf(end + 1, " %c %d", state, &number) != 2)
		return false;
	*parent = number;
	return true;
}

/* Finds the worker, and makes sure that it is a child of this pflashd. */
static int
find_worker(struct selftest *t)
{
	pid_t parent;
	char state;

	t->worker = get_worker(t);
	if (t->worker == 0)
		return error_set(&t->why, EIO,
				 "pflashd reports no running worker");
	if (!look_up(t->worker, &state, &parent) || parent != t->pid)
		return error_set(&t->why, EIO,
				 "the worker is no child of pflashd");
	return 0;
}

static bool
is_replaced(struct selftest *t)
{
	pid_t worker = get_worker(t);

	return worker != 0 && worker != t->worker;
}

int
selftest_kill_worker(struct selftest *t)
{
	int ret = find_worker(t);

	if (ret < 0)
		return ret;
	if (kill(t->worker, SIGKILL) < 0)
		return error_errno(&t->why, errno, "kill");
	return selftest_wait(t, is_replaced, "another worker takes over");
}

static bool
has_no_worker(struct selftest *t)
{
	pid_t parent;
	char state;

	return !look_up(t->worker, &state, &parent) || state == 'Z';
}

int
selftest_kill_all(struct selftest *t)
{
	int ret = find_worker(t);

	if (ret < 0)
		return ret;
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
	t->pid = 0;
	return selftest_wait(t, has_no_worker,
			     "the worker ends with its supervisor");
}

int
selftest_upgrade(struct selftest *t)
{
	int64_t began = ask_clock();
	struct guests reply;
	int ret = find_worker(t);

	if (ret == 0)
		ret = guests_one(&reply, t->domain, &t->why);
	if (ret < 0)
		return ret;
	ask(&reply, CONTROL_UPGRADE "\n", until(t, MODE_MS));
	if (reply.all->state == ASK_ANSWERED)
		ret = refused(t, &reply.all->answer);
	else if (reply.all->state != ASK_CLOSED) /* by the new program */
		ret = error_set(&t->why, EIO, "pflashd does not answer: %s",
				reply.all->why.text);
	guests_close(&reply);
	if (ret == 0)
		ret = selftest_wait(t, is_replaced, "the upgrade");
	t->upgrade = (double)(ask_clock() - began);
	return ret;
}

/* True also if waitpid() fails: there is no process to wait for. */
static bool
has_ended(struct selftest *t)
{
	int status = 0;

	if (t->pid && waitpid(t->pid, &status, WNOHANG) == 0)
		return false;
	if (t->pid && status != 0 && !t->cleaning)
		error_set(&t->why, EIO, "pflashd has ended with an error: %s",
			  selftest_log_line(t));
	t->pid = 0;
	return true;
}

int
selftest_flash_end(struct selftest *t)
{
	t->ending = true;
	t->why.text[0] = '\0'; /* has_ended() sets it */
	if (selftest_wait(t, has_ended, "pflashd ends with the guest") < 0 ||
	    t->why.text[0])
		return -EIO;
	return 0;
}

/* Removes the files of a pflashd that was killed; the domain is gone. */
static void
remove_rest(struct selftest *t)
{
	char pattern[64], key[64], text[256];
	const char *const remove[] = { "xenstore-rm", key, NULL };
	struct stat st;
	glob_t found;

	/* The level of the write limit of this file. */
	if (stat(t->vars, &st) == 0) {
		(void)snprintf(text, sizeof(text),
			       PFLASH_RUN_DIR "/%jx-%jx.limit",
			       (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
		(void)unlink(text);
	}

	(void)snprintf(key, sizeof(key),
		       "/local/domain/0/device-model/%" PRIu32, t->domain);
	(void)selftest_run(t, remove, text, sizeof(text));
	(void)snprintf(pattern, sizeof(pattern),
		       PFLASH_RUN_DIR "/%" PRIu32 ".*", t->domain);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		(void)unlink(found.gl_pathv[i]);
	globfree(&found);
}

void
selftest_stop_flash(struct selftest *t)
{
	t->ending = true;
	t->deadline = ask_clock() + STOP_MS;
	if (t->pid) {
		kill(t->pid, SIGTERM);
		(void)selftest_wait(t, has_ended, "pflashd ends");
	}
	if (t->pid) {
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
		t->pid = 0;
	}
	t->deadline = ask_clock() + STOP_MS;
	if (t->domain)
		remove_rest(t);
}
