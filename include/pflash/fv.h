/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VARS images and firmware images: the layouts of OVMF's builds, a new empty
 * variable store, the check of an image before a guest uses it, compaction of
 * the variable store, and the build that a firmware image comes from.
 *
 * All functions work on the caller's buffers.  They do no I/O, allocate
 * nothing, keep no pointer to an image, and accept any bytes.  Sizes and
 * offsets are bytes; offsets count from the start of the image.
 *
 * Sources: UEFI Platform Initialization Specification vol. 3, section 3.2
 * (firmware volume header); edk2 OvmfPkg/VarStore.fdf.inc and
 * OvmfPkgDefines.fdf.inc (layouts); MdeModulePkg/Include/Guid/VariableFormat.h
 * and SystemNvDataGuid.h (variable store, working block).  Line numbers are
 * those of edk2 2022.11.
 */
#ifndef PFLASH_FV_H
#define PFLASH_FV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/error.h"

/* The size of OVMF's flash blocks (BLOCK_SIZE of OvmfPkgDefines.fdf.inc). */
#define FV_BLOCK_SIZE 4096u

/* The VARS image of one kind of OVMF build (OvmfPkgDefines.fdf.inc). */
struct fv_layout {
	const char *name;       /* "2m" or "4m": the size of the firmware */
	uint32_t size;          /* of the VARS image */
	uint64_t base;          /* guest physical address of the image */
	uint32_t variable_size; /* volume header plus variable store */
	uint32_t event_log;     /* offset of the event log, which is unused */
	uint32_t ftw_work;      /* offset of the fault-tolerant write block */
	uint32_t ftw_spare;     /* offset of the spare area, which is last */
	/* The greater of PcdMaxVariableSize and PcdMaxAuthVariableSize. */
	uint32_t max_variable;
	uint32_t max_plain; /* PcdMaxVariableSize: without authentication */
};

/*
 * The layout of this name, or of this VARS size.  NULL if no layout has it.
 * The layouts are constants of the program.
 */
const struct fv_layout *fv_layout_by_name(const char *name);
const struct fv_layout *fv_layout_by_size(uint64_t size);

/*
 * Writes an empty variable store of layout->size bytes to `image`.  It equals
 * the OVMF_VARS file of that build, byte for byte.
 */
void fv_format(const struct fv_layout *layout, uint8_t *image);

/*
 * FvLength of the firmware volume header at `start`, where `size` bytes can be
 * read.  0 if no header is there.  The header is not checked any further.
 */
uint64_t fv_length(const uint8_t *start, size_t size);

/* --- the check of an image --- */

/*
 * fv_check() rejects a larger image without reading its variables, so that a
 * hostile image cannot keep the caller busy.  OVMF's largest layout has 0x84000
 * bytes.
 */
#define FV_MAX_SIZE 0x100000u

/* The consequence of a finding for a guest that starts with the image. */
enum fv_severity {
	FV_NOTE,    /* normal, and worth knowing */
	FV_WARNING, /* OVMF works, and loses no variable that it could read */
	FV_ERROR,   /* OVMF would erase or lose variables, or hang */
};

/*
 * The findings.  Each comment names the line of edk2 that defines OVMF's
 * reaction.  FwBlockService.c and QemuFlash.c are in OvmfPkg/
 * QemuFlashFvbServicesRuntimeDxe, FtwMisc.c and UpdateWorkingBlock.c in
 * MdeModulePkg/Universal/FaultTolerantWriteDxe, the other files in
 * MdeModulePkg/Universal/Variable/RuntimeDxe.
 *
 * OVMF loses everything if it rejects the volume header: it erases every block
 * and writes a new volume header (FwBlockService.c:929-944), but no driver
 * writes a new variable store header.  The variable driver does not start
 * without one (VariableNonVolatile.c:233), so this and all later boots hang.
 */
enum fv_code {
	/* The file as a whole. */
	FV_EMPTY,     /* 0 bytes */
	FV_TOO_SHORT, /* less than one block */
	FV_TOO_LARGE, /* more than FV_MAX_SIZE */
	FV_ERASED,    /* all 0xff: FwBlockService.c:838 */
	FV_ZEROED,    /* all 0x00: QemuFlash.c:76 */
	FV_NO_PROBE,  /* first block without a byte to probe: QemuFlash.c:76 */
	/* The volume's header. */
	FV_SIGNATURE,       /* not "_FVH": FwBlockService.c:838 */
	FV_REVISION,        /* not 2: FwBlockService.c:837 */
	FV_HEADER_LENGTH,   /* odd or out of range: FwBlockService.c:840 */
	FV_HEADER_CHECKSUM, /* FwBlockService.c:854 */
	FV_TRUNCATED,       /* FvLength beyond the file: FwBlockService.c:900 */
	FV_WHOLE_IMAGE,     /* a firmware image: VARS, then the code */
	FV_TRAILING,        /* the file is longer than the volume */
	FV_OTHER_BLOCK_SIZE, /* FwBlockService.c:901 */
	FV_BLOCK_MAP,        /* < FvLength or no end: FtwMisc.c:1115,1158 */
	FV_LONG_BLOCK_MAP,   /* > FvLength: the map is only an upper limit */
	FV_FILE_SYSTEM,      /* other GUID: VariableNonVolatile.c:219 */
	FV_READ_ONLY,        /* no EFI_FVB2_WRITE_STATUS: FtwMisc.c:1094 */
	FV_OTHER_ATTRIBUTES, /* ignored by OvmfXen */
	FV_UNKNOWN_LAYOUT,   /* consistent, but not a known build's size */
	FV_SPARE_HAS_STORE,  /* the spare area has a good copy of the store */
	/* The variable store's header. */
	FV_STORE_ERASED,    /* never formatted: VariableNonVolatile.c:233 */
	FV_STORE_SIGNATURE, /* VariableParsing.c:56 */
	FV_STORE_FORMAT,    /* VariableParsing.c:58 */
	FV_STORE_STATE,     /* VariableParsing.c:59 */
	FV_STORE_PLAIN,     /* AuthVariableLib needs the other format */
	FV_STORE_SIZE,      /* VariableNonVolatile.c:228 */
	/* The variables. */
	FV_VARIABLE_HEADER,     /* beyond the end: VariableParsing.c:29 */
	FV_VARIABLE_SIZE,       /* beyond the end: Variable.c:625 */
	FV_VARIABLE_NO_NAME,    /* VariableParsing.c:502 */
	FV_VARIABLE_NAME,       /* not a string: VariableParsing.c:503 */
	FV_VARIABLE_STATE,      /* unknown: Variable.c:623,646 */
	FV_VARIABLE_TORN,       /* incomplete: Variable.c:2180-2239 */
	FV_VARIABLE_ATTRIBUTES, /* volatile: Variable.c:1818 */
	FV_VARIABLE_DUPLICATE,  /* not the first: VariableParsing.c:508 */
	FV_VARIABLE_TRANSITION, /* of two in transition: Variable.c:646 */
	FV_VARIABLE_HIDES,      /* its data contains other variables */
	FV_CHAIN_BROKEN,        /* variables behind: Variable.c:3438-3444 */
	FV_FREE_DIRTY,          /* reclaimed at next boot: Variable.c:3440 */
	FV_RECLAIM_DUE,         /* at next boot: Variable.c:3242 */
	FV_RECLAIM_AT_BOOT,     /* the same, and fv_compact() refuses it */
	FV_FULL,                /* nothing to reclaim: Variable.c:2117 */
	/*
	 * The working block of fault-tolerant writes.  UpdateWorkingBlock.c:89
	 * compares SIGNATURE, CRC, STATE and QUEUE_SIZE with the values that
	 * the driver would write; if one differs, FtwMisc.c:1340-1349 writes a
	 * new block.
	 */
	FV_FTW_MISSING, /* no block found in a volume of unknown layout */
	FV_FTW_BLANK,   /* erased: FtwMisc.c:1349 writes it */
	FV_FTW_SIGNATURE,
	FV_FTW_CRC,
	FV_FTW_STATE,
	FV_FTW_QUEUE_SIZE,
	FV_FTW_IN_SPARE, /* reclaim of the block interrupted: FtwMisc.c:1318 */
	FV_FTW_FULL,     /* reclaimed at next boot: UpdateWorkingBlock.c:305 */
	FV_FTW_DIRTY,    /* reclaimed at next boot: FtwMisc.c:1390 */
	FV_FTW_QUEUE,    /* write record beyond the block: FtwMisc.c:1390 */
	FV_FTW_TARGET,   /* destination beyond volume: FtwMisc.c:500-546 */
	FV_FTW_BEGUN,    /* OVMF abandons it: FtwMisc.c:1358-1364 */
	FV_FTW_FINISHED, /* OVMF marks it complete: FtwMisc.c:1371-1377 */
	FV_FTW_PENDING,  /* OVMF does it again: FtwMisc.c:1398-1416 */
	FV_CODES         /* the number of codes */
};

struct fv_finding {
	enum fv_code code;
	enum fv_severity severity;
	uint64_t offset; /* of the field, variable or write concerned */
	uint64_t found;  /* the value in the image; 0 if there is no number */
	uint64_t wanted; /* the correct value; 0 if there is no number */
};

#define FV_MAX_FINDINGS 24

struct fv_report {
	const struct fv_layout *layout; /* NULL: unknown layout */
	bool authenticated;             /* variables have the longer header */
	bool in_spare; /* the store was read from the spare area, because a
			* pending write will copy it: FtwMisc.c:1398 */
	/* Variables by state, as far as the chain of variables is readable. */
	uint32_t live;       /* GetVariable() returns them */
	uint32_t superseded; /* in deleted transition, or a duplicate */
	uint32_t deleted;
	uint32_t torn;    /* incomplete */
	uint32_t unknown; /* a state that OVMF never writes */
	/* Bytes of the store: used + free is the store without its header. */
	uint32_t used;       /* up to the end of the chain */
	uint32_t live_bytes; /* of live variables, their headers included */
	uint32_t free;
	/* All findings, also those that do not fit into findings[]. */
	uint32_t errors, warnings, notes;
	uint64_t codes; /* bit n: there is a finding of code n */
	/* fv_compact() does not refuse the image. */
	bool compactable;
	/* The first findings; errors replace warnings and notes. */
	unsigned int count;
	struct fv_finding findings[FV_MAX_FINDINGS];
};

/*
 * Predicts OVMF's reaction to an image of `size` bytes.  Returns true if OVMF
 * would keep all variables, that is, if report->errors is 0.  Writes all of
 * the report in both cases.
 */
bool fv_check(const uint8_t *image, size_t size, struct fv_report *report);

/* Stable names for scripts: "header-checksum", "error".  Never NULL. */
const char *fv_code_name(enum fv_code code);
const char *fv_severity_name(enum fv_severity severity);

/*
 * Writes the finding as one sentence for the administrator: what is wrong, at
 * which offset, what OVMF would do, and what to do about it.  The sentence has
 * neither the file's name nor a full stop.
 */
void fv_finding_text(const struct fv_finding *finding, struct error *text);

/* --- compaction --- */

/*
 * Copies the image to `out`, which has `size` bytes too, with the variable
 * store as edk2's Reclaim() leaves it (Variable.c:491): without deleted and
 * incomplete variables.  Returns the number of bytes gained.  The working block
 * and the spare area do not change.  Its state does not matter if the firmware
 * leaves the store as it is when it repairs the block at its next boot: a write
 * is only begun (FV_FTW_BEGUN) or complete, the block is erased, invalid or
 * full, or has a copy in the spare area.  -EBUSY: a write that was interrupted
 * when its data were in the spare area (FV_FTW_PENDING) is still to come.
 * -EINVAL: the store has errors or something that Reclaim() would handle in
 * another way, or the working block has contents that no driver writes.  On
 * failure the contents of `out` are undefined.  fv_check() predicts success or
 * failure: `compactable`.
 */
int fv_compact(const uint8_t *image, size_t size, uint8_t *out,
	       struct error *err);

/*
 * True if fv_compact() is possible and worth a write: more than half of the
 * store is used, and an eighth of it would be gained.
 */
bool fv_compact_is_due(const struct fv_report *report);

/* --- firmware images --- */

/*
 * Finds the last firmware volume of a firmware image: the SEC volume, which
 * OVMF links to end at 4 GiB and which has the reset vector.  Sets *off to its
 * start; it ends where the image ends.  -ENOENT if no volume ends there.
 */
int fv_find_sec(const uint8_t *image, size_t size, size_t *off,
		struct error *err);

/* The properties of a firmware's build. */
struct fv_build {
	const struct fv_layout *layout; /* of its VARS image */
	uint64_t vars_base; /* guest physical address of its VARS image */
	bool has_vars;      /* the file begins with an empty variable store */
};

/*
 * Recognizes a firmware image by its size (FW_SIZE and CODE_SIZE of
 * OvmfPkgDefines.fdf.inc) and checks that the parts of such a build are in
 * place: the SEC volume at the end, and in an image of FW_SIZE the volume of
 * variables at the start.  OvmfXen has an ELF header there (OvmfXen.fdf), so
 * the working block behind it is checked instead.  -ENOENT if the image is not
 * recognized.
 */
int fv_build_find(const uint8_t *image, size_t size, struct fv_build *build,
		  struct error *err);

/*
 * 0 if the firmware image fits a VARS image of `vars_size` bytes.  -EINVAL if
 * it was built for another size and would erase the VARS image.  -ENOENT if
 * the firmware image is not recognized.
 */
int fv_build_takes(const uint8_t *image, size_t size, uint64_t vars_size,
		   struct error *err);

#endif
