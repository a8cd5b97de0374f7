/* SPDX-License-Identifier: BSD-2-Clause */
/* The flashes that are attached on this host: what each pflashd says. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "pflash/control.h"
#include "pflashctl.h"

#define SECONDS 2       /* for a pflashd that is busy with its disk */
#define MODE_SECONDS 10 /* or with the guest's memory */
#define MAX_ANSWER 65536
#define UPGRADE_TENTHS 100

static const char *
text_of(struct json_object *status, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(status, name, &value))
		return "?";
	return json_object_get_string(value);
}

static uint64_t
number_of(struct json_object *status, const char *name)
{
	struct json_object *value;

	if (!json_object_object_get_ex(status, name, &value))
		return 0;
	return json_object_get_uint64(value);
}

static int
connect_to(const char *file, int seconds)
{
	const struct timeval limit = { .tv_sec = seconds };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s",
			 PFLASH_RUN_DIR, file);

	if (fd < 0)
		return -1;
	if (n < 0 || (size_t)n >= sizeof(address.sun_path) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * What it says to this line.  NULL: nobody is there any more, or says nothing
 * in time.
 */
static struct json_object *
tell(const char *file, const char *line, int seconds)
{
	char text[MAX_ANSWER + 1];
	struct json_object *status;
	size_t len = 0;
	ssize_t n;
	int fd = connect_to(file, seconds);

	if (fd < 0)
		return NULL;
	/* An old one takes no line, and has answered by then. */
	(void)send(fd, line, strlen(line), MSG_NOSIGNAL);
	while (len < MAX_ANSWER &&
	       (n = read(fd, text + len, MAX_ANSWER - len)) > 0)
		len += (size_t)n;
	close(fd);
	text[len] = '\0';
	status = json_tokener_parse(text);
	if (status && !json_object_is_type(status, json_type_object)) {
		json_object_put(status);
		status = NULL;
	}
	return status;
}

static struct json_object *
ask(const char *file)
{
	return tell(file, CONTROL_STATUS "\n", SECONDS);
}

static int
by_domain(const void *a, const void *b)
{
	struct json_object *const *left = a, *const *right = b;
	uint64_t x = number_of(*left, STATUS_DOMAIN);
	uint64_t y = number_of(*right, STATUS_DOMAIN);

	return (x > y) - (x < y);
}

/* An array of what they all say, in the order of their domains. */
static int
ask_all(struct json_object **out)
{
	DIR *directory = opendir(PFLASH_RUN_DIR);
	struct dirent *entry;

	*out = json_object_new_array();
	if (!*out)
		return ctl_fail(CTL_FAILED, "out of memory");
	if (!directory && errno == ENOENT)
		return CTL_OK;
	if (!directory)
		return ctl_fail(CTL_FAILED, "%s: %s", PFLASH_RUN_DIR,
				strerror(errno));
	while ((entry = readdir(directory))) {
		struct json_object *status = entry->d_name[0] == '.' ?
						     NULL :
						     ask(entry->d_name);

		if (status)
			json_object_array_add(*out, status);
	}
	closedir(directory);
	json_object_array_sort(*out, by_domain);
	return CTL_OK;
}

static void
print_json(struct json_object *object)
{
	puts(json_object_to_json_string_ext(
		object,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void
format_age(uint64_t since, char *text, size_t room)
{
	time_t now = time(NULL);
	uint64_t age = since < (uint64_t)now ? (uint64_t)now - since : 0;

	(void)snprintf(text, room, "%" PRIu64 "d %02u:%02u:%02u", age / 86400,
		       (unsigned int)(age / 3600 % 24),
		       (unsigned int)(age / 60 % 60), (unsigned int)(age % 60));
}

static void
print_table(struct json_object *all)
{
	size_t count = json_object_array_length(all);
	char age[32];

	printf("%5s  %-20s %-6s %10s %8s %6s %14s  %s\n", "ID", "NAME", "MODE",
	       "WRITES", "BURSTS", "ERRORS", "UPTIME", "FILE");
	for (size_t i = 0; i < count; i++) {
		struct json_object *one = json_object_array_get_idx(all, i);

		format_age(number_of(one, STATUS_SINCE), age, sizeof(age));
		printf("%5" PRIu64 "  %-20s %-6s %10" PRIu64 " %8" PRIu64
		       " %6" PRIu64 " %14s  %s\n",
		       number_of(one, STATUS_DOMAIN), text_of(one, STATUS_NAME),
		       text_of(one, STATUS_MODE), number_of(one, STATUS_WRITES),
		       number_of(one, STATUS_BURSTS),
		       number_of(one, STATUS_ERRORS), age,
		       text_of(one, STATUS_VARS));
	}
}

/* OpenMetrics 1.0: '"', '\' and line ends are escaped in a label. */
static void
print_label(const char *name, const char *value)
{
	printf("%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n') {
			fputs("\\n", stdout);
			continue;
		}
		if (*value == '"' || *value == '\\')
			putchar('\\');
		putchar(*value);
	}
	putchar('"');
}

static const struct metric {
	const char *member, *name, *suffix, *type, *help;
} metrics[] = {
	{ STATUS_REQUESTS, "pflash_requests", "_total", "counter",
	  "Requests of the guest that were answered." },
	{ STATUS_READS, "pflash_reads", "_total", "counter",
	  "Reads that trapped." },
	{ STATUS_WRITES, "pflash_writes", "_total", "counter", "Writes." },
	{ STATUS_BURSTS, "pflash_bursts", "_total", "counter",
	  "Bursts of changes that were committed." },
	{ STATUS_CHECKPOINTS, "pflash_checkpoints", "_total", "counter",
	  "Times that the VARS file was brought up to date." },
	{ STATUS_WRITTEN, "pflash_written_bytes", "_total", "counter",
	  "Bytes written to the host's disk, in whole blocks of 4 KiB." },
	{ STATUS_THROTTLED, "pflash_throttled", "_total", "counter",
	  "Times that the guest was over its limit for that." },
	{ STATUS_THROTTLED_SECONDS, "pflash_throttled_seconds", "_total",
	  "counter", "How long it was." },
	{ STATUS_ERRORS, "pflash_failed", "", "gauge",
	  "1 if the flash is read-only because of a failure." },
	{ STATUS_SINCE, "pflash_start_time_seconds", "", "gauge",
	  "When the flash was attached, in seconds since 1970." },
};

static void
print_metric(const struct metric *metric, struct json_object *all)
{
	size_t count = json_object_array_length(all);

	printf("# TYPE %s %s\n# HELP %s %s\n", metric->name, metric->type,
	       metric->name, metric->help);
	for (size_t i = 0; i < count; i++) {
		struct json_object *one = json_object_array_get_idx(all, i);

		printf("%s%s{", metric->name, metric->suffix);
		print_label("domain", text_of(one, STATUS_DOMAIN));
		putchar(',');
		print_label("name", text_of(one, STATUS_NAME));
		printf("} %" PRIu64 "\n", number_of(one, metric->member));
	}
}

static void
print_metrics(struct json_object *all)
{
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		print_metric(&metrics[i], all);
	puts("# EOF");
}

int
ctl_list(const struct ctl_options *options)
{
	struct json_object *all;
	int code = ask_all(&all);

	if (code == CTL_OK) {
		if (options->json)
			print_json(all);
		else if (options->metrics)
			print_metrics(all);
		else
			print_table(all);
	}
	json_object_put(all);
	return code;
}

static void
print_one(struct json_object *status)
{
	json_object_object_foreach(status, name, value)
	{
		printf("%s: %s\n", name, json_object_get_string(value));
	}
}

/* What the one of this guest says; json_object_put() it. */
static int
ask_one(const char *wanted, struct json_object **out)
{
	struct json_object *all;
	int code = ask_all(&all);
	size_t count = all ? json_object_array_length(all) : 0;

	*out = NULL;
	for (size_t i = 0; i < count && !*out; i++) {
		struct json_object *one = json_object_array_get_idx(all, i);

		if (strcmp(text_of(one, STATUS_NAME), wanted) == 0 ||
		    strcmp(text_of(one, STATUS_DOMAIN), wanted) == 0)
			*out = json_object_get(one);
	}
	json_object_put(all);
	if (code == CTL_OK && !*out)
		code = ctl_fail(CTL_FAILED, "no pflashd serves '%s'", wanted);
	return code;
}

int
ctl_status(const struct ctl_options *options)
{
	struct json_object *found;
	int code = ask_one(options->files[0], &found);

	if (code == CTL_OK && options->json)
		print_json(found);
	else if (code == CTL_OK)
		print_one(found);
	json_object_put(found);
	return code;
}

static void
socket_of(struct json_object *status, char *file, size_t room)
{
	(void)snprintf(file, room, "%" PRIu64 ".sock",
		       number_of(status, STATUS_DOMAIN));
}

int
ctl_mode(const struct ctl_options *options)
{
	const char *guest = options->files[0], *mode = options->files[1];
	struct json_object *found, *now = NULL, *error;
	char file[32], line[32];
	int code;

	if (strcmp(mode, "direct") != 0 && strcmp(mode, "trap") != 0)
		return ctl_fail(CTL_USAGE, "'%s': neither direct nor trap",
				mode);
	code = ask_one(guest, &found);
	if (code != CTL_OK)
		return code;
	socket_of(found, file, sizeof(file));
	(void)snprintf(line, sizeof(line), CONTROL_MODE "%s\n", mode);
	now = tell(file, line, MODE_SECONDS);
	if (!now)
		code = ctl_fail(CTL_FAILED, "%s: no answer", guest);
	else if (json_object_object_get_ex(now, STATUS_ERROR, &error))
		code = ctl_fail(CTL_FAILED, "%s: %s", guest,
				json_object_get_string(error));
	else if (strcmp(text_of(now, STATUS_MODE), mode) != 0)
		code = ctl_fail(CTL_FAILED,
				"%s: this pflashd cannot change "
				"its mode",
				guest);
	json_object_put(now);
	json_object_put(found);
	return code;
}

/* It is the same process, so that only its count tells the new one. */
static int
wait_for_takeover(struct json_object *before)
{
	const struct timespec step = { .tv_nsec = 100000000 };
	uint64_t count = number_of(before, STATUS_TAKEOVERS);
	char file[32];

	socket_of(before, file, sizeof(file));
	for (int i = 0; i < UPGRADE_TENTHS; i++) {
		struct json_object *now = ask(file);
		bool done = now && number_of(now, STATUS_TAKEOVERS) > count;

		if (done)
			printf("%s: pflashd %s\n", text_of(now, STATUS_NAME),
			       text_of(now, STATUS_VERSION));
		json_object_put(now);
		if (done)
			return CTL_OK;
		nanosleep(&step, NULL);
	}
	return ctl_fail(CTL_FAILED, "%s: was not upgraded; its log says why",
			text_of(before, STATUS_NAME));
}

int
ctl_upgrade(const struct ctl_options *options)
{
	struct json_object *found, *count;
	int code = ask_one(options->files[0], &found);

	if (code == CTL_OK &&
	    !json_object_object_get_ex(found, STATUS_TAKEOVERS, &count))
		code = ctl_fail(CTL_FAILED,
				"%s: this pflashd leaves nothing "
				"that another could go on with",
				options->files[0]);
	else if (code == CTL_OK &&
		 kill((pid_t)number_of(found, STATUS_PID), SIGUSR2) < 0)
		code = ctl_fail(CTL_FAILED, "%s: %s", options->files[0],
				strerror(errno));
	if (code == CTL_OK)
		code = wait_for_takeover(found);
	json_object_put(found);
	return code;
}
