# SPDX-License-Identifier: BSD-2-Clause
# about: a Linux guest created as PVH, then as HVM beside QEMU, with the same VARS file: boot entries and variables stay
# needs: hvm block firmware /usr/share/ovmf/OVMF.fd linux efilinux build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh
# needs: tests/lab/linux/linux.sh tests/lab/linux/guest-init
# modules: fat vfat nls_cp437 nls_ascii
# programs: sfdisk
# slow: the firmware probes every possible PCI device through QEMU, in both boots
# timeout: 5400
. /lab/lib.sh
. /lab/linux.sh

LINUX_TIMEOUT=1800
linux_prepare
linux_install lab_create 'kernel = "/lab/OVMF_XEN.fd"'
linux_conf
linux_boots lab_create_hvm 'bios_path_override = "/lab/OVMF.fd"'
linux_file
lab_done
