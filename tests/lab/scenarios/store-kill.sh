# SPDX-License-Identifier: BSD-2-Clause
# about: pflashd is killed under a writing guest, which waits; no answered burst is lost
# needs: build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: tests/lab/store.sh
# timeout: 400
. /lab/lib.sh
. /lab/store.sh

words="test=random seed=23 count=500"

# seconds NAME: the processor time of the domain
seconds() {
    xl list "$1" | awk 'NR == 2 { print $6 }'
}

has_lines() {
    test "$(wc -l <"$(lab_log "$1")")" -gt "$2"
}

# pending: the number of bursts that only the journal has, from pflashctl check
pending() {
    sed -n 's/.* \([0-9]*\) bursts\{0,1\} .*not in the file yet.*/\1/p' "$1"
}

# next_start NAME SYNC PENDING: attaches to a new guest, which finds the same image
next_start() {
    lab_guest "$1-next" "test=hole" || lab_die "no guest"
    lab_flash "$1-next" "/tmp/$1.fd" --sync "$2" ||
        lab_die "the new pflashd did not attach"
    check "$1: the next start has recovered $3" \
        grep -q "recovered $3 bursts\{0,1\} from the journal" "/tmp/$1-next.pflashd"
    xl destroy "$1-next"
    check "$1: the next pflashd ends without an error" lab_flash_end "$1-next"
    check "$1: the file alone is the image" cmp /tmp/now.fd "/tmp/$1.fd"
}

# round NAME SYNC MODE LINES: kills after the guest has reported LINES accesses
round() {
    lab_guest "$1" "$words" || lab_die "no guest"
    lab_flash "$1" "/tmp/$1.fd" --layout 2m --sync "$2" --mode "$3" --settle 3600 ||
        lab_die "pflashd did not attach"
    xl unpause "$1"
    lab_wait 60 has_lines "$1" "$4" || lab_die "the guest does not write"
    kill -9 "$(cat "/tmp/$1.pid")"
    lab_flash_end "$1"
    check_equal "$1: pflashd is killed" 137 $?
    sleep 1
    shown=$(wc -c <"$(lab_log "$1")") ran=$(seconds "$1")
    sleep 2
    check_equal "$1: the guest shows nothing" "$shown" "$(wc -c <"$(lab_log "$1")")"
    check_equal "$1: the guest does not run" "$ran" "$(seconds "$1")"
    store_accesses "$(lab_log "$1")" >"/tmp/$1.accesses"
    check "$1: the guest has not reached its end" \
        test "$(wc -l <"/tmp/$1.accesses")" -lt "$(wc -l </tmp/reference)"
    xl destroy "$1"
    check "$1: no domain is left" lab_wait 60 sh -c 'test "$(xl list | wc -l)" = 2'

    pflashctl check "/tmp/$1.fd" >"/tmp/$1.check"
    check_equal "$1: pflashctl check finds no error" 0 $?
    check "$1: pflashctl check reports the bursts that only the journal has" test -n "$(pending "/tmp/$1.check")"
    store_check "$1" "/tmp/$1.fd" "/tmp/$1.accesses" "$2"
    note "$1: $2, $3, $(wc -l <"/tmp/$1.accesses") accesses: point $store_number, $store_ahead bursts later than the last answer, $(pending "/tmp/$1.check") in the journal only"
    next_start "$1" "$2" "$(pending "/tmp/$1.check")"
}

store_reference "$words"
store_history burst
store_history op
round one burst direct 100
round two burst trap 300
round three burst direct 800
round four op direct 250
round five op trap 600
# The console arrives in pieces: two rounds may stop at the same point.
points=$(wc -l /tmp/*.accesses | awk '$2 != "total" { print $1 }' | sort -u | wc -l)
check "the guests were killed at different points" test "$points" -ge 3
lab_done
