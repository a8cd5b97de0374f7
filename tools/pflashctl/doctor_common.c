/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions that several checks of pflashctl doctor use. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

#define MOST (1u << 20) /* bytes of a file to read */
#define OPTIONS "/etc/xen/pflash"

const char *
doctor_path(const struct doctor *doctor, char to[PATH_MAX], const char *path)
{
	(void)snprintf(to, PATH_MAX, "%s%s", doctor->root, path);
	return to;
}

const char *
doctor_word(char to[DOCTOR_WORD], const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._-+:,@%=";
	bool quote = path[strspn(path, plain)] != '\0';
	char *end = to, *last = to + DOCTOR_WORD - 8;

	if (quote)
		*end++ = '\'';
	for (; *path && end < last; path++) {
		if (*path == '\'')
			end = stpcpy(end, "'\\''");
		else
			*end++ = *path;
	}
	if (quote)
		*end++ = '\'';
	*end = '\0';
	return to;
}

char *
doctor_read(const struct doctor *doctor, const char *path)
{
	char real[PATH_MAX], *text = NULL;
	FILE *file = fopen(doctor_path(doctor, real, path), "re");
	size_t room = 4096, len = 0;
	int error;

	if (!file)
		return NULL;
	do {
		char *more = realloc(text, room *= 2);

		if (!more)
			break;
		text = more;
		len += fread(text + len, 1, room - len - 1, file);
	} while (len == room - 1 && room < MOST);
	error = ferror(file) ? EIO : ENOMEM;
	if (text)
		text[len] = '\0';
	if (ferror(file)) {
		free(text);
		text = NULL;
	}
	(void)fclose(file);
	errno = error;
	return text;
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

char **
doctor_list(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_visible, alphasort);
	char **names = count < 0 ? NULL :
				   calloc((size_t)count + 1, sizeof(*names));

	for (int i = 0; i < count; i++) {
		if (names)
			names[i] = strdup(entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return names;
}

void
doctor_free_list(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

void
doctor_each_conf(struct doctor *doctor, doctor_conf *each, void *opaque)
{
	char directory[PATH_MAX], path[PATH_MAX + NAME_MAX + 2];
	char **names = doctor_list(doctor_path(doctor, directory, OPTIONS));

	for (size_t i = 0; names && names[i]; i++) {
		size_t len = strlen(names[i]);

		if (len <= 5 || strcmp(names[i] + len - 5, ".conf") != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", directory,
			       names[i]);
		names[i][len - 5] = '\0';
		each(doctor, opaque, path,
		     strcmp(names[i], "default") == 0 ? NULL : names[i]);
	}
	doctor_free_list(names);
}
