# SPDX-License-Identifier: BSD-2-Clause
# about: firmware that programs through the write buffer, beside firmware that does not: first boot, one variable, a reclaim
# needs: firmware buffered build/pflashd build/pflashctl tests/lab/uefi.sh tests/lab/fill.sh
# timeout: 3600
# slow: needs another build of the firmware, and waits for a reclaim byte by byte
. /lab/lib.sh
. /lab/uefi.sh
. /lab/fill.sh

UEFI_TIMEOUT=2400

# status NAME FIELD
status() {
    pflashctl status "$1" | sed -n "s/^$2: //p"
}

# boot NAME FIRMWARE VARS [OPTION...]: sets seconds to the duration
boot() {
    boot_start=$(lab_now)
    boot_name=$1 boot_firmware=$2 boot_vars=$3
    shift 3
    lab_create "$boot_name" "kernel = \"/lab/$boot_firmware\"" \
        'memory = 256' || lab_die "$boot_name: no guest"
    lab_flash "$boot_name" "$boot_vars" --base 0xffe00000 \
        --code "/lab/$boot_firmware" --compact never "$@" ||
        lab_die "$boot_name: pflashd did not attach"
    uefi_shell "$boot_name"
    seconds=$(lab_since "$boot_start")
}

# measure NAME FIRMWARE: sets NAME_first, NAME_variable and NAME_reclaim to the
# numbers of writes
measure() {
    boot "$1" "$2" "/tmp/$1.fd" --layout 2m
    first=$(status "$1" writes) first_seconds=$seconds
    uefi_command "$1" "setvar LabVar -guid $UEFI_GUID -bs -nv =0x1122334455"
    variable=$(($(status "$1" writes) - first))
    uefi_command "$1" "setvar LabVar -guid $UEFI_GUID"
    check "$1: the variable is there" \
        grep -q '55 44 33 22 11 00 00 00' "/tmp/$1.out"
    check_equal "$1: no read was trapped" 0 "$(status "$1" reads)"
    uefi_destroy "$1"
    # So full that the firmware reclaims the store before it starts a system.
    vars=/tmp/$1.fd
    fill $(($(figure free) / 4064))
    live=$(figure live)
    boot "$1" "$2" "/tmp/$1.fd"
    reclaim=$(status "$1" writes)
    uefi_command "$1" "setvar LabVar -guid $UEFI_GUID"
    check "$1: the variable is there after the reclaim" \
        grep -q '55 44 33 22 11 00 00 00' "/tmp/$1.out"
    uefi_destroy "$1"
    check "$1: room was made" test "$(figure free)" -gt 30000
    check "$1: no variable is gone" test "$(figure live)" -ge "$live"
    note "$1: writes: first boot $first in $first_seconds s, a variable $variable," \
        "a boot with a reclaim $reclaim in $seconds s"
}

measure buffered OVMF_XEN.buffered.fd
quick="$first $variable $reclaim"
measure bytes OVMF_XEN.fd
# shellcheck disable=SC2086 # three numbers
set -- $quick
check "a first boot takes less than a half of the writes" test $(($1 * 2)) -lt "$first"
check "a variable takes less than half of the writes" test $(($2 * 2)) -lt "$variable"
check "a reclaim takes less than a fifth of the writes" test $(($3 * 5)) -lt "$reclaim"
lab_done
