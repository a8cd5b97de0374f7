# SPDX-License-Identifier: BSD-2-Clause
# about: pflashd attaches and detaches: ready signals, SIGTERM, daemon, the guest's end
# needs: build/lab/guest.elf build/pflashd build/pflash-replay build/pflashctl
# timeout: 400
. /lab/lib.sh

key=/local/domain/0/device-model

lab_guest one test=hole || lab_die "no guest"
id=$(lab_domid one)

# Repeated attach on one guest: the last detach must have returned all frames.
for mode in direct trap direct auto; do
    lab_flash one /tmp/vars.fd --layout 2m --mode $mode ||
        lab_die "pflashd did not attach in $mode mode"
    check "$mode: xenstore has the state running" \
        test "$(xenstore-read $key/"$id"/pflash/state)" = running
    kill "$(cat /tmp/one.pid)"
    check "$mode: SIGTERM is a clean end" lab_flash_end one
    check "$mode: the file has all bursts of the journal" \
        sh -c "pflashctl check /tmp/vars.fd | grep -q ' 0 bursts '"
    check "$mode: xenstore has no state any more" \
        sh -c "! xenstore-exists $key/$id/pflash"
done
check_equal "the guest's kernel is no firmware: one line says so" 1 \
    "$(grep -c "kernel is no OvmfXen (no ELF header is at 0x100000)" /tmp/one.pflashd)"
check "auto selects direct mode here" grep -q 'direct mode' /tmp/one.pflashd

# As a daemon: the parent returns when the flash is attached.
pflashd --domain "$id" --vars /tmp/vars.fd
check_equal "the daemon's parent reports success" 0 $?
check "the flash is attached when the parent returns" xenstore-exists $key/"$id"/pflash/state
daemon=$(lab_supervisors)
for pid in $(pidof pflashd); do
    check_equal "pid $pid runs in the daemon's own session" "$daemon" \
        "$(awk '{ print $6 }' /proc/"$pid"/stat)"
    # The supervisor's standard error; the worker's pipe to the supervisor.
    check "pid $pid has no terminal as standard error" sh -c \
        "readlink /proc/$pid/fd/2 | grep -q '^/dev/null\$\|^pipe:'"
done
pflashd --domain "$id" --vars /tmp/vars.fd --base 0xffc00000 2>/tmp/err
check_equal "a second daemon's parent reports the failure" 4 $?
check "the second daemon prints the reason" grep -q 'in use by pid\|has a flash already' /tmp/err
check "xenstore has no error that no toolstack has asked for" \
    sh -c "! xenstore-exists $key/$id/pflash/error"

kill "$daemon"
lab_wait 60 sh -c '! pidof pflashd'

pflashd --domain "$id" --vars /tmp/none.fd 2>/tmp/err
check_equal "a missing file is refused" 3 $?
check "xenstore has nothing of that" sh -c "! xenstore-exists $key/$id/pflash"
xenstore-write $key/"$id"/pflash/error ''
pflashd --domain "$id" --vars /tmp/none.fd 2>/tmp/err
check_equal "xenstore has the reason" "$(sed 's/^pflashd: //; s/^[^:]*, [^:]*: //' /tmp/err)" \
    "$(xenstore-read $key/"$id"/pflash/error)"
lab_flash one /tmp/vars.fd || lab_die "pflashd did not attach"
check "a start that succeeds removes it" sh -c "! xenstore-exists $key/$id/pflash/error"
kill "$(cat /tmp/one.pid)"
lab_flash_end one

# SIGTERM in the middle of a guest's writes: guest and pflashd must not hang. In
# direct mode pflashd must return the frames between two requests, else Xen crashes
# the domain. With this seed the signal mostly arrives during a rep movs: several
# rounds.
round=0
for mode in direct trap direct direct direct direct; do
    round=$((round + 1))
    name=busy-$round
    lab_guest $name "test=random seed=3 count=3000" || lab_die "no guest"
    lab_flash $name /tmp/busy.fd --layout 2m --mode $mode ||
        lab_die "pflashd did not attach"
    xl unpause $name
    lab_expect $name 20 '^w .*' || lab_die "the guest does not write"
    kill "$(cat /tmp/$name.pid)"
    check "$mode, $round: SIGTERM under load is a clean end" lab_flash_end $name
    check "$mode, $round: the signal came before the guest's end" \
        sh -c "! grep -q '^# end' '$(lab_log $name)'"
    check "$mode, $round: the guest continues without a flash" \
        lab_finish $name 100
    check "$mode, $round: the file is sound" \
        sh -c 'echo "r 0 1" | pflash-replay --vars /tmp/busy.fd'
done

# pflashd learns of the guest's end through xenstore.
lab_flash one /tmp/vars.fd --mode direct || lab_die "pflashd did not attach"
check "no wake-up while nothing happens" sh -c '
    before=$(awk "/ctxt_switches/ { n += \$2 } END { print n }" /proc/$(cat /tmp/one.pid)/status)
    sleep 3
    after=$(awk "/ctxt_switches/ { n += \$2 } END { print n }" /proc/$(cat /tmp/one.pid)/status)
    [ "$before" = "$after" ]'
lab_guest other test=hole && xl destroy other
sleep 1
check "pflashd ignores the end of another guest" kill -0 "$(cat /tmp/one.pid)"
xl destroy one
check "the guest's end is a clean end" lab_flash_end one
check "pflashd logs the guest's end" grep -q 'the guest is gone' /tmp/one.pflashd
check "no domain is left" lab_wait 60 sh -c 'test "$(xl list | wc -l)" = 2'
lab_done
