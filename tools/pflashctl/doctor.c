/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl doctor: examines the host, and says how to mend each problem. */
#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "ask.h"
#include "bounded.h"
#include "pflashctl.h"
#include "show.h"

/* Records of the pipe: one of these characters, text, and a NUL byte. */
#define RECORD_LEVELS "onpu" /* by enum doctor_level */
#define RECORD_MEND 'm'
#define RECORD_AT '@'

static const char *const level_names[DOCTOR_LEVELS] = { "ok", "note", "problem",
							"unseen" };

static const struct check {
	const char *name;
	void (*run)(struct doctor *doctor);
	bool needs_xen;
	int seconds; /* time limit */
} checks[] = {
	{ "xen", doctor_xen, false, 10 },
	{ "kernel", doctor_kernel, false, 10 },
	{ "dom0", doctor_dom0, true, 10 },
	{ "version", doctor_version, true, 10 },
	{ "hap", doctor_hap, true, 10 },
	{ "devices", doctor_devices, true, 10 },
	{ "xenstored", doctor_xenstored, true, 10 },
	{ "users", doctor_users, false, 10 },
	{ "namespaces", doctor_namespaces, false, 10 },
	{ "capabilities", doctor_capabilities, false, 10 },
	{ "seccomp", doctor_seccomp, false, 10 },
	{ "apparmor", doctor_apparmor, false, 10 },
	{ "program", doctor_program, false, 10 },
	{ "scripts", doctor_scripts, false, 10 },
	{ "unit", doctor_unit, false, 10 },
	{ "directories", doctor_directories, false, 10 },
	{ "firmware", doctor_firmware, false, 20 },
	{ "options", doctor_options, false, 10 },
	{ "vars", doctor_vars, false, 30 },
	{ "known", doctor_known, false, 10 },
	{ "flashes", doctor_flashes, false, 10 },
	{ "guests", doctor_guests, true, 10 },
};

/* The output, in the parent. */
struct output {
	struct json_object *findings; /* NULL: text */
	unsigned int count[DOCTOR_LEVELS];
};

/* --- in the child --- */

static void
write_record(FILE *to, char kind, const char *fmt, va_list args)
{
	(void)fputc(kind, to);
	(void)vfprintf(to, fmt, args);
	(void)fputc('\0', to);
	(void)fflush(to);
}

void
doctor_say(struct doctor *doctor, enum doctor_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_record(doctor->to, RECORD_LEVELS[level], fmt, args);
	va_end(args);
}

void
doctor_mend(struct doctor *doctor, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_record(doctor->to, RECORD_MEND, fmt, args);
	va_end(args);
}

void
doctor_at(struct doctor *doctor, const char *path)
{
	(void)fputc(RECORD_AT, doctor->to);
	(void)fputs(path, doctor->to);
	(void)fputc('\0', doctor->to);
	(void)fflush(doctor->to);
}

void
doctor_cannot(struct doctor *doctor, int code, const char *path)
{
	bool denied = (code == EACCES || code == EPERM) && geteuid() != 0;

	doctor_say(doctor, denied ? DOCTOR_UNSEEN : DOCTOR_PROBLEM, "%s: %s",
		   path, strerror(code));
	if (denied)
		doctor_mend(doctor, "run doctor as root");
}

/* --- in the parent --- */

static void
add_text(struct json_object *to, const char *name, const char *text)
{
	(void)json_object_object_add(to, name, json_object_new_string(text));
}

static void
print_json(struct output *output, const char *check, const char *level,
	   const char *text, const char *mend)
{
	struct json_object *finding = json_object_new_object();

	add_text(finding, "check", check);
	add_text(finding, "level", level);
	add_text(finding, "text", text);
	if (mend)
		add_text(finding, "mend", mend);
	(void)json_object_array_add(output->findings, finding);
}

static void
print(struct output *output, const char *check, enum doctor_level level,
      const char *text, const char *mend)
{
	const char *name = level_names[level];

	output->count[level]++;
	if (output->findings) {
		print_json(output, check, name, text, mend);
		return;
	}
	printf("%s: %s: ", name, check);
	(void)show_text(stdout, (struct text){ text, strlen(text) });
	if (mend) {
		fputs(": ", stdout);
		(void)show_text(stdout, (struct text){ mend, strlen(mend) });
	}
	putchar('\n');
}

/*
 * Prints the records of a check.  Returns the last file that it examined, or
 * NULL.
 */
static const char *
print_records(struct output *output, const char *check, const char *text,
	      size_t len)
{
	const char *end = text + len, *at = NULL, *next, *level, *mend;

	for (; text < end; text = next) {
		/* bounded_run() has put a NUL byte behind the last record. */
		next = text + strlen(text) + 1;
		mend = next < end && *next == RECORD_MEND ? next + 1 : NULL;
		level = *text ? strchr(RECORD_LEVELS, *text) : NULL;
		if (*text == RECORD_AT)
			at = text + 1;
		else if (level)
			print(output, check,
			      (enum doctor_level)(level - RECORD_LEVELS),
			      text + 1, mend);
	}
	return at;
}

static void
print_end(struct output *output, const struct check *check, int ret,
	  const char *at)
{
	char text[PATH_MAX + 200];

	if (ret == -ETIMEDOUT)
		(void)snprintf(text, sizeof(text),
			       "not finished within %d seconds%s%s",
			       check->seconds, at ? ", at " : "", at ? at : "");
	else
		(void)snprintf(text, sizeof(text), "ended early: %s%s%s",
			       strerror(-ret), at ? ", at " : "", at ? at : "");
	print(output, check->name, DOCTOR_PROBLEM, text,
	      "a file system, a program or a device does not answer");
}

struct job {
	const struct check *check;
	struct doctor *doctor;
};

static void
run_check(FILE *to, void *opaque)
{
	const struct job *job = opaque;

	/* Of a connection that xenstored closes. */
	(void)signal(SIGPIPE, SIG_IGN);
	job->doctor->to = to;
	job->check->run(job->doctor);
}

static void
examine(struct output *output, struct doctor *doctor, const struct check *check)
{
	struct job job = { .check = check, .doctor = doctor };
	const char *at;
	char *text;
	size_t len;
	int ret;

	if (check->needs_xen && !doctor->on_xen) {
		print(output, check->name, DOCTOR_UNSEEN,
		      "not examined: this kernel does not run on Xen", NULL);
		return;
	}
	ret = bounded_run(run_check, &job, ask_clock() + check->seconds * 1000,
			  &text, &len);
	at = text ? print_records(output, check->name, text, len) : NULL;
	if (ret < 0)
		print_end(output, check, ret, at);
	free(text);
}

static bool
is_on_xen(const struct doctor *doctor)
{
	char *type = doctor_read(doctor, "/sys/hypervisor/type");
	bool on_xen = type && strncmp(type, "xen", 3) == 0;

	free(type);
	return on_xen;
}

static void
print_summary(struct output *output)
{
	struct json_object *all;

	if (!output->findings) {
		printf("%u problems, %u notes, %u not seen\n",
		       output->count[DOCTOR_PROBLEM],
		       output->count[DOCTOR_NOTE],
		       output->count[DOCTOR_UNSEEN]);
		return;
	}
	all = json_object_new_object();
	(void)json_object_object_add(
		all, "problems",
		json_object_new_int64(output->count[DOCTOR_PROBLEM]));
	(void)json_object_object_add(all, "findings", output->findings);
	answer_print_json(stdout, all);
	json_object_put(all);
}

int
ctl_doctor(const struct ctl_options *options)
{
	struct doctor doctor = { .root = options->root ? options->root : "" };
	struct output output = { .findings = NULL };

	if (strcmp(doctor.root, "/") == 0)
		doctor.root = "";
	if (strlen(doctor.root) > PATH_MAX / 2)
		return ctl_fail(CTL_USAGE, "doctor: --root: too long");
	if (options->json && !(output.findings = json_object_new_array()))
		return ctl_fail(CTL_FAILED, "out of memory");
	ask_set_root(doctor.root);
	doctor.on_xen = is_on_xen(&doctor);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		examine(&output, &doctor, &checks[i]);
	print_summary(&output);
	return output.count[DOCTOR_PROBLEM] ? CTL_FAILED : CTL_OK;
}
