/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's pflash_cfi01 as a peer of pflash-bench.  The state machine is from
 * Debian's source package: `build` cuts it out of hw/block/pflash_cfi01.c, from
 * its first definition to the device's realize function.  This file provides
 * the interfaces of QEMU that it uses.  Two of them favour QEMU: trace points
 * cost nothing, and a change between read mode and command mode costs an
 * assignment, where QEMU rebuilds its memory map.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../peer.h"

/* --- the interfaces of QEMU ---------------------------------------------- */

typedef uint64_t hwaddr;
typedef int MemTxResult;
enum { MEMTX_OK, MEMTX_ERROR };

typedef struct MemTxAttrs {
	unsigned int secure : 1;
} MemTxAttrs;

typedef struct SysBusDevice {
	int unused;
} SysBusDevice;

typedef struct MemoryRegion {
	bool romd;
} MemoryRegion;

typedef struct BlockBackend {
	int fd;
	bool synced;
	uint64_t syncs;
} BlockBackend;

typedef struct VMStateField {
	int unused;
} VMStateField;

typedef struct VMStateDescription {
	const char *name;
	int version_id, minimum_version_id;
	int (*post_load)(void *opaque, int version_id);
	const VMStateField *fields;
} VMStateDescription;

typedef struct MemoryRegionOps {
	MemTxResult (*read_with_attrs)(void *opaque, hwaddr addr,
				       uint64_t *value, unsigned int len,
				       MemTxAttrs attrs);
	MemTxResult (*write_with_attrs)(void *opaque, hwaddr addr,
					uint64_t value, unsigned int len,
					MemTxAttrs attrs);
	int endianness;
} MemoryRegionOps;

typedef struct VMChangeStateEntry VMChangeStateEntry;
typedef struct PFlashCFI01 PFlashCFI01;

#define DEVICE_NATIVE_ENDIAN 0
#define VMSTATE_UINT8(field, type)                                             \
	{                                                                      \
		0                                                              \
	}
#define VMSTATE_UINT64(field, type)                                            \
	{                                                                      \
		0                                                              \
	}
#define VMSTATE_END_OF_LIST()                                                  \
	{                                                                      \
		0                                                              \
	}
#define BDRV_SECTOR_SIZE 512
#define TARGET_FMT_plx "%lx"
#define LOG_UNIMP 0
#define QEMU_ALIGN_DOWN(n, m) ((n) / (m) * (m))
#define QEMU_ALIGN_UP(n, m) QEMU_ALIGN_DOWN((n) + (m)-1, (m))

static inline void
ignore(const void *first, ...)
{
	(void)first;
}

#define error_report(...) ignore(__VA_ARGS__)
#define qemu_log_mask(mask, ...) ignore(__VA_ARGS__)
#define trace_pflash_data_read(...) ignore(__VA_ARGS__)
#define trace_pflash_data_write(...) ignore(__VA_ARGS__)
#define trace_pflash_device_id(...) ignore(__VA_ARGS__)
#define trace_pflash_device_info(...) ignore(__VA_ARGS__)
#define trace_pflash_io_read(...) ignore(__VA_ARGS__)
#define trace_pflash_io_write(...) ignore(__VA_ARGS__)
#define trace_pflash_manufacturer_id(...) ignore(__VA_ARGS__)
#define trace_pflash_mode_read_array(...) ignore(__VA_ARGS__)
#define trace_pflash_read_status(...) ignore(__VA_ARGS__)
#define trace_pflash_read_unknown_state(...) ignore(__VA_ARGS__)
#define trace_pflash_unsupported_device_configuration(...) ignore(__VA_ARGS__)
#define trace_pflash_write(...) ignore(__VA_ARGS__)
#define trace_pflash_write_block(...) ignore(__VA_ARGS__)
#define trace_pflash_write_block_erase(...) ignore(__VA_ARGS__)

static inline int
ctz32(uint32_t value)
{
	return value ? __builtin_ctz(value) : 32;
}

static inline uint32_t
mask_of(int length)
{
	return length < 32 ? (1u << length) - 1 : UINT32_MAX;
}

static inline uint32_t
extract32(uint32_t value, int start, int length)
{
	return value >> start & mask_of(length);
}

static inline uint32_t
deposit32(uint32_t value, int start, int length, uint32_t field)
{
	uint32_t mask = mask_of(length) << start;

	return (value & ~mask) | (field << start & mask);
}

static inline void
memory_region_rom_device_set_romd(MemoryRegion *region, bool romd)
{
	region->romd = romd;
}

/* `synced`: cache=writethrough, else cache=writeback. */
static inline int
blk_pwrite(BlockBackend *blk, int64_t off, int64_t len, const void *bytes,
	   int flags)
{
	(void)flags;
	if (pwrite(blk->fd, bytes, (size_t)len, off) != len)
		return -errno;
	blk->syncs += blk->synced;
	return blk->synced && fdatasync(blk->fd) < 0 ? -errno : 0;
}

#include "pflash_cfi01.inc"

static int
pflash_post_load(void *opaque, int version_id)
{
	(void)opaque, (void)version_id;
	return 0;
}

/* --- the peers ------------------------------------------------------------ */

static void
chip_close(void *flash)
{
	PFlashCFI01 *pfl = flash;

	if (pfl->blk) {
		close(pfl->blk->fd);
		free(pfl->blk);
	}
	free(pfl->storage);
	free(pfl);
}

static void *
chip_open(const char *file, uint32_t size)
{
	PFlashCFI01 *pfl = calloc(1, sizeof(*pfl));

	(void)file;
	if (!pfl)
		return NULL;
	pfl->storage = malloc(size);
	if (!pfl->storage) {
		chip_close(pfl);
		return NULL;
	}
	memset(pfl->storage, 0xff, size);
	/* The parameters of hw/i386/pc_sysfw.c. */
	pfl->sector_len = 4096;
	pfl->nb_blocs = size / 4096;
	pfl->bank_width = pfl->device_width = pfl->max_device_width = 1;
	pflash_cfi01_fill_cfi_table(pfl);
	pfl->status = 0x80;
	return pfl;
}

static void *
file_open(const char *file, uint32_t size, bool synced)
{
	PFlashCFI01 *pfl = chip_open(NULL, size);

	if (!pfl)
		return NULL;
	pfl->blk = calloc(1, sizeof(*pfl->blk));
	if (pfl->blk) {
		pfl->blk->synced = synced;
		pfl->blk->fd = open(file, O_RDWR | O_CLOEXEC);
		if (pfl->blk->fd >= 0)
			return pfl;
	}
	free(pfl->blk);
	pfl->blk = NULL;
	chip_close(pfl);
	return NULL;
}

static void *
unsynced_open(const char *file, uint32_t size)
{
	return file_open(file, size, false);
}

static void *
synced_open(const char *file, uint32_t size)
{
	return file_open(file, size, true);
}

static void
chip_write(void *flash, uint64_t off, unsigned int size, uint64_t value)
{
	pflash_cfi01_ops.write_with_attrs(flash, off, value, size,
					  (MemTxAttrs){ 0 });
}

static uint64_t
chip_read(void *flash, uint64_t off, unsigned int size)
{
	uint64_t value;

	pflash_cfi01_ops.read_with_attrs(flash, off, &value, size,
					 (MemTxAttrs){ 0 });
	return value;
}

static uint64_t
synced_syncs(const void *flash)
{
	const PFlashCFI01 *pfl = flash;

	return pfl->blk->syncs;
}

#define PEER(variable, name_, kind_, open_, syncs_)                            \
	static const struct bench_flash variable = { .name = name_,            \
						     .kind = kind_,            \
						     .open = open_,            \
						     .write = chip_write,      \
						     .read = chip_read,        \
						     .close = chip_close,      \
						     .syncs = syncs_ }

PEER(bare, "QEMU pflash_cfi01", BENCH_CHIP, chip_open, NULL);
PEER(unsynced, "QEMU, unsynced", BENCH_FILE, unsynced_open, NULL);
PEER(synced, "QEMU, synced", BENCH_FILE, synced_open, synced_syncs);

const struct bench_flash *const bench_peer[] = { &bare, &unsynced, &synced,
						 NULL };
