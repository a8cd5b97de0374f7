/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report, as text or as JSON.  It has no name of the host and no path but
 * those of the test itself.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "selftest.h"
#include "show.h"

static const char *const result_names[] = {
	[SELFTEST_NOT_RUN] = "not run",
	[SELFTEST_OK] = "ok",
	[SELFTEST_FAILED] = "FAILED",
	[SELFTEST_UNAVAILABLE] = "no direct mode",
};

static const char *
verdict(const struct selftest *t)
{
	if (t->failed >= 0)
		return "does not work";
	return t->direct ? "works" : "works in trap mode only";
}

static void
print_fact(const char *name, const char *value)
{
	printf("%-10s ", name);
	(void)show_text(stdout, (struct text){ value, strlen(value) });
	putchar('\n');
}

static void
print_us(double us)
{
	if (us < 0)
		printf("%12s", "-");
	else if (us < 1)
		printf("%9.1f ns", us * 1000);
	else if (us < 1000)
		printf("%9.1f us", us);
	else
		printf("%9.2f ms", us / 1000);
}

/* Microseconds; negative if there is no value. */
static double
us_of(const struct selftest *t, uint64_t cycles)
{
	return cycles && t->host.mhz > 0 ? (double)cycles / t->host.mhz : -1;
}

static void
print_row(const struct selftest *t, int i)
{
	printf("%-34s", report_cycles_text(i));
	for (int mode = 0; mode < SELFTEST_MODES; mode++) {
		print_us(us_of(t, t->cycles[mode][i].median));
		print_us(us_of(t, t->cycles[mode][i].p90));
	}
	putchar('\n');
}

static void
print_start(const char *text, double ms)
{
	printf("%-34s", text);
	print_us(ms > 0 ? ms * 1000 : -1);
	putchar('\n');
}

static void
print_measurements(const struct selftest *t)
{
	printf("\n%-34s%12s%12s%12s%12s\n", "measured", "direct", "90 %",
	       "trap", "90 %");
	for (int i = 0; i < REPORT_CYCLES; i++)
		print_row(t, i);
	print_start("attach", t->attach);
	print_start("takeover by another pflashd", t->takeover);
	print_start("upgrade", t->upgrade);
	if (t->host.mhz <= 0)
		puts("Xen does not tell the frequency of the time stamp "
		     "counter: no times.");
	putchar('\n');
}

static bool
has_measured(const struct selftest *t)
{
	return t->cycles[SELFTEST_TRAP][REPORT_WRITE].median ||
	       t->cycles[SELFTEST_DIRECT][REPORT_WRITE].median;
}

static void
print_text(struct selftest *t)
{
	print_fact("Xen", t->host.xen);
	print_fact("HAP", t->host.hap ? "yes" : "no");
	print_fact("CPU", t->host.cpu);
	print_fact("kernel", t->host.kernel);
	print_fact("pflashd", t->host.pflashd);
	putchar('\n');
	for (int i = 0; i < SELFTEST_CHECKS; i++)
		printf("%-14s  %s\n", result_names[t->results[i]],
		       selftest_checks[i].text);
	if (has_measured(t))
		print_measurements(t);
	else
		putchar('\n');
	printf("verdict: %s", verdict(t));
	if (t->failed >= 0) {
		printf(": %s: ", selftest_checks[t->failed].text);
		(void)show_text(stdout, (struct text){ t->why.text,
						       strlen(t->why.text) });
	}
	putchar('\n');
}

static void
add(struct json_object *to, const char *name, struct json_object *value)
{
	(void)json_object_object_add(to, name, value);
}

static void
add_text(struct json_object *to, const char *name, const char *value)
{
	add(to, name, json_object_new_string(value));
}

static struct json_object *
json_checks(const struct selftest *t)
{
	struct json_object *checks = json_object_new_object();

	for (int i = 0; i < SELFTEST_CHECKS; i++)
		add_text(checks, selftest_checks[i].id,
			 result_names[t->results[i]]);
	return checks;
}

static void
add_number(struct json_object *to, const char *name, double value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%.7g", value);
	add(to, name, json_object_new_double_s(value, text));
}

static void
add_us(struct json_object *to, const char *name, double us)
{
	if (us >= 0)
		add_number(to, name, us);
}

static struct json_object *
json_mode(const struct selftest *t, int mode)
{
	struct json_object *rows = json_object_new_object();

	for (int i = 0; i < REPORT_CYCLES; i++) {
		const struct report_cycles *cycles = &t->cycles[mode][i];
		struct json_object *row;

		if (!cycles->median)
			continue;
		row = json_object_new_object();
		add(row, "cycles",
		    json_object_new_int64((int64_t)cycles->median));
		add_us(row, "us", us_of(t, cycles->median));
		add_us(row, "us-90", us_of(t, cycles->p90));
		add(rows, report_cycles_name(i), row);
	}
	return rows;
}

/* The last lines of pflashd's log. */
static struct json_object *
json_log(const struct selftest *t)
{
	struct json_object *lines = json_object_new_array();
	const char *line = t->tail;

	while (*line) {
		size_t len = strcspn(line, "\n");

		(void)json_object_array_add(
			lines, json_object_new_string_len(line, (int)len));
		line += len + (line[len] == '\n');
	}
	return lines;
}

static void
print_json(struct selftest *t)
{
	struct json_object *all = json_object_new_object();

	add_text(all, "verdict", verdict(t));
	if (t->failed >= 0) {
		add_text(all, "failed", selftest_checks[t->failed].id);
		add_text(all, "reason", t->why.text);
	}
	add_text(all, "xen", t->host.xen);
	add(all, "hap", json_object_new_boolean(t->host.hap));
	add_text(all, "cpu", t->host.cpu);
	add_number(all, "mhz", t->host.mhz);
	add_text(all, "kernel", t->host.kernel);
	add_text(all, "pflashd", t->host.pflashd);
	add_text(all, "pflashctl", PFLASH_VERSION);
	add(all, "checks", json_checks(t));
	add(all, "direct", json_mode(t, SELFTEST_DIRECT));
	add(all, "trap", json_mode(t, SELFTEST_TRAP));
	add_number(all, "attach-ms", t->attach);
	add_number(all, "takeover-ms", t->takeover);
	add_number(all, "upgrade-ms", t->upgrade);
	if (t->failed >= 0)
		add(all, "log", json_log(t));
	show_json(stdout, json_object_to_json_string_ext(
				  all, JSON_C_TO_STRING_PRETTY |
					       JSON_C_TO_STRING_SPACED |
					       JSON_C_TO_STRING_NOSLASHESCAPE));
	putchar('\n');
	json_object_put(all);
}

void
selftest_print(struct selftest *t)
{
	if (t->options->json)
		print_json(t);
	else
		print_text(t);
}
