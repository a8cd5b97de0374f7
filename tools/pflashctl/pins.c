/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pflashctl pins: the variables of a flash that its guest cannot change, and
 * the values that the host has recorded for them.
 */
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "describe.h"
#include "edit.h"
#include "group.h"
#include "pflash/files.h"
#include "pflash/pins.h"
#include "pflash/store.h"
#include "pflashctl.h"
#include "show.h"
#include "targets.h"
#include "varname.h"

/* --- list ----------------------------------------------------------------- */

struct listing {
	struct edit_options edit;
	const struct varstore *store;
	struct json_object *rows; /* with --json */
};

static int
set_option(void *opaque, int id, const char *arg, struct error *err)
{
	struct listing *listing = opaque;
	int ret = edit_option(&listing->edit, id, arg, err);

	return ret < 0 ? ret : 0;
}

/* "same": VARS has the recorded value; "missing", "other", or "new". */
static const char *
compare(const struct varstore *store, const struct change *change,
	const struct variable *pinned)
{
	struct variable now;
	bool found = varstore_find(store, pinned->guid, pinned->name,
				   pinned->name_size, &now) == 0;

	if (change->kind == CHANGE_REMOVE)
		return found ? "new" : "same";
	if (!found)
		return "missing";
	return now.attributes == pinned->attributes &&
			       now.data_size == pinned->data_size &&
			       memcmp(now.data, pinned->data, now.data_size) ==
				       0 ?
		       "same" :
		       "other";
}

static void
add_json(struct listing *listing, const char *name, const char *state,
	 const char *value)
{
	struct json_object *row = json_object_new_object();

	(void)json_object_object_add(row, "variable",
				     json_object_new_string(name));
	(void)json_object_object_add(row, "vars",
				     json_object_new_string(state));
	(void)json_object_object_add(row, "pinned",
				     value ? json_object_new_string(value) :
					     NULL);
	(void)json_object_array_add(listing->rows, row);
}

static int
print_pin(struct listing *listing, const struct change *change)
{
	struct variable pinned = change_variable(change);
	const char *state = compare(listing->store, change, &pinned);
	char *name = name_text(&pinned, true);
	char *value = change->kind == CHANGE_SET ? describe_value(&pinned) :
						   NULL;
	const char *shown = value ? value : "(no such variable)";

	if (name && listing->rows) {
		add_json(listing, name, state, value);
	} else if (name) {
		show_cell(stdout, (struct text){ name, strlen(name) }, 46);
		printf(" %-8s ", state);
		(void)show_text(stdout, (struct text){ shown, strlen(shown) });
		putchar('\n');
	}
	free(value);
	if (!name)
		return ctl_fail(CTL_FAILED, "out of memory");
	free(name);
	return CTL_OK;
}

static int
print_record(struct listing *listing, const struct changes *record)
{
	int code = CTL_OK;

	if (listing->edit.json)
		listing->rows = json_object_new_array();
	else if (changes_count(record) == 0)
		puts("no variable is pinned yet");
	else
		printf("%-46s %-8s %s\n", "PINNED", "VARS", "VALUE");
	for (size_t i = 0; i < changes_count(record) && code == CTL_OK; i++)
		code = print_pin(listing, changes_at(record, i));
	if (listing->rows)
		answer_print_json(stdout, listing->rows);
	json_object_put(listing->rows);
	return code;
}

static int
list(const struct group_command *command, int argc, char **argv)
{
	struct listing listing = { .rows = NULL };
	int at = group_parse(command, argc, argv, set_option, &listing);
	struct changes *record = changes_new();
	struct edit_reading reading;
	struct files *files = NULL;
	struct pins *pins = NULL;
	struct error err;
	int code, ret;

	if (at < 0 || !record)
		return CTL_USAGE;
	code = edit_read(&listing.edit, argv[at], &reading);
	if (code != CTL_OK)
		return code;
	listing.store = &reading.store;
	ret = files_find(&files, reading.path, listing.edit.journal, NULL,
			  &err);
	if (ret == 0)
		ret = pins_parse(&pins, "auto", &err);
	if (ret == 0)
		ret = pins_read(pins, files, NULL, &err);
	if (ret == 0)
		ret = pins_save(pins, record, &err);
	code = ret < 0 ? ctl_refused(ret, &err) :
			 print_record(&listing, record);
	pins_free(pins);
	if (files)
		files->ops->close(files);
	changes_free(record);
	edit_read_end(&reading);
	return code;
}

/* --- set and accept ------------------------------------------------------- */

struct setting {
	struct edit_options edit;
	struct pins *pins;
	struct files *files;
	bool accept; /* take the values of VARS */
};

static int
set_setting(void *opaque, int id, const char *arg, struct error *err)
{
	struct setting *setting = opaque;
	int ret = edit_option(&setting->edit, id, arg, err);

	return ret < 0 ? ret : 0;
}

/* With the lock on VARS.  The record comes first, as in pins_edit_change(). */
static int
record(void *opaque, const struct store *store, uint8_t *image,
       struct error *err)
{
	struct setting *setting = opaque;
	uint32_t size = store_size(store);
	int ret = pins_read(setting->pins, setting->files, NULL, err), changed;

	if (ret == 0 && setting->accept)
		ret = pins_accept(setting->pins, store_image(store), size, err);
	if (ret < 0)
		return ret;
	memcpy(image, store_image(store), size);
	changed = pins_start(setting->pins, image, size, err);
	if (changed >= 0)
		ret = pins_write(setting->pins, setting->files, NULL, err);
	return ret < 0 ? ret : changed;
}

static int
set_one(struct setting *setting, const char *path, const char *argument)
{
	const struct ctl_options file = {
		.files = { path },
		.journal = setting->edit.journal,
	};
	struct store_config config = ctl_config(&file);
	struct error err;
	int ret = pins_parse(&setting->pins, argument, &err);

	if (ret < 0)
		return ctl_fail(CTL_USAGE, "%s", err.text);
	if (!setting->pins)
		return ctl_fail(CTL_USAGE, "off: the option --pin off of "
					   "pflashd pins nothing");
	ret = files_find(&setting->files, path, setting->edit.journal, NULL,
			  &err);
	config.files = setting->files;
	if (ret == 0)
		ret = store_rewrite(&config, record, setting, &err);
	if (ret == 0) {
		(void)show_text(stdout, (struct text){ path, strlen(path) });
		printf(": %zu names are pinned\n", pins_count(setting->pins));
	}
	if (setting->files)
		setting->files->ops->close(setting->files);
	pins_free(setting->pins);
	setting->files = NULL;
	setting->pins = NULL;
	return ret < 0 ? ctl_refused(ret, &err) : CTL_OK;
}

static int
set_all(struct setting *setting, char **files, unsigned int count,
	const char *argument)
{
	struct targets targets;
	int code = targets_find(&targets, files, count), one;

	if (code == CTL_OK && targets.count > 1 && setting->edit.journal)
		code = ctl_fail(CTL_USAGE, "--journal: for one file only");
	for (size_t i = 0; code != CTL_USAGE && i < targets.count; i++) {
		one = set_one(setting, targets.paths[i], argument);
		code = code == CTL_OK ? one : code;
	}
	targets_free(&targets);
	return code;
}

static int
set(const struct group_command *command, int argc, char **argv)
{
	struct setting setting = { .accept = false };
	int at = group_parse(command, argc, argv, set_setting, &setting);

	if (at < 0)
		return CTL_USAGE;
	return set_all(&setting, argv + at, (unsigned int)(argc - at - 1),
		       argv[argc - 1]);
}

static int
accept_values(const struct group_command *command, int argc, char **argv)
{
	struct setting setting = { .accept = true };
	int at = group_parse(command, argc, argv, set_setting, &setting);

	if (at < 0)
		return CTL_USAGE;
	return set_all(&setting, argv + at, (unsigned int)(argc - at), "auto");
}

static const struct cmdline_option list_options[] = {
	{ "json", EDIT_JSON, false },
	{ "journal", EDIT_JOURNAL, true },
	{ NULL, 0, false },
};

static const struct cmdline_option set_options[] = {
	{ "journal", EDIT_JOURNAL, true },
	{ NULL, 0, false },
};

const struct group_command pins_commands[] = {
	{ "list", list, 1, 1, list_options,
	  "[--json] [--journal FILE] VARS|ID|NAME",
	  "list the pinned variables, and whether VARS has their values",
	  "VARS is `same`, `other` (another value), `missing` or `new` (there "
	  "must be no\nsuch variable).\n" },
	{ "set", set, 2, UINT_MAX, set_options,
	  "[--journal FILE] VARS... keys|mok|boot|VENDOR:NAME,...",
	  "record the values of these variables now, as pflashd does when a "
	  "guest starts",
	  NULL },
	{ "accept", accept_values, 1, UINT_MAX, set_options,
	  "[--journal FILE] VARS...",
	  "record the values that VARS has, in place of those that were "
	  "pinned",
	  "For values that a rollback or another program has written.\n" },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL, NULL },
};
