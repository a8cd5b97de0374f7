# SPDX-License-Identifier: BSD-2-Clause
# about: a PVH guest boots the entries that pflashctl boot made before its first start: BootNext once, then in order
# needs: block firmware build/pflashd build/pflashctl build/lab/boot.disk
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh
# timeout: 900
. /lab/lib.sh

vars=/var/lib/pflash/guest.fd
disk=/tmp/boot.disk

lab_require
lab_install_script
mkdir -p /var/lib/pflash
echo "vars = $vars" >/etc/xen/pflash/default.conf
# The script drops what pflashd says if the flash is attached.
mkdir -p /usr/local/sbin
printf '#!/bin/sh\nexec %s "$@" 2>/tmp/said\n' "$(command -v pflashd)" >/tmp/wrapper
mv /tmp/wrapper /usr/local/sbin/pflashd
chmod +x /usr/local/sbin/pflashd
cp /lab/boot.disk $disk
check "a VARS file" pflashctl create --layout 2m $vars
check "an entry of the guest's disk" pflashctl boot add --label last --disk $disk \
    --file '\EFI\TEST\LAST.EFI' --data 'root=/dev/xvda1 quiet' --number 0100 $vars
check "an entry for once" pflashctl boot add --label once --last \
    --file '\EFI\TEST\TRY1.EFI' --number 0200 $vars
check "an entry without a program" pflashctl boot add --label absent \
    --file '\EFI\TEST\NOSUCH.EFI' --number 0300 $vars
check "it is next" pflashctl boot next $vars once
pflashctl boot list $vars | while read -r line; do note "$line"; done

lab_step "xl create, with the disk; the firmware starts for the first time"
lab_create guest 'kernel = "/lab/OVMF_XEN.fd"' 'memory = 256' \
    "disk = [ \"format=raw, vdev=xvda, access=rw, script=block-pflash, target=$disk\" ]" ||
    lab_die "no guest"
check "pflashd finds the firmware in the guest's memory" \
    grep -q "the code of the guest's firmware is at 0xfff" /tmp/said
sed 's/^/| /' /tmp/said | while read -r line; do note "$line"; done
lab_mark guest 2>/dev/null || echo 0 >/tmp/guest.mark
# The console is gone with the guest, but its log stays.
xl unpause guest
check "the entry of BootNext is booted first" \
    lab_expect guest 600 '\[entry try1 0200 ""\]'
check "then the entry of the disk, with its data" \
    lab_expect guest 240 '\[entry last 0100 "root=/dev/xvda1 quiet"\]'
check "the program ends the guest" lab_wait 120 lab_gone guest
check "pflashd leaves with it" lab_wait 60 sh -c '! pidof pflashd'
lab_export "$(lab_log guest)" guest.console
pflashctl boot list $vars >/tmp/after
check "the firmware keeps the order" grep -q '^BootOrder: 0300,0100,0200' /tmp/after
check_equal "BootNext is gone" '' "$(grep BootNext /tmp/after)"
check "the firmware has added its own entries" grep -q 'made by the firmware' /tmp/after
lab_done
