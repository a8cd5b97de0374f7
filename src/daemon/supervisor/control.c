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
	ev_timer patience;
	bool used;
	int held; /* the number of its command, which is under way, or 0 */
	size_t len;
	char line[CONTROL_LINE + 1];
};

struct control {
	struct ev_loop *ev;
	const struct control_ops *ops;
	struct sockaddr_un address;
	ev_io accepts;
	unsigned int count;
	struct client clients[CONTROL_MOST];
};

static void
end(struct client *client)
{
	struct control *control = client->control;

	ev_io_stop(control->ev, &client->input);
	ev_timer_stop(control->ev, &client->patience);
	close(client->input.fd);
	client->used = false;
	client->held = 0;
	control->count--;
	ev_io_start(control->ev, &control->accepts);
}

static void
answer(struct client *client, const char *error)
{
	const struct control_ops *ops = client->control->ops;
	char *text = ops->status(ops->opaque, error);

	if (text)
		(void)send(client->input.fd, text, strlen(text),
			   MSG_DONTWAIT | MSG_NOSIGNAL);
	free(text);
	end(client);
}

/* Until control_done(), or not for ever. */
static void
hold(struct client *client, int which)
{
	struct ev_loop *ev = client->control->ev;

	client->held = which;
	ev_io_stop(ev, &client->input);
	ev_timer_stop(ev, &client->patience);
	ev_timer_set(&client->patience, CONTROL_HELD_SECONDS, 0.);
	ev_timer_start(ev, &client->patience);
}

static void
obey(struct client *client)
{
	const struct control_ops *ops = client->control->ops;
	struct error err;
	int ret;

	client->line[strcspn(client->line, "\n")] = '\0';
	ret = ops->command(ops->opaque, client->line, &err);
	if (ret > 0)
		hold(client, ret);
	else
		answer(client, ret < 0 ? err.text : NULL);
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
			end(client);
		return;
	}
	client->len += (size_t)n;
	client->line[client->len] = '\0';
	if (n == 0 || client->len == CONTROL_LINE || strchr(to, '\n'))
		obey(client);
}

static void
on_patience(struct ev_loop *ev, ev_timer *watcher, int events)
{
	struct client *client = watcher->data;

	(void)ev, (void)events;
	if (client->held)
		answer(client, "the worker has not done it in time");
	else
		obey(client);
}

static struct client *
unused(struct control *control)
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
	client = unused(control);
	*client = (struct client){ .control = control, .used = true };
	ev_io_init(&client->input, on_input, fd, EV_READ);
	ev_timer_init(&client->patience, on_patience, CONTROL_SECONDS, 0.);
	client->input.data = client->patience.data = client;
	ev_io_start(ev, &client->input);
	ev_timer_start(ev, &client->patience);
	if (++control->count == CONTROL_MOST)
		ev_io_stop(ev, watcher);
}

static int
listen_at(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t before;
	int ret;

	if (fd < 0)
		return -errno;
	(void)unlink(address->sun_path);
	before = umask(S_IXUSR | S_IRWXG | S_IRWXO);
	ret = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	umask(before);
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
	ev_io_init(&control->accepts, on_accept, fd, EV_READ);
	control->accepts.data = control;
	ev_io_start(ev, &control->accepts);
	*out = control;
	return 0;
}

void
control_done(struct control *control, int which, const char *error)
{
	for (unsigned int i = 0; control && i < CONTROL_MOST; i++)
		if (control->clients[i].used &&
		    control->clients[i].held == which)
			answer(&control->clients[i], error);
}

void
control_close(struct control *control)
{
	if (!control)
		return;
	for (unsigned int i = 0; i < CONTROL_MOST; i++)
		if (control->clients[i].used)
			end(&control->clients[i]);
	ev_io_stop(control->ev, &control->accepts);
	close(control->accepts.fd);
	(void)unlink(control->address.sun_path);
	free(control);
}
