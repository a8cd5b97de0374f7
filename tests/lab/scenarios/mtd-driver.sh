# SPDX-License-Identifier: BSD-2-Clause
# about: Linux's MTD driver on one x16 part: finds, writes, erases, locks,
# about: suspends, and the VARS file holds the bytes that it read; then the same
# about: part with partitions, which the driver reads while it erases another
# needs: build/pflashd build/pflashctl mtd vmlinux
# needs: tests/lab/mtd/guest-init tests/lab/mtd/mtd.sh
# slow: Linux writes and reads for more than two minutes
# timeout: 900
. /lab/lib.sh
. /lab/mtd.sh

mtd_geometry "1 x16 in 16 bits, 64 KiB blocks" 0x100000 2 1 64K 0x10000 0x10000
mtd_vars /tmp/vars.fd
mtd_boot one16 /tmp/vars.fd detect,raw,lock,both
mtd_peer

mtd_geometry "1 x16 in 16 bits, 64 KiB blocks, partitions of 256 KiB" 0x100000 2 1 64K \
    0x10000 0x10000 direct 0x40000
mtd_vars /tmp/parts.fd
mtd_boot parts16 /tmp/parts.fd detect,raw,lock,copy,both
mtd_peer

lab_done
