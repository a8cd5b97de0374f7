/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "pflash/queue.h"
#include "pflash/varstore.h"

#define NANOSECONDS 1000000000u

/* One list while it is applied. */
struct application {
	const struct queue_item *item;
	int result; /* of changes_apply() */
	struct error why;
};

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

static int
edit(void *opaque, const struct store *store, uint8_t *image, struct error *err)
{
	struct application *application = opaque;

	(void)err;
	memcpy(image, store_image(store), store_size(store));
	application->result = changes_apply(application->item->changes, image,
					    store_size(store),
					    &application->why);
	return application->result > 0;
}

/* A list that is refused is no error, see apply.h. */
static int
apply_list(const struct store_config *config, const struct queue_item *item,
	   struct error *err)
{
	struct application application = { .item = item };
	int ret = store_rewrite(config, edit, &application, err);

	if (ret < 0)
		return ret;
	if (application.result < 0)
		log_list(LOG_WARNING, item, "dropped at start",
			 application.why.text);
	else
		log_list(LOG_NOTICE, item, "applied at start",
			 application.result ? NULL :
					      "the variables were so already");
	return 0;
}

/* Finds the lists that were applied before a crash; changes nothing. */
struct progress {
	const struct queue *queue;
	int done;
};

static int
find_done(void *opaque, const struct store *store, uint8_t *image,
	  struct error *err)
{
	struct progress *progress = opaque;
	struct varstore variables;

	(void)image;
	if (varstore_open(&variables, store_image(store), store_size(store),
			  NULL) == 0)
		progress->done = queue_done(progress->queue, &variables);
	return progress->done < 0 ?
		       error_set(err, -progress->done, "out of memory") :
		       0;
}

static int
apply_lists(const struct store_config *config, const struct queue *queue,
	    struct error *err)
{
	struct progress progress = { .queue = queue };
	const struct queue_item *item;
	int ret = store_rewrite(config, find_done, &progress, err);

	for (size_t i = 0; ret == 0 && (item = queue_at(queue, i)); i++)
		if (i < (size_t)progress.done)
			log_list(LOG_NOTICE, item, "applied at start",
				 "the variables were so already");
		else
			ret = apply_list(config, item, err);
	return ret;
}

static void
keep(struct files *files, const struct error *why)
{
	char *name;
	int ret = files->ops->keep(files, FILES_NEXT, false, &name);

	if (ret < 0) {
		log_line(LOG_WARNING,
			 "no queued change is applied: %s; it "
			 "cannot be renamed: %s",
			 why->text, strerror(-ret));
		return;
	}
	log_line(LOG_WARNING,
		 "no queued change is applied: %s; it is kept as "
		 "%s",
		 why->text, name);
	free(name);
}

int
apply_queue(const struct store_config *config, struct error *err)
{
	struct files *files = config->files;
	struct queue *queue;
	struct error why;
	int ret = queue_hold(&queue, files, config->sys, &why);

	if (ret == -EUCLEAN || ret == -EINVAL) {
		keep(files, &why);
		return 0;
	}
	if (ret < 0) {
		log_line(LOG_WARNING, "no queued change is applied: %s",
			 why.text);
		return 0;
	}
	if (queue_count(queue))
		ret = apply_lists(config, queue, err);
	if (ret == 0 && queue_count(queue) && queue_remove(files, &why) < 0)
		log_line(LOG_WARNING,
			 "the queued changes were applied, but stay: %s",
			 why.text);
	queue_free(queue);
	return ret;
}
