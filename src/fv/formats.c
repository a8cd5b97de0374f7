/* SPDX-License-Identifier: BSD-2-Clause */
#include "formats.h"

#include <stddef.h>

#define BYTES(bytes) sizeof(bytes) - 1, bytes /* without the NUL behind it */
/* One row of the table; the last arguments are offset and magic number. */
/* clang-format off */
#define IMAGE(name, what, at, bytes) \
	{ name, FORMAT_IMAGE, "a " what " image", name, at, BYTES(bytes) }
#define COMPRESSED(name, bytes) \
	{ name, FORMAT_COMPRESSED, name, name, 0, BYTES(bytes) }
#define ARCHIVE(name, what, how, at, bytes) \
	{ name, FORMAT_ARCHIVE, what, how, at, BYTES(bytes) }
#define OTHER(name, what, at, bytes) \
	{ name, FORMAT_OTHER, what, NULL, at, BYTES(bytes) }
#define VARS_OF(name, what, bytes) \
	{ name, FORMAT_OTHER, what, \
	  "use the VARS file, whose name is that of the " name " without ." \
	  name, 0, BYTES(bytes) }
#define VHD { "vhd", FORMAT_IMAGE, "a VHD image", "vpc", 0, BYTES("conectix") }

#define SIGNATURE_LIST "a list of keys or hashes (an EFI signature list)"
#define SIGNED_UPDATE "a signed update of a variable (.auth)"
#define CAPSULE "a capsule (a firmware update)"
#define BOARD "the firmware of a physical machine (with a flash descriptor)"

const struct format format_vhd = VHD;
const struct format format_bzip2 = COMPRESSED("bzip2", "");
const struct format format_pe =
	OTHER("pe", "a PE program (an EFI application)", 0, "");
const struct format format_text = OTHER("text", "text", 0, "");
const struct format format_json = {
	"json", FORMAT_OTHER, "JSON",
	"variables that virt-firmware has written get into one with "
	"`virt-fw-vars --input OVMF_VARS --set-json FILE --output NEW`",
	0, BYTES(""),
};

/* The first row that fits counts: qcow 1 is before qcow2. */
const struct format formats[] = {
	/* disk images */
	IMAGE("qcow", "qcow", 0, "QFI\xfb\0\0\0\1"),
	IMAGE("qcow2", "qcow2", 0, "QFI\xfb"),
	IMAGE("qed", "QED", 0, "QED\0"),
	IMAGE("vmdk", "VMDK", 0, "KDMV"),
	IMAGE("vmdk", "VMDK", 0, "COWD"),
	IMAGE("vmdk", "VMDK", 0, "# Disk DescriptorFile"),
	IMAGE("vdi", "VDI", 0x40, "\x7f\x10\xda\xbe"),
	VHD,
	IMAGE("vhdx", "VHDX", 0, "vhdxfile"),
	IMAGE("parallels", "Parallels", 0, "WithoutFreeSpace"),
	IMAGE("parallels", "Parallels", 0, "WithouFreSpacExt"),
	/* compressed files and archives */
	COMPRESSED("gzip", "\x1f\x8b\x08"),
	COMPRESSED("xz", "\xfd" "7zXZ\0"),
	COMPRESSED("zstd", "\x28\xb5\x2f\xfd"),
	COMPRESSED("lz4", "\x04\x22\x4d\x18"),
	COMPRESSED("lz4", "\x02\x21\x4c\x18"),
	COMPRESSED("lzip", "LZIP\1"),
	COMPRESSED("lzop", "\x89LZO\0\r\n\x1a\n"),
	COMPRESSED("lzma", "\x5d\0\0"),
	ARCHIVE("zip", "a zip archive", "unzip FILE", 0, "PK\3\4"),
	ARCHIVE("zip", "a zip archive", "unzip FILE", 0, "PK\5\6"),
	ARCHIVE("7z", "a 7z archive", "7z x FILE", 0, "7z\xbc\xaf\x27\x1c"),
	ARCHIVE("tar", "a tar archive", "tar -xf FILE", 257, "ustar"),
	ARCHIVE("cpio", "a cpio archive", "cpio -id <FILE", 0, "07070"),
	ARCHIVE("ar", "an ar archive or a Debian package",
		"dpkg-deb -x FILE DIRECTORY", 0, "!<arch>\n"),
	ARCHIVE("rpm", "an RPM package", "rpm2cpio FILE | cpio -id", 0,
		"\xed\xab\xee\xdb"),
	ARCHIVE("squashfs", "a squashfs file system", "unsquashfs FILE", 0,
		"hsqs"),
	ARCHIVE("iso", "an ISO 9660 file system", "bsdtar -xf FILE", 0x8001,
		"CD001"),
	ARCHIVE("luks", "encrypted with LUKS", "cryptsetup open FILE NAME", 0,
		"LUKS\xba\xbe"),
	/* files of this project */
	VARS_OF("journal", "the journal of a VARS file", "PFLASHJ1"),
	VARS_OF("state", "the chip's saved state", "PFLASHS1"),
	/* the format of a queue, with this text (src/store/pins_file.c) */
	{ "pins", FORMAT_OTHER, "the record of pinned variables",
	  "use the VARS file, whose name is that of the record without .pins, "
	  "or show the record with `pflashctl pins VARS`",
	  36, BYTES("pinned variables") },
	VARS_OF("next", "the queue of changes for the next start", "PFLASHY1"),
	OTHER("handover", "the handover record of a pflashd", 0, "PFLASHHO"),
	OTHER("move-note", "the note of a move, in place of a journal", 0,
	      "PFLASHM1"),
	/* variables and states of other programs */
	OTHER("varstored", "a file of variables of XenServer's varstored", 0,
	      "VARS\1\0\0\0"),
	OTHER("vmware-nvram", "the NVRAM of a VMware guest", 0, "MRVN"),
	OTHER("u-boot-vars", "a file of EFI variables of U-Boot", 8, "UbEfiVa"),
	OTHER("libvirt-save", "a guest that libvirt has saved", 0,
	      "LibvirtQemudSave"),
	OTHER("xl-save", "a guest that xl has saved", 0, "Xen saved domain"),
	/* keys of Secure Boot: X.509, SHA-256, PKCS #7 */
	OTHER("signature-list", SIGNATURE_LIST, 0,
	      "\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a"
	      "\x87\xb5\xab\x15\x5c\x2b\xf0\x72"),
	OTHER("signature-list", SIGNATURE_LIST, 0,
	      "\x26\x16\xc4\xc1\x4c\x50\x92\x40"
	      "\xac\xa9\x41\xf9\x36\x93\x43\x28"),
	OTHER("signed-variable", SIGNED_UPDATE, 24,
	      "\x9d\xd2\xaf\x4a\xdf\x68\xee\x49"
	      "\x8a\xa9\x34\x7d\x37\x56\x65\xa7"),
	OTHER("pem", "a certificate or a key (PEM)", 0, "-----BEGIN "),
	/* firmware of other kinds: capsules of UEFI, and of FMP */
	OTHER("capsule", CAPSULE, 0,
	      "\xbd\x86\x66\x3b\x76\x0d\x30\x40"
	      "\xb7\x0e\xb5\x51\x9e\x2f\xc5\xa0"),
	OTHER("capsule", CAPSULE, 0,
	      "\xed\xd5\xcb\x6d\x2d\xe8\x44\x4c"
	      "\xbd\xa1\x71\x94\x19\x9a\xd9\x2a"),
	OTHER("board-flash", BOARD, 16, "\x5a\xa5\xf0\x0f"),
	OTHER("coreboot", "a coreboot image", 0, "LARCHIVE"),
	OTHER("device-tree", "a device tree or a FIT image", 0,
	      "\xd0\x0d\xfe\xed"),
	/* programs */
	OTHER("elf", "an ELF program", 0, "\177ELF"),
	/* disks and partitions, also as block devices */
	OTHER("gpt", "a disk with a GPT", 512, "EFI PART"),
	OTHER("lvm", "a physical volume of LVM", 512, "LABELONE"),
	OTHER("xfs", "an XFS file system", 0, "XFSB"),
	OTHER("boot-sector", "a disk or a file system with a boot sector", 510,
	      "\x55\xaa"),
	OTHER("ext4", "an ext2, ext3 or ext4 file system", 0x438, "\x53\xef"),
	OTHER("option-rom", "an option ROM of a device", 0, "\x55\xaa"),
	OTHER(NULL, NULL, 0, ""),
};
/* clang-format on */
