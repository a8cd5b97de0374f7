# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts that share VARS by NFS: host2 loses its power while a guest writes; host1 gets the file, with every answered write
# needs: block net build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# needs: tests/lab/store.sh
# modules: sunrpc auth_rpcgss grace lockd nfs_acl nfsd netfs fscache nfs dns_resolver nfsv4
# programs: rpc.nfsd rpc.mountd exportfs nfsdcld
# hosts: 2
# slow: two machines
# timeout: 600
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh
. /lab/store.sh

words="test=random seed=37 count=1500"
store_reference "$words"
store_history burst
hosts_start
hosts_share

on_host2 "lab_guest one \"$words\" && lab_flash one $xl_dir/one.fd --layout 2m --sync burst \
--settle 3600" || lab_die "no guest on host2: $hosts_said"
check "host2 runs a guest with its flash" on_host2 'lab_state one running'
on_host2 'xl unpause one'
hosts_console one /tmp/one.console
lab_wait 90 sh -c 'test "$(wc -l </tmp/one.console)" -gt 300' ||
    lab_die "the guest does not write"
lab_guest other test=hole || lab_die "no guest on host1"
check "host1 is refused while host2 has the file" sh -c \
    ". /lab/lib.sh; ! lab_flash other $xl_dir/one.fd && grep -q 'in use by a process on the host host2' /tmp/other.pflashd"
note "$(tail -n 1 /tmp/other.pflashd)"
hosts_power_cut
store_accesses /tmp/one.console >/tmp/one.accesses
start=$(lab_now)
check "host1 gets the file when host2's lease has run out" \
    lab_flash other $xl_dir/one.fd --wait 40
note "$(lab_since "$start") s after the power cut"
kill "$(lab_field other pid)"
lab_flash_end other
store_check "host2 died" $xl_dir/one.fd /tmp/one.accesses burst
note "$(wc -l </tmp/one.accesses) accesses: point $store_number, $store_ahead bursts later than the last answer that host1 has seen"
xl destroy other

lab_done
