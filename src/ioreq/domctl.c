/* SPDX-License-Identifier: BSD-2-Clause */
#include "domctl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/hvm/save.h>
#include <xenctrl.h>

/* For a structure that a later release has made longer. */
#define ROOM 4096

struct domctl {
	void *library;
	xc_interface *interface;
	typeof(xc_interface_open) *open;
	typeof(xc_interface_close) *close;
	typeof(xc_domain_pause) *pause;
	typeof(xc_domain_unpause) *unpause;
	typeof(xc_domain_getinfolist) *getinfolist;
	typeof(xc_domain_hvm_getcontext_partial) *getcontext;
};

static const struct {
	const char *name;
	size_t at;
} symbols[] = {
	{ "xc_interface_open", offsetof(struct domctl, open) },
	{ "xc_interface_close", offsetof(struct domctl, close) },
	{ "xc_domain_pause", offsetof(struct domctl, pause) },
	{ "xc_domain_unpause", offsetof(struct domctl, unpause) },
	{ "xc_domain_getinfolist", offsetof(struct domctl, getinfolist) },
	{ "xc_domain_hvm_getcontext_partial",
	  offsetof(struct domctl, getcontext) },
};

#define SYMBOLS (sizeof(symbols) / sizeof(symbols[0]))

/* The library returns -1 and sets errno; converts that to -errno. */
static int
result(int ret)
{
	return ret < 0 ? -errno : ret;
}

static int
load(struct domctl *domctl, uint32_t version, struct error *err)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "libxenctrl.so.%u.%u",
		       (unsigned int)(version >> 16),
		       (unsigned int)(version & 0xffff));
	/*
	 * The supervisor opens it for the first time before it forks: pages
	 * that the loader has written stay shared only if it stays loaded.
	 */
	domctl->library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!domctl->library)
		return error_set(err, ELIBACC,
				 "the library of the running Xen: %s",
				 dlerror());
	for (size_t i = 0; i < SYMBOLS; i++) {
		void *symbol = dlsym(domctl->library, symbols[i].name);

		if (!symbol)
			return error_set(err, ELIBACC, "%s has no %s", name,
					 symbols[i].name);
		memcpy((char *)domctl + symbols[i].at, &symbol, sizeof(symbol));
	}
	return 0;
}

int
domctl_open(struct domctl **out, uint32_t version,
	    struct xentoollog_logger *log, struct error *err)
{
	struct domctl *domctl = calloc(1, sizeof(*domctl));
	int ret;

	if (!domctl)
		return error_set(err, ENOMEM, "out of memory");
	ret = load(domctl, version, err);
	if (ret == 0) {
		domctl->interface = domctl->open(log, NULL, 0);
		if (!domctl->interface)
			ret = error_errno(err, errno, "/dev/xen/privcmd");
	}
	if (ret < 0) {
		domctl_close(domctl);
		return ret;
	}
	*out = domctl;
	return 0;
}

void
domctl_close(struct domctl *domctl)
{
	if (domctl->interface)
		domctl->close(domctl->interface);
	if (domctl->library)
		dlclose(domctl->library);
	free(domctl);
}

int
domctl_pause(struct domctl *domctl, uint32_t domid)
{
	return result(domctl->pause(domctl->interface, domid));
}

int
domctl_unpause(struct domctl *domctl, uint32_t domid)
{
	return result(domctl->unpause(domctl->interface, domid));
}

union info {
	xc_domaininfo_t info;
	uint8_t room[ROOM];
};

/* Xen answers with the next domain if there is no such one. */
static int
get_info(struct domctl *domctl, uint32_t domid, union info *answer)
{
	int count;

	memset(answer, 0, sizeof(*answer));
	count = domctl->getinfolist(domctl->interface, domid, 1, &answer->info);
	if (count < 0)
		return -errno;
	return count == 0 || answer->info.domain != domid ? -ESRCH : 0;
}

int
domctl_flags(struct domctl *domctl, uint32_t domid, uint32_t *flags)
{
	union info answer;
	int ret = get_info(domctl, domid, &answer);

	if (ret == 0)
		*flags = answer.info.flags;
	return ret;
}

int64_t
domctl_cpu_time(struct domctl *domctl, uint32_t domid)
{
	union info answer;
	int ret = get_info(domctl, domid, &answer);

	return ret < 0 ? ret : (int64_t)answer.info.cpu_time;
}

int
domctl_cr0(struct domctl *domctl, uint32_t domid, uint64_t *cr0)
{
	union {
		HVM_SAVE_TYPE(CPU) cpu;
		uint8_t room[ROOM];
	} answer = { .room = { 0 } };
	int ret = result(domctl->getcontext(domctl->interface, domid,
					    HVM_SAVE_CODE(CPU), 0, &answer,
					    sizeof(answer)));

	if (ret == 0)
		*cr0 = answer.cpu.cr0;
	return ret;
}
