/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control protocol of a running pflashd, used by pflashctl.  CONTROL SOCKET
 * in pflashd(8) describes the part that other programs may use.
 *
 * The pflashd of domain ID listens on the stream socket PFLASH_RUN_DIR/ID.sock.
 * A client sends one line and gets one JSON object, the status with the members
 * below; STATUS_ERROR says why a command failed.  A client ignores members that
 * it does not know.
 *
 * The supervisor answers, a process of root: SO_PEERCRED has its pid.  It knows
 * the first group of members by itself.  Its worker reports the second group,
 * and a hostile guest may control the worker.
 */
#ifndef PFLASH_CONTROL_H
#define PFLASH_CONTROL_H

#define PFLASH_RUN_DIR "/run/pflashd"

#define CONTROL_LINE 128     /* longest line without its newline, bytes */
#define CONTROL_ANSWER 16384 /* longest answer, bytes */

/* The lines.  A client that sends nothing gets the status after a delay. */
#define CONTROL_STATUS "status"
#define CONTROL_MODE "mode " /* followed by "direct" or "trap" */
#define CONTROL_UPGRADE "upgrade"
/*
 * Starts a trace (pflash/trace.h), which is sent instead of the answer; it
 * begins with '#', and the status of a refusal with '{'.  The client ends it by
 * shutdown(2) of its sending side, and gets the last line; another client ends
 * it by CONTROL_TRACE_STOP.
 */
#define CONTROL_TRACE "trace"
#define CONTROL_TRACE_STOP "trace stop"

/* Known by the supervisor. */
#define STATUS_DOMAIN "domain"   /* number: the domain's id */
#define STATUS_NAME "name"       /* string: the domain's name */
#define STATUS_PID "pid"         /* number: pid of the supervisor */
#define STATUS_WORKER "worker"   /* number: pid of the worker, 0: none */
#define STATUS_VERSION "version" /* string: version of pflashd */
/* string: starting, running, waiting (for the next worker), failed, stopping */
#define STATUS_STATE "state"
#define STATUS_RESTARTS "restarts" /* number: restarts of the worker */
#define STATUS_VARS "vars"         /* string: path of the VARS file */
/* string: path of the journal; "" if it is VARS.journal, or on the device */
#define STATUS_JOURNAL "journal"
#define STATUS_QUEUED "queued"     /* number: lists for the next start */
/*
 * string: the mode in effect: variable, burst, op or none; and if it is burst
 * instead of variable, the reason
 */
#define STATUS_SYNC "sync"
#define STATUS_SYNC_REASON "sync-reason"
#define STATUS_PERSONALITY "personality" /* string: name of the chip */
#define STATUS_SANDBOX "sandbox"         /* string: none, basic or full */
#define STATUS_TRACE "trace"             /* string: off, file or client */
/* string: why the command failed; the member is missing if it succeeded */
#define STATUS_ERROR "error"

/* Reported by the worker. */
#define STATUS_BASE "base"         /* number: guest address of the flash */
#define STATUS_SIZE "size"         /* number: bytes */
#define STATUS_MODE "mode"         /* string: direct or trap */
#define STATUS_SINCE "since"       /* number: attached, s since 1970 */
#define STATUS_REQUESTS "requests" /* number: ioreqs answered */
#define STATUS_READS "reads"       /* number: read accesses in them */
#define STATUS_WRITES "writes"     /* number: write accesses in them */
#define STATUS_BURSTS "bursts"     /* number: bursts committed */
#define STATUS_CHECKPOINTS "checkpoints" /* number: checkpoints written */
#define STATUS_SYNCS "syncs"             /* number: calls of fdatasync(2) */
/* number: bursts that would have changed a pinned variable */
#define STATUS_REFUSED "refused"
#define STATUS_WRITTEN "written" /* number: bytes written to disk */
/* number: how often, and for how many seconds, the write limit delayed it */
#define STATUS_THROTTLED "throttled"
#define STATUS_THROTTLED_SECONDS "throttled-seconds"
#define STATUS_ERRORS "errors"       /* number: 1: a write error, read-only */
#define STATUS_TAKEOVERS "takeovers" /* number: workers that took over */
/* number: accesses in the trace that runs or ran last, and those it lost */
#define STATUS_TRACED "traced"
#define STATUS_TRACE_LOST "trace-lost"
#define STATUS_FAILURE "failure" /* string: the write error, or "" */

#endif
