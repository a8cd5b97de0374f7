# SPDX-License-Identifier: BSD-2-Clause
# about: a patched xl on two Xen hosts that share nothing: the flash is in the migration stream, and in the file of xl save
# needs: libxl net build/lab/guest.elf build/lab/guest.rom
# needs: build/pflashd build/pflashctl
# needs: tests/lab/xl.sh tests/lab/libxl.sh tests/lab/hosts.sh
# hosts: 2
# slow: two machines, and needs the patched xl, which takes minutes to build
# timeout: 900
. /lab/lib.sh
. /lab/xl.sh
. /lab/libxl.sh
. /lab/hosts.sh
libxl_setup
lab_require
libxl_options=layout=2m,stream=1
vars=$xl_dir/move.fd
# shellcheck disable=SC2016
patched='export PATH=/lab/libxl:$PATH LD_LIBRARY_PATH=/lab/libxl'

# Where libxl looks for pflashctl.
ln -sf /lab/pflashctl /usr/bin/pflashctl
hosts_start
on_host2 "ln -sf /lab/pflashctl /usr/bin/pflashctl; . /lab/libxl.sh; libxl_setup" >/dev/null

# The receiving xl is the patched one.
cat >/tmp/hosts/to <<END
#!/bin/sh
host=\$1
shift
exec /tmp/hosts/ssh \$host "$patched; \$*"
END
chmod +x /tmp/hosts/to
on_host2 "echo $(base64 </tmp/hosts/to | tr -d '\n') | base64 -d >/tmp/hosts/to; chmod +x /tmp/hosts/to"

# Both leave the exit status of xl in migrate_status.
to_host2() {
    lab_step "$1"
    migrate_start=$(lab_now)
    timeout 100 xl migrate -s /tmp/hosts/to move host2 >/tmp/xl.out 2>&1
    migrate_status=$?
    note "to host2: $(lab_since "$migrate_start") s, exit $migrate_status"
    cat /tmp/xl.out
}

to_host1() {
    lab_step "$1"
    on_host2 "$patched; timeout 100 xl migrate -s /tmp/hosts/to move host1" >/tmp/xl.out
    migrate_status=$?
    note "to host1: exit $migrate_status"
    cat /tmp/xl.out
}

# says WHERE TEXT: what pflashctl check prints of the flash there has the text
says() {
    $1 "pflashctl check $vars 2>&1 | grep '$2'"
}

# here: a guest that has arrived has the console log of its first name
here() {
    ln -sf guest-move--incoming.log /var/log/xen/console/guest-move.log
    rm -f /tmp/move.mark
}

# has TEXT: the guest is here, with its flash
has() {
    check_equal "$1: its flash has not failed" 0 "$(lab_field move errors)"
    check_equal "$1: it is served" running "$(lab_field move state)"
    check "$1: it is its flash" pflashctl check $vars
}

# stays TEXT: the guest was not migrated and goes on here with its flash
stays() {
    check "$1: the migration fails" test $migrate_status -ne 0
    check "$1: the guest goes on" lab_expect move 30 '^# goes on'
    has "$1"
    check "$1: nothing is left on host2" lab_wait 30 on_host2 xl_nothing
}

# --- in the middle of a command, there and back ---

libxl_middle move buffer 3 'memory = 32' 'shadow_memory = 8'
to_host2 "the guest migrates to host2"
check_equal "the guest migrates to host2" 0 $migrate_status
check "host1 has neither the guest nor a pflashd" lab_wait 30 xl_nothing
check_equal "on host2 its flash has not failed" 0 "$(on_host2 'lab_field move errors')"
check_equal "on host2 its reads are direct" direct "$(on_host2 'lab_field move mode')"
check "the flash is none on host1 any more" says 'sh -c' 'gone to another host'
xl_config again pvh test=hole 'memory = 32' "nvram = \"vars=$vars\""
xl_create again
check "host1 refuses a guest with it" test $? -ne 0
note "$(tail -n 3 /tmp/again.out)"
to_host1 "the guest migrates back"
check_equal "it migrates back to host1" 0 $migrate_status
here
has "back on host1"
check "the flash is none on host2 any more" says on_host2 'gone to another host'

# --- xl save and restore ---

lab_mark move
lab_step "save -c"
check "xl save -c" timeout 60 xl save -c move /tmp/move.save
check "save -c: the guest goes on" lab_expect move 30 '^# goes on'
has "save -c"
lab_mark move
lab_step "save"
check "xl save" timeout 60 xl save move /tmp/move.save
check "saved: no flash is left" says 'sh -c' 'gone to another host'
check "xl restore" timeout 60 xl restore /tmp/move.save
check "restored: the guest goes on" lab_expect move 30 '^# goes on'
has "restored"

# --- the migration fails: the flash stays with its guest ---

on_host2 "rm -f $vars*; pflashctl create --layout 2m $vars" || note "$hosts_said"
lab_mark move
to_host2 "host2 has another flash at the place"
stays "another flash"
check "another flash: the reason is told" \
    on_host2 "grep 'the flash was not received' /tmp/hosts/stderr"
check "another flash: it is unchanged" on_host2 "pflashctl check $vars"
on_host2 "rm -f $vars*; ln -sf /bin/false /usr/sbin/pflashd"
lab_mark move
to_host2 "host2 has no pflashd"
stays "no pflashd"
check "no pflashd: what has arrived is no flash" says on_host2 'guest that has not run here'
note "$(on_host2 'tail -n 12 /tmp/hosts/stderr')"

lab_type move go
check "the guest found the chip unchanged" lab_expect move 60 '^# middle ok'
check "the guest ends" lab_wait 30 sh -c '! pidof pflashd'
xl destroy move >/dev/null 2>&1
xl_holds "in the end" move "$(xl_wanted 3)"
lab_done
