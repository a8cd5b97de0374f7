# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts that share VARS by NFS: both start one guest at the same moment; a host that is cut off, loses its lock and comes back never writes over the other one's data
# needs: block net build/lab/guest.elf build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# modules: sunrpc auth_rpcgss grace lockd nfs_acl nfsd netfs fscache nfs dns_resolver nfsv4
# programs: rpc.nfsd rpc.mountd exportfs nfsdcld strace
# hosts: 2
# slow: two machines, and three times the lease of NFS
# timeout: 600
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh

hosts_start
hosts_share
syslogd -O /tmp/syslog
on_host2 'syslogd -O /tmp/syslog; lab_disk /tmp/split.img' >/dev/null

# --- pflashd on both hosts at the same moment ---

lab_guest one test=hole && on_host2 'lab_guest one test=hole' || lab_die "no guests"

# both SECONDS: starts pflashd on both hosts, on host1 so much later; leaves the exit
# statuses in mine and other
both() {
    on_host2 "lab_flash one $xl_dir/one.fd --layout 2m" >/tmp/other.out &
    both_job=$!
    sleep "$1"
    lab_flash one $xl_dir/one.fd --layout 2m
    mine=$?
    wait $both_job
    other=$?
    both_refused=/tmp/one.pflashd
    [ $mine -ne 0 ] || both_refused=/tmp/other.out
}

lab_step "both hosts start pflashd for one file, ten times"
winners="" good=0
for round in 0 1 2 3 4 5 6 7 8 9; do
    # The first rounds have no VARS file: both want to make it.
    [ $round -gt 3 ] || { rm -f $xl_dir/one.fd* && on_host2 "pflashctl forget $xl_dir/one.fd"; }
    both 0.0$round
    [ $mine$other != 01 ] || winners="${winners}1"
    [ $mine$other != 10 ] || winners="${winners}2"
    if [ $((mine + other)) = 1 ] && grep -qE 'in use|exists|is empty' $both_refused; then
        good=$((good + 1))
    else
        note "round $round: host1 $mine, host2 $other"
    fi
    tail -n 1 $both_refused
    if [ $mine -eq 0 ]; then
        kill "$(lab_field one pid)"
        lab_flash_end one
    else
        on_host2 'kill $(lab_field one pid); lab_wait 30 sh -c "! pidof pflashd"'
    fi
done
note "the hosts that got it: $winners"
check_equal "exactly one host gets the file, the other one is refused" 10 $good
xl destroy one
on_host2 'xl destroy one'

# --- xl create on both hosts at the same moment ---

config='xl_config split pvh "test=steady seed=7 control=xenstore" "memory = 32"'
eval "$config"
on_host2 "$config"
lab_step "both hosts create the guest"
on_host2 'xl_create split' &
job=$!
xl_create split
mine=$?
wait $job
other=$?
check_equal "xl create on both hosts: one succeeds" 1 $((mine != 0 ? other == 0 : other != 0))
note "host1 $mine, host2 $other"
if [ $mine -eq 0 ]; then
    xl destroy split
    lab_wait 30 xl_nothing
    on_host2 'xl_create split' || lab_die "host2 does not create it"
else
    check "the reason is the file's lock" grep -q 'in use' /tmp/split.out
fi
check "host2 runs it" on_host2 'lab_state split running'
check_equal "host1 has neither guest nor pflashd" "" "$(xl_left)"
check "it writes" lab_wait 60 on_host2 "lab_has split '^# round'"

# --- host2 is cut off, and comes back while host1 runs the guest ---

# cut SECONDS: the link of host2 is down for that long
cut() {
    on_host2 "{ sleep 1; ifconfig eth0 down; sleep $1; ifconfig eth0 up; } \
</dev/null >/dev/null 2>&1 3>&- & true"
    cut_start=$(lab_now)
    sleep 1.5
}

# back: waits until host2 answers again
back() {
    check "host2 is back" lab_wait 60 on_host2 true
    note "host2 is back after $(lab_since "$cut_start") s"
}

# ends_well TEXT: the guest on host1 ends, and its data are there
ends_well() {
    lab_mark split
    lab_type split go
    check "$1: it ends" lab_wait 60 lab_gone split
    check "$1: it has found no error" lab_has split '^# steady ok'
    xl_holds "$1" split "$(xl_wanted $((7 + $(lab_shown split | sed -n 's/^# steady ok after //p'))))"
}

# host1_takes: host1 creates the guest while host2 is cut off
host1_takes() {
    lab_mark split
    xl_create split || lab_die "host1 does not get the file: $(cat /tmp/split.out)"
    ok "host1 creates the guest when host2's lease has run out"
    note "$(lab_since "$cut_start") s after the cut"
    check "on host1 it writes" lab_expect split 60 '^# round'
}

# host2_creates: host2 creates the guest
host2_creates() {
    on_host2 'lab_wait 30 xl_nothing; lab_mark split; xl_create split' ||
        lab_die "host2 does not create it: $hosts_said"
    check "on host2 it writes" lab_wait 60 on_host2 "lab_has split '^# round'"
}

lab_step "host2 is cut off"
printf 'wait = 25\n' >>/etc/xen/pflash/default.conf
eval "$config"
cut 25
host1_takes
back
check "host2's flash is read-only" lab_wait 120 on_host2 "grep -q 'read-only from now on' /tmp/syslog"
note "$(lab_since "$cut_start") s after the cut: $(on_host2 "grep -o '[^:]*; the flash.*' /tmp/syslog")"
on_host2 'kill -9 $(lab_worker $(lab_supervisors)); sleep 3'
check "after a kill of its worker host2's flash is not served" on_host2 '! lab_state split running'
on_host2 'xl destroy split; xl_create split'
check "host2 does not get the file" test $hosts_status -ne 0
note "$(on_host2 'cat /tmp/split.out')"
lab_mark split
check "host1's guest goes on" lab_expect split 60 '^# round'
ends_well "host1's guest"

# --- host1 has used the file and has released it when host2 comes back ---

lab_step "host2 has the guest, and is cut off again"
host2_creates
cut 30
host1_takes
lab_type split go
check "on host1 it ends" lab_wait 60 lab_gone split
sums() {
    (cd /srv/nfs && sha256sum split.*)
}
xl_left
sums >/tmp/sums
back
# Its worker is replaced, before or after it has found out that the lock is lost.
on_host2 'kill -9 $(lab_worker $(lab_supervisors))'
check "another worker of host2 refuses the file" lab_wait 60 on_host2 \
    "grep -q 'was changed by another process, perhaps of another host' /tmp/syslog"
check "in the end host2's flash has failed" lab_wait 60 on_host2 'lab_state split failed'
on_host2 'pflashctl upgrade split; sleep 2'
check "after an upgrade, too" on_host2 'lab_state split failed'
on_host2 'xl destroy split; sleep 2'
check_equal "host2 has changed nothing" "$(cat /tmp/sums)" "$(sums)"

# --- the cut comes between the sync and the rename of a new journal ---

lab_step "host2 is cut off while it renames a new journal"
on_host2 "lab_guest two 'test=steady seed=9' && lab_flash two $xl_dir/split.fd --history 0 && \
xl unpause two && lab_expect two 60 '^# round'" || lab_die "no flash on host2: $hosts_said"
on_host2 "strace -f -o /tmp/trace -e trace=rename,renameat,renameat2 \
-e inject=rename,renameat,renameat2:delay_enter=35000000 -p \$(lab_field two pid) \
</dev/null >/tmp/strace.err 2>&1 3>&- & lab_wait 30 grep -q attached /tmp/strace.err; \
xl destroy two; lab_wait 10 grep -q journal.new /tmp/trace"
check "host2's pflashd is about to rename its journal" test $hosts_status -eq 0
cut 30
host1_takes
mine=$(stat -c %i /srv/nfs/split.fd.journal)
back
check "host2's pflashd ends" lab_wait 120 on_host2 '! pidof pflashd'
check "its rename has failed" on_host2 "grep 'journal.new.*= -1 ENOENT' /tmp/trace"
check_equal "host1's journal has its name" "$mine" "$(stat -c %i /srv/nfs/split.fd.journal)"
lab_mark split
check "host1's guest goes on" lab_expect split 60 '^# round'
ends_well "in the end"
lab_export /tmp/syslog
lab_done
