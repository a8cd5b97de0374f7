# SPDX-License-Identifier: BSD-2-Clause
"""xl and libxl of Debian's Xen, with the patches of integration/libxl.

`lab build --libxl` builds them, for this machine's release. The other parts of Xen in dom0 stay Debian's:
hypervisor, xenstored, libxenctrl, libxenguest, libxl-save-helper.
"""

import os
import tempfile

from labkit import paths, releases
from labkit.report import LabError
from labkit.source import Source

PATCHES = os.path.join(paths.TOP, "integration", "libxl")
# The paths are Debian's. --disable leaves out everything that is not needed.
CONFIGURE = ("--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var",
             "--libdir=/usr/lib/x86_64-linux-gnu",
             "--with-libexec-libdir-suffix=/x86_64-linux-gnu",
             "--with-system-qemu=/usr/libexec/xen-qemu-system-i386",
             "--with-system-ovmf=/usr/share/ovmf/OVMF.fd",
             "--with-system-seabios=/usr/share/seabios/bios-256k.bin",
             "--disable-xen", "--disable-stubdom", "--disable-docs",
             "--disable-ocamltools", "--disable-golang", "--disable-xsmpolicy",
             "--disable-rombios", "--disable-pvshim", "--disable-monitors")
# Debian removes these from the source.
CONFIG = ("/usr/share/misc/config.sub", "/usr/share/misc/config.guess")
MAKE = ("build-tools-public-headers", "-Ctools/libs", "-Ctools/xl")


def names():
    """{name of a built file: its path in the tree}"""
    xen = releases.current().xen
    return {"xl": "tools/xl/xl",
            f"libxenlight.so.{xen}": f"tools/libs/light/libxenlight.so.{xen}",
            f"libxlutil.so.{xen}": f"tools/libs/util/libxlutil.so.{xen}"}


def _configure():
    """Debian's directory of hvmloader and of the helpers has Xen's version."""
    return (*CONFIGURE,
            f"--with-libexec-leaf-dir=xen-{releases.current().xen}")


def source():
    """Of the last point release: not every mirror has the sources of updates."""
    return Source("libxl", f"xen/{releases.current().name}", PATCHES,
                  _configure())


def files():
    """{path in dom0: file on the host}, empty if it is not built."""
    xen = source()
    if not xen.is_built():
        return {}
    return {f"lab/libxl/{name}": xen.path(name) for name in names()}


def build(progress, jobs):
    """Builds them unless they are there."""
    if not releases.is_own():
        raise LabError("--libxl builds for the release of this machine and its "
                       "own Xen only")
    xen = source()
    if xen.is_built():
        progress.say(f"ready: {xen.path()}")
        return
    with tempfile.TemporaryDirectory(dir=paths.lab_cache()) as work:
        os.chmod(work, 0o755)
        progress.say("fetching the source of xen")
        tree = xen.unpack(work)
        progress.say("configuring")
        xen.run(["cp", *CONFIG, "."], tree)
        xen.run(["autoconf"], tree)
        xen.run(["autoconf"], os.path.join(tree, "tools"))
        xen.run(["./configure", *_configure()], tree)
        progress.say(f"compiling with {jobs} processes, several minutes")
        # The build must neither download nor run git.
        for target in MAKE:
            xen.run(["make", f"-j{jobs}", "GIT=false", "WGET=false",
                        target], tree)
        xen.install({name: os.path.join(tree, built)
                        for name, built in names().items()})
    progress.say(f"built: {xen.path()}")
