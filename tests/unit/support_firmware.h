/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of the variable store: writes variables into an image as edk2
 * does. SetVariable() follows UpdateVariable() (MdeModulePkg/Universal/
 * Variable/RuntimeDxe/Variable.c:2100-2330), the reclaim follows Reclaim()
 * (Variable.c:491) and FtwWrite() (FaultTolerantWriteDxe/FaultTolerantWrite.c:
 * 313), and the flash driver programs one byte after the other and ends each
 * write with READ ARRAY (QemuFlash.c:184-243).
 */
#ifndef SUPPORT_FIRMWARE_H
#define SUPPORT_FIRMWARE_H

#include <stdint.h>

#include "support_vars.h"

struct firmware {
	struct vars *vars;
	/* Called after each byte programmed and each block erased. */
	void (*written)(void *opaque, uint32_t off, uint32_t len);
	/* Called at each end of a burst. */
	void (*committed)(void *opaque);
	void *opaque;
	uint32_t queue; /* offset of the next write in the FTW queue */
	unsigned int reclaims;
};

/*
 * Sets a variable with an ASCII name; `size` 0 deletes it. Returns false if the
 * value is there already, so that nothing was written. A full store is
 * reclaimed first, and the test fails if that does not help.
 */
bool firmware_set(struct firmware *firmware, const uint8_t *vendor,
		  const char *name, const void *data, uint32_t size);

void firmware_reclaim(struct firmware *firmware);

#endif
