// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * Tells Linux's physmap driver where the flash lies. Debian's kernel does
 * not read the address from its command line (CONFIG_MTD_PHYSMAP_COMPAT is not
 * set), and a PVH guest has no device tree.
 */
#include <linux/err.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/mtd/physmap.h>
#include <linux/platform_device.h>

static unsigned long start;
module_param(start, ulong, 0444);
MODULE_PARM_DESC(start, "guest-physical address of the flash");

static unsigned long size;
module_param(size, ulong, 0444);
MODULE_PARM_DESC(size, "bytes");

static unsigned int width = 1;
module_param(width, uint, 0444);
MODULE_PARM_DESC(width, "bytes of the bus: 1, 2 or 4");

static struct platform_device *device;

static int __init
pflash_map_init(void)
{
	struct physmap_flash_data data = {
		.width = width,
		.probe_type = "cfi_probe",
	};
	struct resource range = DEFINE_RES_MEM(start, size);

	if (!size)
		return -EINVAL;
	device = platform_device_register_resndata(NULL, "physmap-flash",
						   PLATFORM_DEVID_NONE, &range,
						   1, &data, sizeof(data));
	return PTR_ERR_OR_ZERO(device);
}

static void __exit
pflash_map_exit(void)
{
	platform_device_unregister(device);
}

module_init(pflash_map_init);
module_exit(pflash_map_exit);

MODULE_DESCRIPTION("Place of a CFI flash, for physmap");
MODULE_LICENSE("Dual BSD/GPL");
