# SPDX-License-Identifier: BSD-2-Clause
# about: the disk below an ext4 fails under a writing guest; after its repair the file has all answered bursts
# needs: build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: tests/lab/store.sh
# modules: crc16 crc32c_generic mbcache jbd2 ext4 loop dm-mod dm-flakey
# programs: dmsetup mkfs.ext4
# slow: it writes until an ext4 reports an error
# timeout: 400
. /lab/lib.sh
. /lab/store.sh

lab_require
words="test=random seed=11 count=1200"
store_reference "$words"
store_history burst

sectors=32768
ln -sf /proc/mounts /etc/mtab
truncate -s $((sectors * 512)) /tmp/disk.img
mknod /dev/loop0 b 7 0 2>/dev/null
losetup /dev/loop0 /tmp/disk.img || lab_die "no loop device"

# table TARGET [OPTION...]: sets the device-mapper target between the file system
# and its disk. Pending writes of the file system go to the new target.
table() {
    lab_target=$1
    shift
    dmsetup --noudevsync suspend --noflush --nolockfs disk &&
        dmsetup --noudevsync reload disk \
            --table "0 $sectors $lab_target /dev/loop0 0 $*" &&
        dmsetup --noudevsync resume disk
}

dmsetup --noudevsync create disk --table "0 $sectors linear /dev/loop0 0" ||
    lab_die "no device-mapper"
mkfs.ext4 -q /dev/dm-0 || lab_die "no ext4"
mount -t ext4 /dev/dm-0 /mnt || lab_die "it can't be mounted"

lab_guest one "$words" || lab_die "no guest"
lab_flash one /mnt/one.fd --layout 2m --sync burst --on-error pause ||
    lab_die "pflashd did not attach"
xl unpause one
lab_expect one 90 '^w .*' || lab_die "the guest does not write"
lab_wait 30 sh -c 'test "$(wc -l <'"$(lab_log one)"')" -gt 500'
table flakey 0 1 1 error_writes || lab_die "no flakey target"
check "the guest is paused" lab_wait 60 lab_paused one
check_equal "the log says that the sync has failed, once" 1 \
    "$(grep -c '/mnt/one.fd.journal: fdatasync: Input/output error; the flash is read-only from now on$' /tmp/one.pflashd)"
sleep 1
store_accesses "$(lab_log one)" >/tmp/one.accesses
check "the guest was stopped before its end" \
    test "$(wc -l </tmp/one.accesses)" -lt "$(wc -l </tmp/reference)"
kill "$(cat /tmp/one.pid)"
lab_flash_end one
check_equal "the server says in the end that it had failed" 1 $?

# Unmount while the disk still fails: ext4 must write nothing late.
umount /mnt
table linear || lab_die "the disk can't be mended"
mount -t ext4 /dev/dm-0 /mnt || lab_die "it can't be mounted again"
store_check "mended" /mnt/one.fd /tmp/one.accesses burst
note "$(wc -l </tmp/one.accesses) accesses: point $store_number, $store_ahead bursts later than the last answer"
check "the file has more than 20 points in time" test "$store_number" -gt 20

lab_flash one /mnt/one.fd --layout 2m || lab_die "the new pflashd did not attach"
xl unpause one
check "the guest continues to its end" lab_finish one 150
check "the new pflashd ends without an error" lab_flash_end one
check "file and journal are sound" pflashctl export /mnt/one.fd /tmp/end.fd
check "the file alone is the image" cmp /mnt/one.fd /tmp/end.fd
lab_done
