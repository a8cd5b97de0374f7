# SPDX-License-Identifier: BSD-2-Clause
# A UEFI guest with a flash, driven by the shell on its console. Sourced by
# the uefi-* scenarios. A variable's GUID must not be EFI's own: the firmware
# refuses names there that the specification does not define.

UEFI_GUID=12345678-1234-1234-1234-123456789abc
UEFI_PROMPT='Shell> *$'

# uefi_boot NAME VARS [PFLASHD OPTION...]: creates the guest and waits for the
# shell's prompt; notes how long it took
uefi_boot() {
    uefi_name=$1
    uefi_vars=$2
    shift 2
    lab_create "$uefi_name" 'kernel = "/lab/OVMF_XEN.fd"' 'memory = 256' \
        "${UEFI_CFG:-}" || lab_die "$uefi_name: no guest"
    lab_flash "$uefi_name" "$uefi_vars" --base 0xffe00000 "$@" ||
        lab_die "$uefi_name: pflashd did not attach"
    uefi_shell "$uefi_name"
}

# uefi_shell NAME: unpauses the guest and waits for the shell's prompt
uefi_shell() {
    uefi_start=$(lab_now)
    xl unpause "$1"
    uefi_up "$1" "$uefi_start"
}

# uefi_up NAME START: the same with one that runs since lab_now printed START
uefi_up() {
    uefi_start=$2
    lab_expect "$1" "${UEFI_TIMEOUT:-600}" 'UEFI Interactive Shell' ||
        uefi_no_shell "$1"
    note "$1: shell after $(lab_since "$uefi_start") s"
    lab_mark "$1"
    # Ends the shell's wait for startup.nsh.
    printf '\033' >"$(lab_tty "$1")"
    lab_expect "$1" 120 "$UEFI_PROMPT" || uefi_no_shell "$1"
    ok "$1: the UEFI shell is up"
}

# What the guest was doing tells a slow one from a dead one.
uefi_no_shell() {
    note "$1: $(xl list "$1" 2>&1 | tail -n 1)"
    for lab_n in 1 2 3; do
        xen-hvmctx "$(lab_domid "$1")" | grep -m 1 rip
        sleep 1
    done
    [ ! -e "/tmp/$1.pflashd" ] || cat "/tmp/$1.pflashd"
    lab_export "$(lab_log "$1")" "$1.console"
    lab_die "$1: no UEFI shell"
}

# uefi_command NAME COMMAND: types it; what it printed is left in /tmp/NAME.out
uefi_command() {
    lab_mark "$1"
    lab_type "$1" "$2"
    lab_expect "$1" 240 "$UEFI_PROMPT" || uefi_no_shell "$1"
    lab_shown "$1" >"/tmp/$1.out"
}

# uefi_destroy NAME: pulls the plug
uefi_destroy() {
    lab_export "$(lab_log "$1")" "$1.console"
    xl destroy "$1"
    check "$1: pflashd leaves with the guest" lab_flash_end "$1"
}
