# SPDX-License-Identifier: BSD-2-Clause
# about: what a guest's access costs, by a server that only answers and by pflashd, in turn
# needs: build/lab/guest.elf build/lab/answer build/pflashd build/pflashctl build/pflash-bench
# slow: figures, and three rounds of them
# timeout: 1200
. /lab/lib.sh

rounds=3
base=0xffe00000 size=131072

# serve_answer NAME MICROSECONDS
serve_answer() {
    answer "$(lab_domid "$1")" $base $size "$2" >"/tmp/$1.ready" 3>&- &
    lab_wait 60 grep -q ready "/tmp/$1.ready"
}

# serve_trap NAME MICROSECONDS; serve_direct likewise
serve_trap() {
    lab_flash "$1" "/tmp/$1.fd" --layout 2m --mode trap --spin "$2" --sync none
}

serve_direct() {
    lab_flash "$1" "/tmp/$1.fd" --layout 2m --mode direct --spin "$2" \
        --sync none
}

# measure HOW MICROSECONDS ROUND: leaves the guest's figures in
# /tmp/bench.HOW-MICROSECONDS.ROUND
measure() {
    name=$1-$2-$3
    lab_guest "$name" "test=bench count=300" || lab_die "$name: no guest"
    "serve_$1" "$name" "$2" || lab_die "$name: no flash"
    xl unpause "$name"
    check "$name: measured" lab_finish "$name" 200
    tr -d '\r' <"$(lab_log "$name")" | grep '^# cycles' >"/tmp/bench.$name"
    lab_wait 60 sh -c '! pidof answer pflashd'
}

# figure HOW MICROSECONDS WHAT: the median of the rounds
figure() {
    sed -n "s/^# cycles $3 //p" "/tmp/bench.$1-$2".* | sort -n |
        sed -n "$((rounds / 2 + 1))p"
}

# ratio A B
ratio() {
    awk "BEGIN { printf \"%.3f\", $1 / $2 }"
}

round=0
while [ $round -lt $rounds ]; do
    round=$((round + 1))
    for spin in 0 3000; do
        for how in answer trap direct; do
            measure $how $spin $round
            mv "/tmp/bench.$name" "/tmp/bench.$how-$spin.$round"
        done
    done
done
for spin in 0 3000; do
    for how in answer trap direct; do
        note "$how, --spin $spin: $(for what in write burst-of-256 erase \
            flash-read flash-copy-128k; do
            echo "$what $(figure $how $spin $what)"
        done | tr '\n' ' ')cycles"
    done
    for how in trap direct; do
        note "$how, --spin $spin: a write is $(ratio \
            "$(figure $how $spin write)" "$(figure answer $spin write)") of the answering server's"
    done
    note "direct, --spin $spin: a read is $(ratio \
        "$(figure direct $spin flash-read)" "$(figure direct $spin ram-read)") of RAM's, \
all of the flash $(ratio "$(figure direct $spin flash-copy-128k)" \
        "$(figure direct $spin ram-copy-128k)")"
done
note "direct: a write with --spin 3000 is $(ratio "$(figure direct 3000 write)" \
    "$(figure direct 0 write)") of one without"

# switches: how often pflashd's processes were woken
switches() {
    for pid in $(pidof pflashd); do
        sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' "/proc/$pid/status"
    done | awk '{ sum += $1 } END { print sum }'
}

lab_guest idle test=bench || lab_die "no guest"
serve_direct idle 50 || lab_die "no flash"
sleep 5
before=$(switches)
sleep 20
check_equal "an idle pflashd is not woken in 20 s" "$before" "$(switches)"
kill "$(cat /tmp/idle.pid)"
lab_flash_end idle
pflash-bench attach --rounds 5 -- pflashd --domain idle --vars /tmp/idle.fd \
    >/tmp/attach.out
check_equal "it starts again and again" 0 $?
grep -e ready -e memory /tmp/attach.out | while read -r line; do
    note "attach: $line"
done
xl destroy idle

cat /tmp/bench.direct-3000.* >/tmp/console
check "pflash-bench guest reads them" pflash-bench guest /tmp/console
lab_done
