/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of pflashctl doctor: directories, programs, scripts and firmware. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "doctor.h"
#include "mounts.h"
#include "pflash/firmware.h"
#include "pflash/fv.h"
#include "pflash/identify.h"
#include "pflashctl.h"

/* --- directories --- */

/* Room for a new journal and a new VARS file of some guests. */
#define LEAST_FREE (UINT64_C(16) << 20)

static const struct directory {
	const char *path;
	mode_t mode;    /* of a new one; others may have no further bits */
	bool required;  /* no program makes it */
	bool permanent; /* its files must outlive a reboot, and need room */
} directories[] = {
	{ "/etc/xen/pflash", 0755, true, false },
	{ "/var/lib/xen/pflash", 0700, true, true },
	{ "/var/lib/pflashd/known", 0755, false, true },
	{ "/run/pflashd", 0755, false, false },
};

static const struct file_system {
	const char *type, *option; /* NULL: any */
	enum doctor_level level;
	const char *text, *mend;
} file_systems[] = {
	{ NULL, "ro", DOCTOR_PROBLEM, "its files cannot be changed",
	  "mount it for writing" },
	{ "tmpfs", NULL, DOCTOR_PROBLEM, "its files are lost at each reboot",
	  "use a directory on a disk" },
	{ "ramfs", NULL, DOCTOR_PROBLEM, "its files are lost at each reboot",
	  "use a directory on a disk" },
	{ "vfat", NULL, DOCTOR_PROBLEM, "it has no owners and no modes",
	  "use another file system" },
	{ "nfs", "nolock", DOCTOR_PROBLEM,
	  "its locks are known on this host only",
	  "mount it without this option, if other hosts use the files" },
	{ "nfs", "local_lock=all", DOCTOR_PROBLEM,
	  "its locks are known on this host only",
	  "mount it without this option, if other hosts use the files" },
	{ "nfs", "local_lock=posix", DOCTOR_PROBLEM,
	  "its locks are known on this host only",
	  "mount it without this option, if other hosts use the files" },
	{ "nfs4", "soft", DOCTOR_NOTE,
	  "after a timeout of the server the flash is read-only",
	  "mount it with the option hard" },
	{ "nfs", "soft", DOCTOR_NOTE,
	  "after a timeout of the server the flash is read-only",
	  "mount it with the option hard" },
	{ "cifs", "nobrl", DOCTOR_PROBLEM,
	  "its locks are known on this host only",
	  "mount it without this option, if other hosts use the files" },
	{ "nfs", NULL, DOCTOR_NOTE, "the server must export it with sync",
	  "see docs/host.md, Network file systems" },
	{ "nfs4", NULL, DOCTOR_NOTE, "the server must export it with sync",
	  "see docs/host.md, Network file systems" },
	{ "cifs", NULL, DOCTOR_NOTE, "the server may not store modes",
	  "see docs/host.md, Network file systems" },
};

static const struct file_system *
find_file_system(const struct mount *mount)
{
	for (size_t i = 0; i < sizeof(file_systems) / sizeof(file_systems[0]);
	     i++) {
		const struct file_system *one = &file_systems[i];

		if ((!one->type || strcmp(one->type, mount->type) == 0) &&
		    (!one->option || mounts_has(mount, one->option)))
			return one;
	}
	return NULL;
}

/* The path as the mounts have it: without links and without --root. */
static char *
mounted_path(const struct doctor *doctor, const char *path)
{
	char *real = realpath(path, NULL);
	char *root = *doctor->root ? realpath(doctor->root, NULL) : NULL;
	size_t len = root ? strlen(root) : 0;

	if (real && len && strncmp(real, root, len) == 0)
		memmove(real, real + len, strlen(real + len) + 1);
	free(root);
	return real;
}

/* Returns true if nothing was found. */
static bool
examine_mount(struct doctor *doctor, const char *path)
{
	char *text = doctor_read(doctor, "/proc/self/mountinfo");
	char *real = mounted_path(doctor, path);
	const struct file_system *found = NULL;
	struct mount mount = { .type = "" };

	if (text && real && mounts_find(text, real, &mount))
		found = find_file_system(&mount);
	if (found) {
		doctor_say(doctor, found->level,
			   "%s: on a file system of type %s%s%s: %s", path,
			   mount.type, found->option ? " with the option " : "",
			   found->option ? found->option : "", found->text);
		doctor_mend(doctor, "%s", found->mend);
	}
	free(real);
	free(text);
	return !found;
}

static bool
examine_space(struct doctor *doctor, const char *path)
{
	struct statvfs disk;
	uint64_t left;

	if (statvfs(path, &disk) < 0)
		return true;
	left = (uint64_t)disk.f_bavail * disk.f_frsize;
	if (left >= LEAST_FREE && (disk.f_files == 0 || disk.f_favail > 0))
		return true;
	doctor_say(doctor, DOCTOR_PROBLEM,
		   "%s: %" PRIu64 " KiB and %ju files are free on its file "
		   "system: a flash becomes read-only when it is full",
		   path, left >> 10, (uintmax_t)disk.f_favail);
	doctor_mend(doctor, "make room: %" PRIu64 " MiB are enough",
		    LEAST_FREE >> 20);
	return false;
}

static bool
examine_mode(struct doctor *doctor, const struct directory *wanted,
	     const char *path, const struct stat *st)
{
	char word[DOCTOR_WORD];
	mode_t more = st->st_mode & 07777 & ~wanted->mode & 0077;
	bool good = true;

	(void)doctor_word(word, path);
	if (st->st_uid != 0) {
		good = false;
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "%s: belongs to user %u: that user can change what "
			   "root reads there",
			   path, (unsigned int)st->st_uid);
		doctor_mend(doctor, "`chown root:root %s`", word);
	}
	if (more) {
		good = false;
		doctor_say(doctor, DOCTOR_PROBLEM, "%s: has the mode %04o: %s",
			   path, (unsigned int)(st->st_mode & 07777),
			   more & 0022 ? "other users can change its files" :
					 "variables may be keys and passwords");
		doctor_mend(doctor, "`chmod %04o %s`",
			    (unsigned int)(st->st_mode & wanted->mode), word);
	}
	return good;
}

static void
examine_directory(struct doctor *doctor, const struct directory *wanted)
{
	char path[PATH_MAX], word[DOCTOR_WORD];
	struct stat st;
	bool good;

	(void)doctor_word(word, doctor_path(doctor, path, wanted->path));
	doctor_at(doctor, path);
	if (stat(path, &st) < 0 && errno == ENOENT && wanted->required) {
		doctor_say(doctor, DOCTOR_PROBLEM, "%s: does not exist", path);
		doctor_mend(doctor, "`install -d -m %04o %s`",
			    (unsigned int)wanted->mode, word);
	} else if (stat(path, &st) < 0 && errno == ENOENT) {
		doctor_say(doctor, DOCTOR_OK,
			   "%s: does not exist; pflashd makes it", path);
	} else if (stat(path, &st) < 0) {
		doctor_cannot(doctor, errno, path);
	} else if (!S_ISDIR(st.st_mode)) {
		doctor_say(doctor, DOCTOR_PROBLEM, "%s: not a directory", path);
		doctor_mend(doctor, "move it away");
	} else {
		good = examine_mode(doctor, wanted, path, &st);
		if (wanted->permanent) {
			good &= examine_mount(doctor, path);
			good &= examine_space(doctor, path);
		}
		if (good)
			doctor_say(doctor, DOCTOR_OK, "%s", path);
	}
}

void
doctor_directories(struct doctor *doctor)
{
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]);
	     i++)
		examine_directory(doctor, &directories[i]);
}

/* --- programs and scripts --- */

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_mode & 0111);
}

void
doctor_program(struct doctor *doctor)
{
	static const char *const places[] = { "/usr/local/sbin/pflashd",
					      "/usr/sbin/pflashd" };
	char path[2][PATH_MAX];
	bool found[2];

	for (int i = 0; i < 2; i++)
		found[i] = is_program(doctor_path(doctor, path[i], places[i]));
	if (found[0] && found[1]) {
		doctor_say(doctor, DOCTOR_NOTE,
			   "pflashd is installed twice, and %s is started",
			   path[0]);
		doctor_mend(doctor, "remove the older installation");
	} else if (found[0] || found[1]) {
		doctor_say(doctor, DOCTOR_OK, "%s", path[found[0] ? 0 : 1]);
	} else {
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "neither %s nor %s is a program", path[0], path[1]);
		doctor_mend(doctor, "`make install` in the source of "
				    "xen-pflash");
	}
}

static const struct script {
	const char *path;
	bool ours, program;
} scripts[] = {
	{ "/etc/xen/scripts/block-pflash", true, true },
	{ "/etc/xen/scripts/vif-pflash", true, true },
	{ "/etc/xen/scripts/pflash-common.sh", true, false },
	{ "/etc/xen/scripts/block", false, true },
	{ "/etc/xen/scripts/vif-bridge", false, true },
};

static void
examine_script(struct doctor *doctor, const struct script *script)
{
	char path[PATH_MAX], word[DOCTOR_WORD];
	struct stat st;

	if (stat(doctor_path(doctor, path, script->path), &st) < 0 &&
	    errno == ENOENT) {
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "%s: does not exist: xl cannot start pflashd with "
			   "script=...",
			   path);
		doctor_mend(doctor,
			    script->ours ?
				    "`make install` in the source of "
				    "xen-pflash" :
				    "install xl's scripts (Debian: the package "
				    "xen-utils-common)");
	} else if (stat(path, &st) < 0) {
		doctor_cannot(doctor, errno, path);
	} else if (script->program && !is_program(path)) {
		doctor_say(doctor, DOCTOR_PROBLEM, "%s: is not executable",
			   path);
		doctor_mend(doctor, "`chmod 755 %s`", doctor_word(word, path));
	} else {
		doctor_say(doctor, DOCTOR_OK, "%s", path);
	}
}

void
doctor_scripts(struct doctor *doctor)
{
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		examine_script(doctor, &scripts[i]);
}

/* --- the unit --- */

/* Compares the program of ExecStart= with the file system. */
static void
examine_unit(struct doctor *doctor, const char *path, const char *text)
{
	const char *line = strstr(text, "\nExecStart=");
	char program[PATH_MAX / 2] = "", real[PATH_MAX];

	if (line)
		(void)sscanf(line, "\nExecStart=%2047s", program);
	if (*program != '/') {
		doctor_say(doctor, DOCTOR_PROBLEM, "%s: names no program",
			   path);
		doctor_mend(doctor, "install it again, or unmask it");
	} else if (!is_program(doctor_path(doctor, real, program))) {
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "%s: starts %s, which is no program", path, real);
		doctor_mend(doctor, "install both again");
	} else {
		doctor_say(doctor, DOCTOR_OK, "%s", path);
	}
}

/* In the order of systemd.unit(5): the first one is in effect. */
void
doctor_unit(struct doctor *doctor)
{
	static const char *const places[] = { "/etc/systemd/system",
					      "/run/systemd/system",
					      "/usr/local/lib/systemd/system",
					      "/usr/lib/systemd/system",
					      "/lib/systemd/system" };
	char path[PATH_MAX], *text = NULL;

	for (size_t i = 0; !text && i < sizeof(places) / sizeof(places[0]);
	     i++) {
		char place[128];

		(void)snprintf(place, sizeof(place), "%s/pflashd@.service",
			       places[i]);
		(void)doctor_path(doctor, path, place);
		text = doctor_read(doctor, place);
	}
	if (text) {
		examine_unit(doctor, path, text);
	} else if (access(doctor_path(doctor, path, "/run/systemd/system"),
			  F_OK) < 0) {
		doctor_say(doctor, DOCTOR_OK, "systemd does not run here");
	} else {
		doctor_say(doctor, DOCTOR_NOTE,
			   "there is no unit pflashd@.service: the scripts "
			   "start pflashd themselves, and nothing starts it "
			   "again if its supervisor crashes");
		doctor_mend(doctor, "`make install` in the source of "
				    "xen-pflash, and `systemctl "
				    "daemon-reload`");
	}
	free(text);
}

/* --- firmware --- */

#define SMALLEST 0x20000 /* a VARS file, or firmware */
#define LARGEST (16 << 20)

static const struct place {
	const char *path;
	bool ours; /* each file there is expected to be of use */
} places[] = {
	{ "/usr/local/lib/xen-pflash", true }, { "/usr/lib/xen-pflash", true },
	{ "/usr/share/OVMF", false },          { "/usr/share/ovmf", false },
	{ "/usr/share/edk2", false },          { "/usr/share/edk2/xen", false },
	{ "/usr/share/ovmf-xen", false },      { "/usr/share/qemu", false },
};

/* As check --code: the layout of this build, or NULL. */
static const char *
layout_of(const uint8_t *code, size_t size)
{
	static const char *const names[] = { "2m", "4m" };
	struct error err;

	for (size_t i = 0; i < 2; i++)
		if (fv_build_takes(code, size,
				   fv_layout_by_name(names[i])->size,
				   &err) == 0)
			return names[i];
	return NULL;
}

/* A file that is no firmware: a template, or of no use. */
static void
examine_template(struct doctor *doctor, const char *path)
{
	struct identity identity = { .kind = IDENTITY_UNKNOWN };
	uint8_t *image = NULL;
	struct error note, err;
	size_t size = 0;
	int ret = identify_template(path, &image, &size, &note, &err);

	if (ret >= 0)
		identify_image(image, size, &identity);
	if (ret < 0)
		doctor_say(doctor, DOCTOR_NOTE, "%s", err.text);
	else if (identity.kind == IDENTITY_VARS)
		doctor_say(doctor, DOCTOR_OK, "%s: a template", path);
	else
		doctor_say(doctor, DOCTOR_NOTE,
			   "%s: neither firmware nor a template", path);
	free(image);
}

static bool
is_for_pvh(const uint8_t *code, size_t size)
{
	struct firmware firmware;
	struct error err;

	return firmware_examine(code, size, &firmware, &err) == 0 &&
	       firmware.entry == FIRMWARE_ENTRY_GOOD;
}

/* Returns true for firmware that pflashd can attach to a guest of Xen. */
static bool
examine_firmware(struct doctor *doctor, const struct place *place,
		 const char *path)
{
	uint8_t *code = NULL;
	size_t size = 0, sec;
	struct error err;
	const char *layout;
	bool xen = false;

	doctor_at(doctor, path);
	if (identify_firmware(path, &code, &size, &sec, &err) < 0) {
		if (place->ours)
			examine_template(doctor, path);
		free(code);
		return false;
	}
	layout = layout_of(code, size);
	xen = is_for_pvh(code, size);
	if (layout)
		doctor_say(doctor, DOCTOR_OK,
			   "%s: firmware for VARS files of the layout %s%s",
			   path, layout,
			   xen ? ", for PVH and HVM guests" :
				 ", not a PVH kernel");
	else if (place->ours)
		doctor_say(doctor, DOCTOR_NOTE,
			   "%s: firmware, but not a known build of OVMF", path);
	free(code);
	return xen || place->ours;
}

static unsigned int
examine_place(struct doctor *doctor, const struct place *place)
{
	char directory[PATH_MAX], path[PATH_MAX + NAME_MAX + 2];
	char **names = doctor_list(doctor_path(doctor, directory, place->path));
	unsigned int found = 0;
	struct stat st;

	if (!names && errno != ENOENT)
		doctor_cannot(doctor, errno, directory);
	for (size_t i = 0; names && names[i]; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", directory,
			       names[i]);
		if (strcmp(names[i], CTL_SELFTEST_GUEST) == 0)
			continue;
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_size >= SMALLEST && st.st_size <= LARGEST)
			found += examine_firmware(doctor, place, path);
	}
	doctor_free_list(names);
	return found;
}

static void
count_code(struct doctor *doctor, void *opaque, const char *path,
	   const char *guest)
{
	unsigned int *count = opaque;
	struct conf conf;
	struct error err;

	(void)doctor;
	if (conf_read(path, guest, &conf, NULL, NULL, &err) == 0 && conf.code)
		++*count;
	conf_free(&conf);
}

void
doctor_firmware(struct doctor *doctor)
{
	unsigned int found = 0;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		found += examine_place(doctor, &places[i]);
	doctor_each_conf(doctor, count_code, &found);
	if (found)
		return;
	doctor_say(doctor, DOCTOR_NOTE,
		   "no firmware for Xen guests was found in the usual places");
	doctor_mend(doctor,
		    "`integration/edk2/build` in the source of "
		    "xen-pflash builds one; copy it to %s%s",
		    doctor->root, places[0].path);
}
