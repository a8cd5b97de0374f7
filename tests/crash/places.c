/* SPDX-License-Identifier: BSD-2-Clause */
#include "places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "random.h"
#include "travel.h"

#include "pflash/reader.h"

#define FILES 3 /* of a flash */

static const char *
path_of(const struct run *run, unsigned int place)
{
	return place ? run->places->second : run->setting->path;
}

static struct store_config
config_of(const struct run *run, const char *path)
{
	return (struct store_config){
		.path = path,
		.size = run->setting->size,
		.sys = &sys_machine,
	};
}

static const struct bytes *
content(const char *path, const char *suffix)
{
	char name[NAME_SIZE + 16];
	int inode;

	(void)snprintf(name, sizeof(name), "%s%s", disk_name(path), suffix);
	inode = disk_find(machine.disk, name);
	return inode < 0 ? NULL : &machine.disk->inode[inode];
}

static bool
is_empty(const char *path)
{
	return !content(path, "") && !content(path, ".journal") &&
	       !content(path, ".state");
}

static void
mirror(const char *path, bool *exists)
{
	bool wanted = disk_find(machine.disk, disk_name(path)) >= 0;
	FILE *stream;

	if (wanted == *exists)
		return;
	*exists = wanted;
	if (!wanted) {
		(void)unlink(path);
		return;
	}
	stream = fopen(path, "w");
	if (!stream || fclose(stream)) {
		perror(path);
		exit(2);
	}
}

void
places_mirror(const struct run *run)
{
	static bool first = true, second[2], clone;

	mirror(run->setting->path, &first);
	mirror(run->places->second, &second[run->places->beside]);
	mirror(run->places->clone, &clone);
}

/* The result of a reader, and the state of its image in *number. */
static int
look(const struct run *run, const char *path, uint32_t *number,
     struct error *err)
{
	const struct store_config config = config_of(run, path);
	struct fault fault = machine.fault;
	struct reader *reader;
	int rc;

	*number = 0;
	machine.fault.kind = FAULT_NONE;
	places_mirror(run);
	rc = reader_open_files(&reader, &config, err);
	machine.fault = fault;
	if (rc)
		return rc;
	if (reader_size(reader) == run->model->size)
		*number = run_find_state(run, reader_image(reader));
	reader_close(reader);
	return 0;
}

const char *
places_path(const struct run *run, unsigned int place)
{
	return path_of(run, place);
}

int
places_look(const struct run *run, unsigned int place, uint32_t *number,
	    struct error *err)
{
	return look(run, path_of(run, place), number, err);
}

/* --- move --- */

/* The flash at the new place is durable. */
static bool
arrived(struct run *run, unsigned int place, bool complete)
{
	struct range *may = &run->model->may;
	const char *path = path_of(run, place);
	struct error err = { "" };
	uint32_t number;

	if (!is_empty(path_of(run, !place)))
		return run_wrong(run, "the move leaves files behind");
	if (look(run, path, &number, &err))
		return run_wrong(run, "after the move: %s", err.text);
	if (!number)
		return run_wrong(run, "the move changes the image");
	if (complete)
		may->move = (struct move){ .begun = false };
	run_place(run, place);
	if (number > may->lo)
		may->lo = number;
	return true;
}

/* *done is false if the move failed because of a fault. */
static bool
do_move(struct run *run, bool *done)
{
	struct move *move = &run->model->may.move;
	struct store_config from, to;
	struct error err = { "" };
	bool complete;
	int rc;

	if (!move->begun)
		move->from = move->place;
	move->begun = true;
	from = config_of(run, path_of(run, move->from));
	to = config_of(run, path_of(run, !move->from));
	places_mirror(run);
	rc = store_move(&from, &to, &err);
	if (machine_leaks())
		return run_wrong(run, "store_move leaves a file open");
	complete = rc == 0 || !move->failed;
	/* The last file has been removed already. */
	if (rc == -ENOENT && is_empty(from.path) && !is_empty(to.path))
		rc = 0;
	*done = rc == 0 && !machine.dead;
	if (rc == 0)
		return machine.dead || arrived(run, !move->from, complete);
	move->failed = true;
	return run_tolerant() || run_wrong(run, "store_move: %s", err.text);
}

bool
places_move(struct run *run)
{
	bool done;

	return do_move(run, &done);
}

/* The start of a guest here must be refused, and change nothing. */
static bool
check_refusal(struct run *run, unsigned int place, int rc,
	      const struct error *why)
{
	struct store_config config = config_of(run, path_of(run, place));
	unsigned long changes = machine.changes;
	struct error err = { "" };
	struct store *store;

	if (rc != -ENOENT &&
	    (rc != -EREMCHG || !strstr(why->text, path_of(run, !place))))
		return run_wrong(run, "a place without the flash: %d, %s", rc,
				 why->text);
	if (run_tolerant())
		return true;
	if (store_open(&store, &config, NULL, &err) == 0) {
		(void)store_close(store);
		return run_wrong(run, "store_open opens what a reader refuses");
	}
	return machine.changes == changes ||
	       run_wrong(run, "store_open fails, but changes the files");
}

/* Neither is usable: no new file may take the place of either. */
static bool
check_between(struct run *run)
{
	struct error err;

	for (unsigned int place = 0; place < 2; place++) {
		struct store_config config = config_of(run,
						       path_of(run, place));

		places_mirror(run);
		if (store_create(&config, run->model->image, &err) == 0)
			return run_wrong(run, "a new flash hides a moved one");
	}
	return true;
}

static bool
look_at_both(struct run *run, bool *usable)
{
	struct error err[2] = { { "" }, { "" } };
	uint32_t number[2];
	int rc[2];

	for (unsigned int i = 0; i < 2; i++) {
		rc[i] = look(run, path_of(run, i), &number[i], &err[i]);
		usable[i] = rc[i] == 0;
		if (usable[i] && !number[i])
			return run_wrong(run, "the place %u has another image",
					 i);
	}
	if (usable[0] && usable[1])
		return run_wrong(run, "the flash is usable at both places");
	if (rc[0] == -ENOENT && rc[1] == -ENOENT)
		return run_wrong(run, "the flash is at neither place");
	for (unsigned int i = 0; i < 2; i++)
		if (!usable[i] && !check_refusal(run, i, rc[i], &err[i]))
			return false;
	return usable[0] || usable[1] || run_tolerant() || check_between(run);
}

/* Without a move the other place stays empty. */
static bool
check_other_place(struct run *run)
{
	unsigned int place = run->model->may.move.place;

	return is_empty(path_of(run, !place)) ||
	       run_wrong(run, "files come back where the flash has left");
}

bool
places_settle(struct run *run, bool *ready)
{
	struct move *move = &run->model->may.move;
	bool usable[2];

	*ready = true;
	if (travel_is_known(run))
		return travel_settle(run);
	if (!move->begun)
		return check_other_place(run);
	/* The flash was perhaps never created. */
	if (!run->model->may.lo && !content(run->setting->path, "") &&
	    !content(run->places->second, ""))
		return true;
	if (!look_at_both(run, usable))
		return false;
	if ((usable[0] || usable[1]) && run->key % 3 == 0) {
		run_place(run, usable[1]);
		return true;
	}
	return do_move(run, ready);
}

/* --- clone --- */

/* The flash may be open: then the clone has no open burst. */
static bool
find_source(struct run *run, uint32_t *number)
{
	struct error err = { "" };

	if (run->store && !run_tolerant()) {
		*number = run->model->done;
		return true;
	}
	if (look(run, run_path(run), number, &err))
		return run_tolerant() ||
		       run_wrong(run, "before the clone: %s", err.text);
	return *number || run_wrong(run, "the image is none of the states");
}

static bool
make_clone(struct run *run, bool exists)
{
	struct range *may = &run->model->may;
	struct store_config from = config_of(run, run_path(run));
	struct store_config to = config_of(run, run->places->clone);
	struct error err = { "" };
	int rc;

	places_mirror(run);
	rc = store_clone(&from, &to, &err);
	if (!run->store && machine_leaks())
		return run_wrong(run, "store_clone leaves a file open");
	if (rc == 0 && exists)
		return run_wrong(run, "store_clone replaces a file");
	if (rc && !run_tolerant() && (rc != -EEXIST || !exists))
		return run_wrong(run, "store_clone: %s", err.text);
	if (rc == 0 && !machine.dead)
		may->cloned = CLONED_DONE;
	return true;
}

bool
places_clone(struct run *run)
{
	struct range *may = &run->model->may;
	bool exists = content(run->places->clone, "") != NULL;
	uint32_t number;

	if (!exists) {
		if (!find_source(run, &number))
			return false;
		if (!number)
			return true;
		may->clone = number;
		may->cloned = CLONED_BEGUN;
	}
	return make_clone(run, exists) && places_check(run);
}

/* The contents of the flash's files, one after the other. */
static void
read_flash(const struct run *run, struct bytes *all)
{
	static const char *const suffix[FILES] = { "", ".journal", ".state" };

	all->len = 0;
	for (int i = 0; i < FILES; i++) {
		const struct bytes *bytes = content(run_path(run), suffix[i]);

		if (bytes)
			bytes_write(all, all->len, bytes->data, bytes->len);
	}
}

static bool
write_clone(struct run *run, uint64_t seed)
{
	struct store_config config = config_of(run, run->places->clone);
	struct error err = { "" };
	struct store *store;
	uint8_t bytes[40];
	int rc;

	run_fill(bytes, sizeof(bytes), seed);
	places_mirror(run);
	rc = store_open(&store, &config, NULL, &err);
	if (!rc) {
		rc = store_program(store, below(&seed, 8000), bytes,
				   sizeof(bytes));
		if (store_close(store))
			rc = -EIO;
	}
	return !rc || run_tolerant() ||
	       run_wrong(run, "the clone: %d, %s", rc, err.text);
}

bool
places_use_clone(struct run *run, uint64_t seed)
{
	struct bytes before = { .data = NULL }, after = { .data = NULL };
	bool good;

	if (run->model->may.cloned != CLONED_DONE)
		return true;
	run->model->may.cloned = CLONED_USED;
	read_flash(run, &before);
	good = write_clone(run, seed);
	read_flash(run, &after);
	if (good && (before.len != after.len ||
		     memcmp(before.data, after.data, before.len) != 0))
		good = run_wrong(run, "the clone's guest changes the flash");
	bytes_free(&before);
	bytes_free(&after);
	return good;
}

static bool
check_used(struct run *run)
{
	struct error err = { "" };
	uint32_t number;

	return look(run, run->places->clone, &number, &err) == 0 ||
	       machine.dead || run_wrong(run, "the used clone: %s", err.text);
}

bool
places_check(struct run *run)
{
	const struct model *model = run->model;
	enum cloned cloned = model->may.cloned;
	const char *path = run->places->clone;
	const struct bytes *clone = content(path, "");

	if (cloned == CLONED_USED)
		return check_used(run);
	if (!clone)
		return cloned != CLONED_DONE ||
		       run_wrong(run, "the clone is lost");
	if (cloned == CLONED_NOT)
		return run_wrong(run, "there is a clone");
	if (clone->len != model->size ||
	    !model_is(model, model->may.clone, clone->data))
		return run_wrong(run, "the clone is not the flash of then");
	return (!content(path, ".journal") && !content(path, ".state")) ||
	       run_wrong(run, "the clone has a journal or a state");
}
