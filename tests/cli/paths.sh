# SPDX-License-Identifier: BSD-2-Clause
# Tests the sentences of all programs for missing directories and dangling
# links.
. tests/lib/cli.sh

ctl=$build/pflashctl
v=$tmp/vars.fd
"$ctl" create --layout 2m "$v" || not_ok "a VARS file"
sum=$(sum "$v")
ln -s nowhere "$tmp/dangling.fd"
ln -s away "$tmp/link"

# everywhere TEXT PATTERN FILE: each program refuses this VARS file
everywhere() {
	for command in check log compact accept "rollback --to 1" \
		"create --layout 2m" "create --reset --layout 2m"; do
		# shellcheck disable=SC2086
		refuses "$1: $command" 3 "$2" "$ctl" $command "$3"
	done
	refuses "$1: export" 3 "$2" "$ctl" export "$3" "$tmp/out.fd"
	refuses "$1: pflashd" 3 "$2" "$build/pflashd" --domain 1 --vars "$3"
	refuses "$1: pflashd --layout" 3 "$2" "$build/pflashd" --domain 1 \
		--layout 2m --vars "$3"
	refuses "$1: pflashd --read-only" 3 "$2" "$build/pflashd" --domain 1 \
		--read-only --vars "$3"
	refuses "$1: pflash-replay" 3 "$2" "$build/pflash-replay" --vars "$3"
}

everywhere "a dangling link" \
	"dangling.fd: is a symbolic link to 'nowhere', which leads to no file" \
	"$tmp/dangling.fd"
everywhere "a missing directory" \
	"/no/x.fd: the directory $tmp/no does not exist: create it" "$tmp/no/x.fd"
everywhere "a directory that is a dangling link" \
	"the directory $tmp/link is a symbolic link to 'away', which leads" \
	"$tmp/link/x.fd"
everywhere "a file for a directory" "/x.fd: $v is not a directory" "$v/x.fd"

# --- the journal and outputs ---

refuses "check: no directory of the journal" 3 "the directory $tmp/no does not" \
	"$ctl" check --journal "$tmp/no/j" "$v"
refuses "pflashd: no directory of the journal" 3 "the directory $tmp/no does not" \
	"$build/pflashd" --domain 1 --vars "$v" --journal "$tmp/no/j"
refuses "export: no directory" 1 "no/o.fd: the directory $tmp/no does not exist" \
	"$ctl" export "$v" "$tmp/no/o.fd"
refuses "export: a file for a directory" 1 "o.fd: $v is not a directory" \
	"$ctl" export "$v" "$v/o.fd"
ln -s nowhere "$v.journal"
refuses "check: the journal is a link" 3 'journal: is a symbolic link, which is not' \
	"$ctl" check "$v"
rm "$v.journal"

# --- files of options ---

printf 'vars = "%s" # the guest\n\nlayout = 2m # small\n' "$v" >"$tmp/a.conf"
refuses "a comment behind a value" 3 "a.conf:3: 'layout': a comment needs a line" \
	"$build/pflashd" --domain 1 --config "$tmp/a.conf"
printf "mode = 'trap'\\nvars = %s\\nvars = %s\\n" "$v" "$v" >"$tmp/a.conf"
refuses "an option twice" 3 "a.conf:3: 'vars' for the second time" \
	"$build/pflashd" --domain 1 --config "$tmp/a.conf"
printf '\357\273\277vars = "%s/x.fd" # the guest\r\n' "$tmp/no" >"$tmp/a.conf"
refuses "a value in quotes" 3 "pflashd: $tmp/no/x.fd: the directory $tmp/no does" \
	"$build/pflashd" --domain 1 --config "$tmp/a.conf"

# --- nothing was touched ---

check_equal "the VARS file" "$sum" "$(sum "$v")"
check_equal "no other files" 3 "$(find "$tmp" -name '*.fd*' -o -name link | wc -l)"
finish
