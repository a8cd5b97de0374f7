# SPDX-License-Identifier: BSD-2-Clause
# Tests the outputs of the tools where they fail: the old file is untouched. And
# flashes on block devices, and refused commands, which leave nothing behind.
. tests/lib/cli.sh

replay=$build/pflash-replay
ctl=$build/pflashctl
v=$tmp/vars.fd
o=$tmp/out.fd

names() {
	# shellcheck disable=SC2012 # the names are known
	ls "$1" | paste -s -d ' '
}

"$ctl" create --layout 2m "$v"
printf 'w 1f000 1 10\nw 1f000 1 0\nw 0 1 ff\n' | "$replay" --vars "$v"
head -c 131072 /dev/zero >"$tmp/backup"

# --- export ---

cp "$tmp/backup" "$o"
chmod 640 "$o"
check "export over a file" "$ctl" export "$v" "$o"
check "it is the image" cmp -s "$v" "$o"
check_equal "it keeps the mode" 640 "$(stat -c %a "$o")"
ln -s out.fd "$tmp/link.fd"
cp "$tmp/backup" "$o"
check "export to a symbolic link" "$ctl" export "$v" "$tmp/link.fd"
check "the link is still one" test -L "$tmp/link.fd"
check "its target has the image" cmp -s "$v" "$o"
check "export to a new name" "$ctl" export "$v" "$tmp/new.fd"
check_equal "only the owner may read it" 600 "$(stat -c %a "$tmp/new.fd")"
rm "$tmp/new.fd" "$tmp/link.fd"
mkfifo "$tmp/fifo"
cat "$tmp/fifo" >"$tmp/read" &
check "export to a pipe" "$ctl" export "$v" "$tmp/fifo"
wait $!
check "the pipe had the image" cmp -s "$v" "$tmp/read"
refuses "export to a FIFO that nobody reads" 1 'a FIFO, and no process reads it' \
	timeout 60 "$ctl" export "$v" "$tmp/fifo"
check "it is still a FIFO" test -p "$tmp/fifo"
ln -s nowhere "$tmp/dangling"
refuses "export to a dangling link" 1 "is a symbolic link to 'nowhere', which leads" \
	"$ctl" export "$v" "$tmp/dangling"
ln -s round "$tmp/round"
refuses "export to a circle of links" 1 'round in a circle' "$ctl" export "$v" "$tmp/round"
check "both are still links" test -L "$tmp/dangling" -a -L "$tmp/round"
check "export to a device" "$ctl" export "$v" /dev/null
refuses "export to a full device" 1 'No space left' "$ctl" export "$v" /dev/full
refuses "export to a directory" 1 'directory' "$ctl" export "$v" "$tmp"

# limited COMMAND...: runs COMMAND so that no file can exceed 16 blocks
# shellcheck disable=SC2317 # refuses() calls it
limited() {
	# A block of ulimit has 512 or 1024 bytes, depending on the shell.
	sh -c 'trap "" XFSZ; ulimit -f 16; exec "$@"' sh "$@"
}
cp "$tmp/backup" "$o"
mkdir "$tmp/few"
refuses "export: the file may not grow" 1 'File too large' limited "$ctl" export "$v" "$o"
check "the old backup is untouched" cmp -s "$tmp/backup" "$o"
refuses "export to a new name: the file may not grow" 1 'File too large' \
	limited "$ctl" export "$v" "$tmp/few/new.fd"
check_equal "no file is left" "" "$(names "$tmp/few")"

# in_full COMMAND...: runs COMMAND in a mount name space where $tmp/mnt is a full
# tmpfs with the files v and backup, then the test that both are untouched
# shellcheck disable=SC2016 # another shell expands it
in_full() {
	unshare -m sh -c 'mount -t tmpfs -o size=300k tmpfs "$1/mnt" &&
		cp "$1/vars.fd" "$1/mnt/v" && cp "$1/backup" "$1/mnt/backup" &&
		{ cat /dev/zero >"$1/mnt/fill" 2>/dev/null || :; } &&
		tmp=$1 && shift && { "$@"; code=$?; } &&
		cmp "$tmp/mnt/v" "$tmp/vars.fd" && cmp "$tmp/mnt/backup" "$tmp/backup" &&
		[ "$(ls "$tmp/mnt" | paste -s -d " ")" = "backup fill v" ] &&
		exit $code; exit 99' sh "$tmp" "$@"
}
mkdir "$tmp/mnt"
if in_full true 2>/dev/null; then
	refuses "export: a full disk, and the old backup is untouched" 1 'No space left' \
		in_full "$ctl" export "$v" "$tmp/mnt/backup"
	refuses "a plot: a full disk, and the old file is untouched" 1 'No space left' \
		in_full sh -c "'$build/pflash-bench' commit --rounds 1 --count 10 --directory '$tmp' --plot '$tmp/mnt/backup' >/dev/null"
	cut="truncate -s 4096 '$tmp/mnt/v' && cp '$v.journal' '$tmp/mnt/v.journal'"
	refuses "a rescue: a full disk, and both files are untouched" 1 'No space left' \
		unshare -m sh -c "mount -t tmpfs -o size=180k tmpfs '$tmp/mnt' &&
			cp '$v' '$tmp/mnt/v' && $cut &&
			{ cat /dev/zero >'$tmp/mnt/fill' 2>/dev/null || :; } &&
			{ '$ctl' rollback --to 1 '$tmp/mnt/v'; code=\$?; } &&
			cmp '$v.journal' '$tmp/mnt/v.journal' &&
			[ \$(stat -c %s '$tmp/mnt/v') = 4096 ] &&
			[ \$(ls '$tmp/mnt' | wc -l) = 3 ] && exit \$code; exit 99"
else
	skip "a full disk: unshare or mount is not allowed"
fi

# --- refused commands leave nothing behind ---

mkdir "$tmp/dir"
"$ctl" create --layout 4m "$tmp/dir/v"
refuses "create --reset: another size" 3 'has 540672 bytes, not 131072' \
	"$ctl" create --reset --layout 2m "$tmp/dir/v"
refuses "create --reset: another size, with --journal" 3 'has 540672 bytes' \
	"$ctl" create --reset --journal "$tmp/dir/j" --layout 2m "$tmp/dir/v"
check_equal "no journal is made" v "$(names "$tmp/dir")"
: >"$tmp/dir/empty"
rm "$tmp/dir/v"
refuses "create --reset: no file" 3 'No such file' \
	"$ctl" create --reset --layout 2m "$tmp/dir/v"
check_equal "no file is made" empty "$(names "$tmp/dir")"

# --- block devices ---

loop=$(head -c 4194304 /dev/zero >"$tmp/disk" && losetup -f --show "$tmp/disk" 2>/dev/null)
if [ -z "$loop" ] || [ ! -w "$loop" ]; then
	skip "block devices: loop devices are not allowed"
	finish
fi
trap 'losetup -d "$loop"; rm -rf "$tmp"' EXIT
j=$tmp/disk.journal
printf 'EFI PART' | dd of="$loop" bs=1 seek=512 conv=notrunc 2>/dev/null
refuses "a device: create on a disk" 3 'the file is a disk with a GPT, not' \
	"$ctl" create --layout 2m --journal "$j" "$loop"
dd if=/dev/zero of="$loop" bs=4096 count=1 conv=notrunc 2>/dev/null
refuses "a device: create without --journal" 3 '--journal must say' \
	"$ctl" create --layout 2m "$loop"
check "a device: create" "$ctl" create --layout 2m --journal "$j" "$loop"
check "a device: it has the image" sh -c "'$ctl' create --layout 2m '$tmp/2m' &&
	cmp -n 131072 '$loop' '$tmp/2m'"
check "a device: check" sh -c "'$ctl' check --journal '$j' '$loop' >/dev/null"
check_equal "a device: pflash-replay" ff "$(
	printf 'w 1f000 1 10\nw 1f000 1 0\nw 0 1 ff\nr 1f001 1\n' |
		"$replay" --vars "$loop" --journal "$j"
)"
refuses "a device: create again, with the same journal" 3 'exists' \
	"$ctl" create --layout 2m --journal "$j" "$loop"
refuses "a device: create again, with another journal" 3 'is not blank' \
	"$ctl" create --layout 2m --journal "$tmp/other" "$loop"
check "a device: no journal is left" test ! -e "$tmp/other"
refuses "a device: create --reset, another size" 3 'has 131072 bytes, not 540672' \
	"$ctl" create --reset --layout 4m --journal "$j" "$loop"
"$ctl" export --journal "$j" "$loop" "$o"
dd if=/dev/zero of="$loop" bs=4096 count=32 conv=notrunc 2>/dev/null
"$ctl" check --journal "$j" "$loop" >"$tmp/said"
command=$(sed -n 's/^repair: `\([^`]*\)`.*/\1/p' "$tmp/said")
PATH=$(cd "$build" && pwd):$PATH
check "a device that was zeroed: $command" sh -c "${command:-false} >/dev/null"
check "a device: the image is back" cmp -n 131072 "$loop" "$o"
check "a device: its old content is kept" cmp -n 131072 "$tmp/disk.kept" /dev/zero
check "a device: check after the repair" sh -c "'$ctl' check --journal '$j' '$loop' >/dev/null"
rm -f "$j"
dd if=/dev/zero of="$loop" bs=4096 conv=notrunc 2>/dev/null
check "a device: create --reset on zeros" "$ctl" create --reset --layout 4m --journal "$j" "$loop"
check "a device: check of the new size" sh -c "'$ctl' check --journal '$j' '$loop' >/dev/null"
# smaller than the flash of the journal: the image is saved
"$ctl" export --journal "$j" "$loop" "$o"
losetup -d "$loop"
truncate -s 65536 "$tmp/disk"
loop=$(losetup -f --show "$tmp/disk")
"$ctl" check --journal "$j" "$loop" >"$tmp/said"
command=$(sed -n 's/^repair: `\([^`]*\)NEW`.*/\1/p' "$tmp/said")
check "a device that is too small: $command" sh -c "${command:-false} '$tmp/saved'"
check "the image is saved" cmp -s "$o" "$tmp/saved"
finish
