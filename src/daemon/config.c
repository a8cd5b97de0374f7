/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

#define MAX_SIZE (64u << 10)

static bool
is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A name is no path: nothing outside of the directory is meant. */
static int
find_file(const char *directory, const char *name, char **path,
	  struct error *err)
{
	if (strchr(name, '/'))
		return error_set(err, EINVAL,
				 "%s: no file for a guest named '%s'",
				 directory, name);
	if (asprintf(path, "%s/%s.conf", directory, name) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (access(*path, F_OK) == 0)
		return 0;
	free(*path);
	if (asprintf(path, "%s/default.conf", directory) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (access(*path, F_OK) == 0)
		return 0;
	free(*path);
	*path = NULL;
	return error_set(err, ENOENT,
			 "%s: neither %s.conf nor default.conf says what flash "
			 "the guest has",
			 directory, name);
}

/* The contents with the guest's name for each "%n". */
static char *
expand(const uint8_t *data, size_t size, const char *name)
{
	size_t room = 1, extra = name ? strlen(name) : 0;
	char *text, *to;

	for (size_t i = 0; i < size; i++)
		room += data[i] == '%' ? 1 + extra : 1;
	text = to = malloc(room);
	for (size_t i = 0; text && i < size; i++) {
		if (name && data[i] == '%' && i + 1 < size &&
		    data[i + 1] == 'n') {
			to = stpcpy(to, name);
			i++;
		} else {
			*to++ = (char)data[i];
		}
	}
	if (text)
		*to = '\0';
	return text;
}

static char *
trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

/* Comments have lines of their own: a path may contain a '#'. */
static int
read_line(char *line, config_set *set, void *opaque, struct error *err)
{
	char *option = trim(line), *equals;

	if (!*option || *option == '#')
		return 0;
	equals = strchr(option, '=');
	if (!equals)
		return error_set(err, EINVAL, "'%s': expected option = value",
				 option);
	*equals = '\0';
	return set(opaque, trim(option), trim(equals + 1), err);
}

static int
read_lines(const char *path, char *text, config_set *set, void *opaque,
	   struct error *err)
{
	unsigned int number = 0;
	struct error why;
	int ret = 0;

	while (ret == 0 && text) {
		char *line = strsep(&text, "\n");

		number++;
		ret = read_line(line, set, opaque, &why);
	}
	return ret < 0 ? error_set(err, -ret, "%s:%u: %s", path, number,
				   why.text) :
			 0;
}

int
config_read(const char *path,
	    int (*ask_name)(void *opaque, char **name, struct error *err),
	    config_set *set, void *opaque, char **text, struct error *err)
{
	char *file = NULL, *name = NULL;
	uint8_t *data = NULL;
	size_t size = 0;
	int ret = 0;

	*text = NULL;
	if (is_directory(path)) {
		ret = ask_name(opaque, &name, err);
		if (ret == 0)
			ret = find_file(path, name, &file, err);
	} else if (!(file = strdup(path))) {
		ret = error_set(err, ENOMEM, "out of memory");
	}
	if (ret == 0)
		ret = file_load(file, MAX_SIZE, &data, &size, err);
	if (ret == 0 && !name && memmem(data, size, "%n", 2))
		ret = ask_name(opaque, &name, err);
	if (ret == 0) {
		*text = expand(data, size, name);
		ret = *text ? read_lines(file, *text, set, opaque, err) :
			      error_set(err, ENOMEM, "out of memory");
	}
	free(data);
	free(name);
	free(file);
	return ret;
}
