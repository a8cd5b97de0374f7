/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where pflashd listens for one line, and what it says then: one JSON object
 * with these members.  A reader ignores members it does not know.
 */
#ifndef PFLASH_CONTROL_H
#define PFLASH_CONTROL_H

#define PFLASH_RUN_DIR "/run/pflashd"

/* The lines; whoever sends none gets the status a little later. */
#define CONTROL_STATUS "status"
#define CONTROL_MODE "mode " /* and "direct" or "trap" */

#define STATUS_DOMAIN "domain"           /* number: its id */
#define STATUS_NAME "name"               /* string: of the domain */
#define STATUS_PID "pid"                 /* number: of pflashd */
#define STATUS_VERSION "version"         /* string: of pflashd */
#define STATUS_VARS "vars"               /* string: path of the VARS file */
#define STATUS_BASE "base"               /* number: address of the flash */
#define STATUS_SIZE "size"               /* number: bytes */
#define STATUS_MODE "mode"               /* string: direct or trap */
#define STATUS_SYNC "sync"               /* string: burst, op or none */
#define STATUS_PERSONALITY "personality" /* string */
#define STATUS_SANDBOX "sandbox"         /* string: none, basic or full */
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
#define STATUS_TAKEOVERS "takeovers" /* number: by another process */
#define STATUS_FAILURE "failure"     /* string: why, or "" */
#define STATUS_ERROR "error" /* string: why that was not done; or missing */

#endif
