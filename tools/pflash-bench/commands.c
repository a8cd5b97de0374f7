/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands that compare flashes by accesses. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "pflash/cfi.h"

#define SUBJECTS (4 + BENCH_PEERS * 4)
#define WRITES 32768u

/* A comparison under construction. */
struct comparison {
	struct report *report;
	const struct options *options;
	struct subject subjects[SUBJECTS];
	unsigned int count;
};

static int
take(struct comparison *c, const struct bench_flash *ops, uint32_t size,
     const struct trace *trace, const char *name, struct error *err)
{
	struct subject *subject = &c->subjects[c->count];
	int ret = subject_open(subject, ops, c->options, size, err);

	c->count++; /* subject_close() is due also after a failure */
	if (ret < 0)
		return ret;
	subject->trace = trace;
	subject->row = report_row(c->report, ROW_PAIRED, "ns", "%s", name);
	if (c->count > 1)
		subject->row->against = c->subjects[0].row;
	return 0;
}

static int
take_list(struct comparison *c, const struct bench_flash *const *list,
	  unsigned int count, const struct trace *trace, struct error *err)
{
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < count; i++)
		ret = take(c, list[i], c->options->size, trace, list[i]->name,
			   err);
	return ret;
}

static void
give_back(struct comparison *c)
{
	for (unsigned int i = 0; i < c->count; i++)
		subject_close(&c->subjects[i]);
}

/* Loads the trace of the argument, or makes one. */
static int
get_trace(struct trace *trace, const struct options *options, struct error *err)
{
	int ret = options->argument_count > 0 ?
			  trace_load(trace, options->arguments[0], err) :
			  trace_make(trace, WRITES, options->size, err);

	if (ret == 0 && trace_end(trace) > options->size) {
		ret = error_set(err, EINVAL,
				"%s: an access lies beyond a flash of %u "
				"bytes (see --size)",
				options->arguments[0], options->size);
		trace_free(trace);
	}
	return ret;
}

/* Compares our flashes and the peers of that kind. */
static int
compare_all(struct report *report, const struct options *options,
	    const struct bench_flash *const *ours, unsigned int count,
	    enum bench_kind kind, const struct trace *trace, struct error *err)
{
	struct comparison c = { .report = report, .options = options };
	struct peers peers;
	int ret = peers_load(&peers, options, kind, err);

	if (ret == 0)
		ret = take_list(&c, ours, count, trace, err);
	if (ret == 0)
		ret = take_list(&c, peers.flashes, peers.count, trace, err);
	if (ret == 0)
		compare(c.subjects, c.count, options);
	give_back(&c);
	return ret;
}

int
bench_chip(struct report *report, const struct options *options,
	   struct error *err)
{
	static const struct bench_flash *const ours[] = { &chip_bare };
	struct trace trace;
	int ret = get_trace(&trace, options, err);

	if (ret < 0)
		return ret;
	ret = compare_all(report, options, ours, 1, BENCH_CHIP, &trace, err);
	report_note(report, "per access, of %zu accesses (%zu writes)",
		    trace.count, trace.writes);
	trace_free(&trace);
	return ret;
}

int
bench_path(struct report *report, const struct options *options,
	   struct error *err)
{
	static const struct bench_flash *const ours[] = {
		&path_none, &path_answer, &chip_bare, &path_direct
	};
	struct trace trace;
	int ret = get_trace(&trace, options, err);

	if (ret < 0)
		return ret;
	ret = compare_all(report, options, ours, 4, BENCH_FILE, &trace, err);
	report_note(report,
		    "per access, of %zu accesses (%zu writes), from the "
		    "shared page to the journal, without event channels",
		    trace.count, trace.writes);
	trace_free(&trace);
	return ret;
}

int
bench_trace(struct report *report, const struct options *options,
	    struct error *err)
{
	static const struct bench_flash *const ours[] = { &path_burst,
							  &path_none,
							  &path_op };
	struct trace trace;
	int ret;

	if (options->argument_count == 0)
		return error_set(err, EINVAL, "trace: TRACE is missing");
	ret = get_trace(&trace, options, err);
	if (ret < 0)
		return ret;
	ret = compare_all(report, options, ours, 3, BENCH_FILE, &trace, err);
	report_note(report,
		    "per access, of %zu accesses (%zu writes), files in %s",
		    trace.count, trace.writes, options->directory);
	trace_free(&trace);
	return ret;
}

/* Shows the status, then the array: each change fills all frames. */
static struct access swaps[] = {
	{ true, 1, 0, CFI_CMD_READ_STATUS },
	{ true, 1, 0, CFI_CMD_READ_ARRAY },
};

static const struct trace swap_trace = { swaps, 2, 2 };

int
bench_view(struct report *report, const struct options *options,
	   struct error *err)
{
	static const uint32_t sizes[] = { 128u << 10, 528u << 10, 8u << 20,
					  16u << 20 };
	struct comparison c = { .report = report, .options = options };
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < 4; i++) {
		char name[80];

		snprintf(name, sizeof(name), "view of %u KiB", sizes[i] >> 10);
		ret = take(&c, &path_direct, sizes[i], &swap_trace, name, err);
		if (ret == 0)
			c.subjects[i].row->at = sizes[i];
	}
	if (ret == 0)
		compare(c.subjects, c.count, options);
	give_back(&c);
	report_note(report, "per change of the view");
	return ret;
}
