# SPDX-License-Identifier: BSD-2-Clause
# Tests pflashctl convert: real stores there and back, its undo, also after a
# crash, refusals, and the note of pflashctl check about dbx.
. tests/lib/cli.sh

ctl=$build/pflashctl
ms=$tmp/ms.fd
v=$tmp/vars.fd

# variables FILE: the variables that the firmware would find, as bytes
variables() {
	python3 - "$1" <<'EOF'
import struct, sys
image = open(sys.argv[1], "rb").read()
auth = image[72:76] == b"\x78\x2c\xf3\xaa"
header = 60 if auth else 32
print("authenticated" if auth else "plain")
chain, at = [], 100
while image[at:at + 2] == b"\xaa\x55":
    name, data = struct.unpack_from("<II", image, at + header - 24)
    end = at + header + name + data
    key = image[at + header - 16:at + header + name]
    chain.append((image[at + 2], key, image[at + 3:end]))
    at = (end + 3) & ~3
for i, (state, key, rest) in enumerate(chain):
    added = [n for n, v in enumerate(chain) if v[0] == 0x3f and v[1] == key]
    moving = [n for n, v in enumerate(chain) if v[0] == 0x3e and v[1] == key]
    if i == (added + moving[::-1] + [None])[0]:
        print(rest.hex())
EOF
}

size() {
	wc -c <"$1" | tr -d ' '
}

start() {
	rm -f "$v"*
	"$ctl" create "$@" "$v"
}

# hold FILE: locks it until release
hold() {
	python3 - "$1" "$tmp/locked" <<'EOF' &
import fcntl, struct, sys, time, os
file = open(sys.argv[1], "r+b")
lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
fcntl.fcntl(file, 37, lock)     # F_OFD_SETLK
open(sys.argv[2], "w").close()
while os.path.exists(sys.argv[2]):
    time.sleep(0.05)
EOF
	while [ ! -e "$tmp/locked" ]; do sleep 0.05; done
}

release() {
	rm "$tmp/locked"
	wait
}

# --- the command line ---

start --layout 2m
refuses "no layout" 2 '--layout or --undo' "$ctl" convert "$v"
refuses "layout and undo" 2 '--layout or --undo' "$ctl" convert --undo --layout 4m "$v"
refuses "unknown layout" 2 "'8m' is not" "$ctl" convert --layout 8m "$v"
refuses "no file" 2 'usage: pflashctl convert' "$ctl" convert --layout 4m
refuses "missing file" 3 'No such file' "$ctl" convert --layout 4m "$tmp/none"
check "--help" sh -c "$ctl convert --help | grep -q '^usage: pflashctl convert'"
before=$(sum "$v")
check_equal "the same layout" "nothing was changed: the layout is 2m already" \
	"$("$ctl" convert --layout 2m "$v")"
check_equal "the same layout: unchanged" "$before vars.fd" \
	"$(sum "$v") $(cd "$tmp" && ls vars.fd*)"

# --- real stores, there and back ---

for store in "$data"/vars-2m-*.fd.gz; do
	name=${store##*/vars-2m-}
	rm -f "$v"*
	gzip -dc "$store" >"$v"
	variables "$v" >"$tmp/wanted"
	"$ctl" convert --layout 4m "$v" >"$tmp/log"
	check_equal "$name: to 4m" "0 540672" "$? $(size "$v")"
	variables "$v" >"$tmp/got"
	check "$name: variables" cmp "$tmp/wanted" "$tmp/got"
	"$ctl" check "$v" >"$tmp/log"
	check_equal "$name: check" 0 $?
	"$ctl" convert --layout 2m "$v" >"$tmp/log"
	check_equal "$name: back" "0 131072" "$? $(size "$v")"
	variables "$v" >"$tmp/got"
	check "$name: variables, back" cmp "$tmp/wanted" "$tmp/got"
done

# --- undo ---

# flash FILE: its size, image and history
flash() {
	size "$1"
	sum "$1"
	"$ctl" log --bursts "$1"
}

v="$tmp/it's here.fd"
start --layout 2m
refuses "nothing to undo" 3 'no file that a conversion has kept' \
	"$ctl" convert --undo "$v"
"$ctl" create --reset --template "$tmp/vars.fd" "$v"
small=$(flash "$v")
"$ctl" convert --layout 4m "$v" >"$tmp/log"
check_equal "the new file has no history" "no history" "$("$ctl" log "$v")"
"$ctl" create --reset --layout 4m "$v"
large=$(flash "$v")
check "a copy is kept" test -e "$v.2m"
check "the journal is kept" test -e "$v.2m.journal"
sed -n '/^to undo it/,$p' "$tmp/log" | sed "1d; s|pflashctl|$ctl|" >"$tmp/undo"
check_equal "one command" 1 "$(wc -l <"$tmp/undo" | tr -d ' ')"
sh -e "$tmp/undo" >"$tmp/log"
check_equal "undo: exit code" 0 $?
check_equal "undo: VARS and history" "$small" "$(flash "$v")"
check "undo: the former names are free" test ! -e "$v.2m" -a ! -e "$v.2m.journal"
check_equal "undo: the other file is kept" "$large" "$(flash "$v.4m")"
"$ctl" convert --undo "$v" >"$tmp/log"
check_equal "undo of the undo" "$large" "$(flash "$v")"
check_equal "undo of the undo: VARS.2m" "$small" "$(flash "$v.2m")"

# The newest kept file counts, whatever its number, and other names do not
start --layout 2m
for layout in 4m 2m 4m 2m 4m; do
	"$ctl" convert --layout $layout "$v" >"$tmp/log"
done
rm "$v.4m" "$v.4m.journal"
"$ctl" convert --layout 2m "$v" >"$tmp/log"
"$ctl" create --layout 4m "$v.4m.x"
"$ctl" create --layout 4m "$v.4m.1.x"
ln -s "$v.4m.x" "$v.4m.7"
"$ctl" create --layout 2m "$tmp/none.4m.8"
"$ctl" convert --undo "$v" >"$tmp/log"
check_equal "the newest: size" 540672 "$(size "$v")"
check "the newest: it is gone" test ! -e "$v.4m" -a -e "$v.4m.2"

# States that a crash can leave; each time the command is repeated
start --layout 2m
"$ctl" create --reset --template "$tmp/vars.fd" "$v"
small=$(flash "$v")
"$ctl" convert --layout 4m "$v" >"$tmp/log"
"$ctl" create --reset --layout 4m "$v"
large=$(flash "$v")
mkdir "$tmp/all"
restore() {
	rm -f "$v"*
	cp -p "$tmp/all/"* "$tmp/"
}
cp -p "$v"* "$tmp/all/"
cp "$v" "$v.4m"
cp "$v.journal" "$v.4m.journal"
"$ctl" convert --undo "$v" >"$tmp/log"
check_equal "crash before the change" "$small" "$(flash "$v")"
restore
cp "$v" "$v.4m"
mv "$v.journal" "$v.4m.journal"
cp "$v.2m.journal" "$v.journal"
refuses "crash with the journal alone: refused" 3 'size differs' \
	"$ctl" convert --layout 2m "$v"
"$ctl" convert --undo "$v" >"$tmp/log"
check_equal "crash with the journal alone" "$small" "$(flash "$v")"
check_equal "crash with the journal alone: the other" "$large" "$(flash "$v.4m")"
check "crash with the journal alone: complete" test ! -e "$v.2m"
restore
cp "$v" "$v.4m"
mv "$v.journal" "$v.4m.journal"
cp "$v.2m" "$v"
cp "$v.2m.journal" "$v.journal"
"$ctl" convert --undo "$v" >"$tmp/log"
check_equal "crash at the end" "$small" "$(flash "$v")"
check "crash at the end: complete" test ! -e "$v.2m" -a ! -e "$v.2m.journal"
check_equal "crash at the end: the other" "$large" "$(flash "$v.4m")"

# A conversion without its last step: VARS has lost its journal
for command in --undo "--layout 4m"; do
	rm -f "$v"*
	cp "$tmp/all/${v##*/}.2m" "$v"
	cp "$v" "$v.2m"
	cp "$tmp/all/${v##*/}.2m.journal" "$v.2m.journal"
	# shellcheck disable=SC2086
	"$ctl" convert $command "$v" >"$tmp/log"
	check_equal "half a conversion, then $command" 0 $?
	[ "$command" = --undo ] || "$ctl" convert --undo "$v" >"$tmp/log"
	check_equal "half a conversion, then $command: undone" "$small" "$(flash "$v")"
done

# Refusals of the undo
restore
before=$(flash "$v")
for file in "$v" "$v.2m"; do
	hold "$file"
	refuses "undo: ${file##*fd} in use" 4 'in use' "$ctl" convert --undo "$v"
	release
done
check_equal "undo: in use: nothing is changed" "$before" "$(flash "$v")"
printf x | dd of="$v.2m" bs=1 seek=500 conv=notrunc 2>/dev/null
refuses "undo: a damaged kept file" 3 'content differs' "$ctl" convert --undo "$v"
check_equal "undo: damaged: nothing is changed" "$before" "$(flash "$v")"
rm -f "$v"*
v=$tmp/vars.fd

# A journal elsewhere
start --layout 2m
"$ctl" create --reset --journal "$tmp/j" --template "$tmp/vars.fd" "$v"
before=$(sum "$v" "$tmp/j")
"$ctl" convert --journal "$tmp/j" --layout 4m "$v" >"$tmp/log"
check "a journal elsewhere: is named" grep -q -- "--undo --journal $tmp/j $v" "$tmp/log"
"$ctl" convert --journal "$tmp/j" --undo "$v" >"$tmp/log"
check_equal "a journal elsewhere" "$before" "$(sum "$v" "$tmp/j")"

# --- refusals ---

# A variable of 12,000 bytes, and eight of 7,900, in a store of the layout 4m
start --layout 4m
python3 - "$v" <<'EOF'
import struct, sys
image = bytearray(open(sys.argv[1], "rb").read())
at = 100
for number, data in enumerate([12000] + [7900] * 8):
    name = f"V{number}\0".encode("utf-16le")
    entry = b"\xaa\x55\x3f\0" + struct.pack("<I", 7) + bytes(28)
    entry += struct.pack("<II", len(name), data) + bytes(range(16)) + name
    entry += bytes(data)
    image[at:at + len(entry)] = entry
    at = (at + len(entry) + 3) & ~3
open(sys.argv[1], "wb").write(image)
EOF
before=$(sum "$v")
"$ctl" convert --layout 2m "$v" >"$tmp/out" 2>"$tmp/err"
check_equal "variables that do not fit: exit code" 3 $?
check_equal "a line for each" "V0 V8" \
	"$(sed -n 's/.* \(V[0-9]\) does not fit: .*/\1/p' "$tmp/err" | xargs)"
check_equal "no other line" 2 "$(cat "$tmp/out" "$tmp/err" | wc -l)"
check_equal "nothing is written" "$before vars.fd" \
	"$(sum "$v") $(cd "$tmp" && ls vars.fd*)"

start --layout 2m
hold "$v"
refuses "a file in use" 4 'in use' "$ctl" convert --layout 4m "$v"
release
# state TAG: a state file with this tag; CRC stands for the image's checksum
state() {
	PYTHONPATH=tests python3 -B - "$v" "$1" <<'EOF'
import struct, sys

from reader import crc

image = open(sys.argv[1], "rb").read()
tag = sys.argv[2].replace("CRC", f"{crc(0, image):08x}")
head = b"PFLASHS1" + tag.encode().ljust(96, b"\0") + struct.pack("<I", 4)
open(sys.argv[1] + ".state", "wb").write(
    head + struct.pack("<I", crc(0, head + b"data")) + b"data")
EOF
}
for tag in 'saved CRC /vm/1' '0a-boot-id 7 /vm/1'; do
	state "$tag"
	refuses "a guest that waits ($tag)" 3 'belongs to a guest that was saved' \
		"$ctl" convert --layout 4m "$v"
	check_equal "a guest that waits: size" 131072 "$(size "$v")"
done
for tag in 'saved 00000000 /vm/1' ''; do
	start --layout 2m
	state "$tag"
	before=$(sum "$v.state")
	"$ctl" convert --layout 4m "$v" >"$tmp/log"
	check_equal "no guest waits ($tag)" "0 540672" "$? $(size "$v")"
	check_equal "the state stays ($tag)" "$before" "$(sum "$v.state")"
done
start --layout 2m
ln "$v" "$v.link"
refuses "hard links" 3 'hard links' "$ctl" convert --layout 4m "$v"

# --- the note of check ---

gzip -dc "$data/debian12-OVMF_VARS.ms.fd.gz" >"$ms"
start --template "$ms"
"$ctl" check "$v" >"$tmp/log"
check_equal "dbx: exit code" 0 $?
check "dbx: a note" grep -q '^note: dbx-limit: .*10240 bytes.*convert --layout 4m' "$tmp/log"
"$ctl" convert --layout 4m "$v" >"$tmp/log"
check "dbx: no note in the layout 4m" sh -c \
	"! $ctl check $v | grep dbx-limit"
start --layout 2m
check "dbx: no note without keys" sh -c "! $ctl check $v | grep dbx-limit"

finish
