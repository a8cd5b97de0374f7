/* SPDX-License-Identifier: BSD-2-Clause */
#include "pinned.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "queue.h"
#include "random.h"

#include "pflash/changes.h"
#include "pflash/fv.h"
#include "pflash/pins.h"
#include "pflash/varstore.h"

#define ATTRIBUTES 0x27u /* non-volatile, boot, runtime, time-authenticated */
#define STATE 2u
#define ANY UINT32_MAX /* no value of the host's */

/* gEfiGlobalVariableGuid */
static const uint8_t global[GUID_SIZE] = { 0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93,
					   0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0,
					   0x98, 0x03, 0x2b, 0x8c };
static const uint8_t vendor[GUID_SIZE] = { 0xc0, 0xff, 0xee };
static const uint8_t name_pk[6] = { 'P', 0, 'K', 0, 0, 0 };
static const uint8_t name_kek[8] = { 'K', 0, 'E', 0, 'K', 0, 0, 0 };

/* --- values --- */

static uint32_t
make_value(uint8_t *data, uint32_t number)
{
	uint32_t len = 40 + number % 16;

	run_fill(data, len, mix(number, 31));
	return len;
}

static void
plan(struct changes *changes, const uint8_t *guid, const uint8_t *name,
     uint32_t name_size, const uint8_t *data, uint32_t len)
{
	const struct edit_value value = {
		.guid = guid,
		.name = name,
		.name_size = name_size,
		.attributes = guid == global ? ATTRIBUTES : 7,
		.data = data,
		.data_size = len,
	};

	if (!changes || changes_set(changes, &value, NULL))
		abort();
}

static void
plan_pk(struct changes *changes, uint32_t number)
{
	uint8_t data[64];
	uint32_t len = make_value(data, number);

	plan(changes, global, name_pk, sizeof(name_pk), data, len);
}

static void
apply(struct changes *changes, uint8_t *image, uint32_t size)
{
	if (changes_apply(changes, image, size, NULL) < 0)
		abort();
	changes_free(changes);
}

void
pinned_add_keys(uint8_t *image, uint32_t size)
{
	struct changes *changes = changes_new();

	plan_pk(changes, 0);
	plan(changes, global, name_kek, sizeof(name_kek), name_kek,
	     sizeof(name_kek));
	apply(changes, image, size);
}

static bool
find(const uint8_t *image, uint32_t size, const uint8_t *name,
     uint32_t name_size, struct variable *v)
{
	struct varstore store;

	return varstore_open(&store, image, size, NULL) == 0 &&
	       varstore_find(&store, global, name, name_size, v) == 0;
}

/* The number of PK's value among those possible now, or ANY. */
static uint32_t
number_of(const struct run *run, const uint8_t *image)
{
	const struct range *may = &run->model->may;
	uint8_t data[64];
	struct variable v;

	if (!find(image, run->model->size, name_pk, sizeof(name_pk), &v))
		return ANY;
	for (uint32_t i = may->host_lo; i <= may->host_hi; i++)
		if (v.data_size == make_value(data, i) &&
		    !memcmp(v.data, data, v.data_size))
			return i;
	return ANY;
}

static bool
has_kek(const struct run *run, const uint8_t *image)
{
	struct variable v;

	return find(image, run->model->size, name_kek, sizeof(name_kek), &v) &&
	       v.data_size == sizeof(name_kek) &&
	       !memcmp(v.data, name_kek, sizeof(name_kek));
}

/* --- the store --- */

void
pinned_configure(struct run *run, struct store_config *config)
{
	pinned_end(run);
	run->files = queue_files(run);
	if (pins_parse(&run->pins, "keys", NULL))
		abort();
	config->files = run->files;
	config->pins = run->pins;
}

void
pinned_end(struct run *run)
{
	pins_free(run->pins);
	if (run->files)
		run->files->ops->close(run->files);
	run->pins = NULL;
	run->files = NULL;
	run->attacked = false;
}

/* The image that the start will make; false: it has it already. */
static bool
predict(struct run *run, uint8_t *image)
{
	struct fault fault = machine.fault;
	struct error err = { "" };
	struct pins *pins;
	int rc;

	machine.fault.kind = FAULT_NONE;
	if (pins_parse(&pins, "keys", &err))
		abort();
	rc = pins_read(pins, run->files, &sys_machine, &err);
	if (!rc)
		rc = pins_start(pins, image, run->model->size, &err);
	pins_free(pins);
	machine.fault = fault;
	if (rc < 0 && !machine.dead)
		(void)run_wrong(run, "the prediction: %s", err.text);
	return rc > 0;
}

/* The record and the variables agree, and are those of the host. */
static bool
check_values(struct run *run)
{
	struct range *may = &run->model->may;
	const uint8_t *image = store_image(run->store);
	uint32_t number = number_of(run, image);
	uint8_t *copy = malloc(run->model->size);
	bool differs;

	if (!copy)
		abort();
	memcpy(copy, image, run->model->size);
	differs = predict(run, copy);
	free(copy);
	if (number == ANY || !has_kek(run, image))
		return run_wrong(run,
				 "PK or KEK is not that of the host, %u "
				 "to %u",
				 may->host_lo, may->host_hi);
	if (differs)
		return run_wrong(run, "the record has other values");
	may->host_lo = may->host_hi = number;
	return true;
}

static bool
start_failed(struct run *run, int rc, const char *why)
{
	struct model *model = run->model;

	if (model->may.hi > model->done)
		model_set(model, model->may.hi);
	if (run->store)
		(void)store_close(run->store);
	run->store = NULL;
	pinned_end(run);
	return run_tolerant() || run_wrong(run, "the start: %d, %s", rc, why);
}

static int
restore(struct run *run, struct error *err)
{
	const struct setting *setting = run->setting;
	const struct store_config config = {
		.files = run->files,
		.size = setting->size,
		.sync = setting->sync,
		.journal_limit = setting->journal_limit,
		.burst_limit = setting->burst_limit,
		.history = &setting->history,
		.pins = run->pins,
		.sys = &sys_machine,
	};
	int rc = pins_read(run->pins, run->files, &sys_machine, err);

	return rc ? rc : pins_restore(run->pins, &run->store, &config, err);
}

bool
pinned_start(struct run *run)
{
	struct model *model = run->model;
	struct range *may = &model->may;
	struct error err = { "" };
	bool changes;
	int rc;

	/* A value that the next boot could have seen is not undone. */
	if (!may->host_failed &&
	    number_of(run, store_image(run->store)) == may->host_hi)
		may->host_lo = may->host_hi;
	changes = predict(run, model->image);
	if (run->why[0])
		return false;
	if (changes)
		may->hi = model->done + 1;
	rc = restore(run, &err);
	if (rc < 0 || machine.dead || !run->store)
		return start_failed(run, rc, err.text);
	if (changes) {
		model_set(model, may->hi);
		model->done = may->answered = may->lo = may->hi;
		run_settled(run, model->done);
	}
	if (!model_is(model, model->done, store_image(run->store)))
		return run_wrong(run, "the start has made another image");
	return check_values(run);
}

/* --- the guest --- */

bool
pinned_attack(struct run *run, uint64_t seed, bool full)
{
	const uint8_t zeros[2048] = { 0 };
	const struct fv_layout *layout = fv_layout_by_size(run->model->size);
	bool kek = below(&seed, 2), data = below(&seed, 2);
	uint32_t off, count = 0;
	struct variable v;
	int rc;

	if (run->failed || !find(store_image(run->store), run->model->size,
				 kek ? name_kek : name_pk,
				 kek ? sizeof(name_kek) : sizeof(name_pk), &v))
		return run->failed || run_wrong(run, "there is no key");
	off = (uint32_t)v.offset + STATE;
	if (data)
		off = (uint32_t)(v.data - store_image(run->store));
	run->attacked = true;
	rc = store_program(run->store, off, zeros, 1);
	while (!rc && full && count++ < 8)
		rc = store_program(run->store, layout->ftw_spare + 2048 * count,
				   zeros, sizeof(zeros));
	if (full && !rc)
		return run_wrong(run, "a full burst was not committed");
	return !rc || pinned_refused(run, rc);
}

bool
pinned_refused(struct run *run, int rc)
{
	const struct model *model = run->model;

	run->attacked = false;
	if (run_tolerant() && rc != -EPERM)
		return true;
	if (rc != -EPERM || store_pending(run->store))
		return run_wrong(run, "a change of a key was not refused: %d",
				 rc);
	return model_is(model, model->done, store_image(run->store)) ||
	       run_wrong(run, "a refused burst was not undone");
}

/* Bytes that are no part of the variables, in one operation. */
static bool
log_event(struct run *run, uint64_t seed)
{
	struct model *model = run->model;
	uint32_t off = fv_layout_by_size(model->size)->event_log +
		       16 * below(&seed, 200);
	int rc;

	run_fill(model->image + off, 16, draw(&seed));
	model->may.hi = model->done + 1;
	rc = store_program(run->store, off, model->image + off, 16);
	return run_changed(run, rc, "store_program");
}

bool
pinned_set(struct run *run, uint64_t seed)
{
	struct model *model = run->model;
	struct changes *changes = changes_new();
	uint8_t name[4] = { (uint8_t)('A' + below(&seed, 4)) }, data[80];
	int rc;

	run_fill(data, sizeof(data), draw(&seed));
	plan(changes, vendor, name, sizeof(name), data, 16 + below(&seed, 64));
	if (run->failed || run->setting->sync == STORE_SYNC_OP) {
		changes_free(changes);
		return run->failed || log_event(run, seed);
	}
	apply(changes, model->image, model->size);
	model->may.hi = model->done + 1;
	rc = store_replace(run->store, model->image);
	return run_changed(run, rc, "store_replace");
}

/* --- others --- */

struct edit {
	struct changes *changes;
	struct pins_edit pins; /* files NULL: the record stays */
};

static int
edit(void *opaque, const struct store *store, uint8_t *image, struct error *err)
{
	struct edit *edit = opaque;
	int rc = 0;

	memcpy(image, store_image(store), store_size(store));
	if (changes_apply(edit->changes, image, store_size(store), err) < 0)
		return -EINVAL;
	if (edit->pins.files)
		rc = pins_edit_change(&edit->pins, edit->changes, err);
	return rc < 0 ? rc : 1;
}

/* As pflashctl does; the changes are freed. */
static bool
rewrite(struct run *run, struct changes *changes, bool record)
{
	struct model *model = run->model;
	struct files *files = queue_files(run);
	const struct store_config config = {
		.files = files,
		.size = run->setting->size,
		.history = &run->setting->history,
		.sys = &sys_machine,
	};
	struct edit e = {
		.changes = changes,
		.pins = { .files = record ? files : NULL, .sys = &sys_machine },
	};
	struct error err = { "" };
	int rc;

	run_settled(run, 0);
	if (changes_apply(changes, model->image, model->size, NULL) < 0)
		abort();
	model->may.hi = model->done + 1;
	model_set(model, model->may.hi);
	rc = store_rewrite(&config, edit, &e, &err);
	pins_edit_end(&e.pins, rc < 0 && rc != -EIO);
	files->ops->close(files);
	changes_free(changes);
	run->complete = false;
	if (rc || machine.dead) {
		model->may.host_failed |= record;
		return run_tolerant() ||
		       run_wrong(run, "the change of the host: %d, %s", rc,
				 err.text);
	}
	model->done = model->may.lo = model->may.answered = model->may.hi;
	run_settled(run, model->may.hi);
	run->complete = true;
	return true;
}

bool
pinned_edit(struct run *run)
{
	struct range *may = &run->model->may;
	struct changes *changes = changes_new();

	if (!run->complete) { /* a fault prevented a clean close */
		changes_free(changes);
		return true;
	}
	plan_pk(changes, ++may->host_hi);
	if (!rewrite(run, changes, true))
		return false;
	if (run->complete)
		may->host_lo = may->host_hi;
	return true;
}

bool
pinned_change(struct run *run, uint64_t seed)
{
	struct changes *changes = changes_new();
	uint8_t data[50];

	if (!run->complete) {
		changes_free(changes);
		return true;
	}
	run_fill(data, sizeof(data), seed);
	plan(changes, global, name_pk, sizeof(name_pk), data, sizeof(data));
	return rewrite(run, changes, false);
}
