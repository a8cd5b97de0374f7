/* SPDX-License-Identifier: BSD-2-Clause */
#include "wish.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pflash/firmware.h"
#include "pflash/identify.h"

static const char head[] =
	"# Made by pflash-libvirt of the guest's XML, until the guest ends.\n";

/* libvirt 9.0 does not survive the start of a PVH guest without a kernel. */
static int
check_pvh(const struct guestxml *xml, struct error *err)
{
	if (xml->kernel || xml->has_bootloader)
		return 0;
	if (xml->efi && !xml->has_loader)
		return error_set(err, EINVAL,
				 "firmware='efi' selects no firmware for a PVH "
				 "guest: name its file in <loader> and in "
				 "<kernel>");
	return error_set(err, EINVAL,
			 "a PVH guest starts from <kernel>, and there is none: "
			 "name its firmware there%s",
			 xml->has_loader ? ", too, not only in <loader>" : "");
}

int
wish_check(const struct guestxml *xml, struct error *err)
{
	if (xml->secure)
		return error_set(err, EINVAL,
				 "libvirt refuses secure='yes' and the feature "
				 "secure-boot on Xen: leave them out, the "
				 "firmware and the keys in the flash decide "
				 "about Secure Boot");
	return xml->type == GUESTXML_PVH ? check_pvh(xml, err) : 0;
}

/* --- options of the administrator --- */

/* The option of the line at *at, and *at is behind the line; NULL: none. */
static const char *
next_option(const char **at, size_t *len)
{
	const char *start = *at + strspn(*at, " \t\r\n");
	size_t line = strcspn(start, "\n");

	*at = start + line;
	*len = strcspn(start, "=\n");
	while (*len > 0 && strchr(" \t\r", start[*len - 1]))
		(*len)--;
	return *start ? start : NULL;
}

static bool
has_option(const struct guestxml *xml, const char *name)
{
	const char *at = xml->options ? xml->options : "", *option;
	size_t len;

	while ((option = next_option(&at, &len)) != NULL)
		if (len == strlen(name) && memcmp(option, name, len) == 0)
			return true;
	return false;
}

/* --- the file --- */

/*
 * Writes one option, unless the administrator has it.  In double quotes every
 * path is possible but for a control character, and for the mark that pflashd
 * replaces.
 */
static int
put(FILE *file, const struct guestxml *xml, const char *option,
    const char *value, struct error *err)
{
	if (has_option(xml, option))
		return 0;
	for (const char *at = value; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return error_set(err, EINVAL,
					 "the path of the flash's %s has a "
					 "control character: rename the file",
					 option);
	if (strstr(value, "%n"))
		return error_set(err, EINVAL,
				 "'%s' has %%n, which pflashd would replace by "
				 "the guest's name: rename the file",
				 value);
	fprintf(file, "%s = \"", option);
	for (; *value; value++)
		fprintf(file, strchr("\"\\", *value) ? "\\%c" : "%c", *value);
	fputs("\"\n", file);
	return 0;
}

/* The layout of the build that a file of firmware belongs to; NULL: unknown. */
static const char *
find_layout(const char *path)
{
	const char *name = NULL;
	struct firmware firmware;
	struct error ignored;
	uint8_t *image = NULL;
	size_t size, sec;

	if (path &&
	    identify_firmware(path, &image, &size, &sec, &ignored) == 0 &&
	    firmware_examine(image, size, &firmware, &ignored) == 0 &&
	    firmware.layout)
		name = firmware.layout->name;
	free(image);
	return name;
}

/* By which a new VARS file is made. */
static int
put_origin(FILE *file, const struct guestxml *xml, struct error *err)
{
	const char *layout;

	if (has_option(xml, "template") || has_option(xml, "layout"))
		return 0;
	if (xml->template)
		return put(file, xml, "template", xml->template, err);
	layout = find_layout(xml->loader);
	if (!layout)
		layout = find_layout(xml->kernel);
	if (layout)
		return put(file, xml, "layout", layout, err);
	if (!xml->vars || access(xml->vars, F_OK) == 0)
		return 0;
	return error_set(err, EINVAL,
			 "%s does not exist, and nothing says how to make it: "
			 "add template='FILE' to <nvram>, or layout = 2m or "
			 "4m to the options in <metadata>",
			 xml->vars);
}

/* pflashd finds other firmware in the guest's memory. */
static int
put_code(FILE *file, const struct guestxml *xml, struct error *err)
{
	if (xml->type != GUESTXML_PVH || !xml->loader || !xml->kernel ||
	    strcmp(xml->loader, xml->kernel) != 0)
		return 0;
	return put(file, xml, "code", xml->loader, err);
}

static int
check_firmware(const struct guestxml *xml, struct error *err)
{
	if (xml->type == GUESTXML_OTHER)
		return error_set(err, EINVAL,
				 "only a guest of the type hvm or xenpvh can "
				 "have a flash");
	if (xml->type == GUESTXML_PVH && !xml->kernel)
		return error_set(err, EINVAL,
				 "<nvram> needs firmware: name its file in "
				 "<loader> and in <kernel>");
	if (xml->type == GUESTXML_PVH || xml->efi)
		return 0;
	if (!xml->loader_type || strcmp(xml->loader_type, "pflash") != 0)
		return error_set(err, EINVAL,
				 "<nvram> needs <loader readonly='yes' "
				 "type='pflash'>, else Xen starts no UEFI "
				 "firmware");
	return 0;
}

static int
check_vars(const struct guestxml *xml, struct error *err)
{
	if (!xml->vars && xml->template)
		return error_set(err, EINVAL,
				 "<nvram> names a template, but no file: "
				 "write the path of the guest's VARS file "
				 "between <nvram> and </nvram>");
	if (!xml->vars)
		return error_set(err, EINVAL,
				 "no file is named: write the path of the "
				 "guest's VARS file between <nvram> and "
				 "</nvram>, or vars = PATH to the options in "
				 "<metadata>");
	if (xml->vars_format && strcmp(xml->vars_format, "raw") != 0)
		return error_set(err, EINVAL,
				 "<nvram> has the format '%s', and pflashd "
				 "uses raw files only",
				 xml->vars_format);
	return 0;
}

static int
put_all(FILE *file, const struct guestxml *xml, struct error *err)
{
	int ret = check_firmware(xml, err);

	if (ret == 0 && !has_option(xml, "vars"))
		ret = check_vars(xml, err);
	fputs(head, file);
	if (ret == 0 && xml->vars)
		ret = put(file, xml, "vars", xml->vars, err);
	if (ret == 0)
		ret = put_origin(file, xml, err);
	if (ret == 0)
		ret = put_code(file, xml, err);
	if (xml->options)
		fprintf(file, "%s\n", xml->options);
	return ret;
}

int
wish_make(const struct guestxml *xml, char **text, struct error *err)
{
	size_t size = 0;
	FILE *file;
	int ret;

	*text = NULL;
	if (!xml->has_nvram && !xml->options)
		return 0;
	file = open_memstream(text, &size);
	if (!file)
		return error_set(err, ENOMEM, "out of memory");
	ret = put_all(file, xml, err);
	if (fclose(file) != 0 && ret == 0)
		ret = error_set(err, ENOMEM, "out of memory");
	if (ret < 0) {
		free(*text);
		*text = NULL;
	}
	return ret;
}
