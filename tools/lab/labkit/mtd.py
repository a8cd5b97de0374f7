# SPDX-License-Identifier: BSD-2-Clause
"""Builds the Linux guest that drives the flash with Linux's own MTD drivers.

Kernel: the one that dom0 runs. Its initramfs, kept in the cache, holds the
kernel's modules, mtd-utils, busybox and a module of ours (mtd/module), which
is compiled against Debian's headers package. What the guest does is not in
it: a scenario puts mtd/init behind it.
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

from labkit import cpio, elf, packages, paths
from labkit.report import LabError

SOURCE = os.path.join(paths.HERE, "mtd", "module")
MODULE = "pflash_map"
# Inserted by mtd/init, which knows their order.
MODULES = ("drivers/mtd/mtd", "drivers/mtd/chips/chipreg",
           "drivers/mtd/maps/map_funcs", "drivers/mtd/chips/cfi_util",
           "drivers/mtd/chips/cfi_cmdset_0001", "drivers/mtd/chips/gen_probe",
           "drivers/mtd/chips/cfi_probe", "drivers/mtd/maps/physmap",
           "drivers/mtd/mtd_blkdevs", "drivers/mtd/mtdblock",
           "drivers/mtd/ubi/ubi", "lib/crc16", "lib/zstd/zstd_compress",
           "crypto/zstd", "fs/jffs2/jffs2", "fs/ubifs/ubifs")
PROGRAMS = ("flash_erase", "flashcp", "flash_lock", "flash_unlock",
            "mkfs.jffs2", "mtd_debug", "mtdinfo", "ubiattach", "ubidetach",
            "ubiformat", "ubimkvol")
PACKAGES = ("mtd-utils", "liblzo2-2")


def _release():
    """Of the kernel that base.build() has unpacked; empty if it has not."""
    try:
        with open(os.path.join(_root(), ".kernel"), encoding="ascii") as f:
            return f.read().removeprefix("linux-image-")
    except OSError:
        return ""


def _root():
    return os.path.join(paths.lab_cache(), "root")


def _inputs(release):
    """Changes with the kernel, with this file and with our module."""
    digest = hashlib.sha256(release.encode())
    for name in (__file__, *sorted(glob.glob(os.path.join(SOURCE, "*")))):
        with open(name, "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()


def _directory():
    return os.path.join(paths.lab_cache(), "mtd")


def initramfs():
    """Its directory names what it was built from: an old one is none."""
    return os.path.join(_directory(), _inputs(_release())[:16], "initrd.cpio")


def build(progress):
    """Makes the initramfs unless it is there. Wants what base.build() made."""
    with open(os.path.join(paths.lab_cache(), "lock"), "w",
              encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        if not os.path.exists(initramfs()):
            _build_locked(progress, _release())
    progress.say(f"ready: {initramfs()}")


def _build_locked(progress, release):
    headers = f"linux-headers-{release}"
    with tempfile.TemporaryDirectory(dir=paths.lab_cache()) as work:
        os.chmod(work, 0o755)
        progress.say(f"downloading {headers} and mtd-utils")
        debs = packages._download(_names(headers), os.path.join(work, "debs"))
        extra = os.path.join(work, "root")
        packages._unpack(debs, extra)
        module = _compile(work, extra, headers)
        _check_module(module, release)
        new = os.path.join(work, "initrd.cpio")
        with open(new, "wb") as out:
            _write(cpio.Writer(out), extra, release, module)
            progress.say(f"MTD guest's initramfs: {out.tell() >> 10} KiB")
        shutil.rmtree(_directory(), ignore_errors=True)
        os.makedirs(os.path.dirname(initramfs()))
        os.rename(new, initramfs())


def _names(headers):
    """The packages: the headers of just this kernel, what they depend on
    (but the compiler, which is the host's), and the guest's programs."""
    depends = packages._depends([headers])[headers]
    return [headers, *PACKAGES,
            *(d for d in depends if not d.startswith("linux-compiler-"))]


def _compile(work, extra, headers):
    """Builds our module in a copy; returns the file."""
    source = os.path.join(work, "module")
    shutil.copytree(SOURCE, source)
    tree = os.path.join(extra, "usr/src", headers)
    makefile = os.path.join(tree, "Makefile")
    # Debian's names the installed place of the other half of the headers.
    with open(makefile, encoding="ascii") as f:
        text = f.read().replace(" /usr/src/", f" {extra}/usr/src/")
    with open(makefile, "w", encoding="ascii") as f:
        f.write(text)
    done = subprocess.run(["make", "-C", tree, f"M={source}", "modules"],
                          text=True, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    module = os.path.join(source, MODULE + ".ko")
    if done.returncode or not os.path.exists(module):
        print("\n".join(done.stdout.splitlines()[-20:]), flush=True)
        raise LabError(f"{MODULE} does not compile against {headers}; it "
                       "wants gcc-12 and make")
    subprocess.run(["strip", "--strip-debug", module], check=True)
    return module


def vermagic(path):
    """What a kernel compares to decide if a module is for it."""
    with open(path, "rb") as f:
        found = re.search(rb"\0vermagic=([^\0]*)\0", f.read())
    return found.group(1) if found else None


def _check_module(module, release):
    """The headers' version must be the kernel's: apt may know newer ones."""
    theirs = vermagic(_kernel_module(release, MODULES[0]))
    if theirs is None or vermagic(module) != theirs:
        raise LabError(f"{MODULE} is for {vermagic(module)}, the kernel is "
                       f"{theirs}; run `tools/lab/lab build --update`")


def _kernel_module(release, name):
    return f"{_root()}/lib/modules/{release}/kernel/{name}.ko"


def _write(writer, extra, release, module):
    for name in ("proc", "sys", "dev", "tmp", "mnt", "root"):
        writer.directory(name)
    for name, target in {"lib64": "/lib", "usr/bin": "/bin",
                         "usr/sbin": "/bin", "sbin": "/bin"}.items():
        writer.symlink(name, target)
    writer.device("dev/console", 5, 1)
    for name in MODULES:
        writer.file(f"lib/modules/{os.path.basename(name)}.ko",
                    _kernel_module(release, name))
    writer.file(f"lib/modules/{MODULE}.ko", module)
    programs = {f"bin/{n}": f"{extra}/usr/sbin/{n}" for n in PROGRAMS}
    for target, source in programs.items():
        writer.file(target, source)
    libraries = elf.closure(programs.values(), [extra, _root()])
    for target, source in libraries.items():
        writer.file(target.replace("/lib64/", "/lib/"), source, 0o755)
    busybox = f"{_root()}/bin/busybox"
    writer.file("bin/busybox", busybox)
    applets = subprocess.run([busybox, "--list"], check=True, text=True,
                             capture_output=True).stdout.split()
    for name in applets:
        if name != "busybox":
            writer.symlink(f"bin/{name}", "busybox")
    writer.close()
