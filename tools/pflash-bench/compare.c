/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Comparisons alternate between the subjects, A B A B: other load on the
 * machine then affects all of them, and shows as spread.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define ROUND 20000000u /* least duration of a round, nanoseconds */

uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Uses the read values, so that the compiler keeps the reads. */
static volatile uint64_t sink;

static void
run(const struct subject *subject)
{
	const struct bench_flash *ops = subject->ops;
	const struct access *access = subject->trace->accesses;
	const struct access *end = access + subject->trace->count;
	void *flash = subject->flash;
	uint64_t seen = 0;

	for (; access < end; access++) {
		if (access->write)
			ops->write(flash, access->off, access->size,
				   access->value);
		else
			seen += ops->read(flash, access->off, access->size);
	}
	sink = seen;
}

static uint64_t
time_of(const struct subject *subject, unsigned int repeats)
{
	uint64_t start = now();

	for (unsigned int i = 0; i < repeats; i++)
		run(subject);
	return now() - start;
}

/* Repetitions that take at least ROUND. */
static unsigned int
repeats_of(const struct subject *subject)
{
	uint64_t once = time_of(subject, 1);

	once = time_of(subject, 1); /* the first time warms the caches */
	return once >= ROUND ? 1 : (unsigned int)(ROUND / (once + 1)) + 1;
}

static void
progress(unsigned int round, unsigned int rounds)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rround %u of %u%s", round, rounds,
			round == rounds ? "\n" : "");
}

void
compare(struct subject *subjects, unsigned int count,
	const struct options *options)
{
	unsigned int *repeats = calloc(count, sizeof(*repeats));

	for (unsigned int i = 0; repeats && i < count; i++)
		repeats[i] = repeats_of(&subjects[i]);
	for (unsigned int r = 1; repeats && r <= options->rounds; r++) {
		progress(r, options->rounds);
		for (unsigned int i = 0; i < count; i++) {
			uint64_t ns = time_of(&subjects[i], repeats[i]);
			size_t accesses = subjects[i].trace->count * repeats[i];

			row_add(subjects[i].row, (double)ns / (double)accesses);
		}
	}
	free(repeats);
}

static int
make_file(const char *name, uint32_t size, struct error *err)
{
	static uint8_t ones[4096];
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint32_t done = 0;

	memset(ones, 0xff, sizeof(ones));
	while (fd >= 0 && done < size) {
		if (write(fd, ones, sizeof(ones)) != (ssize_t)sizeof(ones))
			break;
		done += (uint32_t)sizeof(ones);
	}
	if (fd < 0 || done < size || fsync(fd) < 0 || close(fd) < 0)
		return error_errno(err, errno, "%s", name);
	return 0;
}

int
subject_make(struct subject *subject, const struct bench_flash *ops,
	     const struct options *options, uint32_t size, struct error *err)
{
	static unsigned int number;
	int ret = 0;

	*subject = (struct subject){ .ops = ops };
	if (ops->kind == BENCH_FILE) {
		(void)snprintf(subject->file, sizeof(subject->file), "%s/%u.fd",
			       options->scratch, number++);
		ret = make_file(subject->file, size, err);
	}
	return ret;
}

int
subject_open(struct subject *subject, const struct bench_flash *ops,
	     const struct options *options, uint32_t size, struct error *err)
{
	int ret = subject_make(subject, ops, options, size, err);

	if (ret < 0)
		return ret;
	errno = 0;
	subject->flash = ops->open(subject->file, size);
	if (!subject->flash)
		return error_errno(err, errno ? errno : EIO, "%s", ops->name);
	return 0;
}

void
subject_close(struct subject *subject)
{
	if (subject->flash)
		subject->ops->close(subject->flash);
	subject->flash = NULL;
}

/* The shared object stays loaded. */
static int
load_peer(struct peers *peers, const char *file, enum bench_kind kind,
	  struct error *err)
{
	const unsigned int room = sizeof(peers->flashes) /
				  sizeof(peers->flashes[0]);
	void *object = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	const struct bench_flash *const *list;

	if (!object)
		return error_set(err, EINVAL, "%s", dlerror());
	list = (const struct bench_flash *const *)dlsym(object,
							BENCH_PEER_SYMBOL);
	if (!list)
		return error_set(err, EINVAL,
				 "%s: has no symbol " BENCH_PEER_SYMBOL, file);
	for (; *list && peers->count < room; list++)
		if ((*list)->kind == kind)
			peers->flashes[peers->count++] = *list;
	return 0;
}

int
peers_load(struct peers *peers, const struct options *options,
	   enum bench_kind kind, struct error *err)
{
	int ret = 0;

	peers->count = 0;
	for (unsigned int i = 0; ret == 0 && i < options->peer_count; i++)
		ret = load_peer(peers, options->peers[i], kind, err);
	return ret;
}
