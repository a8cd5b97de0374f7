/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer target: a hostile shared ioreq page. Only Xen writes that page, and
 * a guest can make Xen write only a small part of the values tried here; but
 * the server must withstand any contents of the slots, any time of change, and
 * any events.
 *
 * Server, device, chip, window and store are the real ones; the hypervisor is
 * the simulation, and the store's files are on a file system in memory. The
 * page changes between the steps, and also during a request: at every call of
 * the transport that the server makes (mapping guest memory, taking an event,
 * answering). So every run of an input is the same.
 *
 * After each step the device must be valid and the work that was done must be
 * bounded; at the end the server must answer a valid request correctly.
 *
 * Input: a byte for the device (see struct setup), and steps (see step()). The
 * changes of the page during a request use the same input.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "input.h"

#include "pflash/device.h"
#include "pflash/reset.h"
#include "pflash/sim.h"

#define BASE UINT64_C(0xffe00000)
#define SIZE 0x2000u
#define RAM_FRAMES 4u
#define VCPUS 4u
#define COMMANDS_TO_ARRAY 300 /* ends a buffered program of any length */

/*
 * The most that one poll may cost: a few requests, each with 4096 elements of 8
 * bytes, which are 8 frames and the accesses across their ends.
 */
#define MOST_REQUESTS (2 * VCPUS)
#define MOST_MAPS (MOST_REQUESTS * 32)
#define MOST_EVENTS (4 * VCPUS)
#define MOST_LINES (2 * VCPUS)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct setup {
	enum window_mode mode;
	enum cfi_personality personality;
	bool after_loader; /* hvmloader has put memory there */
	bool handover;
	bool adopts;   /* a server whose page was hostile before */
	bool throttle; /* requests can stop in the middle */
};

static struct sim *sim;
static struct transport *t;
static const struct transport_ops *xen; /* the simulation's operations */
static struct input *in;
static bool hostile; /* transport calls change the page */
static unsigned int maps, events, answers, lines, flood;

static struct ioreq_server *server;
static struct device *device;
static struct store *store;
static struct handover record;

/* The requests of a server that died. */
static struct handover dead;
static const struct handover_writer dead_writer = { .record = &dead };
static struct error err;
static uint32_t ports[VCPUS];
static uint8_t image[SIZE];
static char vars[64], journal[80], state[80];

/* Called for each line that would be logged. */
static void
on_reset(void *opaque, int ret)
{
	(void)opaque, (void)ret;
	lines++;
}

/* --- the hostile page ----------------------------------------------------- */

static struct ioreq *
slot(uint64_t vcpu)
{
	return &t->page->vcpu_ioreq[vcpu % VCPUS];
}

static uint64_t
some_address(void)
{
	uint64_t off = take(in, 2);

	switch (off >> 13) {
	case 0:
	case 1: return BASE + (off & (SIZE - 1));
	case 2: return off & (RAM_FRAMES * FRAME_SIZE - 1);
	case 3: return BASE + SIZE - 16 + (off & 31);
	case 4: return BASE - 16 + (off & 31);
	case 5: return off & 1 ? 0x510 : off & 2 ? 0xcf9 : 0x64;
	case 6: return take(in, 8);
	default: return 0xc0000000 + off; /* a hole */
	}
}

/* A request of a form that Xen could send, with any contents. */
static void
put_request(struct ioreq *s)
{
	static const uint16_t counts[] = { 1, 2, 3, 8, 511, 512, 4096, 4097 };
	uint8_t how = (uint8_t)take(in, 1), what = (uint8_t)take(in, 1);

	s->type = how & 1 ? IOREQ_TYPE_PIO : IOREQ_TYPE_COPY;
	s->dir = how >> 1 & 1;
	s->df = how >> 2 & 1;
	s->data_is_ptr = how >> 3 & 1;
	s->size = 1u << (how >> 4 & 3);
	s->count = counts[what & 7];
	s->addr = some_address();
	s->data = s->data_is_ptr ? some_address() : take(in, 1 + (what >> 7));
	s->state = STATE_IOREQ_READY;
}

static void
change_page(void)
{
	uint8_t what = (uint8_t)take(in, 1);
	struct ioreq *s = slot(what >> 4);
	uint64_t off;

	switch (what & 15) {
	case 0: s->state = take(in, 1) & 15; break;
	case 1: s->type = (uint8_t)take(in, 1); break;
	case 2: s->size = (uint32_t)take(in, 4); break;
	case 3: s->count = (uint32_t)take(in, 4); break;
	case 4: s->df = !s->df; break;
	case 5: s->data_is_ptr = !s->data_is_ptr; break;
	case 6: s->dir = !s->dir; break;
	case 7: s->addr = take(in, 8); break;
	case 8: s->data = take(in, 8); break;
	case 9: s->vp_eport = (uint32_t)take(in, 4); break;
	case 10: s->state = STATE_IOREQ_READY; break;
	case 11: s->addr = some_address(); break;
	case 12: s->data = some_address(); break;
	case 13:
		off = take(in, 2) % FRAME_SIZE;
		((uint8_t *)t->page)[off] = (uint8_t)take(in, 1);
		break;
	default: put_request(s); break;
	}
}

/* Other code runs while the server waits for the hypervisor. */
static void
meanwhile(void)
{
	while (hostile && in->left > 0 && take(in, 1) < 0x60)
		change_page();
}

static bool
may_go_on(void *opaque)
{
	(void)opaque;
	return take(in, 1) < 0xc0;
}

static const struct ioreq_throttle throttle = { .may_go_on = may_go_on };

/* --- the transport -------------------------------------------------------- */

static int
op_pending(struct transport *transport)
{
	int port = xen->pending(transport);

	meanwhile();
	demand(++events <= MOST_EVENTS, "events are taken without an end");
	if (port < 0 && flood > 0) {
		flood--;
		port = (int)take(in, 2);
	}
	return port;
}

static int
op_unmask(struct transport *transport, int port)
{
	meanwhile();
	return xen->unmask(transport, port);
}

static int
op_notify(struct transport *transport, int port)
{
	int ret = xen->notify(transport, port);

	demand(++answers <= MOST_REQUESTS, "answers without an end");
	meanwhile();
	return ret;
}

static void *
op_map(struct transport *transport, uint64_t gfn, unsigned int count, int prot)
{
	demand(++maps <= MOST_MAPS, "memory is mapped without an end");
	meanwhile();
	return xen->map(transport, gfn, count, prot);
}

static void
op_unmap(struct transport *transport, void *frames, unsigned int count)
{
	xen->unmap(transport, frames, count);
	meanwhile();
}

static int
op_release(struct transport *transport, enum ioreq_space space, uint64_t first,
	   uint64_t last)
{
	meanwhile();
	return xen->release(transport, space, first, last);
}

static void
hypervisor(void)
{
	static struct transport_ops ops;
	const struct sim_config config = {
		.vcpus = VCPUS,
		.ram_frames = RAM_FRAMES,
		.spare_frames = 2 * SIZE / FRAME_SIZE,
	};

	demand(sim_create(&sim, &config) == 0, "no simulation");
	t = sim_transport(sim);
	xen = t->ops;
	ops = *xen;
	ops.pending = op_pending;
	ops.unmask = op_unmask;
	ops.notify = op_notify;
	ops.map = op_map;
	ops.unmap = op_unmap;
	ops.release = op_release;
	t->ops = &ops;
}

/* --- a guest with a flash ------------------------------------------------- */

static int
no_sync(int fd)
{
	(void)fd;
	return 0;
}

static void
open_store(bool handover)
{
	static struct sys sys;
	struct store_config config = {
		.path = vars,
		.size = SIZE,
		.sys = &sys,
		.burst = handover ? record.burst : NULL,
		.burst_limit = handover ? HANDOVER_BURST_LIMIT : 0,
	};

	sys = sys_kernel;
	sys.fdatasync = sys.fsync = no_sync;
	if (!vars[0]) {
		const char *dir = access("/dev/shm", W_OK) ? "/tmp" :
							     "/dev/shm";

		snprintf(vars, sizeof(vars), "%s/fuzz_ioreq.%d", dir,
			 (int)getpid());
		snprintf(journal, sizeof(journal), "%s.journal", vars);
		snprintf(state, sizeof(state), "%s.state", vars);
	}
	for (unsigned int i = 0; i < SIZE; i++)
		image[i] = (uint8_t)(i * 7 + i / 256 * 13 + 1);
	demand(store_create(&config, image, &err) == 0, err.text);
	demand(store_open(&store, &config, NULL, &err) == 0, err.text);
}

static void
close_store(void)
{
	if (store)
		demand(store_close(store) == 0, "the store does not close");
	store = NULL;
	(void)unlink(journal);
	(void)unlink(state);
	(void)unlink(vars);
}

/* Any request under way, with any progress. */
static void
make_progress(void)
{
	memset(&dead, 0, sizeof(dead));
	dead.vcpu = (uint32_t)take(in, 1) % (VCPUS + 2);
	dead.state[0].progress = (uint32_t)take(in, 4);
}

/* Adopts the server of a pflashd that has died. */
static void
open_adopted(void)
{
	unsigned int changes = (unsigned int)take(in, 1) & 15;

	demand(xen->create(t) == 0 && xen->enable(t, true) == 0, "no server");
	while (changes-- > 0)
		change_page();
	demand(ioreq_server_adopt(&server, t, xen->id(t), &err) == 0, err.text);
	make_progress();
	ioreq_server_set_handover(server, &dead_writer);
}

static void
run(void *opaque)
{
	maps = events = answers = lines = 0;
	ioreq_server_poll(opaque);
	demand(lines <= MOST_LINES, "the log grows");
}

static void
open_device(const struct setup *setup)
{
	struct device_config config = {
		.base = BASE,
		.mode = setup->mode,
		.personality = setup->personality,
		.after_loader = setup->after_loader,
		.geometry = { .size = SIZE,
			      .width = 1,
			      .interleave = 1,
			      .regions = { { 4096, SIZE / 4096 } },
			      .region_count = 1 },
		.handover = setup->handover ? &record : NULL,
	};
	struct error note;

	if (setup->after_loader)
		xen->populate(t, BASE >> FRAME_SHIFT, SIZE / FRAME_SIZE);
	demand(device_open(&device, server, t, &config, &note, &err) == 0,
	       err.text);
	demand(setup->after_loader ||
		       reset_add(server, t, on_reset, NULL, &err) == 0,
	       "no reset ports");
	open_store(setup->handover);
	demand(device_connect(device, store, &err) == 0, err.text);
}

static bool
begin(const struct setup *setup)
{
	struct handover *made;

	maps = events = answers = lines = flood = 0;
	memset(&record, 0, sizeof(record));
	handover_make(&made, &record);
	memset(sim_frame(sim, 0), 0, RAM_FRAMES * FRAME_SIZE);
	if (setup->adopts)
		open_adopted();
	else
		demand(ioreq_server_open(&server, t, &err) == 0, err.text);
	sim_set_server(sim, run, server);
	open_device(setup);
	if (setup->adopts)
		ioreq_server_set_handover(server, &dead_writer);
	if (ioreq_server_start(server, &err) < 0) {
		demand(setup->adopts, err.text);
		return false;
	}
	for (unsigned int i = 0; i < VCPUS; i++)
		ports[i] = slot(i)->vp_eport;
	ioreq_server_set_throttle(server, setup->throttle ? &throttle : NULL);
	return true;
}

static void
end(void)
{
	maps = events = answers = 0;
	hostile = false;
	for (unsigned int i = 0; i < VCPUS; i++)
		slot(i)->state = STATE_IOREQ_NONE;
	demand(device_close(device, DEVICE_DISCARD_STATE, &err) == 0, err.text);
	ioreq_server_close(server);
	device = NULL;
	close_store();
	sim_server_dies(sim);
	xen->depopulate(t, BASE >> FRAME_SHIFT, SIZE / FRAME_SIZE);
}

/* --- a valid request ------------------------------------------------------ */

static uint64_t
request(unsigned int vcpu, bool read, uint64_t off, uint64_t data)
{
	struct ioreq r = {
		.type = IOREQ_TYPE_COPY,
		.dir = read ? IOREQ_READ : IOREQ_WRITE,
		.addr = BASE + off,
		.data = data,
		.size = read ? 8 : 1,
		.count = 1,
	};

	demand(sim_request(sim, vcpu, &r) == 0, sim_crashed(sim));
	return r.data;
}

static void
serves(unsigned int vcpu, uint64_t off)
{
	uint64_t expected, got;

	hostile = false;
	flood = 0;
	ioreq_server_set_throttle(server, NULL);
	run(server); /* finish the requests that the throttle stopped */
	for (unsigned int i = 0; i < VCPUS; i++) {
		slot(i)->state = STATE_IOREQ_NONE;
		slot(i)->vp_eport = ports[i];
	}
	for (int i = 0; i < COMMANDS_TO_ARRAY; i++)
		request(vcpu, false, off, 0xff);
	request(vcpu, false, off, 0xd0);
	request(vcpu, false, off, 0xff);
	got = request(vcpu, true, off, 0);
	memcpy(&expected, store_image(store) + off, 8);
	if (got != expected)
		printf("at %#lx: %#lx, not %#lx\n", (unsigned long)off,
		       (unsigned long)got, (unsigned long)expected);
	demand(got == expected, "a right request gets a wrong answer");
	demand(device_verify(device), "device_verify()");
}

/* --- the steps ------------------------------------------------------------ */

static void
fill_memory(void)
{
	uint64_t at = take(in, 2) % (RAM_FRAMES * FRAME_SIZE);
	uint64_t count = take(in, 1) & 15, again = take(in, 2) & 2047;
	uint8_t bytes[16];

	for (uint64_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)take(in, 1);
	for (uint64_t i = 0;
	     count && i < again && at + i < RAM_FRAMES * FRAME_SIZE; i++)
		sim_frame(sim, 0)[at + i] = bytes[i % count];
}

static void
step(const struct setup *setup)
{
	uint8_t kind = (uint8_t)take(in, 1);

	switch (kind & 7) {
	case 0: change_page(); break;
	case 1:
	case 2: put_request(slot(kind >> 3)); break;
	case 3: fill_memory(); break;
	case 4: flood = (uint16_t)take(in, 2); break;
	case 5: device_flush(device); break;
	case 6:
		serves((kind >> 3) % VCPUS, take(in, 2) % (SIZE - 7));
		ioreq_server_set_throttle(server,
					  setup->throttle ? &throttle : NULL);
		break;
	default:
		hostile = kind & 0x80;
		run(server);
		hostile = false;
		break;
	}
	demand(device_verify(device), "device_verify()");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	uint8_t how;
	struct setup setup;

	if (!sim)
		hypervisor();
	in = &input;
	how = (uint8_t)take(in, 1);
	setup = (struct setup){
		.mode = how & 1 ? WINDOW_DIRECT : WINDOW_TRAP,
		.after_loader = how & 2,
		.handover = (how & 12) == 4,
		.adopts = (how & 12) == 8,
		.personality = (enum cfi_personality)((how >> 4 & 7) % 3),
		.throttle = how & 0x80,
	};
	if (begin(&setup)) {
		while (in->left > 0)
			step(&setup);
		serves(0, SIZE / 2 - 4);
	}
	end();
	demand(!sim_crashed(sim), sim_crashed(sim));
	return 0;
}
