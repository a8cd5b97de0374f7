/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Behind the name until the guest has arrived, by xl migrate-receive. */
#define INCOMING "--incoming"

/* Bytes of a refused name that its error shows, at most. */
#define SHOWN 160

/*
 * The length of the UTF-8 sequence at the beginning of a string, and its code
 * point, as RFC 3629 defines them; 0: there is none.
 */
static size_t
decode(const char *text, uint32_t *point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	size_t len = *s < 0x80 ? 1 :
		     *s < 0xc0 ? 0 :
		     *s < 0xe0 ? 2 :
		     *s < 0xf0 ? 3 :
		     *s < 0xf8 ? 4 :
				 0;

	*point = len == 1 ? *s : *s & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (s[i] & 0x3f);
	}
	if (*point < least[len] || *point > 0x10ffff ||
	    (*point >= 0xd800 && *point <= 0xdfff))
		return 0;
	return len;
}

/* C0, DEL and C1 */
static bool
is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

/* NULL: nothing is wrong with it. */
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
		len = decode(name, &point);
		if (len == 0)
			return "is not UTF-8";
		if (is_control(point))
			return "has a control character";
		if (point == '/')
			return "has a '/'";
	}
	return NULL;
}

/* Room for four bytes, "..." and the '\0' is left until the end. */
static void
show(const char *name, char *to, size_t room)
{
	const char *end = to + room - 8;
	uint32_t point = 0;

	while (*name && to < end) {
		size_t len = decode(name, &point);

		if (len > 0 && !is_control(point)) {
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
