# SPDX-License-Identifier: BSD-2-Clause
# about: the scripts of two disks and two network interfaces of a guest, which libxl runs at once, start one pflashd; with
# about: systemd and without
# needs: block net systemd build/lab/guest.elf build/pflashd build/pflashctl integration/xl/block-pflash integration/xl/vif-pflash
# needs: integration/xl/pflash-common.sh integration/systemd/pflashd@.service
# timeout: 400
. /lab/lib.sh

conf=/etc/xen/pflash
mkdir -p /var/lib/pflash
lab_install_script
cp /lab/vif-pflash /etc/xen/scripts/
chmod +x /etc/xen/scripts/vif-pflash
sed 's|@SBINDIR@|/lab|' /lab/pflashd@.service >/etc/systemd/system/pflashd@.service
systemctl daemon-reload || lab_die "systemd does not answer"
ip link add xenbr0 type bridge || lab_die "no bridge"
ip link set xenbr0 up
printf 'vars = /var/lib/pflash/%%n.fd\nlayout = 2m\n' >$conf/default.conf
truncate -s 1M /tmp/a.img /tmp/b.img

# devices_guest NAME: a paused guest with four devices, all with the scripts
devices_guest() {
    lab_create "$1" 'kernel = "/lab/guest.elf"' 'extra = "test=hole"' \
        'disk = [ "vdev=xvda, access=rw, script=block-pflash, target=/tmp/a.img",' \
        '"vdev=xvdb, access=rw, script=block-pflash, target=/tmp/b.img" ]' \
        'vif = [ "script=vif-pflash, bridge=xenbr0", "script=vif-pflash, bridge=xenbr0" ]' \
        >"/tmp/$1.out" 2>&1
}

none_runs() {
    ! pidof pflashd
}

# rounds HOW WANTED: guests in turn, each with four concurrent scripts. WANTED is the
# number of units for each: 1 with systemd.
rounds() {
    for round in 1 2 3; do
        devices_name=$1-$round
        devices_guest "$devices_name"
        check_equal "$devices_name: the guest is created" 0 $?
        check_equal "$devices_name: one pflashd" 1 "$(lab_supervisors | wc -w)"
        check "$devices_name: the flash is attached" sh -c "pflashctl list | grep -q ' $devices_name '"
        check_equal "$devices_name: units" "$2" \
            "$(systemctl list-units --no-legend --state=active 'pflashd@*' | wc -l)"
        check_equal "$devices_name: its disks and interfaces are connected" "2 2" \
            "$(ls -d /sys/bus/xen-backend/devices/vbd-* | wc -l) $(ls -d /sys/class/net/xenbr0/brif/vif* | wc -l)"
        [ -s "/tmp/$devices_name.out" ] && note "$(head -n 3 "/tmp/$devices_name.out")"
        xl destroy "$devices_name"
        check "$devices_name: pflashd leaves" lab_wait 60 none_runs
    done
}

rounds unit 1
export PFLASH_NO_SYSTEMD=1
rounds plain 0
check_equal "no lock is left" "" "$(ls /run/pflashd-*.lock 2>/dev/null)"
lab_done
