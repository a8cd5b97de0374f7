/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands that compare flashes by accesses. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "pflash/cfi.h"

#define WRITES 32768u

static int
add_list(struct comparison *c, const struct bench_flash *const *list,
	 unsigned int count, enum row_role role, const struct trace *trace,
	 struct error *err)
{
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < count; i++) {
		ret = comparison_add(c, list[i], c->options->size, trace,
				     list[i]->name, err);
		if (ret == 0)
			c->subjects[c->count - 1].row->role = role;
	}
	return ret;
}

static int
add_peers(struct comparison *c, enum bench_kind kind, bool synced,
	  const struct trace *trace, struct error *err)
{
	struct peers peers;
	int ret = peers_load(&peers, c->options, kind, err);

	for (unsigned int i = 0; ret == 0 && i < peers.count; i++)
		if (synced || !peers.flashes[i]->syncs)
			ret = add_list(c, &peers.flashes[i], 1, ROLE_PEER,
				       trace, err);
	return ret;
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

static void
note_accesses(struct report *report, const struct trace *trace)
{
	report_note(report, "per access, of %zu accesses (%zu writes)",
		    trace->count, trace->writes);
}

/* "16 MiB" */
static const char *
size_text(uint32_t size)
{
	static char text[32];

	if (size % (1u << 20))
		snprintf(text, sizeof(text), "%u KiB", size >> 10);
	else
		snprintf(text, sizeof(text), "%u MiB", size >> 20);
	return text;
}

int
bench_chip(struct report *report, const struct options *options,
	   struct error *err)
{
	static const struct bench_flash *const ours[] = { &chip_bare };
	struct comparison c = { .report = report, .options = options };
	struct trace trace;
	int ret = get_trace(&trace, options, err);

	if (ret < 0)
		return ret;
	report_title(report, "Time of one access to the chip's state machine "
			     "alone: lower is better");
	ret = add_list(&c, ours, 1, ROLE_OURS, &trace, err);
	if (ret == 0)
		ret = add_peers(&c, BENCH_CHIP, true, &trace, err);
	if (ret == 0)
		compare(c.subjects, c.count, options);
	comparison_close(&c);
	note_accesses(report, &trace);
	trace_free(&trace);
	return ret;
}

int
bench_path(struct report *report, const struct options *options,
	   struct error *err)
{
	static const struct bench_flash *const ours[] = {
		&path_default_unsynced, &path_trap_unsynced, &path_none
	};
	static const struct bench_flash *const parts[] = { &path_answer,
							   &chip_bare };
	struct comparison c = { .report = report, .options = options };
	struct trace trace;
	int ret = get_trace(&trace, options, err);

	if (ret < 0)
		return ret;
	report_title(report,
		     "Time of one access, from the request to the "
		     "journal, without syncs (%s): lower is better",
		     size_text(options->size));
	ret = add_list(&c, ours, 3, ROLE_OURS, &trace, err);
	if (ret == 0)
		ret = add_list(&c, parts, 2, ROLE_REFERENCE, &trace, err);
	if (ret == 0)
		ret = add_peers(&c, BENCH_FILE, false, &trace, err);
	if (ret == 0) {
		compare(c.subjects, c.count, options);
		report_ratio(report, "direct mode : trap mode",
			     c.subjects[0].row, c.subjects[1].row);
	}
	comparison_close(&c);
	note_accesses(report, &trace);
	report_note(report, "from the shared page to the journal, without "
			    "event channels; syncs return at once");
	trace_free(&trace);
	return ret;
}

static int
compare_trace(struct comparison *c, const struct trace *trace,
	      struct error *err)
{
	static const struct bench_flash *const ours[] = {
		&path_default, &path_trap, &path_burst, &path_op, &path_none
	};
	uint8_t *image = image_make(c->options->size);
	int ret = image ? 0 : error_set(err, ENOMEM, "out of memory");

	if (ret == 0)
		ret = add_list(c, ours, 5, ROLE_OURS, trace, err);
	if (ret == 0)
		ret = add_peers(c, BENCH_FILE, true, trace, err);
	if (ret == 0)
		ret = compare_fresh(c->subjects, c->count, c->options, image,
				    1. / (double)trace->count, err);
	if (ret == 0)
		report_ratio(c->report, "direct mode : trap mode",
			     c->subjects[0].row, c->subjects[1].row);
	free(image);
	return ret;
}

int
bench_trace(struct report *report, const struct options *options,
	    struct error *err)
{
	struct comparison c = { .report = report, .options = options };
	struct trace trace;
	int ret;

	if (options->argument_count == 0)
		return error_set(err, EINVAL, "trace: TRACE is missing");
	ret = get_trace(&trace, options, err);
	if (ret < 0)
		return ret;
	report_title(report, "Time of one access of a recorded boot, with its "
			     "syncs: lower is better");
	ret = compare_trace(&c, &trace, err);
	comparison_close(&c);
	note_accesses(report, &trace);
	report_note(report, "each run starts from a new image; files in %s",
		    options->directory);
	trace_free(&trace);
	return ret;
}

/* --- the view ------------------------------------------------------------- */

/* Shows the status, then the array, at a multiple of `step` each time. */
static int
make_toggles(struct trace *trace, uint32_t size, uint32_t step)
{
	int ret = 0;

	*trace = (struct trace){ 0 };
	for (uint32_t off = 0; ret == 0 && off < size; off += step) {
		ret = trace_add(trace, (struct access){ true, 1, off,
							CFI_CMD_READ_STATUS });
		if (ret == 0)
			ret = trace_add(trace,
					(struct access){ true, 1, off,
							 CFI_CMD_READ_ARRAY });
	}
	return ret;
}

/* One kind of traffic, for flashes of all sizes. */
struct series {
	const char *name;
	const struct bench_flash *flash;
	int (*make)(struct trace *trace, uint32_t size);
};

static int
make_one(struct trace *trace, uint32_t size)
{
	return make_toggles(trace, size, size);
}

static int
make_each(struct trace *trace, uint32_t size)
{
	return make_toggles(trace, size, 4096);
}

/* The same accesses in flashes of all sizes. */
static int
make_writes(struct trace *trace, uint32_t size)
{
	struct error err;

	(void)size;
	return trace_make(trace, WRITES, 128u << 10, &err);
}

static const struct series series[] = {
	{ "toggle, in the first block", &path_default_unsynced, make_one },
	{ "toggle, in each block in turn", &path_default_unsynced, make_each },
	{ "writes of 200 bytes, direct mode", &path_default_unsynced,
	  make_writes },
	{ "writes of 200 bytes, trap mode", &path_trap_unsynced, make_writes },
};

static const uint32_t sizes[] = { 128u << 10, 528u << 10, 8u << 20, 16u << 20 };

#define SERIES (sizeof(series) / sizeof(series[0]))
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static int
add_view(struct comparison *c, struct trace *traces, struct error *err)
{
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < SERIES * SIZES; i++) {
		const struct series *kind = &series[i / SIZES];
		uint32_t size = sizes[i % SIZES];

		c->group = kind->name;
		if (kind->make(&traces[i], size) < 0)
			return error_set(err, ENOMEM, "out of memory");
		ret = comparison_add(c, kind->flash, size, &traces[i],
				     size_text(size), err);
		if (ret == 0)
			c->subjects[c->count - 1].row->at = size;
	}
	return ret;
}

int
bench_view(struct report *report, const struct options *options,
	   struct error *err)
{
	struct comparison c = { .report = report, .options = options };
	struct trace traces[SERIES * SIZES] = { 0 };
	int ret = add_view(&c, traces, err);

	report_title(report, "Time of a change of the view and of a write, by "
			     "size of the flash: lower is better");
	if (ret == 0) {
		compare(c.subjects, c.count, options);
		report_ratio(report, "writes in direct mode, 16 MiB : 128 KiB",
			     c.subjects[2 * SIZES + SIZES - 1].row,
			     c.subjects[2 * SIZES].row);
		report_ratio(report, "writes in 528 KiB, direct : trap mode",
			     c.subjects[2 * SIZES + 1].row,
			     c.subjects[3 * SIZES + 1].row);
		report_ratio(report, "writes in 16 MiB, direct : trap mode",
			     c.subjects[3 * SIZES - 1].row,
			     c.subjects[4 * SIZES - 1].row);
	}
	comparison_close(&c);
	for (unsigned int i = 0; i < SERIES * SIZES; i++)
		trace_free(&traces[i]);
	report_note(report, "per access; pflashd (default) and --mode trap, "
			    "without syncs; the ratio is that to 128 KiB");
	return ret;
}
