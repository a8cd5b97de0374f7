/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connects the parts of one flash device.  The server calls region_write() and
 * region_read() for the guest's accesses; the chip calls chip_ops, which call
 * the store; the window shows the chip's view.
 */
#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "pflash/probe.h"

/* While the store writes, other vCPUs that read the window see SR.7 = 0. */
static void
show_busy(struct device *device)
{
	if (device->config.show_busy)
		window_show(device->window);
}

static int
chip_program(void *owner, uint32_t off, const uint8_t *bytes, uint32_t len)
{
	struct device *device = owner;

	show_busy(device);
	return store_program(device->store, off, bytes, len);
}

static int
chip_erase(void *owner, uint32_t off, uint32_t len)
{
	struct device *device = owner;

	show_busy(device);
	return store_erase(device->store, off, len);
}

static int
chip_commit(void *owner)
{
	struct device *device = owner;

	return store_commit(device->store);
}

/* The saved state of the chip contains the registers. */
static int
chip_protect(void *owner, const uint8_t *registers, uint32_t len)
{
	struct device *device = owner;
	struct error err;

	(void)registers;
	(void)len;
	show_busy(device);
	if (store_failed(device->store))
		return store_failed(device->store);
	return state_save(device, "", &err);
}

static const struct cfi_ops chip_ops = {
	.program = chip_program,
	.erase = chip_erase,
	.commit = chip_commit,
	.protect = chip_protect,
};

static uint64_t
region_read(void *opaque, uint64_t off, unsigned int size)
{
	struct device *device = opaque;

	PROBE_REQUEST(off, size, 0);
	return cfi_read(&device->chip, off, size);
}

static void
region_write(void *opaque, uint64_t off, unsigned int size, uint64_t value)
{
	struct device *device = opaque;

	PROBE_REQUEST(off, size, 1);
	if (cfi_write(&device->chip, off, size, value))
		window_show(device->window);
}

static const struct ioreq_region_ops region_ops = {
	.read = region_read,
	.write = region_write,
};

static int
add_regions(struct device *device, struct error *err)
{
	const struct device_config *config = &device->config;
	const struct ioreq_region flash = {
		.space = IOREQ_SPACE_MEMORY,
		.first = config->base,
		.size = config->geometry.size,
		.ops = &region_ops,
		.opaque = device,
	};
	int ret = ioreq_server_add(device->server, &flash, err);
	bool waits = config->after_loader && !config->has_run;

	if (device->adopted)
		waits = !device->handover.record->window_ready;
	return ret == 0 && waits ? loader_claim(device, err) : ret;
}

/* A restored guest: claims the memory that was saved with it. */
static int
claim_saved_memory(struct device *device, struct error *trap_reason,
		   struct error *err)
{
	struct error why;
	int ret = window_use_memory(device->window, &why);

	if (why.text[0])
		*trap_reason = why;
	if (ret == 0 && trap_reason->text[0] &&
	    device->config.mode == WINDOW_DIRECT) {
		*err = *trap_reason;
		return -EOPNOTSUPP;
	}
	return ret < 0 ? error_errno(err, -ret,
				     "cannot remove the guest's memory at the "
				     "flash") :
			 0;
}

static int
open_window(struct device *device, struct transport *t,
	    struct error *trap_reason, struct error *err)
{
	const struct device_config *config = &device->config;
	uint32_t size = config->geometry.size;
	struct error why;
	bool saved = config->has_run &&
		     window_check_range(t, config->base, size, &why) == -EEXIST;
	bool later = saved || device->awaits_firmware;
	int ret = (later ? window_open_later :
			   window_open)(&device->window, t, config->base, size,
					config->mode, trap_reason);

	device->restored = saved;
	if (ret < 0)
		*err = *trap_reason;
	else if (saved)
		ret = claim_saved_memory(device, trap_reason, err);
	if (ret < 0 && device->window)
		window_close(device->window);
	return ret;
}

/* Memory of a guest that has run is no error: open_window() claims it. */
static int
check_range(struct transport *t, const struct device_config *config,
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
	int ret;

	if (!device)
		return error_set(err, ENOMEM, "out of memory");
	device->config = *config;
	device->server = server;
	device->transport = t;
	device->handover.record = config->handover;
	device->adopted = config->handover && config->handover->attached;
	*out = device;
	ret = geometry_check(&config->geometry, err);
	return ret < 0 ? ret :
			 cfi_check_partition(&config->geometry,
					     config->personality,
					     config->partition, err);
}

/* Takes over the flash that an earlier process has attached. */
static int
open_adopted(struct device *device, struct error *err)
{
	const struct device_config *config = &device->config;
	const struct handover *record = device->handover.record;
	int ret;

	if (record->base != config->base ||
	    record->size != config->geometry.size)
		return error_set(
			err, EINVAL,
			"the guest has a flash of %u bytes at %#" PRIx64
			", but the options are for %u bytes at %#" PRIx64
			": start pflashd with the options of the earlier one",
			record->size, record->base, config->geometry.size,
			config->base);
	ret = add_regions(device, err);
	return ret == 0 ? takeover_window(device, err) : ret;
}

int
device_open(struct device **out, struct ioreq_server *server,
	    struct transport *t, const struct device_config *config,
	    struct error *trap_reason, struct error *err)
{
	struct device *device = NULL;
	int ret = device_new(&device, server, t, config, err);

	trap_reason->text[0] = '\0';
	if (ret == 0 && device->adopted) {
		ret = open_adopted(device, err);
	} else if (ret == 0) {
		ret = check_range(t, config, err);
		if (ret == 0)
			ret = add_regions(device, err);
		if (ret == 0)
			ret = open_window(device, t, trap_reason, err);
	}
	if (ret < 0) {
		free(device);
		return ret;
	}
	*out = device;
	return 0;
}

int
device_connect(struct device *device, struct store *store, struct error *err)
{
	const struct cfi_config chip = {
		.array = store_image(store),
		.geometry = device->config.geometry,
		.personality = device->config.personality,
		.partition = device->config.partition,
		.show_busy = device->config.show_busy,
		.ops = &chip_ops,
		.owner = device,
	};
	int ret;

	if (chip.geometry.size != store_size(store) ||
	    cfi_init(&device->chip, &chip))
		return error_set(err, EINVAL,
				 "the VARS file has %u bytes, expected a "
				 "flash of %u bytes",
				 store_size(store), chip.geometry.size);
	device->store = store;
	device->handover.chip = &device->chip;
	device->handover.store = store;
	ret = device->adopted ? takeover_chip(device, err) :
				state_load(device, err);
	if (ret < 0)
		return ret;
	window_connect(device->window, &device->chip);
	if (device->adopted)
		takeover_end_pause(device);
	else
		record_attached(device);
	record_released(device);
	if (device->handover.record)
		ioreq_server_set_handover(device->server, &device->handover);
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

bool
device_pending(const struct device *device)
{
	return store_pending(device->store);
}

/* A failure of the store has undone the open burst. */
static void
end_work(struct device *device, int ret)
{
	if (ret < 0 && cfi_report(&device->chip, ret))
		window_show(device->window);
	record_state(device);
}

void
device_flush(struct device *device)
{
	end_work(device, store_commit(device->store));
}

uint64_t
device_unsynced(const struct device *device)
{
	return store_unsynced(device->store);
}

void
device_sync(struct device *device)
{
	end_work(device, store_sync(device->store));
}

bool
device_behind(const struct device *device)
{
	return store_behind(device->store);
}

void
device_settle(struct device *device)
{
	end_work(device, store_settle(device->store));
}

int
device_close(struct device *device, enum device_at_close state,
	     struct error *err)
{
	bool paused = device_mode(device) == WINDOW_DIRECT &&
		      device_pause_guest(device);
	struct error why;
	int ret = 0;

	if (device->handover.record)
		device->handover.record->attached = 0;
	ioreq_server_set_handover(device->server, NULL);
	/* Requests may still arrive until frames and region are removed. */
	(void)window_trap(device->window, &why);
	if (paused)
		ioreq_server_unpause(device->server);
	loader_release(device);
	ioreq_server_remove(device->server, IOREQ_SPACE_MEMORY,
			    device->config.base);
	window_close(device->window);
	if (state == DEVICE_SAVE_STATE)
		ret = state_save_at_close(device, err);
	free(device);
	return ret;
}

int
device_restore(struct device *device, const uint8_t *record, size_t len)
{
	struct cfi *chip = &device->chip, *former = malloc(sizeof(*former));
	int ret;

	if (!former)
		return -ENOMEM;
	*former = *chip;
	ret = cfi_init(chip, &former->config);
	if (ret == 0)
		ret = cfi_restore(chip, record, len);
	if (ret < 0)
		*chip = *former;
	else
		window_connect(device->window, chip);
	free(former);
	return ret;
}

bool
device_verify(const struct device *device)
{
	return cfi_verify(&device->chip) && store_verify(device->store) &&
	       window_verify(device->window);
}
