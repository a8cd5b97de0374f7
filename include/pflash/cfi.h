/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip: a parallel NOR flash with the Intel/Sharp extended command set
 * (CFI primary vendor command set 0x0001), x8.
 *
 * A pure state machine.  It does no I/O, reads no clock and allocates nothing;
 * what it decides happens through struct cfi_ops.  It never trusts an offset,
 * a size or a value: an access outside the array reads 0xff and writes
 * nothing, byte by byte.
 *
 * Sources: Intel 28F128J3 data sheet (order number 290667), sections 9 to 11
 * (commands, status register, write state machine); JEDEC JESD68.01 (CFI) and
 * JEP137B (command set codes); edk2 OvmfPkg/QemuFlashFvbServicesRuntimeDxe/
 * QemuFlash.c (what OVMF sends and expects).
 */
#ifndef PFLASH_CFI_H
#define PFLASH_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Commands: first bus cycle, and the second one where there is one. */
enum {
	CFI_CMD_PROGRAM_ALT = 0x10,
	CFI_CMD_ERASE = 0x20,
	CFI_CMD_PROGRAM = 0x40,
	CFI_CMD_CLEAR_STATUS = 0x50,
	CFI_CMD_READ_STATUS = 0x70,
	CFI_CMD_READ_ID = 0x90,
	CFI_CMD_QUERY = 0x98,
	CFI_CMD_CONFIRM = 0xd0,
	CFI_CMD_READ_ARRAY = 0xff,
};

/* Status register bits (28F128J3 data sheet, table "Status Register"). */
enum {
	CFI_SR_PROTECTED = 1u << 1, /* SR.1: block is locked or protected */
	CFI_SR_VPP = 1u << 3,       /* SR.3: no programming voltage */
	CFI_SR_PROGRAM = 1u << 4,   /* SR.4: program failed */
	CFI_SR_ERASE = 1u << 5, /* SR.5: erase failed; with SR.4: sequence */
	CFI_SR_READY = 1u << 7, /* SR.7: write state machine is idle */
};

enum cfi_personality {
	CFI_OVMF,   /* CLEAR STATUS also clears SR.7, as OVMF's probe demands */
	CFI_STRICT, /* as the data sheet */
	CFI_QEMU,   /* like CFI_OVMF, and programming overwrites */
};

/*
 * What the chip asks of its owner.  program, erase and commit return 0 or
 * -errno; a failure becomes status bits: SR.4 or SR.5, and with them SR.1 for
 * -EROFS (a protected part) and SR.3 for anything but -EROFS and -ENOSPC (the
 * backing is lost).
 */
struct cfi_ops {
	/* The array shall hold `bytes` at `off`: NOR semantics are applied. */
	int (*program)(void *owner, uint32_t off, const uint8_t *bytes,
		       uint32_t len);
	/* The array shall hold 0xff in this one block. */
	int (*erase)(void *owner, uint32_t off, uint32_t len);
	/* The chip enters array mode: what was done since is one burst. */
	int (*commit)(void *owner);
	/* What reads return has changed: cfi_render() gives the new view. */
	void (*show)(void *owner);
};

struct cfi_config {
	const uint8_t
		*array; /* `size` bytes, the owner's, changed through ops */
	uint32_t size;  /* bytes, a multiple of block_size, not 0 */
	uint32_t block_size; /* bytes, a power of two from 256 B to 8 MiB */
	enum cfi_personality personality;
	const struct cfi_ops *ops;
	void *owner;
};

/* What the command interface waits for. */
enum cfi_state {
	CFI_STATE_READY,   /* a command */
	CFI_STATE_PROGRAM, /* the data of 0x10 or 0x40 */
	CFI_STATE_ERASE,   /* the confirm of 0x20 */
};

/* What reads return. */
enum cfi_view {
	CFI_VIEW_ARRAY,
	CFI_VIEW_STATUS,
	CFI_VIEW_ID,
	CFI_VIEW_QUERY,
};

#define CFI_QUERY_SIZE 0x40

/* Embedded by its owner; its members are the chip's alone. */
struct cfi {
	struct cfi_config config;
	enum cfi_state state;
	enum cfi_view view;
	uint8_t status;
	uint8_t shown;                 /* the status last shown */
	uint8_t burst;                 /* SR bits a failed commit will set */
	uint8_t query[CFI_QUERY_SIZE]; /* the CFI query structure */
};

/* Power-on reset: array view, SR.7.  -EINVAL for a bad geometry. */
int cfi_init(struct cfi *chip, const struct cfi_config *config);

/*
 * One access of 1 to 8 bytes, little-endian.  Wider accesses than the x8 bus
 * are that many bus cycles at ascending addresses.
 */
void cfi_write(struct cfi *chip, uint64_t off, unsigned int size,
	       uint64_t value);
uint64_t cfi_read(const struct cfi *chip, uint64_t off, unsigned int size);

/* What reads of [off, off + len) return now; 0xff beyond the array. */
void cfi_render(const struct cfi *chip, uint64_t off, void *dst, size_t len);

/* A commit made behind the chip's back (an idle timer) failed with -errno. */
void cfi_report(struct cfi *chip, int error);

/* Checks every invariant of the structure; false says it is broken. */
bool cfi_verify(const struct cfi *chip);

#endif
