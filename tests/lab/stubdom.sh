# SPDX-License-Identifier: BSD-2-Clause
# HVM guests with their QEMU in a stub domain, which is Linux. Its initramfs is made
# in dom0, of dom0's files. Sourced by hvm-stubdom, which needs: hvm stubdom vmlinux.

# No self-checks and no hardening in its kernel: they are slow here.
STUB_WORDS='console=hvc0 quiet loglevel=3 panic=1 rodata=off mitigations=off
    noreplace-smp cryptomgr.notests'

# stub_ramdisk: makes the stub domain's initramfs
stub_ramdisk() {
    rm -rf /tmp/overlay
    mkdir -p /tmp/overlay
    cp /lab/stubdom-init /tmp/overlay/init
    cp /lab/modules/xen-blkfront.ko /tmp/overlay/
    chmod 755 /tmp/overlay/init
    {
        (cd / && find bin lib lib64 sbin usr etc var -xdev | cpio -o -H newc)
        (cd /tmp/overlay && find . | cpio -o -H newc)
    } >/tmp/stubdom.cpio 2>/dev/null
}

# stub_lines: the lines of a guest's configuration
stub_lines() {
    printf 'device_model_version = "qemu-xen"\n'
    printf 'device_model_stubdomain_override = 1\n'
    printf 'stubdomain_kernel = "/lab/vmlinux"\n'
    printf 'stubdomain_ramdisk = "/tmp/stubdom.cpio"\nstubdomain_memory = 320\n'
    # shellcheck disable=SC2086 # several words
    printf 'stubdomain_cmdline = "%s"\n' "$(echo $STUB_WORDS)"
}
