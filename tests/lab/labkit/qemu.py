# SPDX-License-Identifier: BSD-2-Clause
"""The choice of QEMU, and the build of the patched one.

If a nested guest writes CR8, QEMU 7.2 raises an interrupt without its lock and
aborts. UEFI firmware triggers this in nearly every boot, the lab's own guest
never. `lab build --qemu` builds Debian's source with a patch that takes the lock
(tests/lab/qemu/*.patch); without that build the lab uses the installed QEMU.
"""

import os
import shutil
import tempfile

from labkit import paths
from labkit.report import LabError
from labkit.source import Source

NAME = "qemu-system-x86_64"
PATCHES = os.path.join(paths.HERE, "qemu")
# The build here has no firmware; Debian's packages have it.
FIRMWARE = ("/usr/share/qemu", "/usr/share/seabios")
CONFIGURE = ("--target-list=x86_64-softmmu", "--without-default-features",
             "--without-default-devices", "--with-devices-x86_64=lab",
             "--enable-tcg", "--enable-fdt=system", "--disable-docs",
             "--disable-tools", "--disable-guest-agent",
             "--disable-install-blobs", "--disable-werror")
DEVICES = "configs/devices/x86_64-softmmu/lab.mak"
SOURCE = Source("qemu", "qemu", PATCHES, CONFIGURE)


def is_own():
    return SOURCE.is_built() and os.access(SOURCE.path(NAME), os.X_OK)


def command():
    """The program, with options that name its firmware's directories."""
    if is_own():
        return [SOURCE.path(NAME),
                *(word for d in FIRMWARE for word in ("-L", d))]
    if not shutil.which(NAME):
        raise LabError(f"{NAME} is missing; run `apt-get install "
                       "--no-install-recommends qemu-system-x86`")
    return [NAME]


def build(progress, jobs):
    """Builds the patched QEMU unless it is there."""
    if is_own():
        progress.say(f"ready: {SOURCE.path(NAME)}")
        return
    with tempfile.TemporaryDirectory(dir=paths.lab_cache()) as work:
        os.chmod(work, 0o755)
        progress.say("fetching the source of qemu")
        tree = SOURCE.unpack(work)
        progress.say("configuring")
        with open(os.path.join(tree, DEVICES), "w", encoding="ascii") as f:
            f.write("CONFIG_Q35=y\n")
        out = os.path.join(tree, "build-lab")
        os.makedirs(out)
        SOURCE.run(["../configure", *CONFIGURE], out)
        progress.say(f"compiling with {jobs} processes, several minutes")
        SOURCE.run(["ninja", "-j", str(jobs), NAME], out)
        SOURCE.install({NAME: os.path.join(out, NAME)})
    progress.say(f"built: {SOURCE.path(NAME)}")
