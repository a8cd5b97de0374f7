/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip: a bank of parallel NOR flash parts with the Intel/Sharp extended
 * command set (CFI primary vendor command set 0x0001).
 *
 * A pure state machine.  It does no I/O, reads no clock and allocates nothing;
 * what it decides happens through struct cfi_ops.  It never trusts an offset,
 * a size or a value.  docs/chip.md is its specification.
 *
 * Sources: Intel 28F128J3 data sheet (order number 290667: commands, status
 * register, write buffer); Intel P30 data sheet (306666: block locking,
 * suspend); JEDEC JESD68.01 (CFI) and JEP137B (command set codes); edk2
 * OvmfPkg/QemuFlashFvbServicesRuntimeDxe/QemuFlash.c (what OVMF expects).
 */
#ifndef PFLASH_CFI_H
#define PFLASH_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/geometry.h"

/* Commands: first bus cycle, and the second one where there is one. */
enum {
	CFI_CMD_LOCK_BLOCK = 0x01, /* after LOCK_SETUP */
	CFI_CMD_PROGRAM_ALT = 0x10,
	CFI_CMD_ERASE = 0x20,
	CFI_CMD_LOCK_DOWN = 0x2f, /* after LOCK_SETUP */
	CFI_CMD_PROGRAM = 0x40,
	CFI_CMD_CLEAR_STATUS = 0x50,
	CFI_CMD_LOCK_SETUP = 0x60,
	CFI_CMD_READ_STATUS = 0x70,
	CFI_CMD_READ_ID = 0x90,
	CFI_CMD_QUERY = 0x98,
	CFI_CMD_SUSPEND = 0xb0,
	CFI_CMD_PROTECT = 0xc0,
	CFI_CMD_CONFIRM = 0xd0, /* a second cycle; as a first one: */
	CFI_CMD_RESUME = 0xd0,
	CFI_CMD_BUFFER = 0xe8,
	CFI_CMD_READ_ARRAY = 0xff,
};

/* Status register bits (28F128J3 data sheet, table "Status Register"). */
enum {
	CFI_SR_PROTECTED = 1u << 1, /* SR.1: block is locked or protected */
	CFI_SR_PROGRAM_SUSPENDED = 1u << 2, /* SR.2 */
	CFI_SR_VPP = 1u << 3,               /* SR.3: no programming voltage */
	CFI_SR_PROGRAM = 1u << 4,           /* SR.4: program failed */
	CFI_SR_ERASE = 1u << 5, /* SR.5: erase failed; with SR.4: sequence */
	CFI_SR_ERASE_SUSPENDED = 1u << 6, /* SR.6 */
	CFI_SR_READY = 1u << 7, /* SR.7: write state machine is idle */
};

/* docs/personalities.md. */
enum cfi_personality {
	CFI_OVMF,   /* CLEAR STATUS also clears SR.7, as OVMF's probe demands */
	CFI_STRICT, /* as the data sheets */
	CFI_QEMU,   /* like CFI_OVMF, and programming overwrites */
};

/* The protection register of one part: two bytes of PR-LK, then 8 + 8. */
#define CFI_PROTECT_SIZE 18
#define CFI_PROTECT_WORD 0x80u /* its address, of the part */

/*
 * What the chip asks of its owner.  All return 0 or -errno; a failure
 * becomes status bits: SR.4 or SR.5, and with them SR.1 for -EROFS (a
 * protected part) and SR.3 for anything but -EROFS and -ENOSPC (the backing is
 * lost).
 */
struct cfi_ops {
	/* The array shall hold `bytes` at `off`: NOR semantics are applied. */
	int (*program)(void *owner, uint32_t off, const uint8_t *bytes,
		       uint32_t len);
	/* The array shall hold 0xff in this one block. */
	int (*erase)(void *owner, uint32_t off, uint32_t len);
	/* The chip enters array mode: what was done since is one burst. */
	int (*commit)(void *owner);
	/*
	 * Keep these protection registers, CFI_PROTECT_SIZE bytes for each
	 * part; they are durable on return.  cfi_save() has them already.
	 */
	int (*protect)(void *owner, const uint8_t *registers, uint32_t len);
};

struct cfi_config {
	const uint8_t *array; /* the owner's, changed through ops */
	struct geometry geometry;
	enum cfi_personality personality;
	/*
	 * Programs and erases are durable when ops return: SR.7 is 0 while they
	 * run, and the owner shows that to other vCPUs by cfi_render().
	 */
	bool show_busy;
	const struct cfi_ops *ops;
	void *owner;
};

/* What a part's command interface waits for. */
enum cfi_state {
	CFI_STATE_READY,   /* a command */
	CFI_STATE_PROGRAM, /* the data of 0x10 or 0x40 */
	CFI_STATE_ERASE,   /* the confirm of 0x20 */
	CFI_STATE_LOCK,    /* the second cycle of 0x60 */
	CFI_STATE_PROTECT, /* the data of 0xc0 */
	CFI_STATE_COUNT,   /* the number of words of 0xe8 */
	CFI_STATE_LOAD,    /* words for the write buffer */
	CFI_STATE_CONFIRM, /* the confirm of 0xe8 */
};

/* What reads of a part's lane return. */
enum cfi_view {
	CFI_VIEW_ARRAY,
	CFI_VIEW_STATUS,
	CFI_VIEW_BUFFER, /* XSR: is the write buffer available? */
	CFI_VIEW_ID,
	CFI_VIEW_QUERY,
};

#define CFI_QUERY_SIZE 0x60
#define CFI_BUFFER_SIZE 256 /* bytes of a part's write buffer */

/* One part; addresses are the part's own, in words of its lane. */
struct cfi_part {
	uint8_t state; /* enum cfi_state */
	uint8_t view;  /* enum cfi_view */
	uint8_t status;
	uint8_t burst;      /* SR bits a failed commit will set */
	uint8_t last;       /* SR bit that SUSPEND would set now, or 0 */
	bool bad;           /* the load is out of its range */
	uint8_t shown;      /* the byte STATUS or BUFFER view showed last */
	uint8_t shown_view; /* and whether it was one of these */
	uint32_t erased;    /* the block last erased, or suspended */
	uint32_t start;     /* first address of the load */
	uint32_t words;     /* of the load */
	uint32_t pending;   /* words still to come */
	uint8_t buffer[CFI_BUFFER_SIZE];
	uint8_t loaded[CFI_BUFFER_SIZE / 8]; /* a bit for each word */
};

/* Embedded by its owner; its members are the chip's alone. */
struct cfi {
	struct cfi_config config;
	uint8_t width_shift;              /* 2^n bytes of the bus */
	uint8_t lane_shift;               /* 2^n bytes of a lane */
	uint8_t all;                      /* a bit for each part */
	bool x8;                          /* the bank is one x8 part */
	bool locked;                      /* any block of any part */
	uint8_t word[GEOMETRY_MAX_WIDTH]; /* the bus word being programmed */
	uint32_t parts_at;                /* where the parts are in a record */
	struct cfi_part part[GEOMETRY_MAX_PARTS];
	/* For each block, by part: bit n locked, bit 4 + n locked down. */
	uint8_t locks[GEOMETRY_MAX_BLOCKS];
	uint8_t protect[GEOMETRY_MAX_PARTS * CFI_PROTECT_SIZE];
	uint32_t changes;              /* of locks and protect */
	uint8_t query[CFI_QUERY_SIZE]; /* the CFI query structure of a part */
};

/* Power-on reset.  -EINVAL for a bad geometry. */
int cfi_init(struct cfi *chip, const struct cfi_config *config);

/*
 * One access of 1 to 8 bytes, little-endian; docs/chip.md, section 1, says
 * which bus cycles it makes.  cfi_write() returns true when reads return
 * something else than before: cfi_render() has the new view.
 */
bool cfi_write(struct cfi *chip, uint64_t off, unsigned int size,
	       uint64_t value);
uint64_t cfi_read(const struct cfi *chip, uint64_t off, unsigned int size);

/* What reads of [off, off + len) return now; 0xff beyond the array. */
void cfi_render(const struct cfi *chip, uint64_t off, void *dst, size_t len);

/*
 * A commit that the guest did not ask for (an idle timer) failed with -errno.
 * Returns as cfi_write().
 */
bool cfi_report(struct cfi *chip, int error);

/* Checks every invariant of the structure; false says it is broken. */
bool cfi_verify(const struct cfi *chip);

/*
 * The chip's state but for the array, between any two accesses: a versioned
 * record of cfi_state_size() bytes, little-endian, laid out in docs/format.md.
 */
#define CFI_STATE_MAX 8192

size_t cfi_state_size(const struct cfi *chip);
void cfi_save(const struct cfi *chip, uint8_t *record);

/*
 * Brings a record of cfi_save() up to date by what may be another: `changes`
 * is that chip's of then.  For after every access, where cfi_save() is slow.
 */
void cfi_save_again(const struct cfi *chip, uint8_t *record, uint32_t *changes);

/*
 * Takes up a record, after cfi_init() and before the first access; shows
 * nothing.  -EINVAL: not a record, of another version, geometry or
 * personality, or impossible; the chip is as after cfi_init() then.
 */
int cfi_restore(struct cfi *chip, const uint8_t *record, size_t len);

/*
 * The same of the protection registers only, at the power-on of a new guest.
 * The personality may be another one than the record's.
 */
int cfi_restore_protect(struct cfi *chip, const uint8_t *record, size_t len);

/* Has no bit of the protection registers been programmed yet? */
bool cfi_protect_is_new(const struct cfi *chip);

#endif
