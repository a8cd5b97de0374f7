/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How Xen splits an access (xen/arch/x86/hvm/emulate.c): at page boundaries
 * first, then, in hvmemul_phys_mmio_access(), into the largest powers of two
 * that fit, at most 8 bytes each. Alignment plays no part.
 */
#include "flash.h"

#include "xen.h"

#define CHUNK_MAX 8u

static uint64_t base;

void
flash_set_base(uint64_t address)
{
	base = address;
}

volatile uint8_t *
flash_at(uint32_t off)
{
	return (volatile uint8_t *)(uintptr_t)(base + off);
}

/* --- report ------------------------------------------------------------- */

static uint64_t
little_endian(const uint8_t *bytes, unsigned int size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | bytes[size];
	return value;
}

static void
report_chunk(char op, uint32_t off, unsigned int size, const uint8_t *bytes)
{
	con_char(op);
	con_char(' ');
	con_hex(off);
	con_char(' ');
	con_hex(size);
	con_char(' ');
	con_hex(little_endian(bytes, size));
	con_char('\n');
}

static void
report_in_page(char op, uint32_t off, unsigned int size, const uint8_t *bytes)
{
	unsigned int chunk = CHUNK_MAX;

	while (size) {
		while (chunk > size)
			chunk /= 2;
		report_chunk(op, off, chunk, bytes);
		off += chunk;
		bytes += chunk;
		size -= chunk;
	}
}

static void
report(char op, uint32_t off, unsigned int size, const void *value)
{
	const uint8_t *bytes = value;
	unsigned int room = FLASH_PAGE - off % FLASH_PAGE;

	if (size > room) {
		report_in_page(op, off, room, bytes);
		off += room;
		bytes += room;
		size -= room;
	}
	report_in_page(op, off, size, bytes);
}

/* --- mov ---------------------------------------------------------------- */

void
flash_write(uint32_t off, unsigned int size, uint64_t value)
{
	volatile void *p = flash_at(off);

	switch (size) {
	case 1:
		__asm__ volatile("movb %b0, (%1)" : : "q"(value), "r"(p)
				 : "memory");
		break;
	case 2:
		__asm__ volatile("movw %w0, (%1)" : : "r"(value), "r"(p)
				 : "memory");
		break;
	case 4:
		__asm__ volatile("movl %k0, (%1)" : : "r"(value), "r"(p)
				 : "memory");
		break;
	default:
		__asm__ volatile("movq %q0, (%1)" : : "r"(value), "r"(p)
				 : "memory");
	}
	report('w', off, size, &value);
}

uint64_t
flash_read(uint32_t off, unsigned int size)
{
	const volatile void *p = flash_at(off);
	uint64_t value = 0;

	switch (size) {
	case 1:
		__asm__ volatile("movzbl (%1), %k0" : "=r"(value) : "r"(p));
		break;
	case 2:
		__asm__ volatile("movzwl (%1), %k0" : "=r"(value) : "r"(p));
		break;
	case 4:
		__asm__ volatile("movl (%1), %k0" : "=r"(value) : "r"(p));
		break;
	default:
		__asm__ volatile("movq (%1), %q0" : "=r"(value) : "r"(p));
	}
	report('r', off, size, &value);
	return value;
}

/* No C code here uses SSE registers, so none is named as clobbered. */
void
flash_write16(uint32_t off, const uint8_t value[16])
{
	__asm__ volatile("movups (%0), %%xmm0\n\tmovups %%xmm0, (%1)"
			 : : "r"(value), "r"(flash_at(off)) : "memory");
	report('w', off, 16, value);
}

void
flash_read16(uint32_t off)
{
	uint8_t value[16];

	__asm__ volatile("movups (%0), %%xmm0\n\tmovups %%xmm0, (%1)"
			 : : "r"(flash_at(off)), "r"(value) : "memory");
	report('r', off, 16, value);
}

/* --- string instructions -------------------------------------------------- */

#define REP(insn, di, si, ax, cx, dir)                                        \
	do {                                                                  \
		if ((dir) == FLASH_DOWN)                                      \
			__asm__ volatile("std\n\trep " insn "\n\tcld"         \
					 : "+D"(di), "+S"(si), "+c"(cx)       \
					 : "a"(ax) : "memory", "cc");         \
		else                                                          \
			__asm__ volatile("rep " insn                          \
					 : "+D"(di), "+S"(si), "+c"(cx)       \
					 : "a"(ax) : "memory", "cc");         \
	} while (0)

static void
rep_movs(uintptr_t to, uintptr_t from, uint64_t count, unsigned int size,
	 enum flash_dir dir)
{
	switch (size) {
	case 1:
		REP("movsb", to, from, 0, count, dir);
		break;
	case 2:
		REP("movsw", to, from, 0, count, dir);
		break;
	case 4:
		REP("movsl", to, from, 0, count, dir);
		break;
	default:
		REP("movsq", to, from, 0, count, dir);
	}
}

static void
rep_stos(uintptr_t to, uint64_t value, uint64_t count, unsigned int size,
	 enum flash_dir dir)
{
	uintptr_t unused = 0;

	switch (size) {
	case 1:
		REP("stosb", to, unused, value, count, dir);
		break;
	case 2:
		REP("stosw", to, unused, value, count, dir);
		break;
	case 4:
		REP("stosl", to, unused, value, count, dir);
		break;
	default:
		REP("stosq", to, unused, value, count, dir);
	}
}

/* Distance in bytes of element i from the first. */
static int64_t
step(uint32_t i, unsigned int size, enum flash_dir dir)
{
	int64_t bytes = (int64_t)i * size;

	return dir == FLASH_DOWN ? -bytes : bytes;
}

static void
report_elements(char op, uint32_t off, const uint8_t *mem, uint32_t count,
		unsigned int size, enum flash_dir dir)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		int64_t at = step(i, size, dir);

		report(op, (uint32_t)(off + at), size, mem + at);
	}
}

void
flash_movs_to(uint32_t off, const void *from, uint32_t count,
	      unsigned int size, enum flash_dir dir)
{
	rep_movs((uintptr_t)flash_at(off), (uintptr_t)from, count, size, dir);
	report_elements('w', off, from, count, size, dir);
}

void
flash_movs_from(uint32_t off, void *to, uint32_t count, unsigned int size,
		enum flash_dir dir)
{
	rep_movs((uintptr_t)to, (uintptr_t)flash_at(off), count, size, dir);
	report_elements('r', off, to, count, size, dir);
}

void
flash_stos(uint32_t off, uint64_t value, uint32_t count, unsigned int size,
	   enum flash_dir dir)
{
	uint32_t i;

	rep_stos((uintptr_t)flash_at(off), value, count, size, dir);
	for (i = 0; i < count; i++)
		report('w', (uint32_t)(off + step(i, size, dir)), size,
		       &value);
}

/* --- read and write ------------------------------------------------------- */

/* Reports a read whose value the guest cannot see, then a plain read of the
 * same byte, which has the value. */
static void
flash_reread(uint32_t off)
{
	uint8_t value = *flash_at(off);

	report('r', off, 1, &value);
	report('r', off, 1, &value);
}

/* A movs inside the flash and a read-modify-write do not show the value read.
 * A flash read changes nothing: a plain read before them has the same value,
 * and is reported, too. */
void
flash_movs_within(uint32_t to, uint32_t from, unsigned int size)
{
	uint64_t value = flash_read(from, size);

	rep_movs((uintptr_t)flash_at(to), (uintptr_t)flash_at(from), 1, size,
		 FLASH_UP);
	report('r', from, size, &value);
	report('w', to, size, &value);
}

static void
report_change(uint32_t off, unsigned int size, uint64_t before,
	      uint64_t after)
{
	report('r', off, size, &before);
	report('w', off, size, &after);
}

void
flash_and(uint32_t off, uint8_t value)
{
	uint64_t before = flash_read(off, 1);

	__asm__ volatile("andb %1, (%0)" : : "r"(flash_at(off)), "q"(value)
			 : "memory", "cc");
	report_change(off, 1, before, before & value);
}

void
flash_or(uint32_t off, uint8_t value)
{
	uint64_t before = flash_read(off, 1);

	__asm__ volatile("orb %1, (%0)" : : "r"(flash_at(off)), "q"(value)
			 : "memory", "cc");
	report_change(off, 1, before, before | value);
}

void
flash_xchg(uint32_t off, uint32_t value)
{
	uint32_t before = value;

	__asm__ volatile("xchgl %0, (%1)" : "+r"(before) : "r"(flash_at(off))
			 : "memory");
	report_change(off, 4, before, value);
}

void
flash_cmpxchg(uint32_t off, uint32_t expected, uint32_t value)
{
	uint32_t before = expected;

	__asm__ volatile("lock cmpxchgl %2, (%1)"
			 : "+a"(before) : "r"(flash_at(off)), "r"(value)
			 : "memory", "cc");
	report('r', off, 4, &before);
	if (before == expected)
		report('w', off, 4, &value);
}

void
flash_cmps(uint32_t off, const uint8_t *with, uint32_t count)
{
	uintptr_t di = (uintptr_t)with;
	uintptr_t si = (uintptr_t)flash_at(off);
	uint64_t left = count;
	uint32_t i, done, last;
	uint8_t equal;

	__asm__ volatile("repe cmpsb\n\tsete %3"
			 : "+D"(di), "+S"(si), "+c"(left), "=q"(equal)
			 : : "memory", "cc");
	done = count - (uint32_t)left;
	last = off + done - 1;
	for (i = 0; i + 1 < done; i++)
		report('r', off + i, 1, with + i);
	if (equal)
		report('r', last, 1, with + i);
	else
		flash_reread(last);
}
