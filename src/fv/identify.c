/* SPDX-License-Identifier: BSD-2-Clause */
/* The kind of a file by its contents, and the sentence about it. */
#include "pflash/identify.h"

#include <ctype.h>
#include <string.h>

#include "build.h"
#include "guid.h"
#include "header.h"
#include "sentence.h"

#include "pflash/fv.h"
#include "pflash/le.h"

#define HEAD 4096u /* bytes at the start that have every magic number */
#define SCAN_MOST (UINT64_C(256) << 20)
#define VHD_FOOTER 512u
#define PE_OFFSET 0x3cu
#define ARM_CODE 0x1000u /* ArmVirtQemu.fdf: behind the reset vector */

struct contents {
	identity_read *read;
	void *opaque;
	uint64_t size;
	uint8_t head[HEAD];
	size_t len; /* of the head */
};

/* EFI_FIRMWARE_FILE_SYSTEM2_GUID and 3 (PI specification vol. 3, 3.2.2). */
static const uint8_t guid_ffs2[GUID_SIZE] = { 0x78, 0xe5, 0x8c, 0x8c,
					      0x3d, 0x8a, 0x1c, 0x4f,
					      0x99, 0x35, 0x89, 0x61,
					      0x85, 0xc3, 0x2d, 0xd3 };
static const uint8_t guid_ffs3[GUID_SIZE] = { 0x7a, 0xc0, 0x73, 0x54,
					      0xcb, 0x3d, 0xca, 0x4d,
					      0xbd, 0x6f, 0x1e, 0x96,
					      0x89, 0xe7, 0x34, 0x9a };

#define MAGIC(kind, offset, bytes)                                             \
	{                                                                      \
		kind, offset, sizeof(bytes) - 1, bytes                         \
	}

static const struct magic {
	enum identity_kind kind;
	uint16_t offset;
	uint8_t len;
	const char *bytes;
} magics[] = {
	MAGIC(IDENTITY_QCOW2, 0, "QFI\xfb"),
	MAGIC(IDENTITY_VMDK, 0, "KDMV"),
	MAGIC(IDENTITY_VMDK, 0, "COWD"),
	MAGIC(IDENTITY_VMDK, 0, "# Disk DescriptorFile"),
	MAGIC(IDENTITY_VDI, 0x40, "\x7f\x10\xda\xbe"),
	MAGIC(IDENTITY_VHD, 0, "conectix"),
	MAGIC(IDENTITY_VHDX, 0, "vhdxfile"),
	MAGIC(IDENTITY_GZIP, 0, "\x1f\x8b\x08"),
	MAGIC(IDENTITY_XZ, 0,
	      "\xfd"
	      "7zXZ\0"),
	MAGIC(IDENTITY_ZSTD, 0, "\x28\xb5\x2f\xfd"),
	MAGIC(IDENTITY_LZ4, 0, "\x04\x22\x4d\x18"),
	MAGIC(IDENTITY_ZIP, 0, "PK\x03\x04"),
	MAGIC(IDENTITY_ZIP, 0, "PK\x05\x06"),
	MAGIC(IDENTITY_7Z, 0, "7z\xbc\xaf\x27\x1c"),
	MAGIC(IDENTITY_TAR, 257, "ustar"),
	MAGIC(IDENTITY_AR, 0, "!<arch>\n"),
	MAGIC(IDENTITY_RPM, 0, "\xed\xab\xee\xdb"),
	MAGIC(IDENTITY_ELF, 0, "\177ELF"),
	MAGIC(IDENTITY_JOURNAL, 0, "PFLASHJ1"),
	MAGIC(IDENTITY_STATE, 0, "PFLASHS1"),
};

/* "BZh", a digit for the size of a block, and the magic of the first block. */
static bool
is_bzip2(const struct contents *c)
{
	return c->len >= 10 && !memcmp(c->head, "BZh", 3) &&
	       c->head[3] >= '1' && c->head[3] <= '9' &&
	       !memcmp(c->head + 4, "1AY&SY", 6);
}

static enum identity_kind
by_magic(const struct contents *c)
{
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		const struct magic *m = &magics[i];

		if (c->len >= (size_t)m->offset + m->len &&
		    !memcmp(c->head + m->offset, m->bytes, m->len))
			return m->kind;
	}
	return is_bzip2(c) ? IDENTITY_BZIP2 : IDENTITY_UNKNOWN;
}

static size_t
read_at(const struct contents *c, uint64_t off, uint8_t *to, size_t len)
{
	int n = c->read(c->opaque, off, to, len);

	return n < 0 ? 0 : (size_t)n;
}

/* An MS-DOS program that has the signature of PE where its header says. */
static bool
is_pe(const struct contents *c)
{
	uint32_t off;

	if (c->len < PE_OFFSET + 4 || memcmp(c->head, "MZ", 2))
		return false;
	off = get_le32(c->head + PE_OFFSET);
	return off + UINT64_C(4) <= c->len && !memcmp(c->head + off, "PE\0", 4);
}

/* A fixed VHD is a raw image, and a footer behind it. */
static bool
is_fixed_vhd(const struct contents *c)
{
	uint8_t footer[8];

	return c->size > VHD_FOOTER &&
	       read_at(c, c->size - VHD_FOOTER, footer, sizeof(footer)) ==
		       sizeof(footer) &&
	       !memcmp(footer, "conectix", sizeof(footer));
}

/* The head is ASCII text. */
static enum identity_kind
text_kind(const struct contents *c)
{
	size_t i = 0;

	while (i < c->len && c->head[i] < 0x80 &&
	       (isprint(c->head[i]) || isspace(c->head[i])))
		i++;
	if (i < c->len)
		return IDENTITY_UNKNOWN;
	for (i = 0; i < c->len && isspace(c->head[i]);)
		i++;
	return i < c->len && (c->head[i] == '{' || c->head[i] == '[') ?
		       IDENTITY_JSON :
		       IDENTITY_TEXT;
}

/* A volume header of this file system, FVH_MIN_LENGTH bytes. */
static bool
has_file_system(const uint8_t *header, const uint8_t *guid)
{
	return fv_has_signature(header) &&
	       !memcmp(header + FVH_FILE_SYSTEM_GUID, guid, GUID_SIZE);
}

static bool
is_code_at(const struct contents *c, uint64_t off)
{
	uint8_t header[FVH_MIN_LENGTH];

	return read_at(c, off, header, sizeof(header)) == sizeof(header) &&
	       (has_file_system(header, guid_ffs2) ||
		has_file_system(header, guid_ffs3));
}

/* True if each byte from `off` on is `value`. */
static bool
is_filled(const struct contents *c, uint64_t off, uint8_t value)
{
	uint8_t bytes[HEAD];

	if (c->size - off > SCAN_MOST)
		return false;
	while (off < c->size) {
		size_t want = c->size - off < sizeof(bytes) ?
				      (size_t)(c->size - off) :
				      sizeof(bytes);

		if (read_at(c, off, bytes, want) != want || bytes[0] != value ||
		    memcmp(bytes, bytes + 1, want - 1))
			return false;
		off += want;
	}
	return true;
}

/* The flashes of QEMU's machines for Arm, RISC-V and LoongArch. */
static bool
is_other_block(uint32_t block)
{
	return block == 0x40000 || block == 0x20000;
}

/* The file begins with a volume of variables. */
static enum identity_kind
vars_kind(const struct contents *c, struct identity *identity)
{
	identity->volume = get_le64(c->head + FVH_FV_LENGTH);
	identity->block = get_le32(c->head + FVH_BLOCK_MAP + 4);
	if (is_other_block(identity->block))
		return IDENTITY_OTHER_BLOCKS;
	if (identity->volume > c->size)
		return IDENTITY_CUT;
	if (identity->volume == c->size)
		return IDENTITY_VARS;
	if (identity->volume < FVH_MIN_LENGTH)
		return IDENTITY_UNKNOWN;
	if (is_filled(c, identity->volume, 0x00))
		return IDENTITY_PADDED_ZEROS;
	if (is_filled(c, identity->volume, 0xff))
		return IDENTITY_PADDED_ONES;
	return is_code_at(c, identity->volume) ? IDENTITY_WHOLE :
						 IDENTITY_TRAILING;
}

/* OvmfXen's whole image begins with an ELF header (OvmfXen.fdf). */
static enum identity_kind
other_kind(const struct contents *c)
{
	enum identity_kind kind = by_magic(c);

	if (is_code_at(c, 0) || is_code_at(c, ARM_CODE) ||
	    (kind == IDENTITY_ELF && c->size <= SIZE_MAX &&
	     build_is_firmware_size((size_t)c->size)))
		return IDENTITY_FIRMWARE;
	if (kind != IDENTITY_UNKNOWN)
		return kind;
	if (is_pe(c))
		return IDENTITY_PE;
	if (is_filled(c, 0, 0x00))
		return IDENTITY_ZEROS;
	if (is_filled(c, 0, 0xff))
		return IDENTITY_ONES;
	return text_kind(c);
}

void
identify(identity_read *read, void *opaque, uint64_t size,
	 struct identity *identity)
{
	struct contents c = { .read = read, .opaque = opaque, .size = size };

	*identity = (struct identity){ .kind = IDENTITY_EMPTY, .size = size };
	if (!size)
		return;
	c.len = read_at(&c, 0, c.head, size < HEAD ? (size_t)size : HEAD);
	if (!c.len)
		identity->kind = IDENTITY_UNKNOWN;
	else if (c.len >= FVH_MIN_LENGTH &&
		 has_file_system(c.head, guid_nv_data))
		identity->kind = vars_kind(&c, identity);
	else
		identity->kind = other_kind(&c);
	/* In a VARS file of the right length, the guest chose these bytes. */
	if (identity->kind != IDENTITY_VARS && is_fixed_vhd(&c))
		identity->kind = IDENTITY_VHD;
}

struct image {
	const uint8_t *bytes;
	size_t size;
};

static int
read_image(void *opaque, uint64_t off, uint8_t *to, size_t len)
{
	const struct image *image = opaque;

	if (off >= image->size)
		return 0;
	if (len > image->size - off)
		len = image->size - (size_t)off;
	memcpy(to, image->bytes + off, len);
	return (int)len;
}

void
identify_image(const uint8_t *image, size_t size, struct identity *identity)
{
	struct image bytes = { image, size };

	identify(read_image, &bytes, size, identity);
}

bool
identity_is_known(const struct identity *identity)
{
	return identity->kind > IDENTITY_UNKNOWN;
}

bool
identity_is_foreign(const struct identity *identity)
{
	return identity->kind > IDENTITY_TRAILING;
}

bool
identity_has_vars(const struct identity *identity)
{
	return (identity->kind == IDENTITY_PADDED_ZEROS ||
		identity->kind == IDENTITY_PADDED_ONES ||
		identity->kind == IDENTITY_WHOLE) &&
	       fv_layout_by_size(identity->volume);
}

/* --- the sentences --- */

#define CONVERT(format)                                                        \
	"not a raw one: convert it with `qemu-img convert -f " format          \
	" -O raw FILE NEW`, and use NEW"
#define MAKE_VARS                                                              \
	"make a VARS file of its variables with `pflashctl create --template " \
	"FILE NEW`, and use NEW"
#define OWN_FILE                                                               \
	"use a raw image; an empty store for a VARS file is made by "          \
	"`pflashctl create --layout 4m NEW`"

/*
 * $f stands for the size of the file, $w for the length of the volume, $b for
 * its block size.  NULL: the sentence is that of the finding `code`.
 */
static const struct kind {
	const char *name;
	const char *sentence;
	enum fv_code code;
} kinds[IDENTITY_KINDS] = {
	[IDENTITY_VARS] = { "vars", "a VARS image", FV_CODES },
	[IDENTITY_UNKNOWN] = { "unknown", "an unknown kind of file", FV_CODES },
	[IDENTITY_EMPTY] = { "empty", NULL, FV_EMPTY },
	[IDENTITY_ZEROS] = { "zeroed", NULL, FV_ZEROED },
	[IDENTITY_ONES] = { "erased", NULL, FV_ERASED },
	[IDENTITY_CUT] = { "truncated", NULL, FV_TRUNCATED },
	[IDENTITY_TRAILING] = { "trailing", NULL, FV_TRAILING },
	[IDENTITY_PADDED_ZEROS] = {
		"padded",
		"the file is a VARS image of $w bytes, padded with zeros to $f "
		"bytes: "
		MAKE_VARS,
		FV_CODES,
	},
	[IDENTITY_PADDED_ONES] = {
		"padded",
		"the file is a VARS image of $w bytes, padded with 0xff to $f "
		"bytes: "
		MAKE_VARS,
		FV_CODES,
	},
	[IDENTITY_WHOLE] = {
		"whole-image",
		"the file is a whole firmware image of $f bytes, $w bytes of "
		"variables and then the code: "
		MAKE_VARS,
		FV_CODES,
	},
	[IDENTITY_FIRMWARE] = {
		"firmware",
		"the file is firmware code (such as OVMF_CODE), without "
		"variables: use the OVMF_VARS file of the same build, or make "
		"a VARS file with `pflashctl create --layout 2m|4m NEW`",
		FV_CODES,
	},
	[IDENTITY_OTHER_BLOCKS] = {
		"block-size",
		"the file has the variables of a firmware for Arm, RISC-V or "
		"LoongArch, in flash blocks of $b bytes (OVMF has 0x1000): use "
		"the OVMF_VARS file of the guest's firmware, or make a VARS "
		"file with `pflashctl create --layout 2m|4m NEW`",
		FV_CODES,
	},
	[IDENTITY_QCOW2] = {
		"qcow2",
		"the file is a qcow2 image, "
		CONVERT("qcow2"),
		FV_CODES,
	},
	[IDENTITY_VMDK] = {
		"vmdk",
		"the file is a VMDK image, "
		CONVERT("vmdk"),
		FV_CODES,
	},
	[IDENTITY_VDI] = {
		"vdi",
		"the file is a VDI image, "
		CONVERT("vdi"),
		FV_CODES,
	},
	[IDENTITY_VHD] = {
		"vhd",
		"the file is a VHD image, "
		CONVERT("vpc"),
		FV_CODES,
	},
	[IDENTITY_VHDX] = {
		"vhdx",
		"the file is a VHDX image, "
		CONVERT("vhdx"),
		FV_CODES,
	},
	[IDENTITY_GZIP] = {
		"gzip",
		"the file is compressed with gzip: unpack it with `gzip -dc "
		"FILE >NEW`, and use NEW",
		FV_CODES,
	},
	[IDENTITY_XZ] = {
		"xz",
		"the file is compressed with xz: unpack it with `xz -dc FILE "
		">NEW`, and use NEW",
		FV_CODES,
	},
	[IDENTITY_BZIP2] = {
		"bzip2",
		"the file is compressed with bzip2: unpack it with `bzip2 -dc "
		"FILE >NEW`, and use NEW",
		FV_CODES,
	},
	[IDENTITY_ZSTD] = {
		"zstd",
		"the file is compressed with zstd: unpack it with `zstd -dc "
		"FILE >NEW`, and use NEW",
		FV_CODES,
	},
	[IDENTITY_LZ4] = {
		"lz4",
		"the file is compressed with lz4: unpack it with `lz4 -dc FILE "
		">NEW`, and use NEW",
		FV_CODES,
	},
	[IDENTITY_ZIP] = {
		"zip",
		"the file is a zip archive: unpack it with `unzip FILE`, and "
		"use the image in it",
		FV_CODES,
	},
	[IDENTITY_7Z] = {
		"7z",
		"the file is a 7z archive: unpack it with `7z x FILE`, and use "
		"the image in it",
		FV_CODES,
	},
	[IDENTITY_TAR] = {
		"tar",
		"the file is a tar archive: unpack it with `tar -xf FILE`, and "
		"use the image in it",
		FV_CODES,
	},
	[IDENTITY_AR] = {
		"ar",
		"the file is an ar archive or a Debian package: unpack a "
		"package with `dpkg-deb -x FILE DIRECTORY`, and use the image "
		"in it",
		FV_CODES,
	},
	[IDENTITY_RPM] = {
		"rpm",
		"the file is an RPM package: unpack it with `rpm2cpio FILE | "
		"cpio -id`, and use the image in it",
		FV_CODES,
	},
	[IDENTITY_ELF] = {
		"elf",
		"the file is an ELF program, not a flash image: "
		OWN_FILE,
		FV_CODES,
	},
	[IDENTITY_PE] = {
		"pe",
		"the file is a PE program (an EFI application), not a flash "
		"image: "
		OWN_FILE,
		FV_CODES,
	},
	[IDENTITY_JSON] = {
		"json",
		"the file is JSON, not a flash image: variables that "
		"virt-firmware has written get into one with `virt-fw-vars "
		"--input OVMF_VARS --set-json FILE --output NEW`",
		FV_CODES,
	},
	[IDENTITY_TEXT] = {
		"text",
		"the file is text, not a flash image: "
		OWN_FILE,
		FV_CODES,
	},
	[IDENTITY_JOURNAL] = {
		"journal",
		"the file is the journal of a VARS file, not a flash image: "
		"use the VARS file, whose name is that of the journal without "
		".journal",
		FV_CODES,
	},
	[IDENTITY_STATE] = {
		"state",
		"the file is the chip's saved state, not a flash image: use "
		"the VARS file, whose name is that of the state without .state",
		FV_CODES,
	},
};

const char *
identity_name(const struct identity *identity)
{
	return kinds[identity->kind].name;
}

/* Writes the sentence with the numbers in their places. */
static void
fill(const char *p, const struct identity *identity, struct error *text)
{
	size_t len = 0, n;

	for (; *p; p += n) {
		n = strcspn(p, "$");
		sentence_append(text, &len, p, n);
		if (!p[n])
			break;
		if (p[n + 1] == 'f')
			sentence_number(text, &len, identity->size);
		else if (p[n + 1] == 'w')
			sentence_number(text, &len, identity->volume);
		else
			sentence_number(text, &len, identity->block);
		n += 2;
	}
}

void
identity_text(const struct identity *identity, struct error *text)
{
	const struct kind *kind = &kinds[identity->kind];
	const struct fv_finding finding = {
		.code = kind->code,
		.offset = kind->code == FV_TRUNCATED ? FVH_FV_LENGTH : 0,
		.found = identity->size,
		.wanted = identity->volume,
	};

	if (kind->sentence)
		fill(kind->sentence, identity, text);
	else
		fv_finding_text(&finding, text);
}
