/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broker parses nothing but struct channel_request, and an honest worker
 * never sends one that check() refuses: a refusal ends the worker, for its
 * guest has it in its hands.
 */
#include "supervisor/broker.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "channel.h"
#include "pflash/window.h"

#define FRAMES_MOST 4096 /* at once: the largest flash */

/*
 * Requests of an honest worker: three for a new journal, which takes writing a
 * quarter of a megabyte.
 */
static const struct limit_config request_limit = { .rate = 200,
						   .burst = 10000 };

void
broker_begin(struct broker *broker)
{
	broker->attached |= broker->is_ready;
	broker->is_ready = broker->installed = broker->mode = false;
	broker->stopped = false; /* its own disk may fail, too */
	broker->requests = 0;
	limit_init(&broker->limit, &request_limit, 0, limit_clock());
}

static bool
is_file_verb(const struct channel_request *request)
{
	return request->verb <= CHANNEL_REMOVE;
}

static bool
changes_frames(const struct channel_request *request)
{
	return request->verb == CHANNEL_POPULATE ||
	       request->verb == CHANNEL_DEPOPULATE;
}

static const char *
check_file(const struct broker *broker, const struct channel_request *request)
{
	if (request->role == CHANNEL_HANDOVER)
		return request->verb == CHANNEL_INSTALL && !broker->installed &&
				       broker->rundir ?
			       NULL :
			       "the handover record is installed once";
	if (request->role >= FILES_ROLES)
		return "unknown role";
	if (request->role == FILES_VARS && request->verb != CHANNEL_OPEN &&
	    (broker->attached || broker->is_ready))
		return "the VARS file is there already";
	if (request->role == FILES_VARS && request->verb == CHANNEL_INSTALL &&
	    request->flag)
		return "the VARS file is never replaced";
	if (request->verb == CHANNEL_REMOVE && !request->flag &&
	    request->role != FILES_STATE)
		return "only the state file is removed";
	return NULL;
}

/* The flash, or the firmware's last volume: frames of the firmware's hole. */
static const char *
check_frames(const struct channel_request *request)
{
	struct error err;

	if (request->gfn > WINDOW_HOLE_LAST >> FRAME_SHIFT ||
	    request->count > FRAMES_MOST ||
	    window_check_addresses(request->gfn << FRAME_SHIFT,
				   (uint64_t)request->count << FRAME_SHIFT,
				   &err) < 0)
		return "frames outside of the hole for firmware";
	return NULL;
}

static const char *
check_rest(const struct broker *broker, const struct channel_request *request)
{
	switch (request->verb) {
	case CHANNEL_PAUSE:
		if (request->flag)
			return broker->stopped ?
				       "the domain waits for an administrator" :
				       NULL;
		return rundir_paused(broker->rundir) ?
			       "the domain is paused already" :
			       NULL;
	case CHANNEL_READY:
		return broker->is_ready ? "it was ready already" : NULL;
	case CHANNEL_MODE: return broker->mode ? NULL : "no mode was ordered";
	default: return NULL;
	}
}

/* The breach, or NULL: the request may be carried out. */
static const char *
check(struct broker *broker, const struct channel_request *request)
{
	/* A type is asked for wherever a guest's request points to its data. */
	if (request->verb != CHANNEL_GET_TYPE &&
	    !limit_allows(&broker->limit, ++broker->requests, limit_clock()))
		return "too many requests";
	if (request->verb == 0 || request->verb >= CHANNEL_VERBS ||
	    request->flag > 1 || request->zero)
		return "unknown request";
	if (is_file_verb(request))
		return check_file(broker, request);
	if (!broker->transport)
		return "there is no domain";
	return changes_frames(request) ? check_frames(request) :
					 check_rest(broker, request);
}

static int
install_record(struct broker *broker)
{
	int ret = rundir_install(broker->rundir);

	broker->installed = ret == 0;
	return ret;
}

static int
on_file(struct broker *broker, const struct channel_request *request,
	struct channel_reply *reply, int *passed)
{
	struct files *files = broker->files;
	enum files_role role = request->role;
	bool named = false;
	int ret;

	if (request->role == CHANNEL_HANDOVER)
		return install_record(broker);
	switch (request->verb) {
	case CHANNEL_OPEN:
		ret = *passed = files->ops->open(files, role, request->flag);
		break;
	case CHANNEL_CREATE:
		ret = *passed = files->ops->create(files, role);
		break;
	case CHANNEL_INSTALL:
		ret = files->ops->install(files, role, request->flag, &named);
		reply->flags = named ? CHANNEL_NAMED : 0;
		break;
	default: ret = files->ops->remove(files, role, request->flag); break;
	}
	return ret < 0 ? ret : 0;
}

/*
 * A pause that the worker will undo is noted first: without the note it would
 * stay for ever.  A pause for an administrator is not noted, and stays.
 */
static int
pause_domain(struct broker *broker, bool for_administrator)
{
	struct transport *t = broker->transport;
	int ret = 0;

	if (for_administrator)
		broker->stopped = true;
	else
		ret = rundir_set_paused(broker->rundir, true);
	if (ret == 0)
		ret = t->ops->pause(t);
	if (ret < 0 && !for_administrator)
		(void)rundir_set_paused(broker->rundir, false);
	return ret;
}

/*
 * Only a pause that was noted is undone, never an administrator's.  A worker
 * that takes over asks for it where it cannot know.
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

/* A record that the worker does not write is of a flash that was. */
static int
become_ready(struct broker *broker)
{
	broker->is_ready = true;
	if (broker->rundir && !broker->installed)
		rundir_forget(broker->rundir);
	return broker->ready(broker->opaque);
}

static int
carry_out(struct broker *broker, const struct channel_request *request,
	  struct channel_reply *reply, int *passed)
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
		broker->mode = false;
		broker->mode_done(broker->opaque, (int)request->count);
		return 0;
	default: return on_file(broker, request, reply, passed);
	}
}

int
broker_serve(struct broker *broker, int channel, struct error *why)
{
	struct channel_request request;
	struct channel_reply reply = { .flags = 0 };
	const char *breach;
	int passed = -1, ret;

	ret = channel_receive(channel, &request, sizeof(request), NULL);
	if (ret == -EAGAIN)
		return 1;
	if (ret < 0)
		return error_errno(why, -ret, "the worker's channel");
	if (ret == 0)
		return 0;
	breach = check(broker, &request);
	if (breach)
		return error_set(why, EPERM,
				 "the worker's request %u (%u, %#" PRIx64
				 "): %s",
				 request.verb, request.count, request.gfn,
				 breach);
	reply.result = carry_out(broker, &request, &reply, &passed);
	ret = channel_send(channel, &reply, sizeof(reply), passed);
	if (passed >= 0)
		close(passed);
	/* An honest worker waits for each reply. */
	return ret < 0 ? error_errno(why, -ret, "the worker reads no reply") :
			 1;
}
