# SPDX-License-Identifier: BSD-2-Clause
# A block device that two Xen hosts share, a disk in the memory of host1. Sourced after
# hosts.sh and store.sh. With iSCSI host1 is the target, the kernel's LIO, and both are
# initiators; the scenarios need
#   modules: configfs crct10dif_common crct10dif_generic crc-t10dif crc32c_generic scsi_common
#   modules: target_core_mod target_core_file iscsi_target_mod
#   modules: scsi_mod scsi_transport_iscsi libiscsi libiscsi_tcp iscsi_tcp
#   modules: crc64 crc64-rocksoft t10-pi sd_mod
#   programs: iscsistart sg_persist
# With NBD, nbd-server runs on host1; they need
#   modules: nbd
#   programs: nbd-server nbd-client

block_name=iqn.2026-12.example:flash
block_size=${block_size:-33554432}
block_device=/dev/sda
nbd_disk=/tmp/shared-nbd.img # or a block device
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

# nbd_serve: host1 has a server of NBD; without `flush` it would not sync
nbd_serve() {
    [ -b "$nbd_disk" ] || truncate -s $block_size "$nbd_disk"
    echo 'nbd 10809/tcp' >>/etc/services
    printf '[generic]\n[disk]\nexportname = %s\nflush = true\n' "$nbd_disk" >/tmp/nbd.conf
    nbd-server -C /tmp/nbd.conf 3>&- || lab_die "no nbd-server"
}

# nbd_login: this host has the disk as /dev/nbd0
nbd_login() {
    [ -e /dev/nbd0 ] || mknod /dev/nbd0 b 43 0
    lab_wait 20 nbd-client 10.0.0.1 -N disk -timeout 30 /dev/nbd0 >/tmp/nbd.log 2>&1 ||
        cat /tmp/nbd.log
    test "$(blockdev --getsize64 /dev/nbd0)" = $block_size
}

# block_share: both hosts have the disk, as $block_device
block_share() {
    block_serve
    block_login || lab_die "host1 has no disk"
    on_host2 '. /lab/hostsblock.sh; block_login' || lab_die "host2 has no disk: $hosts_said"
}

# nbd_share: the same, by NBD
nbd_share() {
    block_device=/dev/nbd0
    nbd_serve
    nbd_login || lab_die "host1 has no disk"
    on_host2 "block_size=$block_size; . /lab/hostsblock.sh; nbd_login" || lab_die "host2 has no disk: $hosts_said"
}

# block_config: both hosts have $block_device as the flash of all guests
block_config() {
    printf 'vars = %s\n' $block_device >/etc/xen/pflash/default.conf
    on_host2 "printf 'vars = $block_device\n' >/etc/xen/pflash/default.conf"
}

# block_moves: a guest migrates to host2 in the middle of a command
block_moves() {
    xl_config move pvh 'test=middle at=buffer seed=3 control=xenstore' 'memory = 32' \
        'shadow_memory = 8'
    xl_create move || lab_die "not created: $(cat /tmp/move.out)"
    xl_waits move 60 || lab_die "the guest does not reach its command"
    pflashctl mode move trap
    hosts_to_host2
    check_equal "the guest migrates to host2 in the middle of a command" 0 $migrate_status
    check "host1 has neither the guest nor a pflashd" lab_wait 30 xl_nothing
    on_host2 "lab_type move go"
    check "on host2 the guest ends" lab_wait 60 on_host2 'lab_gone move'
    check "on host2 the guest found the chip unchanged" on_host2 \
        "grep -q '^# middle ok' /var/log/xen/console/guest-move--incoming.log"
    check "on host2 nothing is left" lab_wait 30 on_host2 xl_nothing
    pflashctl export $block_device /tmp/bytes.fd
    check_equal "host1 sees what the guest wrote" "$(xl_wanted 3)" \
        "$(dd if=/tmp/bytes.fd bs=32 skip=2048 count=1 2>/dev/null | od -An -v -tx1 | tr -d ' \n')"
}

# block_writes WORDS: host2 has a guest that writes; its report is in /tmp/one.console
block_writes() {
    on_host2 "lab_guest one \"$1\" && lab_flash one $block_device --sync burst \
--settle 3600" || lab_die "no guest on host2: $hosts_said"
    on_host2 'xl unpause one'
    hosts_console one /tmp/one.console
    lab_wait 90 sh -c 'test "$(wc -l </tmp/one.console)" -gt 300' ||
        lab_die "the guest does not write"
}

# block_takeover: host2 is dead: host1 has the flash, with every answered burst
block_takeover() {
    block_start=$(lab_now)
    check "host1 starts the guest's flash" lab_flash other $block_device
    note "$(lab_since "$block_start") s"
    kill "$(lab_field other pid)"
    lab_flash_end other
    store_check "host2 died" $block_device /tmp/one.accesses burst
    note "$(wc -l </tmp/one.accesses) accesses: point $store_number, $store_ahead bursts later than the last answer that host1 has seen"
    xl destroy other
}
