/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/client.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "options.h"

static int channel = -1;

void
client_init(int requests)
{
	channel = requests;
}

/* Sends the request and receives the reply; returns the reply's result. */
static int
request(const struct channel_request *message, struct channel_reply *reply,
	int *fd_in)
{
	int ret = channel_send(channel, message, sizeof(*message), -1);

	if (ret == 0)
		ret = channel_receive(channel, reply, sizeof(*reply), fd_in);
	if (ret <= 0)
		_exit(EXIT_RUNTIME);
	return reply->result;
}

static int
request_verb(enum channel_verb verb, bool flag)
{
	const struct channel_request message = { .verb = (uint8_t)verb,
						 .flag = flag };
	struct channel_reply reply;

	return request(&message, &reply, NULL);
}

/* --- files --- */

static int
request_file(enum channel_verb verb, unsigned int role, unsigned int flag,
	     struct channel_reply *reply, int *fd_in)
{
	const struct channel_request message = { .verb = (uint8_t)verb,
						 .role = (uint8_t)role,
						 .flag = (uint8_t)flag };

	return request(&message, reply, fd_in);
}

/* Returns the descriptor of the reply, or -errno. */
static int
request_descriptor(enum channel_verb verb, unsigned int role, unsigned int flag,
		   struct channel_reply *reply)
{
	int fd_in, ret = request_file(verb, role, flag, reply, &fd_in);

	if (ret < 0)
		return ret;
	return fd_in >= 0 ? fd_in : -EPROTO;
}

static int
client_open(struct files *files, enum files_role role, enum files_access access)
{
	struct channel_reply reply;

	(void)files;
	return request_descriptor(CHANNEL_OPEN, role, access, &reply);
}

static int
client_create(struct files *files, enum files_role role)
{
	struct channel_reply reply;

	(void)files;
	return request_descriptor(CHANNEL_CREATE, role, false, &reply);
}

static int
client_install(struct files *files, enum files_role role, bool replace,
	       bool *named)
{
	struct channel_reply reply;
	int ret = request_file(CHANNEL_INSTALL, role, replace, &reply, NULL);

	(void)files;
	*named = reply.flags & CHANNEL_NAMED;
	return ret;
}

static int
client_remove(struct files *files, enum files_role role, bool unfinished)
{
	struct channel_reply reply;

	(void)files;
	return request_file(CHANNEL_REMOVE, role, unfinished, &reply, NULL);
}

/* The queue only, see the policy in supervisor/broker.c. */
static int
client_keep(struct files *files, enum files_role role, bool copy, char **name)
{
	struct channel_reply reply;
	char number[16] = "";
	int ret;

	*name = NULL;
	if (role != FILES_NEXT || copy)
		return -EPERM;
	ret = request_file(CHANNEL_KEEP, role, false, &reply, NULL);
	if (ret < 0)
		return ret;
	if (ret)
		(void)snprintf(number, sizeof(number), ".%d", ret);
	return asprintf(name, "%s.kept%s", files->name[role], number) < 0 ?
		       -ENOMEM :
		       0;
}

static void
client_close(struct files *files)
{
	(void)files;
}

static const struct files_ops files_ops = {
	.open = client_open,
	.create = client_create,
	.install = client_install,
	.remove = client_remove,
	.keep = client_keep,
	.close = client_close,
};

struct files *
client_files(const struct files *named)
{
	static struct files files;

	files = *named;
	files.ops = &files_ops;
	return &files;
}

int
client_install_record(void)
{
	struct channel_reply reply;

	return request_file(CHANNEL_INSTALL, CHANNEL_HANDOVER, false, &reply,
			    NULL);
}

int
client_open_trace(uint32_t *flags)
{
	struct channel_reply reply;
	int fd = request_descriptor(CHANNEL_OPEN, CHANNEL_TRACE, true, &reply);

	*flags = reply.flags;
	return fd;
}

/* --- the domain --- */

static int
request_frames(enum channel_verb verb, uint64_t gfn, unsigned int count)
{
	const struct channel_request message = { .verb = (uint8_t)verb,
						 .count = count,
						 .gfn = gfn };
	struct channel_reply reply;

	return request(&message, &reply, NULL);
}

static int
client_populate(struct transport *t, uint64_t gfn, unsigned int count)
{
	(void)t;
	return request_frames(CHANNEL_POPULATE, gfn, count);
}

static int
client_depopulate(struct transport *t, uint64_t gfn, unsigned int count)
{
	(void)t;
	return request_frames(CHANNEL_DEPOPULATE, gfn, count);
}

static int
client_get_type(struct transport *t, uint64_t gfn)
{
	(void)t;
	return request_frames(CHANNEL_GET_TYPE, gfn, 0);
}

static int
client_pause(struct transport *t)
{
	(void)t;
	return request_verb(CHANNEL_PAUSE, false);
}

static int
client_unpause(struct transport *t)
{
	(void)t;
	return request_verb(CHANNEL_UNPAUSE, false);
}

void
client_wrap_transport(struct transport *t)
{
	static struct transport_ops ops;

	ops = *t->ops;
	ops.populate = client_populate;
	ops.depopulate = client_depopulate;
	ops.get_type = client_get_type;
	ops.pause = client_pause;
	ops.unpause = client_unpause;
	t->ops = &ops;
}

int
client_pause_for_admin(void)
{
	return request_verb(CHANNEL_PAUSE, true);
}

int
client_ready(void)
{
	return request_verb(CHANNEL_READY, false);
}

void
client_mode_done(int error)
{
	const struct channel_request message = { .verb = CHANNEL_MODE,
						 .count = (uint32_t)error };
	struct channel_reply reply;

	(void)request(&message, &reply, NULL);
}
