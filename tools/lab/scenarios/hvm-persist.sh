# SPDX-License-Identifier: BSD-2-Clause
# about: UEFI variables of an HVM guest outlive it, move to a PVH guest and back, with OvmfXen and with Debian's OVMF
# needs: hvm block firmware /usr/share/ovmf/OVMF.fd build/pflashd build/pflashctl integration/xl/block-pflash integration/xl/pflash-common.sh tools/lab/uefi.sh
# slow: an HVM guest asks QEMU for every PCI device there could be: four minutes a boot
# timeout: 2400
. /lab/lib.sh
. /lab/uefi.sh

UEFI_TIMEOUT=900
vars=/var/lib/pflash/guest.fd
mkdir -p /etc/xen/pflash /var/lib/pflash
cp /lab/block-pflash /lab/pflash-common.sh /etc/xen/scripts/
chmod +x /etc/xen/scripts/block-pflash
truncate -s 1M /tmp/disk.img
disk='disk = [ "vdev=xvda, access=rw, script=block-pflash, target=/tmp/disk.img" ]'

# conf NAME [LINE...]: one VARS file for all
conf() {
    conf_name=$1
    shift
    printf '%s\n' "vars = $vars" 'layout = 2m' "$@" \
        >"/etc/xen/pflash/$conf_name.conf"
}

nothing_left() {
    ! pidof xen-qemu-system-i386 pflashd && test "$(xl list | wc -l)" = 2
}

# status NAME FIELD
status() {
    pflashctl status "$1" | sed -n "s/^$2: //p"
}

# ends NAME: destroyed, with all that was its
ends() {
    note "$1: $(status "$1" mode) mode, $(status "$1" reads) reads, \
$(status "$1" writes) writes, $(status "$1" bursts) bursts"
    lab_export "$(lab_log "$1")" "$1.console"
    xl destroy "$1"
    check "$1: domain, QEMU and pflashd are gone" lab_wait 20 nothing_left
}

# hvm NAME FIRMWARE
hvm() {
    lab_create_hvm "$1" "bios_path_override = \"$2\"" "$disk" ||
        lab_die "$1: no guest"
    check "$1: it has a QEMU and a flash" pidof xen-qemu-system-i386 pflashd
    uefi_shell "$1"
}

# has NAME VARIABLE BYTES: the firmware says so
has() {
    uefi_command "$1" "dmpstore $2 -guid $UEFI_GUID"
    check "$1: $2 is $3" grep -q "$3" "/tmp/$1.out"
}

set_variable() {
    uefi_command "$1" "setvar $2 -guid $UEFI_GUID -bs -rt -nv =$3"
}

conf first
hvm first /lab/OVMF_XEN.fd
check_equal "first: direct mode" direct "$(status first mode)"
set_variable first Lab1 DEADBEEF
has first Lab1 'DE AD BE EF'
check_equal "first: no read was trapped" 0 "$(status first reads)"
ends first

conf second
hvm second /lab/OVMF_XEN.fd
has second Lab1 'DE AD BE EF'
ends second

conf pvh
lab_create pvh 'kernel = "/lab/OVMF_XEN.fd"' 'memory = 256' "$disk" ||
    lab_die "pvh: no guest"
uefi_shell pvh
has pvh Lab1 'DE AD BE EF'
set_variable pvh Lab2 C0FFEE00
ends pvh

conf debian 'mode = trap'
hvm debian /lab/OVMF.fd
check_equal "debian: trap mode" trap "$(status debian mode)"
has debian Lab1 'DE AD BE EF'
has debian Lab2 'C0 FF EE 00'
set_variable debian Lab3 0BADF00D
ends debian
check "the file has all three" sh -c "pflashctl dump $vars >/tmp/vars.txt &&
    grep -q Lab1 /tmp/vars.txt && grep -q Lab2 /tmp/vars.txt &&
    grep -q Lab3 /tmp/vars.txt"
check "it is sound" pflashctl check $vars
lab_done
