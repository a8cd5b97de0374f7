# SPDX-License-Identifier: BSD-2-Clause
# about: the commit of a burst on host2, whose storage is on host1: NFS, iSCSI and NBD, with a disk in its own memory as 1
# needs: block net build/pflashd build/pflashctl build/pflash-bench
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# needs: tests/lab/hostsblock.sh
# modules: sunrpc auth_rpcgss grace lockd nfs_acl nfsd netfs fscache nfs dns_resolver nfsv4
# modules: configfs crct10dif_common crct10dif_generic crc-t10dif crc32c_generic scsi_common
# modules: target_core_mod target_core_file iscsi_target_mod
# modules: scsi_mod scsi_transport_iscsi libiscsi libiscsi_tcp iscsi_tcp
# modules: crc64 crc64-rocksoft t10-pi sd_mod nbd
# programs: rpc.nfsd rpc.mountd exportfs nfsdcld iscsistart sg_persist nbd-server nbd-client
# hosts: 2
# slow: figures, two machines
# timeout: 600
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh
. /lab/hostsblock.sh

hosts_start
hosts_share
block_share
nbd_share
places="/dev/loop0 $xl_dir/nfs.fd /dev/sda /dev/nbd0"
on_host2 "truncate -s 32M /tmp/own.img && losetup /dev/loop0 /tmp/own.img && \
pflashctl create --layout 4m $xl_dir/nfs.fd && for device in /dev/loop0 /dev/sda /dev/nbd0; \
do pflashctl create --device --layout 4m \$device || exit; done" || lab_die "no flashes: $hosts_said"
check "all places are measured" on_host2 \
    "pflash-bench places --count 40 --rounds 9 $places"
printf '%s\n' "$hosts_said" | while read -r line; do note "$line"; done
check_equal "all have the same bursts" 1 "$(on_host2 "for place in $places; \
do pflashctl export \$place /tmp/copy.fd && sha256sum /tmp/copy.fd && rm /tmp/copy.fd; done" | sort -u | wc -l)"
lab_done
