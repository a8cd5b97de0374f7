# SPDX-License-Identifier: BSD-2-Clause
"""libvirtd of Debian's libvirt, with the patches of integration/libvirt, for the
patched libxl (libxl.py).

`lab build --libvirt` builds it, for this machine's release. It lies over the part
`libvirt` (parts.py), from which libvirt's data come.
"""

import glob
import os
import shutil
import sys
import tempfile

from labkit import libxl, paths, releases
from labkit.report import LabError
from labkit.source import Source

PATCHES = os.path.join(paths.TOP, "integration", "libvirt", "patches")
# The version of libvirt whose patches apply, by release.
VERSIONS = {"bookworm": "9.0"}
# In the order in which they apply.
SERIES = ("hook", "nvram")
CONFIGURE = ("--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var",
             "--libdir=lib/x86_64-linux-gnu", "--auto-features=disabled",
             "-Drunstatedir=/run", "-Ddriver_libxl=enabled",
             "-Ddriver_libvirtd=enabled", "-Ddriver_remote=enabled")
DRIVERS = "usr/lib/x86_64-linux-gnu/libvirt/connection-driver"
SCHEMA = "usr/share/libvirt/schemas/domaincommon.rng"
# {path in dom0: the built file below `build`}
BUILT = {"usr/sbin/libvirtd": "src/libvirtd",
         "usr/bin/virsh": "tools/virsh",
         **{f"lab/libvirt/{name}": f"src/{name}" for name in (
             "libvirt.so.0", "libvirt-lxc.so.0", "libvirt-qemu.so.0")},
         f"{DRIVERS}/libvirt_driver_libxl.so": "src/libvirt_driver_libxl.so"}
TARGETS = ("src/libvirtd", "tools/virsh", "src/libvirt_driver_libxl.so")
# libxl's headers: the first is in the source, gentypes.py makes the others.
HEADERS = ("libxl.h", "_libxl_types.h", "_libxl_types_private.h",
           "_libxl_types_json.h")


class Libvirt(Source):
    """Its driver has the layout of the patched libxl's structures."""

    def patches(self):
        return [name for series in SERIES for name in
                sorted(glob.glob(os.path.join(self._patches, series, "*.patch")))]

    def _inputs(self):
        return super()._inputs() + libxl.source()._inputs()


def source():
    name = releases.current().name
    return Libvirt("libvirt", f"libvirt/{name}",
                   os.path.join(PATCHES, VERSIONS.get(name, "none")), CONFIGURE)


def files():
    """{path in dom0: file on the host}, empty if it is not built."""
    libvirt = source()
    if not libvirt.is_built():
        return {}
    return {name: libvirt.path(os.path.basename(name))
            for name in (*BUILT, SCHEMA)}


def _headers(work):
    """Makes a directory with the headers of the patched libxl. The libraries are
    linked against Debian's libxl: the patched one exports no more that libvirt
    uses."""
    xen = libxl.source()
    tree = xen.unpack(os.path.join(work, "xen"))
    headers = os.path.join(work, "include")
    os.makedirs(headers)
    shutil.copy(os.path.join(tree, "tools/include/libxl.h"), headers)
    xen.run([sys.executable, "gentypes.py", "libxl_types.idl",
             *(os.path.join(headers, name) for name in HEADERS[1:]),
             os.path.join(work, "types.c")], os.path.join(tree, "tools/libs/light"))
    return headers


def build(progress, jobs):
    """Builds them unless they are there."""
    if not releases.is_own() or releases.current().name not in VERSIONS:
        raise LabError("--libvirt builds for the release of this machine only, "
                       f"which is one of: {', '.join(VERSIONS)}")
    libvirt = source()
    if libvirt.is_built():
        progress.say(f"ready: {libvirt.path()}")
        return
    with tempfile.TemporaryDirectory(dir=paths.lab_cache()) as work:
        os.chmod(work, 0o755)
        os.mkdir(os.path.join(work, "xen"))
        progress.say("fetching the sources of xen and libvirt")
        headers = _headers(work)
        tree = libvirt.unpack(work)
        progress.say("configuring")
        libvirt.run(["meson", "setup", "build", *CONFIGURE,
                     f"-Dc_args=-I{headers}"], tree)
        progress.say(f"compiling with {jobs} processes, several minutes")
        libvirt.run(["ninja", "-C", "build", f"-j{jobs}", *TARGETS], tree)
        libvirt.install(
            {os.path.basename(name): os.path.join(tree, "build", built)
             for name, built in BUILT.items()},
            {os.path.basename(SCHEMA):
                os.path.join(tree, "src/conf/schemas", os.path.basename(SCHEMA))})
    progress.say(f"built: {libvirt.path()}")
