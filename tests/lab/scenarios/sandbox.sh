# SPDX-License-Identifier: BSD-2-Clause
# about: the limits of pflashd's worker, its system calls, and its restarts
# needs: build/lab/guest.elf build/lab/probe build/pflashd build/pflashctl
# programs: strace
# timeout: 700
. /lab/lib.sh

lab_require

# fact PID FIELD: the value of a field of /proc/PID/status
fact() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# limit PID NAME: the hard limit
limit() {
    sed -n "s/^$2  *[^ ]*  *\([^ ]*\) .*/\1/p" "/proc/$1/limits"
}

# ids NAME: the expected four user or group ids of the domain's worker
ids() {
    set -- $((2000000000 + $(lab_domid "$1")))
    echo "$1 $1 $1 $1"
}

# user PID: the four user ids of the process
user() {
    fact "$1" Uid | tr '\t' ' '
}

# directories PID: its descriptors of directories
directories() {
    for descriptor in "/proc/$1/fd/"*; do
        [ ! -d "$descriptor" ] || readlink "$descriptor"
    done
}

lab_guest one "test=random seed=3 count=1500" || lab_die "no guest"
lab_guest two test=hole || lab_die "no guest"

# --- the worker ---

lab_flash one /tmp/one.fd --layout 2m --sandbox full || lab_die "no flash"
supervisor=$(cat /tmp/one.pid)
worker=$(lab_worker "$supervisor")
check_equal "the worker's user is the domain's" "$(ids one)" "$(user "$worker")"
check_equal "the worker's group is the domain's" "$(ids one)" "$(fact "$worker" Gid | tr '\t' ' ')"
check_equal "the worker has no other group" "" "$(fact "$worker" Groups | tr -d ' ')"
for set in CapInh CapPrm CapEff CapAmb; do
    check_equal "$set is empty" 0000000000000000 "$(fact "$worker" $set)"
done
check_equal "the worker gets no privilege by execve" 1 "$(fact "$worker" NoNewPrivs)"
check_equal "the worker's system calls are filtered" 2 "$(fact "$worker" Seccomp)"
check_equal "the worker's root is the empty directory" /run/pflashd/empty \
    "$(readlink "/proc/$worker/root")"
check_equal "that directory is empty" "" "$(ls -A /run/pflashd/empty)"
check_equal "no process" 0 "$(limit "$worker" 'Max processes')"
check_equal "few descriptors" 32 "$(limit "$worker" 'Max open files')"
check_equal "no core" 0 "$(limit "$worker" 'Max core file size')"
for name in 'Max file size' 'Max address space'; do
    check "$name is limited" test "$(limit "$worker" "$name")" -gt 0
    note "$name: $(limit "$worker" "$name")"
done
note "its descriptors: $(ls -l "/proc/$worker/fd" | sed -n 's/.* -> //p' | tr '\n' ' ')"
check "no descriptor is a terminal or xenstore's" sh -c \
    "! ls -l /proc/$worker/fd | grep -E '/dev/(tty|console|hvc)|/dev/pts|xenstore'"
check_equal "none of them is a directory" "" "$(directories "$worker")"
check_equal "the supervisor stays root" "0 0 0 0" "$(user "$supervisor")"
check_equal "pflashctl knows the sandbox" full "$(lab_field one sandbox)"
check_equal "pflashctl status has the supervisor" "$supervisor" "$(lab_field one pid)"
check_equal "pflashctl status has the worker" "$worker" "$(lab_field one worker)"
check_equal "pflashctl status has the state running" running "$(lab_field one state)"
check_equal "pflashctl status has no restart" 0 "$(lab_field one restarts)"
for pid in $supervisor $worker; do
    note "$pid: $(fact "$pid" VmRSS) resident, $(fact "$pid" RssAnon) of its own"
done

# --- its system calls ---

strace -f -c -o /tmp/counts -p "$worker" 2>/tmp/strace.err &
strace=$!
lab_wait 60 grep -q attached /tmp/strace.err
xl unpause one
check "the guest reaches its end" lab_finish one 200
sleep 1
kill -INT $strace
wait $strace
awk '$NF != "total" && $4 + 0 > 0 { print "# made: " $NF, $4 }' /tmp/counts |
    while read -r line; do note "${line#\# }"; done
check "the worker made system calls" grep -q epoll_wait /tmp/counts
check "the worker opened no file" sh -c "! grep -q open /tmp/counts"
check "pflashd leaves with the guest" lab_flash_end one

# --- the limits of Xen ---

own=$(lab_domid two)
lab_guest three test=hole || lab_die "no guest"
other=$(lab_domid three)
probe none "$own" "$other" >/tmp/none
cat /tmp/none
check "outside the sandbox all domains are accessible" sh -c \
    "test \$(grep -c ': ok' /tmp/none) = 6"
probe full "$own" "$other" >/tmp/full
cat /tmp/full
check "in the sandbox the own domain is accessible" sh -c \
    "test \$(grep -c '^own.*: ok' /tmp/full) = 3"
check "in the sandbox no other domain is accessible" sh -c \
    "test \$(grep -c '^other' /tmp/full) = 3 && ! grep -q '^other.*ok' /tmp/full"
grep '^other' /tmp/full | while read -r line; do note "$line"; done
probe hypercall "$own" "$other"
check_equal "a hypercall is its end" $((128 + 31)) $?

# --- other levels ---

lab_flash two /tmp/two.fd --layout 2m --sandbox none || lab_die "no flash"
worker=$(lab_worker "$(cat /tmp/two.pid)")
check_equal "none: the worker stays root" "0 0 0 0" "$(user "$worker")"
kill "$(cat /tmp/two.pid)"
check "none: its end is clean" lab_flash_end two
lab_flash two /tmp/two.fd --sandbox basic || lab_die "no flash"
worker=$(lab_worker "$(cat /tmp/two.pid)")
check_equal "basic: the worker has its user" "$(ids two)" "$(user "$worker")"
check_equal "basic: the system calls are not filtered" 0 \
    "$(fact "$worker" Seccomp)"
check_equal "basic: none of its descriptors is a directory" "" \
    "$(directories "$worker")"
kill "$(cat /tmp/two.pid)"
check "basic: its end is clean" lab_flash_end two
lab_flash two /tmp/two.fd --user 65534 || lab_die "no flash"
worker=$(lab_worker "$(cat /tmp/two.pid)")
check_equal "a user is given: the worker has that user" "65534 65534 65534 65534" \
    "$(user "$worker")"
kill "$(cat /tmp/two.pid)"
check "a user is given: its end is clean" lab_flash_end two

# refused TEXT PATTERN OPTION...
refused() {
    refused_text=$1 refused_pattern=$2
    shift 2
    timeout 60 pflashd --domain two --vars /tmp/two.fd --foreground "$@" \
        >/tmp/refused 2>&1
    check_equal "$refused_text: pflashd refuses to start" 1 $?
    check "$refused_text: pflashd prints the reason" grep -q -e "$refused_pattern" /tmp/refused
    check "$refused_text: the message says what to do" \
        grep -q -e '--sandbox' -e '--user' /tmp/refused
    note "$refused_text: $(tail -n 1 /tmp/refused)"
}

refused "no such user" "'nobody-here'" --user nobody-here
refused "no such user, and full" "'nobody-here'" --user nobody-here --sandbox full
refused "root" root --user 0
# The root directory for the worker is not a directory.
rmdir /run/pflashd/empty && : >/run/pflashd/empty
refused "no empty directory" empty
rm -f /run/pflashd/empty

# --- two workers ---

lab_flash two /tmp/two.fd || lab_die "no flash"
lab_flash three /tmp/three.fd --layout 2m || lab_die "no flash"
check_equal "by default the sandbox is full" full "$(lab_field two sandbox)"
worker=$(lab_worker "$(cat /tmp/two.pid)")
other=$(lab_worker "$(cat /tmp/three.pid)")
uid=$(fact "$worker" Uid | cut -f 1)
check "the two workers have different users" test "$uid" != "$(fact "$other" Uid | cut -f 1)"
probe as "$uid" "$worker" >/tmp/self
check "a process of this user can signal processes of its own" grep -q '^kill: ok' /tmp/self
probe as "$uid" "$other" "$(cat /tmp/two.pid)" "$(cat /tmp/three.pid)" >/tmp/as
check_equal "a process of this user can access no other worker and no supervisor" "" \
    "$(grep ': ok' /tmp/as)"
check_equal "all accesses were tried" 12 "$(wc -l </tmp/as)"
check "a worker can't signal the worker of another domain" sh -c \
    "test \$(grep -c '^kill: Operation not permitted' /tmp/as) = 3"
check "a worker can't trace the worker of another domain" sh -c \
    "test \$(grep -c '^ptrace: Operation not permitted' /tmp/as) = 3"
for name in two three; do
    kill "$(cat /tmp/$name.pid)"
    check "$name: the end is clean" lab_flash_end $name
done

# --- the worker dies until its restart budget is spent ---

# goes_on TEXT
goes_on() {
    lab_mark four
    check "$1: the guest goes on" lab_expect four 30 '^w '
}

# dies SIGNAL N: the worker dies for the Nth time and is replaced
dies() {
    worker=$(lab_field four worker)
    start=$(lab_now)
    kill -"$1" "$worker"
    check "death $2, by $1: another worker is there" \
        lab_wait 60 lab_replaced four "$worker"
    note "death $2: replaced after $(lab_since "$start") s"
    check_equal "death $2: status counts it" "$2" "$(lab_field four restarts)"
    check_equal "death $2: the supervisor is the same" "$supervisor" \
        "$(lab_field four pid)"
    goes_on "death $2"
}

lab_guest four "test=random seed=4 count=1000000" || lab_die "no guest"
lab_flash four /tmp/four.fd --layout 2m --restarts 3 || lab_die "no flash"
supervisor=$(cat /tmp/four.pid)
xl unpause four
goes_on "at first"
dies SEGV 1
check "the log has the signal" grep -q 'the worker died of signal 11' /tmp/four.pflashd
check "the next worker logs the takeover" grep -q 'taken over' /tmp/four.pflashd
dies KILL 2
check "a death by SIGKILL is logged, too" \
    grep -q 'the worker died of signal 9' /tmp/four.pflashd
dies SEGV 3
kill -SEGV "$(lab_field four worker)"
check "death 4: the budget is spent" lab_wait 30 lab_state four failed
check "death 4: the supervisor stays" kill -0 "$supervisor"
check_equal "death 4: there is no worker" "" "$(lab_worker "$supervisor")"
check_equal "death 4: pflashctl knows" 0 "$(lab_field four worker)"
check "death 4: the log says what to do" \
    grep -q 'pflashctl upgrade' /tmp/four.pflashd
check "death 4: pflashctl list shows it" sh -c "pflashctl list | grep ' four '"
sleep 1
shown=$(wc -c <"$(lab_log four)")
sleep 2
check_equal "death 4: the guest waits" "$shown" "$(wc -c <"$(lab_log four)")"
check "death 4: the guest lives" xl domid four
check "death 4: no other worker is started" lab_state four failed
check "upgrade starts the program again" pflashctl upgrade four
check "upgrade: pflashd runs" lab_wait 30 lab_state four running
check_equal "upgrade: the supervisor keeps its pid" "$supervisor" "$(lab_field four pid)"
goes_on "upgrade"
# The budget is full again: three more deaths are allowed.
before=$(lab_field four restarts)
for n in 1 2 3; do
    dies SEGV $((before + n))
done

# --- the worker dies while it stops ---

worker=$(lab_field four worker)
times=$(grep -c 'taken over' /tmp/four.pflashd)
kill -STOP "$worker"
kill "$supervisor"
check "the state is stopping" lab_wait 5 lab_state four stopping
kill -KILL "$worker"
check "killed while it stops: pflashd ends" lab_wait 8 lab_ended "$supervisor"
lab_flash_end four
check "killed while it stops: pflashd's exit code reports a failure" test $? -ne 0
check_equal "killed while it stops: no other one came" "$times" \
    "$(grep -c 'taken over' /tmp/four.pflashd)"
check "killed while it stops: no process is left" sh -c '! pidof pflashd'
lab_flash four /tmp/four.fd || lab_die "it is not taken over"
check "another pflashd takes over" grep -q 'taken over' /tmp/four.pflashd
goes_on "another pflashd"

# --- signals to the supervisor and to the worker ---

worker=$(lab_field four worker)
for signal in TERM INT HUP; do
    kill -$signal "$worker"
done
sleep 1
check_equal "a worker ignores signals for an orderly end" "$worker" \
    "$(lab_field four worker)"
goes_on "signals to the worker"
kill -9 "$(cat /tmp/four.pid)"
check "no worker outlives its supervisor" lab_wait 60 sh -c '! pidof pflashd'
wait "$(cat /tmp/four.pid)"
for name in two three four; do
    xl destroy $name
done
lab_done
