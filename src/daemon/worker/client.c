/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/client.h"

#include <errno.h>
#include <unistd.h>

#include "options.h"

static int channel = -1;

void
client_init(int requests)
{
	channel = requests;
}

static int
ask(const struct channel_request *request, struct channel_reply *reply,
    int *passed)
{
	int ret = channel_send(channel, request, sizeof(*request), -1);

	if (ret == 0)
		ret = channel_receive(channel, reply, sizeof(*reply), passed);
	if (ret <= 0)
		_exit(EXIT_RUNTIME);
	return reply->result;
}

static int
ask_simply(const struct channel_request *request)
{
	struct channel_reply reply;

	return ask(request, &reply, NULL);
}

/* --- files --- */

static int
ask_descriptor(const struct channel_request *request)
{
	struct channel_reply reply;
	int fd, ret = ask(request, &reply, &fd);

	if (ret < 0)
		return ret;
	return fd >= 0 ? fd : -EPROTO;
}

static int
client_open(struct files *files, enum files_role role, bool write)
{
	const struct channel_request request = { .verb = CHANNEL_OPEN,
						 .role = (uint8_t)role,
						 .flag = write };

	(void)files;
	return ask_descriptor(&request);
}

static int
client_create(struct files *files, enum files_role role)
{
	const struct channel_request request = { .verb = CHANNEL_CREATE,
						 .role = (uint8_t)role };

	(void)files;
	return ask_descriptor(&request);
}

static int
client_install(struct files *files, enum files_role role, bool replace,
	       bool *named)
{
	const struct channel_request request = { .verb = CHANNEL_INSTALL,
						 .role = (uint8_t)role,
						 .flag = replace };
	struct channel_reply reply;
	int ret = ask(&request, &reply, NULL);

	(void)files;
	*named = reply.flags & CHANNEL_NAMED;
	return ret;
}

static int
client_remove(struct files *files, enum files_role role, bool unfinished)
{
	const struct channel_request request = { .verb = CHANNEL_REMOVE,
						 .role = (uint8_t)role,
						 .flag = unfinished };

	(void)files;
	return ask_simply(&request);
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
	const struct channel_request request = { .verb = CHANNEL_INSTALL,
						 .role = CHANNEL_HANDOVER };

	return ask_simply(&request);
}

/* --- the domain --- */

static int
client_populate(struct transport *t, uint64_t gfn, unsigned int count)
{
	const struct channel_request request = { .verb = CHANNEL_POPULATE,
						 .count = count,
						 .gfn = gfn };

	(void)t;
	return ask_simply(&request);
}

static int
client_depopulate(struct transport *t, uint64_t gfn, unsigned int count)
{
	const struct channel_request request = { .verb = CHANNEL_DEPOPULATE,
						 .count = count,
						 .gfn = gfn };

	(void)t;
	return ask_simply(&request);
}

static int
client_get_type(struct transport *t, uint64_t gfn)
{
	const struct channel_request request = { .verb = CHANNEL_GET_TYPE,
						 .gfn = gfn };

	(void)t;
	return ask_simply(&request);
}

static int
client_pause(struct transport *t)
{
	const struct channel_request request = { .verb = CHANNEL_PAUSE };

	(void)t;
	return ask_simply(&request);
}

static int
client_unpause(struct transport *t)
{
	const struct channel_request request = { .verb = CHANNEL_UNPAUSE };

	(void)t;
	return ask_simply(&request);
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
	const struct channel_request request = { .verb = CHANNEL_PAUSE,
						 .flag = 1 };

	return ask_simply(&request);
}

int
client_ready(void)
{
	const struct channel_request request = { .verb = CHANNEL_READY };

	return ask_simply(&request);
}

void
client_mode_done(int error)
{
	const struct channel_request request = { .verb = CHANNEL_MODE,
						 .count = (uint32_t)error };

	(void)ask_simply(&request);
}
