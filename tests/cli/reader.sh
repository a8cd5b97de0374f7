# SPDX-License-Identifier: BSD-2-Clause
# Tests that tests/reader.py, which was written from docs/format.md alone, and
# pflashctl read the same image, or both refuse, for any journal: intact,
# truncated, damaged, or with another VARS file.
. tests/lib/cli.sh

replay=$build/pflash-replay
ctl=$build/pflashctl
v=$tmp/vars.fd
template=/usr/share/OVMF/OVMF_VARS_4M.fd

if ! command -v python3 >/dev/null; then
	skip "the independent reader: python3 is not installed"
	finish
fi

# both FILE: prints `read` if both readers print the same image, `refused` if
# both refuse the files, else the difference
both() {
	"$ctl" export "$1" "$tmp/ctl.out" 2>"$tmp/ctl.err"
	lib_ctl=$?
	python3 tests/reader.py "$1" >"$tmp/py.out" 2>"$tmp/py.err"
	case $lib_ctl,$? in
	0,0)
		if cmp -s "$tmp/ctl.out" "$tmp/py.out"; then
			echo read
		else
			echo "different images"
		fi
		;;
	3,1) echo refused ;;
	*) echo "pflashctl: $lib_ctl $(cat "$tmp/ctl.err"); $(cat "$tmp/py.err")" ;;
	esac
}

# run_killed: performs the accesses on standard input and kills the server, so
# that answered bursts are in the journal only
run_killed() {
	rm -f "$tmp/in" "$tmp/answer"
	mkfifo "$tmp/in" "$tmp/answer"
	"$replay" --vars "$v" <"$tmp/in" >"$tmp/answer" 2>"$tmp/err" &
	lib_pid=$!
	exec 3>"$tmp/in" 4<"$tmp/answer"
	grep '^w' >&3
	echo 'r 0 1' >&3
	read -r _ <&4
	kill -9 $lib_pid
	wait $lib_pid 2>/dev/null
	exec 3>&- 4<&-
}

# save, put: save and restore the two files
save() {
	cp "$v" "$tmp/saved.fd"
	cp "$v.journal" "$tmp/saved.journal"
	size=$(wc -c <"$v.journal")
}

put() {
	cp "$tmp/saved.fd" "$v"
	cp "$tmp/saved.journal" "$v.journal"
}

# flip FILE OFFSET: inverts all bits of one byte
# shellcheck disable=SC2317 # every() calls it
flip() {
	lib_byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059
	printf "\\$(printf %o $((255 - lib_byte)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# every TEXT FILE FIRST STEP END COMMAND: calls COMMAND FILE OFFSET for every
# STEPth offset, each time on the saved files; both readers must agree
every() {
	lib_text=$1 lib_file=$2 lib_at=$3 lib_step=$4 lib_end=$5 lib_command=$6
	lib_read=0 lib_refused=0 lib_other=
	while [ "$lib_at" -lt "$lib_end" ]; do
		put
		"$lib_command" "$lib_file" "$lib_at"
		lib_result=$(both "$v")
		case $lib_result in
		read) lib_read=$((lib_read + 1)) ;;
		refused) lib_refused=$((lib_refused + 1)) ;;
		*) lib_other="$lib_at: $lib_result" ;;
		esac
		lib_at=$((lib_at + lib_step))
	done
	put
	check_equal "$lib_text ($lib_read read, $lib_refused refused)" "" "$lib_other"
}

# shellcheck disable=SC2317 # every() calls it
cut_off() {
	truncate -s "$2" "$1"
}

if [ -r "$template" ]; then
	cp "$template" "$v"
	check_equal "no journal" read "$(both "$v")"
	for trace in firstboot secondboot; do
		zcat "$data/ovmf-2022.11-4m-$trace.trace.gz" >"$tmp/trace"
		cp "$v" "$tmp/before.fd"
		[ ! -e "$v.journal" ] || cp "$v.journal" "$tmp/before.journal"
		run_killed <"$tmp/trace"
		check_equal "$trace, killed" read "$(both "$v")"
		check "$trace: the journal has changes that VARS lacks" \
			sh -c "! cmp -s '$v' '$tmp/ctl.out'"
		save
		every "$trace, killed, truncated" "$v.journal" 70 $((size / 7)) "$size" cut_off
		every "$trace, killed, damaged" "$v.journal" 37 $((size / 7)) "$size" flip
		cp "$tmp/before.fd" "$v"
		rm -f "$v.journal"
		[ ! -e "$tmp/before.journal" ] || cp "$tmp/before.journal" "$v.journal"
		"$replay" --vars "$v" <"$tmp/trace" >/dev/null
		check_equal "$trace, closed" read "$(both "$v")"
		check "$trace: VARS alone is the image" cmp -s "$v" "$tmp/py.out"
	done
	python3 tests/reader.py --log "$v" >"$tmp/log"
	check "there is a history" test "$(wc -l <"$tmp/log")" -gt 2
	python3 tests/reader.py --at "$(head -n 1 "$tmp/log" | cut -d ' ' -f 1)" "$v" >"$tmp/past"
	check "the history begins with the template" cmp -s "$tmp/past" "$template"
	python3 tests/reader.py --at "$(tail -n 1 "$tmp/log" | cut -d ' ' -f 1)" "$v" >"$tmp/past"
	check "the history ends with the image" cmp -s "$tmp/past" "$v"
	cp "$tmp/before.fd" "$v"
	check_equal "an older VARS with the newer journal" refused "$(both "$v")"
else
	skip "the traces: $template is missing (package ovmf)"
fi

# Small files, so that many can be tested; with bursts that are checkpointed and
# bursts that are not.
writes() {
	for lib_n in $1; do
		printf 'w %x 1 20\nw %x 1 d0\n' $((lib_n % 4 * 4096)) $((lib_n % 4 * 4096))
		for lib_byte in 1 2 3; do
			printf 'w %x 1 10\nw %x 1 %x\n' $((lib_n * 100 + lib_byte)) \
				$((lib_n * 100 + lib_byte)) $((lib_n * 16 + lib_byte))
		done
		echo 'w 0 1 ff'
	done
}

rm -f "$v.journal"
dd if=/dev/zero bs=4096 count=4 2>/dev/null | tr '\0' '\377' >"$v"
writes "1 2 3" | "$replay" --vars "$v" >/dev/null
check_equal "small, closed" read "$(both "$v")"
save
checkpointed=$size
every "small, closed, truncated" "$v.journal" 0 61 "$size" cut_off
every "small, closed, damaged" "$v.journal" 0 41 "$size" flip
every "small, closed, VARS damaged" "$v" 0 1999 16384 flip
writes "4 5 6" | run_killed
check_equal "small, killed" read "$(both "$v")"
save
check "small, killed: the journal has grown" test "$size" -gt "$checkpointed"
every "small, killed, truncated" "$v.journal" 7 43 "$size" cut_off
every "small, killed, damaged" "$v.journal" 5 29 "$size" flip
every "small, killed, VARS damaged" "$v" 0 1999 16384 flip
: >"$v.journal"
check_equal "an empty journal" refused "$(both "$v")"
rm "$v.journal"
ln -s saved.journal "$v.journal"
check_equal "the journal is a symbolic link" refused "$(both "$v")"
rm "$v.journal"
put
ln -s vars.fd "$tmp/link"
check_equal "VARS is a symbolic link" read "$(both "$tmp/link")"
truncate -s 16385 "$v"
check_equal "the size is not that of a flash" refused "$(both "$v")"
truncate -s 20480 "$v"
check_equal "VARS has another size than the journal" refused "$(both "$v")"
put
refuses "tests/reader.py: a number before the history" 1 'no record 0' \
	python3 tests/reader.py --at 0 "$v"
finish
