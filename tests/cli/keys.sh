# SPDX-License-Identifier: BSD-2-Clause
# Tests pflashctl keys: the certificates and signatures of openssl, the lists of
# sbsigntool, real templates, refusals that change nothing, and each example of
# pflashctl-keys(1).
. tests/lib/cli.sh

ctl=$build/pflashctl
v=$tmp/guest.fd
zcat "$data/debian12-OVMF_VARS.ms.fd.gz" >"$tmp/ms.fd"

if ! command -v openssl >/dev/null; then
	skip "pflashctl keys: no openssl"
	finish
fi

# make_party NAME: NAME.key and NAME.pem, a key and its certificate
make_party() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=$1" \
		-keyout "$tmp/$1.key" -out "$tmp/$1.pem" 2>/dev/null
}

# make_der FILE.pem: FILE.der
make_der() {
	openssl x509 -in "$1" -outform DER -out "${1%.pem}.der"
}

fingerprint() {
	openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//'
}

start() {
	rm -f "$v"*
	"$ctl" create --layout 4m "$v"
}

keys() {
	"$ctl" keys "$@"
}

# works TEXT COMMAND...: the command succeeds; its output is in $tmp/said
works() {
	works_text=$1
	shift
	if "$@" >"$tmp/said" 2>"$tmp/err"; then
		ok "$works_text"
	else
		not_ok "$works_text: $(cat "$tmp/err")"
	fi
}

# names DATABASE FILE: the subjects and hashes of a database, one a line
names() {
	keys list --json "$2" | python3 -c '
import json, sys
databases = json.load(sys.stdin)["databases"]
for s in databases.get(sys.argv[1], {"signatures": []})["signatures"]:
    print(s.get("subject", s["fingerprint"]))' "$1"
}

# field NAME FILE: a member of the JSON
field() {
	keys list --json "$2" | python3 -c '
import json, sys
print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

# time_of DATABASE FILE
time_of() {
	keys list --json "$2" | python3 -c '
import json, sys
print(json.load(sys.stdin)["databases"][sys.argv[1]]["time"])' "$1"
}

# unchanged TEXT CODE PATTERN WORD...: refuses, and $v stays as it is
unchanged() {
	unchanged_text=$1
	unchanged_sum=$(cat "$v"* | sha256sum)
	refuses "$@"
	check_equal "$unchanged_text: nothing is changed" "$unchanged_sum" \
		"$(cat "$v"* | sha256sum)"
}

for name in PK KEK db other; do
	make_party "$name"
	make_der "$tmp/$name.pem"
done

# --- the keys of a template ---

keys list "$tmp/ms.fd" >"$tmp/list"
check "list: mode" grep -q ': Secure Boot on, user mode$' "$tmp/list"
check "list: certificate" grep -q \
	'^  certificate "Microsoft Corporation KEK CA 2011"' "$tmp/list"
check "list: known name" grep -q '    known as     Microsoft KEK 2011' "$tmp/list"
check "list: owner" grep -q '    owner        Microsoft (77fa9abd-' "$tmp/list"
check "list: hashes are counted" grep -q '^  1 of type SHA-256' "$tmp/list"
check "list: SecureBootEnable" grep -q 'SecureBootEnable  1, on' "$tmp/list"
check "list: certdb" grep -q 'certdb  *0 entries' "$tmp/list"
check "list --all: hash" sh -c "'$ctl' keys list --all '$tmp/ms.fd' |
	grep -q 'fingerprint  e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'"
check_equal "list --json: db" "CN=Microsoft Windows Production PCA 2011,O=Microsoft Corporation,L=Redmond,ST=Washington,C=US
CN=Microsoft Corporation UEFI CA 2011,O=Microsoft Corporation,L=Redmond,ST=Washington,C=US" \
	"$(names db "$tmp/ms.fd")"

# --- enroll: the form of a file does not matter ---

start
check_equal "a new store is in setup mode" setup "$(field mode "$v")"
unchanged "enroll of nothing" 2 'nothing to enroll' "$ctl" keys enroll "$v"
works "enroll one's own keys" keys enroll --pk "$tmp/PK.pem" \
	--kek "$tmp/KEK.pem" --db "$tmp/db.pem" "$v"
check "enroll: a line for each variable" grep -q 'db, [0-9]* bytes' "$tmp/said"
check_equal "user mode" user "$(field mode "$v")"
check_equal "SecureBootEnable" 1 "$(field SecureBootEnable "$v")"
check_equal "CustomMode" 0 "$(field CustomMode "$v")"
check_equal "PK" CN=PK "$(names PK "$v")"
check_equal "db" CN=db "$(names db "$v")"
check_equal "the time of what has none" "2010-01-01 00:00:00" \
	"$(time_of db "$v")"
works "the edited store passes the check" "$ctl" check "$v"
check "it is a point in the history" sh -c "'$ctl' log '$v' | grep -q '+ EfiImageSecurityDatabase db'"

keys enroll --db "$tmp/db.der" --owner 77fa9abd-0359-4d32-bd60-28f4e78f784b \
	"$v" >"$tmp/said"
check_equal "the same certificate in DER changes nothing" \
	"$v: nothing to change" "$(cat "$tmp/said")"
cat "$tmp/db.pem" "$tmp/other.pem" >"$tmp/both.pem"
keys enroll --db "$tmp/both.pem" "$v" >/dev/null
check_equal "one of two is added" "CN=db
CN=other" "$(names db "$v")"
check "its owner is pflashctl's" sh -c "'$ctl' keys list '$v' | grep -q 'owner  *pflashctl'"

# --- refusals ---

openssl ecparam -name prime256v1 -genkey -noout -out "$tmp/ec.key"
openssl req -x509 -new -key "$tmp/ec.key" -subj /CN=Curve -out "$tmp/ec.pem"
unchanged "enroll of a private key" 3 "db.key: no certificate in PEM" \
	"$ctl" keys enroll --db "$tmp/db.key" "$v"
unchanged "enroll of a key that is not RSA" 3 "ec.pem: .*no RSA key" \
	"$ctl" keys enroll --db "$tmp/ec.pem" "$v"
unchanged "enroll of a text" 3 "neither a certificate in PEM or DER" \
	"$ctl" keys enroll --db tests/lib/cli.sh "$v"
unchanged "enroll of a file that is not there" 3 "none.pem" \
	"$ctl" keys enroll --db "$tmp/none.pem" "$v"
unchanged "enroll of another PK" 3 "another PK already, \"PK\"" \
	"$ctl" keys enroll --pk "$tmp/other.pem" "$v"
unchanged "enroll of two PKs" 3 "both.pem: 2 signatures, but PK has one" \
	"$ctl" keys enroll --pk "$tmp/both.pem" "$v"
unchanged "enroll with a wrong GUID" 2 "'77fa9abd' is not a GUID" \
	"$ctl" keys enroll --owner 77fa9abd --db "$tmp/db.pem" "$v"
unchanged "enroll from a store without keys" 3 "it has no keys" \
	"$ctl" keys enroll --from /usr/share/OVMF/OVMF_VARS_4M.fd "$v"
unchanged "rm of nothing" 2 "either --fingerprint or --all-of" \
	"$ctl" keys rm "$v"
unchanged "rm of an unknown fingerprint" 3 "no signature has this fingerprint" \
	"$ctl" keys rm --fingerprint 0123456789abcdef "$v"
unchanged "rm by a word" 2 "is not the first hexadecimal digits" \
	"$ctl" keys rm --fingerprint hello "$v"
unchanged "rm from an unknown database" 2 "'mok' is not pk, kek, db, dbx or dbt" \
	"$ctl" keys rm --all-of mok "$v"
unchanged "update by a certificate" 3 "no EFI_VARIABLE_AUTHENTICATION_2" \
	"$ctl" keys update "$v" "$tmp/db.der"
unchanged "refresh without a template" 2 "refresh: --from is missing" \
	"$ctl" keys refresh "$v"
python3 - "$tmp/odd.esl" <<'EOF'
import struct, sys
kind = bytes.fromhex("2616c4c14c509240aca941f936934328")
open(sys.argv[1], "wb").write(
    kind + struct.pack("<III", 28 + 47, 0, 47) + bytes(47))
EOF
unchanged "a hash of a wrong size" 3 \
	"odd.esl: signature list at offset 0: SignatureSize is 47, but SHA-256 requires 48" \
	"$ctl" keys enroll --dbx "$tmp/odd.esl" "$v"

# --- rm ---

before=$(sum "$v")
keys rm --dry-run --fingerprint "$(fingerprint "$tmp/other.pem")" "$v" >/dev/null
check_equal "rm --dry-run" "$before" "$(sum "$v")"
works "rm by fingerprint" keys rm --fingerprint \
	"$(fingerprint "$tmp/other.pem" | cut -c 1-29)" "$v"
check_equal "it is gone" CN=db "$(names db "$v")"
keys rm --all-of db "$v" >/dev/null
check_equal "rm --all-of db" '' "$(names db "$v")"
keys rm --all-of pk "$v" >/dev/null
check_equal "without PK: setup mode" setup "$(field mode "$v")"
check_equal "and no SecureBootEnable" None "$(field SecureBootEnable "$v")"
"$ctl" rollback --to "$("$ctl" log "$v" | awk '/- EfiImageSecurityDatabase db/ { print $1 }')" \
	"$v" >/dev/null
check_equal "rollback of the last one" user "$(field mode "$v")"

# --- enroll --from, --generate-pk ---

start
cp "$tmp/ms.fd" "$tmp/template.fd"
works "enroll from a template" keys enroll \
	--from "$tmp/template.fd" "$v"
for database in PK KEK db dbx; do
	check_equal "the template's $database" "$(names $database "$tmp/ms.fd")" \
		"$(names $database "$v")"
	check_equal "its time" "$(time_of $database "$tmp/ms.fd")" \
		"$(time_of $database "$v")"
done
keys enroll --from "$tmp/template.fd" "$v" >"$tmp/said"
check_equal "once more" "$v: nothing to change" "$(cat "$tmp/said")"
works "add one's own key" keys enroll --db "$tmp/db.pem" "$v"
check_equal "behind Microsoft's" CN=db "$(names db "$v" | tail -n 1)"

start
umask 022
works "a PK for a test" keys enroll --generate-pk \
	--private-key "$tmp/new.key" --db "$tmp/db.pem" "$v"
check_equal "its private key is private" 600 "$(stat -c %a "$tmp/new.key")"
check "and has its certificate" sh -c "openssl x509 -in '$tmp/new.key' -noout -subject | grep -q 'pflashctl platform key'"
check "it is the key of the certificate" sh -c "
	[ \"\$(openssl pkey -in '$tmp/new.key' -pubout)\" = \
	\"\$(openssl x509 -in '$tmp/new.key' -noout -pubkey)\" ]"
unchanged "the private key is not overwritten" 3 'new.key: File exists' \
	"$ctl" keys enroll --generate-pk --private-key "$tmp/new.key" "$v"
unchanged "--private-key alone" 2 'is for --generate-pk' \
	"$ctl" keys enroll --private-key "$tmp/k" --db "$tmp/db.pem" "$v"

# --- many files, JSON ---

mkdir "$tmp/all"
for n in 1 2; do
	"$ctl" create --layout 4m "$tmp/all/$n.fd"
	keys enroll --from "$tmp/ms.fd" "$tmp/all/$n.fd" >/dev/null
done
"$ctl" create --layout 4m "$tmp/all/3.fd"
works "enroll in a directory" keys enroll --db "$tmp/db.pem" "$tmp/all"
check_equal "the summary" "3 files: 3 changed" "$(tail -n 1 "$tmp/said")"
check_equal "in each" "CN=db CN=db CN=db" "$(for n in 1 2 3; do
	names db "$tmp/all/$n.fd" | tail -n 1
done | xargs)"
check "enroll --json" sh -c "'$ctl' keys enroll --json --db '$tmp/db.pem' '$tmp/all' |
	python3 -c 'import json, sys; sys.exit(len(json.load(sys.stdin)) != 3)'"

# --- refresh ---

start
keys enroll --from "$tmp/ms.fd" "$v" >/dev/null
rm -f "$tmp/t.fd"*
"$ctl" create --layout 4m "$tmp/t.fd"
keys enroll --generate-pk --owner 77fa9abd-0359-4d32-bd60-28f4e78f784b \
	--kek "$tmp/KEK.pem" --db "$tmp/other.pem" "$tmp/t.fd" >/dev/null
keys enroll --owner 12345678-1234-1234-1234-123456789abc --db "$tmp/db.pem" \
	"$tmp/t.fd" >/dev/null
works "refresh" keys refresh --from "$tmp/t.fd" "$v"
check_equal "a known owner's certificate in db" "CN=other" \
	"$(names db "$v" | tail -n 1)"
check_equal "and in KEK" "CN=KEK" "$(names KEK "$v" | tail -n 1)"
check_equal "PK stays" "$(names PK "$tmp/ms.fd")" "$(names PK "$v")"
check_equal "a stranger's is not added" 3 "$(names db "$v" | wc -l)"
check_equal "refresh once more" "$v: nothing to change" \
	"$(keys refresh --from "$tmp/t.fd" "$v")"
start
keys refresh --from "$tmp/t.fd" "$v" >"$tmp/said" 2>"$tmp/err"
check_equal "refresh in setup mode: exit code" 0 $?
check_equal "refresh in setup mode" "$v: nothing to change" "$(cat "$tmp/said")"
check_equal "it says so once" 1 "$(grep -c 'no PK (setup mode)' "$tmp/err")"

cache=${PFLASH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/xen-pflash}
newer=$cache/ovmf-newer/usr/share/OVMF/OVMF_VARS_4M.ms.fd
[ -e "$newer" ] || newer=/usr/share/OVMF/OVMF_VARS_4M.ms.fd
if "$ctl" keys list "$newer" 2>/dev/null | grep -q 'KEK 2K CA 2023'; then
	start
	keys enroll --from "$tmp/ms.fd" "$v" >/dev/null
	keys enroll --db "$tmp/db.pem" "$v" >/dev/null
	works "refresh Microsoft's certificates" keys refresh \
		--from "$newer" "$v"
	check_equal "KEK of 2023" \
		"CN=Microsoft Corporation KEK 2K CA 2023,O=Microsoft Corporation,C=US" \
		"$(names KEK "$v" | tail -n 1)"
	check_equal "db: three of 2023" 3 "$(names db "$v" | grep -c 2023)"
	check_equal "db: the own one is there" 1 "$(names db "$v" | grep -c CN=db)"
	check "dbx has grown" [ "$(names dbx "$v" | wc -l)" -gt 400 ]
	keys refresh --from "$newer" "$tmp/all" >"$tmp/said" 2>/dev/null
	check_equal "all guests of a host" \
		"3 files: 1 unchanged 2 changed" "$(tail -n 1 "$tmp/said")"
	rm -f "$tmp/m2.fd"*
	"$ctl" create --layout 2m "$tmp/m2.fd"
	keys enroll --from "$tmp/ms.fd" "$tmp/m2.fd" >/dev/null
	keys refresh --from "$newer" "$tmp/m2.fd" >/dev/null 2>"$tmp/err"
	check "2m: dbx is left out" grep -q 'too large for this layout' "$tmp/err"
	check_equal "2m: the certificates are there" 3 \
		"$(names db "$tmp/m2.fd" | grep -c 2023)"
else
	skip "refresh by a real template: none has the certificates of 2023 (ovmf 2026.05 or later, unpacked into $cache/ovmf-newer)"
fi

# --- signed files ---

if ! command -v sbsiglist >/dev/null; then
	skip "signed updates: no sbsiglist (package sbsigntool)"
	finish
fi

owner=12345678-1234-1234-1234-123456789abc
for name in db other; do
	sbsiglist --owner $owner --type x509 --output "$tmp/$name.esl" \
		"$tmp/$name.der"
done
head -c 32 /dev/zero >"$tmp/hash"
sbsiglist --owner $owner --type sha256 --output "$tmp/hash.esl" "$tmp/hash"

# sign KEY VARIABLE ESL OUT [append]
sign() {
	sign_key=$1 sign_name=$2 sign_esl=$3 sign_out=$4
	shift 4
	python3 tests/lib/sign_update.py "$tmp/$sign_key.key" \
		"$tmp/$sign_key.pem" "$sign_name" "$tmp/$sign_esl" \
		"$tmp/$sign_out" "$@"
}
sign KEK db other.esl db.auth
sign KEK dbx hash.esl dbx.auth append
sign other dbx hash.esl stranger.auth append
sign PK KEK other.esl kek.auth

start
unchanged "update in setup mode" 3 'no PK (setup mode)' \
	"$ctl" keys update "$v" "$tmp/dbx.auth"
works "lists of sbsiglist" keys enroll --pk "$tmp/PK.pem" --kek "$tmp/KEK.pem" \
	--db "$tmp/db.esl" "$v"
check_equal "their owner" $owner "$(keys list --json "$v" | python3 -c '
import json, sys
print(json.load(sys.stdin)["databases"]["db"]["signatures"][0]["owner"])')"
works "update dbx" keys update "$v" "$tmp/dbx.auth"
check_equal "the hash is in dbx" "$(printf '%064d' 0)" "$(names dbx "$v")"
check_equal "once more" "$v: nothing to change" \
	"$(keys update "$v" "$tmp/dbx.auth")"
unchanged "an update by a stranger" 3 \
	'signed by "other" (issuer "CN=other"), and the KEK of this store has neither' \
	"$ctl" keys update "$v" "$tmp/stranger.auth"
works "an update that replaces db" keys update "$v" "$tmp/db.auth"
check_equal "db is replaced" CN=other "$(names db "$v")"
unchanged "an update that is as old" 3 'not later than the value' \
	"$ctl" keys update "$v" "$tmp/db.auth"
works "an update of KEK by PK" keys update "$v" "$tmp/kek.auth"
check_equal "KEK is replaced" CN=other "$(names KEK "$v")"
unchanged "the old KEK signs no more" 3 'the KEK of this store has neither' \
	"$ctl" keys update "$v" "$tmp/db.auth"
unchanged "enroll of an update of another variable" 3 \
	'kek.auth: a signed update of KEK, not of db' \
	"$ctl" keys enroll --db "$tmp/kek.auth" "$v"
head -c 700 "$tmp/dbx.auth" >"$tmp/cut.auth"
unchanged "a cut update" 3 'cut.auth: ' "$ctl" keys update "$v" "$tmp/cut.auth"
start
works "a signed file is enrolled in setup mode" keys enroll \
	--db "$tmp/db.auth" "$v"
check "with its time" [ "$(time_of db "$v")" != "2010-01-01 00:00:00" ]

# --- the examples of the manual page ---

awk '/^\.Sh / { on = $2 == "EXAMPLES" } on { sub(/^\.Dl /, "") }
	on && /^pflashctl keys/' man/pflashctl-keys.1 >"$tmp/examples"
check_equal "the page has examples" 9 "$(wc -l <"$tmp/examples")"
mkdir "$tmp/page" "$tmp/page/host"
cp "$tmp/PK.pem" "$tmp/KEK.pem" "$tmp/page/"
cp "$tmp/db.pem" "$tmp/page/mine.pem"
cp "$tmp/ms.fd" "$tmp/page/OVMF_VARS_4M.ms.fd"
cp "$tmp/dbx.auth" "$tmp/page/DBXUpdate.bin"
"$ctl" create --layout 4m "$tmp/page/host/a.fd"

# before EXAMPLE: the store that it needs, $tmp/page/guest.fd
before() {
	rm -f "$tmp/page/guest.fd"*
	"$ctl" create --layout 4m "$tmp/page/guest.fd"
	case $1 in
	*--pk* | *--generate-pk* | *--from*) ;;
	*DBXUpdate*) keys enroll --pk "$tmp/PK.pem" --kek "$tmp/KEK.pem" \
		"$tmp/page/guest.fd" ;;
	*) keys enroll --from "$tmp/ms.fd" "$tmp/page/guest.fd" ;;
	esac >/dev/null
}

program=$(readlink -f "$ctl")
while read -r example; do
	before "$example"
	command=$(echo "$example" | sed -e "s|^pflashctl|'$program'|" \
		-e "s|/var/lib/xen/pflash|host|")
	works "example: $example" sh -c "cd '$tmp/page' && $command"
	case $example in
	*" list "* | *refresh*) ;;
	*) check "it changes the store" grep -q '^[-+~] ' "$tmp/said" ;;
	esac
done <"$tmp/examples"

# A file of Microsoft's secureboot_objects, where there is one.
update=${DBX_UPDATE:-$cache/DBXUpdate.bin}
if [ -e "$update" ]; then
	start
	keys enroll --from "$tmp/ms.fd" "$v" >/dev/null
	works "Microsoft's DBXUpdate.bin" keys update "$v" "$update"
	check "its hashes" [ "$(names dbx "$v" | wc -l)" -gt 400 ]
else
	skip "Microsoft's DBXUpdate.bin: not in $cache"
fi
finish
