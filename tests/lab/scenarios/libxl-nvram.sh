# SPDX-License-Identifier: BSD-2-Clause
# about: a patched xl starts pflashd itself (nvram = "..."): refusals, rounds of a guest's life, save and restore
# needs: libxl build/lab/guest.elf build/lab/guest.rom
# wants: hvm
# needs: build/pflashd build/pflashctl
# needs: tests/lab/xl.sh tests/lab/rounds.sh tests/lab/libxl.sh
# slow: needs the patched xl, which takes minutes to build
# timeout: 1200
. /lab/lib.sh
. /lab/xl.sh
. /lab/rounds.sh
. /lab/libxl.sh
libxl_setup

# --- refusals ---

xl_config relative pvh test=hole 'nvram = "vars=relative.fd,layout=2m"'
libxl_refused relative "\`relative.fd' is not an absolute path"
xl_config both pvh test=hole \
    'nvram = "vars=/tmp/both.fd,layout=2m,template=/tmp/x.fd"'
libxl_refused both "template and layout exclude each other"
xl_config unnamed pvh test=hole 'nvram = "layout=2m"'
libxl_refused unnamed "nvram: vars is missing"
xl_config unknown pvh test=hole 'nvram = "vars=/tmp/unknown.fd,mode=fast"'
libxl_refused unknown 'Unknown or invalid nvram option "mode=fast"'
xl_config number pvh test=hole 'nvram = "vars=/tmp/number.fd,base=-1"'
libxl_refused number 'Unknown or invalid nvram option "base=-1"'

# pflashd refuses; pflashd is missing; the guest has no flash.
libxl_options=mode=auto
xl_config nothing pvh test=hole
libxl_refused nothing \
    "nvram: $xl_dir/nothing.fd: does not exist, and neither --template nor --layout"
libxl_options=layout=2m
xl_config absent pvh test=hole
rm "$libxl_pflashd"
libxl_refused absent "nvram: cannot execute $libxl_pflashd"
ln -s /lab/pflashd "$libxl_pflashd"

# A pflashd that ends without a reason, one after which nothing is stale.
printf '#!/bin/sh\nexit 3\n' >/tmp/silent
chmod +x /tmp/silent
ln -sf /tmp/silent "$libxl_pflashd"
xl_config silent pvh test=hole
libxl_refused silent "nvram: pflashd did not start, see /var/log/xen/pflashd-silent.log"
ln -sf /lab/pflashd "$libxl_pflashd"
xl_config without pvh test=hole 'nvram = ""'
xl_create without
check_equal "without nvram a guest is created" 0 $?
check "without: the guest has no flash" lab_finish without 60
check_equal "without: nothing is left" "" "$(xl_left)"

# --- the configuration that libxl stores ---

libxl_options=layout=2m,mode=trap,sync=op,pin=keys+mok
libxl_middle kept rest 1
check "kept: the options reach pflashd" sh -c "pflashctl status kept |
    grep -c -e '^mode: trap' -e '^sync: op' | grep -qx 2"
check "kept: also the pinned variables" sh -c "tr '\\0' ' ' \
    </proc/$(lab_supervisors)/cmdline | grep -qF -e '--pin keys,mok '"
check_equal "kept: xenstore has pflashd's pid" "$(lab_supervisors)" \
    "$(xenstore-read "/local/domain/$(lab_domid kept)/image/nvram-pid")"
# Without spaces and backslashes: json-c, unlike yajl, escapes the slashes.
xl list -l kept | tr -d ' \\' >/tmp/kept.json
check "kept: xl list -l shows the flash" grep -q "\"vars\":\"$xl_dir/kept.fd\"" \
    /tmp/kept.json
xl destroy kept
check_equal "kept: pflashd has ended when xl destroy returns" "" "$(pidof pflashd)"
xl_holds kept kept "$(xl_wanted 1)"
check "kept: libxl told pflashd to end" grep -q 'signal.*detaching' \
    /var/log/xen/pflashd-kept.log
libxl_options=layout=2m

# --- whom libxl signals ---

# The pid in xenstore belongs to another process; pflashd serves the guest.
sleep 1000 &
foreign=$!
libxl_middle reused rest 2
xenstore-write "/local/domain/$(lab_domid reused)/image/nvram-pid" $foreign
xl destroy reused >/tmp/reused.out 2>&1
check_equal "reused: destroyed" 0 $?
check_equal "reused: pflashd has ended when xl destroy returns" "" "$(pidof pflashd)"
check "reused: the process with the pid of xenstore still runs" kill -0 $foreign
check_equal "reused: nothing is left" "" "$(xl_left)"

# The same after a SIGKILL, which leaves the state "running" in xenstore.
libxl_middle killed rest 2
kill -KILL "$(lab_supervisors)"
check "killed: its worker ends, too" lab_wait 10 sh -c '! pidof pflashd'
check "killed: xenstore has its state" xenstore-exists \
    "/local/domain/0/device-model/$(lab_domid killed)/pflash/state"
xenstore-write "/local/domain/$(lab_domid killed)/image/nvram-pid" $foreign
xl destroy killed >/tmp/killed.out 2>&1
check_equal "killed: destroyed without it" 0 $?
check "killed: the process with the pid of xenstore still runs" kill -0 $foreign
rm -f /run/pflashd/* # after SIGKILL pflashd has left them
check_equal "killed: nothing is left" "" "$(xl_left)"
kill $foreign

# A pflashd that does not react: xl waits for a limited time.
libxl_middle stopped rest 2
kill -STOP "$(lab_supervisors)"
lab_start=$(lab_now)
xl destroy stopped >/tmp/stopped.out 2>&1
check_equal "stopped: destroyed" 0 $?
seconds=$(lab_since "$lab_start")
note "stopped: xl destroy returned after $seconds s"
check "stopped: xl waited 20 seconds, not longer than 40" \
    test "${seconds%.*}" -ge 20 -a "${seconds%.*}" -lt 40
check "stopped: xl prints the reason" grep -q "nvram: pflashd did not end in time" \
    /tmp/stopped.out
check "stopped: pflashd is gone" lab_wait 10 sh -c '! pidof pflashd'
rm -f /run/pflashd/* # after SIGKILL pflashd has left them
check_equal "stopped: nothing is left" "" "$(xl_left)"
check_equal "stopped: the file has the guest's bytes" "$(xl_wanted 2)" \
    "$(xl_bytes stopped)"

# --- rounds of a guest's life ---

rounds pvh 5 reboot preserve rename writing xlshutdown
if libxl_hvm "rounds of HVM guests"; then
    rounds hvm 1 reboot
fi

# --- save and restore ---

# saved NAME TYPE SEED
saved() {
    type=$2
    libxl_middle "$1" buffer "$3"
    xl save "$1" "/tmp/$1.save" >"/tmp/$1.out" 2>&1
    check_equal "$1: saved" 0 $?
    check_equal "$1: nothing is left" "" "$(xl_left)"
    xl restore "/tmp/$1.save" >"/tmp/$1.out" 2>&1
    check_equal "$1: restored" 0 $?
    # xl suspends an HVM guest without asking it: the guest does not notice.
    if [ "$2" = pvh ]; then
        check "$1: the guest continues" lab_expect "$1" 20 '^# goes on'
        lab_mark "$1"
    fi
    check "$1: in direct mode" sh -c \
        "pflashctl status $1 | grep -q '^mode: direct'"
    xl_completes "$1" "$1" "$3"
}

saved saved pvh 3
xl restore /tmp/saved.save >/tmp/saved.out 2>&1
check "saved: not restored after a change of the flash" test $? -ne 0
check "saved: xl prints the reason" grep -q \
    "not known to be what it was when this guest was saved" /tmp/saved.out
check_equal "saved: nothing is left of that" "" "$(xl_left)"
rm /tmp/saved.save
if libxl_hvm "save and restore of an HVM guest"; then
    saved saved-hvm hvm 4
fi
lab_done
