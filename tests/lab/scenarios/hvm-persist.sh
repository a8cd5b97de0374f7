# SPDX-License-Identifier: BSD-2-Clause
# about: UEFI variables of an HVM guest outlive it, move to a PVH guest and back
# needs: hvm block firmware /usr/share/ovmf/OVMF.fd build/pflashd build/pflashctl integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/uefi.sh tests/lab/hvm.sh
# slow: the firmware probes every possible PCI device through QEMU: minutes for a boot
# timeout: 2400
. /lab/lib.sh
. /lab/uefi.sh
. /lab/hvm.sh

# Debian's OVMF.fd has 4 MiB since Debian 13. A PVH guest starts from OvmfXen of
# 2 MiB only, so no such guest can use the same VARS file.
[ "$(wc -c </lab/OVMF.fd)" = 2097152 ] || layout=4m

conf debian
hvm debian /lab/OVMF.fd
check_equal "debian: direct mode" direct "$(lab_field debian mode)"
set_variable debian Lab1 DEADBEEF
has debian Lab1 'DE AD BE EF'
check_equal "debian: no read was trapped" 0 "$(lab_field debian reads)"
ends debian

conf trap 'mode = trap'
hvm trap /lab/OVMF.fd
check_equal "trap: trap mode" trap "$(lab_field trap mode)"
has trap Lab1 'DE AD BE EF'
set_variable trap Lab2 C0FFEE00
ends trap

# A PVH guest with the same VARS file
pvh() {
    conf pvh
    lab_create pvh 'kernel = "/lab/OVMF_XEN.fd"' 'memory = 256' "$disk" ||
        lab_die "pvh: no guest"
    uefi_shell pvh
    has pvh Lab1 'DE AD BE EF'
    has pvh Lab2 'C0 FF EE 00'
    set_variable pvh Lab3 0BADF00D
    ends pvh
}

if [ $layout = 2m ]; then
    pvh
else
    skip "pvh: OVMF.fd of this release has 4 MiB, OvmfXen for PVH guests 2 MiB"
fi

conf back
hvm back /lab/OVMF.fd
has back Lab1 'DE AD BE EF'
has back Lab2 'C0 FF EE 00'
[ $layout = 4m ] || has back Lab3 '0B AD F0 0D'
ends back
check "the file is sound" pflashctl check $vars
lab_done
