# SPDX-License-Identifier: BSD-2-Clause
"""Builds programs from a Debian source package with patches.

They are in a directory of the cache with a stamp: a hash of the patches and of
the configuration.
"""

import glob
import hashlib
import os
import shutil
import subprocess

from labkit import paths
from labkit.report import LabError

FETCH = os.path.join(paths.TOP, "integration", "debian-source")


class Source:
    """A build of `package` for the option `name`, kept in the cache under
    `directory`. `apply` are the words before the name of a patch."""

    def __init__(self, name, package, patches, configure, directory=None,
                 apply=("patch", "-p1", "-i")):
        self.name = name
        self.package = package
        self._patches = patches
        self._configure = configure
        self._directory = directory or name
        self._apply = apply

    def path(self, name=""):
        return os.path.join(paths.lab_cache(), self._directory, name)

    def is_built(self):
        try:
            with open(self.path("stamp"), encoding="ascii") as f:
                return f.read() == self._inputs()
        except OSError:
            return False

    def patches(self):
        return sorted(glob.glob(os.path.join(self._patches, "*.patch")))

    def _inputs(self):
        digest = hashlib.sha256(" ".join(self._configure).encode())
        for name in self.patches():
            with open(name, "rb") as f:
                digest.update(f.read())
        return digest.hexdigest()

    def unpack(self, work):
        """Downloads, unpacks and patches the source, without root."""
        self.run([FETCH, self.package, os.path.join(work, "package")], work)
        for dsc in glob.glob(os.path.join(work, "package", "*.dsc")):
            self.run(["dpkg-source", "--no-check", "-x", dsc], work)
        package = self.package.split("/", maxsplit=1)[0]
        trees = glob.glob(os.path.join(work, package + "-*/"))
        if len(trees) != 1:
            raise LabError(f"the source package of {package} did not unpack")
        self.patch(trees[0])
        return trees[0]

    def patch(self, tree):
        for patch in self.patches():
            self.run([*self._apply, patch], tree)

    def install(self, files, data=None):
        """Installs the built files, {name: file}, and data, and writes the
        stamp."""
        shutil.rmtree(self.path(), ignore_errors=True)
        os.makedirs(self.path())
        for name, built in files.items():
            self.run(["strip", "-o", self.path(name), built], self.path())
        for name, file in (data or {}).items():
            shutil.copy(file, self.path(name))
        with open(self.path("stamp"), "w", encoding="ascii") as f:
            f.write(self._inputs())

    def run(self, words, directory):
        run(words, directory, self.name)


def environment():
    """Without the options that a `make` that runs the lab passes on."""
    return {name: value for name, value in os.environ.items()
            if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}


def run(words, directory, option):
    """Runs a step of the build that `--option` asks for."""
    try:
        done = subprocess.run(words, cwd=directory, text=True, check=False,
                              env=environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise LabError(f"{words[0]} is missing; tests/lab/README.md lists "
                       f"the packages for --{option}") from None
    if done.returncode:
        print("\n".join(done.stdout.splitlines()[-20:]), flush=True)
        raise LabError(f"{words[0]} failed in {directory}")
