/* SPDX-License-Identifier: BSD-2-Clause */
#include "listener.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct connection {
	struct listener *listener;
	ev_io input;
	ev_timer patience;
	bool used;
	size_t len;
	char line[LISTENER_LINE + 1];
};

struct listener {
	struct ev_loop *ev;
	listener_answer *answer;
	void *opaque;
	ev_io accepts;
	unsigned int count;
	struct connection connections[LISTENER_MOST];
};

static void
end(struct connection *connection)
{
	struct listener *listener = connection->listener;

	ev_io_stop(listener->ev, &connection->input);
	ev_timer_stop(listener->ev, &connection->patience);
	close(connection->input.fd);
	connection->used = false;
	listener->count--;
	ev_io_start(listener->ev, &listener->accepts);
}

static void
answer(struct connection *connection)
{
	struct listener *listener = connection->listener;
	char *text;

	connection->line[strcspn(connection->line, "\n")] = '\0';
	text = listener->answer(listener->opaque, connection->line);
	if (text)
		(void)send(connection->input.fd, text, strlen(text),
			   MSG_DONTWAIT | MSG_NOSIGNAL);
	free(text);
	end(connection);
}

static void
on_input(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct connection *connection = watcher->data;
	char *to = connection->line + connection->len;
	ssize_t n = recv(watcher->fd, to, LISTENER_LINE - connection->len,
			 MSG_DONTWAIT);

	(void)ev, (void)events;
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			end(connection);
		return;
	}
	connection->len += (size_t)n;
	connection->line[connection->len] = '\0';
	if (n == 0 || connection->len == LISTENER_LINE || strchr(to, '\n'))
		answer(connection);
}

static void
on_patience(struct ev_loop *ev, ev_timer *watcher, int events)
{
	(void)ev, (void)events;
	answer(watcher->data);
}

static struct connection *
unused(struct listener *listener)
{
	struct connection *connection = listener->connections;

	while (connection->used)
		connection++;
	return connection;
}

static void
on_accept(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct listener *listener = watcher->data;
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_CLOEXEC);
	struct connection *connection;

	(void)events;
	if (fd < 0)
		return;
	connection = unused(listener);
	*connection = (struct connection){ .listener = listener, .used = true };
	ev_io_init(&connection->input, on_input, fd, EV_READ);
	ev_timer_init(&connection->patience, on_patience, LISTENER_SECONDS, 0.);
	connection->input.data = connection->patience.data = connection;
	ev_io_start(ev, &connection->input);
	ev_timer_start(ev, &connection->patience);
	if (++listener->count == LISTENER_MOST)
		ev_io_stop(ev, watcher);
}

int
listener_bind(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t before;
	int ret;

	if (fd < 0)
		return -errno;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	(void)unlink(address.sun_path);
	before = umask(S_IXUSR | S_IRWXG | S_IRWXO);
	ret = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(before);
	if (ret == 0)
		ret = listen(fd, SOMAXCONN);
	if (ret == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

struct listener *
listener_open(struct ev_loop *ev, int fd, listener_answer *answer_it,
	      void *opaque)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener) {
		close(fd);
		return NULL;
	}
	listener->ev = ev;
	listener->answer = answer_it;
	listener->opaque = opaque;
	ev_io_init(&listener->accepts, on_accept, fd, EV_READ);
	listener->accepts.data = listener;
	ev_io_start(ev, &listener->accepts);
	return listener;
}

void
listener_close(struct listener *listener)
{
	for (unsigned int i = 0; i < LISTENER_MOST; i++)
		if (listener->connections[i].used)
			end(&listener->connections[i]);
	ev_io_stop(listener->ev, &listener->accepts);
	close(listener->accepts.fd);
	free(listener);
}
