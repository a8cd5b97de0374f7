/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashd: a Xen device model that is only a flash chip. */
#include <signal.h>
#include <stdio.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "ready.h"

/* Nobody is there to read what a daemon prints. */
static void
let_go_of_terminal(void)
{
	int null = open("/dev/null", O_RDWR);

	if (chdir("/") < 0)
		log_line(LOG_WARNING, "cannot change to /");
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

static int
tell_ready(struct flash *flash, const struct options *options, int parent,
	   struct error *err)
{
	int ret = domain_set_ready(flash->domain, err);

	if (ret == 0)
		ret = ready_notify_socket(err);
	if (ret == 0 && options->ready_fd >= 0)
		ret = ready_write_fd(options->ready_fd, err);
	if (ret == 0 && parent >= 0) {
		if (options->log != OPTIONS_LOG_STDERR)
			let_go_of_terminal();
		ret = ready_write_fd(parent, err);
	}
	return ret;
}

static int
serve(const struct options *options, int parent)
{
	struct flash flash = { 0 };
	struct error err;
	int code = flash_attach(&flash, options, &err);

	if (code == EXIT_OK) {
		if (options->log == OPTIONS_LOG_SYSLOG ||
		    (options->log == OPTIONS_LOG_DEFAULT && parent >= 0))
			log_to_syslog();
		if (tell_ready(&flash, options, parent, &err) < 0)
			code = EXIT_RUNTIME;
	}
	if (code == EXIT_OK)
		loop_run(&flash);
	else
		log_line(LOG_ERR, "%s", err.text);
	if (flash_detach(&flash) < 0 && code == EXIT_OK) {
		log_line(LOG_ERR, "the journal could not be folded into the "
			 "file; the next start will");
		code = EXIT_RUNTIME;
	}
	return code;
}

int
main(int argc, char **argv)
{
	struct options options;
	struct error err;
	int parent = -1;

	if (options_parse(&options, argc, argv, &err) < 0) {
		log_line(LOG_ERR, "%s", err.text);
		return EXIT_USAGE;
	}
	if (options.help) {
		options_help();
		return EXIT_OK;
	}
	if (options.version) {
		puts("pflashd " PFLASH_VERSION);
		return EXIT_OK;
	}
	signal(SIGPIPE, SIG_IGN);
	if (!options.foreground && ready_fork(&parent, &err) < 0) {
		log_line(LOG_ERR, "%s", err.text);
		return EXIT_RUNTIME;
	}
	return serve(&options, parent);
}
