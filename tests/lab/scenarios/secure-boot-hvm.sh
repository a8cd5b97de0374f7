# SPDX-License-Identifier: BSD-2-Clause
# about: an HVM guest with Debian's own firmware keeps its Secure Boot after the attack of a kernel; without pins it does not
# needs: hvm block /usr/share/ovmf/OVMF.fd /usr/share/OVMF/OVMF_VARS_4M.ms.fd build/pflashd build/pflashctl
# needs: build/lab/guest.elf build/lab/pending build/lab/secure-boot tests/lab/secureboot.sh
# modules: fat vfat nls_cp437 nls_ascii
# programs: sfdisk
# slow: the firmware probes every possible PCI device through QEMU: minutes for a boot
# timeout: 3000
. /lab/lib.sh
. /lab/secureboot.sh

vars=/tmp/vars.fd
SB_TYPE=hvm
SB_FIRMWARE=/lab/OVMF.fd
# Debian's OVMF.fd has 4 MiB since Debian 13.
if [ "$(wc -c <$SB_FIRMWARE)" = 2097152 ]; then
    SB_LAYOUT=2m SB_BASE=0xffe00000
fi

lab_require
# shellcheck disable=SC2046 # several words
sb_disk $(sb_programs)
pflashctl create --layout $SB_LAYOUT $vars &&
    pflashctl keys enroll --from /lab/OVMF_VARS_4M.ms.fd --db $SB_FILES/owner.pem \
        $vars >/dev/null || lab_die "no keys"
sb_entries $vars
check "its keys are pinned before it has run" pflashctl pins set $vars keys,mok
sb_attack db $vars
sb_boot kept /tmp/db.pinned
sb_safe kept
sb_control db $vars
sb_boot lost /tmp/db.open --pin off
check_equal "without pins the attacker's program runs" \
    'unsigned refused attacker runs owner runs ' "$(sb_all lost)"
lab_done
