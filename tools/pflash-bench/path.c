/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole path of an access in pflashd's worker, from a request in the shared
 * page to the journal.  The hypervisor is simulated.  The path leaves out its
 * event channels, whose cost is that of the simulation.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../common/null_region.h"
#include "bench.h"
#include "pflash/device.h"
#include "pflash/sim.h"

#define FLASH_TOP (UINT64_C(1) << 32)

/* The defaults of pflashd: --mode auto is direct here, and --sync. */
#define DEFAULT_MODE WINDOW_DIRECT
#define DEFAULT_SYNC STORE_SYNC_VARIABLE

struct settings {
	enum store_sync sync;
	enum window_mode mode;
	bool unsynced; /* syncs return at once */
};

struct path {
	struct sim *sim;
	struct transport_ops ops;
	struct ioreq *slot;
	uint64_t base;
	struct ioreq_server *server;
	struct device *device;
	struct store *store;
	struct handover *handover;
};

static int
no_event(struct transport *t)
{
	(void)t;
	return -EAGAIN;
}

static int
no_notice(struct transport *t, int port)
{
	(void)t, (void)port;
	return 0;
}

static int
path_start(struct path *path, uint32_t size, struct error *err)
{
	const struct sim_config config = { .spare_frames = size / FRAME_SIZE };
	struct transport *t;
	int ret = sim_create(&path->sim, &config);

	if (ret < 0)
		return error_errno(err, -ret, "the simulated hypervisor");
	t = sim_transport(path->sim);
	path->ops = *t->ops;
	path->ops.pending = no_event;
	path->ops.notify = no_notice;
	t->ops = &path->ops;
	ret = ioreq_server_open(&path->server, t, err);
	if (ret < 0)
		return ret;
	path->base = FLASH_TOP - size;
	path->slot = &t->page->vcpu_ioreq[0];
	return 0;
}

static int
path_store(struct path *path, const char *file, const struct settings *settings,
	   struct error *err)
{
	struct store_config config = {
		.path = file,
		.sync = settings->sync,
		.sys = sys_counting(settings->unsynced),
		.burst_limit = HANDOVER_BURST_LIMIT,
	};
	void *memory;

	memory = mmap(NULL, HANDOVER_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return error_set(err, ENOMEM, "out of memory");
	handover_make(&path->handover, memory);
	config.burst = path->handover->burst;
	return store_open(&path->store, &config, NULL, err);
}

static int
path_attach(struct path *path, uint32_t size, const struct settings *settings,
	    struct error *err)
{
	struct device_config config = {
		.base = path->base,
		.mode = settings->mode,
		.show_busy = settings->sync == STORE_SYNC_OP,
		.incarnation = "pflash-bench",
		.handover = path->handover,
	};
	struct error note;
	int ret = geometry_parse(&config.geometry, size, 1, 0, "4096", err);

	if (ret == 0)
		ret = device_open(&path->device, path->server,
				  sim_transport(path->sim), &config, &note,
				  err);
	return ret == 0 ? device_connect(path->device, path->store, err) : ret;
}

static void
path_close(void *flash)
{
	struct path *path = flash;

	if (path->device)
		device_close(path->device, DEVICE_DISCARD_STATE, NULL);
	if (path->server)
		ioreq_server_close(path->server);
	if (path->sim)
		sim_destroy(path->sim);
	if (path->store)
		store_close(path->store);
	if (path->handover)
		munmap(path->handover, HANDOVER_SIZE);
	free(path);
}

static void *
path_open(const char *file, uint32_t size, const struct settings *settings)
{
	struct path *path = calloc(1, sizeof(*path));
	struct error err;
	int ret = path ? path_start(path, size, &err) : -ENOMEM;

	if (ret == 0)
		ret = path_store(path, file, settings, &err);
	if (ret == 0)
		ret = path_attach(path, size, settings, &err);
	if (ret == 0)
		ret = ioreq_server_start(path->server, &err);
	if (ret == 0)
		return path;
	if (path)
		path_close(path);
	errno = -ret;
	return NULL;
}

/* --- a server that only answers ------------------------------------------- */

static void *
answer_open(const char *file, uint32_t size)
{
	struct path *path = calloc(1, sizeof(*path));
	struct error err;

	(void)file;
	if (!path)
		return NULL;
	if (path_start(path, size, &err) == 0 &&
	    null_region_add(path->server, path->base, size, &err) == 0 &&
	    ioreq_server_start(path->server, &err) == 0)
		return path;
	path_close(path);
	return NULL;
}

/* --- the guest's side ----------------------------------------------------- */

static inline uint64_t
request(struct path *path, uint64_t off, unsigned int size, uint64_t value,
	bool reads)
{
	*path->slot = (struct ioreq){
		.addr = path->base + off,
		.data = value,
		.count = 1,
		.size = size,
		.vp_eport = path->slot->vp_eport,
		.dir = reads ? IOREQ_READ : IOREQ_WRITE,
		.type = IOREQ_TYPE_COPY,
		.state = STATE_IOREQ_READY,
	};
	ioreq_server_poll(path->server);
	path->slot->state = STATE_IOREQ_NONE;
	return path->slot->data;
}

static void
path_write(void *flash, uint64_t off, unsigned int size, uint64_t value)
{
	request(flash, off, size, value, false);
}

static uint64_t
path_read(void *flash, uint64_t off, unsigned int size)
{
	return request(flash, off, size, 0, true);
}

static uint64_t
path_syncs(const void *flash)
{
	(void)flash;
	return syncs.count;
}

/* --- the flashes ---------------------------------------------------------- */

const struct bench_flash path_answer = {
	.name = "a server that only answers",
	.kind = BENCH_CHIP,
	.open = answer_open,
	.write = path_write,
	.read = path_read,
	.close = path_close,
};

#define FLASH(variable, name_, ...)                                            \
	static void *variable##_open(const char *file, uint32_t size)          \
	{                                                                      \
		static const struct settings settings = { __VA_ARGS__ };       \
                                                                               \
		return path_open(file, size, &settings);                       \
	}                                                                      \
                                                                               \
	const struct bench_flash variable = {                                  \
		.name = name_,                                                 \
		.kind = BENCH_FILE,                                            \
		.open = variable##_open,                                       \
		.write = path_write,                                           \
		.read = path_read,                                             \
		.close = path_close,                                           \
		.syncs = path_syncs,                                           \
	}

FLASH(path_default, "pflashd (default)", DEFAULT_SYNC, DEFAULT_MODE, false);
FLASH(path_trap, "pflashd --mode trap", DEFAULT_SYNC, WINDOW_TRAP, false);
FLASH(path_burst, "pflashd --sync burst", STORE_SYNC_BURST, DEFAULT_MODE,
      false);
FLASH(path_op, "pflashd --sync op", STORE_SYNC_OP, DEFAULT_MODE, false);
FLASH(path_none, "pflashd --sync none", STORE_SYNC_NONE, DEFAULT_MODE, false);
FLASH(path_default_unsynced, "pflashd (default)", DEFAULT_SYNC, DEFAULT_MODE,
      true);
FLASH(path_trap_unsynced, "pflashd --mode trap", DEFAULT_SYNC, WINDOW_TRAP,
      true);
