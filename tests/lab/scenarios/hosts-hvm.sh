# SPDX-License-Identifier: BSD-2-Clause
# about: an HVM guest migrates live to another Xen host, VARS on NFS, without its cooperation
# needs: hvm block net build/lab/guest.rom build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# modules: sunrpc auth_rpcgss grace lockd nfs_acl nfsd netfs fscache nfs dns_resolver nfsv4
# programs: rpc.nfsd rpc.mountd exportfs nfsdcld
# hosts: 2
# slow: two machines, two starts of QEMU, and a migration of more than two minutes
# timeout: 900
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh

hosts_start
hosts_share
on_host2 'syslogd -O /tmp/syslog; lab_disk /tmp/move.img; xl_rom move "test=steady seed=7"' >/dev/null

arrived_log=/var/log/xen/console/guest-move--incoming.log
start=$(lab_now)
xl_config move hvm 'test=steady seed=7'
xl_create move || lab_die "not created: $(cat /tmp/move.out)"
note "created after $(lab_since "$start") s"
check "on host1 it writes" lab_expect move 60 '^# round'
check "pflashctl changes the mode to trap" pflashctl mode move trap
lab_step "the guest migrates to host2"
start=$(lab_now)
timeout 200 xl migrate -s /tmp/hosts/ssh move host2 >/tmp/xl.out 2>&1
check_equal "the guest migrates to host2" 0 $?
note "migrated in $(lab_since "$start") s"
cat /tmp/xl.out
check "host1 has neither guest nor pflashd nor QEMU" lab_wait 60 sh -c \
    '. /lab/xl.sh; xl_nothing && ! pidof xen-qemu-system-i386'
check "on host2 it has a QEMU" on_host2 'pidof xen-qemu-system-i386'
check "on host2 it goes on" lab_wait 60 on_host2 "grep -q '^# round' $arrived_log"
check_equal "on host2 its reads are direct again" direct "$(on_host2 'lab_field move mode')"
on_host2 'lab_type move go'
check "on host2 it ends" lab_wait 60 on_host2 'lab_gone move'
check "it has found no error" on_host2 "grep -q '^# steady ok' $arrived_log"
rounds=$(on_host2 "cat $arrived_log" | tr -d '\r' | sed -n 's/^# steady ok after //p')
note "$rounds rounds"
check "on host2 nothing is left" lab_wait 60 on_host2 'xl_nothing'
check_equal "host1 sees what the guest wrote" "$(xl_wanted $((7 + rounds)))" "$(xl_bytes move)"
check "the file is sound" pflashctl check $xl_dir/move.fd
lab_done
