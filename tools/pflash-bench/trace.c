/* SPDX-License-Identifier: BSD-2-Clause */
/* Traces of accesses: loads recorded ones and makes others. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "../common/access.h"
#include "bench.h"
#include "pflash/cfi.h"
#include "pflash/identify.h"

#define LINE 256
#define RUN 200u /* consecutive bytes to program */

int
trace_add(struct trace *trace, struct access access)
{
	if (trace->count == trace->room) {
		size_t more = trace->room ? trace->room * 2 : 1024;
		struct access *accesses = realloc(trace->accesses,
						  more * sizeof(*accesses));

		if (!accesses)
			return -ENOMEM;
		trace->accesses = accesses;
		trace->room = more;
	}
	trace->accesses[trace->count++] = access;
	trace->writes += access.write;
	return 0;
}

static int
add(struct trace *trace, struct access access, struct error *err)
{
	return trace_add(trace, access) < 0 ?
		       error_set(err, ENOMEM, "out of memory") :
		       0;
}

static int
load(struct trace *trace, gzFile file, const char *name, struct error *err)
{
	unsigned long number = 0;
	char line[LINE];

	while (gzgets(file, line, sizeof(line))) {
		struct access_line access;
		int ret = access_parse(line, &access);

		number++;
		if (ret < 0)
			return error_set(err, EINVAL, "%s:%lu: not an access",
					 name, number);
		if (!access.op)
			continue;
		ret = add(trace,
			  (struct access){ access.op == 'w',
					   (uint8_t)access.size,
					   (uint32_t)access.off, access.value },
			  err);
		if (ret < 0)
			return ret;
	}
	if (!gzeof(file) || !trace->count)
		return error_set(err, EIO, "%s: %s", name,
				 gzeof(file) ? "no access in this file" :
					       "cannot be read");
	return 0;
}

int
trace_load(struct trace *trace, const char *name, struct error *err)
{
	struct stat st;
	int fd = identify_open(name, &st, err), ret;
	gzFile file = fd < 0 ? NULL : gzdopen(fd, "r");

	*trace = (struct trace){ 0 };
	if (fd < 0)
		return fd;
	if (!file) {
		close(fd);
		return error_errno(err, ENOMEM, "%s", name);
	}
	ret = load(trace, file, name, err);
	gzclose_r(file);
	if (ret < 0)
		trace_free(trace);
	return ret;
}

/*
 * Sets up and programs each byte, then shows the array, as QemuFlashWrite() in
 * OvmfPkg/QemuFlashFvbServicesRuntimeDxe does.
 */
int
trace_make(struct trace *trace, size_t writes, uint32_t size, struct error *err)
{
	uint32_t off = 0;
	int ret = 0;

	*trace = (struct trace){ 0 };
	while (ret == 0 && trace->writes < writes) {
		for (uint32_t i = 0; ret == 0 && i < RUN; i++) {
			ret = add(trace,
				  (struct access){ true, 1, off + i,
						   CFI_CMD_PROGRAM },
				  err);
			if (ret == 0)
				ret = add(trace,
					  (struct access){ true, 1, off + i,
							   (uint8_t)i },
					  err);
		}
		if (ret == 0)
			ret = add(trace,
				  (struct access){ true, 1, off,
						   CFI_CMD_READ_ARRAY },
				  err);
		off = (off + RUN) % (size - RUN);
	}
	if (ret < 0)
		trace_free(trace);
	return ret;
}

uint64_t
trace_end(const struct trace *trace)
{
	uint64_t end = 0;

	for (size_t i = 0; i < trace->count; i++) {
		const struct access *access = &trace->accesses[i];

		if ((uint64_t)access->off + access->size > end)
			end = (uint64_t)access->off + access->size;
	}
	return end;
}

void
trace_free(struct trace *trace)
{
	free(trace->accesses);
	*trace = (struct trace){ 0 };
}
