/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broker parses nothing but struct channel_request.  An honest worker never
 * sends a request that check() refuses; one that does is controlled by its
 * guest, and the supervisor kills it.
 */
#include "supervisor/broker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "pflash/window.h"

#define FRAMES_MAX 4096 /* in one request: the largest flash, 16 MiB */

/*
 * Requests a second.  An honest worker sends three for each new journal, that
 * is, for each quarter of a megabyte that the guest writes.
 */
static const struct limit_config request_limit = { .rate = 200,
						   .burst = 10000 };

void
broker_begin(struct broker *broker)
{
	broker->was_ready |= broker->is_ready;
	broker->is_ready = broker->record_installed = broker->mode_ordered =
		false;
	broker->traces_ordered = 0;
	broker->requests = 0;
	limit_init(&broker->limit, &request_limit, 0, limit_clock());
}

static bool
is_file_verb(const struct channel_request *request)
{
	return request->verb <= CHANNEL_KEEP;
}

static bool
changes_frames(const struct channel_request *request)
{
	return request->verb == CHANNEL_POPULATE ||
	       request->verb == CHANNEL_DEPOPULATE;
}

/* Like check(), for the role CHANNEL_HANDOVER. */
static const char *
check_record(const struct broker *broker, const struct channel_request *request)
{
	if (!broker->rundir)
		return "there is no domain";
	if (request->verb != CHANNEL_INSTALL)
		return "the handover record may only be installed";
	return broker->record_installed ? "the record was installed already" :
					  NULL;
}

/* Like check(), for the role CHANNEL_TRACE. */
static const char *
check_trace(const struct broker *broker, const struct channel_request *request)
{
	if (request->verb != CHANNEL_OPEN || !request->flag)
		return "the trace may only be opened for writing";
	return broker->traces_ordered ? NULL : "no trace was ordered";
}

/*
 * Like check(), for the role FILES_NEXT, which the administrator writes and the
 * first worker takes before its guest has run.
 */
static const char *
check_queue(const struct broker *broker, const struct channel_request *request)
{
	if (broker->was_ready || broker->is_ready)
		return "the queue is taken before the guest runs";
	if (request->verb == CHANNEL_CREATE ||
	    request->verb == CHANNEL_INSTALL || request->flag)
		return "the queue is not written";
	return NULL;
}

/*
 * Like check(), for the role FILES_PINS.  A guest may control a worker that has
 * been ready, so that such a worker cannot write what binds the next guest.
 */
static const char *
check_pins(const struct broker *broker, const struct channel_request *request)
{
	bool reads = request->verb == CHANNEL_OPEN && !request->flag;

	if (request->verb == CHANNEL_KEEP)
		return "only the queue may be kept";
	if (!reads && (broker->was_ready || broker->is_ready))
		return "the values of pinned variables are written before the "
		       "guest runs";
	if (request->verb == CHANNEL_REMOVE && !request->flag)
		return "only the state file may be removed";
	return NULL;
}

/* Like check(), for CHANNEL_OPEN to CHANNEL_KEEP. */
static const char *
check_file(const struct broker *broker, const struct channel_request *request)
{
	if (request->role == CHANNEL_HANDOVER)
		return check_record(broker, request);
	if (request->role == CHANNEL_TRACE)
		return check_trace(broker, request);
	if (request->role == FILES_NEXT)
		return check_queue(broker, request);
	if (request->role == FILES_PINS)
		return check_pins(broker, request);
	if (request->verb == CHANNEL_KEEP)
		return "only the queue may be kept";
	if (request->role >= FILES_ROLES)
		return "unknown role";
	if (request->role == FILES_VARS && request->verb != CHANNEL_OPEN &&
	    (broker->was_ready || broker->is_ready))
		return "the VARS file exists already";
	if (request->role == FILES_VARS && request->verb == CHANNEL_INSTALL &&
	    request->flag)
		return "the VARS file is never replaced";
	if (request->verb == CHANNEL_REMOVE && !request->flag &&
	    request->role != FILES_STATE)
		return "only the state file may be removed";
	return NULL;
}

/*
 * Like check(), for CHANNEL_POPULATE and CHANNEL_DEPOPULATE: the flash and the
 * firmware's last volume lie in the hole for firmware.
 */
static const char *
check_frames(const struct channel_request *request)
{
	struct error err;

	if (request->gfn > WINDOW_HOLE_LAST >> FRAME_SHIFT ||
	    request->count > FRAMES_MAX ||
	    window_check_addresses(request->gfn << FRAME_SHIFT,
				   (uint64_t)request->count << FRAME_SHIFT,
				   &err) < 0)
		return "frames outside the hole for firmware";
	return NULL;
}

/* Like check(), for the other verbs. */
static const char *
check_other(const struct broker *broker, const struct channel_request *request)
{
	switch (request->verb) {
	case CHANNEL_PAUSE:
		if (request->flag)
			return NULL;
		return rundir_paused(broker->rundir) ?
			       "the domain is paused already" :
			       NULL;
	case CHANNEL_READY:
		return broker->is_ready ? "the worker was ready already" : NULL;
	case CHANNEL_MODE:
		return broker->mode_ordered ? NULL :
					      "no mode change was ordered";
	default: return NULL;
	}
}

/*
 * A guest can cause any number of some requests: CHANNEL_GET_TYPE by each ioreq
 * whose data is in guest memory; and a pause, which is repeated until it hits a
 * moment without an ioreq, by writing all the time.
 */
static bool
is_limited(const struct channel_request *request)
{
	switch (request->verb) {
	case CHANNEL_GET_TYPE:
	case CHANNEL_UNPAUSE: return false;
	case CHANNEL_PAUSE: return request->flag;
	default: return true;
	}
}

/* Only a device with all files of the flash is opened more than once. */
static unsigned int
most_flag(const struct channel_request *request)
{
	return request->verb == CHANNEL_OPEN && request->role == FILES_VARS ?
		       FILES_BESIDE :
		       1;
}

/* Returns the violated rule, or NULL: the request is allowed. */
static const char *
check(struct broker *broker, const struct channel_request *request)
{
	if (is_limited(request) &&
	    !limit_allows(&broker->limit, ++broker->requests, limit_clock()))
		return "too many requests";
	if (request->verb == 0 || request->verb >= CHANNEL_VERBS ||
	    request->flag > most_flag(request) || request->zero)
		return "unknown request";
	if (is_file_verb(request))
		return check_file(broker, request);
	if (!broker->transport)
		return "there is no domain";
	return changes_frames(request) ? check_frames(request) :
					 check_other(broker, request);
}

static int
install_record(struct broker *broker)
{
	int ret = rundir_install(broker->rundir);

	broker->record_installed = ret == 0;
	return ret;
}

static int
open_trace(struct broker *broker, struct channel_reply *reply, int *fd_out)
{
	broker->traces_ordered--;
	*fd_out = broker->trace(broker->opaque, &reply->flags);
	return *fd_out < 0 ? *fd_out : 0;
}

/* Returns the number in the new name, as the channel defines it. */
static int
keep_file(struct files *files, enum files_role role)
{
	char *name;
	int ret = files->ops->keep(files, role, false, &name), number = 0;
	const char *dot;

	if (ret < 0)
		return ret;
	dot = strrchr(name, '.');
	if (dot)
		number = atoi(dot + 1);
	free(name);
	return number;
}

/* The files of a guest that was suspended may belong to another host. */
static int
take_lease(const struct broker *broker, const struct channel_request *request)
{
	bool reads = request->verb == CHANNEL_OPEN && !request->flag;

	return reads || !broker->lease ? 0 : broker->lease(broker->opaque);
}

/*
 * The store uses no offset of a descriptor.  At its end write(2) changes
 * nothing that is there, and a worker that its guest controls cannot move it
 * back (see sandbox_limit_writes()).  A FIFO has no offset; the store refuses
 * it.
 */
static int
open_file(struct files *files, enum files_role role,
	  enum files_access access)
{
	int fd = files->ops->open(files, role, access);

	if (fd < 0 || role != FILES_VARS || lseek(fd, 0, SEEK_END) >= 0 ||
	    errno == ESPIPE)
		return fd;
	close(fd);
	return -EIO;
}

static int
execute_file(struct broker *broker, const struct channel_request *request,
	     struct channel_reply *reply, int *fd_out)
{
	struct files *files = broker->files;
	enum files_role role = request->role;
	bool named = false;
	int ret;

	if (request->role == CHANNEL_HANDOVER)
		return install_record(broker);
	if (request->role == CHANNEL_TRACE)
		return open_trace(broker, reply, fd_out);
	ret = take_lease(broker, request);
	if (ret < 0)
		return ret;
	switch (request->verb) {
	case CHANNEL_OPEN:
		ret = *fd_out = open_file(files, role,
					  (enum files_access)request->flag);
		break;
	case CHANNEL_CREATE:
		ret = *fd_out = files->ops->create(files, role);
		break;
	case CHANNEL_INSTALL:
		ret = files->ops->install(files, role, request->flag, &named);
		reply->flags = named ? CHANNEL_NAMED : 0;
		break;
	case CHANNEL_KEEP: return keep_file(files, role);
	default: ret = files->ops->remove(files, role, request->flag); break;
	}
	return ret < 0 ? ret : 0;
}

/*
 * Xen counts pauses: a second one would need a second `xl unpause`.  The worker
 * asks again whenever it refuses a write, or when the store fails later.
 */
static bool
is_still_paused(const struct broker *broker)
{
	struct transport *t = broker->transport;

	return broker->paused_for_admin && t->ops->is_paused(t) > 0;
}

/*
 * The lock file records a pause that the worker will undo, before the pause:
 * without the record nobody would undo it if the worker died.  A pause for an
 * administrator is not recorded.
 */
static int
pause_domain(struct broker *broker, bool for_administrator)
{
	struct transport *t = broker->transport;
	int ret = 0;

	if (for_administrator && is_still_paused(broker))
		return 0;
	if (for_administrator)
		broker->paused_for_admin = true;
	else
		ret = rundir_set_paused(broker->rundir, true);
	if (ret == 0)
		ret = t->ops->pause(t);
	if (ret < 0 && !for_administrator)
		(void)rundir_set_paused(broker->rundir, false);
	return ret;
}

/*
 * Undoes only a recorded pause, never an administrator's.  A worker that takes
 * over sends this request without knowing whether there was a pause.
 */
static int
unpause_domain(struct broker *broker)
{
	struct transport *t = broker->transport;
	int ret;

	if (!rundir_paused(broker->rundir))
		return 0;
	ret = t->ops->unpause(t);
	if (ret == 0)
		ret = rundir_set_paused(broker->rundir, false);
	return ret;
}

/*
 * If this worker has installed no record, an installed one describes an earlier
 * state of the flash: remove it.
 */
static int
become_ready(struct broker *broker)
{
	broker->is_ready = true;
	if (broker->rundir && !broker->record_installed)
		rundir_remove_record(broker->rundir);
	return broker->ready(broker->opaque);
}

/* Returns the reply's result; *fd_out is the reply's descriptor, if any. */
static int
execute(struct broker *broker, const struct channel_request *request,
	struct channel_reply *reply, int *fd_out)
{
	struct transport *t = broker->transport;

	switch (request->verb) {
	case CHANNEL_POPULATE:
		return t->ops->populate(t, request->gfn, request->count);
	case CHANNEL_DEPOPULATE:
		return t->ops->depopulate(t, request->gfn, request->count);
	case CHANNEL_GET_TYPE: return t->ops->get_type(t, request->gfn);
	case CHANNEL_PAUSE: return pause_domain(broker, request->flag);
	case CHANNEL_UNPAUSE: return unpause_domain(broker);
	case CHANNEL_READY: return become_ready(broker);
	case CHANNEL_MODE:
		broker->mode_ordered = false;
		broker->mode_done(broker->opaque, (int)request->count);
		return 0;
	default: return execute_file(broker, request, reply, fd_out);
	}
}

int
broker_serve(struct broker *broker, int channel, struct error *why)
{
	struct channel_request request;
	struct channel_reply reply = { .flags = 0 };
	const char *violation;
	int fd_out = -1, ret;

	ret = channel_receive(channel, &request, sizeof(request), NULL);
	if (ret == -EAGAIN)
		return 1;
	if (ret < 0)
		return error_errno(why, -ret, "the worker's channel");
	if (ret == 0)
		return 0;
	violation = check(broker, &request);
	if (violation)
		return error_set(
			why, EPERM,
			"the worker's request %u (count %u, gfn %#" PRIx64
			"): %s",
			request.verb, request.count, request.gfn, violation);
	reply.result = execute(broker, &request, &reply, &fd_out);
	ret = channel_send(channel, &reply, sizeof(reply), fd_out);
	if (fd_out >= 0)
		close(fd_out);
	/* An honest worker waits for each reply, so the buffer has room. */
	return ret < 0 ? error_errno(why, -ret, "the worker reads no reply") :
			 1;
}
