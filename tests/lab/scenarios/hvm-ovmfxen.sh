# SPDX-License-Identifier: BSD-2-Clause
# about: UEFI variables of an HVM guest with OvmfXen outlive it, in trap mode and in direct mode
# needs: hvm block firmware build/pflashd build/pflashctl integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/uefi.sh tests/lab/hvm.sh
# slow: OvmfXen takes even longer for a boot than Debian's OVMF
# timeout: 2700
. /lab/lib.sh
. /lab/uefi.sh
. /lab/hvm.sh

conf trap 'mode = trap'
hvm trap /lab/OVMF_XEN.fd
check_equal "trap: trap mode" trap "$(lab_field trap mode)"
set_variable trap Lab1 DEADBEEF
ends trap

conf direct
hvm direct /lab/OVMF_XEN.fd
check_equal "direct: direct mode" direct "$(lab_field direct mode)"
has direct Lab1 'DE AD BE EF'
check_equal "direct: no read was trapped" 0 "$(lab_field direct reads)"
ends direct
check "the file is sound" pflashctl check $vars
lab_done
