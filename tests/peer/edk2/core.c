/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "AutoGen.h"

#include <Library/BaseMemoryLib.h>
#include <Library/DxeServicesTableLib.h>
#include <Library/UefiBootServicesTableLib.h>
#include <Library/UefiLib.h>
#include <Library/UefiRuntimeServicesTableLib.h>

#include "check.h"
#include "core.h"

#define MAX_PROTOCOLS 32
#define MAX_EVENTS 32

/* A handle is a pointer to an element of this array. */
static UINT8 handles[MAX_PROTOCOLS];
static UINTN handle_count;

static struct {
	EFI_HANDLE handle;
	EFI_GUID guid;
	VOID *interface;
} protocols[MAX_PROTOCOLS];
static UINTN protocol_count;

/* A closed event has notify == NULL. */
static struct event {
	EFI_EVENT_NOTIFY notify;
	VOID *context;
	EFI_GUID group;    /* the event group that triggers it */
	EFI_GUID protocol; /* the protocol whose installation triggers it */
} events[MAX_EVENTS];
static UINTN event_count;

static EFI_STATUS EFIAPI
signal_event(EFI_EVENT event)
{
	struct event *e = event;

	if (e->notify)
		e->notify(e, e->context);
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI
install_one(EFI_HANDLE *handle, EFI_GUID *guid, EFI_INTERFACE_TYPE type,
	    VOID *interface)
{
	(void)type;
	if (protocol_count == MAX_PROTOCOLS)
		abort();
	if (!*handle)
		*handle = &handles[handle_count++];
	protocols[protocol_count].handle = *handle;
	protocols[protocol_count].guid = *guid;
	protocols[protocol_count++].interface = interface;
	for (UINTN i = 0; i < event_count; i++)
		if (CompareGuid(&events[i].protocol, guid))
			signal_event(&events[i]);
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI
install_many(EFI_HANDLE *handle, ...)
{
	VA_LIST args;
	EFI_GUID *guid;

	VA_START(args, handle);
	while ((guid = VA_ARG(args, EFI_GUID *)))
		install_one(handle, guid, EFI_NATIVE_INTERFACE,
			    VA_ARG(args, VOID *));
	VA_END(args);
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI
handle_protocol(EFI_HANDLE handle, EFI_GUID *guid, VOID **interface)
{
	for (UINTN i = 0; i < protocol_count; i++) {
		if (protocols[i].handle != handle ||
		    !CompareGuid(&protocols[i].guid, guid))
			continue;
		*interface = protocols[i].interface;
		return EFI_SUCCESS;
	}
	return EFI_UNSUPPORTED;
}

static EFI_STATUS EFIAPI
locate_protocol(EFI_GUID *guid, VOID *registration, VOID **interface)
{
	(void)registration;
	for (UINTN i = 0; i < protocol_count; i++) {
		if (!CompareGuid(&protocols[i].guid, guid))
			continue;
		*interface = protocols[i].interface;
		return EFI_SUCCESS;
	}
	return EFI_NOT_FOUND;
}

static EFI_STATUS EFIAPI
locate_handles(EFI_LOCATE_SEARCH_TYPE type, EFI_GUID *guid, VOID *key,
	       UINTN *count, EFI_HANDLE **found)
{
	(void)type;
	(void)key;
	*count = 0;
	*found = calloc(MAX_PROTOCOLS, sizeof(**found));
	if (!*found)
		return EFI_OUT_OF_RESOURCES;
	for (UINTN i = 0; i < protocol_count; i++)
		if (CompareGuid(&protocols[i].guid, guid))
			(*found)[(*count)++] = protocols[i].handle;
	if (*count)
		return EFI_SUCCESS;
	free(*found);
	return EFI_NOT_FOUND;
}

static EFI_STATUS EFIAPI
locate_device_path(EFI_GUID *guid, EFI_DEVICE_PATH_PROTOCOL **path,
		   EFI_HANDLE *handle)
{
	(void)guid;
	(void)path;
	(void)handle;
	return EFI_NOT_FOUND;
}

static EFI_STATUS EFIAPI
create_event_ex(UINT32 type, EFI_TPL tpl, EFI_EVENT_NOTIFY notify,
		CONST VOID *context, CONST EFI_GUID *group, EFI_EVENT *event)
{
	struct event *e = &events[event_count++];

	(void)type;
	(void)tpl;
	if (event_count > MAX_EVENTS)
		abort();
	e->notify = notify;
	e->context = (VOID *)context;
	if (group)
		e->group = *group;
	*event = e;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI
create_event(UINT32 type, EFI_TPL tpl, EFI_EVENT_NOTIFY notify, VOID *context,
	     EFI_EVENT *event)
{
	return create_event_ex(type, tpl, notify, context, NULL, event);
}

static EFI_STATUS EFIAPI
close_event(EFI_EVENT event)
{
	((struct event *)event)->notify = NULL;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI
register_notify(EFI_GUID *guid, EFI_EVENT event, VOID **registration)
{
	((struct event *)event)->protocol = *guid;
	*registration = event;
	return EFI_SUCCESS;
}

static EFI_TPL EFIAPI
raise_tpl(EFI_TPL tpl)
{
	(void)tpl;
	return TPL_APPLICATION;
}

static VOID EFIAPI
restore_tpl(EFI_TPL tpl)
{
	(void)tpl;
}

/* The CRC-32 of IEEE 802.3, bit by bit. */
static EFI_STATUS EFIAPI
calculate_crc32(VOID *data, UINTN size, UINT32 *crc)
{
	const UINT8 *byte = data;

	*crc = ~0u;
	while (size--) {
		*crc ^= *byte++;
		for (int bit = 0; bit < 8; bit++)
			*crc = *crc >> 1 ^ (*crc & 1 ? 0xedb88320u : 0);
	}
	*crc = ~*crc;
	return EFI_SUCCESS;
}

static EFI_BOOT_SERVICES boot_services = {
	.RaiseTPL = raise_tpl,
	.RestoreTPL = restore_tpl,
	.CreateEvent = create_event,
	.CreateEventEx = create_event_ex,
	.CloseEvent = close_event,
	.SignalEvent = signal_event,
	.RegisterProtocolNotify = register_notify,
	.InstallProtocolInterface = install_one,
	.InstallMultipleProtocolInterfaces = install_many,
	.HandleProtocol = handle_protocol,
	.LocateProtocol = locate_protocol,
	.LocateHandleBuffer = locate_handles,
	.LocateDevicePath = locate_device_path,
	.CalculateCrc32 = calculate_crc32,
};

/* No page attributes to set: the flash is mapped as the driver needs it. */
static EFI_STATUS EFIAPI
add_space(EFI_GCD_MEMORY_TYPE type, EFI_PHYSICAL_ADDRESS base, UINT64 len,
	  UINT64 capabilities)
{
	(void)type;
	(void)base;
	(void)len;
	(void)capabilities;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI
allocate_space(EFI_GCD_ALLOCATE_TYPE how, EFI_GCD_MEMORY_TYPE type,
	       UINTN alignment, UINT64 len, EFI_PHYSICAL_ADDRESS *base,
	       EFI_HANDLE image, EFI_HANDLE device)
{
	(void)how;
	(void)type;
	(void)alignment;
	(void)len;
	(void)base;
	(void)image;
	(void)device;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI
remove_space(EFI_PHYSICAL_ADDRESS base, UINT64 len)
{
	(void)base;
	(void)len;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI
describe_space(EFI_PHYSICAL_ADDRESS base,
	       EFI_GCD_MEMORY_SPACE_DESCRIPTOR *descriptor)
{
	memset(descriptor, 0, sizeof(*descriptor));
	descriptor->BaseAddress = base;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI
set_space(EFI_PHYSICAL_ADDRESS base, UINT64 len, UINT64 attributes)
{
	(void)base;
	(void)len;
	(void)attributes;
	return EFI_SUCCESS;
}

static EFI_DXE_SERVICES dxe_services = {
	.AddMemorySpace = add_space,
	.AllocateMemorySpace = allocate_space,
	.RemoveMemorySpace = remove_space,
	.GetMemorySpaceDescriptor = describe_space,
	.SetMemorySpaceAttributes = set_space,
};

static EFI_RUNTIME_SERVICES runtime_services;

EFI_BOOT_SERVICES *gBS = &boot_services;
EFI_DXE_SERVICES *gDS = &dxe_services;
EFI_RUNTIME_SERVICES *gRT = &runtime_services;
EFI_HANDLE gImageHandle = &handles[MAX_PROTOCOLS - 1];
EFI_SYSTEM_TABLE core_system_table = {
	.Hdr.Revision = EFI_2_70_SYSTEM_TABLE_REVISION,
	.RuntimeServices = &runtime_services,
	.BootServices = &boot_services,
};
EFI_SYSTEM_TABLE *gST = &core_system_table;

void *
core_protocol(EFI_GUID *protocol)
{
	VOID *interface;

	if (EFI_ERROR(locate_protocol(protocol, NULL, &interface)))
		check_give_up("a protocol is missing: %08x", protocol->Data1);
	return interface;
}

void
core_signal_group(CONST EFI_GUID *group)
{
	for (UINTN i = 0; i < event_count; i++)
		if (CompareGuid(&events[i].group, group))
			signal_event(&events[i]);
}
