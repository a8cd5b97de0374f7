/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip: a bank of parallel NOR flash parts with the Intel/Sharp extended
 * command set (CFI primary vendor command set 0x0001).
 *
 * The chip is a pure state machine: it does no I/O, reads no clock and
 * allocates nothing.  It changes the array and commits bursts only through
 * struct cfi_ops.  All offsets, sizes and values of an access come from the
 * guest: the chip accepts any of them.  docs/chip.md is the specification.
 *
 * Terms: a bank has 1 to 4 equal parts side by side on a bus; each part has its
 * own lane of the bus (pflash/geometry.h).  An access becomes one bus cycle for
 * each bus word that it touches.  The owner of a chip is the code that called
 * cfi_init(); it holds the array, reports guest accesses to the chip, and shows
 * the view to the guest.
 *
 * Units: offsets and lengths are in bytes of the bank; an address of a part
 * counts bus words.  Threads: a chip must not be used by two threads at once.
 *
 * Sources: Intel 28F128J3 data sheet (order number 290667: commands, status
 * register, write buffer); Intel P30 data sheet (306666: block locking,
 * suspend); JEDEC JESD68.01 (CFI) and JEP137B (command set codes); edk2
 * OvmfPkg/QemuFlashFvbServicesRuntimeDxe/QemuFlash.c (OVMF's driver).
 */
#ifndef PFLASH_CFI_H
#define PFLASH_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pflash/geometry.h"

/* Command codes of the first bus cycle, and of the second one if marked. */
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
	CFI_CMD_CONFIRM = 0xd0, /* as a second cycle */
	CFI_CMD_RESUME = 0xd0,  /* as a first cycle */
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

/* docs/personalities.md has all differences. */
enum cfi_personality {
	CFI_OVMF,   /* CLEAR STATUS also clears SR.7, as OVMF's probe demands */
	CFI_STRICT, /* as the data sheets say */
	CFI_QEMU,   /* like CFI_OVMF, and programming overwrites */
};

/*
 * The protection register of one part, in bytes: PR-LK (its lock, 2), factory
 * bytes (8), user bytes (8).
 */
#define CFI_PROTECT_SIZE 18
#define CFI_PROTECT_WORD 0x80u /* address of PR-LK in the part */

/*
 * The operations of the owner.  Each returns 0 or -errno.  On failure the chip
 * sets SR.4 or SR.5.  It also sets SR.1 for -EROFS (the host's file is
 * read-only), or SR.3 for any error except -EROFS and -ENOSPC (the host's file
 * is lost).
 */
struct cfi_ops {
	/*
	 * Store `bytes` at `off` in the array.  The chip has already applied
	 * the rules of NOR flash to them.
	 */
	int (*program)(void *owner, uint32_t off, const uint8_t *bytes,
		       uint32_t len);
	/* Set the range, which is one erase block, to 0xff. */
	int (*erase)(void *owner, uint32_t off, uint32_t len);
	/*
	 * A part is about to show the array: commit all programs and erases
	 * since the last commit, as one burst.
	 */
	int (*commit)(void *owner);
	/*
	 * Store these protection registers, CFI_PROTECT_SIZE bytes for each
	 * part, durably before returning.  They are also in the record that
	 * cfi_save() makes now.
	 */
	int (*protect)(void *owner, const uint8_t *registers, uint32_t len);
};

struct cfi_config {
	const uint8_t *array; /* borrowed; only `ops` change it */
	struct geometry geometry;
	enum cfi_personality personality;
	/*
	 * Bytes of a partition; 0: as the personality says, an erase block or
	 * the whole bank.  cfi_check_partition() must accept it.
	 */
	uint32_t partition;
	/*
	 * Clear SR.7 while an operation of `ops` runs.  An owner whose
	 * operations wait until the change is durable sets this, and shows the
	 * busy chip to other vCPUs with cfi_render().
	 */
	bool show_busy;
	const struct cfi_ops *ops; /* borrowed */
	void *owner;               /* the first argument of each operation */
};

/* The bus cycle that the command interface of a part waits for. */
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

/* The contents that a read on the lane of a part returns. */
enum cfi_view {
	CFI_VIEW_ARRAY,
	CFI_VIEW_STATUS,
	CFI_VIEW_BUFFER, /* XSR: 0x80 if the write buffer is available */
	CFI_VIEW_ID,
	CFI_VIEW_QUERY,
};

#define CFI_QUERY_SIZE 0x90
#define CFI_BUFFER_SIZE 256 /* bytes of the write buffer of a part */
#define CFI_MAX_VIEWS 4096u /* partitions of all parts of a bank */

/*
 * One part.  Private to src/cfi.  Addresses count words of the part's lane.  A
 * load is the series of data cycles of a buffered program.
 */
struct cfi_part {
	uint8_t state; /* enum cfi_state */
	uint8_t view;  /* enum cfi_view, of `partition` */
	uint8_t status;
	uint8_t burst;      /* SR bits that a failed commit sets */
	uint8_t last;       /* SR bit that SUSPEND would set now, or 0 */
	bool bad;           /* the load is too long or out of range */
	uint16_t partition; /* that the last cycle addressed */
	uint32_t erased;    /* index of the block erased last */
	uint32_t start;     /* first address of the load */
	uint32_t words;     /* number of words in the load */
	uint32_t pending;   /* words of the load not yet received */
	uint8_t buffer[CFI_BUFFER_SIZE];
	uint8_t loaded[CFI_BUFFER_SIZE / 8]; /* a bit for each word received */
};

/*
 * A chip.  The owner allocates it; only src/cfi uses its members.  It needs no
 * release: it owns no memory.
 */
struct cfi {
	struct cfi_config config;
	uint8_t width_shift;              /* 2^n bytes of the bus */
	uint8_t lane_shift;               /* 2^n bytes of a lane */
	uint8_t all;                      /* a bit for each part */
	bool x8;                          /* the bank is one x8 part */
	bool locked;                      /* a block of a part is locked */
	uint8_t word[GEOMETRY_MAX_WIDTH]; /* the bus word being programmed */
	uint8_t partition_shift;          /* 2^n bytes of a partition */
	uint32_t partitions;              /* their number */
	uint32_t parts_at;                /* offset of the parts in a record */
	struct cfi_part part[GEOMETRY_MAX_PARTS];
	/* By block: bit n: part n is locked, bit 4 + n: locked down. */
	uint8_t locks[GEOMETRY_MAX_BLOCKS];
	uint8_t protect[GEOMETRY_MAX_PARTS * CFI_PROTECT_SIZE];
	uint8_t query[CFI_QUERY_SIZE]; /* the CFI query structure of a part */
	/* See src/cfi/views.h.  Indexed by part * partitions + partition. */
	uint8_t shown[CFI_MAX_VIEWS];
	/* Of each part: the partitions that do not show the array. */
	uint16_t switched[CFI_MAX_VIEWS];
	uint16_t switched_count[GEOMETRY_MAX_PARTS];
	/* The last changes of `shown`, `locks` and `protect`. */
	uint16_t log[CFI_MAX_VIEWS];
	uint32_t changes; /* number of entries ever written to the log */
};

/*
 * Checks a size of partitions: 0, or a power of two that divides each region
 * into whole partitions of whole blocks.  -EINVAL, with a sentence, for any
 * other size, and for the personality CFI_QEMU, which has no partitions.
 */
int cfi_check_partition(const struct geometry *g,
			enum cfi_personality personality, uint32_t partition,
			struct error *err);

/*
 * Initializes the chip to its power-on state.  Copies *config, not the array
 * and the operations.  -EINVAL: geometry_check() refuses the geometry, or
 * cfi_check_partition() the partitions.
 */
int cfi_init(struct cfi *chip, const struct cfi_config *config);

/*
 * An access of `size` bytes, 1 to 8, little-endian, as the bus cycles of
 * docs/chip.md, section 1.  Any offset is allowed: bytes outside of the bank
 * read as 0xff and are not written.
 * cfi_write() returns true if a view has changed: the owner must then show the
 * ranges of cfi_next_change(), whose bytes cfi_render() makes.  Failures appear
 * as status bits only.
 */
bool cfi_write(struct cfi *chip, uint64_t off, unsigned int size,
	       uint64_t value);
uint64_t cfi_read(const struct cfi *chip, uint64_t off, unsigned int size);

/*
 * Finds a range of the bank that the caller must show again.  *seen belongs to
 * the caller's copy of the view: 0 if it has no contents; the function keeps it
 * current.  To be called until it returns false: the copy is then complete.
 * The ranges are those of the partitions whose view has changed, or once the
 * whole bank.
 */
bool cfi_next_change(const struct cfi *chip, uint32_t *seen, uint32_t *off,
		     uint32_t *len);

/*
 * Fills `dst` with the bytes that reads of [off, off + len) return now; 0xff
 * outside of the bank.
 */
void cfi_render(const struct cfi *chip, uint64_t off, void *dst, size_t len);

/*
 * Reports the failure of a commit that the owner made without a bus cycle, for
 * example by an idle timer: the parts of the burst set their error bits.
 * `error` is -errno.  Returns true if the view has changed, as cfi_write().
 */
bool cfi_report(struct cfi *chip, int error);

/* Checks the invariants of the chip; false: one is violated. */
bool cfi_verify(const struct cfi *chip);

/*
 * Saving the chip: cfi_save() writes the whole state except the array to
 * `record`, cfi_state_size() bytes, at most CFI_STATE_MAX.  It may be called
 * between any two accesses.  docs/format.md, section "The state file", has the
 * versioned format of the record.
 */
#define CFI_STATE_MAX 10240

size_t cfi_state_size(const struct cfi *chip);
void cfi_save(const struct cfi *chip, uint8_t *record);

/*
 * Updates a record of this chip; fast enough to be called after every access.
 * *changes belongs to the record: the value of chip->changes at the last
 * update, and the function keeps it current; 0 for a record without contents.
 */
void cfi_save_again(const struct cfi *chip, uint8_t *record, uint32_t *changes);

/*
 * Restores a saved state, after cfi_init() and before the first access.  The
 * owner must then show the whole view.  `len` is the length of the record, or
 * cfi_state_size() if other bytes follow the record.  Accepts the record of
 * pflashd 0.1, whose view belongs to the whole part.  -EINVAL: the bytes are
 * not a record of this geometry, partition size and personality, or no chip can
 * have that state; the chip is unchanged.
 */
int cfi_restore(struct cfi *chip, const uint8_t *record, size_t len);

/*
 * Restores only the protection registers, for a new guest: these survive a
 * power-off.  The record may be from a chip of another personality.  -EINVAL:
 * not a record of this version, bus width and number of parts.
 */
int cfi_restore_protect(struct cfi *chip, const uint8_t *record, size_t len);

/* True if no bit of the protection registers has been programmed. */
bool cfi_protect_is_new(const struct cfi *chip);

#endif
