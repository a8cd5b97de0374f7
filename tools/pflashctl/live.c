/* SPDX-License-Identifier: BSD-2-Clause */
/* pflashctl status and mode: the flash of one running guest. */
#include <stdio.h>
#include <string.h>

#include "find.h"
#include "pflash/control.h"
#include "pflashctl.h"

#define MODE_MS 15000

int
ctl_status(const struct ctl_options *options)
{
	struct guests guests;
	struct guest *found;
	int code = find_guest(options->files[0], ask_clock() + STATUS_MS,
			      &guests, &found);

	if (code == CTL_OK && options->json) {
		answer_print_json(stdout, found->answer.members);
	} else if (code == CTL_OK) {
		answer_print(stdout, &found->answer);
		find_hint(&found->answer);
	}
	guests_close(&guests);
	return code;
}

static int
check_mode(const char *wanted, const char *mode, const struct answer *answer)
{
	if (answer_text(answer, STATUS_ERROR).bytes)
		return find_refused(wanted, answer);
	if (answer_is(answer, STATUS_MODE, mode))
		return CTL_OK;
	if (!answer_text(answer, STATUS_MODE).bytes)
		return ctl_fail(CTL_FAILED,
				"%s: the answer does not name the mode",
				wanted);
	return ctl_fail(CTL_FAILED, "%s: this pflashd cannot change its mode",
			wanted);
}

int
ctl_mode(const struct ctl_options *options)
{
	const char *wanted = options->files[0], *mode = options->files[1];
	int64_t deadline = ask_clock() + MODE_MS;
	struct guests all, one = { .count = 0 };
	struct guest *found;
	char line[CONTROL_LINE];
	int code;

	if (strcmp(mode, "direct") != 0 && strcmp(mode, "trap") != 0)
		return ctl_fail(CTL_USAGE, "mode: '%s' is not direct or trap",
				mode);
	(void)snprintf(line, sizeof(line), CONTROL_MODE "%s\n", mode);
	code = find_guest(wanted, deadline, &all, &found);
	if (code == CTL_OK)
		code = find_tell(found, line, deadline, &one);
	if (code == CTL_OK)
		code = check_mode(wanted, mode, &one.all->answer);
	guests_close(&one);
	guests_close(&all);
	return code;
}
