/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests window and device: what a guest sees at the flash, in both modes. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pflash/device.h"
#include "pflash/sim.h"

#define BASE UINT64_C(0xffe00000)
#define SIZE 0x20000u
#define FRAMES (SIZE / FRAME_SIZE)

static char dir[64], path[96], journal[112], state[112];
static struct sim *sim;
static struct transport *t;
static struct ioreq_server *server;
static struct store *store;
static struct device *device;
static struct error note, err;

static void
run(void *opaque)
{
	ioreq_server_poll(opaque);
}

static void
make_vars(void)
{
	const struct store_config config = { .path = path, .size = SIZE };
	uint8_t *image = malloc(SIZE);

	snprintf(dir, sizeof(dir), "/tmp/pflash-window-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/vars.fd", dir);
	snprintf(journal, sizeof(journal), "%s.journal", path);
	snprintf(state, sizeof(state), "%s.state", path);
	for (uint32_t i = 0; i < SIZE; i++)
		image[i] = i < 0x1000 ? (uint8_t)(i * 11 + 1) : 0xff;
	ck_assert_int_eq(store_create(&config, image, &err), 0);
	free(image);
}

static void
hypervisor(unsigned int spare, bool no_hap)
{
	const struct sim_config config = {
		.vcpus = 2,
		.ram_frames = 2,
		.spare_frames = spare,
		.no_hap = no_hap,
	};

	ck_assert_int_eq(sim_create(&sim, &config), 0);
	t = sim_transport(sim);
	ck_assert_int_eq(ioreq_server_open(&server, t, &err), 0);
	sim_set_server(sim, run, server);
}

static bool after_loader, has_run, force, incoming;
static const char *guest = "";
static unsigned int takings;

static void
on_window_ready(void *opaque, int ret, const struct error *why)
{
	(void)opaque;
	ck_assert_int_eq(ret, 0);
	note = *why;
	takings++;
}

static int told_of;

static void
on_failed(void *opaque)
{
	(void)opaque;
	told_of++;
}

static int
attach_incarnation(enum window_mode mode, enum cfi_personality personality,
		   const char *incarnation)
{
	const struct store_config sc = { .path = path,
					 .on_failure = on_failed };
	struct device_config dc = {
		.base = BASE,
		.geometry = {
			.size = SIZE,
			.width = 1,
			.interleave = 1,
			.region_count = 1,
			.regions = { { 4096, SIZE / 4096 } },
		},
		.mode = mode,
		.after_loader = after_loader,
		.has_run = has_run,
		.force = force,
		.incoming = incoming,
		.personality = personality,
		.window_ready = on_window_ready,
	};
	int ret;

	strcpy(dc.incarnation, incarnation);
	strcpy(dc.guest, guest);
	ret = device_open(&device, server, t, &dc, &note, &err);
	if (ret < 0)
		return ret;
	ck_assert_int_eq(store_open(&store, &sc, NULL, &err), 0);
	ret = device_connect(device, store, &err);
	return ret < 0 ? ret : ioreq_server_start(server, &err);
}

static int
attach(enum window_mode mode)
{
	return attach_incarnation(mode, CFI_OVMF, "");
}

static void
detach_incarnation(enum device_at_close at_close)
{
	ck_assert_msg(!sim_crashed(sim), "%s", sim_crashed(sim));
	if (device) {
		ck_assert(device_verify(device));
		ck_assert_int_eq(device_close(device, at_close, &err), 0);
	}
	if (store)
		ck_assert_int_eq(store_close(store), 0);
	ioreq_server_close(server);
	device = NULL;
	store = NULL;
	for (unsigned int i = 0; i < FRAMES; i++)
		ck_assert_int_eq(t->ops->get_type(t, (BASE >> 12) + i),
				 HVMMEM_mmio_dm);
	ck_assert_ptr_null(sim_frame(sim, BASE >> 12));
	sim_destroy(sim);
}

static void
detach(void)
{
	detach_incarnation(DEVICE_DISCARD_STATE);
}

static void
setup(void)
{
	make_vars();
}

static void
teardown(void)
{
	unlink(path);
	unlink(journal);
	unlink(state);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void
w(uint32_t off, uint8_t byte)
{
	sim_guest_write(sim, 0, BASE + off, &byte, 1);
	ck_assert(device_verify(device));
}

static uint8_t
r(uint32_t off)
{
	uint8_t byte;

	sim_guest_read(sim, 0, BASE + off, &byte, 1);
	return byte;
}

/* Every view, read byte by byte and in bulk; _i: direct or trap mode. */
static const enum window_mode both[] = { WINDOW_DIRECT, WINDOW_TRAP };

static void
read_flash(uint8_t *dst)
{
	for (uint32_t off = 0; off < SIZE; off += 64)
		sim_guest_read(sim, 0, BASE + off, dst + off, 64);
}

START_TEST(views_are_what_the_chip_says)
{
	static const uint8_t commands[] = { 0x70, 0x90, 0x98, 0xff };
	static uint8_t seen[SIZE];

	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach(both[_i]), 0);
	ck_assert_str_eq(note.text, "");
	ck_assert_int_eq(device_mode(device), both[_i]);
	for (unsigned int i = 0; i < sizeof(commands); i++) {
		w(0x40, commands[i]);
		read_flash(seen);
		if (commands[i] == 0x70)
			for (uint32_t off = 0; off < 0x1000; off++)
				if (seen[off] != 0x80)
					ck_abort_msg("no status at %#x", off);
		if (commands[i] == 0x70)
			ck_assert_mem_eq(seen + 0x1000,
					 store_image(store) + 0x1000,
					 SIZE - 0x1000);
		if (commands[i] == 0x90)
			ck_assert_mem_eq(seen, "\x89\x18\0", 3);
		if (commands[i] == 0x98)
			ck_assert_mem_eq(seen + 0x10, "QRY", 3);
		if (commands[i] == 0xff)
			ck_assert_mem_eq(seen, store_image(store), SIZE);
	}
	if (both[_i] == WINDOW_DIRECT)
		ck_assert_uint_eq(sim_stats(sim)->trapped_reads, 0);
	else
		ck_assert_uint_eq(sim_stats(sim)->direct_reads, 0);
	detach();
}
END_TEST

START_TEST(programs_and_erases)
{
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach(both[_i]), 0);
	w(0x2000, 0x10);
	w(0x2000, 0x3c);
	ck_assert_uint_eq(r(0x2fff), 0x80);
	ck_assert_uint_eq(r(0x3000), store_image(store)[0x3000]);
	w(0x2000, 0xff);
	ck_assert_uint_eq(r(0x2000), 0x3c);
	w(0x10, 0x20);
	w(0x10, 0xd0);
	w(0x10, 0xff);
	for (uint32_t off = 0; off < 0x1000; off++)
		ck_assert_uint_eq(r(off), 0xff);
	detach();

	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach(WINDOW_AUTO), 0);
	ck_assert_uint_eq(r(0x2000), 0x3c);
	ck_assert_uint_eq(r(0), 0xff);
	detach();
}
END_TEST

START_TEST(bulk_copies)
{
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach(both[_i]), 0);
	sim_guest_movs(sim, 0, 0x10, BASE + 0x20, 8, 200, false);
	ck_assert_mem_eq(sim_frame(sim, 0) + 0x10, store_image(store) + 0x20,
			 1600);
	/* setup, data, setup, data: a write of eight bytes programs four */
	memcpy(sim_frame(sim, 0), "\x10\x0f\x10\x1f\x10\x2f\x10\x3f", 8);
	sim_guest_movs(sim, 0, BASE + 0x3000, 0, 8, 1, false);
	w(0, 0xff);
	ck_assert_uint_eq(r(0x3001), 0x0f);
	ck_assert_uint_eq(r(0x3007), 0x3f);
	detach();
}
END_TEST

START_TEST(auto_falls_back_without_nested_paging)
{
	hypervisor(FRAMES, true);
	ck_assert_int_eq(attach(WINDOW_AUTO), 0);
	ck_assert_int_eq(device_mode(device), WINDOW_TRAP);
	ck_assert_ptr_nonnull(strstr(note.text, "no nested paging"));
	ck_assert_uint_eq(r(1), 12);
	detach();
	hypervisor(FRAMES, true);
	ck_assert_int_eq(attach(WINDOW_DIRECT), -EOPNOTSUPP);
	detach();
}
END_TEST

START_TEST(auto_falls_back_without_memory)
{
	hypervisor(FRAMES - 1, false);
	ck_assert_int_eq(attach(WINDOW_AUTO), 0);
	ck_assert_int_eq(device_mode(device), WINDOW_TRAP);
	ck_assert_ptr_nonnull(strstr(note.text, "32 frames"));
	detach();
	hypervisor(FRAMES - 1, false);
	ck_assert_int_eq(attach(WINDOW_DIRECT), -ENOMEM);
	detach();
}
END_TEST

START_TEST(another_owner_of_the_type)
{
	hypervisor(FRAMES, false);
	ck_assert_int_eq(t->ops->own_type(t, true), 0);
	ck_assert_int_eq(attach(WINDOW_DIRECT), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "another server"));
	detach();
	/* The files must not change before the hypervisor has agreed. */
	ck_assert_int_ne(access(journal, F_OK), 0);
}
END_TEST

START_TEST(ranges)
{
	static const struct {
		uint64_t base, size;
		int ret;
	} cases[] = {
		{ 0xffe00000, SIZE, 0 },
		{ 0xffc00000, 0x84000, 0 },
		{ 0xfffe0000, SIZE, 0 },
		{ 0xfc000000, SIZE, 0 },
		{ 0xfffe1000, SIZE, -EINVAL }, /* ends above 4 GiB */
		{ 0xffe00800, SIZE, -EINVAL }, /* not at a frame boundary */
		{ 0xffe00000, 0x20800, -EINVAL },
		{ 0xffe00000, 0, -EINVAL },
		{ 0xfbfff000, SIZE, -EINVAL }, /* the PCI hole */
		{ 0xfec00000, SIZE, -EINVAL }, /* I/O APIC */
		{ 0xfebf0000, SIZE, -EINVAL },
		{ 0xfeff0000, SIZE, -EINVAL },
		{ 0, 0x2000, -EINVAL },
		{ UINT64_MAX - 0xfff, 0x2000, -EINVAL },
	};

	hypervisor(1, false);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_int_eq(window_check_range(t, cases[i].base,
						    cases[i].size, &err),
				 cases[i].ret);
	ck_assert_int_eq(t->ops->populate(t, 0xffe1f, 1), 0);
	ck_assert_int_eq(window_check_range(t, BASE, SIZE, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "0xffe1f000"));
	t->ops->depopulate(t, 0xffe1f, 1);
	detach();
}
END_TEST

START_TEST(code_tail_is_read_only)
{
	static uint8_t code[3 * FRAME_SIZE];
	uint64_t base = (UINT64_C(1) << 32) - sizeof(code);
	uint8_t byte = 0;

	hypervisor(4, false);
	for (size_t i = 0; i < sizeof(code); i++)
		code[i] = (uint8_t)(i * 3 + i / 512);
	ck_assert_int_eq(window_install_code(t, code, sizeof(code), &err), 0);
	sim_guest_write(sim, 0, base, &byte, 1);
	for (size_t i = 0; i < sizeof(code); i++) {
		sim_guest_read(sim, 0, base + i, &byte, 1);
		ck_assert_uint_eq(byte, code[i]);
	}
	/*
	 * A second server finds the code; a server with other code is refused.
	 */
	ck_assert_int_eq(window_install_code(t, code, sizeof(code), &err), 0);
	code[5]++;
	ck_assert_int_eq(window_install_code(t, code, sizeof(code), &err),
			 -EEXIST);
	detach();
	hypervisor(2, false);
	ck_assert_int_eq(window_install_code(t, code, sizeof(code), &err),
			 -ENOMEM);
	ck_assert_int_eq(t->ops->get_type(t, base >> 12), HVMMEM_mmio_dm);
	detach();
}
END_TEST

START_TEST(an_open_burst_is_flushed)
{
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach(WINDOW_DIRECT), 0);
	ck_assert(!device_pending(device));
	w(0x5000, 0x40);
	w(0x5000, 0x12);
	ck_assert(device_pending(device));
	device_flush(device);
	ck_assert(!device_pending(device));
	ck_assert_uint_eq(r(0x5000), 0x80);
	detach();
}
END_TEST

/* A pending write is answered when the device closes. */
START_TEST(closes_under_a_request)
{
	struct ioreq *slot;
	struct ioreq request = {
		.type = IOREQ_TYPE_COPY,
		.dir = IOREQ_WRITE,
		.addr = BASE,
		.data = 0x70,
		.size = 1,
		.count = 1,
		.state = STATE_IOREQ_READY,
	};

	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach(both[_i]), 0);
	slot = &t->page->vcpu_ioreq[0];
	request.vp_eport = slot->vp_eport;
	*slot = request;
	device_close(device, DEVICE_DISCARD_STATE, NULL);
	ck_assert_uint_eq(slot->state, STATE_IORESP_READY);
	/* A later read finds no device. */
	request.dir = IOREQ_READ;
	*slot = request;
	ioreq_server_poll(server);
	ck_assert_uint_eq(slot->data & 0xff, 0xff);
	slot->state = STATE_IOREQ_NONE;
	device = NULL;
	detach();
}
END_TEST

/*
 * Does what hvmloader does: puts memory at the flash, except for `hole` frames.
 */
static void
load_firmware(unsigned int hole)
{
	static const uint8_t code[] = "firmware";

	ck_assert_int_eq(t->ops->populate(t, BASE >> 12, FRAMES - hole), 0);
	sim_guest_write(sim, 0, BASE, code, sizeof(code));
}

static void
loader_and_firmware(enum window_mode mode, unsigned int hole,
		    enum window_mode expected)
{
	uint64_t before;
	char text[9];

	after_loader = true;
	takings = 0;
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach(mode), 0);
	load_firmware(hole);
	sim_guest_read(sim, 0, BASE, text, sizeof(text));
	ck_assert_str_eq(text, "firmware");
	sim_guest_out(sim, 0, 0x510, 2, 0);
	ck_assert_uint_eq(takings, 1);
	ck_assert_int_eq(device_mode(device), expected);
	ck_assert(device_verify(device));
	ck_assert_uint_eq(r(0), store_image(store)[0]);
	before = sim_stats(sim)->trapped_reads;
	ck_assert_uint_eq(r(1), store_image(store)[1]);
	ck_assert_uint_eq(sim_stats(sim)->trapped_reads - before,
			  expected == WINDOW_TRAP);
	w(0, 0x90);
	ck_assert_uint_eq(r(0), 0x89);
	w(0, 0xff);
	/* No server claims the ports now: reads return ones, unasked. */
	before = ioreq_server_stats(server)->requests;
	ck_assert_uint_eq(sim_guest_in(sim, 0, 0x511, 1), UINT32_MAX);
	ck_assert_uint_eq(ioreq_server_stats(server)->requests, before);
	ck_assert_uint_eq(takings, 1);
	detach();
	after_loader = false;
}

START_TEST(takes_what_the_loader_put_there)
{
	loader_and_firmware(WINDOW_DIRECT, 0, WINDOW_DIRECT);
	ck_assert_str_eq(note.text, "");
	loader_and_firmware(WINDOW_AUTO, 0, WINDOW_DIRECT);
	loader_and_firmware(WINDOW_TRAP, 0, WINDOW_TRAP);
	ck_assert_str_eq(note.text, "");
	/* Some frames are missing: only a hole is possible. */
	loader_and_firmware(WINDOW_AUTO, 3, WINDOW_TRAP);
	ck_assert_ptr_nonnull(strstr(note.text, "no memory"));
	loader_and_firmware(WINDOW_TRAP, 3, WINDOW_TRAP);
}
END_TEST

/* A guest that is destroyed before its firmware runs, or that has none. */
START_TEST(nothing_is_taken_without_a_firmware)
{
	after_loader = true;
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach(WINDOW_DIRECT), 0);
	ck_assert_uint_eq(r(0), store_image(store)[0]);
	detach();
	after_loader = false;
}
END_TEST

static bool stop;
static unsigned int stopped;

static void *
moving_vcpu(void *opaque)
{
	unsigned int vcpu = opaque ? 1 : 0;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		sim_guest_movs(sim, vcpu, BASE + 4096 * vcpu, 0, 1, 8, false);
		usleep(50);
	}
	__atomic_fetch_add(&stopped, 1, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * rep movs makes different requests for a hole and for a frame: the frames may
 * be removed only while no vCPU waits for an answer.
 */
START_TEST(closes_under_rep_movs)
{
	for (unsigned int round = 0; round < 30; round++) {
		pthread_t vcpus[2];

		hypervisor(FRAMES, false);
		sim_set_server(sim, NULL, NULL);
		ck_assert_int_eq(attach(WINDOW_DIRECT), 0);
		__atomic_store_n(&stop, false, __ATOMIC_RELEASE);
		__atomic_store_n(&stopped, 0, __ATOMIC_RELEASE);
		for (unsigned int i = 0; i < 2; i++)
			pthread_create(&vcpus[i], NULL, moving_vcpu,
				       i ? sim : NULL);
		for (unsigned int i = 0; i < 100;)
			i += ioreq_server_poll(server);
		device_close(device, DEVICE_DISCARD_STATE, NULL);
		device = NULL;
		ck_assert_uint_ge(sim_stats(sim)->pauses, 1);
		__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
		/*
		 * Answer the requests that were pending when the region was
		 * removed.
		 */
		while (__atomic_load_n(&stopped, __ATOMIC_ACQUIRE) < 2)
			ioreq_server_poll(server);
		for (unsigned int i = 0; i < 2; i++)
			pthread_join(vcpus[i], NULL);
		detach();
	}
}
END_TEST

static bool flips; /* change the mode after each write */

static void
flip(void)
{
	enum window_mode other = device_mode(device) == WINDOW_DIRECT ?
					 WINDOW_TRAP :
					 WINDOW_DIRECT;

	ck_assert_int_eq(device_set_mode(device, other, &err), 0);
	ck_assert_int_eq(device_mode(device), other);
	ck_assert_int_eq(t->ops->get_type(t, BASE >> 12),
			 other == WINDOW_DIRECT ? HVMMEM_ioreq_server :
						  HVMMEM_mmio_dm);
	ck_assert_uint_eq(sim_stats(sim)->paused, 0);
}

/* The same random traffic must have the same results in both modes. */
static void
traffic(enum window_mode mode, uint8_t *reads, uint8_t *image)
{
	static const uint8_t likely[] = { 0x10, 0x40, 0x20, 0xd0, 0x50,
					  0x70, 0x90, 0x98, 0xff };

	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach(mode), 0);
	srand(7);
	for (unsigned int i = 0; i < 2000; i++) {
		uint32_t off = (uint32_t)rand() % (SIZE - 8);
		uint64_t value = likely[rand() % 9] | (uint64_t)rand() << 8;
		unsigned int size = 1u << rand() % 4;

		sim_guest_write(sim, 0, BASE + off, &value, size);
		if (flips)
			flip();
		sim_guest_read(sim, 0, BASE + off, reads + 8 * i, size);
		if (i % 50 == 0)
			ck_assert(device_verify(device));
	}
	memcpy(image, store_image(store), SIZE);
	detach();
}

START_TEST(modes_agree)
{
	static uint8_t reads[2][16000], images[2][SIZE];

	traffic(WINDOW_DIRECT, reads[0], images[0]);
	teardown();
	make_vars();
	flips = _i == 1;
	traffic(WINDOW_TRAP, reads[1], images[1]);
	flips = false;
	ck_assert_mem_eq(reads[0], reads[1], sizeof(reads[0]));
	ck_assert_mem_eq(images[0], images[1], SIZE);
}
END_TEST

/* --- changing the mode --- */

/* The Nth call of the hypervisor fails, or all calls from the Nth on. */
static const struct transport_ops *sim_ops;
static struct transport_ops failing_ops;
static unsigned int calls, failing_call;
static bool for_good;

static bool
fails(void)
{
	calls++;
	return failing_call &&
	       (calls == failing_call || (for_good && calls > failing_call));
}

static int
failing_pause(struct transport *transport)
{
	return fails() ? -EIO : sim_ops->pause(transport);
}

static int
failing_own_type(struct transport *transport, bool own)
{
	return fails() ? -EIO : sim_ops->own_type(transport, own);
}

static int
failing_populate(struct transport *transport, uint64_t gfn, unsigned int count)
{
	return fails() ? -EIO : sim_ops->populate(transport, gfn, count);
}

/* Removes a part of the frames before it fails. */
static int
failing_depopulate(struct transport *transport, uint64_t gfn,
		   unsigned int count)
{
	if (!fails())
		return sim_ops->depopulate(transport, gfn, count);
	sim_ops->depopulate(transport, gfn, count / 2);
	return -EIO;
}

static void *
failing_map(struct transport *transport, uint64_t gfn, unsigned int count,
	    int prot)
{
	if (!fails())
		return sim_ops->map(transport, gfn, count, prot);
	errno = EIO;
	return NULL;
}

static int
failing_get_type(struct transport *transport, uint64_t gfn)
{
	return fails() ? -EIO : sim_ops->get_type(transport, gfn);
}

static int
failing_set_type(struct transport *transport, hvmmem_type_t type, uint64_t gfn,
		 unsigned int count)
{
	return fails() ? -EIO : sim_ops->set_type(transport, type, gfn, count);
}

static void
hypervisor_fails(unsigned int nth, bool from_then_on)
{
	if (t->ops != &failing_ops)
		sim_ops = t->ops;
	failing_ops = *sim_ops;
	failing_ops.pause = failing_pause;
	failing_ops.own_type = failing_own_type;
	failing_ops.populate = failing_populate;
	failing_ops.depopulate = failing_depopulate;
	failing_ops.map = failing_map;
	failing_ops.get_type = failing_get_type;
	failing_ops.set_type = failing_set_type;
	t->ops = &failing_ops;
	calls = 0;
	failing_call = nth;
	for_good = from_then_on;
}

/* In either mode reads and writes must reach the chip. */
static void
is_a_flash(uint8_t byte)
{
	ck_assert_uint_eq(sim_stats(sim)->paused, 0);
	w(0x2000, 0x20);
	w(0x2000, 0xd0);
	w(0x2000, 0x10);
	w(0x2000, byte);
	ck_assert_uint_eq(r(0x2fff), 0x80);
	w(0x2000, 0xff);
	ck_assert_uint_eq(r(0x2000), byte);
	ck_assert_uint_eq(r(1), 12);
}

static unsigned int unrecoverable, refused;

static void
fails_at(unsigned int nth, bool forever, enum window_mode to)
{
	int ret;

	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach(both[to == WINDOW_DIRECT]), 0);
	hypervisor_fails(nth, forever);
	ret = device_set_mode(device, to, &err);
	failing_call = 0;
	if (ret == -ENOTRECOVERABLE) {
		unrecoverable++;
		ck_assert_uint_eq(sim_stats(sim)->paused, 1);
		ck_assert(err.text[0]);
		t->ops->unpause(t);
	} else {
		refused += ret < 0;
		ck_assert((device_mode(device) == to) == (ret == 0));
		is_a_flash(0x3c);
		ck_assert_int_eq(device_set_mode(device, to, &err), 0);
		is_a_flash(0x5a);
	}
	detach();
}

/* _i: bit 0: the failure persists, bit 1: to direct mode. */
START_TEST(a_change_of_mode_fails)
{
	unsigned int nth = 0, all;

	unrecoverable = refused = 0;
	do {
		fails_at(++nth, _i & 1, both[_i >> 1]);
		all = nth > calls;
		teardown();
		make_vars();
	} while (!all);
	ck_assert_uint_gt(nth, 3);
	/* On the way to trap mode each failing call has a fallback. */
	ck_assert(refused || _i == 2);
}
END_TEST

START_TEST(mode_of_a_window_that_waits)
{
	after_loader = true;
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach(WINDOW_DIRECT), 0);
	ck_assert_int_eq(device_set_mode(device, WINDOW_TRAP, &err), -EAGAIN);
	ck_assert_int_eq(device_mode(device), WINDOW_DIRECT);
	after_loader = false;
	detach();
}
END_TEST

/* Without nested paging or without memory the mode does not change. */
START_TEST(direct_mode_cannot_be_had)
{
	hypervisor(_i ? FRAMES : FRAMES - 1, _i);
	ck_assert_int_eq(attach(WINDOW_AUTO), 0);
	ck_assert_int_eq(device_set_mode(device, WINDOW_TRAP, &err), 0);
	ck_assert_int_eq(device_set_mode(device, WINDOW_DIRECT, &err),
			 _i ? -EOPNOTSUPP : -ENOMEM);
	is_a_flash(0x3c);
	detach();
}
END_TEST

/* Repeatedly during rep movs: see closes_under_rep_movs. */
START_TEST(mode_changes_under_rep_movs)
{
	pthread_t vcpus[2];

	hypervisor(FRAMES, false);
	sim_set_server(sim, NULL, NULL);
	ck_assert_int_eq(attach(WINDOW_DIRECT), 0);
	stop = false;
	stopped = 0;
	for (unsigned int i = 0; i < 2; i++)
		pthread_create(&vcpus[i], NULL, moving_vcpu, i ? sim : NULL);
	for (unsigned int round = 0; round < 60; round++) {
		for (unsigned int i = 0; i < 20;)
			i += ioreq_server_poll(server);
		ck_assert_int_eq(device_set_mode(device, both[(round + 1) % 2],
						 &err),
				 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	while (__atomic_load_n(&stopped, __ATOMIC_ACQUIRE) < 2)
		ioreq_server_poll(server);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(vcpus[i], NULL);
	detach();
}
END_TEST

/* --- the file is released while the guest is suspended --- */

/* Another store opens the file in between, and may change it. */
static void
another_has_it(bool changes)
{
	const struct store_config sc = { .path = path };
	struct store *other;

	ck_assert_int_eq(store_open(&other, &sc, NULL, &err), 0);
	ck_assert_int_eq(device_resume(device, false, &err), -EBUSY);
	ck_assert(device_saved(device));
	if (changes)
		ck_assert_int_eq(store_program(other, 0x7000, "x", 1), 0);
	ck_assert_int_eq(store_close(other), 0);
}

/*
 * _i: 0: nobody opened the file, 1: another store did, 2: it changed the file.
 */
START_TEST(a_guest_that_is_not_migrated_goes_on)
{
	guest = "a guest";
	told_of = 0;
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach_incarnation(WINDOW_DIRECT, CFI_OVMF, "one"), 0);
	w(0x2000, CFI_CMD_PROGRAM);
	ck_assert(!device_saved(device));
	ck_assert_int_eq(device_save(device, &err), 0);
	ck_assert_int_eq(device_save(device, &err), 0);
	ck_assert(device_saved(device));
	ck_assert_int_eq(device_set_mode(device, WINDOW_TRAP, &err), -EAGAIN);
	if (_i)
		another_has_it(_i == 2);
	ck_assert_int_eq(device_resume(device, false, &err),
			 _i == 2 ? -ESTALE : 0);
	ck_assert(!device_saved(device));
	ck_assert_int_eq(told_of, _i == 2);
	w(0x2000, 0x5a); /* the data of the program command */
	ck_assert_uint_eq(r(0x2000) & (CFI_SR_READY | CFI_SR_PROGRAM),
			  _i == 2 ? CFI_SR_READY | CFI_SR_PROGRAM :
				    CFI_SR_READY);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(r(0x2000), _i == 2 ? 0xff : 0x5a);
	if (_i == 2) {
		ck_assert_int_eq(store_close(store), -ESTALE);
		ck_assert_int_eq(device_close(device, DEVICE_DISCARD_STATE,
					      &err),
				 0);
		device = NULL;
		store = NULL;
	}
	detach();
	guest = "";
}
END_TEST

static bool
state_exists(void)
{
	return access(state, F_OK) == 0;
}

static bool
block_is_locked(uint32_t block)
{
	bool locked;

	w(block * 4096, CFI_CMD_READ_ID);
	locked = r(block * 4096 + 2) & 1;
	w(0, CFI_CMD_READ_ARRAY);
	return locked;
}

/* pflashd is stopped and started again for the same guest. */
START_TEST(state_outlives_the_server)
{
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach_incarnation(WINDOW_AUTO, CFI_OVMF, "boot 1"),
			 0);
	w(0x5000, CFI_CMD_LOCK_SETUP);
	w(0x5000, CFI_CMD_LOCK_DOWN);
	w(0, CFI_CMD_BUFFER);
	w(0, 3);
	w(0x7010, 0x11);
	detach_incarnation(DEVICE_SAVE_STATE);
	ck_assert(state_exists());

	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach_incarnation(WINDOW_AUTO, CFI_OVMF, "boot 1"),
			 0);
	ck_assert(!state_exists()); /* after a crash it would be stale */
	ck_assert_uint_eq(r(0x123), CFI_SR_READY);
	w(0x7011, 0x22);
	w(0x7012, 0x33);
	w(0x7013, 0x44);
	w(0, CFI_CMD_CONFIRM);
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_mem_eq(store_image(store) + 0x7010, "\x11\x22\x33\x44", 4);
	ck_assert(block_is_locked(5));
	w(0x5000, CFI_CMD_LOCK_SETUP);
	w(0x5000, CFI_CMD_CONFIRM);
	ck_assert(block_is_locked(5)); /* locked down until power-on */
	detach_incarnation(DEVICE_SAVE_STATE);

	/* For another guest the chip is as after power-on. */
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach_incarnation(WINDOW_AUTO, CFI_OVMF, "boot 2"),
			 0);
	ck_assert(!block_is_locked(5));
	detach_incarnation(DEVICE_SAVE_STATE);
	ck_assert(!state_exists());
}
END_TEST

/* Puts guest memory at the flash, as xl restore does. */
static void
restore_memory(unsigned int frames)
{
	static const uint8_t old[] = "saved";

	hypervisor(FRAMES, false);
	ck_assert_int_eq(t->ops->populate(t, BASE >> 12, frames), 0);
	sim_guest_write(sim, 0, BASE, old, sizeof(old));
}

/* As xl save does: suspends the guest, saves, and destroys it. */
static void
save_and_detach(void)
{
	ck_assert_int_eq(device_save(device, &err), 0);
	detach();
}

static int
restore(enum window_mode mode)
{
	int ret;

	has_run = true;
	restore_memory(mode == WINDOW_DIRECT ? FRAMES : 0);
	ret = attach_incarnation(mode, CFI_OVMF, "restored");
	has_run = false;
	return ret;
}

static void
check_stale(enum window_mode mode)
{
	ck_assert_int_eq(restore(mode), -ESTALE);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	device_close(device, DEVICE_DISCARD_STATE, NULL);
	device = NULL;
	detach();
}

static void
save_in_a_program_command(enum window_mode mode)
{
	guest = "a guest";
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach_incarnation(mode, CFI_OVMF, "one"), 0);
	w(4096, CFI_CMD_LOCK_SETUP);
	w(4096, CFI_CMD_LOCK_BLOCK);
	w(0x2000, CFI_CMD_PROGRAM);
	save_and_detach();
}

START_TEST(restored_guest_goes_on)
{
	const enum window_mode mode = both[_i];

	save_in_a_program_command(mode);

	/* Another, new guest of the file must not continue the command. */
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach_incarnation(mode, CFI_OVMF, "two"), 0);
	w(0x2000, 0x5a);
	ck_assert_uint_eq(r(0x2000), 0xff);
	detach();

	ck_assert_int_eq(restore(mode), 0);
	ck_assert_int_eq(device_mode(device), mode);
	ck_assert(device_verify(device));
	w(0x2000, 0x5a); /* the data of the program command */
	w(0, CFI_CMD_READ_ARRAY);
	ck_assert_uint_eq(r(0x2000), 0x5a);
	ck_assert(block_is_locked(1));
	detach();
	guest = "";
}
END_TEST

/* A guest that was restored but never ran can be restored again. */
START_TEST(a_guest_is_restored_again_if_nothing_was_written)
{
	const enum window_mode mode = both[_i];

	save_in_a_program_command(mode);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(restore(mode), 0);
		ck_assert_uint_eq(r(0x2000), CFI_SR_READY);
		detach();
	}
	ck_assert_int_eq(restore(mode), 0);
	w(0x2000, 0x5a);
	w(0, CFI_CMD_READ_ARRAY);
	detach();
	check_stale(mode);
	guest = "";
}
END_TEST

START_TEST(a_guest_is_not_restored_over_what_was_written_since)
{
	const enum window_mode mode = both[_i];

	save_in_a_program_command(mode);
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach_incarnation(mode, CFI_OVMF, "two"), 0);
	w(0x3000, CFI_CMD_PROGRAM);
	w(0x3000, 0x11);
	w(0, CFI_CMD_READ_ARRAY);
	detach();
	check_stale(mode);
	force = true;
	ck_assert_int_eq(restore(mode), 0);
	force = false;
	ck_assert_uint_eq(r(0x3000),
			  0x11); /* the array's view, as after power-on */
	ck_assert(!block_is_locked(1));
	detach();
	guest = "";
}
END_TEST

/* xl save -c: the saved guest continues, and its flash too. */
START_TEST(a_saved_guest_that_goes_on_has_its_chip)
{
	save_in_a_program_command(WINDOW_DIRECT);
	ck_assert_int_eq(restore(WINDOW_DIRECT), 0);
	ck_assert_int_eq(device_save(device, &err), 0);
	ck_assert_int_eq(device_resume(device, false, &err), 0);
	w(0x2000, 0xff); /* changes the chip, not the image */
	if (_i == 1) {   /* unlocks the block, as after power-on */
		w(4096, CFI_CMD_LOCK_SETUP);
		w(4096, CFI_CMD_CONFIRM);
	}
	w(0, CFI_CMD_READ_ARRAY);
	detach_incarnation(DEVICE_SAVE_STATE);

	/*
	 * A new server must find the last state of the chip, not the saved one.
	 */
	has_run = true;
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach_incarnation(WINDOW_DIRECT, CFI_OVMF,
					    "restored"),
			 0);
	ck_assert_uint_eq(r(0x2000), 0xff);
	ck_assert(block_is_locked(1) == (_i == 0));
	detach();
	has_run = false;
	guest = "";
}
END_TEST

START_TEST(without_a_record_a_guest_is_not_restored)
{
	save_in_a_program_command(WINDOW_DIRECT);
	ck_assert_int_eq(unlink(state), 0);
	check_stale(WINDOW_DIRECT);
	guest = "";
}
END_TEST

/*
 * An incoming guest can have any name, and it may have no memory at the flash.
 */
START_TEST(an_incoming_guest_has_the_flash_it_was_saved_with)
{
	const enum window_mode mode = both[_i];

	save_in_a_program_command(mode);
	incoming = true;
	ck_assert_int_eq(restore(mode), 0);
	ck_assert_uint_eq(r(0x2000), CFI_SR_READY);
	detach();
	guest = "another guest";
	check_stale(mode);
	ck_assert_ptr_nonnull(strstr(err.text, "migrates"));
	guest = ""; /* the record does not name a guest */
	check_stale(mode);
	guest = "a guest";
	ck_assert_int_eq(unlink(state), 0);
	check_stale(mode);
	force = true;
	ck_assert_int_eq(restore(mode), 0);
	force = incoming = false;
	ck_assert(!block_is_locked(1)); /* as after power-on */
	detach();
	guest = "";
}
END_TEST

/* A state of this incarnation, or with another image, is not the saved one. */
START_TEST(an_incoming_guest_needs_the_image_that_was_saved)
{
	const enum window_mode mode = both[_i];

	save_in_a_program_command(mode);
	has_run = true;
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach_incarnation(mode, CFI_OVMF, "restored"), 0);
	w(0x3000, CFI_CMD_PROGRAM);
	w(0x3000, 0x11);
	detach_incarnation(DEVICE_SAVE_STATE);
	has_run = false;
	ck_assert(state_exists());
	incoming = true;
	check_stale(mode);
	incoming = false;
	guest = "";
}
END_TEST

/*
 * Restored with too few frames, or into the other mode: the memory is removed.
 */
START_TEST(restored_memory_is_taken_in_any_mode)
{
	has_run = true;
	restore_memory(FRAMES);
	ck_assert_int_eq(attach(WINDOW_TRAP), 0);
	ck_assert_uint_eq(r(0), store_image(store)[0]);
	detach();
	restore_memory(FRAMES - 2);
	ck_assert_int_eq(attach(WINDOW_AUTO), 0);
	ck_assert_int_eq(device_mode(device), WINDOW_TRAP);
	ck_assert_uint_eq(r(0), store_image(store)[0]);
	detach();
	restore_memory(FRAMES - 2);
	ck_assert_int_eq(attach(WINDOW_DIRECT), -EOPNOTSUPP);
	device = NULL;
	ioreq_server_close(server);
	sim_destroy(sim);
	/* A hole, as after a server that ended. */
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach(WINDOW_DIRECT), 0);
	ck_assert_int_eq(device_mode(device), WINDOW_DIRECT);
	ck_assert_uint_eq(r(0), store_image(store)[0]);
	detach();
	has_run = false;
}
END_TEST

START_TEST(the_protection_register_outlives_guests)
{
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach_incarnation(WINDOW_AUTO, CFI_OVMF, "boot 1"),
			 0);
	w(0x89, CFI_CMD_PROTECT);
	w(0x89, 0x5a);
	ck_assert_uint_eq(r(0), CFI_SR_READY);
	ck_assert(state_exists());
	w(0x5000, CFI_CMD_LOCK_SETUP);
	w(0x5000, CFI_CMD_LOCK_BLOCK);
	detach_incarnation(DEVICE_DISCARD_STATE);

	/*
	 * The saved state has the protection register only, and no incarnation.
	 */
	for (int personality = CFI_OVMF; personality <= CFI_QEMU;
	     personality++) {
		hypervisor(FRAMES, false);
		ck_assert_int_eq(
			attach_incarnation(WINDOW_AUTO,
					   (enum cfi_personality)personality,
					   "boot 1"),
			0);
		w(0, CFI_CMD_READ_ID);
		ck_assert_uint_eq(r(0x80), 0xfe);
		ck_assert_uint_eq(r(0x89), 0x5a);
		w(0x5000, CFI_CMD_READ_ID);
		ck_assert_uint_eq(r(0x5002), personality == CFI_STRICT);
		w(0, CFI_CMD_READ_ARRAY);
		detach_incarnation(personality == CFI_STRICT);
		ck_assert(state_exists());
	}
}
END_TEST

START_TEST(damaged_state_is_refused)
{
	uint8_t bytes[16];
	FILE *file;

	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach_incarnation(WINDOW_AUTO, CFI_OVMF, "boot 1"),
			 0);
	w(0x89, CFI_CMD_PROTECT);
	w(0x89, 0x5a);
	detach_incarnation(DEVICE_DISCARD_STATE);
	file = fopen(state, "r+");
	ck_assert_ptr_nonnull(file);
	for (long at = 0; at < 522; at += 7) {
		fseek(file, at, SEEK_SET);
		ck_assert_uint_eq(fread(bytes, 1, 1, file), 1);
		bytes[0] ^= 0x10;
		fseek(file, at, SEEK_SET);
		fwrite(bytes, 1, 1, file);
		fflush(file);
		hypervisor(FRAMES, false);
		ck_assert_int_eq(attach_incarnation(WINDOW_AUTO, CFI_OVMF, ""),
				 -EUCLEAN);
		ck_assert_ptr_nonnull(strstr(err.text, state));
		device_close(device, DEVICE_DISCARD_STATE, NULL);
		device = NULL;
		detach_incarnation(DEVICE_DISCARD_STATE);
		bytes[0] ^= 0x10;
		fseek(file, at, SEEK_SET);
		fwrite(bytes, 1, 1, file);
		fflush(file);
	}
	fclose(file);
	hypervisor(FRAMES, false);
	ck_assert_int_eq(attach_incarnation(WINDOW_AUTO, CFI_OVMF, ""), 0);
	detach_incarnation(DEVICE_DISCARD_STATE);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("window");
	TCase *tc = tcase_create("window");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, views_are_what_the_chip_says, 0, 2);
	tcase_add_loop_test(tc, programs_and_erases, 0, 2);
	tcase_add_loop_test(tc, bulk_copies, 0, 2);
	tcase_add_test(tc, auto_falls_back_without_nested_paging);
	tcase_add_test(tc, auto_falls_back_without_memory);
	tcase_add_test(tc, another_owner_of_the_type);
	tcase_add_test(tc, ranges);
	tcase_add_test(tc, code_tail_is_read_only);
	tcase_add_test(tc, an_open_burst_is_flushed);
	tcase_add_loop_test(tc, closes_under_a_request, 0, 2);
	tcase_add_test(tc, closes_under_rep_movs);
	tcase_add_test(tc, takes_what_the_loader_put_there);
	tcase_add_test(tc, nothing_is_taken_without_a_firmware);
	tcase_add_loop_test(tc, modes_agree, 0, 2);
	tcase_add_loop_test(tc, a_change_of_mode_fails, 0, 4);
	tcase_add_test(tc, mode_of_a_window_that_waits);
	tcase_add_loop_test(tc, direct_mode_cannot_be_had, 0, 2);
	tcase_add_test(tc, mode_changes_under_rep_movs);
	tcase_add_loop_test(tc, a_guest_that_is_not_migrated_goes_on, 0, 3);
	tcase_add_test(tc, state_outlives_the_server);
	tcase_add_loop_test(tc, restored_guest_goes_on, 0, 2);
	tcase_add_loop_test(tc,
			    a_guest_is_restored_again_if_nothing_was_written, 0,
			    2);
	tcase_add_loop_test(tc,
			    a_guest_is_not_restored_over_what_was_written_since,
			    0, 2);
	tcase_add_loop_test(tc, a_saved_guest_that_goes_on_has_its_chip, 0, 2);
	tcase_add_test(tc, without_a_record_a_guest_is_not_restored);
	tcase_add_loop_test(tc,
			    an_incoming_guest_has_the_flash_it_was_saved_with,
			    0, 2);
	tcase_add_loop_test(tc,
			    an_incoming_guest_needs_the_image_that_was_saved, 0,
			    2);
	tcase_add_test(tc, restored_memory_is_taken_in_any_mode);
	tcase_add_test(tc, the_protection_register_outlives_guests);
	tcase_add_test(tc, damaged_state_is_refused);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
