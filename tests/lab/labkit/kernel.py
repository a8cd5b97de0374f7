# SPDX-License-Identifier: BSD-2-Clause
"""dom0's kernel, unpacked by packages.py: its files and its modules."""

import glob
import lzma
import os

from labkit import paths
from labkit.report import LabError


def root():
    return paths.release_cache("root")


def version():
    """Its version, such as 6.1.0-9-amd64, or '' before base.build()."""
    try:
        with open(os.path.join(root(), ".kernel"), encoding="ascii") as f:
            return f.read().removeprefix("linux-image-")
    except OSError:
        return ""


def image(tree, kernel):
    """The bzImage of `kernel`, the name of a package, below `tree`. Packages of
    Linux 7 have it beside the modules."""
    name = kernel.removeprefix("linux-image-")
    for place in (f"boot/vmlinuz-{name}", f"lib/modules/{name}/vmlinuz"):
        path = os.path.join(tree, place)
        if os.path.exists(path):
            return path
    raise LabError(f"{kernel} has no vmlinuz")


def _modules():
    return os.path.join(root(), "lib/modules", version())


def _uncompressed(path):
    """`path`, or the same module, uncompressed beside the compressed one. None
    if there is neither."""
    if not os.path.exists(path) and os.path.exists(path + ".xz"):
        with lzma.open(path + ".xz") as f:
            content = f.read()
        new = f"{path}.{os.getpid()}"
        with open(new, "wb") as f:
            f.write(content)
        os.replace(new, path)
    return path if os.path.exists(path) else None


def _built_in():
    try:
        with open(os.path.join(_modules(), "modules.builtin"),
                  encoding="utf-8") as f:
            return f.read().split()
    except OSError:
        return []


def module(name):
    """The file of the module `name`, such as drivers/block/loop. The file of a
    built-in one is empty; the scripts of the lab leave it out."""
    found = _uncompressed(os.path.join(_modules(), "kernel", name + ".ko"))
    if found is None and f"kernel/{name}.ko" in _built_in():
        return os.devnull
    if found is None:
        raise LabError(f"the kernel {version()} has no module {name}; run "
                       "`tests/lab/lab build`")
    return found


def find(name):
    """The same for a name without its directory; None if there is no such
    module."""
    for path in glob.glob(f"{_modules()}/**/{name}.ko*", recursive=True):
        if path.endswith((".ko", ".ko.xz")):
            return _uncompressed(path.removesuffix(".xz"))
    built_in = any(path.endswith(f"/{name}.ko") for path in _built_in())
    return os.devnull if built_in else None
