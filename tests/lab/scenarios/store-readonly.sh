# SPDX-License-Identifier: BSD-2-Clause
# about: --read-only: the guest reads errors in the status register, no file changes, and the guest sees bursts of the journal
# needs: build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# timeout: 300
. /lab/lib.sh

# state FILE...: contents, sizes and times
state() {
    sha256sum "$@" && stat -c '%n %s %y' "$@"
}

# statuses NAME BYTE: how often the guest read this byte
statuses() {
    grep -c "^r [0-9a-f]* 1 $2\$" "$(lab_log "$1")"
}

# log_of NAME: pflashd's log without names, and without the sync mode, which --read-only has none of
log_of() {
    sed -e 's/^pflashd: [^:]*: //' -e '/^sync: /d' "/tmp/$1.pflashd"
}

# erase_status NAME: the four status bytes that the guest read after its erase
erase_status() {
    grep -A 1 '^w 1507b 1 d0$' "$(lab_log "$1")" | sed -n 's/^r 15000 4 //p'
}

# script NAME FILE [OPTION...]: one run of the guest with every kind of access; the
# spare area is erased unless FILE has data there
script() {
    script_name=$1 script_file=$2
    shift 2
    lab_guest "$script_name" test=script || lab_die "no guest"
    lab_flash "$script_name" "$script_file" "$@" ||
        lab_die "$script_name: pflashd did not attach"
    xl unpause "$script_name"
    check "$script_name: the guest runs to its end" lab_finish "$script_name" 60
    check "$script_name: pflashd ends well" lab_flash_end "$script_name"
}

# The guest reads errors and changes nothing.
pflashctl create --layout 2m /tmp/one.fd || lab_die "no file"
echo 'w 0 1 ff' | pflash-replay --vars /tmp/one.fd || lab_die "no journal"
cp /tmp/one.fd /tmp/written.fd
state /tmp/one.fd /tmp/one.fd.journal >/tmp/before
script written /tmp/written.fd
script refused /tmp/one.fd --read-only
state /tmp/one.fd /tmp/one.fd.journal >/tmp/after
check "refused: file and journal are as they were" cmp /tmp/before /tmp/after
check "written: the other one is not" sh -c '! cmp -s /tmp/one.fd /tmp/written.fd'
note "status 92 was read $(statuses refused 92) times, $(statuses written 92) times where it may write"
check "refused: SR.4 with SR.1 after programs" test "$(statuses refused 92)" -gt 15
check_equal "written: never" 0 "$(statuses written 92)"
check_equal "refused: SR.5 with SR.1 after the erase, beside the program's SR.4" \
    b2b2b2b2 "$(erase_status refused)"
check_equal "written: neither" 80808080 "$(erase_status written)"
check "refused: the programmed byte is not in the array" \
    grep -q '^r 10000 8 ffffffffffffffff$' "$(lab_log refused)"
check "written: the programmed byte is in the array" grep -q '^r 10000 8 ffffffffffffff88$' "$(lab_log written)"
log_of written >/tmp/written.lines
log_of refused >/tmp/refused.lines
check "nothing is logged for it" cmp /tmp/written.lines /tmp/refused.lines
lab_export "$(lab_log refused)" refused.log

# A burst that only the journal has, and a full disk: even the journal's last page
# has no room for the checkpoint record of a start without --read-only.

# killed FILE ACCESSES: runs pflash-replay with these accesses and kills it before
# a checkpoint
killed() {
    mkfifo "$1.pipe"
    pflash-replay --vars "$1" <"$1.pipe" >"$1.out" &
    killed_pid=$!
    exec 8>"$1.pipe"
    { cat "$2" && echo 'r 0 1'; } >&8
    lab_wait 60 test -s "$1.out" || lab_die "pflash-replay reads nothing"
    kill -9 $killed_pid
    exec 8>&-
    wait $killed_pid
    rm "$1.pipe" "$1.out"
}

# burst BYTES: accesses that program BYTES bytes from the start of the spare area
burst() {
    awk -v bytes="$1" 'BEGIN {
        for (n = 65536; n < 65536 + bytes; n++)
            printf "w %x 1 10\nw %x 1 a%x\n", n, n, n % 8
        print "w 10000 1 ff"
    }'
}

# pending FILE BYTES: makes a file whose journal has this burst; prints the size of
# the journal
pending() {
    burst "$2" >/tmp/burst
    pflashctl create --layout 2m "$1" && killed "$1" /tmp/burst
    stat -c %s "$1.journal"
}

mount -t tmpfs -o size=1m tmpfs /mnt || lab_die "no tmpfs"
size=$(pending /tmp/small.fd 8)
size=$(pending /mnt/full.fd $((8 + 4096 - size % 4096)))
check_equal "full: the journal ends where a page does" 0 $((size % 4096))
dd if=/dev/zero of=/mnt/filler bs=4096 2>/dev/null
check "full: the file lacks the burst of the journal" \
    sh -c 'pflashctl check /mnt/full.fd | grep "^journal: 1 bursts are not in the file yet"'
lab_guest nobody test=hole || lab_die "no guest"
pflashd --domain nobody --vars /mnt/full.fd 2>/tmp/err
check_equal "full: pflashd refuses to start without --read-only" 3 $?
check "full: because there is no room" grep -q 'No space left on device' /tmp/err
xl destroy nobody
state /mnt/full.fd /mnt/full.fd.journal >/tmp/before
script full /mnt/full.fd --read-only
check "full: the guest sees the burst of the journal" \
    grep -q '^r 10000 8 a7a6a5a4a3a2a1a0$' "$(lab_log full)"
state /mnt/full.fd /mnt/full.fd.journal >/tmp/after
check "full: file and journal are as they were" cmp /tmp/before /tmp/after
rm /mnt/filler
lab_guest room test=hole || lab_die "no guest"
lab_flash room /mnt/full.fd || lab_die "pflashd did not attach"
check "with room it is recovered" grep -q 'recovered 1 burst' /tmp/room.pflashd
xl destroy room
check "room: pflashd ends well" lab_flash_end room
lab_done
