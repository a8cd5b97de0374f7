# SPDX-License-Identifier: BSD-2-Clause
# about: unmodified libvirt: a PVH guest's life by virsh, with the script of an interface and without one, two guests at once, a file in use
# needs: libvirt net build/lab/guest.elf build/pflashd build/pflashctl
# needs: build/pflash-libvirt integration/xl/vif-pflash integration/xl/pflash-common.sh
# needs: tests/lab/libvirt.sh
# needs: firmware /usr/share/OVMF/OVMF_VARS.fd
# timeout: 400
. /lab/lib.sh
. /lab/libvirt.sh

lv_setup
lv_probe

# --- an interface in a bridge ---

lv_guest one 'test=middle at=buffer seed=3 control=xenstore'
check_equal "bridge: a guest with a flash is defined" 0 $lv_status
v start one
check_equal "bridge: it starts" 0 $lv_status
check "bridge: it had not run when its flash came" lv_had_not_run one
check "bridge: it waits in a command of the chip" lab_expect one 40 '^# waits'
lab_mark one
lab_type one go
check "bridge: it completes the command" lab_expect one 40 '^# middle ok'
check "bridge: it is off" lab_wait 40 lv_off one
check_equal "bridge: nothing is left" "" "$(lv_left)"

v undefine one
# The next guest looks at the flash: it would write what is not as in this image.
check "the file is sound" lv_image one
lv_xml one "$lv_pvh $lv_loader $(lv_nvram $lv_vars/one.fd)
    $(lv_test 'test=become') <initrd>/tmp/one.image</initrd>" "$lv_bridge"
v define /tmp/guest.xml
v start --paused one
check "paused: its flash is there" lab_state one running
check "paused: it has not run" lv_had_not_run one
check "paused: it is paused" lv_is one paused
v destroy one
check "paused, destroyed: it is off" lab_wait 40 lv_off one
v start one
check "started again: what it wrote is there" lab_expect one 60 \
    '^# become: 0 blocks erased, 0 bytes programmed, 0 bytes differ'
v destroy one

# --- an interface of type ethernet; reboots ---

lv_guest two 'test=middle at=rest seed=9 control=xenstore end=reboot' \
    "$lv_ethernet"
v start two
check "ethernet: it waits in array mode" lab_expect two 40 '^# waits'
id=$(lab_domid two)
lab_mark two
lab_type two go
check "it reboots: libvirt has made it anew" lab_wait 60 lv_anew two "$id"
check "it reboots: it has its flash" lab_expect two 40 '^# waits'
id=$(lab_domid two)
lab_mark two
v reboot two
check "virsh reboot: libvirt has made it anew" lab_wait 60 lv_anew two "$id"
check "virsh reboot: it has its flash" lab_expect two 40 '^# waits'

# --- a second guest, without an interface ---

lv_guest three 'test=steady seed=5 control=xenstore' ''
v start three
check_equal "no interface: it starts" 0 $lv_status
check "no interface: it had not run when its flash came" lv_had_not_run three
check "no interface: it writes" lab_expect three 40 '^# round'
check_equal "two guests have two pflashd" 2 "$(lab_supervisors | wc -w)"

# --- a third guest, with the file of the second ---

lv_guest thief test=hole "$lv_bridge" $lv_vars/three.fd
v start thief
check "thief: refused; virsh names the process that has the file" lv_refused \
    "three.fd: in use by pid $(lab_field three pid) ("
check "thief: and its domain" lv_said " --domain $(lab_domid three) "
lab_mark three
check "thief: the holder goes on" lab_expect three 40 '^# round'

v shutdown two
v shutdown three
check "virsh shutdown: both are off" lab_wait 60 sh -c \
    '. /lab/lib.sh; . /lab/libvirt.sh; lv_off two && lv_off three'
check "three has found no error" sh -c "! grep -q '^# failed' '$(lab_log three)'"
check_equal "nothing is left" "" "$(lv_left)"
lv_export
lab_done
