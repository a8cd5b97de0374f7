/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The probes of the provider `pflashd`, for bpftrace, SystemTap and perf;
 * docs/observability.md describes them for their users.  A probe is a nop
 * instruction, and a note of the ELF file that says where its arguments are.
 * The Makefile defines PFLASH_PROBES if sys/sdt.h is there (Debian's package
 * systemtap-sdt-dev); without it, the macros are empty.
 *
 * Arguments are variables or members that are at hand: a probe must not make
 * the code compute anything.
 */
#ifndef PFLASH_PROBE_H
#define PFLASH_PROBE_H

#ifdef PFLASH_PROBES

#include <sys/sdt.h>

/* An access of the guest, before it takes effect; writes: 0 or 1. */
#define PROBE_REQUEST(offset, size, writes)                                    \
	DTRACE_PROBE3(pflashd, request, offset, size, writes)
/* Direct mode: the frames show another view of this range. */
#define PROBE_VIEW(offset, length)                                             \
	DTRACE_PROBE2(pflashd, view, offset, length)
/* A burst is written to the journal and, if that is due, made durable. */
#define PROBE_COMMIT_BEGIN(bytes) DTRACE_PROBE1(pflashd, commit_begin, bytes)
#define PROBE_COMMIT(sequence, bytes, result)                                  \
	DTRACE_PROBE3(pflashd, commit, sequence, bytes, result)
/* The journal is made durable. */
#define PROBE_SYNC_BEGIN() DTRACE_PROBE(pflashd, sync_begin)
#define PROBE_SYNC(sequence, result)                                           \
	DTRACE_PROBE2(pflashd, sync, sequence, result)
/* The journal's bursts are written to VARS. */
#define PROBE_CHECKPOINT_BEGIN() DTRACE_PROBE(pflashd, checkpoint_begin)
#define PROBE_CHECKPOINT(sequence, result)                                     \
	DTRACE_PROBE2(pflashd, checkpoint, sequence, result)

#else

#define PROBE_REQUEST(offset, size, writes) ((void)0)
#define PROBE_VIEW(offset, length) ((void)0)
#define PROBE_COMMIT_BEGIN(bytes) ((void)0)
#define PROBE_COMMIT(sequence, bytes, result) ((void)0)
#define PROBE_SYNC_BEGIN() ((void)0)
#define PROBE_SYNC(sequence, result) ((void)0)
#define PROBE_CHECKPOINT_BEGIN() ((void)0)
#define PROBE_CHECKPOINT(sequence, result) ((void)0)

#endif

#endif
