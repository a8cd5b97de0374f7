# SPDX-License-Identifier: BSD-2-Clause
# about: unmodified libvirt: the life of HVM guests by virsh, with the script of an interface, without one, and with firmware='efi'
# needs: libvirt net hvm build/lab/guest.rom build/pflashd build/pflashctl
# needs: build/pflash-libvirt integration/xl/vif-pflash integration/xl/pflash-common.sh
# needs: tests/lab/libvirt.sh tests/lab/xl.sh
# needs: /usr/share/OVMF/OVMF_VARS.fd /usr/share/seabios/vgabios-cirrus.bin
# slow: ten starts of QEMU
# timeout: 600
. /lab/lib.sh
. /lab/xl.sh
. /lab/libvirt.sh

lv_setup
lv_memory=32
saved=/var/lib/libvirt/libxl/save/by-hand

# libvirt gives every HVM guest a graphics adapter.
mkdir -p /usr/share/seabios
cp /lab/vgabios-cirrus.bin /usr/share/seabios/

# libxl starts this file, whatever <loader> names.
rom=/usr/share/ovmf/OVMF.fd
mkdir -p ${rom%/*}
hvm="<type arch='x86_64' machine='xenfv'>hvm</type>"
loader="<loader readonly='yes' type='pflash'>$rom</loader>"
qemu='<emulator>/usr/libexec/xen-qemu-system-i386</emulator>'

# Not an emulated interface, for which dom0 has no tun device.
bridge=$(echo "$lv_bridge" | sed 's|</interface>|<model type="netfront"/>&|')

# hvm NAME WORDS DEVICES [OS]: defines the test guest, as the firmware
hvm() {
    xl_rom "$1" "$2"
    cp "/tmp/$1.rom" $rom
    lv_xml "$1" "$hvm ${4:-$loader $(lv_nvram $lv_vars/$1.fd)}" "$qemu $3"
    v define /tmp/guest.xml
}

# starts NAME: it starts, and waits in its command
starts() {
    lab_mark "$1" 2>/dev/null
    lv_starts "$1"
    check "$1: it has a QEMU and a flash" sh -c \
        "pidof xen-qemu-system-i386 && pflashctl status $1 >/dev/null"
    check "$1: it waits in a command of the chip" lab_expect "$1" 60 '^# waits'
    lab_mark "$1"
}

# completes NAME: it reads a line, and completes its command. A line that is typed
# right after a restore can be lost.
completes() {
    lab_type "$1" go
    lab_expect "$1" 10 '^# middle ok'
}

# life NAME DEVICES
life() {
    hvm "$1" 'test=middle at=buffer seed=3 end=reboot control=xenstore' "$2"
    starts "$1"
    v save "$1" $saved
    check_equal "$1: virsh saves it" 0 $lv_status
    check "$1: it is off" lab_wait 60 lv_off "$1"
    v restore $saved
    check_equal "$1: virsh restores it" 0 $lv_status
    rm -f $saved

    hvm_id=$(lab_domid "$1")
    check "$1: it found the chip unchanged" lab_wait 60 completes "$1"
    check "$1: it reboots: libvirt makes it anew" lab_wait 60 lv_anew "$1" "$hvm_id"
    check "$1: it reboots: it has its flash" lab_expect "$1" 60 '^# waits'
    v reboot "$1"
    check "$1: libvirt reboots no guest without drivers for Xen" test $lv_status -ne 0
    v destroy "$1"
    check "$1: virsh destroy: it is off" lab_wait 60 lv_off "$1"

    v start --paused "$1"
    check "$1: paused: it has its flash" lab_state "$1" running
    check "$1: paused: it is paused" lv_is "$1" paused
    check "$1: paused: it has not run" sh -c \
        "xl list $1 | grep -q ' --p--- *0\\.0\$'"
    v destroy "$1"
    check "$1: paused, destroyed: it is off" lab_wait 60 lv_off "$1"
    check_equal "$1: nothing is left" "" "$(lv_left)"
    check "$1: the file is sound" lv_image "$1"
}

life bridge "$bridge"
life none ''

# --- firmware='efi': libvirt refuses a template beside it ---

pflashctl create --layout 2m $lv_vars/efi.fd
lv_osattr=" firmware='efi'"
hvm efi 'test=middle at=rest seed=5 control=xenstore' "$bridge" \
    "<nvram>$lv_vars/efi.fd</nvram>"
starts efi
lab_type efi go
check "efi: it completes the command" lab_expect efi 60 '^# middle ok'
check "efi: it is off" lab_wait 60 lv_off efi
check_equal "efi: nothing is left" "" "$(lv_left)"
check "efi: the file is sound" lv_image efi
lv_export
lab_done
