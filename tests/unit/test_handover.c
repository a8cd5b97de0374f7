/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verifies that the process of an ioreq server may die between any two
 * instructions: the next process continues, and neither the guest nor the files
 * show it.
 *
 * The test process plays the hypervisor, the guest and the supervisor. Each
 * request is served by a child process, which takes over from the previous one,
 * dead since it was idle. Before that child another one dies in the middle of
 * the request: it is single-stepped by the CPU's trap flag, and dies at its
 * first instruction, in the next round at its second, and so on. In some tests
 * the child that takes over dies in this way too.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pflash/device.h"
#include "pflash/sim.h"
#include "pflash/reader.h"

#define BASE UINT64_C(0xffe00000)
#define SIZE 0x10000u
#define BLOCK 4096u
#define FRAMES (SIZE / FRAME_SIZE)
#define RAM 0x1000u /* in guest memory, for string instructions */

#define DIED 7
#define TRAP_FLAG 0x100

static char dir[64], path[96];
static struct sim *sim;
static struct transport *t;
static struct transport_ops ops;
static const struct geometry geometry = {
	.size = SIZE,
	.width = 1,
	.interleave = 1,
	.region_count = 1,
	.regions = { { BLOCK, SIZE / BLOCK } },
};
static enum window_mode mode;
static enum cfi_personality personality;
static enum store_sync sync_mode;
static struct error err;

/* --- the server's process --- */

static struct ioreq_server *server;
static struct store *store;
static struct device *device;
static struct handover *record;
static volatile sig_atomic_t left, in_xen;
static bool stepping, opening; /* opening: one step per system call */
static int hypercalls_left;    /* the process dies before the last one */

/* A hypercall is one step, because guest and Xen see it as one. */
static void
on_step(int number)
{
	(void)number;
	if (!in_xen && --left == 0)
		_exit(DIED);
}

#define AS_ONE_STEP(call)                                                      \
	do {                                                                   \
		int ret;                                                       \
                                                                               \
		if (hypercalls_left && --hypercalls_left == 0)                 \
			_exit(DIED);                                           \
		in_xen++;                                                      \
		ret = call;                                                    \
		in_xen--;                                                      \
		return ret;                                                    \
	} while (0)

static int
xen_bind(struct transport *transport, uint32_t port)
{
	AS_ONE_STEP(ops.bind(transport, port));
}

static int
xen_pending(struct transport *transport)
{
	AS_ONE_STEP(ops.pending(transport));
}

static int
xen_unmask(struct transport *transport, int port)
{
	AS_ONE_STEP(ops.unmask(transport, port));
}

static int
xen_notify(struct transport *transport, int port)
{
	AS_ONE_STEP(ops.notify(transport, port));
}

static int
xen_populate(struct transport *transport, uint64_t gfn, unsigned int count)
{
	AS_ONE_STEP(ops.populate(transport, gfn, count));
}

static int
xen_depopulate(struct transport *transport, uint64_t gfn, unsigned int count)
{
	AS_ONE_STEP(ops.depopulate(transport, gfn, count));
}

static int
xen_own_type(struct transport *transport, bool own)
{
	AS_ONE_STEP(ops.own_type(transport, own));
}

static int
xen_set_type(struct transport *transport, hvmmem_type_t type, uint64_t gfn,
	     unsigned int count)
{
	AS_ONE_STEP(ops.set_type(transport, type, gfn, count));
}

static int
xen_pause(struct transport *transport)
{
	AS_ONE_STEP(ops.pause(transport));
}

static int
xen_unpause(struct transport *transport)
{
	AS_ONE_STEP(ops.unpause(transport));
}

static void
set_trap_flag(void)
{
	__asm__ volatile("pushfq; orq %0, (%%rsp); popfq"
			 :
			 : "i"(TRAP_FLAG)
			 : "cc", "memory");
}

static void
clear_trap_flag(void)
{
	__asm__ volatile("pushfq; andq %0, (%%rsp); popfq"
			 :
			 : "i"(~TRAP_FLAG)
			 : "cc", "memory");
}

static void
step_from_here(int steps)
{
	signal(SIGTRAP, on_step);
	left = steps;
	stepping = steps;
	if (steps)
		set_trap_flag();
}

static void
step_no_more(void)
{
	clear_trap_flag();
	stepping = false;
}

/*
 * A save is tested per system call: the checksums between the calls would take
 * millions of steps. The process dies before the first call, the second, and so
 * on.
 */
static int calls_left;

static void
on_call(void)
{
	if (calls_left && --calls_left == 0)
		_exit(DIED);
	if (opening && --left == 0)
		_exit(DIED);
}

static int
dying_open(const char *name, int flags, mode_t how)
{
	on_call();
	return sys_kernel.open(name, flags, how);
}

static int
dying_close(int fd)
{
	on_call();
	return sys_kernel.close(fd);
}

static ssize_t
dying_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	on_call();
	return sys_kernel.pwrite(fd, buf, len, off);
}

static int
dying_fdatasync(int fd)
{
	on_call();
	return sys_kernel.fdatasync(fd);
}

static int
dying_fsync(int fd)
{
	on_call();
	return sys_kernel.fsync(fd);
}

static int
dying_ftruncate(int fd, off_t size)
{
	on_call();
	return sys_kernel.ftruncate(fd, size);
}

static int
dying_rename(const char *from, const char *to, unsigned int flags)
{
	on_call();
	return sys_kernel.rename(from, to, flags);
}

static int
dying_lock(int fd, int cmd, struct flock *lock)
{
	on_call();
	return sys_kernel.lock(fd, cmd, lock);
}

static struct sys dying;

static const struct sys *
dying_sys(void)
{
	dying = sys_kernel;
	dying.open = dying_open;
	dying.close = dying_close;
	dying.pwrite = dying_pwrite;
	dying.fdatasync = dying_fdatasync;
	dying.fsync = dying_fsync;
	dying.ftruncate = dying_ftruncate;
	dying.rename = dying_rename;
	dying.lock = dying_lock;
	return &dying;
}

/* Ends the process; the parent detects the failure. */
static void
must(int ret)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "server: %s\n", err.text);
	_exit(1);
}

/*
 * The supervisor's state: memory for two handover records, and which of them is
 * installed, that is, has the name that the next process loads.
 */
#define NOWHERE (-1)

static struct supervisor {
	_Alignas(4096) int installed;
	_Alignas(4096) uint8_t memory[2][HANDOVER_SIZE];
} * supervisor;

static int
place_of_the_next(void)
{
	return supervisor->installed == 0 ? 1 : 0;
}

static void
load(void)
{
	int before = supervisor->installed;
	uint8_t *old = supervisor->memory[before == 1];

	handover_make(&record, supervisor->memory[place_of_the_next()]);
	if (before == NOWHERE)
		return;
	must(mprotect(old, HANDOVER_SIZE, PROT_READ));
	must(handover_load(record, old, HANDOVER_SIZE, "incarnation", &err));
}

/* Takes effect at one moment, like rename(2). */
static void
install(void)
{
	__atomic_store_n(&supervisor->installed, place_of_the_next(),
			 __ATOMIC_SEQ_CST);
}

/* The stage in which a server dies. */
static enum stage {
	LOADS,
	OPENS_STORE,
	CONNECTS,
	INSTALLS,
	SERVES,
	STAGES,
} stage = SERVES;

static void
reach(enum stage now, int steps)
{
	if (now == stage)
		step_from_here(steps);
	else
		step_no_more();
}

static void
open_store(const struct store_config *config)
{
	clear_trap_flag();
	opening = stepping;
	must(store_open(&store, config, NULL, &err));
	opening = false;
	if (stepping)
		set_trap_flag();
}

static void
attach(int steps)
{
	struct store_config sc = {
		.path = path,
		.sync = sync_mode,
		.sys = dying_sys(),
		.burst_limit = HANDOVER_BURST_LIMIT,
	};
	struct device_config dc = {
		.base = BASE,
		.geometry = geometry,
		.mode = mode,
		.personality = personality,
		.incarnation = "incarnation",
		.guest = "guest",
	};
	struct error note;

	reach(LOADS, steps);
	load();
	sc.burst = record->burst;
	sc.trail = &record->trail;
	dc.handover = record;
	dc.has_run = record->attached;
	if (record->attached)
		must(ioreq_server_adopt(&server, t, record->server, &err));
	else
		must(ioreq_server_open(&server, t, &err));
	must(device_open(&device, server, t, &dc, &note, &err));
	reach(OPENS_STORE, steps);
	open_store(&sc);
	reach(CONNECTS, steps);
	must(device_connect(device, store, &err));
	reach(INSTALLS, steps);
	install();
	reach(SERVES, steps);
}

static void
serve(int steps)
{
	attach(steps);
	must(ioreq_server_start(server, &err));
	ioreq_server_poll(server);
	step_no_more();
	if (!device_verify(device)) {
		strcpy(err.text, "the device is not sound");
		must(-EINVAL);
	}
}

static enum window_mode
other_mode(void)
{
	return device_mode(device) == WINDOW_DIRECT ? WINDOW_TRAP :
						      WINDOW_DIRECT;
}

/* The functions below do other work than a request, and die in it. */
static void
change_mode(int steps)
{
	attach(0);
	must(ioreq_server_start(server, &err));
	step_from_here(steps);
	must(device_set_mode(device, other_mode(), &err));
	step_no_more();
}

static void
change_mode_by_calls(int hypercalls)
{
	attach(0);
	must(ioreq_server_start(server, &err));
	hypercalls_left = hypercalls;
	must(device_set_mode(device, other_mode(), &err));
	hypercalls_left = 0;
}

static void
save(int calls)
{
	attach(0);
	must(ioreq_server_start(server, &err));
	calls_left = calls;
	must(device_save(device, &err));
	calls_left = 0;
}

static void
save_and_resume(int calls)
{
	save(0);
	calls_left = calls;
	must(device_resume(device, false, &err));
	calls_left = 0;
}

/* --- the test's process --- */

static pid_t
begin_life(void)
{
	pid_t pid;

	memset(supervisor->memory[place_of_the_next()], 0, HANDOVER_SIZE);
	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	return pid;
}

static int
child(void (*run_child)(int), int argument)
{
	int status;
	pid_t pid;

	pid = begin_life();
	if (pid == 0) {
		run_child(argument);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	sim_server_dies(sim);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
start(int unused)
{
	(void)unused;
	serve(0);
}

static void
finish(int unused)
{
	(void)unused;
	attach(0);
	must(ioreq_server_start(server, &err));
	must(device_close(device, DEVICE_DISCARD_STATE, &err));
	must(store_close(store));
	ioreq_server_close(server);
}

/* A server that serves several requests, and dies in the last or after it. */
static struct {
	pid_t pid;
	int requests, answers; /* pipes: step count in, end of request out */
} resident;

static void
reside(int requests, int answers)
{
	int steps;

	attach(0);
	must(ioreq_server_start(server, &err));
	while (read(requests, &steps, sizeof(steps)) == sizeof(steps)) {
		step_from_here(steps);
		ioreq_server_poll(server);
		step_no_more();
		if (write(answers, "", 1) != 1)
			break;
	}
}

static void
resident_begins(void)
{
	int requests[2], answers[2];

	ck_assert_int_eq(pipe(requests), 0);
	ck_assert_int_eq(pipe(answers), 0);
	resident.pid = begin_life();
	if (resident.pid == 0) {
		close(requests[1]);
		close(answers[0]);
		reside(requests[0], answers[1]);
		_exit(1);
	}
	close(requests[0]);
	close(answers[1]);
	resident.requests = requests[1];
	resident.answers = answers[0];
}

static void
resident_ends(void)
{
	kill(resident.pid, SIGKILL);
	ck_assert_int_eq(waitpid(resident.pid, NULL, 0), resident.pid);
	sim_server_dies(sim);
	close(resident.requests);
	close(resident.answers);
	resident.pid = 0;
}

/* Returns false if the server has died. */
static bool
resident_serves(int steps)
{
	char end;

	ck_assert_int_eq(write(resident.requests, &steps, sizeof(steps)),
			 sizeof(steps));
	if (read(resident.answers, &end, 1) == 1)
		return true;
	resident_ends();
	return false;
}

static int steps; /* steps before the request's server dies */
static bool survived;
static int taker_steps; /* the same for the first server that takes over */
static bool taker_survived;
static enum stage taker_stage;

static bool
dying_server_serves(void)
{
	int code;

	if (resident.pid)
		return resident_serves(steps);
	code = child(serve, steps);
	ck_assert(code == 0 || code == DIED);
	return code == 0;
}

static bool
dying_taker_serves(void)
{
	int code;

	if (!taker_steps)
		return false;
	stage = taker_stage;
	code = child(serve, taker_steps);
	stage = SERVES;
	ck_assert(code == 0 || code == DIED);
	taker_survived = code == 0;
	return taker_survived;
}

static void
on_request(void *opaque)
{
	(void)opaque;
	survived = dying_server_serves();
	if (!survived && !dying_taker_serves())
		ck_assert_int_eq(child(serve, 0), 0);
}

static void
hypervisor(void)
{
	const struct sim_config config = {
		.vcpus = 2,
		.ram_frames = 2,
		.spare_frames = FRAMES,
	};
	static struct transport_ops wrapped;

	ck_assert_int_eq(sim_create(&sim, &config), 0);
	t = sim_transport(sim);
	ops = *t->ops;
	wrapped = ops;
	wrapped.bind = xen_bind;
	wrapped.pending = xen_pending;
	wrapped.unmask = xen_unmask;
	wrapped.notify = xen_notify;
	wrapped.populate = xen_populate;
	wrapped.depopulate = xen_depopulate;
	wrapped.own_type = xen_own_type;
	wrapped.set_type = xen_set_type;
	wrapped.pause = xen_pause;
	wrapped.unpause = xen_unpause;
	t->ops = &wrapped;
	sim_set_server(sim, on_request, NULL);
	for (uint32_t i = 0; i < 256; i++)
		sim_frame(sim, RAM >> FRAME_SHIFT)[i] = (uint8_t)(i ^ 0x5a);
}

/* --- the reference chip, which never dies --- */

static struct cfi reference;
static uint8_t array[SIZE], initial[SIZE];

static int
reference_program(void *owner, uint32_t off, const uint8_t *bytes, uint32_t len)
{
	(void)owner;
	memcpy(array + off, bytes, len);
	return 0;
}

static int
reference_erase(void *owner, uint32_t off, uint32_t len)
{
	(void)owner;
	memset(array + off, 0xff, len);
	return 0;
}

static int
reference_commit(void *owner)
{
	(void)owner;
	return 0;
}

static int
reference_protect(void *owner, const uint8_t *registers, uint32_t len)
{
	(void)owner, (void)registers, (void)len;
	return 0;
}

static const struct cfi_ops reference_ops = {
	.program = reference_program,
	.erase = reference_erase,
	.commit = reference_commit,
	.protect = reference_protect,
};

static void
power_on(void)
{
	const struct store_config config = { .path = path, .size = SIZE };
	const struct cfi_config chip = {
		.array = array,
		.geometry = geometry,
		.personality = personality,
		.ops = &reference_ops,
	};

	for (uint32_t i = 0; i < SIZE; i++)
		array[i] = i < 0x800 ? (uint8_t)(i * 11 + 1) : 0xff;
	memcpy(initial, array, SIZE);
	ck_assert_int_eq(cfi_init(&reference, &chip), 0);
	ck_assert_int_eq(store_create(&config, array, &err), 0);
	hypervisor();
	ck_assert_int_eq(child(start, 0), 0);
}

static bool mode_changes;

static void
compare(void)
{
	static uint8_t shown[SIZE];
	const uint8_t *frame;

	ck_assert_msg(!sim_crashed(sim), "%s", sim_crashed(sim));
	ck_assert_uint_eq(sim_stats(sim)->paused, 0);
	cfi_render(&reference, 0, shown, SIZE);
	for (uint32_t i = 0; mode == WINDOW_DIRECT && i < FRAMES; i++) {
		frame = sim_frame(sim, (BASE >> FRAME_SHIFT) + i);
		if (mode_changes && !frame)
			continue;
		ck_assert_mem_eq(frame, shown + i * FRAME_SIZE, FRAME_SIZE);
	}
}

static void
power_off(void)
{
	static uint8_t end[SIZE];
	int fd;

	/* A script that programs nothing would prove nothing. */
	ck_assert_mem_ne(array, initial, SIZE);
	ck_assert_int_eq(child(finish, 0), 0);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(read(fd, end, SIZE), SIZE);
	close(fd);
	ck_assert_mem_eq(end, array, SIZE);
	sim_destroy(sim);
}

/* --- accesses of the guest --- */

enum how { WRITE, READ, STOS, MOVS };

struct access {
	enum how how;
	uint32_t off;
	uint32_t value; /* or an address in RAM */
	unsigned int size;
	unsigned int count;
};

static void
on_reference(const struct access *a)
{
	uint64_t value = a->value;

	if (a->how == WRITE)
		cfi_write(&reference, a->off, a->size, value);
	for (unsigned int i = 0; a->how >= STOS && i < a->count; i++) {
		if (a->how == MOVS)
			value = (uint8_t)((a->value + i) ^ 0x5a);
		cfi_write(&reference, a->off + i * a->size, a->size, value);
	}
}

static void
on_flash(const struct access *a)
{
	uint64_t value = a->value, expected;

	switch (a->how) {
	case WRITE:
		sim_guest_write(sim, 0, BASE + a->off, &value, a->size);
		break;
	case READ:
		value = 0;
		expected = cfi_read(&reference, a->off, a->size);
		sim_guest_read(sim, 0, BASE + a->off, &value, a->size);
		ck_assert_uint_eq(value, expected);
		break;
	case STOS:
		sim_guest_stos(sim, 0, BASE + a->off, value, a->size, a->count,
			       false);
		break;
	case MOVS:
		sim_guest_movs(sim, 0, BASE + a->off, RAM + a->value, a->size,
			       a->count, false);
		break;
	}
}

/*
 * Repeats an access, with a server that dies one step later each time; `sparse`
 * makes the distance between the steps grow.
 */
static void
at_each_step(const struct access *a, int sparse)
{
	steps = 1;
	do {
		on_reference(a);
		on_flash(a);
		compare();
		steps += 1 + steps / sparse;
	} while (!survived);
	steps = 0;
}

/* Does one access without a death, served by a new process. */
static void
once(const struct access *a)
{
	steps = 0;
	on_reference(a);
	on_flash(a);
	compare();
}

static const struct access script[] = {
	{ WRITE, 0x900, 0x40, 1, 0 },  { WRITE, 0x900, 0xa5, 1, 0 },
	{ WRITE, 0x901, 0x10, 1, 0 },  { WRITE, 0x901, 0x5a, 1, 0 },
	{ WRITE, 0x901, 0x10, 1, 0 },  { WRITE, 0x901, 0x52, 1, 0 },
	{ READ, 0x900, 0, 1, 0 },      { WRITE, 0x900, 0xff, 1, 0 },
	{ READ, 0x900, 0, 8, 0 },      { WRITE, 0x40, 0x20, 1, 0 },
	{ WRITE, 0x40, 0xd0, 1, 0 },   { WRITE, 0x40, 0x70, 1, 0 },
	{ WRITE, 0x40, 0x50, 1, 0 },   { WRITE, 0x40, 0xff, 1, 0 },
	{ WRITE, 0x1000, 0xe8, 1, 0 }, { WRITE, 0x1000, 3, 1, 0 },
	{ WRITE, 0x1000, 0x12, 1, 0 }, { WRITE, 0x1001, 0x34, 1, 0 },
	{ WRITE, 0x1002, 0x56, 1, 0 }, { WRITE, 0x1003, 0x78, 1, 0 },
	{ WRITE, 0x1000, 0xd0, 1, 0 }, { WRITE, 0x1000, 0xff, 1, 0 },
	{ STOS, 0x2000, 0x40, 1, 16 }, { WRITE, 0x2000, 0xff, 1, 0 },
	{ MOVS, 0x2100, 3, 1, 16 },    { WRITE, 0x2000, 0xff, 1, 0 },
	{ WRITE, 0x3000, 0x60, 1, 0 }, { WRITE, 0x3000, 0x01, 1, 0 },
	{ WRITE, 0x3000, 0x40, 1, 0 }, { WRITE, 0x3000, 0x00, 1, 0 },
	{ WRITE, 0x3000, 0x60, 1, 0 }, { WRITE, 0x3000, 0xd0, 1, 0 },
	{ WRITE, 0x3000, 0xc0, 1, 0 }, { WRITE, 0x8a, 0x7f, 1, 0 },
	{ WRITE, 0x3000, 0x90, 1, 0 }, { READ, 0x8a, 0, 1, 0 },
	{ WRITE, 0x3000, 0x98, 1, 0 }, { READ, 0x10, 0, 4, 0 },
	{ WRITE, 0x3000, 0x50, 1, 0 }, { WRITE, 0x3000, 0xff, 1, 0 },
};

#define SCRIPT (sizeof(script) / sizeof(script[0]))

/* A strict chip locks its blocks at power-on. */
static void
unlock_all(void)
{
	for (uint32_t off = 0; off < SIZE; off += BLOCK) {
		once(&(struct access){ WRITE, off, 0x60, 1, 0 });
		once(&(struct access){ WRITE, off, 0xd0, 1, 0 });
	}
}

/* i: even: direct mode, odd: trap mode. */
static void
begin(int i)
{
	mode = i % 2 ? WINDOW_TRAP : WINDOW_DIRECT;
	sync_mode = STORE_SYNC_BURST;
	personality = CFI_STRICT;
	power_on();
	unlock_all();
}

START_TEST(each_request_by_another_process)
{
	begin(_i);
	for (unsigned int i = 0; i < SCRIPT; i++)
		once(&script[i]);
	power_off();
}
END_TEST

/*
 * A command and its data are two requests, so that each access of the script is
 * repeated alone, after all accesses before it.
 */
START_TEST(dies_at_each_step)
{
	begin(_i);
	for (unsigned int i = 0; i < SCRIPT; i++)
		at_each_step(&script[i], 6);
	power_off();
}
END_TEST

/*
 * The most frequent operation of OVMF, at (nearly) every step. Three accesses
 * per round, because the record of an access replaces that of the last but one,
 * which must differ.
 */
START_TEST(dies_at_each_step_of_a_program)
{
	const struct access end = { WRITE, 0x4000, 0xff, 1, 0 };
	const struct access command = { WRITE, 0x4000, 0x10, 1, 0 };
	struct access data = { WRITE, 0x4000, 0x5a, 1, 0 };
	int at = 1;

	begin(_i);
	do {
		once(&end);
		once(&command);
		steps = at;
		at += 1 + at / 200;
		data.off++;
		on_reference(&data);
		on_flash(&data);
		compare();
	} while (!survived);
	once(&end);
	power_off();
	ck_assert_int_gt(at, 100);
}
END_TEST

/* Returns the number of bursts in the journal. */
static unsigned int
bursts(void)
{
	struct reader_point point;
	struct reader *reader;
	unsigned int count = 0;
	size_t cursor = 0;

	ck_assert_int_eq(reader_open(&reader, NULL, path, &err), 0);
	while (reader_next(reader, &cursor, &point))
		count++;
	reader_close(reader);
	return count;
}

/* Ends a burst that is not empty. */
START_TEST(dies_at_each_step_of_a_commit)
{
	static const struct access before[] = {
		{ WRITE, 0x4000, 0x20, 1, 0 },
		{ WRITE, 0x4000, 0xd0, 1, 0 },
		{ WRITE, 0x4000, 0x40, 1, 0 },
		{ WRITE, 0x4000, 0x5a, 1, 0 },
	};
	const struct access commit = { WRITE, 0, 0xff, 1, 0 };
	unsigned int before_all, rounds = 0;
	int at = 1;

	begin(_i);
	before_all = bursts();
	do {
		rounds++;
		for (unsigned int i = 0; i < 4; i++)
			once(&before[i]);
		steps = at;
		at += 1 + at / 16;
		on_reference(&commit);
		on_flash(&commit);
		compare();
	} while (!survived);
	ck_assert_uint_eq(bursts(), before_all + rounds);
	power_off();
}
END_TEST

/*
 * Checks that all frames have one type: all are a hole, or all are frames of
 * the ioreq server type; returns how many are frames.
 */
static unsigned int
frames_that_trap(void)
{
	int first = t->ops->get_type(t, BASE >> FRAME_SHIFT);

	for (uint32_t i = 0; i < FRAMES; i++)
		ck_assert_int_eq(t->ops->get_type(t, (BASE >> FRAME_SHIFT) + i),
				 first);
	ck_assert_int_ne(first, HVMMEM_ram_rw);
	return first == HVMMEM_ioreq_server ? FRAMES : 0;
}

/*
 * The mode changes between a program command and its data: the next process
 * gets the data, in one mode or the other. The mode alternates between rounds.
 */
START_TEST(dies_at_each_step_of_a_change_of_mode)
{
	const struct access command = { WRITE, 0x4000, 0x10, 1, 0 };
	const struct access end = { WRITE, 0x4000, 0xff, 1, 0 };
	const struct access look = { READ, 0x4000, 0, 8, 0 };
	struct access data = { WRITE, 0x4000, 0x5a, 1, 0 };
	unsigned int direct = 0, trap = 0, lived = 0;
	int at = 1, code;

	begin(_i);
	mode_changes = true;
	while (lived < 4) {
		once(&command);
		code = child(change_mode, at);
		ck_assert(code == 0 || code == DIED);
		lived = code == 0 ? lived + 1 : 0;
		/* The guest stays paused until a process takes over. */
		if (sim_stats(sim)->paused)
			ck_assert_int_eq(child(serve, 0), 0);
		ck_assert_uint_eq(sim_stats(sim)->paused, 0);
		at += 1 + at / 8;
		data.off++;
		once(&data);
		once(&look);
		once(&end);
		once(&look);
		*(frames_that_trap() ? &direct : &trap) += 1;
	}
	ck_assert_uint_gt(direct, 1);
	ck_assert_uint_gt(trap, 10);
	power_off();
	ck_assert_int_gt(at, 100);
	mode_changes = false;
}
END_TEST

/*
 * The server that takes over dies in stage _i / 2, in mode _i % 2. Returns a
 * number of steps beyond which the distance between the steps grows.
 */
static int
begin_takeovers(int i)
{
	begin(i);
	taker_stage = (enum stage)(i / 2);
	taker_steps = 1;
	taker_survived = false;
	return taker_stage == LOADS || taker_stage == CONNECTS ? 3 : 24;
}

static void
end_takeovers(void)
{
	taker_steps = 0;
	power_off();
}

/* A burst is open, and the previous server died in the middle of a request. */
START_TEST(dies_at_each_step_of_a_takeover)
{
	const struct access end = { WRITE, 0x4000, 0xff, 1, 0 };
	const struct access command = { WRITE, 0x4000, 0x10, 1, 0 };
	const struct access look = { READ, 0x4000, 0, 8, 0 };
	struct access data = { WRITE, 0x4000, 0x5a, 1, 0 };
	int dense = begin_takeovers(_i), at = 1;

	for (unsigned int round = 0; !taker_survived; round++) {
		taker_steps = 0;
		once(&command);
		taker_steps = at;
		at += 1 + at / dense;
		steps = 1 + (int)(round * 37 % 600);
		data.off = 0x4000 + round % 0x4000;
		data.value = round >> 14 ? 0 : 0x5a;
		on_reference(&data);
		on_flash(&data);
		steps = 0;
		if (survived) /* no takeover in this round */
			taker_survived = false;
		compare();
		if (round % 8 == 7)
			once(&end);
		once(&look);
	}
	end_takeovers();
	ck_assert_int_gt(at, 10);
}
END_TEST

/*
 * The same while the journal has bursts that VARS lacks: the server that takes
 * over writes them to VARS and appends to the journal.
 */
START_TEST(dies_at_each_step_of_a_takeover_with_a_checkpoint)
{
	const struct access end = { WRITE, 0x4000, 0xff, 1, 0 };
	const struct access command = { WRITE, 0x4000, 0x10, 1, 0 };
	const struct access look = { READ, 0x4000, 0, 8, 0 };
	struct access data = { WRITE, 0x4000, 0x5a, 1, 0 };
	int dense = begin_takeovers(_i), at = 1;

	while (!taker_survived) {
		taker_steps = 0;
		resident_begins();
		for (unsigned int i = 0; i < 2; i++) {
			data.off = 0x4000 + (data.off + 1) % 0x4000;
			once(&command);
			once(&data);
			if (i == 0)
				once(&end);
		}
		once(&command);
		taker_steps = at;
		at += 1 + at / dense;
		steps = 30;
		data.off++;
		on_reference(&data);
		on_flash(&data);
		ck_assert(!survived);
		steps = 0;
		compare();
		once(&end);
		once(&look);
	}
	end_takeovers();
	ck_assert_int_gt(at, 10);
}
END_TEST

/* The guest stays paused until a server has survived the takeover. */
START_TEST(dies_at_each_step_of_a_takeover_between_modes)
{
	const struct access command = { WRITE, 0x4000, 0x10, 1, 0 };
	const struct access end = { WRITE, 0x4000, 0xff, 1, 0 };
	const struct access look = { READ, 0x4000, 0, 8, 0 };
	struct access data = { WRITE, 0x4000, 0x5a, 1, 0 };
	int dense = begin_takeovers(_i), at = 1, change = 1;
	unsigned int paused = 0;

	mode_changes = true;
	while (!taker_survived || paused < 20) {
		once(&command);
		if (child(change_mode_by_calls, change++) == 0)
			change = 1;
		taker_steps = at;
		if (sim_stats(sim)->paused) {
			paused++;
			at += 1 + at / dense;
			if (!dying_taker_serves())
				ck_assert_int_eq(child(serve, 0), 0);
		}
		taker_steps = 0;
		ck_assert_uint_eq(sim_stats(sim)->paused, 0);
		data.off = 0x4000 + (data.off + 1) % 0x4000;
		once(&data);
		once(&look);
		once(&end);
		frames_that_trap();
	}
	end_takeovers();
	mode_changes = false;
}
END_TEST

/* _i: 0: dies while saving, 1: while saving or when it reopens the file. */
START_TEST(dies_at_each_call_of_a_save)
{
	const struct access command = { WRITE, 0x4000, 0x40, 1, 0 };
	const struct access look = { READ, 0x4000, 0, 8, 0 };
	struct access data = { WRITE, 0x4000, 0x5a, 1, 0 };
	int at = 0, code;

	begin(0);
	do {
		once(&command);
		code = child(_i ? save_and_resume : save, ++at);
		ck_assert(code == 0 || code == DIED);
		data.off++;
		once(&data);
		once(&look);
	} while (code == DIED);
	once(&(struct access){ WRITE, 0x4000, 0xff, 1, 0 });
	power_off();
	ck_assert_int_gt(at, 8);
}
END_TEST

/*
 * A server that has released its file is not taken over if the file was changed
 * in between.
 */
START_TEST(another_file_is_not_taken_over)
{
	const struct store_config config = { .path = path };
	struct store *other;

	begin(0);
	once(&(struct access){ WRITE, 0x4000, 0x40, 1, 0 });
	once(&(struct access){ WRITE, 0x4000, 0x5a, 1, 0 });
	ck_assert_int_eq(child(save, 0), 0);
	ck_assert_int_eq(store_open(&other, &config, NULL, &err), 0);
	if (_i)
		ck_assert_int_eq(store_program(other, 0, "x", 1), 0);
	ck_assert_int_eq(store_close(other), 0);
	ck_assert_int_eq(child(serve, 0), _i);
	if (_i == 0)
		ck_assert_int_eq(child(finish, 0), 0);
	sim_destroy(sim);
}
END_TEST

static void
setup(void)
{
	snprintf(dir, sizeof(dir), "/dev/shm/pflash-handover-XXXXXX");
	if (!mkdtemp(dir)) {
		snprintf(dir, sizeof(dir), "/tmp/pflash-handover-XXXXXX");
		ck_assert_ptr_nonnull(mkdtemp(dir));
	}
	snprintf(path, sizeof(path), "%s/vars.fd", dir);
	supervisor = mmap(NULL, sizeof(*supervisor), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(supervisor, MAP_FAILED);
	supervisor->installed = NOWHERE;
}

static void
teardown(void)
{
	static const char *const names[] = { "vars.fd", "vars.fd.journal",
					     "vars.fd.state" };
	char name[128];

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		unlink(name);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

static TCase *
add_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 600);
	suite_add_tcase(suite, tc);
	return tc;
}

int
main(void)
{
	Suite *suite = suite_create("handover");
	SRunner *runner = srunner_create(suite);
	TCase *requests = add_case(suite, "requests");
	TCase *changes = add_case(suite, "changes");
	TCase *takeovers = add_case(suite, "takeovers");
	TCase *checkpoint = add_case(suite, "checkpoint");
	int failed;

	tcase_add_loop_test(requests, each_request_by_another_process, 0, 2);
	tcase_add_loop_test(requests, dies_at_each_step_of_a_program, 0, 2);
	tcase_add_loop_test(requests, dies_at_each_step_of_a_commit, 0, 2);
	tcase_add_loop_test(requests, dies_at_each_step, 0, 2);
	tcase_add_loop_test(changes, dies_at_each_step_of_a_change_of_mode, 0,
			    2);
	tcase_add_loop_test(changes, dies_at_each_call_of_a_save, 0, 2);
	tcase_add_loop_test(changes, another_file_is_not_taken_over, 0, 2);
	tcase_add_loop_test(takeovers, dies_at_each_step_of_a_takeover, 0,
			    2 * STAGES);
	tcase_add_loop_test(takeovers,
			    dies_at_each_step_of_a_takeover_between_modes, 0,
			    2 * STAGES);
	tcase_add_loop_test(checkpoint,
			    dies_at_each_step_of_a_takeover_with_a_checkpoint,
			    0, 2 * STAGES);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
