/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of pflashd; pflashd(8) describes it. */
#ifndef PFLASHD_OPTIONS_H
#define PFLASHD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "limit.h"
#include "pflash/cfi.h"
#include "pflash/error.h"
#include "pflash/fv.h"
#include "pflash/store.h"
#include "pflash/window.h"
#include "worker/sandbox.h"

/* Exit codes, documented in pflashd(8). */
enum {
	EXIT_OK = 0,
	EXIT_RUNTIME = 1, /* failed while it ran, or out of resources */
	EXIT_USAGE = 2,   /* the command line */
	EXIT_FILE = 3,    /* VARS, journal, template or code was refused */
	EXIT_BUSY = 4,    /* another process has the VARS file */
	EXIT_DOMAIN = 5,  /* the domain, or what Xen said about it */
};

enum options_log {
	OPTIONS_LOG_DEFAULT, /* stderr in the foreground, else syslog */
	OPTIONS_LOG_STDERR,
	OPTIONS_LOG_SYSLOG,
};

struct options {
	const char *domain; /* id or name */
	const char *config; /* file or directory; NULL: none */
	char *config_text;  /* what came from there points into it */
	const char *vars;
	const char *journal;            /* NULL: beside it */
	const char *template;           /* NULL: none */
	const struct fv_layout *layout; /* NULL: none */
	const char *code;               /* NULL: none */
	uint64_t base;
	bool base_given; /* else it goes by the size of VARS */
	enum window_mode mode;
	enum store_sync sync;
	enum cfi_personality personality;
	uint32_t width;      /* bytes of the bus */
	uint32_t interleave; /* parts; 0: as few as the width allows */
	const char *blocks;  /* geometry_parse() */
	int ready_fd;        /* -1: none */
	uint64_t wait;       /* seconds for another process to end */
	bool foreground;
	bool read_only;
	bool force;   /* what the check of the image says is not heeded */
	bool compact; /* the variable store, when it is due */
	bool pause;   /* the guest, when its changes can't be kept */
	struct store_history history;
	struct limit_config write_limit;
	uint64_t spin; /* microseconds; ioreq_server_set_poll_budget() */
	enum options_log log;
	enum sandbox_level sandbox;
	const char *user;      /* of the worker; NULL: a uid of its own */
	unsigned int restarts; /* of the worker, within ten minutes */
	bool check_handover;   /* only say whether the flash could go on */
	bool help, version;
};

/*
 * Finds the name, malloc()ed, of the guest that --domain gives by name or id;
 * -errno with a sentence.
 */
typedef int options_find_name(void *opaque, const char *domain, char **name,
			      struct error *err);

/*
 * The command line, and behind it what the file of --config says.  `find_name`
 * is called only if the guest's name is needed: --config gives a directory, or
 * %n is in a value.  EXIT_OK, or an exit code with a sentence: EXIT_DOMAIN
 * if find_name() said -ESRCH, EXIT_FILE if its name is refused.
 * options_free() it in any case.
 */
int options_parse(struct options *options, int argc, char **argv,
		  options_find_name *find_name, void *opaque,
		  struct error *err);
void options_free(struct options *options);
void options_help(void);

/* Until the flash is attached, what goes wrong is said on standard error. */
bool options_want_syslog(const struct options *options);

/* As on the command line. */
const char *options_sync_name(const struct options *options);
const char *options_personality_name(const struct options *options);

#endif
