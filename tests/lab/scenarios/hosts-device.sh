# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts that share a complete device by iSCSI: fresh reads, live migration in the middle of a command, a dead host, SCSI-3 reservations
# needs: block net build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# needs: tests/lab/hostsblock.sh tests/lab/store.sh
# modules: configfs crct10dif_common crct10dif_generic crc-t10dif crc32c_generic scsi_common
# modules: target_core_mod target_core_file iscsi_target_mod
# modules: scsi_mod scsi_transport_iscsi libiscsi libiscsi_tcp iscsi_tcp
# modules: crc64 crc64-rocksoft t10-pi sd_mod
# programs: iscsistart sg_persist
# hosts: 2
# slow: two machines
# timeout: 900
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh
. /lab/hostsblock.sh
. /lab/store.sh

words="test=random seed=37 count=1500"
store_reference "$words"
store_history burst
hosts_start
lab_require
xl_setup
on_host2 'lab_require; xl_setup; lab_disk /tmp/move.img' >/dev/null
block_share
block_config
note "$(cat /sys/block/sda/device/model) $(cat /sys/block/sda/queue/write_cache)"

# --- what another host has written ---

check "pflashctl prepares the device" pflashctl create --device --layout 2m $block_device
check "host2 sees it" on_host2 "pflashctl check $block_device"
# As long as a process there has the device open, the kernel keeps what it has read.
on_host2 "sh -c 'exec 7<$block_device; cat <&7 >/dev/null; sleep 1000' </dev/null >/dev/null 2>&1 3>&- & sleep 2"
check "host1 sets a variable" pflashctl vars set --text new $block_device \
    12345678-1234-1234-1234-123456789abc:Fresh
check "host2 reads what host1 has written" on_host2 "pflashctl vars list $block_device | grep Fresh"
note "$hosts_said"

# --- live migration ---

block_moves

# --- reservations: host2 has the guest, and host1 tries to start it ---

persist() {
    sg_persist --out --no-inquiry "$@" $block_device
}
pflashctl create --device --reset --layout 2m $block_device 2>/dev/null ||
    note "create --reset: $?"
lab_step "host2 reserves the device"
check "host2 reserves the device" on_host2 \
    "sg_persist --out --no-inquiry --register --param-sark=0x2 $block_device && \
sg_persist --out --no-inquiry --reserve --param-rk=0x2 --prout-type=5 $block_device"
note "$hosts_said"
block_writes "$words"
lab_guest other test=hole || lab_die "no guest on host1"
check "host1 is refused while host2 has it reserved" sh -c \
    ". /lab/lib.sh; ! lab_flash other $block_device"
note "$(tail -n 1 /tmp/other.pflashd)"
check "host1 can read" pflashctl check $block_device

# --- host2 dies ---

hosts_power_cut
store_accesses /tmp/one.console >/tmp/one.accesses
check "host1 is refused still" sh -c ". /lab/lib.sh; ! lab_flash other $block_device"
check "host1 takes the reservation over" sh -c "
    sg_persist --out --no-inquiry --register --param-sark=0x1 $block_device &&
    sg_persist --out --no-inquiry --preempt --param-rk=0x1 --param-sark=0x2 --prout-type=5 $block_device"
block_takeover
lab_done
