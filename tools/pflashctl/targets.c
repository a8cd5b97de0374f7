/* SPDX-License-Identifier: BSD-2-Clause */
#include "targets.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "find.h"
#include "pflash/control.h"
#include "pflash/identify.h"
#include "pflashctl.h"

/* Takes over the path, which may be NULL: no memory. */
static int
add(struct targets *targets, char *path)
{
	char **more;

	if (!path)
		return ctl_fail(CTL_FAILED, "out of memory");
	more = reallocarray(targets->paths, targets->count + 1, sizeof(*more));
	if (!more) {
		free(path);
		return ctl_fail(CTL_FAILED, "out of memory");
	}
	targets->paths = more;
	targets->paths[targets->count++] = path;
	return CTL_OK;
}

/* --- a directory --- */

static bool
ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), tail = strlen(end);

	return len > tail && strcmp(name + len - tail, end) == 0;
}

/* A file that lies beside a VARS file, and begins as one, perhaps. */
static bool
is_beside(const char *name)
{
	return ends_with(name, ".journal") || ends_with(name, ".state") ||
	       ends_with(name, ".next") || strstr(name, ".kept") != NULL;
}

static bool
has_journal(const char *path)
{
	char *journal;
	bool found = asprintf(&journal, "%s.journal", path) >= 0;

	if (found) {
		found = access(journal, F_OK) == 0;
		free(journal);
	}
	return found;
}

static bool
is_vars(const char *path)
{
	struct identity identity = { .kind = IDENTITY_UNKNOWN };
	struct error err;
	struct stat st;
	int fd;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (has_journal(path))
		return true;
	fd = identify_open(path, &st, &err);
	if (fd < 0)
		return false;
	identify_fd(NULL, fd, (uint64_t)st.st_size, &identity);
	close(fd);
	return identity.kind == IDENTITY_VARS;
}

static int
add_entry(struct targets *targets, const char *directory, const char *name)
{
	char *path;

	if (name[0] == '.' || is_beside(name))
		return CTL_OK;
	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return add(targets, NULL);
	if (is_vars(path))
		return add(targets, path);
	free(path);
	return CTL_OK;
}

static int
add_directory(struct targets *targets, const char *directory)
{
	size_t before = targets->count;
	struct dirent **names;
	int code = CTL_OK, count = scandir(directory, &names, NULL, alphasort);

	if (count < 0)
		return ctl_fail(CTL_FAILED, "%s: %s", directory,
				strerror(errno));
	for (int i = 0; i < count; i++) {
		if (code == CTL_OK)
			code = add_entry(targets, directory, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	if (code == CTL_OK && targets->count == before)
		return ctl_fail(CTL_FILE, "%s: has no VARS file", directory);
	return code;
}

/* --- a guest --- */

static int
add_guest(struct targets *targets, const char *name)
{
	struct guests guests;
	struct guest *guest;
	struct text vars;
	int code = find_guest(name, ask_clock() + STATUS_MS, &guests, &guest);

	if (code == CTL_OK) {
		vars = answer_text(&guest->answer, STATUS_VARS);
		code = add(targets,
			   vars.bytes ? strndup(vars.bytes, vars.len) : NULL);
	}
	guests_close(&guests);
	if (code != CTL_OK)
		(void)ctl_fail(code, "%s: no such file", name);
	return code;
}

static int
add_argument(struct targets *targets, const char *argument)
{
	struct stat st;

	if (find_is_guest(argument))
		return add_guest(targets, argument);
	if (stat(argument, &st) == 0 && S_ISDIR(st.st_mode))
		return add_directory(targets, argument);
	return add(targets, strdup(argument));
}

int
targets_find(struct targets *targets, char **arguments, unsigned int count)
{
	int code = CTL_OK;

	*targets = (struct targets){ .count = 0 };
	for (unsigned int i = 0; i < count && code == CTL_OK; i++)
		code = add_argument(targets, arguments[i]);
	return code;
}

void
targets_free(struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++)
		free(targets->paths[i]);
	free(targets->paths);
}
