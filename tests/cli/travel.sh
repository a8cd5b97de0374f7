#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Tests a flash that migrates with its guest: pflashctl send GUEST, against
# replaced pflashds (hostile_daemon.py), and receive --incoming. Runs in separate
# mount and process name spaces, because the sockets are in /run/pflashd.
. tests/lib/cli.sh

if [ "${1:-}" != inside ]; then
	if ! unshare -mpf --mount-proc mount -t tmpfs tmpfs /run 2>"$tmp/err"; then
		skip "send GUEST: $(head -n 1 "$tmp/err")"
		finish
	fi
	rm -rf "$tmp"
	# The shell is process 1 of the name space: its end kills the doubles.
	exec unshare -mpf --mount-proc --kill-child sh "$0" inside
fi

build=$(realpath "$build")
ctl=$build/pflashctl
d=$build/pflashd
mount -t tmpfs tmpfs /run || exit 2
mkdir -m 700 /run/pflashd || exit 2
cd "$tmp" || exit 2
work=$OLDPWD

# serve MEMBERS: a pflashd for guest 5 answers with these members
serve() {
	[ -z "${double:-}" ] || kill -9 "$double"
	rm -f /run/pflashd/5.sock
	double=$(python3 "$work/tests/cli/hostile_daemon.py" "$tmp" "5={\"name\": \"web\", $1}") || exit 2
}

flash() {
	"$ctl" create --layout 2m "$1"
	printf 'w 1f000 1 10\nw 1f000 1 0\nw 0 1 ff\n' | "$build/pflash-replay" --vars "$1"
}

# --- lent ---

mkdir "$tmp/host2"
flash "$tmp/web.fd"
"$ctl" log "$tmp/web.fd" >"$tmp/log"
serve "\"vars\": \"$tmp/web.fd\""
check "send NAME" sh -c "'$ctl' send web >'$tmp/stream' 2>'$tmp/said'"
check "it prints the number of the transfer" grep -q 'transfer [0-9a-f]\{32\}$' "$tmp/said"
for command in check log 'export --at 1'; do
	# shellcheck disable=SC2046,SC2086 # options
	refuses "$command of what was lent" 3 'gone to another host with its guest .*pflashctl forget' \
		"$ctl" $command "$tmp/web.fd" $([ "${command#export}" = "$command" ] || echo "$tmp/x")
done
refuses "pflashd with what was lent" 3 'gone to another host' "$d" --domain 1 --vars "$tmp/web.fd" --layout 2m --foreground
refuses "a flash is lent once" 3 'gone to another host' sh -c "'$ctl' send 5 >'$tmp/x'"
refuses "a number is a guest, not a file" 3 'gone to another host' \
	sh -c "cd '$tmp' && : >5 && '$ctl' send 5 >'$tmp/x'"
rm "$tmp/5"
refuses "nor is it sent" 3 'gone to another host' sh -c "'$ctl' send '$tmp/web.fd' >'$tmp/x'"

# --- arrived ---

new=$tmp/host2/web.fd
check "receive --incoming" sh -c "'$ctl' receive --incoming '$new' <'$tmp/stream' >'$tmp/out'"
check_equal "both print the same number" "$(sed -n 's/.*transfer //p' "$tmp/said")" \
	"$(sed -n 's/.*transfer //p' "$tmp/out")"
for command in check log send; do
	refuses "$command of what has arrived" 3 'has come with a guest that has not run here .*pflashctl forget' \
		sh -c "'$ctl' $command '$new' >'$tmp/x'"
done
refuses "pflashd with what has arrived" 3 'has not run here' "$d" --domain 1 --vars "$new" --layout 2m --foreground
rm "$new"
refuses "pflashd without its VARS file" 3 'journal' "$d" --domain 1 --vars "$new" --layout 2m --foreground
refuses "create without its VARS file" 3 'web.fd' "$ctl" create --layout 2m "$new"
check "it arrives again" sh -c "'$ctl' receive --incoming '$new' <'$tmp/stream' >/dev/null"
check "and may be replaced by a flash" sh -c "'$ctl' receive '$new' <'$tmp/stream' >/dev/null"
"$ctl" log "$new" >"$tmp/log2"
check "which has the history" cmp "$tmp/log" "$tmp/log2"
refuses "a flash is not replaced" 3 'File exists: .*pflashctl remove' sh -c "'$ctl' receive --incoming '$new' <'$tmp/stream'"
check "forget takes back what was lent" sh -c "'$ctl' forget '$tmp/web.fd' && '$ctl' check '$tmp/web.fd'" >"$tmp/out"
"$ctl" log "$tmp/web.fd" >"$tmp/log2"
check "with its history" cmp "$tmp/log" "$tmp/log2"
"$ctl" remove "$new"
"$ctl" receive --incoming "$new" <"$tmp/stream" >/dev/null
check "forget makes a flash of what has arrived" sh -c "'$ctl' forget '$new' && '$ctl' check '$new'" >"$tmp/out"
"$ctl" remove "$new"
"$ctl" receive --incoming "$new" <"$tmp/stream" >/dev/null
check "remove removes what has arrived" "$ctl" remove "$new"
check_equal "nothing is left of it" "" "$(ls "$tmp/host2")"

# --- the files of a guest ---

flash "$tmp/apart.fd"
"$ctl" log "$tmp/apart.fd" >"$tmp/log"
mv "$tmp/apart.fd.journal" "$tmp/elsewhere"
serve "\"vars\": \"$tmp/apart.fd\", \"journal\": \"$tmp/elsewhere\""
check "a journal that is apart" sh -c "'$ctl' send web >'$tmp/stream' 2>/dev/null"
refuses "it has the note" 3 "elsewhere: this flash has gone" "$ctl" check --journal "$tmp/elsewhere" "$tmp/apart.fd"
check "none is beside VARS" test ! -e "$tmp/apart.fd.journal"
check "it arrives" sh -c "'$ctl' receive --incoming '$new' <'$tmp/stream' && '$ctl' forget '$new'" >"$tmp/out"
"$ctl" log "$new" >"$tmp/log2"
check "with its history" cmp "$tmp/log" "$tmp/log2"

flash "$tmp/old.fd"
serve "\"vars\": \"$tmp/old.fd\", \"-journal\": 0"
refuses "an old pflashd, which takes nothing back" 1 'too old to lend its flash' sh -c "'$ctl' send web >'$tmp/x'"
serve '"vars": "old.fd"'
refuses "a path that is not absolute" 1 'not absolute' sh -c "'$ctl' send 5 >'$tmp/x'"
refuses "no such guest" 1 "no pflashd serves 'other'" sh -c "'$ctl' send other >'$tmp/x'"
check "the flash is as it was" sh -c "'$ctl' check '$tmp/old.fd' >'$tmp/out'"

# A guest that runs has its file locked.
serve "\"vars\": \"$tmp/old.fd\""
mkfifo "$tmp/trace"
"$build/pflash-replay" --vars "$tmp/old.fd" <"$tmp/trace" >/dev/null 2>&1 &
exec 3>"$tmp/trace"
until fuser "$tmp/old.fd" >/dev/null 2>&1; do sleep 0.1; done
refuses "a guest that runs" 4 'in use by pid' sh -c "'$ctl' send web >'$tmp/x'"
(sleep 1; exec 3>&-; kill %1 2>/dev/null) &
exec 3>&-
check "a guest whose file is unlocked a little later" sh -c "'$ctl' send web >'$tmp/stream' 2>/dev/null"
cd "$work" || exit 2
finish
