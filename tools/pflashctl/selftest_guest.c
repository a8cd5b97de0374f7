/* SPDX-License-Identifier: BSD-2-Clause */
/* The domain of the test, its console, and the directory with all files. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "ask.h"
#include "selftest.h"

#define DESTROY_MS 30000
/* For pflashd's poll budget of 50 us, and for a slow wakeup. */
#define PAUSE_US 5000.0
#define CONSOLE_LOG "/var/log/xen/console/guest-%s.log"

int
selftest_directory(struct selftest *t)
{
	const char *base = getenv("TMPDIR");

	(void)snprintf(t->directory, sizeof(t->directory),
		       "%s/pflash-selftest-XXXXXX", base ? base : "/tmp");
	if (strpbrk(t->directory, "\"\\\n'") || t->directory[0] != '/') {
		t->directory[0] = '\0';
		return error_set(&t->why, EINVAL,
				 "TMPDIR is no absolute path without quotes");
	}
	if (!mkdtemp(t->directory)) {
		int error = errno;

		t->directory[0] = '\0';
		return error_errno(&t->why, error, "%s", base ? base : "/tmp");
	}
	(void)snprintf(t->vars, sizeof(t->vars), "%s/vars.fd", t->directory);
	(void)snprintf(t->log, sizeof(t->log), "%s/pflashd.log",
		       t->directory);
	(void)snprintf(t->config, sizeof(t->config), "%s/guest.cfg",
		       t->directory);
	(void)snprintf(t->name, sizeof(t->name), "pflash-selftest-%d",
		       (int)getpid());
	return 0;
}

/* The guest by a name without characters that xl would interpret. */
static int
write_config(struct selftest *t)
{
	char link[PATH_MAX + 16];
	double cycles = (t->host.mhz > 0 ? t->host.mhz : 2000) * PAUSE_US;
	FILE *file = fopen(t->config, "wex");

	(void)snprintf(link, sizeof(link), "%s/guest.elf", t->directory);
	if (!file)
		return error_errno(&t->why, errno, "%s", t->config);
	fprintf(file,
		"name = \"%s\"\ntype = \"pvh\"\nkernel = \"%s\"\n"
		"extra = \"test=selftest pause=%.0f\"\n"
		"memory = 32\nvcpus = 1\ntsc_mode = \"native\"\n"
		"on_poweroff = \"preserve\"\non_reboot = \"preserve\"\n"
		"on_crash = \"preserve\"\n",
		t->name, link, cycles);
	if (fclose(file) != 0 || symlink(t->guest, link) < 0)
		return error_errno(&t->why, errno, "%s", t->directory);
	return 0;
}

/* -ENOENT if there is no domain of this name. */
static int
find_domain(struct selftest *t)
{
	const char *const domid[] = { "xl", "domid", t->name, NULL };
	char text[256];
	int ret = selftest_run(t, domid, text, sizeof(text));
	const char *line = selftest_last_line(text);

	if (ret < 0)
		return ret;
	if (ret != 0 || !ask_domain(line, strlen(line), &t->domain) ||
	    t->domain == 0)
		return error_set(&t->why, ENOENT, "xl domid: %s", line);
	return 0;
}

/* The terminal would change what the guest and this program send. */
static void
make_raw(int fd)
{
	struct termios settings;

	if (tcgetattr(fd, &settings) == 0) {
		cfmakeraw(&settings);
		(void)tcsetattr(fd, TCSANOW, &settings);
	}
}

/* xenconsoled makes the terminal soon after the domain is there. */
static bool
has_console(struct selftest *t)
{
	char key[64], text[PATH_MAX + 16];
	const char *const read[] = { "xenstore-read", key, NULL };
	const char *path;

	(void)snprintf(key, sizeof(key), "/local/domain/%" PRIu32
		       "/console/tty", t->domain);
	if (selftest_run(t, read, text, sizeof(text)) != 0)
		return false;
	path = selftest_last_line(text);
	if (path[0] == '/')
		t->console = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK |
						O_CLOEXEC);
	if (t->console < 0)
		return false;
	make_raw(t->console);
	(void)snprintf(text, sizeof(text), "%s/console.log", t->directory);
	t->copy = open(text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return true;
}

/* For --keep. */
static void
keep_output(struct selftest *t, const char *text)
{
	char path[PATH_MAX + 16];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/xl.log", t->directory);
	file = fopen(path, "wex");
	if (!file)
		return;
	fputs(text, file);
	fclose(file);
}

int
selftest_create(struct selftest *t)
{
	/* -e: no process of xl stays, which would keep a log. */
	const char *const create[] = { "xl", "create", "-p",
				       "-e", t->config, NULL };
	char text[4096];
	int ret = write_config(t);

	if (ret == 0 && find_domain(t) == 0) {
		t->domain = 0;
		ret = error_set(&t->why, EEXIST, "there is a domain %s",
				t->name);
	}
	if (ret < 0)
		return ret;
	t->why.text[0] = '\0';
	t->tried = true;
	ret = selftest_run(t, create, text, sizeof(text));
	keep_output(t, text);
	if (ret > 0)
		return error_set(&t->why, EIO, "xl create: %s",
				 selftest_error_line(text));
	if (ret == 0)
		ret = find_domain(t);
	if (ret < 0)
		return ret;
	return selftest_wait(t, has_console, "the guest's console");
}

int
selftest_unpause(struct selftest *t)
{
	const char *const unpause[] = { "xl", "unpause", t->name, NULL };
	char text[1024];
	int ret = selftest_run(t, unpause, text, sizeof(text));

	if (ret > 0)
		return error_set(&t->why, EIO, "xl unpause: %s",
				 selftest_last_line(text));
	return ret;
}

static void
take_bytes(struct selftest *t, const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] == '\n') {
			report_line(&t->report, t->line, t->len);
			t->len = 0;
		} else if (t->len < sizeof(t->line)) {
			t->line[t->len++] = bytes[i];
		}
	}
}

void
selftest_read_console(struct selftest *t)
{
	char bytes[4096];
	ssize_t n;

	if (t->console < 0)
		return;
	n = read(t->console, bytes, sizeof(bytes));
	if (n > 0) {
		take_bytes(t, bytes, (size_t)n);
		(void)!write(t->copy, bytes, (size_t)n);
	}
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	close(t->console);
	t->console = -1;
}

int
selftest_type(struct selftest *t, const char *request)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%s\r", request);

	t->report.ready = t->report.measured = false;
	t->report.sizes_ok = t->report.rounds_ok = false;
	if (t->console < 0 || write(t->console, text, (size_t)len) != len)
		return error_set(&t->why, EIO,
				 "the guest's console takes no input");
	return 0;
}

static bool
is_ready(struct selftest *t)
{
	return t->report.ready;
}

int
selftest_until_ready(struct selftest *t, const char *what)
{
	int ret = selftest_wait(t, is_ready, what);

	if (ret == 0 && t->report.failure[0])
		return error_set(&t->why, EIO, "the guest reports: %s",
				 t->report.failure);
	return ret;
}

void
selftest_remove_guest(struct selftest *t)
{
	const char *const destroy[] = { "xl", "destroy", t->name, NULL };
	char text[1024];

	if (t->console >= 0)
		close(t->console);
	if (t->copy >= 0)
		close(t->copy);
	t->console = t->copy = -1;
	t->deadline = ask_clock() + DESTROY_MS;
	if (!t->tried || (t->domain == 0 && find_domain(t) < 0))
		return;
	if (selftest_run(t, destroy, text, sizeof(text)) != 0)
		selftest_say(t, "domain %s could not be destroyed: %s",
			     t->name, selftest_last_line(text));
	/* With --log=guest xenconsoled has written it, too. */
	(void)snprintf(text, sizeof(text), CONSOLE_LOG, t->name);
	(void)unlink(text);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

void
selftest_remove_files(struct selftest *t)
{
	(void)nftw(t->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
