# SPDX-License-Identifier: BSD-2-Clause
"""Debian packages: selection, download, unpacking. Installs nothing."""

import glob
import os
import shutil
import subprocess
import tempfile

from labkit import paths
from labkit.report import LabError

XEN = "4.17"
ROOTS = (f"xen-hypervisor-{XEN}-amd64", f"xen-utils-{XEN}", "xen-utils-common",
         "xenstore-utils", "busybox-static")
KERNEL = "linux-image-amd64"
NO_PACKAGE = ("apt knows no package {}; run `apt-get update` as root, or this "
              "machine is not Debian 12 (bookworm)")
APT_DEPENDS = ("apt-cache", "depends", "--no-recommends", "--no-suggests",
               "--no-conflicts", "--no-breaks", "--no-replaces",
               "--no-enhances")


def _depends(names):
    """{package: [packages it depends on]} of `names`, by apt's lists."""
    done = subprocess.run([*APT_DEPENDS, *names], text=True, check=False,
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
            raise LabError(NO_PACKAGE.format(name))
    return graph


def _is_library(name):
    return name.startswith("lib") or name == "zlib1g"


def resolve():
    """The packages of dom0: the roots, the kernel that the kernel metapackage
    names, and all libraries that these depend on, directly or not."""
    kernel = next((p for p in _depends([KERNEL])[KERNEL]
                   if p.startswith("linux-image-")), None)
    if kernel is None:
        raise LabError(f"{KERNEL} depends on no linux-image package")
    wanted, todo = {kernel}, list(ROOTS)
    while todo:
        graph = _depends(todo)
        wanted.update(graph)
        todo = sorted({d for ds in graph.values() for d in ds
                       if _is_library(d)} - wanted)
    return kernel, sorted(wanted)


def _download(names, directory):
    os.makedirs(directory)
    done = subprocess.run(["apt-get", "-q", "download", *names], cwd=directory,
                          text=True, check=False, capture_output=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines()
                  if line.startswith("E:")]
        raise LabError("apt-get download failed; if its lists are old, run "
                       "`apt-get update` as root first. " + " ".join(errors))
    return sorted(glob.glob(os.path.join(directory, "*.deb")))


def _unpack(debs, root):
    """Unpacks in parallel: the kernel alone takes most of the time."""
    os.makedirs(root)
    jobs = [(d, subprocess.Popen(["dpkg", "-x", d, root])) for d in debs]
    bad = [d for d, job in jobs if job.wait()]
    if bad:
        raise LabError("dpkg -x failed on " + ", ".join(bad))


def ensure_root(progress, update):
    """The unpacked packages: kept from an earlier build unless `update`.
    Returns the directory and the name of the kernel package."""
    root = os.path.join(paths.lab_cache(), "root")
    stamp = os.path.join(root, ".kernel")
    if update or not os.path.exists(stamp):
        with tempfile.TemporaryDirectory(dir=paths.lab_cache()) as work:
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
