/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What outlives the process that serves a guest, so that the next one goes on
 * where it died, be it in the middle of a request: a small file that both map,
 * on a file system in memory.  docs/format.md, "The live file", specifies it.
 *
 * A process can die between any two instructions; what it had stored by then
 * is there.  So the state is there twice, and one number, which is stored
 * last, says which of the two counts.
 */
#ifndef PFLASH_LIVE_H
#define PFLASH_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "pflash/cfi.h"
#include "pflash/error.h"
#include "pflash/store.h"

#define LIVE_MAGIC "PFLASHL1"
#define LIVE_BURST_LIMIT (64u << 10)

/* What was true between two accesses. */
struct live_state {
	uint64_t request;  /* its number, while it was under way */
	uint32_t progress; /* accesses of that request that were done */
	uint32_t changes;  /* for cfi_save_again() */
	struct store_open_burst burst;
	uint8_t chip[CFI_STATE_MAX];
};

/* struct live, `attached` */
#define LIVE_ATTACHED 1u
#define LIVE_SAVED 2u /* device_save() has let go of the file */

/*
 * struct live, `owns`.  The mode is changed while the guest is paused, and what
 * is in between is undone by whoever goes on there.
 */
#define LIVE_OWNS 1u    /* direct mode, now or when the firmware starts */
#define LIVE_BETWEEN 2u /* the two modes */
#define LIVE_PAUSED 4u  /* the guest, for that, or it is about to be */

/* Nothing but `magic` and `attached` counts while `attached` is 0. */
struct live {
	char magic[8];
	uint32_t attached;
	uint32_t server; /* the ioreq server's id */
	char life[STORE_TAG_SIZE];
	char vars[1024]; /* path of the VARS file, or its beginning */
	uint64_t base;   /* of the flash */
	uint32_t size;
	uint32_t owns;    /* and what is done to it */
	uint32_t taken;   /* the window is there (device_config.after_loader) */
	uint32_t vcpu;    /* whose request is under way, + 1; or 0 */
	uint64_t request; /* its number */
	uint64_t turn;    /* state[turn % 2] counts */
	uint64_t takeovers; /* by a process from the one before */
	struct live_state state[2];
	uint8_t burst[STORE_BURST_ROOM(LIVE_BURST_LIMIT)];
};

/*
 * Maps the file, which is made if there is none, and locks it; all of its
 * memory is taken at once.  One that is not `life`'s is begun anew.  Returns
 * the descriptor that has the lock.  -EBUSY: another process has it; -EINVAL:
 * it is of another version; or the -errno of a system call.
 */
int live_open(struct live **out, const char *path, const char *life,
	      struct error *err);
void live_close(struct live *live, int fd);

/* Nothing that is done later may be there earlier. */
#define LIVE_ORDER() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* The state to fill, and the moment from which it counts. */
static inline struct live_state *
live_next(struct live *live)
{
	return &live->state[(live->turn + 1) % 2];
}

static inline void
live_turn(struct live *live)
{
	LIVE_ORDER();
	__atomic_store_n(&live->turn, live->turn + 1, __ATOMIC_RELEASE);
	LIVE_ORDER();
}

static inline const struct live_state *
live_now(const struct live *live)
{
	return &live->state[live->turn % 2];
}

/* A request of a vCPU begins and, once its answer can be seen, has ended. */
static inline void
live_begin(struct live *live, unsigned int vcpu)
{
	__atomic_store_n(&live->request, live->request + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&live->vcpu, vcpu + 1, __ATOMIC_RELEASE);
	LIVE_ORDER();
}

static inline void
live_end(struct live *live)
{
	__atomic_store_n(&live->vcpu, 0, __ATOMIC_RELEASE);
}

/* Of the request that this vCPU's slot shows as under way: accesses done. */
uint32_t live_progress(const struct live *live, unsigned int vcpu);

/* The same of whichever request is under way; 0 if there is none. */
uint32_t live_under_way(const struct live *live);

#endif
