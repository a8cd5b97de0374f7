/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "pflash/pins.h"
#include "pflash/queue.h"

#define NANOSECONDS 1000000000u

static void
format_time(uint64_t time, char *text, size_t room)
{
	time_t seconds = (time_t)(time / NANOSECONDS);
	struct tm utc;

	if (!gmtime_r(&seconds, &utc) ||
	    !strftime(text, room, "%Y-%m-%d %H:%M:%S UTC", &utc))
		*text = '\0';
}

static void
log_list(int priority, const struct queue_item *item, const char *result,
	 const char *why)
{
	char when[64];

	format_time(item->time, when, sizeof(when));
	log_line(priority, "%s: %s (queued at %s)%s%s", result, item->text,
		 when, why ? ": " : "", why ? why : "");
}

struct application {
	const struct store_config *config;
	struct pins *pins; /* NULL: none */
};

/* The record is durable before the queue is removed. */
static int
pin_changes(const struct application *application,
	    const struct changes *changes, struct error *err)
{
	const struct store_config *config = application->config;
	int ret;

	if (!application->pins)
		return 0;
	ret = pins_host_changes(application->pins, changes, err);
	if (ret == 0 && pins_changed(application->pins))
		ret = pins_write(application->pins, config->files, config->sys,
				 err);
	return ret;
}

static int
report(void *opaque, const struct queue_item *item, enum queue_result result,
       const struct error *why, struct error *err)
{
	switch (result) {
	case QUEUE_APPLIED:
		log_list(LOG_NOTICE, item, "applied at start", NULL);
		break;
	case QUEUE_IN_EFFECT:
		log_list(LOG_NOTICE, item, "applied at start",
			 "the variables were so already");
		break;
	case QUEUE_DROPPED:
		log_list(LOG_WARNING, item, "dropped at start", why->text);
		return 0;
	}
	return pin_changes(opaque, item->changes, err);
}

static void
keep(struct files *files, const struct error *why)
{
	char *name;
	int ret = files->ops->keep ? files->ops->keep(files, FILES_NEXT, false,
						      &name) :
				     -EOPNOTSUPP;

	if (ret < 0) {
		log_line(LOG_WARNING,
			 "no queued change is applied: %s; it cannot be "
			 "renamed: %s",
			 why->text, strerror(-ret));
		return;
	}
	log_line(LOG_WARNING,
		 "no queued change is applied: %s; it is kept as %s", why->text,
		 name);
	free(name);
}

int
apply_queue(const struct store_config *config, struct pins *pins,
	    struct error *err)
{
	struct application application = { config, pins };
	struct queue *queue;
	struct error why;
	int ret = queue_hold(&queue, config->files, config->sys, &why);

	if (ret == -EUCLEAN || ret == -EINVAL) {
		keep(config->files, &why);
		return 0;
	}
	if (ret < 0) {
		log_line(LOG_WARNING, "no queued change is applied: %s",
			 why.text);
		return 0;
	}
	ret = queue_apply(queue, config, report, &application, err);
	if (ret > 0)
		log_line(LOG_WARNING,
			 "the queued changes were applied, but stay: %s",
			 err->text);
	queue_free(queue);
	return ret < 0 ? ret : 0;
}
