# SPDX-License-Identifier: BSD-2-Clause
# about: the flash of an HVM guest whose QEMU is in a Linux stub domain, with pflashd in dom0: both modes, xl save, the end of
# about: the stub domain
# needs: hvm stubdom block net vmlinux firmware build/lab/guest.rom build/pflashd build/pflashctl build/pflash-replay
# needs: /usr/share/OVMF/OVMF_VARS.fd integration/xl/block-pflash integration/xl/vif-pflash integration/xl/pflash-common.sh
# needs: tests/lab/xl.sh tests/lab/compare.sh tests/lab/stubdom.sh tests/lab/stubdom-init
# modules: xen-blkfront
# slow: it boots a stub domain for each guest
# timeout: 390
. /lab/lib.sh
. /lab/xl.sh
. /lab/compare.sh
. /lab/stubdom.sh

lab_require
xl_setup
cp /lab/vif-pflash /etc/xen/scripts/
chmod +x /etc/xen/scripts/vif-pflash
ip link add xenbr0 type bridge && ip link set xenbr0 up || lab_die "no bridge"
stub_ramdisk

# created NAME [-p]: xl create
created() {
    start=$(lab_now)
    # shellcheck disable=SC2086
    xl create ${2:-} "/tmp/$1.cfg" >"/tmp/$1.out" 2>&1
    check_equal "$1: xl creates the guest and its stub domain" 0 $?
    cat "/tmp/$1.out"
    lab_domid "$1" >/dev/null || lab_die "$1: no guest"
    note "$1: created after $(lab_since "$start") s"
}

# in_stub NAME: its QEMU is not in dom0; the one there serves the stub domain's consoles
in_stub() {
    lab_domid "$1-dm" && ! ps -o args | grep -q "[x]en-domid $(lab_domid "$1") "
}

# --- QEMU first, then pflashd; trap mode ---

stub_config bare 'test=script'
sed -i '/^disk/d' /tmp/bare.cfg
mkdir /tmp/bare.d
cp /lab/OVMF_VARS.fd /tmp/bare.d/vars.fd
cp /lab/OVMF_VARS.fd /tmp/bare.d/replay.fd
created bare -p
check "bare: its QEMU is in the stub domain" in_stub bare
check "bare: pflashd attaches beside it" lab_flash bare /tmp/bare.d/vars.fd --mode trap
start=$(lab_now)
xl unpause bare
check "bare: the guest runs to its end" lab_wait 90 lab_gone bare
note "bare: its end after $(lab_since "$start") s"
check "bare: pflashd ends well" lab_flash_end bare
tr -d '\r' <"$(lab_log bare)" >/tmp/bare.d/report
compare_replay bare /tmp/bare.d
check_equal "bare: nothing is left" "" "$(stub_left)"

# --- the script of a disk: pflashd first, then QEMU; direct mode ---

rounds() {
    lab_shown two | sed -n 's/^# round //p' | tail -n 1
}

# continues TEXT: the guest makes more rounds than before
continues() {
    before=$(rounds)
    check "two: $1, the guest goes on" lab_wait 60 advanced
    note "two: $1: round ${before:-0}, then $(rounds)"
}

advanced() {
    test "$(rounds || echo 0)" -gt "${before:-0}"
}

stub_config two 'test=steady seed=7'
created two -p
check "two: its QEMU is in the stub domain" in_stub two
check "two: it has its flash before it runs" lab_state two running
check_equal "two: one pflashd" 1 "$(lab_supervisors | wc -w)"
check "two: the stub domain has the disk, too, and no flash" sh -c \
    "xenstore-ls -f /local/domain/0/backend/vbd/$(lab_domid two-dm) | grep -q 'hotplug-status = \"connected\"' &&
    test \$(pflashctl list | grep -c two) = 1"
xl unpause two
continues "after its start"
check_equal "two: direct mode" direct "$(lab_field two mode)"

timeout 100 xl save two /tmp/two.save >/tmp/save.out 2>&1
check_equal "two: xl save fails, for want of this stub domain's QEMU" 1 $?
check "two: xl prints the reason" grep -q 'Unable to open /dev/fdset/1' /tmp/save.out
continues "not saved"

supervisor=$(lab_supervisors)
xl destroy two-dm
check "two: the stub domain is gone" lab_wait 20 lab_gone two-dm
check_equal "two: pflashd stays" "$supervisor" "$(lab_field two pid)"
continues "without its QEMU"
lab_type two stop
check "two: the guest has found no error in all rounds" lab_expect two 30 '^# steady ok'
xl destroy two
check_equal "two: nothing is left" "" "$(stub_left)"
pflashctl check /var/lib/pflash/two.fd >/tmp/check
check_equal "two: the file is sound" 0 $?
check "two: the file has all bursts of the journal" grep -q '^journal: 0 bursts' /tmp/check

# --- the script of an interface ---

stub_config three 'test=hole' 'vif = [ "type=vif, script=vif-pflash, bridge=xenbr0" ]'
sed -i '/^disk/d' /tmp/three.cfg
created three -p
check "three: it has its flash before it runs" lab_state three running
check_equal "three: one pflashd" 1 "$(lab_supervisors | wc -w)"
xl destroy three
check_equal "three: nothing is left" "" "$(stub_left)"

# --- OVMF ---

stub_config four '' 'bios_path_override = "/lab/OVMF_XEN.fd"' 'memory = 256' \
    'timer_mode = "one_missed_tick_pending"'
created four
start=$(lab_now)
check "four: OVMF finds the flash" lab_wait 120 sh -c \
    "pflashctl status four | awk '/^writes:/ { exit \$2 < 4 }'"
note "four: after $(lab_since "$start") s"
check_equal "four: direct mode" direct "$(lab_field four mode)"
xl destroy four
check_equal "four: nothing is left" "" "$(stub_left)"
lab_done
