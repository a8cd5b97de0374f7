/* SPDX-License-Identifier: BSD-2-Clause */
#include "keeper.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "log.h"
#include "pflash/control.h"
#include "privileged.h"
#include "upgrade.h"
#include "worker.h"

/* A worker that dies soon after its start, again and again, is given up. */
#define SOON 10
#define DEATHS_SOON 3

struct keeper {
	struct ev_loop *ev;
	const struct options *options;
	struct privileged privileged;
	struct domain *domain; /* NULL: there is none, and why */
	struct error no_domain;
	int no_domain_code; /* -errno of that */
	pid_t worker;
	int calls, orders; /* our ends */
	unsigned int deaths;
	time_t started;
	ev_io from_worker, domains;
	ev_signal signals[4];
};

static void
order(const struct keeper *keeper, enum channel_order what)
{
	char byte = (char)what;

	/* A pipe that is full has orders enough. */
	(void)!write(keeper->orders, &byte, 1);
}

static void
on_call(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct keeper *keeper = watcher->data;

	int ret = privileged_serve(&keeper->privileged, keeper->calls);

	(void)events;
	if (ret < 0)
		log_line(LOG_ERR, "the worker is ended, for its calls: %s",
			 strerror(-ret));
	if (ret <= 0)
		ev_break(ev, EVBREAK_ALL);
}

static void
on_domains(struct ev_loop *ev, ev_io *watcher, int events)
{
	const struct keeper *keeper = watcher->data;

	(void)ev, (void)events;
	if (domain_event(keeper->domain)) {
		domain_set_log(keeper->domain, keeper->options->vars);
		order(keeper, CHANNEL_NAMED);
	}
	order(keeper, CHANNEL_DOMAINS);
}

static void
on_signal(struct ev_loop *ev, ev_signal *watcher, int events)
{
	const struct keeper *keeper = watcher->data;

	(void)ev, (void)events;
	if (watcher->signum == SIGUSR2) {
		order(keeper, CHANNEL_UPGRADE);
		return;
	}
	log_line(LOG_INFO, "signal %d, detaching", watcher->signum);
	order(keeper, CHANNEL_TERMINATE);
}

static void
catch_signals(struct keeper *keeper)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR2 };

	for (unsigned int i = 0; i < 4; i++) {
		ev_signal_init(&keeper->signals[i], on_signal, numbers[i]);
		keeper->signals[i].data = keeper;
		ev_signal_start(keeper->ev, &keeper->signals[i]);
	}
}

/* Also for a worker that only looks at files: its root is in there. */
static void
make_run_directory(const struct keeper *keeper)
{
	if (mkdir(PFLASH_RUN_DIR, S_IRWXU) < 0 && errno != EEXIST &&
	    keeper->domain)
		log_line(LOG_WARNING, PFLASH_RUN_DIR ": %s", strerror(errno));
}

static void
find_domain(struct keeper *keeper)
{
	int ret = domain_open(&keeper->domain, keeper->options->domain,
			      &keeper->no_domain);

	keeper->no_domain_code = ret;
	if (ret < 0)
		return;
	ev_io_init(&keeper->domains, on_domains,
		   domain_event_fd(keeper->domain), EV_READ);
	keeper->domains.data = keeper;
	ev_io_start(keeper->ev, &keeper->domains);
	keeper->privileged.domain = keeper->domain;
	domain_set_log(keeper->domain, keeper->options->vars);
}

/* In the child: what it would share with the keeper. */
static void
leave(struct keeper *keeper)
{
	for (unsigned int i = 0; i < 4; i++)
		ev_signal_stop(keeper->ev, &keeper->signals[i]);
	privileged_leave(&keeper->privileged);
}

static int
start_worker(struct keeper *keeper, struct error *err)
{
	struct worker_start start = {
		.options = keeper->options,
		.domain = keeper->domain,
		.no_domain = &keeper->no_domain,
		.no_domain_code = keeper->no_domain_code,
		.keeper = getpid(),
	};
	int calls[2], orders[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, calls) < 0 ||
	    pipe2(orders, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_errno(err, errno, "a channel to the worker");
	keeper->worker = fork();
	if (keeper->worker < 0)
		return error_errno(err, errno, "fork");
	if (keeper->worker == 0) {
		leave(keeper);
		start.calls = calls[1];
		start.orders = orders[0];
		_exit(worker_run(&start));
	}
	close(calls[1]);
	close(orders[0]);
	keeper->calls = calls[0];
	keeper->orders = orders[1];
	keeper->started = time(NULL);
	return 0;
}

/* Until it has ended; the status of waitpid(2). */
static int
serve_worker(struct keeper *keeper)
{
	int status = 0;

	ev_io_init(&keeper->from_worker, on_call, keeper->calls, EV_READ);
	keeper->from_worker.data = keeper;
	ev_io_start(keeper->ev, &keeper->from_worker);
	ev_run(keeper->ev, 0);
	ev_io_stop(keeper->ev, &keeper->from_worker);
	/* One that broke off the channel has no more to say. */
	kill(keeper->worker, SIGKILL);
	close(keeper->calls);
	close(keeper->orders);
	while (waitpid(keeper->worker, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* Whom somebody has killed may come again; who crashes would go on so. */
static bool
is_given_up(struct keeper *keeper, int signal)
{
	if (signal == SIGKILL)
		return !keeper->privileged.attached;
	if (time(NULL) - keeper->started > SOON)
		keeper->deaths = 0;
	return !keeper->privileged.attached || ++keeper->deaths >= DEATHS_SOON;
}

/* Is there to be another worker?  If not, *code is the exit code. */
static bool
goes_on(struct keeper *keeper, int status, int *code)
{
	struct error err;

	if (WIFEXITED(status) && WEXITSTATUS(status) != WORKER_UPGRADE) {
		*code = WEXITSTATUS(status);
		return false;
	}
	if (WIFEXITED(status)) {
		upgrade_execute(&err);
		log_line(LOG_ERR, "%s", err.text);
		return true;
	}
	*code = EXIT_RUNTIME;
	if (is_given_up(keeper, WTERMSIG(status))) {
		log_line(LOG_ERR, "the worker died of signal %d",
			 WTERMSIG(status));
		return false;
	}
	log_line(LOG_ERR, "the worker died of signal %d; another one goes on",
		 WTERMSIG(status));
	return true;
}

static int
serve(struct keeper *keeper)
{
	struct error err;
	int code = EXIT_RUNTIME;

	do {
		if (start_worker(keeper, &err) < 0) {
			log_line(LOG_ERR, "%s", err.text);
			return EXIT_RUNTIME;
		}
	} while (goes_on(keeper, serve_worker(keeper), &code));
	return code;
}

/* A confined process has no working directory to speak of. */
static char *
absolute(const char *path)
{
	char *cwd, *result = NULL;

	if (!path || *path == '/')
		return path ? strdup(path) : NULL;
	cwd = getcwd(NULL, 0);
	if (cwd && asprintf(&result, "%s/%s", cwd, path) < 0)
		result = NULL;
	free(cwd);
	return result;
}

int
keeper_run(const struct options *given, int parent)
{
	struct options options = *given;
	/* The default loop would reap the worker. */
	struct keeper keeper = { .options = &options,
				 .ev = ev_loop_new(EVFLAG_AUTO) };
	char *journal = absolute(given->journal);
	int code;

	options.journal = journal;
	catch_signals(&keeper);
	privileged_init(&keeper.privileged, &options, parent);
	find_domain(&keeper);
	make_run_directory(&keeper);
	code = serve(&keeper);
	privileged_end(&keeper.privileged);
	if (keeper.domain)
		domain_close(keeper.domain);
	ev_loop_destroy(keeper.ev);
	free(journal);
	return code;
}
