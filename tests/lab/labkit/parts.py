# SPDX-License-Identifier: BSD-2-Clause
"""Parts of dom0 for scenarios that name them in `needs:`.

    hvm     Xen's QEMU and hvmloader, for HVM guests
    block   Debian's hotplug scripts for disks, with their programs
    net     the same for network interfaces, with a bridge
    systemd systemd and its journal

The files come from Debian packages, unpacked in the cache beside the packages of
the base.
"""

import fcntl
import glob
import hashlib
import os
import shutil
import tempfile

from labkit import packages, paths
from labkit.report import LabError

PACKAGES = ("qemu-system-xen", "qemu-system-data", "bash", "util-linux",
            "iproute2", "systemd")
QEMU = "usr/libexec/xen-qemu-system-i386"
KEYMAP = "usr/share/qemu/keymaps/en-us"   # needed even without a display
HVMLOADER = f"usr/lib/xen-{packages.XEN}/boot/hvmloader"
SCRIPTS = "etc/xen/scripts"
DRIVERS = "lib/modules/*/kernel/drivers"
NET = "lib/modules/*/kernel/net"
SYSTEMD = "lib/systemd"
# {part: {path in dom0: pattern of the file below one of roots()}}. The paths of
# QEMU and hvmloader are libxl's; dom0/init inserts all modules in lib/modules.
PARTS = {
    "hvm": {name: name for name in (QEMU, KEYMAP, HVMLOADER)},
    "block": {
        "bin/bash": "bin/bash",
        "bin/flock": "usr/bin/flock",   # which busybox lacks
        **{f"{SCRIPTS}/{name}": f"{SCRIPTS}/{name}" for name in (
            "block", "block-common.sh", "hotplugpath.sh", "locking.sh",
            "logging.sh", "xen-hotplug-common.sh", "xen-script-common.sh")},
        "lib/modules/loop.ko": f"{DRIVERS}/block/loop.ko",
        "lib/modules/xen-blkback.ko":
            f"{DRIVERS}/block/xen-blkback/xen-blkback.ko",
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
        "lib/modules/net-1-llc.ko": f"{NET}/llc/llc.ko",
        "lib/modules/net-2-stp.ko": f"{NET}/802/stp.ko",
        "lib/modules/net-3-bridge.ko": f"{NET}/bridge/bridge.ko",
        "lib/modules/net-4-xen-netback.ko":
            f"{DRIVERS}/net/xen-netback/xen-netback.ko",
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
}


def _directory():
    return os.path.join(paths.lab_cache(), "parts")


def _root():
    """The unpacked packages; the name is a hash of their list."""
    digest = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()
    return os.path.join(_directory(), digest[:16])


def roots():
    """The directories in which files of dom0 are searched. The base comes
    first: a library that both have must be the base's."""
    return [os.path.join(paths.lab_cache(), "root"), _root()]


def _find(pattern):
    for root in roots():
        found = glob.glob(os.path.join(root, pattern))
        if found:
            return found[0]
    raise LabError(f"{pattern} is missing below {', '.join(roots())}; run "
                   "`tests/lab/lab build`")


def files(part):
    """{path in dom0: file on the host} of one part, without its libraries."""
    return {target: _find(pattern)
            for target, pattern in PARTS[part].items()}


def build(progress, update=False):
    """Unpacks the packages unless they are there. Needs base.build()."""
    with open(os.path.join(paths.lab_cache(), "lock"), "w",
              encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        if update or not os.path.exists(_root()):
            _build_locked(progress)
        progress.say(f"ready: {_root()}")


def _build_locked(progress):
    with tempfile.TemporaryDirectory(dir=paths.lab_cache()) as work:
        os.chmod(work, 0o755)
        names = _resolve()
        progress.say(f"downloading {len(names)} packages for parts of dom0")
        debs = packages._download(names, os.path.join(work, "debs"))
        new = os.path.join(work, "root")
        packages._unpack(debs, new)
        shutil.rmtree(_directory(), ignore_errors=True)
        os.makedirs(_directory())
        os.rename(new, _root())


def _resolve():
    """The packages and their libraries, without those of the base."""
    _kernel, base = packages.resolve()
    wanted, todo = set(), sorted(PACKAGES)
    while todo:
        graph = packages._depends(todo)
        wanted.update(graph)
        todo = sorted({d for ds in graph.values() for d in ds
                       if packages._is_library(d)} - wanted.union(base))
    return sorted(wanted)
