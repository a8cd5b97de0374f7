/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/reset.h"

#include <time.h>

#include <xen/sched.h>

#define PORT_RESET_CONTROL 0xcf9
#define RESET_CPU 0x04 /* RST_CPU: a rising edge resets the CPU */

#define PORT_KEYBOARD_COMMAND 0x64
#define KEYBOARD_PULSE_RESET 0xfe /* pulse output line 0 of the 8042 */

/* Returns ones, like an empty bus: the guest finds no keyboard controller. */
static uint64_t
port_read(void *opaque, uint64_t off, unsigned int size)
{
	(void)opaque, (void)off, (void)size;
	return UINT64_MAX;
}

/* Static: a process serves one domain. */
static struct {
	struct transport *transport;
	reset_asked *asked;
	void *opaque;
	time_t last; /* the last request to Xen, CLOCK_MONOTONIC seconds */
} reset;

/*
 * Requests a reboot from Xen at most once a second: one request (rep outs) can
 * write the port thousands of times, and several vCPUs can write it at the same
 * time.
 */
static void
reboot(void)
{
	struct transport *t = reset.transport;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec == reset.last)
		return;
	reset.last = now.tv_sec;
	reset.asked(reset.opaque, t->ops->shutdown(t, SHUTDOWN_reboot));
}

static void
control_write(void *opaque, uint64_t off, unsigned int size, uint64_t value)
{
	(void)opaque, (void)off, (void)size;
	if (value & RESET_CPU)
		reboot();
}

static void
keyboard_write(void *opaque, uint64_t off, unsigned int size, uint64_t value)
{
	(void)opaque, (void)off, (void)size;
	if ((value & 0xff) == KEYBOARD_PULSE_RESET)
		reboot();
}

static const struct ioreq_region_ops control_ops = {
	.read = port_read,
	.write = control_write,
};

static const struct ioreq_region_ops keyboard_ops = {
	.read = port_read,
	.write = keyboard_write,
};

int
reset_add(struct ioreq_server *server, struct transport *t, reset_asked *asked,
	  void *opaque, struct error *err)
{
	const struct ioreq_region control = {
		.space = IOREQ_SPACE_PORT,
		.first = PORT_RESET_CONTROL,
		.size = 1,
		.ops = &control_ops,
	};
	const struct ioreq_region keyboard = {
		.space = IOREQ_SPACE_PORT,
		.first = PORT_KEYBOARD_COMMAND,
		.size = 1,
		.ops = &keyboard_ops,
	};
	int ret;

	reset.transport = t;
	reset.asked = asked;
	reset.opaque = opaque;
	ret = ioreq_server_add(server, &control, err);
	return ret < 0 ? ret : ioreq_server_add(server, &keyboard, err);
}
