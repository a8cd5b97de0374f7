# SPDX-License-Identifier: BSD-2-Clause
# Tests `pflashctl vars`: every command and option, names and values that a guest
# may choose, JSON, many files, errors that change nothing, and each example of
# the manual page.
. tests/lib/cli.sh

ctl=$build/pflashctl
v=$tmp/vars.fd

# vars WORD...: the result is in $tmp/said, the messages in $tmp/err
vars() {
	"$ctl" vars "$@" >"$tmp/said" 2>"$tmp/err" </dev/null
	lib_code=$?
	[ ! -s "$tmp/err" ] || not_ok "vars $*: $(cat "$tmp/err")"
	check_equal "vars $*: exit code" 0 "$lib_code"
}

# fresh: $v is a store with the keys of Secure Boot, and 31 variables
fresh() {
	rm -f "$v" "$v.journal"
	zcat "$data/debian12-OVMF_VARS.ms.fd.gz" >"$v"
}

# hex VARIABLE: its value in the file
hex() {
	"$ctl" vars get --format hex "$v" "$1"
}

# attributes NAME: the cell of the list
attributes() {
	"$ctl" vars list "$v" | awk -v name="$1" '$1 == name { print $3 }'
}

sums() {
	lib_sums=
	for lib_file in "$v" "$v.journal"; do
		[ ! -e "$lib_file" ] || lib_sums="$lib_sums $(sum "$lib_file")"
	done
	echo "$lib_sums"
}

# spares TEXT CODE PATTERN WORD...: `vars WORD...` is refused, and the file stays
spares() {
	before=$(sums)
	lib_what=$1 lib_wanted=$2 lib_why=$3
	shift 3
	refuses "$lib_what" "$lib_wanted" "$lib_why" "$ctl" vars "$@"
	check_equal "$lib_what: the file stays" "$before" "$(sums)"
}

global=8be4df61-93ca-11d2-aa0d-00e098032b8c

# --- list ---

fresh
vars list "$v"
check_equal "a line for each variable, and one above" 32 "$(wc -l <"$tmp/said")"
check_equal "the columns" "NAME VENDOR ATTRIBUTES SIZE VALUE" \
	"$(head -n 1 "$tmp/said" | xargs)"
check_equal "the order is the firmware's" "certdb MTC Attempt\\u00201" \
	"$(sed -n 2,4p "$tmp/said" | awk '{ print $1 }' | tr '\n' ' ' | sed 's/ $//')"
for line in 'MTC MtcVendor NV,BS,RT 4 1' \
	'SecureBootEnable EfiSecureBootEnableDisable NV,BS 1 on' \
	'CustomMode EfiCustomModeEnable NV,BS 1 off' \
	'VendorKeysNv EfiVendorKeysNv NV,BS,AT 1 keys were modified' \
	'VarErrorFlag EdkiiVarErrorFlag NV,BS,RT 1 no write has failed' \
	'PlatformLang EfiGlobalVariable NV,BS,RT 3 "en"'; do
	check "list: $line" sh -c \
		"tr -s ' ' <'$tmp/said' | grep -qxF '$line'"
done
vars list --json "$v"
check_equal "as JSON" "31 certdb EfiCertDb 39 NV,BS,RT,AT live 4" "$(python3 -c '
import json, sys
file, = json.load(sys.stdin)
assert file["file"] == sys.argv[1]
first = file["variables"][0]
print(len(file["variables"]), *(first[m] for m in
      ("name", "vendor", "attr", "attributes", "state", "size")))' "$v" <"$tmp/said")"
vars list "$v" "$v"
check_equal "two files have a heading each" 2 "$(grep -cxF "$v:" "$tmp/said")"

zcat "$data/vars-2m-deleted.fd.gz" >"$tmp/deleted.fd"
zcat "$data/vars-2m-torn.fd.gz" >"$tmp/torn.fd"
for file in deleted torn; do
	vars list --all "$tmp/$file.fd"
	cp "$tmp/said" "$tmp/all"
	vars list "$tmp/$file.fd"
	check_equal "$file: --all has the live variables, too" "$(tail -n +2 "$tmp/said" | awk '{ print $1 }' | xargs -d '\n')" \
		"$(awk '$1 == "live" { print $2 }' "$tmp/all" | xargs -d '\n')"
	"$ctl" check "$tmp/$file.fd" 2>&1 | sed -n 's/^variables: //p' >"$tmp/counts"
	check_equal "$file: deleted ones as check counts them" \
		"$(sed -n 's/.* \([0-9]*\) deleted.*/\1/p' "$tmp/counts")" \
		"$(awk '$1 == "deleted" || $1 == "superseded"' "$tmp/all" | wc -l)"
done
check "torn: a torn variable" grep -q '^torn ' "$tmp/all"

# --- set, get: each source of a value ---

fresh
printf '\005\000' | "$ctl" vars set "$v" Timeout >"$tmp/said"
check_equal "one line for the change" \
	"~ EfiGlobalVariable Timeout, 2 to 2 bytes: 5 s instead of 0 s" "$(cat "$tmp/said")"
check_equal "from standard input" 0500 "$(hex Timeout)"
check_equal "raw is the default" '0500' \
	"$("$ctl" vars get "$v" Timeout | od -An -tx1 | tr -d ' ')"
vars get --format text "$v" "$global:Timeout"
check_equal "in words, by the GUID" "5 s" "$(cat "$tmp/said")"
vars set --number 0x1234 --size 2 "$v" Timeout
check_equal "a number" 3412 "$(hex Timeout)"
vars set --number 18446744073709551615 --size 8 "$v" ShimLock:Big
check_equal "the greatest number" ffffffffffffffff "$(hex Big)"
vars set --hex ' 01 02ff ' "$v" ShimLock:Hex
check_equal "digits" 0102ff "$(hex ShimLock:Hex)"
vars set --text 'a€𐀀' "$v" ShimLock:Text
check_equal "UTF-16" 6100ac2000d800dc0000 "$(hex Text)"
vars set --text '' "$v" ShimLock:Text
check_equal "no text is its NUL" 0000 "$(hex Text)"
vars set --ascii 'fr-FR' "$v" PlatformLang
check_equal "ASCII" 66722d465200 "$(hex EfiGlobalVariable:PlatformLang)"
head -c 5000 /dev/urandom >"$tmp/value"
vars set --input "$tmp/value" "$v" ShimLock:File
"$ctl" vars get "$v" File | cmp -s - "$tmp/value"
check_equal "a file" 0 $?
vars set --input "$tmp/value" "$v" ShimLock:File
check_equal "an equal value is no change" "$v: nothing to change" "$(cat "$tmp/said")"
vars get --format json "$v" File
cp "$tmp/said" "$tmp/one.json"
vars rm "$v" File
"$ctl" vars load "$v" <"$tmp/one.json" >"$tmp/said"
"$ctl" vars get "$v" File | cmp -s - "$tmp/value"
check_equal "JSON of one variable" 0 $?

# --- attributes and time ---

check_equal "the default" NV,BS,RT "$(attributes Big)"
vars set --attr NV,bs --hex 00 "$v" ShimLock:Attr
check_equal "words" NV,BS "$(attributes Attr)"
vars set --hex 01 "$v" ShimLock:Attr
check_equal "those of the existing variable" NV,BS "$(attributes Attr)"
vars set --attr 0x7 --hex 02 "$v" ShimLock:Attr
check_equal "a number, and other attributes" NV,BS,RT "$(attributes Attr)"
vars set --attr nv,bs,at --time 2010-03-06T19:17:21 --hex 03 "$v" ShimLock:Auth
vars get --format json "$v" Auth
check "the time of an authenticated variable" grep -q \
	'"time": "da070306131115000000000000000000"' "$tmp/said"
vars set --hex 04 "$v" ShimLock:Auth
vars list --json "$v"
check "it stays" grep -q '"time":"2010-03-06 19:17:21"' "$tmp/said"

# --- append ---

vars append --hex 0a "$v" ShimLock:App
vars append --hex 0b0c "$v" App
check_equal "append" 0a0b0c "$(hex App)"
spares "append: other attributes" 3 'other attributes' append --attr nv,bs --hex 00 "$v" App

# --- names ---

spares "a name without a vendor" 3 "'Nobody', and its vendor is not known" \
	set --hex 00 "$v" Nobody
vars set --hex 01 "$v" EfiGlobalVariable:Twice
vars set --hex 02 "$v" ShimLock:Twice
spares "a name of two vendors" 3 "2 vendors have a variable 'Twice'" get "$v" Twice
spares "no such variable" 3 "there is no variable 'BootNext'" get "$v" BootNext
spares "a vendor that is none" 2 "'a' is neither a GUID" get "$v" a:b
# Control, format and bidirectional characters, a backslash, an unpaired surrogate,
# another script, a pair of surrogates, a colon.
name='a\u0007\u202e\\\ud800é😀::x'
vars set --hex 2a "$v" "ShimLock:$name"
check_equal "any UTF-16" 2a "$(hex "ShimLock:$name")"
vars list "$v"
shown=$(awk '$5 == "0x2a" { print $1 }' "$tmp/said")
check_equal "its text" 'a\u0007\u202e\\\ud800é😀\u003a\u003ax' "$shown"
check_equal "with this text it is found" "2a 2a" "$(hex "$shown") $(hex "ShimLock:$shown")"
check_equal "the list has no control character" 0 "$(tr -d '\n' <"$tmp/said" | LC_ALL=C tr -cd '\000-\037\177' | wc -c)"
vars set --hex 2b "$v" 'ShimLock:with space'
vars list "$v"
check "a space is an escape in the list" grep -q '^with\\u0020space ' "$tmp/said"
check_equal "both are the name" "2b 2b" "$(hex 'with space') $(hex 'with\u0020space')"
for name in '' 'a\x' 'a\u12' 'a\' 'a\u123g' "$(printf 'a\377')"; do
	spares "a name that is none: $name" 2 "^pflashctl: set: 'ShimLock:.*the name " \
		set --hex 00 "$v" "ShimLock:$name"
done
spares "a name with a NUL" 3 . set --hex 00 "$v" 'ShimLock:a\u0000b'

# --- refusals ---

while IFS='|' read -r text code pattern words; do
	# shellcheck disable=SC2086
	spares "$text" "$code" "$pattern" $words "$v" ShimLock:Refused
done <<'EOF'
half a byte|2|--hex: the hexadecimal digits end within a byte|set --hex 012
no digit|2|--hex: character 2 is not|set --hex 0x
no value|2|the value has 0 bytes|set
two values|2|--ascii: there is another value|set --hex 00 --ascii b
no size|2|--number: --size is missing|set --number 1
a size without a number|2|--size: only with --number|set --size 2 --hex 00
three bytes|2|--size: '3' is not 1, 2, 4 or 8|set --number 1 --size 3
a number too great|2|--number: '256'|set --number 256 --size 1
no number|2|--number: 'x'|set --number x --size 1
no ASCII|2|--ascii: character 1 is not ASCII|set --ascii é
an attribute that is none|2|--attr: 'nv,x' is neither|set --attr nv,x --hex 00
no attribute|2|--attr: 'nv,' is neither|set --attr nv, --hex 00
a number of attributes|2|--attr: '4294967296'|set --attr 4294967296 --hex 00
a volatile variable|3|.|set --attr bs,rt --hex 00
the attribute append|3|.|set --attr nv,bs,ap --hex 00
a time without at|3|--time: only for|set --time 2010-03-06 --hex 00
no time|2|--time: '2010-13-01' is not YYYY|set --time 2010-13-01 --attr nv,at --hex 00
half a time|2|--time: '2010-01-01T10' is not YYYY|set --time 2010-01-01T10 --attr nv,at --hex 00
an option of another command|2|unknown option '--all'|set --all --hex 00
no such file|3|/nonexistent/value: No such file|set --input /nonexistent/value
EOF
head -c 40000 /dev/zero >"$tmp/large"
spares "larger than this firmware allows" 3 ShimLock set --input "$tmp/large" "$v" ShimLock:Large
head -c 1048577 /dev/zero >"$tmp/huge"
spares "larger than any flash" 3 "$tmp/huge: has more than 1048576 bytes" \
	set --input "$tmp/huge" "$v" ShimLock:Huge
spares "get: a format that is none" 2 "--format: 'xml' is not" get --format xml "$v" MTC
spares "no VARS file" 3 "$tmp/value" set --hex 00 "$tmp/value" MTC
spares "a file that is not there" 3 "$tmp/gone" list "$tmp/gone"
refuses "no command" 2 'vars: no command' "$ctl" vars
refuses "an unknown command" 2 "unknown command 'x'" "$ctl" vars x
for command in list get set append rm dump load pending cancel; do
	vars $command --help
	check "$command --help is its usage" grep -q "^usage: pflashctl vars $command " "$tmp/said"
done

# --- rm ---

fresh
vars rm --dry-run "$v" 'Attempt*'
check_equal "--dry-run shows the variables" 8 "$(grep -c '^- .* Attempt [1-8], 1049 bytes' "$tmp/said")"
check_equal "and removes none" 31 "$("$ctl" vars list "$v" | tail -n +2 | wc -l)"
vars rm "$v" 'Attempt [1-4]'
check_equal "a pattern" 27 "$("$ctl" vars list "$v" | tail -n +2 | wc -l)"
vars rm "$v" 'EfiIScsi*:*'
check_equal "a pattern of vendors" 23 "$("$ctl" vars list "$v" | tail -n +2 | wc -l)"
vars rm "$v" '8BE4DF61-*:Key000?'
check_equal "a pattern of GUIDs" 21 "$("$ctl" vars list "$v" | tail -n +2 | wc -l)"
vars rm "$v" 'nosuch*'
check_equal "a pattern may miss" "$v: nothing to change" "$(cat "$tmp/said")"
spares "a name must not" 3 "there is no variable 'EfiGlobalVariable:nosuch'" \
	rm "$v" EfiGlobalVariable:nosuch
vars set --hex 00 "$v" 'ShimLock:a*b'
vars set --hex 00 "$v" 'ShimLock:aéb'
vars rm --dry-run "$v" 'a[*]b'
check_equal "a star" 1 "$(wc -l <"$tmp/said")"
vars rm --dry-run "$v" 'a?b'
check_equal "any character" 2 "$(wc -l <"$tmp/said")"
"$ctl" check "$v" >"$tmp/said" 2>&1
check_equal "check finds nothing" 0 $?

# --- dump, load ---

fresh
vars dump "$v"
cp "$tmp/said" "$tmp/all.json"
for layout in 2m 4m; do
	rm -f "$tmp/new.fd"*
	"$ctl" create --layout $layout "$tmp/new.fd"
	"$ctl" vars load "$tmp/new.fd" <"$tmp/all.json" >"$tmp/said"
	check_equal "$layout: all are added" 31 "$(grep -c '^+ ' "$tmp/said")"
	vars dump "$tmp/new.fd"
	check "$layout: dump and load are inverse" cmp -s "$tmp/said" "$tmp/all.json"
done
vars load --input "$tmp/all.json" "$tmp/new.fd"
check_equal "a second load changes nothing" "$tmp/new.fd: nothing to change" "$(cat "$tmp/said")"
check_equal "one load is one point in time" 1 \
	"$("$ctl" log "$tmp/new.fd" | awk '/ [-+~] / { print $1 }' | sort -u | wc -l)"

name='b\ud800😀"\\'
vars set --hex 2a "$v" "ShimLock:$name"
"$ctl" vars dump "$v" >"$tmp/dump.json"
vars load --input "$tmp/dump.json" "$tmp/new.fd"
check_equal "a name that no UTF-8 has" 2a "$("$ctl" vars get --format hex "$tmp/new.fd" "$name")"

vars set --number 3 --size 4 "$v" MTC
vars load --input "$tmp/all.json" "$v"
check_equal "MTC never counts back" 03000000 "$(hex MTC)"
vars set --number 3 --size 4 "$tmp/new.fd" MTC
vars set --number 7 --size 4 "$v" MTC
"$ctl" vars dump "$v" >"$tmp/dump.json"
vars load --input "$tmp/dump.json" "$tmp/new.fd"
check_equal "and forward" 07000000 "$("$ctl" vars get --format hex "$tmp/new.fd" MTC)"

echo '{"version": 2, "variables": [{"name": "Lang", "guid": "'$global'", "attr": 7, "data": "6600"}]}' >"$tmp/lang.json"
"$ctl" vars load --replace --input "$tmp/lang.json" "$v" >"$tmp/said" 2>"$tmp/err"
check "--replace says what it keeps" grep -q 'kept 10 variables' "$tmp/err"
check_equal "--replace keeps MTC and the keys" \
	"CustomMode KEK Lang MTC PK SecureBootEnable VendorKeysNv b\\ud800😀\"\\\\ certdb db dbx" \
	"$("$ctl" vars list "$v" | tail -n +2 | awk '{ print $1 }' | LC_ALL=C sort | xargs -d '\n')"
check_equal "and writes the rest" 6600 "$(hex Lang)"

# document TEXT PATTERN JSON: load refuses the document, and names the member
document() {
	printf %s "$3" >"$tmp/bad.json"
	spares "JSON: $1" 3 "^pflashctl: $tmp/bad.json: $2" load --input "$tmp/bad.json" "$v"
}

# variable MEMBERS: a document whose second variable is Lang with other members
variable() {
	echo '{"version": 2, "variables": [{"name": "A", "guid": "'$global'", "attr": 7, "data": "00"}, {'"$1"'}]}'
}
good='"name": "Lang", "guid": "'$global'", "attr": 7, "data": "6600"'
document "nothing" 'line 1: not JSON' ''
document "no end" 'line 2: not JSON: it ends too early' '{
"version": 2'
document "trailing text" 'line 1: not JSON' "$(variable "$good") x"
document "no UTF-8" 'line 1: not JSON' "$(printf '{"\377": 1}')"
document "too deep" 'line 1: not JSON' '[[[[[[[[[[[[1]]]]]]]]]]]]'
document "an array" 'the JSON is not an object' '[]'
document "no version" 'version: not 2' '{"variables": []}'
document "another version" 'version: not 2' '{"version": 3, "variables": []}'
document "no variables" 'variables: not an array' '{"version": 2, "variables": {}}'
document "another member" 'digest: no such member' '{"version": 2, "digest": 1, "variables": []}'
document "no object" 'variables\[0\]: not an object' '{"version": 2, "variables": [7]}'
while IFS='|' read -r text pattern members; do
	document "$text" "variables\\[1\\]$pattern" "$(variable "$members")"
done <<EOF
no name|.name: is missing|"guid": "$global", "attr": 7, "data": "00"
no guid|.guid: is missing|"name": "a", "attr": 7, "data": "00"
no attr|.attr: is missing|"name": "a", "guid": "$global", "data": "00"
no data|.data: is missing|"name": "a", "guid": "$global", "attr": 7
a name that is none|.name: the name is empty|$good, "name": ""
a name that is a number|.name: not a string|$good, "name": 7
a GUID that is none|.guid: 'EfiGlobalVariable' is not a GUID|$good, "guid": "EfiGlobalVariable"
a GUID that is null|.guid: 'null' is not a GUID|$good, "guid": null
attributes as text|.attr: not a number|$good, "attr": "7"
too many attributes|.attr: not a number|$good, "attr": 4294967296
negative attributes|.attr: not a number|$good, "attr": -1
half a byte|.data: the hexadecimal digits end|$good, "data": "000"
no digit|.data: character 3 is not|$good, "data": "00x0"
blanks|.data: character 3 is not|$good, "data": "00 00"
an empty value|.data: no variable has a value of 0 bytes|$good, "data": ""
a short time|.time: 15 bytes are no EFI_TIME|$good, "time": "000000000000000000000000000000"
units that are none|.name-utf16: 1 bytes are no name|$good, "name-utf16": "00"
an unknown member|.atr: no such member|$good, "atr": 7
EOF
document "the same variable twice" 'variables\[0\] and variables\[1\] are the same' \
	"$(variable "$good" | sed 's/"A"/"Lang"/')"
document "a NUL in a name" 'variables\[1\].name: a name has no NUL' "$(variable "$good, \"name\": \"a\\u0000b\"")"
# The sentence about a value that does not fit is the store's.
variable "$good, \"data\": \"$(head -c 80000 /dev/zero | tr '\0' 0)\"" >"$tmp/bad.json"
spares "JSON: a value that does not fit" 3 Lang load --input "$tmp/bad.json" "$v"

variable "$good, \"attr\": 6" >"$tmp/volatile.json"
"$ctl" vars load --input "$tmp/volatile.json" "$v" >"$tmp/said" 2>"$tmp/err"
check_equal "volatile variables are left out" "0 0 1" \
	"$? $(grep -c Lang "$tmp/said") $(grep -c 'left out 1 volatile' "$tmp/err")"
variable '"name": "Signed", "guid": "'$global'", "attr": 39, "data": "00", "timestamp": "da070306131115000100000000000000", "digest": "01"' >"$tmp/digest.json"
"$ctl" vars load --input "$tmp/digest.json" "$v" >"$tmp/said" 2>"$tmp/err"
check_equal "a digest of QEMU" "0 1" "$? $(grep -c '1 variables have a digest' "$tmp/err")"
vars get --format json "$v" Signed
check "timestamp, without nanoseconds" grep -q '"time": "da070306131115000000000000000000"' "$tmp/said"

# --- stores that a guest may make ---

# store FILE NAME...: an empty store with these names, given as Python bytes; the
# last one claims to be larger than the store if FILE is broken.fd
store() {
	lib_file=$tmp/$1
	shift
	rm -f "$lib_file"*
	"$ctl" create --layout 2m "$lib_file"
	rm -f "$lib_file.journal"
	python3 - "$lib_file" "$@" <<'EOF'
import struct, sys
path, at = sys.argv[1], 0x64
image = bytearray(open(path, "rb").read())
for word in sys.argv[2:]:
    name = eval(word)
    last = word is sys.argv[-1] and path.endswith("broken.fd")
    entry = b"\xaa\x55\x3f\0" + struct.pack("<I", 7) + bytes(28)
    entry += struct.pack("<II", len(name), 1 << 20 if last else 3)
    entry += bytes(range(16)) + name + b"\x01\x02\x03"
    image[at:at + len(entry)] = entry
    at += len(entry) + 3 & ~3
open(path, "wb").write(image)
EOF
}
u16='.encode("utf-16le")'
store strange.fd "'good\0'$u16" "'a\0b\0'$u16" "b'o\0d\0d'" "'noend'$u16" "b''"
vars list "$tmp/strange.fd"
check_equal "names that are no strings are listed" 'good|a\u0000b|od|noend|' \
	"$(tail -n +2 "$tmp/said" | sed 's/ .*//' | tr '\n' '|' | sed 's/||$/|/')"
"$ctl" vars dump "$tmp/strange.fd" >"$tmp/said" 2>"$tmp/err"
check_equal "and left out of JSON, with a message" "0 1 1" \
	"$? $(grep -c '"name":' "$tmp/said") $(grep -c 'left out 4 variables' "$tmp/err")"
store broken.fd "'one\0'$u16" "'two\0'$u16"
for command in list dump; do
	"$ctl" vars $command "$tmp/broken.fd" >"$tmp/said" 2>"$tmp/err"
	check_equal "a broken chain: $command has what is before, and fails" "3 1 0 1" \
		"$? $(grep -c one "$tmp/said") $(grep -c two "$tmp/said") $(grep -c 'chain of variables is broken' "$tmp/err")"
done
before=$(sum "$tmp/broken.fd")
set -f
for line in "rm $tmp/broken.fd *" "set --hex 00 $tmp/broken.fd ShimLock:a" \
	"load --replace --input $tmp/lang.json $tmp/broken.fd"; do
	# shellcheck disable=SC2086
	refuses "a broken chain: ${line%% *}" 3 "$tmp/broken.fd" "$ctl" vars $line
	check_equal "the file stays" "$before" "$(sum "$tmp/broken.fd")"
done
set +f

# --- many variables ---

python3 - >"$tmp/many.json" <<'EOF'
import json
print(json.dumps({"version": 2, "variables": [
    {"name": f"V{n:04}", "guid": "00000000-0000-0000-0000-000000000001",
     "attr": 7, "data": f"{n % 256:02x}"} for n in range(3300)]}))
EOF
"$ctl" create --layout 4m "$tmp/many.fd"
vars load --input "$tmp/many.json" "$tmp/many.fd"
vars list "$tmp/many.fd"
check_equal "3300 variables" 3301 "$(wc -l <"$tmp/said")"
vars rm "$tmp/many.fd" 'V[0-2]*'
vars list --all "$tmp/many.fd"
check_equal "of which 3000 are removed" "3000 300" \
	"$(grep -c '^deleted ' "$tmp/said") $(grep -c '^live ' "$tmp/said")"

# --- many files ---

mkdir "$tmp/guests"
for guest in a b c; do
	zcat "$data/debian12-OVMF_VARS.ms.fd.gz" >"$tmp/guests/$guest.fd"
done
"$ctl" vars set --number 9 --size 2 "$tmp/guests" Timeout >"$tmp/said" 2>"$tmp/err"
check_equal "a directory: all its files" "0 3 9 s 9 s 9 s" "$? $(grep -c ': changed' "$tmp/said") $(
	for guest in a b c; do "$ctl" vars get --format text "$tmp/guests/$guest.fd" Timeout; done | xargs)"
head -c 540672 /dev/zero >"$tmp/guests/b.fd"
rm -f "$tmp/guests/b.fd.journal"
"$ctl" vars rm "$tmp/guests/a.fd" "$tmp/guests/b.fd" "$tmp/guests/c.fd" Lang >"$tmp/said" 2>"$tmp/err"
check_equal "a file that is refused does not stop the others" "3 2 1" \
	"$? $(grep -c ': changed' "$tmp/said") $(grep -c "guests/b.fd" "$tmp/err")"
"$ctl" vars load --dry-run --json "$tmp/guests/a.fd" "$tmp/guests/c.fd" <"$tmp/all.json" >"$tmp/said"
check_equal "--json" "would-change would-change" "$(python3 -c '
import json, sys
print(*(file["result"] for file in json.load(sys.stdin)))' <"$tmp/said")"

# --- the next start ---

fresh
before=$(sum "$v")
vars set --next-start --number 5 --size 2 "$v" Timeout
check "--next-start says so" grep -qxF "$v: kept for the next start, 1 variable" "$tmp/said"
vars append --next-start --hex 0607 "$v" Timeout
vars rm --next-start "$v" 'Attempt*'
vars load --next-start --input "$tmp/lang.json" "$v"
check_equal "the file stays" "$before 0000" "$(sum "$v") $(hex Timeout)"
vars pending "$v"
check_equal "pending has each command, and its changes" "4 11 1" \
	"$(grep -c '^  *[1-4]  ' "$tmp/said") $(grep -cE '^      (set|remove) ' "$tmp/said") $(grep -c 'set Timeout .* 4 bytes, if it is as it was' "$tmp/said")"
vars cancel --list 3 "$v"
vars pending "$v"
check_equal "cancel --list" "3 0" "$(grep -c '^  *[1-4]  ' "$tmp/said") $(grep -c Attempt "$tmp/said")"
vars cancel "$v"
vars pending "$v"
check_equal "cancel" "$v: no change waits for the next start" "$(cat "$tmp/said")"

# --- points in time ---

fresh
vars set --number 5 --size 2 "$v" Timeout
point=$("$ctl" log "$v" | awk '/ ~ / { print $1 }')
vars set --number 6 --size 2 "$v" Timeout
check_equal "get --at" "5 s" "$("$ctl" vars get --format text --at "$point" "$v" Timeout)"
check "list --at" sh -c "'$ctl' vars list --at $point '$v' | grep -q '^Timeout .* 5 s\$'"
check "dump --at" sh -c "'$ctl' vars dump --at $point '$v' | grep -q '\"data\": \"0500\"'"
check_equal "diff has the values" "~ EfiGlobalVariable Timeout, 2 to 2 bytes: 6 s instead of 5 s" \
	"$("$ctl" diff --at "$point" "$v" | grep '^~')"

# Boot entries and certificates are in words, too.
vars rm "$v" Boot0001
cp "$tmp/said" "$tmp/changes"
vars rm "$v" KEK
cat "$tmp/said" >>"$tmp/changes"
check "a boot entry that is gone" grep -q \
	'^- EfiGlobalVariable Boot0001, 110 bytes: .*UEFI QEMU HARDDISK' "$tmp/changes"
check "a certificate that is gone" grep -q \
	'^- EfiGlobalVariable KEK, 2565 bytes: .*Microsoft Corporation KEK CA 2011' "$tmp/changes"
check_equal "log has the same words" "$(cat "$tmp/changes")" \
	"$("$ctl" log "$v" | sed -n 's/^[0-9]*  [^ ]* [^ ]*  \(- .*\)/\1/p')"
vars list "$v"
check "list: a boot entry" grep -q '^Boot0000  *EfiGlobalVariable .* UiApp: FvVol(' "$tmp/said"
check "list: certificates" grep -q '^db .* 2 certificates: "Microsoft Windows Production PCA 2011"' "$tmp/said"

# --- the examples of the page ---

mkdir "$tmp/examples" "$tmp/examples/guests"
fresh
for file in guest.fd clone.fd guests/one.fd; do
	cp "$v" "$tmp/examples/$file"
done
"$ctl" vars set --hex 00 "$v" LinuxEfiCrash:dump-type0-1-1-C >"$tmp/said"
"$ctl" vars set --hex 01 "$v" EfiGlobalVariable:Boot0003 >"$tmp/said"
"$ctl" vars set --hex 02 "$v" EfiIp4Config2Protocol:525400123456 >"$tmp/said"
"$ctl" vars dump "$v" >"$tmp/examples/qemu.json"
"$ctl" vars load "$tmp/examples/guest.fd" <"$tmp/examples/qemu.json" >"$tmp/said"
head -c 100 /dev/urandom >"$tmp/examples/value.bin"
sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/s/^\.Dl //p' man/pflashctl-vars.1 |
	sed 's|/var/lib/xen/pflash|guests|' >"$tmp/commands"
check "the page has examples" test "$(wc -l <"$tmp/commands")" -ge 15
while IFS= read -r line; do
	case $line in
	virt-fw-vars*) continue ;; # tests/cli/vars-virt-firmware.sh
	esac
	before=$(cat "$tmp/examples"/*.fd "$tmp/examples"/guests/*.fd "$tmp/examples"/*.journal 2>/dev/null | sha256sum)
	(
		pflashctl() { "$ctl" "$@"; }
		ctl=$(realpath "$ctl")
		cd "$tmp/examples" && eval "$line"
	) >"$tmp/said" 2>"$tmp/err"
	check_equal "example: $line" "0 " "$? $(grep -v 'kept 10 variables' "$tmp/err")"
	after=$(cat "$tmp/examples"/*.fd "$tmp/examples"/guests/*.fd "$tmp/examples"/*.journal 2>/dev/null | sha256sum)
	case $line in
	*dump\ guest.fd\ \>* | *diff* | *--dry-run* | *vars\ get*bin | *--next-start* | *pending* | *cancel*) wanted=same ;;
	*) wanted=other ;;
	esac
	[ "$before" = "$after" ] && got=same || got=other
	check_equal "it changes what it says" $wanted $got
done <"$tmp/commands"
cmp -s "$tmp/examples/value.bin" "$tmp/examples/read.bin"
check_equal "the binary value" 0 $?
finish
