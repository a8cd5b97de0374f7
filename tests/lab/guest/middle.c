/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command of the chip that is interrupted by an event of the guest, such as a
 * save. At the end the block holds the same WORDS bytes after every event.
 */
#include "tests.h"

#include "chip.h"
#include "flash.h"
#include "xen.h"

#define BLOCK SPARE
#define WORDS 32u
#define READY 0x80u
#define ERASE_SUSPENDED 0xc0u
#define MAKER 0x89u

static const struct middle *middle;
static unsigned int failures;

static void
command(uint8_t value)
{
	flash_write(BLOCK, 1, value);
}

static void
expect(uint32_t off, uint64_t wanted)
{
	if (flash_read(off, 1) == wanted)
		return;
	con_text("# failed: that was not ");
	con_hex(wanted);
	con_char('\n');
	failures++;
}

static uint8_t
word(unsigned int i)
{
	return (uint8_t)(middle->seed + i);
}

static void
something_happens(void)
{
	control_wait(&middle->control);
}

static void
erase(void)
{
	command(CMD_ERASE);
	command(CMD_CONFIRM);
	expect(BLOCK, READY);
}

static void
expect_erased(void)
{
	unsigned int i;

	command(CMD_READ_ARRAY);
	for (i = 0; i < WORDS; i++)
		expect(BLOCK + i, 0xff);
}

static void
program(unsigned int i)
{
	command(CMD_PROGRAM_ALT);
	flash_write(BLOCK + i, 1, word(i));
	expect(BLOCK, READY);
}

static void
program_all(void)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		program(i);
}

static void
in_buffer(void)
{
	unsigned int i;

	command(CMD_BUFFER);
	expect(BLOCK, READY);
	command(WORDS - 1);
	for (i = 0; i < WORDS; i++) {
		if (i == WORDS / 2)
			something_happens();
		flash_write(BLOCK + i, 1, word(i));
	}
	expect(BLOCK, READY);
	command(CMD_CONFIRM);
	expect(BLOCK, READY);
}

static void
in_word(void)
{
	unsigned int i;

	for (i = 0; i < WORDS / 2; i++)
		program(i);
	command(CMD_PROGRAM_ALT);
	something_happens();
	flash_write(BLOCK + i, 1, word(i));
	expect(BLOCK, READY);
	while (++i < WORDS)
		program(i);
}

static void
in_erase(void)
{
	program_all();
	command(CMD_ERASE);
	something_happens();
	command(CMD_CONFIRM);
	expect(BLOCK, READY);
	expect_erased();
	program_all();
}

static void
in_suspend(void)
{
	program_all();
	erase();
	command(CMD_SUSPEND);
	expect(BLOCK, ERASE_SUSPENDED);
	something_happens();
	expect(BLOCK, ERASE_SUSPENDED);
	command(CMD_CONFIRM);
	expect(BLOCK, READY);
	expect_erased();
	program_all();
}

static void
in_status(void)
{
	program_all();
	command(CMD_READ_STATUS);
	something_happens();
	expect(BLOCK, READY);
}

static void
in_id(void)
{
	program_all();
	command(CMD_READ_ID);
	something_happens();
	expect(0, MAKER);
}

static void
at_rest(void)
{
	program_all();
	command(CMD_READ_ARRAY);
	something_happens();
	expect(BLOCK, word(0));
}

void
test_middle(const struct middle *what)
{
	static void (*const commands[])(void) = {
		[MIDDLE_REST] = at_rest, [MIDDLE_BUFFER] = in_buffer,
		[MIDDLE_WORD] = in_word, [MIDDLE_ERASE] = in_erase,
		[MIDDLE_SUSPEND] = in_suspend, [MIDDLE_STATUS] = in_status,
		[MIDDLE_ID] = in_id,
	};
	unsigned int i;

	middle = what;
	erase();
	expect_erased();
	commands[what->at]();
	command(CMD_READ_ARRAY);
	for (i = 0; i < WORDS; i++)
		expect(BLOCK + i, word(i));
	con_text(failures ? "# middle failed\n" : "# middle ok\n");
}
