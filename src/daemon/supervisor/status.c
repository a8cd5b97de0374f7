/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/status.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pflash/control.h"
#include "pflash/text.h"

static void
add_text(struct json_object *object, const char *name, const char *text)
{
	json_object_object_add(object, name, json_object_new_string(text));
}

static void
add_number(struct json_object *object, const char *name, uint64_t value)
{
	json_object_object_add(object, name, json_object_new_uint64(value));
}

/* The mode in effect. */
static void
add_sync(struct json_object *object, const struct status *status)
{
	const volatile struct report *r = status->report;
	bool burst = status->options->sync == STORE_SYNC_VARIABLE &&
		     r->burst_instead;

	add_text(object, STATUS_SYNC,
		 burst ? "burst" : options_sync_name(status->options));
	if (burst)
		add_text(object, STATUS_SYNC_REASON,
			 "the variable store is not understood");
}

static void
add_identity(struct json_object *object, const struct status *status)
{
	const struct options *options = status->options;

	add_number(object, STATUS_DOMAIN, status->guest->id);
	add_text(object, STATUS_NAME, status->guest->name);
	add_number(object, STATUS_PID, (uint64_t)getpid());
	add_number(object, STATUS_WORKER, (uint64_t)status->worker);
	add_text(object, STATUS_VERSION, PFLASH_VERSION);
	add_text(object, STATUS_STATE, status->state);
	add_number(object, STATUS_RESTARTS, status->restarts);
	add_text(object, STATUS_VARS, options->vars);
	add_number(object, STATUS_QUEUED, status->queued);
	add_sync(object, status);
	add_text(object, STATUS_PERSONALITY, options_personality_name(options));
	add_text(object, STATUS_SANDBOX, sandbox_name(options->sandbox));
	add_text(object, STATUS_TRACE, status->trace);
}

/* The worker may change a number at any time; volatile: read each once. */
static void
add_report(struct json_object *object, const struct report *report)
{
	const volatile struct report *r = report;
	char failure[sizeof(report->failure)];

	text_copy_printable(failure, sizeof(failure), report->failure,
			    sizeof(report->failure));
	add_number(object, STATUS_BASE, r->base);
	add_number(object, STATUS_SIZE, r->size);
	add_text(object, STATUS_MODE, r->direct ? "direct" : "trap");
	add_number(object, STATUS_SINCE, r->since);
	add_number(object, STATUS_REQUESTS, r->requests);
	add_number(object, STATUS_READS, r->reads);
	add_number(object, STATUS_WRITES, r->writes);
	add_number(object, STATUS_BURSTS, r->bursts);
	add_number(object, STATUS_CHECKPOINTS, r->checkpoints);
	add_number(object, STATUS_SYNCS, r->syncs);
	add_number(object, STATUS_WRITTEN, r->written);
	add_number(object, STATUS_THROTTLED, r->throttled);
	add_number(object, STATUS_THROTTLED_SECONDS, r->throttled_seconds);
	add_number(object, STATUS_TAKEOVERS, r->takeovers);
	add_number(object, STATUS_TRACED, r->traced);
	add_number(object, STATUS_TRACE_LOST, r->trace_lost);
	add_number(object, STATUS_ERRORS, r->failed != 0);
	add_text(object, STATUS_FAILURE, failure);
}

char *
status_text(const struct status *status)
{
	struct json_object *object = json_object_new_object();
	const char *text;
	char *copy = NULL;

	if (!object)
		return NULL;
	add_identity(object, status);
	add_report(object, status->report);
	if (status->error)
		add_text(object, STATUS_ERROR, status->error);
	text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	if (text && strlen(text) <= CONTROL_ANSWER)
		copy = strdup(text);
	json_object_put(object);
	return copy;
}
