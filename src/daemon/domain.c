/* SPDX-License-Identifier: BSD-2-Clause */
#include "domain.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenstore.h>

#include "log.h"
#include "pflash/control.h"

#define NAME_TOKEN "name"

struct domain {
	struct xs_handle *xs;
	uint32_t id;
	char *name;
	bool pvh;
	char life[96];
	char guest[48];
	char ready_path[128]; /* "": not written */
};

static char *
read_key(struct xs_handle *xs, const char *fmt, uint32_t id)
{
	char path[128];
	unsigned int len;

	snprintf(path, sizeof(path), fmt, id);
	return xs_read(xs, XBT_NULL, path, &len);
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

static int
id_by_name(struct domain *domain, const char *name, struct error *err)
{
	unsigned int count = 0;
	char **ids = xs_directory(domain->xs, XBT_NULL, "/local/domain",
				  &count);
	int ret = -ESRCH;

	for (unsigned int i = 0; ids && ret < 0 && i < count; i++) {
		domain->id = (uint32_t)strtoul(ids[i], NULL, 10);
		if (has_name(domain->xs, domain->id, name))
			ret = 0;
	}
	free(ids);
	if (ret < 0)
		return error_set(err, ESRCH, "no domain is named '%s'", name);
	return 0;
}

static int
id_by_number(struct domain *domain, const char *text, struct error *err)
{
	unsigned long id = strtoul(text, NULL, 10);

	/* DOMID_FIRST_RESERVED, xen/include/public/xen.h */
	if (strlen(text) > 5 || id >= 0x7ff0)
		return error_set(err, ESRCH, "%s is no domain id", text);
	domain->id = (uint32_t)id;
	if (!xs_is_domain_introduced(domain->xs, domain->id))
		return error_set(err, ESRCH, "no domain has the id %s", text);
	return 0;
}

/* The number of a domain is used again, but not while the host is up. */
static void
read_life(struct domain *domain)
{
	char boot[37] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (file && fscanf(file, "%36s", boot) != 1)
		boot[0] = '\0';
	if (file)
		fclose(file);
	if (domain->guest[0] && boot[0])
		(void)snprintf(domain->life, sizeof(domain->life),
			       "%s %" PRIu32 " %.40s", boot, domain->id,
			       domain->guest);
}

/* Saved and restored it keeps its UUID, and nothing else. */
static void
read_what_it_is(struct domain *domain)
{
	char *uuid = read_key(domain->xs, "/local/domain/%" PRIu32 "/vm",
			      domain->id);
	char *type = read_key(domain->xs, "/libxl/%" PRIu32 "/type",
			      domain->id);

	if (uuid)
		(void)snprintf(domain->guest, sizeof(domain->guest), "%.40s",
			       uuid);
	domain->pvh = type && strcmp(type, "pvh") == 0;
	free(type);
	free(uuid);
	read_life(domain);
}

static int
find(struct domain **out, const char *name, struct error *err)
{
	struct domain *domain = calloc(1, sizeof(*domain));
	int ret;

	if (!domain)
		return error_set(err, ENOMEM, "out of memory");
	domain->xs = xs_open(0);
	if (!domain->xs)
		ret = error_errno(err, errno,
				  "cannot reach xenstored "
				  "(is this a Xen host's dom0?)");
	else if (is_number(name))
		ret = id_by_number(domain, name, err);
	else
		ret = id_by_name(domain, name, err);
	if (ret < 0) {
		domain_close(domain);
		return ret;
	}
	domain->name = read_key(domain->xs, "/local/domain/%" PRIu32 "/name",
				domain->id);
	*out = domain;
	return 0;
}

/* A guest that migrates has another name until it has arrived. */
static bool
watch(struct domain *domain)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/name",
		       domain->id);
	return xs_watch(domain->xs, "@releaseDomain", "release") &&
	       xs_watch(domain->xs, path, NAME_TOKEN);
}

int
domain_open(struct domain **out, const char *name, struct error *err)
{
	int ret = find(out, name, err);

	if (ret < 0)
		return ret;
	read_what_it_is(*out);
	if (!watch(*out)) {
		ret = error_errno(err, errno, "cannot watch xenstore");
		domain_close(*out);
		*out = NULL;
	}
	return ret;
}

/* So it is called by xl migrate-receive until it has arrived. */
static void
cut_incoming(char *name)
{
	static const char suffix[] = "--incoming";
	size_t len = strlen(name), cut = sizeof(suffix) - 1;

	if (len > cut && strcmp(name + len - cut, suffix) == 0)
		name[len - cut] = '\0';
}

int
domain_find_name(const char *domain, char **name, struct error *err)
{
	struct domain *found;
	int ret = find(&found, domain, err);

	if (ret < 0)
		return ret == -ENOMEM ? ret : -ESRCH;
	*name = found->name;
	found->name = NULL;
	domain_close(found);
	if (*name)
		cut_incoming(*name);
	return *name ? 0 :
		       error_set(err, ESRCH, "domain %s has no name", domain);
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
	domain_clear_ready(domain);
	if (domain->xs)
		xs_close(domain->xs);
	free(domain->name);
	free(domain);
}

void
domain_leave(struct domain *domain)
{
	xs_daemon_destroy_postfork(domain->xs);
	domain->xs = NULL;
}

void
domain_set_name(struct domain *domain, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return;
	free(domain->name);
	domain->name = copy;
}

void
domain_set_log(const struct domain *domain, const char *vars)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "%s (%" PRIu32 "), %s",
		       domain_name(domain), domain->id, vars);
	log_context(text);
}

uint32_t
domain_id(const struct domain *domain)
{
	return domain->id;
}

const char *
domain_name(const struct domain *domain)
{
	return domain->name ? domain->name : "?";
}

const char *
domain_life(const struct domain *domain)
{
	return domain->life;
}

const char *
domain_guest(const struct domain *domain)
{
	return domain->guest;
}

bool
domain_is_pvh(const struct domain *domain)
{
	return domain->pvh;
}

void
domain_run_path(const struct domain *domain, const char *suffix, char *path,
		size_t room)
{
	(void)snprintf(path, room, PFLASH_RUN_DIR "/%" PRIu32 ".%s", domain->id,
		       suffix);
}

int
domain_event_fd(const struct domain *domain)
{
	return xs_fileno(domain->xs);
}

static bool
rename_domain(struct domain *domain)
{
	char *name = read_key(domain->xs, "/local/domain/%" PRIu32 "/name",
			      domain->id);

	if (!name || (domain->name && strcmp(name, domain->name) == 0)) {
		free(name);
		return false;
	}
	free(domain->name);
	domain->name = name;
	return true;
}

bool
domain_event(struct domain *domain)
{
	bool renamed = false;
	char **event;

	while ((event = xs_check_watch(domain->xs)) != NULL) {
		if (strcmp(event[XS_WATCH_TOKEN], NAME_TOKEN) == 0)
			renamed |= rename_domain(domain);
		free(event);
	}
	return renamed;
}

int
domain_set_ready(struct domain *domain, struct error *err)
{
	static const char state[] = "running";
	unsigned int len;
	char *us = xs_read(domain->xs, XBT_NULL, "domid", &len);
	char path[sizeof(domain->ready_path) + 8];

	snprintf(domain->ready_path, sizeof(domain->ready_path),
		 "/local/domain/%s/device-model/%" PRIu32 "/pflash",
		 us ? us : "0", domain->id);
	free(us);
	snprintf(path, sizeof(path), "%s/state", domain->ready_path);
	if (!xs_write(domain->xs, XBT_NULL, path, state, sizeof(state) - 1))
		return error_errno(err, errno, "cannot write xenstore's %s",
				   path);
	return 0;
}
