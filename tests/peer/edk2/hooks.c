/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns the drivers' loads and stores into guest accesses. gcc
 * -fsanitize=thread puts a call before every load and store, with its address
 * and width; the functions called are here. The thread sanitizer itself is not
 * linked.
 *
 * The flash's address range is ordinary memory of this process. For a load, the
 * call performs the guest's load and leaves the value in that memory, where the
 * next instruction finds it. For a store, the call only records address and
 * width, because the value is not known yet. The instruction writes the value
 * to that memory, and it is sent to the guest when the next access is announced
 * or when the driver has returned (hooks_settle()). So the flash sees the
 * accesses in program order, each with its own width.
 *
 * Between accesses the memory holds HOOKS_POISON. A load that was not announced
 * reads the poison, and a store that was not announced overwrites it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

static struct {
	uintptr_t addr;
	unsigned int size; /* 0: no access is pending */
	bool store;
} last;

void
hooks_settle(void)
{
	void *memory = (void *)last.addr;
	unsigned int size = last.size;
	uint64_t value = 0;

	if (!size)
		return;
	last.size = 0;
	memcpy(&value, memory, size);
	memset(memory, HOOKS_POISON, size);
	if (last.store)
		guest_store(last.addr, size, value);
}

static void
announce(uintptr_t addr, unsigned int size, bool store)
{
	uint64_t value;

	if (!guest_is_flash(addr, size))
		return;
	hooks_settle();
	last.addr = addr;
	last.size = size;
	last.store = store;
	if (store)
		return;
	value = guest_load(addr, size);
	memcpy((void *)addr, &value, size);
}

static void
refuse(uintptr_t addr, size_t size)
{
	if (!guest_is_flash(addr, size))
		return;
	fprintf(stderr, "unexpected access of %zu bytes at %#lx\n", size,
		(unsigned long)addr);
	abort();
}

/*
 * gcc announces a member of a packed structure as a range. Copies of structures
 * and vector accesses would be announced so too, but edk2 has none of them.
 */
static void
range(uintptr_t addr, size_t size, bool store)
{
	if (size == 1 || size == 2 || size == 4 || size == 8)
		announce(addr, (unsigned int)size, store);
	else
		refuse(addr, size);
}

#define HOOK(name, size, store)                                                \
	void __tsan_##name(uintptr_t addr);                                    \
	void __tsan_##name(uintptr_t addr)                                     \
	{                                                                      \
		announce(addr, size, store);                                   \
	}

#define HOOKS(size)                                                            \
	HOOK(read##size, size, false)                                          \
	HOOK(write##size, size, true)                                          \
	HOOK(volatile_read##size, size, false)                                 \
	HOOK(volatile_write##size, size, true)                                 \
	HOOK(unaligned_read##size, size, false)                                \
	HOOK(unaligned_write##size, size, true)

HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)

#define REFUSE(name)                                                           \
	void __tsan_##name(uintptr_t addr);                                    \
	void __tsan_##name(uintptr_t addr)                                     \
	{                                                                      \
		refuse(addr, 16);                                              \
	}

REFUSE(read16)
REFUSE(write16)
REFUSE(volatile_read16)
REFUSE(volatile_write16)
REFUSE(unaligned_read16)
REFUSE(unaligned_write16)

void __tsan_read_range(uintptr_t addr, size_t size);
void __tsan_write_range(uintptr_t addr, size_t size);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void __tsan_init(void);

void
__tsan_read_range(uintptr_t addr, size_t size)
{
	range(addr, size, false);
}

void
__tsan_write_range(uintptr_t addr, size_t size)
{
	range(addr, size, true);
}

void
__tsan_func_entry(void *caller)
{
	(void)caller;
}

void
__tsan_func_exit(void)
{
}

void
__tsan_init(void)
{
}
