/* SPDX-License-Identifier: BSD-2-Clause */
#include "pending.h"
#include "vars.h"

#include <limits.h>

#include "pending.h"

static const struct cmdline_option list_options[] = {
	{ "all", VARS_ALL, false }, { "json", EDIT_JSON, false },
	{ "at", EDIT_AT, true },    { "journal", EDIT_JOURNAL, true },
	{ NULL, 0, false },
};

static const struct cmdline_option get_options[] = {
	{ "format", VARS_FORMAT, true },
	{ "at", EDIT_AT, true },
	{ "journal", EDIT_JOURNAL, true },
	{ NULL, 0, false },
};

static const struct cmdline_option set_options[] = {
	{ "attr", VARS_ATTR, true },
	{ "time", VARS_TIME, true },
	{ "input", VARS_INPUT, true },
	{ "hex", VARS_HEX, true },
	{ "text", VARS_TEXT, true },
	{ "ascii", VARS_ASCII, true },
	{ "number", VARS_NUMBER, true },
	{ "size", VARS_SIZE, true },
	{ "next-start", EDIT_NEXT_START, false },
	{ "dry-run", EDIT_DRY_RUN, false },
	{ "json", EDIT_JSON, false },
	{ "journal", EDIT_JOURNAL, true },
	{ NULL, 0, false },
};

static const struct cmdline_option rm_options[] = {
	{ "next-start", EDIT_NEXT_START, false },
	{ "dry-run", EDIT_DRY_RUN, false },
	{ "json", EDIT_JSON, false },
	{ "journal", EDIT_JOURNAL, true },
	{ NULL, 0, false },
};

static const struct cmdline_option dump_options[] = {
	{ "at", EDIT_AT, true },
	{ "journal", EDIT_JOURNAL, true },
	{ NULL, 0, false },
};

static const struct cmdline_option load_options[] = {
	{ "replace", VARS_REPLACE, false },
	{ "input", VARS_INPUT, true },
	{ "next-start", EDIT_NEXT_START, false },
	{ "dry-run", EDIT_DRY_RUN, false },
	{ "json", EDIT_JSON, false },
	{ "journal", EDIT_JOURNAL, true },
	{ NULL, 0, false },
};

#define EDITING_USAGE "[--next-start] [--dry-run] [--json] [--journal FILE]"

#define READING_DETAILS                                                        \
	"  --at SEQ         the variables at this point in time\n"             \
	"  --journal FILE   the journal, if it is not VARS.journal\n"

#define EDITING_DETAILS                                                        \
	"  --next-start     keep the changes until the guest starts again\n"   \
	"  --dry-run        show the changes, and make none\n"                 \
	"  --json           report as JSON\n"                                  \
	"  --journal FILE   the journal, if it is not VARS.journal\n"

#define SET_USAGE                                                              \
	"[--attr LIST|NUMBER] [--time TIME] "                                  \
	"[--input FILE | --hex DIGITS | --text STRING | --ascii STRING | "     \
	"--number N --size 1|2|4|8] " EDITING_USAGE " VARS... VARIABLE"

#define SET_DETAILS                                                            \
	"The value is read from standard input, or given by one of:\n"         \
	"  --input FILE     the bytes of a file\n"                             \
	"  --hex DIGITS     hexadecimal digits; blanks between bytes do no "   \
	"harm\n"                                                               \
	"  --text STRING    UTF-16 with a NUL at its end\n"                    \
	"  --ascii STRING   ASCII with a NUL at its end\n"                     \
	"  --number N       little-endian, of --size 1, 2, 4 or 8 bytes\n"     \
	"Other options:\n"                                                     \
	"  --attr LIST      of nv, bs, rt, hr, aw, at, ea; or a number.  "     \
	"Default: those of\n"                                                  \
	"                   the existing variable, or nv,bs,rt\n"              \
	"  --time TIME      of an authenticated variable, as "                 \
	"2010-03-06T19:17:21 (UTC)\n" EDITING_DETAILS VARIABLE_DETAILS

#define VARIABLE_DETAILS                                                       \
	"VARIABLE is VENDOR:NAME; VENDOR is a GUID or a name such as "         \
	"EfiGlobalVariable.\nNAME alone will do if one vendor only has it, "   \
	"or for names of the UEFI\nspecification.  In a name \\uXXXX is a "    \
	"unit of UTF-16, and \\\\ a backslash.\n"

#define RM_DETAILS                                                             \
	"VENDOR and PATTERN are patterns of the shell: quote them.\n"          \
	"They match names of list; no vendor is any vendor.\n" EDITING_DETAILS

const struct group_command vars_commands[] = {
	{ "list", vars_list, 1, UINT_MAX, list_options,
	  "[--all] [--json] [--at SEQ] [--journal FILE] VARS|ID|NAME...",
	  "list the variables and their values",
	  "  --all            with deleted, superseded and incomplete ones\n"
	  "  --json           as JSON\n" READING_DETAILS },
	{ "get", vars_get, 2, 2, get_options,
	  "[--format raw|hex|text|json] [--at SEQ] [--journal FILE] "
	  "VARS|ID|NAME VARIABLE",
	  "write the value of a variable to standard output",
	  "  --format raw     the bytes; the default\n"
	  "  --format hex     hexadecimal digits, in one line\n"
	  "  --format text    in words, as list has it\n"
	  "  --format json    as `vars load` reads it\n" READING_DETAILS
		  VARIABLE_DETAILS },
	{ "set", vars_set, 2, UINT_MAX, set_options, SET_USAGE,
	  "write a variable", SET_DETAILS },
	{ "append", vars_append, 2, UINT_MAX, set_options, SET_USAGE,
	  "append to the value of a variable, or write it if there is none",
	  SET_DETAILS },
	{ "rm", vars_rm, 2, UINT_MAX, rm_options,
	  EDITING_USAGE " VARS... [VENDOR:]PATTERN",
	  "remove the variables whose names match", RM_DETAILS },
	{ "dump", vars_dump, 1, 1, dump_options,
	  "[--at SEQ] [--journal FILE] VARS|ID|NAME",
	  "write all variables to standard output as JSON", READING_DETAILS },
	{ "load", vars_load, 1, UINT_MAX, load_options,
	  "[--replace] [--input FILE] " EDITING_USAGE " VARS...",
	  "write the variables of JSON from standard input",
	  "  --replace        remove the variables that the document lacks, "
	  "except MTC and\n"
	  "                   those that decide which code may run\n"
	  "  --input FILE     read this file\n" EDITING_DETAILS },
	{ "pending", vars_pending, 1, UINT_MAX, pending_options,
	  "[--json] [--journal FILE] VARS|ID|NAME...",
	  "list the changes that wait for the guest's next start",
	  "  --json           as JSON\n"
	  "  --journal FILE   the journal, if it is not VARS.journal\n" },
	{ "cancel", vars_cancel, 1, UINT_MAX, cancel_options,
	  "[--list N] [--journal FILE] VARS|ID|NAME...",
	  "drop the changes that wait for the guest's next start",
	  "  --list N         only this list, a number of `vars pending`\n"
	  "  --journal FILE   the journal, if it is not VARS.journal\n" },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};
