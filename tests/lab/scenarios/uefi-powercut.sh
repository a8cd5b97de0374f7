# SPDX-License-Identifier: BSD-2-Clause
# about: an ext4 loses its power at many points under UEFI firmware that sets variables; each time they are what the firmware was told
# needs: firmware build/pflashd build/pflashctl
# needs: tests/lab/uefi.sh tests/lab/store.sh tests/lab/powercut.sh build/lab/logwrites
# modules: crc16 crc32c_generic mbcache jbd2 ext4 loop dm-mod dm-log-writes
# programs: dmsetup mkfs.ext4
# slow: it mounts dozens of file systems
# timeout: 1500
. /lab/lib.sh
. /lab/store.sh
. /lab/uefi.sh
. /lab/powercut.sh

# With --sync variable, the default, a burst may be missing that the guest knows
# of, but then it has changed no variable.
lab_require
powercut_begin

# watch: marks the number of answered bursts, again and again
watch() {
    while [ ! -e /tmp/stop ]; do
        lab_field one bursts >/tmp/bursts
        [ ! -s /tmp/bursts ] || powercut_mark /tmp/bursts
        sleep 0.2
        echo $powercut_marks >/tmp/marks
    done
}

lab_create one 'kernel = "/lab/OVMF_XEN.fd"' 'memory = 256' ||
    lab_die "no guest"
lab_flash one /mnt/one.fd --base 0xffe00000 --layout 2m --history 64M \
    --code /lab/OVMF_XEN.fd || lab_die "pflashd did not attach"
check "the log names the mode" grep -q 'sync: variable' /tmp/one.pflashd
watch &
watcher=$!
uefi_shell one
for value in 1 2 3 4 5 6 7 8; do
    uefi_command one "setvar LabVar -guid $UEFI_GUID -bs -nv =0x$value$value"
done
bursts=$(lab_field one bursts) syncs=$(lab_field one syncs)
touch /tmp/stop
wait $watcher
powercut_marks=$(cat /tmp/marks)
uefi_destroy one
note "$bursts bursts, $syncs syncs"
check "most bursts were not synced" test "$syncs" -lt $((bursts / 2))
cp /mnt/one.fd /mnt/one.fd.journal /tmp/ || lab_die "no file"
powercut_end
# The points in time are those of this guest, from the empty store on.
store_points /tmp/one.fd >/tmp/points
check_equal "the history has every burst" 1 \
    $(($(wc -l </tmp/points) >= bursts + 1))

# told ENTRY: the number of the last burst answered before this entry
told() {
    told_mark=$(powercut_marked "$1")
    [ -n "$told_mark" ] || return
    sed -n "$(($(cat "/tmp/mark.$told_mark") + 1))p" /tmp/points
}

# same_variables NUMBER NUMBER: the points in time have the same variables
same_variables() {
    pflashctl diff --at "$1" --to "$2" /tmp/one.fd >/tmp/diff &&
        ! grep -qv '^[0-9]* bytes differ$' /tmp/diff
}

# holds ENTRY: true if the disk has an image that the flash had, with the
# variables of the last burst that was answered, or later ones
holds() {
    holds_told=$(told "$1")
    if [ ! -e /mnt/one.fd ]; then
        [ -z "$holds_told" ]
        return
    fi
    store_holds /mnt/one.fd one || return
    test "$store_number" -ge "${holds_told:-0}" && return
    older=$((${older:-0} + 1))
    same_variables "$store_number" "$holds_told"
}

powercut_all 30
note "at ${older:-0} points bursts were missing that changed no variable"
check "there were such points" test "${older:-0}" -gt 0
lab_done
