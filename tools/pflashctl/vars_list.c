/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl vars list */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "attributes.h"
#include "describe.h"
#include "pflashctl.h"
#include "show.h"
#include "varname.h"
#include "vars.h"

#define WIDEST 40 /* columns of a cell; longer ones move the rest of a line */

struct row {
	struct variable variable;
	char *name;  /* with escapes */
	char *value; /* in words */
};

struct list {
	struct edit_options edit;
	bool all;
	/* Of one file. */
	struct row *rows;
	size_t count, room;
	/* With --json: of all files. */
	struct json_object *files;
};

static int
set_option(void *opaque, int id, const char *arg, struct error *err)
{
	struct list *list = opaque;
	int ret = edit_option(&list->edit, id, arg, err);

	if (ret == 0)
		list->all = true;
	return ret < 0 ? ret : 0;
}

/* --- the rows of one file ------------------------------------------------- */

static bool
make_room(struct list *list)
{
	size_t room = list->room ? 2 * list->room : 64;
	struct row *rows;

	if (list->count < list->room)
		return true;
	rows = realloc(list->rows, room * sizeof(*rows));
	if (!rows)
		return false;
	list->rows = rows;
	list->room = room;
	return true;
}

static int
add_row(void *opaque, const struct variable *variable)
{
	struct list *list = opaque;
	struct row *row;

	if (!variable->live && !list->all)
		return 0;
	if (!make_room(list))
		return -ENOMEM;
	row = &list->rows[list->count++];
	*row = (struct row){
		.variable = *variable,
		.name = name_text(variable, true),
		.value = describe_value(variable),
	};
	return row->name && row->value ? 0 : -ENOMEM;
}

static void
free_rows(struct list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->rows[i].name);
		free(list->rows[i].value);
	}
	list->count = 0;
}

/* --- a table -------------------------------------------------------------- */

static size_t
columns(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

static void
widen(size_t *width, const char *text)
{
	size_t wanted = columns(text);

	if (wanted > *width)
		*width = wanted < WIDEST ? wanted : WIDEST;
}

static void
print_cell(const char *text, size_t width)
{
	show_cell(stdout, (struct text){ text, strlen(text) }, width);
	putchar(' ');
}

static void
print_row(const struct list *list, const struct row *row, const size_t *widths)
{
	char guid[GUID_TEXT_SIZE], attributes[ATTRIBUTES_TEXT_SIZE];

	attributes_text(row->variable.attributes, attributes);
	if (list->all)
		print_cell(state_word(&row->variable), 10);
	print_cell(row->name, widths[0]);
	print_cell(name_vendor(&row->variable, guid), widths[1]);
	print_cell(attributes, widths[2]);
	printf("%6" PRIu32 "  ", row->variable.data_size);
	(void)show_text(stdout,
			(struct text){ row->value, strlen(row->value) });
	putchar('\n');
}

static void
print_table(const struct list *list)
{
	size_t widths[] = { 4, 6, 10 };
	char text[GUID_TEXT_SIZE > ATTRIBUTES_TEXT_SIZE ? GUID_TEXT_SIZE :
							  ATTRIBUTES_TEXT_SIZE];

	for (size_t i = 0; i < list->count; i++) {
		const struct variable *v = &list->rows[i].variable;

		widen(&widths[0], list->rows[i].name);
		widen(&widths[1], name_vendor(v, text));
		attributes_text(v->attributes, text);
		widen(&widths[2], text);
	}
	if (list->all)
		print_cell("STATE", 10);
	print_cell("NAME", widths[0]);
	print_cell("VENDOR", widths[1]);
	print_cell("ATTRIBUTES", widths[2]);
	printf("%6s  VALUE\n", "SIZE");
	for (size_t i = 0; i < list->count; i++)
		print_row(list, &list->rows[i], widths);
}

/* --- JSON ----------------------------------------------------------------- */

static void
add_text(struct json_object *to, const char *member, const char *text)
{
	(void)json_object_object_add(to, member, json_object_new_string(text));
}

static void
add_number(struct json_object *to, const char *member, uint64_t number)
{
	(void)json_object_object_add(to, member,
				     json_object_new_uint64(number));
}

static struct json_object *
row_json(const struct row *row)
{
	const struct variable *v = &row->variable;
	struct json_object *json = json_object_new_object();
	char guid[GUID_TEXT_SIZE], attributes[ATTRIBUTES_TEXT_SIZE];
	char time[TIME_TEXT_SIZE];
	char *name = name_text(v, false);

	guid_format(v->guid, guid);
	attributes_text(v->attributes, attributes);
	time_text(&v->time, time);
	add_text(json, "name", name ? name : row->name);
	add_text(json, "guid", guid);
	if (guid_name(v->guid))
		add_text(json, "vendor", guid_name(v->guid));
	add_number(json, "attr", v->attributes);
	add_text(json, "attributes", attributes);
	add_text(json, "state", state_word(v));
	add_number(json, "size", v->data_size);
	if (v->time.year)
		add_text(json, "time", time);
	add_text(json, "value", row->value);
	free(name);
	return json;
}

static void
add_file(struct list *list, const char *path)
{
	struct json_object *file = json_object_new_object();
	struct json_object *rows = json_object_new_array();

	add_text(file, "file", path);
	for (size_t i = 0; i < list->count; i++)
		(void)json_object_array_add(rows, row_json(&list->rows[i]));
	(void)json_object_object_add(file, "variables", rows);
	(void)json_object_array_add(list->files, file);
}

/* ------------------------------------------------------------------------- */

static int
list_file(struct list *list, const char *file, bool several)
{
	struct edit_reading reading;
	int code = edit_read(&list->edit, file, &reading), ret;

	if (code != CTL_OK)
		return code;
	ret = varstore_each(&reading.store, add_row, list);
	if (several && !list->edit.json) {
		(void)show_text(stdout, (struct text){ reading.path,
						       strlen(reading.path) });
		puts(":");
	}
	if (list->edit.json)
		add_file(list, reading.path);
	else
		print_table(list);
	free_rows(list);
	if (ret == -ENOMEM)
		code = ctl_fail(CTL_FAILED, "out of memory");
	else if (ret < 0)
		code = ctl_fail(CTL_FILE,
				"%s: the chain of variables is broken, and the "
				"list ends there (see pflashctl check)",
				reading.path);
	edit_read_end(&reading);
	return code;
}

int
vars_list(const struct group_command *command, int argc, char **argv)
{
	struct list list = { .all = false };
	int first = group_parse(command, argc, argv, set_option, &list);
	int result = CTL_OK, code;

	if (first < 0)
		return CTL_USAGE;
	if (argc - first > 1 && list.edit.journal)
		return ctl_fail(CTL_USAGE, "--journal: for one file only");
	list.files = json_object_new_array();
	for (int i = first; i < argc; i++) {
		code = list_file(&list, argv[i], argc - first > 1);
		result = result == CTL_OK ? code : result;
	}
	if (list.edit.json)
		answer_print_json(stdout, list.files);
	json_object_put(list.files);
	free(list.rows);
	return result;
}
