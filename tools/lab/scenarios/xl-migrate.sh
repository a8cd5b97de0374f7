# SPDX-License-Identifier: BSD-2-Clause
# about: xl migrate to the same host, in the middle of commands; refused in direct mode; aborted before and after the guest was suspended
# needs: block build/lab/guest.elf build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tools/lab/xl.sh
# slow: a guest is sent five times
# timeout: 1800
. /lab/lib.sh
. /lab/xl.sh

name=move
guest=$name # whose console it is: the one that arrives has the log of its name then

# --- instead of ssh: each takes the host, and the command to run there ---

receiver() {
    printf '#!/bin/sh\nshift\n%s\n' "$2" >"/tmp/$1"
    chmod +x "/tmp/$1"
}

receiver here 'exec "$@"'
# Hears only so much, before the guest is suspended.
receiver early 'head -c 2000000 | "$@"'
# Dies when the guest that arrives has its flash, and cleans up nothing. A
# background job would have no standard input.
# shellcheck disable=SC2016
receiver late 'exec 5<&0
"$@" <&5 &
n=0
until pflashctl status move--incoming >/dev/null 2>&1; do
    n=$((n + 1))
    [ $n -lt 600 ] || exit 1
    usleep 100000
done
kill -9 $!'

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
    check "$1: and one pflashd, which is new" lab_wait 10 sh -c \
        "pids=\$(pidof pflashd) && test \"\$pids\" != $pid &&
            test \$(echo \$pids | wc -w) = 1"
    domain=$(lab_domid $name) pid=$(pidof pflashd)
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
        "test \"\$(pidof pflashd)\" = $pid"
    check_equal "$1: with the same name" "$name" \
        "$(pflashctl status $name | sed -n 's/^name: //p')"
}

syslogd -O /tmp/syslog || note "no syslogd"
xl_setup
# Small, for a guest is sent in many more minutes here than anywhere else.
xl_config $name pvh "test=steady seed=7 control=xenstore" 'memory = 32' 'shadow_memory = 8'
xl_create $name || lab_die "not created: $(cat /tmp/$name.out)"
domain=$(lab_domid $name) pid=$(pidof pflashd)
goes_on "created"

# --- in direct mode ---

check_equal "the mode is direct" direct "$(mode)"
migrate here
check "in direct mode it is refused" test $migrate_status -ne 0
check "because of log-dirty mode" grep -q 'ogdirty' /tmp/xl.out
stayed "refused"
goes_on "refused"
check_equal "refused: the mode is what it was" direct "$(mode)"

# --- the mode changes under the guest ---

for wanted in trap direct trap; do
    check "to $wanted" pflashctl mode $name $wanted
    check_equal "the mode is $wanted" $wanted "$(mode)"
    goes_on "$wanted"
done

# --- in trap mode ---

watch
migrate here
check_equal "in trap mode it migrates" 0 $migrate_status
arrived "migrated"
watched "migrated"
goes_on "migrated"
check_equal "migrated: reads are direct again" direct "$(mode)"

# --- aborted ---

check "to trap again" pflashctl mode $name trap
watch
migrate early
check "aborted before the end" test $migrate_status -ne 0
stayed "early"
goes_on "early"
watched "early"

# The file of options is wrong: it is noticed after the guest was suspended.
echo nonsense >/etc/xen/pflash/$name.conf
watch
migrate here
check "aborted by the script" test $migrate_status -ne 0
stayed "script"
goes_on "script"
watched "script"
rm /etc/xen/pflash/$name.conf

# The guest that came half is there, with the file, until somebody destroys it.
watch
migrate late &
check "late: another domain has the flash" lab_wait 200 \
    pflashctl status $name--incoming
check "late: xl lets this one go on" lab_wait 60 sh -c '! pidof xl'
check "late: it waits for the file" lab_wait 20 \
    grep -q 'goes on and waits' /tmp/syslog
xl destroy $name--incoming
wait $!
stayed "late"
goes_on "late"
watched "late"

# --- and again ---

watch
migrate here
check_equal "it migrates after all that" 0 $migrate_status
arrived "again"
goes_on "again"
watched "again"
check "to trap, then direct" sh -c \
    "pflashctl mode $name trap && pflashctl mode $name direct"
goes_on "direct"
lab_type $name go
check "the guest ends" lab_wait 60 lab_gone $name
check "it has found nothing wrong at all" grep -q '^# steady ok' \
    "$(lab_log $guest)"
rounds=$(tr -d '\r' <"$(lab_log $guest)" | sed -n 's/^# steady ok after //p')
note "$rounds rounds"
xl_holds "in the end" $name "$(xl_wanted $((7 + rounds)))"
[ ! -e /tmp/syslog ] || lab_export /tmp/syslog
lab_done
