/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Implements the transport by the libraries of Xen.  libxendevicemodel,
 * libxenforeignmemory, libxenevtchn and libxencall have a stable interface.
 * libxencall makes the hypercalls that the others lack (populating frames, the
 * type of a frame), whose ABI is stable, too.  domctl.c makes the rest.
 */
#include "pflash/xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xen/domctl.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/version.h>
#include <xencall.h>
#include <xendevicemodel.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xentoolcore.h>
#include <xentoollog.h>

#include "domctl.h"

#define CR0_PG UINT64_C(0x80000000)

struct xen {
	struct transport transport;
	domid_t domid;
	ioservid_t server;
	xentoollog_logger_stdiostream *log;
	xendevicemodel_handle *devicemodel;
	xenforeignmemory_handle *memory;
	xenevtchn_handle *events;
	xencall_handle *calls;
	struct domctl *control;
	xenforeignmemory_resource_handle *page;
};

static struct xen *
xen_of(struct transport *t)
{
	return (struct xen *)(void *)t; /* the first member */
}

/* The libraries return -1 and set errno; converts that to -errno. */
static int
result(int ret)
{
	return ret < 0 ? -errno : ret;
}

static int
page_map(struct xen *xen)
{
	void *page = NULL;

	xen->page = xenforeignmemory_map_resource(
		xen->memory, xen->domid, XENMEM_resource_ioreq_server,
		xen->server, XENMEM_resource_ioreq_server_frame_ioreq(0), 1,
		&page, PROT_READ | PROT_WRITE, 0);
	if (!xen->page)
		return -errno;
	xen->transport.page = page;
	return 0;
}

static int
xen_op_create(struct transport *t)
{
	struct xen *xen = xen_of(t);
	int ret = result(xendevicemodel_create_ioreq_server(
		xen->devicemodel, xen->domid, HVM_IOREQSRV_BUFIOREQ_OFF,
		&xen->server));

	if (ret < 0)
		return ret;
	ret = page_map(xen);
	if (ret < 0)
		xendevicemodel_destroy_ioreq_server(xen->devicemodel,
						    xen->domid, xen->server);
	return ret;
}

static int
xen_op_adopt(struct transport *t, uint32_t id)
{
	struct xen *xen = xen_of(t);

	xen->server = (ioservid_t)id;
	return page_map(xen);
}

static uint32_t
xen_op_id(struct transport *t)
{
	return xen_of(t)->server;
}

static void
xen_op_destroy(struct transport *t)
{
	struct xen *xen = xen_of(t);

	/* Xen cannot free the server or the domain while it is mapped. */
	xenforeignmemory_unmap_resource(xen->memory, xen->page);
	t->page = NULL;
	xendevicemodel_destroy_ioreq_server(xen->devicemodel, xen->domid,
					    xen->server);
}

static int
xen_op_enable(struct transport *t, bool on)
{
	struct xen *xen = xen_of(t);

	return result(xendevicemodel_set_ioreq_server_state(xen->devicemodel,
							    xen->domid,
							    xen->server, on));
}

static int
xen_op_claim(struct transport *t, enum ioreq_space space, uint64_t first,
	     uint64_t last)
{
	struct xen *xen = xen_of(t);

	return result(xendevicemodel_map_io_range_to_ioreq_server(
		xen->devicemodel, xen->domid, xen->server,
		space == IOREQ_SPACE_MEMORY, first, last));
}

static int
xen_op_release(struct transport *t, enum ioreq_space space, uint64_t first,
	       uint64_t last)
{
	struct xen *xen = xen_of(t);

	return result(xendevicemodel_unmap_io_range_from_ioreq_server(
		xen->devicemodel, xen->domid, xen->server,
		space == IOREQ_SPACE_MEMORY, first, last));
}

static int
xen_op_bind(struct transport *t, uint32_t remote_port)
{
	struct xen *xen = xen_of(t);

	return result(xenevtchn_bind_interdomain(xen->events, xen->domid,
						 remote_port));
}

static int
xen_op_event_fd(struct transport *t)
{
	return xenevtchn_fd(xen_of(t)->events);
}

static int
xen_op_pending(struct transport *t)
{
	return result(xenevtchn_pending(xen_of(t)->events));
}

static int
xen_op_unmask(struct transport *t, int port)
{
	return result(xenevtchn_unmask(xen_of(t)->events, (evtchn_port_t)port));
}

static int
xen_op_notify(struct transport *t, int port)
{
	return result(xenevtchn_notify(xen_of(t)->events, (evtchn_port_t)port));
}

/*
 * `op` is XENMEM_populate_physmap or XENMEM_decrease_reservation.  Returns the
 * number of frames that were added or removed, or -errno.
 */
static int
reservation(struct xen *xen, unsigned int op, uint64_t gfn, unsigned int count)
{
	struct xen_memory_reservation *args;
	xen_pfn_t *frames;
	int ret = -ENOMEM;

	args = xencall_alloc_buffer(xen->calls, sizeof(*args));
	frames = xencall_alloc_buffer(xen->calls, count * sizeof(*frames));
	if (args && frames) {
		for (unsigned int i = 0; i < count; i++)
			frames[i] = gfn + i;
		memset(args, 0, sizeof(*args));
		set_xen_guest_handle_raw(args->extent_start, frames);
		args->nr_extents = count;
		args->domid = xen->domid;
		ret = result(xencall2(xen->calls, __HYPERVISOR_memory_op, op,
				      (uint64_t)(uintptr_t)args));
	}
	if (frames)
		xencall_free_buffer(xen->calls, frames);
	if (args)
		xencall_free_buffer(xen->calls, args);
	return ret;
}

static int
xen_op_populate(struct transport *t, uint64_t gfn, unsigned int count)
{
	struct xen *xen = xen_of(t);
	int ret = reservation(xen, XENMEM_populate_physmap, gfn, count);

	if (ret < 0 || (unsigned int)ret == count)
		return ret < 0 ? ret : 0;
	if (ret > 0) /* the domain has reached its memory limit: undo */
		reservation(xen, XENMEM_decrease_reservation, gfn,
			    (unsigned int)ret);
	return -ENOMEM;
}

static int
xen_op_depopulate(struct transport *t, uint64_t gfn, unsigned int count)
{
	int ret = reservation(xen_of(t), XENMEM_decrease_reservation, gfn,
			      count);

	return ret < 0 ? ret : 0;
}

static void *
xen_op_map(struct transport *t, uint64_t gfn, unsigned int count, int prot)
{
	struct xen *xen = xen_of(t);
	xen_pfn_t *frames = calloc(count, sizeof(*frames));
	void *va;
	int saved;

	if (!frames)
		return NULL;
	for (unsigned int i = 0; i < count; i++)
		frames[i] = gfn + i;
	va = xenforeignmemory_map(xen->memory, xen->domid, prot, count, frames,
				  NULL);
	saved = errno;
	free(frames);
	errno = saved;
	return va;
}

static void
xen_op_unmap(struct transport *t, void *frames, unsigned int count)
{
	xenforeignmemory_unmap(xen_of(t)->memory, frames, count);
}

static int
xen_op_get_type(struct transport *t, uint64_t gfn)
{
	struct xen *xen = xen_of(t);
	struct xen_hvm_get_mem_type *args;
	int ret;

	args = xencall_alloc_buffer(xen->calls, sizeof(*args));
	if (!args)
		return -ENOMEM;
	memset(args, 0, sizeof(*args));
	args->domid = xen->domid;
	args->pfn = gfn;
	ret = result(xencall2(xen->calls, __HYPERVISOR_hvm_op,
			      HVMOP_get_mem_type, (uint64_t)(uintptr_t)args));
	if (ret == 0)
		ret = args->mem_type;
	xencall_free_buffer(xen->calls, args);
	return ret;
}

static int
xen_op_set_type(struct transport *t, hvmmem_type_t type, uint64_t gfn,
		unsigned int count)
{
	struct xen *xen = xen_of(t);

	return result(xendevicemodel_set_mem_type(xen->devicemodel, xen->domid,
						  type, gfn, count));
}

static int
xen_op_own_type(struct transport *t, bool own)
{
	struct xen *xen = xen_of(t);

	return result(xendevicemodel_map_mem_type_to_ioreq_server(
		xen->devicemodel, xen->domid, xen->server, HVMMEM_ioreq_server,
		own ? XEN_DMOP_IOREQ_MEM_ACCESS_WRITE : 0));
}

static int
xen_op_shutdown(struct transport *t, unsigned int reason)
{
	struct xen *xen = xen_of(t);

	return result(xendevicemodel_shutdown(xen->devicemodel, xen->domid,
					      reason));
}

static int
xen_op_pause(struct transport *t)
{
	struct xen *xen = xen_of(t);

	return domctl_pause(xen->control, xen->domid);
}

static int
xen_op_unpause(struct transport *t)
{
	struct xen *xen = xen_of(t);

	return domctl_unpause(xen->control, xen->domid);
}

static int
xen_op_is_paused(struct transport *t)
{
	struct xen *xen = xen_of(t);
	uint32_t flags;
	int ret = domctl_flags(xen->control, xen->domid, &flags);

	return ret < 0 ? ret : (flags & XEN_DOMINF_paused) != 0;
}

static bool
xen_op_alive(struct transport *t)
{
	struct xen *xen = xen_of(t);

	return xendevicemodel_get_ioreq_server_info(xen->devicemodel,
						    xen->domid, xen->server,
						    NULL, NULL, NULL) == 0;
}

static int
xen_op_shutdown_reason(struct transport *t)
{
	struct xen *xen = xen_of(t);
	uint32_t flags;
	int ret = domctl_flags(xen->control, xen->domid, &flags);

	if (ret < 0)
		return ret;
	if (flags & XEN_DOMINF_dying)
		return -ESRCH;
	if (!(flags & XEN_DOMINF_shutdown))
		return -EINPROGRESS;
	return (int)(flags >> XEN_DOMINF_shutdownshift &
		     XEN_DOMINF_shutdownmask);
}

/* A new domain starts in firmware or hvmloader, which run without paging. */
static int
xen_op_has_run(struct transport *t)
{
	struct xen *xen = xen_of(t);
	uint64_t cr0;
	int ret = domctl_cr0(xen->control, xen->domid, &cr0);

	return ret < 0 ? ret : (cr0 & CR0_PG) != 0;
}

/* Restricts every handle of Xen that the process has. */
static int
xen_op_confine(struct transport *t)
{
	return result(xentoolcore_restrict_all(xen_of(t)->domid));
}

static void
xen_op_close(struct transport *t)
{
	struct xen *xen = xen_of(t);

	if (xen->events)
		xenevtchn_close(xen->events);
	if (xen->memory)
		xenforeignmemory_close(xen->memory);
	if (xen->devicemodel)
		xendevicemodel_close(xen->devicemodel);
	if (xen->control)
		domctl_close(xen->control);
	if (xen->calls)
		xencall_close(xen->calls);
	if (xen->log)
		xtl_logger_destroy((xentoollog_logger *)xen->log);
	free(xen);
}

static const struct transport_ops xen_ops = {
	.create = xen_op_create,
	.adopt = xen_op_adopt,
	.id = xen_op_id,
	.destroy = xen_op_destroy,
	.enable = xen_op_enable,
	.claim = xen_op_claim,
	.release = xen_op_release,
	.bind = xen_op_bind,
	.event_fd = xen_op_event_fd,
	.pending = xen_op_pending,
	.unmask = xen_op_unmask,
	.notify = xen_op_notify,
	.populate = xen_op_populate,
	.depopulate = xen_op_depopulate,
	.map = xen_op_map,
	.unmap = xen_op_unmap,
	.get_type = xen_op_get_type,
	.set_type = xen_op_set_type,
	.own_type = xen_op_own_type,
	.shutdown = xen_op_shutdown,
	.pause = xen_op_pause,
	.unpause = xen_op_unpause,
	.is_paused = xen_op_is_paused,
	.alive = xen_op_alive,
	.shutdown_reason = xen_op_shutdown_reason,
	.has_run = xen_op_has_run,
	.confine = xen_op_confine,
	.close = xen_op_close,
};

static int
control_open(struct xen *xen, struct error *err)
{
	int version = xencall2(xen->calls, __HYPERVISOR_xen_version,
			       XENVER_version, 0);

	if (version < 0)
		return error_errno(err, errno, "the version of Xen");
	return domctl_open(&xen->control, (uint32_t)version,
			   (struct xentoollog_logger *)xen->log, err);
}

static int
handles_open(struct xen *xen, struct error *err)
{
	const char *node = "/dev/xen/privcmd";
	struct xentoollog_logger *log;
	int flags, ret;

	/* The caller logs *err: keep the libraries' messages quiet. */
	xen->log = xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
	log = (struct xentoollog_logger *)xen->log;
	xen->calls = xencall_open(log, 0);
	if (!xen->calls)
		return error_errno(err, errno, "%s", node);
	ret = control_open(xen, err);
	if (ret < 0)
		return ret;
	xen->devicemodel = xendevicemodel_open(log, 0);
	if (xen->devicemodel)
		xen->memory = xenforeignmemory_open(log, 0);
	if (xen->memory) {
		node = "/dev/xen/evtchn";
		xen->events = xenevtchn_open(log, 0);
	}
	if (!xen->events)
		return error_errno(err, errno, "%s", node);
	flags = fcntl(xenevtchn_fd(xen->events), F_GETFL);
	if (flags < 0 ||
	    fcntl(xenevtchn_fd(xen->events), F_SETFL, flags | O_NONBLOCK) < 0)
		return error_errno(err, errno, "%s", node);
	return 0;
}

int
xen_transport_open(struct transport **out, uint32_t domid, struct error *err)
{
	struct xen *xen = calloc(1, sizeof(*xen));
	unsigned int vcpus;
	int ret;

	if (!xen)
		return error_set(err, ENOMEM, "out of memory");
	xen->transport.ops = &xen_ops;
	xen->domid = (domid_t)domid;
	ret = handles_open(xen, err);
	if (ret == 0) {
		ret = result(xendevicemodel_nr_vcpus(xen->devicemodel,
						     xen->domid, &vcpus));
		if (ret == -ESRCH)
			error_set(err, ESRCH, "no domain %u", domid);
		else if (ret < 0)
			error_errno(err, -ret,
				    "domain %u cannot have an ioreq server "
				    "(is it HVM or PVH?)",
				    domid);
	}
	if (ret < 0) {
		xen_op_close(&xen->transport);
		return ret;
	}
	xen->transport.vcpus = vcpus;
	*out = &xen->transport;
	return 0;
}

int64_t
xen_transport_cpu_time(struct transport *t)
{
	struct xen *xen = xen_of(t);

	return domctl_cpu_time(xen->control, xen->domid);
}
