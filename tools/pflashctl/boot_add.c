/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl boot add */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <efivar/efivar.h>

#include "boot.h"
#include "boot_disk.h"
#include "boot_path.h"
#include "boot_plan.h"
#include "boot_text.h"
#include "edit.h"
#include "pflash/parse.h"
#include "pflashctl.h"

enum {
	LABEL = 'l',
	FILE_PATH = 'f',
	DISK = 'd',
	PARTITION = 'p',
	PARTITION_GUID = 'g',
	DEVICE_PATH = 'D',
	DATA = 't',
	DATA_HEX = 'x',
	FIRST = 'F',
	LAST = 'L',
	INDEX = 'i',
	INACTIVE = 'I',
	NUMBER = 'n',
};

const struct cmdline_option boot_add_options[] = {
	{ "label", LABEL, true },
	{ "file", FILE_PATH, true },
	{ "disk", DISK, true },
	{ "partition", PARTITION, true },
	{ "partition-guid", PARTITION_GUID, true },
	{ "device-path", DEVICE_PATH, true },
	{ "data", DATA, true },
	{ "data-hex", DATA_HEX, true },
	{ "first", FIRST, false },
	{ "last", LAST, false },
	{ "index", INDEX, true },
	{ "inactive", INACTIVE, false },
	{ "number", NUMBER, true },
	{ "journal", EDIT_JOURNAL, true },
	{ "json", EDIT_JSON, false },
	{ "dry-run", EDIT_DRY_RUN, false },
	{ "next-start", EDIT_NEXT_START, false },
	{ NULL, 0, false },
};

struct options {
	struct edit_options edit;
	struct boot_add add;
	const char *label, *file, *disk, *device_path, *data, *data_hex;
	uint64_t partition; /* 0: not given */
	bool has_guid;
	uint8_t guid[GUID_SIZE];
	bool inactive;
};

static int
set_guid(struct options *options, const char *text, struct error *err)
{
	efi_guid_t guid;

	if (strlen(text) != GUID_TEXT_SIZE - 1 ||
	    efi_str_to_guid(text, &guid) < 0) {
		efi_error_clear();
		return error_set(err, EINVAL, "'%s' is not a GUID", text);
	}
	memcpy(options->guid, &guid, GUID_SIZE);
	options->has_guid = true;
	return 0;
}

static int
set_number(struct options *options, const char *text, struct error *err)
{
	if (strlen(text) != 4 || strspn(text, "0123456789abcdefABCDEF") != 4)
		return error_set(err, EINVAL,
				 "'%s' is not four hexadecimal digits", text);
	options->add.number = (uint16_t)strtoul(text, NULL, 16);
	options->add.has_number = true;
	return 0;
}

static int
set_place(struct options *options, enum boot_where where, struct error *err)
{
	if (options->add.where != BOOT_ANYWHERE)
		return error_set(err, EINVAL,
				 "--first, --last and --index exclude each "
				 "other");
	options->add.where = where;
	return 0;
}

static int
set_index(struct options *options, const char *text, struct error *err)
{
	int ret = set_place(options, BOOT_AT_INDEX, err);

	return ret < 0 ? ret :
			 parse_number(text, PARSE_DECIMAL, 0, UINT16_MAX,
				      &options->add.index, err);
}

static int
set_option(void *opaque, int id, const char *value, struct error *err)
{
	struct options *options = opaque;
	int ret = edit_option(&options->edit, id, value, err);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	switch (id) {
	case LABEL: options->label = value; return 0;
	case FILE_PATH: options->file = value; return 0;
	case DISK: options->disk = value; return 0;
	case DEVICE_PATH: options->device_path = value; return 0;
	case DATA: options->data = value; return 0;
	case DATA_HEX: options->data_hex = value; return 0;
	case INACTIVE: options->inactive = true; return 0;
	case PARTITION:
		return parse_number(value, PARSE_DECIMAL, 1, 128,
				    &options->partition, err);
	case PARTITION_GUID: return set_guid(options, value, err);
	case FIRST: return set_place(options, BOOT_FIRST, err);
	case LAST: return set_place(options, BOOT_LAST, err);
	case INDEX: return set_index(options, value, err);
	default: return set_number(options, value, err);
	}
}

/* --- the device path --- */

/* edk2 compares number, type and signature: BmMatchPartitionDevicePathNode. */
static int
partition_of_guid(const struct options *options,
		  struct boot_partition *partition, struct error *err)
{
	if (!options->partition)
		return error_set(err, EINVAL,
				 "--partition-guid without --disk needs "
				 "--partition, the number of the partition: "
				 "the firmware compares both");
	*partition = (struct boot_partition){
		.number = (uint32_t)options->partition,
		.format = EFIDP_HD_FORMAT_GPT,
		.kind = EFIDP_HD_SIGNATURE_GUID,
	};
	memcpy(partition->signature, options->guid, GUID_SIZE);
	return 0;
}

static int
find_partition(const struct options *options, struct boot_partition *partition,
	       struct error *err)
{
	int ret;

	if (!options->disk)
		return partition_of_guid(options, partition, err);
	ret = boot_disk_find(options->disk, (uint32_t)options->partition,
			     options->has_guid ? options->guid : NULL,
			     partition, err);
	if (ret == 0 && options->has_guid &&
	    memcmp(partition->signature, options->guid, GUID_SIZE) != 0)
		return error_set(err, EINVAL,
				 "%s: partition %u has another GUID",
				 options->disk, partition->number);
	return ret;
}

static int
make_path(const struct options *options, struct boot_path *path,
	  struct error *err)
{
	struct boot_partition partition;
	int ret = 0;

	if (options->device_path)
		return boot_path_parse(options->device_path, path, err);
	path->size = 0;
	if (options->disk || options->has_guid) {
		ret = find_partition(options, &partition, err);
		if (ret == 0)
			ret = boot_path_add_partition(path, &partition, err);
	}
	if (ret == 0 && options->file)
		ret = boot_path_add_file(path, options->file, err);
	return ret < 0 ? ret : boot_path_end(path, err);
}

/* The sentence about options that are missing or exclude each other; or NULL */
static const char *
complaint(const struct options *options)
{
	const bool partition = options->disk || options->has_guid;

	if (!options->label)
		return "--label is missing";
	if (options->device_path &&
	    (partition || options->partition || options->file))
		return "--device-path excludes --disk, --partition, "
		       "--partition-guid and --file";
	if (!options->device_path && !partition && !options->file)
		return "--file, --disk or --device-path is missing";
	if (options->partition && !partition)
		return "--partition needs --disk or --partition-guid";
	if (options->data && options->data_hex)
		return "--data and --data-hex exclude each other";
	if (options->file && options->file[0] != '\\' &&
	    options->file[0] != '/')
		return "--file must begin with a backslash";
	return NULL;
}

/* --- the entry --- */

/* Text becomes UTF-16LE without a NUL, as efibootmgr(8) writes it. */
static int
make_data(const struct options *options, uint8_t **data, size_t *size,
	  struct error *err)
{
	int ret;

	*data = NULL;
	*size = 0;
	if (options->data_hex)
		return boot_from_hex(options->data_hex,
				     strlen(options->data_hex), data, size,
				     err);
	if (!options->data)
		return 0;
	ret = boot_utf16(options->data, data, size, err);
	if (ret == 0)
		*size -= 2;
	return ret;
}

static int
make_entry(const struct options *options, uint8_t **value, size_t *size,
	   struct error *err)
{
	struct boot_path path;
	struct boot_entry entry = {
		.attributes = options->inactive ? 0 : BOOT_ACTIVE,
	};
	uint8_t *data;
	int ret = make_path(options, &path, err);

	if (ret == 0)
		ret = make_data(options, &data, &entry.data_size, err);
	if (ret < 0)
		return ret;
	entry.path = path.bytes;
	entry.path_size = path.size;
	entry.data = data;
	ret = boot_entry_make(value, size, options->label, &entry, err);
	free(data);
	return ret;
}

int
boot_add(const struct group_command *command, int argc, char **argv)
{
	struct options options = { .label = NULL };
	const char *wrong;
	uint8_t *value;
	struct error err;
	int code, ret, first;

	first = group_parse(command, argc, argv, set_option, &options);
	if (first < 0)
		return CTL_USAGE;
	wrong = complaint(&options);
	if (wrong)
		return ctl_fail(CTL_USAGE, "add: %s", wrong);
	ret = make_entry(&options, &value, &options.add.size, &err);
	if (ret < 0)
		return ctl_fail(ret == -ENOMEM ? CTL_FAILED : CTL_USAGE,
				"add: %s", err.text);
	options.add.value = value;
	code = edit_files(&options.edit, argv + first,
			  (unsigned int)(argc - first), true, boot_plan_add,
			  &options.add);
	free(value);
	return code;
}
