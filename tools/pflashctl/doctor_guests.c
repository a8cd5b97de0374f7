/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of pflashctl doctor: the pflashds and the guests that run. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ask.h"
#include "doctor.h"
#include "pflash/control.h"
#include "xenstore.h"

#define ASK_MS 5000
#define SHOWN 200 /* bytes of a text of another process */

/* --- the answers of the pflashds --- */

/* A part of a text that may have NUL bytes: up to the first one. */
static int
shown(struct text text)
{
	return text.bytes ? (int)(text.len < SHOWN ? text.len : SHOWN) : 0;
}

#define TEXT(text) shown(text), (text).bytes ? (text).bytes : ""

static void
examine_silent(struct doctor *doctor, const struct guest *guest)
{
	char path[PATH_MAX], name[64], word[DOCTOR_WORD];

	(void)snprintf(name, sizeof(name), PFLASH_RUN_DIR "/%" PRIu32 ".sock",
		       guest->domain);
	(void)doctor_path(doctor, path, name);
	doctor_say(doctor, DOCTOR_PROBLEM, "%s: %s", path, guest->why.text);
	doctor_mend(doctor,
		    "if domain %" PRIu32 " runs, start pflashd for it again, "
		    "for its next access waits; if it is gone, `rm %s`",
		    guest->domain, doctor_word(word, path));
}

/* Returns true if nothing was found. */
static bool
examine_state(struct doctor *doctor, const struct answer *answer)
{
	struct text name = answer_text(answer, STATUS_NAME);

	if (answer_is(answer, STATUS_STATE, "failed")) {
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "domain %" PRIu32 " (%.*s): its pflashd has failed, "
			   "and the guest waits",
			   answer->domain, TEXT(name));
		doctor_mend(doctor,
			    "the log says why; `pflashctl upgrade %" PRIu32
			    "` starts pflashd again",
			    answer->domain);
		return false;
	}
	if (answer_is(answer, STATUS_STATE, "waiting")) {
		doctor_say(doctor, DOCTOR_NOTE,
			   "domain %" PRIu32 " (%.*s): waits for the next "
			   "worker of its pflashd",
			   answer->domain, TEXT(name));
		doctor_mend(doctor, "the log says why the last one has ended");
		return false;
	}
	return true;
}

static bool
examine_failure(struct doctor *doctor, const struct answer *answer)
{
	struct text name = answer_text(answer, STATUS_NAME);
	struct text why = answer_text(answer, STATUS_FAILURE);
	uint64_t errors = 0;

	if (!answer_number(answer, STATUS_ERRORS, &errors) || errors == 0)
		return true;
	doctor_say(doctor, DOCTOR_PROBLEM,
		   "domain %" PRIu32 " (%.*s): its flash is read-only after a "
		   "failure: %.*s",
		   answer->domain, TEXT(name), TEXT(why));
	doctor_mend(doctor, "mend the cause, shut the guest down, and start it "
			    "again");
	return false;
}

static bool
examine_program(struct doctor *doctor, const struct answer *answer)
{
	struct text name = answer_text(answer, STATUS_NAME);
	struct text version = answer_text(answer, STATUS_VERSION);

	if (!version.bytes || answer_is(answer, STATUS_VERSION, PFLASH_VERSION))
		return true;
	doctor_say(doctor, DOCTOR_NOTE,
		   "domain %" PRIu32 " (%.*s): its pflashd is of version "
		   "%.*s, and pflashctl of " PFLASH_VERSION,
		   answer->domain, TEXT(name), TEXT(version));
	doctor_mend(doctor, "`pflashctl upgrade %" PRIu32 "`", answer->domain);
	return false;
}

static void
examine_flash(struct doctor *doctor, const struct answer *answer)
{
	struct text name = answer_text(answer, STATUS_NAME);
	bool good = examine_state(doctor, answer);

	good = examine_failure(doctor, answer) && good;
	good = examine_program(doctor, answer) && good;
	if (good)
		doctor_say(doctor, DOCTOR_OK,
			   "domain %" PRIu32 " (%.*s) has its flash",
			   answer->domain, TEXT(name));
}

void
doctor_flashes(struct doctor *doctor)
{
	char path[PATH_MAX];
	struct guests guests;
	struct error err;
	int ret = guests_find(&guests, &err);

	if (ret < 0) {
		doctor_cannot(doctor, -ret,
			      doctor_path(doctor, path, PFLASH_RUN_DIR));
		guests_close(&guests);
		return;
	}
	ask(&guests, CONTROL_STATUS "\n", ask_clock() + ASK_MS);
	for (size_t i = 0; i < guests.count; i++) {
		const struct guest *guest = &guests.all[i];

		if (guest->state == ASK_ANSWERED)
			examine_flash(doctor, &guest->answer);
		else if (guest->state != ASK_ABSENT)
			examine_silent(doctor, guest);
	}
	if (guests.count == 0)
		doctor_say(doctor, DOCTOR_OK, "no flash is attached");
	guests_close(&guests);
}

/* --- the guests of xenstore --- */

/* A guest as xenstore has it; its texts are "" if they are not there. */
struct domain {
	uint32_t id;
	char *name, *type, *bios;
	bool has_flash, has_options;
};

struct count {
	unsigned int guests, flashes, unknown;
};

/* A missing or unreadable value is an empty text, which is never NULL. */
static char *
read_value(struct xenstore *xs, const char *format, uint32_t id, int *ret)
{
	char path[64], *value = NULL;
	struct error err;
	size_t len;
	int got;

	(void)snprintf(path, sizeof(path), format, id);
	got = xenstore_read(xs, path, &value, &len, &err);
	if (got < 0 && got != -ENOENT)
		*ret = got;
	return value ? value : calloc(1, 1);
}

/* True if a guest of this name can have a file of options, and has one. */
static bool
has_options(const struct doctor *doctor, const char *name)
{
	char path[PATH_MAX], real[PATH_MAX];

	if (!*name || *name == '.' || strchr(name, '/') || strlen(name) > 200)
		return false;
	(void)snprintf(path, sizeof(path), "/etc/xen/pflash/%s.conf", name);
	return access(doctor_path(doctor, real, path), F_OK) == 0;
}

static bool
has_flash(const struct doctor *doctor, uint32_t id)
{
	char path[64], real[PATH_MAX];

	(void)snprintf(path, sizeof(path), PFLASH_RUN_DIR "/%" PRIu32 ".sock",
		       id);
	return access(doctor_path(doctor, real, path), F_OK) == 0;
}

/* Only hvmloader's choice of a firmware is in xenstore. */
static void
examine_domain(struct doctor *doctor, const struct domain *domain,
	       struct count *count)
{
	bool uefi = strcmp(domain->bios, "ovmf") == 0;

	count->guests++;
	count->flashes += domain->has_flash;
	if (domain->has_flash)
		return;
	if (domain->has_options) {
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "domain %" PRIu32 " (%.200s) has a file of options, "
			   "but no flash",
			   domain->id, domain->name);
		doctor_mend(doctor, "name script=block-pflash for a disk or "
				    "script=vif-pflash for a network interface "
				    "whose backend is dom0, and start it "
				    "again");
	} else if (uefi) {
		doctor_say(doctor, DOCTOR_NOTE,
			   "domain %" PRIu32 " (%.200s) has UEFI firmware and "
			   "no flash: it keeps no variables",
			   domain->id, domain->name);
		doctor_mend(doctor,
			    "see docs/host.md, Let xl attach the flash");
	} else if (strcmp(domain->type, "pvh") == 0) {
		count->unknown++;
	}
}

static int
read_domain(struct doctor *doctor, struct xenstore *xs, uint32_t id,
	    struct count *count)
{
	int ret = 0;
	struct domain domain = {
		.id = id,
		.name = read_value(xs, "/local/domain/%" PRIu32 "/name", id,
				   &ret),
		.type = read_value(xs, "/libxl/%" PRIu32 "/type", id, &ret),
		.bios = read_value(xs,
				   "/local/domain/%" PRIu32 "/hvmloader/bios",
				   id, &ret),
		.has_flash = has_flash(doctor, id),
	};

	if (ret == 0 && (!domain.name || !domain.type || !domain.bios))
		ret = -ENOMEM;
	if (ret == 0) {
		domain.has_options = has_options(doctor, domain.name);
		examine_domain(doctor, &domain, count);
	}
	free(domain.bios);
	free(domain.type);
	free(domain.name);
	return ret;
}

static int
read_domains(struct doctor *doctor, struct xenstore *xs, struct count *count,
	     struct error *err)
{
	char *names = NULL;
	size_t len = 0;
	uint32_t id;
	int ret = xenstore_list(xs, "/local/domain", &names, &len, err);

	for (const char *at = names; ret == 0 && at && at < names + len;
	     at += strlen(at) + 1) {
		if (!ask_domain(at, strlen(at), &id) || id == 0)
			continue;
		ret = read_domain(doctor, xs, id, count);
		if (ret < 0)
			error_errno(err, -ret, "/local/domain/%" PRIu32, id);
	}
	free(names);
	return ret;
}

static void
say_count(struct doctor *doctor, const struct count *count)
{
	if (count->unknown) {
		doctor_say(doctor, DOCTOR_UNSEEN,
			   "%u PVH guests have no flash: xenstore does not "
			   "tell whether their kernel is UEFI firmware",
			   count->unknown);
		doctor_mend(doctor, "`xl list -l` shows it");
	}
	doctor_say(doctor, DOCTOR_OK, "%u guests run, %u of them with a flash",
		   count->guests, count->flashes);
}

void
doctor_guests(struct doctor *doctor)
{
	struct count count = { .guests = 0 };
	struct xenstore xs;
	struct error err;
	char path[PATH_MAX];
	int ret;

	if (access(doctor_path(doctor, path, PFLASH_RUN_DIR), X_OK) < 0 &&
	    errno == EACCES) {
		doctor_cannot(doctor, errno, path);
		return;
	}
	ret = xenstore_open(&xs, doctor->root, ask_clock() + ASK_MS, &err);
	if (ret == 0)
		ret = read_domains(doctor, &xs, &count, &err);
	xenstore_close(&xs);
	if (ret == 0) {
		say_count(doctor, &count);
		return;
	}
	/* The check of xenstored says what to do. */
	doctor_say(doctor, DOCTOR_UNSEEN, "xenstore: %s", err.text);
}
