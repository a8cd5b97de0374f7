/* SPDX-License-Identifier: BSD-2-Clause */
#include "double_domain.h"

#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "supervised.h"

struct domain {
	struct guest guest;
	struct transport transport;
};

int domain_event_end = -1;

static int
double_populate(struct transport *t, uint64_t gfn, unsigned int count)
{
	(void)t, (void)gfn, (void)count;
	stage->populates++;
	return 0;
}

static int
double_depopulate(struct transport *t, uint64_t gfn, unsigned int count)
{
	(void)t, (void)gfn, (void)count;
	stage->depopulates++;
	return 0;
}

static int
double_get_type(struct transport *t, uint64_t gfn)
{
	(void)t, (void)gfn;
	stage->types++;
	return HVMMEM_mmio_dm;
}

static int
double_pause(struct transport *t)
{
	(void)t;
	stage->pauses++;
	return 0;
}

static int
double_unpause(struct transport *t)
{
	(void)t;
	stage->unpauses++;
	return 0;
}

static int
double_is_paused(struct transport *t)
{
	(void)t;
	stage->looks++;
	return stage->paused;
}

static int
double_shutdown_reason(struct transport *t)
{
	(void)t;
	stage->looks++;
	return stage->reason;
}

static const struct transport_ops ops = {
	.populate = double_populate,
	.depopulate = double_depopulate,
	.get_type = double_get_type,
	.pause = double_pause,
	.unpause = double_unpause,
	.is_paused = double_is_paused,
	.shutdown_reason = double_shutdown_reason,
};

struct domain *
domain_double(void)
{
	static struct domain domain = {
		.guest = { .id = DOMID, .name = "guest" },
		.transport = { .ops = &ops },
	};

	return &domain;
}

/* The test programs do not contain main.c, which calls this. */
int
domain_open(struct domain **out, const char *name, struct error *err)
{
	(void)name, (void)err;
	*out = domain_double();
	return 0;
}

void
domain_close(struct domain *domain)
{
	domain_clear_ready(domain);
}

void
domain_close_in_child(struct domain *domain)
{
	(void)domain;
}

const struct guest *
domain_guest(const struct domain *domain)
{
	return &domain->guest;
}

void
domain_set_log_prefix(const struct domain *domain, const char *vars)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "%s (%u), %s", domain->guest.name,
		       domain->guest.id, vars);
	log_context(text);
}

int
domain_watch(struct domain *domain, struct error *err)
{
	(void)domain, (void)err;
	return 0;
}

int
domain_event_fd(const struct domain *domain)
{
	(void)domain;
	return domain_event_end;
}

struct transport *
domain_transport(struct domain *domain)
{
	return &domain->transport;
}

bool
domain_read_events(struct domain *domain)
{
	uint64_t count;

	(void)domain;
	(void)!read(domain_event_end, &count, sizeof(count));
	return false;
}

int
domain_set_ready(struct domain *domain, struct error *err)
{
	(void)domain, (void)err;
	stage->set_ready++;
	return 0;
}

void
domain_clear_ready(struct domain *domain)
{
	(void)domain;
	stage->clear_ready++;
}
