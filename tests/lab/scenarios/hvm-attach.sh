# SPDX-License-Identifier: BSD-2-Clause
# about: the flash of an HVM guest, beside QEMU, replaces hvmloader's memory, in both modes
# needs: hvm firmware build/pflashd build/pflashctl
# timeout: 500
. /lab/lib.sh

for mode in direct trap; do
    name=hvm-$mode
    lab_create_hvm $name 'bios_path_override = "/lab/OVMF_XEN.fd"' ||
        lab_die "no guest"
    lab_flash $name /tmp/$name.fd --layout 2m --mode $mode ||
        lab_die "no flash"
    check "$mode: pflashd waits until the firmware runs" \
        grep -q "$mode mode when the firmware starts" /tmp/$name.pflashd
    lab_start=$(lab_now)
    xl unpause $name
    check "$mode: the firmware asks for fw_cfg" lab_wait 150 \
        grep -q "the firmware has started; $mode mode\$" /tmp/$name.pflashd
    note "$mode: after $(lab_since "$lab_start") s"
    # OVMF's driver writes 0x50 and 0x70, and expects a status.
    check "$mode: the firmware finds a flash there" lab_wait 100 sh -c \
        "pflashctl status $name | awk '/^writes:/ { exit \$2 < 4 }'"
    xl destroy $name
    check "$mode: pflashd leaves with the guest" lab_flash_end $name
    note "$mode: $(grep -o 'answered .*' /tmp/$name.pflashd)"
done
check "direct: no read was trapped" \
    grep -q 'requests: 0 reads' /tmp/hvm-direct.pflashd
check "no domain is left" lab_wait 60 sh -c 'test "$(xl list | wc -l)" = 2'
check "no QEMU is left" lab_wait 60 sh -c '! pidof xen-qemu-system-i386'
lab_done
