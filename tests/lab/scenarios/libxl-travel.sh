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
arrived_log=/var/log/xen/console/guest-move--incoming.log
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

# stays TEXT: the guest was not migrated and goes on here with its flash
stays() {
    check "$1: the migration fails" test $migrate_status -ne 0
    lab_mark move
    check "$1: the guest goes on" lab_expect move 60 '^# round'
    check_equal "$1: its flash has not failed" 0 "$(lab_field move errors)"
    check "$1: it is its flash again" pflashctl check $vars
    check "$1: nothing is left on host2" lab_wait 40 on_host2 xl_nothing
    note "$(on_host2 'xl list; tail -n 5 /tmp/hosts/stderr' | tail -n 8)"
}

xl_config move pvh 'test=steady seed=7 control=xenstore' 'memory = 32'
xl_create move || lab_die "not created: $(cat /tmp/move.out)"
check "the guest writes" lab_expect move 60 '^# round'

# --- the migration fails: the flash stays with its guest ---

on_host2 "mkdir -p $xl_dir; pflashctl create --layout 2m $vars"
note "$hosts_said"
to_host2 "host2 has another flash at the place"
stays "another flash"
check "another flash: the reason is told" on_host2 "grep 'the flash was not received' /tmp/hosts/stderr"
on_host2 "rm -f $vars*"

on_host2 'ln -sf /bin/false /usr/sbin/pflashd'
to_host2 "host2 has no pflashd"
stays "no pflashd"
check "no pflashd: what has arrived is no flash" says on_host2 'guest that has not run here'
note "$hosts_said"
on_host2 'ln -sf /lab/pflashd /usr/sbin/pflashd'

# --- there and back ---

to_host2 "the guest migrates to host2"
check_equal "the guest migrates to host2" 0 $migrate_status
check "host1 has neither the guest nor a pflashd" lab_wait 30 xl_nothing
check "on host2 it goes on" lab_wait 60 on_host2 "grep -q '^# round' $arrived_log"
check_equal "on host2 its flash has not failed" 0 "$(on_host2 'lab_field move errors')"
check_equal "on host2 its reads are direct" direct "$(on_host2 'lab_field move mode')"
check "the flash is none on host1 any more" says 'sh -c' 'gone to another host'
xl_config again pvh test=hole 'memory = 32' "nvram = \"vars=$vars\""
xl_create again
check "host1 refuses a guest with it" test $? -ne 0
note "$(tail -n 3 /tmp/again.out)"
to_host1 "the guest migrates back"
check_equal "it migrates back to host1" 0 $migrate_status
check "on host1 it goes on" lab_wait 60 grep -q '^# round' $arrived_log
check "the flash is none on host2 any more" says on_host2 'gone to another host'

# --- xl save and restore ---

lab_step "save -c"
check "xl save -c" timeout 60 xl save -c move /tmp/move.save
sleep 3
check_equal "save -c: the flash has not failed" 0 "$(lab_field move errors)"
check "save -c: it is its flash still" pflashctl check $vars
timeout 60 xl restore /tmp/move.save >/tmp/xl.out 2>&1
check "save -c: a second guest is not restored" test $? -ne 0
note "$(tail -n 4 /tmp/xl.out)"
lab_step "save"
check "xl save" timeout 60 xl save move /tmp/move.save
check "saved: no flash is left" says 'sh -c' 'gone to another host'
check "xl restore" timeout 60 xl restore /tmp/move.save
sleep 3
check_equal "restored: the flash has not failed" 0 "$(lab_field move errors)"
log=/var/log/xen/console/guest-move.log
lab_type move go
check "the guest ends" lab_wait 60 lab_gone move
check "the guest has found no error in all rounds" grep -q '^# steady ok' $log
rounds=$(tr -d '\r' <$log | sed -n 's/^# steady ok after //p')
xl_holds "in the end" move "$(xl_wanted $((7 + rounds)))"

# --- in the middle of a command ---

rm -f $vars*
libxl_middle move buffer 3
to_host2 "in the middle of a command"
check_equal "the guest migrates in the middle of a command" 0 $migrate_status
on_host2 "lab_type move go"
check "on host2 the guest ends" lab_wait 60 on_host2 'lab_gone move'
check "on host2 the guest found the chip unchanged" on_host2 "grep -q '^# middle ok' $arrived_log"
check_equal "host2's file has what the guest wrote" "$(xl_wanted 3)" "$(on_host2 xl_bytes move)"
lab_done
