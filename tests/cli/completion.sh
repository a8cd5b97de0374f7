# SPDX-License-Identifier: BSD-2-Clause
# Tests the completion for bash: its words are those of each program's --help, it
# executes nothing that is in a guest's name, and completes files elsewhere.
. tests/lib/cli.sh

if ! command -v bash >/dev/null 2>&1; then
	skip "completion: bash is not installed"
	finish
fi

# complete WORD...: prints the completions of the last word, in one line
complete() {
	bash -c '
		. integration/bash-completion/pflash
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
		case ${1##*/} in
		pflashctl) _pflashctl "$1" "${COMP_WORDS[COMP_CWORD]}" ;;
		*) _pflash "$1" "${COMP_WORDS[COMP_CWORD]}" ;;
		esac
		echo "${COMPREPLY[*]}"' complete "$@"
}

# completes TEXT WANTED WORD...
completes() {
	lib_text=$1 lib_wanted=$2
	shift 2
	check_equal "$lib_text" "$lib_wanted" "$(complete "$@")"
}

# --- pflashctl ---

ctl=$build/pflashctl
for word in $(complete "$ctl" ''); do
	case $word in
	-*) check "pflashctl $word is an option" sh -c "'$ctl' $word >/dev/null" ;;
	*) "$ctl" "$word" --no-such-option >"$tmp/out" 2>&1
		check "$word is a command" sh -c "! grep -q '^pflashctl: unknown command' '$tmp/out'" ;;
	esac
done
refuses "a word that is no command" 2 'unknown command' "$ctl" nosuch
awk '/^\.Sh / { synopsis = $2 == "SYNOPSIS" }
	synopsis && last == ".Nm" && $1 == ".Cm" { print $2 }
	{ last = $1 }' man/pflashctl.1 | sort -u >"$tmp/pages"
check "the page names commands" test "$(wc -l <"$tmp/pages")" -ge 10
complete "$ctl" '' | tr ' ' '\n' >"$tmp/words"
check_equal "all commands of the page are completed" '' \
	"$(grep -vxF -f "$tmp/words" "$tmp/pages")"

completes "the start of a command" 'convert' "$ctl" conv
completes "options" '--at --journal' "$ctl" export --
completes "options of a command without a file" '--json' "$ctl" status --
completes "values of an option" '2m 4m' "$ctl" create --layout ''
completes "the start of a value" '4m' "$ctl" create --layout 4
completes "values of a mode" 'direct' "$ctl" mode 3 d
completes "the commands of a group" 'list get set append rm dump load pending cancel --help' "$ctl" vars ''
completes "the start of one" 'dump' "$ctl" vars d
completes "options of a group's command" '--all --json --at --journal' "$ctl" vars list --
completes "values of an option of a group's command" 'raw hex text json' \
	"$ctl" vars get --format ''
"$ctl" create --layout 2m "$tmp/store.fd"
touch "$tmp/other.fd"
for name in One Two 'T\u0020hree'; do
	"$ctl" vars set --hex 00 "$tmp/store.fd" "EfiGlobalVariable:$name" >"$tmp/out"
done
completes "variables of the file" 'One Two' "$ctl" vars get "$tmp/store.fd" ''
completes "the start of a variable" 'Two' "$ctl" vars rm "$tmp/store.fd" T
completes "a second file" "$tmp/other.fd" "$ctl" vars rm "$tmp/store.fd" "$tmp/ot"
completes "no variables of a command that takes none" '' "$ctl" vars load "$tmp/store.fd" T
touch "$tmp/some.fd"
completes "a file" "$tmp/some.fd" "$ctl" check "$tmp/so"
completes "the value of another option is a file" "$tmp/some.fd" \
	"$ctl" create --template "$tmp/so"

# A double of pflashctl lists guests, one of whose names is a command.
cat >"$tmp/pflashctl" <<'EOF'
#!/bin/sh
case $1 in
list) printf '%s\n' '  ID  NAME  STATE' '   3  web   running' \
	'  12  $(touch${IFS}/tmp/pflash-completed)  running' ;;
*) printf '  %s\n' 'status [--json] ID|NAME' ;;
esac
EOF
chmod +x "$tmp/pflashctl"
sed -i "s|/tmp/pflash-completed|$tmp/completed|" "$tmp/pflashctl"
completes "running guests" '3 web 12' "$tmp/pflashctl" status ''
check "no name is executed" test ! -e "$tmp/completed"

# --- the other programs ---

for program in pflashd pflash-replay pflash-bench; do
	"$build/$program" --help | grep -oE -e '^  --[a-z-]+' | tr -d ' ' |
		sort -u >"$tmp/options"
	complete "$build/$program" -- | tr ' ' '\n' | sort -u >"$tmp/words"
	check "$program has options" test "$(wc -l <"$tmp/options")" -ge 5
	check_equal "$program: all options are completed" '' \
		"$(grep -vxF -f "$tmp/words" "$tmp/options")"
	check_equal "$program: nothing else is completed" '' \
		"$(grep -vxF -f "$tmp/options" "$tmp/words" |
			grep -vxE -e '--(help|version)')"
done
completes "values of pflashd" '2m' "$build/pflashd" --layout 2
completes "values of pflash-replay" 'strict' "$build/pflash-replay" --personality s
completes "commands of pflash-bench" 'path' "$build/pflash-bench" pa
completes "a file for pflashd" "$tmp/some.fd" "$build/pflashd" --vars "$tmp/so"
finish
