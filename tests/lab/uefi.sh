# SPDX-License-Identifier: BSD-2-Clause
# A UEFI guest with a flash: types commands into the UEFI shell on its console.
# Sourced by the uefi-* scenarios. The GUID of the test variables is not the one
# of EFI's global variables: the firmware accepts only specified names there.

UEFI_GUID=12345678-1234-1234-1234-123456789abc
UEFI_PROMPT='Shell> *$'

# uefi_boot NAME VARS [PFLASHD OPTION...]: creates the guest and waits for the
# shell's prompt; notes the seconds until then
uefi_boot() {
    uefi_name=$1
    uefi_vars=$2
    shift 2
    uefi_what=new
    [ ! -e "$uefi_vars" ] || uefi_what=existing
    lab_step "$uefi_name: xl create; pflashd attaches a flash with the" \
        "$uefi_what VARS file $uefi_vars"
    lab_create "$uefi_name" 'kernel = "/lab/OVMF_XEN.fd"' 'memory = 256' \
        "${UEFI_CFG:-}" || lab_die "$uefi_name: no guest"
    lab_flash "$uefi_name" "$uefi_vars" --base 0xffe00000 "$@" ||
        lab_die "$uefi_name: pflashd did not attach"
    uefi_shell "$uefi_name"
}

# uefi_shell NAME: unpauses the guest and waits for the shell's prompt
uefi_shell() {
    lab_step "$1: xl unpause; the UEFI firmware starts"
    uefi_start=$(lab_now)
    xl unpause "$1"
    uefi_up "$1" "$uefi_start"
}

# uefi_up NAME START: waits for the shell of a guest that started at START, a
# time that lab_now printed
uefi_up() {
    uefi_start=$2
    lab_wait "${UEFI_TIMEOUT:-600}" uefi_has "$1" 'UEFI Interactive Shell' ||
        uefi_no_shell "$1"
    uefi_took=$(lab_since "$uefi_start")
    uefi_writes=$(lab_field "$1" writes 2>/dev/null)
    note "$1: shell after $uefi_took s${uefi_writes:+, $uefi_writes writes to the flash}"
    lab_mark "$1"
    # Ends the shell's wait for startup.nsh.
    printf '\033' >"$(lab_tty "$1")"
    lab_expect "$1" 120 "$UEFI_PROMPT" || uefi_no_shell "$1"
    ok "$1: the UEFI shell is up"
}

# uefi_has NAME PATTERN: lab_has; reports the firmware's writes at every tenth
# call
uefi_has() {
    lab_has "$1" "$2" && return
    uefi_calls=$((${uefi_calls:-0} + 1))
    [ $((uefi_calls % 10)) -ne 0 ] || uefi_report "$1"
    return 1
}

uefi_report() {
    uefi_writes=$(lab_field "$1" writes)
    lab_progress "$1: firmware writes so far: ${uefi_writes:-unknown}"
}

# The guest's instruction pointers tell a slow guest from a dead one.
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

# uefi_command NAME COMMAND: types it; its output is left in /tmp/NAME.out
uefi_command() {
    lab_step "$1: in the UEFI shell: $2"
    lab_mark "$1"
    lab_type "$1" "$2"
    lab_expect "$1" 240 "$UEFI_PROMPT" || uefi_no_shell "$1"
    lab_shown "$1" >"/tmp/$1.out"
}

# uefi_destroy NAME: ends the guest without a shutdown
uefi_destroy() {
    lab_export "$(lab_log "$1")" "$1.console"
    lab_step "$1: xl destroy"
    xl destroy "$1"
    check "$1: pflashd leaves with the guest" lab_flash_end "$1"
}
