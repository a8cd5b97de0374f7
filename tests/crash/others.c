/* SPDX-License-Identifier: BSD-2-Clause */
#include "others.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "places.h"
#include "random.h"
#include "repairs.h"

#include "pflash/reader.h"

#define BACKUP "B"

static const struct bytes *
content(const char *name)
{
	int inode = disk_find(machine.disk, name);

	return inode < 0 ? NULL : &machine.disk->inode[inode];
}

static const char *
journal_name(void)
{
	static char name[NAME_SIZE + 16];

	(void)snprintf(name, sizeof(name), "%s.journal", machine.vars);
	return name;
}

static bool
has_journal(void)
{
	return content(journal_name()) != NULL;
}

static const char *
state_name(void)
{
	static char name[NAME_SIZE + 16];

	(void)snprintf(name, sizeof(name), "%s.state", machine.vars);
	return name;
}

/* Faults must hit the store's calls only, so these calls are spared. */
static struct fault
suspend_faults(void)
{
	struct fault fault = machine.fault;

	machine.fault.kind = FAULT_NONE;
	return fault;
}

static void
sync_directory(void)
{
	int fd = sys_machine.open("/", O_DIRECTORY, 0);

	(void)sys_machine.fsync(fd);
	(void)sys_machine.close(fd);
}

/* Writes a file as cp(1) does, which does not sync. */
static void
write_file(const char *name, const uint8_t *image, uint32_t size, bool sync)
{
	struct fault fault = suspend_faults();
	int fd;

	fd = sys_machine.open(name, O_RDWR | O_CREAT, 0600);
	(void)sys_machine.ftruncate(fd, 0);
	(void)sys_machine.pwrite(fd, image, size / 2, 0);
	(void)sys_machine.pwrite(fd, image + size / 2, size - size / 2,
				 (off_t)(size / 2));
	if (sync)
		(void)sys_machine.fdatasync(fd);
	(void)sys_machine.close(fd);
	if (sync)
		sync_directory();
	machine.fault = fault;
}

static int
create(const struct run *run, struct error *err)
{
	const struct store_config config = {
		.path = run_path(run),
		.size = run->model->size,
		.sys = &sys_machine,
	};

	places_mirror(run);
	return store_create(&config, run->model->image, err);
}

/*
 * Beside a journal or a saved state of an earlier VARS file store_create() must
 * fail, and change nothing.
 */
static bool
check_refusal(struct run *run, const char *name)
{
	unsigned long changes = machine.changes;
	struct error err = { "" };
	int rc = create(run, &err);

	if (!run_tolerant() && (rc != -EUCLEAN || !strstr(err.text, name) ||
				machine.changes != changes))
		return run_wrong(run, "store_create beside %s: %d", name, rc);
	return true;
}

/*
 * The removal of the journal may become durable although the earlier removal of
 * VARS does not: then VARS is there, complete but without history.
 */
static bool
remove_left_overs(struct run *run)
{
	struct model *model = run->model;

	if (has_journal()) {
		if (!check_refusal(run, journal_name()))
			return false;
		model_begin_history(model);
		(void)sys_machine.unlink(journal_name());
	}
	if (content(state_name())) {
		if (!check_refusal(run, state_name()))
			return false;
		if (model->may.saved_hi + 1 >= MAX_SAVED)
			return run_wrong(run, "the script saves too many "
					      "states");
		model->saved[++model->may.saved_hi] = 0;
		(void)sys_machine.unlink(state_name());
	}
	return true;
}

bool
others_create(struct run *run, uint64_t seed)
{
	struct model *model = run->model;
	struct error err = { "" };
	int rc;

	if (!remove_left_overs(run))
		return false;
	setting_image(run->setting, model->image, seed);
	model->done = 0;
	model->may.hi++;
	model_set(model, model->may.hi);
	/* device_prepare() has put the image there. */
	rc = run->setting->device ? 0 : create(run, &err);
	if (rc)
		return run_tolerant() ||
		       run_wrong(run, "store_create: %s", err.text);
	model->done = model->may.lo = model->may.hi;
	model->may.touched = TOUCHED_NOT;
	return true;
}

bool
others_remove_vars(struct run *run)
{
	struct fault fault;

	run->model->may.touched = TOUCHED_GONE;
	fault = suspend_faults();
	(void)sys_machine.unlink(machine.vars);
	machine.fault = fault;
	return true;
}

bool
others_remove_journal(struct run *run)
{
	struct fault fault;

	if (!run->complete) /* a fault prevented a clean close */
		return true;
	model_begin_history(run->model);
	fault = suspend_faults();
	(void)sys_machine.unlink(journal_name());
	sync_directory();
	machine.fault = fault;
	run->model->done = run->model->may.lo = run->model->may.hi;
	return true;
}

bool
others_back_up(struct run *run, uint64_t seed)
{
	const struct bytes *vars = content(machine.vars);
	uint8_t *image;

	/* After a fault VARS may be missing or may not be usable. */
	if (!vars || run->model->may.touched)
		return true;
	image = malloc(vars->len);
	if (!image)
		abort();
	if (seed)
		run_fill(image, (uint32_t)vars->len, seed);
	else
		memcpy(image, vars->data, vars->len);
	write_file(BACKUP, image, run->setting->size, true);
	free(image);
	return true;
}

/* Returns true if a reader finds that VARS and journal agree. */
static bool
agree(const struct run *run)
{
	struct fault fault = suspend_faults();
	struct error err = { "" };
	struct reader *reader;
	bool good;

	good = !reader_open(&reader, &sys_machine, run_path(run), &err);
	machine.fault = fault;
	if (good)
		reader_close(reader);
	return good;
}

bool
others_copy(struct run *run, bool sync)
{
	struct model *model = run->model;
	const struct bytes *backup = content(BACKUP);
	bool journal = has_journal();

	if (!backup || !content(machine.vars))
		return true;
	memcpy(model->image, backup->data, model->size);
	if (!journal)
		model_adopt(model, false);
	model->may.touched = TOUCHED_COPIED;
	write_file(machine.vars, model->image, model->size, sync);
	if (!sync)
		return true;
	model->may.touched = agree(run) ? TOUCHED_NOT : TOUCHED_OTHER;
	if (!journal)
		model->may.lo = model->may.hi;
	return true;
}

/* The caller has ensured that VARS has the right size. */
bool
others_accept(struct run *run)
{
	const struct store_config config = {
		.path = run_path(run),
		.history = &run->setting->history,
		.sys = &sys_machine,
	};
	const struct bytes *vars = content(machine.vars);
	struct model *model = run->model;
	struct range *may = &model->may;
	struct error err = { "" };
	bool changed, other;
	uint32_t first = may->hi + 1;
	int rc;

	if (!vars)
		return true;
	other = !agree(run);
	if (other) {
		memcpy(model->image, vars->data, model->size);
		model_adopt(model, true);
	}
	places_mirror(run);
	rc = store_accept(&config, &changed, &err);
	if (machine_leaks())
		return run_wrong(run, "store_accept leaves a file open");
	if (rc)
		return run_tolerant() ||
		       run_wrong(run, "store_accept: %s", err.text);
	if (changed != other)
		return run_wrong(run, "store_accept: changed is %d", changed);
	if (changed) {
		may->lo = first;
		may->touched = TOUCHED_NOT;
	}
	return true;
}

/*
 * Without a journal the store cannot tell a partial copy from a whole one, so
 * whatever VARS holds becomes a possible state.
 */
void
others_before_open(struct run *run)
{
	const struct bytes *vars = content(machine.vars);
	struct model *model = run->model;

	if (model->may.touched != TOUCHED_COPIED || has_journal() ||
	    vars->len != model->size)
		return;
	memcpy(model->image, vars->data, model->size);
	model_adopt(model, false);
}

bool
others_explain(const struct run *run, int rc)
{
	const struct range *may = &run->model->may;

	if (run_tolerant())
		return false;
	if (may->touched == TOUCHED_DAMAGED)
		return rc == -ENOENT || rc == -EUCLEAN || rc == -EINVAL;
	switch (rc) {
	case -ENOENT:
		return (may->lo == 0 || may->touched == TOUCHED_GONE) &&
		       !content(machine.vars);
	case -EUCLEAN: return may->touched != TOUCHED_NOT;
	case -EINVAL: return may->touched == TOUCHED_COPIED;
	default: return false;
	}
}

/* Returns true if VARS holds what the other process wrote and synced. */
static bool
is_whole(const struct run *run, const struct bytes *vars)
{
	const struct model *model = run->model;
	const struct bytes *backup = content(BACKUP);
	bool found = false;

	if (model->may.touched == TOUCHED_COPIED)
		return true;
	if (model->may.touched == TOUCHED_OTHER)
		return backup && backup->len == vars->len &&
		       !memcmp(backup->data, vars->data, vars->len);
	for (uint32_t i = model->may.lo; i <= model->may.hi; i++)
		found = found || model_is(model, i, vars->data);
	return found;
}

bool
others_repair(struct run *run, int rc, uint64_t seed, bool again)
{
	const struct bytes *vars = content(machine.vars);

	if (run->model->may.touched == TOUCHED_DAMAGED)
		return repairs_rescue(run, seed, run->key % 2);
	if (rc == -ENOENT)
		return others_create(run, seed);
	if (vars->len != run->setting->size ||
	    (!again && run->key % 2 &&
	     run->model->may.touched == TOUCHED_COPIED))
		return others_copy(run, false);
	if (!is_whole(run, vars))
		return run_wrong(run, "VARS is not the image that was written");
	/* The second call must find nothing left to accept. */
	return others_accept(run) && others_accept(run);
}
