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

# code_2m: prints the path of a firmware of 2 MiB. Since Debian 13 the package
# ovmf has none; OvmfXen is one.
code_2m() {
	if [ -r /usr/share/OVMF/OVMF_CODE.fd ]; then
		echo /usr/share/OVMF/OVMF_CODE.fd
	else
		integration/edk2/build --path 2>/dev/null || echo OVMF_XEN.fd
	fi
}

# fill FIRST COUNT: the accesses that add variables of one byte as edk2 does: the
# header, its state, name and data, the state
fill() {
	awk -v first="$1" -v count="$2" '
		function put(off, value) {
			printf "w %x 1 10\nw %x 1 %x\n", off, off, value
		}
		function end(off) { printf "w %x 1 ff\n", off }
		BEGIN {
			split("170 85 255 0 7", begin)
			for (n = first; n < first + count; n++) {
				at = 100 + 68 * n
				for (i = 0; i < 60; i++)
					put(at + i, i < 5 ? begin[i + 1] : i == 36 ? 4 : i == 40 || i > 43)
				end(at + 59)
				put(at + 2, 127)
				end(at + 2)
				put(at + 60, n % 256)
				put(at + 61, 64 + int(n / 256))
				put(at + 62, 0)
				put(at + 63, 0)
				put(at + 64, 255)
				end(at + 64)
				put(at + 2, 63)
				end(at + 2)
			}
		}'
}
