/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firmware volumes and the UEFI variable store inside a VARS image: layouts,
 * formatting, the check of an image before it is used, and what can be told of
 * a firmware image.  Works on buffers; no I/O, no byte of which is trusted.
 *
 * Sources: UEFI Platform Initialization Specification vol. 3, section 3.2
 * (firmware volume header); edk2 OvmfPkg/VarStore.fdf.inc and
 * OvmfPkgDefines.fdf.inc (the layouts), MdeModulePkg/Include/Guid/
 * VariableFormat.h and SystemNvDataGuid.h (the headers inside).  What OVMF
 * does with an image is said for edk2 2022.11, file and line, at each finding.
 */
#ifndef PFLASH_FV_H
#define PFLASH_FV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

#define FV_BLOCK_SIZE 4096u

/* A build of OVMF, named as its users name it: by the size of the image. */
struct fv_layout {
	const char *name;       /* "2m", "4m" */
	uint32_t size;          /* bytes of VARS */
	uint64_t base;          /* where the firmware expects it */
	uint32_t variable_size; /* variable store, with the volume's header */
	uint32_t event_log;     /* offset of the (unused) event log */
	uint32_t ftw_work;      /* offset of the fault-tolerant write block */
	uint32_t ftw_spare;     /* offset of the spare area, up to the end */
	/* The greater of PcdMaxVariableSize and PcdMaxAuthVariableSize. */
	uint32_t max_variable;
};

/* NULL if there is none of that name or size. */
const struct fv_layout *fv_layout_by_name(const char *name);
const struct fv_layout *fv_layout_by_size(uint64_t size);

/*
 * Writes layout->size bytes: an empty variable store, equal to the byte to the
 * OVMF_VARS file of such a build.
 */
void fv_format(const struct fv_layout *layout, uint8_t *image);

/* What the header of a volume at `start` says its length is; 0: it is none. */
uint64_t fv_length(const uint8_t *start, size_t size);

/* --- the check of an image --- */

/*
 * The largest image that is looked into, in bytes.  The largest layout of OVMF
 * has 0x84000; the limit bounds the time that a hostile image takes.
 */
#define FV_MAX_SIZE 0x100000u

/* What a finding means for who starts a guest with the image. */
enum fv_severity {
	FV_NOTE,    /* usual, and worth knowing */
	FV_WARNING, /* OVMF gets along, and loses nothing it still had */
	FV_ERROR,   /* OVMF would wipe or forget variables, or hang */
};

/*
 * What can be found.  With each, the source that decides it; FwBlockService.c
 * and QemuFlash.c are OvmfPkg/QemuFlashFvbServicesRuntimeDxe's, FtwMisc.c and
 * UpdateWorkingBlock.c MdeModulePkg/Universal/FaultTolerantWriteDxe's, the
 * others MdeModulePkg/Universal/Variable/RuntimeDxe's.
 *
 * A volume header that OVMF refuses is a total loss: FwBlockService.c:929-944
 * erases every block and writes a volume header, but nobody ever writes the
 * header of the variable store (VariableNonVolatile.c:233), so that this boot
 * and every later one hangs.
 */
enum fv_code {
	/* The file as a whole. */
	FV_EMPTY,     /* no byte */
	FV_TOO_SHORT, /* not even one block */
	FV_TOO_LARGE, /* more than FV_MAX_SIZE, and no volume that fits */
	FV_ERASED,    /* all 0xff: FwBlockService.c:838 */
	FV_ZEROED,    /* all 0x00: QemuFlash.c:76 */
	FV_NO_PROBE,  /* first block without a byte to probe: QemuFlash.c:76 */
	/* The volume's header. */
	FV_SIGNATURE,       /* not "_FVH": FwBlockService.c:838 */
	FV_REVISION,        /* not 2: FwBlockService.c:837 */
	FV_HEADER_LENGTH,   /* odd, or for no header: FwBlockService.c:840 */
	FV_HEADER_CHECKSUM, /* FwBlockService.c:854 */
	FV_TRUNCATED,       /* FvLength beyond the file: FwBlockService.c:900 */
	FV_WHOLE_IMAGE,     /* VARS with the code behind it */
	FV_TRAILING,        /* bytes behind the volume */
	FV_OTHER_BLOCK_SIZE, /* FwBlockService.c:901 */
	FV_BLOCK_MAP,        /* less, or endless: FtwMisc.c:1115,1158 */
	FV_LONG_BLOCK_MAP,   /* more than FvLength: only a limit */
	FV_FILE_SYSTEM,      /* not for variables: VariableNonVolatile.c:219 */
	FV_READ_ONLY,        /* no EFI_FVB2_WRITE_STATUS: FtwMisc.c:1094 */
	FV_OTHER_ATTRIBUTES, /* ignored by OvmfXen */
	FV_UNKNOWN_LAYOUT,   /* consistent, but of no build that is known */
	FV_SPARE_HAS_STORE,  /* the spare area could be restored by hand */
	/* The variable store's header. */
	FV_STORE_ERASED,    /* never formatted: VariableNonVolatile.c:233 */
	FV_STORE_SIGNATURE, /* VariableParsing.c:56 */
	FV_STORE_FORMAT,    /* VariableParsing.c:58 */
	FV_STORE_STATE,     /* VariableParsing.c:59 */
	FV_STORE_SIZE,      /* VariableNonVolatile.c:228 */
	/* The variables. */
	FV_VARIABLE_HEADER,     /* beyond the end: VariableParsing.c:29 */
	FV_VARIABLE_SIZE,       /* beyond the end: Variable.c:625 */
	FV_VARIABLE_NO_NAME,    /* VariableParsing.c:502 */
	FV_VARIABLE_NAME,       /* no string: VariableParsing.c:503 */
	FV_VARIABLE_STATE,      /* never made: Variable.c:623,646 */
	FV_VARIABLE_TORN,       /* never completed: Variable.c:2180-2239 */
	FV_VARIABLE_ATTRIBUTES, /* volatile: Variable.c:1818 */
	FV_VARIABLE_DUPLICATE,  /* the first is found: VariableParsing.c:508 */
	FV_VARIABLE_HIDES,      /* others in its data, as by a wrong size */
	FV_CHAIN_BROKEN,        /* lost ones behind it: Variable.c:3438-3444 */
	FV_FREE_DIRTY,          /* reclaimed at next boot: Variable.c:3440 */
	FV_RECLAIM_DUE,         /* at next boot: Variable.c:3242 */
	FV_FULL,                /* and nothing to reclaim: Variable.c:2117 */
	/* The working block of fault-tolerant writes. */
	FV_FTW_MISSING,    /* none found in a volume of unknown layout */
	FV_FTW_BLANK,      /* erased: FtwMisc.c:1349 makes it */
	FV_FTW_SIGNATURE,  /* UpdateWorkingBlock.c:89 compares these four */
	FV_FTW_CRC,        /* with what it would have written, */
	FV_FTW_STATE,      /* and FtwMisc.c:1340-1349 makes it anew */
	FV_FTW_QUEUE_SIZE, /* (all four) */
	FV_FTW_IN_SPARE,   /* being reclaimed: FtwMisc.c:1318 */
	FV_FTW_FULL,     /* reclaimed at next boot: UpdateWorkingBlock.c:305 */
	FV_FTW_DIRTY,    /* reclaimed at next boot: FtwMisc.c:1390 */
	FV_FTW_QUEUE,    /* a write beyond the block: FtwMisc.c:1390 */
	FV_FTW_TARGET,   /* one to beyond the volume: FtwMisc.c:500-546 */
	FV_FTW_BEGUN,    /* will be given up: FtwMisc.c:1358-1364 */
	FV_FTW_FINISHED, /* will be marked so: FtwMisc.c:1371-1377 */
	FV_FTW_PENDING,  /* will be done: FtwMisc.c:1398-1416 */
	FV_CODES
};

struct fv_finding {
	enum fv_code code;
	enum fv_severity severity;
	uint64_t offset; /* in the image, of what was looked at */
	uint64_t found;  /* what is there; 0 where no number says it */
	uint64_t wanted; /* what should be there; likewise */
};

#define FV_MAX_FINDINGS 24

struct fv_report {
	const struct fv_layout *layout; /* NULL: none that is known */
	bool authenticated;             /* variables have the longer header */
	bool in_spare; /* variables were read from the spare area, because a
			* pending write will copy it: FtwMisc.c:1398 */
	/* Variables by state; of a store whose chain is broken, up to there. */
	uint32_t live;       /* what GetVariable() finds */
	uint32_t superseded; /* in deleted transition, or a duplicate */
	uint32_t deleted;
	uint32_t torn;    /* never completed */
	uint32_t unknown; /* of a state that is never made */
	/* Bytes of the store; used + free is all but its header. */
	uint32_t used; /* up to the end of the chain */
	uint32_t live_bytes;
	uint32_t free;
	/* All of them, also those that did not fit into findings. */
	uint32_t errors, warnings, notes;
	/* The first ones; errors take the place of what is less than that. */
	unsigned int count;
	struct fv_finding findings[FV_MAX_FINDINGS];
};

/*
 * What OVMF would make of an image of `size` bytes.  True if it would keep all
 * variables: report->errors is 0.  The report is written in any case; it
 * points to nothing of the image.
 */
bool fv_check(const uint8_t *image, size_t size, struct fv_report *report);

/* For machines: "header-checksum", "error".  Never NULL. */
const char *fv_code_name(enum fv_code code);
const char *fv_severity_name(enum fv_severity severity);

/*
 * For the operator: what is wrong and what to do, without the file's name and
 * without a full stop.  `text` is no failure's; it only carries the sentence.
 */
void fv_finding_text(const struct fv_finding *finding, struct error *text);

/* --- reclaiming room --- */

/*
 * Writes the image to `out`, which has `size` bytes as well, as the firmware
 * would leave it after it has reclaimed the room of variables that are no more.
 * Returns the bytes gained.  -EINVAL: its store is not sound enough for that;
 * -EBUSY: the firmware has begun to do so, or something like it; `out` may be
 * anything then.
 */
int fv_compact(const uint8_t *image, size_t size, uint8_t *out,
	       struct error *err);

/* Would the firmware do that soon, and would it gain something by it? */
bool fv_compact_is_due(const struct fv_report *report);

/* --- firmware images --- */

/*
 * The last firmware volume of a firmware image, which OVMF links for the top
 * of 4 GiB and starts in (SEC).  Sets *off to its start; it ends with the
 * image.  -ENOENT if no volume ends there.
 */
int fv_find_sec(const uint8_t *image, size_t size, size_t *off,
		struct error *err);

/* What a firmware image was built for. */
struct fv_build {
	const struct fv_layout *layout; /* of its variables */
	uint64_t vars_base;             /* where it expects them */
	bool has_vars; /* it begins with an empty variable store */
};

/*
 * Tells it by the size, which OvmfPkgDefines.fdf.inc fixes, and only if what
 * must be there is: SEC's volume at the end, and in an image that is not only
 * code the volume of variables at its start, or where OvmfXen has its ELF
 * header instead (OvmfXen.fdf) the working block behind it.  -ENOENT if it
 * can't be told.
 */
int fv_build_find(const uint8_t *image, size_t size, struct fv_build *build,
		  struct error *err);

/*
 * 0 if the firmware takes a VARS image of `vars_size` bytes, -EINVAL with a
 * sentence if it would wipe it, -ENOENT if it can't be told.
 */
int fv_build_takes(const uint8_t *image, size_t size, uint64_t vars_size,
		   struct error *err);

#endif
