# SPDX-License-Identifier: BSD-2-Clause
# A guest that migrates to the host that it is on. Sourced, behind xl.sh, by the
# xl-migrate* scenarios.

name=move
guest=$name # whose console: that of one that arrives has its name of then

# --- instead of ssh: each takes the host, and the command to run there ---

receiver() {
    printf '#!/bin/sh\nshift\n%s\n' "$2" >"/tmp/$1"
    chmod +x "/tmp/$1"
}

receiver here 'exec "$@"'

# migrate RECEIVER: what xl says is in /tmp/xl.out
migrate() {
    migrate_start=$(lab_now)
    timeout 200 xl migrate -s "/tmp/$1" $name localhost >/tmp/xl.out 2>&1
    migrate_status=$?
    note "migrate, $1: $(lab_since "$migrate_start") s, exit $migrate_status"
    cat /tmp/xl.out
    return $migrate_status
}

# --- who has the file ---

# holder PID: has it a lock on that inode? Without a process for it, which
# would take the time that xl needs.
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

# holders_now: all that have one, as they are found one after the other
holders_now() {
    for holders_dir in /proc/[0-9]*; do
        read -r holders_name <"$holders_dir/comm" || continue
        [ "$holders_name" = pflashd ] || continue
        ! holder "${holders_dir#/proc/}" || echo "${holders_dir#/proc/}"
    done 2>/dev/null
}

# holders: the processes that have a lock on the file, in order of time
holders() {
    holders_inode=$(stat -c %i $xl_dir/$name.fd)
    holders_last=
    while [ -e /tmp/watching ]; do
        # shellcheck disable=SC2046
        set -- $(holders_now)
        # The first may have let go before the second was looked at.
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
    check "$1: somebody was seen with it" grep -q '^[0-9]' /tmp/holders
    check "$1: never two" sh -c "! grep -q ' ' /tmp/holders"
}

# goes_on TEXT: the guest writes, and finds what it has written
goes_on() {
    lab_mark $guest
    check "$1: the guest goes on" lab_expect $guest 60 '^# round'
    check "$1: it has found nothing wrong" sh -c \
        "! grep -q '^# failed' '$(lab_log $guest)'"
}

mode() {
    pflashctl status $name | sed -n 's/^mode: //p'
}

# arrived TEXT: it is another domain and process, and the old ones are gone
arrived() {
    guest=$name--incoming
    check "$1: the old domain is gone" test "$(lab_domid $name)" != "$domain"
    check_equal "$1: there is one" 1 "$(xl list | grep -c "^$name")"
    check "$1: and one pflashd, which is new" lab_wait 60 sh -c \
        ". /lab/lib.sh; pids=\$(lab_supervisors) && test \"\$pids\" != $pid &&
            test \$(echo \$pids | wc -w) = 1"
    domain=$(lab_domid $name) pid=$(lab_supervisors)
    check_equal "$1: it has the name" "$domain $name" \
        "$(pflashctl status $name | sed -nE 's/^(domain|name): //p' | xargs)"
    check "$1: its console has no mistake" sh -c \
        "! grep -q '^# failed' '$(lab_log $guest)'"
}

# stayed TEXT: nothing came of it
stayed() {
    check_equal "$1: the domain is the same" "$domain" "$(lab_domid $name)"
    check "$1: no other is left" lab_wait 30 sh -c \
        "test \$(xl list | grep -c '^$name') = 1"
    check "$1: nor another pflashd" lab_wait 30 sh -c \
        ". /lab/lib.sh; test \"\$(lab_supervisors)\" = $pid"
    check_equal "$1: with the same name" "$name" \
        "$(pflashctl status $name | sed -n 's/^name: //p')"
}

# migrate_create TYPE WORDS LINE...: the guest, which writes all the time
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

# migrate_end: it ends, and has found nothing wrong
migrate_end() {
    lab_type $name go
    check "the guest ends" lab_wait 60 lab_gone $name
    check "it has found nothing wrong at all" grep -q '^# steady ok' \
        "$(lab_log $guest)"
    rounds=$(tr -d '\r' <"$(lab_log $guest)" | sed -n 's/^# steady ok after //p')
    note "$rounds rounds"
    xl_holds "in the end" $name "$(xl_wanted $((7 + rounds)))"
    [ ! -e /tmp/syslog ] || lab_export /tmp/syslog
}
