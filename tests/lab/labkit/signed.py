# SPDX-License-Identifier: BSD-2-Clause
"""Debian's signed programs for a guest with Secure Boot, kept in the cache: shim,
GRUB, and an archive with mokutil that is added to the guest's initramfs. The
kernel, dom0's own, is signed, too."""

import fcntl
import hashlib
import os
import shutil
import tempfile

from labkit import cpio, elf, kernel, packages, paths

PACKAGES = ("shim-signed", "grub-efi-amd64-signed", "mokutil")
PROGRAM = "usr/bin/mokutil"
ARCHIVE = "mokutil.cpio"
FILES = {
    "shimx64.efi": "usr/lib/shim/shimx64.efi.signed",
    "grubx64.efi": "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
}


def _directory():
    """Its name is a hash of this file."""
    with open(__file__, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    return os.path.join(paths.release_cache("signed"), digest[:16])


def path(name):
    return os.path.join(_directory(), name)


def is_built():
    return os.path.exists(_directory())


def build(progress, update=False):
    """Unpacks the programs unless they are there. Needs base.build()."""
    with open(paths.release_cache("lock"), "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        if update or not is_built():
            _build_locked(progress)
        progress.say(f"ready: {_directory()}")


def _build_locked(progress):
    with tempfile.TemporaryDirectory(dir=paths.release_cache()) as work:
        os.chmod(work, 0o755)
        progress.say("downloading shim, GRUB, mokutil and its libraries")
        root, new = os.path.join(work, "root"), os.path.join(work, "new")
        os.mkdir(new)
        names = packages.with_libraries(PACKAGES, packages.resolve()[1])
        packages._unpack(packages._download(names, os.path.join(work, "debs")),
                         root)
        for name, source in FILES.items():
            shutil.copy(os.path.join(root, source), os.path.join(new, name))
        with open(os.path.join(new, ARCHIVE), "wb") as out:
            _write(cpio.Writer(out), root)
        shutil.rmtree(paths.release_cache("signed"), ignore_errors=True)
        os.makedirs(os.path.dirname(_directory()))
        os.rename(new, _directory())


def _write(writer, root):
    """mokutil, its libraries, and the links that efilinux.py makes, too."""
    writer.symlink("lib64", "/lib")
    programs = {f"bin/{os.path.basename(PROGRAM)}": f"{root}/{PROGRAM}"}
    libraries = elf.closure(programs.values(), [root, kernel.root()])
    for target, source in {**programs, **libraries}.items():
        writer.file(target.replace("/lib64/", "/lib/"), source, 0o755)
    writer.close()
