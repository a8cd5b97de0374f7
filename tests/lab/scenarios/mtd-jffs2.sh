# SPDX-License-Identifier: BSD-2-Clause
# about: a JFFS2 outlives its Linux guest, which is destroyed without unmounting
# needs: build/pflashd build/pflashctl mtd vmlinux
# needs: tests/lab/mtd/guest-init tests/lab/mtd/mtd.sh
# slow: two boots of Linux, and a file system on a chip written word by word
# timeout: 3000
. /lab/lib.sh
. /lab/mtd.sh

mtd_geometry "2 x16 in 32 bits, 64 KiB blocks" 0x200000 4 2 64K 0x10000 0x10000
mtd_vars /tmp/vars.fd
mtd_boot written /tmp/vars.fd detect,jffs2_write
mtd_boot again /tmp/vars.fd detect,jffs2_check /tmp/written.sums
mtd_peer
lab_done
