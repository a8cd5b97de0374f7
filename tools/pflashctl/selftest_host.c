/* SPDX-License-Identifier: BSD-2-Clause */
/* The files that the test uses, and the facts about the host. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "ask.h"
#include "selftest.h"

#define VERSION_MS 5000

/* The directory of this program, without a "/" at the end. */
static void
own_directory(char *path, size_t room)
{
	ssize_t len = readlink("/proc/self/exe", path, room - 1);
	char *slash;

	path[len < 0 ? 0 : len] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
}

/*
 * The absolute path of the file that the user named, or else of the first one
 * there is; places are relative to the directory of this program.
 */
static bool
find_file(const char *wanted, const char *const places[], char *path)
{
	char directory[PATH_MAX], place[2 * PATH_MAX];

	if (wanted)
		return realpath(wanted, path);
	own_directory(directory, sizeof(directory));
	for (; *places; places++) {
		(void)snprintf(place, sizeof(place), "%s%s%s",
			       **places == '/' ? "" : directory,
			       **places == '/' ? "" : "/", *places);
		if (realpath(place, path))
			return true;
	}
	return false;
}

static int
find_files(struct selftest *t)
{
	static const char *const daemons[] = { "pflashd", "../sbin/pflashd",
					       NULL };
	static const char *const guests[] = {
		"../lib/xen-pflash/" CTL_SELFTEST_GUEST,
		PFLASH_LIB_DIR "/" CTL_SELFTEST_GUEST, NULL
	};
	const struct ctl_options *o = t->options;

	if (!find_file(o->pflashd, daemons, t->pflashd))
		return ctl_fail(CTL_USAGE,
				"selftest: %s: no such file (--pflashd)",
				o->pflashd ? o->pflashd : "pflashd");
	if (!find_file(o->guest, guests, t->guest))
		return ctl_fail(CTL_USAGE,
				"selftest: %s: no such file (--guest)",
				o->guest ? o->guest : guests[1]);
	return CTL_OK;
}

/* Copies the value of the line "NAME : VALUE". */
static bool
field(const char *text, const char *name, char *value, size_t room)
{
	size_t len = strlen(name);

	for (const char *line = text; line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *rest = line + len;

		if (strncmp(line, name, len) != 0)
			continue;
		rest += strspn(rest, " \t");
		if (*rest++ != ':')
			continue;
		rest += strspn(rest, " \t");
		(void)snprintf(value, room, "%.*s", (int)strcspn(rest, "\n"),
			       rest);
		return true;
	}
	value[0] = '\0';
	return false;
}

static bool
has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; (at = strstr(at, word)); at += len)
		if ((at == words || at[-1] == ' ') &&
		    (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

static void
look_at_cpu(struct selftest *t)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char text[4096];
	size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	text[len] = '\0';
	if (!field(text, "model name", t->host.cpu, sizeof(t->host.cpu)))
		strcpy(t->host.cpu, "unknown");
	if (file)
		fclose(file);
}

static int
look_at_xen(struct selftest *t)
{
	static const char *const info[] = { "xl", "info", NULL };
	char text[8192], value[512];
	struct selftest_host *h = &t->host;
	int ret = selftest_run(t, info, text, sizeof(text));

	if (ret == 127)
		return ctl_fail(SELFTEST_NOT_HERE,
				"selftest: there is no program xl: this is no "
				"Xen host with xl");
	if (ret != 0)
		return ctl_fail(SELFTEST_NOT_HERE,
				"selftest: this is no Xen host, or its "
				"services do not run: xl info: %s",
				ret < 0 ? t->why.text :
					  selftest_last_line(text));
	if (!field(text, "xen_version", h->xen, sizeof(h->xen)))
		strcpy(h->xen, "unknown");
	(void)field(text, "virt_caps", value, sizeof(value));
	h->hap = has_word(value, "hap");
	(void)field(text, "cpu_mhz", value, sizeof(value));
	h->mhz = strtod(value, NULL);
	if (!(h->mhz > 0 && h->mhz < 1e6))
		h->mhz = 0;
	return CTL_OK;
}

static void
look_at_pflashd(struct selftest *t)
{
	const char *const version[] = { t->pflashd, "--version", NULL };
	int64_t deadline = t->deadline, limit = ask_clock() + VERSION_MS;
	char text[256];
	const char *line;
	int ret;

	if (limit < deadline)
		t->deadline = limit;
	ret = selftest_run(t, version, text, sizeof(text));
	t->deadline = deadline;
	line = selftest_last_line(text);
	if (ret != 0 || strncmp(line, "pflashd ", 8) != 0)
		line = "pflashd unknown";
	(void)snprintf(t->host.pflashd, sizeof(t->host.pflashd), "%s",
		       line + 8);
}

/* xl is where a user's PATH may not lead, for example after su. */
static int
extend_path(void)
{
	const char *path = getenv("PATH");
	char *longer;

	if (asprintf(&longer, "%s%s/usr/local/sbin:/usr/sbin:/sbin",
		     path ? path : "", path && *path ? ":" : "") < 0)
		return ctl_fail(CTL_FAILED, "selftest: out of memory");
	(void)setenv("PATH", longer, 1);
	free(longer);
	return CTL_OK;
}

int
selftest_look(struct selftest *t)
{
	struct utsname names;
	int code;

	if (geteuid() != 0)
		return ctl_fail(SELFTEST_NOT_HERE,
				"selftest: only root may create a domain");
	code = extend_path();
	if (code == CTL_OK)
		code = look_at_xen(t);
	if (code == CTL_OK)
		code = find_files(t);
	if (code != CTL_OK)
		return code;
	if (uname(&names) == 0)
		(void)snprintf(t->host.kernel, sizeof(t->host.kernel),
			       "%s %s", names.sysname, names.release);
	look_at_cpu(t);
	look_at_pflashd(t);
	return CTL_OK;
}
