/* SPDX-License-Identifier: BSD-2-Clause */
#include "privileged.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel.h"
#include "listener.h"
#include "log.h"
#include "ready.h"
#include "pflash/control.h"
#include "pflash/sys.h"
#include "pflash/window.h"
#include "pflash/xen.h"

/* Of a command line, as much as is said. */
#define COMMAND_ROOM 96

/* On its way, with a descriptor that came or goes with it, or -1. */
struct call {
	const struct channel_call *call;
	struct channel_answer answer;
	int came, goes;
};

/* Of a call of the kernel's. */
static int
result(int ret)
{
	return ret < 0 ? -errno : ret;
}

/* What the store opens, and not in another way. */
static int
open_named(struct privileged *p, struct call *call)
{
	const char *path = call->call->text[0];
	int flags = (int)call->call->number[0] & ~O_CLOEXEC;
	const int of_file = O_ACCMODE | O_CREAT | O_EXCL | O_NOFOLLOW | O_PATH |
			    O_NONBLOCK;
	bool ok = names_have(&p->names, path) ?
			  !(flags & ~of_file) :
			  names_have_directory(&p->names, path) &&
				  flags == (O_RDONLY | O_DIRECTORY);

	if (!ok)
		return -EPERM;
	(void)names_resolve(&p->names, p->names.vars);
	call->goes = sys_kernel.open(path, flags | O_CLOEXEC,
				     S_IRUSR | S_IWUSR);
	return call->goes < 0 ? -errno : 0;
}

static int
resolve(struct privileged *p, struct call *call)
{
	const char *real = names_resolve(&p->names, call->call->text[0]);

	if (!real)
		return -errno;
	(void)snprintf(call->answer.text, sizeof(call->answer.text), "%s",
		       real);
	return 0;
}

static int
rename_named(const struct privileged *p, const struct channel_call *call,
	     unsigned int flags)
{
	const char *from = call->text[0], *to = call->text[1];

	return names_have(&p->names, from) && names_have(&p->names, to) ?
		       result(sys_kernel.rename(from, to, flags)) :
		       -EPERM;
}

static int
unlink_named(const struct privileged *p, const struct channel_call *call)
{
	const char *path = call->text[0];

	return names_have(&p->names, path) ? result(sys_kernel.unlink(path)) :
					     -EPERM;
}

/* It may have brought any descriptor that it has. */
static int
own_like_vars(const struct privileged *p, int fd)
{
	struct stat vars, file;
	const char *path = p->names.real ? p->names.real : p->names.vars;

	if (stat(path, &vars) < 0 || fstat(fd, &file) < 0)
		return -errno;
	if (!S_ISREG(file.st_mode))
		return -EPERM;
	if (fchown(fd, vars.st_uid, vars.st_gid) < 0 && errno != EPERM)
		return -errno;
	return result(fchmod(fd, vars.st_mode & 0666));
}

static int
transport(struct privileged *p, struct transport **t)
{
	struct error err;
	int ret = p->domain ? 0 : -ESRCH;

	if (ret == 0 && !p->transport)
		ret = xen_transport_open(&p->transport, domain_id(p->domain),
					 &err);
	*t = p->transport;
	return ret;
}

static bool
is_in_hole(const struct channel_call *call)
{
	uint64_t first = call->number[0], count = call->number[1];

	return first >= WINDOW_HOLE_FIRST >> FRAME_SHIFT &&
	       first <= WINDOW_HOLE_LAST >> FRAME_SHIFT &&
	       count <= (WINDOW_HOLE_LAST + 1 - WINDOW_HOLE_FIRST) >>
		       FRAME_SHIFT &&
	       first + count <= (WINDOW_HOLE_LAST + 1) >> FRAME_SHIFT;
}

static int
do_to_domain(struct privileged *p, const struct channel_call *call)
{
	struct transport *t;
	int ret = transport(p, &t);
	uint64_t gfn = call->number[0];
	unsigned int count = (unsigned int)call->number[1];

	if (ret < 0)
		return ret;
	switch (call->op) {
	case CHANNEL_POPULATE:
		return is_in_hole(call) ? t->ops->populate(t, gfn, count) :
					  -EPERM;
	case CHANNEL_DEPOPULATE:
		return is_in_hole(call) ? t->ops->depopulate(t, gfn, count) :
					  -EPERM;
	case CHANNEL_GET_TYPE: return t->ops->get_type(t, gfn);
	case CHANNEL_PAUSE: return t->ops->pause(t);
	case CHANNEL_UNPAUSE: return t->ops->unpause(t);
	case CHANNEL_SHUTDOWN_REASON: return t->ops->shutdown_reason(t);
	case CHANNEL_HAS_RUN: return t->ops->has_run(t);
	default: return -ENOSYS;
	}
}

static int
open_control(const struct privileged *p, struct call *call)
{
	char path[DOMAIN_PATH_ROOM];
	int ret;

	if (!p->domain)
		return -ESRCH;
	domain_run_path(p->domain, "sock", path, sizeof(path));
	ret = listener_bind(path);
	call->goes = ret < 0 ? -1 : ret;
	return ret < 0 ? ret : 0;
}

/* By the numbers of VARS, whatever guest has it. */
static int
limit_path(const struct privileged *p, char *path, size_t room)
{
	struct stat st;

	if (!p->names.real || stat(p->names.real, &st) < 0)
		return -ENOENT;
	(void)snprintf(path, room, PFLASH_RUN_DIR "/%jx-%jx.limit",
		       (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return 0;
}

static int
open_limit(const struct privileged *p, struct call *call)
{
	char path[DOMAIN_PATH_ROOM];
	int ret = limit_path(p, path, sizeof(path));

	if (ret < 0)
		return ret;
	call->goes = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
			  S_IRUSR | S_IWUSR);
	return call->goes < 0 ? -errno : 0;
}

static int
remove_limit(const struct privileged *p)
{
	char path[DOMAIN_PATH_ROOM];
	int ret = limit_path(p, path, sizeof(path));

	return ret < 0 ? ret : result(unlink(path));
}

static int
tell_name(const struct privileged *p, struct call *call)
{
	if (!p->domain)
		return -ESRCH;
	(void)snprintf(call->answer.text, sizeof(call->answer.text), "%s",
		       domain_name(p->domain));
	return 0;
}

/* Those who wait are told once; after a crash of the worker nobody waits. */
static int
tell_ready(struct privileged *p, struct error *err)
{
	const struct options *options = p->options;
	int ret = domain_set_ready(p->domain, err);

	p->attached = true;
	if (ret < 0 || p->told)
		return ret;
	p->told = true;
	ret = ready_notify_socket("READY=1", err);
	if (ret == 0 && options->ready_fd >= 0)
		ret = ready_write_fd(options->ready_fd, err);
	if (ret < 0)
		return ret;
	if (options_want_syslog(options))
		log_to_syslog();
	return p->parent < 0 ? 0 : ready_leave_parent(p->parent, options, err);
}

static int
is_ready(struct privileged *p, struct call *call)
{
	struct error err = { .text = "" };
	int ret = p->domain ? tell_ready(p, &err) : -ESRCH;

	memcpy(call->answer.text, err.text, sizeof(err.text));
	return ret;
}

/* A file of this process's life. */
static int
remove_run(const struct privileged *p, const char *suffix)
{
	char path[DOMAIN_PATH_ROOM];

	if (!p->domain)
		return -ESRCH;
	domain_run_path(p->domain, suffix, path, sizeof(path));
	return result(unlink(path));
}

/* Who finds that nobody answers any more may start another one. */
static int
is_stopping(struct privileged *p)
{
	struct error err;

	p->attached = false;
	if (ready_notify_socket("STOPPING=1", &err) < 0)
		log_line(LOG_WARNING, "%s", err.text);
	if (p->domain)
		domain_clear_ready(p->domain);
	return remove_run(p, "sock");
}

/* Of the worker's lines: what a flood of them may fill the log with. */
static const struct limit_config log_limit = { .rate = 2, .burst = 500 };

static int
say(struct privileged *p, const struct channel_call *asked)
{
	if (!limit_allows(&p->lines, p->said, limit_clock())) {
		p->left_out++;
		return 0;
	}
	if (p->left_out)
		log_line(LOG_WARNING,
			 "%" PRIu64 " lines of the worker's are left out",
			 p->left_out);
	p->left_out = 0;
	p->said++;
	log_plain((int)asked->number[0] & LOG_PRIMASK, asked->text[0]);
	return 0;
}

static int
carry_out(struct privileged *p, struct call *call)
{
	const struct channel_call *asked = call->call;

	switch (asked->op) {
	case CHANNEL_OPEN: return open_named(p, call);
	case CHANNEL_REALPATH: return resolve(p, call);
	case CHANNEL_RENAME: return rename_named(p, asked, 0);
	case CHANNEL_RENAME_NEW:
		return rename_named(p, asked, RENAME_NOREPLACE);
	case CHANNEL_UNLINK: return unlink_named(p, asked);
	case CHANNEL_OWN: return own_like_vars(p, call->came);
	case CHANNEL_HOLDER:
		return sys_find_holder(call->came, call->answer.text,
				       COMMAND_ROOM);
	case CHANNEL_LOG: return say(p, asked);
	case CHANNEL_LISTEN: return open_control(p, call);
	case CHANNEL_LIMIT: return open_limit(p, call);
	case CHANNEL_LIMIT_FULL: return remove_limit(p);
	case CHANNEL_READY: return is_ready(p, call);
	case CHANNEL_STOPPING: return is_stopping(p);
	case CHANNEL_FORGET: return remove_run(p, "live");
	case CHANNEL_NAME: return tell_name(p, call);
	default: return do_to_domain(p, asked);
	}
}

void
privileged_init(struct privileged *privileged, const struct options *options,
		int parent)
{
	*privileged = (struct privileged){
		.options = options,
		.names = { .vars = options->vars, .journal = options->journal },
		.parent = parent,
	};
	limit_init(&privileged->lines, &log_limit, 0, limit_clock());
}

void
privileged_end(struct privileged *privileged)
{
	struct transport *t = privileged->transport;

	if (t)
		t->ops->close(t);
	names_free(&privileged->names);
}

void
privileged_leave(struct privileged *privileged)
{
	struct transport *t = privileged->transport;

	if (t)
		t->ops->close(t);
	if (privileged->domain)
		domain_leave(privileged->domain);
}

int
privileged_serve(struct privileged *privileged, int channel)
{
	struct channel_call text;
	struct call call = { .call = &text, .goes = -1 };
	int ret = channel_receive(channel, &text, sizeof(text), &call.came);

	if (ret <= 0)
		return ret;
	text.text[0][PATH_MAX - 1] = text.text[1][PATH_MAX - 1] = '\0';
	call.answer.result = carry_out(privileged, &call);
	ret = channel_send(channel, &call.answer, sizeof(call.answer),
			   call.goes);
	if (call.came >= 0)
		close(call.came);
	if (call.goes >= 0)
		close(call.goes);
	return ret < 0 ? ret : 1;
}
