# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts that share VARS by NFS: live migration in the middle of a command, there and back; a second start is refused on either host
# needs: block net build/lab/guest.elf build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# modules: sunrpc auth_rpcgss grace lockd nfs_acl nfsd netfs fscache nfs dns_resolver nfsv4
# programs: rpc.nfsd rpc.mountd exportfs nfsdcld
# hosts: 2
# slow: two machines
# timeout: 1200
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh

hosts_start
hosts_share
on_host2 'lab_disk /tmp/move.img' >/dev/null

# --- in the middle of a command ---

xl_config move pvh 'test=middle at=buffer seed=3 control=xenstore' 'memory = 32' \
    'shadow_memory = 8'
xl_create move || lab_die "not created: $(cat /tmp/move.out)"
xl_waits move 60 || lab_die "the guest does not reach its command"
check "pflashctl changes the mode to trap" pflashctl mode move trap
hosts_to_host2
check_equal "the guest migrates to host2 in the middle of a command" 0 $migrate_status
check "host1 has neither the guest nor a pflashd" lab_wait 30 xl_nothing
check_equal "host2 has it, with its flash" running \
    "$(on_host2 'lab_field move state')"

# Both hosts have its configuration: neither may start it a second time.
xl_config again pvh test=hole 'memory = 32'
mkdir -p /etc/xen/pflash
printf 'vars = %s/move.fd\n' $xl_dir >/etc/xen/pflash/again.conf
xl_create again
check "host1 refuses a second start" test $? -ne 0
check "the reason is the file's lock" grep -q 'in use by a process on the host host2' /tmp/again.out
note "$(grep -o 'pflashd: .*' /tmp/again.out | head -n 1)"
check "host2's guest has its flash still" on_host2 'lab_state move running'

on_host2 "lab_type move go"
check "on host2 the guest ends" lab_wait 60 on_host2 'lab_gone move'
check "on host2 the guest found the chip unchanged" on_host2 \
    "grep -q '^# middle ok' $arrived_log"
check "on host2 nothing is left" lab_wait 30 on_host2 xl_nothing
check_equal "host1 sees what the guest wrote" "$(xl_wanted 3)" "$(xl_bytes move)"
check "the file is sound" pflashctl check $xl_dir/move.fd

# --- while the guest writes: there and back ---

xl_config move pvh 'test=steady seed=7 control=xenstore' 'memory = 32' \
    'shadow_memory = 8'
xl_create move || lab_die "not created: $(cat /tmp/move.out)"
check "the guest writes" lab_expect move 60 '^# round'
pflashctl mode move trap
hosts_to_host2
check_equal "a guest that writes migrates to host2" 0 $migrate_status
check "on host2 it goes on" lab_wait 60 on_host2 "grep -q '^# round' $arrived_log"
check_equal "on host2 its reads are direct again" direct "$(on_host2 'lab_field move mode')"
on_host2 'pflashctl mode move trap; mkdir -p /tmp/hosts' || note "$hosts_said"
hosts_to_host1
check_equal "it migrates back to host1" 0 $migrate_status
lab_wait 60 sh -c "grep -q '^# round' $arrived_log"
check "on host1 it goes on" lab_has move--incoming '^# round'
check "on host2 nothing is left" lab_wait 30 on_host2 xl_nothing
lab_type move go
check "the guest ends" lab_wait 60 lab_gone move
check "the guest has found no error in all rounds" grep -q '^# steady ok' $arrived_log
rounds=$(tr -d '\r' <$arrived_log | sed -n 's/^# steady ok after //p')
note "$rounds rounds"
xl_holds "in the end" move "$(xl_wanted $((7 + rounds)))"
lab_done
