/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pflashctl metrics: the numbers of all attached flashes, and of their VARS
 * files and file systems, in the text format 0.0.4 of Prometheus.  docs/
 * metrics.md describes them.  `list --metrics` has the first ones in
 * OpenMetrics 1.0.
 */
#include "metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "bounded.h"
#include "find.h"
#include "pflash/control.h"
#include "pflash/load.h"
#include "pflash/save.h"
#include "pflashctl.h"

#define ALL_MS 20000 /* time limit for all files */
#define ONE_MS 3000  /* for one VARS file and its journal */

/* The numbers of an answer. */
static const struct metric {
	const char *member, *name, *suffix, *type, *help;
} metrics[] = {
	{ STATUS_STATE, "pflash_running", "", "gauge",
	  "1 if the flash is served, 0 if the guest waits." },
	{ STATUS_RESTARTS, "pflash_restarts", "_total", "counter",
	  "Restarts of the worker." },
	{ STATUS_REQUESTS, "pflash_requests", "_total", "counter",
	  "Answered requests of the guest." },
	{ STATUS_READS, "pflash_reads", "_total", "counter", "Trapped reads." },
	{ STATUS_WRITES, "pflash_writes", "_total", "counter", "Writes." },
	{ STATUS_BURSTS, "pflash_bursts", "_total", "counter",
	  "Committed bursts of changes." },
	{ STATUS_CHECKPOINTS, "pflash_checkpoints", "_total", "counter",
	  "Checkpoints: updates of the VARS file." },
	{ STATUS_SYNCS, "pflash_syncs", "_total", "counter",
	  "Calls of fdatasync(2)." },
	{ STATUS_REFUSED, "pflash_refused", "_total", "counter",
	  "Bursts that would have changed a pinned variable." },
	{ STATUS_WRITTEN, "pflash_written_bytes", "_total", "counter",
	  "Bytes written to the host's disk, in whole blocks of 4 KiB." },
	{ STATUS_THROTTLED, "pflash_throttled", "_total", "counter",
	  "Times that the guest exceeded the write limit." },
	{ STATUS_THROTTLED_SECONDS, "pflash_throttled_seconds", "_total",
	  "counter", "Seconds during which the guest was throttled." },
	{ STATUS_TAKEOVERS, "pflash_takeovers", "_total", "counter",
	  "Workers that have continued the flash of an earlier one." },
	{ STATUS_ERRORS, "pflash_failed", "", "gauge",
	  "1 if the flash is read-only because of a failure." },
	{ STATUS_QUEUED, "pflash_queued_changes", "", "gauge",
	  "Lists of changes of variables that wait for the next start." },
	{ STATUS_SINCE, "pflash_start_time_seconds", "", "gauge",
	  "Time of the attach, in seconds since 1970." },
};

/* The numbers of a VARS file, in the order of their values. */
enum fact {
	FACT_READABLE,
	FACT_SIZE,
	FACT_USED,
	FACT_LIVE,
	FACT_FREE,
	FACT_VARIABLES,
	FACT_ERRORS,
	FACT_WARNINGS,
	FACT_PENDING,
	FACT_JOURNAL,
	FACT_OLDEST,
	FACT_NEWEST,
	FACT_DISK_SIZE,
	FACT_DISK_FREE,
	FACTS
};

static const struct {
	const char *name, *help;
} fact_metrics[FACTS] = {
	[FACT_READABLE] = { "pflash_vars_readable",
			    "1 if the VARS file and its journal can be read "
			    "and agree." },
	[FACT_SIZE] = { "pflash_vars_size_bytes", "Size of the image." },
	[FACT_USED] = { "pflash_vars_used_bytes",
			"Bytes of the variable store up to the end of the last "
			"variable, deleted variables included." },
	[FACT_LIVE] = { "pflash_vars_live_bytes",
			"Bytes of the variables that the guest can read." },
	[FACT_FREE] = { "pflash_vars_free_bytes",
			"Bytes of the variable store behind the last "
			"variable." },
	[FACT_VARIABLES] = { "pflash_vars_variables",
			     "Variables that the guest can read." },
	[FACT_ERRORS] = { "pflash_vars_errors",
			  "Findings of pflashctl check that are errors." },
	[FACT_WARNINGS] = { "pflash_vars_warnings",
			    "Findings of pflashctl check that are warnings." },
	[FACT_PENDING] = { "pflash_vars_pending_bursts",
			   "Bursts that are in the journal only." },
	[FACT_JOURNAL] = { "pflash_vars_journal_bytes",
			   "Size of the journal." },
	[FACT_OLDEST] = { "pflash_vars_history_start_time_seconds",
			  "Time of the oldest point of the history, in seconds "
			  "since 1970." },
	[FACT_NEWEST] = { "pflash_vars_change_time_seconds",
			  "Time of the newest point of the history, in seconds "
			  "since 1970." },
	[FACT_DISK_SIZE] = { "pflash_vars_filesystem_size_bytes",
			     "Size of the file system of the VARS file." },
	[FACT_DISK_FREE] = { "pflash_vars_filesystem_free_bytes",
			     "Free bytes of the file system of the VARS "
			     "file." },
};

struct facts {
	bool known[FACTS];
	uint64_t value[FACTS];
};

/* --- numbers of the answers --- */

static bool
metric_value(const struct answer *answer, const char *member, uint64_t *value)
{
	if (strcmp(member, STATUS_STATE) != 0)
		return answer_number(answer, member, value);
	*value = answer_is(answer, member, "running");
	return answer_text(answer, member).bytes != NULL;
}

static void
print_labels(FILE *to, const struct answer *answer)
{
	fprintf(to, "{domain=\"%" PRIu32 "\",name=\"", answer->domain);
	show_label(to, answer_text(answer, STATUS_NAME));
	fputc('"', to);
}

/* An answer without the number has no sample. */
static void
print_samples(FILE *to, const struct metric *metric,
	      const struct guests *guests)
{
	uint64_t value;

	for (size_t i = 0; i < guests->count; i++) {
		const struct guest *guest = &guests->all[i];

		if (guest->state != ASK_ANSWERED ||
		    !metric_value(&guest->answer, metric->member, &value))
			continue;
		fprintf(to, "%s%s", metric->name, metric->suffix);
		print_labels(to, &guest->answer);
		fprintf(to, "} %" PRIu64 "\n", value);
	}
}

void
metrics_print_open(FILE *to, const struct guests *guests)
{
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		const struct metric *metric = &metrics[i];

		fprintf(to, "# TYPE %s %s\n# HELP %s %s\n", metric->name,
			metric->type, metric->name, metric->help);
		print_samples(to, metric, guests);
	}
	fputs("# EOF\n", to);
}

/* --- numbers of a VARS file --- */

static void
set(struct facts *facts, enum fact fact, uint64_t value)
{
	facts->known[fact] = true;
	facts->value[fact] = value;
}

static void
find_store(struct facts *facts, const struct reader *reader)
{
	struct fv_report report = { .count = 0 };

	(void)fv_check(reader_image(reader), reader_size(reader), &report);
	set(facts, FACT_SIZE, reader_size(reader));
	set(facts, FACT_USED, report.used);
	set(facts, FACT_LIVE, report.live_bytes);
	set(facts, FACT_FREE, report.free);
	set(facts, FACT_VARIABLES, report.live);
	set(facts, FACT_ERRORS, report.errors);
	set(facts, FACT_WARNINGS, report.warnings);
}

static void
find_history(struct facts *facts, const struct reader *reader)
{
	struct reader_point point = { 0 };
	size_t cursor = 0;

	if (!reader_has_journal(reader))
		return;
	set(facts, FACT_PENDING, reader_pending(reader));
	while (reader_next(reader, &cursor, &point)) {
		if (!facts->known[FACT_OLDEST])
			set(facts, FACT_OLDEST, point.time / 1000000000u);
		set(facts, FACT_NEWEST, point.time / 1000000000u);
	}
}

static void
find_files(struct facts *facts, const char *path)
{
	char *real = realpath(path, NULL), *journal = NULL;
	const struct store_config config = { .path = path };
	struct store_areas areas;
	struct statvfs disk;
	struct error err;
	struct stat st;

	if (statvfs(path, &disk) == 0) {
		set(facts, FACT_DISK_SIZE,
		    (uint64_t)disk.f_blocks * disk.f_frsize);
		set(facts, FACT_DISK_FREE,
		    (uint64_t)disk.f_bavail * disk.f_frsize);
	}
	if (real && asprintf(&journal, "%s.journal", real) >= 0 &&
	    stat(journal, &st) == 0)
		set(facts, FACT_JOURNAL, (uint64_t)st.st_size);
	free(journal);
	free(real);
	if (store_measure(&config, &areas, &err) > 0)
		set(facts, FACT_JOURNAL, areas.used[FILES_JOURNAL]);
}

/* In the child: the path is of the supervisor, which is a process of root. */
static void
find_facts(FILE *to, void *opaque)
{
	const char *path = opaque;
	struct store_config config = { .path = path,
				       .size = load_flash_size(path) };
	struct facts facts = { .known = { false } };
	struct reader *reader;
	struct error err;
	int ret = reader_open_files(&reader, &config, &err);

	set(&facts, FACT_READABLE, ret == 0);
	if (ret == 0) {
		find_store(&facts, reader);
		find_history(&facts, reader);
		reader_close(reader);
	}
	find_files(&facts, path);
	(void)fwrite(&facts, sizeof(facts), 1, to);
}

/* A file that cannot be read in time is not readable. */
static void
read_facts(const struct answer *answer, int64_t deadline, struct facts *facts)
{
	struct text path = answer_text(answer, STATUS_VARS);
	int64_t limit = ask_clock() + ONE_MS;
	char *name = NULL, *text = NULL;
	size_t len = 0;

	*facts = (struct facts){ .known = { false } };
	if (!path.bytes || path.bytes[0] != '/' ||
	    memchr(path.bytes, '\0', path.len))
		return;
	set(facts, FACT_READABLE, 0);
	name = strndup(path.bytes, path.len);
	if (name &&
	    bounded_run(find_facts, name, limit < deadline ? limit : deadline,
			&text, &len) == 0 &&
	    len == sizeof(*facts))
		memcpy(facts, text, sizeof(*facts));
	free(text);
	free(name);
}

/* --- the output --- */

static void
print_head(FILE *to, const char *name, const char *suffix, const char *type,
	   const char *help)
{
	fprintf(to, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help,
		name, suffix, type);
}

static void
print_up(FILE *to, const struct guests *guests)
{
	print_head(to, "pflash_up", "", "gauge",
		   "1 if the pflashd behind this socket has answered.");
	for (size_t i = 0; i < guests->count; i++)
		if (guests->all[i].state != ASK_ABSENT)
			fprintf(to, "pflash_up{domain=\"%" PRIu32 "\"} %d\n",
				guests->all[i].domain,
				guests->all[i].state == ASK_ANSWERED);
}

static void
print_info(FILE *to, const struct guests *guests)
{
	static const char *const labels[] = { STATUS_VERSION, STATUS_STATE,
					      STATUS_MODE,    STATUS_SYNC,
					      STATUS_SANDBOX, STATUS_VARS };

	print_head(to, "pflash_info", "", "gauge",
		   "1, with the texts of pflashctl status as labels.");
	for (size_t i = 0; i < guests->count; i++) {
		const struct answer *answer = &guests->all[i].answer;

		if (guests->all[i].state != ASK_ANSWERED)
			continue;
		fputs("pflash_info", to);
		print_labels(to, answer);
		for (size_t k = 0; k < sizeof(labels) / sizeof(*labels); k++) {
			fprintf(to, ",%s=\"", labels[k]);
			show_label(to, answer_text(answer, labels[k]));
			fputc('"', to);
		}
		fputs("} 1\n", to);
	}
}

static void
print_facts(FILE *to, const struct guests *guests, const struct facts *facts)
{
	for (int fact = 0; fact < FACTS; fact++) {
		const char *name = fact_metrics[fact].name;

		print_head(to, name, "", "gauge", fact_metrics[fact].help);
		for (size_t i = 0; i < guests->count; i++) {
			if (!facts[i].known[fact])
				continue;
			fputs(name, to);
			print_labels(to, &guests->all[i].answer);
			fprintf(to, "} %" PRIu64 "\n", facts[i].value[fact]);
		}
	}
}

/* False: out of memory. */
static bool
print_all(FILE *to, const struct guests *guests)
{
	int64_t deadline = ask_clock() + ALL_MS;
	struct facts *facts = calloc(guests->count + 1, sizeof(*facts));

	if (!facts)
		return false;
	for (size_t i = 0; i < guests->count; i++)
		if (guests->all[i].state == ASK_ANSWERED)
			read_facts(&guests->all[i].answer, deadline, &facts[i]);
	print_up(to, guests);
	print_info(to, guests);
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		const struct metric *metric = &metrics[i];

		print_head(to, metric->name, metric->suffix, metric->type,
			   metric->help);
		print_samples(to, metric, guests);
	}
	print_facts(to, guests, facts);
	free(facts);
	return true;
}

static int
write_text(const char *path, const char *text, size_t len)
{
	struct error err;

	if (!path) {
		(void)fwrite(text, 1, len, stdout);
		return CTL_OK;
	}
	/* The exporter, another user, reads a new file. */
	(void)umask(S_IWGRP | S_IWOTH);
	return save_file(path, text, len, 0644, &err) < 0 ?
		       ctl_fail(CTL_FAILED, "%s", err.text) :
		       CTL_OK;
}

int
ctl_metrics(const struct ctl_options *options)
{
	struct guests guests;
	struct error err;
	char *text = NULL;
	size_t len = 0;
	FILE *to;
	bool good;
	int code;

	if (guests_find(&guests, &err) < 0) {
		guests_close(&guests);
		return ctl_fail(CTL_FAILED, "%s", err.text);
	}
	ask(&guests, CONTROL_STATUS "\n", ask_clock() + STATUS_MS);
	to = open_memstream(&text, &len);
	good = to && print_all(to, &guests);
	good = to && fclose(to) == 0 && good;
	code = good ? write_text(options->output, text, len) :
		      ctl_fail(CTL_FAILED, "out of memory");
	(void)find_report(&guests);
	free(text);
	guests_close(&guests);
	return code;
}
