# SPDX-License-Identifier: BSD-2-Clause
# Kills pflashd while a guest uses it. Sourced by the scenarios outlive and
# uefi-kills.

# More restarts than any scenario causes: these scenarios do not test the budget.
KILLS_OPTIONS='--restarts 10000'

# moment: a random pause of 0 to 0.25 s
moment() {
    usleep $(($(od -An -N1 -tu1 /dev/urandom) * 1000))
}

# kill_worker NAME: kills the worker, and waits until another one has taken over
kill_worker() {
    kill_log=/tmp/$1.pflashd
    kill_times=$(grep -c 'taken over' "$kill_log")
    kill -9 "$(lab_worker "$(cat "/tmp/$1.pid")")" || return 1
    lab_wait 60 kill_again
}

kill_again() {
    test "$(grep -c 'taken over' "$kill_log")" -gt "$kill_times"
}

# kill_all NAME VARS OPTION...: kills the supervisor, which ends its worker;
# starts another pflashd, which takes over
kill_all() {
    kill_pid=$(cat "/tmp/$1.pid")
    kill -9 "$kill_pid" || return 1
    wait "$kill_pid"
    lab_flash "$@" || return 1
    grep -q 'taken over' "/tmp/$1.pflashd"
}
