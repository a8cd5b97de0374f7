/* SPDX-License-Identifier: BSD-2-Clause */
#include "selftest.h"

#include <stdio.h>
#include <string.h>

#include "ask.h"

/* The domain is first: its end is the end of a pflashd that works. */
static void
clean_up(struct selftest *t)
{
	struct error why = t->why;
	bool keep = t->options->keep && t->failed >= 0 && t->directory[0];

	t->cleaning = t->ending = true;
	selftest_remove_guest(t);
	selftest_stop_flash(t);
	if (keep)
		selftest_say(t, "kept: %s", t->directory);
	else if (t->directory[0])
		selftest_remove_files(t);
	t->why = why;
}

int
ctl_selftest(const struct ctl_options *options)
{
	static struct selftest t;
	uint64_t seconds = options->timeout ? options->timeout :
					      SELFTEST_SECONDS;
	int code;

	t = (struct selftest){
		.options = options,
		.began = ask_clock(),
		.console = -1,
		.copy = -1,
		.ready = -1,
		.failed = -1,
	};
	t.shown = t.began;
	t.deadline = t.began + (int64_t)seconds * 1000;
	selftest_catch_signals();
	code = selftest_look(&t);
	if (selftest_signal())
		return 128 + selftest_signal();
	if (code != CTL_OK)
		return code;
	selftest_run_checks(&t);
	selftest_read_log(&t);
	clean_up(&t);
	selftest_print(&t);
	if (selftest_signal())
		return 128 + selftest_signal();
	return t.failed < 0 ? CTL_OK : CTL_FAILED;
}
