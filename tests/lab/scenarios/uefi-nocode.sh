# SPDX-License-Identifier: BSD-2-Clause
# about: without --code a PVH guest also reaches its shell, but slowly
# needs: firmware build/pflashd build/pflashctl tests/lab/uefi.sh
# slow: the firmware is several times slower without its code
# timeout: 2700
. /lab/lib.sh
. /lab/uefi.sh

# Most of its time is spent in trapped accesses, which a busy host slows down.
UEFI_TIMEOUT=2400
uefi_boot nocode /tmp/vars.fd --layout 2m --code none
uefi_destroy nocode
lab_done
