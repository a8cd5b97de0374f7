# SPDX-License-Identifier: BSD-2-Clause
"""Builds the files that every run boots: hypervisor, kernel, base initramfs.

The base holds nothing of this repository. scenario.py adds a second archive
for each run: init, the scripts and the files that the scenario needs.
"""

import fcntl
import glob
import gzip
import hashlib
import os
import shutil
import subprocess

from labkit import (cpio, elf, kernel as kernels, packages, paths, releases,
                    xensource)
from labkit.report import LabError

MODULES = ("xen-privcmd", "xen-evtchn", "xen-gntalloc", "xen-gntdev",
           "xenfs/xenfs")
XEN_PROGRAMS = ("xl", "xenstored", "xenconsoled", "xenconsole",
                "xen-init-dom0", "libxl-save-helper", "lsevtchn", "xen-hvmctx")
STORE_PROGRAMS = ("xenstore-read", "xenstore-write", "xenstore-ls",
                  "xenstore-list", "xenstore-rm", "xenstore-watch",
                  "xenstore-exists", "xenstore-chmod")
# pthread_cancel() loads this at run time, so no NEEDED entry names it.
LATE_LIBRARY = "libgcc_s.so.1"
DIRECTORIES = ("proc", "sys", "dev", "tmp", "root", "mnt", "lab", "etc/xen",
               "run/xen", "run/lock", "var/log/xen/console", "var/lib/xen/dump",
               "var/lib/xenstored", "var/cache")
LINKS = {"var/run": "/run", "var/lock": "/run/lock", "lib64": "/lib",
         "usr/bin": "/bin", "usr/sbin": "/bin", "sbin": "/bin",
         "usr/lib": "/lib", "usr/lib64": "/lib"}
FILES = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
                       "nobody:x:65534:65534:nobody:/:/bin/false\n",
         "etc/group": "root:x:0:\nnogroup:x:65534:\n",
         "etc/xen/xl.conf": 'autoballoon="off"\n'}


def _inputs_digest():
    """A hash of the code that makes the base, and of the release's row."""
    digest = hashlib.sha256(repr(releases.current()).encode())
    for name in ("base", "packages", "kernel", "cpio", "elf"):
        with open(os.path.join(paths.HERE, "labkit", name + ".py"), "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()


def _stamp():
    try:
        with open(paths.base("stamp"), encoding="ascii") as f:
            return f.read()
    except OSError:
        return ""


def is_built():
    """True if the base is there and this very source built it."""
    return _stamp() == _inputs_digest()


def require():
    if not is_built():
        raise LabError("the lab is not built, or another version built it: "
                       "run `tests/lab/lab build`")


def build(progress, update=False):
    """Makes the base unless it is there. A concurrent build waits."""
    os.makedirs(paths.release_cache(), exist_ok=True)
    with open(paths.release_cache("lock"), "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        if update or not is_built():
            _build_locked(progress, update)
        progress.say(f"ready: {paths.base()}")


def _build_locked(progress, update):
    root, kernel = packages.ensure_root(progress, update)
    roots = [*xensource.roots(), root]
    new = paths.base().rstrip("/") + ".new"
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    _boot_files(roots, kernel, new)
    progress.say("hypervisor and kernel unpacked")
    with open(os.path.join(new, "base.cpio"), "wb") as out:
        _initramfs(cpio.Writer(out, LINKS), roots)
        progress.say(f"dom0 initramfs: {out.tell() >> 10} KiB")
    with open(os.path.join(new, "stamp"), "w", encoding="ascii") as f:
        f.write(_inputs_digest())
    shutil.rmtree(paths.base(), ignore_errors=True)
    os.rename(new, paths.base())


def _boot_files(roots, kernel, new):
    """Xen is of the first of `roots` (_initramfs), the kernel of the last."""
    hypervisor = f"{roots[0]}/boot/xen-{releases.xen()}-amd64.gz"
    with gzip.open(hypervisor) as src, \
            open(os.path.join(new, "xen"), "wb") as out:
        shutil.copyfileobj(src, out)
    with open(kernels.image(roots[-1], kernel), "rb") as f:
        bzimage = f.read()
    with open(os.path.join(new, "vmlinuz"), "wb") as f:
        f.write(bzimage)
    with open(os.path.join(new, "vmlinux"), "wb") as f:
        f.write(elf.vmlinux(bzimage) or bzimage)


def _initramfs(writer, roots):
    """The programs of Xen are those of the first of `roots`: of the only one, the
    packages, or of a Xen from a source tree, which comes before them."""
    for name, target in LINKS.items():
        writer.symlink(name, target)
    for name in DIRECTORIES:
        writer.directory(name)
    for name, text in FILES.items():
        writer.data(name, text.encode())
    writer.device("dev/console", 5, 1)
    writer.device("dev/null", 1, 3, 0o666)
    for i, name in enumerate(MODULES):
        writer.file(f"lib/modules/{i}-{os.path.basename(name)}.ko",
                    kernels.module(f"drivers/xen/{name}"))
    _programs(writer, roots)
    _busybox(writer, f"{roots[-1]}/bin/busybox")
    writer.close()


def _programs(writer, roots):
    xen = roots[0]
    tools = f"usr/lib/xen-{releases.xen()}/bin"
    programs = {f"bin/{n}": f"{xen}/{tools}/{n}" for n in XEN_PROGRAMS}
    programs.update({f"bin/{n}": f"{xen}/usr/bin/{n}" for n in STORE_PROGRAMS})
    late = glob.glob(f"{roots[-1]}/**/{LATE_LIBRARY}", recursive=True)
    programs[f"lib/{LATE_LIBRARY}"] = late[0]
    for target, source in programs.items():
        writer.file(target, source)
    if releases.tree():     # linked with this machine's libraries
        roots = [*roots, "/"]
    for target, source in elf.closure(programs.values(), roots).items():
        if writer.place(target) not in programs:
            writer.file(target, source, 0o755)
    # libxl runs its helpers by their installed names.
    for name in XEN_PROGRAMS:
        writer.symlink(f"{tools}/{name}", f"/bin/{name}")


def _busybox(writer, busybox):
    applets = subprocess.run([busybox, "--list"], check=True, text=True,
                             capture_output=True).stdout.split()
    writer.file("bin/busybox", busybox)
    for name in applets:
        if name != "busybox":
            writer.symlink(f"bin/{name}", "busybox")
