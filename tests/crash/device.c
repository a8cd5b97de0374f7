/* SPDX-License-Identifier: BSD-2-Clause */
#include "device.h"

#include <stdio.h>
#include <stdlib.h>

#include "../../src/store/slots.h"

#define BLOCK 4096u
#define SLOT(room) (BLOCK + (room))

/* Room for the history of the setting, or hardly any: many new journals. */
static uint32_t
journal_room(const struct setting *setting)
{
	return setting->history.bytes ? (640u << 10) + 8 * setting->size :
					(32u << 10) + 4 * setting->size;
}

static struct superblock
plan(const struct setting *setting)
{
	const uint32_t sizes[] = { SLOT(journal_room(setting)), SLOT(3 * BLOCK),
				   SLOT(4 * BLOCK), SLOT(8 * BLOCK) };
	struct superblock super = {
		.image = setting->size,
		.id = 0x123456789abcdef,
	};
	uint64_t end = setting->size;

	for (unsigned int i = 0; i < SUPERBLOCK_AREAS; i++) {
		if (i == FILES_NEXT - 1)
			end += DEVICE_HOLE;
		super.area[i] = (struct area){ end, sizes[i] };
		end += 2 * (uint64_t)sizes[i];
	}
	super.device = end + BLOCK;
	return super;
}

size_t
device_hole(const struct setting *setting)
{
	const struct superblock super = plan(setting);

	return super.area[FILES_NEXT - 1].offset - DEVICE_HOLE;
}

void
device_prepare(const struct setting *setting, const struct script *script)
{
	const struct superblock super = plan(setting);
	struct file device = { .sys = &sys_machine, .path = setting->path };
	uint8_t *image = malloc(setting->size), block[BLOCK];
	struct error err = { "" };
	struct disk *disk = machine.disk;
	int inode = disk->inodes;

	if (!image)
		abort();
	setting_image(setting, image, script->step[0].seed);
	disk_link(disk, machine.vars, inode);
	bytes_resize(&disk->inode[inode], super.device - DEVICE_HOLE);
	device.fd = sys_machine.open(setting->path, O_RDWR, 0);
	superblock_encode(block, &super);
	if (file_write(&device, image, setting->size, 0, &err) ||
	    slots_format(&device, &super, &err) ||
	    file_write(&device, block, BLOCK, super.device - BLOCK, &err)) {
		fprintf(stderr, "the device: %s\n", err.text);
		exit(2);
	}
	file_close(&device);
	free(image);
}
