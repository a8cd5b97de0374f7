# SPDX-License-Identifier: BSD-2-Clause
# about: a guest's kernel erases and programs its flash to replace the keys: refused, and without pins it gets what it wants
# needs: build/pflashd build/pflashctl build/lab/guest.elf
# needs: build/lab/pending build/lab/secure-boot tests/lab/secureboot.sh
# timeout: 600
. /lab/lib.sh
. /lab/secureboot.sh

vars=/tmp/vars.fd

lab_require
sb_keys $vars
check "its keys are pinned before it has run" pflashctl pins set $vars keys,mok
for attack in keys empty ftw db enable pk mok; do
    sb_attack $attack $vars
    sb_control $attack $vars
done
lab_done
