# SPDX-License-Identifier: BSD-2-Clause
# A guest that tries to harm its pflashd, dom0 and an honest guest beside it;
# guest/hostile.c has its actions. Sourced by the hostile scenarios.

# The guest has half a processor: dividing processor time is the scheduler's job.
# The scenarios measure the cost of its requests for others.
HOSTILE_CAP=50
# Bounds: slowdown of others, in percent of their time alone (dom0 and both
# pflashd share one emulated processor); growth of pflashd, in KiB and in
# descriptors; time for one command, in s.
HOSTILE_SLOWDOWN=1000
HOSTILE_GROWTH=3072
HOSTILE_FDS=2
HOSTILE_PROMPT=20
# A write limit low enough to be reached here, where a request takes milliseconds.
HOSTILE_RATE=4096
HOSTILE_BURST=$((256 << 10)) # an attach uses some of it
# One access may exceed the limit by a burst and by a checkpoint with a new
# journal.
HOSTILE_DEBT=$((64 << 10))
HOSTILE_CHECKPOINT=$((3 << 20))

# --- measuring ----------------------------------------------------------------

# hostile_memory PID...: the sum of their resident memory in KiB
hostile_memory() {
    for hostile_pid in "$@"; do
        sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$hostile_pid/status"
    done | awk '{ sum += $1 } END { print sum + 0 }'
}

hostile_descriptors() {
    for hostile_pid in "$@"; do
        ls "/proc/$hostile_pid/fd"
    done 2>/dev/null | wc -l
}

# hostile_dom0: hundredths of a second for a fixed piece of work in dom0, the
# minimum of three because the host may be busy
hostile_dom0() {
    for _ in 1 2 3; do
        hostile_start=$(lab_now)
        hostile_i=0
        while [ $hostile_i -lt 15000 ]; do
            hostile_i=$((hostile_i + 1))
        done
        lab_since "$hostile_start" | tr -d . | sed 's/^0*//'
    done | sort -n | head -n 1
}

# hostile_honest NAME: cycles for a flash write of an honest guest, from 150
# writes; creates a guest with a flash and destroys it
hostile_honest() {
    cp /lab/OVMF_VARS.fd "/tmp/$1.fd"
    lab_guest "$1" "test=bench count=150" >/dev/null || return
    lab_flash "$1" "/tmp/$1.fd" --mode direct >/dev/null || return
    xl unpause "$1"
    lab_expect "$1" 120 '^# cycles write [0-9]+$' || return
    xl destroy "$1"
    lab_flash_end "$1" >/dev/null
    tr -d '\r' <"$(lab_log "$1")" | sed -n 's/^# cycles write //p'
}

# hostile_percent ALONE BESIDE
hostile_percent() {
    echo $(($2 * 100 / $1))
}

# hostile_status NAME FIELD
hostile_status() {
    pflashctl status "$1" | sed -n "s/^$2: //p"
}

# --- the guest ----------------------------------------------------------------

# hostile_begin NAME MODE SEED OPTION...: starts the hostile guest; sets
# hostile_pids and the variables of hostile_sample
hostile_begin() {
    hostile_name=$1 hostile_mode=$2 hostile_seed=$3
    shift 3
    hostile_others=$(pidof pflashd)
    hostile_pids=''
    cp /lab/OVMF_VARS.fd "/tmp/$hostile_name.fd"
    lab_create "$hostile_name" 'kernel = "/lab/guest.elf"' \
        "extra = \"test=hostile vcpus=4 seed=$hostile_seed $HOSTILE_WORDS\"" \
        'vcpus = 4' "cap = $HOSTILE_CAP" || lab_die "$hostile_name: no guest"
    lab_flash "$hostile_name" "/tmp/$hostile_name.fd" --mode "$hostile_mode" \
        "$@" || lab_die "$hostile_name: pflashd did not attach"
    hostile_id=$(lab_domid "$hostile_name")
    for hostile_pid in $(pidof pflashd); do
        case " $hostile_others " in
        *" $hostile_pid "*) ;;
        *) hostile_pids="$hostile_pids $hostile_pid" ;;
        esac
    done
    xl unpause "$hostile_name"
    lab_expect "$hostile_name" 90 '^# hostile ' ||
        lab_die "$hostile_name: the guest has not begun"
    hostile_since=$(date +%s)
    hostile_kb=0 hostile_fds=0 hostile_kb_first='' hostile_fds_first=''
}

# hostile_sample: updates the maxima of pflashd's memory and descriptors. The first
# sample is the base: memory for a large burst, for example, is not growth.
hostile_sample() {
    # shellcheck disable=SC2086
    hostile_now=$(hostile_memory $hostile_pids)
    # shellcheck disable=SC2086
    hostile_now_fds=$(hostile_descriptors $hostile_pids)
    : "${hostile_kb_first:=$hostile_now}" "${hostile_fds_first:=$hostile_now_fds}"
    [ "$hostile_now" -le "$hostile_kb" ] || hostile_kb=$hostile_now
    [ "$hostile_now_fds" -le "$hostile_fds" ] || hostile_fds=$hostile_now_fds
}

# hostile_until SECONDS: lets the guest run until that time after its start
hostile_until() {
    while [ $(($(date +%s) - hostile_since)) -lt "$1" ] && ! lab_gone "$hostile_name"; do
        sleep 2
        hostile_sample
    done
}

hostile_alive() {
    for hostile_pid in $hostile_pids; do
        kill -0 "$hostile_pid" || return
    done
    [ -n "$hostile_pids" ] && ! lab_gone "$hostile_name"
}

# hostile_look: the checks while the guest runs
hostile_look() {
    check "$hostile_name: guest and pflashd are alive" hostile_alive
    check "$hostile_name: pflashd has not grown ($hostile_kb_first to $hostile_kb KiB)" \
        test $((hostile_kb - hostile_kb_first)) -le $HOSTILE_GROWTH
    check "$hostile_name: pflashd has no more descriptors ($hostile_fds_first to $hostile_fds)" \
        test $((hostile_fds - hostile_fds_first)) -le $HOSTILE_FDS
    hostile_start=$(lab_now)
    pflashctl status "$hostile_name" >/tmp/status || cat "/tmp/$hostile_name.pflashd"
    check "$hostile_name: pflashctl status gets an answer ($(lab_since "$hostile_start") s)" \
        test -s /tmp/status
    for hostile_field in requests reads writes bursts checkpoints written throttled throttled-seconds; do
        sed -n "s/^\($hostile_field: .*\)/\1/p" /tmp/status
    done | tr '\n' ' ' >/tmp/line
    note "$hostile_name: $(($(date +%s) - hostile_since)) s, $(cat /tmp/line)"
    note "$hostile_name: $(tr -d '\r' <"$(lab_log "$hostile_name")" | grep '^# hostile' | tail -n 1)"
    check "$hostile_name: pflashd's log is short" \
        test "$(wc -l <"/tmp/$hostile_name.pflashd")" -lt 50
}

# hostile_end: destroys the guest; only two sound files may be left
hostile_end() {
    hostile_start=$(lab_now)
    xl destroy "$hostile_name"
    check "$hostile_name: pflashd leaves with the guest" lab_flash_end "$hostile_name"
    check "$hostile_name: soon ($(lab_since "$hostile_start") s)" \
        test "$(lab_since "$hostile_start" | cut -d. -f1)" -lt $HOSTILE_PROMPT
    hostile_left
}

hostile_left() {
    check "$hostile_name: the domain is gone" lab_gone "$hostile_name"
    check_equal "$hostile_name: no other domain is left" 1 \
        "$(xl list | tail -n +2 | wc -l)"
    check "$hostile_name: /run/pflashd has no file of it" \
        sh -c "! ls /run/pflashd/$hostile_id.* 2>/dev/null"
    check "$hostile_name: the journal is sound" \
        sh -c "pflashctl log /tmp/$hostile_name.fd >/tmp/log"
    check "$hostile_name: the VARS file is sound" \
        pflashctl export "/tmp/$hostile_name.fd" "/tmp/$hostile_name.image"
    # After an orderly end the VARS file alone has the whole image.
    check "$hostile_name: the VARS file has the whole image" \
        cmp "/tmp/$hostile_name.fd" "/tmp/$hostile_name.image"
}

# --- the parts of a scenario --------------------------------------------------

# hostile_beside SECONDS: direct mode, no limit, an honest guest beside it
hostile_beside() {
    alone=$(hostile_honest alone) || lab_die "the honest guest does not run alone"
    dom0_alone=$(hostile_dom0)
    hostile_begin direct direct "$HOSTILE_SEED"
    hostile_until 8
    hostile_sample
    dom0_beside=$(hostile_dom0)
    beside=$(hostile_honest beside)
    check "the honest guest runs beside it" test -n "$beside"
    percent=$(hostile_percent "$alone" "${beside:-0}")
    check "its writes take at most $HOSTILE_SLOWDOWN % of their time alone" \
        test "$percent" -gt 0 -a "$percent" -le $HOSTILE_SLOWDOWN
    note "honest guest: $alone cycles alone, $beside beside it: $percent %"
    percent=$(hostile_percent "$dom0_alone" "$dom0_beside")
    check "dom0's own work takes no more than $HOSTILE_SLOWDOWN %, either" \
        test "$percent" -le $HOSTILE_SLOWDOWN
    note "dom0: $dom0_alone hundredths of a second alone, $dom0_beside beside it: $percent %"
    hostile_until "$1"
    hostile_look
    hostile_end
}

# hostile_trapped SECONDS: trap mode: every access is a request, and a string is
# one request
hostile_trapped() {
    hostile_begin trap trap $((HOSTILE_SEED + 1))
    hostile_until "$1"
    hostile_look
    hostile_end
}

# hostile_ballooned SECONDS: the guest also gives frames of the flash back to Xen,
# puts its own frames there, and reads ports into the flash. Xen crashes a guest
# whose memory changes in the middle of an instruction: the guest may end early.
hostile_ballooned() {
    HOSTILE_WORDS=balloon=yes
    hostile_begin ballooned direct $((HOSTILE_SEED + 3))
    HOSTILE_WORDS=
    hostile_until "$1"
    if lab_gone ballooned; then
        note "ballooned: Xen has ended it after $(($(date +%s) - hostile_since)) s"
        check "ballooned: pflashd leaves with the guest" lab_flash_end ballooned
        hostile_left
    else
        hostile_look
        hostile_end
    fi
}

# hostile_limited SECONDS: the guest exceeds its write limit; only the guest waits
hostile_limited() {
    hostile_begin limited trap $((HOSTILE_SEED + 2)) --write-limit $HOSTILE_RATE,$HOSTILE_BURST
    hostile_until "$1"
    hostile_look
    written=$(hostile_status limited written)
    seconds=$(($(date +%s) - hostile_since + 10))
    bound=$((HOSTILE_BURST + seconds * HOSTILE_RATE + HOSTILE_DEBT))
    bound=$((bound + $(hostile_status limited checkpoints) * HOSTILE_CHECKPOINT))
    check "limited: $written bytes were written, of $bound" \
        test "${written:-0}" -gt 0 -a "${written:-0}" -le $bound
    check "limited: the guest had to wait for that" \
        test "$(hostile_status limited throttled-seconds)" -gt 0
    hostile_start=$(lab_now)
    kill "$(cat /tmp/limited.pid)"
    check "limited: pflashd ends by SIGTERM" lab_flash_end limited
    check "limited: soon ($(lab_since "$hostile_start") s)" \
        test "$(lab_since "$hostile_start" | cut -d. -f1)" -lt $HOSTILE_PROMPT
    # --force: firmware might reject the variables that the guest has written.
    lab_flash limited /tmp/limited.fd --mode trap --force \
        --write-limit $HOSTILE_RATE,$HOSTILE_BURST ||
        lab_die "limited: pflashd did not attach again"
    sleep 4
    # The bursts since the attach alone would not empty a full bucket.
    check "limited: the next pflashd throttles the guest at once" \
        test "$(hostile_status limited throttled)" -gt 0 \
        -a $(($(hostile_status limited bursts) * 8192)) -lt $((HOSTILE_BURST / 4))
    note "limited: the next pflashd: $(hostile_status limited throttled) waits in $(hostile_status limited bursts) bursts"
    hostile_end
}
