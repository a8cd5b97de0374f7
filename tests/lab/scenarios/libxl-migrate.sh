# SPDX-License-Identifier: BSD-2-Clause
# about: a patched xl migrates a guest with a flash to its own host; after a failure the guest continues
# needs: libxl build/lab/guest.elf build/lab/guest.rom
# wants: hvm
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

# libxl does not need it: this one records that it was called.
cat >/tmp/fake/pflashctl <<'EOF'
#!/bin/sh
echo "$*" >>/tmp/pflashctl.calls
exit 1
EOF
# At the receiver: a pflashd that does not start.
printf '#!/bin/sh\nexit 1\n' >/tmp/fake/pflashd
chmod +x /tmp/fake/*
no_pflashd="ln -sf /tmp/fake/pflashd $libxl_pflashd; xl migrate-receive; status=\$?
    ln -sf /lab/pflashd $libxl_pflashd; exit \$status"

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

direct_key() {
    echo "/libxl/$(lab_domid "$1")/nvram-direct"
}

# refused NAME TEXT: not migrated, and xl prints the text
refused() {
    migrate "$1"
    check "$1: not migrated" test $? -ne 0
    check "$1: xl prints the reason: $2" grep -q "nvram: $2" "/tmp/$1.out"
}

# --- a flash that does not leave direct mode ---

libxl_middle stuck buffer 1
domain=$(lab_domid stuck)
socket=/run/pflashd/$domain.sock
mv "$socket" "$socket.away"
refused stuck "pflashd does not run any more"
mv "$socket.away" "$socket"
stays stuck direct

# The worker does not carry out an order; the next one is refused at once.
worker=$(lab_worker "$(lab_supervisors)")
kill -STOP "$worker"
pflashctl mode stuck direct >/tmp/order 2>&1 &
order=$!
usleep 500000
refused stuck "pflashd: the mode is being changed"
kill -CONT "$worker"
wait $order
stays stuck direct

# libxl believes that the flash has left direct mode.
check_equal "stuck: libxl has recorded direct mode" 1 \
    "$(xenstore-read "$(direct_key stuck)")"
xenstore-write "$(direct_key stuck)" 0
migrate stuck
check "stuck: not migrated in direct mode" test $? -ne 0
stays stuck direct
check_equal "stuck: libxl has gone back to direct mode" 1 \
    "$(xenstore-read "$(direct_key stuck)")"

# No answer: libxl does not wait for ever.
supervisor=$(lab_supervisors)
kill -STOP "$supervisor"
lab_start=$(lab_now)
refused stuck "pflashd does not answer"
note "stuck: xl migrate returned after $(lab_since "$lab_start") s"
kill -CONT "$supervisor"
check "stuck: no other guest is left" lab_wait 30 one_guest
check_equal "stuck: the domain is the same" "$domain" "$(lab_domid stuck)"
xl_completes "stuck" stuck 1

# --- no pflashd at the receiver ---

libxl_options=layout=2m,mode=trap
libxl_middle alone suspend 2
domain=$(lab_domid alone)
migrate alone "$no_pflashd"
check "alone: not migrated" test $? -ne 0
check "alone: xl prints the reason" grep -q "nvram: pflashd did not start" /tmp/alone.out
check "alone: the guest continues" lab_expect alone 20 '^# goes on'
stays alone trap
goes_on alone 2

# --- out of direct mode ---

libxl_options=layout=2m
libxl_middle back word 3
domain=$(lab_domid back)
migrate back "$no_pflashd"
check "back: not migrated" test $? -ne 0
check "back: the guest continues" lab_expect back 20 '^# goes on'
stays back direct
goes_on back 3

# away NAME TYPE SEED
away() {
    type=$2
    libxl_middle "$1" buffer "$3"
    domain=$(lab_domid "$1")
    PATH="/tmp/fake:$PATH" migrate "$1"
    check_equal "$1: migrated" 0 $?
    check "$1: without pflashctl" test ! -e /tmp/pflashctl.calls
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
if libxl_hvm "migration of an HVM guest"; then
    away away-hvm hvm 5
fi
lab_done
