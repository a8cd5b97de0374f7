# SPDX-License-Identifier: BSD-2-Clause
# about: virsh migrate to a second libvirtd: refused in direct mode, live in trap mode, in the middle of the chip's commands; back again
# needs: libvirt net build/lab/guest.elf build/pflashd build/pflashctl
# needs: build/pflash-libvirt integration/xl/vif-pflash integration/xl/pflash-common.sh
# needs: tests/lab/libvirt.sh
# needs: firmware /usr/share/OVMF/OVMF_VARS.fd
# slow: four migrations, and libvirt's time limit of 30 s after a failure
# timeout: 600
. /lab/lib.sh
. /lab/libvirt.sh

lv_setup
lv_second

# there WORDS...: virsh for the second libvirtd, in the transcript
there() {
    v -c "$lv_second" "$@"
}

# migrate FROM NAME TO NEW [OPTION...]: live. Both libvirtd are of one Xen: the
# domain that arrives needs another name.
migrate() {
    migrate_from=$1 migrate_name=$2 migrate_to=$3 migrate_new=$4
    shift 4
    migrate_start=$(lab_now)
    v -c "$migrate_from" migrate --live --dname "$migrate_new" "$@" \
        "$migrate_name" "$migrate_to"
    note "$migrate_name to $migrate_new: status $lv_status after" \
        "$(lab_since "$migrate_start") s"
}

# writes TEXT NAME: the guest goes on, and has found no error
writes() {
    lab_mark "$2"
    check "$1: the guest writes" lab_expect "$2" 60 '^# round'
    check "$1: it has found no error" sh -c \
        "! grep -q '^# failed' '$(lab_log "$2")'"
}

# arrived TEXT OLD NEW: the domain is there under its new name, with its flash
arrived() {
    [ $lv_status -eq 0 ] || lab_die "$1: not migrated: $(tail -n 1 $LV_OUT)"
    ok "$1: virsh migrates it"
    check "$1: the old domain is gone" lab_wait 30 lab_gone "$2"
    check_equal "$1: one pflashd serves" 1 "$(lab_supervisors | wc -w)"
    check_equal "$1: it serves the new domain" "$(lab_domid "$3") $3" \
        "$(lab_field "$3" domain) $(lab_field "$3" name)"
    check_equal "$1: the file is the same" $lv_vars/move.fd "$(lab_field "$3" vars)"
    check_equal "$1: the only file of options is the new name's" "$3.conf" \
        "$(ls $lv_conf)"
    writes "$1" "$3"
}

lv_guest move 'test=steady seed=7 control=xenstore'
v start move
writes created move

# --- in direct mode ---

domain=$(lab_domid move) pid=$(lab_supervisors)
check_equal "direct: the mode" direct "$(lab_field move mode)"
migrate $lv_uri move "$lv_second" moved
check "direct: refused; virsh says only that it failed" lv_refused \
    'Failed to send migration data to destination host'
check "direct: the reason is in libxl's log" grep -q \
    'Failed to enable logdirty' /var/log/libvirt/libxl/libxl-driver.log
check_equal "direct: the domain is the same" "$domain" "$(lab_domid move)"
check_equal "direct: its pflashd is the same" "$pid" "$(lab_supervisors)"
there list --all
check "direct: nothing is left at the other side" sh -c "! grep -q move $LV_OUT"
writes "direct" move
v suspend move
v resume move
writes "direct, resumed" move

# --- the other side refuses it ---

check "pflashctl changes the mode" pflashctl mode move trap
printf 'mode = fast\n' >/etc/xen/pflash/moved.conf
migrate $lv_uri move "$lv_second" moved
check "bad file there: not migrated" test $lv_status -ne 0
check_equal "bad file there: the domain is the same" "$domain" "$(lab_domid move)"
check "bad file there: one domain is left" lab_wait 30 sh -c \
    'test "$(xl list | wc -l)" = 3'
check "bad file there: the guest's pflashd is the only one" lab_wait 30 sh -c \
    ". /lab/lib.sh; test \"\$(lab_supervisors)\" = $pid"
writes "bad file there" move
rm /etc/xen/pflash/moved.conf

# --- in trap mode ---

migrate $lv_uri move "$lv_second" moved
arrived "trap" move moved
check_equal "trap: reads are direct again at the other side" direct \
    "$(lab_field moved mode)"
v list --all
check "trap: the guest stays defined here, shut off" lv_is move 'shut off'

v start move
check "trap: it cannot start here while it runs there" lv_refused \
    "move.fd: in use by pid $(lab_field moved pid) ("
writes "trap, refused start" moved

# --- and back ---

v undefine move
pflashctl mode moved trap
migrate "$lv_second" moved $lv_uri move --persistent --undefinesource
arrived "back" moved move
there list --all
check "back: the other side does not know it any more" sh -c "! grep -q moved $LV_OUT"

v shutdown move
check "it is off" lab_wait 60 lv_off move

# --- without an interface, and in the middle of a command ---

lv_guest held 'test=middle at=buffer seed=4 control=xenstore' ''
v start held
check "no interface: it waits in a command of the chip" lab_expect held 40 '^# waits'
pflashctl mode held trap
migrate $lv_uri held "$lv_second" held-there
check_equal "no interface: virsh migrates it" 0 $lv_status
lab_type held-there go
check "no interface: it found the chip unchanged" lab_expect held-there 60 '^# middle ok'
check "no interface: it is off" lab_wait 60 lab_gone held-there
check_equal "nothing is left" "" "$(lv_left)"
check "the file is sound" lv_image move
lab_export /var/log/libvirt/second.log
lv_export
lab_done
