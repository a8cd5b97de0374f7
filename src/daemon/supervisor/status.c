/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pflash/control.h"
#include "pflash/text.h"
#include "supervisor/object.h"

/* The mode in effect. */
static void
add_sync(struct object *object, const struct status *status)
{
	const volatile struct report *r = status->report;
	bool burst = status->options->sync == STORE_SYNC_VARIABLE &&
		     r->burst_instead;

	object_add_text(object, STATUS_SYNC,
			burst ? "burst" : options_sync_name(status->options));
	if (burst)
		object_add_text(object, STATUS_SYNC_REASON,
				"the variable store is not understood");
}

static void
add_identity(struct object *object, const struct status *status)
{
	const struct options *options = status->options;

	object_add_number(object, STATUS_DOMAIN, status->guest->id);
	object_add_text(object, STATUS_NAME, status->guest->name);
	object_add_number(object, STATUS_PID, (uint64_t)getpid());
	object_add_number(object, STATUS_WORKER, (uint64_t)status->worker);
	object_add_text(object, STATUS_VERSION, PFLASH_VERSION);
	object_add_text(object, STATUS_STATE, status->state);
	object_add_number(object, STATUS_RESTARTS, status->restarts);
	object_add_text(object, STATUS_VARS, options->vars);
	object_add_text(object, STATUS_JOURNAL,
			options->journal ? options->journal : "");
	object_add_number(object, STATUS_QUEUED, status->queued);
	add_sync(object, status);
	object_add_text(object, STATUS_PERSONALITY,
			options_personality_name(options));
	object_add_text(object, STATUS_SANDBOX, sandbox_name(options->sandbox));
	object_add_text(object, STATUS_TRACE, status->trace);
}

/* The worker may change a number at any time; volatile: read each once. */
static void
add_report(struct object *object, const struct report *report)
{
	const volatile struct report *r = report;
	char failure[sizeof(report->failure)];

	text_copy_printable(failure, sizeof(failure), report->failure,
			    sizeof(report->failure));
	object_add_number(object, STATUS_BASE, r->base);
	object_add_number(object, STATUS_SIZE, r->size);
	object_add_text(object, STATUS_MODE, r->direct ? "direct" : "trap");
	object_add_number(object, STATUS_SINCE, r->since);
	object_add_number(object, STATUS_REQUESTS, r->requests);
	object_add_number(object, STATUS_READS, r->reads);
	object_add_number(object, STATUS_WRITES, r->writes);
	object_add_number(object, STATUS_BURSTS, r->bursts);
	object_add_number(object, STATUS_CHECKPOINTS, r->checkpoints);
	object_add_number(object, STATUS_SYNCS, r->syncs);
	object_add_number(object, STATUS_REFUSED, r->refused);
	object_add_number(object, STATUS_WRITTEN, r->written);
	object_add_number(object, STATUS_THROTTLED, r->throttled);
	object_add_number(object, STATUS_THROTTLED_SECONDS,
			  r->throttled_seconds);
	object_add_number(object, STATUS_TAKEOVERS, r->takeovers);
	object_add_number(object, STATUS_TRACED, r->traced);
	object_add_number(object, STATUS_TRACE_LOST, r->trace_lost);
	object_add_number(object, STATUS_ERRORS, r->failed != 0);
	object_add_text(object, STATUS_FAILURE, failure);
}

char *
status_text(const struct status *status)
{
	struct object object;
	char *text = malloc(CONTROL_ANSWER + 1);

	if (!text)
		return NULL;
	object_begin(&object, text, CONTROL_ANSWER + 1);
	add_identity(&object, status);
	add_report(&object, status->report);
	if (status->error)
		object_add_text(&object, STATUS_ERROR, status->error);
	if (object_end(&object))
		return text;
	free(text);
	return NULL;
}
