# SPDX-License-Identifier: BSD-2-Clause
# Tests pflashctl on the files that two boots of a real firmware leave: every
# command, the errors and the exit codes.
. tests/lib/cli.sh

replay=$build/pflash-replay
ctl=$build/pflashctl
template=/usr/share/OVMF/OVMF_VARS_4M.fd
v=$tmp/vars.fd
o=$tmp/out.fd

# says TEXT CODE PATTERN COMMAND...: exits with CODE and prints a line on
# standard output that the pattern matches; $tmp/said has all of them
says() {
	lib_text=$1 lib_code=$2 lib_pattern=$3
	shift 3
	"$@" >"$tmp/said" 2>"$tmp/err" </dev/null
	lib_got=$?
	if [ "$lib_got" -ne "$lib_code" ]; then
		not_ok "$lib_text: wanted exit $lib_code, got $lib_got: $(cat "$tmp/err")"
	elif ! grep -q -e "$lib_pattern" "$tmp/said"; then
		not_ok "$lib_text: '$lib_pattern' is not in: $(cat "$tmp/said")"
	else
		ok "$lib_text"
	fi
}

# quiet TEXT COMMAND...: COMMAND exits with 0 and prints nothing
quiet() {
	lib_text=$1
	shift
	"$@" >"$tmp/said" 2>"$tmp/err" </dev/null
	check_equal "$lib_text" "0 " "$? $(cat "$tmp/said" "$tmp/err")"
}

# hit FILE OFFSET: changes one byte
hit() {
	lib_byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059
	printf "\\$(printf %o $((255 - lib_byte)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

sums() {
	lib_sums=
	for lib_file in "$v" "$v.journal"; do
		[ -e "$lib_file" ] && lib_sums="$lib_sums $(sum "$lib_file")"
	done
	echo "$lib_sums"
}

# unchanged TEXT: VARS and journal have not changed since before=$(sums)
unchanged() {
	check_equal "$1" "$before" "$(sums)"
}

points() {
	"$ctl" log --bursts "$v" 2>/dev/null | grep -c '^[0-9]'
}

newest() {
	"$ctl" log --bursts "$v" 2>/dev/null | grep '^[0-9]' | tail -n 1 | cut -d ' ' -f 1
}

# --- the command line ---

for command in accept check compact convert create diff export log rollback; do
	says "--help has $command" 0 "^  $command " "$ctl" --help
	says "$command --help" 0 "^usage: pflashctl $command" "$ctl" $command --help
	refuses "$command: unknown option" 2 "'--nope'" "$ctl" $command --nope "$v"
	refuses "$command: unknown letter" 2 "'-x'" "$ctl" $command -x "$v"
	refuses "$command: option without value" 2 'journal needs a value' \
		"$ctl" $command "$v" --journal
done
says "--version" 0 'pflashctl [0-9]' "$ctl" --version
refuses "no command" 2 'no command' "$ctl"
refuses "unknown command" 2 "'undo'" "$ctl" undo
for command in accept check log; do
	refuses "$command: no file" 2 "usage: pflashctl $command" "$ctl" $command
	refuses "$command: two files" 2 'usage' "$ctl" $command "$v" "$v"
	refuses "$command: no such file" 3 "none: No such file" "$ctl" $command "$tmp/none"
	refuses "$command: a directory" 3 "$tmp: .*\\(regular file\\|directory\\)" \
		"$ctl" $command "$tmp"
done
refuses "diff: no file" 2 usage "$ctl" diff --at 1
refuses "rollback: no file" 2 usage "$ctl" rollback --to 1
refuses "export: one file" 2 usage "$ctl" export "$v"
refuses "create: no file" 2 usage "$ctl" create --layout 4m
refuses "mode: no mode" 2 usage "$ctl" mode guest
refuses "mode: another word" 2 "'auto' is not direct or trap" "$ctl" mode guest auto
refuses "mode: no such guest" 1 "no pflashd serves\\|denied" "$ctl" mode nobody-at-all trap

# --- create ---

quiet "create --layout 2m" "$ctl" create --layout 2m "$tmp/2m.fd"
quiet "create --layout 4m" "$ctl" create --layout 4m "$tmp/4m.fd"
check_equal "sizes of the new files" "131072 540672" \
	"$(stat -c %s "$tmp/2m.fd" "$tmp/4m.fd" | paste -s -d ' ')"
check_equal "only the owner may read a new file" 600 "$(stat -c %a "$tmp/2m.fd")"
says "check: an empty store is valid" 0 '^variables: 0 live' "$ctl" check "$tmp/2m.fd"
says "check: no journal" 0 '^journal: none$' "$ctl" check "$tmp/2m.fd"
check "it says that writes may be missing" grep -q '^note: no-journal: ' "$tmp/said"
says "log: no history" 0 '^no history$' "$ctl" log "$tmp/2m.fd"
says "accept: no journal" 0 '^nothing to accept: ' "$ctl" accept "$tmp/2m.fd"
check "it made no journal" test ! -e "$tmp/2m.fd.journal"
refuses "rollback: no history" 3 'has no history' "$ctl" rollback --to 1 "$tmp/2m.fd"
refuses "export --at: no history" 3 'has no history' "$ctl" export --at 1 "$tmp/2m.fd" "$o"
check "it made no file" test ! -e "$o"
refuses "create: the file exists" 3 'File exists: .*pflashctl remove' "$ctl" create --layout 2m "$tmp/2m.fd"
refuses "create: neither layout nor template" 2 'one of them' "$ctl" create "$v"
refuses "create: layout and template" 2 'one of them' "$ctl" create \
	--layout 2m --template "$tmp/2m.fd" "$v"
refuses "create: layout" 2 "'3m'" "$ctl" create --layout 3m "$v"
refuses "create: no such template" 3 'none: No such file' "$ctl" create \
	--template "$tmp/none" "$v"
refuses "create: no such directory" 3 "the directory $tmp/no does not exist" "$ctl" create --layout 2m "$tmp/no/x"
refuses "create --reset: no such file" 3 'none: No such file' "$ctl" create \
	--reset --layout 2m "$tmp/none"
dd if=/dev/zero bs=4096 count=32 of="$tmp/00" 2>/dev/null
tr '\0' '\377' <"$tmp/00" >"$tmp/ff"
head -c 126976 "$tmp/2m.fd" >"$tmp/cut"
for bad in "00:nothing but zeros" "ff:nothing but 0xff" "cut:is cut off"; do
	refuses "create: a template that ${bad#*:}" 3 "${bad%%:*}: .*${bad#*:}" \
		"$ctl" create --template "$tmp/${bad%%:*}" "$v"
	says "check: a file that ${bad#*:}" 3 "^error: .*${bad#*:}" \
		"$ctl" check "$tmp/${bad%%:*}"
done
head -c 5000 "$tmp/00" >"$tmp/5000"
says "check: a size that is not that of a flash" 3 '^error: .*nothing but zeros' "$ctl" check "$tmp/5000"
tr '\0' '\001' <"$tmp/5000" >"$tmp/5001"
says "check: a size that is not that of a flash, of no known kind" 3 '^error: .*size is 5000 bytes' \
	"$ctl" check "$tmp/5001"
dd if=/dev/zero bs=1048576 count=17 2>/dev/null | tr '\0' '\001' >"$tmp/17m"
refuses "create: a template that is too large" 3 'too large' "$ctl" create \
	--template "$tmp/17m" "$v"
rm -f "$tmp/17m"
check "no file was created" test ! -e "$v"
quiet "create --template" "$ctl" create --template "$tmp/4m.fd" "$v"
check "it is the template" cmp -s "$v" "$tmp/4m.fd"
rm -f "$v"
: >"$v.journal"
refuses "create: the journal of an earlier file" 3 'journal of an earlier' \
	"$ctl" create --layout 4m "$v"
rm -f "$v.journal"
if [ ! -w /dev/full ]; then
	skip "full standard output: there is no /dev/full"
else
	"$ctl" check "$tmp/2m.fd" >/dev/full 2>"$tmp/err"
	check_equal "standard output is full" \
		"1 pflashctl: standard output could not be written" "$? $(cat "$tmp/err")"
	refuses "export: full" 1 '/dev/full: No space' "$ctl" export "$tmp/2m.fd" /dev/full
fi

# --- the history of the fullest store ---

f=$tmp/full.fd
full=841 # as many as fit
quiet "a store to fill" "$ctl" create --layout 2m "$f"
fill 0 $full | "$replay" --vars "$f" >/dev/null
says "check: the fullest store" 0 "^variables: $full live, .* 56 free" "$ctl" check "$f"
# The data of every 50th variable, and a byte of the unused event log.
awk -v full=$full 'BEGIN {
	for (n = 0; n < full; n += 50)
		printf "w %x 1 10\nw %x 1 %x\nw %x 1 ff\nw e000 1 10\nw e000 1 0\nw e000 1 ff\n",
			100 + 68 * n + 64, 100 + 68 * n + 64, n % 100, 0
}' | "$replay" --vars "$f" >/dev/null
"$ctl" log --bursts "$f" >"$tmp/said"
check_equal "log: each variable was added once, and 17 were changed" "$full 17 0" \
	"$(grep -c '^      + 01010101-0101-0101-0101-010101010101 .*, 1 bytes$' "$tmp/said") $(
		grep -c '^      ~ 01010101-0101-0101-0101-010101010101 .*, 1 to 1 bytes$' "$tmp/said") $(
		grep -c '^      - ' "$tmp/said")"
check_equal "log: no other line but the points" $((full + 17)) \
	"$(grep -c -v '^[0-9]' "$tmp/said")"
check_equal "log: a burst that makes a variable valid adds it" "$full" \
	"$(grep -B 1 '^      +' "$tmp/said" | grep -c ' 1 bytes programmed, 0 erased$')"
rm -f "$f" "$f.journal"

if [ ! -r "$template" ]; then
	skip "the history of two boots: $template is missing (package ovmf)"
	finish
fi

# --- the history of two boots ---

quiet "create --template, Debian's" "$ctl" create --template "$template" "$v"
zcat "$data/ovmf-2022.11-4m-firstboot.trace.gz" | "$replay" --vars "$v" >/dev/null
cp "$v" "$tmp/first.fd"
first=$(newest)
zcat "$data/ovmf-2022.11-4m-secondboot.trace.gz" | "$replay" --vars "$v" >/dev/null
cp "$v" "$tmp/second.fd"
cp "$v.journal" "$tmp/second.journal"
last=$(newest)
before=$(sums)
put() {
	rm -f "$v" "$v".*
	cp "$tmp/second.fd" "$v"
	cp "$tmp/second.journal" "$v.journal"
}

says "check: after two boots" 0 '^variables: [1-9][0-9]* live' "$ctl" check "$v"
check "no error is found" sh -c "! grep -q '^error' '$tmp/said'"
says "check: the history" 0 "^history: $(points) points, number 1 .* to $last " \
	"$ctl" check "$v"
says "log: the oldest point" 0 '^1  ....-..-.. ..:..:..  the history begins$' "$ctl" log --bursts "$v"
check_equal "log: it comes first" 1 "$(head -n 1 "$tmp/said" | cut -d ' ' -f 1)"
check "log: numbers grow" sh -c "grep '^[0-9]' '$tmp/said' | cut -d ' ' -f 1 | sort -n -u -C"
says "log: variables that a boot added" 0 '^ *+ EfiGlobalVariable BootOrder, ' "$ctl" log --bursts "$v"
says "log: variables that a boot changed" 0 '^ *~ EfiGlobalVariable ConOut, [0-9]* to [0-9]* bytes' \
	"$ctl" log --bursts "$v"
says "log: variables that a boot removed" 0 '^ *- EfiGlobalVariable ErrOut, [0-9]* bytes' "$ctl" log --bursts "$v"
says "log: bytes" 0 '  [1-9][0-9]* bytes programmed, 0 erased$' "$ctl" log --bursts "$v"

# log_of NUMBER: the changes that log prints below this point
log_of() {
	"$ctl" log --bursts "$v" | awk -v number="$1" '
		/^[0-9]/ { on = $1 == number; next }
		on { sub(/^ */, ""); print }'
}
from='' differ=0 changed=0
for to in $("$ctl" log --bursts "$v" | sed -n 's/^\([0-9]*\)  .*/\1/p' | tail -n 25); do
	if [ -n "$from" ]; then
		log_of "$to" >"$tmp/logged"
		"$ctl" diff --at "$from" --to "$to" "$v" | grep '^[-~+] ' >"$tmp/differs"
		cmp -s "$tmp/logged" "$tmp/differs" || differ=$((differ + 1))
		[ ! -s "$tmp/logged" ] || changed=$((changed + 1))
	fi
	from=$to
done
check_equal "log and diff name the same variables" 0 "$differ"
check "log: some of these points have changes" test "$changed" -gt 3 -a "$changed" -lt 20
"$ctl" log --bursts "$v" | grep '^[0-9]' | tail -n 3 >"$tmp/three"
"$ctl" log --bursts --last 3 "$v" | grep '^[0-9]' >"$tmp/said"
check "log --last 3" cmp -s "$tmp/three" "$tmp/said"
check_equal "log --last with more points than there are" "$(points)" \
	"$("$ctl" log --bursts --last 100000 "$v" | grep -c '^[0-9]')"
refuses "log --last: no number" 2 "'3x'" "$ctl" log --last 3x "$v"
refuses "log: an option of others" 2 '--at: pflashctl log does not take' "$ctl" log --at=3 "$v"
refuses "log: such an option and its value" 2 "--at: pflashctl log does not take" "$ctl" log --at 3 "$v"

says "diff: the second boot" 0 'EfiGlobalVariable ConOut' "$ctl" diff --at "$first" "$v"
says "diff --to" 0 '^+ EfiGlobalVariable BootOrder' "$ctl" diff --at 1 --to "$first" "$v"
check_equal "diff: the first boot removed nothing" 0 "$(grep -c '^-' "$tmp/said")"
says "diff: backwards" 0 '^- EfiGlobalVariable BootOrder' "$ctl" diff --at "$first" --to 1 "$v"
says "diff: no difference" 0 '^0 bytes differ$' "$ctl" diff --at "$last" "$v"
check_equal "diff: only that" 1 "$(wc -l <"$tmp/said")"
says "diff: bytes" 0 "^$(cmp -l "$tmp/first.fd" "$v" | wc -l) bytes differ\$" \
	"$ctl" diff --at "$first" "$v"
refuses "diff: no --at" 2 '--at is missing' "$ctl" diff "$v"
refuses "diff: no such number" 3 'history has no point number 99999' "$ctl" diff --at 99999 "$v"
refuses "diff --to: no such number" 3 'history has no point number 99999' \
	"$ctl" diff --at 1 --to 99999 "$v"

quiet "export --at" "$ctl" export --at "$first" "$v" "$o"
check "it is the image after the first boot" cmp -s "$o" "$tmp/first.fd"
quiet "export --at 1" "$ctl" export --at 1 "$v" "$o"
check "it is the template" cmp -s "$o" "$template"
quiet "export" "$ctl" export "$v" "$o"
check "it is the image after the second boot" cmp -s "$o" "$tmp/second.fd"
check_equal "export --at, to standard output" "$(sum "$tmp/first.fd")" \
	"$("$ctl" export --at "$first" "$v" - | sha256sum | cut -d ' ' -f 1)"
for number in 0 99999; do
	refuses "export --at $number" 3 "history has no point number $number" \
		"$ctl" export --at $number "$v" "$tmp/no.fd"
done
for number in -1 x 1x '' 99999999999999999999; do
	refuses "export --at '$number'" 2 "'$number' is not a number" \
		"$ctl" export --at "$number" "$v" "$tmp/no.fd"
done
check "no file was created by export" test ! -e "$tmp/no.fd"
unchanged "these commands changed neither file"

# --- check --code ---

for code in /usr/share/OVMF/OVMF_CODE_4M.fd:0: \
	"$(code_2m)":3:'^error: .*built for 0x20000 bytes'; do
	file=${code%%:*} code=${code#*:} kind='OVMF, but not OvmfXen'
	[ "${file##*/}" != OVMF_XEN.fd ] || kind=OvmfXen
	if [ -r "$file" ]; then
		says "check --code ${file##*/}" "${code%%:*}" "${code#*:}" \
			"$ctl" check --code "$file" "$v"
		check "it says what the firmware is" \
			grep -q "^firmware: $kind, .*, flash driver inside: yes, Secure Boot: [a-z]*\$" "$tmp/said"
		says "check --code ${file##*/} alone" 0 "^firmware: $kind" \
			"$ctl" check --code "$file"
	else
		skip "check --code: $file is missing (./setup installs or builds it)"
	fi
done
says "check --code: a file that is not a firmware" 3 '^variables' \
	"$ctl" check --code "$tmp/4m.fd" "$v"
check "it says so" grep -q '4m.fd: the file is a VARS image, without code' "$tmp/err"
refuses "check --code: a VARS file alone" 3 'is a VARS image, without code' "$ctl" check --code "$tmp/4m.fd"
if [ -r /usr/share/ovmf/OVMF.fd ]; then
	says "check --code: KVM's whole image" 0 '^note: no-pvh: the image has no ELF header' \
		"$ctl" check --code /usr/share/ovmf/OVMF.fd
else
	skip "check --code: /usr/share/ovmf/OVMF.fd is missing (package ovmf)"
fi
# A driver of the flash that needs SMM.
if [ -r /usr/share/OVMF/OVMF_CODE_4M.secboot.fd ]; then
	says "check --code: SMM" 3 '^error: no-flash-driver: ' \
		"$ctl" check --code /usr/share/OVMF/OVMF_CODE_4M.secboot.fd
else
	skip "check --code: OVMF_CODE_4M.secboot.fd is missing (package ovmf)"
fi
if xen=$(integration/edk2/build --path 2>/dev/null); then
	says "check --code: OvmfXen" 0 '^firmware: OvmfXen, 0x200000 bytes .*, Xen ELF entry: yes, .* inside: yes, Secure Boot: no$' \
		"$ctl" check --code "$xen"
else
	skip "check --code: no OvmfXen is built (integration/edk2/build)"
fi
if xen=$(integration/edk2/build --secure-boot --path 2>/dev/null); then
	says "check --code: OvmfXen with Secure Boot" 0 '^firmware: OvmfXen, 0x400000 bytes .*, Xen ELF entry: yes, .* inside: yes, Secure Boot: yes$' \
		"$ctl" check --code "$xen"
else
	skip "check --code: no OvmfXen with Secure Boot is built (integration/edk2/build --secure-boot)"
fi
says "check --code: no such file" 3 '^variables' "$ctl" check --code "$tmp/none" "$v"
check "it says so" grep -q 'none: No such file' "$tmp/err"

# --- compact ---

c=$tmp/compact.fd
cp "$tmp/second.fd" "$c"
says "compact" 0 '^[1-9][0-9]* bytes gained$' "$ctl" compact "$c"
check "the file has changed" sh -c "! cmp -s '$tmp/second.fd' '$c'"
says "check: no deleted variables are left" 0 '^variables: .*, 0 deleted' "$ctl" check "$c"
begin=$("$ctl" log --bursts "$c" | sed -n 's/^\([0-9]*\)  .*/\1/p' | head -n 1)
check_equal "no variable has changed" "" \
	"$("$ctl" diff --at "$begin" "$c" | grep -v 'bytes differ$')"
says "compact again" 0 '^0 bytes gained$' "$ctl" compact "$c"
quiet "rollback of compact" "$ctl" rollback --to "$begin" "$c"
check "the image is that before compact" cmp -s "$tmp/second.fd" "$c"
head -c 131072 /dev/zero >"$tmp/zero.fd"
refuses "compact: no variable store" 3 'not compacted: its variable store has findings' "$ctl" compact "$tmp/zero.fd"
check "compact makes no journal then" sh -c "test ! -e '$tmp/zero.fd.journal'"

# --- rollback ---

quiet "rollback" "$ctl" rollback --to "$first" "$v"
check "the image is that of the first boot" cmp -s "$v" "$tmp/first.fd"
back=$(newest)
check "the rollback is a new point" test "$back" -gt "$last"
says "log names the variables restored" 0 'EfiGlobalVariable ConOut' "$ctl" log --bursts --last 1 "$v"
quiet "rollback of the rollback" "$ctl" rollback --to "$last" "$v"
check "the image is that of the second boot" cmp -s "$v" "$tmp/second.fd"
check "it is another new point" test "$(newest)" -gt "$back"
check_equal "an older point keeps its number" "$(sum "$tmp/first.fd")" \
	"$("$ctl" export --at "$back" "$v" - | sha256sum | cut -d ' ' -f 1)"
before=$(sums)
quiet "rollback to the current image" "$ctl" rollback --to "$last" "$v"
unchanged "rollback to the current image writes nothing"
refuses "rollback: no --to" 2 '--to is missing' "$ctl" rollback "$v"
refuses "rollback: no such number" 3 'history has no point number 99999' "$ctl" rollback --to 99999 "$v"
refuses "rollback: no number" 2 "'-3'" "$ctl" rollback --to -3 "$v"
unchanged "refused rollbacks write nothing"
check_equal "a boot after a rollback reads what the firmware read" 0 \
	"$("$ctl" rollback --to "$first" "$v" &&
		zcat "$data/ovmf-2022.11-4m-secondboot.trace.gz" | "$replay" --vars "$v")"
check "the boot ends in the same image" cmp -s "$v" "$tmp/second.fd"

# --- create --reset ---

put
before=$(sums)
refuses "create --reset: another size" 3 'has 540672 bytes, not 131072' \
	"$ctl" create --reset --layout 2m "$v"
refuses "create --reset: a template that is refused" 3 'nothing but zeros' \
	"$ctl" create --reset --template "$tmp/00" "$v"
unchanged "a refused create --reset writes nothing"
quiet "create --reset" "$ctl" create --reset --layout 4m "$v"
check "the image is an empty store" cmp -s "$v" "$tmp/4m.fd"
quiet "the old image is a point" "$ctl" export --at "$last" "$v" "$o"
check "the old image is unchanged" cmp -s "$o" "$tmp/second.fd"
quiet "rollback undoes it" "$ctl" rollback --to "$last" "$v"
check "the old image is back" cmp -s "$v" "$tmp/second.fd"
rm -f "$v.journal"
quiet "create --reset, without a journal" "$ctl" create --reset --layout 4m "$v"
says "the old image is the oldest point" 0 '^1  .*history begins' "$ctl" log --bursts "$v"
quiet "the oldest point can be exported" "$ctl" export --at 1 "$v" "$o"
check "the oldest point is the old image" cmp -s "$o" "$tmp/second.fd"

# --- VARS modified outside pflashd ---

put
says "accept: nothing to do" 0 '^nothing to accept: ' "$ctl" accept "$v"
hit "$v" 400000
cp "$v" "$tmp/changed.fd"
before=$(sums)
says "check: VARS was modified" 3 '^error: .*content differs' "$ctl" check "$v"
check "check names the command that helps" grep -q 'pflashctl accept' "$tmp/said"
refuses "export: VARS was modified" 3 'content differs' "$ctl" export "$v" "$o"
says "diff: VARS was modified" 3 '^0 bytes differ' "$ctl" diff --at "$last" "$v"
check "diff says that VARS was modified" grep -q 'content differs' "$tmp/err"
says "log: VARS was modified, the points are listed" 3 "^$last " "$ctl" log --bursts "$v"
quiet "export --at: VARS was modified" "$ctl" export --at "$last" "$v" "$o"
check "it is the last image of pflashd" cmp -s "$o" "$tmp/second.fd"
unchanged "neither file was modified"
cat "$o" >"$v"
says "with that image in VARS, the files agree again" 0 '^history' "$ctl" check "$v"
cp "$tmp/changed.fd" "$v"
says "accept" 0 '^accepted$' "$ctl" accept "$v"
check "accept did not change VARS" cmp -s "$v" "$tmp/changed.fd"
says "the change is a point" 0 '^[0-9]*  .*  1 bytes programmed' "$ctl" log --bursts --last 1 "$v"
says "check: the accepted VARS is valid" 0 '^variables' "$ctl" check "$v"
quiet "rollback: to before the change" "$ctl" rollback --to "$last" "$v"
check "the change is undone" cmp -s "$v" "$tmp/second.fd"
put
quiet "a later point" "$ctl" create --reset --layout 4m "$v"
cp "$tmp/second.fd" "$v"
refuses "an older VARS" 3 'content differs' "$ctl" export "$v" "$o"
put
says "an older VARS with its own journal" 0 "^$last " "$ctl" log --bursts --last 1 "$v"
truncate -s 131072 "$v"
before=$(sums)
says "check: another size" 3 '^error: .*size differs' "$ctl" check "$v"
refuses "create --reset: not the size of the history" 3 'has 540672 bytes, not 131072' \
	"$ctl" create --reset --layout 2m "$v"
unchanged "another size: nothing was changed"
says "diff: another size" 3 '^0 bytes differ' "$ctl" diff --at "$last" "$v"
says "create --reset: VARS of another size" 0 '^the VARS file that was there is kept: ' \
	"$ctl" create --reset --layout 4m "$v"
check "the image is an empty store" cmp -s "$v" "$tmp/4m.fd"
check "the VARS file is kept" test "$(stat -c %s "$v.kept")" = 131072
quiet "and the history" "$ctl" export --at "$last" "$v" "$o"
check "the newest point is unchanged" cmp -s "$o" "$tmp/second.fd"
put
truncate -s 131072 "$v"
says "rollback: VARS of another size" 0 'restored$' "$ctl" rollback --to "$first" "$v"
check "the image is that point" cmp -s "$v" "$tmp/first.fd"
put
truncate -s 131072 "$v"
says "accept: another size, with the journal kept" 0 'journal.* is kept' "$ctl" accept "$v"
check "accept did not write VARS" test "$(stat -c %s "$v")" = 131072
check "the journal is kept" cmp -s "$v.journal.kept" "$tmp/second.journal"

# --- a damaged journal ---

put
hit "$v.journal" $(($(stat -c %s "$v.journal") / 2))
before=$(sums)
says "check: the journal is damaged" 3 '^error: .*journal: damaged at offset' "$ctl" check "$v"
refuses "export: the journal is damaged" 3 'damaged at offset' "$ctl" export "$v" "$o"
says "diff: the journal is damaged" 3 'bytes differ$' "$ctl" diff --at 1 "$v"
check "diff says that the journal is damaged" grep -q 'damaged at offset' "$tmp/err"
refuses "pflash-replay: the journal is damaged" 3 'damaged at offset' "$replay" --vars "$v"
whole=$(newest)
check "log: some points are intact" test "$whole" -gt 1
check "log: points behind the damage are missing" test "$whole" -lt "$last"
says "log: exit code with a damaged journal" 3 '^1  ' "$ctl" log --bursts "$v"
quiet "export --at: before the damage" "$ctl" export --at "$whole" "$v" "$o"
unchanged "the damaged journal was not changed"
put
check_equal "the exported image was correct" "$(sum "$o")" \
	"$("$ctl" export --at "$whole" "$v" - | sha256sum | cut -d ' ' -f 1)"
hit "$v.journal" $(($(stat -c %s "$v.journal") / 2))
refuses "export --at: behind the damage" 3 "history has no point number $last" \
	"$ctl" export --at "$last" "$v" "$o"
put
hit "$v.journal" 3
says "check: no header" 3 'expected a journal header' "$ctl" check "$v"
check "check: without a header there is no history" grep -q '^history: none' "$tmp/said"
put
head -c 40 /dev/zero >>"$v.journal"
before=$(sums)
says "check: a torn tail is not an error" 0 '^journal: 40 bytes of a torn record' "$ctl" check "$v"
quiet "export: a torn tail" "$ctl" export "$v" "$o"
check "the image is complete without the torn tail" cmp -s "$o" "$tmp/second.fd"
unchanged "the torn tail was not removed"
rm -f "$v"
refuses "create: an old journal exists" 3 'journal of an earlier' \
	"$ctl" create --layout 4m "$v"

# --- a server that was killed ---

put
quiet "rollback: to the first boot" "$ctl" rollback --to "$first" "$v"
mkfifo "$tmp/in" "$tmp/answer"
"$replay" --vars "$v" --settle 3600 <"$tmp/in" >"$tmp/answer" 2>/dev/null &
pid=$!
exec 3>"$tmp/in" 4<"$tmp/answer"
{
	zcat "$data/ovmf-2022.11-4m-secondboot.trace.gz" | grep '^w'
	echo 'r 0 1'
} >&3
read -r _ <&4
before=$(sums)
for command in "accept $v" "rollback --to 1 $v" "create --reset --layout 4m $v"; do
	# shellcheck disable=SC2086
	refuses "${command%% *}: VARS is in use" 4 "in use by pid $pid" "$ctl" $command
done
refuses "create: VARS is in use, and exists" 3 'File exists' "$ctl" create --layout 4m "$v"
says "check: VARS is in use" 0 '^journal: [1-9][0-9]* bursts are not in the file yet' \
	"$ctl" check "$v"
says "log: VARS is in use" 0 'EfiGlobalVariable ErrOut' "$ctl" log --bursts "$v"
says "diff: VARS is in use" 0 'EfiGlobalVariable ErrOut' "$ctl" diff --at "$first" "$v"
quiet "export: VARS is in use" "$ctl" export "$v" "$o"
check "it is the image of the guest" cmp -s "$o" "$tmp/second.fd"
unchanged "VARS in use: nothing was changed"
kill -9 $pid
wait $pid 2>/dev/null
exec 3>&- 4<&-
unchanged "SIGKILL changes neither file"
check "VARS alone is not up to date" sh -c "! cmp -s '$v' '$tmp/second.fd'"
says "accept: nothing to accept after a kill" 0 '^nothing to accept: ' "$ctl" accept "$v"
unchanged "accept wrote nothing after a kill"
hit "$v" 500000
says "accept: changed after a kill" 0 '^accepted' "$ctl" accept "$v"
quiet "rollback: to bursts that were only in the journal" "$ctl" rollback --to "$(
	"$ctl" log --bursts "$v" | grep '^[0-9]' | tail -n 2 | head -n 1 | cut -d ' ' -f 1
)" "$v"
check "the image has these bursts" cmp -s "$v" "$tmp/second.fd"

# VARS is modified while in use, by a program that ignores the lock.
put
"$replay" --vars "$v" <"$tmp/in" >"$tmp/answer" 2>/dev/null &
pid=$!
exec 3>"$tmp/in" 4<"$tmp/answer"
printf 'w 50000 1 10\nw 50000 1 0\nw 0 1 ff\nr 0 1\n' >&3
read -r _ <&4
hit "$v" 500000
printf 'r 7a120 1\nr 50000 1\n' >&3
read -r changed <&4
read -r written <&4
check_equal "the guest sees its own change only" "ff 0" "$changed $written"
refuses "export: the files do not agree" 3 'content differs' "$ctl" export "$v" "$o"
exec 3>&- 4<&-
wait $pid
check_equal "the server ends without an error" 0 $?
refuses "the next start is refused" 3 'content differs' "$build/pflashd" \
	--domain 1 --vars "$v" --foreground
says "accept: keeps both changes" 0 '^accepted' "$ctl" accept "$v"
check_equal "both changes are in VARS" " 00 00" "$(od -An -tx1 -j 500000 -N 1 "$v")$(
	od -An -tx1 -j 327680 -N 1 "$v"
)"

# --- names ---

put
ln "$v" "$tmp/twin.fd"
before=$(sums)
for command in "accept $v" "check $v" "log $v" "log --bursts $v" "export $v $o" "rollback --to 1 $v" \
	"create --reset --layout 4m $v"; do
	# shellcheck disable=SC2086
	refuses "${command%% *}: two names" 3 'has 2 names' "$ctl" $command
done
unchanged "two names: nothing was changed"
says "--journal decides" 0 '^variables' "$ctl" check --journal "$v.journal" "$tmp/twin.fd"
rm -f "$tmp/twin.fd"
mv "$v.journal" "$tmp/elsewhere"
says "--journal: log" 0 "^$last " "$ctl" log --bursts --journal "$tmp/elsewhere" --last 1 "$v"
quiet "--journal: export" "$ctl" export --journal "$tmp/elsewhere" --at "$first" "$v" "$o"
check "--journal: it is the old image" cmp -s "$o" "$tmp/first.fd"
quiet "--journal: rollback" "$ctl" rollback --journal "$tmp/elsewhere" --to "$first" "$v"
check "--journal: the image is the old one" cmp -s "$v" "$tmp/first.fd"
check "--journal: no second journal was created" test ! -e "$v.journal"
put
ln -s vars.fd "$tmp/link.fd"
says "a symbolic link: the journal is the file's" 0 "^$last " "$ctl" log --bursts "$tmp/link.fd"
refuses "export: onto itself, by another name" 2 'is the file to export' \
	"$ctl" export "$v" "$tmp/link.fd"
mv "$v.journal" "$tmp/real.journal"
ln -s real.journal "$v.journal"
refuses "the journal is a symbolic link" 3 'is a symbolic link' "$ctl" check "$v"
rm -f "$v.journal"
mkdir "$v.journal"
refuses "the journal is a directory" 3 'not a regular file' "$ctl" check "$v"
rmdir "$v.journal"

# --- no room ---

# limited COMMAND...: runs COMMAND so that no file can exceed 16 blocks
# shellcheck disable=SC2317 # refuses() calls it
limited() {
	# A block of ulimit has 512 or 1024 bytes, depending on the shell.
	sh -c 'trap "" XFSZ; ulimit -f 16; exec "$@"' sh "$@"
}
put
before=$(sums)
refuses "create: no room" 3 'File too large' limited "$ctl" create --layout 4m "$tmp/big.fd"
check "no part of the file is left" sh -c "! ls '$tmp' | grep -q 'big.fd'"
unchanged "no room: nothing was changed"

# A full disk and a read-only disk, in a separate mount name space.
# on_tmpfs OPTIONS COMMAND...: runs COMMAND while $tmp/mnt is a full tmpfs with
# the two files, remounted with OPTIONS
# shellcheck disable=SC2016,SC2317 # another shell expands it; refuses() calls it
on_tmpfs() {
	unshare -m sh -c 'mount -t tmpfs -o size=600k tmpfs "$1/mnt" &&
		cp "$1/second.fd" "$1/mnt/v" && cp "$1/second.journal" "$1/mnt/v.journal" &&
		{ cat /dev/zero >"$1/mnt/fill"; mount -o "remount,$2" "$1/mnt"; } 2>/dev/null &&
		shift 2 && exec "$@"' sh "$tmp" "$@"
}
mkdir "$tmp/mnt"
m=$tmp/mnt/v
if ! on_tmpfs rw true 2>/dev/null; then
	skip "a full disk, a read-only disk: unshare or mount is not allowed"
	finish
fi
refuses "create: a full disk" 1 'No space left' on_tmpfs rw "$ctl" create --layout 4m "$m.new"
refuses "rollback: a full disk" 1 'No space left' on_tmpfs rw "$ctl" rollback --to 1 "$m"
# A burst that does not fit into the last block of the journal.
{
	awk 'BEGIN { for (i = 327680; i < 333680; i++) printf "w %x 1 10\nw %x 1 0\n", i, i }'
	printf 'w 0 1 ff\nw 0 1 70\nr 0 1\nw 0 1 ff\nr 50000 1\n'
} >"$tmp/burst"
says "pflash-replay: a full disk; the guest has SR.4" 1 '^90$' \
	on_tmpfs rw sh -c "'$replay' --vars '$m' <'$tmp/burst'"
check "the error names the journal" grep -q 'v.journal: write at offset .*: No space left' "$tmp/err"
check_equal "the failed burst is not in the image" "90 ff" "$(paste -s -d ' ' "$tmp/said")"
for command in "accept $m" "rollback --to 1 $m" "create --reset --layout 4m $m" \
	"create --layout 4m $m.new"; do
	# shellcheck disable=SC2086
	refuses "${command%% *}: a read-only disk" 3 'Read-only file system' \
		on_tmpfs ro "$ctl" $command
done
says "check: a read-only disk" 0 '^variables' on_tmpfs ro "$ctl" check "$m"
says "log: a read-only disk" 0 "^$last " on_tmpfs ro "$ctl" log --bursts "$m"
quiet "export: a read-only disk" on_tmpfs ro "$ctl" export "$m" "$o"
refuses "pflash-replay: a read-only disk" 3 'Read-only file system' on_tmpfs ro "$replay" --vars "$m"
refuses "pflashd: a read-only disk" 3 'Read-only file system' on_tmpfs ro \
	"$build/pflashd" --domain 1 --vars "$m" --foreground
finish
