#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Tests pflashctl list, status, mode and upgrade against control sockets that
# lie, hang or send malformed answers (hostile_daemon.py). Runs in separate mount
# and process name spaces, because the sockets are in /run/pflashd.
. tests/lib/cli.sh

if [ "${1:-}" != inside ]; then
	if ! unshare -mpf --mount-proc mount -t tmpfs tmpfs /run 2>"$tmp/err"; then
		skip "hostile pflashds: $(head -n 1 "$tmp/err")"
		finish
	fi
	rm -rf "$tmp"
	# The shell is process 1 of the name space: its end kills the doubles.
	exec unshare -mpf --mount-proc --kill-child sh "$0" inside
fi

ctl=${PFLASHCTL:-$build/pflashctl}
run=/run/pflashd
slack=2500 # ms allowed for a busy machine
mount -t tmpfs tmpfs /run || exit 2

refuses "status: no directory" 1 "no pflashd serves 'x'" "$ctl" status x
check_equal "list: no directory" "0 1" \
	"$("$ctl" list >"$tmp/out" 2>&1; echo $?) $(wc -l <"$tmp/out")"
mkdir -m 700 $run || exit 2

# serve [--uid N] ID[-ID]=BEHAVIOUR...: see hostile_daemon.py; sets $double
serve() {
	lib_uid=
	if [ "$1" = --uid ]; then
		lib_uid="--uid $2"
		shift 2
	fi
	# shellcheck disable=SC2086
	double=$(python3 tests/cli/hostile_daemon.py $lib_uid "$tmp" "$@") || exit 2
	doubles="${doubles:-} $double"
}

# Kills the doubles, and removes their sockets and the log of requests.
clear_all() {
	# shellcheck disable=SC2086
	[ -z "${doubles:-}" ] || kill -9 $doubles 2>/dev/null
	doubles=
	rm -rf "${run:?}"/* "$tmp/asked"
}

# ctl ARGUMENT...: runs pflashctl; sets $code and $ms; its output is in $to/said
# and $to/err
to=$tmp
ctl() {
	lib_began=$(date +%s%N)
	timeout 60 "$ctl" "$@" >"$to/said" 2>"$to/err" </dev/null
	code=$?
	ms=$((($(date +%s%N) - lib_began) / 1000000))
}

# within TEXT MS: the last ctl took at most MS and some slack
within() {
	check "$1: within $2 ms, took $ms" test "$ms" -le $(($2 + slack))
}

# says PATTERN: matches standard output; warns PATTERN: matches standard error
says() {
	grep -q -e "$1" "$tmp/said" && return
	sed 's/^/# /' "$tmp/said"
	return 1
}
# shellcheck disable=SC2317 # check() calls it
warns() {
	grep -q -e "$1" "$tmp/err" && return
	sed 's/^/# /' "$tmp/err"
	return 1
}

# shellcheck disable=SC2317
silent_about() {
	! grep -q -e "$1" "$tmp/said" "$tmp/err"
}

# True if the output has no control characters for a terminal.
# shellcheck disable=SC2317
is_plain() {
	! LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" "$tmp/said" "$tmp/err" &&
		! LC_ALL=C grep -q "$(printf '\302[\200-\237]')" "$tmp/said" "$tmp/err"
}

is_json() {
	python3 -m json.tool "$tmp/said" >/dev/null
}

# in_json EXPRESSION: true for the JSON document d; the expression is Python
in_json() {
	python3 -c "import json, sys
d = json.load(open(sys.argv[1]))
assert $1, d" "$tmp/said"
}

asked() {
	cut -d ' ' -f 1 "$tmp/asked" 2>/dev/null | sort -n | uniq | paste -s -d ' '
}

# --- an honest pflashd ---

serve '7={}'
ctl list
check_equal "list: exit code" 0 "$code"
check "list: a row" says '^    7  guest7               running  trap            7        3      0      2 .* /var/lib/pflash/guest7.fd$'
check_equal "list: no warning" "" "$(cat "$tmp/err")"
ctl status 7
check_equal "status: exit code" 0 "$code"
check "status: state" says '^state: running$'
check "status: changes for the next start" says '^queued: 2$'
check "status: restarts" says '^restarts: 0$'
check "status: worker" says '^worker: 4001$'
check "status: pid of the process that listens" says "^pid: $double$"
ctl status guest7
check "status: by name" says '^domain: 7$'
ctl status --json 7
check "status --json" in_json "d['name'] == 'guest7' and d['size'] == 540672 and d['pid'] == $double"
refuses "status: no such name" 1 "no pflashd serves 'other'" "$ctl" status other
refuses "status: no such id" 1 "no pflashd serves '8'" "$ctl" status 8
refuses "status: leading zeros" 2 "'007' is not the id" "$ctl" status 007
refuses "status: an id that Xen reserves" 2 "'32752' is not the id" "$ctl" status 32752
refuses "status: a number out of range" 2 "is not the id" "$ctl" status 99999999999999999999
kill -9 "$double"
while "$ctl" status 7 2>&1 | grep -q 'closed the connection'; do sleep 0.1; done
refuses "status: it was killed" 1 '/7.sock: no process listens' "$ctl" status 7
ctl list
check_equal "list: one was killed: exit code" 1 "$code"
check "list: one was killed" warns '/7.sock: no process listens'

# --- identity ---

clear_all
serve '7={"domain": 8}' '8={}' '9={"name": "guest8", "pid": 4294967295}' \
	'10={"name": "11"}' '12={"domain": "12"}' '13={"domain": null}' '14={"-domain": 0, "-pid": 0}'
ctl list
check_equal "list: a liar: exit code" 1 "$code"
check "list: a domain that is another's" warns '/7.sock: claims to serve domain 8, which contradicts'
check_equal "list: the other one is there, once" 1 "$(grep -c '^    8 ' "$tmp/said")"
check "list: the liar is not" sh -c "! grep -q guest7 '$tmp/said'"
check "list: a domain that is no number" warns '/12.sock: the domain in its answer is not a number'
check "list: a domain that is null" says '^   13  guest13 '
check "list: none" says '^   14  guest14 '
ctl status 7
check_equal "status: a liar is not believed" "1 0" "$code $(wc -l <"$tmp/said")"
ctl status 9
check "status: the pid is that of the socket, not the claimed one" says "^pid: $double$"
ctl status 14
check "status: no pid in the answer" says "^pid: $double$"
ctl status --json 9
check "status --json: the pid is not the claimed one" in_json "d['pid'] == $double"
ctl status guest8
check_equal "status: two guests of one name: exit code" 1 "$code"
check "status: two guests of one name" warns "'guest8' is the name of domains 8 and 9: give the id"
rm "$tmp/asked"
refuses "status: a guest named 11 is not domain 11" 1 "no pflashd serves '11'" "$ctl" status 11
refuses "mode: a guest named 11 is not domain 11" 1 "no pflashd serves '11'" "$ctl" mode 11 trap
refuses "upgrade: a guest named 11 is not domain 11" 1 "no pflashd serves '11'" "$ctl" upgrade 11
check_equal "no socket was queried" "" "$(asked)"
ctl status 10
check_equal "an id: only that socket was queried" 10 "$(asked)"
ctl status guest10
check_equal "a name: all sockets were queried" "7 8 9 10 12 13 14" "$(asked)"

# A socket of another user, and stray files.
clear_all
serve '7={}'
chmod 777 $run
serve --uid 65534 '8={}' '9={"domain": 7}'
ln -s 7.sock $run/10.sock
: >$run/11.sock
mkdir $run/12.sock $run/empty
mkfifo $run/13.sock
for stray in 07.sock 7x.sock x7.sock .sock 32752.sock 7.sock.sock 99999999999.sock -1.sock; do
	ln $run/7.sock "$run/$stray"
done
ctl list
check_equal "another user's socket: exit code" 1 "$code"
check "another user's socket is ignored" warns '/8.sock: belongs to user 65534'
check_equal "no stray file is listed" 7 "$(awk 'NR > 1 { print $1 }' "$tmp/said" | paste -s)"
check_equal "no warning about stray files" 2 "$(wc -l <"$tmp/err")"
refuses "status: another user's socket" 1 '/8.sock: belongs to user 65534' "$ctl" status 8
for i in 10 11 12 13; do
	refuses "status: no socket, $i" 1 "no pflashd serves '$i'" "$ctl" status $i
done

# --- timeouts ---

clear_all
serve '100-119=silent' '7={}' '20=drip' '21=close' '22=ten-mib' '23=cut' '24=never-ends' '25=full-backlog'
ctl list
within "list: 20 silent sockets and more" 5000
check_equal "list: some sockets did not answer: exit code" 1 "$code"
check_equal "list: the honest pflashd is listed" 7 "$(awk 'NR > 1 { print $1 }' "$tmp/said" | paste -s)"
check_equal "list: a warning about each of the others" 26 "$(wc -l <"$tmp/err")"
check "silent" warns '/100.sock: no answer within 5 seconds'
check "a byte a second" warns '/20.sock: no complete answer within 5 seconds'
check "closed" warns '/21.sock: closed the connection without an answer'
check "10 MiB" warns '/22.sock: its answer exceeds 16384 bytes'
check "cut off" warns '/23.sock: its answer is not a JSON object'
check "no end of the stream" warns '/24.sock: no complete answer'
check "a full backlog" warns '/25.sock: no answer within 5 seconds'
check_equal "all sockets were queried" 26 "$(asked | wc -w)"
rm "$tmp/asked"
ctl status 7
within "status: with silent sockets" 0
check "status: with silent sockets" says '^name: guest7$'
check_equal "no silent socket was queried" 7 "$(asked)"
ctl status 100
within "status: of a silent socket" 5000
check_equal "status: of a silent socket: exit code" 1 "$code"
check "status: of a silent socket" warns '/100.sock: no answer within 5 seconds'
ctl status guest7
within "status: by name, with silent sockets" 5000
check "status: by name, with silent sockets" says '^domain: 7$'
# There are fewer descriptors than sockets.
lib_began=$(date +%s%N)
# shellcheck disable=SC3045 # dash and bash have it
(ulimit -n 16 && exec "$ctl" list) >"$tmp/said" 2>"$tmp/err"
ms=$((($(date +%s%N) - lib_began) / 1000000))
within "list: few descriptors" 5000
check "list: few descriptors" says '^    7  guest7 '
check_equal "list: few descriptors: the others" 26 "$(wc -l <"$tmp/err")"

# --- contents of the answers ---

clear_all
printf 'no json' >"$tmp/text"
printf '[1]' >"$tmp/array"
printf '{"name": "guest24"} {}' >"$tmp/two"
printf '{"name": "a\200\377b\303", "version": "\33[2J", "writes": 7}' >"$tmp/bytes"
python3 -c 'print("{\"x\":" * 2000 + "1" + "}" * 2000)' >"$tmp/deep"
python3 -c 'print("{\"name\": \"guest27\", \"x\":" + "[" * 7000 + "]" * 7000 + "}")' >"$tmp/deeper"
python3 -c 'print("{" + "\"writes\": 1, \"state\": \"running\", \"name\": 5, " * 200 + "\"name\": \"last\"}")' >"$tmp/many"
head -c 4096 /dev/urandom >"$tmp/random"
printf '\0\0{}' >"$tmp/nul"
python3 -c 'import json; print(json.dumps({"name": "A" * (16384 - 12)}), end="")' >"$tmp/full"
serve '7={"name": null}' '8={"name": "a\u001b]0;x\u0007\u001b[2J\nb\u009b\u007f\u0000\u202ec\u200bd"}' \
	'9={"name": 5, "version": [], "vars": {}, "writes": "7", "since": true, "mode": null, "state": 1}' \
	'10={"writes": 1e400, "reads": 99999999999999999999999, "bursts": -1, "errors": 18446744073709551614, "since": 18446744073709551614}' \
	'11={"state": "\u001b[2J", "mode": "a b", "surprise": "\u001b[2J", "worker": {"a": [1, {"b": null}]}}' \
	'12={"name": "say \"x\\y\"\nend", "vars": "/a b"}' '13={"name": "guest1 running trap"}' \
	"20=@$tmp/text" "21=@$tmp/array" "22=@$tmp/random" "23=@$tmp/nul" "24=@$tmp/two" \
	"25=@$tmp/bytes" "26=@$tmp/deep" "27=@$tmp/deeper" "28=@$tmp/many" "29=@$tmp/full"
ctl list
check_equal "list: exit code" 1 "$code"
check "list: no control character passes" is_plain
check "list: a name that is null" says '^    7  ?  *running '
check "list: escapes" says '^    8  a\\x1b\]0;x\\x07\\x1b\[2J\\x0ab\\xc2\\x9b\\x7f\\x00\\xe2\\x80\\xaec\\xe2\\x80\\x8bd '
check "list: wrong types" says '^    9  ?  *?  *?  *?  *3  *0  *2  *?  *?$'
check "list: numbers too large" says '^   10  guest10  *running  *trap  *?  *? 18446744073709551614  *2  *?  */var'
check "list: states and modes that are not words" says '^   11  guest11  *?  *?  '
check "list: a name with spaces is one column" says '^   13  guest1\\x20running\\x20trap '
check "list: a name that is not UTF-8" says '^   25  a\\x80\\xffb\\xc3 '
check "list: duplicated members" says '^   28  last  *running '
check "list: the longest answer" says '^   29  AAAAA'
for i in 20 21 22 23 24 26 27; do
	check "list: not a JSON object, $i" warns "/$i.sock: its answer is not a JSON object"
done
check_equal "list: no other warning" 7 "$(wc -l <"$tmp/err")"
for i in 7 8 9 10 11 12 25 28; do
	ctl status $i
	check_equal "status $i: exit code" 0 "$code"
	check "status $i: no control character passes" is_plain
	ctl status --json $i
	check "status --json $i" is_json
	check "status --json $i: no control character passes" is_plain
done
ctl status 9
check "status: wrong types are left out" silent_about '^\(name\|version\|vars\|writes\|since\|mode\|state\):'
ctl status 11
check "status: an unknown member is left out" silent_about surprise
ctl status 12
check "status: spaces are not escaped" says '^vars: /a b$'
ctl list --json
check "list --json" in_json "[x['domain'] for x in d] == [7, 8, 9, 10, 11, 12, 13, 25, 28, 29]"
check "list --json: a name unchanged" in_json "d[1]['name'] == 'a\x1b]0;x\x07\x1b[2J\nb\x9b\x7f\0\u202ec\u200bd'"
check "list --json: a name that is not UTF-8" in_json "d[7]['name'] == 'a\ufffd\ufffdb\ufffd'"
check "list --json: no control character passes" is_plain
check "list --json: the output is ASCII" sh -c "! LC_ALL=C grep -q '[^ -~]' '$tmp/said'"
check "list --json: wrong types are left out" in_json \
	"set(d[2]) & {'name', 'version', 'vars', 'writes', 'since', 'mode', 'state'} == set()"
ctl list --metrics
check "list --metrics: a label" says '^pflash_writes_total{domain="12",name="say \\"x\\\\y\\"\\nend"} 7$'
check "list --metrics: a name that is not UTF-8" says '^pflash_writes_total{domain="25",name="a\\\\x80\\\\xffb\\\\xc3"} 7$'
check "list --metrics: no name" says '^pflash_writes_total{domain="7",name=""} 7$'
check "list --metrics: no sample for a value that is not a number" silent_about '^pflash_writes_total{domain="\(9\|10\)"'
check "list --metrics: running" says '^pflash_running{domain="7",name=""} 1$'
check "list --metrics: no sample for an unknown state" silent_about '^pflash_running{domain="\(9\|11\)"'
check "list --metrics: no control character passes" is_plain
check_equal "list --metrics: the format of each line" "" \
	"$(grep -v -e '^# \(TYPE\|HELP\) pflash_[a-z_]* ' -e '^# EOF$' -e '^pflash_[a-z_]*{domain="[0-9]*",name=".*"} [0-9]*$' "$tmp/said")"

# --- the variables of a running guest ---

clear_all
zcat "$data/debian12-OVMF_VARS.ms.fd.gz" >"$tmp/web.fd"
serve 21="{\"name\": \"web\", \"vars\": \"$tmp/web.fd\"}"
for guest in web 21; do
	ctl vars get --format text $guest Lang
	check_equal "vars get $guest" '0 "eng"' "$code $(cat "$tmp/said")"
	ctl vars list $guest
	check_equal "vars list $guest" '0 32' "$code $(wc -l <"$tmp/said")"
	ctl vars dump $guest
	check_equal "vars dump $guest" '0 31' "$code $(grep -c '"name":' "$tmp/said")"
done
ctl vars list nobody
check_equal "vars list of no guest" 1 "$code"

# --- states ---

clear_all
serve '7={"state": "failed", "worker": 0, "restarts": 5}' '8={"state": "waiting", "error": "no worker \u001b[2J"}' '9=old-one'
ctl list
check_equal "list: a failed flash: exit code" 0 "$code"
check "list: failed" says '^    7  guest7  *failed '
check "list: failed: what to do" warns "domain 7 has failed: .* 'pflashctl upgrade 7'"
check "list: waiting" says '^    8  guest8  *waiting '
check "list: version 0.1 has no state" says '^    9  guest9  *?  *trap '
ctl status 7
check_equal "status: failed: exit code" 0 "$code"
check "status: failed" says '^state: failed$'
check "status: failed: what to do" warns "'pflashctl upgrade 7'"
ctl status 8
check "status: an error" says '^error: no worker \\x1b\[2J$'
check_equal "status: waiting is not a warning" "" "$(cat "$tmp/err")"
ctl list --metrics
check "list --metrics: failed" says '^pflash_running{domain="7",name="guest7"} 0$'
check "list --metrics: restarts" says '^pflash_restarts_total{domain="7",name="guest7"} 5$'

# --- mode and upgrade ---

clear_all
sleep 600 &
victim=$!
echo "$victim" >"$tmp/victim"
serve 7=mode 8=mode-refused 9=no-mode '10={}' 11=mode-silent 20=upgrade 21=upgrade-at-once 22=upgrade-version \
	23=upgrade-refused 24=upgrade-claimed 25=upgrade-failed 26=upgrade-fails 27=upgrade-silent
serve 30=old-liar
liar=$double
serve 31=old-everybody 32=old-without-record
everybody=$double
# in_background NAME ARGUMENT...: runs ctl in the background, for slow commands;
# wait_for NAME: waits for its end
in_background() {
	mkdir "$tmp/$1"
	(
		to=$tmp/$1
		shift
		ctl "$@"
		echo "$code $ms" >"$to/end"
	) &
}
wait_for() {
	while [ ! -s "$tmp/$1/end" ]; do sleep 0.2; done
	read -r code ms <"$tmp/$1/end"
	cp "$tmp/$1/said" "$tmp/$1/err" "$tmp"
}
in_background mode mode 11 direct
in_background claimed upgrade 24
in_background silent upgrade 27

refuses "mode: neither" 2 "'fast' is not direct or trap" "$ctl" mode 7 fast
ctl mode 7 direct
check_equal "mode: done" "0 " "$code $(cat "$tmp/said" "$tmp/err")"
ctl mode guest7 trap
check_equal "mode: by name" "0 " "$code $(cat "$tmp/said" "$tmp/err")"
refuses "mode: refused, on one line" 1 '^pflashctl: 8: the guest is suspended\\x1b\[2J\\x0aok$' "$ctl" mode 8 direct
refuses "mode: not told" 1 '9: the answer does not name the mode' "$ctl" mode 9 direct
refuses "mode: not done" 1 '10: this pflashd cannot change its mode' "$ctl" mode 10 direct
check_equal "mode: the line" "7 mode direct" "$(grep -m 1 '^7 mode' "$tmp/asked")"

ctl upgrade 20
check_equal "upgrade: another worker" "0 guest20: pflashd 0.2.0" "$code $(cat "$tmp/said" "$tmp/err")"
ctl upgrade guest21
check_equal "upgrade: it closes the connection" "0 guest21: pflashd 0.2.0" "$code $(cat "$tmp/said" "$tmp/err")"
ctl upgrade 22
check_equal "upgrade: another version" "0 guest22: pflashd 0.3.0" "$code $(cat "$tmp/said" "$tmp/err")"
ctl upgrade 23
within "upgrade: refused" 0
check_equal "upgrade: refused: exit code" 1 "$code"
check "upgrade: refused: the sentence" warns '^pflashctl: 23: the new program cannot go on from here: state 3\\x1b\]0;x\\x07$'
ctl upgrade 25
check_equal "upgrade: a failed one runs again" "0 guest25: pflashd 0.2.0" "$code $(cat "$tmp/said" "$tmp/err")"
refuses "upgrade: it fails" 1 '26: the flash failed after the upgrade' "$ctl" upgrade 26

ctl upgrade 30
check_equal "upgrade: 0.1" "0 guest30: pflashd 0.1.0" "$code $(cat "$tmp/said" "$tmp/err")"
check "upgrade: the process named by the answer gets no signal" kill -0 "$victim"
check "upgrade: 0.1 still runs" kill -0 "$liar"
ctl upgrade 31
check_equal "upgrade: 0.1 with -1 for a pid" "0 guest31: pflashd 0.1.0" "$code $(cat "$tmp/said" "$tmp/err")"
check "upgrade: not everybody gets a signal" kill -0 "$victim"
check "upgrade: 0.1 is still there" kill -0 "$everybody"
refuses "upgrade: 0.1 without a record" 1 'writes no handover record for another one' "$ctl" upgrade 32

wait_for mode
within "mode: no answer" 15000
check_equal "mode: no answer: exit code" 1 "$code"
check "mode: no answer" warns '/11.sock: no answer within 15 seconds'
wait_for silent
within "upgrade: no answer" 30000
check_equal "upgrade: no answer: exit code" 1 "$code"
check "upgrade: no answer" warns '/27.sock: no answer within 30 seconds'
wait_for claimed
within "upgrade: only the worker claims it" 30000
check_equal "upgrade: only the worker claims it: exit code" 1 "$code"
check "upgrade: only the worker claims it" warns '24: not upgraded within 30 seconds'
kill -9 "$victim" 2>/dev/null
clear_all
finish
