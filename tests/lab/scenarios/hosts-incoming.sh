# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts that share nothing: the flash migrates with its guest, in the middle of a command, there and back
# needs: block net build/lab/guest.elf build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# needs: tests/lab/incoming.sh
# hosts: 2
# slow: two machines
# timeout: 900
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh
. /lab/incoming.sh

incoming_start

# points COMMAND...: the number of points in the history, by `pflashctl log` on a host
points() {
    "$@" "pflashctl log --bursts $xl_dir/move.fd" | grep -c '^[0-9]'
}

xl_config move pvh 'test=steady seed=7 control=xenstore' 'memory = 32' \
    'shadow_memory = 8'
xl_create move || lab_die "not created: $(cat /tmp/move.out)"
check "the guest writes" lab_expect move 60 '^# round'
pflashctl mode move trap

# --- there and back ---

before=$(points sh -c)
hosts_to_host2
check_equal "the guest migrates to host2" 0 $migrate_status
check "host1 has neither the guest nor a pflashd" lab_wait 30 xl_nothing
check "on host2 it goes on" lab_wait 60 on_host2 "grep -q '^# round' $arrived_log"
check_equal "on host2 its reads are direct again" direct "$(on_host2 'lab_field move mode')"
check_equal "on host2 its flash has not failed" 0 "$(on_host2 'lab_field move errors')"
after=$(points on_host2)
check "the history has come along: $before points, now $after" test "$after" -ge "$before"
check "the flash is none on host1 any more" sh -c \
    "pflashctl check $xl_dir/move.fd 2>&1 | grep 'gone to another host'"
xl_config again pvh test=hole 'memory = 32'
printf 'vars = %s/move.fd\n' $xl_dir >/etc/xen/pflash/again.conf
xl_create again
check "host1 refuses a guest with it" test $? -ne 0
note "$(grep -o 'pflashd: .*' /tmp/again.out | head -n 1)"
on_host2 'pflashctl mode move trap' || note "$hosts_said"
hosts_to_host1
check_equal "it migrates back to host1" 0 $migrate_status
check "on host1 it goes on" lab_wait 60 grep -q '^# round' $arrived_log
check "on host2 nothing is left" lab_wait 30 on_host2 xl_nothing
check "the flash is none on host2 any more" on_host2 \
    "pflashctl check $xl_dir/move.fd 2>&1 | grep 'gone to another host'"
lab_type move go
check "the guest ends" lab_wait 60 lab_gone move
check "the guest has found no error in all rounds" grep -q '^# steady ok' $arrived_log
rounds=$(tr -d '\r' <$arrived_log | sed -n 's/^# steady ok after //p')
xl_holds "in the end" move "$(xl_wanted $((7 + rounds)))"

# --- in the middle of a command ---

xl_config move pvh 'test=middle at=buffer seed=3 control=xenstore' 'memory = 32' \
    'shadow_memory = 8'
xl_create move || lab_die "not created: $(cat /tmp/move.out)"
xl_waits move 60 || lab_die "the guest does not reach its command"
pflashctl mode move trap
hosts_to_host2
check_equal "the guest migrates to host2 in the middle of a command" 0 $migrate_status
on_host2 "lab_type move go"
check "on host2 the guest ends" lab_wait 60 on_host2 'lab_gone move'
check "on host2 the guest found the chip unchanged" on_host2 \
    "grep -q '^# middle ok' $arrived_log"
check_equal "host2's file has what the guest wrote" "$(xl_wanted 3)" "$(on_host2 xl_bytes move)"
lab_done
