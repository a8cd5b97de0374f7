# SPDX-License-Identifier: BSD-2-Clause
# about: a patched xl starts pflashd itself (nvram = "..."): refusals, rounds of a guest's life, save and restore
# needs: libxl hvm build/lab/guest.elf build/lab/guest.rom
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
libxl_refused unnamed "no file is given"
xl_config unknown pvh test=hole 'nvram = "vars=/tmp/unknown.fd,mode=fast"'
libxl_refused unknown 'Unknown or invalid nvram option "mode=fast"'

# pflashd refuses; pflashd is missing; the guest has no flash.
libxl_options=mode=auto
xl_config nothing pvh test=hole
libxl_refused nothing \
    "nothing.fd: does not exist, and neither --template nor --layout"
libxl_options=layout=2m
xl_config absent pvh test=hole
mv /lab/pflashd /lab/pflashd.away
libxl_refused absent "cannot execute pflashd"
mv /lab/pflashd.away /lab/pflashd
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
xl list -l kept >/tmp/kept.json
check "kept: xl list -l shows the flash" grep -q "\"vars\": \"$xl_dir/kept.fd\"" \
    /tmp/kept.json
xl destroy kept
xl_holds kept kept "$(xl_wanted 1)"
check "kept: libxl told pflashd to end" grep -q 'signal.*detaching' \
    /var/log/xen/pflashd-kept.log
libxl_options=layout=2m

# Its pid may belong to another process by then.
libxl_middle killed rest 2
kill -KILL "$(lab_supervisors)"
xl destroy killed >/tmp/killed.out 2>&1
check_equal "killed: destroyed without it" 0 $?
rm -f /run/pflashd/* # after SIGKILL pflashd has left them
check_equal "killed: nothing is left" "" "$(xl_left)"

# --- rounds of a guest's life ---

rounds pvh 5 reboot preserve rename writing xlshutdown
rounds hvm 1 reboot

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
saved saved-hvm hvm 4
lab_done
