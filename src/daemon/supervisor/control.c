/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "pflash/control.h"

struct client {
	struct control *control;
	ev_io input;
	ev_timer timeout;
	bool used;
	int command; /* the number of its deferred command, or 0 */
	size_t len;
	char line[CONTROL_LINE + 1];
};

struct control {
	struct ev_loop *ev;
	const struct control_ops *ops;
	struct sockaddr_un address;
	ev_io listener;
	unsigned int count;
	struct client clients[CONTROL_CLIENTS];
};

/* Frees the slot; the caller has the connection. */
static int
release_client(struct client *client)
{
	struct control *control = client->control;

	ev_io_stop(control->ev, &client->input);
	ev_timer_stop(control->ev, &client->timeout);
	client->used = false;
	client->command = 0;
	control->count--;
	ev_io_start(control->ev, &control->listener);
	return client->input.fd;
}

static void
close_client(struct client *client)
{
	close(release_client(client));
}

/* Sends the status, with `error` if it is not NULL, and closes. */
static void
send_answer(struct client *client, const char *error)
{
	const struct control_ops *ops = client->control->ops;
	char *text = ops->status(ops->opaque, error);

	if (text)
		(void)send(client->input.fd, text, strlen(text),
			   MSG_DONTWAIT | MSG_NOSIGNAL);
	free(text);
	close_client(client);
}

/* Defers the answer to control_done(), or to the timeout. */
static void
defer(struct client *client, int command)
{
	struct ev_loop *ev = client->control->ev;

	client->command = command;
	ev_io_stop(ev, &client->input);
	ev_timer_stop(ev, &client->timeout);
	ev_timer_set(&client->timeout, CONTROL_DEFER_SECONDS, 0.);
	ev_timer_start(ev, &client->timeout);
}

/* Executes the client's line, as far as it has arrived. */
static void
run_command(struct client *client)
{
	const struct control_ops *ops = client->control->ops;
	struct error err;
	int ret;

	client->line[strcspn(client->line, "\n")] = '\0';
	ret = ops->command(ops->opaque, client->line, &err);
	if (ret == CONTROL_STREAM)
		ops->stream(ops->opaque, release_client(client));
	else if (ret > 0)
		defer(client, ret);
	else
		send_answer(client, ret < 0 ? err.text : NULL);
}

static void
on_input(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct client *client = watcher->data;
	char *to = client->line + client->len;
	ssize_t n = recv(watcher->fd, to, CONTROL_LINE - client->len,
			 MSG_DONTWAIT);

	(void)ev, (void)events;
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			close_client(client);
		return;
	}
	client->len += (size_t)n;
	client->line[client->len] = '\0';
	if (n == 0 || client->len == CONTROL_LINE || strchr(to, '\n'))
		run_command(client);
}

static void
on_timeout(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct client *client = watcher->data;

	(void)ev, (void)events;
	if (client->command)
		send_answer(client, "the worker did not answer in time");
	else
		run_command(client);
}

/* There is one: at CONTROL_CLIENTS the listener is stopped. */
static struct client *
free_slot(struct control *control)
{
	struct client *client = control->clients;

	while (client->used)
		client++;
	return client;
}

static void
on_accept(struct ev_loop *ev, ev_io *watcher, int events)
{
	struct control *control = watcher->data;
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_CLOEXEC);
	struct client *client;

	(void)events;
	if (fd < 0)
		return;
	client = free_slot(control);
	*client = (struct client){ .control = control, .used = true };
	ev_io_init(&client->input, on_input, fd, EV_READ);
	ev_timer_init(&client->timeout, on_timeout, CONTROL_LINE_SECONDS, 0.);
	client->input.data = client->timeout.data = client;
	ev_io_start(ev, &client->input);
	ev_timer_start(ev, &client->timeout);
	if (++control->count == CONTROL_CLIENTS)
		ev_io_stop(ev, watcher);
}

static int
listen_at(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;
	int ret;

	if (fd < 0)
		return -errno;
	(void)unlink(address->sun_path);
	mask = umask(S_IXUSR | S_IRWXG | S_IRWXO);
	ret = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	umask(mask);
	if (ret == 0)
		ret = listen(fd, SOMAXCONN);
	if (ret == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

int
control_open(struct control **out, struct ev_loop *ev, const char *path,
	     const struct control_ops *ops, struct error *err)
{
	struct control *control = calloc(1, sizeof(*control));
	int fd;

	if (!control)
		return error_set(err, ENOMEM, "out of memory");
	control->ev = ev;
	control->ops = ops;
	control->address.sun_family = AF_UNIX;
	(void)snprintf(control->address.sun_path,
		       sizeof(control->address.sun_path), "%s", path);
	fd = listen_at(&control->address);
	if (fd < 0) {
		free(control);
		return error_errno(err, -fd, "%s", path);
	}
	ev_io_init(&control->listener, on_accept, fd, EV_READ);
	control->listener.data = control;
	ev_io_start(ev, &control->listener);
	*out = control;
	return 0;
}

void
control_done(struct control *control, int command, const char *error)
{
	for (unsigned int i = 0; control && i < CONTROL_CLIENTS; i++)
		if (control->clients[i].used &&
		    control->clients[i].command == command)
			send_answer(&control->clients[i], error);
}

void
control_close(struct control *control)
{
	if (!control)
		return;
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i].used)
			close_client(&control->clients[i]);
	ev_io_stop(control->ev, &control->listener);
	close(control->listener.fd);
	(void)unlink(control->address.sun_path);
	free(control);
}
