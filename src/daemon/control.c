/* SPDX-License-Identifier: BSD-2-Clause */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "listener.h"
#include "log.h"
#include "pflash/control.h"

struct control {
	struct flash *flash;
	struct listener *listener;
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
	add_number(status, STATUS_PID, (uint64_t)flash->keeper);
	add_text(status, STATUS_VERSION, PFLASH_VERSION);
	add_text(status, STATUS_VARS, store_path(flash->store));
	add_number(status, STATUS_BASE, device_base(flash->device));
	add_number(status, STATUS_SIZE, store_size(flash->store));
	add_text(status, STATUS_MODE,
		 device_mode(flash->device) == WINDOW_DIRECT ? "direct" :
							       "trap");
	add_text(status, STATUS_SYNC, options_sync_name(options));
	add_text(status, STATUS_PERSONALITY, options_personality_name(options));
	add_text(status, STATUS_SANDBOX, sandbox_name(flash->sandbox));
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

static const char *
set_mode(struct flash *flash, const char *wanted, struct error *err)
{
	enum window_mode mode = strcmp(wanted, "direct") == 0 ? WINDOW_DIRECT :
								WINDOW_TRAP;
	int ret;

	if (mode == device_mode(flash->device))
		return NULL;
	ret = device_set_mode(flash->device, mode, err);
	if (ret == 0)
		log_line(LOG_INFO, "%s mode from now on", wanted);
	else
		log_line(ret == -ENOTRECOVERABLE ? LOG_ERR : LOG_WARNING,
			 "not in %s mode: %s%s", wanted, err->text,
			 ret == -ENOTRECOVERABLE ?
				 "; the guest stays paused until another "
				 "pflashd takes over from this one" :
				 "");
	return ret < 0 ? err->text : NULL;
}

/* Does what is asked for.  NULL, or why not. */
static const char *
obey(struct flash *flash, const char *line, struct error *err)
{
	if (!*line || strcmp(line, CONTROL_STATUS) == 0)
		return NULL;
	if (strcmp(line, CONTROL_MODE "direct") == 0 ||
	    strcmp(line, CONTROL_MODE "trap") == 0)
		return set_mode(flash, line + strlen(CONTROL_MODE), err);
	return "this pflashd does not know what it is asked for";
}

static char *
answer(void *opaque, const char *line)
{
	const struct control *control = opaque;
	struct flash *flash = control->flash;
	struct json_object *status = json_object_new_object();
	struct error err;
	const char *text, *why;
	char *copy = NULL;

	if (!status)
		return NULL;
	why = obey(flash, line, &err);
	add_flash(status, flash);
	add_counts(status, flash);
	if (why)
		add_text(status, STATUS_ERROR, why);
	text = json_object_to_json_string_ext(status, JSON_C_TO_STRING_PLAIN);
	if (text)
		copy = strdup(text);
	json_object_put(status);
	return copy;
}

struct control *
control_open(struct ev_loop *ev, struct flash *flash)
{
	struct control *control = calloc(1, sizeof(*control));
	int fd = control ? ask_descriptor(CHANNEL_LISTEN) : -ENOMEM;

	if (fd >= 0)
		control->listener = listener_open(ev, fd, answer, control);
	else
		errno = -fd;
	if (!control || !control->listener) {
		log_line(LOG_WARNING,
			 "no control socket in " PFLASH_RUN_DIR ": %s",
			 strerror(errno));
		free(control);
		return NULL;
	}
	control->flash = flash;
	return control;
}

void
control_close(struct control *control)
{
	if (!control)
		return;
	listener_close(control->listener);
	free(control);
}
