# SPDX-License-Identifier: BSD-2-Clause
# A Linux guest that drives the flash with its MTD drivers. Sourced by the
# mtd-* scenarios; guest-init runs in the guest.

MTD_START=0xfd000000

# mtd_ramdisk FILE EXPECT: makes the guest's initramfs with this tree's init and
# the expected checksums
mtd_ramdisk() {
    rm -rf /tmp/overlay
    mkdir /tmp/overlay
    cp /lab/guest-init /tmp/overlay/init
    chmod 755 /tmp/overlay/init
    [ -z "$2" ] || cp "$2" /tmp/overlay/expect
    cp /lab/initrd.cpio "$1"
    (cd /tmp/overlay && find . -type f | cpio -o -H newc 2>/dev/null) >>"$1"
}

# mtd_geometry TEXT SIZE WIDTH CHIPS BLOCKS LARGEST FIRST [MODE [PARTITION]]: sets the
# geometry for the functions below. BLOCKS is for --block-size, MODE for --mode,
# PARTITION for --partition; LARGEST and FIRST are the bytes of the largest and of
# the first block.
mtd_geometry() {
    mtd_text=$1
    mtd_size=$2
    mtd_width=$3
    mtd_chips=$4
    mtd_blocks=$5
    mtd_block=$6
    mtd_first=$7
    mtd_part=$((mtd_width * 8 / mtd_chips))
    mtd_mode=${8:-direct}
    mtd_partition=${9:-}
    mtd_reads=0
    mtd_writes=0
    mtd_differences=0
    mtd_release=
}

# mtd_vars FILE: a flash of that geometry that has never been written
mtd_vars() {
    rm -f "$1.journal" "$1.state"
    head -c $((mtd_size)) /dev/zero | tr '\0' '\377' >"$1"
}

# mtd_words TESTS: the guest's command line
mtd_words() {
    # Debian's modules support at most two chips and no protection register.
    case $mtd_chips,$1 in
        4,* | *,otp*) mtd_anew="mtd_anew=1" ;;
        *) mtd_anew= ;;
    esac
    # No self-checks and no hardening in the guest's kernel: they are slow here.
    echo "console=hvc0 quiet loglevel=1 panic=1 rodata=off mitigations=off" \
        "noreplace-smp cryptomgr.notests mtd_start=$MTD_START" \
        "mtd_size=$mtd_size mtd_width=$mtd_width mtd_chips=$mtd_chips" \
        "mtd_part=$mtd_part mtd_block=$mtd_block mtd_first=$mtd_first" \
        "$mtd_anew mtd_partition=$mtd_partition" \
        "mtd_bulk=${mtd_bulk:-4096} mtd_tests=$1 mtd_stay=1"
}

# mtd_boot NAME VARS TESTS [EXPECT]: creates a guest that runs these tests, and
# destroys it after its last line. EXPECT holds the checksums of files.
mtd_boot() {
    mtd_name=$1
    mtd_vars=$2
    mtd_tests=$3
    mtd_ramdisk /tmp/ramdisk "${4:-}"
    lab_create "$mtd_name" 'kernel = "/lab/vmlinux"' \
        'ramdisk = "/tmp/ramdisk"' 'memory = 256' \
        "extra = \"$(mtd_words "$mtd_tests")\"" ||
        lab_die "$mtd_name: no guest"
    # Room for the frames of a large flash in direct mode.
    xl mem-max "$mtd_name" 288
    lab_flash "$mtd_name" "$mtd_vars" --base $MTD_START --personality strict \
        --width "$mtd_width" --interleave "$mtd_chips" \
        --block-size "$mtd_blocks" --mode "$mtd_mode" \
        ${mtd_partition:+--partition $mtd_partition} ||
        lab_die "$mtd_name: pflashd did not attach"
    mtd_start=$(lab_now)
    xl unpause "$mtd_name"
    lab_expect "$mtd_name" 1200 '^mtd: end' ||
        not_ok "$mtd_name: the guest did not come to its end"
    xl destroy "$mtd_name"
    check "$mtd_name: pflashd leaves with the guest" lab_flash_end "$mtd_name"
    note "$mtd_name: $(lab_since "$mtd_start") s"
    mtd_collect "$mtd_name" "$mtd_vars"
}

# mtd_collect NAME VARS: copies the guest's results to the report, and compares the
# bytes that it read at its end with the VARS file
mtd_collect() {
    lab_export "$(lab_log "$1")" "$1.console"
    tr -d '\r' <"$(lab_log "$1")" | sed -n 's/^mtd: //p' >"/tmp/$1.said"
    while read -r lab_line; do
        case $lab_line in
            "ok - "* | "not ok - "* | "# "*)
                lab_send "$(echo "$lab_line" | sed "s/ - / - $1: /")"
                ;;
        esac
    done <"/tmp/$1.said"
    sed -n 's/^sum //p' "/tmp/$1.said" >"/tmp/$1.sums"
    mtd_release=$(sed -n 's/^# Linux \([^ ]*\) is up.*/\1/p' "/tmp/$1.said")
    mtd_count "$1"
    mtd_compare "$1" "$2"
}

# mtd_count NAME: adds up the counters of pflashd and of the guest
mtd_count() {
    set -- "$1" "$(sed -n 's/.*answered .*: \([0-9]*\) reads, .*/\1/p' \
        "/tmp/$1.pflashd")" \
        "$(sed -n 's/.*answered .* reads, \([0-9]*\) writes.*/\1/p' \
            "/tmp/$1.pflashd")" \
        "$(sed -n 's/^differences //p' "/tmp/$1.said")"
    check "$1: pflashd and the guest have counted" [ -n "$2" -a -n "$3" -a -n "$4" ]
    mtd_reads=$((mtd_reads + ${2:-0}))
    mtd_writes=$((mtd_writes + ${3:-0}))
    mtd_differences=$((mtd_differences + ${4:-0}))
}

# mtd_compare NAME VARS: counts the pieces that differ; a piece missing in the
# guest's report counts as a difference
mtd_compare() {
    check "$1: the VARS file is consistent" \
        pflashctl export "$2" /tmp/image
    mtd_piece=0
    while [ $mtd_piece -lt 8 ]; do
        dd if=/tmp/image bs=$((mtd_size / 8)) skip=$mtd_piece count=1 \
            2>/dev/null | sha256sum
        mtd_piece=$((mtd_piece + 1))
    done >"/tmp/$1.file"
    sed -n 's/^array //p' "/tmp/$1.said" >"/tmp/$1.array"
    mtd_wrong=$(diff "/tmp/$1.file" "/tmp/$1.array" | grep -c '^-[^-]')
    check_equal "$1: the guest has read 8 pieces of it" 8 \
        "$(wc -l <"/tmp/$1.array")"
    check_equal "$1: they equal the VARS file" 0 "$mtd_wrong"
    mtd_differences=$((mtd_differences + mtd_wrong))
    rm -f /tmp/image
}

# mtd_peer: the results of this geometry
mtd_peer() {
    note "peer: Linux $mtd_release cfi_cmdset_0001, $mtd_text:" \
        "$mtd_writes writes $mtd_reads reads seen by pflashd," \
        "$mtd_differences differences"
}
