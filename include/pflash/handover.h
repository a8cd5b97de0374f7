/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The handover record: the data that a process leaves to the next process that
 * serves the guest.  The next process continues after the last completed
 * access, also in the middle of a request.  docs/format.md, "The handover
 * record", specifies the record as a stream of sections.
 *
 * The process writes the record in place, in memory that outlives it, and
 * struct handover is a valid stream at every moment.  A process can die between
 * any two instructions.  So the record has two states, and the number `turn`,
 * which is stored last, selects the valid one.
 *
 * The caller provides the memory and its file name; this module makes no system
 * call.  Sizes are in bytes.
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
/* Largest payload of an open burst: store_config.burst_limit. */
#define HANDOVER_BURST_LIMIT (64u << 10)

/* Memory for a record: whole pages. */
#define HANDOVER_SIZE (23u * 4096u)

/* The largest record that a reader accepts, of any version. */
#define HANDOVER_MOST (1u << 20)

/* A reader may skip an unknown section whose type has this bit. */
#define HANDOVER_OPTIONAL 0x80000000u

/* Section types. */
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
	HANDOVER_TRAIL = 11,  /* with HANDOVER_OPTIONAL */
};

struct handover_section {
	uint32_t type;
	uint32_t length; /* of the value; padded to a multiple of 8 */
};

/* The state of chip and store between two accesses. */
struct handover_state {
	struct handover_section state_section;
	uint64_t request;  /* number of the request in progress */
	uint32_t progress; /* completed accesses of that request */
	uint32_t changes;  /* the chip's, for cfi_save_again() */
	struct store_open_burst burst;

	struct handover_section chip_section;
	uint8_t chip[CFI_STATE_MAX];
};

/* handover.attached; 0: no flash is attached */
#define HANDOVER_ATTACHED 1u
#define HANDOVER_SAVED 2u /* device_save() has closed the files */

/*
 * handover.mode, bits.  A process that takes over during a change of the mode
 * completes the change to trap mode and unpauses the guest.
 */
#define HANDOVER_DIRECT 1u   /* direct mode, now or after the firmware starts */
#define HANDOVER_CHANGING 2u /* the mode is being changed */
#define HANDOVER_PAUSED 4u   /* paused for the change, or will be paused next */

/* While `attached` is 0, the other values are not valid. */
struct handover {
	char magic[8];
	uint32_t version;
	uint32_t length; /* of the stream, bytes */

	struct handover_section flash_section;
	uint32_t attached;
	uint32_t server; /* the ioreq server's id */
	uint64_t base;   /* of the flash */
	uint32_t size;   /* of the flash */
	uint32_t mode;
	/* 0: window_use_memory() must still be called; 1: no, or done */
	uint32_t window_ready;
	uint32_t flash_reserved;

	struct handover_section incarnation_section;
	char incarnation[STORE_TAG_SIZE];

	struct handover_section vars_section;
	char vars[1024]; /* path of the VARS file, or its beginning */

	struct handover_section request_section;
	uint64_t turn;    /* state[turn % 2] is valid */
	uint64_t request; /* number of the request that began last */
	uint32_t vcpu;    /* the vCPU of that request, + 1; 0: it has ended */
	uint32_t request_reserved;

	struct handover_state state[2];

	struct handover_section burst_section;
	uint8_t burst[STORE_BURST_ROOM(HANDOVER_BURST_LIMIT)];

	struct handover_section counts_section;
	uint64_t takeovers; /* number of times that the flash was taken over */

	struct handover_section trail_section;
	struct store_trail trail;

	struct handover_section end_section;
};

/*
 * Makes an empty record (nothing attached) in `memory`: HANDOVER_SIZE bytes,
 * zeroed and page-aligned.  *out points to that memory, which stays the
 * caller's.
 */
void handover_make(struct handover **out, void *memory);

/*
 * Loads the record of an earlier process, perhaps of another version, into
 * `to`, a new record of handover_make().  The bytes are not trusted: any
 * contents are safe, but they must not change during the call.
 *
 * 1: a flash of this incarnation is attached, and `to` has its data.  0:
 * nothing is attached, or it belongs to another incarnation.  -EINVAL and sets
 * *err: the record is damaged, or this program does not support it.  Unless the
 * result is 1, `to` is empty again.
 */
int handover_load(struct handover *to, const void *bytes, size_t size,
		  const char *incarnation, struct error *err);

/*
 * -EINVAL: the flash of the record is attached with another VARS file than
 * `path`, a name as in struct files.
 */
int handover_check_vars(const struct handover *record, const char *path,
			struct error *err);

/*
 * A compiler barrier: a process that dies has made the stores before it, and
 * none after it.  Another process reads the record only after this one's death,
 * so no CPU barrier is needed.
 */
#define HANDOVER_ORDER() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/*
 * The state to fill, which is not valid yet.  handover_turn() makes it the
 * valid one.
 */
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

/* The valid state. */
static inline const struct handover_state *
handover_now(const struct handover *record)
{
	return &record->state[record->turn % 2];
}

/*
 * Call handover_begin() when the slot is INPROCESS, handover_end() when it is
 * IORESP_READY.
 */
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
 * A record, and the chip and store whose state is written to it; all borrowed.
 * The server uses it to note requests and accesses.
 */
struct handover_writer {
	struct handover *record;
	const struct cfi *chip; /* NULL: note only the requests */
	const struct store *store;
};

/*
 * Writes the state of chip and store.  `accesses` is the number of completed
 * accesses of the request in progress; 0 between two requests.
 */
void handover_write(const struct handover_writer *writer, uint32_t accesses);

/*
 * The completed accesses of the request in progress of this vCPU, whose slot is
 * INPROCESS; 0: the record has no request of this vCPU in progress.
 */
uint32_t handover_progress(const struct handover *record, unsigned int vcpu);

/* The completed accesses of the request in progress; 0: there is none. */
uint32_t handover_under_way(const struct handover *record);

#endif
