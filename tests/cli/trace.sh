#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Tests traces: a recorded run, replayed on the image at its start, gives the
# same reads and the same image; pflashctl trace against control sockets that end
# early or send no trace (hostile_daemon.py). Runs in separate mount and process
# name spaces, because the sockets are in /run/pflashd.
. tests/lib/cli.sh

if [ "${1:-}" != inside ]; then
	if ! unshare -mpf --mount-proc mount -t tmpfs tmpfs /run 2>"$tmp/err"; then
		skip "traces: $(head -n 1 "$tmp/err")"
		finish
	fi
	rm -rf "$tmp"
	exec unshare -mpf --mount-proc --kill-child sh "$0" inside
fi

replay=$build/pflash-replay
ctl=$build/pflashctl
d=$build/pflashd
template=/usr/share/OVMF/OVMF_VARS_4M.fd
mount -t tmpfs tmpfs /run || exit 2
mkdir -m 700 /run/pflashd || exit 2

# same TEXT START: replays $tmp/trace on START; the image must be that of
# $tmp/VARS, and the reads must be the recorded ones
same() {
	cp "$2" "$tmp/again.fd"
	rm -f "$tmp/again.fd.journal"
	"$replay" --vars "$tmp/again.fd" <"$tmp/trace" >"$tmp/reads" 2>"$tmp/err"
	check_equal "$1: it is replayed to its end" "0 " "$? $(cat "$tmp/err")"
	check_equal "$1: the same image" "$(sum "$tmp/VARS")" "$(sum "$tmp/again.fd")"
	sed -n 's/^r [^ ]* [^ ]* //p' "$tmp/trace" >"$tmp/recorded"
	check "$1: the same reads" cmp "$tmp/recorded" "$tmp/reads"
}

# --- pflash-replay --trace ---------------------------------------------------

if [ -r "$template" ]; then
	cp "$template" "$tmp/VARS"
	zcat "$data/ovmf-2022.11-4m-firstboot.trace.gz" >"$tmp/boot"
	"$replay" --vars "$tmp/VARS" --mode trap --trace "$tmp/trace" <"$tmp/boot" >"$tmp/said"
	check_equal "a boot of OVMF: reads" 0 "$(tr '\n' ' ' <"$tmp/said" | tr -d ' ')"
	check_equal "a boot of OVMF: each write is in the trace" \
		"$(grep -c '^w' "$tmp/boot")" "$(grep -c '^w' "$tmp/trace")"
	same "a boot of OVMF" "$template"
else
	skip "a boot of OVMF: $template is missing (package ovmf)"
fi

rm -f "$tmp/VARS" "$tmp/VARS.journal"
"$ctl" create --layout 2m "$tmp/VARS" >"$tmp/said" || exit 2
fill 0 10 | "$replay" --vars "$tmp/VARS" || exit 2
cp "$tmp/VARS" "$tmp/start.fd"
{ fill 10 10; echo r 100 8; echo r 80 1; } >"$tmp/accesses"
"$replay" --vars "$tmp/VARS" --mode trap --trace "$tmp/trace" <"$tmp/accesses" >"$tmp/said"
check_equal "the first line" "# pflashd trace 1" "$(head -n 1 "$tmp/trace")"
check_equal "the mode of the file" 600 "$(stat -c %a "$tmp/trace")"
same "some variables" "$tmp/start.fd"
"$ctl" export --at "$(sed -n 's/^# sequence: //p' "$tmp/trace")" "$tmp/VARS" "$tmp/point.fd"
check "the header names the point of the history" cmp "$tmp/start.fd" "$tmp/point.fd"

# The command of the header, as it is.
options=$(sed -n 's/^# replay: pflash-replay --vars COPY//p' "$tmp/trace")
cp "$tmp/start.fd" "$tmp/again.fd"
rm -f "$tmp/again.fd.journal"
# shellcheck disable=SC2086
"$replay" --vars "$tmp/again.fd" $options <"$tmp/trace" >"$tmp/reads"
check_equal "the header's options" "0 $(sum "$tmp/VARS")" "$? $(sum "$tmp/again.fd")"

# A chip that is at work when the trace begins.
printf '%s\n' 'lost 7 accesses' >"$tmp/hole"
refuses "a hole" 2 'line 1: the recording has a hole' sh -c "exec $replay --vars $tmp/again.fd <$tmp/hole"
for state in '' zz 5 00 5046; do
	echo "c $state" >"$tmp/state"
	refuses "state '$state'" 2 'line 1 is not a state of a chip' \
		sh -c "exec $replay --vars $tmp/again.fd <$tmp/state"
done
refuses "a trace that cannot be written" 1 'No space left' \
	sh -c "echo w 0 1 ff | $replay --vars $tmp/again.fd --trace /dev/full"
check_equal "a trace in a missing directory" 1 \
	"$("$replay" --vars "$tmp/again.fd" --trace /nonexistent/t </dev/null 2>"$tmp/err"; echo $?)"

# --- the options of pflashd --------------------------------------------------

for limit in '' 0 x 65535 1025M 2G; do
	refuses "limit '$limit'" 2 "--trace-limit: '$limit' is" "$d" --domain 1 \
		--vars "$tmp/VARS" --trace-limit "$limit"
done
refuses "the trace in place of the variables" 2 'name the same file' "$d" --domain 1 \
	--vars "$tmp/VARS" --trace "$tmp/VARS"
printf 'vars = %s\ntrace = t\n' "$tmp/VARS" >"$tmp/conf"
refuses "a relative path in a file of options" 3 "trace: 't' is a relative path" "$d" \
	--domain 1 --config "$tmp/conf"

# --- pflashctl trace ---------------------------------------------------------

serve() {
	[ -z "${double:-}" ] || kill -9 "$double"
	double=$(python3 tests/cli/hostile_daemon.py "$tmp" "$@") || exit 2
}

# ctl ARGUMENT...: sets $code; its output is in $tmp/said and $tmp/err
ctl() {
	timeout 60 "$ctl" "$@" >"$tmp/said" 2>"$tmp/err" </dev/null
	code=$?
}

# interrupted ARGUMENT...: the same; SIGINT comes when OUT has all of $wanted
interrupted() {
	rm -f "$tmp/out.trace"
	timeout -s KILL 60 "$ctl" "$@" "$tmp/out.trace" >"$tmp/said" 2>"$tmp/err" </dev/null &
	lib_pid=$!
	until [ -f "$tmp/out.trace" ] && [ "$(wc -c <"$tmp/out.trace")" -ge "$wanted" ]; do
		kill -0 $lib_pid 2>/dev/null || break
		sleep 0.05
	done
	# timeout(1) is the parent of pflashctl.
	pkill -INT -P $lib_pid
	wait $lib_pid
	code=$?
}

mv "$tmp/trace" "$tmp/whole"
grep -v '^# end' "$tmp/whole" >"$tmp/trace"
wanted=$(wc -c <"$tmp/trace")
serve 1=trace 2=trace-cut 3=trace-refused 4=trace-deaf 5=old-one

interrupted trace --vars "$tmp/saved.fd" 1
check_equal "trace: SIGINT ends it" "0 pflashctl: 1: $(grep -c '^[wr]' "$tmp/trace") accesses" \
	"$code $(cat "$tmp/err")"
check_equal "trace: the last line" "# end: stopped" "$(tail -n 1 "$tmp/out.trace")"
check "trace: all lines" cmp -n "$wanted" "$tmp/trace" "$tmp/out.trace"
check_equal "trace: the mode of OUT" 600 "$(stat -c %a "$tmp/out.trace")"
check "trace --vars: the image at the start, from the history" \
	cmp "$tmp/start.fd" "$tmp/saved.fd"
check_equal "trace --vars: the mode" 600 "$(stat -c %a "$tmp/saved.fd")"
cp "$tmp/trace" "$tmp/sent"
cp "$tmp/out.trace" "$tmp/trace"
same "trace and --vars together" "$tmp/saved.fd"
cp "$tmp/sent" "$tmp/trace"

ctl trace 1 "$tmp/out.trace"
check_equal "trace: OUT exists" "1 $(wc -c <"$tmp/out.trace")" \
	"$code $(wc -c <"$tmp/out.trace")"
check "trace: OUT exists, the message" grep -q 'File exists' "$tmp/err"

ctl trace 2
check_equal "trace: the worker dies" 1 $code
check "trace: the worker dies, the message" grep -q 'has a hole' "$tmp/err"
check_equal "trace: the worker dies, the last lines" \
	"lost 0 or more accesses: the worker ended,# end: the connection has ended," \
	"$(tail -n 2 "$tmp/said" | tr '\n' ,)"
check "trace: to standard output" cmp -n "$wanted" "$tmp/trace" "$tmp/said"

ctl trace 3 "$tmp/refused.trace"
check_equal "trace: refused" "1 pflashctl: 3: the guest is traced already\\x1b[2J" \
	"$code $(cat "$tmp/err")"
check "trace: refused, no file is left" test ! -e "$tmp/refused.trace"
ctl trace --stop 3
check_equal "trace --stop: refused" 1 $code
ctl trace --stop 1
check_equal "trace --stop" "0 " "$code $(cat "$tmp/err")"
check "trace --stop: what is sent" grep -q '^1 trace stop$' "$tmp/asked"
refuses "trace: version 0.1" 1 'does not know' "$ctl" trace 5
refuses "trace: no such guest" 1 'no pflashd serves' "$ctl" trace 77
refuses "trace --stop with a file" 2 'takes no file' "$ctl" trace --stop 1 x

interrupted trace 4
check_equal "trace: the worker does not end it" 1 $code

ctl trace --limit 4K 1
check_equal "trace --limit" "0 # end: the limit of its size is reached" \
	"$code $(tail -n 1 "$tmp/said")"
check "trace --limit: the size" test "$(wc -c <"$tmp/said")" -le 4300

# Another image than the header says: the guest has written meanwhile.
sed 's/^# checksum: .*/# checksum: 00000001/' "$tmp/sent" >"$tmp/trace"
rm -f "$tmp/saved.fd"
ctl trace --vars "$tmp/saved.fd" --limit 4K 1
check_equal "trace --vars: the image is gone" 1 $code
check "trace --vars: the image is gone, the message" grep -q 'try again' "$tmp/err"
check "trace --vars: no file" test ! -e "$tmp/saved.fd"
check "trace --vars: the trace is complete all the same" \
	grep -q '^# end: the limit' "$tmp/said"

# A hostile worker.
printf '# \033]0;title\007\033[2J\nw 0 1 \033[31m\n\302\205\n' >"$tmp/trace"
ctl trace 2
check_equal "trace: bytes for the terminal" "# ?]0;title??[2J,w 0 1 ?[31m,??," \
	"$(head -n 3 "$tmp/said" | tr '\n' ,)"
head -c 100000 /dev/zero | tr '\0' x >"$tmp/trace"
ctl trace 2
check_equal "trace: a line without an end" "1 pflashctl: 2: this is no trace" \
	"$code $(cat "$tmp/err")"
: >"$tmp/trace"
ctl trace 2
check_equal "trace: no line at all" 1 $code

kill -9 "$double"
finish
