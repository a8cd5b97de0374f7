# SPDX-License-Identifier: BSD-2-Clause
# Tests pflashctl boot: lists, edits, refusals, and entries that a guest has made to
# confuse. tests/peer/boot boots such entries in OVMF.
. tests/lib/cli.sh

ctl=$build/pflashctl
v=$tmp/vars.fd
guid=5eed0001-1234-4321-8765-0123456789ab

boot() {
	command=$1
	shift
	"$ctl" boot "$command" "$@"
}

quiet() {
	"$@" >/dev/null
}

# new: an empty VARS file
new() {
	rm -f "$v" "$v".*
	"$ctl" create --layout 4m "$v" >/dev/null
}

order() {
	boot list "$1" | sed -n 's/^BootOrder: //p'
}

# entry NUMBER: the lines of an entry, without its number
entry() {
	boot list "$v" | awk -v name="Boot$1" '
		/^[^ ]/ { inside = $1 == name; sub(/^Boot....  /, "") }
		inside'
}

# unchanged TEXT CODE PATTERN COMMAND...: like refuses; and the file is as before
unchanged() {
	lib_before=$(sum "$v")
	refuses "$@"
	check_equal "$1: the file is as before" "$lib_before" "$(sum "$v")"
}

# --- a store of real firmware ---

xz -dc tests/data/boot-entries.fd.xz >"$tmp/real.fd"
boot list "$tmp/real.fd" >"$tmp/list"
check_equal "the list of a store that OVMF has written" "$(cat <<'END'
BootOrder: 0004,0000,0001,0002,0003
Timeout: 0 s

Boot0004  flugzeug
    PciRoot(0x0)/Pci(0x1,0x1)/Ata(0,0,0)/\flugzeug.efi
Boot0000  UiApp (hidden) (application: not booted in order)
    FvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)/FvFile(462caa21-7614-4503-836e-8ab6f4662331)
Boot0001  UEFI QEMU DVD-ROM QM00003  (made by the firmware)
    PciRoot(0x0)/Pci(0x1,0x1)/Ata(1,0,0)
Boot0002  UEFI QEMU HARDDISK QM00001  (made by the firmware)
    PciRoot(0x0)/Pci(0x1,0x1)/Ata(0,0,0)
Boot0003  EFI Internal Shell
    FvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)/FvFile(7c04a583-9e3e-4f1c-ad65-e05268d0b4d1)

BootCurrent is volatile: it is not in the flash, only the guest has it.
END
)" "$(cat "$tmp/list")"
boot list --json "$tmp/real.fd" >"$tmp/json"
check_equal "the same as JSON" \
	"0004 flugzeug True PciRoot(0x0)/Pci(0x1,0x1)/Ata(0,0,0)/\\flugzeug.efi 0004 5" \
	"$(python3 -c '
import json, sys
whole = json.load(open(sys.argv[1]))
entry = whole["entries"][4]
print(entry["number"], entry["description"], entry["active"], entry["path"],
      whole["order"][0], len(whole["entries"]))' "$tmp/json")"
check "a list makes no journal" test ! -e "$tmp/real.fd.journal"

# All paths of real firmware can be given as they are printed.
python3 -c '
import json, sys
for entry in json.load(open(sys.argv[1]))["entries"]:
    print(entry["path-hex"], entry["path"])' "$tmp/json" >"$tmp/paths"
new
while read -r digits path; do
	boot add --label copy --device-path "$path" --number 0100 "$v" >/dev/null
	check_equal "$digits: from its text" "$digits" "$(boot list --json "$v" |
		sed -n 's/.*"path-hex":"\(.*\)".*/\1/p')"
	boot rm "$v" 0100 >/dev/null
done <"$tmp/paths"

# --- add ---

python3 -B tests/peer/boot/disk.py "$tmp/disk"
new
check "add an entry of a disk" quiet boot add --label 'Debian ☃' --disk "$tmp/disk" \
	--partition 1 --file '\EFI\debian\shimx64.efi' "$v"
check_equal "the entry" "Debian ☃
    HD(1,GPT,$guid,0x800,0x4000)/\\EFI\\debian\\shimx64.efi" "$(entry 0000)"
before=$(sum "$v")
check_equal "the same once more" "$v: nothing to change" "$(boot add \
	--label 'Debian ☃' --disk "$tmp/disk" --file /EFI/debian/shimx64.efi "$v")"
check_equal "changes nothing" "$before" "$(sum "$v")"
check "add with --dry-run" quiet boot add --dry-run --label x --file '\a' "$v"
check_equal "changes nothing, too" "$before" "$(sum "$v")"
check "add by a GUID" quiet boot add --label guid --partition-guid $guid \
	--partition 7 --last --number 00AB --inactive --data 'quiet splash' "$v"
check_equal "the entry with data" "guid (inactive)
    HD(7,GPT,$guid,0x0,0x0)
    data: quiet splash" "$(entry 00AB)"
check "add a GUID of the disk" quiet boot add --label found --disk "$tmp/disk" \
	--partition-guid $guid --index 1 --data-hex 00ff80 "$v"
check_equal "the partition is found" "found
    HD(1,GPT,$guid,0x800,0x4000)
    data: 00ff80" "$(entry 0001)"
check_equal "the order" '0000,0001,00AB' "$(order "$v")"
check "add a URI" quiet boot add --label net --last "$v" --device-path \
	'PciRoot(0x0)/Pci(0x3,0x0)/MAC(00163e000001,1)/IPv4(0.0.0.0,0,0,0.0.0.0,0.0.0.0,0.0.0.0)/Uri(http://10.0.0.1/boot.efi)'
check_equal "the firmware would keep all" '' \
	"$("$ctl" check "$v" | grep -E '^(error|warning)')"

# An MBR with one primary partition of the type 0xef
truncate -s 4M "$tmp/mbr"
printf '\170\126\064\022\0\0\200\0\2\0\357\0\0\0\0\010\0\0\0\020\0\0' |
	dd of="$tmp/mbr" bs=1 seek=440 conv=notrunc 2>/dev/null
printf '\125\252' | dd of="$tmp/mbr" bs=1 seek=510 conv=notrunc 2>/dev/null
check "add an entry of an MBR" quiet boot add --label mbr --number 0200 \
	--disk "$tmp/mbr" "$v"
check_equal "its path" 'mbr
    HD(1,MBR,0x12345678,0x800,0x1000)' "$(entry 0200)"

# A disk with sectors of 4096 bytes
python3 -B - "$tmp/4k" <<'END'
import sys
sys.path.insert(0, "tests/peer/boot")
import disk
disk.SECTOR, disk.START, disk.SECTORS, disk.TOTAL = 4096, 256, 64, 512
with open(sys.argv[1], "wb") as file:
    file.write(disk.disk(bytes(64 * 4096)))
END
check "add an entry of a disk with large sectors" quiet boot add --label 4k \
	--number 0300 --disk "$tmp/4k" "$v"
check_equal "its path counts them" "4k
    HD(1,GPT,$guid,0x100,0x40)" "$(entry 0300)"

# --- refusals ---

a="boot add --label x"
# shellcheck disable=SC2086 # the words of $a
{
	unchanged "no label" 2 '--label is missing' boot add --file '\a' "$v"
	unchanged "no path" 2 '--file, --disk or --device-path is missing' $a "$v"
	unchanged "two paths" 2 '--device-path excludes' \
		$a --device-path '\a' --file '\a' "$v"
	unchanged "two kinds of data" 2 '--data and --data-hex exclude' \
		$a --file '\a' --data a --data-hex 00 "$v"
	unchanged "two places" 2 '--last: --first, --last and --index exclude' \
		$a --file '\a' --first --last "$v"
	unchanged "a relative file" 2 'must begin with a backslash' \
		$a --file 'EFI\a' "$v"
	unchanged "a partition alone" 2 '--partition needs' \
		$a --file '\a' --partition 1 "$v"
	unchanged "a GUID alone" 2 'needs --partition' \
		$a --partition-guid $guid "$v"
	unchanged "no GUID" 2 "--partition-guid: 'x' is not a GUID" \
		$a --partition-guid x "$v"
	unchanged "no partition of this number" 2 'disk: has no partition 2' \
		$a --disk "$tmp/disk" --partition 2 "$v"
	unchanged "no partition of this GUID" 2 'has 0 partitions with the GUID' \
		$a --disk "$tmp/disk" --partition-guid "${guid%b}c" "$v"
	unchanged "no disk" 2 'nosuch: No such file' $a --disk "$tmp/nosuch" "$v"
	unchanged "no partitions" 2 'has neither a GPT nor an MBR' \
		$a --disk "$v" "$v"
	unchanged "a wrong device path" 2 "'Nosuch(1)' is no node" \
		$a --device-path 'Pci(0x1,0x0)/Nosuch(1)' "$v"
	unchanged "a wrong number" 2 'not four hexadecimal digits' \
		$a --file '\a' --number 7 "$v"
	unchanged "another entry has the number" 3 'Boot0001 is another entry' \
		$a --file '\a' --number 0001 "$v"
	unchanged "a label with a control character" 2 'control characters' \
		boot add --label "a$(printf '\033')b" --file '\a' "$v"
	unchanged "no file" 2 'usage: ' $a --file '\a'
	unchanged "no such entry" 3 "vars.fd: has no boot entry '0777'" \
		boot next "$v" 0777
	unchanged "two entries" 3 "vars.fd: has 2 boot entries '\[gf\]\*'" \
		boot next "$v" '[gf]*'
	unchanged "an order with an unknown entry" 3 "has no boot entry '0777'" \
		boot order "$v" 0001,0777
	unchanged "a wrong time" 2 "timeout: 'x' is not" boot timeout "$v" x
	unchanged "a time that is too long" 2 "timeout: '65536'" \
		boot timeout "$v" 65536
	unchanged "no word" 2 'usage: ' boot next "$v"
	unchanged "no command" 2 'no command' "$ctl" boot
	unchanged "an unknown command" 2 "unknown command 'nosuch'" boot nosuch
	unchanged "a label that is too long" 3 'is too large' boot add --file '\a' \
		--label "$(head -c 40000 /dev/zero | tr '\0' a)" "$v"
	unchanged "a partition with another GUID" 2 'partition 1 has another GUID' \
		boot add --label x --disk "$tmp/disk" --partition 1 \
		--partition-guid "${guid%b}c" "$v"
}
for command in list add rm order next timeout setup copy reset; do
	boot $command --help >"$tmp/help"
	check "$command --help" grep -q "^usage: pflashctl boot $command " "$tmp/help"
	check "the page has $command" grep -q "^\.It Cm $command" man/pflashctl-boot.1
done

# --- the other commands ---

check "put entries first" quiet boot order "$v" 'net,00AB'
check_equal "the others follow" '0002,00AB,0300,0200,0000,0001' "$(order "$v")"
check "drop the others" quiet boot order --only "$v" '0000,found,net'
check_equal "they are not in the order" '0000,0001,0002' "$(order "$v")"
check_equal "but still there" 'Outside BootOrder, not booted by themselves:' \
	"$(boot list "$v" | grep Outside)"
check "boot an entry next" quiet boot next "$v" fo?nd
check_equal "it is listed" 'BootNext: 0001, once' \
	"$(boot list "$v" | grep BootNext)"
check "remove it" quiet boot rm "$v" 0001
check_equal "it is nowhere" '' "$(boot list "$v" | grep -e BootNext -e '^Boot0001')"
check "no entry next" quiet boot next --clear "$v"
check "set the time" quiet boot timeout "$v" 7
check_equal "it is listed, too" 'Timeout: 7 s' "$(boot list "$v" | grep Timeout)"
check "remove the time" quiet boot timeout --clear "$v"
check_equal "it is gone" '' "$(boot list "$v" | grep Timeout)"
last=$("$ctl" log "$v" | sed -n '/^[0-9]/p' | tail -n 1 | cut -d ' ' -f 1)
check "reset" quiet boot reset "$v"
check_equal "no entry is left" 'BootOrder: none' "$(boot list "$v" | grep Boot |
	grep -v BootCurrent)"
check_equal "reset once more" "$v: nothing to change" "$(boot reset "$v")"
check_equal "the list of a point in time" 'BootOrder: 0000,0002' \
	"$(boot list --at "$last" "$v" | head -n 1)"

# --- the examples of the manual page ---

# A guest that boots from this disk
new
check "example: boot from a disk" quiet boot add --label Debian \
	--disk "$tmp/disk" --file '\EFI\debian\shimx64.efi' "$v"
check_equal "it is the first one" 0000 "$(order "$v")"

# The entries of a guest for its clones
mkdir "$tmp/clones"
"$ctl" create --layout 4m "$tmp/clones/one.fd" >/dev/null
cp "$tmp/real.fd" "$tmp/clones/two.fd"
check "example: copy entries" quiet boot copy "$v" "$tmp/clones"
for name in one two; do
	check_equal "the entries of $name" "$(boot list "$v")" \
		"$(boot list "$tmp/clones/$name.fd" | grep -v Timeout)"
done
check "other variables stay" sh -c "'$ctl' boot list '$tmp/clones/two.fd' |
	grep -q 'Timeout: 0 s'"

# The firmware's menu, once
check "example: the firmware's menu" quiet boot setup "$v"
check_equal "it is listed" \
	"OsIndications: 0x1, the firmware's menu at the next start" \
	"$(boot list "$v" | grep OsIndications)"
check "not after all" quiet boot setup --clear "$v"
check_equal "it is not listed" '' "$(boot list "$v" | grep OsIndications)"

# --- entries that a guest has made to confuse ---

# hostile FROM TO: replaces bytes in VARS, as Python has them
hostile() {
	rm -f "$v".*
	python3 - "$v" "$1" "$2" <<'END'
import ast
import sys
name, old, new = sys.argv[1:]
old, new = (ast.literal_eval(f'b"{text}"') for text in (old, new))
with open(name, "rb") as file:
    image = file.read()
assert len(old) == len(new) and image.count(old) == 1
with open(name, "wb") as file:
    file.write(image.replace(old, new))
END
}

new
boot add --label XXXX --file '\YYYY' --data ZZZZ "$v" >/dev/null
hostile 'X\0X\0X\0X\0' '\x1b\0[\0\x2e\x20\n\0'
hostile 'Y\0Y\0Y\0Y\0' '\x07\0\x9b\0\x00\xd8\x41\0'
check_equal "no control character is printed" 0 \
	"$(boot list "$v" | LC_ALL=C tr -d ' -~\n' | LC_ALL=C tr -cd '\0-\37\177' | wc -c)"
check "nor a direction mark" sh -c \
	"'$ctl' boot list '$v' | grep -q 'xe2.x80.xae'"
check "the JSON is whole" sh -c \
	"'$ctl' boot list --json '$v' | python3 -m json.tool >'$tmp/json'"
hostile '\4\4\x10\0\\\0' '\4\4\xff\xff\\\0'
check_equal "a node beyond the path" \
	'broken: the device path has no whole node at byte 0 of 20' "$(entry 0000)"
check "the JSON says it" sh -c \
	"'$ctl' boot list --json '$v' | grep -q '\"broken\":\"the device path'"
check "a broken entry can be removed" quiet boot rm "$v" 0000
check_equal "it is gone, too" none "$(order "$v")"
finish
