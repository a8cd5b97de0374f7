/* SPDX-License-Identifier: BSD-2-Clause */
#include "mounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Replaces the kernel's octal escapes, such as \040, in place. */
static void
unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		char digits[4] = "";

		if (*text == '\\' && strspn(text + 1, "01234567") >= 3) {
			memcpy(digits, text + 1, 3);
			*to++ = (char)strtoul(digits, NULL, 8);
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static bool
is_below(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	if (strcmp(directory, "/") == 0)
		return true;
	return strncmp(path, directory, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0');
}

/* ID PARENT DEVICE ROOT POINT OPTIONS [FIELD]... - TYPE SOURCE OPTIONS */
static bool
split(char *line, char **point, struct mount *mount)
{
	char *dash = strstr(line, " - "), *word[6] = { NULL };
	char *type, *options;

	if (!dash)
		return false;
	*dash = '\0';
	dash += 3;
	for (int i = 0; i < 6; i++)
		word[i] = strsep(&line, " ");
	type = strsep(&dash, " ");
	(void)strsep(&dash, " ");
	options = dash ? dash : "";
	if (!word[5] || !type)
		return false;
	unescape(word[4]);
	*point = word[4];
	(void)snprintf(mount->type, sizeof(mount->type), "%s", type);
	(void)snprintf(mount->options, sizeof(mount->options), "%s,%s", word[5],
		       options);
	return true;
}

/* The longest mount point wins, and of equal ones the last: it covers. */
bool
mounts_find(char *text, const char *path, struct mount *mount)
{
	size_t longest = 0;
	char *line, *point;
	struct mount one;

	while ((line = strsep(&text, "\n")) != NULL) {
		if (!split(line, &point, &one) || !is_below(path, point) ||
		    strlen(point) < longest)
			continue;
		longest = strlen(point);
		*mount = one;
	}
	return longest > 0;
}

bool
mounts_has(const struct mount *mount, const char *option)
{
	size_t len = strlen(option);
	const char *at = mount->options;

	while (at) {
		if (strncmp(at, option, len) == 0 &&
		    (at[len] == ',' || at[len] == '\0'))
			return true;
		at = strchr(at, ',');
		at = at ? at + 1 : NULL;
	}
	return false;
}
