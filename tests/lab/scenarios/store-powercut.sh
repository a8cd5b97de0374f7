# SPDX-License-Identifier: BSD-2-Clause
# about: an ext4 loses its power at many points under a writing guest; each time the file has all answered bursts
# needs: build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: tests/lab/store.sh tests/lab/powercut.sh build/lab/logwrites
# modules: crc16 crc32c_generic mbcache jbd2 ext4 loop dm-mod dm-log-writes
# programs: dmsetup mkfs.ext4
# slow: it mounts dozens of file systems
# timeout: 600
. /lab/lib.sh
. /lab/store.sh
. /lab/powercut.sh

lab_require
words="test=random seed=31 count=600"
store_reference "$words"
store_history burst
powercut_begin

# A mark has the accesses that pflashd had answered by then.
lab_guest one "$words" || lab_die "no guest"
lab_flash one /mnt/one.fd --layout 2m --sync burst ||
    lab_die "pflashd did not attach"
xl unpause one
lab_expect one 60 '^w ' || lab_die "the guest does not write"
until grep -q '^# end' "$(lab_log one)"; do
    powercut_mark "$(lab_log one)"
done
check "pflashd ends well" lab_flash_end one
powercut_end

# holds ENTRY: true if the disk has all bursts answered before that entry
holds() {
    holds_told=$(powercut_told "$1")
    if [ ! -e /mnt/one.fd ]; then
        [ -z "$holds_told" ]
        return
    fi
    store_holds /mnt/one.fd burst && test "$store_number" -ge "${holds_told:-0}"
}

powercut_all 30
lab_done
