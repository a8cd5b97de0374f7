/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library is loaded by name: it costs memory, and most flashes have no
 * lease.  A program that was built without its header refuses --lease.
 */
#include "supervisor/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef PFLASH_SANLOCK

#include <dlfcn.h>
#include <sanlock.h>
#include <sanlock_admin.h>
#include <sanlock_resource.h>
#include <sanlock_rv.h>

#define LIBRARY "libsanlock_client.so.1"
#define PREFIX "sanlock:"
#define NAME_ROOM (2 * SANLK_NAME_LEN + 2)
#define STEP_NS 500000000L /* of lease_wait() */

struct lease {
	const struct lease_calls *calls;
	struct lease_calls loaded;
	struct sanlk_resource *resource;
	char name[NAME_ROOM];
	char space[SANLK_NAME_LEN + 1];
	char place[512]; /* LOCKSPACE:RESOURCE:PATH:OFFSET */
	uint32_t domain;
	int sock; /* -1: not connected */
	bool held;
};

static const struct {
	const char *name;
	size_t at;
} symbols[] = {
	{ "sanlock_register", offsetof(struct lease_calls, connect) },
	{ "sanlock_restrict", offsetof(struct lease_calls, restrict_signals) },
	{ "sanlock_killpath", offsetof(struct lease_calls, killpath) },
	{ "sanlock_acquire", offsetof(struct lease_calls, acquire) },
	{ "sanlock_release", offsetof(struct lease_calls, release) },
	{ "sanlock_inquire", offsetof(struct lease_calls, inquire) },
	{ "sanlock_str_to_res", offsetof(struct lease_calls, parse) },
	{ "sanlock_read_resource_owners",
	  offsetof(struct lease_calls, owners) },
	{ "sanlock_strerror", offsetof(struct lease_calls, text) },
};

static int
load(struct lease *lease, struct error *err)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return error_set(
			err, ELIBACC,
			"--lease needs the library of sanlock (package "
			"libsanlock-client1): %s",
			dlerror());
	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
		void *symbol = dlsym(library, symbols[i].name);

		if (!symbol)
			return error_set(err, ELIBACC, LIBRARY " has no %s",
					 symbols[i].name);
		memcpy((char *)&lease->loaded + symbols[i].at, &symbol,
		       sizeof(symbol));
	}
	lease->calls = &lease->loaded;
	return 0;
}

/* The library's results are -errno, or numbers of its own below -200. */
static int
to_errno(int result)
{
	return result <= -200 || result > -2 ? -EIO : result;
}

static int
fail(const struct lease *lease, int result, const char *what, struct error *err)
{
	int code = to_errno(result);
	const char *text = result <= -200 ? lease->calls->text(result) :
					    strerror(-code);

	return error_set(err, -code, "the lease %s: sanlock: %s: %s (%d)",
			 lease->name, what, text ? text : "?", result);
}

/* Names the resource as sanlock does, from the text of the option. */
static int
parse(struct lease *lease, const char *text, struct error *err)
{
	char *copy = strdup(text + strlen(PREFIX));
	int result;

	if (!copy)
		return error_set(err, ENOMEM, "out of memory");
	(void)snprintf(lease->place, sizeof(lease->place), "%s", copy);
	result = lease->calls->parse(copy, &lease->resource);
	free(copy);
	if (result < 0 || !lease->resource)
		return error_set(err, EINVAL,
				 "--lease: '%s' is not "
				 "sanlock:LOCKSPACE:RESOURCE:PATH:OFFSET",
				 text);
	(void)snprintf(lease->space, sizeof(lease->space), "%.*s",
		       SANLK_NAME_LEN, lease->resource->lockspace_name);
	(void)snprintf(lease->name, sizeof(lease->name), "%s:%.*s",
		       lease->space, SANLK_NAME_LEN, lease->resource->name);
	return 0;
}

/* Registers this process, and says how it is stopped. */
static int
connect_daemon(struct lease *lease, const char *program, struct error *err)
{
	char arguments[SANLK_HELPER_ARGS_LEN];
	int result = lease->calls->connect();

	if (result < 0)
		return error_set(err, -to_errno(result),
				 "the lease %s: the daemon of sanlock does not "
				 "answer (%s): start sanlock.service",
				 lease->name, strerror(-to_errno(result)));
	lease->sock = result;
	if (strlen(program) >= SANLK_HELPER_PATH_LEN - 1)
		return error_set(
			err, ENAMETOOLONG,
			"the lease %s: sanlock cannot run %s: the path "
			"is too long",
			lease->name, program);
	(void)snprintf(arguments, sizeof(arguments), "--domain %u --lease-lost",
		       lease->domain);
	result = lease->calls->killpath(lease->sock, SANLK_KILLPATH_PID,
					program, arguments);
	if (result < 0)
		return fail(lease, result, "killpath", err);
	result = lease->calls->restrict_signals(lease->sock,
						SANLK_RESTRICT_SIGKILL);
	return result < 0 ? fail(lease, result, "restrict", err) : 0;
}

/* Is the resource one of those in `state`, which blanks separate? */
static bool
is_in(const struct lease *lease, const char *state)
{
	size_t len = strlen(lease->name);

	while (state) {
		if (!strncmp(state, lease->name, len) && state[len] == ':')
			return true;
		state = strchr(state, ' ');
		if (state)
			state++;
	}
	return false;
}

/* After an upgrade: the connection is that of this process already. */
static int
adopt(struct lease *lease, int inherited, struct error *err)
{
	char *state = NULL;
	int count = 0, result;

	lease->sock = inherited;
	result = lease->calls->inquire(inherited, -1, 0, &count, &state);
	if (result >= 0)
		lease->held = count > 0 && is_in(lease, state);
	free(state);
	return result < 0 ? fail(lease, result, "inquire", err) : 0;
}

int
lease_open(struct lease **out, const struct lease_config *config,
	   struct error *err)
{
	struct lease *lease = calloc(1, sizeof(*lease));
	int ret = 0;

	if (!lease)
		return error_set(err, ENOMEM, "out of memory");
	lease->sock = -1;
	lease->domain = config->domain;
	lease->calls = config->calls;
	if (!lease->calls)
		ret = load(lease, err);
	if (ret == 0)
		ret = parse(lease, config->text, err);
	if (ret == 0 && config->inherited >= 0)
		ret = adopt(lease, config->inherited, err);
	else if (ret == 0)
		ret = connect_daemon(lease, config->program, err);
	if (ret == 0 && fcntl(lease->sock, F_SETFD, FD_CLOEXEC) < 0)
		ret = error_errno(err, errno, "the connection to sanlock");
	if (ret < 0)
		lease_close(lease);
	else
		*out = lease;
	return ret;
}

/* Another host has the lease: says which one, if the storage can be read. */
static int
report_owner(const struct lease *lease, bool expires, struct error *err)
{
	struct sanlk_host *hosts = NULL;
	unsigned long long id = 0;
	int count = 0;

	if (lease->calls->owners(lease->resource, 0, &hosts, &count) >= 0 &&
	    count > 0)
		id = hosts[0].host_id;
	free(hosts);
	if (!id)
		return error_set(err, EBUSY,
				 "the lease %s: another host has it",
				 lease->name);
	return error_set(err, EBUSY,
			 "the lease %s: the host with id %llu has it%s "
			 "(`sanlock client host_status -s %s`)",
			 lease->name, id,
			 expires ? ", does not renew it, and loses it soon" :
				   "",
			 lease->space);
}

static int
explain(const struct lease *lease, int result, struct error *err)
{
	switch (result) {
	case SANLK_ACQUIRE_OWNED_RETRY: return report_owner(lease, true, err);
	case SANLK_ACQUIRE_IDLIVE:
	case SANLK_ACQUIRE_OWNED:
	case SANLK_ACQUIRE_OTHER: return report_owner(lease, false, err);
	case -EEXIST:
	case -EBUSY:
	case -EAGAIN:
		return error_set(err, EBUSY,
				 "the lease %s: another process of this host "
				 "has it (`sanlock client status`)",
				 lease->name);
	case -ENOSPC:
		return error_set(err, ENOENT,
				 "the lease %s: this host is not in the "
				 "lockspace %s, or is about to leave it: join "
				 "it with `sanlock client add_lockspace -s "
				 "%s:HOST-ID:PATH:OFFSET`",
				 lease->name, lease->space, lease->space);
	case SANLK_LEADER_MAGIC:
		return error_set(err, ENOENT,
				 "the lease %s: there is none: write it with "
				 "`sanlock client init -r %s`",
				 lease->name, lease->place);
	default: return fail(lease, result, "acquire", err);
	}
}

int
lease_take(struct lease *lease, struct error *err)
{
	struct sanlk_options options = { .flags = 0 };
	int result;

	if (lease->held)
		return 0;
	(void)snprintf(options.owner_name, sizeof(options.owner_name),
		       "pflashd-%u", lease->domain);
	result = lease->calls->acquire(lease->sock, -1,
				       SANLK_ACQUIRE_OWNER_NOWAIT, 1,
				       &lease->resource, &options);
	if (result < 0)
		return explain(lease, result, err);
	lease->held = true;
	return 0;
}

int
lease_wait(struct lease *lease, uint64_t seconds, struct error *err)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	uint64_t tries = seconds * (1000000000u / STEP_NS);
	int ret = lease_take(lease, err);

	while (ret == -EBUSY && tries-- > 0) {
		(void)nanosleep(&step, NULL);
		ret = lease_take(lease, err);
	}
	return ret;
}

/* If that fails, the daemon gives it up at the end of this process. */
int
lease_release(struct lease *lease, struct error *err)
{
	int result;

	if (!lease->held)
		return 0;
	lease->held = false;
	result = lease->calls->release(lease->sock, -1, SANLK_REL_ALL, 0, NULL);
	return result < 0 ? fail(lease, result, "release", err) : 0;
}

bool
lease_held(const struct lease *lease)
{
	return lease->held;
}

const char *
lease_name(const struct lease *lease)
{
	return lease->name;
}

int
lease_connection(const struct lease *lease)
{
	return lease->sock;
}

void
lease_close(struct lease *lease)
{
	struct error err;

	if (!lease)
		return;
	if (lease->sock >= 0) {
		(void)lease_release(lease, &err);
		close(lease->sock);
	}
	free(lease->resource);
	free(lease);
}

#else

int
lease_open(struct lease **out, const struct lease_config *config,
	   struct error *err)
{
	(void)out, (void)config;
	return error_set(err, EOPNOTSUPP,
			 "--lease: this pflashd was built without sanlock "
			 "(libsanlock-dev)");
}

int
lease_take(struct lease *lease, struct error *err)
{
	(void)lease;
	return error_set(err, EOPNOTSUPP, "there is no lease");
}

int
lease_wait(struct lease *lease, uint64_t seconds, struct error *err)
{
	(void)seconds;
	return lease_take(lease, err);
}

int
lease_release(struct lease *lease, struct error *err)
{
	return lease_take(lease, err);
}

bool
lease_held(const struct lease *lease)
{
	(void)lease;
	return false;
}

const char *
lease_name(const struct lease *lease)
{
	(void)lease;
	return "";
}

int
lease_connection(const struct lease *lease)
{
	(void)lease;
	return -1;
}

void
lease_close(struct lease *lease)
{
	(void)lease;
}

#endif
