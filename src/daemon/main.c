/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashd: a Xen device model that is only a flash chip. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "ready.h"

/* Nobody reads what a daemon prints, but standard error may be its log. */
static void
let_go_of_terminal(const struct options *options)
{
	int last = options->log == OPTIONS_LOG_STDERR ? STDOUT_FILENO :
							STDERR_FILENO;
	int null = open("/dev/null", O_RDWR);

	if (chdir("/") < 0)
		log_line(LOG_WARNING, "cannot change to /");
	for (int fd = 0; null >= 0 && fd <= last; fd++)
		dup2(null, fd);
	if (null > last)
		close(null);
}

/* Until the flash is attached, what goes wrong is said on standard error. */
static bool
wants_syslog(const struct options *options)
{
	return options->log == OPTIONS_LOG_SYSLOG ||
	       (options->log == OPTIONS_LOG_DEFAULT && !options->foreground);
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
	if (ret < 0)
		return ret;
	if (wants_syslog(options))
		log_to_syslog();
	if (parent >= 0) {
		let_go_of_terminal(options);
		ret = ready_write_fd(parent, err);
	}
	return ret;
}

/* Who is told that the flash is there may ask for its status at once. */
static int
serve_attached(struct loop *loop, struct flash *flash, int parent,
	       struct error *err)
{
	int ret;

	loop_start(loop, flash);
	ret = tell_ready(flash, flash->options, parent, err);
	if (ret == 0)
		loop_run(loop);
	loop_stop(loop);
	return ret < 0 ? EXIT_RUNTIME : EXIT_OK;
}

static int
serve(const struct options *options, int parent)
{
	struct flash flash = { 0 };
	struct loop loop;
	struct error err;
	int code, ret;

	loop_init(&loop);
	code = flash_attach(&flash, options, &err);
	if (code == EXIT_OK)
		code = serve_attached(&loop, &flash, parent, &err);
	if (code != EXIT_OK)
		log_line(LOG_ERR, "%s", err.text);
	ret = flash_detach(&flash);
	if (ret < 0 && code == EXIT_OK) {
		log_line(LOG_ERR,
			 "the journal could not be folded into the "
			 "file (%s); both are kept as they are",
			 strerror(-ret));
		code = EXIT_RUNTIME;
	}
	return code;
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
	return ret > 0 ? code : serve(options, parent);
}

int
main(int argc, char **argv)
{
	struct options options;
	struct error err;
	int code = options_parse(&options, argc, argv, &err);

	if (code != EXIT_OK)
		log_line(LOG_ERR, "%s", err.text);
	else if (options.help)
		options_help();
	else if (options.version)
		puts("pflashd " PFLASH_VERSION);
	else
		code = run(&options);
	options_free(&options);
	return code;
}
