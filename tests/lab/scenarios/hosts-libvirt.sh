# SPDX-License-Identifier: BSD-2-Clause
# about: virsh migrate between two Xen hosts with libvirtd, VARS on NFS: refused in direct mode; in the middle of a command; live, there and back
# needs: libvirt net build/lab/guest.elf build/pflashd build/pflashctl
# needs: build/pflash-libvirt integration/xl/vif-pflash integration/xl/pflash-common.sh
# needs: tests/lab/libvirt.sh tests/lab/xl.sh tests/lab/hosts.sh
# needs: firmware /usr/share/OVMF/OVMF_VARS.fd
# modules: sunrpc auth_rpcgss grace lockd nfs_acl nfsd netfs fscache nfs dns_resolver nfsv4
# programs: rpc.nfsd rpc.mountd exportfs nfsdcld
# hosts: 2
# slow: two machines
# timeout: 600
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh
. /lab/libvirt.sh

lv_vars=$xl_dir
lv_memory=32
there=xen+tcp://host2/system

# on_lv2 COMMAND...: on host2, with the functions of libvirt.sh
on_lv2() {
    on_host2 ". /lab/libvirt.sh; lv_vars=$xl_dir; $*"
}

hosts_start
lab_require
hosts_serve
hosts_mount || lab_die "host1 cannot mount"
on_host2 'lab_require; hosts_mount' || lab_die "host2 cannot mount: $hosts_said"
lab_step "libvirtd starts on both hosts"
on_lv2 'syslogd -O /tmp/syslog; lv_setup 2' >/tmp/setup.out &
job=$!
syslogd -O /tmp/syslog
lv_setup 1
wait $job || lab_die "no libvirtd on host2: $(tail -n 3 /tmp/setup.out)"
v -c $there version || lab_die "host1 does not reach host2's libvirtd: $(cat $LV_OUT)"

# migrate FROM NAME TO [OPTION...]
migrate() {
    migrate_from=$1 migrate_name=$2 migrate_to=$3
    shift 3
    lab_step "virsh migrates $migrate_name to $migrate_to"
    migrate_start=$(lab_now)
    v -c "$migrate_from" migrate --live "$@" "$migrate_name" "$migrate_to"
    note "$migrate_name to $migrate_to: status $lv_status after" \
        "$(lab_since "$migrate_start") s $(tail -n 1 $LV_OUT)"
}

# --- in the middle of a command, without an interface ---

lv_guest held 'test=middle at=buffer seed=4 control=xenstore' ''
lv_starts held
check "it waits in a command of the chip" lab_expect held 40 '^# waits'
check "pflashctl changes the mode to trap" pflashctl mode held trap
migrate $lv_uri held $there
check_equal "virsh migrates it in the middle of a command" 0 $lv_status
[ $lv_status -eq 0 ] || { on_host2 'tail -n 20 /var/log/libvirt/libvirtd.log; cat /tmp/syslog' | cut -c1-250 && lv_die "not migrated"; }
check "host1 has no domain and no pflashd" lab_wait 30 lv_nothing
check_equal "host2's pflashd serves it" running "$(on_host2 'lab_field held state')"
on_host2 'lab_type held go'
check "on host2 it found the chip unchanged" lab_wait 60 on_host2 "lab_has held '^# middle ok'"
check "on host2 it is off" lab_wait 60 on_host2 'lab_gone held'
check_equal "host1 sees what it wrote" "$(xl_wanted 4)" "$(xl_bytes held)"

# --- in direct mode ---

# goes_on TEXT on_host2|eval: the guest writes on that host, and has found no error
goes_on() {
    $2 'lab_mark move'
    check "$1: it writes" lab_wait 60 "$2" "lab_has move '^# round'"
    check "$1: it has found no error" "$2" '! grep -q "^# failed" $(lab_log move)'
}

lv_guest move 'test=steady seed=7 control=xenstore'
lv_starts move
goes_on created eval
check_equal "direct: the mode" direct "$(lab_field move mode)"
migrate $lv_uri move $there
check "direct: virsh does not migrate it" lv_refused 'Failed to send migration data'
check "direct: the reason is in libxl's log" grep -q \
    'Failed to enable logdirty' /var/log/libvirt/libxl/libxl-driver.log
check "direct: host2 has nothing of it" lab_wait 60 on_lv2 lv_nothing
goes_on direct eval

# --- live, there and back ---

pflashctl mode move trap
migrate $lv_uri move $there --persistent
check_equal "trap: virsh migrates it" 0 $lv_status
check "trap: host1 has no domain and no pflashd" lab_wait 30 lv_nothing
goes_on "on host2" on_host2
check_equal "on host2 its reads are direct again" direct "$(on_host2 'lab_field move mode')"
v start move
check "host1 cannot start it" lv_refused 'in use by a process on the host host2'
goes_on "on host2, refused start" on_host2
on_host2 'pflashctl mode move trap'
migrate $there move $lv_uri --undefinesource
check_equal "back: virsh migrates it" 0 $lv_status
check "back: host2 has no domain and no pflashd" lab_wait 30 on_lv2 lv_nothing
check_equal "back: host2's libvirt does not know it" 1 "$(v -c $there dominfo move >/dev/null; echo $lv_status)"
goes_on "back" eval
lab_type move go
check "it ends" lab_wait 60 lv_off move
rounds=$(lab_shown move | sed -n 's/^# steady ok after //p')
note "$rounds rounds"
check_equal "its data are there" "$(xl_wanted $((7 + rounds)))" "$(xl_bytes move)"
check "the file is sound" pflashctl check $xl_dir/move.fd
check_equal "nothing is left" "" "$(lv_left)"
lv_export
lab_done
