# SPDX-License-Identifier: BSD-2-Clause
# about: a stopped worker obeys no command: its supervisor answers pflashctl, kills the worker in time, and leaves nothing behind
# needs: build/lab/guest.elf build/pflashd build/pflashctl
# timeout: 400
. /lab/lib.sh

# The supervisor gives a worker 10 s to detach; the rest allows for the emulator.
DEADLINE=10
SLACK=10
# Longer than pflashctl's own time limit for a change of the mode.
MODE_LIMIT=25

# writing NAME: a guest that writes all the time, and its pflashd; sets id,
# supervisor and worker
writing() {
    lab_guest "$1" "test=random seed=3 count=1000000" || lab_die "$1: no guest"
    lab_flash "$1" "/tmp/$1.fd" --layout 2m ||
        lab_die "$1: pflashd did not attach"
    id=$(lab_domid "$1") supervisor=$(cat "/tmp/$1.pid")
    worker=$(lab_worker "$supervisor")
    xl unpause "$1"
    goes_on "$1" "at first"
}

# goes_on NAME TEXT
goes_on() {
    lab_mark "$1"
    check "$1: $2, the guest writes" lab_expect "$1" 30 '^w '
}

# stands_still NAME: the guest's console output does not grow
stands_still() {
    sleep 1
    shown=$(wc -c <"$(lab_log "$1")")
    sleep 2
    check_equal "$1: the guest waits" "$shown" "$(wc -c <"$(lab_log "$1")")"
}

# answers NAME: pflashctl gets an answer from the supervisor alone
answers() {
    start=$(lab_now)
    timeout 2 pflashctl status "$1" >/tmp/status
    check_equal "$1: status is answered ($(lab_since "$start") s)" 0 $?
    check_equal "$1: pflashctl status names the supervisor" "$supervisor" \
        "$(sed -n 's/^pid: //p' /tmp/status)"
}

# ends_in_time NAME START: pflashd ends, and with it the worker, within the time
# limit; sets code, its exit code
ends_in_time() {
    check "$1: pflashd ends in time" \
        lab_wait $((DEADLINE + SLACK)) lab_ended "$supervisor"
    took=$(lab_since "$2")
    note "$1: pflashd ended after $took s"
    check "$1: the worker is gone, too" lab_wait 5 lab_ended "$worker"
    if ! lab_ended "$supervisor"; then
        kill -9 "$supervisor" "$worker"
    fi
    lab_flash_end "$1"
    code=$?
}

# says_killed NAME
says_killed() {
    check "$1: the log reports the kill of the worker" \
        grep -qi 'worker.*kill' "/tmp/$1.pflashd"
}

# --- the guest ends ---

writing one
kill -STOP "$worker"
stands_still one
answers one
note "one: state $(sed -n 's/^state: //p' /tmp/status)"
check_equal "one: pflashctl status names the worker" "$worker" \
    "$(sed -n 's/^worker: //p' /tmp/status)"
check "one: pflashctl list shows it" sh -c "timeout 2 pflashctl list | grep -q ' one '"
start=$(lab_now)
xl destroy one
ends_in_time one "$start"
note "one: exit code $code"
says_killed one
# The worker's mappings of its frames kept Xen from freeing the domain.
check "one: no domain is left, not even a dead one" \
    lab_wait 20 sh -c 'test "$(xl list | wc -l)" = 2'
check_equal "one: no file is left in /run/pflashd" "" "$(lab_run_files "$id")"
check "one: the file is sound" pflashctl check /tmp/one.fd

# --- SIGTERM, and the guest lives ---

writing two
kill -STOP "$worker"
start=$(lab_now)
kill "$supervisor"
sleep 2
answers two
check_equal "two: the state is stopping" stopping "$(sed -n 's/^state: //p' /tmp/status)"
ends_in_time two "$start"
check "two: the supervisor waited for the worker" test "${took%%.*}" -ge $((DEADLINE - 2))
check "two: pflashd's exit code reports a failure" test $code -ne 0
says_killed two
stands_still two
lab_flash two /tmp/two.fd || lab_die "two: no other pflashd takes over"
check "two: another pflashd takes over" grep -q 'taken over' /tmp/two.pflashd
goes_on two "with another pflashd"
# A worker that was stopped for a moment is not killed; it still serves the guest
# and detaches.
supervisor=$(cat /tmp/two.pid) worker=$(lab_worker "$(cat /tmp/two.pid)")
kill -STOP "$worker"
sleep 1
kill -CONT "$worker"
goes_on two "after a short stop"
check_equal "two: the same worker serves the guest" "$worker" "$(lab_field two worker)"
kill "$supervisor"
check "two: an obedient worker detaches" lab_flash_end two
xl destroy two

# --- a change of the mode ---

# changes NAME PAUSE: starts a change to trap mode and stops the worker PAUSE
# microseconds later; sets status
changes() {
    start=$(lab_now)
    timeout $MODE_LIMIT pflashctl mode "$1" trap >/tmp/mode.out 2>&1 &
    mode=$!
    usleep "$2"
    kill -STOP "$worker"
    wait $mode
    status=$?
    cat /tmp/mode.out
    note "$1: stopped after $2 us: exit $status after $(lab_since "$start") s"
}

writing three
kill -STOP "$worker"
changes three 0
check "three: the worker reads no command: pflashctl fails in time" \
    test $status -ne 0 -a $status -lt 124
check "three: pflashctl prints the failure" test -s /tmp/mode.out
answers three
kill -CONT "$worker"
goes_on three "on it goes"

# Stops the worker at different moments of the change; either mode may result.
for pause in 1000 5000 20000 50000; do
    pflashctl mode three direct
    worker=$(lab_field three worker)
    changes three $pause
    check "three: $pause us: pflashctl gets an answer in time" test $status -lt 124
    answers three
    # The next worker finishes the change.
    kill -KILL "$worker"
    check "three: $pause us: another worker replaces the killed one" \
        lab_wait 30 lab_replaced three "$worker"
    goes_on three "stopped after $pause us, killed and replaced"
done

pflashctl mode three direct
worker=$(lab_field three worker)
timeout $MODE_LIMIT pflashctl mode three trap >/tmp/mode.out 2>&1 &
mode=$!
usleep 5000
kill -STOP "$worker"
start=$(lab_now)
kill "$supervisor"
ends_in_time three "$start"
wait $mode
check "three: pflashctl gets its answer, too" test $? -lt 124
check "three: pflashd's exit code reports a failure" test $code -ne 0
lab_flash three /tmp/three.fd || lab_die "three: no other pflashd takes over"
goes_on three "with another pflashd"
id=$(lab_domid three)
xl destroy three
check "three: pflashd leaves with the guest" lab_flash_end three
check_equal "three: nothing of it is in /run/pflashd" "" "$(lab_run_files "$id")"
check "three: the file is sound" pflashctl check /tmp/three.fd
check "no domain is left" lab_wait 20 sh -c 'test "$(xl list | wc -l)" = 2'
lab_done
