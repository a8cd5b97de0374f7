/* SPDX-License-Identifier: BSD-2-Clause */
/* Firmware images with the structure of OvmfXen, of every size and age. */
#ifndef SUPPORT_OVMF_H
#define SUPPORT_OVMF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIB (1024u * 1024u)
#define OVMF_LOAD 0x100000u /* where Xen loads it, by its ELF header */

struct ovmf_shape {
	size_t size;
	const char *layout;
	size_t sec_size;
	bool elf;
	uint32_t elf_size; /* the size in the ELF header */
};

/* A volume of `len` bytes with a sound header, as code has. */
void ovmf_put_volume(uint8_t *p, uint32_t len);

/* The header that OvmfXen's image of `size` bytes begins with. */
void ovmf_put_elf(uint8_t *p, uint32_t size);

/* Where the main volume begins. */
size_t ovmf_main(const struct ovmf_shape *shape);

/* Returns the image, to be freed; the main volume has a header only. */
uint8_t *ovmf_make(const struct ovmf_shape *shape);

#endif
