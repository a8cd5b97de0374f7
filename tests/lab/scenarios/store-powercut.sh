# SPDX-License-Identifier: BSD-2-Clause
# about: an ext4 loses its power at many points under a writing guest; each time the file has all answered bursts
# needs: build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: tests/lab/store.sh build/lab/logwrites
# modules: crc16 crc32c_generic mbcache jbd2 ext4 loop dm-mod dm-log-writes
# programs: dmsetup mkfs.ext4
# slow: it mounts dozens of file systems
# timeout: 600
. /lab/lib.sh
. /lab/store.sh

lab_require
points=30
words="test=random seed=31 count=600"
store_reference "$words"
store_history burst

# dm-log-writes logs all writes to the disk, in the order in which they left its
# cache.
sectors=32768
ln -sf /proc/mounts /etc/mtab
truncate -s $((sectors * 512)) /tmp/disk.img
truncate -s 64M /tmp/log.img
losetup /dev/loop0 /tmp/disk.img && losetup /dev/loop1 /tmp/log.img ||
    lab_die "no loop devices"
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/loop0 ||
    lab_die "no ext4"
sync
cp /tmp/disk.img /tmp/past.img
dmsetup --noudevsync create disk \
    --table "0 $sectors log-writes /dev/loop0 /dev/loop1" ||
    lab_die "no dm-log-writes"
mount -t ext4 /dev/dm-0 /mnt || lab_die "it can't be mounted"

# A mark in the log has the accesses that pflashd had answered by then.
lab_guest one "$words" || lab_die "no guest"
lab_flash one /mnt/one.fd --layout 2m || lab_die "pflashd did not attach"
xl unpause one
mark=0
lab_expect one 60 '^w ' || lab_die "the guest does not write"
until grep -q '^# end' "$(lab_log one)"; do
    cp "$(lab_log one)" /tmp/mark.$mark
    dmsetup message disk 0 mark $mark || lab_die "the log takes no mark"
    mark=$((mark + 1))
done
check "pflashd ends well" lab_flash_end one
umount /mnt
dmsetup --noudevsync remove disk || lab_die "the log can't be closed"
logwrites /tmp/log.img >/tmp/entries || lab_die "the log can't be read"
note "$(wc -l </tmp/entries) entries, $(grep -c -e ' flush' -e ' fua' /tmp/entries) barriers, $mark marks"

# told ENTRY: the last burst answered before this entry; empty if pflashd was not
# ready yet. The last line of a mark may be incomplete.
told() {
    told_mark=$(awk -v entry="$1" '
        $1 < entry && $(NF - 1) == "mark" && $NF ~ /^[0-9]*$/ { mark = $NF }
        END { print mark }' /tmp/entries)
    [ -n "$told_mark" ] || return
    if [ ! -e "/tmp/told.$told_mark" ]; then
        sed '$d' "/tmp/mark.$told_mark" >/tmp/mark
        store_accesses /tmp/mark >/tmp/mark.accesses
        store_answered /tmp/mark.accesses burst >"/tmp/told.$told_mark"
    fi
    cat "/tmp/told.$told_mark"
}

# holds ENTRY: true if the disk has all bursts answered before that entry
holds() {
    holds_told=$(told "$1")
    if [ ! -e /mnt/one.fd ]; then
        [ -z "$holds_told" ]
        return
    fi
    store_holds /mnt/one.fd burst && test "$store_number" -ge "${holds_told:-0}"
}

# cut_at ENTRY TEXT: checks /tmp/now.img, a disk whose power failed at that entry
cut_at() {
    mount -t ext4 -o loop /tmp/now.img /mnt ||
        { not_ok "$2 $1: the file system can't be mounted" && return; }
    if holds "$1"; then
        good=$((good + 1))
        echo "$2 $1: ${store_number:-no file}, at least ${holds_told:-none}" |
            tee -a /tmp/cuts
    else
        not_ok "$2 $1: number ${store_number:-none}, at least ${holds_told:-0}"
    fi
    store_number=
    umount /mnt
}

# Flushes, and writes that bypass the cache, make data durable. They come in pairs:
# the stride is odd.
barriers=$(awk '/ flush| fua/ { print $1 }' /tmp/entries)
stride=$(($(echo "$barriers" | wc -l) / points / 2 * 2 + 1))
at=0 good=0 cuts=0
for barrier in $(echo "$barriers" | awk -v n=$stride 'NR % n == 0'); do
    # Before the end of the flush any write in the cache may be missing.
    cp /tmp/past.img /tmp/now.img
    logwrites /tmp/log.img /tmp/now.img $at "$barrier" lose "$barrier" ||
        lab_die "the log can't be replayed"
    cut_at "$barrier" "before barrier"
    # After its end all of them are on the disk, and no later write is.
    logwrites /tmp/log.img /tmp/past.img $at $((barrier + 1)) ||
        lab_die "the log can't be replayed"
    at=$((barrier + 1))
    cp /tmp/past.img /tmp/now.img
    cut_at $at "behind barrier"
    cuts=$((cuts + 2))
done
check_equal "at each of $cuts points the file has all answered bursts" $cuts $good
check "there were enough points" test $cuts -ge $points
numbers=$(sed 's/.*: \([0-9]*\), .*/\1/' /tmp/cuts | sort -u | wc -l)
note "$numbers different images, told of $(sed 's/.*least //' /tmp/cuts | sort -u | wc -l)"
check "the points were at different bursts" test "$numbers" -ge 10
lab_export /tmp/cuts
lab_done
