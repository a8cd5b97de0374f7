# SPDX-License-Identifier: BSD-2-Clause
# about: a guest's kernel cannot make its Secure Boot accept another program; without pins it can
# needs: block firmware-secure-boot build/pflashd build/pflashctl build/lab/guest.elf
# needs: build/lab/pending build/lab/secure-boot tests/lab/secureboot.sh
# modules: fat vfat nls_cp437 nls_ascii
# programs: sfdisk
# slow: it needs a firmware that ./setup does not build
# timeout: 900
. /lab/lib.sh
. /lab/secureboot.sh

vars=/tmp/vars.fd

lab_require
# shellcheck disable=SC2046 # several words
sb_disk $(sb_programs)
sb_vars $vars
sb_boot before $vars
sb_safe before

for attack in keys empty ftw; do
    sb_attack $attack $vars
done
# The others in one guest, on the file of the guest itself: its boot entries stay.
images=
for attack in db enable pk mok; do
    sb_want $attack $vars
    images="$images /tmp/$attack.want"
done
# shellcheck disable=SC2086 # several words
cat $images >/tmp/all.want
sb_kernel all $vars /tmp/all.want
check "all: each of the attacks is refused" test "$sb_refused" -ge 4
check_equal "all: the kernel gets nothing of what it wants" '' \
    "$(grep ' 0 bytes differ' /tmp/sb.said)"
sb_intact all $vars
sb_clean $vars
sb_boot after $vars
sb_safe after

# The control: the attack is a real one.
sb_control db $vars
sb_boot opened /tmp/db.open --pin off
check_equal "without pins the attacker's program runs" \
    'unsigned refused attacker runs owner runs ' "$(sb_all opened)"
check "opened: SecureBoot is 1 all the same" \
    lab_has opened '\[entry try-attacker .* secure 1\]'
lab_done
