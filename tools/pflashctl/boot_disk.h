/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds the partition of a disk, in a raw image or a block device, by libblkid.
 * Only reads.  The disk may be a guest's.
 */
#ifndef PFLASHCTL_BOOT_DISK_H
#define PFLASHCTL_BOOT_DISK_H

#include <stdint.h>

#include "boot_path.h"
#include "pflash/error.h"

/*
 * Finds the partition of this number; number 0: by the GUID; `guid` NULL too:
 * the only EFI system partition.  -EINVAL or -ENOENT with a sentence.
 */
int boot_disk_find(const char *disk, uint32_t number, const uint8_t *guid,
		   struct boot_partition *partition, struct error *err);

#endif
