/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HVM: hvmloader copies the firmware over the flash after the attach.  OVMF
 * accesses the ports of QEMU's fw_cfg in PEI, before its driver looks for a
 * flash.  The device claims these ports; at the first access it claims the
 * guest's memory at the flash and releases the ports.
 */
#include "device.h"

#include <errno.h>

/* The selector and the data port (QEMU, docs/specs/fw_cfg). */
#define FW_CFG_PORT 0x510
#define FW_CFG_PORTS 2

/*
 * QEMU has the ports again before the vCPU continues.  QEMU does not see this
 * first access, which does no harm: OVMF selects item 0, and an unused fw_cfg
 * has item 0 selected.
 */
static void
claim_from_loader(struct device *device)
{
	struct error reason;
	int ret;

	if (!device->awaits_firmware)
		return; /* another vCPU has made the first access */
	ret = window_use_memory(device->window, &reason);
	loader_release(device);
	record_mode(device, 0);
	if (device->handover.record)
		device->handover.record->window_ready = 1;
	if (ret < 0)
		error_errno(&reason, -ret,
			    "cannot remove the guest's memory at the flash");
	if (device->config.window_ready)
		device->config.window_ready(device->config.opaque, ret,
					    &reason);
}

static uint64_t
fw_cfg_read(void *opaque, uint64_t off, unsigned int size)
{
	(void)off, (void)size;
	claim_from_loader(opaque);
	return UINT64_MAX;
}

static void
fw_cfg_write(void *opaque, uint64_t off, unsigned int size, uint64_t value)
{
	(void)off, (void)size, (void)value;
	claim_from_loader(opaque);
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
