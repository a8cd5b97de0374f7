# SPDX-License-Identifier: BSD-2-Clause
"""The demo: builds the missing parts of the lab and says how long that takes;
runner.py then runs the scenario."""

import os
import subprocess
from dataclasses import dataclass
from typing import Callable

from labkit import base, durations, paths, qemu
from labkit.report import LabError, Progress

SCENARIO = "uefi-persist"
FIRMWARE = os.path.join(paths.TOP, "integration", "edk2", "build")


@dataclass
class Part:
    step: str               # in tests/durations
    about: str
    is_built: Callable      # () -> bool
    build: Callable         # (progress, jobs)


def _has_firmware():
    return subprocess.run([FIRMWARE, "--path"], check=False,
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def _build_firmware(_progress, jobs):
    done = subprocess.run([FIRMWARE, "--jobs", str(jobs)], check=False)
    if done.returncode:
        raise LabError("the firmware was not built, see above")


PARTS = (
    Part("build firmware", "UEFI firmware for Xen guests, from Debian's edk2 "
         "source", _has_firmware, _build_firmware),
    Part("build base", "Xen and a kernel for dom0, from Debian's packages",
         base.is_built, lambda progress, _jobs: base.build(progress)),
    Part("build qemu", "the emulator of the whole machine, from Debian's QEMU "
         "source", qemu.is_own, qemu.build),
)


def build_missing(jobs):
    progress = Progress("demo")
    missing = [part for part in PARTS if not part.is_built()]
    if not missing:
        return
    takes = durations.load()
    total = durations.text(sum(takes.get(part.step, 0) for part in missing))
    progress.say(f"{len(missing)} of {len(PARTS)} parts of the lab are missing "
                 f"and are built now, once; with 2 processors in about {total}")
    for number, part in enumerate(missing, 1):
        progress.say(f"part {number} of {len(missing)}: {part.about} (about "
                     f"{durations.text(takes.get(part.step, 0))})")
        start = progress.elapsed()
        part.build(progress, jobs)
        durations.record(part.step, progress.elapsed() - start)
