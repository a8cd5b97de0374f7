/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Costs, measured without a report in between. The chip is in array mode at
 * the start and at the end of each; the status register is left clear.
 */
#include "tests.h"

#include "chip.h"
#include "flash.h"
#include "xen.h"

#define BURST 256u

static uint8_t ram[FLASH_SIZE] __attribute__((aligned(FLASH_PAGE)));

static uint64_t
now(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc"
			 : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void
result(const char *what, uint64_t start, uint64_t rounds)
{
	uint64_t cycles = now() - start;

	con_text("# cycles ");
	con_text(what);
	con_char(' ');
	con_decimal(cycles / rounds);
	con_char('\n');
	con_drain();
}

static void
reads(const char *what, const volatile uint8_t *from, uint64_t rounds)
{
	uint64_t start = now(), i;

	for (i = 0; i < rounds; i++)
		(void)*(const volatile uint64_t *)(from + i * 8 % 4096);
	result(what, start, rounds);
}

static void
copies(const char *what, const volatile uint8_t *from, uint64_t rounds)
{
	uint64_t start = now(), i;

	for (i = 0; i < rounds; i++) {
		const volatile void *si = from;
		void *di = ram;
		uint64_t count = FLASH_SIZE / 8;

		__asm__ volatile("rep movsq" : "+S"(si), "+D"(di), "+c"(count)
				 : : "memory");
	}
	result(what, start, rounds);
}

static void
writes(uint64_t rounds)
{
	uint64_t start = now(), i;

	for (i = 0; i < rounds; i++)
		*flash_at(SPARE) = CMD_READ_ARRAY;
	result("write", start, rounds);
}

/* As OVMF writes: set-up and data for each byte, one READ ARRAY at the end. */
static void
bursts(uint64_t rounds)
{
	uint64_t start = now(), i;
	uint32_t off;

	for (i = 0; i < rounds; i++) {
		for (off = SPARE; off < SPARE + BURST; off++) {
			*flash_at(off) = CMD_PROGRAM;
			*flash_at(off) = (uint8_t)off;
		}
		*flash_at(SPARE) = CMD_READ_ARRAY;
	}
	result("burst-of-256", start, rounds);
}

static void
erases(uint64_t rounds)
{
	uint64_t start = now(), i;

	for (i = 0; i < rounds; i++) {
		*flash_at(SPARE) = CMD_ERASE;
		*flash_at(SPARE) = CMD_CONFIRM;
		*flash_at(SPARE) = CMD_READ_ARRAY;
	}
	result("erase", start, rounds);
}

void
test_bench(uint64_t rounds)
{
	reads("ram-read", ram, rounds * 100);
	reads("flash-read", flash_at(0), rounds);
	copies("ram-copy-128k", ram, 4);
	copies("flash-copy-128k", flash_at(0), 4);
	writes(rounds);
	bursts(rounds / BURST + 1);
	erases(rounds / BURST + 1);
}
