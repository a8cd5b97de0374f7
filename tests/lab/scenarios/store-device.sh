# SPDX-License-Identifier: BSD-2-Clause
# about: a complete device loses its power at many points under a writing guest; each time it has all answered bursts
# needs: build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: tests/lab/store.sh tests/lab/powercut.sh build/lab/logwrites
# modules: loop dm-mod dm-log-writes
# programs: dmsetup
# slow: it reads dozens of disks
# timeout: 600
. /lab/lib.sh
. /lab/store.sh
. /lab/powercut.sh

lab_require
words="test=random seed=31 count=600"
store_reference "$words"
store_history burst
powercut_begin 40960
check "pflashctl prepares the device" pflashctl create --device --layout 2m /dev/dm-0

# A mark has the accesses that pflashd had answered by then.
lab_guest one "$words" || lab_die "no guest"
lab_flash one /dev/dm-0 --sync burst || lab_die "pflashd did not attach"
xl unpause one
lab_expect one 60 '^w ' || lab_die "the guest does not write"
check "pflashctl reads the device under the guest" pflashctl check /dev/dm-0
until grep -q '^# end' "$(lab_log one)"; do
    powercut_mark "$(lab_log one)"
done
check "pflashd ends well" lab_flash_end one
check "pflashd has made no file beside the device" sh -c "! ls /dev | grep -q '^dm-0\\.'"
powercut_end

# holds ENTRY: true if the disk has all bursts answered before that entry. A disk
# whose preparation was cut is no complete device. The file needs no other file.
holds() {
    holds_told=$(powercut_told "$1")
    if ! tail -c 4096 /tmp/now.img | grep -q PFLASHD1; then
        [ -z "$holds_told" ]
        return
    fi
    store_holds /tmp/now.img burst && test "$store_number" -ge "${holds_told:-0}"
}

powercut_all 30

# The last of these disks, on the other host.
losetup /dev/loop2 /tmp/now.img || lab_die "no loop device"
lab_guest two "test=random seed=31 count=2500" || lab_die "no guest"
check "another pflashd attaches the device" lab_flash two /dev/loop2 --sync burst
check "which has no other file" sh -c "! ls /dev | grep -q '^loop2\\.'"
filters() {
    sed -n 's/^Seccomp_filters:[[:space:]]*//p' "/proc/$1/status"
}
worker=$(lab_worker "$(cat /tmp/two.pid)")
check_equal "its worker has the filter of writes, too" 2 "$(filters "$worker")"
xl unpause two
lab_expect two 60 '^w ' || lab_die "the guest does not write"
kill -KILL "$worker"
check "after a crash of the worker another serves the device" lab_wait 60 lab_replaced two "$worker"
worker=$(lab_field two worker)
check_equal "with both filters" 2 "$(filters "$worker")"
check "upgrade" pflashctl upgrade two
check "another worker serves the device" lab_wait 60 lab_replaced two "$worker"
check_equal "also with both filters" 2 "$(filters "$(lab_field two worker)")"
check "its guest runs to its end" lab_finish two 100
check "and pflashd ends well" lab_flash_end two
check "the device is sound" pflashctl export /dev/loop2 /tmp/now.fd

# Changes for the next start are taken from the device.
truncate -s 20M /tmp/third.img
losetup /dev/loop3 /tmp/third.img || lab_die "no loop device"
pflashctl create --device --layout 2m /dev/loop3
check "a change is queued" pflashctl vars set --next-start --hex 0102 /dev/loop3 EfiGlobalVariable:Foo
lab_guest three "test=random seed=1 count=0" || lab_die "no guest"
check "pflashd attaches" lab_flash three /dev/loop3
check "it has applied the change" grep -q 'applied at start' /tmp/three.pflashd
check "a second pflashd is refused" sh -c \
    '! pflashd --domain three --vars /dev/loop3 --foreground >/tmp/second 2>&1'
check "a change can be queued while the guest has the device" \
    pflashctl vars set --next-start --hex 03 /dev/loop3 EfiGlobalVariable:Bar
check "other changes are refused" sh -c \
    'pflashctl vars set --hex 04 /dev/loop3 EfiGlobalVariable:Bar 2>&1 | grep "in use by pid"'
xl destroy three
check "pflashd ends with the guest" lab_flash_end three
check_equal "the variable is in the image" 0102 \
    "$(pflashctl vars get --format hex /dev/loop3 EfiGlobalVariable:Foo)"
check "the other change waits" sh -c 'pflashctl vars pending /dev/loop3 | grep -q Bar'
lab_done
