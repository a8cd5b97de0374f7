# SPDX-License-Identifier: BSD-2-Clause
# Gives pflashd, pflashctl check, check --code, create and export files of every
# wrong kind: all say the same sentence, with the same exit code, and none
# waits for a FIFO or hints at options that do not help.
. tests/lib/cli.sh

d=$build/pflashd
ctl=$build/pflashctl
v=$tmp/vars.fd
"$ctl" create --layout 2m "$v"
"$ctl" create --layout 4m "$tmp/4m.fd"
code=/usr/share/OVMF/OVMF_CODE_4M.fd

# The sandbox needs root.
sandbox=
[ "$(id -u)" -eq 0 ] || sandbox='--sandbox none'

# starts OPTION...: pflashd, up to the checks; the kind must be found before Xen
starts() {
	# shellcheck disable=SC2086
	timeout 20 "$d" --domain 1 --foreground $sandbox "$@"
}

# quietly COMMAND...: without its output
quietly() {
	"$@" >/dev/null 2>&1
}

# says TEXT SENTENCE COMMAND...: exits with 3 and prints the sentence, as one of
# the lines, and no hint at --base or --force
says() {
	lib_text=$1 lib_sentence=$2
	shift 2
	"$@" >"$tmp/said" 2>&1 </dev/null
	lib_got=$?
	if [ "$lib_got" -ne 3 ]; then
		not_ok "$lib_text: wanted exit 3, got $lib_got: $(cat "$tmp/said")"
	elif ! grep -qF -e "$lib_sentence" "$tmp/said"; then
		not_ok "$lib_text: '$lib_sentence' is not in: $(cat "$tmp/said")"
	elif grep -q -e '--base' -e '--force' "$tmp/said"; then
		not_ok "$lib_text: a hint that does not help: $(cat "$tmp/said")"
	else
		ok "$lib_text"
	fi
}

# vars_is FILE SENTENCE: what all programs say of a file that is given as VARS
vars_is() {
	lib_name=${1##*/}
	says "$lib_name: pflashd" "$2" starts --vars "$1"
	says "$lib_name: pflashd --base" "$2" starts --vars "$1" --base 0xffc00000
	says "$lib_name: pflashd --template" "$2" starts --vars "$tmp/new.fd" --template "$1"
	says "$lib_name: check" "$2" timeout 20 "$ctl" check "$1"
	says "$lib_name: create --template" "$2" timeout 20 "$ctl" create --template "$1" "$tmp/new.fd"
}

# code_is FILE SENTENCE: and of one that is given as firmware
code_is() {
	lib_name=${1##*/}
	says "$lib_name: pflashd --code" "$2" starts --vars "$v" --code "$1"
	says "$lib_name: check --code" "$2" timeout 20 "$ctl" check --code "$1" "$v"
}

# all_say FILE SENTENCE
all_say() {
	vars_is "$1" "$2"
	code_is "$1" "$2"
}

# starts_with FILE SIZE FORMAT [OFFSET]: random bytes, with a magic number
starts_with() {
	head -c "$2" /dev/urandom >"$1"
	head -c 4096 /dev/zero | tr '\0' '\001' | dd of="$1" conv=notrunc 2>/dev/null
	# shellcheck disable=SC2059
	printf -- "$3" | dd of="$1" bs=1 seek="${4:-0}" conv=notrunc 2>/dev/null
}


# --- other formats ---

image() {
	starts_with "$tmp/$1" "$2" "$4" "$5"
	all_say "$tmp/$1" "the file is a $3 image, not a raw one: convert it with \`qemu-img convert -f $6 -O raw FILE NEW\`"
}

# One size is that of a flash, the others are not.
image qcow2 196608 qcow2 'QFI\373' 0 qcow2
image qcow2-of-4m 540672 qcow2 'QFI\373' 0 qcow2
image qcow2-of-5000 5000 qcow2 'QFI\373' 0 qcow2
image vmdk 65536 VMDK 'KDMV' 0 vmdk
image vdi 70001 VDI '\177\020\332\276' 64 vdi
image vhd 131072 VHD 'conectix' 0 vpc
image vhdx 1048576 VHDX 'vhdxfile' 0 vhdx
image fixed-vhd 131584 VHD 'conectix' 131072 vpc
image vhdx-of-17m 17825792 VHDX 'vhdxfile' 0 vhdx

# A real one, of a public repository.
if command -v xz >/dev/null; then
	xz -dc tests/data/OVMF_VARS.qcow2.xz >"$tmp/real.qcow2"
	all_say "$tmp/real.qcow2" 'the file is a qcow2 image, not a raw one'
else
	skip "a real qcow2 image: xz is missing"
fi

image qcow 131072 qcow 'QFI\373\000\000\000\001' 0 qcow
image qed 131072 QED 'QED\000' 0 qed
image parallels 131072 Parallels 'WithouFreSpacExt' 0 parallels

packed() {
	all_say "$tmp/$1" "the file is compressed with $2: unpack it with \`$2 -dc FILE >NEW\`"
}

gzip -c "$v" >"$tmp/vars.gz"
packed vars.gz gzip
starts_with "$tmp/vars.xz" 4096 '\375\067zXZ\000'
packed vars.xz xz
starts_with "$tmp/vars.bz2" 1000 'BZh91AY&SY'
packed vars.bz2 bzip2
starts_with "$tmp/vars.zst" 131072 '\050\265\057\375'
packed vars.zst zstd
starts_with "$tmp/vars.lz4" 2000 '\004\042\115\030'
packed vars.lz4 lz4
starts_with "$tmp/vars.lzip" 131072 'LZIP\001'
packed vars.lzip lzip
starts_with "$tmp/vars.lzma" 131072 '\135\000\000'
packed vars.lzma lzma
starts_with "$tmp/vars.zip" 8192 'PK\003\004'
all_say "$tmp/vars.zip" 'the file is a zip archive: unpack it with `unzip FILE`'
starts_with "$tmp/vars.7z" 8192 '7z\274\257\047\034'
all_say "$tmp/vars.7z" 'the file is a 7z archive: unpack it with `7z x FILE`'
tar -cf "$tmp/vars.tar" -C "$tmp" vars.fd
all_say "$tmp/vars.tar" 'the file is a tar archive: unpack it with `tar -xf FILE`'
starts_with "$tmp/vars.deb" 8192 '!<arch>\n'
all_say "$tmp/vars.deb" 'the file is an ar archive or a Debian package'
starts_with "$tmp/vars.rpm" 8192 '\355\253\356\333'
all_say "$tmp/vars.rpm" 'the file is an RPM package'
# unpacks NAME OFFSET MAGIC WHAT COMMAND
unpacks() {
	starts_with "$tmp/$1" 131072 "$3" "$2"
	all_say "$tmp/$1" "the file is $4: unpack it with \`$5\`"
}

unpacks cpio 0 070701 'a cpio archive' 'cpio -id <FILE'
unpacks squashfs 0 hsqs 'a squashfs file system' 'unsquashfs FILE'
unpacks iso 32769 CD001 'an ISO 9660 file system' 'bsdtar -xf FILE'
unpacks luks 0 'LUKS\272\276' 'encrypted with LUKS' 'cryptsetup open FILE NAME'

# other NAME OFFSET MAGIC WHAT: no command makes a flash of it; the advice is
# for the role
other() {
	starts_with "$tmp/$1" 131072 "$3" "$2"
	vars_is "$tmp/$1" "the file is $4, not a flash image of OVMF: use the OVMF_VARS file"
	code_is "$tmp/$1" "the file is $4, not a flash image of OVMF: use the OVMF_CODE file"
}

other gpt 512 'EFI PART' 'a disk with a GPT'
other mbr 510 '\125\252' 'a disk or a file system with a boot sector'
other lvm 512 LABELONE 'a physical volume of LVM'
other xfs 0 XFSB 'an XFS file system'
other ext4 1080 '\123\357' 'an ext2, ext3 or ext4 file system'
other optrom 0 '\125\252' 'an option ROM of a device'
other capsule 0 '\275\206\146\073\166\015\060\100\267\016\265\121\236\057\305\240' \
	'a capsule (a firmware update)'
other board 16 '\132\245\360\017' 'the firmware of a physical machine (with a flash descriptor)'
other dtb 0 '\320\015\376\355' 'a device tree or a FIT image'
other varstored 0 'VARS\001\000\000\000' "a file of variables of XenServer's varstored"
other nvram 0 MRVN 'the NVRAM of a VMware guest'
other xlsave 0 'Xen saved domain' 'a guest that xl has saved'
other esl 0 '\241\131\300\245\344\224\247\112\207\265\253\025\134\053\360\162' \
	'a list of keys or hashes (an EFI signature list)'
other pem 0 '-----BEGIN CERTIFICATE-----' 'a certificate or a key (PEM)'
printf 'gr\303\274\303\237e\n' >"$tmp/utf8"
vars_is "$tmp/utf8" 'the file is text, not a flash image of OVMF: use the OVMF_VARS file'

# Of no known kind: one sentence about its size, or about its contents.
head -c 5000 /dev/zero | tr '\0' '\001' >"$tmp/unknown"
vars_is "$tmp/unknown" 'the file is not a flash image: its size is 5000 bytes, expected 4 KiB blocks'
code_is "$tmp/unknown" 'the file is not a firmware image: '
head -c 1048576 /dev/zero | tr '\0' '\001' >"$tmp/unknown-1m"
refuses "unknown: the contents come before --base" 3 'unknown-1m: no firmware volume begins at offset 0' \
	starts --vars "$tmp/unknown-1m"
code_is "$tmp/unknown-1m" 'the file is not a firmware image: '
truncate -s 1T "$tmp/huge"
all_say "$tmp/huge" 'at most 16777216 bytes'
rm "$tmp/huge"

# check says the kind first, once, and nothing about a journal.
for file in qcow2 qcow2-of-5000 gpt unknown; do
	"$ctl" check "$tmp/$file" >"$tmp/said" 2>&1
	check "$file: check begins with the kind" sh -c "head -n 1 '$tmp/said' | grep -q 'the file is '"
	check_equal "$file: and says it once" 1 "$(grep -c 'the file is' "$tmp/said")"
	check "$file: nothing about a missing journal" sh -c "! grep -q -e no-journal -e '^journal:' '$tmp/said'"
done

printf '{\n  "version": 2,\n  "variables": []\n}\n' >"$tmp/vars.json"
all_say "$tmp/vars.json" 'the file is JSON, not a flash image'
printf '<!DOCTYPE html>\n<title>404 Not Found</title>\n' >"$tmp/vars.html"
all_say "$tmp/vars.html" 'the file is text, not a flash image'
cp "$d" "$tmp/program"
truncate -s 528K "$tmp/program"
all_say "$tmp/program" 'the file is an ELF program, not a flash image'
starts_with "$tmp/shell.efi" 131072 'PE\000\000' 128
printf 'MZ' | dd of="$tmp/shell.efi" conv=notrunc 2>/dev/null
printf '\200\000\000\000' | dd of="$tmp/shell.efi" bs=1 seek=60 conv=notrunc 2>/dev/null
all_say "$tmp/shell.efi" 'the file is a PE program (an EFI application), not a flash image'
starts_with "$tmp/of.journal" 4096 'PFLASHJ1'
all_say "$tmp/of.journal" 'the file is the journal of a VARS file'
starts_with "$tmp/of.state" 4096 'PFLASHS1'
all_say "$tmp/of.state" "the file is the chip's saved state"
starts_with "$tmp/of.next" 4096 'PFLASHY1'
all_say "$tmp/of.next" 'the file is the queue of changes for the next start'
starts_with "$tmp/of.pins" 4096 'pinned variables' 36
printf 'PFLASHY1' | dd of="$tmp/of.pins" conv=notrunc 2>/dev/null
all_say "$tmp/of.pins" 'the file is the record of pinned variables'


# --- flashes that are not what they should be ---

: >"$tmp/empty"
vars_is "$tmp/empty" 'the file is empty'
code_is "$tmp/empty" 'the file is empty'
for size in 5000 131072 540672 4194304 67108864; do
	head -c $size /dev/zero >"$tmp/zeros-$size"
	all_say "$tmp/zeros-$size" 'the file contains nothing but zeros'
	code_is "$tmp/zeros-$size" 'the file contains nothing but zeros: use the OVMF_CODE file'
	tr '\0' '\377' <"$tmp/zeros-$size" >"$tmp/ones-$size"
	rm "$tmp/zeros-$size"
	all_say "$tmp/ones-$size" 'the file contains nothing but 0xff'
	rm "$tmp/ones-$size"
done
for size in 5000 65536; do
	head -c $size "$v" >"$tmp/cut-$size"
	all_say "$tmp/cut-$size" 'the file is cut off: it has'
done

# padded FILE SIZE: an image with padding; create takes its variables
padded() {
	lib_sentence="the file is a VARS image of $(printf %#x "$(stat -c %s "$1")") bytes, padded with $3 to $(printf %#x "$2") bytes: make a VARS file"
	lib_name="padded with $3 to $2"
	says "$lib_name: pflashd" "$lib_sentence" starts --vars "$tmp/padded"
	says "$lib_name: pflashd --base" "$lib_sentence" starts --vars "$tmp/padded" --base 0xffc00000
	says "$lib_name: check" "$lib_sentence" "$ctl" check "$tmp/padded"
	says "$lib_name: check --code" "$lib_sentence" "$ctl" check --code "$tmp/padded" "$v"
	says "$lib_name: pflashd --code" "$lib_sentence" starts --vars "$v" --code "$tmp/padded"
	lib_said=$("$ctl" create --template "$tmp/padded" "$tmp/taken.fd")
	check_equal "$lib_name: create --template takes it" 0 $?
	check_equal "$lib_name: and says so" \
		"$tmp/padded: takes the first $(printf %#x "$(stat -c %s "$1")") bytes, the variables, of $(printf %#x "$2") bytes (padded)" "$lib_said"
	check "$lib_name: the variables" cmp -s "$1" "$tmp/taken.fd"
	rm -f "$tmp/taken.fd" "$tmp/padded"
}

for size in 1048576 4194304 67108864; do
	for image in "$v" "$tmp/4m.fd"; do
		cp "$image" "$tmp/padded"
		truncate -s $size "$tmp/padded"
		padded "$image" $size zeros
		{
			cat "$image"
			head -c $((size - $(stat -c %s "$image"))) /dev/zero | tr '\0' '\377'
		} >"$tmp/padded"
		padded "$image" $size 0xff
	done
done
cp "$v" "$tmp/junk"
head -c 4096 /dev/urandom >>"$tmp/junk"
all_say "$tmp/junk" "the file has 0x21000 bytes, but its volume ends at offset 0x20000"

# A store of QEMU's machine for Arm: a volume of three blocks of 256 KiB.
{
	head -c 262144 /dev/zero | tr '\0' '\377'
	head -c 524288 /dev/zero | tr '\0' '\377'
} >"$tmp/arm.fd"
head -c 72 "$v" | dd of="$tmp/arm.fd" conv=notrunc 2>/dev/null
printf '\000\000\014\000' | dd of="$tmp/arm.fd" bs=1 seek=32 conv=notrunc 2>/dev/null
printf '\003\000\000\000\000\000\004\000' | dd of="$tmp/arm.fd" bs=1 seek=56 conv=notrunc 2>/dev/null
cp "$tmp/arm.fd" "$tmp/arm-64m.fd"
truncate -s 64M "$tmp/arm-64m.fd"
for file in arm.fd arm-64m.fd; do
	all_say "$tmp/$file" 'the file has the variables of a firmware for Arm, RISC-V or LoongArch, in flash blocks of 0x40000 bytes'
done
head -c 17825792 /dev/urandom >"$tmp/17m"
printf 'x\001' | dd of="$tmp/17m" conv=notrunc 2>/dev/null
refuses "a template without a known kind names the limit" 3 'at most 16777216 bytes' "$ctl" create \
	--template "$tmp/17m" "$tmp/new.fd"
says "random bytes: check names the limit" 'size is 17825792 bytes, expected 4 KiB blocks, at most 16777216 bytes' \
	"$ctl" check "$tmp/17m"


# --- firmware ---

if [ -e "$code" ]; then
	vars_is "$code" 'the file is firmware code (such as OVMF_CODE), without variables'
	"$ctl" check "$code" >"$tmp/said" 2>&1
	check "firmware: check offers no command that replaces it" sh -c "! grep -q '^repair' '$tmp/said'"
	check "firmware: check --code" quietly "$ctl" check --code "$code" "$tmp/4m.fd"
	cat "$tmp/4m.fd" "$code" >"$tmp/whole.fd"
	says "a whole image: pflashd" 'the file is a whole firmware image of 0x400000 bytes' starts --vars "$tmp/whole.fd"
	says "a whole image: check" 'the file is a whole firmware image of 0x400000 bytes' "$ctl" check "$tmp/whole.fd"
	check "a whole image: check --code" quietly "$ctl" check --code "$tmp/whole.fd" "$tmp/4m.fd"
	check_equal "a whole image: create takes its variables" \
		"$tmp/whole.fd: takes the first 0x84000 bytes, the variables, of 0x400000 bytes (whole-image)" \
		"$("$ctl" create --template "$tmp/whole.fd" "$tmp/taken.fd")"
	check "a whole image: the variables" cmp -s "$tmp/4m.fd" "$tmp/taken.fd"
	rm -f "$tmp/taken.fd"
	head -c 3000000 "$code" >"$tmp/cut-code"
	code_is "$tmp/cut-code" '3000000 bytes is not the size of a firmware image'
else
	skip "firmware: no $code"
fi
code_is "$v" 'the file is a VARS image, without code: use the OVMF_CODE file of the same build'


# --- with a journal ---

# The journal of another image does not hide what the file is, and a file of
# the right kind that disagrees with its journal is not called another kind.
"$ctl" create --layout 2m "$tmp/j.fd"
printf 'w 1ffff 1 10\nw 1ffff 1 0\nw 0 1 ff\n' | "$build/pflash-replay" --vars "$tmp/j.fd" >/dev/null
cp "$tmp/shell.efi" "$tmp/new"
cat "$tmp/new" >"$tmp/j.fd"
says "a PE program with a journal: check" 'the file is a PE program' "$ctl" check "$tmp/j.fd"
says "a PE program with a journal: pflashd" 'the file is a PE program' starts --vars "$tmp/j.fd"
head -c 131072 /dev/zero >"$tmp/j.fd"
says "zeros with a journal: check" 'repair: ' "$ctl" check "$tmp/j.fd"
rm "$tmp/new"


# A repair does not replace a file of another kind that is named as the journal.
"$ctl" create --layout 2m "$tmp/k.fd"
for file in qcow2 vars.json of.state 4m.fd; do
	sum=$(sum "$tmp/$file")
	for command in check accept log compact 'rollback --to 1' 'create --reset --layout 2m'; do
		# shellcheck disable=SC2086
		refuses "$file as the journal: $command" 3 'is not a journal, but a file of another kind' \
			"$ctl" $command --journal "$tmp/$file" "$tmp/k.fd"
	done
	refuses "$file as the journal: pflashd" 3 'is not a journal, but a file of another kind' \
		starts --vars "$tmp/k.fd" --journal "$tmp/$file"
	check_equal "$file: is untouched" "$sum" "$(sum "$tmp/$file")"
done

# accept looks at the contents.
printf 'w 1ffff 1 10\nw 1ffff 1 0\nw 0 1 ff\n' | "$build/pflash-replay" --vars "$tmp/k.fd" >/dev/null
cp "$tmp/k.fd" "$tmp/good"
sum=$(sum "$tmp/k.fd.journal")
for size in 131072 8192; do
	head -c $size "$tmp/qcow2" >"$tmp/k.fd"
	says "accept refuses a qcow2 image of $size bytes" 'the file is a qcow2 image' "$ctl" accept "$tmp/k.fd"
done
for byte in 000 377; do
	head -c 131072 /dev/zero | tr '\0' "\\$byte" >"$tmp/k.fd"
	says "accept refuses a file of bytes $byte" 'the file contains nothing but ' "$ctl" accept "$tmp/k.fd"
done
for command in compact 'convert --layout 4m' 'convert --layout 2m'; do
	cp "$tmp/qcow2" "$tmp/q.fd"
	truncate -s 131072 "$tmp/q.fd"
	# shellcheck disable=SC2086
	says "$command says the kind" 'the file is a qcow2 image' "$ctl" $command "$tmp/q.fd"
done
check_equal "the journal is untouched" "$sum" "$(sum "$tmp/k.fd.journal")"
cp "$tmp/good" "$tmp/k.fd"
printf '\001' | dd of="$tmp/k.fd" bs=1 seek=50 conv=notrunc 2>/dev/null
check_equal "accept prints what is wrong" "accepted
error: header-checksum" "$("$ctl" accept "$tmp/k.fd" | cut -d : -f 1,2)"


# --- files of other types ---

mkdir "$tmp/dir"
mkfifo "$tmp/fifo"
ln -s nowhere "$tmp/link"
ln -s fifo "$tmp/link-to-fifo"
python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$tmp/socket"
other='neither a regular file nor a block device'
dangling="is a symbolic link to 'nowhere', which leads to no file"

all_say "$tmp/dir" "a directory, $other: name the file in it"
all_say "$tmp/fifo" "a FIFO, $other"
all_say "$tmp/link-to-fifo" "a FIFO, $other"
all_say "$tmp/socket" "a socket, $other"
all_say /dev/null "a character device, $other"
all_say "$tmp/link" "$dangling"
ln -s loop "$tmp/loop"
all_say "$tmp/loop" 'symbolic links lead round in a circle'
for file in dir fifo socket link; do
	case $file in
	dir) sentence='a directory' ;;
	fifo) sentence='a FIFO' ;;
	socket) sentence='a socket' ;;
	link) sentence=$dangling ;;
	esac
	says "$file: export" "$sentence" timeout 20 "$ctl" export "$tmp/$file" "$tmp/out.fd"
	says "$file: log" "$sentence" timeout 20 "$ctl" log "$tmp/$file"
	says "$file: create --reset" "$sentence" timeout 20 "$ctl" create --reset --layout 2m "$tmp/$file"
	says "$file: create" "$sentence" timeout 20 "$ctl" create --layout 2m "$tmp/$file"
	says "$file: accept" "$sentence" timeout 20 "$ctl" accept "$tmp/$file"
	says "$file: compact" "$sentence" timeout 20 "$ctl" compact "$tmp/$file"
	[ "$file" = dir ] ||
		says "$file: pflashd --config" "$sentence" starts --config "$tmp/$file"
done
for file in fifo socket; do
	says "$file as the journal: check" 'regular file' timeout 20 "$ctl" check \
		--journal "$tmp/$file" "$v"
	says "$file as the journal: pflashd" 'regular file' starts --vars "$v" \
		--journal "$tmp/$file"
done
says "a dangling link: create" "$dangling" "$ctl" create --layout 2m "$tmp/link"
says "a dangling link: pflashd --layout" "$dangling" starts --vars "$tmp/link" --layout 2m
check "a dangling link: no file was created" test ! -e "$tmp/nowhere"

# A pipe without a name is no FIFO of the file system.
check "create --template takes a pipe" sh -c "cat '$v' | '$ctl' create --template /dev/stdin '$tmp/piped.fd'"
check "it is the template" cmp -s "$v" "$tmp/piped.fd"
check "no other file was created" test ! -e "$tmp/new.fd"

# --force takes any contents, but no size that no flash can have.
says "qcow2, --force does not change its size" 'the file is a qcow2 image' \
	sh -c "$d --domain 1 --foreground $sandbox --vars '$tmp/qcow2-of-5000' --force 2>&1; exit \$?"
finish
