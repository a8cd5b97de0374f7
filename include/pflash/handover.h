/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The handover record: what a process that serves a guest leaves to the next
 * one, which goes on where it ended or died, be it in the middle of a request.
 * docs/format.md, "The handover record", specifies it as a stream of sections.
 *
 * It is written in place, in memory that outlives the process: struct handover
 * is a valid stream at any moment.  A process can die between any two
 * instructions; what it had stored by then is there.  So the state is there
 * twice, and one number, which is stored last, says which of the two counts.
 *
 * Where that memory comes from, and which name it has, is the caller's affair:
 * nothing here calls the system.
 */
#ifndef PFLASH_HANDOVER_H
#define PFLASH_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/cfi.h"
#include "pflash/error.h"
#include "pflash/store.h"

#define HANDOVER_MAGIC "PFLASHHO"
#define HANDOVER_VERSION 1u
#define HANDOVER_BURST_LIMIT (64u << 10)

/* Bytes of memory for a record, in whole pages. */
#define HANDOVER_SIZE (22u * 4096u)

/* No record of any version has more bytes. */
#define HANDOVER_MOST (1u << 20)

/* Section types.  A reader may skip a section that it does not know if: */
#define HANDOVER_OPTIONAL 0x80000000u

enum {
	HANDOVER_END = 0,
	HANDOVER_FLASH = 1,
	HANDOVER_INCARNATION = 2,
	HANDOVER_VARS = 3,
	HANDOVER_REQUEST = 4,
	HANDOVER_STATE_0 = 5,
	HANDOVER_CHIP_0 = 6,
	HANDOVER_STATE_1 = 7,
	HANDOVER_CHIP_1 = 8,
	HANDOVER_BURST = 9,
	HANDOVER_COUNTS = 10, /* with HANDOVER_OPTIONAL */
};

struct handover_section {
	uint32_t type;
	uint32_t length; /* of the value; the next one begins at 8 bytes */
};

/* The state between two accesses. */
struct handover_state {
	struct handover_section state_section;
	uint64_t request;  /* its number, while it was under way */
	uint32_t progress; /* accesses of that request that were done */
	uint32_t changes;  /* for cfi_save_again() */
	struct store_open_burst burst;

	struct handover_section chip_section;
	uint8_t chip[CFI_STATE_MAX];
};

/* struct handover, `attached` */
#define HANDOVER_ATTACHED 1u
#define HANDOVER_SAVED 2u /* device_save() has let go of the file */

/*
 * struct handover, `mode`.  It is changed while the guest is paused, and what
 * is in between is undone by the process that takes over there.
 */
#define HANDOVER_DIRECT 1u   /* now, or when the firmware starts */
#define HANDOVER_CHANGING 2u /* from one mode to the other */
#define HANDOVER_PAUSED 4u   /* the guest, for that, or it is about to be */

/* Nothing else counts while `attached` is 0. */
struct handover {
	char magic[8];
	uint32_t version;
	uint32_t length; /* of the stream */

	struct handover_section flash_section;
	uint32_t attached;
	uint32_t server; /* the ioreq server's id */
	uint64_t base;   /* of the flash */
	uint32_t size;
	uint32_t mode;
	uint32_t taken; /* the window is there (device_config.after_loader) */
	uint32_t flash_reserved;

	struct handover_section incarnation_section;
	char incarnation[STORE_TAG_SIZE];

	struct handover_section vars_section;
	char vars[1024]; /* path of the VARS file, or its beginning */

	struct handover_section request_section;
	uint64_t turn;    /* state[turn % 2] counts */
	uint64_t request; /* the number of the request under way */
	uint32_t vcpu;    /* whose it is, + 1; or 0 */
	uint32_t request_reserved;

	struct handover_state state[2];

	struct handover_section burst_section;
	uint8_t burst[STORE_BURST_ROOM(HANDOVER_BURST_LIMIT)];

	struct handover_section counts_section;
	uint64_t takeovers; /* by a process from the one before */

	struct handover_section end_section;
};

/*
 * Lays out a record with nothing attached in HANDOVER_SIZE bytes of memory,
 * which are zero and begin at a page.  *out is that memory, and no more: it is
 * not freed.
 */
void handover_make(struct handover **out, void *memory);

/*
 * Reads the record that an earlier process, perhaps of another version, has
 * left.  Whatever these bytes are, nothing outside of them is read; they must
 * not change meanwhile.  `to` was made by handover_make() a moment ago.
 *
 * 1: a flash of this incarnation is attached, and `to` has it all.  0: none is, or one
 * of another incarnation.  -EINVAL: the record is damaged, or this program cannot go
 * on with it.  But for 1, `to` has nothing attached.
 */
int handover_load(struct handover *to, const void *bytes, size_t size,
		  const char *incarnation, struct error *err);

/* Nothing that is done later may be there earlier. */
#define HANDOVER_ORDER() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* The state to fill, and the moment from which it counts. */
static inline struct handover_state *
handover_next(struct handover *record)
{
	return &record->state[(record->turn + 1) % 2];
}

static inline void
handover_turn(struct handover *record)
{
	HANDOVER_ORDER();
	__atomic_store_n(&record->turn, record->turn + 1, __ATOMIC_RELEASE);
	HANDOVER_ORDER();
}

static inline const struct handover_state *
handover_now(const struct handover *record)
{
	return &record->state[record->turn % 2];
}

/* A request of a vCPU begins and, once its answer can be seen, has ended. */
static inline void
handover_begin(struct handover *record, unsigned int vcpu)
{
	__atomic_store_n(&record->request, record->request + 1,
			 __ATOMIC_RELEASE);
	__atomic_store_n(&record->vcpu, vcpu + 1, __ATOMIC_RELEASE);
	HANDOVER_ORDER();
}

static inline void
handover_end(struct handover *record)
{
	__atomic_store_n(&record->vcpu, 0, __ATOMIC_RELEASE);
}

/*
 * A record and the state that goes into it; all are borrowed.  The server marks
 * with it the begin and end of each request, and its accesses.
 */
struct handover_writer {
	struct handover *record;
	const struct cfi *chip; /* NULL: there is no flash, only requests */
	const struct store *store;
};

/*
 * Writes the state of chip and store after this many accesses of the request
 * under way, or between two requests.
 */
void handover_write(const struct handover_writer *writer, uint32_t accesses);

/* Of the request that this vCPU's slot shows as under way: accesses done. */
uint32_t handover_progress(const struct handover *record, unsigned int vcpu);

/* The same of whichever request is under way; 0 if there is none. */
uint32_t handover_under_way(const struct handover *record);

#endif
