/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answer of a pflashd (pflash/control.h).  answer_read() drops members that
 * are unknown or have the wrong type.  Domain and pid are not from the answer,
 * but from the socket.
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
 * Reads an answer from text that may be hostile.  -errno with a sentence if the
 * text is not a JSON object, names another domain, or there is no memory.
 * answer_close() is due in any case.
 */
int answer_read(struct answer *answer, uint32_t domain, pid_t pid,
		const char *text, size_t len, struct error *err);
void answer_close(struct answer *answer);

/* False if the answer has no such number. */
bool answer_number(const struct answer *answer, const char *name,
		   uint64_t *value);

/* Valid until answer_close().  The bytes are NULL if there is no such text. */
struct text answer_text(const struct answer *answer, const char *name);

/* True if the answer has this text. */
bool answer_is(const struct answer *answer, const char *name,
	       const char *wanted);

/* Prints a line for each member, "name: value". */
void answer_print(FILE *to, const struct answer *answer);

/* Prints the members of an answer, or an array of them, as JSON. */
void answer_print_json(FILE *to, struct json_object *json);

#endif
