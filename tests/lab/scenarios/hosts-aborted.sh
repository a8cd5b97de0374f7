# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts that share nothing: a migration is aborted at three moments; the flash stays with its guest, and the next migration succeeds
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

# goes_on TEXT: the guest goes on here, with its flash
goes_on() {
    lab_mark move
    check "$1: the guest goes on" lab_expect move 60 '^# round'
    check "$1: its flash has not failed" sh -c ". /lab/lib.sh; test \"\$(lab_field move errors)\" = 0"
    check "$1: it is its flash again" pflashctl check $xl_dir/move.fd
    lab_wait 30 on_host2 xl_nothing
    check_equal "$1: host2 has no guest" "" "$(on_host2 xl_left)"
}

xl_config move pvh 'test=steady seed=7 control=xenstore' 'memory = 32' \
    'shadow_memory = 8'
xl_create move || lab_die "not created: $(cat /tmp/move.out)"
check "the guest writes" lab_expect move 60 '^# round'
pflashctl mode move trap

# --- the flash arrives, and pflashd refuses the guest ---

on_host2 "echo 'code = /missing' >>/etc/xen/pflash/move.conf"
hosts_to_host2
check "host2's pflashd refuses the guest: the migration fails" test $migrate_status -ne 0
check "the reason is told" on_host2 "grep 'pflashd: .*missing' /tmp/hosts/stderr"
goes_on "refused"
check "host2 has what has arrived, which is no flash" on_host2 \
    "pflashctl check $xl_dir/move.fd 2>&1 | grep 'guest that has not run here'"
note "$hosts_said"
there

# --- the flash does not arrive ---

sed -i 's/^incoming = .*/incoming = false %n/' /etc/xen/pflash/move.conf
there
incoming
hosts_to_host2
check "host2 cannot get the flash: the migration fails" test $migrate_status -ne 0
check "the reason is told, too" on_host2 "grep 'incoming: .* has failed' /tmp/hosts/stderr"
note "$hosts_said"
goes_on "not sent"
there

# --- the receiver dies when the flash has arrived ---

# Kills the receiving xl when the guest there has its flash.
cat >/tmp/hosts/late <<'END'
#!/bin/sh
{
    n=0
    until printf '%s\n' 'pflashctl status move--incoming' | nc -w 5 host2 99 | grep -q 'state: running'; do
        n=$((n + 1))
        [ $n -lt 300 ] || exit 1
        usleep 200000
    done
    printf '%s\n' 'kill -9 $(pidof xl)' | nc -w 5 host2 99
} </dev/null >/dev/null 2>&1 &
exec /tmp/hosts/ssh "$@"
END
chmod +x /tmp/hosts/late
lab_step "the receiver is killed after the flash has arrived"
timeout 150 xl migrate -s /tmp/hosts/late move host2 >/tmp/xl.out 2>&1
check "the receiver is killed: the migration fails" test $? -ne 0
cat /tmp/xl.out
check "host2 has an incomplete guest, whose flash waits" on_host2 \
    "pflashctl status move--incoming >/dev/null && xl list | grep 'move--incoming'"
lab_mark move
check "killed: the guest goes on here" lab_expect move 60 '^# round'
on_host2 'xl destroy move--incoming' >/dev/null
goes_on "killed"
check "host2 has still no flash" on_host2 \
    "pflashctl check $xl_dir/move.fd 2>&1 | grep 'guest that has not run here'"

# --- after the failures ---

hosts_to_host2
check_equal "the guest migrates to host2" 0 $migrate_status
check "on host2 it goes on" lab_wait 60 on_host2 "grep -q '^# round' $arrived_log"
check_equal "on host2 its flash has not failed" 0 "$(on_host2 'lab_field move errors')"
check "the flash is none on host1 any more" sh -c \
    "pflashctl check $xl_dir/move.fd 2>&1 | grep 'gone to another host'"
lab_done
