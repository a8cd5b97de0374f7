/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"
#include "random.h"

#include "pflash/queue.h"

static const uint8_t vendor[GUID_SIZE] = { 0xc0, 0xff, 0xee };

struct files *
queue_files(struct run *run)
{
	struct fault fault = machine.fault;
	struct files *files;
	struct error err;
	int rc;

	places_mirror(run);
	machine.fault.kind = FAULT_NONE;
	rc = files_find(&files, run_path(run), NULL, &sys_machine, &err);
	machine.fault = fault;
	if (rc)
		abort();
	return files;
}

/* Reads the queue without a fault; NULL: it is damaged. */
static struct queue *
read_queue(struct run *run)
{
	struct files *files = queue_files(run);
	struct fault fault = machine.fault;
	struct queue *queue;
	struct error err;

	machine.fault.kind = FAULT_NONE;
	if (queue_read(&queue, files, &sys_machine, &err) < 0)
		(void)run_wrong(run, "queue_read: %s", err.text);
	machine.fault = fault;
	files->ops->close(files);
	return queue;
}

static bool
has_queue(struct run *run)
{
	char name[NAME_SIZE + 8];
	struct queue *queue;
	bool any;

	if (run->setting->device) {
		if (machine.dead)
			return true; /* or not: nothing can be read */
		queue = read_queue(run);
		any = queue && queue_count(queue);
		queue_free(queue);
		return any;
	}
	(void)snprintf(name, sizeof(name), "%s.next", machine.vars);
	return disk_find(machine.disk, name) >= 0;
}

/*
 * One to four of six variables, some removed.  One of them has a value of its
 * own, so that no two lists end in the same image.
 */
static struct changes *
make_list(uint64_t seed)
{
	struct changes *changes = changes_new();
	uint8_t name[4] = { 0 }, data[200];
	struct edit_value value = {
		.guid = vendor,
		.name = name,
		.name_size = sizeof(name),
		.attributes = 7,
		.data = data,
	};

	if (!changes)
		abort();
	run_fill(data, sizeof(data), draw(&seed));
	for (uint32_t n = below(&seed, 4); n > 0; n--) {
		name[0] = (uint8_t)('A' + below(&seed, 5));
		value.data_size = 1 + below(&seed, sizeof(data));
		if (below(&seed, 3))
			(void)changes_set(changes, &value, NULL);
		else
			(void)changes_remove(changes, vendor, name,
					     sizeof(name), NULL);
	}
	name[0] = 'Z';
	value.data_size = 16;
	(void)changes_set(changes, &value, NULL);
	return changes;
}

bool
queue_step(struct run *run, uint64_t seed)
{
	struct range *may = &run->model->may;
	struct changes *changes = make_list(seed);
	const struct queue_item item = { .text = "", .changes = changes };
	struct files *files = queue_files(run);
	struct error err = { "" };
	int rc;

	may->queue_hi++;
	rc = queue_append(files, &sys_machine, &item, &err);
	files->ops->close(files);
	changes_free(changes);
	if (rc)
		return run_tolerant() ||
		       run_wrong(run, "queue_append: %s", err.text);
	may->queue_lo++;
	return true;
}

/* Compares the variables of make_list(). */
static bool
same_variables(const uint8_t *a, const uint8_t *b, size_t size)
{
	struct varstore x, y;
	bool same = true;

	if (varstore_open(&x, a, size, NULL) ||
	    varstore_open(&y, b, size, NULL))
		return false;
	for (const char *letter = "ABCDEZ"; same && *letter; letter++) {
		const uint8_t name[4] = { (uint8_t)*letter };
		struct variable v, w;
		int has = varstore_find(&x, vendor, name, sizeof(name), &v);

		same = varstore_find(&y, vendor, name, sizeof(name), &w) == has;
		if (same && has == 0)
			same = v.data_size == w.data_size &&
			       !memcmp(v.data, w.data, v.data_size);
	}
	return same;
}

/* The lists that were applied already: to do so again leads to the same. */
static size_t
find_done(const struct model *model, const struct queue *queue)
{
	uint8_t *image = malloc(model->size);
	size_t done = 0;

	if (!image)
		abort();
	memcpy(image, model->image, model->size);
	for (size_t i = 0; i < queue_count(queue); i++) {
		(void)changes_apply(queue_at(queue, i)->changes, image,
				    model->size, NULL);
		if (same_variables(image, model->image, model->size))
			done = i + 1;
	}
	free(image);
	return done;
}

/* Adds a state for each list that changes the image. */
static void
expect_states(struct run *run, const struct queue *queue)
{
	struct model *model = run->model;

	for (size_t i = find_done(model, queue); i < queue_count(queue); i++) {
		if (changes_apply(queue_at(queue, i)->changes, model->image,
				  model->size, NULL) <= 0)
			continue;
		model_set(model, ++model->may.hi);
		model->done = model->may.hi;
	}
	model->may.queue_end = model->may.hi;
}

static int
ignore(void *opaque, const struct queue_item *item, enum queue_result result,
       const struct error *why, struct error *err)
{
	(void)opaque, (void)item, (void)result, (void)why, (void)err;
	return 0;
}

static int
start(const struct run *run, struct files *files, struct error *err)
{
	const struct store_config config = {
		.files = files,
		.size = run->setting->size,
		.sync = run->setting->sync,
		.history = &run->setting->history,
		.sys = &sys_machine,
	};
	struct queue *queue;
	int rc = queue_hold(&queue, files, &sys_machine, err);

	if (!rc)
		rc = queue_apply(queue, &config, ignore, NULL, err);
	queue_free(queue);
	return rc;
}

static void
forget(struct range *may)
{
	may->queue_lo = may->queue_hi = 0;
	may->queue_ends = false;
}

bool
queue_start_step(struct run *run)
{
	struct range *may = &run->model->may;
	struct error err = { "" };
	struct files *files;
	struct queue *queue;
	bool any;
	int rc;

	if (!run->complete) /* a fault prevented a clean close */
		return true;
	queue = read_queue(run);
	if (!queue)
		return false;
	run_settled(run, 0);
	expect_states(run, queue);
	any = queue_count(queue) > 0;
	/* A queue whose command has failed may vanish without a start. */
	may->queue_ends |= any && may->queue_lo > 0;
	queue_free(queue);
	files = queue_files(run);
	rc = start(run, files, &err);
	files->ops->close(files);
	run->complete = false;
	if (machine_leaks())
		return run_wrong(run, "the start leaves a file open");
	if (rc || machine.dead)
		return run_tolerant() ||
		       run_wrong(run, "the start: %d, %s", rc, err.text);
	may->lo = may->answered = may->hi;
	run_settled(run, may->hi);
	/* A removal before this start may not be durable: queue_opened(). */
	if (any)
		forget(may);
	return true;
}

void
queue_opened(struct run *run)
{
	if (!has_queue(run))
		forget(&run->model->may);
}

bool
queue_check(struct run *run)
{
	struct range *may = &run->model->may;
	struct queue *queue;
	uint32_t count;

	if (machine.dead || (!may->queue_hi && !has_queue(run)))
		return true;
	queue = read_queue(run);
	if (!queue)
		return false;
	count = (uint32_t)queue_count(queue);
	queue_free(queue);
	if (may->queue_ends && !count) {
		/* It was removed, so every list must be in VARS. */
		if (may->lo < may->queue_end)
			may->lo = may->queue_end;
		return true;
	}
	return (count >= may->queue_lo && count <= may->queue_hi) ||
	       run_wrong(run, "%u lists are queued, not %u to %u", count,
			 may->queue_lo, may->queue_hi);
}
