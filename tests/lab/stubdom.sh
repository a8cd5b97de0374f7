# SPDX-License-Identifier: BSD-2-Clause
# HVM guests whose QEMU is in a stub domain, a PV domain with Linux. Its initramfs is
# made in dom0, of dom0's files. Sourced after xl.sh by hvm-stubdom, which needs: hvm
# stubdom vmlinux.

# No self-checks and no hardening in its kernel: they are slow here.
STUB_WORDS="console=hvc0 quiet loglevel=1 panic=1 rodata=off mitigations=off \
noreplace-smp cryptomgr.notests"

# stub_ramdisk: makes the stub domain's initramfs
stub_ramdisk() {
    mkdir /tmp/overlay
    cp /lab/stubdom-init /tmp/overlay/init
    cp /lab/modules/xen-blkfront.ko /tmp/overlay/
    chmod 755 /tmp/overlay/init
    {
        (cd / && find bin lib lib64 sbin usr etc var -xdev | cpio -o -H newc)
        (cd /tmp/overlay && find . | cpio -o -H newc)
    } >/tmp/stubdom.cpio 2>/dev/null
}

# stub_config NAME WORDS [LINE...]: like xl_config, for a guest with a stub domain
stub_config() {
    stub_name=$1 stub_guest=$2
    shift 2
    xl_config "$stub_name" hvm "$stub_guest" \
        'device_model_version = "qemu-xen"' 'device_model_stubdomain_override = 1' \
        'stubdomain_kernel = "/lab/vmlinux"' 'stubdomain_memory = 320' \
        'stubdomain_ramdisk = "/tmp/stubdom.cpio"' \
        "stubdomain_cmdline = \"$STUB_WORDS\"" 'on_reboot = "destroy"' "$@"
}

# stub_left: what guests have left, their stub domains and their helpers included
stub_left() {
    xl_left
    pidof vchan-socket-proxy
}
