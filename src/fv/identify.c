/* SPDX-License-Identifier: BSD-2-Clause */
/* The kind of a file by its contents, and the sentence about it. */
#include "pflash/identify.h"

#include <ctype.h>
#include <string.h>

#include "build.h"
#include "formats.h"
#include "guid.h"
#include "header.h"
#include "sentence.h"

#include "pflash/fv.h"
#include "pflash/le.h"

#define HEAD 4096u /* bytes at the start that have every magic number */
#define SCAN_MOST (UINT64_C(256) << 20)
#define MAGIC_MOST 16u
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

static size_t
read_at(const struct contents *c, uint64_t off, uint8_t *to, size_t len)
{
	int n = c->read(c->opaque, off, to, len);

	return n < 0 ? 0 : (size_t)n;
}

/* True if the magic number of the format is there, in the head or behind it. */
static bool
has_magic(const struct contents *c, const struct format *format)
{
	const size_t end = (size_t)format->offset + format->len;
	uint8_t bytes[MAGIC_MOST];

	if (end <= HEAD)
		return c->len >= end && !memcmp(c->head + format->offset,
						format->magic, format->len);
	return c->size >= end && format->len <= sizeof(bytes) &&
	       read_at(c, format->offset, bytes, format->len) == format->len &&
	       !memcmp(bytes, format->magic, format->len);
}

/* "BZh", a digit for the size of a block, and the magic of the first block. */
static bool
is_bzip2(const struct contents *c)
{
	return c->len >= 10 && !memcmp(c->head, "BZh", 3) &&
	       c->head[3] >= '1' && c->head[3] <= '9' &&
	       !memcmp(c->head + 4, "1AY&SY", 6);
}

static const struct format *
by_magic(const struct contents *c)
{
	for (const struct format *format = formats; format->len; format++)
		if (has_magic(c, format))
			return format;
	return is_bzip2(c) ? &format_bzip2 : NULL;
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

/* The bytes of the character at `p`, 1 to 4; 0: it is no part of a text. */
static size_t
text_length(const uint8_t *p, size_t len)
{
	size_t n = *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4, i = 1;

	if (*p < 0x80)
		return isprint(*p) || isspace(*p) ? 1 : 0;
	if (*p < 0xc2 || *p > 0xf4)
		return 0;
	while (i < n && i < len && (p[i] & 0xc0) == 0x80)
		i++;
	return i == n || i == len ? i : 0;
}

/* The head is text in UTF-8, which may end within a character. */
static const struct format *
text_format(const struct contents *c)
{
	size_t i = 0, n = 1;

	for (; i < c->len && n; i += n)
		n = text_length(c->head + i, c->len - i);
	if (!n)
		return NULL;
	i = c->len >= 3 && !memcmp(c->head, "\xef\xbb\xbf", 3) ? 3 : 0;
	while (i < c->len && isspace(c->head[i]))
		i++;
	return i < c->len && (c->head[i] == '{' || c->head[i] == '[') ?
		       &format_json :
		       &format_text;
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
static bool
is_firmware(const struct contents *c, const struct format *format)
{
	return is_code_at(c, 0) || is_code_at(c, ARM_CODE) ||
	       (format && !strcmp(format->name, "elf") && c->size <= SIZE_MAX &&
		build_is_firmware_size((size_t)c->size));
}

static enum identity_kind
other_kind(const struct contents *c, const struct format **format)
{
	*format = is_pe(c) ? &format_pe : by_magic(c);
	if (is_firmware(c, *format)) {
		*format = NULL;
		return IDENTITY_FIRMWARE;
	}
	if (*format)
		return IDENTITY_FORMAT;
	if (is_filled(c, 0, 0x00))
		return IDENTITY_ZEROS;
	if (is_filled(c, 0, 0xff))
		return IDENTITY_ONES;
	*format = text_format(c);
	return *format ? IDENTITY_FORMAT : IDENTITY_UNKNOWN;
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
		identity->kind = other_kind(&c, &identity->format);
	/* In a VARS file of the right length, the guest chose these bytes. */
	if (identity->kind != IDENTITY_VARS && is_fixed_vhd(&c)) {
		identity->kind = IDENTITY_FORMAT;
		identity->format = &format_vhd;
	}
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
identity_is_blank(const struct identity *identity)
{
	return identity->kind == IDENTITY_ZEROS ||
	       identity->kind == IDENTITY_ONES;
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

#define MAKE_VARS                                                              \
	"make a VARS file of its variables with `pflashctl create --template " \
	"FILE NEW`, and use NEW"
#define PADDED(value)                                                          \
	"the file is a VARS image of $w bytes, padded with " value " to $f "   \
	"bytes: " MAKE_VARS

/* $a in a sentence: the advice for a file in the role of VARS, of firmware. */
static const char *const advice[] = {
	"use the OVMF_VARS file of the guest's firmware, or make a VARS file "
	"with `pflashctl create --layout 2m|4m NEW`",
	"use the OVMF_CODE file of the guest's firmware",
};

/*
 * $f stands for the size of the file, $w for the length of the volume, $b for
 * its block size.  NULL: the sentence is that of the finding `code`.
 * `firmware` is the sentence about a file in the role of firmware; NULL: the
 * same one.
 */
static const struct kind {
	const char *name;
	const char *sentence;
	const char *firmware;
	enum fv_code code;
} kinds[IDENTITY_KINDS] = {
	[IDENTITY_VARS] = {
		"vars",
		"the file is a VARS image",
		"the file is a VARS image, without code: use the OVMF_CODE "
		"file of the same build",
		FV_CODES,
	},
	[IDENTITY_UNKNOWN] = {
		"unknown",
		"the file is not a flash image of OVMF: $a",
		"the file is not a firmware image: $a",
		FV_CODES,
	},
	[IDENTITY_EMPTY] = {
		"empty",
		NULL,
		"the file is empty: $a",
		FV_EMPTY,
	},
	[IDENTITY_ZEROS] = {
		"zeroed",
		NULL,
		"the file contains nothing but zeros: $a",
		FV_ZEROED,
	},
	[IDENTITY_ONES] = {
		"erased",
		NULL,
		"the file contains nothing but 0xff: $a",
		FV_ERASED,
	},
	[IDENTITY_CUT] = {
		"truncated",
		NULL,
		"the file is cut off: it has $f bytes, but the volume of "
		"variables in it has $w bytes; it has no code: $a",
		FV_TRUNCATED,
	},
	[IDENTITY_TRAILING] = {
		"trailing",
		NULL,
		"the file has $f bytes, but its volume ends at offset $w, and "
		"no code is behind it: $a",
		FV_TRAILING,
	},
	[IDENTITY_PADDED_ZEROS] = {
		"padded",
		PADDED("zeros"),
		NULL,
		FV_CODES,
	},
	[IDENTITY_PADDED_ONES] = {
		"padded",
		PADDED("0xff"),
		NULL,
		FV_CODES,
	},
	[IDENTITY_WHOLE] = {
		"whole-image",
		"the file is a whole firmware image of $f bytes, $w bytes of "
		"variables and then the code: "
		MAKE_VARS,
		NULL,
		FV_CODES,
	},
	[IDENTITY_FIRMWARE] = {
		"firmware",
		"the file is firmware code (such as OVMF_CODE), without "
		"variables: use the OVMF_VARS file of the same build, or make "
		"a VARS file with `pflashctl create --layout 2m|4m NEW`",
		NULL,
		FV_CODES,
	},
	[IDENTITY_OTHER_BLOCKS] = {
		"block-size",
		"the file has the variables of a firmware for Arm, RISC-V or "
		"LoongArch, in flash blocks of $b bytes (OVMF has 0x1000): $a",
		NULL,
		FV_CODES,
	},
};

/* $i stands for what the format is, $h for how the right file is made of it. */
static const char *const uses[] = {
	[FORMAT_IMAGE] =
		"the file is $i, not a raw one: convert it with "
		"`qemu-img convert -f $h -O raw FILE NEW`, and use NEW",
	[FORMAT_COMPRESSED] = "the file is compressed with $i: unpack it with "
			      "`$h -dc FILE >NEW`, and use NEW",
	[FORMAT_ARCHIVE] = "the file is $i: unpack it with `$h`, and use the "
			   "image in it",
	[FORMAT_OTHER] = "the file is $i, not a flash image of OVMF: $h",
};

const char *
identity_name(const struct identity *identity)
{
	return identity->format ? identity->format->name :
				  kinds[identity->kind].name;
}

struct filling {
	const struct identity *identity;
	const char *advice;
	size_t len; /* of the text */
};

static void
append(struct filling *f, const char *s, struct error *text)
{
	sentence_append(text, &f->len, s, strlen(s));
}

/* Appends what the letter behind a '$' stands for. */
static void
append_value(struct filling *f, char letter, struct error *text)
{
	const struct identity *identity = f->identity;
	const struct format *format = identity->format;

	switch (letter) {
	case 'f': sentence_number(text, &f->len, identity->size); break;
	case 'w': sentence_number(text, &f->len, identity->volume); break;
	case 'b': sentence_number(text, &f->len, identity->block); break;
	case 'i': append(f, format->what, text); break;
	case 'h': append(f, format->how ? format->how : f->advice, text); break;
	default: append(f, f->advice, text); break;
	}
}

/* Writes the sentence with the values in their places. */
static void
fill(struct filling *f, const char *p, struct error *text)
{
	for (size_t n; *p; p += n) {
		n = strcspn(p, "$");
		sentence_append(text, &f->len, p, n);
		if (!p[n])
			break;
		append_value(f, p[n + 1], text);
		n += 2;
	}
}

void
identity_text(const struct identity *identity, enum identity_role role,
	      struct error *text)
{
	const struct kind *kind = &kinds[identity->kind];
	const struct fv_finding finding = {
		.code = kind->code,
		.offset = kind->code == FV_TRUNCATED ? FVH_FV_LENGTH : 0,
		.found = identity->size,
		.wanted = identity->volume,
	};
	struct filling filling = { identity, advice[role], 0 };
	const char *sentence = kind->sentence;

	if (role == IDENTITY_AS_FIRMWARE && kind->firmware)
		sentence = kind->firmware;
	if (identity->format)
		sentence = uses[identity->format->use];
	if (sentence)
		fill(&filling, sentence, text);
	else
		fv_finding_text(&finding, text);
}
