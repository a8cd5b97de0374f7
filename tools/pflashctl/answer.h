/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answer of a pflashd (pflash/control.h), of which only members that are
 * known and have the right type are left.  Domain and pid are not taken from
 * the answer: they are those of the socket.
 */
#ifndef PFLASHCTL_ANSWER_H
#define PFLASHCTL_ANSWER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "pflash/error.h"
#include "show.h"

struct answer {
	uint32_t domain;
	pid_t pid;                   /* of the supervisor; 0: not visible */
	struct json_object *members; /* checked */
};

/*
 * 0, or -errno with the sentence: the text is no JSON object, names another
 * domain than this one, or there is no memory.  answer_close() it after
 * either.  `text` may be anything.
 */
int answer_read(struct answer *answer, uint32_t domain, pid_t pid,
		const char *text, size_t len, struct error *err);
void answer_close(struct answer *answer);

/* False: the answer has no such number. */
bool answer_number(const struct answer *answer, const char *name,
		   uint64_t *value);

/* Valid until answer_close(); its bytes are NULL if there is no such text. */
struct text answer_text(const struct answer *answer, const char *name);

/* Whether the answer has this text. */
bool answer_is(const struct answer *answer, const char *name,
	       const char *wanted);

/* A line for each member, "name: value". */
void answer_print(FILE *to, const struct answer *answer);

/* Members of answers, or an array of them, as a JSON document. */
void answer_print_json(FILE *to, struct json_object *json);

#endif
