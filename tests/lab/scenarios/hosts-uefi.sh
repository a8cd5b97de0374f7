# SPDX-License-Identifier: BSD-2-Clause
# about: two Xen hosts that share VARS by NFS: host2 loses its power in the middle of a UEFI boot; host1 boots the guest, with every variable that the firmware was told
# needs: firmware net block build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh tests/lab/xl.sh tests/lab/hosts.sh
# needs: tests/lab/uefi.sh tests/lab/store.sh
# modules: sunrpc auth_rpcgss grace lockd nfs_acl nfsd netfs fscache nfs dns_resolver nfsv4
# programs: rpc.nfsd rpc.mountd exportfs nfsdcld
# hosts: 2
# slow: two machines
# timeout: 900
. /lab/lib.sh
. /lab/xl.sh
. /lab/hosts.sh
. /lab/store.sh
. /lab/uefi.sh

vars=$xl_dir/one.fd

# told_start: host2 writes down, again and again, the image after the last burst
# that pflashd had answered: told.N has it, told.N.point its number
told_start() {
    on_host2 "n=0; { while [ ! -e /tmp/stop ]; do \
bursts=\$(lab_field one bursts); n=\$((n + 1)); \
point=\$(pflashctl log --bursts $vars | sed -n 's/^\([0-9][0-9]*\) .*/\1/p' | sed -n \"\$((bursts + 1))p\"); \
[ -n \"\$point\" ] && pflashctl export --at \$point $vars $xl_dir/told.new && \
echo \$point >$xl_dir/told.\$n.point && mv $xl_dir/told.new $xl_dir/told.\$n; \
done; } </dev/null >/tmp/told.log 2>&1 3>&- & true"
}

# told_last: the newest of these images; sets told_image and told_point
told_last() {
    told_image=$(ls -t $xl_dir/told.* | grep -v -e new -e point | head -n 1)
    told_point=$(cat "$told_image.point")
}

# same_variables IMAGE IMAGE
same_variables() {
    pflashctl diff "$1" "$2" >/tmp/diff && ! grep -qv '^[0-9]* bytes differ$' /tmp/diff
}

count_variables() {
    pflashctl vars list "$1" | wc -l
}

# holds_told: VARS has the variables that the firmware was told to be set: it is at
# that point or a later one, or lacks bursts that have changed no variable
holds_told() {
    holds_point=$(store_points $vars | tail -n 1)
    pflashctl export $vars /tmp/now.fd || return
    [ "${holds_point:-1}" -ge "$told_point" ] || same_variables "$told_image" /tmp/now.fd
}

# cut_at BURSTS: a new store; host2 boots the firmware, and loses its power after
# that many bursts; host1 boots it to the end
cut_at() {
    rm -f $vars* $xl_dir/told.*
    hosts_start
    on_host2 'lab_require; xl_setup; hosts_mount' || lab_die "host2 cannot mount: $hosts_said"
    on_host2 "lab_create one 'kernel = \"/lab/OVMF_XEN.fd\"' 'memory = 256' && \
lab_flash one $vars --base 0xffe00000 --layout 2m --history 64M --code /lab/OVMF_XEN.fd" ||
        lab_die "no guest on host2: $hosts_said"
    told_start
    lab_step "host2: the firmware boots"
    cut_start=$(lab_now)
    on_host2 'xl unpause one'
    cut_seen=0
    while [ "${cut_seen:-0}" -lt "$1" ]; do
        cut_seen=$(on_host2 'lab_field one bursts')
    done
    hosts_power_cut
    note "host2 lost its power $(lab_since "$cut_start") s after the start, after $cut_seen bursts"
    told_last
    lab_step "host1 takes the file"
    lab_create one 'kernel = "/lab/OVMF_XEN.fd"' 'memory = 256' || lab_die "no guest"
    lab_flash one $vars --base 0xffe00000 --history 64M --code /lab/OVMF_XEN.fd --wait 40 ||
        lab_die "pflashd did not attach"
    check "$1: host1 has the variables that host2's firmware was told" holds_told
    cut_found=$(count_variables /tmp/now.fd)
    note "told: point $told_point, $(count_variables "$told_image") variables; found: point $holds_point, $cut_found variables"
    uefi_shell one
    check "$1: the firmware had not ended its work: $cut_found variables, and $(count_variables $vars) in the end" \
        test "$cut_found" -lt "$(count_variables $vars)"
    uefi_command one "setvar LabVar -guid $UEFI_GUID -bs -nv =0x1122334455"
    uefi_destroy one
    check "$1: the file is sound" pflashctl check $vars
    check "$1: it has the variable that the shell set" sh -c "pflashctl vars list $vars | grep -q LabVar"
}

lab_require
xl_setup
hosts_serve
hosts_mount || lab_die "host1 cannot mount"
cut_at 12
cut_at 35
lab_done
