/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An AuthVariableLib that accepts every signature.  It passes time stamp and
 * contents of an authenticated variable to the variable driver, as that of
 * SecurityPkg does (AuthService.c, VerifyTimeBasedPayloadAndUpdate()), so that
 * the driver stores both.
 */
#include "AutoGen.h"

#include <Guid/ImageAuthentication.h>
#include <Library/AuthVariableLib.h>

static AUTH_VAR_LIB_UPDATE_VARIABLE update;

EFI_STATUS EFIAPI
AuthVariableLibInitialize(AUTH_VAR_LIB_CONTEXT_IN *in,
			  AUTH_VAR_LIB_CONTEXT_OUT *out)
{
	(void)out;
	update = in->UpdateVariable;
	return EFI_SUCCESS;
}

EFI_STATUS EFIAPI
AuthVariableLibProcessVariable(CHAR16 *name, EFI_GUID *guid, VOID *data,
			       UINTN size, UINT32 attributes)
{
	EFI_VARIABLE_AUTHENTICATION_2 *head = data;
	AUTH_VARIABLE_INFO info = {
		.VariableName = name,
		.VendorGuid = guid,
		.Attributes = attributes,
		.Data = data,
		.DataSize = size,
	};
	UINTN skip;

	if (attributes & EFI_VARIABLE_TIME_BASED_AUTHENTICATED_WRITE_ACCESS) {
		skip = OFFSET_OF(EFI_VARIABLE_AUTHENTICATION_2, AuthInfo) +
		       head->AuthInfo.Hdr.dwLength;
		info.TimeStamp = &head->TimeStamp;
		info.Data = (UINT8 *)data + skip;
		info.DataSize = size - skip;
	}
	return update(&info);
}
