# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts that share a complete device by NBD: live migration in the middle of a command, a dead host
# needs: block net build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# needs: tests/lab/hostsblock.sh tests/lab/store.sh
# modules: nbd
# programs: nbd-server nbd-client
# hosts: 2
# slow: two machines
# timeout: 600
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
nbd_share
block_config
check "pflashctl prepares the device" pflashctl create --device --layout 2m $block_device
check "host2 sees it" on_host2 "pflashctl check $block_device"
block_moves

pflashctl create --device --reset --layout 2m $block_device 2>/dev/null
block_writes "$words"
hosts_power_cut
store_accesses /tmp/one.console >/tmp/one.accesses
lab_guest other test=hole || lab_die "no guest on host1"
block_takeover
lab_done
