# SPDX-License-Identifier: BSD-2-Clause
# about: traces of running guests, replayed, give the guest's reads and the live image; a trace ends by a signal, its limit, an order or the guest's end, and disturbs no guest
# needs: build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# timeout: 300
. /lab/lib.sh

dir=/tmp/traces
mkdir $dir

# replayed TEXT START TRACE IMAGE: the trace, replayed on a copy of the image at its
# start with the options of its header, leaves IMAGE and reads what the guest read
replayed() {
    cp "$2" $dir/again.fd
    rm -f $dir/again.fd.journal
    replay_options=$(sed -n 's/^# replay: pflash-replay --vars COPY//p' "$3" | head -n 1)
    check "$1: the header has the options for the replay" test -n "$replay_options"
    # shellcheck disable=SC2086
    pflash-replay --vars $dir/again.fd $replay_options <"$3" >$dir/again.reads
    check_equal "$1: it is replayed to its end" 0 $?
    sed -n 's/^r [^ ]* [^ ]* //p' "$3" >$dir/reads
    check "$1: the reads are the guest's" cmp $dir/reads $dir/again.reads
    pflashctl export $dir/again.fd $dir/again.image
    check "$1: the image is the guest's" cmp "$4" $dir/again.image
    note "$1: $(grep -c '^w' "$3") writes, $(wc -l <$dir/reads) reads, $(wc -c <"$3") bytes"
}

# begins NAME TRACE OPTION...: starts pflashctl trace; returns when accesses come
begins() {
    trace_name=$1 trace_file=$2
    shift 2
    pflashctl trace "$@" "$trace_name" "$trace_file" 2>"$trace_file.err" &
    echo $! >"$trace_file.pid"
    lab_wait 30 grep -q '^w ' "$trace_file" && return
    cat "$trace_file.err"
    return 1
}

# over TRACE: waits for the end of this pflashctl; returns its exit code
over() {
    wait "$(cat "$1.pid")"
}

# ends TEXT TRACE REASON
ends() {
    check_equal "$1: its last line" "# end: $3" "$(tail -n 1 "$2")"
    check_equal "$1: no access is lost" 0 "$(grep -c '^lost' "$2")"
    check_equal "$1: only its owner reads it" 600 "$(stat -c %a "$2")"
}

# goes_on TEXT NAME: the guest goes on after this moment
goes_on() {
    lab_mark "$2"
    check "$1: the guest goes on" lab_expect "$2" 30 '^# round'
}

# quiet NAME: its flash gets no request any more
quiet() {
    quiet_before=$(lab_field "$1" writes)
    sleep 1
    test "$quiet_before" = "$(lab_field "$1" writes)"
}

# --- a guest that runs already ---

lab_step "a guest in trap mode: two traces that follow each other"
lab_guest one "test=steady seed=3" || lab_die "no guest"
lab_flash one $dir/one.fd --layout 2m --mode trap || lab_die "no flash"
id=$(lab_domid one)
xl unpause one
lab_expect one 60 '^# round' || lab_die "the guest does not write"
worker=$(lab_field one worker)
check_equal "there is no trace" off "$(lab_field one trace)"
begins one $dir/first --vars $dir/first.fd || lab_die "no trace"
check_equal "pflashctl status has the trace" client "$(lab_field one trace)"
check "a second trace is refused" sh -c \
    "! pflashctl trace one $dir/second 2>$dir/second.err && grep -q 'traced already' $dir/second.err"
check "it leaves no file" test ! -e $dir/second
goes_on "first" one
xl pause one
check "the paused guest makes no request" lab_wait 20 quiet one
kill -INT "$(cat $dir/first.pid)"
over $dir/first
check_equal "first: SIGINT is a clean end" 0 $?
ends "first" $dir/first stopped
check "first: the image at the start is saved" test -s $dir/first.fd

# The image at the start of the next trace is the one at the end of this.
pflashctl trace --vars $dir/second.fd one $dir/second 2>$dir/second.err &
echo $! >$dir/second.pid
lab_wait 30 test -s $dir/second.fd || lab_die "no second trace"
replayed "first" $dir/first.fd $dir/first $dir/second.fd
check "first: the guest has changed the image" sh -c "! cmp -s $dir/first.fd $dir/second.fd"
xl unpause one
goes_on "second" one
check_equal "the worker is the same" "$worker" "$(lab_field one worker)"
lab_type one end
check "the guest has read what it wrote, to its end" lab_expect one 60 '^# steady ok'
over $dir/second
check_equal "second: the guest's end is a clean end" 0 $?
ends "second" $dir/second "the flash is detached"
check "pflashd leaves with the guest" lab_flash_end one
pflashctl export $dir/one.fd $dir/one.image
replayed "second" $dir/second.fd $dir/second $dir/one.image
check_equal "nothing of it is left in /run/pflashd" "" "$(lab_run_files "$id")"

# --- limits and orders ---

lab_step "a guest in direct mode: the limit, an order"
lab_guest two "test=steady seed=4" || lab_die "no guest"
lab_flash two $dir/two.fd --layout 2m --mode direct || lab_die "no flash"
xl unpause two
lab_expect two 60 '^# round' || lab_die "the guest does not write"
begins two $dir/small --limit 4K || lab_die "no trace"
over $dir/small
check_equal "limit: it is a clean end" 0 $?
ends "limit" $dir/small "the limit of its size is reached"
check "limit: the size" test "$(wc -c <$dir/small)" -le 4200
check "limit: direct mode has no reads" sh -c "! grep -q '^r' $dir/small"
check_equal "limit: the trace is off" off "$(lab_field two trace)"
goes_on "limit" two
begins two $dir/ordered || lab_die "no trace"
check "order: pflashctl trace --stop" pflashctl trace --stop two
over $dir/ordered
check_equal "order: it is a clean end" 0 $?
ends "order" $dir/ordered stopped
goes_on "order" two
lab_type two end
check "two: the guest has read what it wrote, to its end" lab_expect two 60 '^# steady ok'
check "two: pflashd leaves with the guest" lab_flash_end two

# --- pflashd --trace ---

lab_step "pflashd --trace, and an upgrade"
pflashctl create --layout 2m $dir/three.fd
cp $dir/three.fd $dir/start.fd
lab_guest three "test=random seed=5 count=1500" || lab_die "no guest"
lab_flash three $dir/three.fd --base 0xffe00000 --mode trap --trace $dir/three ||
    lab_die "no flash"
xl unpause three
lab_expect three 30 '^w .*' || lab_die "the guest does not write"
check_equal "file: pflashctl status has it" file "$(lab_field three trace)"
check "file: pflashctl upgrade" pflashctl upgrade three
check "file: the guest runs to its end" lab_finish three 120
check "file: pflashd leaves with the guest" lab_flash_end three
ends "file" $dir/three "the flash is detached"
check_equal "file: two workers have written it" 1 "$(grep -c '^# continued by another worker' $dir/three)"
pflashctl export $dir/three.fd $dir/three.image
replayed "file" $dir/start.fd $dir/three $dir/three.image
tr -d '\r' <"$(lab_log three)" | awk '$1 == "r" { print $4 }' |
    sed 's/^0x//; s/^0*\(.\)/\1/' >$dir/guest.reads
sed 's/^0x//; s/^0*\(.\)/\1/' $dir/reads >$dir/trace.reads
check "file: the trace has the reads that the guest reports" cmp $dir/guest.reads $dir/trace.reads
pflashctl export --at "$(sed -n 's/^# sequence: //p' $dir/three | head -n 1)" $dir/three.fd $dir/point.fd
check "file: its header names the point of the history" cmp $dir/start.fd $dir/point.fd

lab_step "pflashd --trace with a limit; the file of the last start"
lab_guest four "test=random seed=6 count=3000" || lab_die "no guest"
lab_flash four $dir/three.fd --base 0xffe00000 --mode trap --trace $dir/three --trace-limit 64K ||
    lab_die "no flash"
check "file: the last trace is kept" grep -q '^# continued' $dir/three.old
xl unpause four
lab_wait 60 grep -q '^# end' $dir/three
ends "file with a limit" $dir/three "the limit of its size is reached"
check "file with a limit: its size" test "$(wc -c <$dir/three)" -le 65536
check_equal "file with a limit: the trace is off" off "$(lab_field four trace)"
check "file with a limit: the guest runs to its end" lab_finish four 120
check "file with a limit: pflashd leaves with the guest" lab_flash_end four
check "file with a limit: no log line is an error" sh -c "! grep -i 'error' /tmp/four.pflashd"

check "no process is left" lab_wait 30 sh -c '! pidof pflashd pflashctl'
check "no domain is left" lab_wait 60 sh -c 'test "$(xl list | wc -l)" = 2'
check_equal "no file is left in /run/pflashd" "" \
    "$(ls /run/pflashd | grep -vE '^empty$|\.limit$')"
lab_done
