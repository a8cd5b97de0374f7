# SPDX-License-Identifier: BSD-2-Clause
# Functions for the command-line tests: . tests/lib/cli.sh

build=${BUILD:-build}
data=tests/data
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT

ok() {
	echo "ok - $*"
}

not_ok() {
	echo "not ok - $*"
	lib_bad=1
}

skip() {
	echo "skip - $*"
}

# check TEXT COMMAND...
check() {
	lib_text=$1
	shift
	if "$@"; then ok "$lib_text"; else not_ok "$lib_text"; fi
}

# check_equal TEXT WANTED GOT
check_equal() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1: wanted '$2', got '$3'"
	fi
}

# refuses TEXT CODE PATTERN COMMAND...: the command must exit with CODE, print
# nothing on standard output, and print one line on standard error that matches
# PATTERN
refuses() {
	lib_text=$1 lib_code=$2 lib_pattern=$3
	shift 3
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	lib_got=$?
	if [ "$lib_got" -ne "$lib_code" ]; then
		not_ok "$lib_text: wanted exit $lib_code, got $lib_got: $(cat "$tmp/err")"
	elif [ -s "$tmp/out" ] || [ "$(wc -l <"$tmp/err")" -ne 1 ]; then
		not_ok "$lib_text: not one line: $(cat "$tmp/out" "$tmp/err")"
	elif ! grep -q -e "$lib_pattern" "$tmp/err"; then
		not_ok "$lib_text: '$lib_pattern' is not in: $(cat "$tmp/err")"
	else
		ok "$lib_text"
	fi
}

sum() {
	sha256sum <"$1" | cut -d ' ' -f 1
}

finish() {
	exit "${lib_bad:-0}"
}
