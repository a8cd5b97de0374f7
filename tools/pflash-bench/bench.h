/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of pflash-bench. */
#ifndef BENCH_H
#define BENCH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "peer.h"
#include "pflash/error.h"

#define BENCH_PEERS 8 /* shared objects */

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

/* The command line. */
struct options {
	const char *directory; /* where `scratch` is made */
	const char *scratch;   /* for files, once there is one */
	uint32_t size;         /* of the flash, bytes */
	unsigned int rounds;
	unsigned int count; /* of what a subcommand repeats; 0: its default */
	bool json;
	const char *plot; /* FILE.svg, or NULL */
	const char *peers[BENCH_PEERS];
	unsigned int peer_count;
	char **arguments; /* behind the subcommand */
	int argument_count;
};

/* From 1 to 2^30; -EINVAL, which was said. */
int number(const char *arg, unsigned int *value);

/*
 * From now on this is another process, whose files are made in a directory
 * that the one before removes, with all that is in it, when this one has ended.
 */
int scratch_open(struct options *options, struct error *err);

/* Just forked by that process: to get this signal when it ends. */
void end_with(pid_t parent, int signal);

/* --- time ----------------------------------------------------------------- */

/* Nanoseconds of a clock that only goes on. */
uint64_t now(void);

/* KiB that a process alone has in memory. */
double own_memory(pid_t pid);

/* --- results -------------------------------------------------------------- */

/* How a row's figures are shown. */
enum row_kind {
	ROW_PAIRED,  /* a figure a round, and its ratio to another row's */
	ROW_LATENCY, /* very many: the slowest of them count, too */
};

/* One thing that was measured. */
struct row {
	char name[80];
	const char *unit;
	enum row_kind kind;
	double at; /* what it depends on, for a plot; or 0 */
	double *samples;
	size_t count, room;
	const struct row *against; /* or NULL */
};

struct report;

int report_open(struct report **out, const char *command, int argc, char **argv,
		struct error *err);
/* The row lives as long as the report. */
struct row *report_row(struct report *report, enum row_kind kind,
		       const char *unit, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* A line below the table; one that says what a figure is about. */
void report_note(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void row_add(struct row *row, double sample);
/* p of 0 to 1 */
double row_quantile(const struct row *row, double p);
/* The median of the quotients, round by round; 0: there is none. */
double row_ratio(const struct row *row);
/* Prints it, and draws it. */
int report_end(struct report *report, const struct options *options,
	       struct error *err);
void report_close(struct report *report);

/* The rows, for those who show them. */
struct row *const *report_rows(const struct report *report, size_t *count);
const char *report_command(const struct report *report);
int plot(const struct report *report, const char *file, struct error *err);

/* --- what is compared ----------------------------------------------------- */

struct access {
	bool write;
	uint8_t size;
	uint32_t off;
	uint64_t value; /* written, or what a read gave then */
};

struct trace {
	struct access *accesses;
	size_t count;
	size_t writes;
};

/* A recorded one: see pflash-replay(1); also compressed by gzip. */
int trace_load(struct trace *trace, const char *file, struct error *err);
/* What OVMF does for variables of some hundred bytes, `writes` long or more. */
int trace_make(struct trace *trace, size_t writes, uint32_t size,
	       struct error *err);
/* The highest address, and one. */
uint64_t trace_end(const struct trace *trace);
void trace_free(struct trace *trace);

/* One subject of a comparison. */
struct subject {
	const struct bench_flash *ops;
	void *flash;
	char file[PATH_MAX]; /* BENCH_FILE: where it is */
	struct row *row;
	const struct trace *trace;
};

/* Its file only. */
int subject_make(struct subject *subject, const struct bench_flash *ops,
		 const struct options *options, uint32_t size,
		 struct error *err);
int subject_open(struct subject *subject, const struct bench_flash *ops,
		 const struct options *options, uint32_t size,
		 struct error *err);
void subject_close(struct subject *subject);

/*
 * Runs the trace through all of them, in turn and over and over, and adds the
 * nanoseconds an access to the subjects' rows; one a round.
 */
void compare(struct subject *subjects, unsigned int count,
	     const struct options *options);

#define VARIABLE 100u /* bytes of a burst */

/* One burst, as OVMF writes it: set-up and data of each byte, READ ARRAY. */
void write_variable(const struct bench_flash *ops, void *flash, uint32_t off);

/* Our own: NULL at the end of a list. */
extern const struct bench_flash chip_bare;
extern const struct bench_flash path_answer; /* a server that only answers */
extern const struct bench_flash path_none;   /* trap mode, --sync none */
extern const struct bench_flash path_burst;
extern const struct bench_flash path_op;
extern const struct bench_flash path_direct; /* direct mode, --sync none */

struct peers {
	const struct bench_flash *flashes[BENCH_PEERS * 4];
	unsigned int count;
};

int peers_load(struct peers *peers, const struct options *options,
	       enum bench_kind kind, struct error *err);

/* --- subcommands ---------------------------------------------------------- */

/* They fill the report. */
int bench_chip(struct report *report, const struct options *options,
	       struct error *err);
int bench_path(struct report *report, const struct options *options,
	       struct error *err);
int bench_view(struct report *report, const struct options *options,
	       struct error *err);
int bench_trace(struct report *report, const struct options *options,
		struct error *err);
int bench_commit(struct report *report, const struct options *options,
		 struct error *err);
int bench_recover(struct report *report, const struct options *options,
		  struct error *err);
int bench_attach(struct report *report, const struct options *options,
		 struct error *err);
int bench_hosts(struct report *report, const struct options *options,
		struct error *err);
int bench_guest(struct report *report, const struct options *options,
		struct error *err);

#endif
