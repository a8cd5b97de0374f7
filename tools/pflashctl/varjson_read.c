/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "varjson.h"

#include "pflash/le.h"

#define DEPTH 8          /* of arrays and objects in a document */
#define EFI_TIME_SIZE 16 /* bytes */

/* A document while it is read. */
struct reading {
	struct varjson_variable *to;
	struct error *err;
};

/* The sentence about a member of a variable; returns -EINVAL. */
static int refuse(const struct reading *reading, const char *member,
		  const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int
refuse(const struct reading *reading, const char *member, const char *fmt, ...)
{
	char why[512];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	return error_set(reading->err, EINVAL, "variables[%zu].%s: %s",
			 reading->to->index, member, why);
}

/* --- the members of a variable -------------------------------------------- */

static int
read_hex(const struct reading *reading, const char *member,
	 struct json_object *json, uint8_t **bytes, size_t *size)
{
	struct error why;
	int ret;

	if (!json_object_is_type(json, json_type_string))
		return refuse(reading, member, "not a string");
	ret = hex_read(json_object_get_string(json),
		       (size_t)json_object_get_string_len(json), false, bytes,
		       size, &why);
	if (ret < 0)
		(void)refuse(reading, member, "%s", why.text);
	return ret;
}

static int
read_name(const struct reading *reading, const char *member,
	  struct json_object *json)
{
	struct error why;
	int ret;

	if (!json_object_is_type(json, json_type_string))
		return refuse(reading, member, "not a string");
	if (reading->to->name.units)
		return 0; /* name-utf16 has the name */
	ret = name_read_plain(&reading->to->name, json_object_get_string(json),
			      (size_t)json_object_get_string_len(json), &why);
	if (ret < 0)
		(void)refuse(reading, member, "%s", why.text);
	return ret;
}

static int
read_units(const struct reading *reading, const char *member,
	   struct json_object *json)
{
	struct name *name = &reading->to->name;
	uint8_t *units;
	size_t size;
	int ret = read_hex(reading, member, json, &units, &size);

	if (ret < 0)
		return ret;
	name_free(name);
	name->units = malloc(size + 2);
	if (name->units && size && size % 2 == 0) {
		memcpy(name->units, units, size);
		put_le16(name->units + size, 0);
		name->size = (uint32_t)size + 2;
	} else {
		ret = refuse(reading, member, "%zu bytes are no name", size);
	}
	free(units);
	return ret;
}

static int
read_guid(const struct reading *reading, const char *member,
	  struct json_object *json)
{
	const char *text = json_object_get_string(json);

	if (!json_object_is_type(json, json_type_string) ||
	    strlen(text) != GUID_TEXT_SIZE - 1 ||
	    !guid_parse(text, strlen(text), reading->to->guid))
		return refuse(reading, member, "'%.60s' is not a GUID",
			      text ? text : "null");
	reading->to->value.guid = reading->to->guid;
	return 0;
}

static int
read_attributes(const struct reading *reading, const char *member,
		struct json_object *json)
{
	int64_t number = json_object_get_int64(json);

	if (!json_object_is_type(json, json_type_int) || number < 0 ||
	    number > UINT32_MAX)
		return refuse(reading, member,
			      "not a number from 0 to 4294967295");
	reading->to->value.attributes = (uint32_t)number;
	return 0;
}

static int
read_data(const struct reading *reading, const char *member,
	  struct json_object *json)
{
	size_t size;
	int ret = -EINVAL;

	if (!reading->to->data)
		ret = read_hex(reading, member, json, &reading->to->data,
			       &size);
	if (ret < 0)
		return ret;
	if (size == 0)
		return refuse(reading, member,
			      "no variable has a value of 0 bytes");
	reading->to->value.data = reading->to->data;
	reading->to->value.data_size = (uint32_t)size;
	return 0;
}

/*
 * Nanosecond, time zone and daylight are left out: no firmware compares them
 * (CompareTimeStamp() in edk2's AuthService.c), and virt-firmware writes the
 * microseconds of the host's clock.
 */
static int
read_time(const struct reading *reading, const char *member,
	  struct json_object *json)
{
	struct variable_time *time = &reading->to->value.time;
	uint8_t *bytes;
	size_t size;
	int ret = read_hex(reading, member, json, &bytes, &size);

	if (ret < 0)
		return ret;
	if (size == EFI_TIME_SIZE)
		*time = (struct variable_time){ .year = get_le16(bytes),
						.month = bytes[2],
						.day = bytes[3],
						.hour = bytes[4],
						.minute = bytes[5],
						.second = bytes[6] };
	else
		ret = refuse(reading, member,
			     "%zu bytes are no EFI_TIME, which has %d", size,
			     EFI_TIME_SIZE);
	free(bytes);
	return ret;
}

static int
read_digest(const struct reading *reading, const char *member,
	    struct json_object *json)
{
	uint8_t *bytes;
	size_t size;
	int ret = read_hex(reading, member, json, &bytes, &size);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < size; i++)
		reading->to->has_digest |= bytes[i] != 0;
	free(bytes);
	return 0;
}

static const struct {
	const char *name;
	int (*read)(const struct reading *reading, const char *member,
		    struct json_object *json);
	bool required;
} members[] = {
	{ "name", read_name, true },       { "guid", read_guid, true },
	{ "attr", read_attributes, true }, { "data", read_data, true },
	{ "time", read_time, false },      { "timestamp", read_time, false },
	{ "digest", read_digest, false },  { "name-utf16", read_units, false },
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

/* --- the document --------------------------------------------------------- */

static int
read_member(const struct reading *reading, const char *name,
	    struct json_object *json, unsigned int *found)
{
	for (unsigned int i = 0; i < MEMBERS; i++) {
		if (strcmp(members[i].name, name) != 0)
			continue;
		*found |= 1u << i;
		return members[i].read(reading, name, json);
	}
	return refuse(reading, name, "no such member is known");
}

static int
read_members(const struct reading *reading, struct json_object *json,
	     unsigned int *found)
{
	int ret = 0;

	json_object_object_foreach(json, name, value)
	{
		if (ret == 0)
			ret = read_member(reading, name, value, found);
	}
	return ret;
}

static bool
is_string(const struct name *name)
{
	return variable_name_valid(&(struct variable){
		.name = name->units,
		.name_size = name->size,
	});
}

static int
read_variable(struct varjson *all, struct json_object *json, struct error *err)
{
	struct reading reading = { .to = &all->all[all->count], .err = err };
	unsigned int found = 0;
	int ret;

	*reading.to = (struct varjson_variable){ .index = all->count };
	if (!json_object_is_type(json, json_type_object))
		return error_set(err, EINVAL, "variables[%zu]: not an object",
				 all->count);
	all->count++;
	ret = read_members(&reading, json, &found);
	for (unsigned int i = 0; ret == 0 && i < MEMBERS; i++)
		if (members[i].required && !(found & 1u << i))
			ret = refuse(&reading, members[i].name, "is missing");
	if (ret == 0 && !is_string(&reading.to->name))
		ret = refuse(&reading, "name", "a name has no NUL");
	reading.to->value.name = reading.to->name.units;
	reading.to->value.name_size = reading.to->name.size;
	return ret;
}

static int
read_variables(struct varjson *all, struct json_object *json, struct error *err)
{
	size_t count = json_object_array_length(json);
	int ret = 0;

	all->all = calloc(count + 1, sizeof(*all->all));
	if (!all->all)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; ret == 0 && i < count; i++)
		ret = read_variable(all, json_object_array_get_idx(json, i),
				    err);
	return ret;
}

/* json-c would take 2.0 and "2" for 2. */
static int
read_document(struct varjson *all, struct json_object *json, struct error *err)
{
	struct json_object *version = NULL, *variables = NULL;

	if (!json_object_is_type(json, json_type_object))
		return error_set(err, EINVAL, "the JSON is not an object");
	if (!json_object_object_get_ex(json, "version", &version) ||
	    !json_object_is_type(version, json_type_int) ||
	    json_object_get_int64(version) != 2)
		return error_set(err, EINVAL, "version: not 2");
	if (!json_object_object_get_ex(json, "variables", &variables) ||
	    !json_object_is_type(variables, json_type_array))
		return error_set(err, EINVAL, "variables: not an array");
	json_object_object_foreach(json, name, value)
	{
		if (value != version && value != variables)
			return error_set(err, EINVAL,
					 "%s: no such member is known", name);
	}
	return read_variables(all, variables, err);
}

/* --- names that are there twice ------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const struct varjson_variable *x = *(struct varjson_variable *const *)a;
	const struct varjson_variable *y = *(struct varjson_variable *const *)b;
	int order = memcmp(x->guid, y->guid, GUID_SIZE);

	if (order == 0)
		order = (x->name.size > y->name.size) -
			(x->name.size < y->name.size);
	if (order == 0)
		order = memcmp(x->name.units, y->name.units, x->name.size);
	return order;
}

/* Two variables of one vendor and name are neighbours in the sorted list. */
static int
sort(struct varjson *json, struct error *err)
{
	const struct varjson_variable **sorted;

	sorted = calloc(json->count + 1, sizeof(*sorted));
	json->sorted = sorted;
	if (!sorted)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < json->count; i++)
		sorted[i] = &json->all[i];
	qsort(sorted, json->count, sizeof(*sorted), compare);
	for (size_t i = 1; i < json->count; i++)
		if (compare(&sorted[i - 1], &sorted[i]) == 0)
			return error_set(err, EINVAL,
					 "variables[%zu] and variables[%zu] "
					 "are the same variable",
					 sorted[i - 1]->index,
					 sorted[i]->index);
	return 0;
}

bool
varjson_find(const struct varjson *json, const uint8_t *guid,
	     const uint8_t *name, uint32_t name_size)
{
	struct varjson_variable key = {
		.name = { (uint8_t *)name, name_size },
	};
	const struct varjson_variable *wanted = &key;

	memcpy(key.guid, guid, GUID_SIZE);
	return bsearch(&wanted, json->sorted, json->count,
		       sizeof(*json->sorted), compare) != NULL;
}

/* ------------------------------------------------------------------------- */

static int
refuse_text(struct json_tokener *tokener, const char *text, struct error *err)
{
	enum json_tokener_error error = json_tokener_get_error(tokener);
	size_t end = json_tokener_get_parse_end(tokener), line = 1;

	for (size_t i = 0; i < end; i++)
		line += text[i] == '\n';
	return error_set(err, EINVAL, "line %zu: not JSON: %s", line,
			 error == json_tokener_continue ?
				 "it ends too early" :
				 json_tokener_error_desc(error));
}

int
varjson_read(struct varjson *json, const char *text, size_t len,
	     struct error *err)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH);
	struct json_object *document;
	int ret;

	*json = (struct varjson){ .all = NULL };
	if (!tokener)
		return error_set(err, ENOMEM, "out of memory");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT |
						JSON_TOKENER_VALIDATE_UTF8);
	document = json_tokener_parse_ex(tokener, text, (int)len);
	if (json_tokener_get_error(tokener) != json_tokener_success)
		ret = refuse_text(tokener, text, err);
	else
		ret = read_document(json, document, err);
	json_object_put(document);
	json_tokener_free(tokener);
	return ret == 0 ? sort(json, err) : ret;
}

void
varjson_free(struct varjson *json)
{
	for (size_t i = 0; i < json->count; i++) {
		name_free(&json->all[i].name);
		free(json->all[i].data);
	}
	free(json->all);
	free(json->sorted);
	*json = (struct varjson){ .all = NULL };
}
