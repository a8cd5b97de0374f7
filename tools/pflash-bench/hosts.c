/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many flashes on one host, each in a process of its own, on the simulated
 * hypervisor.  As at a host's boot and shutdown, all start at once, are written
 * to at once, and end at once.
 */
#include "hosts.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pflash/parse.h"

#define HOSTS 20u
#define HOSTS_MOST 5000u

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

/* --- the figures ---------------------------------------------------------- */

struct rows {
	struct row *start, *variable, *stop;
	struct row *memory, *created, *simulation, *descriptors;
};

static void
add_rows(struct rows *rows, struct report *report)
{
	rows->start = report_row(report, ROW_LATENCY, "ms", "start");
	rows->variable = report_row(report, ROW_LATENCY, "ms",
				    "SetVariable() of 64 bytes");
	rows->stop = report_row(report, ROW_LATENCY, "ms", "end");
	rows->memory = report_row(report, ROW_LATENCY, "KiB",
				  "private memory of a process");
	rows->created = report_row(report, ROW_LATENCY, "KiB",
				   "of this, before its flash is open");
	rows->simulation = report_row(report, ROW_LATENCY, "KiB",
				      "the simulated guest's memory");
	rows->descriptors = report_row(report, ROW_LATENCY, "", "descriptors");
}

/* All processes wait meanwhile. */
static void
look(const struct hosts *hosts, const struct rows *rows)
{
	for (unsigned int i = 0; i < hosts->count; i++) {
		const struct host *host = &hosts->host[i];
		struct memory memory = memory_of(host->pid);

		row_add(rows->memory, memory.own);
		row_add(rows->simulation, memory.simulation);
		row_add(rows->created, host->created.own);
		row_add(rows->descriptors, descriptors(host->pid));
	}
}

static void
take_times(const struct hosts *hosts, const struct rows *rows)
{
	for (unsigned int i = 0; i < hosts->count; i++) {
		const struct host *host = &hosts->host[i];

		row_add(rows->start, (double)host->start / 1e6);
		row_add(rows->stop, (double)host->stop / 1e6);
		for (unsigned int n = 0; n < HOST_VARIABLES; n++)
			row_add(rows->variable,
				(double)host->variables[n] / 1e6);
	}
}

/* The sum of all processes, of one step only; from the first to the last. */
static struct use
sum_of(const struct hosts *hosts, enum step step)
{
	struct use sum = { .begin = UINT64_MAX };

	for (unsigned int i = 0; i < hosts->count; i++) {
		const struct use *use = hosts->host[i].use;

		if (use[step].begin < sum.begin)
			sum.begin = use[step].begin;
		if (use[step].end > sum.end)
			sum.end = use[step].end;
		sum.cpu += use[step].cpu;
		sum.syncs += use[step].syncs;
		sum.waits += use[step].waits;
		if (step == STEP_CREATE)
			continue;
		sum.cpu -= use[step - 1].cpu;
		sum.syncs -= use[step - 1].syncs;
		sum.waits -= use[step - 1].waits;
	}
	return sum;
}

/* `parent`: nanoseconds of processor time of this process. */
static void
note_step(struct report *report, const struct hosts *hosts, enum step step,
	  const char *name, uint64_t parent)
{
	struct use use = sum_of(hosts, step);
	double seconds = (double)(use.end - use.begin) / 1e9;
	double cpu = (double)(use.cpu + parent) / 1e9;
	double processors = (double)sysconf(_SC_NPROCESSORS_ONLN);

	report_note(report,
		    "%s of %u at once: %.3g s; user and system %.3g s, which "
		    "is %.0f %% of %.0f processors; %llu syncs, %.0f a second; "
		    "in a process they take %.3g ms",
		    name, hosts->count, seconds, cpu,
		    100 * cpu / seconds / processors, processors,
		    (unsigned long long)use.syncs, (double)use.syncs / seconds,
		    (double)use.waits / 1e6 / hosts->count);
}

/* --- the processes -------------------------------------------------------- */

/* The barrier would never open: end, and the other processes too. */
static void
on_death(int number, siginfo_t *info, void *context)
{
	static const char text[] =
		"pflash-bench: a process of hosts was killed\n";

	(void)number, (void)context;
	if (info->si_code == CLD_EXITED && info->si_status == EXIT_OK)
		return;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(EXIT_FAILED);
}

static struct hosts *
hosts_open(unsigned int count, uint32_t size, int *fd)
{
	size_t len = sizeof(struct hosts) + count * sizeof(struct host);
	pthread_barrierattr_t attributes;
	struct hosts *hosts;

	*fd = memfd_create("hosts", 0); /* stays open in new programs */
	if (*fd < 0 || ftruncate(*fd, (off_t)len) < 0)
		return NULL;
	hosts = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (hosts == MAP_FAILED)
		return NULL;
	hosts->parent = getpid();
	hosts->count = count;
	hosts->size = size;
	pthread_barrierattr_init(&attributes);
	pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&hosts->barrier, &attributes, count + 1);
	return hosts;
}

static _Noreturn void
become_host(const struct hosts *hosts, int fd, unsigned int number, char *file)
{
	char memory[16], index[16];
	char *argv[] = {
		"pflash-bench", HOST_PROCESS, memory, index, file, NULL
	};

	end_with(hosts->parent, SIGKILL);
	snprintf(memory, sizeof(memory), "%d", fd);
	snprintf(index, sizeof(index), "%u", number);
	execv("/proc/self/exe", argv);
	_exit(EXIT_FAILED);
}

/* -errno if a process cannot start; the others end with this process. */
static int
fork_all(struct hosts *hosts, int fd, struct subject *subjects)
{
	const struct sigaction action = {
		.sa_sigaction = on_death,
		.sa_flags = SA_SIGINFO | SA_RESTART,
	};

	sigaction(SIGCHLD, &action, NULL);
	for (unsigned int i = 0; i < hosts->count; i++) {
		pid_t pid = fork();

		if (pid == 0)
			become_host(hosts, fd, i, subjects[i].file);
		if (pid < 0)
			return -errno;
		hosts->host[i].pid = pid;
	}
	return 0;
}

static uint64_t
own_cpu(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) *
		       1000000000u +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) *
		       1000u;
}

static int
wait_all(const struct hosts *hosts)
{
	int ret = 0;

	for (unsigned int i = 0; i < hosts->count; i++) {
		waitpid(hosts->host[i].pid, NULL, 0);
		if (hosts->host[i].failed)
			ret = -EIO;
	}
	return ret;
}

static int
run_steps(struct hosts *hosts, int fd, struct subject *subjects,
	  struct report *report)
{
	uint64_t cpu = own_cpu(), begin = now();
	struct rows rows;
	int ret = fork_all(hosts, fd, subjects);

	if (ret < 0)
		return ret;
	pthread_barrier_wait(&hosts->barrier); /* all are created */
	cpu = own_cpu() - cpu;
	for (unsigned int i = 0; i < hosts->count; i++)
		hosts->host[i].use[STEP_CREATE].begin = begin;
	pthread_barrier_wait(&hosts->barrier); /* all have started */
	pthread_barrier_wait(&hosts->barrier); /* all were written to */
	add_rows(&rows, report);
	look(hosts, &rows);
	pthread_barrier_wait(&hosts->barrier); /* they may end */
	pthread_barrier_wait(&hosts->barrier); /* all have ended */
	ret = wait_all(hosts);
	take_times(hosts, &rows);
	note_step(report, hosts, STEP_CREATE, "creation of the processes", cpu);
	note_step(report, hosts, STEP_START, "start", 0);
	note_step(report, hosts, STEP_WRITE, "5 SetVariable()", 0);
	note_step(report, hosts, STEP_END, "end, with a checkpoint", 0);
	return ret;
}

/* --- the command ---------------------------------------------------------- */

/* All flashes start from the same image, so the accesses are the same. */
static int
make_variables(struct hosts *hosts)
{
	uint8_t *image = image_make(hosts->size);
	int ret = image ? 0 : -ENOMEM;

	for (unsigned int i = 0; ret == 0 && i < HOST_VARIABLES; i++) {
		struct trace trace = { 0 };

		ret = trace_set_variable(&trace, image, hosts->size, i);
		if (ret == 0 && trace.count > HOST_ACCESSES)
			ret = -E2BIG;
		if (ret == 0)
			memcpy(hosts->accesses[i], trace.accesses,
			       trace.count * sizeof(struct access));
		hosts->lengths[i] = trace.count;
		trace_free(&trace);
	}
	free(image);
	return ret;
}

static int
run(struct report *report, unsigned int count, const struct options *options,
    struct error *err)
{
	struct subject *subjects = calloc(count, sizeof(*subjects));
	int fd, ret;
	struct hosts *hosts = hosts_open(count, options->size, &fd);

	if (!subjects || !hosts) {
		free(subjects);
		return error_set(err, ENOMEM, "out of memory");
	}
	ret = make_variables(hosts);
	if (ret < 0)
		error_errno(err, -ret,
			    "variables in a flash of %u bytes (see --size)",
			    options->size);
	for (unsigned int i = 0; ret == 0 && i < count; i++)
		ret = subject_make(&subjects[i], &path_default, options,
				   options->size, err);
	if (ret == 0) {
		ret = run_steps(hosts, fd, subjects, report);
		if (ret < 0)
			error_errno(err, -ret, "%u processes", count);
	}
	free(subjects);
	return ret;
}

int
bench_hosts(struct report *report, const struct options *options,
	    struct error *err)
{
	uint64_t count = HOSTS;
	struct error why;

	if (options->argument_count > 0 &&
	    parse_number(options->arguments[0], PARSE_C, 1, HOSTS_MOST, &count,
			 &why) < 0)
		return error_set(err, EINVAL, "hosts: %s", why.text);
	report_title(report,
		     "Start, variables and end of %u flashes at once: "
		     "lower is better",
		     (unsigned int)count);
	return run(report, (unsigned int)count, options, err);
}
