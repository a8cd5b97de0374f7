# SPDX-License-Identifier: BSD-2-Clause
# about: pflashd is killed and upgraded many times while a guest uses it; the guest notices nothing
# needs: build/lab/guest.elf build/pflashd build/pflash-replay build/pflashctl
# needs: /usr/share/OVMF/OVMF_VARS.fd tests/lab/compare.sh tests/lab/hammer.sh tests/lab/kills.sh
# timeout: 800
. /lab/lib.sh
. /lab/compare.sh
. /lab/hammer.sh
. /lab/kills.sh

# kills NAME DIRECTORY LINES OPTION...: kills until the guest has written that many
# lines, or ends, and waits for its end; sets `killed`. Some kills hit the whole
# pflashd, which is started again, others only its worker. A burst that is open when
# the guest ends while no pflashd runs is lost, as after a power failure.
kills() {
    kills_name=$1 kills_dir=$2 kills_lines=$3 killed=0
    shift 3
    until lab_gone "$kills_name" ||
        [ "$(wc -l <"$(lab_log "$kills_name")")" -gt "$kills_lines" ]; do
        moment
        if [ $((killed % 3)) = 0 ]; then
            kill_worker "$kills_name" || break
        else
            kill_all "$kills_name" "$kills_dir/vars.fd" "$@" || break
        fi
        killed=$((killed + 1))
    done
    lab_wait 120 lab_gone "$kills_name"
}

# outlive NAME MODE WORDS LINES: the guest's report and its flash are the same as without
# a kill
outlive() {
    name=$1 mode=$2 dir=/tmp/$1.d
    mkdir "$dir"
    cp /lab/OVMF_VARS.fd "$dir/vars.fd"
    cp /lab/OVMF_VARS.fd "$dir/replay.fd"
    lab_guest "$name" "$3" || lab_die "no guest"
    # shellcheck disable=SC2086
    lab_flash "$name" "$dir/vars.fd" --base 0xffe00000 --mode "$mode" \
        $KILLS_OPTIONS || lab_die "$name: pflashd did not attach"
    xl unpause "$name"
    # shellcheck disable=SC2086
    kills "$name" "$dir" "$4" --base 0xffe00000 --mode "$mode" $KILLS_OPTIONS
    check "$name: the guest reached its end" grep -q '^# end' "$(lab_log "$name")"
    check "$name: pflashd was killed at least ten times" test $killed -ge 10
    note "$name: $mode mode, killed $killed times"
    kill "$(cat "/tmp/$name.pid")" 2>/dev/null
    wait "$(cat "/tmp/$name.pid")"
    tr -d '\r' <"$(lab_log "$name")" >"$dir/report"
    compare_replay "$name" "$dir"
}

# Of 23152 and 27122 lines, one for each access.
outlive direct direct "test=random seed=5 count=6000" 22000
outlive trap trap "test=random seed=6 count=7000" 26000

# --- several vCPUs ---

pflashctl create --layout 4m /tmp/hammer.fd
mkdir /tmp/many.d
ln -s /tmp/hammer.fd /tmp/many.d/vars.fd
hammer_guest many direct /tmp/hammer.fd "test=hammer vcpus=4 count=300 size=0x84000" 'vcpus = 4'
xl unpause many
# shellcheck disable=SC2086
kills many /tmp/many.d 100000 --base $HAMMER_BASE --mode direct --force $KILLS_OPTIONS
note "many: killed $killed times"
check "many: pflashd was killed at least ten times" test $killed -ge 10
tr -d '\r' <"$(lab_log many)" >/tmp/many.report
check "many: the guest reached its end" grep -q '^# end' /tmp/many.report
check "many: the guest found no error" sh -c "! grep -q '^# failed' /tmp/many.report"
kill "$(cat /tmp/many.pid)" 2>/dev/null
wait "$(cat /tmp/many.pid)"
check_equal "many: the VARS file has the expected contents" \
    "$(sed -n 's/^# crc32 //p' /tmp/many.report)" "$(hammer_image_crc /tmp/hammer.fd)"

# --- an upgrade, and refusals ---

lab_guest up "test=random seed=7 count=100000" || lab_die "no guest"
lab_flash up /tmp/up.fd --layout 2m || lab_die "no flash"
pid=$(cat /tmp/up.pid) id=$(lab_domid up)
pflashd --domain up --vars /tmp/other.fd --layout 2m --foreground >/tmp/second.out 2>&1
check_equal "a second pflashd for a guest is refused" 4 $?
check "the second pflashd prints the reason" grep -q 'has a flash already' /tmp/second.out
xl unpause up
upgrades=0
while [ $upgrades -lt 5 ]; do
    moment
    pflashctl upgrade up || { cat /tmp/up.pflashd; break; }
    upgrades=$((upgrades + 1))
done
check_equal "pflashd is upgraded five times" 5 $upgrades
check_equal "the upgrades keep the process id" "$pid" "$(lab_field up pid)"
lab_mark up
check "the guest goes on" lab_expect up 20 '^w '

# --- an upgrade to a program that refuses ---

# program FILE: renames FILE to the path of the running pflashd. The running
# program keeps its file, without a name or with another one.
program() {
    chmod +x "$1"
    mv -f "$1" /lab/pflashd
}

# not_upgraded TEXT: pflashctl fails with a message, and nothing else has changed
not_upgraded() {
    worker=$(lab_field up worker)
    timeout 60 pflashctl upgrade up >/tmp/upgrade.out 2>&1
    status=$?
    check "$1: pflashctl upgrade fails" test $status -ne 0 -a $status -lt 124
    check "$1: pflashctl prints a message" test -s /tmp/upgrade.out
    note "$1: $(head -n 1 /tmp/upgrade.out)"
    still_serves "$1"
    check_equal "$1: the same worker serves the guest" "$worker" "$(lab_field up worker)"
}

# still_serves TEXT
still_serves() {
    check "$1: pflashd runs" lab_wait 20 lab_state up running
    check_equal "$1: the process id is the same" "$pid" "$(lab_field up pid)"
    lab_mark up
    check "$1: the guest goes on" lab_expect up 20 '^w '
}

cp /lab/pflashd /lab/pflashd.good
printf '#!/bin/sh\nexit 1\n' >/lab/pflashd.new
program /lab/pflashd.new
not_upgraded "a script that exits with 1"
# This program has no option --check-handover.
cp /lab/pflash-replay /lab/pflashd.new
program /lab/pflashd.new
not_upgraded "another program"
echo 'no program' >/lab/pflashd.new
program /lab/pflashd.new
not_upgraded "a file that cannot be executed"
rm /lab/pflashd
not_upgraded "no file"
printf '#!/bin/sh\nexec sleep 1000\n' >/lab/pflashd.new
program /lab/pflashd.new
timeout 60 pflashctl upgrade up >/tmp/upgrade.out 2>&1 &
upgrade=$!
sleep 1
check "a program that hangs: pflashctl status gets an answer meanwhile" \
    timeout 2 pflashctl status up
wait $upgrade
status=$?
check "a program that hangs: pflashctl upgrade fails" \
    test $status -ne 0 -a $status -lt 124
still_serves "a program that hangs"
program /lab/pflashd.good
check "with a good program the upgrade works again" pflashctl upgrade up
still_serves "a good program"

# --- killed, and started with another file ---

kill -9 "$pid"
wait "$pid"
pflashd --domain up --vars /tmp/other.fd --layout 2m --foreground >/tmp/second.out 2>&1
check "pflashd with another file does not attach" test $? -eq 3 -o $? -eq 5
check "its message names the file in use" grep -q 'start pflashd with this VARS file' /tmp/second.out
check "no pflashd is left with that file" test ! -e /tmp/other.fd -o -z "$(pidof pflashd)"
lab_mark up
lab_flash up /tmp/up.fd || lab_die "its own file is refused"
check "with its own file the guest continues" lab_expect up 20 '^w '
xl destroy up
check "pflashd leaves with the guest" lab_flash_end up
check_equal "nothing of it is left in /run/pflashd" "" "$(lab_run_files "$id")"
lab_done
