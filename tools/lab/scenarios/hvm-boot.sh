# SPDX-License-Identifier: BSD-2-Clause
# about: HVM guests reach the UEFI shell, with OvmfXen and with Debian's OVMF, and leave nothing behind
# needs: hvm firmware /usr/share/ovmf/OVMF.fd tools/lab/uefi.sh
# slow: the firmware asks QEMU for every PCI device there could be, some 30000 requests
# timeout: 1800
. /lab/lib.sh
. /lab/uefi.sh

UEFI_TIMEOUT=800

# qemus: how many of QEMU's processes there are
qemus() {
    pidof xen-qemu-system-i386 | wc -w
}

no_qemu() {
    test "$(qemus)" = 0
}

# boot NAME FIRMWARE
boot() {
    lab_create_hvm "$1" "bios_path_override = \"$2\"" || lab_die "$1: no guest"
    check_equal "$1: QEMU runs" 1 "$(qemus)"
    uefi_shell "$1"
    uefi_command "$1" ver
    check "$1: the shell answers" grep -q 'UEFI Interactive Shell' "/tmp/$1.out"
    lab_export "$(lab_log "$1")" "$1.console"
    xl destroy "$1"
    check "$1: the domain is gone" lab_wait 10 lab_gone "$1"
    check "$1: no QEMU is left" lab_wait 10 no_qemu
}

boot xen /lab/OVMF_XEN.fd
boot debian /lab/OVMF.fd
check "no domain is left" lab_wait 5 sh -c 'test "$(xl list | wc -l)" = 2'
lab_done
