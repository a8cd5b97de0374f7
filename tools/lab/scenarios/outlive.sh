# SPDX-License-Identifier: BSD-2-Clause
# about: pflashd is killed and upgraded under a guest again and again, and the guest notices nothing
# needs: build/lab/guest.elf build/pflashd build/pflash-replay build/pflashctl
# needs: /usr/share/OVMF/OVMF_VARS.fd tools/lab/compare.sh tools/lab/hammer.sh tools/lab/kills.sh
# timeout: 500
. /lab/lib.sh
. /lab/compare.sh
. /lab/hammer.sh
. /lab/kills.sh

# kills NAME DIRECTORY OPTION...: until the guest is gone; sets `killed`. Now
# the whole of pflashd is killed and started again, now its worker only.
kills() {
    kills_name=$1 kills_dir=$2 killed=0
    shift 2
    until lab_gone "$kills_name"; do
        moment
        if [ $((killed % 3)) = 0 ]; then
            kill_worker "$kills_name" || break
        else
            kill_all "$kills_name" "$kills_dir/vars.fd" "$@" || break
        fi
        killed=$((killed + 1))
    done
}

# outlive NAME MODE WORDS: the guest's report and its flash are as they are
# without a kill
outlive() {
    name=$1 mode=$2 dir=/tmp/$1.d
    mkdir "$dir"
    cp /lab/OVMF_VARS.fd "$dir/vars.fd"
    cp /lab/OVMF_VARS.fd "$dir/replay.fd"
    lab_guest "$name" "$3" || lab_die "no guest"
    lab_flash "$name" "$dir/vars.fd" --base 0xffe00000 --mode "$mode" ||
        lab_die "$name: pflashd did not attach"
    xl unpause "$name"
    kills "$name" "$dir" --base 0xffe00000 --mode "$mode"
    check "$name: the guest came to its end" grep -q '^# end' "$(lab_log "$name")"
    check "$name: it was killed often" test $killed -ge 10
    note "$name: $mode mode, killed $killed times"
    kill "$(cat "/tmp/$name.pid")" 2>/dev/null
    wait "$(cat "/tmp/$name.pid")"
    tr -d '\r' <"$(lab_log "$name")" >"$dir/report"
    compare_replay "$name" "$dir"
}

outlive direct direct "test=random seed=5 count=4000"
outlive trap trap "test=random seed=6 count=5000"

# --- several vCPUs ---

pflashctl create --layout 4m /tmp/hammer.fd
mkdir /tmp/many.d
ln -s /tmp/hammer.fd /tmp/many.d/vars.fd
hammer_guest many direct /tmp/hammer.fd "test=hammer vcpus=4 count=120 size=0x84000" 'vcpus = 4'
xl unpause many
kills many /tmp/many.d --base $HAMMER_BASE --mode direct --force
note "many: killed $killed times"
check "many: it was killed often" test $killed -ge 10
tr -d '\r' <"$(lab_log many)" >/tmp/many.report
check "many: the guest came to its end" grep -q '^# end' /tmp/many.report
check "many: the guest found nothing wrong" sh -c "! grep -q '^# failed' /tmp/many.report"
kill "$(cat /tmp/many.pid)" 2>/dev/null
wait "$(cat /tmp/many.pid)"
check_equal "many: the file holds what it should" \
    "$(sed -n 's/^# crc32 //p' /tmp/many.report)" "$(hammer_image_crc /tmp/hammer.fd)"

# --- upgraded, and what is refused ---

lab_guest up "test=random seed=7 count=100000" || lab_die "no guest"
lab_flash up /tmp/up.fd --layout 2m || lab_die "no flash"
pid=$(cat /tmp/up.pid) id=$(lab_domid up)
pflashd --domain up --vars /tmp/other.fd --layout 2m --foreground >/tmp/second.out 2>&1
check_equal "a second pflashd for a guest is refused" 4 $?
check "it says why" grep -q 'has a flash already' /tmp/second.out
xl unpause up
upgrades=0
while [ $upgrades -lt 5 ]; do
    moment
    pflashctl upgrade up || { cat /tmp/up.pflashd; break; }
    upgrades=$((upgrades + 1))
done
check_equal "it is upgraded five times" 5 $upgrades
check_equal "in one process" "$pid" "$(pflashctl status up | sed -n 's/^pid: //p')"
lab_mark up
check "the guest goes on" lab_expect up 20 '^w '
kill -9 "$pid"
wait "$pid"
pflashd --domain up --vars /tmp/other.fd --layout 2m --foreground >/tmp/second.out 2>&1
check "another file does not take its place" test $? -eq 3 -o $? -eq 5
check "that says so" grep -q 'and no other' /tmp/second.out
check "nor is it left behind" test ! -e /tmp/other.fd -o -z "$(pidof pflashd)"
lab_mark up
lab_flash up /tmp/up.fd || lab_die "its own file is refused"
check "its own does" lab_expect up 20 '^w '
xl destroy up
check "pflashd leaves with the guest" lab_flash_end up
check "nothing of it is left in /run/pflashd" sh -c "! ls /run/pflashd/$id.* 2>/dev/null"
lab_done
