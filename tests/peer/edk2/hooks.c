/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls that gcc -fsanitize=thread puts in front of every load and store,
 * with the address and the width of the access.  Here they make guest accesses
 * of those that go to the flash.  The thread sanitizer itself is not linked.
 *
 * At the flash's address there is ordinary memory of this process.  A load:
 * the call makes the guest's load and leaves the value there for the
 * instruction behind it.  A store: the call only notes it, for the value is
 * not known yet; it lies in that memory when the next access to the flash is
 * announced or the driver has returned (hooks_settle()), and is sent then.  So
 * accesses reach the flash in the order of the program, each of its own width.
 *
 * Between accesses the memory holds HOOKS_POISON: a load that was not
 * announced would read it, a store would leave something else there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

static struct {
	uintptr_t addr;
	unsigned int size; /* 0: nothing is under way */
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
	fprintf(stderr, "an access of %zu bytes at %#lx\n", size,
		(unsigned long)addr);
	abort();
}

/*
 * A member of a packed structure is announced as a range.  Others would be
 * structures that are copied, and vectors: nothing of edk2's does this.
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
