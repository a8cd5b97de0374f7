# SPDX-License-Identifier: BSD-2-Clause
# A guest that migrates to its own host. Sourced after xl.sh by the xl-migrate*
# scenarios.

name=move
guest=$name # name of the console log: a guest keeps its name at its arrival

# --- in place of ssh: arguments are the host and the command to run there ---

receiver() {
    printf '#!/bin/sh\nshift\n%s\n' "$2" >"/tmp/$1"
    chmod +x "/tmp/$1"
}

receiver here 'exec "$@"'

# migrate RECEIVER: xl's output is in /tmp/xl.out
migrate() {
    migrate_start=$(lab_now)
    timeout 200 xl migrate -s "/tmp/$1" $name localhost >/tmp/xl.out 2>&1
    migrate_status=$?
    note "migrate, $1: $(lab_since "$migrate_start") s, exit $migrate_status"
    cat /tmp/xl.out
    return $migrate_status
}

# --- the processes that hold a lock on the file ---

# holder PID: true if it has a lock on the inode. Uses builtins only: processes
# would slow xl down.
holder() {
    for holder_file in "/proc/$1/fdinfo/"*; do
        while read -r holder_line; do
            case $holder_line in
            *OFDLCK*WRITE*:$holders_inode\ *) return 0 ;;
            esac
        done <"$holder_file"
    done 2>/dev/null
    return 1
}

# holders_now: all processes with a lock; the search is not atomic
holders_now() {
    for holders_dir in /proc/[0-9]*; do
        read -r holders_name <"$holders_dir/comm" || continue
        [ "$holders_name" = pflashd ] || continue
        ! holder "${holders_dir#/proc/}" || echo "${holders_dir#/proc/}"
    done 2>/dev/null
}

# holders: logs the processes that have a lock on the file, in order of time
holders() {
    holders_inode=$(stat -c %i $xl_dir/$name.fd)
    holders_last=
    while [ -e /tmp/watching ]; do
        # shellcheck disable=SC2046
        set -- $(holders_now)
        # The first may have released its lock before the second was examined.
        # shellcheck disable=SC2046
        [ $# -lt 2 ] || set -- $(holders_now)
        if [ "${*:-nobody}" != "$holders_last" ]; then
            holders_last=${*:-nobody}
            echo "$holders_last"
        fi
        usleep 100000
    done >/tmp/holders
}

watch() {
    : >/tmp/watching
    holders &
    watcher=$!
}

watched() {
    rm /tmp/watching
    wait $watcher
    note "$1: held by $(tr '\n' ',' </tmp/holders)"
    check "$1: a process had a lock on the file" grep -q '^[0-9]' /tmp/holders
    check "$1: never two processes" sh -c "! grep -q ' ' /tmp/holders"
}

# goes_on TEXT: the guest writes, and reads its data back
goes_on() {
    lab_mark $guest
    check "$1: the guest goes on" lab_expect $guest 60 '^# round'
    check "$1: the guest has found no error" sh -c \
        "! grep -q '^# failed' '$(lab_log $guest)'"
}

mode() {
    pflashctl status $name | sed -n 's/^mode: //p'
}

# arrived TEXT: domain and pflashd are new, and the old ones are gone
arrived() {
    guest=$name--incoming
    check "$1: the old domain is gone" test "$(lab_domid $name)" != "$domain"
    check_equal "$1: there is one domain" 1 "$(xl list | grep -c "^$name")"
    check "$1: there is one pflashd, a new one" lab_wait 60 sh -c \
        ". /lab/lib.sh; pids=\$(lab_supervisors) && test \"\$pids\" != $pid &&
            test \$(echo \$pids | wc -w) = 1"
    domain=$(lab_domid $name) pid=$(lab_supervisors)
    check_equal "$1: pflashd reports the domain's id and name" "$domain $name" \
        "$(pflashctl status $name | sed -nE 's/^(domain|name): //p' | xargs)"
    check "$1: the guest's console shows no error" sh -c \
        "! grep -q '^# failed' '$(lab_log $guest)'"
}

# stayed TEXT: the migration failed and changed nothing
stayed() {
    check_equal "$1: the domain is the same" "$domain" "$(lab_domid $name)"
    check "$1: no other domain is left" lab_wait 30 sh -c \
        "test \$(xl list | grep -c '^$name') = 1"
    check "$1: no other pflashd is left" lab_wait 30 sh -c \
        ". /lab/lib.sh; test \"\$(lab_supervisors)\" = $pid"
    check_equal "$1: pflashd reports the same name" "$name" \
        "$(pflashctl status $name | sed -n 's/^name: //p')"
}

# migrate_create TYPE WORDS LINE...: creates the guest, which writes all the time
migrate_create() {
    migrate_type=$1 migrate_words=$2
    shift 2
    syslogd -O /tmp/syslog || note "no syslogd"
    xl_setup
    xl_config $name "$migrate_type" "test=steady seed=7 $migrate_words" "$@"
    xl_create $name || lab_die "not created: $(cat /tmp/$name.out)"
    domain=$(lab_domid $name) pid=$(lab_supervisors)
    goes_on "created"
}

# migrate_end: ends the guest, which must have found no error
migrate_end() {
    lab_type $name go
    check "the guest ends" lab_wait 60 lab_gone $name
    check "the guest has found no error in all rounds" grep -q '^# steady ok' \
        "$(lab_log $guest)"
    rounds=$(tr -d '\r' <"$(lab_log $guest)" | sed -n 's/^# steady ok after //p')
    note "$rounds rounds"
    xl_holds "in the end" $name "$(xl_wanted $((7 + rounds)))"
    [ ! -e /tmp/syslog ] || lab_export /tmp/syslog
}
