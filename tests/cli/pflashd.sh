# SPDX-License-Identifier: BSD-2-Clause
# Tests pflashd's options and files of options, and the checks before the start,
# as far as they need no Xen.
. tests/lib/cli.sh

d=$build/pflashd
ctl=$build/pflashctl
v=$tmp/vars.fd
"$ctl" create --layout 2m "$v"

# On a Xen host pflashd gets further, or fails for other reasons.
if [ -e /proc/xen/capabilities ]; then
	xen=yes
else
	xen=
fi

# The sandbox needs root.
root=
[ "$(id -u)" -ne 0 ] || root=yes

# gets_to_xen TEXT OPTION...: all checks pass up to the connection to xenstored
gets_to_xen() {
	lib_text=$1
	shift
	if [ -n "$xen" ]; then
		skip "$lib_text: this is a Xen host"
		return
	fi
	[ -n "$root" ] || set -- --sandbox none "$@"
	"$d" --domain 1 --foreground "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	check_equal "$lib_text" "5 pflashd: cannot reach xenstored (is this a Xen host's dom0?): No such file or directory" \
		"$? $(tail -n 1 "$tmp/err")"
}

check "--help" sh -c "'$d' --help | grep -q -e --personality"
check "--version" sh -c "'$d' --version | grep -q 'pflashd [0-9]'"
refuses "no domain" 2 '--domain' "$d" --vars "$v"
refuses "no file" 2 '--vars' "$d" --domain 1
refuses "unknown option" 2 "'--nope'" "$d" --nope
refuses "unknown letters" 2 "'-x'" "$d" -xy
refuses "option without value" 2 '--domain' "$d" --domain
refuses "stray argument" 2 "'stray'" "$d" --domain 1 --vars "$v" stray
refuses "mode" 2 "'fast'" "$d" --domain 1 --vars "$v" --mode fast
refuses "sync" 2 "'never'" "$d" --domain 1 --vars "$v" --sync never
refuses "personality" 2 "'split'" "$d" --domain 1 --vars "$v" --personality split
refuses "layout" 2 "'3m'" "$d" --domain 1 --vars "$v" --layout 3m
refuses "base" 2 "'top'" "$d" --domain 1 --vars "$v" --base top
refuses "base beyond 4 GiB" 2 "0x100000000" "$d" --domain 1 --vars "$v" --base 0x100000000
refuses "on-error" 2 "'stop'" "$d" --domain 1 --vars "$v" --on-error stop
refuses "on-pin" 2 "'stop'" "$d" --domain 1 --vars "$v" --on-pin stop
for lease in '' LS:RES:/dev/x:0 sanlock: sanlock:LS:RES sanlock:LS:RES:/dev/x other:LS:RES:/dev/x:0; do
	refuses "lease '$lease'" 2 "--lease: '$lease' is not sanlock:LOCKSPACE:RESOURCE:PATH:OFFSET" \
		"$d" --domain 1 --vars "$v" --lease "$lease"
done
gets_to_xen "a lease" --vars "$v" --lease sanlock:LS:RES:/dev/x:0
for pid in '' 0 1 -5 x; do
	refuses "lease-lost '$pid'" 2 "--lease-lost: '$pid' is" "$d" --domain 1 --lease-lost "$pid"
done
refuses "lease-lost, a name" 2 "--domain: 'guest' is not" "$d" --domain guest --lease-lost 4711
sleep 100 &
"$d" --domain 1 --lease-lost $! 2>/dev/null
check_equal "lease-lost: without Xen it fails" 5 $?
check "lease-lost: and ends no process" kill $!
refuses "read-only, with a value" 2 'option' "$d" --domain 1 --vars "$v" --read-only=yes
refuses "force, with a value" 2 'option' "$d" --domain 1 --vars "$v" --force=yes
for history in '' x 3x -1 d 65M 1G 0d 100000w 1.5M 30dd; do
	refuses "history '$history'" 2 "--history: '$history' is not" "$d" --domain 1 \
		--vars "$v" --history "$history"
done
for history in 0 1 4096 512K 1M 64M 12h 30d 8w; do
	gets_to_xen "history $history" --vars "$v" --history $history
done
for limit in '' 0 x 4095 -1 1025G 128K, 128KB 1M,1M,1M; do
	refuses "write-limit '$limit'" 2 "--write-limit: '$limit' is not off" "$d" --domain 1 \
		--vars "$v" --write-limit "$limit"
done
refuses "sync, the words" 2 "'never' is not variable, burst, op or none" "$d" --domain 1 --vars "$v" \
	--sync never
for sync in variable burst op none; do
	gets_to_xen "sync $sync" --vars "$v" --sync $sync
done
for settle in '' 0 3601 -1 0.5; do
	refuses "settle '$settle'" 2 "settle: '$settle' is not a number" "$d" --domain 1 --vars "$v" \
		--settle "$settle"
done
for settle in 1 3600; do
	gets_to_xen "settle $settle" --vars "$v" --sync variable --settle $settle
done
refuses "spin" 2 "'soon'" "$d" --domain 1 --vars "$v" --spin soon
refuses "spin, too long" 2 "'100001'" "$d" --domain 1 --vars "$v" --spin 100001
refuses "compact" 2 "'always'" "$d" --domain 1 --vars "$v" --compact always
for spin in 0 50 100000; do
	gets_to_xen "spin $spin" --vars "$v" --spin $spin
done
for compact in auto never; do
	gets_to_xen "compact $compact" --vars "$v" --compact $compact
done
for limit in off 4K 128K,256M 1G,1G; do
	gets_to_xen "write-limit $limit" --vars "$v" --write-limit $limit
done
gets_to_xen "on-error pause" --vars "$v" --on-error pause
gets_to_xen "on-error report" --vars "$v" --on-error report
gets_to_xen "on-pin pause" --vars "$v" --on-pin pause
gets_to_xen "on-pin report" --vars "$v" --on-pin report
refuses "width" 2 'width' "$d" --domain 1 --vars "$v" --width 3
refuses "interleave" 2 'parts' "$d" --domain 1 --vars "$v" --interleave 2
refuses "blocks that do not fill the flash" 2 '131072' "$d" --domain 1 --vars "$v" \
	--block-size 4Kx8 --foreground
for partition in '' 0 x 4Kx2; do
	refuses "partition '$partition'" 2 "partition: '$partition' is not a size" "$d" \
		--domain 1 --vars "$v" --partition "$partition"
done
refuses "a partition that is no power of two" 2 'power of two' "$d" --domain 1 \
	--vars "$v" --partition 12K
refuses "a partition that does not divide the flash" 2 'do not divide' "$d" --domain 1 \
	--vars "$v" --partition 256K
refuses "a partition of qemu's chip" 2 'qemu' "$d" --domain 1 --vars "$v" \
	--partition 64K --personality qemu
gets_to_xen "partition 64K" --vars "$v" --partition 64K --personality strict
for restarts in '' x -1 1.5 10001; do
	refuses "restarts '$restarts'" 2 "restarts: '$restarts' is not a number" "$d" \
		--domain 1 --vars "$v" --restarts "$restarts"
done
for restarts in 0 10 10000; do
	gets_to_xen "restarts $restarts" --vars "$v" --restarts $restarts
done
refuses "sandbox" 2 "'most'" "$d" --domain 1 --vars "$v" --sandbox most
gets_to_xen "no sandbox" --vars "$v" --sandbox none
if [ -n "$root" ] && [ -z "$xen" ]; then
	for sandbox in basic full; do
		gets_to_xen "sandbox $sandbox" --vars "$v" --sandbox $sandbox
	done
	gets_to_xen "user" --vars "$v" --user 4711
	refuses "a sandbox with an unknown user" 1 "no user 'nobody-here'" "$d" \
		--domain 1 --vars "$v" --foreground --user nobody-here
	refuses "a sandbox with user root" 1 "'root' has root's number" "$d" --domain 1 --vars "$v" \
		--foreground --user root
	gets_to_xen "no sandbox, no user" --vars "$v" --sandbox none --user nobody-here
else
	skip "the user of a sandbox: not root, or a Xen host"
fi
refuses "check-handover, with a value" 2 'option' "$d" --domain 1 --vars "$v" \
	--check-handover=yes
"$d" --domain 1 --vars "$v" --check-handover >"$tmp/out" 2>&1
check "check-handover: there is no flash to take over" test $? -ne 0
check "check-handover: there is an error message" test -s "$tmp/out"
refuses "wait" 2 'wait' "$d" --domain 1 --vars "$v" --wait 3601

# conf FILE LINE...: makes a file of options
conf() {
	file=$1
	shift
	printf '%s\n' "$@" >"$file"
}
conf "$tmp/a.conf" '# a comment' '' "  vars = $v  " 'sync=op' 'read-only = no'
gets_to_xen "--config" --config "$tmp/a.conf"
gets_to_xen "--config, the command line wins" --config "$tmp/a.conf" --sync none
refuses "--config, an error on the command line" 2 "'x'" "$d" --domain 1 --config "$tmp/a.conf" --sync x
refuses "--config: no domain" 2 '--domain' "$d" --config "$tmp/a.conf"
refuses "--config: no file" 3 "$tmp/none.conf: No such" "$d" --domain 1 --config "$tmp/none.conf"
conf "$tmp/b.conf" 'sync = op'
refuses "--config: no vars in it" 2 '--vars' "$d" --domain 1 --config "$tmp/b.conf"
for line in 'nope = 1' 'domain = 1' 'config = x' 'foreground = yes' 'ready-fd = 3' 'help = yes' \
	'check-handover = yes' 'check-start = pvh' 'fetch = yes' '%n = 1' 'x%n = none'; do
	conf "$tmp/b.conf" "vars = $v" "$line"
	refuses "--config: $line" 3 "b.conf:2: unknown option '${line%% *}'" \
		"$d" --domain 1 --config "$tmp/b.conf"
done
conf "$tmp/b.conf" "vars = $v" '' 'mode = fast'
refuses "--config: a value" 3 "b.conf:3: --mode: 'fast'" "$d" --domain 1 --config "$tmp/b.conf"
conf "$tmp/b.conf" 'force = maybe'
refuses "--config: neither yes nor no" 3 "b.conf:1: --force: 'maybe' is not yes or no" "$d" --domain 1 \
	--config "$tmp/b.conf"
conf "$tmp/b.conf" 'read-only'
refuses "--config: no value" 3 "b.conf:1: 'read-only'" "$d" --domain 1 --config "$tmp/b.conf"
conf "$tmp/b.conf" "vars = $v" 'lease-lost = 5'
refuses "--config: lease-lost" 3 "b.conf:2: unknown option 'lease-lost'" "$d" --domain 1 \
	--config "$tmp/b.conf"
conf "$tmp/b.conf" "vars = $v" 'lease = sanlock:LS:%n:/dev/x:0'
refuses "--config: a lease of a guest needs Xen" 5 "cannot reach xenstored" "$d" --domain 1 \
	--config "$tmp/b.conf"
conf "$tmp/b.conf" "vars = $v" 'restarts = 10001'
refuses "--config: restarts" 3 "b.conf:2: --restarts: '10001'" "$d" --domain 1 \
	--config "$tmp/b.conf"
conf "$tmp/b.conf" "vars = $v" 'restarts = 0' 'user = 4711' 'sandbox = none' '# %n'
gets_to_xen "--config: restarts, user and sandbox" --config "$tmp/b.conf"
printf 'vars = %s\n# \0\nmode = fast\n' "$v" >"$tmp/b.conf"
refuses "--config: a NUL byte" 3 'b.conf:2: a NUL byte' "$d" --domain 1 \
	--config "$tmp/b.conf"
printf 'vars = %s\0\nmode = fast\n' "$v" >"$tmp/b.conf"
refuses "--config: a NUL byte behind a value" 3 'b.conf:1: a NUL byte' "$d" \
	--domain 1 --config "$tmp/b.conf"
yes '' | head -n 100000 >"$tmp/b.conf"
refuses "--config: too many lines" 3 '65536' "$d" --domain 1 --config "$tmp/b.conf"
yes '' | head -n 60000 >"$tmp/b.conf"
echo 'mode = fast' >>"$tmp/b.conf"
refuses "--config: many lines" 3 'b.conf:60001: --mode' "$d" --domain 1 \
	--config "$tmp/b.conf"
head -c 70000 /dev/zero >"$tmp/b.conf"
refuses "--config: too large" 3 '65536' "$d" --domain 1 --config "$tmp/b.conf"
head -c 1000 /dev/urandom >"$tmp/b.conf"
"$d" --domain 1 --config "$tmp/b.conf" >/dev/null 2>&1
check "--config: random bytes" test $? -le 5
if [ -z "$xen" ]; then
	refuses "--config: a directory, and no Xen" 5 'xenstored' "$d" --domain 1 --config "$tmp"
	conf "$tmp/b.conf" "vars = $tmp/%n.fd"
	refuses "--config: a name, and no Xen" 5 'xenstored' "$d" --domain 1 --config "$tmp/b.conf"
fi
refuses "ready-fd" 2 'descriptor' "$d" --domain 1 --vars "$v" --ready-fd 77
refuses "template and layout" 2 'exclude' "$d" --domain 1 --vars "$v" \
	--template "$v" --layout 2m
refuses "a missing file without template and layout" 3 "$tmp/none.fd" "$d" \
	--domain 1 --vars "$tmp/none.fd" --foreground
refuses "missing template" 3 "$tmp/t.fd" "$d" --domain 1 \
	--vars "$tmp/none.fd" --template "$tmp/t.fd" --foreground
head -c 5000 "$v" >"$tmp/short.fd"
refuses "a size that is not that of a flash" 3 'it has 0x1388 bytes' "$d" --domain 1 \
	--vars "$tmp/short.fd" --foreground
head -c 8192 /dev/zero | tr '\0' '\001' >"$tmp/two.fd"
refuses "a template whose size is not that of a flash" 3 "short.fd: the file is cut off" "$d" --domain 1 \
	--vars "$tmp/none.fd" --template "$tmp/short.fd" --foreground
refuses "size without a known base" 3 '--base' "$d" --domain 1 \
	--vars "$tmp/two.fd" --foreground
: >"$tmp/empty.fd"
refuses "empty file" 3 'empty.fd' "$d" --domain 1 --vars "$tmp/empty.fd" --foreground


# --- the check before the start ---

gets_to_xen "an empty store" --vars "$v"
dd if=/dev/zero bs=4096 count=32 of="$tmp/00" 2>/dev/null
tr '\0' '\377' <"$tmp/00" >"$tmp/ff"
head -c 98304 "$v" >"$tmp/cut"
for bad in "00:nothing but zeros" "ff:nothing but 0xff" "cut:is cut off"; do
	file=$tmp/${bad%%:*} why=${bad#*:}
	refuses "a file that $why" 3 "$file: .*$why" "$d" --domain 1 \
		--vars "$file" --base 0xffe00000 --foreground
	check "a file that $why: no hint at --force" sh -c "! grep -q -e --force '$tmp/err'"
	refuses "a file that $why, as a daemon" 3 "$why" "$d" --domain 1 \
		--vars "$file" --base 0xffe00000
	refuses "a template that $why" 3 "$file: .*$why" "$d" --domain 1 \
		--vars "$tmp/new.fd" --template "$file" --base 0xffe00000 --foreground
	gets_to_xen "a file that $why, --force" --vars "$file" --base 0xffe00000 --force
	[ -n "$xen" ] || check "--force: the damage is reported" grep -q "$why" "$tmp/err"
	gets_to_xen "a file that $why, --personality strict" --vars "$file" \
		--base 0xffe00000 --personality strict
	[ -n "$xen" ] || check_equal "--personality strict: nothing is reported" 1 "$(wc -l <"$tmp/err")"
	refuses "a file that $why, --personality qemu" 3 "$why" "$d" --domain 1 \
		--vars "$file" --base 0xffe00000 --personality qemu --foreground
done
cp "$v" "$tmp/padded"
truncate -s 4M "$tmp/padded"
gets_to_xen "a padded template" --vars "$tmp/new.fd" --template "$tmp/padded"
[ -n "$xen" ] || check "a padded template: the part that is taken" \
	grep -q 'padded: takes the first 0x20000 bytes' "$tmp/err"
refuses "a padded file" 3 'padded with zeros to 0x400000 bytes' "$d" --domain 1 \
	--vars "$tmp/padded" --base 0xffc00000 --foreground
gets_to_xen "a padded file, --force" --vars "$tmp/padded" --base 0xffc00000 --force
cp "$v" "$tmp/sum"
printf '\001' | dd of="$tmp/sum" bs=1 seek=50 conv=notrunc 2>/dev/null
refuses "a header's checksum" 3 'checksum.*--force' "$d" --domain 1 --vars "$tmp/sum" --foreground

# The image of VARS and journal is checked, not VARS alone.
replay=$build/pflash-replay
cp "$v" "$tmp/erased.fd"
{
	n=0
	while [ $n -lt 32 ]; do
		printf 'w %x 1 20\nw %x 1 d0\n' $((n * 4096)) $((n * 4096))
		n=$((n + 1))
	done
	echo 'w 0 1 ff'
	echo 'r 0 1'
} >"$tmp/erase"
mkfifo "$tmp/in" "$tmp/answer"
"$replay" --vars "$tmp/erased.fd" <"$tmp/in" >"$tmp/answer" &
pid=$!
exec 3>"$tmp/in" 4<"$tmp/answer"
cat "$tmp/erase" >&3
read -r _ <&4
refuses "a file in use" 4 "in use by pid $pid" "$d" --domain 1 --vars "$tmp/erased.fd" \
	--foreground
refuses "a file in use, --read-only" 4 "in use by pid $pid" "$d" --domain 1 \
	--vars "$tmp/erased.fd" --read-only --foreground
kill -9 $pid
wait $pid 2>/dev/null
exec 3>&- 4<&-
check "VARS alone is valid" cmp -s "$v" "$tmp/erased.fd"
refuses "the image of VARS and journal is refused" 3 'nothing but 0xff' "$d" --domain 1 \
	--vars "$tmp/erased.fd" --foreground

# A firmware that was built for another layout.
for code in /usr/share/OVMF/OVMF_CODE_4M.fd:0x84000 "$(code_2m):0x20000"; do
	file=${code%:*} code=${code##*/}
	if [ ! -r "$file" ]; then
		skip "code of another build: $file is missing (./setup installs or builds it)"
		continue
	fi
	case $code in
	*4M*) other=$v layout=2m ;;
	*) other=$tmp/4m.fd layout=4m ;;
	esac
	[ -e "$other" ] || "$ctl" create --layout $layout "$other"
	refuses "${code%:*}, file of $layout" 3 "built for ${code#*:} bytes" "$d" \
		--domain 1 --vars "$other" --code "$file" --foreground
	refuses "${code%:*}, new file of $layout" 3 "built for ${code#*:} bytes" "$d" \
		--domain 1 --vars "$tmp/new.fd" --layout $layout --code "$file" --foreground
	gets_to_xen "${code%:*}, file of $layout, --force" --vars "$other" --code "$file" --force
done
refuses "code without a firmware volume" 3 "ff: the file contains nothing but 0xff" "$d" --domain 1 --vars "$v" \
	--code "$tmp/ff" --foreground
refuses "code that is the VARS file" 3 "is a VARS image, without code" "$d" --domain 1 --vars "$v" \
	--code "$v" --foreground
refuses "missing code" 3 "$tmp/none" "$d" --domain 1 --vars "$v" \
	--code "$tmp/none" --foreground

# --- the check of a guest that does not exist yet ---

sandbox=
[ -n "$root" ] || sandbox='--sandbox none'
# could TEXT OPTION...: a guest called web could get this flash; no word is printed
could() {
	lib_text=$1
	shift
	"$d" --domain web $sandbox "$@" >"$tmp/out" 2>&1
	check_equal "--check-start: $lib_text" "0 " "$? $(cat "$tmp/out")"
}

could "a file that exists" --check-start pvh --vars "$v"
could "a file that pflashd would create" --check-start hvm --vars "$tmp/new.fd" --layout 2m
check "--check-start creates no file" test ! -e "$tmp/new.fd"
mkdir "$tmp/conf"
conf "$tmp/conf/web.conf" "vars = $tmp/%n.fd" 'layout = 2m'
could "a directory of options" --check-start pvh --config "$tmp/conf"
refuses "--check-start: the options of another guest" 3 "neither db.conf nor default.conf" "$d" \
	--domain db --check-start pvh --config "$tmp/conf"
conf "$tmp/conf/web.conf" "vars = $tmp/%n.fd" 'mode = fast'
refuses "--check-start: a wrong option" 3 "web.conf:2: --mode: 'fast'" "$d" --domain web \
	--check-start pvh --config "$tmp/conf"
for name in '' . ../web a/b "$(printf 'a\nb')"; do
	refuses "--check-start: the name '$name'" 5 "the guest's name '.*' is refused" "$d" \
		--domain "$name" --check-start pvh --vars "$v"
done
refuses "--check-start: the type" 2 "'pv' is not pvh or hvm" "$d" --domain web \
	--check-start pv --vars "$v"
refuses "--check-start: neither file nor template" 3 'neither --template' "$d" --domain web \
	--check-start pvh --vars "$tmp/new.fd" $sandbox
refuses "--check-start: a damaged file" 3 'checksum' "$d" --domain web --check-start pvh \
	--vars "$tmp/sum" $sandbox
hvm_code=/usr/share/ovmf/OVMF.fd
if [ -r "$hvm_code" ]; then
	layout=4m
	[ "$(wc -c <"$hvm_code")" -gt 2097152 ] || layout=2m
	could "OVMF for an HVM guest" --check-start hvm --vars "$tmp/new.fd" \
		--layout $layout --code "$hvm_code"
	refuses "--check-start: OVMF for a PVH guest" 3 'PVH' "$d" --domain web \
		--check-start pvh --vars "$tmp/new.fd" --layout $layout --code "$hvm_code" $sandbox
else
	skip "--check-start: OVMF for a PVH guest: $hvm_code is missing (./setup installs it)"
fi
"$replay" --vars "$v" <"$tmp/in" >"$tmp/answer" &
pid=$!
exec 3>"$tmp/in" 4<"$tmp/answer"
echo 'r 0 1' >&3
read -r _ <&4
refuses "--check-start: a file in use" 4 "in use by pid $pid" "$d" --domain web \
	--check-start pvh --vars "$v" $sandbox
exec 3>&- 4<&-
wait $pid
rm -f "$v.journal"

# --- the files ---

ln "$v" "$tmp/twin.fd"
refuses "a file with two names" 3 'has 2 names' "$d" --domain 1 --vars "$v" --foreground
gets_to_xen "a file with two names, --journal" --vars "$v" --journal "$tmp/j"
rm -f "$tmp/twin.fd"
refuses "a journal without a journal header" 3 '00: damaged at offset 0' "$d" --domain 1 \
	--vars "$v" --journal "$tmp/00" --foreground
cp "$v" "$tmp/changed.fd"
echo 'w 100 1 10
w 100 1 0' | "$replay" --vars "$tmp/changed.fd"
cp "$v" "$tmp/changed.fd"
refuses "a file changed outside pflashd" 3 'content differs' "$d" --domain 1 \
	--vars "$tmp/changed.fd" --foreground
refuses "a file changed outside pflashd, --force" 3 'content differs' "$d" --domain 1 \
	--vars "$tmp/changed.fd" --force --foreground
"$ctl" accept "$tmp/changed.fd" >/dev/null
gets_to_xen "a file changed outside pflashd and accepted" --vars "$tmp/changed.fd"
refuses "no file, --read-only" 3 'new.fd: No such file' "$d" --domain 1 \
	--vars "$tmp/new.fd" --layout 2m --read-only --foreground
gets_to_xen "--read-only" --vars "$v" --read-only
mkdir "$tmp/dir"
refuses "a directory" 3 "$tmp/dir" "$d" --domain 1 --vars "$tmp/dir" --base 0xffe00000 \
	--foreground

gets_to_xen "no Xen" --vars "$v"
[ -n "$xen" ] || refuses "no Xen, daemon" 5 xenstore "$d" --domain 1 --vars "$v"
gets_to_xen "no Xen, new file" --vars "$tmp/new.fd" --layout 2m
check "no VARS file was created" test ! -e "$tmp/new.fd"
check "no journal was created" test ! -e "$v.journal"
check "no journal was created elsewhere" test ! -e "$tmp/j"
finish
