/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flash that hvmloader's memory lies over.  hvmloader copies the firmware to
 * where the flash is; OVMF asks for QEMU's fw_cfg in PEI, before its driver
 * looks for a flash.  The device claims fw_cfg's ports, and with the first
 * access to them it takes the memory and gives the ports back.
 */
#include "device.h"

#include <errno.h>

/* The selector and the data port (QEMU, docs/specs/fw_cfg). */
#define FW_CFG_PORT 0x510
#define FW_CFG_PORTS 2

/*
 * The ports belong to another device model again before the vCPU continues.
 * Its write is lost, without harm: OVMF selects item 0 first, which is what a
 * fw_cfg that was not used yet has selected.
 */
static void
take_from_loader(struct device *device)
{
	struct error note;
	int ret;

	if (!device->awaits_firmware)
		return; /* the access of another vCPU was first */
	ret = window_use_memory(device->window, &note);
	loader_release(device);
	record_mode(device, 0);
	if (device->handover.record)
		device->handover.record->taken = 1;
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

int
loader_claim(struct device *device, struct error *err)
{
	const struct ioreq_region fw_cfg = {
		.space = IOREQ_SPACE_PORT,
		.first = FW_CFG_PORT,
		.size = FW_CFG_PORTS,
		.ops = &fw_cfg_ops,
		.opaque = device,
	};
	int ret = ioreq_server_add(device->server, &fw_cfg, err);

	device->awaits_firmware = ret == 0;
	return ret;
}

void
loader_release(struct device *device)
{
	if (!device->awaits_firmware)
		return;
	device->awaits_firmware = false;
	ioreq_server_remove(device->server, IOREQ_SPACE_PORT, FW_CFG_PORT);
}
