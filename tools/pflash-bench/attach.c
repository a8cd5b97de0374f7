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

static void
attach(struct attached *attached, const struct bench_flash *ops,
       const char *file, uint32_t size)
{
	struct memory before = memory_of(getpid());
	uint64_t start = now();
	void *flash = ops->open(file, size);

	if (!flash)
		_exit(1);
	ops->read(flash, 0, 1);
	attached->time = (double)(now() - start) / 1e6;
	attached->memory = memory_of(getpid());
	attached->memory.own -= before.own;
	attached->memory.simulation -= before.simulation;
}

/* The new process reports by a pipe. */
int
attach_in_process(struct attached *attached, const struct bench_flash *ops,
		  const char *file, uint32_t size)
{
	int ends[2], status;
	ssize_t got;
	pid_t pid;

	if (pipe(ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		attach(attached, ops, file, size);
		_exit(write(ends[1], attached, sizeof(*attached)) !=
		      sizeof(*attached));
	}
	close(ends[1]);
	got = read(ends[0], attached, sizeof(*attached));
	close(ends[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return status || got != sizeof(*attached) ? -EIO : 0;
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
					"private memory for this");
	struct row *frames = report_row(report, ROW_PAIRED, "KiB",
					"memory of the simulation");
	struct attached attached, answer;
	struct subject subject;
	int ret = subject_make(&subject, &path_default, options, options->size,
			       err);

	for (unsigned int r = 0; ret == 0 && r < options->rounds; r++) {
		ret = attach_in_process(&attached, &path_default, subject.file,
					options->size);
		if (ret == 0)
			ret = attach_in_process(&answer, &path_answer, NULL,
						options->size);
		if (ret < 0)
			return error_errno(err, -ret, "a process of its own");
		row_add(time, attached.time);
		row_add(simulation, answer.time);
		row_add(memory, attached.memory.own);
		row_add(frames, attached.memory.simulation);
	}
	report_title(report,
		     "Start of a flash of %u KiB, and its memory: "
		     "lower is better",
		     options->size >> 10);
	report_note(report,
		    "private memory includes the image, %u KiB; the "
		    "simulation has the guest's frames",
		    options->size >> 10);
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
	struct memory memory = memory_of(pid);
	double sum = memory.own + memory.simulation;
	char path[64];
	FILE *file;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
		 (int)pid);
	file = fopen(path, "r");
	while (file && fscanf(file, "%d", &child) == 1) {
		memory = memory_of(child);
		sum += memory.own + memory.simulation;
	}
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
	memory = report_row(report, ROW_PAIRED, "KiB", "private memory");
	report_title(report, "Start of a command, and its private memory: "
			     "lower is better");
	for (unsigned int r = 0; ret == 0 && r < options->rounds; r++)
		ret = attach_command(options, time, memory, err);
	report_note(report, "private memory of the process and its children");
	return ret;
}
