# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts that share nothing: the flash migrates with its guest, in the middle of a command, there and back; aborted migrations leave it with the source
# needs: block net build/lab/guest.elf build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# hosts: 2
# slow: two machines
# timeout: 1200
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh

# incoming [LINE...]: the options of the guest on this host; the lines come last
incoming() {
    {
        printf 'vars = %s/%%n.fd\nlayout = 2m\n' $xl_dir
        printf 'incoming = /tmp/hosts/get %%h pflashctl send %%n\n'
        printf '%s\n' "$@"
    } >/etc/xen/pflash/move.conf
    # nc ends when its standard input does.
    cat >/tmp/hosts/get <<'END'
#!/bin/sh
mkfifo /tmp/hosts/get.$$
exec 5<>/tmp/hosts/get.$$
rm /tmp/hosts/get.$$
/tmp/hosts/ssh "$@" <&5
END
    chmod +x /tmp/hosts/get
}

hosts_start
lab_require
xl_setup
incoming
on_host2 'lab_require; xl_setup; lab_disk /tmp/move.img' >/dev/null
# on_host2 has the functions of lib.sh, xl.sh and hosts.sh only.
there() {
    on_host2 "cat >/dev/null; mkdir -p /etc/xen/pflash" >/dev/null
    for file in /etc/xen/pflash/move.conf /tmp/hosts/get; do
        on_host2 "echo $(base64 <"$file" | tr -d '\n') | base64 -d >$file; chmod +x $file"
    done
}
there

arrived_log=/var/log/xen/console/guest-move--incoming.log

# Both leave the exit status of xl in migrate_status.
to_host2() {
    lab_step "the guest migrates to host2"
    migrate_start=$(lab_now)
    timeout 150 xl migrate -s /tmp/hosts/ssh move host2 >/tmp/xl.out 2>&1
    migrate_status=$?
    note "to host2: $(lab_since "$migrate_start") s, exit $migrate_status"
    cat /tmp/xl.out
}

to_host1() {
    lab_step "the guest migrates back to host1"
    migrate_start=$(lab_now)
    on_host2 'timeout 150 xl migrate -s /tmp/hosts/ssh move host1' >/tmp/xl.out
    migrate_status=$?
    note "to host1: $(lab_since "$migrate_start") s, exit $migrate_status"
    cat /tmp/xl.out
}

# points COMMAND...: the number of points in the history, by `pflashctl log` on a host
points() {
    "$@" "pflashctl log --bursts $xl_dir/move.fd" | grep -c '^[0-9]'
}

# --- aborted: the guest goes on with its flash ---

xl_config move pvh 'test=steady seed=7 control=xenstore' 'memory = 32' \
    'shadow_memory = 8'
xl_create move || lab_die "not created: $(cat /tmp/move.out)"
check "the guest writes" lab_expect move 60 '^# round'
pflashctl mode move trap

goes_on() {
    lab_mark move
    check "$1: the guest goes on" lab_expect move 60 '^# round'
    check "$1: its flash has not failed" sh -c ". /lab/lib.sh; test \"\$(lab_field move errors)\" = 0"
    check "$1: it is its flash again" pflashctl check $xl_dir/move.fd
    check "$1: host2 has no guest" lab_wait 30 on_host2 xl_nothing
}

on_host2 "echo 'code = /missing' >>/etc/xen/pflash/move.conf"
to_host2
check "host2's pflashd refuses the guest: the migration fails" test $migrate_status -ne 0
check "the reason is told" grep -q 'pflashd: .*missing' /tmp/xl.out
goes_on "refused"
check "host2 has what has arrived, which is no flash" on_host2 \
    "pflashctl check $xl_dir/move.fd 2>&1 | grep 'guest that has not run here'"
note "$hosts_said"
there

sed -i 's/ pflashctl send / false /' /etc/xen/pflash/move.conf
there
incoming
to_host2
check "host2 cannot get the flash: the migration fails" test $migrate_status -ne 0
check "the reason is told, too" grep -q 'incoming' /tmp/xl.out
note "$(grep -o 'pflashd: .*' /tmp/xl.out | head -n 1)"
goes_on "not sent"
there

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
    "pflashctl status move--incoming && xl list | grep 'move--incoming'"
note "$hosts_said"
lab_mark move
check "killed: the guest goes on here" lab_expect move 60 '^# round'
on_host2 'xl destroy move--incoming' >/dev/null
goes_on "killed"
check "host2 has still no flash" on_host2 \
    "pflashctl check $xl_dir/move.fd 2>&1 | grep 'guest that has not run here'"

# --- there and back ---

before=$(points sh -c)
to_host2
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
to_host1
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
to_host2
check_equal "the guest migrates to host2 in the middle of a command" 0 $migrate_status
on_host2 "lab_type move go"
check "on host2 the guest ends" lab_wait 60 on_host2 'lab_gone move'
check "on host2 the guest found the chip unchanged" on_host2 \
    "grep -q '^# middle ok' $arrived_log"
check_equal "host2's file has what the guest wrote" "$(xl_wanted 3)" "$(on_host2 xl_bytes move)"
lab_done
