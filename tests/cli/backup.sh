# SPDX-License-Identifier: BSD-2-Clause
# Tests the recipes of docs/backup.md on a flash that is in use.
. tests/lib/cli.sh

replay=$build/pflash-replay
ctl=$build/pflashctl

# live DIR OPTION...: a new flash in DIR, in use by pflash-replay, whose input is
# descriptor 3 and whose output is descriptor 4
live() {
	v=$1/guest.fd
	shift
	rm -f "$v"* "$tmp/in" "$tmp/answer"
	mkfifo "$tmp/in" "$tmp/answer"
	"$ctl" create --layout 2m "$v"
	"$replay" --vars "$v" "$@" <"$tmp/in" >"$tmp/answer" &
	exec 3>"$tmp/in" 4<"$tmp/answer"
}

# put OFFSET VALUE: the guest programs a byte, and has the answer
put() {
	printf 'w %s 1 10\nw %s 1 %s\nw %s 1 ff\nr %s 1\n' "$1" "$1" "$2" "$1" "$1" >&3
	read -r answer <&4
	[ "$answer" = "$2" ] || not_ok "the guest reads $answer, not $2"
}

live_end() {
	exec 3>&- 4<&-
	wait $! || not_ok "the end of the flash in use"
}

# bytes FILE: those at 0x1a000
bytes() {
	od -An -tx1 -j 106496 -N 3 "$1" | tr -d ' '
}

# eventually WANTED: true if VARS alone has these bytes within a minute
eventually() {
	for _ in $(seq 300); do
		[ "$(bytes "$v")" = "$1" ] && return
		sleep 0.2
	done
	return 1
}

# image FILE: the bytes of its image, by VARS and journal; "refused"
image() {
	if "$ctl" check "$1" >"$tmp/check" && "$ctl" export "$1" "$tmp/image.fd"; then
		bytes "$tmp/image.fd"
	else
		echo refused
	fi
}

mkdir "$tmp/xen" "$tmp/to"

# --- the guest writes, and VARS alone has nothing of it ---
live "$tmp/xen" --settle 3600
put 1a000 11
check_equal "VARS alone has no checkpoint yet" ffffff "$(bytes "$v")"

"$ctl" export "$v" "$tmp/to/export.fd"
check_equal "export: all that was answered" 11ffff "$(bytes "$tmp/to/export.fd")"

cp "$v" "$tmp/to/alone.fd"
check_equal "a copy of VARS alone: the last checkpoint" ffffff "$(image "$tmp/to/alone.fd")"
check "check says that writes may be missing" grep -q '^note: no-journal: ' "$tmp/check"

cp "$v" "$v.journal" "$tmp/to"
check_equal "a copy of both files" 11ffff "$(image "$tmp/to/guest.fd")"
check "check says nothing then" sh -c "! grep -q no-journal '$tmp/check'"
check_equal "it has the history" "$("$ctl" log "$v")" "$("$ctl" log "$tmp/to/guest.fd")"

if command -v rsync >/dev/null; then
	rm -f "$tmp/to/guest.fd"*
	put 1a001 22
	check "rsync" rsync -a "$v" "$v.journal" "$tmp/to/"
	check_equal "rsync of both files" 1122ff "$(image "$tmp/to/guest.fd")"
	put 1a002 33
	check "rsync again" rsync -a --checksum "$v" "$v.journal" "$tmp/to/"
	check_equal "rsync again: what is new" 112233 "$(image "$tmp/to/guest.fd")"
else
	skip "rsync is not installed"
	put 1a001 22
	put 1a002 33
fi

if command -v borg >/dev/null; then
	export BORG_BASE_DIR="$tmp/borg" BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
	check "borg init" borg init -e none "$tmp/repo"
	check "borg create" sh -c "cd '$tmp/xen' && borg create '$tmp/repo::one' ."
	mkdir "$tmp/out.borg"
	check "borg extract" sh -c "cd '$tmp/out.borg' && borg extract '$tmp/repo::one'"
	check_equal "borg of both files" 112233 "$(image "$tmp/out.borg/guest.fd")"
else
	skip "borg is not installed"
fi
live_end
check_equal "after the end VARS alone has all" 112233 "$(bytes "$v")"

# --- copies at different moments do not fit, or fit and are right ---
live "$tmp/xen" --settle 1
put 1a000 11
cp "$v.journal" "$tmp/to/guest.fd.journal"
check "the guest is quiet: VARS alone has all" eventually 11ffff
cp "$v" "$tmp/to/alone.fd"
check_equal "a copy of VARS alone has it" 11ffff "$(image "$tmp/to/alone.fd")"
put 1a001 22
check "quiet again" eventually 1122ff
cp "$v" "$tmp/to/guest.fd"
check_equal "an older copy of the journal: check refuses" refused "$(image "$tmp/to/guest.fd")"
cp "$v.journal" "$tmp/to/guest.fd.journal"
check_equal "copied again" 1122ff "$(image "$tmp/to/guest.fd")"
live_end

# --- restore ---
check "restore of a copy of VARS alone" "$ctl" create --reset --template "$tmp/to/alone.fd" "$v"
check_equal "it is the copy" 11ffff "$(image "$v")"
check "restore of a copy of both" "$ctl" export "$tmp/to/guest.fd" "$tmp/to/image.fd"
check "by its image" "$ctl" create --reset --template "$tmp/to/image.fd" "$v"
check_equal "it is the copy of both" 1122ff "$(image "$v")"

# --- a snapshot of both files ---
# mount_btrfs: a file system of btrfs at $tmp/mnt, or the reason why not
mount_btrfs() {
	command -v mkfs.btrfs >/dev/null || { echo "mkfs.btrfs is not installed"; return 1; }
	[ "$(id -u)" = 0 ] || { echo "only root may mount"; return 1; }
	truncate -s 256M "$tmp/disk"
	mkfs.btrfs -q "$tmp/disk" >/dev/null 2>&1 || { echo "mkfs.btrfs fails"; return 1; }
	mkdir "$tmp/mnt"
	mount -t btrfs -o loop "$tmp/disk" "$tmp/mnt" 2>/dev/null || {
		echo "btrfs cannot be mounted here"
		return 1
	}
}

if reason=$(mount_btrfs); then
	trap 'umount "$tmp/mnt"; rm -rf "$tmp"' EXIT
	btrfs subvolume create "$tmp/mnt/xen" >/dev/null
	live "$tmp/mnt/xen" --settle 3600
	put 1a000 44
	check "btrfs snapshot" sh -c "btrfs subvolume snapshot -r '$tmp/mnt/xen' '$tmp/mnt/snap' >/dev/null"
	put 1a001 55
	check_equal "the snapshot has what was answered before it" 44ffff "$(image "$tmp/mnt/snap/guest.fd")"
	live_end
else
	skip "a snapshot: $reason"
fi
finish
