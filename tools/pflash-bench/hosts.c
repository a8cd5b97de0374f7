/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many flashes on one host, each in a process of its own, on the simulated
 * hypervisor.  As at a host's boot and shutdown, all start at once, are written
 * to at once, and end at once.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "pflash/parse.h"

#define HOSTS 20u
#define HOSTS_MOST 5000u
#define BURSTS 20u

/* The measured times of one flash, in nanoseconds. */
struct host {
	pid_t pid;
	bool failed;
	uint64_t start, stop;
	uint64_t bursts[BURSTS];
};

/* Shared by all processes. */
struct hosts {
	pthread_barrier_t step;
	pid_t parent;
	unsigned int count;
	struct host host[];
};

static uint64_t
burst(void *flash, unsigned int n)
{
	uint64_t start = now();

	write_variable(&path_burst, flash, n * VARIABLE);
	return now() - start;
}

/* The barrier starts each step at the same time in all processes. */
static void
run_host(struct hosts *hosts, struct host *host, const char *file,
	 uint32_t size)
{
	uint64_t begin;
	void *flash;

	end_with(hosts->parent, SIGKILL);
	pthread_barrier_wait(&hosts->step);
	begin = now();
	flash = path_burst.open(file, size);
	host->start = now() - begin;
	host->failed = !flash;
	pthread_barrier_wait(&hosts->step); /* all have started */
	pthread_barrier_wait(&hosts->step); /* look() is done */
	for (unsigned int i = 0; flash && i < BURSTS; i++)
		host->bursts[i] = burst(flash, i);
	pthread_barrier_wait(&hosts->step); /* all were written to */
	begin = now();
	if (flash)
		path_burst.close(flash);
	host->stop = now() - begin;
	_exit(0);
}

static unsigned int
descriptors(pid_t pid)
{
	unsigned int count = 0;
	char path[64];
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count > 2 ? count - 2 : 0; /* . and .. */
}

static void
look(const struct hosts *hosts, struct row *memory, struct row *files)
{
	for (unsigned int i = 0; i < hosts->count; i++) {
		row_add(memory, own_memory(hosts->host[i].pid));
		row_add(files, descriptors(hosts->host[i].pid));
	}
}

static void
take_figures(const struct hosts *hosts, struct row *start, struct row *bursts,
	     struct row *stop)
{
	for (unsigned int i = 0; i < hosts->count; i++) {
		const struct host *host = &hosts->host[i];

		row_add(start, (double)host->start / 1e6);
		row_add(stop, (double)host->stop / 1e6);
		for (unsigned int n = 0; n < BURSTS; n++)
			row_add(bursts, (double)host->bursts[n] / 1e6);
	}
}

/* Milliseconds until all processes have done the step. */
static double
step(struct hosts *hosts)
{
	uint64_t begin = now();

	pthread_barrier_wait(&hosts->step);
	return (double)(now() - begin) / 1e6;
}

static int
run_steps(struct hosts *hosts, struct report *report)
{
	struct row *start = report_row(report, ROW_LATENCY, "ms", "start");
	struct row *burst = report_row(report, ROW_LATENCY, "ms", "burst");
	struct row *stop = report_row(report, ROW_LATENCY, "ms", "end");
	struct row *memory = report_row(report, ROW_LATENCY, "KiB",
					"memory of its own");
	struct row *files = report_row(report, ROW_LATENCY, "", "descriptors");
	double started, written;
	uint64_t begin;
	int ret = 0;

	pthread_barrier_wait(&hosts->step);
	started = step(hosts);
	look(hosts, memory, files);
	pthread_barrier_wait(&hosts->step);
	written = step(hosts);
	begin = now();
	for (unsigned int i = 0; i < hosts->count; i++) {
		waitpid(hosts->host[i].pid, NULL, 0);
		if (hosts->host[i].failed)
			ret = -EIO;
	}
	report_note(report,
		    "%u flashes: all started after %.0f ms; %u bursts of each "
		    "after %.0f ms; all ended after %.0f ms",
		    hosts->count, started, BURSTS, written,
		    (double)(now() - begin) / 1e6);
	take_figures(hosts, start, burst, stop);
	return ret;
}

/* The barrier would never open: end, and the other processes too. */
static void
on_death(int number, siginfo_t *info, void *context)
{
	static const char text[] =
		"pflash-bench: a process of hosts was killed\n";

	(void)number, (void)context;
	if (info->si_code == CLD_EXITED)
		return;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(EXIT_FAILED);
}

static struct hosts *
hosts_open(unsigned int count)
{
	size_t size = sizeof(struct hosts) + count * sizeof(struct host);
	struct hosts *hosts = mmap(NULL, size, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_t attributes;

	if (hosts == MAP_FAILED)
		return NULL;
	hosts->parent = getpid();
	hosts->count = count;
	pthread_barrierattr_init(&attributes);
	pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&hosts->step, &attributes, count + 1);
	return hosts;
}

/* -errno if a process cannot start; the others end with this process. */
static int
fork_all(struct hosts *hosts, const struct subject *subjects, uint32_t size)
{
	const struct sigaction action = {
		.sa_sigaction = on_death,
		.sa_flags = SA_SIGINFO | SA_RESTART,
	};

	sigaction(SIGCHLD, &action, NULL);
	for (unsigned int i = 0; i < hosts->count; i++) {
		pid_t pid = fork();

		if (pid == 0)
			run_host(hosts, &hosts->host[i], subjects[i].file,
				 size);
		if (pid < 0)
			return -errno;
		hosts->host[i].pid = pid;
	}
	return 0;
}

static int
run(struct report *report, struct hosts *hosts, struct subject *subjects,
    const struct options *options, struct error *err)
{
	unsigned int opened = 0;
	int ret = 0;

	while (ret == 0 && opened < hosts->count)
		ret = subject_make(&subjects[opened++], &path_burst, options,
				   options->size, err);
	if (ret == 0) {
		ret = fork_all(hosts, subjects, options->size);
		if (ret == 0)
			ret = run_steps(hosts, report);
		if (ret < 0)
			error_errno(err, -ret, "%u processes", hosts->count);
	}
	while (opened)
		subject_close(&subjects[--opened]);
	return ret;
}

int
bench_hosts(struct report *report, const struct options *options,
	    struct error *err)
{
	uint64_t count = HOSTS;
	struct subject *subjects;
	struct hosts *hosts;
	struct error why;
	int ret;

	if (options->argument_count > 0) {
		if (parse_number(options->arguments[0], PARSE_C, 1, HOSTS_MOST,
				 &count, &why) < 0)
			return error_set(err, EINVAL, "hosts: %s", why.text);
	}
	subjects = calloc(count, sizeof(*subjects));
	hosts = hosts_open((unsigned int)count);
	ret = subjects && hosts ? run(report, hosts, subjects, options, err) :
				  error_set(err, ENOMEM, "out of memory");
	free(subjects);
	return ret;
}
