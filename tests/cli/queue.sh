# SPDX-License-Identifier: BSD-2-Clause
# Tests changes that are kept for the next start: --next-start, vars pending and
# vars cancel, and what the commands on files do with the queue.  The start itself
# is tested by test_apply and, on Xen, by the lab's scenario queue.
. tests/lib/cli.sh

ctl=$build/pflashctl
v=$tmp/vars.fd
"$ctl" create --layout 2m "$v"
cp "$v" "$tmp/before.fd"

# pending FILE: the commands of its lists, each in brackets
pending() {
	"$ctl" vars pending "$1" | sed -n 's/^ *[0-9][0-9]*  [0-9][-0-9]* [:0-9]*  \(.*\)/[\1]/p' |
		sed "s| $tmp/| |g" | tr -d '\n'
}

check_equal "nothing waits" "$v: no change waits for the next start" \
	"$("$ctl" vars pending "$v")"
check "a change is queued" sh -c \
	"'$ctl' vars set --next-start --hex 0102 '$v' EfiGlobalVariable:Foo | grep -q 'kept for the next start, 1 variable'"
check "VARS is not changed" cmp "$v" "$tmp/before.fd"
check "there is no journal" test ! -e "$v.journal"
check_equal "the queue has the mode of VARS" "$(stat -c '%a %u %g' "$v")" \
	"$(stat -c '%a %u %g' "$v.next")"
refuses "the variable is not there yet" 3 "there is no variable" \
	"$ctl" vars get "$v" EfiGlobalVariable:Foo
check "the next command sees what is queued" "$ctl" vars rm --next-start "$v" \
	EfiGlobalVariable:Foo
check "a dry run queues nothing" "$ctl" vars set --next-start --dry-run --hex 03 "$v" \
	EfiGlobalVariable:Bar
check_equal "both lists are there, in order" \
	"[vars set --next-start --hex 0102 vars.fd EfiGlobalVariable:Foo][vars rm --next-start vars.fd EfiGlobalVariable:Foo]" \
	"$(pending "$v")"
check "no unfinished file is left" test "$(find "$tmp" -name 'vars.fd*' | wc -l)" = 2
"$ctl" vars pending --json "$v" >"$tmp/json"
check "pending --json" python3 - "$tmp/json" "$v" <<'PY'
import json, sys
(one,) = json.load(open(sys.argv[1]))
assert one["file"] == sys.argv[2], one
first, second = one["lists"]
(change,) = first["changes"]
assert (change["action"], change["name"], change["size"]) == ("set", "Foo", 2), change
assert second["changes"][0]["action"] == "remove", second
assert abs(first["time"] - second["time"]) < 100, one
PY

refuses "no such list" 3 "no such list" "$ctl" vars cancel --list 3 "$v"
refuses "list 0" 2 "'0'" "$ctl" vars cancel --list 0 "$v"
check_equal "one list is dropped" "$v: dropped 1 list of changes" \
	"$("$ctl" vars cancel --list 1 "$v")"
check_equal "the other one stays" "[vars rm --next-start vars.fd EfiGlobalVariable:Foo]" \
	"$(pending "$v")"

# --- the commands on files ---

"$ctl" clone "$v" "$tmp/clone.fd"
check "a clone has no queue" test ! -e "$tmp/clone.fd.next"
"$ctl" move "$v" "$tmp/moved.fd"
check "move takes the queue along" test -e "$tmp/moved.fd.next" -a ! -e "$v.next"
v=$tmp/moved.fd
check "convert keeps the queue" sh -c \
	"'$ctl' convert --layout 4m '$v' >/dev/null && test -e '$v.next'"
check "create --reset says that changes wait" sh -c \
	"'$ctl' create --reset --layout 4m '$v' | grep -q 'changes wait for the next start'"
check_equal "the list is still there" "[vars rm --next-start vars.fd EfiGlobalVariable:Foo]" \
	"$(pending "$v")"
check "the queue is no VARS file of its directory" sh -c \
	"! '$ctl' vars pending '$tmp' | grep -q 'fd.next:'"
mv "$v" "$tmp/away.fd"
rm -f "$v.journal"
refuses "no new file gets the queue of an earlier one" 3 "has changes for the next start of an earlier" \
	"$ctl" create --layout 4m "$v"
mv "$tmp/away.fd" "$v"

# --- a damaged queue ---

printf 'PFLASHY1 and no more' >"$v.next"
refuses "pending: damaged" 3 "moved.fd.next: damaged" "$ctl" vars pending "$v"
check "--next-start: damaged" sh -c \
	"'$ctl' vars set --next-start --hex 01 '$v' EfiGlobalVariable:Foo 2>&1 | grep -q 'vars cancel .*removes it'"
check "cancel removes a damaged queue" sh -c \
	"'$ctl' vars cancel '$v' && test ! -e '$v.next'"
finish
