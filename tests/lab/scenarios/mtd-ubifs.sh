# SPDX-License-Identifier: BSD-2-Clause
# about: a UBIFS outlives its Linux guest, which is destroyed without unmounting
# needs: build/pflashd build/pflashctl mtd vmlinux
# needs: tests/lab/mtd/guest-init tests/lab/mtd/mtd.sh
# slow: two boots of Linux, and a file system on a chip written word by word
# timeout: 3000
. /lab/lib.sh
. /lab/mtd.sh

# ubiformat writes two whole blocks, UBI and UBIFS write more: the blocks have the
# minimum size for UBIFS.
mtd_geometry "2 x16 in 32 bits, 16 KiB blocks" 0x100000 4 2 16K 0x4000 0x4000
mtd_vars /tmp/vars.fd
mtd_boot written /tmp/vars.fd detect,ubifs_write
mtd_boot again /tmp/vars.fd detect,ubifs_check /tmp/written.sums
mtd_peer
lab_done
