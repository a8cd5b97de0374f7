/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that writes all the time and checks all bytes that it reads, during
 * saves, migrations and changes of the flash's mode. It executes requests of
 * xl in the middle of a command. It does not report single accesses.
 */
#include "tests.h"

#include "chip.h"
#include "flash.h"
#include "xen.h"

#define BLOCK SPARE
#define WORDS 32u
#define READY 0x80u
#define TELL_EVERY 8u

static const struct steady *steady;
static unsigned int round_number, failures;

static void
put(uint32_t off, uint8_t value)
{
	*flash_at(off) = value;
}

static void
expect(const char *what, uint32_t off, uint8_t wanted)
{
	uint8_t got = *flash_at(off);

	if (got == wanted || failures++ > 10)
		return;
	con_text("# failed: ");
	con_text(what);
	con_text(": round ");
	con_decimal(round_number);
	con_text(" at ");
	con_hex(off);
	con_text(" wanted ");
	con_hex(wanted);
	con_text(" got ");
	con_hex(got);
	con_char('\n');
}

static uint8_t
word(unsigned int i)
{
	return (uint8_t)(steady->seed + round_number + i);
}

/* Looks for requests in three rounds of four, at another place in each. */
static void
something_may_happen(unsigned int place)
{
	if (round_number % 4 == place)
		control_look(&steady->control);
}

static void
erase(void)
{
	unsigned int i;

	put(BLOCK, CMD_ERASE);
	something_may_happen(0);
	put(BLOCK, CMD_CONFIRM);
	expect("status of an erase", BLOCK, READY);
	put(BLOCK, CMD_READ_ARRAY);
	for (i = 0; i < WORDS; i++)
		expect("erased", BLOCK + i, 0xff);
}

static void
program_words(void)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++) {
		put(BLOCK + i, CMD_PROGRAM_ALT);
		if (i == round_number % WORDS)
			something_may_happen(1);
		put(BLOCK + i, word(i));
		expect("status of a program", BLOCK, READY);
	}
}

static void
program_buffer(void)
{
	unsigned int i;

	put(BLOCK, CMD_BUFFER);
	expect("status of a buffer", BLOCK, READY);
	put(BLOCK, WORDS - 1);
	for (i = 0; i < WORDS; i++) {
		if (i == round_number % WORDS)
			something_may_happen(2);
		put(BLOCK + i, word(i));
	}
	put(BLOCK, CMD_CONFIRM);
	expect("status of a buffered program", BLOCK, READY);
}

static void
one_round(void)
{
	unsigned int i;

	erase();
	if (round_number % 2)
		program_words();
	else
		program_buffer();
	put(BLOCK, CMD_READ_ARRAY);
	for (i = 0; i < WORDS; i++) {
		if (i == WORDS / 2)
			something_may_happen(3);
		expect("programmed", BLOCK + i, word(i));
	}
}

static void
tell(const char *text)
{
	con_text(text);
	con_decimal(round_number);
	con_char('\n');
	con_drain();
}

void
test_steady(const struct steady *what)
{
	steady = what;
	do {
		if (++round_number % TELL_EVERY == 0)
			tell("# round ");
		one_round();
	} while (!control_typed());
	tell(failures ? "# steady failed after " : "# steady ok after ");
}
