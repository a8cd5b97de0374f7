# SPDX-License-Identifier: BSD-2-Clause
"""Parts of dom0 for scenarios that name them in `needs:`.

    hvm     Xen's QEMU and hvmloader, for HVM guests
    stubdom the program by which libxl speaks with a QEMU in a stub domain
    block   Debian's hotplug scripts for disks, with their programs
    net     the same for network interfaces, with a bridge
    systemd systemd and its journal
    dpkg    dpkg, programs that maintainer scripts use, and dpkg's database with
            the packages that dom0's files come from
    sanlock sanlock and its library, which pflashd loads by name
    libvirt libvirtd with its driver for Xen, virsh, and libvirt's data
    drbd    DRBD: the kernel's driver, its tools, and xl's script for disks on it

The files come from Debian packages, unpacked in the cache beside the packages of
the base.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile

from labkit import (database, kernel, packages, paths, releases, sysroot,
                    xensource)
from labkit.report import LabError

# Those from dmsetup on have the programs that scenarios name in `programs:`.
PACKAGES = ("qemu-system-xen", "qemu-system-data", "bash", "util-linux",
            "iproute2", "systemd", "dpkg", "tar", "coreutils", "libc-bin",
            "perl-base", "init-system-helpers", "libvirt-clients",
            "libvirt-daemon-driver-xen", "libvirt-daemon-system", "dmsetup",
            "e2fsprogs", "fdisk", "strace", "apparmor", "lvm2",
            "nfs-kernel-server", "sanlock", "libsanlock-client1",
            "drbd-utils", "lvm2-lockd", "open-iscsi", "sg3-utils", "nbd-server", "nbd-client")
QEMU = "usr/libexec/xen-qemu-system-i386"
KEYMAP = "usr/share/qemu/keymaps/en-us"   # needed even without a display
SCRIPTS = "etc/xen/scripts"
SYSTEMD = "lib/systemd"
LIBVIRT = "usr/lib/x86_64-linux-gnu/libvirt/connection-driver"
# {part: {path in dom0: file below one of roots(), or kernel:MODULE}}. The paths of
# QEMU and hvmloader are libxl's; dom0/init inserts all modules in lib/modules.
# %X is Xen's version.
# A directory is taken with everything below it.
PARTS = {
    "hvm": {name: name for name in (QEMU, KEYMAP,
                                    "usr/lib/xen-%X/boot/hvmloader")},
    "stubdom": {"usr/bin/vchan-socket-proxy":
                "usr/lib/xen-%X/bin/vchan-socket-proxy"},
    "block": {
        "bin/bash": "bin/bash",
        "bin/flock": "usr/bin/flock",   # which busybox lacks
        **{f"{SCRIPTS}/{name}": f"{SCRIPTS}/{name}" for name in (
            "block", "block-common.sh", "hotplugpath.sh", "locking.sh",
            "logging.sh", "xen-hotplug-common.sh", "xen-script-common.sh")},
        "lib/modules/loop.ko": "kernel:drivers/block/loop",
        "lib/modules/xen-blkback.ko":
            "kernel:drivers/block/xen-blkback/xen-blkback",
    },
    "net": {
        "bin/bash": "bin/bash",
        "bin/flock": "usr/bin/flock",
        "bin/ip": "bin/ip",
        **{f"{SCRIPTS}/{name}": f"{SCRIPTS}/{name}" for name in (
            "hotplugpath.sh", "locking.sh", "logging.sh", "vif-bridge",
            "vif-common.sh", "xen-hotplug-common.sh", "xen-network-common.sh",
            "xen-script-common.sh")},
        # Inserted in the order of their names: each depends on the one before.
        "lib/modules/net-1-llc.ko": "kernel:net/llc/llc",
        "lib/modules/net-2-stp.ko": "kernel:net/802/stp",
        "lib/modules/net-3-bridge.ko": "kernel:net/bridge/bridge",
        "lib/modules/net-4-xen-netback.ko":
            "kernel:drivers/net/xen-netback/xen-netback",
    },
    "systemd": {
        "bin/journalctl": "bin/journalctl",
        "bin/systemctl": "bin/systemctl",
        **{f"{SYSTEMD}/{name}": f"{SYSTEMD}/{name}" for name in (
            "systemd", "systemd-journald", "system/basic.target",
            "system/sockets.target", "system/sysinit.target",
            "system/systemd-journald.service",
            "system/systemd-journald.socket")},
    },
    "dpkg": {
        # The shell of maintainer scripts: busybox's would run its own applets,
        # dpkg and install among them, instead of the programs below.
        "bin/bash": "bin/bash",
        **{f"bin/{name}": f"usr/bin/{name}" for name in (
            "deb-systemd-helper", "deb-systemd-invoke", "dpkg", "dpkg-deb",
            "dpkg-query", "dpkg-split", "install", "perl", "tar")},
        **{f"bin/{name}": f"usr/sbin/{name}" for name in (
            "ldconfig", "start-stop-daemon")},
        "lib/x86_64-linux-gnu/perl-base": "usr/lib/x86_64-linux-gnu/perl-base",
        database.PLACE: database.PLACE,
    },
    "sanlock": {name: name for name in (
        "usr/sbin/sanlock",
        "usr/lib/x86_64-linux-gnu/libsanlock_client.so.1")},
    "libvirt": {name: name for name in (
        "usr/sbin/libvirtd", "usr/bin/virsh", f"{LIBVIRT}/libvirt_driver_libxl.so",
        "usr/share/libvirt/cpu_map",    # without which no capabilities
        "usr/share/libvirt/schemas",    # of virsh define --validate
        "etc/apparmor.d/usr.sbin.libvirtd")},
    "drbd": {
        # The programs look for each other at these paths.
        **{name: name for name in (
            "sbin/drbdadm", "sbin/drbdmeta", "sbin/drbdsetup",
            "lib/drbd/drbdadm-84", "lib/drbd/drbdsetup-84",
            f"{SCRIPTS}/block-drbd")},
        # Inserted in the order of their names.
        "lib/modules/drbd-0-crc32c.ko": "kernel:crypto/crc32c_generic",
        "lib/modules/drbd-1-libcrc32c.ko": "kernel:lib/libcrc32c",
        "lib/modules/drbd-2-lru_cache.ko": "kernel:lib/lru_cache",
        "lib/modules/drbd-3-drbd.ko": "kernel:drivers/block/drbd/drbd",
    },
}


def _directory():
    return paths.release_cache("parts")


def _root():
    """The unpacked packages; the name is a hash of their list."""
    inputs = " ".join([*PACKAGES, *database.FIELDS, database.OWNER])
    digest = hashlib.sha256(inputs.encode()).hexdigest()
    return os.path.join(_directory(), digest[:16])


def roots():
    """The directories in which files of dom0 are searched. Those of the base
    come first: a library that both have must be the base's."""
    return [*xensource.roots(), kernel.root(), _root()]


def _find(name):
    if name.startswith("kernel:"):
        return kernel.module(name.removeprefix("kernel:"))
    for root in roots():
        path = os.path.join(root, name)
        if os.path.exists(path):
            return path
    raise LabError(f"{name} is missing below {', '.join(roots())}; run "
                   "`tests/lab/lab build`")


def names(part):
    """The row of PARTS for the current release."""
    release, xen = releases.current(), releases.xen()
    found = {target.replace("%X", xen): name.replace("%X", xen)
             for target, name in PARTS[part].items()}
    if part == "systemd":
        found.update({f"{SYSTEMD}/{name}": f"{SYSTEMD}/{name}"
                      for name in release.systemd})
    return found


def files(part):
    """{path in dom0: file on the host} of one part, without its libraries."""
    found = {}
    for target, name in names(part).items():
        source = _find(name)
        if not os.path.isdir(source):
            found[target] = source
            continue
        for top, _dirs, inside in os.walk(source):
            below = os.path.join(target, os.path.relpath(top, source))
            found.update({os.path.normpath(os.path.join(below, name)):
                          os.path.join(top, name) for name in inside})
    return found


def program(name):
    """The program `name` of one of the packages, or None."""
    for root in roots():
        for directory in ("usr/bin", "usr/sbin"):
            path = os.path.join(root, directory, name)
            if os.path.exists(path):
                return path
    return None


def is_built():
    return os.path.exists(_root())


def build(progress, update=False):
    """Unpacks the packages unless they are there. Needs base.build()."""
    with open(paths.release_cache("lock"), "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        if update or not is_built():
            _build_locked(progress, update)
        progress.say(f"ready: {_root()}")


def _build_locked(progress, update):
    with tempfile.TemporaryDirectory(dir=paths.release_cache()) as work:
        os.chmod(work, 0o755)
        base = packages.resolve()[1]
        wanted = packages.with_libraries(
            [*PACKAGES, *sysroot.runtime_libraries()], base)
        progress.say(f"downloading {len(wanted)} packages for parts of dom0")
        debs = packages._download(wanted, os.path.join(work, "debs"))
        new = os.path.join(work, "root")
        packages._unpack(debs, new)
        database.write(new, {*wanted, *base})
        # Another version of this source may use another list.
        if update:
            shutil.rmtree(_directory(), ignore_errors=True)
        os.makedirs(_directory(), exist_ok=True)
        os.rename(new, _root())
