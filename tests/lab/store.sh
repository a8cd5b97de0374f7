# SPDX-License-Identifier: BSD-2-Clause
# Checks a VARS file after a failure below a writing test guest. The guest makes
# the same accesses for the same words: a guest that ran to its end on a good flash
# is the reference for all others. Sourced by the store-* scenarios.

# store_reference WORDS: runs the reference guest
store_reference() {
    lab_guest reference "$1" || lab_die "no guest"
    lab_flash reference /tmp/reference.fd --layout 2m --sync none ||
        lab_die "pflashd did not attach"
    xl unpause reference
    lab_finish reference 100 || lab_die "the guest did not reach its end"
    lab_flash_end reference || lab_die "pflashd failed"
    store_accesses "$(lab_log reference)" >/tmp/reference
    note "the guest makes $(wc -l </tmp/reference) accesses in all"
}

# store_accesses FILE: the complete lines of a guest's report
store_accesses() {
    grep '^[rw] [0-9a-f]* [1248] [0-9a-f]*$' "$1"
}

# store_history SYNC: makes /tmp/SYNC.fd, with all points in time of the reference
store_history() {
    pflashctl create --layout 2m "/tmp/$1.fd" &&
        pflash-replay --vars "/tmp/$1.fd" --sync "$1" </tmp/reference \
            >/dev/null || lab_die "the reference can't be replayed"
}

# store_points FILE: the numbers of the points in time in its history
store_points() {
    pflashctl log --bursts "$1" | sed -n 's/^\([0-9][0-9]*\) .*/\1/p'
}

# store_answered ACCESSES SYNC: the number of the last burst that pflashd had
# answered after ACCESSES. At its end pflash-replay commits the open burst; the
# additional accesses return the chip to its command state and program one byte,
# so that there always is an open burst. With `op` no burst is ever open.
store_answered() {
    rm -f /tmp/answered.*
    pflashctl create --layout 2m /tmp/answered.fd
    {
        cat "$1"
        [ "$2" = op ] || awk 'BEGIN {
            for (n = 0; n < 300; n++) print "w 1f800 1 d0"
            print "w 1f800 1 60\nw 1f800 1 d0\nw 1f800 1 10\nw 1f800 1 0"
        }'
    } >/tmp/answered.in
    pflash-replay --vars /tmp/answered.fd --sync "$2" </tmp/answered.in \
        >/dev/null || lab_die "the accesses can't be replayed"
    case $2 in
    op) store_points /tmp/answered.fd | tail -n 1 ;;
    *) store_points /tmp/answered.fd | tail -n 2 | head -n 1 ;;
    esac
}

# store_holds FILE SYNC: true if FILE and its journal are sound and hold a point in
# time of the reference. Leaves the image in /tmp/now.fd, its number in
# $store_number; a file without a journal is at the first point.
store_holds() {
    pflashctl export "$1" /tmp/now.fd || return
    store_number=$(store_points "$1" | tail -n 1)
    store_number=${store_number:-1}
    pflashctl export --at "$store_number" "/tmp/$2.fd" /tmp/then.fd &&
        cmp /tmp/now.fd /tmp/then.fd
}

# store_check TEXT FILE ACCESSES SYNC: checks that, and that FILE has all bursts
# that pflashd had answered after ACCESSES. Sets store_ahead to the number of later
# bursts.
store_check() {
    check "$1: the image is that of a burst" store_holds "$2" "$4"
    store_ahead=$((store_number - $(store_answered "$3" "$4")))
    check "$1: the file has all answered bursts" \
        test "$store_ahead" -ge 0
}
