# SPDX-License-Identifier: BSD-2-Clause
# HVM guests with UEFI firmware; their variables must be there after a guest is
# created again, as HVM or PVH, with the same VARS file. Sourced after uefi.sh by
# the hvm-* scenarios that boot to the shell.

UEFI_TIMEOUT=900
vars=/var/lib/pflash/guest.fd
mkdir -p /var/lib/pflash
lab_install_script
disk=$(lab_disk /tmp/disk.img)

# conf NAME [LINE...]: all guests have the same VARS file, of the layout $layout
layout=2m
conf() {
    conf_name=$1
    shift
    printf '%s\n' "vars = $vars" "layout = $layout" "$@" \
        >"/etc/xen/pflash/$conf_name.conf"
}

nothing_left() {
    ! pidof xen-qemu-system-i386 pflashd && test "$(xl list | wc -l)" = 2
}

# ends NAME: destroys the guest; no process of it may be left
ends() {
    note "$1: $(lab_field "$1" mode) mode, $(lab_field "$1" reads) reads, \
$(lab_field "$1" writes) writes, $(lab_field "$1" bursts) bursts"
    lab_export "$(lab_log "$1")" "$1.console"
    xl destroy "$1"
    check "$1: domain, QEMU and pflashd are gone" lab_wait 60 nothing_left
}

# hvm NAME FIRMWARE
hvm() {
    lab_create_hvm "$1" "bios_path_override = \"$2\"" "$disk" ||
        lab_die "$1: no guest"
    check "$1: it has a QEMU" pidof xen-qemu-system-i386
    check "$1: it has a pflashd" pidof pflashd
    uefi_shell "$1"
}

# has NAME VARIABLE BYTES: the firmware shows these bytes
has() {
    uefi_command "$1" "dmpstore $2 -guid $UEFI_GUID"
    check "$1: $2 is $3" grep -q "$3" "/tmp/$1.out"
}

set_variable() {
    uefi_command "$1" "setvar $2 -guid $UEFI_GUID -bs -rt -nv =$3"
}
