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

#include "config_value.h"
#include "guest.h"
#include "pflash/control.h"
#include "pflash/load.h"

#define MAX_SIZE (64u << 10)
#define NAME_MARK "%n"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

const char *config_generated = PFLASH_RUN_DIR "/conf";

struct reader {
	config_name *ask;
	config_set *set;
	void *opaque; /* of both */
	char *name;   /* NULL before the first call of ask() */
	char *end;    /* of the values that were copied */
};

static bool
is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int
need_name(struct reader *reader, struct error *err)
{
	char *name = NULL;
	int ret;

	if (reader->name)
		return 0;
	ret = reader->ask(reader->opaque, &name, err);
	if (ret == 0)
		ret = guest_check_name(name, err);
	if (ret < 0)
		free(name);
	else
		reader->name = name;
	return ret;
}

/* Returns 1 if the file exists, and its name in *path; else 0. */
static int
try_file(const char *directory, const char *name, char **path,
	 struct error *err)
{
	if (asprintf(path, "%s/%s.conf", directory, name) < 0) {
		*path = NULL;
		return error_set(err, ENOMEM, "out of memory");
	}
	if (access(*path, F_OK) == 0)
		return 1;
	free(*path);
	*path = NULL;
	return 0;
}

static int
find_file(struct reader *reader, const char *directory, char **path,
	  struct error *err)
{
	int ret = need_name(reader, err);

	if (ret < 0)
		return ret;
	ret = try_file(directory, reader->name, path, err);
	if (ret == 0)
		ret = try_file(config_generated, reader->name, path, err);
	if (ret == 0)
		ret = try_file(directory, "default", path, err);
	if (ret == 0)
		return error_set(err, ENOENT,
				 "%s: neither %s.conf nor default.conf exists "
				 "to describe the guest's flash",
				 directory, reader->name);
	return ret < 0 ? ret : 0;
}

static unsigned int
line_of(const char *text, const char *place)
{
	unsigned int line = 1;

	while (text < place)
		line += *text++ == '\n';
	return line;
}

/* Loads the file as one string. */
static int
load(const char *path, char **text, struct error *err)
{
	uint8_t *data;
	char *nul;
	size_t size = 0;
	int ret = load_file(path, MAX_SIZE, &data, &size, err);

	if (ret < 0)
		return ret;
	*text = (char *)data;
	nul = memchr(*text, '\0', size);
	return nul ? error_set(err, EINVAL, "%s:%u: a NUL byte", path,
			       line_of(*text, nul)) :
		     0;
}

/* Allocates room for all values, each with a NUL byte and the longest name. */
static char *
make_room(const char *text)
{
	size_t room = strlen(text) + 1;

	while ((text = strstr(text, NAME_MARK)) != NULL) {
		room += GUEST_NAME_SIZE;
		text += strlen(NAME_MARK);
	}
	return malloc(room);
}

/* Appends the value to the others; the guest's name replaces each mark. */
static int
expand(struct reader *reader, const char *value, struct error *err)
{
	const char *mark;

	while ((mark = strstr(value, NAME_MARK)) != NULL) {
		int ret = need_name(reader, err);

		if (ret < 0)
			return ret;
		reader->end = mempcpy(reader->end, value,
				      (size_t)(mark - value));
		reader->end = stpcpy(reader->end, reader->name);
		value = mark + strlen(NAME_MARK);
	}
	reader->end = stpcpy(reader->end, value) + 1;
	return 0;
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

/* Blanks were removed from the ends; a tab may be left between them. */
static int
check_characters(const char *line, struct error *err)
{
	while (*line && (*line == '\t' || !iscntrl((unsigned char)*line)))
		line++;
	if (!*line)
		return 0;
	return error_set(err, EINVAL,
			 "a control character (byte 0x%02x): no name of a file "
			 "here may have one",
			 (unsigned char)*line);
}

/*
 * Version 0.1 took the quotes for characters of the file's name.  Its file must
 * not be left behind without a word.
 */
static int
check_literal(struct reader *reader, const char *text, struct error *err)
{
	char *values = reader->end, *literal = make_room(text);
	struct stat st;
	int ret;

	if (!literal)
		return error_set(err, ENOMEM, "out of memory");
	reader->end = literal;
	ret = expand(reader, text, err);
	reader->end = values;
	if (ret == 0 && lstat(literal, &st) == 0)
		ret = error_set(err, EINVAL,
				"a file with the quotes in its name exists, "
				"which version 0.1 used: rename it to the name "
				"without quotes");
	free(literal);
	return ret;
}

/* The guest's name is put in last: quotes and '#' in it are no syntax. */
static int
read_value(struct reader *reader, char *text, struct error *err)
{
	int ret = 0;

	if (config_value_is_quoted(text))
		ret = check_literal(reader, text, err);
	if (ret == 0)
		ret = config_value(text, err);
	return ret < 0 ? ret : expand(reader, text, err);
}

static int
read_option(struct reader *reader, const char *option, char *text,
	    struct error *err)
{
	char *value = reader->end;
	struct error why;
	int ret;

	if (strstr(option, NAME_MARK))
		return error_set(err, EINVAL,
				 "unknown option '%s': %%n stands for the "
				 "guest's name in values only",
				 option);
	ret = read_value(reader, text, &why);
	if (ret < 0)
		return error_set(err, -ret, "'%s': %s", option, why.text);
	return reader->set(reader->opaque, option, value, err);
}

static int
read_line(struct reader *reader, char *line, struct error *err)
{
	char *option = trim(line), *equals;
	int ret;

	if (!*option || *option == '#')
		return 0;
	ret = check_characters(option, err);
	if (ret < 0)
		return ret;
	equals = strchr(option, '=');
	if (!equals)
		return error_set(err, EINVAL, "'%s': expected option = value",
				 option);
	*equals = '\0';
	return read_option(reader, trim(option), trim(equals + 1), err);
}

static int
read_lines(struct reader *reader, const char *path, char *text,
	   struct error *err)
{
	unsigned int number = 0;
	struct error why;
	int ret = 0;

	if (strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		text += strlen(BYTE_ORDER_MARK);
	while (ret == 0 && text) {
		char *line = strsep(&text, "\n");

		number++;
		ret = read_line(reader, line, &why);
	}
	return ret < 0 ? error_set(err, -ret, "%s:%u: %s", path, number,
				   why.text) :
			 0;
}

int
config_read(const char *path, config_name *name, config_set *set, void *opaque,
	    char **text, struct error *err)
{
	struct reader reader = { .ask = name, .set = set, .opaque = opaque };
	char *file = NULL, *lines = NULL;
	int ret = 0;

	*text = NULL;
	if (is_directory(path))
		ret = find_file(&reader, path, &file, err);
	else if (!(file = strdup(path)))
		ret = error_set(err, ENOMEM, "out of memory");
	if (ret == 0)
		ret = load(file, &lines, err);
	if (ret == 0) {
		*text = reader.end = make_room(lines);
		ret = *text ? read_lines(&reader, file, lines, err) :
			      error_set(err, ENOMEM, "out of memory");
	}
	free(lines);
	free(reader.name);
	free(file);
	return ret;
}
