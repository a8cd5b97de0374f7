# SPDX-License-Identifier: BSD-2-Clause
# about: unmodified libvirt: save, restore, managedsave, suspend and reboots of guests with a flash; libvirtd restarts, is killed, and misses a reboot
# needs: libvirt net build/lab/guest.elf build/pflashd build/pflashctl
# needs: build/pflash-libvirt integration/xl/vif-pflash integration/xl/pflash-common.sh
# needs: tests/lab/libvirt.sh
# needs: firmware /usr/share/OVMF/OVMF_VARS.fd
# slow: six saves
# timeout: 600
. /lab/lib.sh
. /lab/libvirt.sh

lv_setup
lv_events
lv_memory=32 # a saved guest is in dom0's memory

saved=/var/lib/libvirt/libxl/save/by-hand

# step TEXT: also in the list of events
step() {
    lab_step "$*"
    echo "-- $*" >>/tmp/events
}

# waits NAME PLACE SEED DEVICES: starts a guest that waits in that command
waits() {
    lv_guest "$1" "test=middle at=$2 seed=$3 control=xenstore" "$4"
    v start "$1"
    check "$1: it waits in a command of the chip: $2" lab_expect "$1" 40 '^# waits'
    lab_mark "$1"
}

# completes NAME TEXT: it continues, finds the chip unchanged, and ends
completes() {
    lab_type "$1" go
    check "$1: $2: it found the chip unchanged" lab_expect "$1" 60 '^# middle ok'
    check "$1: $2: it is off" lab_wait 60 lv_off "$1"
    check_equal "$1: $2: nothing is left" "" "$(lv_left)"
    check "$1: $2: the file is sound" lv_image "$1"
}

# is_saved NAME: it is off, and its flash has a saved state
is_saved() {
    check "$1: it is off" lab_wait 60 lv_off "$1"
    check_equal "$1: its pflashd has ended" "" "$(pidof pflashd)"
    check "$1: the flash has a saved state" test -e "$lv_vars/$1.fd.state"
}

# --- save and restore, in the middle of commands ---

# saves NAME PLACE SEED DEVICES
saves() {
    waits "$@"
    step "$1: virsh save"
    v save "$1" $saved
    check_equal "$1: virsh saves it" 0 $lv_status
    is_saved "$1"
    step "$1: virsh restore"
    v restore $saved
    check_equal "$1: virsh restores it" 0 $lv_status
    completes "$1" restored
    rm $saved
}

saves bridge buffer 3 "$lv_bridge"
saves none erase 4 ''

# managed NAME PLACE SEED DEVICES
managed() {
    waits "$@"
    step "$1: virsh managedsave"
    v managedsave "$1"
    check_equal "$1: virsh saves it for its next start" 0 $lv_status
    is_saved "$1"
    step "$1: virsh start"
    v start "$1"
    check_equal "$1: virsh starts it where it was" 0 $lv_status
    completes "$1" started
}

managed managed word 5 "$lv_bridge"
managed managed-none suspend 6 ''

# --- a save that the flash has outrun ---

waits old status 7 "$lv_bridge"
v save old $saved
is_saved old
v start old
check "old: a fresh start works" lab_expect old 40 '^# waits'
completes old "started anew"
v restore $saved
check "old: the saved guest is refused, because its flash went on" test $lv_status -ne 0
note "virsh says: $(tr '\n' ' ' <$LV_OUT)"
tail -n 2 /var/log/libvirt/libxl/libxl-driver.log | while read -r line; do note "| $line"; done
check_equal "old: nothing is left" "" "$(lv_left)"
rm $saved

# --- suspend, resume ---

lv_guest steady 'test=steady seed=8 control=xenstore'
v start steady
check "steady: it writes" lab_expect steady 40 '^# round'
pid=$(lab_supervisors)

# goes_on TEXT: with the same pflashd
goes_on() {
    lab_mark steady
    check "steady: $1: it writes" lab_expect steady 60 '^# round'
    check_equal "steady: $1: its pflashd is the same" "$pid" "$(lab_supervisors)"
}

step "steady: virsh suspend"
v suspend steady
sleep 1
writes=$(lab_field steady writes)
sleep 3
check_equal "steady: suspended: it does not write" "$writes" "$(lab_field steady writes)"
step "steady: virsh resume"
v resume steady
goes_on resumed

# --- libvirtd ends, is killed, misses a reboot ---

step "libvirtd ends"
lv_stop
goes_on "without libvirtd"
lv_start
check "steady: libvirtd knows it again" lab_wait 30 lv_is steady running
check "steady: by the event reconnect" lv_event steady reconnect
goes_on reconnected

step "libvirtd is killed"
lv_stop -KILL
goes_on "libvirtd is killed"
lv_start
check "steady: the next libvirtd knows it" lab_wait 30 lv_is steady running
goes_on "reconnected after the kill"

step "steady: virsh reboot"
id=$(lab_domid steady)
v reboot steady
check "steady: virsh reboot: libvirt makes it anew" lab_wait 60 lv_anew steady "$id"
pid=$(lab_supervisors)
goes_on rebooted
check "steady: its file of options is there" test -e $lv_conf/steady.conf
step "steady: virsh destroy"
v destroy steady
check "steady: it is off" lab_wait 60 lv_off steady

lv_guest missed 'test=middle at=rest seed=9 control=xenstore end=reboot'
v start missed
check "missed: it waits" lab_expect missed 40 '^# waits'
id=$(lab_domid missed)
step "missed: libvirtd is killed; the guest reboots"
lv_stop -KILL
lab_mark missed
lab_type missed go
check "missed: it reboots" lab_expect missed 40 '^# middle ok'
sleep 5
xl list
note "without libvirtd: $(xl list | awk '$1 == "missed" { print $5 }')," \
    "pflashd: $(lab_supervisors)"
lv_start
check "missed: the next libvirtd makes it anew" lab_wait 60 lv_anew missed "$id"
check "missed: it has its flash" lab_expect missed 40 '^# waits'
v destroy missed
check "missed: it is off" lab_wait 60 lv_off missed
check_equal "nothing is left" "" "$(lv_left)"
cat /tmp/events
lv_export
lab_done
