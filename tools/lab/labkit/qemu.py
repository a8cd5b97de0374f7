# SPDX-License-Identifier: BSD-2-Clause
"""Which QEMU runs the lab, and how the lab builds one of its own.

QEMU 7.2 raises an interrupt without its lock where a nested guest writes CR8,
and aborts. UEFI firmware meets that in nearly every boot, the lab's own guest
never does. `lab build --qemu` builds Debian's source with the lock taken
(tools/lab/qemu/*.patch); without it the installed QEMU is used.
"""

import glob
import hashlib
import os
import shutil
import subprocess
import tempfile

from labkit import paths
from labkit.report import LabError

NAME = "qemu-system-x86_64"
PATCHES = os.path.join(paths.HERE, "qemu")
# A QEMU built here has no firmware of its own; Debian's packages have it.
FIRMWARE = ("/usr/share/qemu", "/usr/share/seabios")
FETCH = os.path.join(paths.HERE, "..", "debian-source")
CONFIGURE = ("--target-list=x86_64-softmmu", "--without-default-features",
             "--without-default-devices", "--with-devices-x86_64=lab",
             "--enable-tcg", "--enable-fdt=system", "--disable-docs",
             "--disable-tools", "--disable-guest-agent",
             "--disable-install-blobs", "--disable-werror")
DEVICES = "configs/devices/x86_64-softmmu/lab.mak"


def _directory():
    return os.path.join(paths.lab_cache(), "qemu")


def _own():
    return os.path.join(_directory(), NAME)


def command():
    """The program and the options it needs to find its firmware."""
    if _stamp() == _inputs():
        return [_own(), *(word for d in FIRMWARE for word in ("-L", d))]
    if not shutil.which(NAME):
        raise LabError(f"{NAME} is missing; run `apt-get install "
                       "--no-install-recommends qemu-system-x86`")
    return [NAME]


def is_own():
    return _stamp() == _inputs()


def _patches():
    return sorted(glob.glob(os.path.join(PATCHES, "*.patch")))


def _inputs():
    """Changes with the patches and with what is configured."""
    digest = hashlib.sha256(" ".join(CONFIGURE).encode())
    for name in _patches():
        with open(name, "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()


def _stamp():
    try:
        with open(os.path.join(_directory(), "stamp"), encoding="ascii") as f:
            return f.read() if os.access(_own(), os.X_OK) else ""
    except OSError:
        return ""


def build(progress, jobs):
    """Builds the patched QEMU unless it is there."""
    if is_own():
        progress.say(f"ready: {_own()}")
        return
    with tempfile.TemporaryDirectory(dir=paths.lab_cache()) as work:
        os.chmod(work, 0o755)
        progress.say("fetching the source of qemu")
        tree = _source(work)
        for patch in _patches():
            _run(["patch", "-p1", "-i", patch], tree)
        progress.say("configuring")
        with open(os.path.join(tree, DEVICES), "w", encoding="ascii") as f:
            f.write("CONFIG_Q35=y\n")
        out = os.path.join(tree, "build-lab")
        os.makedirs(out)
        _run(["../configure", *CONFIGURE], out)
        progress.say(f"compiling with {jobs} processes, several minutes")
        _run(["ninja", "-j", str(jobs), NAME], out)
        _install(os.path.join(out, NAME))
    progress.say(f"built: {_own()}")


def _source(work):
    """Downloads and unpacks; neither needs root."""
    _run([FETCH, "qemu", os.path.join(work, "package")], work)
    for dsc in glob.glob(os.path.join(work, "package", "*.dsc")):
        _run(["dpkg-source", "--no-check", "-x", dsc], work)
    trees = glob.glob(os.path.join(work, "qemu-*/"))
    if len(trees) != 1:
        raise LabError("the source package of qemu did not unpack")
    return trees[0]


def _run(words, directory):
    try:
        done = subprocess.run(words, cwd=directory, text=True, check=False,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise LabError(f"{words[0]} is missing; see tools/lab/README.md for "
                       "what --qemu needs") from None
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-20:]), flush=True)
        raise LabError(f"{words[0]} failed in {directory}")


def _install(program):
    shutil.rmtree(_directory(), ignore_errors=True)
    os.makedirs(_directory())
    _run(["strip", "-o", _own(), program], _directory())
    with open(os.path.join(_directory(), "stamp"), "w",
              encoding="ascii") as f:
        f.write(_inputs())
