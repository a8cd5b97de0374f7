# SPDX-License-Identifier: BSD-2-Clause
"""Compiles the project for a foreign release, or for a Xen from a source tree.

The sonames of Xen's libraries change with each Xen, and glibc's symbols with each
release. The compiler is this machine's; it uses the headers and libraries of the
release, which lie unpacked in the cache, and before them those of the Xen.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile

from labkit import packages, paths, releases, source, xensource
from labkit.report import LabError

PACKAGES = ("libc6-dev", "linux-libc-dev", "libxen-dev", "libev-dev",
            "libjson-c-dev", "libseccomp-dev", "libefivar-dev",
            "libefiboot-dev", "libblkid-dev", "libssl-dev", "libxml2-dev",
            "libsanlock-dev", "zlib1g-dev")
# In a build directory; it names the sysroot and the Xen that its objects come from.
USED = ".sysroot"
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def path(name=""):
    """In the sysroot, whose name has a hash of its list: versions of this source
    with other lists can use the same cache."""
    digest = hashlib.sha256(_wanted().encode()).hexdigest()
    return os.path.join(paths.release_cache(f"sysroot-{digest[:8]}"), name)


def rest():
    """Where the libraries are that the project is compiled against and that no
    package of dom0 has."""
    return path() if releases.is_foreign() else "/"


def _read(name):
    try:
        with open(name, encoding="ascii") as f:
            return f.read()
    except OSError:
        return None


def _wanted():
    return " ".join(PACKAGES)


def runtime_libraries():
    """The packages of the libraries with which the project is linked."""
    graph = packages._depends(PACKAGES)
    return sorted({name for names in graph.values() for name in names
                   if packages._is_library(name) and name not in graph
                   and not name.endswith("-dev")})


def is_built():
    return (_read(path(".stamp")) or "").startswith(_wanted() + "\n")


def build(progress, update=False):
    """Unpacks the packages unless they are there."""
    os.makedirs(paths.release_cache(), exist_ok=True)
    with open(paths.release_cache("lock"), "w", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        if update or not is_built():
            _build_locked(progress)
        progress.say(f"ready: {path()}")


def _build_locked(progress):
    with tempfile.TemporaryDirectory(dir=paths.release_cache()) as work:
        os.chmod(work, 0o755)
        names = packages.with_libraries(PACKAGES)
        progress.say(f"downloading {len(names)} packages to compile with")
        debs = packages._download(names, os.path.join(work, "debs"))
        new = os.path.join(work, "root")
        packages._unpack(debs, new)
        _relative_links(new)
        # The names of the files have the versions of the packages.
        versions = " ".join(map(os.path.basename, debs)).encode()
        with open(os.path.join(new, ".stamp"), "w", encoding="ascii") as f:
            f.write(f"{_wanted()}\n{hashlib.sha256(versions).hexdigest()}\n")
        shutil.rmtree(path(), ignore_errors=True)
        os.rename(new, path().rstrip("/"))


def _relative_links(root):
    """An absolute link, such as libz.so or Debian 12's dynamic linker, would lead
    out of the sysroot."""
    for directory in ("usr/lib", "lib", "lib64"):
        for top, _dirs, names in os.walk(os.path.join(root, directory)):
            for name in names:
                _relative_link(root, top, os.path.join(top, name))


def _relative_link(root, top, link):
    if os.path.islink(link) and os.readlink(link).startswith("/"):
        target = root + os.readlink(link)
        os.remove(link)
        os.symlink(os.path.relpath(target, top), link)


def _uses():
    stamp = _read(path(".stamp")) if releases.is_foreign() else ""
    return stamp + "".join(root + "\n" for root in xensource.roots())


def compile_project(progress, directory, jobs):
    """Brings the build directory up to date."""
    used = os.path.join(directory, USED)
    if _read(used) != _uses():
        progress.say(f"compiling for {_target()} in {directory}")
        _make(directory, jobs, "clean")
        os.makedirs(directory)
        with open(used, "w", encoding="utf-8") as f:
            f.write(_uses())
    _make(directory, jobs, "all")


def loader():
    """Words before a program of the release that have it run on this machine."""
    return [path("lib64/ld-linux-x86-64.so.2"), "--library-path",
            path(LIBRARIES)]


def _target():
    return releases.current().name + (f" and Xen {releases.xen()}"
                                      if releases.tree() else "")


def _compiler():
    """-B: else gcc looks for libraries and crt1.o in this machine's directories
    first, those near its own. -rpath-link: Xen's libraries need one another."""
    words = [os.environ.get("CC") or "gcc"]
    if releases.is_foreign():
        root = path().rstrip("/")
        words += [f"--sysroot={root}", f"-B{root}/{LIBRARIES}"]
    for root in xensource.roots():
        words += [f"-isystem {root}/usr/include", f"-L{root}/{LIBRARIES}",
                  f"-Wl,-rpath-link,{root}/{LIBRARIES}"]
    return " ".join(words)


def _pkg_config():
    """Has pkg-config find the libraries of the release, not this machine's."""
    directories = ("usr/lib/x86_64-linux-gnu/pkgconfig", "usr/share/pkgconfig")
    return {"PKG_CONFIG_LIBDIR": ":".join(map(path, directories)),
            "PKG_CONFIG_SYSROOT_DIR": path().rstrip("/")}


def _make(directory, jobs, target):
    environment = source.environment()
    if releases.is_foreign():
        environment.update(_pkg_config())
    done = subprocess.run(["make", "-s", f"-j{jobs}", f"BUILD={directory}",
                           f"CC={_compiler()}", target], cwd=paths.TOP,
                          env=environment, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-20:]), flush=True)
        raise LabError(f"the project does not compile for {_target()}")
