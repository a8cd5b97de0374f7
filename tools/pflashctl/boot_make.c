/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes device paths of their text, or of a partition and a file. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <efivar/efivar.h>

#include "boot_path.h"
#include "boot_text.h"
#include "pflash/le.h"
#include "pflash/parse.h"
#include "pflash/varstore.h"

#define HEADER 4u

/* Appends the header of a node; *body: the bytes behind it, which are 0. */
static int
add_node(struct boot_path *path, uint8_t type, uint8_t subtype, size_t size,
	 uint8_t **body, struct error *err)
{
	uint8_t *to = path->bytes + path->size;
	const size_t room = sizeof(path->bytes) - path->size;

	if (size > room)
		return error_set(err, ENOSPC,
				 "the device path has more than %u bytes",
				 BOOT_PATH_ROOM);
	memset(to, 0, size);
	if (efidp_make_generic(to, (ssize_t)room, type, subtype,
			       (ssize_t)size) != (ssize_t)size) {
		efi_error_clear();
		return error_set(err, EINVAL, "libefivar made no node");
	}
	path->size += size;
	*body = to + HEADER;
	return 0;
}

static int
add_bytes(struct boot_path *path, uint8_t type, uint8_t subtype,
	  const uint8_t *bytes, size_t size, struct error *err)
{
	uint8_t *body;
	int ret = add_node(path, type, subtype, HEADER + size, &body, err);

	if (ret == 0 && size)
		memcpy(body, bytes, size);
	return ret;
}

int
boot_path_add_partition(struct boot_path *path,
			const struct boot_partition *partition,
			struct error *err)
{
	uint8_t signature[16];
	uint8_t *to = path->bytes + path->size;
	const size_t room = sizeof(path->bytes) - path->size;
	ssize_t size;

	memcpy(signature, partition->signature, sizeof(signature));
	size = efidp_make_hd(to, (ssize_t)room, partition->number,
			     partition->start, partition->size, signature,
			     partition->format, partition->kind);
	if (size <= 0) {
		efi_error_clear();
		return error_set(err, ENOSPC,
				 "the device path has more than %u bytes",
				 BOOT_PATH_ROOM);
	}
	path->size += (size_t)size;
	return 0;
}

/* Not by efidp_make_file(), which garbles characters beyond U+07FF. */
int
boot_path_add_file(struct boot_path *path, const char *file, struct error *err)
{
	uint8_t *name;
	size_t size;
	int ret = boot_utf16(file, &name, &size, err);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < size; i += 2)
		if (get_le16(name + i) == '/')
			put_le16(name + i, '\\');
	ret = add_bytes(path, EFIDP_MEDIA_TYPE, EFIDP_MEDIA_FILE, name, size,
			err);
	free(name);
	return ret;
}

int
boot_path_end(struct boot_path *path, struct error *err)
{
	return add_bytes(path, EFIDP_END_TYPE, EFIDP_END_ENTIRE, NULL, 0, err);
}

/* --- nodes of text --- */

#define ARGUMENTS 6u

/* "NAME(ARGUMENT,...)" or a file. */
struct words {
	char *name;
	char *arguments[ARGUMENTS];
	unsigned int count;
};

static int
not_understood(const char *node, struct error *err)
{
	return error_set(err, EINVAL,
			 "'%s' is no node of a device path that can be made; "
			 "hexadecimal digits of the whole path are accepted, "
			 "too",
			 node);
}

static int
get_number(const char *text, unsigned int bytes, uint64_t *value,
	   struct error *err)
{
	const uint64_t most = bytes == 8 ? UINT64_MAX : (1ull << 8 * bytes) - 1;

	return parse_number(text, PARSE_C, 0, most, value, err);
}

static int
get_guid(const char *text, uint8_t guid[GUID_SIZE], struct error *err)
{
	efi_guid_t value;

	if (strlen(text) != GUID_TEXT_SIZE - 1 ||
	    efi_str_to_guid(text, &value) < 0) {
		efi_error_clear();
		return error_set(err, EINVAL, "'%s' is not a GUID", text);
	}
	memcpy(guid, &value, GUID_SIZE);
	return 0;
}

/* --- nodes of numbers --- */

struct number_form {
	const char *name;
	uint8_t type, subtype, size;
	struct {
		uint8_t at, size;
	} numbers[3];
	uint32_t hid; /* of ACPI nodes with a name of their own */
};

static const struct number_form number_forms[] = {
	{ "Pci",
	  EFIDP_HARDWARE_TYPE,
	  EFIDP_HW_PCI,
	  6,
	  { { 5, 1 }, { 4, 1 } },
	  0 },
	{ "Ctrl",
	  EFIDP_HARDWARE_TYPE,
	  EFIDP_HW_CONTROLLER,
	  8,
	  { { 4, 4 } },
	  0 },
	{ "PciRoot",
	  EFIDP_ACPI_TYPE,
	  EFIDP_ACPI_HID,
	  12,
	  { { 8, 4 } },
	  EFIDP_ACPI_PCI_ROOT_HID },
	{ "PcieRoot",
	  EFIDP_ACPI_TYPE,
	  EFIDP_ACPI_HID,
	  12,
	  { { 8, 4 } },
	  EFIDP_ACPI_PCIE_ROOT_HID },
	{ "Floppy",
	  EFIDP_ACPI_TYPE,
	  EFIDP_ACPI_HID,
	  12,
	  { { 8, 4 } },
	  EFIDP_ACPI_FLOPPY_HID },
	{ "Keyboard",
	  EFIDP_ACPI_TYPE,
	  EFIDP_ACPI_HID,
	  12,
	  { { 8, 4 } },
	  EFIDP_ACPI_KEYBOARD_HID },
	{ "Serial",
	  EFIDP_ACPI_TYPE,
	  EFIDP_ACPI_HID,
	  12,
	  { { 8, 4 } },
	  EFIDP_ACPI_SERIAL_HID },
	{ "Acpi",
	  EFIDP_ACPI_TYPE,
	  EFIDP_ACPI_HID,
	  12,
	  { { 4, 4 }, { 8, 4 } },
	  0 },
	{ "AcpiAdr", EFIDP_ACPI_TYPE, EFIDP_ACPI_ADR, 8, { { 4, 4 } }, 0 },
	{ "Ata",
	  EFIDP_MESSAGE_TYPE,
	  EFIDP_MSG_ATAPI,
	  8,
	  { { 4, 1 }, { 5, 1 }, { 6, 2 } },
	  0 },
	{ "Scsi",
	  EFIDP_MESSAGE_TYPE,
	  EFIDP_MSG_SCSI,
	  8,
	  { { 4, 2 }, { 6, 2 } },
	  0 },
	{ "Usb",
	  EFIDP_MESSAGE_TYPE,
	  EFIDP_MSG_USB,
	  6,
	  { { 4, 1 }, { 5, 1 } },
	  0 },
	{ "Unit", EFIDP_MESSAGE_TYPE, EFIDP_MSG_LUN, 5, { { 4, 1 } }, 0 },
	{ "Sata",
	  EFIDP_MESSAGE_TYPE,
	  EFIDP_MSG_SATA,
	  10,
	  { { 4, 2 }, { 6, 2 }, { 8, 2 } },
	  0 },
	{ "Vlan", EFIDP_MESSAGE_TYPE, EFIDP_MSG_VLAN, 6, { { 4, 2 } }, 0 },
	{ "UFS",
	  EFIDP_MESSAGE_TYPE,
	  EFIDP_MSG_UFS,
	  6,
	  { { 4, 1 }, { 5, 1 } },
	  0 },
	{ "SD", EFIDP_MESSAGE_TYPE, EFIDP_MSG_SD, 5, { { 4, 1 } }, 0 },
	{ "eMMC", EFIDP_MESSAGE_TYPE, EFIDP_MSG_EMMC, 5, { { 4, 1 } }, 0 },
	{ "CDROM",
	  EFIDP_MEDIA_TYPE,
	  EFIDP_MEDIA_CDROM,
	  24,
	  { { 4, 4 }, { 8, 8 }, { 16, 8 } },
	  0 },
};

static unsigned int
count_numbers(const struct number_form *form)
{
	unsigned int count = 0;

	while (count < 3 && form->numbers[count].size)
		count++;
	return count;
}

/* 0: the node is none of these; 1: it was added. */
static int
add_numbers(struct boot_path *path, const struct words *words,
	    struct error *err)
{
	const struct number_form *form = number_forms;
	const struct number_form *end = form + sizeof(number_forms) /
						       sizeof(number_forms[0]);
	uint8_t bytes[24] = { 0 };
	uint64_t value;
	int ret;

	while (form < end && strcasecmp(form->name, words->name) != 0)
		form++;
	if (form == end || words->count != count_numbers(form))
		return 0;
	if (form->hid)
		put_le32(bytes + HEADER, form->hid);
	for (unsigned int i = 0; i < words->count; i++) {
		ret = get_number(words->arguments[i], form->numbers[i].size,
				 &value, err);
		if (ret < 0)
			return ret;
		value = htole64(value);
		memcpy(bytes + form->numbers[i].at, &value,
		       form->numbers[i].size);
	}
	ret = add_bytes(path, form->type, form->subtype, bytes + HEADER,
			form->size - HEADER, err);
	return ret < 0 ? ret : 1;
}

/* --- other nodes --- */

/* GUID, and hexadecimal digits or nothing. */
static int
add_guid(struct boot_path *path, uint8_t type, uint8_t subtype,
	 const struct words *words, struct error *err)
{
	uint8_t guid[GUID_SIZE], *body, *data = NULL;
	size_t size = 0;
	int ret = get_guid(words->arguments[0], guid, err);

	if (ret == 0 && words->count > 1)
		ret = boot_from_hex(words->arguments[1],
				    strlen(words->arguments[1]), &data, &size,
				    err);
	if (ret < 0)
		return ret;
	ret = add_node(path, type, subtype, HEADER + GUID_SIZE + size, &body,
		       err);
	if (ret == 0) {
		memcpy(body, guid, GUID_SIZE);
		if (size)
			memcpy(body + GUID_SIZE, data, size);
	}
	free(data);
	return ret;
}

static int
add_guid_node(struct boot_path *path, const struct words *words,
	      struct error *err)
{
	static const struct {
		const char *name;
		uint8_t type, subtype;
		unsigned int most;
	} forms[] = {
		{ "VenHw", EFIDP_HARDWARE_TYPE, EFIDP_HW_VENDOR, 2 },
		{ "VenMsg", EFIDP_MESSAGE_TYPE, EFIDP_MSG_VENDOR, 2 },
		{ "VenMedia", EFIDP_MEDIA_TYPE, EFIDP_MEDIA_VENDOR, 2 },
		{ "Media", EFIDP_MEDIA_TYPE, EFIDP_MEDIA_PROTOCOL, 1 },
		{ "FvFile", EFIDP_MEDIA_TYPE, EFIDP_MEDIA_FIRMWARE_FILE, 1 },
		{ "FvVol", EFIDP_MEDIA_TYPE, EFIDP_MEDIA_FIRMWARE_VOLUME, 1 },
		{ "Fv", EFIDP_MEDIA_TYPE, EFIDP_MEDIA_FIRMWARE_VOLUME, 1 },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcasecmp(forms[i].name, words->name) == 0 &&
		    words->count >= 1 && words->count <= forms[i].most) {
			int ret = add_guid(path, forms[i].type,
					   forms[i].subtype, words, err);
			return ret < 0 ? ret : 1;
		}
	return 0;
}

/* HD(NUMBER,GPT|MBR,SIGNATURE,START,SIZE) */
static int
add_hd(struct boot_path *path, const struct words *words, struct error *err)
{
	struct boot_partition partition = { .format = EFIDP_HD_FORMAT_GPT,
					    .kind = EFIDP_HD_SIGNATURE_GUID };
	const char *signature;
	uint64_t number;
	int ret;

	if (strcasecmp(words->name, "HD") != 0 || words->count != 5)
		return 0;
	signature = words->arguments[2];
	if (strcasecmp(words->arguments[1], "GPT") == 0) {
		ret = get_guid(signature, partition.signature, err);
	} else if (strcasecmp(words->arguments[1], "MBR") == 0) {
		partition.format = EFIDP_HD_FORMAT_PCAT;
		partition.kind = EFIDP_HD_SIGNATURE_MBR;
		ret = get_number(signature, 4, &number, err);
		if (ret == 0)
			put_le32(partition.signature, (uint32_t)number);
	} else {
		return error_set(err, EINVAL, "'%s' is not GPT or MBR",
				 words->arguments[1]);
	}
	if (ret == 0)
		ret = get_number(words->arguments[0], 4, &number, err);
	if (ret == 0)
		ret = get_number(words->arguments[3], 8, &partition.start, err);
	if (ret == 0)
		ret = get_number(words->arguments[4], 8, &partition.size, err);
	if (ret < 0)
		return ret;
	partition.number = (uint32_t)number;
	ret = boot_path_add_partition(path, &partition, err);
	return ret < 0 ? ret : 1;
}

/* MAC(DIGITS,TYPE) */
static int
add_mac(struct boot_path *path, const struct words *words, struct error *err)
{
	uint8_t *address, *body;
	uint64_t type;
	size_t size;
	int ret;

	if (strcasecmp(words->name, "MAC") != 0 || words->count != 2)
		return 0;
	ret = get_number(words->arguments[1], 1, &type, err);
	if (ret == 0)
		ret = boot_from_hex(words->arguments[0],
				    strlen(words->arguments[0]), &address,
				    &size, err);
	if (ret < 0)
		return ret;
	if (size == 0 || size > 32)
		ret = error_set(err, EINVAL, "'%s' is not a MAC address",
				words->arguments[0]);
	else
		ret = add_node(path, EFIDP_MESSAGE_TYPE, EFIDP_MSG_MAC_ADDR, 37,
			       &body, err);
	if (ret == 0) {
		memcpy(body, address, size);
		body[32] = (uint8_t)type;
	}
	free(address);
	return ret < 0 ? ret : 1;
}

/* NVMe(NAMESPACE,XX-XX-XX-XX-XX-XX-XX-XX) */
static int
add_nvme(struct boot_path *path, const struct words *words, struct error *err)
{
	uint8_t bytes[12], *eui;
	char digits[17] = "";
	uint64_t id;
	size_t size, count = 0;
	int ret;

	if (strcasecmp(words->name, "NVMe") != 0 || words->count != 2)
		return 0;
	for (const char *p = words->arguments[1]; *p && count < 16; p++)
		if (*p != '-')
			digits[count++] = *p;
	if (strlen(words->arguments[1]) != 23 || count != 16)
		return error_set(err, EINVAL, "'%s' is not an EUI-64",
				 words->arguments[1]);
	ret = get_number(words->arguments[0], 4, &id, err);
	if (ret == 0)
		ret = boot_from_hex(digits, count, &eui, &size, err);
	if (ret < 0)
		return ret;
	put_le32(bytes, (uint32_t)id);
	memcpy(bytes + 4, eui, 8);
	free(eui);
	ret = add_bytes(path, EFIDP_MESSAGE_TYPE, EFIDP_MSG_NVME, bytes,
			sizeof(bytes), err);
	return ret < 0 ? ret : 1;
}

static int
get_address(int family, const char *text, uint8_t *to, struct error *err)
{
	if (inet_pton(family, text, to) == 1)
		return 0;
	return error_set(err, EINVAL, "'%s' is not an IP address", text);
}

/*
 * IPv4(REMOTE,PROTOCOL,ORIGIN,LOCAL,GATEWAY,MASK), and IPv6 with the length of
 * the prefix as MASK.  In the node, the length is before the gateway.
 */
static int
add_ip(struct boot_path *path, const struct words *words, struct error *err)
{
	const bool v6 = strcasecmp(words->name, "IPv6") == 0;
	const size_t size = v6 ? 16 : 4;
	const int family = v6 ? AF_INET6 : AF_INET;
	char *const *words_of = words->arguments;
	uint8_t bytes[56] = { 0 }, *tail = bytes + 2 * size;
	uint64_t protocol, origin, length = 0;
	int ret;

	if ((!v6 && strcasecmp(words->name, "IPv4") != 0) || words->count != 6)
		return 0;
	ret = get_address(family, words_of[0], bytes + size, err);
	if (ret == 0)
		ret = get_number(words_of[1], 2, &protocol, err);
	if (ret == 0)
		ret = get_number(words_of[2], 1, &origin, err);
	if (ret == 0)
		ret = get_address(family, words_of[3], bytes, err);
	if (ret == 0)
		ret = get_address(family, words_of[4], tail + (v6 ? 8 : 7),
				  err);
	if (ret == 0)
		ret = v6 ? get_number(words_of[5], 1, &length, err) :
			   get_address(family, words_of[5], tail + 11, err);
	if (ret < 0)
		return ret;
	put_le16(tail + 4, (uint16_t)protocol);
	tail[6] = (uint8_t)origin;
	if (v6)
		tail[7] = (uint8_t)length;
	ret = add_bytes(path, EFIDP_MESSAGE_TYPE,
			v6 ? EFIDP_MSG_IPv6 : EFIDP_MSG_IPv4, bytes,
			v6 ? 56 : 23, err);
	return ret < 0 ? ret : 1;
}

/* Path(TYPE,SUBTYPE[,DIGITS]) */
static int
add_generic(struct boot_path *path, const struct words *words,
	    struct error *err)
{
	uint64_t type, subtype;
	uint8_t *bytes = NULL;
	size_t size = 0;
	int ret;

	if (strcasecmp(words->name, "Path") != 0 || words->count < 2 ||
	    words->count > 3)
		return 0;
	ret = get_number(words->arguments[0], 1, &type, err);
	if (ret == 0)
		ret = get_number(words->arguments[1], 1, &subtype, err);
	if (ret == 0 && type == EFIDP_END_TYPE)
		ret = error_set(err, EINVAL, "an end node within the path");
	if (ret == 0 && words->count == 3)
		ret = boot_from_hex(words->arguments[2],
				    strlen(words->arguments[2]), &bytes, &size,
				    err);
	if (ret == 0)
		ret = add_bytes(path, (uint8_t)type, (uint8_t)subtype, bytes,
				size, err);
	free(bytes);
	return ret < 0 ? ret : 1;
}

/* --- text --- */

/* File(NAME) and Uri(TEXT): what is in the parentheses may have commas. */
static int
add_text(struct boot_path *path, const char *name, const char *text,
	 struct error *err)
{
	int ret;

	if (strcasecmp(name, "File") == 0)
		ret = boot_path_add_file(path, text, err);
	else if (strcasecmp(name, "Uri") == 0)
		ret = add_bytes(path, EFIDP_MESSAGE_TYPE, EFIDP_MSG_URI,
				(const uint8_t *)text, strlen(text), err);
	else
		return 0;
	return ret < 0 ? ret : 1;
}

typedef int add_words(struct boot_path *path, const struct words *words,
		      struct error *err);

static add_words *const adders[] = {
	add_hd,   add_numbers, add_guid_node, add_mac,
	add_nvme, add_ip,      add_generic,
};

/* `node` is changed. */
static int
add_named(struct boot_path *path, const char *whole, char *node,
	  struct error *err)
{
	struct words words = { .name = node };
	char *open = strchr(node, '('), *rest;
	int ret;

	node[strlen(node) - 1] = '\0';
	*open = '\0';
	rest = open + 1;
	ret = add_text(path, node, rest, err);
	while (ret == 0 && rest) {
		if (words.count == ARGUMENTS)
			return not_understood(whole, err);
		words.arguments[words.count++] = strsep(&rest, ",");
	}
	for (size_t i = 0; ret == 0 && i < sizeof(adders) / sizeof(adders[0]);
	     i++)
		ret = adders[i](path, &words, err);
	if (ret == 0)
		return not_understood(whole, err);
	return ret < 0 ? ret : 0;
}

static int
add_node_text(struct boot_path *path, const char *text, size_t len,
	      struct error *err)
{
	char *whole = strndup(text, len), *node = strndup(text, len);
	int ret;

	if (!whole || !node)
		ret = error_set(err, ENOMEM, "out of memory");
	else if (node[0] == '\\')
		ret = boot_path_add_file(path, node, err);
	else if (len > 2 && strchr(node, '(') && node[len - 1] == ')')
		ret = add_named(path, whole, node, err);
	else
		ret = not_understood(whole, err);
	free(whole);
	free(node);
	return ret;
}

/* The length of the text before a slash that is in no parentheses. */
static size_t
node_length(const char *text)
{
	const char *p = text;

	/* A name of a file may have parentheses. */
	if (*p == '\\')
		return strcspn(p, "/");
	for (unsigned int depth = 0; *p && (depth || *p != '/'); p++) {
		if (*p == '(')
			depth++;
		else if (*p == ')' && depth)
			depth--;
	}
	return (size_t)(p - text);
}

static int
parse_digits_only(const char *text, struct boot_path *path, struct error *err)
{
	uint8_t *bytes;
	size_t size;
	int ret = boot_from_hex(text, strlen(text), &bytes, &size, err);

	if (ret < 0)
		return ret;
	if (size > sizeof(path->bytes))
		ret = error_set(err, EINVAL,
				"the device path has more than %u bytes",
				BOOT_PATH_ROOM);
	else
		ret = boot_path_check(bytes, size, err);
	if (ret == 0) {
		memcpy(path->bytes, bytes, size);
		path->size = size;
	}
	free(bytes);
	return ret;
}

int
boot_path_parse(const char *text, struct boot_path *path, struct error *err)
{
	int ret = 0;

	path->size = 0;
	if (text[0] && text[strspn(text, "0123456789abcdefABCDEF")] == '\0')
		return parse_digits_only(text, path, err);
	while (ret == 0) {
		size_t len = node_length(text);

		ret = add_node_text(path, text, len, err);
		text += len;
		if (*text == '\0')
			break;
		text++;
	}
	return ret < 0 ? ret : boot_path_end(path, err);
}
