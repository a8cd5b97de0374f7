/* SPDX-License-Identifier: BSD-2-Clause */
#include "ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

static int channel = -1;

void
ask_init(int fd)
{
	channel = fd;
}

/* -1 with errno, or what the keeper's call returned. */
static int
ask(const struct channel_call *call, struct channel_answer *answer, int gives,
    int *gets)
{
	int ret = channel_send(channel, call, sizeof(*call), gives);

	if (ret == 0)
		ret = channel_receive(channel, answer, sizeof(*answer), gets);
	if (ret <= 0)
		_exit(EXIT_RUNTIME);
	if (answer->result >= 0)
		return (int)answer->result;
	errno = (int)-answer->result;
	return -1;
}

static int
ask_number(enum channel_op op, uint64_t first, uint64_t second)
{
	struct channel_call call = { .op = op, .number = { first, second } };
	struct channel_answer answer;
	int none, ret = ask(&call, &answer, -1, &none);

	return ret < 0 ? -errno : ret;
}

static bool
set_text(char *to, const char *text)
{
	if ((size_t)snprintf(to, PATH_MAX, "%s", text) < PATH_MAX)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

static int
ask_paths(enum channel_op op, const char *first, const char *second)
{
	struct channel_call call = { .op = op };
	struct channel_answer answer;
	int none;

	if (!set_text(call.text[0], first) || !set_text(call.text[1], second))
		return -1;
	return ask(&call, &answer, -1, &none);
}

static int
keeper_open(const char *path, int flags, mode_t mode)
{
	struct channel_call call = { .op = CHANNEL_OPEN,
				     .number = { (uint64_t)flags, mode } };
	struct channel_answer answer;
	int fd;

	if (!set_text(call.text[0], path) || ask(&call, &answer, -1, &fd) < 0)
		return -1;
	return fd;
}

static int
keeper_rename(const char *from, const char *to, unsigned int flags)
{
	return ask_paths(flags ? CHANNEL_RENAME_NEW : CHANNEL_RENAME, from, to);
}

static int
keeper_unlink(const char *path)
{
	return ask_paths(CHANNEL_UNLINK, path, "");
}

/* Owner and mode are those of VARS, which the keeper asks for itself. */
static int
keeper_fchown(int fd, uid_t owner, gid_t group)
{
	struct channel_call call = { .op = CHANNEL_OWN };
	struct channel_answer answer;
	int none;

	(void)owner, (void)group;
	return ask(&call, &answer, fd, &none);
}

static int
keeper_fchmod(int fd, mode_t mode)
{
	(void)fd, (void)mode;
	return 0;
}

static int
kernel_lock(int fd, int cmd, struct flock *lock)
{
	return sys_kernel.lock(fd, cmd, lock);
}

const struct sys sys_keeper = {
	.open = keeper_open,
	.close = close,
	.pread = pread,
	.pwrite = pwrite,
	.fdatasync = fdatasync,
	.fsync = fsync,
	.ftruncate = ftruncate,
	.fstat = fstat,
	.lseek = lseek,
	.fchmod = keeper_fchmod,
	.fchown = keeper_fchown,
	.rename = keeper_rename,
	.unlink = keeper_unlink,
	.lock = kernel_lock,
};

static int
keeper_populate(struct transport *t, uint64_t gfn, unsigned int count)
{
	(void)t;
	return ask_number(CHANNEL_POPULATE, gfn, count);
}

static int
keeper_depopulate(struct transport *t, uint64_t gfn, unsigned int count)
{
	(void)t;
	return ask_number(CHANNEL_DEPOPULATE, gfn, count);
}

static int
keeper_get_type(struct transport *t, uint64_t gfn)
{
	(void)t;
	return ask_number(CHANNEL_GET_TYPE, gfn, 0);
}

static int
keeper_pause(struct transport *t)
{
	(void)t;
	return ask_number(CHANNEL_PAUSE, 0, 0);
}

static int
keeper_unpause(struct transport *t)
{
	(void)t;
	return ask_number(CHANNEL_UNPAUSE, 0, 0);
}

static int
keeper_shutdown_reason(struct transport *t)
{
	(void)t;
	return ask_number(CHANNEL_SHUTDOWN_REASON, 0, 0);
}

static int
keeper_has_run(struct transport *t)
{
	(void)t;
	return ask_number(CHANNEL_HAS_RUN, 0, 0);
}

void
ask_for_transport(struct transport *t)
{
	static struct transport_ops ops;

	ops = *t->ops;
	ops.populate = keeper_populate;
	ops.depopulate = keeper_depopulate;
	ops.get_type = keeper_get_type;
	ops.pause = keeper_pause;
	ops.unpause = keeper_unpause;
	ops.shutdown_reason = keeper_shutdown_reason;
	ops.has_run = keeper_has_run;
	t->ops = &ops;
}

void
ask_log(int level, const char *line)
{
	struct channel_call call = { .op = CHANNEL_LOG,
				     .number = { (uint64_t)level } };
	struct channel_answer answer;
	int none;

	(void)snprintf(call.text[0], sizeof(call.text[0]), "%s", line);
	(void)ask(&call, &answer, -1, &none);
}

int
ask_descriptor(enum channel_op op)
{
	const struct channel_call call = { .op = op };
	struct channel_answer answer;
	int fd;

	return ask(&call, &answer, -1, &fd) < 0 ? -errno : fd;
}

int
ask_name(char *name)
{
	const struct channel_call call = { .op = CHANNEL_NAME };
	struct channel_answer answer;
	int none;

	if (ask(&call, &answer, -1, &none) < 0)
		return -errno;
	(void)snprintf(name, PATH_MAX, "%s", answer.text);
	return 0;
}

int
ask_simply(enum channel_op op, struct error *err)
{
	const struct channel_call call = { .op = op };
	struct channel_answer answer;
	int none;

	if (ask(&call, &answer, -1, &none) == 0)
		return 0;
	return error_set(err, errno, "%.500s", answer.text);
}
