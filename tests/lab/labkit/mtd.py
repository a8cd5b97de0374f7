# SPDX-License-Identifier: BSD-2-Clause
"""Builds the Linux guest that drives the flash with Linux's own MTD drivers.

Kernel: dom0's kernel. Its initramfs, kept in the cache, holds the kernel's
modules, mtd-utils, busybox and a module of this repository (mtd/module),
compiled against Debian's headers package. Debian's kernel looks for at most two
chips side by side and does not support their protection registers; for these
tests the same modules are compiled again, from Debian's source of this kernel,
with CONFIG_MTD_CFI_I4 and CONFIG_MTD_OTP. The initramfs does not hold the guest's
script: a scenario appends mtd/guest-init.
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile

from labkit import cpio, elf, kernel, packages, paths, releases
from labkit.report import LabError

SOURCE = os.path.join(paths.HERE, "mtd", "module")
MODULE = "pflash_map"
# mtd/guest-init inserts them, in its own order.
MODULES = ("drivers/mtd/mtd", "drivers/mtd/chips/chipreg",
           "drivers/mtd/maps/map_funcs", "drivers/mtd/chips/cfi_util",
           "drivers/mtd/chips/cfi_cmdset_0001", "drivers/mtd/chips/gen_probe",
           "drivers/mtd/chips/cfi_probe", "drivers/mtd/maps/physmap",
           "drivers/mtd/mtd_blkdevs", "drivers/mtd/mtdblock",
           "drivers/mtd/ubi/ubi", "lib/crc16", "lib/zstd/zstd_compress",
           "crypto/zstd", "fs/jffs2/jffs2", "fs/ubifs/ubifs")
# The modules that are compiled again, and the options for that.
OPTIONS = "-DCONFIG_MTD_CFI_I4=1 -DCONFIG_MTD_OTP=1"
CHIPS = ("cfi_cmdset_0001", "cfi_probe", "cfi_util", "gen_probe")
CHIPS_SOURCE = tuple(f"drivers/mtd/chips/{name}" for name in (
    "fwh_lock.h", *(f"{name}.c" for name in CHIPS)))
PROGRAMS = ("flash_erase", "flashcp", "flash_lock", "flash_otp_dump",
            "flash_otp_info", "flash_otp_lock", "flash_otp_write",
            "flash_unlock", "mkfs.jffs2", "mtd_debug", "mtdpart", "ubiattach",
            "ubidetach", "ubiformat", "ubimkvol")
PACKAGES = ("mtd-utils",)


def _inputs(version):
    """A hash of the kernel's version, of this file and of mtd/module."""
    digest = hashlib.sha256(version.encode())
    for name in (__file__, *sorted(glob.glob(os.path.join(SOURCE, "*")))):
        with open(name, "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()


def _directory():
    return paths.release_cache("mtd")


def initramfs():
    """Its path; the directory's name is the hash of its inputs."""
    return os.path.join(_directory(), _inputs(kernel.version())[:16],
                        "initrd.cpio")


def is_built():
    return os.path.exists(initramfs())


def build(progress):
    """Makes the initramfs unless it is there. Needs base.build(). The programs of
    a foreign release's headers package may not run here."""
    if releases.is_foreign():
        return
    with open(paths.release_cache("lock"), "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        if not is_built():
            _build_locked(progress, kernel.version())
    progress.say(f"ready: {initramfs()}")


def _build_locked(progress, version):
    headers = f"linux-headers-{version}"
    with tempfile.TemporaryDirectory(dir=paths.release_cache()) as work:
        os.chmod(work, 0o755)
        progress.say(f"downloading {headers}, its source and mtd-utils")
        extra = os.path.join(work, "root")
        packages._unpack(packages._download(_names(headers),
                                            os.path.join(work, "debs")), extra)
        source = packages._download([releases.current().kernel_source],
                                    os.path.join(work, "source"))
        modules = _compile_all(work, _headers_tree(extra, headers), source[0])
        for module in modules.values():
            _check_module(module)
        new = os.path.join(work, "initrd.cpio")
        with open(new, "wb") as out:
            _write(cpio.Writer(out), extra, modules)
            progress.say(f"MTD guest's initramfs: {out.tell() >> 10} KiB")
        shutil.rmtree(_directory(), ignore_errors=True)
        os.makedirs(os.path.dirname(initramfs()))
        os.rename(new, initramfs())


def _names(headers):
    """The packages: the headers of this kernel, their dependencies but the
    compiler, which is the host's, and the guest's programs."""
    depends = packages._depends([headers])[headers]
    programs = packages.with_libraries(PACKAGES, packages.resolve()[1])
    return [headers, *programs,
            *(d for d in depends if not d.startswith("linux-compiler-"))]


def _headers_tree(extra, headers):
    """The unpacked headers; replaces the installed path of their other half in
    Debian's Makefile."""
    tree = os.path.join(extra, "usr/src", headers)
    makefile = os.path.join(tree, "Makefile")
    with open(makefile, encoding="ascii") as f:
        text = f.read().replace(" /usr/src/", f" {extra}/usr/src/")
    with open(makefile, "w", encoding="ascii") as f:
        f.write(text)
    return tree


def _compile_all(work, tree, source):
    """{path below lib/modules in the guest: compiled module}"""
    own = os.path.join(work, "module")
    shutil.copytree(SOURCE, own)
    _compile(tree, own)
    anew = os.path.join(work, "anew")
    os.makedirs(anew)
    _extract(source, CHIPS_SOURCE, anew)
    with open(os.path.join(anew, "Makefile"), "w", encoding="ascii") as f:
        f.write(f"ccflags-y := {OPTIONS}\n"
                f"obj-m := {' '.join(name + '.o' for name in CHIPS)}\n")
    _compile(tree, anew)
    modules = {f"{MODULE}.ko": os.path.join(own, f"{MODULE}.ko")}
    for name in CHIPS:
        modules[f"anew/{name}.ko"] = os.path.join(anew, f"{name}.ko")
    return modules


def _compile(tree, source):
    """Builds the modules in their source directory."""
    done = subprocess.run(["make", "-C", tree, f"M={source}", "modules"],
                          text=True, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    modules = glob.glob(os.path.join(source, "*.ko"))
    if done.returncode or not modules:
        print("\n".join(done.stdout.splitlines()[-20:]), flush=True)
        raise LabError(f"kernel modules do not compile against {tree}; are "
                       "gcc-12 and make installed?")
    subprocess.run(["strip", "--strip-debug", *modules], check=True)


def _extract(deb, names, directory):
    """Extracts files of the kernel's source from the archive in the package."""
    source = releases.current().kernel_source
    wanted = {f"{source}/{name}" for name in names}
    with subprocess.Popen(["dpkg", "--fsys-tarfile", deb],
                          stdout=subprocess.PIPE) as dpkg:
        with tarfile.open(fileobj=dpkg.stdout, mode="r|") as package:
            for member in package:
                if member.name.endswith(f"/{source}.tar.xz"):
                    wanted -= _extract_from(package.extractfile(member),
                                            wanted, directory)
                    break
        dpkg.kill()
    if wanted:
        raise LabError(f"{deb} lacks {', '.join(sorted(wanted))}")


def _extract_from(archive, wanted, directory):
    """Returns the names found; stops after the last wanted one."""
    found = set()
    with tarfile.open(fileobj=archive, mode="r|xz") as source:
        for member in source:
            if member.name in wanted:
                place = os.path.join(directory, os.path.basename(member.name))
                with open(place, "wb") as f:
                    shutil.copyfileobj(source.extractfile(member), f)
                found.add(member.name)
                if found == wanted:
                    break
    return found


def vermagic(path):
    """The string that a kernel compares before it loads a module."""
    with open(path, "rb") as f:
        found = re.search(rb"\0vermagic=([^\0]*)\0", f.read())
    return found.group(1) if found else None


def _check_module(module):
    """The headers' version must be the kernel's; apt may offer newer ones."""
    theirs = vermagic(kernel.module(MODULES[0]))
    if theirs is None or vermagic(module) != theirs:
        raise LabError(f"{module} is for {vermagic(module)}, the kernel is "
                       f"{theirs}; run `tests/lab/lab build --update`")


def _write(writer, extra, modules):
    for name in ("proc", "sys", "dev", "tmp", "mnt", "root"):
        writer.directory(name)
    for name, target in {"lib64": "/lib", "usr/bin": "/bin",
                         "usr/sbin": "/bin", "sbin": "/bin"}.items():
        writer.symlink(name, target)
    writer.device("dev/console", 5, 1)
    for name in MODULES:
        writer.file(f"lib/modules/{os.path.basename(name)}.ko",
                    kernel.module(name))
    for name, source in modules.items():
        writer.file(f"lib/modules/{name}", source)
    programs = {f"bin/{n}": f"{extra}/usr/sbin/{n}" for n in PROGRAMS}
    for target, source in programs.items():
        writer.file(target, source)
    libraries = elf.closure(programs.values(), [extra, kernel.root()])
    for target, source in libraries.items():
        writer.file(target.replace("/lib64/", "/lib/"), source, 0o755)
    busybox = f"{kernel.root()}/bin/busybox"
    writer.file("bin/busybox", busybox)
    applets = subprocess.run([busybox, "--list"], check=True, text=True,
                             capture_output=True).stdout.split()
    for name in applets:
        if name != "busybox":
            writer.symlink(f"bin/{name}", "busybox")
    writer.close()
