# SPDX-License-Identifier: BSD-2-Clause
"""Scenario files: their header, and the archive that brings them to dom0."""

import glob
import os
import re
import shutil
from dataclasses import dataclass, field

from labkit import cpio, efilinux, elf, libxl, mtd, parts, paths
from labkit.report import LabError

HEADER = re.compile(
    r"^# (about|needs|modules|programs|timeout|memory|slow):\s*(.*)$")
LISTS = ("needs", "modules", "programs")
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# Names for files outside the repository: path, command that makes the file.
ALIASES = {
    "firmware": (lambda: os.path.join(paths.cache(), "firmware",
                                      "OVMF_XEN.fd"), "integration/edk2/build"),
    "buffered": (lambda: os.path.join(paths.cache(), "firmware",
                                      "OVMF_XEN.buffered.fd"),
                 "integration/edk2/build --buffered"),
    "linux": (lambda: paths.base("vmlinuz"), "tests/lab/lab build"),
    "vmlinux": (lambda: paths.base("vmlinux"), "tests/lab/lab build"),
    "mtd": (mtd.initramfs, "tests/lab/lab build"),
    "efilinux": (efilinux.initramfs, "tests/lab/lab build"),
}
PACKAGE_OF = {"/usr/share/OVMF/": "ovmf", "/usr/share/ovmf/": "ovmf"}


@dataclass
class Scenario:
    """The header of a scenario. Times in seconds, memory in MiB."""
    name: str
    path: str
    about: str = ""
    slow: str = ""
    needs: list = field(default_factory=list)
    modules: list = field(default_factory=list)
    programs: list = field(default_factory=list)
    timeout: int = 120
    memory: int = 3072


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


def _locate(need, build):
    """(file, command that makes it) of one word of a needs: line."""
    if need in ALIASES:
        place, how = ALIASES[need]
        return place(), how
    if need.startswith("/"):
        package = next((p for d, p in PACKAGE_OF.items()
                        if need.startswith(d)), None)
        return need, f"apt-get install {package}" if package else "(by hand)"
    if need.startswith("build/"):
        return os.path.join(build, need.removeprefix("build/")), f"make {need}"
    return os.path.join(paths.TOP, need), "git checkout"


def needed_files(scenario, build):
    """{path in dom0: file on the host} of the header's needs: lines."""
    files = {}
    for need in scenario.needs:
        if need in parts.PARTS:
            files.update(parts.files(need))
            continue
        if need == "libxl":
            files.update(libxl.files())
            continue
        source, how = _locate(need, build)
        if not os.path.exists(source):
            raise LabError(f"{scenario.name} needs {source}; run `{how}`")
        if os.path.isdir(source):
            for top, _dirs, inside in os.walk(source):
                for name in inside:
                    full = os.path.join(top, name)
                    below = os.path.relpath(full, os.path.dirname(source))
                    files[f"lab/{below}"] = full
        else:
            files[f"lab/{os.path.basename(source)}"] = source
    return files


def optional_files(scenario):
    """The same for the modules of dom0's kernel and the programs of the host
    that the header names. Missing ones are left out; lab_require (lib.sh)
    reports them."""
    kernels = os.path.join(paths.lab_cache(), "root", "lib", "modules")
    files = {}
    for name in scenario.modules:
        for found in glob.glob(f"{kernels}/**/{name}.ko", recursive=True):
            files[f"lab/modules/{name}.ko"] = found
    for name in scenario.programs:
        found = shutil.which(name, path=SYSTEM_PATH)
        if found:
            files[f"lab/{name}"] = found
    return files


def write_overlay(out, scenario, build):
    """Appends the archive of one run: init, the shell library, the scenario
    (None for a bare dom0), the files it needs and the libraries these need."""
    writer = cpio.Writer(out)
    writer.file("init", os.path.join(paths.DOM0, "init"), 0o755)
    writer.file("lab/dom0-run", os.path.join(paths.DOM0, "run"), 0o755)
    writer.file("etc/systemd/system/lab.service",
                os.path.join(paths.DOM0, "lab.service"))
    writer.file("lab/lib.sh", os.path.join(paths.HERE, "lib.sh"))
    files = {}
    if scenario:
        writer.file("lab/scenario.sh", scenario.path)
        files = {**needed_files(scenario, build), **optional_files(scenario)}
    libraries = elf.closure(files.values(), [*parts.roots(), "/"])
    for target, source in {**files, **libraries}.items():
        writer.file(target.replace("/lib64/", "/lib/"), source)
    writer.close()
