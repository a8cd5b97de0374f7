# SPDX-License-Identifier: BSD-2-Clause
# about: a patched libvirt runs its hook before the first instruction of a guest: start, reboot, restore, failures
# needs: libvirt libvirt-patched libxl net build/lab/guest.elf
# needs: build/pflashd build/pflashctl
# needs: tests/lab/xl.sh tests/lab/libxl.sh tests/lab/libvirt.sh tests/lab/libvirt-patched.sh
# slow: needs the patched xl and libvirt, which take minutes to build
# timeout: 400
. /lab/lib.sh
. /lab/xl.sh
. /lab/libxl.sh
. /lab/libvirt.sh
. /lab/libvirt-patched.sh
lvp_setup
saved=/var/lib/libvirt/libxl/save/by-hand
lv_memory=32 # a saved guest is in dom0's memory

# The hook: it notes each operation, and what Xen knows of the guest then; the
# operation `created` starts pflashd for the domain whose id the XML has.
cat >/etc/libvirt/hooks/libxl <<'EOF'
#!/bin/sh
id=$(sed -n "s/^<domain .*id='\([0-9]*\)'.*/\1/p")
now=$(xl list "$1" 2>/dev/null | awk 'NR == 2 { print $2, $5, $6 }')
rip=$(xen-hvmctx "$(xl domid "$1" 2>/dev/null)" 2>/dev/null | sed -n 's/.*rip 0x0*\([0-9a-f]*\) .*/\1/p' | head -n 1)
echo "$1 $2 $3 $4: ${id:-none}: ${now:-none} ${rip:-none}" >>/tmp/operations
[ "$2" = created ] || exit 0
if [ -e /tmp/refuse ]; then
    cat /tmp/refuse >&2
    exit 1
fi
exec pflashd --domain "$id" --vars "/var/lib/xen/pflash/$1.fd" --layout 2m \
    --wait 10 --log syslog </dev/null
EOF
chmod +x /etc/libvirt/hooks/libxl
kill -HUP "$(cat /run/libvirtd.pid)" # it looks for hooks when it starts

# operations NAME: those since the last call, in one line
operations() {
    awk -v n="$1" '$1 == n { printf "%s%s", s, $2; s = " " }' /tmp/operations
    mv /tmp/operations /tmp/operations.old
}

# not_run NAME: at `created` the domain of the XML was paused, had used no
# processor time and was at its entry point
not_run() {
    grep "^$1 created" /tmp/operations.old >/tmp/created
    cat /tmp/created
    grep -qE "^$1 created begin -: ([0-9]+): \1 --p--- 0\.0 $lv_entry\$" /tmp/created
}

defines() {
    lv_xml "$1" "$lv_pvh $(lv_test "$2")" ''
    v define /tmp/guest.xml
}

defines one 'test=steady seed=5 control=xenstore'
v start one
check_equal "it starts" 0 "$lv_status"
check "it finds its flash" lab_expect one 60 '^# round'
check_equal "start: the hook's operations" "prepare start created started" \
    "$(operations one)"
check "start: the guest had not run" not_run one
id=$(lab_domid one)
v reboot one
check "virsh reboot: libvirt has made it anew" lab_wait 60 lv_anew one "$id"
lab_mark one
check "virsh reboot: it finds its flash" lab_expect one 60 '^# round'
check_equal "reboot: the hook's operations" \
    "stopped release prepare start created started" "$(operations one)"
check "reboot: the guest had not run" not_run one

v save one $saved
check "saved: it is off" lab_wait 60 lvp_off one
operations one
v restore $saved
check_equal "virsh restore" 0 "$lv_status"
rm -f $saved
lab_mark one
check "restored: it finds its flash" lab_expect one 60 '^# round'
check_equal "restore: the hook's operations" "prepare start created started" \
    "$(operations one)"
v shutdown one
check "virsh shutdown: it is off" lab_wait 60 lvp_off one
check "it has found no error" sh -c "! grep -q '^# failed' '$(lab_log one)'"

v start --paused one
check_equal "start --paused" 0 "$lv_status"
check_equal "paused: the hook's operations" "stopped release prepare start created started" \
    "$(operations one)"
check "paused: its flash is there" lab_state one running
v destroy one
check "destroyed: it is off" lab_wait 60 lvp_off one
operations one

# --- failures ---

echo 'the hook refuses this guest' >/tmp/refuse
v start one
check "the hook fails: not started; virsh prints what the hook said" lv_refused \
    "the hook refuses this guest"
check "the hook fails: it is off" lv_is one 'shut off'
check_equal "the hook fails: the later operations" \
    "prepare start created stopped release" "$(operations one)"
check_equal "nothing is left" "" "$(lvp_left)"
rm /tmp/refuse
v start one
check_equal "without the failure it starts" 0 "$lv_status"
check "it finds its flash" lab_expect one 60 '^# round'

# pflashd itself refuses: the file is in use.
lv_xml two "$lv_pvh $(lv_test test=hole)" ''
v define /tmp/guest.xml
ln -s one.fd /var/lib/xen/pflash/two.fd
v start two
check "pflashd fails: virsh prints what it said" lv_refused "in use by pid"
check "pflashd fails: no domain is left" lab_gone two
v destroy one
check_equal "nothing is left" "" "$(lvp_left)"
lab_export /tmp/operations.old operations
lv_export
lab_done
