# SPDX-License-Identifier: BSD-2-Clause
# tests/reader.py, written from docs/format.md alone, and pflashctl read the
# same from every journal: whole, cut, damaged, or beside another VARS file.
. tests/lib/cli.sh

replay=$build/pflash-replay
ctl=$build/pflashctl
v=$tmp/vars.fd
template=/usr/share/OVMF/OVMF_VARS_4M.fd

if ! command -v python3 >/dev/null; then
	skip "the independent reader: there is no python3"
	finish
fi

# both FILE: `read` or `refused` if both readers say so, and read the same
both() {
	"$ctl" export "$1" "$tmp/ctl.out" 2>"$tmp/ctl.err"
	lib_ctl=$?
	python3 tests/reader.py "$1" >"$tmp/py.out" 2>"$tmp/py.err"
	case $lib_ctl,$? in
	0,0)
		if cmp -s "$tmp/ctl.out" "$tmp/py.out"; then
			echo read
		else
			echo "two images"
		fi
		;;
	3,1) echo refused ;;
	*) echo "pflashctl: $lib_ctl $(cat "$tmp/ctl.err"); $(cat "$tmp/py.err")" ;;
	esac
}

# run_killed: the accesses on standard input, then the files of a server that
# is killed: what it has answered is in the journal only
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

# keep, put: the files of before
keep() {
	cp "$v" "$tmp/kept.fd"
	cp "$v.journal" "$tmp/kept.journal"
	size=$(wc -c <"$v.journal")
}

put() {
	cp "$tmp/kept.fd" "$v"
	cp "$tmp/kept.journal" "$v.journal"
}

# flip FILE OFFSET: all bits of one byte
# shellcheck disable=SC2317 # every() calls it
flip() {
	lib_byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059
	printf "\\$(printf %o $((255 - lib_byte)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# every TEXT FILE FIRST STEP END COMMAND: COMMAND FILE OFFSET, and both agree
every() {
	lib_text=$1 lib_file=$2 lib_at=$3 lib_step=$4 lib_end=$5 lib_command=$6
	lib_read=0 lib_refused=0 lib_other=
	while [ "$lib_at" -lt "$lib_end" ]; do
		put
		"$lib_command" "$lib_file" "$lib_at"
		lib_said=$(both "$v")
		case $lib_said in
		read) lib_read=$((lib_read + 1)) ;;
		refused) lib_refused=$((lib_refused + 1)) ;;
		*) lib_other="$lib_at: $lib_said" ;;
		esac
		lib_at=$((lib_at + lib_step))
	done
	put
	check_equal "$lib_text ($lib_read read, $lib_refused refused)" "" "$lib_other"
}

# shellcheck disable=SC2317 # so is this
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
		check "$trace: the journal has what VARS has not" \
			sh -c "! cmp -s '$v' '$tmp/ctl.out'"
		keep
		every "$trace, killed, cut" "$v.journal" 70 $((size / 7)) "$size" cut_off
		every "$trace, killed, damaged" "$v.journal" 37 $((size / 7)) "$size" flip
		cp "$tmp/before.fd" "$v"
		rm -f "$v.journal"
		[ ! -e "$tmp/before.journal" ] || cp "$tmp/before.journal" "$v.journal"
		"$replay" --vars "$v" <"$tmp/trace" >/dev/null
		check_equal "$trace, closed" read "$(both "$v")"
		check "$trace: the file alone is the image" cmp -s "$v" "$tmp/py.out"
	done
	python3 tests/reader.py --log "$v" >"$tmp/log"
	check "there is a history" test "$(wc -l <"$tmp/log")" -gt 2
	python3 tests/reader.py --at "$(head -n 1 "$tmp/log" | cut -d ' ' -f 1)" "$v" >"$tmp/past"
	check "it begins with the template" cmp -s "$tmp/past" "$template"
	python3 tests/reader.py --at "$(tail -n 1 "$tmp/log" | cut -d ' ' -f 1)" "$v" >"$tmp/past"
	check "it ends with the image" cmp -s "$tmp/past" "$v"
	cp "$tmp/before.fd" "$v"
	check_equal "the VARS of before beside the journal of after" refused "$(both "$v")"
else
	skip "the traces: $template is missing (package ovmf)"
fi

# Small files, so that there is time for many of them: some bursts that are
# folded, some that are not.
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
keep
folded=$size
every "small, closed, cut" "$v.journal" 0 61 "$size" cut_off
every "small, closed, damaged" "$v.journal" 0 41 "$size" flip
every "small, closed, VARS damaged" "$v" 0 1999 16384 flip
writes "4 5 6" | run_killed
check_equal "small, killed" read "$(both "$v")"
keep
check "small, killed: the journal has grown" test "$size" -gt "$folded"
every "small, killed, cut" "$v.journal" 7 43 "$size" cut_off
every "small, killed, damaged" "$v.journal" 5 29 "$size" flip
every "small, killed, VARS damaged" "$v" 0 1999 16384 flip
: >"$v.journal"
check_equal "an empty journal" refused "$(both "$v")"
rm "$v.journal"
ln -s kept.journal "$v.journal"
check_equal "a symbolic link for a journal" refused "$(both "$v")"
rm "$v.journal"
put
ln -s vars.fd "$tmp/link"
check_equal "a symbolic link to VARS" read "$(both "$tmp/link")"
truncate -s 16385 "$v"
check_equal "a size that is no flash" refused "$(both "$v")"
truncate -s 20480 "$v"
check_equal "a journal of another size" refused "$(both "$v")"
put
refuses "the reader, a number before the history" 1 'no record 0' \
	python3 tests/reader.py --at 0 "$v"
finish
