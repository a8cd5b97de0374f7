/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl check --code: says what a firmware image is, and what it can do. */
#include "pflash/firmware.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pflash/identify.h"
#include "pflashctl.h"

/* The SEC volume of a 2 MiB image, before edk2-stable202505 (70df56728f). */
#define OLD_SEC_SIZE 0x34000u
#define OLD_IMAGE_SIZE 0x200000u

/* OvmfXen of edk2-stable202005 to 202408 cannot reset a PVH guest. */
static void
print_age(const struct firmware *firmware)
{
	if (firmware->entry == FIRMWARE_ENTRY_GOOD &&
	    firmware->size == OLD_IMAGE_SIZE &&
	    firmware->sec_size == OLD_SEC_SIZE)
		puts("note: old-edk2: the firmware is of an edk2 before "
		     "edk2-stable202505; one before edk2-stable202411 stops in "
		     "a PVH guest unless its reset library is patched");
}

static bool
print_facts(const struct firmware *firmware)
{
	struct error text;

	firmware_text(firmware, &text);
	printf("firmware: %s\n", text.text);
	if (firmware_check_pvh(firmware, &text) < 0)
		printf("note: no-pvh: %s\n", text.text);
	print_age(firmware);
	if (firmware->flash != FIRMWARE_NO)
		return true;
	puts("error: no-flash-driver: the firmware has no driver for the "
	     "flash that works without SMM (QemuFlashFvbServicesRuntimeDxe), "
	     "so a Xen guest would lose its variables");
	return false;
}

/* False if the firmware would erase an image of this size. */
static bool
print_fit(const uint8_t *image, size_t size, const char *path, size_t vars_size)
{
	struct error err;
	int ret = fv_build_takes(image, size, vars_size, &err);

	if (ret < 0)
		printf("%s: %s: %s\n", ret == -ENOENT ? "note" : "error", path,
		       err.text);
	return ret == 0 || ret == -ENOENT;
}

bool
ctl_print_firmware(const char *path, size_t vars_size)
{
	struct firmware firmware;
	uint8_t *image = NULL;
	size_t size = 0, sec;
	struct error err;
	bool good = true;

	if (identify_firmware(path, &image, &size, &sec, &err) < 0 ||
	    firmware_examine(image, size, &firmware, &err) < 0) {
		free(image);
		(void)ctl_fail(CTL_FILE, "%s", err.text);
		return false;
	}
	firmware_look_inside(image, &firmware);
	good = print_facts(&firmware);
	if (vars_size)
		good &= print_fit(image, size, path, vars_size);
	free(image);
	return good;
}
