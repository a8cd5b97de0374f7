/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile guest: all vCPUs make random accesses of every kind to a flash,
 * until the guest is destroyed. The guest checks nothing; the scenario checks
 * dom0. The guest protects only itself: it writes to no memory of its own but
 * scratch pages, and skips accesses that fault.
 */
#include "tests.h"

#include <stddef.h>

#include <xen/xen.h>
#include <xen/memory.h>

#include "chip.h"
#include "flash.h"
#include "vcpu.h"
#include "xen.h"

#define VCPUS_MAX 8u
#define PAGE FLASH_PAGE
#define SCRATCH (4u * PAGE)
#define STACK 8192u
#define TELL_EACH 16u /* actions */
#define STRING_MAX 4100u

#define PTE_PRESENT 0x001u
#define PTE_WRITE 0x002u
#define PTE_ACCESSED 0x020u
#define PTE_DIRTY 0x040u
#define PTE_LARGE 0x080u
#define PTE_LOW 0xfffu
#define ENTRIES 512u
#define ALIASES 16u /* pages, in a window of a vCPU's own */

struct vcpu {
	void *back[5]; /* where to continue after a fault */
	uintptr_t stack;
	uint64_t state; /* of the generator */
	uint64_t faults;
	uint8_t scratch[SCRATCH] __attribute__((aligned(PAGE)));
	uint64_t directory[ENTRIES] __attribute__((aligned(PAGE)));
	uint64_t table[ENTRIES] __attribute__((aligned(PAGE)));
};

static struct vcpu vcpus[VCPUS_MAX];
static struct hostile hostile;

/* --- chance --------------------------------------------------------------- */

/* xorshift64* (Vigna 2016) */
static uint32_t
draw(struct vcpu *v, uint32_t below)
{
	v->state ^= v->state >> 12;
	v->state ^= v->state << 25;
	v->state ^= v->state >> 27;
	return (uint32_t)((v->state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static uint8_t
draw_byte(struct vcpu *v)
{
	static const uint8_t commands[] = {
		CMD_PROGRAM, CMD_PROGRAM_ALT, CMD_ERASE, CMD_CONFIRM,
		CMD_CLEAR_STATUS, CMD_READ_STATUS, CMD_READ_ID, CMD_CFI_QUERY,
		CMD_READ_ARRAY, CMD_READ_ARRAY, CMD_LOCK_SETUP, CMD_LOCK_BLOCK,
		CMD_SUSPEND, CMD_BUFFER, 0xc0, 0x2f,
	};

	if (draw(v, 4))
		return commands[draw(v, sizeof(commands))];
	return (uint8_t)draw(v, 256);
}

static uint64_t
draw_value(struct vcpu *v)
{
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < 8; i++)
		value = value << 8 | draw_byte(v);
	return value;
}

static uint32_t
flash_address(uint32_t off)
{
	return (uint32_t)(uintptr_t)flash_at(0) + off;
}

/* An unmapped address: low or high, or on either side of the flash. */
static uint32_t
draw_hole(struct vcpu *v)
{
	switch (draw(v, 4)) {
	case 0: return 0x10000000 + draw(v, 0x1000000);
	case 1: return 0xd0000000 + draw(v, 0x1000000);
	case 2: return flash_address(0) - 1 - draw(v, 64);
	default: return flash_address(hostile.size) + draw(v, 64);
	}
}

/* An address in the flash, or near one of its ends. */
static uint32_t
draw_flash(struct vcpu *v)
{
	switch (draw(v, 8)) {
	case 0: return flash_address(0) - 32 + draw(v, 64);
	case 1: return flash_address(hostile.size) - 32 + draw(v, 64);
	case 2: return flash_address(draw(v, 32) * PAGE) - 8 + draw(v, 16);
	default: return flash_address(draw(v, hostile.size));
	}
}

/* An address for a string that does not crash the guest. */
static uintptr_t
draw_place(struct vcpu *v, bool back)
{
	switch (draw(v, 4)) {
	case 0: return draw_hole(v);
	case 1: return draw_flash(v);
	default:
		return (uintptr_t)v->scratch + (back ? SCRATCH - 8 : 0);
	}
}

static void
fill(struct vcpu *v)
{
	uint32_t i;

	for (i = 0; i < 64; i++)
		v->scratch[i] = draw_byte(v);
	for (; i < SCRATCH; i++)
		v->scratch[i] = v->scratch[i % 61];
}

/* --- single accesses ------------------------------------------------------ */

#define ACCESS(insn) \
	__asm__ volatile(insn : "+a"(value) : "r"(p), "c"(0x40404040) \
			 : "memory", "cc")

static void
access(struct vcpu *v, uintptr_t at)
{
	uint64_t value = draw_value(v);
	void *p = (void *)at;

	switch (draw(v, 12)) {
	case 0: ACCESS("movb %%al, (%1)"); break;
	case 1: ACCESS("movw %%ax, (%1)"); break;
	case 2: ACCESS("movl %%eax, (%1)"); break;
	case 3: ACCESS("movq %%rax, (%1)"); break;
	case 4: ACCESS("movb (%1), %%al"); break;
	case 5: ACCESS("movw (%1), %%ax"); break;
	case 6: ACCESS("movl (%1), %%eax"); break;
	case 7: ACCESS("movq (%1), %%rax"); break;
	case 8: ACCESS("movups (%1), %%xmm0"); break;
	case 9: ACCESS("movups %%xmm0, (%1)"); break;
	case 10: ACCESS("xchgl %%eax, (%1)"); break;
	default: ACCESS("lock cmpxchgl %%ecx, (%1)"); break;
	}
}

static void
any_access(struct vcpu *v)
{
	access(v, draw(v, 8) ? draw_flash(v) : draw_hole(v));
}

/* --- strings -------------------------------------------------------------- */

#define STRING(insn) \
	__asm__ volatile("rep " insn "\n\tcld" \
			 : "+D"(di), "+S"(si), "+c"(count) \
			 : "a"(value), "d"(port) : "memory", "cc")

/*
 * rep ins. Xen 4.17 crashes a guest if one element needs two requests, for a
 * port and for memory: the last element of a string into the flash does, even
 * in direct mode. Only a guest that is allowed to crash makes this access.
 */
static void
string_in(struct vcpu *v)
{
	static const uint16_t ports[] = { 0x64, 0xcf9, 0x510, 0x80 };
	uintptr_t di = (uintptr_t)v->scratch, si = di;
	uint64_t count = 2 + draw(v, PAGE / 4 - 2), value = 0;
	uint16_t port = ports[draw(v, 4)];

	if (hostile.balloon && draw(v, 16) == 0)
		di = flash_address(draw(v, hostile.size / PAGE) * PAGE);
	switch (draw(v, 3)) {
	case 0: STRING("insb"); break;
	case 1: STRING("insw"); break;
	default: STRING("insl"); break;
	}
}

static void
string(struct vcpu *v)
{
	bool back = draw(v, 3) == 0;
	uintptr_t di = draw_place(v, back), si = draw_place(v, back);
	uint64_t count = draw(v, 4) ? draw(v, 64) : draw(v, STRING_MAX);
	uint64_t value = draw_value(v);
	uint16_t port = 0;

	/* A string within the scratch pages may have any length. */
	if (count > SCRATCH / 8)
		count = SCRATCH / 8;
	if (draw(v, 4))
		di = draw_flash(v);
	if (back)
		__asm__ volatile("std");
	switch (draw(v, 8)) {
	case 0: STRING("movsb"); break;
	case 1: STRING("movsw"); break;
	case 2: STRING("movsl"); break;
	case 3: STRING("movsq"); break;
	case 4: STRING("stosb"); break;
	case 5: STRING("stosw"); break;
	case 6: STRING("stosq"); break;
	default: STRING("lodsq"); break;
	}
}

/* --- the chip ------------------------------------------------------------- */

static void
put(uint32_t off, uint8_t value)
{
	*flash_at(off) = value;
}

/* The most expensive writes for the disk: each READ ARRAY ends a burst. */
static void
wear(struct vcpu *v)
{
	uint32_t off = draw(v, hostile.size - PAGE), i;

	for (i = 0; i < 16; i++) {
		put(off + i, draw(v, 2) ? CMD_PROGRAM : CMD_PROGRAM_ALT);
		put(off + i, draw_byte(v));
		put(off + i, CMD_READ_ARRAY);
	}
}

static void
wear_by_erase(struct vcpu *v)
{
	uint32_t off = draw(v, hostile.size);

	put(off, CMD_ERASE);
	put(off, CMD_CONFIRM);
	if (draw(v, 2))
		put(off, CMD_SUSPEND);
	put(off, CMD_READ_ARRAY);
}

static void
wear_by_buffer(struct vcpu *v)
{
	uint32_t off = draw(v, hostile.size - PAGE), count = draw(v, 64), i;

	put(off, CMD_BUFFER);
	put(off, (uint8_t)count);
	for (i = 0; i <= count; i++)
		put(off + i, (uint8_t)draw(v, 256));
	put(off, draw(v, 4) ? CMD_CONFIRM : draw_byte(v));
	put(off, CMD_READ_ARRAY);
}

/* The protection register, which has a file of its own. */
static void
wear_by_register(struct vcpu *v)
{
	put(0x80 + draw(v, 32), 0xc0);
	put(0x80 + draw(v, 32), (uint8_t)draw(v, 256));
	put(0, CMD_READ_ARRAY);
}

/* --- page tables ---------------------------------------------------------- */

static uintptr_t
window(const struct vcpu *v)
{
	return (uintptr_t)(4 + (v - vcpus)) << 30;
}

static uint64_t *
table_of(uint64_t entry)
{
	return (uint64_t *)(uintptr_t)(entry & ~(uint64_t)PTE_LOW);
}

static void
flush(uintptr_t at)
{
	__asm__ volatile("invlpg (%0)" : : "r"(at) : "memory");
}

/* Other addresses for the flash: 4 KiB pages, and 2 MiB around it. */
static void
prepare_window(struct vcpu *v)
{
	uint64_t cr3, *pdpt;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	pdpt = table_of(table_of(cr3)[0]);
	v->directory[0] = (uintptr_t)v->table | PTE_PRESENT | PTE_WRITE;
	v->directory[1] = (flash_address(0) & ~0x1fffffu) | PTE_PRESENT |
			  PTE_WRITE | PTE_LARGE;
	pdpt[4 + (v - vcpus)] = (uintptr_t)v->directory | PTE_PRESENT |
				PTE_WRITE;
}

static uint64_t
draw_entry(struct vcpu *v)
{
	uint64_t flags = PTE_PRESENT | (draw(v, 0x80) & ~(uint32_t)PTE_LARGE);
	uint64_t frame = draw(v, 4) ? draw_flash(v) : draw_hole(v);

	return (frame & ~(uint64_t)PTE_LOW) | flags | PTE_WRITE;
}

static void
alias(struct vcpu *v)
{
	uint32_t i = draw(v, ALIASES);
	uintptr_t at = window(v) + i * PAGE;

	v->table[i] = draw_entry(v);
	flush(at);
	/* Across the end of the page; the next page is mapped elsewhere. */
	access(v, at + (draw(v, 2) ? draw(v, PAGE) : PAGE - draw(v, 8)));
	access(v, window(v) + (2u << 20) + flash_address(0) % (2u << 20) +
		       draw(v, hostile.size));
}

/* A page table in the flash: the processor reads it there, and sets its
 * accessed and dirty bits. */
static void
table_in_flash(struct vcpu *v)
{
	uint32_t off = draw(v, hostile.size / PAGE) * PAGE, i;
	uint64_t entry = (uintptr_t)v->scratch | PTE_PRESENT | PTE_WRITE;
	uintptr_t at = window(v) + (4u << 20);

	if (draw(v, 2))
		entry |= PTE_ACCESSED | PTE_DIRTY;
	put(off, CMD_ERASE);
	put(off, CMD_CONFIRM);
	for (i = 0; i < 8; i++) {
		put(off + i, CMD_PROGRAM);
		put(off + i, (uint8_t)(entry >> 8 * i));
	}
	put(off, CMD_READ_ARRAY);
	v->directory[2] = flash_address(off) | PTE_PRESENT | PTE_WRITE |
			  PTE_ACCESSED;
	flush(at);
	access(v, at + draw(v, PAGE - 8));
	v->directory[2] = 0;
	flush(at);
}

/* Gives a frame of the flash back to Xen, or puts one of the guest there. */
static void
balloon(struct vcpu *v)
{
	xen_pfn_t gfn = (flash_address(0) >> 12) + draw(v, hostile.size / PAGE);
	struct xen_memory_reservation what = {
		.nr_extents = 1,
		.domid = DOMID_SELF,
	};

	set_xen_guest_handle(what.extent_start, &gfn);
	xen_memory_op(draw(v, 2) ? XENMEM_decrease_reservation :
				   XENMEM_populate_physmap,
		      &what);
}

/* --- all of it ------------------------------------------------------------ */

bool
hostile_goes_on(uintptr_t stack)
{
	unsigned int id;

	for (id = 0; id < hostile.vcpus; id++) {
		struct vcpu *v = &vcpus[id];

		if (v->stack - stack >= STACK)
			continue;
		v->faults++;
		__asm__ volatile("cld");
		__builtin_longjmp(v->back, 1);
	}
	return false;
}

static void
act(struct vcpu *v)
{
	uint32_t what = draw(v, 1000);

	if (what < 250)
		any_access(v);
	else if (what < 370)
		string(v);
	else if (what < 450)
		string_in(v);
	else if (what < 530)
		wear(v);
	else if (what < 590)
		wear_by_erase(v);
	else if (what < 650)
		wear_by_buffer(v);
	else if (what < 660)
		wear_by_register(v);
	else if (what < 900)
		alias(v);
	else if (what < 950)
		table_in_flash(v);
	else if (what < 960 && hostile.balloon)
		balloon(v);
	else
		fill(v);
}

static void
tell(const struct vcpu *v, uint64_t actions)
{
	con_text("# hostile ");
	con_decimal(actions);
	con_text(" faults ");
	con_decimal(v->faults);
	con_char('\n');
	con_drain();
}

static void
job(unsigned int id)
{
	struct vcpu *v = &vcpus[id];
	volatile uint64_t actions = 0;

	prepare_window(v);
	fill(v);
	v->stack = (uintptr_t)__builtin_frame_address(0);
	if (__builtin_setjmp(v->back))
		actions++;
	for (;; actions++) {
		act(v);
		if (id == 0 && actions % TELL_EACH == 0)
			tell(v, actions);
	}
}

void
test_hostile(struct hostile what)
{
	unsigned int id;

	hostile = what;
	for (id = 0; id < VCPUS_MAX; id++)
		vcpus[id].state = what.seed * 0x9e3779b97f4a7c15ull + id + 1;
	for (id = 1; id < what.vcpus && id < VCPUS_MAX; id++)
		if (!vcpu_prepare(id))
			con_text("# no such vCPU\n");
	vcpu_all(what.vcpus, job);
}
