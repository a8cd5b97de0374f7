/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/reset.h"

#include <time.h>

#include <xen/sched.h>

#define PORT_RESET_CONTROL 0xcf9
#define RESET_CPU 0x04 /* a rising edge resets (ICH9 data sheet, RST_CNT) */

#define PORT_KEYBOARD_COMMAND 0x64
#define KEYBOARD_PULSE_RESET 0xfe /* pulse output line 0 of the 8042 */

/* Ones, as from an empty bus: there is no keyboard controller to be found. */
static uint64_t
port_read(void *opaque, uint64_t off, unsigned int size)
{
	(void)opaque, (void)off, (void)size;
	return UINT64_MAX;
}

/* There is one domain, and so one of these. */
static struct {
	struct transport *transport;
	reset_asked *asked;
	void *opaque;
	time_t last; /* that Xen was asked */
} reset;

/*
 * One request can ask for it thousands of times, and several vCPUs at once: Xen
 * is asked once a second.
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
