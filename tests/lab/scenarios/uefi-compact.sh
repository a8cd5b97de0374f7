# SPDX-License-Identifier: BSD-2-Clause
# about: pflashd makes room in a variable store full of deleted variables before a guest starts, and the firmware accepts it
# needs: firmware build/pflashd build/pflashctl tests/lab/uefi.sh tests/lab/fill.sh
# timeout: 1500
# slow: two more boots like those of uefi-persist
. /lab/lib.sh
. /lab/uefi.sh
. /lab/fill.sh

vars=/tmp/vars.fd
shown='55 44 33 22 11 00 00 00'

uefi_boot first $vars --layout 2m --code /lab/OVMF_XEN.fd
uefi_command first "setvar LabVar -guid $UEFI_GUID -bs -nv =0x1122334455"
uefi_destroy first
live=$(figure live) used=$(figure used)
fill 10
check_equal "the store is full of deleted variables" $((used + 10 * 4064)) \
    "$(figure used)"
full=$(figure free)

uefi_boot second $vars --code /lab/OVMF_XEN.fd
check "pflashd logs that it made room" grep -q 'compacted: [0-9]* bytes more' \
    /tmp/second.pflashd
uefi_command second "setvar LabVar -guid $UEFI_GUID"
check "the guest has its variable" grep -q "$shown" /tmp/second.out
uefi_destroy second
writes=$(sed -n 's/.* \([0-9]*\) writes.*/\1/p' /tmp/second.pflashd)
note "second: $writes writes; $full bytes were free, $(figure free) are now"
# A reclaim by the firmware is more than 300,000.
check "the firmware made no reclaim" test "${writes:-999999}" -lt 100000
check "the store has room" test "$(figure free)" -gt $((full + 40000))
check "no variable is gone" test "$(figure live)" -ge "$live"
check "the journal is sound" pflashctl log $vars
begin=$(pflashctl log --bursts $vars | sed -n 's/^\([0-9]*\)  .*/\1/p' | head -n 1)
check "the history has the image from before" sh -c \
    "pflashctl export --at $begin $vars - >/dev/null"
lab_done
