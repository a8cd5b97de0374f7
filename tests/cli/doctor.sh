# SPDX-License-Identifier: BSD-2-Clause
# Tests pflashctl doctor on a copy of a Xen host below --root: each problem is
# found, and its advice, if it is a command, is run and helps.
. tests/lib/cli.sh

root=$tmp/root bin=$tmp/bin
ctl=$bin/pflashctl
conf=$root/etc/xen/pflash vars=$root/var/lib/xen/pflash known=$root/var/lib/pflashd/known
tree=$tmp/tree.json
firmware=/usr/share/OVMF/OVMF_CODE_4M.fd
export PFLASH_KNOWN_DIR="$known" PFLASH_RUN_DIR="$root/run/pflashd"

if [ "$(id -u)" -ne 0 ]; then
	skip "doctor: the files of a host belong to root"
	finish
fi
umask 022
chmod 755 "$tmp"
mkdir "$bin"
cp "$build/pflashctl" "$bin"
PATH=$bin:$PATH

# ends PID...: waits for the end of processes that were killed; false after 20 s.
# A zombie has ended.
ends() {
	lib_tries=200
	for lib_pid; do
		while grep -q '^State:.[^ZX]' "/proc/$lib_pid/status" 2>/dev/null; do
			lib_tries=$((lib_tries - 1))
			[ "$lib_tries" -gt 0 ] || return 1
			sleep 0.1
		done
	done
}

end_doubles() {
	[ ! -e "$tmp/doubles" ] || while read -r pid; do
		kill -9 "$pid"
		ends "$pid"
	done 2>/dev/null <"$tmp/doubles"
	rm -f "$tmp/doubles"
}
trap 'end_doubles; rm -rf "$tmp"' EXIT

# put FILE TEXT: a file of the host, in the notation of printf
put() {
	mkdir -p "$(dirname "$root$1")"
	# shellcheck disable=SC2059
	printf "$2" >"$root$1"
}

# xenstored [BEHAVIOUR]: see xenstored.py
xenstored() {
	python3 tests/cli/xenstored.py "$root/run/xenstored/socket" "$tree" "$@" >>"$tmp/doubles" || exit 2
}

# pflashds ID=BEHAVIOUR...: see hostile_daemon.py
pflashds() {
	python3 tests/cli/hostile_daemon.py "$tmp" "$@" >>"$tmp/doubles" || exit 2
}

# Makes a host without a problem.
begin() {
	end_doubles
	rm -rf "$root" "$bin/xl"
	[ -d "$tmp/installed" ] ||
		make BUILD="$build" DESTDIR="$tmp/installed" install >"$tmp/make.out" 2>&1 || exit 2
	cp -a "$tmp/installed" "$root"
	put /sys/hypervisor/type 'xen\n'
	put /sys/hypervisor/version/major '4\n'
	put /sys/hypervisor/version/minor '17\n'
	put /proc/xen/capabilities 'control_d\n'
	put /proc/sys/kernel/osrelease '6.1.0-13-amd64\n'
	put /proc/sys/kernel/seccomp/actions_avail 'kill_process kill_thread trap errno trace log allow\n'
	put /proc/self/uid_map '         0          0 4294967295\n'
	put /proc/self/gid_map '         0          0 4294967295\n'
	put /proc/self/status 'Name:\tx\nCapBnd:\t000001ffffffffff\n'
	put /proc/self/mountinfo '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n'
	put /etc/passwd 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n'
	put /etc/subuid 'user:100000:65536\n'
	put /etc/xen/scripts/block '#!/bin/sh\n'
	put /etc/xen/scripts/vif-bridge '#!/bin/sh\n'
	chmod 755 "$root/etc/xen/scripts/block" "$root/etc/xen/scripts/vif-bridge"
	mkdir -p "$root/dev/xen" "$root/run/xenstored" "$root/run/systemd/system"
	mkdir -m 700 "$root/run/pflashd"
	for lib_device in privcmd evtchn hypercall; do
		ln -s /dev/null "$root/dev/xen/$lib_device"
	done
	cp "$firmware" "$root/usr/local/lib/xen-pflash/code.fd"
	put /etc/xen/pflash/web.conf 'vars = /var/lib/xen/pflash/web.fd\ncode = /usr/local/lib/xen-pflash/code.fd\n'
	"$ctl" create --layout 4m "$vars/web.fd" || exit 2
	printf '#!/bin/sh\necho "virt_caps              : hvm hap iommu"\n' >"$bin/xl"
	chmod 755 "$bin/xl"
	echo '{"domid": "0", "/local/domain/0/name": "Domain-0"}' >"$tree"
	xenstored
}

# doctor: sets $code; the output is in $tmp/said
doctor() {
	timeout 120 "$ctl" doctor --root "$root" "$@" >"$tmp/said" 2>"$tmp/err" </dev/null
	code=$?
}

# says LEVEL CHECK PATTERN
# shellcheck disable=SC2317 # check() calls it
says() {
	grep -q "^$1: $2: .*$3" "$tmp/said" && return
	grep "^[a-z]*: $2: " "$tmp/said" | sed 's/^/# /'
	return 1
}

# finds TEXT LEVEL CHECK PATTERN: doctor says it, and exits accordingly; only the
# check that is named, and those in $also, have a problem
finds() {
	doctor
	lib_code=0
	[ "$2" != problem ] || lib_code=1
	check_equal "$1: exit code" "$lib_code" "$code"
	check "$1" says "$2" "$3" "$4"
	check_equal "$1: nothing else" "" \
		"$(grep '^problem: ' "$tmp/said" | grep -v "^problem: \($3${also:+\|$also}\): ")"
}

# commands CHECK: prints the commands in the advice of the check's problems and
# notes
# shellcheck disable=SC2016 # backquotes of the advice
commands() {
	"$ctl" doctor --json --root "$root" | python3 -c '
import json, re, sys
for finding in json.load(sys.stdin)["findings"]:
    if finding["check"] == sys.argv[1] and finding["level"] in ("problem", "note"):
        print(*re.findall("`([^`]*)`", finding.get("mend", "")), sep="\n")' "$1"
}

# helps TEXT CHECK: runs the advice; then the check has neither problem nor note
helps() {
	commands "$2" >"$tmp/advice"
	check "$1: there is advice" grep -q . "$tmp/advice"
	(cd "$tmp" && sh -e "$tmp/advice" >"$tmp/advised" 2>&1) || sed 's/^/# /' "$tmp/advised"
	doctor
	check_equal "$1: the advice helps" "" "$(grep "^\(problem\|note\): $2: " "$tmp/said")"
}

# --- a host without a problem ---

begin
doctor
check_equal "no problem: exit code" 0 "$code"
check_equal "no problem" "0 problems, 0 notes, 0 not seen" "$(tail -n 1 "$tmp/said")"
check_equal "no problem: nothing on standard error" "" "$(cat "$tmp/err")"
check_equal "every check says something" "" "$(sed -n 's/^	{ "\([a-z0-9]*\)", doctor_.*/\1/p' \
	tools/pflashctl/doctor.c | while read -r name; do
	grep -q "^ok: $name: " "$tmp/said" || echo "$name"
done)"
check "the firmware" says ok firmware 'code.fd: firmware for VARS files of the layout 4m'
check "the VARS file" says ok vars 'web.fd: sound, 0 variables'
doctor --json
check "--json" python3 -c '
import json, sys
said = json.load(open(sys.argv[1]))
assert said["problems"] == 0 and all(f["level"] == "ok" for f in said["findings"])' "$tmp/said"
check_equal "--json: exit code" 0 "$code"
refuses "an argument" 2 'usage: pflashctl doctor' "$ctl" doctor x

# --- Xen ---

rm "$root/sys/hypervisor/type"
finds "no Xen" problem xen 'does not run on Xen'
check "no Xen: the rest is not examined" says unseen devices 'not examined'
begin
put /proc/sys/kernel/osrelease '4.19.0\n'
finds "an old kernel" problem kernel 'Linux 4.19.0 is older than 5.3'
begin
put /proc/xen/capabilities '\n'
finds "no dom0" note dom0 'this is not dom0'
rm "$root/proc/xen/capabilities"
finds "no xenfs" note dom0 'mount -t xenfs'
begin
put /sys/hypervisor/version/minor '10\n'
finds "an old Xen" problem version 'Xen 4.10 is older than 4.11'
put /sys/hypervisor/version/minor '14\n'
finds "a Xen that is not tested" note version 'Xen 4.14'
begin
echo 'echo "virt_caps : pv"' >>"$bin/xl"
sed -i 2d "$bin/xl"
finds "neither HVM nor PVH" problem hap 'neither HVM nor PVH'
sed -i 's/pv/hvm/' "$bin/xl"
finds "no HAP" note hap 'trap mode'
echo 'exit 1' >"$bin/xl"
finds "xl fails" unseen hap 'no virt_caps'
printf '#!/bin/sh\nsleep 600 &\necho $! $$ >%s\nwait\n' "$tmp/pids" >"$bin/xl"
finds "xl hangs" problem hap 'not finished within 10 seconds, at xl info'
read -r one two <"$tmp/pids"
check "xl hangs: its processes are ended" ends "$one" "$two"

for device in privcmd evtchn; do
	begin
	rm "$root/dev/xen/$device"
	finds "no $device" problem devices "/dev/xen/$device: No such file.*modprobe xen-$device"
done
: >"$root/dev/xen/evtchn"
finds "a file in place of a device" problem devices 'evtchn: not a device'
begin
rm "$root/dev/xen/hypercall"
finds "no hypercall" note devices '/dev/xen/hypercall'

# --- xenstored ---

begin
end_doubles
finds "xenstored was killed" problem xenstored 'cannot be reached: .*Connection refused.*systemctl start xenstored'
rm "$root/run/xenstored/socket"
finds "no xenstored" problem xenstored 'cannot be reached: .*No such file'
xenstored hang
finds "xenstored hangs" problem xenstored 'does not answer within 5 seconds'
check "xenstored hangs: guests" says unseen guests 'timed out'
for behaviour in close cut random large wrong; do
	end_doubles
	xenstored $behaviour
	finds "xenstored: $behaviour" problem xenstored 'cannot be reached: .*domid'
done

# --- users and privileges ---

begin
put /etc/passwd 'root:x:0:0::/root:/bin/sh\n\033[2J:x:2000000007:100::/:/bin/sh\n'
finds "an account of a worker" problem users '\\x1b\[2J.* has numbers from 2000000007 to 2000000007'
begin
put /etc/subuid 'a:1999999000:1000\nb:2000032752:9\nbig:1999999999:2\n'
finds "subordinate ids" problem users "subuid: 'big' has numbers from 1999999999 to 2000000000"
check_equal "ids beside the range" 1 "$(grep -c '^problem: users' "$tmp/said")"
begin
put /proc/self/gid_map '0 100000 65536\n'
finds "a user namespace" problem namespaces 'gid_map: this user namespace'
begin
put /proc/self/status 'CapBnd:\t000001ffffffffbf\n'
finds "a capability" problem capabilities 'cap_setgid'
check_equal "only this capability" 1 "$(grep -c '^problem: capabilities' "$tmp/said")"
begin
rm "$root/proc/sys/kernel/seccomp/actions_avail"
finds "no seccomp" problem seccomp 'cannot filter'

# --- AppArmor ---

begin
put /sys/module/apparmor/parameters/enabled 'Y\n'
put /sys/kernel/security/apparmor/profiles 'pflashd-old (enforce)\n'
finds "no profile" ok apparmor 'not installed'
make DESTDIR="$root" install-apparmor >"$tmp/make.out" 2>&1
finds "a profile that is not loaded" note apparmor "apparmor_parser -r $root/etc/apparmor.d/pflashd"
put /sys/kernel/security/apparmor/profiles 'x (enforce)\npflashd (complain)\n'
finds "complain mode" note apparmor 'complain mode'
put /sys/kernel/security/apparmor/profiles 'pflashd (enforce)\n'
finds "enforced" ok apparmor 'is enforced'
mkdir -p "$root/srv" "$root/etc/apparmor.d/local"
"$ctl" create --layout 4m "$root/srv/a.fd"
put /etc/xen/pflash/a.conf 'vars = /srv/a.fd\n'
finds "a VARS file that the profile does not allow" problem apparmor 'does not allow /srv/a.fd, which .*/a.conf names'
put /etc/apparmor.d/local/pflashd '/srv/** rwkl,\n'
finds "rules of the host" ok apparmor 'is enforced'

# --- program, scripts, unit ---

begin
mkdir -p "$root/usr/sbin"
cp "$root/usr/local/sbin/pflashd" "$root/usr/sbin"
finds "two programs" note program 'installed twice'
also=unit
rm "$root/usr/sbin/pflashd" "$root/usr/local/sbin/pflashd"
finds "no program" problem program 'neither .* is a program'
check "no program: the unit" says problem unit 'starts .*/usr/local/sbin/pflashd, which is no program'
also=
begin
chmod 644 "$root/etc/xen/scripts/block-pflash"
finds "a script that cannot be executed" problem scripts 'block-pflash: is not executable'
helps "a script that cannot be executed" scripts
rm "$root/etc/xen/scripts/pflash-common.sh"
finds "no script" problem scripts 'pflash-common.sh: does not exist'
begin
rm "$root/usr/local/lib/systemd/system/pflashd@.service"
finds "no unit" note unit 'no unit'
mkdir -p "$root/etc/systemd/system"
ln -s /dev/null "$root/etc/systemd/system/pflashd@.service"
finds "a masked unit" problem unit 'names no program'

# --- directories ---

for directory in /etc/xen/pflash /var/lib/xen/pflash; do
	begin
	mv "$root$directory" "$tmp/away"
	also=vars
	finds "no $directory" problem directories "$directory: does not exist"
	also=
	helps "no $directory" directories
	rmdir "$root$directory"
	mv "$tmp/away" "$root$directory"
	chmod 777 "$root$directory"
	finds "the mode of $directory" problem directories "$directory: has the mode 0777"
	helps "the mode of $directory" directories
	chown 12345 "$root$directory"
	finds "the owner of $directory" problem directories "$directory: belongs to user 12345"
	helps "the owner of $directory" directories
done
begin
rm -r "$root/run/pflashd" "$known"
finds "directories that pflashd makes" ok directories 'known: does not exist; pflashd makes it'

# mounted TYPE OPTIONS: the directory of the VARS files is a mount of this type
mounted() {
	put /proc/self/mountinfo \
		"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 22 0:4 / /var/lib/xen/pflash rw,relatime - $1 x $2\n41 22 0:5 / /var/lib/xen/pfl ro - vfat y ro\n"
}
begin
mounted tmpfs rw
finds "tmpfs" problem directories 'pflash: on a file system of type tmpfs: its files are lost'
mounted nfs rw,vers=3,nolock
finds "NFS without locks" problem directories 'type nfs with the option nolock'
mounted nfs4 rw,vers=4.2,hard
finds "NFS" note directories 'type nfs4: the server must export it with sync'
mounted nfs4 rw,soft
finds "NFS that gives up" note directories 'with the option soft'
mounted cifs rw,nobrl
finds "SMB without locks" problem directories 'type cifs with the option nobrl'
mounted ext4 ro
finds "read-only" problem directories 'type ext4 with the option ro'
mounted ext4 rw,errors=remount-ro
finds "a disk" ok directories '/var/lib/xen/pflash$'
put /proc/self/mountinfo '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 22 0:4 / /var/lib/xen/pfl\\141sh rw - tmpfs x rw\n'
finds "an escaped name" problem directories 'type tmpfs'
if unshare -m mount -t tmpfs -o size=4m tmpfs "$vars" 2>"$tmp/err"; then
	begin
	# shellcheck disable=SC2016
	unshare -m sh -c 'cp "$1/web.fd" "$2" && mount -t tmpfs -o size=4m,mode=700 tmpfs "$1" &&
		cp "$2/web.fd" "$1" && "$3" doctor --root "$4"' sh "$vars" "$tmp" "$ctl" "$root" >"$tmp/said"
	check_equal "no space: exit code" 1 "$?"
	check "no space" says problem directories 'pflash: [0-9]* KiB and .* files are free'
else
	skip "no space: $(head -n 1 "$tmp/err")"
fi

# --- firmware ---

begin
cp /usr/share/OVMF/OVMF_VARS_4M.fd "$root/usr/local/lib/xen-pflash/template.fd"
finds "a template" ok firmware 'template.fd: a template'
gzip -1 <"$firmware" >"$root/usr/local/lib/xen-pflash/code.fd.gz"
finds "a compressed file" note firmware 'code.fd.gz: .*gzip'
# Where Fedora has it.
if xen=$(integration/edk2/build --path 2>/dev/null); then
	mkdir -p "$root/usr/share/edk2/xen"
	cp "$xen" "$root/usr/share/edk2/xen/OVMF.fd"
	finds "a PVH kernel" ok firmware 'edk2/xen/OVMF.fd: firmware .* for PVH and HVM guests'
	rm -r "$root/usr/share/edk2"
else
	skip "a PVH kernel: no OvmfXen is built (integration/edk2/build)"
fi
begin
rm "$root/usr/local/lib/xen-pflash/code.fd"
also=vars
finds "the firmware of the options" problem vars 'code.fd'
rm "$conf/web.conf"
also=
finds "no firmware" note firmware 'no firmware for Xen guests'

# --- files of options ---

begin
put /etc/xen/pflash/bad.conf '# comment\nvars = relative.fd\nvars = /var/lib/xen/pflash/web.fd # x\ncolour = red\n\nmode = fast\nsync\nhistory = "1M\nlayout = 4m\nlayout = 2m\n'
finds "mistakes" problem options 'bad.conf:2: .*relative path'
for line in 3 4 6 7 8 10; do
	check "the mistake in line $line" says problem options "bad.conf:$line: "
done
check_equal "no other mistakes" 7 "$(grep -c '^problem: ' "$tmp/said")"
begin
put /etc/xen/pflash/bad.conf 'layout = 4m\n'
finds "no VARS file" problem options 'bad.conf: --vars is missing'
begin
put /etc/xen/pflash/bad.conf 'vars = /a\n\0\nx\n'
finds "a NUL byte" problem options 'bad.conf:2: a NUL byte'
check "the line behind a NUL byte" says problem options 'bad.conf:3: '
begin
: >"$conf/bad.conf"
finds "an empty file" problem options 'bad.conf: '
begin
chmod 666 "$conf/web.conf"
finds "a file that others can change" problem options 'other users than root can change it'
helps "a file that others can change" options
: >"$conf/web.conf.bak"
finds "a name that is not read" note options 'web.conf.bak: is not read'
rm "$conf"/*
finds "no file of options" note options 'no guest has a file'

# --- VARS files ---

begin
rm "$vars/web.fd"
finds "no VARS file" problem vars 'web.fd: does not exist, and neither template'
helps "no VARS file" vars
rm "$vars/web.fd"
echo 'layout = 4m' >>"$conf/web.conf"
finds "a VARS file that will be made" ok vars 'web.fd: does not exist yet'
# The command removes the record of the same path without --root.
mkdir -p "$known" "$tmp/host" "$root$tmp/host"
put /etc/xen/pflash/web.conf "vars = $tmp/host/web.fd\\nlayout = 4m\\n"
record=$known/$(echo "${tmp#/}/host/web.fd" | tr / -)
echo "vars $tmp/host/web.fd" >"$record"
finds "a VARS file that was used" problem vars 'web.fd: a guest has used it'
check "its record" says note known 'web.fd: a guest has used it'
helps "a VARS file that was used" vars
check "it will be made now" says ok vars 'web.fd: does not exist yet'
check "its record is gone" says ok known '0 VARS files'
rmdir "$root$tmp/host" "$tmp/host"
echo "vars $tmp/host/web.fd" >"$record"
finds "a directory that is gone" problem vars "pflashctl forget $tmp/host/web.fd"
helps "a directory that is gone" known
put /etc/xen/pflash/web.conf 'vars = /var/lib/xen/pflash/web.fd\nlayout = 4m\n'
printf 'vars /var/lib/xen/pflash/web.fd\nmoved /srv/web.fd\n' >"$known/var-lib-xen-pflash-web.fd"
finds "a VARS file that was moved" problem vars 'web.fd: was moved to /srv/web.fd'
check "a record of a move is complete" says ok known '1 VARS files are recorded'
echo nonsense >"$known/nonsense"
finds "a damaged record" problem vars 'was moved'

begin
fill 0 40 | "$build/pflash-replay" --vars "$vars/web.fd" >"$tmp/replayed" || exit 2
finds "a VARS file with a journal" ok vars 'web.fd: sound, 40 variables'
printf 'XXXX' | dd of="$vars/web.fd" bs=1 seek=5000 conv=notrunc 2>/dev/null
finds "a VARS file that was changed" problem vars 'web.fd: content differs'
(cd "$tmp" && sh -c "$(commands vars)") >"$tmp/checked" 2>&1
# shellcheck disable=SC2016
repair=$(sed -n 's/^repair: `\([^`]*\)`.*/\1/p' "$tmp/checked" | head -n 1)
check "a VARS file that was changed: check names a command" test -n "$repair"
sh -c "$repair" >"$tmp/advised" 2>&1
finds "a VARS file that was changed: the command helps" ok vars 'web.fd: sound, 40 variables'
begin
printf 'XXXX' | dd of="$vars/web.fd" bs=1 seek=40 conv=notrunc 2>/dev/null
finds "a VARS file that the firmware would erase" problem vars 'web.fd: fv-signature\|web.fd: signature'
gzip -1 <"$firmware" >"$vars/web.fd"
finds "a VARS file of another kind" problem vars 'web.fd: '
rm "$vars/web.fd"
mkfifo "$vars/web.fd"
finds "a FIFO" problem vars 'web.fd: a FIFO'
begin
mkdir "$root/home"
"$ctl" create --layout 4m "$root/home/a.fd"
put /etc/xen/pflash/a.conf 'vars = /home/a.fd\n'
finds "a VARS file that the unit cannot open" problem vars 'a.fd: the unit .* in /home/ (ProtectHome'
rmdir "$root/run/systemd/system"
finds "a host without systemd" ok vars '/home/a.fd: sound'
begin
rm -f "$vars/web.fd"*
"$ctl" create --layout 2m "$vars/web.fd"
finds "a firmware of another layout" problem vars 'code.fd: the firmware was built for'

# A default file for each guest: the records know the VARS files.
begin
put /etc/xen/pflash/default.conf 'vars = /var/lib/xen/pflash/%%n.fd\nlayout = 4m\n'
mkdir -p "$known"
"$ctl" create --layout 4m "$vars/db.fd"
echo 'vars /var/lib/xen/pflash/db.fd' >"$known/var-lib-xen-pflash-db.fd"
finds "a VARS file by its record" ok vars 'db.fd: sound'
put /etc/xen/pflash/mail.conf 'vars = /var/lib/xen/pflash/%%n.fd\n'
finds "the name of the file is the guest's" problem vars '/mail.fd: does not exist'
printf 'XXXX' | dd of="$vars/db.fd" bs=1 seek=40 conv=notrunc 2>/dev/null
rm "$conf/mail.conf"
finds "a damaged VARS file by its record" problem vars '/db.fd: '

# --- pflashds and guests ---

version=$(cat VERSION)
begin
pflashds "7={\"version\": \"$version\"}" "8={\"version\": \"$version\", \"state\": \"failed\", \"name\": \"a\\u001b[2J\\nproblem: b\"}" \
	"9={\"version\": \"$version\", \"state\": \"waiting\"}" '10={"version": "9.9"}' 11=close \
	"12={\"version\": \"$version\", \"errors\": 1, \"failure\": \"write at offset 5: No space left on device\"}" 13=silent
finds "flashes" problem flashes 'domain 8 (a\\x1b\[2J\\x0aproblem: b): its pflashd has failed.*pflashctl upgrade 8'
check "a flash" says ok flashes 'domain 7 (guest7) has its flash'
check "a flash that waits" says note flashes 'domain 9 (guest9): waits'
check "another version" says note flashes 'domain 10 (guest10): .* version 9.9.*pflashctl upgrade 10'
check "no answer" says problem flashes '/11.sock: closed the connection'
check "a write failure" says problem flashes 'domain 12 (guest12): .*read-only.*No space left'
check "a pflashd that hangs" says problem flashes '/13.sock: no answer within 5 seconds'
check "no control character passes" sh -c "! LC_ALL=C tr -d '\n' <'$tmp/said' | grep -q '[^ -~]'"
begin
pflashds 7=close
killed=$(tail -n 1 "$tmp/doubles")
kill -9 "$killed"
ends "$killed"
finds "a pflashd that was killed" problem flashes '/7.sock: no process listens'
helps "a pflashd that was killed" flashes

begin
cat >"$tree" <<-'EOT'
	{"domid": "0", "/local/domain/0/name": "Domain-0",
	 "/local/domain/1/name": "bios", "/local/domain/1/hvmloader/bios": "seabios", "/libxl/1/type": "hvm",
	 "/local/domain/2/name": "\u001b[2J\nproblem: x/../web", "/local/domain/2/hvmloader/bios": "ovmf",
	 "/libxl/2/type": "hvm",
	 "/local/domain/3/name": "pvh", "/libxl/3/type": "pvh",
	 "/local/domain/4/name": "served", "/local/domain/4/hvmloader/bios": "ovmf",
	 "/local/domain/5": "", "/local/domain/99999/name": "x", "/local/domain/x/name": "y"}
EOT
pflashds "4={\"version\": \"$version\"}"
finds "a UEFI guest without a flash" note guests 'domain 2 (\\x1b\[2J\\x0aproblem: x/../web) has UEFI firmware'
check "a PVH guest" says unseen guests '1 PVH guests have no flash'
check "all guests" says ok guests '5 guests run, 1 of them with a flash'
sed -i 's/"pvh", "/"web", "/' "$tree"
finds "a guest with options and without a flash" problem guests 'domain 3 (web) has a file of options, but no flash'

# --- without the rights of root ---

if setpriv --reuid 65534 --regid 65534 --clear-groups "$ctl" --version >/dev/null 2>"$tmp/err"; then
	begin
	mkdir -p "$known"
	chmod 700 "$known" "$conf"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$ctl" doctor --root "$root" >"$tmp/said" 2>"$tmp/err"
	check_equal "as a user: exit code" 0 "$?"
	for name in hap options known flashes guests; do
		check "as a user: $name" says unseen $name 'run doctor as root'
	done
	check "as a user: the rest" says ok scripts block-pflash
	chmod 755 "$conf"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$ctl" doctor --root "$root" >"$tmp/said" 2>"$tmp/err"
	check "as a user: vars" says unseen vars 'web.fd: .*run doctor as root'
else
	skip "as a user: $(head -n 1 "$tmp/err")"
fi
finish
