# SPDX-License-Identifier: BSD-2-Clause
# about: a soft reset of an HVM guest: the same domain, a new QEMU, a new pflashd with the same file
# needs: hvm net build/lab/guest.rom build/pflashd build/pflashctl
# needs: integration/xl/vif-pflash integration/xl/pflash-common.sh tests/lab/xl.sh
# slow: two starts of QEMU
# timeout: 600
. /lab/lib.sh
. /lab/xl.sh

mkdir -p /etc/xen/pflash $xl_dir
cp /lab/vif-pflash /lab/pflash-common.sh /etc/xen/scripts/
chmod +x /etc/xen/scripts/vif-pflash
printf 'vars = %s/%%n.fd\nlayout = 2m\n' $xl_dir >/etc/xen/pflash/default.conf
ip link add xenbr0 type bridge || lab_die "no bridge"
ip link set xenbr0 up

# A network interface starts the flash: libxl does not release a disk that no driver
# in the guest has used.
xl_flash() {
    echo 'vif = [ "type=vif, script=vif-pflash, bridge=xenbr0" ]'
}

xl_config soft hvm "test=middle at=rest seed=3 end=soft-reset" \
    'on_soft_reset = "soft-reset"'
xl_create soft || lab_die "not created: $(cat /tmp/soft.out)"
xl_waits soft 100 || lab_die "it does not reach its command"
domain=$(lab_domid soft) pid=$(lab_supervisors)
check "the guest has a flash" test -n "$pid"
lab_type soft go

another() {
    lab_now_pid=$(lab_supervisors)
    test -n "$lab_now_pid" && test "$lab_now_pid" != "$pid" &&
        pflashctl status soft
}

check "another pflashd serves the guest" lab_wait 120 another
cat /var/log/xen/xl-soft.log
check_equal "the domain is the same" "$domain" "$(lab_domid soft)"
check_equal "there is one pflashd" 1 "$(lab_supervisors | wc -w)"
xl list
xl destroy soft
check "nothing is left" lab_wait 60 sh -c \
    '! pidof pflashd xen-qemu-system-i386 && test "$(xl list | wc -l)" = 2'
check "the file has the guest's bytes" sh -c \
    "pflashctl log --bursts $xl_dir/soft.fd | grep -q programmed"
lab_done
