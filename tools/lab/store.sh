# SPDX-License-Identifier: BSD-2-Clause
# What a VARS file has to hold after an accident below a writing test guest.
# The guest does the same for the same words, so one that ran to its end on a
# good flash tells what every other one would have written. Sourced by the
# store-* scenarios.

# store_reference WORDS: lets such a guest run
store_reference() {
    lab_guest reference "$1" || lab_die "no guest"
    lab_flash reference /tmp/reference.fd --layout 2m --sync none ||
        lab_die "pflashd did not attach"
    xl unpause reference
    lab_finish reference 100 || lab_die "the guest did not come to its end"
    lab_flash_end reference || lab_die "pflashd failed"
    store_accesses "$(lab_log reference)" >/tmp/reference
    note "the guest makes $(wc -l </tmp/reference) accesses in all"
}

# store_accesses FILE: of what a guest has reported, the whole lines
store_accesses() {
    grep '^[rw] [0-9a-f]* [1248] [0-9a-f]*$' "$1"
}

# store_history SYNC: makes /tmp/SYNC.fd, with all points of the reference
store_history() {
    pflashctl create --layout 2m "/tmp/$1.fd" &&
        pflash-replay --vars "/tmp/$1.fd" --sync "$1" </tmp/reference \
            >/dev/null || lab_die "the reference can't be replayed"
}

# store_last FILE: the number of its newest point
store_last() {
    pflashctl log "$1" | sed -n 's/^\([0-9][0-9]*\) .*/\1/p' | tail -n 1
}

# store_answered ACCESSES SYNC: the number of the last burst that was answered
# when all of ACCESSES were. At its end pflash-replay would commit a burst that
# is still open, so it is killed before.
store_answered() {
    rm -f /tmp/answered.* && mkfifo /tmp/answered.pipe &&
        pflashctl create --layout 2m /tmp/answered.fd
    store_reads=$(($(grep -c '^r' "$1") + 1))
    pflash-replay --vars /tmp/answered.fd --sync "$2" </tmp/answered.pipe \
        >/tmp/answered.out &
    store_pid=$!
    exec 8>/tmp/answered.pipe
    { cat "$1" && echo 'r 0 1'; } >&8
    lab_wait 60 sh -c "test \$(wc -l </tmp/answered.out) = $store_reads" ||
        lab_die "pflash-replay does not come to the end"
    kill -9 $store_pid
    exec 8>&-
    wait $store_pid
    store_last /tmp/answered.fd
}

# store_check TEXT FILE ACCESSES SYNC: FILE and its journal hold a point of
# the reference, with all that had been answered when ACCESSES were reported.
# Leaves the image in /tmp/now.fd, its number in $store_number, and how many
# the guest had not been told of yet in $store_ahead.
store_check() {
    check "$1: the file is sound" pflashctl export "$2" /tmp/now.fd
    store_number=$(store_last "$2")
    store_told=$(store_answered "$3" "$4")
    store_ahead=$((store_number - store_told))
    check "$1: all bursts that were answered are there" \
        test "$store_ahead" -ge 0
    pflashctl export --at "$store_number" "/tmp/$4.fd" /tmp/then.fd
    check "$1: the image is that of burst $store_number" \
        cmp /tmp/now.fd /tmp/then.fd
}
