/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot_path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <efivar/efivar.h>

#include "boot_text.h"
#include "pflash/le.h"
#include "pflash/varstore.h"

#define HEADER 4u /* type, subtype, length */

struct node {
	uint8_t type, subtype;
	uint16_t size; /* bytes, with the header */
	const uint8_t *bytes;
};

/* Returns false if no whole node is there. */
static bool
node_at(const uint8_t *path, size_t size, size_t off, struct node *node)
{
	if (size - off < HEADER)
		return false;
	*node = (struct node){
		.type = path[off],
		.subtype = path[off + 1],
		.size = get_le16(path + off + 2),
		.bytes = path + off,
	};
	return node->size >= HEADER && node->size <= size - off;
}

int
boot_path_check(const uint8_t *path, size_t size, struct error *err)
{
	struct node node = { .type = 0 };

	if (size == 0)
		return error_set(err, EINVAL, "the device path is empty");
	for (size_t off = 0; off < size; off += node.size)
		if (!node_at(path, size, off, &node))
			return error_set(err, EINVAL,
					 "the device path has no whole node at "
					 "byte %zu of %zu",
					 off, size);
	if (node.type != EFIDP_END_TYPE || node.subtype != EFIDP_END_ENTIRE)
		return error_set(err, EINVAL,
				 "the device path ends without an end node");
	return 0;
}

/* --- nodes of a fixed size, by libefivar --- */

/*
 * Their sizes, with the header (UEFI specification 2.10, section 10.3).  Not in
 * the table, and no job for libefivar: SAS Ex, where version 37 writes to the
 * start of the text; ACPI _ADR behind NVDIMM, where it reads the next node.
 */
static const struct {
	uint8_t type, subtype, size;
} fixed[] = {
	{ EFIDP_HARDWARE_TYPE, EFIDP_HW_PCI, 6 },
	{ EFIDP_HARDWARE_TYPE, EFIDP_HW_PCCARD, 5 },
	{ EFIDP_HARDWARE_TYPE, EFIDP_HW_MMIO, 24 },
	{ EFIDP_HARDWARE_TYPE, EFIDP_HW_CONTROLLER, 8 },
	{ EFIDP_ACPI_TYPE, EFIDP_ACPI_HID, 12 },
	{ EFIDP_ACPI_TYPE, EFIDP_ACPI_ADR, 8 },
	{ EFIDP_MESSAGE_TYPE, EFIDP_MSG_ATAPI, 8 },
	{ EFIDP_MESSAGE_TYPE, EFIDP_MSG_SCSI, 8 },
	{ EFIDP_MESSAGE_TYPE, EFIDP_MSG_USB, 6 },
	{ EFIDP_MESSAGE_TYPE, EFIDP_MSG_MAC_ADDR, 37 },
	{ EFIDP_MESSAGE_TYPE, EFIDP_MSG_UART, 19 },
	{ EFIDP_MESSAGE_TYPE, EFIDP_MSG_LUN, 5 },
	{ EFIDP_MESSAGE_TYPE, EFIDP_MSG_SATA, 10 },
	{ EFIDP_MESSAGE_TYPE, EFIDP_MSG_VLAN, 6 },
	{ EFIDP_MESSAGE_TYPE, EFIDP_MSG_NVME, 16 },
	{ EFIDP_MESSAGE_TYPE, EFIDP_MSG_UFS, 6 },
	{ EFIDP_MESSAGE_TYPE, EFIDP_MSG_SD, 5 },
	{ EFIDP_MESSAGE_TYPE, EFIDP_MSG_EMMC, 5 },
	{ EFIDP_MEDIA_TYPE, EFIDP_MEDIA_HD, 42 },
	{ EFIDP_MEDIA_TYPE, EFIDP_MEDIA_CDROM, 24 },
	{ EFIDP_MEDIA_TYPE, EFIDP_MEDIA_PROTOCOL, 20 },
	{ EFIDP_MEDIA_TYPE, EFIDP_MEDIA_FIRMWARE_FILE, 20 },
	{ EFIDP_MEDIA_TYPE, EFIDP_MEDIA_FIRMWARE_VOLUME, 20 },
};

#define FIXED_ROOM 64u /* of the largest one, and the end node */

static bool
is_fixed(const struct node *node)
{
	/* libefivar would read the next node. */
	if (node->type == EFIDP_ACPI_TYPE && node->subtype == EFIDP_ACPI_HID &&
	    node->size == 12 &&
	    get_le32(node->bytes + HEADER) == EFIDP_ACPI_NVDIMM_HID)
		return false;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (fixed[i].type == node->type &&
		    fixed[i].subtype == node->subtype)
			return fixed[i].size == node->size;
	return false;
}

/* False: libefivar has no text for the node. */
static bool
print_fixed(FILE *to, const struct node *node)
{
	/* Aligned, and with zeros behind it. */
	union {
		uint8_t bytes[FIXED_ROOM];
		uint64_t align;
	} copy = { .bytes = { 0 } };
	/* char in libefivar 37, unsigned char in later ones */
	char text[512];
	void *buffer = text;
	const void *path = copy.bytes;
	ssize_t len;

	memcpy(copy.bytes, node->bytes, node->size);
	copy.bytes[node->size] = EFIDP_END_TYPE;
	copy.bytes[node->size + 1] = EFIDP_END_ENTIRE;
	put_le16(copy.bytes + node->size + 2, HEADER);
	len = efidp_format_device_path(buffer, sizeof(text), path,
				       (ssize_t)(node->size + HEADER));
	if (len <= 1 || (size_t)len > sizeof(text)) {
		efi_error_clear();
		return false;
	}
	text[sizeof(text) - 1] = '\0';
	fputs(text, to);
	return true;
}

/* --- the other nodes --- */

static void
print_hex(FILE *to, const uint8_t *bytes, size_t size, size_t most)
{
	for (size_t i = 0; i < size && i < most; i++)
		fprintf(to, "%02x", bytes[i]);
	if (size > most)
		fputs("...", to);
}

#define GENERIC_MOST 64u /* bytes that are printed of an unknown node */

static void
print_generic(FILE *to, const struct node *node)
{
	fprintf(to, "Path(%u,%u", node->type, node->subtype);
	if (node->size > HEADER)
		fputc(',', to);
	print_hex(to, node->bytes + HEADER, node->size - HEADER, GENERIC_MOST);
	fputc(')', to);
}

static const char *
vendor_name(const struct node *node)
{
	if (node->size < HEADER + GUID_SIZE)
		return NULL;
	if (node->type == EFIDP_HARDWARE_TYPE &&
	    node->subtype == EFIDP_HW_VENDOR)
		return "VenHw";
	if (node->type == EFIDP_MESSAGE_TYPE &&
	    node->subtype == EFIDP_MSG_VENDOR)
		return "VenMsg";
	if (node->type == EFIDP_MEDIA_TYPE &&
	    node->subtype == EFIDP_MEDIA_VENDOR)
		return "VenMedia";
	return NULL;
}

static bool
print_vendor(FILE *to, const struct node *node)
{
	const char *name = vendor_name(node);
	const size_t head = HEADER + GUID_SIZE;
	char guid[GUID_TEXT_SIZE];

	if (!name)
		return false;
	guid_format(node->bytes + HEADER, guid);
	fprintf(to, "%s(%s", name, guid);
	if (node->size > head)
		fputc(',', to);
	print_hex(to, node->bytes + head, node->size - head, GENERIC_MOST);
	fputc(')', to);
	return true;
}

/*
 * A file is the text itself.  One that would be taken for something else when
 * it is parsed has a name around it, or is left to print_generic().
 */
static bool
print_file(FILE *to, const struct node *node)
{
	char *name;
	bool plain, named;

	if (node->type != EFIDP_MEDIA_TYPE ||
	    node->subtype != EFIDP_MEDIA_FILE || node->size % 2 != 0 ||
	    node->size <= HEADER + 2)
		return false;
	name = boot_utf8(node->bytes + HEADER, node->size - HEADER);
	if (!name)
		return false;
	plain = name[0] == '\\' && !strchr(name, '/');
	named = name[0] && !strpbrk(name, "/()");
	if (plain || named)
		fprintf(to, plain ? "%s" : "File(%s)", name);
	free(name);
	return plain || named;
}

static bool
print_uri(FILE *to, const struct node *node)
{
	if (node->type != EFIDP_MESSAGE_TYPE || node->subtype != EFIDP_MSG_URI)
		return false;
	for (size_t i = HEADER; i < node->size; i++)
		if (node->bytes[i] <= ' ' || node->bytes[i] >= 0x7f ||
		    strchr("()", node->bytes[i]))
			return false;
	fprintf(to, "Uri(%.*s)", (int)(node->size - HEADER),
		(const char *)node->bytes + HEADER);
	return true;
}

/*
 * IPv4(REMOTE,PROTOCOL,ORIGIN,LOCAL,GATEWAY,MASK), and the same for IPv6 with
 * the length of the prefix as MASK (sections 10.3.4.12 and 10.3.4.13).
 */
static bool
print_ip(FILE *to, const struct node *node)
{
	const bool v6 = node->subtype == EFIDP_MSG_IPv6;
	const size_t size = v6 ? 16 : 4;
	const uint8_t *p = node->bytes + HEADER, *tail = p + 2 * size + 7;
	const int family = v6 ? AF_INET6 : AF_INET;
	char local[INET6_ADDRSTRLEN], remote[INET6_ADDRSTRLEN];
	char gateway[INET6_ADDRSTRLEN], mask[INET6_ADDRSTRLEN];

	if (node->type != EFIDP_MESSAGE_TYPE ||
	    !(v6 ? node->size == 60 :
		   node->subtype == EFIDP_MSG_IPv4 && node->size == 27))
		return false;
	if (v6)
		snprintf(mask, sizeof(mask), "%u", *tail++);
	else if (!inet_ntop(family, tail + 4, mask, sizeof(mask)))
		return false;
	if (!inet_ntop(family, p, local, sizeof(local)) ||
	    !inet_ntop(family, p + size, remote, sizeof(remote)) ||
	    !inet_ntop(family, tail, gateway, sizeof(gateway)))
		return false;
	fprintf(to, "%s(%s,%u,%u,%s,%s,%s)", v6 ? "IPv6" : "IPv4", remote,
		get_le16(p + 2 * size + 4), p[2 * size + 6], local, gateway,
		mask);
	return true;
}

static void
print_node(FILE *to, const struct node *node)
{
	if (is_fixed(node) && print_fixed(to, node))
		return;
	if (!print_vendor(to, node) && !print_file(to, node) &&
	    !print_uri(to, node) && !print_ip(to, node))
		print_generic(to, node);
}

static bool
is_end(const struct node *node)
{
	return node->type == EFIDP_END_TYPE && node->size == HEADER &&
	       (node->subtype == EFIDP_END_ENTIRE ||
		node->subtype == EFIDP_END_INSTANCE);
}

char *
boot_path_text(const uint8_t *path, size_t size)
{
	const char *before = "";
	struct node node;
	char *text;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return NULL;
	for (size_t off = 0; node_at(path, size, off, &node);
	     off += node.size) {
		if (is_end(&node)) {
			before = node.subtype == EFIDP_END_ENTIRE ? "; " : ",";
			continue;
		}
		fputs(before, to);
		print_node(to, &node);
		before = "/";
	}
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}
