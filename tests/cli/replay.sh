# SPDX-License-Identifier: BSD-2-Clause
# Tests pflash-replay: recorded boots of real firmware must read the same values
# and end in the same image as in the recording; also its options and errors,
# and pflashctl export.
. tests/lib/cli.sh

replay=$build/pflash-replay
ctl=$build/pflashctl
v=$tmp/vars.fd
template=/usr/share/OVMF/OVMF_VARS_4M.fd
first=020fab6375101b3eb750db0e861d1dc096e0e4927f56af9f65050455a5a6e6d6
second=5691d5b7a2a90704205c2f522220861102059e95fa27a6c10850f7f22fa69f3e

boot() {
	zcat "$data/ovmf-2022.11-4m-$1.trace.gz" >"$tmp/trace"
	shift
	"$replay" --vars "$v" "$@" <"$tmp/trace"
}

if [ -r "$template" ]; then
	for options in "--mode direct" "--mode trap" "--sync none" \
		"--sync burst" "--personality qemu"; do
		cp "$template" "$v"
		# shellcheck disable=SC2086
		check_equal "first boot reads what the firmware read ($options)" \
			0 "$(boot firstboot $options)"
		check_equal "first boot ends in the recorded image ($options)" \
			$first "$(sum "$v")"
		# shellcheck disable=SC2086
		check_equal "second boot reads what the firmware read ($options)" \
			0 "$(boot secondboot $options)"
		check_equal "second boot ends in the recorded image ($options)" \
			$second "$(sum "$v")"
	done
else
	skip "the traces: $template is missing (package ovmf)"
fi

dd if=/dev/zero bs=4096 count=32 2>/dev/null | tr '\0' '\377' >"$v"
got=$(printf '%s\n' '# a comment' '' 'w 0 1 10' 'w 0 1 a5' 'r 0 1' \
	'w 0 1 ff' 'r 0 4' ' r 1fffc 8' 'w 5 1 98' 'r 10 2 0' |
	"$replay" --vars "$v" | tr '\n' ' ')
check_equal "reads are printed in order, in hex" \
	"80 ffffffa5 ffffffffffffffff 5251 " "$got"

# An answer must be flushed before the next access is sent.
mkfifo "$tmp/in" "$tmp/answer"
"$replay" --vars "$v" <"$tmp/in" >"$tmp/answer" &
exec 3>"$tmp/in" 4<"$tmp/answer"
echo 'r 0 1' >&3
read -r answer <&4
check_equal "an answer is flushed before the next access" a5 "$answer"
exec 3>&-
wait $!
check_equal "the end of input closes cleanly" 0 $?

n=0
for line in x 'r 0' 'r 0 3' 'w 0 1' 'r 0 1 2 3' 'w 0 1 2 3' 'r -1 1' 'rr 0 1' \
	'r zz 1' 'w 0 1 zz' 'r 200000000 1' 'w 0 0 0' 'R 0 1' 'w 0 1 -1' 'w 0 1 100' \
	'w 0 4 100000000' 'r 0 1 +1'; do
	n=$((n + 1))
	printf 'w 10%02x 1 10\nw 10%02x 1 0\n%s\nw 2000 1 20\nw 2000 1 d0\n' \
		$n $n "$line" >"$tmp/in.txt"
	"$replay" --vars "$v" <"$tmp/in.txt" >"$tmp/out" 2>"$tmp/err"
	check_equal "'$line' is refused with its number" \
		"2 pflash-replay: line 3 is not an access: $line" \
		"$? $(cat "$tmp/err")"
done
check_equal "the accesses before a bad line have been performed" "$n" \
	"$(dd if="$v" bs=1 skip=4097 count=20 2>/dev/null | tr -d '\377' | wc -c)"

refuses "replay: no options" 2 '--vars is missing' "$replay"
refuses "replay: unknown option" 2 '\-\-nope' "$replay" --nope
refuses "replay: unknown letters" 2 "'-x'" "$replay" -xy
refuses "replay: no value" 2 'value' "$replay" --vars
refuses "replay: bad choice" 2 'sometimes' "$replay" --vars "$v" --sync sometimes
refuses "replay: settle" 2 "settle: '0' is not a number" "$replay" --vars "$v" --settle 0
refuses "replay: settle, too long" 2 "'3601'" "$replay" --vars "$v" --settle 3601
refuses "replay: bad number" 2 '4x' "$replay" --vars "$v" --width 4x
refuses "replay: no such file" 3 "$tmp/none" "$replay" --vars "$tmp/none"
refuses "replay: blocks that do not fit" 2 'smaller than one block' "$replay" --vars "$v" --block-size 256K
refuses "replay: a malformed list" 2 '4Kx8;' "$replay" --vars "$v" --block-size '4Kx8;64K'
refuses "replay: blocks that do not fill the flash" 2 '131072' "$replay" --vars "$v" --block-size 4Kx8
refuses "replay: a bus of 3 bytes" 2 '1, 2 or 4' "$replay" --vars "$v" --width 3
refuses "replay: a part without a lane" 2 'parts' "$replay" --vars "$v" --width 1 --interleave 2
head -c 5000 "$v" >"$tmp/short.fd"
refuses "replay: size not a multiple of 4096" 3 "short.fd" "$replay" --vars "$tmp/short.fd"
refuses "replay: a partition of half a block" 2 'do not divide' "$replay" --vars "$v" --block-size 8K --partition 4K
refuses "replay: a partition that is no size" 2 "'4Q'" "$replay" --vars "$v" --partition 4Q
check "replay: --help" sh -c "'$replay' --help | grep -q -e --block-size"
check "replay: --version" sh -c "'$replay' --version | grep -q 'pflash-replay [0-9]'"

# Which bursts are synced, by the calls of fdatasync(2).
syncs() {
	rm -f "$tmp/calls" "$v".*
	strace -qq -e trace=fdatasync -o "$tmp/calls" "$@" >/dev/null
	grep -c '^fdatasync.* = 0$' "$tmp/calls"
}

# store: makes an empty variable store
store() {
	rm -f "$v"*
	"$ctl" create --layout 2m "$v"
}

if ! strace -qq -o /dev/null true 2>/dev/null; then
	skip "the number of syncs: strace does not work here"
elif [ -r "$template" ]; then
	zcat "$data/ovmf-2022.11-4m-firstboot.trace.gz" >"$tmp/trace"
	cp "$template" "$v"
	# The opening of a new file has 3 syncs, the checkpoint at the end 2.
	burst=$(syncs "$replay" --vars "$v" --sync burst <"$tmp/trace")
	check_equal "the first boot has 251 bursts, each synced" 255 "$burst"
	cp "$template" "$v"
	variable=$(syncs "$replay" --vars "$v" <"$tmp/trace")
	check "--sync variable: at most 60 syncs in the first boot, has $variable" \
		test "$variable" -le 60
else
	skip "the number of syncs: $template is missing (package ovmf)"
fi

# A burst in the spare area changes no variable: while the input pauses, it is
# synced, once.
if strace -qq -o /dev/null true 2>/dev/null; then
	store
	strace -qq -e trace=fdatasync -o "$tmp/calls" "$replay" --vars "$v" \
		<"$tmp/in" >"$tmp/answer" &
	exec 3>"$tmp/in" 4<"$tmp/answer"
	printf 'w 1a000 1 10\nw 1a000 1 11\nw 1a000 1 ff\nr 1a000 1\n' >&3
	read -r answer <&4
	check_equal "the burst is answered" 11 "$answer"
	begun=$(grep -c fdatasync "$tmp/calls")
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ "$(grep -c fdatasync "$tmp/calls")" -gt "$begun" ] && break
		sleep 0.2
	done
	check_equal "it is synced when the input pauses" $((begun + 1)) \
		"$(grep -c fdatasync "$tmp/calls")"
	exec 3>&- 4<&-
	wait $!
	check_equal "and the end is clean" 0 $?
fi

# live: starts pflash-replay with the given options; its input is descriptor 3
live() {
	"$replay" --vars "$v" "$@" <"$tmp/in" >"$tmp/answer" &
	exec 3>"$tmp/in" 4<"$tmp/answer"
}

# live_end: ends it
live_end() {
	exec 3>&- 4<&-
	wait $!
	check_equal "the end is clean" 0 $?
}

# eventually COMMAND...: true if the command succeeds within a minute
eventually() {
	for _ in $(seq 300); do
		"$@" && return
		sleep 0.2
	done
	return 1
}

# has BYTES: the file alone has these bytes at 0x1a000
has() {
	[ "$(od -An -tx1 -j 106496 -N 2 "$v")" = "$1" ]
}

# While the guest is quiet, the file alone becomes the image, in each mode; a
# burst that is open is not in it.
for sync in variable burst op none; do
	store
	live --settle 1 --sync $sync
	printf 'w 1a000 1 10\nw 1a000 1 11\nw 1a000 1 ff\nr 1a000 1\n' >&3
	read -r answer <&4
	check_equal "$sync: the burst is answered" 11 "$answer"
	check "$sync: it comes into the file alone" eventually has " 11 ff"
	check_equal "$sync: and is still in the history" 2 \
		"$("$ctl" log --bursts "$v" | grep -c '^ *[0-9]')"
	live_end
done
store
live --settle 1
printf 'w 1a001 1 10\nw 1a001 1 12\nr 0 1\n' >&3
read -r _ <&4
sleep 2
check "an open burst is not in the file" has " ff ff"
printf 'w 1a001 1 ff\nr 1a001 1\n' >&3
read -r answer <&4
check_equal "and goes on" 12 "$answer"
check "until its end" eventually has " ff 12"
live_end

# A line may come in pieces, and the last one without its end.
store
{ printf 'w 1a001 1 1'; sleep 0.3; printf '0\nw 1a001 1 22\nr 1a0'; sleep 0.3; printf '01 1\nw 1a001 1 ff\nr 1a001 1'; } |
	"$replay" --vars "$v" >"$tmp/out"
check_equal "lines in pieces" "80 22" "$(paste -s -d ' ' "$tmp/out")"
{
	awk 'BEGIN { printf "# "; for (n = 0; n < 200000; n++) printf "x" }'
	printf '\nr 1a001 1\n'
} >"$tmp/in.txt"
"$replay" --vars "$v" <"$tmp/in.txt" >"$tmp/out" 2>&1
check_equal "a comment of any length" "0 22" "$? $(cat "$tmp/out")"
awk 'BEGIN { for (n = 0; n < 200000; n++) printf "x" }' >"$tmp/in.txt"
"$replay" --vars "$v" <"$tmp/in.txt" >"$tmp/out" 2>&1
check_equal "a line of any length" 2 "$?"
dd if=/dev/zero bs=4096 count=32 2>/dev/null | tr '\0' '\377' >"$v"
rm -f "$v".*

# pflashctl export
echo 'w 9000 1 10
w 9000 1 42' >"$tmp/open"
"$replay" --vars "$v" <"$tmp/open"
before=$(sum "$v") journal=$(sum "$v.journal")
check "export succeeds" "$ctl" export "$v" "$tmp/out.fd"
check_equal "the export is the image" "$before" "$(sum "$tmp/out.fd")"
check_equal "export to standard output" "$before" \
	"$("$ctl" export "$v" - | sha256sum | cut -d ' ' -f 1)"
check_equal "export changes neither file" "$before $journal" \
	"$(sum "$v") $(sum "$v.journal")"
refuses "export: no such file" 3 "$tmp/none" "$ctl" export "$tmp/none" "$tmp/x"
refuses "export: the output device is full" 1 "/dev/full" "$ctl" export "$v" /dev/full
refuses "export: onto itself" 2 "is the file to export" "$ctl" export "$v" "$v"
ln -s vars.fd.journal "$tmp/link"
refuses "export: onto its journal" 2 "or its journal" "$ctl" export "$v" "$tmp/link"
refuses "export: arguments" 2 usage "$ctl" export "$v"
refuses "pflashctl: no command" 2 command "$ctl"
refuses "pflashctl: unknown command" 2 "'frobnicate'" "$ctl" frobnicate
check "pflashctl: --help" sh -c "'$ctl' --help | grep -q export"

if [ -w /dev/full ]; then
	echo 'r 0 1' >"$tmp/look"
	"$replay" --vars "$v" <"$tmp/look" >/dev/full 2>/dev/null
	check_equal "a read that cannot be printed fails" 1 $?
fi

# After a kill with a burst open only the committed burst must be there.
"$replay" --vars "$v" <"$tmp/in" >/dev/null &
pid=$!
exec 3>"$tmp/in"
printf 'w a000 1 10\nw a000 1 11\nw a000 1 ff\nw a001 1 10\nw a001 1 22\nr 0 1\n' >&3
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ "$(stat -c %s "$v.journal")" -gt 64 ] && break
	sleep 0.2
done
sleep 0.2
refuses "a file in use names its holder" 3 "in use by pid $pid" "$replay" --vars "$v"
"$ctl" export "$v" "$tmp/live.fd"
check_equal "a live export has the committed burst" " 11 ff" \
	"$(od -An -tx1 -j 40960 -N 2 "$tmp/live.fd")"
kill -9 $pid
wait $pid 2>/dev/null
exec 3>&-
echo 'r a000 2' >"$tmp/look"
check_equal "after SIGKILL the committed burst is there, the open one is not" \
	ff11 "$("$replay" --vars "$v" <"$tmp/look")"
finish
