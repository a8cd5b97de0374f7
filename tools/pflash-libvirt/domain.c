/* SPDX-License-Identifier: BSD-2-Clause */
#include "domain.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

#include "pflash/xen.h"

struct watch {
	struct xs_handle *xs;
};

static int
open_store(struct xs_handle **xs, struct error *err)
{
	*xs = xs_open(0);
	return *xs ? 0 : error_errno(err, errno, "cannot reach xenstored");
}

/* libxl writes all of a new domain in one transaction. */
int
watch_open(struct watch **out, struct error *err)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int ret = watch ? open_store(&watch->xs, err) :
			  error_set(err, ENOMEM, "out of memory");

	if (ret == 0 && !xs_watch(watch->xs, "/local/domain", "domain"))
		ret = error_errno(err, errno, "cannot watch xenstore");
	if (ret < 0)
		watch_close(watch);
	else
		*out = watch;
	return ret;
}

void
watch_close(struct watch *watch)
{
	if (watch && watch->xs)
		xs_close(watch->xs);
	free(watch);
}

/* Is the path /local/domain/ID/vm, and its value /vm/UUID? */
static bool
is_guest(struct watch *watch, const char *path, const char *uuid, uint32_t *id)
{
	char wanted[64];
	unsigned int len = 0;
	int used = 0;
	char *value;
	bool same;

	if (sscanf(path, "/local/domain/%" SCNu32 "/%n", id, &used) != 1 ||
	    !used || strcmp(path + used, "vm") != 0)
		return false;
	(void)snprintf(wanted, sizeof(wanted), "/vm/%s", uuid);
	value = xs_read(watch->xs, XBT_NULL, path, &len);
	same = value && len == strlen(wanted) &&
	       memcmp(value, wanted, len) == 0;
	free(value);
	return same;
}

int
watch_find(struct watch *watch, const char *uuid, int ms, uint32_t *id,
	   struct error *err)
{
	struct pollfd ready = { .fd = xs_fileno(watch->xs), .events = POLLIN };
	char **event;
	bool found = false;

	if (poll(&ready, 1, ms) < 0 && errno != EINTR)
		return error_errno(err, errno, "xenstore");
	errno = 0;
	while (!found && (event = xs_check_watch(watch->xs)) != NULL) {
		found = is_guest(watch, event[XS_WATCH_PATH], uuid, id);
		free(event);
		errno = 0;
	}
	if (!found && errno != 0 && errno != EAGAIN)
		return error_errno(err, errno, "xenstore");
	return found;
}

int
domain_pause(uint32_t id, struct error *err)
{
	struct transport *t;
	int ret = xen_transport_open(&t, id, err);

	if (ret < 0)
		return ret;
	ret = t->ops->pause(t);
	t->ops->close(t);
	return ret < 0 ? error_errno(err, -ret, "the pause of domain %" PRIu32,
				     id) :
			 0;
}

int
domain_unpause(uint32_t id, struct error *err)
{
	struct transport *t;
	int ret = xen_transport_open(&t, id, err);

	if (ret < 0)
		return ret;
	ret = t->ops->unpause(t);
	t->ops->close(t);
	return ret < 0 ? error_errno(err, -ret,
				     "the end of the pause of domain %" PRIu32,
				     id) :
			 0;
}

int64_t
domain_time(uint32_t id, struct error *err)
{
	struct transport *t;
	int64_t time = xen_transport_open(&t, id, err);

	if (time < 0)
		return time;
	time = xen_transport_cpu_time(t);
	t->ops->close(t);
	return time < 0 ? error_errno(err, (int)-time,
				      "the time of domain %" PRIu32, id) :
			  time;
}

/* pflashd writes the path when the flash is attached. */
int
domain_is_served(uint32_t id, struct error *err)
{
	struct xs_handle *xs;
	unsigned int len;
	char path[64], *state;
	int ret = open_store(&xs, err);

	if (ret < 0)
		return ret;
	(void)snprintf(path, sizeof(path),
		       "device-model/%" PRIu32 "/pflash/state", id);
	state = xs_read(xs, XBT_NULL, path, &len);
	ret = state != NULL;
	free(state);
	xs_close(xs);
	return ret;
}
