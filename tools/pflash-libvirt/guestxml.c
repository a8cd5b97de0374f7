/* SPDX-License-Identifier: BSD-2-Clause */
#include "guestxml.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>

#include "pflash/text.h"

/* Neither a file nor the network is read, and no entity is replaced. */
#define PARSE (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)

static const char *
text_of(const xmlChar *text)
{
	return (const char *)text;
}

/* Is it an element of this name?  NULL: libvirt's own, without a namespace. */
static bool
is_element(const xmlNode *node, const char *namespace, const char *name)
{
	if (node->type != XML_ELEMENT_NODE ||
	    strcmp(text_of(node->name), name) != 0)
		return false;
	if (!namespace || !node->ns)
		return !namespace && !node->ns;
	return node->ns->href &&
	       strcmp(text_of(node->ns->href), namespace) == 0;
}

/*
 * Sets *found to the element in `parent`; NULL: there is none.  Refuses a
 * second one: libvirt writes one, and would use another one than this program.
 */
static int
find_child(xmlNode *parent, const char *namespace, const char *name,
	   xmlNode **found, struct error *err)
{
	*found = NULL;
	for (xmlNode *at = parent ? parent->children : NULL; at;
	     at = at->next) {
		if (!is_element(at, namespace, name))
			continue;
		if (*found)
			return error_set(err, EINVAL,
					 "<%s> has more than one <%s>",
					 text_of(parent->name), name);
		*found = at;
	}
	return 0;
}

/* Moves a text of libxml2 to *to; NULL if it has nothing but blanks. */
static int
take(xmlChar *text, char **to, struct error *err)
{
	const char *from = text_of(text);

	*to = NULL;
	if (from && from[strspn(from, " \t\r\n")])
		*to = strdup(from);
	else
		from = NULL;
	xmlFree(text);
	return from && !*to ? error_set(err, ENOMEM, "out of memory") : 0;
}

static int
take_content(xmlNode *node, char **to, struct error *err)
{
	return take(node ? xmlNodeGetContent(node) : NULL, to, err);
}

static int
take_attribute(xmlNode *node, const char *name, char **to, struct error *err)
{
	return take(node ? xmlGetNoNsProp(node, (const xmlChar *)name) : NULL,
		    to, err);
}

static bool
attribute_is(xmlNode *node, const char *name, const char *wanted)
{
	xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)name);
	bool same = value && strcmp(text_of(value), wanted) == 0;

	xmlFree(value);
	return same;
}

static int
read_type(xmlNode *os, struct guestxml *xml, struct error *err)
{
	char *type = NULL;
	xmlNode *node;
	int ret = find_child(os, NULL, "type", &node, err);

	if (ret == 0)
		ret = take_content(node, &type, err);
	if (type && strcmp(type, "hvm") == 0)
		xml->type = GUESTXML_HVM;
	else if (type &&
		 (strcmp(type, "xenpvh") == 0 || strcmp(type, "pvh") == 0))
		xml->type = GUESTXML_PVH;
	free(type);
	return ret;
}

static int
read_loader(xmlNode *os, struct guestxml *xml, struct error *err)
{
	xmlNode *node;
	int ret = find_child(os, NULL, "loader", &node, err);

	if (ret < 0 || !node)
		return ret;
	xml->has_loader = true;
	xml->secure |= attribute_is(node, "secure", "yes");
	ret = take_content(node, &xml->loader, err);
	return ret < 0 ? ret :
			 take_attribute(node, "type", &xml->loader_type, err);
}

/* <firmware><feature enabled='yes' name='secure-boot'/></firmware> */
static int
read_features(xmlNode *os, struct guestxml *xml, struct error *err)
{
	xmlNode *firmware;
	int ret = find_child(os, NULL, "firmware", &firmware, err);

	if (ret < 0 || !firmware)
		return ret;
	for (xmlNode *at = firmware->children; at; at = at->next)
		xml->secure |= is_element(at, NULL, "feature") &&
			       attribute_is(at, "name", "secure-boot") &&
			       attribute_is(at, "enabled", "yes");
	return 0;
}

/* The file is a text, or in an element <source>, as that of a disk. */
static int
read_nvram(xmlNode *os, struct guestxml *xml, struct error *err)
{
	xmlNode *node, *source;
	int ret = find_child(os, NULL, "nvram", &node, err);

	if (ret < 0 || !node)
		return ret;
	xml->has_nvram = true;
	ret = find_child(node, NULL, "source", &source, err);
	if (ret == 0 && source)
		ret = take_attribute(source, "file", &xml->vars, err);
	if (ret == 0 && source && !xml->vars)
		ret = take_attribute(source, "dev", &xml->vars, err);
	if (ret == 0 && source && !xml->vars)
		return error_set(err, EINVAL,
				 "<nvram> names neither a file nor a block "
				 "device: pflashd has no other flash");
	if (ret == 0 && !source)
		ret = take_content(node, &xml->vars, err);
	if (ret == 0)
		ret = take_attribute(node, "format", &xml->vars_format, err);
	return ret < 0 ? ret :
			 take_attribute(node, "template", &xml->template, err);
}

static int
read_os(xmlNode *domain, struct guestxml *xml, struct error *err)
{
	xmlNode *os, *kernel = NULL;
	int ret = find_child(domain, NULL, "os", &os, err);

	if (ret < 0 || !os)
		return ret;
	xml->efi = attribute_is(os, "firmware", "efi");
	ret = read_type(os, xml, err);
	if (ret == 0)
		ret = read_loader(os, xml, err);
	if (ret == 0)
		ret = read_features(os, xml, err);
	if (ret == 0)
		ret = read_nvram(os, xml, err);
	if (ret == 0)
		ret = find_child(os, NULL, "kernel", &kernel, err);
	return ret < 0 ? ret : take_content(kernel, &xml->kernel, err);
}

static int
read_options(xmlNode *domain, struct guestxml *xml, struct error *err)
{
	xmlNode *metadata, *flash = NULL;
	int ret = find_child(domain, NULL, "metadata", &metadata, err);

	if (ret == 0)
		ret = find_child(metadata, GUESTXML_NAMESPACE, "flash", &flash,
				 err);
	if (ret == 0 && flash && xmlFirstElementChild(flash))
		return error_set(err, EINVAL,
				 "the <flash> of %s has an element: write "
				 "lines of pflash.conf(5)",
				 GUESTXML_NAMESPACE);
	return ret < 0 ? ret : take_content(flash, &xml->options, err);
}

/* libvirt gives the path of a script to libxl, which runs it by its name. */
static bool
is_our_script(const char *path)
{
	static const char ours[] = "vif-pflash";
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (strncmp(name, ours, strlen(ours)) != 0)
		return false;
	name += strlen(ours);
	return !*name || *name == '-';
}

static int
read_script(xmlNode *interface, struct guestxml *xml, struct error *err)
{
	char *path = NULL;
	xmlNode *script;
	int ret = find_child(interface, NULL, "script", &script, err);

	if (ret == 0)
		ret = take_attribute(script, "path", &path, err);
	xml->has_script |= path && is_our_script(path);
	free(path);
	return ret;
}

static int
read_interfaces(xmlNode *domain, struct guestxml *xml, struct error *err)
{
	xmlNode *devices;
	int ret = find_child(domain, NULL, "devices", &devices, err);
	xmlNode *at = ret == 0 && devices ? devices->children : NULL;

	for (; ret == 0 && at; at = at->next)
		if (is_element(at, NULL, "interface"))
			ret = read_script(at, xml, err);
	return ret;
}

/* Refuses a text that is no UUID: it becomes the name of a file. */
static int
set_uuid(struct guestxml *xml, const char *text, struct error *err)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t i;

	for (i = 0; form[i]; i++) {
		bool fits = form[i] == '-' ? text[i] == '-' :
					     isxdigit((unsigned char)text[i]);

		if (!fits)
			break;
		xml->uuid[i] = (char)tolower((unsigned char)text[i]);
	}
	if (!form[i] && !text[i])
		return 0;
	xml->uuid[0] = '\0';
	return error_set(err, EINVAL, "the text of <uuid> is no UUID");
}

static int
read_identity(xmlNode *domain, struct guestxml *xml, struct error *err)
{
	char *uuid = NULL;
	xmlNode *node;
	int ret = find_child(domain, NULL, "uuid", &node, err);

	if (ret == 0)
		ret = take_content(node, &uuid, err);
	if (uuid)
		ret = set_uuid(xml, uuid, err);
	free(uuid);
	return ret < 0 ? ret : take_attribute(domain, "id", &xml->id, err);
}

static int
read_bootloader(xmlNode *domain, struct guestxml *xml, struct error *err)
{
	xmlNode *node;
	int ret = find_child(domain, NULL, "bootloader", &node, err);

	xml->has_bootloader = node != NULL;
	return ret;
}

static int
read_domain(xmlDoc *document, struct guestxml *xml, struct error *err)
{
	xmlNode *domain = xmlDocGetRootElement(document);
	int ret;

	/* libvirt writes none; entities need one. */
	if (document->intSubset)
		return error_set(err, EINVAL, "the XML has a <!DOCTYPE>");
	if (!domain || !is_element(domain, NULL, "domain"))
		return error_set(err, EINVAL,
				 "the XML is not that of a domain");
	ret = read_identity(domain, xml, err);
	if (ret == 0)
		ret = read_bootloader(domain, xml, err);
	if (ret == 0)
		ret = read_os(domain, xml, err);
	if (ret == 0)
		ret = read_options(domain, xml, err);
	return ret < 0 ? ret : read_interfaces(domain, xml, err);
}

static int
syntax_error(struct error *err)
{
	const xmlError *last = xmlGetLastError();
	const char *message = last && last->message ? last->message : "";
	char shown[160];

	text_copy_printable(shown, sizeof(shown), message,
			    strcspn(message, "\n"));
	return error_set(err, EINVAL, "the XML cannot be read: line %d: %s",
			 last ? last->line : 0, shown);
}

int
guestxml_parse(const char *text, size_t size, struct guestxml *xml,
	       struct error *err)
{
	xmlDoc *document;
	int ret;

	memset(xml, 0, sizeof(*xml));
	if (size > GUESTXML_MOST)
		return error_set(err, EINVAL, "the XML has more than %u bytes",
				 GUESTXML_MOST);
	document = xmlReadMemory(text, (int)size, NULL, NULL, PARSE);
	if (!document)
		return syntax_error(err);
	ret = read_domain(document, xml, err);
	xmlFreeDoc(document);
	return ret;
}

void
guestxml_free(struct guestxml *xml)
{
	free(xml->id);
	free(xml->loader);
	free(xml->loader_type);
	free(xml->kernel);
	free(xml->vars);
	free(xml->vars_format);
	free(xml->template);
	free(xml->options);
	memset(xml, 0, sizeof(*xml));
}
