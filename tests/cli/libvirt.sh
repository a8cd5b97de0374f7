#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Tests pflash-libvirt as libvirt calls it, with the real check of pflashd, but
# without Xen: guests that are accepted and refused (tests/data/libvirt), the
# events of a guest's life, and hostile names.
. tests/lib/cli.sh

hook=$build/pflash-libvirt
if [ ! -x "$hook" ]; then
	skip "pflash-libvirt is not built: libxml2 is missing (package libxml2-dev)"
	finish
fi
if [ "$(id -u)" -ne 0 ]; then
	skip "pflash-libvirt: the check of pflashd needs root"
	finish
fi
mkdir "$tmp/run" "$tmp/pflash" "$tmp/guest"
# pflashd looks below /run, whatever PFLASH_RUN says: this one reads the file that
# was made as its own.
mkdir "$tmp/bin"
pflashd=$(realpath "$build/pflashd")
cat >"$tmp/bin/pflashd" <<EOT
#!/bin/sh
echo "\$*" >>"$tmp/called"
[ "\$1 \$3 \$5 \$7" = '--check-start --domain --config --wait' ] || exit 99
[ -e "$tmp/pflash/\$4.conf" ] || set -- "\$1" "\$2" "\$3" "\$4" "\$5" \
    "$tmp/run/pflashd/conf/\$4.conf" "\$7" "\$8"
exec "$pflashd" "\$@"
EOT
chmod +x "$tmp/bin/pflashd"
export PFLASH_RUN="$tmp/run" PFLASH_CONFIG="$tmp/pflash" PATH="$tmp/bin:$PATH"
conf=$tmp/run/pflashd/conf
gzip -dc $data/debian12-OVMF_VARS.fd.gz >"$tmp/guest/VARS.fd"
cp "$tmp/guest/VARS.fd" "$tmp/guest/existing.fd"

# document FILE: of the corpus, with the directory of this test
document() {
	sed "s|@DIR@|$tmp/guest|g" "$1"
}

# event NAME OPERATION SUBOPERATION <XML: as libvirt
event() {
	"$hook" "$1" "$2" "$3" - >"$tmp/out" 2>"$tmp/err"
}

# --- which guests get a flash ---

for file in $data/libvirt/good/*.xml; do
	name=$(basename "$file" .xml)
	document "$file" | event web prepare begin
	check_equal "$name: accepted" "0 " "$? $(cat "$tmp/out" "$tmp/err")"
	check "$name: its options" sh -c "sed 's|@DIR@|$tmp/guest|g' \
		'${file%.xml}.conf' | cmp - '$conf/web.conf'"
	document "$file" | event web release end
done
check_equal "no file is left" "" "$(ls "$conf")"

for file in $data/libvirt/refused/*.xml; do
	name=$(basename "$file" .xml)
	why=$(document "$file" | sed -n '1s/^<!-- \(.*\) -->$/\1/p')
	: >"$conf/web.conf" # of an earlier start
	document "$file" | event web prepare begin
	check_equal "$name: refused by one sentence" "1 0 1" \
		"$? $(wc -c <"$tmp/out") $(wc -l <"$tmp/err")"
	check "$name: $why" grep -q -e "$why" "$tmp/err"
	check "$name: the guest or its file is named" grep -q \
		-e "^pflash-libvirt: guest 'web': " -e '^pflashd: .*\(web\|missing\)' "$tmp/err"
	case $name in
	doctype | bomb | bad-uuid | no-uuid | cut | two-* | network | option-as-*) ;;
	*) check "$name: no options" test ! -e "$conf/web.conf" ;;
	esac
done
rm -f "$conf/web.conf"

# none TEXT <XML: accepted, and no flash
none() {
	: >"$conf/web.conf"
	rm -f "$tmp/called"
	event web prepare begin
	check_equal "$1: accepted, without a flash" "0  no no" \
		"$? $(cat "$tmp/out" "$tmp/err") $(yes_no "$conf/web.conf") $(yes_no "$tmp/called")"
}

# yes_no FILE
yes_no() {
	if [ -e "$1" ]; then echo yes; else echo no; fi
}

pvh=$data/libvirt/good/pvh.xml
grep -v nvram $pvh | none "firmware without variables"
sed "s|<type.*|<type machine='xenpv'>linux</type>|; /nvram/d; /loader/d" $pvh |
	none "a PV guest"
sed '/nvram/d; /loader/d' $pvh | none "a kernel"

# --- the administrator's file ---

printf 'vars = %s/guest/own.fd\nlayout = 2m\n' "$tmp" >"$tmp/pflash/web.conf"
document $pvh | event web prepare begin
check_equal "the administrator's file counts" "0 no" "$? $(yes_no "$conf/web.conf")"
grep -v nvram $pvh | event web prepare begin
check_equal "also without <nvram>" "0 yes" "$? $(grep -q -e '--domain web' "$tmp/called" && echo yes)"
echo 'nonsense = 1' >>"$tmp/pflash/web.conf"
grep -v nvram $pvh | event web prepare begin
check_equal "and is checked" 1 $?
check "with its line" grep -q "$tmp/pflash/web.conf:3: unknown option" "$tmp/err"
rm "$tmp/pflash/web.conf"

# --- two guests with one file, a reboot and a migration ---

cat >"$tmp/hold.py" <<'EOT'
import fcntl, os, struct, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
print(flush=True)
time.sleep(float(sys.argv[2]))
EOT
cp "$tmp/guest/VARS.fd" "$tmp/guest/web.fd"

# hold SECONDS: another process has the file
hold() {
	mkfifo "$tmp/held"
	python3 "$tmp/hold.py" "$tmp/guest/web.fd" "$1" >"$tmp/held" &
	holder=$!
	read -r _ <"$tmp/held"
	rm "$tmp/held"
}

if command -v python3 >/dev/null 2>&1; then
	hold 2
	document $pvh | event web prepare begin
	check_equal "a file that is soon free is waited for" "0 " "$? $(cat "$tmp/err")"
	wait $holder
	hold 60
	document $pvh | event web prepare begin
	check_equal "a file in use is refused" 1 $?
	check "with its user" grep -q "web.fd: in use by pid $holder " "$tmp/err"
	event web migrate begin </dev/null # libvirt 9.0 gives it no XML
	check_equal "migrate changes no XML" "0 " "$? $(cat "$tmp/out")"
	document $pvh | event web prepare begin
	check_equal "a guest that arrives has its file in use" "0 yes" \
		"$? $(yes_no "$conf/web.conf")"
	check "without waiting" sh -c "tail -n 1 '$tmp/called' | grep -q -e '--wait 0'"
	document $pvh | event web migrate begin
	document $pvh | event web release end
	document $pvh | event web prepare begin
	check_equal "that counts for one start" 1 $?
	kill $holder
	wait $holder 2>/dev/null
else
	skip "a file in use: python3 is not installed"
fi
rm "$tmp/guest/web.fd"

# --- the start ---

with_script() {
	document $pvh | sed "s|<source bridge|<script path='vif-pflash'/>&|; $1"
}

export XENSTORED_PATH="$tmp/no-socket"
document $pvh | event web prepare begin
with_script '' | event web start begin
check_equal "with the script nothing is held" "0 web.conf" "$? $(ls "$conf")"
document $pvh | event web start begin
check_equal "without, xenstored is needed" 1 $?
check "which is said" grep -q "guest 'web': cannot reach xenstored" "$tmp/err"
check_equal "and nothing is left" web.conf "$(ls "$conf")"
document $pvh | event web started begin
check_equal "a guest that was not held is refused" 1 $?
check "which is said, too" grep -q "was not held at its creation" "$tmp/err"
document $pvh | event web reconnect begin
check_equal "not when libvirtd comes back: it would forget the guest" "0 " \
	"$? $(cat "$tmp/err")"

if command -v python3 >/dev/null 2>&1; then
	socket=$tmp/xenstored
	echo '{"device-model/7/pflash/state": "running"}' >"$tmp/tree"
	python3 tests/cli/xenstored.py "$socket" "$tmp/tree" >"$tmp/pid"
	export XENSTORED_PATH="$socket"
	with_script "s/<domain /&id='7' /" | event web started begin
	check_equal "the script has attached the flash" "0 " "$? $(cat "$tmp/err")"
	with_script "s/<domain /&id='8' /" | event web started begin
	check_equal "the script has not" 1 $?
	check "which is said" grep -q 'has attached no flash' "$tmp/err"
	for id in '' 0 x 7x 70000; do
		with_script "s/<domain /&id='$id' /" | event web started begin
		check_equal "the id '$id' is refused" 1 $?
	done
	kill "$(cat "$tmp/pid")"
else
	skip "a flash of the script: python3 is not installed"
fi
document $pvh | event web release end
with_script "s/<domain /&id='8' /" | event web started begin
check_equal "a guest without a flash starts" 0 $?
grep -v nvram $pvh | event web start begin
check_equal "and is not held" 0 $?

# --- other events, and other callers ---

for operation in 'stopped end' 'prepare end' 'release begin' 'unknown begin' 'attach begin'; do
	# shellcheck disable=SC2086
	event web $operation </dev/null
	check_equal "$operation: nothing" "0 " "$? $(cat "$tmp/out" "$tmp/err")"
done
"$hook" >"$tmp/out" 2>"$tmp/err"
check_equal "without arguments: usage" "2 1" "$? $(wc -l <"$tmp/err")"
check "--help" sh -c "'$hook' --help | grep -q '^usage: pflash-libvirt NAME '"
check_equal "the version" "pflash-libvirt $(cat VERSION)" "$("$hook" --version)"
event web prepare begin </dev/null
check_equal "no XML is refused" 1 $?
head -c 5000000 /dev/zero | tr '\0' ' ' | event web prepare begin
check_equal "much XML is refused" 1 $?

# --- names ---

: >"$tmp/run/pflashd/victim.conf"
for name in .. ../victim a/b .hidden '' "$(printf 'a\nb')" "$(printf 'a\033[2J')" \
	"$(printf 'a\377')" "$(printf '%0128d' 0)"; do
	shown=$(printf %s "$name" | tr -c 'a-z0-9/.' '?' | cut -c1-20)
	document $pvh | event "$name" prepare begin
	check_equal "the name '$shown' is refused" 1 $?
	check "which is said" grep -q "^pflash-libvirt: the guest's name '.*' is refused: it " "$tmp/err"
	check_equal "without a flash it is nobody's" 0 \
		"$(grep -v nvram $pvh | event "$name" prepare begin; echo $?)"
	document $pvh | event "$name" release end
	check_equal "no file is made or removed" "victim.conf" \
		"$(cd "$tmp/run/pflashd" && find . -name '*.conf' | sed 's|^\./||')"
done
# shellcheck disable=SC2016
for name in 'a b' "b$(printf '\303\274')cher" '$(reboot)' '*' '-x' "a'b" 'a"b' '%n' default; do
	document $pvh | event "$name" prepare begin
	check_equal "the name '$name' gets its file" "0 yes" "$? $(yes_no "$conf/$name.conf")"
	document $pvh | event "$name" release end
	check_equal "the name '$name': it is removed" no "$(yes_no "$conf/$name.conf")"
done
finish
