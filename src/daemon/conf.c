/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/conf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "options.h"
#include "pflash/load.h"

#define MAX_SIZE (64u << 10) /* as config.c */
#define PLACEHOLDER "%n"

/* A copy of the file, without the lines that were found wrong so far. */
struct copy {
	char *text;
	size_t size;
	int fd;
	char path[32];
};

struct names {
	const char *given; /* NULL: PLACEHOLDER */
	bool asked;
};

static int
find_name(void *opaque, const char *domain, char **name, struct error *err)
{
	struct names *names = opaque;

	(void)domain;
	names->asked = true;
	*name = strdup(names->given ? names->given : PLACEHOLDER);
	return *name ? 0 : error_set(err, ENOMEM, "out of memory");
}

/* pflashd's own parser takes a path: it gets a file without a name. */
static int
write_copy(struct copy *copy, struct error *err)
{
	if (copy->fd >= 0)
		(void)close(copy->fd);
	copy->fd = memfd_create("pflash.conf", MFD_CLOEXEC);
	errno = copy->fd < 0 ? errno : ENOSPC; /* of a short write */
	if (copy->fd < 0 ||
	    write(copy->fd, copy->text, copy->size) != (ssize_t)copy->size)
		return error_errno(err, errno, "a copy of the file");
	(void)snprintf(copy->path, sizeof(copy->path), "/proc/self/fd/%d",
		       copy->fd);
	return 0;
}

/* Puts blanks in place of a line. */
static void
blank_line(struct copy *copy, unsigned int line)
{
	char *at = copy->text, *end = copy->text + copy->size;

	while (--line > 0 && at < end) {
		char *newline = memchr(at, '\n', (size_t)(end - at));

		at = newline ? newline + 1 : end;
	}
	while (at < end && *at != '\n')
		*at++ = ' ';
}

/* The line of a text PATH:LINE: SENTENCE, and *text is SENTENCE; 0: none. */
static unsigned int
take_line(const struct copy *copy, const char **text)
{
	size_t len = strlen(copy->path);
	unsigned int line = 0;
	int used = 0;

	if (strncmp(*text, copy->path, len) != 0)
		return 0;
	if (sscanf(*text + len, ":%u: %n", &line, &used) != 1 || used == 0)
		line = 0;
	if (line)
		*text += len + (size_t)used;
	return line;
}

static char *
copy_text(const char *text)
{
	return text ? strdup(text) : NULL;
}

static void
take_options(struct conf *conf, const struct options *options)
{
	conf->vars = copy_text(options->vars);
	conf->journal = copy_text(options->journal);
	conf->template = copy_text(options->template);
	conf->code = copy_text(options->code);
	conf->layout = options->layout ? options->layout->name : NULL;
}

/* 0: sound; 1: a mistake in the line *line; -EINVAL: in the whole file. */
static int
parse(const struct copy *copy, struct names *names, struct conf *conf,
      unsigned int *line, struct error *err)
{
	char program[] = "pflashd", domain[] = "--domain", zero[] = "0";
	char config[] = "--config", path[sizeof(copy->path)];
	char *argv[] = { program, domain, zero, config, path, NULL };
	const char *text = err->text;
	struct options options;
	int code;

	memcpy(path, copy->path, sizeof(path));
	code = options_parse(&options, 5, argv, find_name, names, err);
	if (code == EXIT_OK)
		take_options(conf, &options);
	options_free(&options);
	if (code == EXIT_OK)
		return 0;
	*line = take_line(copy, &text);
	memmove(err->text, text, strlen(text) + 1);
	return *line ? 1 : -EINVAL;
}

static int
find_mistakes(struct copy *copy, struct names *names, struct conf *conf,
	      conf_mistake *mistake, void *opaque, struct error *err)
{
	unsigned int line = 0;
	struct error why = { .text = "" };
	int ret, count = 0;

	do {
		ret = write_copy(copy, err);
		if (ret < 0)
			return ret;
		ret = parse(copy, names, conf, &line, &why);
		/* A line that was taken out may have been that of VARS. */
		if (ret < 0 && count > 0)
			break;
		if (ret != 0) {
			if (mistake)
				mistake(opaque, ret > 0 ? line : 0, why.text);
			count++;
		}
		if (ret > 0)
			blank_line(copy, line);
	} while (ret > 0);
	return count;
}

int
conf_read(const char *path, const char *name, struct conf *conf,
	  conf_mistake *mistake, void *opaque, struct error *err)
{
	struct copy copy = { .fd = -1 };
	struct names names = { .given = name };
	uint8_t *data = NULL;
	int ret;

	*conf = (struct conf){ .vars = NULL };
	ret = load_file(path, MAX_SIZE, &data, &copy.size, err);
	copy.text = (char *)data;
	if (ret == 0)
		ret = find_mistakes(&copy, &names, conf, mistake, opaque, err);
	conf->for_each_guest = names.asked && !name;
	if (copy.fd >= 0)
		(void)close(copy.fd);
	free(data);
	return ret;
}

void
conf_free(struct conf *conf)
{
	free(conf->vars);
	free(conf->journal);
	free(conf->template);
	free(conf->code);
	*conf = (struct conf){ .vars = NULL };
}
