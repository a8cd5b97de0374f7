/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of pflashctl doctor: the hypervisor and its interfaces. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ask.h"
#include "doctor.h"
#include "xenstore.h"

#define XENSTORED_MS 5000

/* XENMEM_resource_ioreq_server; the lab tests with the second one. */
#define OLDEST_XEN "4.11"
#define TESTED_XEN "4.17"

void
doctor_xen(struct doctor *doctor)
{
	if (doctor->on_xen) {
		doctor_say(doctor, DOCTOR_OK, "this kernel runs on Xen");
		return;
	}
	doctor_say(doctor, DOCTOR_PROBLEM,
		   "this kernel does not run on Xen "
		   "(%s/sys/hypervisor/type is not xen)",
		   doctor->root);
	doctor_mend(doctor, "install Xen, and choose it in the boot menu");
}

/* "5.10.0-x" as 5 * 1000 + 10. */
static int
number_of(const char *version)
{
	int major = 0, minor = 0;

	if (!version || sscanf(version, "%d.%d", &major, &minor) < 1)
		return 0;
	return major * 1000 + minor;
}

static void
cut_line(char *text)
{
	if (text)
		text[strcspn(text, "\n")] = '\0';
}

/* pidfd_open(2) is the newest system call of pflashd. */
void
doctor_kernel(struct doctor *doctor)
{
	char *release = doctor_read(doctor, "/proc/sys/kernel/osrelease");

	cut_line(release);
	if (!release) {
		doctor_say(doctor, DOCTOR_UNSEEN,
			   "%s/proc/sys/kernel/osrelease: %s", doctor->root,
			   strerror(errno));
	} else if (number_of(release) < number_of("5.3")) {
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "Linux %s is older than 5.3, which pflashd needs",
			   release);
		doctor_mend(doctor, "install a newer kernel in dom0");
	} else {
		doctor_say(doctor, DOCTOR_OK, "Linux %s", release);
	}
	free(release);
}

void
doctor_dom0(struct doctor *doctor)
{
	char *text = doctor_read(doctor, "/proc/xen/capabilities");
	char path[PATH_MAX], word[DOCTOR_WORD];

	if (!text) {
		doctor_say(doctor, DOCTOR_NOTE,
			   "%s/proc/xen/capabilities: %s: xenfs is not "
			   "mounted, so it cannot be seen whether this is dom0",
			   doctor->root, strerror(errno));
		doctor_path(doctor, path, "/proc/xen");
		doctor_mend(doctor, "`mount -t xenfs xenfs %s`",
			    doctor_word(word, path));
	} else if (strstr(text, "control_d")) {
		doctor_say(doctor, DOCTOR_OK, "this is dom0");
	} else {
		doctor_say(doctor, DOCTOR_NOTE,
			   "this is not dom0: pflashd can serve only guests "
			   "over which this domain has the rights of a device "
			   "model");
		doctor_mend(doctor, "run pflashd in dom0");
	}
	free(text);
}

void
doctor_version(struct doctor *doctor)
{
	char *major = doctor_read(doctor, "/sys/hypervisor/version/major");
	char *minor = doctor_read(doctor, "/sys/hypervisor/version/minor");
	char version[32];

	(void)snprintf(version, sizeof(version), "%d.%d",
		       major ? atoi(major) : 0, minor ? atoi(minor) : 0);
	if (!major || !minor) {
		doctor_say(doctor, DOCTOR_UNSEEN,
			   "%s/sys/hypervisor/version: no version of Xen",
			   doctor->root);
	} else if (number_of(version) < number_of(OLDEST_XEN)) {
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "Xen %s is older than " OLDEST_XEN
			   ", which pflashd needs",
			   version);
		doctor_mend(doctor, "install a newer Xen");
	} else if (number_of(version) < number_of(TESTED_XEN)) {
		doctor_say(doctor, DOCTOR_NOTE,
			   "Xen %s: pflashd is tested with " TESTED_XEN
			   " and later",
			   version);
	} else {
		doctor_say(doctor, DOCTOR_OK, "Xen %s", version);
	}
	free(minor);
	free(major);
}

/* Finds the word in the line `virt_caps : ...` of xl info; false: no line. */
static bool
read_caps(FILE *from, bool *hvm, bool *hap)
{
	char *line = NULL, *word, *rest;
	size_t room = 0;
	bool found = false;

	while (getline(&line, &room, from) > 0) {
		if (strncmp(line, "virt_caps", 9) != 0)
			continue;
		found = true;
		rest = line;
		while ((word = strsep(&rest, " \t:\n")) != NULL) {
			*hvm = *hvm || strcmp(word, "hvm") == 0;
			*hap = *hap || strcmp(word, "hap") == 0;
		}
	}
	free(line);
	return found;
}

static void
say_caps(struct doctor *doctor, bool hvm, bool hap)
{
	if (hvm && hap) {
		doctor_say(doctor, DOCTOR_OK,
			   "HVM and PVH guests, with hardware-assisted paging");
	} else if (hvm) {
		doctor_say(doctor, DOCTOR_NOTE,
			   "no hardware-assisted paging: direct mode is not "
			   "possible, and pflashd uses trap mode");
		doctor_mend(doctor,
			    "if the processor has EPT or NPT, enable it in the "
			    "host's firmware setup, and remove hap=0 from "
			    "Xen's command line");
	} else {
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "Xen can run neither HVM nor PVH guests");
		doctor_mend(doctor, "enable VT-x or AMD-V in the host's "
				    "firmware setup");
	}
}

void
doctor_hap(struct doctor *doctor)
{
	bool hvm = false, hap = false, found;
	FILE *from;

	if (geteuid() != 0) {
		doctor_say(doctor, DOCTOR_UNSEEN,
			   "`xl info` needs the rights of root");
		doctor_mend(doctor, "run doctor as root");
		return;
	}
	doctor_at(doctor, "xl info");
	from = popen("PATH=$PATH:/usr/sbin:/sbin; exec xl info </dev/null "
		     "2>/dev/null",
		     "re");
	found = from && read_caps(from, &hvm, &hap);
	if (from)
		(void)pclose(from);
	if (found) {
		say_caps(doctor, hvm, hap);
		return;
	}
	doctor_say(doctor, DOCTOR_UNSEEN, "`xl info` shows no virt_caps");
	doctor_mend(doctor, "run `xl info`, and mend its error");
}

/* --- devices --- */

static const struct device {
	const char *path;
	bool required;
	const char *purpose, *module;
} devices[] = {
	{ "/dev/xen/privcmd", true, "hypercalls and guest memory",
	  "xen-privcmd" },
	{ "/dev/xen/evtchn", true, "event channels", "xen-evtchn" },
	{ "/dev/xen/hypercall", false,
	  "buffers of hypercalls; without it, locked memory is used",
	  "xen-privcmd" },
};

static void
examine_device(struct doctor *doctor, const struct device *device)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	if (stat(doctor_path(doctor, path, device->path), &st) < 0) {
		doctor_say(doctor,
			   device->required ? DOCTOR_PROBLEM : DOCTOR_NOTE,
			   "%s: %s (%s)", path, strerror(errno),
			   device->purpose);
		doctor_mend(doctor, "`modprobe %s`", device->module);
		return;
	}
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		doctor_cannot(doctor, errno, path);
	else if (!S_ISCHR(st.st_mode))
		doctor_say(doctor, DOCTOR_PROBLEM, "%s: not a device", path);
	else
		doctor_say(doctor, DOCTOR_OK, "%s", path);
	if (fd >= 0 && !S_ISCHR(st.st_mode))
		doctor_mend(doctor, "remove it, and `modprobe %s`",
			    device->module);
	if (fd >= 0)
		(void)close(fd);
}

void
doctor_devices(struct doctor *doctor)
{
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		examine_device(doctor, &devices[i]);
}

/* --- xenstored --- */

void
doctor_xenstored(struct doctor *doctor)
{
	int64_t deadline = ask_clock() + XENSTORED_MS;
	struct xenstore xs;
	struct error err;
	char *name = NULL;
	size_t len;
	int ret = xenstore_open(&xs, doctor->root, deadline, &err);

	if (ret == 0)
		ret = xenstore_read(&xs, "domid", &name, &len, &err);
	xenstore_close(&xs);
	free(name);
	if (ret == 0) {
		doctor_say(doctor, DOCTOR_OK, "xenstored answers");
	} else if ((ret == -EACCES || ret == -EPERM) && geteuid() != 0) {
		doctor_say(doctor, DOCTOR_UNSEEN, "%s", err.text);
		doctor_mend(doctor, "run doctor as root");
	} else if (ret == -ETIMEDOUT) {
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "xenstored does not answer within %d seconds",
			   XENSTORED_MS / 1000);
		doctor_mend(doctor, "look at its process and its log; guests "
				    "run on, but it cannot be restarted "
				    "without a reboot of the host");
	} else {
		doctor_say(doctor, DOCTOR_PROBLEM,
			   "xenstored cannot be reached: %s", err.text);
		doctor_mend(doctor, "start it: `systemctl start xenstored`, or "
				    "on Debian `service xen start`");
	}
}
