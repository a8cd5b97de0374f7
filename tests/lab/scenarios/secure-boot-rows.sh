# SPDX-License-Identifier: BSD-2-Clause
# about: each attack on the variables of Secure Boot, with the next boot: refused with pins; without pins it succeeds
# needs: block firmware-secure-boot build/pflashd build/pflashctl build/lab/guest.elf
# needs: build/lab/pending build/lab/secure-boot tests/lab/secureboot.sh
# needs: shimx64.efi /usr/share/OVMF/OVMF_VARS_4M.ms.fd
# modules: fat vfat nls_cp437 nls_ascii
# programs: sfdisk
# slow: twelve boots of the firmware
# timeout: 3000
. /lab/lib.sh
. /lab/secureboot.sh

vars=/tmp/vars.fd
microsoft=/tmp/microsoft.fd

# kept KIND: the attack, with pins
kept() {
    sb_attack "$1" $vars
    sb_clean "/tmp/$1.pinned"
    sb_boot "$1-kept" "/tmp/$1.pinned"
    sb_safe "$1-kept"
}

# lost KIND RESULTS SECURE: the attack without pins; RESULTS of the next boot, and
# the variable SecureBoot then
lost() {
    sb_control "$1" $vars
    sb_boot "$1-lost" "/tmp/$1.open" --pin off
    check_equal "$1 without pins: the programs that run" "$2" "$(sb_all "$1-lost")"
    check "$1 without pins: SecureBoot is $3" \
        lab_has "$1-lost" "\[entry [a-z-]* .* secure $3\]"
}

# shim NAME VARS [PFLASHD OPTION...]: the firmware starts shim, which starts the
# attacker's program or says why not
shim() {
    sb_start "$@"
    lab_expect "$1" $SB_TIMEOUT '\[entry try-attacker|Violation|Denied' ||
        sb_silent "$1"
    sb_stop "$1"
    lab_shown "$1" | LC_ALL=C tr -cd '\12\40-\176' | tr -s ' ' |
        grep -E 'entry|Violation|Denied' | cut -c 1-150 |
        while read -r lab_line; do note "$1 | $lab_line"; done
}

lab_require
# shellcheck disable=SC2046 # several words
sb_disk $(sb_programs) EFI/evil/shimx64.efi=/lab/shimx64.efi \
    EFI/evil/grubx64.efi=$SB_FILES/attacker.efi
sb_vars $vars
sb_boot first $vars
sb_safe first

for attack in db enable pk; do kept $attack; done
# These erase blocks, and with them variables that are not pinned: no guest starts
# with such a file until the host decides.
for attack in keys empty; do
    sb_attack $attack $vars
    check "$attack: the rest of the file needs the host" \
        sh -c "! pflashctl check /tmp/$attack.pinned >/tmp/check"
    note "$attack: $(grep '^error' /tmp/check | cut -c 1-150)"
done
lost db 'unsigned refused attacker runs owner runs ' 1
lost keys 'unsigned refused attacker runs owner refused ' 1
lost enable 'unsigned runs attacker runs owner runs ' 0
lost pk 'unsigned runs attacker runs owner runs ' 0
lost empty 'unsigned runs attacker nothing owner nothing ' 0

# The firmware takes minutes for a write of the whole store: no boot here.
sb_attack ftw $vars
sb_control ftw $vars
check "ftw without pins: the next boot would find the attacker's certificate" \
    sh -c 'pflashctl keys list /tmp/ftw.open | grep -q "lab attacker"'

# MokList: shim, which Microsoft has signed, starts GRUB by it.
pflashctl create --template /lab/OVMF_VARS_4M.ms.fd $microsoft ||
    lab_die "no file with the keys of Microsoft"
sb_entry $microsoft shim '\EFI\evil\shimx64.efi'
pflashctl boot order --only $microsoft lab-shim >/dev/null || lab_die "no order"
shim shim-first $microsoft
check "shim does not start the attacker's program" lab_has shim-first Violation
sb_attack mok $microsoft
sb_clean /tmp/mok.pinned
shim mok-kept /tmp/mok.pinned
check "mok: shim does not start the attacker's program" lab_has mok-kept Violation
sb_control mok $microsoft
shim mok-lost /tmp/mok.open --pin off
check "mok without pins: shim starts it, with SecureBoot = 1" \
    lab_has mok-lost '\[entry try-attacker .* secure 1\]'
lab_done
