# SPDX-License-Identifier: BSD-2-Clause
# Tests the commands on a device that is complete, that is, has all files of the
# flash. The device is a regular file with holes; the lab's scenario store-device
# has a block device.
. tests/lib/cli.sh

ctl=$build/pflashctl
replay=$build/pflash-replay
d=$tmp/device
name=EfiGlobalVariable:Foo

# new SIZE: an empty device
new() {
	rm -f "$d"
	truncate -s "$1" "$d"
}

# silent COMMAND...: without its output
silent() {
	"$@" >/dev/null
}

# --- preparation ---

new 16M
refuses "a device that is too small: its size is named" 3 "needs 1[0-9]*, that is, 19 MiB" \
	"$ctl" create --device --layout 4m "$d"
check "nothing was written" sh -c "! tr -d '\\0' <'$d' | grep -q ."
new 20M
refuses "--device and --journal" 2 "leave out --journal" \
	"$ctl" create --device --layout 4m --journal "$tmp/j" "$d"
check "create --device" silent "$ctl" create --device --layout 4m "$d"
"$ctl" create --layout 4m "$tmp/image"
check "the image is at the start" cmp -n 540672 "$d" "$tmp/image"
check "the device has its size" test "$(stat -c %s "$d")" = 20971520
refuses "a device that is used" 3 "is not blank.*--reset" \
	"$ctl" create --device --layout 2m "$d"
check "--reset prepares it again" silent "$ctl" create --device --reset --layout 2m "$d"
check "with another layout" sh -c "'$ctl' check '$d' | grep -q 'flash of 131072 bytes'"
refuses "an empty name" 3 "No such file" "$ctl" create --device --layout 2m "$tmp/nothing"
cp "$tmp/image" "$tmp/changed"
silent "$ctl" vars set --hex 07 "$tmp/changed" EfiGlobalVariable:T
rm "$tmp/changed.journal"
check "from a template" silent "$ctl" create --device --reset --template "$tmp/changed" "$d"
check_equal "its variable is there" 07 "$("$ctl" vars get --format hex "$d" EfiGlobalVariable:T)"
refuses "a journal elsewhere" 3 "leave out --journal" "$ctl" check --journal "$tmp/j" "$d"

# --- commands ---

check "vars set" silent "$ctl" vars set --hex 0102 "$d" $name
check_equal "vars get" 0102 "$("$ctl" vars get --format hex "$d" $name)"
check "check" silent "$ctl" check "$d"
check_equal "check prints the areas" 5 "$("$ctl" check "$d" | grep -c '^device: ')"
check "the journal takes room" sh -c \
	"'$ctl' check '$d' | grep -q '^device: journal: [1-9][0-9]* of 7364608 bytes'"
check "log" sh -c "'$ctl' log '$d' | grep -q Foo"
first=$("$ctl" log --bursts "$d" | sed -n 's/^ *\([0-9][0-9]*\) .*/\1/p' | head -n 1)
check "diff" sh -c "'$ctl' diff --at '$first' '$d' | grep -q Foo"
check "export" silent "$ctl" export "$d" "$tmp/img"
check_equal "the export has the variable" 0102 "$("$ctl" vars get --format hex "$tmp/img" $name)"
check "export --at" silent "$ctl" export --at "$first" "$d" "$tmp/img"
refuses "the earlier image does not" 3 "no variable" "$ctl" vars get "$tmp/img" $name
check "rollback" silent "$ctl" rollback --to "$first" "$d"
refuses "the variable is gone" 3 "no variable" "$ctl" vars get "$d" $name
check "compact" silent "$ctl" compact "$d"
check "create --reset keeps the history" silent "$ctl" create --reset --template "$tmp/image" "$d"
check "which goes on" sh -c "'$ctl' log --bursts '$d' | grep -q '^ *$first '"
check "boot list" silent "$ctl" boot list "$d"
check "keys list" silent "$ctl" keys list "$d"
check "pins list" silent "$ctl" pins list "$d"
check "dump" sh -c "'$ctl' vars dump '$d' >'$tmp/json'"
check "load" silent "$ctl" vars load --input "$tmp/json" "$d"

check "a change is queued" silent "$ctl" vars set --next-start --hex 03 "$d" $name
check "and another one" silent "$ctl" vars set --next-start --hex 04 "$d" EfiGlobalVariable:Bar
check_equal "both wait" 2 "$("$ctl" vars pending "$d" | grep -c 'vars set --next-start')"
check "one is dropped" silent "$ctl" vars cancel --list 1 "$d"
check "all are dropped" silent "$ctl" vars cancel "$d"
check "nothing waits" sh -c "'$ctl' vars pending '$d' | grep -q 'no change waits'"

# --- what a device does not do ---

refuses "move" 3 "block device is not moved" "$ctl" move "$d" "$tmp/new.fd"
check "clone to a file" silent "$ctl" clone "$d" "$tmp/clone.fd"
"$ctl" export "$d" "$tmp/img"
check "the clone is the image" cmp "$tmp/clone.fd" "$tmp/img"
refuses "clone to a device" 3 "exists" "$ctl" clone "$tmp/clone.fd" "$d"
refuses "move to a device" 3 "$d" "$ctl" move "$tmp/clone.fd" "$d"
refuses "remove" 3 "blkdiscard" "$ctl" remove "$d"
check "a file is sent" sh -c "'$ctl' send '$tmp/clone.fd' >'$tmp/stream' 2>/dev/null"
check "a device with a flash receives no stream" sh -c \
	"! '$ctl' receive '$d' <'$tmp/stream' 2>'$tmp/err' && grep -q 'is a device: .*--device --reset' '$tmp/err'"
refuses "convert" 3 "one size" "$ctl" convert --layout 2m "$d"
refuses "convert --undo" 3 "one size" "$ctl" convert --undo "$d"
check "the device is as before" silent "$ctl" check "$d"

# --- a flash with its history moves from a file to a device, and on ---

"$ctl" create --layout 4m "$tmp/moved.fd"
"$ctl" vars set --hex 07 "$tmp/moved.fd" EfiGlobalVariable:Moved
"$ctl" log "$tmp/moved.fd" >"$tmp/log"
"$ctl" send "$tmp/moved.fd" >"$tmp/stream" 2>/dev/null
cp "$d" "$tmp/second"
"$ctl" create --device --reset --layout 4m "$tmp/second"
check "an empty device receives a stream" sh -c "'$ctl' receive '$tmp/second' <'$tmp/stream'" >/dev/null
check "it is a flash" silent "$ctl" check "$tmp/second"
check_equal "with the variable" 07 "$("$ctl" vars get --format hex "$tmp/second" EfiGlobalVariable:Moved)"
"$ctl" log "$tmp/second" >"$tmp/log2"
check "with its history" cmp "$tmp/log" "$tmp/log2"
refuses "the file is none any more" 3 'was sent to another place' "$ctl" check "$tmp/moved.fd"
cp "$d" "$tmp/third"
"$ctl" create --device --reset --layout 4m "$tmp/third"
check "the device is sent to another one" sh -c \
	"'$ctl' send '$tmp/second' 2>/dev/null | '$ctl' receive '$tmp/third'" >/dev/null
"$ctl" log "$tmp/third" >"$tmp/log2"
check "which has its history" cmp "$tmp/log" "$tmp/log2"
refuses "the first is none any more" 3 'was sent to another place' "$ctl" check "$tmp/second"
head -c 70000 "$tmp/stream" >"$tmp/stream.short"
"$ctl" create --device --reset --layout 4m "$tmp/third"
refuses "half a stream changes nothing" 3 'ends early' sh -c "'$ctl' receive '$tmp/third' <'$tmp/stream.short'"
check "the device is empty still" silent "$ctl" check "$tmp/third"
check "no file was made beside it" sh -c "! ls '$tmp' | grep -q '^device\\.'"

# --- a guest ---

cp "$d" "$tmp/whole"
printf 'w 30000 1 40\nw 30000 1 5a\nw 30000 1 ff\nr 30000 1\n' |
	"$replay" --vars "$d" >"$tmp/answer"
check_equal "pflash-replay reads what it wrote" 5a "$(cat "$tmp/answer")"
check_equal "its write is in the image" 5a \
	"$(dd if="$d" bs=1 skip=196608 count=1 2>/dev/null | od -An -tx1 | tr -d ' ')"

# A server that is killed: the burst is in the journal only.
"$ctl" create --device --reset --layout 4m "$d"
mkfifo "$tmp/in" "$tmp/answers"
"$replay" --vars "$d" --sync burst <"$tmp/in" >"$tmp/answers" 2>"$tmp/err" &
pid=$!
exec 3>"$tmp/in" 4<"$tmp/answers"
printf 'w 30000 1 40\nw 30000 1 77\nw 30000 1 ff\nr 0 1\n' >&3
read -r _ <&4
refuses "it is in use" 4 "in use by pid $pid" "$ctl" vars set --hex 05 "$d" $name
check "but a change can be queued" silent "$ctl" vars set --next-start --hex 05 "$d" $name
refuses "and not prepared anew" 4 "in use" "$ctl" create --device --reset --layout 4m "$d"
check "check reads it" sh -c "'$ctl' check '$d' | grep -q '^journal: 1 bursts'"
kill -9 $pid
wait $pid 2>/dev/null
exec 3>&- 4<&-
check_equal "the image alone lacks the burst" ff \
	"$(dd if="$d" bs=1 skip=196608 count=1 2>/dev/null | od -An -tx1 | tr -d ' ')"
# A copy is the flash on another host: it needs no other file.
cp "$d" "$tmp/copy"
"$ctl" export "$tmp/copy" "$tmp/img"
check_equal "a copy of the device has it" 77 \
	"$(dd if="$tmp/img" bs=1 skip=196608 count=1 2>/dev/null | od -An -tx1 | tr -d ' ')"
if command -v python3 >/dev/null; then
	python3 tests/reader.py "$d" >"$tmp/py.out"
	check "the reader written from the document agrees" cmp "$tmp/py.out" "$tmp/img"
	silent "$ctl" vars set --hex 06 "$d" $name
	"$ctl" export "$d" "$tmp/img"
	python3 tests/reader.py "$d" >"$tmp/py.out"
	check "also after a new journal" cmp "$tmp/py.out" "$tmp/img"
else
	skip "the independent reader: python3 is not installed"
fi

# --- pflashd ---

sandbox=
[ "$(id -u)" = 0 ] || sandbox='--sandbox none'
check "pflashd could attach it" "$build/pflashd" --domain web --check-start pvh --vars "$d" --code none $sandbox
refuses "pflashd with a journal elsewhere" 3 "leave out --journal" "$build/pflashd" --domain web \
	--check-start pvh --vars "$d" --code none --journal "$tmp/j" $sandbox

# --- damage ---

cp "$d" "$tmp/whole"
printf x | dd of="$d" bs=1 seek=600 conv=notrunc 2>/dev/null
refuses "an image that another program has changed" 3 "content differs" "$ctl" export "$d" "$tmp/img"
"$ctl" check "$d" >"$tmp/check"
check "check says how to repair it" grep -q '^repair: copy the device to a file COPY' "$tmp/check"
refuses "rollback would lose the image" 3 "cannot keep what it would lose" \
	"$ctl" rollback --to "$("$ctl" log --bursts "$d" 2>/dev/null |
		sed -n 's/^ *\([0-9][0-9]*\) .*/\1/p' | tail -n 1)" "$d"
# The way that check describes.
newest=$(sed -n 's/.*export --at \([0-9]*\) COPY.*/\1/p' "$tmp/check")
cp "$d" "$tmp/copy"
check "export from the copy" silent "$ctl" export --at "$newest" "$tmp/copy" "$tmp/second"
check "the device is prepared from it" silent "$ctl" create --device --reset --template "$tmp/second" "$d"
check_equal "it has the variables" 06 "$("$ctl" vars get --format hex "$d" $name)"
check "the history stays in the copy" sh -c "'$ctl' log '$tmp/copy' 2>/dev/null | grep -q Foo"
cp "$tmp/whole" "$d"
printf x | dd of="$d" bs=1 seek=500000 conv=notrunc 2>/dev/null
check "accept, as for a file" silent "$ctl" accept "$d"
check "then it is sound" silent "$ctl" check "$d"

cp "$tmp/whole" "$d"
dd if=/dev/zero of="$d" bs=4096 seek=5119 count=1 conv=notrunc 2>/dev/null
refuses "without its superblock it is no flash" 3 "0x1400000 bytes" "$ctl" log "$d"
cp "$tmp/whole" "$d"
printf '\1\2\3\4' | tee "$tmp/noise" | dd of="$d" bs=1 seek=$((20971520 - 4096 + 20)) conv=notrunc 2>/dev/null
check "one damaged copy of the superblock" silent "$ctl" check "$d"
dd if="$tmp/noise" of="$d" bs=1 seek=$((20971520 - 2048 + 20)) conv=notrunc 2>/dev/null
refuses "both copies" 3 "the superblock at its end is damaged" "$ctl" check "$d"

# --- a block device ---

truncate -s 20M "$tmp/disk"
loop=$(losetup -f --show "$tmp/disk" 2>/dev/null)
if [ -z "$loop" ] || [ ! -w "$loop" ]; then
	skip "a block device: loop devices are not allowed"
	finish
fi
trap 'losetup -d "$loop"; rm -rf "$tmp"' EXIT
refuses "a block device that is not prepared" 3 "pflashctl create --device" \
	"$ctl" create --layout 2m "$loop"
check "a block device: create --device" silent "$ctl" create --device --layout 2m "$loop"
check "a block device: vars set" silent "$ctl" vars set --hex 11 "$loop" $name
check "a block device: a change is queued" silent "$ctl" vars set --next-start --hex 12 "$loop" $name
printf 'w 100 1 40\nw 100 1 5a\nw 100 1 ff\nr 100 1\n' | "$replay" --vars "$loop" >"$tmp/answer"
check "a block device: pflash-replay" test -s "$tmp/answer"
check "a block device: check" silent "$ctl" check "$loop"
# The flash goes by the device, not by what its image says.
printf '\0\0\4' | dd of="$loop" bs=1 seek=32 conv=notrunc 2>/dev/null
refuses "a block device: its size is in the superblock" 3 "content differs" "$ctl" export "$loop" "$tmp/img"
check "a block device: accept" silent "$ctl" accept "$loop"
check_equal "a block device: and stays so" 131072 "$("$ctl" export "$loop" "$tmp/img" && stat -c %s "$tmp/img")"
losetup -d "$loop"
truncate -s 24M "$tmp/disk"
loop=$(losetup -f --show "$tmp/disk")
refuses "a block device that has grown" 3 "of 20971520 bytes, and has grown" "$ctl" check "$loop"

finish
