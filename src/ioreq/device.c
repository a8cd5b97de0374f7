/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The joints between the layers: chip to store, chip to window, region to
 * chip.  Nothing is decided here.
 */
#include "pflash/device.h"

#include <errno.h>
#include <stdlib.h>

struct device {
	struct device_config config;
	struct cfi chip;
	struct ioreq_server *server;
	struct store *store;
	struct window *window;
};

static int
chip_program(void *owner, uint32_t off, const uint8_t *bytes, uint32_t len)
{
	struct device *device = owner;

	return store_program(device->store, off, bytes, len);
}

static int
chip_erase(void *owner, uint32_t off, uint32_t len)
{
	struct device *device = owner;

	return store_erase(device->store, off, len);
}

static int
chip_commit(void *owner)
{
	struct device *device = owner;

	return store_commit(device->store);
}

static int
chip_protect(void *owner, const uint8_t *registers, uint32_t len)
{
	(void)owner;
	(void)registers;
	(void)len;
	return -EROFS;
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

int
device_open(struct device **out, struct ioreq_server *server,
	    struct transport *t, const struct device_config *config,
	    struct error *note, struct error *err)
{
	struct device *device = calloc(1, sizeof(*device));
	const struct ioreq_region region = {
		.space = IOREQ_SPACE_MEMORY,
		.first = config->base,
		.size = config->geometry.size,
		.ops = &region_ops,
		.opaque = device,
	};
	int ret;

	if (!device)
		return error_set(err, ENOMEM, "out of memory");
	device->config = *config;
	device->server = server;
	ret = geometry_check(&config->geometry, err);
	if (ret == 0)
		ret = window_check_range(t, config->base, config->geometry.size,
					 err);
	if (ret == 0)
		ret = ioreq_server_add(server, &region, err);
	if (ret == 0) {
		ret = window_open(&device->window, t, config->base,
				  config->geometry.size, config->mode, note);
		if (ret < 0)
			*err = *note;
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
		.show_busy = device->config.show_busy,
		.ops = &chip_ops,
		.owner = device,
	};

	if (chip.geometry.size != store_size(store) ||
	    cfi_init(&device->chip, &chip))
		return error_set(err, EINVAL,
				 "%u bytes are no flash of %u bytes",
				 store_size(store), chip.geometry.size);
	device->store = store;
	window_connect(device->window, &device->chip);
	return 0;
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

void
device_flush(struct device *device)
{
	int ret = store_commit(device->store);

	if (ret < 0)
		cfi_report(&device->chip, ret);
}

void
device_close(struct device *device)
{
	/* Until frames and region are gone a write may be on its way. */
	window_trap(device->window);
	ioreq_server_remove(device->server, IOREQ_SPACE_MEMORY,
			    device->config.base);
	window_close(device->window);
	free(device);
}

bool
device_verify(const struct device *device)
{
	return cfi_verify(&device->chip) && store_verify(device->store) &&
	       window_verify(device->window);
}
