# SPDX-License-Identifier: BSD-2-Clause
"""Makes system calls fail. The first failure must be final, and reported to the guest and on standard error."""

import errno
import os
import re
import shutil

import disks
import flash
import programs
import space
from report import check, need, skip

CHANGES = re.compile(r"\b(pwrite64|write|fdatasync|fsync|ftruncate|rename)\((\d+)?")


def why_no_strace():
    if not shutil.which("strace"):
        return "there is no strace"
    done = programs.run("strace", "-o", "/dev/null", "-e", "inject=fsync:error=EIO", "true")
    return done.stderr.decode().strip().splitlines()[-1] if done.returncode else None


def after_failure(log):
    """Returns the calls after the failed one that change a file. Writes to standard output are answers."""
    with open(log, encoding="ascii", errors="replace") as lines:
        text = lines.read()
    need("(INJECTED)" in text, "strace injected no failure")
    behind = text.split("(INJECTED)", 1)[1]
    return [f"{call}({fd or ''})" for call, fd in CHANGES.findall(behind) if fd not in ("1", "2")]


def inject(rng, directory, call, name, sync, device):
    log = os.path.join(directory, "strace.log")
    when = rng.randrange(5, 60) if sync != "none" or call != "fdatasync" else 3
    wrap = ("strace", "-o", log, "-e", f"trace={call},write,pwrite64,fdatasync,fsync,ftruncate,rename", "-e",
            f"inject={call}:error={name}:when={when}")
    path = os.path.join(directory, "device.fd" if device else "inject.fd")
    guest = space.start(rng, path, sync, device, wrap=wrap)
    number = getattr(errno, name)
    space.check_status(guest.write_until_failure("the failed call"),
                  {errno.ENOSPC: 0, errno.EROFS: flash.PROTECTED}.get(number, flash.VPP))
    guest.end_badly(os.strerror(number))
    more = after_failure(log)
    need(not more, f"the server changed files after the failure: {more}")
    guest.lost_nothing(or_one_more=call == "fdatasync")
    guest.goes_on()
    return f"call number {when}"


def read_only(rng, disk):
    """The file system becomes read-only, as after an error of the file system itself."""
    guest = space.start(rng, disk.path("vars.fd"))
    guest.write_many(10)
    trigger = f"/sys/fs/ext4/{disk.device()}/trigger_fs_error"
    try:
        with open(trigger, "w", encoding="ascii") as file:
            file.write("made by a test")
    except OSError as why:
        guest.replay.kill()
        raise disks.CannotMount(f"{trigger}: {why.strerror}") from why
    status = guest.write_until_failure("a read-only file system")
    guest.replay.end()
    need(status & (flash.PROTECTED | flash.VPP), f"status {status:#x}")
    guest.lost_nothing(or_one_more=True)
    code, stderr = programs.Replay(guest.path).end()
    need(code == 3 and os.strerror(errno.EROFS) in stderr, f"opened on a read-only file system: exit {code}, {stderr}")
    disk.unmount()
    disk.mount()
    guest.lost_nothing(or_one_more=True)
    guest.goes_on()
    return f"status {status:#x}"


def run(options, rng, directory):
    why = why_no_strace()
    for call, name in (("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("pwrite64", "EDQUOT"), ("pwrite64", "EROFS"),
                       ("fdatasync", "EIO"), ("fdatasync", "ENOSPC")):
        for sync in ("burst", "op", "none"):
            for what, device in ("", False), (", a complete device", True):
                text = f"{call} fails with {name}, --sync {sync}{what}"
                if why:
                    skip(text, why)
                elif sync != "none" or call != "fdatasync":
                    check(text, inject, rng, directory, call, name, sync, device)
    try:
        with disks.Disk(options, directory, "ext4") as disk:
            check("a file system that makes itself read-only", read_only, rng, disk)
    except disks.CannotMount as cannot:
        skip("a file system that makes itself read-only", cannot)
