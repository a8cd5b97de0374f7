/* SPDX-License-Identifier: BSD-2-Clause */
#include "names.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#define JOURNAL ".journal"
#define RANDOM_DIGITS 16

const char *
names_resolve(struct names *names, const char *path)
{
	if (strcmp(path, names->vars) != 0) {
		errno = EPERM;
		return NULL;
	}
	if (!names->real)
		names->real = realpath(path, NULL);
	return names->real;
}

void
names_free(struct names *names)
{
	free(names->real);
}

/* What of `path` is behind the first `len` characters of `base`, if it is. */
static const char *
behind(const char *path, const char *base, size_t len)
{
	return strncmp(path, base, len) == 0 ? path + len : NULL;
}

static bool
is_one_of(const char *suffix, const char *const *list)
{
	while (*list && strcmp(suffix, *list) != 0)
		list++;
	return *list != NULL;
}

static bool
is_random(const char *suffix)
{
	return *suffix == '.' && strlen(suffix) == 1 + RANDOM_DIGITS &&
	       strspn(suffix + 1, "0123456789abcdef") == RANDOM_DIGITS;
}

static bool
is_beside(const char *path, const char *vars, bool is_new)
{
	static const char *const suffixes[] = {
		"", ".journal", ".journal.new", ".state", ".state.new", NULL
	};
	const char *suffix = behind(path, vars, strlen(vars));

	return suffix &&
	       (is_one_of(suffix, suffixes) || (is_new && is_random(suffix)));
}

/* The state lies beside the journal, and is called like it. */
static bool
is_of_journal(const char *path, const char *journal)
{
	static const char *const journals[] = { "", ".new", NULL };
	static const char *const states[] = { ".state", ".state.new", NULL };
	size_t len = strlen(journal), dot = strlen(JOURNAL);
	const char *suffix = behind(path, journal, len);

	if (suffix && is_one_of(suffix, journals))
		return true;
	if (len > dot && strcmp(journal + len - dot, JOURNAL) == 0)
		len -= dot;
	suffix = behind(path, journal, len);
	return suffix && is_one_of(suffix, states);
}

bool
names_have(const struct names *names, const char *path)
{
	return is_beside(path, names->vars, !names->real) ||
	       (names->real && is_beside(path, names->real, false)) ||
	       (names->journal && is_of_journal(path, names->journal));
}

static bool
is_directory_of(const char *path, const char *file)
{
	char *copy = file ? strdup(file) : NULL;
	bool same = copy && strcmp(path, dirname(copy)) == 0;

	free(copy);
	return same;
}

bool
names_have_directory(const struct names *names, const char *path)
{
	return is_directory_of(path, names->vars) ||
	       is_directory_of(path, names->real) ||
	       is_directory_of(path, names->journal);
}
