# SPDX-License-Identifier: BSD-2-Clause
"""Paths of the repository and of the cache."""

import os

from labkit import releases

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOP = os.path.dirname(os.path.dirname(HERE))
SCENARIOS = os.path.join(HERE, "scenarios")
DOM0 = os.path.join(HERE, "dom0")


def cache():
    """The cache of the whole project, shared with integration/edk2."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("PFLASH_CACHE") or os.path.join(home, "xen-pflash")


def lab_cache():
    return os.path.join(cache(), "lab")


def release_cache(name=""):
    """The files of the current release, or one of them."""
    return os.path.join(lab_cache(), releases.current().name, name)


def xen_cache(name=""):
    """The files of the Xen that is built from a source tree, or one of them."""
    tree = releases.tree()
    return os.path.join(lab_cache(), f"xen-{tree.version}-{tree.key}", name)


def base(name=""):
    """A file of the built base: xen, vmlinux, vmlinuz, base.cpio."""
    if releases.tree():
        return os.path.join(xen_cache(f"base-{releases.current().name}"), name)
    return os.path.join(release_cache("base"), name)
