# SPDX-License-Identifier: BSD-2-Clause
# about: unmodified libvirt, with the AppArmor profiles of Debian's libvirtd and of pflashd enforced: starts, a refusal, an end, without a denial
# needs: libvirt net build/lab/guest.elf build/pflashd build/pflashctl
# needs: build/pflash-libvirt integration/xl/vif-pflash integration/xl/pflash-common.sh
# needs: tests/lab/libvirt.sh firmware /usr/share/OVMF/OVMF_VARS.fd
# needs: integration/apparmor /etc/apparmor.d/abi /etc/apparmor.d/abstractions /etc/apparmor.d/tunables
# programs: apparmor_parser
# slow: the profiles of pflashd are in the scenario apparmor, too
# timeout: 300
. /lab/lib.sh
. /lab/libvirt.sh

lab_require
[ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ] ||
    lab_die "dom0's kernel has no AppArmor"
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null

# In the lab /usr/sbin is a link; the profiles are for programs that the packages
# have installed.
rm /usr/sbin
mkdir -p /usr/sbin
mv /bin/libvirtd /lab/pflashd /lab/pflash-libvirt /usr/sbin/
mv /lab/pflashctl /bin/
export PATH="$PATH:/usr/sbin"
cp -r /lab/abi /lab/abstractions /lab/tunables /etc/apparmor.d/
# Debian's packages make an empty one.
mkdir -p /etc/apparmor.d/local
touch /etc/apparmor.d/local/usr.sbin.libvirtd
cp /lab/apparmor/pflashd /etc/apparmor.d/pflashd

# pflashd's profile lets it read firmware and templates here.
images=/usr/local/lib/xen-pflash
mkdir -p $images
cp /lab/guest.elf /lab/OVMF_XEN.fd /lab/OVMF_VARS.fd $images
lv_kernel=$images/guest.elf
lv_loader="<loader readonly='yes' type='pflash'>$images/OVMF_XEN.fd</loader>"
lv_nvram() {
    echo "<nvram template='$images/OVMF_VARS.fd'>$1</nvram>"
}
lv_install() {
    ln -s /usr/sbin/pflash-libvirt $lv_hooks/libxl.d/pflash
    cp /lab/vif-pflash /lab/pflash-common.sh /etc/xen/scripts/
    chmod +x /etc/xen/scripts/vif-pflash
}

# denials PATTERN: the lines of the kernel's log that match
denials() {
    dmesg | grep 'apparmor="DENIED"' | grep -E "$1"
}

# label PID: the profile of a process
label() {
    cat "/proc/$1/attr/current"
}

for profile in usr.sbin.libvirtd pflashd; do
    check "the profile $profile is loaded" apparmor_parser -K -r /etc/apparmor.d/$profile
done
lv_setup
check_equal "libvirtd is confined" 'libvirtd (enforce)' "$(label "$(cat /run/libvirtd.pid)")"

# by_virsh NAME DEVICES TEXT
by_virsh() {
    lv_guest "$1" 'test=steady seed=9 control=xenstore' "$2"
    v start "$1"
    check_equal "$3: the guest starts" 0 $lv_status
    check "$3: it writes" lab_expect "$1" 40 '^# round'
    for pid in $(pidof pflashd); do
        check_equal "$3: pflashd is confined" 'pflashd (enforce)' "$(label "$pid")"
    done
}

by_virsh one "$lv_bridge" "the script of an interface"
lv_guest thief test=hole '' $lv_vars/one.fd
v start thief
check "a guest with the same file is refused, and virsh says why" lv_refused 'in use by'
v destroy one
check "it is off" lab_wait 40 lv_off one
by_virsh two '' "no interface"
lv_guest lost test=hole '' /var/lib/xen/pflash/none/lost.fd
v start lost
check "a missing directory is refused, and virsh says why" lv_refused 'does not exist'
v destroy two
check "both are off" lab_wait 40 lv_off two
check_equal "nothing is left" "" "$(lv_left)"
check_equal "no denial of pflashd" "" "$(denials 'profile="pflashd"')"
check_equal "no denial about the hook" "" "$(denials pflash)"
note "other denials of libvirtd: $(denials . | wc -l)"
denials . >/tmp/denials
lab_export /tmp/denials denials.txt
lab_done
