# SPDX-License-Identifier: BSD-2-Clause
# Tests the AppArmor profile of pflashd.
. tests/lib/cli.sh

profile=integration/apparmor/pflashd
unit=integration/systemd/pflashd@.service
PATH=$PATH:/usr/sbin:/sbin

# --- the profile allows what the unit allows ---

for capability in $(sed -n 's/^CapabilityBoundingSet=//p' "$unit"); do
	name=$(echo "${capability#CAP_}" | tr '[:upper:]' '[:lower:]')
	check "the unit's $capability" grep -q "^  capability $name,\$" "$profile"
done
for device in $(sed -n 's|^DeviceAllow=/dev/xen/\([a-z]*\) rw$|\1|p' "$unit"); do
	check "the unit's /dev/xen/$device" grep -q "^  /dev/xen/{.*\<$device\>.*} rw,\$" "$profile"
done

known=$(sed -n 's/^#define KNOWN_DIRECTORY "\(.*\)"$/\1/p' include/pflash/known.h)
check "the directory of the records" grep -q "^  $known/\*\* rw,\$" "$profile"

# --- the parser ---

parses() {
	apparmor_parser -Q -K "$1" >"$tmp/out" 2>"$tmp/err"
}

if ! command -v apparmor_parser >/dev/null 2>&1; then
	skip "apparmor_parser: not installed"
	finish
fi
if parses "$profile"; then
	ok "the profile is parsed"
else
	not_ok "the profile is parsed: $(cat "$tmp/out" "$tmp/err")"
fi
sed 's|pflash/\*\* rwk,|pflash/** rwkz,|' "$profile" >"$tmp/wrong"
check "an error is found" test "$(parses "$tmp/wrong"; echo $?)" -ne 0

# --- the kernel ---

if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ]; then
	skip "pflashd with the profile: this kernel has no AppArmor"
	finish
fi
if [ "$(id -u)" -ne 0 ]; then
	skip "pflashd with the profile: only root can load it"
	finish
fi
# Under another name and without a path, it confines nothing but this test.
name=pflashd-test-$$
program=$(realpath "$build/pflashd")
sed -e "s|^profile pflashd [^ ]*|profile $name|" -e "s|peer=pflashd|peer=$name|" \
	-e "s|^  include if exists.*|  $program mrix,|" "$profile" >"$tmp/loaded"
if ! apparmor_parser -K -r "$tmp/loaded" 2>"$tmp/err"; then
	not_ok "the profile is loaded: $(cat "$tmp/err")"
	finish
fi
trap 'apparmor_parser -R "$tmp/loaded"; rm -rf "$tmp"' EXIT
ok "the profile is loaded"
check "pflashd runs with the profile" sh -c \
	"aa-exec -p '$name' -- '$program' --version | grep -q pflashd"
"$build/pflashctl" create --layout 2m "$tmp/a.fd"
refuses "a VARS file in another directory" 3 'Permission denied' \
	aa-exec -p "$name" -- "$program" --domain 1 --sandbox none --vars "$tmp/a.fd"
finish
