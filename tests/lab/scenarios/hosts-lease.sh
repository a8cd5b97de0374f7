# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts with a lease of sanlock: one writer, a migration, a host that loses the storage of the leases
# needs: block net sanlock build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# needs: tests/lab/store.sh tests/lab/lease.sh
# modules: sunrpc auth_rpcgss grace lockd nfs_acl nfsd netfs fscache nfs dns_resolver nfsv4 dm-mod
# programs: rpc.nfsd rpc.mountd exportfs nfsdcld dmsetup
# hosts: 2
# slow: two machines
# timeout: 1200
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh
. /lab/store.sh
. /lab/lease.sh

hosts_start
hosts_share
lease_init 4
lease_join 1 || lab_die "host1 is not in the lockspace"
on_host2 '. /lab/lease.sh; lease_join 2' || lab_die "host2 is not in the lockspace: $hosts_said"
on_host2 'lab_disk /tmp/move.img' >/dev/null

# --- what a lease costs ---

# bursts [OPTION...]: the median of the cycles of a burst, by a guest of its own
bursts() {
    lab_guest bench "test=bench count=50 rounds=11" >&2 || lab_die "no guest"
    lab_flash bench /tmp/bench.fd --layout 2m --mode direct --sync burst "$@" >&2 ||
        lab_die "no flash"
    xl unpause bench
    lab_finish bench 100 >&2
    lab_flash_end bench >&2
    tr -d '\r' <"$(lab_log bench)" | sed -n 's/^# cycles burst-of-64 //p' | sort -n |
        awk '{ cycles[NR] = $1 } END { print cycles[int((NR + 1) / 2)] + 0 }'
}

for _ in 1 2; do
    echo "$(bursts) $(bursts --lease "$(lease_of 3)")" >>/tmp/ratio
    note "cycles of a burst, without and with a lease: $(tail -n 1 /tmp/ratio)"
done
ratio=$(awk '{ without += $1; with += $2 } END { printf "%d", without ? 100 * with / without : 0 }' /tmp/ratio)
note "with a lease a burst takes $ratio % of one without"
check "a lease costs a burst nothing that can be measured" test "$ratio" -gt 50 -a "$ratio" -lt 150

# --- one writer, and a migration ---

lease_config move 1
on_host2 '. /lab/lease.sh; lease_config move 1'
xl_config move pvh 'test=steady seed=7 control=xenstore' 'memory = 32' 'shadow_memory = 8'
xl_create move || lab_die "not created: $(cat /tmp/move.out)"
check "the guest writes" lab_expect move 60 '^# round'
pid=$(lab_field move pid)
check "its pflashd has the lease" lease_has "$pid" 1

# A second guest with the same flash is refused on either host.
xl_config again pvh test=hole 'memory = 32'
cp /etc/xen/pflash/move.conf /etc/xen/pflash/again.conf
on_host2 'cp /etc/xen/pflash/move.conf /etc/xen/pflash/again.conf; lab_guest again test=hole; pflashd --domain again --config /etc/xen/pflash --foreground; again=$?; xl destroy again; test $again = 4' >/tmp/again.out
check_equal "host2 is refused with exit 4" 0 $hosts_status
check "the refusal names the holder" grep -q 'the host with id 1 has it' /tmp/again.out
note "$(grep 'the lease' /tmp/again.out)"
xl_create again
check "host1 refuses a second guest" test $? -ne 0
note "$(grep -o 'pflashd: .*' /tmp/again.out | head -n 1)"
kill -9 "$(lab_worker "$pid")"
check "the next worker serves the guest" lab_wait 30 lab_state move running
check "the lease is held still" lease_has "$pid" 1
check "pflashctl upgrades pflashd" pflashctl upgrade move
check "it serves the guest" lab_wait 30 lab_state move running
check_equal "it is the same process" "$pid" "$(lab_field move pid)"
check "which has the lease" lease_has "$pid" 1
# sockets PID: the inodes of its sockets
sockets() {
    for fd in "/proc/$1/fd/"*; do
        readlink "$fd"
    done | grep '^socket:' | sort
}
sockets "$pid" >/tmp/sockets
sockets "$(lab_worker "$pid")" >/tmp/sockets.worker
check_equal "the worker has no socket of the supervisor, such as that to sanlock" "" \
    "$(grep -Fxf /tmp/sockets /tmp/sockets.worker)"
check "but one of its own" test -s /tmp/sockets.worker
note "$(sanlock client status -o p 2>&1 | tr '\n' ';')"
check "xl saves the guest, which goes on" xl save -c move /tmp/move.save
rm -f /tmp/move.save
lab_mark move
check "it writes" lab_expect move 60 '^# round'
check "it has the lease again" lease_has "$pid" 1

pflashctl mode move trap
lab_step "the guest migrates to host2"
start=$(lab_now)
timeout 150 xl migrate -s /tmp/hosts/ssh move host2 >/tmp/xl.out 2>&1
check_equal "the guest migrates to host2" 0 $?
note "in $(lab_since "$start") s"
tail -n 3 /tmp/xl.out
check "host1 has neither the guest nor a pflashd" lab_wait 30 xl_nothing
check "on host2 it goes on" lab_wait 60 on_host2 \
    "grep -q '^# round' /var/log/xen/console/guest-move--incoming.log"
check "host2 has the lease" on_host2 '. /lab/lease.sh; lease_has "$(lab_field move pid)" 1'
on_host2 'lab_type move go'
check "the guest ends" lab_wait 60 on_host2 \
    "grep -q '^# steady ok' /var/log/xen/console/guest-move--incoming.log"
on_host2 'xl destroy move; lab_wait 30 xl_nothing'

# --- the storage of the leases is taken away from host1 ---

words="test=random seed=37 count=5000"
store_reference "$words"
store_history burst
lab_guest victim "$words" || lab_die "no guest"
check "host1 attaches a flash" lab_flash victim $xl_dir/victim.fd --layout 2m --sync burst \
    --settle 3600 --lease "$(lease_of 2)"
on_host2 'lab_guest other test=hole'
start=$(lab_now)
dmsetup suspend --noflush --nolockfs leases
sleep $((5 * lease_timeout)) # the guest shall not end before
xl unpause victim
check "host1's guest is paused" lab_wait 60 lab_paused victim
note "$(lab_since "$start") s after its storage went away"
check "its pflashd is gone" lab_wait 30 lab_ended "$(cat /tmp/victim.pid)"
check "and no worker is left" lab_wait 10 sh -c '! pidof pflashd'
store_accesses "$(lab_log victim)" >/tmp/victim.accesses
check "the guest wrote until then, and has not ended" sh -c \
    "test \$(wc -l </tmp/victim.accesses) -gt 200 && ! grep -q '^# end' $(lab_log victim)"
on_host2 "pflashd --domain other --vars $xl_dir/victim.fd --foreground --lease $(lease_of 2)" \
    >/tmp/other.out
check_equal "host2 is refused before the lease has run out: exit 4" 4 $hosts_status
note "$(grep 'the lease' /tmp/other.out)"
lab_step "the lease of host1 runs out"
check "host2 gets the flash when it has run out" on_host2 \
    "lab_flash other $xl_dir/victim.fd --wait 120 --lease $(lease_of 2) || \
{ lab_wait 60 lab_flash_settled other && test -s /tmp/other.ready; }"
note "$(lab_since "$start") s after host1's storage went away"
check "host1's guest is still paused" lab_paused victim
on_host2 'kill $(lab_field other pid); lab_wait 20 sh -c "! pidof pflashd"'
store_check "host1 lost its lease" $xl_dir/victim.fd /tmp/victim.accesses burst
note "$(wc -l </tmp/victim.accesses) accesses: point $store_number, $store_ahead bursts later than the last answer"
dmsetup resume leases
check "host1 gets the flash no more" sh -c \
    ". /lab/lib.sh; ! lab_flash victim $xl_dir/victim.fd --lease $(lease_of 2)"
note "$(tail -n 1 /tmp/victim.pflashd)"
xl destroy victim
grep -a "pid\|kill\|fail" /var/log/sanlock.log | tail -n 12
lab_done
