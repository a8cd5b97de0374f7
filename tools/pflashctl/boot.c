/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl boot: the boot entries of VARS files. */
#include "boot.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "boot_plan.h"
#include "edit.h"
#include "pflash/parse.h"
#include "pflashctl.h"

enum { CLEAR = 'c', ONLY = 'o' };

struct options {
	struct edit_options edit;
	bool clear, only;
};

static int
set_option(void *opaque, int id, const char *value, struct error *err)
{
	struct options *options = opaque;
	int ret = edit_option(&options->edit, id, value, err);

	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (id == CLEAR)
		options->clear = true;
	else
		options->only = true;
	return 0;
}

#define EDIT_OPTIONS                                                           \
	{ "journal", EDIT_JOURNAL, true }, { "json", EDIT_JSON, false },       \
		{ "dry-run", EDIT_DRY_RUN, false },                            \
	{                                                                      \
		"next-start", EDIT_NEXT_START, false                           \
	}

static const struct cmdline_option list_options[] = {
	{ "journal", EDIT_JOURNAL, true },
	{ "json", EDIT_JSON, false },
	{ "at", EDIT_AT, true },
	{ NULL, 0, false },
};

static const struct cmdline_option edit_only[] = {
	EDIT_OPTIONS,
	{ NULL, 0, false },
};

static const struct cmdline_option order_options[] = {
	EDIT_OPTIONS,
	{ "only", ONLY, false },
	{ NULL, 0, false },
};

static const struct cmdline_option clear_options[] = {
	EDIT_OPTIONS,
	{ "clear", CLEAR, false },
	{ NULL, 0, false },
};

/*
 * Parses the command line.  The last argument is not a file, but *word, if
 * `word` is not NULL; with --clear there is no such argument.  False after a
 * message.
 */
static bool
parse(const struct group_command *command, int argc, char **argv,
      struct options *options, char ***files, unsigned int *count,
      const char **word)
{
	int first;

	*options = (struct options){ .clear = false };
	first = group_parse(command, argc, argv, set_option, options);
	if (first < 0)
		return false;
	*files = argv + first;
	*count = (unsigned int)(argc - first);
	if (!word || options->clear)
		return true;
	if (*count < 2) {
		(void)ctl_fail(CTL_USAGE, "usage: pflashctl boot %s %s",
			       command->name, command->arguments);
		return false;
	}
	*word = (*files)[--*count];
	return true;
}

static int
edit_words(const struct group_command *command, int argc, char **argv,
	   edit_plan *plan)
{
	struct boot_select select = { .words = NULL };
	struct options options;
	unsigned int count;
	char **files;

	if (!parse(command, argc, argv, &options, &files, &count,
		   &select.words))
		return CTL_USAGE;
	select.clear = options.clear;
	select.only = options.only;
	return edit_files(&options.edit, files, count, true, plan, &select);
}

static int
boot_remove(const struct group_command *command, int argc, char **argv)
{
	return edit_words(command, argc, argv, boot_plan_remove);
}

static int
boot_order(const struct group_command *command, int argc, char **argv)
{
	return edit_words(command, argc, argv, boot_plan_order);
}

static int
boot_next(const struct group_command *command, int argc, char **argv)
{
	return edit_words(command, argc, argv, boot_plan_next);
}

static int
boot_timeout(const struct group_command *command, int argc, char **argv)
{
	struct boot_number number = { .value = 0 };
	const char *word = NULL;
	struct options options;
	unsigned int count;
	uint64_t seconds;
	struct error err;
	char **files;

	if (!parse(command, argc, argv, &options, &files, &count, &word))
		return CTL_USAGE;
	number.clear = options.clear;
	if (word) {
		if (parse_number(word, PARSE_DECIMAL, 0, UINT16_MAX, &seconds,
				 &err) < 0)
			return ctl_fail(CTL_USAGE, "timeout: %s", err.text);
		number.value = (uint16_t)seconds;
	}
	return edit_files(&options.edit, files, count, true, boot_plan_timeout,
			  &number);
}

static int
boot_setup(const struct group_command *command, int argc, char **argv)
{
	struct boot_number number = { .value = 0 };
	struct options options;
	unsigned int count;
	char **files;

	if (!parse(command, argc, argv, &options, &files, &count, NULL))
		return CTL_USAGE;
	number.clear = options.clear;
	return edit_files(&options.edit, files, count, true, boot_plan_setup,
			  &number);
}

static int
boot_reset(const struct group_command *command, int argc, char **argv)
{
	struct options options;
	unsigned int count;
	char **files;

	if (!parse(command, argc, argv, &options, &files, &count, NULL))
		return CTL_USAGE;
	return edit_files(&options.edit, files, count, true, boot_plan_reset,
			  NULL);
}

/* The first file has the entries, the others get them. */
static int
boot_copy(const struct group_command *command, int argc, char **argv)
{
	const struct edit_options now = { .journal = NULL };
	struct edit_reading from;
	struct options options;
	unsigned int count;
	char **files;
	int code;

	if (!parse(command, argc, argv, &options, &files, &count, NULL))
		return CTL_USAGE;
	code = edit_read(&now, files[0], &from);
	if (code != CTL_OK)
		return code;
	code = edit_files(&options.edit, files + 1, count - 1, true,
			  boot_plan_copy, &from.store);
	edit_read_end(&from);
	return code;
}

#define EDIT_USAGE "[--dry-run] [--next-start] [--json] [--journal FILE] "
#define EDIT_DETAILS                                                           \
	"  --dry-run     say what would change, and change nothing\n"          \
	"  --next-start  keep the changes until the guest's next start\n"      \
	"  --json        report as JSON\n"                                     \
	"  --journal     the journal, of a single file; default VARS.journal\n"

#define ORDER_DETAILS                                                          \
	"  --only        drop the other entries from the order\n" EDIT_DETAILS
#define RESET_DETAILS                                                          \
	"The firmware makes entries for its disks and network cards anew.\n"   \
	"Keys and all other variables stay.\n\n" EDIT_DETAILS

const struct group_command boot_commands[] = {
	{ "list", boot_list, 1, 1, list_options,
	  "[--json] [--at SEQ] [--journal FILE] VARS|GUEST",
	  "list boot entries, their order and what is booted next",
	  "  --json     print JSON, with all bytes of paths and data\n"
	  "  --at       the variables at this point in time, see pflashctl "
	  "log\n"
	  "  --journal  the journal; default VARS.journal\n" },
	{ "add", boot_add, 1, UINT_MAX, boot_add_options,
	  "--label TEXT [--file PATH] [--disk DISK] [--partition N] "
	  "[--partition-guid GUID] [--device-path PATH] [--data TEXT] "
	  "[--data-hex DIGITS] [--first|--last|--index N] [--inactive] "
	  "[--number NNNN] " EDIT_USAGE "VARS...",
	  "add a boot entry, first in the order",
	  "  --label           the description\n"
	  "  --file            path in the partition, as "
	  "'\\EFI\\debian\\shimx64.efi';\n"
	  "                    alone: on the first disk that has this file\n"
	  "  --disk            block device or raw image of the disk; without "
	  "a partition:\n"
	  "                    its only EFI system partition\n"
	  "  --partition       number of the partition\n"
	  "  --partition-guid  its GUID; without a disk --partition is needed, "
	  "too\n"
	  "  --device-path     whole device path, as text or hexadecimal "
	  "digits\n"
	  "  --data            data for the program, as text; --data-hex: as "
	  "bytes\n"
	  "  --first, --last, --index  the place in BootOrder; index 0 is the "
	  "first\n"
	  "  --inactive        the firmware does not boot it by itself\n"
	  "  --number          four hexadecimal digits; default: a free "
	  "number\n" EDIT_DETAILS },
	{ "rm", boot_remove, 2, UINT_MAX, edit_only,
	  EDIT_USAGE "VARS... NNNN|PATTERN[,...]",
	  "remove boot entries, by number or by a pattern of the description",
	  EDIT_DETAILS },
	{ "order", boot_order, 2, UINT_MAX, order_options,
	  "[--only] " EDIT_USAGE "VARS... NNNN|PATTERN[,...]",
	  "put boot entries first in the order", ORDER_DETAILS },
	{ "next", boot_next, 1, UINT_MAX, clear_options,
	  EDIT_USAGE "VARS... NNNN|PATTERN | --clear VARS...",
	  "boot an entry at the next start, once",
	  "  --clear       boot in the usual order\n" EDIT_DETAILS },
	{ "timeout", boot_timeout, 1, UINT_MAX, clear_options,
	  EDIT_USAGE "VARS... SECONDS | --clear VARS...",
	  "set the variable Timeout; OVMF sets it anew at each start",
	  "  --clear       remove the variable\n" EDIT_DETAILS },
	{ "setup", boot_setup, 1, UINT_MAX, clear_options,
	  "[--clear] " EDIT_USAGE "VARS...",
	  "show the firmware's menu at the next start, once",
	  "  --clear       do not show it\n" EDIT_DETAILS },
	{ "copy", boot_copy, 2, UINT_MAX, edit_only, EDIT_USAGE "FROM VARS...",
	  "replace boot entries and their order by those of another file",
	  EDIT_DETAILS },
	{ "reset", boot_reset, 1, UINT_MAX, edit_only, EDIT_USAGE "VARS...",
	  "remove all boot entries, BootOrder and BootNext; keep the rest",
	  RESET_DETAILS },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};
