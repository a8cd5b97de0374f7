# SPDX-License-Identifier: BSD-2-Clause
# An ext4, or a device without a file system, on a disk whose writes are logged, in the order in which they left its
# cache, and the disk after a power cut at many points. Sourced by the scenarios
# of power cuts; they need
#   modules: crc16 crc32c_generic mbcache jbd2 ext4 loop dm-mod dm-log-writes
#   programs: dmsetup mkfs.ext4
# and build/lab/logwrites.

# powercut_begin [SECTORS]: mounts the disk at /mnt; with SECTORS it has that size
# and no file system, and is /dev/dm-0
powercut_begin() {
    powercut_raw=${1:-}
    powercut_sectors=${1:-32768}
    ln -sf /proc/mounts /etc/mtab
    truncate -s $((powercut_sectors * 512)) /tmp/disk.img
    truncate -s 64M /tmp/log.img
    losetup /dev/loop0 /tmp/disk.img && losetup /dev/loop1 /tmp/log.img ||
        lab_die "no loop devices"
    [ -n "$powercut_raw" ] ||
        mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/loop0 ||
        lab_die "no ext4"
    sync
    cp /tmp/disk.img /tmp/past.img
    dmsetup --noudevsync create disk \
        --table "0 $powercut_sectors log-writes /dev/loop0 /dev/loop1" ||
        lab_die "no dm-log-writes"
    [ -n "$powercut_raw" ] || mount -t ext4 /dev/dm-0 /mnt ||
        lab_die "it can't be mounted"
    powercut_marks=0
}

# powercut_mark FILE: notes in the log of the disk that FILE tells what was
# answered until now; keeps a copy of FILE
powercut_mark() {
    cp "$1" /tmp/mark.$powercut_marks
    dmsetup message disk 0 mark $powercut_marks ||
        lab_die "the log takes no mark"
    powercut_marks=$((powercut_marks + 1))
}

# powercut_end: unmounts the disk and reads the log
powercut_end() {
    [ -n "$powercut_raw" ] || umount /mnt
    dmsetup --noudevsync remove disk || lab_die "the log can't be closed"
    logwrites /tmp/log.img >/tmp/entries || lab_die "the log can't be read"
    note "$(wc -l </tmp/entries) entries, $(grep -c -e ' flush' -e ' fua' /tmp/entries) barriers, $powercut_marks marks"
}

# powercut_marked ENTRY: the number of the last mark before this entry, or nothing
powercut_marked() {
    awk -v entry="$1" '
        $1 < entry && $(NF - 1) == "mark" && $NF ~ /^[0-9]*$/ { mark = $NF }
        END { print mark }' /tmp/entries
}

# powercut_told ENTRY: the last burst answered before this entry, where the marks
# are logs of a guest; empty if pflashd was not ready yet. The last line of a mark
# may be incomplete. Needs store.sh
powercut_told() {
    told_mark=$(powercut_marked "$1")
    [ -n "$told_mark" ] || return
    if [ ! -e "/tmp/told.$told_mark" ]; then
        sed '$d' "/tmp/mark.$told_mark" >/tmp/mark
        store_accesses /tmp/mark >/tmp/mark.accesses
        store_answered /tmp/mark.accesses burst >"/tmp/told.$told_mark"
    fi
    cat "/tmp/told.$told_mark"
}

# powercut_at ENTRY TEXT: checks /tmp/now.img, a disk whose power failed at that
# entry: `holds ENTRY` of the scenario decides, and sets store_number to the point
# in time that was found and holds_told to the least one that is allowed
powercut_at() {
    [ -n "$powercut_raw" ] || mount -t ext4 -o loop /tmp/now.img /mnt ||
        { not_ok "$2 $1: the file system can't be mounted" && return; }
    if holds "$1"; then
        good=$((good + 1))
        echo "$2 $1: ${store_number:-no file}, at least ${holds_told:-none}" |
            tee -a /tmp/cuts
    else
        not_ok "$2 $1: number ${store_number:-none}, at least ${holds_told:-0}"
    fi
    store_number=
    [ -n "$powercut_raw" ] || umount /mnt
}

# powercut_all POINTS: cuts the power at about so many flushes, before and behind
# each of them. Flushes, and writes that bypass the cache, make data durable. They
# come in pairs: the stride is odd.
powercut_all() {
    barriers=$(awk '/ flush| fua/ { print $1 }' /tmp/entries)
    stride=$(($(echo "$barriers" | wc -l) / $1 / 2 * 2 + 1))
    at=0 good=0 cuts=0
    for barrier in $(echo "$barriers" | awk -v n=$stride 'NR % n == 0'); do
        # Before the end of the flush any write in the cache may be missing.
        cp /tmp/past.img /tmp/now.img
        logwrites /tmp/log.img /tmp/now.img $at "$barrier" lose "$barrier" ||
            lab_die "the log can't be replayed"
        powercut_at "$barrier" "before barrier"
        # After its end all of them are on the disk, and no later write is.
        logwrites /tmp/log.img /tmp/past.img $at $((barrier + 1)) ||
            lab_die "the log can't be replayed"
        at=$((barrier + 1))
        cp /tmp/past.img /tmp/now.img
        powercut_at $at "behind barrier"
        cuts=$((cuts + 2))
    done
    check_equal "at each of $cuts points the file has what was answered" \
        $cuts $good
    check "there were enough points" test $cuts -ge "$1"
    numbers=$(sed 's/.*: \([0-9]*\), .*/\1/' /tmp/cuts | sort -u | wc -l)
    note "$numbers different images, told of $(sed 's/.*least //' /tmp/cuts | sort -u | wc -l)"
    check "the points were at different bursts" test "$numbers" -ge 10
    lab_export /tmp/cuts
}
