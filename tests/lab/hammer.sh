# SPDX-License-Identifier: BSD-2-Clause
# A guest whose vCPUs use the flash concurrently. Sourced by the vcpus scenarios;
# guest/hammer.c has the checks in the guest.

HAMMER_BASE=0xffc00000

# hammer_guest NAME MODE VARS WORDS LINE...: a paused guest with a flash; the lines
# go to its xl configuration. --force, because the flash is larger than its
# variable store.
hammer_guest() {
    hammer_name=$1 hammer_mode=$2 hammer_vars=$3 hammer_words=$4
    shift 4
    lab_create "$hammer_name" 'kernel = "/lab/guest.elf"' \
        "extra = \"$hammer_words base=$HAMMER_BASE\"" "$@" ||
        lab_die "$hammer_name: no guest"
    lab_flash "$hammer_name" "$hammer_vars" --base $HAMMER_BASE \
        --mode "$hammer_mode" --force ||
        lab_die "$hammer_name: pflashd did not attach"
}

# hammer_image_crc VARS: the CRC-32 of the flash, in the guest's notation
hammer_image_crc() {
    pflashctl export "$1" "$1.image" &&
        crc32 "$1.image" | sed 's/ .*//; s/^0*//'
}

# hammer_run NAME VARS LINES: lets the guest of hammer_guest run to its end; LINES
# is the number of result lines of a complete run
hammer_run() {
    hammer_start=$(lab_now)
    xl unpause "$1"
    check "$1: the guest runs to its end" lab_finish "$1" 200
    note "$1: $(lab_since "$hammer_start") s"
    check "$1: pflashd leaves with the guest" lab_flash_end "$1"
    tr -d '\r' <"$(lab_log "$1")" >"/tmp/$1.report"
    lab_export "/tmp/$1.report" "$1.report"
    sed -nE 's/^# ((rounds|locked|crowd|late|failed).*)/\1/p' \
        "/tmp/$1.report" >"/tmp/$1.lines"
    while read -r hammer_line; do
        note "$1: $hammer_line"
    done <"/tmp/$1.lines"
    check "$1: the guest found nothing wrong" \
        sh -c "! grep -q '^failed' '/tmp/$1.lines'"
    check_equal "$1: the guest made all of its checks" "$3" \
        "$(wc -l <"/tmp/$1.lines")"
    check_equal "$1: the VARS file has the expected contents" \
        "$(sed -n 's/^# crc32 //p' "/tmp/$1.report")" \
        "$(hammer_image_crc "$2")"
}

# hammer_interleaved NAME: the number of rounds in which accesses interleaved
hammer_interleaved() {
    sed -n 's/^# rounds [0-9]* interleaved \([0-9]*\) .*/\1/p' \
        "/tmp/$1.report"
}
