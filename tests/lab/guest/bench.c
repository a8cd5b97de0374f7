/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures the cost of accesses, without reports in between. The chip is in
 * array mode at the start and at the end of each measurement, the status
 * register clear. Each access runs once before its measurement: the first time
 * costs more in the emulator and in Xen.
 */
#include "tests.h"

#include <stddef.h>

#include "chip.h"
#include "flash.h"
#include "xen.h"

#define BURST 64u
#define WARM_UP 32
#define SAMPLES 100u
#define FEW_SAMPLES 5u
#define TRAPPED 20000 /* cycles at least; a read of memory takes some tens */

static uint8_t ram[FLASH_SIZE] __attribute__((aligned(FLASH_PAGE)));
static uint8_t target[FLASH_SIZE] __attribute__((aligned(FLASH_PAGE)));

static uint64_t
now(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc"
			 : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void
result(const char *whose, const char *what, uint64_t cycles, uint64_t count)
{
	con_text("# cycles ");
	con_text(whose);
	con_text(what);
	con_char(' ');
	con_decimal(cycles / count);
	con_char('\n');
	con_drain();
}

static uint64_t
read_all(const volatile uint8_t *from, uint64_t count)
{
	uint64_t start = now(), i;

	for (i = 0; i < count; i++)
		(void)*(const volatile uint64_t *)(from + i * 8 % 4096);
	return now() - start;
}

/* A read of memory is short: it needs more repetitions than a trap. */
static void
reads(const char *what, const volatile uint8_t *from, uint64_t count)
{
	(void)read_all(from, 4096 / 8);
	if (read_all(from, WARM_UP) / WARM_UP < TRAPPED)
		count *= 100;
	result("", what, read_all(from, count), count);
}

static uint64_t
copy_all(const volatile uint8_t *from)
{
	const volatile void *si = from;
	void *di = target;
	uint64_t count = FLASH_SIZE / 8, start = now();

	__asm__ volatile("rep movsq" : "+S"(si), "+D"(di), "+c"(count)
			 : : "memory");
	return now() - start;
}

static void
copies(const char *what, const volatile uint8_t *from)
{
	(void)copy_all(from);
	result("", what, copy_all(from), 1);
}

static uint64_t
write_all(uint64_t count)
{
	uint64_t start = now(), i;

	for (i = 0; i < count; i++)
		*flash_at(SPARE) = CMD_READ_ARRAY;
	return now() - start;
}

/* OVMF's sequence: set-up and data for each byte, one READ ARRAY at the end. */
static uint64_t
burst(void)
{
	uint64_t start = now();
	uint32_t off;

	for (off = SPARE; off < SPARE + BURST; off++) {
		*flash_at(off) = CMD_PROGRAM;
		*flash_at(off) = (uint8_t)off;
	}
	*flash_at(SPARE) = CMD_READ_ARRAY;
	return now() - start;
}

static uint64_t
erase(void)
{
	uint64_t start = now();

	*flash_at(SPARE) = CMD_ERASE;
	*flash_at(SPARE) = CMD_CONFIRM;
	*flash_at(SPARE) = CMD_READ_ARRAY;
	return now() - start;
}

/* Traps to the server that has claimed `base`. */
static void
traps(const char *whose, uint64_t base, uint64_t count)
{
	flash_set_base(base);
	(void)write_all(WARM_UP);
	result(whose, "write", write_all(count), count);
	result(whose, "burst-of-64", burst(), 1);
	result(whose, "erase", erase(), 1);
}

static void
view(const char *what, uint8_t command, uint64_t count)
{
	*flash_at(0) = command;
	reads(what, flash_at(0), count);
	*flash_at(0) = CMD_READ_ARRAY;
}

void
test_bench(const struct bench *bench)
{
	uint64_t count = bench->count, i;

	for (i = 0; i < bench->rounds; i++) {
		if (bench->answer)
			traps("answer-", bench->answer, count);
		traps("", bench->base, count);
		reads("ram-read", ram, count);
		view("array-read", CMD_READ_ARRAY, count);
		view("status-read", CMD_READ_STATUS, count);
		view("id-read", CMD_READ_ID, count);
		view("query-read", CMD_CFI_QUERY, count);
		copies("ram-copy-128k", ram);
		copies("flash-copy-128k", flash_at(0));
	}
}

/* --- a short one, for a person who waits --------------------------------- */

static uint64_t samples[SAMPLES];

static void
sort_samples(unsigned int count)
{
	unsigned int i, k;

	for (i = 1; i < count; i++) {
		uint64_t sample = samples[i];

		for (k = i; k > 0 && samples[k - 1] > sample; k--)
			samples[k] = samples[k - 1];
		samples[k] = sample;
	}
}

static uint64_t
one_write(void)
{
	return write_all(1);
}

static uint64_t
view_change(void)
{
	uint64_t start = now();

	*flash_at(SPARE) = CMD_READ_ID;
	*flash_at(SPARE) = CMD_READ_ARRAY;
	return now() - start;
}

/* The accesses run once before, as everywhere. */
static void
sampled(const char *what, const char *what90, uint64_t (*run)(void),
	unsigned int count, uint64_t pause)
{
	unsigned int i;

	(void)run();
	for (i = 0; i < count; i++) {
		uint64_t start = now();

		while (now() - start < pause)
			;
		samples[i] = run();
	}
	sort_samples(count);
	result("", what, samples[count / 2], 1);
	if (what90)
		result("", what90, samples[count * 9 / 10], 1);
}

void
bench_short(uint64_t pause)
{
	(void)write_all(WARM_UP);
	sampled("write", "write-p90", one_write, SAMPLES, 0);
	sampled("write-asleep", "write-asleep-p90", one_write, SAMPLES, pause);
	sampled("view-change", "view-change-p90", view_change, SAMPLES, 0);
	sampled("burst-of-64", NULL, burst, FEW_SAMPLES, 0);
	sampled("erase", NULL, erase, FEW_SAMPLES, 0);
	reads("ram-read", ram, SAMPLES);
	reads("array-read", flash_at(0), SAMPLES);
	copies("ram-copy-128k", ram);
	copies("flash-copy-128k", flash_at(0));
}
