/* SPDX-License-Identifier: BSD-2-Clause */
#include "find.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "pflash/control.h"
#include "pflashctl.h"

#define LONGEST 1000 /* bytes of a pflashd's sentence to print */

int
find_unanswered(const struct guest *guest)
{
	return ctl_fail(CTL_FAILED, "%s/%" PRIu32 ".sock: %s", PFLASH_RUN_DIR,
			guest->domain, guest->why.text);
}

unsigned int
find_report(const struct guests *guests)
{
	unsigned int count = 0;

	for (size_t i = 0; i < guests->count; i++) {
		const struct guest *guest = &guests->all[i];

		if (guest->state == ASK_ANSWERED || guest->state == ASK_ABSENT)
			continue;
		(void)find_unanswered(guest);
		count++;
	}
	return count;
}

static int64_t
sooner(int64_t deadline)
{
	int64_t limit = ask_clock() + STATUS_MS;

	return deadline < limit ? deadline : limit;
}

int
find_tell(const struct guest *guest, const char *line, int64_t deadline,
	  struct guests *reply)
{
	struct error err;

	if (guests_one(reply, guest->domain, &err) < 0)
		return ctl_fail(CTL_FAILED, "%s", err.text);
	ask(reply, line, deadline);
	if (reply->all->state == ASK_ANSWERED)
		return CTL_OK;
	return find_unanswered(reply->all);
}

static int
find_number(const char *wanted, int64_t deadline, struct guests *guests,
	    struct guest **found)
{
	struct error err;
	uint32_t domain;

	*guests = (struct guests){ .count = 0 };
	if (!ask_domain(wanted, strlen(wanted), &domain))
		return ctl_fail(CTL_USAGE,
				"'%s' is not the id of a guest, and a number "
				"is never taken for a name",
				wanted);
	if (guests_one(guests, domain, &err) < 0)
		return ctl_fail(CTL_FAILED, "%s", err.text);
	ask(guests, CONTROL_STATUS "\n", sooner(deadline));
	if (guests->all->state == ASK_ABSENT)
		return ctl_fail(CTL_FAILED, "no pflashd serves '%s'", wanted);
	*found = guests->all;
	return find_report(guests) ? CTL_FAILED : CTL_OK;
}

static int
find_name(const char *wanted, int64_t deadline, struct guests *guests,
	  struct guest **found)
{
	struct error err;

	if (guests_find(guests, &err) < 0)
		return ctl_fail(CTL_FAILED, "%s", err.text);
	ask(guests, CONTROL_STATUS "\n", sooner(deadline));
	(void)find_report(guests);
	for (size_t i = 0; i < guests->count; i++) {
		struct guest *guest = &guests->all[i];

		if (guest->state != ASK_ANSWERED ||
		    !answer_is(&guest->answer, STATUS_NAME, wanted))
			continue;
		if (*found)
			return ctl_fail(CTL_FAILED,
					"'%s' is the name of domains %" PRIu32
					" and %" PRIu32 ": give the id",
					wanted, (*found)->domain,
					guest->domain);
		*found = guest;
	}
	if (!*found)
		return ctl_fail(CTL_FAILED, "no pflashd serves '%s'", wanted);
	return CTL_OK;
}

static bool
is_number(const char *word)
{
	return *word && !word[strspn(word, "0123456789")];
}

bool
find_is_guest(const char *word)
{
	return is_number(word) || (!strchr(word, '/') &&
				   access(word, F_OK) < 0 && errno == ENOENT);
}

int
find_guest(const char *wanted, int64_t deadline, struct guests *guests,
	   struct guest **found)
{
	*found = NULL;
	if (is_number(wanted))
		return find_number(wanted, deadline, guests, found);
	return find_name(wanted, deadline, guests, found);
}

int
find_refused(const char *wanted, const struct answer *answer)
{
	struct text why = answer_text(answer, STATUS_ERROR);

	return ctl_fail(CTL_FAILED, "%s: %.*s", wanted,
			why.len < LONGEST ? (int)why.len : LONGEST, why.bytes);
}

void
find_hint(const struct answer *answer)
{
	if (answer_is(answer, STATUS_STATE, "failed"))
		(void)ctl_fail(CTL_FAILED,
			       "domain %" PRIu32
			       " has failed: its worker is not restarted, and "
			       "the guest waits; the log of pflashd says why, "
			       "and 'pflashctl upgrade %" PRIu32
			       "' tries again",
			       answer->domain, answer->domain);
}
