/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "pflash/text.h"

/* xl migrate-receive appends this to the name until the guest has arrived. */
#define INCOMING "--incoming"

/* Bytes of a refused name that its error shows, at most. */
#define SHOWN 160

/* Returns NULL if the name is good. */
static const char *
find_fault(const char *name)
{
	uint32_t point = 0;
	size_t len;

	if (!*name)
		return "is empty";
	if (*name == '.')
		return "begins with '.'";
	if (strlen(name) >= GUEST_NAME_SIZE)
		return "is too long";
	for (; *name; name += len) {
		len = text_decode(name, strlen(name), &point);
		if (len == 0)
			return "is not UTF-8";
		if (text_is_control(point))
			return "has a control character";
		if (point == '/')
			return "has a '/'";
	}
	return NULL;
}

/* Leaves room for one character, "..." and the NUL byte. */
static void
show(const char *name, char *to, size_t room)
{
	const char *end = to + room - 8;
	uint32_t point = 0;

	while (*name && to < end) {
		size_t len = text_decode(name, strlen(name), &point);

		if (len > 0 && !text_is_control(point)) {
			to = mempcpy(to, name, len);
			name += len;
		} else {
			to += sprintf(to, "\\x%02x", (unsigned char)*name);
			name++;
		}
	}
	strcpy(to, *name ? "..." : "");
}

int
guest_check_name(const char *name, struct error *err)
{
	const char *fault = find_fault(name);
	char shown[SHOWN];

	if (!fault)
		return 0;
	show(name, shown, sizeof(shown));
	return error_set(err, EINVAL, "the guest's name '%s' is refused: it %s",
			 shown, fault);
}

static bool
has_suffix(const char *name)
{
	size_t len = strlen(name), cut = strlen(INCOMING);

	return len > cut && strcmp(name + len - cut, INCOMING) == 0;
}

void
guest_find_incoming(struct guest *guest)
{
	guest->incoming = guest->has_run && has_suffix(guest->name);
}

void
guest_lasting_name(const struct guest *guest, char name[GUEST_NAME_SIZE])
{
	(void)snprintf(name, GUEST_NAME_SIZE, "%s", guest->name);
	if (guest->incoming)
		name[strlen(name) - strlen(INCOMING)] = '\0';
}
