#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Tests pflashctl selftest with doubles of xl, the guest and pflashd
# (selftest_host.py), in which each step fails in turn. Runs in separate mount and
# process name spaces, because the control sockets are in /run/pflashd.
. tests/lib/cli.sh

if [ "${1:-}" != inside ]; then
	if ! unshare -mpf --mount-proc mount -t tmpfs tmpfs /run 2>"$tmp/err"; then
		skip "a host of doubles: $(head -n 1 "$tmp/err")"
		finish
	fi
	rm -rf "$tmp"
	# The shell is process 1 of the name space: its end kills the doubles.
	exec unshare -mpf --mount-proc --kill-child sh "$0" inside
fi

ctl=${PFLASHCTL:-$(realpath "$build")/pflashctl}
mount -t tmpfs tmpfs /run || exit 2
mkdir -m 700 /run/pflashd || exit 2
bin=$tmp/bin files=$tmp/files
export STATE="$tmp/state" PFLASHCTL="$ctl" TMPDIR="$files" PATH="$bin:$PATH"
mkdir "$bin" "$files"
for name in xl xenstore-read xenstore-rm pflashd; do
	cp tests/cli/selftest_host.py "$bin/$name"
done
printf 'guest' >"$tmp/guest.elf"

# begin [FAULT]: a host in which this step fails
begin() {
	rm -rf "$STATE"
	mkdir "$STATE"
	echo "${1:-}" >"$STATE/fault"
}

# selftest [OPTION...]: sets $code; its output is in $tmp/said and $tmp/err
selftest() {
	timeout 40 "$ctl" selftest --guest "$tmp/guest.elf" \
		--pflashd "$bin/pflashd" "$@" >"$tmp/said" 2>"$tmp/err" </dev/null
	code=$?
}

# The guest's double is no child of xl any more: process 1, this shell, reaps it.
left() {
	[ ! -e "$STATE/domain" ] || echo domain
	find "$files" /run/pflashd -mindepth 1
	ps -eo stat=,args= | awk '$1 !~ /^Z/ && /\/[b]in\/(xl|xenstore-r.*|pflashd)( |$)/'
}

nothing_left() {
	for lib_try in 1 2 3 4 5 6 7 8 9 10; do
		[ -n "$(left)" ] || break
		sleep 0.1
	done
	check_equal "$1: nothing is left" "" "$(left)"
}

says() {
	grep -q -e "$1" "$tmp/said" && return
	sed 's/^/# /' "$tmp/said" "$tmp/err"
	return 1
}

# --- it works ---

begin
selftest
check_equal "works: exit code" 0 $code
check "works: the verdict" says '^verdict: works$'
check_equal "works: every check is ok" 12 "$(grep -c '^ok  ' "$tmp/said")"
check "works: Xen's version" says '^Xen  *4\.99\.1$'
check "works: HAP" says '^HAP  *yes$'
check "works: pflashd's version" says '^pflashd  *9\.9$'
check "works: a time of 3000 cycles at 2 GHz" says '^erase of a block  *1\.5 us'
check "works: no name of the host" sh -c "! grep -q secret-name '$tmp/said' '$tmp/err'"
check "xl is called for this domain only" sh -c \
	"! grep -v -e '^info\$' -e '^create -p -e $files/' -e ' pflash-selftest-[0-9]*\$' '$STATE/calls'"
check_equal "one domain is created, one destroyed" "1 1" \
	"$(grep -c '^create' "$STATE/calls") $(grep -c '^destroy' "$STATE/calls")"
nothing_left works

begin trap
selftest
check_equal "trap mode only: exit code" 0 $code
check "trap mode only: the verdict" says '^verdict: works in trap mode only$'
check "trap mode only: HAP" says '^HAP  *no$'
check_equal "trap mode only: checks of direct mode" 3 \
	"$(grep -c '^no direct mode' "$tmp/said")"
nothing_left "trap mode only"

begin
selftest --json
check_equal "JSON: exit code" 0 $code
check "JSON: the document" python3 -c "import json, sys
d = json.load(open(sys.argv[1]))
assert d['verdict'] == 'works' and d['hap'] is True and d['mhz'] == 2000
assert len(d['checks']) == 12 and set(d['checks'].values()) == {'ok'}
assert d['trap']['erase'] == {'cycles': 3000, 'us': 1.5}, d['trap']['erase']
assert d['trap']['write'] == {'cycles': 3000, 'us': 1.5, 'us-90': 1.5}
assert len(d['direct']) == 9 and d['attach-ms'] >= 0" "$tmp/said"
nothing_left JSON

# --- each step fails ---

# fails FAULT PATTERN [OPTION...]
fails() {
	fault=$1 pattern=$2
	shift 2
	begin "$fault"
	selftest "$@"
	check_equal "$fault: exit code" 1 $code
	check "$fault: the verdict" says "^verdict: does not work: $pattern"
	nothing_left "$fault"
}

fails create 'a guest: xl create: xl: error: not enough memory$'
fails create-hangs 'a guest: the time limit .* was reached during: xl create$' --timeout 8
fails console "a guest: .* during: the guest's console" --timeout 10
fails attach "pflashd attaches a flash: pflashd has ended: pflashd: the domain's memory"
fails attach-hangs 'pflashd attaches a flash: the time limit' --timeout 10
fails unpause 'the guest runs: xl unpause: '
fails silent 'the guest runs: the time limit' --timeout 12
fails sizes 'accesses of every size, direct mode: the guest reports: a read at 10010 wanted 11 got ff.x1b'
fails mode 'accesses of every size, trap mode: pflashd refuses: the mode stays$'
fails worker 'the worker is killed, another takes over: the time limit' --timeout 20
fails stops '.*: the time limit .* during: the guest' --timeout 20
fails lost 'pflashd is killed: no write is lost, takeover: round [0-9]* was reported by'
fails upgrade 'upgrade of pflashd while the guest writes: pflashd refuses: the new program'
fails end 'the end of the guest: pflashd has ended with an error'

begin attach
selftest --json
check "JSON of a failure: exit code" test $code -eq 1
check "JSON of a failure: the reason and the log" python3 -c "import json, sys
d = json.load(open(sys.argv[1]))
assert d['verdict'] == 'does not work' and d['failed'] == 'attach'
assert 'memory is full' in d['reason'] and 'memory is full' in d['log'][-1]
assert d['checks']['create'] == 'ok' and d['checks']['end'] == 'not run'" "$tmp/said"
nothing_left "JSON of a failure"

begin attach
selftest --keep
kept=$(sed -n 's/^.*kept: //p' "$tmp/err")
check "--keep: the log is kept" grep -q 'memory is full' "$kept/pflashd.log"
check "--keep: the domain is not" test ! -e "$STATE/domain"
rm -rf "${kept:?}"
nothing_left --keep

begin
: >"$STATE/domain"
selftest
check_equal "a domain of this name: exit code" 1 $code
check "a domain of this name: the verdict" says 'there is a domain pflash-selftest-'
check "a domain of this name is not destroyed" test -e "$STATE/domain"
rm "$STATE/domain"
nothing_left "a domain of this name"

# --- signals ---

# interrupted SIGNAL CODE PATTERN: the signal comes after this line of progress
interrupted() {
	begin
	"$ctl" selftest --guest "$tmp/guest.elf" --pflashd "$bin/pflashd" \
		>"$tmp/said" 2>"$tmp/err" </dev/null &
	pid=$!
	for lib_try in $(seq 300); do
		grep -q -e "$3" "$tmp/err" && break
		sleep 0.1
	done
	kill -s "$1" $pid
	wait $pid
	check_equal "SIG$1 after $3: exit code" "$2" $?
	check "SIG$1 after $3: the verdict" says '^verdict: .* interrupted'
	nothing_left "SIG$1 after $3"
}

interrupted INT 130 'ok: a guest'
interrupted TERM 143 'ok: the guest runs'
interrupted HUP 129 'ok: the worker is killed'

# --- other hosts ---

begin info
refuses "no Xen" 77 'no Xen host.*xl info: xl: no Xen' "$ctl" selftest
refuses "no xl" 77 'there is no program xl' env PATH=/nowhere "$ctl" selftest
begin
refuses "no guest" 2 'none.elf: no such file' "$ctl" selftest --guest none.elf
refuses "no pflashd" 2 'no such file' "$ctl" selftest --pflashd none
refuses "no time" 2 "'0' is not" "$ctl" selftest --timeout 0
refuses "an argument" 2 'usage' "$ctl" selftest now
if command -v setpriv >/dev/null && [ -r "$ctl" ]; then
	chmod 755 "$tmp" "$bin"
	refuses "not root" 77 'only root' setpriv --reuid=65534 --clear-groups "$ctl" selftest
else
	skip "not root: no setpriv"
fi
nothing_left "refusals"
finish
