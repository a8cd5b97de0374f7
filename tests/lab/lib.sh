# SPDX-License-Identifier: BSD-2-Clause
# The functions for scenarios; runs in dom0 (busybox sh). The first line of a
# scenario after its header is `. /lab/lib.sh`, the last one `lab_done`.
# Standard output and standard error of a scenario go to the console log.

lab_send() {
    printf '%s\n' "$*" >>"$LAB_RESULTS"
    printf '[lab] %s\n' "$*"
}

# --- checks -----------------------------------------------------------------

ok() {
    lab_send "ok - $*"
}

not_ok() {
    lab_send "not ok - $*"
}

skip() {
    lab_send "skip - $*"
}

# note TEXT: a line for the reader, such as a measurement
note() {
    lab_send "# $*"
}

# lab_step TEXT: the action that begins now; the host prints it with the time
lab_step() {
    lab_send "lab: step $*"
}

# lab_progress TEXT: how far a long wait is. On a terminal the host rewrites one
# line; elsewhere it prints the newest text every ten seconds.
lab_progress() {
    lab_send "lab: progress $*"
}

# lab_summary TEXT: a sentence for the end of a run that has passed
lab_summary() {
    lab_send "lab: summary $*"
}

# check TEXT COMMAND...: ok if the command succeeds
check() {
    lab_text=$1
    shift
    if "$@"; then ok "$lab_text"; else not_ok "$lab_text"; fi
}

# check_equal TEXT WANTED GOT
check_equal() {
    if [ "$2" = "$3" ]; then
        ok "$1"
    else
        not_ok "$1: wanted '$2', got '$3'"
    fi
}

# --- the end ----------------------------------------------------------------

lab_done() {
    lab_send "lab: done"
    exit 0
}

# lab_die TEXT: a failed check after which the scenario cannot go on
lab_die() {
    not_ok "$*"
    exit 1
}

# lab_skip_all TEXT: this machine cannot run the scenario
lab_skip_all() {
    lab_send "lab: skip-all $*"
    exit 0
}

# lab_require: loads the modules and looks for the programs that the header
# names; skips the scenario if one is missing. The file of a built-in module is
# empty.
lab_require() {
    for lab_module in $(sed -n 's/^# modules: //p' /lab/scenario.sh); do
        [ -f "/lab/modules/$lab_module.ko" ] ||
            lab_skip_all "dom0's kernel has no module $lab_module"
        [ ! -s "/lab/modules/$lab_module.ko" ] ||
            insmod "/lab/modules/$lab_module.ko" ||
            lab_die "the module $lab_module can't be loaded"
    done
    for lab_program in $(sed -n 's/^# programs: //p' /lab/scenario.sh); do
        [ -x "/lab/$lab_program" ] ||
            lab_skip_all "there is no program $lab_program"
    done
}

# --- time -------------------------------------------------------------------

# lab_now: seconds since boot, with two decimals
lab_now() {
    read -r lab_uptime lab_rest </proc/uptime
    echo "$lab_uptime"
}

# lab_since START: seconds passed since lab_now printed START
lab_since() {
    awk -v a="$1" -v b="$(lab_now)" 'BEGIN { printf "%.2f\n", b - a }'
}

# lab_wait SECONDS COMMAND...: tries until the command succeeds
lab_wait() {
    lab_until=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$lab_until" ] || return 1
        usleep 100000
    done
}

# --- files ------------------------------------------------------------------

# lab_export FILE [NAME]: brings a file to the host, into the log directory
lab_export() {
    lab_send "lab: file ${2:-${1##*/}}"
    gzip -c "$1" | base64 >>"$LAB_RESULTS"
    lab_sum=$(sha256sum <"$1")
    lab_send "lab: file-end ${lab_sum%% *}"
}

# --- domains ----------------------------------------------------------------

# lab_create NAME [LINE...]: creates a paused PVH domain of 64 MiB; the lines
# go to the end of its xl configuration and override earlier ones
lab_create() {
    lab_name=$1
    shift
    {
        printf 'name = "%s"\ntype = "pvh"\nvcpus = 1\nmemory = 64\n' \
            "$lab_name"
        printf 'cpus = "1"\n' # dom0 has processor 0
        printf 'on_reboot = "destroy"\non_crash = "destroy"\n'
        printf '%s\n' "$@"
    } >"/tmp/$lab_name.cfg"
    rm -f "/tmp/$lab_name.serial"
    xl create -p "/tmp/$lab_name.cfg"
}

# lab_create_hvm NAME [LINE...]: creates a paused HVM domain of 256 MiB for UEFI
# firmware, with QEMU (`needs: hvm`) and a serial port, which is its console
lab_create_hvm() {
    lab_name=$1
    shift
    # By default Xen delivers all ticks that the guest missed while QEMU served
    # a request, one after another: the firmware would do nothing else.
    lab_create "$lab_name" 'type = "hvm"' 'memory = 256' 'bios = "ovmf"' \
        'serial = "pty"' 'vga = "none"' 'vnc = 0' \
        'timer_mode = "one_missed_tick_pending"' "$@" || return
    # QEMU takes no input from a terminal before a process opens it.
    cat "$(lab_tty "$lab_name")" >"/tmp/$lab_name.serial" 2>/dev/null &
}

# lab_guest NAME [WORDS]: creates the paused test guest with this command line
lab_guest() {
    lab_create "$1" 'kernel = "/lab/guest.elf"' "extra = \"$2\""
}

# lab_log NAME: the file with the output of the domain's console
lab_log() {
    if [ -e "/tmp/$1.serial" ]; then
        echo "/tmp/$1.serial"
    else
        echo "/var/log/xen/console/guest-$1.log"
    fi
}

lab_domid() {
    xl domid "$1" 2>/dev/null
}

lab_gone() {
    ! xl domid "$1" >/dev/null 2>&1
}

# lab_paused NAME: paused and alive; a dying domain is paused, too
lab_paused() {
    xl list "$1" | awk 'NR == 2 { print $5 }' | grep -q 'p---$'
}

# lab_finish NAME SECONDS: true if the test guest powered off by itself in time
lab_finish() {
    lab_wait "$2" lab_gone "$1" && grep -q '^# end' "$(lab_log "$1")"
}

# --- a guest's console ------------------------------------------------------

LAB_ESCAPE=$(printf '\033')

# lab_tty NAME: the terminal of its serial port or, without one, PV console
lab_tty() {
    lab_domain=/local/domain/$(lab_domid "$1")
    xenstore-read "$lab_domain/serial/0/tty" 2>/dev/null ||
        xenstore-read "$lab_domain/console/tty"
}

# lab_type NAME TEXT: types a line. One write() has to bring it into the guest's
# input ring, which has 1024 bytes.
lab_type() {
    printf '%s\r' "$2" >"$(lab_tty "$1")"
}

# lab_mark NAME: lab_expect ignores the output until now
lab_mark() {
    wc -c <"$(lab_log "$1")" >"/tmp/$1.mark"
}

# lab_shown NAME: the output of the console since the mark, as plain lines
lab_shown() {
    tail -c "+$(($(cat "/tmp/$1.mark" 2>/dev/null || echo 0) + 1))" \
        "$(lab_log "$1")" | sed "s/$LAB_ESCAPE\[[0-9;=?]*[A-Za-z]//g" | tr -d '\r'
}

# lab_has NAME PATTERN: PATTERN (grep -E) was shown since the mark
lab_has() {
    lab_shown "$1" | grep -qE "$2"
}

# lab_expect NAME SECONDS PATTERN
lab_expect() {
    lab_wait "$2" lab_has "$1" "$3"
}

# --- pflashd ----------------------------------------------------------------

# lab_flash NAME VARS [OPTION...]: gives the domain a flash and waits until it
# is attached. Its messages go to the console and to /tmp/NAME.pflashd.
lab_flash() {
    lab_name=$1
    lab_vars=$2
    shift 2
    : >"/tmp/$lab_name.ready"
    # The scenario has removed the file: pflashd may make a new one.
    [ -e "$lab_vars" ] || pflashctl forget "$lab_vars" >/dev/null
    pflashd --domain "$lab_name" --vars "$lab_vars" --foreground \
        --ready-fd 9 "$@" 9>"/tmp/$lab_name.ready" 3>&- \
        >"/tmp/$lab_name.pflashd" 2>&1 &
    echo $! >"/tmp/$lab_name.pid"
    lab_wait 60 lab_flash_settled "$lab_name"
    [ -s "/tmp/$lab_name.ready" ] && return
    cat "/tmp/$lab_name.pflashd"
    return 1
}

# lab_install_script: the hotplug script that starts pflashd for a disk
lab_install_script() {
    mkdir -p /etc/xen/pflash
    cp /lab/block-pflash /lab/pflash-common.sh /etc/xen/scripts/
    chmod +x /etc/xen/scripts/block-pflash
}

# lab_disk FILE: makes an empty disk; prints the line for xl that uses the script
lab_disk() {
    truncate -s 1M "$1"
    printf 'disk = [ "%s, target=%s" ]\n' \
        "vdev=xvda, access=rw, script=block-pflash" "$1"
}

# lab_supervisors: the pid of each pflashd's supervisor; the worker is its child
lab_supervisors() {
    lab_all=" $(pidof pflashd) "
    for lab_pid in $lab_all; do
        case $lab_all in
            *" $(lab_parent "$lab_pid") "*) ;;
            *) echo "$lab_pid" ;;
        esac
    done
}

lab_parent() {
    sed -n 's/^PPid:[^0-9]*//p' "/proc/$1/status"
}

# lab_worker SUPERVISOR
lab_worker() {
    for lab_pid in $(pidof pflashd); do
        [ "$(lab_parent "$lab_pid")" != "$1" ] || echo "$lab_pid"
    done
}

lab_flash_settled() {
    [ -s "/tmp/$1.ready" ] || ! kill -0 "$(cat "/tmp/$1.pid")"
}

# lab_field NAME FIELD: the value of a line `FIELD: VALUE` of `pflashctl status`
lab_field() {
    pflashctl status "$1" | sed -n "s/^$2: //p"
}

# lab_state NAME STATE: true if `pflashctl status` reports that state
lab_state() {
    [ "$(lab_field "$1" state)" = "$2" ]
}

# lab_replaced NAME WORKER: true if a worker with another pid serves the domain
lab_replaced() {
    lab_new=$(lab_field "$1" worker)
    lab_state "$1" running && [ "${lab_new:-0}" != 0 ] && [ "$lab_new" != "$2" ]
}

# lab_ended PID: the process has ended; it may be a zombie
lab_ended() {
    ! grep -qs '^State:[[:space:]]*[A-WYt]' "/proc/$1/status"
}

# lab_run_files ID: the files in /run/pflashd of the domain with this id
lab_run_files() {
    ls -d /run/pflashd/"$1".* 2>/dev/null
}

# lab_flash_end NAME: waits until pflashd exits; returns its exit status
lab_flash_end() {
    wait "$(cat "/tmp/$1.pid")"
    lab_status=$?
    cat "/tmp/$1.pflashd"
    return $lab_status
}
