/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks of pflashctl doctor: the means of pflashd's sandbox.  It uses users of
 * its own, a root directory, limits and a filter of system calls; it makes no
 * user namespace, but may run in one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

/* SANDBOX_FIRST_UID of pflashd, and one for each id of a domain. */
#define FIRST UINT64_C(2000000000)
#define LAST (FIRST + 0x7fef)

/* Calls `each` for the lines of a file; false if there is no file. */
typedef void each_line(struct doctor *doctor, void *opaque, char *line);

static bool
read_lines(struct doctor *doctor, const char *path, each_line *each,
	   void *opaque)
{
	char *text = doctor_read(doctor, path), *rest = text, *line;

	while (rest && (line = strsep(&rest, "\n")) != NULL)
		if (*line)
			each(doctor, opaque, line);
	free(text);
	return text != NULL;
}

/* --- users --- */

/* The field of the first number, and of the count of numbers; 0: one. */
struct accounts {
	const char *path;
	int first, count;
	unsigned int found;
};

static uint64_t
field(const char *line, int number)
{
	while (line && number-- > 0) {
		line = strchr(line, ':');
		line = line ? line + 1 : NULL;
	}
	return line ? strtoull(line, NULL, 10) : 0;
}

static void
examine_account(struct doctor *doctor, void *opaque, char *line)
{
	struct accounts *accounts = opaque;
	uint64_t first = field(line, accounts->first), last = first;

	if (accounts->count && field(line, accounts->count) > 0)
		last += field(line, accounts->count) - 1;
	if (*line == '#' || first > LAST || last < FIRST)
		return;
	accounts->found++;
	line[strcspn(line, ":")] = '\0';
	doctor_say(doctor, DOCTOR_PROBLEM,
		   "%s%s: '%s' has numbers from %" PRIu64 " to %" PRIu64
		   ", which are those of pflashd's workers (%" PRIu64
		   " to %" PRIu64 ")",
		   doctor->root, accounts->path, line, first, last, FIRST,
		   LAST);
	doctor_mend(doctor,
		    "give '%s' other numbers, or name a user in the "
		    "files of options (user = NAME)",
		    line);
}

void
doctor_users(struct doctor *doctor)
{
	struct accounts files[] = { { "/etc/passwd", 2, 0, 0 },
				    { "/etc/group", 2, 0, 0 },
				    { "/etc/subuid", 1, 2, 0 },
				    { "/etc/subgid", 1, 2, 0 } };
	unsigned int found = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)read_lines(doctor, files[i].path, examine_account,
				 &files[i]);
		found += files[i].found;
	}
	if (found == 0)
		doctor_say(doctor, DOCTOR_OK,
			   "no account of this host's files has the numbers of "
			   "pflashd's workers, %" PRIu64 " to %" PRIu64,
			   FIRST, LAST);
}

/* --- user namespace --- */

static void
examine_map(struct doctor *doctor, void *opaque, char *line)
{
	bool *covered = opaque;
	uint64_t inside = 0, outside, count = 0;

	(void)doctor;
	if (sscanf(line, "%" SCNu64 "%" SCNu64 "%" SCNu64, &inside, &outside,
		   &count) == 3 &&
	    inside <= FIRST && inside + count > LAST)
		*covered = true;
}

void
doctor_namespaces(struct doctor *doctor)
{
	static const char *const maps[] = { "/proc/self/uid_map",
					    "/proc/self/gid_map" };
	unsigned int good = 0;

	for (int i = 0; i < 2; i++) {
		bool covered = false;

		if (!read_lines(doctor, maps[i], examine_map, &covered)) {
			doctor_say(doctor, DOCTOR_UNSEEN, "%s%s: %s",
				   doctor->root, maps[i], strerror(errno));
		} else if (!covered) {
			doctor_say(doctor, DOCTOR_PROBLEM,
				   "%s%s: this user namespace does not have "
				   "the numbers of pflashd's workers, %" PRIu64
				   " to %" PRIu64,
				   doctor->root, maps[i], FIRST, LAST);
			doctor_mend(doctor, "run pflashd outside of the "
					    "container, or name a user in the "
					    "files of options (user = NAME)");
		} else {
			good++;
		}
	}
	if (good == 2)
		doctor_say(doctor, DOCTOR_OK,
			   "the numbers of pflashd's workers are valid here");
}

/* --- capabilities --- */

/* Of the unit; the numbers are those of linux/capability.h. */
static const struct {
	const char *name;
	unsigned int number;
} needed[] = { { "chown", 0 },      { "dac_override", 1 }, { "fowner", 3 },
	       { "kill", 5 },       { "setgid", 6 },       { "setuid", 7 },
	       { "sys_chroot", 18 } };

static void
examine_status(struct doctor *doctor, void *opaque, char *line)
{
	bool *seen = opaque;
	uint64_t set;
	bool whole = true;

	if (sscanf(line, "CapBnd: %" SCNx64, &set) != 1)
		return;
	*seen = true;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (set & (UINT64_C(1) << needed[i].number))
			continue;
		whole = false;
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "the capability cap_%s is not in the bounding set "
			   "of this session",
			   needed[i].name);
		doctor_mend(doctor, "run pflashd outside of the container, or "
				    "give it this capability");
	}
	if (whole)
		doctor_say(doctor, DOCTOR_OK,
			   "the capabilities that pflashd needs are not taken "
			   "away");
}

void
doctor_capabilities(struct doctor *doctor)
{
	bool seen = false;

	(void)read_lines(doctor, "/proc/self/status", examine_status, &seen);
	if (!seen)
		doctor_say(doctor, DOCTOR_UNSEEN,
			   "%s/proc/self/status: no line CapBnd", doctor->root);
}

/* --- seccomp --- */

void
doctor_seccomp(struct doctor *doctor)
{
	char *text = doctor_read(doctor, "/proc/sys/kernel/seccomp/"
					 "actions_avail");

	if (text && strstr(text, "kill_process") && strstr(text, "errno") &&
	    strstr(text, "allow")) {
		doctor_say(doctor, DOCTOR_OK,
			   "the kernel can filter system calls");
	} else {
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "%s/proc/sys/kernel/seccomp/actions_avail: the "
			   "kernel cannot filter system calls, and pflashd "
			   "does not start with --sandbox full",
			   doctor->root);
		doctor_mend(doctor, "use a kernel with CONFIG_SECCOMP_FILTER, "
				    "or write sandbox = basic in the files of "
				    "options");
	}
	free(text);
}

/* --- AppArmor --- */

#define PROFILE "/etc/apparmor.d/pflashd"
#define LOCAL "/etc/apparmor.d/local/pflashd"

static void
find_profile(struct doctor *doctor, void *opaque, char *line)
{
	char *mode = opaque;

	(void)doctor;
	if (sscanf(line, "pflashd (%15[^)])", mode) != 1)
		return;
}

/* The rules of the host itself are not examined: they may allow any file. */
static void
examine_vars(struct doctor *doctor, void *opaque, const char *path,
	     const char *guest)
{
	static const char allowed[] = "/var/lib/xen/pflash/";
	unsigned int *found = opaque;
	struct conf conf;
	struct error err;

	if (conf_read(path, guest, &conf, NULL, NULL, &err) == 0 && conf.vars &&
	    strncmp(conf.vars, allowed, strlen(allowed)) != 0) {
		++*found;
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "the profile of pflashd does not allow %s, which %s "
			   "names",
			   conf.vars, path);
		doctor_mend(doctor,
			    "add a rule to %s" LOCAL
			    ", see integration/apparmor/README.md, and load "
			    "the profile again",
			    doctor->root);
	}
	conf_free(&conf);
}

static void
say_enforced(struct doctor *doctor)
{
	char path[PATH_MAX];
	unsigned int found = 0;

	if (access(doctor_path(doctor, path, LOCAL), F_OK) < 0)
		doctor_each_conf(doctor, examine_vars, &found);
	if (found == 0)
		doctor_say(doctor, DOCTOR_OK,
			   "the profile of pflashd is enforced");
}

static void
say_unloaded(struct doctor *doctor)
{
	char path[PATH_MAX], word[DOCTOR_WORD];

	if (access(doctor_path(doctor, path, PROFILE), F_OK) < 0) {
		doctor_say(doctor, DOCTOR_OK,
			   "the profile of pflashd is not installed; it is "
			   "optional");
		return;
	}
	doctor_say(doctor, DOCTOR_NOTE,
		   "%s is installed, but not loaded: pflashd is not confined",
		   path);
	doctor_mend(doctor, "`apparmor_parser -r %s`", doctor_word(word, path));
}

void
doctor_apparmor(struct doctor *doctor)
{
	char *enabled = doctor_read(doctor, "/sys/module/apparmor/parameters/"
					    "enabled");
	char mode[16] = "";
	bool active = enabled && *enabled == 'Y';
	const char *list = "/sys/kernel/security/apparmor/profiles";

	free(enabled);
	if (!active) {
		doctor_say(doctor, DOCTOR_OK, "AppArmor is not active");
	} else if (!read_lines(doctor, list, find_profile, mode)) {
		doctor_say(doctor, DOCTOR_UNSEEN, "%s%s: %s", doctor->root,
			   list, strerror(errno));
		doctor_mend(doctor, geteuid() ? "run doctor as root" :
						"mount securityfs");
	} else if (strcmp(mode, "enforce") == 0) {
		say_enforced(doctor);
	} else if (*mode) {
		doctor_say(doctor, DOCTOR_NOTE,
			   "the profile of pflashd is in %s mode and does not "
			   "confine it",
			   mode);
		doctor_mend(doctor, "look at the log, and then "
				    "`apparmor_parser -r " PROFILE "`");
	} else {
		say_unloaded(doctor);
	}
}
