# SPDX-License-Identifier: BSD-2-Clause
# about: what OVMF makes of a flash that keeps nothing
# needs: firmware build/pflashd build/pflashctl tools/lab/uefi.sh
# slow: four boots of the firmware
# timeout: 1500
. /lab/lib.sh
. /lab/uefi.sh

# said NAME COMMAND: types it, and notes what the shell has answered
said() {
    uefi_command "$1" "$2"
    sed "s/^/$1: | /" "/tmp/$1.out" | while read -r line; do note "$line"; done
}

uefi_boot written /tmp/vars.fd --layout 2m --code /lab/OVMF_XEN.fd
said written "setvar KeptVar -guid $UEFI_GUID -bs -nv =0x55"
uefi_destroy written

sha256sum /tmp/vars.fd /tmp/vars.fd.journal >/tmp/before
uefi_boot kept /tmp/vars.fd --code /lab/OVMF_XEN.fd --read-only
said kept "setvar KeptVar -guid $UEFI_GUID"
said kept "setvar LostVar -guid $UEFI_GUID -bs -nv =0x66"
said kept 'echo %lasterror%'
said kept "setvar LostVar -guid $UEFI_GUID"
uefi_destroy kept
sha256sum /tmp/vars.fd /tmp/vars.fd.journal >/tmp/after
check "kept: file and journal are as they were" cmp /tmp/before /tmp/after

uefi_boot after /tmp/vars.fd --code /lab/OVMF_XEN.fd
said after "setvar KeptVar -guid $UEFI_GUID"
said after "setvar LostVar -guid $UEFI_GUID"
uefi_destroy after
lab_done
