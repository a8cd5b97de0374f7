# SPDX-License-Identifier: BSD-2-Clause
# A guest that boots Linux by UEFI firmware from its own disk; the script of that
# disk starts its flash. Sourced by the linux-* scenarios; guest-init runs in the
# guest.

LINUX_VARS=/var/lib/pflash/linux.fd
LINUX_DISK=/tmp/disk.img
LINUX_TIMEOUT=900
# No self-checks and no hardening in the guest's kernel: they are slow here.
LINUX_WORDS='initrd=\EFI\lab\initrd.cpio initrd=\EFI\lab\init.cpio
    console=hvc0 quiet loglevel=1 panic=1 rodata=off mitigations=off
    noreplace-smp cryptomgr.notests'

# Linux uses its PV console, even if there is a serial port.
lab_log() {
    echo "/var/log/xen/console/guest-$1.log"
}

# linux_prepare: makes the guest's disk and installs the scripts for xl
linux_prepare() {
    lab_require
    lab_install_script
    mkdir -p "${LINUX_VARS%/*}"
    linux_conf
    linux_disk
}

# linux_conf [LINE...]: writes the flash configuration of later guests
linux_conf() {
    printf '%s\n' "vars = $LINUX_VARS" 'layout = 2m' "$@" \
        >/etc/xen/pflash/default.conf
}

# linux_disk: one EFI system partition, with the kernel, its initramfs, this
# tree's init, and the script that the UEFI shell runs without a boot entry
linux_disk() {
    truncate -s 64M $LINUX_DISK
    printf 'label: gpt\nstart=1MiB, size=60MiB, type=U\n' |
        sfdisk -q $LINUX_DISK || lab_die "no partition"
    linux_loop=$(losetup -f)
    losetup -o 1048576 "$linux_loop" $LINUX_DISK || lab_die "no loop device"
    mkdosfs "$linux_loop" 61440 || lab_die "no file system"
    mount -t vfat "$linux_loop" /mnt || lab_die "it is not mounted"
    mkdir -p /mnt/EFI/lab
    cp /lab/vmlinuz /mnt/EFI/lab/vmlinuz.efi
    cp /lab/initrd.cpio /mnt/EFI/lab/initrd.cpio
    cp /lab/guest-init /tmp/init
    chmod 755 /tmp/init
    (cd /tmp && echo init | cpio -o -H newc) >/mnt/EFI/lab/init.cpio
    # shellcheck disable=SC2086 # several words
    echo 'fs0:\EFI\lab\vmlinuz.efi' $LINUX_WORDS lab_entry=install \
        >/mnt/startup.nsh
    umount /mnt && losetup -d "$linux_loop" || lab_die "it is still in use"
}

# linux_create COMMAND [LINE...]: creates the guest by lab_create or
# lab_create_hvm, and starts it
linux_create() {
    linux_command=$1
    shift
    lab_mark linux 2>/dev/null || echo 0 >/tmp/linux.mark
    linux_start=$(lab_now)
    "$linux_command" linux 'memory = 384' 'on_reboot = "restart"' \
        "disk = [ \"format=raw, vdev=xvda, access=rw, \
script=block-pflash, target=$LINUX_DISK\" ]" "$@" ||
        lab_die "no guest"
    xl unpause linux
}

# linux_expect PATTERN: waits for a line of the guest. It polls less often than
# lab_expect(): polling takes processor time from pflashd.
linux_expect() {
    linux_until=$(($(date +%s) + LINUX_TIMEOUT))
    until lab_has linux "^linux: $1"; do
        [ "$(date +%s)" -lt "$linux_until" ] || linux_silent "$1"
        sleep 1
    done
}

# linux_silent PATTERN: the time limit is over; logs the guest's state, which tells
# a slow guest from a dead one
linux_silent() {
    xl list
    for lab_n in 1 2 3; do
        xen-hvmctx "$(lab_domid linux)" | grep -m 1 rip
        sleep 1
    done
    pflashctl status linux
    lab_shown linux | tail -n 20
    linux_export failed
    lab_die "the guest does not say '$1'"
}

# linux_up ENTRY: waits until Linux has booted through that entry
linux_up() {
    linux_expect "# $1: Linux"
    note "$1: Linux is up $(lab_since "$linux_start") s after its guest"
    linux_status "$1: when Linux is up"
}

# linux_status TEXT: notes the flash's counters of this boot
linux_status() {
    pflashctl status linux >/tmp/linux.status
    note "$1: $(awk '/^(requests|reads|writes):/ { printf "%s %s ", $1, $2 }' \
        /tmp/linux.status)"
}

# linux_end ENTRY: waits for the end of the boot, and lets the guest end
linux_end() {
    linux_expect 'end'
    linux_status "$1: at the end"
    check "$1: no read was trapped" grep -q '^reads: *0$' /tmp/linux.status
    linux_collect
    linux_start=$(lab_now)
    linux_domain=/local/domain/$(lab_domid linux)
    echo >"$(xenstore-read "$linux_domain/console/tty")"
}

# linux_collect: copies the guest's results since the mark to the report
linux_collect() {
    lab_shown linux | sed -n 's/^linux: //p' >/tmp/linux.said
    while read -r lab_line; do
        case $lab_line in
            "ok - "* | "not ok - "* | "# "*) lab_send "$lab_line" ;;
        esac
    done </tmp/linux.said
    lab_mark linux
}

linux_export() {
    lab_export "$(lab_log linux)" "$1.console"
    [ ! -e /tmp/linux.serial ] || lab_export /tmp/linux.serial "$1.serial"
    cat /var/log/xen/xl-linux.log
}

# linux_count: the last number whose write the guest has reported
linux_count() {
    lab_shown linux | sed -n 's/^linux: count //p' | tail -n 1
}

linux_no_pflashd() {
    ! pidof pflashd
}

# linux_pull: destroys the guest while it writes
linux_pull() {
    linux_expect 'count 20'
    linux_status "install: at the end"
    check "install: no read was trapped" grep -q '^reads: *0$' \
        /tmp/linux.status
    xl destroy linux
    linux_written=$(linux_count)
    linux_collect
    check "install: pflashd leaves with the guest" \
        lab_wait 20 linux_no_pflashd
}

# linux_found: the variable has the last number shown or the next one, whose line
# was lost
linux_found() {
    linux_number=$(sed -n 's/^found //p' /tmp/linux.said)
    case $((linux_number - linux_written)) in
        0 | 1) ok "A: the last number before xl destroy is there" ;;
        *) not_ok "A: wrote $linux_written, found '$linux_number'" ;;
    esac
    note "A: destroyed at $linux_written, found $linux_number"
}

# linux_install COMMAND [LINE...]: destroys a guest while it writes
linux_install() {
    linux_create "$@"
    linux_up install
    linux_pull
}

# linux_boots COMMAND [LINE...]: creates the guest again; it boots A once, reboots
# by itself, and boots B
linux_boots() {
    linux_create "$@"
    linux_up A
    linux_end A
    linux_found
    linux_up B
    linux_end B
    check "B: the guest ends" lab_wait 60 lab_gone linux
    check "B: pflashd leaves with it" lab_wait 20 linux_no_pflashd
    linux_export linux
}

# linux_file: checks the VARS file at the end
linux_file() {
    check "the file is sound" sh -c \
        "pflashctl check $LINUX_VARS | grep -q '^journal: 0 bursts'"
    pflashctl log $LINUX_VARS >/tmp/linux.log
    check "the history names Linux's variables" grep -q Many7 /tmp/linux.log
    check "the history names the deleted variable" grep -q -- '- .*Removed' /tmp/linux.log
    lab_export /tmp/linux.log log
}
