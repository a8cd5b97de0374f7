/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses to the flash, one function for each kind of instruction. Each
 * performs the access and reports it on the console in the pieces into which
 * Xen splits it: "w OFFSET SIZE VALUE" or "r OFFSET SIZE VALUE", in hex.
 *
 * Offsets and counts are not checked. Sizes are in bytes, counts in elements.
 */
#ifndef LAB_GUEST_FLASH_H
#define LAB_GUEST_FLASH_H

#include <stdint.h>

#define FLASH_PAGE 4096u

/* Direction of a string instruction (EFLAGS.DF). */
enum flash_dir { FLASH_UP, FLASH_DOWN };

/* Guest-physical address of offset 0; below 4 GiB. */
void flash_set_base(uint64_t base);
volatile uint8_t *flash_at(uint32_t off);

/* mov: sizes 1, 2, 4 and 8 at any offset. */
void flash_write(uint32_t off, unsigned int size, uint64_t value);
uint64_t flash_read(uint32_t off, unsigned int size);

/* movups */
void flash_write16(uint32_t off, const uint8_t value[16]);
void flash_read16(uint32_t off);

/* rep movs and rep stos. With FLASH_DOWN, `off` and the memory address are
 * those of the highest element. */
void flash_movs_to(uint32_t off, const void *from, uint32_t count,
		   unsigned int size, enum flash_dir dir);
void flash_movs_from(uint32_t off, void *to, uint32_t count,
		     unsigned int size, enum flash_dir dir);
void flash_stos(uint32_t off, uint64_t value, uint32_t count,
		unsigned int size, enum flash_dir dir);

/* movs of one element inside the flash. */
void flash_movs_within(uint32_t to, uint32_t from, unsigned int size);

/* Instructions that read and write one byte (and, or) or four. */
void flash_and(uint32_t off, uint8_t value);
void flash_or(uint32_t off, uint8_t value);
void flash_xchg(uint32_t off, uint32_t value);
/* lock cmpxchg: writes only if it reads `expected`. */
void flash_cmpxchg(uint32_t off, uint32_t expected, uint32_t value);

/* repe cmpsb with memory: stops after the first byte that differs. */
void flash_cmps(uint32_t off, const uint8_t *with, uint32_t count);

#endif
