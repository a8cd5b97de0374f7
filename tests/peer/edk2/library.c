/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The edk2 library classes that the drivers need and whose edk2 implementations
 * work only in firmware. Strings, lists, checksums and the other memory
 * functions are edk2's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "AutoGen.h"

#include <Library/BaseLib.h>
#include <Library/BaseMemoryLib.h>
#include <Library/CcExitLib.h>
#include <Library/DebugLib.h>
#include <Library/DevicePathLib.h>
#include <Library/HobLib.h>
#include <Library/IoLib.h>
#include <Library/MemEncryptSevLib.h>
#include <Library/MemoryAllocationLib.h>
#include <Library/ReportStatusCodeLib.h>
#include <Library/SynchronizationLib.h>
#include <Library/UefiRuntimeLib.h>

#include "guest.h"

GUID gEfiCallerIdGuid = { .Data1 = 0x733cbac2 };
CHAR8 *gEfiCallerBaseName = "peer";

/* The initial values of OvmfXen.dsc and ArmVirtQemu.dsc. */
#if PEER_PLATFORM
UINT64 pcd_variable_base64 = 0;
UINT32 pcd_working_base = 0;
UINT32 pcd_spare_base = 0;
#else
UINT64 pcd_variable_base64 = REGION_BASE;
UINT32 pcd_working_base = NV_WORKING_BASE;
UINT32 pcd_spare_base = NV_SPARE_BASE;
#endif
BOOLEAN pcd_flash_variables = FALSE;

/* As BaseMemoryLibRepStr, which OVMF uses: rep movsq, then rep movsb. */
VOID *EFIAPI
CopyMem(VOID *dst, CONST VOID *src, UINTN len)
{
	if (guest_is_flash((uintptr_t)dst, len))
		abort();
	if (guest_is_flash((uintptr_t)src, len))
		guest_copy(dst, (uintptr_t)src, len);
	else
		memmove(dst, src, len);
	return dst;
}

UINT32 EFIAPI
MmioRead32(UINTN addr)
{
	hooks_settle();
	return (UINT32)guest_load(addr, 4);
}

UINT32 EFIAPI
MmioWrite32(UINTN addr, UINT32 value)
{
	hooks_settle();
	guest_store(addr, 4, value);
	return value;
}

VOID *EFIAPI
AllocatePool(UINTN size)
{
	return malloc(size);
}

VOID *EFIAPI
AllocateZeroPool(UINTN size)
{
	return calloc(1, size);
}

VOID *EFIAPI
AllocateCopyPool(UINTN size, CONST VOID *buffer)
{
	VOID *copy = malloc(size);

	return copy ? memcpy(copy, buffer, size) : NULL;
}

VOID *EFIAPI
AllocateRuntimePool(UINTN size)
{
	return malloc(size);
}

VOID *EFIAPI
AllocateRuntimeZeroPool(UINTN size)
{
	return calloc(1, size);
}

VOID *EFIAPI
AllocateRuntimeCopyPool(UINTN size, CONST VOID *buffer)
{
	return AllocateCopyPool(size, buffer);
}

VOID *EFIAPI
ReallocateRuntimePool(UINTN old, UINTN size, VOID *buffer)
{
	(void)old;
	return realloc(buffer, size);
}

VOID *EFIAPI
AllocatePages(UINTN pages)
{
	return aligned_alloc(EFI_PAGE_SIZE, pages * EFI_PAGE_SIZE);
}

VOID EFIAPI
FreePool(VOID *buffer)
{
	free(buffer);
}

/* Debug messages are dropped, but a failed edk2 assertion fails the test. */
VOID EFIAPI
DebugPrint(UINTN level, CONST CHAR8 *format, ...)
{
	if (getenv("PEER_DEBUG"))
		fprintf(stderr, "edk2 %#lx: %s", (unsigned long)level, format);
}

VOID EFIAPI
DebugAssert(CONST CHAR8 *file, UINTN line, CONST CHAR8 *what)
{
	fprintf(stderr, "    edk2's ASSERT: %s:%lu: %s\n", file,
		(unsigned long)line, what);
	abort();
}

BOOLEAN EFIAPI
DebugAssertEnabled(VOID)
{
	return TRUE;
}

BOOLEAN EFIAPI
DebugPrintEnabled(VOID)
{
	return TRUE;
}

BOOLEAN EFIAPI
DebugPrintLevelEnabled(CONST UINTN level)
{
	(void)level;
	return TRUE;
}

BOOLEAN EFIAPI
DebugCodeEnabled(VOID)
{
	return TRUE;
}

BOOLEAN EFIAPI
DebugClearMemoryEnabled(VOID)
{
	return FALSE;
}

VOID *EFIAPI
DebugClearMemory(VOID *buffer, UINTN len)
{
	(void)len;
	return buffer;
}

/* Called only for a device path that was found, and none is ever found. */
BOOLEAN EFIAPI
IsDevicePathEnd(CONST VOID *node)
{
	(void)node;
	abort();
}

/* There are no hand-off blocks (HOBs). */
EFI_BOOT_MODE EFIAPI
GetBootModeHob(VOID)
{
	return BOOT_WITH_FULL_CONFIGURATION;
}

VOID *EFIAPI
GetFirstGuidHob(CONST EFI_GUID *guid)
{
	(void)guid;
	return NULL;
}

VOID *EFIAPI
GetNextGuidHob(CONST EFI_GUID *guid, CONST VOID *start)
{
	(void)guid;
	(void)start;
	return NULL;
}

/* There is one CPU. */
UINT32 EFIAPI
InterlockedIncrement(volatile UINT32 *value)
{
	return ++*value;
}

UINT32 EFIAPI
InterlockedDecrement(volatile UINT32 *value)
{
	return --*value;
}

VOID EFIAPI
CpuDeadLoop(VOID)
{
	fprintf(stderr, "    edk2 stops in CpuDeadLoop()\n");
	abort();
}

/* Status codes are disabled. */
BOOLEAN EFIAPI
ReportProgressCodeEnabled(VOID)
{
	return FALSE;
}

BOOLEAN EFIAPI
ReportErrorCodeEnabled(VOID)
{
	return FALSE;
}

BOOLEAN EFIAPI
ReportDebugCodeEnabled(VOID)
{
	return FALSE;
}

EFI_STATUS EFIAPI
ReportStatusCode(EFI_STATUS_CODE_TYPE type, EFI_STATUS_CODE_VALUE value)
{
	(void)type;
	(void)value;
	return EFI_SUCCESS;
}

BOOLEAN EFIAPI
EfiAtRuntime(VOID)
{
	return FALSE;
}

EFI_STATUS EFIAPI
EfiConvertPointer(UINTN disposition, VOID **address)
{
	(void)disposition;
	(void)address;
	return EFI_UNSUPPORTED;
}

/* No memory encryption, so that the drivers take no hypercall path. */
BOOLEAN EFIAPI
MemEncryptSevIsEnabled(VOID)
{
	return FALSE;
}

BOOLEAN EFIAPI
MemEncryptSevEsIsEnabled(VOID)
{
	return FALSE;
}

BOOLEAN EFIAPI
MemEncryptSevSnpIsEnabled(VOID)
{
	return FALSE;
}

RETURN_STATUS EFIAPI
MemEncryptSevClearMmioPageEncMask(PHYSICAL_ADDRESS cr3, PHYSICAL_ADDRESS base,
				  UINTN pages)
{
	(void)cr3;
	(void)base;
	(void)pages;
	abort();
}

UINT64 EFIAPI
AsmReadMsr64(UINT32 index)
{
	(void)index;
	abort();
}

VOID EFIAPI
CcExitVmgInit(GHCB *ghcb, BOOLEAN *interrupts)
{
	(void)ghcb;
	(void)interrupts;
	abort();
}

VOID EFIAPI
CcExitVmgDone(GHCB *ghcb, BOOLEAN interrupts)
{
	(void)ghcb;
	(void)interrupts;
	abort();
}

VOID EFIAPI
CcExitVmgSetOffsetValid(GHCB *ghcb, GHCB_REGISTER offset)
{
	(void)ghcb;
	(void)offset;
	abort();
}

UINT64 EFIAPI
CcExitVmgExit(GHCB *ghcb, UINT64 code, UINT64 info1, UINT64 info2)
{
	(void)ghcb;
	(void)code;
	(void)info1;
	(void)info2;
	abort();
}
