# SPDX-License-Identifier: BSD-2-Clause
"""xl and libxl of Debian's Xen, with the patches of integration/libxl.

`lab build --libxl` builds them. The other parts of Xen in dom0 stay Debian's:
hypervisor, xenstored, libxenctrl, libxenguest, libxl-save-helper.
"""

import os
import tempfile

from labkit import packages, paths
from labkit.source import Source

PATCHES = os.path.join(paths.TOP, "integration", "libxl")
# The paths are Debian's. --disable leaves out everything that is not needed.
CONFIGURE = ("--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var",
             "--libdir=/usr/lib/x86_64-linux-gnu",
             "--with-libexec-libdir-suffix=/x86_64-linux-gnu",
             f"--with-libexec-leaf-dir=xen-{packages.XEN}",
             "--with-system-qemu=/usr/libexec/xen-qemu-system-i386",
             "--with-system-ovmf=/usr/share/ovmf/OVMF.fd",
             "--with-system-seabios=/usr/share/seabios/bios-256k.bin",
             "--disable-xen", "--disable-stubdom", "--disable-docs",
             "--disable-ocamltools", "--disable-golang", "--disable-xsmpolicy",
             "--disable-rombios", "--disable-pvshim", "--disable-monitors")
# Debian removes these from the source.
CONFIG = ("/usr/share/misc/config.sub", "/usr/share/misc/config.guess")
MAKE = ("build-tools-public-headers", "-Ctools/libs", "-Ctools/xl")
FILES = {
    "xl": "tools/xl/xl",
    f"libxenlight.so.{packages.XEN}":
        f"tools/libs/light/libxenlight.so.{packages.XEN}",
    f"libxlutil.so.{packages.XEN}":
        f"tools/libs/util/libxlutil.so.{packages.XEN}",
}
# Sources of the last point release: not every mirror has those of updates.
SOURCE = Source("libxl", "xen/bookworm", PATCHES, CONFIGURE)


def files():
    """{path in dom0: file on the host}, empty if it is not built."""
    if not SOURCE.is_built():
        return {}
    return {f"lab/libxl/{name}": SOURCE.path(name) for name in FILES}


def build(progress, jobs):
    """Builds them unless they are there."""
    if SOURCE.is_built():
        progress.say(f"ready: {SOURCE.path()}")
        return
    with tempfile.TemporaryDirectory(dir=paths.lab_cache()) as work:
        os.chmod(work, 0o755)
        progress.say("fetching the source of xen")
        tree = SOURCE.unpack(work)
        progress.say("configuring")
        SOURCE.run(["cp", *CONFIG, "."], tree)
        SOURCE.run(["autoconf"], tree)
        SOURCE.run(["autoconf"], os.path.join(tree, "tools"))
        SOURCE.run(["./configure", *CONFIGURE], tree)
        progress.say(f"compiling with {jobs} processes, several minutes")
        # The build must neither download nor run git.
        for target in MAKE:
            SOURCE.run(["make", f"-j{jobs}", "GIT=false", "WGET=false",
                        target], tree)
        SOURCE.install({name: os.path.join(tree, built)
                        for name, built in FILES.items()})
    progress.say(f"built: {SOURCE.path()}")
