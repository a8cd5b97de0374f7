# SPDX-License-Identifier: BSD-2-Clause
# Tests the hotplug scripts of integration/xl: hostile names of guests, and
# scripts of several devices that run at the same time. pflashd, pflashctl, the
# xenstore tools and xl's own scripts are replaced by stubs.
. tests/lib/cli.sh

scripts=$tmp/scripts bin=$tmp/bin run=$tmp/run state=$tmp/state conf=$tmp/pflash
mkdir "$scripts" "$bin" "$run" "$state" "$conf"
export PFLASH_CONFIG="$conf" PFLASH_RUN="$run" PFLASH_NO_SYSTEMD=1 STATE="$state"
export PFLASH_XEN="$state"

# The scripts set PATH to the system's directories: put the stubs before them.
cp integration/xl/* "$scripts"
sed -i "s|^PATH=.*|PATH=\${TEST_PATH:-$bin:\$PATH}|" "$scripts/pflash-common.sh"
chmod +x "$scripts/vif-pflash" "$scripts/block-pflash"

# program NAME: makes a stub; its code comes from standard input
program() {
	{
		echo '#!/bin/sh'
		cat
	} >"$1"
	chmod +x "$1"
}

# Like that of Xen 4.17: without -R it quotes bytes and adds a newline.
program "$bin/xenstore-read" <<-'EOT'
	case $1 in */target) exec cat "$STATE/target" ;; esac
	[ -e "$STATE/name" ] || exit 1
	[ "$1" != -R ] || exec cat "$STATE/name"
	LC_ALL=C sed -z 's/\\/\\\\/g; s/\n/\\n/g; s/\t/\\t/g; s/[\x80-\xff]/\\x../g' "$STATE/name"
	echo
EOT
program "$bin/xenstore-write" <<-'EOT'
	echo "$*" >>"$STATE/written"
EOT
program "$bin/pflashctl" <<-'EOT'
	[ "$1" = status ] && [ -e "$STATE/attached-$2" ] || exit 1
	echo "name: guest"
	echo "state: $(cat "$STATE/state" 2>/dev/null || echo running)"
EOT
# Only one per domain, slow to start; leaves a daemon.
program "$bin/pflashd" <<-'EOT'
	[ "$1" = --domain ] || exit 2
	if [ "$5" = --fetch ]; then
	    echo "$*" >>"$STATE/fetched"
	    [ ! -e "$STATE/unfetched" ] || { echo "pflashd: --incoming: ssh has failed"; exit 3; }
	    exit 0
	fi
	echo "$*" >>"$STATE/started"
	if [ -e "$STATE/refuse" ]; then
	    echo "pflashd: the guest's name is refused"
	    exit 3
	fi
	# With --wait 10 the real one tries for ten seconds.
	mkdir "$STATE/has-$2" 2>/dev/null || { sleep 1; echo "pflashd: in use by pid 1"; exit 4; }
	sleep "$(cat "$STATE/slow-$2" 2>/dev/null || echo 0.3)"
	sleep 60 >/dev/null 2>&1 </dev/null &
	echo $! >>"$STATE/daemons"
	: >"$STATE/attached-$2"
EOT
program "$scripts/vif-bridge" <<-'EOT'
	echo "$*" >>"$STATE/devices"
EOT
cp "$scripts/vif-bridge" "$scripts/block"

end_daemons() {
	while read -r pid; do
		kill "$pid"
	done 2>/dev/null <"$state/daemons"
}
trap 'end_daemons; rm -rf "$tmp"' EXIT

# begin [NAME]: starts with a new host that has a guest of this name, in the
# notation of printf
begin() {
	[ ! -e "$state/daemons" ] || end_daemons
	rm -rf "$state" "$conf"
	mkdir "$state" "$conf"
	# shellcheck disable=SC2059
	[ $# -eq 0 ] || printf -- "$1" >"$state/name"
}

# vif ID [DEVICE], disk ID: call the scripts as libxl does
vif() {
	XENBUS_PATH=backend/vif/$1/${2:-0} timeout 20 "$scripts/vif-pflash" \
		online >>"$tmp/out" 2>&1
}

disk() {
	XENBUS_PATH=backend/vbd/$1/51712 timeout 20 "$scripts/block-pflash" \
		add >>"$tmp/out" 2>&1
}

lines() {
	if [ -e "$state/$1" ]; then wc -l <"$state/$1"; else echo 0; fi
}

# --- names ---

# starts TEXT NAME FILE: the script must start pflashd, and then the device's own
# script
starts() {
	begin "$2"
	[ -z "$3" ] || : >"$conf/$3"
	vif 1
	check_equal "$1: a flash" "0 1 1" "$? $(lines started) $(lines devices)"
}

# starts_none TEXT NAME FILE: the script must start the device's script only
starts_none() {
	begin "$2"
	[ -z "$3" ] || : >"$conf/$3"
	vif 1
	check_equal "$1: no flash" "0 0 1" "$? $(lines started) $(lines devices)"
}

# refused TEXT NAME FILE: the script must start pflashd, which refuses the name
refused() {
	begin "$2"
	: >"$state/refuse"
	[ -z "$3" ] || : >"$conf/$3"
	vif 1
	check_equal "$1: refused" "1 1 0" "$? $(lines started) $(lines devices)"
	check "$1: in xenstore" grep -q \
		"^backend/vif/1/0/hotplug-error pflashd: the guest's name is" \
		"$state/written"
}

starts "a name with a file" web web.conf
starts "a name and the default" web default.conf
starts_none "a name without a file" web other.conf
begin web
mkdir -p "$run/pflashd/conf"
: >"$run/pflashd/conf/web.conf"
vif 1
check_equal "a file that pflash-libvirt made: a flash" "0 1 1" \
	"$? $(lines started) $(lines devices)"
rm -r "$run/pflashd"
starts "an incoming name" web--incoming web.conf
check_equal "its flash is fetched first" "--domain 1 --config $conf --fetch" "$(cat "$state/fetched")"
begin web--incoming
: >"$conf/web.conf"
: >"$state/unfetched"
vif 1
check_equal "its flash is not fetched: no guest" "1 0 0" "$? $(lines started) $(lines devices)"
check "the reason is in xenstore" grep -q \
	"^backend/vif/1/0/hotplug-error pflashd: --incoming: ssh has failed" "$state/written"
starts_none "another incoming name" web--incoming2 web.conf
starts "a blank" 'a b' 'a b.conf'
starts "UTF-8" 'b\303\274cher' "$(printf 'b\303\274cher.conf')"
starts "a backslash" 'a\\b' 'a\b.conf'
starts_none "an asterisk" '*' web.conf
starts_none "a name with a dot" a.b a.conf
: >"$tmp/out.conf"
refused "a path of an existing file" ../out
refused "a path of a missing file" ../none
refused "a path below" sub/web
refused "an incoming path" ../out--incoming
refused "a hidden name" .web
refused "a newline" 'x\nsandbox = none'
refused "a newline at the end" 'web\n'
refused "a newline at the end, and a file" 'web\n' web.conf
refused "another control character" 'a\033[2Jb'
refused "a carriage return" 'web\r'
refused "only --incoming" --incoming
refused "an empty name" ''
begin
: >"$state/refuse"
vif 1
check_equal "no name: pflashd refuses" "1 1 0" "$? $(lines started) $(lines devices)"

# --- other domains ---

begin web-dm
: >"$conf/default.conf"
echo 1 >"$state/target"
disk 2
check_equal "a stub domain: no flash" "0 0 1" "$? $(lines started) $(lines devices)"
vif 2
check_equal "a stub domain's interface: no flash" "0 0 2" "$? $(lines started) $(lines devices)"

begin web
: >"$conf/default.conf"
echo control_d >"$state/capabilities"
disk 1
check_equal "in dom0: a flash" "0 1 1" "$? $(lines started) $(lines devices)"
begin web
: >"$conf/default.conf"
: >"$state/capabilities"
disk 1
check_equal "in a driver domain: refused" "1 0 0" "$? $(lines started) $(lines devices)"
check "in a driver domain: in xenstore" grep -q \
	"^backend/vbd/1/51712/hotplug-error pflashd: no flash for domain 1: this device's backend is a driver domain" \
	"$state/written"

# --- two devices of one domain ---

# together ID COMMAND...: runs the commands at the same time; prints how many fail
together() {
	together_id=$1 together_pids='' together_bad=0
	shift
	for together_command; do
		"$together_command" "$together_id" &
		together_pids="$together_pids $!"
	done
	for together_pid in $together_pids; do
		wait "$together_pid" || together_bad=$((together_bad + 1))
	done
	echo $together_bad
}

begin web
: >"$conf/default.conf"
check_equal "two interfaces: both succeed" 0 "$(together 1 vif vif)"
check_equal "two interfaces: one pflashd" "1 2" "$(lines started) $(lines devices)"
check_equal "two interfaces: no error in xenstore" 0 "$(lines written)"
vif 1 2
check_equal "a later interface does not wait" "0 1 3" \
	"$? $(lines started) $(lines devices)"
check_equal "two interfaces: no lock is left" "" "$(ls "$run")"

begin web
: >"$conf/default.conf"
check_equal "six devices: all succeed" 0 "$(together 7 vif disk vif disk disk vif)"
check_equal "six devices: one pflashd" "1 6" "$(lines started) $(lines devices)"

begin web
: >"$conf/default.conf"
echo 3 >"$state/slow-1"
vif 1 &
pid=$!
vif 2
check_equal "another domain does not wait" "0 no" \
	"$? $([ -e "$state/attached-1" ] && echo yes || echo no)"
wait $pid
check_equal "both domains have a flash" "0 2" "$? $(lines started)"

begin web
: >"$conf/default.conf"
: >"$state/refuse"
check_equal "a refusal: both fail" 2 "$(together 1 vif vif)"
check_equal "a refusal: both report it" "2 2 0" \
	"$(lines started) $(lines written) $(lines devices)"
check_equal "a refusal: no lock is left" "" "$(ls "$run")"

# After a soft reset the old pflashd may not have ended yet.
begin web
: >"$conf/default.conf"
vif 1
for known in waiting failed running; do
	echo $known >"$state/state"
	vif 1 1
	check_equal "a pflashd that is $known is not replaced" "0 1" "$? $(lines started)"
done
echo starting >"$state/state"
(sleep 1.5 && echo running >"$state/state") &
vif 1 3
check_equal "a pflashd that is starting is waited for" "0 1 running" \
	"$? $(lines started) $(cat "$state/state")"
echo stopping >"$state/state"
rmdir "$state/has-1"
vif 1 2
check_equal "a pflashd that is stopping is followed by another" "0 2" \
	"$? $(lines started)"

# --- many devices at once ---

# storm ID COUNT: runs the scripts of so many devices at once; how many failed
storm() {
	storm_pids= storm_bad=0
	for device in $(seq "$2"); do
		if [ $((device % 2)) = 0 ]; then disk "$1"; else vif "$1" "$device"; fi &
		storm_pids="$storm_pids $!"
	done
	for pid in $storm_pids; do
		wait "$pid" || storm_bad=$((storm_bad + 1))
	done
}

for round in 1 2 3 4 5; do
	begin web
	: >"$conf/default.conf"
	storm 1 20
	check_equal "twenty devices, round $round: all come, by one pflashd" "0 1 20" \
		"$storm_bad $(lines started) $(lines devices)"
done
check_equal "twenty devices: no lock is left" "" "$(ls "$run")"
# The first pflashd fails, as if its file were not there yet.
begin web
: >"$conf/default.conf"
: >"$state/refuse"
storm 1 20
check_equal "twenty devices, refused: all fail" "20 0" "$storm_bad $(lines devices)"
check_equal "twenty devices, refused: no lock is left" "" "$(ls "$run")"

# --- without flock(1) ---

mkdir "$tmp/few"
for name in cat cp mkdir rm sed sleep sh; do
	ln -s "$(command -v $name)" "$tmp/few/$name"
done
begin web
: >"$conf/default.conf"
export TEST_PATH="$bin:$tmp/few"
check "flock is not available" sh -c 'PATH=$TEST_PATH; ! command -v flock'
vif 1
check_equal "without flock: one device gets its flash" "0 1 1" "$? $(lines started) $(lines devices)"
begin web
: >"$conf/default.conf"
storm 1 20
check_equal "without flock: twenty devices come, by one pflashd" "0 20 1" \
	"$storm_bad $(lines devices) $(ls -d "$state"/has-* | wc -l)"
unset TEST_PATH

# --- other scripts for disks ---

program "$scripts/block-other" <<-'EOT'
	[ ! -e "$STATE/no-disk" ] || exit 1
	[ ! -e "$STATE/started" ] || echo "after pflashd" >>"$STATE/devices"
	echo "$*" >>"$STATE/devices"
EOT
ln -s block-pflash "$scripts/block-other-pflash"

other() {
	XENBUS_PATH=backend/vbd/1/51712 timeout 20 "$scripts/block-other-pflash" \
		"$1" >>"$tmp/out" 2>&1
}

begin guest
: >"$conf/guest.conf"
other add
check_equal "a disk with another script: a flash" "0 1" "$? $(lines started)"
check_equal "the other script ran before pflashd" add "$(cat "$state/devices")"
other remove
check_equal "and it runs on removal" "0 1 3" "$? $(lines started) $(lines devices)"
begin guest
: >"$conf/guest.conf"
: >"$state/no-disk"
other add
check_equal "the other script fails: no flash" "1 0" "$? $(lines started)"
finish
