# SPDX-License-Identifier: BSD-2-Clause
# about: Linux on PVH: efibootmgr and efivar write, the guest is destroyed, created, rebooted, and boots what it was told to
# needs: block firmware linux efilinux build/pflashd build/pflashctl
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh
# needs: tools/lab/linux/linux.sh tools/lab/linux/guest-init
# modules: fat vfat nls_cp437 nls_ascii
# programs: sfdisk
# timeout: 1500
. /lab/lib.sh
. /lab/linux.sh

linux_prepare
echo 'code = /lab/OVMF_XEN.fd' >>/etc/xen/pflash/default.conf
linux_create lab_create 'kernel = "/lab/OVMF_XEN.fd"'
linux_up install
linux_pull

linux_create lab_create 'kernel = "/lab/OVMF_XEN.fd"'
linux_up A
linux_end A
linux_found
linux_up B
linux_end B
check "B: its end is the end of the guest" lab_wait 60 lab_gone linux
check "B: pflashd leaves with it" lab_wait 20 linux_no_pflashd
linux_export linux
pflashctl check $LINUX_VARS
pflashctl log --last 20 $LINUX_VARS
lab_done
