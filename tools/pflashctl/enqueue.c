/* SPDX-License-Identifier: BSD-2-Clause */
#include "enqueue.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pflash/files.h"

static int command_argc;
static char **command_argv;

void
enqueue_command(int argc, char **argv)
{
	command_argc = argc;
	command_argv = argv;
}

/* The words with blanks between them, cut. */
static void
command_text(char *text, size_t room)
{
	size_t len = 0;

	*text = '\0';
	for (int i = 1; i < command_argc && len + 1 < room; i++) {
		int n = snprintf(text + len, room - len, "%s%s",
				 i > 1 ? " " : "", command_argv[i]);

		len += n > 0 ? (size_t)n : 0;
	}
}

static uint64_t
now(void)
{
	struct timespec time;

	if (clock_gettime(CLOCK_REALTIME, &time) < 0)
		return 0;
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int
open_files(const struct store_config *config, struct files **files,
	   struct error *err)
{
	return files_find(files, config->path, config->journal, NULL, err);
}

int
enqueue_read(const struct store_config *config, struct queue **queue,
	     struct error *err)
{
	struct files *files;
	int ret = open_files(config, &files, err);

	*queue = NULL;
	if (ret < 0)
		return ret;
	ret = queue_read(queue, files, NULL, err);
	files->ops->close(files);
	return ret;
}

int
enqueue_preview(const struct store_config *config, uint8_t *image, size_t size,
		struct error *err)
{
	struct queue *queue;
	int ret = enqueue_read(config, &queue, err);

	if (ret == 0)
		ret = queue_preview(queue, image, size, NULL, err);
	queue_free(queue);
	return ret;
}

int
enqueue(const struct store_config *config, const struct changes *changes,
	struct error *err)
{
	char text[QUEUE_TEXT_MOST + 1];
	const struct queue_item item = {
		.time = now(),
		.text = text,
		.changes = changes,
	};
	struct files *files;
	int ret = open_files(config, &files, err);

	if (ret < 0)
		return ret;
	command_text(text, sizeof(text));
	ret = queue_append(files, NULL, &item, err);
	files->ops->close(files);
	return ret;
}

void
enqueue_note(const struct store_config *config)
{
	struct queue *queue;
	struct error err;

	if (enqueue_read(config, &queue, &err) < 0)
		return;
	if (queue_count(queue))
		puts("changes wait for the next start, and will be applied to "
		     "this image: `pflashctl vars pending` lists them");
	queue_free(queue);
}
