# SPDX-License-Identifier: BSD-2-Clause
# about: OVMF on a read-only flash: a variable seems set until the next boot
# needs: firmware build/pflashd build/pflashctl tests/lab/uefi.sh
# slow: three boots, the first of a new variable store
# timeout: 900
. /lab/lib.sh
. /lab/uefi.sh

# setvar NAME ARGUMENTS...: leaves the shell's output in /tmp/NAME.out
setvar() {
    setvar_name=$1 setvar_variable=$2
    shift 2
    uefi_command "$setvar_name" "setvar $setvar_variable -guid $UEFI_GUID $*"
    note "$setvar_name: $(sed 1d "/tmp/$setvar_name.out" | tr '\n' ' ')"
}

# is NAME VARIABLE BYTE: the guest reads this byte in the variable
is() {
    setvar "$1" "$2"
    check "$1: $2 is $3" grep -q "^$3 *\$" "/tmp/$1.out"
}

uefi_boot written /tmp/vars.fd --layout 2m --code /lab/OVMF_XEN.fd
setvar written KeptVar -bs -nv =0x55
uefi_destroy written

sha256sum /tmp/vars.fd /tmp/vars.fd.journal >/tmp/before
uefi_boot readonly /tmp/vars.fd --code /lab/OVMF_XEN.fd --read-only
is readonly KeptVar 55
setvar readonly LostVar -bs -nv =0x66
uefi_command readonly 'echo %lasterror%'
check "readonly: setvar says that it has set another one" \
    grep -q '^0x0 *$' /tmp/readonly.out
is readonly LostVar 66
setvar readonly KeptVar -bs -nv =0x77
is readonly KeptVar 77
uefi_destroy readonly
sha256sum /tmp/vars.fd /tmp/vars.fd.journal >/tmp/after
check "readonly: file and journal are as they were" cmp /tmp/before /tmp/after

uefi_boot after /tmp/vars.fd --code /lab/OVMF_XEN.fd
is after KeptVar 55
setvar after LostVar
check "after: LostVar is not there" grep -q 'Unable to get' /tmp/after.out
uefi_destroy after
lab_done
