/* SPDX-License-Identifier: BSD-2-Clause */
#include "check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Seconds before a scenario is killed: a driver may wait for a status forever.
 */
#define TIMEOUT 900

/* At most so many differences of one scenario are printed. */
#define PRINTED 8

struct check_options check_options = { .seed = 1, .dir = "." };
struct check_totals *check_totals;

static uint64_t random_state;
static unsigned int printed;

void
check_start(const char *client, int argc, char **argv)
{
	check_options.client = client;
	check_options.version = "unknown";
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--long") == 0) {
			check_options.longer = true;
			continue;
		}
		if (strcmp(argv[i], "--version") == 0)
			check_options.version = value;
		else if (strcmp(argv[i], "--dir") == 0)
			check_options.dir = value;
		else if (strcmp(argv[i], "--seed") == 0)
			check_options.seed = strtoull(value, NULL, 0);
		else
			exit(2);
		i++;
	}
	check_totals = mmap(NULL, sizeof(*check_totals), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (check_totals == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
}

/* splitmix64 */
static uint64_t
next_random(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t
check_random(void)
{
	return (uint32_t)next_random();
}

uint32_t
check_below(uint32_t limit)
{
	return (uint32_t)(next_random() % limit);
}

/* FNV-1a of the name, so that every scenario gets different random numbers. */
static void
seed_random(const char *name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	random_state = check_options.seed ^ hash;
}

void
check_scenario(const char *name, void (*run)(const void *arg), const void *arg)
{
	uint64_t differences = check_totals->differences;
	uint64_t operations = check_totals->operations;
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(TIMEOUT);
		seed_random(name);
		run(arg);
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror(name);
		exit(2);
	}
	operations = check_totals->operations - operations;
	differences = check_totals->differences - differences;
	if (status == 0 && differences == 0 && operations > 0) {
		printf("ok - %s: %s (%" PRIu64 " compared)\n",
		       check_options.client, name, operations);
		return;
	}
	check_totals->failed = true;
	printf("not ok - %s: %s: %" PRIu64 " of %" PRIu64 " differ",
	       check_options.client, name, differences, operations);
	if (WIFSIGNALED(status))
		printf(", killed by signal %d", WTERMSIG(status));
	else if (status)
		printf(", given up");
	printf(" (--seed %" PRIu64 ")\n", check_options.seed);
}

int
check_finish(void)
{
	const struct check_totals *totals = check_totals;

	printf("# %s: %" PRIu64 " of the accesses are stores\n",
	       check_options.client, totals->stores);
	printf("peer: edk2 %s %s: %" PRIu64 " accesses, %" PRIu64
	       " operations compared, %" PRIu64 " differences\n",
	       check_options.version, check_options.client, totals->accesses,
	       totals->operations, totals->differences);
	return totals->failed || totals->differences || !totals->operations;
}

bool
check_that(bool same, const char *fmt, ...)
{
	va_list args;

	check_totals->operations++;
	if (same)
		return true;
	check_totals->differences++;
	if (printed++ >= PRINTED)
		return false;
	va_start(args, fmt);
	printf("    ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	return false;
}

void
check_give_up(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("    ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	_exit(1);
}

const char *
check_path(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", check_options.dir, name);
	return path;
}

void
model_open(struct model *model, uint32_t size)
{
	model->size = size;
	model->bytes = malloc(size);
	if (!model->bytes)
		check_give_up("out of memory");
	memset(model->bytes, 0xff, size);
}

void
model_fill(struct model *model, uint32_t off, uint8_t value, uint32_t len)
{
	memset(model->bytes + off, value, len);
}

const char *
model_write_file(const struct model *model, const char *name)
{
	const char *path = check_path(name);
	char other[4112];
	FILE *file;

	snprintf(other, sizeof(other), "%s.journal", path);
	unlink(other);
	snprintf(other, sizeof(other), "%s.state", path);
	unlink(other);
	file = fopen(path, "wb");
	if (!file ||
	    fwrite(model->bytes, 1, model->size, file) != model->size ||
	    fclose(file) != 0)
		check_give_up("%s: cannot be written", path);
	return path;
}

bool
model_same(const struct model *model, uint32_t off, const uint8_t *bytes,
	   uint32_t len, const char *what)
{
	uint32_t i = 0;

	while (i < len && bytes[i] == model->bytes[off + i])
		i++;
	return check_that(i == len,
			  "%s: %#x bytes at %#x: at %#x wanted %02x, got %02x",
			  what, len, off, off + i,
			  i < len ? model->bytes[off + i] : 0,
			  i < len ? bytes[i] : 0);
}

void
check_random_data(uint8_t *data, uint32_t len)
{
	static const uint8_t commands[] = {
		0x10, 0x20, 0x40, 0x50, 0x60, 0x70,
		0x90, 0x98, 0xb0, 0xd0, 0xe8, 0xff
	};
	unsigned int kind = check_below(8);

	for (uint32_t i = 0; i < len; i++)
		data[i] = kind == 0 ? 0xff :
			  kind == 1 ? 0x00 :
			  kind == 2 ? commands[check_below(sizeof(commands))] :
			  kind == 3 ? (uint8_t) ~(1u << check_below(8)) :
				      (uint8_t)check_random();
}
