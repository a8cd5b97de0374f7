# SPDX-License-Identifier: BSD-2-Clause
# Tests pflash-bench: every command prints its figures, bad arguments are
# refused, and an interrupted run leaves nothing behind. The values of the
# figures are not tested.
. tests/lib/cli.sh

bench=$build/pflash-bench
trace=$data/ovmf-2022.11-4m-firstboot.trace.gz

# figures COMMAND...: prints NAME=COUNT for each row of the JSON output, or
# NAME=bad if a figure is negative
figures() {
	"$bench" --json --rounds 2 --count 20 --directory "$tmp" "$@" \
		>"$tmp/json" || return
	python3 - "$tmp/json" <<-'EOT'
		import json, sys
		bench = json.load(open(sys.argv[1]))
		for row in bench["rows"]:
		    good = all(sample >= 0 for sample in row["samples"]) and row["median"] >= 0
		    print(row["name"], "=", len(row["samples"]) if good else "bad", sep="")
	EOT
}

# line COMMAND...: the same on one line
line() {
	figures "$@" | tr '\n' ' ' | sed 's/ $//'
}

# syncs NAME: prints the number of syncs of a row
syncs() {
	python3 -c 'import json, sys
rows = json.load(open(sys.argv[1]))["rows"]
print([int(row["syncs"]) for row in rows if row["name"] == sys.argv[2]][0])' \
		"$tmp/json" "$1"
}

second=$data/ovmf-2022.11-4m-secondboot.trace.gz

check_equal "chip" "the chip alone=2" "$(figures chip)"
check_equal "chip, by a trace" "the chip alone=2" "$(figures chip "$trace")"
check_equal "path" "pflashd (default)=2 pflashd --mode trap=2 pflashd --sync none=2 a server that only answers=2 the chip alone=2" \
	"$(line path)"
check_equal "view: four series, four sizes" 16 "$(figures view | grep -c '=2$')"
check_equal "trace" "pflashd (default)=2 pflashd --mode trap=2 pflashd --sync burst=2 pflashd --sync op=2 pflashd --sync none=2" \
	"$(line trace "$trace" | sed 's/op=1/op=2/')" # of a slow disk, one round
# The trace has 251 bursts, and 15,641 programs.
check_equal "trace: a burst has one sync" 251 "$(syncs 'pflashd --sync burst')"
check "trace: --sync op has one for each program" test "$(syncs 'pflashd --sync op')" -ge 15641
check_equal "trace: --sync none has none" 0 "$(syncs 'pflashd --sync none')"
check_equal "firmware: four actions of three flashes, start, memory" 14 \
	"$(figures firmware "$trace" "$second" | grep -c '=2$')"
for writes in 'first boot: 31536' 'second boot: 7066' '64 bytes: 288' 'store: 1590008'; do
	check "firmware: $writes writes" grep -q "$writes writes" "$tmp/json"
done
# Not every file system has O_DIRECT.
check_equal "commit" "pflashd --sync burst=20 pflashd --sync none=20 the minimum: pwrite, fdatasync=20" \
	"$(figures commit | grep -v '^one block, O_DIRECT' | tr '\n' ' ' | sed 's/ $//')"
for n in 1 2; do
	"$build/pflashctl" create --layout 4m "$tmp/place$n.fd" >/dev/null
done
check_equal "places" "$tmp/place1.fd=2 $tmp/place2.fd=2" \
	"$(line places "$tmp/place1.fd" "$tmp/place2.fd")"
refuses "places: a flash with contents" 2 'has contents, which would be lost' \
	"$bench" places "$tmp/place1.fd" "$tmp/place2.fd"
refuses "places: one flash" 2 'name 2 to 16 empty flashes' "$bench" places "$tmp/place1.fd"
check_equal "recover" 5 "$(figures recover | grep -c '=2$')"
check_equal "log: four lengths of history, check and diff of three stores" 10 "$(figures log | grep -c '=2$')"
check "log: the fullest store has 3853 variables" grep -q 'store has 3853 variables' "$tmp/json"
check_equal "hosts" "start=20 SetVariable() of 64 bytes=100 end=20 private memory of a process=20 of this, before its flash is open=20 the simulated guest's memory=20 descriptors=20" \
	"$(line hosts 20)"
if grep -q __asan_init "$bench"; then
	skip "hosts: memory: a sanitizer takes memory of its own"
else
	check "hosts: a flash of 528 KiB takes at most 1 MiB of private memory" python3 -c '
import json, sys
rows = json.load(open(sys.argv[1]))["rows"]
sys.exit(not all(528 < row["median"] <= 1024 for row in rows if row["name"].startswith("private")))' \
		"$tmp/json"
fi
check_equal "attach" 4 "$(figures attach | grep -c '=2$')"
printf '# cycles ram-read 4\n# cycles array-read 5\nother\n' >"$tmp/console"
check_equal "guest" "ram-read=2 array-read=2" \
	"$(figures guest "$tmp/console" "$tmp/console" | tr '\n' ' ' | sed 's/ $//')"
check "the ratio is that of the two rows" grep -q '"ratio": *1.25' "$tmp/json"
check_equal "its files are removed" "" "$(ls "$tmp" | grep pflash-bench)"

# soon COMMAND...: waits up to 20 s until COMMAND succeeds
soon() {
	for try in $(seq 200); do
		"$@" && return
		sleep 0.1
	done
	return 1
}

# children PID...: prints the children of these processes
children() {
	for of; do
		cat "/proc/$of/task/$of/children" 2>/dev/null
	done
}

has_files() {
	ls "$tmp"/pflash-bench.*/*.fd >/dev/null 2>&1
}

# has_hosts PID COUNT: true if the child of PID has at least COUNT children, the
# hosts
has_hosts() {
	set -- "$2" $(children $(children "$1"))
	[ $# -gt "$1" ]
}

is_gone() {
	! kill -0 "$1" 2>/dev/null
}

# ended PID CODE: true if PID ends within 20 s and exits with CODE
ended() {
	soon is_gone "$1" || return
	wait "$1"
	test $? -eq "$2"
}

"$bench" commit --directory "$tmp" --count 1000000 >/dev/null &
pid=$!
check "a long run has started" soon has_files
kill -TERM $pid
check "SIGTERM ends the run" ended $pid 143
check_equal "its files are removed after SIGTERM" "" "$(ls "$tmp" | grep pflash-bench)"
"$bench" hosts 300 --directory "$tmp" >/dev/null 2>"$tmp/err" &
pid=$!
check "50 hosts have started" soon has_hosts $pid 50
set -- $(children $(children $pid))
kill -KILL "$1"
check "killing one host ends the run" ended $pid 1
check "the error names the killed host" grep -q 'was killed' "$tmp/err"
check_equal "the files of the hosts are removed" "" "$(ls "$tmp" | grep pflash-bench)"

"$bench" path --rounds 2 --directory "$tmp" >"$tmp/table"
check "the table names machine and command" \
	sh -c "grep -q '^machine: .' '$tmp/table' && grep -q '^command: .*path' '$tmp/table'"
check "the table has a ratio" grep -q '^the chip alone .* 0\.[0-9]*$' "$tmp/table"

for command in path view commit recover "hosts 5"; do
	# shellcheck disable=SC2086
	"$bench" $command --rounds 2 --count 20 --directory "$tmp" \
		--plot "$tmp/plot.svg" >/dev/null
	check "$command: the plot is well formed and has a title" python3 -c '
import sys, xml.etree.ElementTree as tree
texts = [e.text for e in tree.parse(sys.argv[1]).iter() if e.tag.endswith("text")]
sys.exit("lower is better" not in texts[0])' "$tmp/plot.svg"
	rm -f "$tmp/plot.svg"
done

# wrong CODE TEXT ARGUMENT...: pflash-bench must exit with CODE and print TEXT on
# standard error
wrong() {
	code=$1 text=$2
	shift 2
	"$bench" "$@" >"$tmp/out" 2>"$tmp/err"
	check_equal "exit code of: $*" "$code" $?
	check "error message of: $*" grep -q -e "$text" "$tmp/err"
}

wrong 2 COMMAND
wrong 2 nothing nothing
wrong 2 --wrong chip --wrong
wrong 2 'not a number' chip --rounds many
wrong 2 'size of a flash' chip --size 5000
wrong 2 'TRACE is missing' trace
wrong 2 'FIRST or SECOND is missing' firmware "$trace"
wrong 1 "the directory $tmp/none does not exist" view --rounds 1 --directory "$tmp" --plot "$tmp/none/plot.svg"
wrong 1 'No such file' trace "$tmp/none"
wrong 2 ':1: not an access' trace "$tmp/json"
wrong 2 'beyond a flash' trace "$trace" --size 4096
echo 'w ffffffff 1 0' >"$tmp/last"
wrong 2 'beyond a flash' chip "$tmp/last"
wrong 2 'from 1 to 5000' hosts 5001
wrong 2 'not a number' hosts many
mkfifo "$tmp/fifo"
for file in "$tmp/fifo" /dev/zero; do
	for command in chip firmware guest; do
		refuses "$command: $file is no trace" 2 'neither a regular file nor' \
			timeout 20 "$bench" $command "$file" "$file"
	done
done
wrong 2 none.so chip --peer "$tmp/none.so"
wrong 1 'No such file' path --directory "$tmp/none"
check "--help" sh -c "'$bench' --help | grep -q usage"
check "--version" sh -c "'$bench' --version | grep -q '^pflash-bench [0-9]'"
