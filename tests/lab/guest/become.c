/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel that attacks what is in its flash: it knows the contents that it
 * wants, and erases and programs until the flash has them.
 */
#include "tests.h"

#include <stdbool.h>

#include "chip.h"
#include "flash.h"
#include "xen.h"

#define SINGLE 64u
#define STEP 64u

struct count {
	uint32_t erased, programmed, different;
};

static uint8_t before[FLASH_PAGE]; /* of the block that is programmed */

/* Not reported as single accesses: there are tens of thousands. */
static void
put(uint32_t off, uint8_t value)
{
	*flash_at(off) = value;
}

static bool
needs_erase(const uint8_t *wanted, uint32_t block)
{
	uint32_t i;

	for (i = 0; i < FLASH_PAGE; i++)
		if (wanted[block + i] & ~*flash_at(block + i))
			return true;
	return false;
}

static void
erase(uint32_t block, struct count *count)
{
	put(block, CMD_ERASE);
	put(block, CMD_CONFIRM);
	put(block, CMD_READ_ARRAY);
	count->erased++;
}

static void
program(const uint8_t *wanted, uint32_t off, struct count *count)
{
	put(off, CMD_PROGRAM_ALT);
	put(off, wanted[off]);
	count->programmed++;
}

/* Programming clears bits only. */
static bool
has_effect(const uint8_t *wanted, uint32_t off)
{
	return before[off % FLASH_PAGE] & ~wanted[off];
}

/* A block that is programmed in one burst, which READ ARRAY ends. */
static void
at_once(const uint8_t *wanted, uint32_t block, struct count *count)
{
	uint32_t off;

	for (off = block; off < block + FLASH_PAGE; off++)
		if (has_effect(wanted, off))
			program(wanted, off, count);
	put(block, CMD_READ_ARRAY);
}

/*
 * In many bursts, from the end of the block on: a variable is none before its
 * header begins with the two bytes of a header. The first bytes of the block
 * are bursts of one byte.
 */
static void
in_steps(const uint8_t *wanted, uint32_t block, struct count *count)
{
	uint32_t left = 0, off;

	for (off = block; off < block + FLASH_PAGE; off++)
		left += has_effect(wanted, off);
	for (off = block + FLASH_PAGE; off-- > block;) {
		if (!has_effect(wanted, off))
			continue;
		program(wanted, off, count);
		if (--left < SINGLE || left % STEP == 0)
			put(off, CMD_READ_ARRAY);
	}
}

static void
make_block(const uint8_t *wanted, uint32_t block, bool steps,
	   struct count *count)
{
	uint32_t i;

	if (needs_erase(wanted, block))
		erase(block, count);
	for (i = 0; i < FLASH_PAGE; i++)
		before[i] = *flash_at(block + i);
	if (steps)
		in_steps(wanted, block, count);
	else
		at_once(wanted, block, count);
}

static void
report(const struct count *count)
{
	con_text("# become: ");
	con_decimal(count->erased);
	con_text(" blocks erased, ");
	con_decimal(count->programmed);
	con_text(" bytes programmed, ");
	con_decimal(count->different);
	con_text(" bytes differ\n");
}

static void
become(const uint8_t *wanted, uint32_t size)
{
	struct count count = { 0 };
	uint32_t off;

	for (off = 0; off < size; off += FLASH_PAGE)
		make_block(wanted, off, false, &count);
	for (off = 0; off < size; off += FLASH_PAGE)
		make_block(wanted, off, true, &count);
	for (off = 0; off < size; off++)
		count.different += *flash_at(off) != wanted[off];
	report(&count);
}

void
test_become(const struct become *how)
{
	uint32_t off;

	for (off = 0; off < how->bytes; off += how->size)
		become(how->wanted + off, how->size);
	control_wait(&how->control);
}
