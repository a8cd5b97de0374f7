/* SPDX-License-Identifier: BSD-2-Clause */
#include "xenstore.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

#include "ask.h"

#define SOCKET "/run/xenstored/socket"
#define DEVICE "/dev/xen/xenbus"

static int
connect_socket(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	error = errno;
	(void)close(fd);
	return -error;
}

int
xenstore_open(struct xenstore *xs, const char *root, int64_t deadline,
	      struct error *err)
{
	char path[4096];
	int ret;

	*xs = (struct xenstore){ .fd = -1, .deadline = deadline };
	(void)snprintf(path, sizeof(path), "%s" SOCKET, root);
	ret = connect_socket(path);
	if (ret == -ENOENT) {
		char device[4096];

		(void)snprintf(device, sizeof(device), "%s" DEVICE, root);
		ret = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		ret = ret < 0 ? -errno : ret;
	}
	if (ret < 0)
		return error_errno(err, -ret, "%s", path);
	xs->fd = ret;
	return 0;
}

void
xenstore_close(struct xenstore *xs)
{
	if (xs->fd >= 0)
		(void)close(xs->fd);
	xs->fd = -1;
}

static int
wait_for(const struct xenstore *xs, short events)
{
	struct pollfd waiting = { .fd = xs->fd, .events = events };
	int64_t left = xs->deadline - ask_clock();

	if (left <= 0 || poll(&waiting, 1, (int)left) == 0)
		return -ETIMEDOUT;
	return 0;
}

/* Transfers all bytes, in one direction. */
static int
transfer(const struct xenstore *xs, char *bytes, size_t len, bool out)
{
	size_t done = 0;

	while (done < len) {
		int ret = wait_for(xs, out ? POLLOUT : POLLIN);
		ssize_t n;

		if (ret < 0)
			return ret;
		n = out ? write(xs->fd, bytes + done, len - done) :
			  read(xs->fd, bytes + done, len - done);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int
send_request(struct xenstore *xs, uint32_t type, const char *path)
{
	struct {
		struct xsd_sockmsg head;
		char path[XENSTORE_ABS_PATH_MAX + 1];
	} message = { .head = { .type = type, .req_id = ++xs->requests } };
	size_t len = strlen(path) + 1;

	if (len > sizeof(message.path))
		return -ENAMETOOLONG;
	message.head.len = (uint32_t)len;
	memcpy(message.path, path, len);
	return transfer(xs, (char *)&message, sizeof(message.head) + len, true);
}

/* -errno for the name of an error, as xenstored sends it. */
static int
error_code(const char *name)
{
	for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (strcmp(xsd_errors[i].errstring, name) == 0)
			return -xsd_errors[i].errnum;
	return -EPROTO;
}

static int
receive(struct xenstore *xs, uint32_t type, char **value, size_t *len)
{
	struct xsd_sockmsg head = { .type = 0 };
	int ret = transfer(xs, (char *)&head, sizeof(head), false);

	*value = NULL;
	*len = 0;
	if (ret == 0 &&
	    (head.len > XENSTORE_PAYLOAD_MAX || head.req_id != xs->requests ||
	     (head.type != type && head.type != XS_ERROR)))
		ret = -EPROTO;
	if (ret < 0)
		return ret;
	*value = calloc(1, head.len + 1u);
	if (!*value)
		return -ENOMEM;
	*len = head.len;
	ret = transfer(xs, *value, head.len, false);
	if (ret == 0 && head.type == XS_ERROR)
		ret = error_code(*value);
	return ret;
}

static int
request(struct xenstore *xs, uint32_t type, const char *path, char **value,
	size_t *len, struct error *err)
{
	int ret = send_request(xs, type, path);

	*value = NULL;
	if (ret == 0)
		ret = receive(xs, type, value, len);
	if (ret < 0) {
		free(*value);
		*value = NULL;
		*len = 0;
	}
	if (ret == -EPROTO)
		return error_set(err, EPROTO,
				 "the answer about %s is not of xenstore's "
				 "protocol",
				 path);
	return ret < 0 ? error_errno(err, -ret, "%s", path) : 0;
}

int
xenstore_read(struct xenstore *xs, const char *path, char **value, size_t *len,
	      struct error *err)
{
	return request(xs, XS_READ, path, value, len, err);
}

int
xenstore_list(struct xenstore *xs, const char *path, char **names, size_t *len,
	      struct error *err)
{
	return request(xs, XS_DIRECTORY, path, names, len, err);
}
