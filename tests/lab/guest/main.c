/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that only accesses a flash and reports the accesses on its console.
 *
 * Command line (xl: extra=), words in any order:
 *   test=script|random|hole|bench   the test (default: script)
 *   test=hammer|late                tests with several vCPUs
 *   test=hostile                    harmful accesses, without an end
 *   base=ADDRESS                    of the flash (default: 0xffe00000)
 *   seed=N count=N                  for random; count also for other tests
 *   answer=ADDRESS rounds=N         for bench: a server without a flash
 *   vcpus=N size=BYTES              for hammer, late and hostile
 *   balloon=yes                     for hostile: accesses for which Xen may
 *                                   crash the guest
 *   test=middle at=rest|buffer|word|erase|suspend|status|id
 *                                   waits in the middle of that command for a
 *                                   line on the console, or
 *   wait=soft-reset                 makes a soft reset of itself there
 *   control=xenstore                executes requests of xl while it waits
 *   test=steady seed=N              writes until a line is typed; executes
 *                                   requests of xl with control=xenstore
 *   test=become size=BYTES          makes the flash equal to each image of this
 *                                   size in its module (xl: ramdisk=)
 *   test=selftest pause=CYCLES      executes what is typed (selftest.c)
 *   end=poweroff|reboot|crash|soft-reset    (default: poweroff)
 * The report ends with the line "# end"; then the guest shuts down.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/arch-x86/hvm/start_info.h>

#include "chip.h"
#include "flash.h"
#include "tests.h"
#include "xen.h"

#define BASE_DEFAULT 0xffe00000u
#define COUNT_DEFAULT 400u
#define PAUSE_DEFAULT 10000000u
#define HOLE_VALUE 0xff

_Noreturn void guest_main(const struct hvm_start_info *info);
_Noreturn void guest_exception(uint32_t vector, const uint64_t *stack);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

/* The compiler may call these two. */
void *
memcpy(void *to, const void *from, size_t n)
{
	void *di = to;

	__asm__ volatile("rep movsb" : "+D"(di), "+S"(from), "+c"(n)
			 : : "memory");
	return to;
}

void *
memset(void *to, int value, size_t n)
{
	void *di = to;

	__asm__ volatile("rep stosb" : "+D"(di), "+c"(n) : "a"(value)
			 : "memory");
	return to;
}

/* Prints two words of the stack: with or without an error code, one is rip. */
void
guest_exception(uint32_t vector, const uint64_t *stack)
{
	hostile_goes_on((uintptr_t)stack);
	con_text("# exception ");
	con_decimal(vector);
	con_text(" stack ");
	con_hex(stack[0]);
	con_char(' ');
	con_hex(stack[1]);
	con_char('\n');
	xen_end(SHUTDOWN_crash);
}

/* The text after "name=" in the command line, or NULL. */
static const char *
option(const char *line, const char *name)
{
	bool at_word = true;

	for (; *line; at_word = *line++ == ' ') {
		const char *a = line, *b = name;

		while (*b && *a == *b) {
			a++;
			b++;
		}
		if (at_word && !*b && *a == '=')
			return a + 1;
	}
	return NULL;
}

static bool
is_word(const char *text, const char *word)
{
	while (*word && *text == *word) {
		text++;
		word++;
	}
	return !*word && (!*text || *text == ' ');
}

static unsigned int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a' + 10);
	return 16;
}

/* A number as in C: decimal, or hexadecimal after 0x. */
static uint64_t
number(const char *line, const char *name, uint64_t otherwise)
{
	const char *text = option(line, name);
	unsigned int radix = 10;
	uint64_t value = 0;

	if (!text)
		return otherwise;
	if (text[0] == '0' && text[1] == 'x') {
		radix = 16;
		text += 2;
	}
	while (digit(*text) < radix)
		value = value * radix + digit(*text++);
	return value;
}

void
test_hole(void)
{
	unsigned int size;

	for (size = 1; size <= 8; size *= 2) {
		flash_write(0x10, size, 0);
		flash_read(0x10, size);
	}
	con_text(*flash_at(0) == HOLE_VALUE ? "# hole\n" : "# no hole\n");
}

static struct hammer
hammer_of(const char *line, uint64_t count)
{
	return (struct hammer){
		.vcpus = (unsigned int)number(line, "vcpus", 1),
		.count = (unsigned int)count,
		.size = (uint32_t)number(line, "size", FLASH_SIZE),
	};
}

static struct hostile
hostile_of(const char *line)
{
	return (struct hostile){
		.seed = number(line, "seed", 1),
		.vcpus = (unsigned int)number(line, "vcpus", 1),
		.size = (uint32_t)number(line, "size", FLASH_SIZE),
		.balloon = option(line, "balloon") != NULL,
	};
}

/* The index of the option's value in `words`, or of the final NULL. */
static unsigned int
choice(const char *line, const char *name, const char *const *words)
{
	const char *text = option(line, name);
	unsigned int i = 0;

	while (text && words[i] && !is_word(text, words[i]))
		i++;
	return i;
}

static bool
run_middle(const char *line)
{
	static const char *const places[] = {
		[MIDDLE_REST] = "rest",       [MIDDLE_BUFFER] = "buffer",
		[MIDDLE_WORD] = "word",       [MIDDLE_ERASE] = "erase",
		[MIDDLE_SUSPEND] = "suspend", [MIDDLE_STATUS] = "status",
		[MIDDLE_ID] = "id",           NULL,
	};
	struct middle middle = {
		.at = choice(line, "at", places),
		.control.soft_reset = option(line, "wait") != NULL,
		.control.store = option(line, "control") != NULL,
		.seed = (uint8_t)number(line, "seed", 1),
	};

	if (!places[middle.at])
		return false;
	test_middle(&middle);
	return true;
}

static void
run_steady(const char *line)
{
	const struct steady steady = {
		.control.store = option(line, "control") != NULL,
		.seed = (uint8_t)number(line, "seed", 1),
	};

	test_steady(&steady);
}

static void
run_bench(const char *line, uint64_t count)
{
	const struct bench bench = {
		.base = number(line, "base", BASE_DEFAULT),
		.answer = number(line, "answer", 0),
		.count = count,
		.rounds = number(line, "rounds", 1),
	};

	test_bench(&bench);
}

static bool
run_become(const char *line, const struct hvm_start_info *info)
{
	const struct hvm_modlist_entry *module;
	struct become become = { 0 };

	if (info->magic != XEN_HVM_START_MAGIC_VALUE || !info->nr_modules)
		return false;
	module = (const void *)(uintptr_t)info->modlist_paddr;
	become.wanted = (const void *)(uintptr_t)module->paddr;
	become.bytes = (uint32_t)module->size;
	become.size = (uint32_t)number(line, "size", module->size);
	test_become(&become);
	return true;
}

static bool
run(const char *line, const struct hvm_start_info *info)
{
	const char *test = option(line, "test");
	uint64_t count = number(line, "count", COUNT_DEFAULT);

	if (!test || is_word(test, "script"))
		test_script();
	else if (is_word(test, "random"))
		test_random(number(line, "seed", 1), count);
	else if (is_word(test, "hole"))
		test_hole();
	else if (is_word(test, "bench"))
		run_bench(line, count);
	else if (is_word(test, "hammer"))
		test_hammer(hammer_of(line, count));
	else if (is_word(test, "late"))
		test_late(hammer_of(line, count));
	else if (is_word(test, "steady"))
		run_steady(line);
	else if (is_word(test, "selftest"))
		test_selftest(number(line, "pause", PAUSE_DEFAULT));
	else if (is_word(test, "hostile"))
		test_hostile(hostile_of(line));
	else if (is_word(test, "become"))
		return run_become(line, info);
	else
		return is_word(test, "middle") && run_middle(line);
	return true;
}

/* After a soft reset the test is over. */
static _Noreturn void
finish(const char *line)
{
	static const char *const reasons[] = {
		[SHUTDOWN_poweroff] = "poweroff",
		[SHUTDOWN_reboot] = "reboot",
		[SHUTDOWN_suspend] = "suspend",
		[SHUTDOWN_crash] = "crash",
		[SHUTDOWN_watchdog] = "watchdog",
		[SHUTDOWN_soft_reset] = "soft-reset",
		NULL,
	};
	unsigned int reason = choice(line, "end", reasons);

	con_text("# end\n");
	if (!reasons[reason])
		xen_end(SHUTDOWN_crash);
	xen_shutdown(reason);
	con_text("# goes on\n");
	xen_end(SHUTDOWN_poweroff);
}

void
guest_main(const struct hvm_start_info *info)
{
	const char *line = "";

	xen_init();
	if (info->magic == XEN_HVM_START_MAGIC_VALUE && info->cmdline_paddr)
		line = (const char *)(uintptr_t)info->cmdline_paddr;
	con_text("# guest: ");
	con_text(line);
	con_char('\n');
	flash_set_base(number(line, "base", BASE_DEFAULT));
	if (!run(line, info)) {
		con_text("# no such test\n");
		xen_end(SHUTDOWN_crash);
	}
	finish(line);
}
