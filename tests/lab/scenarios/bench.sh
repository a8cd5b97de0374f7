# SPDX-License-Identifier: BSD-2-Clause
# about: the cost of an access for the guest: pflashd, and a server without a flash
# needs: build/lab/guest.elf build/lab/answer build/pflashd build/pflashctl build/pflash-bench
# slow: a measurement, not a test
# timeout: 1200
. /lab/lib.sh

rounds=25
base=0xffe00000 other=0xffc00000 size=131072

# serve_flash NAME MODE MICROSECONDS
serve_flash() {
    lab_flash "$1" "/tmp/$1.fd" --layout 2m --mode "$2" --spin "$3" --sync none
}

# serve_answer NAME BASE MICROSECONDS [direct]: a server without a flash
serve_answer() {
    answer "$(lab_domid "$1")" "$2" $size "$3" $4 >"/tmp/$1.$2" 3>&- &
    lab_wait 60 grep -q ready "/tmp/$1.$2"
}

# finish NAME: as lab_finish, but without polling: dom0 has one processor
finish() {
    timeout 300 xenstore-watch -n 2 @releaseDomain >/dev/null &
    watch=$!
    xl unpause "$1"
    wait $watch
    lab_finish "$1" 60
}

# measure MODE MICROSECONDS: one guest accesses two servers in turn. In the mode
# `answer` both are servers without a flash: that measures Xen's share of a write
# to guest memory.
measure() {
    name=$1-$2
    lab_guest "$name" "test=bench count=200 rounds=$rounds answer=$other" ||
        lab_die "$name: no guest"
    case $1 in
        answer) serve_answer "$name" $base "$2" direct ;;
        *) serve_flash "$name" "$1" "$2" ;;
    esac || lab_die "$name: no flash"
    serve_answer "$name" $other "$2" || lab_die "$name: no answer"
    check "$name: measured" finish "$name"
    tr -d '\r' <"$(lab_log "$name")" >"/tmp/bench.$name"
    lab_wait 60 sh -c '! pidof answer pflashd'
    check "$name: read" sh -c \
        "pflash-bench guest /tmp/bench.$name >/tmp/bench.$name.table"
    grep cycles "/tmp/bench.$name.table" | while read -r line; do
        note "$name: $line"
    done
}

for spin in 0 3000; do
    for mode in trap direct answer; do
        measure $mode $spin
    done
done

# switches: the number of context switches of pflashd's processes
switches() {
    for pid in $(pidof pflashd); do
        sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' "/proc/$pid/status"
    done | awk '{ sum += $1 } END { print sum }'
}

lab_guest idle test=bench || lab_die "no guest"
serve_flash idle direct 50 || lab_die "no flash"
sleep 10 # longer than --settle: the last timer has expired
before=$(switches)
sleep 20
check_equal "an idle pflashd is not woken in 20 s" "$before" "$(switches)"
kill "$(cat /tmp/idle.pid)"
lab_flash_end idle
pflash-bench attach --rounds 5 -- pflashd --domain idle --vars /tmp/idle.fd \
    >/tmp/attach.out
check_equal "pflashd starts repeatedly" 0 $?
grep -e ready -e memory /tmp/attach.out | while read -r line; do
    note "attach: $line"
done
xl destroy idle
lab_done
