# SPDX-License-Identifier: BSD-2-Clause
# about: a UEFI variable outlives its guest: setvar, xl destroy, create, read it
# needs: firmware build/pflashd build/pflashctl tools/lab/uefi.sh
# timeout: 900
. /lab/lib.sh
. /lab/uefi.sh

value=1122334455
shown='11 22 33 44 55'

uefi_boot first /tmp/vars.fd --layout 2m --code /lab/OVMF_XEN.fd
uefi_command first "setvar LabVar -guid $UEFI_GUID -bs -nv =0x$value"
check "setvar says nothing" test "$(grep -c . /tmp/first.out)" = 2
uefi_destroy first
check "the VARS file is consistent" pflashctl export /tmp/vars.fd /tmp/image.fd
xxd -p /tmp/image.fd | tr -d '\n' >/tmp/image.hex
check "the variable is in it" grep -q "$value" /tmp/image.hex
check "its image has the size of the flash" test "$(wc -c </tmp/image.fd)" = 131072

uefi_boot second /tmp/vars.fd --code /lab/OVMF_XEN.fd
uefi_command second "setvar LabVar -guid $UEFI_GUID"
sed 's/^/| /' /tmp/second.out | while read -r line; do note "$line"; done
check "the next guest reads it back" grep -q "$shown" /tmp/second.out
uefi_destroy second
lab_export /tmp/image.fd vars.fd
lab_done
