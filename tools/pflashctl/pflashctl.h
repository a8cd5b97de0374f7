/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands of pflashctl and their shared functions. */
#ifndef PFLASHCTL_H
#define PFLASHCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/effective.h"
#include "pflash/error.h"
#include "pflash/fv.h"
#include "pflash/store.h"
#include "pflash/reader.h"

/* Exit codes, documented in pflashctl(1). */
enum {
	CTL_OK = 0,
	CTL_FAILED = 1, /* no space, no permission */
	CTL_USAGE = 2,
	CTL_FILE = 3, /* a file was refused or is damaged */
	CTL_BUSY = 4, /* another process has locked it */
};

/* The guest of selftest, in lib/xen-pflash beside firmware. */
#define CTL_SELFTEST_GUEST "selftest-guest.elf"

/* The options and arguments of a subcommand. */
struct ctl_options {
	const char *files[2]; /* NULL behind the last one */
	const char *journal;
	const char *new_journal;
	const char *template;
	const char *layout;
	const char *code;
	const char *output; /* NULL: standard output */
	const char *root;   /* NULL: "" */
	uint64_t at, to;    /* points in time */
	bool has_at, has_to;
	uint64_t last;
	bool bursts;
	const char *image; /* --vars of trace; NULL: none */
	uint64_t limit;    /* bytes; 0: not given */
	bool stop;
	bool reset, device, incoming, json, metrics, undo, keep, help;
	const char *guest, *pflashd; /* of selftest */
	uint64_t timeout;            /* seconds; 0: not given */
};

struct ctl_command {
	const char *name;
	int (*run)(const struct ctl_options *options);
	unsigned int least, most; /* number of files */
	const char *letters;      /* ids of its options, see options.c */
	const char *arguments;
	const char *description;
};

extern const struct ctl_command ctl_commands[];

/*
 * Parses the command line; argv[0] is the subcommand.  CTL_OK, or CTL_USAGE
 * after a message.
 */
int ctl_parse(struct ctl_options *options, const struct ctl_command *command,
	      int argc, char **argv);

/*
 * Prints what a firmware image is, and with a size other than 0 if it takes
 * VARS files of that size.  False if it is refused or has an error.
 */
bool ctl_print_firmware(const char *path, size_t vars_size);

int ctl_accept(const struct ctl_options *options);
int ctl_clone(const struct ctl_options *options);
int ctl_forget(const struct ctl_options *options);
int ctl_move(const struct ctl_options *options);
int ctl_check(const struct ctl_options *options);
int ctl_compact(const struct ctl_options *options);
int ctl_convert(const struct ctl_options *options);
int ctl_create(const struct ctl_options *options);
int ctl_diff(const struct ctl_options *options);
int ctl_doctor(const struct ctl_options *options);
int ctl_export(const struct ctl_options *options);
int ctl_list(const struct ctl_options *options);
int ctl_log(const struct ctl_options *options);
int ctl_metrics(const struct ctl_options *options);
int ctl_mode(const struct ctl_options *options);
int ctl_receive(const struct ctl_options *options);
int ctl_remove(const struct ctl_options *options);
int ctl_rollback(const struct ctl_options *options);
int ctl_selftest(const struct ctl_options *options);
int ctl_send(const struct ctl_options *options);
int ctl_status(const struct ctl_options *options);
int ctl_trace(const struct ctl_options *options);
int ctl_upgrade(const struct ctl_options *options);

/* Prints a message on stderr, by show_text(); returns `code`. */
int ctl_fail(int code, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The exit code for a -errno of the library. */
int ctl_code(int ret);

/* Prints a sentence of the library; returns the exit code for its -errno. */
int ctl_refused(int ret, const struct error *err);

/* The store of the VARS file and journal on the command line. */
struct store_config ctl_config(const struct ctl_options *options);

/* Copies the image of a point in time, or of now.  The caller frees it. */
int ctl_image(const struct reader *reader, bool past, uint64_t sequence,
	      uint8_t **image, struct error *err);

/*
 * Reads a template of at most STORE_MAX_SIZE bytes, or the variables of a
 * padded or whole image, which it prints.  CTL_OK, or CTL_FILE after a message.
 * The caller frees *bytes.
 */
int ctl_load(const char *path, uint8_t **bytes, size_t *size);

/*
 * Replaces the image of the VARS file, a point in the history, also if the
 * files do not agree.  CTL_OK, or another exit code after a message.
 */
int ctl_replace(const struct ctl_options *options, const uint8_t *image,
		size_t size);

/* The same by store_rescue(); prints the names of the files that are kept. */
int ctl_rescue(const struct ctl_options *options, const uint8_t *image,
	       size_t size);

/* CTL_OK, or another exit code after a message: the file is in use. */
int ctl_check_unused(const struct ctl_options *options);

/* True if the path leads to a block device. */
bool ctl_is_device(const char *path);

/* Prints a path as a word for the shell, with text_word(). */
void ctl_print_word(const char *path);

/*
 * CTL_OK, or CTL_FILE with the sentence about the image: it is a file of
 * another kind, or, with `contents`, a flash that has lost all contents.
 */
int ctl_check_kind(const struct ctl_options *options, const uint8_t *image,
		   size_t size, bool contents);

/* Prints a line for each finding: severity, code and sentence. */
void ctl_print_findings(const struct fv_report *report);

/*
 * Prints the command that repairs the files, and another one if the files can
 * mean two things.  `reader` is NULL, or of reader_open_rescue(), which has not
 * returned 0.
 */
void ctl_advise(const struct ctl_options *options, const struct reader *reader);

/*
 * If the file itself has the variables, with padding or code behind them,
 * prints the command that makes a VARS file of it.  False: it has not.
 */
bool ctl_advise_template(const struct ctl_options *options);

/* Formats nanoseconds since 1970 as local time. */
void ctl_format_time(uint64_t ns, char *text, size_t room);

/*
 * The name of a variable, which ends with "..." if it has more than 255 bytes.
 * A guest has chosen it: print it with show_text().
 */
#define CTL_NAME_SIZE (256 + 3)
void ctl_name(const struct variable *variable, char text[CTL_NAME_SIZE]);

/*
 * Prints the line of a variable that differs, with its sign and without an
 * indent: its sizes, and if something is known about the change, its
 * description.  `old` is NULL for an added variable, `new` for a removed one.
 */
void ctl_print_change(enum effective_change change, const struct variable *old,
		      const struct variable *new);

#endif
