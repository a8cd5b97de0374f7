# SPDX-License-Identifier: BSD-2-Clause
"""Builds a Xen from a source tree of upstream's that this machine's user has.

The tree is a git checkout or an unpacked tarball. Its files are copied into the
cache and compiled there, so the tree stays as it is, and uncommitted changes count.
The result has Debian's places for all files (_collect), is laid over the packages of
a release, and is kept under a hash of the tree's files. There are no QEMU,
firmware, hvmloader, stub domain and documentation: HVM guests need Debian's Xen.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from labkit import paths, releases
from labkit.report import LabError
from labkit.source import run

# The compiled libraries must lie where elf.py looks for them, the helpers where
# base.py puts them. %X is Xen's version. Xen's QEMU and firmware are not there; their
# paths keep configure from building them.
CONFIGURE = ("--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var",
             "--libdir=/usr/lib/x86_64-linux-gnu",
             "--with-libexec-leaf-dir=xen-%X",
             "--with-system-qemu=/usr/libexec/xen-qemu-system-i386",
             "--with-system-ovmf=/usr/share/ovmf/OVMF.fd",
             "--with-system-seabios=/usr/share/seabios/bios-256k.bin",
             "--disable-stubdom", "--disable-docs", "--disable-ocamltools",
             "--disable-golang", "--disable-xsmpolicy", "--disable-rombios",
             "--disable-pvshim", "--disable-monitors", "--disable-pygrub")
# The parts of tools/ that dom0 and the project need, each after those it needs.
PARTS = ("include", "libs", "xenstored", "xs-clients", "console", "xcutils", "xl",
         "helpers", "hotplug")
# Not installed by those: {file in the tree: place}.
FURTHER = {"xen/xen.gz": "boot/xen-%X-amd64.gz",
           "tools/misc/xen-hvmctx": "usr/lib/xen-%X/bin/xen-hvmctx"}
# Upstream has these in usr/sbin.
SBIN = ("xl", "xenstored", "xenconsoled")
KEPT = 4            # builds in the cache


@dataclass(frozen=True)
class Tree:
    directory: str
    version: str    # such as 4.22
    key: str        # a hash of its files and of the way of building them


def _files(directory):
    """The files of the tree, relative: in a git checkout those that git tracks or
    could track."""
    if os.path.exists(os.path.join(directory, ".git")):
        done = subprocess.run(["git", "-C", directory, "ls-files", "-z",
                               "--cached", "--others", "--exclude-standard"],
                              check=False, text=True, capture_output=True)
        if done.returncode:
            raise LabError(f"git lists no files of {directory}: "
                           f"{done.stderr.strip()}")
        found = filter(None, done.stdout.split("\0"))
    else:
        if os.path.exists(os.path.join(directory, "config", "Tools.mk")):
            raise LabError(f"{directory} has been built in; unpack the tarball "
                           "again, or use a git checkout")
        found = (os.path.relpath(os.path.join(top, name), directory)
                 for top, dirs, names in os.walk(directory)
                 for name in dirs + names)
    return sorted(name for name in set(found)
                  if _is_file(os.path.join(directory, name)))


def _is_file(path):
    """Or a symbolic link. git also lists files that are deleted, and a nested
    repository as a directory."""
    return os.path.islink(path) or os.path.isfile(path)


def version(directory):
    """Of the Xen in the source tree, such as 4.22."""
    try:
        with open(os.path.join(directory, "xen", "Makefile"),
                  encoding="utf-8") as f:
            fields = dict(re.findall(r"^export XEN_(VERSION|SUBVERSION)\s*=\s*"
                                     r"(\d+)\s*$", f.read(), re.MULTILINE))
        return f"{fields['VERSION']}.{fields['SUBVERSION']}"
    except (OSError, KeyError):
        raise LabError(f"{directory} is no source tree of Xen: its xen/Makefile "
                       "names no version") from None


def _key(directory):
    digest = hashlib.sha256(repr((CONFIGURE, PARTS, FURTHER, SBIN)).encode())
    for name in _files(directory):
        path = os.path.join(directory, name)
        digest.update(name.encode() + b"\0")
        if os.path.islink(path):
            digest.update(os.readlink(path).encode() + b"\0")
            continue
        with open(path, "rb") as f:
            content = f.read()
        digest.update(f"{os.stat(path).st_mode & 0o100}"
                      f" {len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def tree(directory):
    """The source tree in `directory`; None for None."""
    if directory is None:
        return None
    directory = os.path.abspath(directory)
    return Tree(directory, version(directory), _key(directory))


def roots():
    """The directory of the built files, if a source tree is selected: what comes
    before the packages."""
    return [paths.xen_cache("root")] if releases.tree() else []


def is_built():
    """True also without a source tree."""
    return all(map(os.path.isdir, roots()))


def build(progress, jobs):
    """Builds the selected tree unless it is built. A concurrent build waits."""
    os.makedirs(paths.lab_cache(), exist_ok=True)
    with open(os.path.join(paths.lab_cache(), "xen.lock"), "w",
              encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        if not is_built():
            _build_locked(progress, jobs)
            _forget_oldest()
        progress.say(f"ready: {paths.xen_cache()}")


def _build_locked(progress, jobs):
    selected = releases.tree()
    with tempfile.TemporaryDirectory(dir=paths.lab_cache()) as work:
        os.chmod(work, 0o755)
        copy = os.path.join(work, "xen")
        copy_files(selected.directory, copy)
        if _key(copy) != selected.key:
            raise LabError(f"{selected.directory} has changed meanwhile; run "
                           "the lab again")
        progress.say(f"configuring Xen {selected.version}")
        run(["./configure", *_named(CONFIGURE)], copy, "xen")
        progress.say(f"compiling the hypervisor with {jobs} processes, some "
                     "minutes")
        _make(copy, "xen", jobs)
        progress.say("compiling the tools")
        new = os.path.join(work, "root")
        for part in PARTS:
            _make(copy, f"tools/{part}", jobs, "install", f"DESTDIR={new}")
        _make(copy, "tools/misc", jobs, "xen-hvmctx")
        _collect(copy, new)
        os.makedirs(paths.xen_cache(), exist_ok=True)
        os.rename(new, paths.xen_cache("root"))


def _named(words):
    return [word.replace("%X", releases.tree().version) for word in words]


def copy_files(directory, copy):
    """Copies the files of a source tree."""
    for name in _files(directory):
        target = os.path.join(copy, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(os.path.join(directory, name), target,
                     follow_symlinks=False)


def _make(copy, part, jobs, *words):
    """The build must neither download nor run git."""
    run(["make", f"-j{jobs}", "-C", part, "GIT=false", "WGET=false", *words],
        copy, "xen")


def _collect(copy, new):
    """Puts the rest of the files where Debian's packages have them, and leaves
    out static libraries and debug information, the most of a debug build."""
    for built, place in FURTHER.items():
        target = os.path.join(new, *_named([place]))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(os.path.join(copy, built), target)
        os.chmod(target, 0o755)
    helpers = os.path.join(new, *_named(["usr/lib/xen-%X/bin"]))
    for name in SBIN:
        os.rename(os.path.join(new, "usr/sbin", name),
                  os.path.join(helpers, name))
    for top in (helpers, os.path.join(new, "usr/bin"),
                os.path.join(new, "usr/lib/x86_64-linux-gnu")):
        for name in os.listdir(top):
            path = os.path.join(top, name)
            if name.endswith(".a"):
                os.remove(path)
            elif not os.path.islink(path) and _is_elf(path):
                run(["strip", "--strip-debug", path], copy, "xen")


def _is_elf(path):
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as f:
        return f.read(4) == b"\x7fELF"


def _forget_oldest():
    """Keeps the newest builds only: a tree under work has many."""
    top = paths.lab_cache()
    found = [os.path.join(top, name) for name in os.listdir(top)
             if re.fullmatch(r"xen-[0-9.]+-[0-9a-f]{16}", name)]
    for old in sorted(found, key=os.path.getmtime)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
