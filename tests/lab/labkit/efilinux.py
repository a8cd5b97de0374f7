# SPDX-License-Identifier: BSD-2-Clause
"""Builds the initramfs of the Linux guest that UEFI firmware boots.

Kernel: dom0's kernel. The initramfs, kept in the cache, holds the programs for
UEFI variables at run time (efibootmgr, efivar), the modules for them and for the
guest's disk, and busybox. It does not hold the guest's script: a scenario
appends linux/guest-init.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile

from labkit import cpio, elf, kernel, packages, paths

# Inserted by linux/guest-init.
MODULES = ("drivers/block/xen-blkfront", "fs/efivarfs/efivarfs")
PROGRAMS = ("bin/efibootmgr", "usr/bin/efivar", "usr/bin/chattr")
PACKAGES = ("efibootmgr", "efivar", "e2fsprogs")


def _inputs(version):
    """A hash of the kernel's version and of this file."""
    digest = hashlib.sha256(version.encode())
    with open(__file__, "rb") as f:
        digest.update(f.read())
    return digest.hexdigest()


def _directory():
    return paths.release_cache("efilinux")


def initramfs():
    """Its path; the directory's name is the hash of its inputs."""
    return os.path.join(_directory(), _inputs(kernel.version())[:16],
                        "initrd.cpio")


def is_built():
    return os.path.exists(initramfs())


def build(progress, update=False):
    """Makes the initramfs unless it is there. Needs base.build()."""
    with open(paths.release_cache("lock"), "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        if update or not is_built():
            _build_locked(progress)
        progress.say(f"ready: {initramfs()}")


def _build_locked(progress):
    with tempfile.TemporaryDirectory(dir=paths.release_cache()) as work:
        os.chmod(work, 0o755)
        progress.say("downloading efibootmgr, efivar and their libraries")
        extra = os.path.join(work, "root")
        names = packages.with_libraries(PACKAGES, packages.resolve()[1])
        packages._unpack(packages._download(names, os.path.join(work, "debs")),
                         extra)
        new = os.path.join(work, "initrd.cpio")
        with open(new, "wb") as out:
            _write(cpio.Writer(out), extra)
            progress.say(f"UEFI guest's initramfs: {out.tell() >> 10} KiB")
        shutil.rmtree(_directory(), ignore_errors=True)
        os.makedirs(os.path.dirname(initramfs()))
        os.rename(new, initramfs())


def _write(writer, extra):
    for name in ("proc", "sys", "dev", "tmp"):
        writer.directory(name)
    writer.symlink("lib64", "/lib")
    writer.device("dev/console", 5, 1)
    for name in MODULES:
        writer.file(f"lib/modules/{os.path.basename(name)}.ko",
                    kernel.module(name))
    programs = {f"bin/{os.path.basename(n)}": f"{extra}/{n}" for n in PROGRAMS}
    libraries = elf.closure(programs.values(), [extra, kernel.root()])
    for target, source in {**programs, **libraries}.items():
        writer.file(target.replace("/lib64/", "/lib/"), source, 0o755)
    # guest-init makes the links for the other applets.
    writer.file("bin/busybox", f"{kernel.root()}/bin/busybox")
    writer.symlink("bin/sh", "busybox")
    writer.close()
