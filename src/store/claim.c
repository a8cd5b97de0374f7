/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel keeps the user of a block device to itself, but shows the users
 * that there can be: a device on top of it in sysfs, a file system in
 * mountinfo, an area of swap, a process with an open descriptor.
 */
#include "claim.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lock.h"

#define PATH_ROOM 640
#define TEXT_ROOM 420

/* Makes what a name of another program may contain harmless in a message. */
static void
clean(char *text)
{
	for (; *text; text++)
		if (!isprint((unsigned char)*text))
			*text = '?';
}

/* The first line of a file, without its end; false: there is none. */
static bool
read_line(const char *path, char *line, size_t room)
{
	FILE *stream = fopen(path, "re");
	bool found = stream && fgets(line, (int)room, stream);

	if (stream)
		(void)fclose(stream);
	if (found)
		line[strcspn(line, "\n")] = '\0';
	return found;
}

/* A directory of the device in sysfs; NULL: there is none. */
static DIR *
open_sysfs(dev_t device, const char *below)
{
	char path[PATH_ROOM];

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s",
		       major(device), minor(device), below);
	return opendir(path);
}

/* A device of the device mapper, of md or of another driver on top of it. */
static bool
find_above(dev_t device, char *text)
{
	char path[PATH_ROOM], name[128];
	DIR *dir = open_sysfs(device, "holders");
	const struct dirent *entry;
	bool found = false;

	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		found = true;
		(void)snprintf(path, sizeof(path),
			       "/sys/dev/block/%u:%u/holders/%s/dm/name",
			       major(device), minor(device), entry->d_name);
		if (read_line(path, name, sizeof(name)))
			(void)snprintf(text, TEXT_ROOM, "the device %s (%s)",
				       entry->d_name, name);
		else
			(void)snprintf(text, TEXT_ROOM, "the device %s",
				       entry->d_name);
	}
	(void)closedir(dir);
	return found;
}

static bool
find_mount(dev_t device, char *text)
{
	FILE *stream = fopen("/proc/self/mountinfo", "re");
	char line[4096], place[256];
	unsigned int major_id, minor_id;
	bool found = false;

	if (!stream)
		return false;
	while (!found && fgets(line, sizeof(line), stream))
		found = sscanf(line, "%*d %*d %u:%u %*s %255s", &major_id,
			       &minor_id, place) == 3 &&
			makedev(major_id, minor_id) == device;
	(void)fclose(stream);
	if (found)
		(void)snprintf(text, TEXT_ROOM, "the file system at %s", place);
	return found;
}

static bool
is_device(const char *path, dev_t device)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode) &&
	       st.st_rdev == device;
}

static bool
find_swap(dev_t device, char *text)
{
	FILE *stream = fopen("/proc/swaps", "re");
	char line[4096], path[256];
	bool found = false;

	if (!stream)
		return false;
	while (!found && fgets(line, sizeof(line), stream))
		found = sscanf(line, "%255s", path) == 1 &&
			is_device(path, device);
	(void)fclose(stream);
	if (found)
		(void)snprintf(text, TEXT_ROOM, "swap");
	return found;
}

static bool
is_for_writing(const char *pid, const char *fd)
{
	char path[PATH_ROOM], line[64];
	unsigned int flags = O_RDONLY;
	FILE *stream;

	(void)snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd);
	stream = fopen(path, "re");
	if (!stream)
		return false;
	while (fgets(line, sizeof(line), stream))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	(void)fclose(stream);
	return (flags & O_ACCMODE) != O_RDONLY;
}

static bool
process_writes(const char *pid, dev_t device)
{
	char path[PATH_ROOM];
	const struct dirent *entry;
	bool found = false;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		(void)snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid,
			       entry->d_name);
		found = is_device(path, device) &&
			is_for_writing(pid, entry->d_name);
	}
	(void)closedir(dir);
	return found;
}

static bool
find_process(dev_t device, char *text)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	char command[96];
	int pid = 0;

	if (!proc)
		return false;
	while (!pid && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    atoi(entry->d_name) != getpid() &&
		    process_writes(entry->d_name, device))
			pid = atoi(entry->d_name);
	(void)closedir(proc);
	if (!pid)
		return false;
	pid = lock_name_process(pid, command, sizeof(command));
	(void)snprintf(text, TEXT_ROOM, "pid %d (%s)", pid, command);
	return true;
}

/* The claim of a partition is one of the whole disk, too. */
static bool
find_partition(dev_t device, char *text)
{
	char path[PATH_ROOM], number[32];
	DIR *dir = open_sysfs(device, "");
	unsigned int major_id, minor_id;
	const struct dirent *entry;
	bool found = false;

	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path),
			       "/sys/dev/block/%u:%u/%s/partition",
			       major(device), minor(device), entry->d_name);
		if (access(path, F_OK) < 0)
			continue;
		(void)snprintf(path, sizeof(path),
			       "/sys/dev/block/%u:%u/%s/dev", major(device),
			       minor(device), entry->d_name);
		if (!read_line(path, number, sizeof(number)) ||
		    sscanf(number, "%u:%u", &major_id, &minor_id) != 2)
			continue;
		device = makedev(major_id, minor_id);
		found = find_above(device, text) || find_mount(device, text) ||
			find_swap(device, text) || find_process(device, text);
	}
	(void)closedir(dir);
	return found;
}

int
claim_explain(const char *path, struct error *err)
{
	char text[TEXT_ROOM];
	struct stat st;
	dev_t device;

	if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode))
		return error_set(err, EBUSY, "%s: in use by another process",
				 path);
	device = st.st_rdev;
	if (!find_above(device, text) && !find_mount(device, text) &&
	    !find_swap(device, text) && !find_process(device, text) &&
	    !find_partition(device, text))
		return error_set(err, EBUSY,
				 "%s: in use by another process or by the "
				 "kernel, which this process cannot see: look "
				 "for it with `lsblk` and `fuser` as root",
				 path);
	clean(text);
	return error_set(err, EBUSY,
			 "%s: in use by %s, and a block device has one user "
			 "that may write",
			 path, text);
}
