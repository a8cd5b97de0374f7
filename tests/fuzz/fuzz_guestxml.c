/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer: the XML of a guest in libvirt.  The input is the document.
 *
 * Beside memory errors and leaks it aborts unless a document that is accepted
 * has the UUID of a file's name, no text is empty or more than the document
 * has, and a refused one has a sentence of one line.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guestxml.h"
#include "input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text, size_t size)
{
	demand(!text || (*text && strlen(text) <= size), "a text of no size");
}

static void
check(const struct guestxml *xml, size_t size)
{
	size_t len = strlen(xml->uuid);

	demand(len == 0 || len == 36, "the length of the UUID");
	demand(strspn(xml->uuid, "0123456789abcdef-") == len, "the UUID");
	demand(!xml->vars || xml->has_nvram, "a file without <nvram>");
	demand(!xml->template || xml->has_nvram, "a template without <nvram>");
	demand(!xml->loader || xml->has_loader, "a text without <loader>");
	check_text(xml->id, size);
	check_text(xml->loader, size);
	check_text(xml->loader_type, size);
	check_text(xml->kernel, size);
	check_text(xml->vars, size);
	check_text(xml->vars_format, size);
	check_text(xml->template, size);
	check_text(xml->options, size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guestxml xml;
	struct error err = { .text = "" };
	int ret = guestxml_parse((const char *)data, size, &xml, &err);

	if (ret == 0)
		check(&xml, size);
	else
		demand(*err.text && !strchr(err.text, '\n'), "no sentence");
	guestxml_free(&xml);
	return 0;
}
