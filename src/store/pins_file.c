/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The record of pinned variables, VARS.pins: a queue with one list
 * (docs/format.md).  Only a process with the lock on VARS writes it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "queue.h"

#include "pflash/pins.h"

#define NANOSECONDS UINT64_C(1000000000)

/* A damaged record is refused: its pins would be lost in silence. */
static int
refuse(const struct file *file, const char *why, struct error *err)
{
	return error_set(err, EUCLEAN,
			 "%s: %s: restore it from a backup, or remove it; "
			 "then the values of VARS are pinned",
			 file->path, why);
}

static int
load(struct pins *pins, const struct file *file, const struct queue *queue,
     struct error *err)
{
	const struct queue_item *item = queue_at(queue, 0);

	if (!item || queue_at(queue, 1))
		return refuse(file, "is no record of pinned variables", err);
	return pins_load(pins, item->changes, err);
}

int
pins_read(struct pins *pins, struct files *files, const struct sys *sys,
	  struct error *err)
{
	struct file file = { .sys = sys ? sys : &sys_kernel };
	struct queue *queue = NULL;
	uint8_t *bytes = NULL;
	struct error why;
	size_t len;
	int rc = file_open(&file, files, FILES_PINS, false, err);

	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = file_read_all(&file, &bytes, &len, err);
	if (!rc) {
		rc = queue_decode(&queue, bytes, len, &why);
		if (rc)
			(void)refuse(&file, why.text, err);
	}
	free(bytes);
	if (!rc)
		rc = load(pins, &file, queue, err);
	queue_free(queue);
	file_close(&file);
	return rc;
}

/* The bytes of the file; *len is 0 if nothing is pinned. */
static int
encode(const struct pins *pins, uint8_t **bytes, size_t *len, struct error *err)
{
	struct changes *record = changes_new();
	struct queue *queue = queue_new();
	struct queue_item item = {
		.time = (uint64_t)time(NULL) * NANOSECONDS,
		.text = "pinned variables",
		.changes = record,
	};
	int rc = record && queue ? pins_save(pins, record, err) :
				   error_set(err, ENOMEM, "out of memory");

	*bytes = NULL;
	*len = 0;
	if (!rc && changes_count(record)) {
		rc = queue_add(queue, &item, err);
		if (!rc)
			rc = queue_encode(queue, bytes, len, err);
	}
	changes_free(record);
	queue_free(queue);
	return rc;
}

int
pins_write(const struct pins *pins, struct files *files, const struct sys *sys,
	   struct error *err)
{
	struct file file = { .sys = sys ? sys : &sys_kernel };
	struct error why;
	uint8_t *bytes;
	size_t len;
	bool named = false;
	int rc = encode(pins, &bytes, &len, &why);

	if (rc)
		return error_set(err, -rc, "%s: %s", files->name[FILES_PINS],
				 why.text);
	if (!len)
		return 0;
	rc = file_write_new(&file, files, FILES_PINS, bytes, len, err);
	free(bytes);
	if (rc)
		return rc;
	file_close(&file);
	rc = files->ops->install(files, FILES_PINS, true, &named);
	if (!named)
		(void)files->ops->remove(files, FILES_PINS, true);
	return rc ? error_errno(err, -rc, "%s", file.path) : 0;
}

static int
put(void *opaque, const struct store *store, uint8_t *image, struct error *err)
{
	(void)err;
	memcpy(image, opaque, store_size(store));
	return 1;
}

/* As one burst, whatever the store's limit of a burst is. */
static int
rewrite(struct store **store, const struct store_config *config, uint8_t *image,
	struct error *err)
{
	struct store_config plain = *config;
	int rc = store_close(*store);

	*store = NULL;
	if (rc)
		return error_errno(err, -rc, "%s",
				   config->files->name[FILES_VARS]);
	plain.pins = NULL;
	rc = store_rewrite(&plain, put, image, err);
	return rc ? rc : store_open(store, config, NULL, err);
}

int
pins_restore(struct pins *pins, struct store **store,
	     const struct store_config *config, struct error *err)
{
	uint32_t size = store_size(*store);
	uint8_t *image = malloc(size);
	int rc, changed;

	if (!image)
		return error_set(err, ENOMEM, "out of memory");
	memcpy(image, store_image(*store), size);
	rc = changed = pins_start(pins, image, size, err);
	if (changed > 0)
		rc = rewrite(store, config, image, err);
	free(image);
	if (rc >= 0 && pins_changed(pins))
		rc = pins_write(pins, config->files, config->sys, err);
	return rc < 0 ? rc : changed;
}
