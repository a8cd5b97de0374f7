/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervised.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xen/sched.h>

#include "double_domain.h"
#include "pflash/control.h"
#include "supervisor/supervisor.h"

#define STAGE "/run/stage"
#define RECORDS "/run/records"

struct stage *stage;
struct options options;
pid_t supervisor;
int ready_end = -1;

static bool
private_run(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", "/run", "tmpfs", 0, "size=64m") == 0 &&
	       setenv("PFLASH_KNOWN_DIR", RECORDS, 1) == 0;
}

bool
stage_possible(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(!private_run());
	if (child > 0)
		(void)waitpid(child, &status, 0);
	if (status == 0)
		return true;
	puts("SKIP: a mount namespace needs root");
	return false;
}

/* false, with errno: it failed.  No ck_assert(): it may run outside a test. */
static bool
map_stage(int flags)
{
	int fd = open(STAGE, O_RDWR | O_CLOEXEC | flags, 0600);
	bool made = fd >= 0 && ftruncate(fd, sizeof(*stage)) == 0;

	if (made)
		stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	return made && stage != MAP_FAILED;
}

static void
set_globals(void)
{
	options = (struct options){
		.domain = "7",
		.vars = VARS,
		.sync = STORE_SYNC_VARIABLE,
		.width = 1,
		.foreground = true,
		.ready_fd = -1,
		.restarts = 20,
		.write_limit = { LIMIT_RATE, LIMIT_BURST },
	};
	domain_event_end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	supervisor_stop_seconds = 0.4;
}

void
stage_make(void)
{
	int fd;

	ck_assert(private_run());
	ck_assert(map_stage(O_CREAT | O_EXCL));
	fd = open(VARS, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	stage->reason = -EINPROGRESS;
	set_globals();
}

bool
stage_find(void)
{
	if (!map_stage(0))
		return false;
	set_globals();
	return true;
}

void
stage_remove(void)
{
	if (supervisor > 0)
		(void)kill(supervisor, SIGKILL);
}

int
supervise(int lock)
{
	struct domain *domain = domain_double();
	const struct supervisor_start start = {
		.options = &options,
		.domain = domain,
		.parent = -1,
		.lock = lock,
		.lease = -1,
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return supervisor_run(&start);
}

static void
be_supervisor(int ready)
{
	int log = open(LOG_FILE, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		       0600);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(log, STDERR_FILENO);
	options.ready_fd = ready;
	_exit(supervise(-1));
}

pid_t
run_supervisor(void)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	(void)fflush(NULL);
	supervisor = fork();
	ck_assert_int_ge(supervisor, 0);
	if (supervisor == 0)
		be_supervisor(ends[1]);
	close(ends[1]);
	if (ready_end >= 0)
		close(ready_end);
	ready_end = ends[0];
	return supervisor;
}

void
set_acts(act *const *acts)
{
	stage->acts_count = 0;
	while (*acts)
		stage->acts[stage->acts_count++] = *acts++;
}

void
start_with(act *const *acts)
{
	char byte = 0;

	set_acts(acts);
	(void)run_supervisor();
	ck_assert_int_eq(read(ready_end, &byte, 1), 1);
	ck_assert_int_eq(byte, '\n');
}

int
end_of(pid_t pid, double seconds)
{
	double until = seconds_now() + seconds;
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		ck_assert_msg(seconds_now() < until, "process %d does not end",
			      pid);
		nap(0.002);
	}
	if (pid == supervisor)
		supervisor = 0;
	ck_assert_msg(WIFEXITED(status), "status %#x", (unsigned int)status);
	return WEXITSTATUS(status);
}

double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void
nap(double seconds)
{
	const struct timespec time = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};

	(void)nanosleep(&time, NULL);
}

/* --- the control socket --- */

static int
try_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
				       .sun_path = PFLASH_RUN_DIR "/7.sock" };
	const struct timeval timeout = { .tv_sec = 20 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout,
			 sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

int
client_connect(void)
{
	int fd = try_connect();

	ck_assert_int_ge(fd, 0);
	return fd;
}

int
client_send(const char *text)
{
	int fd = client_connect();

	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL),
			 (ssize_t)strlen(text));
	return fd;
}

struct json_object *
client_answer(int fd)
{
	static char text[CONTROL_ANSWER + 2];
	struct json_object *answer;
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
		len += (size_t)n;
	ck_assert_int_eq(n, 0);
	close(fd);
	ck_assert_uint_le(len, CONTROL_ANSWER);
	if (len == 0)
		return NULL;
	text[len] = '\0';
	for (const char *c = text; *c; c++)
		ck_assert_msg(*c >= ' ' && *c <= '~', "byte %#x",
			      (unsigned int)(unsigned char)*c);
	answer = json_tokener_parse(text);
	ck_assert_msg(answer != NULL, "no JSON: %s", text);
	return answer;
}

struct json_object *
ask(const char *line)
{
	int fd = client_send(line);

	ck_assert_int_eq(send(fd, "\n", 1, MSG_NOSIGNAL), 1);
	return client_answer(fd);
}

const char *
text_of(struct json_object *answer, const char *member)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(answer, member, &value))
		return NULL;
	ck_assert_int_eq(json_object_get_type(value), json_type_string);
	return json_object_get_string(value);
}

int64_t
number_of(struct json_object *answer, const char *member)
{
	struct json_object *value = NULL;

	ck_assert(json_object_object_get_ex(answer, member, &value));
	ck_assert_int_eq(json_object_get_type(value), json_type_int);
	return json_object_get_int64(value);
}

bool
state_is(const char *state)
{
	struct json_object *answer;
	int fd = try_connect();
	bool is;

	if (fd < 0)
		return false; /* the socket is not open yet */
	(void)shutdown(fd, SHUT_WR);
	answer = client_answer(fd);
	is = answer && strcmp(text_of(answer, STATUS_STATE), state) == 0;
	json_object_put(answer);
	return is;
}

/* --- the domain, the log, the files --- */

void
domain_happens(int reason)
{
	const uint64_t one = 1;
	unsigned int looks;

	stage->reason = reason;
	looks = stage->looks;
	ck_assert_int_eq(write(domain_event_end, &one, sizeof(one)),
			 sizeof(one));
	UNTIL(stage->looks > looks);
}

char *
log_text(void)
{
	int fd = open(LOG_FILE, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(read(fd, text, (size_t)st.st_size), st.st_size);
	close(fd);
	return text;
}

bool
log_has(const char *text)
{
	char *log = log_text();
	bool has = strstr(log, text) != NULL;

	free(log);
	return has;
}

bool
exists(const char *name)
{
	char path[300];

	(void)snprintf(path, sizeof(path), PFLASH_RUN_DIR "/%s", name);
	return access(path, F_OK) == 0;
}

unsigned int
descriptors_of(pid_t pid)
{
	unsigned int count = 0;
	char path[64];
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	for (struct dirent *d = readdir(dir); d; d = readdir(dir))
		count += d->d_name[0] != '.';
	closedir(dir);
	return count;
}

double
cpu_seconds_of(pid_t pid)
{
	struct timespec used = { .tv_sec = 0 };
	clockid_t clock;

	ck_assert_int_eq(clock_getcpuclockid(pid, &clock), 0);
	ck_assert_int_eq(clock_gettime(clock, &used), 0);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}
