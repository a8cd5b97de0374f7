/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocol of xenstore's ring: xen/io/xs_wire.h; that of the key
 * control/shutdown: docs/misc/xenstore-paths.pandoc of Xen.
 */
#include "control.h"

#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/hvm/params.h>
#include <xen/io/xs_wire.h>

#include "xen.h"

#define SHUTDOWN_KEY "control/shutdown"
#define LOOKS_AT_STORE_EVERY 2000u

static struct xenstore_domain_interface *
ring(void)
{
	return (void *)(uintptr_t)(xen_param(HVM_PARAM_STORE_PFN) << 12);
}

static void
tell_store(void)
{
	xen_notify((uint32_t)xen_param(HVM_PARAM_STORE_EVTCHN));
}

static uint32_t
now(const uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static void
put(const void *from, size_t len)
{
	struct xenstore_domain_interface *r = ring();
	const char *bytes = from;

	while (len--) {
		while (r->req_prod - now(&r->req_cons) == XENSTORE_RING_SIZE) {
			tell_store();
			xen_yield();
		}
		r->req[MASK_XENSTORE_IDX(r->req_prod)] = *bytes++;
		__atomic_store_n(&r->req_prod, r->req_prod + 1,
				 __ATOMIC_RELEASE);
	}
}

static void
get(void *to, size_t len)
{
	struct xenstore_domain_interface *r = ring();
	char *bytes = to;

	while (len--) {
		while (now(&r->rsp_prod) == r->rsp_cons) {
			tell_store();
			xen_yield();
		}
		*bytes++ = r->rsp[MASK_XENSTORE_IDX(r->rsp_cons)];
		__atomic_store_n(&r->rsp_cons, r->rsp_cons + 1,
				 __ATOMIC_RELEASE);
	}
}

/* Sends the key's name and, for a write, an empty value after it; leaves the
 * answer, which may be empty. */
static void
ask(uint32_t type, char answer[32])
{
	struct xsd_sockmsg message = {
		.type = type,
		.len = sizeof(SHUTDOWN_KEY),
	};
	uint32_t i;
	char byte;

	put(&message, sizeof(message));
	put(SHUTDOWN_KEY, sizeof(SHUTDOWN_KEY));
	tell_store();
	get(&message, sizeof(message));
	for (i = 0; i < message.len; i++) {
		get(&byte, 1);
		if (i < 31)
			answer[i] = byte;
	}
	answer[i < 31 ? i : 31] = '\0';
	if (message.type != type)
		answer[0] = '\0';
	tell_store();
}

static bool
same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static void
look_at_store(void)
{
	char request[32], answer[32];

	ask(XS_READ, request);
	if (!request[0])
		return;
	ask(XS_WRITE, answer);
	con_text("# asked for ");
	con_text(request);
	con_char('\n');
	if (same(request, "poweroff"))
		xen_end(SHUTDOWN_poweroff);
	if (same(request, "reboot"))
		xen_end(SHUTDOWN_reboot);
	if (same(request, "suspend")) {
		xen_shutdown(SHUTDOWN_suspend);
		con_text("# goes on\n");
		con_drain();
	}
}

bool
control_typed(void)
{
	int c = con_input();

	return c == '\r' || c == '\n';
}

void
control_look(const struct control *control)
{
	if (control->store)
		look_at_store();
}

void
control_wait(const struct control *control)
{
	unsigned int turns = 0;

	con_text("# waits\n");
	con_drain();
	if (control->soft_reset) {
		xen_shutdown(SHUTDOWN_soft_reset);
		con_text("# goes on\n");
		return;
	}
	while (!control_typed()) {
		if (control->store && turns++ % LOOKS_AT_STORE_EVERY == 0)
			look_at_store();
		xen_yield();
	}
}
