# SPDX-License-Identifier: BSD-2-Clause
# about: Linux's MTD driver on chips of other widths, blocks and regions
# needs: build/pflashd build/pflashctl mtd vmlinux
# needs: tests/lab/mtd/guest-init tests/lab/mtd/mtd.sh
# slow: a boot of Linux for each geometry
# timeout: 3000
. /lab/lib.sh
. /lab/mtd.sh

# geometry NAME TESTS: boots a guest with the chip of mtd_geometry
geometry() {
    mtd_vars /tmp/vars.fd
    mtd_boot "$1" /tmp/vars.fd "detect,$2"
    mtd_peer
}

mtd_geometry "1 x8 in 8 bits, 4 KiB blocks" 0x40000 1 1 4K 0x1000 0x1000
geometry one8 raw,lock,copy,both

mtd_geometry "2 x16 in 32 bits, 128 KiB blocks" 0x200000 4 2 128K 0x20000 0x20000
geometry two16 raw,lock

mtd_geometry "2 x8 in 16 bits, 256 KiB blocks" 0x100000 2 2 256K 0x40000 0x40000
geometry two8 raw,lock,copy,both

mtd_geometry "4 x8 in 32 bits, 64 KiB blocks" 0x100000 4 4 64K 0x10000 0x10000
geometry four8 raw,lock,copy

mtd_geometry "1 x16 in 16 bits, 16 blocks of 4 KiB, then of 64 KiB" 0x100000 \
    2 1 4Kx16,64K 0x10000 0x1000
geometry regions16 raw,copy

mtd_geometry "2 x16 in 32 bits, 64 KiB, then 256 KiB, then 4 KiB blocks" \
    0x100000 4 2 64Kx4,256Kx2,4K 0x40000 0x10000
geometry regions32 copy,both

mtd_geometry "2 x16 in 32 bits, 64 KiB blocks, trapped reads" 0x100000 4 2 64K \
    0x10000 0x10000 trap
geometry trapped raw,lock,copy
lab_done
