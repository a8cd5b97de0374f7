# SPDX-License-Identifier: BSD-2-Clause
# about: what pflashd's worker can no longer do, from inside, and which system calls it makes
# needs: build/lab/guest.elf build/lab/probe build/pflashd build/pflashctl
# needs: /usr/bin/strace
# timeout: 600
. /lab/lib.sh

# fact PID FIELD: of /proc/PID/status
fact() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# limit PID NAME: the hard one
limit() {
    sed -n "s/^$2  *[^ ]*  *\([^ ]*\) .*/\1/p" "/proc/$1/limits"
}

lab_guest one "test=random seed=3 count=1500" || lab_die "no guest"
lab_guest two test=hole || lab_die "no guest"

# --- the worker ---

lab_flash one /tmp/one.fd --layout 2m --sandbox full || lab_die "no flash"
keeper=$(cat /tmp/one.pid)
worker=$(lab_worker "$keeper")
check_equal "its user is its own" "64 64 64 64" \
    "$(fact "$worker" Uid | tr '\t' ' ')"
check_equal "its group, too" "64 64 64 64" "$(fact "$worker" Gid | tr '\t' ' ')"
check_equal "it has no other group" "" "$(fact "$worker" Groups | tr -d ' ')"
for set in CapInh CapPrm CapEff CapAmb; do
    check_equal "$set is empty" 0000000000000000 "$(fact "$worker" $set)"
done
check_equal "it gets no privilege by executing" 1 "$(fact "$worker" NoNewPrivs)"
check_equal "its system calls are filtered" 2 "$(fact "$worker" Seccomp)"
check_equal "its root is empty" /run/pflashd/empty \
    "$(readlink "/proc/$worker/root")"
check_equal "so it is" "" "$(ls -A /run/pflashd/empty)"
check_equal "no process" 0 "$(limit "$worker" 'Max processes')"
check_equal "few descriptors" 64 "$(limit "$worker" 'Max open files')"
check_equal "no core" 0 "$(limit "$worker" 'Max core file size')"
for name in 'Max file size' 'Max address space'; do
    check "$name is limited" test "$(limit "$worker" "$name")" -gt 0
    note "$name: $(limit "$worker" "$name")"
done
note "its descriptors: $(ls -l "/proc/$worker/fd" | sed -n 's/.* -> //p' | tr '\n' ' ')"
check "none of them is a directory, a terminal or xenstore's" sh -c \
    "! ls -l /proc/$worker/fd | grep -E '/dev/(tty|console|hvc)|/dev/pts|xenstore| -> /(tmp)?\$'"
check_equal "the keeper stays root" "0 0 0 0" \
    "$(fact "$keeper" Uid | tr '\t' ' ')"
check_equal "pflashctl knows" "sandbox: full" \
    "$(pflashctl status one | grep '^sandbox')"
for pid in $keeper $worker; do
    note "$pid: $(fact "$pid" VmRSS) resident, $(fact "$pid" RssAnon) of its own"
done

# --- its system calls ---

strace -f -c -o /tmp/counts -p "$worker" 2>/tmp/strace.err &
strace=$!
lab_wait 60 grep -q attached /tmp/strace.err
xl unpause one
check "the guest comes to its end" lab_finish one 200
sleep 1
kill -INT $strace
wait $strace
awk '$NF != "total" && $4 + 0 > 0 { print "# made: " $NF, $4 }' /tmp/counts |
    while read -r line; do note "${line#\# }"; done
check "it made system calls" grep -q epoll_wait /tmp/counts
check "it opened nothing" sh -c "! grep -q open /tmp/counts"
check "pflashd leaves with the guest" lab_flash_end one

# --- what Xen allows it ---

own=$(lab_domid two)
lab_guest three test=hole || lab_die "no guest"
other=$(lab_domid three)
probe none "$own" "$other" >/tmp/none
cat /tmp/none
check "out of it all domains are open" sh -c \
    "test \$(grep -c ': ok' /tmp/none) = 6"
probe full "$own" "$other" >/tmp/full
cat /tmp/full
check "in it its own domain is" sh -c \
    "test \$(grep -c '^own.*: ok' /tmp/full) = 3"
check "and no other" sh -c \
    "test \$(grep -c '^other' /tmp/full) = 3 && ! grep -q '^other.*ok' /tmp/full"
grep '^other' /tmp/full | while read -r line; do note "$line"; done
probe hypercall "$own" "$other"
check_equal "a hypercall is its end" $((128 + 31)) $?

# --- other levels ---

lab_flash two /tmp/two.fd --layout 2m --sandbox none || lab_die "no flash"
worker=$(lab_worker "$(cat /tmp/two.pid)")
check_equal "none: it stays root" "0 0 0 0" "$(fact "$worker" Uid | tr '\t' ' ')"
kill "$(cat /tmp/two.pid)"
check "none: its end is clean" lab_flash_end two
lab_flash two /tmp/two.fd --sandbox basic || lab_die "no flash"
worker=$(lab_worker "$(cat /tmp/two.pid)")
check_equal "basic: it has its user" "64 64 64 64" \
    "$(fact "$worker" Uid | tr '\t' ' ')"
check_equal "basic: its system calls are not filtered" 0 \
    "$(fact "$worker" Seccomp)"
kill "$(cat /tmp/two.pid)"
check "basic: its end is clean" lab_flash_end two
pflashd --domain two --vars /tmp/two.fd --foreground --sandbox full \
    --user nobody-here >/tmp/refused 2>&1
check_equal "full without its user is refused" 1 $?
check "in words" grep -q "no user 'nobody-here'" /tmp/refused
lab_flash two /tmp/two.fd --user nobody-here || lab_die "no flash"
check "by default it is told" grep -q "sandbox: none: no user" /tmp/two.pflashd

# --- the worker dies ---

worker=$(lab_worker "$(cat /tmp/two.pid)")
for n in 1 2; do
    kill -SEGV "$worker"
    lab_wait 60 sh -c "test \"\$(grep -c 'taken over' /tmp/two.pflashd)\" = $n"
    old=$worker worker=$(lab_worker "$(cat /tmp/two.pid)")
    check "crash $n: another one is there" test -n "$worker" -a "$worker" != "$old"
done
kill -SEGV "$worker"
wait "$(cat /tmp/two.pid)"
check_equal "the third in ten seconds is the last" 1 $?
check "it says so" grep -q 'the worker died of signal 11$' /tmp/two.pflashd
lab_flash two /tmp/two.fd || lab_die "it is not taken over"
check "another pflashd goes on" grep -q 'taken over' /tmp/two.pflashd
kill -9 "$(cat /tmp/two.pid)"
check "no worker outlives its keeper" lab_wait 60 sh -c '! pidof pflashd'
xl destroy two
xl destroy three
lab_done
