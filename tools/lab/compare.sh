# SPDX-License-Identifier: BSD-2-Clause
# The test guest against pflash-replay: the same accesses, once through Xen
# and pflashd, once through the simulated hypervisor, must read the same and
# leave the same image. Sourced by the guest-* scenarios.

# compare_reads REPORT VALUES: both have one read a line, in order
compare_reads() {
    awk 'NR == FNR { sub(/^0x/, ""); sub(/^0+/, ""); want[FNR] = $1; m++; next }
         { got = $4; sub(/^0+/, "", got); n++ }
         got != want[n] && bad++ < 5 {
             printf "read %d at %s, %s bytes: guest %s, replay %s\n",
                    n, $2, $3, $4, want[n]
         }
         END { exit bad != 0 || n == 0 || n != m }' "$2" "$1"
}

# compare NAME MODE WORDS: one run of the guest with this command line
compare() {
    compare_name=$1
    compare_dir=/tmp/$1.d
    mkdir "$compare_dir"
    cp /lab/OVMF_VARS.fd "$compare_dir/vars.fd"
    cp /lab/OVMF_VARS.fd "$compare_dir/replay.fd"

    lab_guest "$1" "$3" || lab_die "$1: no guest"
    lab_flash "$1" "$compare_dir/vars.fd" --base 0xffe00000 --mode "$2" ||
        lab_die "$1: pflashd did not attach"
    compare_start=$(lab_now)
    xl unpause "$1"
    check "$1: the guest runs to its end" lab_finish "$1" 90
    note "$1: $(lab_since "$compare_start") s"
    check "$1: pflashd leaves with the guest" lab_flash_end "$1"

    tr -d '\r' <"$(lab_log "$1")" >"$compare_dir/report"
    compare_replay "$1" "$compare_dir"
}

compare_replay() {
    grep '^r ' "$2/report" >"$2/reads"
    awk '$1 == "r" { print $1, $2, $3 } $1 == "w"' "$2/report" >"$2/accesses"
    note "$1: $(wc -l <"$2/accesses") accesses, $(wc -l <"$2/reads") reads"
    pflash-replay --vars "$2/replay.fd" <"$2/accesses" >"$2/values"
    check_equal "$1: replay takes the accesses" 0 $?
    check "$1: both read the same" compare_reads "$2/reads" "$2/values"
    pflashctl export "$2/vars.fd" "$2/vars.image"
    pflashctl export "$2/replay.fd" "$2/replay.image"
    check "$1: both leave the same image" cmp "$2/vars.image" "$2/replay.image"
    check "$1: which has changed" cmp_differs "$2/vars.image" /lab/OVMF_VARS.fd
    lab_export "$2/report" "$1.report"
}

cmp_differs() {
    ! cmp -s "$1" "$2"
}
