/* SPDX-License-Identifier: BSD-2-Clause */
/* The private memory of a process, from the kernel's list of its mappings. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

/*
 * The simulated hypervisor and guest have all their memory in shared mappings:
 * the guest's frames in a memfd, the hypervisor's tables in anonymous ones,
 * which the kernel calls /dev/zero.  pflashd's modules have neither here.
 */
static bool
is_simulation(const char *name)
{
	return strncmp(name, "/memfd:", 7) == 0 ||
	       strncmp(name, "/dev/zero", 9) == 0;
}

struct memory
memory_of(pid_t pid)
{
	struct memory memory = { 0, 0 };
	unsigned long first, last, kib;
	bool simulation = false;
	char line[512], name[256];
	FILE *file;

	snprintf(line, sizeof(line), "/proc/%d/smaps", (int)pid);
	file = fopen(line, "r");
	while (file && fgets(line, sizeof(line), file)) {
		name[0] = '\0';
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %255s", &first, &last,
			   name) >= 2)
			simulation = is_simulation(name);
		else if (sscanf(line, "Private_Clean: %lu", &kib) == 1 ||
			 sscanf(line, "Private_Dirty: %lu", &kib) == 1)
			*(simulation ? &memory.simulation :
				       &memory.own) += (double)kib;
	}
	if (file)
		fclose(file);
	return memory;
}
