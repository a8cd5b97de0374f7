# SPDX-License-Identifier: BSD-2-Clause
# A driver domain: Linux as a PV guest with blkback and `xl devd`, which gives a disk
# of its own to other domains. Its initramfs is made in dom0, of dom0's files. Sourced
# by the driver-domain scenario, which needs: block vmlinux.

DRIVER_STORE=/tmp/driver.img
# No self-checks and no hardening in its kernel: they are slow here.
DRIVER_WORDS="console=hvc0 quiet loglevel=3 panic=1 rodata=off mitigations=off \
noreplace-smp cryptomgr.notests"

# driver_ramdisk: makes the driver domain's initramfs. With it come pflashd and the
# scripts, as on a domain where an administrator has installed the package.
driver_ramdisk() {
    rm -rf /tmp/overlay
    mkdir -p /tmp/overlay/bin /tmp/overlay/etc/xen/pflash
    cp /lab/driver-init /tmp/overlay/init
    cp /lab/pflashd /lab/pflashctl /tmp/overlay/bin/
    cp /lab/modules/xen-blkfront.ko /tmp/overlay/
    chmod 755 /tmp/overlay/init
    cp /etc/xen/pflash/* /tmp/overlay/etc/xen/pflash/
    {
        (cd / && find bin lib lib64 sbin usr var etc -xdev | cpio -o -H newc)
        (cd /tmp/overlay && find . | cpio -o -H newc)
    } >/tmp/driver.cpio 2>/dev/null
}

# driver_start: creates the domain and waits until it serves disks. Its own disk is
# dom0's, and outlives it.
driver_start() {
    [ -e $DRIVER_STORE ] || truncate -s 24M $DRIVER_STORE
    rm -f /var/log/xen/console/guest-driver.log
    lab_create driver 'type = "pv"' 'kernel = "/lab/vmlinux"' \
        'ramdisk = "/tmp/driver.cpio"' 'memory = 256' 'driver_domain = 1' \
        "extra = \"$DRIVER_WORDS\"" \
        "disk = [ \"vdev=xvda, access=rw, target=$DRIVER_STORE\" ]" || return
    xl unpause driver
    lab_expect driver 90 '^driver: ready'
}
