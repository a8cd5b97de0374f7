/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl: what can be done with a VARS file from outside of the guest. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pflashctl.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments;
	const char *description;
};

static const struct command commands[] = {
	{ "export", ctl_export, "VARS OUT",
	  "write the consistent image (VARS plus its journal) to OUT" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int
ctl_fail(int code, const char *fmt, ...)
{
	va_list args;

	fputs("pflashctl: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

static void
help(void)
{
	puts("usage: pflashctl COMMAND ...\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-8s %-10s %s\n", commands[i].name,
		       commands[i].arguments, commands[i].description);
	puts("\nExit codes: 0 done, 1 failed, 2 usage, 3 a file was refused.");
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		return ctl_fail(CTL_USAGE, "no command (see --help)");
	if (strcmp(argv[1], "--help") == 0) {
		help();
		return CTL_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("pflashctl " PFLASH_VERSION);
		return CTL_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return ctl_fail(CTL_USAGE, "unknown command '%s' (see --help)",
			argv[1]);
}
