/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random accesses, the same for the same seed. The guest may write any value:
 * the chip's reaction to invalid commands is part of the test.
 */
#include "tests.h"

#include "chip.h"
#include "flash.h"

#define STRING_MAX 24u

static uint8_t buffer[2 * FLASH_PAGE] __attribute__((aligned(FLASH_PAGE)));
static uint64_t state;

/* xorshift64* (Vigna 2016) */
static uint32_t
draw(uint32_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* Half of all values are commands: few random values are. */
static uint8_t
draw_byte(void)
{
	static const uint8_t commands[] = {
		CMD_PROGRAM, CMD_PROGRAM_ALT, CMD_PROGRAM, CMD_ERASE,
		CMD_CONFIRM, CMD_CLEAR_STATUS, CMD_READ_STATUS, CMD_READ_ID,
		CMD_CFI_QUERY, CMD_READ_ARRAY, CMD_READ_ARRAY,
		CMD_LOCK_SETUP, CMD_LOCK_BLOCK, CMD_SUSPEND, CMD_BUFFER,
	};

	if (draw(2))
		return commands[draw(sizeof(commands))];
	return (uint8_t)draw(256);
}

static uint64_t
draw_value(void)
{
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < 8; i++)
		value = value << 8 | draw_byte();
	return value;
}

static void
fill(uint8_t *bytes, uint32_t count)
{
	while (count--)
		*bytes++ = draw_byte();
}

static unsigned int
draw_size(void)
{
	return 1u << draw(4);
}

/* Sometimes near a page boundary; `room` bytes fit on both sides. */
static uint32_t
draw_offset(uint32_t room)
{
	uint32_t page = SPARE + FLASH_PAGE * (1 + draw(14));

	if (draw(4) == 0)
		return page - draw(16);
	return page + draw(FLASH_PAGE - room);
}

/* Strings are aligned: an element on two pages would be one request or two,
 * depending on the mode. */
static uint32_t
draw_aligned(unsigned int size)
{
	return draw_offset(STRING_MAX * 8) & ~(size - 1);
}

static void
string_access(void)
{
	unsigned int size = draw_size();
	uint32_t off = draw_aligned(size);
	uint32_t count = 1 + draw(STRING_MAX);
	enum flash_dir dir = draw(4) ? FLASH_UP : FLASH_DOWN;
	uint8_t *mem = buffer + FLASH_PAGE - draw(256);

	switch (draw(3)) {
	case 0:
		fill(buffer, sizeof(buffer));
		flash_movs_to(off, mem, count, size, dir);
		break;
	case 1:
		flash_movs_from(off, mem, count, size, dir);
		break;
	default:
		flash_stos(off, draw_value(), count, size, dir);
	}
}

static void
odd_access(void)
{
	uint32_t off = draw_offset(16);

	switch (draw(6)) {
	case 0:
		flash_and(off, draw_byte());
		break;
	case 1:
		flash_or(off, draw_byte());
		break;
	case 2:
		flash_xchg(off & ~3u, (uint32_t)draw_value());
		break;
	case 3:
		flash_cmpxchg(off & ~3u, draw(2) ? ~0u : 0x80808080u,
			      (uint32_t)draw_value());
		break;
	case 4:
		fill(buffer, 16);
		flash_write16(off, buffer);
		break;
	default:
		flash_read16(off);
	}
}

/* A whole program or erase, which single random values would rarely form. */
static void
operation(void)
{
	uint32_t off = draw_offset(16);

	if (draw(8)) {
		flash_write(off, 1, draw(2) ? CMD_PROGRAM : CMD_PROGRAM_ALT);
		flash_write(off, draw(4) ? 1 : draw_size(), draw_value());
	} else {
		flash_write(off, 1, CMD_ERASE);
		flash_write(off, 1, CMD_CONFIRM);
	}
	if (draw(2))
		flash_read(off, 1);
	if (draw(2))
		flash_write(off, 1, CMD_READ_ARRAY);
}

void
test_random(uint64_t seed, uint64_t count)
{
	state = seed ? seed : 1;
	while (count--) {
		switch (draw(6)) {
		case 0:
			string_access();
			break;
		case 1:
			odd_access();
			break;
		case 2:
			flash_write(draw_offset(16), draw_size(),
				    draw_value());
			break;
		case 3:
			flash_read(draw_offset(16), draw_size());
			break;
		default:
			operation();
		}
	}
	flash_write(SPARE, 1, CMD_READ_ARRAY);
}
