# SPDX-License-Identifier: BSD-2-Clause
# about: pflashctl selftest: works here, names what does not, and leaves nothing
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# slow: it starts ten guests, and make check runs tests/cli/selftest.sh
# timeout: 900
. /lab/lib.sh

log=/tmp/selftest
export TMPDIR=/tmp/self
mkdir $TMPDIR

# selftest NAME [OPTION...]: runs it; sets `code`; its output is in $log.NAME
selftest() {
    name=$1
    shift
    pflashctl selftest --guest /lab/guest.elf --timeout 500 "$@" \
        >$log.$name 2>$log.$name.err
    code=$?
    cat $log.$name $log.$name.err
    lab_export $log.$name $name.out
    lab_export $log.$name.err $name.err
}

# left: everything that it could leave, one line each
left() {
    xl list | awk 'NR > 2 { print "domain", $1 }'
    find $TMPDIR /run/pflashd /var/lib/pflashd /var/log/xen ! -type d \
        ! -name '*-dom0*' 2>/dev/null | grep -e selftest -e /run/ -e known/ -e $TMPDIR
    find $TMPDIR -mindepth 1
    pidof pflashd pflashctl
    xenstore-list /local/domain/0/device-model 2>/dev/null
    xenstore-list /local/domain | sed '/^0$/d'
}

has() {
    grep -q "$1" "$log.$name"
}

nothing_left() {
    check_equal "$1: nothing is left" "" "$(left)"
}

# in_json TEXT: a line of the document, without its indent and comma
in_json() {
    sed 's/^ *//; s/,$//' $log.json | grep -qxF "$1"
}

# --- it works here ---

# A domain of someone else, which must not be touched.
lab_guest other test=hole || lab_die "no guest"
lab_step "the whole test"
start=$(lab_now)
selftest text
note "took $(lab_since "$start") s"
while read -r line; do
    note "$line"
done <$log.text
check_equal "exit code" 0 $code
check "the verdict" has '^verdict: works$'
check "direct mode is tried" sh -c "! grep -q 'no direct mode' $log.text"
check_equal "every check is ok" 12 "$(grep -c '^ok  ' $log.text)"
check "Xen's version" has '^Xen  *4\.'
check "HAP" has '^HAP  *yes'
check "the version of pflashd" has "^pflashd  *$(pflashd --version | cut -d ' ' -f 2)\$"
check_equal "each measurement has times of both modes" 9 "$(awk '/^measured/ { on = 1; next }
    /^attach/ { exit } on && substr($0, 35, 12) ~ /[0-9]/ && substr($0, 59, 12) ~ /[0-9]/' $log.text | wc -l)"
check "the other domain is there" lab_paused other
xl destroy other
nothing_left "text"

lab_step "JSON"
selftest json --json
check_equal "JSON: exit code" 0 $code
check "JSON: the verdict" in_json '"verdict": "works"'
check "JSON: a check" in_json '"kill-all": "ok"'
check "JSON: hap" in_json '"hap": true'
check_equal "JSON: braces are balanced" 0 "$(tr -cd '{}' <$log.json |
    awk '{ print gsub("{", "") - gsub("}", "") }')"
check "JSON: no name of the host" sh -c "! grep -qi \"\$(hostname)\" $log.json"
nothing_left "JSON"

# --- a pflashd that does not work ---

lab_step "broken programs"
selftest false --pflashd /bin/false
check_equal "false: exit code" 1 $code
note "$(tail -n 1 $log.false)"
check "false: the verdict" has '^verdict: does not work: pflashd attaches a flash: pflashd has ended'
nothing_left "false"

printf '#!/bin/sh\nexec sleep 1000\n' >/tmp/hangs
chmod +x /tmp/hangs
selftest hangs --pflashd /tmp/hangs --timeout 15
check_equal "hangs: exit code" 1 $code
check "hangs: the verdict" has '^verdict: does not work: pflashd attaches a flash: the time limit'
nothing_left "hangs"
check "hangs: the process has ended" sh -c "! pidof sleep"

# A guest that is no kernel.
printf 'no kernel' >/tmp/nothing.elf
pflashctl selftest --guest /tmp/nothing.elf >$log.kernel 2>&1
check_equal "no kernel: exit code" 1 $?
name=kernel
note "$(tail -n 1 $log.kernel)"
check "no kernel: the verdict" has '^verdict: does not work: a guest: xl create: '
nothing_left "no kernel"

# --keep: the logs stay, the domain does not
selftest keep --pflashd /bin/false --keep
check_equal "keep: a directory is left" 1 "$(find $TMPDIR -mindepth 1 -maxdepth 1 -type d | wc -l)"
check "keep: its name is printed" grep -q "kept: $TMPDIR/pflash-selftest-" $log.keep.err
rm -rf ${TMPDIR:?}/*
nothing_left "keep"

# --- interrupted ---

# interrupt SIGNAL CODE PATTERN: when the progress has PATTERN, the signal comes
interrupt() {
    lab_step "SIG$1 after: $3"
    : >$log.int.err
    pflashctl selftest --guest /lab/guest.elf --timeout 500 >$log.int 2>$log.int.err 3>&- &
    pid=$!
    lab_wait 200 grep -q "$3" $log.int.err || not_ok "SIG$1: '$3' does not come"
    kill -s "$1" $pid
    wait $pid
    check_equal "SIG$1 after $3: exit code" "$2" $?
    cat $log.int $log.int.err
    check "SIG$1 after $3: the verdict names it" grep -q '^verdict: .*interrupted' $log.int
    nothing_left "SIG$1 after $3"
}

interrupt INT 130 'ok: the guest runs'
interrupt HUP 129 'ok: a guest'
interrupt TERM 143 'ok: the worker is killed'

lab_done
