/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of firmware images: the structure of OvmfXen's builds of all sizes and
 * ages, made here; the images of this host and of the cache, if they are there;
 * and the decoder of LZMA.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/fv/lzma.h"
#include "support_ovmf.h"
#include "support_store.h"

#include "pflash/firmware.h"
#include "pflash/le.h"

#define ENTRY 0x30u /* before the end: XenResetVector's entry */
#define LOAD OVMF_LOAD

static const uint8_t guid_lzma[16] = { 0x98, 0x58, 0x4e, 0xee, 0x14, 0x39,
				       0x59, 0x42, 0x9d, 0x6e, 0xdc, 0x7b,
				       0xd7, 0x94, 0x03, 0xcf };
static const uint8_t guid_xen[16] = { 0xee, 0xa6, 0x12, 0xf1, 0x3a, 0x99,
				      0x0b, 0x4f, 0x82, 0x95, 0xe5, 0x20,
				      0x29, 0xd9, 0xb4, 0xba };
static const uint8_t guid_flash[16] = { 0xc2, 0xba, 0x3c, 0x73, 0x3f, 0xb2,
					0x92, 0x4b, 0xbc, 0x8e, 0xfb, 0x01,
					0xce, 0x59, 0x07, 0xb7 };
static const uint8_t guid_secure_boot[16] = { 0x4f, 0xa4, 0xe6, 0xf0,
					      0x95, 0x71, 0xc3, 0x41,
					      0xac, 0x64, 0x54, 0xf2,
					      0x02, 0xcd, 0x0a, 0x21 };
static const uint8_t guid_other[16] = { 0x21 };

static struct error err;

/* --- an encoder of LZMA that knows only literals --- */

struct encoder {
	uint8_t *out;
	size_t len;
	uint64_t low;
	uint32_t range;
	uint8_t cache;
	uint64_t pending; /* bytes that a carry may still change */
};

static void
shift(struct encoder *e)
{
	if (e->low < 0xff000000u || e->low > UINT32_MAX) {
		uint8_t carry = (uint8_t)(e->low >> 32), byte = e->cache;

		while (e->pending--) {
			e->out[e->len++] = (uint8_t)(byte + carry);
			byte = 0xff;
		}
		e->pending = 0;
		e->cache = (uint8_t)(e->low >> 24);
	}
	e->pending++;
	e->low = (e->low & 0xffffffu) << 8;
}

static void
encode_bit(struct encoder *e, uint16_t *probability, uint32_t bit)
{
	uint32_t bound = (e->range >> 11) * *probability;

	if (!bit) {
		e->range = bound;
		*probability += (uint16_t)((2048u - *probability) >> 5);
	} else {
		e->low += bound;
		e->range -= bound;
		*probability -= *probability >> 5;
	}
	while (e->range < 1u << 24) {
		e->range <<= 8;
		shift(e);
	}
}

/* Returns the length of the stream; lc, lp and pb are 0. */
static size_t
compress(const uint8_t *in, size_t size, uint8_t *out)
{
	struct encoder e = { .out = out,
			     .len = LZMA_HEADER,
			     .range = UINT32_MAX,
			     .pending = 1 };
	uint16_t is_match = 1024, literal[0x300];

	memset(out, 0, LZMA_HEADER);
	put_le32(out + 1, 1u << 20);
	put_le64(out + 5, size);
	for (int i = 0; i < 0x300; i++)
		literal[i] = 1024;
	for (size_t i = 0; i < size; i++) {
		uint32_t symbol = 1;

		encode_bit(&e, &is_match, 0);
		for (int b = 7; b >= 0; b--) {
			uint32_t bit = in[i] >> b & 1;

			encode_bit(&e, &literal[symbol], bit);
			symbol = symbol << 1 | bit;
		}
	}
	for (int i = 0; i < 5; i++)
		shift(&e);
	return e.len;
}

/* --- images --- */

/* A file of `size` bytes with its header; returns the place for the next. */
static uint8_t *
put_file(uint8_t *p, const uint8_t *guid, uint8_t type, uint32_t size)
{
	memset(p, 0, 24);
	memcpy(p, guid, 16);
	p[18] = type;
	p[20] = (uint8_t)size;
	p[21] = (uint8_t)(size >> 8);
	p[22] = (uint8_t)(size >> 16);
	return p + ((size + 7) & ~7u);
}

struct shape {
	struct ovmf_shape whole;
	const uint8_t *pei; /* NULL: the main volume is not compressed so */
	const uint8_t *dxe;
	const uint8_t *more; /* of the volume of DXE; NULL: none */
};

/*
 * The volumes of PEI and DXE.  The first one has an extended header, as those
 * of OVMF have.
 */
#define INSIDE 1024u

static void
put_inside(uint8_t *p, const struct shape *shape)
{
	uint8_t *last;

	memset(p, 0xff, INSIDE);
	memset(p, 0, 12);
	ovmf_put_volume(p + 12, 400);
	put_le16(p + 12 + 52, 72);
	put_le16(p + 12 + 50, (uint16_t)(get_le16(p + 12 + 50) - 72));
	memset(p + 12 + 72, 0, 24);
	put_le32(p + 12 + 72 + 16, 20);
	put_file(put_file(p + 12 + 96, guid_other, 7, 61), shape->pei, 6, 99);
	ovmf_put_volume(p + 512, 512);
	last = put_file(put_file(p + 512 + 72, guid_other, 2, 40), shape->dxe,
			7, 64);
	if (shape->more)
		put_file(last, shape->more, 7, 48);
}

static void
fill_main(uint8_t *p, size_t len, const struct shape *shape)
{
	uint8_t inside[INSIDE], *section = p + 72 + 24;
	size_t stream;

	if (!shape->pei)
		return;
	ck_assert_uint_ge(len, 2 * INSIDE);
	put_inside(inside, shape);
	memset(section, 0, 24);
	memcpy(section + 4, guid_lzma, 16);
	put_le16(section + 20, 24);
	put_le16(section + 22, 1);
	stream = 24 + compress(inside, INSIDE, section + 24);
	put_le32(section, (uint32_t)stream);
	section[3] = 2;
	put_file(p + 72, guid_other, 0x0b, (uint32_t)(24 + stream));
}

static uint8_t *
make(const struct shape *shape)
{
	const struct ovmf_shape *whole = &shape->whole;
	uint8_t *image = ovmf_make(whole);
	size_t start = ovmf_main(whole);

	fill_main(image + start, whole->size - whole->sec_size - start, shape);
	return image;
}

static struct firmware
examine(const uint8_t *image, size_t size)
{
	struct firmware f;

	ck_assert_int_eq(firmware_examine(image, size, &f, &err), 0);
	firmware_look_inside(image, &f);
	return f;
}

static const struct {
	struct shape shape;
	uint64_t base, vars_base;
	enum firmware_entry entry;
	enum firmware_answer xen, flash;
	const char *text;
	const char *pvh; /* a part of the refusal; NULL: none */
} images[] = {
	/* OvmfXen since edk2-stable202505, as Fedora, NixOS and EVE build it */
	{ { { 2 * MIB, "2m", 0x24000, true, 2 * MIB },
	    guid_xen,
	    guid_flash,
	    NULL },
	  0xffe00000,
	  0xffe00000,
	  FIRMWARE_ENTRY_GOOD,
	  FIRMWARE_YES,
	  FIRMWARE_YES,
	  "OvmfXen, 0x200000 bytes at 0xffe00000, layout 2m, variables of "
	  "0x20000 bytes at 0xffe00000, SEC volume of 0x24000 bytes at "
	  "0xfffdc000, Xen ELF entry: yes, flash driver inside: yes, Secure "
	  "Boot: no",
	  NULL },
	/* and before */
	{ { { 2 * MIB, "2m", 0x34000, true, 2 * MIB },
	    guid_xen,
	    guid_flash,
	    NULL },
	  0xffe00000,
	  0xffe00000,
	  FIRMWARE_ENTRY_GOOD,
	  FIRMWARE_YES,
	  FIRMWARE_YES,
	  "SEC volume of 0x34000 bytes at 0xfffcc000, Xen ELF entry: yes",
	  NULL },
	{ { { MIB, "2m", 0x14000, true, MIB }, guid_xen, guid_flash, NULL },
	  0xfff00000,
	  0xfff00000,
	  FIRMWARE_ENTRY_GOOD,
	  FIRMWARE_YES,
	  FIRMWARE_YES,
	  "OvmfXen, 0x100000 bytes at 0xfff00000, layout 2m",
	  NULL },
	/* openSUSE's image of 4 MiB, with the header of the one of 2 MiB */
	{ { { 4 * MIB, "4m", 0x34000, true, 2 * MIB },
	    guid_xen,
	    guid_flash,
	    NULL },
	  0xffc00000,
	  0xffc00000,
	  FIRMWARE_ENTRY_SHORT,
	  FIRMWARE_YES,
	  FIRMWARE_YES,
	  "OvmfXen, 0x400000 bytes at 0xffc00000, layout 4m, variables of "
	  "0x84000 bytes at 0xffc00000, SEC volume of 0x34000 bytes at "
	  "0xfffcc000, Xen ELF entry: no, the ELF header is of a smaller "
	  "image, flash driver inside: yes, Secure Boot: no",
	  "header is of a smaller image" },
	/* with the header that it should have */
	{ { { 4 * MIB, "4m", 0x34000, true, 4 * MIB },
	    guid_xen,
	    guid_flash,
	    NULL },
	  0xffc00000,
	  0xffc00000,
	  FIRMWARE_ENTRY_GOOD,
	  FIRMWARE_YES,
	  FIRMWARE_YES,
	  "Xen ELF entry: yes",
	  NULL },
	/* and with Secure Boot */
	{ { { 4 * MIB, "4m", 0x34000, true, 4 * MIB },
	    guid_xen,
	    guid_flash,
	    guid_secure_boot },
	  0xffc00000,
	  0xffc00000,
	  FIRMWARE_ENTRY_GOOD,
	  FIRMWARE_YES,
	  FIRMWARE_YES,
	  "Xen ELF entry: yes, flash driver inside: yes, Secure Boot: yes",
	  NULL },
	/* KVM's OVMF */
	{ { { 2 * MIB, "2m", 0x34000, false, 0 },
	    guid_other,
	    guid_flash,
	    NULL },
	  0xffe00000,
	  0xffe00000,
	  FIRMWARE_ENTRY_NONE,
	  FIRMWARE_NO,
	  FIRMWARE_YES,
	  "OVMF, but not OvmfXen, 0x200000 bytes",
	  "has no ELF header" },
	/* with an ELF header and no driver for Xen */
	{ { { 2 * MIB, "2m", 0x34000, true, 2 * MIB },
	    guid_other,
	    guid_other,
	    NULL },
	  0xffe00000,
	  0xffe00000,
	  FIRMWARE_ENTRY_GOOD,
	  FIRMWARE_NO,
	  FIRMWARE_NO,
	  "Xen ELF entry: yes, flash driver inside: no",
	  "has no drivers for Xen" },
	/* code alone */
	{ { { 0x1e0000, "2m", 0x24000, false, 0 }, guid_xen, guid_flash, NULL },
	  0xffe20000,
	  0xffe00000,
	  FIRMWARE_ENTRY_CODE,
	  FIRMWARE_YES,
	  FIRMWARE_YES,
	  "0x1e0000 bytes at 0xffe20000, layout 2m, variables of 0x20000 bytes "
	  "at 0xffe00000",
	  NULL },
	{ { { 0x37c000, "4m", 0x34000, false, 0 },
	    guid_other,
	    guid_other,
	    NULL },
	  0xffc84000,
	  0xffc00000,
	  FIRMWARE_ENTRY_CODE,
	  FIRMWARE_NO,
	  FIRMWARE_NO,
	  "Xen ELF entry: not in this part",
	  "has no drivers for Xen" },
	/* a main volume that cannot be read */
	{ { { 2 * MIB, "2m", 0x24000, true, 2 * MIB }, NULL, NULL, NULL },
	  0xffe00000,
	  0xffe00000,
	  FIRMWARE_ENTRY_GOOD,
	  FIRMWARE_UNKNOWN,
	  FIRMWARE_UNKNOWN,
	  "OvmfXen by its header, 0x200000 bytes at 0xffe00000",
	  NULL },
};
#define IMAGES (sizeof(images) / sizeof(images[0]))

START_TEST(structure)
{
	const struct ovmf_shape *shape = &images[_i].shape.whole;
	uint8_t *image = make(&images[_i].shape);
	struct firmware f = examine(image, shape->size);

	ck_assert_ptr_nonnull(f.layout);
	ck_assert_str_eq(f.layout->name, shape->layout);
	ck_assert_uint_eq(f.base, images[_i].base);
	ck_assert_uint_eq(f.vars_base, images[_i].vars_base);
	ck_assert_uint_eq(f.sec_size, shape->sec_size);
	ck_assert_uint_eq(f.sec, shape->size - shape->sec_size);
	ck_assert_uint_eq(f.main + f.main_size, f.sec);
	ck_assert_uint_eq(firmware_served(&f), f.sec);
	ck_assert_int_eq(f.entry, images[_i].entry);
	ck_assert_int_eq(f.xen, images[_i].xen);
	ck_assert_int_eq(f.flash, images[_i].flash);
	firmware_text(&f, &err);
	ck_assert_msg(strstr(err.text, images[_i].text) != NULL, "%s",
		      err.text);
	ck_assert_int_eq(firmware_check_pvh(&f, &err),
			 images[_i].pvh ? -EINVAL : 0);
	if (images[_i].pvh)
		ck_assert_msg(strstr(err.text, images[_i].pvh) != NULL, "%s",
			      err.text);
	free(image);
}
END_TEST

/* --- damage --- */

static const struct shape sound = {
	{ 2 * MIB, "2m", 0x24000, true, 2 * MIB },
	guid_xen,
	guid_flash,
	NULL,
};

static const struct {
	size_t off;
	uint32_t value;
	enum firmware_entry entry;
} headers[] = {
	{ 0x00, 0x464c4580, FIRMWARE_ENTRY_NONE },
	{ 0x1c, 0xffffffff, FIRMWARE_ENTRY_NO_NOTE }, /* phoff */
	{ 0x2c, 0, FIRMWARE_ENTRY_NO_NOTE },          /* phnum */
	{ 0x2c, 1, FIRMWARE_ENTRY_NO_NOTE },
	{ 0x34, 0, FIRMWARE_ENTRY_SHORT },            /* no PT_LOAD */
	{ 0x38, 0xffffffff, FIRMWARE_ENTRY_SHORT },   /* p_offset */
	{ 0x40, 0x400000, FIRMWARE_ENTRY_OUTSIDE },   /* p_paddr */
	{ 0x44, 0x1fffff, FIRMWARE_ENTRY_SHORT },     /* p_filesz */
	{ 0x44, 0xffffffff, FIRMWARE_ENTRY_GOOD },    /* cut to the file */
	{ 0x58, 0xffffffff, FIRMWARE_ENTRY_NO_NOTE }, /* the note's place */
	{ 0x64, 0xffffffff, FIRMWARE_ENTRY_NO_NOTE }, /* and size */
	{ 0x64, 0x13, FIRMWARE_ENTRY_NO_NOTE },
	{ 0x74, 0xffffffff, FIRMWARE_ENTRY_NO_NOTE }, /* its name's size */
	{ 0x78, 0xffffffff, FIRMWARE_ENTRY_NO_NOTE }, /* its value's size */
	{ 0x78, 0, FIRMWARE_ENTRY_NO_NOTE },
	{ 0x7c, 17, FIRMWARE_ENTRY_NO_NOTE },         /* another note */
	{ 0x80, 0x006e6559, FIRMWARE_ENTRY_NO_NOTE }, /* of another owner */
	{ 0x84, 0, FIRMWARE_ENTRY_OUTSIDE },
	{ 0x84, LOAD, FIRMWARE_ENTRY_OUTSIDE },
	{ 0x84, LOAD + 2 * MIB - 0x24001, FIRMWARE_ENTRY_OUTSIDE },
	{ 0x84, LOAD + 2 * MIB - 0x24000, FIRMWARE_ENTRY_GOOD },
	{ 0x84, LOAD + 2 * MIB, FIRMWARE_ENTRY_OUTSIDE },
};
#define HEADERS (sizeof(headers) / sizeof(headers[0]))

START_TEST(damaged_headers)
{
	uint8_t *image = make(&sound);
	struct firmware f;

	put_le32(image + headers[_i].off, headers[_i].value);
	f = examine(image, sound.whole.size);
	ck_assert_int_eq(f.entry, headers[_i].entry);
	ck_assert_int_eq(firmware_check_pvh(&f, &err),
			 f.entry == FIRMWARE_ENTRY_GOOD ? 0 : -EINVAL);
	firmware_text(&f, &err);
	ck_assert_ptr_nonnull(strstr(err.text, "Xen ELF entry: "));
	free(image);
}
END_TEST

/* The size of the image that Xen has loaded, by its first 4096 bytes. */
static const struct {
	size_t off;
	uint32_t value;
	size_t size; /* 0: none */
} loads[] = {
	{ 0x00, 0x464c457f, 2 * MIB }, /* unchanged */
	{ 0x00, 0x464c4580, 0 },
	{ 0x05, 2, 0 },          /* big-endian */
	{ 0x1c, 0xffffffff, 0 }, /* phoff */
	{ 0x1c, 0xffffffe0, 0 },
	{ 0x1c, 0xfe1, 0 },         /* beyond what is there */
	{ 0x2c, 0, 0 },             /* phnum */
	{ 0x34, 6, 0 },             /* no PT_LOAD */
	{ 0x38, 0x1000, 0 },        /* p_offset */
	{ 0x40, LOAD + 0x1000, 0 }, /* p_paddr */
	{ 0x44, 0, 0 },             /* p_filesz */
	{ 0x44, 0x1000, 0x1000 },
	{ 0x44, 0x1fffff, 0 },
	{ 0x44, FIRMWARE_MOST, FIRMWARE_MOST },
	{ 0x44, FIRMWARE_MOST + 0x1000, 0 },
	{ 0x44, 0xfffff000, 0 },
};
#define LOADS (sizeof(loads) / sizeof(loads[0]))

START_TEST(loaded_images)
{
	uint8_t *page = calloc(1, 4096);
	size_t size = 1;

	ck_assert_ptr_nonnull(page);
	ovmf_put_elf(page, 2 * MIB);
	put_le32(page + loads[_i].off, loads[_i].value);
	ck_assert_int_eq(firmware_loaded(page, 4096, LOAD, &size, &err),
			 loads[_i].size ? 0 : -ENOENT);
	ck_assert_uint_eq(size, loads[_i].size ? loads[_i].size : 1);
	free(page);
}
END_TEST

/* The image may be the second segment, and any byte of the page is accepted. */
START_TEST(loaded_images_of_other_forms)
{
	uint8_t *page = calloc(1, 4096);
	size_t size = 0;

	ck_assert_ptr_nonnull(page);
	memcpy(page, "\177ELF\2\1\1\3", 8);
	put_le64(page + 0x20, 4096 - 2 * 56);
	put_le16(page + 0x38, 2);
	put_le32(page + 4096 - 112, 1);
	put_le64(page + 4096 - 112 + 8, 0x1000);
	put_le64(page + 4096 - 112 + 24, LOAD);
	put_le64(page + 4096 - 112 + 32, 0x3000);
	put_le32(page + 4096 - 56, 1);
	put_le64(page + 4096 - 56 + 24, LOAD);
	put_le64(page + 4096 - 56 + 32, 0x2000);
	ck_assert_int_eq(firmware_loaded(page, 4096, LOAD, &size, &err), 0);
	ck_assert_uint_eq(size, 0x2000);
	put_le64(page + 0x20, 4096 - 2 * 56 + 1);
	ck_assert_int_eq(firmware_loaded(page, 4096, LOAD, &size, &err),
			 -ENOENT);
	ck_assert_int_eq(firmware_loaded(page, 0, LOAD, &size, &err), -ENOENT);
	free(page);
}
END_TEST

/* OVMF for Cloud Hypervisor: ELF64, and the main volume behind 4096 bytes. */
START_TEST(wide_header)
{
	uint8_t *image = malloc(4 * MIB), *p = image;
	struct firmware f;

	ck_assert_ptr_nonnull(image);
	memset(image, 0xff, 4 * MIB);
	memset(p, 0, 0xd0);
	memcpy(p, "\177ELF\2\1\1\3", 8);
	put_le64(p + 0x20, 0x40);
	put_le16(p + 0x38, 2);
	put_le32(p + 0x40, 1);
	put_le64(p + 0x58, LOAD);
	put_le64(p + 0x60, 4 * MIB);
	put_le32(p + 0x78, 4);
	put_le64(p + 0x80, 0xb0);
	put_le64(p + 0x98, 0x14);
	put_le32(p + 0xb0, 4);
	put_le32(p + 0xb4, 4);
	put_le32(p + 0xb8, 18);
	memcpy(p + 0xbc, "Xen", 4);
	put_le32(p + 0xc0, LOAD + 4 * MIB - ENTRY);
	ovmf_put_volume(p + 0x1000, 4 * MIB - 0x34000 - 0x1000);
	ovmf_put_volume(p + 4 * MIB - 0x34000, 0x34000);
	f = examine(image, 4 * MIB);
	ck_assert_int_eq(f.entry, FIRMWARE_ENTRY_GOOD);
	ck_assert_ptr_null(f.layout);
	ck_assert_uint_eq(f.main, 0x1000);
	firmware_text(&f, &err);
	ck_assert_str_eq(err.text,
			 "OVMF, 0x400000 bytes at 0xffc00000, variables "
			 "unknown, SEC volume of 0x34000 bytes at 0xfffcc000, "
			 "Xen ELF entry: yes, flash driver inside: unknown, "
			 "Secure Boot: unknown");
	free(image);
}
END_TEST

/* The variables of an image with its main volume at another place: unknown. */
START_TEST(other_places)
{
	uint8_t *image = make(&sound);
	struct firmware f;

	ovmf_put_volume(image + 0x30000, 0x1c0000 - 0x10000 - 0x4000);
	memset(image + 0x20000, 0xff, 72);
	f = examine(image, sound.whole.size);
	ck_assert_uint_eq(f.main, 0x30000);
	ck_assert_ptr_null(f.layout);
	/* Without one, SEC is found, and nothing inside. */
	memset(image + 0x30000, 0xff, 72);
	f = examine(image, sound.whole.size);
	ck_assert_uint_eq(f.main_size, 0);
	ck_assert_ptr_nonnull(f.layout);
	ck_assert_int_eq(f.flash, FIRMWARE_UNKNOWN);
	ck_assert_int_eq(firmware_examine(image, sound.whole.size - 8, &f,
					  &err),
			 -ENOENT);
	ck_assert_int_eq(firmware_examine(image, 0, &f, &err), -ENOENT);
	free(image);
}
END_TEST

/* A search through headers of any length would take a minute. */
START_TEST(long_headers)
{
	uint8_t *image = make(&sound), *sec = image + 2 * MIB - 0x24000;
	bool fits = _i == 0;
	struct firmware f;
	uint16_t sum;

	memset(sec + 72, 0, 4098 - 72);
	put_le16(sec + 48, fits ? 4096 : 4098);
	sum = (uint16_t)(get_le16(sec + 50) + 72 - (fits ? 4096 : 4098));
	put_le16(sec + 50, sum);
	ck_assert_int_eq(firmware_examine(image, 2 * MIB, &f, &err),
			 fits ? 0 : -ENOENT);
	free(image);
}
END_TEST

/* No byte of the main volume's first KiB can do harm. */
START_TEST(damaged_contents)
{
	uint8_t *image = make(&sound);
	unsigned int unknown = 0;

	for (size_t i = 72; i < 1024; i++) {
		uint8_t *p = image + 0x20000 + i;
		struct firmware f;

		*p ^= (uint8_t)(1u << i % 8);
		f = examine(image, sound.whole.size);
		*p ^= (uint8_t)(1u << i % 8);
		unknown += f.flash == FIRMWARE_UNKNOWN;
		ck_assert_int_eq(f.entry, FIRMWARE_ENTRY_GOOD);
	}
	/* Its 13 bytes of header, the section and the file are needed. */
	ck_assert_uint_gt(unknown, 20);
	free(image);
}
END_TEST

/* --- the decoder --- */

static uint32_t seed;

static uint32_t
next(void)
{
	return seed = seed * 1103515245u + 12345u;
}

/* Literals, and repetitions at short and long distances. */
static void
make_contents(uint8_t *p, size_t size)
{
	size_t n = 0;

	seed = 1;
	while (n < size) {
		uint32_t value = next(), what = value >> 28;
		size_t len = 1 + (value >> 16 & 0xff), most, distance;

		if (what < 2 || n == 0) {
			for (size_t i = 0; i < len / 8 + 1 && n < size; i++)
				p[n++] = (uint8_t)(next() >> 24);
			continue;
		}
		most = what < 6 ? 8 : what < 10 ? 2000 : n;
		distance = 1 + (next() >> 8) % most;
		if (distance > n)
			distance = n;
		for (size_t i = 0; i < len && n < size; i++, n++)
			p[n] = p[n - distance];
	}
}

#define CONTENTS 150000u

/* Compressed by xz 5.4 with lc=3, lp=0, pb=2, which edk2 uses too. */
static struct blob
read_stream(void)
{
	return blob_read("tests/data/contents.lzma");
}

START_TEST(decoder)
{
	struct blob in = read_stream();
	uint8_t *out = malloc(CONTENTS), *wanted = malloc(CONTENTS);

	ck_assert(out && wanted);
	make_contents(wanted, CONTENTS);
	ck_assert_uint_eq(lzma_size(in.data, in.len), CONTENTS);
	ck_assert_int_eq(lzma_decode(in.data, in.len, out, CONTENTS), 0);
	ck_assert_mem_eq(out, wanted, CONTENTS);
	free(out);
	free(wanted);
	blob_free(&in);
}
END_TEST

START_TEST(decoder_refuses)
{
	struct blob in = read_stream();
	uint8_t *out = malloc(CONTENTS);

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(lzma_decode(in.data, in.len, out, CONTENTS - 1),
			 -EINVAL);
	ck_assert_int_eq(lzma_decode(in.data, in.len, out, 0), -EINVAL);
	for (size_t len = 0; len < in.len / 2; len += 1 + len / 8)
		ck_assert_int_eq(lzma_decode(in.data, len, out, CONTENTS),
				 -EINVAL);
	in.data[0] = 9 * 5 * 5;
	ck_assert_uint_eq(lzma_size(in.data, in.len), 0);
	in.data[0] = 8; /* lc 8 */
	ck_assert_int_eq(lzma_decode(in.data, in.len, out, CONTENTS), -EINVAL);
	in.data[0] = 93;
	in.data[13] = 1; /* the stream's first byte */
	ck_assert_int_eq(lzma_decode(in.data, in.len, out, CONTENTS), -EINVAL);
	in.data[13] = 0;
	memset(in.data + 5, 0xff, 8); /* a size that is unknown */
	ck_assert_uint_eq(lzma_size(in.data, in.len), 0);
	free(out);
	blob_free(&in);
}
END_TEST

/* Damage gives an error or other contents, and no access out of bounds. */
START_TEST(decoder_of_damaged_streams)
{
	struct blob in = read_stream();
	uint8_t *out = malloc(CONTENTS);
	unsigned int refused = 0;

	ck_assert_ptr_nonnull(out);
	for (size_t i = 14; i < in.len; i += 37) {
		in.data[i] ^= 0x10;
		refused += lzma_decode(in.data, in.len, out, CONTENTS) < 0;
		in.data[i] ^= 0x10;
	}
	ck_assert_uint_gt(refused, 0);
	free(out);
	blob_free(&in);
}
END_TEST

/* --- real images --- */

static const struct {
	const char *path; /* with a ~ in front: of the cache */
	const char *layout;
	enum firmware_entry entry;
	enum firmware_answer xen, flash, secure_boot;
} real[] = {
	{ "~OVMF_XEN.fd", "2m", FIRMWARE_ENTRY_GOOD, FIRMWARE_YES, FIRMWARE_YES,
	  FIRMWARE_NO },
	{ "~OVMF_XEN_4M.secboot.fd", "4m", FIRMWARE_ENTRY_GOOD, FIRMWARE_YES,
	  FIRMWARE_YES, FIRMWARE_YES },
	{ "~OVMF_XEN.debug.fd", "2m", FIRMWARE_ENTRY_GOOD, FIRMWARE_YES,
	  FIRMWARE_YES, FIRMWARE_NO },
	{ "/usr/share/edk2/xen/OVMF.fd", "2m", FIRMWARE_ENTRY_GOOD,
	  FIRMWARE_YES, FIRMWARE_YES, FIRMWARE_NO },
	{ "/usr/share/qemu/ovmf-x86_64-xen.bin", "2m", FIRMWARE_ENTRY_GOOD,
	  FIRMWARE_YES, FIRMWARE_YES, FIRMWARE_NO },
	{ "/usr/share/qemu/ovmf-x86_64-xen-4m.bin", "4m", FIRMWARE_ENTRY_SHORT,
	  FIRMWARE_YES, FIRMWARE_YES, FIRMWARE_NO },
	{ "/usr/share/OVMF/OVMF_CODE.fd", "2m", FIRMWARE_ENTRY_CODE,
	  FIRMWARE_NO, FIRMWARE_YES, FIRMWARE_YES },
	{ "/usr/share/OVMF/OVMF_CODE_4M.fd", "4m", FIRMWARE_ENTRY_CODE,
	  FIRMWARE_NO, FIRMWARE_YES, FIRMWARE_YES },
	/* A build with SMM has another driver. */
	{ "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "4m", FIRMWARE_ENTRY_CODE,
	  FIRMWARE_NO, FIRMWARE_NO, FIRMWARE_YES },
};
#define REAL (sizeof(real) / sizeof(real[0]))

static bool
find_real(const char *path, char *to, size_t room)
{
	const char *cache = getenv("PFLASH_CACHE"), *home = getenv("HOME");

	if (*path != '~')
		(void)snprintf(to, room, "%s", path);
	else if (cache)
		(void)snprintf(to, room, "%s/firmware/%s", cache, path + 1);
	else
		(void)snprintf(to, room, "%s/.cache/xen-pflash/firmware/%s",
			       home ? home : "", path + 1);
	if (!access(to, R_OK))
		return true;
	printf("SKIP: %s is not here\n", to);
	return false;
}

START_TEST(real_images)
{
	char path[512];
	struct firmware f;
	struct blob image;

	if (!find_real(real[_i].path, path, sizeof(path)))
		return;
	image = blob_read(path);
	f = examine(image.data, image.len);
	ck_assert_ptr_nonnull(f.layout);
	ck_assert_str_eq(f.layout->name, real[_i].layout);
	ck_assert_int_eq(f.entry, real[_i].entry);
	ck_assert_int_eq(f.xen, real[_i].xen);
	ck_assert_int_eq(f.flash, real[_i].flash);
	ck_assert_int_eq(f.secure_boot, real[_i].secure_boot);
	blob_free(&image);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("firmware");
	TCase *tc = tcase_create("firmware");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, structure, 0, IMAGES);
	tcase_add_loop_test(tc, damaged_headers, 0, HEADERS);
	tcase_add_loop_test(tc, loaded_images, 0, LOADS);
	tcase_add_test(tc, loaded_images_of_other_forms);
	tcase_add_test(tc, wide_header);
	tcase_add_test(tc, other_places);
	tcase_add_loop_test(tc, long_headers, 0, 2);
	tcase_add_test(tc, damaged_contents);
	tcase_add_test(tc, decoder);
	tcase_add_test(tc, decoder_refuses);
	tcase_add_test(tc, decoder_of_damaged_streams);
	tcase_add_loop_test(tc, real_images, 0, REAL);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
