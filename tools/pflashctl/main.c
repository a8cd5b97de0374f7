/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl: works on VARS files, and asks the pflashds of this host. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"
#include "enqueue.h"
#include "group.h"
#include "keys.h"
#include "pflashctl.h"
#include "show.h"
#include "vars.h"

const struct ctl_command ctl_commands[] = {
	{ "accept", ctl_accept, 1, 1, "j", "VARS",
	  "accept a VARS file that was modified outside pflashd" },
	{ "check", ctl_check, 0, 1, "cj",
	  "[--code FIRMWARE] VARS | --code FIRMWARE",
	  "check file, journal and variables" },
	{ "clone", ctl_clone, 2, 2, "j", "VARS NEW",
	  "copy the variables to a new VARS file, for another guest" },
	{ "compact", ctl_compact, 1, 1, "j", "VARS",
	  "make room in the variable store, as the firmware would do" },
	{ "convert", ctl_convert, 1, 1, "luj", "--layout 2m|4m | --undo VARS",
	  "convert a VARS file to the layout of another build of OVMF" },
	{ "create", ctl_create, 1, 1, "lTrdj",
	  "--layout 2m|4m | --template FILE [--device] [--reset] VARS",
	  "create a VARS file, prepare a block device, or reset one" },
	{ "diff", ctl_diff, 1, 1, "atj", "--at SEQ [--to SEQ] VARS",
	  "list the variables that changed since a point in time" },
	{ "doctor", ctl_doctor, 0, 0, "JR", "[--json] [--root DIR]",
	  "examine the host, and say how to mend each problem" },
	{ "export", ctl_export, 2, 2, "aj", "[--at SEQ] VARS OUT",
	  "write the consistent image (VARS plus its journal) to OUT" },
	{ "forget", ctl_forget, 1, 1, "j", "VARS",
	  "permit pflashd to create a VARS file that a guest had; undo an "
	  "interrupted move" },
	{ "list", ctl_list, 0, 0, "JM", "[--json | --metrics]",
	  "list the flashes that are attached on this host" },
	{ "log", ctl_log, 1, 1, "nbj", "[--last N] [--bursts] VARS",
	  "list the changes of variables in the history, or all points" },
	{ "metrics", ctl_metrics, 0, 0, "o", "[--output FILE]",
	  "print numbers of the attached flashes and their files" },
	{ "mode", ctl_mode, 2, 2, "", "ID|NAME direct|trap",
	  "serve the guest's reads from memory, or by a trap each" },
	{ "move", ctl_move, 2, 2, "jN", "[--new-journal FILE] VARS NEW",
	  "move VARS, journal, history and saved state to a new name" },
	{ "receive", ctl_receive, 1, 1, "ji", "[--incoming] VARS",
	  "create a flash from what `send` on another host writes" },
	{ "remove", ctl_remove, 1, 1, "j", "VARS",
	  "remove a flash: VARS, journal, history, pins and saved state" },
	{ "rollback", ctl_rollback, 1, 1, "tj", "--to SEQ VARS",
	  "restore the image of a point in time" },
	{ "selftest", ctl_selftest, 0, 0, "Jgpsk",
	  "[--json] [--keep] [--timeout SECONDS] [--pflashd FILE] "
	  "[--guest FILE]",
	  "try this Xen host with a small guest of its own, and measure" },
	{ "send", ctl_send, 1, 1, "j", "VARS|ID|NAME",
	  "write a flash, or that of a suspended guest, with its history to "
	  "standard output, and leave it" },
	{ "status", ctl_status, 1, 1, "J", "[--json] ID|NAME",
	  "show the state of a running guest's flash" },
	{ "trace", ctl_trace, 1, 2, "jvLS",
	  "[--vars IMAGE] [--limit SIZE] ID|NAME [OUT] | --stop ID|NAME",
	  "record a running guest's accesses, for pflash-replay" },
	{ "upgrade", ctl_upgrade, 1, 1, "", "ID|NAME",
	  "replace a guest's pflashd by the installed version" },
};

const struct group groups[] = {
	{ "boot", boot_commands, "show and change boot entries" },
	{ "keys", keys_commands,
	  "the keys of Secure Boot: list, enroll, remove, update, refresh" },
	{ "pins", pins_commands, "variables that the guest cannot change" },
	{ "vars", vars_commands, "show and change single variables" },
	{ NULL, NULL, NULL },
};

#define COMMANDS (sizeof(ctl_commands) / sizeof(ctl_commands[0]))

int
ctl_fail(int code, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	fputs("pflashctl: ", stderr);
	if (len >= 0)
		(void)show_text(stderr, (struct text){ text, (size_t)len });
	fputc('\n', stderr);
	if (len >= 0)
		free(text);
	return code;
}

int
ctl_code(int ret)
{
	if (ret == -EBUSY)
		return CTL_BUSY;
	if (ret == -EIO || ret == -ENOSPC || ret == -ENOMEM || ret == -EDQUOT)
		return CTL_FAILED;
	return CTL_FILE;
}

int
ctl_refused(int ret, const struct error *err)
{
	return ctl_fail(ctl_code(ret), "%s", err->text);
}

static void
help(void)
{
	puts("usage: pflashctl COMMAND [--journal FILE] ...\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %s %s\n      %s\n", ctl_commands[i].name,
		       ctl_commands[i].arguments, ctl_commands[i].description);
	for (const struct group *group = groups; group->name; group++)
		printf("  %s COMMAND ...\n      %s\n", group->name,
		       group->description);
	puts("\nExit codes: 0 success, 1 failure, 2 usage, 3 a file was "
	     "refused or is damaged,\n4 the file is in use.");
}

/* A result that was not written is a failure. */
static int
check_output(int code)
{
	if (code == CTL_OK && (fflush(stdout) || ferror(stdout)))
		return ctl_fail(CTL_FAILED,
				"standard output could not be written");
	return code;
}

static int
run(const struct ctl_command *command, int argc, char **argv)
{
	struct ctl_options options;
	int code = ctl_parse(&options, command, argc, argv);

	if (code != CTL_OK)
		return code;
	if (options.help) {
		printf("usage: pflashctl %s %s\n\n%s\n", command->name,
		       command->arguments, command->description);
		return CTL_OK;
	}
	return check_output(command->run(&options));
}

static int
run_group(const struct group *group, int argc, char **argv)
{
	return check_output(group_run(group->commands, argc, argv));
}

int
main(int argc, char **argv)
{
	signal(SIGXFSZ, SIG_IGN); /* write(2) then returns EFBIG */
	enqueue_command(argc, argv);
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
		if (strcmp(argv[1], ctl_commands[i].name) == 0)
			return run(&ctl_commands[i], argc - 1, argv + 1);
	for (const struct group *group = groups; group->name; group++)
		if (strcmp(argv[1], group->name) == 0)
			return run_group(group, argc - 1, argv + 1);
	return ctl_fail(CTL_USAGE, "unknown command '%s' (see --help)",
			argv[1]);
}
