/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One process of `hosts`.  It is a new program, as each pflashd is, so that it
 * shares no pages with its parent but those of the program's file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hosts.h"

static void
measure_use(struct use *use)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	use->cpu = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) *
			   1000000000u +
		   (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) *
			   1000u;
	use->syncs = syncs.count;
	use->waits = syncs.time;
}

/* Ends a step: waits for all other processes, and begins the next step. */
static void
end_step(struct hosts *hosts, struct host *host, enum step step)
{
	measure_use(&host->use[step]);
	host->use[step].end = now();
	pthread_barrier_wait(&hosts->barrier);
	if (step + 1 < STEPS)
		host->use[step + 1].begin = now();
}

static void
set_variables(const struct hosts *hosts, struct host *host,
	      const struct bench_flash *ops, void *flash)
{
	for (unsigned int i = 0; flash && i < HOST_VARIABLES; i++) {
		uint64_t start = now();

		for (size_t n = 0; n < hosts->lengths[i]; n++)
			ops->write(flash, hosts->accesses[i][n].off, 1,
				   hosts->accesses[i][n].value);
		host->variables[i] = now() - start;
	}
}

static void
run_steps(struct hosts *hosts, struct host *host, const char *file)
{
	const struct bench_flash *ops = &path_default;
	uint64_t begin;
	void *flash;

	host->created = memory_of(getpid());
	end_step(hosts, host, STEP_CREATE);
	begin = now();
	flash = ops->open(file, hosts->size);
	host->start = now() - begin;
	host->failed = !flash;
	end_step(hosts, host, STEP_START);
	set_variables(hosts, host, ops, flash);
	end_step(hosts, host, STEP_WRITE);
	end_step(hosts, host, STEP_LOOK);
	begin = now();
	if (flash)
		ops->close(flash);
	host->stop = now() - begin;
	end_step(hosts, host, STEP_END);
}

/* Arguments: the descriptor of the shared memory, a number, the file. */
_Noreturn void
host_main(int argc, char **argv)
{
	struct hosts *hosts;
	struct stat st;
	int fd = argc == 5 ? atoi(argv[2]) : -1;
	unsigned long number = argc == 5 ? strtoul(argv[3], NULL, 10) : 0;

	if (fstat(fd, &st) < 0)
		exit(EXIT_USAGE);
	hosts = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	if (hosts == MAP_FAILED || number >= hosts->count)
		exit(EXIT_USAGE);
	close(fd);
	run_steps(hosts, &hosts->host[number], argv[4]);
	exit(EXIT_OK);
}
