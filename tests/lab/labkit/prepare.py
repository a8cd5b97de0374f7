# SPDX-License-Identifier: BSD-2-Clause
"""Builds the parts of the lab that boot: of this machine's release on demand
(`lab build`); of a foreign one, or with a Xen from a source tree, also before a
run, together with the project."""

import os

from labkit import (base, efilinux, mtd, parts, paths, releases, signed, sysroot,
                    xensource)
from labkit.report import Progress


def build(progress, update=False, jobs=None):
    if releases.tree():
        xensource.build(progress, jobs or os.cpu_count())
    if releases.is_foreign():
        sysroot.build(progress, update)
    base.build(progress, update)
    parts.build(progress, update)
    efilinux.build(progress, update)
    signed.build(progress, update)
    if not releases.is_foreign():
        mtd.build(progress)


def is_built():
    built = (base.is_built() and parts.is_built() and efilinux.is_built()
             and signed.is_built() and xensource.is_built())
    if releases.is_foreign():
        return built and sysroot.is_built()
    return built and mtd.is_built()


def directory():
    """The build directory unless --build names another one."""
    build_directory = (os.environ.get("BUILD")
                       or os.path.join(paths.TOP, "build"))
    return os.path.abspath(build_directory) + releases.suffix()


def ready(build_directory):
    """For a run with the programs of this build directory."""
    if releases.is_own():
        base.require()
        return
    progress = Progress("lab" + releases.suffix())
    if not is_built():
        build(progress)
    if build_directory == directory():
        sysroot.compile_project(progress, build_directory, os.cpu_count())
