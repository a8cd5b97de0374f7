# SPDX-License-Identifier: BSD-2-Clause
# A block device that two Xen hosts share: host1 is the target of iSCSI, the kernel's
# LIO, and both are initiators. Sourced after hosts.sh; the scenarios need
#   modules: configfs crct10dif_common crct10dif_generic crc-t10dif crc32c_generic scsi_common
#   modules: target_core_mod target_core_file iscsi_target_mod
#   modules: scsi_mod scsi_transport_iscsi libiscsi libiscsi_tcp iscsi_tcp
#   modules: crc64 crc64-rocksoft t10-pi sd_mod
#   programs: iscsistart sg_persist

block_name=iqn.2026-12.example:flash
block_size=33554432
block_device=/dev/sda
block_target=/sys/kernel/config/target

# block_serve: host1 has the target, with a disk in memory
block_serve() {
    mkdir -p /var/target/pr
    truncate -s $block_size /tmp/shared.img
    mount -t configfs configfs /sys/kernel/config || lab_die "no configfs"
    mkdir -p $block_target/core/fileio_0/flash || lab_die "no target"
    echo "fd_dev_name=/tmp/shared.img,fd_dev_size=$block_size" \
        >$block_target/core/fileio_0/flash/control
    echo 1 >$block_target/core/fileio_0/flash/enable || lab_die "no disk"
    mkdir -p $block_target/iscsi
    block_group=$block_target/iscsi/$block_name/tpgt_1
    mkdir $block_target/iscsi/$block_name && mkdir $block_group &&
        mkdir $block_group/lun/lun_0 || lab_die "no target"
    ln -s $block_target/core/fileio_0/flash $block_group/lun/lun_0/flash
    mkdir $block_group/np/10.0.0.1:3260 || lab_die "no portal"
    for block_line in 0:authentication 1:generate_node_acls \
        0:demo_mode_write_protect 1:cache_dynamic_acls; do
        echo ${block_line%%:*} >"$block_group/attrib/${block_line#*:}"
    done
    echo 1 >$block_group/enable || lab_die "the target does not start"
}

# block_login: this host has the disk as $block_device
block_login() {
    iscsistart -i "iqn.2026-12.example:$(hostname)" -t $block_name -g 1 \
        -a 10.0.0.1 >/tmp/iscsi.log 2>&1 || cat /tmp/iscsi.log
    lab_wait 20 test -b $block_device
}

# block_share: both hosts have the disk
block_share() {
    block_serve
    block_login || lab_die "host1 has no disk"
    on_host2 '. /lab/hostsblock.sh; block_login' || lab_die "host2 has no disk: $hosts_said"
}
