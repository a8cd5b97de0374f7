/* SPDX-License-Identifier: BSD-2-Clause */
#include "AutoGen.h"

#include <Guid/EventGroup.h>
#include <Library/UefiBootServicesTableLib.h>
#include <Protocol/FaultTolerantWrite.h>
#include <Protocol/VariableWrite.h>

#include "check.h"
#include "core.h"
#include "drivers.h"
#include "guest.h"
#include "pflash/fv.h"

EFI_STATUS EFIAPI FvbInitialize(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);
EFI_STATUS EFIAPI FaultTolerantWriteInitialize(EFI_HANDLE image,
					       EFI_SYSTEM_TABLE *table);
EFI_STATUS EFIAPI VariableServiceInitialize(EFI_HANDLE image,
					    EFI_SYSTEM_TABLE *table);

static EFI_GUID write_ready = EFI_VARIABLE_WRITE_ARCH_PROTOCOL_GUID;
static EFI_GUID ftw_ready = EFI_FAULT_TOLERANT_WRITE_PROTOCOL_GUID;

void
drivers_start(void)
{
	EFI_SYSTEM_TABLE *table = &core_system_table;

	if (FvbInitialize(gImageHandle, table) != EFI_SUCCESS)
		check_give_up("the flash driver did not start");
	if (FaultTolerantWriteInitialize(gImageHandle, table) != EFI_SUCCESS)
		check_give_up("the fault-tolerant write driver did not start");
	core_protocol(&ftw_ready);
	if (VariableServiceInitialize(gImageHandle, table) != EFI_SUCCESS)
		check_give_up("the variable driver did not start");
	core_protocol(&write_ready);
	core_signal_group(&gEfiEndOfDxeEventGroupGuid);
	hooks_settle();
}

bool
drivers_overflowed(void)
{
	bool torn = false, beyond = false;
	struct fv_report report;

	fv_check(guest_image(), FLASH_SIZE, &report);
	for (unsigned int i = 0; i < report.count; i++) {
		torn |= report.findings[i].code == FV_VARIABLE_TORN;
		beyond |= report.findings[i].code == FV_VARIABLE_SIZE;
	}
	return torn && beyond;
}
