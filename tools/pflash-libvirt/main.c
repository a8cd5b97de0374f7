/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pflash-libvirt: libvirt's hook for Xen guests, which gives them a flash.
 *
 * libvirt calls it as NAME OPERATION SUBOPERATION EXTRA, with the guest's XML
 * on standard input, and shows standard error if it fails.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "domain.h"
#include "files.h"
#include "guestxml.h"
#include "hold.h"
#include "pflash/guestname.h"
#include "pflash/load.h"
#include "run.h"
#include "wish.h"

#define USAGE 2
#define IN_USE 4 /* of pflashd: another process has the VARS file */
#define WAIT 10  /* seconds for the pflashd of the guest before its reboot */

struct call {
	char *name; /* of the guest */
	struct guestxml xml;
};

static int
help(void)
{
	return puts("usage: pflash-libvirt NAME OPERATION SUBOPERATION EXTRA\n"
		    "\n"
		    "A hook that libvirt runs for its Xen guests, by the name\n"
		    "/etc/libvirt/hooks/libxl.d/pflash: gives the guest NAME\n"
		    "the flash that its XML, on standard input, describes.\n"
		    "See pflash-libvirt(8).\n"
		    "\n"
		    "  --help, --version") < 0;
}

/* --- the file of options --- */

/*
 * A guest that `arrives` by migration still has its flash on the other host,
 * and pflashd will wait for the file: it is no error that it is in use.
 */
static int
check_start(const struct call *call, bool arrives, struct error *err)
{
	char program[] = "pflashd", check[] = "--check-start";
	char pvh[] = "pvh", hvm[] = "hvm", domain[] = "--domain";
	char config[] = "--config", directory[PATH_MAX];
	char wait[] = "--wait", seconds[8];
	char *type = call->xml.type == GUESTXML_PVH ? pvh : hvm;
	char *argv[] = { program, check,     type, domain,  call->name,
			 config,  directory, wait, seconds, NULL };
	int code;

	(void)snprintf(directory, sizeof(directory), "%s", files_config());
	(void)snprintf(seconds, sizeof(seconds), "%d", arrives ? 0 : WAIT);
	code = run(argv, err);
	return code == IN_USE && arrives ? 0 : code;
}

/* Returns 1 if the guest has a file of options now. */
static int
write_options(const struct call *call, struct error *err)
{
	char *text = NULL;
	int ret = wish_make(&call->xml, &text, err);

	if (ret == 0 && text)
		ret = guest_check_name(call->name, err);
	if (ret == 0 && text)
		ret = files_write(call->name, FILES_CONF, text, err);
	if (ret == 0 && text)
		ret = 1;
	free(text);
	return ret;
}

/* The administrator's file counts, as it does for pflashd. */
static int
prepare(const struct call *call, bool valid, struct error *err)
{
	bool arrives = valid && files_remove(call->name, FILES_ARRIVES);
	int ret = wish_check(&call->xml, err);

	if (valid)
		(void)files_remove(call->name, FILES_CONF);
	if (ret == 0)
		ret = valid && files_has_own(call->name) ?
			      call->xml.type != GUESTXML_OTHER :
			      write_options(call, err);
	if (ret <= 0)
		return ret;
	ret = check_start(call, arrives, err);
	if (ret != 0)
		(void)files_remove(call->name, FILES_CONF);
	return ret;
}

static int
prepare_begin(const struct call *call, struct error *err)
{
	struct error ignored;

	return prepare(call, guest_check_name(call->name, &ignored) == 0, err);
}

/* Has `prepare begin` found that the guest gets a flash? */
static bool
is_wanted(const struct call *call)
{
	struct error ignored;

	return call->xml.type != GUESTXML_OTHER &&
	       guest_check_name(call->name, &ignored) == 0 &&
	       (files_exists(call->name, FILES_CONF) ||
		files_has_own(call->name));
}

/* --- the start --- */

/* The functions of xl's scripts; their PATH finds pflashd. */
static int
attach(uint32_t id, struct error *err)
{
	char shell[] = "/bin/sh", option[] = "-c", name[] = "sh";
	char code[] = ". \"$1/pflash-common.sh\" && pflash_start \"$2\"";
	char scripts[] = PFLASH_SCRIPTS, number[16];
	char *argv[] = { shell, option, code, name, scripts, number, NULL };

	(void)snprintf(number, sizeof(number), "%" PRIu32, id);
	return run(argv, err);
}

/* A guest that has run would have looked for its flash in vain. */
static int
check_has_not_run(uint32_t id, struct error *err)
{
	int64_t time = domain_time(id, err);

	if (time <= 0)
		return (int)time;
	return error_set(err, ECANCELED,
			 "the guest had run for %" PRId64 " us before it was "
			 "paused, without its flash: start it again, or give "
			 "an interface <script path='vif-pflash'/>",
			 time / 1000);
}

/* After a failure the domain stays paused: libvirt destroys it. */
static int
attach_held(const struct call *call, struct error *err)
{
	uint32_t id;
	int ret = hold_take(call->xml.uuid, &id, err);
	int served = ret == 0 ? domain_is_served(id, err) : ret;

	if (served == 0)
		ret = check_has_not_run(id, err);
	else
		ret = served < 0 ? served : 0;
	if (ret == 0)
		ret = attach(id, err);
	return ret == 0 ? domain_unpause(id, err) : ret;
}

/* The script of an interface has attached the flash. */
static int
check_attached(const struct call *call, struct error *err)
{
	char *end = NULL;
	unsigned long id = call->xml.id ? strtoul(call->xml.id, &end, 10) : 0;
	int served;

	if (!end || *end || id > UINT16_MAX)
		return error_set(err, EINVAL, "the XML has no domain id");
	served = domain_is_served((uint32_t)id, err);
	if (served != 0)
		return served < 0 ? served : 0;
	return error_set(err, ENOENT,
			 "the script of the guest's interface has attached no "
			 "flash");
}

static int
start_begin(const struct call *call, struct error *err)
{
	if (!is_wanted(call) || call->xml.has_script)
		return 0;
	return hold_begin(call->xml.uuid, err);
}

static int
started_begin(const struct call *call, struct error *err)
{
	if (!is_wanted(call))
		return 0;
	return call->xml.has_script ? check_attached(call, err) :
				      attach_held(call, err);
}

/* --- other events --- */

/* libvirtd may have ended before `started begin`: the guest still waits. */
static int
reconnect_begin(const struct call *call, struct error *err)
{
	if (!is_wanted(call) || !files_exists(call->xml.uuid, FILES_HOLD))
		return 0;
	/* After a failure libvirtd would forget a guest that exists. */
	if (attach_held(call, err) != 0)
		syslog(LOG_ERR, "%s has no flash and stays paused: %s",
		       call->name, err->text);
	return 0;
}

/*
 * libvirt calls it on the host to which the guest migrates.  Version 9.0 gives
 * it no XML.
 */
static int
migrate_begin(const struct call *call, struct error *err)
{
	struct error ignored;

	if (guest_check_name(call->name, &ignored) < 0)
		return 0; /* it has no flash */
	return files_write(call->name, FILES_ARRIVES, "", err);
}

static int
release_end(const struct call *call, struct error *err)
{
	struct error ignored;

	(void)err;
	if (guest_check_name(call->name, &ignored) == 0) {
		(void)files_remove(call->name, FILES_CONF);
		(void)files_remove(call->name, FILES_ARRIVES);
	}
	(void)files_remove(call->xml.uuid, FILES_HOLD);
	return 0;
}

static const struct {
	const char *operation, *suboperation;
	bool reads_xml;
	int (*handle)(const struct call *call, struct error *err);
} events[] = {
	{ "migrate", "begin", false, migrate_begin },
	{ "prepare", "begin", true, prepare_begin },
	{ "start", "begin", true, start_begin },
	{ "started", "begin", true, started_begin },
	{ "reconnect", "begin", true, reconnect_begin },
	{ "release", "end", true, release_end },
};

#define EVENTS (sizeof(events) / sizeof(events[0]))

static int
read_xml(struct guestxml *xml, struct error *err)
{
	uint8_t *text;
	size_t size = 0;
	int ret = load_file("/dev/stdin", GUESTXML_MOST, &text, &size, err);

	if (ret == 0)
		ret = guestxml_parse((const char *)text, size, xml, err);
	if (ret == 0 && !xml->uuid[0])
		ret = error_set(err, EINVAL, "the XML has no <uuid>");
	free(text);
	return ret;
}

/* 0; an exit code of a program that has reported; or -errno. */
static int
handle(const char *operation, const char *suboperation, struct call *call,
       struct error *err)
{
	for (size_t i = 0; i < EVENTS; i++) {
		int ret = 0;

		if (strcmp(operation, events[i].operation) != 0 ||
		    strcmp(suboperation, events[i].suboperation) != 0)
			continue;
		if (events[i].reads_xml)
			ret = read_xml(&call->xml, err);
		if (ret == 0)
			ret = events[i].handle(call, err);
		guestxml_free(&call->xml);
		return ret;
	}
	return 0;
}

/* libvirtd's PATH comes first, then that of pflash-common.sh. */
static void
set_path(void)
{
	static const char more[] =
		"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	const char *path = getenv("PATH");
	char *all = NULL;

	if (path && *path && asprintf(&all, "%s:%s", path, more) >= 0)
		(void)setenv("PATH", all, 1);
	else
		(void)setenv("PATH", more, 1);
	free(all);
}

/* A name that cannot be shown is not: the sentence about it shows it. */
static void
report(const char *name, const struct error *err)
{
	struct error ignored;

	if (guest_check_name(name, &ignored) == 0)
		fprintf(stderr, "pflash-libvirt: guest '%s': %s\n", name,
			err->text);
	else
		fprintf(stderr, "pflash-libvirt: %s\n", err->text);
}

int
main(int argc, char **argv)
{
	struct call call = { .name = NULL };
	struct error err;
	int ret;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return puts("pflash-libvirt " PFLASH_VERSION) < 0;
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return help();
	if (argc != 5) {
		fputs("pflash-libvirt: four arguments of libvirt are expected "
		      "(see --help)\n",
		      stderr);
		return USAGE;
	}
	call.name = argv[1];
	set_path();
	openlog("pflash-libvirt", LOG_PID, LOG_DAEMON);
	ret = handle(argv[2], argv[3], &call, &err);
	if (ret < 0)
		report(call.name, &err);
	return ret != 0;
}
