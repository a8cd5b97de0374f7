/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker/tracer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "pflash/sys.h"
#include "worker/client.h"

/*
 * A file has a limit; the reader of a socket has one of its own.  fstat(3) does
 * not work in the sandbox (store/sys.c).
 */
static struct trace_config
config_for(const struct flash *flash, int fd, uint32_t flags)
{
	struct trace_config config = {
		.fd = fd,
		.sync = options_sync_name(flash->options),
		.continued = flags & CHANNEL_CONTINUED,
		.hole = flags & CHANNEL_HOLE,
	};
	struct stat st;

	if (sys_kernel.fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		config.limit = flash->options->trace_limit;
		config.size = (uint64_t)st.st_size;
	}
	return config;
}

static void
begin(struct flash *flash, int fd, uint32_t flags)
{
	const struct trace_config config = config_for(flash, fd, flags);
	int ret = trace_open(&flash->trace, flash->device, &config);

	if (ret < 0)
		log_line(LOG_WARNING, "no trace: %s", strerror(-ret));
	else
		log_line(LOG_INFO, "the guest's accesses are traced");
}

void
tracer_change(struct flash *flash)
{
	uint32_t flags;
	int fd = client_open_trace(&flags);

	if (fd >= 0) {
		tracer_end(flash, "another trace begins");
		begin(flash, fd, flags);
	} else if (flash->trace) {
		trace_end(flash->trace, "stopped");
	}
	/* The supervisor has logged why the file cannot be opened. */
}

static void
close_trace(struct flash *flash, const char *why)
{
	struct trace *trace = flash->trace;
	const char *ended = trace_ended(trace);
	struct trace_stats stats = trace_stats(trace);

	tracer_report(flash);
	log_line(stats.lost ? LOG_WARNING : LOG_INFO,
		 "the trace has ended: %s; %" PRIu64 " accesses, %" PRIu64
		 " lost",
		 ended ? ended : why, stats.accesses, stats.lost);
	flash->trace = NULL;
	trace_close(trace, why);
}

bool
tracer_flush(struct flash *flash)
{
	if (!flash->trace)
		return true;
	if (!trace_flush(flash->trace))
		return false;
	if (trace_ended(flash->trace))
		close_trace(flash, "");
	return true;
}

void
tracer_end(struct flash *flash, const char *why)
{
	if (flash->trace)
		close_trace(flash, why);
}

void
tracer_report(const struct flash *flash)
{
	struct report *report = flash->start->report;
	struct trace_stats stats;

	if (!flash->trace)
		return;
	stats = trace_stats(flash->trace);
	report->traced = stats.accesses;
	report->trace_lost = stats.lost;
}
