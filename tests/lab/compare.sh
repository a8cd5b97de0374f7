# SPDX-License-Identifier: BSD-2-Clause
# The test guest against pflash-replay: the same accesses, once through Xen
# and pflashd, once through the simulated hypervisor, must read the same bytes and
# leave the same image. Sourced by the guest-* scenarios.

# compare_reads REPORT VALUES: both have one line for each read, in order
compare_reads() {
    awk 'NR == FNR { sub(/^0x/, ""); sub(/^0+/, ""); want[FNR] = $1; m++; next }
         { got = $4; sub(/^0+/, "", got); n++ }
         got != want[n] && bad++ < 5 {
             printf "read %d at %s, %s bytes: guest %s, replay %s\n",
                    n, $2, $3, $4, want[n]
         }
         END { exit bad != 0 || n == 0 || n != m }' "$2" "$1"
}

# compare NAME MODE WORDS [OPTION...]: one run of the guest with this command
# line; the options go to pflashd and to pflash-replay
compare() {
    compare_name=$1 compare_mode=$2 compare_words=$3
    shift 3
    compare_dir=/tmp/$compare_name.d
    mkdir "$compare_dir"
    cp /lab/OVMF_VARS.fd "$compare_dir/vars.fd"
    cp /lab/OVMF_VARS.fd "$compare_dir/replay.fd"

    lab_guest "$compare_name" "$compare_words" ||
        lab_die "$compare_name: no guest"
    lab_flash "$compare_name" "$compare_dir/vars.fd" --base 0xffe00000 \
        --mode "$compare_mode" "$@" ||
        lab_die "$compare_name: pflashd did not attach"
    compare_start=$(lab_now)
    xl unpause "$compare_name"
    check "$compare_name: the guest runs to its end" \
        lab_finish "$compare_name" 90
    note "$compare_name: $(lab_since "$compare_start") s"
    check "$compare_name: pflashd leaves with the guest" \
        lab_flash_end "$compare_name"

    tr -d '\r' <"$(lab_log "$compare_name")" >"$compare_dir/report"
    compare_replay "$compare_name" "$compare_dir" "$@"
}

compare_replay() {
    compare_name=$1 compare_dir=$2
    shift 2
    grep '^r ' "$compare_dir/report" >"$compare_dir/reads"
    awk '$1 == "r" { print $1, $2, $3 } $1 == "w"' "$compare_dir/report" >"$compare_dir/accesses"
    note "$compare_name: $(wc -l <"$compare_dir/accesses") accesses, $(wc -l <"$compare_dir/reads") reads"
    pflash-replay --vars "$compare_dir/replay.fd" "$@" \
        <"$compare_dir/accesses" >"$compare_dir/values"
    check_equal "$compare_name: replay takes the accesses" 0 $?
    check "$compare_name: both read the same" compare_reads "$compare_dir/reads" "$compare_dir/values"
    pflashctl export "$compare_dir/vars.fd" "$compare_dir/vars.image"
    pflashctl export "$compare_dir/replay.fd" "$compare_dir/replay.image"
    check "$compare_name: both leave the same image" cmp "$compare_dir/vars.image" "$compare_dir/replay.image"
    check "$compare_name: the image has changed" cmp_differs "$compare_dir/vars.image" /lab/OVMF_VARS.fd
    lab_export "$compare_dir/report" "$compare_name.report"
}

cmp_differs() {
    ! cmp -s "$1" "$2"
}
