/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "pflash/control.h"

#define DEPTH 16 /* of nesting; known members need 1 */
#define WORD_SIZE 32

enum kind {
	SOCKET, /* a number taken from the socket, not from the answer */
	NUMBER,
	WORD, /* a short text of letters, digits, ".+~_-" */
	TEXT,
};

/* In the order of output. */
static const struct member {
	const char *name;
	enum kind kind;
} members[] = {
	{ STATUS_DOMAIN, SOCKET },
	{ STATUS_NAME, TEXT },
	{ STATUS_STATE, WORD },
	{ STATUS_PID, SOCKET },
	{ STATUS_WORKER, NUMBER },
	{ STATUS_RESTARTS, NUMBER },
	{ STATUS_VERSION, WORD },
	{ STATUS_VARS, TEXT },
	{ STATUS_JOURNAL, TEXT },
	{ STATUS_QUEUED, NUMBER },
	{ STATUS_BASE, NUMBER },
	{ STATUS_SIZE, NUMBER },
	{ STATUS_MODE, WORD },
	{ STATUS_SYNC, WORD },
	{ STATUS_SYNC_REASON, TEXT },
	{ STATUS_PERSONALITY, WORD },
	{ STATUS_SANDBOX, WORD },
	{ STATUS_TRACE, WORD },
	{ STATUS_SINCE, NUMBER },
	{ STATUS_REQUESTS, NUMBER },
	{ STATUS_READS, NUMBER },
	{ STATUS_WRITES, NUMBER },
	{ STATUS_BURSTS, NUMBER },
	{ STATUS_CHECKPOINTS, NUMBER },
	{ STATUS_SYNCS, NUMBER },
	{ STATUS_REFUSED, NUMBER },
	{ STATUS_WRITTEN, NUMBER },
	{ STATUS_THROTTLED, NUMBER },
	{ STATUS_THROTTLED_SECONDS, NUMBER },
	{ STATUS_TAKEOVERS, NUMBER },
	{ STATUS_TRACED, NUMBER },
	{ STATUS_TRACE_LOST, NUMBER },
	{ STATUS_ERRORS, NUMBER },
	{ STATUS_FAILURE, TEXT },
	{ STATUS_ERROR, TEXT },
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

/* json-c turns every number that is too large into UINT64_MAX. */
static bool
is_number(struct json_object *value)
{
	return json_object_is_type(value, json_type_int) &&
	       json_object_get_int64(value) >= 0 &&
	       json_object_get_uint64(value) != UINT64_MAX;
}

static bool
is_word(const char *text, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.+~_-";

	if (len == 0 || len > WORD_SIZE)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!text[i] || !strchr(allowed, text[i]))
			return false;
	return true;
}

static bool
is_valid(enum kind kind, struct json_object *value)
{
	if (kind == NUMBER)
		return is_number(value);
	if (kind == SOCKET || !json_object_is_type(value, json_type_string))
		return false;
	return kind == TEXT ||
	       is_word(json_object_get_string(value),
		       (size_t)json_object_get_string_len(value));
}

/*
 * Only blanks may follow the object.  NULL with a sentence.  The tokener is not
 * set to JSON_TOKENER_STRICT: since json-c 0.18 that refuses the whole answer
 * if one number is too large or one text has a control character, and versions
 * would differ in what they show.
 */
static struct json_object *
parse(const char *text, size_t len, struct error *err)
{
	struct json_tokener *tokener = json_tokener_new_ex(DEPTH);
	struct json_object *object = NULL;
	size_t end = 0;

	if (!tokener) {
		error_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	if (len <= INT_MAX) {
		object = json_tokener_parse_ex(tokener, text, (int)len);
		end = json_tokener_get_parse_end(tokener);
	}
	json_tokener_free(tokener);
	while (end < len && text[end] && strchr(" \t\r\n", text[end]))
		end++;
	if (json_object_is_type(object, json_type_object) && end == len)
		return object;
	json_object_put(object);
	error_set(err, EBADMSG, "its answer is not a JSON object");
	return NULL;
}

static int
check_domain(struct json_object *said, uint32_t domain, struct error *err)
{
	struct json_object *value;

	if (!json_object_object_get_ex(said, STATUS_DOMAIN, &value) || !value)
		return 0;
	if (!is_number(value))
		return error_set(err, EBADMSG,
				 "the domain in its answer is not a number");
	if (json_object_get_uint64(value) == domain)
		return 0;
	return error_set(err, EBADMSG,
			 "claims to serve domain %" PRIu64
			 ", which contradicts the name of the socket",
			 json_object_get_uint64(value));
}

/* Owns `value`, also on failure; NULL: out of memory. */
static int
add(struct json_object *to, const char *name, struct json_object *value)
{
	if (value && json_object_object_add(to, name, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

static int
add_member(struct answer *answer, const struct member *member,
	   struct json_object *said)
{
	struct json_object *value;

	if (!json_object_object_get_ex(said, member->name, &value) ||
	    !is_valid(member->kind, value))
		return 0;
	return add(answer->members, member->name, json_object_get(value));
}

static int
add_members(struct answer *answer, struct json_object *said)
{
	struct json_object *to = json_object_new_object();
	int ret;

	answer->members = to;
	if (!to)
		return -ENOMEM;
	ret = add(to, STATUS_DOMAIN, json_object_new_int64(answer->domain));
	if (ret == 0 && answer->pid > 0)
		ret = add(to, STATUS_PID, json_object_new_int64(answer->pid));
	for (size_t i = 0; i < MEMBERS && ret == 0; i++)
		ret = add_member(answer, &members[i], said);
	return ret;
}

int
answer_read(struct answer *answer, uint32_t domain, pid_t pid, const char *text,
	    size_t len, struct error *err)
{
	struct json_object *said;
	int ret;

	*answer = (struct answer){ .domain = domain, .pid = pid };
	said = parse(text, len, err);
	if (!said)
		return -EBADMSG;
	ret = check_domain(said, domain, err);
	if (ret == 0 && add_members(answer, said) < 0)
		ret = error_set(err, ENOMEM, "out of memory");
	json_object_put(said);
	return ret;
}

void
answer_close(struct answer *answer)
{
	json_object_put(answer->members);
	answer->members = NULL;
}

bool
answer_number(const struct answer *answer, const char *name, uint64_t *value)
{
	struct json_object *member;

	if (!json_object_object_get_ex(answer->members, name, &member) ||
	    !json_object_is_type(member, json_type_int))
		return false;
	*value = json_object_get_uint64(member);
	return true;
}

struct text
answer_text(const struct answer *answer, const char *name)
{
	struct json_object *member;

	if (!json_object_object_get_ex(answer->members, name, &member) ||
	    !json_object_is_type(member, json_type_string))
		return (struct text){ NULL, 0 };
	return (struct text){ json_object_get_string(member),
			      (size_t)json_object_get_string_len(member) };
}

bool
answer_is(const struct answer *answer, const char *name, const char *wanted)
{
	struct text text = answer_text(answer, name);

	return text.bytes && text.len == strlen(wanted) &&
	       memcmp(text.bytes, wanted, text.len) == 0;
}

void
answer_print(FILE *to, const struct answer *answer)
{
	uint64_t number;

	for (size_t i = 0; i < MEMBERS; i++) {
		const char *name = members[i].name;
		struct text text = answer_text(answer, name);

		if (answer_number(answer, name, &number)) {
			fprintf(to, "%s: %" PRIu64 "\n", name, number);
		} else if (text.bytes) {
			fprintf(to, "%s: ", name);
			(void)show_text(to, text);
			fputc('\n', to);
		}
	}
}

void
answer_print_json(FILE *to, struct json_object *json)
{
	const char *text = json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);

	show_json(to, text ? text : "null");
	fputc('\n', to);
}
