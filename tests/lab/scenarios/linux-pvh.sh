# SPDX-License-Identifier: BSD-2-Clause
# about: Linux on PVH: efibootmgr and efivar write; the guest is destroyed, created, rebooted, and boots the selected entries
# needs: block firmware linux efilinux build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh
# needs: tests/lab/linux/linux.sh tests/lab/linux/guest-init
# modules: fat vfat nls_cp437 nls_ascii
# programs: sfdisk
# slow: Linux is booted five times: eight minutes on a quiet host
# timeout: 3000
. /lab/lib.sh
. /lab/linux.sh

linux_prepare
linux_install lab_create 'kernel = "/lab/OVMF_XEN.fd"'
linux_boots lab_create 'kernel = "/lab/OVMF_XEN.fd"'
linux_file
lab_done
