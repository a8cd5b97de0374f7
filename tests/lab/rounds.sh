# SPDX-License-Identifier: BSD-2-Clause
# Rounds of a guest's life with xl: each kind of end, and xl's reaction to it.
# Sourced after xl.sh by the xl-rounds* scenarios.

round=0
rounds_places="rest buffer word erase suspend status id"

# rounds_word LIST N: the Nth word of the list, modulo its length
rounds_word() {
    # shellcheck disable=SC2086
    set -- "$2" $1
    shift $(($1 % ($# - 1) + 1))
    echo "$1"
}

# rounds_half: the bytes of a guest that ended in the middle of its command
rounds_half() {
    case $place in
    buffer | suspend) xl_wanted 255 0 ;;
    word) echo "$(xl_wanted "$round" | head -c 32)$(xl_wanted 255 0 | head -c 32)" ;;
    *) xl_wanted "$round" ;;
    esac
}

# rounds_create WORDS [LINE...]: creates the round's guest; returns when it waits
rounds_create() {
    rounds_words="test=middle at=$place seed=$round $1"
    shift
    xl_config "$name" "$type" "$rounds_words" "$@"
    xl_create "$name" || lab_die "$name: not created: $(cat "/tmp/$name.out")"
    rounds_waits
}

# rounds_waits: returns when a guest of that name waits, with a flash. Sets the
# domain's id and pflashd's pid.
rounds_waits() {
    xl_waits "$name" 100 || lab_die "$name: it does not reach its command"
    domain=$(lab_domid "$name") pid=$(lab_supervisors)
    check "$name: the guest has a flash, in direct mode" sh -c \
        "pflashctl status $name | grep -q '^mode: direct'"
    check_equal "$name: one pflashd serves it" 1 "$(echo "$pid" | wc -w)"
}

# rounds_next: the guest has ended, and xl creates it again
rounds_next() {
    old_domain=$domain old_pid=$pid
    rounds_waits
    check "$name: the domain is new" test "$domain" != "$old_domain"
    check "$name: with a new pflashd" test "$pid" != "$old_pid"
}

rounds_go() {
    lab_type "$name" go
}

# rounds_ended BYTES: the domain ends by itself; its file has these bytes
rounds_ended() {
    check "$name: the domain goes" lab_wait 60 lab_gone "$name"
    xl_holds "$name" "$name" "$1"
}

rounds_destroy() {
    xl destroy "$name"
    rounds_ended "$(rounds_half)"
}

# rounds_kept: the name of the domain that xl keeps shut down, or nothing
rounds_kept() {
    xl list | awk -v name="$1" \
        'index($1, name) == 1 && $5 ~ /s/ { print $1 }'
}

# rounds_gave_back DOMAIN: pflashd has released its resources of the domain;
# another pflashd can attach
rounds_gave_back() {
    # It attaches, finds that the domain is shut down, and may end before it is ready.
    lab_flash "$1" /tmp/kept.fd --layout 2m --mode direct
    check "$name: the domain that was shut down has no flash any more" \
        grep -q 'bytes at 0x.*, direct mode' "/tmp/$1.pflashd"
    kill "$(cat "/tmp/$1.pid")" 2>/dev/null
    lab_flash_end "$1"
    rm -f /tmp/kept.fd*
}

round_poweroff() {
    rounds_create end=poweroff
    rounds_go
    rounds_ended "$(xl_wanted "$round")"
}

round_crash() {
    rounds_create end=crash 'on_crash = "destroy"'
    rounds_go
    rounds_ended "$(xl_wanted "$round")"
}

round_destroy() {
    rounds_create end=poweroff
    rounds_destroy
}

# The guest's writes are random; store-kill checks their contents.
round_writing() {
    xl_config "$name" "$type" "test=random seed=$round count=100000"
    xl_create "$name" || lab_die "$name: not created: $(cat "/tmp/$name.out")"
    check "$name: the guest writes" lab_expect "$name" 60 '^w .*'
    xl destroy "$name"
    xl_holds "$name" "$name" "$(xl_bytes "$name")"
    check "$name: the file has writes of the guest" sh -c \
        "pflashctl log --bursts $xl_dir/$name.fd | grep -q programmed"
}

round_reboot() {
    rounds_create end=reboot 'on_reboot = "restart"'
    rounds_go
    rounds_next
    rounds_destroy
}

round_restart() {
    rounds_create end=crash 'on_crash = "restart"'
    rounds_go
    rounds_next
    rounds_destroy
}

round_xlshutdown() {
    rounds_create control=xenstore
    xl shutdown "$name"
    rounds_ended "$(rounds_half)"
}

round_xlreboot() {
    rounds_create control=xenstore 'on_reboot = "restart"'
    xl reboot "$name"
    rounds_next
    xl shutdown "$name"
    rounds_ended "$(rounds_half)"
}

round_preserve() {
    rounds_create end=poweroff 'on_poweroff = "preserve"'
    rounds_go
    check "$name: pflashd ends" lab_wait 60 sh -c '! pidof pflashd'
    check_equal "$name: the domain stays" "$name" "$(rounds_kept "$name")"
    rounds_gave_back "$name"
    xl destroy "$name"
    rounds_ended "$(xl_wanted "$round")"
}

round_rename() {
    rounds_create end=crash 'on_crash = "rename-restart"'
    rounds_go
    rounds_next
    kept=$(rounds_kept "$name-")
    check "$name: the old domain stays, with another name" test -n "$kept"
    check_equal "$name: only the new domain has a pflashd" "$pid" \
        "$(lab_supervisors)"
    xl destroy "$kept"
    check "$name: its end does not affect the new domain" \
        pflashctl status "$name"
    rounds_destroy
}

# rounds TYPE COUNT KIND...: COUNT rounds, one kind after another in a cycle
rounds() {
    type=$1
    rounds_count=$2
    shift 2
    while [ "$rounds_count" -gt 0 ]; do
        rounds_count=$((rounds_count - 1))
        place=$(rounds_word "$rounds_places" $round)
        kind=$(rounds_word "$*" $round)
        round=$((round + 1))
        name=$kind-$place-$round
        lab_start=$(lab_now)
        "round_$kind"
        note "$name, $type: $(lab_since "$lab_start") s"
    done
}
