/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replaces the AutoGen.h that edk2's build generates for each module: the
 * platform configuration database (PCD) as macros, and the names and GUIDs of
 * the module. Every edk2 source is compiled with this file included first. Our
 * own sources include it after the system's headers, because edk2 makes
 * everything declared after it hidden.
 *
 * PEER_PLATFORM selects the flash: 2 and 4 are OVMF images of 2 and 4 MiB, with
 * the values of OvmfPkg/OvmfXen.dsc and Include/Fdf/OvmfPkgDefines.fdf.inc; 0
 * is VirtNorFlash with the layout of ArmVirtPkg/ArmVirtQemu.dsc.
 */
#ifndef PEER_AUTOGEN_H
#define PEER_AUTOGEN_H

#undef NULL
#include <Base.h>
#include <PiPei.h>
#include <PiDxe.h>
#include <Library/PcdLib.h>

#include "guids.h" /* generated from the packages' declarations */

#if PEER_PLATFORM == 2
#define FLASH_BASE 0xffe00000u
#define FLASH_SIZE 0x20000u
#define FLASH_BLOCK 0x1000u
#define FD_SIZE 0x200000u
#define NV_VARIABLE_SIZE 0xe000u
#define NV_EVENT_LOG_SIZE 0x1000u
#define NV_WORKING_SIZE 0x1000u
#define NV_SPARE_SIZE 0x10000u
#define MAX_VARIABLE_SIZE 0x2000u
#define MAX_AUTH_VARIABLE_SIZE 0x2800u
#define MAX_VOLATILE_SIZE 0u
#define VOLATILE_STORE_SIZE 0xe000u
#elif PEER_PLATFORM == 4
#define FLASH_BASE 0xffc00000u
#define FLASH_SIZE 0x84000u
#define FLASH_BLOCK 0x1000u
#define FD_SIZE 0x400000u
#define NV_VARIABLE_SIZE 0x40000u
#define NV_EVENT_LOG_SIZE 0x1000u
#define NV_WORKING_SIZE 0x1000u
#define NV_SPARE_SIZE 0x42000u
#define MAX_VARIABLE_SIZE 0x8400u
#define MAX_AUTH_VARIABLE_SIZE 0x8400u
#define MAX_VOLATILE_SIZE 0u
#define VOLATILE_STORE_SIZE 0x40000u
#else
/*
 * The driver's region begins after the first block of the device. The driver
 * sends confirms, status reads and READ ARRAY to the first address of the
 * device, which so lies outside the region's blocks.
 */
#define FLASH_BASE 0xffa00000u
#define FLASH_SIZE 0x200000u
#define FLASH_BLOCK 0x40000u
#define FD_SIZE FLASH_SIZE
#define REGION_BASE (FLASH_BASE + FLASH_BLOCK)
#define REGION_SIZE (FLASH_SIZE - FLASH_BLOCK)
#define NV_VARIABLE_SIZE FLASH_BLOCK
#define NV_EVENT_LOG_SIZE 0u
#define NV_WORKING_SIZE FLASH_BLOCK
#define NV_SPARE_SIZE FLASH_BLOCK
#define MAX_VARIABLE_SIZE 0x2000u
#define MAX_AUTH_VARIABLE_SIZE 0x2800u
#define MAX_VOLATILE_SIZE 0u
#define VOLATILE_STORE_SIZE 0x40000u
#endif

#ifndef REGION_BASE
#define REGION_BASE FLASH_BASE
#define REGION_SIZE FLASH_SIZE
#endif

#define NV_WORKING_BASE (REGION_BASE + NV_VARIABLE_SIZE + NV_EVENT_LOG_SIZE)
#define NV_SPARE_BASE (NV_WORKING_BASE + NV_WORKING_SIZE)

extern GUID gEfiCallerIdGuid;
extern CHAR8 *gEfiCallerBaseName;

/* PCDs that the drivers set at run time; library.c has their initial values. */
extern UINT64 pcd_variable_base64;
extern UINT32 pcd_working_base;
extern UINT32 pcd_spare_base;
extern BOOLEAN pcd_flash_variables;

/* clang-format off */
#define _PCD_VALUE_PcdFlashNvStorageVariableSize NV_VARIABLE_SIZE
#define _PCD_VALUE_PcdFlashNvStorageFtwWorkingSize NV_WORKING_SIZE
#define _PCD_VALUE_PcdFlashNvStorageFtwSpareSize NV_SPARE_SIZE
#define _PCD_VALUE_PcdOvmfFlashNvStorageEventLogSize NV_EVENT_LOG_SIZE
#define _PCD_VALUE_PcdOvmfFirmwareBlockSize FLASH_BLOCK
#define _PCD_GET_MODE_32_PcdOvmfFdBaseAddress FLASH_BASE
#define _PCD_GET_MODE_32_PcdOvmfFirmwareFdSize FD_SIZE
#define _PCD_GET_MODE_32_PcdOvmfFirmwareBlockSize FLASH_BLOCK
#define _PCD_GET_MODE_32_PcdOvmfFlashNvStorageVariableBase REGION_BASE
#define _PCD_GET_MODE_32_PcdOvmfFlashNvStorageFtwWorkingBase NV_WORKING_BASE
#define _PCD_GET_MODE_32_PcdOvmfFlashNvStorageFtwSpareBase NV_SPARE_BASE
#define _PCD_GET_MODE_32_PcdFlashNvStorageVariableSize NV_VARIABLE_SIZE
#define _PCD_GET_MODE_32_PcdFlashNvStorageFtwWorkingSize NV_WORKING_SIZE
#define _PCD_GET_MODE_32_PcdFlashNvStorageFtwSpareSize NV_SPARE_SIZE
#define _PCD_GET_MODE_32_PcdFlashNvStorageVariableBase REGION_BASE
#define _PCD_GET_MODE_64_PcdFlashNvStorageVariableBase64 pcd_variable_base64
#define _PCD_GET_MODE_32_PcdFlashNvStorageFtwWorkingBase pcd_working_base
#define _PCD_GET_MODE_32_PcdFlashNvStorageFtwSpareBase pcd_spare_base
#define _PCD_GET_MODE_64_PcdFlashNvStorageFtwWorkingBase64 0ull
#define _PCD_GET_MODE_64_PcdFlashNvStorageFtwSpareBase64 0ull
#define _PCD_SET_MODE_64_S_PcdFlashNvStorageVariableBase64(value) \
	(pcd_variable_base64 = (value), RETURN_SUCCESS)
#define _PCD_SET_MODE_32_S_PcdFlashNvStorageFtwWorkingBase(value) \
	(pcd_working_base = (value), RETURN_SUCCESS)
#define _PCD_SET_MODE_32_S_PcdFlashNvStorageFtwSpareBase(value) \
	(pcd_spare_base = (value), RETURN_SUCCESS)
#define _PCD_SET_MODE_BOOL_S_PcdOvmfFlashVariablesEnable(value) \
	(pcd_flash_variables = (value), RETURN_SUCCESS)
#define _PCD_GET_MODE_BOOL_PcdSmmSmramRequire FALSE
#define _PCD_GET_MODE_BOOL_PcdFullFtwServiceEnable TRUE
#define _PCD_GET_MODE_32_PcdMaxVariableSize MAX_VARIABLE_SIZE
#define _PCD_GET_MODE_32_PcdMaxAuthVariableSize MAX_AUTH_VARIABLE_SIZE
#define _PCD_GET_MODE_32_PcdMaxVolatileVariableSize MAX_VOLATILE_SIZE
#define _PCD_GET_MODE_32_PcdMaxHardwareErrorVariableSize 0x8000u
#define _PCD_GET_MODE_32_PcdVariableStoreSize VOLATILE_STORE_SIZE
#define _PCD_GET_MODE_32_PcdHwErrStorageSize 0u
#define _PCD_GET_MODE_32_PcdMaxUserNvVariableSpaceSize 0u
#define _PCD_GET_MODE_32_PcdBoottimeReservedNvVariableSpaceSize 0u
#define _PCD_GET_MODE_BOOL_PcdReclaimVariableSpaceAtEndOfDxe FALSE
#define _PCD_GET_MODE_BOOL_PcdEmuVariableNvModeEnable FALSE
#define _PCD_GET_MODE_64_PcdEmuVariableNvStoreReserved 0ull
#define _PCD_GET_MODE_BOOL_PcdVariableCollectStatistics FALSE
#define _PCD_GET_MODE_BOOL_PcdUefiVariableDefaultLangDeprecate FALSE
#define _PCD_GET_MODE_BOOL_PcdAllowVariablePolicyEnforcementDisable FALSE
#define _PCD_GET_MODE_32_PcdMaximumLinkedListLength 0u
#define _PCD_GET_MODE_32_PcdMaximumUnicodeStringLength 0u
#define _PCD_GET_MODE_32_PcdMaximumAsciiStringLength 0u
#define _PCD_GET_MODE_BOOL_PcdVerifyNodeInList FALSE
#define _PCD_GET_MODE_32_PcdSpeculationBarrierType 1u
/* Since edk2-stable202408. */
#define _PCD_GET_MODE_32_PcdTcgPfpMeasurementRevision 0u
#define _PCD_GET_MODE_8_PcdEnableSpdmDeviceAuthentication 0u
/* clang-format on */

#endif
