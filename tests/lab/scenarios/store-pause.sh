# SPDX-License-Identifier: BSD-2-Clause
# about: a full disk under a writing guest: the guest is paused and continues, or reads errors in the status register
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# timeout: 300
. /lab/lib.sh

mount -t tmpfs -o size=1m tmpfs /mnt || lab_die "no tmpfs"

fill() {
    dd if=/dev/zero of=/mnt/filler bs=4096 2>/dev/null
    check_equal "the disk is full" 0 \
        "$(df -k /mnt | awk 'NR == 2 { print $4 }')"
}

# statuses NAME BYTE: how often the guest read this byte
statuses() {
    grep -c "^r [0-9a-f]* 1 $2\$" "$(lab_log "$1")"
}

words="test=random seed=7 count=1500"

# Paused: no write is lost; the guest waits for the new pflashd.
lab_guest one "$words" || lab_die "no guest"
lab_flash one /mnt/one.fd --layout 2m --on-error pause ||
    lab_die "pflashd did not attach"
fill
xl unpause one
check "the guest is paused" lab_wait 60 lab_paused one
check_equal "the log says why, once" 1 \
    "$(grep -c 'one.fd.journal: .*No space left on device; the flash is read-only' /tmp/one.pflashd)"
check_equal "pflashd logs the pause" 1 "$(grep -c 'the guest is paused: make room' /tmp/one.pflashd)"
shown=$(wc -c <"$(lab_log one)")
sleep 2
check_equal "the paused guest does not run" "$shown" "$(wc -c <"$(lab_log one)")"
check "the guest has not reached its end" sh -c "! grep -q '^# end' '$(lab_log one)'"
pflashctl export /mnt/one.fd /tmp/before.fd
check_equal "the file can be read while the disk is full" 0 $?
rm /mnt/filler
kill "$(cat /tmp/one.pid)"
lab_flash_end one
check_equal "the server that had failed says so in the end" 1 $?
check "with room its state is saved" sh -c "! grep -q 'state could not be saved' /tmp/one.pflashd"
pflashctl export /mnt/one.fd /tmp/after.fd
check "pflashd's end does not change the image" cmp /tmp/before.fd /tmp/after.fd
lab_flash one /mnt/one.fd --layout 2m --on-error pause ||
    lab_die "the new pflashd did not attach"
check "the guest waits until it is unpaused" lab_paused one
xl unpause one
check "the guest continues to its end" lab_finish one 100
check "the new pflashd ends without an error" lab_flash_end one
check "the file has the later writes" sh -c "! cmp -s /mnt/one.fd /tmp/after.fd"
check "file and journal are sound" pflashctl export /mnt/one.fd /tmp/end.fd
check "the file alone is the image" cmp /mnt/one.fd /tmp/end.fd
rm -f /mnt/one.*

# Reported to the guest: the same accesses with room and without.
lab_guest room "$words" || lab_die "no guest"
lab_flash room /mnt/room.fd --layout 2m || lab_die "pflashd did not attach"
xl unpause room
check "with room: the guest reaches its end" lab_finish room 100
check "with room: pflashd ends without an error" lab_flash_end room
rm -f /mnt/room.*

lab_guest full "$words" || lab_die "no guest"
lab_flash full /mnt/full.fd --layout 2m --on-error report ||
    lab_die "pflashd did not attach"
fill
xl unpause full
check "full: the guest is not paused and reaches its end" lab_finish full 100
lab_flash_end full
check_equal "full: the server says in the end that it had failed" 1 $?
check_equal "full: the log says why, once" 1 \
    "$(grep -c 'No space left on device; the flash is read-only' /tmp/full.pflashd)"
note "status 90 was read $(statuses room 90) times with room, $(statuses full 90) times without"
check "full: the guest has read SR.4" \
    test "$(statuses full 90)" -gt "$(statuses room 90)"
pflashctl export /mnt/full.fd /tmp/full.fd
check_equal "full: the file can be read" 0 $?
check "full: the image differs from the one with room" sh -c "! cmp -s /tmp/full.fd /tmp/end.fd"
lab_done
