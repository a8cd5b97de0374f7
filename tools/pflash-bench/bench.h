/* SPDX-License-Identifier: BSD-2-Clause */
/* The modules of pflash-bench. */
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
	const char *directory; /* the parent of `scratch` */
	const char *scratch;   /* for files; NULL before scratch_open() */
	uint32_t size;         /* of the flash, bytes */
	unsigned int rounds;
	unsigned int count; /* repetitions; 0: the subcommand's default */
	bool json;
	const char *plot; /* FILE.svg, or NULL */
	const char *peers[BENCH_PEERS];
	unsigned int peer_count;
	char **arguments; /* after the subcommand */
	int argument_count;
};

/*
 * Makes a directory for files and returns in a child process.  The parent waits
 * for the child's end, removes the directory and its files, and ends.
 */
int scratch_open(struct options *options, struct error *err);

/* After fork(2): asks for this signal at the end of the parent. */
void end_with(pid_t parent, int signal);

/* --- time ----------------------------------------------------------------- */

/* Nanoseconds of the monotonic clock. */
uint64_t now(void);

/* KiB of the private memory of a process. */
double own_memory(pid_t pid);

/* --- results -------------------------------------------------------------- */

/* How the samples of a row are printed. */
enum row_kind {
	ROW_PAIRED,  /* a sample a round, and the ratio to another row */
	ROW_LATENCY, /* very many samples, with the slowest ones */
};

/* One measured quantity. */
struct row {
	char name[80];
	const char *unit;
	enum row_kind kind;
	double at; /* the parameter for a plot; or 0 */
	double *samples;
	size_t count, room;
	const struct row *against; /* or NULL */
};

struct report;

int report_open(struct report **out, const char *command, int argc, char **argv,
		struct error *err);
/* Adds a row, which is freed with the report. */
struct row *report_row(struct report *report, enum row_kind kind,
		       const char *unit, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Adds a line below the table, to explain the figures. */
void report_note(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void row_add(struct row *row, double sample);
/* The p-quantile of the samples, p from 0 to 1. */
double row_quantile(const struct row *row, double p);
/* The median of the ratios to `against`, round by round; 0 without one. */
double row_ratio(const struct row *row);
/* Prints the report and draws the plot. */
int report_end(struct report *report, const struct options *options,
	       struct error *err);
void report_close(struct report *report);

/* Access for plot(), which draws the rows to a file. */
struct row *const *report_rows(const struct report *report, size_t *count);
const char *report_command(const struct report *report);
int plot(const struct report *report, const char *file, struct error *err);

/* --- subjects of comparisons ---------------------------------------------- */

struct access {
	bool write;
	uint8_t size;
	uint32_t off;
	uint64_t value; /* of the write, or of the recorded read */
};

struct trace {
	struct access *accesses;
	size_t count;
	size_t writes;
};

/* Loads recorded accesses, pflash-replay(1); also compressed by gzip. */
int trace_load(struct trace *trace, const char *file, struct error *err);
/* Makes the accesses of OVMF's driver for variables, at least `writes`. */
int trace_make(struct trace *trace, size_t writes, uint32_t size,
	       struct error *err);
/* The highest address plus one. */
uint64_t trace_end(const struct trace *trace);
void trace_free(struct trace *trace);

/* One subject of a comparison. */
struct subject {
	const struct bench_flash *ops;
	void *flash;
	char file[PATH_MAX]; /* BENCH_FILE: its path */
	struct row *row;
	const struct trace *trace;
};

/* Makes only the file of the subject. */
int subject_make(struct subject *subject, const struct bench_flash *ops,
		 const struct options *options, uint32_t size,
		 struct error *err);
int subject_open(struct subject *subject, const struct bench_flash *ops,
		 const struct options *options, uint32_t size,
		 struct error *err);
void subject_close(struct subject *subject);

/*
 * Runs the trace through all subjects in turn, for all rounds.  Adds the
 * nanoseconds of an access to the subjects' rows, one sample a round.
 */
void compare(struct subject *subjects, unsigned int count,
	     const struct options *options);

#define VARIABLE 100u /* bytes of a burst */

/* Writes one burst as OVMF: set-up and data of each byte, READ ARRAY. */
void write_variable(const struct bench_flash *ops, void *flash, uint32_t off);

/* Flashes of this project. */
extern const struct bench_flash chip_bare;
extern const struct bench_flash path_answer; /* a null_region */
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

/* Each fills the report; -EINVAL with a sentence for wrong arguments. */
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
