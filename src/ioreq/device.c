/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The joints between the layers: chip to store, chip to window, region to
 * chip.  Nothing is decided here.
 */
#include "pflash/device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CATCH_TRIES 5 /* of a second */

struct device {
	struct device_config config;
	struct cfi chip;
	struct ioreq_server *server;
	struct transport *transport;
	struct store *store;
	struct window *window;
	struct handover *handover; /* or NULL */
	struct ioreq_notes notes;
	bool adopted;
	bool waits;    /* for the guest's firmware, with the ports claimed */
	bool restored; /* the guest has memory there that was saved with it */
	bool failure_told;
};

/* The result of the store's, for whom the first failure is news. */
static int
told(struct device *device, int ret)
{
	if (ret < 0 && !device->failure_told && store_failed(device->store)) {
		device->failure_told = true;
		if (device->config.failed)
			device->config.failed(device->config.opaque);
	}
	return ret;
}

static int
chip_program(void *owner, uint32_t off, const uint8_t *bytes, uint32_t len)
{
	struct device *device = owner;

	return told(device, store_program(device->store, off, bytes, len));
}

static int
chip_erase(void *owner, uint32_t off, uint32_t len)
{
	struct device *device = owner;

	return told(device, store_erase(device->store, off, len));
}

static int
chip_commit(void *owner)
{
	struct device *device = owner;

	return told(device, store_commit(device->store));
}

/*
 * Keeps the chip's record: of this life, or without a life what outlives them
 * all, the protection register.
 */
static int
keep(struct device *device, const char *life, struct error *err)
{
	struct store_kept kept = { .len = cfi_state_size(&device->chip) };

	strcpy(kept.tag, life);
	cfi_save(&device->chip, kept.record);
	return store_keep(device->store, &kept, err);
}

/* The registers are the chip's own, and in its record. */
static int
chip_protect(void *owner, const uint8_t *registers, uint32_t len)
{
	struct device *device = owner;
	struct error err;

	(void)registers;
	(void)len;
	if (store_failed(device->store))
		return store_failed(device->store);
	return keep(device, "", &err);
}

static void
chip_show(void *owner)
{
	struct device *device = owner;

	window_show(device->window);
}

static const struct cfi_ops chip_ops = {
	.program = chip_program,
	.erase = chip_erase,
	.commit = chip_commit,
	.protect = chip_protect,
	.show = chip_show,
};

static void
note_begin(void *opaque, unsigned int vcpu)
{
	const struct device *device = opaque;

	handover_begin(device->handover, vcpu);
}

static void
note_done(void *opaque, uint32_t accesses)
{
	const struct device *device = opaque;
	struct handover_state *state = handover_next(device->handover);

	state->request = device->handover->request;
	state->progress = accesses;
	store_note_burst(device->store, &state->burst);
	cfi_save_again(&device->chip, state->chip, &state->changes);
	handover_turn(device->handover);
}

static void
note_end(void *opaque)
{
	const struct device *device = opaque;

	handover_end(device->handover);
}

static uint32_t
noted_progress(void *opaque, unsigned int vcpu)
{
	const struct device *device = opaque;

	return handover_progress(device->handover, vcpu);
}

/* `mode`: HANDOVER_PAUSED and HANDOVER_CHANGING, while that is under way. */
static void
note_mode(struct device *device, uint32_t mode)
{
	struct handover *record = device->handover;

	if (!record)
		return;
	if (window_mode(device->window) == WINDOW_DIRECT)
		mode |= HANDOVER_DIRECT;
	HANDOVER_ORDER();
	__atomic_store_n(&record->mode, mode, __ATOMIC_RELEASE);
	HANDOVER_ORDER();
}

/* All of it is there before it counts. */
static void
note_attached(struct device *device)
{
	const struct device_config *config = &device->config;
	struct handover *record = device->handover;

	record->server = ioreq_server_id(device->server);
	memcpy(record->life, config->life, sizeof(record->life));
	(void)snprintf(record->vars, sizeof(record->vars), "%s",
		       store_path(device->store));
	record->base = config->base;
	record->size = config->geometry.size;
	note_mode(device, 0);
	record->taken = !device->waits;
	for (unsigned int i = 0; i < 2; i++) {
		/* What lies there is no record yet. */
		handover_next(record)->changes = device->chip.changes + 1;
		note_done(device, 0);
	}
	__atomic_store_n(&record->attached, HANDOVER_ATTACHED,
			 __ATOMIC_RELEASE);
}

/* QEMU's fw_cfg: its selector and its data (docs/specs/fw_cfg in QEMU). */
#define FW_CFG_PORT 0x510
#define FW_CFG_PORTS 2

/*
 * The ports go back to whoever else has them before the vCPU goes on.  What it
 * wrote is lost, which is nothing: OVMF selects item 0 first, and so does a
 * fw_cfg that nobody has asked.
 */
static void
take_from_loader(struct device *device)
{
	struct error note;
	int ret;

	if (!device->waits)
		return; /* another vCPU's access was first */
	device->waits = false;
	ret = window_take(device->window, &note);
	ioreq_server_remove(device->server, IOREQ_SPACE_PORT, FW_CFG_PORT);
	note_mode(device, 0);
	if (device->handover)
		device->handover->taken = 1;
	if (ret < 0)
		error_errno(&note, -ret, "cannot take the guest's memory");
	if (device->config.taken)
		device->config.taken(device->config.opaque, ret, &note);
}

static uint64_t
fw_cfg_read(void *opaque, uint64_t off, unsigned int size)
{
	(void)off, (void)size;
	take_from_loader(opaque);
	return UINT64_MAX;
}

static void
fw_cfg_write(void *opaque, uint64_t off, unsigned int size, uint64_t value)
{
	(void)off, (void)size, (void)value;
	take_from_loader(opaque);
}

static const struct ioreq_region_ops fw_cfg_ops = {
	.read = fw_cfg_read,
	.write = fw_cfg_write,
};

static uint64_t
region_read(void *opaque, uint64_t off, unsigned int size)
{
	struct device *device = opaque;

	return cfi_read(&device->chip, off, size);
}

static void
region_write(void *opaque, uint64_t off, unsigned int size, uint64_t value)
{
	struct device *device = opaque;

	cfi_write(&device->chip, off, size, value);
}

static const struct ioreq_region_ops region_ops = {
	.read = region_read,
	.write = region_write,
};

static int
claim(struct device *device, struct error *err)
{
	const struct device_config *config = &device->config;
	const struct ioreq_region flash = {
		.space = IOREQ_SPACE_MEMORY,
		.first = config->base,
		.size = config->geometry.size,
		.ops = &region_ops,
		.opaque = device,
	};
	const struct ioreq_region fw_cfg = {
		.space = IOREQ_SPACE_PORT,
		.first = FW_CFG_PORT,
		.size = FW_CFG_PORTS,
		.ops = &fw_cfg_ops,
		.opaque = device,
	};
	int ret = ioreq_server_add(device->server, &flash, err);
	bool waits = config->after_loader && !config->has_run;

	if (device->adopted)
		waits = !device->handover->taken;
	if (ret == 0 && waits) {
		ret = ioreq_server_add(device->server, &fw_cfg, err);
		device->waits = ret == 0;
	}
	return ret;
}

/* What the guest has there was saved with it. */
static int
take_saved(struct device *device, struct error *note, struct error *err)
{
	struct error why;
	int ret = window_take(device->window, &why);

	if (why.text[0])
		*note = why;
	if (ret == 0 && note->text[0] && device->config.mode == WINDOW_DIRECT) {
		*err = *note;
		return -EOPNOTSUPP;
	}
	return ret < 0 ? error_errno(err, -ret,
				     "cannot take the guest's memory") :
			 0;
}

static int
open_window(struct device *device, struct transport *t, struct error *note,
	    struct error *err)
{
	const struct device_config *config = &device->config;
	uint32_t size = config->geometry.size;
	struct error why;
	bool saved = config->has_run &&
		     window_check_range(t, config->base, size, &why) == -EEXIST;
	bool later = saved || device->waits;
	int ret = (later ? window_open_later : window_open)(&device->window, t,
							    config->base, size,
							    config->mode, note);

	device->restored = saved;
	if (ret < 0)
		*err = *note;
	else if (saved)
		ret = take_saved(device, note, err);
	if (ret < 0 && device->window)
		window_close(device->window);
	return ret;
}

/* Memory of a guest that has run is looked at by open_window(). */
static int
check_place(struct transport *t, const struct device_config *config,
	    struct error *err)
{
	uint32_t size = config->geometry.size;

	return config->after_loader || config->has_run ?
		       window_check_addresses(config->base, size, err) :
		       window_check_range(t, config->base, size, err);
}

static int
device_new(struct device **out, struct ioreq_server *server,
	   struct transport *t, const struct device_config *config,
	   struct error *err)
{
	struct device *device = calloc(1, sizeof(*device));

	if (!device)
		return error_set(err, ENOMEM, "out of memory");
	device->config = *config;
	device->server = server;
	device->transport = t;
	device->handover = config->handover;
	device->adopted = device->handover && device->handover->attached;
	device->notes = (struct ioreq_notes){
		.begin = note_begin,
		.done = note_done,
		.end = note_end,
		.progress = noted_progress,
		.opaque = device,
	};
	*out = device;
	return geometry_check(&config->geometry, err);
}

/* What the guest has is there, and was asked for by the process before. */
static int
adopt_place(struct device *device, struct transport *t, struct error *err)
{
	const struct device_config *config = &device->config;
	const struct handover *record = device->handover;
	int ret;

	if (record->base != config->base ||
	    record->size != config->geometry.size)
		return error_set(
			err, EINVAL,
			"the guest has a flash of %u bytes at %#" PRIx64
			", which %u bytes at %#" PRIx64 " cannot go on with",
			record->size, record->base, config->geometry.size,
			config->base);
	ret = claim(device, err);
	if (ret == 0 && record->mode & HANDOVER_CHANGING)
		ret = window_adopt_between(&device->window, t, record->base,
					   record->size, err);
	else if (ret == 0)
		ret = window_adopt(&device->window, t, record->base,
				   record->size, record->mode & HANDOVER_DIRECT,
				   err);
	return ret;
}

int
device_open(struct device **out, struct ioreq_server *server,
	    struct transport *t, const struct device_config *config,
	    struct error *note, struct error *err)
{
	struct device *device = NULL;
	int ret = device_new(&device, server, t, config, err);

	note->text[0] = '\0';
	if (ret == 0 && device->adopted) {
		ret = adopt_place(device, t, err);
	} else if (ret == 0) {
		ret = check_place(t, config, err);
		if (ret == 0)
			ret = claim(device, err);
		if (ret == 0)
			ret = open_window(device, t, note, err);
	}
	if (ret < 0) {
		free(device);
		return ret;
	}
	*out = device;
	return 0;
}

#define SAVED "saved "

/* How the state of a guest that was saved with this image is called. */
static void
saved_tag(const struct device *device, char *tag)
{
	(void)snprintf(tag, STORE_TAG_SIZE, SAVED "%08" PRIx32 " %s",
		       store_checksum(device->store), device->config.guest);
}

static bool
of_this_life(const struct device *device, const struct store_kept *kept)
{
	const char *life = device->config.life;

	return life[0] && strcmp(kept->tag, life) == 0;
}

static bool
of_this_image(const struct device *device, const struct store_kept *kept)
{
	char tag[STORE_TAG_SIZE];

	saved_tag(device, tag);
	return device->config.has_run && device->config.guest[0] &&
	       strcmp(kept->tag, tag) == 0;
}

static bool
is_saved(const struct store_kept *kept)
{
	return strncmp(kept->tag, SAVED, strlen(SAVED)) == 0;
}

/*
 * Was the guest saved with another flash than this?  In trap mode it has no
 * memory there, and only what was kept tells that it was saved.
 */
static bool
is_stale(const struct device *device, const struct store_kept *kept)
{
	const struct device_config *config = &device->config;
	bool restored = device->restored ||
			(config->has_run && is_saved(kept) &&
			 strcmp(kept->tag + strlen(SAVED "01234567 "),
				config->guest) == 0);

	return restored && config->guest[0] && !config->force &&
	       store_failed(device->store) != -EROFS;
}

/*
 * A state of this life is good for one time: were it left there, a crash of
 * this server would bring it back, and it would be stale then.
 */
static int
forget_life(struct device *device, struct store_kept *kept, struct error *err)
{
	if (kept->tag[0] == '\0' || is_saved(kept) ||
	    store_failed(device->store))
		return 0;
	kept->tag[0] = '\0';
	if (cfi_protect_is_new(&device->chip))
		kept->len = 0;
	return store_keep(device->store, kept, err);
}

/* Is what was kept this guest's?  -ESTALE: it must be, and is not. */
static int
check_kept(const struct device *device, const struct store_kept *kept,
	   bool *ours, struct error *err)
{
	const struct device_config *config = &device->config;

	*ours = of_this_image(device, kept);
	if (!*ours && config->incoming && !config->force)
		return error_set(err, ESTALE,
				 "%s: not known to be the flash that the guest "
				 "was saved with, and a guest that migrates to "
				 "this host may have any name (--force "
				 "attaches it all the same)",
				 store_path(device->store));
	*ours = *ours || of_this_life(device, kept);
	if (!*ours && is_stale(device, kept))
		return error_set(err, ESTALE,
				 "%s: not known to be what it was when this "
				 "guest was saved, which would damage it "
				 "(--force attaches it all the same)",
				 store_path(device->store));
	return 0;
}

/* Takes up what was kept. */
static int
recall(struct device *device, struct error *err)
{
	struct store_kept kept;
	int ret = store_recall(device->store, &kept, err);
	bool ours = false;

	if (ret == 0)
		ret = check_kept(device, &kept, &ours, err);
	if (ret < 0)
		return ret;
	if (kept.len == 0)
		return 0;
	ret = (ours ? cfi_restore : cfi_restore_protect)(&device->chip,
							 kept.record, kept.len);
	if (ret < 0)
		return error_set(err, EINVAL,
				 "the .state file beside the flash was made by "
				 "one of another geometry: remove it, and with "
				 "it the protection register");
	return forget_life(device, &kept, err);
}

/* The file was let go of, and anybody may have had it since. */
static int
check_saved(struct device *device, struct error *err)
{
	struct store_kept kept;
	int ret = store_recall(device->store, &kept, err);

	if (ret < 0 || of_this_image(device, &kept))
		return ret;
	return error_set(err, ESTALE,
			 "%s: was changed while the guest was suspended",
			 store_path(device->store));
}

/* The process before has left it so, between two accesses. */
static int
resume(struct device *device, struct error *err)
{
	struct handover *record = device->handover;
	const struct handover_state *state = handover_now(record);
	size_t len = cfi_state_size(&device->chip);

	if (record->attached == HANDOVER_SAVED && check_saved(device, err) < 0)
		return -ESTALE;
	if (strncmp(record->vars, store_path(device->store),
		    sizeof(record->vars) - 1) != 0)
		return error_set(err, EINVAL,
				 "the guest's flash is %.200s, and no other",
				 record->vars);
	if (store_resume_burst(device->store, &state->burst))
		return error_set(err, EINVAL,
				 "the burst that was open is not this file's");
	if (cfi_restore(&device->chip, state->chip, len))
		return error_set(err, EINVAL,
				 "the guest's flash is of another geometry or "
				 "personality");
	device->chip.changes = state->changes; /* they go on */
	record->takeovers++;
	record->attached = HANDOVER_ATTACHED;
	/* Of the journal as it is now: opening it may have added to it. */
	note_done(device, handover_under_way(record));
	return 0;
}

/*
 * The process before has paused the guest, or was about to, to change the mode.
 * Noted after it is so: at worst it is done once more.
 */
static void
end_pause(struct device *device)
{
	struct transport *t = device->transport;

	if (device->handover->mode & HANDOVER_PAUSED)
		t->ops->unpause(t);
	note_mode(device, 0);
}

int
device_connect(struct device *device, struct store *store, struct error *err)
{
	const struct cfi_config chip = {
		.array = store_image(store),
		.geometry = device->config.geometry,
		.personality = device->config.personality,
		.show_busy = device->config.show_busy,
		.ops = &chip_ops,
		.owner = device,
	};
	int ret;

	if (chip.geometry.size != store_size(store) ||
	    cfi_init(&device->chip, &chip))
		return error_set(err, EINVAL,
				 "%u bytes are no flash of %u bytes",
				 store_size(store), chip.geometry.size);
	device->store = store;
	/* A read-only store is not news. */
	device->failure_told = store_failed(store) != 0;
	ret = device->adopted ? resume(device, err) : recall(device, err);
	if (ret < 0)
		return ret;
	window_connect(device->window, &device->chip);
	if (device->adopted)
		end_pause(device);
	else if (device->handover)
		note_attached(device);
	if (device->handover)
		ioreq_server_set_notes(device->server, &device->notes);
	return 0;
}

uint64_t
device_base(const struct device *device)
{
	return device->config.base;
}

enum window_mode
device_mode(const struct device *device)
{
	return window_mode(device->window);
}

/* A guest that writes all the time is hard to catch between two accesses. */
static bool
catch_guest(struct device *device)
{
	struct transport *t = device->transport;
	bool caught = false;

	for (int i = 0; !caught && i < CATCH_TRIES && t->ops->alive(t); i++)
		caught = ioreq_server_pause(device->server);
	return caught;
}

int
device_set_mode(struct device *device, enum window_mode mode, struct error *err)
{
	int ret;

	if (mode == device_mode(device))
		return 0;
	if (device->waits)
		return error_set(err, EAGAIN,
				 "the guest's firmware has not started yet");
	if (store_released(device->store))
		return error_set(err, EAGAIN, "the guest is suspended");
	note_mode(device, HANDOVER_PAUSED);
	if (!catch_guest(device)) {
		note_mode(device, 0);
		return error_set(err, ETIMEDOUT,
				 "the guest cannot be paused between two of "
				 "its accesses");
	}
	note_mode(device, HANDOVER_PAUSED | HANDOVER_CHANGING);
	ret = mode == WINDOW_TRAP ? window_trap(device->window, err) :
				    window_direct(device->window, err);
	if (ret == -ENOTRECOVERABLE)
		return ret;
	note_mode(device, HANDOVER_PAUSED);
	ioreq_server_unpause(device->server);
	note_mode(device, 0);
	return ret;
}

bool
device_pending(const struct device *device)
{
	return store_pending(device->store);
}

void
device_flush(struct device *device)
{
	int ret = told(device, store_commit(device->store));

	if (ret < 0)
		cfi_report(&device->chip, ret);
	if (device->handover)
		note_done(device, handover_under_way(device->handover));
}

/* A guest that never touched its flash leaves no file behind. */
static bool
as_at_power_on(const struct device *device)
{
	const struct cfi *chip = &device->chip;
	uint8_t now[CFI_STATE_MAX], then[CFI_STATE_MAX];
	size_t size = cfi_state_size(chip);
	struct cfi fresh;

	cfi_save(chip, now);
	cfi_init(&fresh, &chip->config);
	cfi_restore_protect(&fresh, now, size);
	cfi_save(&fresh, then);
	return memcmp(now, then, size) == 0;
}

static int
keep_saved(struct device *device, struct error *err)
{
	char tag[STORE_TAG_SIZE];
	int ret;

	if (!device->config.guest[0] || store_failed(device->store) == -EROFS)
		return 0;
	saved_tag(device, tag);
	ret = keep(device, tag, err);
	if (ret == 0 && device->handover)
		__atomic_store_n(&device->handover->attached, HANDOVER_SAVED,
				 __ATOMIC_RELEASE);
	return ret;
}

int
device_save(struct device *device, struct error *err)
{
	struct error why;
	int ret, released;

	if (store_released(device->store))
		return 0;
	device_flush(device);
	ret = keep_saved(device, err);
	released = told(device, store_release(device->store, &why));
	if (ret == 0 && released < 0)
		*err = why;
	return ret < 0 ? ret : released;
}

bool
device_saved(const struct device *device)
{
	return store_released(device->store);
}

int
device_resume(struct device *device, bool last, struct error *err)
{
	int ret = store_retake(device->store, last, err);

	if (store_released(device->store))
		return ret;
	if (ret < 0)
		device->failure_told = false;
	if (device->handover) {
		note_done(device, 0); /* the journal may be another one */
		device->handover->attached = HANDOVER_ATTACHED;
	}
	return told(device, ret);
}

/* For the next server.  What was kept for a restored guest is older then. */
static int
keep_life(struct device *device, struct error *err)
{
	const char *life = device->config.life;
	struct store_kept kept;

	if (!life[0] || !device->store || store_released(device->store) ||
	    store_failed(device->store) == -EROFS)
		return 0;
	if (as_at_power_on(device) &&
	    (store_recall(device->store, &kept, err) < 0 || !is_saved(&kept)))
		return 0;
	return keep(device, life, err);
}

int
device_close(struct device *device, enum device_end end, struct error *err)
{
	bool paused = device_mode(device) == WINDOW_DIRECT &&
		      catch_guest(device);
	struct error why;
	int ret = 0;

	if (device->handover)
		device->handover->attached = 0;
	ioreq_server_set_notes(device->server, NULL);
	/* Until frames and region are gone a write may be on its way. */
	(void)window_trap(device->window, &why);
	if (paused)
		ioreq_server_unpause(device->server);
	if (device->waits)
		ioreq_server_remove(device->server, IOREQ_SPACE_PORT,
				    FW_CFG_PORT);
	ioreq_server_remove(device->server, IOREQ_SPACE_MEMORY,
			    device->config.base);
	window_close(device->window);
	if (end == DEVICE_LIVES)
		ret = keep_life(device, err);
	free(device);
	return ret;
}

bool
device_verify(const struct device *device)
{
	return cfi_verify(&device->chip) && store_verify(device->store) &&
	       window_verify(device->window);
}
