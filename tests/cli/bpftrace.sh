#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs bpftrace on pflash-replay, which has pflashd's probes: each example of
# docs/observability.md, and a program that prints the arguments of all probes.
# Runs in a mount name space of its own, for a full disk.
. tests/lib/cli.sh

# bpftrace wants an absolute path.
replay=$(cd "$build" && pwd)/pflash-replay
ctl=$build/pflashctl
guide=docs/observability.md

if [ "$(cat "$build/probes" 2>/dev/null)" != yes ]; then
	skip "bpftrace: built without sys/sdt.h (package systemtap-sdt-dev)"
	finish
fi
if ! command -v bpftrace >/dev/null; then
	skip "bpftrace is not installed (package bpftrace)"
	finish
fi
if [ "${1:-}" != inside ]; then
	if ! unshare -m timeout 60 bpftrace -c "$replay --version" \
		-e "BEGIN { printf(\"works\"); } usdt:$replay:pflashd:sync { }" >"$tmp/out" 2>&1; then
		skip "bpftrace: $(grep -v MEMLOCK "$tmp/out" | tail -n 1)"
		finish
	fi
	rm -rf "$tmp"
	exec unshare -m sh "$0" inside
fi

# new: a VARS file without variables
new() {
	rm -f "$tmp/v.fd" "$tmp/v.fd.journal"
	"$ctl" create --layout 2m "$tmp/v.fd" >/dev/null || exit 2
}

# traced FILE [OPTION...]: pflash-replay makes the accesses on $tmp/v.fd under this
# program of bpftrace, whose output is in $tmp/out
traced() {
	traced_program=$1
	shift
	timeout 120 bpftrace -c "$replay --vars $tmp/v.fd $*" "$traced_program" \
		<"$tmp/accesses" >"$tmp/out" 2>"$tmp/err"
	if grep -q '^Lost' "$tmp/out" "$tmp/err" || ! grep -q '^Attaching' "$tmp/out"; then
		not_ok "bpftrace runs: $(cat "$tmp/err")"
	fi
}

# example WORD [FROM TO]: makes a file of the example with this word, which probes
# pflash-replay instead of pflashd; TO replaces FROM, which must be there
example() {
	awk -v word="$1" '
		function end() { if (text != "" && index(text, word)) printf "%s", text; text = "" }
		/^    bpftrace -e / { end(); text = $0 "\n"; next }
		!/^    / { end() }
		text != "" { text = text $0 "\n" }
		END { end() }' "$guide" |
		sed -e "s/^    bpftrace -e '//" -e "s/'\$//" \
			-e "s,/usr/local/sbin/pflashd,$replay," >"$tmp/example.bt"
	check "$1: there is an example" test -s "$tmp/example.bt"
	[ -n "${2:-}" ] || return 0
	check "$1: it has $2" grep -qF "$2" "$tmp/example.bt"
	sed -i "s/$2/$3/" "$tmp/example.bt"
}

# records: the numbers of the bursts in the history
records() {
	"$ctl" log --bursts "$tmp/v.fd" | sed -n 's/^\([0-9]*\)  .* programmed.*/\1/p'
}

# sum PATTERN: of the last fields of the lines with this beginning
sum_of() {
	awk -v pattern="^$1" '$0 ~ pattern { n += $NF } END { print n + 0 }' "$tmp/out"
}

{
	fill 0 20
	printf 'w 10000 1 20\nw 10000 1 d0\nw 10000 1 10\nw 10000 1 aa\nw 10000 1 ff\n'
	echo r 10064 4
	echo r 80 1
} >"$tmp/accesses"

# numbers: the accesses as the probe has them
while read -r kind off size _; do
	echo "$((0x$off)) $size $([ "$kind" = w ] && echo 1 || echo 0)"
done <"$tmp/accesses" >"$tmp/numbers"

# --- the examples ------------------------------------------------------------

check_equal "examples" 5 "$(grep -c '^    bpftrace -e' "$guide")"

# The worker is bpftrace's child here.
example '@write' WORKER cpid
new
traced "$tmp/example.bt" --mode trap
awk '{ n[($3 ? "@write" : "@read") "[" int($1 / 4096) "]"]++ }
	END { for (i in n) print i ": " n[i] }' "$tmp/numbers" | sort >"$tmp/wanted"
check_equal "accesses: kinds and blocks that are expected" 4 "$(wc -l <"$tmp/wanted")"
check_equal "accesses of each block" "$(cat "$tmp/wanted")" "$(grep '^@' "$tmp/out" | sort)"

example '@write' WORKER 1
new
traced "$tmp/example.bt" --mode trap
check_equal "accesses: none of another process" "" "$(grep '^@' "$tmp/out")"

example :view
new
traced "$tmp/example.bt" --mode direct
check "views: direct mode has some" test "$(sum_of '@: ')" -gt 0
new
traced "$tmp/example.bt" --mode trap
check_equal "views: trap mode has none" 0 "$(sum_of '@: ')"

# histogram NAME: the sum of its counts
histogram() {
	awk -v name="@$1:" '/^@/ { on = $1 == name }
		on && /\|/ { sub(/^.*[])] */, ""); n += $1 } END { print n + 0 }' "$tmp/out"
}
example commit_begin
new
traced "$tmp/example.bt" --sync burst
bursts=$(records | wc -l)
check "commits: there are bursts" test "$bursts" -gt 20
check_equal "commits: in the histogram of times" "$bursts" "$(histogram us)"
check_equal "commits: in the histogram of bytes" "$bursts" "$(histogram bytes)"

# Each sync takes more than 0 ns.
example sync_begin '> 20000000' '> 0'
new
traced "$tmp/example.bt" --sync burst
records >"$tmp/records"
sed -n 's/^[0-9]*: record \([0-9]*\) took [0-9]* ms$/\1/p' "$tmp/out" >"$tmp/synced"
check "syncs: some" test -s "$tmp/synced"
check_equal "syncs: one for each burst" "" "$(grep -vxFf "$tmp/synced" "$tmp/records")"

example checkpoint_begin
new
traced "$tmp/example.bt"
check_equal "checkpoints: their results" "result 0" \
	"$(sed -n 's/^[0-9]*: checkpoint at [0-9]*: [0-9]* us, //p' "$tmp/out" | sort -u)"

# --- the arguments of all probes ---------------------------------------------

cat >"$tmp/all.bt" <<END
usdt:$replay:pflashd:request { printf("request %d %d %d\n", arg0, arg1, arg2); }
usdt:$replay:pflashd:view { printf("view %d %d\n", arg0, arg1); }
usdt:$replay:pflashd:commit_begin { printf("commit_begin %d\n", arg0); }
usdt:$replay:pflashd:commit { printf("commit %d %d %d\n", arg0, arg1, arg2); }
usdt:$replay:pflashd:sync_begin { printf("sync_begin\n"); }
usdt:$replay:pflashd:sync { printf("sync %d %d\n", arg0, arg1); }
usdt:$replay:pflashd:checkpoint_begin { printf("checkpoint_begin\n"); }
usdt:$replay:pflashd:checkpoint { printf("checkpoint %d %d\n", arg0, arg1); }
END

# of NAME: the arguments of this probe
of() {
	sed -n "s/^$1 \\(.*\\)/\\1/p" "$tmp/out"
}

new
traced "$tmp/all.bt" --mode trap --sync burst
of request >"$tmp/requests"
check "request: offset, size, direction" cmp "$tmp/numbers" "$tmp/requests"
check_equal "commit: sequence and result" "$(records | sed 's/$/ 0/')" \
	"$(of commit | awk '{ print $1, $3 }')"
check "commit: there are some" test "$(of commit | wc -l)" -gt 20
check_equal "commit_begin: the bytes of the commit" "$(of commit | cut -d ' ' -f 2)" \
	"$(of commit_begin)"
check_equal "sync: each has a beginning" "$(grep -c '^sync_begin' "$tmp/out")" "$(of sync | wc -l)"
check_equal "sync: result" 0 "$(of sync | cut -d ' ' -f 2 | sort -u)"
check_equal "checkpoint: each has a beginning" "$(grep -c '^checkpoint_begin' "$tmp/out")" \
	"$(of checkpoint | wc -l)"

new
traced "$tmp/all.bt" --mode direct
check "view: there are some" test "$(of view | wc -l)" -gt 20
check_equal "view: within the flash" "" "$(of view | awk '$2 <= 0 || $1 + $2 > 131072')"
check "view: more than one offset" test "$(of view | cut -d ' ' -f 1 | sort -u | wc -l)" -gt 1

# A full disk: bpftrace shows the negative result.
mkdir "$tmp/full"
mount -t tmpfs -o size=512k tmpfs "$tmp/full" || exit 2
"$ctl" create --layout 2m "$tmp/full/v.fd" >/dev/null || exit 2
"$replay" --vars "$tmp/full/v.fd" </dev/null || exit 2
head -c 1M /dev/zero >"$tmp/full/rest" 2>/dev/null
fill 0 100 >"$tmp/accesses"
rm -f "$tmp/v.fd" "$tmp/v.fd.journal"
timeout 120 bpftrace -c "$replay --vars $tmp/full/v.fd" "$tmp/all.bt" \
	<"$tmp/accesses" >"$tmp/out" 2>"$tmp/err"
check_equal "commit: the result of a full disk" -28 "$(of commit | awk 'END { print $3 }')"
umount "$tmp/full"

finish
