# SPDX-License-Identifier: BSD-2-Clause
# about: a patched xl migrates a guest with a flash to its own host; after a failure the guest continues
# needs: libxl hvm build/lab/guest.elf build/lab/guest.rom
# needs: build/pflashd build/pflashctl
# needs: tests/lab/xl.sh tests/lab/libxl.sh
# slow: needs the patched xl, which takes minutes to build
# timeout: 900
. /lab/lib.sh
. /lab/xl.sh
. /lab/libxl.sh
libxl_setup
mkdir /tmp/fake

# migrate NAME [RECEIVER]: with a shell in place of ssh
migrate() {
    xl migrate -s '' "$1" "${2:-xl migrate-receive}" >"/tmp/$1.out" 2>&1
}

# fake PROGRAM STATUS: a program of this name that logs its arguments and exits
fake() {
    rm -f /tmp/fake/*
    printf '#!/bin/sh\necho "$*" >>/tmp/fake/calls\nexit %s\n' "$2" \
        >"/tmp/fake/$1"
    chmod +x "/tmp/fake/$1"
}

# calls NAME [MODE...]: the calls of pflashctl that libxl should have made
calls() {
    calls_domain=$(lab_domid "$1")
    check_equal "$1: pflashctl was asked for: $2 ${3:-}" \
        "mode $calls_domain $2${3:+ mode $calls_domain $3}" \
        "$(tr '\n' ' ' </tmp/fake/calls | sed 's/ $//')"
}

# goes_on NAME SEED: a guest that was suspended continues here, to its end. The xl
# that monitored it ended at the suspend: nothing else cleans up after it.
goes_on() {
    lab_type "$1" go
    check "$1: the guest found the chip unchanged" \
        lab_expect "$1" 60 '^# middle ok'
    check "$1: pflashd ends with it" lab_wait 30 sh -c '! pidof pflashd'
    xl destroy "$1"
    xl_holds "$1" "$1" "$(xl_wanted "$2")"
}

one_guest() {
    test "$(xl list | wc -l)" = 3 && test "$(lab_supervisors | wc -w)" = 1
}

# stays NAME MODE: the guest was not migrated and is unchanged
stays() {
    check "$1: no other guest is left" lab_wait 30 one_guest
    check_equal "$1: the domain is the same" "$domain" "$(lab_domid "$1")"
    check "$1: its mode is unchanged" sh -c \
        "pflashctl status $1 | grep -q '^mode: $2'"
}

# --- a flash that does not leave direct mode, or only reports that it did ---

libxl_middle stuck buffer 1
domain=$(lab_domid stuck)
fake pflashctl 1
PATH="/tmp/fake:$PATH" migrate stuck
check "stuck: not migrated" test $? -ne 0
check "stuck: xl prints the reason" grep -q "nvram: pflashctl mode $domain trap failed" \
    /tmp/stuck.out
calls stuck trap
stays stuck direct
fake pflashctl 0
PATH="/tmp/fake:$PATH" migrate stuck
check "stuck: not migrated in direct mode" test $? -ne 0
calls stuck trap direct
stays stuck direct
xl_completes "stuck" stuck 1

# --- no pflashd at the receiver ---

libxl_options=layout=2m,mode=trap
libxl_middle alone suspend 2
domain=$(lab_domid alone)
fake pflashd 1
migrate alone "PATH=/tmp/fake:\$PATH xl migrate-receive"
check "alone: not migrated" test $? -ne 0
check "alone: xl prints the reason" grep -q "nvram: pflashd did not start" /tmp/alone.out
check "alone: the guest continues" lab_expect alone 20 '^# goes on'
stays alone trap
goes_on alone 2

# --- with a pflashd at the receiver ---

if ! pflashctl --help 2>&1 | grep -q '^ *mode '; then
    skip "migrated: this pflashctl has no command mode"
    lab_done
fi
libxl_options=layout=2m
libxl_middle back word 3
domain=$(lab_domid back)
migrate back "PATH=/tmp/fake:\$PATH xl migrate-receive"
check "back: not migrated" test $? -ne 0
check "back: the guest continues" lab_expect back 20 '^# goes on'
stays back direct
goes_on back 3

# away NAME TYPE SEED
away() {
    type=$2
    libxl_middle "$1" buffer "$3"
    domain=$(lab_domid "$1")
    migrate "$1"
    check_equal "$1: migrated" 0 $?
    check "$1: it is the only guest" lab_wait 30 one_guest
    check "$1: the domain is new" test "$domain" != "$(lab_domid "$1")"
    check "$1: in direct mode" sh -c \
        "pflashctl status $1 | grep -q '^mode: direct'"
    # The name of its console log is that of its arrival.
    ln -sf "guest-$1--incoming.log" "/var/log/xen/console/guest-$1.log"
    rm -f "/tmp/$1.mark"
    xl_completes "$1" "$1" "$3"
}

away away pvh 4
away away-hvm hvm 5
lab_done
