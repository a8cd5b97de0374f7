# SPDX-License-Identifier: BSD-2-Clause
# about: pflashd comes and goes: ready signals, SIGTERM, daemon, the guest's end
# needs: build/lab/guest.elf build/pflashd build/pflash-replay build/pflashctl
# timeout: 400
. /lab/lib.sh

key=/local/domain/0/device-model

lab_guest one test=hole || lab_die "no guest"
id=$(lab_domid one)

# Again and again on one guest: each time its frames must have been given back.
for mode in direct trap direct auto; do
    lab_flash one /tmp/vars.fd --layout 2m --mode $mode ||
        lab_die "pflashd did not attach in $mode mode"
    check "$mode: xenstore says so" \
        test "$(xenstore-read $key/"$id"/pflash/state)" = running
    kill "$(cat /tmp/one.pid)"
    check "$mode: SIGTERM is a clean end" lab_flash_end one
    check "$mode: the file has all that the journal has" \
        sh -c "pflashctl check /tmp/vars.fd | grep -q ' 0 bursts '"
    check "$mode: xenstore forgets it" \
        sh -c "! xenstore-exists $key/$id/pflash"
done
check "auto is direct here" grep -q 'direct mode' /tmp/one.pflashd

# As a daemon: returns when it is attached.
pflashd --domain "$id" --vars /tmp/vars.fd
check_equal "the daemon's parent reports success" 0 $?
check "the flash is there by then" xenstore-exists $key/"$id"/pflash/state
daemon=$(lab_supervisors)
for pid in $(pidof pflashd); do
    check_equal "it runs in a session of its own" "$daemon" \
        "$(awk '{ print $6 }' /proc/"$pid"/stat)"
    # The supervisor's standard error, and the worker's pipe to it.
    check "it holds no terminal" sh -c \
        "readlink /proc/$pid/fd/2 | grep -q '^/dev/null\$\|^pipe:'"
done
pflashd --domain "$id" --vars /tmp/vars.fd --base 0xffc00000 2>/tmp/err
check_equal "a second one's parent reports the failure" 4 $?
check "in words" grep -q 'in use by pid\|has a flash already' /tmp/err

kill "$daemon"
lab_wait 60 sh -c '! pidof pflashd'

# SIGTERM in the middle of a guest's writes: nobody waits for ever. In direct
# mode the frames go between two requests, or else Xen crashes the domain; with
# this seed the signal mostly meets a rep movs, so it is tried some times.
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
    check "$mode, $round: it came in the middle" \
        sh -c "! grep -q '^# end' '$(lab_log $name)'"
    check "$mode, $round: the guest goes on without a flash" \
        lab_finish $name 100
    check "$mode, $round: the file is sound" \
        sh -c 'echo "r 0 1" | pflash-replay --vars /tmp/busy.fd'
done

# The guest's end, seen through xenstore.
lab_flash one /tmp/vars.fd --mode direct || lab_die "pflashd did not attach"
check "no wake-up while nothing happens" sh -c '
    before=$(awk "/ctxt_switches/ { n += \$2 } END { print n }" /proc/$(cat /tmp/one.pid)/status)
    sleep 3
    after=$(awk "/ctxt_switches/ { n += \$2 } END { print n }" /proc/$(cat /tmp/one.pid)/status)
    [ "$before" = "$after" ]'
lab_guest other test=hole && xl destroy other
sleep 1
check "another guest's end is not its end" kill -0 "$(cat /tmp/one.pid)"
xl destroy one
check "the guest's end is a clean end" lab_flash_end one
check "it says so" grep -q 'the guest is gone' /tmp/one.pflashd
check "no domain is left" lab_wait 60 sh -c 'test "$(xl list | wc -l)" = 2'
lab_done
