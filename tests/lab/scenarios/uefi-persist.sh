# SPDX-License-Identifier: BSD-2-Clause
# about: a UEFI variable outlives its guest: setvar, xl destroy, xl create, read it back
# needs: firmware build/pflashd build/pflashctl tests/lab/uefi.sh
# timeout: 1500
. /lab/lib.sh
. /lab/uefi.sh

# setvar takes =0x... as a number: 64 bits, the lowest byte first.
number=0x1122334455
stored=5544332211000000
shown='55 44 33 22 11 00 00 00'

uefi_boot first /tmp/vars.fd --layout 2m --code /lab/OVMF_XEN.fd
uefi_command first "setvar LabVar -guid $UEFI_GUID -bs -nv =$number"
check "setvar says nothing" test "$(grep -c . /tmp/first.out)" = 2
writes=$(lab_field first writes) bursts=$(lab_field first bursts)
uefi_destroy first
check "the VARS file is consistent" pflashctl export /tmp/vars.fd /tmp/image.fd
xxd -p /tmp/image.fd | tr -d '\n' >/tmp/image.hex
check "the VARS file has the variable" grep -q "$stored" /tmp/image.hex
check "the image has the size of the flash" test "$(wc -c </tmp/image.fd)" = 131072

# Without --code: pflashd finds the firmware in the guest's memory.
uefi_boot second /tmp/vars.fd
check "second: the code is from the guest's memory" \
    grep -q "the code of the guest's firmware is at 0xfff" /tmp/second.pflashd
uefi_command second "setvar LabVar -guid $UEFI_GUID"
sed 's/^/| /' /tmp/second.out | while read -r line; do note "$line"; done
check "the next guest reads it back" grep -q "$shown" /tmp/second.out
value=$(grep -o "$shown" /tmp/second.out)
lab_step "second: the variable has the value $value"
again=$(lab_field second writes)

# The firmware's own reset, which writes to the I/O ports of a PC.
lab_export "$(lab_log second)" second.console
lab_step "second: in the UEFI shell: reset"
lab_type second reset
check "reset in the shell ends the guest" lab_wait 60 lab_gone second
check "second: pflashd leaves with the guest" lab_flash_end second
check "pflashd reset the domain" grep -q 'the guest resets itself' /tmp/second.pflashd
for boot in first second; do
    note "$boot: $(grep -o 'answered .*' /tmp/$boot.pflashd)"
    check "$boot: no read was trapped" grep -q ' 0 reads' /tmp/$boot.pflashd
done
check "no domain is left" lab_wait 60 sh -c 'test "$(xl list | wc -l)" = 2'
lab_export /tmp/image.fd vars.fd
lab_summary "The first guest's firmware made $writes writes to its empty flash;" \
    "pflashd put them on disk in $bursts bursts, and the guest's reads never" \
    "trapped."
lab_summary "The UEFI shell set LabVar to $number, and xl destroy ended the" \
    "guest without a shutdown; the VARS file kept the variable."
lab_summary "A second guest with the same VARS file booted with $again writes" \
    "and read LabVar back: $value (lowest byte first)."
lab_summary "Next: make lab S=xl-life (about 90 s: xl itself starts pflashd at" \
    "each create and reboot). tests/lab/lab list names all scenarios."
lab_done
