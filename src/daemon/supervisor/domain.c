/* SPDX-License-Identifier: BSD-2-Clause */
#include "supervisor/domain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

#include "log.h"
#include "pflash/xen.h"

#define NAME_TOKEN "name"
#define KEY 128 /* bytes for the path of a key */

struct domain {
	struct xs_handle *xs;
	struct transport *transport;
	struct guest guest;
	char ready_path[KEY]; /* directory in xenstore; "": not written */
};

/*
 * Returns the value, malloc()ed, or NULL.  `fmt` takes the domain's id.  A
 * value with a NUL byte is not a text and counts as missing.
 */
static char *
read_key(struct xs_handle *xs, const char *fmt, uint32_t id)
{
	char path[KEY], *text;
	unsigned int len;

	snprintf(path, sizeof(path), fmt, id);
	text = xs_read(xs, XBT_NULL, path, &len);
	if (text && strlen(text) != len) {
		free(text);
		text = NULL;
	}
	return text;
}

static bool
is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static bool
has_name(struct xs_handle *xs, uint32_t id, const char *name)
{
	char *found = read_key(xs, "/local/domain/%" PRIu32 "/name", id);
	bool same = found && strcmp(found, name) == 0;

	free(found);
	return same;
}

/* Sets domain->guest.id. */
static int
find_by_name(struct domain *domain, const char *name, struct error *err)
{
	unsigned int count = 0;
	char **ids = xs_directory(domain->xs, XBT_NULL, "/local/domain",
				  &count);
	int ret = -ESRCH;

	for (unsigned int i = 0; ids && ret < 0 && i < count; i++) {
		domain->guest.id = (uint32_t)strtoul(ids[i], NULL, 10);
		if (has_name(domain->xs, domain->guest.id, name))
			ret = 0;
	}
	free(ids);
	if (ret < 0)
		return error_set(err, ESRCH, "no domain is named '%s'", name);
	return 0;
}

/* Sets domain->guest.id. */
static int
find_by_id(struct domain *domain, const char *text, struct error *err)
{
	unsigned long id = strtoul(text, NULL, 10);

	/* DOMID_FIRST_RESERVED, xen/include/public/xen.h */
	if (strlen(text) > 5 || id >= 0x7ff0)
		return error_set(err, ESRCH, "%s is not a domain id", text);
	domain->guest.id = (uint32_t)id;
	if (!xs_is_domain_introduced(domain->xs, domain->guest.id))
		return error_set(err, ESRCH, "no domain has the id %s", text);
	return 0;
}

static int
find_domain(struct domain *domain, const char *name, struct error *err)
{
	domain->xs = xs_open(0);
	if (!domain->xs)
		return error_errno(err, errno,
				   "cannot reach xenstored "
				   "(is this a Xen host's dom0?)");
	return is_number(name) ? find_by_id(domain, name, err) :
				 find_by_name(domain, name, err);
}

/*
 * Sets guest->incarnation, a text that identifies this domain from its creation
 * to its end.  The boot id is part of it, because a host reuses domain ids
 * after a reboot.
 */
static void
read_incarnation(struct guest *guest)
{
	char boot[37] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (file && fscanf(file, "%36s", boot) != 1)
		boot[0] = '\0';
	if (file)
		(void)fclose(file);
	if (guest->uuid[0] && boot[0])
		(void)snprintf(guest->incarnation, sizeof(guest->incarnation),
			       "%s %" PRIu32 " %.40s", boot, guest->id,
			       guest->uuid);
}

/* A saved and restored guest keeps its UUID; its id and incarnation change. */
static void
read_facts(struct domain *domain)
{
	struct guest *guest = &domain->guest;
	char *uuid = read_key(domain->xs, "/local/domain/%" PRIu32 "/vm",
			      guest->id);
	char *type = read_key(domain->xs, "/libxl/%" PRIu32 "/type", guest->id);

	if (uuid)
		(void)snprintf(guest->uuid, sizeof(guest->uuid), "%.40s", uuid);
	guest->pvh = type && strcmp(type, "pvh") == 0;
	free(type);
	free(uuid);
	read_incarnation(guest);
}

static int
set_name(struct guest *guest, const char *name, struct error *err)
{
	int ret = name ? guest_check_name(name, err) :
			 error_set(err, ESRCH, "domain %" PRIu32 " has no name",
				   guest->id);

	if (ret < 0)
		return ret;
	(void)snprintf(guest->name, sizeof(guest->name), "%s", name);
	guest_find_incoming(guest);
	return 0;
}

static int
read_name(struct domain *domain, struct error *err)
{
	char *name = read_key(domain->xs, "/local/domain/%" PRIu32 "/name",
			      domain->guest.id);
	int ret = set_name(&domain->guest, name, err);

	free(name);
	return ret;
}

/*
 * Asks the hypervisor with handles that are closed at once: handles of Xen do
 * not work after fork(2), and pflashd may still become a daemon.
 */
static int
read_has_run(struct domain *domain, struct error *err)
{
	struct transport *t;
	int ret = xen_transport_open(&t, domain->guest.id, err);

	if (ret < 0)
		return ret;
	domain->guest.has_run = t->ops->has_run(t) > 0;
	t->ops->close(t);
	return 0;
}

int
domain_open(struct domain **out, const char *name, struct error *err)
{
	struct domain *domain = calloc(1, sizeof(*domain));
	int ret;

	if (!domain)
		return error_set(err, ENOMEM, "out of memory");
	ret = find_domain(domain, name, err);
	if (ret == 0)
		ret = read_has_run(domain, err);
	if (ret == 0)
		ret = read_name(domain, err);
	if (ret < 0) {
		domain_close(domain);
		return ret;
	}
	read_facts(domain);
	*out = domain;
	return 0;
}

int
domain_watch(struct domain *domain, struct error *err)
{
	char path[64];
	int ret = xen_transport_open(&domain->transport, domain->guest.id, err);

	if (ret < 0)
		return ret;
	(void)snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/name",
		       domain->guest.id);
	if (xs_watch(domain->xs, "@releaseDomain", "release") &&
	    xs_watch(domain->xs, path, NAME_TOKEN))
		return 0;
	return error_errno(err, errno, "cannot watch xenstore");
}

void
domain_clear_ready(struct domain *domain)
{
	if (domain->ready_path[0])
		xs_rm(domain->xs, XBT_NULL, domain->ready_path);
	domain->ready_path[0] = '\0';
}

void
domain_close(struct domain *domain)
{
	struct transport *t = domain->transport;

	domain_clear_ready(domain);
	if (t)
		t->ops->close(t);
	if (domain->xs)
		xs_close(domain->xs);
	free(domain);
}

void
domain_close_in_child(struct domain *domain)
{
	struct transport *t = domain->transport;

	t->ops->close(t);
	xs_daemon_destroy_postfork(domain->xs);
}

void
domain_set_log_prefix(const struct domain *domain, const char *vars)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "%s (%" PRIu32 "), %s",
		       domain->guest.name, domain->guest.id, vars);
	log_context(text);
}

const struct guest *
domain_guest(const struct domain *domain)
{
	return &domain->guest;
}

struct transport *
domain_transport(struct domain *domain)
{
	return domain->transport;
}

int
domain_event_fd(const struct domain *domain)
{
	return xs_fileno(domain->xs);
}

/*
 * Reads the name again; true: it has changed.  xl renames NAME--incoming to
 * NAME when a migration has completed.
 */
static bool
update_name(struct domain *domain)
{
	struct guest old = domain->guest;
	struct error err;

	if (read_name(domain, &err) < 0)
		domain->guest = old;
	return strcmp(domain->guest.name, old.name) != 0;
}

bool
domain_read_events(struct domain *domain)
{
	bool renamed = false;
	char **event;

	while ((event = xs_check_watch(domain->xs)) != NULL) {
		if (strcmp(event[XS_WATCH_TOKEN], NAME_TOKEN) == 0)
			renamed |= update_name(domain);
		free(event);
	}
	return renamed;
}

/* The directory for this domain in xenstore; `path` has KEY bytes. */
static void
find_directory(const struct domain *domain, char *path)
{
	unsigned int len;
	char *own_id = xs_read(domain->xs, XBT_NULL, "domid", &len);

	(void)snprintf(path, KEY, "/local/domain/%s/device-model/%" PRIu32
				  "/pflash",
		       own_id ? own_id : "0", domain->guest.id);
	free(own_id);
}

int
domain_set_ready(struct domain *domain, struct error *err)
{
	static const char state[] = "running";
	char path[KEY + 8];

	find_directory(domain, domain->ready_path);
	(void)snprintf(path, sizeof(path), "%s/error", domain->ready_path);
	(void)xs_rm(domain->xs, XBT_NULL, path);
	(void)snprintf(path, sizeof(path), "%s/state", domain->ready_path);
	if (!xs_write(domain->xs, XBT_NULL, path, state, sizeof(state) - 1))
		return error_errno(err, errno, "cannot write xenstore's %s",
				   path);
	return 0;
}

void
domain_report_failure(const char *name, const char *sentence)
{
	struct domain domain = { .xs = NULL };
	char directory[KEY], path[KEY + 8], *wanted;
	struct error ignored;
	unsigned int len;

	if (!name || !*sentence)
		return;
	if (find_domain(&domain, name, &ignored) == 0) {
		find_directory(&domain, directory);
		(void)snprintf(path, sizeof(path), "%s/error", directory);
		wanted = xs_read(domain.xs, XBT_NULL, path, &len);
		if (wanted)
			(void)xs_write(domain.xs, XBT_NULL, path, sentence,
				       (unsigned int)strlen(sentence));
		free(wanted);
	}
	if (domain.xs)
		xs_close(domain.xs);
}
