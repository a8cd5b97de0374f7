/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest of `pflashctl selftest`: executes requests that are typed on its
 * console, one letter and the end of a line each.  It checks all bytes that it
 * reads, and does not report single accesses.
 *
 *   s  accesses of every size; then "# sizes ok", or "# sizes failed"
 *   r  rounds of erase and program until a line is typed, with a line "# round
 *      N" after each; then "# rounds ok N", or "# rounds failed N"
 *   m  measurements, "# cycles NAME NUMBER"; then "# measured"
 *   q  the end
 *
 * Each check that fails is a line "# failed: ..."; the guest prints "# ready"
 * before it waits for a request.
 *
 * Round N writes the WORDS bytes N, N + 1, ... to a block of its own, the even
 * rounds to the first one, the odd ones to the second, and is one burst.  It is
 * reported before the next round begins: after a report of N, only round N + 1
 * can have changed the flash.
 */
#include "tests.h"

#include "chip.h"
#include "flash.h"
#include "xen.h"

#define WORDS 32u
#define READY 0x80u
#define PATTERN 0x8877665544332211u
#define SHOWN 8u /* failures that are printed */

/* Blocks that the measurements do not use; tools/pflashctl/selftest_report.h
 * has those of the rounds, too. */
#define ROUNDS_EVEN (SPARE + 0x1000u)
#define ROUNDS_ODD (SPARE + 0x2000u)
#define SIZES (SPARE + 0x3000u)

static unsigned int failures;

static void
put(uint32_t off, uint8_t value)
{
	*flash_at(off) = value;
}

static void
expect(const char *what, uint32_t off, uint64_t wanted, uint64_t got)
{
	if (got == wanted || failures++ >= SHOWN)
		return;
	con_text("# failed: ");
	con_text(what);
	con_text(" at ");
	con_hex(off);
	con_text(" wanted ");
	con_hex(wanted);
	con_text(" got ");
	con_hex(got);
	con_char('\n');
}

static void
write_sized(uint32_t off, unsigned int size, uint64_t value)
{
	volatile void *p = flash_at(off);

	if (size == 1)
		*(volatile uint8_t *)p = (uint8_t)value;
	else if (size == 2)
		*(volatile uint16_t *)p = (uint16_t)value;
	else if (size == 4)
		*(volatile uint32_t *)p = (uint32_t)value;
	else
		*(volatile uint64_t *)p = value;
}

static uint64_t
read_sized(uint32_t off, unsigned int size)
{
	const volatile void *p = flash_at(off);

	if (size == 1)
		return *(const volatile uint8_t *)p;
	if (size == 2)
		return *(const volatile uint16_t *)p;
	if (size == 4)
		return *(const volatile uint32_t *)p;
	return *(const volatile uint64_t *)p;
}

static void
erase(uint32_t block)
{
	put(block, CMD_ERASE);
	put(block, CMD_CONFIRM);
	expect("status of an erase", block, READY, *flash_at(block));
}

/*
 * A byte-wide chip has one cycle for each byte of an access: a wide write can
 * be a series of commands and their data.  Programs every second byte of SIZE
 * bytes at `off`, or one byte for the size 1, and does the same to `copy`.
 */
static void
program_sized(uint32_t off, unsigned int size, uint8_t *copy)
{
	uint64_t value = 0;
	unsigned int i;

	if (size == 1) {
		put(off, CMD_PROGRAM);
		put(off, (uint8_t)PATTERN);
		copy[0] = (uint8_t)PATTERN;
	}
	for (i = 0; i + 1 < size; i += 2) {
		uint8_t data = (uint8_t)(PATTERN >> 8 * (i + 1));

		value |= (uint64_t)(CMD_PROGRAM | (unsigned int)data << 8)
			 << 8 * i;
		copy[i + 1] = data;
	}
	if (size > 1)
		write_sized(off, size, value);
	expect("status of a program", off, READY, *flash_at(off));
}

/* Every size at every alignment. */
static void
read_back(uint32_t block, const uint8_t *copy)
{
	unsigned int size, off, i;

	for (size = 1; size <= 8; size *= 2) {
		for (off = 0; off + size <= WORDS; off++) {
			uint64_t wanted = 0;

			for (i = size; i-- > 0;)
				wanted = wanted << 8 | copy[off + i];
			expect("a read", block + off, wanted,
			       read_sized(block + off, size));
		}
	}
}

static void
all_sizes(void)
{
	static uint8_t copy[WORDS];
	uint32_t off = 0;
	unsigned int size, i;

	failures = 0;
	for (i = 0; i < WORDS; i++)
		copy[i] = 0xff;
	erase(SIZES);
	put(SIZES, CMD_READ_ARRAY);
	read_back(SIZES, copy);
	for (size = 1; size <= 8; size *= 2) {
		program_sized(SIZES + off, size, copy + off);
		off += 8;
	}
	put(SIZES, CMD_READ_ARRAY);
	read_back(SIZES, copy);
	con_text(failures ? "# sizes failed\n" : "# sizes ok\n");
}

/* The two ways to program, in turn for each block. */
static void
program(uint32_t block, uint64_t n)
{
	unsigned int i;

	if (n & 2) {
		put(block, CMD_BUFFER);
		put(block, WORDS - 1);
		for (i = 0; i < WORDS; i++)
			put(block + i, (uint8_t)(n + i));
		put(block, CMD_CONFIRM);
		expect("status of a buffer", block, READY, *flash_at(block));
		return;
	}
	for (i = 0; i < WORDS; i++) {
		put(block + i, CMD_PROGRAM_ALT);
		put(block + i, (uint8_t)(n + i));
		expect("status of a program", block, READY, *flash_at(block));
	}
}

static void
rounds(void)
{
	static uint64_t n;
	unsigned int i;

	failures = 0;
	do {
		uint32_t block = ++n % 2 ? ROUNDS_ODD : ROUNDS_EVEN;

		erase(block);
		program(block, n);
		put(block, CMD_READ_ARRAY);
		for (i = 0; i < WORDS; i++)
			expect("a round", block + i, (uint8_t)(n + i),
			       *flash_at(block + i));
		con_text("# round ");
		con_decimal(n);
		con_char('\n');
		con_send();
	} while (!control_typed());
	con_text(failures ? "# rounds failed " : "# rounds ok ");
	con_decimal(n);
	con_char('\n');
}

/* Returns the letter of a request, when the end of its line was typed. */
static int
request(void)
{
	int letter = 0;

	con_text("# ready\n");
	con_drain();
	for (;;) {
		int c = con_input();

		if (c == '\r' || c == '\n')
			return letter;
		if (c >= 0)
			letter = c;
		else
			xen_yield();
	}
}

void
test_selftest(uint64_t pause)
{
	for (;;) {
		switch (request()) {
		case 's':
			all_sizes();
			break;
		case 'r':
			rounds();
			break;
		case 'm':
			bench_short(pause);
			con_text("# measured\n");
			break;
		case 'q':
			return;
		default:
			con_text("# failed: no such request\n");
		}
	}
}
