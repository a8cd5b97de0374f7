/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a pflashd listens, PFLASH_RUN_DIR/ID.sock with the id of its domain,
 * for one line, and answers with one JSON object with these members.  A reader
 * ignores members it does not know.
 *
 * The supervisor of pflashd answers, root's process: SO_PEERCRED of the
 * connection is its own.  The members of the first group are the supervisor's
 * knowledge; those of the second are what its worker claims, which a hostile
 * guest may have in its hands.
 */
#ifndef PFLASH_CONTROL_H
#define PFLASH_CONTROL_H

#define PFLASH_RUN_DIR "/run/pflashd"

#define CONTROL_LINE 128     /* longest line, without its end */
#define CONTROL_ANSWER 16384 /* longest answer, bytes */

/* The lines; a client that sends none gets the status a little later. */
#define CONTROL_STATUS "status"
#define CONTROL_MODE "mode " /* and "direct" or "trap" */
#define CONTROL_UPGRADE "upgrade"

#define STATUS_DOMAIN "domain"   /* number: its id */
#define STATUS_NAME "name"       /* string: of the domain */
#define STATUS_PID "pid"         /* number: of pflashd, its supervisor */
#define STATUS_WORKER "worker"   /* number: pid of the worker, 0: none */
#define STATUS_VERSION "version" /* string: of pflashd */
#define STATUS_STATE "state" /* string: starting, running, waiting (for the */
/* next worker), failed, stopping */
#define STATUS_RESTARTS "restarts"       /* number: of the worker */
#define STATUS_VARS "vars"               /* string: path of the VARS file */
#define STATUS_SYNC "sync"               /* string: burst, op or none */
#define STATUS_PERSONALITY "personality" /* string */
#define STATUS_SANDBOX "sandbox"         /* string: none, basic or full */
#define STATUS_ERROR "error" /* string: why that was not done; or missing */

#define STATUS_BASE "base"               /* number: address of the flash */
#define STATUS_SIZE "size"               /* number: bytes */
#define STATUS_MODE "mode"               /* string: direct or trap */
#define STATUS_SINCE "since"             /* number: seconds since 1970 */
#define STATUS_REQUESTS "requests"       /* number: answered */
#define STATUS_READS "reads"             /* number: of these */
#define STATUS_WRITES "writes"           /* number: of these */
#define STATUS_BURSTS "bursts"           /* number: committed */
#define STATUS_CHECKPOINTS "checkpoints" /* number */
#define STATUS_WRITTEN "written"         /* number: bytes, to the disk */
#define STATUS_THROTTLED "throttled" /* number: times it was over the limit */
/* number: for how long, in all */
#define STATUS_THROTTLED_SECONDS "throttled-seconds"
#define STATUS_ERRORS "errors"       /* number: 1 if read-only by failure */
#define STATUS_TAKEOVERS "takeovers" /* number: by another worker */
#define STATUS_FAILURE "failure"     /* string: why, or "" */

#endif
