/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "pflash/changes.h"
#include "pflash/device.h"
#include "pflash/pins.h"
#include "pflash/sim.h"
#include "pflash/sys.h"

/* frames of guest RAM, used for copies out of the flash */
#define RAM_FRAMES 65

static struct {
	struct guest_config config;
	struct store *store;
	struct pins *pins;
	struct changes *record; /* the values of the pins at power-on */
	struct sim *sim;
	struct ioreq_server *server;
	struct device *device;
	struct sys sys;
	int error;         /* error of writes to the host's files, or 0 */
	uint64_t cut;      /* accesses until the machine stops, or 0 */
	uint32_t interval; /* accesses between two server replacements, or 0 */
	uint32_t left;     /* accesses before the next replacement */
	uint32_t commits;  /* accesses between two commits, or 0 */
	uint32_t quiet;    /* accesses before the next commit */
} guest;

static ssize_t
sys_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	if (!guest.error)
		return sys_kernel.pwrite(fd, buf, len, off);
	errno = guest.error;
	return -1;
}

/* Does nothing: durability is not tested here. */
static int
sys_sync(int fd)
{
	(void)fd;
	return 0;
}

static void
run_server(void *opaque)
{
	ioreq_server_poll(opaque);
}

static void
must(int ret, const char *what, const struct error *err)
{
	if (ret < 0)
		check_give_up("%s: %s", what, err->text);
}

/* Maps the memory that hooks.c uses at the flash's address. */
static void
map_flash(void)
{
	void *at = (void *)(uintptr_t)guest.config.base;
	void *memory = mmap(at, guest.config.size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			    -1, 0);

	if (memory != at)
		check_give_up("no memory at %p: %s", at, strerror(errno));
	memset(memory, HOOKS_POISON, guest.config.size);
}

/* Returns false if an access that was not announced has written this memory. */
static bool
memory_untouched(void)
{
	const uint8_t *memory = (uint8_t *)(uintptr_t)guest.config.base;

	for (uint32_t i = 0; i < guest.config.size; i++)
		if (memory[i] != HOOKS_POISON)
			return false;
	return true;
}

/*
 * Pins the variables as they are, so that nothing restores a value between two
 * boots.  Older values that a stop has left are dropped, as at pflashd's start.
 */
static void
start_pins(struct error *err)
{
	uint32_t size = store_size(guest.store);
	uint8_t *image = malloc(size);

	if (!image)
		check_give_up("out of memory");
	memcpy(image, store_image(guest.store), size);
	must(pins_start(guest.pins, image, size, err), "pins", err);
	if (store_replace(guest.store, image) < 0 ||
	    store_commit(guest.store) < 0)
		check_give_up("the start's image cannot be stored");
	free(image);
	guest.record = changes_new();
	if (!guest.record)
		check_give_up("out of memory");
	must(pins_save(guest.pins, guest.record, err), "pins", err);
}

/* As a worker that takes over: the record is that of the start. */
static void
continue_pins(struct error *err)
{
	int ret;

	must(pins_load(guest.pins, guest.record, err), "pins", err);
	ret = pins_continue(guest.pins, store_image(guest.store),
			    store_size(guest.store), err);
	must(ret, "pins", err);
	check_that(ret == 0, "a new server does not accept the variables");
}

static void
open_store(struct error *err)
{
	struct store_config config = {
		.path = guest.config.vars,
		.sync = guest.config.sync,
		.on_refusal = guest.config.on_refusal,
		.sys = &guest.sys,
	};

	guest.sys = sys_kernel;
	guest.sys.pwrite = sys_pwrite;
	guest.sys.fdatasync = sys_sync;
	guest.sys.fsync = sys_sync;
	if (guest.config.pins)
		must(pins_parse(&guest.pins, guest.config.pins, err), "pins",
		     err);
	config.pins = guest.pins;
	must(store_open(&guest.store, &config, NULL, err), guest.config.vars,
	     err);
	if (guest.pins && guest.record)
		continue_pins(err);
	else if (guest.pins)
		start_pins(err);
}

/* Starts a server: device, store and chip, on the existing hypervisor. */
static void
attach(void)
{
	const struct guest_config *config = &guest.config;
	struct transport *transport = sim_transport(guest.sim);
	struct device_config device = {
		.base = config->base,
		.mode = config->mode,
		.personality = config->personality,
		.incarnation = "one",
	};
	struct error note, err = { "" };

	must(geometry_parse(&device.geometry, config->size, config->width,
			    config->interleave, config->blocks, &err),
	     "geometry", &err);
	open_store(&err);
	must(ioreq_server_open(&guest.server, transport, &err), "server", &err);
	must(device_open(&guest.device, guest.server, transport, &device, &note,
			 &err),
	     "device", &err);
	must(device_connect(guest.device, guest.store, &err), "chip", &err);
	sim_set_server(guest.sim, run_server, guest.server);
	must(ioreq_server_start(guest.server, &err), "start", &err);
	if (device_mode(guest.device) != config->mode)
		check_give_up("the device has a different mode");
}

static void
detach(bool keep_state)
{
	struct error err = { "" };

	if (!keep_state)
		device_flush(guest.device);
	must(device_close(guest.device,
			  keep_state ? DEVICE_SAVE_STATE : DEVICE_DISCARD_STATE,
			  &err),
	     "keeping", &err);
	ioreq_server_close(guest.server);
	if (store_close(guest.store) < 0 && !guest.error)
		check_that(false, "the store was not closed cleanly");
	pins_free(guest.pins);
	guest.pins = NULL;
}

void
guest_power_on(const struct guest_config *config)
{
	const struct sim_config sim = {
		.ram_frames = RAM_FRAMES,
		.spare_frames = config->size / FRAME_SIZE,
	};

	guest.config = *config;
	map_flash();
	if (sim_create(&guest.sim, &sim) < 0)
		check_give_up("the simulated hypervisor cannot be made");
	attach();
}

void
guest_power_off(void)
{
	hooks_settle();
	guest.interval = guest.commits = 0;
	check_that(memory_untouched(),
		   "an access was not announced to the hooks");
	detach(false);
	changes_free(guest.record);
	guest.record = NULL;
	sim_destroy(guest.sim);
	munmap((void *)(uintptr_t)guest.config.base, guest.config.size);
}

static void
count_access(void)
{
	if (guest.cut && --guest.cut == 0) {
		fflush(stdout);
		_exit(GUEST_CUT);
	}
	check_totals->accesses++;
	if (guest.commits && --guest.quiet == 0) {
		guest.quiet = 1 + check_below(2 * guest.commits);
		device_flush(guest.device);
	}
	if (guest.interval && --guest.left == 0) {
		guest.left = 1 + check_below(2 * guest.interval);
		detach(true);
		attach();
	}
}

uint64_t
guest_load(uintptr_t addr, unsigned int size)
{
	uint64_t value = 0;

	count_access();
	sim_guest_read(guest.sim, 0, addr, &value, size);
	return value;
}

void
guest_store(uintptr_t addr, unsigned int size, uint64_t value)
{
	count_access();
	check_totals->stores++;
	sim_guest_write(guest.sim, 0, addr, &value, size);
}

static void
copy_from_ram(uint8_t *dst, uint64_t ram, size_t len)
{
	while (len) {
		uint64_t off = ram % FRAME_SIZE;
		size_t part = FRAME_SIZE - off < len ? FRAME_SIZE - off : len;

		memcpy(dst, sim_frame(guest.sim, ram >> FRAME_SHIFT) + off,
		       part);
		dst += part;
		ram += part;
		len -= part;
	}
}

void
guest_copy(void *dst, uintptr_t src, size_t len)
{
	uint8_t *out = dst;

	hooks_settle();
	while (len) {
		/* Use the same offset in a frame of guest RAM as `out` has. */
		uint64_t ram = (uintptr_t)out % FRAME_SIZE;
		size_t room = (RAM_FRAMES - 1) * FRAME_SIZE;
		size_t part = len < room ? len : room;
		unsigned int longs = (unsigned int)(part / 8);
		unsigned int bytes = (unsigned int)(part % 8);

		sim_guest_movs(guest.sim, 0, ram, src, 8, longs, false);
		sim_guest_movs(guest.sim, 0, ram + 8ull * longs,
			       src + 8ull * longs, 1, bytes, false);
		check_totals->accesses += longs + bytes;
		copy_from_ram(out, ram, part);
		out += part;
		src += part;
		len -= part;
	}
}

bool
guest_is_flash(uintptr_t addr, size_t len)
{
	return addr < (uintptr_t)guest.config.base + guest.config.size &&
	       addr + len > guest.config.base;
}

const uint8_t *
guest_image(void)
{
	hooks_settle();
	return store_image(guest.store);
}

bool
guest_held(void)
{
	return guest.pins && pins_held(guest.pins) > 0;
}

bool
guest_verify(void)
{
	const char *crashed = sim_crashed(guest.sim);

	hooks_settle();
	if (crashed)
		check_give_up("Xen would have crashed the domain: %s", crashed);
	return device_verify(guest.device);
}

void
guest_fail_writes(int error)
{
	hooks_settle();
	guest.error = error;
}

void
guest_cut_after(uint64_t count)
{
	hooks_settle();
	guest.cut = count;
}

void
guest_replace_server(uint32_t interval)
{
	hooks_settle();
	guest.interval = interval;
	guest.left = 1;
}

void
guest_commit_often(uint32_t interval)
{
	hooks_settle();
	guest.commits = interval;
	guest.quiet = 1;
}

void
guest_new_server(void)
{
	hooks_settle();
	detach(true);
	attach();
}

bool
guest_boot(void (*run)(const void *arg), const void *arg, uint32_t apart,
	   unsigned int *cuts)
{
	uint32_t skip = check_random() % apart;
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		while (skip--)
			check_random();
		run(arg);
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		check_give_up("fork");
	if (WIFEXITED(status) && WEXITSTATUS(status) == GUEST_CUT) {
		(*cuts)++;
		return true;
	}
	return check_that(status == 0, "a boot ended with status %#x", status);
}
