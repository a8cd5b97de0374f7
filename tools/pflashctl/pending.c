/* SPDX-License-Identifier: BSD-2-Clause */
#include "pending.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "enqueue.h"
#include "pflash/parse.h"
#include "pflashctl.h"
#include "show.h"
#include "targets.h"

enum { JSON = 1, JOURNAL, LIST };

const struct cmdline_option pending_options[] = {
	{ "json", JSON, false },
	{ "journal", JOURNAL, true },
	{ NULL, 0, false },
};

const struct cmdline_option cancel_options[] = {
	{ "list", LIST, true },
	{ "journal", JOURNAL, true },
	{ NULL, 0, false },
};

struct pending {
	const char *journal;
	bool json;
	uint64_t list; /* of cancel; 0: all */
	struct json_object *array;
	struct targets targets;
};

static int
set_option(void *opaque, int id, const char *arg, struct error *err)
{
	struct pending *pending = opaque;

	switch (id) {
	case JSON: pending->json = true; break;
	case JOURNAL: pending->journal = arg; break;
	default:
		return parse_number(arg, PARSE_DECIMAL, 1, QUEUE_MOST,
				    &pending->list, err);
	}
	return 0;
}

static struct store_config
config_of(const struct pending *pending, const char *path)
{
	return (struct store_config){
		.path = path,
		.journal = pending->journal,
	};
}

static struct text
text_of(const char *text)
{
	return (struct text){ text, strlen(text) };
}

/* --- pending --- */

static void
name_of(const struct edit_value *value, char name[CTL_NAME_SIZE])
{
	const struct variable variable = {
		.name = value->name,
		.name_size = value->name_size,
	};

	ctl_name(&variable, name);
}

static void
print_change(const struct change *change)
{
	char name[CTL_NAME_SIZE], guid[GUID_TEXT_SIZE];
	const char *vendor = guid_name(change->value.guid);

	name_of(&change->value, name);
	guid_format(change->value.guid, guid);
	fputs(change->kind == CHANGE_SET ? "      set " : "      remove ",
	      stdout);
	(void)show_text(stdout, text_of(name));
	printf(" (%s)", vendor ? vendor : guid);
	if (change->kind == CHANGE_SET)
		printf(", %" PRIu32 " byte%s", change->value.data_size,
		       change->value.data_size == 1 ? "" : "s");
	if (change->has_condition)
		fputs(", if it is as it was", stdout);
	putchar('\n');
}

static void
print_queue(const char *path, const struct queue *queue)
{
	const struct queue_item *item;
	const struct change *change;
	char when[64];

	(void)show_text(stdout, text_of(path));
	if (!queue_count(queue))
		puts(": no change waits for the next start");
	else
		puts(":");
	for (size_t i = 0; (item = queue_at(queue, i)); i++) {
		ctl_format_time(item->time, when, sizeof(when));
		printf("  %2zu  %s  ", i + 1, when);
		(void)show_text(stdout, text_of(item->text));
		putchar('\n');
		for (size_t k = 0; (change = changes_at(item->changes, k)); k++)
			print_change(change);
	}
}

static void
add(struct json_object *object, const char *name, struct json_object *value)
{
	(void)json_object_object_add(object, name, value);
}

static struct json_object *
json_change(const struct change *change)
{
	struct json_object *object = json_object_new_object();
	char name[CTL_NAME_SIZE], guid[GUID_TEXT_SIZE];
	bool is_set = change->kind == CHANGE_SET;

	if (!object)
		return NULL;
	name_of(&change->value, name);
	guid_format(change->value.guid, guid);
	add(object, "action",
	    json_object_new_string(is_set ? "set" : "remove"));
	add(object, "name", json_object_new_string(name));
	add(object, "guid", json_object_new_string(guid));
	if (is_set) {
		add(object, "attributes",
		    json_object_new_uint64(change->value.attributes));
		add(object, "size",
		    json_object_new_uint64(change->value.data_size));
	}
	add(object, "conditional",
	    json_object_new_boolean(change->has_condition));
	return object;
}

static struct json_object *
json_list(const struct queue_item *item)
{
	struct json_object *object = json_object_new_object();
	struct json_object *changes = json_object_new_array();
	const struct change *change;

	for (size_t i = 0; changes && (change = changes_at(item->changes, i));
	     i++)
		(void)json_object_array_add(changes, json_change(change));
	if (object) {
		add(object, "time",
		    json_object_new_uint64(item->time / 1000000000u));
		add(object, "command", json_object_new_string(item->text));
		add(object, "changes", changes);
	}
	return object;
}

static void
add_queue(struct json_object *array, const char *path,
	  const struct queue *queue)
{
	struct json_object *object = json_object_new_object();
	struct json_object *lists = json_object_new_array();
	const struct queue_item *item;

	for (size_t i = 0; lists && (item = queue_at(queue, i)); i++)
		(void)json_object_array_add(lists, json_list(item));
	if (object) {
		add(object, "file", json_object_new_string(path));
		add(object, "lists", lists);
	}
	(void)json_object_array_add(array, object);
}

static int
show(struct pending *pending, const char *path)
{
	const struct store_config config = config_of(pending, path);
	struct queue *queue;
	struct error err;
	int ret = enqueue_read(&config, &queue, &err);

	if (ret < 0)
		return ctl_refused(ret, &err);
	if (pending->json)
		add_queue(pending->array, path, queue);
	else if (queue_count(queue) || pending->targets.count == 1)
		print_queue(path, queue);
	queue_free(queue);
	return CTL_OK;
}

/* --- cancel --- */

static int
cancel(struct pending *pending, const char *path)
{
	size_t index = pending->list ? (size_t)pending->list - 1 : QUEUE_ALL;
	struct files *files;
	struct error err;
	size_t dropped;
	int ret = files_find(&files, path, pending->journal, NULL, &err);

	if (ret < 0)
		return ctl_refused(ret, &err);
	ret = queue_cancel(files, NULL, index, &dropped, &err);
	files->ops->close(files);
	if (ret < 0)
		return ctl_refused(ret, &err);
	(void)show_text(stdout, text_of(path));
	if (dropped)
		printf(": dropped %zu list%s of changes\n", dropped,
		       dropped == 1 ? "" : "s");
	else
		puts(": no change waits for the next start");
	return CTL_OK;
}

/* --- both --- */

static int
each_file(struct pending *pending,
	  int (*call)(struct pending *pending, const char *path))
{
	int code = CTL_OK, one;

	if (pending->journal && pending->targets.count > 1)
		return ctl_fail(CTL_USAGE, "--journal: for one file only");
	for (size_t i = 0; i < pending->targets.count; i++) {
		one = call(pending, pending->targets.paths[i]);
		if (code == CTL_OK)
			code = one;
	}
	return code;
}

static int
run(const struct group_command *command, int argc, char **argv,
    struct pending *pending,
    int (*call)(struct pending *pending, const char *path))
{
	int first = group_parse(command, argc, argv, set_option, pending), code;

	if (first < 0)
		return CTL_USAGE;
	code = targets_find(&pending->targets, argv + first,
			    (unsigned int)(argc - first));
	if (code == CTL_OK)
		code = each_file(pending, call);
	targets_free(&pending->targets);
	return code;
}

int
vars_pending(const struct group_command *command, int argc, char **argv)
{
	struct pending pending = { .array = json_object_new_array() };
	int code;

	if (!pending.array)
		return ctl_fail(CTL_FAILED, "out of memory");
	code = run(command, argc, argv, &pending, show);
	if (pending.json && code != CTL_USAGE) {
		show_json(stdout,
			  json_object_to_json_string_ext(
				  pending.array, JSON_C_TO_STRING_PRETTY));
		putchar('\n');
	}
	json_object_put(pending.array);
	return code;
}

int
vars_cancel(const struct group_command *command, int argc, char **argv)
{
	struct pending pending = { .list = 0 };

	return run(command, argc, argv, &pending, cancel);
}
