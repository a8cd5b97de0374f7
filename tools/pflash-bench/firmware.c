/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The waits that a user of a guest notices: a first boot, a later boot, one
 * SetVariable(), a reclaim of the variable store, and the start of the flash.
 * Each run starts from the image that the firmware then has.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "pflash/fv.h"

#define VARIABLES 50u /* in a run */

struct firmware {
	struct report *report;
	const struct options *options;
	struct peers peers;
	uint8_t *image; /* the flash now */
};

static int
add_all(struct comparison *c, const struct firmware *f,
	const struct trace *trace, struct error *err)
{
	static const struct bench_flash *const ours[] = {
		&path_default,
		&path_trap,
		&path_none,
	};
	uint32_t size = f->options->size;
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < 3; i++)
		ret = comparison_add(c, ours[i], size, trace, ours[i]->name,
				     err);
	for (unsigned int i = 0; ret == 0 && i < f->peers.count; i++) {
		ret = comparison_add(c, f->peers.flashes[i], size, trace,
				     f->peers.flashes[i]->name, err);
		if (ret == 0)
			c->subjects[c->count - 1].row->role = ROLE_PEER;
	}
	return ret;
}

/* Measures one action, which is in the trace `times` times; milliseconds. */
static int
measure(struct firmware *f, const char *group, const struct trace *trace,
	unsigned int times, struct error *err)
{
	struct comparison c = { .report = f->report,
				.options = f->options,
				.group = group };
	int ret = add_all(&c, f, trace, err);

	if (ret == 0)
		ret = compare_fresh(c.subjects, c.count, f->options, f->image,
				    1e-6 / times, err);
	for (unsigned int i = 0; i < c.count && ret == 0; i++) {
		c.subjects[i].row->unit = "ms";
		c.subjects[i].row->syncs /= times;
	}
	comparison_close(&c);
	report_note(f->report, "%s: %zu writes of the guest", group,
		    trace->writes / times);
	return ret;
}

/* Measures the trace, and applies it to the image. */
static int
measure_boot(struct firmware *f, const char *group, const char *file,
	     struct error *err)
{
	struct trace trace;
	int ret = trace_load(&trace, file, err);

	if (ret < 0)
		return ret;
	if (trace_end(&trace) > f->options->size)
		ret = error_set(err, EINVAL,
				"%s: an access lies beyond a flash of %u bytes "
				"(see --size)",
				file, f->options->size);
	if (ret == 0)
		ret = measure(f, group, &trace, 1, err);
	if (ret == 0 && trace_apply(&trace, f->image, f->options->size) < 0)
		ret = error_set(err, ENOMEM, "out of memory");
	trace_free(&trace);
	return ret;
}

static int
measure_variable(struct firmware *f, struct error *err)
{
	uint32_t size = f->options->size;
	uint8_t *after = malloc(size);
	struct trace trace = { 0 };
	int ret = after ? 0 : -ENOMEM;

	if (after)
		memcpy(after, f->image, size);
	for (unsigned int i = 0; ret == 0 && i < VARIABLES; i++)
		ret = trace_set_variable(&trace, after, size, i);
	if (ret < 0)
		error_errno(err, -ret, "making accesses of SetVariable()");
	else
		ret = measure(f, "one SetVariable() of 64 bytes", &trace,
			      VARIABLES, err);
	trace_free(&trace);
	free(after);
	return ret;
}

/* Fills the store, without measuring. */
static int
fill_store(struct firmware *f, struct error *err)
{
	struct trace trace = { 0 };
	int ret = 0;

	for (unsigned int i = 0; ret == 0; i++)
		ret = trace_set_variable(&trace, f->image, f->options->size, i);
	trace_free(&trace);
	return ret == -ENOSPC ?
		       0 :
		       error_errno(err, -ret, "making accesses of variables");
}

static int
measure_reclaim(struct firmware *f, struct error *err)
{
	uint32_t size = f->options->size;
	uint8_t *after = malloc(size);
	struct trace trace = { 0 };
	int ret = after ? fill_store(f, err) : -ENOMEM;

	if (ret == 0) {
		memcpy(after, f->image, size);
		ret = trace_reclaim(&trace, after, size, err);
	}
	if (ret == 0)
		ret = measure(f, "a reclaim of the variable store", &trace, 1,
			      err);
	trace_free(&trace);
	free(after);
	return ret;
}

/* Our flash only: a peer's object is not the start of that program. */
static int
measure_start(struct firmware *f, struct error *err)
{
	struct row *start = report_row(f->report, ROW_PAIRED, "ms", "%s",
				       path_default.name);
	struct row *memory = report_row(f->report, ROW_PAIRED, "KiB", "%s",
					path_default.name);
	struct subject subject;
	int ret = subject_make(&subject, &path_default, f->options,
			       f->options->size, err);

	start->group = "start, from opening the file to the first answer";
	memory->group = "private memory of the flash and its image";
	for (unsigned int r = 0; ret == 0 && r < f->options->rounds; r++) {
		struct attached attached;

		ret = attach_in_process(&attached, &path_default, subject.file,
					f->options->size);
		if (ret < 0)
			return error_errno(err, -ret, "a process of its own");
		row_add(start, attached.time);
		row_add(memory, attached.memory.own);
	}
	return ret;
}

int
bench_firmware(struct report *report, const struct options *options,
	       struct error *err)
{
	struct firmware f = { .report = report, .options = options };
	int ret;

	if (options->argument_count != 2)
		return error_set(err, EINVAL,
				 "firmware: FIRST or SECOND is missing, the "
				 "traces of a first and a second boot");
	report_title(report, "Waits of a guest's firmware, without the time "
			     "for its traps: lower is better");
	ret = peers_load(&f.peers, options, BENCH_FILE, err);
	f.image = image_make(options->size);
	if (!f.image)
		ret = error_set(err, ENOMEM, "out of memory");
	if (ret == 0)
		ret = measure_boot(&f, "first boot", options->arguments[0],
				   err);
	if (ret == 0)
		ret = measure_boot(&f, "second boot", options->arguments[1],
				   err);
	if (ret == 0)
		ret = measure_variable(&f, err);
	if (ret == 0)
		ret = measure_reclaim(&f, err);
	if (ret == 0)
		ret = measure_start(&f, err);
	report_note(report, "files in %s", options->directory);
	free(f.image);
	return ret;
}
