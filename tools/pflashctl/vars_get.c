/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl vars get, vars dump */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "pflashctl.h"
#include "show.h"
#include "varjson.h"
#include "varname.h"
#include "vars.h"

#include "pflash/parse.h"

enum format { FORMAT_RAW, FORMAT_HEX, FORMAT_TEXT, FORMAT_JSON };

static const struct parse_choice formats[] = {
	{ "raw", FORMAT_RAW },   { "hex", FORMAT_HEX }, { "text", FORMAT_TEXT },
	{ "json", FORMAT_JSON }, { NULL, 0 },
};

struct get {
	struct edit_options edit;
	int format;
};

static int
set_option(void *opaque, int id, const char *arg, struct error *err)
{
	struct get *get = opaque;
	int ret = edit_option(&get->edit, id, arg, err);

	if (ret == 0)
		return parse_choice(formats, arg, &get->format, err);
	return ret < 0 ? ret : 0;
}

static void
print_hex(const struct variable *variable)
{
	for (uint32_t i = 0; i < variable->data_size; i++)
		printf("%02x", variable->data[i]);
	putchar('\n');
}

static int
print_text(const struct variable *variable)
{
	char *text = describe_value(variable);

	if (!text)
		return ctl_fail(CTL_FAILED, "out of memory");
	(void)show_text(stdout, (struct text){ text, strlen(text) });
	putchar('\n');
	free(text);
	return CTL_OK;
}

static int
print_value(const struct variable *variable, int format)
{
	switch (format) {
	case FORMAT_HEX: print_hex(variable); return CTL_OK;
	case FORMAT_TEXT: return print_text(variable);
	case FORMAT_JSON:
		if (!variable_name_valid(variable))
			return ctl_fail(CTL_FILE,
					"the name is no string, so that JSON "
					"has none for it");
		varjson_begin(stdout);
		varjson_write(stdout, variable, true);
		varjson_end(stdout);
		return CTL_OK;
	default:
		(void)fwrite(variable->data, 1, variable->data_size, stdout);
		return CTL_OK;
	}
}

static int
get_from(const struct get *get, const char *file, const struct wanted *wanted)
{
	struct edit_reading reading;
	struct variable variable;
	uint8_t guid[GUID_SIZE];
	struct error err;
	int code = edit_read(&get->edit, file, &reading), ret;

	if (code != CTL_OK)
		return code;
	ret = wanted_find(wanted, &reading.store, guid, &variable, &err);
	if (ret == 0 && !variable.live)
		ret = wanted_missing(wanted, &err);
	code = ret < 0 ? ctl_fail(CTL_FILE, "%s: %s", reading.path, err.text) :
			 print_value(&variable, get->format);
	edit_read_end(&reading);
	return code;
}

int
vars_get(const struct group_command *command, int argc, char **argv)
{
	struct get get = { .format = FORMAT_RAW };
	int first = group_parse(command, argc, argv, set_option, &get), code;
	struct wanted wanted;
	struct error err;

	if (first < 0)
		return CTL_USAGE;
	if (wanted_read(&wanted, argv[first + 1], &err) < 0)
		return ctl_fail(CTL_USAGE, "get: %s", err.text);
	code = get_from(&get, argv[first], &wanted);
	wanted_free(&wanted);
	return code;
}

/* --- all variables as JSON ------------------------------------------------ */

struct dump {
	size_t count;
	size_t unnamed; /* left out */
};

static int
dump_variable(void *opaque, const struct variable *variable)
{
	struct dump *dump = opaque;

	if (!variable->live)
		return 0;
	if (variable_name_valid(variable))
		varjson_write(stdout, variable, dump->count++ == 0);
	else
		dump->unnamed++;
	return 0;
}

static int
dump_all(const struct edit_reading *reading)
{
	struct dump dump = { 0 };
	int ret;

	varjson_begin(stdout);
	ret = varstore_each(&reading->store, dump_variable, &dump);
	varjson_end(stdout);
	if (dump.unnamed)
		(void)ctl_fail(CTL_OK,
			       "%s: left out %zu variables whose names are no "
			       "strings",
			       reading->path, dump.unnamed);
	if (ret < 0)
		return ctl_fail(CTL_FILE,
				"%s: the chain of variables is broken, and the "
				"JSON ends there (see pflashctl check)",
				reading->path);
	return CTL_OK;
}

static int
set_dump_option(void *opaque, int id, const char *arg, struct error *err)
{
	int ret = edit_option(opaque, id, arg, err);

	return ret < 0 ? ret : 0;
}

int
vars_dump(const struct group_command *command, int argc, char **argv)
{
	struct edit_options options = { .journal = NULL };
	int first = group_parse(command, argc, argv, set_dump_option, &options);
	struct edit_reading reading;
	int code;

	if (first < 0)
		return CTL_USAGE;
	code = edit_read(&options, argv[first], &reading);
	if (code != CTL_OK)
		return code;
	code = dump_all(&reading);
	edit_read_end(&reading);
	return code;
}
