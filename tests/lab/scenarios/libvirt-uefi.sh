# SPDX-License-Identifier: BSD-2-Clause
# about: unmodified libvirt: a UEFI variable outlives its guest: setvar, virsh destroy, virsh start, read it back
# needs: libvirt net build/pflashd build/pflashctl
# needs: build/pflash-libvirt integration/xl/vif-pflash integration/xl/pflash-common.sh
# needs: tests/lab/libvirt.sh tests/lab/uefi.sh
# needs: firmware /usr/share/OVMF/OVMF_VARS.fd
# slow: boots UEFI firmware three times
# timeout: 900
. /lab/lib.sh
. /lab/libvirt.sh
. /lab/uefi.sh

# setvar takes =0x... as a number: 64 bits, the lowest byte first.
number=0x1122334455
shown='55 44 33 22 11 00 00 00'

lv_setup
firmware=/usr/lib/xen-pflash/OVMF_XEN.fd
template=/usr/lib/xen-pflash/OVMF_XEN_VARS.fd
mkdir -p ${firmware%/*}
cp /lab/OVMF_XEN.fd $firmware
cp /lab/OVMF_VARS.fd $template

# boots NAME: starts it, and waits for the shell
boots() {
    boot_start=$(lab_now)
    lv_starts "$1"
    uefi_up "$1" "$boot_start"
}

# shell NAME COMMAND: with its output, in the transcript
shell() {
    uefi_command "$1" "$2"
    sed 's/^/    /' "/tmp/$1.out" >>$lv_log
}

# outlives NAME DEVICES
outlives() {
    lv_memory=256
    lv_xml "$1" "$lv_pvh
    <loader readonly='yes' type='pflash'>$firmware</loader>
    <nvram template='$template'>$lv_vars/$1.fd</nvram>
    <kernel>$firmware</kernel>" "$2"
    v define /tmp/guest.xml
    boots "$1"
    shell "$1" "setvar LabVar -guid $UEFI_GUID -bs -nv =$number"
    v destroy "$1"
    check "$1: it is off" lab_wait 60 lv_off "$1"
    rm -f "/tmp/$1.mark"
    lab_mark "$1"
    boots "$1"
    shell "$1" "setvar LabVar -guid $UEFI_GUID"
    check "$1: the next start reads the variable" grep -q "$shown" "/tmp/$1.out"
    check_equal "$1: no read was trapped" 0 "$(lab_field "$1" reads)"
}

outlives web "$lv_bridge"

# The firmware's own reset.
id=$(lab_domid web)
lab_mark web
lab_type web reset
check "web: reset in the shell: libvirt makes it anew" lab_wait 60 lv_anew web "$id"
v destroy web
check "web: it is off" lab_wait 60 lv_off web
outlives none ''
v destroy none
check "none: it is off" lab_wait 60 lv_off none
check_equal "nothing is left" "" "$(lv_left)"
for name in web none; do
    check "$name: the file is sound" sh -c \
        "pflashctl check --code $firmware $lv_vars/$name.fd"
    lab_export "$(lab_log $name)" $name.console
done
lv_export
lab_done
