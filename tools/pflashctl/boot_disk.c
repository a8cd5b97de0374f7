/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot_disk.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <efivar/efivar.h>

#include "pflash/le.h"
#include "pflash/varstore.h"

#define SECTOR 512 /* the unit of libblkid */
#define PRIMARY 4  /* partitions of an MBR; edk2 numbers others differently */

static bool
is_gpt(blkid_partition partition)
{
	blkid_parttable table = blkid_partition_get_table(partition);
	const char *type = table ? blkid_parttable_get_type(table) : NULL;

	return type && strcmp(type, "gpt") == 0;
}

static bool
is_system_partition(blkid_partition partition)
{
	const char *type = blkid_partition_get_type_string(partition);

	if (!is_gpt(partition))
		return blkid_partition_get_type(partition) == 0xef;
	return type && strcasecmp(type, "c12a7328-f81f-11d2-ba4b-"
					"00a0c93ec93b") == 0;
}

static bool
has_guid(blkid_partition partition, const char *guid)
{
	const char *own = blkid_partition_get_uuid(partition);

	return own && strcasecmp(own, guid) == 0;
}

/* The only EFI system partition, if `guid` is NULL. */
static blkid_partition
search(blkid_partlist list, const char *guid, unsigned int *found)
{
	const int count = blkid_partlist_numof_partitions(list);
	blkid_partition match = NULL;

	*found = 0;
	for (int i = 0; i < count; i++) {
		blkid_partition partition = blkid_partlist_get_partition(list,
									 i);

		if (!partition || !(guid ? has_guid(partition, guid) :
					   is_system_partition(partition)))
			continue;
		match = partition;
		(*found)++;
	}
	return match;
}

static blkid_partition
choose(blkid_partlist list, const char *disk, uint32_t number,
       const uint8_t *guid, struct error *err)
{
	blkid_partition partition;
	char text[GUID_TEXT_SIZE];
	unsigned int found;

	if (number) {
		partition = blkid_partlist_get_partition_by_partno(list,
								   (int)number);
		if (!partition)
			(void)error_set(err, ENOENT, "%s: has no partition %u",
					disk, number);
		return partition;
	}
	if (guid)
		guid_format(guid, text);
	partition = search(list, guid ? text : NULL, &found);
	if (found == 1)
		return partition;
	if (guid)
		(void)error_set(err, ENOENT,
				"%s: has %u partitions with the GUID %s", disk,
				found, text);
	else
		(void)error_set(err, ENOENT,
				"%s: has %u EFI system partitions; name one "
				"with --partition",
				disk, found);
	return NULL;
}

static int
get_signature(blkid_partition partition, const char *disk,
	      struct boot_partition *to, struct error *err)
{
	const char *uuid = blkid_partition_get_uuid(partition);
	const char *id =
		blkid_parttable_get_id(blkid_partition_get_table(partition));
	efi_guid_t guid;

	if (is_gpt(partition)) {
		if (!uuid || efi_str_to_guid(uuid, &guid) < 0) {
			efi_error_clear();
			return error_set(err, EINVAL,
					 "%s: partition %u has no GUID", disk,
					 to->number);
		}
		memcpy(to->signature, &guid, sizeof(guid));
		to->format = EFIDP_HD_FORMAT_GPT;
		to->kind = EFIDP_HD_SIGNATURE_GUID;
		return 0;
	}
	if (!id || to->number > PRIMARY)
		return error_set(err, EINVAL,
				 id ? "%s: partition %u of the MBR is not "
				      "primary" :
				      "%s: the MBR with partition %u has no "
				      "signature",
				 disk, to->number);
	put_le32(to->signature, (uint32_t)strtoul(id, NULL, 16));
	to->format = EFIDP_HD_FORMAT_PCAT;
	to->kind = EFIDP_HD_SIGNATURE_MBR;
	return 0;
}

static int
find_in(blkid_partlist list, unsigned int sector, const char *disk,
	uint32_t number, const uint8_t *guid, struct boot_partition *to,
	struct error *err)
{
	blkid_partition partition = choose(list, disk, number, guid, err);
	blkid_loff_t start, size;

	if (!partition)
		return -ENOENT;
	start = blkid_partition_get_start(partition);
	size = blkid_partition_get_size(partition);
	if (start < 0 || size < 0)
		return error_set(err, EINVAL, "%s: the partition has no size",
				 disk);
	*to = (struct boot_partition){
		.number = (uint32_t)blkid_partition_get_partno(partition),
		.start = (uint64_t)start / (sector / SECTOR),
		.size = (uint64_t)size / (sector / SECTOR),
	};
	return get_signature(partition, disk, to, err);
}

/* NULL: there is no table for this size of a sector. */
static blkid_partlist
probe(blkid_probe blkid, unsigned int sector)
{
	blkid_partlist list;

	if (blkid_probe_set_sectorsize(blkid, sector) != 0)
		return NULL;
	list = blkid_probe_get_partitions(blkid);
	return list && blkid_partlist_numof_partitions(list) > 0 ? list : NULL;
}

/* 1: there is no table for this size of a sector. */
static int
find_with(unsigned int sector, const char *disk, uint32_t number,
	  const uint8_t *guid, struct boot_partition *partition,
	  struct error *err)
{
	blkid_probe blkid;
	blkid_partlist list;
	int ret = 1;

	errno = 0;
	blkid = blkid_new_probe_from_filename(disk);
	if (!blkid)
		return error_errno(err, errno ? errno : EIO, "%s", disk);
	list = probe(blkid, sector);
	if (list)
		ret = find_in(list, sector, disk, number, guid, partition, err);
	blkid_free_probe(blkid);
	return ret;
}

/* An image of a disk with sectors of 4096 bytes says so nowhere. */
int
boot_disk_find(const char *disk, uint32_t number, const uint8_t *guid,
	       struct boot_partition *partition, struct error *err)
{
	int ret = find_with(SECTOR, disk, number, guid, partition, err);

	if (ret > 0)
		ret = find_with(4096, disk, number, guid, partition, err);
	if (ret > 0)
		return error_set(err, EINVAL,
				 "%s: has neither a GPT nor an MBR with "
				 "partitions, or is not a raw image",
				 disk);
	return ret;
}
