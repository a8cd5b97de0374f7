# SPDX-License-Identifier: BSD-2-Clause
#
# Compiles the clients (test programs); called by run, which sets
#   TREE   edk2's unpacked source
#   OUT    the output directory
#   LIB    libpflash-sim.a and libpflash.a
#
# A client consists of edk2's driver and libraries for its platform (see
# AutoGen.h), of our sources that use edk2's interfaces, and of our other ones.

HERE := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
TOP := $(HERE)/../../..

PACKAGES = MdePkg MdeModulePkg OvmfPkg UefiCpuPkg EmbeddedPkg
EDK2_CPPFLAGS = -I$(OUT) $(PACKAGES:%=-I$(TREE)/%/Include) \
	-I$(TREE)/MdePkg/Include/X64 \
	-I$(TREE)/OvmfPkg/QemuFlashFvbServicesRuntimeDxe
EDK2_CFLAGS = -std=gnu11 -O1 -g -fshort-wchar -fno-strict-aliasing \
	-fno-tree-vectorize -ffunction-sections \
	'-DEFIAPI=__attribute__((ms_abi))'
# Puts a call before each load and store, see hooks.c.
HOOKED = -include $(HERE)/AutoGen.h -fsanitize=thread \
	--param tsan-distinguish-volatile=1 -w
OURS = -I$(HERE) -I$(TOP)/include -Wall -Wextra \
	-Wno-missing-field-initializers -Werror
PLAIN = -std=gnu11 -O2 -g -D_GNU_SOURCE -I$(TOP)/include -Wall -Wextra \
	-Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Werror

# All sources of a library; the linker drops functions that are not called.
sources = $(patsubst $(TREE)/%,%,$(wildcard $(TREE)/$(1)/*.c))
BASE = $(addprefix MdePkg/Library/BaseLib/,CheckSum.c LinkedList.c String.c \
	SafeString.c LShiftU64.c RShiftU64.c MultU64x32.c DivU64x32.c \
	DivU64x64Remainder.c Math64.c Unaligned.c SwapBytes16.c SwapBytes32.c \
	SwapBytes64.c) \
	$(filter-out %/CopyMem.c %/CopyMemWrapper.c, \
	$(call sources,MdePkg/Library/BaseMemoryLib))
QEMU_FLASH = $(filter-out %Smm.c, \
	$(call sources,OvmfPkg/QemuFlashFvbServicesRuntimeDxe))
SAFE_INT = $(addprefix MdePkg/Library/BaseSafeIntLib/,SafeIntLib.c \
	SafeIntLib64.c)
VARIABLE = $(QEMU_FLASH) \
	$(filter-out %Smm.c %SmmDxe.c %Mm.c %SmmRuntimeDxe.c, \
	$(call sources,MdeModulePkg/Universal/Variable/RuntimeDxe) \
	$(call sources,MdeModulePkg/Universal/FaultTolerantWriteDxe)) \
	$(foreach library,VarCheckLib \
	VariablePolicyHelperLib BaseVariableFlashInfoLib TpmMeasurementLibNull, \
	$(call sources,MdeModulePkg/Library/$(library))) \
	$(addprefix MdeModulePkg/Library/VariablePolicyLib/, \
	VariablePolicyLib.c VariablePolicyExtraInitRuntimeDxe.c) \
	$(SAFE_INT) $(addprefix MdePkg/Library/UefiLib/,UefiLib.c UefiNotTiano.c)
NO_AUTH = $(call sources,MdeModulePkg/Library/AuthVariableLibNull)
VIRT_NOR = $(call sources,OvmfPkg/VirtNorFlashDxe) $(SAFE_INT)

PLAIN_OBJ = $(OUT)/guest.o $(OUT)/hooks.o $(OUT)/check.o $(OUT)/guids.o
# objects PLATFORM, EDK2-SOURCES, OURS
objects = $(2:%.c=$(OUT)/$(1)/edk2/%.o) $(3:%.c=$(OUT)/$(1)/%.o) \
	$(OUT)/$(1)/library.o $(OUT)/$(1)/core.o $(PLAIN_OBJ)

QEMU_FLASH_2 = $(call objects,2,$(BASE) $(QEMU_FLASH),qemu-flash.c)
QEMU_FLASH_4 = $(call objects,4,$(BASE) $(QEMU_FLASH),qemu-flash.c)
# The same with the patches of integration/edk2/buffered, which change one file.
QEMU_FLASH_2B = $(QEMU_FLASH_2:$(OUT)/2/%=$(OUT)/2b/%)
VARIABLE_2B = $(VARIABLE_2:$(OUT)/2/%=$(OUT)/2b/%)
PATCHED = OvmfPkg/QemuFlashFvbServicesRuntimeDxe/QemuFlash

VIRT_NOR_0 = $(call objects,0,$(BASE) $(VIRT_NOR),virt-nor.c)
VARIABLE_2 = $(call objects,2,$(BASE) $(VARIABLE) $(NO_AUTH),variable.c drivers.c)
VARIABLE_4 = $(call objects,4,$(BASE) $(VARIABLE) $(NO_AUTH),variable.c drivers.c)
PINNED_2 = $(call objects,2,$(BASE) $(VARIABLE),pinned.c auth.c drivers.c)
PINNED_4 = $(call objects,4,$(BASE) $(VARIABLE),pinned.c auth.c drivers.c)
EDIT_2 = $(call objects,2,$(BASE) $(VARIABLE),edit.c auth.c drivers.c)
EDIT_4 = $(call objects,4,$(BASE) $(VARIABLE),edit.c auth.c drivers.c)

CLIENTS = $(addprefix $(OUT)/,qemu-flash-2 qemu-flash-4 virt-nor variable-2 \
	variable-4 edit-2 edit-4 pinned-2 pinned-4 qemu-flash-2b variable-2b)

.DELETE_ON_ERROR:
.PHONY: all
.SECONDARY:

all: $(CLIENTS)

$(OUT)/qemu-flash-2: $(QEMU_FLASH_2) $(LIB)
$(OUT)/qemu-flash-4: $(QEMU_FLASH_4) $(LIB)
$(OUT)/variable-2: $(VARIABLE_2) $(LIB)
$(OUT)/variable-4: $(VARIABLE_4) $(LIB)
$(OUT)/edit-2: $(EDIT_2) $(LIB)
$(OUT)/edit-4: $(EDIT_4) $(LIB)
$(OUT)/pinned-2: $(PINNED_2) $(LIB)
$(OUT)/pinned-4: $(PINNED_4) $(LIB)
$(OUT)/virt-nor: $(VIRT_NOR_0) $(LIB)
$(OUT)/qemu-flash-2b: $(QEMU_FLASH_2B) $(LIB)
$(OUT)/variable-2b: $(VARIABLE_2B) $(LIB)

$(CLIENTS):
	gcc -pthread -Wl,--gc-sections $^ -o $@

# As edk2's build does from the packages' declarations: a definition of each
# GUID, and a declaration for modules whose sources lack it.
DEC = $(foreach package,MdePkg MdeModulePkg OvmfPkg EmbeddedPkg, \
	$(TREE)/$(package)/$(package).dec)

$(OUT)/guids.list: $(DEC) $(HERE)/peer.mk
	cat $(DEC) | tr -d '\r' | \
		sed -n 's/^ *\(g[A-Za-z0-9]*Guid\) *= *\({[^#]*}\).*/\1 \2/p' | \
		awk '!seen[$$1]++' >$@

$(OUT)/guids.h: $(OUT)/guids.list
	sed 's/ .*/;/; s/^/extern GUID /' $< >$@

$(OUT)/guids.c: $(OUT)/guids.list
	{ echo '#include <Base.h>'; \
		sed 's/ / = /; s/^/GUID /; s/$$/;/' $<; } >$@

$(OUT)/guids.o: $(OUT)/guids.c
	gcc $(EDK2_CPPFLAGS) $(EDK2_CFLAGS) -c $< -o $@

$(OUT)/%.o: $(HERE)/%.c $(HERE)/peer.mk
	gcc $(PLAIN) -MMD -MP -c $< -o $@

# Two drivers have a function of this name; in firmware they are separate images.
$(foreach platform,2 2b 4,$(OUT)/$(platform)/edk2/MdeModulePkg/Universal/FaultTolerantWriteDxe/%.o): \
	HOOKED += -DGetFvbCountAndBuffer=FtwGetFvbCountAndBuffer

# rules DIRECTORY PLATFORM FLAGS
define rules
$(OUT)/$(1)/edk2/%.o: $(TREE)/%.c $(HERE)/AutoGen.h $(HERE)/peer.mk $(OUT)/guids.h
	@mkdir -p $$(@D)
	gcc $$(EDK2_CPPFLAGS) $$(EDK2_CFLAGS) -DPEER_PLATFORM=$(2) $$(HOOKED) -c $$< -o $$@

$(OUT)/$(1)/%.o: $(HERE)/%.c $(HERE)/peer.mk $(OUT)/guids.h
	@mkdir -p $$(@D)
	gcc $$(EDK2_CPPFLAGS) $$(EDK2_CFLAGS) -DPEER_PLATFORM=$(2) $(3) $$(OURS) -MMD -MP -c $$< -o $$@
endef

$(OUT)/2b/edk2/$(PATCHED).o: $(OUT)/patched/$(PATCHED).c $(HERE)/AutoGen.h $(HERE)/peer.mk $(OUT)/guids.h
	@mkdir -p $(@D)
	gcc $(EDK2_CPPFLAGS) $(EDK2_CFLAGS) -DPEER_PLATFORM=2 $(HOOKED) -c $< -o $@

$(OUT)/patched/$(PATCHED).c: $(TREE)/$(PATCHED).c $(wildcard $(TOP)/integration/edk2/buffered/*.patch)
	@mkdir -p $(@D)
	cp $< $@
	cat $(filter %.patch,$^) | patch -d $(OUT)/patched -p1 --binary --fuzz=0

$(foreach platform,0 2 4,$(eval $(call rules,$(platform),$(platform),)))
$(eval $(call rules,2b,2,-DPEER_BUFFERED))

-include $(wildcard $(OUT)/*.d $(OUT)/*/*.d)
