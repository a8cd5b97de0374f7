# SPDX-License-Identifier: BSD-2-Clause
# about: an LVM snapshot below a writing guest has all bursts that were answered before it (docs/backup.md)
# needs: build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: tests/lab/store.sh
# modules: crc16 crc32c_generic mbcache jbd2 ext4 loop dm-mod dm-bufio dm-snapshot
# programs: lvm mkfs.ext4
# slow: make check has the recipe with a snapshot of btrfs
# timeout: 400
. /lab/lib.sh
. /lab/store.sh

lab_require
words="test=random seed=31 count=1500"
store_reference "$words"
store_history burst

# No udev makes the nodes in /dev here.
lv() {
    lab_command=$1
    shift
    lvm "$lab_command" --config 'activation { udev_sync=0 udev_rules=0
        verify_udev_operations=1 monitoring=0 } global { use_lvmpolld=0 }
        devices { external_device_info_source="none" use_devicesfile=0
        obtain_device_list_from_udev=0 }' "$@"
}

truncate -s 128M /tmp/disk.img
mknod /dev/loop0 b 7 0 2>/dev/null
losetup /dev/loop0 /tmp/disk.img || lab_die "no loop device"
lv pvcreate -q /dev/loop0 && lv vgcreate -q vg /dev/loop0 &&
    lv lvcreate -q -L 32M -n xen vg || lab_die "no logical volume"
mkfs.ext4 -q /dev/vg/xen && mount -t ext4 /dev/vg/xen /mnt ||
    lab_die "no ext4"

lab_guest one "$words" || lab_die "no guest"
lab_flash one /mnt/one.fd --layout 2m --sync burst --settle 3600 ||
    lab_die "pflashd did not attach"
xl unpause one

# snapshot NUMBER LINES: takes it when the guest has reported LINES accesses
snapshot() {
    lab_wait 90 sh -c "test \$(wc -l <$(lab_log one)) -gt $2" ||
        lab_die "the guest does not write"
    store_accesses "$(lab_log one)" >"/tmp/$1.accesses"
    check "$1: lvcreate --snapshot" lv lvcreate -q --snapshot --size 8M --name "xen-$1" vg/xen
}

for n in 1 2 3; do
    snapshot $n $((n * 400))
done
check "the guest runs to its end" lab_finish one 150
check "pflashd ends without an error" lab_flash_end one

for n in 1 2 3; do
    mkdir -p /tmp/s$n
    check "$n: the snapshot is mounted" mount -t ext4 /dev/vg/xen-$n /tmp/s$n
    check "$n: check finds it sound" pflashctl check /tmp/s$n/one.fd
    store_check "$n" /tmp/s$n/one.fd /tmp/$n.accesses burst
    note "$n: $(wc -l </tmp/$n.accesses) accesses: point $store_number, $store_ahead bursts later than the last answer"
done
check "the snapshots are of different moments" sh -c \
    '! cmp -s /tmp/s1/one.fd.journal /tmp/s2/one.fd.journal &&
     ! cmp -s /tmp/s2/one.fd.journal /tmp/s3/one.fd.journal'
lab_done
