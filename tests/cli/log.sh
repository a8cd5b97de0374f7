# SPDX-License-Identifier: BSD-2-Clause
# Tests `pflashctl log`: one line for each change of a variable, with the number
# of its burst, in groups; the history is that of two boots of a real firmware.
. tests/lib/cli.sh

replay=$build/pflash-replay
ctl=$build/pflashctl
v=$tmp/vars.fd
time='[0-9]*-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]'

# log [OPTION]...: the result of log is in $tmp/said
log() {
	"$ctl" log "$@" "$v" >"$tmp/said" 2>"$tmp/err"
	lib_code=$?
	[ ! -s "$tmp/err" ] || not_ok "log $*: $(cat "$tmp/err")"
	check_equal "log $*: exit code" 0 $lib_code
}

# changes: the lines of variables
changes() {
	grep "^[1-9][0-9]*  $time  [-~+] " "$tmp/said"
}

# apply: replays the accesses on standard input
apply() {
	"$replay" --vars "$v" >/dev/null
}

# boot WHICH: replays a recorded boot
boot() {
	zcat "$data/ovmf-2022.11-4m-$1boot.trace.gz" | apply
}

# --- a first boot ---

"$ctl" create --layout 4m "$v"
log
check_equal "no journal" "no history" "$(cat "$tmp/said")"
boot first
cp "$v" "$tmp/first.fd"
log
check_equal "50 changes are 50 lines" 50 "$(changes | wc -l)"
check_equal "besides, the begin, a group, and a sum" \
	"1  TIME  the history begins|# MTC, which counts the boots, is 1|# not shown without --bursts: 201 bursts that changed no variable|" \
	"$(grep -v "^[1-9][0-9]*  $time  [-~+] " "$tmp/said" | sed "s/$time/TIME/" | tr '\n' '|')"
check_equal "the begin is first" 1 "$(head -n 1 "$tmp/said" | cut -d ' ' -f 1)"
check_equal "the counter of boots begins a group" 1 \
	"$(grep -A 1 '^# MTC' "$tmp/said" | grep -c '  + MtcVendor MTC, 4 bytes: 1$')"
check "a line has the size before and after" grep -q \
	'  ~ EfiGlobalVariable ConOut, 241 to 168 bytes' "$tmp/said"
"$ctl" log --bursts "$v" >"$tmp/bursts"
check_equal "the bursts without a change are all others" \
	$(($(grep -c '^[0-9]' "$tmp/bursts") - 1 - 50)) \
	"$(sed -n 's/^# not shown .*: \([0-9]*\) bursts that .*/\1/p' "$tmp/said")"
awk '/^[0-9]/ { number = $1; next } { sub(/^ */, ""); print number, $0 }' "$tmp/bursts" >"$tmp/wanted"
changes | sed "s/^\([0-9]*\)  $time  /\1 /" >"$tmp/got"
check "--bursts has the same changes at the same points" cmp -s "$tmp/wanted" "$tmp/got"
first=$(changes | tail -n 1 | cut -d ' ' -f 1)

# --- a second boot ---

boot second
log
check_equal "18 more changes" 68 "$(changes | wc -l)"
check_equal "the second boot begins where the first one ended" \
	"253  TIME  + EfiMemoryTypeInformation MemoryTypeInformation, 48 bytes|# MTC, which counts the boots, is 2|260  TIME  ~ MtcVendor MTC, 4 to 4 bytes: 2 instead of 1|" \
	"$(grep -B 1 -A 1 '^# MTC.* 2$' "$tmp/said" | sed "s/$time/TIME/" | tr '\n' '|')"
check_equal "the last change of the first boot" 253 "$first"
check_equal "a variable that is gone" 354 "$(grep '  - EfiGlobalVariable ErrOut, 63 bytes' "$tmp/said" | cut -d ' ' -f 1)"

# The number of a line is the point after the change, and diff agrees.
changes >"$tmp/lines"
from=1 differ=0
while read -r number _ _ change; do
	"$ctl" diff --at "$from" --to "$number" "$v" | grep '^[-~+] ' >"$tmp/differs"
	[ "$(cat "$tmp/differs")" = "$change" ] || differ=$((differ + 1))
	from=$number
done <"$tmp/lines"
check_equal "diff between two lines is the second one" 0 "$differ"
"$ctl" export --at "$first" "$v" "$tmp/out.fd"
check "export takes such a number" cmp -s "$tmp/first.fd" "$tmp/out.fd"

# --- --last ---

tail -n 3 "$tmp/lines" >"$tmp/three"
log --last 3
check "--last 3: the last three changes" sh -c "head -n 3 '$tmp/said' | cmp -s - '$tmp/three'"
check_equal "--last 3: the bursts since then that changed nothing" \
	"# not shown without --bursts: 6 bursts that changed no variable" "$(tail -n +4 "$tmp/said")"
log
cp "$tmp/said" "$tmp/all"
log --last 68
check "--last 68: all changes" cmp -s "$tmp/all" "$tmp/said"
log --last 100000
check "--last with more changes than there are" cmp -s "$tmp/all" "$tmp/said"
log --bursts --last 1
check_equal "--last with --bursts counts bursts" 1 "$(grep -c '^[0-9]' "$tmp/said")"
log --last 18
check_equal "--last 18: the second boot is a group" "# MTC, which counts the boots, is 2" \
	"$(head -n 1 "$tmp/said")"

# --- a burst of many changes ---

"$ctl" rollback --to "$first" "$v"
log
changes | tail -n +69 >"$tmp/back"
check_equal "rollback: the variables that diff lists for it" \
	"$("$ctl" diff --at 354 "$v" | grep '^[-~+] ')" "$(sed "s/^[0-9]*  $time  //" "$tmp/back")"
check_equal "rollback: its lines have the same number" 1 "$(cut -d ' ' -f 1 "$tmp/back" | sort -u | wc -l)"
check_equal "rollback: the counter of boots goes back" "# MTC, which counts the boots, is 1" \
	"$(grep '^#.*MTC' "$tmp/said" | tail -n 1)"
rolled=$(tail -n 1 "$tmp/back" | cut -d ' ' -f 1)
"$ctl" rollback --to 354 "$v"
"$ctl" rollback --to "$rolled" "$v"
check_equal "rollback takes the number of a line" "0 bytes differ" "$("$ctl" diff --at "$first" "$v")"
log --last 2
check_equal "--last may cut the changes of a burst" 2 "$(changes | wc -l)"

# --- checkpoints ---

rm -f "$v" "$v.journal"
"$ctl" create --layout 2m "$v"
fill 0 2 | apply
fill 2 1 | apply
printf 'w e000 1 10\nw e000 1 0\nw e000 1 ff\n' | apply
fill 3 1 | apply
log
check_equal "a checkpoint between two changes begins a group" "begins + + # + # + # " \
	"$(sed "s/^# checkpoint $time\$/#/; s/.*  \([+]\) .*/\1/; s/.*begins/begins/; s/^# not shown.*/#/" "$tmp/said" |
		tr '\n' ' ')"
check_equal "several checkpoints are one line" 2 "$(grep -c "^# checkpoint $time\$" "$tmp/said")"
log --last 2
check_equal "no checkpoint before the first line" "+ # + " \
	"$(sed "/^# not/d; s/^# checkpoint $time\$/#/; s/.*  \([+]\) .*/\1/" "$tmp/said" | tr '\n' ' ')"

# --- text of guests ---

rm -f "$v" "$v.journal"
"$ctl" create --layout 2m "$v"
fill 0 1 | sed 's/^w a0 1 0$/w a0 1 1b/; s/^w a1 1 40$/w a1 1 0/' | apply
log
escape=$(printf '\033')
check_equal "a name with a control character is one line" 1 "$(changes | wc -l)"
check "the control character is replaced" sh -c "! grep -q '$escape' '$tmp/said'"
check "by U+FFFD" grep -q "$(printf '\357\277\275'), 1 bytes\$" "$tmp/said"

# --- names that mislead ---

# names NAME...: VARS gets these variables, in one burst
names() {
	rm -f "$v" "$v.journal"
	"$ctl" create --layout 4m "$v"
	"$ctl" create --layout 4m "$tmp/names.fd"
	python3 - "$tmp/names.fd" "$@" <<'EOF'
import struct, sys
image = bytearray(open(sys.argv[1], "rb").read())
at = 100
for name in sys.argv[2:]:
    name = eval('"' + name + '"').encode("utf-16le", "surrogatepass") + b"\0\0"
    entry = b"\xaa\x55\x3f\0" + struct.pack("<I", 7) + bytes(28)
    entry += struct.pack("<II", len(name), 3) + bytes(16) + name + b"abc"
    image[at:at + len(entry)] = entry
    at = (at + len(entry) + 3) & ~3
open(sys.argv[1], "wb").write(image)
EOF
	"$ctl" create --reset --template "$tmp/names.fd" "$v"
	rm "$tmp/names.fd"
	log
}
names 'x\u202ey' 'z\u200b' '\u2028l' '\ufeffq' 'e\ud800' "é"
check_equal "format characters are escaped" \
	"x\\xe2\\x80\\xaey z\\xe2\\x80\\x8b \\xe2\\x80\\xa8l \\xef\\xbb\\xbfq e$(printf '\357\277\275') é" \
	"$(changes | sed 's/.*-[0-9]* \([^ ]*\), 3 bytes$/\1/' | xargs -d '\n')"
check_equal "diff, too" "$(changes | sed 's/^[^-+]*-[^-]*-[^+]*+/+/')" \
	"$("$ctl" diff --at 1 "$v" | grep '^+')"
long=$(printf '%04000d' 0)
names "${long}1" "${long}2" "$(printf '%0255d' 0)"
check_equal "a long name is cut, and says so" "258 258 255" \
	"$(changes | sed 's/.*-[0-9]* \([0.]*\), 3 bytes$/\1/' | awk '{ print length($0) }' | xargs)"
check_equal "by three dots" 2 "$(changes | grep -c '0\.\.\., 3 bytes$')"
refuses "--last 0" 2 "'0' is not" "$ctl" log --last 0 "$v"

# --- no variable store, a damaged journal ---

rm -f "$v" "$v.journal"
head -c 131072 /dev/zero | tr '\0' '\377' >"$v"
printf 'w 0 1 10\nw 0 1 0\nw 0 1 ff\nw 9 1 10\nw 9 1 0\nw 9 1 ff\n' | apply
log
check_equal "no store: the bursts are counted" \
	"# not shown without --bursts: 2 bursts whose variables cannot be read" \
	"$(tail -n +2 "$tmp/said")"
rm -f "$v" "$v.journal"
"$ctl" create --layout 2m "$v"
fill 0 9 | apply
"$ctl" log "$v" >"$tmp/all"
at=$(($(wc -c <"$v.journal") / 2))
printf '\252' | dd of="$v.journal" bs=1 seek=$at conv=notrunc 2>/dev/null
"$ctl" log "$v" >"$tmp/said" 2>"$tmp/err"
check_equal "a damaged journal: exit code" 3 $?
lines=$(changes | wc -l)
check "a damaged journal: the changes before the damage" test "$lines" -gt 2 -a "$lines" -lt 9
check_equal "they are the first ones" "$(head -n $((lines + 1)) "$tmp/all")" "$(grep -v '^#' "$tmp/said")"

refuses "--bursts is an option of log only" 2 'pflashctl check does not take' "$ctl" check --bursts "$v"
check "--help names it" sh -c "'$ctl' log --help | grep -q -e '--bursts'"
finish
