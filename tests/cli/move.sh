# SPDX-License-Identifier: BSD-2-Clause
# Tests pflashctl move, clone and forget, and that pflashd makes no new VARS file
# where a guest had one, with the real programs.
. tests/lib/cli.sh

ctl=$build/pflashctl
d=$build/pflashd
PFLASH_KNOWN_DIR=$tmp/state/known
export PFLASH_KNOWN_DIR

# flash FILE [OPTION...]: a VARS file with a history of two points, mode 640
flash() {
	"$ctl" create --layout 2m "$1" && chmod 640 "$1" &&
		printf 'w 1ffff 1 10\nw 1ffff 1 5a\nw 0 1 ff\n' |
		"$build/pflash-replay" --vars "$1" >"$tmp/replay"
}

# mode FILE: owner, group and permissions
mode() {
	stat -c '%u %g %a' "$1"
}

old=$tmp/old.fd new=$tmp/there/new.fd
mkdir "$tmp/there"
flash "$old"
[ "$(id -u)" -ne 0 ] || chown 4711:4712 "$old"
owner=$(mode "$old") vars=$(sum "$old") journal=$(sum "$old.journal")
"$ctl" log "$old" >"$tmp/log"
check "moves" "$ctl" move "$old" "$new"
check_equal "VARS is the same" "$vars" "$(sum "$new")"
check_equal "so is the journal" "$journal" "$(sum "$new.journal")"
check_equal "owner and mode of VARS are kept" "$owner" "$(mode "$new")"
check_equal "and of the journal" "$owner" "$(mode "$new.journal")"
"$ctl" log "$new" >"$tmp/log2"
check "the history is kept" cmp "$tmp/log" "$tmp/log2"
check_equal "nothing is left at the old place" "" "$(ls "$old"* 2>/dev/null)"
check_equal "nothing else is at the new place" "new.fd new.fd.journal" \
	"$(cd "$tmp/there" && echo *)"
refuses "the old name does not exist" 3 'No such file' "$ctl" move "$old" "$new"
flash "$old"
refuses "an existing target" 3 'new.fd: File exists' "$ctl" move "$old" "$new"
refuses "the same name" 2 'usage' "$ctl" move "$old"
refuses "onto itself" 3 'the new place needs other names' "$ctl" move "$old" "$old"
refuses "a directory that does not exist" 3 'does not exist' "$ctl" move "$old" "$tmp/none/a.fd"
refuses "the journal of an earlier file" 3 'journal of an earlier' \
	sh -c "touch '$tmp/x.fd.journal'; '$ctl' move '$old' '$tmp/x.fd'"
check_equal "refused moves leave the flash alone" "$vars" "$(sum "$old")"

# --- remove ---

flash "$tmp/gone.fd"
touch "$tmp/gone.fd.state"
"$ctl" vars set --next-start "$tmp/gone.fd" 12345678-1234-1234-1234-123456789abc:X --attr nv,bs <"$old" >/dev/null 2>&1 ||
	touch "$tmp/gone.fd.next"
touch "$tmp/gone.fd.pins"
check "remove" "$ctl" remove "$tmp/gone.fd"
check_equal "nothing is left" "" "$(ls "$tmp"/gone.fd* 2>/dev/null)"
refuses "remove: there is no flash" 3 'gone.fd: No such file' "$ctl" remove "$tmp/gone.fd"
refuses "remove: a directory that does not exist" 3 'none' "$ctl" remove "$tmp/none/a.fd"
refuses "remove: a directory" 3 "$tmp/there" "$ctl" remove "$tmp/there"
echo "no journal" >"$tmp/gone.fd.journal"
check "remove: only a journal is left" "$ctl" remove "$tmp/gone.fd"
check_equal "it is removed" "" "$(ls "$tmp"/gone.fd* 2>/dev/null)"

# --- send and receive ---

flash "$tmp/far.fd"
"$ctl" log "$tmp/far.fd" >"$tmp/log"
mkdir "$tmp/host2"
check "send | receive" sh -c "'$ctl' send '$tmp/far.fd' 2>'$tmp/err' | '$ctl' receive '$tmp/host2/far.fd' >'$tmp/out'"
check_equal "both print the number of the transfer" \
	"$(sed -n 's/.*transfer //p' "$tmp/err")" "$(sed -n 's/.*transfer //p' "$tmp/out")"
"$ctl" log "$tmp/host2/far.fd" >"$tmp/log2"
check "the history comes along" cmp "$tmp/log" "$tmp/log2"
check_equal "the new files are the user's alone" 600 "$(stat -c %a "$tmp/host2/far.fd")"
check_equal "nothing else is there" "far.fd far.fd.journal" "$(cd "$tmp/host2" && echo *)"
for command in check 'log' 'send' 'export --at 1'; do
	# shellcheck disable=SC2086 # options
	refuses "$command of what was sent" 3 'was sent to another place .*pflashctl forget' \
		sh -c "'$ctl' $command '$tmp/far.fd' $([ "${command#export}" = "$command" ] || echo "'$tmp/x'") | cat >/dev/null; exit \${PIPESTATUS:-3}"
done
refuses "pflashd with what was sent" 3 'was sent to another place' "$d" --domain 1 --vars "$tmp/far.fd" \
	--layout 2m --foreground
"$ctl" send "$tmp/host2/far.fd" 2>/dev/null | head -c 1000 >"$tmp/half"
check "a connection that breaks leaves the flash" "$ctl" check "$tmp/host2/far.fd"
refuses "half a stream" 3 'ends early' sh -c "'$ctl' receive '$tmp/far2.fd' <'$tmp/half'"
refuses "no stream" 3 'it is none of' sh -c "'$ctl' receive '$tmp/far2.fd' <'$old'"
check "half a stream creates nothing" test ! -e "$tmp/far2.fd"
"$ctl" send "$tmp/host2/far.fd" >"$tmp/stream" 2>/dev/null
check "back to the first host" sh -c "'$ctl' receive '$tmp/far.fd' <'$tmp/stream' >/dev/null"
check "it is whole there" "$ctl" check "$tmp/far.fd"
refuses "a second time" 3 'far.fd: File exists' sh -c "'$ctl' receive '$tmp/far.fd' <'$tmp/stream'"
check "forget takes back what was sent" sh -c "'$ctl' forget '$tmp/host2/far.fd' && '$ctl' check '$tmp/host2/far.fd'" >/dev/null
"$ctl" send "$tmp/host2/far.fd" >"$tmp/stream" 2>/dev/null
check "remove removes what was sent" "$ctl" remove "$tmp/host2/far.fd"
check_equal "nothing is left of it" "" "$(ls "$tmp/host2")"

# across file systems
if [ -w /dev/shm ] && [ "$(stat -c %d /dev/shm)" != "$(stat -c %d "$tmp")" ]; then
	far=$(mktemp -d /dev/shm/pflash-cli.XXXXXX)
	trap 'rm -rf "$tmp" "$far"' EXIT
	check "moves to another file system" "$ctl" move "$old" "$far/far.fd"
	check_equal "VARS is the same there" "$vars" "$(sum "$far/far.fd")"
	check "check accepts it" sh -c "'$ctl' check '$far/far.fd' | grep -q '^history: 2 points'"
	check "moves back" "$ctl" move "$far/far.fd" "$old"
else
	skip "another file system: none is writable"
fi

# the journal in another place
check "moves with another journal" "$ctl" move --new-journal "$tmp/there/jj" "$old" "$tmp/there/b.fd"
check "check accepts it with the journal" sh -c "'$ctl' check --journal '$tmp/there/jj' '$tmp/there/b.fd' | grep -q '^history: 2 points'"
check "no journal is beside it" test ! -e "$tmp/there/b.fd.journal"
refuses "the same journal" 3 'the new place needs other names' \
	"$ctl" move --journal "$tmp/there/jj" --new-journal "$tmp/there/jj" "$tmp/there/b.fd" "$old"
check "and back" "$ctl" move --journal "$tmp/there/jj" "$tmp/there/b.fd" "$old"

# in use
mkfifo "$tmp/accesses"
"$build/pflash-replay" --vars "$old" <"$tmp/accesses" >"$tmp/replay" &
replay=$!
exec 9>"$tmp/accesses"
until grep -qs "OFDLCK.*:$(stat -c %i "$old") " /proc/$replay/fdinfo/*; do
	kill -0 $replay 2>/dev/null || break
done
refuses "a flash in use" 4 'in use by' "$ctl" move "$old" "$tmp/there/used.fd"
check "a clone of a flash in use" "$ctl" clone "$old" "$tmp/there/clone.fd"
exec 9>&-
wait $replay
check_equal "the clone has the image" "$vars" "$(sum "$tmp/there/clone.fd")"
check_equal "and no history" "history: none" \
	"$("$ctl" check "$tmp/there/clone.fd" | sed -n 's/^journal: none/history: none/p')"
check_equal "and the mode" "640" "$(stat -c %a "$tmp/there/clone.fd")"
refuses "an existing clone" 3 'clone.fd: File exists: .*pflashctl remove' "$ctl" clone "$old" "$tmp/there/clone.fd"

# An interrupted move: the notes, as docs/format.md has them.
PYTHONPATH=tests python3 -B - "$tmp" <<'END'
import struct, sys

from reader import crc


def note(name, kind, other, journal=b""):
    path = other.encode()
    head = b"PFLASHM1" + struct.pack("<IIQ", kind, len(path), len(journal)) + path
    with open(name, "wb") as file:
        file.write(head + struct.pack("<I", crc(0, head)) + journal)

tmp = sys.argv[1]
old, new = f"{tmp}/old.fd", f"{tmp}/there/half.fd"
with open(old + ".journal", "rb") as file:
    journal = file.read()
note(new + ".journal", 2, old)
note(old + ".journal", 1, new, journal)
END
half=$tmp/there/half.fd
refuses "the old one names the new one" 3 "moved to $half: use that one" "$ctl" check "$old"
refuses "export refuses it, too" 3 "moved to $half" "$ctl" export "$old" "$tmp/o.fd"
refuses "the new one names the old one" 3 "use $old, or complete the move" \
	"$ctl" create --layout 2m "$half"
check "the same command completes it" "$ctl" move "$old" "$half"
check_equal "with VARS" "$vars" "$(sum "$half")"
check "and the history" sh -c "'$ctl' check '$half' | grep -q '^history: 2 points'"
check_equal "and nothing is left" "" "$(ls "$old"* 2>/dev/null)"

# the records
conf=$tmp/guest.conf
printf 'vars = %s\nlayout = 2m\n' "$old" >"$conf"
start() {
	[ "$(id -u)" -eq 0 ] || set -- --sandbox none "$@"
	"$d" --domain 1 --foreground --config "$conf" "$@"
}
if [ -e /proc/xen/capabilities ]; then
	skip "pflashd and the records: this is a Xen host"
else
	refuses "no new file where one was moved away" 3 "was moved to $half: use that file" start
	refuses "with a template neither" 3 "was moved to $half" start --template "$half"
	check_equal "forget" forgotten "$("$ctl" forget "$old")"
	refuses "then pflashd would make a new file" 5 'xenstored' start
	mkdir "$tmp/away"
	gone=$tmp/away/gone.fd
	printf 'vars %s\n' "$gone" >"$PFLASH_KNOWN_DIR/$(echo "${gone#/}" | sed 's/%/%25/g; s/-/%2d/g; s|/|-|g')"
	rmdir "$tmp/away"
	check_equal "forget a path whose directory is gone" forgotten "$("$ctl" forget "$gone")"
	check_equal "forget again" "there is no record of this file" "$("$ctl" forget "$old")"
	mv "$half" "$tmp/kept.fd"
	printf 'vars = %s\nlayout = 4m\n' "$half" >"$conf"
	refuses "no new file where a guest had one" 3 'half.fd: does not exist, but a guest has used it: mount' start
	ln -s there "$tmp/link"
	printf 'vars = %s\nlayout = 4m\n' "$tmp/link/half.fd" >"$conf"
	refuses "nor by another path to it" 3 'does not exist, but a guest has used it' start
	mv "$tmp/kept.fd" "$half"
	refuses "the file is back" 5 'xenstored' start
fi
for option in vars template journal code; do
	printf '%s = relative\n' "$option" >"$conf"
	refuses "a relative path: $option" 3 "guest.conf:1: $option: 'relative' is a relative path" start
done
finish
