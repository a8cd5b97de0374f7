# SPDX-License-Identifier: BSD-2-Clause
# Tests the advice of pflashctl check: for each state of VARS and its journal,
# the command that check prints is run, as it is printed, and must help.
. tests/lib/cli.sh

replay=$build/pflash-replay
ctl=$build/pflashctl
template=/usr/share/OVMF/OVMF_VARS_4M.fd
v=$tmp/vars.fd
g=$tmp/good.fd
PATH=$(cd "$build" && pwd):$PATH

if [ ! -r "$template" ]; then
	skip "rescue: $template is missing (package ovmf)"
	finish
fi

# hit FILE OFFSET: changes one byte
hit() {
	lib_byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059
	printf "\\$(printf %o $((255 - lib_byte)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

newest() {
	"$ctl" log "$1" 2>/dev/null | grep '^[0-9]' | tail -n 1 | cut -d ' ' -f 1
}

# Two boots of a firmware; small.fd is the flash of another guest, of 2 MiB.
"$ctl" create --template "$template" "$g"
zcat "$data/ovmf-2022.11-4m-firstboot.trace.gz" | "$replay" --vars "$g" >/dev/null
cp "$g" "$tmp/first.fd"
zcat "$data/ovmf-2022.11-4m-secondboot.trace.gz" | "$replay" --vars "$g" >/dev/null
last=$(newest "$g")
"$ctl" export --at "$("$ctl" log --bursts "$g" | grep '^[0-9]' | sed -n '100{s/ .*//;p;}')" \
	"$g" "$tmp/past.fd"
"$ctl" create --layout 4m "$tmp/other.fd"
"$ctl" create --layout 2m "$tmp/small.fd"
printf 'w 1f000 1 10\nw 1f000 1 0\nw 0 1 ff\n' | "$replay" --vars "$tmp/small.fd"

# The same, but the server was killed in the second boot: its bursts are in the
# journal only.
k=$tmp/killed.fd
mkfifo "$tmp/in" "$tmp/answer"
"$ctl" create --template "$template" "$k"
zcat "$data/ovmf-2022.11-4m-firstboot.trace.gz" | "$replay" --vars "$k" >/dev/null
"$replay" --vars "$k" <"$tmp/in" >"$tmp/answer" 2>/dev/null &
pid=$!
exec 4>"$tmp/in" 5<"$tmp/answer"
{
	zcat "$data/ovmf-2022.11-4m-secondboot.trace.gz" | grep '^w'
	echo 'r 0 1'
} >&4
read -r _ <&5
kill -9 $pid
wait $pid 2>/dev/null
exec 4>&- 5<&-
check "killed: VARS alone is not up to date" cmp -s "$k" "$tmp/first.fd"
"$ctl" export "$k" "$tmp/exported.fd"
check "killed: VARS and journal are" cmp -s "$tmp/exported.fd" "$g"

# put BASE
put() {
	rm -f "$v" "$v".*
	cp "$1" "$v"
	cp "$1.journal" "$v.journal"
	length=$(stat -c %s "$v.journal")
}

# break_vars STATE
break_vars() {
	case $1 in
	good) ;;
	cut) truncate -s 65536 "$v" ;;
	odd) truncate -s 65537 "$v" ;;
	longer) truncate -s 1M "$v" ;;
	padded) truncate -s 600000 "$v" ;;
	past) cp "$tmp/past.fd" "$v" ;;
	empty) : >"$v" ;;
	zeroed) head -c 540672 /dev/zero >"$v" ;;
	gone) rm -f "$v" ;;
	other) cp "$tmp/other.fd" "$v" ;;
	small) cp "$tmp/small.fd" "$v" ;;
	changed) hit "$v" 500000 ;;
	esac
	[ ! -e "$v" ] || cp "$v" "$tmp/broken.fd"
}

# break_journal STATE: `early` is damage in the first quarter, `late` in the
# last, `end` in bursts that VARS does not have, `start` in the header
break_journal() {
	case $1 in
	whole) ;;
	cut) truncate -s $((length * 3 / 4)) "$v.journal" ;;
	torn) truncate -s $((length - 400)) "$v.journal" ;;
	early) hit "$v.journal" $((length / 4)) ;;
	late) hit "$v.journal" $((length * 3 / 4)) ;;
	end) hit "$v.journal" $((length - 400)) ;;
	start) hit "$v.journal" 3 ;;
	small) cp "$tmp/small.fd.journal" "$v.journal" ;;
	gone) rm -f "$v.journal" ;;
	esac
	[ ! -e "$v.journal" ] || cp "$v.journal" "$tmp/broken.journal"
}

# advised LINE: the command behind `repair: ` or `or, `, as it was printed
advised() {
	sed -n "s/^$1[^\`]*\`\\([^\`]*\\)\`.*/\\1/p" "$tmp/said" |
		sed "s,BACKUP,'$g',"
}

# wanted RESULT COMMAND: the file that VARS must equal
wanted() {
	case $1 in
	last) echo "$g" ;;
	same) echo "$tmp/broken.fd" ;;
	small) echo "$tmp/small.fd" ;;
	point)
		lib_to=$(echo "$2" | sed -n 's/.*--to \([0-9]*\) .*/\1/p')
		"$ctl" export --at "${lib_to:-0}" "$base" "$tmp/point.fd"
		echo "$tmp/point.fd"
		;;
	esac
}

# is_kept FILE: a file beside VARS, or the oldest point, has these contents
is_kept() {
	for lib_kept in "$v" "$v".*; do
		[ ! -e "$lib_kept" ] || ! cmp -s "$lib_kept" "$1" || return 0
	done
	"$ctl" export --at 1 "$v" - 2>/dev/null | cmp -s - "$1"
}

# run_case VARS JOURNAL LINE RESULT, on copies of $base
run_case() {
	case="${base##*/}: VARS $1, journal $2, $3"
	put "$base"
	break_vars "$1"
	break_journal "$2"
	"$ctl" check "$v" >"$tmp/said" 2>&1
	code=$?
	if [ "$3" = none ]; then
		check_equal "$case: sound" "0 0" \
			"$code $(grep -c -e '^repair' -e '^or,' "$tmp/said")"
		return
	fi
	check_equal "$case: check finds it, with one repair" "3 1" \
		"$code $(grep -c '^repair: ' "$tmp/said")"
	command=$(advised "$3")
	if ! sh -c "${command:-false}" >"$tmp/out" 2>&1; then
		not_ok "$case: '$command' failed: $(cat "$tmp/out" "$tmp/said")"
		return
	fi
	ok "$case: $(echo "$command" | sed "s,$tmp/,,g")"
	check "$case: the image is right" cmp -s "$(wanted "$4" "$command")" "$v"
	"$ctl" check "$v" >"$tmp/said" 2>&1
	check_equal "$case: check says that it is sound" "0 0" \
		"$? $(grep -c '^repair' "$tmp/said")"
	check_equal "$case: a server accepts it" 5f \
		"$(printf 'r 28 1\n' | "$replay" --vars "$v" 2>&1)"
	[ "$1" = gone ] ||
		check "$case: the VARS file is kept" is_kept "$tmp/broken.fd"
	[ "$2" = whole ] || [ "$2" = gone ] || [ "$4" = small ] ||
		check "$case: the journal is kept" is_kept "$tmp/broken.journal"
}

# run_table BASE: each line of the input is a case: the state of VARS, the state
# of the journal, the line of check to obey (`none`: check finds no fault), and
# the image that VARS has then
run_table() {
	base=$1
	while read -r vars journal line result <&3; do
		run_case "$vars" "$journal" "$line" "$result"
	done
}

run_table "$g" 3<<'TABLE'
good whole none last
cut whole repair last
odd whole repair last
longer whole repair last
padded whole repair last
past whole repair last
past whole or, same
empty whole repair last
zeroed whole repair last
gone whole repair last
changed whole repair last
changed whole or, same
other whole repair last
other whole or, same
small whole repair same
small whole or, last
good cut repair last
good cut or, point
cut cut repair point
odd cut repair point
longer cut repair point
padded cut repair point
past torn repair point
past torn or, same
empty cut repair point
zeroed cut repair point
gone cut repair point
changed cut repair same
changed cut or, point
other cut none last
small cut repair same
small cut or, point
good early repair last
cut early repair point
zeroed early repair point
empty early repair point
gone early repair point
changed early repair point
changed early or, same
other early repair point
other early or, same
small early repair same
small early or, point
good late repair last
cut late repair point
zeroed late repair point
gone late repair point
changed late repair point
other late repair point
good start repair last
cut start repair last
odd start repair last
longer start repair last
empty start repair last
zeroed start repair last
gone start repair last
changed start repair same
other start repair same
small start repair same
good small repair last
good small or, small
cut small repair small
empty small repair small
zeroed small repair small
gone small repair small
changed small repair same
other small repair same
small small none last
good gone none last
cut gone repair last
odd gone repair last
longer gone repair last
padded gone repair last
padded start repair last
empty gone repair last
zeroed gone repair last
changed gone none last
other gone none last
small gone none last
TABLE
run_table "$k" 3<<'TABLE'
good whole none last
cut whole repair last
empty whole repair last
zeroed whole repair last
gone whole repair last
changed whole repair last
other whole repair last
good cut repair same
cut cut repair point
good early repair last
cut early repair point
gone early repair point
good late repair last
cut late repair point
zeroed late repair point
good end repair point
changed end repair same
changed end or, point
gone end repair point
good start repair same
TABLE

# --- names, and refusals of other programs ---

# The printed command names the files, as words for the shell, and --journal.
put "$g"
mkdir "$tmp/a 'b'"
mv "$v.journal" "$tmp/a 'b'/j"
: >"$v"
"$ctl" check --journal "$tmp/a 'b'/j" "$v" >"$tmp/said"
command=$(advised repair)
check "quoted: $(echo "$command" | sed "s,$tmp/,,g")" sh -c "${command:-false} >/dev/null"
check "quoted: the image is right" cmp -s "$g" "$v"

# A padded file has its variables itself, and no backup is needed.
for state in longer padded; do
	put "$g"
	rm -f "$v.journal"
	break_vars $state
	"$ctl" check "$v" >"$tmp/said" 2>&1
	check "$state: no backup is needed" sh -c "! grep -q BACKUP '$tmp/said'"
done

# A name that the shell and a terminal would obey.
odd=$(printf '%s/-\033[2J `x` $y \303\244' "$tmp")
cp "$g.journal" "$odd.journal"
(cd "$tmp" && "$(cd - >/dev/null && cd "$build" && pwd)/pflashctl" check -- "${odd##*/}") >"$tmp/said"
command=$(advised repair)
check "an odd name: $command" sh -c "cd '$tmp' && ${command:-false} >/dev/null"
check "an odd name: the image is right" cmp -s "$g" "$odd"

# points_to_check TEXT COMMAND...: COMMAND is refused, its message advises to run
# `pflashctl check`, and the repair that check prints helps
points_to_check() {
	lib_what=$1
	shift
	refuses "$lib_what" 3 '`pflashctl check' "$@"
	"$ctl" check "$v" >"$tmp/said"
	command=$(advised repair)
	check "$lib_what: the repair" sh -c "${command:-false} >/dev/null"
	check "$lib_what: the image is right" cmp -s "$g" "$v"
}
for state in cut zeroed; do
	put "$g"
	break_vars $state
	points_to_check "pflashd: VARS $state" \
		"$build/pflashd" --domain 1 --vars "$v" --base 0xff000000 --foreground
	put "$g"
	break_vars $state
	points_to_check "export: VARS $state" "$ctl" export "$v" "$tmp/exported.fd"
done
put "$g"
rm -f "$v"
points_to_check "create: VARS gone" "$ctl" create --layout 4m "$v"
finish
