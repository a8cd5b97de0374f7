# SPDX-License-Identifier: BSD-2-Clause
# pflashd is killed under a guest, and goes on. Sourced by the scenarios outlive
# and uefi-kills.

# More deaths than any scenario causes: the budget is not what is tested there.
KILLS_OPTIONS='--restarts 10000'

# a pause of 0 to 0.25 s
moment() {
    usleep $(($(od -An -N1 -tu1 /dev/urandom) * 1000))
}

# kill_worker NAME: kills it, and waits until another one has taken over
kill_worker() {
    kill_log=/tmp/$1.pflashd
    kill_times=$(grep -c 'taken over' "$kill_log")
    kill -9 "$(lab_worker "$(cat "/tmp/$1.pid")")" || return 1
    lab_wait 60 kill_again
}

kill_again() {
    test "$(grep -c 'taken over' "$kill_log")" -gt "$kill_times"
}

# kill_all NAME VARS OPTION...: kills the supervisor, and with it its worker;
# another pflashd takes over
kill_all() {
    kill_pid=$(cat "/tmp/$1.pid")
    kill -9 "$kill_pid" || return 1
    wait "$kill_pid"
    lab_flash "$@" || return 1
    grep -q 'taken over' "/tmp/$1.pflashd"
}
