# SPDX-License-Identifier: BSD-2-Clause
"""The Debian releases whose Xen the lab boots, and the differences that matter
here. The rest of labkit asks current().

A release is this machine's own, or foreign: then its packages come from lists of
their own (archive.py) and the project is compiled against its libraries
(sysroot.py). The emulator is always this machine's.

The Xen is that of the release or, in its place, one that is built from a source
tree (xensource.py).
"""

from dataclasses import dataclass

from labkit.report import LabError

DEBIAN = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"


@dataclass(frozen=True)
class Release:
    name: str               # code name, as in VERSION_CODENAME of os-release
    xen: str                # version in the names of Xen's packages
    archive: tuple          # sources of packages: (URI, suite)
    kernel_source: str      # package with the source of its kernel
    qemu: str               # directory in tests/lab/qemu with patches for its QEMU
    systemd: tuple = ()     # further programs that systemd runs
    checked: bool = False   # `make check` runs the short scenarios on it


def _stable(name):
    return ((DEBIAN, name), (DEBIAN, name + "-updates"),
            (SECURITY, name + "-security"))


# Further differences are found in the unpacked files: libraries follow from the
# dependencies of packages, compressed or built-in modules from the kernel's
# files (kernel.py), /usr merged or not from no file at all (packages.py).
# Debian 13's ovmf has no images of 2 MiB any more; the lab's firmware has them.
RELEASES = {release.name: release for release in (
    # Debian 12: Linux 6.1, systemd 252, edk2 2022.11
    Release("bookworm", "4.17", _stable("bookworm"), "linux-source-6.1",
            "7.2", checked=True),
    # Debian 13: Linux 6.12, systemd 257, edk2 2025.02
    Release("trixie", "4.20", _stable("trixie"), "linux-source-6.12",
            "10.0", ("systemd-executor",), checked=True),
    # Its versions change from day to day.
    Release("sid", "4.20", ((DEBIAN, "sid"),), "linux-source-7.2",
            "10.0", ("systemd-executor",)),
)}
OS_RELEASE = "/etc/os-release"

_selected = None
_tree = None


def host():
    """The name of this machine's release, which may be none of RELEASES."""
    fields = {}
    try:
        with open(OS_RELEASE, encoding="utf-8") as f:
            for line in f:
                key, _, value = line.strip().partition("=")
                fields[key] = value.strip("'\"")
    except OSError:
        pass
    return fields.get("VERSION_CODENAME", "unknown")


def own():
    """This machine's release, or None if the table lacks it."""
    return RELEASES.get(host())


def select(name, tree=None):
    """Makes `name` the current release, None this machine's own, with the Xen of
    `tree` (xensource.py) or, if None, its own."""
    global _selected, _tree  # pylint: disable=global-statement
    _selected, _tree = name, tree


def current():
    name = _selected or host()
    if name not in RELEASES:
        raise LabError(f"the lab does not know the release {name} of this "
                       "machine; choose another one with --release: "
                       + ", ".join(RELEASES))
    return RELEASES[name]


def tree():
    """The source tree of the Xen that boots, or None: the release's Xen."""
    return _tree


def xen():
    """The version of the Xen that boots, such as 4.17."""
    return _tree.version if _tree else current().xen


def boots_uefi():
    """False where firmware ends in a triple fault at its first interrupt, which
    reads CR8: QEMU 10 reports the read to Xen, and Xen 4.17 cannot emulate it
    ("CR access emulation failed", 44 0f 20 c0)."""
    return xen() != "4.17" or not own() or own().qemu == "7.2"


def others():
    """The other releases that `make check` runs scenarios on."""
    return [release for release in RELEASES.values()
            if release.checked and release.name != host()]


def is_foreign():
    return current().name != host()


def is_own():
    """Neither a foreign release nor the Xen of a source tree."""
    return not is_foreign() and _tree is None


def suffix():
    """For names of files and of steps: empty, or the foreign release's name
    after a hyphen, and the version of a Xen from a source tree."""
    return ((f"-{current().name}" if is_foreign() else "")
            + (f"-xen-{_tree.version}" if _tree else ""))


def options():
    """The words of the command line that select these."""
    return ((f"--release {current().name} " if is_foreign() else "")
            + (f"--xen {_tree.directory} " if _tree else ""))
