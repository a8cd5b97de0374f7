# SPDX-License-Identifier: BSD-2-Clause
# Tests a move that was interrupted: whatever program looks at whatever place
# names the command that completes it, and that command helps. Also pflashctl
# forget, which undoes a move, two moves at once, and the records of pflashd.
. tests/lib/cli.sh

ctl=$build/pflashctl
d=$build/pflashd
PFLASH_KNOWN_DIR=$tmp/known
export PFLASH_KNOWN_DIR
PATH=$(cd "$build" && pwd):$PATH

# flash FILE [OPTION...]: a VARS file with a history of two points
flash() {
	lib_file=$1
	shift
	"$ctl" create --layout 2m "$lib_file" &&
		printf 'w 1ffff 1 10\nw 1ffff 1 5a\nw 0 1 ff\n' |
		"$build/pflash-replay" --vars "$lib_file" "$@" >"$tmp/replay"
}

# stop STEP OLD JOURNAL NEW NEWJOURNAL: what a crash leaves within a move: before
# step 2, before step 3, within it (VARS has its name), or within step 4 (the old
# VARS is removed), as docs/format.md has the steps
stop() {
	PYTHONPATH=tests python3 -B - "$@" <<'END'
import os, struct, sys

from reader import crc


def note(name, kind, vars, journal, content=b""):
    path = os.fsencode(vars)
    if journal != vars + ".journal":
        path += b"\0" + os.fsencode(journal)
    head = b"PFLASHM1" + struct.pack("<IIQ", kind, len(path), len(content)) + path
    with open(name, "wb") as file:
        file.write(head + struct.pack("<I", crc(0, head)) + content)


step, old, oldj, new, newj = sys.argv[1:]
with open(oldj, "rb") as file:
    journal = file.read()
if step == "four":
    with open(newj, "wb") as file:
        file.write(journal)
else:
    note(newj, 2, old, oldj)
if step != "one":
    note(oldj, 1, new, newj, journal)
if step in ("three", "four"):
    with open(old, "rb") as source, open(new, "wb") as file:
        file.write(source.read())
if step == "four":
    os.remove(old)
END
}

# completes TEXT COMMAND...: COMMAND is refused, and the command in its message
# completes the move
completes() {
	lib_what=$1
	shift
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	check_equal "$lib_what: refused" "3 0" "$? $(wc -c <"$tmp/out")"
	command=$(sed -n 's/.*`\(pflashctl move .*\)`.*/\1/p' "$tmp/err")
	check "$lib_what: $(echo "$command" | sed "s,$tmp/,,g")" \
		sh -c "${command:-false}" 2>"$tmp/err2"
	check_equal "$lib_what: the flash" "$vars" "$(sum "$new" 2>&1)"
	check "$lib_what: and its journal" cmp -s "$tmp/journal" "$newj"
	check "$lib_what: nothing is left" test ! -e "$old" -a ! -e "$oldj"
}

# each STEP: every command and pflashd, at both places
each() {
	for place in old new; do
		if [ $place = old ]; then v=$old j=$oldj; else v=$new j=$newj; fi
		set -- "$1" 'check $v' 'export $v $tmp/x' 'log $v' 'diff --at 1 $v' \
			'export --at 1 $v $tmp/x' 'rollback --to 1 $v' 'accept $v' \
			'compact $v' 'create --reset --layout 2m $v' \
			'convert --layout 4m $v' 'clone $v $tmp/x' 'move $v $tmp/x' pflashd
		step=$1
		shift
		for words in "$@"; do
			# Before step 2 the old place is used as ever, and
			# from the end of step 3 on the new one.
			case $step$place in oneold | fournew) continue ;; esac
			rm -rf "$tmp/a" "$tmp/known" "$tmp/x"*
			mkdir "$tmp/a" "$dir"
			flash "$old" --journal "$oldj"
			vars=$(sum "$old")
			cp "$oldj" "$tmp/journal"
			stop "$step" "$old" "$oldj" "$new" "$newj"
			run "$words"
		done
		set -- "$step"
	done
}

# run WORDS: `$v` in it is one word
run() {
	words=$1
	if [ "$words" = pflashd ]; then
		[ -e /proc/xen/capabilities ] || completes \
			"step $step, $place, pflashd" "$d" --domain 1 --vars "$v" \
			--journal "$j" --layout 2m --foreground --sandbox none
		return
	fi
	set -- "${words%% *}" --journal "$j"
	for word in ${words#* }; do
		case $word in
		\$v) word=$v ;;
		\$tmp/x) word=$tmp/x ;;
		esac
		set -- "$@" "$word"
	done
	completes "step $step, $place, $1" "$ctl" "$@"
}

old=$tmp/a/old.fd oldj=$old.journal dir="$tmp/a/b 'c'" new="$tmp/a/b 'c'/n" newj=$new.journal
for stopped in one two three four; do
	each $stopped
done
# journals apart, and names that a terminal would obey
dir=$(printf '%s/a/\033]0;x\007 \303\244 %%s' "$tmp")
new=$dir/n newj=$dir/nj oldj=$dir/oj
for stopped in two four; do
	each $stopped
done

# --- the same move with other options must not lose the journal ---
prepare() {
	rm -rf "$tmp/a" "$tmp/known"
	mkdir -p "$tmp/a" "$dir"
	flash "$old" --journal "$oldj"
	vars=$(sum "$old")
	cp "$oldj" "$tmp/journal"
	stop "$1" "$old" "$oldj" "$new" "$newj"
}
dir=$tmp/a/b new=$dir/new.fd newj=$dir/nj oldj=$tmp/a/oj
for stopped in two three; do
	prepare $stopped
	completes "step $stopped, without --new-journal" \
		"$ctl" move --journal "$oldj" "$old" "$new"
done
prepare two
refuses "step two, without --journal" 3 'complete the move by' \
	"$ctl" move --new-journal "$newj" "$old" "$new"

# --- another file in the place of NEW ---
prepare two
"$ctl" create --layout 4m "$tmp/a/other.fd"
mv "$tmp/a/other.fd" "$new"
refuses "a file that is not the one that is moved" 3 'is not the one that is moved here' \
	"$ctl" move --journal "$oldj" --new-journal "$newj" "$old" "$new"
check_equal "the old one is kept" "$vars" "$(sum "$old")"
mv "$new" "$tmp/a/other.fd"
check "without it, the move" "$ctl" move --journal "$oldj" --new-journal "$newj" "$old" "$new"
check_equal "the flash is moved" "$vars" "$(sum "$new")"

# --- the target is lost: forget undoes the move ---
newj=$new.journal oldj=$old.journal
for stopped in two four; do
	prepare $stopped
	rm -rf "$dir"
	mkdir "$dir"
	"$ctl" move "$old" "$new" 2>"$tmp/err"
	check_equal "step $stopped, the target is lost" 3 $?
	command=$(sed -n 's/.*lost, `\([^`]*\)`.*/\1/p' "$tmp/err")
	check "step $stopped: $(echo "$command" | sed "s,$tmp/,,g")" \
		sh -c "${command:-false} >'$tmp/out'"
	check "step $stopped: the journal is back" cmp -s "$tmp/journal" "$oldj"
	"$ctl" check "$old" >"$tmp/said" || {
		command=$(sed -n 's/^repair: `\([^`]*\)`.*/\1/p' "$tmp/said")
		check "step $stopped: $(echo "$command" | sed "s,$tmp/,,g")" \
			sh -c "${command:-false} >'$tmp/out'"
	}
	check_equal "step $stopped: so is VARS" "$vars" "$(sum "$old")"
done

# --- a complete move, hard links, directories, two moves at once ---
prepare two
check "a complete move" "$ctl" move "$old" "$new"
refuses "the same again" 3 "No such file or directory: it was moved to $new" \
	"$ctl" move "$old" "$new"
check "moved on" "$ctl" move "$new" "$tmp/a/last.fd"
refuses "the last place is named" 3 "it was moved to $tmp/a/last.fd" "$ctl" move "$old" "$new"
flash "$old"
refuses "a directory" 3 'is a directory: name the file in it' "$ctl" move "$old" "$dir"
ln "$old" "$tmp/a/hard"
refuses "hard links, with --journal" 3 'has 2 names' \
	"$ctl" move --journal "$oldj" "$old" "$new"
rm "$tmp/a/hard"
flash "$tmp/a/second.fd"
for i in 1 2 3 4 5; do
	"$ctl" move "$old" "$new" 2>"$tmp/err" &
	"$ctl" move "$tmp/a/second.fd" "$new" 2>"$tmp/err2"
	wait $!
	case $(echo "$old"* "$tmp/a/second.fd"* "$new"*) in
	"$old $oldj $tmp/a/second.fd"\*" $new $newj") back=$tmp/a/second.fd ;;
	"$old"\*" $tmp/a/second.fd $tmp/a/second.fd.journal $new $newj") back=$old ;;
	*) back= ;;
	esac
	check "two moves to one place, $i" test -n "$back"
	check "two moves to one place, $i: the flash is sound" \
		sh -c "'$ctl' check '$new' >/dev/null && '$ctl' move '$new' '${back:-$old}'"
done

# --- the records ---
if [ -e /proc/xen/capabilities ]; then
	skip "pflashd and the records: this is a Xen host"
	finish
fi
start() {
	[ "$(id -u)" -eq 0 ] || set -- --sandbox none "$@"
	"$d" --domain 1 --foreground --vars "$v" "$@"
}
rm -rf "$tmp/a" "$tmp/known"
mkdir "$tmp/a" "$tmp/known"
v=$tmp/a/g.fd
record=$tmp/known/$(echo "${v#/}" | tr / -)
for state in empty torn garbage later fifo directory loop; do
	rm -rf "$record"
	case $state in
	empty) : >"$record" ;;
	torn) printf 'vars /tm' >"$record" ;;
	garbage) head -c 9000 /dev/urandom >"$record" ;;
	later) printf 'version 9\nvars %s\n' "$v" >"$record" ;;
	fifo) mkfifo "$record" ;;
	directory) mkdir "$record" ;;
	loop) ln -s "$record" "$record" ;;
	esac
	case $state in
	fifo | directory | loop)
		refuses "a record that is a $state" 3 'pflashctl create' start --layout 2m
		check "the way out" "$ctl" create --layout 2m "$v"
		refuses "then it starts" 5 xenstored start --layout 2m
		rm -f "$v"
		;;
	*)
		refuses "a record that is $state" 3 'a guest has used it' start --layout 2m
		command=$(sed -n 's/.*`\(pflashctl forget [^`]*\)`.*/\1/p' "$tmp/err")
		check "the way out" sh -c "${command:-false} >'$tmp/out'"
		refuses "then it starts" 5 xenstored start --layout 2m
		;;
	esac
done
# a path by a symbolic link, which leads elsewhere later
mkdir "$tmp/a/real"
ln -s real "$tmp/a/link"
flash "$v"
check "a move to a path with a link" "$ctl" move "$v" "$tmp/a/link/l.fd"
v=$tmp/a/link/l.fd
rm "$tmp/a/link"
mkdir "$tmp/a/link"
refuses "the path that the user gave is known, too" 3 'a guest has used it' start --layout 2m
rm -r "$tmp/a/link" "$tmp/a/real"
v=$tmp/a/g.fd
rm -rf "$tmp/known"
: >"$tmp/known"
refuses "the directory of the records is a file" 3 'Not a directory.*pflashctl create' start --layout 2m
rm "$tmp/known"
mkdir "$tmp/known"
printf 'vars %s\n' "$v" >"$record"
refuses "without layout: a guest has used it" 3 'a guest has used it' start
flash "$v"
rm "$v"
refuses "the journal is named, too" 3 'a guest has used it.*pflashctl check' start --layout 2m
command=$("$ctl" check "$v" | sed -n 's/^repair: `\([^`]*\)`.*/\1/p')
check "its repair" sh -c "${command:-false} >'$tmp/out'"
refuses "then it starts" 5 xenstored start --layout 2m
"$ctl" forget "$v" >/dev/null
rm -f "$v" "$v.journal"
refuses "no record, no journal: a new file" 5 xenstored start --layout 2m
flash "$v"
rm "$v"
refuses "no record: the journal alone prevents a new file" 3 'pflashctl check' start --layout 2m
refuses "also without layout" 3 'pflashctl check' start
finish
