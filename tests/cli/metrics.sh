# SPDX-License-Identifier: BSD-2-Clause
# Tests pflashctl metrics: the numbers, their format, its output file, the units
# that write it, and the names in the dashboard. Runs in separate mount and
# process name spaces, because the sockets are in /run/pflashd.
. tests/lib/cli.sh

if [ "${1:-}" != inside ]; then
	if ! unshare -mpf --mount-proc mount -t tmpfs tmpfs /run 2>"$tmp/err"; then
		skip "metrics: $(head -n 1 "$tmp/err")"
		finish
	fi
	rm -rf "$tmp"
	exec unshare -mpf --mount-proc --kill-child sh "$0" inside
fi

ctl=$build/pflashctl
mount -t tmpfs tmpfs /run || exit 2
PATH=$PATH:/usr/sbin:/sbin

# serve ID=BEHAVIOUR...: see hostile_daemon.py
serve() {
	[ -d /run/pflashd ] || mkdir -m 700 /run/pflashd
	python3 tests/cli/hostile_daemon.py "$tmp" "$@" >>"$tmp/doubles" || exit 2
}

# metrics [ARGUMENT...]: sets $code; the output is in $tmp/said and $tmp/err
metrics() {
	timeout 60 "$ctl" metrics "$@" >"$tmp/said" 2>"$tmp/err" </dev/null
	code=$?
}

# says LINE: a whole line of the output
# shellcheck disable=SC2317 # check() calls it
says() {
	grep -qxF -e "$1" "$tmp/said" && return
	grep "^${1%%\{*}{" "$tmp/said" | sed 's/^/# /'
	return 1
}

# says_none PATTERN
# shellcheck disable=SC2317
says_none() {
	! grep -q -e "$1" "$tmp/said"
}

# promtool TEXT: checks the output, where promtool is installed
promtool_takes() {
	if ! command -v promtool >/dev/null 2>&1; then
		skip "$1: promtool (Debian: prometheus) is not installed"
		return
	fi
	promtool check metrics <"$tmp/said" >"$tmp/promtool" 2>&1
	check_equal "$1: promtool" "0 " "$? $(cat "$tmp/promtool")"
}

# --- without a flash ---

metrics
check_equal "no flash: exit code" 0 "$code"
check "no flash: no sample" says_none '^[^#]'
promtool_takes "no flash"

# Each metric has HELP and TYPE, once.
sed -n 's/^# TYPE \([a-z_]*\) \(counter\|gauge\)$/\1/p' "$tmp/said" >"$tmp/names"
sed -n 's/^# HELP \([a-z_]*\) .*\.$/\1/p' "$tmp/said" >"$tmp/helped"
check "the metrics have names" test "$(wc -l <"$tmp/names")" -gt 20
check_equal "each metric has a sentence" "$(cat "$tmp/names")" "$(cat "$tmp/helped")"
check_equal "no name is used twice" "" "$(sort "$tmp/names" | uniq -d)"

# --- the numbers ---

vars=$tmp/one.fd
"$ctl" create --layout 4m "$vars" || exit 2
fill 0 40 | "$build/pflash-replay" --vars "$vars" >"$tmp/replayed" || exit 2
"$ctl" create --layout 2m "$tmp/bad.fd"
printf 'XXXX' | dd of="$tmp/bad.fd" bs=1 seek=40 conv=notrunc 2>/dev/null
mkfifo "$tmp/fifo.fd"
serve "7={\"vars\": \"$vars\", \"syncs\": 4, \"name\": \"say \\\"x\\\\y\\\"\\nend\"}" \
	"8={\"vars\": \"$tmp/bad.fd\", \"state\": \"waiting\", \"errors\": 1}" \
	"9={\"vars\": \"$tmp/none.fd\", \"version\": \"a b\"}" '10={"vars": "relative.fd"}' \
	"11={\"vars\": \"$tmp/fifo.fd\"}" '12={"vars": "/a\u0000b"}' 13=close \
	'14={"name": "\u001b[2J\u202e", "vars": null}'
metrics
check_equal "exit code" 0 "$code"
name='domain="7",name="say \"x\\y\"\nend"'
check "writes" says "pflash_writes_total{$name} 7"
check "syncs" says "pflash_syncs_total{$name} 4"
check "running" says "pflash_running{$name} 1"
check "waiting" says 'pflash_running{domain="8",name="guest8"} 0'
check "a failure" says 'pflash_failed{domain="8",name="guest8"} 1'
check "no answer" says 'pflash_up{domain="13"} 0'
check "an answer" says 'pflash_up{domain="7"} 1'
check "no answer: the reason" grep -q '/13.sock: closed the connection' "$tmp/err"
check "info" says "pflash_info{$name,version=\"0.2.0\",state=\"running\",mode=\"trap\",sync=\"burst\",sandbox=\"full\",vars=\"$vars\"} 1"
check "a version that is no word" says "pflash_info{domain=\"9\",name=\"guest9\",version=\"\",state=\"running\",mode=\"trap\",sync=\"burst\",sandbox=\"full\",vars=\"$tmp/none.fd\"} 1"

# The numbers of the file are those of pflashctl check and of the file system.
"$ctl" check "$vars" >"$tmp/checked"
live=$(sed -n 's/^variables: \([0-9]*\) live.*/\1/p' "$tmp/checked")
used=$(sed -n 's/.* \([0-9]*\) bytes used.*/\1/p' "$tmp/checked")
free=$(sed -n 's/.* \([0-9]*\) free$/\1/p' "$tmp/checked")
check_equal "the file has variables" 40 "$live"
check "readable" says "pflash_vars_readable{$name} 1"
check "size" says "pflash_vars_size_bytes{$name} 540672"
check "variables" says "pflash_vars_variables{$name} $live"
check "used" says "pflash_vars_used_bytes{$name} $used"
check "free" says "pflash_vars_free_bytes{$name} $free"
check "journal" says "pflash_vars_journal_bytes{$name} $(stat -c %s "$vars.journal")"
check "pending bursts" says "pflash_vars_pending_bursts{$name} 0"
check "file system" says "pflash_vars_filesystem_size_bytes{$name} $(($(stat -f -c '%b * %S' "$vars")))"
newest=$("$ctl" log --bursts "$vars" | awk '/^[0-9]/ { print $2, $3 }' | tail -n 1)
check "the newest change" says "pflash_vars_change_time_seconds{$name} $(date -d "$newest" +%s)"

check "findings" grep -q '^pflash_vars_errors{domain="8",name="guest8"} [1-9]' "$tmp/said"
check "no errors" says "pflash_vars_errors{$name} 0"
for id in 9 11; do
	check "domain $id: not readable" says "pflash_vars_readable{domain=\"$id\",name=\"guest$id\"} 0"
	check "domain $id: no free space" says_none "^pflash_vars_free_bytes{domain=\"$id\""
done
for id in 10 12 14; do
	check "domain $id: no file" says_none "^pflash_vars_[a-z_]*{domain=\"$id\""
done
check "no control character passes" sh -c "! LC_ALL=C tr -d '\n' <'$tmp/said' | grep -q '[^ -~]'"
promtool_takes "many flashes"

# --- the output file ---

metrics --output "$tmp/pflash.prom"
check_equal "--output: exit code" "0 0" "$code $(wc -c <"$tmp/said")"
cp "$tmp/pflash.prom" "$tmp/said"
check "--output: the numbers" says "pflash_writes_total{$name} 7"
check_equal "--output: the mode" 644 "$(umask 077; metrics --output "$tmp/new.prom"; stat -c %a "$tmp/new.prom")"
inode=$(stat -c %i "$tmp/pflash.prom")
exec 3<"$tmp/pflash.prom"
before=$(sum "$tmp/pflash.prom")
metrics --output "$tmp/pflash.prom"
check "--output: a new file" test "$inode" != "$(stat -c %i "$tmp/pflash.prom")"
check_equal "--output: the old one is whole" "$before" "$(sum /proc/self/fd/3 <&3)"
exec 3<&-
check_equal "--output: nothing else is left" "new.prom pflash.prom" \
	"$(cd "$tmp" && echo *.prom*)"
while read -r pid; do kill "$pid"; done <"$tmp/doubles"
rm -f /run/pflashd/*
refuses "--output: no directory" 1 'the directory .* does not exist' "$ctl" metrics --output "$tmp/none/pflash.prom"
refuses "an argument" 2 'usage: pflashctl metrics' "$ctl" metrics x

# --- the units ---

for unit in pflash-metrics.service pflash-metrics.timer pflashd@.service; do
	sed -e "s|@BINDIR@|$(realpath "$build")|" -e "s|@SBINDIR@|$(realpath "$build")|" \
		"integration/systemd/$unit" >"$tmp/$unit"
done
cp "$tmp/pflashd@.service" "$tmp/pflashd@7.service"
if command -v systemd-analyze >/dev/null 2>&1; then
	for unit in pflash-metrics.service pflash-metrics.timer pflashd@7.service; do
		said=$(systemd-analyze verify --man=no "$tmp/$unit" 2>&1 | grep -F -e "$tmp" -e pflash)
		check_equal "systemd-analyze: $unit" "" "$said"
	done
	sed -i 's/^OnBootSec=/OnBoot=/' "$tmp/pflash-metrics.timer"
	check "systemd-analyze finds an error" sh -c \
		"systemd-analyze verify --man=no '$tmp/pflash-metrics.timer' 2>&1 | grep -q OnBoot"
else
	skip "the units: systemd-analyze is not installed"
fi
collector=$(sed -n 's/^ExecStart=.* --output \(.*\)\/pflash\.prom$/\1/p' "$tmp/pflash-metrics.service")
check_equal "the unit may write where it writes" "$collector" \
	"$(sed -n 's/^ReadWritePaths=//p' "$tmp/pflash-metrics.service")"

# --- the dashboard ---

python3 - integration/grafana/xen-pflash.json "$tmp/names" <<-'EOT' >"$tmp/unknown"
	import json, re, sys
	board = json.load(open(sys.argv[1]))
	known = set(open(sys.argv[2]).read().split())
	texts = [t["expr"] for p in board["panels"] for t in p["targets"]]
	texts += [v["definition"] for v in board["templating"]["list"] if "definition" in v]
	used = {name for text in texts for name in re.findall(r"\bpflash_\w+", text)}
	print(*sorted(used - known))
	print(len(used))
EOT
check_equal "the dashboard uses only metrics that exist" "" "$(head -n 1 "$tmp/unknown")"
check "the dashboard uses metrics" test "$(tail -n 1 "$tmp/unknown")" -gt 15
while read -r name; do
	check "docs/metrics.md: $name" grep -q "^| \`$name\` |" docs/metrics.md
done <"$tmp/names"
finish
