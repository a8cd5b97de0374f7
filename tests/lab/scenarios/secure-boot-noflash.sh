# SPDX-License-Identifier: BSD-2-Clause
# about: firmware with Secure Boot runs no program without its flash, or with a store that has no Secure Boot; in setup mode it does
# needs: block firmware-secure-boot build/pflashd build/pflashctl build/lab/boot.disk
# slow: three boots, one of them several times slower without its code
# timeout: 1800
. /lab/lib.sh

code=/lab/OVMF_XEN_4M.secboot.fd
program='\[entry default' # by the unsigned \EFI\BOOT\BOOTX64.EFI of the disk

# a paused guest with the unsigned program
create() {
    cp /lab/boot.disk "/tmp/$1.disk"
    lab_create "$1" "kernel = \"$code\"" 'memory = 256' 'on_crash = "preserve"' \
        "disk = [ \"format=raw, vdev=xvda, access=rw, target=/tmp/$1.disk\" ]" ||
        lab_die "$1: no guest"
}

# it has ended, and is kept for its reason
crashed() {
    xl list "$1" | awk 'NR == 2 { print $5 }' | grep -q c
}

# refused NAME TEXT: the firmware says so, ends the guest, and nothing has run
refused() {
    check "$1: the firmware says that $2" lab_expect "$1" 900 "^OvmfXen: $2"
    check "$1: it ends the guest as crashed" lab_wait 60 crashed "$1"
    check_equal "$1: the program has not run" '' "$(lab_shown "$1" | grep "$program")"
    lab_export "$(lab_log "$1")" "$1.console"
    xl destroy "$1"
}

# flash NAME
flash() {
    lab_flash "$1" "/tmp/$1.fd" --code $code || lab_die "$1: pflashd did not attach"
}

lab_require

lab_step "without a flash"
create none
xl unpause none
refused none 'no flash was found'

# EFI_VARIABLE_GUID in place of EFI_AUTHENTICATED_VARIABLE_GUID, behind the
# header of the volume: edk2 then has no Secure Boot.
lab_step "with a store whose format has no authentication"
check "plain: a VARS file" pflashctl create --layout 4m /tmp/plain.fd
printf '\026\066\317\335\165\062\144\101\230\266\376\205\160\177\376\175' |
    dd of=/tmp/plain.fd bs=1 seek=72 conv=notrunc 2>/dev/null
create plain
flash plain
xl unpause plain
refused plain 'the variables in the flash cannot be used'
lab_flash_end plain

lab_step "with an empty store: setup mode"
check "empty: a VARS file" pflashctl create --layout 4m /tmp/empty.fd
create empty
flash empty
xl unpause empty
check "empty: the program runs" lab_expect empty 900 "$program"
check "empty: it ends the guest" lab_wait 120 lab_gone empty
lab_export "$(lab_log empty)" empty.console
check "empty: pflashd leaves with it" lab_flash_end empty
lab_done
