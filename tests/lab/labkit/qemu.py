# SPDX-License-Identifier: BSD-2-Clause
"""The choice of QEMU, and the build of the patched one.

If a nested guest writes CR8, QEMU 7.2 to 11.1 raise an interrupt without their
lock and abort. UEFI firmware triggers this in nearly every boot, the lab's own
guest never. `lab build --qemu` builds the source of this machine's Debian release
with a patch that takes the lock (tests/lab/qemu); without that build the lab uses
the installed QEMU.
"""

import os
import shutil
import tempfile

from labkit import paths, releases
from labkit.report import LabError
from labkit.source import Source

NAME = "qemu-system-x86_64"
PATCHES = os.path.join(paths.HERE, "qemu")
# The build here has no firmware; Debian's packages have it.
FIRMWARE = ("/usr/share/qemu", "/usr/share/seabios")
CONFIGURE = ("--target-list=x86_64-softmmu", "--without-default-features",
             "--without-default-devices", "--with-devices-x86_64=lab-net",
             "--enable-tcg", "--enable-fdt=system", "--disable-docs",
             "--disable-tools", "--disable-guest-agent",
             "--disable-install-blobs", "--disable-werror")
DEVICES = "configs/devices/x86_64-softmmu/lab-net.mak"


def _source():
    """None on a machine whose release is not in the table."""
    release = releases.own()
    return release and Source("qemu", "qemu",
                              os.path.join(PATCHES, release.qemu), CONFIGURE)


def is_own():
    source = _source()
    return (source is not None and source.is_built()
            and os.access(source.path(NAME), os.X_OK))


def command():
    """The program, with options that name its firmware's directories."""
    if is_own():
        return [_source().path(NAME),
                *(word for d in FIRMWARE for word in ("-L", d))]
    if not shutil.which(NAME):
        raise LabError(f"{NAME} is missing; run `apt-get install "
                       "--no-install-recommends qemu-system-x86`")
    return [NAME]


def build(progress, jobs):
    """Builds the patched QEMU unless it is there."""
    source = _source()
    if source is None:
        raise LabError("the lab has no patch for the QEMU of this machine's "
                       f"release {releases.host()}")
    if is_own():
        progress.say(f"ready: {source.path(NAME)}")
        return
    with tempfile.TemporaryDirectory(dir=paths.lab_cache()) as work:
        os.chmod(work, 0o755)
        progress.say("fetching the source of qemu")
        tree = source.unpack(work)
        progress.say("configuring")
        with open(os.path.join(tree, DEVICES), "w", encoding="ascii") as f:
            f.write("CONFIG_Q35=y\nCONFIG_E1000_PCI=y\n")
        out = os.path.join(tree, "build-lab")
        os.makedirs(out)
        source.run(["../configure", *CONFIGURE], out)
        progress.say(f"compiling with {jobs} processes, several minutes")
        source.run(["ninja", "-j", str(jobs), NAME], out)
        source.install({NAME: os.path.join(out, NAME)})
    progress.say(f"built: {source.path(NAME)}")
