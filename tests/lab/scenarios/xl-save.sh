# SPDX-License-Identifier: BSD-2-Clause
# about: xl save and restore in the middle of the chip's commands; refusals of a restore
# needs: block build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh
# timeout: 900
. /lab/lib.sh
. /lab/xl.sh

# middle NAME PLACE SEED: a guest that waits in the middle of that command
middle() {
    xl_config "$1" pvh "test=middle at=$2 seed=$3 control=xenstore"
    xl_create "$1" || lab_die "$1: not created: $(cat "/tmp/$1.out")"
    xl_waits "$1" 30 || lab_die "$1: it does not reach its command"
}

# save NAME [OPTION]
save() {
    xl save ${2:+"$2"} "$1" "/tmp/$1.save" >"/tmp/$1.out" 2>&1
    check_equal "$1: saved" 0 $?
}

restore() {
    xl restore "/tmp/$1.save" >"/tmp/$1.out" 2>&1
}

# restored NAME
restored() {
    restore "$1"
    check_equal "$1: restored" 0 $?
    check "$1: the guest continues" lab_expect "$1" 20 '^# goes on'
    lab_mark "$1"
}

# refused NAME: xl does not restore it, and prints the reason
refused() {
    cp "$xl_dir/$1.fd" /tmp/before.fd
    restore "$1"
    check "$1: not restored after a change of the flash" test $? -ne 0
    check "$1: xl prints the reason" grep -q \
        "$1.fd: not known to be what it was when this guest was saved" \
        "/tmp/$1.out"
    check_equal "$1: nothing is left of the attempt" "" "$(xl_left)"
    check "$1: the file is unchanged" cmp /tmp/before.fd "$xl_dir/$1.fd"
}

# forget NAME: removes the saved guest: dom0 has no room for many
forget() {
    rm "/tmp/$1.save"
}

xl_setup

seed=0
for place in ${XL_SAVE_PLACES:-buffer suspend}; do
    seed=$((seed + 16))
    middle $place $place $seed
    save $place
    check_equal "$place: nothing is left" "" "$(xl_left)"
    restored $place
    xl_completes "$place" $place $seed
    forget $place
done

# A restored guest that has not written can be restored again; after a write it
# cannot.
middle twice word 1
save twice
restored twice
xl destroy twice
check_equal "twice: destroyed, nothing is left" "" "$(xl_left)"
restored twice
xl_completes "twice" twice 1
refused twice

# With --force the chip is in its power-on state.
printf 'vars = %s/%%n.fd\nforce = yes\n' $xl_dir >/etc/xen/pflash/twice.conf
restore twice
check_equal "twice: restored by force" 0 $?
xl destroy twice
check_equal "twice: destroyed, too" "" "$(xl_left)"
forget twice

# Another program changes a byte of the file.
middle other status 2
save other
printf 'w 1f000 1 40\nw 1f000 1 0\nw 1f000 1 ff\n' |
    pflash-replay --vars $xl_dir/other.fd >/dev/null
refused other
forget other

# The saved guest continues: to its end, or until it is destroyed. The xl of Xen
# 4.17 that monitored it ended at the suspend: nothing cleans up after the guest.
middle live buffer 3
save live -c
note "live: the xl that monitors it: $(pidof xl || echo none)"
check "live: the guest continues" lab_expect live 20 '^# goes on'
check "live: its pflashd runs" pflashctl status live
lab_type live go
check "live: the guest found the chip unchanged" \
    lab_expect live 60 '^# middle ok'
check "live: pflashd ends with it" lab_wait 30 sh -c '! pidof pflashd'
xl destroy live
xl_holds "live" live "$(xl_wanted 3)"
refused live
forget live
middle stopped buffer 4
save stopped -c
lab_expect stopped 20 '^# goes on'
xl destroy stopped
check_equal "stopped: nothing is left" "" "$(xl_left)"
lab_mark stopped
restored stopped
xl_completes "stopped" stopped 4
forget stopped

# A new guest with the same name and file has a chip in its power-on state.
middle anew buffer 5
save anew
xl_create anew
check_equal "anew: created" 0 $?
xl_waits anew 30
xl_completes "anew" anew 5
refused anew
lab_done
