/* SPDX-License-Identifier: BSD-2-Clause */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "pflash/control.h"

struct control {
	struct ev_loop *ev;
	struct flash *flash;
	ev_io connections;
	struct sockaddr_un address;
};

static void
add_text(struct json_object *status, const char *name, const char *text)
{
	json_object_object_add(status, name, json_object_new_string(text));
}

static void
add_number(struct json_object *status, const char *name, uint64_t value)
{
	json_object_object_add(status, name, json_object_new_uint64(value));
}

static void
add_flash(struct json_object *status, const struct flash *flash)
{
	const struct options *options = flash->options;

	add_number(status, STATUS_DOMAIN, domain_id(flash->domain));
	add_text(status, STATUS_NAME, domain_name(flash->domain));
	add_number(status, STATUS_PID, (uint64_t)getpid());
	add_text(status, STATUS_VERSION, PFLASH_VERSION);
	add_text(status, STATUS_VARS, store_path(flash->store));
	add_number(status, STATUS_BASE, device_base(flash->device));
	add_number(status, STATUS_SIZE, store_size(flash->store));
	add_text(status, STATUS_MODE,
		 device_mode(flash->device) == WINDOW_DIRECT ? "direct" :
							       "trap");
	add_text(status, STATUS_SYNC, options_sync_name(options));
	add_text(status, STATUS_PERSONALITY, options_personality_name(options));
	add_number(status, STATUS_SINCE, (uint64_t)flash->since);
}

static void
add_counts(struct json_object *status, const struct flash *flash)
{
	const struct ioreq_stats *requests = ioreq_server_stats(flash->server);
	const struct store_stats *stored = store_stats(flash->store);
	/* A read-only store was asked to be one. */
	bool failed = store_failed(flash->store) && !flash->options->read_only;

	add_number(status, STATUS_REQUESTS, requests->requests);
	add_number(status, STATUS_READS, requests->reads);
	add_number(status, STATUS_WRITES, requests->writes);
	add_number(status, STATUS_BURSTS, stored->bursts);
	add_number(status, STATUS_CHECKPOINTS, stored->checkpoints);
	add_number(status, STATUS_WRITTEN, stored->written);
	add_number(status, STATUS_THROTTLED, flash->limit.times);
	add_number(status, STATUS_THROTTLED_SECONDS,
		   (uint64_t)limit_waited(&flash->limit, limit_clock()));
	if (flash->live)
		add_number(status, STATUS_TAKEOVERS, flash->live->takeovers);
	add_number(status, STATUS_ERRORS, failed);
	add_text(status, STATUS_FAILURE,
		 failed ? store_failure(flash->store) : "");
}

/* It fits into the socket's buffer: nobody is waited for. */
static void
tell(const struct flash *flash, int fd)
{
	struct json_object *status = json_object_new_object();
	const char *text;

	if (!status)
		return;
	add_flash(status, flash);
	add_counts(status, flash);
	text = json_object_to_json_string_ext(status, JSON_C_TO_STRING_PLAIN);
	if (text)
		(void)send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
	json_object_put(status);
}

static void
on_connection(struct ev_loop *ev, ev_io *watcher, int events)
{
	const struct control *control = watcher->data;
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)ev, (void)events;
	if (fd < 0)
		return;
	tell(control->flash, fd);
	close(fd);
}

static int
listen_at(struct sockaddr_un *address, uint32_t domain)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t before;
	int ret;

	if (fd < 0)
		return -1;
	address->sun_family = AF_UNIX;
	(void)snprintf(address->sun_path, sizeof(address->sun_path),
		       PFLASH_RUN_DIR "/%" PRIu32 ".sock", domain);
	if (mkdir(PFLASH_RUN_DIR, S_IRWXU) < 0 && errno != EEXIST) {
		close(fd);
		return -1;
	}
	/* One that is there is of a process that was killed. */
	(void)unlink(address->sun_path);
	before = umask(S_IXUSR | S_IRWXG | S_IRWXO);
	ret = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	umask(before);
	if (ret == 0)
		ret = listen(fd, SOMAXCONN);
	if (ret < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

struct control *
control_open(struct ev_loop *ev, struct flash *flash)
{
	struct control *control = calloc(1, sizeof(*control));
	int fd = control ? listen_at(&control->address,
				     domain_id(flash->domain)) :
			   -1;

	if (fd < 0) {
		log_line(LOG_WARNING,
			 "no control socket in " PFLASH_RUN_DIR ": %s",
			 strerror(errno));
		free(control);
		return NULL;
	}
	control->ev = ev;
	control->flash = flash;
	ev_io_init(&control->connections, on_connection, fd, EV_READ);
	control->connections.data = control;
	ev_io_start(ev, &control->connections);
	return control;
}

void
control_close(struct control *control)
{
	if (!control)
		return;
	ev_io_stop(control->ev, &control->connections);
	(void)unlink(control->address.sun_path);
	close(control->connections.fd);
	free(control);
}
