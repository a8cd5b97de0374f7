/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The start of a flash.  Without a command: from the file to an answering
 * server, on the simulated hypervisor, without the cost of Xen and of a new
 * process.  With a command: any command that takes --ready-fd, such as pflashd.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

double
own_memory(pid_t pid)
{
	unsigned long clean, dirty, sum = 0;
	char line[256];
	FILE *file;

	snprintf(line, sizeof(line), "/proc/%d/smaps_rollup", (int)pid);
	file = fopen(line, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Private_Clean: %lu", &clean) == 1)
			sum += clean;
		if (sscanf(line, "Private_Dirty: %lu", &dirty) == 1)
			sum += dirty;
	}
	if (file)
		fclose(file);
	return (double)sum;
}

/* Opens the flash in a new process, which reports time and memory by a pipe. */
static int
attach_here(const struct bench_flash *ops, const char *file, struct row *time,
	    struct row *memory)
{
	double figures[2] = { 0, 0 };
	int ends[2], status;
	ssize_t got;
	pid_t pid;

	if (pipe(ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		double before = own_memory(getpid());
		uint64_t start = now();
		void *flash = ops->open(file, 528u << 10);

		figures[0] = (double)(now() - start) / 1e6;
		figures[1] = own_memory(getpid()) - before;
		_exit(!flash || write(ends[1], figures, sizeof(figures)) !=
					sizeof(figures));
	}
	close(ends[1]);
	got = read(ends[0], figures, sizeof(figures));
	close(ends[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	if (status || got != sizeof(figures))
		return -EIO;
	row_add(time, figures[0]);
	row_add(memory, figures[1]);
	return 0;
}

static int
simulated(struct report *report, const struct options *options,
	  struct error *err)
{
	struct row *time = report_row(report, ROW_PAIRED, "ms",
				      "from the file to an answer");
	struct row *simulation = report_row(report, ROW_PAIRED, "ms",
					    "of this, the simulation");
	struct row *memory = report_row(report, ROW_PAIRED, "KiB",
					"memory for this");
	struct row *simulated = report_row(report, ROW_PAIRED, "KiB",
					   "of this, the simulation");
	struct subject subject;
	int ret = subject_open(&subject, &path_none, options, 528u << 10, err);

	if (ret == 0) {
		subject.ops->close(subject.flash);
		subject.flash = NULL;
	}
	for (unsigned int r = 0; ret == 0 && r < options->rounds; r++) {
		ret = attach_here(&path_direct, subject.file, time, memory);
		if (ret == 0)
			ret = attach_here(&path_answer, NULL, simulation,
					  simulated);
		if (ret < 0)
			error_errno(err, -ret, "a process of its own");
	}
	subject_close(&subject);
	report_note(report,
		    "memory includes two copies of the image and its frames, "
		    "528 KiB each");
	return ret;
}

/* --- a command ------------------------------------------------------------ */

/* Starts the command with --foreground and --ready-fd appended. */
static pid_t
start(const struct options *options, int ready)
{
	char *argv[64], number[16];
	int n = 0;
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	end_with(parent, SIGTERM);
	for (; n < options->argument_count && n < 60; n++)
		argv[n] = options->arguments[n];
	snprintf(number, sizeof(number), "%d", ready);
	argv[n++] = strdup("--foreground");
	argv[n++] = strdup("--ready-fd");
	argv[n++] = number;
	argv[n] = NULL;
	fcntl(ready, F_SETFD, 0);
	execvp(argv[0], argv);
	_exit(127);
}

/* Private memory of the process and its children. */
static double
memory_of_all(pid_t pid)
{
	double sum = own_memory(pid);
	char path[64];
	FILE *file;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
		 (int)pid);
	file = fopen(path, "r");
	while (file && fscanf(file, "%d", &child) == 1)
		sum += own_memory(child);
	if (file)
		fclose(file);
	return sum;
}

static int
attach_command(const struct options *options, struct row *time,
	       struct row *memory, struct error *err)
{
	int ends[2], status;
	uint64_t begin = now();
	char line = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, errno, "pipe");
	pid = start(options, ends[1]);
	close(ends[1]);
	if (pid > 0 && read(ends[0], &line, 1) == 1) {
		row_add(time, (double)(now() - begin) / 1e6);
		row_add(memory, memory_of_all(pid));
		kill(pid, SIGTERM);
	}
	close(ends[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return error_errno(err, errno, "%s", options->arguments[0]);
	if (!line || status)
		return error_set(err, EIO, "%s: %s", options->arguments[0],
				 line ? "ended with an error" :
					"ended before it was ready");
	return 0;
}

int
bench_attach(struct report *report, const struct options *options,
	     struct error *err)
{
	struct row *time, *memory;
	int ret = 0;

	if (options->argument_count == 0)
		return simulated(report, options, err);
	time = report_row(report, ROW_PAIRED, "ms", "start to ready");
	memory = report_row(report, ROW_PAIRED, "KiB", "memory of its own");
	for (unsigned int r = 0; ret == 0 && r < options->rounds; r++)
		ret = attach_command(options, time, memory, err);
	report_note(report, "private memory of the process and its children");
	return ret;
}
