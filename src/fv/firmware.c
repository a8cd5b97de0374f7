/* SPDX-License-Identifier: BSD-2-Clause */
/* The volumes of a firmware image, and its ELF header. */
#include "pflash/firmware.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "guid.h"
#include "header.h"
#include "volume.h"

#include "pflash/le.h"

#define FOUR_GIB (UINT64_C(1) << 32)
#define FRAME ((size_t)4096)
#define PHDRS_MOST 16u
#define NOTES_MOST 16u

/* xen/include/public/elfnote.h */
#define XEN_ELFNOTE_PHYS32_ENTRY 18u

/* --- the ELF header --- */

struct elf {
	const uint8_t *image;
	size_t size;
	bool wide; /* ELFCLASS64 */
	uint64_t phoff;
	unsigned int phnum, phentsize;
};

struct segment {
	uint32_t type;
	uint64_t offset, paddr, filesz;
};

static bool
open_elf(struct elf *elf, const uint8_t *image, size_t size)
{
	*elf = (struct elf){ .image = image, .size = size };
	if (size < sizeof(Elf64_Ehdr) || memcmp(image, ELFMAG, SELFMAG) != 0 ||
	    image[EI_DATA] != ELFDATA2LSB)
		return false;
	elf->wide = image[EI_CLASS] == ELFCLASS64;
	if (elf->wide) {
		elf->phoff = get_le64(image + offsetof(Elf64_Ehdr, e_phoff));
		elf->phnum = get_le16(image + offsetof(Elf64_Ehdr, e_phnum));
	} else {
		elf->phoff = get_le32(image + offsetof(Elf32_Ehdr, e_phoff));
		elf->phnum = get_le16(image + offsetof(Elf32_Ehdr, e_phnum));
	}
	elf->phentsize = elf->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	return true;
}

static bool
read_segment(const struct elf *elf, unsigned int i, struct segment *segment)
{
	const uint8_t *p;
	uint64_t off = (uint64_t)i * elf->phentsize;

	if (i >= elf->phnum || i >= PHDRS_MOST || elf->phoff > elf->size ||
	    elf->size - elf->phoff < off + elf->phentsize)
		return false;
	p = elf->image + elf->phoff + off;
	segment->type = get_le32(p);
	if (elf->wide) {
		segment->offset = get_le64(p + offsetof(Elf64_Phdr, p_offset));
		segment->paddr = get_le64(p + offsetof(Elf64_Phdr, p_paddr));
		segment->filesz = get_le64(p + offsetof(Elf64_Phdr, p_filesz));
	} else {
		segment->offset = get_le32(p + offsetof(Elf32_Phdr, p_offset));
		segment->paddr = get_le32(p + offsetof(Elf32_Phdr, p_paddr));
		segment->filesz = get_le32(p + offsetof(Elf32_Phdr, p_filesz));
	}
	return true;
}

/* Finds Xen's note of the entry in `len` bytes of notes. */
static bool
find_note(const uint8_t *p, size_t len, uint64_t *entry)
{
	for (unsigned int i = 0; i < NOTES_MOST && len >= 12; i++) {
		uint64_t name = ((uint64_t)get_le32(p) + 3) & ~UINT64_C(3);
		uint64_t data = ((uint64_t)get_le32(p + 4) + 3) & ~UINT64_C(3);

		if (name > len - 12 || data > len - 12 - name)
			return false;
		if (get_le32(p + 8) == XEN_ELFNOTE_PHYS32_ENTRY && name == 4 &&
		    data >= 4 && !memcmp(p + 12, "Xen", 4)) {
			*entry = get_le32(p + 12 + name);
			return true;
		}
		p += 12 + name + data;
		len -= (size_t)(12 + name + data);
	}
	return false;
}

/* The entry of a PVH guest, an address. */
static bool
find_entry(const struct elf *elf, uint64_t *entry)
{
	struct segment s;

	for (unsigned int i = 0; read_segment(elf, i, &s); i++)
		if (s.type == PT_NOTE && s.offset <= elf->size &&
		    s.filesz <= elf->size - s.offset &&
		    find_note(elf->image + s.offset, (size_t)s.filesz, entry))
			return true;
	return false;
}

/*
 * Sets loaded, the end of the part of the image that Xen loads, and entered,
 * the offset of the address `entry`.
 */
static void
find_loaded(const struct elf *elf, uint64_t entry, struct firmware *f)
{
	struct segment s;

	f->loaded = 0;
	f->entered = UINT64_MAX;
	for (unsigned int i = 0; read_segment(elf, i, &s); i++) {
		if (s.type != PT_LOAD || s.offset > elf->size)
			continue;
		if (s.filesz > elf->size - s.offset)
			s.filesz = elf->size - s.offset;
		if (s.offset + s.filesz > f->loaded)
			f->loaded = s.offset + s.filesz;
		if (entry >= s.paddr && entry - s.paddr < s.filesz)
			f->entered = s.offset + (entry - s.paddr);
	}
}

static void
examine_entry(const uint8_t *image, struct firmware *f)
{
	struct elf elf;
	uint64_t entry = 0;

	f->entry = FIRMWARE_ENTRY_NONE;
	f->entered = UINT64_MAX;
	if (f->main_size && f->main == 0) {
		f->entry = FIRMWARE_ENTRY_CODE;
		return;
	}
	if (!open_elf(&elf, image, f->size))
		return;
	f->entry = FIRMWARE_ENTRY_NO_NOTE;
	if (!find_entry(&elf, &entry))
		return;
	find_loaded(&elf, entry, f);
	if (f->loaded < f->size)
		f->entry = FIRMWARE_ENTRY_SHORT;
	else if (f->entered < f->sec || f->entered >= f->size)
		f->entry = FIRMWARE_ENTRY_OUTSIDE;
	else
		f->entry = FIRMWARE_ENTRY_GOOD;
}

static bool
is_image_at(const struct segment *s, uint64_t address)
{
	return s->type == PT_LOAD && s->offset == 0 && s->paddr == address;
}

int
firmware_loaded(const uint8_t *start, size_t size, uint64_t address,
		size_t *loaded, struct error *err)
{
	struct segment s;
	struct elf elf;
	unsigned int i = 0;

	if (!open_elf(&elf, start, size))
		return error_set(err, ENOENT, "no ELF header is at %#" PRIx64,
				 address);
	while (read_segment(&elf, i, &s) && !is_image_at(&s, address))
		i++;
	if (!read_segment(&elf, i, &s))
		return error_set(err, ENOENT,
				 "no segment at %#" PRIx64 " begins with the "
				 "ELF header",
				 address);
	if (s.filesz == 0 || s.filesz % FV_BLOCK_SIZE ||
	    s.filesz > FIRMWARE_MOST)
		return error_set(err, ENOENT,
				 "the segment at %#" PRIx64 " has %#" PRIx64
				 " bytes, not the size of a firmware image",
				 address, s.filesz);
	*loaded = (size_t)s.filesz;
	return 0;
}

/* --- the volumes --- */

/* The first volume of code before SEC; volumes begin at flash blocks. */
static void
find_main(const uint8_t *image, struct firmware *f)
{
	for (size_t off = 0; off < f->sec; off += FV_BLOCK_SIZE) {
		f->main_size = volume_length(image + off, f->sec - off);
		f->main = off;
		if (f->main_size)
			return;
	}
	f->main = 0;
}

/*
 * The layout of the variables: the build's size has it, and the main volume
 * must be where the layout puts it.
 */
static void
find_layout(const uint8_t *image, struct firmware *f)
{
	struct fv_build build;

	if (fv_build_find(image, f->size, &build, NULL) < 0)
		return;
	if (f->main_size && f->main != 0 && f->main != build.layout->size)
		return;
	f->layout = build.layout;
	f->vars_base = build.vars_base;
	f->has_vars = build.has_vars;
}

int
firmware_examine(const uint8_t *image, size_t size, struct firmware *f,
		 struct error *err)
{
	int ret;

	*f = (struct firmware){ .size = size };
	ret = fv_find_sec(image, size, &f->sec, err);
	if (ret < 0)
		return ret;
	f->sec_size = size - f->sec;
	f->base = FOUR_GIB - size;
	find_main(image, f);
	find_layout(image, f);
	examine_entry(image, f);
	return 0;
}

size_t
firmware_served(const struct firmware *f)
{
	return f->sec & ~(FRAME - 1);
}

/* --- the sentences --- */

static const char *
platform(const struct firmware *f)
{
	if (f->xen == FIRMWARE_YES)
		return "OvmfXen";
	if (f->xen == FIRMWARE_NO)
		return "OVMF, but not OvmfXen";
	if (f->entry > FIRMWARE_ENTRY_NO_NOTE && f->layout)
		return "OvmfXen by its header";
	return "OVMF";
}

static const char *
answer(enum firmware_answer answer)
{
	return answer == FIRMWARE_YES ? "yes" :
	       answer == FIRMWARE_NO  ? "no" :
					"unknown";
}

static const char *
entry_text(enum firmware_entry entry)
{
	switch (entry) {
	case FIRMWARE_ENTRY_NONE: return "no";
	case FIRMWARE_ENTRY_CODE: return "not in this part";
	case FIRMWARE_ENTRY_NO_NOTE: return "no, the ELF header names none";
	case FIRMWARE_ENTRY_SHORT:
		return "no, the ELF header is of a smaller "
		       "image";
	case FIRMWARE_ENTRY_OUTSIDE: return "no, it is not in the SEC volume";
	default: return "yes";
	}
}

void
firmware_text(const struct firmware *f, struct error *text)
{
	struct error vars;

	if (f->layout)
		error_set(&vars, 0,
			  "layout %s, variables of %#" PRIx32
			  " bytes at %#" PRIx64,
			  f->layout->name, f->layout->size, f->vars_base);
	else
		error_set(&vars, 0, "variables unknown");
	error_set(text, 0,
		  "%s, %#zx bytes at %#" PRIx64
		  ", %s, SEC volume of %#zx bytes at %#" PRIx64
		  ", Xen ELF entry: %s, flash driver inside: %s, Secure Boot: "
		  "%s",
		  platform(f), f->size, f->base, vars.text, f->sec_size,
		  f->base + f->sec, entry_text(f->entry), answer(f->flash),
		  answer(f->secure_boot));
}

static const char use_ovmfxen[] = "use a build of OvmfXen of 2 MiB";

/* Why no PVH guest can have been started from it; NULL: one can. */
static const char *
refusal(const struct firmware *f)
{
	switch (f->entry) {
	case FIRMWARE_ENTRY_NONE:
		return "the image has no ELF header, so Xen cannot start a PVH "
		       "guest from it: it is OVMF for KVM, or for HVM guests";
	case FIRMWARE_ENTRY_NO_NOTE:
		return "the ELF header of the image names no entry for Xen "
		       "(XEN_ELFNOTE_PHYS32_ENTRY), so Xen cannot start a PVH "
		       "guest from it";
	case FIRMWARE_ENTRY_SHORT:
		return "its ELF header is of a smaller image and does not load "
		       "the SEC volume: edk2 gives OvmfXen the header of the "
		       "2 MiB image in all sizes, so this one starts HVM "
		       "guests only";
	case FIRMWARE_ENTRY_OUTSIDE:
		return "the entry for Xen is not in the SEC volume, so a PVH "
		       "guest cannot start from this image";
	default: break;
	}
	if (f->xen == FIRMWARE_NO)
		return "the image has no drivers for Xen (XenPlatformPei), so "
		       "a PVH guest would stop";
	return NULL;
}

int
firmware_check_pvh(const struct firmware *f, struct error *err)
{
	const char *why = refusal(f);

	if (!why)
		return 0;
	return error_set(err, EINVAL, "%s; %s", why, use_ovmfxen);
}
