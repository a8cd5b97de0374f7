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
	EXIT_RUNTIME = 1, /* failure while running, or no resources */
	EXIT_USAGE = 2,   /* the command line */
	EXIT_FILE = 3,    /* VARS, journal, template or code was refused */
	EXIT_BUSY = 4,    /* another process has locked the VARS file */
	EXIT_DOMAIN = 5,  /* the domain, or an error of Xen */
};

enum options_log {
	OPTIONS_LOG_DEFAULT, /* stderr in the foreground, else syslog */
	OPTIONS_LOG_STDERR,
	OPTIONS_LOG_SYSLOG,
};

/* The firmware of a PVH guest. */
enum options_code {
	OPTIONS_CODE_AUTO, /* from the guest's memory */
	OPTIONS_CODE_FILE,
	OPTIONS_CODE_NONE,
};

/* The type of the guest that does not exist yet, of --check-start. */
enum options_check {
	OPTIONS_CHECK_NONE,
	OPTIONS_CHECK_PVH,
	OPTIONS_CHECK_HVM,
};

struct options {
	const char *domain; /* id or name */
	const char *config; /* file or directory; NULL: none */
	char *config_text;  /* the values from that file point into it */
	const char *vars;
	const char *journal;            /* NULL: beside it */
	const char *template;           /* NULL: none */
	const struct fv_layout *layout; /* NULL: none */
	enum options_code code_from;
	const char *code;     /* the path of OPTIONS_CODE_FILE; else NULL */
	const char *trace;    /* NULL: none */
	const char *lease;    /* NULL: none */
	uint64_t trace_limit; /* bytes */
	uint64_t base;
	bool base_given; /* else the base depends on the size of VARS */
	enum window_mode mode;
	enum store_sync sync;
	uint64_t settle; /* seconds without a write until a checkpoint */
	enum cfi_personality personality;
	uint32_t width;      /* bytes of the bus */
	uint32_t interleave; /* parts; 0: as few as the width allows */
	const char *blocks;  /* geometry_parse() */
	uint64_t partition;  /* bytes; 0: as the personality says */
	int ready_fd;        /* -1: none */
	uint64_t wait;       /* seconds, for another process to unlock VARS */
	bool foreground;
	bool read_only;
	bool force;        /* attach an image that the check refuses */
	bool compact;      /* compact the variable store, if that is due */
	bool pause;        /* pause the guest, if a change cannot be stored */
	const char *pin;   /* pins_parse() */
	bool pause_on_pin; /* pause the guest, if a change was refused */
	struct store_history history;
	struct limit_config write_limit;
	uint64_t spin; /* microseconds to poll before sleeping */
	enum options_log log;
	enum sandbox_level sandbox;
	const char *user;      /* of the worker; NULL: a uid of its own */
	unsigned int restarts; /* of the worker, within ten minutes */
	bool check_handover;   /* only check the handover record */
	uint64_t lease_lost;   /* only end that pflashd: its pid */
	enum options_check check_start; /* only check the files */
	/* Fetches the flash of a guest that arrives; NULL: none. */
	const char *incoming;
	bool fetch; /* only fetch it */
	bool help, version;
};

/*
 * Finds the name of the guest that --domain gives by name or id.  The caller
 * frees *name.  -errno with a sentence.
 */
typedef int options_find_name(void *opaque, const char *domain, char **name,
			      struct error *err);

/*
 * Reads the command line, and the file of --config for options that the command
 * line does not give.  Calls find_name() only if the guest's name is needed:
 * --config gives a directory, or %n is in a value.  EXIT_OK, or an exit code
 * with a sentence: EXIT_DOMAIN if find_name() returned -ESRCH, EXIT_FILE if the
 * name is refused.  options_free() is due in any case.
 */
int options_parse(struct options *options, int argc, char **argv,
		  options_find_name *find_name, void *opaque,
		  struct error *err);
void options_free(struct options *options);
void options_help(void);

/*
 * True if the log goes to syslog(3) as soon as the flash is attached.  Before
 * that, errors go to standard error.
 */
bool options_want_syslog(const struct options *options);

/* The words of the command line for these settings. */
const char *options_sync_name(const struct options *options);
const char *options_personality_name(const struct options *options);

#endif
