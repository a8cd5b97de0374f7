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

/* Private memory of a process, KiB: pages that no other process maps. */
struct memory {
	double own;        /* without the simulation */
	double simulation; /* the simulated hypervisor and guest */
};

struct memory memory_of(pid_t pid);

/* --- syncs ---------------------------------------------------------------- */

/* The syncs that the flashes of this process have made, fdatasync and fsync. */
struct syncs {
	uint64_t count;
	uint64_t time; /* that this process has waited for them, nanoseconds */
};

extern struct syncs syncs;
/* The kernel's calls, with counted syncs.  `skip`: syncs return at once. */
const struct sys *sys_counting(bool skip);

/* --- results -------------------------------------------------------------- */

/* How the samples of a row are printed. */
enum row_kind {
	ROW_PAIRED,  /* a sample a round, and the ratio to another row */
	ROW_LATENCY, /* very many samples, with the slowest ones */
};

/* The colour of a row in a plot. */
enum row_role {
	ROLE_OURS,
	ROLE_PEER,
	ROLE_REFERENCE, /* a part of the path, or a lower bound */
	ROLES
};

/* One measured quantity. */
struct row {
	char name[80];
	const char
		*group; /* heading above the row, or NULL; a string constant */
	const char *unit;
	enum row_kind kind;
	enum row_role role;
	double at;    /* size in bytes, the parameter for a plot; or 0 */
	double syncs; /* in one run; negative: not counted */
	double share; /* of each run that was measured; 1: all of it */
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
/* Sets the title: the figure that the plot shows, and if lower is better. */
void report_title(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Adds a note with the ratio of two rows, round by round. */
void report_ratio(struct report *report, const char *text,
		  const struct row *row, const struct row *against);
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
const char *report_title_text(const struct report *report);

/* A picture in the format SVG. */
struct svg;

/* `file` is borrowed until svg_close(), which writes it. */
struct svg *svg_open(const char *file, double width, double height);
/* `style`: attributes of the element. */
void svg_text(struct svg *svg, double x, double y, const char *style,
	      const char *format, ...) __attribute__((format(printf, 5, 6)));
void svg_line(struct svg *svg, double x1, double y1, double x2, double y2,
	      const char *style);
void svg_box(struct svg *svg, double x, double y, double width, double height,
	     const char *colour);
/* A line through `count` points, x and y alternately. */
void svg_curve(struct svg *svg, const double *points, size_t count,
	       const char *colour);
/* 0, or -errno and a sentence. */
int svg_close(struct svg *svg, struct error *err);

/* An axis from values to coordinates, logarithmic above a decade. */
struct axis {
	bool logarithmic;
	double low, high;   /* values */
	double first, last; /* coordinates */
};

/* Makes an axis for values between `low` and `high`. */
struct axis axis_make(double low, double high, double first, double last);
double axis_at(const struct axis *axis, double value);
/* The next mark after `value`; above axis->high: there is none. */
double axis_mark(const struct axis *axis, double value);
/* A number for people: three digits, with commas. */
void axis_number(char *text, size_t room, double value);

/* Draws the rows to the file. */
int plot(const struct report *report, const char *file, struct error *err);
void plot_sizes(struct svg *svg, struct row *const *rows, size_t count);
void plot_distributions(struct svg *svg, struct row *const *rows, size_t count);

/* --- subjects of comparisons ---------------------------------------------- */

struct access {
	bool write;
	uint8_t size;
	uint32_t off;
	uint64_t value; /* of the write, or of the recorded read */
};

struct trace {
	struct access *accesses;
	size_t count, room;
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
/* Runs the trace through a chip with this array. */
int trace_apply(const struct trace *trace, uint8_t *array, uint32_t size);

/*
 * The image from which a trace starts: an empty variable store of OVMF, or an
 * erased flash where no layout has this size.  The caller frees it.
 */
uint8_t *image_make(uint32_t size);

#define SETVARIABLE_DATA 64u /* bytes */

/*
 * Adds edk2's accesses for SetVariable(): a new variable of SETVARIABLE_DATA
 * bytes, or a new value of the variable `number`.  Changes `image` accordingly.
 * -ENOSPC: the store is full.
 */
int trace_set_variable(struct trace *trace, uint8_t *image, uint32_t size,
		       unsigned int number);

/* The smallest variable: a name of one character, and one byte of data. */
#define SMALL_VARIABLE 68u      /* bytes, aligned */
#define SMALL_VARIABLE_DATA 64u /* offset of the byte */

/* Makes the small variable `number`, in the state ADDED. */
void variable_make_small(uint8_t bytes[SMALL_VARIABLE], unsigned int number);

/* Adds edk2's accesses for a reclaim of the full store `image`. */
int trace_reclaim(struct trace *trace, uint8_t *image, uint32_t size,
		  struct error *err);
int trace_add(struct trace *trace, struct access access);

/* One subject of a comparison. */
struct subject {
	const struct bench_flash *ops;
	void *flash;
	char file[PATH_MAX]; /* BENCH_FILE: its path */
	enum row_role role;
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

/*
 * The same, but each run starts from a new flash with this image.  The samples
 * are `scale` times the nanoseconds of a run.  A subject that takes long is
 * measured in fewer rounds, at least one.
 */
int compare_fresh(struct subject *subjects, unsigned int count,
		  const struct options *options, const uint8_t *image,
		  double scale, struct error *err);

#define VARIABLE 100u /* bytes of a burst */

/* Writes one burst as OVMF: set-up and data of each byte, READ ARRAY. */
void write_variable(const struct bench_flash *ops, void *flash, uint32_t off);

/* Flashes of this project. */
extern const struct bench_flash chip_bare;
extern const struct bench_flash path_answer; /* a null_region */
/*
 * The whole path; without other words, in the default mode and with the
 * default of --sync.
 */
extern const struct bench_flash path_default;
extern const struct bench_flash path_trap; /* --mode trap */
extern const struct bench_flash path_burst;
extern const struct bench_flash path_op;
extern const struct bench_flash path_none;
/* The same, with syncs that are counted and not done. */
extern const struct bench_flash path_default_unsynced;
extern const struct bench_flash path_trap_unsynced;

struct peers {
	const struct bench_flash *flashes[BENCH_PEERS * 4];
	unsigned int count;
};

int peers_load(struct peers *peers, const struct options *options,
	       enum bench_kind kind, struct error *err);

/* A comparison under construction. */
#define SUBJECTS (16 + BENCH_PEERS * 4)

struct comparison {
	struct report *report;
	const struct options *options;
	const char *group; /* of the next rows */
	struct subject subjects[SUBJECTS];
	unsigned int count;
};

/* Opens a flash, and adds its row: nanoseconds, against the group's first. */
int comparison_add(struct comparison *c, const struct bench_flash *ops,
		   uint32_t size, const struct trace *trace, const char *name,
		   struct error *err);
void comparison_close(struct comparison *c);

/* A flash that was opened in a process of its own. */
struct attached {
	double time;          /* milliseconds, from the file to an answer */
	struct memory memory; /* that this has taken */
};

/* 0 or -errno. */
int attach_in_process(struct attached *attached, const struct bench_flash *ops,
		      const char *file, uint32_t size);

/* --- subcommands ---------------------------------------------------------- */

/* Each fills the report; -EINVAL with a sentence for wrong arguments. */
typedef int bench_command(struct report *report, const struct options *options,
			  struct error *err);

bench_command bench_firmware, bench_chip, bench_path, bench_view, bench_trace,
	bench_commit, bench_places, bench_recover, bench_log, bench_attach,
	bench_hosts, bench_guest;

/* One process of `hosts`, which executes this program with this argument. */
#define HOST_PROCESS "host-process"

_Noreturn void host_main(int argc, char **argv);

#endif
