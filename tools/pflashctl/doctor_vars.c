/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of pflashctl doctor: files of options, VARS files, their records. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor.h"
#include "pflash/fv.h"
#include "pflash/identify.h"
#include "pflash/known.h"
#include "pflash/load.h"
#include "pflash/path.h"
#include "pflash/reader.h"

/* --- files of options --- */

struct place {
	struct doctor *doctor;
	const char *path;
};

static void
say_mistake(void *opaque, unsigned int line, const char *sentence)
{
	const struct place *place = opaque;

	if (line)
		doctor_say(place->doctor, DOCTOR_PROBLEM, "%s:%u: %s",
			   place->path, line, sentence);
	else
		doctor_say(place->doctor, DOCTOR_PROBLEM, "%s: %s", place->path,
			   sentence);
	doctor_mend(place->doctor, line ? "correct this line, see "
					  "pflash.conf(5)" :
					  "see pflash.conf(5)");
}

/* Only root may say which files pflashd opens. */
static bool
examine_writers(struct doctor *doctor, const char *path)
{
	char word[DOCTOR_WORD];
	struct stat st;

	if (stat(path, &st) < 0 || (st.st_uid == 0 && !(st.st_mode & 0022)))
		return true;
	(void)doctor_word(word, path);
	doctor_say(doctor, DOCTOR_PROBLEM,
		   "%s: other users than root can change it (mode %04o, owner "
		   "%u), and pflashd opens the files that it names as root",
		   path, (unsigned int)(st.st_mode & 07777),
		   (unsigned int)st.st_uid);
	doctor_mend(doctor, "`chown root:root %s && chmod go-w %s`", word,
		    word);
	return false;
}

static void
examine_options(struct doctor *doctor, void *opaque, const char *path,
		const char *guest)
{
	struct place place = { doctor, path };
	unsigned int *count = opaque;
	struct conf conf;
	struct error err;
	bool good = examine_writers(doctor, path);
	int ret;

	++*count;
	doctor_at(doctor, path);
	ret = conf_read(path, guest, &conf, say_mistake, &place, &err);
	conf_free(&conf);
	if ((ret == -EACCES || ret == -EPERM) && geteuid() != 0)
		doctor_cannot(doctor, -ret, path);
	else if (ret < 0)
		doctor_say(doctor, DOCTOR_PROBLEM, "%s", err.text);
	else if (ret == 0 && good)
		doctor_say(doctor, DOCTOR_OK, "%s", path);
}

/* Files that no pflashd reads, such as web.conf.old or web. */
static void
examine_other_names(struct doctor *doctor, const char *directory)
{
	char **names = doctor_list(directory);

	for (size_t i = 0; names && names[i]; i++) {
		size_t len = strlen(names[i]);

		if (len > 5 && strcmp(names[i] + len - 5, ".conf") == 0)
			continue;
		doctor_say(doctor, DOCTOR_NOTE,
			   "%s/%s: is not read: its name does not end with "
			   ".conf",
			   directory, names[i]);
	}
	doctor_free_list(names);
}

void
doctor_options(struct doctor *doctor)
{
	char directory[PATH_MAX];
	unsigned int count = 0;

	(void)doctor_path(doctor, directory, "/etc/xen/pflash");
	if (access(directory, R_OK | X_OK) < 0 && errno == EACCES) {
		doctor_cannot(doctor, errno, directory);
		return;
	}
	doctor_each_conf(doctor, examine_options, &count);
	examine_other_names(doctor, directory);
	if (count == 0)
		doctor_say(doctor, DOCTOR_NOTE,
			   "%s: no guest has a file of options; xl's scripts "
			   "need one",
			   directory);
}

/* --- records --- */

/* A record of pflash/known.h; `moved` is NULL if the file was not moved. */
struct record {
	char *vars, *moved;
	char *path; /* of the record */
};

static void
free_records(struct record *records)
{
	for (size_t i = 0; records && records[i].vars; i++) {
		free(records[i].vars);
		free(records[i].moved);
		free(records[i].path);
	}
	free(records);
}

static struct record
read_record(const struct doctor *doctor, const char *name)
{
	struct record record = { .vars = NULL };
	char path[PATH_MAX], *text, *end, *moved;

	(void)snprintf(path, sizeof(path), KNOWN_DIRECTORY "/%s", name);
	text = doctor_read(doctor, path);
	if (!text || strncmp(text, "vars /", 6) != 0) {
		free(text);
		return record;
	}
	moved = strstr(text, "\nmoved /");
	end = moved ? moved : text + strlen(text) - 1;
	if (*end == '\n')
		*end = '\0';
	record.vars = strdup(text + 5);
	if (moved) {
		moved[strlen(moved + 1)] = '\0';
		record.moved = strdup(moved + 7);
	}
	free(text);
	record.path = strdup(path);
	return record;
}

/* Ends with an entry without a path.  NULL with errno. */
static struct record *
read_records(const struct doctor *doctor)
{
	char directory[PATH_MAX];
	char **names = doctor_list(doctor_path(doctor, directory,
					       KNOWN_DIRECTORY));
	struct record *records = NULL;
	size_t count = 0;

	for (size_t i = 0; names && names[i]; i++)
		count++;
	if (names)
		records = calloc(count + 1, sizeof(*records));
	count = 0;
	for (size_t i = 0; records && names[i]; i++) {
		records[count] = read_record(doctor, names[i]);
		count += records[count].vars != NULL;
	}
	doctor_free_list(names);
	return records;
}

static const struct record *
find_record(const struct record *records, const char *vars)
{
	for (; records && records->vars; records++)
		if (strcmp(records->vars, vars) == 0)
			return records;
	return NULL;
}

static void
mend_record(struct doctor *doctor, const struct record *record,
	    const char *start)
{
	char word[DOCTOR_WORD];

	doctor_mend(doctor, "%s`pflashctl forget %s`", start,
		    doctor_word(word, record->vars));
}

void
doctor_known(struct doctor *doctor)
{
	struct record *records = read_records(doctor);
	char path[PATH_MAX];
	unsigned int missing = 0, count = 0;

	if (!records && errno != ENOENT)
		doctor_cannot(doctor, errno,
			      doctor_path(doctor, path, KNOWN_DIRECTORY));
	for (size_t i = 0; records && records[i].vars; i++) {
		count++;
		if (records[i].moved ||
		    access(doctor_path(doctor, path, records[i].vars), F_OK) ==
			    0 ||
		    errno != ENOENT)
			continue;
		missing++;
		doctor_say(doctor, DOCTOR_NOTE,
			   "%s: a guest has used it, and it does not exist: "
			   "no new one is made in its place",
			   path);
		mend_record(doctor, &records[i],
			    "mount its file system or restore it; or, if its "
			    "guest is gone, ");
	}
	if (records && missing == 0)
		doctor_say(doctor, DOCTOR_OK,
			   "%u VARS files are recorded, and none is missing",
			   count);
	else if (!records && errno == ENOENT)
		doctor_say(doctor, DOCTOR_OK,
			   "no VARS file is recorded on this host");
	free_records(records);
}

/* --- VARS files --- */

/* The files that were examined, so that none is twice. */
struct seen {
	struct doctor *doctor;
	struct record *records;
	char **paths;
	size_t count;
	unsigned int examined;
};

static bool
is_new(struct seen *seen, const char *path)
{
	char **paths;

	for (size_t i = 0; i < seen->count; i++)
		if (strcmp(seen->paths[i], path) == 0)
			return false;
	paths = reallocarray(seen->paths, seen->count + 1, sizeof(*paths));
	if (!paths)
		return true;
	seen->paths = paths;
	paths[seen->count] = strdup(path);
	seen->count += paths[seen->count] != NULL;
	return true;
}

static void
mend_by_check(struct doctor *doctor, const char *path, const char *journal)
{
	char word[DOCTOR_WORD], other[DOCTOR_WORD];

	(void)doctor_word(word, path);
	if (journal)
		doctor_mend(doctor,
			    "`pflashctl check --journal %s %s` names the "
			    "command that helps",
			    doctor_word(other, journal), word);
	else
		doctor_mend(doctor,
			    "`pflashctl check %s` names the command that helps",
			    word);
}

/* The firmware of `code` would erase the variables of this size. */
static bool
examine_code(struct doctor *doctor, const char *code, uint32_t vars_size)
{
	uint8_t *image = NULL;
	size_t size = 0, sec;
	struct error err;
	int ret = identify_firmware(code, &image, &size, &sec, &err);

	if (ret == -EACCES && geteuid() != 0) {
		free(image);
		doctor_cannot(doctor, EACCES, code);
		return false;
	}
	/* -ENOENT of the second one: not a known build. */
	if (ret == 0 && fv_build_takes(image, size, vars_size, &err) == -EINVAL)
		ret = -EINVAL;
	free(image);
	if (ret == 0)
		return true;
	doctor_say(doctor, DOCTOR_PROBLEM, "%s%s%s",
		   strncmp(err.text, code, strlen(code)) == 0 ? "" : code,
		   strncmp(err.text, code, strlen(code)) == 0 ? "" : ": ",
		   err.text);
	doctor_mend(doctor, "correct the option code of its guest");
	return false;
}

/* The first error of the image.  True: there is none. */
static bool
examine_image(struct doctor *doctor, const char *path, const char *journal,
	      const struct reader *reader, struct fv_report *report)
{
	struct error text;

	report->count = 0;
	if (fv_check(reader_image(reader), reader_size(reader), report))
		return true;
	for (unsigned int i = 0; i < report->count; i++) {
		const struct fv_finding *finding = &report->findings[i];

		if (finding->severity != FV_ERROR)
			continue;
		fv_finding_text(finding, &text);
		doctor_say(doctor, DOCTOR_PROBLEM, "%s: %s: %s", path,
			   fv_code_name(finding->code), text.text);
		break;
	}
	mend_by_check(doctor, path, journal);
	return false;
}

static void
examine_vars(struct doctor *doctor, const char *path, const char *journal,
	     const char *code)
{
	struct store_config config = { .path = path,
				       .journal = journal,
				       .size = load_flash_size(path) };
	struct fv_report report = { .count = 0 };
	struct reader *reader;
	struct error err;
	bool good;
	int ret = reader_open_files(&reader, &config, &err);

	if (ret < 0 && (ret != -EACCES || geteuid() == 0)) {
		doctor_say(doctor, DOCTOR_PROBLEM, "%s", err.text);
		mend_by_check(doctor, path, journal);
		return;
	}
	if (ret < 0) {
		doctor_cannot(doctor, EACCES, path);
		return;
	}
	good = examine_image(doctor, path, journal, reader, &report);
	if (code)
		good = examine_code(doctor, code, reader_size(reader)) && good;
	reader_close(reader);
	if (good)
		doctor_say(doctor, DOCTOR_OK,
			   "%s: sound, %" PRIu32 " variables, %" PRIu32
			   " bytes free",
			   path, report.live, report.free);
}

static void
examine_missing(struct doctor *doctor, const struct conf *conf,
		const char *path, const struct record *record)
{
	char word[DOCTOR_WORD];

	(void)doctor_word(word, path);
	if (record && record->moved) {
		doctor_say(doctor, DOCTOR_PROBLEM, "%s: was moved to %s", path,
			   record->moved);
		doctor_mend(doctor, "write the new name in the guest's file of "
				    "options");
	} else if (record) {
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "%s: a guest has used it, and it does not exist: "
			   "the guest cannot start",
			   path);
		mend_record(doctor, record,
			    "mount its file system or restore it; or, for a "
			    "new one without the variables, ");
	} else if (conf->template || conf->layout) {
		doctor_say(doctor, DOCTOR_OK,
			   "%s: does not exist yet; the first start makes it",
			   path);
	} else {
		doctor_say(
			doctor, DOCTOR_PROBLEM,
			"%s: does not exist, and neither template nor layout "
			"says how to make it",
			path);
		doctor_mend(doctor,
			    "`pflashctl create --layout 4m %s`, or 2m "
			    "for a firmware of 2 MiB",
			    word);
	}
}

/* Directories that the unit pflashd@.service keeps from pflashd. */
static const struct {
	const char *directory, *setting;
} closed[] = {
	{ "/home/", "ProtectHome=yes" },     { "/root/", "ProtectHome=yes" },
	{ "/run/user/", "ProtectHome=yes" }, { "/usr/", "ProtectSystem=full" },
	{ "/boot/", "ProtectSystem=full" },  { "/efi/", "ProtectSystem=full" },
	{ "/etc/", "ProtectSystem=full" },
};

static void
examine_place(struct doctor *doctor, const char *vars, const char *path)
{
	char real[PATH_MAX];

	if (access(doctor_path(doctor, real, "/run/systemd/system"), F_OK) < 0)
		return;
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
		if (strncmp(vars, closed[i].directory,
			    strlen(closed[i].directory)) != 0)
			continue;
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "%s: the unit pflashd@.service cannot change files "
			   "in %s (%s)",
			   path, closed[i].directory, closed[i].setting);
		doctor_mend(doctor, "move it with `pflashctl move`, and "
				    "correct the file of options");
	}
}

static char *
below_root(const struct doctor *doctor, const char *path, char *to)
{
	if (!path)
		return NULL;
	(void)doctor_path(doctor, to, path);
	return to;
}

static void
examine_named(struct doctor *doctor, void *opaque, const char *path,
	      const char *guest)
{
	char vars[PATH_MAX], journal[PATH_MAX], code[PATH_MAX];
	struct seen *seen = opaque;
	struct conf conf;
	struct error err;
	struct stat st;
	int ret = conf_read(path, guest, &conf, NULL, NULL, &err);

	/* The VARS files of default.conf with %n are known by their records. */
	if (ret == 0 && conf.vars && !conf.for_each_guest &&
	    is_new(seen, conf.vars)) {
		(void)below_root(doctor, conf.vars, vars);
		doctor_at(doctor, vars);
		seen->examined++;
		examine_place(doctor, conf.vars, vars);
		if (stat(vars, &st) < 0 && errno == ENOENT)
			examine_missing(doctor, &conf, vars,
					find_record(seen->records, conf.vars));
		else
			examine_vars(doctor, vars,
				     below_root(doctor, conf.journal, journal),
				     below_root(doctor, conf.code, code));
	}
	conf_free(&conf);
}

static bool
is_complete_device(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t size = 0;

	if (fd < 0)
		return false;
	(void)files_image_size(fd, NULL, &size);
	(void)close(fd);
	return size != 0;
}

static void
examine_recorded(struct doctor *doctor, struct seen *seen)
{
	char path[PATH_MAX];
	struct stat st = { .st_mode = 0 };

	for (size_t i = 0; seen->records && seen->records[i].vars; i++) {
		const struct record *record = &seen->records[i];

		(void)doctor_path(doctor, path, record->vars);
		doctor_at(doctor, path);
		/* The check of the records is about files that are missing. */
		if (record->moved || !is_new(seen, record->vars) ||
		    (stat(path, &st) < 0 && errno == ENOENT))
			continue;
		/* Only its guest's options name such a device's journal. */
		if (S_ISBLK(st.st_mode) && !is_complete_device(path))
			continue;
		seen->examined++;
		examine_vars(doctor, path, NULL, NULL);
	}
}

void
doctor_vars(struct doctor *doctor)
{
	struct seen seen = { .doctor = doctor,
			     .records = read_records(doctor) };

	doctor_each_conf(doctor, examine_named, &seen);
	examine_recorded(doctor, &seen);
	if (seen.examined == 0)
		doctor_say(doctor, DOCTOR_OK,
			   "no file of options and no record names a VARS file "
			   "that exists");
	for (size_t i = 0; i < seen.count; i++)
		free(seen.paths[i]);
	free(seen.paths);
	free_records(seen.records);
}
