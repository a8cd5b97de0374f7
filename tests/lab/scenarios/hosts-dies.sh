# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts that share VARS by NFS: host2 loses its power while a guest writes, and in the middle of a boot of UEFI firmware; host1 starts the guest with every answered write
# needs: block net firmware build/lab/guest.elf build/pflashd build/pflashctl build/pflash-replay
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# needs: tests/lab/store.sh tests/lab/uefi.sh
# modules: sunrpc auth_rpcgss grace lockd nfs_acl nfsd netfs fscache nfs dns_resolver nfsv4
# programs: rpc.nfsd rpc.mountd exportfs nfsdcld
# hosts: 2
# slow: two machines, and two boots of UEFI firmware
# timeout: 1500
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh
. /lab/store.sh
. /lab/uefi.sh

words="test=random seed=37 count=1500"
store_reference "$words"
store_history burst
hosts_start
hosts_share

# copy_console NAME FILE: the console of the guest on host2 is copied to FILE here, as
# long as host2 lives
copy_console() {
    # nc ends when its standard input does, at both ends.
    tail -f /dev/null | nc -l -p 98 >"$2" &
    lab_wait 10 sh -c 'netstat -ltn | grep -q ":98 "'
    on_host2 "lab_wait 30 test -e \$(lab_log $1); \
{ tail -f -n +1 \$(lab_log $1) | nc host1 98; } </dev/null >/dev/null 2>&1 3>&- & true"
}

# --- a guest that writes ---

on_host2 "lab_guest one \"$words\" && lab_flash one $xl_dir/one.fd --layout 2m --sync burst \
--settle 3600" || lab_die "no guest on host2: $hosts_said"
check "host2 runs a guest with its flash" on_host2 'lab_state one running'
on_host2 'xl unpause one'
copy_console one /tmp/one.console
lab_wait 90 sh -c 'test "$(wc -l </tmp/one.console)" -gt 300' ||
    lab_die "the guest does not write"
lab_guest other test=hole || lab_die "no guest on host1"
check "host1 is refused while host2 has the file" sh -c \
    ". /lab/lib.sh; ! lab_flash other $xl_dir/one.fd && grep -q 'in use' /tmp/other.pflashd"
note "$(tail -n 1 /tmp/other.pflashd)"
hosts_power_cut
store_accesses /tmp/one.console >/tmp/one.accesses
start=$(lab_now)
check "host1 gets the file when host2's lease has run out" \
    lab_flash other $xl_dir/one.fd --wait 40
note "$(lab_since "$start") s after the power cut"
kill "$(lab_field other pid)"
lab_flash_end other
store_check "host2 died" $xl_dir/one.fd /tmp/one.accesses burst
note "$(wc -l </tmp/one.accesses) accesses: point $store_number, $store_ahead bursts later than the last answer that host1 has seen"
xl destroy other

# --- in the middle of a boot of UEFI firmware ---

hosts_start
on_host2 'lab_require; xl_setup; hosts_mount' || lab_die "host2 cannot mount: $hosts_said"
on_host2 ". /lab/uefi.sh; lab_create boot 'kernel = \"/lab/OVMF_XEN.fd\"' 'memory = 256' && lab_flash boot $xl_dir/boot.fd --layout 2m" || lab_die "no UEFI guest on host2: $hosts_said"
lab_step "the UEFI firmware boots on host2"
on_host2 'xl unpause boot'
copy_console boot /tmp/boot.console
lab_wait 600 grep -q 'UEFI Interactive Shell' /tmp/boot.console || lab_die "no UEFI shell on host2"
on_host2 'printf "\033" >"$(lab_tty boot)"'
lab_wait 60 sh -c "tail -c 40 /tmp/boot.console | grep -q 'Shell>'"
on_host2 "lab_type boot 'setvar LabVar -guid $UEFI_GUID -bs -nv =0x1122334455'"
lab_wait 60 sh -c "tail -c 60 /tmp/boot.console | tr -d '\r' | grep -q '=0x1122334455'"
sleep 5
on_host2 'xl destroy boot; lab_flash_end boot' >/dev/null
on_host2 ". /lab/uefi.sh; lab_create boot 'kernel = \"/lab/OVMF_XEN.fd\"' 'memory = 256' && lab_flash boot $xl_dir/boot.fd" || lab_die "no UEFI guest on host2: $hosts_said"
on_host2 'xl unpause boot'
lab_wait 300 on_host2 'test "$(lab_field boot writes)" -gt 1000' || lab_die "the firmware does not write"
note "writes of the second boot at the power cut: $(on_host2 'lab_field boot writes')"
hosts_power_cut
uefi_boot here $xl_dir/boot.fd --wait 40
uefi_command here "setvar LabVar -guid $UEFI_GUID"
check "on host1 the guest has the variable" grep -q '55 44 33 22 11 00 00 00' /tmp/here.out
uefi_destroy here
check "the file is sound" pflashctl check $xl_dir/boot.fd
lab_done
