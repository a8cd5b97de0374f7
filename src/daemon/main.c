/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashd: a Xen device model that is only a flash chip. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include "domain.h"
#include "keeper.h"
#include "log.h"
#include "ready.h"
#include "upgrade.h"

static int
find_name(void *opaque, const char *domain, char **name, struct error *err)
{
	(void)opaque;
	return domain_find_name(domain, name, err);
}

static int
run(const struct options *options)
{
	struct error err;
	int parent = -1, code = EXIT_OK, ret = 0;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (!options->foreground)
		ret = ready_fork(&parent, &code, &err);
	if (ret < 0) {
		log_line(LOG_ERR, "%s", err.text);
		return EXIT_RUNTIME;
	}
	return ret > 0 ? code : keeper_run(options, parent);
}

static int
check_ready_fd(const struct options *options, struct error *err)
{
	if (options->ready_fd < 0 || fcntl(options->ready_fd, F_GETFD) >= 0)
		return EXIT_OK;
	error_set(err, EINVAL, "--ready-fd: %d is not an open descriptor",
		  options->ready_fd);
	return EXIT_USAGE;
}

/* No flash is handed over yet, so none could go on. */
static int
check_handover(void)
{
	log_line(LOG_ERR, "--check-handover: this version takes over no flash "
			  "from a running pflashd");
	return EXIT_RUNTIME;
}

/* After an upgrade there is no terminal to let go of, and nobody who waits. */
static void
go_on(struct options *options)
{
	options->ready_fd = -1;
	if (!options->foreground && options->log == OPTIONS_LOG_DEFAULT)
		options->log = OPTIONS_LOG_SYSLOG;
	options->foreground = true;
}

int
main(int argc, char **argv)
{
	struct options options;
	struct error err;
	int code;

	upgrade_remember(argv);
	code = options_parse(&options, argc, argv, find_name, NULL, &err);
	if (upgrade_was_one())
		go_on(&options);
	else if (code == EXIT_OK)
		code = check_ready_fd(&options, &err);
	if (code != EXIT_OK)
		log_line(LOG_ERR, "%s", err.text);
	else if (options.help)
		options_help();
	else if (options.version)
		puts("pflashd " PFLASH_VERSION);
	else
		code = options.check_handover ? check_handover() :
						run(&options);
	options_free(&options);
	return code;
}
