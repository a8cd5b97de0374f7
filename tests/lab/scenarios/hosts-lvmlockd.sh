# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts with a shared volume group, lvmlockd and sanlock: a flash on a logical volume that one host has; host2 dies, and host1 takes the volume
# needs: block net sanlock build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# needs: tests/lab/hostsblock.sh tests/lab/store.sh tests/lab/lvmlockd.sh
# modules: dm-mod nbd lzo_compress lzo_decompress lzo-rle zsmalloc zram
# programs: lvm lvmlockd nbd-server nbd-client
# hosts: 2
# slow: two machines, and a lease that runs out
# timeout: 800
block_size=$((400 << 20))
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh
. /lab/hostsblock.sh
. /lab/store.sh
. /lab/lvmlockd.sh

words="test=random seed=37 count=7000"
store_reference "$words"
store_history burst
hosts_start
lab_require
xl_setup
on_host2 'lab_require; xl_setup' >/dev/null
# lvmlockd writes 256 MiB of leases, most of it zeros: a disk in compressed memory
nbd_disk=/dev/zram0
[ -b $nbd_disk ] || mknod $nbd_disk b "$(cut -d: -f1 /sys/block/zram0/dev)" 0
echo $block_size >/sys/block/zram0/disksize || lab_die "no zram"
nbd_share
lockd_start 1 || lab_die "host1 has no lvmlockd"
on_host2 '. /lab/lvmlockd.sh; lockd_start 2' || lab_die "host2 has no lvmlockd: $hosts_said"
block_device=/dev/vg/web

lab_step "host1 makes a shared volume group"
lvm vgcreate --shared vg /dev/nbd0 || lab_die "no volume group"
lvm lvcreate -y --activate ey -L 24M -n web vg || lab_die "no logical volume"
check "pflashctl prepares the volume" pflashctl create --device --layout 2m $block_device
lab_step "host2 joins its locks"
# Without udev the volume of the leases has its node only when lvm ends.
lv_on_host2 vgchange --lock-start vg
check "host2 starts the locks of the group" lv_on_host2 vgchange --lock-start vg
note "$hosts_said"

# --- one host has the volume ---

lv_on_host2 lvchange --activate ey vg/web
check "host2 cannot activate what host1 has" test $? -ne 0
note "$hosts_said"
on_host2 "pflashctl check $block_device"
check "there is no device on host2" test $? -ne 0
check "host1 gives it up" lvm lvchange --activate n vg/web
lv_on_host2 lvchange --activate ey vg/web
check_equal "host2 activates it" 0 $hosts_status
[ $hosts_status = 0 ] || lab_die "host2: $hosts_said"
block_writes "$words"
lv_on_host2 lvchange --activate n vg/web
check "host2 cannot give up what its pflashd uses" test $? -ne 0
note "$hosts_said"
lvm lvchange --activate ey vg/web >/tmp/said 2>&1
check "host1 cannot activate what host2 has" test $? -ne 0
note "$(tail -n 1 /tmp/said)"

# --- host2 dies ---

hosts_power_cut
start=$(lab_now)
store_accesses /tmp/one.console >/tmp/one.accesses
lvm lvchange --activate ey vg/web >/tmp/said 2>&1
check "host1 is refused until the lease of host2 has run out" test $? -ne 0
note "$(tail -n 1 /tmp/said)"
lab_step "the lease of host2 runs out"
check "host1 activates the volume" lab_wait 200 lvm lvchange --activate ey vg/web
note "$(lab_since "$start") s after the power cut"
lab_guest other test=hole || lab_die "no guest on host1"
block_takeover
lab_done
