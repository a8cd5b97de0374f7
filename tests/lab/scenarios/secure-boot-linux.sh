# SPDX-License-Identifier: BSD-2-Clause
# about: Debian's shim, GRUB and kernel start with the keys of Microsoft; Linux uses its variables, and no pin stops it
# needs: block firmware-secure-boot linux efilinux shimx64.efi grubx64.efi mokutil.cpio
# needs: build/pflashd build/pflashctl build/lab/secure-boot tests/lab/secureboot.sh
# needs: tests/lab/linux/linux.sh tests/lab/linux/secure-init /usr/share/OVMF/OVMF_VARS_4M.ms.fd
# needs: integration/xl/block-pflash integration/xl/pflash-common.sh
# modules: fat vfat nls_cp437 nls_ascii
# programs: sfdisk
# slow: two boots of Linux, and a thousand writes of a variable
# timeout: 3600
. /lab/lib.sh
. /lab/linux.sh
. /lab/secureboot.sh

LINUX_TIMEOUT=1500
vars=/tmp/vars.fd

# fill: writes a variable of 8000 bytes until some 60 KiB of the store are free, so
# that pflashd has deleted variables to remove when the guest starts
fill() {
    head -c 8000 /dev/urandom >/tmp/large
    n=0
    while [ $n -lt 21 ]; do
        pflashctl vars set --input /tmp/large $vars \
            12345678-1234-1234-1234-123456789abc:Large >/dev/null ||
            lab_die "the store cannot be filled"
        head -c 8000 /dev/urandom >/tmp/large
        n=$((n + 1))
    done
    pflashctl check $vars | grep '^variables' | while read -r line; do note "$line"; done
}

# ended: the guest has done all; reports how far it is
ended() {
    lab_shown linux >/tmp/linux.shown
    lab_progress "$(grep '^linux: count' /tmp/linux.shown | tail -n 1)"
    sleep 2
    grep -q '^linux: end' /tmp/linux.shown
}

# start: a boot of Linux
start() {
    sb_start linux $vars
    linux_expect '# Linux'
    note "Linux is up $(lab_since "$sb_since") s after its guest"
    lab_wait $LINUX_TIMEOUT ended || linux_silent end
    linux_collect
    sb_counts linux
    check_equal "no write was refused" 0 "$sb_refused"
    check_equal "no read was trapped" 0 "$(sed -n 's/^reads: //p' /tmp/sb.status)"
    lab_type linux go
    check "the guest ends" lab_wait 60 lab_gone linux
    check "pflashd leaves with it" lab_flash_end linux
    check_equal "the log has no refusal" '' "$(grep refused /tmp/linux.pflashd)"
    pflashctl check $vars | grep '^variables' | while read -r line; do note "$line"; done
}

lab_require
cp /lab/secure-init /tmp/init && chmod 755 /tmp/init
cp $SB_FILES/dbx-owner.auth $SB_FILES/dbx-attacker.auth /tmp
(cd /tmp && printf '%s\n' init dbx-owner.auth dbx-attacker.auth |
    cpio -o -H newc) >/tmp/init.cpio
cat >/tmp/grub.cfg <<'END'
set timeout=0
linux /EFI/lab/vmlinuz.efi console=hvc0 quiet loglevel=1 panic=1 mitigations=off noreplace-smp cryptomgr.notests
initrd /EFI/lab/initrd.cpio /EFI/lab/mokutil.cpio /EFI/lab/init.cpio
boot
END
sb_disk EFI/debian/shimx64.efi=/lab/shimx64.efi \
    EFI/debian/grubx64.efi=/lab/grubx64.efi EFI/debian/grub.cfg=/tmp/grub.cfg \
    EFI/lab/vmlinuz.efi=/lab/vmlinuz EFI/lab/initrd.cpio=/lab/initrd.cpio \
    EFI/lab/mokutil.cpio=/lab/mokutil.cpio EFI/lab/init.cpio=/tmp/init.cpio
pflashctl create --template /lab/OVMF_VARS_4M.ms.fd $vars &&
    pflashctl keys enroll --kek $SB_FILES/owner.pem $vars >/dev/null ||
    lab_die "no file with the keys of Microsoft"
sb_entry $vars shim '\EFI\debian\shimx64.efi'
pflashctl boot next $vars lab-shim >/dev/null
pflashctl boot order $vars lab-shim >/dev/null || lab_die "no order"
fill
start
check "pflashd has made room at the start" grep -q 'compacted: ' /tmp/linux.pflashd
# The next start takes over what a guest may do by itself.
check_equal "the guest has changed two pinned variables, as it may" \
    'SbatLevel new, dbx other, ' "$(pflashctl pins list $vars |
        awk 'NR > 1 && $2 != "same" { sub(".*:", "", $1); print $1, $2 }' |
        LC_ALL=C sort | tr '\n' ',' | sed 's/,/, /g')"
start
sb_intact "after the second boot" $vars
lab_export "$(lab_log linux)" linux.console
check "the store is compacted" pflashctl compact $vars
sb_intact "after that" $vars
check "the file is sound" pflashctl check $vars
lab_done
