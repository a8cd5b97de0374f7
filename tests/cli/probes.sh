# SPDX-License-Identifier: BSD-2-Clause
# Tests the probes (include/pflash/probe.h) in the programs: names, arguments, and
# that each is a nop that needs no semaphore.
. tests/lib/cli.sh

if [ "$(cat "$build/probes" 2>/dev/null)" != yes ]; then
	skip "probes: built without sys/sdt.h (package systemtap-sdt-dev)"
	finish
fi
for tool in readelf objdump; do
	if ! command -v $tool >/dev/null; then
		skip "probes: $tool is missing (package binutils)"
		finish
	fi
done

# probes PROGRAM: a line for each, NAME LOCATION SEMAPHORE ARGUMENT...; an
# argument is its size in bytes, negative for a signed one
probes() {
	readelf -n "$1" | awk '
		/Provider: / { ours = $NF == "pflashd" }
		/Name: / { name = $2 }
		/Location: / { at = $2; semaphore = $NF; sub(",", "", at) }
		/Arguments:/ && ours {
			line = name " " at " " semaphore
			for (i = 2; i <= NF; i++) {
				sub("@.*", "", $i)
				line = line " " $i
			}
			print line
		}'
}

# In docs/observability.md: offset, size and direction; offset and length;
# sequence, bytes and result
wanted="checkpoint 8 -4
checkpoint_begin
commit 8 4 -4
commit_begin 4
request 8 4 -4
sync 8 -4
sync_begin
view 4 4"
for program in pflashd pflash-replay; do
	probes "$build/$program" >"$tmp/probes"
	check_equal "$program: names and arguments" "$wanted" \
		"$(awk '{ $2 = $3 = ""; $0 = $0; $1 = $1; print }' "$tmp/probes" | sort -u)"
	check_equal "$program: no semaphore" "" \
		"$(awk '$3 !~ /^0x0+$/' "$tmp/probes")"
	objdump -d --no-show-raw-insn "$build/$program" |
		sed -n 's/^ *\([0-9a-f]*\):[[:space:]]*nop[[:space:]]*$/\1/p' >"$tmp/nops"
	check_equal "$program: each probe is a nop" "" \
		"$(awk 'NR == FNR { nop[$1]; next }
			{ sub("^0x0*", "", $2); if (!($2 in nop)) print }' \
			"$tmp/nops" "$tmp/probes")"
done
# A read and a write have a probe each.
check_equal "requests of both directions" 2 \
	"$(probes "$build/pflashd" | grep -c '^request ')"
# The documentation has each probe, and no other.
check_equal "docs/observability.md" "$(echo "$wanted" | cut -d ' ' -f 1)" \
	"$(sed -n 's/^| `pflashd:\([a-z_]*\)`.*/\1/p' docs/observability.md | sort -u)"

finish
