# SPDX-License-Identifier: BSD-2-Clause
# about: a PVH guest sees the keys and the boot entry that pflashctl made before its first start, and changes no pinned one
# needs: firmware build/pflashd build/pflashctl tests/lab/uefi.sh
# timeout: 900
. /lab/lib.sh
. /lab/uefi.sh

vars=/tmp/vars.fd
global=8be4df61-93ca-11d2-aa0d-00e098032b8c

check "a VARS file" pflashctl create --layout 2m $vars
check "a PK made offline" pflashctl keys enroll --generate-pk $vars
check "a boot entry made offline" pflashctl boot add --label offline \
    --file '\EFI\TEST\OFFLINE.EFI' --number 0042 $vars
check "its keys are pinned before it has run" pflashctl pins set $vars keys,mok
pflashctl keys list $vars | while read -r line; do note "$line"; done
size=$(printf '%X' "$(pflashctl vars get $vars PK | wc -c)")
before=$(pflashctl vars get $vars PK | sha256sum)

uefi_boot one $vars --code /lab/OVMF_XEN.fd
uefi_command one "dmpstore -guid $global PK"
sed 's/^/| /' /tmp/one.out | head -n 8 | while read -r line; do note "$line"; done
check "the firmware finds the PK, with its size" \
    grep -qi "PK' DataSize = 0x0*$size" /tmp/one.out
uefi_command one 'bcfg boot dump'
sed 's/^/| /' /tmp/one.out | head -n 12 | while read -r line; do note "$line"; done
check "the firmware knows the entry" grep -qi 'OFFLINE' /tmp/one.out
uefi_command one "setvar LabVar -guid $UEFI_GUID -bs -nv =0x1122334455"
check_equal "no honest write was refused" 0 "$(lab_field one refused)"
uefi_destroy one
check_equal "the PK is as it was" "$before" "$(pflashctl vars get $vars PK | sha256sum)"
check_equal "all pinned values are those of the host" same \
    "$(pflashctl pins list $vars | awk 'NR > 1 { print $2 }' | sort -u)"
check "the guest's own variable is there" \
    pflashctl vars get $vars "$UEFI_GUID:LabVar" >/dev/null
lab_done
