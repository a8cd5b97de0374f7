# SPDX-License-Identifier: BSD-2-Clause
"""Scenario files: their header, and the archive that brings them to dom0."""

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field

from labkit import (base, cpio, efilinux, elf, kernel, libvirt, libxl, mtd,
                    parts, paths, releases, signed, sysroot)
from labkit.report import LabError

HEADER = re.compile(
    r"^# (about|needs|wants|modules|programs|timeout|memory|hosts|slow):"
    r"\s*(.*)$")
LISTS = ("needs", "wants", "modules", "programs")
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
VARS = "/usr/share/OVMF/OVMF_VARS.fd"


def _vars(build):
    """Debian's empty VARS file of the 2 MiB layout or, where Debian's ovmf has
    none, since Debian 13, the same bytes made by pflashctl."""
    pflashctl = os.path.join(build, "pflashctl")
    if os.path.exists(VARS) or not os.path.exists(pflashctl):
        return VARS
    made = os.path.join(build, "lab", os.path.basename(VARS))
    if not os.path.exists(made):
        loader = sysroot.loader() if releases.is_foreign() else []
        subprocess.run([*loader, pflashctl, "create", "--layout", "2m", made],
                       check=True)
    return made


# Names for files outside the repository: path, command that makes the file.
ALIASES = {
    "firmware": (lambda: os.path.join(paths.cache(), "firmware",
                                      "OVMF_XEN.fd"), "integration/edk2/build"),
    "buffered": (lambda: os.path.join(paths.cache(), "firmware",
                                      "OVMF_XEN.buffered.fd"),
                 "integration/edk2/build --buffered"),
    "firmware-secure-boot": (lambda: os.path.join(paths.cache(), "firmware",
                                                  "OVMF_XEN_4M.secboot.fd"),
                             "integration/edk2/build --secure-boot"),
    "linux": (lambda: paths.base("vmlinuz"), "tests/lab/lab build"),
    "vmlinux": (lambda: paths.base("vmlinux"), "tests/lab/lab build"),
    "mtd": (mtd.initramfs, "tests/lab/lab build"),
    "efilinux": (efilinux.initramfs, "tests/lab/lab build"),
    **{name: (functools.partial(signed.path, name), "tests/lab/lab build")
       for name in (*signed.FILES, signed.ARCHIVE)},
}
# These exist for the machine's own release only, and these not for a Xen from a
# source tree.
OWN_ONLY = ("libvirt-patched", "mtd")
PACKAGED_ONLY = ("libvirt-patched", "hvm")
# These may be missing: the scenario skips itself.
PATCHED = {"libxl": libxl.files, "libvirt-patched": libvirt.files}
PACKAGE_OF = {"/usr/share/ovmf/": "ovmf"}


class NotHere(LabError):
    """The scenario cannot run on this machine or release: it is skipped."""


@dataclass
class Scenario:
    """The header of a scenario. Times in seconds, memory in MiB."""
    name: str
    path: str
    about: str = ""
    slow: str = ""
    needs: list = field(default_factory=list)
    wants: list = field(default_factory=list)
    modules: list = field(default_factory=list)
    programs: list = field(default_factory=list)
    timeout: int = 120
    memory: int = 3072
    hosts: int = 1

    def runs_on_foreign(self):
        return not set(OWN_ONLY).intersection(self.needs)

    def runs_on_tree(self):
        return not set(PACKAGED_ONLY).intersection(self.needs)


def load(name):
    """A scenario by its name or, if there is a slash in it, by its path."""
    path = os.path.join(paths.SCENARIOS, name + ".sh")
    if "/" in name:
        name, path = os.path.basename(name).removesuffix(".sh"), name
    if not os.path.exists(path):
        raise LabError(f"no scenario {name}; `tests/lab/lab list` names them")
    scenario = Scenario(name, path)
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if not line.startswith("#"):
                break
            match = HEADER.match(line)
            if match:
                _set(scenario, number, *match.groups())
    return scenario


def _set(scenario, number, key, value):
    if key in LISTS:
        getattr(scenario, key).extend(value.split())
    elif key in ("about", "slow"):
        setattr(scenario, key, f"{getattr(scenario, key)} {value}".strip())
    elif value.isdigit():
        setattr(scenario, key, int(value))
    else:
        raise LabError(f"{scenario.path}:{number}: {key} wants a number, "
                       f"not '{value}'")


def names():
    return sorted(n[:-3] for n in os.listdir(paths.SCENARIOS)
                  if n.endswith(".sh"))


def _packages(build):
    """(directory, command that makes it) with the project's Debian packages."""
    if not releases.is_foreign():
        return os.path.join(build, "lab", "deb"), "make build/lab/deb"
    place = os.path.join(paths.cache(), "deb", releases.current().name + "-lab")
    how = f"tests/deb/run --release {releases.current().name}"
    if not os.path.exists(place):
        raise NotHere(f"{place} is missing, which `{how}` makes as root")
    return place, how


def _locate(need, build):
    """(file, command that makes it) of one word of a needs: line."""
    if need in ALIASES:
        if need.startswith("firmware") and not releases.boots_uefi():
            raise NotHere(f"no UEFI guest runs on Xen {releases.xen()} in this "
                          "machine's QEMU")
        place, how = ALIASES[need]
        return place(), how
    if need == VARS:
        return _vars(build), "make"
    if need == "packages":
        return _packages(build)
    if need.startswith("/"):
        package = next((p for d, p in PACKAGE_OF.items()
                        if need.startswith(d)), None)
        return need, f"apt-get install {package}" if package else "(by hand)"
    if need.startswith("build/"):
        return os.path.join(build, need.removeprefix("build/")), f"make {need}"
    return os.path.join(paths.TOP, need), "git checkout"


def check_runs(scenario):
    """Raises LabError if it cannot run on the selected release and Xen."""
    if releases.is_foreign() and not scenario.runs_on_foreign():
        raise LabError(f"{scenario.name} runs on {releases.host()} only")
    if releases.tree() and not scenario.runs_on_tree():
        raise LabError(f"{scenario.name} runs on Debian's Xen only: --xen builds "
                       "no hvmloader")
    if releases.tree() and "libxl" in scenario.needs and not libxl.files():
        raise NotHere(f"{releases.tree().directory} is without the patches of "
                      "integration/libxl")


def needed_files(scenario, build):
    """{path in dom0: file on the host} of the header's needs: lines."""
    check_runs(scenario)
    files = {}
    for need in scenario.needs:
        if need in parts.PARTS:
            files.update(parts.files(need))
            continue
        if need in PATCHED:
            files.update(PATCHED[need]())
            continue
        source, how = _locate(need, build)
        if not os.path.exists(source):
            raise LabError(f"{scenario.name} needs {source}; run `{how}`")
        if os.path.isdir(source):
            folder = os.path.basename(need)
            for top, _dirs, inside in os.walk(source):
                for name in inside:
                    full = os.path.join(top, name)
                    below = os.path.relpath(full, source)
                    files[f"lab/{folder}/{below}"] = full
        else:
            files[f"lab/{os.path.basename(source)}"] = source
    return files


def _wanted_files(scenario):
    """The same for the parts that a scenario does without where they do not
    exist."""
    files = {}
    for want in scenario.wants:
        if not (releases.tree() and want in PACKAGED_ONLY):
            files.update(parts.files(want))
    return files


def optional_files(scenario):
    """The same for the modules of dom0's kernel and the programs that the header
    names. Programs are those of Debian's packages (parts.py) or, on its own
    release, of the host. Missing ones are left out; lab_require (lib.sh) reports
    them."""
    files = {}
    if scenario.hosts > 1:
        files["lib/modules/e1000.ko"] = kernel.module(
            "drivers/net/ethernet/intel/e1000/e1000")
    for name in scenario.modules:
        found = kernel.find(name)
        if found:
            files[f"lab/modules/{name}.ko"] = found
    for name in scenario.programs:
        found = parts.program(name)
        if not found and not releases.is_foreign():
            found = shutil.which(name, path=SYSTEM_PATH)
        if found:
            files[f"lab/{name}"] = found
    return files


def write_overlay(out, scenario, build):
    """Appends the archive of one run: init, the shell library, the scenario
    (None for a bare dom0), the files it needs and the libraries these need."""
    writer = cpio.Writer(out, base.LINKS)
    writer.file("init", os.path.join(paths.DOM0, "init"), 0o755)
    writer.file("lab/dom0-run", os.path.join(paths.DOM0, "run"), 0o755)
    writer.file("etc/systemd/system/lab.service",
                os.path.join(paths.DOM0, "lab.service"))
    writer.file("lab/lib.sh", os.path.join(paths.HERE, "lib.sh"))
    files = {}
    if scenario:
        writer.file("lab/scenario.sh", scenario.path)
        files = {**needed_files(scenario, build), **_wanted_files(scenario),
                 **optional_files(scenario)}
    roots = [*parts.roots(), sysroot.rest()]
    if scenario and "libxl" in scenario.needs:
        roots.append("/")       # linked with this machine's libraries
    libraries = elf.closure(files.values(), roots)
    for target, source in {**files, **libraries}.items():
        writer.file(target, source)
    writer.close()
