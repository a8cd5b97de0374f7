# SPDX-License-Identifier: BSD-2-Clause
# about: a block device has one user that may write: not by another node of it, under a mount, or with a device on top
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# modules: loop dm-mod crc16 crc32c_generic mbcache jbd2 ext4
# programs: dmsetup mkfs.ext4
# slow: a dozen attempts, a kill, an upgrade and a save
# timeout: 300
. /lab/lib.sh

lab_require
# device NUMBER: a loop device of 20 MiB
device() {
    truncate -s 20M "/tmp/disk$1"
    [ -e "/dev/loop$1" ] || mknod "/dev/loop$1" b 7 "$1"
    losetup "/dev/loop$1" "/tmp/disk$1" || lab_die "no loop device"
}

# refused TEXT DEVICE WORDS: pflashd does not attach, with exit 4 and these words
refused() {
    pflashd --domain two --vars "$2" --layout 2m --foreground 3>&- >/tmp/two.pflashd 2>&1
    check_equal "$1: exit 4" 4 $?
    check "$1: the refusal says why" grep -q "in use by $3" /tmp/two.pflashd
    note "$(tail -n 1 /tmp/two.pflashd)"
}

for n in 0 1 2 3; do
    device $n
done
mknod /tmp/other b 7 0
pflashctl create --device --layout 2m /dev/loop0 || lab_die "not prepared"
lab_guest one 'test=steady seed=5 control=xenstore' || lab_die "no guest"
lab_guest two test=hole || lab_die "no guest"
check "pflashd attaches the device" lab_flash one /dev/loop0 --restarts 100
xl unpause one
check "the guest writes" lab_expect one 60 '^# round'

# others WHEN: nothing else may write the device
others() {
    refused "$1, the other node" /tmp/other "pid $(cat /tmp/one.pid) (pflashd --domain one"
    check "$1: no file system can be made" sh -c '! mkfs.ext4 -q -F /dev/loop0 2>/tmp/mkfs'
    check "$1: no device can be put on top" sh -c \
        '! echo "0 40960 linear 7:0 0" | dmsetup create top 2>/dev/null'
    check "$1: it can be read by either node" sh -c \
        'pflashctl export /tmp/other /tmp/a.fd && pflashctl check /dev/loop0 >/dev/null'
    check "$1: pflashctl is refused" sh -c \
        'pflashctl vars set --hex 01 /tmp/other EfiGlobalVariable:Foo 2>&1 | grep "in use by pid"'
    check "$1: changes can be queued" \
        pflashctl vars set --next-start --hex 02 /tmp/other EfiGlobalVariable:Bar
}

others "attached"
worker=$(lab_worker "$(cat /tmp/one.pid)")
kill -9 "$worker"
check "the next worker serves the guest" lab_wait 30 lab_replaced one "$worker"
others "worker killed"
check "pflashctl upgrades pflashd" pflashctl upgrade one
check "it serves the guest" lab_wait 30 lab_state one running
others "upgraded"
check "xl saves the guest, which goes on" xl save -c one /tmp/one.save
rm -f /tmp/one.save
lab_mark one
check "it writes" lab_expect one 60 '^# round'
others "saved"
lab_type one go
check "the guest has found no error" lab_expect one 60 '^# steady ok'
xl destroy one 2>/dev/null
check "pflashd ends without an error" lab_flash_end one
check "then the other node is free" lab_flash two /tmp/other
kill "$(lab_field two pid)"
check "and pflashd detaches" lab_flash_end two

# --- other users of a device ---

mkfs.ext4 -q -F /dev/loop1 && mount -t ext4 /dev/loop1 /mnt || lab_die "no ext4"
pflashctl create --device --layout 2m /dev/loop1 >/tmp/create 2>&1
check_equal "a mounted device is refused: exit 4" 4 $?
check "the refusal says where it is mounted" grep -q "in use by the file system at /mnt" /tmp/create
note "$(cat /tmp/create)"
umount /mnt
pflashctl create --device --layout 2m /dev/loop2 || lab_die "not prepared"
echo "0 40960 linear 7:2 0" | dmsetup create flash || lab_die "no map"
[ -e /dev/dm-0 ] || mknod /dev/dm-0 b "$(dmsetup info -c --noheadings -o major flash)" 0
mknod /tmp/flash b "$(dmsetup info -c --noheadings -o major flash)" 0
refused "a device below another one" /dev/loop2 "the device dm-0 (flash)"
check "pflashd attaches the upper one" lab_flash two /tmp/flash
lab_guest three test=hole || lab_die "no guest"
pflashd --domain three --vars /dev/dm-0 --foreground 3>&- >/tmp/three.pflashd 2>&1
check_equal "by its other name it is in use" 4 $?
note "$(tail -n 1 /tmp/three.pflashd)"
check "the map cannot be removed" sh -c '! dmsetup remove flash 2>/dev/null'
kill "$(lab_field two pid)"
check "pflashd ends" lab_flash_end two
check "then it can be" dmsetup remove flash
# A process without pflashd's lock.
(exec 8<>/dev/loop3 && sleep 100) &
holder=$!
pflashctl create --device --layout 2m /dev/loop3
check_equal "a process that has not claimed the device is no user" 0 $?
kill $holder
lab_done
