/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kinds of files: each one by its contents, at several sizes; files that
 * are not regular; templates and firmware.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "pflash/fv.h"
#include "pflash/identify.h"
#include "pflash/le.h"
#include "pflash/load.h"
#include "support_vars.h"

#define MIB (1u << 20)
#define FV_LENGTH 32
#define BLOCK_MAP 56
#define DIRECTORY_SIZE 64

static struct error err, note;
static char directory[DIRECTORY_SIZE];
static char path[DIRECTORY_SIZE + 8];

static void
setup(void)
{
	strcpy(directory, "/tmp/test_identify.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	sprintf(path, "%s/file", directory);
}

static void
teardown(void)
{
	(void)unlink(path);
	(void)rmdir(path);
	ck_assert_int_eq(rmdir(directory), 0);
}

static void
write_file(const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

/* An image of `size` bytes that has no known kind. */
static uint8_t *
make_unknown(size_t size)
{
	uint8_t *image = malloc(size);

	ck_assert_ptr_nonnull(image);
	memset(image, 0x01, size);
	return image;
}

static enum identity_kind
kind_of(const uint8_t *image, size_t size)
{
	struct identity identity;

	identify_image(image, size, &identity);
	ck_assert_uint_eq(identity.size, size);
	return identity.kind;
}

/* Identifies an image, and has the sentence in `err`. */
static void
is_kind(const uint8_t *image, size_t size, enum identity_kind kind,
	const char *sentence)
{
	struct identity identity;

	identify_image(image, size, &identity);
	ck_assert_int_eq(identity.kind, kind);
	ck_assert(identity_is_known(&identity));
	identity_text(&identity, IDENTITY_AS_VARS, &err);
	ck_assert_msg(strstr(err.text, sentence) != NULL, "%s", err.text);
}

static const struct magic {
	size_t offset;
	const char *bytes;
	size_t len;
	const char *name;
	const char *command; /* a part of the sentence */
} magics[] = {
	{ 0, "QFI\xfb\0\0\0\2", 4, "qcow2",
	  "qemu-img convert -f qcow2 -O raw" },
	{ 0, "QFI\xfb\0\0\0\1", 8, "qcow", "qemu-img convert -f qcow -O raw" },
	{ 0, "QED\0", 4, "qed", "-f qed -O raw" },
	{ 0, "KDMV", 4, "vmdk", "qemu-img convert -f vmdk -O raw" },
	{ 0, "COWD", 4, "vmdk", "qemu-img convert -f vmdk -O raw" },
	{ 0x40, "\x7f\x10\xda\xbe", 4, "vdi", "-f vdi -O raw" },
	{ 0, "conectix", 8, "vhd", "-f vpc -O raw" },
	{ 0, "vhdxfile", 8, "vhdx", "-f vhdx -O raw" },
	{ 0, "WithoutFreeSpace", 16, "parallels", "-f parallels -O raw" },
	{ 0, "WithouFreSpacExt", 16, "parallels", "-f parallels -O raw" },
	{ 0, "\x1f\x8b\x08", 3, "gzip", "`gzip -dc FILE >NEW`" },
	{ 0, "\xfd\x37zXZ\0", 6, "xz", "`xz -dc FILE >NEW`" },
	{ 0, "BZh91AY&SY", 10, "bzip2", "`bzip2 -dc FILE >NEW`" },
	{ 0, "\x28\xb5\x2f\xfd", 4, "zstd", "`zstd -dc FILE >NEW`" },
	{ 0, "\x04\x22\x4d\x18", 4, "lz4", "`lz4 -dc FILE >NEW`" },
	{ 0, "\x02\x21\x4c\x18", 4, "lz4", "`lz4 -dc FILE >NEW`" },
	{ 0, "LZIP\1", 5, "lzip", "`lzip -dc FILE >NEW`" },
	{ 0, "\x89LZO\0\r\n\x1a\n", 9, "lzop", "`lzop -dc FILE >NEW`" },
	{ 0, "\x5d\0\0", 3, "lzma", "`lzma -dc FILE >NEW`" },
	{ 0, "PK\3\4", 4, "zip", "`unzip FILE`" },
	{ 0, "7z\xbc\xaf\x27\x1c", 6, "7z", "`7z x FILE`" },
	{ 257, "ustar", 5, "tar", "`tar -xf FILE`" },
	{ 0, "07070", 5, "cpio", "`cpio -id <FILE`" },
	{ 0, "!<arch>\n", 8, "ar", "`dpkg-deb -x FILE" },
	{ 0, "\xed\xab\xee\xdb", 4, "rpm", "`rpm2cpio FILE" },
	{ 0, "hsqs", 4, "squashfs", "`unsquashfs FILE`" },
	{ 0x8001, "CD001", 5, "iso", "`bsdtar -xf FILE`" },
	{ 0, "LUKS\xba\xbe", 6, "luks", "`cryptsetup open FILE NAME`" },
	{ 0, "\177ELF", 4, "elf", "`pflashctl create --layout 2m|4m NEW`" },
	{ 0, "PFLASHJ1", 8, "journal", "without .journal" },
	{ 0, "PFLASHS1", 8, "state", "without .state" },
	{ 36, "pinned variables", 16, "pins", "`pflashctl pins VARS`" },
	{ 0, "PFLASHY1", 8, "next", "without .next" },
	{ 0, "PFLASHHO", 8, "handover", "handover record of a pflashd" },
	{ 0, "VARS\1\0\0\0", 8, "varstored", "XenServer's varstored" },
	{ 0, "MRVN", 4, "vmware-nvram", "of a VMware guest" },
	{ 8, "UbEfiVa", 7, "u-boot-vars", "of U-Boot" },
	{ 0, "LibvirtQemudSave", 16, "libvirt-save", "libvirt has saved" },
	{ 0, "Xen saved domain", 16, "xl-save", "xl has saved" },
	{ 0, "-----BEGIN ", 11, "pem", "(PEM)" },
	{ 0, "LARCHIVE", 8, "coreboot", "coreboot" },
	{ 16, "\x5a\xa5\xf0\x0f", 4, "board-flash", "flash descriptor" },
	{ 0, "\xd0\x0d\xfe\xed", 4, "device-tree", "device tree" },
	{ 512, "EFI PART", 8, "gpt", "GPT" },
	{ 512, "LABELONE", 8, "lvm", "LVM" },
	{ 0, "XFSB", 4, "xfs", "XFS" },
	{ 510, "\x55\xaa", 2, "boot-sector", "boot sector" },
	{ 0x438, "\x53\xef", 2, "ext4", "ext4" },
	{ 0, "\x55\xaa", 2, "option-rom", "option ROM" },
};

#define MAGICS (int)(sizeof(magics) / sizeof(magics[0]))

static void
is_format(const uint8_t *image, size_t size, const char *name,
	  const char *sentence)
{
	struct identity identity;

	is_kind(image, size, IDENTITY_FORMAT, sentence);
	identify_image(image, size, &identity);
	ck_assert_str_eq(identity_name(&identity), name);
	ck_assert(identity_is_foreign(&identity));
}

static bool
has_format(const uint8_t *image, size_t size, const char *name)
{
	struct identity identity;

	identify_image(image, size, &identity);
	return strcmp(identity_name(&identity), name) == 0;
}

START_TEST(formats)
{
	static const size_t sizes[] = { 40000, 131072, 540672, 17 * MIB };
	const struct magic *m = &magics[_i];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *image = make_unknown(sizes[i]);

		ck_assert_int_eq(kind_of(image, sizes[i]), IDENTITY_UNKNOWN);
		memcpy(image + m->offset, m->bytes, m->len);
		is_format(image, sizes[i], m->name, m->command);
		/* Each byte of the magic number counts. */
		for (size_t at = 0; at < m->len; at++) {
			image[m->offset + at] ^= 0x80;
			ck_assert(!has_format(image, sizes[i], m->name));
			image[m->offset + at] ^= 0x80;
		}
		/* It counts only where it is complete. */
		ck_assert(!has_format(image, m->offset + m->len - 1, m->name));
		free(image);
	}
}
END_TEST

/* The advice is about the role that the file was given. */
START_TEST(roles)
{
	static const struct {
		enum identity_kind kind;
		const char *vars, *firmware;
	} kinds[] = {
		{ IDENTITY_EMPTY, "pflashctl create", "OVMF_CODE" },
		{ IDENTITY_ZEROS, "pflashctl rollback", "OVMF_CODE" },
		{ IDENTITY_ONES, "pflashctl rollback", "OVMF_CODE" },
		{ IDENTITY_CUT, "pflashctl create", "OVMF_CODE" },
		{ IDENTITY_TRAILING, "cut the file", "OVMF_CODE" },
		{ IDENTITY_OTHER_BLOCKS, "OVMF_VARS", "OVMF_CODE" },
		{ IDENTITY_UNKNOWN, "OVMF_VARS", "OVMF_CODE" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct identity identity = { .kind = kinds[i].kind };

		identity_text(&identity, IDENTITY_AS_VARS, &err);
		ck_assert_ptr_nonnull(strstr(err.text, kinds[i].vars));
		ck_assert_ptr_null(strstr(err.text, "OVMF_CODE"));
		identity_text(&identity, IDENTITY_AS_FIRMWARE, &err);
		ck_assert_ptr_nonnull(strstr(err.text, kinds[i].firmware));
		ck_assert_ptr_null(strstr(err.text, "OVMF_VARS"));
		ck_assert_ptr_null(strstr(err.text, "pflashctl"));
	}
}
END_TEST

START_TEST(every_kind_has_a_name_and_a_sentence)
{
	for (int kind = 0; kind < IDENTITY_FORMAT; kind++) {
		const struct identity identity = {
			.kind = (enum identity_kind)kind,
			.size = UINT64_MAX,
			.volume = UINT64_MAX,
			.block = UINT32_MAX,
		};

		ck_assert_ptr_nonnull(identity_name(&identity));
		identity_text(&identity, IDENTITY_AS_VARS, &err);
		ck_assert_uint_gt(strlen(err.text), 10);
		ck_assert_uint_lt(strlen(err.text), sizeof(err.text) - 100);
		ck_assert_ptr_null(strchr(err.text, '$'));
	}
}
END_TEST

START_TEST(fixed_vhd)
{
	struct vars vars = vars_make("2m");
	size_t size = vars.size + 512;
	uint8_t *image = malloc(size);

	ck_assert_ptr_nonnull(image);
	memcpy(image, vars.image, vars.size);
	memset(image + vars.size, 0, 512);
	memcpy(image + vars.size, "conectix", 8);
	is_format(image, size, "vhd", "-f vpc");
	/* A guest may write the same bytes into its own flash. */
	memcpy(vars.image + vars.size - 512, "conectix", 8);
	ck_assert_int_eq(kind_of(vars.image, vars.size), IDENTITY_VARS);
	free(image);
	vars_free(&vars);
}
END_TEST

START_TEST(programs_and_text)
{
	uint8_t *image = make_unknown(65536);
	static const char json[] = " \n{ \"version\": 2, \"variables\": [] }\n";
	static const char page[] = "<!DOCTYPE html>\n";

	memcpy(image, "MZ", 2);
	put_le32(image + 0x3c, 128);
	ck_assert_int_eq(kind_of(image, 65536), IDENTITY_UNKNOWN);
	memcpy(image + 128, "PE\0", 4);
	is_format(image, 65536, "pe", "EFI application");
	put_le32(image + 0x3c, UINT32_MAX);
	ck_assert_int_eq(kind_of(image, 65536), IDENTITY_UNKNOWN);
	is_format((const uint8_t *)json, sizeof(json) - 1, "json",
		  "virt-fw-vars");
	is_format((const uint8_t *)page, sizeof(page) - 1, "text", "text");
	/* With its NUL byte it is no text. */
	ck_assert_int_eq(kind_of((const uint8_t *)page, sizeof(page)),
			 IDENTITY_UNKNOWN);
	free(image);
}
END_TEST

START_TEST(text_in_utf8)
{
	static const struct {
		const char *bytes;
		const char *name;
	} texts[] = {
		{ "\xef\xbb\xbf {\"a\": 1}", "json" },
		{ "gr\xc3\xbc\xc3\x9f", "text" },
		{ "\xf0\x9f\x98\x80\xe2\x82\xac\n", "text" },
		{ "the end of the head cuts a character: \xe2\x82", "text" },
		{ "gr\xfc\xdf in Latin 1", "unknown" },
		{ "\xc0\xaf", "unknown" },
		{ "\xe2(a", "unknown" },
		{ "\xf5\x80\x80\x80", "unknown" },
		{ "\x80", "unknown" },
		{ "a\x7f", "unknown" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(has_format((const uint8_t *)texts[i].bytes,
					 strlen(texts[i].bytes), texts[i].name),
			      "%zu", i);
}
END_TEST

START_TEST(flashes_without_contents)
{
	static const size_t sizes[] = { 1, 4095, 4096, 5000, 540672, 65 * MIB };

	is_kind(NULL, 0, IDENTITY_EMPTY, "is empty");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *image = calloc(1, sizes[i]);

		is_kind(image, sizes[i], IDENTITY_ZEROS, "but zeros");
		memset(image, 0xff, sizes[i]);
		is_kind(image, sizes[i], IDENTITY_ONES, "but 0xff");
		image[sizes[i] - 1] = 0x01;
		ck_assert_int_eq(kind_of(image, sizes[i]), IDENTITY_UNKNOWN);
		free(image);
	}
}
END_TEST

static const char *const layouts[] = { "2m", "4m" };

/* The image with `value` behind it, up to `size` bytes. */
static uint8_t *
padded(const struct vars *vars, size_t size, uint8_t value)
{
	uint8_t *image = malloc(size);

	ck_assert_ptr_nonnull(image);
	memset(image, value, size);
	memcpy(image, vars->image, vars->size < size ? vars->size : size);
	return image;
}

START_TEST(padding)
{
	static const size_t sizes[] = { 1 * MIB, 2 * MIB, 4 * MIB, 64 * MIB,
					4 * MIB + 1 };
	struct vars vars = vars_make(layouts[_i]);
	struct identity identity;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *image = padded(&vars, sizes[i], 0x00);

		is_kind(image, sizes[i], IDENTITY_PADDED_ZEROS, "with zeros");
		identify_image(image, sizes[i], &identity);
		ck_assert(identity_has_vars(&identity));
		ck_assert_uint_eq(identity.volume, vars.size);
		image[sizes[i] - 1] = 0x01;
		is_kind(image, sizes[i], IDENTITY_TRAILING, "ends at offset");
		identify_image(image, sizes[i], &identity);
		ck_assert(!identity_has_vars(&identity));
		free(image);
		image = padded(&vars, sizes[i], 0xff);
		is_kind(image, sizes[i], IDENTITY_PADDED_ONES, "with 0xff");
		free(image);
	}
	vars_free(&vars);
}
END_TEST

/* fv_check() and the kind agree about a good image and a cut one. */
START_TEST(good_and_cut)
{
	struct vars vars = vars_make(layouts[_i]);
	struct fv_report report;

	ck_assert(fv_check(vars.image, vars.size, &report));
	ck_assert_int_eq(kind_of(vars.image, vars.size), IDENTITY_VARS);
	for (size_t size = 4096; size < vars.size; size += 4096) {
		is_kind(vars.image, size, IDENTITY_CUT, "is cut off: it has");
		ck_assert(!fv_check(vars.image, size, &report));
	}
	vars_free(&vars);
}
END_TEST

/* A padded image of a firmware's size is not called a whole image. */
START_TEST(padding_is_no_code)
{
	struct vars vars = vars_make("4m");
	struct fv_report report;
	uint8_t *image = padded(&vars, 4 * MIB, 0x00);

	ck_assert(!fv_check(image, 4 * MIB, &report));
	ck_assert_int_eq(report.findings[0].code, FV_TRAILING);
	image[vars.size] = 0x5a;
	ck_assert(!fv_check(image, 4 * MIB, &report));
	ck_assert_int_eq(report.findings[0].code, FV_WHOLE_IMAGE);
	free(image);
	vars_free(&vars);
}
END_TEST

/* EFI_FIRMWARE_FILE_SYSTEM2_GUID, and the signature. */
static void
put_code_header(uint8_t *p, uint64_t length)
{
	static const uint8_t guid[] = { 0x78, 0xe5, 0x8c, 0x8c, 0x3d, 0x8a,
					0x1c, 0x4f, 0x99, 0x35, 0x89, 0x61,
					0x85, 0xc3, 0x2d, 0xd3 };
	uint16_t sum = 0;

	memset(p, 0, 72);
	memcpy(p + 16, guid, sizeof(guid));
	put_le64(p + FV_LENGTH, length);
	memcpy(p + 40, "_FVH", 4);
	put_le16(p + 48, 72);
	p[55] = 2;
	for (int i = 0; i < 72; i += 2)
		sum = (uint16_t)(sum + get_le16(p + i));
	put_le16(p + 50, (uint16_t)-sum);
}

START_TEST(firmware)
{
	struct vars vars = vars_make("4m");
	uint8_t *image = padded(&vars, 4 * MIB, 0x5a);
	uint8_t *code = image + vars.size;
	size_t size = 4 * MIB - vars.size;
	struct identity identity;

	put_code_header(code, size);
	is_kind(code, size, IDENTITY_FIRMWARE, "firmware code");
	is_kind(image, 4 * MIB, IDENTITY_WHOLE, "whole firmware image");
	identify_image(image, 4 * MIB, &identity);
	ck_assert(identity_has_vars(&identity));
	/* QEMU's machine for Arm has a reset vector before its volume. */
	memset(image, 0x5a, 4096);
	put_code_header(image + 4096, MIB);
	is_kind(image, 64 * 1024, IDENTITY_FIRMWARE, "firmware code");
	/* OvmfXen begins with an ELF header. */
	memset(image, 0x5a, 8192);
	memcpy(image, "\177ELF", 4);
	is_kind(image, 4 * MIB, IDENTITY_FIRMWARE, "firmware code");
	is_format(image, 4 * MIB - 1, "elf", "ELF");
	free(image);
	vars_free(&vars);
}
END_TEST

/* The stores of other machines: Arm and RISC-V 256 KiB, LoongArch 128 KiB. */
START_TEST(other_blocks)
{
	static const uint32_t blocks[] = { 0x40000, 0x20000 };
	static const char *const texts[] = { "0x40000 bytes", "0x20000 bytes" };
	struct vars vars = vars_make_other(192, 0x20000);
	struct fv_report report;

	ck_assert_uint_eq(vars.size, 3 * 0x40000);
	put_le32(vars.image + BLOCK_MAP, (uint32_t)vars.size / blocks[_i]);
	put_le32(vars.image + BLOCK_MAP + 4, blocks[_i]);
	vars_fix_sum(&vars, 0);
	is_kind(vars.image, vars.size, IDENTITY_OTHER_BLOCKS, texts[_i]);
	/* The block map describes the volume: only the size is wrong. */
	ck_assert(!fv_check(vars.image, vars.size, &report));
	ck_assert_uint_eq(report.errors, 1);
	ck_assert_int_eq(report.findings[0].code, FV_OTHER_BLOCK_SIZE);
	put_le32(vars.image + BLOCK_MAP, 2);
	vars_fix_sum(&vars, 0);
	ck_assert(!fv_check(vars.image, vars.size, &report));
	ck_assert_int_eq(report.findings[1].code, FV_BLOCK_MAP);
	ck_assert_uint_eq(report.findings[1].found, 2 * blocks[_i]);
	vars_free(&vars);
}
END_TEST

/* Other sizes of blocks are damage of the header. */
START_TEST(damaged_block_map)
{
	struct vars vars = vars_make("2m");

	put_le32(vars.image + BLOCK_MAP + 4, 0x2000);
	vars_fix_sum(&vars, 0);
	ck_assert_int_eq(kind_of(vars.image, vars.size), IDENTITY_VARS);
	vars_free(&vars);
}
END_TEST

/* --- files --- */

static int
read_none(void *opaque, uint64_t off, uint8_t *to, size_t len)
{
	(void)opaque, (void)off, (void)to, (void)len;
	return -EIO;
}

START_TEST(unreadable)
{
	struct identity identity;

	identify(read_none, NULL, 4096, &identity);
	ck_assert_int_eq(identity.kind, IDENTITY_UNKNOWN);
	ck_assert(!identity_is_known(&identity));
}
END_TEST

static void
refuses_path(int code, const char *sentence)
{
	struct stat st;
	uint8_t *data;
	size_t size, sec;

	ck_assert_int_eq(identify_open(path, &st, &err), -code);
	ck_assert_msg(strstr(err.text, sentence) != NULL, "%s", err.text);
	ck_assert_int_eq(load_file(path, MIB, &data, &size, &err), -code);
	ck_assert_ptr_nonnull(strstr(err.text, sentence));
	ck_assert_int_eq(identify_template(path, &data, &size, &note, &err),
			 -code);
	ck_assert_ptr_nonnull(strstr(err.text, sentence));
	ck_assert_ptr_null(data);
	ck_assert_int_eq(identify_firmware(path, &data, &size, &sec, &err),
			 -code);
	ck_assert_ptr_nonnull(strstr(err.text, sentence));
	ck_assert_ptr_null(data);
	/* There is no file to look at behind a dangling link. */
	ck_assert_int_eq(identify_path(path, true, &err), code != ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, sentence));
}

START_TEST(types)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	refuses_path(EINVAL, "a FIFO, neither a regular file nor");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	refuses_path(EISDIR, "a directory, neither a regular file nor");
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(symlink("nowhere", path), 0);
	refuses_path(ENOENT, "is a symbolic link to 'nowhere', which leads");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/dev/zero", path), 0);
	refuses_path(EINVAL, "a character device, neither");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_ge(fd, 0);
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	refuses_path(EINVAL, "a socket, neither a regular file nor");
	close(fd);
	/* There is nothing to say about a file that does not exist. */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(identify_path(path, false, &err), 0);
}
END_TEST

/* EROFS counts as such an error only for a block device. */
START_TEST(device_of_another_host)
{
	ck_assert_int_eq(identify_open_error(EMEDIUMTYPE, path, &err),
			 -EMEDIUMTYPE);
	ck_assert_ptr_nonnull(strstr(err.text, "drbdadm primary"));
	ck_assert_ptr_nonnull(strstr(err.text, path));
	write_file("x", 1);
	ck_assert_int_eq(identify_open_error(EROFS, path, &err), -EROFS);
	ck_assert_ptr_null(strstr(err.text, "drbdadm"));
}
END_TEST

START_TEST(templates)
{
	struct vars vars = vars_make(layouts[_i]);
	uint8_t *image = padded(&vars, 17 * MIB, 0x00), *data;
	size_t size;

	write_file(vars.image, vars.size);
	ck_assert_int_eq(identify_template(path, &data, &size, &note, &err), 0);
	ck_assert_mem_eq(data, vars.image, vars.size);
	ck_assert_uint_eq(size, vars.size);
	free(data);
	/* A padded image may be larger than a flash. */
	write_file(image, 17 * MIB);
	ck_assert_int_eq(identify_template(path, &data, &size, &note, &err), 1);
	ck_assert_uint_eq(size, vars.size);
	ck_assert_mem_eq(data, vars.image, vars.size);
	ck_assert_ptr_nonnull(strstr(note.text, "0x1100000 bytes (padded)"));
	free(data);
	/* Unknown bytes behind the volume may be useful: refused. */
	image[17 * MIB - 1] = 1;
	write_file(image, 17 * MIB);
	ck_assert_int_eq(identify_template(path, &data, &size, &note, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "its volume ends at offset"));
	ck_assert_ptr_null(data);
	/* No kind is known: the limit is named. */
	memset(image, 1, 4096);
	write_file(image, 17 * MIB);
	ck_assert_int_eq(identify_template(path, &data, &size, &note, &err),
			 -EFBIG);
	ck_assert_ptr_nonnull(strstr(err.text, "at most 16777216 bytes"));
	free(image);
	vars_free(&vars);
}
END_TEST

/* A volume of no layout's size is not taken out of a padded file. */
START_TEST(padding_of_an_unknown_layout)
{
	struct vars vars = vars_make_other(16, 0x8000);
	uint8_t *image = padded(&vars, MIB, 0xff), *data;
	size_t size;

	is_kind(image, MIB, IDENTITY_PADDED_ONES, "with 0xff");
	write_file(image, MIB);
	ck_assert_int_eq(identify_template(path, &data, &size, &note, &err),
			 -EINVAL);
	ck_assert_ptr_null(data);
	free(image);
	vars_free(&vars);
}
END_TEST

START_TEST(code)
{
	struct vars vars = vars_make("2m");
	uint8_t *image = make_unknown(64 * 1024), *data;
	size_t size, sec;

	put_code_header(image + 32 * 1024, 32 * 1024);
	write_file(image, 64 * 1024);
	ck_assert_int_eq(identify_firmware(path, &data, &size, &sec, &err), 0);
	ck_assert_uint_eq(size, 64 * 1024);
	ck_assert_uint_eq(sec, 32 * 1024);
	free(data);
	write_file(image, 64 * 1024 - 1);
	ck_assert_int_eq(identify_firmware(path, &data, &size, &sec, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "expected a multiple of 4096"));
	free(data);
	write_file(image, 32 * 1024);
	ck_assert_int_eq(identify_firmware(path, &data, &size, &sec, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "no firmware volume"));
	free(data);
	memcpy(image, "QFI\xfb", 4);
	write_file(image, 32 * 1024);
	ck_assert_int_eq(identify_firmware(path, &data, &size, &sec, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "is a qcow2 image"));
	free(data);
	write_file(vars.image, vars.size);
	ck_assert_int_eq(identify_firmware(path, &data, &size, &sec, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "is a VARS image, without"));
	free(data);
	memset(image, 0, 64 * 1024);
	write_file(image, 64 * 1024);
	ck_assert_int_eq(identify_firmware(path, &data, &size, &sec, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "nothing but zeros: use the "
					       "OVMF_CODE file"));
	free(data);
	free(image);
	vars_free(&vars);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("identify");
	TCase *tc = tcase_create("identify");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, formats, 0, MAGICS);
	tcase_add_test(tc, roles);
	tcase_add_test(tc, text_in_utf8);
	tcase_add_test(tc, every_kind_has_a_name_and_a_sentence);
	tcase_add_test(tc, fixed_vhd);
	tcase_add_test(tc, programs_and_text);
	tcase_add_test(tc, flashes_without_contents);
	tcase_add_loop_test(tc, padding, 0, 2);
	tcase_add_loop_test(tc, good_and_cut, 0, 2);
	tcase_add_test(tc, padding_is_no_code);
	tcase_add_test(tc, firmware);
	tcase_add_loop_test(tc, other_blocks, 0, 2);
	tcase_add_test(tc, damaged_block_map);
	tcase_add_test(tc, unreadable);
	tcase_add_test(tc, types);
	tcase_add_loop_test(tc, templates, 0, 2);
	tcase_add_test(tc, padding_of_an_unknown_layout);
	tcase_add_test(tc, code);
	tcase_add_test(tc, device_of_another_host);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
