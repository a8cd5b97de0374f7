/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashd: a Xen device model that emulates only a flash chip. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "fetch.h"
#include "log.h"
#include "lost.h"
#include "ready.h"
#include "supervisor/supervisor.h"
#include "supervisor/upgrade.h"
#include "worker/worker.h"

#include "pflash/sys.h"

/* Opens the domain at the first call.  For --check-start there is none. */
static void
find_domain(struct supervisor_start *start)
{
	if (start->options->check_start)
		start->no_domain_code = -ESRCH;
	if (!start->domain && !start->no_domain_code)
		start->no_domain_code = domain_open(&start->domain,
						    start->options->domain,
						    &start->no_domain);
}

static int
find_name(void *opaque, const char *domain, char **name, struct error *err)
{
	struct supervisor_start *start = opaque;
	char lasting[GUEST_NAME_SIZE];

	find_domain(start);
	if (start->domain) {
		guest_lasting_name(domain_guest(start->domain), lasting);
		domain = lasting;
	} else if (!start->options->check_start) {
		*err = start->no_domain;
		return start->no_domain_code == -EINVAL ? -EINVAL : -ESRCH;
	}
	*name = strdup(domain);
	return *name ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int
fetch(const struct supervisor_start *start)
{
	struct error err = start->no_domain;
	int code = EXIT_DOMAIN;

	if (start->domain)
		code = fetch_flash(start->options, domain_guest(start->domain),
				   &err);
	if (code != EXIT_OK)
		log_line(LOG_ERR, "%s", err.text);
	return code;
}

static int
run(struct supervisor_start *start)
{
	struct error err;
	int code = EXIT_OK, ret = 0;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (start->options->lease_lost)
		return lost_run(start->options);
	find_domain(start);
	if (start->options->check_handover)
		return worker_check_handover(
			start->options,
			start->domain ? domain_guest(start->domain) : NULL);
	if (start->options->fetch)
		return fetch(start);
	if (!start->options->foreground && !start->options->check_start)
		ret = ready_fork(&start->parent, &code, &err);
	if (ret < 0) {
		log_line(LOG_ERR, "%s", err.text);
		return EXIT_RUNTIME;
	}
	return ret > 0 ? code : supervisor_run(start);
}

static int
check_ready_fd(const struct options *options, struct error *err)
{
	if (options->ready_fd < 0 || fcntl(options->ready_fd, F_GETFD) >= 0)
		return EXIT_OK;
	error_set(err, EINVAL, "--ready-fd: '%d' is not an open descriptor",
		  options->ready_fd);
	return EXIT_USAGE;
}

/* After an upgrade there is no terminal to leave and no waiting process. */
static void
continue_as_daemon(struct options *options)
{
	options->ready_fd = -1;
	if (!options->foreground && options->log == OPTIONS_LOG_DEFAULT)
		options->log = OPTIONS_LOG_SYSLOG;
	options->foreground = true;
	if (options_want_syslog(options))
		log_to_syslog();
}

/* Sets *err for a name that a guest must not have. */
static int
check_future_name(const struct options *options, struct error *err)
{
	return options->check_start &&
			       guest_check_name(options->domain, err) < 0 ?
		       EXIT_DOMAIN :
		       EXIT_OK;
}

static int
start_with(struct options *options, struct supervisor_start *start, int argc,
	   char **argv)
{
	struct error err;
	int code = options_parse(options, argc, argv, find_name, start, &err);

	if (start->lock >= 0)
		continue_as_daemon(options);
	else if (code == EXIT_OK && !options->check_handover)
		code = check_ready_fd(options, &err);
	if (code == EXIT_OK)
		code = check_future_name(options, &err);
	if (code != EXIT_OK)
		log_line(LOG_ERR, "%s", err.text);
	else if (options->help)
		options_help();
	else if (options->version)
		puts("pflashd " PFLASH_VERSION);
	else
		code = run(start);
	return code;
}

int
main(int argc, char **argv)
{
	struct options options;
	struct supervisor_start start = { .options = &options, .parent = -1 };
	int code;

	upgrade_remember(argv);
	sys_learn_host(); /* the worker may not ask */
	start.lock = upgrade_inherited(&start.lease);
	code = start_with(&options, &start, argc, argv);
	if (start.domain)
		domain_close(start.domain);
	if (code != EXIT_OK && !options.check_start &&
	    !options.check_handover && !options.lease_lost)
		domain_report_failure(options.domain, log_last_error());
	options_free(&options);
	return code;
}
