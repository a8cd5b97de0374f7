# SPDX-License-Identifier: BSD-2-Clause
"""Debian packages: selection, download, unpacking. Installs nothing."""

import functools
import glob
import os
import shutil
import subprocess
import tempfile

from labkit import archive, kernel as kernels, paths, releases
from labkit.report import LabError

KERNEL = "linux-image-amd64"
NO_PACKAGE = ("apt knows no package {} of {}; if its lists are old, run "
              "`apt-get update` as root first")
APT_DEPENDS = ("depends", "--no-recommends", "--no-suggests",
               "--no-conflicts", "--no-breaks", "--no-replaces",
               "--no-enhances")
# /bin, /lib, /lib64, /sbin are links in all installed systems. Packages of Debian
# 12 have files in them, later packages have not.
MERGED = ("bin", "lib", "lib64", "sbin")


def _xen():
    version = releases.current().xen
    return (f"xen-hypervisor-{version}-amd64", f"xen-utils-{version}",
            "xen-utils-common", "xenstore-utils", "busybox-static")


def _depends(names):
    """{package: [packages it depends on]} of `names`, by apt's lists."""
    done = subprocess.run(["apt-cache", *archive.options(), *APT_DEPENDS,
                           *names], text=True, check=False,
                          capture_output=True)
    graph, package = {}, None
    for line in done.stdout.splitlines():
        if line and not line[0].isspace():
            package = line.strip()
            graph[package] = []
        elif "Depends:" in line:
            graph[package].append(line.split(":", 1)[1].strip())
    for name in names:
        if name not in graph:
            raise LabError(NO_PACKAGE.format(name, releases.current().name))
    return graph


def _is_library(name):
    return name.startswith("lib") or name == "zlib1g"


def with_libraries(names, without=()):
    """These packages and all libraries that they depend on, directly or not, but
    those of `without`."""
    wanted, todo = set(), sorted(names)
    while todo:
        graph = _depends(todo)
        wanted.update(graph)
        todo = sorted({d for ds in graph.values() for d in ds
                       if _is_library(d)} - wanted.union(without))
    return sorted(wanted)


def _kernel():
    """(kernel package, packages with its files). Linux 7's package is empty; it
    depends on packages whose names end like its own."""
    kernel = next((p for p in _depends([KERNEL])[KERNEL]
                   if p.startswith("linux-image-")), None)
    if kernel is None:
        raise LabError(f"{KERNEL} depends on no linux-image package")
    version = kernel.removeprefix("linux-image-")
    return kernel, [kernel, *(d for d in _depends([kernel])[kernel]
                              if d.endswith(version))]


@functools.lru_cache(None)
def _resolve(_release):
    kernel, files = _kernel()
    return kernel, sorted({*files, *with_libraries(_xen())})


def resolve():
    """(kernel package, packages of dom0): Xen, its libraries, and the kernel that
    the kernel metapackage names."""
    return _resolve(releases.current())


def _download(names, directory):
    os.makedirs(directory)
    done = subprocess.run(["apt-get", *archive.options(), "-q", "download",
                           *names], cwd=directory, text=True, check=False,
                          capture_output=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines()
                  if line.startswith("E:")]
        raise LabError("apt-get download failed; if its lists are old, run "
                       "`apt-get update` as root first. " + " ".join(errors))
    return sorted(glob.glob(os.path.join(directory, "*.deb")))


def _unpack(debs, root):
    """Unpacks in parallel: the kernel alone takes most of the time. dpkg -x would
    replace the links by directories."""
    for name in MERGED:
        os.makedirs(os.path.join(root, "usr", name))
        os.symlink(f"usr/{name}", os.path.join(root, name))
    jobs = []
    for deb in debs:
        dpkg = subprocess.Popen(["dpkg", "--fsys-tarfile", deb],
                                stdout=subprocess.PIPE)
        tar = subprocess.Popen(["tar", "-x", "--keep-directory-symlink",
                                "--no-same-owner", "-C", root],
                               stdin=dpkg.stdout)
        dpkg.stdout.close()
        jobs.append((deb, dpkg, tar))
    # Both are waited for in any case.
    bad = [deb for deb, *both in jobs if any([job.wait() for job in both])]
    if bad:
        raise LabError("unpacking failed: " + ", ".join(bad))


def ensure_root(progress, update):
    """The unpacked packages: kept from an earlier build unless `update`.
    Returns the directory and the name of the kernel package."""
    root = kernels.root()
    stamp = os.path.join(root, ".kernel")
    if update or not os.path.exists(stamp):
        with tempfile.TemporaryDirectory(dir=paths.release_cache()) as work:
            os.chmod(work, 0o755)
            kernel, names = resolve()
            progress.say(f"downloading {len(names)} packages, {kernel}")
            debs = _download(names, os.path.join(work, "debs"))
            progress.say("unpacking "
                         f"{sum(map(os.path.getsize, debs)) >> 20} MiB")
            new = os.path.join(work, "root")
            _unpack(debs, new)
            with open(os.path.join(new, ".kernel"), "w",
                      encoding="ascii") as f:
                f.write(kernel)
            shutil.rmtree(root, ignore_errors=True)
            os.rename(new, root)
    with open(stamp, encoding="ascii") as f:
        return root, f.read()
