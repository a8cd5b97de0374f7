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
#include "pflash/fv.h"

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

/* --- a new flash for each run --------------------------------------------- */

#define LONGEST UINT64_C(10000000000) /* nanoseconds of one subject */
#define PART 4096u /* accesses between two looks at the clock */

/* Nanoseconds of a run; after LONGEST, calculated from the part that it did. */
static uint64_t
run_limited(const struct subject *subject)
{
	struct subject part = *subject;
	struct trace trace = *subject->trace;
	uint64_t start = now(), took = 0;
	size_t done = 0;

	part.trace = &trace;
	while (done < subject->trace->count && took < LONGEST) {
		trace.accesses = subject->trace->accesses + done;
		trace.count = subject->trace->count - done;
		if (trace.count > PART)
			trace.count = PART;
		run(&part);
		done += trace.count;
		took = now() - start;
	}
	if (done == subject->trace->count)
		return took;
	subject->row->share = (double)done / (double)subject->trace->count;
	return (uint64_t)((double)took / subject->row->share);
}

static int
write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t done = write(fd, bytes, len);

		if (done <= 0)
			return -1;
		bytes += done;
		len -= (size_t)done;
	}
	return 0;
}

/* Durable, so that a measured sync does not write these bytes. */
static int
make_file(const char *name, const uint8_t *image, uint32_t size,
	  struct error *err)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write_all(fd, image, size) < 0 || fsync(fd) < 0 ||
	    close(fd) < 0)
		return error_errno(err, errno, "%s", name);
	return 0;
}

/* Nanoseconds and syncs of a run from a new flash. */
static int
run_fresh(struct subject *subject, const uint8_t *image, uint32_t size,
	  uint64_t *ns, struct error *err)
{
	const struct bench_flash *ops = subject->ops;
	char journal[PATH_MAX + 16];
	uint64_t before;
	int ret = make_file(subject->file, image, size, err);

	*ns = 0;
	if (ret < 0)
		return ret;
	snprintf(journal, sizeof(journal), "%s.journal", subject->file);
	unlink(journal);
	subject->flash = ops->open(subject->file, size);
	if (!subject->flash)
		return error_errno(err, errno ? errno : EIO, "%s", ops->name);
	before = ops->syncs ? ops->syncs(subject->flash) : 0;
	*ns = run_limited(subject);
	subject->row->syncs = 0;
	if (ops->syncs)
		subject->row->syncs = (double)(ops->syncs(subject->flash) -
					       before) /
				      subject->row->share;
	subject_close(subject);
	return 0;
}

/* One sample, of `repeats` runs. */
static int
sample_fresh(struct subject *subject, const uint8_t *image, uint32_t size,
	     double scale, uint64_t *took, struct error *err)
{
	uint64_t sum = 0, ns;
	unsigned int runs = 0;

	while (runs == 0 || (sum < ROUND && runs < 5)) {
		int ret = run_fresh(subject, image, size, &ns, err);

		if (ret < 0)
			return ret;
		sum += ns;
		runs++;
	}
	row_add(subject->row, scale * (double)sum / runs);
	*took += sum;
	return 0;
}

int
compare_fresh(struct subject *subjects, unsigned int count,
	      const struct options *options, const uint8_t *image, double scale,
	      struct error *err)
{
	uint64_t took[SUBJECTS] = { 0 };
	int ret = 0;

	for (unsigned int i = 0; i < count; i++)
		subject_close(&subjects[i]);
	for (unsigned int r = 1; ret == 0 && r <= options->rounds; r++) {
		progress(r, options->rounds);
		for (unsigned int i = 0; ret == 0 && i < count; i++)
			if (took[i] < LONGEST)
				ret = sample_fresh(&subjects[i], image,
						   options->size, scale,
						   &took[i], err);
	}
	return ret;
}

/* --- subjects ------------------------------------------------------------- */

uint8_t *
image_make(uint32_t size)
{
	const struct fv_layout *layout = fv_layout_by_size(size);
	uint8_t *image = malloc(size);

	if (image && layout)
		fv_format(layout, image);
	else if (image)
		memset(image, 0xff, size);
	return image;
}

int
subject_make(struct subject *subject, const struct bench_flash *ops,
	     const struct options *options, uint32_t size, struct error *err)
{
	static unsigned int number;
	uint8_t *image;
	int ret;

	*subject = (struct subject){ .ops = ops };
	if (ops->kind != BENCH_FILE)
		return 0;
	(void)snprintf(subject->file, sizeof(subject->file), "%s/%u.fd",
		       options->scratch, number++);
	image = image_make(size);
	ret = image ? make_file(subject->file, image, size, err) :
		      error_set(err, ENOMEM, "out of memory");
	free(image);
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

int
comparison_add(struct comparison *c, const struct bench_flash *ops,
	       uint32_t size, const struct trace *trace, const char *name,
	       struct error *err)
{
	struct subject *subject = &c->subjects[c->count];
	const struct subject *first = c->subjects;
	int ret = subject_open(subject, ops, c->options, size, err);

	c->count++; /* subject_close() is due also after a failure */
	if (ret < 0)
		return ret;
	subject->trace = trace;
	subject->row = report_row(c->report, ROW_PAIRED, "ns", "%s", name);
	subject->row->group = c->group;
	while (first->row->group != c->group)
		first++;
	if (first != subject)
		subject->row->against = first->row;
	return 0;
}

void
comparison_close(struct comparison *c)
{
	for (unsigned int i = 0; i < c->count; i++)
		subject_close(&c->subjects[i]);
}
