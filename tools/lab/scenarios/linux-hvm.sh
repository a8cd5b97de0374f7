# SPDX-License-Identifier: BSD-2-Clause
# about: the same on HVM, beside QEMU; then the guest goes on as a PVH one
# needs: hvm block firmware linux efilinux build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh
# needs: tools/lab/linux/linux.sh tools/lab/linux/guest-init
# modules: fat vfat nls_cp437 nls_ascii
# programs: sfdisk
# slow: the firmware asks QEMU for every PCI device there could be, in each of three boots
# timeout: 5400
. /lab/lib.sh
. /lab/linux.sh

LINUX_TIMEOUT=1500
linux_prepare
linux_life lab_create_hvm 'bios_path_override = "/lab/OVMF_XEN.fd"'
linux_file

# B is what the file says, and it finds the disk where PVH has it.
linux_create lab_create 'kernel = "/lab/OVMF_XEN.fd"'
linux_up B
linux_off B
linux_export pvh
lab_done
