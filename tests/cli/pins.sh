# SPDX-License-Identifier: BSD-2-Clause
# Tests pinned variables: pflash-replay --pin refuses what a guest's kernel
# writes to the keys, and nothing of what firmware writes; `pflashctl pins`, and
# the record of their values in every command that moves or changes a flash.
. tests/lib/cli.sh

replay=$build/pflash-replay
ctl=$build/pflashctl
v=$tmp/vars.fd
enable=EfiSecureBootEnableDisable:SecureBootEnable

# fresh: $v has the keys of Secure Boot
fresh() {
	rm -f "$v" "$v".*
	zcat "$data/debian12-OVMF_VARS.ms.fd.gz" >"$v"
}

# offset NAME FIELD: where the header of the live variable has this field
offset() {
	python3 - "$v" "$1" "$2" <<-'END'
		import struct, sys
		image = open(sys.argv[1], "rb").read()
		at, end = 100, 72 + struct.unpack_from("<I", image, 88)[0]
		wanted = sys.argv[2].encode("utf-16-le") + b"\0\0"
		while at < end and image[at:at + 2] == b"\xaa\x55":
		    state = image[at + 2]
		    name, data = struct.unpack_from("<II", image, at + 36)
		    if image[at + 60:at + 60 + name] == wanted and state == 0x3f:
		        print("%x" % (at + {"state": 2, "data": 60 + name}[sys.argv[3]]))
		        break
		    at = (at + 60 + name + data + 3) & ~3
	END
}

# program OFFSET VALUE: what a kernel sends to program one byte
program() {
	printf 'w %s 1 40\nw %s 1 %s\nw %s 1 ff\n' "$1" "$1" "$2" "$1"
}

value() {
	"$ctl" vars get --format hex "$v" "$1" 2>&1
}

# --- hostile writes: the control without pins, then with them ---

if ! command -v python3 >/dev/null; then
	skip "hostile writes: python3 is not installed"
else
	fresh
	state=$(offset PK state) byte=$(offset SecureBootEnable data)
	block=$(printf '%x' 0)
	program "$byte" 0 >"$tmp/disable"
	program "$state" 3d >"$tmp/delete"
	printf 'w %s 1 20\nw %s 1 d0\nw %s 1 ff\n' "$block" "$block" "$block" >"$tmp/erase"
	for attack in disable delete erase; do
		fresh
		before=$(sum "$v")
		"$replay" --vars "$v" --pin off <"$tmp/$attack" 2>"$tmp/err"
		check "$attack without pins: the flash changes" \
			test "$before" != "$(sum "$v")"
		for sync in variable burst op none; do
			fresh
			"$replay" --vars "$v" --sync "$sync" --pin auto \
				<"$tmp/$attack" 2>"$tmp/err"
			check_equal "$attack, --sync $sync: exit code" 0 $?
			check_equal "$attack, --sync $sync: the flash stays" \
				"$before" "$(sum "$v")"
			check "$attack, --sync $sync: it is said" \
				grep -q 'refused: ' "$tmp/err"
		done
	done
	# The status of the chip: SR.7, SR.4 (program) or SR.5 (erase), SR.1.
	fresh
	{
		printf 'w %s 1 40\nw %s 1 3d\n' "$state" "$state"
		printf 'r %s 1\n' "$state"
	} >"$tmp/status"
	check_equal "the status of a refused program" 92 \
		"$("$replay" --vars "$v" --sync op --pin auto <"$tmp/status" 2>/dev/null)"
	# Writes behind a refused one are stored.
	fresh
	timeout=$(offset Timeout data)
	{ cat "$tmp/delete" && program "$timeout" 0; } |
		"$replay" --vars "$v" --pin auto 2>/dev/null
	check "PK is there" test -n "$(value PK)"
fi

# --- what firmware writes is never refused, at any operation ---

G=8be4df61-93ca-11d2-aa0d-00e098032b8c D=d719b2cb-3d3a-4596-a3bc-dad00e67656f
rm -f "$v" "$v".*
zcat "$data/debian12-OVMF_VARS.fd.gz" >"$v"
for boot in first second; do
	zcat "$data/ovmf-2022.11-4m-${boot}boot.trace.gz" |
		"$replay" --vars "$v" --sync none --pin "$G:PK,$G:KEK,$D:db,$D:dbx" \
			>"$tmp/reads" 2>"$tmp/err"
	check_equal "the $boot boot: no refusal" '' "$(cat "$tmp/err")"
done

# --- arguments ---

fresh
refuses "a group that is none" 2 "'key' is not off, auto" \
	"$replay" --vars "$v" --pin key
refuses "an empty name" 2 'is not a name of 1 to' "$replay" --vars "$v" --pin "$G:"
refuses "pflashd's option" 2 "'x' is not off, auto" \
	"$build/pflashd" --domain 1 --vars "$v" --pin x
refuses "pflashd's reaction" 2 "'ignore'" \
	"$build/pflashd" --domain 1 --vars "$v" --on-pin ignore

# --- the record ---

check_equal "no record" 'no variable is pinned yet' "$("$ctl" pins list "$v")"
"$ctl" pins set "$v" keys,mok >"$tmp/said"
check "set says how many" grep -q ': [0-9]* names are pinned$' "$tmp/said"
check "the record is a file" test -f "$v.pins"
refuses "check knows it" 3 'the file is the record of pinned variables' "$ctl" check "$v.pins"
check_equal "all values are those of VARS" same \
	"$("$ctl" pins list "$v" | awk 'NR > 1 { print $2 }' | sort -u)"
check "as JSON" sh -c "'$ctl' pins list --json '$v' | python3 -m json.tool >/dev/null"
printf '\0' | "$ctl" vars set "$v" "$enable" >/dev/null
check_equal "the host's own edit is recorded" same \
	"$("$ctl" pins list "$v" | awk '/SecureBootEnable/ { print $2 }')"
printf '\1' | "$ctl" vars set "$v" "$enable" >/dev/null
"$ctl" rollback --to 3 "$v" >/dev/null
check_equal "a rollback is seen" other \
	"$("$ctl" pins list "$v" | awk '/SecureBootEnable/ { print $2 }')"
cp "$v" "$tmp/rolled.fd"
cp "$v.journal" "$tmp/rolled.fd.journal"
cp "$v.pins" "$tmp/rolled.fd.pins"
"$ctl" pins accept "$tmp/rolled.fd" >/dev/null
check_equal "accept takes the values of VARS" same \
	"$("$ctl" pins list "$tmp/rolled.fd" | awk 'NR > 1 { print $2 }' | sort -u)"
"$ctl" pins set "$v" keys,mok >/dev/null
check_equal "set gives the recorded value back" 01 "$(value "$enable")"
check "as one point of the history" \
	sh -c "'$ctl' log '$v' | tail -n 1 | grep -q 'SecureBootEnable.*on instead of off'"

# --- a record that lies beside the flash ---

"$ctl" move "$v" "$tmp/new.fd" >/dev/null
check "move takes it along" test -f "$tmp/new.fd.pins" -a ! -e "$v.pins"
mv "$tmp/new.fd.pins" "$v.pins"
refuses "a new VARS file does not get the keys of another one" 3 \
	'pinned variables of an earlier' "$ctl" create --layout 4m "$v"
mv "$v.pins" "$tmp/new.fd.pins"
printf x | dd of="$tmp/new.fd.pins" bs=1 seek=40 conv=notrunc 2>/dev/null
refuses "a damaged record" 3 'new.fd.pins: .*restore it from a backup' \
	"$ctl" pins list "$tmp/new.fd"
refuses "an edit does not lose it" 3 'new.fd.pins: ' \
	"$ctl" vars set --hex 00 "$tmp/new.fd" "$enable"

finish
