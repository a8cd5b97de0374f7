# SPDX-License-Identifier: BSD-2-Clause
"""xl and libxl of the release's Xen, with the patches of integration/libxl.

`lab build --libxl` builds them: of this machine's release from Debian's source
package, of any release from a source tree of the same version of Xen. The other
parts of Xen in dom0 stay Debian's: hypervisor, xenstored, libxenctrl, libxenguest,
libxl-save-helper. A Xen that is built from a source tree (xensource.py) has them if
the patches are applied to that tree.
"""

import os
import tempfile

from labkit import paths, releases, xensource
from labkit.report import LabError
from labkit.source import Source

PATCHES = os.path.join(paths.TOP, "integration", "libxl")
# -C1: older Xen has other lines around the changes. The lab needs neither file.
APPLY = ("git", "apply", "-C1", "--exclude=CHANGELOG.md",
         "--exclude=tools/golang/*")
# A file that the patches make.
PATCHED = "tools/libs/light/libxl_nvram.c"
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
    release = releases.current()
    return Source("libxl", f"xen/{release.name}", PATCHES, _configure(),
                  f"libxl-{release.xen}", APPLY)


def _is_patched(directory):
    return os.path.exists(os.path.join(directory, PATCHED))


def files():
    """{path in dom0: file on the host}, empty if there is no patched xl."""
    tree = releases.tree()
    if tree:    # its libraries are in the base
        return ({"lab/libxl/xl": paths.xen_cache(f"root/usr/lib/xen-{tree.version}"
                                                 "/bin/xl")}
                if _is_patched(tree.directory) else {})
    xen = source()
    if not xen.is_built():
        return {}
    return {f"lab/libxl/{name}": xen.path(name) for name in names()}


def _check(directory):
    if releases.tree():
        raise LabError("--xen needs no --libxl: apply the patches of "
                       "integration/libxl to its source tree")
    wanted = releases.current().xen
    if not directory and releases.is_foreign():
        raise LabError("--libxl needs a source tree of Xen: git clone -b "
                       f"stable-{wanted} "
                       "https://xenbits.xen.org/git-http/xen.git")
    if directory and xensource.version(directory) != wanted:
        raise LabError(f"{directory} is Xen {xensource.version(directory)}; "
                       f"{releases.current().name} has Xen {wanted}")


def _package_tree(progress, xen, work):
    progress.say("fetching the source of xen")
    tree = xen.unpack(work)
    xen.run(["cp", *CONFIG, "."], tree)
    xen.run(["autoconf"], tree)
    xen.run(["autoconf"], os.path.join(tree, "tools"))
    return tree


def _copied_tree(directory, xen, work):
    tree = os.path.join(work, "xen")
    xensource.copy_files(directory, tree)
    if not _is_patched(tree):
        xen.patch(tree)
    return tree


def build(progress, directory, jobs):
    """Builds them unless they are there, from the source tree `directory` or,
    if it is None, from Debian's source package."""
    _check(directory)
    xen = source()
    if xen.is_built():
        progress.say(f"ready: {xen.path()}")
        return
    with tempfile.TemporaryDirectory(dir=paths.lab_cache()) as work:
        os.chmod(work, 0o755)
        tree = (_copied_tree(directory, xen, work) if directory
                else _package_tree(progress, xen, work))
        progress.say("configuring")
        xen.run(["./configure", *_configure()], tree)
        progress.say(f"compiling with {jobs} processes, several minutes")
        # The build must neither download nor run git.
        for target in MAKE:
            xen.run(["make", f"-j{jobs}", "GIT=false", "WGET=false",
                        target], tree)
        xen.install({name: os.path.join(tree, built)
                        for name, built in names().items()})
    progress.say(f"built: {xen.path()}")
