# SPDX-License-Identifier: BSD-2-Clause
# about: a patched xl on one host: the flash is in the file of xl save, and in the stream of a migration to another VARS file
# needs: libxl build/lab/guest.elf build/lab/guest.rom
# needs: build/pflashd build/pflashctl
# needs: tests/lab/xl.sh tests/lab/libxl.sh
# slow: needs the patched xl, which takes minutes to build
# timeout: 600
. /lab/lib.sh
. /lab/xl.sh
. /lab/libxl.sh
libxl_setup
libxl_options=layout=2m,stream=1
vars=$xl_dir/move.fd
other=$xl_dir/other.fd

# Where libxl looks for pflashctl.
ln -sf /lab/pflashctl /usr/bin/pflashctl

# has TEXT VARS: the guest is here, with this flash
has() {
    check_equal "$1: its flash has not failed" 0 "$(lab_field move errors)"
    check_equal "$1: it is served" running "$(lab_field move state)"
    check "$1: it is its flash" pflashctl check "$2"
}

# is_none VARS TEXT: the file is no flash, and pflashctl says why
is_none() {
    pflashctl check "$1" 2>&1 | grep "$2"
}

# arrived: its console log has the name of its arrival
arrived() {
    ln -sf guest-move--incoming.log /var/log/xen/console/guest-move.log
    rm -f /tmp/move.mark
}

# migrate RECEIVER: with a shell in place of ssh, and the other file at the receiver.
# Without its uuid a guest of another configuration is another guest.
migrate() {
    sed "s|$vars|$other|" /tmp/move.cfg >/tmp/other.cfg
    uuid=$(xenstore-read "/local/domain/$(lab_domid move)/vm")
    printf 'uuid = "%s"\n' "${uuid#/vm/}" >>/tmp/other.cfg
    timeout 100 xl migrate -C /tmp/other.cfg -s '' move "$1" >/tmp/xl.out 2>&1
    migrate_status=$?
    cat /tmp/xl.out
}

libxl_middle move buffer 3

# --- xl save and restore ---

lab_mark move
check "xl save -c" timeout 60 xl save -c move /tmp/move.save
check "save -c: the guest goes on" lab_expect move 30 '^# goes on'
has "save -c" $vars
lab_mark move
check "xl save" timeout 60 xl save move /tmp/move.save
check "saved: no flash is left" is_none $vars 'gone to another host'
check "xl restore" timeout 60 xl restore /tmp/move.save
check "restored: the guest goes on" lab_expect move 30 '^# goes on'
has "restored" $vars

# --- migrations that fail ---

lab_mark move
migrate "ln -sf /bin/false $libxl_pflashd; xl migrate-receive; ln -sf /lab/pflashd $libxl_pflashd"
check "no pflashd: the migration fails" test $migrate_status -ne 0
check "no pflashd: the guest goes on" lab_expect move 30 '^# goes on'
has "no pflashd" $vars
check "no pflashd: what has arrived is no flash" is_none $other 'guest that has not run here'
rm -f $other*
pflashctl create --layout 2m $other
lab_mark move
migrate 'xl migrate-receive'
check "another flash: the migration fails" test $migrate_status -ne 0
check "another flash: the reason is told" grep 'the flash was not received' /tmp/xl.out
check "another flash: the guest goes on" lab_expect move 30 '^# goes on'
has "another flash" $vars
check "another flash: it is unchanged" pflashctl check $other
rm -f $other*

# --- a migration ---

migrate 'xl migrate-receive'
check_equal "the guest migrates" 0 $migrate_status
check "migrated: the old flash is none" is_none $vars 'gone to another host'
arrived
has "migrated" $other
lab_type move go
check "migrated: the guest ends" lab_wait 60 lab_gone move
check "migrated: the guest found the chip unchanged" lab_has move '^# middle ok'
xl_holds "migrated" other "$(xl_wanted 3)"
lab_done
